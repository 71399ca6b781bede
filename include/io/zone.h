/*
 * zone.h: time zones of the system's database (tzdata), without touching the zone of the process.
 *
 *     struct zone *zone = NULL;
 *     rc = zone_load("Europe/Berlin", &zone, err);          // "": that of this machine
 *     struct zone_time local = zone_local(zone, clock_wall_us(clock));
 *     if (local.minute_of_day >= 22 * 60) ...
 *     zone_free(zone);
 *
 * Always true: a loaded zone knows every instant: after the last transition of its file the rule at
 * the end of the file applies (RFC 9636). Thread: load anywhere (it reads a small file); then
 * read-only from any.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct zone;

struct zone_time {
    int64_t day; /* since 1970-01-01, of the local calendar */
    int minute_of_day;
    int offset_s; /* local time minus UTC */
};

/* ERR_ZONE_UNKNOWN. */
int zone_load(const char *name, struct zone **ret, struct err *err);
void zone_free(struct zone *zone);
struct zone_time zone_local(const struct zone *zone, int64_t wall_us); /* zone NULL: UTC */

/* The name for people, beside a time: "Berlin"; of the machine's zone (name "") "UTC+1". */
#define ZONE_LABEL_SIZE 64
void zone_label(const struct zone *zone, const char *name, int64_t wall_us,
                char ret[ZONE_LABEL_SIZE]);

/* A date of the Gregorian calendar. */
struct zone_date {
    int64_t year;
    int month; /* from 1 */
    int day;   /* from 1 */
};
struct zone_date zone_date(int64_t day);                      /* of a day since 1970-01-01 */
int64_t zone_day(int64_t year, int month, int day);           /* the reverse */
int64_t zone_day_start(const struct zone *zone, int64_t day); /* wall µs; zone NULL: UTC */

/* "HH:MM" as a minute of the day, 0 to 1439; -1 if it is something else. */
int zone_parse_minute(const char *text);

/* A time of the week. */
struct zone_week {
    int weekday; /* from 0: Monday */
    int minute_of_day;
};
/* "mon 08:00"; false if it is something else. */
bool zone_parse_week(const char *text, struct zone_week *ret);
/* The newest local day on which that time has come. */
int64_t zone_week_day(struct zone_time now, struct zone_week at);
