/*
 * XGBoost's JSON: models trained by XGBoost 1.7.4 (Debian 12's python3-xgboost), with its
 * predictions for rows that contain missing values and values equal to thresholds; made by
 * data/make_xgboost.py. Margins must be the same float; predictions may differ in the last digit of
 * a float, since XGBoost computes exp in float.
 */
#include "agents/model.h"
#include "base/check.h"
#include "io/file.h"
#include "unit/unit.h"

#include <math.h>

#define DATA "tests/unit/agents/data/"

static void read_data(const char *name, const char *ending, struct buf *out)
{
    char path[128];
    (void)snprintf(path, sizeof(path), DATA "%s.%s", name, ending);
    struct err err = {0};
    if (file_read(path, out, &err) < 0) {
        fail_msg("%s", err.context);
    }
}

/* Numbers between separators; an empty one is missing. */
static size_t read_numbers(struct str line, char separator, double *ret, size_t max)
{
    size_t count = 0;
    for (size_t from = 0, i = 0; i <= line.len; i++) {
        if (i < line.len && line.ptr[i] != separator) {
            continue;
        }
        assert_true(count < max);
        struct str cell = str_n(line.ptr + from, i - from);
        ret[count] = (double)NAN;
        assert_true(cell.len == 0 || str_to_double(cell, &ret[count]));
        count++;
        from = i + 1;
    }
    return count;
}

static void check_file(const char *name, size_t classes)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20), rows = BUF_INIT((size_t)1 << 20),
                        answers = BUF_INIT((size_t)1 << 20);
    read_data(name, "json", &text);
    read_data(name, "csv", &rows);
    read_data(name, "expected", &answers);
    AUTO_MODEL struct model *model = NULL;
    struct err err = {0};
    if (model_parse(buf_str(&text), name, &model, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_int_equal(model_classes(model), classes);
    struct str rest = buf_str(&rows), expected = buf_str(&answers), line;
    int count = 0;
    for (; str_split(&rest, '\n', &line); count++) {
        double row[8], want[8], margin[4], answer[4];
        struct str wanted;
        size_t width = read_numbers(line, ',', row, COUNT_OF(row));
        assert_true(str_split(&expected, '\n', &wanted));
        assert_int_equal(read_numbers(wanted, ' ', want, COUNT_OF(want)), 2 * classes);
        assert_int_equal(model_predict_raw(model, row, width, margin, NULL), 0);
        assert_int_equal(model_predict(model, row, width, answer, NULL), 0);
        for (size_t c = 0; c < classes; c++) {
            if (margin[c] != want[c] ||
                fabs(answer[c] - want[classes + c]) > 1.2e-7 * fabs(want[classes + c])) {
                fail_msg("%s row %d class %zu: %.9g %.9g, expected %.9g %.9g", name, count, c,
                         margin[c], answer[c], want[c], want[classes + c]);
            }
        }
    }
    assert_int_equal(count, 60);
}

static void predictions_equal_those_of_xgboost(void **state)
{
    (void)state;
    check_file("xgb_binary", 1);
    check_file("xgb_regression", 1);
    check_file("xgb_softprob", 3);
    check_file("xgb_dart", 1);
    check_file("xgb_poisson", 1);
    check_file("xgb_forest", 1);
    check_file("xgb_categorical", 1);
}

/* ---------------------------------------------------------------- refusals */

/* x < .5 (missing: right) ? 1 : (category in {1, 33}, missing left) right 3 : left 2 */
static const char good[] =
    "{\"learner\":{\"feature_names\":[\"a\\\\\",\"NaN\\\"\"],\"gradient_booster\":{\"model\":{"
    "\"gbtree_model_param\":{\"num_trees\":\"1\"},\"tree_info\":[0],\"trees\":[{"
    "\"categories\":[1,33],\"categories_nodes\":[2],\"categories_segments\":[0],"
    "\"categories_sizes\":[2],\"default_left\":[0,0,true,0,0],\"left_children\":[1,-1,3,-1,-1],"
    "\"right_children\":[2,-1,4,-1,-1],\"split_indices\":[0,0,1,0,0],"
    "\"split_conditions\":[5E-1,1,NaN,2,3],\"split_type\":[0,0,1,0,0],"
    "\"loss_changes\":[1,0,-Infinity,0,0],\"tree_param\":{\"size_leaf_vector\":\"0\"}}]},"
    "\"name\":\"gbtree\"},\"learner_model_param\":{\"base_score\":\"[1.25E0]\",\"num_class\":\"0\","
    "\"num_feature\":\"2\",\"num_target\":\"1\"},\"objective\":{\"name\":\"reg:squarederror\"}},"
    "\"version\":[3,1,0]}";

static void missing_thresholds_and_categories_follow_the_file(void **state)
{
    (void)state;
    static const struct {
        double a, b, answer;
    } rows[] = {
        {0.4, 0, 1},  {0.5, 0, 2},         {0.49999999, 0, 2} /* .5 as a float */,
        {1, 1, 3},    {1, 1.9, 3},         {1, 33, 3},
        {1, 2, 2},    {1, 65, 2},          {1, -0.5, 2},
        {1, 1e30, 2}, {1, (double)NAN, 2}, {(double)NAN, 33, 3},
    };
    AUTO_MODEL struct model *model = NULL;
    struct err err = {0};
    if (model_parse(str_c(good), "m.json", &model, &err) < 0) {
        fail_msg("%s", err.context);
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        double row[] = {rows[i].a, rows[i].b}, got = 0;
        assert_int_equal(model_predict(model, row, 2, &got, NULL), 0);
        if (got != rows[i].answer + 1.25) {
            fail_msg("row %zu: %g", i, got);
        }
    }
}

static void an_invalid_member_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        enum err_id id;
        const char *where;
    } cases[] = {
        {"[1,-1,3", "[0,-1,3", ERR_MODEL_DAMAGED, "trees[0]: more than one node points to node 0"},
        {"[1,-1,3", "[2,-1,3", ERR_MODEL_DAMAGED, "more than one node points to node 2"},
        {"[1,-1,3", "[1,-1,2", ERR_MODEL_DAMAGED, "more than one node points to node 2"},
        {"[1,-1,3", "[1,-1,4", ERR_MODEL_DAMAGED, "more than one node points to leaf 4"},
        {"[1,-1,3", "[5,-1,3", ERR_MODEL_DAMAGED, "trees[0].left_children[0] is not"},
        {"[1,-1,3", "[-2,-1,3", ERR_MODEL_DAMAGED, "trees[0].left_children[0] is not"},
        {"[1,-1,3", "[-1,-1,3", ERR_MODEL_DAMAGED, "node 0 has only one child"},
        {"[1,-1,3", "[1.5,-1,3", ERR_MODEL_DAMAGED, "trees[0].left_children[0] is not"},
        {"\"left_children\":[1", "\"left_children\":[1,1", ERR_MODEL_DAMAGED,
         "trees[0].right_children is not a list of 6"},
        {"left_children", "lost_children", ERR_MODEL_DAMAGED, "trees[0].left_children"},
        {"[5E-1,1,NaN", "[NaN,1,NaN", ERR_MODEL_DAMAGED, "trees[0].split_conditions[0]"},
        {"[5E-1,1,NaN", "[5E-1,NaN,NaN", ERR_MODEL_DAMAGED, "trees[0].split_conditions[1]"},
        {"[5E-1,1", "[1e39,1", ERR_MODEL_DAMAGED, "trees[0].split_conditions[0]"},
        {"[5E-1,1", "[1e999,1", ERR_JSON_LIMIT, "offset"},
        {"split_indices\":[0", "split_indices\":[2", ERR_MODEL_DAMAGED, "split_indices[0]"},
        {"split_type\":[0,0,1", "split_type\":[0,0,0", ERR_MODEL_DAMAGED, "split_conditions[2]"},
        {"split_type\":[0,0,1", "split_type\":[2,0,1", ERR_MODEL_DAMAGED, "split_type[0]"},
        {"split_type\":[0,0,1", "split_type\":[1,0,1", ERR_MODEL_DAMAGED, "split_type[0]"},
        {"\"categories\":[1,33]", "\"categories\":[1,16777216]", ERR_MODEL_DAMAGED,
         "categories[1]"},
        {"categories_nodes\":[2]", "categories_nodes\":[1]", ERR_MODEL_DAMAGED,
         "categories_nodes[0]"},
        {"categories_sizes\":[2]", "categories_sizes\":[3]", ERR_MODEL_DAMAGED,
         "categories_sizes[0]"},
        {"categories_segments\":[0]", "categories_segments\":[3]", ERR_MODEL_DAMAGED,
         "categories_segments[0]"},
        {"NaN,2,3],\"split_type\":[0,0,1,0,0]", "1,2,3]", ERR_MODEL_DAMAGED,
         "trees[0] has categories but no split_type"},
        {"default_left\":[0", "default_left\":[2", ERR_MODEL_DAMAGED, "default_left[0]"},
        {"size_leaf_vector\":\"0\"", "size_leaf_vector\":\"3\"", ERR_MODEL_UNSUPPORTED, "vectors"},
        {"num_trees\":\"1\"", "num_trees\":\"2\"", ERR_MODEL_DAMAGED, "num_trees is 2"},
        {"num_trees\":\"1\"", "num_trees\":\"0\"", ERR_MODEL_DAMAGED, "num_trees"},
        {"tree_info\":[0]", "tree_info\":[1]", ERR_MODEL_DAMAGED, "tree_info[0]"},
        {"\"gbtree\"},\"learner", "\"gblinear\"},\"learner", ERR_MODEL_UNSUPPORTED, "booster"},
        {"\"gbtree\"},\"learner", "\"dart\"},\"learner", ERR_MODEL_DAMAGED, "weight_drop"},
        {"[1.25E0]", "[1,2]", ERR_MODEL_DAMAGED, "base_score"},
        {"[1.25E0]", "", ERR_MODEL_DAMAGED, "base_score"},
        {"num_class\":\"0\"", "num_class\":\"1025\"", ERR_MODEL_DAMAGED, "num_class"},
        {"num_class\":\"0\"", "num_class\":\"3\"", ERR_MODEL_DAMAGED, "num_class"},
        {"num_feature\":\"2\"", "num_feature\":\"1048577\"", ERR_MODEL_DAMAGED, "num_feature"},
        {"num_target\":\"1\"", "num_target\":\"2\"", ERR_MODEL_UNSUPPORTED, "target"},
        {"reg:squarederror", "survival:aft", ERR_MODEL_UNSUPPORTED, "objective"},
        {"\"name\":\"reg:squarederror\"", "", ERR_MODEL_DAMAGED, "objective"},
        {"right_children", "a", ERR_MODEL_DAMAGED, "trees[0].right_children"},
        {"[2,-1,4", "[9,-1,4", ERR_MODEL_DAMAGED, "trees[0].right_children[0]"},
        {"split_indices", "a", ERR_MODEL_DAMAGED, "trees[0].split_indices"},
        {"split_conditions", "a", ERR_MODEL_DAMAGED, "trees[0].split_conditions"},
        {"default_left", "a", ERR_MODEL_DAMAGED, "trees[0].default_left"},
        {"split_type\":[0,0,1", "split_type\":[0,0,1,0", ERR_MODEL_DAMAGED, "trees[0].split_type"},
        {"\"categories\"", "\"a\"", ERR_MODEL_DAMAGED, "trees[0].categories"},
        {"categories_nodes", "a", ERR_MODEL_DAMAGED, "trees[0].categories_nodes"},
        {"categories_segments", "a", ERR_MODEL_DAMAGED, "trees[0].categories_segments"},
        {"categories_sizes", "a", ERR_MODEL_DAMAGED, "trees[0].categories_sizes"},
        {"\"left_children\":[1,-1,3,-1,-1]", "\"left_children\":[]", ERR_MODEL_DAMAGED,
         "trees[0].left_children"},
        {"\"trees\":[{", "\"trees\":[7],\"a\":[{", ERR_MODEL_DAMAGED, "trees[0] is not an object"},
        {"\"trees\"", "\"a\"", ERR_MODEL_DAMAGED, "num_trees is 1"},
        {"tree_info", "a", ERR_MODEL_DAMAGED, "num_trees is 1"},
        {"size_leaf_vector\":\"0\"", "size_leaf_vector\":0", ERR_MODEL_DAMAGED, "size_leaf_vector"},
        {"num_feature\"", "a\"", ERR_MODEL_DAMAGED, "num_feature"},
        {"\"num_target\":\"1\"", "\"num_target\":\"x\"", ERR_MODEL_DAMAGED, "num_target"},
        {"learner_model_param", "a", ERR_MODEL_DAMAGED, "learner has no learner_model_param"},
        {"\"model\"", "\"a\"", ERR_MODEL_DAMAGED, "gradient_booster has no model"},
        {"\"name\":\"gbtree\"", "\"a\":1", ERR_MODEL_DAMAGED, "no gradient_booster.name"},
        {"\"name\":\"gbtree\"",
         "\"weight_drop\":[],\"gbtree\":{\"model\":{\"gbtree_model_param\":{\"num_trees\":\"1\"},"
         "\"trees\":[{}],\"tree_info\":[0]}},\"name\":\"dart\"",
         ERR_MODEL_DAMAGED, "the weights differ"},
        {"\"name\":\"gbtree\"",
         "\"weight_drop\":[\"1\"],\"gbtree\":{\"model\":{\"gbtree_model_param\":{\"num_trees\":"
         "\"1\"},\"trees\":[{}],\"tree_info\":[0]}},\"name\":\"dart\"",
         ERR_MODEL_DAMAGED, "weight_drop[0]"},
        {"reg:squarederror", "binary:logistic", ERR_MODEL_DAMAGED, "base_score is out of"},
        {"[1.25E0]", "[1,x]", ERR_MODEL_DAMAGED, "base_score"},
        {"[1.25E0]\",\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"1\"},"
         "\"objective\":{\"name\":\"reg:squarederror",
         "[1,2]\",\"num_class\":\"3\",\"num_feature\":\"2\",\"num_target\":\"1\"},"
         "\"objective\":{\"name\":\"multi:softprob",
         ERR_MODEL_DAMAGED, "base_score"},
        {"[1.25E0]", "[1.25E0", ERR_MODEL_DAMAGED, "base_score"},
        {"tree_info\":[0]", "tree_info\":[-1]", ERR_MODEL_DAMAGED, "tree_info[0]"},
        {"tree_info\":[0]", "tree_info\":[null]", ERR_MODEL_DAMAGED, "tree_info[0]"},
        {"tree_info\":[0]", "tree_info\":[\"0\"]", ERR_MODEL_DAMAGED, "tree_info[0]"},
        {"categories_nodes\":[2]", "categories_nodes\":[5]", ERR_MODEL_DAMAGED,
         "categories_nodes[0]"},
        {"categories_nodes\":[2],\"categories_segments\":[0],\"categories_sizes\":[2]",
         "categories_nodes\":[2,2],\"categories_segments\":[0,2],\"categories_sizes\":[2,0]",
         ERR_MODEL_DAMAGED, "categories_nodes[1] is not a split or is there twice"},
        {"\"name\":\"gbtree\"",
         "\"weight_drop\":[1e39],\"gbtree\":{\"model\":{\"gbtree_model_param\":{\"num_trees\":"
         "\"1\"},\"trees\":[{}],\"tree_info\":[0]}},\"name\":\"dart\"",
         ERR_MODEL_DAMAGED, "weight_drop[0]"},
        {"{\"learner\"", "{\"teacher\"", ERR_MODEL_UNKNOWN, "without a learner"},
        {"\"version\":[3", "\"version\":[[[[[[[[[[[[[[[[[[[[3", ERR_JSON_LIMIT, "offset"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf bad = BUF_INIT(8192);
        const char *at = strstr(good, cases[i].from);
        assert_non_null(at);
        buf_add(&bad, good, (size_t)(at - good));
        buf_add_c(&bad, cases[i].to);
        buf_add_c(&bad, at + strlen(cases[i].from));
        struct model *model = NULL;
        struct err err = {0};
        int rc = model_parse(buf_str(&bad), "m.json", &model, &err);
        assert_null(model);
        if (rc != -(int)cases[i].id || strstr(err.context, cases[i].where) == NULL ||
            strstr(err.context, "m.json") == NULL) {
            fail_msg("%s -> %s: %d %s", cases[i].from, cases[i].to, rc, err.context);
        }
    }
}

static void replace(struct buf *text, const char *from, const char *to)
{
    AUTO_BUF struct buf old = BUF_INIT(8192);
    buf_add_str(&old, buf_str(text));
    const char *at = strstr(old.data, from);
    assert_non_null(at);
    buf_clear(text);
    buf_add(text, old.data, (size_t)(at - old.data));
    buf_add_c(text, to);
    buf_add_c(text, at + strlen(from));
}

static double answer_of(const struct buf *text, double a, double b)
{
    AUTO_MODEL struct model *model = NULL;
    struct err err = {0};
    double row[] = {a, b}, got = 0;
    if (model_parse(buf_str(text), "m.json", &model, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_int_equal(model_predict(model, row, 2, &got, NULL), 0);
    return got;
}

/* An empty set contains no category; a file of a version without categories has only numbers. */
static void models_without_categories_are_read(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(8192);
    buf_add_c(&text, good);
    replace(&text, "\"categories\":[1,33]", "\"categories\":[]");
    replace(&text, "categories_sizes\":[2]", "categories_sizes\":[0]");
    assert_true(answer_of(&text, 1, 1) == 2 + 1.25);
    assert_true(answer_of(&text, 1, 33) == 2 + 1.25);
    buf_clear(&text);
    buf_add_c(&text, good);
    replace(&text, "\"split_type\":[0,0,1,0,0],", "");
    replace(&text, "\"categories\":[1,33],\"categories_nodes\":[2],", "");
    replace(&text, "\"categories_segments\":[0],\"categories_sizes\":[2],", "");
    replace(&text, "1,NaN,2", "1,0.75,2");
    assert_true(answer_of(&text, 1, 0.5) == 2 + 1.25);
    assert_true(answer_of(&text, 1, 0.75) == 3 + 1.25);
    assert_true(answer_of(&text, 0, 0.75) == 1 + 1.25);
}

static void json_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(good) - 1; n++) {
        struct model *model = NULL;
        assert_true(model_parse(str_n(good, n), "m.json", &model, NULL) < 0);
        assert_null(model);
    }
}

/* Dart as 3.2, 3.3 and 3.5 write it: trees of -1 | 1 and 10 | 20 that count for .5 and .1. */
static void a_dart_model_keeps_its_weights_under_either_booster_name(void **state)
{
    (void)state;
    static const char *const names[] = {"dart_3.2", "dart_3.3", "dart_3.5"};
    const double nan = (double)NAN;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_BUF struct buf text = BUF_INIT(8192);
        read_data(names[i], "json", &text);
        assert_true(answer_of(&text, 0, 0) == 1);
        assert_true(answer_of(&text, 5, 5) == 3);
        assert_true(answer_of(&text, nan, nan) == 1);
    }
}

static void an_unknown_member_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *before; /* a new member is inserted here */
        const char *place;
    } cases[] = {
        {"\"learner\":{", "the file has"},
        {"\"attributes\"", "learner has"},
        {"\"base_score\"", "learner_model_param has"},
        {"\"name\":\"reg:squarederror\"", "objective has"},
        {"\"scale_pos_weight\"", "the objective's parameters has"},
        {"\"model\":{", "gradient_booster has"},
        {"\"gbtree_model_param\":{", "gradient_booster.model has"},
        {"\"num_parallel_tree\"", "gbtree_model_param has"},
        {"\"enc\"", "cats has"},
        {"\"base_weights\"", "a tree has"},
        {"\"num_deleted\"", "tree_param has"},
    };
    AUTO_BUF struct buf whole = BUF_INIT(8192);
    read_data("dart_3.5", "json", &whole);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(8192);
        const char *at = strstr(whole.data, cases[i].before);
        assert_non_null(at);
        buf_add(&text, whole.data, (size_t)(at - whole.data));
        buf_addf(&text, "\"tree_scale\":[2,2],%s", at);
        struct model *model = NULL;
        struct err err = {0};
        assert_int_equal(model_parse(buf_str(&text), "m.json", &model, &err),
                         -ERR_MODEL_UNSUPPORTED);
        assert_null(model);
        if (strstr(err.context, cases[i].place) == NULL ||
            strstr(err.context, "unknown tree_scale") == NULL) {
            fail_msg("%s: %s", cases[i].place, err.context);
        }
    }
}

static void contradictory_members_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        enum err_id id;
        const char *where;
    } cases[] = {
        {"\"version\":[3", "\"version\":[4", ERR_MODEL_UNSUPPORTED, "after 3"},
        {"\"version\":[3,5,0]", "\"version\":\"3\"", ERR_MODEL_DAMAGED, "version"},
        {"\"enc\":[]", "\"enc\":[{}]", ERR_MODEL_UNSUPPORTED, "categories have names"},
        {"\"num_trees\"", "\"size_leaf_vector\":\"2\",\"num_trees\"", ERR_MODEL_UNSUPPORTED,
         "vectors"},
        {"\"base_weights\"", "\"leaf_weights\":[1],\"base_weights\"", ERR_MODEL_UNSUPPORTED,
         "vectors"},
        {"\"id\":0", "\"id\":1", ERR_MODEL_UNSUPPORTED, "ordered by id"},
        {"\"name\":\"gbtree\"", "\"name\":\"gbtree\",\"weight_drop\":[1,1]", ERR_MODEL_DAMAGED,
         "weight_drop is not a single list"},
        {"\"weight_drop\":[0.5,0.1]", "\"weight_drop\":null", ERR_MODEL_DAMAGED,
         "weight_drop is not a single list"},
        {"\"weight_drop\":[0.5,0.1]", "\"weight_drop\":[0.5]", ERR_MODEL_DAMAGED,
         "the weights differ"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(8192);
        read_data("dart_3.5", "json", &text);
        replace(&text, cases[i].from, cases[i].to);
        struct model *model = NULL;
        struct err err = {0};
        int rc = model_parse(buf_str(&text), "m.json", &model, &err);
        assert_null(model);
        if (rc != -(int)cases[i].id || strstr(err.context, cases[i].where) == NULL) {
            fail_msg("%s -> %s: %d %s", cases[i].from, cases[i].to, rc, err.context);
        }
    }
}

static void ubjson_is_recognised(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(8192);
    read_data("model", "ubj", &text);
    struct model *model = NULL;
    struct err err = {0};
    assert_int_equal(model_parse(buf_str(&text), "model.ubj", &model, &err), -ERR_MODEL_UNKNOWN);
    assert_null(model);
    assert_non_null(strstr(err.context, "UBJSON"));
}

/* A small file cannot allocate much memory: each of these sets would need 2 MiB. */
static void sets_of_large_categories_are_bounded(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
    buf_add_c(&text, "{\"learner\":{\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{"
                     "\"gbtree_model_param\":{\"num_trees\":\"20\"},\"tree_info\":[0");
    for (int i = 1; i < 20; i++) {
        buf_add_c(&text, ",0");
    }
    buf_add_c(&text, "],\"trees\":[");
    for (int i = 0; i < 20; i++) {
        buf_addf(
            &text,
            "%s{\"categories\":[16777215],\"categories_nodes\":[0],\"categories_segments\":[0],"
            "\"categories_sizes\":[1],\"default_left\":[0,0,0],\"left_children\":[1,-1,-1],"
            "\"right_children\":[2,-1,-1],\"split_indices\":[0,0,0],"
            "\"split_conditions\":[0,1,2],\"split_type\":[1,0,0]}",
            i > 0 ? "," : "");
    }
    buf_add_c(&text, "]}},\"learner_model_param\":{\"base_score\":\"0\",\"num_feature\":\"1\"},"
                     "\"objective\":{\"name\":\"reg:squarederror\"}}}");
    struct model *model = NULL;
    assert_int_equal(model_parse(buf_str(&text), "m.json", &model, NULL), -ERR_MODEL_UNSUPPORTED);
    assert_null(model);
}

UNIT_GROUP(model_xgboost, cmocka_unit_test(predictions_equal_those_of_xgboost),
           cmocka_unit_test(missing_thresholds_and_categories_follow_the_file),
           cmocka_unit_test(an_invalid_member_is_refused_by_name),
           cmocka_unit_test(models_without_categories_are_read),
           cmocka_unit_test(json_cut_at_any_byte_is_refused),
           cmocka_unit_test(a_dart_model_keeps_its_weights_under_either_booster_name),
           cmocka_unit_test(an_unknown_member_is_refused),
           cmocka_unit_test(contradictory_members_are_refused),
           cmocka_unit_test(ubjson_is_recognised),
           cmocka_unit_test(sets_of_large_categories_are_bounded))
