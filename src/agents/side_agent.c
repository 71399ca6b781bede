#include "agents/side_agent.h"

#define EXTREME_POINTS  0.4
#define SIDE_POINTS     0.2
#define EMA_POINTS      0.3
#define HOUR_EMA_POINTS 0.3
#define VOTE_ABOVE      0.3

static void vote_for(const struct agent_view *view, int sign, struct vote *ret)
{
    const struct frame *five = &view->series->frames[TF_5M];
    const struct frame *hour = &view->series->frames[TF_1H];
    double rsi = rsi_value(&five->rsi);
    double extreme = 50 - sign * 20; /* sold out speaks for a rise, bought out for a fall */

    agent_reason(ret, "rsi14", rsi, extreme, sign * (extreme - rsi) >= 0 ? EXTREME_POINTS : 0);
    agent_reason(ret, "rsi14_side", rsi, 50, sign * (rsi - 50) > 0 ? SIDE_POINTS : 0);
    double fast = ema_value(&five->fast);
    double slow = ema_value(&five->slow);
    agent_reason(ret, "ema12_5m", fast, slow, sign * (fast - slow) > 0 ? EMA_POINTS : 0);
    if (ema_ready(&hour->slow)) {
        fast = ema_value(&hour->fast);
        slow = ema_value(&hour->slow);
        agent_reason(ret, "ema12_1h", fast, slow, sign * (fast - slow) > 0 ? HOUR_EMA_POINTS : 0);
    }
    if (ret->confidence > 1) {
        ret->confidence = 1;
    }
    /* Sums of tenths are not exact: .3 itself is not above .3. */
    if (ret->confidence > VOTE_ABOVE + 0.0005) {
        ret->direction = sign > 0 ? DIRECTION_LONG : DIRECTION_SHORT;
    }
}

void side_agent_bull(const struct agent_view *view, struct vote *ret)
{
    vote_for(view, 1, ret);
}

void side_agent_bear(const struct agent_view *view, struct vote *ret)
{
    vote_for(view, -1, ret);
}
