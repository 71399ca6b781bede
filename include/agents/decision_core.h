/*
 * decision_core.h: from votes to a direction.
 *
 *     decision_core_decide(&view, threshold, &decision);
 *     if (decision.direction != DIRECTION_NONE) ...
 *
 * Weights: in a trending market the agent that speaks for the way the price goes weighs .6, the
 * other .4; in a choppy one the other way round (what went up comes back); in a neutral one .5
 * each. score = sum of (+long, -short) weight * confidence, divided by the largest weight of the
 * regime and cut to -1..1: one favoured agent that is sure reaches 1, so every threshold below 1
 * can be met. direction is that of the score when |score| >= threshold, else none.
 * Thread: any (pure).
 */
#pragma once

#include "agents/agent.h"

/* Fills regime, votes, score, threshold and direction; outcome HOLD. The caller fills the rest.
 * A series that is not ready gets no votes and no direction. */
void decision_core_decide(const struct agent_view *view, double threshold, struct decision *ret);
