/*
 * ops.h: ops.db, the database of the ops side: the file, its transactions, request ids, named
 * values, retention.
 *
 *     ops_store_open(state_dir, OPS_STORE_WRITE, &store, err);
 *     ops_store_begin(store, err);
 *     update_table_add(store, "telegram", id, now_us, &fresh, err); run_table_add(...);
 *     rc = ops_store_commit(store, err);
 *
 * The typed reads and writes are in <table>_table.h and audit_chain.h; all take the same store.
 * Always true: a call outside begin/commit is atomic and, unless it says unsynced, durable
 * (synchronous=FULL) by itself. If a write inside begin/commit fails, roll back. The ops thread has
 * the only writing connection; other threads open a read-only one each. Times are wall time in
 * microseconds; monitoring_alerts stores them as ISO text. Thread: a connection belongs to one
 * thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "io/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct ops_store;

enum ops_store_mode {
    OPS_STORE_WRITE, /* creates and migrates; creates <state_dir>/audit.key (0600) */
    OPS_STORE_READ   /* the file must exist; an older schema is upgraded in memory (io/db.h) */
};

/* The file is <state_dir>/ops.db; ":memory:" is for tests and has a random audit key. secret_init
 * must have run. The caller frees *ret. */
int ops_store_open(const char *state_dir, enum ops_store_mode mode, struct ops_store **ret,
                   struct err *err);
/* For reading across tables with SQL (module report). */
struct db *ops_store_db(struct ops_store *store);
void ops_store_free(struct ops_store *store); /* an open transaction is rolled back */

static inline void ops_store_cleanup(struct ops_store **slot)
{
    ops_store_free(*slot);
}
#define AUTO_OPS_STORE __attribute__((cleanup(ops_store_cleanup)))

/* Transactions do not nest (ASSERT). A failed commit rolls back. */
int ops_store_begin(struct ops_store *store, struct err *err);
/* For what may be lost by a power cut until ops_store_sync or the next synced commit. */
int ops_store_begin_unsynced(struct ops_store *store, struct err *err);
int ops_store_sync(struct ops_store *store, struct err *err); /* quick if there is nothing to do */
int ops_store_commit(struct ops_store *store, struct err *err);
void ops_store_rollback(struct ops_store *store); /* no-op without an open transaction */

/* A change is a transaction of its own, or a savepoint of the open transaction. As a savepoint it
 * can be rolled back alone and becomes durable with the transaction, so that a caller can combine
 * several changes in one commit. */
struct ops_store_change {
    struct ops_store *store;
    bool part;
};
int ops_store_change_begin(struct ops_store *store, struct ops_store_change *ret, struct err *err);
int ops_store_change_commit(const struct ops_store_change *change, struct err *err);
void ops_store_change_rollback(const struct ops_store_change *change);

/* A new id for a request to the engine (model/request.h). It is larger than every earlier one, and
 * at least now_us, so that it stays so if ops.db was lost. */
int ops_store_next_request_id(struct ops_store *store, int64_t now_us, int64_t *ret,
                              struct err *err);

/* A hash that only somebody with audit.key can make; of a store opened for writing. */
void ops_store_fingerprint(const struct ops_store *store, struct str data,
                           char ret_hex[SECRET_HASH_HEX_SIZE]);

/* Named values: "last_request_id", "audit_last_us", … */
int ops_store_write_i64(struct ops_store *store, const char *name, int64_t value, struct err *err);
int ops_store_get_i64(struct ops_store *store, const char *name, int64_t fallback, int64_t *ret,
                      struct err *err);
int ops_store_write_text(struct ops_store *store, const char *name, struct str value,
                         struct err *err);
/* Appends the value, or nothing if there is none. */
int ops_store_get_text(struct ops_store *store, const char *name, struct buf *ret, struct err *err);

/* Deletes rows that are finished and older than before_us: delivered, dead or uncertain messages,
 * finished runs with their confirmations, updates, counted reads, audits, service samples, requests
 * to the model, closed alerts; at most max_rows per table. The audit log is kept, see
 * audit_chain_archive. Call again while *ret_deleted >= max_rows. */
int ops_store_prune(struct ops_store *store, int64_t before_us, int64_t max_rows,
                    int64_t *ret_deleted, struct err *err);

/* Call after the wall clock was set back by back_us: moves the times of retries and expiries back
 * too, so that they are not delayed. */
int ops_store_clock_went_back(struct ops_store *store, int64_t back_us, struct err *err);

/* Copies the WAL into the file without waiting. Call it while idle: a commit checkpoints only when
 * the WAL is large, so that a reply does not wait for a checkpoint. */
int ops_store_checkpoint(struct ops_store *store, struct err *err);
/* See db_restore_if_moved (io/db.h): if ops.db was deleted or replaced, restores it and returns 1;
 * *err says what was found. */
int ops_store_restore_if_moved(struct ops_store *store, struct err *err);
/* Logs the work of all statements so far (struct db_work) at debug level. */
void ops_store_log_work(struct ops_store *store, const char *when);
/* PRAGMA quick_check. */
int ops_store_check(struct ops_store *store, struct err *err);

/* See db_on_change (io/db.h). */
typedef void (*ops_store_change_fn)(const char *table, int64_t rowid, void *userdata);
void ops_store_on_change(struct ops_store *store, ops_store_change_fn fn, void *userdata);

/* For tests, see db_set_fault (io/db.h). */
typedef int (*ops_store_fault_fn)(const char *what, void *userdata);
void ops_store_set_fault(struct ops_store *store, ops_store_fault_fn fn, void *userdata);
