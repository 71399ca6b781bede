/*
 * invariants.h: evaluates the table of invariant.h over the databases and the report so far.
 *
 * Thread: that of the source.
 */
#pragma once

#include "report/invariant.h"
#include "source.h"

/* Adds "invariants" to the report. */
void invariants_add(struct source *source, struct json_out *out);
