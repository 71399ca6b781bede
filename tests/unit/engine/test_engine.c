#include "base/log.h"
#include "rigs/driver_rig.h"
#include "store/decision_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/request_table.h"
#include "store/state_table.h"
#include "store/trade_table.h"
#include "unit/unit.h"
#include "venue/paper.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- it trades */

static void trades_in(enum climate climate, int64_t minutes)
{
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_pin(&rig, climate);
    driver_rig_run(&rig, minutes);
    struct err err = {0};
    struct trade_stats stats;
    assert_int_equal(trade_table_stats(rig.store, 0, &stats, &err), 0);
    struct decision_counts counts;
    assert_int_equal(decision_table_counts(rig.store, 0, &counts, &err), 0);
    if (counts.orders < 3 || stats.count < 2) {
        print_error("climate %s: %d orders, %d trades\n", simulated_climate_name(climate),
                    (int)counts.orders, (int)stats.count);
    }
    assert_true(counts.orders >= 3);
    assert_true(stats.count >= 2);
    for (int i = 0; i < stats.reason_count; i++) {
        const char *why = stats.reasons[i].name;
        assert_true(strcmp(why, "stop") == 0 || strcmp(why, "target") == 0 ||
                    strcmp(why, "signal") == 0);
    }
    assert_true(driver_rig_snapshot(&rig)->books_balance);
    driver_rig_close(&rig);
}

/* The bot must trade at its defaults. */
static void trades_at_the_defaults_in_every_climate(void **state)
{
    (void)state;
    trades_in(CLIMATE_UP, 1440);
    trades_in(CLIMATE_DOWN, 1440);
    trades_in(CLIMATE_CHOP, 1440);
    trades_in(CLIMATE_CRASH, 300);
}

/* Within one minute at the default speed. */
static void trades_in_the_first_hour(void **state)
{
    (void)state;
    int with_orders = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct driver_rig rig;
        struct settings settings;
        driver_rig_settings(&settings);
        settings.seed = seed;
        driver_rig_open(&rig, &settings);
        driver_rig_run(&rig, 60);
        with_orders += driver_rig_snapshot(&rig)->fills > 0;
        assert_int_equal(driver_rig_snapshot(&rig)->market_count, 3);
        assert_true(driver_rig_snapshot(&rig)->markets[0].ema_slow > 0); /* warm from the start */
        driver_rig_close(&rig);
    }
    assert_true(with_orders >= 7);
}

/* Two weeks: moderate profit and loss, and the breaker trips rarely. */
static void weeks_at_the_defaults_are_sane(void **state)
{
    (void)state;
    enum { DAYS = UNIT_SANITIZED ? 4 : 14 };
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    int tripped_hours = 0;
    for (int hour = 0; hour < DAYS * 24; hour++) {
        driver_rig_run(&rig, 60);
        tripped_hours += driver_rig_snapshot(&rig)->state == TRADING_BREAKER;
    }
    const struct snapshot *s = driver_rig_snapshot(&rig);
    double grown = dec_to_double(s->equity) / dec_to_double(s->initial_cash);
    print_message("%d trades, %d wins, equity x%.2f, fees %.0f, drawdown %.1f %%, tripped %d h\n",
                  (int)s->trades, (int)s->wins, grown, dec_to_double(s->fees), s->drawdown_pct,
                  tripped_hours);
    assert_true(s->trades > 5 * DAYS && s->trades < 60 * DAYS);
    assert_true(s->wins > s->trades / 10);
    assert_true(grown > 0.7 && grown < 2);
    assert_true(tripped_hours < DAYS * 24 / 2);
    assert_true(s->books_balance);
    driver_rig_close(&rig);
}

static size_t trade_list(uint64_t seed, struct trade *ret, size_t max)
{
    struct driver_rig rig;
    struct settings settings;
    driver_rig_settings(&settings);
    settings.seed = seed;
    driver_rig_open(&rig, &settings);
    driver_rig_run(&rig, 2000);
    struct err err = {0};
    memset(ret, 0, max * sizeof(*ret));
    int count = trade_table_list(rig.store, &(struct trade_query){0}, ret, max, &err);
    assert_true(count > 5);
    driver_rig_close(&rig);
    return (size_t)count;
}

static void same_seed_same_trades(void **state)
{
    (void)state;
    enum { MAX = 256 };
    struct trade *a = calloc(MAX, sizeof(*a));
    struct trade *b = calloc(MAX, sizeof(*b));
    size_t count = trade_list(5, a, MAX);
    assert_int_equal(trade_list(5, b, MAX), count);
    assert_memory_equal(a, b, MAX * sizeof(*a));
    (void)trade_list(6, b, MAX);
    assert_memory_not_equal(a, b, MAX * sizeof(*a));
    free(a);
    free(b);
}

/* A restart in the middle changes nothing afterwards: market, indicators, books. */
static void a_restart_does_not_change_the_market(void **state)
{
    (void)state;
    struct driver_rig a, b;
    driver_rig_open(&a, NULL);
    driver_rig_open(&b, NULL);
    driver_rig_run(&a, 900);
    for (int i = 0; i < 9; i++) {
        driver_rig_run(&b, 100);
        driver_rig_restart(&b);
    }
    driver_rig_run(&a, 50);
    driver_rig_run(&b, 50);
    const struct snapshot *x = driver_rig_snapshot(&a);
    const struct snapshot *y = driver_rig_snapshot(&b);
    assert_int_equal(x->market_us, y->market_us);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(x->markets[i].price.e8, y->markets[i].price.e8);
        assert_true(x->markets[i].rsi == y->markets[i].rsi);
        assert_true(x->markets[i].ema_fast == y->markets[i].ema_fast);
    }
    assert_int_equal(x->candles, y->candles);
    driver_rig_close(&a);
    driver_rig_close(&b);
}

/* ---------------------------------------------------------------- requests */

static void pause_survives_a_restart(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_PAUSE, NULL), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason, "paused by alice");
    uint64_t orders = driver_rig_snapshot(&rig)->orders;
    int held = driver_rig_snapshot(&rig)->position_count;
    driver_rig_restart(&rig);
    assert_int_equal(driver_rig_snapshot(&rig)->position_count, held);
    driver_rig_round(&rig, USEC_PER_SEC);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    driver_rig_run(&rig, 700);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    struct order list[64];
    struct err err = {0};
    int count = order_table_list(rig.store, &(struct order_query){0}, list, 64, &err);
    for (int i = 0; i < count - (int)orders; i++) {
        assert_int_equal(list[i].kind, ORDER_CLOSE); /* closing continues */
    }
    assert_true(s->vetoes > 0);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_ENGINE_NOT_PAUSED);
    driver_rig_close(&rig);
}

static int ask_for_run(struct driver_rig *rig, enum request_kind kind, const char *by, int64_t run)
{
    struct request r = {.id = rig->next_request++, .kind = kind, .number = run};
    (void)str_copy(str_c(by), r.by, sizeof(r.by));
    return driver_rig_ask_again(rig, &r);
}

/* The end of a run lifts only the pause that this run set. */
static void a_run_lifts_only_its_own_pause(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_round(&rig, USEC_PER_SEC);
    assert_int_equal(ask_for_run(&rig, REQUEST_PAUSE, "alice", 12), ERR_NONE);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason, "paused by alice, run 12");
    driver_rig_restart(&rig);
    driver_rig_round(&rig, USEC_PER_SEC);
    assert_int_equal(ask_for_run(&rig, REQUEST_RESUME, "alice", 1), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    assert_int_equal(ask_for_run(&rig, REQUEST_RESUME, "alice", 12), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);

    /* A person pauses while the run does: that pause stays. */
    assert_int_equal(ask_for_run(&rig, REQUEST_PAUSE, "alice", 13), ERR_NONE);
    assert_int_equal(ask_for_run(&rig, REQUEST_PAUSE, "adam", 0), ERR_NONE);
    assert_int_equal(ask_for_run(&rig, REQUEST_RESUME, "alice", 13), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason, "paused by adam");

    /* A run that finds trading paused does not own the pause. */
    assert_int_equal(ask_for_run(&rig, REQUEST_MAINTENANCE, "alice", 14), ERR_NONE);
    assert_int_equal(ask_for_run(&rig, REQUEST_RESUME, "alice", 14), ERR_NONE);
    assert_string_equal(driver_rig_snapshot(&rig)->state_reason, "paused by adam");
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_NONE);
    assert_int_equal(ask_for_run(&rig, REQUEST_RESUME, "alice", 14), ERR_NONE); /* not paused */
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    driver_rig_close(&rig);
}

static void a_request_counts_once(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    struct request pause = {.id = 500, .kind = REQUEST_PAUSE, .by = "alice"};
    assert_int_equal(driver_rig_ask_again(&rig, &pause), ERR_NONE);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_NONE);
    assert_int_equal(driver_rig_ask_again(&rig, &pause), ERR_NONE); /* answered, not done again */
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    driver_rig_restart(&rig);
    assert_int_equal(driver_rig_ask_again(&rig, &pause), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    struct request nothing = {.id = 501, .kind = REQUEST_CLEAR_EMERGENCY};
    assert_int_equal(driver_rig_ask_again(&rig, &nothing), ERR_ENGINE_NOT_STOPPED);
    assert_int_equal(driver_rig_ask_again(&rig, &nothing), ERR_ENGINE_NOT_STOPPED);
    struct request_result result;
    struct err err = {0};
    assert_int_equal(request_table_result(rig.store, 501, &result, &err), 0);
    assert_true(result.found);
    assert_int_equal(abs(result.err_id), ERR_ENGINE_NOT_STOPPED);
    driver_rig_close(&rig);
}

static void a_close_request_closes_its_symbol(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    struct position p = driver_rig_snapshot(&rig)->positions[0];
    int held = driver_rig_snapshot(&rig)->position_count;
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLOSE, p.symbol.name), ERR_NONE);
    driver_rig_round(&rig, USEC_PER_MSEC);
    assert_int_equal(driver_rig_snapshot(&rig)->position_count, held - 1);
    /* Flat means that the venue's next listing shows nothing, not that our books do. */
    assert_false(driver_rig_snapshot(&rig)->venue_agrees);
    for (int i = 0; i < 4; i++) {
        driver_rig_round(&rig, ENGINE_ASK_EVERY_US / 2);
    }
    assert_true(driver_rig_snapshot(&rig)->venue_agrees);
    struct trade t;
    struct err err = {0};
    assert_int_equal(trade_table_list(rig.store, &(struct trade_query){0}, &t, 1, &err), 1);
    assert_string_equal(t.exit_reason, "operator");
    assert_string_equal(t.client_id, p.client_id);
    struct decision d;
    assert_int_equal(decision_table_of_order(rig.store, p.client_id, &d, &err), 0);
    assert_int_equal(d.outcome, OUTCOME_ORDER);
    assert_true(d.vote_count == VOTES_MAX && d.votes[0].reason_count > 0);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLOSE, "NO-SUCH"), ERR_ENGINE_NOTHING_OPEN);
    driver_rig_close(&rig);
}

static void an_emergency_stop_is_verified_flat(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_EMERGENCY_STOP, NULL), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    driver_rig_round(&rig, USEC_PER_MSEC);
    driver_rig_round(&rig, 3 * USEC_PER_SEC);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->position_count, 0);
    assert_true(s->verified_flat);
    assert_string_equal(s->state_reason, "emergency stop by alice, verified flat");
    assert_int_equal(paper_of(driver_venue(rig.driver))->book.position_count, 0);
    struct trade t;
    struct err err = {0};
    assert_int_equal(trade_table_list(rig.store, &(struct trade_query){0}, &t, 1, &err), 1);
    assert_string_equal(t.exit_reason, "emergency");

    uint64_t orders = s->orders;
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_ENGINE_STOPPED);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_PAUSE, NULL), ERR_ENGINE_STOPPED);
    driver_rig_restart(&rig);
    driver_rig_run(&rig, 600);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_EMERGENCY);
    assert_int_equal(driver_rig_snapshot(&rig)->orders, orders); /* nothing was opened */
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLEAR_EMERGENCY, NULL), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_PAUSED);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_NONE);
    driver_rig_run(&rig, 600);
    assert_true(driver_rig_snapshot(&rig)->orders > orders);
    driver_rig_close(&rig);
}

/* A hold above the threshold has a reason. */
static void a_hold_has_a_reason(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    driver_rig_run(&rig, 120);
    static struct decision list[64];
    struct err err = {0};
    int count = decision_table_list(rig.store, &(struct decision_query){0}, list, 64, &err);
    int held = 0;
    for (int i = 0; i < count; i++) {
        bool wanted = list[i].direction != DIRECTION_NONE;
        if (list[i].outcome == OUTCOME_HOLD) {
            assert_int_equal(list[i].veto_text[0] != '\0', wanted);
            held += wanted && strstr(list[i].veto_text, "is held") != NULL;
        }
    }
    assert_true(held > 0);
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- the breaker */

static void the_breaker_trips_and_persists(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct settings settings;
    driver_rig_settings(&settings);
    settings.max_consecutive_losses = 1;
    driver_rig_venue.paper.fee_bps = 100; /* so that losses are frequent */
    driver_rig_open(&rig, &settings);
    driver_rig_pin(&rig, CLIMATE_CHOP);
    for (int i = 0; i < 3000 && driver_rig_snapshot(&rig)->state != TRADING_BREAKER; i++) {
        driver_rig_run(&rig, 1);
    }
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_BREAKER);
    assert_non_null(strstr(driver_rig_snapshot(&rig)->state_reason, "in a row of 1"));
    driver_rig_restart(&rig);
    driver_rig_round(&rig, USEC_PER_SEC);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_BREAKER);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    for (int i = 0; i < 3000 && driver_rig_snapshot(&rig)->state != TRADING_BREAKER; i++) {
        driver_rig_run(&rig, 1);
    }
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_BREAKER);
    /* A pause in between does not reset what tripped it. */
    assert_int_equal(driver_rig_ask(&rig, REQUEST_PAUSE, NULL), ERR_NONE);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_BREAKER);
    /* A new market day resets the losses in a row. */
    driver_rig_run(&rig, 1441);
    struct engine_state s;
    struct err err = {0};
    assert_int_equal(state_table_load(rig.store, &s, &err), 0);
    assert_true(s.state == TRADING_ACTIVE || s.consecutive_losses > 0);
    driver_rig_close(&rig);
}

static void a_cooldown_survives_a_restart(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    struct symbol symbol = driver_rig_snapshot(&rig)->positions[0].symbol;
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLOSE, symbol.name), ERR_NONE);
    driver_rig_round(&rig, USEC_PER_MSEC);
    driver_rig_restart(&rig);
    const struct engine_state *s = engine_state(driver_engine(rig.driver));
    bool found = false;
    for (int i = 0; i < s->cooldown_count; i++) {
        found = found || (symbol_equal(s->cooldowns[i].symbol, symbol) &&
                          s->cooldowns[i].until_us > s->market_us);
    }
    assert_true(found);
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- a failing disk */

static int failing(const char *what, void *userdata)
{
    (void)what;
    return *(int *)userdata;
}

static void a_full_disk_stops_entries_but_not_the_clock(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 30);
    int fault = -ERR_DB_FULL;
    trading_store_set_fault(rig.store, failing, &fault);
    struct bus_reader reader;
    bus_reader_init(&reader, rig.shared.bus, TOPIC_FAULT);
    int64_t before_us = driver_rig_snapshot(&rig)->market_us;
    int64_t began_us = rig.clock.now_wall_us;
    driver_rig_run(&rig, 8);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    struct bus_event raw;
    assert_int_equal(bus_read(&reader, &raw, 1, NULL), 1);
    struct event e;
    memcpy(&e, &raw, sizeof(e));
    assert_true(e.code == ERR_ENGINE_JOURNAL || e.code == ERR_VENUE_DISK);
    assert_int_equal(e.id, ERR_DB_FULL);
    assert_int_equal(bus_read(&reader, &raw, 1, NULL), 0); /* reported once, not each round */
    assert_int_equal(s->last_err, (int)e.code);
    assert_int_equal(s->disk.state, DISK_FAILED);
    assert_int_equal(s->disk.err, ERR_DB_FULL);
    assert_true(s->disk.since_wall_us > began_us);
    assert_true(s->disk.closes);
    assert_int_equal(s->state, TRADING_ACTIVE); /* a brief failure does not pause trading */
    assert_string_equal(s->state_reason, "nothing opens: trading.db cannot be written");
    int held = s->position_count;
    driver_rig_run(&rig, 300);
    assert_true(s->position_count <= held);
    held = s->position_count;
    assert_true(s->market_us >= before_us + 300 * USEC_PER_MIN);
    assert_true(atomic_load(&rig.shared.engine_beat_mono_us) == rig.clock.now_mono_us);
    assert_int_equal(s->state, TRADING_PAUSED);
    assert_string_equal(s->state_reason, "disk: trading.db could not be written");
    fault = 0;
    driver_rig_run(&rig, 300);
    assert_int_equal(s->last_err, 0);
    assert_int_equal(s->disk.state, DISK_OK);
    assert_true(s->books_balance);
    assert_int_equal(s->state, TRADING_PAUSED); /* until a person resumes */
    assert_true(s->position_count <= held);
    uint64_t orders = s->orders;
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_NONE);
    driver_rig_run(&rig, 600);
    assert_true(s->orders > orders);
    driver_rig_close(&rig);
}

/* A restart while the disk is still full shows the recovered account, not an empty one. */
static void a_start_that_cannot_write_shows_the_recovered_account(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    int held = driver_rig_snapshot(&rig)->position_count;
    int fault = -ERR_DB_FULL;
    trading_store_set_fault(rig.store, failing, &fault);
    driver_rig_restart(&rig);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->state, TRADING_STARTING);
    assert_int_equal(s->position_count, held);
    assert_int_equal(s->last_err, ERR_ENGINE_JOURNAL);
    assert_true(s->books_balance && s->equity.e8 > 0 && s->started_wall_us > 0);
    fault = 0;
    for (int i = 0; i < 4; i++) {
        driver_rig_round(&rig, USEC_PER_SEC);
    }
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    driver_rig_close(&rig);
}

static void a_database_that_does_not_open_is_retried(void **state)
{
    (void)state;
    struct shared shared;
    shared_init(&shared, CAPACITY_MIN);
    struct shared_reader *reader = shared_reader_add(&shared, "test", 0);
    shared_seal(&shared);
    struct clock_fake clock;
    clock_fake_init(&clock, INT64_C(1790000000000000));
    struct settings settings;
    driver_rig_settings(&settings);
    struct driver *driver =
        driver_new(&(struct driver_options){.state_dir = "/nonexistent/nightdesk",
                                            .settings = settings,
                                            .venue = driver_rig_venue,
                                            .clock = &clock.clock},
                   &shared);
    for (int i = 0; i < 20; i++) {
        assert_true(driver_round(driver) > 0);
        clock_fake_advance(&clock, 250 * USEC_PER_MSEC);
    }
    const struct snapshot *s = shared_reader_snapshot(reader);
    assert_int_equal(s->state, TRADING_STARTING);
    assert_int_equal(s->last_err, ERR_ENGINE_STORE);
    assert_true(strncmp(s->state_reason, "trading.db: ", 12) == 0);
    driver_free(driver);
    shared_release(&shared);
}

/* ---------------------------------------------------------------- recovery */

/* An intent that was committed but not sent, as after a crash between the two. */
static void an_unsent_intent_is_not_sent_after_a_restart(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 5);
    struct order o = {.client_id = "nd-1-777",
                      .symbol = rig.settings.symbols[0],
                      .kind = ORDER_ENTRY,
                      .side = SIDE_LONG,
                      .state = ORDER_PREPARED,
                      .qty = dec_from_int(1),
                      .reference_price = dec_from_int(60000),
                      .stop = dec_from_int(59000),
                      .target = dec_from_int(62000)};
    struct err err = {0};
    assert_int_equal(order_table_write(rig.store, &o, &err), 0);
    driver_rig_restart(&rig);
    driver_rig_round(&rig, USEC_PER_SEC);
    struct order row;
    assert_int_equal(order_table_get(rig.store, "nd-1-777", &row, &err), 0);
    assert_int_equal(row.state, ORDER_CANCELLED);
    assert_string_equal(row.reason, "never reached the venue");
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    driver_rig_close(&rig);
}

/* Our positions differ from the venue's: nothing is opened, and the reason is shown. */
static void a_difference_from_the_venue_halts_trading(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    int count = driver_rig_snapshot(&rig)->position_count;
    struct position p[POSITIONS_LIMIT];
    struct err err = {0};
    assert_int_equal(position_table_list(rig.store, p, POSITIONS_LIMIT, &err), count);
    struct dec qty = p[0].qty;
    p[0].qty = dec_mul(qty, dec_from_int(2));
    assert_int_equal(position_table_replace(rig.store, p, (size_t)count, &err), 0);
    driver_rig_restart(&rig);
    driver_rig_round(&rig, USEC_PER_SEC);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_STARTING);
    assert_non_null(strstr(driver_rig_snapshot(&rig)->state_reason, "we hold"));
    assert_false(driver_rig_snapshot(&rig)->books_balance);
    for (int i = 0; i < 30; i++) {
        driver_rig_round(&rig, USEC_PER_SEC); /* it keeps running */
    }
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_STARTING);
    driver_rig_close(&rig);
}

/* Damaged market history costs only the indicators. */
static void damaged_market_state_is_replaced(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 10);
    struct err err = {0};
    char bytes[100] = {1};
    assert_int_equal(state_table_write_blob(rig.store, "series", bytes, sizeof(bytes), &err), 0);
    driver_rig_restart(&rig);
    driver_rig_run(&rig, 10);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    assert_true(driver_rig_snapshot(&rig)->markets[0].price.e8 > 0);
    driver_rig_close(&rig);
}

UNIT_GROUP(
    engine, cmocka_unit_test(trades_at_the_defaults_in_every_climate),
    cmocka_unit_test(trades_in_the_first_hour), cmocka_unit_test(weeks_at_the_defaults_are_sane),
    cmocka_unit_test(same_seed_same_trades), cmocka_unit_test(a_restart_does_not_change_the_market),
    cmocka_unit_test(pause_survives_a_restart), cmocka_unit_test(a_run_lifts_only_its_own_pause),
    cmocka_unit_test(a_request_counts_once), cmocka_unit_test(a_close_request_closes_its_symbol),
    cmocka_unit_test(an_emergency_stop_is_verified_flat), cmocka_unit_test(a_hold_has_a_reason),
    cmocka_unit_test(the_breaker_trips_and_persists),
    cmocka_unit_test(a_cooldown_survives_a_restart),
    cmocka_unit_test(a_full_disk_stops_entries_but_not_the_clock),
    cmocka_unit_test(a_start_that_cannot_write_shows_the_recovered_account),
    cmocka_unit_test(a_database_that_does_not_open_is_retried),
    cmocka_unit_test(an_unsent_intent_is_not_sent_after_a_restart),
    cmocka_unit_test(a_difference_from_the_venue_halts_trading),
    cmocka_unit_test(damaged_market_state_is_replaced))
