#include "../../../src/ops/ops_alerts.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "base/clock.h"
#include "command/manifest.h"
#include "config/config.h"
#include "io/embed.h"
#include "io/secret.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <string.h>

#define START_US (INT64_C(1795000000) * USEC_PER_SEC)

static const char *const fingerprints[] = {
    "service:gone",          "service:demo",       "schedule:gone",
    "telegram:token",        "ops:DB_MOVED",       "telegram:chat:-1001",
    "heartbeat:undelivered", "clock:jump",         "metric:host:disk",
    "metric:demo/api:time",  "metric:gone:memory", "metric:service:host:files",
};

static void sweep(const char *yaml, bool started, unsigned wanted_open)
{
    static const struct embedded_file none[] = {{0}};
    struct clock_fake clock;
    struct config *config = NULL;
    struct ops_store *store = NULL;
    struct alerts *alerts = NULL;
    struct manifest_list *manifests = NULL;
    struct action_table *actions = action_table_new();
    clock_fake_init(&clock, START_US);
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(config_parse(str_c(yaml), "test", &config, NULL, NULL), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &store, NULL), 0);
    assert_int_equal(manifest_list_read(actions, none, &manifests, NULL), 0);
    const struct alerts_options options = {
        .clock = &clock.clock, .config = config, .store = store, .headless = true};
    assert_int_equal(alerts_new(&options, &alerts, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(fingerprints); i++) {
        int64_t id = 0;
        const struct alert_spec spec = {.type = ALERT_SERVICE,
                                        .severity = SEVERITY_HIGH,
                                        .source = "ops",
                                        .fingerprint = fingerprints[i],
                                        .title = "left open by the process before",
                                        .status = ALERT_OPEN};
        assert_int_equal(alerts_raise(alerts, &spec, &id, NULL), 0);
    }
    ops_alerts_sweep(&(struct ops_alerts){.store = store,
                                          .alerts = alerts,
                                          .config = config,
                                          .manifests = manifests,
                                          .started = started});
    for (size_t i = 0; i < COUNT_OF(fingerprints); i++) {
        struct alert alert;
        assert_int_equal(alert_table_find(store, fingerprints[i], &alert, NULL), 0);
        if ((alert.status == ALERT_OPEN) != ((wanted_open >> i & 1) != 0)) {
            fail_msg("%s is %s", fingerprints[i], alert.status == ALERT_OPEN ? "open" : "closed");
        }
    }
    alerts_free(alerts);
    manifest_list_free(manifests);
    action_table_free(actions);
    ops_store_free(store);
    config_free(config);
}

static void alerts_without_a_cause_are_closed(void **state)
{
    (void)state;
    static const char demo[] = "services: {demo: {url: 'http://127.0.0.1:1'}}\n";
    static const char all[] = "services: {demo: {url: 'http://127.0.0.1:1'}}\n"
                              "telegram: {bot_token: '123456:abc', chat_id: 1}\n"
                              "monitoring: {heartbeat_url: 'http://127.0.0.1:1/beat'}\n";
    const unsigned always = 1U << 1 | 1U << 7 | 1U << 8 | 1U << 9;
    sweep(demo, true, always);
    sweep(demo, false, always | 1U << 4);
    sweep(all, true, always | 1U << 3 | 1U << 5 | 1U << 6);
}

UNIT_GROUP(ops_alerts, cmocka_unit_test(alerts_without_a_cause_are_closed))
