#include "api_rig.h"

static void health_needs_both_heartbeats_and_a_snapshot(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    api_rig_beat(f);
    assert_int_equal(api_rig_get(f, true, "/healthz", "", &body), 200); /* it starts */
    assert_non_null(strstr(body, "\"status\":\"unhealthy\""));
    assert_int_equal(api_rig_get(f, true, "/readyz", "", &body), 503);
    assert_int_equal(api_rig_get(f, false, "/api/v1/state", "", &body), 200);
    assert_non_null(strstr(body, "\"data_age_seconds\":null,\"ttl_seconds\":0,\"stale\":true"));
    api_rig_publish(f);
    assert_int_equal(api_rig_get(f, true, "/healthz", "", &body), 200);
    assert_non_null(strstr(body, "\"trading\":\"paused\""));
    assert_non_null(strstr(body, "\"status\":\"ok\""));
    atomic_store(&f->shared.telegram, CHAT_REFUSED);
    atomic_store(&f->shared.telegram_since_us, INT64_C(1795226400000000));
    assert_int_equal(api_rig_get(f, true, "/healthz", "", &body), 200);
    assert_non_null(strstr(body, "\"status\":\"degraded\""));
    assert_non_null(strstr(body, "\"telegram\":{\"state\":\"refused\",\"since\":\"2026-11-21T"));
    assert_int_equal(api_rig_get(f, false, "/api/v1/state", "", &body), 200);
    assert_non_null(strstr(body, "\"telegram\":{\"state\":\"refused\",\"since\":\"2026-11-21T"));
    atomic_store(&f->shared.engine_beat_mono_us, clock_mono_us(clock_real()) - 60 * USEC_PER_SEC);
    assert_int_equal(api_rig_get(f, false, "/healthz", "", &body), 503);
    assert_non_null(strstr(body, "\"engine\":{\"alive\":false"));
    assert_non_null(strstr(body, "\"ops\":{\"alive\":true"));
}

/* A full or slow disk is unhealthy, whatever the trading state is. */
static void a_failed_or_slow_disk_is_unhealthy(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    for (int slow = 0; slow < 2; slow++) {
        api_rig_beat(f);
        api_rig_publish(f);
        struct snapshot *s = f->snapshot;
        s->state = TRADING_ACTIVE;
        s->disk = (struct snapshot_disk){.state = slow ? DISK_SLOW : DISK_FAILED,
                                         .err = slow ? 0 : ERR_DB_FULL,
                                         .since_wall_us = INT64_C(1700000000) * USEC_PER_SEC,
                                         .commit_us = slow ? 2500 * USEC_PER_MSEC : 0,
                                         .closes = !slow};
        shared_publish_snapshot(&f->shared, s);
        assert_int_equal(api_rig_get(f, false, "/healthz", "", &body), 200);
        assert_non_null(strstr(body, "\"status\":\"degraded\",\"trading\":\"active\""));
        assert_int_equal(api_rig_get(f, false, "/readyz", "", &body), 503);
        assert_has(body, slow ? "{\"name\":\"disk\",\"ok\":false,\"detail\":\"slow\"}"
                              : "{\"name\":\"disk\",\"ok\":false,\"detail\":\"failed\"}");
        assert_int_equal(api_rig_get(f, false, "/healthz", "", &body), 200);
        assert_non_null(strstr(body, slow ? "\"disk\":\"slow\"" : "\"disk\":\"failed\""));
        assert_int_equal(api_rig_get(f, false, "/api/v1/state", "", &body), 200);
        assert_non_null(strstr(body, slow ? "\"disk\":{\"state\":\"slow\",\"commit_ms\":2500,"
                                          : "\"disk\":{\"state\":\"failed\",\"error_code\":"
                                            "\"DB_FULL\",\"closes\":true,"));
        assert_non_null(strstr(body, "\"since\":\"2023-11-14T22:13:20.000000Z\""));
    }
}

static void state_has_exact_numbers_on_both_listeners(void **state)
{
    struct api_rig *f = *state;
    api_rig_publish(f);
    const char *body;
    for (int tcp = 0; tcp < 2; tcp++) {
        const char *token = tcp ? "Authorization: Bearer " API_RIG_TOKEN "\r\n" : "";
        assert_int_equal(api_rig_get(f, tcp == 1, "/api/v1/state", token, &body), 200);
        AUTO_JSON struct json_object *root = NULL;
        assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
        struct json_object *account = json_get(root, "account");
        assert_string_equal(json_text(root, "schema"), "nightdesk.state/2");
        assert_non_null(strstr(body, "\"equity\":10412,"));
        assert_non_null(strstr(body, "\"cash\":0.00000001,"));
        assert_true(json_double(account, "equity", 0) == 10412);
        assert_string_equal(json_text(json_get(root, "trading"), "reason"), "paused by alice");
        assert_non_null(strstr(body, "\"qty\":0.0031,"));
        assert_non_null(strstr(body, "\"price\":64120.5,"));
        assert_string_equal(json_text(root, "published_at"), "2023-11-14T22:13:20.000000Z");
        struct json_object *loop = json_get(root, "ops_loop");
        assert_int_equal(json_i64(loop, "longest_absence_us", -1), 0);
        assert_int_equal(json_i64(loop, "absences_over_limit", -1), 0);
    }
}

static void assert_in_state(struct api_rig *f, const char *part)
{
    const char *body;
    assert_int_equal(api_rig_get(f, false, "/api/v1/state", "", &body), 200);
    assert_has(body, part);
}

/* The answer is kept until something in it changes. */
static void state_shows_each_change_at_once(void **state)
{
    struct api_rig *f = *state;
    assert_in_state(f, "\"data_age_seconds\":null,");
    api_rig_publish(f);
    assert_in_state(f, "\"equity\":10412,");
    atomic_store(&f->shared.telegram, CHAT_SILENT);
    assert_in_state(f, "\"telegram\":{\"state\":\"silent\"");
    atomic_store(&f->shared.ops_away_us, 61000);
    assert_in_state(f, "\"longest_absence_us\":61000");
    atomic_store(&f->shared.ops_absences, 3);
    assert_in_state(f, "\"absences_over_limit\":3");
    atomic_store(&f->shared.telegram_since_us, 1700000000000000);
    assert_in_state(f, "\"since\":\"2023-11-14T22:13:20.000000Z\"");
}

UNIT_GROUP(api, API_TEST(health_needs_both_heartbeats_and_a_snapshot),
           API_TEST(a_failed_or_slow_disk_is_unhealthy),
           API_TEST(state_has_exact_numbers_on_both_listeners),
           API_TEST(state_shows_each_change_at_once))
