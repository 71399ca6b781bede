/*
 * audit_chain.h: audit_log in ops.db: who did what, as a chain of keyed hashes.
 *
 *     audit_chain_append(store, &(struct audit_entry){.at_us = now, .user = "alice",
 *         .channel = "telegram", .action = "step.started", .detail = "service.restart",
 *         .result = "ok"}, &id, err);
 *     audit_chain_verify(store, 1, &result, err);
 *     if (!result.ok) printf("row %lld: %s\n", result.bad_id, result.why);
 *
 * A row's hash is BLAKE2b-256, keyed with <state_dir>/audit.key, over the length and bytes of every
 * field and the previous row's hash. Ids are 1, 2, 3 … without gaps. The number of rows and the
 * last hash are stored outside the table with a keyed hash of their own, so that deleted last rows
 * are detected. If the key was lost or replaced, the log continues under the new key, and verify
 * reports that.
 * Not detected by the chain alone: changes by someone who has the key, and an old copy of the whole
 * file. Seals (audit_seal.h) and what was kept of them elsewhere find these, within limits.
 * Old rows can move to an archive, a file in <state_dir>/audit that a row of the chain names with
 * its hash. The log consists of its archives and the table, and verify reads both. Archives are
 * never deleted.
 * A run of a command that only reads is counted (read_table.h) and has no row here, unless the
 * command needs a confirmation or is for admins alone, or the run was refused.
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
    const char *user;    /* "alice", or "telegram:12345" if unauthorised; at most 63 bytes */
    const char *channel; /* at most 31 bytes */
    const char *action; /* "command.received" "confirm.given" "step.started" …; at most 63 bytes */
    const char *detail; /* never a secret; at most 1023 bytes */
    const char *result; /* "ok" or an error code; at most 255 bytes */
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
    int64_t rows;     /* checked so far */
    int64_t bad_id;   /* the first row that was changed or is missing; 0 if ok */
    char why[160];    /* "its content was changed", "the row is missing", "audit.key is not …" */
    int64_t archives; /* checked so far */
    char last_hash[65];
    /* audit_chain_verify_kept: */
    int64_t seals;       /* valid ones */
    int64_t sealed_rows; /* rows that the newest of them covers */
    int64_t sealed_us;   /* when it was made, by the clock of then */
    int64_t unsealed;    /* rows after the newest seal */
    int64_t kept;        /* kept seals that fit */
};

struct json_out;
/* Writes the members of a row into the object that is open. Any thread. */
void audit_row_write(struct json_out *out, const struct audit_row *row);

int audit_chain_append(struct ops_store *store, const struct audit_entry *entry, int64_t *ret_id,
                       struct err *err);
/* Checks the rows from from_id on (1: all, archives included; else only rows of the table). An
 * unreadable database is an error; a broken chain or a missing archive is a result with ok false.
 */
int audit_chain_verify(struct ops_store *store, int64_t from_id, struct audit_chain_result *ret,
                       struct err *err);
/* Checks the newest AUDIT_CHAIN_RECENT rows, in tens of milliseconds, however long the log is.
 * *ret_last_id: the number of rows of the whole log. */
#define AUDIT_CHAIN_RECENT 10000
int audit_chain_verify_recent(struct ops_store *store, struct audit_chain_result *ret,
                              int64_t *ret_last_id, struct err *err);
/* Newest first; returns the number or a negative error id. */
int audit_chain_list(struct ops_store *store, size_t offset, struct audit_row *ret, size_t max,
                     struct err *err);

/* The most rows of one archive, so that writing it takes little time; and the number of newest rows
 * that always stay in the table. */
#define AUDIT_ARCHIVE_ROWS 2000
#define AUDIT_ROWS_KEPT    50

struct audit_archive_options {
    int64_t before_us; /* archives the leading rows that are older than this */
    int64_t now_us;
    int64_t min_rows; /* with fewer rows nothing is archived; at least 1 */
    const char *user; /* of the row that names the archive */
    const char *channel;
};

/* Moves the oldest rows to one archive. The complete file is on disk before one transaction deletes
 * the rows and appends the row that names the file. A crash in between leaves an unnamed file,
 * which the next call replaces. *ret_rows: the number of rows moved; call again until it is 0.
 * ERR_AUDIT_CHAIN if a row was changed: a broken part of the chain is not archived. */
int audit_chain_archive(struct ops_store *store, const struct audit_archive_options *options,
                        int64_t *ret_rows, struct err *err);
