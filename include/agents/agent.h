/*
 * agent.h: the table of the eight agents that make a decision.
 *
 *     agent_run_all(&context);
 *     const struct agent *agents = agent_table(&count);   // in the order in which they run
 *
 * Each agent runs once per decision and adds a vote to the decision: a direction, a confidence of
 * 0..1, and its reasons (indicator, value, threshold, points). data_sync checks the data,
 * quant_analyst reads the market, predict asks a model, bull and bear argue for their side,
 * decision_core weighs the votes, risk_audit may veto, execution makes the order. To add an agent,
 * write its run function and add a row in src/agents/agent.c; at most VOTES_MAX.
 * Invariants: the same context and the same answers of its port give the same votes, byte for byte;
 * no allocation; no text is formatted for a plain hold.
 * Thread: any.
 */
#pragma once

#include "agents/decision_context.h"

#include <string.h>

/* The side that an agent argues for, by which decision_core weighs its vote. SILENT: weight 0. */
enum agent_stance { STANCE_SILENT, STANCE_LONG, STANCE_SHORT, STANCE_FREE };

struct agent {
    char name[16];
    enum agent_stance stance;
    /* Sets direction and adds reasons; the name is set before, and all else is zero. */
    void (*run)(struct decision_context *context, struct vote *vote);
    const char *help; /* one sentence */
};

const struct agent *agent_table(int *ret_count);

/* Runs all agents over a context whose input fields are filled. Sets every field of the decision
 * except id, symbol, at_us and price, which the caller has set. */
void agent_run_all(struct decision_context *context);

/* Adds a reason and its points to a vote. A reason without points is kept too, to show why the vote
 * is not stronger. Inline, so that the compiler computes the length of a literal. */
static inline void agent_reason(struct vote *vote, const char *indicator, double value,
                                double threshold, double points)
{
    struct reason *r =
        &vote->reasons[vote->reason_count < REASONS_MAX - 1 ? vote->reason_count : REASONS_MAX - 1];
    size_t length = strlen(indicator);
    length = length < sizeof(r->indicator) ? length : sizeof(r->indicator) - 1;
    memcpy(r->indicator, indicator, length);
    r->indicator[length] = '\0';
    r->value = value;
    r->threshold = threshold;
    r->points = points;
    vote->reason_count += vote->reason_count < REASONS_MAX;
    vote->confidence += points;
}
