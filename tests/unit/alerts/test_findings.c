/* /findings, /fixed, /wontfix and /learnings, as the embedded commands run them. */
#include "alerts_rig.h"
#include "base/check.h"
#include "io/embed.h"
#include "rigs/golden.h"
#include "store/audit_table.h"
#include "store/outbox_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part of the program's command that reads alerts. */
static const char learnings[] =
    "command: learnings\n"
    "group: think\n"
    "summary: how findings ended\n"
    "role: read_only\n"
    "args:\n"
    "  - {name: what, type: choice, choices: [findings], default: findings, help: findings}\n"
    "  - {name: page, type: int, required: false, help: page of the list}\n"
    "steps:\n"
    "  - {run: alert.learnings, with: {page: $page}, when: $what == findings}\n"
    "examples: [learnings]\n";

static struct alerts_rig *open_scene(bool headless)
{
    static const char *const wanted[] = {"findings", "fixed", "wontfix", "alerts"};
    struct embedded_file files[COUNT_OF(wanted) + 2] = {
        {.path = "commands/learnings.yaml", .data = learnings, .size = sizeof(learnings) - 1}};
    struct alerts_rig *s = alerts_rig_new();
    size_t count = 1;
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        for (size_t i = 0; i < COUNT_OF(wanted); i++) {
            char path[64];
            (void)snprintf(path, sizeof(path), "commands/%s.yaml", wanted[i]);
            if (strcmp(path, f->path) == 0) {
                files[count++] = *f;
            }
        }
    }
    assert_int_equal(count, COUNT_OF(wanted) + 1);
    s->headless = headless;
    if (!headless) {
        s->config.telegram_chat_id = 42;
        s->config.telegram_bot_token = "1:x";
    }
    alerts_rig_open(s, files);
    return s;
}

static int setup(void **state)
{
    *state = open_scene(true);
    return 0;
}

static int setup_with_phone(void **state)
{
    *state = open_scene(false);
    return 0;
}

static int teardown(void **state)
{
    alerts_rig_free(*state);
    return 0;
}

static int64_t find(struct alerts_rig *s, const char *rule, enum severity severity)
{
    char fingerprint[64];
    int64_t id = 0;
    (void)snprintf(fingerprint, sizeof(fingerprint), "auditor:%s", rule);
    const struct alert_spec spec = {.type = ALERT_BUG,
                                    .severity = severity,
                                    .source = "auditor",
                                    .fingerprint = fingerprint,
                                    .title = rule,
                                    .reopens = true};
    assert_int_equal(alerts_raise(s->alerts, &spec, &id, NULL), 0);
    return id;
}

static struct alert stored(struct alerts_rig *s, int64_t id)
{
    struct alert alert;
    assert_int_equal(alert_table_get(s->store, id, &alert, NULL), 0);
    return alert;
}

static void open_findings_are_listed_worst_first(void **state)
{
    struct alerts_rig *s = *state;
    s->role = ROLE_READ_ONLY;
    alerts_rig_command(s, "findings");
    assert_has(s->answer, "Open findings: none");
    (void)find(s, "books do not balance", SEVERITY_MEDIUM);
    (void)find(s, "clock lies", SEVERITY_CRITICAL);
    const struct alert_spec other = {.type = ALERT_SERVICE,
                                     .severity = SEVERITY_CRITICAL,
                                     .source = "health",
                                     .fingerprint = "service:x",
                                     .title = "x is down"};
    assert_int_equal(alerts_raise(s->alerts, &other, NULL, NULL), 0);
    alerts_rig_command(s, "findings");
    assert_has(s->answer, "2 · critical · clock lies\n  open, since");
    assert_has(s->answer, "1 · medium · books do not balance");
    assert_true(strstr(s->answer, "2 · critical") < strstr(s->answer, "1 · medium"));
    assert_lacks(s->answer, "x is down");
    alerts_rig_command(s, "findings 2");
    assert_has(s->answer, "critical · clock lies");
    assert_has(s->answer, "\"command\":\"/fixed 2\"");
    assert_has(s->answer, "\"command\":\"/findings 2 ask=wontfix\"");
    alerts_rig_command(s, "findings 9");
    assert_int_equal(s->answer_err, ERR_ALERT_UNKNOWN);
    alerts_rig_command(s, "findings nonsense");
    assert_int_equal(s->answer_err, ERR_COMMAND_ARG_INVALID);
    alerts_rig_command(s, "wontfix 1 \"no\"");
    assert_int_equal(s->answer_err, ERR_ACCESS_DENIED);
}

static void what_will_not_be_fixed_is_not_raised_again(void **state)
{
    struct alerts_rig *s = *state;
    int64_t id = find(s, "odd", SEVERITY_LOW);
    alerts_rig_command(s, "wontfix 1");
    assert_int_equal(s->answer_err, ERR_COMMAND_ARG_MISSING);
    alerts_rig_command(s, "wontfix 1 \"the venue rounds\"");
    assert_int_equal(s->answer_err, ERR_NONE);
    assert_has(s->answer, "Finding 1 won't be fixed");
    struct alert a = stored(s, id);
    assert_int_equal(a.status, ALERT_WONTFIX);
    assert_string_equal(a.note, "the venue rounds");
    assert_string_equal(a.closed_by, "alice");
    alerts_rig_command(s, "wontfix 1 \"again\"");
    assert_int_equal(s->answer_err, ERR_ALERT_CLOSED);

    assert_int_equal(find(s, "odd", SEVERITY_CRITICAL), id); /* the same row, still silent */
    a = stored(s, id);
    assert_int_equal(a.status, ALERT_WONTFIX);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.note, "the venue rounds");
    alerts_rig_command(s, "findings");
    assert_has(s->answer, "Open findings: none");
    alerts_rig_command(s, "findings wontfix");
    assert_has(s->answer, "1 · critical · odd");
    assert_has(s->answer, "the venue rounds");
    assert_has(s->answer, "seen 2 times");

    alerts_rig_command(s, "fixed 1"); /* ends it */
    assert_int_equal(s->answer_err, ERR_NONE);
    assert_string_equal(stored(s, id).note, "the venue rounds"); /* without a note the old stays */
    assert_int_equal(find(s, "odd", SEVERITY_LOW), id);
    a = stored(s, id);
    assert_int_equal(a.status, ALERT_OPEN);
    assert_int_equal(a.reopened, 1);
}

static void only_findings_can_be_marked_as_wont_fix(void **state)
{
    struct alerts_rig *s = *state;
    struct alert_spec other = {.type = ALERT_SERVICE,
                               .severity = SEVERITY_CRITICAL,
                               .source = "health",
                               .fingerprint = "service:x",
                               .title = "x is down"};
    assert_int_equal(alerts_raise(s->alerts, &other, NULL, NULL), 0);
    other.source = "auditor";
    other.fingerprint = "auditor:no-verdict";
    assert_int_equal(alerts_raise(s->alerts, &other, NULL, NULL), 0);
    alerts_rig_command(s, "wontfix 1 \"quiet\"");
    assert_int_equal(s->answer_err, ERR_ALERT_NOT_FINDING);
    alerts_rig_command(s, "wontfix 2 \"quiet\"");
    assert_int_equal(s->answer_err, ERR_ALERT_NOT_FINDING);
    assert_int_equal(stored(s, 1).status, ALERT_OPEN);
    alerts_rig_command(s, "fixed 1 \"new disk\"");
    assert_has(s->answer, "Alert 1 is marked as fixed");
    assert_has(s->answer, "new disk");
    assert_int_equal(stored(s, 1).status, ALERT_FIXED);
    alerts_rig_command(s, "fixed 1");
    assert_int_equal(s->answer_err, ERR_ALERT_CLOSED);
    alerts_rig_command(s, "wontfix 7 \"quiet\"");
    assert_int_equal(s->answer_err, ERR_ALERT_UNKNOWN);
}

static void learnings_show_how_findings_ended(void **state)
{
    struct alerts_rig *s = *state;
    alerts_rig_command(s, "learnings");
    assert_has(s->answer, "No learnings yet");
    (void)find(s, "first", SEVERITY_LOW);
    (void)find(s, "second", SEVERITY_LOW);
    (void)find(s, "third", SEVERITY_LOW);
    (void)find(s, "fourth", SEVERITY_LOW);
    clock_fake_advance(&s->clock, 2 * USEC_PER_HOUR);
    alerts_rig_command(s, "fixed 1 \"raised the pool to 4\"");
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    alerts_rig_command(s, "wontfix 2 known");
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_int_equal(alerts_resolve(s->alerts, "auditor:third", "gone", NULL), 0);
    alerts_rig_command(s, "learnings");
    assert_has(s->answer, "1 · first\n  fixed by alice after 2 h");
    assert_has(s->answer, "raised the pool to 4");
    assert_has(s->answer, "2 · second\n  stays as it is, says alice, ");
    assert_has(s->answer, "3 · third\n  over after 4 h: the auditor no longer finds it");
    assert_lacks(s->answer, "fourth");
    assert_true(strstr(s->answer, "3 · third") < strstr(s->answer, "2 · second"));
    assert_true(strstr(s->answer, "2 · second") < strstr(s->answer, "1 · first"));
}

/* A note of any length and any bytes; lists have pages. */
static void many_findings_and_long_notes(void **state)
{
    struct alerts_rig *s = *state;
    for (int i = 0; i < 25; i++) {
        char rule[32];
        (void)snprintf(rule, sizeof(rule), "rule-%02d", i);
        (void)find(s, rule, SEVERITY_LOW);
    }
    alerts_rig_command(s, "findings");
    assert_has(s->answer, "rule-24");
    assert_lacks(s->answer, "rule-14");
    assert_has(s->answer, "\"next\":\"/findings open page=2\"");
    alerts_rig_command(s, "findings open page=3");
    assert_has(s->answer, "rule-04");
    assert_has(s->answer, "rule-00");
    assert_has(s->answer, "\"previous\":\"/findings open page=2\"");
    assert_has(s->answer, "\"next\":null");
    alerts_rig_command(s, "findings open page=4");
    assert_has(s->answer, "none on this page");

    AUTO_BUF struct buf line = BUF_INIT(4096);
    buf_add_c(&line, "wontfix 1 \"");
    for (int i = 0; i < 200; i++) {
        buf_add_c(&line, "€");
    }
    buf_add_c(&line, "\"");
    alerts_rig_command(s, line.data);
    assert_int_equal(s->answer_err, ERR_NONE);
    struct alert a = stored(s, 1);
    assert_int_equal(strlen(a.note), 255); /* 85 whole characters of three bytes */
    for (int i = 2; i <= 25; i++) {
        char close[32];
        (void)snprintf(close, sizeof(close), "fixed %d", i);
        alerts_rig_command(s, close);
    }
    alerts_rig_command(s, "learnings");
    assert_has(s->answer, "\"next\":\"/learnings findings page=2\"");
    alerts_rig_command(s, "learnings findings page=3");
    assert_has(s->answer, "1 · rule-00");
    assert_has(s->answer, "\"next\":null");
}

#define REPORT(drawdown, state)                                                              \
    "{\"account\":{\"drawdown_pct\":" drawdown ",\"currency\":\"USD\"},"                     \
    "\"win_loss\":{\"cooldown\":{\"rate\":{\"k\":3,\"n\":40,\"pct\":7.5}}},"                 \
    "\"invariants\":{\"fee_schedule\":{\"state\":\"" state "\",\"subjects\":{}}},"           \
    "\"glossary\":{\"rate\":\"k of n, in per cent\",\"win_loss\":\"pnl is after all fees\"," \
    "\"win_loss.cooldown\":\"trades opened within one cooldown\",\"account\":\"drawdown is " \
    "from the peak of equity\"}}"

static void audit(struct alerts_rig *s, const char *report)
{
    struct audit_record record = {.started_us = clock_wall_us(&s->clock.clock),
                                  .finished_us = clock_wall_us(&s->clock.clock),
                                  .verdict = "findings",
                                  .trigger = "schedule",
                                  .report_json = strdup(report)};
    int64_t id;
    assert_int_equal(audit_table_add(s->store, &record, &id, NULL), 0);
    free(record.report_json);
}

/* A finding of the model; rejected: why, or NULL. */
static int64_t claim(struct alerts_rig *s, const char *rejected)
{
    int64_t id = 0;
    const struct alert_spec spec = {
        .type = ALERT_PATTERN,
        .severity = SEVERITY_HIGH,
        .source = "auditor",
        .fingerprint = rejected != NULL ? "auditor:bot:high:01:rejected" : "auditor:bot:high:01",
        .title = "the account is far below its peak",
        .description = "The drawdown is 6.25 %.",
        .recommendation = "Lower the size of an entry.",
        .evidence_json =
            "[{\"pointer\":\"/account/drawdown_pct\",\"value\":6.25,\"verified\":true,"
            "\"note\":\"\"},{\"pointer\":\"/win_loss/cooldown/rate/pct\",\"value\":7.5,"
            "\"verified\":true,\"note\":\"3.2 to 16.6\"},{\"pointer\":"
            "\"/win_loss/cooldown/trades\",\"value\":40,\"verified\":true,\"note\":\"\"}]",
        .check_json = "{\"pointer\":\"/account/drawdown_pct\",\"op\":\">\",\"value\":5}",
        .note = rejected,
        .status = rejected != NULL ? ALERT_REJECTED : ALERT_OPEN};
    assert_int_equal(alerts_raise(s->alerts, &spec, &id, NULL), 0);
    return id;
}

static void a_finding_is_explained_by_the_newest_report(void **state)
{
    struct alerts_rig *s = *state;
    (void)claim(s, NULL);
    (void)find(s, "rule:fee_schedule:trade-17", SEVERITY_HIGH);
    alerts_rig_command(s, "findings 1"); /* without an audit there is nothing to compare with */
    assert_has(s->answer, "= 6.25");
    assert_lacks(s->answer, "now: ");
    audit(s, REPORT("6.25", "broken"));
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    audit(s, REPORT("4.5", "kept"));
    alerts_rig_command(s, "findings 1");
    assert_has(s->answer, "= 6.25\n  drawdown is from the peak of equity\n  now: 4.5");
    assert_has(s->answer, "= 7.5 (3.2 to 16.6)\n  k of n, in per cent\n  now: the same");
    assert_has(s->answer,
               "= 40\n  trades opened within one cooldown\n  now: no longer in the report");
    assert_has(s->answer, "no longer true: /account/drawdown_pct > 5\n  now: 4.5");
    assert_has(s->answer, "“Now” is the report of the audit of");
    alerts_rig_command(s, "alerts 1");
    assert_has(s->answer, "drawdown is from the peak of equity");
    alerts_rig_command(s, "findings 2"); /* an invariant is its own check */
    assert_has(s->answer, "Check: the invariant fee_schedule at each audit; now it is kept");
}

static void a_damaged_report_explains_nothing(void **state)
{
    struct alerts_rig *s = *state;
    (void)claim(s, NULL);
    audit(s, "{\"account\":");
    alerts_rig_command(s, "findings 1");
    assert_int_equal(s->answer_err, ERR_NONE);
    assert_has(s->answer, "= 6.25");
    assert_lacks(s->answer, "now: ");
}

static void the_card_of_a_finding_has_what_can_be_done_with_it(void **state)
{
    struct alerts_rig *s = *state;
    static const char *const commands[] = {"/ack 1", "/findings 1", "/fixed 1", "/mute 1 1h",
                                           "/findings 1 ask=wontfix"};
    (void)claim(s, NULL);
    struct outbox_row row;
    assert_int_equal(outbox_table_get(s->store, 1, &row, NULL), 0);
    const char *at = row.payload;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        char want[64];
        (void)snprintf(want, sizeof(want), "\"command\":\"%s\"", commands[i]);
        at = strstr(at, want); /* in this order */
        assert_non_null(at);
    }
    outbox_row_release(&row);
    alerts_rig_command(s, "findings 1 ask=wontfix"); /* the button changes nothing yet */
    assert_has(s->answer, "Why won't finding 1 be fixed?");
    assert_has(s->answer, "\"command\":\"/wontfix 1 \\\"false alarm\\\"\"");
    assert_int_equal(stored(s, 1).status, ALERT_OPEN);
    alerts_rig_command(s, "wontfix 1 \"false alarm\"");
    assert_int_equal(stored(s, 1).status, ALERT_WONTFIX);
    alerts_rig_command(s, "findings 1 ask=wontfix");
    assert_int_equal(s->answer_err, ERR_ALERT_CLOSED);
    const struct alert_spec other = {.type = ALERT_SERVICE,
                                     .severity = SEVERITY_HIGH,
                                     .source = "health",
                                     .fingerprint = "service:x",
                                     .title = "x is down"};
    assert_int_equal(alerts_raise(s->alerts, &other, NULL, NULL), 0);
    alerts_rig_command(s, "findings 2 ask=wontfix");
    assert_int_equal(s->answer_err, ERR_ALERT_NOT_FINDING);
}

static void closed_and_rejected_findings_are_lists_of_their_own(void **state)
{
    struct alerts_rig *s = *state;
    (void)find(s, "first", SEVERITY_LOW);
    (void)find(s, "second", SEVERITY_LOW);
    (void)find(s, "third", SEVERITY_LOW);
    (void)claim(s, "the figure 9.9 is not in the report");
    alerts_rig_command(s, "fixed 1 \"raised the pool\"");
    alerts_rig_command(s, "wontfix 2 known");
    alerts_rig_command(s, "findings closed");
    assert_has(s->answer, "1 · low · first\n  fixed");
    assert_has(s->answer, "2 · low · second\n  wontfix");
    assert_lacks(s->answer, "third");
    assert_lacks(s->answer, "below its peak");
    alerts_rig_command(s, "findings rejected");
    assert_has(s->answer, "4 · high · the account is far below its peak");
    assert_has(s->answer, "the figure 9.9 is not in the report");
    assert_lacks(s->answer, "first");
}

static void check_golden(struct alerts_rig *s, const char *line, const char *name)
{
    alerts_rig_command(s, line);
    golden_check_reply(name, s->answer, NULL);
}

/* As programs get them; the tests of chat render the same files for people. */
static void replies_match_the_golden_files(void **state)
{
    struct alerts_rig *s = *state;
    (void)find(s, "the fees of a closed trade are missing from the ledger", SEVERITY_HIGH);
    (void)find(s, "rule 3 has never matched", SEVERITY_LOW);
    (void)find(s, "a loss of 4 trades in a row", SEVERITY_MEDIUM);
    clock_fake_advance(&s->clock, 90 * USEC_PER_MIN);
    check_golden(s, "findings", "findings");
    check_golden(s, "wontfix 2 \"it guards a rare case\"", "wontfix");
    check_golden(s, "fixed 1 \"fees are booked with the fill\"", "fixed");
    check_golden(s, "learnings", "learnings");
    check_golden(s, "findings closed", "findings_closed");
    (void)claim(s, NULL);
    (void)claim(s, "the figure 9.9 is not in the report");
    audit(s, REPORT("6.25", "kept"));
    clock_fake_advance(&s->clock, 30 * USEC_PER_MIN);
    audit(s, REPORT("4.5", "kept"));
    check_golden(s, "findings 4", "findings_one");
    check_golden(s, "findings 4 ask=wontfix", "findings_ask");
    check_golden(s, "findings rejected", "findings_rejected");
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(findings, SCENE_TEST(open_findings_are_listed_worst_first),
           SCENE_TEST(what_will_not_be_fixed_is_not_raised_again),
           SCENE_TEST(only_findings_can_be_marked_as_wont_fix),
           SCENE_TEST(learnings_show_how_findings_ended), SCENE_TEST(many_findings_and_long_notes),
           SCENE_TEST(a_finding_is_explained_by_the_newest_report),
           SCENE_TEST(a_damaged_report_explains_nothing),
           cmocka_unit_test_setup_teardown(the_card_of_a_finding_has_what_can_be_done_with_it,
                                           setup_with_phone, teardown),
           SCENE_TEST(closed_and_rejected_findings_are_lists_of_their_own))
UNIT_GROUP(findings_golden, SCENE_TEST(replies_match_the_golden_files))
