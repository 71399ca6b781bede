/*
 * The journal with a disk that fails at the n-th call, for every n: all or nothing.
 */
#include "../../../src/engine/journal.h"
#include "../../../src/store/row.h"
#include "base/check.h"
#include "engine/engine_buffers.h"
#include "rigs/driver_rig.h"
#include "store/decision_table.h"
#include "store/fill_table.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct faulty {
    int left; /* calls until one fails; < 0: none fails */
    bool hit;
};

static int fail_nth(const char *what, void *userdata)
{
    (void)what;
    struct faulty *f = userdata;
    if (f->left < 0 || f->left-- > 0) {
        return 0;
    }
    f->hit = true;
    return -ERR_DB_FAILED;
}

static struct engine_memory *load(struct driver_rig *rig)
{
    struct engine_memory *memory = calloc(1, sizeof(*memory));
    struct err err = {0};
    ASSERT(memory != NULL);
    assert_int_equal(journal_load(rig->store, memory, &err), 0);
    return memory;
}

static void move_table(struct driver_rig *rig, const char *from, const char *to)
{
    char sql[128];
    struct err err = {0};
    (void)snprintf(sql, sizeof(sql), "ALTER TABLE %s RENAME TO %s", from, to);
    struct db_rows *rows = NULL;
    assert_int_equal(db_query(rig->store->db, sql, DB_NO_VALUES, &rows, &err), 0);
    assert_int_equal(db_next(rows, &err), 0);
    db_rows_free(rows);
}

static void count_call(void *userdata)
{
    (*(int *)userdata)++;
}

/* A table that cannot be read: no start from partial data. */
static void a_failed_read_fails_the_start(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    struct engine_memory *whole = load(&rig);
    struct engine_memory *memory = calloc(1, sizeof(*memory));
    struct engine *engine = engine_new(&rig.settings, rig.settings.symbols, 3);
    ASSERT(memory != NULL);
    assert_true(whole->position_count > 0 && whole->order_count > 0);
    assert_true(whole->booked_count > 0);
    static const char *const tables[] = {"engine_state",  "cooldowns",    "positions", "orders",
                                         "trading_rules", "rule_shadows", "fills"};
    struct err err = {0};
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        move_table(&rig, tables[i], "away");
        assert_true(journal_load(rig.store, memory, &err) < 0);
        move_table(&rig, "away", tables[i]);
    }
    int calls = 0;
    static const char *const markets[] = {"blobs", "candles"};
    for (size_t i = 0; i < COUNT_OF(markets); i++) {
        move_table(&rig, markets[i], "away");
        assert_true(journal_load_market(rig.store, engine, &rig.market->source,
                                        rig.settings.symbols, 3, count_call, &calls, &err) < 0);
        move_table(&rig, "away", markets[i]);
    }
    assert_int_equal(journal_load(rig.store, memory, &err), 0);
    assert_int_equal(memory->state.cash.e8, whole->state.cash.e8);
    assert_int_equal(memory->order_count, whole->order_count);
    assert_int_equal(journal_load_market(rig.store, engine, &rig.market->source,
                                         rig.settings.symbols, 3, count_call, &calls, &err),
                     0);
    assert_int_equal(calls, 3);
    assert_true(engine_price(engine, rig.settings.symbols[0]).e8 > 0);
    engine_free(engine);
    free(memory);
    free(whole);
    driver_rig_close(&rig);
}

/* Writes everything that a step can output, repeatedly, until no write fails. */
static void a_failed_write_changes_nothing(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    struct engine_memory *whole = load(&rig);
    struct engine *engine = engine_new(&rig.settings, rig.settings.symbols, 3);
    engine_restore(engine, whole);
    struct engine_outputs *out = calloc(1, sizeof(*out));
    engine_outputs_init(out, 3);
    ASSERT(out != NULL);
    out->write = true;
    out->market_moved = true;
    out->positions_changed = true;
    out->rules_changed = true;
    out->orders[out->order_count++] = whole->orders[0];
    struct fill f = {.venue_fill_id = "1000", .symbol = rig.settings.symbols[0]};
    memcpy(f.client_id, whole->orders[0].client_id, sizeof(f.client_id));
    out->fills[out->fill_count++] = f;
    out->payments[out->payment_count++] =
        (struct funding){1, rig.settings.symbols[0], dec_from_int(1), 1, false};
    out->trades[out->trade_count++] = (struct trade){.id = 1000, .symbol = f.symbol};
    for (int i = 0; i < 2; i++) {
        out->decisions[out->decision_count++] = (struct decision){
            .id = 100000 + i, .symbol = f.symbol, .outcome = i == 0 ? OUTCOME_HOLD : OUTCOME_ORDER};
    }
    out->candles[out->candle_count++] = (struct source_bar){
        f.symbol,
        {0, dec_from_int(1), dec_from_int(1), dec_from_int(1), dec_from_int(1), dec_from_int(1)}};
    out->equity_point = true;
    out->has_request = true;
    out->request = (struct request){.id = 77};
    struct faulty faulty = {.left = -1};
    trading_store_set_fault(rig.store, fail_nth, &faulty);
    int64_t fills_before = engine_state(engine)->fills;
    int n = 0;
    for (faulty.hit = true; faulty.hit; n++) {
        assert_true(n < 200);
        faulty = (struct faulty){.left = n};
        struct err err = {0};
        int rc = journal_commit(rig.store, engine, &rig.market->source, out, &err);
        assert_int_equal(rc < 0, faulty.hit);
        bool hit = faulty.hit;
        faulty.left = -1;
        int64_t count = 0;
        struct dec fees;
        struct decision hold;
        assert_int_equal(fill_table_sum(rig.store, &count, &fees, &err), 0);
        assert_int_equal(count, fills_before + !hit);
        /* A hold decision is committed together with the order of its step, or not at all. */
        assert_int_equal(decision_table_get(rig.store, 100000, &hold, &err),
                         hit ? -ERR_STORE_NOT_FOUND : 0);
        faulty.hit = hit;
    }
    assert_true(n > 13);
    /* The same fill again: a step that booked it twice must not be committed. */
    struct err err = {0};
    faulty.left = -1;
    assert_int_equal(journal_commit(rig.store, engine, &rig.market->source, out, &err),
                     -ERR_ENGINE_STRAY_FILL);
    trading_store_set_fault(rig.store, NULL, NULL);
    engine_outputs_release(out);
    free(out);
    engine_free(engine);
    free(whole);
    driver_rig_close(&rig);
}

UNIT_GROUP(journal, cmocka_unit_test(a_failed_read_fails_the_start),
           cmocka_unit_test(a_failed_write_changes_nothing))
