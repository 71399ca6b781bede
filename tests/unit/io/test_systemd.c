#include "io/journal.h"
#include "io/notify.h"
#include "io/units.h"
#include "scratch.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The parts of journal, notify and units that work without systemd; tests/system has the rest. */

static int manager_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    (void)setenv("NOTIFY_SOCKET", path, 1);
    return fd;
}

static void manager_close(int fd)
{
    (void)unsetenv("NOTIFY_SOCKET");
    (void)close(fd);
}

static void assert_notified(int fd, const char *expected)
{
    char text[256] = "";
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, expected);
}

static void assert_not_notified(int fd)
{
    char text[256];
    assert_int_equal(recv(fd, text, sizeof(text), 0), -1);
}

static void notify_speaks_the_protocol(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    int fd = manager_open(scratch_path(&s, "notify"));
    notify_ready("paper\nREADY=0");
    assert_true(notify_watchdog());
    notify_status("paper READY=0"); /* already sent */
    notify_status("live");
    notify_stopping();
    assert_true(notify_flush());
    assert_notified(fd, "READY=1\nSTATUS=paper READY=0");
    assert_notified(fd, "WATCHDOG=1");
    assert_notified(fd, "STATUS=live");
    assert_notified(fd, "STOPPING=1");
    (void)unsetenv("NOTIFY_SOCKET");
    notify_status("to nobody");
    assert_not_notified(fd);
    manager_close(fd);
}

/* The order matters: a READY=1 before its RELOADING=1 would leave the unit reloading. */
static void a_reload_begins_before_it_ends(void **state)
{
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof(name), "@nightdesk-reload-%d", (int)getpid());
    int fd = manager_open(name);
    notify_reloading(1234567);
    notify_ready("again");
    assert_notified(fd, "RELOADING=1\nMONOTONIC_USEC=1234567");
    assert_notified(fd, "READY=1\nSTATUS=again");
    int sent = 0;
    while (notify_watchdog()) {
        assert_true(++sent < 100000);
    }
    notify_reloading(7);
    notify_ready("again");
    for (; sent > 0; sent--) {
        assert_notified(fd, "WATCHDOG=1");
    }
    assert_true(notify_flush());
    assert_notified(fd, "RELOADING=1\nMONOTONIC_USEC=7");
    assert_notified(fd, "READY=1");
    notify_reloading(8);
    notify_stopping();
    assert_notified(fd, "RELOADING=1\nMONOTONIC_USEC=8");
    assert_notified(fd, "STOPPING=1");
    assert_not_notified(fd);
    manager_close(fd);
}

/* The manager does not read: no call may block, and the state is not lost. */
static void notify_never_blocks(void **state)
{
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof(name), "@nightdesk-notify-%d", (int)getpid());
    int fd = manager_open(name);
    int sent = 0;
    while (notify_watchdog()) {
        assert_true(++sent < 100000);
    }
    assert_true(sent > 0);
    notify_ready("one");
    notify_status("two");
    notify_status("three");
    assert_false(notify_flush());
    for (; sent > 0; sent--) {
        assert_notified(fd, "WATCHDOG=1");
    }
    assert_not_notified(fd);
    assert_true(notify_flush());
    assert_notified(fd, "READY=1\nSTATUS=three");
    assert_true(notify_flush());
    assert_not_notified(fd);
    manager_close(fd);
}

static void watchdog_period_is_for_this_process_only(void **state)
{
    (void)state;
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(notify_watchdog_us(), 0);
    (void)setenv("WATCHDOG_USEC", "30000000", 1);
    (void)setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog_us(), 30000000);
    (void)setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_watchdog_us(), 0);
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}

static void journal_stream_must_be_our_stderr(void **state)
{
    (void)state;
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)unsetenv("JOURNAL_STREAM");
    assert_false(journal_is_stderr());
    (void)snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
                   (unsigned long)st.st_ino);
    (void)setenv("JOURNAL_STREAM", stream, 1);
    assert_true(journal_is_stderr());
    (void)snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
                   (unsigned long)st.st_ino + 1);
    (void)setenv("JOURNAL_STREAM", stream, 1);
    assert_false(journal_is_stderr());
    (void)setenv("JOURNAL_STREAM", "nonsense", 1);
    assert_false(journal_is_stderr());
    (void)unsetenv("JOURNAL_STREAM");
}

static void a_line_goes_to_stderr_without_journald(void **state)
{
    (void)state;
    if (access("/run/systemd/journal/socket", F_OK) == 0) {
        print_message("skipped: journald runs here\n");
        skip();
    }
    int ends[2];
    int before = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    const struct log_field field = {"ORDER_ID", "o-1"};
    journal_log_sink(&(struct log_line){.level = LOG_LEVEL_WARNING,
                                        .file = "x.c",
                                        .line = 3,
                                        .message = "order rejected",
                                        .fields = &field,
                                        .field_count = 1},
                     NULL);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    char text[512] = "";
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "order rejected"));
    assert_non_null(strstr(text, "o-1"));
    (void)close(before);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void tail_is_limited_or_reports_a_missing_journal(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(2000);
    struct err err = {0};
    int rc = journal_read(&(struct journal_query){.lines = 3}, &text, &err);
    if (rc == 0) {
        size_t lines = 0;
        for (size_t i = 0; i < text.len; i++) {
            lines += text.data[i] == '\n' ? 1 : 0;
        }
        assert_in_range(lines, 0, 3);
    } else {
        assert_int_equal(rc, -ERR_JOURNAL_UNAVAILABLE);
        assert_int_equal(text.len, 0);
    }
}

static void unit_names_are_checked(void **state)
{
    (void)state;
    const char *const good[] = {"a.service", "prediction-2.service", "x@y.service",
                                "dev-sda\\x2d1.mount", "multi-user.target"};
    const char *const bad[] = {
        "",           ".service",    "prediction", "a b.service", "a/b.service", "a;b.service",
        "a.services", "../x.service"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(units_name_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(units_name_valid(bad[i]));
    }
    char longest[300];
    memset(longest, 'a', sizeof(longest));
    (void)str_copy(str_c(".service"), longest + 248, 9);
    assert_false(units_name_valid(longest));
    assert_true(units_name_valid(longest + 1));
}

static void units_report_that_systemd_is_missing(void **state)
{
    (void)state;
    if (units_available()) {
        print_message("skipped: systemd runs here\n");
        skip();
    }
    struct loop *loop = loop_new(NULL);
    struct err err = {0};
    assert_null(units_new(loop, &err));
    assert_int_equal(err.id, ERR_UNITS_UNAVAILABLE);
    loop_free(loop);
}

UNIT_GROUP(systemd, cmocka_unit_test(notify_speaks_the_protocol),
           cmocka_unit_test(notify_never_blocks), cmocka_unit_test(a_reload_begins_before_it_ends),
           cmocka_unit_test(watchdog_period_is_for_this_process_only),
           cmocka_unit_test(journal_stream_must_be_our_stderr),
           cmocka_unit_test(a_line_goes_to_stderr_without_journald),
           cmocka_unit_test(tail_is_limited_or_reports_a_missing_journal),
           cmocka_unit_test(unit_names_are_checked),
           cmocka_unit_test(units_report_that_systemd_is_missing))
