/*
 * trend.h: whether a measured value rises or falls, how fast, and when it reaches a limit.
 *
 *     struct trend trend;
 *     if (trend_of(points, count, TREND_SURE, &trend) && trend.lower > 0)
 *         left_s = trend_reaches_s(&trend, 100);          // at the median slope
 *
 * The slope is that of Theil and Sen: the median of the slopes between all pairs of points, which
 * up to 29 % of outliers do not move (P. K. Sen, "Estimates of the regression coefficient based on
 * Kendall's tau", Journal of the American Statistical Association 63, 1968). Its interval is Sen's:
 * of the N sorted slopes those at the ranks (N - C) / 2 and (N + C) / 2 + 1, with C = z sqrt(V) and
 * V = n(n-1)(2n+5)/18 less the ties, Kendall's variance (R. O. Gilbert, "Statistical Methods for
 * Environmental Pollution Monitoring", 1987, 16.5). Both suppose that the points are independent,
 * which measurements a minute apart are not: V is multiplied by Hamed's and Rao's factor from the
 * autocorrelation of the ranks around the trend (K. H. Hamed and A. R. Rao, "A modified
 * Mann-Kendall trend test for autocorrelated data", Journal of Hydrology 204, 1998), or by
 * (1 + r)/(1 - r) of the first lag, if that is larger (N. C. Matalas and W. B. Langbein, Journal of
 * Geophysical Research 67, 1962; r corrected for its bias as in J. D. Salas and others, "Applied
 * Modeling of Hydrologic Time Series", 1980): Hamed's and Rao's is too small for a long memory.
 *
 * Always true: lower <= slope <= upper; too few points, or all at one time, give no trend at all.
 * Thread: any; a full set of points takes about a millisecond.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREND_POINTS_MAX 96
#define TREND_POINTS_MIN 12
#define TREND_SURE       3.2905 /* z of 99.9 %, two-sided */

struct trend_point {
    double at_s;
    double value;
};

struct trend {
    double slope; /* per second; the median */
    double lower, upper;
    double value;  /* at the last point, on the median line */
    double last_s; /* the time of the last point */
};

/* points in order of time; false if there are fewer than TREND_POINTS_MIN, or more than
 * TREND_POINTS_MAX (ASSERT). */
bool trend_of(const struct trend_point *points, size_t count, double z, struct trend *ret);
/* Seconds from the last point until the line reaches the limit; 0 if it is there, INFINITY if it
 * does not rise. */
double trend_reaches_s(const struct trend *trend, double limit);
