#include "risk/risk.h"

#include "base/check.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>

/* Amounts below are doubles in units of 1e-16 quote, the product of two dec as they stand: exact
 * up to 2^53 and within 1e-15 of it beyond, which is finer than any lot. */
#define RAW_ONE  1e16
#define RAW_E8   1e8               /* of an amount as it stands in a dec */
#define RAW_MOST (0x1p63 * RAW_E8) /* what a dec can hold */
#define RAW_PCT  (RAW_E8 / 100)    /* of a dec, one per cent */

#define QTY_MOST 9.2e18 /* below what a dec can hold by more than a lot */

struct look {
    const struct risk_account *a;
    const struct settings *s;
    const struct order *o;
    double equity;      /* as it stands in the dec, as are both prices */
    double reference;   /* what the decision saw, and the stop is measured from */
    double price;       /* what a size is valued at: the worse of that and what it may fill at */
    double notional;    /* raw; NaN of a size that is less than one lot */
    double free;        /* raw: equity that maintenance margin leaves */
    double maintenance; /* of a notional, 0..1 */
};

/* Either it holds or not, whatever the size; or it sets a limit to the notional. */
struct rule {
    bool (*holds)(const struct look *l);
    double (*limit)(const struct look *l); /* raw; may be negative or infinite */
    void (*say)(const struct look *l, char ret[96]);
};

__attribute__((format(printf, 2, 3))) static void say(char ret[96], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ret, 96, format, args);
    va_end(args);
}

static inline double smaller(double a, double b)
{
    return a < b ? a : b;
}

static inline double larger(double a, double b)
{
    return a > b ? a : b;
}

static double ratio_pct(struct dec part, struct dec whole)
{
    return whole.e8 > 0 ? 100.0 * dec_to_double(part) / dec_to_double(whole) : 0;
}

double risk_daily_loss_pct(const struct risk_account *account)
{
    return ratio_pct(dec_sub(account->day_start_equity, account->equity),
                     account->day_start_equity);
}

double risk_drawdown_pct(const struct risk_account *account)
{
    double pct = ratio_pct(dec_sub(account->equity_peak, account->equity), account->equity_peak);
    return pct > 0 ? pct : 0;
}

/* ---------------------------------------------------------------- rules that hold or do not */

static bool not_halted(const struct look *l)
{
    return !l->a->halted && l->a->state != TRADING_EMERGENCY;
}

static void explain_halted(const struct look *l, char ret[96])
{
    say(ret, "%s",
        l->a->state == TRADING_EMERGENCY ? "emergency stop is active" : "trading is halted");
}

static bool started(const struct look *l)
{
    return l->a->state != TRADING_STARTING;
}

static void explain_starting(const struct look *l, char ret[96])
{
    (void)l;
    say(ret, "not reconciled with the venue yet");
}

static bool not_paused(const struct look *l)
{
    return l->a->state != TRADING_PAUSED;
}

static void explain_paused(const struct look *l, char ret[96])
{
    (void)l;
    say(ret, "trading is paused");
}

static bool no_maintenance(const struct look *l)
{
    return l->a->state != TRADING_MAINTENANCE;
}

static void explain_maintenance(const struct look *l, char ret[96])
{
    (void)l;
    say(ret, "maintenance is under way");
}

static bool breaker_holds(const struct look *l)
{
    return l->a->state != TRADING_BREAKER;
}

static void explain_breaker(const struct look *l, char ret[96])
{
    (void)l;
    say(ret, "circuit breaker has tripped");
}

static bool nothing_foreign(const struct look *l)
{
    return !l->a->foreign;
}

static void explain_foreign(const struct look *l, char ret[96])
{
    say(ret, "the venue holds %s that the bot did not open", l->o->symbol.name);
}

static bool fresh(const struct look *l)
{
    return l->a->price_updated_us > 0 && !l->a->price_suspect &&
           l->a->now_us - l->a->price_updated_us <= RISK_STALE_AFTER_US;
}

static void explain_stale(const struct look *l, char ret[96])
{
    if (l->a->price_updated_us <= 0) {
        say(ret, "no price yet");
        return;
    }
    if (l->a->price_suspect) {
        say(ret, "the newest candle was refused");
        return;
    }
    say(ret, "price is %lld s old, at most %lld s",
        (long long)((l->a->now_us - l->a->price_updated_us) / USEC_PER_SEC),
        (long long)(RISK_STALE_AFTER_US / USEC_PER_SEC));
}

/* An invalid dec is below every number, so it is never between two that are above zero. */
static bool protected(const struct look *l)
{
    int64_t price = l->o->reference_price.e8;
    int64_t stop = l->o->stop.e8;
    int64_t target = l->o->target.e8;
    return l->o->side == SIDE_LONG ? 0 < stop && stop < price && price < target
                                   : 0 < target && target < price && price < stop;
}

static void explain_unprotected(const struct look *l, char ret[96])
{
    char stop[DEC_TEXT_SIZE];
    char price[DEC_TEXT_SIZE];
    const struct order *o = l->o;
    bool set = dec_is_valid(o->stop) && dec_is_valid(o->target) &&
               dec_is_valid(o->reference_price) && o->stop.e8 > 0 && o->target.e8 > 0;
    say(ret, "%s at %s has its stop at %s", side_name(o->side),
        dec_is_valid(o->reference_price) ? dec_text(o->reference_price, price) : "?",
        set ? dec_text(o->stop, stop) : "none");
}

static bool rested(const struct look *l)
{
    return l->a->cooldown_until_us <= l->a->now_us;
}

static void explain_cooldown(const struct look *l, char ret[96])
{
    int64_t left_us = l->a->cooldown_until_us - l->a->now_us;
    say(ret, "%lld min of cooldown left", (long long)((left_us + USEC_PER_MIN - 1) / USEC_PER_MIN));
}

static bool not_busy(const struct look *l)
{
    return !l->a->symbol_busy;
}

static void explain_busy(const struct look *l, char ret[96])
{
    say(ret, "%s has a position or an order", l->o->symbol.name);
}

static bool position_left(const struct look *l)
{
    return l->a->positions_open < l->s->max_positions;
}

static void explain_positions(const struct look *l, char ret[96])
{
    say(ret, "%lld of %lld positions open", (long long)l->a->positions_open,
        (long long)l->s->max_positions);
}

static bool unhurried(const struct look *l)
{
    return l->a->orders_lately < l->s->max_orders_per_minute;
}

static void explain_hurried(const struct look *l, char ret[96])
{
    say(ret, "%lld entries in the last minute of %lld", (long long)l->a->orders_lately,
        (long long)l->s->max_orders_per_minute);
}

/* Has less than so much of the whole been lost? Without the division that a figure needs. */
static bool lost_less(struct dec whole, struct dec left, double pct)
{
    double all = (double)whole.e8;
    return dec_is_valid(left) && dec_is_valid(whole) &&
           (all <= 0 || 100 * (all - (double)left.e8) < pct * all);
}

static bool day_holds(const struct look *l)
{
    return lost_less(l->a->day_start_equity, l->a->equity, l->s->max_daily_loss_pct);
}

static void explain_daily_loss(const struct look *l, char ret[96])
{
    say(ret, "daily loss %.2f %% of %.2f %%", risk_daily_loss_pct(l->a), l->s->max_daily_loss_pct);
}

static bool peak_holds(const struct look *l)
{
    return lost_less(l->a->equity_peak, l->a->equity, l->s->max_drawdown_pct);
}

static void explain_drawdown(const struct look *l, char ret[96])
{
    say(ret, "drawdown %.2f %% of %.2f %%", risk_drawdown_pct(l->a), l->s->max_drawdown_pct);
}

static bool wins_come(const struct look *l)
{
    return l->a->losses_in_a_row < l->s->max_consecutive_losses;
}

static void explain_losses(const struct look *l, char ret[96])
{
    say(ret, "%lld losses in a row of %lld", (long long)l->a->losses_in_a_row,
        (long long)l->s->max_consecutive_losses);
}

static bool of_its_own(const struct look *l)
{
    return l->a->correlation <= l->s->max_correlation;
}

static void explain_correlation(const struct look *l, char ret[96])
{
    say(ret, "moves with %s by %.2f, at most %.2f", l->a->correlated_with.name, l->a->correlation,
        l->s->max_correlation);
}

/* ---------------------------------------------------------------- rules that limit the size */

static double percent_of_equity(const struct look *l, double pct)
{
    return l->equity * (pct * RAW_PCT);
}

/* The notional that loses so much of equity when the stop is hit. */
static double limit_by_stop(const struct look *l)
{
    double distance = fabs(l->reference - (double)l->o->stop.e8);
    return percent_of_equity(l, l->s->risk_per_trade_pct) * l->price / distance;
}

static double limit_position(const struct look *l)
{
    double by_size = smaller(percent_of_equity(l, l->s->max_position_pct), RAW_MOST);
    return smaller(by_size, limit_by_stop(l));
}

static double limit_symbol(const struct look *l)
{
    return percent_of_equity(l, l->s->tiers[l->a->tier].max_position_pct) -
           (double)l->a->symbol_exposure.e8 * RAW_E8;
}

static double limit_tier(const struct look *l)
{
    return percent_of_equity(l, l->s->tiers[l->a->tier].max_exposure_pct) -
           (double)l->a->tier_exposure.e8 * RAW_E8;
}

static double limit_total(const struct look *l)
{
    return percent_of_equity(l, l->s->max_exposure_pct) - (double)l->a->exposure.e8 * RAW_E8;
}

static double limit_leverage(const struct look *l)
{
    return l->equity * (l->s->max_leverage * RAW_E8) - (double)l->a->exposure.e8 * RAW_E8;
}

/* n / leverage + m * n <= free */
static double limit_margin(const struct look *l)
{
    return l->free * l->s->max_leverage / (1 + l->maintenance * l->s->max_leverage);
}

static double weight_of(enum side side, double maintenance)
{
    return side == SIDE_LONG ? 1 - maintenance : 1 + maintenance;
}

/* distance(n) = (free - m * n) / (w * n) >= least, and the same of the positions that stand, which
 * the entry's maintenance margin brings nearer to their end. */
static double limit_liquidation(const struct look *l)
{
    double least = l->s->min_liquidation_distance_pct * 0.01;
    double m = l->maintenance;
    double own = l->free / (least * weight_of(l->o->side, m) + m);
    double heaviest = larger((double)l->a->long_notional.e8 * weight_of(SIDE_LONG, m),
                             (double)l->a->short_notional.e8 * weight_of(SIDE_SHORT, m));
    double left = l->free - least * heaviest * RAW_E8;
    if (left < 0) {
        return left;
    }
    return m > 0 ? smaller(own, left / m) : own;
}

static double pct_of_equity(const struct look *l, double raw)
{
    return l->equity > 0 ? raw / (l->equity * RAW_PCT) : 0;
}

static struct dec largest_qty(const struct look *l, double limit);

static void explain_position(const struct look *l, char ret[96])
{
    char qty[DEC_TEXT_SIZE];
    char most[DEC_TEXT_SIZE];
    double loss_pct =
        pct_of_equity(l, l->notional) * fabs(l->reference - (double)l->o->stop.e8) / l->price;
    if (!dec_is_valid(l->o->qty) || l->o->qty.e8 <= 0) {
        say(ret, "size %s is not above zero",
            dec_is_valid(l->o->qty) ? dec_text(l->o->qty, qty) : "?");
    } else if (isnan(l->notional)) {
        say(ret, "size %s is less than one lot of %s", dec_text(l->o->qty, qty),
            dec_text(risk_lot(l->o->reference_price), most));
    } else if (l->notional <= percent_of_equity(l, l->s->max_position_pct)) {
        say(ret, "its stop would lose %.2f %% of equity, at most %.2f %%", loss_pct,
            l->s->risk_per_trade_pct);
    } else {
        say(ret, "size %s, at most %s (%.2f %% of equity)", dec_text(l->o->qty, qty),
            dec_text(largest_qty(l, limit_position(l)), most), l->s->max_position_pct);
    }
}

static double with_entry_pct(const struct look *l, struct dec before)
{
    return pct_of_equity(l, (double)before.e8 * RAW_E8 + l->notional);
}

static void explain_symbol(const struct look *l, char ret[96])
{
    say(ret, "%s would be %.2f %% of equity, at most %.2f %% in tier %d", l->o->symbol.name,
        with_entry_pct(l, l->a->symbol_exposure), l->s->tiers[l->a->tier].max_position_pct,
        l->a->tier + 1);
}

static void explain_tier(const struct look *l, char ret[96])
{
    say(ret, "tier %d would be %.2f %% of equity, at most %.2f %%", l->a->tier + 1,
        with_entry_pct(l, l->a->tier_exposure), l->s->tiers[l->a->tier].max_exposure_pct);
}

static void explain_total(const struct look *l, char ret[96])
{
    say(ret, "exposure would be %.2f %% of equity, at most %.2f %%",
        with_entry_pct(l, l->a->exposure), l->s->max_exposure_pct);
}

static void explain_leverage(const struct look *l, char ret[96])
{
    say(ret, "leverage would be %.2f, at most %.2f", with_entry_pct(l, l->a->exposure) / 100,
        l->s->max_leverage);
}

static void explain_margin(const struct look *l, char ret[96])
{
    say(ret, "initial margin is %.2f %% of equity, free are %.2f %%",
        pct_of_equity(l, l->notional / l->s->max_leverage),
        pct_of_equity(l, l->free - l->maintenance * l->notional));
}

static void explain_liquidation(const struct look *l, char ret[96])
{
    double heaviest =
        larger((double)l->a->long_notional.e8 * weight_of(SIDE_LONG, l->maintenance),
               (double)l->a->short_notional.e8 * weight_of(SIDE_SHORT, l->maintenance));
    double weighed = larger(heaviest * RAW_E8, l->notional * weight_of(l->o->side, l->maintenance));
    double pct = 100 * (l->free - l->maintenance * l->notional) / weighed;
    say(ret, "liquidation would be %.2f %% away, at least %.2f %%", larger(pct, 0),
        l->s->min_liquidation_distance_pct);
}

/* ---------------------------------------------------------------- the table */

static const struct rule rules[RISK_RULE_COUNT] = {
    [RISK_RULE_HALT] = {not_halted, NULL, explain_halted},
    [RISK_RULE_STARTING] = {started, NULL, explain_starting},
    [RISK_RULE_PAUSED] = {not_paused, NULL, explain_paused},
    [RISK_RULE_MAINTENANCE] = {no_maintenance, NULL, explain_maintenance},
    [RISK_RULE_BREAKER] = {breaker_holds, NULL, explain_breaker},
    [RISK_RULE_FOREIGN] = {nothing_foreign, NULL, explain_foreign},
    [RISK_RULE_STALE_PRICE] = {fresh, NULL, explain_stale},
    [RISK_RULE_STOP_MANDATORY] = {protected, NULL, explain_unprotected},
    [RISK_RULE_COOLDOWN] = {rested, NULL, explain_cooldown},
    [RISK_RULE_SYMBOL_BUSY] = {not_busy, NULL, explain_busy},
    [RISK_RULE_MAX_POSITIONS] = {position_left, NULL, explain_positions},
    [RISK_RULE_ORDER_RATE] = {unhurried, NULL, explain_hurried},
    [RISK_RULE_DAILY_LOSS] = {day_holds, NULL, explain_daily_loss},
    [RISK_RULE_DRAWDOWN] = {peak_holds, NULL, explain_drawdown},
    [RISK_RULE_LOSSES_IN_A_ROW] = {wins_come, NULL, explain_losses},
    [RISK_RULE_CORRELATION] = {of_its_own, NULL, explain_correlation},
    [RISK_RULE_POSITION_SIZE] = {NULL, limit_position, explain_position},
    [RISK_RULE_SYMBOL_EXPOSURE] = {NULL, limit_symbol, explain_symbol},
    [RISK_RULE_TIER_EXPOSURE] = {NULL, limit_tier, explain_tier},
    [RISK_RULE_TOTAL_EXPOSURE] = {NULL, limit_total, explain_total},
    [RISK_RULE_LEVERAGE] = {NULL, limit_leverage, explain_leverage},
    [RISK_RULE_MARGIN] = {NULL, limit_margin, explain_margin},
    [RISK_RULE_LIQUIDATION] = {NULL, limit_liquidation, explain_liquidation},
};

struct dec risk_lot(struct dec price)
{
    int64_t lot = DEC_ONE;
    for (int64_t p = price.e8; p >= 10 * DEC_ONE && lot > 1; p /= 10) {
        lot /= 10;
    }
    return (struct dec){lot};
}

static void look_at(struct look *l, const struct risk_account *a, const struct order *o)
{
    l->a = a;
    l->s = a->settings;
    l->o = o;
    /* A sum that left the range of dec must not make room: no figure of it compares. */
    bool known = a->exposure.e8 >= 0 && a->tier_exposure.e8 >= 0 && a->symbol_exposure.e8 >= 0;
    l->equity = known ? (double)a->equity.e8 : (double)NAN;
    l->reference = (double)o->reference_price.e8;
    l->price = larger(l->reference, (double)a->fill_price.e8);
    l->maintenance = a->settings->maintenance_margin_pct * 0.01;
    l->free = (l->equity - l->maintenance * (double)a->exposure.e8) * RAW_E8;
    l->notional =
        o->qty.e8 >= risk_lot(o->reference_price).e8 ? (double)o->qty.e8 * l->price : (double)NAN;
}

/* Whole lots; zero when not even one is within the limit. No limit is above zero unless the price
 * is, see limit_by_stop. */
static struct dec largest_qty(const struct look *l, double limit)
{
    if (!(limit > 0)) {
        return DEC_ZERO;
    }
    int64_t lot = risk_lot(l->o->reference_price).e8;
    int64_t qty = (int64_t)floor(smaller(limit / l->price, QTY_MOST) / (double)lot) * lot;
    /* The divisions round: what counts is what the rules compare. */
    while (qty > 0 && (double)qty * l->price > limit) {
        qty -= lot;
    }
    while ((double)(qty + lot) * l->price <= limit && qty < (int64_t)QTY_MOST - lot) {
        qty += lot;
    }
    return (struct dec){qty};
}

bool risk_check(const struct risk_account *account, const struct order *order,
                struct risk_result *ret)
{
    ret->pass = true;
    ret->code = "";
    ret->text[0] = '\0';
    ret->max_qty = order->qty;
    if (order->kind != ORDER_ENTRY) {
        return true; /* whatever reduces always passes */
    }
    struct look look;
    look_at(&look, account, order);
    int first = RISK_RULE_COUNT;
    double most = (double)INFINITY;
    /* Unrolled, the table's rules are constants and become straight code: half the time. */
#pragma GCC unroll 32
    for (int i = RISK_RULE_COUNT - 1; i >= 0; i--) {
        bool passes;
        if (rules[i].limit == NULL) {
            passes = rules[i].holds(&look);
            most = passes ? most : 0;
        } else {
            double limit = rules[i].limit(&look);
            passes = look.notional <= limit;
            most = limit < most ? limit : isnan(limit) ? 0 : most;
        }
        first = passes ? first : i;
    }
    if (first == RISK_RULE_COUNT) {
        return true;
    }
    ret->pass = false;
    ret->code = risk_rule(first)->code;
    rules[first].say(&look, ret->text);
    ret->max_qty = largest_qty(&look, most);
    return false;
}

bool risk_is_beyond(const struct risk_account *a)
{
    static const struct order nothing;
    struct look l;
    look_at(&l, a, &nothing);
    /* Room that is left for an entry; a figure that cannot be computed leaves none. */
    return !(limit_symbol(&l) >= 0 && limit_tier(&l) >= 0 && limit_total(&l) >= 0 &&
             limit_leverage(&l) >= 0);
}

/* ---------------------------------------------------------------- sizes */

struct dec risk_size(const struct risk_account *account, const struct order *order,
                     double confidence)
{
    struct look look;
    look_at(&look, account, order);
    if (!(confidence > 0) || !protected(&look)) {
        return DEC_ZERO;
    }
    /* A share of the most that one position may be. Were that no more than its cap, every entry
     * with a near stop would be as large as the cap, however sure the agents are. */
    double own = smaller(limit_position(&look), limit_symbol(&look));
    double wanted = own * smaller(confidence, 1);
    double room = wanted;
    for (int i = 0; i < RISK_RULE_COUNT; i++) {
        room = rules[i].limit == NULL ? room : smaller(room, rules[i].limit(&look));
    }
    return largest_qty(&look, room >= wanted / 2 ? room : wanted);
}

/* ---------------------------------------------------------------- the breaker, states, rescue */

bool risk_breaker(const struct risk_account *account, char *ret_reason, int reason_size)
{
    static const enum risk_rule_id trips[] = {RISK_RULE_DRAWDOWN, RISK_RULE_DAILY_LOSS,
                                              RISK_RULE_LOSSES_IN_A_ROW};
    struct look look = {.a = account, .s = account->settings};
    for (size_t i = 0; i < COUNT_OF(trips); i++) {
        if (!rules[trips[i]].holds(&look)) {
            char text[96];
            rules[trips[i]].say(&look, text);
            (void)snprintf(ret_reason, (size_t)reason_size, "%.*s", reason_size - 1, text);
            return true;
        }
    }
    return false;
}

enum risk_state risk_state_of(enum trading_state state, bool books_balance)
{
    if (!books_balance) {
        return RISK_HALTED;
    }
    switch (state) {
    case TRADING_ACTIVE:
        return RISK_ACTIVE;
    case TRADING_EMERGENCY:
        return RISK_HALTED;
    case TRADING_STARTING:
    case TRADING_PAUSED:
    case TRADING_BREAKER:
    case TRADING_MAINTENANCE:
        break;
    }
    return RISK_REDUCING;
}

double risk_liquidation_distance_pct(const struct settings *settings, struct dec equity,
                                     struct dec exposure, enum side side, struct dec notional)
{
    double m = settings->maintenance_margin_pct * 0.01;
    double free = (double)equity.e8 - m * (double)exposure.e8;
    double weighed = (double)notional.e8 * weight_of(side, m);
    return free > 0 && weighed > 0 ? 100 * free / weighed : 0;
}

enum risk_liquidation_guard risk_liquidation_guard(double distance_pct)
{
    if (distance_pct >= RISK_WARN_PCT) {
        return RISK_LIQUIDATION_GUARD_NONE;
    }
    if (distance_pct >= RISK_HALVE_PCT) {
        return RISK_LIQUIDATION_GUARD_WARN;
    }
    return distance_pct >= RISK_CLOSE_PCT ? RISK_LIQUIDATION_GUARD_HALVE
                                          : RISK_LIQUIDATION_GUARD_CLOSE;
}

int risk_tier(const struct settings *settings, struct symbol symbol)
{
    for (int t = 0; t < TIERS - 1; t++) {
        for (int i = 0; i < settings->tiers[t].symbol_count; i++) {
            if (symbol_equal(settings->tiers[t].symbols[i], symbol)) {
                return t;
            }
        }
    }
    return TIERS - 1;
}
