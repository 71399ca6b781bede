#include "reflect.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define UNKNOWN ((double)NAN)
/* The Unix epoch was a Thursday; weeks begin on Monday here. */
#define EPOCH_WEEKDAY 3
#define DAYS          7
#define HOURS         24

/* ------------------------------------------------------------------ the decision */

/* The value that an agent gave as a reason; NaN: it gave none. */
static double reason_value(const struct decision *d, const char *agent, const char *indicator,
                           double *ret_threshold)
{
    for (int v = 0; v < d->vote_count; v++) {
        const struct vote *vote = &d->votes[v];
        if (agent != NULL && strcmp(vote->agent, agent) != 0) {
            continue;
        }
        for (int i = 0; i < vote->reason_count; i++) {
            if (strcmp(vote->reasons[i].indicator, indicator) == 0) {
                if (ret_threshold != NULL) {
                    *ret_threshold = vote->reasons[i].threshold;
                }
                return vote->reasons[i].value;
            }
        }
    }
    return UNKNOWN;
}

/* quant_analyst has a view of its own, though its weight is 0. */
static bool has_view(const struct vote *vote)
{
    return vote->direction != DIRECTION_NONE &&
           (vote->weight > 0 || strcmp(vote->agent, "quant_analyst") == 0);
}

static void add_name(char *dst, size_t size, const char *name)
{
    size_t len = strlen(dst);
    (void)snprintf(dst + len, size - len, "%s%s", len > 0 ? ", " : "", name);
}

static void judge_agents(const struct trade *t, const struct decision *d, struct reflection *ret)
{
    enum direction taken = t->side == SIDE_LONG ? DIRECTION_LONG : DIRECTION_SHORT;
    bool won = t->pnl.e8 > 0;
    for (int v = 0; v < d->vote_count; v++) {
        const struct vote *vote = &d->votes[v];
        if (!has_view(vote)) {
            continue;
        }
        bool right = (vote->direction == taken) == won;
        add_name(right ? ret->right : ret->wrong, sizeof(ret->right), vote->agent);
    }
}

/* ------------------------------------------------------------------ the time in between */

static double pct_of(struct dec change, struct dec entry)
{
    return 100 * dec_to_double(change) / dec_to_double(entry);
}

/* Candles that only partly belong to the trade are left out: they hold prices of before or after
 * it. */
static int64_t whole_candles(const struct trade *t)
{
    int64_t size_us = timeframe_us(TF_5M);
    int64_t first = (t->opened_us + size_us - 1) / size_us;
    int64_t end = t->closed_us / size_us;
    return end > first ? end - first : 0;
}

static void judge_excursion(const struct trade *t, const struct candle_range *range,
                            struct reflection *ret)
{
    ret->best_pct = ret->worst_pct = ret->captured_pct = UNKNOWN;
    int64_t wanted = whole_candles(t);
    if (wanted == 0) {
        (void)str_copy(str_c("it was open for less than a candle of 5 minutes"), ret->unknown,
                       sizeof(ret->unknown));
        return;
    }
    if (range->count < wanted || !dec_is_valid(range->high) || !dec_is_valid(range->low)) {
        (void)snprintf(ret->unknown, sizeof(ret->unknown), "%lld of its %lld candles are stored",
                       (long long)range->count, (long long)wanted);
        return;
    }
    struct dec high = dec_max(dec_max(range->high, t->entry_price), t->exit_price);
    struct dec low = dec_min(dec_min(range->low, t->entry_price), t->exit_price);
    bool is_long = t->side == SIDE_LONG;
    double up = pct_of(dec_sub(high, t->entry_price), t->entry_price);
    double down = pct_of(dec_sub(t->entry_price, low), t->entry_price);
    double kept = pct_of(dec_sub(t->exit_price, t->entry_price), t->entry_price);
    ret->best_pct = is_long ? up : down;
    ret->worst_pct = is_long ? down : up;
    if (ret->best_pct > 0) {
        ret->captured_pct = 100 * (is_long ? kept : -kept) / ret->best_pct;
    }
}

static double return_of(const struct trade *t)
{
    double notional = dec_to_double(t->entry_price) * dec_to_double(t->qty);
    return notional > 0 ? 100 * dec_to_double(t->pnl) / notional : 0;
}

void reflect_on(const struct trade *t, const struct decision *d, const struct candle_range *range,
                struct reflection *ret)
{
    *ret = (struct reflection){.trade_id = t->id,
                               .symbol = t->symbol,
                               .side = t->side,
                               .opened_us = t->opened_us,
                               .closed_us = t->closed_us,
                               .pnl = t->pnl,
                               .return_pct = return_of(t),
                               .score = UNKNOWN,
                               .threshold = UNKNOWN,
                               .p_up = UNKNOWN};
    (void)str_copy(str_c(t->exit_reason), ret->exit_reason, sizeof(ret->exit_reason));
    if (d != NULL) {
        ret->decision_id = d->id;
        ret->score = d->score;
        ret->threshold = d->threshold;
        ret->p_up = reason_value(d, "predict", "p_up", NULL);
        judge_agents(t, d, ret);
    }
    judge_excursion(t, range, ret);
}

void reflect_case(const struct trade *t, const struct decision *d, struct study_case *ret)
{
    int64_t hours = d->at_us / USEC_PER_HOUR;
    double bias = reason_value(d, "decision_core", "rules", NULL);
    double signal = UNKNOWN;
    *ret =
        (struct study_case){.trade_id = t->id,
                            .symbol = t->symbol,
                            .side = t->side,
                            .regime = d->regime,
                            .hour = (int)(hours % HOURS),
                            .weekday = (int)((d->at_us / USEC_PER_DAY + EPOCH_WEEKDAY) % DAYS),
                            .won = t->pnl.e8 > 0,
                            .return_pct = return_of(t),
                            .price = dec_to_double(d->price),
                            .score = d->score - (isnan(bias) ? 0 : bias),
                            .rsi14 = reason_value(d, "quant_analyst", "rsi14", NULL),
                            .macd = reason_value(d, "quant_analyst", "macd", &signal),
                            .bb_width_1h = reason_value(d, "quant_analyst", "width_1h_pct", NULL)};
    ret->macd_signal = signal;
}
