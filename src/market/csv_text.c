#include "csv_text.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool are_digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(text[i])) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- numbers of time */

/* A number below a unit's limit is in that unit: below 1e11, seconds. */
static const struct unit {
    int64_t below;
    int64_t multiply;
    int64_t divide;
    const char *name;
} units[] = {
    {INT64_C(100000000000), USEC_PER_SEC, 1, "s"},
    {INT64_C(100000000000000), USEC_PER_MSEC, 1, "ms"},
    {INT64_C(100000000000000000), 1, 1, "µs"},
    {INT64_MAX, 1, 1000, "ns"},
};

static const struct unit *unit_of(int64_t value)
{
    size_t unit = 0;
    while (value >= units[unit].below) {
        if (++unit == COUNT_OF(units)) {
            return NULL;
        }
    }
    return &units[unit];
}

bool csv_text_unix(struct str s, int64_t *ret_us, const char **ret_unit)
{
    size_t at = 0;
    int64_t value = 0;
    while (at < s.len && at < 19 && is_digit(s.ptr[at])) {
        /* Up to 19 digits; 9999999999999999999 overflows. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, s.ptr[at] - '0', &value)) {
            return false;
        }
        at++;
    }
    const struct unit *unit = at > 0 ? unit_of(value) : NULL;
    if (unit == NULL || (at < s.len && s.ptr[at] != '.')) {
        return false;
    }
    int64_t us = value * unit->multiply / unit->divide;
    int64_t weight = unit->multiply;
    for (size_t i = at + 1; i < s.len; i++) {
        if (!is_digit(s.ptr[i])) {
            return false;
        }
        weight /= 10;
        us += (s.ptr[i] - '0') * weight;
    }
    *ret_us = us;
    if (ret_unit != NULL) {
        *ret_unit = unit->name;
    }
    return us < CSV_TIME_END_US;
}

/* "1.7e12" */
static bool read_exponent(struct str s, int64_t *ret_us)
{
    double value;
    if (s.len == 0 || !is_digit(s.ptr[0]) ||
        (memchr(s.ptr, 'e', s.len) == NULL && memchr(s.ptr, 'E', s.len) == NULL) ||
        !str_to_double(s, &value) || !(value >= 0) || !(value < 9e18)) {
        return false;
    }
    const struct unit *unit = unit_of((int64_t)value);
    if (unit == NULL) {
        return false;
    }
    double us = round(value * (double)unit->multiply / (double)unit->divide);
    *ret_us = us < (double)CSV_TIME_END_US ? (int64_t)us : INT64_MAX;
    return us < (double)CSV_TIME_END_US;
}

/* ---------------------------------------------------------------- dates */

static bool ends_nocase(struct str s, const char *tail)
{
    size_t len = strlen(tail);
    return s.len >= len && str_equal_nocase(str_n(s.ptr + s.len - len, len), tail);
}

/* Removes "+02:00", "+0200" or "+02" after a time of day from the end. False: impossible. */
static bool cut_offset(struct str *s, int64_t *ret_us)
{
    size_t at = s->len;
    *ret_us = 0;
    while (at > 0 && s->len - at <= 6 && s->ptr[at - 1] != '+' && s->ptr[at - 1] != '-') {
        at--;
    }
    /* Without a time of day, the sign is part of the date. */
    if (at == 0 || s->len - at > 6 || memchr(s->ptr, ':', at) == NULL) {
        return true;
    }
    const char *text = s->ptr + at;
    size_t len = s->len - at;
    bool colon = len == 5 && text[2] == ':';
    if (!(len == 2 || len == 4 || colon) || !are_digits(text, 2) ||
        (len > 2 && !are_digits(text + len - 2, 2))) {
        return false;
    }
    int64_t hours = (text[0] - '0') * 10 + text[1] - '0';
    int64_t minutes = len > 2 ? (text[len - 2] - '0') * 10 + text[len - 1] - '0' : 0;
    if (hours > 18 || minutes > 59) {
        return false;
    }
    *ret_us = (hours * 60 + minutes) * USEC_PER_MIN * (s->ptr[at - 1] == '-' ? -1 : 1);
    s->len = at - 1;
    return true;
}

/* The date at the beginning as "2022-01-05"; returns its length in s, 0 if there is none. */
static size_t read_date(struct str s, char dst[11])
{
    const char *t = s.ptr;
    dst[10] = '\0';
    if (s.len >= 10 && are_digits(t, 4) && (t[4] == '-' || t[4] == '.' || t[4] == '/') &&
        t[7] == t[4]) {
        memcpy(dst, t, 10);
        dst[4] = dst[7] = '-';
        return 10;
    }
    if (s.len >= 10 && t[2] == '.' && t[5] == '.' && are_digits(t + 6, 4)) { /* 05.01.2022 */
        memcpy(dst, t + 6, 4);
        memcpy(dst + 5, t + 3, 2);
        memcpy(dst + 8, t, 2);
        dst[4] = dst[7] = '-';
        return 10;
    }
    if (s.len >= 8 && are_digits(t, 8) && (s.len == 8 || !is_digit(t[8]))) { /* 20220105 */
        memcpy(dst, t, 4);
        memcpy(dst + 5, t + 4, 2);
        memcpy(dst + 8, t + 6, 2);
        dst[4] = dst[7] = '-';
        return 8;
    }
    return 0;
}

/* "143000" as "14:30:00", "02-PM" as "14:00"; false: leave it as it is. */
static bool read_clock(struct str s, char dst[9])
{
    if (s.len == 6 && are_digits(s.ptr, 6)) {
        const char text[9] = {s.ptr[0], s.ptr[1], ':',      s.ptr[2], s.ptr[3],
                              ':',      s.ptr[4], s.ptr[5], '\0'};
        memcpy(dst, text, sizeof(text));
        return true;
    }
    if (s.len == 5 && are_digits(s.ptr, 2) && (ends_nocase(s, "-am") || ends_nocase(s, "-pm"))) {
        int hour = (s.ptr[0] - '0') * 10 + s.ptr[1] - '0';
        if (hour < 1 || hour > 12) {
            return false;
        }
        hour = hour % 12 + (ends_nocase(s, "-pm") ? 12 : 0);
        const char text[6] = {(char)('0' + hour / 10), (char)('0' + hour % 10), ':', '0', '0', 0};
        memcpy(dst, text, sizeof(text));
        return true;
    }
    return false;
}

static bool read_calendar(struct str s, int64_t *ret_us)
{
    char text[CSV_TEXT_SIZE], date[11], clock[9];
    int64_t offset_us;
    if (!cut_offset(&s, &offset_us)) {
        return false;
    }
    if (ends_nocase(s, " utc") || ends_nocase(s, " gmt")) {
        s = str_trim(str_n(s.ptr, s.len - 4));
    }
    size_t len = read_date(s, date);
    if (len == 0) {
        return false;
    }
    struct str rest = str_n(s.ptr + len, s.len - len);
    struct str after = rest.len > 1 ? str_n(rest.ptr + 1, rest.len - 1) : STR_LIT("");
    bool spaced = rest.len > 1 && (rest.ptr[0] == ' ' || rest.ptr[0] == 'T');
    if (spaced && read_clock(after, clock)) {
        after = str_c(clock);
    }
    int n = spaced ? snprintf(text, sizeof(text), "%s %.*s", date, STR_ARG(after))
                   : snprintf(text, sizeof(text), "%s%.*s", date, STR_ARG(rest));
    if (n < 0 || (size_t)n >= sizeof(text) || !clock_parse_iso(str_c(text), ret_us)) {
        return false;
    }
    *ret_us -= offset_us;
    return *ret_us >= 0 && *ret_us < CSV_TIME_END_US;
}

/* Eight digits are a date, not the seconds of a day in the seventies. */
static bool is_compact_date(struct str s)
{
    return s.len == 8 && are_digits(s.ptr, 8) && s.ptr[4] <= '1' && s.ptr[6] <= '3' &&
           (memcmp(s.ptr, "19", 2) == 0 || memcmp(s.ptr, "20", 2) == 0);
}

bool csv_text_time(struct str s, int64_t *ret_us)
{
    if (is_compact_date(s)) {
        return read_calendar(s, ret_us);
    }
    return csv_text_unix(s, ret_us, NULL) || read_exponent(s, ret_us) || read_calendar(s, ret_us);
}

bool csv_text_is_time_of_day(struct str s)
{
    return s.len >= 4 && s.len <= 15 && is_digit(s.ptr[0]) &&
           (s.ptr[1] == ':' || (s.len > 4 && s.ptr[2] == ':') ||
            (s.len == 6 && are_digits(s.ptr, 6)));
}

/* ---------------------------------------------------------------- numbers */

/* The length of a thousands separator at the beginning, 0 if there is none. */
static size_t mark_len(struct str s, char decimal)
{
    char c = s.ptr[0];
    if (c == ' ' || c == '\'' || c == '_' || ((c == ',' || c == '.') && c != decimal)) {
        return 1;
    }
    if (s.len >= 2 && memcmp(s.ptr, "\xc2\xa0", 2) == 0) {
        return 2; /* no-break space */
    }
    return s.len >= 3 && memcmp(s.ptr, "\xe2\x80\xaf", 3) == 0 ? 3 : 0; /* a narrow one */
}

bool csv_text_plain(struct str s, char decimal, bool grouped, char dst[CSV_TEXT_SIZE])
{
    size_t out = 0, digits = 0, groups = 0;
    bool fraction = false;
    char mark = '\0';
    for (size_t at = 0, step; at < s.len; at += step) {
        char c = s.ptr[at];
        step = 1;
        if (out + 1 >= CSV_TEXT_SIZE) {
            return false;
        }
        if (c == decimal) {
            if (fraction || (groups > 0 && digits != 3)) {
                return false;
            }
            fraction = true;
            dst[out++] = '.';
        } else if (is_digit(c)) {
            digits++;
            dst[out++] = c;
        } else if (c == '-' || c == '+' || c == 'e' || c == 'E') {
            dst[out++] = c;
        } else if ((step = mark_len(str_n(s.ptr + at, s.len - at), decimal)) > 0) {
            if (fraction || digits == 0 || digits > 3 ||
                (groups > 0 && (digits != 3 || c != mark))) {
                return false;
            }
            mark = c;
            groups++;
            digits = 0;
        } else {
            return false;
        }
    }
    dst[out] = '\0';
    bool unclear = mark == ',' || mark == '.';
    return groups == 0 ||
           ((fraction || digits == 3) && (!unclear || grouped || fraction || groups >= 2));
}
