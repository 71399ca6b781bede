/*
 * state_file.h: .trading_state.json, the account as one small file for people and other programs.
 *
 *     state_file_of(&file, engine);                          // what it says now
 *     rc = state_file_write(&file, state_dir, err);          // whole or not at all
 *     rc = state_file_read(path, &file, err);                // line:column of what is wrong
 *     rc = state_file_import(&file, &options, store, &done, err);
 *
 * Fields, all always written: initialized (true), provider ("paper"), created_at, last_updated
 * (our clock, ISO), active_positions [{symbol, side "long"|"short", size, entry_price, order_id,
 * stop_loss_order_id, take_profit_order_id, risk_usd}], total_trades (closed ones, since ever),
 * win_rate (per cent of them with a profit), total_pnl (realised since ever, after fees and
 * funding), daily_pnl (equity less that at the start of the market day, open profit included),
 * daily_drawdown_pct (the loss of the day in per cent of that; 0 in profit),
 * circuit_breaker_tripped (now), last_circuit_trip_reason (of the last time; null: never).
 * order_id is the client id of the entry; its bracket lives at the venue under the same id, so the
 * stop's and the target's are that id with "-sl" and "-tp". risk_usd is what is lost from the
 * entry price to the stop, fees not counted; 0 without a stop. Money and sizes are decimal numbers
 * with all their digits.
 * Reading: a position needs symbol, side, size and entry_price; everything else may be absent or
 * null, numbers may be texts, fields may be added; "BTC/USDT" is BTC-USDT; a win_rate of 1 or less
 * is a fraction when that makes a whole number of trades and per cent do not.
 * Thread: one at a time per value.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "store/trading.h"

#define STATE_FILE_NAME     ".trading_state.json"
#define STATEFILE_MAX_BYTES ((size_t)1 << 20)
#define STATEFILE_ID_SIZE   64

struct state_file_position {
    struct symbol symbol;
    enum side side;
    struct dec size;
    struct dec entry_price;
    char order_id[STATEFILE_ID_SIZE];
    char stop_loss_order_id[STATEFILE_ID_SIZE];
    char take_profit_order_id[STATEFILE_ID_SIZE];
    struct dec risk_usd;
};

struct state_file {
    bool initialized;
    char provider[32];
    int64_t created_us;      /* wall; 0: not told */
    int64_t last_updated_us; /* the same */
    int position_count;
    struct state_file_position positions[POSITIONS_MAX];
    int64_t total_trades;
    struct dec win_rate; /* 0..100 */
    struct dec total_pnl;
    struct dec daily_pnl;
    struct dec daily_drawdown_pct;
    bool breaker_tripped;
    char last_trip_reason[64]; /* empty: never */
};

/* Everything but created_us and, when the breaker is not tripped, last_trip_reason, which stay. */
void state_file_of(struct state_file *file, const struct engine *engine, int64_t wall_us);
/* Does a say of positions, trades or breaker what b does not? */
bool state_file_is_news(const struct state_file *a, const struct state_file *b);
void state_file_text(const struct state_file *file, struct buf *out);
/* name: for the errors. ERR_STATEFILE_DAMAGED with line:column. *ret is untouched by a failure. */
int state_file_parse(struct str text, const char *name, struct state_file *ret, struct err *err);
int state_file_read(const char *path, struct state_file *ret, struct err *err);
/* <state_dir>/.trading_state.json, mode 0640: temporary file, fsync, rename, fsync of the folder.
 */
int state_file_write(const struct state_file *file, const char *state_dir, struct err *err);

struct state_file_import {
    const struct settings *settings; /* initial_cash, stop_pct, target_pct */
    int64_t wall_us;
    bool replace; /* positions and orders that are open */
};

struct state_file_imported {
    bool fresh; /* trading.db held no account before */
    int positions;
    int replaced_positions;
    int cancelled_orders;
};

/* The account of the file into trading.db, books of the paper venue included, in one transaction
 * that this begins and commits. What it cannot know is made up so that the books balance: the cash
 * is the starting cash and total_pnl less the cost of the positions; fees are 0; stop and target
 * are at the configured distance from the entry price. Orders, trades and decisions of before stay
 * as history. ERR_STATEFILE_OPEN: something is open, and replace is false; nothing changed. */
int state_file_import(const struct state_file *file, const struct state_file_import *options,
                      struct trading_store *store, struct state_file_imported *ret,
                      struct err *err);
