/*
 * audit_chain.h: audit_log in ops.db: who did what, as a chain of keyed hashes.
 *
 *     audit_chain_append(store, &(struct audit_entry){.at_us = now, .user = "alice",
 *         .channel = "telegram", .action = "command", .detail = "restart prediction",
 *         .result = "allowed"}, &id, err);
 *     audit_chain_verify(store, 1, &verdict, err);
 *     if (!verdict.ok) printf("row %lld: %s\n", verdict.bad_id, verdict.why);
 *
 * How: hash = BLAKE2b-256, keyed with <state_dir>/audit.key, over every field with its length in
 * front, and the previous row's hash. Ids run 1, 2, 3 without gaps. The number of rows and the
 * last hash stand beside the table under a hash of their own, so that cut-off rows are missed. A
 * log whose key was lost or replaced goes on under the new one, and verify says that it was.
 * What it cannot find: somebody with the key, or an old copy of the whole file put back.
 * Old rows can leave the table for an archive, a file in <state_dir>/audit that a row of the chain
 * names with its hash: the log is its archives and then the table, and verify follows into them.
 * Nothing deletes an archive. What only reads is not noted here but counted (read_table.h).
 * Texts are cut at the sizes below before they are hashed.
 * Thread: append from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_entry {
    int64_t at_us;
    const char *user;    /* "alice" or "telegram:12345" for a stranger; at most 63 bytes */
    const char *channel; /* at most 31 bytes */
    const char *action;  /* "command" "denied" "confirmed" "config" …; at most 63 bytes */
    const char *detail;  /* never a secret; at most 1023 bytes */
    const char *result;  /* at most 255 bytes */
};

struct audit_row {
    int64_t id;
    int64_t at_us;
    char user[64];
    char channel[32];
    char action[64];
    char detail[1024];
    char result[256];
    char hash[65];
};

struct audit_chain_result {
    bool ok;
    int64_t rows;     /* checked */
    int64_t bad_id;   /* the first row that is not as it was written, or is missing; 0 when ok */
    char why[160];    /* "its content was changed", "the row is missing", "audit.key is not …" */
    int64_t archives; /* that were followed */
    char last_hash[65];
};

int audit_chain_append(struct ops_store *store, const struct audit_entry *entry, int64_t *ret_id,
                       struct err *err);
/* From row from_id (1: all, archives included; else of the table). An unreadable database is an
 * error; a broken chain, a missing archive too, is a verdict. */
int audit_chain_verify(struct ops_store *store, int64_t from_id, struct audit_chain_result *ret,
                       struct err *err);
/* The newest AUDIT_CHAIN_RECENT rows, some tens of milliseconds of work however long the log is.
 * ret_last_id: how many rows there are in all. */
#define AUDIT_CHAIN_RECENT 10000
int audit_chain_verify_recent(struct ops_store *store, struct audit_chain_result *ret,
                              int64_t *ret_last_id, struct err *err);
/* Newest first; returns how many or a negative error id. */
int audit_chain_list(struct ops_store *store, size_t offset, struct audit_row *ret, size_t max,
                     struct err *err);

/* How much one archive holds at most, so that writing it keeps nobody waiting for long, and how
 * many of the newest rows always stay in the table. */
#define AUDIT_ARCHIVE_ROWS 2000
#define AUDIT_ROWS_KEPT    50

struct audit_archive_options {
    int64_t before_us; /* rows older than this, as far as they come before any younger one */
    int64_t now_us;
    int64_t min_rows; /* fewer are left for later; at least 1 */
    const char *user; /* who asked */
    const char *channel;
};

/* Moves the oldest rows into one archive: the file is on disk, whole, before one transaction takes
 * the rows out and appends the row that names it. After a crash either both are there or the file
 * alone; the next call goes over it. *ret_rows: how many rows it took, 0 when there was nothing to
 * do; call again while there are. ERR_AUDIT_CHAIN when a row is not as it was written: a broken
 * stretch is not sealed. */
int audit_chain_archive(struct ops_store *store, const struct audit_archive_options *options,
                        int64_t *ret_rows, struct err *err);
