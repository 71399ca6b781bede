/*
 * model_build.h: the internals of a model, for the two readers that fill it and the evaluator.
 *
 *     struct model *model = model_new();
 *     model_add_tree(model, &draft, &flaw);       // checks the draft and copies it in pre-order
 *
 * Invariants: see agents/model.h. All trees are in one array, in pre-order: the left child follows
 * its parent.
 * Thread: the one that reads the model.
 */
#pragma once

#include "agents/model.h"

#include <stdbool.h>
#include <stdint.h>

/* LightGBM treats absolute values up to this as zero. It is a float there, so it is one here. */
#define MODEL_NEARLY_ZERO ((double)1e-35F)

/* The transformation of the sum of leaves into a prediction. */
enum model_output {
    MODEL_OUTPUT_IDENTITY,
    MODEL_OUTPUT_SIGMOID, /* of each class independently */
    MODEL_OUTPUT_SOFTMAX,
    MODEL_OUTPUT_EXP,
    MODEL_OUTPUT_LOG1P_EXP,
    MODEL_OUTPUT_SIGNED_SQUARE,
};

enum model_flag {
    MODEL_CATEGORICAL = 1U << 0,  /* decided by the category's bit, not the threshold */
    MODEL_SET_RIGHT = 1U << 1,    /* a category in the set goes right (XGBoost), not left */
    MODEL_DEFAULT_LEFT = 1U << 2, /* missing values go left */
    MODEL_NAN_MISSING = 1U << 3,  /* NaN is missing; without it NaN counts as 0 */
    MODEL_ZERO_MISSING = 1U << 4, /* 0 is missing too */
};

struct model_node {
    union {
        double threshold; /* values up to it go left */
        struct {
            uint32_t first, count; /* words of the category set */
        } set;
    };
    uint32_t feature;
    uint32_t flags;
    int32_t child[2]; /* left, right: a node, or ~leaf */
};

/* A linear leaf: constant + sum of terms. */
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
    int32_t line_shift; /* of a linear tree: leaf + line_shift is the index of its line */
    uint32_t group;     /* the class whose sum it is part of */
    bool linear;
};

struct model {
    bool single; /* XGBoost: everything is rounded to float */
    bool average;
    enum model_output output;
    double sigmoid; /* factor before the sigmoid */
    size_t features, classes;
    double *base; /* the start value of the sum of each class */
    struct model_tree *trees;
    struct model_node *nodes;
    double *leaves;
    struct model_line *lines;
    struct model_term *terms;
    uint32_t *words;
    size_t tree_count, node_count, leaf_count, line_count, term_count, word_count;
    size_t tree_cap, node_cap, leaf_cap, line_cap, term_cap, word_cap;
};

/* A tree as read from a file. Children are indexes of this draft, features those of the model; the
 * reader has checked the range of both. Borrowed, not kept. */
struct model_draft {
    const struct model_node *nodes; /* their sets are words that the model has already */
    const double *leaves;
    const struct model_line
        *lines; /* one per leaf, with terms of the model; NULL: constant leaves */
    size_t node_count, leaf_count;
    int32_t root; /* 0, or ~leaf */
    uint32_t group;
    bool whole; /* an unreachable node is an error */
};

/* What is wrong with a draft; the reader adds the position in its file. */
struct model_flaw {
    const char *what; /* "no node points to node", followed by the index */
    size_t index;
};

struct model *model_new(void);
/* Grows the array to hold `more` items after `count`. Aborts without memory; the readers limit the
 * counts by the size of the file. */
void *model_reserve(void *items, size_t count, size_t *cap, size_t more, size_t item_size);
/* False when the draft is not a tree: a node is reached twice, or never. */
bool model_add_tree(struct model *model, const struct model_draft *draft, struct model_flaw *ret);

int model_read_lightgbm(struct str text, const char *name, struct model *model, struct err *err);
int model_read_xgboost(struct str text, const char *name, struct model *model, struct err *err);
