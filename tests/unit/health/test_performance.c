/* /performance system: what is read, and how it is shown. */
#include "../../../src/health/performance.h"
#include "base/check.h"
#include "command/reply.h"
#include "io/secret.h"
#include "rigs/file_tree.h"
#include "rigs/golden.h"
#include "rigs/reply_text.h"
#include "store/attachment.h"
#include "store/ops.h"
#include "store/sample_table.h"
#include "store/trade_table.h"
#include "store/trading.h"
#include "unit/unit.h"

#include <math.h>

#define NOW_US (INT64_C(1795230000) * USEC_PER_SEC)
#define MB     1e6

static char text[131072];

static void set(struct performance_subject *s, enum metric metric, double now, double mean,
                double max)
{
    s->has |= METRIC_BIT(metric);
    s->now[metric] = now;
    s->over[metric] = (struct metric_point){.min = now / 2, .mean = mean, .max = max, .count = 288};
}

static struct performance *make(void)
{
    static const char *const names[] = {"host", "nightdesk", "prediction", "prediction/model"};
    struct performance *p = calloc(1, sizeof(*p) + 4 * sizeof(p->subjects[0]));
    ASSERT(p != NULL);
    p->days = 1;
    p->now_us = NOW_US;
    p->age_us = 12 * USEC_PER_SEC;
    p->interval_us = p->check_us = 30 * USEC_PER_SEC;
    p->market_speed = 1;
    p->only = -1;
    p->service_count = 1;
    p->count = 4;
    for (size_t i = 0; i < 4; i++) {
        p->subjects[i].kind = (enum subject_kind)i;
        (void)str_copy(str_c(names[i]), p->subjects[i].name, sizeof(p->subjects[i].name));
        (void)str_copy(str_c(names[i]), p->subjects[i].service, sizeof(p->subjects[i].service));
    }
    return p;
}

static void fill(struct performance *p)
{
    struct performance_subject *host = &p->subjects[SUBJECT_HOST];
    struct performance_subject *self = &p->subjects[SUBJECT_SELF];
    struct performance_subject *service = &p->subjects[SUBJECT_SERVICE];
    set(host, METRIC_CPU, 12.3, 8.9, 97.1);
    set(host, METRIC_MEMORY_PCT, 61.2, 60.8, 66);
    set(host, METRIC_DISK_PCT, 84.4, 83.1, 84.4);
    set(host, METRIC_WRITTEN, 1.23 * MB, 800e3, 55 * MB);
    set(host, METRIC_FILES, 1824, 1800, 2100);
    host->alarms[ALARM_DISK_TREND] = (struct metric_alarm){.open = true,
                                                           .known = true,
                                                           .left_s = 2.5 * 86400,
                                                           .soonest_s = 2.1 * 86400,
                                                           .latest_s = 3.2 * 86400};
    set(self, METRIC_CPU, 0.4, 0.5, 3);
    set(self, METRIC_MEMORY, 21 * MB, 20 * MB, 23 * MB);
    set(service, METRIC_CPU, 3.1, 2.2, 88);
    set(service, METRIC_MEMORY, 412 * MB, 380 * MB, 412 * MB);
    set(service, METRIC_LATENCY, 14.2, 12.8, 480);
    set(service, METRIC_FAILED_PCT, 0, 1.7, 100);
    set(&p->subjects[SUBJECT_CHECK], METRIC_LATENCY, 61.5, 58.1, 480);
    set(&p->subjects[SUBJECT_CHECK], METRIC_FAILED_PCT, 0, 1.7, 100);
    p->trade_days = 30;
    p->trades.groups[FAULT_NONE] = (struct trade_group_result){212, 118, 0.12, 300};
    p->trades.groups[FAULT_SLOW] = (struct trade_group_result){17, 5, -0.61, 9};
    p->trades.groups[FAULT_DOWN] = (struct trade_group_result){3, 1, -0.2, 1};
}

static void check(struct performance *p, const char *name)
{
    AUTO_REPLY struct reply *r = reply_new();
    performance_show(&p->job, r);
    reply_text_all(r, text, sizeof(text));
    golden_check_reply(name, text, NULL);
}

static void replies_match_the_golden_files(void **state)
{
    (void)state;
    AUTO_FREE struct performance *p = make();
    fill(p);
    check(p, "performance_system");
    p->only = SUBJECT_SERVICE;
    p->days = 7;
    check(p, "performance_service");
}

static const char *shown(struct performance *p)
{
    AUTO_REPLY struct reply *r = reply_new();
    performance_show(&p->job, r);
    reply_text_all(r, text, sizeof(text));
    return text;
}

static void old_figures_say_so(void **state)
{
    (void)state;
    AUTO_FREE struct performance *p = make();
    fill(p);
    assert_has(shown(p), "System: 1 alert");
    p->age_us = 20 * USEC_PER_MIN;
    assert_has(shown(p), "not measured lately");
    assert_has(shown(p), "The figures of now are ");
    p->age_us = -1;
    assert_has(shown(p), "not measured yet");
    p->market_speed = 60;
    assert_has(shown(p), "cannot be matched");
    p->disk_hangs = true;
    assert_has(shown(p), "The disk does not answer.");
}

/* ------------------------------------------------------------------ what a helper reads */

struct folder {
    char *path;
    struct ops_store *ops;
    struct trading_store *trading;
};

static int open_folder(void **state)
{
    struct folder *f = calloc(1, sizeof(*f));
    void *path = NULL;
    ASSERT(f != NULL && secret_init(NULL) == 0 && file_tree_make(&path) == 0);
    f->path = path;
    ASSERT(ops_store_open(f->path, OPS_STORE_WRITE, &f->ops, NULL) == 0);
    ASSERT(trading_store_open(f->path, TRADING_STORE_WRITE, &f->trading, NULL) == 0);
    *state = f;
    return 0;
}

static int close_folder(void **state)
{
    struct folder *f = *state;
    void *path = f->path;
    ops_store_free(f->ops);
    trading_store_free(f->trading);
    (void)file_tree_remove(&path);
    free(f);
    return 0;
}

static void add_trade(struct folder *f, int64_t id, int64_t opened_us, double result_pct)
{
    const struct trade trade = {.id = id,
                                .symbol = {"BTC-USD"},
                                .qty = dec_from_int(2),
                                .entry_price = dec_from_int(50),
                                .pnl = {.e8 = (int64_t)llround(result_pct * 1e8)},
                                .opened_us = opened_us,
                                .closed_us = opened_us + USEC_PER_MIN,
                                .exit_reason = "stop"};
    assert_int_equal(trade_table_add(f->trading, &trade, NULL), 0);
}

/* A day: the service is down for an hour; its checks are slow for ten minutes. */
static void fill_day(struct folder *f)
{
    static const char *const names[] = {"memory_pct", "cpu_pct"};
    int64_t series[2], latency;
    int64_t from_s = NOW_US / USEC_PER_SEC - 86400;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(metric_table_series(f->ops, "host", names[i], &series[i], NULL), 0);
    }
    assert_int_equal(metric_table_series(f->ops, "prediction", "latency_ms", &latency, NULL), 0);
    assert_int_equal(ops_store_begin(f->ops, NULL), 0);
    for (int64_t s = 0; s < 86400; s += 150) {
        double ms = s >= 36000 && s < 36600 ? 900 : 10;
        (void)metric_table_add(f->ops, series[0], from_s + s, 50, NULL);
        (void)metric_table_add(f->ops, series[1], from_s + s, 5, NULL);
        (void)metric_table_add(f->ops, latency, from_s + s, ms, NULL);
    }
    for (int64_t s = 7200; s < 10800; s += 30) {
        const struct service_sample sample = {.service = "prediction",
                                              .at_us = (from_s + s) * USEC_PER_SEC};
        assert_int_equal(sample_table_add(f->ops, &sample, NULL), 0);
    }
    assert_int_equal(ops_store_commit(f->ops, NULL), 0);
    for (int i = 0; i < 24; i++) { /* each hour, two minutes into it */
        add_trade(f, i + 1, (from_s + i * 3600 + 120) * USEC_PER_SEC, i == 2 ? -3 : 1);
    }
}

static void a_helper_reads_the_period_and_the_trades(void **state)
{
    struct folder *f = *state;
    struct err err = {0};
    AUTO_FREE struct performance *p = make();
    fill_day(f);
    (void)str_copy(str_c(f->path), p->job.state_dir, sizeof(p->job.state_dir));
    (void)snprintf(p->job.dir, sizeof(p->job.dir), "%s/attachments", f->path);
    p->job.to_folder = true;
    p->job.file =
        (struct attachment_new){.name = "s.png", .media_type = "image/png", .image = true};
    int rc = performance_read(&p->job, &err);
    if (rc < 0) {
        fail_msg("%s: %s", err_info(rc)->code, err.context);
    }
    assert_int_equal(rc, 1);
    assert_true(p->job.added.size_bytes > 1000);
    assert_string_equal(p->job.caption, "System, last day");
    const struct performance_subject *service = &p->subjects[SUBJECT_SERVICE];
    assert_int_equal(service->over[METRIC_LATENCY].count, 576);
    assert_true(fabs(service->over[METRIC_LATENCY].max - 900) < 1e-9);
    assert_true(fabs(p->subjects[SUBJECT_HOST].over[METRIC_MEMORY_PCT].mean - 50) < 1e-9);
    assert_int_equal(p->trade_days, 30);
    assert_int_equal(p->trades.groups[FAULT_DOWN].trades, 1);
    assert_int_equal(p->trades.groups[FAULT_SLOW].trades, 1);
    assert_int_equal(p->trades.groups[FAULT_NONE].trades, 22);
    assert_true(fabs(p->trades.groups[FAULT_DOWN].mean_pct + 3) < 1e-6);
}

static void nothing_measured_gives_no_picture(void **state)
{
    struct folder *f = *state;
    AUTO_FREE struct performance *p = make();
    (void)str_copy(str_c(f->path), p->job.state_dir, sizeof(p->job.state_dir));
    p->market_speed = 60; /* and no trades are read */
    assert_int_equal(performance_read(&p->job, NULL), 0);
    assert_int_equal(p->trade_days, 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

UNIT_GROUP(performance, cmocka_unit_test(replies_match_the_golden_files),
           cmocka_unit_test(old_figures_say_so),
           IN_FOLDER(a_helper_reads_the_period_and_the_trades),
           IN_FOLDER(nothing_measured_gives_no_picture))
