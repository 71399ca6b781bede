#include "risk/risk.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>

/* A rule leaves text empty when the order passes it; else the reason with the figures, and the
 * largest quantity that it would let pass. */
struct finding {
    char text[96];
    struct dec max_qty;
};

struct rule {
    struct risk_rule_info info;
    void (*check)(const struct risk_account *a, const struct order *o, struct finding *f);
};

__attribute__((format(printf, 2, 3))) static void refuse(struct finding *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    f->max_qty = DEC_ZERO;
}

static struct dec percent_of(struct dec amount, double percent)
{
    return dec_mul_div(amount, dec_from_double(percent), dec_from_int(100));
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

static void check_halt(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    if (a->halted || a->state == TRADING_EMERGENCY) {
        refuse(f, "%s",
               a->state == TRADING_EMERGENCY ? "emergency stop is active" : "trading is halted");
    }
}

static void check_starting(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    if (a->state == TRADING_STARTING) {
        refuse(f, "not reconciled with the venue yet");
    }
}

static void check_paused(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    if (a->state == TRADING_PAUSED) {
        refuse(f, "trading is paused");
    }
}

static void check_breaker(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    if (a->state == TRADING_BREAKER) {
        refuse(f, "circuit breaker has tripped");
    }
}

static void check_stale(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    int64_t age_us = a->now_us - a->price_updated_us;
    if (a->price_updated_us <= 0) {
        refuse(f, "no price yet");
    } else if (age_us > RISK_STALE_AFTER_US) {
        refuse(f, "price is %lld s old, at most %lld s", (long long)(age_us / USEC_PER_SEC),
               (long long)(RISK_STALE_AFTER_US / USEC_PER_SEC));
    }
}

/* Texts apart from the rules: an order that passes pays for no buffer. */
static void refuse_stop(const struct order *o, bool set, struct finding *f)
{
    char stop[DEC_TEXT_SIZE];
    char price[DEC_TEXT_SIZE];
    refuse(f, "%s at %s has its stop at %s", side_name(o->side),
           dec_is_valid(o->reference_price) ? dec_text(o->reference_price, price) : "?",
           set ? dec_text(o->stop, stop) : "none");
}

static void check_stop(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)a;
    bool set = dec_is_valid(o->stop) && dec_is_valid(o->target) &&
               dec_is_valid(o->reference_price) && o->stop.e8 > 0 && o->target.e8 > 0;
    bool right_side =
        set && (o->side == SIDE_LONG
                    ? o->stop.e8 < o->reference_price.e8 && o->target.e8 > o->reference_price.e8
                    : o->stop.e8 > o->reference_price.e8 && o->target.e8 < o->reference_price.e8);
    if (!right_side) {
        refuse_stop(o, set, f);
    }
}

static void check_cooldown(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    int64_t left_us = a->cooldown_until_us - a->now_us;
    if (left_us > 0) {
        refuse(f, "%lld min of cooldown left",
               (long long)((left_us + USEC_PER_MIN - 1) / USEC_PER_MIN));
    }
}

static void check_busy(const struct risk_account *a, const struct order *o, struct finding *f)
{
    if (a->symbol_busy) {
        refuse(f, "%s has a position or an order", o->symbol.name);
    }
}

static void check_positions(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    if (a->positions_open >= a->settings->max_positions) {
        refuse(f, "%lld of %lld positions open", (long long)a->positions_open,
               (long long)a->settings->max_positions);
    }
}

static void check_daily_loss(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    double pct = risk_daily_loss_pct(a);
    if (pct >= a->settings->max_daily_loss_pct) {
        refuse(f, "daily loss %.2f %% of %.2f %%", pct, a->settings->max_daily_loss_pct);
    }
}

static void check_drawdown(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    double pct = risk_drawdown_pct(a);
    if (pct >= a->settings->max_drawdown_pct) {
        refuse(f, "drawdown %.2f %% of %.2f %%", pct, a->settings->max_drawdown_pct);
    }
}

static void check_losses(const struct risk_account *a, const struct order *o, struct finding *f)
{
    (void)o;
    if (a->losses_in_a_row >= a->settings->max_consecutive_losses) {
        refuse(f, "%lld losses in a row of %lld", (long long)a->losses_in_a_row,
               (long long)a->settings->max_consecutive_losses);
    }
}

static bool fits(struct dec qty, struct dec price, struct dec limit)
{
    struct dec notional = dec_mul(qty, price);
    return price.e8 > 0 && dec_is_valid(notional) && dec_cmp(notional, limit) <= 0;
}

static struct dec largest_qty(struct dec limit, struct dec price)
{
    if (!dec_is_valid(limit) || limit.e8 <= 0 || !dec_is_valid(price) || price.e8 <= 0) {
        return DEC_ZERO;
    }
    struct dec qty = dec_div(limit, price);
    qty = dec_is_valid(qty) ? dec_floor_to(qty, risk_lot(price)) : DEC_ZERO;
    /* The division rounds to the nearest, which may be up. */
    return fits(qty, price, limit) ? qty : dec_sub(qty, risk_lot(price));
}

static void refuse_size(const struct risk_account *a, const struct order *o, struct dec limit,
                        struct finding *f)
{
    char qty[DEC_TEXT_SIZE];
    char most[DEC_TEXT_SIZE];
    struct dec largest = largest_qty(limit, o->reference_price);
    if (!dec_is_valid(o->qty) || o->qty.e8 <= 0) {
        refuse(f, "size %s is not above zero", dec_is_valid(o->qty) ? dec_text(o->qty, qty) : "?");
    } else {
        refuse(f, "size %s, at most %s (%.2f %% of equity)", dec_text(o->qty, qty),
               dec_text(largest, most), a->settings->max_position_pct);
    }
    f->max_qty = largest;
}

static void check_size(const struct risk_account *a, const struct order *o, struct finding *f)
{
    struct dec limit = dec_is_valid(a->equity) && a->equity.e8 > 0
                           ? percent_of(a->equity, a->settings->max_position_pct)
                           : DEC_ZERO;
    bool passes = dec_is_valid(o->qty) && o->qty.e8 > 0 && dec_is_valid(limit) &&
                  fits(o->qty, o->reference_price, limit);
    if (!passes) {
        refuse_size(a, o, limit, f);
    }
}

static const struct rule rules[] = {
    {{"RISK_HALT", "Nothing is opened while halted or after an emergency stop."}, check_halt},
    {{"RISK_STARTING", "Nothing is opened before the venue agrees with our books."},
     check_starting},
    {{"RISK_PAUSED", "Nothing is opened while a person has paused trading."}, check_paused},
    {{"RISK_BREAKER", "Nothing is opened while the circuit breaker is tripped."}, check_breaker},
    {{"RISK_STALE_PRICE", "Nothing is opened on a price older than 3 minutes."}, check_stale},
    {{"RISK_STOP_MANDATORY", "An entry carries a stop and a target on the right sides."},
     check_stop},
    {{"RISK_COOLDOWN", "After a trade a symbol rests for risk.cooldown."}, check_cooldown},
    {{"RISK_SYMBOL_BUSY", "One position or entry a symbol."}, check_busy},
    {{"RISK_MAX_POSITIONS", "At most risk.max_positions, entries in flight counted."},
     check_positions},
    {{"RISK_DAILY_LOSS", "At most risk.max_daily_loss since the market day began."},
     check_daily_loss},
    {{"RISK_DRAWDOWN", "At most risk.max_drawdown from the equity peak."}, check_drawdown},
    {{"RISK_LOSSES_IN_A_ROW", "At most risk.max_consecutive_losses in one market day."},
     check_losses},
    {{"RISK_POSITION_SIZE", "At most risk.max_position of equity in one position."}, check_size},
};

bool risk_check(const struct risk_account *account, const struct order *order,
                struct risk_verdict *ret)
{
    ret->pass = true;
    ret->code = "";
    ret->text[0] = '\0';
    ret->max_qty = order->qty;
    if (order->kind != ORDER_ENTRY) {
        return true; /* whatever reduces always passes */
    }
    struct finding finding; /* once: the compiler's flags zero it where it is declared */
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        finding.text[0] = '\0';
        finding.max_qty = order->qty;
        rules[i].check(account, order, &finding);
        if (finding.text[0] == '\0') {
            continue;
        }
        if (ret->pass) {
            ret->pass = false;
            ret->code = rules[i].info.code;
            memcpy(ret->text, finding.text, sizeof(ret->text));
            ret->max_qty = finding.max_qty;
        } else {
            ret->max_qty = dec_min(ret->max_qty, finding.max_qty);
        }
    }
    return ret->pass;
}

const struct risk_rule_info *risk_rule(int index)
{
    return index >= 0 && index < (int)COUNT_OF(rules) ? &rules[index].info : NULL;
}

struct dec risk_lot(struct dec price)
{
    int64_t lot = DEC_ONE;
    for (int64_t p = price.e8; p >= 10 * DEC_ONE && lot > 1; p /= 10) {
        lot /= 10;
    }
    return (struct dec){lot};
}

struct dec risk_size(const struct settings *settings, struct dec equity, struct dec price,
                     double confidence)
{
    if (!dec_is_valid(equity) || !dec_is_valid(price) || equity.e8 <= 0 || price.e8 <= 0 ||
        !(confidence > 0)) {
        return DEC_ZERO;
    }
    struct dec at_risk =
        percent_of(equity, settings->risk_per_trade_pct * (confidence < 1 ? confidence : 1));
    struct dec qty = dec_div(at_risk, percent_of(price, settings->stop_pct));
    struct dec largest = largest_qty(percent_of(equity, settings->max_position_pct), price);
    qty = dec_is_valid(qty) ? dec_floor_to(qty, risk_lot(price)) : largest;
    return dec_min(qty, largest);
}

bool risk_breaker(const struct risk_account *account, char *ret_reason, int reason_size)
{
    static void (*const trips[])(const struct risk_account *, const struct order *,
                                 struct finding *) = {check_drawdown, check_daily_loss,
                                                      check_losses};
    for (size_t i = 0; i < COUNT_OF(trips); i++) {
        struct finding finding;
        finding.text[0] = '\0';
        trips[i](account, NULL, &finding);
        if (finding.text[0] != '\0') {
            (void)snprintf(ret_reason, (size_t)reason_size, "%.*s", reason_size - 1, finding.text);
            return true;
        }
    }
    return false;
}
