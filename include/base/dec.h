/*
 * dec.h: money, prices and quantities as 64-bit integers in units of 1e-8, with checked arithmetic.
 *
 *     struct dec cost = dec_mul(price, qty);          // 128-bit intermediate
 *     cash = dec_sub(cash, cost);
 *     if (!dec_is_valid(cash)) return err_set(err, ERR_DEC_OVERFLOW, "fill %s", id);
 *
 * Invariants: a value is either a number in ±92,233,720,368.54775807 or DEC_INVALID. Overflow,
 * division by zero and any operation on DEC_INVALID give DEC_INVALID; nothing wraps around, so a
 * chain of operations is checked once, at its end. double is for statistics only.
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
/* The nearest representable value; NaN, infinities and values out of range give DEC_INVALID. */
struct dec dec_from_double(double value);
double dec_to_double(struct dec a); /* NaN for DEC_INVALID */

struct dec dec_add(struct dec a, struct dec b);
struct dec dec_sub(struct dec a, struct dec b);
struct dec dec_neg(struct dec a);
struct dec dec_abs(struct dec a);
struct dec dec_mul(struct dec a, struct dec b); /* rounds half away from zero */
struct dec dec_div(struct dec a, struct dec b); /* rounds half away from zero */
/* a * numerator / denominator, rounded once, half away from zero. */
struct dec dec_mul_div(struct dec a, struct dec numerator, struct dec denominator);
/* Round to a multiple of step: toward zero, away from zero, or to the nearest (half away from
 * zero). For example, a quantity is rounded down to a whole lot. A step <= 0 gives DEC_INVALID. */
struct dec dec_floor_to(struct dec a, struct dec step);
struct dec dec_ceil_to(struct dec a, struct dec step);
struct dec dec_round_to(struct dec a, struct dec step);

/* The place value of the last of `digits` (>= 1) significant digits of a, at least 1e-8. */
struct dec dec_digit_step(struct dec a, int digits);

/* -1, 0, 1. Both must be valid (ASSERT). */
int dec_cmp(struct dec a, struct dec b);
struct dec dec_min(struct dec a, struct dec b);
struct dec dec_max(struct dec a, struct dec b);

/* Parses a plain decimal ("-12.5": at most 8 decimals, digits on both sides of a point, no
 * exponent, spaces or plus sign); false on anything else. */
bool dec_parse(struct str s, struct dec *ret);

/* "12.5": the shortest exact form; "invalid" for DEC_INVALID, here and below. */
void dec_add_text(struct buf *out, struct dec a);
/* "64,120.50": thousands separated, exactly `decimals` (0..8) places, half away from zero. */
void dec_add_grouped(struct buf *out, struct dec a, int decimals);
/* The same, but an amount that would be shown as zero gets as many more places (up to 8) as two
 * significant digits need: "0.0012", not "0.00". */
void dec_add_amount(struct buf *out, struct dec a, int decimals);
/* Writes the shortest exact form into dst and returns dst. */
#define DEC_TEXT_SIZE 24
const char *dec_text(struct dec a, char dst[DEC_TEXT_SIZE]);
