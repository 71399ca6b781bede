#include "config/window.h"

#include "base/check.h"
#include "base/str.h"

#include <string.h>

#define DAY_MIN   1440
#define EVERY_DAY 0x7fu

static bool parse_weekday(struct str text, unsigned *days)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(text, names[i])) {
            *days |= 1u << i;
            return true;
        }
    }
    return false;
}

/* "sat", "mon,wed", "mon-fri" */
static bool parse_days(struct str list, unsigned *ret)
{
    struct str part;
    *ret = 0;
    while (str_split(&list, ',', &part)) {
        struct str first;
        unsigned from = 0, to = 0;
        if (!str_split(&part, '-', &first) || !parse_weekday(first, &from) ||
            (part.len > 0 && !parse_weekday(part, &to))) {
            return false;
        }
        *ret |= from;
        for (unsigned day = from; to != 0 && day != to;) {
            day = day == 1u << 6 ? 1u : day << 1;
            *ret |= day;
        }
    }
    return *ret != 0;
}

/* "2026-12-24" */
static bool parse_date(struct str text, int64_t *ret)
{
    struct str year, month;
    int64_t y = 0, m = 0, d = 0;
    if (!str_split(&text, '-', &year) || !str_split(&text, '-', &month) || !str_to_i64(year, &y) ||
        !str_to_i64(month, &m) || !str_to_i64(text, &d) || y < 2000 || y > 9999 || m < 1 ||
        m > 12 || d < 1 || d > 31) {
        return false;
    }
    *ret = zone_day(y, (int)m, (int)d);
    return zone_date(*ret).month == (int)m; /* not 2026-02-30 */
}

static bool parse_minute(struct str text, int *ret)
{
    char time[8];
    *ret = str_copy(text, time, sizeof(time)) ? zone_parse_minute(time) : -1;
    return *ret >= 0;
}

/* "02:00-04:00" */
static bool parse_hours(struct str text, struct config_window *ret)
{
    struct str from;
    return str_split(&text, '-', &from) && parse_minute(from, &ret->from) &&
           parse_minute(text, &ret->to) && ret->from != ret->to;
}

/* What follows the times. */
static bool parse_rest(struct str rest, struct config_window *ret)
{
    struct str word;
    bool in = false;
    while (str_word(&rest, &word)) {
        if (in && ret->zone[0] == '\0') {
            if (!str_copy(word, ret->zone, sizeof(ret->zone))) {
                return false;
            }
        } else if (!in && str_equal_c(word, "in")) {
            in = true;
        } else if (in || ret->services[0] != '\0' ||
                   !str_copy(word, ret->services, sizeof(ret->services))) {
            return false;
        }
    }
    return !in || ret->zone[0] != '\0';
}

/* "22:00 to 2026-12-26 06:00", after the first date. */
static bool parse_until(struct str *rest, struct str from, struct config_window *ret)
{
    struct str to, day, time;
    return parse_minute(from, &ret->from) && str_word(rest, &to) && str_equal_c(to, "to") &&
           str_word(rest, &day) && parse_date(day, &ret->last_day) && str_word(rest, &time) &&
           parse_minute(time, &ret->to) &&
           (ret->last_day - ret->first_day) * DAY_MIN + ret->to > ret->from;
}

bool config_window_parse(const char *text, struct config_window *ret)
{
    struct str rest = str_c(text);
    struct str word;
    *ret = (struct config_window){0};
    if (!str_word(&rest, &word)) {
        return false;
    }
    if (parse_hours(word, ret)) {
        ret->days = EVERY_DAY;
    } else if (parse_date(word, &ret->first_day)) {
        if (!str_word(&rest, &word)) {
            return false;
        }
        if (parse_hours(word, ret)) {
            ret->last_day = ret->first_day + (ret->to <= ret->from ? 1 : 0);
        } else if (!parse_until(&rest, word, ret)) {
            return false;
        }
    } else if (!parse_days(word, &ret->days) || !str_word(&rest, &word) ||
               !parse_hours(word, ret)) {
        return false;
    }
    return parse_rest(rest, ret);
}

int64_t config_window_left(const struct config_window *w, struct zone_time now)
{
    if (w->days == 0) {
        int64_t begun = (now.day - w->first_day) * DAY_MIN + now.minute_of_day - w->from;
        int64_t left = (w->last_day - now.day) * DAY_MIN + w->to - now.minute_of_day;
        return begun >= 0 && left > 0 ? left : 0;
    }
    int weekday = (int)((now.day + 3) % 7); /* 1970-01-01 was a Thursday */
    int before = (weekday + 6) % 7;
    bool over_midnight = w->to <= w->from;
    int left = w->to - now.minute_of_day;
    if ((w->days & 1u << weekday) != 0 && now.minute_of_day >= w->from &&
        (over_midnight || left > 0)) {
        return over_midnight ? left + DAY_MIN : left;
    }
    return over_midnight && (w->days & 1u << before) != 0 && left > 0 ? left : 0;
}

bool config_window_covers(const struct config_window *w, const char *service)
{
    struct str list = str_c(w->services);
    struct str name;
    while (service != NULL && str_split(&list, ',', &name)) {
        if (str_equal_c(name, service)) {
            return true;
        }
    }
    return w->services[0] == '\0';
}
