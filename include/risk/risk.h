/*
 * risk.h: may this order be sent? One function over a table of rules, each with a stable code.
 *
 *     struct risk_verdict verdict;
 *     if (!risk_check(&account, &order, &verdict)) veto(verdict.code, verdict.text);
 *
 * Invariants: closing and reducing orders always pass. A refusal names the first rule that
 * refused, says why with the figures, and carries the largest size that would pass every rule
 * (zero when no size would). No state: the same account and order give the same verdict.
 * Units: percentages are per cent of equity; times are market time.
 * Thread: any (pure).
 */
#pragma once

#include "model/order.h"
#include "model/settings.h"
#include "model/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

/* What the rules look at; the engine fills it before each check. */
struct risk_account {
    const struct settings *settings;
    bool halted; /* books that do not balance, or no room for another order and what follows it */
    enum trading_state state;
    struct dec equity; /* open profit included */
    struct dec equity_peak;
    struct dec day_start_equity;
    int64_t losses_in_a_row; /* this market day */
    int64_t positions_open;  /* entries in flight counted: they may fill */
    bool symbol_busy;        /* a position or an order in this symbol */
    int64_t cooldown_until_us;
    int64_t price_updated_us; /* of this symbol */
    int64_t now_us;
};

struct risk_verdict {
    bool pass;
    const char *code;   /* "RISK_…", static; "" when it passed */
    char text[96];      /* "3 of 3 positions open"; empty when it passed */
    struct dec max_qty; /* largest that would pass; the order's own when it passed */
};

/* A price older than this opens nothing. */
#define RISK_STALE_AFTER_US (3 * USEC_PER_MIN)

/* ret->pass. */
bool risk_check(const struct risk_account *account, const struct order *order,
                struct risk_verdict *ret);

/* The rules in the order of checking, from 0; NULL after the last. */
struct risk_rule_info {
    const char *code;
    const char *help; /* one sentence */
};
const struct risk_rule_info *risk_rule(int index);

/* Size of an entry: what loses risk_per_trade_pct * confidence of equity when the stop is hit,
 * at most max_position_pct of equity, down to a whole lot. Zero when that is less than one lot. */
struct dec risk_size(const struct settings *settings, struct dec equity, struct dec price,
                     double confidence);

/* The smallest step of a quantity at this price: about 1/1,000 of 1 to 10 thousand in quote. */
struct dec risk_lot(struct dec price);

/* Which limit is broken, so that the breaker trips: daily loss, drawdown, losses in a row. False
 * when none is; else the reason with its figures. */
bool risk_breaker(const struct risk_account *account, char *ret_reason, int reason_size);

/* Loss since the start of the market day and drawdown from the peak, per cent, > 0 is a loss. */
double risk_daily_loss_pct(const struct risk_account *account);
double risk_drawdown_pct(const struct risk_account *account);
