/* The database file: each change is there in full or not at all, and the file stays whole. */
#include "io/db.h"
#include "oom/oom.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct db_migration migrations[] = {
    {"first", "CREATE TABLE fills(id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, qty INTEGER);"
              "CREATE INDEX fills_symbol ON fills(symbol);"},
    {"second", "ALTER TABLE fills ADD COLUMN fee INTEGER NOT NULL DEFAULT 0;"},
};

static int open_at(const struct oom *oom, size_t version, bool read_only, struct db **ret,
                   struct err *err)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/test.db", oom->folder);
    const struct db_options options = {.path = path,
                                       .read_only = read_only,
                                       .application_id = 77,
                                       .migrations = migrations,
                                       .migration_count = version};
    return db_open(&options, ret, err);
}

static int insert(struct db *db, int64_t id, struct err *err)
{
    return db_run(db, "INSERT INTO fills(id, symbol, qty) VALUES (?, ?, ?)",
                  DB_VALUES(DB_I64(id), DB_TEXT_C("BTC-USD"), DB_I64(id * 10)), err);
}

/* Ten rows; closed again, so that no connection is inherited by a child. */
static int prepare_file(struct oom *oom, struct err *err)
{
    struct db *db = NULL;
    int rc = open_at(oom, 1, false, &db, err);
    for (int64_t id = 1; rc == 0 && id <= 10; id++) {
        rc = insert(db, id, err);
    }
    db_free(db);
    return rc;
}

static int prepare_open(struct oom *oom, struct err *err)
{
    int rc = prepare_file(oom, err);
    struct db *db = NULL;
    rc = rc < 0 ? rc : open_at(oom, 2, false, &db, err);
    oom->self = db;
    return rc;
}

static void release_open(struct oom *oom)
{
    db_free(oom->self);
}

/* Opens the file of a child and counts its rows; -1 if it is damaged. */
static int64_t rows_now(struct oom *oom)
{
    struct db *db = NULL;
    int64_t rows = -1;
    if (open_at(oom, 2, false, &db, NULL) < 0 || db_quick_check(db, NULL) < 0 ||
        db_get_i64(db, "SELECT count(*) FROM fills WHERE fee = 0", DB_NO_VALUES, -1, &rows, NULL) <
            0) {
        rows = -1;
    }
    db_free(db);
    return rows;
}

static const char *ten_rows(struct oom *oom)
{
    return rows_now(oom) == 10 ? NULL : "the ten rows are not there";
}

/* ---- a new file ---- */

static int create(struct oom *oom, struct err *err)
{
    struct db *db = NULL;
    int rc = open_at(oom, 2, false, &db, err);
    OOM_CHECK((rc == 0) == (db != NULL));
    rc = rc < 0 ? rc : insert(db, 1, err);
    db_free(db);
    return rc;
}

static const char *created(struct oom *oom)
{
    int64_t rows = rows_now(oom);
    if (strcmp(oom->outcome, "done") == 0) {
        return rows == 1 ? NULL : "the row is not there";
    }
    return rows >= 0 && rows <= 1 ? NULL : "the file cannot be opened";
}
OOM_SCENARIO(db, create, .run = create, .verify = created)

/* ---- migration ---- */

static int migrate(struct oom *oom, struct err *err)
{
    struct db *db = NULL;
    int rc = open_at(oom, 2, false, &db, err);
    OOM_CHECK((rc == 0) == (db != NULL));
    (void)oom_disarm();
    OOM_CHECK(rc < 0 || db_schema_version(db) == 2);
    db_free(db);
    return rc;
}
OOM_SCENARIO(db, migrate, .prepare = prepare_file, .run = migrate, .verify = ten_rows)

/* ---- a transaction ---- */

static int change(struct oom *oom, struct err *err)
{
    struct db *db = oom->self;
    int rc = db_begin(db, err);
    if (rc < 0) {
        OOM_CHECK(!db_in_transaction(db));
        return rc;
    }
    AUTO_ROLLBACK struct db *tx = db;
    for (int64_t id = 11; id <= 40; id++) {
        if ((rc = insert(tx, id, err)) < 0) {
            return rc;
        }
    }
    rc = db_run(tx, "UPDATE fills SET qty = qty + 1 WHERE symbol = ?",
                DB_VALUES(DB_TEXT_C("BTC-USD")), err);
    if (rc < 0) {
        return rc;
    }
    OOM_CHECK(db_changes(tx) == 40);
    rc = db_commit(TAKE(tx), err);
    OOM_CHECK(!db_in_transaction(db));
    return rc;
}

static const char *all_or_nothing(struct oom *oom)
{
    int64_t rows = rows_now(oom);
    if (rows != 10 && rows != 40) {
        return "part of a transaction is there";
    }
    /* A commit whose outcome is not known may have happened; one that succeeded has. */
    return strcmp(oom->outcome, "done") != 0 || rows == 40 ? NULL : "committed, but not there";
}
OOM_SCENARIO(db, transaction, .prepare = prepare_open, .run = change, .release = release_open,
             .verify = all_or_nothing)

/* ---- a part of a transaction that is rolled back ---- */

static int change_a_part(struct oom *oom, struct err *err)
{
    struct db *db = oom->self;
    int rc = db_begin(db, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_ROLLBACK struct db *tx = db;
    if ((rc = db_savepoint_begin(tx, err)) < 0) {
        return rc;
    }
    rc = insert(tx, 11, err);
    db_savepoint_rollback(tx);
    if (rc < 0) {
        return rc;
    }
    return db_commit(TAKE(tx), err);
}
OOM_SCENARIO(db, savepoint, .prepare = prepare_open, .run = change_a_part, .release = release_open,
             .verify = ten_rows)

/* ---- rows ---- */

static int query(struct oom *oom, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int64_t sum = 0, count = 0;
    int rc = db_query(oom->self,
                      "SELECT id, symbol, qty FROM fills WHERE id > ? ORDER BY symbol, qty DESC",
                      DB_VALUES(DB_I64(5)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        OOM_CHECK(str_equal_c(db_text(rows, 1), "BTC-USD"));
        sum += db_i64(rows, 2);
        count++;
    }
    OOM_CHECK(rc < 0 || (count == 5 && sum == 400));
    return rc;
}
OOM_SCENARIO(db, query, .prepare = prepare_open, .run = query, .release = release_open,
             .verify = ten_rows)

/* ---- copies ---- */

static int back_up(struct oom *oom, struct err *err)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/copy.db", oom->folder);
    int rc = db_backup(oom->self, path, err);
    return rc < 0 ? rc : db_checkpoint(oom->self, err);
}

/* A copy is whole or missing. */
static const char *copied(struct oom *oom)
{
    char path[256], moved[256];
    (void)snprintf(path, sizeof(path), "%s/copy.db", oom->folder);
    (void)snprintf(moved, sizeof(moved), "%s/test.db", oom->folder);
    if (rows_now(oom) != 10) {
        return "the ten rows are not there";
    }
    if (access(path, F_OK) != 0) {
        return strcmp(oom->outcome, "done") == 0 ? "no copy" : NULL;
    }
    return rename(path, moved) == 0 && rows_now(oom) == 10 ? NULL : "the copy is not whole";
}
OOM_SCENARIO(db, backup, .prepare = prepare_open, .run = back_up, .release = release_open,
             .verify = copied)

/* Another program deletes the file while it is open. */
static int restore(struct oom *oom, struct err *err)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/test.db", oom->folder);
    (void)unlink(path);
    struct err found = {0};
    int rc = db_restore_if_moved(oom->self, &found);
    if (rc < 0) {
        /* The open database stays usable, and a later call succeeds. */
        (void)oom_disarm();
        OOM_CHECK(db_restore_if_moved(oom->self, err) == 1);
        return err_set(err, found.id, "%s", found.context);
    }
    OOM_CHECK(rc == 1);
    return insert(oom->self, 11, err);
}

static const char *restored(struct oom *oom)
{
    int64_t rows = rows_now(oom);
    if (strcmp(oom->outcome, "abort") == 0) {
        return NULL; /* the file was deleted, and nobody was left to write it again */
    }
    return rows == 11 || (rows == 10 && strcmp(oom->outcome, "done") != 0)
               ? NULL
               : "the rows are not there";
}
OOM_SCENARIO(db, restore, .prepare = prepare_open, .run = restore, .release = release_open,
             .verify = restored)
