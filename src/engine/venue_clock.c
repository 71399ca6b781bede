#include "venue_clock.h"

#include <string.h>

void venue_clock_sent(struct venue_clock *clock, const char *client_id, int64_t now_ns)
{
    unsigned at = clock->next++ % VENUE_CLOCK_ORDERS;
    clock->under_way += clock->orders[at].client_id[0] == '\0' ? 1 : 0;
    (void)str_copy(str_c(client_id), clock->orders[at].client_id, CLIENT_ID_SIZE);
    clock->orders[at].sent_ns = now_ns;
}

void venue_clock_reported(struct venue_clock *clock, const char *client_id, int64_t now_ns,
                          struct histogram *histogram)
{
    for (unsigned i = 0; clock->under_way > 0 && i < VENUE_CLOCK_ORDERS; i++) {
        if (clock->orders[i].client_id[0] != '\0' &&
            strcmp(clock->orders[i].client_id, client_id) == 0) {
            histogram_add(histogram, now_ns - clock->orders[i].sent_ns);
            clock->orders[i].client_id[0] = '\0';
            clock->under_way--;
        }
    }
}
