/*
 * recommend.h: the action assistant.recommend: what could be done better, by the figures of both
 * databases and without a model, ordered by expected effect, each with its command.
 *
 *     struct recommender recommender = {.helpers = helpers, .state_dir = dir,
 *                                       .config = current_config, .userdata = self};
 *     recommend_actions(&recommender, table);
 *
 * Always true: it changes nothing; what could be chance is never called a recommendation
 * (docs/recommend.md says how that is decided). The databases are read on a helper.
 * Thread: ops.
 */
#pragma once

#include "command/action.h"

struct config;
struct pool;

/* Must outlive the table. */
struct recommender {
    struct pool *helpers;                           /* NULL: this thread reads (tests) */
    const char *state_dir;                          /* of the two databases */
    const struct config *(*config)(void *userdata); /* the one that is in force */
    void *userdata;
};

/* recommender may be NULL if no action will be run. */
void recommend_actions(struct recommender *recommender, struct action_table *table);
