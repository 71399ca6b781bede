/*
 * dec.h: money, prices and quantities: 64-bit integers at 1e-8, checked.
 *
 *     struct dec cost = dec_mul(price, qty);          // 128-bit inside, half away from zero
 *     cash = dec_sub(cash, cost);
 *     if (!dec_is_valid(cash)) return err_set(err, ERR_DEC_OVERFLOW, "fill %s", id);
 *
 * Invariants: a value is either a number in ±92,233,720,368.54775807 or `dec_invalid`. Overflow,
 * division by zero and any operation on dec_invalid give dec_invalid: never a wrap, and a chain is
 * checked once, at its end. double is for statistics only.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define DEC_ONE INT64_C(100000000)

struct dec {
    int64_t e8;
};

#define DEC_ZERO    ((struct dec){0})
#define DEC_INVALID ((struct dec){INT64_MIN})

static inline bool dec_is_valid(struct dec a)
{
    return a.e8 != INT64_MIN;
}

struct dec dec_from_int(int64_t whole);
/* Nearest representable; NaN, infinities and what does not fit give dec_invalid. */
struct dec dec_from_double(double value);
double dec_to_double(struct dec a); /* NaN for dec_invalid */

struct dec dec_add(struct dec a, struct dec b);
struct dec dec_sub(struct dec a, struct dec b);
struct dec dec_neg(struct dec a);
struct dec dec_abs(struct dec a);
struct dec dec_mul(struct dec a, struct dec b); /* rounds half away from zero */
struct dec dec_div(struct dec a, struct dec b); /* rounds half away from zero */
/* a * numerator / denominator with one rounding. */
struct dec dec_mul_div(struct dec a, struct dec numerator, struct dec denominator);
/* Toward zero / away from zero / nearest (half away) to a multiple of step: quantities down to a
 * lot, etc. A step that is not above zero gives dec_invalid, as dividing by it would. */
struct dec dec_floor_to(struct dec a, struct dec step);
struct dec dec_ceil_to(struct dec a, struct dec step);
struct dec dec_round_to(struct dec a, struct dec step);

/* The unit of the last of so many significant digits (1 and up) of a, at least 1e-8. */
struct dec dec_digit_step(struct dec a, int digits);

/* -1, 0, 1. Both must be valid (ASSERT). */
int dec_cmp(struct dec a, struct dec b);
struct dec dec_min(struct dec a, struct dec b);
struct dec dec_max(struct dec a, struct dec b);

/* Plain decimal ("-12.5", at most 8 decimals, no exponent, no blanks, no
 * plus, digits on both sides of a point); false on anything else. */
bool dec_parse(struct str s, struct dec *ret);

/* "12.5": shortest exact form; "invalid" for dec_invalid, here and below. */
void dec_add_text(struct buf *out, struct dec a);
/* "64,120.50": thousands separated, exactly `decimals` (0..8) places, rounded half away. */
void dec_add_grouped(struct buf *out, struct dec a, int decimals);
/* The same with at least so many places, and as many more as show two significant digits of a small
 * amount, as far as there are any: "0.0012", not "0.00". */
void dec_add_amount(struct buf *out, struct dec a, int decimals);
/* The shortest exact form into a fixed array of at least DEC_TEXT_SIZE bytes; returns dst. */
#define DEC_TEXT_SIZE 24
const char *dec_text(struct dec a, char dst[DEC_TEXT_SIZE]);
