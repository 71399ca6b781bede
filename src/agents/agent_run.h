/*
 * agent_run.h: the run functions of the agents, for the table in agent.c. Private to this module.
 *
 *     data_sync_run(&context, &vote);
 *
 * One file per agent; bull and bear share one. agents/decision_context.h documents the fields that
 * each agent reads and sets. Thread: any (pure but for the context's port).
 */
#pragma once

#include "agents/agent.h"

void data_sync_run(struct decision_context *context, struct vote *vote);
void quant_analyst_run(struct decision_context *context, struct vote *vote);
void predict_run(struct decision_context *context, struct vote *vote);
void side_agent_bull(struct decision_context *context, struct vote *vote);
void side_agent_bear(struct decision_context *context, struct vote *vote);
void decision_core_run(struct decision_context *context, struct vote *vote);
void risk_audit_run(struct decision_context *context, struct vote *vote);
void execution_run(struct decision_context *context, struct vote *vote);

/* The order for the decision's direction, without a size: an entry with its bracket, or the close
 * of the position. */
void execution_draft(const struct decision_context *context, struct order *ret);
