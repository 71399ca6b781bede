/*
 * fresh.h: the greatest age an update can have. Private to this module.
 *
 *     struct fresh now = fresh_now(clock, answer->date_us);
 *     age_us = fresh_press_age_us(&empty, &now, message_date_us);
 *     age_us = fresh_message_age_us(message_date_us, &now);
 *
 * Telegram dates a message, but not a button press. A press was made after our queue at Telegram
 * was last seen empty, so the time of that is kept, also across restarts. Three clocks measure how
 * long ago it was: our wall clock, our monotonic clock, and Telegram's, which is the Date header of
 * its answers. A wall clock can be set; a monotonic clock stops while the machine sleeps and is
 * meaningless after a restart. So the clock that gives the greatest age counts. Always true:
 * setting this machine's clock back never makes an update younger; an unknown age is
 * FRESH_UNKNOWN_US, the greatest. Thread: any.
 */
#pragma once

#include "base/clock.h"

#include <stdint.h>

#define FRESH_UNKNOWN_US INT64_MAX

struct fresh {
    int64_t wall_us; /* this machine's wall clock; 0: unknown */
    int64_t mono_us; /* 0: recorded by another process */
    int64_t date_us; /* Telegram's clock, whole seconds; 0: the answer had no Date header */
};

struct fresh fresh_now(const struct clock *clock, int64_t date_us);
/* Time from `since` to `now`. FRESH_UNKNOWN_US when no clock can measure it. */
int64_t fresh_age_us(const struct fresh *since, const struct fresh *now);
/* Age of a message with Telegram's date; never negative. */
int64_t fresh_message_age_us(int64_t message_us, const struct fresh *now);
/* Age of a press: it was made after the queue was empty and after the message with the button. */
int64_t fresh_press_age_us(const struct fresh *empty, const struct fresh *now, int64_t message_us);
