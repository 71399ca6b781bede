/*
 * fresh.h: how old an update may be. Private to this module.
 *
 *     struct fresh now = fresh_now(clock, answer->date_us);
 *     age_us = fresh_press_age_us(&empty, &now, message_date_us);
 *     age_us = fresh_message_age_us(message_date_us, &now);
 *
 * Telegram dates a message, but not a button press. All that is known of a press is that it was
 * made after our queue at Telegram was last seen empty, so that moment is kept, also over a
 * restart. Three clocks tell how long ago that is: ours (wall and monotonic) and Telegram's, which
 * is the Date header of its answers. A wall clock may be set, a monotonic one stands still while
 * the machine sleeps and means nothing after a restart: the clock that makes an update older
 * counts. Always true: an age is never understated by a clock of this machine that is set back;
 * what cannot be told is FRESH_UNKNOWN_US, as old as can be. Thread: any.
 */
#pragma once

#include "base/clock.h"

#include <stdint.h>

#define FRESH_UNKNOWN_US INT64_MAX

struct fresh {
    int64_t wall_us; /* of this machine; 0: not known */
    int64_t mono_us; /* 0: of another process */
    int64_t date_us; /* of Telegram, in whole seconds; 0: its answer had none */
};

struct fresh fresh_now(const struct clock *clock, int64_t date_us);
/* From `since` to `now`. FRESH_UNKNOWN_US when no clock can tell. */
int64_t fresh_age_us(const struct fresh *since, const struct fresh *now);
/* Of a message that Telegram dated; 0 or above. */
int64_t fresh_message_age_us(int64_t message_us, const struct fresh *now);
/* Of a press: it came after the queue was empty, and after the message under which the button
 * stands. */
int64_t fresh_press_age_us(const struct fresh *empty, const struct fresh *now, int64_t message_us);
