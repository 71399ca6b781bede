#include "venue_clock.h"

#include <string.h>

void venue_clock_sent(struct venue_clock *clock, const char *client_id, int64_t now_ns,
                      struct trace_work work)
{
    struct venue_clock_order *order = &clock->orders[clock->next++ % VENUE_CLOCK_ORDERS];
    clock->under_way += order->client_id[0] == '\0' ? 1 : 0;
    (void)str_copy(str_c(client_id), order->client_id, CLIENT_ID_SIZE);
    order->sent_ns = now_ns;
    order->work = work;
}

bool venue_clock_reported(struct venue_clock *clock, const char *client_id,
                          struct venue_clock_order *ret)
{
    for (unsigned i = 0; clock->under_way > 0 && i < VENUE_CLOCK_ORDERS; i++) {
        struct venue_clock_order *order = &clock->orders[i];
        if (order->client_id[0] != '\0' && strcmp(order->client_id, client_id) == 0) {
            *ret = *order;
            order->client_id[0] = '\0';
            clock->under_way--;
            return true;
        }
    }
    return false;
}
