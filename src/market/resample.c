#include "market/resample.h"

#include "base/check.h"

void resample_init(struct resample *r, int64_t length_us)
{
    ASSERT(length_us > 0);
    *r = (struct resample){.length_us = length_us};
}

static void merge_bar(struct bar *live, const struct bar *next)
{
    live->high = next->high > live->high ? next->high : live->high;
    live->low = next->low < live->low ? next->low : live->low;
    live->close = next->close;
    live->volume += next->volume;
}

/* If struct dec cannot hold one part, the merged candle is invalid too. */
static void merge_candle(struct candle *live, const struct candle *next)
{
    if (!candle_is_valid(live) || !candle_is_valid(next)) {
        live->low = DEC_INVALID;
        return;
    }
    live->high = dec_max(live->high, next->high);
    live->low = dec_min(live->low, next->low);
    live->close = next->close;
    live->volume = dec_add(live->volume, next->volume);
}

bool resample_push(struct resample *r, const struct csv_row *row, struct csv_row *ret)
{
    int64_t opens_us = row->bar.open_us - row->bar.open_us % r->length_us;
    r->newest_us = row->bar.open_us;
    if (r->has_live && r->live.bar.open_us == opens_us) {
        merge_bar(&r->live.bar, &row->bar);
        merge_candle(&r->live.candle, &row->candle);
        return false;
    }
    bool closed = r->has_live;
    if (closed) {
        *ret = r->live;
    }
    r->has_live = true;
    r->live = *row;
    r->live.bar.open_us = opens_us;
    r->live.candle.open_us = opens_us;
    return closed;
}

bool resample_end(struct resample *r, int64_t step_us, struct csv_row *ret)
{
    if (!r->has_live || r->newest_us + step_us < r->live.bar.open_us + r->length_us) {
        return false;
    }
    r->has_live = false;
    *ret = r->live;
    return true;
}
