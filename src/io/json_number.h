/*
 * json_number.h: numbers as text. Private to this module.
 *
 *     char text[JSON_NUMBER_SIZE];
 *     buf_add(out, text, json_number_double(value, text));
 *
 * Always true: the text is a JSON number and NUL-terminated; the return value is its length.
 * Thread: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define JSON_NUMBER_SIZE 40

/* dst has JSON_NUMBER_SIZE bytes. */

/* The shortest text that parses to the same double; value is finite. Plain notation from 1e-4 to
 * 1e15, as %g prints it; without a fraction up to 2^53 if it is integral. */
size_t json_number_double(double value, char *dst);
/* At most `decimals` (0..9) places, trailing zeros cut; value is finite. */
size_t json_number_rounded(double value, int decimals, char *dst);
size_t json_number_u64(uint64_t value, char *dst);
size_t json_number_i64(int64_t value, char *dst);
