/*
 * eight.h: what each agent does when the table (agent.c) runs it. Private to this room.
 *
 *     data_sync_run(&context, &vote);
 *
 * One file an agent; bull and bear share one. What each reads and leaves on the board is told in
 * agents/decision_context.h. Thread: any (pure but for the board's port).
 */
#pragma once

#include "agents/agent.h"

void data_sync_run(struct context *context, struct vote *vote);
void quant_analyst_run(struct context *context, struct vote *vote);
void predict_run(struct context *context, struct vote *vote);
void side_agent_bull(struct context *context, struct vote *vote);
void side_agent_bear(struct context *context, struct vote *vote);
void decision_core_run(struct context *context, struct vote *vote);
void risk_audit_run(struct context *context, struct vote *vote);
void execution_run(struct context *context, struct vote *vote);

/* The order that execution would send for the decision's direction, without a size: an entry with
 * its bracket, or the close of what is held. */
void execution_draft(const struct context *context, struct order *ret);
