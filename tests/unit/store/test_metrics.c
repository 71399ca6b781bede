#include "base/check.h"
#include "folder.h"
#include "io/db.h"
#include "store/metric_table.h"
#include "unit/unit.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define T0 INT64_C(1795230000) /* a full hour */

static struct ops_store *open_store(const char *folder)
{
    struct err err = {0};
    struct ops_store *store = NULL;
    if (ops_store_open(folder, OPS_STORE_WRITE, &store, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return store;
}

static int64_t series_of(struct ops_store *store, const char *subject)
{
    int64_t id = 0;
    assert_int_equal(metric_table_series(store, subject, "cpu_pct", &id, NULL), 0);
    return id;
}

static void add(struct ops_store *store, const char *subject, int64_t at_s, double value)
{
    struct err err = {0};
    if (metric_table_add(store, series_of(store, subject), at_s, value, &err) < 0) {
        fail_msg("%s", err.context);
    }
}

static int list(struct ops_store *store, const char *subject, enum metric_level level,
                int64_t from_s, struct metric_point *ret, size_t max)
{
    return metric_table_list(store,
                             &(struct metric_query){.subject = subject,
                                                    .name = "cpu_pct",
                                                    .level = level,
                                                    .from_s = from_s,
                                                    .to_s = INT64_MAX},
                             ret, max, NULL);
}

static void same_point(const struct metric_point *p, int64_t at_s, double min, double mean,
                       double max, int64_t count)
{
    assert_int_equal(p->at_s, at_s);
    assert_true(fabs(p->min - min) < 1e-9);
    assert_true(fabs(p->mean - mean) < 1e-9);
    assert_true(fabs(p->max - max) < 1e-9);
    assert_int_equal(p->count, count);
}

static void take_sum(const char *subject, const char *name, const struct metric_point *sum,
                     void *userdata)
{
    struct metric_point *sums = userdata;
    assert_string_equal(name, "cpu_pct");
    sums[strcmp(subject, "host") == 0 ? 0 : 1] = *sum;
}

static void summaries_keep_the_extremes(void **state)
{
    struct ops_store *store = open_store(*state);
    struct metric_point p[8];
    add(store, "host", T0 + 10, 5);
    add(store, "host", T0 + 299, 20);
    add(store, "host", T0 + 300, 8);
    add(store, "demo", T0 + 300, 99);
    add(store, "host", T0 + 3600, 1);
    add(store, "host", T0 + 3601, NAN);
    assert_int_equal(list(store, "host", METRIC_DETAIL, 0, p, 8), 4);
    same_point(&p[1], T0 + 299, 20, 20, 20, 1);
    assert_int_equal(list(store, "host", METRIC_5MIN, 0, p, 8), 3);
    same_point(&p[0], T0, 5, 12.5, 20, 2);
    same_point(&p[1], T0 + 300, 8, 8, 8, 1);
    assert_int_equal(list(store, "host", METRIC_HOUR, 0, p, 8), 2);
    same_point(&p[0], T0, 5, 11, 20, 3);
    same_point(&p[1], T0 + 3600, 1, 1, 1, 1);
    /* The newest of those asked for; a series and a time without any. */
    assert_int_equal(list(store, "host", METRIC_DETAIL, 0, p, 2), 2);
    assert_int_equal(p[0].at_s, T0 + 300);
    assert_int_equal(list(store, "host", METRIC_5MIN, T0 + 300, p, 8), 2);
    assert_int_equal(list(store, "other", METRIC_5MIN, 0, p, 8), 0);
    for (enum metric_level level = METRIC_DETAIL; level < METRIC_LEVELS; level++) {
        struct metric_point sums[2] = {{0}};
        assert_int_equal(metric_table_sums(store, level, T0, T0 + 3600, take_sum, sums, NULL), 0);
        same_point(&sums[0], T0, 5, 11, 20, 3);
        same_point(&sums[1], T0, 99, 99, 99, 1);
    }
    ops_store_free(store);
}

/* What a clock does that is set back and forth: no interval is lost, no value counted twice. */
static void a_clock_that_jumps_leaves_no_gap(void **state)
{
    struct ops_store *store = open_store(*state);
    static const int64_t times_s[] = {T0,      T0 + 30,  T0 + 400,     T0 + 60,
                                      T0 + 90, T0 + 410, T0 + 9000000, T0 + 420};
    struct metric_point p[16];
    for (size_t i = 0; i < COUNT_OF(times_s); i++) {
        add(store, "host", times_s[i], (double)i);
    }
    assert_int_equal(list(store, "host", METRIC_5MIN, 0, p, 16), 3);
    same_point(&p[0], T0, 0, (0 + 1 + 3 + 4) / 4.0, 4, 4);
    same_point(&p[1], T0 + 300, 2, (2 + 5 + 7) / 3.0, 7, 3);
    same_point(&p[2], T0 + 9000000 / 300 * 300, 6, 6, 6, 1);
    add(store, "host", T0, 100); /* the very same second again */
    assert_int_equal(list(store, "host", METRIC_DETAIL, 0, p, 16), 8);
    same_point(&p[0], T0, 100, 100, 100, 1);
    int64_t rows = 0;
    assert_int_equal(metric_table_rows(store, METRIC_DETAIL, &rows, NULL), 0);
    assert_int_equal(rows, 8);
    ops_store_free(store);
}

/* Each sample is in all levels or in none, whenever the process dies. */
static void a_kill_leaves_the_levels_equal(void **state)
{
    ops_store_free(open_store(*state));
    for (int round = 0; round < 4; round++) {
        int stored[2];
        char byte;
        assert_int_equal(pipe(stored), 0);
        pid_t child = fork();
        if (child == 0) {
            struct ops_store *store = open_store(*state);
            for (int64_t i = 0;; i++) {
                if (ops_store_begin_unsynced(store, NULL) < 0) {
                    _exit(1);
                }
                add(store, "host", T0 + 100000 * round + i, 1);
                add(store, "demo", T0 + 100000 * round + i, 2);
                (void)ops_store_commit(store, NULL);
                if (i == 30 && write(stored[1], "", 1) != 1) {
                    _exit(1);
                }
            }
        }
        (void)close(stored[1]);
        assert_int_equal(read(stored[0], &byte, 1), 1); /* a loaded machine takes a while */
        (void)close(stored[0]);
        (void)usleep(1000 + 3000 * (unsigned)round);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    struct ops_store *store = open_store(*state);
    static const char *const sums[] = {
        "SELECT count(*) FROM metric_detail", "SELECT sum(count) FROM metric_5min",
        "SELECT sum(count) FROM metric_hour", "SELECT rows FROM metric_levels WHERE level = 0",
        "SELECT 2 * count(*) FROM metric_detail d JOIN metric_series s ON s.id = d.series"
        " WHERE s.subject = 'demo'"};
    int64_t first = 0, sum = 0;
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        assert_int_equal(db_get_i64(ops_store_db(store), sums[i], DB_NO_VALUES, 0, &sum, NULL), 0);
        first = i == 0 ? sum : first;
        assert_int_equal(sum, first);
    }
    assert_true(first > 100);
    ops_store_free(store);
}

static int64_t rows_of(struct ops_store *store, enum metric_level level)
{
    int64_t rows = -1;
    assert_int_equal(metric_table_rows(store, level, &rows, NULL), 0);
    return rows;
}

static void old_rows_go_in_slices(void **state)
{
    struct ops_store *store = open_store(*state);
    struct metric_limits limits = {.before_s = {T0 + 3600, T0 + 600, T0}, .max_rows = 1000};
    int64_t deleted = 0;
    assert_int_equal(ops_store_begin_unsynced(store, NULL), 0);
    for (int64_t at_s = 0; at_s < 7200; at_s += 60) {
        add(store, "host", T0 + at_s, 1);
        add(store, "demo", T0 + at_s, 1);
    }
    assert_int_equal(ops_store_commit(store, NULL), 0);
    assert_int_equal(rows_of(store, METRIC_DETAIL), 240);
    assert_int_equal(rows_of(store, METRIC_5MIN), 48);
    assert_int_equal(rows_of(store, METRIC_HOUR), 4);
    assert_int_equal(metric_table_prune(store, &limits, 7, &deleted, NULL), 0);
    assert_int_equal(deleted, 7);
    assert_int_equal(rows_of(store, METRIC_DETAIL), 233);
    assert_int_equal(rows_of(store, METRIC_5MIN), 44);
    while (deleted >= 7) {
        assert_int_equal(metric_table_prune(store, &limits, 7, &deleted, NULL), 0);
    }
    assert_int_equal(rows_of(store, METRIC_DETAIL), 120);
    assert_int_equal(rows_of(store, METRIC_HOUR), 4);
    /* The limit of rows counts, too: the oldest go first. */
    limits.max_rows = 10;
    do {
        assert_int_equal(metric_table_prune(store, &limits, 7, &deleted, NULL), 0);
    } while (deleted >= 7);
    assert_int_equal(rows_of(store, METRIC_DETAIL), 10);
    assert_int_equal(rows_of(store, METRIC_5MIN), 10);
    struct metric_point p[16];
    assert_int_equal(list(store, "host", METRIC_DETAIL, 0, p, 16), 5);
    assert_int_equal(p[4].at_s, T0 + 7140);
    ops_store_free(store);
}

static void forgets_series_without_values(void **state)
{
    struct ops_store *store = open_store(*state);
    int64_t before = 0, after = 0;
    add(store, "host", T0 + 3600, 1);
    add(store, "gone", T0, 1);
    before = series_of(store, "host");
    assert_int_equal(metric_table_forget(store, T0 + 1, NULL), 0);
    assert_int_equal(db_get_i64(ops_store_db(store), "SELECT count(*) FROM metric_series",
                                DB_NO_VALUES, 0, &after, NULL),
                     0);
    assert_int_equal(after, 1);
    assert_int_equal(series_of(store, "host"), before);
    ops_store_free(store);
}

/* A list of one series must not visit the rows of all others. */
static void a_list_costs_what_it_returns(void **state)
{
    struct ops_store *store = open_store(*state);
    struct metric_point p[300];
    char name[16];
    assert_int_equal(ops_store_begin_unsynced(store, NULL), 0);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        int64_t series = series_of(store, name);
        for (int64_t at_s = 0; at_s < 200; at_s++) {
            assert_int_equal(metric_table_add(store, series, T0 + at_s, 1, NULL), 0);
        }
    }
    assert_int_equal(ops_store_commit(store, NULL), 0);
    struct db_work before = db_work(ops_store_db(store));
    assert_int_equal(list(store, "s7", METRIC_DETAIL, 0, p, 300), 200);
    struct db_work after = db_work(ops_store_db(store));
    assert_true(after.steps - before.steps < 200 * 60);
    ops_store_free(store);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

UNIT_GROUP(metrics, IN_FOLDER(summaries_keep_the_extremes),
           IN_FOLDER(a_clock_that_jumps_leaves_no_gap), IN_FOLDER(a_kill_leaves_the_levels_equal),
           IN_FOLDER(old_rows_go_in_slices), IN_FOLDER(forgets_series_without_values),
           IN_FOLDER(a_list_costs_what_it_returns))
