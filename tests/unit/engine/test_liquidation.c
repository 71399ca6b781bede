/*
 * Risk while positions are open: the liquidation guard on scripted prices, the breaker on open
 * losses, and the state of both after a restart.
 */
#include "base/check.h"
#include "base/err.h"
#include "engine/engine_buffers.h"
#include "fakes/instant_venue.h"
#include "model/event.h"
#include "rigs/driver_rig.h"
#include "store/decision_table.h"
#include "store/trade_table.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- scripted prices */

/* An engine that holds 10 BTC-USD, bought at 100, and a venue that fills at once. */
struct watch {
    struct settings settings;
    struct engine *engine;
    struct engine_memory memory;
    struct engine_inputs in;
    struct engine_outputs out;
    struct snapshot *snapshot;
    int64_t fill_id;
    int64_t minute;
};

static struct watch *watch_new(enum side side, int64_t equity)
{
    struct watch *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    driver_rig_settings(&w->settings);
    w->settings.max_daily_loss_pct = 100;
    w->settings.max_drawdown_pct = 100;
    w->engine = engine_new(&w->settings, w->settings.symbols, 3);
    w->snapshot = snapshot_new(3);
    engine_inputs_init(&w->in, 3);
    engine_outputs_init(&w->out, 3);
    struct dec all = dec_from_int(equity);
    int64_t cost = side == SIDE_LONG ? 1000 : -1000;
    w->memory.state = (struct engine_state){.state = TRADING_ACTIVE,
                                            .initial_cash = all,
                                            .cash = dec_sub(all, dec_from_int(cost)),
                                            .equity_peak = all,
                                            .day_start_equity = all,
                                            .next_order = 1,
                                            .next_trade_id = 1,
                                            .next_decision_id = 1};
    w->memory.position_count = 1;
    w->memory.positions[0] = (struct position){.symbol = w->settings.symbols[0],
                                               .side = side,
                                               .qty = dec_from_int(10),
                                               .entry_price = dec_from_int(100),
                                               .mark_price = dec_from_int(100),
                                               .client_id = "nd-1-0"};
    engine_restore(w->engine, &w->memory);
    w->fill_id = 1;
    return w;
}

static void watch_free(struct watch *w)
{
    engine_free(w->engine);
    free(w->snapshot);
    engine_inputs_release(&w->in);
    engine_outputs_release(&w->out);
    free(w);
}

/* Steps one bar, with the reports in the inputs. */
static void watch_bar(struct watch *w, double price)
{
    struct dec p = dec_from_double(price);
    w->in.bar_count = 1;
    w->in.bars[0] = (struct source_bar){
        .symbol = w->settings.symbols[0],
        .candle = {
            .open_us = w->minute * USEC_PER_MIN, .open = p, .high = p, .low = p, .close = p}};
    w->minute++;
    struct engine_now now = {.market_us = w->minute * USEC_PER_MIN,
                             .mono_us = w->minute * USEC_PER_SEC};
    engine_step(w->engine, &now, &w->in, &w->out);
    w->in.request = NULL;
    engine_snapshot(w->engine, &now, w->snapshot);
    assert_true(w->snapshot->books_balance);
}

static void watch_minute(struct watch *w, double price)
{
    instant_venue_answer(w->engine, &w->out, &w->in, &w->fill_id);
    watch_bar(w, price);
}

static int faults(const struct watch *w, enum err_id id)
{
    int count = 0;
    for (int i = 0; i < w->out.event_count; i++) {
        count += w->out.events[i].topic == TOPIC_FAULT && w->out.events[i].code == (uint32_t)id;
    }
    return count;
}

/* The quantity of the one close order of the last step; zero: there is none. */
static struct dec closes(const struct watch *w)
{
    struct dec qty = DEC_ZERO;
    for (int i = 0; i < w->out.send_count; i++) {
        const struct order *o = &w->out.orders[w->out.sends[i]];
        assert_int_equal(o->kind, ORDER_CLOSE);
        assert_int_equal(o->decision_id, 0);
        assert_string_equal(o->reason, "liquidation near");
        assert_int_equal(qty.e8, 0);
        qty = o->qty;
    }
    return qty;
}

static void a_fall_warns_then_halves_then_halves_again(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_LONG, 150);
    watch_minute(w, 100); /* (150 - 5) / 995 = 14.57 % */
    assert_true(w->snapshot->liquidation_distance_pct > 14.5 &&
                w->snapshot->liquidation_distance_pct < 14.6);
    assert_true(w->snapshot->leverage > 6.66 && w->snapshot->leverage < 6.67);
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_NEAR), 0);
    watch_minute(w, 94.9); /* 9.98 % */
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_NEAR), 1);
    assert_int_equal(closes(w).e8, 0);
    watch_minute(w, 90); /* 5.08 % */
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_NEAR), 1);
    assert_int_equal(closes(w).e8, 0);
    watch_minute(w, 89.9); /* 4.98 % */
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_CUT), 1);
    assert_int_equal(closes(w).e8, 5 * DEC_ONE);
    watch_minute(w, 89.9); /* filled: 10.5 %, still within the hysteresis */
    assert_int_equal(w->snapshot->positions[0].qty.e8, 5 * DEC_ONE);
    assert_int_equal(closes(w).e8, 0);
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_NEAR), 1);
    watch_minute(w, 92); /* 12.6 %: above the hysteresis */
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_NEAR), 0);
    watch_minute(w, 84.7); /* 4.95 %: below the line again */
    assert_int_equal(closes(w).e8, 5 * DEC_ONE / 2);
    watch_minute(w, 84.7);
    assert_int_equal(closes(w).e8, 0);
    watch_free(w);
}

/* What is closed is a multiple of the venue's step, and no order that it finds too small. */
static void half_is_rounded_to_the_step(void **state)
{
    (void)state;
    static const struct {
        int64_t step, min, closed;
    } cases[] = {{0, 0, 5}, {2, 0, 6}, {4, 0, 8}, {1, 5, 5}, {1, 6, 10}, {20, 0, 10}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct watch *w = watch_new(SIDE_LONG, 150);
        struct venue_report *r = &w->in.reports[w->in.report_count++];
        *r = (struct venue_report){.kind = VENUE_INSTRUMENT};
        r->instrument = (struct instrument){.symbol = w->settings.symbols[0],
                                            .step = dec_from_int(cases[i].step),
                                            .min_qty = dec_from_int(cases[i].min)};
        watch_bar(w, 100);
        watch_minute(w, 89.9);
        assert_int_equal(closes(w).e8, dec_from_int(cases[i].closed).e8);
        watch_free(w);
    }
}

/* Halves once per fall, not once per minute: a late or lost answer does not halve more. */
static void it_halves_once_per_fall(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_LONG, 150);
    watch_minute(w, 89.9);
    assert_int_equal(closes(w).e8, 5 * DEC_ONE);
    w->out.send_count = 0; /* lost on the way */
    for (int i = 0; i < 5; i++) {
        watch_minute(w, 89.9);
        assert_int_equal(closes(w).e8, 0);
    }
    assert_int_equal(w->snapshot->open_orders, 1);
    /* Closer: closes everything that is not being closed already. */
    watch_minute(w, 87.5); /* 2.4 % */
    assert_int_equal(closes(w).e8, 5 * DEC_ONE);
    watch_free(w);
}

static void a_gap_closes_at_once(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_LONG, 150);
    watch_minute(w, 100);
    watch_minute(w, 87.5);
    assert_int_equal(closes(w).e8, 10 * DEC_ONE);
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_CUT), 1);
    watch_minute(w, 87.5);
    assert_int_equal(w->snapshot->position_count, 0);
    assert_int_equal(w->out.trade_count, 1);
    assert_string_equal(w->out.trades[0].exit_reason, "liquidation near");
    assert_true(w->snapshot->equity.e8 > 0);
    assert_true(w->snapshot->liquidation_distance_pct == 0);
    watch_minute(w, 87.5);
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_NEAR), 0);
    watch_free(w);
}

static void a_short_is_guarded_too(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_SHORT, 150);
    watch_minute(w, 100); /* 145 / 1,005 = 14.4 % */
    assert_int_equal(faults(w, ERR_RISK_LIQUIDATION_NEAR), 0);
    watch_minute(w, 109); /* (60 - 5.45) / 1,095.45 = 4.98 % */
    assert_int_equal(closes(w).e8, 5 * DEC_ONE);
    watch_free(w);
}

/* Positions are guarded while trading is paused, in maintenance or tripped. */
static void it_guards_in_every_state(void **state)
{
    (void)state;
    static const enum trading_state states[] = {TRADING_PAUSED, TRADING_MAINTENANCE,
                                                TRADING_BREAKER};
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct watch *w = watch_new(SIDE_LONG, 150);
        w->memory.state.state = states[i];
        engine_restore(w->engine, &w->memory);
        watch_minute(w, 87.5);
        assert_int_equal(closes(w).e8, 10 * DEC_ONE);
        assert_int_equal(w->snapshot->risk_state, RISK_REDUCING);
        watch_free(w);
    }
}

/* A refused close is made again after the next listing; the quantity to close stays the same
 * wherever the price moves. */
static void a_refused_close_is_made_again(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_LONG, 150);
    watch_minute(w, 100);
    watch_minute(w, 87.5);
    assert_int_equal(closes(w).e8, 10 * DEC_ONE);
    struct order refused = w->out.orders[w->out.sends[0]];
    w->out.send_count = 0;
    bool again = false;
    for (int i = 0; i < 8 && !again; i++) {
        instant_venue_answer(w->engine, &w->out, &w->in, &w->fill_id);
        if (i == 0) {
            struct venue_report *r = &w->in.reports[w->in.report_count++];
            *r = (struct venue_report){.kind = VENUE_ORDER, .state = ORDER_REJECTED};
            memcpy(r->client_id, refused.client_id, sizeof(r->client_id));
        }
        watch_bar(w, 100);
        assert_true(i > 0 || w->out.send_count == 0); /* a listing comes first */
        again = w->out.send_count > 0;
    }
    assert_true(again);
    assert_int_equal(closes(w).e8, 10 * DEC_ONE);
    watch_free(w);
}

/* ---------------------------------------------------------------- requests */

static int watch_ask(struct watch *w, enum request_kind kind)
{
    struct request request = {.id = w->minute + 1, .kind = kind, .by = "alice"};
    w->in.request = &request;
    watch_minute(w, 100);
    return w->out.request_err;
}

static void requests_change_the_state(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_LONG, 10000);
    watch_minute(w, 100);
    assert_int_equal(watch_ask(w, REQUEST_RESUME), ERR_ENGINE_NOT_PAUSED);
    assert_int_equal(watch_ask(w, REQUEST_MAINTENANCE), ERR_NONE);
    assert_string_equal(w->snapshot->state_reason, "maintenance by alice");
    int64_t since_us = w->snapshot->state_since_us;
    assert_int_equal(watch_ask(w, REQUEST_MAINTENANCE), ERR_NONE); /* already in this state */
    assert_int_equal(w->snapshot->state, TRADING_MAINTENANCE);
    assert_int_equal(w->snapshot->risk_state, RISK_REDUCING);
    assert_int_equal(w->snapshot->state_since_us, since_us);
    assert_int_equal(watch_ask(w, REQUEST_RESUME), ERR_NONE);
    assert_int_equal(w->snapshot->risk_state, RISK_ACTIVE);
    assert_int_equal(watch_ask(w, REQUEST_PAUSE), ERR_NONE);
    assert_int_equal(watch_ask(w, REQUEST_PAUSE), ERR_NONE);
    assert_string_equal(w->snapshot->state_reason, "paused by alice");
    assert_int_equal(watch_ask(w, REQUEST_CANCEL), ERR_ENGINE_NO_ENTRY);
    assert_int_equal(watch_ask(w, REQUEST_CLEAR_EMERGENCY), ERR_ENGINE_NOT_STOPPED);
    assert_int_equal(watch_ask(w, REQUEST_EMERGENCY_STOP), ERR_NONE);
    assert_int_equal(w->snapshot->risk_state, RISK_HALTED);
    assert_int_equal(watch_ask(w, REQUEST_MAINTENANCE), ERR_ENGINE_STOPPED);
    assert_int_equal(watch_ask(w, REQUEST_PAUSE), ERR_ENGINE_STOPPED);
    assert_int_equal(watch_ask(w, REQUEST_AMEND), ERR_ENGINE_STOPPED);
    assert_int_equal(watch_ask(w, REQUEST_EMERGENCY_STOP), ERR_NONE);
    watch_free(w);
}

/* A stop is not cleared before the venue has listed nothing. */
static void a_stop_that_is_not_flat_is_not_cleared(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_LONG, 10000);
    watch_minute(w, 100);
    assert_int_equal(watch_ask(w, REQUEST_EMERGENCY_STOP), ERR_NONE);
    assert_int_equal(watch_ask(w, REQUEST_CLEAR_EMERGENCY), ERR_ENGINE_NOT_FLAT);
    for (int i = 0; i < 30 && !w->snapshot->verified_flat; i++) {
        watch_minute(w, 100);
    }
    assert_int_equal(w->snapshot->position_count, 0);
    assert_int_equal(watch_ask(w, REQUEST_CLEAR_EMERGENCY), ERR_NONE);
    assert_int_equal(w->snapshot->state, TRADING_PAUSED);
    watch_free(w);
}

/* ---------------------------------------------------------------- the breaker */

/* Measured on current equity with open losses, not on realised losses. */
static void an_open_loss_trips_the_breaker(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_LONG, 1000);
    w->settings.max_drawdown_pct = 15;
    w->in.settings = &w->settings;
    watch_minute(w, 100); /* the venue is asked, and agrees */
    watch_minute(w, 110); /* an unrealised peak of 1,100 */
    assert_int_equal(w->snapshot->state, TRADING_ACTIVE);
    watch_minute(w, 94); /* 940: 14.5 % below it */
    assert_int_equal(w->snapshot->state, TRADING_ACTIVE);
    assert_int_equal(w->snapshot->risk_state, RISK_ACTIVE);
    watch_minute(w, 93); /* 15.5 % */
    assert_int_equal(w->snapshot->state, TRADING_BREAKER);
    assert_int_equal(w->snapshot->risk_state, RISK_REDUCING);
    assert_string_equal(w->snapshot->state_reason, "drawdown 15.45 % of 15.00 %");
    assert_int_equal(w->snapshot->trades, 0);

    /* As after kill -9: tripped, with its reason, until a person resumes. */
    w->memory.state = *engine_state(w->engine);
    int count;
    const struct position *positions = engine_positions(w->engine, &count);
    memcpy(w->memory.positions, positions, (size_t)count * sizeof(*positions));
    engine_free(w->engine);
    w->engine = engine_new(&w->settings, w->settings.symbols, 3);
    engine_restore(w->engine, &w->memory);
    engine_outputs_release(&w->out);
    engine_outputs_init(&w->out, 3);
    for (int i = 0; i < 3; i++) {
        watch_minute(w, 100); /* also when the price recovers */
    }
    assert_int_equal(w->snapshot->state, TRADING_BREAKER);
    assert_string_equal(w->snapshot->state_reason, "drawdown 15.45 % of 15.00 %");
    watch_minute(w, 93);
    struct request resume = {.id = 1, .kind = REQUEST_RESUME, .by = "alice"};
    w->in.request = &resume;
    watch_minute(w, 93);
    assert_int_equal(w->out.request_err, ERR_NONE);
    assert_int_equal(w->snapshot->state, TRADING_ACTIVE);
    assert_true(w->snapshot->drawdown_pct < 0.001); /* a deliberate reset of the baseline */
    watch_minute(w, 92);
    assert_int_equal(w->snapshot->state, TRADING_ACTIVE);
    watch_minute(w, 79); /* 790 of 930 */
    assert_int_equal(w->snapshot->state, TRADING_BREAKER);
    watch_free(w);
}

static void a_daily_loss_trips_the_breaker(void **state)
{
    (void)state;
    struct watch *w = watch_new(SIDE_LONG, 1000);
    w->settings.max_daily_loss_pct = 5;
    w->in.settings = &w->settings;
    watch_minute(w, 100);
    watch_minute(w, 96);
    assert_int_equal(w->snapshot->state, TRADING_ACTIVE);
    watch_minute(w, 95);
    assert_int_equal(w->snapshot->state, TRADING_BREAKER);
    assert_string_equal(w->snapshot->state_reason, "daily loss 5.00 % of 5.00 %");
    watch_free(w);
}

/* ---------------------------------------------------------------- with the paper venue */

/* The largest positions that risk allows, and stops too far away to help. */
static void reckless(struct settings *s)
{
    driver_rig_settings(s);
    s->risk_per_trade_pct = 10000;
    s->max_position_pct = 2000;
    s->max_exposure_pct = 2000;
    s->max_leverage = 125;
    s->stop_pct = 50;
    s->target_pct = 90;
    s->max_daily_loss_pct = 100;
    s->max_drawdown_pct = 100;
    s->max_consecutive_losses = 100;
    s->max_correlation = 1;
    driver_rig_venue.paper.depth = DEC_ZERO;
    for (int t = 0; t < TIERS; t++) {
        s->tiers[t].max_position_pct = 2000;
        s->tiers[t].max_exposure_pct = 2000;
    }
}

/* Days at the limits: positions are reduced before the venue would liquidate, and the books
 * balance. */
static void reckless_positions_are_reduced_in_time(void **state)
{
    (void)state;
    struct settings settings;
    reckless(&settings);
    struct driver_rig rig;
    driver_rig_open(&rig, &settings);
    for (int i = 0; i < 3 * 1440; i++) {
        driver_rig_run(&rig, 1);
        const struct snapshot *s = driver_rig_snapshot(&rig);
        assert_true(s->books_balance);
        assert_true(s->position_count == 0 || s->liquidation_distance_pct > 0);
    }
    struct trade trades[64];
    struct err err = {0};
    int count = trade_table_list(rig.store, &(struct trade_query){0}, trades, 64, &err);
    int cut = 0;
    for (int i = 0; i < count; i++) {
        cut += strcmp(trades[i].exit_reason, "liquidation near") == 0;
    }
    assert_true(cut >= 2); /* in part, and in more than one fall */
    driver_rig_close(&rig);
}

static void the_entry_rate_survives_a_restart(void **state)
{
    (void)state;
    struct settings settings;
    driver_rig_settings(&settings);
    settings.max_orders_per_minute = 1;
    settings.max_correlation = 1;
    struct driver_rig rig;
    driver_rig_open(&rig, &settings);
    for (int i = 0; i < 3000 && driver_rig_snapshot(&rig)->risk.orders_lately == 0; i++) {
        driver_rig_run(&rig, 1);
    }
    assert_int_equal(driver_rig_snapshot(&rig)->risk.orders_lately, 1);
    driver_rig_restart(&rig);
    assert_int_equal(driver_rig_snapshot(&rig)->risk.orders_lately, 1);
    driver_rig_run(&rig, 2);
    assert_int_equal(driver_rig_snapshot(&rig)->risk.orders_lately, 0);

    /* Two symbols want to enter at once: the second waits. */
    bool found = false;
    for (int i = 0; i < 6000 && !found; i++) {
        struct decision d[4];
        struct err err = {0};
        struct decision_query query = {.skip_holds = true};
        driver_rig_run(&rig, 1);
        assert_true(driver_rig_snapshot(&rig)->risk.orders_lately <= 1);
        int count = decision_table_list(rig.store, &query, d, 4, &err);
        for (int j = 0; j < count; j++) {
            found = found || strcmp(d[j].veto_code, "RISK_ORDER_RATE") == 0;
        }
    }
    assert_true(found);
    driver_rig_close(&rig);
}

static void a_cooldown_is_shown_and_survives_a_restart(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run_until_open(&rig);
    struct symbol symbol = driver_rig_snapshot(&rig)->positions[0].symbol;
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLOSE, symbol.name), ERR_NONE);
    driver_rig_round(&rig, USEC_PER_MSEC);
    int64_t until_us = 0;
    for (int restarts = 0; restarts < 2; restarts++) {
        const struct snapshot *s = driver_rig_snapshot(&rig);
        for (int i = 0; i < s->risk.symbol_count; i++) {
            if (symbol_equal(s->risk.symbols[i].symbol, symbol)) {
                assert_true(s->risk.symbols[i].cooldown_until_us > s->market_us);
                assert_true(restarts == 0 || s->risk.symbols[i].cooldown_until_us == until_us);
                until_us = s->risk.symbols[i].cooldown_until_us;
            }
        }
        assert_true(until_us > 0);
        driver_rig_restart(&rig);
    }
    driver_rig_run(&rig, 31);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    for (int i = 0; i < s->risk.symbol_count; i++) {
        assert_true(!symbol_equal(s->risk.symbols[i].symbol, symbol) ||
                    s->risk.symbols[i].cooldown_until_us != until_us);
    }
    driver_rig_close(&rig);
}

UNIT_GROUP(liquidation_guard, cmocka_unit_test(half_is_rounded_to_the_step),
           cmocka_unit_test(a_fall_warns_then_halves_then_halves_again),
           cmocka_unit_test(it_halves_once_per_fall), cmocka_unit_test(a_gap_closes_at_once),
           cmocka_unit_test(a_short_is_guarded_too), cmocka_unit_test(it_guards_in_every_state),
           cmocka_unit_test(a_refused_close_is_made_again),
           cmocka_unit_test(requests_change_the_state),
           cmocka_unit_test(a_stop_that_is_not_flat_is_not_cleared),
           cmocka_unit_test(an_open_loss_trips_the_breaker),
           cmocka_unit_test(a_daily_loss_trips_the_breaker),
           cmocka_unit_test(reckless_positions_are_reduced_in_time),
           cmocka_unit_test(the_entry_rate_survives_a_restart),
           cmocka_unit_test(a_cooldown_is_shown_and_survives_a_restart))
