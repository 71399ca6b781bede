/*
 * journal.h: commits a step's outputs to trading.db in one transaction, and loads them at a start.
 *
 *     rc = journal_commit(store, engine, source, &outputs, err);   // all or nothing
 *     rc = journal_commit_rows(store, engine, source, &rows, err); // of several steps
 *     rc = journal_load(store, &memory, err);                      // ERR_STORE_NOT_FOUND: first
 * start
 *
 * Invariant: a failed commit can be repeated with the same outputs.
 * Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "market/source.h"
#include "store/trading.h"

struct journal_request {
    struct request request;
    int err; /* ERR_NONE, or why it was refused */
    int64_t at_us;
    bool answered; /* the requester has the answer; not stored */
};

/* Rows of one or more steps, oldest first; each order once. The arrays belong to the caller. */
struct journal_rows {
    bool market_moved; /* save series and source too */
    bool positions_changed;
    bool rules_changed;
    int order_count;
    const struct order *orders;
    int fill_count;
    const struct fill *fills;
    int payment_count;
    const struct funding *payments;
    int transfer_count;
    const struct transfer *transfers;
    int trade_count;
    const struct trade *trades;
    int decision_count;
    const struct decision *decisions;
    int candle_count;
    const struct source_bar *candles;
    int point_count;
    const struct equity_point *points;
    int request_count;
    const struct journal_request *requests;
    int64_t episode; /* of the reserve, whose notes are among these rows; 0: none */
};

int journal_commit(struct trading_store *store, const struct engine *engine,
                   const struct source *source, const struct engine_outputs *outputs,
                   struct err *err);

int journal_commit_rows(struct trading_store *store, const struct engine *engine,
                        const struct source *source, const struct journal_rows *rows,
                        struct err *err);

/* The newest committed episode of the reserve; 0: none. */
int journal_load_episode(struct trading_store *store, int64_t *ret, struct err *err);

/* A first start, in one transaction: begin, then the bars of the warm-up history as they close,
 * then commit with the opening books. A failure of the last two rolls it back. */
int journal_first_begin(struct trading_store *store, struct err *err);
int journal_first_add(struct trading_store *store, const struct source_bar *bars, int count,
                      struct err *err);
int journal_first_commit(struct trading_store *store, const struct engine *engine,
                         const struct source *source, struct err *err);

int journal_load(struct trading_store *store, struct engine_memory *ret, struct err *err);
/* False after an import, which brings books without a market. */
int journal_has_market(struct trading_store *store, bool *ret, struct err *err);
/* Whether the saved market is one that this source continues, which then does. ERR_MARKET_SAVED,
 * ERR_STORE_NOT_FOUND. */
int journal_load_source(struct trading_store *store, struct source *source, struct err *err);
/* Loads source and market history, with the windows from candle_table. ERR_MARKET_SAVED: the
 * source's state does not fit, so the history is of another market; nothing was loaded. If only the
 * series do not fit, they are warmed from candle_table instead. alive is called after each symbol.
 */
int journal_load_market(struct trading_store *store, struct engine *engine, struct source *source,
                        const struct symbol *symbols, int count, void (*alive)(void *userdata),
                        void *userdata, struct err *err);
