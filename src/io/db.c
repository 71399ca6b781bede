#include "io/db.h"

#include "base/check.h"
#include "db_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CACHE_MAX = 128 };

struct db_rows {
    struct db *db;
    sqlite3_stmt *stmt;
    bool cached; /* stays in the cache when freed */
    bool busy;   /* between db_query and db_rows_free */
    bool fresh;  /* not stepped yet */
    bool done;   /* finished; another step would restart it */
    bool writes;
};

/* Statements that take a change back. They are prepared before the change is made, because they
 * must run when memory has run out. */
enum undo { UNDO_ALL, UNDO_PART, UNDO_PART_END, UNDO_COUNT };
static const char *const undo_sql[UNDO_COUNT] = {
    [UNDO_ALL] = "ROLLBACK",
    [UNDO_PART] = "ROLLBACK TO part",
    [UNDO_PART_END] = "RELEASE part",
};

struct db {
    sqlite3 *sqlite;
    sqlite3_stmt *undo[UNDO_COUNT];   /* NULL until the first transaction or savepoint */
    struct db_rows *cache[CACHE_MAX]; /* most recently used first */
    size_t cached;
    db_fault_fn fault;
    void *fault_userdata;
    char name[128];            /* last part of the path, for error contexts */
    char *path;                /* NULL: in memory */
    struct db_options options; /* path is NULL */
    struct db_file file;       /* the open files */
    struct db_work work;
    bool begun;    /* between db_begin and db_commit or db_rollback */
    bool relaxed;  /* synchronous = NORMAL at the moment */
    bool unsynced; /* something was committed since the last sync */
    bool sealed;   /* no writes: a copy replaces this file but is not at path yet */
};

static int db_error(struct db *db, const char *what, struct err *err)
{
    int code = sqlite3_errcode(db->sqlite);
    enum err_id id = ERR_DB_FAILED;
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        id = ERR_DB_CORRUPT;
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        id = ERR_DB_READONLY;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        id = ERR_DB_LOCKED;
        break;
    case SQLITE_FULL:
        id = ERR_DB_FULL;
        break;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        id = ERR_DB_CONSTRAINT;
        break;
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
        id = ERR_DB_OPEN;
        break;
    case SQLITE_IOERR:
        /* The file ends in the middle of a page: it is truncated. */
        if (sqlite3_extended_errcode(db->sqlite) == SQLITE_IOERR_SHORT_READ) {
            id = ERR_DB_CORRUPT;
        }
        break;
    default: /* SQLite's codes are not an enum */
        break;
    }
    return err_set(err, id, "%s: %.80s: %s", db->name, what, sqlite3_errmsg(db->sqlite));
}

/* 0 if a write may proceed. */
static int db_fault(struct db *db, const char *what, struct err *err)
{
    if (db->sealed) {
        return err_set(err, ERR_DB_MOVED, "%s: its copy is not at its path yet", db->name);
    }
    if (db->fault == NULL) {
        return 0;
    }
    int rc = db->fault(what, db->fault_userdata);
    return rc < 0 ? err_set(err, (enum err_id) - rc, "%s: %.80s", db->name, what) : 0;
}

static void count_work(struct db *db, sqlite3_stmt *stmt)
{
    db->work.scanned += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    db->work.sorted += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_SORT, 1);
    db->work.steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
}

static void rows_destroy(struct db_rows *rows)
{
    (void)sqlite3_finalize(rows->stmt);
    free(rows);
}

static void forget_statements(struct db *db)
{
    for (size_t i = 0; i < db->cached; i++) {
        ASSERT(!db->cache[i]->busy);
        rows_destroy(db->cache[i]);
    }
    db->cached = 0;
    for (size_t i = 0; i < UNDO_COUNT; i++) {
        (void)sqlite3_finalize(db->undo[i]);
        db->undo[i] = NULL;
    }
}

static int rows_prepare(struct db *db, const char *sql, struct db_rows **ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &tail) !=
        SQLITE_OK) {
        return db_error(db, sql, err);
    }
    /* A second statement in the same text would be ignored silently. */
    ASSERT(stmt != NULL && str_trim(str_c(tail)).len == 0);
    struct db_rows *rows = calloc(1, sizeof(*rows));
    ASSERT(rows != NULL);
    rows->db = db;
    rows->stmt = stmt;
    rows->writes = sqlite3_stmt_readonly(stmt) == 0;
    *ret = rows;
    return 0;
}

/* A prepared statement for sql, from the cache or new. If the cached one is in use (the same query
 * runs inside itself), *ret is a new one outside the cache. */
static int rows_acquire(struct db *db, const char *sql, struct db_rows **ret, struct err *err)
{
    size_t at = 0;
    while (at < db->cached && strcmp(sqlite3_sql(db->cache[at]->stmt), sql) != 0) {
        at++;
    }
    struct db_rows *rows = NULL;
    if (at < db->cached) {
        rows = db->cache[at];
        if (rows->busy) {
            return rows_prepare(db, sql, ret, err);
        }
    } else {
        int rc = rows_prepare(db, sql, &rows, err);
        if (rc < 0) {
            return rc;
        }
        if (db->cached == CACHE_MAX) {
            at = CACHE_MAX - 1;
            if (db->cache[at]->busy) {
                db->cache[at]->cached = false; /* db_rows_free destroys it */
            } else {
                rows_destroy(db->cache[at]);
            }
        } else {
            db->cached++;
        }
        rows->cached = true;
    }
    memmove(&db->cache[1], &db->cache[0], at * sizeof(struct db_rows *));
    db->cache[0] = rows;
    *ret = rows;
    return 0;
}

static int bind_all(struct db_rows *rows, const struct db_value *values, size_t count,
                    const char *sql, struct err *err)
{
    ASSERT((size_t)sqlite3_bind_parameter_count(rows->stmt) == count);
    for (size_t i = 0; i < count; i++) {
        const struct db_value *v = &values[i];
        int at = (int)i + 1;
        int code = SQLITE_OK;
        switch (v->type) {
        case DB_TYPE_NULL:
            code = sqlite3_bind_null(rows->stmt, at);
            break;
        case DB_TYPE_I64:
            code = sqlite3_bind_int64(rows->stmt, at, v->i64);
            break;
        case DB_TYPE_DOUBLE:
            code = sqlite3_bind_double(rows->stmt, at, v->real);
            break;
        case DB_TYPE_TEXT:
            code = sqlite3_bind_text64(rows->stmt, at, v->bytes.ptr, v->bytes.len, SQLITE_TRANSIENT,
                                       SQLITE_UTF8);
            break;
        case DB_TYPE_BLOB:
            code =
                sqlite3_bind_blob64(rows->stmt, at, v->bytes.ptr, v->bytes.len, SQLITE_TRANSIENT);
            break;
        }
        if (code != SQLITE_OK) {
            return db_error(rows->db, sql, err);
        }
    }
    return 0;
}

int db_query(struct db *db, const char *sql, const struct db_value *values, size_t count,
             struct db_rows **ret, struct err *err)
{
    struct db_rows *rows = NULL;
    int rc = rows_acquire(db, sql, &rows, err);
    if (rc < 0) {
        return rc;
    }
    rows->busy = true;
    rows->fresh = true;
    rows->done = false;
    rc = bind_all(rows, values, count, sql, err);
    if (rc < 0) {
        db_rows_free(rows);
        return rc;
    }
    *ret = rows;
    return 0;
}

int db_next(struct db_rows *rows, struct err *err)
{
    ASSERT(rows->busy);
    if (rows->done) {
        return 0;
    }
    if (rows->fresh && rows->writes) {
        int rc = db_fault(rows->db, sqlite3_sql(rows->stmt), err);
        if (rc < 0) {
            rows->done = true;
            return rc;
        }
    }
    rows->fresh = false;
    int code = sqlite3_step(rows->stmt);
    if (code == SQLITE_ROW) {
        return 1;
    }
    rows->done = true;
    return code == SQLITE_DONE ? 0 : db_error(rows->db, sqlite3_sql(rows->stmt), err);
}

void db_rows_free(struct db_rows *rows)
{
    if (rows == NULL) {
        return;
    }
    count_work(rows->db, rows->stmt);
    if (!rows->cached) {
        rows_destroy(rows);
        return;
    }
    (void)sqlite3_reset(rows->stmt);
    (void)sqlite3_clear_bindings(rows->stmt);
    rows->busy = false;
}

int db_run(struct db *db, const char *sql, const struct db_value *values, size_t count,
           struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, values, count, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {}
    return rc;
}

/* Only outside a transaction. */
static void set_synced(struct db *db, bool synced)
{
    (void)sqlite3_exec(db->sqlite,
                       synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL,
                       NULL, NULL);
    db->relaxed = !synced;
}

int db_run_unsynced(struct db *db, const char *sql, const struct db_value *values, size_t count,
                    struct err *err)
{
    if (db_in_transaction(db)) {
        return db_run(db, sql, values, count, err);
    }
    set_synced(db, false);
    int rc = db_run(db, sql, values, count, err);
    db->unsynced = db->unsynced || rc >= 0;
    set_synced(db, true);
    return rc;
}

int db_sync(struct db *db, struct err *err)
{
    sqlite3_file *wal = NULL;
    if (!db->unsynced) {
        return 0;
    }
    int code = sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (code == SQLITE_OK && wal != NULL && wal->pMethods != NULL) {
        code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    }
    if (code != SQLITE_OK) {
        return err_set(err, ERR_DB_FAILED, "%s: sync: %s", db->name, sqlite3_errstr(code));
    }
    db->unsynced = false;
    return 0;
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
    const char *rest = sql;
    while (*rest != '\0') {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v2(db->sqlite, rest, -1, &stmt, &rest) != SQLITE_OK) {
            return db_error(db, sql, err);
        }
        if (stmt == NULL) { /* whitespace or a comment */
            continue;
        }
        int rc = sqlite3_stmt_readonly(stmt) != 0 ? 0 : db_fault(db, sqlite3_sql(stmt), err);
        int code = SQLITE_ROW;
        while (rc == 0 && code == SQLITE_ROW) {
            code = sqlite3_step(stmt);
        }
        if (rc == 0 && code != SQLITE_DONE) {
            rc = db_error(db, sqlite3_sql(stmt), err);
        }
        count_work(db, stmt);
        (void)sqlite3_finalize(stmt);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

struct db_work db_work(const struct db *db)
{
    return db->work;
}

int db_get_i64(struct db *db, const char *sql, const struct db_value *values, size_t count,
               int64_t fallback, int64_t *ret, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, sql, values, count, &rows, err);
    if (rc == 0) {
        rc = db_next(rows, err);
    }
    if (rc < 0) {
        return rc;
    }
    *ret = rc > 0 && !db_is_null(rows, 0) ? db_i64(rows, 0) : fallback;
    return 0;
}

int64_t db_i64(struct db_rows *rows, int column)
{
    return sqlite3_column_int64(rows->stmt, column);
}

struct dec db_dec(struct db_rows *rows, int column)
{
    return db_is_null(rows, column) ? DEC_INVALID : (struct dec){db_i64(rows, column)};
}

double db_double(struct db_rows *rows, int column)
{
    return sqlite3_column_double(rows->stmt, column);
}

struct str db_text(struct db_rows *rows, int column)
{
    const unsigned char *text = sqlite3_column_text(rows->stmt, column);
    int len = sqlite3_column_bytes(rows->stmt, column);
    return text == NULL ? str_c("") : str_n((const char *)text, (size_t)len);
}

struct str db_blob(struct db_rows *rows, int column)
{
    const void *bytes = sqlite3_column_blob(rows->stmt, column);
    int len = sqlite3_column_bytes(rows->stmt, column);
    return bytes == NULL ? str_c("") : str_n(bytes, (size_t)len);
}

bool db_is_null(struct db_rows *rows, int column)
{
    return sqlite3_column_type(rows->stmt, column) == SQLITE_NULL;
}

enum db_type db_column_type(struct db_rows *rows, int column)
{
    switch (sqlite3_column_type(rows->stmt, column)) {
    case SQLITE_INTEGER:
        return DB_TYPE_I64;
    case SQLITE_FLOAT:
        return DB_TYPE_DOUBLE;
    case SQLITE_TEXT:
        return DB_TYPE_TEXT;
    case SQLITE_BLOB:
        return DB_TYPE_BLOB;
    default: /* SQLITE_NULL */
        return DB_TYPE_NULL;
    }
}

const char *db_column_name(struct db_rows *rows, int column)
{
    return sqlite3_column_name(rows->stmt, column);
}

int db_column_count(struct db_rows *rows)
{
    return sqlite3_column_count(rows->stmt);
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->sqlite);
}

int64_t db_last_rowid(struct db *db)
{
    return sqlite3_last_insert_rowid(db->sqlite);
}

/* ------------------------------------------------------------------ functions */

struct function {
    db_function_fn fn;
    void *userdata;
};

static void function_call(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct function *function = sqlite3_user_data(context);
    const unsigned char *text = sqlite3_value_text(values[0]);
    struct db_value value = DB_NULL;
    (void)count;
    if (text != NULL) {
        size_t len = (size_t)sqlite3_value_bytes(values[0]);
        function->fn(str_n((const char *)text, len), &value, function->userdata);
    }
    switch (value.type) {
    case DB_TYPE_NULL:
        sqlite3_result_null(context);
        break;
    case DB_TYPE_I64:
        sqlite3_result_int64(context, value.i64);
        break;
    case DB_TYPE_DOUBLE:
        sqlite3_result_double(context, value.real);
        break;
    case DB_TYPE_TEXT:
        sqlite3_result_text64(context, value.bytes.ptr, value.bytes.len, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
        break;
    case DB_TYPE_BLOB:
        sqlite3_result_blob64(context, value.bytes.ptr, value.bytes.len, SQLITE_TRANSIENT);
        break;
    }
}

int db_function(struct db *db, const char *name, db_function_fn fn, void *userdata, struct err *err)
{
    struct function *function = malloc(sizeof(*function));
    NEED_MEMORY(function != NULL);
    *function = (struct function){fn, userdata};
    /* SQLite frees the function, even if it fails. */
    return sqlite3_create_function_v2(db->sqlite, name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                      function, function_call, NULL, NULL, free) == SQLITE_OK
               ? 0
               : db_error(db, name, err);
}

/* ------------------------------------------------------------------ transactions */

bool db_in_transaction(const struct db *db)
{
    return sqlite3_get_autocommit(db->sqlite) == 0;
}

/* Bypasses db_run, because the fault hook counts writes only, not BEGIN and ROLLBACK. */
static int simple(struct db *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                        : db_error(db, sql, err);
}

static int undo_prepare(struct db *db, enum undo what, struct err *err)
{
    return db->undo[what] != NULL ||
                   sqlite3_prepare_v3(db->sqlite, undo_sql[what], -1, SQLITE_PREPARE_PERSISTENT,
                                      &db->undo[what], NULL) == SQLITE_OK
               ? 0
               : db_error(db, undo_sql[what], err);
}

static bool undo_run(struct db *db, enum undo what)
{
    bool done = sqlite3_step(db->undo[what]) == SQLITE_DONE;
    (void)sqlite3_reset(db->undo[what]);
    return done;
}

static void roll_back(struct db *db)
{
    /* SQLite may have rolled back already (disk full, for example). */
    if (db_in_transaction(db)) {
        (void)undo_run(db, UNDO_ALL);
        NEED_MEMORY(!db_in_transaction(db));
    }
}

int db_begin(struct db *db, struct err *err)
{
    ASSERT(!db_in_transaction(db));
    int rc = undo_prepare(db, UNDO_ALL, err);
    rc = rc < 0 ? rc : simple(db, "BEGIN IMMEDIATE", err);
    db->begun = rc == 0;
    return rc;
}

int db_begin_read(struct db *db, struct err *err)
{
    ASSERT(!db_in_transaction(db));
    int64_t version = 0;
    int rc = undo_prepare(db, UNDO_ALL, err);
    rc = rc < 0 ? rc : simple(db, "BEGIN", err);
    /* BEGIN alone opens nothing: the first read does. */
    if (rc == 0 && (rc = db_get_i64(db, "SELECT count(*) FROM sqlite_schema", DB_NO_VALUES, 0,
                                    &version, err)) < 0) {
        roll_back(db);
    }
    return rc;
}

int db_begin_unsynced(struct db *db, struct err *err)
{
    ASSERT(!db_in_transaction(db));
    set_synced(db, false);
    int rc = db_begin(db, err);
    if (rc < 0) {
        set_synced(db, true);
    }
    return rc;
}

/* After a transaction. */
static void end(struct db *db)
{
    db->begun = false;
    if (db->relaxed) {
        set_synced(db, true);
    }
}

int db_commit(struct db *db, struct err *err)
{
    ASSERT(db->begun);
    int rc = db_fault(db, "COMMIT", err);
    if (rc == 0 && !db_in_transaction(db)) {
        rc = err_set(err, ERR_DB_FAILED, "%s: the transaction was rolled back", db->name);
    }
    if (rc == 0) {
        rc = simple(db, "COMMIT", err);
    }
    if (rc < 0) {
        roll_back(db);
    } else {
        db->unsynced = db->relaxed;
    }
    end(db);
    return rc;
}

int db_savepoint_begin(struct db *db, struct err *err)
{
    ASSERT(db_in_transaction(db));
    int rc = undo_prepare(db, UNDO_PART, err);
    rc = rc < 0 ? rc : undo_prepare(db, UNDO_PART_END, err);
    return rc < 0 ? rc : simple(db, "SAVEPOINT part", err);
}

int db_savepoint_release(struct db *db, struct err *err)
{
    return simple(db, "RELEASE part", err);
}

void db_savepoint_rollback(struct db *db)
{
    /* A part that stays would be committed with the rest. */
    if (db_in_transaction(db) && !(undo_run(db, UNDO_PART) && undo_run(db, UNDO_PART_END))) {
        roll_back(db);
    }
}

void db_rollback(struct db *db)
{
    if (db != NULL) {
        roll_back(db);
        end(db);
    }
}

/* ------------------------------------------------------------------ open and migrate */

static int pragma_i64(struct db *db, const char *pragma, int64_t *ret, struct err *err)
{
    return db_get_i64(db, pragma, DB_NO_VALUES, 0, ret, err);
}

static int migrate_one(struct db *db, const struct db_migration *migration, int64_t version,
                       struct err *err)
{
    int rc = db_begin(db, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_ROLLBACK struct db *tx = db;
    char sql[64];
    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)version);
    if ((rc = db_exec(tx, migration->sql, err)) < 0 || (rc = db_exec(tx, sql, err)) < 0 ||
        (rc = db_commit(TAKE(tx), err)) < 0) {
        return err_prefix(err, "migration %s", migration->name), rc;
    }
    return 0;
}

static int configure(struct db *db, const struct db_options *options, struct err *err)
{
    (void)sqlite3_extended_result_codes(db->sqlite, 1);
    (void)sqlite3_busy_timeout(db->sqlite, options->busy_timeout_ms);
    /* The file may come from elsewhere: never run code from its schema. */
    (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (options->checkpoint_pages > 0) {
        (void)sqlite3_wal_autocheckpoint(db->sqlite, options->checkpoint_pages);
    }
    int rc = simple(db, "PRAGMA foreign_keys = ON", err);
    if (rc == 0 && !options->read_only) {
        rc = simple(db, "PRAGMA journal_mode = WAL", err);
    }
    if (rc == 0 && !options->read_only) {
        rc = simple(db, "PRAGMA synchronous = FULL", err);
    }
    return rc;
}

/* A step that found the database locked is no failure of sqlite3_backup_finish, but it copied less
 * than all. */
static int copy_pages(struct db *from, struct db *to, struct err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->sqlite, "main", from->sqlite, "main");
    int code = backup == NULL ? SQLITE_ERROR : sqlite3_backup_step(backup, -1);
    bool finished = backup != NULL && sqlite3_backup_finish(backup) == SQLITE_OK;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        return err_set(err, ERR_DB_LOCKED, "%s: copy", from->name);
    }
    return code == SQLITE_DONE && finished ? 0 : db_error(to, "copy", err);
}

/* Largest database that a reader copies into memory to upgrade it. */
#define DB_COPY_MAX_BYTES ((int64_t)256 * 1024 * 1024)

/* Replaces the connection by one to a copy in memory: a reader must not upgrade the file itself. */
static int read_copy(struct db *db, const struct db_options *options, struct err *err)
{
    int64_t pages = 0;
    int64_t page_bytes = 0;
    int rc = pragma_i64(db, "PRAGMA page_count", &pages, err);
    if (rc < 0 || (rc = pragma_i64(db, "PRAGMA page_size", &page_bytes, err)) < 0) {
        return rc;
    }
    if (pages > DB_COPY_MAX_BYTES / page_bytes) {
        return err_set(err, ERR_DB_OUTDATED, "%s: %lld pages of %lld bytes", db->name,
                       (long long)pages, (long long)page_bytes);
    }
    struct db copy = {.options = *options};
    (void)str_copy(str_c(db->name), copy.name, sizeof(copy.name));
    if (sqlite3_open_v2(":memory:", &copy.sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        rc = db_error(&copy, "open", err);
    }
    if (rc == 0) {
        rc = copy_pages(db, &copy, err);
    }
    if (rc == 0) {
        rc = configure(&copy, options, err);
    }
    forget_statements(&copy);
    forget_statements(db);
    (void)sqlite3_close(rc < 0 ? copy.sqlite : db->sqlite);
    db->sqlite = rc < 0 ? db->sqlite : copy.sqlite;
    return rc;
}

static int migrate(struct db *db, const struct db_options *options, struct err *err)
{
    int64_t application_id = 0;
    int64_t version = 0;
    int64_t objects = 0;
    int rc = pragma_i64(db, "PRAGMA application_id", &application_id, err);
    if (rc < 0 || (rc = pragma_i64(db, "PRAGMA user_version", &version, err)) < 0 ||
        (rc = pragma_i64(db, "SELECT count(*) FROM sqlite_schema", &objects, err)) < 0) {
        return rc;
    }
    bool empty = objects == 0 && version == 0 && application_id == 0;
    bool ours = application_id == (int64_t)(int32_t)options->application_id;
    if (options->application_id != 0 && !ours && !(empty && !options->read_only)) {
        return err_set(err, ERR_DB_FOREIGN, "%s: application id %lld", db->name,
                       (long long)application_id);
    }
    int64_t wanted = (int64_t)options->migration_count;
    if (wanted > 0 && version > wanted) {
        return err_set(err, ERR_DB_FUTURE, "%s: schema %lld, this version supports %lld", db->name,
                       (long long)version, (long long)wanted);
    }
    if (options->read_only && (version >= wanted || (rc = read_copy(db, options, err)) < 0)) {
        return rc;
    }
    if (options->application_id != 0 && !ours) {
        char sql[64];
        (void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d",
                       (int32_t)options->application_id);
        if ((rc = db_exec(db, sql, err)) < 0) {
            return rc;
        }
    }
    for (; version < wanted; version++) {
        if ((rc = migrate_one(db, &options->migrations[version], version + 1, err)) < 0) {
            return rc;
        }
    }
    return options->read_only ? simple(db, "PRAGMA query_only = ON", err) : 0;
}

/* sqlite3_open opens a file without write permission read-only; a writer must fail instead. */
static int require_writable(struct db *db, struct err *err)
{
    if (sqlite3_db_readonly(db->sqlite, "main") == 1) {
        return err_set(err, ERR_DB_READONLY, "%s", db->name);
    }
    return 0;
}

/* *ret is open, configured and migrated to the current schema. */
static int open_sqlite(struct db *db, sqlite3 **ret, struct err *err)
{
    const struct db_options *options = &db->options;
    const char *path = db->path == NULL ? ":memory:" : db->path;
    int flags =
        options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = 0;
    if (db->path != NULL && !options->read_only && (rc = db_file_restore(path, err)) == 0) {
        rc = db_file_create(path, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct db fresh = {.options = *options};
    (void)str_copy(str_c(db->name), fresh.name, sizeof(fresh.name));
    if (sqlite3_open_v2(path, &fresh.sqlite, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        ASSERT(fresh.sqlite != NULL);
        rc = db_error(&fresh, "open", err);
    }
    if (rc == 0 && !options->read_only) {
        rc = require_writable(&fresh, err);
    }
    if (rc == 0) {
        rc = configure(&fresh, options, err);
    }
    if (rc == 0) {
        rc = migrate(&fresh, options, err);
    }
    if (rc < 0) {
        db_rollback(&fresh);
    }
    forget_statements(&fresh);
    if (rc < 0) {
        (void)sqlite3_close(fresh.sqlite);
        return rc;
    }
    *ret = fresh.sqlite;
    db->work = fresh.work;
    return 0;
}

/* Without this, SQLite fills a cache of twenty pages for each temporary table of each query, which
 * costs more than the query. */
static void set_up_library(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int db_open(const struct db_options *options, struct db **ret, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, set_up_library);
    struct db *db = calloc(1, sizeof(*db));
    ASSERT(db != NULL && options->path != NULL);
    const char *slash = strrchr(options->path, '/');
    (void)str_copy(str_c(slash == NULL ? options->path : slash + 1), db->name, sizeof(db->name));
    db->options = *options;
    db->options.path = NULL;
    if (strcmp(options->path, ":memory:") != 0) {
        db->path = strdup(options->path);
        ASSERT(db->path != NULL);
    }
    int rc = open_sqlite(db, &db->sqlite, err);
    if (rc < 0) {
        db_free(db);
        return rc;
    }
    if (db->path != NULL) {
        db_file_record(&db->file, db->path);
    }
    *ret = db;
    return 0;
}

void db_free(struct db *db)
{
    if (db == NULL) {
        return;
    }
    if (db->sqlite != NULL) {
        db_rollback(db);
        if (!db->options.read_only) {
            /* The file may have been deleted since the last check. */
            (void)db_restore_if_moved(db, NULL);
            /* SQLite checkpoints only when the last connection closes; a reader may be open. */
            (void)db_checkpoint(db, NULL);
        }
        forget_statements(db);
        int code = sqlite3_close(db->sqlite);
        ASSERT(code == SQLITE_OK);
    }
    free(db->path);
    free(db);
}

/* Opens the path again; the old connection stays if that fails. Closing the old one deletes no
 * files of the new one, since SQLite notices that its file is no longer at path. */
static int reopen(struct db *db, struct err *err)
{
    sqlite3 *fresh = NULL;
    int rc = open_sqlite(db, &fresh, err);
    if (rc < 0) {
        return rc;
    }
    db_rollback(db);
    forget_statements(db);
    int code = sqlite3_close(db->sqlite);
    ASSERT(code == SQLITE_OK);
    db->sqlite = fresh;
    db->sealed = false;
    db_file_record(&db->file, db->path);
    return 0;
}

int db_reopen(struct db *db, struct err *err)
{
    ASSERT(db->options.read_only);
    return reopen(db, err);
}

int db_restore_if_moved(struct db *db, struct err *err)
{
    ASSERT(!db->options.read_only && !db_in_transaction(db));
    const char *what = NULL;
    if (db->path == NULL || (!db->sealed && !db_file_check(&db->file, db->path, &what))) {
        return 0;
    }
    int rc = 0;
    if (!db->sealed) {
        AUTO_BUF struct buf copy = BUF_INIT(PATH_MAX);
        buf_addf(&copy, "%s" DB_FILE_COPY_SUFFIX, db->path);
        /* The open database is complete even if its file was unlinked. */
        rc = db_backup(db, copy.data, err);
        db->sealed = rc == 0;
    }
    if (rc == 0) {
        rc = reopen(db, err);
    }
    if (rc < 0) {
        err_prefix(err, "%s%s%s", db->name,
                   what == NULL     ? ""
                   : what[0] == '-' ? ""
                                    : " ",
                   what == NULL ? "" : what);
        return rc;
    }
    (void)err_set(err, ERR_DB_MOVED, "%s%s%s", db->name, what == NULL || what[0] == '-' ? "" : " ",
                  what == NULL ? " was moved" : what);
    return 1;
}

int db_checkpoint(struct db *db, struct err *err)
{
    int code = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK ? 0 : db_error(db, "checkpoint", err);
}

int db_quick_check(struct db *db, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db, "PRAGMA quick_check(1)", DB_NO_VALUES, &rows, err);
    if (rc == 0) {
        rc = db_next(rows, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct str result = rc > 0 ? db_text(rows, 0) : str_c("no result");
    return str_equal_c(result, "ok")
               ? 0
               : err_set(err, ERR_DB_CORRUPT, "%s: %.*s", db->name, STR_ARG(result));
}

int64_t db_schema_version(struct db *db)
{
    int64_t version = 0;
    (void)pragma_i64(db, "PRAGMA user_version", &version, NULL);
    return version;
}

int db_backup(struct db *db, const char *path, struct err *err)
{
    ASSERT(!db_in_transaction(db));
    AUTO_BUF struct buf temporary = BUF_INIT(PATH_MAX);
    buf_addf(&temporary, "%s.XXXXXX", path);
    if (buf_failed(&temporary)) {
        return err_set(err, ERR_DB_OPEN, "%s: path is too long", path);
    }
    /* The name is new and unique, so no lock is lost when our descriptor is closed. */
    AUTO_FD int fd = mkostemp(temporary.data, O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_DB_OPEN, "%s: %s", path, strerror(errno));
    }
    /* VACUUM INTO makes a compact copy in one read transaction and does not block WAL writers. */
    int rc = db_run(db, "VACUUM INTO ?", DB_VALUES(DB_TEXT(buf_str(&temporary))), err);
    if (rc == 0 && (fchmod(fd, 0640) < 0 || fsync(fd) < 0)) {
        rc = err_set(err, ERR_DB_OPEN, "%s: %s", path, strerror(errno));
    }
    (void)close(TAKE_FD(fd));
    if (rc == 0 && rename(temporary.data, path) < 0) {
        rc = err_set(err, ERR_DB_OPEN, "%s: %s", path, strerror(errno));
    }
    if (rc < 0) {
        (void)unlink(temporary.data);
    }
    return rc;
}

void db_set_fault(struct db *db, db_fault_fn fn, void *userdata)
{
    db->fault = fn;
    db->fault_userdata = userdata;
}
