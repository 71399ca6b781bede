#include "agents/model.h"

#include "base/check.h"
#include "base/str.h"
#include "io/file.h"
#include "model_build.h"

#include <math.h>

/* ---------------------------------------------------------------- building */

struct model *model_new(void)
{
    struct model *model = calloc(1, sizeof(*model));
    ASSERT(model != NULL);
    return model;
}

void model_free(struct model *model)
{
    if (model == NULL) {
        return;
    }
    free(model->base);
    free(model->trees);
    free(model->nodes);
    free(model->leaves);
    free(model->lines);
    free(model->terms);
    free(model->words);
    free(model);
}

void *model_reserve(void *items, size_t count, size_t *cap, size_t more, size_t item_size)
{
    size_t need = count + more;
    ASSERT(need < INT32_MAX); /* indexes are 32 bits; the limits of the files are far below */
    if (need <= *cap) {
        return items;
    }
    size_t grown = *cap * 2 > need ? *cap * 2 : need;
    void *moved = realloc(items, grown * item_size);
    ASSERT(moved != NULL);
    *cap = grown;
    return moved;
}

/* The next node or leaf in the walk over a draft, and its parent. */
struct visit {
    int32_t at;
    int32_t parent; /* in the model; -1: the root */
    int side;
};

static bool flaw(struct model_flaw *ret, const char *what, int64_t index)
{
    *ret = (struct model_flaw){what, (size_t)index};
    return false;
}

static void link_child(struct model *m, struct model_tree *tree, const struct visit *v, int32_t to)
{
    if (v->parent < 0) {
        tree->root = to;
    } else {
        m->nodes[v->parent].child[v->side] = to;
    }
}

static bool add_leaf(struct model *m, const struct model_draft *draft, bool *seen,
                     const struct visit *v, struct model_tree *tree, struct model_flaw *ret)
{
    size_t leaf = (size_t)~v->at;
    ASSERT(leaf < draft->leaf_count);
    if (seen[leaf]) {
        return flaw(ret, "more than one node points to leaf", (int64_t)leaf);
    }
    seen[leaf] = true;
    link_child(m, tree, v, ~(int32_t)m->leaf_count);
    m->leaves[m->leaf_count++] = draft->leaves[leaf];
    if (draft->lines != NULL) {
        m->lines[m->line_count++] = draft->lines[leaf];
    }
    return true;
}

static bool add_node(struct model *m, const struct model_draft *draft, bool *seen,
                     const struct visit *v, struct model_tree *tree, struct model_flaw *ret)
{
    ASSERT((size_t)v->at < draft->node_count);
    if (seen[v->at]) {
        return flaw(ret, "more than one node points to node", v->at);
    }
    const struct model_node *node = &draft->nodes[v->at];
    ASSERT(node->feature < m->features);
    seen[v->at] = true;
    link_child(m, tree, v, (int32_t)m->node_count);
    m->nodes[m->node_count++] = *node;
    return true;
}

/* Walks the draft from its root and copies it. A cycle or a shared node is detected when a node is
 * reached twice. The stack never has more entries than nodes plus one. */
static bool lay_out(struct model *m, const struct model_draft *draft, bool *seen,
                    struct visit *stack, struct model_tree *tree, struct model_flaw *ret)
{
    bool *leaf_seen = seen + draft->node_count;
    size_t depth = 0;
    stack[depth++] = (struct visit){draft->root, -1, 0};
    while (depth > 0) {
        struct visit v = stack[--depth];
        if (v.at < 0) {
            if (!add_leaf(m, draft, leaf_seen, &v, tree, ret)) {
                return false;
            }
            continue;
        }
        if (!add_node(m, draft, seen, &v, tree, ret)) {
            return false;
        }
        int32_t placed = (int32_t)m->node_count - 1;
        const int32_t *child = draft->nodes[v.at].child;
        stack[depth++] = (struct visit){child[1], placed, 1};
        stack[depth++] = (struct visit){child[0], placed, 0};
    }
    for (size_t i = 0; draft->whole && i < draft->node_count; i++) {
        if (!seen[i]) {
            return flaw(ret, "no node points to node", (int64_t)i);
        }
    }
    return true;
}

bool model_add_tree(struct model *m, const struct model_draft *draft, struct model_flaw *ret)
{
    ASSERT(draft->leaf_count > 0 && draft->group < m->classes);
    m->trees = model_reserve(m->trees, m->tree_count, &m->tree_cap, 1, sizeof(*m->trees));
    m->nodes =
        model_reserve(m->nodes, m->node_count, &m->node_cap, draft->node_count, sizeof(*m->nodes));
    m->leaves = model_reserve(m->leaves, m->leaf_count, &m->leaf_cap, draft->leaf_count,
                              sizeof(*m->leaves));
    struct model_tree tree = {
        .group = draft->group,
        .linear = draft->lines != NULL,
        .line_shift = (int32_t)m->line_count - (int32_t)m->leaf_count,
    };
    if (tree.linear) {
        m->lines = model_reserve(m->lines, m->line_count, &m->line_cap, draft->leaf_count,
                                 sizeof(*m->lines));
    }
    AUTO_FREE bool *seen = calloc(draft->node_count + draft->leaf_count, sizeof(*seen));
    AUTO_FREE struct visit *stack = calloc(draft->node_count + 2, sizeof(*stack));
    ASSERT(seen != NULL && stack != NULL);
    if (!lay_out(m, draft, seen, stack, &tree, ret)) {
        return false;
    }
    m->trees[m->tree_count++] = tree;
    return true;
}

/* ---------------------------------------------------------------- reading */

static struct str without_bom(struct str text)
{
    return str_starts(text, "\xEF\xBB\xBF") ? str_n(text.ptr + 3, text.len - 3) : text;
}

/* UBJSON, XGBoost's other form, begins with a brace too. The next byte is the type of a length or
 * of a container ('$', '#'), where JSON has a quotation mark, a space or the end. */
static bool is_ubjson(struct str body)
{
    return body.len > 1 && body.ptr[0] == '{' && body.ptr[1] != '\0' &&
           strchr("iUIlL$#", body.ptr[1]) != NULL;
}

int model_parse(struct str text, const char *name, struct model **ret, struct err *err)
{
    *ret = NULL;
    struct str body = without_bom(text);
    AUTO_MODEL struct model *model = model_new();
    int rc;
    if (is_ubjson(body)) {
        rc = err_set(err, ERR_MODEL_UNKNOWN,
                     "%.120s: the file is UBJSON; save the model under a name that ends in .json",
                     name);
    } else if (str_starts(str_trim(body), "{")) {
        rc = model_read_xgboost(body, name, model, err);
    } else if (str_starts(body, "tree")) {
        rc = model_read_lightgbm(body, name, model, err);
    } else {
        rc = err_set(err, ERR_MODEL_UNKNOWN, "%.120s", name);
    }
    if (rc == 0) {
        *ret = TAKE(model);
    }
    return rc;
}

int model_load(const char *path, struct model **ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(MODEL_TEXT_MAX);
    *ret = NULL;
    int rc = file_read(path, &text, err);
    return rc < 0 ? rc : model_parse(buf_str(&text), path, ret, err);
}

size_t model_features(const struct model *model)
{
    return model->features;
}

size_t model_classes(const struct model *model)
{
    return model->classes;
}

size_t model_trees(const struct model *model)
{
    return model->tree_count;
}

/* ---------------------------------------------------------------- evaluating */

static bool is_zero(double x)
{
    return fabs(x) <= MODEL_NEARLY_ZERO;
}

/* Categories are truncated to whole numbers. A negative number is in no set: LightGBM tests after
 * truncation, XGBoost before. A number past the end of the set, or NaN, is in no set either. */
static bool in_set(const struct model *m, const struct model_node *n, double x, bool single)
{
    bool countable = single ? x >= 0 : x > -1;
    if (!countable || !(x < 2147483648.0)) {
        return false;
    }
    uint32_t category = (uint32_t)(int32_t)x;
    uint32_t word = category / 32;
    return word < n->set.count && (m->words[n->set.first + word] >> (category % 32) & 1U) != 0;
}

/* The decisions that need more than a comparison: categories and missing values. */
__attribute__((noinline)) static bool
goes_left_specially(const struct model *m, const struct model_node *n, double x, bool single)
{
    bool nan = isnan(x);
    if ((nan && (n->flags & MODEL_NAN_MISSING) != 0) ||
        (is_zero(x) && (n->flags & MODEL_ZERO_MISSING) != 0)) {
        return (n->flags & MODEL_DEFAULT_LEFT) != 0;
    }
    if ((n->flags & MODEL_CATEGORICAL) != 0) {
        return in_set(m, n, x, single) != ((n->flags & MODEL_SET_RIGHT) != 0);
    }
    return (nan ? 0 : x) <= n->threshold;
}

/* Terminates, since a child comes after its parent. `single` is a constant in each call, so the
 * compiler makes one loop for each form. */
__attribute__((always_inline)) static inline size_t find_leaf(const struct model *m, int32_t at,
                                                              const double *row, bool single)
{
    while (at >= 0) {
        const struct model_node *n = &m->nodes[at];
        double x = single ? (double)(float)row[n->feature] : row[n->feature];
        bool left = x <= n->threshold;
        if (isnan(x) || (n->flags & MODEL_CATEGORICAL) != 0 ||
            ((n->flags & MODEL_ZERO_MISSING) != 0 && is_zero(x))) {
            left = goes_left_specially(m, n, x, single);
        }
        at = n->child[left ? 0 : 1];
    }
    return (size_t)~at;
}

/* The value of a linear leaf; a leaf with a missing feature falls back to its constant value. */
static double line_value(const struct model *m, const struct model_tree *tree, size_t leaf,
                         const double *row)
{
    const struct model_line *line = &m->lines[(int64_t)leaf + tree->line_shift];
    double value = line->constant;
    for (uint32_t i = 0; i < line->count; i++) {
        const struct model_term *term = &m->terms[line->first + i];
        double x = row[term->feature];
        if (isnan(x)) {
            return m->leaves[leaf];
        }
        value += term->factor * (is_zero(x) ? 0 : x);
    }
    return value;
}

static void sum_double(const struct model *m, const double *row, double *ret)
{
    for (size_t t = 0; t < m->tree_count; t++) {
        const struct model_tree *tree = &m->trees[t];
        size_t leaf = find_leaf(m, tree->root, row, false);
        ret[tree->group] += tree->linear ? line_value(m, tree, leaf, row) : m->leaves[leaf];
    }
}

static void sum_single(const struct model *m, const double *row, double *ret)
{
    for (size_t t = 0; t < m->tree_count; t++) {
        const struct model_tree *tree = &m->trees[t];
        size_t leaf = find_leaf(m, tree->root, row, true);
        ret[tree->group] = (double)((float)ret[tree->group] + (float)m->leaves[leaf]);
    }
}

static double sigmoid(const struct model *m, double x)
{
    if (m->single) {
        return (double)(1.0F /
                        (expf(fminf(-(float)x, 88.7F)) + 1.0F)); /* the limit keeps expf finite */
    }
    return 1 / (1 + exp(-m->sigmoid * x));
}

static double exponential(const struct model *m, double x)
{
    return m->single ? (double)expf((float)x) : exp(x);
}

static void softmax(const struct model *m, double *values)
{
    double largest = values[0];
    for (size_t i = 1; i < m->classes; i++) {
        largest = values[i] > largest ? values[i] : largest;
    }
    double sum = 0;
    for (size_t i = 0; i < m->classes; i++) {
        values[i] = exponential(m, values[i] - largest);
        sum += values[i];
    }
    for (size_t i = 0; i < m->classes; i++) {
        values[i] = m->single ? (double)((float)values[i] / (float)sum) : values[i] / sum;
    }
}

static void transform(const struct model *m, double *values)
{
    if (m->output == MODEL_OUTPUT_SOFTMAX) {
        softmax(m, values);
    }
    for (size_t i = 0; i < m->classes; i++) {
        double x = values[i];
        switch (m->output) {
        case MODEL_OUTPUT_IDENTITY:
        case MODEL_OUTPUT_SOFTMAX:
            break;
        case MODEL_OUTPUT_SIGMOID:
            values[i] = sigmoid(m, x);
            break;
        case MODEL_OUTPUT_EXP:
            values[i] = exponential(m, x);
            break;
        case MODEL_OUTPUT_LOG1P_EXP:
            values[i] = log1p(exp(x));
            break;
        case MODEL_OUTPUT_SIGNED_SQUARE:
            values[i] = copysign(x * x, x);
            break;
        }
    }
}

int model_predict_raw(const struct model *m, const double *row, size_t count, double *ret,
                      struct err *err)
{
    if (count != m->features) {
        return err_set(err, ERR_MODEL_FEATURES, "the row length is %zu, the model needs %zu", count,
                       m->features);
    }
    memcpy(ret, m->base, m->classes * sizeof(*ret));
    if (m->single) {
        sum_single(m, row, ret);
    } else {
        sum_double(m, row, ret);
    }
    return 0;
}

int model_predict(const struct model *m, const double *row, size_t count, double *ret,
                  struct err *err)
{
    int rc = model_predict_raw(m, row, count, ret, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; m->average && i < m->classes; i++) {
        ret[i] /= (double)(m->tree_count / m->classes);
    }
    transform(m, ret);
    return 0;
}
