#include "value.h"

#include "base/check.h"
#include "base/clock.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t us;
} duration_units[] = {
    {"d", USEC_PER_DAY}, {"h", USEC_PER_HOUR},  {"m", USEC_PER_MIN},
    {"s", USEC_PER_SEC}, {"ms", USEC_PER_MSEC},
};

/* "1h30m": whole numbers with units, in any order. */
bool value_read_duration(struct str s, int64_t *ret)
{
    int64_t total = 0;
    if (s.len == 0 || s.len > 32) {
        return false;
    }
    while (s.len > 0) {
        size_t digits = 0;
        while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9') {
            digits++;
        }
        size_t letters = 0;
        while (digits + letters < s.len &&
               (s.ptr[digits + letters] < '0' || s.ptr[digits + letters] > '9')) {
            letters++;
        }
        int64_t count = 0;
        struct str unit = str_n(s.ptr + digits, letters);
        size_t u = 0;
        while (u < COUNT_OF(duration_units) && !str_equal_c(unit, duration_units[u].name)) {
            u++;
        }
        int64_t part = 0;
        if (u == COUNT_OF(duration_units) || !str_to_i64(str_n(s.ptr, digits), &count) ||
            __builtin_mul_overflow(count, duration_units[u].us, &part) ||
            __builtin_add_overflow(total, part, &total)) {
            return false;
        }
        s = str_n(s.ptr + digits + letters, s.len - digits - letters);
    }
    *ret = total;
    return true;
}

static bool parse_percent(struct str s, double *ret)
{
    if (s.len > 0 && s.ptr[s.len - 1] == '%') {
        s = str_trim(str_n(s.ptr, s.len - 1));
    }
    return str_to_double(s, ret) && isfinite(*ret);
}

/* http or https, a host, no user name or password (they would be logged), printable ASCII. */
bool value_is_url(struct str s)
{
    size_t at = str_starts(s, "https://") ? 8 : str_starts(s, "http://") ? 7 : 0;
    if (at == 0 || s.len > 1024 || at == s.len || s.ptr[at] == '/' || s.ptr[at] == ':') {
        return false;
    }
    bool host = true;
    for (size_t i = at; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        host = host && c != '/';
        if (c <= ' ' || c >= 0x7f || (host && c == '@')) {
            return false;
        }
    }
    return true;
}

static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < ' ' || c == 0x7f) {
            return false;
        }
    }
    return str_is_utf8(s);
}

static bool is_word_of(struct str s, const char *words)
{
    struct str rest = str_c(words);
    struct str word;
    while (str_split(&rest, '|', &word)) {
        if (str_equal(word, s)) {
            return true;
        }
    }
    return false;
}

static void add_words(struct buf *out, const char *words)
{
    struct str rest = str_c(words);
    struct str word;
    for (int i = 0; str_split(&rest, '|', &word); i++) {
        buf_addf(out, "%s%.*s", i == 0 ? "" : rest.len == 0 ? " or " : ", ", STR_ARG(word));
    }
}

static void add_type(const struct option *option, struct buf *out)
{
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_TEXTS:
        buf_add_c(out, "printable text");
        return;
    case OPTION_URL:
        buf_add_c(out, "a URL that starts with http:// or https:// and contains no password");
        return;
    case OPTION_ENUM:
        add_words(out, option->unit);
        return;
    case OPTION_INT:
    case OPTION_INTS:
        buf_add_c(out, "a whole number");
        return;
    case OPTION_BOOL:
        buf_add_c(out, "true or false");
        return;
    case OPTION_FLOAT:
        buf_add_c(out, "a number");
        return;
    case OPTION_PERCENT:
        buf_add_c(out, "a percentage such as 2% or 0.5%");
        return;
    case OPTION_DURATION:
        buf_add_c(out, "a duration such as 500ms, 30s, 5m, 1h or 90d");
        return;
    case OPTION_MONEY:
        buf_add_c(out, "an amount such as 10000 or 99.50");
        return;
    case OPTION_SYMBOLS:
        buf_add_c(out, "a symbol such as BTC-USD");
        return;
    }
}

/* Converts without checking the range. */
static bool read_value(const struct option *option, struct str text, union value *ret)
{
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_TEXTS:
        ret->text = text;
        return is_printable(text);
    case OPTION_URL:
        ret->text = text;
        return value_is_url(text) || (text.len == 0 && option->fallback[0] == '\0');
    case OPTION_ENUM:
        ret->text = text;
        return is_word_of(text, option->unit);
    case OPTION_INT:
    case OPTION_INTS:
        return str_to_i64(text, &ret->i64);
    case OPTION_BOOL:
        ret->truth = str_equal_c(text, "true");
        return ret->truth || str_equal_c(text, "false");
    case OPTION_FLOAT:
        return str_to_double(text, &ret->number) && isfinite(ret->number);
    case OPTION_PERCENT:
        return parse_percent(text, &ret->number);
    case OPTION_DURATION:
        return value_read_duration(text, &ret->i64);
    case OPTION_MONEY:
        return dec_parse(text, &ret->money);
    case OPTION_SYMBOLS:
        return symbol_parse(text, &ret->symbol);
    }
    return false;
}

/* -1, 0, 1: below, at or above a limit. The number of items of a list is checked elsewhere. */
static int compare(const struct option *option, const union value *value, const char *limit)
{
    union value bound = {.i64 = 0};
    int64_t length = 0;
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_URL:
        ASSERT(str_to_i64(str_c(limit), &length));
        return ((int64_t)value->text.len > length) - ((int64_t)value->text.len < length);
    case OPTION_INT:
    case OPTION_DURATION:
        ASSERT(read_value(option, str_c(limit), &bound));
        return (value->i64 > bound.i64) - (value->i64 < bound.i64);
    case OPTION_FLOAT:
    case OPTION_PERCENT:
        ASSERT(read_value(option, str_c(limit), &bound));
        return (value->number > bound.number) - (value->number < bound.number);
    case OPTION_MONEY:
        ASSERT(read_value(option, str_c(limit), &bound));
        return dec_cmp(value->money, bound.money);
    case OPTION_ENUM:
    case OPTION_BOOL:
    case OPTION_INTS:
    case OPTION_TEXTS:
    case OPTION_SYMBOLS:
        return 0;
    }
    return 0;
}

enum value_problem value_parse(const struct option *option, struct str text, union value *ret,
                               struct buf *expected)
{
    if (!read_value(option, text, ret)) {
        add_type(option, expected);
        return VALUE_WRONG_TYPE;
    }
    if ((option->minimum[0] != '\0' && compare(option, ret, option->minimum) < 0) ||
        (option->maximum[0] != '\0' && compare(option, ret, option->maximum) > 0)) {
        value_add_range(expected, option);
        return VALUE_OUT_OF_RANGE;
    }
    return VALUE_GOOD;
}

enum value_problem value_check_count(const struct option *option, size_t count,
                                     struct buf *expected)
{
    int64_t least = 0;
    int64_t most = 0;
    ASSERT(str_to_i64(str_c(option->minimum), &least) && str_to_i64(str_c(option->maximum), &most));
    if ((int64_t)count >= least && (int64_t)count <= most) {
        return VALUE_GOOD;
    }
    value_add_range(expected, option);
    return VALUE_OUT_OF_RANGE;
}

void value_add_duration(struct buf *out, int64_t duration_us)
{
    /* In the largest single unit that is exact: 90s, not 1m30s. No value is finer than a
     * millisecond, the last unit. */
    size_t u = 0;
    while (u + 1 < COUNT_OF(duration_units) &&
           (duration_us < duration_units[u].us || duration_us % duration_units[u].us != 0)) {
        u++;
    }
    buf_addf(out, "%lld%s", (long long)(duration_us / duration_units[u].us),
             duration_units[u].name);
}

void value_add_number(struct buf *out, double number)
{
    for (int digits = 1; digits <= 17; digits++) {
        AUTO_BUF struct buf text = BUF_INIT(40);
        double back = 0;
        buf_addf(&text, "%.*g", digits, number);
        if (digits == 17 ||
            (str_to_double(buf_str(&text), &back) && back >= number && back <= number)) {
            if (strchr(text.data, 'e') != NULL && fabs(number) >= 1 && fabs(number) < 1e15) {
                buf_clear(&text); /* 90 and not 9e+01 */
                buf_addf(&text, "%.0f", number);
            }
            buf_add_str(out, buf_str(&text));
            return;
        }
    }
}

static const char *counted_unit(enum option_type type)
{
    switch (type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_URL:
        return " characters"; /* bytes, to be exact */
    case OPTION_INTS:
    case OPTION_TEXTS:
    case OPTION_SYMBOLS:
        return " items";
    case OPTION_ENUM:
    case OPTION_INT:
    case OPTION_BOOL:
    case OPTION_FLOAT:
    case OPTION_PERCENT:
    case OPTION_DURATION:
    case OPTION_MONEY:
        return "";
    }
    return "";
}

void value_add_range(struct buf *out, const struct option *option)
{
    const char *unit = counted_unit(option->type);
    bool has_min =
        option->minimum[0] != '\0' && (unit[0] == '\0' || strcmp(option->minimum, "0") != 0);
    bool has_max = option->maximum[0] != '\0';
    if (has_min && has_max) {
        buf_addf(out, "%s to %s%s", option->minimum, option->maximum, unit);
    } else if (has_min) {
        buf_addf(out, "at least %s%s", option->minimum, unit);
    } else if (has_max) {
        buf_addf(out, "at most %s%s", option->maximum, unit);
    }
}
