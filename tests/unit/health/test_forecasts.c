/* Forecasts of the night watch: when they are made, stored, judged, shown, and what they raise. */
#include "../../../src/health/forecast_show.h"
#include "../../../src/health/forecasts.h"
#include "base/rng.h"
#include "health_rig.h"
#include "io/db.h"
#include "rigs/golden.h"
#include "store/decision_table.h"
#include "store/trade_table.h"
#include "store/trading.h"

#include <math.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAYS 30

static char text[131072];

/* ------------------------------------------------------------------ a folder with figures */

static void open_store(struct rig *rig)
{
    assert_int_equal(ops_store_open(rig->folder, OPS_STORE_WRITE, &rig->store, NULL), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = loop_clock(rig->loop),
                                                         .config = &rig->config,
                                                         .store = rig->store},
                                &rig->alerts, NULL),
                     0);
}

static void close_store(struct rig *rig)
{
    action_table_free(rig->table);
    rig->table = NULL;
    health_free(rig->health);
    rig->health = NULL;
    alerts_free(rig->alerts);
    rig->alerts = NULL;
    ops_store_free(rig->store);
    rig->store = NULL;
}

static int set_up(void **state)
{
    (void)health_rig_set_up(state);
    struct rig *rig = *state;
    rig->config.monitoring_disk_alert_pct = 90;
    rig->config.monitoring_memory_alert_pct = 95;
    rig->config.monitoring_files_alert_pct = 80;
    rig->config.monitoring_target_pct = 99.5;
    close_store(rig);
    open_store(rig);
    (void)health_rig_add(rig, "demo");
    health_rig_make(rig);
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    close_store(rig);
    assert_int_equal(file_remove_tree(rig->folder, NULL), 0);
    assert_int_equal(mkdir(rig->folder, 0700), 0);
    return health_rig_tear_down(state);
}

static int64_t today(const struct rig *rig)
{
    return clock_wall_us(loop_clock(rig->loop)) / USEC_PER_DAY;
}

/* Whole days until yesterday, of which the last one has `last` at its peak. */
static void measure(struct rig *rig, const char *subject, const char *name, double last,
                    double per_day)
{
    int64_t series;
    assert_int_equal(ops_store_begin(rig->store, NULL), 0);
    assert_int_equal(metric_table_series(rig->store, subject, name, &series, NULL), 0);
    for (int h = 0; h < DAYS * 24; h++) {
        double ago = DAYS - 1 - h / 24;
        double value = last - ago * per_day - 0.05 * (h % 24 != 12) - 0.1 * (h * 7 % 5 == 0);
        int64_t at_s = ((today(rig) - DAYS) * 24 + h) * 3600;
        assert_int_equal(metric_table_add(rig->store, series, at_s, value, NULL), 0);
    }
    assert_int_equal(ops_store_commit(rig->store, NULL), 0);
}

static void add(struct rig *rig, const char *subject, int64_t day, double low, double high)
{
    struct forecast_row row = {.day = day,
                               .due_day = day + FORECAST_AHEAD - 1,
                               .low = low,
                               .mid = low,
                               .high = high,
                               .bound = 90,
                               .warned = low >= 90};
    (void)str_copy(str_c(subject), row.subject, sizeof(row.subject));
    (void)str_copy(str_c("disk"), row.kind, sizeof(row.kind));
    assert_int_equal(forecast_table_add(rig->store, &row, NULL), 0);
}

static struct forecast_score disk;

static void take(const struct forecast_score *score, void *userdata)
{
    (void)userdata;
    assert_string_equal(score->kind, "disk");
    disk = *score;
}

static struct forecast_score score_of(struct rig *rig)
{
    disk = (struct forecast_score){.judged = 0};
    assert_int_equal(forecast_table_scores(rig->store, take, NULL, NULL), 0);
    return disk;
}

static size_t stored(struct rig *rig)
{
    static struct forecast_row rows[64];
    int n = forecast_table_list(rig->store, today(rig), rows, 64, NULL);
    assert_true(n >= 0);
    return (size_t)n;
}

static size_t open_due(struct rig *rig)
{
    static struct forecast_row rows[64];
    int n = forecast_table_due(rig->store, today(rig), rows, 64, NULL);
    assert_true(n >= 0);
    return (size_t)n;
}

/* ------------------------------------------------------------------ alerts */

static void a_disk_that_fills_is_told_before(void **state)
{
    struct rig *rig = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    measure(rig, "host", "disk_pct", 88, 1);
    measure(rig, "host", "inodes_pct", 88, 0.01); /* grows, but not far enough */
    measure(rig, "demo", "memory_pct", 93, 0);    /* does not grow */
    forecasts_look(rig->health->forecasts);
    UNTIL(rig, health_rig_alert(rig, "metric:host:disk_week") == ALERT_OPEN);
    assert_int_equal(stored(rig), 3);
    assert_int_equal(alert_table_find(rig->store, "metric:host:disk_week", alert, NULL), 0);
    assert_int_equal(alert->severity, SEVERITY_LOW);
    assert_string_equal(alert->title, "Disk of the machine will pass 90 % within a week");
    assert_non_null(strstr(alert->description, "It grows by 1.00 points a day"));
    assert_int_equal(health_rig_alert(rig, "metric:host:inodes_week"), -1);
    assert_int_equal(health_rig_alert(rig, "metric:demo:memory_week"), -1);
    free(alert);
}

static void an_alert_ends_with_what_it_says(void **state)
{
    struct rig *rig = *state;
    const struct alert_spec spec = {.type = ALERT_PERFORMANCE,
                                    .severity = SEVERITY_LOW,
                                    .source = FORECASTS_SOURCE,
                                    .fingerprint = "metric:host:disk_week",
                                    .title = "Disk",
                                    .status = ALERT_OPEN};
    int64_t id;
    assert_int_equal(alerts_raise(rig->alerts, &spec, &id, NULL), 0);
    measure(rig, "host", "disk_pct", 60, 0);
    forecasts_look(rig->health->forecasts);
    UNTIL(rig, health_rig_alert(rig, "metric:host:disk_week") == ALERT_FIXED);
}

/* Six of six were wrong: what it says now is shown, but nobody is woken. */
static void a_kind_that_proved_bad_raises_nothing(void **state)
{
    struct rig *rig = *state;
    measure(rig, "host", "disk_pct", 88, 1);
    for (int week = 0; week < 6; week++) {
        add(rig, "host", today(rig) - 8 - 7 * week - (today(rig) - 8) % 7, 10, 11);
    }
    forecasts_look(rig->health->forecasts); /* judges them */
    UNTIL(rig, stored(rig) == 1);
    assert_int_equal(open_due(rig), 0);
    health_free(rig->health);
    rig->health = NULL;
    action_table_free(rig->table);
    health_rig_make(rig);
    /* Those before the first day with figures are not known. */
    struct forecast_score score = score_of(rig);
    assert_true(score.judged >= 3 && score.held == 0);
    while (score.judged < 6) {
        add(rig, "other", today(rig) - 100 + 7 * score.judged++, 10, 11);
    }
    static struct forecast_row due[64];
    int n = forecast_table_due(rig->store, today(rig), due, 64, NULL);
    for (int i = 0; i < n; i++) {
        assert_int_equal(forecast_table_judge(rig->store, due[i].id, 50, NULL), 0);
    }
    assert_int_equal(alerts_resolve(rig->alerts, "metric:host:disk_week", "test", NULL), 0);
    score = score_of(rig);
    assert_false(forecast_score_good(&score));
    forecasts_look(rig->health->forecasts);
    struct forecast_list *list = forecast_list_new(rig->health, NULL);
    assert_int_equal(forecast_list_read(list, rig->store, today(rig), NULL), 0);
    assert_true(list->items[0].forecast.low >= 90 && !list->items[0].warned);
    free(list);
}

/* ------------------------------------------------------------------ what came */

static void forecasts_are_judged_when_their_day_is_over(void **state)
{
    struct rig *rig = *state;
    measure(rig, "host", "disk_pct", 60, 0);
    add(rig, "host", today(rig) - 7, 59, 61);   /* held */
    add(rig, "host", today(rig) - 14, 91, 92);  /* missed, and warned for nothing */
    add(rig, "host", today(rig) - 300, 59, 61); /* before there were figures */
    add(rig, "gone", today(rig) - 7, 59, 61);
    add(rig, "host", today(rig) - 6, 59, 61); /* its day is not over */
    assert_int_equal(open_due(rig), 4);
    forecasts_look(rig->health->forecasts);
    UNTIL(rig, stored(rig) == 1);
    assert_int_equal(open_due(rig), 0);
    struct forecast_score score = score_of(rig);
    assert_int_equal(score.judged, 2);
    assert_int_equal(score.held, 1);
    assert_int_equal(score.warned, 1);
    assert_int_equal(score.came, 0);
}

static void a_judgement_is_final_and_a_forecast_the_first_of_its_day(void **state)
{
    struct rig *rig = *state;
    static struct forecast_row row[4];
    add(rig, "host", 7000, 10, 11);
    add(rig, "host", 7000, 20, 21);
    assert_int_equal(forecast_table_due(rig->store, 8000, row, 4, NULL), 1);
    assert_true(fabs(row[0].low - 10) < 1e-9);
    assert_int_equal(forecast_table_judge(rig->store, row[0].id, 10.5, NULL), 0);
    assert_int_equal(forecast_table_judge(rig->store, row[0].id, 99, NULL), 0);
    assert_int_equal(score_of(rig).held, 1);
    for (int day = 7001; day < 7007; day++) { /* of the same week, and wrong */
        add(rig, "host", day, 10, 11);
    }
    add(rig, "host", 7007, 10, 11);
    int n;
    while ((n = forecast_table_due(rig->store, 8000, row, 4, NULL)) > 0) {
        assert_int_equal(forecast_table_judge(rig->store, row[0].id, 99, NULL), 0);
    }
    assert_int_equal(n, 0);
    assert_int_equal(score_of(rig).judged, 2);
    assert_int_equal(score_of(rig).held, 1);
    assert_int_equal(forecast_table_prune(rig->store, 7001 + FORECAST_KEEP_DAYS, NULL), 0);
    assert_int_equal(score_of(rig).held, 0); /* the first one is gone */
}

/* The process dies between two slices. */
static void a_crash_loses_and_doubles_nothing(void **state)
{
    struct rig *rig = *state;
    measure(rig, "host", "disk_pct", 60, 0);
    for (int i = 0; i < FORECASTS_SLICE + 8; i++) {
        char subject[32];
        (void)snprintf(subject, sizeof(subject), "gone%d", i);
        add(rig, subject, today(rig) - 7, 59, 61);
    }
    forecasts_look(rig->health->forecasts);
    UNTIL(rig, open_due(rig) == 8);
    assert_int_equal(stored(rig), 0);
    close_store(rig);
    open_store(rig);
    health_rig_make(rig);
    assert_int_equal(open_due(rig), 8);
    forecasts_look(rig->health->forecasts);
    UNTIL(rig, stored(rig) == 1);
    assert_int_equal(open_due(rig), 0);
    close_store(rig); /* and again on the same day */
    open_store(rig);
    health_rig_make(rig);
    forecasts_look(rig->health->forecasts);
    for (int i = 0; i < 20; i++) {
        (void)loop_iterate(rig->loop, 5000);
    }
    assert_int_equal(stored(rig), 1);
}

/* ------------------------------------------------------------------ kill -9 */

#define KILL_DUE    160
#define KILL_ROUNDS (UNIT_SANITIZED ? 3 : 6)
#define KILL_WRITES 60 /* of one process, at most */
#define KILL_WAIT_S 60

/* Each judgement is written down. */
static const char noted[] = "CREATE TABLE noted(id INTEGER NOT NULL);"
                            "CREATE TRIGGER note AFTER UPDATE OF state ON forecasts BEGIN"
                            " INSERT INTO noted(id) VALUES (new.id); END;";

static int64_t count_in(const char *folder, const char *sql)
{
    char path[160];
    struct db *db = NULL;
    int64_t value = -1;
    (void)snprintf(path, sizeof(path), "%s/ops.db", folder);
    const struct db_options options = {.path = path, .read_only = true, .busy_timeout_ms = 2000};
    assert_int_equal(db_open(&options, &db, NULL), 0);
    assert_int_equal(db_get_i64(db, sql, DB_NO_VALUES, -1, &value, NULL), 0);
    db_free(db);
    return value;
}

/* Thirty days of a disk, and forecasts that are due. */
static void fill(const char *folder)
{
    char path[160];
    struct db *db = NULL;
    struct rig rig = {.loop = loop_new(NULL)};
    assert_int_equal(ops_store_open(folder, OPS_STORE_WRITE, &rig.store, NULL), 0);
    measure(&rig, "host", "disk_pct", 60, 0);
    for (int i = 0; i < KILL_DUE; i++) {
        char subject[32];
        (void)snprintf(subject, sizeof(subject), "gone%d", i);
        add(&rig, subject, today(&rig) - 7, 59, 61);
    }
    ops_store_free(rig.store);
    loop_free(rig.loop);
    (void)snprintf(path, sizeof(path), "%s/ops.db", folder);
    assert_int_equal(
        db_open(&(struct db_options){.path = path, .busy_timeout_ms = 2000}, &db, NULL), 0);
    assert_int_equal(db_exec(db, noted, NULL), 0);
    db_free(db);
}

static int kill_before_write(const char *what, void *userdata)
{
    (void)what;
    int *left = userdata;
    if (*left > 0 && --*left == 0) {
        (void)raise(SIGKILL);
    }
    return 0;
}

/* Another process judges and stores in the folder until it is killed: by itself before the write
 * with this number (writes > 0), or by us. */
static pid_t start_process(const char *folder, int writes)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
    (void)alarm(KILL_WAIT_S);
    void *state = NULL;
    (void)set_up(&state);
    struct rig *rig = state;
    close_store(rig);
    (void)file_remove_tree(rig->folder, NULL);
    (void)str_copy(str_c(folder), rig->folder, sizeof(rig->folder));
    open_store(rig);
    health_rig_make(rig);
    ops_store_set_fault(rig->store, kill_before_write, &writes);
    forecasts_look(rig->health->forecasts);
    for (;;) {
        (void)loop_iterate(rig->loop, 5000);
    }
}

static void expect_killed(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void kill_9_judges_nothing_twice_and_loses_nothing(void **state)
{
    (void)state;
    char folder[] = "/var/tmp/nightdesk-forecasts-XXXXXX";
    struct rng rng;
    int64_t judged = 0;
    int progressed = 0;
    rng_init(&rng, 9);
    assert_non_null(mkdtemp(folder));
    fill(folder);
    for (int i = 0; i < KILL_ROUNDS && judged + KILL_WRITES < KILL_DUE; i++) {
        expect_killed(start_process(folder, 1 + (int)rng_below(&rng, KILL_WRITES)));
        int64_t now = count_in(folder, "SELECT count(*) FROM noted");
        assert_true(now >= judged && now < KILL_DUE);
        assert_int_equal(now, count_in(folder, "SELECT count(DISTINCT id) FROM noted"));
        assert_int_equal(now, count_in(folder, "SELECT count(*) FROM forecasts"
                                               " WHERE state <> 'open'"));
        progressed += now > judged ? 1 : 0;
        judged = now;
    }
    assert_true(progressed > 0);
    for (int i = 0; i < 2; i++) { /* the second one finds nothing to do */
        pid_t pid = start_process(folder, 0);
        int64_t until_us = clock_mono_us(clock_real()) + KILL_WAIT_S * USEC_PER_SEC;
        while (count_in(folder, "SELECT count(*) FROM forecasts WHERE subject = 'host'") < 1 &&
               clock_mono_us(clock_real()) < until_us) {
            (void)usleep(500);
        }
        (void)usleep(i == 0 ? 0 : 100000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        expect_killed(pid);
        assert_int_equal(count_in(folder, "SELECT count(*) FROM noted"), KILL_DUE);
        assert_int_equal(count_in(folder, "SELECT count(DISTINCT id) FROM noted"), KILL_DUE);
        assert_int_equal(count_in(folder, "SELECT count(*) FROM forecasts"), KILL_DUE + 1);
    }
    assert_int_equal(file_remove_tree(folder, NULL), 0);
}

/* ------------------------------------------------------------------ the command */

static void the_command_reads_and_shows(void **state)
{
    struct rig *rig = *state;
    struct finished f = {0};
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    assert_int_equal(trading_store_open(rig->folder, TRADING_STORE_WRITE, &trading, NULL), 0);
    measure(rig, "host", "disk_pct", 88, 1);
    measure(rig, "demo", "failed_pct", 0.4, 0);
    AUTO_REPLY struct reply *r = reply_new();
    struct action_call call = health_rig_call(rig, "health.forecast", NULL, NULL, r, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, 0);
    reply_text_all(r, text, sizeof(text));
    assert_has(text, "Forecast: 1 warning");
    assert_has(text, "Error budget of demo: ");
    assert_has(text, "Disk: none was judged yet");
    AUTO_REPLY struct reply *one = reply_new();
    struct action_call second = health_rig_call(rig, "health.forecast", "demo", NULL, one, &f);
    assert_int_equal(second.action->run(&second, NULL), ACTION_PENDING);
    UNTIL(rig, f.times == 2);
    reply_text_all(one, text, sizeof(text));
    assert_null(strstr(text, "Disk"));
    assert_has(text, "Error budget of demo: ");
}

#define NOW_US (INT64_C(1795230000) * USEC_PER_SEC) /* Saturday 2026-11-21 03:00 */

static struct forecast_view *make_view(void)
{
    enum { ITEMS = 6 };
    static const char *const subjects[ITEMS] = {"host", "host", "host", "demo", "demo", "new"};
    static const enum forecast_kind kinds[ITEMS] = {FORECAST_DISK,   FORECAST_INODES,
                                                    FORECAST_MEMORY, FORECAST_MEMORY,
                                                    FORECAST_CHECKS, FORECAST_CHECKS};
    struct forecast_view *v =
        calloc(1, sizeof(*v) + sizeof(struct forecast_list) + ITEMS * sizeof(struct forecast_item));
    assert_non_null(v);
    v->list = (struct forecast_list *)(v + 1);
    v->list->count = ITEMS;
    v->now_us = NOW_US;
    v->market_speed = 1;
    for (int i = 0; i < ITEMS; i++) {
        struct forecast_item *item = &v->list->items[i];
        (void)str_copy(str_c(subjects[i]), item->subject, sizeof(item->subject));
        item->kind = kinds[i];
        item->limit = kinds[i] == FORECAST_CHECKS ? 100 : 90;
        item->forecast = (struct forecast){.state = FORECAST_MADE,
                                           .days = 56,
                                           .due_day = NOW_US / USEC_PER_DAY + 6,
                                           .last = 40,
                                           .low = 38.2,
                                           .mid = 40,
                                           .high = 42.1,
                                           .top_hour = -1};
        item->target = 99.5;
    }
    v->list->items[0].warned = true;
    v->list->items[0].forecast = (struct forecast){.state = FORECAST_MADE,
                                                   .days = 42,
                                                   .due_day = NOW_US / USEC_PER_DAY + 6,
                                                   .last = 87.9,
                                                   .low = 91.6,
                                                   .mid = 93.1,
                                                   .high = 95.4,
                                                   .grows = true,
                                                   .slope_day = 0.74,
                                                   .lower_day = 0.61,
                                                   .upper_day = 0.88,
                                                   .top_hour = 4};
    v->list->items[2].forecast.weekly = true;
    v->list->items[2].forecast.top_weekday = 6;
    v->list->items[3].forecast.state = FORECAST_STALE;
    v->list->items[5].forecast = (struct forecast){.days = 5};
    v->list->scores[FORECAST_DISK] = (struct forecast_score){"disk", 24, 22, 3, 2};
    v->list->scores[FORECAST_MEMORY] = (struct forecast_score){"memory", 31, 20, 0, 0};
    v->looked = true;
    (void)str_copy(str_c("Berlin"), v->zone_label, sizeof(v->zone_label));
    v->quiet.found = v->quiet.by_trades = true;
    v->quiet.begins = 6 * 24 + 4;
    v->next_us = NOW_US + 24 * USEC_PER_HOUR;
    v->quiet.in = 1;
    v->quiet.all = 412;
    v->quiet.expected = 4.9;
    v->quiet.covered = 168;
    v->quiet.symbol_count = 1;
    (void)str_copy(str_c("BTC-USD"), v->quiet.symbols[0], sizeof(v->quiet.symbols[0]));
    v->symbols.count = 2;
    v->symbols.items[0] = (struct symbol){"BTC-USD"};
    v->symbols.items[1] = (struct symbol){"DOGE-USD"};
    return v;
}

static const char *shown(struct forecast_view *v)
{
    AUTO_REPLY struct reply *r = reply_new();
    forecast_show(&v->job, r);
    reply_text_all(r, text, sizeof(text));
    return text;
}

static void replies_match_the_golden_files(void **state)
{
    (void)state;
    AUTO_FREE struct forecast_view *v = make_view();
    golden_check_reply("forecast", shown(v), NULL);
    assert_has(text, "Worse than claimed: do not rely on it");
    assert_has(text, "too little data, 5 of 12 days");
    for (size_t i = 0; i < v->list->count; i++) {
        v->list->items[i].forecast = (struct forecast){.days = 0};
        v->list->items[i].warned = false;
    }
    v->quiet.found = false;
    assert_has(shown(v), "Nothing was measured for a whole day yet");
    assert_has(text, "No hours are clearly quieter");
    v->quiet.expected = 1;
    assert_has(shown(v), "Too few trades and decisions");
    v->quiet.covered = 0;
    assert_has(shown(v), "Too little data: no hour");
    v->market_speed = 60;
    assert_has(shown(v), "60× real time");
}

/* ------------------------------------------------------------------ quiet hours */

static void decide(struct trading_store *trading, int64_t id, int64_t at_us, bool wanted)
{
    struct decision *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    *d = (struct decision){.id = id,
                           .symbol = {"BTC-USD"},
                           .at_us = at_us,
                           .outcome = wanted ? OUTCOME_VETOED : OUTCOME_HOLD};
    assert_int_equal(decision_table_add(trading, d, NULL), 0);
    free(d);
}

/* Hourly decisions for four weeks, each wants a trade but on Sunday from 4 to 6; nobody looked on
 * Tuesday. */
static void quiet_hours_are_those_in_which_somebody_looked(void **state)
{
    const struct rig *rig = *state;
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    AUTO_FREE struct quiet *q = calloc(1, sizeof(*q));
    assert_int_equal(trading_store_open(rig->folder, TRADING_STORE_WRITE, &trading, NULL), 0);
    assert_int_equal(quiet_read(q, trading, NOW_US, NULL), 0);
    assert_false(q->found);
    assert_int_equal(q->covered, 0);
    assert_int_equal(trading_store_begin(trading, NULL), 0);
    for (int64_t i = 1; i <= QUIET_WEEKS * QUIET_WEEK_HOURS; i++) {
        int64_t at_us = NOW_US - i * USEC_PER_HOUR;
        int hour = quiet_hour(NULL, at_us);
        if (hour / 24 != 1) {
            decide(trading, i, at_us, hour != 6 * 24 + 4 && hour != 6 * 24 + 5);
        }
    }
    assert_int_equal(trading_store_commit(trading, NULL), 0);
    memset(q, 0, sizeof(*q));
    assert_int_equal(quiet_read(q, trading, NOW_US, NULL), 0);
    assert_true(q->found && !q->by_trades);
    assert_int_equal(q->begins, 6 * 24 + 4);
    assert_int_equal(q->in, 0);
    assert_int_equal(q->covered, 144);
    assert_int_equal(q->all, 142 * QUIET_WEEKS);
    assert_true(quiet_has(q, "BTC-USD") && !quiet_has(q, "ETH-USD"));
    assert_int_equal(quiet_hour(NULL, NOW_US), 5 * 24 + 3);
    assert_int_equal(trading_store_begin(trading, NULL), 0);
    for (int i = 0; i < 300; i++) { /* trades say more: they were on Thursday and Sunday */
        int64_t at_us = NOW_US - (i % 2 == 0 ? 2 : 6) * USEC_PER_DAY + i / 2 * 10 * USEC_PER_MIN;
        const struct trade trade = {.id = i + 1,
                                    .symbol = {"BTC-USD"},
                                    .opened_us = at_us,
                                    .closed_us = at_us + USEC_PER_MIN,
                                    .exit_reason = "stop"};
        assert_int_equal(trade_table_add(trading, &trade, NULL), 0);
    }
    assert_int_equal(trading_store_commit(trading, NULL), 0);
    memset(q, 0, sizeof(*q));
    assert_int_equal(quiet_read(q, trading, NOW_US, NULL), 0);
    assert_true(q->found && q->by_trades);
    assert_int_equal(q->in, 0);
    assert_true(q->begins / 24 != 1 && q->all > 500);
}

#define FORECASTS(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

UNIT_GROUP(forecasts, FORECASTS(a_disk_that_fills_is_told_before),
           FORECASTS(an_alert_ends_with_what_it_says),
           FORECASTS(a_kind_that_proved_bad_raises_nothing),
           FORECASTS(forecasts_are_judged_when_their_day_is_over),
           FORECASTS(a_judgement_is_final_and_a_forecast_the_first_of_its_day),
           FORECASTS(a_crash_loses_and_doubles_nothing),
           cmocka_unit_test(kill_9_judges_nothing_twice_and_loses_nothing),
           FORECASTS(the_command_reads_and_shows), cmocka_unit_test(replies_match_the_golden_files),
           FORECASTS(quiet_hours_are_those_in_which_somebody_looked))
