#include "market/coarse.h"

#include "base/auto.h"
#include "base/check.h"

static const struct coarse *of(const struct source *source)
{
    return (const struct coarse *)((const char *)source - offsetof(struct coarse, source));
}

static int64_t finer_open_us(const struct coarse *c)
{
    int64_t next_us = source_next_us(c->finer);
    return next_us == INT64_MAX ? INT64_MAX : next_us - source_step_us(c->finer);
}

static int64_t next_us(const struct source *source)
{
    int64_t open_us = finer_open_us(of(source));
    return open_us == INT64_MAX ? INT64_MAX : open_us - open_us % source->step_us + source->step_us;
}

static void merge(struct candle *into, const struct candle *c)
{
    into->high = dec_max(into->high, c->high);
    into->low = dec_min(into->low, c->low);
    into->close = c->close;
    struct dec volume = dec_add(into->volume, c->volume);
    into->volume = dec_is_valid(volume) ? volume : into->volume;
}

static int next(struct source *source, struct source_bar *ret)
{
    const struct coarse *c = of(source);
    int64_t end_us = next_us(source);
    int64_t seen_us = 0;
    int count = 0;
    if (end_us == INT64_MAX) {
        return 0;
    }
    for (int64_t open_us; (open_us = finer_open_us(c)) < end_us;) {
        AUTO_UNCLEARED struct source_bar
            fine[SYMBOLS_LIMIT]; /* clearing it would take most of the time */
        int taken = source_next(c->finer, fine);
        seen_us = open_us + source_step_us(c->finer);
        for (int i = 0; i < taken; i++) {
            /* Usually at the same place. */
            int j = i < count && symbol_equal(ret[i].symbol, fine[i].symbol) ? i : 0;
            while (j < count && !symbol_equal(ret[j].symbol, fine[i].symbol)) {
                j++;
            }
            if (j < count) {
                merge(&ret[j].candle, &fine[i].candle);
            } else {
                ret[count] = fine[i];
                ret[count++].candle.open_us = end_us - source->step_us;
            }
        }
    }
    bool is_cut = seen_us < end_us && source_next_us(c->finer) == INT64_MAX;
    return is_cut ? 0 : count;
}

static const struct source_ops coarse_ops = {
    .name = "coarse",
    .next_us = next_us,
    .next = next,
};

void coarse_init(struct coarse *coarse, struct source *finer, int64_t length_us)
{
    ASSERT(length_us > 0 && length_us % source_step_us(finer) == 0);
    *coarse = (struct coarse){.source = {.ops = &coarse_ops, .step_us = length_us}, .finer = finer};
}
