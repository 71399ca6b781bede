/*
 * LightGBM's text form, with handwritten models: the meaning of each part, and the refusals. The
 * expected values were computed by hand from LightGBM's documented rules.
 */
#include "agents/model.h"
#include "base/check.h"
#include "unit/unit.h"

#include <math.h>

#define TEXT_MAX   ((size_t)64 * 1024)
#define NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-12 * fmax(1, fabs(b)))

/* A complete model with these trees; the lines of `head` go before feature_names. */
static void add_model(struct buf *out, const char *objective, int classes, int features,
                      const char *head, const char *trees)
{
    buf_addf(out, "tree\nversion=v4\nnum_class=%d\nnum_tree_per_iteration=%d\nlabel_index=0\n",
             classes, classes);
    buf_addf(out, "max_feature_idx=%d\n", features - 1);
    if (objective[0] != '\0') {
        buf_addf(out, "objective=%s\n", objective);
    }
    buf_addf(out, "%sfeature_names=", head);
    for (int i = 0; i < features; i++) {
        buf_addf(out, "%sColumn_%d", i > 0 ? " " : "", i);
    }
    buf_add_c(out, "\nfeature_infos=");
    for (int i = 0; i < features; i++) {
        buf_addf(out, "%s[-1:1]", i > 0 ? " " : "");
    }
    buf_add_c(out, "\ntree_sizes=");
    for (const char *at = trees; (at = strstr(at, "Tree=")) != NULL; at++) {
        buf_addf(out, "%s100", at > trees ? " " : "");
    }
    buf_addf(out, "\n\n%send of trees\n\nfeature_importances:\nColumn_0=1\n\nparameters:\n", trees);
    buf_add_c(out, "[boosting: gbdt]\nend of parameters\n\npandas_categorical:null\n");
    assert_false(buf_failed(out));
}

static struct model *must_parse(const struct buf *text)
{
    struct model *model = NULL;
    struct err err = {0};
    if (model_parse(buf_str(text), "m.txt", &model, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return model;
}

static struct model *must_make(const char *objective, int classes, int features, const char *head,
                               const char *trees)
{
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
    add_model(&text, objective, classes, features, head, trees);
    return must_parse(&text);
}

static double predict_one(const struct model *model, double a, double b)
{
    double row[] = {a, b}, ret = 0;
    assert_int_equal(model_classes(model), 1);
    assert_int_equal(model_predict(model, row, model_features(model), &ret, NULL), 0);
    return ret;
}

/* ---------------------------------------------------------------- splits */

static void missing_values_follow_the_decision_type(void **state)
{
    (void)state;
    const double nan = (double)NAN, inf = (double)INFINITY, edge = (double)1e-35F;
    const double cells[] = {1.5,    1.6, -1.5, -1.4, 0, -0.0, 1e-36, edge, nextafter(edge, 1),
                            -1e-36, nan, inf,  -inf};
    /* l, r: the leaf of each cell. */
    static const struct {
        const char *type;
        double threshold;
        const char *leaves;
    } cases[] = {
        {"0", 1.5, "lrlllllllllrl"},  {"0", -1.5, "rrlrrrrrrrrrl"}, {"2", 1.5, "lrlllllllllrl"},
        {"2", -1.5, "rrlrrrrrrrrrl"}, {"4", 1.5, "lrllrrrrlrrrl"},  {"4", -1.5, "rrlrrrrrrrrrl"},
        {"6", 1.5, "lrlllllllllrl"},  {"6", -1.5, "rrlrllllrllrl"}, {"8", 1.5, "lrllllllllrrl"},
        {"8", -1.5, "rrlrrrrrrrrrl"}, {"10", 1.5, "lrlllllllllrl"}, {"10", -1.5, "rrlrrrrrrrlrl"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char tree[512];
        (void)snprintf(tree, sizeof(tree),
                       "Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\n"
                       "threshold=%.17g\ndecision_type=%s\nleft_child=-1\nright_child=-2\n"
                       "leaf_value=10 20\nleaf_weight=1 1\nleaf_count=1 1\ninternal_value=0\n"
                       "is_linear=0\nshrinkage=0.1\n\n\n",
                       cases[i].threshold, cases[i].type);
        AUTO_MODEL struct model *model = must_make("regression", 1, 1, "", tree);
        const char *expected = cases[i].leaves;
        for (size_t c = 0; c < COUNT_OF(cells); c++) {
            double got = predict_one(model, cells[c], 0);
            if (got != (expected[c] == 'l' ? 10 : 20)) {
                fail_msg("type %s threshold %g cell %zu (%g): %g", cases[i].type,
                         cases[i].threshold, c, cells[c], got);
            }
        }
    }
}

static void a_category_goes_left_when_its_bit_is_set(void **state)
{
    (void)state;
    /* Node 0: {1, 3} of feature 0; node 1: {0, 33} of feature 1, over two words. */
    AUTO_MODEL struct model *model =
        must_make("regression", 1, 2, "",
                  "Tree=0\nnum_leaves=3\nnum_cat=2\nsplit_feature=0 1\nthreshold=0 1\n"
                  "decision_type=1 9\nleft_child=-1 -2\nright_child=1 -3\nleaf_value=1 2 3\n"
                  "cat_boundaries=0 1 3\ncat_threshold=10 1 2\nshrinkage=1\n\n");
    assert_true(predict_one(model, 1, 0) == 1);
    assert_true(predict_one(model, 3.9, 5) == 1);
    assert_true(predict_one(model, 0, 5) == 3);
    assert_true(predict_one(model, 2, 0) == 2);
    assert_true(predict_one(model, 35, 33) == 2);   /* 35 % 32 is 3, but the set ends at 31 */
    assert_true(predict_one(model, -1, -0.5) == 2); /* truncated towards 0 */
    assert_true(predict_one(model, -1, -1) == 3);
    assert_true(predict_one(model, (double)NAN, (double)NAN) == 3);
    assert_true(predict_one(model, 4294967297.0, 64) == 3);
    assert_true(predict_one(model, (double)INFINITY, -(double)INFINITY) == 3);
    assert_true(predict_one(model, 1e300, 1) == 3);
}

static void single_leaves_and_deep_trees_are_evaluated(void **state)
{
    (void)state;
    /* A chain: x <= 1 ? 1 : x <= 2 ? 2 : x <= 3 ? 3 : 4, plus the constant .5. */
    AUTO_MODEL struct model *model =
        must_make("regression", 1, 2, "",
                  "Tree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=0.5\nshrinkage=1\n\n\n"
                  "Tree=1\nnum_leaves=4\nnum_cat=0\nsplit_feature=1 1 1\nthreshold=1 2 3\n"
                  "decision_type=2 2 2\nleft_child=-1 -2 -3\nright_child=1 2 -4\n"
                  "leaf_value=1 2 3 4\nshrinkage=1\n\n\n");
    assert_int_equal(model_trees(model), 2);
    for (int i = 1; i <= 4; i++) {
        assert_true(predict_one(model, 0, i) == i + .5);
    }
}

static void a_linear_leaf_is_constant_if_a_feature_is_missing(void **state)
{
    (void)state;
    AUTO_MODEL struct model *model = must_make(
        "regression", 1, 2, "",
        "Tree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=100\nis_linear=0\nshrinkage=1\n\n\n"
        "Tree=1\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 0\nthreshold=0 10\ndecision_type=8 8\n"
        "left_child=-1 -2\nright_child=1 -3\nleaf_value=7 8 9\nis_linear=1\n"
        "leaf_const=1 2.5 3\nnum_features=2 0 1\nleaf_features=0 1   1 \n"
        "leaf_coeff=0.5 -2   0.25 \nshrinkage=1\n\n\n"
        "Tree=2\nnum_leaves=1\nnum_cat=0\nleaf_value=1000\nis_linear=1\nleaf_const=2000\n"
        "num_features=1\nleaf_features=1\nleaf_coeff=10\nshrinkage=1\n\n\n");
    /* 100 + (1 + .5 * -1 - 2 * 3) + (2000 + 30) */
    assert_true(predict_one(model, -1, 3) == 2124.5);
    assert_true(predict_one(model, -1, (double)NAN) == 100 + 7 + 1000);
    assert_true(predict_one(model, 5, (double)NAN) == 100 + 2.5 + 1000);
    assert_true(predict_one(model, (double)NAN, 4) == 100 + 4 + 2040);
    assert_true(predict_one(model, -1, 1e-36) == 100 + .5 + 2000);
}

/* ---------------------------------------------------------------- objectives */

#define CONSTANT(n, value) \
    "Tree=" #n "\nnum_leaves=1\nnum_cat=0\nleaf_value=" #value "\nshrinkage=1\n\n\n"

static void the_objective_transforms_the_sum(void **state)
{
    (void)state;
    static const struct {
        const char *objective, *head, *trees;
        double raw, answer;
    } cases[] = {
        {"binary sigmoid:1", "", CONSTANT(0, 1) CONSTANT(1, 1), 2, 0.88079707797788243},
        {"binary sigmoid:0.5", "", CONSTANT(0, 2), 2, 0.73105857863000490},
        {"regression", "", CONSTANT(0, -3), -3, -3},
        {"regression sqrt", "", CONSTANT(0, -3), -3, -9},
        {"regression_l1 sqrt", "", CONSTANT(0, 3), 3, 9},
        {"huber", "", CONSTANT(0, 1.25), 1.25, 1.25},
        {"fair", "", CONSTANT(0, 1.25), 1.25, 1.25},
        {"quantile alpha:0.9", "", CONSTANT(0, 1.25), 1.25, 1.25},
        {"mape", "", CONSTANT(0, 1.25), 1.25, 1.25},
        {"poisson", "", CONSTANT(0, 1), 1, 2.7182818284590451},
        {"gamma", "", CONSTANT(0, -1), -1, 0.36787944117144233},
        {"tweedie tweedie_variance_power:1.5", "", CONSTANT(0, 0), 0, 1},
        {"cross_entropy", "", CONSTANT(0, 1), 1, 0.73105857863000490},
        {"cross_entropy_lambda", "", CONSTANT(0, 1), 1, 1.3132616875182228},
        {"lambdarank", "", CONSTANT(0, 4), 4, 4},
        {"rank_xendcg", "", CONSTANT(0, 4), 4, 4},
        {"", "", CONSTANT(0, 4), 4, 4},
        {"custom", "", CONSTANT(0, 4), 4, 4},
        {"regression", "average_output\n", CONSTANT(0, 1) CONSTANT(1, 5), 6, 3},
        {"binary sigmoid:1", "average_output\n", CONSTANT(0, 1) CONSTANT(1, 3), 4,
         0.88079707797788243},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_MODEL struct model *model =
            must_make(cases[i].objective, 1, 1, cases[i].head, cases[i].trees);
        double row = 0, raw = 0, answer = 0;
        assert_int_equal(model_predict_raw(model, &row, 1, &raw, NULL), 0);
        assert_int_equal(model_predict(model, &row, 1, &answer, NULL), 0);
        assert_true(raw == cases[i].raw);
        NEAR(answer, cases[i].answer);
    }
}

static void trees_are_assigned_to_classes_in_turn(void **state)
{
    (void)state;
    static const char trees[] = CONSTANT(0, 1) CONSTANT(1, 1.5) CONSTANT(2, 2) CONSTANT(3, 0)
        CONSTANT(4, 0.5) CONSTANT(5, 1);
    double row = 0, p[3];
    AUTO_MODEL struct model *soft = must_make("multiclass num_class:3", 3, 1, "", trees);
    assert_int_equal(model_classes(soft), 3);
    assert_int_equal(model_predict(soft, &row, 1, p, NULL), 0);
    NEAR(p[0], 0.090030573170380462);
    NEAR(p[1], 0.24472847105479767);
    NEAR(p[2], 0.66524095577482178);
    assert_int_equal(model_predict_raw(soft, &row, 1, p, NULL), 0);
    assert_true(p[0] == 1 && p[1] == 2 && p[2] == 3);

    AUTO_MODEL struct model *each =
        must_make("multiclassova num_class:3 sigmoid:2", 3, 1, "", trees);
    assert_int_equal(model_predict(each, &row, 1, p, NULL), 0);
    NEAR(p[0], 0.88079707797788243);
    NEAR(p[1], 0.98201379003790845);
    NEAR(p[2], 0.99752737684336534);

    AUTO_MODEL struct model *forest =
        must_make("multiclass num_class:3", 3, 1, "average_output\n", trees);
    assert_int_equal(model_predict(forest, &row, 1, p, NULL), 0);
    NEAR(p[0], 0.18632372322584759); /* softmax of .5, 1, 1.5 */
    NEAR(p[2], 0.50648039105654037);
}

/* ---------------------------------------------------------------- the form */

#define GOOD_TREE                                                                              \
    "Tree=0\nnum_leaves=3\nnum_cat=1\nsplit_feature=0 1\nthreshold=0.5 0\ndecision_type=2 1\n" \
    "left_child=1 -1\nright_child=-3 -2\nleaf_value=1 2 3\ncat_boundaries=0 1\n"               \
    "cat_threshold=5\nis_linear=0\nshrinkage=1\n\n\n"

static void line_ends_and_a_byte_order_mark_are_ignored(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX), windows = BUF_INIT(TEXT_MAX);
    add_model(&text, "regression", 1, 2, "", GOOD_TREE);
    buf_add_c(&windows, "\xEF\xBB\xBF");
    for (size_t i = 0; i < text.len; i++) {
        buf_add_c(&windows, text.data[i] == '\n' ? "\r" : "");
        buf_add_char(&windows, text.data[i]);
    }
    AUTO_MODEL struct model *model = must_parse(&windows);
    assert_true(predict_one(model, 0, 2) == 1);
    assert_true(predict_one(model, 0, 1) == 2);
    assert_true(predict_one(model, 1, 2) == 3);
}

static void in_an_old_file_the_importances_end_the_trees(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
    static const char head[] = "tree\nversion=v2\nnum_class=1\nlabel_index=0\nmax_feature_idx=0\n"
                               "objective=regression\nfeature_names=a\n\n";
    buf_addf(&text, "%s%s\nfeature importances:\na=1\n", head, CONSTANT(0, 4));
    AUTO_MODEL struct model *model = must_parse(&text);
    assert_true(predict_one(model, 0, 0) == 4);
    buf_clear(&text);
    buf_addf(&text, "%s%s", head, CONSTANT(0, 4));
    struct model *none = NULL;
    assert_int_equal(model_parse(buf_str(&text), "m", &none, NULL), -ERR_MODEL_DAMAGED);

    /* Whether the leaves of such a forest are transformed depends on the version that wrote it. */
    buf_clear(&text);
    buf_addf(&text,
             "tree\nversion=v2\nnum_class=1\nlabel_index=0\nmax_feature_idx=0\n"
             "objective=binary sigmoid:1\naverage_output\n\n%send of trees\n",
             CONSTANT(0, 4));
    assert_int_equal(model_parse(buf_str(&text), "m", &none, NULL), -ERR_MODEL_UNSUPPORTED);
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
    add_model(&text, "binary sigmoid:1", 1, 2, "", GOOD_TREE);
    const char *end = strstr(text.data, "end of trees");
    assert_non_null(end);
    size_t complete = (size_t)(end - text.data) + strlen("end of trees");
    for (size_t n = 0; n < complete; n++) {
        struct model *model = NULL;
        struct err err = {0};
        assert_true(model_parse(str_n(text.data, n), "m.txt", &model, &err) < 0);
        assert_null(model);
        assert_true(err.id == (n < 4 ? ERR_MODEL_UNKNOWN : ERR_MODEL_DAMAGED) ||
                    err.id == ERR_MODEL_UNSUPPORTED /* half of an objective's name */);
        assert_non_null(strstr(err.context, "m.txt"));
    }
    /* The part after the trees is not needed, but an unfinished list of parameters shows a cut. */
    AUTO_MODEL struct model *model = NULL;
    assert_int_equal(model_parse(str_n(text.data, complete), "m.txt", &model, NULL), 0);
    struct model *none = NULL;
    size_t open = (size_t)(strstr(text.data, "[boosting") - text.data);
    assert_int_equal(model_parse(str_n(text.data, open), "m.txt", &none, NULL), -ERR_MODEL_DAMAGED);
}

/* Replaces the first `from` and expects a refusal whose context contains `where`. */
static void refused(const char *from, const char *to, enum err_id id, const char *where)
{
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX), bad = BUF_INIT(TEXT_MAX);
    add_model(&text, "binary sigmoid:1", 1, 2, "", GOOD_TREE);
    const char *at = strstr(text.data, from);
    assert_non_null(at);
    buf_add(&bad, text.data, (size_t)(at - text.data));
    buf_add_c(&bad, to);
    buf_add_c(&bad, at + strlen(from));
    struct model *model = NULL;
    struct err err = {0};
    int rc = model_parse(buf_str(&bad), "m.txt", &model, &err);
    assert_null(model);
    if (rc != -(int)id || strstr(err.context, where) == NULL) {
        fail_msg("%s -> %s: %d %s", from, to, rc, err.context);
    }
}

static void an_invalid_tree_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *where;
    } cases[] = {
        /* cycles, shared and unreachable nodes, missing children */
        {"left_child=1 -1", "left_child=0 -1", "m.txt:12: tree 0: more than one node"},
        {"left_child=1 -1", "left_child=1 0", "more than one node points to node 0"},
        {"left_child=1 -1", "left_child=1 1", "more than one node points to node 1"},
        {"right_child=-3 -2", "right_child=-3 -1", "more than one node points to leaf 0"},
        {"left_child=1 -1", "left_child=-2 -1", "no node points to node 1"},
        {"left_child=1 -1", "left_child=2 -1", "m.txt:18: left_child: number 1"},
        {"right_child=-3 -2", "right_child=-3 -4", "m.txt:19: right_child: number 2"},
        {"right_child=-3 -2", "right_child=-3 99999999999999999999", "right_child: number 2"},
        /* lists that are too short or too long, counts beyond the file */
        {"leaf_value=1 2 3", "leaf_value=10 20", "m.txt:20: leaf_value ends after 2 of 3"},
        {"leaf_value=1 2 3", "leaf_value=1 2 3 4", "m.txt:20: leaf_value has more than 3"},
        {"num_leaves=3", "num_leaves=1000000000", "m.txt:20: leaf_value is too short"},
        {"num_leaves=3", "num_leaves=0", "m.txt:13: num_leaves"},
        {"num_leaves=3", "num_leaves=-2", "m.txt:13: num_leaves"},
        {"num_leaves=3", "num_leaves=99999999999", "m.txt:13: num_leaves"},
        {"num_leaves=3\n", "", "m.txt:12: the tree has no num_leaves"},
        {"num_cat=1", "num_cat=1000000000", "m.txt:14: num_cat"},
        {"cat_boundaries=0 1", "cat_boundaries=0 2000000000", "cat_threshold is too short"},
        {"cat_boundaries=0 1", "cat_boundaries=1 0", "m.txt:21: cat_boundaries: number 1"},
        {"cat_threshold=5", "cat_threshold=4294967296", "m.txt:22: cat_threshold: number 1"},
        {"cat_threshold=5\n", "", "the tree has no cat_threshold"},
        {"threshold=0.5 0\n", "threshold=0.5 1\n", "node 1: its category set does not exist"},
        {"threshold=0.5 0\n", "threshold=0.5 0.5\n", "node 1: its category set does not exist"},
        {"threshold=0.5 0\n", "threshold=0.5 -1\n", "node 1: its category set does not exist"},
        /* numbers */
        {"threshold=0.5 0", "threshold=nan 0", "m.txt:16: threshold: number 1"},
        {"threshold=0.5 0", "threshold=inf 0", "threshold: number 1 is not finite"},
        {"leaf_value=1 2 3", "leaf_value=1 1e999 3", "leaf_value: number 2 is not finite"},
        {"leaf_value=1 2 3", "leaf_value=1 0x2 3", "leaf_value: number 2"},
        {"decision_type=2 1", "decision_type=12 1", "m.txt:17: decision_type: number 1"},
        {"decision_type=2 1", "decision_type=-1 1", "decision_type: number 1"},
        {"decision_type=2 1\n", "", "the tree has no decision_type"},
        {"split_feature=0 1", "split_feature=0 2", "m.txt:15: split_feature: number 2"},
        {"split_feature=0 1", "split_feature=0 -1", "split_feature: number 2"},
        /* missing keys, and a number too many at the end of each list */
        {"split_feature=0 1\n", "", "the tree has no split_feature"},
        {"threshold=0.5 0\n", "", "the tree has no threshold"},
        {"left_child=1 -1\n", "", "the tree has no left_child"},
        {"right_child=-3 -2\n", "", "the tree has no right_child"},
        {"leaf_value=1 2 3\n", "", "the tree has no leaf_value"},
        {"cat_boundaries=0 1\n", "", "the tree has no cat_boundaries"},
        {"num_cat=1\n", "", "the tree has no num_cat"},
        {"split_feature=0 1", "split_feature=0 1 1", "split_feature has more than 2"},
        {"threshold=0.5 0\n", "threshold=0.5 0 0\n", "threshold has more than 2"},
        {"decision_type=2 1", "decision_type=2 1 1", "decision_type has more than 2"},
        {"left_child=1 -1", "left_child=1 -1 -1", "left_child has more than 2"},
        {"cat_boundaries=0 1", "cat_boundaries=0 1 1", "cat_boundaries has more than 2"},
        {"cat_threshold=5", "cat_threshold=5 6", "cat_threshold has more than 1"},
        {"is_linear=0", "is_linear=2", "is_linear"},
        {"is_linear=0", "is_linear=1", "the tree has no leaf_const"},
        {"num_class=1\n", "", "the head has no num_class"},
        {"max_feature_idx=1\n", "", "the head has no max_feature_idx"},
        /* the order of the lines */
        {"Tree=0", "Tree=1", "m.txt:12: tree 0 is expected"},
        {"tree\n", "trees\n", "m.txt:1: the first line"},
        {"num_class=1", "num_class=1\nnum_class=1", "m.txt:4: a second num_class"},
        {"num_cat=1", "num_cat=1\nnum_cat=1", "m.txt:15: a second num_cat"},
        {"tree_sizes=100", "tree_sizes=100 100", "tree_sizes declares 2 trees, the file has 1"},
        {"num_class=1", "num_class=3", "num_tree_per_iteration"},
        {"num_class=1\nnum_tree_per_iteration=1", "num_class=2\nnum_tree_per_iteration=2",
         "has one class, not 2"},
        {"num_class=1", "num_class=1000000", "m.txt:3: num_class"},
        {"max_feature_idx=1", "max_feature_idx=2147483647", "m.txt:6: max_feature_idx"},
        {"max_feature_idx=1", "max_feature_idx=2", "2 feature_names"},
        {"sigmoid:1", "sqrt sigmoid:", "m.txt:7: the objective's sigmoid"},
        {"sigmoid:1", "sigmoid:1 num_class:x", "m.txt:7: the objective's num_class"},
        {"num_leaves=3", "num_leaves=many", "m.txt:13: num_leaves is not a whole number"},
        {"threshold=0.5 0\n", "threshold=0.5 x\n", "threshold: number 2"},
        {"threshold=0.5 0\n", "threshold=0.5 0 0\n", "threshold has more than 2"},
        {"threshold=0.5 0\n", "threshold=0.5\n", "threshold ends after 1 of 2"},
        {"sigmoid:1", "sigmoid:-1", "m.txt:7: the objective's sigmoid"},
        {" sigmoid:1", "", "m.txt:7: the objective has no sigmoid"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        refused(cases[i].from, cases[i].to, ERR_MODEL_DAMAGED, cases[i].where);
    }
    refused("objective=binary", "objective=mystery", ERR_MODEL_UNSUPPORTED, "m.txt:7");
    /* unknown keys and words */
    refused("version=v4", "version=v5", ERR_MODEL_UNSUPPORTED, "m.txt:2: an unknown version v5");
    refused("num_class=1", "leaf_scale=2\nnum_class=1", ERR_MODEL_UNSUPPORTED,
            "m.txt:3: an unknown key leaf_scale");
    refused("num_class=1", "average_output=0\nnum_class=1", ERR_MODEL_UNSUPPORTED,
            "m.txt:3: an unknown key average_output");
    refused("num_cat=1", "tree_weight=0.5\nnum_cat=1", ERR_MODEL_UNSUPPORTED,
            "m.txt:14: an unknown key tree_weight");
    refused("end of trees", "end of tree", ERR_MODEL_UNSUPPORTED, "an unknown key end of tree");
    refused("num_cat=1", "inverted\nnum_cat=1", ERR_MODEL_UNSUPPORTED,
            "m.txt:14: an unknown key inverted");
    refused("sigmoid:1", "sigmoid:1 scale:2", ERR_MODEL_UNSUPPORTED,
            "m.txt:7: its objective has an unknown scale:2");
    refused("tree\n", "bush\n", ERR_MODEL_UNKNOWN, "m.txt");
}

static void linear_leaves_are_checked(void **state)
{
    (void)state;
    static const char *const trees[] = {
        "leaf_const=1 2\nnum_features=1\nleaf_features=0\nleaf_coeff=1\n",
        "leaf_const=1\nnum_features=2\nleaf_features=0\nleaf_coeff=1\n",
        "leaf_const=1\nnum_features=-1\nleaf_features=\nleaf_coeff=\n",
        "leaf_const=1\nnum_features=1\nleaf_features=1\nleaf_coeff=1\n",
        "leaf_const=1\nnum_features=1\nleaf_features=0\nleaf_coeff=1 2\n",
        "leaf_const=1\nnum_features=1000000\nleaf_features=0\nleaf_coeff=1\n",
        "num_features=1\nleaf_features=0\nleaf_coeff=1\n",
        "leaf_const=1\nleaf_features=0\nleaf_coeff=1\n",
        "leaf_const=1\nnum_features=1\nleaf_coeff=1\n",
        "leaf_const=1\nnum_features=1\nleaf_features=0\n",
        "leaf_const=1\nnum_features=1 1\nleaf_features=0\nleaf_coeff=1\n",
        "leaf_const=1\nnum_features=1\nleaf_features=0 0\nleaf_coeff=1\n",
        "leaf_const=nan\nnum_features=1\nleaf_features=0\nleaf_coeff=1\n",
        "leaf_const=1\nnum_features=1\nleaf_features=0\nleaf_coeff=nan\n",
    };
    for (size_t i = 0; i < COUNT_OF(trees); i++) {
        AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX), tree = BUF_INIT(4096);
        buf_addf(&tree, "Tree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=1\nis_linear=1\n%s\n\n",
                 trees[i]);
        add_model(&text, "regression", 1, 1, "", tree.data);
        struct model *model = NULL;
        assert_int_equal(model_parse(buf_str(&text), "m", &model, NULL), -ERR_MODEL_DAMAGED);
    }
}

static void trees_are_divided_evenly_among_classes(void **state)
{
    (void)state;
    static const struct {
        const char *objective, *trees;
    } cases[] = {
        {"multiclass num_class:2", CONSTANT(0, 1) CONSTANT(1, 1) CONSTANT(2, 1)},
        {"multiclass num_class:3", CONSTANT(0, 1) CONSTANT(1, 1)},
        {"multiclassova num_class:2 sigmoid:zero", CONSTANT(0, 1) CONSTANT(1, 1)},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
        add_model(&text, cases[i].objective, 2, 1, "", cases[i].trees);
        struct model *model = NULL;
        assert_int_equal(model_parse(buf_str(&text), "m", &model, NULL), -ERR_MODEL_DAMAGED);
    }
}

static void a_row_of_another_length_is_refused(void **state)
{
    (void)state;
    AUTO_MODEL struct model *model = must_make("regression", 1, 2, "", GOOD_TREE);
    double row[3] = {0}, ret = 42;
    struct err err = {0};
    assert_int_equal(model_features(model), 2);
    assert_int_equal(model_predict(model, row, 1, &ret, &err), -ERR_MODEL_FEATURES);
    assert_string_equal(err.context, "the row length is 1, the model needs 2");
    assert_int_equal(model_predict(model, row, 3, &ret, &err), -ERR_MODEL_FEATURES);
    assert_true(ret == 42);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct model *model = NULL;
    assert_int_equal(model_load("/var/tmp/no/such/model.txt", &model, NULL), -ERR_FILE_MISSING);
    assert_null(model);
}

UNIT_GROUP(model_lightgbm, cmocka_unit_test(missing_values_follow_the_decision_type),
           cmocka_unit_test(a_category_goes_left_when_its_bit_is_set),
           cmocka_unit_test(single_leaves_and_deep_trees_are_evaluated),
           cmocka_unit_test(a_linear_leaf_is_constant_if_a_feature_is_missing),
           cmocka_unit_test(the_objective_transforms_the_sum),
           cmocka_unit_test(trees_are_assigned_to_classes_in_turn),
           cmocka_unit_test(line_ends_and_a_byte_order_mark_are_ignored),
           cmocka_unit_test(in_an_old_file_the_importances_end_the_trees),
           cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
           cmocka_unit_test(an_invalid_tree_is_refused_with_its_line),
           cmocka_unit_test(linear_leaves_are_checked),
           cmocka_unit_test(trees_are_divided_evenly_among_classes),
           cmocka_unit_test(a_row_of_another_length_is_refused),
           cmocka_unit_test(a_missing_file_is_named))
