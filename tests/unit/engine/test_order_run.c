/* The run of the command that caused an order: it reaches the order, its trade and its events, and
 * is kept over a crash at any place. */
#include "../../../src/store/row.h"
#include "base/log.h"
#include "engine/recorder.h"
#include "engine/replay.h"
#include "engine/reserve.h"
#include "recorder_rig.h"
#include "rigs/driver_rig.h"
#include "store/order_table.h"
#include "store/trade_table.h"
#include "store/trading.h"
#include "unit/unit.h"

#include <string.h>

#define ORDERS_MAX 200

static void settle(struct driver_rig *rig, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        driver_rig_round(rig, USEC_PER_SEC);
    }
}

static int ask(struct driver_rig *rig, enum request_kind kind, int64_t run_id)
{
    struct request r = {.id = rig->next_request++, .kind = kind, .run_id = run_id};
    (void)str_copy(STR_LIT("alice"), r.by, sizeof(r.by));
    return driver_rig_ask_again(rig, &r);
}

/* The number of orders that close for another reason than a decision, all of which must have the
 * run. Entries and what the agents close have none. */
static int closes_of(struct trading_store *store, int64_t run_id)
{
    static struct order orders[ORDERS_MAX];
    struct err err = {0};
    int n = order_table_list(store, &(struct order_query){0}, orders, ORDERS_MAX, &err);
    int count = 0;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        /* Its reason may be replaced by why it was refused. */
        bool counts = orders[i].kind == ORDER_CLOSE && orders[i].decision_id == 0;
        count += counts;
        assert_int_equal(orders[i].run_id, counts ? run_id : 0);
    }
    const struct order_query caused = {.run_id = run_id}, other = {.run_id = run_id ^ 1};
    if (run_id != 0) {
        assert_int_equal(order_table_list(store, &caused, orders, ORDERS_MAX, &err), count);
    }
    assert_int_equal(order_table_list(store, &other, orders, ORDERS_MAX, &err), 0);
    return count;
}

static void newest_trade_is_of(struct trading_store *store, int64_t run_id)
{
    struct trade t;
    assert_int_equal(trade_table_list(store, &(struct trade_query){0}, &t, 1, NULL), 1);
    assert_int_equal(t.run_id, run_id);
}

/* Between the intent and the fill the process may end: the row has the run by then, and the trade
 * of the next process gets it from there. */
static void a_close_names_its_run_across_a_crash(void **state)
{
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        struct driver_rig rig;
        driver_rig_open(&rig, NULL);
        driver_rig_run_until_open(&rig);
        struct request r = {.id = 500, .kind = REQUEST_CLOSE, .run_id = 77};
        assert_true(ring_push(rig.shared.requests, &r));
        assert_true(driver_round(rig.driver) >= 0); /* the intent is written and sent */
        assert_true(closes_of(rig.store, 77) >= 1);
        assert_true(driver_rig_snapshot(&rig)->position_count > 0);
        if (crash == 1) {
            driver_rig_restart(&rig);
        }
        settle(&rig, 3);
        newest_trade_is_of(rig.store, 77);
        int64_t stored = 0;
        assert_int_equal(db_get_i64(rig.store->db,
                                    "SELECT run_id FROM engine_requests WHERE id = ?",
                                    DB_VALUES(DB_I64(500)), 0, &stored, NULL),
                         0);
        assert_int_equal(stored, 77);
        driver_rig_close(&rig);
    }
}

/* A stop begins with the kill switch; the run may be known then or only with the request. */
static void a_stop_names_its_run(void **state)
{
    (void)state;
    for (int64_t known = 0; known < 2; known++) {
        struct driver_rig rig;
        driver_rig_open(&rig, NULL);
        driver_rig_run_until_open(&rig);
        shared_halt(&rig.shared, known * 41);
        assert_true(driver_round(rig.driver) >= 0);
        assert_true(closes_of(rig.store, known * 41) >= 1);
        assert_string_equal(driver_rig_snapshot(&rig)->state_reason,
                            known == 1 ? "emergency stop by kill switch, run 41, not yet flat"
                                       : "emergency stop by kill switch, not yet flat");
        assert_int_equal(ask(&rig, REQUEST_EMERGENCY_STOP, 41), ERR_NONE);
        settle(&rig, 3);
        assert_true(closes_of(rig.store, 41) >= 1);
        newest_trade_is_of(rig.store, 41);
        shared_halt_clear(&rig.shared, shared_halt_generation(&rig.shared));
        driver_rig_restart(&rig);
        settle(&rig, 3);
        assert_string_equal(driver_rig_snapshot(&rig)->state_reason,
                            "emergency stop by alice, run 41, verified flat");
        driver_rig_close(&rig);
    }
}

/* The number is whole however long the name is: a start reads it from there. */
static void a_long_name_does_not_cut_the_run(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct request r = {.id = 1, .kind = REQUEST_EMERGENCY_STOP, .run_id = INT64_MAX};
    (void)str_copy(STR_LIT("a-name-as-long-as-a-name-can-be"), r.by, sizeof(r.by));
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    assert_int_equal(driver_rig_ask_again(&rig, &r), ERR_NONE);
    settle(&rig, 3);
    assert_non_null(strstr(driver_rig_snapshot(&rig)->state_reason, ", run 9223372036854775807, "));
    assert_true(closes_of(rig.store, INT64_MAX) >= 1);
    driver_rig_close(&rig);
}

static int full(const char *what, void *userdata)
{
    (void)what;
    return *(const bool *)userdata ? -ERR_DB_FULL : 0;
}

/* With a full disk the intent is in the reserve only. */
static void the_reserve_keeps_the_run(void **state)
{
    (void)state;
    struct driver_rig rig;
    bool is_full = false;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    trading_store_set_fault(rig.store, full, &is_full);
    is_full = true;
    settle(&rig, 3);
    assert_int_equal(ask(&rig, REQUEST_CLOSE, 78), ERR_NONE);
    assert_true(reserve_count(rig.reserve) > 0);
    driver_rig_restart(&rig);
    is_full = false;
    settle(&rig, 30);
    assert_true(closes_of(rig.store, 78) >= 1);
    int64_t stored = 0;
    assert_int_equal(db_get_i64(rig.store->db,
                                "SELECT run_id FROM engine_requests WHERE kind = 'close'",
                                DB_NO_VALUES, 0, &stored, NULL),
                     0);
    assert_int_equal(stored, 78);
    driver_rig_close(&rig);
}

/* The run comes with the recorded request or kill switch, so a replay compares it, too. */
static void a_journal_has_the_runs(void **state)
{
    (void)state;
    struct recorder_rig f;
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_REPLAY struct replay *replay = NULL;
    struct err err = {0};
    recorder_rig_open(&f, NULL, 0);
    for (int i = 0; i < 600 && driver_snapshot(f.driver)->position_count == 0; i++) {
        recorder_rig_run(&f, 1);
    }
    recorder_rig_ask(&f, &(struct request){.kind = REQUEST_CLOSE, .run_id = 79});
    recorder_rig_run(&f, 200);
    shared_halt(&f.shared, 80);
    recorder_rig_run(&f, 10);
    assert_non_null(strstr(driver_snapshot(f.driver)->state_reason, ", run 80, "));
    int rc = recorder_find(f.folder, 1, &path, &err);
    rc = rc < 0 ? rc : replay_open(path.data, NULL, &replay, &err);
    while (rc >= 0 && (rc = replay_step(replay, &err)) > 0) {}
    assert_int_equal(rc, 0);
    assert_true(replay_count(replay)->orders > 1);
    recorder_rig_close(&f);
}

static char logged[4096];

static void note_line(const struct log_line *line, void *userdata)
{
    size_t len = strlen(logged);
    (void)userdata;
    for (size_t i = 0; i < line->field_count; i++) {
        if (strcmp(line->fields[i].key, "RUN") == 0 || strcmp(line->fields[i].key, "STATE") == 0) {
            (void)snprintf(logged + len, sizeof(logged) - len, "%s=%s ", line->fields[i].key,
                           line->fields[i].value);
            len = strlen(logged);
        }
    }
}

/* Each change of an order that a command caused is a line of the log with its run, the fill too,
 * which arrives in a later step. The agents' orders are not logged. */
static void the_log_names_the_run(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(note_line, NULL);
    logged[0] = '\0';
    driver_rig_run_until_open(&rig);
    assert_string_equal(logged, "");
    assert_int_equal(ask(&rig, REQUEST_CLOSE, 81), ERR_NONE);
    settle(&rig, 3);
    assert_non_null(strstr(logged, "STATE=prepared RUN=81 "));
    assert_non_null(strstr(logged, "STATE=filled RUN=81 "));
    log_set_sink(NULL, NULL);
    driver_rig_close(&rig);
}

UNIT_GROUP(order_run, cmocka_unit_test(a_close_names_its_run_across_a_crash),
           cmocka_unit_test(a_stop_names_its_run),
           cmocka_unit_test(a_long_name_does_not_cut_the_run),
           cmocka_unit_test(the_reserve_keeps_the_run), cmocka_unit_test(a_journal_has_the_runs),
           cmocka_unit_test(the_log_names_the_run))
