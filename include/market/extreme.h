/*
 * extreme.h: the highest or the lowest of the last values, streaming: Donchian channels, and what
 * the stochastic and Williams %R measure against.
 *
 *     struct extreme high;
 *     extreme_init(&high, 20, EXTREME_HIGHEST);
 *     extreme_push(&high, bar.high);
 *     if (extreme_ready(&high)) use(extreme_value(&high));
 *
 * A queue of candidates: a value leaves when a later one is at least as extreme, or when it is too
 * old, so that the front is the answer.
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
    unsigned first; /* of the queue; both only grow and are cut to a place when used */
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
