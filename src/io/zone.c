#include "io/zone.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "io/file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER          "/usr/share/zoneinfo/"
#define FILE_MAX        ((size_t)256 * 1024)
#define TRANSITIONS_MAX 4096
#define TYPES_MAX       256
#define HEADER_SIZE     44
#define DAY_S           INT64_C(86400)

/* Mm.w.d, Jn or n of a POSIX rule, and the local second of the day at which it applies. */
struct rule_day {
    char kind; /* 'M', 'J', or 'N' for a day from 0 */
    int month;
    int week;
    int day;
    int64_t at_s;
};

struct transition {
    int64_t at_s; /* UTC */
    int offset_s; /* from then on */
};

struct zone {
    int first_offset_s; /* before the first transition */
    bool has_rule;      /* for what follows the last transition */
    bool has_dst;
    int std_s;
    int dst_s;
    struct rule_day dst_begins;
    struct rule_day dst_ends;
    size_t count;
    struct transition transitions[];
};

static size_t zone_size(size_t count)
{
    return sizeof(struct zone) + count * sizeof(struct transition);
}

/* ---------------------------------------------------------------- the calendar */

/* Days since 1970-01-01 of the proleptic Gregorian calendar; month from 1. */
static int64_t day_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t in_era = y - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static int64_t year_of(int64_t day)
{
    int64_t year = 1970 + day / 366 - 1;
    while (day_of(year + 1, 1, 1) <= day) {
        year++;
    }
    return year;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

/* ---------------------------------------------------------------- the rule at the end */

static bool skip_name(struct str *s)
{
    size_t n = 0;
    if (s->len > 0 && s->ptr[0] == '<') {
        const char *end = memchr(s->ptr, '>', s->len);
        n = end == NULL ? 0 : (size_t)(end - s->ptr) + 1;
    } else {
        while (n < s->len && isalpha((unsigned char)s->ptr[n]) != 0) {
            n++;
        }
    }
    *s = str_n(s->ptr + n, s->len - n);
    return n >= 3;
}

static bool take_char(struct str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c) {
        return false;
    }
    *s = str_n(s->ptr + 1, s->len - 1);
    return true;
}

static bool take_number(struct str *s, int max, int *ret)
{
    int value = 0;
    size_t n = 0;
    while (n < s->len && n < 4 && isdigit((unsigned char)s->ptr[n]) != 0) {
        value = value * 10 + (s->ptr[n++] - '0');
    }
    *s = str_n(s->ptr + n, s->len - n);
    *ret = value;
    return n > 0 && value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct str *s, int64_t *ret_s)
{
    bool negative = take_char(s, '-');
    if (!negative) {
        (void)take_char(s, '+');
    }
    int hours = 0, minutes = 0, seconds = 0;
    if (!take_number(s, 167, &hours) || (take_char(s, ':') && !take_number(s, 59, &minutes)) ||
        (take_char(s, ':') && !take_number(s, 59, &seconds))) {
        return false;
    }
    int64_t total = (int64_t)hours * 3600 + minutes * 60 + seconds;
    *ret_s = negative ? -total : total;
    return true;
}

static bool take_day(struct str *s, struct rule_day *ret)
{
    *ret = (struct rule_day){.kind = 'N', .at_s = 7200};
    bool good;
    if (take_char(s, 'M')) {
        ret->kind = 'M';
        good = take_number(s, 12, &ret->month) && ret->month > 0 && take_char(s, '.') &&
               take_number(s, 5, &ret->week) && ret->week > 0 && take_char(s, '.') &&
               take_number(s, 6, &ret->day);
    } else {
        ret->kind = take_char(s, 'J') ? 'J' : 'N';
        good = take_number(s, 365, &ret->day);
    }
    return good && (!take_char(s, '/') || take_time(s, &ret->at_s));
}

/* "CET-1CEST,M3.5.0,M10.5.0/3": POSIX counts offsets west of Greenwich. */
static bool parse_rule(struct zone *zone, struct str s)
{
    int64_t west_s = 0;
    if (s.len == 0) {
        return true;
    }
    if (!skip_name(&s) || !take_time(&s, &west_s)) {
        return false;
    }
    zone->std_s = (int)-west_s;
    zone->has_rule = true;
    if (s.len == 0) {
        return true;
    }
    west_s -= 3600;
    if (!skip_name(&s) || (s.len > 0 && s.ptr[0] != ',' && !take_time(&s, &west_s)) ||
        !take_char(&s, ',') || !take_day(&s, &zone->dst_begins) || !take_char(&s, ',') ||
        !take_day(&s, &zone->dst_ends)) {
        return false;
    }
    zone->dst_s = (int)-west_s;
    zone->has_dst = true;
    return s.len == 0;
}

/* The local second, since 1970, at which the day of a rule comes in this year. */
static int64_t rule_s(const struct rule_day *rule, int64_t year)
{
    int64_t day;
    if (rule->kind == 'M') {
        int64_t first = day_of(year, rule->month, 1);
        int64_t weekday = (first + 4) % 7; /* 1970-01-01 was a Thursday */
        weekday = weekday < 0 ? weekday + 7 : weekday;
        day = first + (rule->day - weekday + 7) % 7 + (int64_t)(rule->week - 1) * 7;
        int64_t next =
            rule->month == 12 ? day_of(year + 1, 1, 1) : day_of(year, rule->month + 1, 1);
        day = day >= next ? day - 7 : day;
    } else if (rule->kind == 'J') { /* 1 to 365: February 29 has no number */
        day = day_of(year, 1, 1) + rule->day - 1 + (is_leap(year) && rule->day >= 60 ? 1 : 0);
    } else {
        day = day_of(year, 1, 1) + rule->day;
    }
    return day * DAY_S + rule->at_s;
}

static int rule_offset(const struct zone *zone, int64_t utc_s)
{
    if (!zone->has_dst) {
        return zone->std_s;
    }
    int64_t year = year_of(floor_div(utc_s + zone->std_s, DAY_S));
    int64_t begins = rule_s(&zone->dst_begins, year) - zone->std_s;
    int64_t ends = rule_s(&zone->dst_ends, year) - zone->dst_s;
    bool dst = begins < ends ? utc_s >= begins && utc_s < ends : utc_s >= begins || utc_s < ends;
    return dst ? zone->dst_s : zone->std_s;
}

/* ---------------------------------------------------------------- the file */

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big64(const uint8_t *p)
{
    return (int64_t)((uint64_t)big32(p) << 32 | big32(p + 4));
}

struct block {
    size_t times, types, chars, leaps, std, utc;
};

static bool read_header(const uint8_t *p, size_t left, struct block *ret)
{
    if (left < HEADER_SIZE || memcmp(p, "TZif", 4) != 0 || p[4] < '2') {
        return false;
    }
    ret->utc = big32(p + 20);
    ret->std = big32(p + 24);
    ret->leaps = big32(p + 28);
    ret->times = big32(p + 32);
    ret->types = big32(p + 36);
    ret->chars = big32(p + 40);
    return ret->times <= TRANSITIONS_MAX && ret->types > 0 && ret->types <= TYPES_MAX &&
           ret->chars <= 1024 && ret->leaps <= 1024 && ret->std <= TYPES_MAX &&
           ret->utc <= TYPES_MAX;
}

static size_t block_size(const struct block *b, size_t time_size)
{
    return b->times * (time_size + 1) + b->types * 6 + b->chars + b->leaps * (time_size + 4) +
           b->std + b->utc;
}

static bool parse(struct zone *zone, struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    size_t left = bytes.len;
    struct block old, b;
    if (!read_header(p, left, &old) || left < 2 * HEADER_SIZE + block_size(&old, 4)) {
        return false;
    }
    p += HEADER_SIZE + block_size(&old, 4);
    left -= HEADER_SIZE + block_size(&old, 4);
    if (!read_header(p, left, &b) || left < HEADER_SIZE + block_size(&b, 8)) {
        return false;
    }
    const uint8_t *times = p + HEADER_SIZE, *kinds = times + b.times * 8, *types = kinds + b.times;
    zone->count = b.times;
    zone->first_offset_s = (int)(int32_t)big32(types);
    for (size_t i = 0; i < b.times; i++) {
        if (kinds[i] >= b.types ||
            (i > 0 && big64(times + i * 8) <= zone->transitions[i - 1].at_s)) {
            return false;
        }
        zone->transitions[i].at_s = big64(times + i * 8);
        zone->transitions[i].offset_s = (int)(int32_t)big32(types + (size_t)kinds[i] * 6);
    }
    struct str footer = str_n((const char *)p + HEADER_SIZE + block_size(&b, 8),
                              left - HEADER_SIZE - block_size(&b, 8));
    struct str rule = str_trim(footer);
    return parse_rule(zone, rule);
}

static bool name_is_plain(const char *name)
{
    size_t len = strlen(name);
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_/";
    return len > 0 && len < 64 && name[0] != '/' && strspn(name, plain) == len;
}

int zone_load(const char *name, struct zone **ret, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(256);
    AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
    bool local = name[0] == '\0';
    if (!local && !name_is_plain(name)) {
        return err_set(err, ERR_ZONE_UNKNOWN, "%.63s", name);
    }
    buf_addf(&path, "%s%s", local ? "/etc/localtime" : FOLDER, name);
    struct zone *zone = calloc(1, zone_size(TRANSITIONS_MAX));
    ASSERT(zone != NULL);
    bool none = local && !file_exists(path.data); /* a machine without one has UTC */
    if (!none && (file_read(path.data, &bytes, err) < 0 || !parse(zone, buf_str(&bytes)))) {
        free(zone);
        return err_set(err, ERR_ZONE_UNKNOWN, "%.63s", local ? path.data : name);
    }
    *ret = realloc(zone, zone_size(zone->count));
    ASSERT(*ret != NULL);
    return 0;
}

void zone_free(struct zone *zone)
{
    free(zone);
}

static int offset_at(const struct zone *zone, int64_t utc_s)
{
    if (zone->count == 0 || utc_s < zone->transitions[0].at_s) {
        return zone->count == 0 && zone->has_rule ? rule_offset(zone, utc_s) : zone->first_offset_s;
    }
    if (zone->has_rule && utc_s >= zone->transitions[zone->count - 1].at_s) {
        return rule_offset(zone, utc_s);
    }
    size_t low = 0, high = zone->count;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (zone->transitions[mid].at_s <= utc_s) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return zone->transitions[low].offset_s;
}

struct zone_time zone_local(const struct zone *zone, int64_t wall_us)
{
    int64_t utc_s = floor_div(wall_us, USEC_PER_SEC);
    int offset_s = zone == NULL ? 0 : offset_at(zone, utc_s);
    int64_t local_s = utc_s + offset_s;
    int64_t day = floor_div(local_s, DAY_S);
    return (struct zone_time){
        .day = day, .minute_of_day = (int)((local_s - day * DAY_S) / 60), .offset_s = offset_s};
}

struct zone_date zone_date(int64_t day)
{
    int64_t year = year_of(day);
    int month = 12;
    while (month > 1 && day_of(year, month, 1) > day) {
        month--;
    }
    return (struct zone_date){
        .year = year, .month = month, .day = (int)(day - day_of(year, month, 1)) + 1};
}

int64_t zone_day(int64_t year, int month, int day)
{
    return day_of(year, month, day);
}

int64_t zone_day_start(const struct zone *zone, int64_t day)
{
    int64_t before_s = (day - 2) * DAY_S, start_s = (day + 2) * DAY_S;
    while (start_s - before_s > 1) {
        int64_t mid_s = before_s + (start_s - before_s) / 2;
        if (zone_local(zone, mid_s * USEC_PER_SEC).day >= day) {
            start_s = mid_s;
        } else {
            before_s = mid_s;
        }
    }
    return start_s * USEC_PER_SEC;
}

int zone_parse_minute(const char *text)
{
    struct str s = str_c(text);
    int hours = 0, minutes = 0;
    bool good = take_number(&s, 23, &hours) && take_char(&s, ':') && s.len == 2 &&
                take_number(&s, 59, &minutes) && s.len == 0;
    return good ? hours * 60 + minutes : -1;
}

bool zone_parse_week(const char *text, struct zone_week *ret)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (int i = 0; i < 7; i++) {
        if (strncmp(text, days[i], 3) == 0 && text[3] == ' ') {
            *ret = (struct zone_week){.weekday = i, .minute_of_day = zone_parse_minute(text + 4)};
            return ret->minute_of_day >= 0;
        }
    }
    return false;
}

int64_t zone_week_day(struct zone_time now, struct zone_week at)
{
    const int64_t thursday = 3; /* 1970-01-01 */
    int64_t day = now.minute_of_day >= at.minute_of_day ? now.day : now.day - 1;
    int64_t weekday = ((day + thursday) % 7 + 7) % 7;
    return day - (weekday - at.weekday + 7) % 7;
}

void zone_label(const struct zone *zone, const char *name, int64_t wall_us,
                char ret[ZONE_LABEL_SIZE])
{
    int minutes = zone_local(zone, wall_us).offset_s / 60;
    const char *slash = strrchr(name, '/');
    if (name[0] != '\0') {
        (void)str_copy(str_c(slash == NULL ? name : slash + 1), ret, ZONE_LABEL_SIZE);
    } else if (minutes == 0) {
        (void)str_copy(str_c("UTC"), ret, ZONE_LABEL_SIZE);
    } else {
        (void)snprintf(ret, ZONE_LABEL_SIZE, minutes % 60 == 0 ? "UTC%+d" : "UTC%+d:%02d",
                       minutes / 60, abs(minutes % 60));
    }
    for (char *c = ret; *c != '\0'; c++) {
        *c = *c == '_' ? ' ' : *c;
    }
}
