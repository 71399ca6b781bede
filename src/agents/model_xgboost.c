/*
 * XGBoost's JSON, versions 1 to 3: learner.gradient_booster.model. Up to 3.2, dart stores the model
 * one level deeper, beside the weights of its trees. Later its name is gbtree too, and only
 * weight_drop, beside the model or in it, shows that the trees have weights.
 * All numbers are floats. Values below the split go left, so the threshold of our nodes, where
 * values up to it go left, is the next smaller float.
 *
 * An unknown member is refused, since it may change the meaning of the others, as weight_drop did.
 * Known members that are not read do not affect a prediction: they concern training (the parameters
 * of an objective, base_weights, boost_from_average), pruning (num_deleted), a selection of rounds
 * (num_parallel_tree, iteration_indptr; we use all trees), or names.
 */
#include "base/buf.h"
#include "base/check.h"
#include "io/json.h"
#include "model_build.h"

#include <math.h>

/* A category set is a bit set up to its largest category: this limits the memory that a small file
 * can request. */
#define CATEGORY_MAX ((int64_t)1 << 24)
#define WORDS_MAX    ((size_t)4 << 20)

/* The newest major version; a later one may give the same members another meaning. */
#define VERSION_MAX 3

/* Of split_type. */
#define SPLIT_CATEGORICAL 1

struct reader {
    const char *name;
    struct model *model;
    const struct json_object *booster; /* the object that holds trees and tree_info */
    const struct json_object *weights; /* dart: a factor per tree; else NULL */
    size_t tree;                       /* the one being read */
    struct err *err;
};

__attribute__((format(printf, 2, 3))) static int damaged(struct reader *r, const char *format, ...)
{
    char why[160];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    return err_set(r->err, ERR_MODEL_DAMAGED, "%.80s: %s", r->name, why);
}

static int unsupported(struct reader *r, const char *what)
{
    return err_set(r->err, ERR_MODEL_UNSUPPORTED, "%.80s: %s", r->name, what);
}

/* ---------------------------------------------------------------- values */

/* Numbers of the head are strings: "12", "5E-1", since version 3 also "[5E-1]". */
static int head_whole(struct reader *r, const struct json_object *object, const char *key,
                      int64_t fallback, int64_t minimum, int64_t maximum, int64_t *ret)
{
    *ret = fallback;
    struct str text = json_str(object, key);
    if (json_get(object, key) == NULL && fallback >= minimum) {
        return 0;
    }
    if (!str_to_i64(text, ret) || *ret < minimum || *ret > maximum) {
        return damaged(r, "%s is not a string with a number from %lld to %lld", key,
                       (long long)minimum, (long long)maximum);
    }
    return 0;
}

static bool whole_number(const struct json_object *value, int64_t *ret)
{
    if (value == NULL) {
        return false;
    }
    switch (json_object_get_type(value)) {
    case json_type_int:
        *ret = json_object_get_int64(value);
        return true;
    case json_type_boolean:
        *ret = json_object_get_boolean(value) ? 1 : 0;
        return true;
    case json_type_null:
    case json_type_double:
    case json_type_object:
    case json_type_array:
    case json_type_string:
        break;
    }
    return false;
}

/* A member of a tree that is a list of exactly `count` numbers. */
struct list {
    struct reader *reader;
    const char *name;
    const struct json_object *array;
};

static int list_open(struct reader *r, const struct json_object *tree, const char *name,
                     size_t count, struct list *ret)
{
    *ret = (struct list){r, name, json_get(tree, name)};
    if (!json_is_array(ret->array) || json_len(ret->array) != count) {
        return damaged(r, "trees[%zu].%s is not a list of %zu numbers", r->tree, name, count);
    }
    return 0;
}

static int list_whole(struct list *l, size_t at, int64_t minimum, int64_t maximum, int64_t *ret)
{
    if (!whole_number(json_item(l->array, at), ret) || *ret < minimum || *ret > maximum) {
        return damaged(l->reader, "trees[%zu].%s[%zu] is not a whole number in %lld..%lld",
                       l->reader->tree, l->name, at, (long long)minimum, (long long)maximum);
    }
    return 0;
}

static int list_float(struct list *l, size_t at, float *ret)
{
    struct json_object *value = json_item(l->array, at);
    if (!json_is_number(value) || fabs(json_object_get_double(value)) > (double)__FLT_MAX__) {
        return damaged(l->reader, "trees[%zu].%s[%zu] is not a number that fits a float",
                       l->reader->tree, l->name, at);
    }
    *ret = (float)json_object_get_double(value);
    return 0;
}

/* ---------------------------------------------------------------- known members */

#define KEYS_MAX 24

struct members {
    const char *place;          /* as errors name it */
    const char *keys[KEYS_MAX]; /* ended by NULL */
};

static const struct members of_root = {"the file", {"learner", "version"}};
static const struct members of_learner = {"learner",
                                          {"attributes", "feature_names", "feature_types",
                                           "gradient_booster", "learner_model_param", "objective"}};
static const struct members of_learner_param = {
    "learner_model_param",
    {"base_score", "boost_from_average", "num_class", "num_feature", "num_target"}};
static const struct members of_objective = {"objective",
                                            {"name", "reg_loss_param", "poisson_regression_param",
                                             "tweedie_regression_param", "pseudo_huber_param",
                                             "softmax_multiclass_param"}};
static const struct members of_objective_param = {
    "the objective's parameters",
    {"scale_pos_weight", "max_delta_step", "tweedie_variance_power", "huber_slope", "num_class"}};
static const struct members of_xgboost = {"gradient_booster", {"model", "name", "weight_drop"}};
static const struct members of_old_dart = {"gradient_booster", {"gbtree", "name", "weight_drop"}};
static const struct members of_old_gbtree = {"gradient_booster.gbtree", {"model", "name"}};
static const struct members of_model = {
    "gradient_booster.model",
    {"gbtree_model_param", "trees", "tree_info", "iteration_indptr", "cats", "weight_drop"}};
static const struct members of_model_param = {
    "gbtree_model_param", {"num_trees", "num_parallel_tree", "size_leaf_vector"}};
static const struct members of_cats = {"cats", {"enc", "feature_segments", "sorted_idx"}};
static const struct members of_tree = {
    "a tree",
    {"base_weights", "categories", "categories_nodes", "categories_segments", "categories_sizes",
     "default_left", "id", "leaf_child_counts", "left_children", "loss_changes", "parents",
     "right_children", "split_conditions", "split_indices", "split_type", "sum_hessian",
     "tree_param"}};
static const struct members of_tree_param = {
    "tree_param", {"num_deleted", "num_feature", "num_nodes", "size_leaf_vector"}};

static bool is_member(const struct members *known, const char *key)
{
    for (size_t i = 0; i < KEYS_MAX && known->keys[i] != NULL; i++) {
        if (strcmp(key, known->keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A value that is not an object is accepted here; a reader that needs an object reports it. */
static int check_members(struct reader *r, const struct json_object *object,
                         const struct members *known)
{
    if (!json_is_object(object)) {
        return 0;
    }
    json_object_object_foreach(object, key, value)
    {
        (void)value;
        if (!is_member(known, key)) {
            return err_set(r->err, ERR_MODEL_UNSUPPORTED, "%.80s: %s has an unknown %.40s", r->name,
                           known->place, key);
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- one tree */

struct tree {
    struct model_node *nodes;
    double *leaves; /* by the index of their node */
    bool *is_leaf;
    size_t count;
};

static void tree_release(struct tree *t)
{
    free(t->nodes);
    free(t->leaves);
    free(t->is_leaf);
}
#define AUTO_TREE AUTO(tree_release)

static int read_children(struct reader *r, const struct json_object *json, struct tree *t)
{
    struct list left, right;
    int rc = list_open(r, json, "left_children", t->count, &left);
    if (rc < 0 || (rc = list_open(r, json, "right_children", t->count, &right)) < 0) {
        return rc;
    }
    for (size_t i = 0; i < t->count; i++) {
        int64_t child[2] = {0};
        if ((rc = list_whole(&left, i, -1, (int64_t)t->count - 1, &child[0])) < 0 ||
            (rc = list_whole(&right, i, -1, (int64_t)t->count - 1, &child[1])) < 0) {
            return rc;
        }
        if ((child[0] < 0) != (child[1] < 0)) {
            return damaged(r, "trees[%zu]: node %zu has only one child", r->tree, i);
        }
        t->is_leaf[i] = child[0] < 0;
        t->nodes[i].child[0] = (int32_t)child[0];
        t->nodes[i].child[1] = (int32_t)child[1];
    }
    /* In a draft a leaf is a negative index. */
    for (size_t i = 0; i < t->count; i++) {
        for (int side = 0; side < 2 && !t->is_leaf[i]; side++) {
            int32_t child = t->nodes[i].child[side];
            t->nodes[i].child[side] = t->is_leaf[child] ? ~child : child;
        }
    }
    return 0;
}

static bool is_categorical(const struct json_object *json, size_t node)
{
    int64_t type = 0;
    return whole_number(json_item(json_get(json, "split_type"), node), &type) &&
           type == SPLIT_CATEGORICAL;
}

static int read_splits(struct reader *r, const struct json_object *json, struct tree *t,
                       float weight)
{
    struct list features, conditions, defaults;
    int rc = list_open(r, json, "split_indices", t->count, &features);
    if (rc < 0 || (rc = list_open(r, json, "split_conditions", t->count, &conditions)) < 0 ||
        (rc = list_open(r, json, "default_left", t->count, &defaults)) < 0) {
        return rc;
    }
    for (size_t i = 0; i < t->count; i++) {
        int64_t feature = 0, left = 0;
        float condition = 0;
        /* The threshold of a categorical split is not used, and NaN in some versions. */
        if (!is_categorical(json, i) && (rc = list_float(&conditions, i, &condition)) < 0) {
            return rc;
        }
        if (t->is_leaf[i]) {
            t->leaves[i] = (double)(weight * condition);
            continue;
        }
        if ((rc = list_whole(&features, i, 0, (int64_t)r->model->features - 1, &feature)) < 0 ||
            (rc = list_whole(&defaults, i, 0, 1, &left)) < 0) {
            return rc;
        }
        t->nodes[i].feature = (uint32_t)feature;
        t->nodes[i].flags = MODEL_NAN_MISSING | (left != 0 ? MODEL_DEFAULT_LEFT : 0U);
        t->nodes[i].threshold = (double)nextafterf(condition, -INFINITY);
    }
    return 0;
}

/* The categories of one node: elements first..first+count of the list. */
static int read_set(struct list *categories, struct model_node *node, size_t first, size_t count)
{
    struct reader *r = categories->reader;
    struct model *m = r->model;
    int64_t largest = -1;
    for (size_t i = first; i < first + count; i++) {
        int64_t category = 0;
        int rc = list_whole(categories, i, 0, CATEGORY_MAX - 1, &category);
        if (rc < 0) {
            return rc;
        }
        largest = category > largest ? category : largest;
    }
    size_t words = (size_t)(largest + 32) / 32;
    if (m->word_count + words > WORDS_MAX) {
        return unsupported(r, "its categories are too large for bit sets");
    }
    m->words = model_reserve(m->words, m->word_count, &m->word_cap, words, sizeof(*m->words));
    uint32_t *set = m->words + m->word_count;
    if (words > 0) {
        memset(set, 0, words * sizeof(*set));
    }
    for (size_t i = first; i < first + count; i++) {
        int64_t category = 0;
        (void)whole_number(json_item(categories->array, i), &category);
        set[category / 32] |= 1U << (category % 32);
    }
    node->flags |= MODEL_CATEGORICAL | MODEL_SET_RIGHT;
    node->set.first = (uint32_t)m->word_count;
    node->set.count = (uint32_t)words;
    m->word_count += words;
    return 0;
}

/* Each node of categories_nodes has its segment of categories. */
static int read_sets(struct reader *r, const struct json_object *json, struct tree *t)
{
    struct list categories, nodes, segments, sizes;
    size_t total = json_len(json_get(json, "categories"));
    size_t count = json_len(json_get(json, "categories_nodes"));
    int rc = list_open(r, json, "categories", total, &categories);
    if (rc < 0 || (rc = list_open(r, json, "categories_nodes", count, &nodes)) < 0 ||
        (rc = list_open(r, json, "categories_segments", count, &segments)) < 0 ||
        (rc = list_open(r, json, "categories_sizes", count, &sizes)) < 0) {
        return rc;
    }
    size_t used = 0; /* segments must not overlap, so the work is bounded by the file's size */
    for (size_t i = 0; i < count; i++) {
        int64_t node = 0, first = 0, size = 0;
        if ((rc = list_whole(&nodes, i, 0, (int64_t)t->count - 1, &node)) < 0 ||
            (rc = list_whole(&segments, i, (int64_t)used, (int64_t)total, &first)) < 0 ||
            (rc = list_whole(&sizes, i, 0, (int64_t)total - first, &size)) < 0) {
            return rc;
        }
        used = (size_t)(first + size);
        if ((t->nodes[node].flags & MODEL_CATEGORICAL) != 0 || t->is_leaf[node]) {
            return damaged(r, "trees[%zu].categories_nodes[%zu] is not a split or is there twice",
                           r->tree, i);
        }
        if ((rc = read_set(&categories, &t->nodes[node], (size_t)first, (size_t)size)) < 0) {
            return rc;
        }
    }
    return 0;
}

/* split_type marks the categorical nodes; it is absent in models of versions without them. */
static int read_split_types(struct reader *r, const struct json_object *json, struct tree *t)
{
    if (json_get(json, "split_type") == NULL) {
        return json_len(json_get(json, "categories_nodes")) == 0
                   ? 0
                   : damaged(r, "trees[%zu] has categories but no split_type", r->tree);
    }
    struct list types;
    int rc = list_open(r, json, "split_type", t->count, &types);
    if (rc < 0 || (rc = read_sets(r, json, t)) < 0) {
        return rc;
    }
    for (size_t i = 0; i < t->count; i++) {
        int64_t type = 0;
        if ((rc = list_whole(&types, i, 0, SPLIT_CATEGORICAL, &type)) < 0) {
            return rc;
        }
        bool has_set = (t->nodes[i].flags & MODEL_CATEGORICAL) != 0;
        if (has_set != (type == SPLIT_CATEGORICAL)) {
            return damaged(r, "trees[%zu].split_type[%zu] and its categories disagree", r->tree, i);
        }
    }
    return 0;
}

static int add_tree(struct reader *r, const struct tree *t, uint32_t group)
{
    struct model_draft draft = {
        .nodes = t->nodes,
        .leaves = t->leaves,
        .node_count = t->count,
        .leaf_count = t->count,
        .root = t->is_leaf[0] ? ~0 : 0,
        .group = group,
        .whole = false, /* pruned nodes stay in the file */
    };
    struct model_flaw flaw;
    if (!model_add_tree(r->model, &draft, &flaw)) {
        return damaged(r, "trees[%zu]: %s %zu", r->tree, flaw.what, flaw.index);
    }
    return 0;
}

static int tree_weight(struct reader *r, float *ret)
{
    *ret = 1;
    if (r->weights == NULL) {
        return 0;
    }
    struct json_object *value = json_item(r->weights, r->tree);
    if (!json_is_number(value) || fabs(json_object_get_double(value)) > (double)__FLT_MAX__) {
        return damaged(r, "weight_drop[%zu] is not a number that fits a float", r->tree);
    }
    *ret = (float)json_object_get_double(value);
    return 0;
}

static int read_tree(struct reader *r, const struct json_object *json, uint32_t group)
{
    if (!json_is_object(json)) {
        return damaged(r, "trees[%zu] is not an object", r->tree);
    }
    const struct json_object *param = json_get(json, "tree_param");
    int64_t vector = 0;
    float weight = 1;
    int rc = head_whole(r, param, "size_leaf_vector", 0, 0, INT32_MAX, &vector);
    if (rc < 0 || (rc = tree_weight(r, &weight)) < 0) {
        return rc;
    }
    if (vector > 1 || json_get(json, "leaf_weights") != NULL) {
        return unsupported(r, "its leaves are vectors (multi_strategy multi_output_tree)");
    }
    /* XGBoost orders the trees by id, but their classes and weights by position. */
    int64_t id = json_i64(json, "id", 0);
    if (id != 0 && id != (int64_t)r->tree) {
        return unsupported(r, "its trees are not ordered by id");
    }
    AUTO_TREE struct tree t = {.count = json_len(json_get(json, "left_children"))};
    if (t.count == 0) {
        return damaged(r, "trees[%zu].left_children is not a list of numbers", r->tree);
    }
    t.nodes = calloc(t.count, sizeof(*t.nodes));
    t.leaves = calloc(t.count, sizeof(*t.leaves));
    t.is_leaf = calloc(t.count, sizeof(*t.is_leaf));
    ASSERT(t.nodes != NULL && t.leaves != NULL && t.is_leaf != NULL);
    if ((rc = read_children(r, json, &t)) < 0 || (rc = read_splits(r, json, &t, weight)) < 0 ||
        (rc = read_split_types(r, json, &t)) < 0 || (rc = check_members(r, json, &of_tree)) < 0 ||
        (rc = check_members(r, param, &of_tree_param)) < 0) {
        return rc;
    }
    return add_tree(r, &t, group);
}

/* ---------------------------------------------------------------- the file */

enum link { LINK_NONE, LINK_LOGIT, LINK_LOG }; /* from base_score to the start value of the sum */

struct objective {
    const char *name;
    enum model_output output;
    enum link link;
    bool classes;
};

static const struct objective objectives[] = {
    {"binary:logistic", MODEL_OUTPUT_SIGMOID, LINK_LOGIT, false},
    {"reg:logistic", MODEL_OUTPUT_SIGMOID, LINK_LOGIT, false},
    {"binary:logitraw", MODEL_OUTPUT_IDENTITY, LINK_LOGIT, false},
    {"reg:squarederror", MODEL_OUTPUT_IDENTITY, LINK_NONE, false},
    {"reg:linear", MODEL_OUTPUT_IDENTITY, LINK_NONE, false},
    {"reg:squaredlogerror", MODEL_OUTPUT_IDENTITY, LINK_NONE, false},
    {"reg:pseudohubererror", MODEL_OUTPUT_IDENTITY, LINK_NONE, false},
    {"reg:absoluteerror", MODEL_OUTPUT_IDENTITY, LINK_NONE, false},
    {"count:poisson", MODEL_OUTPUT_EXP, LINK_LOG, false},
    {"reg:gamma", MODEL_OUTPUT_EXP, LINK_LOG, false},
    {"reg:tweedie", MODEL_OUTPUT_EXP, LINK_LOG, false},
    {"multi:softprob", MODEL_OUTPUT_SOFTMAX, LINK_NONE, true},
    {"multi:softmax", MODEL_OUTPUT_SOFTMAX, LINK_NONE, true},
};

static int start_of_sum(struct reader *r, enum link link, double base, double *ret)
{
    float b = (float)base, start = b;
    switch (link) {
    case LINK_NONE:
        break;
    case LINK_LOGIT:
        start = -logf(1.0F / b - 1.0F);
        break;
    case LINK_LOG:
        start = logf(b);
        break;
    }
    if (!isfinite(start)) {
        return damaged(r, "base_score is out of the objective's range");
    }
    *ret = (double)start;
    return 0;
}

/* base_score: one number for all classes, or a list with one per class. */
static int read_base(struct reader *r, const struct json_object *param, enum link link)
{
    struct model *m = r->model;
    m->base = calloc(m->classes, sizeof(*m->base));
    ASSERT(m->base != NULL);
    struct str text = str_trim(json_str(param, "base_score"));
    if (str_starts(text, "[") && text.ptr[text.len - 1] == ']') {
        text = str_n(text.ptr + 1, text.len - 2);
    }
    size_t count = 0;
    for (struct str number; str_split(&text, ',', &number); count++) {
        double base;
        if (count >= m->classes || !str_to_double(str_trim(number), &base)) {
            return damaged(r, "base_score is not one number, or one for each class");
        }
        int rc = start_of_sum(r, link, base, &m->base[count]);
        if (rc < 0) {
            return rc;
        }
    }
    if (count != 1 && count != m->classes) {
        return damaged(r, "base_score is not one number, or one for each class");
    }
    for (size_t i = count; i < m->classes; i++) {
        m->base[i] = m->base[0];
    }
    return 0;
}

static int read_learner(struct reader *r, const struct json_object *learner)
{
    const struct json_object *param = json_get(learner, "learner_model_param");
    const char *name = json_text(json_get(learner, "objective"), "name");
    const struct objective *o = NULL;
    for (size_t i = 0; i < COUNT_OF(objectives) && o == NULL; i++) {
        o = strcmp(name, objectives[i].name) == 0 ? &objectives[i] : NULL;
    }
    if (name[0] == '\0' || !json_is_object(param)) {
        return damaged(r, "learner has no %s",
                       name[0] == '\0' ? "objective.name" : "learner_model_param");
    }
    if (o == NULL) {
        return unsupported(r, "its objective (learner.objective.name)");
    }
    int64_t classes = 0, features = 0, targets = 0;
    int rc = head_whole(r, param, "num_class", 0, 0, MODEL_CLASSES_MAX, &classes);
    if (rc < 0 ||
        (rc = head_whole(r, param, "num_feature", -1, 1, (int64_t)MODEL_FEATURES_MAX, &features)) <
            0 ||
        (rc = head_whole(r, param, "num_target", 1, 0, INT32_MAX, &targets)) < 0) {
        return rc;
    }
    if (targets > 1) {
        return unsupported(r, "it has more than one target");
    }
    if (o->classes ? classes < 1 : classes > 1) {
        return damaged(r, "num_class does not match the objective %s", o->name);
    }
    struct model *m = r->model;
    m->single = true;
    m->output = o->output;
    m->sigmoid = 1;
    m->classes = classes > 1 ? (size_t)classes : 1;
    m->features = (size_t)features;
    return read_base(r, param, o->link);
}

/* At most one list of weights is allowed, whatever the booster's name. */
static int find_weights(struct reader *r, const struct json_object *holder, bool needed)
{
    struct json_object *weights = NULL;
    if (!json_object_object_get_ex(holder, "weight_drop", &weights)) {
        return needed ? damaged(r, "gradient_booster.weight_drop is not a list") : 0;
    }
    if (!json_is_array(weights) || r->weights != NULL) {
        return damaged(r, "weight_drop is not a single list");
    }
    r->weights = weights;
    return 0;
}

static int find_xgboost(struct reader *r, const struct json_object *learner)
{
    const struct json_object *booster = json_get(learner, "gradient_booster");
    const char *name = json_text(booster, "name");
    bool dart = strcmp(name, "dart") == 0;
    if (!dart && strcmp(name, "gbtree") != 0) {
        return name[0] == '\0' ? damaged(r, "learner has no gradient_booster.name")
                               : unsupported(r, "its booster (only gbtree and dart are trees)");
    }
    const struct json_object *holder = dart ? json_get(booster, "gbtree") : booster;
    int rc = find_weights(r, booster, dart);
    r->booster = json_get(holder, "model");
    if (rc == 0 && !json_is_object(r->booster)) {
        rc = damaged(r, "gradient_booster has no model");
    }
    return rc < 0 ? rc : find_weights(r, r->booster, false);
}

/* Since 3.1 a model trained on named categories keeps the names and recodes data by them, so the
 * meaning of a category's number is unknown without the names. */
static int check_xgboost(struct reader *r, const struct json_object *booster)
{
    const struct json_object *gbtree = json_get(booster, "gbtree");
    const struct json_object *param = json_get(r->booster, "gbtree_model_param");
    const struct json_object *cats = json_get(r->booster, "cats");
    int64_t vector = 0;
    int rc = head_whole(r, param, "size_leaf_vector", 0, 0, INT32_MAX, &vector);
    if (rc == 0 && vector > 1) {
        rc = unsupported(r, "its leaves are vectors (multi_strategy multi_output_tree)");
    }
    if (rc == 0 && json_len(json_get(cats, "enc")) > 0) {
        rc = unsupported(r, "its categories have names (gradient_booster.model.cats)");
    }
    if (rc < 0 ||
        (rc = check_members(r, booster, gbtree != NULL ? &of_old_dart : &of_xgboost)) < 0 ||
        (rc = check_members(r, gbtree, &of_old_gbtree)) < 0 ||
        (rc = check_members(r, r->booster, &of_model)) < 0 ||
        (rc = check_members(r, param, &of_model_param)) < 0) {
        return rc;
    }
    return check_members(r, cats, &of_cats);
}

static int read_trees(struct reader *r)
{
    const struct json_object *trees = json_get(r->booster, "trees");
    const struct json_object *groups = json_get(r->booster, "tree_info");
    size_t count = json_len(trees);
    int64_t promised = 0;
    int rc = head_whole(r, json_get(r->booster, "gbtree_model_param"), "num_trees", -1, 1,
                        INT32_MAX, &promised);
    if (rc < 0) {
        return rc;
    }
    if (count != (size_t)promised || json_len(groups) != count ||
        (r->weights != NULL && json_len(r->weights) != count)) {
        return damaged(r,
                       "num_trees is %lld; the lengths of trees, tree_info or the weights differ",
                       (long long)promised);
    }
    for (r->tree = 0; r->tree < count; r->tree++) {
        int64_t group = 0;
        if (!whole_number(json_item(groups, r->tree), &group) || group < 0 ||
            group >= (int64_t)r->model->classes) {
            return damaged(r, "tree_info[%zu] is not a class", r->tree);
        }
        if ((rc = read_tree(r, json_item(trees, r->tree), (uint32_t)group)) < 0) {
            return rc;
        }
    }
    return 0;
}

static int check_head(struct reader *r, const struct json_object *root,
                      const struct json_object *learner)
{
    const struct json_object *objective = json_get(learner, "objective");
    int64_t version = VERSION_MAX;
    if (json_get(root, "version") != NULL &&
        (!whole_number(json_item(json_get(root, "version"), 0), &version) || version < 0)) {
        return damaged(r, "version is not a list of numbers");
    }
    if (version > VERSION_MAX) {
        return unsupported(r, "it was written by a version after 3");
    }
    int rc = check_members(r, root, &of_root);
    if (rc < 0 || (rc = check_members(r, learner, &of_learner)) < 0 ||
        (rc = check_members(r, json_get(learner, "learner_model_param"), &of_learner_param)) < 0 ||
        (rc = check_members(r, objective, &of_objective)) < 0) {
        return rc;
    }
    json_object_object_foreach(objective, key, value)
    {
        (void)key;
        if ((rc = check_members(r, value, &of_objective_param)) < 0) {
            return rc;
        }
    }
    return 0;
}

/* XGBoost writes bare NaN and Infinity, which are not JSON, for unused numbers. Outside strings
 * they are replaced by strings of the same length, which keeps the offsets; where a number is
 * needed, a string is still refused. */
static void hide_not_finite(char *text, size_t len)
{
    static const char *const words[] = {"NaN", "-NaN", "Infinity", "-Infinity"};
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"') {
            quoted = !quoted;
        } else if (quoted && text[i] == '\\') {
            i++; /* skips an escaped quotation mark too */
        }
        for (size_t w = 0; !quoted && w < COUNT_OF(words); w++) {
            size_t size = strlen(words[w]);
            if (text[i] == words[w][0] && len - i >= size &&
                memcmp(text + i, words[w], size) == 0) {
                memset(text + i, ' ', size);
                text[i] = text[i + 1] = '"';
                i += size - 1;
                break;
            }
        }
    }
}

int model_read_xgboost(struct str text, const char *name, struct model *model, struct err *err)
{
    struct reader r = {.name = name, .model = model, .err = err};
    AUTO_JSON struct json_object *root = NULL;
    struct json_limits limits = {.max_bytes = MODEL_JSON_MAX, .max_depth = 16};
    AUTO_BUF struct buf copy = BUF_INIT(MODEL_JSON_MAX);
    buf_add_str(&copy, text);
    if (buf_failed(&copy)) {
        return err_set(err, ERR_FILE_TOO_LARGE, "%.80s: more than %zu MiB of JSON", name,
                       MODEL_JSON_MAX >> 20);
    }
    hide_not_finite(copy.data, copy.len);
    int rc = json_parse(buf_str(&copy), &limits, &root, err);
    if (rc < 0) {
        return err_prefix(err, "%.80s", name);
    }
    const struct json_object *learner = json_get(root, "learner");
    if (!json_is_object(learner)) {
        return err_set(err, ERR_MODEL_UNKNOWN, "%.80s: JSON without a learner", name);
    }
    if ((rc = read_learner(&r, learner)) < 0 || (rc = find_xgboost(&r, learner)) < 0 ||
        (rc = read_trees(&r)) < 0 ||
        (rc = check_xgboost(&r, json_get(learner, "gradient_booster"))) < 0) {
        return rc;
    }
    return check_head(&r, root, learner);
}
