/*
 * The account that risk checks against: where positions, entries under way and foreign positions
 * count.
 */
#include "../../../src/engine/engine_private.h"
#include "rigs/driver_rig.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

static const struct symbol btc = {"BTC-USD"};
static const struct symbol eth = {"ETH-USD"};
static const struct symbol sol = {"SOL-USD"};

/* 100 of BTC-USD held long at 10; an entry of ETH-USD, 50 at 20, of which 10 are filled. */
static struct engine *engine_with(struct engine_memory *memory, int64_t cash)
{
    struct settings settings;
    driver_rig_settings(&settings);
    settings.tiers[0].symbol_count = 1;
    settings.tiers[0].symbols[0] = btc;
    settings.tiers[1].symbol_count = 1;
    settings.tiers[1].symbols[0] = eth;
    memset(memory, 0, sizeof(*memory));
    memory->state.state = TRADING_ACTIVE;
    memory->state.initial_cash = dec_from_int(cash);
    memory->state.cash = dec_from_int(cash - 1000 - 200);
    memory->position_count = 2;
    memory->positions[0] = (struct position){.symbol = btc,
                                             .qty = dec_from_int(100),
                                             .entry_price = dec_from_int(10),
                                             .mark_price = dec_from_int(10),
                                             .client_id = "nd-1-1"};
    memory->positions[1] = (struct position){.symbol = eth,
                                             .qty = dec_from_int(10),
                                             .entry_price = dec_from_int(20),
                                             .mark_price = dec_from_int(20),
                                             .client_id = "nd-1-2"};
    memory->order_count = 1;
    memory->orders[0] = (struct order){.client_id = "nd-1-2",
                                       .symbol = eth,
                                       .kind = ORDER_ENTRY,
                                       .state = ORDER_PARTIAL,
                                       .qty = dec_from_int(50),
                                       .filled_qty = dec_from_int(10),
                                       .reference_price = dec_from_int(20)};
    memory->entry_count = 1;
    memory->entries_us[0] = 5 * USEC_PER_MIN;
    struct engine *engine = engine_new(&settings, (struct symbol[]){btc, eth, sol}, 3);
    engine_restore(engine, memory);
    return engine;
}

static void entries_under_way_count_as_filled(void **state)
{
    (void)state;
    struct engine_memory *memory = calloc(1, sizeof(*memory));
    struct engine *engine = engine_with(memory, 10000);
    struct risk_account a;
    engine->market_us = 5 * USEC_PER_MIN + 59 * USEC_PER_SEC;
    engine_account_fill(engine, sol, SIDE_LONG, &a);
    assert_int_equal(a.exposure.e8, dec_from_int(2000).e8);
    assert_int_equal(a.tier, 2);
    assert_int_equal(a.tier_exposure.e8, 0);
    assert_int_equal(a.symbol_exposure.e8, 0);
    assert_int_equal(a.long_notional.e8, dec_from_int(1000).e8);
    assert_int_equal(a.short_notional.e8, 0);
    assert_int_equal(a.equity.e8, dec_from_int(10000).e8);
    assert_int_equal(a.positions_open, 2); /* a partly filled order counts once */
    assert_int_equal(a.orders_lately, 1);
    assert_int_equal(a.state, TRADING_STARTING);
    assert_false(a.symbol_busy || a.foreign || a.halted || a.price_suspect);

    engine_account_fill(engine, eth, SIDE_LONG, &a);
    assert_int_equal(a.tier, 1);
    assert_int_equal(a.tier_exposure.e8, dec_from_int(1000).e8);
    assert_int_equal(a.symbol_exposure.e8, dec_from_int(1000).e8);
    assert_true(a.symbol_busy); /* an order */
    engine_account_fill(engine, btc, SIDE_LONG, &a);
    assert_true(a.symbol_busy); /* a position */
    engine->market_us = 6 * USEC_PER_MIN;
    engine_account_fill(engine, btc, SIDE_LONG, &a);
    assert_int_equal(a.orders_lately, 0);
    engine_free(engine);
    free(memory);
}

static void entries_under_way_count_at_the_current_price(void **state)
{
    (void)state;
    struct engine_memory *memory = calloc(1, sizeof(*memory));
    struct engine *engine = engine_with(memory, 10000);
    struct risk_account a;
    engine->series[1].price = dec_from_int(25);
    engine_account_fill(engine, sol, SIDE_LONG, &a);
    assert_int_equal(a.exposure.e8, dec_from_int(1000 + 200 + 40 * 25).e8);
    engine->series[1].price = dec_from_int(15); /* it may still fill at its decision price */
    engine_account_fill(engine, sol, SIDE_LONG, &a);
    assert_int_equal(a.exposure.e8, dec_from_int(1000 + 200 + 40 * 20).e8);
    engine_free(engine);
    free(memory);
}

static void foreign_positions_count_too(void **state)
{
    (void)state;
    struct engine_memory *memory = calloc(1, sizeof(*memory));
    struct snapshot *s = snapshot_new(3);
    struct engine *engine = engine_with(memory, 10000);
    struct risk_account a;
    engine->exposure.foreign_count = 1;
    engine->exposure.foreign[0] =
        (struct snapshot_foreign){sol, SIDE_SHORT, dec_from_int(7), dec_from_int(100)};
    engine_account_fill(engine, sol, SIDE_LONG, &a);
    assert_true(a.foreign);
    assert_int_equal(a.symbol_exposure.e8, dec_from_int(700).e8);
    assert_int_equal(a.short_notional.e8, dec_from_int(700).e8);
    assert_int_equal(a.exposure.e8, dec_from_int(2700).e8);
    engine_account_fill(engine, btc, SIDE_LONG, &a);
    assert_false(a.foreign);
    engine->series[2].price = dec_from_int(200); /* its own price, once known */
    engine_account_fill(engine, sol, SIDE_LONG, &a);
    assert_int_equal(a.symbol_exposure.e8, dec_from_int(1400).e8);
    assert_int_equal(engine_account_held(engine).e8, dec_from_int(1000 + 200 + 1400).e8);

    struct engine_now now = {.market_us = USEC_PER_HOUR};
    engine->state.cooldown_count = 1;
    engine->state.cooldowns[0] = (struct engine_cooldown){btc, USEC_PER_HOUR};
    engine_snapshot(engine, &now, s);
    assert_int_equal(s->foreign_count, 1);
    assert_true(s->risk.exposure_pct == 34);
    assert_true(s->risk.tiers[0].exposure_pct == 10);
    assert_true(s->risk.tiers[1].exposure_pct == 10);
    assert_true(s->risk.tiers[2].exposure_pct == 14);
    assert_true(s->risk.symbols[1].exposure_pct == 10 && s->risk.symbols[1].tier == 1);
    assert_true(s->leverage == 0.26);
    assert_true(s->risk.symbols[0].liquidation_distance_pct > s->liquidation_distance_pct - 1e-9);
    assert_true(s->risk.symbols[2].liquidation_distance_pct == 0);
    assert_int_equal(s->risk_state, RISK_REDUCING);
    engine->books_balance = false;
    engine_snapshot(engine, &now, s);
    assert_int_equal(s->risk_state, RISK_HALTED);
    engine_account_fill(engine, btc, SIDE_LONG, &a);
    assert_true(a.halted);
    engine_free(engine);
    free(s);
    free(memory);
}

static void the_correlation_changes_sign_with_the_side(void **state)
{
    (void)state;
    struct engine_memory *memory = calloc(1, sizeof(*memory));
    struct snapshot *s = snapshot_new(3);
    struct engine *engine = engine_with(memory, 10000);
    struct risk_account a;
    engine_account_fill(engine, sol, SIDE_LONG, &a);
    assert_true(a.correlation == 0 && a.correlated_with.name[0] == '\0'); /* unknown so far */
    for (int hour = 0; hour < RETURNS_WINDOW; hour++) {
        int wave = hour % 2 == 0 ? 100 : 110;
        int other = hour % 3 == 0 ? 50 : 51;
        returns_push(&engine->returns, sol, hour, dec_from_int(wave));
        returns_push(&engine->returns, btc, hour, dec_from_int(10 * wave)); /* moves like sol */
        returns_push(&engine->returns, eth, hour, dec_from_int(other));     /* hardly correlated */
    }
    engine_account_fill(engine, sol, SIDE_LONG, &a);
    assert_true(a.correlation > 0.99);
    assert_string_equal(a.correlated_with.name, "BTC-USD");
    engine_account_fill(engine, sol, SIDE_SHORT, &a); /* short against long: a hedge */
    assert_true(a.correlation < 0.5);
    assert_string_equal(a.correlated_with.name, "ETH-USD");

    struct engine_now now = {.market_us = USEC_PER_HOUR};
    engine_snapshot(engine, &now, s);
    assert_true(s->risk.correlation < 0.5);
    engine->positions[1].symbol = sol;
    engine_snapshot(engine, &now, s);
    assert_true(s->risk.correlation > 0.99);
    engine->positions[1].side = SIDE_SHORT;
    engine_snapshot(engine, &now, s);
    assert_true(s->risk.correlation == 0);
    engine_free(engine);
    free(s);
    free(memory);
}

/* Slots reserved for closing are never used for an entry. */
static void a_full_order_table_blocks_entries(void **state)
{
    (void)state;
    struct engine_memory *memory = calloc(1, sizeof(*memory));
    struct settings settings;
    struct risk_account a;
    driver_rig_settings(&settings);
    memory->order_count = capacity_orders(3) - capacity_positions(3);
    for (int i = 0; i < memory->order_count; i++) {
        memory->orders[i] = (struct order){.symbol = eth, .kind = ORDER_CLOSE};
        (void)snprintf(memory->orders[i].client_id, CLIENT_ID_SIZE, "nd-1-%d", i);
    }
    struct engine *engine = engine_new(&settings, settings.symbols, 3);
    engine_restore(engine, memory);
    engine_account_fill(engine, btc, SIDE_LONG, &a);
    assert_true(a.halted);
    engine_free(engine);
    free(memory);
}

/* While the venue is asked after a restart, the snapshot already shows the state that follows. */
static void a_start_shows_the_state_that_follows(void **state)
{
    (void)state;
    static const struct {
        enum trading_state stood;
        const char *says;
    } cases[] = {{TRADING_ACTIVE, "asking the venue"},
                 {TRADING_PAUSED, "asking the venue, then paused"},
                 {TRADING_BREAKER, "asking the venue, then breaker"},
                 {TRADING_MAINTENANCE, "asking the venue, then maintenance"}};
    struct snapshot *snapshot = snapshot_new(3);
    struct settings settings;
    driver_rig_settings(&settings);
    struct engine_memory *memory = calloc(1, sizeof(*memory));
    assert_non_null(memory);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memory->state.state = cases[i].stood;
        struct engine *engine = engine_new(&settings, (struct symbol[]){btc, eth, sol}, 3);
        engine_restore(engine, memory);
        engine_snapshot(engine, &(struct engine_now){0}, snapshot);
        assert_int_equal(snapshot->state, TRADING_STARTING);
        assert_string_equal(snapshot->state_reason, cases[i].says);
        engine_free(engine);
    }
    free(snapshot);
    free(memory);
}

UNIT_GROUP(account, cmocka_unit_test(entries_under_way_count_as_filled),
           cmocka_unit_test(entries_under_way_count_at_the_current_price),
           cmocka_unit_test(foreign_positions_count_too),
           cmocka_unit_test(the_correlation_changes_sign_with_the_side),
           cmocka_unit_test(a_full_order_table_blocks_entries),
           cmocka_unit_test(a_start_shows_the_state_that_follows))
