#include "base/check.h"
#include "gateway_rig.h"
#include "unit/unit.h"

#include <string.h>

/* When stocks are traded: halts, which the stream of prices says, regular and extended hours. */

static const struct symbol stocks[] = {{.name = "AAPL-USD"}, {.name = "SPY-USD"}};

static void open_rig(struct gateway_rig *rig, const char *lines, bool extended)
{
    gateway_rig_prepare(rig, "alpaca", stocks, 2, lines);
    rig->options.extended_hours = extended;
    gateway_rig_start(rig);
}

static void a_halted_stock_is_not_traded(void **state)
{
    struct gateway_rig rig;
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    open_rig(&rig, "session open", false);
    assert_int_equal(rig.rules[0].status, INSTRUMENT_TRADING);
    struct gateway_call call = {.kind = GATEWAY_HALT, .halted = true};
    call.question.symbol = stocks[0];
    gateway_rig_do(&rig, &call);
    assert_int_equal(rig.rules[0].status, INSTRUMENT_HALTED);
    assert_int_equal(rig.rules[1].status, INSTRUMENT_TRADING);
    call.halted = false;
    gateway_rig_do(&rig, &call);
    assert_int_equal(rig.rules[0].status, INSTRUMENT_TRADING);
    call.question.symbol = (struct symbol){.name = "XYZ-USD"}; /* not traded: passed over */
    gateway_rig_do(&rig, &call);
    gateway_rig_close(&rig);
}

static struct gateway_call order_of(const char *client_id, enum order_kind kind,
                                    enum order_type type, const char *qty, const char *price)
{
    struct gateway_call call = {.kind = GATEWAY_SEND,
                                .order = {.symbol = stocks[0],
                                          .kind = kind,
                                          .side = SIDE_LONG,
                                          .state = ORDER_PREPARED,
                                          .type = type,
                                          .time_in_force = TIF_GTC}};
    assert_true(dec_parse(str_c(qty), &call.order.qty) &&
                dec_parse(str_c(price), &call.order.price));
    (void)str_copy(str_c(client_id), call.order.client_id, sizeof(call.order.client_id));
    return call;
}

static void send(struct gateway_rig *rig, const struct gateway_call *call, enum order_state state,
                 const char *reason)
{
    int before = rig->orders;
    gateway_rig_do(rig, call);
    gateway_rig_await_orders(rig, before + 1);
    assert_int_equal(rig->order.state, state);
    assert_string_equal(rig->order.reason, reason);
}

/* The fake refuses extended hours with anything but a limit of the day, and fills no other. */
static void in_extended_hours_limits_are_traded(void **state)
{
    struct gateway_rig rig;
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    open_rig(&rig, "session extended\nprice AAPL-USD 200\nwhole-extended SPY", true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig.rules[i].status, INSTRUMENT_TRADING);
        assert_true(rig.rules[i].limits_only);
        assert_true(rig.rules[i].hours_change_wall_us > clock_wall_us(clock_real()));
    }
    assert_true(rig.rules[0].step.e8 < DEC_ONE);
    assert_int_equal(rig.rules[1].step.e8, DEC_ONE); /* whole shares only */
    assert_int_equal(rig.rules[1].min_qty.e8, DEC_ONE);
    struct gateway_call call = order_of("nd-1-1", ORDER_ENTRY, ORDER_TYPE_MARKET, "1", "0");
    send(&rig, &call, ORDER_REJECTED, "limits only outside regular hours");
    call = order_of("nd-1-2", ORDER_ENTRY, ORDER_TYPE_LIMIT, "1.5", "202");
    send(&rig, &call, ORDER_FILLED, "filled");
    call = order_of("nd-1-3", ORDER_CLOSE, ORDER_TYPE_LIMIT, "1.5", "198");
    send(&rig, &call, ORDER_FILLED, "filled");
    gateway_rig_close(&rig);
}

static void without_the_option_they_are_closed(void **state)
{
    struct gateway_rig rig;
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    open_rig(&rig, "session extended", false);
    assert_int_equal(rig.rules[0].status, INSTRUMENT_CLOSED);
    struct gateway_call call = order_of("nd-1-1", ORDER_ENTRY, ORDER_TYPE_MARKET, "1", "0");
    send(&rig, &call, ORDER_REJECTED, "its exchange is closed");
    gateway_rig_close(&rig);
}

static void await_status(struct gateway_rig *rig, enum instrument_status status, bool limits_only)
{
    for (int i = 0;
         i < 60 && (rig->rules[0].status != status || rig->rules[0].limits_only != limits_only);
         i++) {
        gateway_rig_pass(rig, 1);
    }
    assert_int_equal(rig->rules[0].status, status);
    assert_int_equal(rig->rules[0].limits_only, limits_only);
}

/* The clock tells when the exchange closes, on this day early. */
static void a_session_ends_at_its_minute(void **state)
{
    (void)state;
    for (int extended = 0; extended < 2; extended++) {
        struct gateway_rig rig;
        if (!fake_venue_available()) {
            skip();
        }
        open_rig(&rig, extended ? "session-ends 20 extended" : "session-ends 20 closed", extended);
        assert_int_equal(rig.rules[0].status, INSTRUMENT_TRADING);
        assert_false(rig.rules[0].limits_only);
        await_status(&rig, extended ? INSTRUMENT_TRADING : INSTRUMENT_CLOSED, extended);
        gateway_rig_close(&rig);
    }
}

/* Without an answer of the clock, a session that should have ended counts as ended. */
static void a_clock_that_is_silent_ends_the_session(void **state)
{
    struct gateway_rig rig;
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    open_rig(&rig, "session-ends 20 closed", false);
    gateway_rig_fake(&rig, "fault time 1 hang");
    await_status(&rig, INSTRUMENT_CLOSED, false);
    gateway_rig_close(&rig);
}

UNIT_GROUP(hours, cmocka_unit_test(a_halted_stock_is_not_traded),
           cmocka_unit_test(in_extended_hours_limits_are_traded),
           cmocka_unit_test(without_the_option_they_are_closed),
           cmocka_unit_test(a_session_ends_at_its_minute),
           cmocka_unit_test(a_clock_that_is_silent_ends_the_session))
