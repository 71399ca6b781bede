#include "trade_health.h"

#include <math.h>

void trade_health_fault(struct trade_health *t, enum fault kind, int64_t from_us, int64_t to_us)
{
    int n = t->count[kind];
    struct fault_time *last = n > 0 ? &t->times[kind][n - 1] : NULL;
    if (last != NULL && from_us <= last->to_us) {
        last->to_us = to_us > last->to_us ? to_us : last->to_us;
    } else if (n < FAULTS_MAX) {
        t->times[kind][t->count[kind]++] = (struct fault_time){from_us, to_us};
    }
}

static bool meets(const struct trade_health *t, int kind, const struct trade *trade)
{
    int low = 0, high = t->count[kind]; /* the first that ends after the trade was opened */
    while (low < high) {
        int middle = (low + high) / 2;
        if (t->times[kind][middle].to_us <= trade->opened_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < t->count[kind] && t->times[kind][low].from_us < trade->closed_us;
}

void trade_health_trade(struct trade_health *t, const struct trade *trade)
{
    double size = dec_to_double(trade->qty) * dec_to_double(trade->entry_price);
    if (!(size > 0)) {
        return;
    }
    int kind = 0;
    while (kind < FAULT_NONE && !meets(t, kind, trade)) {
        kind++;
    }
    struct trade_group_result *g = &t->groups[kind];
    double result = 100 * dec_to_double(trade->pnl) / size;
    double off = result - g->mean_pct;
    g->trades++;
    g->wins += trade->pnl.e8 > 0;
    g->mean_pct += off / (double)g->trades;
    g->square += off * (result - g->mean_pct);
}

/* Of 97.5 %. */
static double t_quantile(double df)
{
    const double z = 1.959964;
    double z3 = z * z * z, z5 = z3 * z * z;
    return z + (z3 + z) / (4 * df) + (5 * z5 + 16 * z3 + 3 * z) / (96 * df * df);
}

void trade_health_compare(const struct trade_health *t, enum fault kind,
                          struct trade_difference *ret)
{
    const struct trade_group_result *a = &t->groups[kind], *b = &t->groups[FAULT_NONE];
    *ret = (struct trade_difference){.enough = a->trades >= TRADES_MIN && b->trades >= TRADES_MIN};
    if (!ret->enough) {
        return;
    }
    double na = (double)a->trades, nb = (double)b->trades;
    double va = a->square / (na - 1) / na, vb = b->square / (nb - 1) / nb;
    double all = va + vb;
    double df = all > 0 ? all * all / (va * va / (na - 1) + vb * vb / (nb - 1)) : na + nb - 2;
    double reach = t_quantile(df) * sqrt(all);
    ret->points = a->mean_pct - b->mean_pct;
    ret->lower = ret->points - reach;
    ret->upper = ret->points + reach;
}
