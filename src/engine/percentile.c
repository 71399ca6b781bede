#include "percentile.h"

static unsigned bucket_of(int64_t ns)
{
    uint64_t v = ns < 8 ? 8 : (uint64_t)ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(v);
    return power * 8 + (unsigned)(v >> (power - 3) & 7);
}

void percentile_push(struct percentile *p, int64_t ns)
{
    uint16_t *slot = &p->samples[p->pushed % PERCENTILE_SAMPLES];
    if (p->pushed >= PERCENTILE_SAMPLES) {
        p->counts[*slot]--;
    }
    *slot = (uint16_t)bucket_of(ns);
    p->counts[*slot]++;
    /* Wraps to a full ring, never back to an empty one. */
    p->pushed = p->pushed + 1 == 0 ? PERCENTILE_SAMPLES : p->pushed + 1;
}

int64_t percentile_p99(const struct percentile *p)
{
    uint32_t count = p->pushed < PERCENTILE_SAMPLES ? p->pushed : PERCENTILE_SAMPLES;
    uint32_t above = count / 100; /* how many may be above the result */
    for (unsigned b = PERCENTILE_BUCKETS; b-- > 0;) {
        if (p->counts[b] > above) {
            /* The bucket's upper end. */
            uint64_t top = (uint64_t)(8 + b % 8 + 1) << (b / 8 - 3);
            return (int64_t)(top - 1);
        }
        above -= p->counts[b];
    }
    return 0;
}
