/*
 * model_build.h: the inside of a model, for the two readers that fill it and the one evaluator.
 *
 *     struct model *model = model_new();
 *     model_add_tree(model, &draft, &why);        // checks, lays out anew, links
 *
 * Invariants: see agents/model.h. Trees are laid out in pre-order, the left child beside its
 * parent, in one array for all trees.
 * Thread: the one that reads the model.
 */
#pragma once

#include "agents/model.h"

#include <stdbool.h>
#include <stdint.h>

/* LightGBM takes what is this near to zero for zero; a float there, so it is one here. */
#define MODEL_NEARLY_ZERO ((double)1e-35F)

/* How a sum of leaves becomes an answer. */
enum model_output {
    MODEL_OUTPUT_IDENTITY,
    MODEL_OUTPUT_SIGMOID, /* of each class alone */
    MODEL_OUTPUT_SOFTMAX,
    MODEL_OUTPUT_EXP,
    MODEL_OUTPUT_LOG1P_EXP,
    MODEL_OUTPUT_SIGNED_SQUARE,
};

enum model_flag {
    MODEL_CATEGORICAL = 1U << 0,  /* the category's bit decides, not the threshold */
    MODEL_SET_RIGHT = 1U << 1,    /* a category in the set goes right (XGBoost), else left */
    MODEL_DEFAULT_LEFT = 1U << 2, /* where the missing go */
    MODEL_NAN_MISSING = 1U << 3,  /* NaN is missing; without it NaN counts as 0 */
    MODEL_ZERO_MISSING = 1U << 4, /* and so is 0 */
};

struct model_node {
    union {
        double threshold; /* at or below goes left */
        struct {
            uint32_t first, count; /* words of the category set */
        } set;
    };
    uint32_t feature;
    uint32_t flags;
    int32_t child[2]; /* left, right: a node, or ~leaf */
};

/* A leaf that is a line: constant + sum of terms. */
struct model_line {
    double constant;
    uint32_t first, count; /* terms */
};

struct model_term {
    double factor;
    uint32_t feature;
};

struct model_tree {
    int32_t root;       /* a node, or ~leaf */
    int32_t line_shift; /* a linear tree: leaf + line_shift is its line */
    uint32_t group;     /* the class that it adds to */
    bool linear;
};

struct model {
    bool single; /* XGBoost: everything is rounded to float */
    bool average;
    enum model_output output;
    double sigmoid; /* factor before the sigmoid */
    size_t features, classes;
    double *base; /* one a class: what a sum starts with */
    struct model_tree *trees;
    struct model_node *nodes;
    double *leaves;
    struct model_line *lines;
    struct model_term *terms;
    uint32_t *words;
    size_t tree_count, node_count, leaf_count, line_count, term_count, word_count;
    size_t tree_cap, node_cap, leaf_cap, line_cap, term_cap, word_cap;
};

/* A tree as it stands in a file: children are indexes of this draft, features those of the model;
 * the reader has checked the range of both. Borrowed, not kept. */
struct model_draft {
    const struct model_node *nodes; /* sets name words of the model, which stand there already */
    const double *leaves;
    const struct model_line *lines; /* one a leaf, terms of the model; NULL: leaves are constant */
    size_t node_count, leaf_count;
    int32_t root; /* 0, or ~leaf */
    uint32_t group;
    bool whole; /* what cannot be reached is an error */
};

/* What is wrong with a draft, for the reader to put its place before. */
struct model_flaw {
    const char *what; /* "node %" … with its index beside it */
    size_t index;
};

struct model *model_new(void);
/* Makes room for `more` items behind `count`; aborts without memory, the readers cap what they
 * ask for by the size of the file. */
void *model_room(void *items, size_t count, size_t *cap, size_t more, size_t item_size);
/* False when the draft is not a tree: something is reached twice, or never. */
bool model_add_tree(struct model *model, const struct model_draft *draft, struct model_flaw *ret);

int model_read_lightgbm(struct str text, const char *name, struct model *model, struct err *err);
int model_read_xgboost(struct str text, const char *name, struct model *model, struct err *err);
