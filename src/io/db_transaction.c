#include "base/auto.h"
#include "base/check.h"
#include "db_private.h"

#define SAME_TRIES 5

static const char *const undo_sql[UNDO_COUNT] = {
    [UNDO_ALL] = "ROLLBACK",
    [UNDO_PART] = "ROLLBACK TO part",
    [UNDO_PART_END] = "RELEASE part",
};

bool db_in_transaction(const struct db *db)
{
    return sqlite3_get_autocommit(db->sqlite) == 0;
}

int db_simple(struct db *db, const char *sql, struct err *err)
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
    rc = rc < 0 ? rc : db_simple(db, "BEGIN IMMEDIATE", err);
    db->begun = rc == 0;
    return rc;
}

int db_begin_read(struct db *db, struct err *err)
{
    ASSERT(!db_in_transaction(db));
    int64_t version = 0;
    int rc = undo_prepare(db, UNDO_ALL, err);
    rc = rc < 0 ? rc : db_simple(db, "BEGIN", err);
    /* BEGIN alone opens nothing: the first read does. */
    if (rc == 0 && (rc = db_get_i64(db, "SELECT count(*) FROM sqlite_schema", DB_NO_VALUES, 0,
                                    &version, err)) < 0) {
        roll_back(db);
    }
    return rc;
}

/* Differs once another connection has committed since this connection looked last; inside a
 * transaction it is that of its moment. */
static int data_version(struct db *db, int64_t *ret, struct err *err)
{
    return db_get_i64(db, "PRAGMA data_version", DB_NO_VALUES, 0, ret, err);
}

/* *ret_same: nobody committed between the beginnings of the two transactions. */
static int begin_both(struct db *db, struct db *second, bool *ret_same, struct err *err)
{
    int64_t before = 0, after = 0;
    int rc = data_version(second, &before, err);
    rc = rc < 0 ? rc : db_begin_read(db, err);
    rc = rc < 0 ? rc : db_begin_read(second, err);
    rc = rc < 0 ? rc : data_version(second, &after, err);
    *ret_same = rc == 0 && before == after;
    return rc;
}

int db_begin_read_twice(struct db *db, struct db **ret_second, struct err *err)
{
    AUTO_DB struct db *second = NULL;
    struct db_options options = db->options;
    const char *file = sqlite3_db_filename(db->sqlite, "main");
    *ret_second = NULL;
    if (file == NULL || file[0] == '\0') { /* also an older schema that was upgraded in memory */
        return db_begin_read(db, err);
    }
    options.path = db->path;
    options.read_only = true;
    int rc = db_open(&options, &second, NULL);
    for (int tries = 0; rc == 0 && tries < SAME_TRIES; tries++) {
        bool same = false;
        rc = begin_both(db, second, &same, NULL);
        if (same) {
            *ret_second = TAKE(second);
            return 0;
        }
        db_rollback(second);
        db_rollback(db);
    }
    return db_begin_read(db, err);
}

/* Only outside a transaction. */
static void set_synced(struct db *db, bool synced)
{
    (void)sqlite3_exec(db->sqlite,
                       synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL,
                       NULL, NULL);
    db->relaxed = !synced;
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
        rc = db_simple(db, "COMMIT", err);
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
    return rc < 0 ? rc : db_simple(db, "SAVEPOINT part", err);
}

int db_savepoint_release(struct db *db, struct err *err)
{
    return db_simple(db, "RELEASE part", err);
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

/* ------------------------------------------------------------------ unsynced commits */

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
