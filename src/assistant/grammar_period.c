/* The periods that a question names, in the time zone of the operator. */
#include "base/check.h"
#include "base/clock.h"
#include "grammar_internal.h"
#include "io/zone.h"

#include <stdio.h>
#include <string.h>

#define NIGHT_FROM 22 /* a night is from 22:00 to 6:00 */
#define NIGHT_TO   6
#define DAY_MIN    (24 * 60)

/* The lexemes that are looked at: those of a part of the question that are not skipped. */
struct view {
    struct lexemes *lexemes;
    const struct grammar_context *context;
    int64_t now_us;
    int64_t today;
    int count;
    struct lexeme *items[WORDS_MAX];
};

static const struct lexeme nothing = {.lex = LEX_UNKNOWN, .value = -1};

static const struct lexeme *at(const struct view *v, int i)
{
    return i >= 0 && i < v->count ? v->items[i] : &nothing;
}

static bool is(const struct view *v, int i, enum lex lex)
{
    return at(v, i)->lex == lex;
}

static int64_t value(const struct view *v, int i)
{
    return at(v, i)->value;
}

static void use(struct view *v, int first, int count)
{
    for (int i = first; i < first + count && i < v->count; i++) {
        v->items[i]->used = true;
    }
}

/* ------------------------------------------------------------------ times */

/* The time of a minute of a local day, also on a day whose offset changes. */
static int64_t time_of(const struct grammar_context *c, int64_t day, int64_t minute)
{
    int64_t start = zone_day_start(c->zone, day);
    int64_t us = start + minute * USEC_PER_MIN;
    int shift = zone_local(c->zone, start).offset_s - zone_local(c->zone, us).offset_s;
    return us + shift * USEC_PER_SEC;
}

static int64_t weekday_of(int64_t day)
{
    return ((day + 3) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
}

static int64_t monday_of(int64_t day)
{
    return day - weekday_of(day);
}

static int64_t month_start(int64_t day)
{
    return day - zone_date(day).day + 1;
}

static int64_t next_month(int64_t first)
{
    return month_start(first + 31);
}

static int64_t year_start(int64_t day)
{
    return zone_day(zone_date(day).year, 1, 1);
}

/* The days from `first` up to but not including `end`. */
static void set_days(const struct grammar_context *c, struct grammar_span *ret, int64_t first,
                     int64_t end)
{
    ret->given = true;
    ret->from_us = zone_day_start(c->zone, first);
    ret->to_us = zone_day_start(c->zone, end);
}

static void set_rolling(struct grammar_span *ret, int64_t now_us, int64_t us)
{
    ret->given = true;
    ret->from_us = now_us - us;
    ret->to_us = now_us;
}

static void set_fixed(const struct grammar_context *c, int64_t now_us, enum fixed_period fixed,
                      struct grammar_span *ret)
{
    int64_t today = zone_local(c->zone, now_us).day;
    *ret = (struct grammar_span){.fixed = fixed, .is_fixed = true, .count = 1};
    switch (fixed) {
    case PERIOD_TODAY:
    case PERIOD_YESTERDAY: {
        int64_t day = today - (fixed == PERIOD_YESTERDAY ? 1 : 0);
        set_days(c, ret, day, day + 1);
        ret->unit = UNIT_DAY;
        break;
    }
    case PERIOD_THIS_WEEK:
    case PERIOD_LAST_WEEK: {
        int64_t monday = monday_of(today) - (fixed == PERIOD_LAST_WEEK ? 7 : 0);
        set_days(c, ret, monday, monday + 7);
        ret->unit = UNIT_WEEK;
        break;
    }
    case PERIOD_THIS_MONTH:
    case PERIOD_LAST_MONTH: {
        int64_t first = month_start(today);
        first = fixed == PERIOD_LAST_MONTH ? month_start(first - 1) : first;
        set_days(c, ret, first, next_month(first));
        ret->unit = UNIT_MONTH;
        break;
    }
    case PERIOD_THIS_YEAR:
    case PERIOD_LAST_YEAR: {
        int64_t first = year_start(today);
        first = fixed == PERIOD_LAST_YEAR ? year_start(first - 1) : first;
        set_days(c, ret, first, year_start(first + 370));
        ret->unit = UNIT_YEAR;
        break;
    }
    case PERIOD_WEEKEND: {
        /* The one that goes on, or the last one. */
        int64_t saturday = monday_of(today) + 5;
        saturday -= saturday > today ? 7 : 0;
        set_days(c, ret, saturday, saturday + 2);
        ret->unit = UNIT_DAY;
        ret->count = 2;
        break;
    }
    case PERIOD_ALL:
        ret->given = true;
        ret->all = true;
        ret->to_us = now_us;
        break;
    }
}

static void set_part(const struct grammar_context *c, int64_t day, enum day_part part,
                     struct grammar_span *ret)
{
    static const int hours[][2] = {[PART_MORNING] = {6, 12},
                                   [PART_AFTERNOON] = {12, 18},
                                   [PART_EVENING] = {18, 22},
                                   [PART_NIGHT] = {NIGHT_FROM, 24 + NIGHT_TO},
                                   [PART_TONIGHT] = {NIGHT_FROM, 24 + NIGHT_TO}};
    *ret = (struct grammar_span){.given = true, .unit = UNIT_DAY, .count = 1};
    ret->from_us = time_of(c, day, 60 * hours[part][0]);
    int end = hours[part][1];
    ret->to_us = end >= 24 ? time_of(c, day + 1, 60 * (end - 24)) : time_of(c, day, 60 * end);
}

/* "last night" before 6:00 is the night that goes on. */
static int64_t night_day(const struct view *v)
{
    return v->today - 1;
}

/* The last such weekday that has begun: today, if it is that day. */
static int64_t last_weekday(const struct view *v, int64_t weekday)
{
    return v->today - (weekday_of(v->today) - weekday + 7) % 7;
}

/* The last such date that has begun; year 0: any. -1: there is no such date. */
static int64_t last_date(const struct view *v, int64_t day, int64_t month, int64_t year)
{
    int64_t now_year = zone_date(v->today).year;
    for (int64_t y = year > 0 ? year : now_year; y > now_year - 8; y--) {
        int64_t found = zone_day(y, (int)month, (int)day);
        struct zone_date back = zone_date(found);
        bool exists = back.month == month && back.day == day;
        if (year > 0) {
            return exists && found <= v->today ? found : -1;
        }
        if (exists && found <= v->today) {
            return found;
        }
    }
    return -1;
}

/* ------------------------------------------------------------------ days */

static bool is_year(const struct view *v, int i)
{
    return is(v, i, LEX_NUMBER) && value(v, i) >= 2000 && value(v, i) <= 2100;
}

static bool is_day_number(const struct view *v, int i)
{
    return is(v, i, LEX_NUMBER) && value(v, i) >= 1 && value(v, i) <= 31;
}

/* A day at place i: "2026-05-03", "3 May", "May 3 2026", "Monday", "today". How many lexemes it
 * has; 0: there is none. -1 in *ret: no such day. */
static int read_day(const struct view *v, int i, int64_t *ret)
{
    if (is(v, i, LEX_DATE)) {
        *ret = value(v, i) <= v->today ? value(v, i) : -1;
        return 1;
    }
    if (is(v, i, LEX_PERIOD) && (value(v, i) == PERIOD_TODAY || value(v, i) == PERIOD_YESTERDAY)) {
        *ret = v->today - (value(v, i) == PERIOD_YESTERDAY ? 1 : 0);
        return 1;
    }
    if (is(v, i, LEX_WEEKDAY)) {
        int64_t day = last_weekday(v, value(v, i));
        *ret = day;
        /* "Monday 3 May" would be two. */
        return 1;
    }
    if (is(v, i, LEX_LAST) && is(v, i + 1, LEX_WEEKDAY)) {
        int64_t day = last_weekday(v, value(v, i + 1));
        *ret = day == v->today ? day - 7 : day;
        return 2;
    }
    bool before = is_day_number(v, i) && is(v, i + 1, LEX_MONTH);
    bool behind = is(v, i, LEX_MONTH) && is_day_number(v, i + 1);
    if (!before && !behind) {
        return 0;
    }
    bool year = is_year(v, i + 2);
    *ret = last_date(v, value(v, before ? i : i + 1), value(v, before ? i + 1 : i),
                     year ? value(v, i + 2) : 0);
    return year ? 3 : 2;
}

/* An hour or clock time at place i, as a minute of the day; "2", "2 pm", "14:30". *ret_half: am or
 * pm was said, or it is a clock time. */
static int read_clock(const struct view *v, int i, int64_t *ret, bool *ret_half)
{
    int64_t minute = is(v, i, LEX_CLOCK) ? value(v, i) : 60 * value(v, i);
    *ret_half = is(v, i, LEX_CLOCK);
    if (!is(v, i, LEX_CLOCK) && (!is(v, i, LEX_NUMBER) || value(v, i) > 24 || value(v, i) < 0)) {
        return 0;
    }
    if (!is(v, i + 1, LEX_HALF_DAY)) {
        *ret = minute;
        return 1;
    }
    if (minute > 12 * 60 + 59 || minute < 60) {
        return 0;
    }
    *ret = minute % (12 * 60) + 60 * value(v, i + 1);
    *ret_half = true;
    return 2;
}

/* ------------------------------------------------------------------ since, between */

/* The time that "since" is followed by. */
static int read_start(const struct view *v, int i, int64_t *ret_us)
{
    int64_t day = 0, minute = 0;
    bool half = false;
    struct grammar_span span;
    if (is(v, i, LEX_NUMBER) && is(v, i + 1, LEX_UNIT) && is(v, i + 2, LEX_AGO)) {
        static const int64_t us[] = {USEC_PER_MIN,     USEC_PER_HOUR,     USEC_PER_DAY,
                                     7 * USEC_PER_DAY, 30 * USEC_PER_DAY, 365 * USEC_PER_DAY};
        *ret_us = v->now_us - value(v, i) * us[value(v, i + 1)];
        return 3;
    }
    int used = read_day(v, i, &day);
    if (used > 0 && day < 0) {
        return 0;
    }
    if (used > 0) {
        int more = read_clock(v, i + used, &minute, &half);
        bool part = is(v, i + used, LEX_DAYPART);
        if (part) {
            set_part(v->context, day, (enum day_part)value(v, i + used), &span);
            *ret_us = span.from_us;
            return used + 1;
        }
        *ret_us = time_of(v->context, day, more > 0 && half ? minute : 0);
        return used + (more > 0 && half ? more : 0);
    }
    if (is(v, i, LEX_PERIOD) && value(v, i) != PERIOD_ALL) {
        set_fixed(v->context, v->now_us, (enum fixed_period)value(v, i), &span);
        *ret_us = span.from_us;
        return 1;
    }
    if (is(v, i, LEX_DAYPART)) {
        bool night = value(v, i) == PART_NIGHT;
        set_part(v->context, night ? night_day(v) : v->today, (enum day_part)value(v, i), &span);
        *ret_us = span.from_us;
        return 1;
    }
    if (is(v, i, LEX_MONTH)) {
        int64_t first = last_date(v, 1, value(v, i), is_year(v, i + 1) ? value(v, i + 1) : 0);
        *ret_us = first < 0 ? 0 : zone_day_start(v->context->zone, first);
        return first < 0 ? 0 : is_year(v, i + 1) ? 2 : 1;
    }
    if (is_year(v, i)) {
        *ret_us = zone_day_start(v->context->zone, zone_day(value(v, i), 1, 1));
        return 1;
    }
    used = read_clock(v, i, &minute, &half);
    if (used > 0) {
        int64_t today = time_of(v->context, v->today, minute);
        *ret_us = today <= v->now_us ? today : time_of(v->context, v->today - 1, minute);
    }
    return used;
}

static bool read_since(struct view *v, int i, struct grammar_span *ret)
{
    int64_t from = 0;
    int used = read_start(v, i + 1, &from);
    if (used == 0 && is(v, i, LEX_FROM)) {
        v->items[i]->used = true; /* "the profit from BTC" */
        return false;
    }
    if (used == 0 || from >= v->now_us) {
        ret->unclear = true;
        return used > 0;
    }
    *ret = (struct grammar_span){.given = true, .from_us = from, .to_us = v->now_us};
    use(v, i, 1 + used);
    if (is(v, i + 1 + used, LEX_TO) && is(v, i + 2 + used, LEX_NOW)) {
        use(v, i + 1 + used, 2);
    }
    return true;
}

/* The day that a time of day is of, anywhere in the question; today without one. *ret_given: one
 * was named. */
static int64_t take_day(struct view *v, int skip_from, int skip_count, bool *ret_given)
{
    for (int i = 0; i < v->count; i++) {
        int64_t day = 0;
        bool inside = i >= skip_from && i < skip_from + skip_count;
        int used = inside || v->items[i]->used ? 0 : read_day(v, i, &day);
        if (used > 0 && day >= 0) {
            use(v, i, used);
            *ret_given = true;
            return day;
        }
    }
    *ret_given = false;
    return v->today;
}

/* "2 and 5 pm" behind `between`, or "2 to 5" itself at place i. */
static bool read_clocks(struct view *v, int i, bool led, struct grammar_span *ret)
{
    int64_t from = 0, to = 0;
    bool from_half = false, to_half = false, given = false;
    int first = read_clock(v, i, &from, &from_half);
    bool joined = first > 0 && (is(v, i + first, LEX_TO) ||
                                (led && is(v, i + first, LEX_AND) && value(v, i + first) == 0));
    int last = joined ? read_clock(v, i + first + 1, &to, &to_half) : 0;
    if (last == 0 || (!led && !from_half && !to_half)) {
        return false;
    }
    /* "between 2 and 5 pm": both are pm. */
    bool half = is(v, i + first + last, LEX_HALF_DAY) && !is(v, i + first - 1, LEX_HALF_DAY);
    if (half && from < 12 * 60 && value(v, i + first + last) == 12 && from + 12 * 60 < to) {
        from += 12 * 60;
    }
    if (from == to || from > DAY_MIN || to > DAY_MIN) {
        return false;
    }
    int begin = led ? i - 1 : i;
    int count = first + 1 + last + (led ? 1 : 0);
    use(v, begin, count);
    int64_t day = take_day(v, begin, count, &given);
    /* Without a day it is the last time that it was so late. */
    if (!given && time_of(v->context, day, from) >= v->now_us) {
        day--;
    }
    *ret = (struct grammar_span){.given = true};
    ret->from_us = time_of(v->context, day, from);
    ret->to_us = time_of(v->context, to > from ? day : day + 1, to);
    return true;
}

/* "from Monday to Wednesday", "between 3 May and 5 May": both ends included. */
static bool read_days(struct view *v, int i, struct grammar_span *ret)
{
    int64_t from = 0, to = 0;
    int first = read_day(v, i + 1, &from);
    bool joined = first > 0 && (is(v, i + 1 + first, LEX_TO) || is(v, i + 1 + first, LEX_AND));
    bool now = joined && is(v, i + 2 + first, LEX_NOW);
    int last = joined && !now ? read_day(v, i + 2 + first, &to) : 0;
    /* "between 3 and 5 May" */
    if (first == 0 && is_day_number(v, i + 1) && (is(v, i + 2, LEX_AND) || is(v, i + 2, LEX_TO)) &&
        is_day_number(v, i + 3) && is(v, i + 4, LEX_MONTH)) {
        int64_t year = is_year(v, i + 5) ? value(v, i + 5) : 0;
        from = last_date(v, value(v, i + 1), value(v, i + 4), year);
        to = last_date(v, value(v, i + 3), value(v, i + 4), year);
        first = 1;
        last = year > 0 ? 3 : 2;
    }
    if (now) {
        to = v->today;
        last = 1;
    }
    if (first == 0 || last == 0) {
        return false;
    }
    if (from >= 0 && to >= 0 && to < from) {
        from -= 7; /* "from Friday to Monday" */
    }
    if (from < 0 || to < 0 || to < from) {
        ret->unclear = true;
        return true;
    }
    *ret = (struct grammar_span){.given = true};
    set_days(v->context, ret, from, to + 1);
    use(v, i, 2 + first + last);
    return true;
}

/* ------------------------------------------------------------------ last, ago */

static bool set_units(const struct view *v, int64_t count, enum unit_kind unit,
                      struct grammar_span *ret)
{
    static const int64_t us[] = {USEC_PER_MIN,     USEC_PER_HOUR,     USEC_PER_DAY,
                                 7 * USEC_PER_DAY, 30 * USEC_PER_DAY, 365 * USEC_PER_DAY};
    static const int64_t most[] = {100000, 20000, 3650, 520, 120, 10};
    if (count < 1 || count > most[unit]) {
        return false;
    }
    *ret = (struct grammar_span){.unit = unit, .count = count};
    set_rolling(ret, v->now_us, count * us[unit]);
    return true;
}

static bool read_last(struct view *v, int i, struct grammar_span *ret)
{
    int64_t day = 0;
    if (is(v, i + 1, LEX_NUMBER) && is(v, i + 2, LEX_TRADES) && value(v, i + 1) >= 1) {
        *ret = (struct grammar_span){.given = true, .trades = value(v, i + 1)};
        use(v, i, 3);
        return true;
    }
    if (is(v, i + 1, LEX_NUMBER) && is(v, i + 2, LEX_UNIT)) {
        bool good = set_units(v, value(v, i + 1), (enum unit_kind)value(v, i + 2), ret);
        ret->unclear |= !good;
        use(v, i, 3);
        return true;
    }
    if (is(v, i + 1, LEX_UNIT)) {
        bool good = set_units(v, 1, (enum unit_kind)value(v, i + 1), ret);
        ret->unclear |= !good;
        use(v, i, 2);
        return true;
    }
    if (is(v, i + 1, LEX_TRADES)) {
        *ret = (struct grammar_span){.given = true, .trades = 1};
        use(v, i, 2);
        return true;
    }
    if (is(v, i + 1, LEX_MONTH)) {
        int64_t first = last_date(v, 1, value(v, i + 1), 0);
        first = month_start(v->today) == first
                    ? last_date(v, 1, value(v, i + 1), zone_date(first).year - 1)
                    : first;
        *ret = (struct grammar_span){.unit = UNIT_MONTH, .count = 1};
        set_days(v->context, ret, first, next_month(first));
        use(v, i, 2);
        return true;
    }
    int used = read_day(v, i, &day);
    if (used > 0 && day >= 0) {
        *ret = (struct grammar_span){.unit = UNIT_DAY, .count = 1};
        set_days(v->context, ret, day, day + 1);
        use(v, i, used);
        return true;
    }
    return false;
}

/* "3 days ago", "24 hours", "3 May". */
static bool read_numbered(struct view *v, int i, struct grammar_span *ret)
{
    if (!is(v, i + 1, LEX_UNIT)) {
        return false;
    }
    int64_t count = value(v, i);
    enum unit_kind unit = (enum unit_kind)value(v, i + 1);
    if (!is(v, i + 2, LEX_AGO)) {
        ret->unclear |= !set_units(v, count, unit, ret);
        use(v, i, 2);
        return true;
    }
    *ret = (struct grammar_span){.unit = unit, .count = 1};
    use(v, i, 3);
    if (unit == UNIT_DAY) {
        set_days(v->context, ret, v->today - count, v->today - count + 1);
    } else if (unit == UNIT_WEEK) {
        int64_t monday = monday_of(v->today) - 7 * count;
        set_days(v->context, ret, monday, monday + 7);
    } else if (unit == UNIT_MONTH && count <= 120) {
        int64_t first = month_start(v->today);
        for (int64_t k = 0; k < count; k++) {
            first = month_start(first - 1);
        }
        set_days(v->context, ret, first, next_month(first));
    } else {
        ret->unclear = true; /* "2 hours ago" is a moment, not a period */
    }
    return true;
}

static bool read_month(struct view *v, int i, struct grammar_span *ret)
{
    bool year = is_year(v, i + 1);
    int64_t first = last_date(v, 1, value(v, i), year ? value(v, i + 1) : 0);
    *ret = (struct grammar_span){.unit = UNIT_MONTH, .count = 1};
    use(v, i, year ? 2 : 1);
    if (first < 0) {
        ret->unclear = true;
    } else {
        set_days(v->context, ret, first, next_month(first));
    }
    return true;
}

/* ------------------------------------------------------------------ all */

/* A day, with a part of it: "yesterday morning". */
static bool read_day_part(struct view *v, int i, struct grammar_span *ret)
{
    int64_t day = 0;
    int used = read_day(v, i, &day);
    if (used == 0) {
        return false;
    }
    if (day < 0) {
        ret->unclear = true;
        return true;
    }
    if (is(v, i + used, LEX_DAYPART)) {
        set_part(v->context, day, (enum day_part)value(v, i + used), ret);
        use(v, i, used + 1);
        return true;
    }
    bool fixed = is(v, i, LEX_PERIOD);
    *ret = (struct grammar_span){.unit = UNIT_DAY,
                                 .count = 1,
                                 .is_fixed = fixed,
                                 .fixed = fixed ? (enum fixed_period)value(v, i) : PERIOD_TODAY};
    set_days(v->context, ret, day, day + 1);
    use(v, i, used);
    return true;
}

/* "Night" alone, unlike "last night" and "overnight", is no period. */
static bool is_bare_part(const struct view *v, int i)
{
    static const char *const words[] = {"morning", "afternoon", "evening", "night"};
    const struct lexeme *part = at(v, i);
    for (size_t k = 0; k < COUNT_OF(words) && part->first == part->last; k++) {
        if (strcmp(v->lexemes->words.items[part->first].text, words[k]) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_at(struct view *v, int i, struct grammar_span *ret)
{
    switch (v->items[i]->lex) {
    case LEX_SINCE:
        return read_since(v, i, ret);
    case LEX_BETWEEN:
    case LEX_FROM:
        if (read_days(v, i, ret) || read_clocks(v, i + 1, true, ret)) {
            return true;
        }
        if (is(v, i, LEX_FROM)) {
            if (is(v, i + 1, LEX_PERIOD) || is(v, i + 1, LEX_MONTH)) {
                v->items[i]->used = true; /* "the profit from last week" */
                return false;
            }
            return read_since(v, i, ret);
        }
        ret->unclear = true;
        return true;
    case LEX_LAST:
        return read_last(v, i, ret);
    case LEX_DAYPART: {
        if (is_bare_part(v, i)) {
            return false; /* "at night": which? */
        }
        bool night = value(v, i) == PART_NIGHT;
        set_part(v->context, night ? night_day(v) : v->today, (enum day_part)value(v, i), ret);
        use(v, i, 1);
        return true;
    }
    case LEX_NUMBER:
    case LEX_CLOCK:
        if (read_clocks(v, i, false, ret) || (is(v, i, LEX_NUMBER) && read_numbered(v, i, ret)) ||
            read_day_part(v, i, ret)) {
            return true;
        }
        if (is_year(v, i)) {
            int64_t first = zone_day(value(v, i), 1, 1);
            set_days(v->context, ret, first, year_start(first + 370));
            ret->unit = UNIT_YEAR;
            ret->count = 1;
            use(v, i, 1);
            return true;
        }
        return false;
    case LEX_PERIOD:
    case LEX_DATE:
    case LEX_WEEKDAY:
        if (read_day_part(v, i, ret)) {
            return true;
        }
        set_fixed(v->context, v->now_us, (enum fixed_period)value(v, i), ret);
        use(v, i, 1);
        return true;
    case LEX_MONTH:
        return read_day_part(v, i, ret) || read_month(v, i, ret);
    case LEX_UNKNOWN:
    case LEX_SKIP:
    case LEX_SYMBOL:
    case LEX_SERVICE:
    case LEX_AGENT:
    case LEX_MEASURE:
    case LEX_SHOW:
    case LEX_GROUP:
    case LEX_BY:
    case LEX_WHICH:
    case LEX_RANK:
    case LEX_SIDE:
    case LEX_TO:
    case LEX_AND:
    case LEX_AGO:
    case LEX_UNIT:
    case LEX_HALF_DAY:
    case LEX_TRADES:
    case LEX_VERSUS:
    case LEX_BEFORE:
    case LEX_WHY:
    case LEX_TREND:
    case LEX_NOW:
    case LEX_ASK:
    case LEX_CHANGE:
    case LEX_OBJECT:
    case LEX_TRADE:
    case LEX_VAGUE:
    case LEX_HELP:
    case LEX_MEAN:
    case LEX_NOT:
        return false;
    }
    return false;
}

void period_take(struct lexemes *lexemes, int from, int to, int64_t now_us,
                 struct grammar_span *ret)
{
    struct view v = {.lexemes = lexemes, .context = lexemes->context, .now_us = now_us};
    *ret = (struct grammar_span){0};
    v.today = zone_local(v.context->zone, now_us).day;
    for (int i = from; i < to && i < lexemes->count; i++) {
        if (!lexemes->items[i].used && lexemes->items[i].lex != LEX_SKIP) {
            v.items[v.count++] = &lexemes->items[i];
        }
    }
    for (int i = 0; i < v.count && !ret->given && !ret->unclear; i++) {
        if (!v.items[i]->used && read_at(&v, i, ret)) {
            return;
        }
    }
}

/* ------------------------------------------------------------------ others from one */

void period_before(const struct grammar_context *context, const struct grammar_span *span,
                   struct grammar_span *ret)
{
    *ret = (struct grammar_span){.given = true, .unit = span->unit, .count = span->count};
    ret->to_us = span->from_us;
    ret->from_us = span->from_us - (span->to_us - span->from_us);
    if (span->unit == UNIT_MONTH && span->count == 1) {
        int64_t first = zone_local(context->zone, span->from_us).day;
        if (month_start(first) == first) {
            set_days(context, ret, month_start(first - 1), first);
        }
    }
}

bool period_current(const struct grammar_context *context, const struct grammar_span *span,
                    int64_t now_us, struct grammar_span *ret)
{
    enum fixed_period fixed = PERIOD_TODAY;
    if (!span->is_fixed) {
        return false;
    }
    switch (span->fixed) {
    case PERIOD_YESTERDAY:
        break;
    case PERIOD_LAST_WEEK:
        fixed = PERIOD_THIS_WEEK;
        break;
    case PERIOD_LAST_MONTH:
        fixed = PERIOD_THIS_MONTH;
        break;
    case PERIOD_LAST_YEAR:
        fixed = PERIOD_THIS_YEAR;
        break;
    case PERIOD_TODAY:
    case PERIOD_THIS_WEEK:
    case PERIOD_THIS_MONTH:
    case PERIOD_THIS_YEAR:
    case PERIOD_WEEKEND:
    case PERIOD_ALL:
        return false;
    }
    set_fixed(context, now_us, fixed, ret);
    return true;
}

/* ------------------------------------------------------------------ for people */

static void add_moment(const struct grammar_context *c, int64_t us, bool date_too, bool end,
                       struct buf *out)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct zone_time t = zone_local(c->zone, end ? us - 1 : us);
    struct zone_date date = zone_date(t.day);
    int minute = end && zone_local(c->zone, us).minute_of_day == 0
                     ? DAY_MIN
                     : zone_local(c->zone, us).minute_of_day;
    if (date_too) {
        buf_addf(out, "%d %s %lld ", date.day, months[date.month - 1], (long long)date.year);
    }
    buf_addf(out, "%02d:%02d", minute / 60, minute % 60);
}

void period_describe(const struct grammar_context *context, const struct grammar_span *span,
                     struct buf *out)
{
    if (span->trades > 0) {
        buf_addf(out, "the last %lld trade%s", (long long)span->trades,
                 span->trades == 1 ? "" : "s");
        return;
    }
    if (span->all) {
        buf_add_c(out, "all time");
        return;
    }
    bool same_day = zone_local(context->zone, span->from_us).day ==
                    zone_local(context->zone, span->to_us - 1).day;
    add_moment(context, span->from_us, true, false, out);
    buf_add_c(out, " to ");
    if (span->to_us > context->wall_us && span->to_us > context->market_us) {
        buf_add_c(out, "now");
    } else {
        add_moment(context, span->to_us, !same_day, true, out);
    }
    buf_addf(out, " %s", context->zone_name);
}
