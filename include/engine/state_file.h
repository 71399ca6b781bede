/*
 * state_file.h: .trading_state.json, the account as one small file for people and other programs.
 *
 *     state_file_of(&file, engine, name, wall_us);                // fills in the current values
 *     rc = state_file_write(&file, state_dir, err);          // atomic
 *     rc = state_file_read(path, &file, err);                // errors with line:column
 *     rc = state_file_import(&file, &options, store, &done, err);
 *
 * Fields, all always written: schema, initialized (true), provider (the venue's name), created_at,
 * last_updated (wall clock, ISO), active_positions [{symbol, side "long"|"short", size,
 * entry_price, order_id, stop_loss_order_id, take_profit_order_id, risk_usd}], total_trades
 * (closed, all time), win_rate (per cent of them with a profit), total_pnl (realised, all time,
 * after fees and funding), daily_pnl (equity minus equity at the start of the market day, open
 * profit included), daily_drawdown_pct (the day's loss in per cent of the latter; 0 in profit),
 * circuit_breaker_tripped (now), last_circuit_trip_reason (of the last trip; null: never tripped).
 * order_id is the client id of the entry. The venue keeps its bracket under the same id, so the ids
 * of stop and target are that id with "-sl" and "-tp". risk_usd is the loss from the entry price to
 * the stop, without fees; 0 without a stop. Money and sizes are decimal numbers with all digits.
 * Reading: a position needs symbol, side, size and entry_price. All other fields may be missing or
 * null, numbers may be strings, unknown fields are ignored. "BTC/USDT" is read as BTC-USDT. A
 * win_rate of 1 or less is read as a fraction if a fraction gives a whole number of winning trades
 * and a percentage does not.
 * Thread: one at a time per value.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "store/trading.h"

#define STATE_FILE_NAME      ".trading_state.json"
#define STATE_FILE_MAX_BYTES ((size_t)1 << 20)
#define STATE_FILE_ID_SIZE   64

struct state_file_position {
    struct symbol symbol;
    enum side side;
    struct dec size;
    struct dec entry_price;
    char order_id[STATE_FILE_ID_SIZE];
    char stop_loss_order_id[STATE_FILE_ID_SIZE];
    char take_profit_order_id[STATE_FILE_ID_SIZE];
    struct dec risk_usd;
};

struct state_file {
    bool initialized;
    char provider[32];
    int64_t created_us;      /* wall clock; 0: unknown */
    int64_t last_updated_us; /* likewise */
    int position_count;
    struct state_file_position positions[POSITIONS_LIMIT];
    int64_t total_trades;
    struct dec win_rate; /* 0..100 */
    struct dec total_pnl;
    struct dec daily_pnl;
    struct dec daily_drawdown_pct;
    bool breaker_tripped;
    char last_trip_reason[64]; /* empty: never tripped */
};

/* provider: the venue's name. Fills in everything but created_us and, while the breaker is not
 * tripped, last_trip_reason: these keep their values. */
void state_file_of(struct state_file *file, const struct engine *engine, const char *provider,
                   int64_t wall_us);
/* Whether a and b differ in positions, trades or breaker. */
bool state_file_differs(const struct state_file *a, const struct state_file *b);
void state_file_text(const struct state_file *file, struct buf *out);
/* name: used in errors. ERR_STATE_FILE_DAMAGED with line:column. *ret is unchanged on failure. */
int state_file_parse(struct str text, const char *name, struct state_file *ret, struct err *err);
int state_file_read(const char *path, struct state_file *ret, struct err *err);
/* Writes <state_dir>/.trading_state.json, mode 0640: temporary file, fsync, rename, fsync of the
 * folder. */
int state_file_write(const struct state_file *file, const char *state_dir, struct err *err);

struct state_file_import {
    const struct settings *settings;  /* initial_cash, stop_pct, target_pct */
    const struct venue_import *venue; /* NULL: nothing can be imported */
    int64_t wall_us;
    bool replace; /* replace open positions and orders */
};

struct state_file_imported {
    bool fresh; /* trading.db had no account before */
    int positions;
    int replaced_positions;
    int cancelled_orders;
};

/* Imports the account into trading.db, including the books that the venue keeps in it, in one
 * transaction that this function begins and commits. Values that the file does not hold are chosen
 * so that the books balance: cash is the starting cash plus total_pnl minus the cost of the
 * positions; fees are 0; stop and target are at the configured distance from the entry price.
 * Earlier orders, trades and decisions stay as history. ERR_STATE_FILE_OPEN: something is open and
 * replace is false; ERR_STATE_FILE_VENUE: the venue's account is not in trading.db. After an error
 * nothing is changed.
 */
int state_file_import(const struct state_file *file, const struct state_file_import *options,
                      struct trading_store *store, struct state_file_imported *ret,
                      struct err *err);
