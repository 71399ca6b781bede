/*
 * coarse.h: a source whose candles are aggregated into longer ones.
 *
 *     struct coarse hours;
 *     coarse_init(&hours, &files.source, timeframe_us(TF_1H));
 *     n = source_next(&hours.source, bars);
 *
 * A candle begins at a multiple of its length and is built from the candles of the finer source
 * within it; without any there is no candle. A candle that the end of the source cuts short is left
 * out: source_next returns no bars for it.
 * Invariants: length_us is a multiple of the finer source's step; the state cannot be saved (save
 * writes nothing, load refuses), since this is for back-tests.
 * Thread: one at a time per source.
 */
#pragma once

#include "market/source.h"

struct coarse {
    struct source source;
    struct source *finer; /* outlives this */
};

void coarse_init(struct coarse *coarse, struct source *finer, int64_t length_us);
