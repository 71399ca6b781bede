/*
 * venue_clock.h: how long the venue takes to report about an order for the first time.
 *
 *     venue_clock_sent(&clock, order->client_id, now_ns);
 *     venue_clock_reported(&clock, report.client_id, now_ns, &histogram);
 *
 * Always true: a plain value, zero is empty; of more than VENUE_CLOCK_ORDERS under way, the oldest
 * are not measured. Thread: one at a time per value.
 */
#pragma once

#include "base/histogram.h"
#include "model/order.h"

#define VENUE_CLOCK_ORDERS 16

struct venue_clock {
    struct {
        char client_id[CLIENT_ID_SIZE]; /* "": free */
        int64_t sent_ns;
    } orders[VENUE_CLOCK_ORDERS];
    unsigned next;
    unsigned under_way;
};

void venue_clock_sent(struct venue_clock *clock, const char *client_id, int64_t now_ns);
void venue_clock_reported(struct venue_clock *clock, const char *client_id, int64_t now_ns,
                          struct histogram *histogram);
