/* What the closed trades advise. Each is the same trades with one thing done otherwise: some not
 * made, all of half the size, a stop or a target closer to the entry. */
#include "base/check.h"
#include "base/clock.h"
#include "recommend_internal.h"
#include "report/exact.h"
#include "report/mean.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_HOURS 4
#define BLOCKS      (24 / BLOCK_HOURS)
#define WEEKDAYS    7
#define WINS_LEAST  5 /* of a group, below which wins that are rare may have been missed */

/* The bits of advice_trade.groups. */
enum {
    BIT_SYMBOL = 0,
    BIT_SIDE = BIT_SYMBOL + ADVICE_SYMBOLS_MAX,
    BIT_BOTH = BIT_SIDE + 2,
    BIT_BLOCK = BIT_BOTH + 2 * ADVICE_SYMBOLS_MAX,
    BIT_WEEKDAY = BIT_BLOCK + BLOCKS,
    BIT_SOON = BIT_WEEKDAY + WEEKDAYS,
    BIT_ALL = BIT_SOON + 3,
    BIT_END
};
_Static_assert(BIT_END <= 64, "one bit for each group");

static const int soon_hours[3] = {1, 2, 4};

static int64_t day_of(int64_t us)
{
    return us / USEC_PER_DAY;
}

/* ------------------------------------------------------------------ groups */

static void set_groups(const struct advisor *a, struct advice_trade *t, const int64_t *lost_us)
{
    int hour = (int)(t->opened_us / USEC_PER_HOUR % 24);
    int weekday = (int)((day_of(t->opened_us) + 3) % WEEKDAYS); /* 1970-01-01 was a Thursday */
    t->groups = 1ULL << (BIT_SIDE + (t->side == SIDE_SHORT)) |
                1ULL << (BIT_BLOCK + hour / BLOCK_HOURS) | 1ULL << (BIT_WEEKDAY + weekday) |
                1ULL << BIT_ALL;
    if (t->symbol >= a->symbol_count) {
        return;
    }
    t->groups |= 1ULL << (BIT_SYMBOL + t->symbol) |
                 1ULL << (BIT_BOTH + 2 * t->symbol + (t->side == SIDE_SHORT));
    for (int i = 0; i < 3 && lost_us[t->symbol] > 0; i++) {
        int64_t waited_us = t->opened_us - lost_us[t->symbol];
        if (waited_us >= 0 && waited_us < soon_hours[i] * USEC_PER_HOUR) {
            t->groups |= 1ULL << (BIT_SOON + i);
        }
    }
}

/* ------------------------------------------------------------------ weighing */

/* Adds up a->values by day. A trade whose value is NaN is no case. Returns the cases. */
static int64_t add_up(const struct advisor *a, struct mean *mean)
{
    int64_t cases = 0;
    double sum = 0;
    int64_t day = 0, on_day = 0;
    for (int i = 0; i < a->trade_count; i++) {
        if (isnan(a->values[i])) {
            continue;
        }
        int64_t this_day = day_of(a->trades[i].closed_us);
        if (on_day > 0 && this_day != day) {
            mean_add(mean, sum);
            sum = 0;
            on_day = 0;
        }
        day = this_day;
        sum += a->values[i];
        on_day++;
        cases++;
    }
    if (on_day > 0) {
        mean_add(mean, sum);
    }
    return cases;
}

/* The probability of so few cases in which the change costs something, if such a case costs `harm`
 * and all that it brings were lost by them: harm that is rare may not have been seen yet. */
static double rare_harm_p(const struct advisor *a, double harm)
{
    int64_t harmed = 0;
    double gained = 0;
    for (int i = 0; i < a->trade_count; i++) {
        harmed += a->values[i] < 0;
        gained += a->values[i] > 0 ? a->values[i] : 0;
    }
    return gained > 0 && harm > 0 ? 1 - exact_poisson(harmed + 1, gained / harm) : 0;
}

/* Weighs a->values. harm: the most that the change can cost in one case; 0: not limited. */
static void weigh(struct advisor *a, struct advice *advice, double harm)
{
    struct mean mean = {0};
    advice->cases = add_up(a, &mean);
    double weekly = (double)mean.n / advisor_weeks(a);
    advice->unit = ADVICE_USD;
    advice->days = mean.n;
    advice->effect = weekly * mean_interval(&mean, &advice->low, &advice->high);
    advice->low *= weekly;
    advice->high *= weekly;
    advice->p = fmax(mean_p(&mean), rare_harm_p(a, harm));
    bool few = advice->cases < ADVICE_CASES_MIN || advice->days < ADVICE_DAYS_MIN;
    advice->state = few ? ADVICE_FEW : ADVICE_CHANCE;
    advise_add(a, advice);
}

/* What would have been saved by not making the trades of a group, but for those of `kept`. */
static double take_group(struct advisor *a, int bit, uint64_t kept)
{
    struct exact wins = {0};
    struct mean mean = {0};
    for (int i = 0; i < a->trade_count; i++) {
        const struct advice_trade *t = &a->trades[i];
        bool in = (t->groups >> bit & 1) != 0 && (t->groups & kept) == 0, win = t->pnl > 0;
        a->values[i] = in ? -t->pnl : (double)NAN;
        wins.n += in;
        wins.k += in && win;
        wins.all_n++;
        wins.all_k += win;
    }
    (void)add_up(a, &mean);
    double p = mean_p(&mean);
    return wins.k < WINS_LEAST ? fmax(p, exact_p(&wins, EXACT_LESS)) : p;
}

double advise_rest_p(struct advisor *a, int group, uint64_t kept)
{
    return take_group(a, group, kept);
}

static void weigh_group(struct advisor *a, int bit, struct advice *advice)
{
    double p = take_group(a, bit, 0);
    advice->group = bit;
    (void)str_copy(str_c("had these trades not been made"), advice->basis, sizeof(advice->basis));
    int before = a->count;
    weigh(a, advice, 0);
    if (a->count > before) {
        a->items[before].p = p;
    }
}

/* A rule in testing: it is counted, and a person activates it. */
__attribute__((format(printf, 5, 6))) static void
avoid(struct advisor *a, enum advice_area area, int bit, const char *what, const char *format, ...)
{
    struct advice advice = {.area = area};
    char condition[80];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(condition, sizeof(condition), format, args);
    va_end(args);
    (void)snprintf(advice.what, sizeof(advice.what), "Avoid %s", what);
    (void)snprintf(advice.command, sizeof(advice.command), "/rule_add avoid \"%s\" \"lost\"",
                   condition);
    weigh_group(a, bit, &advice);
}

static void advise_symbols(struct advisor *a)
{
    static const enum side sides[2] = {SIDE_LONG, SIDE_SHORT};
    char what[80];
    for (int i = 0; i < a->symbol_count; i++) {
        const char *name = a->symbols[i].name;
        avoid(a, ADVICE_SYMBOLS, BIT_SYMBOL + i, name, "symbol == %s", name);
        for (int k = 0; k < 2; k++) {
            (void)snprintf(what, sizeof(what), "%s %s", name, side_name(sides[k]));
            avoid(a, ADVICE_SYMBOLS, BIT_BOTH + 2 * i + k, what, "symbol == %s and side == %s",
                  name, side_name(sides[k]));
        }
    }
    for (int k = 0; k < 2; k++) {
        (void)snprintf(what, sizeof(what), "%s entries", side_name(sides[k]));
        avoid(a, ADVICE_SYMBOLS, BIT_SIDE + k, what, "side == %s", side_name(sides[k]));
    }
}

static void advise_hours(struct advisor *a)
{
    static const char *const days[WEEKDAYS] = {"monday", "tuesday",  "wednesday", "thursday",
                                               "friday", "saturday", "sunday"};
    static const char *const names[WEEKDAYS] = {"Mondays", "Tuesdays",  "Wednesdays", "Thursdays",
                                                "Fridays", "Saturdays", "Sundays"};
    char what[80];
    for (int i = 0; i < BLOCKS; i++) {
        int from = i * BLOCK_HOURS, last = from + BLOCK_HOURS - 1;
        (void)snprintf(what, sizeof(what), "entries from %02d:00 to %02d:59 UTC", from, last);
        avoid(a, ADVICE_HOURS, BIT_BLOCK + i, what, "hour between %d and %d", from, last);
    }
    for (int i = 0; i < WEEKDAYS; i++) {
        (void)snprintf(what, sizeof(what), "entries on %s", names[i]);
        avoid(a, ADVICE_HOURS, BIT_WEEKDAY + i, what, "weekday == %s", days[i]);
    }
}

/* ------------------------------------------------------------------ limits */

static void advise_cooldown(struct advisor *a)
{
    for (int i = 0; i < 3; i++) {
        struct advice advice = {.area = ADVICE_RISK};
        if (soon_hours[i] * USEC_PER_HOUR <= a->settings.cooldown_us) {
            continue;
        }
        (void)snprintf(advice.what, sizeof(advice.what), "Let a symbol rest for %d h after a loss",
                       soon_hours[i]);
        (void)snprintf(advice.command, sizeof(advice.command), "/update_targets risk.cooldown %dh",
                       soon_hours[i]);
        weigh_group(a, BIT_SOON + i, &advice);
    }
}

static void advise_size(struct advisor *a)
{
    struct advice advice = {.area = ADVICE_RISK, .group = BIT_ALL};
    double half = a->settings.max_position_pct / 2;
    (void)snprintf(advice.what, sizeof(advice.what), "Halve the largest position: trading loses");
    (void)snprintf(advice.basis, sizeof(advice.basis), "had all trades been half as large");
    (void)snprintf(advice.command, sizeof(advice.command), "/update_targets risk.max_position %g%%",
                   half);
    for (int i = 0; i < a->trade_count; i++) {
        a->values[i] = -a->trades[i].pnl / 2;
    }
    weigh(a, &advice, 0);
}

/* A price that went beyond the closer stop, or target, would have ended the trade there; all other
 * trades end as they did. Fees stay. */
static double with_stop(const struct advice_trade *t, double pct)
{
    double before = t->pnl + t->fees;
    double worst = fmax(t->worst_pct, -100 * before / t->notional);
    return isnan(t->worst_pct) ? (double)NAN : worst >= pct ? -pct / 100 * t->notional - before : 0;
}

static double with_target(const struct advice_trade *t, double pct)
{
    double before = t->pnl + t->fees;
    double best = fmax(t->best_pct, 100 * before / t->notional);
    return isnan(t->best_pct) ? (double)NAN : best >= pct ? pct / 100 * t->notional - before : 0;
}

static void advise_exits(struct advisor *a)
{
    static const double shares[3] = {0.25, 0.5, 0.75};
    double notional = 0;
    for (int i = 0; i < a->trade_count; i++) {
        notional += a->trades[i].notional / a->trade_count;
    }
    for (int i = 0; i < 6; i++) {
        bool stop = i < 3;
        double now = stop ? a->settings.stop_pct : a->settings.target_pct;
        double pct = round(100 * now * shares[i % 3]) / 100;
        struct advice advice = {.area = ADVICE_EXITS, .group = -1};
        if (pct < 0.1) {
            continue;
        }
        const char *word = stop ? "stop" : "target";
        (void)snprintf(advice.what, sizeof(advice.what), "Set the %s closer: %g %%, not %g %%",
                       word, pct, now);
        (void)snprintf(advice.basis, sizeof(advice.basis),
                       "had every trade that reached it ended there, without slippage");
        (void)snprintf(advice.command, sizeof(advice.command), "/update_targets risk.%s %g%%", word,
                       pct);
        for (int k = 0; k < a->trade_count; k++) {
            const struct advice_trade *t = &a->trades[k];
            a->values[k] = stop ? with_stop(t, pct) : with_target(t, pct);
        }
        double most = stop ? a->settings.target_pct + pct : a->settings.target_pct - pct;
        weigh(a, &advice, most / 100 * notional);
    }
}

/* A profit before fees that is more than chance, and none left after them. */
static void advise_fees(struct advisor *a)
{
    struct advice advice = {.area = ADVICE_COSTS, .group = -1};
    double before = 0, fees = 0;
    for (int i = 0; i < a->trade_count; i++) {
        a->values[i] = a->trades[i].pnl + a->trades[i].fees;
        before += a->values[i];
        fees += a->trades[i].fees;
    }
    if (before <= 0 || fees < before / 2) {
        return;
    }
    (void)snprintf(advice.what, sizeof(advice.what),
                   "Trade less often: fees take %.0f %% of the profit", 100 * fees / before);
    (void)snprintf(advice.basis, sizeof(advice.basis),
                   "the profit before fees; what fewer trades would keep of it is not known");
    (void)snprintf(advice.command, sizeof(advice.command), "/measure fees by=symbol");
    weigh(a, &advice, 0);
}

void advise_trades(struct advisor *a)
{
    int64_t lost_us[ADVICE_SYMBOLS_MAX] = {0};
    for (int i = 0; i < a->trade_count; i++) {
        struct advice_trade *t = &a->trades[i];
        set_groups(a, t, lost_us);
        if (t->pnl < 0 && t->symbol < a->symbol_count) {
            lost_us[t->symbol] = t->closed_us;
        }
    }
    if (a->trade_count == 0) {
        return;
    }
    advise_symbols(a);
    advise_hours(a);
    advise_cooldown(a);
    advise_size(a);
    advise_exits(a);
    advise_fees(a);
}
