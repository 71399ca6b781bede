#include "io/db.h"

#include "base/check.h"
#include "base/clock.h"
#include "db_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int db_error(struct db *db, const char *what, struct err *err)
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
int db_fault(struct db *db, const char *what, struct err *err)
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

/* A WAL that a long read has let grow becomes so small again with the first write after it was
 * copied; otherwise it stays as large as it ever was. Above what any database waits for before it
 * checkpoints. */
#define WAL_KEPT_BYTES "20971520"

#define BUSY_STEP_US   1000

/* Of SQLite, while the database is locked by another connection; 0: the statement fails. */
static int on_busy(void *userdata, int times)
{
    struct db *db = userdata;
    int64_t now_us = clock_mono_us(clock_real());
    if (now_us < db->rest_mono_us) {
        return 0;
    }
    db->busy_mono_us = times == 0 ? now_us : db->busy_mono_us;
    if (now_us - db->busy_mono_us >= db->options.busy_timeout_ms * USEC_PER_MSEC) {
        db->rest_mono_us = now_us + db->options.busy_rest_ms * USEC_PER_MSEC;
        return 0;
    }
    (void)usleep(BUSY_STEP_US);
    return 1;
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
    int rc = db_simple(db, "PRAGMA foreign_keys = ON", err);
    if (rc == 0 && !options->read_only) {
        rc = db_simple(db, "PRAGMA journal_mode = WAL", err);
    }
    if (rc == 0 && !options->read_only) {
        rc = db_simple(db, "PRAGMA synchronous = FULL", err);
    }
    if (rc == 0 && !options->read_only) {
        rc = db_simple(db, "PRAGMA journal_size_limit = " WAL_KEPT_BYTES, err);
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
    db_forget_statements(&copy);
    db_forget_statements(db);
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
    return options->read_only ? db_simple(db, "PRAGMA query_only = ON", err) : 0;
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
    db_forget_statements(&fresh);
    if (rc < 0) {
        (void)sqlite3_close(fresh.sqlite);
        return rc;
    }
    (void)sqlite3_busy_handler(fresh.sqlite, on_busy, db);
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
        db_forget_statements(db);
        int code = sqlite3_close(db->sqlite);
        ASSERT(code == SQLITE_OK);
    }
    free(db->path);
    free(db);
}

static void on_change(void *userdata, int what, const char *schema, const char *table,
                      sqlite3_int64 rowid)
{
    (void)what;
    (void)schema;
    const struct db *db = userdata;
    db->change(table, rowid, db->change_userdata);
}

static void watch_changes(struct db *db)
{
    (void)sqlite3_update_hook(db->sqlite, db->change == NULL ? NULL : on_change, db);
}

void db_on_change(struct db *db, db_change_fn fn, void *userdata)
{
    db->change = fn;
    db->change_userdata = userdata;
    watch_changes(db);
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
    db_forget_statements(db);
    int code = sqlite3_close(db->sqlite);
    ASSERT(code == SQLITE_OK);
    db->sqlite = fresh;
    watch_changes(db);
    db->has_each = false;
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
