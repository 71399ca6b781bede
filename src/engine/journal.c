#include "journal.h"

#include "base/check.h"
#include "store/candle_table.h"
#include "store/decision_table.h"
#include "store/equity_table.h"
#include "store/fill_table.h"
#include "store/funding_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/request_table.h"
#include "store/rule_table.h"
#include "store/state_table.h"
#include "store/trade_table.h"
#include "store/transfer_table.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_MAX   ((size_t)64 * 1024) /* of a saved source */
#define EPISODE_BLOB "reserve"
#define FILLS_LOADED 256 /* of one order */

static int write_orders_and_fills(struct trading_store *store, const struct journal_rows *rows,
                                  struct err *err)
{
    int rc = 0;
    for (int i = 0; i < rows->order_count && rc >= 0; i++) {
        rc = order_table_write(store, &rows->orders[i], err);
    }
    for (int i = 0; i < rows->fill_count && rc >= 0; i++) {
        bool fresh = false;
        rc = fill_table_add(store, &rows->fills[i], &fresh, err);
        if (rc >= 0 && !fresh) {
            /* The engine has booked this fill twice: refuse the whole step. */
            rc = err_set(err, ERR_ENGINE_STRAY_FILL, "fill %s of %s has been booked already",
                         rows->fills[i].venue_fill_id, rows->fills[i].client_id);
        }
    }
    for (int i = 0; i < rows->trade_count && rc >= 0; i++) {
        rc = trade_table_add(store, &rows->trades[i], err);
    }
    for (int i = 0; i < rows->payment_count && rc >= 0; i++) {
        rc = funding_table_add(store, &rows->payments[i], err);
    }
    for (int i = 0; i < rows->transfer_count && rc >= 0; i++) {
        rc = transfer_table_add(store, &rows->transfers[i], err);
    }
    return rc;
}

static int write_market(struct trading_store *store, const struct engine *engine,
                        const struct source *source, struct err *err)
{
    size_t capacity = engine_series_size(engine);
    capacity = capacity < SOURCE_MAX ? SOURCE_MAX : capacity;
    AUTO_FREE char *bytes = malloc(capacity);
    ASSERT(bytes != NULL);
    size_t size = engine_series_save(engine, bytes, capacity);
    ASSERT(size > 0);
    int rc = state_table_write_blob(store, "series", bytes, size, err);
    if (rc >= 0) {
        size = source_save(source, bytes, capacity);
        ASSERT(size > 0);
        rc = state_table_write_blob(store, "market", bytes, size, err);
    }
    return rc;
}

/* Everything that a start restores. */
static int write_books(struct trading_store *store, const struct engine *engine,
                       const struct source *source, const struct journal_rows *rows,
                       struct err *err)
{
    int rc = write_orders_and_fills(store, rows, err);
    if (rc >= 0 && rows->positions_changed) {
        int count;
        const struct position *positions = engine_positions(engine, &count);
        rc = position_table_replace(store, positions, (size_t)count, err);
    }
    if (rc >= 0 && rows->rules_changed) {
        rc = rule_table_save(store, engine_rule_book(engine), err);
    }
    for (int i = 0; i < rows->candle_count && rc >= 0; i++) {
        rc = candle_table_add(store, rows->candles[i].symbol, &rows->candles[i].candle, err);
    }
    for (int i = 0; i < rows->request_count && rc >= 0; i++) {
        const struct journal_request *r = &rows->requests[i];
        rc = request_table_add(store, &r->request, r->err, r->at_us, err);
    }
    if (rc >= 0 && rows->episode != 0) {
        rc =
            state_table_write_blob(store, EPISODE_BLOB, &rows->episode, sizeof(rows->episode), err);
    }
    if (rc >= 0 && rows->market_moved) {
        rc = write_market(store, engine, source, err);
    }
    return rc < 0 ? rc : state_table_save(store, engine_state(engine), err);
}

/* Rows for people: decisions, candles and the equity curve. */
static int write_history(struct trading_store *store, const struct journal_rows *rows,
                         struct err *err)
{
    int rc = 0;
    for (int i = 0; i < rows->decision_count && rc >= 0; i++) {
        rc = decision_table_add(store, &rows->decisions[i], err);
    }
    for (int i = 0; i < rows->point_count && rc >= 0; i++) {
        rc = equity_table_add(store, &rows->points[i], err);
    }
    return rc;
}

static int end(struct trading_store *store, int rc, struct err *err)
{
    if (rc < 0) {
        trading_store_rollback(store);
        return rc;
    }
    return trading_store_commit(store, err);
}

int journal_commit_rows(struct trading_store *store, const struct engine *engine,
                        const struct source *source, const struct journal_rows *rows,
                        struct err *err)
{
    int rc = trading_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    rc = write_books(store, engine, source, rows, err);
    return end(store, rc < 0 ? rc : write_history(store, rows, err), err);
}

int journal_commit(struct trading_store *store, const struct engine *engine,
                   const struct source *source, const struct engine_outputs *out, struct err *err)
{
    struct journal_request request = {.err = out->request_err, .at_us = out->at_us};
    if (out->has_request) {
        request.request = out->request;
    }
    struct journal_rows rows = {
        .market_moved = out->market_moved,
        .positions_changed = out->positions_changed,
        .rules_changed = out->rules_changed,
        .order_count = out->order_count,
        .orders = out->orders,
        .fill_count = out->fill_count,
        .fills = out->fills,
        .payment_count = out->payment_count,
        .payments = out->payments,
        .transfer_count = out->transfer_count,
        .transfers = out->transfers,
        .trade_count = out->trade_count,
        .trades = out->trades,
        .decision_count = out->decision_count,
        .decisions = out->decisions,
        .candle_count = out->candle_count,
        .candles = out->candles,
        .point_count = out->equity_point ? 1 : 0,
        .points = &out->equity,
        .request_count = out->has_request ? 1 : 0,
        .requests = &request,
    };
    return journal_commit_rows(store, engine, source, &rows, err);
}

int journal_load_episode(struct trading_store *store, int64_t *ret, struct err *err)
{
    size_t size = 0;
    *ret = 0;
    int rc = state_table_get_blob(store, EPISODE_BLOB, ret, sizeof(*ret), &size, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        rc = 0;
    }
    if (rc >= 0 && size != 0 && size != sizeof(*ret)) {
        rc = err_set(err, ERR_STORE_DAMAGED, "blobs: %s has an impossible size of %zu bytes",
                     EPISODE_BLOB, size);
    }
    return rc;
}

int journal_first_begin(struct trading_store *store, struct err *err)
{
    return trading_store_begin(store, err);
}

int journal_first_add(struct trading_store *store, const struct source_bar *bars, int count,
                      struct err *err)
{
    int rc = 0;
    for (int i = 0; i < count && rc >= 0; i++) {
        rc = candle_table_add(store, bars[i].symbol, &bars[i].candle, err);
    }
    if (rc < 0) {
        trading_store_rollback(store);
    }
    return rc;
}

int journal_first_commit(struct trading_store *store, const struct engine *engine,
                         const struct source *source, struct err *err)
{
    int rc = write_market(store, engine, source, err);
    if (rc >= 0) {
        rc = state_table_save(store, engine_state(engine), err);
    }
    return end(store, rc, err);
}

static bool is_loaded(const struct engine_memory *memory, const char *client_id)
{
    for (int i = 0; i < memory->order_count; i++) {
        if (strcmp(memory->orders[i].client_id, client_id) == 0) {
            return true;
        }
    }
    return false;
}

/* The newest of each order: all before them are known to be booked too. */
static int load_fill_ids(struct trading_store *store, struct engine_memory *memory, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < memory->order_count && rc >= 0; i++) {
        char ids[FILLS_LOADED][FILL_ID_SIZE];
        int left = ENGINE_BOOKED_MAX / 2 - memory->booked_count;
        int max = left < FILLS_LOADED ? left : FILLS_LOADED;
        rc = fill_table_newest_ids(store, memory->orders[i].client_id, ids, max < 1 ? 1 : max, err);
        for (int k = 0; k < rc; k++) {
            struct engine_booked *b = &memory->booked[memory->booked_count++];
            b->order = i;
            memcpy(b->venue_fill_id, ids[k], sizeof(b->venue_fill_id));
        }
    }
    return rc < 0 ? rc : 0;
}

/* Loads the newest entries, for the rate of entries; as many as one minute can hold. */
static int load_entries(struct trading_store *store, struct engine_memory *memory, struct err *err)
{
    struct order newest[ORDERS_LIMIT];
    int count = order_table_list(store, &(struct order_query){0}, newest, COUNT_OF(newest), err);
    for (int i = count - 1; i >= 0; i--) {
        if (newest[i].kind == ORDER_ENTRY &&
            memory->state.market_us - newest[i].created_us < USEC_PER_MIN) {
            memory->entries_us[memory->entry_count++] = newest[i].created_us;
        }
    }
    return count;
}

int journal_load(struct trading_store *store, struct engine_memory *ret, struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    int rc = state_table_load(store, &ret->state, err);
    if (rc < 0) {
        return rc;
    }
    rc = position_table_list(store, ret->positions, POSITIONS_LIMIT, err);
    if (rc < 0) {
        return rc;
    }
    ret->position_count = rc;
    /* Leaves space for the entries of the positions. */
    rc = order_table_open(store, ret->orders, ORDERS_LIMIT - POSITIONS_LIMIT, err);
    if (rc < 0) {
        return rc;
    }
    ret->order_count = rc;
    for (int i = 0; i < ret->position_count; i++) {
        const char *client_id = ret->positions[i].client_id;
        if (client_id[0] == '\0' || is_loaded(ret, client_id)) {
            continue;
        }
        rc = order_table_get(store, client_id, &ret->orders[ret->order_count], err);
        if (rc == -ERR_STORE_NOT_FOUND) {
            /* The caller would take ERR_STORE_NOT_FOUND for an empty database and start a new
             * account. */
            err_clear(err);
            return err_set(err, ERR_STORE_DAMAGED, "positions: %s has no order %s",
                           ret->positions[i].symbol.name, client_id);
        }
        if (rc < 0) {
            return rc;
        }
        ret->order_count++;
    }
    rc = load_entries(store, ret, err);
    if (rc >= 0) {
        rc = rule_table_load(store, &ret->rules, err);
    }
    if (rc < 0) {
        return rc;
    }
    return load_fill_ids(store, ret, err);
}

static int load_history(struct trading_store *store, struct engine *engine,
                        const struct symbol *symbols, int count, void (*alive)(void *userdata),
                        void *userdata, struct err *err)
{
    AUTO_FREE struct candle *bars = calloc(CANDLE_TABLE_KEEP, sizeof(*bars));
    ASSERT(bars != NULL);
    for (int i = 0; i < count; i++) {
        int kept = candle_table_last(store, symbols[i], bars, CANDLE_TABLE_KEEP, err);
        if (kept < 0) {
            return kept;
        }
        engine_history(engine, symbols[i], bars, kept);
        alive(userdata);
    }
    return 0;
}

int journal_has_market(struct trading_store *store, bool *ret, struct err *err)
{
    AUTO_FREE char *bytes = malloc(STATE_BLOB_MAX);
    ASSERT(bytes != NULL);
    size_t size = 0;
    int rc = state_table_get_blob(store, "market", bytes, STATE_BLOB_MAX, &size, err);
    *ret = rc != -ERR_STORE_NOT_FOUND;
    if (!*ret) {
        err_clear(err);
    }
    return *ret ? rc : 0;
}

int journal_load_source(struct trading_store *store, struct source *source, struct err *err)
{
    AUTO_FREE char *bytes = malloc(STATE_BLOB_MAX);
    ASSERT(bytes != NULL);
    size_t size = 0;
    int rc = state_table_get_blob(store, "market", bytes, STATE_BLOB_MAX, &size, err);
    return rc < 0 || source_load(source, bytes, size)
               ? rc
               : err_set(err, ERR_MARKET_SAVED, "source, %zu bytes", size);
}

int journal_load_market(struct trading_store *store, struct engine *engine, struct source *source,
                        const struct symbol *symbols, int count, void (*alive)(void *userdata),
                        void *userdata, struct err *err)
{
    AUTO_FREE char *bytes = malloc(STATE_BLOB_MAX);
    ASSERT(bytes != NULL);
    size_t size = 0;
    int rc = journal_load_source(store, source, err);
    if (rc < 0) {
        return rc;
    }
    rc = state_table_get_blob(store, "series", bytes, STATE_BLOB_MAX, &size, err);
    if (rc < 0 && rc != -ERR_STORE_NOT_FOUND) {
        return rc;
    }
    bool fits = rc >= 0 && engine_series_load(engine, bytes, size);
    rc = load_history(store, engine, symbols, count, alive, userdata, err);
    return rc < 0 || fits ? rc : err_set(err, ERR_MARKET_SAVED, "series, %zu bytes", size);
}
