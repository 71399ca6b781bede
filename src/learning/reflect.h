/*
 * reflect.h: looks back at a closed trade: what was expected, what happened, who was right.
 *
 *     reflect_on(&trade, &decision, &range, &reflection);    // decision NULL: it is not stored
 *     bool has = reflect_case(&trade, &decision, &study_case);
 *
 * An agent counts as right if it voted for the side of a trade that made money, or against the side
 * of one that lost. Agents that only repeat the decision (decision_core, risk_audit, execution) and
 * those that voted for neither side are left out.
 * Private to this module. Thread: any (pure).
 */
#pragma once

#include "model/decision.h"
#include "model/position.h"
#include "store/candle_table.h"
#include "store/reflection_table.h"
#include "study.h"

/* range: the candles that lie wholly within the time in which the trade was open. */
void reflect_on(const struct trade *trade, const struct decision *decision,
                const struct candle_range *range, struct reflection *ret);
void reflect_case(const struct trade *trade, const struct decision *decision,
                  struct study_case *ret);
