/*
 * mean.h: whether the mean of a sample is above zero, and its 95 % interval.
 *
 *     struct mean mean = {0};
 *     mean_add(&mean, saved_on_one_day);                  // one value for each day
 *     if (mean_p(&mean) < 0.05) mean_interval(&mean, &low, &high);
 *
 * Student's t with Hall's correction for skewed values (Hall 1992, "On the removal of skewness by
 * transformation"): wins that are rare and large do not make the others look like a loss. Values
 * must be independent: add trades up by day first, because trades of a day go together.
 * Thread: any (pure).
 */
#pragma once

#include <stdint.h>

struct mean {
    int64_t n;
    double sum;
    double squares;
    double cubes;
};

void mean_add(struct mean *mean, double value);
/* One-sided p-value against a mean of zero or below; 1 for fewer than three values. */
double mean_p(const struct mean *mean);
/* The mean and the 95 % interval of Student's t; the whole line for fewer than two values. */
double mean_interval(const struct mean *mean, double *ret_low, double *ret_high);
/* P(T > t) of Student's distribution, df > 0 degrees of freedom. Public for tests. */
double mean_student(double t, double df);
