/*
 * resample.h: longer bars from shorter ones.
 *
 *     struct resample hours;
 *     resample_init(&hours, timeframe_us(TF_1H));
 *     while (csv_next(csv, &row, err) > 0) {
 *         if (resample_push(&hours, &row, &closed)) use(&closed);
 *     }
 *     if (resample_end(&hours, step_us, &closed)) use(&closed);
 *
 * A bar begins at a multiple of its length and is closed by the first row after it, so missing rows
 * do not delay it; without any row there is no bar. The last bar is returned only if its last row
 * was pushed; otherwise it is still live.
 * Invariants: a plain value; rows are pushed in rising order of time.
 * Thread: one at a time per value.
 */
#pragma once

#include "market/csv.h"

struct resample {
    int64_t length_us;
    int64_t newest_us; /* open time of the newest row */
    bool has_live;
    struct csv_row live;
};

void resample_init(struct resample *r, int64_t length_us); /* length_us > 0 */
/* True: *ret is a complete bar. */
bool resample_push(struct resample *r, const struct csv_row *row, struct csv_row *ret);
/* The last bar, after the last row; step_us is the timeframe of the rows. */
bool resample_end(struct resample *r, int64_t step_us, struct csv_row *ret);
