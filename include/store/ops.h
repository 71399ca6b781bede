/*
 * ops.h: ops.db, the operations side's database: the file, its transactions, request ids, small
 * durable values, retention.
 *
 *     ops_store_open(state_dir, OPS_STORE_WRITE, &store, err);
 *     ops_store_begin(store, err);
 *     update_table_add(store, "telegram", id, now_us, &fresh, err); run_table_add(...);
 *     rc = ops_store_commit(store, err);
 *
 * The typed reads and writes are in <table>_table.h and audit_chain.h; all take the same store.
 * Always true: calls outside of begin/commit are each atomic and durable (FULL) by themselves;
 * after a write that failed inside, roll back. The ops thread holds the only writing connection;
 * others open their own read-only one. Times are wall time in microseconds; in monitoring_alerts
 * they stand as ISO text. Thread: one connection belongs to one thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ops_store;

enum ops_store_mode {
    OPS_STORE_WRITE, /* creates and migrates; makes <state_dir>/audit.key (0600) */
    OPS_STORE_READ   /* the file must exist with today's schema */
};

/* The file is <state_dir>/ops.db; state_dir ":memory:" makes one for a test (with a random audit
 * key). secret_init must have run. The caller frees *ret. */
int ops_store_open(const char *state_dir, enum ops_store_mode mode, struct ops_store **ret,
                   struct err *err);
void ops_store_free(struct ops_store *store); /* an open transaction is rolled back */

static inline void ops_store_cleanup(struct ops_store **slot)
{
    ops_store_free(*slot);
}
#define AUTO_OPS_STORE __attribute__((cleanup(ops_store_cleanup)))

/* Do not nest (ASSERT). A commit that fails has rolled back. */
int ops_store_begin(struct ops_store *store, struct err *err);
int ops_store_commit(struct ops_store *store, struct err *err);
void ops_store_rollback(struct ops_store *store); /* nothing open: nothing happens */

/* One change that is a transaction of its own, or a part of the one that is open: it is undone
 * alone, and is durable once that one commits. So a caller of many makes one commit of them. */
struct ops_store_change {
    struct ops_store *store;
    bool part;
};
int ops_store_change_begin(struct ops_store *store, struct ops_store_change *ret, struct err *err);
int ops_store_change_commit(const struct ops_store_change *change, struct err *err);
void ops_store_change_rollback(const struct ops_store_change *change);

/* An id for a request to the engine (model/request.h): above every earlier one, also when ops.db
 * was lost, because it is never below now_us. */
int ops_store_next_request_id(struct ops_store *store, int64_t now_us, int64_t *ret,
                              struct err *err);

/* Small durable values by name: "mute_until_us", "audit_last_us", "poll_offset.telegram". */
int ops_store_write_i64(struct ops_store *store, const char *name, int64_t value, struct err *err);
int ops_store_get_i64(struct ops_store *store, const char *name, int64_t fallback, int64_t *ret,
                      struct err *err);
int ops_store_write_text(struct ops_store *store, const char *name, struct str value,
                         struct err *err);
/* Appends the value; nothing when there is none. */
int ops_store_get_text(struct ops_store *store, const char *name, struct buf *ret, struct err *err);

/* Deletes finished things that are older than before_us: delivered or dead messages, finished
 * runs, updates, confirmations, counted reads, audits, service samples, closed alerts; at most
 * max_rows a table. The audit log is a chain and is kept, see audit_chain_archive. Call again while
 * *ret_deleted >= max_rows. */
int ops_store_prune(struct ops_store *store, int64_t before_us, int64_t max_rows,
                    int64_t *ret_deleted, struct err *err);

/* The wall clock was set back by back_us: what waits for a later time (a message that is tried
 * again, a question that expires) waits no longer for it. */
int ops_store_clock_went_back(struct ops_store *store, int64_t back_us, struct err *err);

/* Copies the WAL into the file, waiting for nobody. For idle moments: a commit does it by itself
 * only once the WAL is large, so that a reply does not wait for it. */
int ops_store_checkpoint(struct ops_store *store, struct err *err);
/* See db_restore_if_moved (io/db.h): notices that ops.db was deleted or replaced and puts it back
 * (1; *err says what was found). */
int ops_store_restore_if_moved(struct ops_store *store, struct err *err);
/* One line for the debug log: what reading this file has cost so far. */
void ops_store_log_work(struct ops_store *store, const char *when);
/* PRAGMA quick_check. */
int ops_store_check(struct ops_store *store, struct err *err);

/* For tests, see db_set_fault (io/db.h). */
typedef int (*ops_store_fault_fn)(const char *what, void *userdata);
void ops_store_set_fault(struct ops_store *store, ops_store_fault_fn fn, void *userdata);
