/*
 * field.h: values in a venue's answer, read strictly.
 *
 *     const struct field_place place = {.venue = "binance", .endpoint = "/api/v3/klines", .row =
 * i}; if ((rc = field_price(&place, json_item(row, 1), "open", &c.open, err)) < 0) return rc;
 *
 * Anything else than the expected form is ERR_VENUE_DATA, whose context names venue, end point, row
 * and field: a value is never guessed, rounded or replaced by zero. Thread: any.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "io/json.h"

#include <stdint.h>

struct field_place {
    const char *venue;
    const char *endpoint;
    int64_t row; /* -1: not in a list */
};

/* What is wrong with the answer or the field (name, or NULL), such as "is not an array". */
int field_wrong(const struct field_place *place, const char *name, const char *what,
                struct err *err);
/* A plain decimal as text with at most eight places: no number, exponent, sign or space. Prices are
 * above 0, amounts 0 or more. field_decimal: the same with these exceptions. */
#define FIELD_NEGATIVE 1U /* it may be below zero */
/* It may also be a JSON number, whose digits are read as they were sent. */
#define FIELD_NUMBER 2U
/* It may have up to 24 places; those after the eighth are dropped. For amounts that a venue keeps
 * in finer units than it trades: balances and fees, never prices and quantities of orders. */
#define FIELD_FINE 4U
int field_decimal(const struct field_place *place, const struct json_object *value,
                  const char *name, unsigned exceptions, struct dec *ret, struct err *err);
int field_price(const struct field_place *place, const struct json_object *value, const char *name,
                struct dec *ret, struct err *err);
int field_amount(const struct field_place *place, const struct json_object *value, const char *name,
                 struct dec *ret, struct err *err);
/* A whole number of units of unit_us since 1970, from 2009 to 2100: a time in another unit is
 * outside. */
int field_time(const struct field_place *place, const struct json_object *value, const char *name,
               int64_t unit_us, int64_t *ret_us, struct err *err);
/* A time with date as text (RFC 3339, UTC), in the same years. */
int field_iso_time(const struct field_place *place, const struct json_object *value,
                   const char *name, int64_t *ret_us, struct err *err);
/* A text of printable ASCII, not empty; borrowed from the value. */
int field_text(const struct field_place *place, const struct json_object *value, const char *name,
               const char **ret, struct err *err);
/* Of any sign: a fee, a payment. */
int field_signed(const struct field_place *place, const struct json_object *value, const char *name,
                 struct dec *ret, struct err *err);
/* A whole number from 0 to 2^63 - 1, as JSON number; and its digits, as an id. */
int field_number(const struct field_place *place, const struct json_object *value, const char *name,
                 int64_t *ret, struct err *err);
int field_id(const struct field_place *place, const struct json_object *value, const char *name,
             char *ret, size_t size, struct err *err);
int field_flag(const struct field_place *place, const struct json_object *value, const char *name,
               bool *ret, struct err *err);
/* A text as field_text, which fits. */
int field_word(const struct field_place *place, const struct json_object *value, const char *name,
               char *ret, size_t size, struct err *err);
/* An array of at most max elements. */
int field_list(const struct field_place *place, const struct json_object *value, const char *name,
               size_t max, size_t *ret_count, struct err *err);

/* A text of a list, which ends with a NULL word. */
struct field_choice {
    const char *word;
    int value;
};
int field_choice(const struct field_place *place, const struct json_object *value, const char *name,
                 const struct field_choice *choices, int *ret, struct err *err);
