/*
 * csv_text.h: times and numbers in the forms that exports have (private to market).
 *
 *     if (!csv_text_time(field, &open_us)) refuse(...);
 *     if (csv_text_plain(field, ',', true, plain)) value = plain;      // "1.234,5" -> "1234.5"
 */
#pragma once

#include "base/clock.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define CSV_TEXT_SIZE 64
/* 2200-01-01: a later time is a number in the wrong unit. */
#define CSV_TIME_END_US INT64_C(7258118400000000)

/* Digits with an optional fraction: seconds, milliseconds, microseconds or nanoseconds by
 * magnitude. *ret_unit is "s", "ms", "µs" or "ns". */
bool csv_text_unix(struct str s, int64_t *ret_us, const char **ret_unit);
/* Any form of a date with a time, in UTC: see csv.h. */
bool csv_text_time(struct str s, int64_t *ret_us);
/* "14:30", "14:30:00.5", "143000": a time without a date. */
bool csv_text_is_time_of_day(struct str s);

/* Rewrites a number without thousands separators and with a decimal point. A single separator such
 * as that of "1,234" is accepted only with grouped: it could be a decimal mark. */
bool csv_text_plain(struct str s, char decimal, bool grouped, char dst[CSV_TEXT_SIZE]);
