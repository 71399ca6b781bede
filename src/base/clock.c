#include "base/clock.h"

#include "base/check.h"

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    int rc = clock_gettime(id, &ts);
    ASSERT(rc == 0);
    return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

static int64_t real_wall_us(const struct clock *clock)
{
    (void)clock;
    return read_us(CLOCK_REALTIME);
}

static int64_t real_mono_us(const struct clock *clock)
{
    (void)clock;
    return read_us(CLOCK_MONOTONIC);
}

struct clock *clock_real(void)
{
    static struct clock real = {.wall_us = real_wall_us, .mono_us = real_mono_us};
    return &real;
}

static int64_t fake_wall_us(const struct clock *clock)
{
    return ((const struct clock_fake *)(const void *)clock)->now_wall_us;
}

static int64_t fake_mono_us(const struct clock *clock)
{
    return ((const struct clock_fake *)(const void *)clock)->now_mono_us;
}

void clock_fake_init(struct clock_fake *fake, int64_t wall_us)
{
    *fake = (struct clock_fake){
        .clock = {.wall_us = fake_wall_us, .mono_us = fake_mono_us},
        .now_wall_us = wall_us,
        /* Neither the wall time nor zero, so that a test fails if code mixes the two clocks. */
        .now_mono_us = USEC_PER_DAY,
    };
}

void clock_fake_advance(struct clock_fake *fake, int64_t by_us)
{
    ASSERT(by_us >= 0);
    fake->now_wall_us += by_us;
    fake->now_mono_us += by_us;
}

void clock_fake_jump_wall(struct clock_fake *fake, int64_t by_us)
{
    fake->now_wall_us += by_us;
}

/* The proleptic Gregorian calendar counted from 0000-03-01, so that the leap day is the last day of
 * the year (Hinnant, "chrono-compatible low-level date algorithms"). Integer arithmetic instead of
 * gmtime_r: it needs no time zone files and has no year limit below int64. */
static void date_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    *ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

/* year >= 0 */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2 ? 1 : 0;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static char *add_digits(char *to, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return to + digits;
}

/* Without printf: API answers and logs hold many times. */
void clock_add_iso(struct buf *out, int64_t wall_us, bool micro)
{
    int64_t days = wall_us / USEC_PER_DAY;
    int64_t rest = wall_us % USEC_PER_DAY;
    if (rest < 0) {
        days--;
        rest += USEC_PER_DAY;
    }
    int64_t year;
    int month, day;
    date_from_days(days, &year, &month, &day);
    if (year < 0 || year > 9999) {
        buf_addf(out, "%04lld", (long long)year);
    }
    char text[32];
    char *end = year < 0 || year > 9999 ? text : add_digits(text, year, 4);
    const struct {
        char before;
        int64_t value;
    } parts[] = {{'-', month},
                 {'-', day},
                 {'T', rest / USEC_PER_HOUR},
                 {':', rest / USEC_PER_MIN % 60},
                 {':', rest / USEC_PER_SEC % 60}};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        *end++ = parts[i].before;
        end = add_digits(end, parts[i].value, 2);
    }
    if (micro) {
        *end++ = '.';
        end = add_digits(end, rest % USEC_PER_SEC, 6);
    }
    *end++ = 'Z';
    buf_add(out, text, (size_t)(end - text));
}

void clock_add_when(struct buf *out, int64_t wall_us, int64_t now_us)
{
    AUTO_BUF struct buf at = BUF_INIT(64);
    AUTO_BUF struct buf now = BUF_INIT(64);
    clock_add_iso(&at, wall_us, false);
    clock_add_iso(&now, now_us, false);
    size_t day = strcspn(at.data, "T");
    if (strncmp(at.data, now.data, day + 1) == 0) {
        buf_add(out, at.data + day + 1, strlen("04:15:21"));
    } else {
        buf_add(out, at.data, day);
        buf_add_char(out, ' ');
        buf_add(out, at.data + day + 1, strlen("04:15"));
    }
}

/* Reads exactly `digits` digits from the front of *s. */
static bool read_number(struct str *s, size_t digits, int *ret)
{
    if (s->len < digits) {
        return false;
    }
    int value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (s->ptr[i] - '0');
    }
    *s = str_n(s->ptr + digits, s->len - digits);
    *ret = value;
    return true;
}

static bool read_char(struct str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c) {
        return false;
    }
    *s = str_n(s->ptr + 1, s->len - 1);
    return true;
}

/* Reads one to nine digits after the point; digits beyond microseconds are dropped. */
static bool read_fraction_us(struct str *s, int64_t *ret_us)
{
    int64_t us = 0;
    size_t count = 0;
    int digit;
    while (count < 9 && read_number(s, 1, &digit)) {
        if (count < 6) {
            us = us * 10 + digit;
        }
        count++;
    }
    for (size_t i = count; i < 6; i++) {
        us *= 10;
    }
    *ret_us = us;
    return count > 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

bool clock_parse_iso(struct str s, int64_t *ret_wall_us)
{
    int year, month, day, hour = 0, minute = 0, second = 0;
    int64_t fraction_us = 0;
    if (!read_number(&s, 4, &year) || !read_char(&s, '-') || !read_number(&s, 2, &month) ||
        !read_char(&s, '-') || !read_number(&s, 2, &day)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    if (s.len > 0) {
        if ((!read_char(&s, 'T') && !read_char(&s, ' ')) || !read_number(&s, 2, &hour) ||
            !read_char(&s, ':') || !read_number(&s, 2, &minute)) {
            return false;
        }
        if (read_char(&s, ':')) {
            if (!read_number(&s, 2, &second) ||
                (read_char(&s, '.') && !read_fraction_us(&s, &fraction_us))) {
                return false;
            }
        }
        (void)read_char(&s, 'Z');
    }
    if (s.len > 0 || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *ret_wall_us = days_from_date(year, month, day) * USEC_PER_DAY + hour * USEC_PER_HOUR +
                   minute * USEC_PER_MIN + second * USEC_PER_SEC + fraction_us;
    return true;
}

bool clock_parse_http(struct str s, int64_t *ret_wall_us)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int year, month = 0, day, hour, minute, second;
    if (s.len != sizeof("Sat, 21 Nov 2026 02:36:58 GMT") - 1) {
        return false;
    }
    s = str_n(s.ptr + 3, s.len - 3); /* skips the day of the week, which the date implies */
    if (!read_char(&s, ',') || !read_char(&s, ' ') || !read_number(&s, 2, &day) ||
        !read_char(&s, ' ')) {
        return false;
    }
    while (month < 12 && !str_starts(s, months[month])) {
        month++;
    }
    if (++month > 12) {
        return false;
    }
    s = str_n(s.ptr + 3, s.len - 3);
    if (!read_char(&s, ' ') || !read_number(&s, 4, &year) || !read_char(&s, ' ') ||
        !read_number(&s, 2, &hour) || !read_char(&s, ':') || !read_number(&s, 2, &minute) ||
        !read_char(&s, ':') || !read_number(&s, 2, &second) || !str_equal_c(s, " GMT")) {
        return false;
    }
    if (day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60) {
        return false; /* 60: a leap second */
    }
    *ret_wall_us = days_from_date(year, month, day) * USEC_PER_DAY + hour * USEC_PER_HOUR +
                   minute * USEC_PER_MIN + second * USEC_PER_SEC;
    return true;
}

void clock_add_duration(struct buf *out, int64_t duration_us)
{
    static const struct {
        uint64_t us;
        const char *name;
    } units[] = {
        {(uint64_t)USEC_PER_DAY, "d"},   {(uint64_t)USEC_PER_HOUR, "h"},
        {(uint64_t)USEC_PER_MIN, "min"}, {(uint64_t)USEC_PER_SEC, "s"},
        {(uint64_t)USEC_PER_MSEC, "ms"}, {1, "µs"},
    };
    uint64_t rest = duration_us < 0 ? 0 - (uint64_t)duration_us : (uint64_t)duration_us;
    if (duration_us < 0) {
        buf_add_char(out, '-');
    }
    if (rest == 0) {
        buf_add_c(out, "0 s");
        return;
    }
    size_t i = 0;
    while (rest < units[i].us) {
        i++;
    }
    buf_addf(out, "%llu %s", (unsigned long long)(rest / units[i].us), units[i].name);
    rest %= units[i].us;
    /* Below a minute one unit is precise enough. */
    if (i < 3 && rest / units[i + 1].us > 0) {
        buf_addf(out, " %llu %s", (unsigned long long)(rest / units[i + 1].us), units[i + 1].name);
    }
}
