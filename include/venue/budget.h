/*
 * budget.h: how many requests a venue takes: a level that each request raises by its weight, and
 * that falls with time.
 *
 *     struct budget budget = {.limit = 3000, .falls_per_s = 50};
 *     int64_t wait_us = budget_wait_us(&budget, weight, now_mono_us);
 *     if (wait_us == 0) budget_take(&budget, weight, now_mono_us), send();
 *
 * A venue that counts in windows of a minute gets half of its number as limit, which falls in a
 * minute: then no window holds more than the number. What the venue reports as used counts if it is
 * more, because other programs may share the address. Thread: one at a time per budget.
 */
#pragma once

#include <stdint.h>

struct budget {
    int64_t limit;       /* largest level; a weight is never above it */
    int64_t falls_per_s; /* above 0 */
    double level;
    int64_t at_mono_us;     /* of the level */
    int64_t closed_mono_us; /* nothing is sent before it */
};

/* 0: it may be sent now. */
int64_t budget_wait_us(struct budget *budget, int64_t weight, int64_t now_mono_us);
void budget_take(struct budget *budget, int64_t weight, int64_t now_mono_us);
/* The venue's own count. */
void budget_used(struct budget *budget, int64_t used, int64_t now_mono_us);
/* The venue wants a pause. */
void budget_close(struct budget *budget, int64_t until_mono_us);
