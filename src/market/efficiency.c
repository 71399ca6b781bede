#include "market/efficiency.h"

#define SLOTS (EFFICIENCY_PERIOD + 1)

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

void efficiency_init(struct efficiency *e)
{
    *e = (struct efficiency){0};
}

void efficiency_push(struct efficiency *e, struct dec close)
{
    int newest = (e->head + SLOTS - 1) % SLOTS;
    if (e->count == SLOTS) {
        int second = (e->head + 1) % SLOTS;
        e->walked_e8 -= distance(e->closes_e8[second], e->closes_e8[e->head]);
    } else {
        e->count++;
    }
    if (e->count > 1) {
        e->walked_e8 += distance(close.e8, e->closes_e8[newest]);
    }
    e->closes_e8[e->head] = close.e8;
    e->head = (e->head + 1) % SLOTS;
}

bool efficiency_ready(const struct efficiency *e)
{
    return e->count == SLOTS;
}

double efficiency_value(const struct efficiency *e)
{
    if (!efficiency_ready(e) || e->walked_e8 == 0) {
        return 0;
    }
    int64_t oldest = e->closes_e8[e->head];
    int64_t newest = e->closes_e8[(e->head + SLOTS - 1) % SLOTS];
    return (double)(newest - oldest) / (double)e->walked_e8;
}
