#include "../src/engine/venue_clock.h"
#include "unit/unit.h"

static void the_first_report_ends_the_time(void **state)
{
    (void)state;
    struct venue_clock clock = {0};
    struct venue_clock_order order;
    const struct trace_work work = {.trace = {1, 2}, .span = 3}, none = {.span = 0};
    venue_clock_sent(&clock, "nd-1-1", 100, none);
    venue_clock_sent(&clock, "nd-1-2", 200, work);
    assert_false(venue_clock_reported(&clock, "nd-1-9", &order)); /* another one */
    assert_false(venue_clock_reported(&clock, "", &order));       /* a listing */
    assert_true(venue_clock_reported(&clock, "nd-1-2", &order));
    assert_int_equal(order.sent_ns, 200);
    assert_int_equal(order.work.span, 3);
    assert_string_equal(order.client_id, "nd-1-2");
    assert_false(venue_clock_reported(&clock, "nd-1-2", &order));
    for (int i = 0; i < 3 * VENUE_CLOCK_ORDERS; i++) {
        char id[CLIENT_ID_SIZE];
        (void)snprintf(id, sizeof(id), "nd-2-%d", i);
        venue_clock_sent(&clock, id, 1000, none);
    }
    assert_false(venue_clock_reported(&clock, "nd-1-1", &order)); /* forgotten */
    assert_true(venue_clock_reported(&clock, "nd-2-47", &order));
}

UNIT_GROUP(venue_clock, cmocka_unit_test(the_first_report_ends_the_time))
