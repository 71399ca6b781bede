/*
 * The kill switch and the emergency stop: immediate, after a crash, with a failing disk, with
 * foreign positions, and with positions that have vanished.
 */
#include "../../../src/store/row.h"
#include "rigs/driver_rig.h"
#include "store/decision_table.h"
#include "store/order_table.h"
#include "store/paper.h"
#include "store/state_table.h"
#include "store/trade_table.h"
#include "unit/unit.h"
#include "venue/paper.h"

#include <string.h>

static void kill_switch(struct driver_rig *rig)
{
    shared_halt(&rig->shared, 0);
}

/* Whether the venue's own book holds no position and no order. */
static bool venue_is_flat(const struct driver_rig *rig)
{
    const struct paper_book *book = &paper_of(driver_venue(rig->driver))->book;
    return book->position_count == 0 && book->open_count == 0;
}

static void settle(struct driver_rig *rig, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        driver_rig_round(rig, USEC_PER_SEC);
    }
}

/* ---------------------------------------------------------------- expired requests */

static void an_expired_request_is_refused(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    int positions = driver_rig_snapshot(&rig)->position_count;
    struct request r = {.id = 900,
                        .kind = REQUEST_CLOSE,
                        .deadline_mono_us = clock_mono_us(&rig.clock.clock) + 10 * USEC_PER_SEC};
    clock_fake_advance(&rig.clock, 11 * USEC_PER_SEC); /* the engine was not running */
    assert_int_equal(driver_rig_ask_again(&rig, &r), ERR_ENGINE_EXPIRED);
    assert_int_equal(driver_rig_snapshot(&rig)->position_count, positions);
    struct db_rows *rows = NULL;
    assert_int_equal(db_query(rig.store->db, "SELECT 1 FROM engine_requests WHERE id = 900",
                              DB_NO_VALUES, &rows, NULL),
                     0);
    assert_int_equal(db_next(rows, NULL), 0); /* as if it had never been sent */
    db_rows_free(rows);
    r.deadline_mono_us = clock_mono_us(&rig.clock.clock) + 10 * USEC_PER_SEC;
    assert_int_equal(driver_rig_ask_again(&rig, &r), ERR_NONE);
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- the kill switch alone */

static void the_kill_switch_opens_nothing(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    kill_switch(&rig);
    driver_rig_run(&rig, 600);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->orders, 0);
    assert_true(s->vetoes > 0);
    struct decision d;
    struct err err = {0};
    struct decision_query query = {.skip_holds = true};
    assert_int_equal(decision_table_list(rig.store, &query, &d, 1, &err), 1);
    assert_string_equal(d.veto_code, "RISK_HALT");
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_ENGINE_STOPPED);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLEAR_EMERGENCY, NULL), ERR_NONE);
    assert_false(shared_is_halted(&rig.shared));
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    driver_rig_close(&rig);
}

/* No request arrives: a stop does not depend on the requester's disk or queue. */
static void the_kill_switch_stops_without_a_request(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    kill_switch(&rig);
    driver_rig_round(&rig, USEC_PER_MSEC);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    settle(&rig, 3);
    assert_true(venue_is_flat(&rig));
    assert_true(driver_rig_snapshot(&rig)->verified_flat);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason,
                        "emergency stop by kill switch, verified flat");
    assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason,
                        "emergency stop by alice, verified flat");
    /* The kill switch was lost with the process, the stop was not. */
    shared_halt_clear(&rig.shared, shared_halt_generation(&rig.shared));
    driver_rig_restart(&rig);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason,
                        "emergency stop by alice, verified flat");
    driver_rig_close(&rig);
}

/* Sets the kill switch while a request is written: after the step has read it, before its outputs
 * are shipped. */
static int halting(const char *what, void *userdata)
{
    struct driver_rig *rig = userdata;
    if (strstr(what, "INTO engine_requests") != NULL) {
        shared_halt(&rig->shared, 0);
    }
    return 0;
}

static void a_halt_during_a_clear_stays(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    kill_switch(&rig);
    settle(&rig, 3);
    assert_true(driver_rig_snapshot(&rig)->verified_flat);
    trading_store_set_fault(rig.store, halting, &rig);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLEAR_EMERGENCY, NULL), ERR_NONE);
    trading_store_set_fault(rig.store, NULL, NULL);
    assert_true(shared_is_halted(&rig.shared));
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_ENGINE_STOPPED);
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- a failing disk */

struct disk {
    const char *fails; /* statements that contain this text fail; NULL: none */
};

static int failing(const char *what, void *userdata)
{
    const struct disk *disk = userdata;
    return disk->fails != NULL && strstr(what, disk->fails) != NULL ? -ERR_DB_FULL : 0;
}

/* Runs until an entry waits for the disk, which accepts everything but orders. */
static void hold_an_entry(struct driver_rig *rig, struct disk *disk)
{
    *disk = (struct disk){.fails = "INTO orders"};
    driver_rig_open(rig, NULL);
    trading_store_set_fault(rig->store, failing, disk);
    for (int i = 0; i < 600 && driver_rig_snapshot(rig)->last_err == 0; i++) {
        driver_rig_run(rig, 1);
    }
    assert_int_equal(driver_rig_snapshot(rig)->last_err, ERR_ENGINE_JOURNAL);
    assert_string_equal(driver_rig_snapshot(rig)->state_reason,
                        "nothing opens or closes: trading.db cannot be written");
}

static void assert_never_sent(struct driver_rig *rig)
{
    assert_true(venue_is_flat(rig));
    assert_int_equal(driver_rig_snapshot(rig)->fills, 0);
    struct order order;
    struct err err = {0};
    assert_int_equal(order_table_list(rig->store, &(struct order_query){0}, &order, 1, &err), 1);
    assert_int_equal(order.state, ORDER_CANCELLED);
    assert_string_equal(order.reason, "never reached the venue");
    assert_int_equal(driver_rig_snapshot(rig)->unknown_orders, 0);
}

static void an_entry_overtaken_by_the_kill_switch_is_not_sent(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct disk disk;
    hold_an_entry(&rig, &disk);
    kill_switch(&rig);
    driver_rig_round(&rig, USEC_PER_MSEC);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason,
                        "halted, closing waits: trading.db cannot be written");
    disk.fails = NULL;
    settle(&rig, 20);
    assert_never_sent(&rig);
    assert_true(driver_rig_snapshot(&rig)->verified_flat);
    driver_rig_close(&rig);
}

/* A decision from before a minute of a full disk is not traded after it. */
static void an_entry_delayed_by_the_disk_is_not_sent(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct disk disk;
    hold_an_entry(&rig, &disk);
    settle(&rig, 60);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_ENGINE_DISK);
    disk.fails = NULL;
    settle(&rig, 20);
    assert_never_sent(&rig);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    driver_rig_close(&rig);
}

static void rename_table(struct driver_rig *rig, const char *sql)
{
    struct err err = {0};
    assert_int_equal(db_run(rig->store->db, sql, DB_NO_VALUES, &err), 0);
}

static void a_request_survives_a_failed_read(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    rename_table(&rig, "ALTER TABLE engine_requests RENAME TO away");
    assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), -1);
    assert_int_equal(driver_rig_snapshot(&rig)->last_err, ERR_ENGINE_JOURNAL);
    rename_table(&rig, "ALTER TABLE away RENAME TO engine_requests");
    settle(&rig, 4);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    assert_true(driver_rig_snapshot(&rig)->verified_flat);
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- foreign positions */

static struct position held_elsewhere(const struct driver_rig *rig, enum side side)
{
    struct symbol symbol = rig->settings.symbols[0];
    struct dec price = engine_price(driver_engine(rig->driver), symbol);
    bool is_long = side == SIDE_LONG;
    return (struct position){
        .symbol = symbol,
        .side = side,
        .qty = dec_from_double(0.01),
        .entry_price = price,
        .mark_price = price,
        .stop = dec_mul(price, dec_from_double(is_long ? 0.5 : 2)),
        .target = dec_mul(price, dec_from_double(is_long ? 2 : 0.5)),
        .client_id = "by-hand-1",
    };
}

static void write_at_venue(struct driver_rig *rig, const struct position *positions, size_t count)
{
    struct err err = {0};
    assert_int_equal(paper_store_replace_positions(rig->store, positions, count, &err), 0);
    driver_rig_restart(rig);
}

static void foreign_positions_are_closed(void **state)
{
    (void)state;
    for (int side = SIDE_LONG; side <= SIDE_SHORT; side++) {
        struct driver_rig rig;
        struct settings settings;
        driver_rig_settings(&settings);
        settings.symbol_count = 1;
        driver_rig_open(&rig, &settings);
        struct position p = held_elsewhere(&rig, (enum side)side);
        write_at_venue(&rig, &p, 1);
        driver_rig_run(&rig, 600);
        /* It is not touched, and nothing is opened in its symbol. */
        const struct snapshot *s = driver_rig_snapshot(&rig);
        assert_int_equal(s->state, TRADING_ACTIVE);
        assert_int_equal(s->foreign_count, 1);
        assert_int_equal(s->foreign[0].side, side);
        assert_int_equal(s->foreign[0].qty.e8, p.qty.e8);
        assert_int_equal(paper_of(driver_venue(rig.driver))->book.position_count, 1);
        assert_int_equal(s->orders, 0);
        assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
        settle(&rig, 10);
        assert_true(venue_is_flat(&rig));
        assert_true(driver_rig_snapshot(&rig)->verified_flat);
        assert_true(driver_rig_snapshot(&rig)->books_balance);
        struct trade t;
        struct err err = {0};
        assert_int_equal(trade_table_list(rig.store, &(struct trade_query){0}, &t, 1, &err), 1);
        assert_string_equal(t.exit_reason, "emergency");
        assert_int_equal(t.side, side);
        assert_true(t.fees.e8 > 0);
        driver_rig_close(&rig);
    }
}

/* A position that someone else closed or reversed: the stop still ends flat, without a flood of
 * orders. */
static void vanished_positions_leave_the_books(void **state)
{
    (void)state;
    for (int turned = 0; turned < 2; turned++) {
        struct driver_rig rig;
        driver_rig_open(&rig, NULL);
        driver_rig_run_until_open(&rig);
        struct position ours = driver_rig_snapshot(&rig)->positions[0];
        int held = driver_rig_snapshot(&rig)->position_count;
        struct position p = ours;
        p.side = ours.side == SIDE_LONG ? SIDE_SHORT : SIDE_LONG;
        p.stop = dec_mul(p.entry_price, dec_from_double(p.side == SIDE_LONG ? 0.5 : 2));
        p.target = dec_mul(p.entry_price, dec_from_double(p.side == SIDE_LONG ? 2 : 0.5));
        write_at_venue(&rig, &p, (size_t)turned);
        settle(&rig, 10);
        assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_STARTING);
        uint64_t orders = driver_rig_snapshot(&rig)->orders;
        assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
        settle(&rig, 10);
        assert_false(
            driver_rig_snapshot(&rig)->verified_flat); /* a single listing is not accepted */
        settle(&rig, 40);
        assert_true(venue_is_flat(&rig));
        assert_true(driver_rig_snapshot(&rig)->verified_flat);
        assert_int_equal(driver_rig_snapshot(&rig)->position_count, 0);
        assert_true(driver_rig_snapshot(&rig)->books_balance);
        assert_true(driver_rig_snapshot(&rig)->orders < orders + (uint64_t)held * 30);
        struct trade list[8];
        struct err err = {0};
        int count = trade_table_list(rig.store, &(struct trade_query){0}, list, 8, &err);
        assert_int_equal(count, held + turned);
        bool found = false;
        for (int i = 0; i < count; i++) {
            found = found || (strcmp(list[i].client_id, ours.client_id) == 0 &&
                              strcmp(list[i].exit_reason, "gone from the venue") == 0);
        }
        assert_true(found);
        driver_rig_close(&rig);
    }
}

/* Flat means that the venue lists nothing now, not that it listed nothing once. */
static void positions_that_appear_after_the_stop_are_closed(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    settle(&rig, 3);
    assert_true(driver_rig_snapshot(&rig)->verified_flat);
    /* Directly into the venue's running book, like a manual trade on its website. */
    struct paper *paper = paper_of(driver_venue(rig.driver));
    paper->book.positions[paper->book.position_count++] = held_elsewhere(&rig, SIDE_LONG);
    settle(&rig, 60);
    struct trade t;
    struct err err = {0};
    assert_int_equal(trade_table_list(rig.store, &(struct trade_query){0}, &t, 1, &err), 1);
    assert_string_equal(t.exit_reason, "emergency");
    assert_true(venue_is_flat(&rig));
    assert_true(driver_rig_snapshot(&rig)->verified_flat);
    driver_rig_close(&rig);
}

UNIT_GROUP(stop, cmocka_unit_test(an_expired_request_is_refused),
           cmocka_unit_test(the_kill_switch_opens_nothing),
           cmocka_unit_test(the_kill_switch_stops_without_a_request),
           cmocka_unit_test(a_halt_during_a_clear_stays),
           cmocka_unit_test(an_entry_overtaken_by_the_kill_switch_is_not_sent),
           cmocka_unit_test(an_entry_delayed_by_the_disk_is_not_sent),
           cmocka_unit_test(a_request_survives_a_failed_read),
           cmocka_unit_test(foreign_positions_are_closed),
           cmocka_unit_test(vanished_positions_leave_the_books),
           cmocka_unit_test(positions_that_appear_after_the_stop_are_closed))
