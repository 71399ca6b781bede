#include "market/extreme.h"

#include "base/check.h"

#include <string.h>

_Static_assert((EXTREME_MAX & (EXTREME_MAX - 1)) == 0,
               "the index wraps with the unsigned counters");

void extreme_init(struct extreme *e, int period, enum extreme_side side)
{
    ASSERT(period >= 1 && period <= EXTREME_MAX);
    memset(e, 0, sizeof(*e));
    e->period = period;
    e->side = side;
}

static struct extreme_candidate *slot(struct extreme *e, unsigned n)
{
    return &e->queue[n % EXTREME_MAX];
}

void extreme_push(struct extreme *e, double x)
{
    if (e->first != e->end && slot(e, e->first)->index <= e->pushed - e->period) {
        e->first++;
    }
    while (e->first != e->end) {
        double last = slot(e, e->end - 1)->value;
        if (e->side == EXTREME_HIGHEST ? last > x : last < x) {
            break;
        }
        e->end--;
    }
    *slot(e, e->end++) = (struct extreme_candidate){.index = e->pushed++, .value = x};
}

bool extreme_ready(const struct extreme *e)
{
    return e->pushed >= e->period;
}

double extreme_value(const struct extreme *e)
{
    return extreme_ready(e) ? e->queue[e->first % EXTREME_MAX].value : 0;
}
