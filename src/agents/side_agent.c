#include "agent_run.h"

/*
 * Bull and Bear: one implementation, two signs. The points for a rise (those for a fall are the
 * mirror image): RSI at or below 30: .4; RSI below 50: .2 more; MACD above its signal: .3; close at
 * or below the lower band: .3. Together at most 1. It votes only above .3, so MACD, the band, or an
 * RSI between 30 and 50 alone is not enough.
 */
#define EXTREME_POINTS 0.4
#define SIDE_POINTS    0.2
#define MACD_POINTS    0.3
#define BAND_POINTS    0.3
#define VOTE_ABOVE     0.3
#define EXTREME_FROM   20 /* of 50 */

static void vote_for_side(const struct decision_context *context, int sign, struct vote *vote)
{
    if (!context->is_warm) {
        return;
    }
    const struct reading *r = &context->reading;
    double extreme = 50 - sign * EXTREME_FROM;
    double band = sign > 0 ? r->bands.lower : r->bands.upper;
    agent_reason(vote, "rsi14", r->rsi, extreme,
                 sign * (extreme - r->rsi) >= 0 ? EXTREME_POINTS : 0);
    agent_reason(vote, "rsi14_side", r->rsi, 50, sign * (50 - r->rsi) > 0 ? SIDE_POINTS : 0);
    agent_reason(vote, "macd", r->macd, r->macd_signal,
                 sign * (r->macd - r->macd_signal) > 0 ? MACD_POINTS : 0);
    agent_reason(vote, "band", r->close, band, sign * (band - r->close) >= 0 ? BAND_POINTS : 0);
    if (vote->confidence > 1) {
        vote->confidence = 1;
    }
    /* A sum of tenths is not exact: .3 must not count as above .3. */
    if (vote->confidence > VOTE_ABOVE + 0.0005) {
        vote->direction = sign > 0 ? DIRECTION_LONG : DIRECTION_SHORT;
    }
}

void side_agent_bull(struct decision_context *context, struct vote *vote)
{
    vote_for_side(context, 1, vote);
}

void side_agent_bear(struct decision_context *context, struct vote *vote)
{
    vote_for_side(context, -1, vote);
}
