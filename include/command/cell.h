/*
 * cell.h: one typed value of a reply: money, a price, a percentage, a time, a state, a word. People
 * read it formatted ("+$2.39", "2 d 4 h"), programs as a value with its unit.
 *
 *     reply_para(r, "Equity {} ({})", cell_money(s->equity), cell_pct_signed(change, 1));
 *     cell_add_text(&line, cell_money_signed(pnl));          // "+$2.39"
 *     cell_json(&out, "value", &cell);      //
 * {"type":"money","value":2.39,"unit":"USD","sign":true}
 *
 * Rules of the text: the minus sign is U+2212, which differs from a hyphen; a value that is not
 * known is "?" (invalid amount, NaN); a value that does not exist is "–" (cell_none).
 * Rules of the JSON: a text is a string, a value that does not exist is null, everything else is an
 * object with "type" and "value". Amounts are exact decimal numbers, durations are seconds (unit
 * "s"), times are ISO 8601 in UTC. "unit" is absent if the value has none. A limit has
 * "bound": "at_most" or "at_least". The members "sign", "places", "form" and "tone" only say how to
 * show the value. Reading what was written gives a
 * cell with the same text; a value that this version cannot read becomes a text.
 * Ownership: `text` is borrowed; a reply copies it.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "command/tone.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_out;

enum cell_kind {
    CELL_NONE,     /* no value: "–" */
    CELL_TEXT,     /* words */
    CELL_CODE,     /* to be typed or copied: a command, a number to confirm with, an id */
    CELL_SYMBOL,   /* "BTC-USD" */
    CELL_STATE,    /* "up", with a tone */
    CELL_MONEY,    /* two decimals; below half a cent, two significant digits: "$0.0012" */
    CELL_PRICE,    /* 1 decimal from 1,000, 2 from 10, 4 from 1, otherwise 6; exact below 0.01 */
    CELL_QTY,      /* exact */
    CELL_PERCENT,  /* "4.1 %" */
    CELL_NUMBER,   /* of an indicator, a weight, a ratio */
    CELL_COUNT,    /* a whole number */
    CELL_TIME,     /* of day, UTC */
    CELL_DURATION, /* "2 d 4 h" */
};

enum cell_form {
    CELL_FORM_SECOND, /* "04:15:21": a time of the day in which the reply was made */
    CELL_FORM_MINUTE, /* "2026-11-21 04:15" */
    CELL_FORM_CLOCK,  /* "04:15" */
    CELL_FORM_DAY,    /* "11-21" */
    CELL_FORM_EXACT,  /* money, price: all digits, no symbol: "64120.5" */
    CELL_FORM_TENTH,  /* duration: "4.2 s" below ten seconds, so that steps can be compared */
};

enum cell_bound { CELL_BOUND_NONE, CELL_BOUND_MOST, CELL_BOUND_LEAST }; /* "≤ 75 %" "≥ 5 %" */

#define CELL_UNIT_SIZE    16
#define CELL_PLACES_AUTO  (-1) /* number: by its size; see cell_number_auto */
#define CELL_PLACES_SHORT (-2) /* as few as show the number: "2", "0.5" */

struct cell {
    enum cell_kind kind;
    enum cell_form form;
    enum tone tone; /* state */
    enum cell_bound bound;
    bool sign;  /* a plus sign is shown, too */
    int places; /* percent, number; money: 0 stands for two */
    struct dec amount;
    double number;
    int64_t integer; /* count; time and duration in µs */
    const char *text;
    char unit[CELL_UNIT_SIZE];
};

struct cell cell_none(void);
struct cell cell_text(const char *text);
struct cell cell_code(const char *text);
struct cell cell_symbol(const char *name);
struct cell cell_state(const char *word, enum tone tone);
/* In US dollars, the currency of the paper venue. */
struct cell cell_money(struct dec amount);
struct cell cell_money_signed(struct dec amount);
struct cell cell_cost(struct dec amount); /* of a call, with four decimals */
/* The unit is the quote currency, or for a quantity the asset, of the symbol ("BTC-USD"). */
struct cell cell_price(struct dec price, const char *symbol);
struct cell cell_qty(struct dec qty, const char *symbol);
struct cell cell_limit(struct cell limit, bool at_least); /* "≥ 5.0 %", otherwise "≤ 5.0 %" */
struct cell cell_exact(struct cell amount);               /* a price or money in all its digits */
struct cell cell_pct(double pct, int places);
struct cell cell_pct_signed(double pct, int places);
struct cell cell_number(double value, int places);
struct cell cell_number_signed(double value, int places); /* "+0.80" "−0.80" */
/* Grouped: 1 decimal from 1,000, 2 from 10, otherwise 4, or as many as show two significant digits;
 * a whole number below a million has no decimals if `whole` is set. */
struct cell cell_number_auto(double value, bool whole);
struct cell cell_times(double value); /* "1.20×" */
struct cell cell_ms(double ms);       /* "1.2 ms" */
struct cell cell_count(int64_t count);
struct cell cell_bytes(double bytes);            /* "980 B" "9.9 MB" "12 MB" */
struct cell cell_bytes_per_second(double bytes); /* "9.9 MB/s" */
/* A time of 0 has not happened: CELL_NONE. */
struct cell cell_time(int64_t wall_us, int64_t now_us); /* clock_add_when */
struct cell cell_clock(int64_t wall_us);
struct cell cell_day(int64_t wall_us);
struct cell cell_duration(int64_t duration_us);
struct cell cell_took(int64_t duration_us); /* with tenths of a second below ten seconds */

double cell_ratio_pct(struct dec part, struct dec whole); /* 0 if it cannot be computed */

/* For people. */
void cell_add_text(struct buf *out, struct cell cell);
bool cell_is_figure(const struct cell *cell); /* right-aligned in a column */
/* A name of the value is needed beside it, because its text does not say what it is. */
bool cell_needs_name(const struct cell *cell);

/* For programs. The text of a cell that was read is borrowed from `value`. */
void cell_json(struct json_out *out, const char *key, const struct cell *cell);
bool cell_json_read(const struct json_object *value, struct cell *ret);

/* CELLS(a, b, c): an array of cells and its length, as two arguments. */
#define CELLS(...)                      \
    (const struct cell[]){__VA_ARGS__}, \
        sizeof((const struct cell[]){__VA_ARGS__}) / sizeof(struct cell)
