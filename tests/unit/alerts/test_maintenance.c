#include "alerts_rig.h"
#include "base/str.h"
#include "io/embed.h"
#include "store/maintenance_table.h"

static const struct embedded_file files[] = {{0}};

static int setup(void **state)
{
    struct alerts_rig *s = alerts_rig_new();
    alerts_rig_open(s, files);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    alerts_rig_free(*state);
    return 0;
}

static void begin(struct alerts_rig *s, const char *service, int64_t for_us)
{
    int64_t now_us = clock_wall_us(&s->clock.clock);
    struct maintenance m = {.until_us = now_us + for_us, .reason = "update", .user = "alice"};
    (void)str_copy(str_c(service), m.service, sizeof(m.service));
    assert_int_equal(maintenance_table_begin(s->store, &m, now_us, NULL), 0);
    alerts_rig_reopen(s);
}

static void maintenance_of_a_service_ends_by_itself(void **state)
{
    struct alerts_rig *s = *state;
    assert_false(alerts_in_maintenance(s->alerts, "demo"));
    begin(s, "demo", USEC_PER_HOUR);
    assert_true(alerts_in_maintenance(s->alerts, "demo"));
    assert_false(alerts_in_maintenance(s->alerts, "other"));
    assert_false(alerts_in_maintenance(s->alerts, NULL));
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_false(alerts_in_maintenance(s->alerts, "demo"));
}

static void maintenance_of_the_desk_covers_each_service(void **state)
{
    struct alerts_rig *s = *state;
    begin(s, "", USEC_PER_HOUR);
    assert_true(alerts_in_maintenance(s->alerts, "demo"));
    assert_true(alerts_in_maintenance(s->alerts, NULL));
}

static void beginning_again_changes_the_end(void **state)
{
    struct alerts_rig *s = *state;
    struct maintenance rows[2];
    begin(s, "", USEC_PER_HOUR);
    begin(s, "", 2 * USEC_PER_HOUR);
    assert_int_equal(maintenance_table_list(s->store, rows, 2, NULL), 1);
    assert_int_equal(rows[0].until_us, clock_wall_us(&s->clock.clock) + 2 * USEC_PER_HOUR);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(alerts_in_maintenance(s->alerts, NULL));
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(maintenance, SCENE_TEST(maintenance_of_a_service_ends_by_itself),
           SCENE_TEST(maintenance_of_the_desk_covers_each_service),
           SCENE_TEST(beginning_again_changes_the_end))
