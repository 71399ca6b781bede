#include "base/log.h"
#include "io/file.h"
#include "io/log_file.h"
#include "scratch.h"
#include "unit/unit.h"

#include <pthread.h>

static int64_t size_of(struct scratch *s, const char *name)
{
    struct stat st;
    return stat(scratch_path(s, name), &st) == 0 ? st.st_size : -1;
}

static bool contains(struct scratch *s, const char *name, const char *text)
{
    AUTO_BUF struct buf all = BUF_INIT(1 << 20);
    return file_read(scratch_path(s, name), &all, NULL) == 0 && strstr(all.data, text) != NULL;
}

static struct log_file *begin(struct scratch *s, int64_t max_bytes, int keep)
{
    struct log_file *file = NULL;
    assert_int_equal(log_file_open(scratch_path(s, "x.log"),
                                   &(struct log_file_limits){max_bytes, keep}, &file, NULL),
                     0);
    log_set_sink(log_sink_fd, log_file_userdata(file));
    return file;
}

static void end(struct log_file *file)
{
    log_set_sink(NULL, NULL);
    log_file_free(file);
}

static void a_large_log_is_rotated_while_it_is_written(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    struct log_file *file = begin(&s, 1000, 3);
    for (int i = 0; i < 200; i++) {
        LOG(ERROR, "line %d of a log that grows", i);
        log_file_check(file);
    }
    assert_true(size_of(&s, "x.log") <= 1000);
    assert_true(size_of(&s, "x.log.1") > 1000 && size_of(&s, "x.log.1") < 1200);
    assert_true(size_of(&s, "x.log.3") > 1000);
    assert_int_equal(size_of(&s, "x.log.4"), -1);
    end(file);
    assert_true(contains(&s, "x.log", "line 199 ") || contains(&s, "x.log.1", "line 199 "));
    /* A file that is too large at the start is rotated. */
    file = begin(&s, 10, 3);
    assert_int_equal(size_of(&s, "x.log"), 0);
    end(file);
}

static void a_moved_or_deleted_log_is_created_again(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    struct log_file *file = begin(&s, 0, 0);
    LOG(ERROR, "before");
    assert_int_equal(rename(scratch_path(&s, "x.log"), scratch_path(&s, "x.log-2026")), 0);
    LOG(ERROR, "meanwhile");
    log_file_check(file);
    LOG(ERROR, "after");
    assert_true(contains(&s, "x.log-2026", "meanwhile") && !contains(&s, "x.log-2026", "after"));
    assert_true(contains(&s, "x.log", "after"));
    assert_int_equal(unlink(scratch_path(&s, "x.log")), 0);
    log_file_check(file);
    LOG(ERROR, "again");
    assert_true(contains(&s, "x.log", "again") && !contains(&s, "x.log", "after"));
    assert_int_equal(size_of(&s, "x.log.1"), -1);
    end(file);
}

static void *write_lines(void *userdata)
{
    (void)userdata;
    for (int i = 0; i < 2000; i++) {
        LOG(ERROR, "0123456789");
    }
    return NULL;
}

/* Another thread writes without a lock: no line is split or lost. */
static void rotation_loses_no_line_of_another_thread(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    struct log_file *file = begin(&s, 4000, 200);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_lines, NULL), 0);
    for (int i = 0; i < 100; i++) {
        log_file_check(file);
        (void)usleep(100);
    }
    (void)pthread_join(thread, NULL);
    end(file);
    int lines = 0;
    for (int i = 0; i <= 200; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), i == 0 ? "x.log" : "x.log.%d", i);
        AUTO_BUF struct buf all = BUF_INIT(1 << 20);
        if (file_read(scratch_path(&s, name), &all, NULL) < 0) {
            break;
        }
        struct str rest = buf_str(&all), line;
        while (str_split(&rest, '\n', &line)) {
            assert_int_equal(strncmp(line.ptr + line.len - 10, "0123456789", 10), 0);
            lines++;
        }
    }
    assert_int_equal(lines, 2000);
}

UNIT_GROUP(log_file, cmocka_unit_test(a_large_log_is_rotated_while_it_is_written),
           cmocka_unit_test(a_moved_or_deleted_log_is_created_again),
           cmocka_unit_test(rotation_loses_no_line_of_another_thread))
