/*
 * stump_model.h: the smallest model that the predict agent takes: one split of the RSI.
 *
 *     AUTO_BUF struct buf text = BUF_INIT(8192);
 *     stump_model(2, -2, &text);              // leaves under and from an RSI of 50
 *     file_write(path, buf_str(&text), 0600, err);
 *
 * The probability of a leaf x is 1 / (1 + e^-x). It carries the features' hash of this program, a
 * timeframe of five minutes and a horizon of 3 bars.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"

void stump_model(double under, double over, struct buf *out);
