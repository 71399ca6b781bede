#include "../../../src/ops/ops_audit.h"
#include "alerts/alerts.h"
#include "base/clock.h"
#include "config/config.h"
#include "io/secret.h"
#include "store/alert_table.h"
#include "store/audit_chain.h"
#include "store/audit_seal.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <string.h>

#define START_US (INT64_C(1795000000) * USEC_PER_SEC)

static void append(struct ops_store *store)
{
    int64_t id = 0;
    const struct audit_entry entry = {.at_us = START_US,
                                      .user = "alice",
                                      .channel = "telegram",
                                      .action = "command.received",
                                      .detail = "run 1: pause",
                                      .result = "ok"};
    assert_int_equal(audit_chain_append(store, &entry, &id, NULL), 0);
}

/* A seal covers a row that has changed since: a critical alert, and no new seal over it. */
static void a_broken_chain_raises_a_critical_alert(void **state)
{
    (void)state;
    struct clock_fake clock;
    struct config *config = NULL;
    struct ops *ops = calloc(1, sizeof(*ops));
    struct alert alert;
    struct audit_seal before;
    char folder[] = "/var/tmp/nightdesk-ops-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    assert_non_null(ops);
    clock_fake_init(&clock, START_US);
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(config_parse(STR_LIT("{}"), "test", &config, NULL, NULL), 0);
    assert_int_equal(ops_store_open(folder, OPS_STORE_WRITE, &ops->store, NULL), 0);
    const struct alerts_options options = {
        .clock = &clock.clock, .config = config, .store = ops->store, .headless = true};
    assert_int_equal(alerts_new(&options, &ops->alerts, NULL), 0);
    ops->clock = &clock.clock;
    assert_int_equal(audit_seal_create_key(ops->store, NULL), 0);
    append(ops->store);
    ops_audit_seal(ops);
    assert_int_equal(alert_table_find(ops->store, OPS_AUDIT_ALERT, &alert, NULL),
                     -ERR_STORE_NOT_FOUND);
    before = ops->sealed;
    assert_true(before.rows > 0);

    append(ops->store);
    ops->sealed.last_hash[0] = ops->sealed.last_hash[0] == '0' ? '1' : '0';
    ops_audit_seal(ops);
    assert_int_equal(alert_table_find(ops->store, OPS_AUDIT_ALERT, &alert, NULL), 0);
    assert_int_equal(alert.severity, SEVERITY_CRITICAL);
    assert_int_equal(alert.status, ALERT_OPEN);
    assert_int_equal(ops->sealed.rows, before.rows);

    ops->sealed = before; /* the row is as it was: sealed again, and the alert ends */
    ops_audit_seal(ops);
    assert_true(ops->sealed.rows > before.rows);
    assert_int_equal(alert_table_find(ops->store, OPS_AUDIT_ALERT, &alert, NULL), 0);
    assert_int_not_equal(alert.status, ALERT_OPEN);
    alerts_free(ops->alerts);
    ops_store_free(ops->store);
    config_free(config);
    free(ops);
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

UNIT_GROUP(ops_audit, cmocka_unit_test(a_broken_chain_raises_a_critical_alert))
