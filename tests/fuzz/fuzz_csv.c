/* The reader of candle files: for any input, accepted rows are valid and increase in time. */
#include "base/check.h"
#include "market/csv.h"
#include "market/resample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const uint8_t *data, size_t size, const struct csv_options *options)
{
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row, closed;
    struct resample hours;
    struct err err = {0};
    int64_t last_us = -1, rows = 0;
    FILE *stream = fmemopen((void *)(uintptr_t)data, size, "rb");
    if (stream == NULL) {
        return; /* some C libraries cannot open an empty buffer */
    }
    int rc = csv_open_stream(stream, "fuzz.csv", options, &csv, &err);
    ASSERT((rc == 0) == (csv != NULL) && (rc == 0 || err.id == -rc));
    resample_init(&hours, timeframe_us(TF_1H));
    while (rc >= 0 && (rc = csv_next(csv, &row, &err)) > 0) {
        const struct bar *b = &row.bar;
        ASSERT(b->open_us > last_us && b->low > 0 && b->low <= b->open && b->low <= b->close &&
               b->high >= b->open && b->high >= b->close && b->volume >= 0);
        last_us = b->open_us;
        rows++;
        if (resample_push(&hours, &row, &closed)) {
            ASSERT(closed.bar.open_us < last_us && closed.bar.low <= closed.bar.high);
        }
    }
    if (csv != NULL) {
        const struct csv_report *r = csv_report(csv);
        int64_t faults = 0;
        for (int f = 0; f < CSV_FAULT_COUNT; f++) {
            faults += r->faults[f];
        }
        ASSERT((rc == 0 || err.id == ERR_MARKET_CSV_CUT) && r->accepted == rows &&
               r->refused == faults && csv_report_missing(r) >= 0 && r->unfit <= rows);
        ASSERT(options == NULL || !options->sorts || r->faults[CSV_FAULT_BACK] == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct csv_options sorted = {.sorts = true, .unit = 1000, .grid_us = USEC_PER_SEC};
    read_all(data, size, NULL);
    read_all(data, size, &sorted);
    return 0;
}
