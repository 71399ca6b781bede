/*
 * risk.h: decides whether an order may be sent: a table of rules, each with a stable code.
 *
 *     order.qty = risk_size(&account, &order, confidence);
 *     struct risk_result result;
 *     if (!risk_check(&account, &order, &result)) veto(result.code, result.text);
 *
 * Invariants: closing and reducing orders always pass, in every state; cancellations are not
 * checked. A refusal names the first rule that refused, gives the reason with its figures, and
 * carries the largest size that would pass every rule: that many whole lots pass, one lot more does
 * not; zero when no size passes. No state: the same account and order give the same result. A rule
 * whose figures cannot be computed refuses.
 * Exposure limits are checked when an entry is decided, with its size valued at the ask and all
 * positions at their marks, and again at every mark until it has filled: the unfilled part of an
 * entry is cancelled when a limit is exceeded. Only market moves can exceed a limit: those of open
 * positions, and the move from the newest mark to the fill. No position is closed for that.
 * Units: percentages are per cent of equity; notional is price * quantity in quote currency; times
 * are market time.
 *
 * Margin and liquidation are those of a cross-margined account with one maintenance rate m
 * (risk.maintenance_margin): the venue liquidates when equity E falls to the maintenance margin
 * M = m * (sum of notionals). The *distance* of a position is the move of its mark price, in per
 * cent and with all other prices unchanged, at which that happens:
 *     (E - M) / (N * (1 - m)) of a long, (E - M) / (N * (1 + m)) of a short, N its notional.
 * Source: Binance's cross-margin liquidation price of USD-M futures,
 *     LP = (WB - TMM + UPNL - side * Q * EP) / (Q * MMR - side * Q)
 * with one rate and no maintenance amount; with E = WB + UPNL of all positions, the relative
 * distance of the mark from LP is the formula above.
 * Thread: any (pure).
 */
#pragma once

#include "model/order.h"
#include "model/risk_rule.h"
#include "model/settings.h"
#include "model/snapshot.h"
#include "model/venue_status.h"

#include <stdbool.h>
#include <stdint.h>

/* The input of the rules: the account as seen by an order in one symbol and on one side. The engine
 * fills it before each check. Entries under way count as if they were filled. */
struct risk_account {
    const struct settings *settings;
    /* The books do not balance, there is no space for another order and its records, or the
     * database cannot be written. */
    bool halted;
    const char *venue; /* why the venue takes no entry now ("down"); NULL: it does */
    const struct instrument *instrument; /* the venue's rules for the symbol; NULL: none */
    double max_leverage;                 /* the venue's, if lower than the configured one */
    double maintenance_pct;              /* the venue's, if higher than the configured one */
    bool foreign;       /* the venue has a position in this symbol that the bot did not open */
    bool price_suspect; /* the newest candle of this symbol was refused */
    bool symbol_busy;   /* a position or an order in this symbol */
    enum trading_state state;
    struct dec equity; /* with the open profit */
    struct dec equity_peak;
    struct dec day_start_equity;
    int64_t losses_in_a_row; /* this market day */
    int64_t positions_open;  /* with the entries in flight, which may fill */
    int64_t orders_lately;   /* entries made in the last minute */
    int64_t cooldown_until_us;
    int64_t price_updated_us; /* of this symbol */
    int64_t now_us;
    struct dec fill_price;      /* the expected fill price of the entry; its size is valued at the
                                 * higher of this and its reference price; zero: the reference */
    int tier;                   /* of this symbol: 0..TIERS-1 */
    struct dec exposure;        /* notional of all positions and entries under way */
    struct dec tier_exposure;   /* of those in this symbol's tier */
    struct dec symbol_exposure; /* of those in this symbol */
    struct dec long_notional;   /* of the largest long */
    struct dec short_notional;  /* of the largest short */
    double correlation;         /* the largest with an open position, sign changed for a position
                                 * on the other side; 0 without one or with too short a history */
    struct symbol correlated_with; /* the symbol of that position */
};

struct risk_result {
    bool pass;
    const char *code;   /* "RISK_…", static; "" when it passed */
    char text[96];      /* "3 of 3 positions open"; empty when it passed */
    struct dec max_qty; /* the largest that would pass; the order's own when it passed */
};

/* On a price older than this no position is opened. */
#define RISK_STALE_AFTER_US (3 * USEC_PER_MIN)

/* True when positions and entries under way exceed, at current prices, the exposure limit of the
 * symbol, of its tier or of the account, or the leverage limit. Entries must not fill further then.
 */
bool risk_limits_exceeded(const struct risk_account *account);

/* Returns ret->pass. */
bool risk_check(const struct risk_account *account, const struct order *order,
                struct risk_result *ret);

/* Size of an entry: confidence * the largest allowed position, rounded down to a whole lot. The
 * largest allowed position is the least of three: the one that loses risk_per_trade_pct of equity
 * when its stop is hit, max_position_pct, and the tier's limit for one position. If the other
 * limits allow less, the size is reduced to that, but by no more than half; otherwise the wanted
 * size is returned and risk_check refuses it with its reason. Zero when the size is less than one
 * lot. The order's qty is ignored. */
struct dec risk_size(const struct risk_account *account, const struct order *order,
                     double confidence);

/* The smallest step of a quantity at this price; a multiple of the venue's is used where it has
 * one. It is worth 1 to 10 units of quote currency, except at prices below 1 (a lot is at most 1
 * coin) and above 1e9 (it is at least 1e-8). */
struct dec risk_lot(struct dec price);

/* True when a limit that trips the circuit breaker is reached: drawdown, daily loss or losses in a
 * row; *ret_reason then gives it with its figures. Of the account only settings, equity,
 * equity_peak, day_start_equity and losses_in_a_row are read. */
bool risk_breaker(const struct risk_account *account, char *ret_reason, int reason_size);

/* Loss since the start of the market day, and drawdown from the peak; per cent, > 0 is a loss. */
double risk_daily_loss_pct(const struct risk_account *account);
double risk_drawdown_pct(const struct risk_account *account);

/* Which orders are allowed. An emergency stop, or books that do not balance, halt trading. */
enum risk_state risk_state_of(enum trading_state state, bool books_balance);

/* The distance to liquidation, as defined above, in per cent of the mark; 0 once it is reached.
 * exposure: of the whole account, with this position. */
double risk_liquidation_distance_pct(double maintenance_pct, struct dec equity, struct dec exposure,
                                     enum side side, struct dec notional);

/* What the liquidation guard does at a distance, in order of severity. */
enum risk_liquidation_guard {
    RISK_LIQUIDATION_GUARD_NONE,
    RISK_LIQUIDATION_GUARD_WARN,  /* below RISK_WARN_PCT: margin should be added */
    RISK_LIQUIDATION_GUARD_HALVE, /* below RISK_HALVE_PCT */
    RISK_LIQUIDATION_GUARD_CLOSE  /* below RISK_CLOSE_PCT */
};
enum risk_liquidation_guard risk_liquidation_guard(double distance_pct);

/* The tier of a symbol, 0..TIERS-1: the first that lists it, the last when none does. */
int risk_tier(const struct settings *settings, struct symbol symbol);
