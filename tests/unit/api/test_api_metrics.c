#include "api_rig.h"
#include "io/exposition.h"
#include "store/alert_table.h"
#include "store/outbox_table.h"
#include "store/sample_table.h"

#define CLASSIC     "Accept: text/plain\r\n"
#define OPENMETRICS "Accept: application/openmetrics-text; version=1.0.0\r\n"
#define TOKEN       "Authorization: Bearer " API_RIG_TOKEN "\r\n"

static void a_scrape_needs_the_token(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(api_rig_get(f, true, "/metrics", "", &body), 401);
    api_rig_code(body, "API_UNAUTHORIZED");
    assert_int_equal(api_rig_get(f, true, "/metrics", TOKEN, &body), 200);
    assert_has(body, "nightdesk_build_info{version=\"" NIGHTDESK_VERSION "\"} 1\n");
    assert_int_equal(api_rig_get(f, false, "/metrics?x=1", "", &body), 400);
    api_rig_code(body, "API_QUERY");
}

/* Before the engine has published, nothing of trading is known; without a database, neither is what
 * is in it. */
static void what_is_not_known_is_left_out(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    assert_int_equal(api_rig_get(f, false, "/metrics", CLASSIC, &body), 200);
    assert_has(body, "nightdesk_engine_step_duration_seconds_count 0\n");
    assert_has(body, "nightdesk_ops_database_readable 0\n");
    assert_lacks(body, "nightdesk_equity");
    assert_lacks(body, "nightdesk_alerts_open");
    assert_lacks(body, "nightdesk_service_up");
    assert_lacks(body, "nightdesk_heartbeat_age_seconds{");
}

static void add_sample(struct ops_store *store, const char *service, int64_t at_us, bool up)
{
    struct service_sample s = {.at_us = at_us, .up = up, .latency_us = 2500};
    (void)str_copy(str_c(service), s.service, sizeof(s.service));
    assert_int_equal(sample_table_add(store, &s, NULL), 0);
}

static void fill_ops_db(struct api_rig *f)
{
    struct ops_store *store = NULL;
    struct err err = {0};
    struct alert_raised raised;
    int64_t id, now_us = clock_wall_us(clock_real());
    assert_int_equal(ops_store_open(f->folder, OPS_STORE_WRITE, &store, &err), 0);
    const struct alert_new alert = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_HIGH,
                                    .title = "b is down",
                                    .source = "health",
                                    .fingerprint = "service:b"};
    assert_int_equal(alert_table_raise(store, &alert, now_us, &raised, &err), 0);
    const struct outbox_new message = {
        .channel = "telegram", .chat_id = 1, .kind = OUTBOX_SEND, .payload = "{}"};
    assert_int_equal(outbox_table_add(store, &message, now_us - 90 * USEC_PER_SEC, &id, &err), 0);
    assert_int_equal(outbox_table_add(store, &message, now_us, &id, &err), 0);
    add_sample(store, "a", now_us - USEC_PER_SEC, false);
    add_sample(store, "a", now_us, true);
    add_sample(store, "b", now_us - USEC_PER_HOUR, true);
    add_sample(store, "b", now_us, false);
    add_sample(store, "gone", now_us - USEC_PER_HOUR, true);
    ops_store_free(store);
}

static void figures_are_those_of_snapshot_and_database(void **state)
{
    struct api_rig *f = *state;
    const char *body;
    fill_ops_db(f);
    api_rig_publish(f);
    histogram_add(&f->shared.telemetry.step, 3000);
    assert_int_equal(api_rig_get(f, false, "/metrics", CLASSIC, &body), 200);
    assert_has(body, "\nnightdesk_engine_step_duration_seconds_bucket{le=\"0.000002\"} 0\n"
                     "nightdesk_engine_step_duration_seconds_bucket{le=\"0.000004\"} 1\n");
    assert_has(body, "\nnightdesk_positions 1\n");
    assert_has(body, "\nnightdesk_position_notional_usd{symbol=\"BTC-USD\",side=\"long\"} ");
    assert_has(body, "\nnightdesk_trading_state{state=\"paused\"} 1\n");
    assert_has(body, "\nnightdesk_trading_state{state=\"active\"} 0\n");
    assert_has(body, "\nnightdesk_alerts_open{severity=\"high\"} 1\n");
    assert_has(body, "\nnightdesk_alerts_open{severity=\"critical\"} 0\n");
    assert_has(body, "\nnightdesk_outbox_messages 2\n#");
    assert_has(body, "\nnightdesk_outbox_oldest_age_seconds 9");
    assert_has(body, "\nnightdesk_service_up{service=\"a\"} 1\n"
                     "nightdesk_service_up{service=\"b\"} 0\n#");
    assert_has(body, "\nnightdesk_service_check_seconds{service=\"a\"} 0.0025\n#");
    assert_lacks(body, "gone");
    assert_has(body, "\nprocess_resident_memory_bytes ");
    assert_has(body, "\nnightdesk_database_size_bytes{database=\"ops\"} ");

    /* Within a second the same answer is given again; the other form is one of its own. */
    f->snapshot->position_count = 0;
    f->snapshot->version++;
    shared_publish_snapshot(&f->shared, f->snapshot);
    assert_int_equal(api_rig_get(f, false, "/metrics", CLASSIC, &body), 200);
    assert_has(body, "\nnightdesk_positions 1\n");
    assert_int_equal(api_rig_get(f, false, "/metrics", OPENMETRICS, &body), 200);
    assert_has(body, "\nnightdesk_positions 0\n");
    assert_has(body, "\n# TYPE nightdesk_orders counter\nnightdesk_orders_total ");
    assert_string_equal(body + strlen(body) - 6, "# EOF\n");
    const struct timespec gap = {.tv_sec = 1, .tv_nsec = 1000000};
    assert_int_equal(nanosleep(&gap, NULL), 0);
    assert_int_equal(api_rig_get(f, false, "/metrics", CLASSIC, &body), 200);
    assert_has(body, "\nnightdesk_positions 0\n");
}

UNIT_GROUP(api_metrics, API_TEST(a_scrape_needs_the_token), API_TEST(what_is_not_known_is_left_out),
           API_TEST(figures_are_those_of_snapshot_and_database))
