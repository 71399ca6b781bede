#include "agent_run.h"

/* The eight checks have equal weight. */
#define POINTS (1.0 / 8)

static double points(bool good)
{
    return good ? POINTS : 0;
}

/* Records a flaw; the first one found is kept, so the checks run in order of severity. */
static void check(struct decision_context *context, bool good, enum flaw flaw)
{
    if (!good && context->flaw == FLAW_NONE) {
        context->flaw = flaw;
    }
}

/* Points for the bars of a frame, in proportion to DECISION_BARS. A frame finer than the decision
 * frame is never built and gets full points. */
static void check_bars(const struct decision_context *context, enum timeframe tf, const char *name,
                       struct vote *vote)
{
    const struct window *window = series_window(context->series, tf);
    bool is_built = tf >= series_decision_tf(context->series);
    double count = window_count(window);
    double share = count < DECISION_BARS ? count / DECISION_BARS : 1;
    agent_reason(vote, name, count, is_built ? DECISION_BARS : 0,
                 is_built ? POINTS * share : POINTS);
}

/* Missing bars between the oldest and the newest bar of the decision frame. */
static void check_gaps(struct decision_context *context, struct vote *vote)
{
    enum timeframe tf = series_decision_tf(context->series);
    const struct window *window = series_window(context->series, tf);
    int count = window_count(window);
    const struct bar *newest = window_at(window, 0);
    const struct bar *before = window_at(window, 1);
    const struct bar *oldest = window_at(window, count - 1);
    int64_t missing = 0;
    bool joined = true;
    if (newest != NULL && before != NULL && oldest != NULL) {
        missing = (newest->open_us - oldest->open_us) / timeframe_us(tf) + 1 - count;
        joined = newest->open_us - before->open_us == timeframe_us(tf);
    }
    agent_reason(vote, "gaps", (double)missing, 0, points(missing == 0));
    check(context, joined, FLAW_GAP);
}

static void check_candles(struct decision_context *context, struct vote *vote)
{
    const struct series *series = context->series;
    check(context, series_ready(series), FLAW_COLD);
    check(context, !series_suspect(series), FLAW_REFUSED);
    agent_reason(vote, "refused", (double)series_refused(series), 0,
                 points(!series_suspect(series)));
    check_gaps(context, vote);
    check(context, context->now_us - series->updated_us <= SERIES_STALE_US, FLAW_STALE);
}

static void check_quote(struct decision_context *context, struct vote *vote)
{
    const struct quote *q = context->quote;
    if (q == NULL) {
        check(context, false, FLAW_NO_QUOTE);
        return;
    }
    int64_t age_us = context->now_us - q->at_us;
    bool fresh = age_us <= DECISION_QUOTE_MAX_AGE_US;
    bool sane = dec_is_valid(q->ask) && q->bid.e8 > 0 && q->ask.e8 >= q->bid.e8;
    double bid = sane ? dec_to_double(q->bid) : 0;
    double spread_pct = sane ? 100 * (dec_to_double(q->ask) - bid) / bid : 0;
    bool narrow = sane && spread_pct <= DECISION_SPREAD_MAX_PCT;
    struct dec thinner = q->bid_qty.e8 < q->ask_qty.e8 ? q->bid_qty : q->ask_qty;
    agent_reason(vote, "ticker_age_s", (double)age_us / USEC_PER_SEC,
                 (double)DECISION_QUOTE_MAX_AGE_US / USEC_PER_SEC, points(fresh));
    agent_reason(vote, "spread_pct", spread_pct, DECISION_SPREAD_MAX_PCT, points(narrow));
    agent_reason(vote, "depth", thinner.e8 > 0 ? dec_to_double(thinner) : 0, 0,
                 points(thinner.e8 > 0));
    check(context, sane, FLAW_BAD_QUOTE);
    check(context, fresh, FLAW_OLD_QUOTE);
    check(context, narrow, FLAW_WIDE);
    check(context, thinner.e8 > 0, FLAW_THIN);
}

void data_sync_run(struct decision_context *context, struct vote *vote)
{
    check_bars(context, TF_5M, "bars_5m", vote);
    check_bars(context, TF_15M, "bars_15m", vote);
    check_bars(context, TF_1H, "bars_1h", vote);
    check_candles(context, vote);
    check_quote(context, vote);
}
