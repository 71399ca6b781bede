/*
 * rng.h: seeded random numbers, identical on every machine. Not for secrets (see io/secret.h).
 *
 *     struct rng rng;
 *     rng_init(&rng, seed);
 *     double step = rng_normal(&rng);
 *
 * xoshiro256** seeded through splitmix64 (Blackman and Vigna, 2018, "Scrambled linear
 * pseudorandom number generators"). The state is a plain value: copy it to save or fork a stream.
 * Thread: one at a time per rng.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_u64(struct rng *rng);
/* Uniform in [0, bound), without modulo bias; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* Uniform in [0, 1), 53 bits. */
double rng_double(struct rng *rng);
/* Standard normal. */
double rng_normal(struct rng *rng);
/* True with the given probability. */
bool rng_chance(struct rng *rng, double probability);
