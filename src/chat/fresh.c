#include "fresh.h"

/* Telegram's dates are whole seconds, and clocks differ slightly. */
#define SLACK_US USEC_PER_MIN

struct fresh fresh_now(const struct clock *clock, int64_t date_us)
{
    return (struct fresh){
        .wall_us = clock_wall_us(clock), .mono_us = clock_mono_us(clock), .date_us = date_us};
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t fresh_age_us(const struct fresh *since, const struct fresh *now)
{
    int64_t age_us = -1;
    if (since->mono_us > 0 && now->mono_us >= since->mono_us) {
        age_us = now->mono_us - since->mono_us;
    }
    if (since->date_us > 0 && now->date_us >= since->date_us) {
        age_us = larger(age_us, now->date_us - since->date_us);
    }
    /* A wall clock earlier than `since` was set back and measures nothing. */
    if (since->wall_us > 0 && now->wall_us >= since->wall_us) {
        age_us = larger(age_us, now->wall_us - since->wall_us);
    }
    return age_us < 0 ? FRESH_UNKNOWN_US : age_us;
}

/* Negative for a date in the future. */
static int64_t message_age_us(int64_t message_us, const struct fresh *now)
{
    int64_t age_us = now->wall_us - message_us;
    return now->date_us > 0 ? larger(age_us, now->date_us - message_us) : age_us;
}

int64_t fresh_message_age_us(int64_t message_us, const struct fresh *now)
{
    return message_us <= 0 ? FRESH_UNKNOWN_US : larger(message_age_us(message_us, now), 0);
}

int64_t fresh_press_age_us(const struct fresh *empty, const struct fresh *now, int64_t message_us)
{
    int64_t gap_us = fresh_age_us(empty, now);
    int64_t bound_us = message_us <= 0 ? FRESH_UNKNOWN_US : message_age_us(message_us, now);
    /* A date in the future means that a clock is wrong, so it gives no bound. */
    bound_us = bound_us < -SLACK_US ? FRESH_UNKNOWN_US : larger(bound_us, 0);
    return gap_us < bound_us ? gap_us : bound_us;
}
