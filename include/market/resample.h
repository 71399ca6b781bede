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
 * A bar begins at a multiple of its length and is closed by the first row behind it: rows that
 * never came do not hold it up, and no bar is made where there is no row. The last one is closed
 * only if its last row is there; else it is still live, and not given. Invariants: a plain value;
 * rows come with rising times. Thread: one at a time per value.
 */
#pragma once

#include "market/csv.h"

struct resample {
    int64_t length_us;
    int64_t newest_us; /* when the newest row opens */
    bool has_live;
    struct csv_row live;
};

void resample_init(struct resample *r, int64_t length_us); /* length_us > 0 */
/* True: *ret is a bar that is complete. */
bool resample_push(struct resample *r, const struct csv_row *row, struct csv_row *ret);
/* What is left when no more rows come; step_us is their distance. */
bool resample_end(struct resample *r, int64_t step_us, struct csv_row *ret);
