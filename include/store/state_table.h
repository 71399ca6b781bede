/*
 * state_table.h: the state that the engine needs after a restart, in trading.db: one typed row, and
 * named blobs for private state of a module (the simulated market's generator).
 *
 *     rc = state_table_load(store, &state, err);          // ERR_STORE_NOT_FOUND on the first start
 *     state.market_us = now; state_table_save(store, &state, err);
 *     state_table_write_blob(store, "market", bytes, size, err);
 *
 * Always true: save replaces the whole row and the cooldowns. Call it in the transaction of the
 * step's other writes. Thread: writes from the engine; reads from the owner of the connection.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "model/capacity.h"
#include "model/snapshot.h"
#include "model/symbol.h"
#include "store/trading.h"

#include <stddef.h>
#include <stdint.h>

/* The candles' state of SYMBOLS_LIMIT symbols fits. */
#define STATE_BLOB_MAX ((size_t)2 << 20)

struct engine_cooldown {
    struct symbol symbol;
    int64_t until_us; /* market time */
};

struct engine_state {
    enum trading_state state;
    char state_reason[64];
    int64_t state_since_wall_us;
    int64_t market_us; /* market time of the last committed step */

    struct dec initial_cash;
    struct dec cash;
    struct dec realised;
    struct dec fees;
    struct dec funding;      /* total paid; part of realised */
    int64_t last_funding_id; /* the venue's; payments up to it are booked */
    struct dec equity_peak;
    struct dec day_start_equity;
    int64_t day; /* market day: days since 1970-01-01 */
    int64_t consecutive_losses;

    int64_t run; /* number of starts of the engine on this database */
    int64_t next_order;
    int64_t next_decision_id;
    int64_t next_trade_id;

    int64_t candles; /* this and the next: totals, as in the snapshot */
    int64_t decisions;
    int64_t orders;
    int64_t fills;
    int64_t trades;
    int64_t wins;
    int64_t vetoes;
    int64_t refused_candles;

    int cooldown_count;
    struct engine_cooldown cooldowns[SYMBOLS_LIMIT];
};

int state_table_save(struct trading_store *store, const struct engine_state *state,
                     struct err *err);
int state_table_load(struct trading_store *store, struct engine_state *ret, struct err *err);

/* size <= STATE_BLOB_MAX. */
int state_table_write_blob(struct trading_store *store, const char *name, const void *bytes,
                           size_t size, struct err *err);
/* *ret_size is the stored size; ERR_STORE_DAMAGED if it is larger than max, ERR_STORE_NOT_FOUND if
 * there is no such blob. */
int state_table_get_blob(struct trading_store *store, const char *name, void *ret, size_t max,
                         size_t *ret_size, struct err *err);
