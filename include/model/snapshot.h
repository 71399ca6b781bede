/*
 * snapshot.h: the engine's whole public state as one value, published after every step through
 * base/mailbox.h; what /status, /positions, metrics and the auditor read.
 *
 * Two clocks stand in it: market_us is the market's (it runs faster than ours in a sped-up
 * simulation), published_wall_us is this machine's. Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/decision.h"
#include "model/position.h"
#include "model/settings.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

#define POSITIONS_MAX SYMBOLS_MAX

enum trading_state {
    TRADING_STARTING, /* recovering: reconciliation has not succeeded yet */
    TRADING_ACTIVE,
    TRADING_PAUSED,     /* a person said so */
    TRADING_BREAKER,    /* a limit tripped: daily loss, drawdown, losses in a row */
    TRADING_EMERGENCY,  /* emergency_stop */
    TRADING_MAINTENANCE /* a person said so: work on the bot or the venue */
};

/* What may still happen, whatever the reason. */
enum risk_state {
    RISK_ACTIVE,
    RISK_REDUCING, /* orders that cancel, close or reduce only */
    RISK_HALTED    /* an emergency stop, or books that do not balance: closing only */
};

const char *risk_state_name(enum risk_state s);       /* "active" "reducing" "halted" */
const char *trading_state_name(enum trading_state s); /* "starting" "active" … */
bool trading_state_parse(struct str s, enum trading_state *ret);

struct snapshot_market {
    struct symbol symbol;
    struct dec price;
    struct dec change_24h_pct;
    int64_t updated_us; /* market time of the newest accepted candle */
    enum regime regime;
    double rsi;
    double ema_fast;
    double ema_slow;
    uint64_t refused; /* candles that were not taken, the sum of: */
    uint64_t refused_impossible;
    uint64_t refused_backward; /* not newer than the one before */
    uint64_t refused_stale;
    uint64_t refused_future;
    uint64_t gaps; /* candles that never came */
    bool suspect;  /* the newest candle was refused: nothing opens here until a good one comes */
};

/* What risk looks at, beside its limits: what /risk shows. Percentages are of equity; entries
 * under way count in all but the margin. */
struct snapshot_risk {
    double exposure_pct;
    double max_exposure_pct;
    double max_position_pct;
    double risk_per_trade_pct;
    struct snapshot_tier {
        double exposure_pct;
        double max_exposure_pct;
        double max_position_pct;
    } tiers[TIERS];
    int symbol_count;
    struct snapshot_symbol {
        struct symbol symbol;
        int tier; /* from 0 */
        double exposure_pct;
        double liquidation_distance_pct; /* of the position in it; 0 with none */
        int64_t cooldown_until_us;       /* market time; 0: none */
    } symbols[SYMBOLS_MAX];
    double leverage; /* a multiple of equity */
    double max_leverage;
    double initial_margin_pct;
    double maintenance_margin_pct; /* what the venue wants to stay, of equity */
    double min_liquidation_distance_pct;
    double correlation; /* the largest of two that are held; opposite sides with the sign turned */
    double max_correlation;
    int64_t losses_in_a_row;
    int64_t max_consecutive_losses;
    int64_t orders_lately; /* entries in the last minute */
    int64_t max_orders_per_minute;
    int64_t cooldown_us;
};

/* Whether what the engine does reaches the disk. */
enum disk_state {
    DISK_OK,
    DISK_SLOW,  /* a commit takes seconds: orders wait as long */
    DISK_FAILED /* trading.db, the paper venue's book or the journal cannot be written: nothing is
                 * opened */
};

const char *disk_state_name(enum disk_state s); /* "ok" "slow" "failed" */

struct snapshot_disk {
    enum disk_state state;
    int err;               /* FAILED: id of the cause, such as DB_FULL */
    int64_t since_wall_us; /* SLOW, FAILED */
    int64_t commit_us;     /* SLOW: how long the last slow commit took */
    bool closes;           /* FAILED: orders that close leave, their intents go to the reserve */
};

struct snapshot {
    uint64_t version;          /* +1 a publish */
    int64_t published_wall_us; /* our clock */
    int64_t published_mono_us; /* ages and durations are taken from these two: the wall clock may
                                * be set */
    int64_t started_mono_us;
    int64_t market_us; /* the market's clock */
    int64_t started_wall_us;
    int64_t market_speed;

    enum trading_state state;
    char state_reason[64];  /* "daily loss 5.1 % of 5 %", "paused by alice" */
    int64_t state_since_us; /* wall */
    bool verified_flat;     /* in an emergency stop: the venue itself listed nothing open */

    struct dec initial_cash;
    struct dec cash;
    struct dec equity;
    struct dec equity_peak;
    struct dec day_start_equity;
    struct dec realised; /* since ever, after fees */
    struct dec fees;     /* since ever */
    struct dec funding;  /* paid since ever, positive is paid; part of realised */
    double drawdown_pct;
    double max_drawdown_pct;         /* the limit */
    double exposure_pct;             /* sum of notionals, of equity */
    double leverage;                 /* exposure as a multiple of equity */
    double liquidation_distance_pct; /* the smallest of any position; 0 with none */
    enum risk_state risk_state;
    double daily_loss_pct; /* > 0 is a loss */
    double max_daily_loss_pct;
    struct snapshot_risk risk;

    bool market_ended;          /* the source has no more candles */
    uint64_t source_refused;    /* rows of files that could not be used */
    uint64_t source_duplicates; /* rows of files with the time of the one before */
    int market_count;
    struct snapshot_market markets[SYMBOLS_MAX];
    int position_count;
    int max_positions;
    struct position positions[POSITIONS_MAX];
    bool venue_agrees; /* the venue's own listing, asked for after our last order and fill, shows
                        * the positions above and nothing else but the foreign ones */
    int foreign_count; /* what the venue holds and the bot did not open */
    struct snapshot_foreign {
        struct symbol symbol;
        enum side side;
        struct dec qty;
        struct dec entry_price;
    } foreign[POSITIONS_MAX];

    uint64_t candles; /* accepted, of the finest timeframe */
    uint64_t decisions;
    uint64_t orders;
    uint64_t fills;
    uint64_t trades;
    uint64_t wins;
    uint64_t vetoes;
    uint64_t open_orders;
    uint64_t unknown_orders; /* waiting for the venue's word */
    uint64_t steps;
    int64_t step_p99_ns; /* of the last 1024 steps, the disk not counted */
    bool books_balance;  /* cash + positions + fees, to the last unit */
    int last_err;        /* what the engine cannot do, and tries again: its id; 0 none */
    struct snapshot_disk disk;
};
