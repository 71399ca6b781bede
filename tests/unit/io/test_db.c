#include "base/clock.h"
#include "io/db.h"
#include "io/file.h"
#include "scratch.h"
#include "unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>

static const struct db_migration migrations[] = {
    {"1 things", "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
                 " price INTEGER, ratio REAL, raw BLOB) STRICT;"
                 " CREATE INDEX things_price ON things(price);"},
    {"2 notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY,"
                " thing INTEGER NOT NULL REFERENCES things(id)) STRICT;"},
};

enum { APPLICATION = 0x6e646573 };

static int open_with(const char *path, size_t count, bool read_only, struct db **ret,
                     struct err *err)
{
    return db_open(&(struct db_options){.path = path,
                                        .read_only = read_only,
                                        .application_id = APPLICATION,
                                        .migrations = migrations,
                                        .migration_count = count},
                   ret, err);
}

static struct db *open_good(const char *path)
{
    struct db *db = NULL;
    struct err err = {0};
    int rc = open_with(path, 2, false, &db, &err);
    if (rc < 0) {
        fail_msg("%s", err.context);
    }
    return db;
}

static int add_thing(struct db *db, const char *name, struct err *err)
{
    return db_run(db, "INSERT INTO things(name) VALUES (?)", DB_VALUES(DB_TEXT_C(name)), err);
}

static int64_t count_things(struct db *db)
{
    int64_t count = -1;
    assert_int_equal(db_get_i64(db, "SELECT count(*) FROM things", DB_NO_VALUES, 0, &count, NULL),
                     0);
    return count;
}

static void values_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct db *db = open_good(":memory:");
    struct dec price;
    assert_true(dec_parse(str_c("-64120.50000001"), &price));
    assert_int_equal(db_run(db, "INSERT INTO things VALUES (?, ?, ?, ?, ?)",
                            DB_VALUES(DB_I64(INT64_MIN), DB_TEXT(str_n("a\0b", 3)), DB_DEC(price),
                                      DB_DOUBLE(0.1), DB_BLOB(str_n("\xff\x00", 2))),
                            NULL),
                     0);
    assert_int_equal(db_changes(db), 1);
    assert_int_equal(db_last_rowid(db), INT64_MIN);
    assert_int_equal(db_run(db, "INSERT INTO things VALUES (7, 'b', ?, ?, NULL)",
                            DB_VALUES(DB_DEC(DEC_INVALID), DB_TEXT_OR_NULL(NULL)), NULL),
                     0);
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    assert_int_equal(db_query(db, "SELECT * FROM things ORDER BY id", DB_NO_VALUES, &rows, NULL),
                     0);
    assert_int_equal(db_column_count(rows), 5);
    assert_string_equal(db_column_name(rows, 2), "price");
    assert_int_equal(db_next(rows, NULL), 1);
    assert_true(db_i64(rows, 0) == INT64_MIN);
    assert_true(str_equal(db_text(rows, 1), str_n("a\0b", 3)));
    assert_int_equal(db_dec(rows, 2).e8, INT64_C(-6412050000001));
    assert_true(db_double(rows, 3) == 0.1);
    assert_true(str_equal(db_blob(rows, 4), str_n("\xff\x00", 2)));
    assert_int_equal(db_column_type(rows, 4), DB_TYPE_BLOB);
    assert_int_equal(db_next(rows, NULL), 1);
    assert_true(db_is_null(rows, 2));
    assert_false(dec_is_valid(db_dec(rows, 2)));
    assert_true(db_is_null(rows, 3));
    assert_int_equal(db_next(rows, NULL), 0);
    assert_int_equal(db_next(rows, NULL), 0); /* does not restart */
    db_rows_free(TAKE(rows));
    db_free(db);
}

static void insert_with_returning_runs_once(void **state)
{
    (void)state;
    struct db *db = open_good(":memory:");
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    assert_int_equal(db_query(db, "INSERT INTO things(name) VALUES ('x') RETURNING id",
                              DB_NO_VALUES, &rows, NULL),
                     0);
    assert_int_equal(db_next(rows, NULL), 1);
    assert_int_equal(db_next(rows, NULL), 0);
    assert_int_equal(db_next(rows, NULL), 0);
    db_rows_free(TAKE(rows));
    assert_int_equal(count_things(db), 1);
    db_free(db);
}

static void same_query_may_run_inside_itself(void **state)
{
    (void)state;
    struct db *db = open_good(":memory:");
    assert_int_equal(add_thing(db, "x", NULL), 0);
    assert_int_equal(add_thing(db, "y", NULL), 0);
    const char *sql = "SELECT name FROM things ORDER BY id";
    AUTO_DB_ROWS struct db_rows *outer = NULL;
    AUTO_DB_ROWS struct db_rows *inner = NULL;
    assert_int_equal(db_query(db, sql, DB_NO_VALUES, &outer, NULL), 0);
    assert_int_equal(db_next(outer, NULL), 1);
    assert_int_equal(db_query(db, sql, DB_NO_VALUES, &inner, NULL), 0);
    assert_int_equal(db_next(inner, NULL), 1);
    assert_true(str_equal_c(db_text(inner, 0), "x"));
    assert_int_equal(db_next(outer, NULL), 1);
    assert_true(str_equal_c(db_text(outer, 0), "y"));
    db_rows_free(TAKE(inner));
    db_rows_free(TAKE(outer));
    db_free(db);
}

static void more_statements_than_fit_into_the_cache(void **state)
{
    (void)state;
    struct db *db = open_good(":memory:");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++) {
            char sql[64];
            int64_t value = 0;
            (void)snprintf(sql, sizeof(sql), "SELECT %d + ?", i);
            assert_int_equal(db_get_i64(db, sql, DB_VALUES(DB_I64(1)), 0, &value, NULL), 0);
            assert_int_equal(value, i + 1);
        }
    }
    db_free(db);
}

static void transaction_rolls_back_unless_committed(void **state)
{
    (void)state;
    struct db *db = open_good(":memory:");
    {
        assert_int_equal(db_begin(db, NULL), 0);
        AUTO_ROLLBACK struct db *tx = db;
        assert_int_equal(add_thing(tx, "lost", NULL), 0);
        assert_true(db_in_transaction(db));
    }
    assert_false(db_in_transaction(db));
    assert_int_equal(count_things(db), 0);
    {
        assert_int_equal(db_begin(db, NULL), 0);
        AUTO_ROLLBACK struct db *tx = db;
        assert_int_equal(add_thing(tx, "kept", NULL), 0);
        assert_int_equal(db_commit(TAKE(tx), NULL), 0);
    }
    assert_int_equal(count_things(db), 1);
    db_free(db);
}

static void a_violated_constraint_has_its_own_error(void **state)
{
    (void)state;
    struct db *db = open_good(":memory:");
    struct err err = {0};
    assert_int_equal(add_thing(db, "x", &err), 0);
    assert_int_equal(add_thing(db, "x", &err), -ERR_DB_CONSTRAINT);
    assert_int_equal(db_exec(db, "INSERT INTO notes(thing) VALUES (99)", &err),
                     -ERR_DB_CONSTRAINT); /* foreign keys are on */
    assert_int_equal(db_exec(db, "INSERT INTO things(name, price) VALUES ('y', 'dear')", &err),
                     -ERR_DB_CONSTRAINT);
    assert_int_equal(db_exec(db, "SELECT nonsense(", &err), -ERR_DB_FAILED);
    db_free(db);
}

static void file_is_wal_full_and_private(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *db = open_good(path);
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    assert_int_equal(db_query(db, "PRAGMA journal_mode", DB_NO_VALUES, &rows, NULL), 0);
    assert_int_equal(db_next(rows, NULL), 1);
    assert_true(str_equal_c(db_text(rows, 0), "wal"));
    db_rows_free(TAKE(rows));
    int64_t level = 0;
    assert_int_equal(db_get_i64(db, "PRAGMA synchronous", DB_NO_VALUES, 0, &level, NULL), 0);
    assert_int_equal(level, 2);
    assert_int_equal(db_get_i64(db, "PRAGMA application_id", DB_NO_VALUES, 0, &level, NULL), 0);
    assert_int_equal(level, APPLICATION);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0007, 0);
    db_free(db);
}

static void an_unsynced_write_leaves_the_next_one_synced(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    struct db *db = open_good(scratch_path(&s, "a.db"));
    int64_t n = 0;
    assert_int_equal(db_exec(db, "CREATE TABLE t(x)", NULL), 0);
    assert_int_equal(db_run_unsynced(db, "INSERT INTO t VALUES (?)", DB_VALUES(DB_I64(1)), NULL),
                     0);
    assert_int_equal(db_get_i64(db, "PRAGMA synchronous", DB_NO_VALUES, 0, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_true(db_run_unsynced(db, "INSERT INTO absent VALUES (1)", DB_NO_VALUES, NULL) < 0);
    assert_int_equal(db_get_i64(db, "PRAGMA synchronous", DB_NO_VALUES, 0, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_int_equal(db_begin(db, NULL), 0);
    assert_int_equal(db_run_unsynced(db, "INSERT INTO t VALUES (2)", DB_NO_VALUES, NULL), 0);
    assert_int_equal(db_commit(db, NULL), 0);
    assert_int_equal(db_get_i64(db, "SELECT count(*) FROM t", DB_NO_VALUES, 0, &n, NULL), 0);
    assert_int_equal(n, 2);
    db_free(db);
}

static void migrations_continue_at_the_stored_version(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *db = NULL;
    assert_int_equal(open_with(path, 1, false, &db, NULL), 0);
    assert_int_equal(db_schema_version(db), 1);
    assert_int_equal(add_thing(db, "old", NULL), 0);
    db_free(db);
    struct err err = {0};
    /* A reader sees the new schema and does not change the file. */
    assert_int_equal(open_with(path, 2, true, &db, &err), 0);
    assert_int_equal(db_schema_version(db), 2);
    assert_int_equal(count_things(db), 1);
    assert_true(add_thing(db, "new", &err) < 0);
    db_free(db);
    assert_int_equal(open_with(path, 1, true, &db, NULL), 0);
    assert_int_equal(db_schema_version(db), 1);
    db_free(db);
    db = open_good(path);
    assert_int_equal(db_schema_version(db), 2);
    assert_int_equal(count_things(db), 1);
    db_free(db);
}

static void a_failed_migration_changes_nothing(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    const struct db_migration broken[] = {
        migrations[0], {"2 broken", "CREATE TABLE half (id INTEGER); CREATE TABLE things (x);"}};
    struct db *db = NULL;
    struct err err = {0};
    int rc = db_open(&(struct db_options){.path = path,
                                          .application_id = APPLICATION,
                                          .migrations = broken,
                                          .migration_count = 2},
                     &db, &err);
    assert_true(rc < 0);
    assert_null(db);
    assert_non_null(strstr(err.context, "2 broken"));
    assert_int_equal(open_with(path, 1, false, &db, &err), 0); /* still at version 1 */
    int64_t tables = -1;
    assert_int_equal(db_get_i64(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'",
                                DB_NO_VALUES, 0, &tables, NULL),
                     0);
    assert_int_equal(tables, 0);
    db_free(db);
}

static void future_and_foreign_databases_are_refused(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *db = open_good(path);
    assert_int_equal(db_exec(db, "PRAGMA user_version = 3", NULL), 0);
    db_free(db);
    struct err err = {0};
    assert_int_equal(open_with(path, 2, false, &db, &err), -ERR_DB_FUTURE);
    assert_int_equal(open_with(path, 2, true, &db, &err), -ERR_DB_FUTURE);

    const char *other = scratch_path(&s, "b.db");
    assert_int_equal(db_open(&(struct db_options){.path = other}, &db, NULL), 0);
    assert_int_equal(db_exec(db, "CREATE TABLE theirs (x)", NULL), 0);
    db_free(db);
    assert_int_equal(open_with(other, 2, false, &db, &err), -ERR_DB_FOREIGN);
    AUTO_BUF struct buf bytes = BUF_INIT(1 << 20);
    assert_int_equal(file_read(other, &bytes, NULL), 0);
    assert_null(memmem(bytes.data, bytes.len, "things", 6)); /* not changed */
}

static void corrupt_bytes_are_recognised(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct err err = {0};
    struct db *db = NULL;
    AUTO_BUF struct buf junk = BUF_INIT(8192);
    for (int i = 0; i < 8192; i++) {
        buf_add_char(&junk, (char)(i * 31 % 251));
    }
    assert_int_equal(file_write(path, buf_str(&junk), 0640, NULL), 0);
    assert_int_equal(open_with(path, 2, false, &db, &err), -ERR_DB_CORRUPT);
    assert_int_equal(open_with(path, 2, true, &db, &err), -ERR_DB_CORRUPT);

    /* With a page in the middle overwritten it opens, and the check finds the damage. */
    const char *second = scratch_path(&s, "b.db");
    db = open_good(second);
    assert_int_equal(db_begin(db, NULL), 0);
    for (int i = 0; i < 2000; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "thing number %d", i);
        assert_int_equal(add_thing(db, name, NULL), 0);
    }
    assert_int_equal(db_commit(db, NULL), 0);
    assert_int_equal(db_quick_check(db, NULL), 0);
    db_free(db);
    AUTO_BUF struct buf bytes = BUF_INIT(4 << 20);
    assert_int_equal(file_read(second, &bytes, NULL), 0);
    assert_true(bytes.len > (size_t)8 * 4096);
    memset(bytes.data + (size_t)5 * 4096, 0x5a, 2 * 4096);
    assert_int_equal(file_write(second, buf_str(&bytes), 0640, NULL), 0);
    assert_int_equal(open_with(second, 2, false, &db, &err), 0);
    assert_int_equal(db_quick_check(db, &err), -ERR_DB_CORRUPT);
    db_free(db);
}

static void read_only_refuses_writes(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *writer = open_good(path);
    assert_int_equal(add_thing(writer, "x", NULL), 0);
    struct db *reader = NULL;
    struct err err = {0};
    assert_int_equal(open_with(path, 2, true, &reader, &err), 0);
    assert_int_equal(count_things(reader), 1);
    assert_int_equal(add_thing(reader, "y", &err), -ERR_DB_READONLY);
    db_free(reader);
    db_free(writer);
    assert_int_equal(open_with(scratch_path(&s, "none.db"), 2, true, &reader, &err), -ERR_DB_OPEN);
    assert_false(file_exists(scratch_path(&s, "none.db")));
}

static void unwritable_file_is_refused_at_open(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    db_free(open_good(path));
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(s.folder, 0755), 0);
    struct err err = {0};
    struct db *db = NULL;
    uid_t root = geteuid();
    if (root == 0) { /* root may write to a file of any mode */
        assert_int_equal(seteuid(65534), 0);
    }
    int rc = open_with(path, 2, false, &db, &err);
    if (root == 0) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(rc, -ERR_DB_READONLY);
}

static void a_locked_database_has_its_own_error(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *one = open_good(path);
    struct db *two = open_good(path);
    struct err err = {0};
    assert_int_equal(db_begin(one, NULL), 0);
    assert_int_equal(add_thing(two, "x", &err), -ERR_DB_LOCKED);
    assert_int_equal(db_begin(two, &err), -ERR_DB_LOCKED);
    assert_int_equal(count_things(two), 0); /* readers are not blocked */
    assert_int_equal(db_commit(one, NULL), 0);
    assert_int_equal(add_thing(two, "x", &err), 0);
    db_free(one);
    db_free(two);
}

/* Many statements that find it locked wait as long as one. */
static void a_locked_database_is_waited_for_once(void **state)
{
    (void)state;
    enum { TIMES = 30, BUSY_MS = 100 };
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *one = open_good(path);
    struct db *two = NULL;
    const struct db_options options = {
        .path = path, .busy_timeout_ms = BUSY_MS, .busy_rest_ms = 60000};
    assert_int_equal(db_open(&options, &two, NULL), 0);
    assert_int_equal(db_begin(one, NULL), 0);
    int64_t from_us = clock_mono_us(clock_real());
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(add_thing(two, "x", NULL), -ERR_DB_LOCKED);
    }
    assert_in_range(clock_mono_us(clock_real()) - from_us, BUSY_MS * USEC_PER_MSEC,
                    TIMES / 2 * BUSY_MS * USEC_PER_MSEC);
    assert_int_equal(db_commit(one, NULL), 0);
    assert_int_equal(add_thing(two, "x", NULL), 0); /* it is free */
    db_free(one);
    db_free(two);
}

static void a_full_disk_has_its_own_error(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    struct db *db = open_good(scratch_path(&s, "a.db"));
    struct err err = {0};
    assert_int_equal(add_thing(db, "before", NULL), 0);
    assert_int_equal(db_exec(db, "PRAGMA max_page_count = 1", NULL),
                     0); /* makes SQLite report a full disk */
    AUTO_BUF struct buf name = BUF_INIT(1 << 16);
    for (int i = 0; i < 60000; i++) {
        buf_add_char(&name, 'x');
    }
    assert_int_equal(add_thing(db, name.data, &err), -ERR_DB_FULL);
    assert_int_equal(count_things(db), 1);
    db_free(db);
}

struct fault {
    int left;
    int seen;
    char last[64];
};

static int stop_after(const char *what, void *userdata)
{
    struct fault *fault = userdata;
    fault->seen++;
    (void)str_copy(str_c(what), fault->last, sizeof(fault->last));
    return fault->left-- > 0 ? 0 : -ERR_DB_FAILED;
}

static int two_writes(struct db *db)
{
    int rc = db_begin(db, NULL);
    AUTO_ROLLBACK struct db *tx = db;
    if (rc == 0) {
        rc = add_thing(tx, "a", NULL);
    }
    if (rc == 0) {
        rc = db_exec(tx, "INSERT INTO things(name) VALUES ('b')", NULL);
    }
    return rc < 0 ? rc : db_commit(TAKE(tx), NULL);
}

/* Stopping before any of the three writes leaves no row; after them, both rows. */
static void fault_hook_stops_between_any_two_writes(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    for (int stop = 0; stop <= 3; stop++) {
        struct db *db = open_good(path);
        struct fault fault = {.left = stop};
        db_set_fault(db, stop_after, &fault);
        int rc = two_writes(db);
        assert_int_equal(rc, stop == 3 ? 0 : -ERR_DB_FAILED);
        assert_int_equal(fault.seen, stop < 3 ? stop + 1 : 3);
        int64_t reads = fault.seen;
        int64_t seen_things = count_things(db);
        assert_int_equal(fault.seen, reads); /* reads do not count */
        assert_int_equal(seen_things, stop == 3 ? 2 : 0);
        if (stop >= 2) {
            assert_string_equal(fault.last, "COMMIT");
        }
        db_free(db);
        db = open_good(path);
        assert_int_equal(count_things(db), stop == 3 ? 2 : 0);
        db_free(db);
    }
}

static void note_change(const char *table, int64_t rowid, void *userdata)
{
    buf_addf(userdata, "%s %lld, ", table, (long long)rowid);
}

static void changes_are_told_row_by_row(void **state)
{
    (void)state;
    AUTO_BUF struct buf told = BUF_INIT(256);
    AUTO_DB struct db *db = NULL;
    assert_int_equal(db_open(&(struct db_options){.path = ":memory:"}, &db, NULL), 0);
    assert_int_equal(db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)", NULL), 0);
    db_on_change(db, note_change, &told);
    assert_int_equal(db_exec(db, "INSERT INTO t(x) VALUES (1), (2)", NULL), 0);
    assert_int_equal(db_exec(db, "UPDATE t SET x = 3 WHERE id = 2", NULL), 0);
    assert_int_equal(db_exec(db, "UPDATE t SET x = 3 WHERE id = 9", NULL), 0);
    assert_int_equal(db_exec(db, "DELETE FROM t WHERE id = 1", NULL), 0);
    assert_string_equal(told.data, "t 1, t 2, t 2, t 1, ");
    db_on_change(db, NULL, NULL);
    assert_int_equal(db_exec(db, "DELETE FROM t", NULL), 0);
    assert_string_equal(told.data, "t 1, t 2, t 2, t 1, ");
}

static void backup_is_whole_and_replaces(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    struct db *db = open_good(scratch_path(&s, "a.db"));
    const char *copy = scratch_path(&s, "copy.db");
    assert_int_equal(add_thing(db, "x", NULL), 0);
    assert_int_equal(db_backup(db, copy, NULL), 0);
    assert_int_equal(add_thing(db, "y", NULL), 0);
    assert_int_equal(db_backup(db, copy, NULL), 0);
    struct err err = {0};
    assert_true(db_backup(db, "/proc/none/x.db", &err) < 0);
    db_free(db);
    db = open_good(copy);
    assert_int_equal(count_things(db), 2);
    assert_int_equal(db_quick_check(db, NULL), 0);
    db_free(db);
}

struct writer {
    struct db *db;
    _Atomic bool stop;
};

static void *write_all_the_time(void *userdata)
{
    struct writer *writer = userdata;
    for (int i = 0; !atomic_load(&writer->stop); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "thing %d", i);
        (void)add_thing(writer->db, name, NULL);
    }
    return NULL;
}

static void two_connections_read_the_same_moment(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct writer writer = {.db = open_good(path)};
    struct db *db = NULL;
    pthread_t thread;
    int twice = 0;
    assert_int_equal(db_exec(writer.db, "PRAGMA synchronous = OFF", NULL), 0);
    assert_int_equal(open_with(path, 2, true, &db, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_all_the_time, &writer), 0);
    int64_t first = -1, last = -1;
    for (int i = 0; i < ROUNDS; i++) {
        struct db *second = NULL;
        assert_int_equal(db_begin_read_twice(db, &second, NULL), 0);
        assert_true(db_in_transaction(db));
        last = count_things(db);
        first = first < 0 ? last : first;
        if (second != NULL) {
            assert_int_equal(count_things(second), last);
            twice++;
        }
        db_free(second);
        db_rollback(db);
    }
    atomic_store(&writer.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(last > first); /* there was something to miss */
    assert_true(twice > 0);
    db_free(db);
    db_free(writer.db);
}

static void a_database_in_memory_has_no_second_connection(void **state)
{
    (void)state;
    struct db *db = open_good(":memory:");
    struct db *second = NULL;
    assert_int_equal(db_begin_read_twice(db, &second, NULL), 0);
    assert_true(db_in_transaction(db));
    assert_null(second);
    db_free(db);
}

struct seen {
    int rows;
    int64_t ids;
    double ratios;
    char names[64];
};

static void see(struct db_args *args, void *userdata)
{
    struct seen *seen = userdata;
    struct str name = db_arg_text(args, 1);
    size_t len = strlen(seen->names);
    seen->rows++;
    seen->ids = 10 * seen->ids + db_arg_i64(args, 0);
    seen->ratios += db_arg_double(args, 2);
    (void)snprintf(seen->names + len, sizeof(seen->names) - len, "%.*s,", STR_ARG(name));
}

static void each_row_is_visited(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *db = open_good(path), *reader = NULL;
    struct seen seen = {0};
    assert_int_equal(db_exec(db,
                             "INSERT INTO things(id, name, ratio) VALUES (1, 'one', 0.5),"
                             " (2, 'two', 1), (3, 'three', NULL)",
                             &err),
                     0);
    assert_int_equal(db_each(db, "SELECT each(id, name, ratio) FROM things WHERE id > ?",
                             DB_VALUES(DB_I64(1)), see, &seen, &err),
                     0);
    assert_int_equal(seen.rows, 2);
    assert_int_equal(seen.ids, 23);
    assert_string_equal(seen.names, "two,three,");
    assert_true(seen.ratios == 1);
    /* A statement that fails, and a connection that was opened again. */
    assert_int_equal(db_each(db, "SELECT each(id) FROM nothing", DB_NO_VALUES, see, &seen, &err),
                     -ERR_DB_FAILED);
    assert_int_equal(open_with(path, 2, true, &reader, &err), 0);
    for (int i = 0; i < 2; i++) {
        seen = (struct seen){0};
        assert_int_equal(db_each(reader, "SELECT each(id, name, ratio) FROM things", DB_NO_VALUES,
                                 see, &seen, &err),
                         0);
        assert_int_equal(seen.ids, 123);
        assert_int_equal(db_reopen(reader, &err), 0);
    }
    db_free(reader);
    db_free(db);
}

static int64_t size_of_wal(const char *path)
{
    char wal[200];
    struct stat st;
    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    assert_int_equal(stat(wal, &st), 0);
    return st.st_size;
}

static void a_wal_that_has_grown_becomes_small_again(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *db = open_good(path);
    assert_int_equal(
        db_exec(db, "INSERT INTO things(name, raw) VALUES ('x', zeroblob(24000000))", NULL), 0);
    assert_true(size_of_wal(path) > 24000000);
    assert_int_equal(db_checkpoint(db, NULL), 0);
    assert_int_equal(add_thing(db, "y", NULL), 0);
    assert_true(size_of_wal(path) <= 20971520);
    assert_int_equal(count_things(db), 2);
    db_free(db);
}

UNIT_GROUP(db, cmocka_unit_test(values_are_read_as_they_were_written),
           cmocka_unit_test(insert_with_returning_runs_once),
           cmocka_unit_test(same_query_may_run_inside_itself),
           cmocka_unit_test(more_statements_than_fit_into_the_cache),
           cmocka_unit_test(transaction_rolls_back_unless_committed),
           cmocka_unit_test(a_violated_constraint_has_its_own_error),
           cmocka_unit_test(file_is_wal_full_and_private),
           cmocka_unit_test(an_unsynced_write_leaves_the_next_one_synced),
           cmocka_unit_test(migrations_continue_at_the_stored_version),
           cmocka_unit_test(a_failed_migration_changes_nothing),
           cmocka_unit_test(future_and_foreign_databases_are_refused),
           cmocka_unit_test(corrupt_bytes_are_recognised),
           cmocka_unit_test(read_only_refuses_writes),
           cmocka_unit_test(unwritable_file_is_refused_at_open),
           cmocka_unit_test(a_locked_database_has_its_own_error),
           cmocka_unit_test(a_locked_database_is_waited_for_once),
           cmocka_unit_test(a_full_disk_has_its_own_error),
           cmocka_unit_test(fault_hook_stops_between_any_two_writes),
           cmocka_unit_test(changes_are_told_row_by_row),
           cmocka_unit_test(backup_is_whole_and_replaces),
           cmocka_unit_test(two_connections_read_the_same_moment),
           cmocka_unit_test(a_database_in_memory_has_no_second_connection),
           cmocka_unit_test(each_row_is_visited),
           cmocka_unit_test(a_wal_that_has_grown_becomes_small_again))
