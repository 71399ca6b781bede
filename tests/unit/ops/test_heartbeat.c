#include "../../../src/ops/heartbeat.h"
#include "alerts/alerts.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/secret.h"
#include "io/web.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <stdatomic.h>
#include <string.h>

#define SECRET_PART "5up3r-53cr3t"

struct fixture {
    struct loop *loop;
    struct http *http;
    struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    struct web *web; /* the outside service */
    atomic_int received;
    atomic_int status;
    bool alive;
    struct heartbeat *heartbeat;
    char logged[8192];
};

static void keep_log(const struct log_line *line, void *userdata)
{
    struct fixture *f = userdata;
    size_t at = strlen(f->logged);
    (void)snprintf(f->logged + at, sizeof(f->logged) - at, "%s\n", line->message);
}

static void on_request(struct web_request *request, void *userdata)
{
    struct fixture *f = userdata;
    assert_true(str_equal_c(web_path(request), "/" SECRET_PART));
    assert_true(str_equal_c(web_method(request), "GET"));
    (void)atomic_fetch_add(&f->received, 1);
    web_answer_c(request, atomic_load(&f->status), "OK");
}

static bool is_alive(void *userdata)
{
    const struct fixture *f = userdata;
    return f->alive;
}

static void begin(struct fixture *f, int64_t alert_after_us)
{
    char url[96];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/" SECRET_PART, web_port(f->web));
    static char kept[96];
    memcpy(kept, url, sizeof(kept));
    f->heartbeat = heartbeat_new(&(struct heartbeat_options){.loop = f->loop,
                                                             .http = f->http,
                                                             .alerts = f->alerts,
                                                             .url = kept,
                                                             .interval_us = 20 * USEC_PER_MSEC,
                                                             .alert_after_us = alert_after_us,
                                                             .alive = is_alive,
                                                             .userdata = f});
    assert_non_null(f->heartbeat);
    heartbeat_start(f->heartbeat);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(secret_init(NULL), 0);
    f->loop = loop_new(NULL);
    f->http = http_new(f->loop, NULL);
    assert_int_equal(config_load(&(struct config_options){.no_file = true}, &f->config, NULL, NULL),
                     0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &f->store, NULL), 0);
    assert_int_equal(
        alerts_new(
            &(struct alerts_options){.clock = clock_real(), .config = f->config, .store = f->store},
            &f->alerts, NULL),
        0);
    assert_int_equal(
        web_start(&(struct web_options){.handler = on_request, .userdata = f}, &f->web, NULL), 0);
    atomic_store(&f->status, 200);
    f->alive = true;
    log_set_sink(keep_log, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    heartbeat_free(f->heartbeat);
    web_stop(f->web);
    alerts_free(f->alerts);
    ops_store_free(f->store);
    config_free(f->config);
    http_free(f->http);
    loop_free(f->loop);
    log_set_sink(NULL, NULL);
    free(f);
    return 0;
}

#define UNTIL(f, condition)                                                \
    do {                                                                   \
        int64_t end_us_ = clock_mono_us(clock_real()) + 20 * USEC_PER_SEC; \
        while (!(condition) && clock_mono_us(clock_real()) < end_us_) {    \
            (void)loop_iterate((f)->loop, 10 * USEC_PER_MSEC);             \
        }                                                                  \
        assert_true(condition);                                            \
    } while (0)

static int status_of_alert(struct fixture *f, struct alert *ret)
{
    return alert_table_find(f->store, "heartbeat:undelivered", ret, NULL) < 0 ? -1
                                                                              : (int)ret->status;
}

static void heartbeats_are_sent_only_while_alive(void **state)
{
    struct fixture *f = *state;
    begin(f, USEC_PER_HOUR);
    UNTIL(f, atomic_load(&f->received) >= 3);
    f->alive = false;
    for (int i = 0; i < 5; i++) { /* a heartbeat under way arrives */
        (void)loop_iterate(f->loop, 50 * USEC_PER_MSEC);
    }
    int received = atomic_load(&f->received);
    int64_t end_us = clock_mono_us(clock_real()) + 300 * USEC_PER_MSEC;
    while (clock_mono_us(clock_real()) < end_us) {
        (void)loop_iterate(f->loop, 20 * USEC_PER_MSEC);
    }
    assert_int_equal(atomic_load(&f->received), received);
    assert_non_null(strstr(f->logged, "the heartbeat is withheld"));
    f->alive = true;
    UNTIL(f, atomic_load(&f->received) > received);
}

static void long_failures_raise_an_alert_that_resolves(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    AUTO_BUF struct buf line = BUF_INIT(256);
    AUTO_JSON struct json_object *data = json_object_new_object();
    atomic_store(&f->status, 503);
    begin(f, 200 * USEC_PER_MSEC);
    UNTIL(f, status_of_alert(f, alert) == (int)ALERT_OPEN);
    assert_true(atomic_load(&f->received) >= 2); /* not at the first failure */
    assert_int_equal(alert->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(alert->description, "HTTP status 503"));
    heartbeat_status(&line, data, f->heartbeat);
    assert_non_null(strstr(line.data, "Heartbeat not delivered for "));
    assert_true(json_i64(json_get(data, "heartbeat"), "failures", 0) >= 2);

    web_stop(f->web); /* connection refused: reported like any other failure */
    f->web = NULL;
    UNTIL(f, strstr(f->logged, "heartbeat failed") != NULL);
    assert_null(strstr(f->logged, SECRET_PART));
    assert_null(strstr(alert->description, SECRET_PART));
    free(alert);
}

static void a_success_resolves_the_alert(void **state)
{
    struct fixture *f = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    AUTO_BUF struct buf line = BUF_INIT(256);
    AUTO_JSON struct json_object *data = json_object_new_object();
    atomic_store(&f->status, 500);
    begin(f, 100 * USEC_PER_MSEC);
    UNTIL(f, status_of_alert(f, alert) == (int)ALERT_OPEN);
    atomic_store(&f->status, 204);
    UNTIL(f, status_of_alert(f, alert) == (int)ALERT_FIXED);
    heartbeat_status(&line, data, f->heartbeat);
    assert_int_equal(line.len, 0); /* no line while heartbeats succeed */
    free(alert);
}

static void without_a_url_there_is_no_heartbeat(void **state)
{
    (void)state;
    assert_null(heartbeat_new(&(struct heartbeat_options){.url = ""}));
    heartbeat_start(NULL);
    heartbeat_free(NULL);
}

UNIT_GROUP(heartbeat,
           cmocka_unit_test_setup_teardown(heartbeats_are_sent_only_while_alive, setup, teardown),
           cmocka_unit_test_setup_teardown(long_failures_raise_an_alert_that_resolves, setup,
                                           teardown),
           cmocka_unit_test_setup_teardown(a_success_resolves_the_alert, setup, teardown),
           cmocka_unit_test(without_a_url_there_is_no_heartbeat))
