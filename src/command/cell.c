#include "command/cell.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "io/json_out.h"

#include <math.h>
#include <string.h>

#define MINUS    "−"
#define CURRENCY "USD"

/* ---------------------------------------------------------------------------------- making ---- */

struct cell cell_none(void)
{
    return (struct cell){.kind = CELL_NONE};
}

struct cell cell_text(const char *text)
{
    return (struct cell){.kind = CELL_TEXT, .text = text};
}

struct cell cell_code(const char *text)
{
    return (struct cell){.kind = CELL_CODE, .text = text};
}

struct cell cell_symbol(const char *name)
{
    return (struct cell){.kind = CELL_SYMBOL, .text = name};
}

struct cell cell_state(const char *word, enum tone tone)
{
    return (struct cell){.kind = CELL_STATE, .text = word, .tone = tone};
}

struct cell cell_money(struct dec amount)
{
    return (struct cell){.kind = CELL_MONEY, .amount = amount, .unit = CURRENCY};
}

struct cell cell_money_signed(struct dec amount)
{
    return (struct cell){.kind = CELL_MONEY, .amount = amount, .sign = true, .unit = CURRENCY};
}

struct cell cell_cost(struct dec amount)
{
    struct cell c = cell_money(amount);
    c.places = 4;
    return c;
}

struct cell cell_price(struct dec price, const char *symbol)
{
    struct cell c = {.kind = CELL_PRICE, .amount = price};
    const char *dash = strchr(symbol, '-');
    (void)str_copy(str_c(dash == NULL ? "" : dash + 1), c.unit, sizeof(c.unit));
    return c;
}

struct cell cell_qty(struct dec qty, const char *symbol)
{
    struct cell c = {.kind = CELL_QTY, .amount = qty};
    (void)str_copy(str_n(symbol, strcspn(symbol, "-")), c.unit, sizeof(c.unit));
    return c;
}

struct cell cell_limit(struct cell limit, bool at_least)
{
    limit.bound = at_least ? CELL_BOUND_LEAST : CELL_BOUND_MOST;
    return limit;
}

struct cell cell_exact(struct cell amount)
{
    amount.form = CELL_FORM_EXACT;
    return amount;
}

struct cell cell_pct(double pct, int places)
{
    return (struct cell){.kind = CELL_PERCENT, .number = pct, .places = places, .unit = "%"};
}

struct cell cell_pct_signed(double pct, int places)
{
    struct cell c = cell_pct(pct, places);
    c.sign = true;
    return c;
}

struct cell cell_number(double value, int places)
{
    return (struct cell){.kind = CELL_NUMBER, .number = value, .places = places};
}

struct cell cell_number_signed(double value, int places)
{
    return (struct cell){.kind = CELL_NUMBER, .number = value, .places = places, .sign = true};
}

static bool is_whole(double value)
{
    return value > -1e6 && value < 1e6 && !(trunc(value) < value) && !(trunc(value) > value);
}

struct cell cell_number_auto(double value, bool whole)
{
    return cell_number(value, whole && is_whole(value) ? 0 : CELL_PLACES_AUTO);
}

struct cell cell_times(double value)
{
    return (struct cell){.kind = CELL_NUMBER, .number = value, .places = 2, .unit = "×"};
}

struct cell cell_ms(double ms)
{
    return (struct cell){.kind = CELL_NUMBER, .number = ms, .places = 1, .unit = "ms"};
}

struct cell cell_count(int64_t count)
{
    return (struct cell){.kind = CELL_COUNT, .integer = count};
}

/* In powers of a thousand, as disks and networks are measured. */
static struct cell scaled(double bytes, size_t per_second)
{
    static const char *const units[][2] = {
        {"B", "B/s"}, {"kB", "kB/s"}, {"MB", "MB/s"}, {"GB", "GB/s"}, {"TB", "TB/s"}};
    size_t i = 0;
    for (; fabs(bytes) >= 1e3 && i + 1 < COUNT_OF(units); i++) {
        bytes /= 1e3;
    }
    struct cell cell = cell_number(bytes, i > 0 && fabs(bytes) < 10 ? 1 : 0);
    (void)str_copy(str_c(units[i][per_second]), cell.unit, sizeof(cell.unit));
    return cell;
}

struct cell cell_bytes(double bytes)
{
    return scaled(bytes, 0);
}

struct cell cell_bytes_per_second(double bytes)
{
    return scaled(bytes, 1);
}

static struct cell time_of(int64_t wall_us, enum cell_form form)
{
    return wall_us == 0 ? cell_none()
                        : (struct cell){.kind = CELL_TIME, .integer = wall_us, .form = form};
}

struct cell cell_time(int64_t wall_us, int64_t now_us)
{
    AUTO_BUF struct buf when = BUF_INIT(64);
    clock_add_when(&when, wall_us, now_us);
    bool today = memchr(when.data, ' ', when.len) == NULL;
    return time_of(wall_us, today ? CELL_FORM_SECOND : CELL_FORM_MINUTE);
}

struct cell cell_clock(int64_t wall_us)
{
    return time_of(wall_us, CELL_FORM_CLOCK);
}

struct cell cell_day(int64_t wall_us)
{
    return time_of(wall_us, CELL_FORM_DAY);
}

struct cell cell_duration(int64_t duration_us)
{
    return (struct cell){.kind = CELL_DURATION, .integer = duration_us, .unit = "s"};
}

struct cell cell_took(int64_t duration_us)
{
    struct cell c = cell_duration(duration_us);
    c.form = CELL_FORM_TENTH;
    return c;
}

double cell_ratio_pct(struct dec part, struct dec whole)
{
    double denominator = dec_to_double(whole);
    double ratio = 100 * dec_to_double(part) / denominator;
    return denominator == 0 || !isfinite(ratio) ? 0 : ratio;
}

/* ------------------------------------------------------------------------------ for people ---- */

static void add_sign(struct buf *out, int sign, bool with_plus)
{
    if (sign < 0) {
        buf_add_c(out, MINUS);
    } else if (with_plus) {
        buf_add_char(out, '+');
    }
}

static void add_money(struct buf *out, const struct cell *c)
{
    if (!dec_is_valid(c->amount)) {
        buf_add_c(out, "?");
        return;
    }
    bool euros = strcmp(c->unit, "EUR") == 0;
    bool dollars = strcmp(c->unit, "USD") == 0;
    add_sign(out, dec_cmp(c->amount, DEC_ZERO), c->sign);
    buf_add_c(out, dollars ? "$" : euros ? "€" : "");
    dec_add_amount(out, dec_abs(c->amount), c->places == 0 ? 2 : c->places);
    if (!dollars && !euros && c->unit[0] != '\0') {
        buf_addf(out, " %s", c->unit);
    }
}

static void add_price(struct buf *out, struct dec price)
{
    if (!dec_is_valid(price)) {
        buf_add_c(out, "?");
        return;
    }
    int64_t size = dec_abs(price).e8;
    int decimals = size >= 1000 * DEC_ONE ? 1 : size >= 10 * DEC_ONE ? 2 : size >= DEC_ONE ? 4 : 6;
    /* Exact below 0.01: such prices differ only in the last places. */
    decimals = size >= DEC_ONE / 100 || size % 100 == 0 ? decimals : size % 10 == 0 ? 7 : 8;
    dec_add_grouped(out, price, decimals);
}

static void add_exact(struct buf *out, struct dec amount)
{
    if (dec_is_valid(amount)) {
        dec_add_text(out, amount);
    } else {
        buf_add_c(out, "?");
    }
}

static void add_by_size(struct buf *out, double value)
{
    struct dec rounded = dec_from_double(value);
    if (!dec_is_valid(rounded)) {
        buf_add_c(out, "?");
        return;
    }
    double size = fabs(value);
    if (size > 0 && rounded.e8 == 0) {
        buf_addf(out, "%.2g", value);
        return;
    }
    dec_add_amount(out, rounded, size >= 1000 ? 1 : size >= 10 ? 2 : 4);
}

static void add_number(struct buf *out, const struct cell *c)
{
    if (c->places == CELL_PLACES_AUTO) {
        add_by_size(out, c->number);
    } else if (!isfinite(c->number)) {
        buf_add_c(out, "?");
    } else if (c->places == CELL_PLACES_SHORT) {
        add_sign(out, c->number < 0 ? -1 : 1, c->sign);
        buf_addf(out, "%g", fabs(c->number));
    } else {
        double unit = pow(10, c->places);
        double shown = round(fabs(c->number) * unit) / unit;
        /* A loss that rounds to zero keeps its sign: −0.00 %. */
        add_sign(out, c->number < 0 ? -1 : 1, c->sign);
        buf_addf(out, "%.*f", c->places, shown);
    }
    if (c->unit[0] != '\0') {
        buf_addf(out, "%s%s", strcmp(c->unit, "×") == 0 ? "" : " ", c->unit);
    }
}

/* Parts of "2026-11-21T04:15:21Z". */
static void add_time(struct buf *out, const struct cell *c)
{
    AUTO_BUF struct buf iso = BUF_INIT(64);
    clock_add_iso(&iso, c->integer, false);
    const char *t = strchr(iso.data, 'T');
    ASSERT(t != NULL);
    switch (c->form) {
    case CELL_FORM_SECOND:
        buf_add(out, t + 1, strlen("04:15:21"));
        break;
    case CELL_FORM_CLOCK:
        buf_add(out, t + 1, strlen("04:15"));
        break;
    case CELL_FORM_DAY:
        buf_add(out, t - strlen("11-21"), strlen("11-21"));
        break;
    case CELL_FORM_MINUTE:
    case CELL_FORM_TENTH:
    case CELL_FORM_EXACT:
        buf_add(out, iso.data, (size_t)(t - iso.data));
        buf_add_char(out, ' ');
        buf_add(out, t + 1, strlen("04:15"));
        break;
    }
}

static void add_duration(struct buf *out, const struct cell *c)
{
    bool tenths =
        c->form == CELL_FORM_TENTH && c->integer >= USEC_PER_SEC && c->integer < 10 * USEC_PER_SEC;
    if (tenths) {
        buf_addf(out, "%.1f s", (double)c->integer / (double)USEC_PER_SEC);
    } else {
        clock_add_duration(out, c->integer);
    }
}

void cell_add_text(struct buf *out, struct cell cell)
{
    const struct cell *c = &cell;
    if (c->bound != CELL_BOUND_NONE) {
        buf_add_c(out, c->bound == CELL_BOUND_LEAST ? "≥ " : "≤ ");
    }
    switch (c->kind) {
    case CELL_NONE:
        buf_add_c(out, "–");
        break;
    case CELL_STATE:
        buf_add_c(out, tone_icon(c->tone));
        buf_add_c(out, c->text);
        break;
    case CELL_TEXT:
    case CELL_CODE:
    case CELL_SYMBOL:
        buf_add_c(out, c->text);
        break;
    case CELL_MONEY:
        if (c->form == CELL_FORM_EXACT) {
            add_exact(out, c->amount);
        } else {
            add_money(out, c);
        }
        break;
    case CELL_PRICE:
        if (c->form == CELL_FORM_EXACT) {
            add_exact(out, c->amount);
        } else {
            add_price(out, c->amount);
        }
        break;
    case CELL_QTY:
        add_exact(out, c->amount);
        break;
    case CELL_PERCENT:
    case CELL_NUMBER:
        add_number(out, c);
        break;
    case CELL_COUNT:
        buf_addf(out, "%lld", (long long)c->integer);
        break;
    case CELL_TIME:
        add_time(out, c);
        break;
    case CELL_DURATION:
        add_duration(out, c);
        break;
    }
}

bool cell_is_figure(const struct cell *c)
{
    switch (c->kind) {
    case CELL_MONEY:
    case CELL_PRICE:
    case CELL_QTY:
    case CELL_PERCENT:
    case CELL_NUMBER:
    case CELL_COUNT:
        return true;
    case CELL_NONE:
    case CELL_TEXT:
    case CELL_CODE:
    case CELL_SYMBOL:
    case CELL_STATE:
    case CELL_TIME:
    case CELL_DURATION:
        return false;
    }
    return false;
}

bool cell_needs_name(const struct cell *c)
{
    return cell_is_figure(c) || c->kind == CELL_DURATION || c->kind == CELL_NONE;
}

/* ---------------------------------------------------------------------------- for programs ---- */

static const char *const kind_names[] = {
    [CELL_NONE] = "none",         [CELL_TEXT] = "text",    [CELL_CODE] = "code",
    [CELL_SYMBOL] = "symbol",     [CELL_STATE] = "state",  [CELL_MONEY] = "money",
    [CELL_PRICE] = "price",       [CELL_QTY] = "quantity", [CELL_PERCENT] = "percent",
    [CELL_NUMBER] = "number",     [CELL_COUNT] = "count",  [CELL_TIME] = "time",
    [CELL_DURATION] = "duration",
};

static const char *const form_names[] = {
    [CELL_FORM_SECOND] = "second", [CELL_FORM_MINUTE] = "minute", [CELL_FORM_CLOCK] = "clock",
    [CELL_FORM_DAY] = "day",       [CELL_FORM_TENTH] = "tenth",   [CELL_FORM_EXACT] = "exact",
};

/* Seconds with up to six places; whole ones beyond the range of a decimal (2,900 years). */
static void write_seconds(struct json_out *out, int64_t us)
{
    struct dec seconds = dec_from_int(us / USEC_PER_SEC);
    struct dec rest = {us % USEC_PER_SEC * (DEC_ONE / USEC_PER_SEC)};
    struct dec sum = dec_add(seconds, rest);
    if (dec_is_valid(sum)) {
        json_out_dec(out, "value", sum);
    } else {
        json_out_i64(out, "value", us / USEC_PER_SEC);
    }
}

static void write_value(struct json_out *out, const struct cell *c)
{
    switch (c->kind) {
    case CELL_NONE:
        break;
    case CELL_TEXT:
    case CELL_CODE:
    case CELL_SYMBOL:
    case CELL_STATE:
        json_out_text(out, "value", c->text);
        break;
    case CELL_MONEY:
    case CELL_PRICE:
    case CELL_QTY:
        json_out_dec(out, "value", c->amount);
        break;
    case CELL_PERCENT:
    case CELL_NUMBER:
        json_out_double(out, "value", c->number);
        break;
    case CELL_COUNT:
        json_out_i64(out, "value", c->integer);
        break;
    case CELL_TIME:
        json_out_time(out, "value", c->integer);
        break;
    case CELL_DURATION:
        write_seconds(out, c->integer);
        break;
    }
}

void cell_json(struct json_out *out, const char *key, const struct cell *c)
{
    if (c->kind == CELL_NONE) {
        json_out_null(out, key);
        return;
    }
    if (c->kind == CELL_TEXT) {
        json_out_text(out, key, c->text);
        return;
    }
    json_out_object(out, key);
    json_out_text(out, "type", kind_names[c->kind]);
    write_value(out, c);
    if (c->unit[0] != '\0') {
        json_out_text(out, "unit", c->unit);
    }
    if (c->bound != CELL_BOUND_NONE) {
        json_out_text(out, "bound", c->bound == CELL_BOUND_LEAST ? "at_least" : "at_most");
    }
    if (c->sign) {
        json_out_bool(out, "sign", true);
    }
    bool number = c->kind == CELL_PERCENT || c->kind == CELL_NUMBER;
    if ((number && c->places != CELL_PLACES_AUTO) || (c->kind == CELL_MONEY && c->places != 0)) {
        json_out_i64(out, "places", c->places);
    }
    if (c->kind == CELL_TIME || c->form == CELL_FORM_TENTH || c->form == CELL_FORM_EXACT) {
        json_out_text(out, "form", form_names[c->form]);
    }
    if (c->kind == CELL_STATE) {
        json_out_text(out, "tone", tone_name(c->tone));
    }
    json_out_end(out);
}

static int name_index(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* The number as it was written: json-c keeps its digits. */
static bool read_dec(const struct json_object *value, struct dec *ret)
{
    struct json_object *number = json_get(value, "value");
    *ret = DEC_INVALID;
    if (number == NULL) {
        return true;
    }
    return json_is_number(number) && dec_parse(str_c(json_object_to_json_string(number)), ret);
}

static bool read_duration(const struct json_object *value, int64_t *ret)
{
    struct dec seconds;
    int64_t whole = json_i64(value, "value", 0);
    if (read_dec(value, &seconds) && dec_is_valid(seconds)) {
        *ret = seconds.e8 / (DEC_ONE / USEC_PER_SEC);
        return true;
    }
    return whole != 0 && !__builtin_mul_overflow(whole, USEC_PER_SEC, ret);
}

static bool read_number(const struct json_object *value, struct cell *c)
{
    const struct json_object *number = json_get(value, "value");
    c->number = number == NULL ? (double)NAN : json_double(value, "value", 0);
    int64_t places = json_i64(value, "places", CELL_PLACES_AUTO);
    c->places = (int)places;
    return (number == NULL || json_is_number(number)) && places >= CELL_PLACES_SHORT && places <= 8;
}

static bool read_value(const struct json_object *value, struct cell *c)
{
    switch (c->kind) {
    case CELL_TEXT:
    case CELL_CODE:
    case CELL_SYMBOL:
    case CELL_STATE:
        c->text = json_text(value, "value");
        return json_is_text(json_get(value, "value"));
    case CELL_MONEY:
        c->places = (int)json_i64(value, "places", 0);
        return read_dec(value, &c->amount) && c->places >= 0 && c->places <= 8;
    case CELL_PRICE:
    case CELL_QTY:
        return read_dec(value, &c->amount);
    case CELL_PERCENT:
    case CELL_NUMBER:
        return read_number(value, c);
    case CELL_COUNT:
        c->integer = json_i64(value, "value", 0);
        return json_is_number(json_get(value, "value"));
    case CELL_TIME:
        return clock_parse_iso(json_str(value, "value"), &c->integer);
    case CELL_DURATION:
        return read_duration(value, &c->integer);
    case CELL_NONE:
        return false;
    }
    return false;
}

bool cell_json_read(const struct json_object *value, struct cell *ret)
{
    *ret = cell_none();
    if (value == NULL) {
        return true;
    }
    if (json_is_text(value)) {
        struct str text = json_value_str(value);
        *ret = cell_text(strlen(text.ptr) == text.len ? text.ptr : "");
        return true;
    }
    if (!json_is_object(value)) {
        return false;
    }
    int kind = name_index(json_text(value, "type"), kind_names, COUNT_OF(kind_names));
    int form = name_index(json_text(value, "form"), form_names, COUNT_OF(form_names));
    ret->kind = kind < 0 ? CELL_NONE : (enum cell_kind)kind;
    ret->form = form < 0 ? CELL_FORM_SECOND : (enum cell_form)form;
    const char *bound = json_text(value, "bound");
    ret->bound = strcmp(bound, "at_least") == 0  ? CELL_BOUND_LEAST
                 : strcmp(bound, "at_most") == 0 ? CELL_BOUND_MOST
                                                 : CELL_BOUND_NONE;
    ret->sign = json_truth(value, "sign", false);
    (void)tone_parse(json_text(value, "tone"), &ret->tone);
    (void)str_copy(json_str(value, "unit"), ret->unit, sizeof(ret->unit));
    if (!read_value(value, ret)) {
        *ret = cell_text(json_text(value, "value"));
    }
    return true;
}
