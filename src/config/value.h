/*
 * value.h: converts a text to a typed value and back.
 *
 *     union value value;
 *     AUTO_BUF struct buf expected = BUF_INIT(256);
 *     if (value_parse(option, text, &value, &expected) != VALUE_GOOD) refuse(expected.data);
 *
 * Invariant: value_parse converts the text of value_add_text back to the same value.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "option.h"

union value {
    struct str text; /* TEXT, SECRET, URL, ENUM: a view of what was parsed */
    int64_t i64;     /* INT, DURATION in microseconds */
    double number;   /* FLOAT, PERCENT */
    bool truth;
    struct dec money;
    struct symbol symbol; /* an item of SYMBOLS */
};

enum value_problem { VALUE_GOOD, VALUE_WRONG_TYPE, VALUE_OUT_OF_RANGE };

/* For a list option, converts one item. Fills `expected` ("a duration such as 30s, 5m, 1h or 90d",
 * "between 1s and 1h") unless it returns VALUE_GOOD. */
enum value_problem value_parse(const struct option *option, struct str text, union value *ret,
                               struct buf *expected);
/* Checks the number of items of a list against minimum and maximum. */
enum value_problem value_check_count(const struct option *option, size_t count,
                                     struct buf *expected);

/* In the largest unit that is exact: "90s", "2h". */
/* "90s", "1h30m" in µs; false if it is something else. */
bool value_read_duration(struct str s, int64_t *ret);
void value_add_duration(struct buf *out, int64_t duration_us);
/* The shortest text that converts back to the same number. */
void value_add_number(struct buf *out, double number);
/* The range in words, "" if there is none: "1s to 1h", "at least 1". */
void value_add_range(struct buf *out, const struct option *option);
/* Whether OPTION_URL accepts it; for a secret that is a URL. */
bool value_is_url(struct str s);
