#include "../../../src/ops/ops_watch.h"
#include "alerts/alerts.h"
#include "config/config.h"
#include "io/secret.h"
#include "ops/ops.h"
#include "store/alert_table.h"
#include "store/confirmation_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
#include "unit/unit.h"

#define START_US (INT64_C(1700000000) * USEC_PER_SEC)

struct fixture {
    struct clock_fake clock;
    struct shared shared;
    struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    struct snapshot snapshot;
    struct ops_watch watch;
};

static void watch_from_now(struct fixture *f)
{
    ops_watch_init(&f->watch, &(struct ops_watch_options){.clock = &f->clock.clock,
                                                          .shared = &f->shared,
                                                          .alerts = f->alerts,
                                                          .store = f->store});
}

static void beat(struct fixture *f)
{
    atomic_store(&f->shared.engine_beat_mono_us, clock_mono_us(&f->clock.clock));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err err = {0};
    clock_fake_init(&f->clock, START_US);
    shared_init(&f->shared, CAPACITY_MIN);
    assert_int_equal(secret_init(&err), 0);
    assert_int_equal(config_parse(STR_LIT(""), "test", &f->config, NULL, &err), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &f->store, &err), 0);
    const struct alerts_options options = {
        .clock = &f->clock.clock, .config = f->config, .store = f->store};
    assert_int_equal(alerts_new(&options, &f->alerts, &err), 0);
    f->snapshot = (struct snapshot){.version = 1, .state = TRADING_ACTIVE};
    beat(f);
    watch_from_now(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    alerts_free(f->alerts);
    ops_store_free(f->store);
    config_free(f->config);
    shared_release(&f->shared);
    free(f);
    return 0;
}

/* Advances second by second while the engine's heartbeat is fresh. */
static void run_alive(struct fixture *f, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        clock_fake_advance(&f->clock, USEC_PER_SEC);
        beat(f);
        ops_watch_tick(&f->watch, &f->snapshot);
    }
}

static bool find(struct fixture *f, const char *fingerprint, struct alert *ret)
{
    struct err err = {0};
    return alert_table_find(f->store, fingerprint, ret, &err) == 0;
}

static void a_stale_engine_heartbeat_raises_a_critical_alert(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    run_alive(f, 3);
    assert_true(ops_watch_alive(&f->watch));
    assert_false(find(f, "engine:stale", alert));
    for (int i = 0; i < 6; i++) {
        clock_fake_advance(&f->clock, USEC_PER_SEC);
        ops_watch_tick(&f->watch, &f->snapshot);
    }
    assert_false(ops_watch_alive(&f->watch));
    assert_true(find(f, "engine:stale", alert));
    assert_int_equal(alert->severity, SEVERITY_CRITICAL);
    assert_int_equal(alert->status, ALERT_OPEN);
    run_alive(f, 1);
    assert_true(ops_watch_alive(&f->watch));
    assert_true(find(f, "engine:stale", alert));
    assert_int_equal(alert->status, ALERT_FIXED);
    free(alert);
}

/* The command raises the alert; the venue's answer resolves it, however late. */
static void a_stop_that_is_verified_late_resolves_its_alert(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_CRITICAL,
                                    .source = "command",
                                    .fingerprint = OPS_STOP_ALERT,
                                    .title = "emergency stop is not verified"};
    int64_t id = 0;
    f->snapshot.state = TRADING_EMERGENCY;
    run_alive(f, 2);
    assert_int_equal(alerts_raise(f->alerts, &spec, &id, NULL), 0);
    run_alive(f, 30);
    assert_true(find(f, OPS_STOP_ALERT, alert));
    assert_int_equal(alert->status, ALERT_OPEN);
    f->snapshot.verified_flat = true;
    run_alive(f, 1);
    assert_true(find(f, OPS_STOP_ALERT, alert));
    assert_int_equal(alert->status, ALERT_FIXED);
    free(alert);
}

static void a_stale_ops_heartbeat_is_not_alive(void **state)
{
    struct fixture *f = *state;
    run_alive(f, 1);
    clock_fake_advance(&f->clock, SHARED_SILENT_US);
    beat(f);
    assert_false(ops_watch_alive(&f->watch));
}

static void a_tripped_breaker_is_one_high_alert_until_reset(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    f->snapshot.state = TRADING_BREAKER;
    (void)str_copy(str_c("daily loss 5.1 % of 5 %"), f->snapshot.state_reason,
                   sizeof(f->snapshot.state_reason));
    run_alive(f, 30);
    assert_true(find(f, "trading:breaker", alert));
    assert_int_equal(alert->severity, SEVERITY_HIGH);
    assert_int_equal(alert->type, ALERT_RISK);
    assert_int_equal(alert->count, 1);
    assert_string_equal(alert->description, "daily loss 5.1 % of 5 %");

    /* The alert survives a restart: the next process resolves it. */
    watch_from_now(f);
    f->snapshot.state = TRADING_STARTING;
    run_alive(f, 1);
    assert_true(find(f, "trading:breaker", alert));
    assert_int_equal(alert->status, ALERT_OPEN);
    f->snapshot.state = TRADING_ACTIVE;
    run_alive(f, 1);
    assert_true(find(f, "trading:breaker", alert));
    assert_int_equal(alert->status, ALERT_FIXED);
    free(alert);
}

static void fault(struct fixture *f, enum err_id id)
{
    const struct event event = {.topic = TOPIC_FAULT, .code = (uint32_t)id};
    ops_watch_event(&f->watch, &event);
}

static void a_repeated_fault_is_raised_once_a_minute_and_resolves(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    for (int second = 0; second < 90; second++) {
        for (int i = 0; i < 4; i++) {
            fault(f, ERR_DB_FULL);
        }
        run_alive(f, 1);
    }
    assert_true(find(f, "engine:DB_FULL", alert));
    assert_int_equal(alert->severity, SEVERITY_CRITICAL);
    assert_int_equal(alert->count, 2);
    assert_int_equal(alert->status, ALERT_OPEN);

    /* A new process adopts the alerts that the last one left open. */
    watch_from_now(f);
    run_alive(f, 9 * 60);
    assert_true(find(f, "engine:DB_FULL", alert));
    assert_int_equal(alert->status, ALERT_OPEN);
    run_alive(f, 2 * 60);
    assert_true(find(f, "engine:DB_FULL", alert));
    assert_int_equal(alert->status, ALERT_FIXED);
    free(alert);
}

static void more_faults_than_slots_are_harmless(void **state)
{
    struct fixture *f = *state;
    for (int id = 1; id < ERR_COUNT && id < 40; id++) {
        fault(f, (enum err_id)id);
        run_alive(f, 1);
    }
    const struct event wrong = {.topic = TOPIC_FAULT, .code = ERR_COUNT};
    ops_watch_event(&f->watch, &wrong);
    struct alert *alert = calloc(1, sizeof(*alert));
    assert_true(find(f, "engine:INTERNAL", alert));
    free(alert);
}

static void only_a_clock_jump_raises_an_alert(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    run_alive(f, 60);
    assert_false(find(f, "clock:jump", alert));
    clock_fake_jump_wall(&f->clock, -3600 * USEC_PER_SEC);
    run_alive(f, 1);
    assert_true(find(f, "clock:jump", alert));
    assert_int_equal(alert->severity, SEVERITY_MEDIUM);
    assert_int_equal(alert->type, ALERT_DATA);
    assert_non_null(strstr(alert->description, "back"));
    assert_int_equal(alert->count, 1);
    run_alive(f, 60);
    assert_true(find(f, "clock:jump", alert));
    assert_int_equal(alert->count, 1);
    free(alert);
}

/* Fails every write while *userdata is set. */
static int refuse_writes(const char *what, void *userdata)
{
    (void)what;
    return *(bool *)userdata ? -ERR_DB_FULL : 0;
}

static void a_blocked_loop_is_counted_reported_and_resolved(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    ops_watch_absence(3000, "short", &f->watch);
    assert_int_equal(atomic_load(&f->shared.ops_away_us), 3000);
    assert_int_equal(atomic_load(&f->shared.ops_absences), 0);
    ops_watch_absence(OPS_AWAY_ALERT_US - 1, "ops tick", &f->watch);
    run_alive(f, 1);
    assert_int_equal(atomic_load(&f->shared.ops_absences), 1);
    assert_false(find(f, "ops:away", alert));
    ops_watch_absence(2 * USEC_PER_SEC, "http answers", &f->watch);
    ops_watch_absence(USEC_PER_SEC, "ops tick", &f->watch);
    run_alive(f, 1);
    assert_int_equal(atomic_load(&f->shared.ops_away_us), 2 * USEC_PER_SEC);
    assert_string_equal(atomic_load(&f->shared.ops_away_source), "http answers");
    assert_true(find(f, "ops:away", alert));
    assert_int_equal(alert->status, ALERT_OPEN);
    assert_non_null(strstr(alert->description, "For 2 s, in \"http answers\""));
    run_alive(f, 660);
    assert_true(find(f, "ops:away", alert));
    assert_int_equal(alert->status, ALERT_FIXED);
    free(alert);
}

static void an_alert_that_cannot_be_stored_is_retried(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    bool full = true;
    ops_store_set_fault(f->store, refuse_writes, &full);
    f->snapshot.state = TRADING_BREAKER;
    run_alive(f, 5);
    assert_false(find(f, "trading:breaker", alert));
    full = false;
    run_alive(f, 1);
    assert_true(find(f, "trading:breaker", alert));
    ops_store_set_fault(f->store, NULL, NULL);
    free(alert);
}

/* A message that is retried in a minute, and a prompt that expires in two. */
static void due_times_move_when_the_clock_is_set_back(void **state)
{
    struct fixture *f = *state;
    int64_t now_us = f->clock.now_wall_us, id = 0, run_id = 0;
    const struct outbox_new message = {.channel = "telegram",
                                       .chat_id = 7,
                                       .kind = OUTBOX_SEND,
                                       .payload = "{}",
                                       .not_before_us = now_us + USEC_PER_MIN};
    assert_int_equal(outbox_table_add(f->store, &message, now_us, &id, NULL), 0);
    const struct run_new run = {.command = "restart",
                                .args_json = "{}",
                                .user_name = "alice",
                                .role = "operator",
                                .channel = "telegram",
                                .state = RUN_CONFIRMING};
    assert_int_equal(run_table_add(f->store, &run, now_us, &run_id, NULL), 0);
    struct confirmation prompt = {
        .nonce = "N", .run_id = run_id, .expires_us = now_us + 2 * USEC_PER_MIN};
    assert_int_equal(confirmation_table_add(f->store, &prompt, NULL), 0);

    clock_fake_jump_wall(&f->clock, -3 * USEC_PER_DAY);
    run_alive(f, 59);
    struct outbox_row row;
    now_us = f->clock.now_wall_us;
    assert_int_equal(outbox_table_due(f->store, "telegram", now_us, &row, NULL), 0);
    run_alive(f, 2);
    now_us = f->clock.now_wall_us;
    assert_int_equal(outbox_table_due(f->store, "telegram", now_us, &row, NULL), 1);
    outbox_row_release(&row);
    assert_int_equal(confirmation_table_expired(f->store, now_us, &prompt, 1, NULL), 0);
    run_alive(f, 60);
    assert_int_equal(confirmation_table_expired(f->store, f->clock.now_wall_us, &prompt, 1, NULL),
                     1);
}

static void a_clock_that_jumped_ahead_is_not_trusted_for_a_day(void **state)
{
    struct fixture *f = *state;
    run_alive(f, 1);
    assert_true(ops_watch_trusts_clock(&f->watch));
    clock_fake_jump_wall(&f->clock, 23 * USEC_PER_HOUR);
    run_alive(f, 1);
    assert_true(ops_watch_trusts_clock(&f->watch));
    clock_fake_jump_wall(&f->clock, 400 * USEC_PER_DAY);
    run_alive(f, 1);
    assert_false(ops_watch_trusts_clock(&f->watch));
    clock_fake_advance(&f->clock, USEC_PER_DAY);
    assert_true(ops_watch_trusts_clock(&f->watch));
}

static void the_socket_path_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    AUTO_BUF struct buf path = BUF_INIT(4096);
    assert_int_equal(ops_socket_path(f->config, "var", &path, &err), 0);
    assert_string_equal(path.data, "var/nightdesk.sock");
    char longest[200];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    buf_clear(&path);
    assert_int_equal(ops_socket_path(f->config, longest, &path, &err), -ERR_WEB_LISTEN);
}

static void candles_that_stop_are_an_alert_until_they_come_again(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    run_alive(f, 2);
    assert_false(find(f, "feed:stale", alert));
    f->snapshot.feed_err = ERR_MARKET_LOST;
    f->snapshot.feed_reconnects = true;
    (void)str_copy(STR_LIT("btc.csv: it ends"), f->snapshot.feed_reason,
                   sizeof(f->snapshot.feed_reason));
    run_alive(f, 3);
    assert_true(find(f, "feed:stale", alert));
    assert_int_equal(alert->status, ALERT_OPEN);
    assert_int_equal(alert->severity, SEVERITY_HIGH);
    assert_int_equal(alert->count, 1);
    assert_non_null(strstr(alert->description, "btc.csv: it ends"));
    assert_non_null(strstr(alert->evidence, "can_reconnect\",\"value\":true"));
    f->snapshot.feed_err = 0;
    run_alive(f, 2);
    assert_true(find(f, "feed:stale", alert));
    assert_int_equal(alert->status, ALERT_FIXED);
    free(alert);
}

UNIT_GROUP(ops_watch,
           cmocka_unit_test_setup_teardown(a_stop_that_is_verified_late_resolves_its_alert, setup,
                                           teardown),
           cmocka_unit_test_setup_teardown(a_stale_engine_heartbeat_raises_a_critical_alert, setup,
                                           teardown),
           cmocka_unit_test_setup_teardown(a_stale_ops_heartbeat_is_not_alive, setup, teardown),
           cmocka_unit_test_setup_teardown(a_tripped_breaker_is_one_high_alert_until_reset, setup,
                                           teardown),
           cmocka_unit_test_setup_teardown(candles_that_stop_are_an_alert_until_they_come_again,
                                           setup, teardown),
           cmocka_unit_test_setup_teardown(a_repeated_fault_is_raised_once_a_minute_and_resolves,
                                           setup, teardown),
           cmocka_unit_test_setup_teardown(more_faults_than_slots_are_harmless, setup, teardown),
           cmocka_unit_test_setup_teardown(only_a_clock_jump_raises_an_alert, setup, teardown),
           cmocka_unit_test_setup_teardown(a_blocked_loop_is_counted_reported_and_resolved, setup,
                                           teardown),
           cmocka_unit_test_setup_teardown(an_alert_that_cannot_be_stored_is_retried, setup,
                                           teardown),
           cmocka_unit_test_setup_teardown(due_times_move_when_the_clock_is_set_back, setup,
                                           teardown),
           cmocka_unit_test_setup_teardown(a_clock_that_jumped_ahead_is_not_trusted_for_a_day,
                                           setup, teardown),
           cmocka_unit_test_setup_teardown(the_socket_path_is_bounded, setup, teardown))
