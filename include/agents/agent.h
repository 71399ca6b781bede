/*
 * agent.h: the table of the eight that make a decision.
 *
 *     agent_run_all(&context);
 *     const struct agent *agents = agent_table(&count);   // who they are, in their order
 *
 * Each runs once a decision and leaves a vote on the board: a direction, a confidence of 0..1, and
 * its reasons (indicator, value, threshold, points). data_sync judges the data, quant_analyst
 * reads the market, predict asks a model, bull and bear make their cases, decision_core weighs
 * them, risk_audit may veto, execution makes the order. To add one: write its run function and add
 * its row in src/agents/agent.c; VOTES_MAX keeps them all.
 * Invariants: the same board and the same answers of its port give the same votes, byte for byte;
 * no allocation; no text is formatted for a plain hold.
 * Thread: any.
 */
#pragma once

#include "agents/decision_context.h"

#include <string.h>

/* Whose case an agent makes: decision_core weighs by it. SILENT ones weigh nothing. */
enum agent_stance { STANCE_SILENT, STANCE_LONG, STANCE_SHORT, STANCE_FREE };

struct agent {
    char name[16];
    enum agent_stance stance;
    /* Sets direction and adds reasons; name, and zero for the rest, are set before. */
    void (*run)(struct context *context, struct vote *vote);
    const char *help; /* one sentence */
};

const struct agent *agent_table(int *ret_count);

/* Runs the table over a board whose upper half is filled. Sets every field of the decision except
 * id, symbol, at_us and price, which the caller has set. */
void agent_run_all(struct context *context);

/* Adds a reason and its points to a vote. A reason that was looked at and gave nothing is kept
 * too (points 0): it tells why not. Inline, so that the length of a literal costs nothing. */
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
