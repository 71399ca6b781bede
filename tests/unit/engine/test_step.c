/*
 * The step itself: it allocates nothing; and its small helpers.
 */
#include "../../../src/engine/percentile.h"
#include "engine/backtest.h"
#include "engine/engine.h"
#include "engine/engine_buffers.h"
#include "fakes/instant_venue.h"
#include "rigs/driver_rig.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

/* Counts allocations by replacing the C library's allocator, or with the hook of a sanitizer that
 * already replaces it. */
static _Atomic int64_t allocations;
static _Thread_local bool counting;

#if UNIT_SANITIZED
extern int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *,
                                                                       size_t),
                                                     void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *at, size_t size)
{
    (void)at;
    (void)size;
    allocations += counting;
}

static void on_free(const volatile void *at)
{
    (void)at;
}

static void count_allocations(void)
{
    assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
}
#else
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    allocations += counting;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations += counting;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    allocations += counting;
    return __libc_realloc(old, size);
}

static void count_allocations(void)
{
}
#endif

static void a_step_allocates_nothing(void **state)
{
    (void)state;
    count_allocations();
    void *(*volatile take)(size_t) = malloc; /* volatile, or the compiler removes the call */
    counting = true;
    void *probe = take(10);
    counting = false;
    assert_non_null(probe);
    free(probe);
    assert_int_equal(allocations, 1); /* the counter works */

    struct settings settings;
    driver_rig_settings(&settings);
    struct simulated market;
    simulated_init(&market, 3, settings.symbols, 3, 0);
    struct engine *engine = engine_new(&settings, settings.symbols, 3);
    struct engine_now now = {.market_us = 0};
    engine_begin(engine, &now);
    struct engine_inputs *in = calloc(1, sizeof(*in));
    engine_inputs_init(in, 3);
    struct engine_outputs *out = calloc(1, sizeof(*out));
    engine_outputs_init(out, 3);
    struct snapshot *snapshot = snapshot_new(3);
    int64_t orders = 0, fill_id = 1;
    allocations = 0;
    for (int minute = 0; minute < 6000; minute++) {
        instant_venue_answer(engine, out, in, &fill_id);
        in->bar_count = source_next(&market.source, in->bars);
        instant_venue_quote(in);
        now.market_us = (minute + 1) * USEC_PER_MIN;
        now.mono_us += USEC_PER_SEC;
        struct request request = {.id = minute + 1, .kind = REQUEST_CLOSE};
        if (minute % 1000 == 999) { /* rules that match, and finally an invalid one */
            request.kind = REQUEST_RULE_ADD;
            (void)snprintf(request.text, sizeof(request.text),
                           "favour\nrsi14@1h >= %d or not side == %s\nwhy", minute / 1000,
                           minute < 5000 ? "long" : "upward");
        }
        in->request = minute % 500 == 499 ? &request : NULL;
        counting = true;
        engine_step(engine, &now, in, out);
        engine_snapshot(engine, &now, snapshot);
        counting = false;
        orders += out->send_count;
        assert_true(snapshot->books_balance);
    }
    assert_true(orders > 10);
    assert_int_equal(engine_rule_book(engine)->rule_count, 5);
    assert_int_not_equal(engine_rule_book(engine)->last_shadow_id, 0);
    assert_int_equal(allocations, 0);
    engine_inputs_release(in);
    free(in);
    engine_outputs_release(out);
    free(out);
    free(snapshot);
    engine_free(engine);
}

/* As many symbols as there can be decide in one step, and as many positions are open. */
static void steps_at_the_limits_allocate_nothing(void **state)
{
    (void)state;
    static struct settings settings;
    static struct simulated market;
    driver_rig_settings(&settings);
    settings.symbol_count = SYMBOLS_LIMIT;
    for (int i = 0; i < SYMBOLS_LIMIT; i++) {
        (void)snprintf(settings.symbols[i].name, SYMBOL_SIZE, "S%03u-USD", (unsigned)i % 1000);
    }
    settings.max_positions = POSITIONS_LIMIT;
    settings.max_orders_per_minute = 1000;
    settings.max_position_pct = 1;
    settings.max_exposure_pct = 100;
    settings.max_correlation = 1;
    settings.max_consecutive_losses = 100;
    settings.max_daily_loss_pct = 100;
    settings.max_drawdown_pct = 100;
    settings.cooldown_us = USEC_PER_HOUR;
    for (int t = 0; t < TIERS; t++) {
        settings.tiers[t].max_position_pct = 1;
        settings.tiers[t].max_exposure_pct = 100;
    }
    const int64_t minutes = 360;
    simulated_init(&market, 5, settings.symbols, SYMBOLS_LIMIT, 0);
    struct backtest *backtest =
        backtest_new(&(struct backtest_options){.settings = &settings,
                                                .venue = &driver_rig_venue,
                                                .source = &market.source,
                                                .to_us = minutes * USEC_PER_MIN});
    allocations = 0;
    counting = true;
    int rc = backtest_run(backtest, NULL);
    counting = false;
    const struct backtest_result *r = backtest_result(backtest);
    assert_int_equal(rc, 0);
    assert_int_equal(allocations, 0);
    assert_int_equal(r->candles, minutes * SYMBOLS_LIMIT);
    assert_int_equal(r->snapshot->market_count, SYMBOLS_LIMIT);
    assert_int_equal(r->snapshot->risk.symbol_count, SYMBOLS_LIMIT);
    assert_true(r->snapshot->position_count > 8 * POSITIONS_LIMIT / 10);
    assert_true(r->snapshot->decisions > 30 * SYMBOLS_LIMIT);
    assert_true(r->snapshot->trades > 10);
    assert_true(r->snapshot->books_balance);
    backtest_free(backtest);
}

/* ---------------------------------------------------------------- step by step */

struct bench {
    struct engine *engine;
    struct engine_memory memory;
    struct engine_inputs in;
    struct engine_outputs out;
};

/* An engine that was restarted with one order of an earlier run. */
static struct bench *bench_new(enum trading_state trading, enum order_state order)
{
    struct settings settings;
    driver_rig_settings(&settings);
    struct bench *b = calloc(1, sizeof(*b));
    b->engine = engine_new(&settings, settings.symbols, 3);
    engine_inputs_init(&b->in, 3);
    engine_outputs_init(&b->out, 3);
    struct dec cash = dec_from_int(10000);
    b->memory.state = (struct engine_state){.state = trading,
                                            .initial_cash = cash,
                                            .cash = cash,
                                            .equity_peak = cash,
                                            .day_start_equity = cash};
    b->memory.order_count = 1;
    b->memory.orders[0] = (struct order){.client_id = "nd-1-1",
                                         .symbol = settings.symbols[0],
                                         .state = order,
                                         .qty = dec_from_int(1)};
    engine_restore(b->engine, &b->memory);
    return b;
}

static void bench_free(struct bench *b)
{
    engine_free(b->engine);
    engine_inputs_release(&b->in);
    engine_outputs_release(&b->out);
    free(b);
}

/* The inputs are cleared after the step. */
static void bench_step(struct bench *b, int64_t second)
{
    struct engine_now now = {.market_us = second * USEC_PER_SEC,
                             .mono_us = (1000 + second) * USEC_PER_SEC};
    engine_step(b->engine, &now, &b->in, &b->out);
    b->in.request = NULL;
    b->in.report_count = 0;
}

static struct venue_report *bench_report(struct bench *b, enum order_state state)
{
    struct venue_report *r = &b->in.reports[b->in.report_count++];
    *r = (struct venue_report){.kind = VENUE_ORDER, .client_id = "nd-1-1", .state = state};
    return r;
}

/* When trading is paused, a resting entry is cancelled repeatedly, at most every two seconds, until
 * the venue confirms: a lost call must not let it fill. */
static void a_lost_cancellation_is_repeated(void **state)
{
    (void)state;
    struct bench *b = bench_new(TRADING_ACTIVE, ORDER_ACKED);
    bench_step(b, 0);
    assert_int_equal(b->out.cancel_count, 0);
    struct request pause = {.id = 1, .kind = REQUEST_PAUSE};
    b->in.request = &pause;
    static const int expected[] = {1, 0, 1, 0, 1};
    for (int i = 0; i < 5; i++) {
        bench_step(b, 1 + i);
        assert_int_equal(b->out.cancel_count, expected[i]);
    }
    assert_string_equal(b->out.cancels[0], "nd-1-1");
    (void)bench_report(b, ORDER_CANCELLED);
    for (int i = 0; i < 5; i++) {
        bench_step(b, 7 + i);
        assert_int_equal(b->out.cancel_count, 0);
    }
    bench_free(b);
}

/* FILLED without the matching fills is not final: the order is queried again. */
static void a_final_state_waits_for_its_fills(void **state)
{
    (void)state;
    struct bench *b = bench_new(TRADING_ACTIVE, ORDER_ACKED);
    bench_step(b, 0);
    bench_report(b, ORDER_FILLED)->filled_qty = dec_from_int(1);
    bench_step(b, 1);
    assert_int_equal(b->out.order_count, 0);
    bench_step(b, 2);
    assert_int_equal(b->out.query_count, 1);
    struct venue_report *whole = bench_report(b, ORDER_FILLED);
    whole->filled_qty = dec_from_int(1);
    whole->fill_count = 1;
    whole->fills[0] = (struct fill){.client_id = "nd-1-1",
                                    .venue_fill_id = "1",
                                    .symbol = b->memory.orders[0].symbol,
                                    .qty = dec_from_int(1),
                                    .price = dec_from_int(100)};
    bench_step(b, 3);
    assert_int_equal(b->out.order_count, 1);
    assert_int_equal(b->out.orders[0].state, ORDER_FILLED);
    assert_int_equal(b->out.fill_count, 1);
    bench_free(b);
}

/* An open loss moves around its limit; the breaker does not flap. */
static void the_breaker_holds_until_the_next_day(void **state)
{
    (void)state;
    struct bench *b = bench_new(TRADING_BREAKER, ORDER_ACKED);
    bench_step(b, 0);
    bench_step(b, 86399);
    assert_int_equal(engine_state(b->engine)->state, TRADING_BREAKER);
    bench_step(b, 86400);
    assert_int_equal(engine_state(b->engine)->state, TRADING_ACTIVE);
    bench_free(b);
}

static void p99_of_known_durations(void **state)
{
    (void)state;
    struct percentile p;
    memset(&p, 0, sizeof(p));
    assert_int_equal(percentile_p99(&p), 0);
    for (int i = 1; i <= 1000; i++) {
        percentile_push(&p, i * 100); /* p99: 99,000 */
    }
    assert_true(percentile_p99(&p) >= 98900 && percentile_p99(&p) <= 99100 * 9 / 8);
    for (int i = 0; i < PERCENTILE_SAMPLES; i++) {
        percentile_push(&p, 500); /* the old ones have dropped out */
    }
    assert_true(percentile_p99(&p) >= 500 && percentile_p99(&p) <= 570);
    percentile_push(&p, -5);
    percentile_push(&p, INT64_MAX);
    assert_true(percentile_p99(&p) <= 570);
}

static void series_bytes_are_checked(void **state)
{
    (void)state;
    struct settings settings;
    driver_rig_settings(&settings);
    struct engine *engine = engine_new(&settings, settings.symbols, 3);
    char bytes[64 * 1024];
    size_t size = engine_series_save(engine, bytes, sizeof(bytes));
    assert_true(size > 0 && engine_series_save(engine, bytes, size - 1) == 0);
    assert_true(engine_series_load(engine, bytes, size));
    assert_false(engine_series_load(engine, bytes, size - 1));
    assert_false(engine_series_load(engine, bytes, 3));
    bytes[0] ^= 1;
    assert_false(engine_series_load(engine, bytes, size));
    bytes[0] ^= 1;
    for (size_t i = 24; i < size; i += 97) {
        char was = bytes[i];
        bytes[i] = (char)0xff;
        (void)engine_series_load(engine, bytes,
                                 size); /* any result is allowed; ASan detects errors */
        bytes[i] = was;
    }
    engine_free(engine);
}

UNIT_GROUP(step, cmocka_unit_test(a_step_allocates_nothing),
           cmocka_unit_test(steps_at_the_limits_allocate_nothing),
           cmocka_unit_test(a_lost_cancellation_is_repeated),
           cmocka_unit_test(a_final_state_waits_for_its_fills),
           cmocka_unit_test(the_breaker_holds_until_the_next_day),
           cmocka_unit_test(p99_of_known_durations), cmocka_unit_test(series_bytes_are_checked))
