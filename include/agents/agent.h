/*
 * agent.h: the table of those who have an opinion on a market.
 *
 *     const struct agent *agents = agent_table(&count);
 *     agents[i].vote(&view, &vote);
 *
 * An agent looks at a view and leaves a vote: a direction, a confidence of 0..1, and the reasons
 * (indicator, value, threshold, points) of which the confidence is the sum. To add one: write its
 * vote function and add its row in src/agents/agent.c.
 * Invariants: pure: the same view gives the same vote; no allocation.
 * Thread: any.
 */
#pragma once

#include "market/series.h"
#include "model/decision.h"

struct agent_view {
    const struct series *series; /* series_ready() */
};

enum agent_stance { AGENT_SPEAKS_LONG, AGENT_SPEAKS_SHORT };

struct agent {
    const char *name;
    enum agent_stance stance; /* whose case it makes; the decision core weighs by it */
    /* Fills direction, confidence and reasons; the caller has set the name and zeroed the rest. */
    void (*vote)(const struct agent_view *view, struct vote *ret);
};

const struct agent *agent_table(int *ret_count);

/* Adds a reason and its points to a vote. A reason that was looked at and gave nothing is kept
 * too (points 0): it tells why not. */
void agent_reason(struct vote *vote, const char *indicator, double value, double threshold,
                  double points);
