#include "base/check.h"
#include "engine/state_file.h"
#include "io/file.h"
#include "io/json.h"

#include <stdio.h>
#include <string.h>

/* What is being read, for the position in error messages. */
struct place {
    struct str text;
    const char *name;
    int index; /* in active_positions; -1: not in it */
};

/* ---------------------------------------------------------------- positions in the text */

/* These walk through a text that json_parse has accepted, since its tree does not keep the
 * positions of values. */
struct walk {
    struct str text;
    size_t at;
};

static void skip_space(struct walk *w)
{
    while (w->at < w->text.len && strchr(" \t\r\n", w->text.ptr[w->at]) != NULL) {
        w->at++;
    }
}

static struct str skip_string(struct walk *w)
{
    size_t from = ++w->at;
    while (w->at < w->text.len && w->text.ptr[w->at] != '"') {
        w->at += w->text.ptr[w->at] == '\\' ? 2 : 1;
    }
    struct str s = str_n(w->text.ptr + from, w->at - from);
    w->at++;
    return s;
}

static void skip_value(struct walk *w)
{
    int depth = 0;
    skip_space(w);
    do {
        char c = w->text.ptr[w->at];
        if (c == '"') {
            (void)skip_string(w);
        } else {
            depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
            w->at++;
            /* A number or a literal extends to the next delimiter. */
            while (depth == 0 && strchr("}]", c) == NULL && w->at < w->text.len &&
                   strchr(",]} \t\r\n", w->text.ptr[w->at]) == NULL) {
                w->at++;
            }
        }
    } while (depth > 0 && w->at < w->text.len);
}

/* Moves to the value of the member with this name. */
static bool enter_member(struct walk *w, const char *key)
{
    skip_space(w);
    if (w->text.ptr[w->at] != '{') {
        return false;
    }
    do {
        w->at++;
        skip_space(w);
        if (w->text.ptr[w->at] != '"') {
            return false; /* an empty object */
        }
        bool wanted = str_equal_c(skip_string(w), key);
        skip_space(w);
        w->at++; /* the colon */
        skip_space(w);
        if (wanted) {
            return true;
        }
        skip_value(w);
        skip_space(w);
    } while (w->text.ptr[w->at] == ',');
    return false;
}

static bool enter_element(struct walk *w, int index)
{
    skip_space(w);
    if (w->text.ptr[w->at] != '[') {
        return false;
    }
    w->at++;
    for (int i = 0; i < index; i++) {
        skip_value(w);
        skip_space(w);
        if (w->text.ptr[w->at] != ',') {
            return false;
        }
        w->at++;
    }
    skip_space(w);
    return true;
}

static int damaged_at(const struct place *place, size_t offset, const char *what, struct err *err)
{
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < offset && i < place->text.len; i++) {
        column = place->text.ptr[i] == '\n' ? 1 : column + 1;
        line += place->text.ptr[i] == '\n';
    }
    return err_set(err, ERR_STATE_FILE_DAMAGED, "%s:%zu:%zu: %s", place->name, line, column, what);
}

/* Reports a fault in a member. If the member is missing, the position is that of its object. */
static int damaged(const struct place *place, const char *key, const char *what, struct err *err)
{
    struct walk w = {place->text, 0};
    char text[128];
    if (place->index >= 0) {
        (void)(enter_member(&w, "active_positions") && enter_element(&w, place->index));
        (void)snprintf(text, sizeof(text), "active_positions[%d]%s%s %s", place->index,
                       key[0] == '\0' ? "" : ".", key, what);
    } else {
        (void)snprintf(text, sizeof(text), "%s %s", key, what);
    }
    skip_space(&w);
    struct walk member = w;
    return damaged_at(place, enter_member(&member, key) ? member.at : w.at, text, err);
}

/* ---------------------------------------------------------------- values */

/* A number, or a string that contains one. False: neither, or out of range. */
static bool to_dec(struct json_object *value, struct dec *ret)
{
    struct str text = STR_LIT("");
    if (json_is_text(value)) {
        text = str_trim(json_value_str(value));
    } else if (json_is_number(value)) {
        text = str_c(json_object_get_string(value)); /* the digits as written */
    }
    double approximate;
    if (!dec_parse(text, ret)) {
        *ret = str_to_double(text, &approximate) ? dec_from_double(approximate) : DEC_INVALID;
    }
    return dec_is_valid(*ret);
}

/* *ret is unchanged if the member is missing or null. */
static int read_dec(const struct place *place, const struct json_object *object, const char *key,
                    struct dec *ret, struct err *err)
{
    struct json_object *value = json_get(object, key);
    if (value != NULL && !to_dec(value, ret)) {
        return damaged(place, key, "is not a number, or is out of range", err);
    }
    return 0;
}

static int read_positive(const struct place *place, const struct json_object *object,
                         const char *key, struct dec *ret, struct err *err)
{
    if (json_get(object, key) == NULL) {
        return damaged(place, key, "is missing", err);
    }
    int rc = read_dec(place, object, key, ret, err);
    return rc >= 0 && ret->e8 <= 0 ? damaged(place, key, "is not above zero", err) : rc;
}

static int read_bool(const struct place *place, const struct json_object *object, const char *key,
                     bool *ret, struct err *err)
{
    struct json_object *value = json_get(object, key);
    if (value == NULL) {
        return 0;
    }
    if (!json_object_is_type(value, json_type_boolean)) {
        return damaged(place, key, "is not true or false", err);
    }
    *ret = json_object_get_boolean(value) != 0;
    return 0;
}

/* A text that is too long is truncated: these texts are for people. */
static int read_text(const struct place *place, const struct json_object *object, const char *key,
                     char *dst, size_t size, struct err *err)
{
    struct json_object *value = json_get(object, key);
    if (value == NULL) {
        return 0;
    }
    if (!json_is_text(value) && !json_is_number(value)) {
        return damaged(place, key, "is not a string", err);
    }
    struct str text = str_c(json_object_get_string(value));
    while (text.len >= size || !str_is_utf8(text)) {
        text.len = text.len >= size ? size - 1 : text.len - 1;
    }
    (void)str_copy(text, dst, size);
    return 0;
}

static int read_time(const struct place *place, const struct json_object *object, const char *key,
                     int64_t *ret, struct err *err)
{
    struct json_object *value = json_get(object, key);
    if (value == NULL) {
        return 0;
    }
    struct str text = json_is_text(value) ? str_trim(json_value_str(value)) : STR_LIT("");
    static const char utc[] = "+00:00";
    if (text.len > sizeof(utc) && memcmp(text.ptr + text.len - 6, utc, 6) == 0) {
        text.len -= 6;
    }
    return clock_parse_iso(text, ret) ? 0 : damaged(place, key, "is not a time (ISO, UTC)", err);
}

/* "BTC/USDT", "btc_usdt" and "BTC/USDT:USDT" are BTC-USDT. */
static bool to_symbol(struct str text, struct symbol *ret)
{
    char name[SYMBOL_SIZE];
    struct str first;
    if (!str_split(&text, ':', &first) || !str_copy(str_trim(first), name, sizeof(name))) {
        return false;
    }
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '/' || *c == '_' ? '-' : *c;
    }
    return symbol_parse(str_c(name), ret);
}

/* ---------------------------------------------------------------- the file */

static int read_position(const struct place *place, const struct json_object *object,
                         struct state_file_position *ret, struct err *err)
{
    *ret = (struct state_file_position){0};
    int rc;
    if (!json_is_object(object)) {
        return damaged(place, "", "is not an object", err);
    }
    struct json_object *symbol = json_get(object, "symbol");
    struct json_object *side = json_get(object, "side");
    if (symbol == NULL || side == NULL) {
        return damaged(place, symbol == NULL ? "symbol" : "side", "is missing", err);
    }
    if (!to_symbol(json_value_str(symbol), &ret->symbol)) {
        return damaged(place, "symbol", "is not a symbol", err);
    }
    struct str word = json_value_str(side);
    if (!str_equal_nocase(word, "long") && !str_equal_nocase(word, "short")) {
        return damaged(place, "side", "is not long or short", err);
    }
    ret->side = str_equal_nocase(word, "long") ? SIDE_LONG : SIDE_SHORT;
    if ((rc = read_positive(place, object, "size", &ret->size, err)) < 0 ||
        (rc = read_positive(place, object, "entry_price", &ret->entry_price, err)) < 0 ||
        (rc = read_dec(place, object, "risk_usd", &ret->risk_usd, err)) < 0 ||
        (rc = read_text(place, object, "order_id", ret->order_id, sizeof(ret->order_id), err)) <
            0 ||
        (rc = read_text(place, object, "stop_loss_order_id", ret->stop_loss_order_id,
                        sizeof(ret->stop_loss_order_id), err)) < 0 ||
        (rc = read_text(place, object, "take_profit_order_id", ret->take_profit_order_id,
                        sizeof(ret->take_profit_order_id), err)) < 0) {
        return rc;
    }
    if (!dec_is_valid(dec_mul(ret->size, ret->entry_price))) {
        return damaged(place, "size", "times entry_price is out of range", err);
    }
    return 0;
}

static int read_positions(struct place *place, const struct json_object *root,
                          struct state_file *ret, struct err *err)
{
    struct json_object *list = json_get(root, "active_positions");
    if (list == NULL) {
        return 0;
    }
    if (!json_is_array(list)) {
        return damaged(place, "active_positions", "is not an array", err);
    }
    if (json_len(list) > POSITIONS_LIMIT) {
        return damaged(place, "active_positions", "has more positions than the maximum", err);
    }
    int count = (int)json_len(list);
    for (int i = 0; i < count; i++) {
        place->index = i;
        int rc = read_position(place, json_item(list, (size_t)i), &ret->positions[i], err);
        for (int j = 0; rc >= 0 && j < i; j++) {
            if (symbol_equal(ret->positions[i].symbol, ret->positions[j].symbol)) {
                rc = damaged(place, "symbol", "appears twice", err);
            }
        }
        if (rc < 0) {
            return rc;
        }
    }
    place->index = -1;
    ret->position_count = count;
    return 0;
}

/* Chooses the meaning of a rate that gives a whole number of trades: 0.6 of five trades is three of
 * them as a fraction. */
static bool is_fraction(struct dec rate, struct dec trades)
{
    if (rate.e8 <= 0 || rate.e8 > DEC_ONE) {
        return false;
    }
    struct dec one = dec_from_int(1);
    struct dec fraction = dec_mul(rate, trades);
    struct dec percent = dec_div(fraction, dec_from_int(100));
    struct dec off_fraction = dec_abs(dec_sub(fraction, dec_round_to(fraction, one)));
    struct dec off_percent = dec_abs(dec_sub(percent, dec_round_to(percent, one)));
    return dec_is_valid(off_fraction) && dec_is_valid(off_percent) &&
           dec_cmp(off_fraction, off_percent) < 0;
}

static int read_counts(const struct place *place, const struct json_object *root,
                       struct state_file *ret, struct err *err)
{
    struct dec trades = DEC_ZERO;
    int rc;
    if ((rc = read_dec(place, root, "total_trades", &trades, err)) < 0 ||
        (rc = read_dec(place, root, "win_rate", &ret->win_rate, err)) < 0) {
        return rc;
    }
    if (trades.e8 < 0 || trades.e8 % DEC_ONE != 0) {
        return damaged(place, "total_trades", "is not a whole number, or is negative", err);
    }
    ret->total_trades = trades.e8 / DEC_ONE;
    if (is_fraction(ret->win_rate, trades)) {
        ret->win_rate = dec_mul(ret->win_rate, dec_from_int(100));
    }
    if (ret->win_rate.e8 < 0 || ret->win_rate.e8 > 100 * DEC_ONE) {
        return damaged(place, "win_rate", "is not between 0 and 100", err);
    }
    return 0;
}

static int read_all(struct place *place, const struct json_object *root, struct state_file *ret,
                    struct err *err)
{
    int rc;
    if (!json_is_object(root)) {
        return damaged_at(place, 0, "not an object", err);
    }
    if ((rc = read_bool(place, root, "initialized", &ret->initialized, err)) < 0 ||
        (rc = read_text(place, root, "provider", ret->provider, sizeof(ret->provider), err)) < 0 ||
        (rc = read_time(place, root, "created_at", &ret->created_us, err)) < 0 ||
        (rc = read_time(place, root, "last_updated", &ret->last_updated_us, err)) < 0 ||
        (rc = read_positions(place, root, ret, err)) < 0 ||
        (rc = read_counts(place, root, ret, err)) < 0 ||
        (rc = read_dec(place, root, "total_pnl", &ret->total_pnl, err)) < 0 ||
        (rc = read_dec(place, root, "daily_pnl", &ret->daily_pnl, err)) < 0 ||
        (rc = read_dec(place, root, "daily_drawdown_pct", &ret->daily_drawdown_pct, err)) < 0 ||
        (rc = read_bool(place, root, "circuit_breaker_tripped", &ret->breaker_tripped, err)) < 0 ||
        (rc = read_text(place, root, "last_circuit_trip_reason", ret->last_trip_reason,
                        sizeof(ret->last_trip_reason), err)) < 0) {
        return rc;
    }
    return 0;
}

/* json_parse reports its offset for syntax errors; other errors are located here. */
static int not_json(const struct place *place, const struct err *why, struct err *err)
{
    long long offset = 0;
    int used = 0;
    if (sscanf(why->context, "offset %lld: %n", &offset, &used) == 1 && used > 0) {
        return damaged_at(place, (size_t)offset, why->context + used, err);
    }
    if (why->id == ERR_BAD_UTF8) {
        struct str rest = place->text;
        for (size_t n; rest.len > 0 && (n = str_utf8_size(rest)) > 0;) {
            rest = str_n(rest.ptr + n, rest.len - n);
        }
        return damaged_at(place, place->text.len - rest.len, "not UTF-8", err);
    }
    return err_set(err, ERR_STATE_FILE_DAMAGED, "%s: %s", place->name, why->context);
}

int state_file_parse(struct str text, const char *name, struct state_file *ret, struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    struct place place = {text, name, -1};
    struct state_file file = {0};
    struct err why = {0};
    const struct json_limits limits = {.max_bytes = STATE_FILE_MAX_BYTES, .max_depth = 16};
    if (json_parse(text, &limits, &root, &why) < 0) {
        return not_json(&place, &why, err);
    }
    int rc = read_all(&place, root, &file, err);
    if (rc >= 0) {
        *ret = file;
    }
    return rc;
}

int state_file_read(const char *path, struct state_file *ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(STATE_FILE_MAX_BYTES);
    int rc = file_read(path, &text, err);
    return rc < 0 ? rc : state_file_parse(buf_str(&text), path, ret, err);
}
