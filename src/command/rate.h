/*
 * rate.h: how many commands a person may send in a minute. Private to this room.
 *
 *     switch (rate_accept(rate, &who, now_mono_us)) { case RATE_PASS: ... }
 *
 * A token bucket a person: full at a minute's worth, refilled evenly. RATE_NOTIFY comes once when
 * the bucket runs dry and not again before it was half full, RATE_DROP for what follows, so that a
 * flood is answered once. Invariants: bounded (RATE_PEOPLE_MAX; the one silent for longest is
 * forgotten). Thread: ops.
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
