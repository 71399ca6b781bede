/*
 * LightGBM's text form: a head of key=value lines, a block "Tree=n" of such lines for each tree,
 * "end of trees", then importances and parameters, which a prediction does not need.
 *
 * A list must have exactly the length that its tree declares, which detects a truncated line;
 * tree_sizes and "end of trees" detect a cut between trees. An unknown key is refused, since it may
 * change the meaning of the others. The ignored keys concern training only; the leaf values already
 * include the shrinkage.
 */
#include "base/check.h"
#include "model_build.h"

#include <math.h>

enum head_key {
    HEAD_VERSION,
    HEAD_NUM_CLASS,
    HEAD_PER_ITERATION,
    HEAD_MAX_FEATURE,
    HEAD_OBJECTIVE,
    HEAD_FEATURE_NAMES,
    HEAD_TREE_SIZES,
    HEAD_COUNT
};
static const char *const head_names[HEAD_COUNT] = {
    "version",       "num_class",  "num_tree_per_iteration", "max_feature_idx", "objective",
    "feature_names", "tree_sizes",
};

enum tree_key {
    TREE_NUM_LEAVES,
    TREE_NUM_CAT,
    TREE_SPLIT_FEATURE,
    TREE_THRESHOLD,
    TREE_DECISION_TYPE,
    TREE_LEFT,
    TREE_RIGHT,
    TREE_LEAF_VALUE,
    TREE_CAT_BOUNDARIES,
    TREE_CAT_THRESHOLD,
    TREE_IS_LINEAR,
    TREE_LEAF_CONST,
    TREE_NUM_FEATURES,
    TREE_LEAF_FEATURES,
    TREE_LEAF_COEFF,
    TREE_COUNT
};
static const char *const tree_names[TREE_COUNT] = {
    "num_leaves", "num_cat",     "split_feature", "threshold",      "decision_type",
    "left_child", "right_child", "leaf_value",    "cat_boundaries", "cat_threshold",
    "is_linear",  "leaf_const",  "num_features",  "leaf_features",  "leaf_coeff",
};

static const char *const head_ignored[] = {
    "label_index", "monotone_constraints", "feature_infos",
    "boost_from_average", /* until v2: the first tree is a constant; it is stored as one */
};
static const char *const tree_ignored[] = {
    "split_gain",      "leaf_parent",    "leaf_weight", "leaf_count",      "internal_value",
    "internal_weight", "internal_count", "shrinkage",   "has_categorical",
};

/* Bits of decision_type. */
#define TYPE_CATEGORICAL  1
#define TYPE_DEFAULT_LEFT 2
#define TYPE_MISSING_ZERO 1 /* of bits 2 and 3 */
#define TYPE_MISSING_NAN  2
#define TYPE_MAX          11

struct field {
    struct str value;
    size_t line; /* 0: not given */
};

struct reader {
    struct str rest;
    struct str line;
    size_t number;
    const char *name;
    struct model *model;
    bool modern;          /* version v3 or later, which has "end of trees" */
    size_t promised;      /* number of trees by tree_sizes; SIZE_MAX: unknown */
    size_t per_iteration; /* trees */
    struct field head[HEAD_COUNT];
    struct field tree[TREE_COUNT];
    size_t tree_line;
    struct err *err;
};

__attribute__((format(printf, 3, 4))) static int damaged(struct reader *r, size_t line,
                                                         const char *format, ...)
{
    char why[160];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    return err_set(r->err, ERR_MODEL_DAMAGED, "%.80s:%zu: %s", r->name, line, why);
}

static bool next_line(struct reader *r)
{
    if (r->rest.len == 0) {
        return false;
    }
    (void)str_split(&r->rest, '\n', &r->line);
    if (r->line.len > 0 && r->line.ptr[r->line.len - 1] == '\r') {
        r->line.len--;
    }
    r->number++;
    return true;
}

static int unsupported(struct reader *r, size_t line, const char *what, struct str which)
{
    return err_set(r->err, ERR_MODEL_UNSUPPORTED, "%.80s:%zu: %s %.*s", r->name, line, what,
                   (int)(which.len < 40 ? which.len : 40), which.ptr);
}

static bool is_one_of(struct str key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal_c(key, names[i])) {
            return true;
        }
    }
    return false;
}

/* The keys of one part of the file. */
struct keys {
    const char *const *names;
    size_t count;
    const char *const *ignored;
    size_t ignored_count;
};
static const struct keys head_keys = {head_names, HEAD_COUNT, head_ignored, COUNT_OF(head_ignored)};
static const struct keys tree_keys = {tree_names, TREE_COUNT, tree_ignored, COUNT_OF(tree_ignored)};

/* Stores the value of a known key in its field. */
static int read_field(struct reader *r, const struct keys *keys, struct field *fields)
{
    struct str value = r->line, key = {"", 0};
    (void)str_split(&value, '=', &key);
    for (size_t i = 0; i < keys->count; i++) {
        if (!str_equal_c(key, keys->names[i])) {
            continue;
        }
        if (fields[i].line != 0) {
            return damaged(r, r->number, "a second %s", keys->names[i]);
        }
        fields[i] = (struct field){value, r->number};
        return 0;
    }
    return is_one_of(str_trim(key), keys->ignored, keys->ignored_count)
               ? 0
               : unsupported(r, r->number, "an unknown key", key);
}

/* ---------------------------------------------------------------- numbers */

static int read_integer(struct reader *r, const struct field *f, const char *name, int64_t minimum,
                        int64_t maximum, int64_t *ret)
{
    if (!str_to_i64(str_trim(f->value), ret) || *ret < minimum || *ret > maximum) {
        return damaged(r, f->line, "%s is not a whole number from %lld to %lld", name,
                       (long long)minimum, (long long)maximum);
    }
    return 0;
}

/* A list of exactly `count` numbers. */
struct list {
    struct reader *reader;
    struct field field;
    const char *name;
    struct str rest;
    size_t count;
};

/* Each number needs at least a byte, and a space before the next: a text too short for the declared
 * count is refused before anything is allocated. */
static int list_open(struct reader *r, enum tree_key key, size_t count, struct list *ret)
{
    struct field f = r->tree[key];
    *ret = (struct list){r, f, tree_names[key], f.value, count};
    if (f.line == 0) {
        return damaged(r, r->tree_line, "the tree has no %s", tree_names[key]);
    }
    if (count > f.value.len / 2 + 1) {
        return damaged(r, f.line, "%s is too short for %zu numbers", tree_names[key], count);
    }
    return 0;
}

static int list_text(struct list *l, size_t at, struct str *ret)
{
    if (!str_word(&l->rest, ret)) {
        return damaged(l->reader, l->field.line, "%s ends after %zu of %zu numbers", l->name, at,
                       l->count);
    }
    return 0;
}

static int list_real(struct list *l, size_t at, double *ret)
{
    struct str word;
    int rc = list_text(l, at, &word);
    if (rc == 0 && !str_to_double(word, ret)) {
        rc = damaged(l->reader, l->field.line, "%s: number %zu is not finite or not a number",
                     l->name, at + 1);
    }
    return rc;
}

static int list_whole(struct list *l, size_t at, int64_t minimum, int64_t maximum, int64_t *ret)
{
    struct str word;
    int rc = list_text(l, at, &word);
    if (rc == 0 && (!str_to_i64(word, ret) || *ret < minimum || *ret > maximum)) {
        rc = damaged(l->reader, l->field.line, "%s: number %zu is not a whole number in %lld..%lld",
                     l->name, at + 1, (long long)minimum, (long long)maximum);
    }
    return rc;
}

static int list_close(struct list *l)
{
    struct str word;
    if (str_word(&l->rest, &word)) {
        return damaged(l->reader, l->field.line, "%s has more than %zu numbers", l->name, l->count);
    }
    return 0;
}

/* ---------------------------------------------------------------- one tree */

struct tree {
    struct model_node *nodes;
    double *leaves;
    struct model_line *lines;
    int64_t *bounds; /* cat_boundaries */
    size_t leaf_count, node_count, category_sets;
    size_t first_word; /* of this tree, in the model */
};

static void tree_release(struct tree *t)
{
    free(t->nodes);
    free(t->leaves);
    free(t->lines);
    free(t->bounds);
}
#define AUTO_TREE AUTO(tree_release)

static void *allocate(size_t count, size_t size)
{
    void *items = calloc(count > 0 ? count : 1, size);
    ASSERT(items != NULL);
    return items;
}

static int read_leaves(struct reader *r, struct tree *t)
{
    struct list l;
    int rc = list_open(r, TREE_LEAF_VALUE, t->leaf_count, &l);
    if (rc < 0) {
        return rc;
    }
    t->leaves = allocate(t->leaf_count, sizeof(*t->leaves));
    for (size_t i = 0; rc == 0 && i < t->leaf_count; i++) {
        rc = list_real(&l, i, &t->leaves[i]);
    }
    return rc < 0 ? rc : list_close(&l);
}

static int read_sets(struct reader *r, struct tree *t)
{
    if (t->category_sets == 0) {
        return 0;
    }
    struct list l;
    int rc = list_open(r, TREE_CAT_BOUNDARIES, t->category_sets + 1, &l);
    if (rc < 0) {
        return rc;
    }
    t->bounds = allocate(t->category_sets + 1, sizeof(*t->bounds));
    for (size_t i = 0; rc == 0 && i <= t->category_sets; i++) {
        int64_t lowest = i == 0 ? 0 : t->bounds[i - 1];
        rc = list_whole(&l, i, lowest, i == 0 ? 0 : INT32_MAX, &t->bounds[i]);
    }
    if (rc < 0 || (rc = list_close(&l)) < 0) {
        return rc;
    }
    size_t words = (size_t)t->bounds[t->category_sets];
    if ((rc = list_open(r, TREE_CAT_THRESHOLD, words, &l)) < 0) {
        return rc;
    }
    struct model *m = r->model;
    t->first_word = m->word_count;
    m->words = model_reserve(m->words, m->word_count, &m->word_cap, words, sizeof(*m->words));
    for (size_t i = 0; rc == 0 && i < words; i++) {
        int64_t word = 0;
        rc = list_whole(&l, i, 0, UINT32_MAX, &word);
        m->words[m->word_count++] = (uint32_t)word;
    }
    return rc < 0 ? rc : list_close(&l);
}

/* LightGBM sets every cell near zero to zero before it compares. That matters only for a threshold
 * in the same range, so the threshold is moved to the edge of the range and the cells are not
 * changed. */
static double threshold_past_zero(double threshold)
{
    if (fabs(threshold) > MODEL_NEARLY_ZERO) {
        return threshold;
    }
    return threshold >= 0 ? MODEL_NEARLY_ZERO : nextafter(-MODEL_NEARLY_ZERO, -(double)INFINITY);
}

static int set_decision(struct reader *r, const struct tree *t, size_t at, int64_t type,
                        double threshold)
{
    struct model_node *n = &t->nodes[at];
    int64_t missing = type >> 2;
    if ((type & TYPE_DEFAULT_LEFT) != 0) {
        n->flags |= MODEL_DEFAULT_LEFT;
    }
    if ((type & TYPE_CATEGORICAL) == 0) {
        n->threshold = threshold_past_zero(threshold);
        n->flags |= missing == TYPE_MISSING_NAN ? MODEL_NAN_MISSING : 0U;
        /* With this type NaN counts as zero, and zero is missing. */
        n->flags |= missing == TYPE_MISSING_ZERO ? MODEL_NAN_MISSING | MODEL_ZERO_MISSING : 0U;
        return 0;
    }
    /* A missing category is in no set, for every missing type. */
    if (!(threshold >= 0 && threshold < (double)t->category_sets) ||
        threshold != floor(threshold)) {
        return damaged(r, r->tree[TREE_THRESHOLD].line, "node %zu: its category set does not exist",
                       at);
    }
    size_t set = (size_t)threshold;
    n->flags = MODEL_CATEGORICAL;
    n->set.first = (uint32_t)(t->first_word + (size_t)t->bounds[set]);
    n->set.count = (uint32_t)(t->bounds[set + 1] - t->bounds[set]);
    return 0;
}

static int read_children(struct reader *r, struct tree *t, enum tree_key key, int side)
{
    struct list l;
    int rc = list_open(r, key, t->node_count, &l);
    for (size_t i = 0; rc == 0 && i < t->node_count; i++) {
        int64_t child = 0;
        rc = list_whole(&l, i, -(int64_t)t->leaf_count, (int64_t)t->node_count - 1, &child);
        t->nodes[i].child[side] = (int32_t)child;
    }
    return rc < 0 ? rc : list_close(&l);
}

static int read_decisions(struct reader *r, struct tree *t)
{
    struct list features, thresholds, types = {0};
    bool typed = r->modern || r->tree[TREE_DECISION_TYPE].line != 0;
    int rc = list_open(r, TREE_SPLIT_FEATURE, t->node_count, &features);
    if (rc < 0 || (rc = list_open(r, TREE_THRESHOLD, t->node_count, &thresholds)) < 0 ||
        (typed && (rc = list_open(r, TREE_DECISION_TYPE, t->node_count, &types)) < 0)) {
        return rc;
    }
    for (size_t i = 0; i < t->node_count; i++) {
        int64_t feature = 0, type = 0;
        double threshold = 0;
        if ((rc = list_whole(&features, i, 0, (int64_t)r->model->features - 1, &feature)) < 0 ||
            (rc = list_real(&thresholds, i, &threshold)) < 0 ||
            (typed && (rc = list_whole(&types, i, 0, TYPE_MAX, &type)) < 0)) {
            return rc;
        }
        t->nodes[i].feature = (uint32_t)feature;
        if ((rc = set_decision(r, t, i, type, threshold)) < 0) {
            return rc;
        }
    }
    if ((rc = list_close(&features)) < 0 || (rc = list_close(&thresholds)) < 0) {
        return rc;
    }
    return typed ? list_close(&types) : 0;
}

static int read_nodes(struct reader *r, struct tree *t)
{
    if (t->node_count == 0) {
        return 0;
    }
    t->nodes = allocate(t->node_count, sizeof(*t->nodes));
    int rc = read_decisions(r, t);
    if (rc < 0 || (rc = read_children(r, t, TREE_LEFT, 0)) < 0) {
        return rc;
    }
    return read_children(r, t, TREE_RIGHT, 1);
}

/* One list has the features, and one the factors, of the terms of all leaves. */
static int read_terms(struct reader *r, struct tree *t, size_t total)
{
    struct list features, factors;
    int rc = list_open(r, TREE_LEAF_FEATURES, total, &features);
    if (rc < 0 || (rc = list_open(r, TREE_LEAF_COEFF, total, &factors)) < 0) {
        return rc;
    }
    struct model *m = r->model;
    uint32_t first = (uint32_t)m->term_count;
    m->terms = model_reserve(m->terms, m->term_count, &m->term_cap, total, sizeof(*m->terms));
    for (size_t i = 0; i < total; i++) {
        int64_t feature = 0;
        double factor = 0;
        if ((rc = list_whole(&features, i, 0, (int64_t)m->features - 1, &feature)) < 0 ||
            (rc = list_real(&factors, i, &factor)) < 0) {
            return rc;
        }
        m->terms[m->term_count++] = (struct model_term){factor, (uint32_t)feature};
    }
    for (size_t i = 0; i < t->leaf_count; i++) {
        t->lines[i].first = first;
        first += t->lines[i].count;
    }
    rc = list_close(&features);
    return rc < 0 ? rc : list_close(&factors);
}

static int read_lines(struct reader *r, struct tree *t)
{
    struct list constants, counts;
    int rc = list_open(r, TREE_LEAF_CONST, t->leaf_count, &constants);
    if (rc < 0 || (rc = list_open(r, TREE_NUM_FEATURES, t->leaf_count, &counts)) < 0) {
        return rc;
    }
    t->lines = allocate(t->leaf_count, sizeof(*t->lines));
    size_t total = 0;
    for (size_t i = 0; i < t->leaf_count; i++) {
        int64_t count = 0;
        if ((rc = list_real(&constants, i, &t->lines[i].constant)) < 0 ||
            (rc = list_whole(&counts, i, 0, (int64_t)MODEL_FEATURES_MAX, &count)) < 0) {
            return rc;
        }
        t->lines[i].count = (uint32_t)count;
        total += (size_t)count;
    }
    if ((rc = list_close(&constants)) < 0 || (rc = list_close(&counts)) < 0) {
        return rc;
    }
    return read_terms(r, t, total);
}

static int read_tree_sizes(struct reader *r, struct tree *t, bool *ret_linear)
{
    int64_t leaves = 0, sets = 0, linear = 0;
    for (int key = TREE_NUM_LEAVES; key <= TREE_NUM_CAT; key++) {
        if (r->tree[key].line == 0) {
            return damaged(r, r->tree_line, "the tree has no %s", tree_names[key]);
        }
    }
    int rc = read_integer(r, &r->tree[TREE_NUM_LEAVES], tree_names[TREE_NUM_LEAVES], 1,
                          INT32_MAX / 2, &leaves);
    if (rc < 0 || (rc = read_integer(r, &r->tree[TREE_NUM_CAT], tree_names[TREE_NUM_CAT], 0,
                                     leaves - 1, &sets)) < 0) {
        return rc;
    }
    if (r->tree[TREE_IS_LINEAR].line != 0 &&
        (rc = read_integer(r, &r->tree[TREE_IS_LINEAR], tree_names[TREE_IS_LINEAR], 0, 1,
                           &linear)) < 0) {
        return rc;
    }
    t->leaf_count = (size_t)leaves;
    t->node_count = t->leaf_count - 1;
    t->category_sets = (size_t)sets;
    *ret_linear = linear != 0;
    return 0;
}

/* Adds the tree whose lines have all been read. */
static int finish_tree(struct reader *r)
{
    AUTO_TREE struct tree t = {0};
    bool linear = false;
    int rc = read_tree_sizes(r, &t, &linear);
    if (rc < 0 || (rc = read_leaves(r, &t)) < 0 || (rc = read_sets(r, &t)) < 0 ||
        (rc = read_nodes(r, &t)) < 0 || (linear && (rc = read_lines(r, &t)) < 0)) {
        return rc;
    }
    struct model_draft draft = {
        .nodes = t.nodes,
        .leaves = t.leaves,
        .lines = t.lines,
        .node_count = t.node_count,
        .leaf_count = t.leaf_count,
        .root = t.node_count > 0 ? 0 : ~0,
        .group = (uint32_t)(r->model->tree_count % r->per_iteration),
        .whole = true,
    };
    struct model_flaw flaw;
    if (!model_add_tree(r->model, &draft, &flaw)) {
        return damaged(r, r->tree_line, "tree %zu: %s %zu", r->model->tree_count, flaw.what,
                       flaw.index);
    }
    memset(r->tree, 0, sizeof(r->tree));
    r->tree_line = 0;
    return 0;
}

/* ---------------------------------------------------------------- the head */

struct objective {
    const char *name;
    enum model_output output;
    bool classes; /* a prediction per class; otherwise exactly one */
    bool roots;   /* may have "sqrt" after its name: trained on square roots */
    bool factor;  /* needs sigmoid:FACTOR */
};

static const struct objective objectives[] = {
    {"binary", MODEL_OUTPUT_SIGMOID, false, false, true},
    {"regression", MODEL_OUTPUT_IDENTITY, false, true, false},
    {"regression_l1", MODEL_OUTPUT_IDENTITY, false, true, false},
    {"huber", MODEL_OUTPUT_IDENTITY, false, false, false},
    {"fair", MODEL_OUTPUT_IDENTITY, false, true, false},
    {"quantile", MODEL_OUTPUT_IDENTITY, false, true, false},
    {"mape", MODEL_OUTPUT_IDENTITY, false, true, false},
    {"poisson", MODEL_OUTPUT_EXP, false, false, false},
    {"gamma", MODEL_OUTPUT_EXP, false, false, false},
    {"tweedie", MODEL_OUTPUT_EXP, false, false, false},
    {"cross_entropy", MODEL_OUTPUT_SIGMOID, false, false, false},
    {"xentropy", MODEL_OUTPUT_SIGMOID, false, false, false},
    {"cross_entropy_lambda", MODEL_OUTPUT_LOG1P_EXP, false, false, false},
    {"xentlambda", MODEL_OUTPUT_LOG1P_EXP, false, false, false},
    {"lambdarank", MODEL_OUTPUT_IDENTITY, false, false, false},
    {"rank_xendcg", MODEL_OUTPUT_IDENTITY, false, false, false},
    {"multiclass", MODEL_OUTPUT_SOFTMAX, true, false, false},
    {"multiclassova", MODEL_OUTPUT_SIGMOID, true, false, true},
    {"none", MODEL_OUTPUT_IDENTITY, true, false, false},
    {"custom", MODEL_OUTPUT_IDENTITY, true, false, false},
};

/* Words of an objective that do not affect a prediction; "sqrt" only where `roots` is false. */
static const char *const training_words[] = {"sqrt", "alpha", "tweedie_variance_power"};

static int objective_words(struct reader *r, const struct objective *o, struct str words)
{
    struct model *m = r->model;
    const struct field *f = &r->head[HEAD_OBJECTIVE];
    bool factor = false;
    for (struct str word; str_word(&words, &word);) {
        struct str value = word, key = {"", 0};
        (void)str_split(&value, ':', &key);
        if (str_equal_c(word, "sqrt") && o->roots) {
            m->output = MODEL_OUTPUT_SIGNED_SQUARE;
        } else if (str_equal_c(key, "sigmoid") && o->factor) {
            if (!str_to_double(value, &m->sigmoid) || m->sigmoid <= 0) {
                return damaged(r, f->line, "the objective's sigmoid is not a positive number");
            }
            factor = true;
        } else if (str_equal_c(key, "num_class")) {
            int64_t count;
            if (!str_to_i64(value, &count) || count != (int64_t)m->classes) {
                return damaged(r, f->line, "the objective's num_class differs from the model's");
            }
        } else if (!is_one_of(key, training_words, COUNT_OF(training_words))) {
            return unsupported(r, f->line, "its objective has an unknown", word);
        }
    }
    if (o->factor && !factor) {
        return damaged(r, f->line, "the objective has no sigmoid");
    }
    return 0;
}

static int read_objective(struct reader *r)
{
    struct model *m = r->model;
    const struct field *f = &r->head[HEAD_OBJECTIVE];
    m->sigmoid = 1;
    if (f->line == 0) {
        m->output = MODEL_OUTPUT_IDENTITY; /* trained with a custom objective */
        return 0;
    }
    struct str words = f->value, name = {"", 0};
    (void)str_word(&words, &name);
    const struct objective *o = NULL;
    for (size_t i = 0; i < COUNT_OF(objectives) && o == NULL; i++) {
        o = str_equal_c(name, objectives[i].name) ? &objectives[i] : NULL;
    }
    if (o == NULL) {
        return err_set(r->err, ERR_MODEL_UNSUPPORTED, "%.80s:%zu: its objective", r->name, f->line);
    }
    if (!o->classes && m->classes != 1) {
        return damaged(r, f->line, "the objective %s has one class, not %zu", o->name, m->classes);
    }
    m->output = o->output;
    return objective_words(r, o, words);
}

static size_t count_words(struct str text)
{
    size_t count = 0;
    for (struct str word; str_word(&text, &word);) {
        count++;
    }
    return count;
}

static int read_counts(struct reader *r)
{
    for (int key = HEAD_NUM_CLASS; key <= HEAD_MAX_FEATURE; key++) {
        if (r->head[key].line == 0 && key != HEAD_PER_ITERATION) {
            return damaged(r, r->number, "the head has no %s", head_names[key]);
        }
    }
    int64_t classes = 0, last = 0;
    int rc = read_integer(r, &r->head[HEAD_NUM_CLASS], head_names[HEAD_NUM_CLASS], 1,
                          MODEL_CLASSES_MAX, &classes);
    if (rc < 0 || (rc = read_integer(r, &r->head[HEAD_MAX_FEATURE], head_names[HEAD_MAX_FEATURE], 0,
                                     (int64_t)MODEL_FEATURES_MAX - 1, &last)) < 0) {
        return rc;
    }
    int64_t trees = classes;
    if (r->head[HEAD_PER_ITERATION].line != 0 &&
        (rc = read_integer(r, &r->head[HEAD_PER_ITERATION], head_names[HEAD_PER_ITERATION], classes,
                           classes, &trees)) < 0) {
        return rc;
    }
    r->model->classes = (size_t)classes;
    r->model->features = (size_t)last + 1;
    r->per_iteration = (size_t)trees;
    return 0;
}

/* Called at the first tree or the end of the trees. */
static int finish_head(struct reader *r)
{
    struct model *m = r->model;
    int rc = read_counts(r);
    if (rc < 0 || (rc = read_objective(r)) < 0) {
        return rc;
    }
    const struct field *names = &r->head[HEAD_FEATURE_NAMES];
    if (names->line != 0 && count_words(names->value) != m->features) {
        return damaged(r, names->line, "there are %zu feature_names, max_feature_idx declares %zu",
                       count_words(names->value), m->features);
    }
    const struct field *sizes = &r->head[HEAD_TREE_SIZES];
    r->promised = sizes->line != 0 ? count_words(sizes->value) : SIZE_MAX;
    struct str version = str_trim(r->head[HEAD_VERSION].value);
    r->modern = str_equal_c(version, "v3") || str_equal_c(version, "v4");
    if (!r->modern && version.len > 0 && !str_equal_c(version, "v1") &&
        !str_equal_c(version, "v2")) {
        return unsupported(r, r->head[HEAD_VERSION].line, "an unknown version", version);
    }
    m->base = allocate(m->classes, sizeof(*m->base));
    /* Before v3 some versions stored transformed values in the leaves of a forest and others did
     * not, and the file does not show which. */
    if (!r->modern && m->average && m->output != MODEL_OUTPUT_IDENTITY) {
        return err_set(r->err, ERR_MODEL_UNSUPPORTED,
                       "%.80s: a random forest with this objective from before version v3",
                       r->name);
    }
    return 0;
}

static int read_head(struct reader *r)
{
    if (!next_line(r) || !str_equal_c(str_trim(r->line), "tree")) {
        return damaged(r, 1, "the first line is not \"tree\"");
    }
    while (next_line(r)) {
        if (str_starts(r->line, "Tree=")) {
            return finish_head(r);
        }
        if (str_equal_c(r->line, "average_output")) {
            r->model->average = true;
            continue;
        }
        int rc = str_trim(r->line).len > 0 ? read_field(r, &head_keys, r->head) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return damaged(r, r->number, "the file ends before its first tree");
}

/* ---------------------------------------------------------------- the file */

/* The line is "Tree=n". */
static int begin_tree(struct reader *r)
{
    int64_t index;
    struct str number = str_n(r->line.ptr + 5, r->line.len - 5);
    if (!str_to_i64(number, &index) || index != (int64_t)r->model->tree_count) {
        return damaged(r, r->number, "tree %zu is expected here", r->model->tree_count);
    }
    r->tree_line = r->number;
    return 0;
}

/* The line that follows the trees in an old file, which has no "end of trees". */
static bool is_tail(struct str line)
{
    return str_equal_c(line, "feature importances:") || str_equal_c(line, "feature_importances:") ||
           str_equal_c(line, "parameters:");
}

static int read_trees(struct reader *r)
{
    int rc = begin_tree(r);
    bool ended = false;
    while (rc == 0 && !ended && next_line(r)) {
        ended = str_equal_c(r->line, "end of trees") || (!r->modern && is_tail(r->line));
        if (ended || str_starts(r->line, "Tree=")) {
            rc = finish_tree(r);
            rc = rc == 0 && !ended ? begin_tree(r) : rc;
        } else if (str_trim(r->line).len > 0) {
            rc = read_field(r, &tree_keys, r->tree);
        }
    }
    if (rc == 0 && !ended) {
        return damaged(r, r->number, "the file is truncated: the end of its trees is missing");
    }
    return rc;
}

/* The rest of the file does not affect a prediction; it only shows whether the file is complete. */
static int read_tail(struct reader *r)
{
    bool open = str_equal_c(r->line, "parameters:");
    while (next_line(r)) {
        if (str_equal_c(r->line, "parameters:")) {
            open = true;
        } else if (str_equal_c(r->line, "end of parameters")) {
            open = false;
        }
    }
    if (open && r->modern) {
        return damaged(r, r->number, "the file is truncated: the end of its parameters is missing");
    }
    return 0;
}

int model_read_lightgbm(struct str text, const char *name, struct model *model, struct err *err)
{
    struct reader r = {.rest = text, .name = name, .model = model, .err = err};
    int rc = read_head(&r);
    if (rc < 0 || (rc = read_trees(&r)) < 0) {
        return rc;
    }
    if (r.promised != SIZE_MAX && r.promised != model->tree_count) {
        return damaged(&r, r.head[HEAD_TREE_SIZES].line,
                       "tree_sizes declares %zu trees, the file has %zu", r.promised,
                       model->tree_count);
    }
    if (model->tree_count % r.per_iteration != 0) {
        return damaged(&r, r.number, "%zu trees cannot be divided among %zu classes",
                       model->tree_count, r.per_iteration);
    }
    return read_tail(&r);
}
