/*
 * A venue that holds less of a position than our fills say: it would refuse to sell all of it.
 */
#include "base/check.h"
#include "report_rig.h"
#include "unit/unit.h"

#include <string.h>

#define LISTINGS 12 /* more than are needed */

/* The venue lists so much of the ten, again and again; zero: nothing. */
static void list(struct report_rig *l, struct dec held)
{
    for (int i = 0; i < LISTINGS; i++) {
        struct venue_report *r = report_rig_await_listing(l);
        if (held.e8 > 0) {
            report_rig_hold(r, report_rig_btc, 10, 100);
            r->holdings[0].qty = held;
        }
        report_rig_step(l);
    }
}

static const struct position *position_of(const struct report_rig *l)
{
    int count;
    const struct position *positions = engine_positions(l->engine, &count);
    return count == 1 ? positions : NULL;
}

static void a_fee_that_no_fill_has_is_a_loss(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    const struct dec cash = engine_state(l.engine)->cash;
    const struct dec held = dec_from_double(9.98);
    list(&l, held);
    assert_non_null(position_of(&l));
    assert_int_equal(position_of(&l)->qty.e8, held.e8);
    assert_int_equal(engine_state(l.engine)->cash.e8, cash.e8);
    assert_int_equal(engine_state(l.engine)->realised.e8, dec_from_int(-2).e8);
    engine_snapshot(l.engine, &l.now, l.snapshot);
    assert_true(l.snapshot->venue_agrees);
    report_rig_close(&l);
}

/* Somebody else trades there: that is for a person to decide. */
static void more_that_is_missing_waits_for_a_stop(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    const struct dec held = dec_from_int(9);
    list(&l, held);
    assert_non_null(position_of(&l));
    assert_int_equal(position_of(&l)->qty.e8, dec_from_int(10).e8);
    engine_snapshot(l.engine, &l.now, l.snapshot);
    assert_false(l.snapshot->venue_agrees);
    report_rig_close(&l);
}

UNIT_GROUP(missing, cmocka_unit_test(a_fee_that_no_fill_has_is_a_loss),
           cmocka_unit_test(more_that_is_missing_waits_for_a_stop))
