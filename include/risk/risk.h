/*
 * risk.h: may this order be sent? One function over a table of rules, each with a stable code.
 *
 *     order.qty = risk_size(&account, &order, confidence);
 *     struct risk_result verdict;
 *     if (!risk_check(&account, &order, &verdict)) veto(verdict.code, verdict.text);
 *
 * Invariants: closing and reducing orders always pass, whatever the state, and a cancellation is
 * nobody's to refuse (it is not asked about). A refusal names the first rule that refused, says
 * why with the figures, and carries the largest size that would pass every rule: that many whole
 * lots pass, one lot more does not; zero when no size passes. No state: the same account and order
 * give the same verdict. A figure that cannot be computed refuses.
 * Limits of exposure hold when an entry is decided, with its size valued at the ask and all else at
 * its mark, and again at every mark until it has filled: what is left of an entry is cancelled when
 * the limits are passed. What can exceed them is the market's own move: of what is held, and from
 * the newest mark to the price of the fill. Nothing is closed for that. Units: percentages are per
 * cent of equity; notional is price * quantity in quote currency; times are market time.
 *
 * Margin and liquidation are those of a cross-margined account with one maintenance rate m
 * (risk.maintenance_margin): the venue liquidates when equity E falls to the maintenance margin
 * M = m * (sum of notionals). The *distance* of a position is the move of its own mark price, per
 * cent of it and other prices unchanged, at which that happens:
 *     (E - M) / (N * (1 - m)) of a long, (E - M) / (N * (1 + m)) of a short, N its notional.
 * Source: Binance's cross-margin liquidation price of USD-M futures,
 *     LP = (WB - TMM + UPNL - side * Q * EP) / (Q * MMR - side * Q)
 * with one rate and no maintenance amount; with E = WB + UPNL of all positions the mark's relative
 * distance to LP is the above. Thread: any (pure).
 */
#pragma once

#include "model/order.h"
#include "model/risk_rule.h"
#include "model/settings.h"
#include "model/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

/* What the rules look at: the account as an order in one symbol and on one side meets it. The
 * engine fills it before each check. Entries under way count as if they were filled. */
struct risk_account {
    const struct settings *settings;
    /* Books that do not balance, no room for another order and what follows it, or a database that
     * cannot be written. */
    bool halted;
    bool foreign;       /* in this symbol the venue holds what the bot did not open */
    bool price_suspect; /* the newest candle of this symbol was refused */
    bool symbol_busy;   /* a position or an order in this symbol */
    enum trading_state state;
    struct dec equity; /* open profit included */
    struct dec equity_peak;
    struct dec day_start_equity;
    int64_t losses_in_a_row; /* this market day */
    int64_t positions_open;  /* entries in flight counted: they may fill */
    int64_t orders_lately;   /* entries made in the last minute */
    int64_t cooldown_until_us;
    int64_t price_updated_us; /* of this symbol */
    int64_t now_us;
    struct dec fill_price;         /* what the entry may fill at: its size is valued at that or at
                                    * its reference, whichever is more; zero: its reference */
    int tier;                      /* of this symbol: 0..TIERS-1 */
    struct dec exposure;           /* notional of all positions and entries under way */
    struct dec tier_exposure;      /* of those in this symbol's tier */
    struct dec symbol_exposure;    /* of those in this symbol */
    struct dec long_notional;      /* of the largest long */
    struct dec short_notional;     /* of the largest short */
    double correlation;            /* the largest with an open position, the sign turned for one on
                                    * the other side; 0 without one or too short a history */
    struct symbol correlated_with; /* whose that is */
};

struct risk_result {
    bool pass;
    const char *code;   /* "RISK_…", static; "" when it passed */
    char text[96];      /* "3 of 3 positions open"; empty when it passed */
    struct dec max_qty; /* largest that would pass; the order's own when it passed */
};

/* A price older than this opens nothing. */
#define RISK_STALE_AFTER_US (3 * USEC_PER_MIN)

/* Are positions and entries under way, at the prices of now, beyond what one symbol, its tier, all
 * of them or the leverage may be? Then nothing more may fill there. */
bool risk_is_beyond(const struct risk_account *account);

/* ret->pass. */
bool risk_check(const struct risk_account *account, const struct order *order,
                struct risk_result *ret);

/* Size of an entry: confidence * the most that one position may be, which loses risk_per_trade_pct
 * of equity when its stop is hit or stands at max_position_pct or the tier's limit, whichever is
 * least; down to a whole lot. Where less room is left by the other limits it is that, as long as it
 * is at least half of what was wanted; of less nothing good comes, so it is refused with its
 * reason. Zero when it is less than one lot. The order's qty is not looked at. */
struct dec risk_size(const struct risk_account *account, const struct order *order,
                     double confidence);

/* The smallest step of a quantity at this price: about 1/1,000 of 1 to 10 thousand in quote. */
struct dec risk_lot(struct dec price);

/* Which limit is broken, so that the breaker trips: drawdown, daily loss, losses in a row (of
 * settings, equity, equity_peak, day_start_equity, losses_in_a_row). False when none is; else the
 * reason with its figures. */
bool risk_breaker(const struct risk_account *account, char *ret_reason, int reason_size);

/* Loss since the start of the market day and drawdown from the peak, per cent, > 0 is a loss. */
double risk_daily_loss_pct(const struct risk_account *account);
double risk_drawdown_pct(const struct risk_account *account);

/* What may still happen. An emergency stop, and books that do not balance, halt. */
enum risk_state risk_state_of(enum trading_state state, bool books_balance);

/* The distance to liquidation as above, per cent of the mark; 0 once it is reached. exposure: of
 * the whole account, this position included. */
double risk_liquidation_distance_pct(const struct settings *settings, struct dec equity,
                                     struct dec exposure, enum side side, struct dec notional);

/* What the watch does about a distance, worst last. */
enum risk_liquidation_guard {
    RISK_LIQUIDATION_GUARD_NONE,
    RISK_LIQUIDATION_GUARD_WARN,  /* under RISK_WARN_PCT: margin should be added */
    RISK_LIQUIDATION_GUARD_HALVE, /* under RISK_HALVE_PCT */
    RISK_LIQUIDATION_GUARD_CLOSE  /* under RISK_CLOSE_PCT */
};
enum risk_liquidation_guard risk_liquidation_guard(double distance_pct);

/* The tier of a symbol, 0..TIERS-1: the first that lists it, the last when none does. */
int risk_tier(const struct settings *settings, struct symbol symbol);
