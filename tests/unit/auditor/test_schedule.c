/* When audits run, and what happens if one hangs. */
#include "auditor_rig.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"
#include "store/audit_table.h"
#include "store/ops.h"
#include "store/trading.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FINDINGS_OF_THREE                                                                          \
    "{\"findings\":["                                                                              \
    "{\"type\":\"pattern\",\"severity\":\"low\",\"title\":\"the market runs fast\","               \
    "\"description\":\"d\",\"recommendation\":\"r\",\"evidence\":[{\"pointer\":"                   \
    "\"/system/engine/market_speed\",\"value\":60}]},"                                             \
    "{\"type\":\"pattern\",\"severity\":\"high\",\"title\":\"far below the peak\",\"description\"" \
    ":\"d\",\"recommendation\":\"r\",\"evidence\":[{\"pointer\":\"/account/drawdown_pct\","        \
    "\"value\":6.25}]},"                                                                           \
    "{\"type\":\"pattern\",\"severity\":\"critical\",\"title\":\"invented\",\"description\":\"d\"" \
    ",\"recommendation\":\"r\",\"evidence\":[{\"pointer\":\"/account/drawdown_pct\",\"value\":"    \
    "99.5}]}]}"

/* Times of the first `count` audits, in microseconds from the start. */
/* Looks every few seconds: each look costs a step of the loop. */
#define LOOK_US (5 * USEC_PER_SEC)

static void times_of(struct auditor_rig *rig, uint64_t seed, int64_t *ret, int count)
{
    rig->jitter_seed = seed;
    auditor_rig_make(rig, true);
    int64_t before = auditor_rig_audits(rig), begun_us = rig->clock.now_mono_us;
    auditor_start(rig->auditor);
    for (int i = 0; i < count; i++) {
        for (int64_t us = 0; us < 2 * USEC_PER_HOUR && auditor_rig_audits(rig) == before + i;
             us += LOOK_US) {
            loop_advance(rig->loop, LOOK_US);
        }
        ret[i] = rig->clock.now_mono_us - begun_us;
    }
    assert_int_equal(auditor_rig_audits(rig), before + count);
}

static void installations_do_not_ask_at_the_same_second(void **state)
{
    enum { COUNT = 4 };
    struct auditor_rig *rig = *state;
    int64_t exact[COUNT], one[COUNT], again[COUNT], other[COUNT];
    const int64_t hour_us = USEC_PER_HOUR, most_us = hour_us / 20 + LOOK_US;
    const int64_t near_us = COUNT * LOOK_US;
    times_of(rig, 0, exact, COUNT);
    times_of(rig, 7, one, COUNT);
    times_of(rig, 7, again, COUNT);
    times_of(rig, 8, other, COUNT);
    int differ = 0, early = 0;
    for (int i = 1; i < COUNT; i++) {
        assert_int_equal(exact[i] - exact[i - 1], hour_us);
        assert_true(llabs(one[i] - again[i]) <= near_us); /* the seed decides */
        int64_t off_us = one[i] - one[i - 1] - hour_us;
        assert_true(off_us >= -most_us && off_us <= most_us);
        differ += llabs(one[i] - other[i]) > near_us ? 1 : 0;
        early += off_us < 0 ? 1 : 0;
    }
    assert_int_equal(differ, COUNT - 1);
    assert_true(early < COUNT - 1 || other[1] - other[0] > hour_us); /* both ways */
}

/* A folder whose ops.db is a pipe without a writer: to open it hangs, as on a dead disk. */
static void hang(struct auditor_rig *rig, char folder[64], char path[80])
{
    (void)snprintf(folder, 64, "/tmp/test_schedule.XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, 80, "%s/ops.db", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    rig->state_dir = folder;
    (void)alarm(120); /* a second reading that begins would hang the test as well */
    rig->helpers =
        pool_new(rig->loop,
                 &(struct pool_options){.name = "helper", .threads_max = 2, .queue_max = 4}, NULL);
    assert_non_null(rig->helpers);
    auditor_rig_make(rig, true);
}

/* The writer that the pipe lacks: the helper reads on, and fails. */
static void wake_reader(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    (void)close(fd);
}

static int ask(struct auditor_rig *rig)
{
    enum auditor_exit code;
    struct err err = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    return auditor_run_sync(rig->auditor, &(struct auditor_request){0}, reply, &code, &err);
}

static void note(void *data)
{
    *(int *)data += 1;
}

static void note_done(void *data, void *userdata)
{
    (void)data;
    *(bool *)userdata = true;
}

static void keep(void *data)
{
    (void)data;
}

static void make_databases(const char *folder)
{
    AUTO_OPS_STORE struct ops_store *ops = NULL;
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    assert_int_equal(ops_store_open(folder, OPS_STORE_WRITE, &ops, NULL), 0);
    assert_int_equal(trading_store_open(folder, TRADING_STORE_WRITE, &trading, NULL), 0);
}

static void remove_folder(const char *folder)
{
    (void)alarm(0);
    char command[96];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void a_reading_that_hangs_is_an_alert_and_costs_one_helper(void **state)
{
    struct auditor_rig *rig = *state;
    char folder[64], path[80];
    hang(rig, folder, path);
    auditor_start(rig->auditor);
    loop_advance(rig->loop, 21 * USEC_PER_SEC);
    assert_int_equal(ask(rig), -ERR_AUDIT_BUSY);
    loop_advance(rig->loop, 100 * USEC_PER_MIN);
    assert_int_equal(ask(rig), -ERR_AUDIT_LATE); /* given up; no second one begins */
    assert_int_equal(auditor_rig_status(rig, "auditor:overdue", NULL), -1);
    loop_advance(rig->loop, 80 * USEC_PER_MIN);
    assert_int_equal(auditor_rig_audits(rig), 0);
    assert_int_equal(auditor_rig_status(rig, "auditor:overdue", NULL), ALERT_OPEN);
    int ran = 0;
    bool done = false;
    assert_non_null(pool_start(
        rig->helpers,
        &(struct pool_work){
            .work = note, .done = note_done, .drop = keep, .data = &ran, .userdata = &done},
        NULL));
    for (int i = 0; i < 100 && !done; i++) {
        (void)loop_iterate(rig->loop, USEC_PER_SEC / 10);
    }
    assert_true(done && ran == 1);
    wake_reader(path);
    for (int i = 0; i < 100 && ask(rig) == -ERR_AUDIT_LATE; i++) {
        (void)loop_iterate(rig->loop, USEC_PER_SEC / 10);
    }
    (void)unlink(path);
    make_databases(folder);
    assert_int_equal(ask(rig), 0);
    assert_int_equal(auditor_rig_audits(rig), 1);
    assert_int_equal(auditor_rig_status(rig, "auditor:overdue", NULL), ALERT_FIXED);
    remove_folder(folder);
}

static void audits_that_fail_are_an_alert_after_two_intervals(void **state)
{
    struct auditor_rig *rig = *state;
    rig->state_dir = "/nonexistent";
    rig->helpers =
        pool_new(rig->loop,
                 &(struct pool_options){.name = "helper", .threads_max = 1, .queue_max = 4}, NULL);
    auditor_rig_make(rig, true);
    auditor_start(rig->auditor);
    for (int hour = 0; hour < 3; hour++) {
        assert_int_equal(auditor_rig_status(rig, "auditor:overdue", NULL), -1);
        loop_advance(rig->loop, USEC_PER_HOUR);
        for (int i = 0; i < 100 && ask(rig) == -ERR_AUDIT_BUSY; i++) {
            (void)loop_iterate(rig->loop, USEC_PER_SEC / 10);
        }
        assert_true(ask(rig) < 0);
    }
    assert_int_equal(auditor_rig_audits(rig), 0);
    assert_int_equal(auditor_rig_status(rig, "auditor:overdue", NULL), ALERT_OPEN);
}

/* Neither blocks nor runs anything of the auditor later. */
static void an_auditor_ends_while_its_reading_hangs(void **state)
{
    struct auditor_rig *rig = *state;
    char folder[64], path[80];
    hang(rig, folder, path);
    auditor_start(rig->auditor);
    loop_advance(rig->loop, 21 * USEC_PER_SEC);
    loop_advance(rig->loop, 100 * USEC_PER_MIN);
    assert_int_equal(ask(rig), -ERR_AUDIT_LATE);
    auditor_free(rig->auditor);
    rig->auditor = NULL;
    wake_reader(path);
    for (int i = 0; i < 20; i++) {
        (void)loop_iterate(rig->loop, USEC_PER_SEC / 100);
    }
    assert_int_equal(auditor_rig_audits(rig), 0);
    remove_folder(folder);
}

static char lines[8192];

static void keep_line(const struct log_line *line, void *userdata)
{
    (void)userdata;
    if (str_starts(str_c(line->message), "audit ")) {
        size_t used = strlen(lines);
        (void)snprintf(lines + used, sizeof(lines) - used, "%d %s\n", (int)line->level,
                       line->message);
    }
}

static void the_log_sums_up_and_lists_from_high_to_low(void **state)
{
    struct auditor_rig *rig = *state;
    rig->model.text = FINDINGS_OF_THREE;
    lines[0] = '\0';
    log_set_sink(keep_line, NULL);
    assert_int_equal(auditor_rig_run(rig, &(struct auditor_request){0}, NULL), AUDITOR_EXIT_HIGH);
    const char *first = strstr(lines, "4 audit (cli): critical 0, high 1, medium 0, low 1, info 0, "
                                      "rejected 1, not evaluated ");
    const char *second = strstr(lines, "4 audit finding: high pattern, ");
    const char *third = strstr(lines, "6 audit finding: low pattern, ");
    assert_ptr_equal(first, lines);
    assert_non_null(strstr(first, "; the model answered\n"));
    assert_true(second > first && third > second);
    assert_non_null(strstr(second, ": far below the peak\n"));
    assert_null(strstr(lines, "invented"));
}

UNIT_GROUP(schedule, AUDITOR_RIG_TEST(installations_do_not_ask_at_the_same_second),
           AUDITOR_RIG_TEST(a_reading_that_hangs_is_an_alert_and_costs_one_helper),
           AUDITOR_RIG_TEST(audits_that_fail_are_an_alert_after_two_intervals),
           AUDITOR_RIG_TEST(an_auditor_ends_while_its_reading_hangs),
           AUDITOR_RIG_TEST(the_log_sums_up_and_lists_from_high_to_low))
