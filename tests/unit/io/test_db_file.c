#include "../../../src/io/db_file.h"
#include "io/db.h"
#include "io/file.h"
#include "scratch.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <sys/wait.h>

static const struct db_migration migrations[] = {
    {"1 things", "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"},
};

enum { APPLICATION = 0x6e646573 };

static struct db *open_as(const char *path, bool read_only)
{
    struct db *db = NULL;
    struct err err = {0};
    int rc = db_open(&(struct db_options){.path = path,
                                          .read_only = read_only,
                                          .application_id = APPLICATION,
                                          .migrations = migrations,
                                          .migration_count = 1},
                     &db, &err);
    if (rc < 0) {
        fail_msg("%s", err.context);
    }
    return db;
}

static void add(struct db *db, const char *name)
{
    assert_int_equal(
        db_run(db, "INSERT INTO things(name) VALUES (?)", DB_VALUES(DB_TEXT_C(name)), NULL), 0);
}

static int64_t count(struct db *db)
{
    int64_t n = -1;
    assert_int_equal(db_get_i64(db, "SELECT count(*) FROM things", DB_NO_VALUES, 0, &n, NULL), 0);
    return n;
}

/* ---------------------------------------------------------------- another process */

/* On each request it opens the database, counts and closes, as any SQLite tool would. It is forked
 * before this process opens the database, so that they share no descriptors. */
struct other {
    pid_t pid;
    int request, reply;
};

static void other_run(const char *path, int request, int reply)
{
    char c;
    while (read(request, &c, 1) == 1) {
        struct db *db = NULL;
        int64_t n = -1;
        if (db_open(&(struct db_options){.path = path}, &db, NULL) == 0) {
            (void)db_get_i64(db, "SELECT count(*) FROM things", DB_NO_VALUES, 0, &n, NULL);
            db_free(db);
        }
        (void)!write(reply, &n, sizeof(n));
    }
    _exit(0);
}

static struct other other_start(const char *path)
{
    int request[2], reply[2];
    assert_true(pipe(request) == 0 && pipe(reply) == 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(request[1]);
        (void)close(reply[0]);
        other_run(path, request[0], reply[1]);
    }
    (void)close(request[0]);
    (void)close(reply[1]);
    return (struct other){pid, request[1], reply[0]};
}

static int64_t other_count(const struct other *s)
{
    int64_t n = -1;
    assert_int_equal(write(s->request, "x", 1), 1);
    assert_int_equal(read(s->reply, &n, sizeof(n)), sizeof(n));
    return n;
}

static void other_end(const struct other *s)
{
    (void)close(s->request);
    (void)close(s->reply);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

/* ---------------------------------------------------------------- locks */

/* Regression test for lost commits: a second open in this process dropped the locks of the first,
 * and the next other program that closed the database deleted its WAL. */
static void a_second_open_keeps_the_locks_of_the_first(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db"), *wal = scratch_path(&s, "a.db-wal");
    const char *copy = scratch_path(&s, "copy.db");
    struct other other = other_start(path);
    struct db *db = open_as(path, false);
    add(db, "before");
    db_free(open_as(path, false));
    db_free(open_as(path, true));
    assert_int_equal(db_backup(db, copy, NULL), 0);
    struct stat before, after;
    assert_int_equal(stat(wal, &before), 0);
    assert_int_equal(other_count(&other), 1);
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(db_restore_if_moved(db, NULL), 0);
    add(db, "after");
    assert_int_equal(other_count(&other), 2);
    db_free(db);
    other_end(&other);
}

static void creating_leaves_an_existing_file_unchanged(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    mode_t mask = umask(0);
    assert_int_equal(db_file_create(path, NULL), 0);
    (void)umask(mask);
    struct stat first, second;
    assert_int_equal(stat(path, &first), 0);
    assert_int_equal(first.st_mode & 07777, 0640);
    assert_int_equal(db_file_create(path, NULL), 0);
    assert_int_equal(stat(path, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    struct err err = {0};
    assert_int_equal(db_file_create("/proc/none/a.db", &err), -ERR_DB_OPEN);
    int files = 0;
    DIR *dir = opendir(s.folder);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        files += e->d_name[0] != '.';
    }
    (void)closedir(dir);
    assert_int_equal(files, 1);
}

/* ---------------------------------------------------------------- deleted or replaced */

enum damage {
    WAL_DELETED,
    SHM_DELETED,
    ALL_DELETED,
    MAIN_DELETED,
    MAIN_REPLACED, /* by an older copy, as a restore or rsync does */
    PAIR_REPLACED, /* and the WAL with it */
    MAIN_FOREIGN,  /* by a file that is not a database */
    DAMAGES
};

static void inflict(struct scratch *s, enum damage damage)
{
    const char *main = scratch_path(s, "a.db"), *wal = scratch_path(s, "a.db-wal");
    const char *shm = scratch_path(s, "a.db-shm"), *old = scratch_path(s, "old.db");
    switch (damage) {
    case ALL_DELETED:
        assert_int_equal(unlink(main), 0);
        assert_int_equal(unlink(shm), 0);
        assert_int_equal(unlink(wal), 0);
        return;
    case WAL_DELETED:
        assert_int_equal(unlink(wal), 0);
        return;
    case SHM_DELETED:
        assert_int_equal(unlink(shm), 0);
        return;
    case MAIN_DELETED:
        assert_int_equal(unlink(main), 0);
        return;
    case MAIN_REPLACED:
        assert_int_equal(rename(old, main), 0);
        return;
    case PAIR_REPLACED:
        assert_int_equal(rename(old, main), 0);
        assert_int_equal(unlink(wal), 0);
        assert_int_equal(unlink(shm), 0);
        db_free(open_as(main, false));
        return;
    case MAIN_FOREIGN:
        assert_int_equal(file_write(main, str_c("not a database"), 0640, NULL), 0);
        return;
    case DAMAGES:
        return;
    }
}

static int count_asides(const struct scratch *s)
{
    int found = 0;
    DIR *dir = opendir(s->folder);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        found += strstr(e->d_name, ".aside-") != NULL && strstr(e->d_name, ".wal") == NULL;
    }
    (void)closedir(dir);
    return found;
}

static void a_moved_database_is_restored_to_its_path(void **state)
{
    (void)state;
    for (enum damage damage = 0; damage < DAMAGES; damage++) {
        AUTO_SCRATCH struct scratch s = scratch_make();
        const char *path = scratch_path(&s, "a.db");
        struct other other = other_start(path);
        struct db *db = open_as(path, false);
        add(db, "1");
        assert_int_equal(db_backup(db, scratch_path(&s, "old.db"), NULL), 0);
        struct db *reader = open_as(path, true);
        assert_int_equal(count(reader), 1);
        inflict(&s, damage);
        add(db, "2"); /* the file may be unlinked */
        struct err err = {0};
        assert_int_equal(db_restore_if_moved(db, &err), 1);
        assert_int_equal(err.id, ERR_DB_MOVED);
        assert_int_equal(db_restore_if_moved(db, &err), 0);
        add(db, "3");
        assert_int_equal(count(db), 3);
        assert_int_equal(db_reopen(reader, &err), 0);
        assert_int_equal(count(reader), 3);
        assert_int_equal(other_count(&other), 3);
        add(db, "4");
        assert_int_equal(db_restore_if_moved(db, &err), 0);
        assert_int_equal(count_asides(&s), damage == ALL_DELETED || damage == MAIN_DELETED ? 0 : 1);
        other_end(&other);
        /* Another open must find every row, as after a kill -9. */
        assert_int_equal(db_file_has_copy(path), false);
        db_free(reader);
        db_free(db);
        db = open_as(path, false);
        assert_int_equal(count(db), 4);
        assert_int_equal(db_quick_check(db, NULL), 0);
        db_free(db);
    }
}

static void closing_restores_a_database_moved_since_the_last_check(void **state)
{
    (void)state;
    for (enum damage damage = 0; damage < DAMAGES; damage++) {
        AUTO_SCRATCH struct scratch s = scratch_make();
        const char *path = scratch_path(&s, "a.db");
        struct db *db = open_as(path, false);
        add(db, "1");
        assert_int_equal(db_backup(db, scratch_path(&s, "old.db"), NULL), 0);
        inflict(&s, damage);
        add(db, "2");
        db_free(db);
        db = open_as(path, false);
        assert_int_equal(count(db), 2);
        db_free(db);
    }
}

/* The process died after the copy got its name and before it was moved to the path. */
static void a_finished_copy_is_moved_to_the_path_at_the_next_open(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *db = open_as(path, false);
    add(db, "1");
    add(db, "2");
    assert_int_equal(db_backup(db, scratch_path(&s, "a.db-rescue"), NULL), 0);
    db_free(db);
    assert_int_equal(unlink(path), 0);
    db = open_as(path, false); /* moves the copy to path */
    assert_int_equal(count(db), 2);
    add(db, "3");
    assert_int_equal(db_backup(db, scratch_path(&s, "keep.db"), NULL), 0);
    db_free(db);
    /* The same with a foreign file and its WAL at path. */
    assert_int_equal(unlink(path), 0);
    db = open_as(path, false);
    add(db, "foreign");
    struct buf wal = BUF_INIT(1 << 20);
    assert_int_equal(file_read(scratch_path(&s, "a.db-wal"), &wal, NULL), 0);
    db_free(db);
    assert_int_equal(file_write(scratch_path(&s, "a.db-wal"), buf_str(&wal), 0640, NULL), 0);
    buf_release(&wal);
    assert_int_equal(rename(scratch_path(&s, "keep.db"), scratch_path(&s, "a.db-rescue")), 0);
    db = open_as(path, false);
    assert_int_equal(count(db), 3);
    db_free(db);
    assert_int_equal(count_asides(&s), 1);
}

static void the_number_of_aside_files_is_limited(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db");
    struct db *db = open_as(path, false);
    for (int i = 0; i < DB_FILE_ASIDES + 4; i++) {
        assert_int_equal(unlink(scratch_path(&s, "a.db-wal")), 0);
        add(db, "x");
        assert_int_equal(db_restore_if_moved(db, NULL), 1);
    }
    assert_int_equal(count(db), DB_FILE_ASIDES + 4);
    assert_int_equal(count_asides(&s), DB_FILE_ASIDES);
    db_free(db);
}

/* Until the copy is at its path, nothing may be written to the file that it replaces. */
static void the_old_file_is_not_written_while_a_copy_waits(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db"), *shm = scratch_path(&s, "a.db-shm");
    struct db *db = open_as(path, false);
    add(db, "1");
    assert_int_equal(unlink(shm), 0);
    assert_int_equal(mkdir(shm, 0700), 0); /* a folder cannot be unlinked */
    struct err err = {0};
    assert_true(db_restore_if_moved(db, &err) < 0);
    assert_int_equal(count(db), 1);
    assert_int_equal(db_run(db, "INSERT INTO things(name) VALUES ('no')", DB_NO_VALUES, &err),
                     -ERR_DB_MOVED);
    assert_true(db_restore_if_moved(db, &err) < 0);
    assert_int_equal(rmdir(shm), 0);
    assert_int_equal(db_restore_if_moved(db, &err), 1);
    add(db, "2");
    assert_int_equal(count(db), 2);
    db_free(db);
    db = open_as(path, false);
    assert_int_equal(count(db), 2);
    db_free(db);
}

UNIT_GROUP(db_file, cmocka_unit_test(a_second_open_keeps_the_locks_of_the_first),
           cmocka_unit_test(creating_leaves_an_existing_file_unchanged),
           cmocka_unit_test(a_moved_database_is_restored_to_its_path),
           cmocka_unit_test(closing_restores_a_database_moved_since_the_last_check),
           cmocka_unit_test(a_finished_copy_is_moved_to_the_path_at_the_next_open),
           cmocka_unit_test(the_number_of_aside_files_is_limited),
           cmocka_unit_test(the_old_file_is_not_written_while_a_copy_waits))
