/*
 * decisions.h: the part of the report that comes from one pass over the newest decisions.
 *
 * Thread: that of the source.
 */
#pragma once

#include "source.h"

/* Opens nothing: adds members to the open object "decisions", of the newest DECISIONS_READ
 * decisions since fact since_us, and "earlier" of those since earlier_us. */
#define DECISIONS_READ 100000
int decisions_add(struct source *source, struct json_out *out, struct err *err);
