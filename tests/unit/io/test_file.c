#include "io/file.h"
#include "scratch.h"
#include "unit/unit.h"

#include <sys/wait.h>

static void write_replaces_whole_and_sets_the_mode(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "f");
    assert_int_equal(file_write(path, str_c("first"), 0600, NULL), 0);
    assert_int_equal(file_write(path, str_c("second, longer"), 0640, NULL), 0);
    AUTO_BUF struct buf b = BUF_INIT(100);
    assert_int_equal(file_read(path, &b, NULL), 0);
    assert_string_equal(b.data, "second, longer");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    /* No temporary file is left: rmdir works after the file is deleted. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(s.folder), 0);
}

static void failed_write_keeps_the_old_file(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(file_write("/proc/nightdesk-none/x", str_c("x"), 0600, &err),
                     -ERR_FILE_MISSING);
    /* A folder cannot be replaced by a file. */
    AUTO_SCRATCH struct scratch s = scratch_make();
    assert_true(file_write(s.folder, str_c("x"), 0600, &err) < 0);
    struct stat st;
    assert_int_equal(stat(s.folder, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
}

/* A link stands for the device here, so that a failure of this test breaks no device. */
static void a_device_is_written_not_replaced(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    struct err err = {0};
    struct stat st;
    const char *full = scratch_path(&s, "full");
    assert_int_equal(symlink("/dev/full", full), 0);
    assert_true(file_write(full, str_c("x"), 0600, &err) < 0);
    assert_int_equal(lstat(full, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(full), 0);
    assert_int_equal(symlink("/dev/null", full), 0);
    assert_int_equal(file_write(full, str_c("x"), 0600, &err), 0);
    assert_int_equal(lstat(full, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void missing_file_is_named(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_BUF struct buf b = BUF_INIT(10);
    assert_int_equal(file_read("/var/tmp/nightdesk-none", &b, &err), -ERR_FILE_MISSING);
    assert_non_null(strstr(err.context, "/var/tmp/nightdesk-none"));
}

static void a_read_is_limited(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_BUF struct buf b = BUF_INIT(1000);
    assert_int_equal(file_read("/dev/zero", &b, &err), -ERR_FILE_TOO_LARGE);
    assert_true(b.len <= 1000);
}

static void folders_are_created_with_their_parents(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *deep = scratch_path(&s, "a/b/c");
    assert_int_equal(file_make_folder(deep, 0750, NULL), 0);
    assert_int_equal(file_make_folder(deep, 0750, NULL), 0);
    assert_true(file_exists(deep));
    struct err err = {0};
    assert_int_equal(file_make_folder("/dev/null/x", 0750, &err), -ERR_FILE_MISSING);
    assert_int_equal(file_make_folder("/dev/null", 0750, &err), -ERR_FILE_MISSING);
    assert_int_equal(file_check_folder("/proc/state", &err), -ERR_FILE_MISSING);
    assert_int_equal(file_check_folder(scratch_path(&s, "a/b/c/d/e"), &err), 0);
    (void)rmdir(deep);
    (void)rmdir(scratch_path(&s, "a/b"));
    (void)rmdir(scratch_path(&s, "a"));
}

static void lock_names_its_holder_and_ends_with_it(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "lock");
    int fd = -1;
    assert_int_equal(file_lock(path, &fd, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        int other = -1;
        char holder[32];
        (void)snprintf(holder, sizeof(holder), "pid %d", (int)getppid());
        bool good = file_lock(path, &other, &err) == -ERR_FILE_LOCKED &&
                    strstr(err.context, holder) != NULL && other == -1;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(fd);
    assert_int_equal(file_lock(path, &fd, NULL), 0);
    (void)close(fd);
}

UNIT_GROUP(file, cmocka_unit_test(write_replaces_whole_and_sets_the_mode),
           cmocka_unit_test(failed_write_keeps_the_old_file),
           cmocka_unit_test(a_device_is_written_not_replaced),
           cmocka_unit_test(missing_file_is_named), cmocka_unit_test(a_read_is_limited),
           cmocka_unit_test(folders_are_created_with_their_parents),
           cmocka_unit_test(lock_names_its_holder_and_ends_with_it))
