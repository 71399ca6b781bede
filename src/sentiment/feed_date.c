#include "feed_date.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"

#include <string.h>

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};

static const struct {
    const char *name;
    int hours;
} zones[] = {
    {"GMT", 0},  {"UT", 0},   {"UTC", 0},  {"Z", 0},    {"EST", -5}, {"EDT", -4}, {"CST", -6},
    {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}, {"CET", 1},  {"CEST", 2},
};

static bool read_digits(struct str text, int64_t *ret)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return str_to_i64(text, ret);
}

/* "+0200", "+02:00", "GMT"; the empty text is UTC. */
static bool read_zone(struct str text, int64_t *ret_us)
{
    int64_t hours = 0, minutes = 0;
    *ret_us = 0;
    if (text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-')) {
        bool colon = text.len == 6 && text.ptr[3] == ':';
        if ((text.len != 5 && !colon) || !read_digits(str_n(text.ptr + 1, 2), &hours) ||
            !read_digits(str_n(text.ptr + text.len - 2, 2), &minutes) || hours > 14 ||
            minutes > 59) {
            return false;
        }
        *ret_us = (hours * USEC_PER_HOUR + minutes * USEC_PER_MIN) * (text.ptr[0] == '-' ? -1 : 1);
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        if (str_equal_nocase(text, zones[i].name)) {
            *ret_us = zones[i].hours * USEC_PER_HOUR;
            return true;
        }
    }
    return text.len == 0;
}

/* The offset of an ISO date, which clock_parse_iso does not know, begins with + or - after the
 * time. */
static bool read_iso(struct str text, int64_t *ret_us)
{
    size_t at = text.len;
    for (size_t i = 11; i < text.len && at == text.len; i++) {
        at = text.ptr[i] == '+' || text.ptr[i] == '-' ? i : at;
    }
    int64_t offset_us = 0;
    if (!read_zone(str_n(text.ptr + at, text.len - at), &offset_us) ||
        !clock_parse_iso(str_n(text.ptr, at), ret_us)) {
        return false;
    }
    *ret_us -= offset_us;
    return true;
}

static int month_of(struct str word)
{
    for (int i = 0; i < 12 && word.len >= 3; i++) {
        if (str_equal_nocase(str_n(word.ptr, 3), months[i])) {
            return i + 1;
        }
    }
    return 0;
}

/* "[Tue,] 10 Jun 2003 04:00[:00] [zone]" */
static bool read_822(struct str text, int64_t *ret_us)
{
    struct str day, month, year, time, zone = {0};
    int64_t day_number = 0, year_number = 0, offset_us = 0;
    const char *comma = memchr(text.ptr, ',', text.len);
    if (comma != NULL) {
        text = str_n(comma + 1, (size_t)(text.ptr + text.len - (comma + 1)));
    }
    if (!str_word(&text, &day) || !str_word(&text, &month) || !str_word(&text, &year) ||
        !str_word(&text, &time)) {
        return false;
    }
    (void)str_word(&text, &zone);
    if (!read_digits(day, &day_number) || !read_digits(year, &year_number) ||
        month_of(month) == 0 || !read_zone(zone, &offset_us)) {
        return false;
    }
    if (year.len == 2) {
        year_number += year_number < 70 ? 2000 : 1900;
    }
    AUTO_BUF struct buf iso = BUF_INIT(64);
    buf_addf(&iso, "%04lld-%02d-%02lldT%s%.*s", (long long)year_number, month_of(month),
             (long long)day_number, time.len == 4 || time.len == 7 ? "0" : "", STR_ARG(time));
    if (buf_failed(&iso) || !clock_parse_iso(buf_str(&iso), ret_us)) {
        return false;
    }
    *ret_us -= offset_us;
    return true;
}

bool feed_date_parse(struct str text, int64_t *ret_wall_us)
{
    text = str_trim(text);
    bool iso = text.len >= 10 && text.ptr[4] == '-';
    return text.len > 0 && (iso ? read_iso(text, ret_wall_us) : read_822(text, ret_wall_us)) &&
           *ret_wall_us > 0;
}
