/*
 * extreme.h: the highest or the lowest of the last values, streaming: Donchian channels, and the
 * range of the stochastic oscillator and Williams %R.
 *
 *     struct extreme high;
 *     extreme_init(&high, 20, EXTREME_HIGHEST);
 *     extreme_push(&high, bar.high);
 *     if (extreme_ready(&high)) use(extreme_value(&high));
 *
 * A queue of candidates: a value is removed when a later one is at least as extreme, or when it is
 * older than the period. The front is therefore the extreme.
 * Invariants: a plain value; O(1) a push on average; no allocation. Thread: one at a time per
 * value.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define EXTREME_MAX 32

enum extreme_side { EXTREME_HIGHEST, EXTREME_LOWEST };

struct extreme {
    int period;
    enum extreme_side side;
    int64_t pushed;
    unsigned first; /* of the queue; first and end only grow, their index is modulo EXTREME_MAX */
    unsigned end;
    struct extreme_candidate {
        int64_t index;
        double value;
    } queue[EXTREME_MAX];
};

void extreme_init(struct extreme *e, int period, enum extreme_side side); /* 1..EXTREME_MAX */
void extreme_push(struct extreme *e, double x);
bool extreme_ready(const struct extreme *e);
double extreme_value(const struct extreme *e); /* 0 before it is ready */
