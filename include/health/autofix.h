/*
 * autofix.h: runs the commands whose manifest has a `trigger` (command/trigger.h) when an alert
 * fits, and looks whether that helped.
 *
 *     struct autofix *autofix = autofix_new(&(struct autofix_options){…});
 *     autofix_actions(autofix, table);                   // autofix.switch
 *     autofix_start(autofix, manifests, runner); each second: autofix_tick(autofix);
 *
 * Always true: one fix runs at a time, while the effects of others are awaited; at most `times`
 * runs for the same item within `within`, also over a restart, since they are counted in
 * command_runs; none while it is off, during maintenance, for an alert that somebody has
 * acknowledged or that has an open cause, or within ten minutes after a person began a command that
 * changes something about the same item. A lock that a person's run holds puts it off. After a run
 * the alert has `verify` to resolve. A playbook with `undo` waits for its alert itself, and undoes
 * what it changed if the alert stays open; the incident says "undone" or "nothing to undo". If the
 * run failed, or the alert did not resolve and no attempt is left, it is escalated: raised to
 * critical once, with what was tried. How the last run of each playbook ended is kept. Thread: ops.
 */
#pragma once

#include "command/action.h"

#include <stdbool.h>

struct access;
struct alerts;
struct autofix;
struct clock;
struct manifest_list;
struct ops_store;
struct runner;

struct autofix_options {
    const struct clock *clock;
    struct ops_store *store;
    struct access *access;
    struct alerts *alerts;
    /* No order is open and nobody's command is running. */
    bool (*quiet)(void *userdata);
    void *userdata;
};

struct autofix *autofix_new(const struct autofix_options *options); /* never NULL */
void autofix_free(struct autofix *autofix);                         /* after the runner */
/* manifests: as they are now and after a reload. */
void autofix_start(struct autofix *autofix, const struct manifest_list *manifests,
                   struct runner *runner);
void autofix_tick(struct autofix *autofix);
void autofix_actions(struct autofix *autofix, struct action_table *table);
