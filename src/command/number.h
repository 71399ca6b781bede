/*
 * number.h: parses numbers typed by people, strictly. Private to this module.
 *
 *     rc = number_read("stop", str_c("64,120.5"), &price, err);         // 64120.5
 *     number_read("stop", str_c("65000,50"), &price, err);
 *                   // COMMAND_ARG_INVALID: stop: 65000,50 is ambiguous: send 65000.50 or 6500050
 *
 * Rules: plain decimals (dec_parse) with a point before the fraction. Commas group digits, as in
 * replies, and are accepted only where they cannot mean anything else: before the point, after one
 * to three digits (the first of them not 0), and then between groups of exactly three. A number
 * with two possible readings is refused, and the error names both. No spaces, exponents, currency
 * signs or digits of other scripts.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

int number_read(const char *name, struct str text, struct dec *ret, struct err *err);

#define NUMBER_PLAIN_MAX 160 /* bytes */
/* Adds a JSON number as a person would type it: 1e-05 is "0.00001", 12.0 is "12". One with too many
 * digits is added as it is, and number_read refuses it. */
void number_add_plain(struct str number, struct buf *out);
