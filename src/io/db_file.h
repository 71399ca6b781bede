/*
 * db_file.h: a database file and its -wal and -shm as names in a folder: made, watched, replaced.
 * SQLite itself is in db.c. Private to this module.
 *
 *     rc = db_file_create(path, err);               // before SQLite opens it
 *     db_file_record(&file, path);                    // once it is open
 *     if (db_file_check(&file, path, &what)) { ... a copy at <path>-rescue ...; db_file_restore();
 * }
 *
 * Always true: no descriptor of a file that SQLite may have open is opened or closed here, because
 * closing any descriptor drops every POSIX lock that the process holds on the file: another program
 * would then think itself alone and delete the WAL. A file that was replaced by somebody is kept
 * under another name, <path>.aside-TIME, its WAL as <path>.aside-TIME.wal; the newest
 * DB_FILE_ASIDES of them.
 * A finished copy at <path>-rescue is the truth until it stands at path: from the moment it has
 * that name nothing may be written to the old file, and whoever opens the database next first puts
 * it in place. So a crash at any moment leaves one truth.
 * Thread: any; one at a time for a path.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define DB_FILE_COPY_SUFFIX "-rescue"
#define DB_FILE_ASIDES      8

struct db_file_id {
    dev_t device;
    ino_t inode; /* 0: there was none */
};

/* What was open when it was noted. */
struct db_file {
    struct db_file_id main;
    struct db_file_id wal;
    struct db_file_id shm;
};

/* An empty file of mode 0640, unless there is one: also when two threads do it at once. */
int db_file_create(const char *path, struct err *err);

/* What stands at path, -wal and -shm now. */
void db_file_record(struct db_file *file, const char *path);
/* True when one of them is no longer what was noted; *ret_what tells which and how, as in "-wal was
 * deleted". What cannot be looked at counts as unchanged. */
bool db_file_check(const struct db_file *file, const char *path, const char **ret_what);

bool db_file_has_copy(const char *path);
/* Puts <path>-rescue at path, what was there aside. Nothing to do without one. May be repeated. */
int db_file_restore(const char *path, struct err *err);
