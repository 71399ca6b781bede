/*
 * percentile.h: the 99th percentile of the last 1024 durations.
 *
 *     percentile_push(&p, ns);
 *     snapshot.step_p99_ns = percentile_p99(&p);
 *
 * Durations are counted in buckets of 1/8 of a power of two, so the result is at most 12.5 % too
 * high.
 * Invariants: a plain value, zero is empty; O(1) per push; no allocation.
 * Thread: one at a time per value.
 */
#pragma once

#include <stdint.h>

#define PERCENTILE_SAMPLES 1024
#define PERCENTILE_BUCKETS 512

struct percentile {
    uint16_t counts[PERCENTILE_BUCKETS];
    uint16_t samples[PERCENTILE_SAMPLES]; /* a ring of bucket numbers */
    uint32_t pushed;
};

void percentile_push(struct percentile *p, int64_t ns);
int64_t percentile_p99(const struct percentile *p); /* 0 when empty */
