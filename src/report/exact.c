#include "report/exact.h"

#include "base/check.h"

#include <math.h>
#include <stdbool.h>

#define TERMS_END 1e-18 /* of the sum: smaller terms do not change it */

static double log_choose(int64_t n, int64_t k)
{
    int sign; /* lgamma would write a global */
    return lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) -
           lgamma_r((double)(n - k) + 1, &sign);
}

/* P(X <= k) for a k that is not above the mean, so that the terms fall from the first one on. */
static double lower_tail(const struct exact *e)
{
    double first = exp(log_choose(e->all_k, e->k) + log_choose(e->all_n - e->all_k, e->n - e->k) -
                       log_choose(e->all_n, e->n));
    double sum = 1;
    double term = 1;
    for (int64_t k = e->k; k > 0 && term > TERMS_END * sum; k--) {
        /* P(k - 1) / P(k) */
        double numerator = (double)k * (double)(e->all_n - e->all_k - e->n + k);
        double denominator = (double)(e->all_k - k + 1) * (double)(e->n - k + 1);
        term *= numerator / denominator;
        sum += term;
    }
    return fmin(1, first * sum);
}

double exact_p(const struct exact *e, enum exact_side side)
{
    ASSERT(e->k >= 0 && e->k <= e->n && e->n <= e->all_n && e->k <= e->all_k &&
           e->all_k <= e->all_n && e->n - e->k <= e->all_n - e->all_k);
    if (e->n == 0) {
        return 1;
    }
    struct exact less = *e;
    if (side == EXACT_MORE) { /* as many wins is as few losses */
        less.k = e->n - e->k;
        less.all_k = e->all_n - e->all_k;
    }
    double mean = (double)less.n * (double)less.all_k / (double)less.all_n;
    if ((double)less.k <= mean) {
        return lower_tail(&less);
    }
    /* 1 - P(X > k) = 1 - P(losses <= n - k - 1) */
    struct exact more = {.k = less.n - less.k - 1,
                         .n = less.n,
                         .all_k = less.all_n - less.all_k,
                         .all_n = less.all_n};
    bool none_above = more.k < 0 || more.n - more.k > less.all_k;
    return none_above ? 1 : fmax(0, 1 - lower_tail(&more));
}

double exact_binomial(int64_t k, int64_t n, double rate, enum exact_side side)
{
    ASSERT(rate > 0 && rate < 1 && k >= 0 && k <= n);
    int64_t first = side == EXACT_LESS ? 0 : k;
    int64_t last = side == EXACT_LESS ? k : n;
    double sum = 0;
    for (int64_t i = first; i <= last; i++) {
        sum += exp(log_choose(n, i) + (double)i * log(rate) + (double)(n - i) * log1p(-rate));
    }
    return fmin(1, sum);
}

double exact_poisson(int64_t k, double expected)
{
    ASSERT(expected > 0);
    double term = exp(-expected);
    double below = 0;
    for (int64_t i = 0; i < k; i++) {
        below += term;
        term *= expected / (double)(i + 1);
    }
    return fmax(0, 1 - below);
}

void exact_poisson_interval(int64_t k, double *ret_low, double *ret_high)
{
    const double z = 1.959963984540054; /* 97.5 % point of the normal distribution */
    double n = (double)k, m = n + 1;
    *ret_low = k == 0 ? 0 : n * pow(1 - 1 / (9 * n) - z / (3 * sqrt(n)), 3);
    *ret_high = m * pow(1 - 1 / (9 * m) + z / (3 * sqrt(m)), 3);
}

void exact_holm(double *p, int count, int64_t tried)
{
    ASSERT(count <= tried);
    double largest = 0;
    for (int i = 0; i < count; i++) {
        largest = fmax(largest, fmin(1, p[i] * (double)(tried - i)));
        p[i] = largest;
    }
}
