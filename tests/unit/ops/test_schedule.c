#include "../../../src/ops/schedule.h"
#include "base/check.h"
#include "command/manifest.h"
#include "io/embed.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <time.h>

struct schedule_rig {
    struct action_table *actions;
    struct manifest_list *list;
    struct schedule *schedule;
    int submitted;
    int64_t last_id;
    int fail; /* the next submissions fail */
    int64_t mono_us;
};

static int never(struct action_call *call, struct err *err)
{
    (void)call;
    return err_set(err, ERR_INTERNAL, "must not run");
}

static const struct action rows[] = {
    {.name = "test.read", .summary = "s", .lowest = ROLE_READ_ONLY, .run = never}, {0}};

static int submit(const struct manifest *m, int64_t update_id, void *userdata)
{
    struct schedule_rig *r = userdata;
    assert_string_equal(m->name, "x");
    if (r->fail > 0) {
        r->fail--;
        return -ERR_DB_LOCKED;
    }
    r->submitted++;
    r->last_id = update_id;
    return 0;
}

static void begin(struct schedule_rig *r, const char *schedule, const char *zone)
{
    static char text[256];
    static struct embedded_file files[2];
    struct err err = {0};
    int len = snprintf(text, sizeof(text),
                       "command: x\ngroup: see\nsummary: s\nrole: read_only\n"
                       "steps: [{run: test.read}]\nexamples: [x]\n%s\n",
                       schedule);
    files[0] = (struct embedded_file){"commands/x.yaml", text, (size_t)len};
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
    *r = (struct schedule_rig){.actions = action_table_new(), .mono_us = USEC_PER_DAY};
    action_table_add(r->actions, rows, NULL);
    assert_int_equal(manifest_list_read(r->actions, files, &r->list, &err), 0);
    r->schedule = schedule_new(
        &(struct schedule_options){.manifests = r->list, .submit = submit, .userdata = r});
}

static void end(struct schedule_rig *r)
{
    schedule_free(r->schedule);
    manifest_list_free(r->list);
    action_table_free(r->actions);
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
}

/* As another process would. */
static void restart(struct schedule_rig *r)
{
    schedule_free(r->schedule);
    r->schedule = schedule_new(
        &(struct schedule_options){.manifests = r->list, .submit = submit, .userdata = r});
}

/* UTC */
static void tick(struct schedule_rig *r, int day, int hour, int minute, int second)
{
    struct tm tm = {.tm_year = 126, .tm_mon = 2, .tm_mday = day, .tm_hour = hour};
    int64_t wall_us = ((int64_t)timegm(&tm) + minute * 60 + second) * USEC_PER_SEC;
    r->mono_us += USEC_PER_SEC;
    schedule_tick(r->schedule, wall_us, r->mono_us);
}

static void every_runs_once_in_each_slot(void **state)
{
    (void)state;
    struct schedule_rig r;
    begin(&r, "every: 1h", "UTC");
    tick(&r, 1, 9, 20, 0); /* the hour began while nothing ran */
    assert_int_equal(r.submitted, 1);
    int64_t nine = r.last_id;
    tick(&r, 1, 9, 20, 1);
    tick(&r, 1, 9, 59, 59);
    assert_int_equal(r.submitted, 1);
    tick(&r, 1, 10, 0, 0);
    assert_int_equal(r.submitted, 2);
    assert_true(r.last_id > nine);
    /* After a restart the slot is submitted with the same id, which the runner refuses. */
    restart(&r);
    tick(&r, 1, 9, 30, 0);
    assert_int_equal(r.last_id, nine);
    end(&r);
}

static void a_slot_that_cannot_be_stored_is_repeated(void **state)
{
    (void)state;
    struct schedule_rig r;
    begin(&r, "every: 1m", "UTC");
    r.fail = 1;
    tick(&r, 1, 9, 20, 0);
    tick(&r, 1, 9, 20, 1); /* not at once */
    assert_int_equal(r.submitted, 0);
    for (int i = 2; i < 40; i++) {
        tick(&r, 1, 9, 20, i);
    }
    assert_int_equal(r.submitted, 1);
    end(&r);
}

static void at_is_local_time(void **state)
{
    (void)state;
    struct schedule_rig r;
    begin(&r, "at: [\"07:30\", \"23:59\"]", "Europe/Berlin"); /* UTC+1 in winter */
    tick(&r, 1, 6, 29, 59);
    assert_int_equal(r.submitted, 0);
    tick(&r, 1, 6, 30, 0);
    assert_int_equal(r.submitted, 1);
    tick(&r, 1, 6, 39, 0);
    assert_int_equal(r.submitted, 1);
    tick(&r, 1, 23, 3, 0); /* 00:03 of the next local day */
    assert_int_equal(r.submitted, 2);
    end(&r);
}

static void a_time_that_passed_long_ago_is_skipped(void **state)
{
    (void)state;
    struct schedule_rig r;
    begin(&r, "at: \"07:30\"", "UTC");
    tick(&r, 1, 7, 40, 1);
    assert_int_equal(r.submitted, 0);
    tick(&r, 2, 7, 39, 0); /* late, but not too late */
    assert_int_equal(r.submitted, 1);
    end(&r);
}

/* In 2026 Berlin moves from 02:00 to 03:00 on 29 March, at 01:00 UTC. */
static void at_survives_the_change_to_summer_time(void **state)
{
    (void)state;
    struct schedule_rig r;
    begin(&r, "at: \"02:30\"", "Europe/Berlin"); /* does not exist on that day */
    tick(&r, 28, 1, 30, 0);
    assert_int_equal(r.submitted, 1);
    for (int minute = 0; minute < 180; minute++) {
        tick(&r, 29, 0, minute, 0);
    }
    assert_int_equal(r.submitted, 2);
    tick(&r, 30, 0, 30, 0); /* UTC+2 from then on */
    assert_int_equal(r.submitted, 3);
    end(&r);
}

/* 02:30 is due at 03:30 local time, after 03:15. */
static void a_time_in_the_missing_hour_is_not_lost_behind_a_later_one(void **state)
{
    (void)state;
    struct schedule_rig r;
    begin(&r, "at: [\"02:30\", \"03:15\"]", "Europe/Berlin");
    for (int minute = 0; minute < 180; minute++) {
        tick(&r, 29, 0, minute, 0);
    }
    assert_int_equal(r.submitted, 2);
    end(&r);
}

/* On 25 October the hour from 02:00 to 03:00 comes twice, from 00:00 to 02:00 UTC. */
static void at_runs_once_when_an_hour_repeats(void **state)
{
    (void)state;
    struct schedule_rig r;
    begin(&r, "at: \"02:30\"", "Europe/Berlin");
    int64_t id = 0;
    for (int minute = 0; minute < 240; minute++) {
        struct tm tm = {.tm_year = 126, .tm_mon = 9, .tm_mday = 24, .tm_hour = 23};
        r.mono_us += USEC_PER_SEC;
        schedule_tick(r.schedule, ((int64_t)timegm(&tm) + minute * 60) * USEC_PER_SEC, r.mono_us);
        assert_true(r.submitted == 0 || id == 0 || id == r.last_id);
        id = r.last_id;
    }
    assert_int_equal(r.submitted, 1);
    end(&r);
}

UNIT_GROUP(schedule, cmocka_unit_test(every_runs_once_in_each_slot),
           cmocka_unit_test(a_slot_that_cannot_be_stored_is_repeated),
           cmocka_unit_test(at_is_local_time),
           cmocka_unit_test(a_time_that_passed_long_ago_is_skipped),
           cmocka_unit_test(at_survives_the_change_to_summer_time),
           cmocka_unit_test(a_time_in_the_missing_hour_is_not_lost_behind_a_later_one),
           cmocka_unit_test(at_runs_once_when_an_hour_repeats))
