/*
 * invariants.h: evaluates the table of invariant.h over the databases and the report so far.
 *
 * Thread: that of the source.
 */
#pragma once

#include "report/invariant.h"
#include "source.h"

/* Adds, as members, those that read tables, or those that read the report or need the facts of
 * trades_add: these come last. */
void invariants_add(struct source *source, bool last, struct json_out *out);
