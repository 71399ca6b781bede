#include "cli_csv.h"
#include "cli_internal.h"
#include "market/indicators.h"
#include "market/resample.h"

#include <math.h>

#define OUT_MAX   ((size_t)64 * 1024)
#define OUT_FLUSH ((size_t)48 * 1024)

static void add_cell(struct buf *out, double value)
{
    buf_add_char(out, ',');
    if (!isnan(value)) {
        buf_addf(out, "%.12g", value == 0 ? 0 : value); /* no negative zero */
    }
}

static void add_header(struct buf *out)
{
    buf_add_c(out, "t,open,high,low,close,volume");
    for (int i = 0; i < INDICATOR_COUNT; i++) {
        buf_addf(out, ",%s", indicator_name((enum indicator)i));
    }
    buf_add_char(out, '\n');
}

static void add_row(struct indicators *all, const struct bar *bar, struct buf *out)
{
    double values[INDICATOR_COUNT];
    indicators_push(all, bar);
    indicators_values(all, values);
    clock_add_iso(out, bar->open_us, bar->open_us % USEC_PER_SEC != 0);
    add_cell(out, bar->open);
    add_cell(out, bar->high);
    add_cell(out, bar->low);
    add_cell(out, bar->close);
    add_cell(out, bar->volume);
    for (int i = 0; i < INDICATOR_COUNT; i++) {
        add_cell(out, values[i]);
    }
    buf_add_char(out, '\n');
    if (out->len > OUT_FLUSH) {
        cli_print(buf_str(out));
        buf_clear(out);
    }
}

/* tf NULL: use the rows as they are. */
static int print_all(const char *path, const enum timeframe *tf, const struct csv_check *check,
                     struct err *err)
{
    AUTO_CSV struct csv *csv = NULL;
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    struct indicators all;
    struct resample resample;
    struct csv_row row, closed;
    int rc = csv_open(path, &check->options, &csv, err);
    if (rc < 0) {
        return rc;
    }
    indicators_init(&all);
    resample_init(&resample, tf != NULL ? timeframe_us(*tf) : 1);
    add_header(&out);
    while (cli_output_ok() && (rc = csv_next(csv, &row, err)) > 0) {
        if (tf == NULL) {
            add_row(&all, &row.bar, &out);
        } else if (resample_push(&resample, &row, &closed)) {
            add_row(&all, &closed.bar, &out);
        }
    }
    if (tf != NULL && resample_end(&resample, check->report.step_us, &closed)) {
        add_row(&all, &closed.bar, &out);
    }
    cli_print(buf_str(&out));
    return rc;
}

static int run(const struct cli_args *args)
{
    struct err err = {0};
    struct csv_limits limits;
    struct csv_check check;
    enum timeframe tf;
    const char *path = cli_value(args, "--data");
    const char *wanted = cli_value(args, "--timeframe");
    if (path == NULL) {
        (void)err_set(&err, ERR_CLI_USAGE, "indicators needs --data FILE");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if ((wanted != NULL && cli_csv_timeframe(wanted, &tf, &err) < 0) ||
        cli_csv_limits(args, false, &limits, &err) < 0 ||
        cli_csv_check(path, &limits, &check, &err) < 0 ||
        (wanted != NULL && cli_csv_check_timeframe(path, &check.report, tf, &err) < 0) ||
        print_all(path, wanted != NULL ? &tf : NULL, &check, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    return cli_csv_code(&check.report);
}

const struct cli_command cmd_indicators = {
    .name = "indicators",
    .summary = "Print every indicator over a file of candles, as CSV",
    .words = "",
    .options = {{"--data", "FILE", "candles: CSV or JSON as exchanges export them"},
                {"--timeframe", "TF", "build bars of 1m, 5m, 15m or 1h (default: as they are)"},
                CLI_OPTION_MAX_DROPPED},
    .more =
        "One row per candle: time, prices and volume, then each indicator with 12 digits, empty\n"
        "until it is defined. Values are those of TA-Lib, so they can be compared with any\n"
        "charting tool. A bar whose last row is missing is incomplete and left out. A row that\n"
        "does not open at a multiple of the file's timeframe is refused. What was assumed about\n"
        "the file, and errors in it, are reported on standard error.",
    .exits = "  0  printed\n"
             "  1  printed, except refused rows\n"
             "  2  the file cannot be used\n",
    .run = run,
};
