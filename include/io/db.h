/*
 * db.h: one SQLite database file.
 *
 *     AUTO_DB_ROWS struct db_rows *rows = NULL;
 *     rc = db_query(db, "SELECT id, qty FROM fills WHERE symbol = ?", DB_VALUES(DB_TEXT_C(sym)),
 *                   &rows, err);
 *     while (rc == 0 && (rc = db_next(rows, err)) > 0) use(db_i64(rows, 0), db_dec(rows, 1));
 *
 *     if ((rc = db_begin(db, err)) < 0) return rc;
 *     AUTO_ROLLBACK struct db *tx = db;
 *     rc = db_run(tx, "INSERT INTO fills(id) VALUES (?)", DB_VALUES(DB_I64(id)), err);
 *     return rc < 0 ? rc : db_commit(TAKE(tx), err);
 *
 * Always true: WAL, foreign keys on, synchronous=FULL but for what says unsynced. Values are always
 * bound, never formatted into SQL. Errors are DB_… of the catalogue. Statements are cached by their
 * text, so SQL texts must be constants. Rows must be freed before the database.
 * Only SQLite opens and closes a database file. Any other close() in this process would drop
 * SQLite's locks on the file, and another program could then delete the WAL.
 * One writer per file; any number of read-only connections, each on its own thread.
 * Thread: one at a time per struct db; a connection stays on the thread that uses it.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_rows;

/* Element i of the array raises user_version from i to i + 1. Never change a released migration;
 * add another. */
struct db_migration {
    const char *name;
    const char *sql; /* one or more statements; runs in its own transaction */
};

struct db_options {
    const char *path; /* ":memory:" for tests */
    bool read_only;   /* changes nothing; a database with an older schema is upgraded in memory */
    int busy_timeout_ms; /* 0: a locked database fails at once */
    int busy_rest_ms;    /* after such a time-out it fails at once for so long: several statements
                          * of a thread that others wait for cost one time-out */
    /* WAL size in pages at which a commit also checkpoints, which makes it several times slower.
     * 0: SQLite's default, 1000. Set it higher if you call db_checkpoint while idle. */
    int checkpoint_pages;
    uint32_t application_id; /* 0: not checked; else written to a new file and required */
    const struct db_migration *migrations;
    size_t migration_count;
};

/* Creates a missing file with mode 0640, unless read_only. */
int db_open(const struct db_options *options, struct db **ret, struct err *err);
void db_free(struct db *db); /* rolls back an open transaction */
static inline void db_cleanup(struct db **slot)
{
    db_free(*slot);
}
#define AUTO_DB AUTO(db_cleanup)

enum db_type { DB_TYPE_NULL, DB_TYPE_I64, DB_TYPE_DOUBLE, DB_TYPE_TEXT, DB_TYPE_BLOB };

struct db_value {
    enum db_type type;
    int64_t i64;
    double real;
    struct str bytes; /* copied by the call that binds it */
};

#define DB_NULL         ((struct db_value){.type = DB_TYPE_NULL})
#define DB_I64(v)       ((struct db_value){.type = DB_TYPE_I64, .i64 = (v)})
#define DB_DOUBLE(v)    ((struct db_value){.type = DB_TYPE_DOUBLE, .real = (v)})
#define DB_TEXT(s)      ((struct db_value){.type = DB_TYPE_TEXT, .bytes = (s)})
#define DB_BLOB(s)      ((struct db_value){.type = DB_TYPE_BLOB, .bytes = (s)})
#define DB_TEXT_C(text) DB_TEXT(str_c(text))
/* Stored as INTEGER at 1e-8; DEC_INVALID is stored as NULL. */
#define DB_DEC(d) db_value_dec(d)
/* NULL for a NULL pointer, else text. */
#define DB_TEXT_OR_NULL(text) db_value_text_or_null(text)

static inline struct db_value db_value_dec(struct dec d)
{
    return dec_is_valid(d) ? DB_I64(d.e8) : DB_NULL;
}

static inline struct db_value db_value_text_or_null(const char *text)
{
    return text == NULL ? DB_NULL : DB_TEXT(str_c(text));
}

/* Expands to the two arguments (values, count) of the calls below. */
#define DB_VALUES(...)                      \
    (const struct db_value[]){__VA_ARGS__}, \
        sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)
#define DB_NO_VALUES NULL, 0

/* Runs one statement to completion and ignores its rows. */
int db_run(struct db *db, const char *sql, const struct db_value *values, size_t count,
           struct err *err);
/* The same without waiting for the disk: a crash of the program does not lose the change, a power
 * cut may, until the next synced commit or db_sync. Inside a transaction it is db_run. */
int db_run_unsynced(struct db *db, const char *sql, const struct db_value *values, size_t count,
                    struct err *err);
/* Runs any number of statements without values: schema, pragmas, tests. Not cached. */
int db_exec(struct db *db, const char *sql, struct err *err);
/* First column of the first row; *ret = fallback if there is no row or the column is NULL. */
int db_get_i64(struct db *db, const char *sql, const struct db_value *values, size_t count,
               int64_t fallback, int64_t *ret, struct err *err);

/* *ret is positioned before the first row. The caller frees it, even after db_next has failed. */
int db_query(struct db *db, const char *sql, const struct db_value *values, size_t count,
             struct db_rows **ret, struct err *err);
/* 1: at a row. 0: no more rows. Negative: failed. */
int db_next(struct db_rows *rows, struct err *err);
void db_rows_free(struct db_rows *rows);

static inline void db_rows_cleanup(struct db_rows **slot)
{
    db_rows_free(*slot);
}
#define AUTO_DB_ROWS AUTO(db_rows_cleanup)

/* Columns of the current row, from 0. Text and blob are valid until the next db_next or free and
 * text is NUL-terminated; NULL reads as 0, DEC_INVALID, 0.0 or the empty view. */
int64_t db_i64(struct db_rows *rows, int column);
struct dec db_dec(struct db_rows *rows, int column);
double db_double(struct db_rows *rows, int column);
struct str db_text(struct db_rows *rows, int column);
struct str db_blob(struct db_rows *rows, int column);
bool db_is_null(struct db_rows *rows, int column);
enum db_type db_column_type(struct db_rows *rows, int column);
const char *db_column_name(struct db_rows *rows, int column);
int db_column_count(struct db_rows *rows);

/* The arguments of each(); texts are valid until the function returns. Read as columns are. */
struct db_args;
int64_t db_arg_i64(struct db_args *args, int index);
double db_arg_double(struct db_args *args, int index);
struct str db_arg_text(struct db_args *args, int index);
bool db_arg_is_null(struct db_args *args, int index);

/* For millions of rows, about a third faster than db_query: sql is "SELECT each(a, b) FROM …", and
 * fn gets a and b of each row, in the order in which SQLite finds the rows. fn runs no SQL. */
typedef void (*db_each_fn)(struct db_args *args, void *userdata);
int db_each(struct db *db, const char *sql, const struct db_value *values, size_t count,
            db_each_fn fn, void *userdata, struct err *err);

/* A function of one text for the SQL of this connection, such as fact('/account/cash'). *ret may
 * point to bytes that stay valid until the next call of fn. The same text must give the same value
 * while a statement runs: SQLite may call it once. */
typedef void (*db_function_fn)(struct str text, struct db_value *ret, void *userdata);
int db_function(struct db *db, const char *name, db_function_fn fn, void *userdata,
                struct err *err);

/* Work done by all statements since the file was opened, opening included. A test can detect a
 * full table scan with it, however fast the machine is. */
struct db_work {
    int64_t scanned; /* rows visited by full table scans */
    int64_t sorted;  /* sort operations */
    int64_t steps;   /* instructions of SQLite's virtual machine */
};
struct db_work db_work(const struct db *db);

/* fn runs for each row that this connection adds, changes or deletes, while the statement runs: it
 * runs no SQL, and the change may still be rolled back. Not for tables WITHOUT ROWID. NULL: none.
 */
typedef void (*db_change_fn)(const char *table, int64_t rowid, void *userdata);
void db_on_change(struct db *db, db_change_fn fn, void *userdata);

int64_t db_changes(struct db *db); /* rows changed by the last write */
int64_t db_last_rowid(struct db *db);

/* BEGIN IMMEDIATE; transactions do not nest (ASSERT). A failed commit rolls back. */
int db_begin(struct db *db, struct err *err);
int db_begin_unsynced(struct db *db, struct err *err); /* its commit is like db_run_unsynced */
/* For a reader: until db_rollback all statements see the file as it is now. */
int db_begin_read(struct db *db, struct err *err);
/* The same, and opens a second connection for reading, with a transaction that sees the file as of
 * the same moment, so that another thread can read it meanwhile. *ret_second, which the caller
 * frees, is NULL if there is none: a database in memory, or one that others write all the time. */
int db_begin_read_twice(struct db *db, struct db **ret_second, struct err *err);
int db_commit(struct db *db, struct err *err);
int db_sync(struct db *db, struct err *err); /* waits for the disk if something is unsynced */
void db_rollback(struct db *db);             /* no-op for NULL and without an open transaction */
bool db_in_transaction(const struct db *db);
/* A part of an open transaction that can be rolled back alone. Savepoints do not nest. The rollback
 * is a no-op if SQLite has already rolled back the whole transaction (disk full, for example). */
int db_savepoint_begin(struct db *db, struct err *err);
int db_savepoint_release(struct db *db, struct err *err);
void db_savepoint_rollback(struct db *db);

static inline void db_rollback_cleanup(struct db **slot)
{
    db_rollback(*slot);
}
#define AUTO_ROLLBACK AUTO(db_rollback_cleanup)

/*
 * Checks whether the file or its -wal or -shm was deleted or replaced while it is open; SQLite
 * would not notice and would commit to an unlinked file. The writer calls it regularly, with all
 * rows freed.
 * 0: nothing has changed. 1: the file was deleted or replaced; the open database, with every
 * commit, is at path again, a foreign file is kept as <path>.aside-TIME, and *err says what was
 * found. Takes as long as copying the file.
 * Negative: the open database stays usable; but if the copy exists and could not be moved to path,
 * every write fails with ERR_DB_MOVED until a later call succeeds.
 */
int db_restore_if_moved(struct db *db, struct err *err);
/* Reopens a read-only connection after the writer's db_restore_if_moved returned 1, with all rows
 * freed. If it fails, the old connection stays open. */
int db_reopen(struct db *db, struct err *err);

/* Copies the WAL into the file as far as readers allow, without waiting. */
int db_checkpoint(struct db *db, struct err *err);
/* PRAGMA quick_check; ERR_DB_CORRUPT with the first problem found. */
int db_quick_check(struct db *db, struct err *err);
/* Writes a consistent copy to path, atomically; the source stays usable. Not in a transaction. */
int db_backup(struct db *db, const char *path, struct err *err);
int64_t db_schema_version(struct db *db);

/*
 * For the simulator: fn runs before every statement that writes (what = its SQL) and before every
 * commit (what = "COMMIT"). If it returns a negative error id, the call fails with that error and
 * writes nothing. So a test can stop between any two writes and reopen the file as after a crash.
 */
typedef int (*db_fault_fn)(const char *what, void *userdata);
void db_set_fault(struct db *db, db_fault_fn fn, void *userdata);
