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

/* Opens, counts, closes as any SQLite tool would, each time that it is asked. It is forked before
 * this process has opened anything, so that it shares nothing of it. */
struct unauthorised {
    pid_t pid;
    int ask, answer;
};

static void unauthorised_run(const char *path, int ask, int answer)
{
    char c;
    while (read(ask, &c, 1) == 1) {
        struct db *db = NULL;
        int64_t n = -1;
        if (db_open(&(struct db_options){.path = path}, &db, NULL) == 0) {
            (void)db_get_i64(db, "SELECT count(*) FROM things", DB_NO_VALUES, 0, &n, NULL);
            db_free(db);
        }
        (void)!write(answer, &n, sizeof(n));
    }
    _exit(0);
}

static struct unauthorised unauthorised_start(const char *path)
{
    int ask[2], answer[2];
    assert_true(pipe(ask) == 0 && pipe(answer) == 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ask[1]);
        (void)close(answer[0]);
        unauthorised_run(path, ask[0], answer[1]);
    }
    (void)close(ask[0]);
    (void)close(answer[1]);
    return (struct unauthorised){pid, ask[1], answer[0]};
}

static int64_t unauthorised_look(const struct unauthorised *s)
{
    int64_t n = -1;
    assert_int_equal(write(s->ask, "x", 1), 1);
    assert_int_equal(read(s->answer, &n, sizeof(n)), sizeof(n));
    return n;
}

static void unauthorised_end(const struct unauthorised *s)
{
    (void)close(s->ask);
    (void)close(s->answer);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

/* ---------------------------------------------------------------- locks */

/* What lost commits: a second open in this process dropped the locks of the first, and the next
 * other program to close the database deleted its WAL. */
static void a_second_open_keeps_the_locks_of_the_first(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db"), *wal = scratch_path(&s, "a.db-wal");
    const char *copy = scratch_path(&s, "copy.db");
    struct unauthorised unauthorised = unauthorised_start(path);
    struct db *db = open_as(path, false);
    add(db, "before");
    db_free(open_as(path, false));
    db_free(open_as(path, true));
    assert_int_equal(db_backup(db, copy, NULL), 0);
    struct stat before, after;
    assert_int_equal(stat(wal, &before), 0);
    assert_int_equal(unauthorised_look(&unauthorised), 1);
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(db_restore_if_moved(db, NULL), 0);
    add(db, "after");
    assert_int_equal(unauthorised_look(&unauthorised), 2);
    db_free(db);
    unauthorised_end(&unauthorised);
}

static void creating_leaves_what_is_there(void **state)
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

/* ---------------------------------------------------------------- taken away */

enum blow {
    WAL_GONE,
    SHM_GONE,
    ALL_GONE,
    MAIN_GONE,
    MAIN_REPLACED, /* by the copy of a moment ago: what a restore or rsync does */
    PAIR_REPLACED, /* and the WAL with it */
    MAIN_FOREIGN,  /* by something that is no database */
    BLOWS
};

static void strike(struct scratch *s, enum blow blow)
{
    const char *main = scratch_path(s, "a.db"), *wal = scratch_path(s, "a.db-wal");
    const char *shm = scratch_path(s, "a.db-shm"), *old = scratch_path(s, "old.db");
    switch (blow) {
    case ALL_GONE:
        assert_int_equal(unlink(main), 0);
        assert_int_equal(unlink(shm), 0);
        assert_int_equal(unlink(wal), 0);
        return;
    case WAL_GONE:
        assert_int_equal(unlink(wal), 0);
        return;
    case SHM_GONE:
        assert_int_equal(unlink(shm), 0);
        return;
    case MAIN_GONE:
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
    case BLOWS:
        return;
    }
}

static int asides(const struct scratch *s)
{
    int found = 0;
    DIR *dir = opendir(s->folder);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        found += strstr(e->d_name, ".aside-") != NULL && strstr(e->d_name, ".wal") == NULL;
    }
    (void)closedir(dir);
    return found;
}

static void what_is_open_comes_back_to_its_path(void **state)
{
    (void)state;
    for (enum blow blow = 0; blow < BLOWS; blow++) {
        AUTO_SCRATCH struct scratch s = scratch_make();
        const char *path = scratch_path(&s, "a.db");
        struct unauthorised unauthorised = unauthorised_start(path);
        struct db *db = open_as(path, false);
        add(db, "1");
        assert_int_equal(db_backup(db, scratch_path(&s, "old.db"), NULL), 0);
        struct db *reader = open_as(path, true);
        assert_int_equal(count(reader), 1);
        strike(&s, blow);
        add(db, "2"); /* to a file that may have no name */
        struct err err = {0};
        assert_int_equal(db_restore_if_moved(db, &err), 1);
        assert_int_equal(err.id, ERR_DB_MOVED);
        assert_int_equal(db_restore_if_moved(db, &err), 0);
        add(db, "3");
        assert_int_equal(count(db), 3);
        assert_int_equal(db_reopen(reader, &err), 0);
        assert_int_equal(count(reader), 3);
        assert_int_equal(unauthorised_look(&unauthorised), 3);
        add(db, "4");
        assert_int_equal(db_restore_if_moved(db, &err), 0);
        assert_int_equal(asides(&s), blow == ALL_GONE || blow == MAIN_GONE ? 0 : 1);
        unauthorised_end(&unauthorised);
        /* As after kill -9: another process opens what stands there, with this one holding on. */
        assert_int_equal(db_file_has_copy(path), false);
        db_free(reader);
        db_free(db);
        db = open_as(path, false);
        assert_int_equal(count(db), 4);
        assert_int_equal(db_quick_check(db, NULL), 0);
        db_free(db);
    }
}

static void closing_saves_what_the_last_look_did_not_see(void **state)
{
    (void)state;
    for (enum blow blow = 0; blow < BLOWS; blow++) {
        AUTO_SCRATCH struct scratch s = scratch_make();
        const char *path = scratch_path(&s, "a.db");
        struct db *db = open_as(path, false);
        add(db, "1");
        assert_int_equal(db_backup(db, scratch_path(&s, "old.db"), NULL), 0);
        strike(&s, blow);
        add(db, "2");
        db_free(db);
        db = open_as(path, false);
        assert_int_equal(count(db), 2);
        db_free(db);
    }
}

/* The process died when the copy had its name and stood not yet at the path. */
static void a_copy_that_was_made_is_put_in_place_at_the_next_open(void **state)
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
    db = open_as(path, false); /* puts the copy there */
    assert_int_equal(count(db), 2);
    add(db, "3");
    assert_int_equal(db_backup(db, scratch_path(&s, "keep.db"), NULL), 0);
    db_free(db);
    /* And when a stranger's file with a WAL of its own stands in its place. */
    assert_int_equal(unlink(path), 0);
    db = open_as(path, false);
    add(db, "stranger");
    struct buf wal = BUF_INIT(1 << 20);
    assert_int_equal(file_read(scratch_path(&s, "a.db-wal"), &wal, NULL), 0);
    db_free(db);
    assert_int_equal(file_write(scratch_path(&s, "a.db-wal"), buf_str(&wal), 0640, NULL), 0);
    buf_release(&wal);
    assert_int_equal(rename(scratch_path(&s, "keep.db"), scratch_path(&s, "a.db-rescue")), 0);
    db = open_as(path, false);
    assert_int_equal(count(db), 3);
    db_free(db);
    assert_int_equal(asides(&s), 1);
}

static void asides_do_not_grow_without_end(void **state)
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
    assert_int_equal(asides(&s), DB_FILE_ASIDES);
    db_free(db);
}

/* While the copy cannot be put in place, nothing is written to the file that it replaces. */
static void a_copy_not_in_place_seals_the_old_file(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "a.db"), *shm = scratch_path(&s, "a.db-shm");
    struct db *db = open_as(path, false);
    add(db, "1");
    assert_int_equal(unlink(shm), 0);
    assert_int_equal(mkdir(shm, 0700), 0); /* which cannot be unlinked */
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
           cmocka_unit_test(creating_leaves_what_is_there),
           cmocka_unit_test(what_is_open_comes_back_to_its_path),
           cmocka_unit_test(closing_saves_what_the_last_look_did_not_see),
           cmocka_unit_test(a_copy_that_was_made_is_put_in_place_at_the_next_open),
           cmocka_unit_test(asides_do_not_grow_without_end),
           cmocka_unit_test(a_copy_not_in_place_seals_the_old_file))
