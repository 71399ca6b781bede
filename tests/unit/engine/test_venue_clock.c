#include "../src/engine/venue_clock.h"
#include "unit/unit.h"

static void the_first_report_ends_the_time(void **state)
{
    (void)state;
    struct venue_clock clock = {0};
    struct histogram h = HISTOGRAM_INIT(1000);
    struct histogram_view view;
    venue_clock_sent(&clock, "nd-1-1", 100);
    venue_clock_sent(&clock, "nd-1-2", 200);
    venue_clock_reported(&clock, "nd-1-9", 300, &h); /* another one */
    venue_clock_reported(&clock, "", 300, &h);       /* a listing */
    venue_clock_reported(&clock, "nd-1-2", 5200, &h);
    venue_clock_reported(&clock, "nd-1-2", 9999, &h);
    histogram_read(&h, &view);
    assert_int_equal(view.total, 1);
    assert_int_equal(view.sum_ns, 5000);
    for (int i = 0; i < 3 * VENUE_CLOCK_ORDERS; i++) {
        char id[CLIENT_ID_SIZE];
        (void)snprintf(id, sizeof(id), "nd-2-%d", i);
        venue_clock_sent(&clock, id, 1000);
    }
    venue_clock_reported(&clock, "nd-1-1", 9999, &h); /* forgotten */
    venue_clock_reported(&clock, "nd-2-47", 3000, &h);
    histogram_read(&h, &view);
    assert_int_equal(view.total, 2);
    assert_int_equal(view.sum_ns, 7000);
}

UNIT_GROUP(venue_clock, cmocka_unit_test(the_first_report_ends_the_time))
