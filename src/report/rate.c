#include "report/rate.h"

#include <math.h>

void rate_wilson(int64_t k, int64_t n, double *ret_low, double *ret_high)
{
    const double z = 1.959963984540054; /* 97.5 % point of the normal distribution */
    double count = (double)n;
    double p = (double)k / count;
    double centre = p + z * z / (2 * count);
    double half = z * sqrt(p * (1 - p) / count + z * z / (4 * count * count));
    double scale = 1 + z * z / count;
    *ret_low = fmax(0, (centre - half) / scale);
    *ret_high = fmin(1, (centre + half) / scale);
}

void rate_add(struct json_out *out, const char *key, int64_t k, int64_t n)
{
    json_out_object(out, key);
    json_out_i64(out, "k", k);
    json_out_i64(out, "n", n);
    if (n > 0) {
        double low = 0;
        double high = 0;
        rate_wilson(k, n, &low, &high);
        json_out_rounded(out, "pct", 100 * (double)k / (double)n, 2);
        json_out_rounded(out, "low_pct", 100 * low, 2);
        json_out_rounded(out, "high_pct", 100 * high, 2);
    }
    json_out_end(out);
}

double rate_p(int64_t k, int64_t n, int64_t other_k, int64_t other_n)
{
    if (n < RATE_FEW_SAMPLES || other_n < RATE_FEW_SAMPLES) {
        return 1;
    }
    double a = (double)n;
    double b = (double)other_n;
    double pooled = (double)(k + other_k) / (a + b);
    double variance = pooled * (1 - pooled) * (1 / a + 1 / b);
    if (variance <= 0) {
        return 1;
    }
    double apart = fabs((double)k / a - (double)other_k / b) - (1 / a + 1 / b) / 2;
    return apart <= 0 ? 1 : erfc(apart / sqrt(variance) / sqrt(2));
}
