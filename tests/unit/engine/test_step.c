/*
 * The step itself: that it allocates nothing, and the small parts beside it.
 */
#include "../../../src/engine/percentile.h"
#include "desk.h"
#include "engine/engine.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

/* The C library's allocator is replaced in this test binary by one that counts. */
static _Atomic int64_t allocations;
static _Thread_local bool counting;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define COUNTS_ALLOCATIONS 1
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
#else
#define COUNTS_ALLOCATIONS 0
#endif

/* Enough of a venue: everything that is sent is acknowledged and filled in the next step. */
static void a_step_allocates_nothing(void **state)
{
    (void)state;
    if (!COUNTS_ALLOCATIONS) {
        skip();
    }
    void *(*volatile take)(size_t) = malloc; /* else the compiler leaves it out */
    counting = true;
    void *probe = take(10);
    counting = false;
    assert_non_null(probe);
    free(probe);
    assert_int_equal(allocations, 1); /* the counter counts */

    struct settings settings;
    desk_settings(&settings);
    struct simulated market;
    simulated_init(&market, 3, settings.symbols, 3, 0);
    struct engine *engine = engine_new(&settings, settings.symbols, 3);
    struct engine_now now = {.market_us = 0};
    engine_begin(engine, &now);
    struct engine_inputs *in = calloc(1, sizeof(*in));
    struct engine_outputs *out = calloc(1, sizeof(*out));
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    int64_t orders = 0, fill_id = 1;
    allocations = 0;
    for (int minute = 0; minute < 6000; minute++) {
        in->report_count = 0;
        for (int i = 0; i < out->send_count && i < ENGINE_REPORTS_MAX; i++) {
            const struct order *o = &out->orders[out->sends[i]];
            struct venue_report *r = &in->reports[in->report_count++];
            memset(r, 0, sizeof(*r));
            memcpy(r->client_id, o->client_id, sizeof(r->client_id));
            r->state = ORDER_FILLED;
            r->filled_qty = o->qty;
            r->fill_count = 1;
            r->fills[0] = (struct fill){.venue_fill_id = fill_id++,
                                        .symbol = o->symbol,
                                        .kind = o->kind,
                                        .side = o->side,
                                        .qty = o->qty,
                                        .price = o->reference_price};
            memcpy(r->fills[0].client_id, o->client_id, sizeof(r->client_id));
        }
        if (out->list) {
            struct venue_report *r = &in->reports[in->report_count++];
            memset(r, 0, sizeof(*r));
            r->kind = VENUE_LISTING;
            r->complete = true;
            r->ask_id = out->list_id;
            int held;
            const struct position *p = engine_positions(engine, &held);
            for (int i = 0; i < held; i++) {
                r->holdings[r->holding_count++] =
                    (struct venue_holding){p[i].symbol, p[i].side, p[i].qty, p[i].entry_price};
            }
        }
        in->bar_count = source_take(&market.source, in->bars);
        now.market_us = (minute + 1) * USEC_PER_MIN;
        now.mono_us += USEC_PER_SEC;
        struct request request = {.id = minute + 1, .kind = REQUEST_CLOSE};
        in->request = minute % 500 == 499 ? &request : NULL;
        counting = true;
        engine_step(engine, &now, in, out);
        engine_snapshot(engine, &now, snapshot);
        counting = false;
        orders += out->send_count;
        assert_true(snapshot->books_balance);
    }
    assert_true(orders > 10);
    assert_int_equal(allocations, 0);
    free(in);
    free(out);
    free(snapshot);
    engine_free(engine);
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
        percentile_push(&p, 500); /* the old ones are gone */
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
    desk_settings(&settings);
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
        (void)engine_series_load(engine, bytes, size); /* any answer, no harm: ASan watches */
        bytes[i] = was;
    }
    engine_free(engine);
}

UNIT_GROUP(step, cmocka_unit_test(a_step_allocates_nothing),
           cmocka_unit_test(p99_of_known_durations), cmocka_unit_test(series_bytes_are_checked))
