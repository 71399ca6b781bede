/*
 * window.h: the last WINDOW_BARS closed bars of one timeframe, newest first.
 *
 *     window_push(&window, &bar);
 *     for (int back = 0; back < window_count(&window); back++) {
 *         use(window_at(&window, back));   // 0 is the newest
 *     }
 *
 * Invariants: a plain value; all zero is empty; pushing and reading are O(1); closed bars only.
 * Thread: one at a time per value.
 */
#pragma once

#include "market/bar.h"

#define WINDOW_BARS 200

struct window {
    int count; /* held, up to WINDOW_BARS */
    int head;  /* where the next one is written, over the oldest */
    struct bar bars[WINDOW_BARS];
};

static inline void window_push(struct window *window, const struct bar *bar)
{
    window->bars[window->head] = *bar;
    window->head = window->head + 1 == WINDOW_BARS ? 0 : window->head + 1;
    window->count += window->count < WINDOW_BARS;
}

static inline int window_count(const struct window *window)
{
    return window->count;
}

/* back 0 is the newest; NULL when fewer bars are held. */
static inline const struct bar *window_at(const struct window *window, int back)
{
    if (back < 0 || back >= window->count) {
        return NULL;
    }
    int at = window->head - 1 - back;
    return &window->bars[at < 0 ? at + WINDOW_BARS : at];
}
