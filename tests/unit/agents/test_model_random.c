/*
 * Random LightGBM models against a second evaluator that shares no code with ours: it walks the
 * tree of pointers from which the text was printed, keeps categories as a plain list, and follows
 * the documented rules one by one. Both must give the same double.
 */
#include "agents/model.h"
#include "base/check.h"
#include "base/rng.h"
#include "unit/unit.h"

#include <math.h>

enum { FEATURES = 6, LEAVES_MAX = 24, TREES_MAX = 9, CATEGORIES_MAX = 12, TERMS_MAX = 3 };
enum missing { MISSING_NONE, MISSING_ZERO, MISSING_NAN };

struct plant {
    bool leaf;
    int number; /* among the nodes, or among the leaves */
    /* a split */
    int feature;
    bool categorical, default_left;
    enum missing missing;
    double threshold;
    int categories[CATEGORIES_MAX], category_count;
    struct plant *left, *right;
    /* a leaf */
    double value, constant;
    int term_features[TERMS_MAX], term_count;
    double term_factors[TERMS_MAX];
};

struct wood {
    struct plant plants[2 * LEAVES_MAX];
    struct plant *nodes[LEAVES_MAX], *leaves[LEAVES_MAX];
    int leaf_count;
    bool linear;
};

/* Thresholds and cells use the same few values, so they are often equal. */
static double pick_value(struct rng *rng)
{
    static const double some[] = {0,
                                  -0.0,
                                  1,
                                  -1,
                                  2.5,
                                  -2.5,
                                  1e-36,
                                  -1e-36,
                                  1e-34,
                                  1.0000000180025095e-35,
                                  -1.0000000180025095e-35,
                                  7,
                                  31,
                                  32,
                                  64};
    if (rng_chance(rng, .5)) {
        return some[rng_below(rng, COUNT_OF(some))];
    }
    return (double)((int64_t)rng_below(rng, 41) - 20) / 8 + (rng_chance(rng, .1) ? 1e-9 : 0);
}

static void make_leaf(struct rng *rng, struct plant *p, int number)
{
    *p = (struct plant){.leaf = true, .number = number};
    p->value = rng_normal(rng);
    p->constant = rng_normal(rng);
    p->term_count = (int)rng_below(rng, TERMS_MAX + 1);
    for (int i = 0; i < p->term_count; i++) {
        p->term_features[i] = (int)rng_below(rng, FEATURES);
        p->term_factors[i] = rng_normal(rng);
    }
}

static void make_split(struct rng *rng, struct plant *p, int number)
{
    *p = (struct plant){.number = number, .feature = (int)rng_below(rng, FEATURES)};
    p->categorical = rng_chance(rng, .3);
    p->default_left = rng_chance(rng, .5);
    p->missing = (enum missing)rng_below(rng, 3);
    p->threshold = pick_value(rng);
    p->category_count = 1 + (int)rng_below(rng, CATEGORIES_MAX);
    for (int i = 0; i < p->category_count; i++) {
        p->categories[i] = (int)rng_below(rng, 70);
    }
}

/* Grows as in LightGBM: a leaf becomes a node; its left child keeps the leaf's number, its right
 * child gets a new one. */
static void grow(struct rng *rng, struct wood *w)
{
    int want = 1 + (int)rng_below(rng, LEAVES_MAX);
    int used = 1;
    make_leaf(rng, &w->plants[0], 0);
    w->leaves[0] = &w->plants[0];
    w->leaf_count = 1;
    w->linear = rng_chance(rng, .3);
    while (w->leaf_count < want) {
        int victim = (int)rng_below(rng, (uint64_t)w->leaf_count);
        struct plant *p = w->leaves[victim];
        make_split(rng, p, w->leaf_count - 1);
        w->nodes[w->leaf_count - 1] = p;
        p->left = &w->plants[used++];
        p->right = &w->plants[used++];
        make_leaf(rng, p->left, victim);
        make_leaf(rng, p->right, w->leaf_count);
        w->leaves[victim] = p->left;
        w->leaves[w->leaf_count++] = p->right;
    }
}

/* ---------------------------------------------------------------- printing */

static int child_number(const struct plant *p)
{
    return p->leaf ? -p->number - 1 : p->number;
}

static void print_nodes(const struct wood *w, struct buf *out)
{
    int nodes = w->leaf_count - 1;
    buf_add_c(out, "\nsplit_feature=");
    for (int i = 0; i < nodes; i++) {
        buf_addf(out, "%s%d", i > 0 ? " " : "", w->nodes[i]->feature);
    }
    buf_add_c(out, "\nthreshold=");
    for (int i = 0, set = 0; i < nodes; i++) {
        double at = w->nodes[i]->categorical ? (double)set++ : w->nodes[i]->threshold;
        buf_addf(out, "%s%.17g", i > 0 ? " " : "", at);
    }
    buf_add_c(out, "\ndecision_type=");
    for (int i = 0; i < nodes; i++) {
        const struct plant *p = w->nodes[i];
        buf_addf(out, "%s%d", i > 0 ? " " : "",
                 (int)p->missing * 4 + (p->default_left ? 2 : 0) + (p->categorical ? 1 : 0));
    }
    buf_add_c(out, "\nleft_child=");
    for (int i = 0; i < nodes; i++) {
        buf_addf(out, "%s%d", i > 0 ? " " : "", child_number(w->nodes[i]->left));
    }
    buf_add_c(out, "\nright_child=");
    for (int i = 0; i < nodes; i++) {
        buf_addf(out, "%s%d", i > 0 ? " " : "", child_number(w->nodes[i]->right));
    }
}

static void print_sets(const struct wood *w, struct buf *out)
{
    buf_add_c(out, "\ncat_boundaries=0");
    for (int i = 0, sets = 0; i < w->leaf_count - 1; i++) {
        if (w->nodes[i]->categorical) {
            buf_addf(out, " %d", ++sets * 3); /* 70 categories are three words */
        }
    }
    buf_add_c(out, "\ncat_threshold=");
    for (int i = 0; i < w->leaf_count - 1; i++) {
        uint32_t words[3] = {0};
        for (int c = 0; c < w->nodes[i]->category_count; c++) {
            words[w->nodes[i]->categories[c] / 32] |= 1U << (w->nodes[i]->categories[c] % 32);
        }
        if (w->nodes[i]->categorical) {
            buf_addf(out, "%u %u %u ", words[0], words[1], words[2]);
        }
    }
}

static void print_lines(const struct wood *w, struct buf *out)
{
    buf_add_c(out, "\nleaf_const=");
    for (int i = 0; i < w->leaf_count; i++) {
        buf_addf(out, "%.17g ", w->leaves[i]->constant);
    }
    buf_add_c(out, "\nnum_features=");
    for (int i = 0; i < w->leaf_count; i++) {
        buf_addf(out, "%d ", w->leaves[i]->term_count);
    }
    buf_add_c(out, "\nleaf_features=");
    for (int i = 0; i < w->leaf_count; i++) {
        for (int t = 0; t < w->leaves[i]->term_count; t++) {
            buf_addf(out, "%d ", w->leaves[i]->term_features[t]);
        }
        buf_add_c(out, " ");
    }
    buf_add_c(out, "\nleaf_coeff=");
    for (int i = 0; i < w->leaf_count; i++) {
        for (int t = 0; t < w->leaves[i]->term_count; t++) {
            buf_addf(out, "%.17g ", w->leaves[i]->term_factors[t]);
        }
        buf_add_c(out, " ");
    }
}

static void print_tree(const struct wood *w, int index, struct buf *out)
{
    int sets = 0;
    for (int i = 0; i < w->leaf_count - 1; i++) {
        sets += w->nodes[i]->categorical;
    }
    buf_addf(out, "Tree=%d\nnum_leaves=%d\nnum_cat=%d", index, w->leaf_count, sets);
    if (w->leaf_count > 1) {
        print_nodes(w, out);
    }
    buf_add_c(out, "\nleaf_value=");
    for (int i = 0; i < w->leaf_count; i++) {
        buf_addf(out, "%s%.17g", i > 0 ? " " : "", w->leaves[i]->value);
    }
    if (sets > 0) {
        print_sets(w, out);
    }
    buf_addf(out, "\nis_linear=%d", w->linear);
    if (w->linear) {
        print_lines(w, out);
    }
    buf_add_c(out, "\nshrinkage=1\n\n\n");
}

/* ---------------------------------------------------------------- the other evaluator */

static bool nearly_zero(double x)
{
    const double limit = 1.00000001800250948e-35; /* 1e-35 as a float */
    return x >= -limit && x <= limit;
}

static const struct plant *descend(const struct plant *p, const double *row)
{
    if (p->leaf) {
        return p;
    }
    double x = row[p->feature];
    if (p->categorical) {
        if (isnan(x) || x > 2147483647.0 || trunc(x) < 0) {
            return descend(p->right, row);
        }
        for (int i = 0; i < p->category_count; i++) {
            if (trunc(x) == p->categories[i]) {
                return descend(p->left, row);
            }
        }
        return descend(p->right, row);
    }
    bool absent = false;
    switch (p->missing) {
    case MISSING_NONE:
        x = isnan(x) ? 0 : x;
        break;
    case MISSING_ZERO:
        absent = isnan(x) || nearly_zero(x);
        break;
    case MISSING_NAN:
        absent = isnan(x);
        break;
    }
    if (absent) {
        return descend(p->default_left ? p->left : p->right, row);
    }
    /* LightGBM sets cells near zero to zero before a row reaches a tree. */
    return descend((nearly_zero(x) ? 0 : x) > p->threshold ? p->right : p->left, row);
}

static double naive_tree(const struct wood *w, const double *row)
{
    const struct plant *leaf = descend(&w->plants[0], row);
    if (!w->linear) {
        return leaf->value;
    }
    double sum = leaf->constant;
    for (int t = 0; t < leaf->term_count; t++) {
        double x = row[leaf->term_features[t]];
        if (isnan(x)) {
            return leaf->value;
        }
        sum += leaf->term_factors[t] * (nearly_zero(x) ? 0 : x);
    }
    return sum;
}

/* ---------------------------------------------------------------- the test */

static void check_model(struct rng *rng, struct wood *woods)
{
    int classes = rng_chance(rng, .3) ? 3 : 1;
    int trees = classes * (1 + (int)rng_below(rng, TREES_MAX / 3));
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    buf_addf(&text, "tree\nversion=v4\nnum_class=%d\nnum_tree_per_iteration=%d\n", classes,
             classes);
    buf_addf(&text, "label_index=0\nmax_feature_idx=%d\n\n", FEATURES - 1);
    for (int t = 0; t < trees; t++) {
        grow(rng, &woods[t]);
        print_tree(&woods[t], t, &text);
    }
    buf_add_c(&text, "end of trees\n");
    AUTO_MODEL struct model *model = NULL;
    struct err err = {0};
    if (model_parse(buf_str(&text), "random", &model, &err) < 0) {
        fail_msg("%s\n%s", err.context, text.data);
    }
    for (int r = 0; r < 50; r++) {
        double row[FEATURES], got[3], want[3] = {0};
        for (int i = 0; i < FEATURES; i++) {
            row[i] = rng_chance(rng, .15) ? (double)NAN : pick_value(rng);
        }
        for (int t = 0; t < trees; t++) {
            want[t % classes] += naive_tree(&woods[t], row);
        }
        assert_int_equal(model_predict(model, row, FEATURES, got, NULL), 0);
        for (int c = 0; c < classes; c++) {
            if (got[c] != want[c]) {
                fail_msg("class %d: %.17g, expected %.17g\n%s", c, got[c], want[c], text.data);
            }
        }
    }
}

static void random_models_agree_with_a_second_evaluator(void **state)
{
    (void)state;
    struct wood *woods = calloc(TREES_MAX, sizeof(*woods));
    assert_non_null(woods);
    struct rng rng;
    rng_init(&rng, 20260103);
    for (int i = 0; i < 400; i++) {
        check_model(&rng, woods);
    }
    free(woods);
}

UNIT_GROUP(model_random, cmocka_unit_test(random_models_agree_with_a_second_evaluator))
