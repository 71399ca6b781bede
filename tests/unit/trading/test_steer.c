/* The actions that send requests to the engine and wait for their effect. */
#include "base/check.h"
#include "steer_rig.h"
#include "store/order_table.h"
#include "store/request_table.h"
#include "store/rule_table.h"

#include <string.h>

static void pause_waits_for_the_engine(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.alice, "/pause");
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_PAUSE);
    assert_string_equal(r.by, "alice");
    assert_true(r.id > 0);
    assert_int_equal(runner_rig_messages(&s->rig), 0);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "Trading is paused");
    assert_has(runner_rig_last(&s->rig), "1 open position keeps its stop and target");
    steer_rig_answer(s, &r, ERR_NONE); /* a repeated event has no effect */
    assert_int_equal(runner_rig_messages(&s->rig), 1);

    steer_rig_send(s, &s->rig.alice, "/resume");
    struct request again = steer_rig_next_request(s);
    assert_true(again.id > r.id);
    steer_rig_answer(s, &again, ERR_ENGINE_STOPPED);
    assert_has(runner_rig_last(&s->rig), "ENGINE_STOPPED");

    steer_rig_send(s, &s->rig.alice, "/resume");
    again = steer_rig_next_request(s);
    steer_rig_answer(s, &again, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "Trading resumed");
    steer_rig_send(s, &s->rig.alice, "/resume");
    again = steer_rig_next_request(s);
    struct snapshot *tripped = steer_rig_draft(s);
    tripped->state = TRADING_BREAKER;
    (void)str_copy(STR_LIT("daily loss 5.1 % of 5 %"), tripped->state_reason,
                   sizeof(tripped->state_reason));
    steer_rig_publish(s);
    steer_rig_answer(s, &again, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "the circuit breaker is tripped");
    assert_has(runner_rig_last(&s->rig),
               "Limits exceeded: daily loss 5.1 % of 5 %. Send /resume again");

    steer_rig_send(s, &s->rig.rita, "/pause");
    assert_has(runner_rig_last(&s->rig), "ACCESS_DENIED");
}

/* A command that pauses and resumes: a second one is refused, and a pause that somebody else gives
 * meanwhile is accepted and stays. */
static void a_command_lifts_only_its_own_pause(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/swap");
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_PAUSE);
    assert_int_equal(r.number, 1); /* the run */
    steer_rig_send(s, &s->rig.adam, "/swap");
    assert_has(runner_rig_last(&s->rig), "COMMAND_LOCKED");
    assert_has(runner_rig_last(&s->rig), "trading: run 1 of alice");
    steer_rig_send(s, &s->rig.adam, "/resume");
    assert_has(runner_rig_last(&s->rig), "COMMAND_LOCKED");
    assert_int_equal(s->raised, 0);

    steer_rig_send(s, &s->rig.adam, "/pause");
    struct request by_adam = steer_rig_next_request(s);
    assert_int_equal(by_adam.kind, REQUEST_PAUSE);
    assert_int_equal(by_adam.number, 0);
    steer_rig_answer(s, &r, ERR_NONE);
    steer_rig_answer(s, &by_adam, ERR_NONE);
    r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_RESUME);
    assert_int_equal(r.number, 1);
    struct snapshot *paused = steer_rig_draft(s);
    paused->state = TRADING_PAUSED;
    (void)str_copy(STR_LIT("paused by adam"), paused->state_reason, sizeof(paused->state_reason));
    steer_rig_publish(s);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "Trading stays as it is: paused by adam");
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_DONE);

    steer_rig_send(s, &s->rig.alice, "/resume"); /* a person lifts any pause */
    r = steer_rig_next_request(s);
    assert_int_equal(r.number, 0);
}

static void a_lost_event_is_looked_up(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/pause");
    struct request r = steer_rig_next_request(s);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, 1, NULL), 0);
    desk_resync(s->desk);
    loop_advance(s->rig.loop, 0);
    assert_has(runner_rig_last(&s->rig), "Trading is paused");
}

static void a_silent_engine_times_out(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/pause");
    struct request r = steer_rig_next_request(s);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "STEP_TIMEOUT");
    steer_rig_answer(s, &r, ERR_NONE); /* too late: the step has ended */
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_FAILED);
}

static void a_full_ring_is_busy(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    const struct request filler = {.id = 1};
    while (ring_push(s->shared.requests, &filler)) {}
    steer_rig_send(s, &s->rig.alice, "/pause");
    assert_has(runner_rig_last(&s->rig), "ENGINE_BUSY");
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    steer_rig_confirm(s, &s->rig.adam);
    assert_has(runner_rig_last(&s->rig), "ENGINE_BUSY");
    assert_true(shared_is_halted(&s->shared)); /* the kill switch does not use the ring */
    assert_int_equal(s->raised, 1);
}

static void close_asks_then_waits_until_the_venue_is_flat(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/close BTC-USD");
    assert_has(runner_rig_last(&s->rig), "ENGINE_NOTHING_OPEN");
    steer_rig_send(s, &s->rig.alice, "/close DOGE-USD");
    assert_has(runner_rig_last(&s->rig), "DOGE-USD is not one of all, BTC-USD");

    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.alice, "/close btc-usd");
    assert_has(runner_rig_last(&s->rig), "BTC-USD long 0.0031 @ 64,120.5"); /* the position */
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_CLOSE);
    assert_string_equal(r.symbol.name, "BTC-USD");
    steer_rig_answer(s, &r, ERR_NONE);
    steer_rig_publish_plain(s, 1);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1); /* accepted is not closed */
    steer_rig_add_trade(s, 1, "2.5", RIG_WALL_US + USEC_PER_DAY);
    steer_rig_publish_plain(s, 0);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1); /* the venue has not confirmed it yet */
    steer_rig_draft(s)->venue_agrees = true;
    steer_rig_publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 0);
    assert_has(runner_rig_last(&s->rig), "Closed: BTC-USD");
    assert_has(runner_rig_last(&s->rig), "The venue confirms that nothing of it is open.");
    assert_has(runner_rig_last(&s->rig), "+$2.50 (operator)");
    assert_int_equal(runner_rig_last_kind(&s->rig), OUTBOX_EDIT);
}

/* As people who come from freqtrade type it: /forceexit 12, /fx 12, /forceexit all. */
static void close_takes_the_number_of_a_position(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_add_trade(s, 12, "2.39", RIG_WALL_US);
    steer_rig_send(s, &s->rig.alice, "/forceexit 12");
    assert_has(runner_rig_last(&s->rig), "ENGINE_NOTHING_OPEN");
    assert_has(runner_rig_last(&s->rig), "trade 12 (BTC-USD) is closed, since 2026-11-18T11:06:40");
    assert_has(runner_rig_last(&s->rig), "no position has this number: 0 open");
    steer_rig_send(s, &s->rig.alice, "/forceexit 13");
    assert_has(runner_rig_last(&s->rig), "position 13: 0 open");

    steer_rig_publish_plain(s, 1);
    static const char *const refused[][2] = {
        {"/fx 0", "0 is not the number of a position: they begin with 1"},
        {"/fx 2", "position 2: 1 open"},
        {"/fx -1", "-1 is not one of all, BTC-USD"},
        {"/fx 1x", "1X is not one of all, BTC-USD"},
        {"/fx #1", "#1 is not a symbol, the number of a position, or all"},
        {"/fx 99999999999999999999", "is not"},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        steer_rig_send(s, &s->rig.alice, refused[i][0]);
        assert_has(runner_rig_last(&s->rig), refused[i][1]);
    }
    steer_rig_send(s, &s->rig.alice, "/forceexit all");
    assert_has(runner_rig_last(&s->rig), "Confirm: close all");
    steer_rig_send(s, &s->rig.alice, "/fx 1");
    assert_has(runner_rig_last(&s->rig), "Confirm: close BTC-USD"); /* what the number stands for */
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_CLOSE);
    assert_string_equal(r.symbol.name, "BTC-USD");
}

static void a_close_that_does_not_fill_fails(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.alice, "/close all");
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    assert_string_equal(r.symbol.name, "");
    steer_rig_answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, 21 * USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "CLOSE_UNFINISHED");
    assert_has(runner_rig_last(&s->rig), "BTC-USD long 0.0031");
}

/* A position that the bot did not open is shown and can be closed like any other. */
static void a_foreign_position_is_shown_and_closed(void **state)
{
    struct steer_rig *s = *state;
    struct snapshot *n = steer_rig_draft(s);
    n->venue_agrees = true;
    n->foreign_count = 1;
    n->foreign[0] = (struct snapshot_foreign){
        .side = SIDE_SHORT, .qty = dec_from_int(3), .entry_price = dec_from_int(150)};
    assert_true(symbol_parse(STR_LIT("SOL-USD"), &n->foreign[0].symbol));
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.alice, "/positions");
    assert_has(runner_rig_last(&s->rig), "SOL-USD short 3 @ 150.00, not opened by the bot");
    steer_rig_send(s, &s->rig.alice, "/close sol-usd");
    assert_has(runner_rig_last(&s->rig), "SOL-USD short 3 @ 150.00");
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    assert_string_equal(r.symbol.name, "SOL-USD");
    steer_rig_answer(s, &r, ERR_NONE);
    n = steer_rig_draft(s);
    n->venue_agrees = true;
    n->foreign_count = 1;
    n->foreign[0].qty = dec_from_int(3);
    assert_true(symbol_parse(STR_LIT("SOL-USD"), &n->foreign[0].symbol));
    steer_rig_publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1);
    steer_rig_draft(s)->venue_agrees = true;
    steer_rig_publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "Closed: SOL-USD");
}

static struct request send_emergency_stop(struct steer_rig *s)
{
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.adam, "/emergency_stop");
    assert_has(runner_rig_last(&s->rig), "all positions are closed (1 now)");
    assert_false(shared_is_halted(&s->shared));
    steer_rig_confirm(s, &s->rig.adam);
    assert_true(shared_is_halted(&s->shared));
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_EMERGENCY_STOP);
    return r;
}

static void an_emergency_stop_is_verified(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_emergency_stop(s);
    steer_rig_answer(s, &r, ERR_NONE);
    struct snapshot *n = steer_rig_draft(s);
    n->state = TRADING_EMERGENCY; /* flat in the books, not verified with the venue */
    steer_rig_publish(s);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1);
    n = steer_rig_draft(s);
    n->state = TRADING_EMERGENCY;
    n->verified_flat = true;
    steer_rig_publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "Emergency stop: verified flat");
    assert_int_equal(s->raised, 0);

    steer_rig_send(s, &s->rig.alice, "/emergency_stop");
    assert_has(runner_rig_last(&s->rig), "needs the emergency grant");
}

static void an_emergency_stop_that_is_not_flat_fails(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_emergency_stop(s);
    steer_rig_answer(s, &r, ERR_NONE);
    struct snapshot *n = steer_rig_draft(s);
    n->state = TRADING_EMERGENCY;
    steer_rig_add_position(n);
    steer_rig_publish(s);
    loop_advance(s->rig.loop, 50 * USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "EMERGENCY_NOT_FLAT");
    assert_has(runner_rig_last(&s->rig), "1 positions");
    assert_int_equal(s->raised, 1);
}

/* ---- stop and target, entries, maintenance ---- */

static void publish_bracket(struct steer_rig *s, const char *stop, const char *target)
{
    struct snapshot *n = steer_rig_draft(s);
    steer_rig_add_position(n);
    n->positions[0].stop = steer_rig_dec(stop);
    n->positions[0].target = steer_rig_dec(target);
    steer_rig_publish(s);
}

static void assert_no_request(struct steer_rig *s)
{
    struct request none;
    assert_false(ring_pop(s->shared.requests, &none));
}

static void amend_shows_the_change_and_waits_for_it(void **state)
{
    struct steer_rig *s = *state;
    publish_bracket(s, "62838.1", "66685.3");
    steer_rig_send(s, &s->rig.alice, "/amend btc-usd stop=63,500.5");
    assert_has(runner_rig_last(&s->rig), "BTC-USD long 0.0031 @ 64,120.5"); /* the position */
    assert_has(runner_rig_last(&s->rig), "Stop  62,838.1 → 63,500.5 (2.1 % below the price)");
    assert_has(runner_rig_last(&s->rig), "Target stays at 66,685.3");
    assert_no_request(s); /* no request before the confirmation */
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_AMEND);
    assert_string_equal(r.symbol.name, "BTC-USD");
    assert_string_equal(r.by, "alice");
    assert_int_equal(r.stop.e8, steer_rig_dec("63500.5").e8);
    assert_int_equal(r.target.e8, 0);
    steer_rig_answer(s, &r, ERR_NONE);
    publish_bracket(s, "62838.1", "66685.3");
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1); /* accepted is not confirmed by the venue */
    publish_bracket(s, "63500.5", "66685.3");
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 0);
    assert_has(runner_rig_last(&s->rig), "Stop and target of BTC-USD are set");
    assert_has(runner_rig_last(&s->rig), "SL 63,500.5  TP 66,685.3");
}

/* The prompt shows the absolute price, and that is what its confirmation sends, although the price
 * has moved since. */
static void a_price_in_percent_is_fixed_when_the_command_arrives(void **state)
{
    struct steer_rig *s = *state;
    publish_bracket(s, "62838.1", "66685.3");
    steer_rig_send(s, &s->rig.alice, "/amend 1 stop=-2% target=+5.5%");
    assert_has(runner_rig_last(&s->rig), "Confirm: amend BTC-USD 63593.7 68460.5");
    assert_has(runner_rig_last(&s->rig), "Stop  62,838.1 → 63,593.7 (2.0 % below the price)");
    struct snapshot *n = steer_rig_draft(s);
    steer_rig_add_position(n);
    n->positions[0].mark_price = steer_rig_dec("64500"); /* within commands.confirm_band */
    steer_rig_publish(s);
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    assert_string_equal(r.symbol.name, "BTC-USD");
    assert_int_equal(r.stop.e8, steer_rig_dec("63593.7").e8);
    assert_int_equal(r.target.e8, steer_rig_dec("68460.5").e8);
    steer_rig_answer(s, &r, ERR_ENGINE_AMEND);

    steer_rig_send(s, &s->rig.alice, "/amend 2 stop=-2%");
    assert_has(runner_rig_last(&s->rig), "position 2: 1 open");
    steer_rig_send(s, &s->rig.alice, "/amend BTC-USD stop=2%");
    assert_has(runner_rig_last(&s->rig), "stop: 2% needs a sign");
    clock_fake_advance(&s->rig.clock, 40 * USEC_PER_SEC); /* the engine is silent */
    steer_rig_send(s, &s->rig.alice, "/amend BTC-USD stop=-2%");
    assert_has(runner_rig_last(&s->rig), "the price of BTC-USD is not current");
    assert_no_request(s);
}

/* A position is looked up again when the answer arrives. If it is closed, the prompt is over; if
 * the engine has not reported yet, it stays open. */
static void a_confirmation_looks_its_position_up_again(void **state)
{
    struct steer_rig *s = *state;
    char press[32];
    publish_bracket(s, "62838.1", "66685.3");
    steer_rig_send(s, &s->rig.alice, "/amend BTC-USD stop=63,500.5");
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(&s->rig));
    steer_rig_crash(s);
    steer_rig_send(s, &s->rig.alice, press);
    assert_has(runner_rig_last(&s->rig), "ENGINE_SILENT");
    publish_bracket(s, "62838.1", "66685.3");
    steer_rig_send(s, &s->rig.alice, press);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.stop.e8, steer_rig_dec("63500.5").e8);
    steer_rig_answer(s, &r, ERR_ENGINE_AMEND);

    steer_rig_send(s, &s->rig.alice, "/amend BTC-USD target=67000");
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(&s->rig));
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, press);
    assert_has(runner_rig_last(&s->rig), "ENGINE_NOTHING_OPEN");
    steer_rig_send(s, &s->rig.alice, press);
    assert_has(runner_rig_last(&s->rig), "CONFIRM_USED");
    assert_no_request(s);
}

static void amend_refuses_invalid_prices(void **state)
{
    struct steer_rig *s = *state;
    static const struct {
        const char *line;
        const char *text;
    } cases[] = {
        {"/amend BTC-USD", "stop or target: at least one"},
        {"/amend BTC-USD stop=soon", "stop: soon is not a number"},
        {"/amend BTC-USD stop=-5", "stop: -5 is not a price"},
        {"/amend BTC-USD stop=99999999999999999999999999", "is not a number"},
        {"/amend BTC-USD stop=63500,50", "stop: 63500,50 is ambiguous: send 63500.50 or 6350050"},
        {"/amend BTC-USD stop=63500.25",
         "stop: 63500.25 is not a multiple of the tick 0.1; nearest: 63500.2 or 63500.3"},
        {"/amend BTC-USD \"target=67000\"", "stop: target=67000 is not a number"},
        {"/amend BTC-USD stop=64,891.5", "the stop of a long must be below the price, which is"},
        {"/amend BTC-USD target=60000", "the target of a long must be above the price, which is"},
        {"/amend DOGE-USD stop=1", "DOGE-USD is not traded; traded symbols: "},
    };
    publish_bracket(s, "62838.1", "66685.3");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        steer_rig_send(s, &s->rig.alice, cases[i].line);
        assert_has(runner_rig_last(&s->rig), cases[i].text);
    }
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/amend BTC-USD stop=60000");
    assert_has(runner_rig_last(&s->rig), "ENGINE_NOTHING_OPEN");
    steer_rig_send(s, &s->rig.rita, "/amend BTC-USD stop=60000");
    assert_has(runner_rig_last(&s->rig), "ACCESS_DENIED");
    assert_no_request(s);
}

/* The position is worth 1.9 % of equity: with a limit of 1 %, a distant stop loses too much. */
static void amend_shows_the_loss_and_enforces_the_limit(void **state)
{
    struct steer_rig *s = *state;
    struct snapshot *n = steer_rig_draft(s);
    steer_rig_add_position(n);
    n->positions[0].stop = steer_rig_dec("62838.1");
    n->positions[0].target = steer_rig_dec("66685.3");
    n->risk.risk_per_trade_pct = 1;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.alice, "/amend BTC-USD stop=60000");
    assert_has(runner_rig_last(&s->rig),
               "At the stop: −$12.77 (−0.12 % of equity; risk.risk_per_trade is 1 %)");
    steer_rig_send(s, &s->rig.alice, "/amend BTC-USD stop=1000");
    assert_has(runner_rig_last(&s->rig), "AMEND_RISK");
    assert_has(runner_rig_last(&s->rig),
               "it would lose $195.67, 1.88 % of equity; risk.risk_per_trade is 1 %");

    n = steer_rig_draft(s);
    steer_rig_add_position(n);
    n->positions[0].stop = steer_rig_dec("900");
    n->risk.risk_per_trade_pct = 1;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.alice,
                   "/amend BTC-USD stop=1000"); /* loses less than the current stop */
    assert_has(runner_rig_last(&s->rig), "Confirm: amend BTC-USD 1000");
    assert_no_request(s);
}

/* Arguments by name, from a program: a value never names another argument. */
static void a_value_by_name_is_not_parsed_for_names(void **state)
{
    struct steer_rig *s = *state;
    publish_bracket(s, "62838.1", "66685.3");
    struct invocation in = {.line = "amend",
                            .args_json = "{\"symbol\":\"BTC-USD\",\"stop\":\"target=67000\"}",
                            .who = &s->rig.alice,
                            .chat_id = s->rig.chat_id};
    assert_int_equal(runner_submit(s->runner, &in, NULL), 0);
    assert_has(runner_rig_last(&s->rig), "stop: target=67000 is not a number");
    in.args_json = "{\"symbol\":\"BTC-USD\",\"target\":\"67000\"}"; /* without a stop before it */
    assert_int_equal(runner_submit(s->runner, &in, NULL), 0);
    assert_has(runner_rig_last(&s->rig), "Confirm: amend BTC-USD target=67000");
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.stop.e8, 0);
    assert_int_equal(r.target.e8, steer_rig_dec("67000").e8);
}

static struct request send_amend(struct steer_rig *s)
{
    publish_bracket(s, "62838.1", "66685.3");
    steer_rig_send(s, &s->rig.alice, "/amend BTC-USD target=67000");
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    steer_rig_answer(s, &r, ERR_NONE);
    return r;
}

static void a_failed_amendment_shows_the_reason(void **state)
{
    struct steer_rig *s = *state;
    struct request r = send_amend(s);
    const struct event fault = {.topic = TOPIC_FAULT, .code = ERR_VENUE_AMEND, .symbol = r.symbol};
    desk_on_event(s->desk, &fault);
    loop_advance(s->rig.loop, 0);
    assert_has(runner_rig_last(&s->rig), "VENUE_AMEND");

    (void)send_amend(s);
    steer_rig_publish_plain(s, 0); /* the stop was hit in the meantime */
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "BTC-USD was closed in the meantime");

    (void)send_amend(s);
    publish_bracket(s, "62838.1", "66685.3");
    loop_advance(s->rig.loop, 21 * USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "AMEND_UNFINISHED");
    assert_has(runner_rig_last(&s->rig), "TP 66,685.3"); /* the current target */
}

static void write_entry(struct steer_rig *s, enum order_state order_state)
{
    struct order o = {.kind = ORDER_ENTRY,
                      .side = SIDE_LONG,
                      .state = order_state,
                      .qty = steer_rig_dec("0.0031"),
                      .reference_price = steer_rig_dec("64120.5"),
                      .stop = steer_rig_dec("62838.1"),
                      .target = steer_rig_dec("66685.3"),
                      .decision_id = 1,
                      .created_us = RIG_WALL_US + USEC_PER_DAY,
                      .updated_us = RIG_WALL_US + USEC_PER_DAY + (int64_t)order_state};
    (void)symbol_parse(str_c("BTC-USD"), &o.symbol);
    (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-7");
    struct err err = {0};
    assert_int_equal(order_table_write(s->engine_store, &o, &err), 0);
}

static void cancel_orders_waits_until_no_entry_is_open(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    write_entry(s, ORDER_ACKED);
    steer_rig_send(s, &s->rig.alice, "/cancel_orders BTC-USD");
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_CANCEL);
    assert_string_equal(r.symbol.name, "BTC-USD");
    steer_rig_answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1);
    write_entry(s, ORDER_CANCELLED);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "No entry orders are open: BTC-USD");
    assert_has(runner_rig_last(&s->rig), "BTC-USD long 0.0031 @ 64,120.5, cancelled");

    steer_rig_send(s, &s->rig.alice, "/cancel_orders");
    r = steer_rig_next_request(s);
    assert_string_equal(r.symbol.name, "");
    steer_rig_answer(s, &r, ERR_ENGINE_NO_ENTRY);
    assert_has(runner_rig_last(&s->rig), "ENGINE_NO_ENTRY");

    write_entry(s, ORDER_UNKNOWN);
    steer_rig_send(s, &s->rig.alice, "/cancel_orders all");
    r = steer_rig_next_request(s);
    steer_rig_answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, 21 * USEC_PER_SEC);
    assert_has(runner_rig_last(&s->rig), "CANCEL_UNFINISHED");
    assert_has(runner_rig_last(&s->rig), "unknown");
    steer_rig_send(s, &s->rig.alice, "/cancel_orders DOGE-USD");
    assert_has(runner_rig_last(&s->rig), "DOGE-USD is not one of all, BTC-USD");
    steer_rig_send(s, &s->rig.rita, "/cancel_orders");
    assert_has(runner_rig_last(&s->rig), "ACCESS_DENIED");
}

static void maintenance_is_for_admins_and_asks(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.alice, "/stand_still");
    assert_has(runner_rig_last(&s->rig), "ACCESS_DENIED");
    steer_rig_send(s, &s->rig.adam, "/stand_still");
    assert_has(runner_rig_last(&s->rig), "Open positions (1 now) keep their stop and target");
    steer_rig_confirm(s, &s->rig.adam);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_MAINTENANCE);
    struct snapshot *n = steer_rig_draft(s);
    n->state = TRADING_MAINTENANCE;
    (void)snprintf(n->state_reason, sizeof(n->state_reason), "maintenance by adam");
    steer_rig_publish(s);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "Maintenance started");
    assert_has(runner_rig_last(&s->rig), "\"footer\":\"🔧 maintenance by adam\"");
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(runner_rig_last(&s->rig), "\"command\":\"/resume\"");
}

static void the_pause_of_maintenance_that_failed_is_lifted(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    s->maintenance_fails = true;
    steer_rig_send(s, &s->rig.adam, "/maintenance on 1h entries=pause");
    steer_rig_confirm(s, &s->rig.adam);
    struct request pause = steer_rig_next_request(s);
    struct snapshot *n = steer_rig_draft(s);
    n->state = TRADING_MAINTENANCE;
    steer_rig_publish(s);
    steer_rig_answer(s, &pause, ERR_NONE);
    struct request lift = steer_rig_next_request(s);
    assert_int_equal(lift.kind, REQUEST_RESUME);
    assert_true(lift.number != 0 && lift.number == pause.number);
    steer_rig_publish_plain(s, 0);
    steer_rig_answer(s, &lift, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "MAINTENANCE_MANY");
}

/* ---- trading rules ---- */

static void save_rule(struct steer_rig *s, const struct request *r, enum rule_status status)
{
    struct rule_book book = {.rule_count = 1};
    struct condition program;
    struct err err = {0};
    assert_int_equal(rule_read(str_c(r->text), &book.rules[0], &program, &err), 0);
    book.rules[0].id = 3;
    book.rules[0].status = status;
    book.rules[0].success_count = 12;
    book.rules[0].failure_count = 3;
    (void)snprintf(book.rules[0].created_by, sizeof(book.rules[0].created_by), "%s", r->by);
    assert_int_equal(rule_table_save(s->engine_store, &book, &err), 0);
}

static void rules_are_added_activated_and_retired(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/rules");
    assert_has(runner_rig_last(&s->rig), "No trading rules yet");
    steer_rig_send(s, &s->rig.alice, "/rule_add avoid “RSI14@1h>70 and side==long” \"no chasing\"");
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_RULE_ADD);
    assert_string_equal(r.text, "avoid\nrsi14@1h > 70 and side == long\nno chasing");
    save_rule(s, &r, RULE_TESTING);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "Rule 3 is being tested");
    assert_has(runner_rig_last(&s->rig), "its matches are counted but change nothing");
    assert_has(runner_rig_last(&s->rig), "\"command\":\"/rule_activate 3\"");

    assert_false(strstr(runner_rig_last(&s->rig), "is not traded") != NULL);

    steer_rig_send(s, &s->rig.alice, "/rule_activate 3");
    assert_has(runner_rig_last(&s->rig), "when rsi14@1h > 70 and side == long");
    assert_has(runner_rig_last(&s->rig), "Entries that match it will be refused");
    steer_rig_confirm(s, &s->rig.alice);
    struct request again = steer_rig_next_request(s);
    assert_int_equal(again.kind, REQUEST_RULE_STATUS);
    assert_int_equal(again.number, 3);
    assert_string_equal(again.text, "active");
    save_rule(s, &r, RULE_ACTIVE);
    steer_rig_answer(s, &again, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "Rule 3 is active");

    steer_rig_send(s, &s->rig.rita, "/rules");
    assert_has(runner_rig_last(&s->rig), "Trading rules: 1 active of 1");
    assert_has(runner_rig_last(&s->rig), "✅ 3 · active · avoid · right in 12 of 15 (80 %)");
    assert_has(s->full, "\"success_count\":12");
    steer_rig_send(s, &s->rig.rita, "/rules 3");
    assert_has(runner_rig_last(&s->rig), "Added by alice");
    assert_has(runner_rig_last(&s->rig), "\"command\":\"/rule_test 3\"");

    steer_rig_send(s, &s->rig.alice, "/rule_test 3");
    steer_rig_confirm(s, &s->rig.alice);
    again = steer_rig_next_request(s);
    assert_string_equal(again.text, "testing");
    steer_rig_answer(s, &again, ERR_NONE);
    steer_rig_send(s, &s->rig.alice, "/rule_retire 3");
    assert_has(runner_rig_last(&s->rig), "The engine will never use it again");
    steer_rig_confirm(s, &s->rig.alice);
    again = steer_rig_next_request(s);
    assert_string_equal(again.text, "retired");
    save_rule(s, &r, RULE_RETIRED);
    steer_rig_answer(s, &again, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "Rule 3 is retired");
    steer_rig_send(s, &s->rig.rita, "/rules");
    assert_has(runner_rig_last(&s->rig), "No trading rules yet");
    steer_rig_send(s, &s->rig.rita, "/rules all");
    assert_has(runner_rig_last(&s->rig), "⚪ 3 · retired");
    steer_rig_send(s, &s->rig.alice, "/rule_activate 3");
    assert_has(runner_rig_last(&s->rig), "rule 3 is retired");
}

static void invalid_rules_do_not_reach_the_engine(void **state)
{
    struct steer_rig *s = *state;
    static const struct {
        const char *line;
        const char *text;
    } cases[] = {
        {"/rule_add avoid \"rsi41 > 70\" \"why\"", "column 1: found rsi41"},
        {"/rule_add avoid \"tier == 1 and rsi14 = 70\" \"why\"", "column 21: found =, but equal"},
        {"/rule_add perhaps \"tier == 1\" \"why\"", "perhaps is not one of avoid|favour"},
        {"/rule_add avoid \"tier == 1\"", "COMMAND_ARG_MISSING"},
        {"/rule_add avoid \"tier == 1\" \" \"", "the reason is missing"},
        {"/rule_add avoid \"tier == 1\n\" \"why\"", "it contains a line break"},
        {"/rule_add avoid tier == 1 why", "COMMAND_ARG_EXTRA"},
        {"/rule_activate 9", "RULE_UNKNOWN"},
        {"/rule_activate 0", "rule: 0 is below 1"},
        {"/rules 9", "RULE_UNKNOWN"},
        {"/rules some", "some is not a number, all or words"},
        {"/rules words", "upper minus lower band"},
    };
    steer_rig_publish_plain(s, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        steer_rig_send(s, &s->rig.alice, cases[i].line);
        assert_has(runner_rig_last(&s->rig), cases[i].text);
    }
    steer_rig_send(s, &s->rig.rita, "/rule_add avoid \"tier == 1\" \"why\"");
    assert_has(runner_rig_last(&s->rig), "ACCESS_DENIED");
    assert_true(runner_rig_audited(&s->rig, "command.denied") > 0);
    assert_no_request(s);

    /* A mistyped symbol is not an error, but is shown with the rule. */
    steer_rig_send(s, &s->rig.alice,
                   "/rule_add avoid \"symbol == BTC-UDS or symbol == BTC-USD\" \"why\"");
    struct request slip = steer_rig_next_request(s);
    save_rule(s, &slip, RULE_TESTING);
    steer_rig_answer(s, &slip, ERR_NONE);
    assert_has(runner_rig_last(&s->rig), "BTC-UDS is not traded");
    assert_false(strstr(runner_rig_last(&s->rig), "BTC-USD is not traded") != NULL);
    steer_rig_send(s, &s->rig.alice, "/rules");
    assert_has(runner_rig_last(&s->rig), "BTC-UDS is not traded");
    assert_has(s->full, "\"not_traded\":[\"BTC-UDS\"]");

    steer_rig_send(s, &s->rig.alice, "/rule_add avoid \"tier == 1\" \"why\"");
    struct request r = steer_rig_next_request(s);
    steer_rig_answer(s, &r, ERR_RULE_DUPLICATE);
    assert_has(runner_rig_last(&s->rig), "an identical trading rule already exists");
}

/* ---- crashes ---- */

static void after_a_crash_the_request_is_looked_up(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/pause");
    struct request r = steer_rig_next_request(s);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, 1, NULL), 0);
    steer_rig_crash(s);
    assert_int_equal(runner_rig_state(&s->rig, 1), RUN_DONE);
    assert_has(runner_rig_last(&s->rig), "It took effect before nightdesk restarted");

    steer_rig_send(s, &s->rig.alice, "/pause");
    steer_rig_crash(s); /* pushed, but not read: the ring is lost with the process */
    assert_int_equal(runner_rig_state(&s->rig, 2), RUN_FAILED);
    assert_has(runner_rig_last(&s->rig), "COMMAND_NOT_DONE");

    steer_rig_send(s, &s->rig.alice, "/resume");
    r = steer_rig_next_request(s);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_ENGINE_STOPPED, 1, NULL), 0);
    steer_rig_crash(s);
    assert_int_equal(runner_rig_state(&s->rig, 3), RUN_FAILED);
    assert_has(runner_rig_last(&s->rig), "ENGINE_STOPPED");
    struct request none;
    assert_false(ring_pop(s->shared.requests, &none)); /* no request was sent again */
}

static void the_pause_of_a_run_is_lifted_on_the_answer(void **state)
{
    struct steer_rig *s = *state;
    struct request none;
    steer_rig_publish_plain(s, 0);
    assert_false(desk_lift_pause(s->desk, 7));
    struct request lost = steer_rig_next_request(s);
    assert_int_equal(lost.kind, REQUEST_RESUME);
    assert_int_equal(lost.number, 7);
    assert_false(desk_lift_pause(s->desk, 7)); /* it waits for the answer */
    assert_false(ring_pop(s->shared.requests, &none));
    loop_advance(s->rig.loop, 11 * USEC_PER_SEC); /* it has expired, and its answer got lost */
    assert_false(desk_lift_pause(s->desk, 7));
    struct request expired = steer_rig_next_request(s);
    assert_true(expired.id > lost.id);
    steer_rig_answer(s, &expired, ERR_ENGINE_EXPIRED);
    assert_false(desk_lift_pause(s->desk, 7));
    struct request accepted = steer_rig_next_request(s);
    steer_rig_answer(s, &accepted, ERR_NONE);
    assert_true(desk_lift_pause(s->desk, 7));
    assert_false(ring_pop(s->shared.requests, &none));
}

UNIT_GROUP(steer, STEER_RIG_TEST(pause_waits_for_the_engine),
           STEER_RIG_TEST(a_command_lifts_only_its_own_pause),
           STEER_RIG_TEST(a_lost_event_is_looked_up), STEER_RIG_TEST(a_silent_engine_times_out),
           STEER_RIG_TEST(a_full_ring_is_busy),
           STEER_RIG_TEST(close_asks_then_waits_until_the_venue_is_flat),
           STEER_RIG_TEST(close_takes_the_number_of_a_position),
           STEER_RIG_TEST(a_close_that_does_not_fill_fails),
           STEER_RIG_TEST(a_foreign_position_is_shown_and_closed),
           STEER_RIG_TEST(an_emergency_stop_is_verified),
           STEER_RIG_TEST(an_emergency_stop_that_is_not_flat_fails),
           STEER_RIG_TEST(amend_shows_the_change_and_waits_for_it),
           STEER_RIG_TEST(a_price_in_percent_is_fixed_when_the_command_arrives),
           STEER_RIG_TEST(a_confirmation_looks_its_position_up_again),
           STEER_RIG_TEST(amend_refuses_invalid_prices),
           STEER_RIG_TEST(amend_shows_the_loss_and_enforces_the_limit),
           STEER_RIG_TEST(a_value_by_name_is_not_parsed_for_names),
           STEER_RIG_TEST(a_failed_amendment_shows_the_reason),
           STEER_RIG_TEST(cancel_orders_waits_until_no_entry_is_open),
           STEER_RIG_TEST(maintenance_is_for_admins_and_asks),
           STEER_RIG_TEST(rules_are_added_activated_and_retired),
           STEER_RIG_TEST(invalid_rules_do_not_reach_the_engine),
           STEER_RIG_TEST(after_a_crash_the_request_is_looked_up),
           STEER_RIG_TEST(the_pause_of_a_run_is_lifted_on_the_answer),
           STEER_RIG_TEST(the_pause_of_maintenance_that_failed_is_lifted))
