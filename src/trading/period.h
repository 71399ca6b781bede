/*
 * period.h: the days, weeks and months of a report, in its time zone. Private to this module.
 *
 *     struct period days[7];
 *     period_fill(zone, PERIOD_DAY, market_us, days, COUNT_OF(days));   // days[0] is today
 *
 * Always true: each period begins where the one after it in the list ends, and the first contains
 * now_us; a week begins on Monday.
 * Thread: any.
 */
#pragma once

#include "io/zone.h"

#include <stdint.h>

enum period_kind { PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH };

#define PERIODS_MAX 90

struct period {
    int64_t from_us;
    int64_t to_us;
    char name[24]; /* "2026-11-28": the day, or the Monday of the week; "2026-11" */
};

void period_fill(const struct zone *zone, enum period_kind kind, int64_t now_us, struct period *ret,
                 int count);
