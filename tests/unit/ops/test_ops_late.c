#include "../../../src/ops/ops_late.h"
#include "access/access.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "command/runner.h"
#include "config/config.h"
#include "io/embed.h"
#include "io/loop.h"
#include "io/secret.h"
#include "store/alert_table.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
#include "unit/unit.h"

#include <string.h>

#define START_US (INT64_C(1795000000) * USEC_PER_SEC)

struct fixture {
    struct clock_fake clock;
    struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    struct loop *loop;
    struct access *access;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct runner *runner;
    struct reply *reply;
    int64_t run_id;
};

/* Adds a /close that ended as failed, with its message in the outbox. */
static void add_run(struct fixture *f)
{
    const struct run_new row = {.command = "close",
                                .args_json = "{}",
                                .user_id = 7,
                                .user_name = "alice",
                                .role = "operator",
                                .channel = "telegram",
                                .chat_id = 42,
                                .state = RUN_RUNNING};
    assert_int_equal(run_table_add(f->store, &row, START_US, &f->run_id, NULL), 0);
    assert_int_equal(
        run_table_finish(f->store, f->run_id, RUN_FAILED, ERR_STEP_TIMEOUT, NULL, START_US, NULL),
        0);
    const struct outbox_new message = {.channel = "telegram",
                                       .chat_id = 42,
                                       .kind = OUTBOX_SEND,
                                       .priority = OUTBOX_NORMAL,
                                       .payload = "{}",
                                       .run_id = f->run_id};
    int64_t id = 0;
    assert_int_equal(outbox_table_add(f->store, &message, START_US, &id, NULL), 0);
}

static int setup(void **state)
{
    static const struct embedded_file none[] = {{0}};
    struct fixture *f = calloc(1, sizeof(*f));
    clock_fake_init(&f->clock, START_US);
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(config_parse(STR_LIT(""), "test", &f->config, NULL, NULL), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &f->store, NULL), 0);
    const struct alerts_options alerts = {
        .clock = &f->clock.clock, .config = f->config, .store = f->store};
    assert_int_equal(alerts_new(&alerts, &f->alerts, NULL), 0);
    assert_int_equal(access_new(f->config, f->store, &f->clock.clock, &f->access, NULL), 0);
    f->loop = loop_new_fake(&f->clock, NULL);
    f->actions = action_table_new();
    assert_int_equal(manifest_list_read(f->actions, none, &f->manifests, NULL), 0);
    const struct runner_options runner = {.loop = f->loop,
                                          .clock = &f->clock.clock,
                                          .config = f->config,
                                          .store = f->store,
                                          .access = f->access,
                                          .actions = f->actions,
                                          .manifests = f->manifests};
    assert_int_equal(runner_new(&runner, &f->runner, NULL), 0);
    f->reply = reply_new();
    reply_title(f->reply, TONE_WARN, "Done late, after 42 s: close of BTC-USD");
    add_run(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    reply_free(f->reply);
    runner_free(f->runner);
    manifest_list_free(f->manifests);
    action_table_free(f->actions);
    loop_free(f->loop);
    access_free(f->access);
    alerts_free(f->alerts);
    ops_store_free(f->store);
    config_free(f->config);
    free(f);
    return 0;
}

/* Fails writes to the table that userdata names. */
static int fail_table(const char *what, void *userdata)
{
    return strstr(what, userdata) != NULL ? -ERR_DB_FULL : 0;
}

static unsigned report(struct fixture *f, enum request_kind kind, bool happened, unsigned notified)
{
    const struct desk_late late = {.run_id = f->run_id,
                                   .kind = kind,
                                   .happened = happened,
                                   .reply = f->reply,
                                   .notified = notified};
    return ops_late_report(&late, f->runner, f->alerts);
}

static int64_t edits(struct fixture *f)
{
    int64_t count = 0;
    struct outbox_row row;
    for (int64_t id = 1; outbox_table_get(f->store, id, &row, NULL) == 0; id++) {
        count += row.kind == OUTBOX_EDIT && row.edit_of == 1 ? 1 : 0;
        outbox_row_release(&row);
    }
    return count;
}

/* How often the message was stored, by the audit log: a newer edit replaces one that was not sent.
 */
static int times_reported(struct fixture *f)
{
    static struct audit_row rows[20];
    int count = 0;
    int n = audit_chain_list(f->store, 0, rows, COUNT_OF(rows), NULL);
    for (int i = 0; i < n; i++) {
        count += strcmp(rows[i].action, "command.late") == 0 ? 1 : 0;
    }
    return count;
}

static int64_t raised(struct fixture *f)
{
    struct alert *alert = calloc(1, sizeof(*alert));
    int rc = alert_table_find(f->store, "late:request", alert, NULL);
    int64_t count = rc == 0 ? alert->count : 0;
    free(alert);
    return count;
}

static void an_alert_that_fails_leaves_the_message_alone(void **state)
{
    struct fixture *f = *state;
    static char table[] = "monitoring_alerts";
    unsigned notified = 0;
    ops_store_set_fault(f->store, fail_table, table);
    for (int i = 0; i < 5; i++) {
        notified = report(f, REQUEST_CLOSE, true, notified);
        assert_int_equal(notified, DESK_LATE_MESSAGE);
    }
    ops_store_set_fault(f->store, NULL, NULL);
    notified = report(f, REQUEST_CLOSE, true, notified);
    assert_int_equal(notified, DESK_LATE_ALL);
    assert_int_equal(edits(f), 1);
    assert_int_equal(times_reported(f), 1);
    assert_int_equal(raised(f), 1);
}

static void a_message_that_fails_leaves_the_alert_alone(void **state)
{
    struct fixture *f = *state;
    static char table[] = "audit_log";
    unsigned notified = 0;
    ops_store_set_fault(f->store, fail_table, table);
    for (int i = 0; i < 5; i++) {
        notified = report(f, REQUEST_CLOSE, true, notified);
        assert_int_equal(notified, DESK_LATE_ALERT);
    }
    ops_store_set_fault(f->store, NULL, NULL);
    notified = report(f, REQUEST_CLOSE, true, notified);
    assert_int_equal(notified, DESK_LATE_ALL);
    assert_int_equal(edits(f), 1);
    assert_int_equal(times_reported(f), 1);
    assert_int_equal(raised(f), 1);
}

static void a_refused_or_pruned_request_has_fewer_parts(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(report(f, REQUEST_CLOSE, false, 0), DESK_LATE_ALL);
    assert_int_equal(edits(f), 1);
    assert_int_equal(times_reported(f), 1);
    assert_int_equal(raised(f), 0);
    f->run_id = 4711; /* pruned */
    assert_int_equal(report(f, REQUEST_EMERGENCY_STOP, true, 0), DESK_LATE_ALL);
    assert_int_equal(edits(f), 1);
    assert_int_equal(times_reported(f), 1);
    assert_int_equal(raised(f), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(ops_late, TEST(an_alert_that_fails_leaves_the_message_alone),
           TEST(a_message_that_fails_leaves_the_alert_alone),
           TEST(a_refused_or_pruned_request_has_fewer_parts))
