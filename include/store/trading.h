/*
 * trading.h: trading.db, the engine's database: the file, its transactions, its retention.
 *
 *     trading_store_open(state_dir, TRADING_STORE_WRITE, &store, err);
 *     trading_store_begin(store, err);
 *     order_table_write(store, &order, err); ... state_table_save(store, &state, err);
 *     rc = trading_store_commit(store, err);      // all durable (synchronous=FULL), or nothing
 *     trading_store_free(store);
 *
 * The typed reads and writes are in <table>_table.h and paper.h; all take the same store.
 * Always true: one engine step is one transaction; a call outside a transaction commits by itself.
 * If a write inside one fails, roll back, since it may have been done in part. The engine thread
 * has the only writing connection; other threads open a read-only one each.
 * Times in this database are market time, unless a name says wall.
 * Thread: a connection belongs to one thread.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct trading_store;

enum trading_store_mode {
    TRADING_STORE_WRITE, /* creates and migrates */
    TRADING_STORE_READ   /* the file must exist; an older schema is upgraded in memory (io/db.h) */
};

/* The file is <state_dir>/trading.db; ":memory:" is for tests. The folder must exist. The caller
 * frees *ret. */
int trading_store_open(const char *state_dir, enum trading_store_mode mode,
                       struct trading_store **ret, struct err *err);
/* For reading across tables with SQL (module report). */
struct db *trading_store_db(struct trading_store *store);
void trading_store_free(struct trading_store *store); /* an open transaction is rolled back */

static inline void trading_store_cleanup(struct trading_store **slot)
{
    trading_store_free(*slot);
}
#define AUTO_TRADING_STORE __attribute__((cleanup(trading_store_cleanup)))

/* Transactions do not nest (ASSERT). A failed commit rolls back. */
int trading_store_begin(struct trading_store *store, struct err *err);
int trading_store_commit(struct trading_store *store, struct err *err);
void trading_store_rollback(struct trading_store *store); /* no-op without a transaction */

/* Deletes decisions without an order and equity points that are older than before_us (market time);
 * at most max_rows of each, so that a step stays short. Orders, fills, trades and their decisions
 * are kept. Call again while *ret_deleted >= max_rows. */
int trading_store_prune(struct trading_store *store, int64_t before_us, int64_t max_rows,
                        int64_t *ret_deleted, struct err *err);

/* Sets the run and the size of its journal (engine/recorder.h), which every commit from now on
 * stores. So a start can detect that the journal has steps that this file has lost. */
void trading_store_set_recorded(struct trading_store *store, int64_t run, int64_t size_bytes);
/* ERR_STORE_NOT_FOUND if no commit has stored it. */
int trading_store_get_recorded(struct trading_store *store, int64_t *ret_run, int64_t *ret_size,
                               struct err *err);

/* See db_restore_if_moved and db_reopen (io/db.h): if the file was deleted or replaced, the writer
 * restores it and returns 1 (*err says what was found); then the readers reopen it. */
int trading_store_restore_if_moved(struct trading_store *store, struct err *err);
int trading_store_reopen(struct trading_store *store, struct err *err);

/* Logs the work of all statements so far (struct db_work) at debug level. */
void trading_store_log_work(struct trading_store *store, const char *when);

/* PRAGMA quick_check. */
int trading_store_check(struct trading_store *store, struct err *err);

/* For the simulator, see db_set_fault (io/db.h): fn runs before every writing statement and every
 * commit; if it returns a negative error id, the call fails and writes nothing. fn NULL: none. */
typedef int (*trading_store_fault_fn)(const char *what, void *userdata);
void trading_store_set_fault(struct trading_store *store, trading_store_fault_fn fn,
                             void *userdata);
