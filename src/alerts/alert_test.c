#include "alerts_internal.h"
#include "base/check.h"
#include "io/loop.h"
#include "store/ops.h"

#include <string.h>

#define LOOK_US   (100 * USEC_PER_MSEC)
#define WAIT_US   (20 * USEC_PER_SEC)
#define TESTS_MAX 16

/* The messages of one test. */
struct alert_test {
    struct alerts *alerts;
    struct action_call *call;
    struct loop_source *timer;
    int64_t begun_mono_us;
    struct {
        const char *channel;
        int64_t chat_id;
        int64_t outbox_id;
    } items[TESTS_MAX];
    size_t count;
};

static struct reply *test_reply(const struct action_call *call)
{
    struct reply *r = reply_new();
    reply_title(r, TONE_GOOD, "test of the alert channels");
    reply_line(r, "%s sent this with /test_alert. Nothing is wrong.", action_who(call)->name);
    return r;
}

static bool add_channel(struct alert_test *test, const char *wanted,
                        const struct alert_target *target)
{
    bool asked = strcmp(wanted, "all") == 0 || strcmp(wanted, target->channel) == 0;
    if (!asked || test->count == TESTS_MAX) {
        return false;
    }
    test->items[test->count].channel = target->channel;
    test->items[test->count].chat_id = target->chat_id;
    test->count++;
    return true;
}

static int post_body(struct alert_change *change, struct err *err)
{
    struct alert_test *test = change->userdata;
    struct alerts *alerts = change->alerts;
    const char *wanted = action_text(test->call, "channel");
    struct alert_target targets[ALERT_TARGETS_MAX + 2];
    size_t count = alert_targets(alerts, NOTICE_HIGH, targets);
    bool has_second = count > 0 && alert_is_second_channel(targets[0].channel);
    AUTO_REPLY struct reply *reply = test_reply(test->call);
    for (int i = 0; i < 2 && !has_second; i++) {
        const char *channel = i == 0 ? "mail" : "webhook";
        if (alert_channel_on(alerts->o.config, channel)) {
            targets[count++] = (struct alert_target){.channel = channel};
        }
    }
    int rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        if (add_channel(test, wanted, &targets[i])) {
            rc = alert_post(alerts, &targets[i], reply, OUTBOX_NORMAL, 0,
                            &test->items[test->count - 1].outbox_id, err);
        }
    }
    if (rc >= 0 && test->count == 0) {
        return err_set(err, ERR_ALERT_NO_CHANNEL, "%s", wanted);
    }
    return rc < 0 ? rc : 0;
}

void alert_test_stop(struct alerts *alerts)
{
    if (alerts->test != NULL) {
        loop_source_free(alerts->test->timer);
        free(TAKE(alerts->test));
    }
}

/* Fills the reply. Returns how many are still under way; *ret_failed: how many were not delivered.
 */
static size_t report(const struct alert_test *test, struct reply *r, size_t *ret_failed)
{
    size_t open = 0;
    *ret_failed = 0;
    for (size_t i = 0; i < test->count; i++) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        const char *channel = test->items[i].channel;
        AUTO_BUF struct buf name = BUF_INIT(64);
        buf_add_c(&name, channel);
        if (test->items[i].chat_id != 0) {
            buf_addf(&name, " %lld", (long long)test->items[i].chat_id);
        }
        bool known =
            outbox_table_get(test->alerts->o.store, test->items[i].outbox_id, &row, NULL) == 0;
        enum outbox_state state = known ? row.state : OUTBOX_DEAD;
        if (state == OUTBOX_QUEUED && row.last_error[0] == '\0') { /* others wait before it */
            (void)outbox_table_fault(test->alerts->o.store, channel, row.last_error,
                                     sizeof(row.last_error), NULL);
        }
        bool failing = alert_is_second_channel(channel) && row.last_error[0] != '\0';
        open += state == OUTBOX_SENDING || (state == OUTBOX_QUEUED && !failing) ? 1 : 0;
        *ret_failed += state != OUTBOX_DELIVERED ? 1 : 0;
        if (r != NULL) {
            reply_field(r, name.data, "{}{}{}", cell_text(outbox_table_state_name(state)),
                        cell_text(row.last_error[0] == '\0' ? "" : ": "),
                        cell_text(row.last_error));
        }
    }
    return open;
}

static void on_look(void *userdata)
{
    struct alert_test *test = userdata;
    struct alerts *alerts = test->alerts;
    size_t failed = 0;
    bool late = clock_mono_us(alerts->o.clock) - test->begun_mono_us >= WAIT_US;
    if (report(test, NULL, &failed) > 0 && !late) {
        return;
    }
    struct action_call *call = test->call;
    struct reply *r = action_reply(call);
    struct err err = {0};
    if (failed == 0) {
        reply_title(r, TONE_GOOD, "All channels deliver");
    } else {
        (void)err_set(&err, ERR_ALERT_UNDELIVERED, "%zu of %zu", failed, test->count);
    }
    (void)report(test, r, &failed);
    alert_test_stop(alerts);
    action_finish(call, err.id == ERR_NONE ? NULL : &err);
}

static int test_alert(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    alert_test_stop(alerts); /* cannot happen: the action has a lock */
    struct alert_test *test = calloc(1, sizeof(*test));
    ASSERT(test != NULL);
    alerts->test = test;
    *test = (struct alert_test){
        .alerts = alerts, .call = call, .begun_mono_us = clock_mono_us(alerts->o.clock)};
    struct alert_change change = {.alerts = alerts, .body = post_body, .userdata = test};
    int rc = alert_run(&change, err);
    if (rc < 0 || alerts->o.loop == NULL) {
        size_t failed = 0;
        if (rc >= 0) {
            (void)report(test, action_reply(call), &failed);
        }
        alert_test_stop(alerts);
        return rc < 0 ? rc : ACTION_DONE;
    }
    test->timer = loop_add_timer(alerts->o.loop, on_look, test);
    loop_source_name(test->timer, "test of the channels");
    loop_timer_every(test->timer, LOOK_US);
    return ACTION_PENDING;
}

static void cancel_test(struct action_call *call)
{
    alert_test_stop(action_userdata(call));
}

static const struct action actions[] = {
    {.name = "alert.test",
     .summary = "Send a test message through the alert channels and wait for the outcome",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .waits_us = WAIT_US,
     .locks = "alert_test",
     .params = ACTION_PARAMS({.name = "channel",
                              .type = PARAM_CHOICE,
                              .choices = "all|telegram|mail|webhook",
                              .default_text = "all",
                              .help = "which channel"}),
     .run = test_alert,
     .cancel = cancel_test},
    {0},
};

void alert_test_actions(struct alerts *alerts, struct action_table *table)
{
    action_table_add(table, actions, alerts);
}
