/*
 * venue_clock.h: when orders were sent and what they belong to, until the venue reports about them
 * for the first time.
 *
 *     venue_clock_sent(&clock, order->client_id, now_ns, work);
 *     if (venue_clock_reported(&clock, report.client_id, &order)) use(now_ns - order.sent_ns);
 *
 * Always true: a plain value, zero is empty; of more than VENUE_CLOCK_ORDERS under way, the oldest
 * are forgotten. Thread: one at a time per value.
 */
#pragma once

#include "base/trace.h"
#include "model/order.h"

#include <stdbool.h>

#define VENUE_CLOCK_ORDERS 16

struct venue_clock_order {
    char client_id[CLIENT_ID_SIZE]; /* "": free */
    int64_t sent_ns;                /* monotonic */
    struct trace_work work;
};

struct venue_clock {
    struct venue_clock_order orders[VENUE_CLOCK_ORDERS];
    unsigned next;
    unsigned under_way;
};

void venue_clock_sent(struct venue_clock *clock, const char *client_id, int64_t now_ns,
                      struct trace_work work);
/* False: it is not under way. Forgets it. */
bool venue_clock_reported(struct venue_clock *clock, const char *client_id,
                          struct venue_clock_order *ret);
