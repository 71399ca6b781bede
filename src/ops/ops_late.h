/*
 * ops_late.h: tells what became of a request whose command had been reported as failed: in the
 * message of its run, and as an alert when it was done after all. Private to this module.
 *
 *     static unsigned report_late(const struct desk_late *late, void *userdata)
 *     {
 *         return ops_late_tell(late, ops->runner, ops->alerts);
 *     }
 *
 * Invariants: a part that could be stored is never stored again, whatever became of the other one.
 * Thread: ops.
 */
#pragma once

#include "command/trading.h"

struct alerts;
struct runner;

/* The parts (enum desk_late_part) that need not be told again: those that are stored now, and those
 * that there is nothing to say in. runner NULL: there is no message yet. */
unsigned ops_late_tell(const struct desk_late *late, struct runner *runner, struct alerts *alerts);
