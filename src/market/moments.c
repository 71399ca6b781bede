#include "market/moments.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

/* How much a sum may shrink, or a variance may be smaller than the squares it is the difference of,
 * before the sums are recomputed: three of the sixteen digits of a double. */
#define DIGITS_LOST 1e3
#define TURNS_MAX   16

void moments_init(struct moments *m, int period)
{
    ASSERT(period >= 1 && period <= MOMENTS_MAX);
    memset(m, 0, sizeof(*m));
    m->period = period;
    m->inverse = 1.0 / period;
}

static double variance(const struct moments *m)
{
    double mean = m->sum * m->inverse;
    return m->squares * m->inverse - mean * mean;
}

/* With the newest value as pivot, a window of equal values gives exact zeros. */
static void recompute_sums(struct moments *m, double newest)
{
    m->turns = 0;
    m->pivot = newest;
    m->sum = 0;
    m->squares = 0;
    for (int i = 0; i < m->count; i++) {
        double distance = m->values[i] - newest;
        m->sum += distance;
        m->squares += distance * distance;
    }
}

void moments_push(struct moments *m, double x)
{
    double removed = 0;
    if (m->count == m->period) {
        double old = m->values[m->head] - m->pivot;
        removed = old * old;
        m->sum -= old;
        m->squares -= removed;
    } else {
        m->count++;
    }
    double distance = x - m->pivot;
    m->sum += distance;
    m->squares += distance * distance;
    m->values[m->head] = x;
    m->head++;
    if (m->head == m->period) {
        m->head = 0;
        m->turns++;
    }
    if (m->count == 1 || m->turns == TURNS_MAX || removed > DIGITS_LOST * m->squares ||
        (m->count == m->period && variance(m) * DIGITS_LOST < m->squares * m->inverse)) {
        recompute_sums(m, x);
    }
}

bool moments_ready(const struct moments *m)
{
    return m->count == m->period;
}

double moments_mean(const struct moments *m)
{
    return moments_ready(m) ? m->pivot + m->sum * m->inverse : 0;
}

double moments_deviation(const struct moments *m)
{
    if (!moments_ready(m)) {
        return 0;
    }
    double v = variance(m);
    return v > 0 ? sqrt(v) : 0;
}
