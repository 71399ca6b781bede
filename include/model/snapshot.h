/*
 * snapshot.h: the whole public state of the engine as one value, published after every step through
 * model/shared.h; /status, /positions, metrics and the auditor read it.
 *
 *     struct snapshot *s = snapshot_new(symbol_count);
 *     s->markets[s->market_count++] = market;
 *     snapshot_copy(block, symbol_count, s); // block: snapshot_size(symbol_count) bytes
 *     free(s);
 *
 * Invariants: one block of memory, sized by the number of symbols: this struct, then the rows that
 * its pointers point to (NULL in a value that has none, such as an all-zero one). Copy it with
 * snapshot_copy only: a plain assignment shares the rows.
 * It has times of two clocks: market_us is market time (faster than real time in a sped-up
 * simulation), published_wall_us is the wall time of this machine.
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/capacity.h"
#include "model/decision.h"
#include "model/position.h"
#include "model/settings.h"
#include "model/symbol.h"
#include "model/venue_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trading_state {
    TRADING_STARTING, /* recovering: reconciliation has not succeeded yet */
    TRADING_ACTIVE,
    TRADING_PAUSED,     /* by a person */
    TRADING_BREAKER,    /* a limit tripped: daily loss, drawdown, losses in a row */
    TRADING_EMERGENCY,  /* emergency_stop */
    TRADING_MAINTENANCE /* by a person, for work on the bot or the venue */
};

/* What trading may still do, for any reason. */
enum risk_state {
    RISK_ACTIVE,
    RISK_REDUCING, /* only orders that cancel, close or reduce */
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
    uint64_t refused; /* refused candles, the sum of: */
    uint64_t refused_impossible;
    uint64_t refused_backward; /* not newer than the previous one */
    uint64_t refused_stale;
    uint64_t refused_future;
    uint64_t gaps; /* candles that were never received */
    bool suspect;  /* the newest candle was refused: nothing is opened until one is accepted */
    struct instrument rules; /* of the venue; without a symbol: unknown */
    struct dec bid, ask;     /* live; zero: unknown, as are: */
    struct dec bid_depth;    /* orders within one per cent of the price, in quote currency */
    struct dec ask_depth;
};

/* The part of one symbol in what risk checks. */
struct snapshot_symbol {
    struct symbol symbol;
    int tier; /* from 0 */
    double exposure_pct;
    double liquidation_distance_pct; /* of its position; 0 if none */
    int64_t cooldown_until_us;       /* market time; 0: none */
};

/* The values that risk checks, with their limits, as /risk shows them. Percentages are of equity;
 * pending entries are included in all but the margin. */
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
    struct snapshot_symbol *symbols;
    double leverage; /* a multiple of equity */
    double max_leverage;
    double initial_margin_pct;
    double maintenance_margin_pct; /* required by the venue, of equity */
    double min_liquidation_distance_pct;
    double correlation; /* the largest of two open positions; sign inverted for opposite sides */
    double max_correlation;
    int64_t losses_in_a_row;
    int64_t max_consecutive_losses;
    int64_t orders_lately; /* entries in the last minute */
    int64_t max_orders_per_minute;
    int64_t cooldown_us;
};

/* Whether the engine can write to the disk. */
enum disk_state {
    DISK_OK,
    DISK_SLOW,  /* a commit takes seconds: orders wait for it */
    DISK_FAILED /* trading.db, the paper venue's book or the journal cannot be written: nothing
                 * is opened */
};

const char *disk_state_name(enum disk_state s); /* "ok" "slow" "failed" */

struct snapshot_disk {
    enum disk_state state;
    int err;               /* FAILED: id of the cause, such as DB_FULL */
    int64_t since_wall_us; /* SLOW, FAILED */
    int64_t commit_us;     /* SLOW: how long the last slow commit took */
    bool closes;           /* FAILED: closing orders are sent, with their intents in reserve.bin */
};

/* A position at the venue that the bot did not open. */
struct snapshot_foreign {
    struct symbol symbol;
    enum side side;
    struct dec qty;
    struct dec entry_price;
};

/* Where the stop and the target of a position are. */
struct snapshot_legs {
    bool stop_at_venue; /* if not, nightdesk keeps it */
    bool target_at_venue;
    char reason[46]; /* why not both; empty: they are, or the venue executes brackets */
};

/* The live prices of a venue. */
struct snapshot_stream {
    char venue[16];        /* empty: the market is not live */
    bool up;               /* the connections of all markets are open */
    bool late;             /* candles of the past are being read: nothing is decided on them */
    uint64_t connections;  /* opened since the start */
    uint64_t lost;         /* of them, while they were in use */
    uint64_t filled;       /* candles from the venue's history */
    uint64_t late_candles; /* that came after their minute was traded: left out */
    uint64_t refused;      /* messages and candles that could not be trusted */
    uint64_t books;        /* order books that are whole and verified */
    uint64_t books_lost;   /* times that one had a gap or a wrong checksum */
};

struct snapshot {
    uint64_t version;          /* increases by 1 with each publish */
    int64_t published_wall_us; /* the clock of this machine */
    int64_t published_mono_us; /* for ages and durations, as is started_mono_us, because the wall
                                * clock may jump */
    int64_t started_mono_us;
    int64_t market_us; /* market time */
    int64_t started_wall_us;
    int64_t market_speed;

    enum trading_state state;
    char state_reason[96];  /* "daily loss 5.1 % of 5 %", "paused by alice" */
    int64_t state_since_us; /* wall */
    bool verified_flat;     /* in an emergency stop: the venue confirmed that nothing is open */

    struct dec initial_cash;
    struct dec cash;
    struct dec equity;
    struct dec equity_peak;
    struct dec day_start_equity;
    struct dec realised; /* all time, after fees */
    struct dec fees;     /* all time */
    struct dec funding;  /* all time; positive: paid by the account; included in realised */
    double drawdown_pct;
    double max_drawdown_pct;         /* the limit */
    double exposure_pct;             /* sum of notionals, of equity */
    double leverage;                 /* exposure as a multiple of equity */
    double liquidation_distance_pct; /* the smallest of all positions; 0 if none */
    enum risk_state risk_state;
    double daily_loss_pct; /* > 0: a loss */
    double max_daily_loss_pct;
    struct snapshot_risk risk;

    bool market_ended;     /* the source has no more candles */
    int feed_err;          /* err id: why they have stopped although the market goes on; 0 */
    bool feed_reconnects;  /* REQUEST_RECONNECT may mend that */
    char feed_reason[256]; /* of feed_err, for people */
    struct snapshot_stream stream;
    uint64_t source_refused;    /* refused rows of files */
    uint64_t source_duplicates; /* rows of files with the time of the previous row */
    int market_count;
    struct snapshot_market *markets;
    int position_count;
    int max_positions;
    struct position *positions;
    struct snapshot_legs *legs; /* of each position */
    struct snapshot_venue venue;
    bool venue_agrees;  /* the venue's list of positions, read after our last order and fill, has
                         * exactly the positions above and the foreign ones */
    int foreign_orders; /* open at the venue, not placed by the bot */
    int foreign_count;  /* positions at the venue that the bot did not open */
    struct snapshot_foreign *foreign;

    uint64_t candles; /* accepted candles of the finest timeframe */
    uint64_t decisions;
    uint64_t orders;
    uint64_t fills;
    uint64_t trades;
    uint64_t wins;
    uint64_t vetoes;
    uint64_t open_orders;
    uint64_t unknown_orders; /* until the venue reports their state */
    uint64_t steps;
    int64_t step_p99_ns; /* of the last 1024 steps, without disk writes */
    bool books_balance;  /* cash, positions and fees add up exactly */
    int last_err;        /* id of the error of an operation that the engine retries; 0: none */
    struct snapshot_disk disk;
};

/* The most bytes of a snapshot of so many symbols, and of the positions that go with them. */
size_t snapshot_size(int symbols);
/* An empty snapshot with room for so many symbols, in one block that free() releases. Never NULL:
 * aborts when out of memory. */
struct snapshot *snapshot_new(int symbols);
/* Makes ret a copy of s: only the rows in use, one after the other behind the struct. *ret is the
 * start of a block of snapshot_size(symbols) bytes, into which the rows of s must fit (ASSERT). */
void snapshot_copy(struct snapshot *ret, int symbols, const struct snapshot *s);
