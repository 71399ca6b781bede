/*
 * measure.h: the actions trading.measure and ops.measure: one measure of a period, as a person or a
 * model asks for it.
 *
 *     struct measures measures = {.helpers = helpers, .state_dir = dir, .config = current_config,
 *                                 .userdata = self};
 *     measure_actions(&measures, table);
 *
 * Always true: the databases are read on a helper with connections of its own; the reply names the
 * period, and how many rows its figures are of; a rate has its 95 % interval.
 * Thread: ops.
 */
#pragma once

#include "command/action.h"

struct config;
struct pool;

/* Must outlive the table. */
struct measures {
    struct pool *helpers;                           /* NULL: this thread reads (tests) */
    const char *state_dir;                          /* of the two databases */
    const struct config *(*config)(void *userdata); /* the one that is in force */
    void *userdata;
};

/* measures may be NULL if no action will be run. */
void measure_actions(struct measures *measures, struct action_table *table);
