/*
 * cleanup_actions.h: the action state.free_space, which deletes what is nightdesk's own and no
 * longer needed when the disk fills up.
 *
 *     ops->space = (struct cleanup_actions){.helpers = helpers, .state_dir = dir, .alerts = alerts,
 *                                       .config = config};
 *     cleanup_actions_add(&ops->space, table);      // NULL: the action is only described
 *
 * Always true: only regular files with the names that nightdesk gives them are deleted, no link is
 * followed, and each kind only beyond what its parameter keeps: rotated logs of nightdesk and of
 * the services that it runs itself, exported files, backups, releases. Databases, the audit log and
 * its archives, journals of the engine, and everything else are never touched. Ownership: the
 * struct must outlive the table. Thread: ops; a helper does the work.
 */
#pragma once

#include "command/action.h"

struct alerts;
struct config;
struct pool;

struct cleanup_actions {
    struct pool *helpers;
    const char *state_dir;
    struct alerts *alerts;
    const struct config *config;
};

void cleanup_actions_add(struct cleanup_actions *space, struct action_table *table);
