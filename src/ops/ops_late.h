/*
 * ops_late.h: reports the outcome of a request whose command was already reported as failed: edits
 * the run's message, and raises an alert if the request took effect after all. Private to this
 * module.
 *
 *     static unsigned report_late(const struct desk_late *late, void *userdata)
 *     {
 *         return ops_late_report(late, ops->runner, ops->alerts);
 *     }
 *
 * Always true: a part that was stored is never stored again, even if the other part failed.
 * Thread: ops.
 */
#pragma once

#include "trading/desk.h"

struct alerts;
struct runner;

/* Returns the parts (enum desk_late_part) that are done: stored now or before, or not needed.
 * runner NULL: there is no message to edit yet. */
unsigned ops_late_report(const struct desk_late *late, struct runner *runner,
                         struct alerts *alerts);
