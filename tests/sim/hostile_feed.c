#include "base/check.h"
#include "sim/hostile_private.h"

static struct hostile *of_source(const struct source *source)
{
    return (struct hostile *)((uintptr_t)source - offsetof(struct hostile, source));
}

static void spoil(struct hostile *h, struct source_bar *bar)
{
    struct candle *c = &bar->candle;
    switch (rng_below(h->rng, 6)) {
    case 0:
        c->high = dec_sub(c->low, (struct dec){1});
        break;
    case 1:
        c->low = DEC_ZERO;
        break;
    case 2:
        c->close = DEC_INVALID; /* as a feed would convert NaN */
        break;
    case 3:
        c->open_us -= 10 * USEC_PER_MIN;
        break;
    case 4:
        c->open_us += USEC_PER_DAY;
        break;
    default:
        c->volume = dec_neg(dec_from_int(1));
        break;
    }
}

/* From now on the symbol's price is multiplied by a factor. */
static void shift(struct hostile *h, struct candle *c, int index)
{
    if (hostile_chance(h, 0.0005)) {
        h->gap[index] = dec_mul(
            h->gap[index], dec_from_double(0.92 + 0.16 * (double)rng_below(h->rng, 101) / 100));
        h->gaps++;
    }
    struct dec *const prices[] = {&c->open, &c->high, &c->low, &c->close};
    for (size_t i = 0; i < COUNT_OF(prices); i++) {
        *prices[i] = dec_mul(*prices[i], h->gap[index]);
    }
}

static int hostile_next(struct source *source, struct source_bar ret[SYMBOLS_LIMIT])
{
    struct hostile *h = of_source(source);
    int count = source_next(h->inner_source, ret);
    int kept = 0;
    for (int i = 0; i < count; i++) {
        ret[kept] = ret[i];
        h->market_us = ret[i].candle.open_us;
        shift(h, &ret[kept].candle, i);
        if (hostile_chance(h, 0.02) || hostile_is_closed(h)) {
            continue; /* this minute is never sent */
        }
        if (hostile_chance(h, 0.02)) {
            spoil(h, &ret[kept]);
        }
        kept++;
    }
    return kept;
}

static int64_t hostile_next_us(const struct source *source)
{
    return source_next_us(of_source(source)->inner_source);
}

static size_t hostile_save(const struct source *source, void *dst, size_t dst_size)
{
    return source_save(of_source(source)->inner_source, dst, dst_size);
}

static bool hostile_load(struct source *source, const void *bytes, size_t size)
{
    return source_load(of_source(source)->inner_source, bytes, size);
}

const struct source_ops hostile_source_ops = {
    .name = "hostile",
    .next_us = hostile_next_us,
    .next = hostile_next,
    .save = hostile_save,
    .load = hostile_load,
};
