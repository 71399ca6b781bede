#include "trend.h"

#include "base/auto.h"
#include "base/check.h"

#include <math.h>
#include <stdlib.h>

#define PAIRS_MAX (TREND_POINTS_MAX * (TREND_POINTS_MAX - 1) / 2)

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_size);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Kendall's variance of n values, less the ties. */
static double kendall_variance(const double *values, size_t count)
{
    AUTO_UNCLEARED double sorted[TREND_POINTS_MAX];
    double n = (double)count;
    double variance = n * (n - 1) * (2 * n + 5);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = values[i];
    }
    qsort(sorted, count, sizeof(*sorted), by_size);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && sorted[to] <= sorted[from];) {
            to++;
        }
        double ties = (double)(to - from);
        variance -= ties * (ties - 1) * (2 * ties + 5);
    }
    return variance / 18;
}

/* The mean rank of each value among all. */
static void rank(const double *values, size_t count, double *ret)
{
    for (size_t i = 0; i < count; i++) {
        double below = 0, equal = 0;
        for (size_t k = 0; k < count; k++) {
            below += values[k] < values[i];
            equal += values[k] >= values[i] && values[k] <= values[i];
        }
        ret[i] = below + (equal + 1) / 2;
    }
}

/* n/n* of a process in which each value remembers the one before; of the correlation that is
 * measured in so few values, which is too small. */
static double memory_factor(double r1, double n)
{
    double r = fmin((n * r1 + 2) / (n - 4), 0.98);
    return r > 0 ? (1 + r) / (1 - r) : 1;
}

/* By how much serial correlation enlarges the variance: Hamed and Rao's n/n*, with the lags whose
 * correlation is significant at 5 %, or that of the first lag alone if it is larger. Never below 1:
 * a negative correlation must not make a trend surer. */
static double serial_factor(const double *residuals, size_t count)
{
    AUTO_UNCLEARED double ranks[TREND_POINTS_MAX];
    double n = (double)count, mean = (n + 1) / 2, all = 0, sum = 0, first = 1;
    rank(residuals, count, ranks);
    for (size_t i = 0; i < count; i++) {
        all += (ranks[i] - mean) * (ranks[i] - mean);
    }
    for (size_t lag = 1; all > 0 && lag < count - 2; lag++) {
        double r = 0;
        for (size_t i = 0; i + lag < count; i++) {
            r += (ranks[i] - mean) * (ranks[i + lag] - mean);
        }
        r /= all;
        double k = (double)lag;
        if (fabs(r) > 1.96 / sqrt(n)) {
            sum += (n - k) * (n - k - 1) * (n - k - 2) * r;
            first = lag == 1 ? memory_factor(r, n) : first;
        }
    }
    return fmax(first, 1 + 2 * sum / (n * (n - 1) * (n - 2)));
}

bool trend_of(const struct trend_point *points, size_t count, double z, struct trend *ret)
{
    ASSERT(count <= TREND_POINTS_MAX);
    AUTO_FREE double *slopes = malloc(PAIRS_MAX * sizeof(*slopes));
    AUTO_UNCLEARED double values[TREND_POINTS_MAX];
    AUTO_UNCLEARED double residuals[TREND_POINTS_MAX];
    NEED_MEMORY(slopes != NULL);
    size_t n = 0;
    for (size_t i = 0; count >= TREND_POINTS_MIN && i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            double step_s = points[i].at_s - points[k].at_s;
            if (step_s > 0) {
                slopes[n++] = (points[i].value - points[k].value) / step_s;
            }
        }
    }
    if (n == 0) {
        return false;
    }
    ret->slope = median(slopes, n);
    ret->last_s = points[count - 1].at_s;
    for (size_t i = 0; i < count; i++) {
        residuals[i] = points[i].value - ret->slope * (points[i].at_s - ret->last_s);
        values[i] = residuals[i];
    }
    ret->value = median(values, count);
    for (size_t i = 0; i < count; i++) {
        values[i] = points[i].value;
    }
    double c = z * sqrt(kendall_variance(values, count) * serial_factor(residuals, count));
    double low = floor(((double)n - c) / 2) - 1, high = ceil(((double)n + c) / 2);
    ret->lower = low < 0 ? -INFINITY : slopes[(size_t)low];
    ret->upper = high >= (double)n ? INFINITY : slopes[(size_t)high];
    return true;
}

double trend_reaches_s(const struct trend *trend, double limit)
{
    return trend->value >= limit ? 0
           : trend->slope <= 0   ? INFINITY
                                 : (limit - trend->value) / trend->slope;
}
