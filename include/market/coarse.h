/*
 * coarse.h: a market in longer candles than its source has.
 *
 *     struct coarse hours;
 *     coarse_init(&hours, &files.source, timeframe_us(TF_1H));
 *     n = source_next(&hours.source, bars);
 *
 * A candle begins at a multiple of its length and is made of what the finer source gives for that
 * time; where it gives nothing there is no candle. One that the source's end cuts short is left
 * out: its take gives nothing.
 * Invariants: length_us is a multiple of the finer source's step; no state of its own is saved
 * (save gives nothing, load refuses): this is for markets of the past.
 * Thread: one at a time per source.
 */
#pragma once

#include "market/source.h"

struct coarse {
    struct source source;
    struct source *finer; /* outlives this */
};

void coarse_init(struct coarse *coarse, struct source *finer, int64_t length_us);
