#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "store/attachment.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void the_newest_files_are_kept(void **state)
{
    (void)state;
    char folder[64];
    struct attachment first, file;
    (void)snprintf(folder, sizeof(folder), "/dev/shm/nightdesk-attachments-%d", (int)getpid());
    const struct attachment_new add = {
        .name = "trades.csv", .media_type = "text/csv", .bytes = STR_LIT("a,b\n")};
    assert_int_equal(attachment_add(folder, &add, &first, NULL), 0);
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_BUF struct buf bytes = BUF_INIT(4096);
    int64_t size = 0;
    assert_int_equal(attachment_path(folder, first.id, &path, &size, NULL), 0);
    assert_int_equal(size, 4);
    assert_int_equal(file_read(path.data, &bytes, NULL), 0);
    assert_string_equal(bytes.data, "a,b\n");
    for (int i = 0; i < ATTACHMENT_COUNT_MAX; i++) {
        assert_int_equal(attachment_add(folder, &add, &file, NULL), 0);
    }
    AUTO_FILE_NAMES struct file_names names = {0};
    assert_int_equal(file_list(folder, 1000, &names, NULL), 0);
    assert_int_equal(names.count, ATTACHMENT_COUNT_MAX);
    assert_int_equal(attachment_path(folder, first.id, &path, NULL, NULL), -ERR_ATTACHMENT_GONE);
    assert_int_equal(attachment_path(folder, file.id, &path, NULL, NULL), 0);
    for (size_t i = 0; i < names.count; i++) {
        buf_clear(&path);
        buf_addf(&path, "%s/%s", folder, names.items[i]);
        (void)unlink(path.data);
    }
    (void)rmdir(folder);
}

static void an_id_cannot_leave_the_folder(void **state)
{
    (void)state;
    static const char *const ids[] = {"",
                                      "..",
                                      "../ops.db",
                                      "/etc/passwd",
                                      ".",
                                      "a.png",
                                      "00112233445566778899aabb./",
                                      "00112233445566778899aabb"};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        AUTO_BUF struct buf path = BUF_INIT(4096);
        assert_int_equal(attachment_path("/etc", ids[i], &path, NULL, NULL), -ERR_ATTACHMENT_GONE);
        assert_int_equal(path.len, 0);
    }
}

/* Only files with our names, and only regular ones. */
static void old_files_are_deleted_and_no_others(void **state)
{
    (void)state;
    char folder[64];
    struct attachment old, fresh;
    (void)snprintf(folder, sizeof(folder), "/dev/shm/nightdesk-expire-%d", (int)getpid());
    assert_int_equal(attachment_expire(folder, INT64_MAX / 2000, NULL), 0); /* it is not there */
    const struct attachment_new add = {
        .name = "trades.csv", .media_type = "text/csv", .bytes = STR_LIT("a,b\n")};
    assert_int_equal(attachment_add(folder, &add, &old, NULL), 0);
    assert_int_equal(attachment_add(folder, &add, &fresh, NULL), 0);
    AUTO_BUF struct buf path = BUF_INIT(4096);
    char theirs[128], link[128];
    const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    (void)snprintf(theirs, sizeof(theirs), "%s/theirs.csv", folder);
    (void)snprintf(link, sizeof(link), "%s/00112233445566778899aabb.csv", folder);
    assert_int_equal(file_write(theirs, STR_LIT("x"), 0600, NULL), 0);
    assert_int_equal(symlink("theirs.csv", link), 0);
    assert_int_equal(attachment_path(folder, old.id, &path, NULL, NULL), 0);
    assert_int_equal(utimensat(AT_FDCWD, path.data, long_ago, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, theirs, long_ago, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, link, long_ago, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(attachment_expire(folder, 2000 * USEC_PER_SEC, NULL), 0);
    buf_clear(&path);
    assert_int_equal(attachment_path(folder, old.id, &path, NULL, NULL), -ERR_ATTACHMENT_GONE);
    assert_int_equal(attachment_path(folder, fresh.id, &path, NULL, NULL), 0);
    assert_int_equal(access(theirs, F_OK), 0);
    assert_int_equal(access(link, F_OK), 0);
    assert_int_equal(file_remove_tree(folder, NULL), 0);
}

UNIT_GROUP(attachment, cmocka_unit_test(old_files_are_deleted_and_no_others),
           cmocka_unit_test(the_newest_files_are_kept),
           cmocka_unit_test(an_id_cannot_leave_the_folder))
