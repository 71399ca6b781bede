/* Who gets a message and when: kinds, routes, mutes, storms, quiet hours, copies to second
 * channels. */
#include "alerts/alerts.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "config/config.h"
#include "io/secret.h"
#include "rigs/reply_text.h"
#include "store/alert_message_table.h"
#include "store/alert_table.h"
#include "store/mute_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define CHAT  "-42"
#define START INT64_C(1795000000000000) /* 2026-11-18 11:06:40 UTC */

struct rig {
    struct clock_fake clock;
    struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    int64_t seen; /* outbox id up to which messages were looked at */
};

static struct config *configure(const char *more)
{
    struct config *config = NULL;
    struct err err = {0};
    AUTO_BUF struct buf text = BUF_INIT(8192);
    buf_addf(&text, "console: {enabled: false}\n%s%s",
             strstr(more, "telegram:") != NULL ? ""
                                               : "telegram: {bot_token: '1:a', chat_id: " CHAT
                                                 "}\n",
             more);
    if (config_parse(buf_str(&text), "t.yaml", &config, NULL, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return config;
}

static void drop_log(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static void open_alerts(struct rig *rig)
{
    alerts_free(rig->alerts);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = &rig->clock.clock,
                                                         .config = rig->config,
                                                         .store = rig->store,
                                                         .headless = true},
                                &rig->alerts, NULL),
                     0);
}

static void use(struct rig *rig, const char *more)
{
    struct config *old = rig->config;
    rig->config = configure(more);
    alerts_apply(rig->alerts, rig->config);
    config_free(old);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    log_set_level(LOG_LEVEL_ERROR);
    clock_fake_init(&rig->clock, START);
    log_set_sink(drop_log, NULL);
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->store, NULL), 0);
    rig->config = configure("");
    open_alerts(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    alerts_free(rig->alerts);
    ops_store_free(rig->store);
    config_free(rig->config);
    free(rig);
    return 0;
}

static int64_t raise(struct rig *rig, enum severity severity, const char *name)
{
    char fingerprint[64];
    int64_t id = 0;
    (void)snprintf(fingerprint, sizeof(fingerprint), "test:%s", name);
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = severity,
                                    .source = "health",
                                    .fingerprint = fingerprint,
                                    .title = name};
    assert_int_equal(alerts_raise(rig->alerts, &spec, &id, NULL), 0);
    return id;
}

static void resolve(struct rig *rig, const char *name)
{
    char fingerprint[64];
    (void)snprintf(fingerprint, sizeof(fingerprint), "test:%s", name);
    assert_int_equal(alerts_resolve(rig->alerts, fingerprint, "well again", NULL), 0);
}

static void tick(struct rig *rig, int64_t later_us)
{
    clock_fake_advance(&rig->clock, later_us);
    alerts_tick(rig->alerts, false);
}

/* The next row of the outbox as "channel chat/topic kind priority: text"; "" if there is none. */
static const char *next(struct rig *rig)
{
    static char line[70000];
    static char text[65536];
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    if (outbox_table_get(rig->store, rig->seen + 1, &row, NULL) < 0) {
        return "";
    }
    rig->seen++;
    AUTO_REPLY struct reply *reply = NULL;
    assert_int_equal(reply_json_read(row.payload, strlen(row.payload), &reply, NULL), 0);
    reply_text_all(reply, text, sizeof(text));
    (void)snprintf(line, sizeof(line), "%s %lld/%lld %s %d: %s", row.channel,
                   (long long)row.chat_id, (long long)row.thread_id,
                   row.kind == OUTBOX_EDIT ? "edit" : "send", (int)row.priority, text);
    return line;
}

static void expect(struct rig *rig, const char *begins, const char *has)
{
    const char *line = next(rig);
    if (strncmp(line, begins, strlen(begins)) != 0 || strstr(line, has) == NULL) {
        fail_msg("expected \"%s\" with \"%s\", found \"%s\"", begins, has, line);
    }
}

static void expect_nothing(struct rig *rig)
{
    assert_string_equal(next(rig), "");
}

static void set_state(struct rig *rig, int64_t id, bool delivered)
{
    assert_int_equal(outbox_table_sending(rig->store, id, false, NULL), 0);
    assert_int_equal(delivered ? outbox_table_delivered(rig->store, id, 900 + id, NULL)
                               : outbox_table_dead(rig->store, id, "chat not found", NULL),
                     0);
}

/* ---------------------------------------------------------------- kinds and recipients */

static void kinds_are_off_silent_or_on(void **state)
{
    struct rig *rig = *state;
    (void)raise(rig, SEVERITY_LOW, "low"); /* off by default */
    expect_nothing(rig);
    use(rig, "notify: {high: off, medium: silent, low: on}\n");
    (void)raise(rig, SEVERITY_HIGH, "high");
    expect_nothing(rig);
    (void)raise(rig, SEVERITY_MEDIUM, "medium");
    expect(rig, "telegram -42/0 send 3:", "medium");
    (void)raise(rig, SEVERITY_LOW, "another");
    expect(rig, "telegram -42/0 send 3:", "another");
    (void)raise(rig, SEVERITY_CRITICAL, "critical");
    expect(rig, "telegram -42/0 send 0:", "critical");
}

static void routes_send_kinds_to_other_chats_and_topics(void **state)
{
    struct rig *rig = *state;
    use(rig,
        "telegram: {bot_token: '1:a', chat_id: -42, alerts_topic: 17, users: [{id: 5, name: al,"
        " role: admin}, {id: 6, name: bo, role: operator}]}\n"
        "alerts: {routes: ['trades to -43/9', 'critical to role:admin', 'critical to -44']}\n");
    (void)raise(rig, SEVERITY_HIGH, "high");
    expect(rig, "telegram -42/17 send 1:", "high");
    (void)raise(rig, SEVERITY_CRITICAL, "critical");
    expect(rig, "telegram 5/0 send 0:", "critical");
    expect(rig, "telegram -44/0 send 0:", "critical");
    expect_nothing(rig);
    AUTO_REPLY struct reply *r = reply_new();
    reply_title(r, TONE_GOOD, "BTC-USD closed");
    assert_int_equal(
        alerts_notify(rig->alerts, &(struct alert_notice){.kind = NOTICE_EXIT, .reply = r}, NULL),
        0);
    expect(rig, "telegram -43/9 send 2:", "BTC-USD closed");
    expect_nothing(rig);
}

static void without_telegram_mail_gets_the_alerts(void **state)
{
    struct rig *rig = *state;
    use(rig, "telegram: {bot_token: ''}\nmail: {server: h, from: a@b, to: [c@d]}\n");
    (void)raise(rig, SEVERITY_MEDIUM, "medium");
    expect(rig, "mail 0/0 send 2:", "medium");
    resolve(rig, "medium");
    expect(rig, "mail 0/0 send 2:", "resolved · medium"); /* a mail is not edited */
    expect_nothing(rig);
}

/* ---------------------------------------------------------------- mutes */

static void mute(struct rig *rig, enum mute_kind kind, const char *value, int64_t for_us)
{
    struct mute m = {.kind = kind, .until_us = clock_wall_us(&rig->clock.clock) + for_us};
    (void)str_copy(str_c(value), m.value, sizeof(m.value));
    (void)str_copy(str_c("al"), m.user, sizeof(m.user));
    assert_int_equal(mute_table_write(rig->store, &m, clock_wall_us(&rig->clock.clock), NULL), 0);
    open_alerts(rig); /* as after a restart */
    alerts_tick(rig->alerts, false);
}

static void a_mute_holds_for_its_time_across_a_restart(void **state)
{
    struct rig *rig = *state;
    mute(rig, MUTE_SOURCE, "health", USEC_PER_HOUR);
    (void)raise(rig, SEVERITY_HIGH, "one");
    expect_nothing(rig);
    (void)raise(rig, SEVERITY_CRITICAL, "worst"); /* a blanket mute does not cover it */
    expect(rig, "telegram -42/0 send 0:", "worst");
    tick(rig, 59 * USEC_PER_MIN);
    expect_nothing(rig);
    tick(rig, 2 * USEC_PER_MIN); /* still open, and not muted any more */
    expect(rig, "telegram -42/0 send 1:", "one");
    tick(rig, USEC_PER_MIN);
    expect_nothing(rig);
}

static void one_alert_kind_symbol_or_all_can_be_muted(void **state)
{
    struct rig *rig = *state;
    int64_t id = raise(rig, SEVERITY_CRITICAL, "worst");
    expect(rig, "telegram -42/0 send 0:", "/mute 1 1h");
    char number[24];
    (void)snprintf(number, sizeof(number), "%lld", (long long)id);
    mute(rig, MUTE_ALERT, number, USEC_PER_HOUR);
    resolve(rig, "worst"); /* its message is still edited, without a new one */
    expect(rig, "telegram -42/0 edit", "resolved");
    expect_nothing(rig);
    mute(rig, MUTE_NOTICE, "medium", USEC_PER_HOUR);
    (void)raise(rig, SEVERITY_MEDIUM, "m");
    expect_nothing(rig);
    mute(rig, MUTE_SYMBOL, "BTC-USD", USEC_PER_HOUR);
    (void)raise(rig, SEVERITY_HIGH, "BTC-USD is stale");
    expect_nothing(rig);
    (void)raise(rig, SEVERITY_HIGH, "ETH-USD is stale");
    expect(rig, "telegram -42/0 send 1:", "ETH-USD");
    mute(rig, MUTE_ALL, "all", USEC_PER_HOUR);
    (void)raise(rig, SEVERITY_HIGH, "SOL-USD is stale");
    expect_nothing(rig);
    AUTO_BUF struct buf line = BUF_INIT(512);
    AUTO_JSON struct json_object *data = json_object_new_object();
    alerts_mutes_line(&line, data, rig->alerts);
    assert_string_equal(line.data, "🔕 Muted alert 1, medium, BTC-USD, all");
}

/* ---------------------------------------------------------------- storms */

static void a_storm_is_one_message_that_is_edited(void **state)
{
    struct rig *rig = *state;
    char name[32];
    use(rig, "alerts: {storm: 3}\n");
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "alert-%d", i);
        (void)raise(rig, SEVERITY_HIGH, name);
    }
    for (int i = 0; i < 3; i++) {
        expect(rig, "telegram -42/0 send 1:", "high · alert-");
    }
    expect(rig, "telegram -42/0 send 1:", "many alerts at once");
    expect_nothing(rig);
    set_state(rig, 4, true);
    tick(rig, USEC_PER_SEC);
    expect(rig, "telegram -42/0 edit 1:", "37 new alerts, 37 of them open");
    expect_nothing(rig);
    set_state(rig, 5, true);
    for (int i = 3; i < 40; i++) { /* no message for each of them */
        (void)snprintf(name, sizeof(name), "alert-%d", i);
        resolve(rig, name);
    }
    tick(rig, USEC_PER_SEC);
    expect(rig, "telegram -42/0 edit 1:", "37 new alerts, 0 of them open");
    expect_nothing(rig);
    (void)raise(rig, SEVERITY_CRITICAL, "worst"); /* counted by itself */
    expect(rig, "telegram -42/0 send 0:", "worst");
    tick(rig, 2 * USEC_PER_MIN);
    (void)raise(rig, SEVERITY_HIGH, "later");
    expect(rig, "telegram -42/0 send 1:", "high · later");
}

static void a_storm_goes_on_after_a_restart(void **state)
{
    struct rig *rig = *state;
    use(rig, "alerts: {storm: 1}\n");
    (void)raise(rig, SEVERITY_HIGH, "a");
    (void)raise(rig, SEVERITY_HIGH, "b");
    (void)raise(rig, SEVERITY_HIGH, "c"); /* in the list, whose message is not edited yet */
    set_state(rig, 2, true);
    rig->seen = 2;
    open_alerts(rig);
    tick(rig, USEC_PER_SEC);
    expect(rig, "telegram -42/0 edit 1:", "2 new alerts");
}

/* ---------------------------------------------------------------- quiet hours */

static void quiet_hours_hold_all_but_critical_over_midnight(void **state)
{
    struct rig *rig = *state;
    use(rig, "alerts: {quiet_hours: '22:30-07:00', timezone: Europe/Berlin}\n");
    alerts_tick(rig->alerts, false);
    (void)raise(rig, SEVERITY_HIGH, "before"); /* 12:06 in Berlin */
    expect(rig, "telegram -42/0 send 1:", "before");
    tick(rig, 11 * USEC_PER_HOUR); /* 23:06 */
    (void)raise(rig, SEVERITY_HIGH, "held");
    (void)raise(rig, SEVERITY_HIGH, "over");
    resolve(rig, "over");
    (void)raise(rig, SEVERITY_CRITICAL, "worst");
    expect(rig, "telegram -42/0 send 0:", "worst");
    AUTO_REPLY struct reply *r = reply_new();
    reply_title(r, TONE_GOOD, "BTC-USD closed");
    assert_int_equal(
        alerts_notify(rig->alerts, &(struct alert_notice){.kind = NOTICE_EXIT, .reply = r}, NULL),
        0);
    tick(rig, 7 * USEC_PER_HOUR); /* 06:06 */
    expect_nothing(rig);
    open_alerts(rig);             /* a restart in the quiet hours loses nothing */
    tick(rig, 50 * USEC_PER_MIN); /* 06:56 */
    expect_nothing(rig);
    tick(rig, 5 * USEC_PER_MIN); /* 07:01 */
    const char *line = next(rig);
    assert_non_null(strstr(line, "held back in the quiet hours"));
    assert_non_null(strstr(line, "held"));
    assert_non_null(strstr(line, "over (resolved)"));
    assert_non_null(strstr(line, "BTC-USD closed"));
    tick(rig, USEC_PER_MIN);
    expect_nothing(rig);
    resolve(rig, "held"); /* it was reported, so its end is, too */
    expect(rig, "telegram -42/0 send 1:", "resolved · held");
}

/* On 2026-10-25 the clock goes back at 03:00 in Berlin: 07:00 is 06:00 UTC then, 05:00 before. */
static void quiet_hours_follow_daylight_saving(void **state)
{
    struct rig *rig = *state;
    use(rig, "alerts: {quiet_hours: '22:30-07:00', timezone: Europe/Berlin}\n");
    const struct {
        const char *at;
        bool quiet;
    } times[] = {
        {"2026-10-24T04:59:00Z", true},  {"2026-10-24T05:01:00Z", false},
        {"2026-10-25T05:30:00Z", true},  {"2026-10-25T06:01:00Z", false},
        {"2026-03-28T21:29:00Z", false}, {"2026-03-28T21:31:00Z", true},
        {"2026-03-29T20:31:00Z", true},  {"2040-07-01T20:31:00Z", true},
        {"2040-07-01T20:29:00Z", false},
    };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t at_us = 0;
        char name[32];
        assert_true(clock_parse_iso(str_c(times[i].at), &at_us));
        clock_fake_jump_wall(&rig->clock, at_us - clock_wall_us(&rig->clock.clock));
        clock_fake_advance(&rig->clock, 0);
        (void)snprintf(name, sizeof(name), "alert-%zu", i);
        (void)raise(rig, SEVERITY_HIGH, name);
        bool sent = next(rig)[0] != '\0';
        if (sent == times[i].quiet) {
            fail_msg("%s: %s", times[i].at, sent ? "sent" : "held");
        }
    }
}

/* ---------------------------------------------------------------- second channels */

static const char second[] = "mail: {server: h, from: a@b, to: [c@d]}\n"
                             "webhook: {url: 'http://h/x', secret: k}\n";

static void what_telegram_does_not_deliver_goes_to_the_second_channels(void **state)
{
    struct rig *rig = *state;
    use(rig, second);
    (void)raise(rig, SEVERITY_HIGH, "late");
    (void)raise(rig, SEVERITY_MEDIUM, "minor");
    rig->seen = 2;
    tick(rig, 50 * USEC_PER_SEC);
    expect_nothing(rig);
    tick(rig, 15 * USEC_PER_SEC); /* 65 s: too late */
    expect(rig, "mail 0/0 send 1:", "Telegram has not delivered this message");
    expect(rig, "webhook 0/0 send 1:", "high · late");
    tick(rig, 5 * USEC_PER_MIN);
    expect_nothing(rig);
    open_alerts(rig);
    tick(rig, 5 * USEC_PER_MIN);
    expect_nothing(rig); /* once, across restarts */
    (void)raise(rig, SEVERITY_HIGH, "refused");
    rig->seen++;
    set_state(rig, rig->seen, false);
    tick(rig, 0); /* at once */
    expect(rig, "mail 0/0 send 1:", "chat not found");
    expect(rig, "webhook 0/0 send 1:", "refused");
    resolve(rig, "refused");
    expect(rig, "mail 0/0 send 1:", "resolved · refused");
    expect(rig, "telegram -42/0 edit", "resolved");
}

static void a_refused_token_does_not_wait(void **state)
{
    struct rig *rig = *state;
    use(rig, second);
    (void)raise(rig, SEVERITY_CRITICAL, "token");
    rig->seen = 1;
    alerts_tick(rig->alerts, true);
    expect(rig, "mail 0/0 send 0:", "critical · token");
}

static void an_unacknowledged_critical_alert_goes_there_too(void **state)
{
    struct rig *rig = *state;
    use(rig, second);
    (void)raise(rig, SEVERITY_CRITICAL, "one");
    (void)raise(rig, SEVERITY_CRITICAL, "two");
    (void)raise(rig, SEVERITY_HIGH, "three");
    for (int64_t i = 1; i <= 3; i++) {
        set_state(rig, i, true);
    }
    rig->seen = 3;
    assert_int_equal(alert_table_set_status(rig->store, 2, ALERT_ACKNOWLEDGED, "al",
                                            clock_wall_us(&rig->clock.clock), NULL),
                     0);
    tick(rig, 9 * USEC_PER_MIN);
    expect_nothing(rig);
    tick(rig, 2 * USEC_PER_MIN);
    expect(rig, "mail 0/0 send 0:", "Nobody has acknowledged it for 11 min");
    expect(rig, "webhook 0/0 send 0:", "one");
    tick(rig, 20 * USEC_PER_MIN);
    expect_nothing(rig);
}

static void many_at_once_are_one_list(void **state)
{
    struct rig *rig = *state;
    char name[32];
    use(rig, second);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof(name), "alert-%d", i);
        (void)raise(rig, SEVERITY_HIGH, name);
    }
    rig->seen = 8;
    tick(rig, 2 * USEC_PER_MIN);
    expect(rig, "mail 0/0 send 0:", "8 messages need attention");
    expect(rig, "webhook 0/0 send 0:", "alert-7");
    expect_nothing(rig);
}

static void status_counts_what_may_not_have_arrived(void **state)
{
    struct rig *rig = *state;
    (void)raise(rig, SEVERITY_HIGH, "a");
    (void)raise(rig, SEVERITY_HIGH, "b");
    (void)raise(rig, SEVERITY_HIGH, "c");
    set_state(rig, 1, false);
    assert_int_equal(outbox_table_uncertain(rig->store, 2, "lost", NULL), 0);
    tick(rig, 2 * USEC_PER_MIN);
    AUTO_BUF struct buf line = BUF_INIT(512);
    AUTO_JSON struct json_object *data = json_object_new_object();
    alerts_undelivered_line(&line, data, rig->alerts);
    assert_string_equal(line.data, "🔴 Messages 1 undelivered, 1 uncertain, 1 waiting");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_GROUP(
    alert_gate, TEST(kinds_are_off_silent_or_on), TEST(routes_send_kinds_to_other_chats_and_topics),
    TEST(without_telegram_mail_gets_the_alerts), TEST(a_mute_holds_for_its_time_across_a_restart),
    TEST(one_alert_kind_symbol_or_all_can_be_muted), TEST(a_storm_is_one_message_that_is_edited),
    TEST(a_storm_goes_on_after_a_restart), TEST(quiet_hours_hold_all_but_critical_over_midnight),
    TEST(quiet_hours_follow_daylight_saving),
    TEST(what_telegram_does_not_deliver_goes_to_the_second_channels),
    TEST(a_refused_token_does_not_wait), TEST(an_unacknowledged_critical_alert_goes_there_too),
    TEST(many_at_once_are_one_list), TEST(status_counts_what_may_not_have_arrived))
