#include "base/check.h"
#include "gateway_rig.h"
#include "unit/unit.h"

/* A stock that its exchange has halted, which the stream of prices says. */

static void a_halted_stock_is_not_traded(void **state)
{
    static const struct symbol stocks[] = {{.name = "AAPL-USD"}, {.name = "SPY-USD"}};
    struct gateway_rig rig;
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    gateway_rig_prepare(&rig, "alpaca", stocks, 2, "session open");
    gateway_rig_start(&rig);
    assert_int_equal(rig.status[0], INSTRUMENT_TRADING);
    struct gateway_call call = {.kind = GATEWAY_HALT, .halted = true};
    call.question.symbol = stocks[0];
    gateway_rig_do(&rig, &call);
    assert_int_equal(rig.status[0], INSTRUMENT_HALTED);
    assert_int_equal(rig.status[1], INSTRUMENT_TRADING);
    call.halted = false;
    gateway_rig_do(&rig, &call);
    assert_int_equal(rig.status[0], INSTRUMENT_TRADING);
    call.question.symbol = (struct symbol){.name = "XYZ-USD"}; /* not traded: passed over */
    gateway_rig_do(&rig, &call);
    gateway_rig_close(&rig);
}

UNIT_GROUP(halts, cmocka_unit_test(a_halted_stock_is_not_traded))
