/*
 * backup_actions.h: the actions that copy both databases and put a copy back (store/backup.h).
 *
 *     ops->backup = (struct backup_actions){.helpers = helpers, .state_dir = dir, .clock = clock,
 *                                           .snapshot = read_snapshot, .userdata = ops};
 *     backup_actions_add(&ops->backup, table);
 *
 * Ownership: the struct must outlive the table. Thread: ops; a helper does the work.
 */
#pragma once

#include "base/clock.h"
#include "command/action.h"
#include "model/snapshot.h"

struct pool;

struct backup_actions {
    struct pool *helpers;
    const char *state_dir;
    const struct clock *clock;
    const struct snapshot *(*snapshot)(void *userdata);
    void *userdata;
};

/* NULL: the actions are only described. */
void backup_actions_add(struct backup_actions *backup, struct action_table *table);
