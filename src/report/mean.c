#include "report/mean.h"

#include <math.h>

#define FRACTION_TERMS 300
#define FRACTION_END   1e-14
#define HALVINGS       60

void mean_add(struct mean *m, double value)
{
    m->n++;
    m->sum += value;
    m->squares += value * value;
    m->cubes += value * value * value;
}

/* The regularised incomplete beta function for x < (a + 1) / (a + b + 2), by its continued fraction
 * (Lentz 1976). */
static double beta_fraction(double a, double b, double x)
{
    int sign; /* lgamma would write a global */
    double front = exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) +
                       a * log(x) + b * log1p(-x)) /
                   a;
    double c = 1;
    double d = 1 / (1 - (a + b) * x / (a + 1));
    double result = d;
    for (int m = 1; m < FRACTION_TERMS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        result *= c * d;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        result *= c * d;
        if (fabs(c * d - 1) < FRACTION_END) {
            break;
        }
    }
    return front * result;
}

double mean_student(double t, double df)
{
    double x = df / (df + t * t);
    double a = df / 2, b = 0.5;
    double both = x >= 1                      ? 1
                  : x < (a + 1) / (a + b + 2) ? beta_fraction(a, b, x)
                                              : 1 - beta_fraction(b, a, 1 - x);
    return t >= 0 ? both / 2 : 1 - both / 2;
}

/* Of n - 1; 0 if all values are equal but for rounding. */
static double deviation(const struct mean *m)
{
    double n = (double)m->n, mean = m->sum / n;
    double variance = (m->squares - n * mean * mean) / (n - 1);
    return variance > 1e-12 * m->squares / n ? sqrt(variance) : 0;
}

double mean_p(const struct mean *m)
{
    if (m->n < 3) {
        return 1;
    }
    double n = (double)m->n, mean = m->sum / n, s = deviation(m);
    if (s <= 0) {
        return 1; /* equal values are no sample of anything that varies */
    }
    double third = m->cubes / n - 3 * mean * m->squares / n + 2 * mean * mean * mean;
    double skew = third / (s * s * s), root = sqrt(n);
    double t = root * mean / s;
    double corrected =
        t + skew * t * t / (3 * root) + skew * skew * t * t * t / (27 * n) + skew / (6 * root);
    return mean_student(corrected, n - 1);
}

double mean_interval(const struct mean *m, double *ret_low, double *ret_high)
{
    double mean = m->n > 0 ? m->sum / (double)m->n : 0;
    *ret_low = -INFINITY;
    *ret_high = INFINITY;
    if (m->n < 2) {
        return mean;
    }
    double low = 0, high = 1000; /* of t; one degree of freedom has 12.7 */
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (low + high) / 2;
        if (mean_student(middle, (double)m->n - 1) > 0.025) {
            low = middle;
        } else {
            high = middle;
        }
    }
    double half = high * deviation(m) / sqrt((double)m->n);
    *ret_low = mean - half;
    *ret_high = mean + half;
    return mean;
}
