/* Backups of both databases, and putting one back: also when a crash stops it half-way. */
#include "base/check.h"
#include "io/file.h"
#include "io/secret.h"
#include "store/backup.h"
#include "store/ops.h"
#include "store/trading.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "2026-11-29T21-08-05Z"

static int setup(void **state)
{
    static char dir[64];
    (void)snprintf(dir, sizeof(dir), "/var/tmp/nightdesk-backup-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(secret_init(NULL), 0);
    *state = dir;
    return 0;
}

static int teardown(void **state)
{
    return file_remove_tree(*state, NULL);
}

/* Writes a value into both databases, and closes them. */
static void put(const char *dir, int64_t value)
{
    struct ops_store *ops = NULL;
    struct trading_store *trading = NULL;
    assert_int_equal(ops_store_open(dir, OPS_STORE_WRITE, &ops, NULL), 0);
    assert_int_equal(trading_store_open(dir, TRADING_STORE_WRITE, &trading, NULL), 0);
    assert_int_equal(ops_store_write_i64(ops, "mark", value, NULL), 0);
    assert_int_equal(trading_store_begin(trading, NULL), 0);
    trading_store_set_recorded(trading, value, value);
    assert_int_equal(trading_store_commit(trading, NULL), 0);
    ops_store_free(ops);
    trading_store_free(trading);
}

static void expect(const char *dir, int64_t value)
{
    struct ops_store *ops = NULL;
    struct trading_store *trading = NULL;
    int64_t mark = 0, run = 0, size = 0;
    assert_int_equal(ops_store_open(dir, OPS_STORE_WRITE, &ops, NULL), 0);
    assert_int_equal(trading_store_open(dir, TRADING_STORE_WRITE, &trading, NULL), 0);
    assert_int_equal(ops_store_get_i64(ops, "mark", -1, &mark, NULL), 0);
    assert_int_equal(trading_store_get_recorded(trading, &run, &size, NULL), 0);
    assert_int_equal(mark, value);
    assert_int_equal(run, value);
    ops_store_free(ops);
    trading_store_free(trading);
}

static void what_was_copied_comes_back(void **state)
{
    const char *dir = *state;
    struct backup_sizes sizes = {0};
    bool applied = true;
    char name[BACKUP_NAME_SIZE], names[BACKUP_KEEP_MAX][BACKUP_NAME_SIZE];
    backup_name(INT64_C(1795986485000000), name);
    assert_string_equal(name, "2026-11-29T21-08-05Z");
    assert_int_equal(backup_list(dir, names, NULL), 0);
    put(dir, 1);
    assert_int_equal(backup_make(dir, NAME, &sizes, NULL), 0);
    assert_true(sizes.ops_bytes > 0 && sizes.trading_bytes > 0);
    put(dir, 2);
    assert_int_equal(backup_apply(dir, &applied, NULL), 0);
    assert_false(applied);
    expect(dir, 2);
    assert_int_equal(backup_stage(dir, NAME, NULL), 0);
    assert_true(backup_is_staged(dir));
    expect(dir, 2); /* until the next start */
    assert_int_equal(backup_apply(dir, &applied, NULL), 0);
    assert_true(applied);
    assert_false(backup_is_staged(dir));
    expect(dir, 1);
    char replaced[128];
    (void)snprintf(replaced, sizeof(replaced), "%s/replaced", dir);
    expect(replaced, 2);
}

static void a_prepared_restore_can_be_taken_back(void **state)
{
    const char *dir = *state;
    struct backup_sizes sizes;
    put(dir, 1);
    assert_int_equal(backup_make(dir, NAME, &sizes, NULL), 0);
    put(dir, 2);
    assert_int_equal(backup_stage(dir, NAME, NULL), 0);
    assert_int_equal(backup_stage(dir, BACKUP_NONE, NULL), 0);
    assert_false(backup_is_staged(dir));
    expect(dir, 2);
}

/* A copy that was damaged is found before anything is replaced. */
static void a_damaged_copy_replaces_nothing(void **state)
{
    const char *dir = *state;
    struct backup_sizes sizes;
    struct err err = {0};
    bool applied = false;
    char path[128];
    put(dir, 1);
    assert_int_equal(backup_make(dir, NAME, &sizes, NULL), 0);
    put(dir, 2);
    assert_int_equal(backup_stage(dir, NAME, NULL), 0);
    (void)snprintf(path, sizeof(path), "%s/restore/trading.db", dir);
    assert_int_equal(truncate(path, 6000), 0);
    assert_true(backup_apply(dir, &applied, &err) < 0);
    (void)snprintf(path, sizeof(path), "%s/backups/" NAME "/ops.db", dir);
    assert_int_equal(truncate(path, 6000), 0);
    assert_true(backup_stage(dir, NAME, &err) < 0);
    assert_int_equal(backup_stage(dir, "2020-01-01T00-00-00Z", &err), -ERR_BACKUP_UNKNOWN);
    assert_int_equal(backup_stage(dir, "../x", &err), -ERR_BACKUP_UNKNOWN);
    expect(dir, 2);
}

/* A crash after any of the renames: the next start finishes, with the log of no other database. */
static void a_restore_that_a_crash_has_stopped_goes_on(void **state)
{
    const char *dir = *state;
    struct backup_sizes sizes;
    static const char *const moved[] = {"ops.db-wal", "ops.db-shm", "ops.db"};
    put(dir, 1);
    assert_int_equal(backup_make(dir, NAME, &sizes, NULL), 0);
    for (size_t done = 0; done <= COUNT_OF(moved); done++) {
        char from[128], to[128];
        bool applied = false;
        put(dir, 2);
        (void)snprintf(from, sizeof(from), "%s/ops.db-wal", dir);
        assert_int_equal(file_write(from, STR_LIT("the log of the old one"), 0640, NULL), 0);
        assert_int_equal(backup_stage(dir, NAME, NULL), 0);
        (void)snprintf(to, sizeof(to), "%s/replaced", dir);
        assert_int_equal(file_remove_tree(to, NULL), 0);
        assert_int_equal(file_make_folder(to, 0750, NULL), 0);
        (void)snprintf(to, sizeof(to), "%s/restore/begun", dir);
        assert_int_equal(file_write(to, STR_LIT("\n"), 0640, NULL), 0);
        for (size_t i = 0; i < done; i++) {
            (void)snprintf(from, sizeof(from), "%s/%s", dir, moved[i]);
            (void)snprintf(to, sizeof(to), "%s/replaced/%s", dir, moved[i]);
            (void)rename(from, to);
        }
        assert_int_equal(backup_apply(dir, &applied, NULL), 0);
        assert_true(applied);
        (void)snprintf(from, sizeof(from), "%s/ops.db-wal", dir);
        assert_false(file_exists(from));
        (void)snprintf(to, sizeof(to), "%s/replaced/ops.db-wal", dir);
        assert_true(file_exists(to));
        expect(dir, 1);
    }
}

static void only_the_newest_are_kept(void **state)
{
    const char *dir = *state;
    struct backup_sizes sizes;
    char names[BACKUP_KEEP_MAX][BACKUP_NAME_SIZE], name[BACKUP_NAME_SIZE];
    put(dir, 1);
    for (int i = 0; i < 4; i++) {
        backup_name(INT64_C(1795986485000000) + i * INT64_C(1000000), name);
        assert_int_equal(backup_make(dir, name, &sizes, NULL), 0);
    }
    assert_int_equal(backup_prune(dir, 2, NULL), 0);
    assert_int_equal(backup_list(dir, names, NULL), 2);
    assert_string_equal(names[0], "2026-11-29T21-08-08Z");
    assert_string_equal(names[1], "2026-11-29T21-08-07Z");
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(backups, WITH_FOLDER(what_was_copied_comes_back),
           WITH_FOLDER(a_prepared_restore_can_be_taken_back),
           WITH_FOLDER(a_damaged_copy_replaces_nothing),
           WITH_FOLDER(a_restore_that_a_crash_has_stopped_goes_on),
           WITH_FOLDER(only_the_newest_are_kept))
