/*
 * A disk that fails for long or is slow: closing continues, entries stop, and a crash at any moment
 * loses nothing that was done or answered.
 */
#include "base/check.h"
#include "recorder_rig.h"
#include "rigs/driver_rig.h"
#include "store/order_table.h"
#include "store/request_table.h"
#include "store/state_table.h"
#include "unit/unit.h"
#include "venue/paper.h"

#include <stdio.h>
#include <string.h>

struct disk {
    bool full;
    struct driver_rig *rig;
    int64_t commit_us; /* how long each commit takes */
    int commits;
};

static int disk_fault(const char *what, void *userdata)
{
    struct disk *disk = userdata;
    if (strcmp(what, "COMMIT") == 0) {
        disk->commits++;
        clock_fake_advance(&disk->rig->clock, disk->commit_us);
    }
    return disk->full ? -ERR_DB_FULL : 0;
}

static void open_desk(struct driver_rig *rig, struct disk *disk)
{
    driver_rig_open(rig, NULL);
    *disk = (struct disk){.rig = rig};
    driver_rig_run_until_open(rig);
    trading_store_set_fault(rig->store, disk_fault, disk);
}

static void settle(struct driver_rig *rig, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        driver_rig_round(rig, USEC_PER_SEC);
    }
}

static const struct paper_book *book(const struct driver_rig *rig)
{
    return &paper_of(driver_venue(rig->driver))->book;
}

static bool venue_is_flat(const struct driver_rig *rig)
{
    return book(rig)->position_count == 0 && book(rig)->open_count == 0;
}

/* Engine and venue agree, on disk as well. */
static void assert_agreed(struct driver_rig *rig)
{
    struct engine_state s;
    struct err err = {0};
    assert_int_equal(state_table_load(rig->store, &s, &err), 0);
    assert_int_equal(s.cash.e8, book(rig)->cash.e8);
    assert_int_equal(driver_rig_snapshot(rig)->cash.e8, s.cash.e8);
    assert_true(driver_rig_snapshot(rig)->books_balance);
    assert_int_equal(driver_rig_snapshot(rig)->disk.state, DISK_OK);
    assert_int_equal(reserve_count(rig->reserve), 0);
}

/* ---------------------------------------------------------------- full */

static void stops_fire_on_a_full_disk(void **state)
{
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        struct driver_rig rig;
        struct disk disk;
        open_desk(&rig, &disk);
        int held = driver_rig_snapshot(&rig)->position_count;
        driver_rig_pin(&rig, driver_rig_snapshot(&rig)->positions[0].side == SIDE_LONG
                                 ? CLIMATE_CRASH
                                 : CLIMATE_UP);
        disk.full = true;
        uint64_t trades = driver_rig_snapshot(&rig)->trades;
        for (int i = 0; i < 2000 && driver_rig_snapshot(&rig)->position_count > 0; i++) {
            driver_rig_run(&rig, 1);
        }
        assert_int_equal(driver_rig_snapshot(&rig)->position_count, 0);
        assert_true(driver_rig_snapshot(&rig)->trades >= trades + (uint64_t)held);
        assert_true(venue_is_flat(&rig));
        if (crash) {
            driver_rig_restart(&rig); /* the paper venue forgets with us, and both recover */
            assert_int_equal(driver_rig_snapshot(&rig)->position_count, held);
        }
        disk.full = false;
        settle(&rig, 20);
        assert_agreed(&rig);
        assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
        assert_true(crash || driver_rig_snapshot(&rig)->position_count == 0);
        driver_rig_close(&rig);
    }
}

/* More requests than the backlog can hold: the rest is refused, and the kill switch still works. */
static void a_flood_of_requests_blocks_nothing(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct disk disk;
    open_desk(&rig, &disk);
    disk.full = true;
    settle(&rig, 3);
    int refused = 0;
    for (int i = 0; i < 80; i++) {
        refused += driver_rig_ask(&rig, REQUEST_PAUSE, NULL) == ERR_ENGINE_DISK;
    }
    assert_true(refused > 0 && refused < 80);
    int64_t market_us = driver_rig_snapshot(&rig)->market_us;
    driver_rig_run(&rig, 2);
    assert_true(driver_rig_snapshot(&rig)->market_us > market_us);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    shared_halt(&rig.shared, 0);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    assert_true(venue_is_flat(&rig));
    disk.full = false;
    settle(&rig, 20);
    assert_agreed(&rig);
    driver_rig_close(&rig);
}

/* Only the kill switch is set, and a crash happens before the disk works again. */
static void an_emergency_stop_needs_no_disk(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct disk disk;
    open_desk(&rig, &disk);
    disk.full = true;
    settle(&rig, 3);
    shared_halt(&rig.shared, 0);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    assert_true(driver_rig_snapshot(&rig)->verified_flat);
    assert_true(venue_is_flat(&rig));
    assert_true(reserve_count(rig.reserve) > 1);
    /* Also requested, and answered. */
    assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    int64_t asked = rig.next_request - 1;
    for (int i = 0; i < 2; i++) {
        /* Only the reserve holds it. */
        shared_halt_clear(&rig.shared, shared_halt_generation(&rig.shared));
        driver_rig_restart(&rig);
        settle(&rig, 12);
        assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
        assert_string_equal(driver_rig_snapshot(&rig)->state_reason,
                            "emergency stop by alice, verified flat");
        assert_true(venue_is_flat(&rig));
    }
    disk.full = false;
    settle(&rig, 3);
    assert_agreed(&rig);
    struct request_result result;
    struct err err = {0};
    assert_int_equal(request_table_result(rig.store, asked, &result, &err), 0);
    assert_true(result.found);
    driver_rig_restart(&rig);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    driver_rig_close(&rig);
}

/* With nothing to close, the reserve holds only the state, and no row waits for a commit. */
static void a_stop_alone_in_the_reserve_survives_two_crashes(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct disk disk = {.rig = &rig};
    driver_rig_open(&rig, NULL);
    settle(&rig, 1);
    trading_store_set_fault(rig.store, disk_fault, &disk);
    disk.full = true;
    settle(&rig, 3);
    shared_halt(&rig.shared, 0);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->position_count, 0);
    assert_int_equal(driver_rig_snapshot(&rig)->open_orders, 0);
    struct reserve_note note;
    assert_int_equal(reserve_count(rig.reserve), 1);
    assert_true(reserve_read(rig.reserve, 0, &note));
    assert_int_equal(note.kind, RESERVE_STATE);
    for (int i = 0; i < 2; i++) {
        shared_halt_clear(&rig.shared, shared_halt_generation(&rig.shared));
        driver_rig_restart(&rig);
        settle(&rig, 3);
        assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
        assert_int_equal(reserve_count(rig.reserve), 1);
    }
    disk.full = false;
    settle(&rig, 3);
    assert_agreed(&rig);
    driver_rig_restart(&rig);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    driver_rig_close(&rig);
}

/* A close that was sent with its intent in the reserve is queried by its client id, and its number
 * is never reused. */
static void an_intent_in_the_reserve_is_not_sent_twice(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct disk disk;
    struct err err = {0};
    open_desk(&rig, &disk);
    disk.full = true;
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLOSE, NULL), ERR_NONE);
    settle(&rig, 2);
    assert_true(venue_is_flat(&rig));
    struct reserve_note note;
    char id[CLIENT_ID_SIZE] = "";
    for (int i = 0; i < reserve_count(rig.reserve); i++) {
        assert_true(reserve_read(rig.reserve, i, &note));
        if (note.kind == RESERVE_ORDER) {
            memcpy(id, note.order.client_id, sizeof(id));
        }
    }
    assert_true(id[0] != '\0');
    /* As with a remote venue: what it did before our crash stays done. */
    disk.full = false;
    assert_int_equal(paper_flush(paper_of(driver_venue(rig.driver)), &err), 0);
    disk.full = true;
    driver_rig_restart(&rig);
    settle(&rig, 5);
    assert_int_equal(driver_rig_snapshot(&rig)->position_count, 0);
    assert_true(driver_rig_snapshot(&rig)->venue_agrees);
    disk.full = false;
    settle(&rig, 5);
    assert_agreed(&rig);
    struct order order;
    assert_int_equal(order_table_get(rig.store, id, &order, &err), 0);
    assert_int_equal(order.state, ORDER_FILLED);
    assert_int_equal(driver_rig_snapshot(&rig)->state,
                     TRADING_ACTIVE); /* writes failed only briefly */
    driver_rig_run(&rig, 600);
    assert_true(driver_rig_snapshot(&rig)->fills > 0 && driver_rig_snapshot(&rig)->books_balance);
    driver_rig_close(&rig);
}

static void requests_that_must_survive_a_crash_are_refused(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct disk disk;
    open_desk(&rig, &disk);
    disk.full = true;
    settle(&rig, 3);
    static const enum request_kind refused[] = {
        REQUEST_RESUME,    REQUEST_CLEAR_EMERGENCY, REQUEST_AMEND,
        REQUEST_RULE_ADD,  REQUEST_RULE_STATUS,     REQUEST_COOLDOWN,
        REQUEST_RECONNECT, REQUEST_GO_LIVE,         REQUEST_CAPITAL};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        assert_int_equal(driver_rig_ask(&rig, refused[i], NULL), ERR_ENGINE_DISK);
    }
    assert_int_equal(driver_rig_ask(&rig, REQUEST_PAUSE, NULL), ERR_NONE);
    struct request again = {.id = rig.next_request - 1, .kind = REQUEST_PAUSE};
    assert_int_equal(driver_rig_ask_again(&rig, &again),
                     ERR_NONE); /* answered again, not done again */
    driver_rig_restart(&rig);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason, "paused by alice");
    disk.full = false;
    settle(&rig, 3);
    assert_agreed(&rig);
    driver_rig_close(&rig);
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
        struct driver_rig rig;
        struct disk disk;
        bool torn = true;
        open_desk(&rig, &disk);
        reserve_set_fault(rig.reserve, no_reserve, &torn);
        disk.full = true;
        int held = book(&rig)->position_count;
        int64_t market_us = driver_rig_snapshot(&rig)->market_us;
        assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), -1); /* no answer */
        int64_t asked = rig.next_request - 1;
        settle(&rig, 15);
        assert_int_equal(book(&rig)->position_count, held);
        assert_true(driver_rig_snapshot(&rig)->market_us > market_us + 10 * USEC_PER_MIN);
        assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
        if (crash) {
            driver_rig_restart(&rig);
            settle(&rig, 3);
            assert_int_not_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
        } else {
            struct bus_reader reader;
            bus_reader_init(&reader, rig.shared.bus, TOPIC_REPLY);
            disk.full = false;
            settle(&rig, 40);
            struct bus_event raw;
            struct event e;
            assert_int_equal(bus_read(&reader, &raw, 1, NULL), 1); /* answered now */
            memcpy(&e, &raw, sizeof(e));
            assert_int_equal(e.id, asked);
            assert_true(venue_is_flat(&rig));
            assert_true(driver_rig_snapshot(&rig)->verified_flat);
        }
        disk.full = false;
        torn = false;
        settle(&rig, 5);
        assert_agreed(&rig);
        driver_rig_close(&rig);
    }
}

/* Notes that could not be cleared are already in a commit, so a start ignores them. */
static void a_reserve_that_was_not_cleared_is_ignored(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct disk disk;
    bool torn = false;
    open_desk(&rig, &disk);
    disk.full = true;
    assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    settle(&rig, 3);
    reserve_set_fault(rig.reserve, no_reserve, &torn);
    torn = true;
    disk.full = false;
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->disk.state, DISK_OK);
    assert_true(reserve_count(rig.reserve) > 0);
    reserve_set_fault(rig.reserve, NULL, NULL);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLEAR_EMERGENCY, NULL), ERR_NONE);
    driver_rig_restart(&rig);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    assert_agreed(&rig);
    driver_rig_close(&rig);
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
    struct driver_rig rig;
    struct disk disk;
    open_desk(&rig, &disk);
    disk.commit_us = 3 * USEC_PER_SEC;
    int64_t market_us = driver_rig_snapshot(&rig)->market_us;
    int64_t began_us = rig.clock.now_mono_us;
    driver_rig_run(&rig, 120);
    assert_int_equal(driver_rig_snapshot(&rig)->disk.state, DISK_SLOW);
    assert_true(driver_rig_snapshot(&rig)->disk.commit_us >= 3 * USEC_PER_SEC);
    int64_t passed_us = rig.clock.now_mono_us - began_us;
    assert_true(driver_rig_snapshot(&rig)->market_us - market_us > passed_us * 60 / 2);
    /* A request waits for its commit and is on disk when it is answered. */
    assert_int_equal(driver_rig_ask(&rig, REQUEST_PAUSE, NULL), ERR_NONE);
    disk.commit_us = 0;
    driver_rig_restart(&rig);
    settle(&rig, 3);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    driver_rig_run(&rig, 120);
    assert_int_equal(driver_rig_snapshot(&rig)->disk.state, DISK_OK);
    driver_rig_close(&rig);
}

/* An orderly end writes what a slow disk had deferred. */
static void an_orderly_end_writes_deferred_outputs(void **state)
{
    (void)state;
    for (int orderly = 0; orderly < 2; orderly++) {
        struct driver_rig rig;
        struct disk disk;
        struct err err = {0};
        open_desk(&rig, &disk);
        disk.commit_us = 3 * USEC_PER_SEC;
        struct engine_state s = {.market_us = driver_rig_snapshot(&rig)->market_us};
        for (int i = 0; i < 200 && s.market_us == driver_rig_snapshot(&rig)->market_us; i++) {
            driver_rig_run(&rig, 1);
            assert_int_equal(state_table_load(rig.store, &s, &err), 0);
        }
        int64_t market_us = driver_rig_snapshot(&rig)->market_us;
        assert_true(s.market_us < market_us);
        if (orderly) {
            driver_finish(rig.driver);
        }
        assert_int_equal(state_table_load(rig.store, &s, &err), 0);
        assert_int_equal(s.market_us == market_us, orderly);
        driver_rig_close(&rig);
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
    struct recorder_rig f;
    bool is_full = false;
    recorder_rig_open(&f, NULL, 0);
    trading_store_set_fault(f.store, full, &is_full);
    recorder_rig_run(&f, 60);
    is_full = true;
    recorder_rig_run(&f, 6);
    assert_int_equal(driver_snapshot(f.driver)->disk.state, DISK_FAILED);
    struct bus_reader reader;
    bus_reader_init(&reader, f.shared.bus, TOPIC_FAULT);
    is_full = false;
    recorder_rig_restart(&f);
    recorder_rig_run(&f, 10);
    struct bus_event raw;
    while (bus_read(&reader, &raw, 1, NULL) == 1) {
        struct event e;
        memcpy(&e, &raw, sizeof(e));
        assert_int_not_equal(e.code, ERR_ENGINE_STORE_OLD);
    }
    assert_int_equal(driver_snapshot(f.driver)->state, TRADING_ACTIVE);
    recorder_rig_close(&f);
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
