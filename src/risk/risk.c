#include "risk/risk.h"

#include "base/check.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>

/* Raw amounts are doubles in units of 1e-16 quote, the product of two dec.e8 values: exact up to
 * 2^53, and with a relative error of 1e-15 above, which is finer than any lot. */
#define RAW_ONE 1e16
#define RAW_E8  1e8               /* dec.e8 to raw */
#define RAW_MAX (0x1p63 * RAW_E8) /* the largest amount that a dec can hold */
#define RAW_PCT (RAW_E8 / 100)    /* one per cent of dec.e8, as raw */

#define QTY_MAX 9.2e18 /* more than one lot below the largest dec.e8 */

struct inputs {
    const struct risk_account *a;
    const struct settings *s;
    const struct order *o;
    double equity;      /* in units of dec.e8, as are both prices */
    double reference;   /* the price of the decision, from which the stop is measured */
    double price;       /* values the size: the higher of reference and the expected fill price */
    double notional;    /* raw; NaN for a size of less than one lot */
    double free;        /* raw: equity less maintenance margin */
    double maintenance; /* margin rate, 0..1 of the notional */
    double leverage;
    int64_t lot; /* of dec.e8 */
};

/* A rule either passes or refuses regardless of the size, or it sets a limit to the notional, and
 * then `passes` is the smallest size, if there is one. */
struct rule {
    bool (*passes)(const struct inputs *in);
    double (*limit)(const struct inputs *in); /* raw; may be negative or infinite */
    void (*explain)(const struct inputs *in, char ret[96]);
};

__attribute__((format(printf, 2, 3))) static void set_text(char ret[96], const char *format, ...)
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

/* ---------------------------------------------------------------- rules that ignore the size */

static bool is_not_halted(const struct inputs *in)
{
    return !in->a->halted && in->a->state != TRADING_EMERGENCY;
}

static void explain_halted(const struct inputs *in, char ret[96])
{
    set_text(ret, "%s",
             in->a->state == TRADING_EMERGENCY ? "emergency stop is active" : "trading is halted");
}

static bool is_started(const struct inputs *in)
{
    return in->a->state != TRADING_STARTING;
}

static void explain_starting(const struct inputs *in, char ret[96])
{
    (void)in;
    set_text(ret, "not reconciled with the venue yet");
}

static bool venue_takes_entries(const struct inputs *in)
{
    return in->a->venue == NULL;
}

static void explain_venue(const struct inputs *in, char ret[96])
{
    set_text(ret, "the venue is %s", in->a->venue);
}

static bool is_not_paused(const struct inputs *in)
{
    return in->a->state != TRADING_PAUSED;
}

static void explain_paused(const struct inputs *in, char ret[96])
{
    (void)in;
    set_text(ret, "trading is paused");
}

static bool is_not_in_maintenance(const struct inputs *in)
{
    return in->a->state != TRADING_MAINTENANCE;
}

static void explain_maintenance(const struct inputs *in, char ret[96])
{
    (void)in;
    set_text(ret, "maintenance is under way");
}

static bool breaker_is_not_tripped(const struct inputs *in)
{
    return in->a->state != TRADING_BREAKER;
}

static void explain_breaker(const struct inputs *in, char ret[96])
{
    (void)in;
    set_text(ret, "circuit breaker has tripped");
}

static bool no_foreign_position(const struct inputs *in)
{
    return !in->a->foreign;
}

static void explain_foreign(const struct inputs *in, char ret[96])
{
    set_text(ret, "the venue holds %s that the bot did not open", in->o->symbol.name);
}

static bool price_is_fresh(const struct inputs *in)
{
    return in->a->price_updated_us > 0 && !in->a->price_suspect &&
           in->a->now_us - in->a->price_updated_us <= RISK_STALE_AFTER_US;
}

static void explain_stale(const struct inputs *in, char ret[96])
{
    if (in->a->price_updated_us <= 0) {
        set_text(ret, "no price yet");
        return;
    }
    if (in->a->price_suspect) {
        set_text(ret, "the newest candle was refused");
        return;
    }
    set_text(ret, "price is %lld s old, at most %lld s",
             (long long)((in->a->now_us - in->a->price_updated_us) / USEC_PER_SEC),
             (long long)(RISK_STALE_AFTER_US / USEC_PER_SEC));
}

/* An invalid dec compares below every number, so it is never between two positive ones. */
static bool has_valid_stop(const struct inputs *in)
{
    int64_t price = in->o->reference_price.e8;
    int64_t stop = in->o->stop.e8;
    int64_t target = in->o->target.e8;
    return in->o->side == SIDE_LONG ? 0 < stop && stop < price && price < target
                                    : 0 < target && target < price && price < stop;
}

static void explain_stop(const struct inputs *in, char ret[96])
{
    char stop[DEC_TEXT_SIZE];
    char price[DEC_TEXT_SIZE];
    const struct order *o = in->o;
    bool set = dec_is_valid(o->stop) && dec_is_valid(o->target) &&
               dec_is_valid(o->reference_price) && o->stop.e8 > 0 && o->target.e8 > 0;
    set_text(ret, "%s at %s has its stop at %s", side_name(o->side),
             dec_is_valid(o->reference_price) ? dec_text(o->reference_price, price) : "?",
             set ? dec_text(o->stop, stop) : "none");
}

static bool cooldown_is_over(const struct inputs *in)
{
    return in->a->cooldown_until_us <= in->a->now_us;
}

static void explain_cooldown(const struct inputs *in, char ret[96])
{
    int64_t left_us = in->a->cooldown_until_us - in->a->now_us;
    set_text(ret, "%lld min of cooldown left",
             (long long)((left_us + USEC_PER_MIN - 1) / USEC_PER_MIN));
}

static bool symbol_is_free(const struct inputs *in)
{
    return !in->a->symbol_busy;
}

static void explain_busy(const struct inputs *in, char ret[96])
{
    set_text(ret, "%s has a position or an order", in->o->symbol.name);
}

static bool below_max_positions(const struct inputs *in)
{
    return in->a->positions_open < in->s->max_positions;
}

static void explain_positions(const struct inputs *in, char ret[96])
{
    set_text(ret, "%lld of %lld positions open", (long long)in->a->positions_open,
             (long long)in->s->max_positions);
}

static bool below_order_rate(const struct inputs *in)
{
    return in->a->orders_lately < in->s->max_orders_per_minute;
}

static void explain_order_rate(const struct inputs *in, char ret[96])
{
    set_text(ret, "%lld entries in the last minute of %lld", (long long)in->a->orders_lately,
             (long long)in->s->max_orders_per_minute);
}

/* True when less than pct per cent of the whole has been lost; without a division. */
static bool lost_less(struct dec whole, struct dec left, double pct)
{
    double all = (double)whole.e8;
    return dec_is_valid(left) && dec_is_valid(whole) &&
           (all <= 0 || 100 * (all - (double)left.e8) < pct * all);
}

static bool below_daily_loss(const struct inputs *in)
{
    return lost_less(in->a->day_start_equity, in->a->equity, in->s->max_daily_loss_pct);
}

static void explain_daily_loss(const struct inputs *in, char ret[96])
{
    set_text(ret, "daily loss %.2f %% of %.2f %%", risk_daily_loss_pct(in->a),
             in->s->max_daily_loss_pct);
}

static bool below_drawdown(const struct inputs *in)
{
    return lost_less(in->a->equity_peak, in->a->equity, in->s->max_drawdown_pct);
}

static void explain_drawdown(const struct inputs *in, char ret[96])
{
    set_text(ret, "drawdown %.2f %% of %.2f %%", risk_drawdown_pct(in->a), in->s->max_drawdown_pct);
}

static bool below_losses_in_a_row(const struct inputs *in)
{
    return in->a->losses_in_a_row < in->s->max_consecutive_losses;
}

static void explain_losses(const struct inputs *in, char ret[96])
{
    set_text(ret, "%lld losses in a row of %lld", (long long)in->a->losses_in_a_row,
             (long long)in->s->max_consecutive_losses);
}

static bool is_uncorrelated(const struct inputs *in)
{
    return in->a->correlation <= in->s->max_correlation;
}

static void explain_correlation(const struct inputs *in, char ret[96])
{
    set_text(ret, "moves with %s by %.2f, at most %.2f", in->a->correlated_with.name,
             in->a->correlation, in->s->max_correlation);
}

/* ---------------------------------------------------------------- rules that limit the size */

static double percent_of_equity(const struct inputs *in, double pct)
{
    return in->equity * (pct * RAW_PCT);
}

/* The notional that loses risk_per_trade_pct of equity when the stop is hit. */
static double limit_by_stop(const struct inputs *in)
{
    double distance = fabs(in->reference - (double)in->o->stop.e8);
    return percent_of_equity(in, in->s->risk_per_trade_pct) * in->price / distance;
}

static double limit_position(const struct inputs *in)
{
    double by_size = smaller(percent_of_equity(in, in->s->max_position_pct), RAW_MAX);
    return smaller(by_size, limit_by_stop(in));
}

static double limit_symbol(const struct inputs *in)
{
    return percent_of_equity(in, in->s->tiers[in->a->tier].max_position_pct) -
           (double)in->a->symbol_exposure.e8 * RAW_E8;
}

static double limit_tier(const struct inputs *in)
{
    return percent_of_equity(in, in->s->tiers[in->a->tier].max_exposure_pct) -
           (double)in->a->tier_exposure.e8 * RAW_E8;
}

static double limit_total(const struct inputs *in)
{
    return percent_of_equity(in, in->s->max_exposure_pct) - (double)in->a->exposure.e8 * RAW_E8;
}

static double limit_leverage(const struct inputs *in)
{
    return in->equity * (in->leverage * RAW_E8) - (double)in->a->exposure.e8 * RAW_E8;
}

/* n / leverage + m * n <= free */
static double limit_margin(const struct inputs *in)
{
    return in->free * in->leverage / (1 + in->maintenance * in->leverage);
}

static double weight_of(enum side side, double maintenance)
{
    return side == SIDE_LONG ? 1 - maintenance : 1 + maintenance;
}

/* distance(n) = (free - m * n) / (w * n) >= least, and the same for the open positions, which the
 * entry's maintenance margin brings nearer to liquidation. */
static double limit_liquidation(const struct inputs *in)
{
    double least = in->s->min_liquidation_distance_pct * 0.01;
    double m = in->maintenance;
    double own = in->free / (least * weight_of(in->o->side, m) + m);
    double heaviest = larger((double)in->a->long_notional.e8 * weight_of(SIDE_LONG, m),
                             (double)in->a->short_notional.e8 * weight_of(SIDE_SHORT, m));
    double left = in->free - least * heaviest * RAW_E8;
    if (left < 0) {
        return left;
    }
    return m > 0 ? smaller(own, left / m) : own;
}

/* For texts of rules that limit the size. Equity is above zero there: otherwise limit_position,
 * which comes first, refuses, and its text has no such figure. */
static double pct_of_equity(const struct inputs *in, double raw)
{
    return raw / (in->equity * RAW_PCT);
}

static struct dec largest_qty(const struct inputs *in, double limit);

static void explain_position(const struct inputs *in, char ret[96])
{
    char qty[DEC_TEXT_SIZE];
    char most[DEC_TEXT_SIZE];
    double loss_pct =
        pct_of_equity(in, in->notional) * fabs(in->reference - (double)in->o->stop.e8) / in->price;
    if (!dec_is_valid(in->o->qty) || in->o->qty.e8 <= 0) {
        set_text(ret, "size %s is not above zero",
                 dec_is_valid(in->o->qty) ? dec_text(in->o->qty, qty) : "?");
    } else if (isnan(in->notional)) {
        set_text(ret, "size %s is less than one lot of %s", dec_text(in->o->qty, qty),
                 dec_text((struct dec){in->lot}, most));
    } else if (in->notional <= percent_of_equity(in, in->s->max_position_pct)) {
        set_text(ret, "its stop would lose %.2f %% of equity, at most %.2f %%", loss_pct,
                 in->s->risk_per_trade_pct);
    } else {
        set_text(ret, "size %s, at most %s (%.2f %% of equity)", dec_text(in->o->qty, qty),
                 dec_text(largest_qty(in, limit_position(in)), most), in->s->max_position_pct);
    }
}

static double with_entry_pct(const struct inputs *in, struct dec before)
{
    return pct_of_equity(in, (double)before.e8 * RAW_E8 + in->notional);
}

static void explain_symbol(const struct inputs *in, char ret[96])
{
    set_text(ret, "%s would be %.2f %% of equity, at most %.2f %% in tier %d", in->o->symbol.name,
             with_entry_pct(in, in->a->symbol_exposure), in->s->tiers[in->a->tier].max_position_pct,
             in->a->tier + 1);
}

static void explain_tier(const struct inputs *in, char ret[96])
{
    set_text(ret, "tier %d would be %.2f %% of equity, at most %.2f %%", in->a->tier + 1,
             with_entry_pct(in, in->a->tier_exposure), in->s->tiers[in->a->tier].max_exposure_pct);
}

static void explain_total(const struct inputs *in, char ret[96])
{
    set_text(ret, "exposure would be %.2f %% of equity, at most %.2f %%",
             with_entry_pct(in, in->a->exposure), in->s->max_exposure_pct);
}

static void explain_leverage(const struct inputs *in, char ret[96])
{
    set_text(ret, "leverage would be %.2f, at most %.2f", with_entry_pct(in, in->a->exposure) / 100,
             in->leverage);
}

static void explain_margin(const struct inputs *in, char ret[96])
{
    set_text(ret, "initial margin is %.2f %% of equity, free are %.2f %%",
             pct_of_equity(in, in->notional / in->leverage),
             pct_of_equity(in, in->free - in->maintenance * in->notional));
}

static void explain_liquidation(const struct inputs *in, char ret[96])
{
    double heaviest =
        larger((double)in->a->long_notional.e8 * weight_of(SIDE_LONG, in->maintenance),
               (double)in->a->short_notional.e8 * weight_of(SIDE_SHORT, in->maintenance));
    double weighed =
        larger(heaviest * RAW_E8, in->notional * weight_of(in->o->side, in->maintenance));
    double pct = 100 * (in->free - in->maintenance * in->notional) / weighed;
    /* Above zero: the margin rule, which comes first, has passed. */
    set_text(ret, "liquidation would be %.2f %% away, at least %.2f %%", pct,
             in->s->min_liquidation_distance_pct);
}

/* The venue's largest order. */
static double limit_order(const struct inputs *in)
{
    const struct instrument *x = in->a->instrument;
    return x == NULL || x->max_qty.e8 <= 0 ? (double)INFINITY : (double)x->max_qty.e8 * in->price;
}

static bool is_large_enough(const struct inputs *in, int64_t qty_e8)
{
    const struct instrument *x = in->a->instrument;
    return x == NULL || (qty_e8 >= x->min_qty.e8 &&
                         (double)qty_e8 * in->reference >= (double)x->min_notional.e8 * RAW_E8);
}

static bool above_minimum(const struct inputs *in)
{
    return is_large_enough(in, in->o->qty.e8);
}

static void explain_order_size(const struct inputs *in, char ret[96])
{
    char qty[DEC_TEXT_SIZE];
    char least[DEC_TEXT_SIZE];
    char most[DEC_TEXT_SIZE];
    const struct instrument *x = in->a->instrument;
    if (is_large_enough(in, in->o->qty.e8)) {
        set_text(ret, "size %s, the venue takes at most %s", dec_text(in->o->qty, qty),
                 dec_text(x->max_qty, most));
    } else {
        set_text(ret, "size %s, the venue takes at least %s and a value of %s",
                 dec_text(in->o->qty, qty), dec_text(x->min_qty, least),
                 dec_text(x->min_notional, most));
    }
}

/* ---------------------------------------------------------------- the table */

static const struct rule rules[RISK_RULE_COUNT] = {
    [RISK_RULE_HALT] = {is_not_halted, NULL, explain_halted},
    [RISK_RULE_STARTING] = {is_started, NULL, explain_starting},
    [RISK_RULE_VENUE] = {venue_takes_entries, NULL, explain_venue},
    [RISK_RULE_PAUSED] = {is_not_paused, NULL, explain_paused},
    [RISK_RULE_MAINTENANCE] = {is_not_in_maintenance, NULL, explain_maintenance},
    [RISK_RULE_BREAKER] = {breaker_is_not_tripped, NULL, explain_breaker},
    [RISK_RULE_FOREIGN] = {no_foreign_position, NULL, explain_foreign},
    [RISK_RULE_STALE_PRICE] = {price_is_fresh, NULL, explain_stale},
    [RISK_RULE_STOP_MANDATORY] = {has_valid_stop, NULL, explain_stop},
    [RISK_RULE_COOLDOWN] = {cooldown_is_over, NULL, explain_cooldown},
    [RISK_RULE_SYMBOL_BUSY] = {symbol_is_free, NULL, explain_busy},
    [RISK_RULE_MAX_POSITIONS] = {below_max_positions, NULL, explain_positions},
    [RISK_RULE_ORDER_RATE] = {below_order_rate, NULL, explain_order_rate},
    [RISK_RULE_DAILY_LOSS] = {below_daily_loss, NULL, explain_daily_loss},
    [RISK_RULE_DRAWDOWN] = {below_drawdown, NULL, explain_drawdown},
    [RISK_RULE_LOSSES_IN_A_ROW] = {below_losses_in_a_row, NULL, explain_losses},
    [RISK_RULE_CORRELATION] = {is_uncorrelated, NULL, explain_correlation},
    [RISK_RULE_POSITION_SIZE] = {NULL, limit_position, explain_position},
    [RISK_RULE_SYMBOL_EXPOSURE] = {NULL, limit_symbol, explain_symbol},
    [RISK_RULE_TIER_EXPOSURE] = {NULL, limit_tier, explain_tier},
    [RISK_RULE_TOTAL_EXPOSURE] = {NULL, limit_total, explain_total},
    [RISK_RULE_LEVERAGE] = {NULL, limit_leverage, explain_leverage},
    [RISK_RULE_MARGIN] = {NULL, limit_margin, explain_margin},
    [RISK_RULE_LIQUIDATION] = {NULL, limit_liquidation, explain_liquidation},
    [RISK_RULE_ORDER_SIZE] = {above_minimum, limit_order, explain_order_size},
};

struct dec risk_lot(struct dec price)
{
    int64_t lot = DEC_ONE;
    for (int64_t p = price.e8; p >= 10 * DEC_ONE && lot > 1; p /= 10) {
        lot /= 10;
    }
    return (struct dec){lot};
}

/* Our lot, rounded up to a multiple of the venue's step. */
static int64_t lot_of(const struct instrument *instrument, struct dec price)
{
    int64_t lot = risk_lot(price).e8;
    int64_t step = instrument == NULL ? 0 : instrument->step.e8;
    return step > 0 && step < INT64_MAX / 4 ? (lot + step - 1) / step * step : lot;
}

static struct inputs inputs_of(const struct risk_account *a, const struct order *o)
{
    const struct settings *s = a->settings;
    /* A sum that overflowed must not pass any limit: NaN fails every comparison. */
    bool known = a->exposure.e8 >= 0 && a->tier_exposure.e8 >= 0 && a->symbol_exposure.e8 >= 0;
    double equity = known ? (double)a->equity.e8 : (double)NAN;
    double reference = (double)o->reference_price.e8;
    double price = larger(reference, (double)a->fill_price.e8);
    double maintenance = larger(s->maintenance_margin_pct, a->maintenance_pct) * 0.01;
    int64_t lot = lot_of(a->instrument, o->reference_price);
    return (struct inputs){
        .a = a,
        .o = o,
        .s = s,
        .equity = equity,
        .reference = reference,
        .price = price,
        .notional = o->qty.e8 >= lot ? (double)o->qty.e8 * price : (double)NAN,
        .free = (equity - maintenance * (double)a->exposure.e8) * RAW_E8,
        .maintenance = maintenance,
        .leverage = a->max_leverage > 0 ? a->max_leverage : s->max_leverage,
        .lot = lot,
    };
}

/* In whole lots; zero when not even one is within the limit. A limit is above zero only if the
 * price is, see limit_by_stop. */
static struct dec largest_qty(const struct inputs *in, double limit)
{
    if (!(limit > 0)) {
        return DEC_ZERO;
    }
    int64_t lot = in->lot;
    int64_t qty = (int64_t)floor(smaller(limit / in->price, QTY_MAX) / (double)lot) * lot;
    /* The divisions round, so the result is corrected with the comparison that the rules make. */
    while ((double)qty * in->price > limit) {
        qty -= lot;
    }
    while (qty < (int64_t)QTY_MAX - lot && (double)(qty + lot) * in->price <= limit) {
        qty += lot;
    }
    return (struct dec){qty};
}

/* Inlined with a constant id, the rule is a constant, too, and its functions are inlined:
 * three fifths of the time of a loop over the table. */
__attribute__((always_inline)) static inline void
check_rule(enum risk_rule_id id, const struct inputs *inputs, int *first, double *most)
{
    const struct rule *rule = &rules[id];
    bool passes = rule->passes == NULL || rule->passes(inputs);
    if (rule->limit == NULL) {
        *most = passes ? *most : 0;
    } else {
        double limit = rule->limit(inputs);
        passes = passes && inputs->notional <= limit;
        *most = limit < *most ? limit : isnan(limit) ? 0 : *most;
    }
    *first = passes || *first < RISK_RULE_COUNT ? *first : (int)id;
}

__attribute__((flatten)) bool risk_check(const struct risk_account *account,
                                         const struct order *order, struct risk_result *ret)
{
    ret->pass = true;
    ret->code = "";
    ret->text[0] = '\0';
    ret->max_qty = order->qty;
    if (order->kind != ORDER_ENTRY) {
        return true; /* closing and reducing orders always pass */
    }
    struct inputs inputs = inputs_of(account, order);
    int first = RISK_RULE_COUNT;
    double most = (double)INFINITY;
#define RULE(code, option, help) check_rule(RISK_RULE_##code, &inputs, &first, &most);
#include "model/risk_rules.def"
#undef RULE
    if (first == RISK_RULE_COUNT) {
        return true;
    }
    ret->pass = false;
    ret->code = risk_rule(first)->code;
    rules[first].explain(&inputs, ret->text);
    ret->max_qty = largest_qty(&inputs, most);
    if (!is_large_enough(&inputs, ret->max_qty.e8)) {
        ret->max_qty = DEC_ZERO;
    }
    return false;
}

bool risk_limits_exceeded(const struct risk_account *a)
{
    static const struct order nothing;
    struct inputs in = inputs_of(a, &nothing);
    /* NaN, a figure that cannot be computed, counts as exceeded. */
    return !(limit_symbol(&in) >= 0 && limit_tier(&in) >= 0 && limit_total(&in) >= 0 &&
             limit_leverage(&in) >= 0);
}

/* ---------------------------------------------------------------- sizes */

struct dec risk_size(const struct risk_account *account, const struct order *order,
                     double confidence)
{
    struct inputs inputs = inputs_of(account, order);
    if (!(confidence > 0) || !has_valid_stop(&inputs)) {
        return DEC_ZERO;
    }
    /* Confidence scales the limit itself. If it scaled only the size from risk per trade, every
     * entry with a near stop would be as large as the limit, at any confidence. */
    double own = smaller(limit_position(&inputs), limit_symbol(&inputs));
    double wanted = own * smaller(confidence, 1);
    double allowed = wanted;
    for (int i = 0; i < RISK_RULE_COUNT; i++) {
        allowed = rules[i].limit == NULL ? allowed : smaller(allowed, rules[i].limit(&inputs));
    }
    return largest_qty(&inputs, allowed >= wanted / 2 ? allowed : wanted);
}

/* ---------------------------------------------------------------- breaker, states, liquidation */

bool risk_breaker(const struct risk_account *account, char *ret_reason, int reason_size)
{
    static const enum risk_rule_id trips[] = {RISK_RULE_DRAWDOWN, RISK_RULE_DAILY_LOSS,
                                              RISK_RULE_LOSSES_IN_A_ROW};
    struct inputs inputs = {.a = account, .s = account->settings};
    for (size_t i = 0; i < COUNT_OF(trips); i++) {
        if (!rules[trips[i]].passes(&inputs)) {
            char text[96];
            rules[trips[i]].explain(&inputs, text);
            (void)str_copy(str_c(text), ret_reason, (size_t)reason_size);
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

double risk_liquidation_distance_pct(double maintenance_pct, struct dec equity, struct dec exposure,
                                     enum side side, struct dec notional)
{
    double m = maintenance_pct * 0.01;
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
