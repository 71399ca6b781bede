/*
 * clock.h: the only source of the time, so that tests and the simulator can control it.
 *
 *     struct clock *clock = clock_real();
 *     int64_t started_us = clock_mono_us(clock);
 *
 * Units: microseconds. wall counts from 1970-01-01 UTC and may jump; mono never decreases and has
 * an arbitrary origin. The two are never mixed, so variables are named …_wall_us and …_mono_us; a
 * point in time named just …_us is wall time.
 * Thread: clock_real() from any; a fake belongs to one thread.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define USEC_PER_MSEC INT64_C(1000)
#define USEC_PER_SEC  INT64_C(1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY  (24 * USEC_PER_HOUR)

struct clock {
    int64_t (*wall_us)(const struct clock *clock);
    int64_t (*mono_us)(const struct clock *clock);
};

struct clock *clock_real(void);

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock);
}

static inline int64_t clock_mono_us(const struct clock *clock)
{
    return clock->mono_us(clock);
}

/* A clock that moves only when it is advanced. Pass &fake.clock. */
struct clock_fake {
    struct clock clock;
    int64_t now_wall_us;
    int64_t now_mono_us;
};

void clock_fake_init(struct clock_fake *fake, int64_t wall_us);
void clock_fake_advance(struct clock_fake *fake, int64_t by_us);   /* both; by_us >= 0 */
void clock_fake_jump_wall(struct clock_fake *fake, int64_t by_us); /* by_us may be < 0 */

/* "2026-11-21T02:36:58Z", with ".123456" before the Z when micro is set. UTC. */
void clock_add_iso(struct buf *out, int64_t wall_us, bool micro);
/* For people: "04:15:21" on the UTC day of now_us, else "2026-11-20 04:15". */
void clock_add_when(struct buf *out, int64_t wall_us, int64_t now_us);
/* Parses "2026-11-21", optionally followed by " " or "T" and a time with optional seconds, fraction
 * and Z. A fraction has one to nine digits; digits beyond microseconds are dropped. */
bool clock_parse_iso(struct str s, int64_t *ret_wall_us);
/* Parses the date of an HTTP header, "Sat, 21 Nov 2026 02:36:58 GMT" (RFC 9110, IMF-fixdate only).
 */
bool clock_parse_http(struct str s, int64_t *ret_wall_us);
/* "850 ms", "12 s", "4 min 2 s", "3 h 5 min", "2 d 4 h": the two largest units, or one unit below
 * a minute; truncated, not rounded. */
void clock_add_duration(struct buf *out, int64_t duration_us);
