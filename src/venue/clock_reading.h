/*
 * clock_reading.h: reads a venue's clock from its answers about the time. Such an answer was made
 * somewhere between question and arrival, so half of its way is all that it can be wrong by: one
 * that took long is asked again, and the quickest counts.
 *
 *     if (clock_reading_add(&reading, theirs_us, asked_mono_us, now_mono_us)) {
 *         offset_us = reading.offset_us;       // and the next reading begins
 *     } else …                                 // ask again
 *     clock_reading_drop(&reading);            // no answer: what was heard before is old
 *
 * Always true: a reading is off by CLOCK_READING_OFF_US at most, unless all of its
 * CLOCK_READING_TRIES answers were slow. Thread: any.
 */
#pragma once

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_READING_OFF_US USEC_PER_SEC
#define CLOCK_READING_TRIES  4

struct clock_reading {
    int answers;        /* 0: none yet */
    int64_t elapsed_us; /* of the quickest of them */
    int64_t offset_us;  /* by it: the venue's clock less our monotonic one */
};

/* True: the reading is over. */
static inline bool clock_reading_add(struct clock_reading *r, int64_t theirs_us,
                                     int64_t asked_mono_us, int64_t now_mono_us)
{
    int64_t elapsed_us = now_mono_us - asked_mono_us;
    if (r->answers == 0 || elapsed_us < r->elapsed_us) {
        r->elapsed_us = elapsed_us;
        r->offset_us = theirs_us - (asked_mono_us + elapsed_us / 2);
    }
    r->answers++;
    if (r->elapsed_us > 2 * CLOCK_READING_OFF_US && r->answers < CLOCK_READING_TRIES) {
        return false;
    }
    r->answers = 0;
    return true;
}

static inline void clock_reading_drop(struct clock_reading *r)
{
    r->answers = 0;
}
