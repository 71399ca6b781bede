/*
 * A disk that fails for long or is slow: closing continues, entries stop, and a crash at any moment
 * loses nothing that was done or answered.
 */
#include "base/check.h"
#include "desk.h"
#include "flight.h"
#include "store/order_table.h"
#include "store/request_table.h"
#include "store/state_table.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

struct disk {
    bool full;
    struct desk *desk;
    int64_t commit_us; /* how long each commit takes */
    int commits;
};

static int disk_fault(const char *what, void *userdata)
{
    struct disk *disk = userdata;
    if (strcmp(what, "COMMIT") == 0) {
        disk->commits++;
        clock_fake_advance(&disk->desk->clock, disk->commit_us);
    }
    return disk->full ? -ERR_DB_FULL : 0;
}

static void open_desk(struct desk *desk, struct disk *disk)
{
    desk_open(desk, NULL);
    *disk = (struct disk){.desk = desk};
    desk_run_until_open(desk);
    trading_store_set_fault(desk->store, disk_fault, disk);
}

static void settle(struct desk *desk, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        desk_round(desk, USEC_PER_SEC);
    }
}

static const struct paper_book *book(const struct desk *desk)
{
    return &driver_paper(desk->driver)->book;
}

static bool venue_is_flat(const struct desk *desk)
{
    return book(desk)->position_count == 0 && book(desk)->open_count == 0;
}

/* Engine and venue agree, on disk as well. */
static void assert_agreed(struct desk *desk)
{
    struct engine_state s;
    struct err err = {0};
    assert_int_equal(state_table_load(desk->store, &s, &err), 0);
    assert_int_equal(s.cash.e8, book(desk)->cash.e8);
    assert_int_equal(desk_snapshot(desk)->cash.e8, s.cash.e8);
    assert_true(desk_snapshot(desk)->books_balance);
    assert_int_equal(desk_snapshot(desk)->disk.state, DISK_OK);
    assert_int_equal(reserve_count(desk->reserve), 0);
}

/* ---------------------------------------------------------------- full */

static void stops_fire_on_a_full_disk(void **state)
{
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        struct desk desk;
        struct disk disk;
        open_desk(&desk, &disk);
        int held = desk_snapshot(&desk)->position_count;
        desk_pin(&desk,
                 desk_snapshot(&desk)->positions[0].side == SIDE_LONG ? CLIMATE_CRASH : CLIMATE_UP);
        disk.full = true;
        uint64_t trades = desk_snapshot(&desk)->trades;
        for (int i = 0; i < 2000 && desk_snapshot(&desk)->position_count > 0; i++) {
            desk_run(&desk, 1);
        }
        assert_int_equal(desk_snapshot(&desk)->position_count, 0);
        assert_true(desk_snapshot(&desk)->trades >= trades + (uint64_t)held);
        assert_true(venue_is_flat(&desk));
        if (crash) {
            desk_restart(&desk); /* the paper venue forgets with us, and both recover */
            assert_int_equal(desk_snapshot(&desk)->position_count, held);
        }
        disk.full = false;
        settle(&desk, 20);
        assert_agreed(&desk);
        assert_int_equal(desk_snapshot(&desk)->state, TRADING_PAUSED);
        assert_true(crash || desk_snapshot(&desk)->position_count == 0);
        desk_close(&desk);
    }
}

/* More requests than the backlog can hold: the rest is refused, and the kill switch still works. */
static void a_flood_of_requests_blocks_nothing(void **state)
{
    (void)state;
    struct desk desk;
    struct disk disk;
    open_desk(&desk, &disk);
    disk.full = true;
    settle(&desk, 3);
    int refused = 0;
    for (int i = 0; i < 80; i++) {
        refused += desk_ask(&desk, REQUEST_PAUSE, NULL) == ERR_ENGINE_DISK;
    }
    assert_true(refused > 0 && refused < 80);
    int64_t market_us = desk_snapshot(&desk)->market_us;
    desk_run(&desk, 2);
    assert_true(desk_snapshot(&desk)->market_us > market_us);
    assert_int_equal(desk_ask(&desk, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    shared_halt(&desk.shared);
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->state, TRADING_EMERGENCY);
    assert_true(venue_is_flat(&desk));
    disk.full = false;
    settle(&desk, 20);
    assert_agreed(&desk);
    desk_close(&desk);
}

/* Only the kill switch is set, and a crash happens before the disk works again. */
static void an_emergency_stop_needs_no_disk(void **state)
{
    (void)state;
    struct desk desk;
    struct disk disk;
    open_desk(&desk, &disk);
    disk.full = true;
    settle(&desk, 3);
    shared_halt(&desk.shared);
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->state, TRADING_EMERGENCY);
    assert_true(desk_snapshot(&desk)->verified_flat);
    assert_true(venue_is_flat(&desk));
    assert_true(reserve_count(desk.reserve) > 1);
    /* Also requested, and answered. */
    assert_int_equal(desk_ask(&desk, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    int64_t asked = desk.next_request - 1;
    for (int i = 0; i < 2; i++) {
        /* Only the reserve holds it. */
        shared_halt_clear(&desk.shared, shared_halt_generation(&desk.shared));
        desk_restart(&desk);
        settle(&desk, 12);
        assert_int_equal(desk_snapshot(&desk)->state, TRADING_EMERGENCY);
        assert_string_equal(desk_snapshot(&desk)->state_reason,
                            "emergency stop by alice, verified flat");
        assert_true(venue_is_flat(&desk));
    }
    disk.full = false;
    settle(&desk, 3);
    assert_agreed(&desk);
    struct request_result result;
    struct err err = {0};
    assert_int_equal(request_table_result(desk.store, asked, &result, &err), 0);
    assert_true(result.found);
    desk_restart(&desk);
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->state, TRADING_EMERGENCY);
    desk_close(&desk);
}

/* With nothing to close, the reserve holds only the state, and no row waits for a commit. */
static void a_stop_alone_in_the_reserve_survives_two_crashes(void **state)
{
    (void)state;
    struct desk desk;
    struct disk disk = {.desk = &desk};
    desk_open(&desk, NULL);
    settle(&desk, 1);
    trading_store_set_fault(desk.store, disk_fault, &disk);
    disk.full = true;
    settle(&desk, 3);
    shared_halt(&desk.shared);
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->position_count, 0);
    assert_int_equal(desk_snapshot(&desk)->open_orders, 0);
    struct reserve_note note;
    assert_int_equal(reserve_count(desk.reserve), 1);
    assert_true(reserve_read(desk.reserve, 0, &note));
    assert_int_equal(note.kind, RESERVE_STATE);
    for (int i = 0; i < 2; i++) {
        shared_halt_clear(&desk.shared, shared_halt_generation(&desk.shared));
        desk_restart(&desk);
        settle(&desk, 3);
        assert_int_equal(desk_snapshot(&desk)->state, TRADING_EMERGENCY);
        assert_int_equal(reserve_count(desk.reserve), 1);
    }
    disk.full = false;
    settle(&desk, 3);
    assert_agreed(&desk);
    desk_restart(&desk);
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->state, TRADING_EMERGENCY);
    desk_close(&desk);
}

/* A close that was sent with its intent in the reserve is queried by its client id, and its number
 * is never reused. */
static void an_intent_in_the_reserve_is_not_sent_twice(void **state)
{
    (void)state;
    struct desk desk;
    struct disk disk;
    struct err err = {0};
    open_desk(&desk, &disk);
    disk.full = true;
    assert_int_equal(desk_ask(&desk, REQUEST_CLOSE, NULL), ERR_NONE);
    settle(&desk, 2);
    assert_true(venue_is_flat(&desk));
    struct reserve_note note;
    char id[CLIENT_ID_SIZE] = "";
    for (int i = 0; i < reserve_count(desk.reserve); i++) {
        assert_true(reserve_read(desk.reserve, i, &note));
        if (note.kind == RESERVE_ORDER) {
            memcpy(id, note.order.client_id, sizeof(id));
        }
    }
    assert_true(id[0] != '\0');
    /* As with a remote venue: what it did before our crash stays done. */
    disk.full = false;
    assert_int_equal(paper_flush((struct paper *)(uintptr_t)driver_paper(desk.driver), &err), 0);
    disk.full = true;
    desk_restart(&desk);
    settle(&desk, 5);
    assert_int_equal(desk_snapshot(&desk)->position_count, 0);
    assert_true(desk_snapshot(&desk)->venue_agrees);
    disk.full = false;
    settle(&desk, 5);
    assert_agreed(&desk);
    struct order order;
    assert_int_equal(order_table_get(desk.store, id, &order, &err), 0);
    assert_int_equal(order.state, ORDER_FILLED);
    assert_int_equal(desk_snapshot(&desk)->state, TRADING_ACTIVE); /* writes failed only briefly */
    desk_run(&desk, 600);
    assert_true(desk_snapshot(&desk)->fills > 0 && desk_snapshot(&desk)->books_balance);
    desk_close(&desk);
}

static void requests_that_must_survive_a_crash_are_refused(void **state)
{
    (void)state;
    struct desk desk;
    struct disk disk;
    open_desk(&desk, &disk);
    disk.full = true;
    settle(&desk, 3);
    static const enum request_kind refused[] = {REQUEST_RESUME, REQUEST_CLEAR_EMERGENCY,
                                                REQUEST_AMEND, REQUEST_RULE_ADD,
                                                REQUEST_RULE_STATUS};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        assert_int_equal(desk_ask(&desk, refused[i], NULL), ERR_ENGINE_DISK);
    }
    assert_int_equal(desk_ask(&desk, REQUEST_PAUSE, NULL), ERR_NONE);
    struct request again = {.id = desk.next_request - 1, .kind = REQUEST_PAUSE};
    assert_int_equal(desk_ask_again(&desk, &again), ERR_NONE); /* answered again, not done again */
    desk_restart(&desk);
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->state, TRADING_PAUSED);
    assert_string_equal(desk_snapshot(&desk)->state_reason, "paused by alice");
    disk.full = false;
    settle(&desk, 3);
    assert_agreed(&desk);
    desk_close(&desk);
}

/* ---------------------------------------------------------------- the reserve fails too */

static int no_reserve(size_t size, size_t *ret_written, void *userdata)
{
    (void)size;
    *ret_written = 30; /* the first note is torn */
    return *(const bool *)userdata ? -ERR_ENGINE_RESERVE : 0;
}

static void without_a_reserve_nothing_is_sent(void **state)
{
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        struct desk desk;
        struct disk disk;
        bool torn = true;
        open_desk(&desk, &disk);
        reserve_set_fault(desk.reserve, no_reserve, &torn);
        disk.full = true;
        int held = book(&desk)->position_count;
        int64_t market_us = desk_snapshot(&desk)->market_us;
        assert_int_equal(desk_ask(&desk, REQUEST_EMERGENCY_STOP, NULL), -1); /* no answer */
        int64_t asked = desk.next_request - 1;
        settle(&desk, 15);
        assert_int_equal(book(&desk)->position_count, held);
        assert_true(desk_snapshot(&desk)->market_us > market_us + 10 * USEC_PER_MIN);
        assert_int_equal(desk_snapshot(&desk)->state, TRADING_EMERGENCY);
        if (crash) {
            desk_restart(&desk);
            settle(&desk, 3);
            assert_int_not_equal(desk_snapshot(&desk)->state, TRADING_EMERGENCY);
        } else {
            struct bus_reader reader;
            bus_reader_init(&reader, desk.shared.bus, TOPIC_REPLY);
            disk.full = false;
            settle(&desk, 40);
            struct bus_event raw;
            struct event e;
            assert_int_equal(bus_read(&reader, &raw, 1, NULL), 1); /* answered now */
            memcpy(&e, &raw, sizeof(e));
            assert_int_equal(e.id, asked);
            assert_true(venue_is_flat(&desk));
            assert_true(desk_snapshot(&desk)->verified_flat);
        }
        disk.full = false;
        torn = false;
        settle(&desk, 5);
        assert_agreed(&desk);
        desk_close(&desk);
    }
}

/* Notes that could not be cleared are already in a commit, so a start ignores them. */
static void a_reserve_that_was_not_cleared_is_ignored(void **state)
{
    (void)state;
    struct desk desk;
    struct disk disk;
    bool torn = false;
    open_desk(&desk, &disk);
    disk.full = true;
    assert_int_equal(desk_ask(&desk, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    settle(&desk, 3);
    reserve_set_fault(desk.reserve, no_reserve, &torn);
    torn = true;
    disk.full = false;
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->disk.state, DISK_OK);
    assert_true(reserve_count(desk.reserve) > 0);
    reserve_set_fault(desk.reserve, NULL, NULL);
    assert_int_equal(desk_ask(&desk, REQUEST_CLEAR_EMERGENCY, NULL), ERR_NONE);
    desk_restart(&desk);
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->state, TRADING_PAUSED);
    assert_agreed(&desk);
    desk_close(&desk);
}

/* ---------------------------------------------------------------- the file itself */

static struct reserve_note numbered(int i)
{
    struct reserve_note n = {.kind = RESERVE_ORDER, .run = 3, .next_order = i};
    (void)snprintf(n.order.client_id, sizeof(n.order.client_id), "nd-3-%d", i);
    return n;
}

/* The notes are written, but the sync fails. */
static int no_sync(size_t size, size_t *ret_written, void *userdata)
{
    (void)userdata;
    *ret_written = size;
    return -ERR_ENGINE_RESERVE;
}

static void notes_read_back_until_they_are_cleared(void **state)
{
    (void)state;
    struct reserve *r = NULL;
    struct err err = {0};
    assert_int_equal(reserve_open(":memory:", &r, &err), 0);
    assert_int_equal(reserve_count(r), 0);
    struct reserve_note got;
    for (int episode = 1; episode <= 2; episode++) {
        for (int i = 0; i < RESERVE_SLOTS; i++) {
            struct reserve_note n = numbered(i);
            assert_int_equal(reserve_add(r, &n, 1, &err), 0);
        }
        struct reserve_note more = numbered(0);
        assert_int_equal(reserve_add(r, &more, 1, &err), -ERR_ENGINE_RESERVE);
        reserve_reload(r);
        assert_int_equal(reserve_count(r), RESERVE_SLOTS);
        assert_int_equal(reserve_episode(r), episode);
        assert_true(reserve_read(r, RESERVE_SLOTS - 1, &got));
        assert_string_equal(got.order.client_id, "nd-3-255");
        assert_int_equal(reserve_clear(r, &err), 0);
        reserve_reload(r);
        assert_int_equal(reserve_count(r), 0);
        assert_int_equal(reserve_episode(r), episode + 1);
    }
    /* A shorter episode over an older one ends where it should; a torn note ends it too. */
    struct reserve_note two[2] = {numbered(1), numbered(2)};
    assert_int_equal(reserve_add(r, two, 2, &err), 0);
    bool torn = true;
    reserve_set_fault(r, no_reserve, &torn);
    assert_int_equal(reserve_add(r, two, 1, &err), -ERR_ENGINE_RESERVE);
    reserve_reload(r);
    assert_int_equal(reserve_count(r), 2);
    /* Notes left over from a failed write are not read together with the next ones. */
    reserve_set_fault(r, no_sync, NULL);
    struct reserve_note three[3] = {numbered(3), numbered(4), numbered(5)};
    assert_int_equal(reserve_add(r, three, 3, &err), -ERR_ENGINE_RESERVE);
    reserve_set_fault(r, NULL, NULL);
    struct reserve_note six = numbered(6);
    assert_int_equal(reserve_add(r, &six, 1, &err), 0);
    reserve_reload(r);
    assert_int_equal(reserve_count(r), 3);
    assert_true(reserve_read(r, 2, &got));
    assert_string_equal(got.order.client_id, "nd-3-6");
    reserve_free(r);
    assert_int_equal(reserve_open("/nonexistent/reserve.bin", &r, &err), -ERR_ENGINE_RESERVE);
    reserve_free(NULL);
}

/* ---------------------------------------------------------------- a slow disk */

static void a_slow_disk_does_not_delay_the_market(void **state)
{
    (void)state;
    struct desk desk;
    struct disk disk;
    open_desk(&desk, &disk);
    disk.commit_us = 3 * USEC_PER_SEC;
    int64_t market_us = desk_snapshot(&desk)->market_us;
    int64_t began_us = desk.clock.now_mono_us;
    desk_run(&desk, 120);
    assert_int_equal(desk_snapshot(&desk)->disk.state, DISK_SLOW);
    assert_true(desk_snapshot(&desk)->disk.commit_us >= 3 * USEC_PER_SEC);
    int64_t passed_us = desk.clock.now_mono_us - began_us;
    assert_true(desk_snapshot(&desk)->market_us - market_us > passed_us * 60 / 2);
    /* A request waits for its commit and is on disk when it is answered. */
    assert_int_equal(desk_ask(&desk, REQUEST_PAUSE, NULL), ERR_NONE);
    disk.commit_us = 0;
    desk_restart(&desk);
    settle(&desk, 3);
    assert_int_equal(desk_snapshot(&desk)->state, TRADING_PAUSED);
    desk_run(&desk, 120);
    assert_int_equal(desk_snapshot(&desk)->disk.state, DISK_OK);
    desk_close(&desk);
}

/* An orderly end writes what a slow disk had deferred. */
static void an_orderly_end_writes_deferred_outputs(void **state)
{
    (void)state;
    for (int orderly = 0; orderly < 2; orderly++) {
        struct desk desk;
        struct disk disk;
        struct err err = {0};
        open_desk(&desk, &disk);
        disk.commit_us = 3 * USEC_PER_SEC;
        struct engine_state s = {.market_us = desk_snapshot(&desk)->market_us};
        for (int i = 0; i < 200 && s.market_us == desk_snapshot(&desk)->market_us; i++) {
            desk_run(&desk, 1);
            assert_int_equal(state_table_load(desk.store, &s, &err), 0);
        }
        int64_t market_us = desk_snapshot(&desk)->market_us;
        assert_true(s.market_us < market_us);
        if (orderly) {
            driver_finish(desk.driver);
        }
        assert_int_equal(state_table_load(desk.store, &s, &err), 0);
        assert_int_equal(s.market_us == market_us, orderly);
        desk_close(&desk);
    }
}

/* ---------------------------------------------------------------- the recorder's journal */

static int full(const char *what, void *userdata)
{
    (void)what;
    return *(const bool *)userdata ? -ERR_DB_FULL : 0;
}

/* Steps recorded while nothing could be committed do not count as lost by trading.db. */
static void a_crash_on_a_full_disk_loses_no_commit(void **state)
{
    (void)state;
    struct flight f;
    bool is_full = false;
    flight_open(&f, NULL, 0);
    trading_store_set_fault(f.store, full, &is_full);
    flight_run(&f, 60);
    is_full = true;
    flight_run(&f, 6);
    assert_int_equal(driver_snapshot(f.driver)->disk.state, DISK_FAILED);
    struct bus_reader reader;
    bus_reader_init(&reader, f.shared.bus, TOPIC_FAULT);
    is_full = false;
    flight_restart(&f);
    flight_run(&f, 10);
    struct bus_event raw;
    while (bus_read(&reader, &raw, 1, NULL) == 1) {
        struct event e;
        memcpy(&e, &raw, sizeof(e));
        assert_int_not_equal(e.code, ERR_ENGINE_STORE_OLD);
    }
    assert_int_equal(driver_snapshot(f.driver)->state, TRADING_ACTIVE);
    flight_close(&f);
}

UNIT_GROUP(disk, cmocka_unit_test(stops_fire_on_a_full_disk),
           cmocka_unit_test(an_emergency_stop_needs_no_disk),
           cmocka_unit_test(a_stop_alone_in_the_reserve_survives_two_crashes),
           cmocka_unit_test(a_flood_of_requests_blocks_nothing),
           cmocka_unit_test(an_intent_in_the_reserve_is_not_sent_twice),
           cmocka_unit_test(requests_that_must_survive_a_crash_are_refused),
           cmocka_unit_test(without_a_reserve_nothing_is_sent),
           cmocka_unit_test(a_reserve_that_was_not_cleared_is_ignored),
           cmocka_unit_test(notes_read_back_until_they_are_cleared),
           cmocka_unit_test(a_slow_disk_does_not_delay_the_market),
           cmocka_unit_test(an_orderly_end_writes_deferred_outputs),
           cmocka_unit_test(a_crash_on_a_full_disk_loses_no_commit))
