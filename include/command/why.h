/*
 * why.h: a decision as people read it: the same words for /why and for a replay.
 *
 *     why_head(reply, &decision);      // title, time, votes, the sum; and all of it as data
 *     why_conclusion(reply, &decision);   // held, vetoed by which rule, or the order it led to
 *     why_details(reply, &decision);   // point by point, and what market and data looked like
 *
 * Nothing is looked up: what became of an order since then is the caller's to add.
 * Thread: any, one at a time per reply.
 */
#pragma once

#include "command/reply.h"
#include "model/decision.h"

void why_head(struct reply *r, const struct decision *d);
void why_conclusion(struct reply *r, const struct decision *d);
void why_details(struct reply *r, const struct decision *d);
const char *why_hold_reason(const struct decision *d);
