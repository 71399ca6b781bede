/*
 * why.h: writes a trading decision into a reply, the same way for /why and for a replay.
 *
 *     why_head(reply, &decision);         // title, time, votes, score
 *     why_conclusion(reply, &decision);   // held, vetoed (with the code), or the order
 *     why_details(reply, &decision);      // the points of each vote, market and data figures
 *
 * The caller adds the decision to the reply's data (model/model_json.h).
 * Nothing is read from a database: the caller adds the later state of an order.
 * Thread: any; one thread at a time for each reply.
 */
#pragma once

#include "command/reply.h"
#include "model/decision.h"

void why_head(struct reply *r, const struct decision *d);
void why_conclusion(struct reply *r, const struct decision *d);
void why_details(struct reply *r, const struct decision *d);
/* The reason for holding, for example "the score stayed under the threshold". Valid while d is. */
const char *why_hold_reason(const struct decision *d);
