/*
 * rate.h: limits how many commands a user may send per minute. Private to this module.
 *
 *     switch (rate_accept(rate, &who, now_mono_us)) { case RATE_PASS: ... }
 *
 * Each user has a token bucket that holds the commands of one minute and refills evenly. When it is
 * empty, the first command gets RATE_NOTIFY and the following ones RATE_DROP until the bucket is
 * half full again, so that a flood is answered once.
 * Invariants: at most RATE_PEOPLE_MAX buckets; a new user replaces the least recent one.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"

#include <stdint.h>

#define RATE_PEOPLE_MAX 64

enum rate_result { RATE_PASS, RATE_NOTIFY, RATE_DROP };

struct rate_bucket {
    bool used;
    enum channel channel;
    int64_t id;
    int64_t at_mono_us; /* of the last refill */
    int64_t credit_us;  /* each command costs a minute / per_minute */
    bool notified;
};

struct rate {
    int64_t per_minute; /* 0: no limit */
    struct rate_bucket people[RATE_PEOPLE_MAX];
};

enum rate_result rate_accept(struct rate *rate, const struct principal *who, int64_t now_mono_us);
