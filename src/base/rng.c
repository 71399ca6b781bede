#include "base/rng.h"

#include "base/check.h"

#include <math.h>

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void rng_init(struct rng *rng, uint64_t seed)
{
    /* splitmix64: the four words are never all zero, for any seed. */
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        rng->s[i] = z ^ (z >> 31);
    }
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    ASSERT(bound > 0);
    /* The lowest 2^64 mod bound values would favour small results and are rejected. Each draw is
     * rejected with probability below 1/2, so 128 rejections in a row mean a broken generator. */
    uint64_t threshold = (0 - bound) % bound;
    for (int turn = 0; turn < 128; turn++) {
        uint64_t value = rng_u64(rng);
        if (value >= threshold) {
            return value % bound;
        }
    }
    UNREACHABLE();
}

double rng_double(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1.0p-53;
}

/* ln(x) for x > 0, from operations that IEEE 754 rounds exactly. libm's log may differ in the last
 * bit between machines (it selects an implementation by processor), and one bit is enough for the
 * same seed to give different trades. */
static double portable_log(double x)
{
    int exponent;
    double m = frexp(x, &exponent);
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    double s = (m - 1) / (m + 1); /* |s| < 0.172, ln(m) = 2 artanh(s) */
    double square = s * s;
    double sum = 0;
    for (int n = 21; n >= 1; n -= 2) {
        sum = sum * square + 1.0 / n;
    }
    return 2 * s * sum + exponent * 0.69314718055994530942;
}

double rng_normal(struct rng *rng)
{
    /* Marsaglia's polar method. The second value of the pair is discarded, so that the state is
     * only the four words. A point is outside the circle with probability 0.215. */
    for (int turn = 0; turn < 128; turn++) {
        double u = 2 * rng_double(rng) - 1;
        double v = 2 * rng_double(rng) - 1;
        double square = u * u + v * v;
        if (square > 0 && square < 1) {
            return u * sqrt(-2 * portable_log(square) / square);
        }
    }
    UNREACHABLE();
}

bool rng_chance(struct rng *rng, double probability)
{
    return rng_double(rng) < probability;
}
