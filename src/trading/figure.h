/*
 * figure.h: formats numbers for replies, always with their unit or currency. Private to this
 * module.
 *
 *     figure_money(&line, pnl, true);            // "+$2.39", "−$4.10"
 *     figure_price(&line, price);                // "64,120.5"
 *
 * Rules: the minus sign is U+2212, which differs from a hyphen; an invalid amount is "?".
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "model/position.h"
#include "model/snapshot.h"

#include <stdbool.h>

/* Two decimals; below half a cent, two significant digits: "+$0.0012". */
void figure_money(struct buf *out, struct dec amount, bool with_sign);
/* 1 decimal from 1,000, 2 from 10, 4 from 1, otherwise 6; exact below 0.01. */
void figure_price(struct buf *out, struct dec price);
/* An indicator's value, grouped: 1 decimal from 1,000, 2 from 10, otherwise 4, or as many as show
 * two significant digits. */
void figure_number(struct buf *out, double value);
void figure_signed(struct buf *out, double value, int decimals);            /* "+0.80" "−0.80" */
void figure_pct(struct buf *out, double pct, int decimals, bool with_sign); /* "+4.1 %" */
double figure_ratio_pct(struct dec part, struct dec whole); /* 0 if it cannot be computed */
/* "  SL 62,838.1 TP 66,685.3"; omits a price that is not above zero. */
void figure_bracket(struct buf *out, struct dec stop, struct dec target);
/* "BTC-USD  long 0.0031 @ 64,120.5   +$2.39 (+1.2 %)  SL 62,838.1 TP 66,685.3" */
void figure_position(struct buf *out, const struct position *position);
/* "SOL-USD  long 3 @ 150.21   not opened by the bot" */
void figure_foreign(struct buf *out, const struct snapshot_foreign *foreign);
