/* The notifications of a trading day: each is sent once, across restarts and kill -9 between any
 * two writes. */
#include "../../../src/ops/notices.h"
#include "alerts/alerts.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "config/config.h"
#include "io/file.h"
#include "io/secret.h"
#include "rigs/reply_text.h"
#include "store/audit_table.h"
#include "store/decision_table.h"
#include "store/llm_call_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/trade_table.h"
#include "store/trading.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START INT64_C(1795000000000000) /* 2026-11-18 11:06:40 UTC */

struct rig {
    struct clock_fake clock;
    struct config *config;
    struct ops_store *store;
    struct trading_store *trading;
    struct alerts *alerts;
    struct notices notices;
    struct snapshot *snapshot;
    char folder[64];
    int64_t seen;
    int64_t trades;
};

static void open_rig(struct rig *rig)
{
    struct err err = {0};
    assert_int_equal(ops_store_open(rig->folder, OPS_STORE_WRITE, &rig->store, &err), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = &rig->clock.clock,
                                                         .config = rig->config,
                                                         .store = rig->store,
                                                         .headless = true},
                                &rig->alerts, NULL),
                     0);
    notices_init(&rig->notices, &(struct notices_options){.clock = &rig->clock.clock,
                                                          .config = rig->config,
                                                          .store = rig->store,
                                                          .trading = rig->trading,
                                                          .alerts = rig->alerts,
                                                          .state_dir = rig->folder});
}

static void close_rig(struct rig *rig)
{
    notices_release(&rig->notices);
    alerts_free(rig->alerts);
    ops_store_free(rig->store);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    assert_non_null(rig);
    log_set_level(LOG_LEVEL_ERROR);
    clock_fake_init(&rig->clock, START);
    assert_int_equal(secret_init(NULL), 0);
    (void)snprintf(rig->folder, sizeof(rig->folder), "/dev/shm/nightdesk-notices-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    if (config_parse(str_c("telegram: {bot_token: '1:a', chat_id: -42, users: [{id: 5, name: al, "
                           "role: admin}]}\nconsole: {enabled: false}\n"
                           "alerts: {timezone: UTC}\nnotify: {daily_at: '12:00'}\n"),
                     "t.yaml", &rig->config, NULL, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &rig->trading, NULL), 0);
    rig->snapshot = snapshot_new(4);
    rig->snapshot->version = 1;
    rig->snapshot->state = TRADING_ACTIVE;
    rig->snapshot->equity = dec_from_int(10000);
    open_rig(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[128];
    close_rig(rig);
    trading_store_free(rig->trading);
    config_free(rig->config);
    (void)snprintf(command, sizeof(command), "rm -rf %s", rig->folder);
    assert_int_equal(system(command), 0);
    free(rig->snapshot);
    free(rig);
    return 0;
}

static void tick(struct rig *rig, int64_t later_us)
{
    clock_fake_advance(&rig->clock, later_us);
    notices_tick(&rig->notices, rig->snapshot);
}

static const char *next(struct rig *rig)
{
    static char text[65536];
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    if (outbox_table_get(rig->store, rig->seen + 1, &row, NULL) < 0) {
        return "";
    }
    rig->seen++;
    AUTO_REPLY struct reply *reply = NULL;
    assert_int_equal(reply_json_read(row.payload, strlen(row.payload), &reply, NULL), 0);
    reply_text_all(reply, text, sizeof(text));
    return text;
}

static void expect(struct rig *rig, const char *has)
{
    const char *text = next(rig);
    if (strstr(text, has) == NULL) {
        fail_msg("expected \"%s\", found \"%s\"", has, text);
    }
}

static void expect_nothing(struct rig *rig)
{
    assert_string_equal(next(rig), "");
}

static void open_position(struct rig *rig, const char *symbol)
{
    struct position *p = &rig->snapshot->positions[rig->snapshot->position_count++];
    *p = (struct position){.side = SIDE_LONG,
                           .qty = dec_from_int(2),
                           .entry_price = dec_from_int(100),
                           .stop = dec_from_int(98),
                           .target = dec_from_int(104)};
    (void)str_copy(str_c(symbol), p->symbol.name, sizeof(p->symbol.name));
    (void)snprintf(p->client_id, sizeof(p->client_id), "nd-%s-%lld", symbol,
                   (long long)rig->trades);
}

static void close_position(struct rig *rig, int pnl)
{
    const struct position *p = &rig->snapshot->positions[--rig->snapshot->position_count];
    struct trade t = {.id = ++rig->trades,
                      .symbol = p->symbol,
                      .side = p->side,
                      .qty = p->qty,
                      .entry_price = p->entry_price,
                      .exit_price = dec_from_int(101),
                      .pnl = dec_from_int(pnl),
                      .fees = dec_from_int(1),
                      .opened_us = START,
                      .closed_us = START + 15 * USEC_PER_MIN,
                      .exit_reason = "target"};
    (void)str_copy(str_c(p->client_id), t.client_id, sizeof(t.client_id));
    assert_int_equal(trade_table_add(rig->trading, &t, NULL), 0);
    rig->snapshot->trades++;
}

static void look(struct rig *rig)
{
    notices_event(&rig->notices, &(struct event){.topic = TOPIC_FILL});
    tick(rig, USEC_PER_SEC);
}

static void entries_and_exits_are_reported_once(void **state)
{
    struct rig *rig = *state;
    open_position(rig, "BTC-USD");
    tick(rig, 0);
    expect(rig, "nightdesk started");
    tick(rig, USEC_PER_SEC); /* what was there before the first start is no news */
    expect_nothing(rig);
    open_position(rig, "ETH-USD");
    look(rig);
    expect(rig, "ETH-USD long opened");
    look(rig);
    expect_nothing(rig);
    close_position(rig, 2);
    tick(rig, USEC_PER_SEC); /* the event was missed: the snapshot shows it */
    expect(rig, "ETH-USD long closed: target");
    close_rig(rig);
    open_rig(rig);
    tick(rig, USEC_PER_SEC);
    expect(rig, "nightdesk stopped unexpectedly");
    tick(rig, USEC_PER_SEC);
    tick(rig, USEC_PER_SEC);
    expect_nothing(rig);
}

static void many_at_once_are_one_message(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    expect(rig, "nightdesk started");
    tick(rig, USEC_PER_SEC);
    for (int i = 0; i < 7; i++) {
        open_position(rig, "BTC-USD");
        close_position(rig, 1);
    }
    look(rig);
    expect(rig, "0 opened, 7 closed");
    expect_nothing(rig);
    for (int i = 0; i < 30; i++) { /* a market at sixty times the speed */
        open_position(rig, "BTC-USD");
        close_position(rig, 1);
        look(rig);
    }
    int count = 0;
    while (next(rig)[0] != '\0') {
        count++;
    }
    assert_true(count <= 6);
    tick(rig, 2 * USEC_PER_MIN);
    expect(rig, "closed"); /* and what waited follows as one */
    expect_nothing(rig);
}

static void veto(struct rig *rig, const char *symbol, const char *code)
{
    struct decision d = {.id = (int64_t)++rig->snapshot->vetoes,
                         .price = dec_from_int(100),
                         .direction = DIRECTION_LONG,
                         .outcome = OUTCOME_VETOED};
    (void)str_copy(str_c(symbol), d.symbol.name, sizeof(d.symbol.name));
    (void)str_copy(str_c(code), d.veto_code, sizeof(d.veto_code));
    (void)snprintf(d.veto_text, sizeof(d.veto_text), "number %lld", (long long)d.id);
    assert_int_equal(decision_table_add(rig->trading, &d, NULL), 0);
}

static void vetoes_of_note_are_reported_once_an_hour(void **state)
{
    struct rig *rig = *state;
    veto(rig, "BTC-USD", "RISK_MARGIN"); /* before the first start: no news */
    tick(rig, 0);
    expect(rig, "nightdesk started");
    tick(rig, USEC_PER_SEC);
    expect_nothing(rig);
    veto(rig, "BTC-USD", "RISK_COOLDOWN"); /* everyday */
    veto(rig, "BTC-USD", "RISK_DRAWDOWN");
    veto(rig, "ETH-USD", "RISK_DRAWDOWN");
    tick(rig, USEC_PER_SEC);
    expect(rig, "number 3");
    expect(rig, "number 4");
    veto(rig, "BTC-USD", "RISK_DRAWDOWN");
    tick(rig, USEC_PER_MIN);
    expect_nothing(rig);
    for (int i = 0; i < 50; i++) { /* more than a page, in which one is of note */
        veto(rig, "BTC-USD", i == 45 ? "RISK_LEVERAGE" : "RISK_COOLDOWN");
    }
    tick(rig, USEC_PER_SEC);
    tick(rig, USEC_PER_SEC);
    tick(rig, USEC_PER_SEC);
    expect(rig, "number 51");
    veto(rig, "BTC-USD", "RISK_DRAWDOWN");
    tick(rig, USEC_PER_HOUR);
    expect(rig, "number 56");
    expect(rig, "daily report"); /* it is past twelve */
    expect_nothing(rig);
}

/* A veto shortly before the end of a process is reported by the next one, and what was reported
 * within the hour is not reported again. */
static void vetoes_survive_a_restart(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    tick(rig, USEC_PER_SEC);
    rig->seen = 1;
    for (int clean = 0; clean < 2; clean++) {
        const char *symbol = clean == 1 ? "BTC-USD" : "ETH-USD";
        char text[32];
        veto(rig, symbol, "RISK_MARGIN");
        tick(rig, USEC_PER_SEC);
        (void)snprintf(text, sizeof(text), "number %d", clean * 3 + 1);
        expect(rig, text);
        veto(rig, symbol, "RISK_MARGIN");
        veto(rig, symbol, "RISK_LEVERAGE");
        if (clean == 1) {
            assert_true(notices_stopping(&rig->notices, rig->snapshot, "by SIGTERM") > 0);
            expect(rig, "by SIGTERM");
        }
        close_rig(rig);
        open_rig(rig);
        tick(rig, USEC_PER_SEC);
        expect(rig, clean == 1 ? "nightdesk started" : "nightdesk stopped unexpectedly");
        tick(rig, USEC_PER_SEC);
        (void)snprintf(text, sizeof(text), "number %d", clean * 3 + 3);
        expect(rig, text);
        expect_nothing(rig);
    }
}

static void pauses_by_others_are_reported(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    tick(rig, USEC_PER_SEC);
    rig->seen = 1;
    rig->snapshot->state = TRADING_PAUSED;
    (void)str_copy(str_c("paused by bo, run 7"), rig->snapshot->state_reason,
                   sizeof(rig->snapshot->state_reason));
    tick(rig, USEC_PER_SEC);
    expect(rig, "paused by bo");
    rig->snapshot->state = TRADING_BREAKER; /* has an alert of its own */
    tick(rig, USEC_PER_SEC);
    rig->snapshot->state = TRADING_ACTIVE;
    tick(rig, USEC_PER_SEC);
    expect_nothing(rig);
}

static void a_pause_right_after_the_first_start_is_reported(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    expect(rig, "nightdesk started");
    rig->snapshot->state = TRADING_PAUSED;
    (void)str_copy(str_c("paused by bo"), rig->snapshot->state_reason,
                   sizeof(rig->snapshot->state_reason));
    tick(rig, USEC_PER_SEC);
    expect(rig, "paused by bo");
}

static void start_and_stop_say_how_long(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    expect(rig, "nightdesk started");
    tick(rig, USEC_PER_SEC);
    open_position(rig, "BTC-USD");
    look(rig);
    expect(rig, "BTC-USD long opened");
    assert_true(notices_stopping(&rig->notices, rig->snapshot, "by SIGTERM") > 0);
    expect(rig, "by SIGTERM");
    close_rig(rig);
    clock_fake_advance(&rig->clock, 252 * USEC_PER_SEC);
    open_rig(rig);
    tick(rig, 0);
    const char *text = next(rig);
    assert_non_null(strstr(text, "It was stopped for"));
    assert_non_null(strstr(text, "stops in place"));
    rig->snapshot->positions[0].stop = DEC_ZERO;
    close_rig(rig); /* without notices_stopping: a crash */
    open_rig(rig);
    rig->notices.last_alive_us = clock_wall_us(&rig->clock.clock) - 252 * USEC_PER_SEC;
    tick(rig, 0);
    text = next(rig);
    assert_non_null(strstr(text, "nightdesk stopped unexpectedly"));
    assert_non_null(strstr(text, "It was away"));
    assert_non_null(strstr(text, "killed, or a power cut"));
    assert_non_null(strstr(text, "without a stop"));
}

static void write_end(struct rig *rig, const char *how)
{
    AUTO_BUF struct buf path = BUF_INIT(512);
    buf_addf(&path, "%s/last_end", rig->notices.o.state_dir);
    assert_int_equal(file_write(path.data, str_c(how), 0600, NULL), 0);
}

static void a_crash_is_reported_with_its_reason_as_systemd_saw_it(void **state)
{
    static const char *const ends[][2] = {
        {"watchdog dumped ABRT\n", "the watchdog ended it, because it made no progress."},
        {"signal killed SEGV\n", "signal SEGV."},
        {"exit-code exited 3\n", "exit code 3."},
        {"oom-kill killed KILL\n", "the kernel ended it, because memory was short."}};
    struct rig *rig = *state;
    tick(rig, 0);
    expect(rig, "nightdesk started");
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        write_end(rig, ends[i][0]);
        close_rig(rig);
        open_rig(rig);
        tick(rig, 0);
        const char *text = next(rig);
        assert_has(text, "The last run died at ");
        assert_has(text, ends[i][1]);
    }
    close_rig(rig); /* each end is reported once */
    open_rig(rig);
    tick(rig, 0);
    assert_null(strstr(next(rig), "memory was short"));
}

/* A process may crash before the engine is ready, and before that is reported. */
static void a_crash_before_the_report_of_the_start_is_reported(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    expect(rig, "nightdesk started");
    assert_true(notices_stopping(&rig->notices, rig->snapshot, "by SIGTERM") > 0);
    expect(rig, "by SIGTERM");
    close_rig(rig);
    open_rig(rig);
    rig->snapshot->state = TRADING_STARTING;
    tick(rig, USEC_PER_SEC);
    expect_nothing(rig);
    assert_int_equal(notices_stopping(&rig->notices, rig->snapshot, "by SIGTERM"), 0);
    close_rig(rig); /* a clean stop before it is none */
    open_rig(rig);
    close_rig(rig);
    open_rig(rig);
    rig->snapshot->state = TRADING_ACTIVE;
    tick(rig, USEC_PER_SEC);
    expect(rig, "nightdesk stopped unexpectedly");
    close_rig(rig);
    open_rig(rig);
    assert_int_equal(notices_stopping(&rig->notices, rig->snapshot, "by SIGTERM"), 0);
    close_rig(rig); /* the crash before is not forgotten by that */
    open_rig(rig);
    tick(rig, USEC_PER_SEC);
    expect(rig, "nightdesk stopped unexpectedly");
    assert_true(notices_stopping(&rig->notices, rig->snapshot, "by SIGTERM") > 0);
    expect(rig, "by SIGTERM");
    close_rig(rig);
    open_rig(rig);
    assert_int_equal(notices_stopping(&rig->notices, rig->snapshot, "by SIGTERM"), 0);
    close_rig(rig);
    open_rig(rig);
    tick(rig, USEC_PER_SEC);
    expect(rig, "nightdesk started");
}

static void the_daily_report_comes_once_a_day_at_its_hour(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    tick(rig, USEC_PER_SEC); /* 11:06: the first day begins */
    rig->seen = 1;
    open_position(rig, "BTC-USD");
    close_position(rig, 7);
    open_position(rig, "ETH-USD");
    close_position(rig, -3);
    look(rig);
    rig->seen += 2;
    rig->snapshot->equity = dec_from_int(10004);
    tick(rig, 52 * USEC_PER_MIN); /* 11:59 */
    expect_nothing(rig);
    close_rig(rig);
    open_rig(rig);
    tick(rig, 0);
    expect(rig, "nightdesk stopped unexpectedly");
    tick(rig, 3 * USEC_PER_MIN); /* 12:02 */
    const char *text = next(rig);
    assert_non_null(strstr(text, "daily report"));
    assert_non_null(strstr(text, "10,004"));
    assert_non_null(strstr(text, "BTC-USD"));
    assert_non_null(strstr(text, "ETH-USD"));
    tick(rig, USEC_PER_HOUR);
    expect_nothing(rig);
    tick(rig, 23 * USEC_PER_HOUR);
    expect(rig, "daily report");
}

static void raise_finding(struct rig *rig, const char *title, enum alert_status status)
{
    char fingerprint[64];
    struct err err = {0};
    (void)snprintf(fingerprint, sizeof(fingerprint), "auditor:bot:%s", title);
    const struct alert_spec spec = {.type = ALERT_BUG,
                                    .severity = SEVERITY_HIGH,
                                    .source = "auditor",
                                    .fingerprint = fingerprint,
                                    .title = title,
                                    .status = status,
                                    .reopens = status == ALERT_OPEN};
    int64_t id = 0;
    assert_int_equal(alerts_raise(rig->alerts, &spec, &id, &err), 0);
}

static void add_audit(struct rig *rig, const char *verdict, int64_t claimed, int64_t rejected)
{
    struct audit_record record = {.started_us = rig->clock.now_wall_us,
                                  .finished_us = rig->clock.now_wall_us,
                                  .trigger = "schedule",
                                  .model = "claude-test",
                                  .tokens_in = 1000,
                                  .tokens_out = 100,
                                  .cost_microusd = 250000,
                                  .claimed = claimed,
                                  .rejected = rejected,
                                  .report_json = strdup("{}")};
    int64_t id = 0;
    (void)str_copy(str_c(verdict), record.verdict, sizeof(record.verdict));
    assert_int_equal(audit_table_add(rig->store, &record, &id, NULL), 0);
    free(record.report_json);
    /* The request before the one that was answered failed, and cost as much. */
    for (int i = 0; i < 2; i++) {
        const struct llm_call_record call = {
            .at_us = rig->clock.now_wall_us, .model = "claude-test", .cost_usd = {25000000}};
        assert_int_equal(llm_call_table_add(rig->store, &call, NULL), 0);
    }
}

/* What the alerts sent meanwhile. */
static void skip_messages(struct rig *rig)
{
    while (next(rig)[0] != '\0') {}
}

/* The default is Monday at 08:00, the start a Wednesday. */
static void the_weekly_digest_comes_once_a_week_at_its_hour(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    tick(rig, 0);
    add_audit(rig, "findings", 50, 50); /* before the first week begins: not of it */
    tick(rig, USEC_PER_SEC);
    tick(rig, USEC_PER_SEC);
    raise_finding(rig, "first", ALERT_OPEN);
    raise_finding(rig, "second", ALERT_OPEN);
    raise_finding(rig, "third", ALERT_OPEN);
    raise_finding(rig, "fourth", ALERT_REJECTED);
    add_audit(rig, "findings", 8, 1);
    add_audit(rig, "no_verdict", 0, 0);
    assert_int_equal(alerts_resolve(rig->alerts, "auditor:bot:first", "gone", &err), 0);
    assert_int_equal(alerts_resolve(rig->alerts, "auditor:bot:second", "gone", &err), 0);
    raise_finding(rig, "second", ALERT_OPEN);                             /* comes back */
    tick(rig, 4 * USEC_PER_DAY + 20 * USEC_PER_HOUR + 52 * USEC_PER_MIN); /* Monday 07:58 */
    skip_messages(rig);
    close_rig(rig);
    open_rig(rig);
    tick(rig, 0);
    skip_messages(rig);
    tick(rig, 3 * USEC_PER_MIN);
    const char *text = next(rig);
    static const char *const parts[] = {
        "weekly digest of the auditor",
        "\"Found\",\"spans\":[{\"type\":\"count\",\"value\":3}",
        "\"Fixed\",\"spans\":[{\"type\":\"count\",\"value\":1}",
        "\"Came back\",\"spans\":[{\"type\":\"count\",\"value\":1}",
        "\"Rejected\",\"spans\":[{\"type\":\"count\",\"value\":1}",
        "\"Open now\",\"spans\":[{\"type\":\"count\",\"value\":2}",
        "\"Audits\",\"spans\":[{\"type\":\"count\",\"value\":2}",
        "\"No verdict\",\"spans\":[{\"type\":\"count\",\"value\":1}",
        "\"Model's errors\",\"spans\":[{\"type\":\"count\",\"value\":1}",
        "\"value\":12.5",
        "\"Cost\",\"spans\":[{\"type\":\"money\",\"value\":1,",
        "\" for \",{\"type\":\"count\",\"value\":4}",
        "second",
        "third"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(text, parts[i]) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", parts[i], text);
        }
    }
    assert_null(strstr(text, "first"));
    tick(rig, USEC_PER_HOUR);
    expect_nothing(rig);
    tick(rig, 6 * USEC_PER_DAY);
    skip_messages(rig);                                /* the daily report */
    tick(rig, 22 * USEC_PER_HOUR + 50 * USEC_PER_MIN); /* Monday 07:51 */
    expect(rig, "daily report");
    expect_nothing(rig);
    tick(rig, 15 * USEC_PER_MIN);
    text = next(rig);
    assert_non_null(strstr(text, "weekly digest"));
    assert_non_null(strstr(text, "No audit has finished")); /* which is no all-clear */
    assert_non_null(strstr(text, "\"Found\",\"spans\":[{\"type\":\"count\",\"value\":0}"));
}

static void the_weekly_digest_can_be_off(void **state)
{
    struct rig *rig = *state;
    rig->config->notify_weekly = "off";
    tick(rig, 0);
    tick(rig, USEC_PER_SEC);
    tick(rig, USEC_PER_SEC);
    skip_messages(rig);
    tick(rig, 8 * USEC_PER_DAY);
    expect(rig, "daily report");
    expect_nothing(rig);
}

/* ---------------------------------------------------------------- kill -9 */

struct killer {
    int left;
};

static int on_write(const char *what, void *userdata)
{
    struct killer *killer = userdata;
    (void)what;
    if (killer->left > 0 && --killer->left == 0) {
        (void)kill(getpid(), SIGKILL);
    }
    return 0;
}

static int in_child(struct rig *rig, int kill_at)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct killer killer = {.left = kill_at};
        open_rig(rig);
        ops_store_set_fault(rig->store, on_write, &killer);
        rig->notices.started = true;
        look(rig);
        tick(rig, USEC_PER_SEC);
        close_rig(rig);
        _exit(0);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

static void an_exit_is_reported_once_across_kill_9(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    tick(rig, USEC_PER_SEC);
    rig->seen = 1;
    int kills = 0;
    bool killed = true;
    for (int n = 1; killed; n++) {
        open_position(rig, "BTC-USD");
        close_position(rig, 1);
        close_rig(rig);
        int status = in_child(rig, n);
        killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        kills += killed ? 1 : 0;
        assert_true(killed || status == 0);
        if (killed) {
            assert_int_equal(in_child(rig, 0), 0);
        }
        open_rig(rig);
        rig->notices.started = true;
        expect(rig, "BTC-USD long closed");
        expect_nothing(rig);
    }
    assert_true(kills >= 4);
}

static void a_veto_is_reported_once_across_kill_9(void **state)
{
    struct rig *rig = *state;
    tick(rig, 0);
    tick(rig, USEC_PER_SEC);
    rig->seen = 1;
    int kills = 0;
    bool killed = true;
    for (int n = 1; killed; n++) {
        char symbol[32], text[32];
        (void)snprintf(symbol, sizeof(symbol), "S%d-USD", n);
        (void)snprintf(text, sizeof(text), "number %d", n);
        veto(rig, symbol, "RISK_MARGIN");
        close_rig(rig);
        int status = in_child(rig, n);
        killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        kills += killed ? 1 : 0;
        assert_true(killed || status == 0);
        if (killed) {
            assert_int_equal(in_child(rig, 0), 0);
        }
        open_rig(rig);
        rig->notices.started = true;
        expect(rig, text);
        expect_nothing(rig);
    }
    assert_true(kills >= 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_GROUP(notices, TEST(entries_and_exits_are_reported_once), TEST(many_at_once_are_one_message),
           TEST(vetoes_of_note_are_reported_once_an_hour), TEST(vetoes_survive_a_restart),
           TEST(pauses_by_others_are_reported),
           TEST(a_pause_right_after_the_first_start_is_reported), TEST(start_and_stop_say_how_long),
           TEST(a_crash_is_reported_with_its_reason_as_systemd_saw_it),
           TEST(a_crash_before_the_report_of_the_start_is_reported),
           TEST(the_daily_report_comes_once_a_day_at_its_hour),
           TEST(the_weekly_digest_comes_once_a_week_at_its_hour),
           TEST(the_weekly_digest_can_be_off), TEST(an_exit_is_reported_once_across_kill_9),
           TEST(a_veto_is_reported_once_across_kill_9))
