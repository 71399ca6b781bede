/*
 * backup.h: verified copies of both databases, and putting one back at the next start.
 *
 *     rc = backup_make("var", "2026-11-29T21-08-05Z", &sizes, err);   // var/backups/<name>/
 *     rc = backup_stage("var", name, err);                            // var/restore/, verified
 *     rc = backup_apply("var", &applied, err);                        // at the start, with the
 * lock
 *
 * Always true: a folder under `backups` is complete and was opened and checked, or is not there.
 * ops.db is copied before trading.db: so a request that ops.db knows is never missing in trading.db
 * because of the copy. backup_apply goes on where a crash has stopped it; what it replaces is kept
 * in `replaced` until the next restore. audit.key stays where it is.
 * Errors: BACKUP_UNKNOWN, DB_…, FILE_….
 * Thread: any, one at a time; they wait for the disk. backup_apply: before the databases are
 * opened.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BACKUP_NAME_SIZE 24
#define BACKUP_KEEP_MAX  50
#define BACKUP_NONE      "none"

struct backup_sizes {
    int64_t ops_bytes;
    int64_t trading_bytes;
};

/* The name of a backup of this time. */
void backup_name(int64_t wall_us, char ret[BACKUP_NAME_SIZE]);
/* If a backup of this name exists, only checks it. */
int backup_make(const char *state_dir, const char *name, struct backup_sizes *ret, struct err *err);
/* Opens both copies and checks their integrity and their schema. */
int backup_check(const char *state_dir, const char *name, struct err *err);
/* Newest first; returns the number, at most BACKUP_KEEP_MAX. */
int backup_list(const char *state_dir, char ret[BACKUP_KEEP_MAX][BACKUP_NAME_SIZE],
                struct err *err);
/* Deletes all but the newest. */
int backup_prune(const char *state_dir, int keep, struct err *err);
/* BACKUP_NONE: takes a prepared restore back. */
int backup_stage(const char *state_dir, const char *name, struct err *err);
bool backup_is_staged(const char *state_dir);
int backup_apply(const char *state_dir, bool *ret_applied, struct err *err);
