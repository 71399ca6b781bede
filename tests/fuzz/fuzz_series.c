/*
 * The saved bytes of a market, damaged: three bytes of input are an offset and its new value. If
 * the result is accepted as a series, it must handle candles and history; if it is accepted as
 * returns, its queries must work.
 */
#include "base/check.h"
#include "market/returns.h"
#include "market/series.h"

#include <math.h>
#include <string.h>

#define HOURS 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct symbol symbols[] = {{"BTC-USD"}, {"ETH-USD"}};

static struct candle candle_at(int64_t open_us, int i)
{
    struct dec price = dec_from_int(1000 + i * 7 % 31);
    return (struct candle){open_us, price, price, price, price, dec_from_int(1)};
}

static void make(struct series *series, struct returns *returns)
{
    returns->count = 0;
    series_init(series, symbols[0], 5 * USEC_PER_MIN);
    for (int i = 0; i < HOURS * 12; i++) {
        struct candle c = candle_at(i * series->step_us, i);
        unsigned closed;
        ASSERT(series_push(series, &c, c.open_us + series->step_us, &closed) == SERIES_ACCEPTED);
        if ((closed & 1u << TF_1H) != 0) {
            returns_push(returns, symbols[0], i / 12, c.close);
            returns_push(returns, symbols[1], i / 12, dec_from_int(50 + i % 5));
        }
    }
}

static void use_series(struct series *series)
{
    struct candle bars[40];
    int64_t open_us = series->updated_us;
    for (int i = 0; i < 40; i++) {
        bars[i] = candle_at(open_us - open_us % series->step_us + (i - 20) * 5 * USEC_PER_MIN, i);
    }
    series_history(series, bars, 40);
    for (int i = 0; i < 30; i++) {
        struct candle c = candle_at(open_us + i * series->step_us, i);
        unsigned closed;
        int64_t accepted = series->accepted;
        enum series_result result = series_push(series, &c, c.open_us + series->step_us, &closed);
        ASSERT(result == SERIES_ACCEPTED ? series->accepted == accepted + 1 : closed == 0);
        for (enum timeframe tf = series_decision_tf(series); tf < TF_COUNT; tf++) {
            struct series_bands bands = series_bands(series_frame(series, tf));
            ASSERT(!isnan(bands.width_pct));
        }
        (void)series_regime(series);
        ASSERT(series_drift(series) >= -1 && series_drift(series) <= 1);
        (void)series_change_24h_pct(series);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct series series;
    static struct returns returns;
    if (returns.rows == NULL) {
        returns_init(&returns, COUNT_OF(symbols));
    }
    make(&series, &returns);
    const size_t rows_size = COUNT_OF(symbols) * sizeof(returns.rows[0]);
    for (size_t i = 0; i + 3 <= size; i += 3) {
        size_t place = ((size_t)data[i] << 8 | data[i + 1]) % (SERIES_SAVED_SIZE + rows_size);
        if (place < SERIES_SAVED_SIZE) {
            ((uint8_t *)&series)[place] = data[i + 2];
        } else {
            ((uint8_t *)returns.rows)[place - SERIES_SAVED_SIZE] = data[i + 2];
        }
    }
    if (series_is_sane(&series)) {
        use_series(&series);
    }
    bool sane = true;
    for (int i = 0; i < returns.count; i++) {
        sane = sane && returns_row_is_sane(&returns.rows[i]);
    }
    double r;
    if (sane && returns_correlation(&returns, symbols[0], symbols[1], &r)) {
        ASSERT(r >= -1 && r <= 1);
    }
    if (sane) {
        returns_push(&returns, symbols[0], HOURS, dec_from_int(7));
        returns_push(&returns, symbols[1], HOURS + 100, dec_from_int(7));
        (void)returns_correlation(&returns, symbols[1], symbols[0], &r);
    }
    return 0;
}
