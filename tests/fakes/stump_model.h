/*
 * stump_model.h: the smallest model that the predict agent accepts: one split on the RSI.
 *
 *     AUTO_BUF struct buf text = BUF_INIT(8192);
 *     stump_model(2, -2, &text);              // leaves below and above an RSI of 50
 *     file_write(path, buf_str(&text), 0600, err);
 *
 * The probability of a leaf x is 1 / (1 + e^-x). The model has this program's hash of the features,
 * a timeframe of five minutes and a horizon of 3 bars. Thread: any.
 */
#pragma once

#include "agents/features.h"
#include "base/buf.h"

void stump_model(double under, double over, struct buf *out);
/* One split on any feature: the leaf is `under` below `at` and where the feature is missing. */
void stump_model_on(enum feature feature, double at, double under, double over, struct buf *out);
