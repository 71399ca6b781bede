/*
 * trading.h: trading.db, the engine's database: the file, its transactions, its retention.
 *
 *     trading_store_open(state_dir, TRADING_STORE_WRITE, &store, err);
 *     trading_store_begin(store, err);
 *     order_table_write(store, &order, err); ... state_table_save(store, &state, err);
 *     rc = trading_store_commit(store, err);      // on disk (FULL), or nothing happened
 *     trading_store_free(store);
 *
 * The typed reads and writes are in <table>_table.h and paper.h; all take the same store.
 * Always true: one step is one transaction; a call outside of one commits by itself. After a write
 * that failed inside of one, roll back: it may have been done in part. The engine
 * thread holds the only writing connection; any other thread opens its own read-only one.
 * Times in this database are market time, unless a name says wall.
 * Thread: one connection belongs to one thread.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct trading_store;

enum trading_store_mode {
    TRADING_STORE_WRITE, /* creates and migrates */
    TRADING_STORE_READ   /* the file must exist with today's schema */
};

/* The file is <state_dir>/trading.db; state_dir ":memory:" makes one for a test. The folder must
 * exist. The caller frees *ret. */
int trading_store_open(const char *state_dir, enum trading_store_mode mode,
                       struct trading_store **ret, struct err *err);
void trading_store_free(struct trading_store *store); /* an open transaction is rolled back */

static inline void trading_store_cleanup(struct trading_store **slot)
{
    trading_store_free(*slot);
}
#define AUTO_TRADING_STORE __attribute__((cleanup(trading_store_cleanup)))

/* Do not nest (ASSERT). A commit that fails has rolled back. */
int trading_store_begin(struct trading_store *store, struct err *err);
int trading_store_commit(struct trading_store *store, struct err *err);
void trading_store_rollback(struct trading_store *store); /* nothing open: nothing happens */

/* Deletes what is older than before_us (market time) and not needed to explain a trade: decisions
 * that led to no order, and equity points; at most max_rows of each, so that a step stays short.
 * Orders, fills and trades are kept. Call again while *ret_deleted == max_rows or more. */
int trading_store_prune(struct trading_store *store, int64_t before_us, int64_t max_rows,
                        int64_t *ret_deleted, struct err *err);

/* How far the journal of a run (engine/recorder.h) was written when the next commit is made: each
 * commit stores what was told last with everything else. So a start can tell whether the journal
 * knows of commits that this file has lost. */
void trading_store_set_recorded(struct trading_store *store, int64_t run, int64_t size_bytes);
/* ERR_STORE_NOT_FOUND when no commit has told. */
int trading_store_get_recorded(struct trading_store *store, int64_t *ret_run, int64_t *ret_size,
                               struct err *err);

/* See db_restore_if_moved and db_reopen (io/db.h): the writer notices that its file was deleted or
 * replaced and puts it back (1; *err says what was found); readers then open it anew. */
int trading_store_restore_if_moved(struct trading_store *store, struct err *err);
int trading_store_reopen(struct trading_store *store, struct err *err);

/* One line for the debug log: what reading this file has cost so far. */
void trading_store_log_work(struct trading_store *store, const char *when);

/* PRAGMA quick_check. */
int trading_store_check(struct trading_store *store, struct err *err);

/* For the simulator, see db_set_fault (io/db.h): fn runs before every writing statement and every
 * commit; a negative error id makes that call fail with nothing written. fn NULL: none. */
typedef int (*trading_store_fault_fn)(const char *what, void *userdata);
void trading_store_set_fault(struct trading_store *store, trading_store_fault_fn fn,
                             void *userdata);
