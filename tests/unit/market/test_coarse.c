#include "market/coarse.h"
#include "unit/unit.h"

/* Minute candles of two symbols whose open is 100 plus the minute; `hole` is missing, and the
 * second symbol has only the minutes from `late` on. */
struct minutes {
    struct source source;
    int64_t next;
    int64_t end;
    int64_t hole;
    int64_t late;
};

static int64_t minutes_next(const struct source *source)
{
    const struct minutes *m = (const struct minutes *)(const void *)source;
    return m->next >= m->end ? INT64_MAX : (m->next + 1) * USEC_PER_MIN;
}

static int minutes_bars(struct source *source, struct source_bar ret[SYMBOLS_LIMIT])
{
    struct minutes *m = (struct minutes *)(void *)source;
    int64_t n = m->next++;
    m->next += m->next == m->hole;
    for (int i = 0; i < 2; i++) {
        ret[i].candle = (struct candle){.open_us = n * USEC_PER_MIN,
                                        .open = dec_from_int(100 + n),
                                        .high = dec_from_int(105 + n),
                                        .low = dec_from_int(95 + n),
                                        .close = dec_from_int(101 + n),
                                        .volume = dec_from_int(2)};
        (void)symbol_parse(i == 0 ? STR_LIT("A") : STR_LIT("B"), &ret[i].symbol);
    }
    return n >= m->late ? 2 : 1;
}

static const struct source_ops minutes_ops = {
    .name = "minutes", .next_us = minutes_next, .next = minutes_bars};

static struct minutes make(int64_t from, int64_t end, int64_t hole, int64_t late)
{
    return (struct minutes){.source = {.ops = &minutes_ops, .step_us = USEC_PER_MIN},
                            .next = from,
                            .end = end,
                            .hole = hole,
                            .late = late};
}

static void same(const struct candle *c, int64_t minute, int open, int high, int low, int close,
                 int volume)
{
    assert_int_equal(c->open_us, minute * USEC_PER_MIN);
    assert_int_equal(c->open.e8, dec_from_int(open).e8);
    assert_int_equal(c->high.e8, dec_from_int(high).e8);
    assert_int_equal(c->low.e8, dec_from_int(low).e8);
    assert_int_equal(c->close.e8, dec_from_int(close).e8);
    assert_int_equal(c->volume.e8, dec_from_int(volume).e8);
}

static void builds_longer_candles(void **state)
{
    (void)state;
    struct minutes minutes = make(0, 10, -1, 7);
    struct coarse coarse;
    struct source_bar bars[SYMBOLS_LIMIT];
    coarse_init(&coarse, &minutes.source, 5 * USEC_PER_MIN);
    assert_int_equal(source_step_us(&coarse.source), 5 * USEC_PER_MIN);
    assert_int_equal(source_next_us(&coarse.source), 5 * USEC_PER_MIN);
    assert_int_equal(source_next(&coarse.source, bars), 1);
    same(&bars[0].candle, 0, 100, 109, 95, 105, 10);
    assert_int_equal(source_next_us(&coarse.source), 10 * USEC_PER_MIN);
    assert_int_equal(source_next(&coarse.source, bars), 2);
    same(&bars[0].candle, 5, 105, 114, 100, 110, 10);
    assert_string_equal(bars[1].symbol.name, "B");
    same(&bars[1].candle, 5, 107, 114, 102, 110, 6); /* from minute 7 on */
    assert_int_equal(source_next_us(&coarse.source), INT64_MAX);
    assert_int_equal(source_next(&coarse.source, bars), 0);
}

static void a_candle_cut_short_by_the_end_is_left_out(void **state)
{
    (void)state;
    struct minutes minutes = make(3, 14, 4, 99);
    struct coarse coarse;
    struct source_bar bars[SYMBOLS_LIMIT];
    coarse_init(&coarse, &minutes.source, 5 * USEC_PER_MIN);
    /* It begins in the middle and lacks its last minute, but later candles follow. */
    assert_int_equal(source_next(&coarse.source, bars), 1);
    same(&bars[0].candle, 0, 103, 108, 98, 104, 2);
    assert_int_equal(source_next(&coarse.source, bars), 1);
    same(&bars[0].candle, 5, 105, 114, 100, 110, 10);
    /* Minutes 10 to 13 only, then the source ends. */
    assert_int_equal(source_next_us(&coarse.source), 15 * USEC_PER_MIN);
    assert_int_equal(source_next(&coarse.source, bars), 0);
    assert_int_equal(source_next_us(&coarse.source), INT64_MAX);
    assert_int_equal(source_save(&coarse.source, bars, sizeof(bars)), 0);
    assert_false(source_load(&coarse.source, bars, 1));
}

UNIT_GROUP(coarse, cmocka_unit_test(builds_longer_candles),
           cmocka_unit_test(a_candle_cut_short_by_the_end_is_left_out))
