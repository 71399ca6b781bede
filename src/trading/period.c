#include "period.h"

#include "desk_internal.h"
#include "io/json_out.h"

#include <stdlib.h>
#include <string.h>

/* The first day of the period that contains `day`. 1970-01-01 was a Thursday. */
static int64_t first_day(enum period_kind kind, int64_t day)
{
    switch (kind) {
    case PERIOD_DAY:
        return day;
    case PERIOD_WEEK:
        return day - ((day + 3) % 7 + 7) % 7;
    case PERIOD_MONTH:
        return day - zone_date(day).day + 1;
    }
    return day;
}

static void add_name(enum period_kind kind, int64_t day, char *ret, size_t size)
{
    struct zone_date date = zone_date(day);
    int n = snprintf(ret, size, "%04lld-%02d", (long long)date.year, date.month);
    if (kind != PERIOD_MONTH && n > 0 && (size_t)n < size) {
        (void)snprintf(ret + n, size - (size_t)n, "-%02d", date.day);
    }
}

void period_fill(const struct zone *zone, enum period_kind kind, int64_t now_us, struct period *ret,
                 int count)
{
    int64_t day = first_day(kind, zone_local(zone, now_us).day);
    /* 31 days later is in the next month or, from its first day, never beyond it. */
    int64_t next = first_day(kind, kind == PERIOD_MONTH ? day + 31 : day + 7);
    next = kind == PERIOD_DAY ? day + 1 : next;
    for (int i = 0; i < count; i++) {
        ret[i].from_us = zone_day_start(zone, day);
        ret[i].to_us = i == 0 ? zone_day_start(zone, next) : ret[i - 1].from_us;
        add_name(kind, day, ret[i].name, sizeof(ret[i].name));
        day = first_day(kind, day - 1);
    }
}

int64_t desk_days_ago_us(struct desk *desk, int64_t days)
{
    int64_t today = zone_local(desk->zone, desk_market_us(desk)).day;
    return zone_day_start(desk->zone, today - days + 1);
}

/* "Time zone: Europe/Berlin (UTC+1)" */
void desk_zone_line(struct desk *desk, struct reply *r)
{
    AUTO_BUF struct buf utc = BUF_INIT(32);
    bool local = desk->zone_name[0] == '\0';
    int offset_s = zone_local(desk->zone, desk_market_us(desk)).offset_s;
    int minutes = abs(offset_s / 60);
    buf_add_c(&utc, "UTC");
    if (minutes > 0) {
        buf_addf(&utc, "%s%d", offset_s < 0 ? "−" : "+", minutes / 60);
    }
    if (minutes % 60 > 0) {
        buf_addf(&utc, ":%02d", minutes % 60);
    }
    if (strcmp(desk->zone_name, utc.data) == 0) {
        reply_line(r, "Time zone: UTC");
    } else {
        reply_line(r, "Time zone: %s (%s)", local ? "local" : desk->zone_name, utc.data);
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_text(&data, "timezone", local ? "local" : desk->zone_name);
    json_out_i64(&data, "utc_offset_s", offset_s);
}
