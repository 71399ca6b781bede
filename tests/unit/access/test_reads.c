#include "access_rig.h"
#include "base/check.h"
#include "store/read_table.h"

#include <string.h>

static struct principal token(const char *name)
{
    struct principal who = {.channel = CHANNEL_HTTP, .id = 3};
    (void)str_copy(str_c(name), who.name, sizeof(who.name));
    return who;
}

static void count(struct access_rig *s, const char *name, const char *command, int64_t n,
                  int64_t failed)
{
    const struct principal who = token(name);
    assert_int_equal(access_count_reads(s->access, &who, command, n, failed, NULL), 0);
}

static int64_t rows(struct access_rig *s)
{
    static struct audit_row all[64];
    return audit_chain_list(s->store, 0, all, 64, NULL);
}

static void each_hour_is_one_row_for_each_person(void **state)
{
    struct access_rig *s = *state;
    count(s, "ci", "/state", 12, 0);
    count(s, "ci", "/trades", 3, 1);
    count(s, "grafana", "/state", 720, 0);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    assert_int_equal(rows(s), 0); /* the hour is not over */
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_SOCKET, NULL), 0);
    assert_int_equal(rows(s), 0);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    assert_int_equal(rows(s), 2);
    const struct audit_row *row = access_rig_audited(s);
    assert_string_equal(row->user, "grafana");
    assert_string_equal(row->action, "reads.counted");
    assert_string_equal(row->detail, "2026-11-18T11:00:00Z and an hour: /state 720");
    access_rig_restart(s);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    assert_int_equal(rows(s), 2); /* once, also over a restart */
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    count(s, "ci", "/state", 1, 0);
    count(s, "ci", "/trades", 2, 1);
    clock_fake_advance(&s->clock, 5 * USEC_PER_HOUR);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    assert_int_equal(rows(s), 3);
    assert_has(access_rig_audited(s)->detail, "and an hour: /state 1 /trades 2 (1 failed)");
}

static void a_clock_that_goes_back_loses_no_later_hour(void **state)
{
    struct access_rig *s = *state;
    clock_fake_jump_wall(&s->clock, 365 * USEC_PER_DAY);
    count(s, "ci", "/state", 1, 0);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    assert_int_equal(rows(s), 1);
    clock_fake_jump_wall(&s->clock, -365 * USEC_PER_DAY);
    count(s, "ci", "/state", 2, 0);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    assert_int_equal(rows(s), 2);
    assert_has(access_rig_audited(s)->detail, "/state 2");
}

/* A row of the log has a maximum. */
static void what_does_not_fit_is_a_sum(void **state)
{
    struct access_rig *s = *state;
    for (int i = 0; i < 100; i++) {
        char command[33];
        (void)snprintf(command, sizeof(command), "/a/route/with/a/long/name/%03d", i);
        count(s, "ci", command, 5, 0);
    }
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    assert_int_equal(rows(s), 1);
    const char *others = strstr(access_rig_audited(s)->detail, ", others ");
    assert_non_null(others);
    int shown = 0;
    for (const char *at = access_rig_audited(s)->detail; (at = strstr(at, " 5")) != NULL; at++) {
        shown++;
    }
    assert_int_equal(strtol(others + 9, NULL, 10), (100 - shown) * 5);
    assert_in_range(shown, 10, 60);
}

static void a_failure_adds_nothing(void **state)
{
    struct access_rig *s = *state;
    count(s, "ci", "/state", 12, 0);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    access_rig_fail_writes(s, true);
    assert_true(access_audit_reads(s->access, CHANNEL_HTTP, NULL) < 0);
    access_rig_fail_writes(s, false);
    assert_int_equal(rows(s), 0);
    assert_int_equal(access_audit_reads(s->access, CHANNEL_HTTP, NULL), 0);
    assert_int_equal(rows(s), 1);
}

UNIT_GROUP(reads, ACCESS_RIG_TEST(each_hour_is_one_row_for_each_person),
           ACCESS_RIG_TEST(a_clock_that_goes_back_loses_no_later_hour),
           ACCESS_RIG_TEST(what_does_not_fit_is_a_sum), ACCESS_RIG_TEST(a_failure_adds_nothing))
