#include "venue/field.h"

#include "base/clock.h"

#include <string.h>

#define FOUND_SIZE   40
#define FINE_PLACES  24
#define FINE_MAX     48 /* characters */
#define YEAR_2009_US (INT64_C(1230768000) * USEC_PER_SEC)
#define YEAR_2100_US (INT64_C(4102444800) * USEC_PER_SEC)

int field_wrong(const struct field_place *place, const char *name, const char *what,
                struct err *err)
{
    char row[32] = "";
    if (place->row >= 0) {
        (void)snprintf(row, sizeof(row), ", row %lld", (long long)place->row);
    }
    return err_set(err, ERR_VENUE_DATA, "%s %s%s%s%s %s", place->venue, place->endpoint, row,
                   name != NULL ? ", " : "", name != NULL ? name : "", what);
}

static int wrong_value(const struct field_place *place, const char *name, const char *expected,
                       const struct json_object *value, struct err *err)
{
    char found[FOUND_SIZE] = "nothing", what[128];
    if (json_is_array(value) || json_is_object(value)) {
        (void)str_copy(str_c(json_is_array(value) ? "an array" : "an object"), found,
                       sizeof(found));
    } else if (json_is_text(value)) {
        str_cut(json_value_str(value), found, sizeof(found));
    } else if (value != NULL) {
        AUTO_BUF struct buf text = BUF_INIT(1024);
        json_add_canonical(&text, value);
        str_cut(buf_str(&text), found, sizeof(found));
    }
    str_make_safe(found);
    (void)snprintf(what, sizeof(what), "is %s, not %s", found, expected);
    return field_wrong(place, name, what, err);
}

/* The text of a number is as it was sent: io/json keeps that of fractions, and a whole number has
 * only one. Its getter takes a pointer that is not const, but does not change the value. */
static struct str digits_of(const struct json_object *value)
{
    return json_is_text(value)
               ? json_value_str(value)
               : str_c(json_object_to_json_string((struct json_object *)(uintptr_t)value));
}

/* Without the digits after the eighth place; they must be digits. */
static bool parse_fine(struct str text, struct dec *ret)
{
    const char *point = memchr(text.ptr, '.', text.len);
    size_t kept = point == NULL ? text.len : (size_t)(point - text.ptr) + 1 + 8;
    if (text.len > FINE_MAX || text.len > kept + FINE_PLACES - 8) {
        return false;
    }
    for (size_t i = kept; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return dec_parse(str_n(text.ptr, kept < text.len ? kept : text.len), ret);
}

int field_decimal(const struct field_place *place, const struct json_object *value,
                  const char *name, unsigned exceptions, struct dec *ret, struct err *err)
{
    char expected[96];
    bool negative = (exceptions & FIELD_NEGATIVE) != 0, fine = (exceptions & FIELD_FINE) != 0;
    struct dec dec = DEC_ZERO;
    bool read = json_is_text(value) || ((exceptions & FIELD_NUMBER) != 0 && json_is_number(value));
    if (read) {
        struct str text = digits_of(value);
        read = fine ? parse_fine(text, &dec) : dec_parse(text, &dec);
    }
    if (!read || (dec.e8 < 0 && !negative)) {
        (void)snprintf(expected, sizeof(expected), "a decimal%s%s, with at most %d places",
                       negative ? "" : " of 0 or more",
                       (exceptions & FIELD_NUMBER) != 0 ? "" : " as text", fine ? FINE_PLACES : 8);
        return wrong_value(place, name, expected, value, err);
    }
    *ret = dec;
    return 0;
}

static int read_dec(const struct field_place *place, const struct json_object *value,
                    const char *name, int64_t least, const char *expected, struct dec *ret,
                    struct err *err)
{
    struct dec dec;
    if (!json_is_text(value) || !dec_parse(json_value_str(value), &dec) || dec.e8 < least) {
        return wrong_value(place, name, expected, value, err);
    }
    *ret = dec;
    return 0;
}

int field_price(const struct field_place *place, const struct json_object *value, const char *name,
                struct dec *ret, struct err *err)
{
    return read_dec(place, value, name, 1, "a decimal above 0 as text, with at most 8 places", ret,
                    err);
}

int field_amount(const struct field_place *place, const struct json_object *value, const char *name,
                 struct dec *ret, struct err *err)
{
    return read_dec(place, value, name, 0, "a decimal of 0 or more as text, with at most 8 places",
                    ret, err);
}

int field_time(const struct field_place *place, const struct json_object *value, const char *name,
               int64_t unit_us, int64_t *ret_us, struct err *err)
{
    int64_t units = 0;
    if (json_object_is_type(value, json_type_int)) {
        units = json_object_get_int64(value);
    }
    if (units < YEAR_2009_US / unit_us || units > YEAR_2100_US / unit_us) {
        return wrong_value(place, name,
                           unit_us == USEC_PER_SEC ? "a time in seconds" : "a time in milliseconds",
                           value, err);
    }
    *ret_us = units * unit_us;
    return 0;
}

int field_iso_time(const struct field_place *place, const struct json_object *value,
                   const char *name, int64_t *ret_us, struct err *err)
{
    struct str text = json_value_str(value);
    int64_t wall_us = 0;
    if (!json_is_text(value) || memchr(text.ptr, 'T', text.len) == NULL ||
        text.ptr[text.len - 1] != 'Z' || !clock_parse_iso(text, &wall_us) ||
        wall_us < YEAR_2009_US || wall_us > YEAR_2100_US) {
        return wrong_value(place, name, "a time such as 2026-01-01T00:00:00Z", value, err);
    }
    *ret_us = wall_us;
    return 0;
}

int field_text(const struct field_place *place, const struct json_object *value, const char *name,
               const char **ret, struct err *err)
{
    struct str text = json_value_str(value);
    bool printable = json_is_text(value) && text.len > 0;
    for (size_t i = 0; i < text.len; i++) {
        printable = printable && text.ptr[i] > ' ' && text.ptr[i] < '\177';
    }
    if (!printable) {
        return wrong_value(place, name, "a text of printable characters", value, err);
    }
    *ret = text.ptr;
    return 0;
}

int field_signed(const struct field_place *place, const struct json_object *value, const char *name,
                 struct dec *ret, struct err *err)
{
    return read_dec(place, value, name, -INT64_MAX, "a decimal as text, with at most 8 places", ret,
                    err);
}

int field_number(const struct field_place *place, const struct json_object *value, const char *name,
                 int64_t *ret, struct err *err)
{
    int64_t number = -1;
    /* A number above 2^63 - 1 is read as that one, so it is refused too. */
    if (json_object_is_type(value, json_type_int)) {
        number = json_object_get_int64(value);
    }
    if (number < 0 || number == INT64_MAX) {
        return wrong_value(place, name, "a whole number of 0 or more, of 64 bits", value, err);
    }
    *ret = number;
    return 0;
}

int field_id(const struct field_place *place, const struct json_object *value, const char *name,
             char *ret, size_t size, struct err *err)
{
    int64_t number = 0;
    int rc = field_number(place, value, name, &number, err);
    if (rc >= 0) {
        (void)snprintf(ret, size, "%lld", (long long)number);
    }
    return rc;
}

int field_flag(const struct field_place *place, const struct json_object *value, const char *name,
               bool *ret, struct err *err)
{
    if (!json_object_is_type(value, json_type_boolean)) {
        return wrong_value(place, name, "true or false", value, err);
    }
    *ret = json_object_get_boolean(value);
    return 0;
}

int field_word(const struct field_place *place, const struct json_object *value, const char *name,
               char *ret, size_t size, struct err *err)
{
    const char *text = NULL;
    int rc = field_text(place, value, name, &text, err);
    if (rc >= 0 && !str_copy(str_c(text), ret, size)) {
        rc = field_wrong(place, name, "is too long", err);
    }
    return rc;
}

int field_list(const struct field_place *place, const struct json_object *value, const char *name,
               size_t max, size_t *ret_count, struct err *err)
{
    if (!json_is_array(value)) {
        return wrong_value(place, name, "an array", value, err);
    }
    if (json_len(value) > max) {
        return field_wrong(place, name, "is longer than it can be", err);
    }
    *ret_count = json_len(value);
    return 0;
}

int field_choice(const struct field_place *place, const struct json_object *value, const char *name,
                 const struct field_choice *choices, int *ret, struct err *err)
{
    struct str text = json_value_str(value);
    for (const struct field_choice *c = choices; c->word != NULL && json_is_text(value); c++) {
        if (str_equal_c(text, c->word)) {
            *ret = c->value;
            return 0;
        }
    }
    return wrong_value(place, name, "a word that nightdesk knows", value, err);
}
