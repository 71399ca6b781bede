/*
 * number.h: numbers as people type them, read strictly. Private to this module.
 *
 *     rc = number_read("stop", str_c("64,120.5"), &price, err);         // 64120.5
 *     number_read("stop", str_c("65000,50"), &price, err);
 *                   // COMMAND_ARG_INVALID: stop: 65000,50 can be 65000.50 or 6500050: ...
 *
 * Rules: plain decimals (dec_parse), a point before the fraction. Commas are taken for grouping, as
 * replies write it, only where they cannot be anything else: before the point, from one to three
 * digits (of which the first is not 0) and then groups of exactly three. A number that could be
 * read in two ways is refused, and both are named. No blanks, exponents, signs of currency or other
 * scripts' digits.
 * Thread: any.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"

int number_read(const char *name, struct str text, struct dec *ret, struct err *err);
