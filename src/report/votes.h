/*
 * votes.h: how the agents voted, of about 120 decisions that stand for all of the period, since
 * votes are JSON and slow to read.
 *
 * Thread: that of the source.
 */
#pragma once

#include "source.h"

/* Adds "agents" to the open object. The report has /decisions/count already. */
int votes_add(struct source *source, struct json_out *out, struct err *err);
