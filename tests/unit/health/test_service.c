#include "../../../src/health/health_internal.h"
#include "../../../src/health/heartbeat.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "health/health.h"
#include "io/loop.h"
#include "io/secret.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The state of services on a clock that the test moves, with the options at their defaults: what is
 * checked, is up or down as the test says. */

#define SECONDS     USEC_PER_SEC
#define MINUTES     USEC_PER_MIN
#define START_US    (INT64_C(1796000000) * USEC_PER_SEC)
#define SERVICES    512
#define WATCHED_MAX 3

struct stage {
    struct clock_fake clock;
    struct loop *loop;
    struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    struct health *health;
    int runs; /* of all checks */
};

static bool is_up[WATCHED_MAX];
static bool is_sure;
static struct stage *on_stage;

static void begin(struct check *check)
{
    const struct health *health = check_health(check);
    on_stage->runs++;
    for (size_t i = 0; i < health->count && i < WATCHED_MAX; i++) {
        if (health->services[i] == check->service && !is_up[i]) {
            if (is_sure) {
                check_fail_sure(check, "unit failed");
            } else {
                check_fail(check, "no answer");
            }
            return;
        }
    }
    check_pass(check);
}

static void cancel(struct check *check)
{
    (void)check;
}

static const struct check_kind scripted = {.name = "scripted", .begin = begin, .cancel = cancel};

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static void open_health(struct stage *s)
{
    assert_int_equal(health_new(&(struct health_options){.loop = s->loop,
                                                         .config = s->config,
                                                         .store = s->store,
                                                         .alerts = s->alerts,
                                                         .state_dir = "/nowhere"},
                                &s->health, NULL),
                     0);
}

static struct stage *open_stage(const char *yaml)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct err err = {0};
    assert_int_equal(secret_init(&err), 0);
    log_set_sink(swallow, NULL);
    clock_fake_init(&s->clock, START_US);
    s->loop = loop_new_fake(&s->clock, &err);
    if (config_parse(str_c(yaml), "stage", &s->config, NULL, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &s->store, &err), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = &s->clock.clock,
                                                         .config = s->config,
                                                         .store = s->store},
                                &s->alerts, &err),
                     0);
    open_health(s);
    is_up[0] = is_up[1] = is_up[2] = true;
    is_sure = false;
    on_stage = s;
    return s;
}

/* Starts the services with scripted checks. */
static void start(struct stage *s)
{
    for (size_t i = 0; i < s->health->count; i++) {
        for (size_t c = 0; c < s->health->services[i]->check_count; c++) {
            s->health->services[i]->checks[c]->kind = &scripted;
        }
    }
    health_start(s->health);
}

static void close_stage(struct stage *s)
{
    health_free(s->health);
    alerts_free(s->alerts);
    ops_store_free(s->store);
    loop_free(s->loop);
    config_free(s->config);
    free(s);
}

static struct alert alert_of(const struct stage *s, const char *service)
{
    char fingerprint[64];
    struct alert alert = {.status = ALERT_WONTFIX}; /* there is none */
    (void)snprintf(fingerprint, sizeof(fingerprint), "service:%s", service);
    (void)alert_table_find(s->store, fingerprint, &alert, NULL);
    return alert;
}

static bool is_open(const struct stage *s, const char *service)
{
    return alert_of(s, service).status == ALERT_OPEN;
}

/* The time until the alert of the service is open; fails after `most`. */
static int64_t until_open(struct stage *s, const char *service, int64_t most_us)
{
    int64_t waited_us = 0;
    while (!is_open(s, service)) {
        assert_true(waited_us <= most_us);
        loop_advance(s->loop, SECONDS / 4);
        waited_us += SECONDS / 4;
    }
    return waited_us;
}

/* Its services are checked, and have been for so long. */
static struct stage *started(const char *yaml, int64_t for_us)
{
    struct stage *s = open_stage(yaml);
    start(s);
    loop_advance(s->loop, for_us);
    return s;
}

static const char one[] = "services: {web: {url: 'http://h'}}\n";

static void a_failure_is_confirmed_quickly(void **state)
{
    (void)state;
    struct stage *s = started(one, 0);
    int64_t longest_us = 0;
    for (int at = 0; at < 12; at++) { /* at different moments of the interval */
        loop_advance(s->loop, 20 * MINUTES + at * 5 * SECONDS / 2);
        is_up[0] = false;
        int64_t waited_us = until_open(s, "web", 35 * SECONDS);
        longest_us = waited_us > longest_us ? waited_us : longest_us;
        is_up[0] = true;
        for (int i = 0; i < 120 && s->health->services[0]->state != SERVICE_UP; i++) {
            loop_advance(s->loop, SECONDS / 4);
        }
        loop_advance(s->loop, 29 * SECONDS);
        assert_true(is_open(s, "web")); /* it may go again */
        assert_has(alert_of(s, "web").description, "It is up again.");
        assert_has(alert_of(s, "web").evidence, "recovering");
        loop_advance(s->loop, 2 * SECONDS);
        assert_false(is_open(s, "web"));
    }
    assert_true(longest_us <= 34 * SECONDS + SECONDS / 4);
    close_stage(s);
}

static void a_blip_raises_no_alert(void **state)
{
    (void)state;
    struct stage *s = started(one, 0);
    for (int i = 0; i < 20; i++) {
        loop_advance(s->loop, 6 * MINUTES);
        int before = s->runs;
        is_up[0] = false;
        while (s->runs == before) {
            loop_advance(s->loop, SECONDS / 4);
        }
        is_up[0] = true; /* at the second look */
        loop_advance(s->loop, 10 * SECONDS);
        assert_true(s->runs >= before + 2);
    }
    assert_int_equal(alert_of(s, "web").status, ALERT_WONTFIX);
    close_stage(s);
}

/* Lets `looks` checks of web see it up or down, one after the other: "FFOF". */
static void see(struct stage *s, const char *looks)
{
    for (; *looks != '\0'; looks++) {
        int before = s->runs;
        is_up[0] = *looks == 'O';
        while (s->runs == before) {
            loop_advance(s->loop, SECONDS / 4);
        }
    }
}

/* Failures too far apart for a row, and too few episodes for flapping: N of the last M decides. */
static void so_many_of_the_last_checks_raise_an_alert(void **state)
{
    static const struct {
        const char *options;
        const char *looks; /* the last one raises the alert */
        bool raised;
    } cases[] = {{"", "FFOF", true},
                 {"", "FOFF", true},
                 {"", "FFOOF", true},
                 {"", "FFOOOF", false},
                 {"", "FOOF", false},
                 {"", "FFF", true},
                 {"alert_within: 3", "FFOF", false},  /* only a row of three */
                 {"alert_within: 8", "FFOOOF", true}, /* further back */
                 {"alert_within: 64, alert_after: 2", "FOOOOOOOOOOOOF", true},
                 {"alert_after: 4", "FFOFF", true},
                 {"alert_after: 5", "FFOFFF", false}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char yaml[256];
        (void)snprintf(yaml, sizeof(yaml),
                       "services: {web: {url: 'http://h', flapping_after: 16%s%s}}\n",
                       cases[i].options[0] != '\0' ? ", " : "", cases[i].options);
        struct stage *s = started(yaml, 40 * MINUTES);
        char first[32];
        (void)snprintf(first, sizeof(first), "%.*s", (int)strlen(cases[i].looks) - 1,
                       cases[i].looks);
        see(s, first);
        assert_false(is_open(s, "web"));
        see(s, cases[i].looks + strlen(first));
        if (is_open(s, "web") != cases[i].raised) {
            fail_msg("{%s} %s", cases[i].options, cases[i].looks);
        }
        close_stage(s);
    }
}

/* The failures of an alert that is over do not make a blip the next one. */
static void an_alert_that_is_over_does_not_count_again(void **state)
{
    (void)state;
    struct stage *s = started(
        "services: {web: {url: 'http://h', flapping_after: 16, alert_within: 8}}\n", 10 * MINUTES);
    see(s, "FFF");
    assert_true(is_open(s, "web"));
    see(s, "O");
    loop_advance(s->loop, 31 * SECONDS); /* one more check */
    assert_false(is_open(s, "web"));
    see(s, "F");
    assert_false(is_open(s, "web"));
    see(s, "OF"); /* its own do */
    assert_false(is_open(s, "web"));
    see(s, "F");
    assert_true(is_open(s, "web"));
    close_stage(s);
}

/* 20 s up, 20 s down: one alert, which stays open until the service is steady. */
static void flapping_is_one_alert(void **state)
{
    (void)state;
    struct stage *s = started(one, 10 * MINUTES);
    int closings = 0;
    bool was_open = false;
    for (int second = 0; second < 20 * 60; second++) {
        is_up[0] = second % 40 < 20;
        loop_advance(s->loop, SECONDS);
        closings += was_open && !is_open(s, "web") ? 1 : 0;
        was_open = is_open(s, "web");
    }
    assert_true(was_open);
    assert_int_equal(closings, 0);
    assert_string_equal(alert_of(s, "web").title, "web is flapping");
    assert_int_equal(alert_of(s, "web").id, 1); /* opened again, not another one */
    is_up[0] = true;
    loop_advance(s->loop, 3 * MINUTES);
    assert_true(is_open(s, "web"));
    assert_int_equal(s->health->services[0]->state, SERVICE_FLAPPING);
    loop_advance(s->loop, 3 * MINUTES);
    assert_false(is_open(s, "web"));
    assert_int_equal(s->health->services[0]->state, SERVICE_UP);
    close_stage(s);
}

/* systemd has restarted it between two checks, each of which saw it up. */
static void restarts_that_no_check_saw_are_flapping(void **state)
{
    (void)state;
    struct stage *s = started(one, 10 * MINUTES);
    service_note_failure(s->health->services[0]);
    service_note_failure(s->health->services[0]);
    loop_advance(s->loop, MINUTES);
    assert_false(is_open(s, "web"));
    service_note_failure(s->health->services[0]);
    loop_advance(s->loop, MINUTES);
    assert_true(is_open(s, "web"));
    assert_has(alert_of(s, "web").description,
               "It failed 3 times in the last 10 min; now it is up.");
    close_stage(s);
}

static void a_slow_start_is_no_failure(void **state)
{
    (void)state;
    struct stage *s =
        started("services: {web: {url: 'http://h', start_grace: 1m}}\n", 10 * MINUTES);
    struct service *web = s->health->services[0];
    is_up[0] = false;
    service_begin_grace(web, false); /* as by /restart */
    loop_advance(s->loop, 59 * SECONDS);
    assert_false(is_open(s, "web"));
    is_up[0] = true;
    loop_advance(s->loop, 2 * SECONDS);
    assert_int_equal(web->state, SERVICE_UP);
    loop_advance(s->loop, 10 * MINUTES);
    service_begin_grace(web, false);
    is_up[0] = false;
    loop_advance(s->loop, MINUTES);
    (void)until_open(s, "web", 7 * SECONDS); /* it does not start */
    close_stage(s);
}

/* Each start after a crash has its grace; together they are no start. */
static void a_crash_loop_is_not_starting(void **state)
{
    (void)state;
    struct stage *s = started(one, 10 * MINUTES);
    struct service *web = s->health->services[0];
    is_up[0] = false;
    for (int i = 0; i < 3; i++) {
        assert_false(is_open(s, "web"));
        service_note_failure(web);
        service_begin_grace(web, true);
        service_check_soon(web);
        loop_advance(s->loop, 5 * SECONDS);
    }
    assert_true(is_open(s, "web"));
    assert_string_equal(alert_of(s, "web").title, "web is flapping");
    close_stage(s);
}

/* A command waits for it: that the check sees the new process does not make the time shorter. */
static void a_start_keeps_the_time_that_it_was_given(void **state)
{
    (void)state;
    struct stage *s = started(one, 10 * MINUTES);
    struct service *web = s->health->services[0];
    is_up[0] = false;
    service_begin_grace(web, false);
    web->grace_mono_us += MINUTES; /* as by service_wait */
    service_begin_grace(web, false);
    loop_advance(s->loop, 80 * SECONDS);
    assert_false(is_open(s, "web"));
    (void)until_open(s, "web", 20 * SECONDS);
    close_stage(s);
}

/* The parent was away for a while without an alert, as in a restart by hand: its child, which feels
 * it later and longer, is no news. */
static void a_child_has_time_to_recover(void **state)
{
    (void)state;
    struct stage *s = started("services:\n"
                              "  db: {url: 'http://h', start_grace: 1m}\n"
                              "  web: {url: 'http://h', depends_on: [db]}\n",
                              0);
    for (int at = 0; at < 10; at++) {
        loop_advance(s->loop, 20 * MINUTES + at * 3 * SECONDS);
        is_up[0] = false;
        (void)until_open(s, "db", 50 * SECONDS);
        is_up[0] = true;
        service_begin_grace(s->health->services[0], false); /* restarted */
        service_check_soon(s->health->services[0]);
        loop_advance(s->loop, SECONDS);
        assert_false(is_open(s, "db"));
        is_up[1] = false;
        service_check_soon(s->health->services[1]);
        loop_advance(s->loop, 15 * SECONDS);
        is_up[1] = true;
        loop_advance(s->loop, 15 * SECONDS);
        assert_int_equal(alert_of(s, "web").status, ALERT_WONTFIX);
    }
    close_stage(s);
}

static void what_is_sure_needs_no_second_look(void **state)
{
    (void)state;
    struct stage *s = started(one, 10 * MINUTES);
    service_begin_grace(s->health->services[0], false);
    is_up[0] = false;
    is_sure = true;
    service_check_soon(s->health->services[0]); /* a signal of systemd */
    loop_advance(s->loop, SECONDS / 100);
    assert_true(is_open(s, "web"));
    assert_has(alert_of(s, "web").description, ": unit failed.");
    close_stage(s);
}

static void a_dead_parent_is_named_as_the_cause(void **state)
{
    (void)state;
    struct stage *s = started("services:\n"
                              "  db: {url: 'http://h'}\n"
                              "  web: {url: 'http://h', depends_on: [db]}\n"
                              "  app: {url: 'http://h', depends_on: [web]}\n",
                              0);
    for (int at = 0; at < 10; at++) {
        loop_advance(s->loop, 20 * MINUTES + at * 3 * SECONDS);
        is_up[0] = is_up[1] = is_up[2] = false;
        (void)until_open(s, "app", 50 * SECONDS);
        (void)until_open(s, "web", 50 * SECONDS);
        assert_true(is_open(s, "db"));
        assert_string_equal(alert_of(s, "db").cause, "");
        assert_string_equal(alert_of(s, "web").cause, "service:db");
        assert_string_equal(alert_of(s, "app").cause, "service:db"); /* of the whole chain */
        is_up[0] = true;
        loop_advance(s->loop, 30 * SECONDS);
        assert_int_equal(alert_of(s, "web").count, 1); /* not by itself yet */
        is_up[1] = is_up[2] = true;                    /* they need a moment longer */
        loop_advance(s->loop, 32 * SECONDS);
        assert_false(is_open(s, "db"));
        assert_false(is_open(s, "web"));
        assert_false(is_open(s, "app"));
    }
    is_up[1] = false; /* alone */
    loop_advance(s->loop, 40 * SECONDS);
    assert_string_equal(alert_of(s, "web").cause, "");
    close_stage(s);
}

/* The parent is back, and its child is not: it counts by itself. */
static void a_child_that_stays_down_is_told(void **state)
{
    (void)state;
    struct stage *s = started("services:\n"
                              "  db: {url: 'http://h'}\n"
                              "  web: {url: 'http://h', depends_on: [db]}\n",
                              20 * MINUTES);
    is_up[0] = is_up[1] = false;
    (void)until_open(s, "web", 50 * SECONDS);
    assert_string_equal(alert_of(s, "web").cause, "service:db");
    is_up[0] = true;
    loop_advance(s->loop, 2 * MINUTES);
    assert_true(is_open(s, "web"));
    assert_string_equal(alert_of(s, "web").cause, "");
    close_stage(s);
}

static void many_services_are_spread_over_the_interval(void **state)
{
    (void)state;
    AUTO_BUF struct buf yaml = BUF_INIT((size_t)1 << 20);
    buf_add_c(&yaml, "services:\n");
    for (int i = 0; i < SERVICES; i++) {
        buf_addf(&yaml, "  s%d: {url: 'http://h'}\n", i);
    }
    struct stage *s = open_stage(yaml.data);
    assert_int_equal(s->health->count, SERVICES);
    start(s);
    loop_advance(s->loop, 6 * SECONDS);
    assert_int_equal(health_up(s->health), SERVICES); /* the first round does not take long */
    loop_advance(s->loop, 2 * MINUTES);
    int most = 0;
    int before = s->runs;
    for (int i = 0; i < 60; i++) {
        int runs = s->runs;
        loop_advance(s->loop, SECONDS / 2);
        most = s->runs - runs > most ? s->runs - runs : most;
    }
    assert_in_range(s->runs - before, SERVICES - 4, SERVICES + 4);
    assert_in_range(most, 1, 3 * SERVICES / 60);
    close_stage(s);
}

/* The first rounds are spread, but no further apart than the interval of the service itself. */
static void a_short_interval_counts_from_the_start(void **state)
{
    (void)state;
    struct stage *s = started("services:\n  slow: {url: 'http://h'}\n"
                              "  quick: {url: 'http://h', interval: 2s}\n",
                              10 * SECONDS);
    /* quick at about 0, 2, 4, 6, 8 and 10 s, slow at 0 s */
    assert_in_range(s->runs, 6, 8);
    close_stage(s);
}

/* ------------------------------------------------------------------ calls of jobs */

static const char backup[] =
    "services: {backup: {checks: {nightly: {heartbeat: 1h, grace: 5m}}}}\n";

static void call(const struct stage *s, enum heartbeat_call what)
{
    struct check *check = s->health->services[0]->checks[0];
    assert_true(health_heartbeat(s->health, str_c(heartbeat_key(check)), what));
    loop_advance(s->loop, SECONDS);
}

static void a_call_that_does_not_come_is_missed(void **state)
{
    (void)state;
    struct stage *s = open_stage(backup);
    health_start(s->health);
    loop_advance(s->loop, 64 * MINUTES);
    assert_int_equal(s->health->services[0]->state, SERVICE_UP);
    (void)until_open(s, "backup", 2 * MINUTES);
    assert_has(alert_of(s, "backup").description,
               "no call for 1 h 5 min; one is expected every 1 h");
    call(s, HEARTBEAT_SUCCESS);
    assert_false(is_open(s, "backup"));
    for (int i = 0; i < 20; i++) {
        loop_advance(s->loop, 64 * MINUTES); /* late, within the grace */
        call(s, HEARTBEAT_SUCCESS);
    }
    assert_int_equal(alert_of(s, "backup").id, 1);
    assert_false(is_open(s, "backup"));
    assert_false(health_heartbeat(s->health, STR_LIT("0123"), HEARTBEAT_SUCCESS));
    close_stage(s);
}

static void a_job_that_fails_or_hangs_is_seen(void **state)
{
    (void)state;
    struct stage *s = open_stage(backup);
    health_start(s->health);
    call(s, HEARTBEAT_FAILURE);
    assert_true(is_open(s, "backup"));
    call(s, HEARTBEAT_SUCCESS);
    assert_false(is_open(s, "backup"));
    loop_advance(s->loop, 40 * MINUTES);
    call(s, HEARTBEAT_START);
    loop_advance(s->loop, 4 * MINUTES);
    assert_false(is_open(s, "backup"));
    (void)until_open(s, "backup", 2 * MINUTES);
    assert_has(alert_of(s, "backup").description, "and has not ended");
    call(s, HEARTBEAT_SUCCESS);
    assert_false(is_open(s, "backup"));
    close_stage(s);
}

/* A call of the time before is known, and one that found no nightdesk is not missed at once. */
static void a_restart_forgets_no_call(void **state)
{
    (void)state;
    struct stage *s = open_stage(backup);
    char key[HEARTBEAT_KEY_SIZE];
    health_start(s->health);
    (void)str_copy(str_c(heartbeat_key(s->health->services[0]->checks[0])), key, sizeof(key));
    loop_advance(s->loop, 30 * MINUTES);
    call(s, HEARTBEAT_FAILURE);
    health_free(s->health);
    open_health(s);
    health_start(s->health);
    assert_string_equal(heartbeat_key(s->health->services[0]->checks[0]), key);
    loop_advance(s->loop, MINUTES);
    assert_true(is_open(s, "backup"));
    call(s, HEARTBEAT_SUCCESS);
    health_free(s->health);
    loop_advance(s->loop, 3 * 60 * MINUTES); /* nightdesk is stopped */
    open_health(s);
    health_start(s->health);
    loop_advance(s->loop, 4 * MINUTES);
    assert_false(is_open(s, "backup"));
    (void)until_open(s, "backup", 2 * MINUTES);
    close_stage(s);
}

UNIT_GROUP(health_service, cmocka_unit_test(a_failure_is_confirmed_quickly),
           cmocka_unit_test(a_blip_raises_no_alert), cmocka_unit_test(flapping_is_one_alert),
           cmocka_unit_test(so_many_of_the_last_checks_raise_an_alert),
           cmocka_unit_test(an_alert_that_is_over_does_not_count_again),
           cmocka_unit_test(restarts_that_no_check_saw_are_flapping),
           cmocka_unit_test(a_slow_start_is_no_failure),
           cmocka_unit_test(a_crash_loop_is_not_starting),
           cmocka_unit_test(a_start_keeps_the_time_that_it_was_given),
           cmocka_unit_test(a_child_has_time_to_recover),
           cmocka_unit_test(what_is_sure_needs_no_second_look),
           cmocka_unit_test(a_dead_parent_is_named_as_the_cause),
           cmocka_unit_test(a_child_that_stays_down_is_told),
           cmocka_unit_test(many_services_are_spread_over_the_interval),
           cmocka_unit_test(a_short_interval_counts_from_the_start),
           cmocka_unit_test(a_call_that_does_not_come_is_missed),
           cmocka_unit_test(a_job_that_fails_or_hangs_is_seen),
           cmocka_unit_test(a_restart_forgets_no_call))
