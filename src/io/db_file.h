/*
 * db_file.h: creates, watches and replaces a database file, its -wal and its -shm by name. SQLite
 * itself is in db.c and its parts. Private to this module.
 *
 *     rc = db_file_create(path, err);                 // before SQLite opens it
 *     db_file_record(&file, path);                    // once it is open
 *     if (db_file_check(&file, path, &what)) { ... a copy at <path>-rescue ...; db_file_restore();
 * }
 *
 * Always true: this file never opens or closes a descriptor of a file that SQLite may have open.
 * Closing any descriptor drops every POSIX lock of this process on the file; another program would
 * then take itself for the only user and delete the WAL.
 * A foreign file found at path is kept as <path>.aside-TIME, its WAL as <path>.aside-TIME.wal; the
 * newest DB_FILE_ASIDES of them are kept.
 * Once a finished copy exists at <path>-rescue, it replaces the database: nothing may be written to
 * the old file, and the next open first moves the copy to path. So a crash at any moment leaves
 * exactly one valid database.
 * Thread: any; one at a time per path.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define DB_FILE_COPY_SUFFIX "-rescue"
#define DB_FILE_ASIDES      8

struct db_file_id {
    dev_t device;
    ino_t inode; /* 0: the file did not exist */
};

/* The identities of the open files. */
struct db_file {
    struct db_file_id main;
    struct db_file_id wal;
    struct db_file_id shm;
};

/* Creates an empty file of mode 0640 unless path exists; two threads may do so at the same time. */
int db_file_create(const char *path, struct err *err);

/* Records the identities of the files now at path, -wal and -shm. */
void db_file_record(struct db_file *file, const char *path);
/* True if one of them was deleted or replaced since; *ret_what says which and how ("-wal was
 * deleted"). A file whose stat fails for another reason counts as unchanged. */
bool db_file_check(const struct db_file *file, const char *path, const char **ret_what);

bool db_file_has_copy(const char *path);
/* Renames <path>-rescue to path and keeps the file that was there under an aside name. A no-op
 * without a copy. May be repeated. */
int db_file_restore(const char *path, struct err *err);
