/*
 * window.h: one item of alerts.maintenance, as values: a window of maintenance that comes back on
 * some days, or is once.
 *
 *     struct config_window w;
 *     if (config_window_parse("sat,sun 02:00-04:00 prediction in Europe/Berlin", &w) &&
 *         config_window_left(&w, zone_local(zone, now_us)) > 0) ...
 *
 * Thread: any.
 */
#pragma once

#include "io/zone.h"

#include <stdbool.h>
#include <stdint.h>

struct config_window {
    unsigned days; /* on which it begins: bits 1u << weekday, from 0: Monday. 0: it is once */
    int64_t first_day, last_day; /* of one that is once: local days since 1970-01-01 */
    int from, to;                /* minutes of the day; to <= from: it ends on the next day */
    char services[128];          /* "demo,web"; "": the whole desk */
    char zone[48];               /* "": alerts.timezone */
};

/* "[DAYS ]FROM-TO[ SERVICES][ in ZONE]", with DAYS such as mon,wed or a date such as 2026-12-24; or
 * "DATE FROM to DATE TO[ SERVICES][ in ZONE]". */
bool config_window_parse(const char *text, struct config_window *ret);
/* How many minutes are left of it, counting the one that has begun; 0: it is not on. */
int64_t config_window_left(const struct config_window *window, struct zone_time now);
/* Whether it is for this service; NULL: for the whole desk. */
bool config_window_covers(const struct config_window *window, const char *service);
