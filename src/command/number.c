#include "number.h"

#include <string.h>

#define NUMBER_MAX 40 /* bytes; longer than any valid number */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool has_only(struct str text, const char *set)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || strchr(set, text.ptr[i]) == NULL) {
            return false;
        }
    }
    return text.len > 0;
}

/* Whether the commas group the digits correctly, as in "1,234,567". */
static bool is_grouped(struct str whole)
{
    size_t first = 0;
    while (first < whole.len && is_digit(whole.ptr[first])) {
        first++;
    }
    if (first < 1 || first > 3 || whole.ptr[0] == '0' || (whole.len - first) % 4 != 0) {
        return false;
    }
    for (size_t i = first; i < whole.len; i++) {
        if ((i - first) % 4 == 0 ? whole.ptr[i] != ',' : !is_digit(whole.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* Copies text without the character `drop`, and with `from` replaced by a point. */
static void rewrite(struct str text, char drop, char from, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != drop) {
            buf_add_char(out, text.ptr[i] == from ? '.' : text.ptr[i]);
        }
    }
}

static int refuse(const char *name, struct str text, struct err *err)
{
    int shown = (int)(text.len < NUMBER_MAX ? text.len : NUMBER_MAX);
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %.*s is not a number such as 64120.5", name,
                   shown, text.ptr);
}

/* Refuses a number whose commas may be decimal commas, and names both readings. */
static int refuse_commas(const char *name, struct str text, struct err *err)
{
    AUTO_BUF struct buf decimal = BUF_INIT(NUMBER_MAX);
    AUTO_BUF struct buf grouped = BUF_INIT(NUMBER_MAX);
    struct dec value;
    rewrite(text, '.', ',', &decimal); /* as in much of Europe: 1.234,56 */
    rewrite(text, ',', '.', &grouped);
    if (!dec_parse(buf_str(&decimal), &value) || !dec_parse(buf_str(&grouped), &value)) {
        return refuse(name, text, err);
    }
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %.*s is ambiguous: send %s or %s", name,
                   STR_ARG(text), decimal.data, grouped.data);
}

int number_read(const char *name, struct str text, struct dec *ret, struct err *err)
{
    if (text.len > NUMBER_MAX || !has_only(text, "-0123456789.,")) {
        return refuse(name, text, err);
    }
    const char *point = memchr(text.ptr, '.', text.len);
    bool negative = text.ptr[0] == '-';
    struct str whole = str_n(text.ptr, point == NULL ? text.len : (size_t)(point - text.ptr));
    whole = negative ? str_n(whole.ptr + 1, whole.len - 1) : whole;
    if (memchr(text.ptr, ',', text.len) != NULL) {
        const char *last = memrchr(text.ptr, ',', text.len);
        if (!is_grouped(whole) || (point != NULL && last > point)) {
            return refuse_commas(name, text, err);
        }
    }
    AUTO_BUF struct buf plain = BUF_INIT(NUMBER_MAX);
    rewrite(text, ',', '.', &plain);
    return dec_parse(buf_str(&plain), ret) ? 0 : refuse(name, text, err);
}

/* ------------------------------------------------------------------------------ from JSON ---- */

#define DIGITS_MAX 64 /* more than the JSON parser accepts */

/* A JSON number, without zeros at either end. */
struct digits {
    char text[DIGITS_MAX];
    size_t count;
    int64_t point; /* how many are before the point; below zero: zeros follow it first */
};

static bool read_digits(struct str number, struct digits *ret)
{
    bool fraction = false;
    int64_t exponent = 0;
    *ret = (struct digits){.count = 0};
    for (size_t i = str_starts(number, "-") ? 1 : 0; i < number.len; i++) {
        char c = number.ptr[i];
        if (c == 'e' || c == 'E') {
            size_t from = i + 1 < number.len && number.ptr[i + 1] == '+' ? i + 2 : i + 1;
            if (!str_to_i64(str_n(number.ptr + from, number.len - from), &exponent)) {
                return false;
            }
            break;
        }
        if (c == '.') {
            fraction = true;
            continue;
        }
        if (ret->count == DIGITS_MAX) {
            return false;
        }
        bool leading = c == '0' && ret->count == 0;
        ret->point += leading ? (fraction ? -1 : 0) : (fraction ? 0 : 1);
        if (!leading) {
            ret->text[ret->count++] = c;
        }
    }
    while (ret->count > 0 && ret->text[ret->count - 1] == '0') {
        ret->count--;
    }
    return !__builtin_add_overflow(ret->point, exponent, &ret->point) && ret->point > -DIGITS_MAX &&
           ret->point < DIGITS_MAX;
}

void number_add_plain(struct str number, struct buf *out)
{
    struct digits d;
    if (!read_digits(number, &d)) {
        buf_add_str(out, number);
        return;
    }
    buf_add_c(out, d.count > 0 && str_starts(number, "-") ? "-" : "");
    buf_add_c(out, d.count == 0 ? "0" : d.point <= 0 ? "0." : "");
    for (int64_t i = d.point; i < 0 && d.count > 0; i++) {
        buf_add_char(out, '0');
    }
    for (int64_t i = 0; d.count > 0 && (i < (int64_t)d.count || i < d.point); i++) {
        buf_add_c(out, i > 0 && i == d.point ? "." : "");
        buf_add_char(out, i < (int64_t)d.count ? d.text[i] : '0');
    }
}
