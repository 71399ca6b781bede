#include "cli_csv.h"

#include "cli/cli.h"

#include <stdio.h>

int cli_csv_limits(const struct cli_args *args, bool exact, struct csv_limits *ret, struct err *err)
{
    int64_t pct = CSV_MAX_DROPPED_PCT;
    int rc = cli_number(args, "--max-dropped", 0, 100, &pct, err);
    *ret = (struct csv_limits){.max_dropped_pct = (double)pct, .exact = exact};
    return rc;
}

int cli_csv_unit(const char *text, struct symbol *symbol, int *ret_unit, struct err *err)
{
    int64_t unit = 1;
    *ret_unit = 1;
    if (text == NULL || strcmp(text, "1") == 0) {
        return 0;
    }
    int64_t power = 10;
    if (str_to_i64(str_c(text), &unit)) {
        while (power < unit && power < 1000000000) {
            power *= 10;
        }
    }
    if (power != unit) {
        return err_set(err, ERR_CLI_USAGE,
                       "--unit takes 1, 10, 100, … or 1000000000, not \"%.40s\"", text);
    }
    char name[SYMBOL_SIZE + 24];
    (void)snprintf(name, sizeof(name), "%lld%s", (long long)unit, symbol->name);
    if (!symbol_parse(str_c(name), symbol)) {
        return err_set(err, ERR_CLI_USAGE, "with --unit %s the symbol is %s, which is too long",
                       text, name);
    }
    *ret_unit = (int)unit;
    return 0;
}

static void print_reason(const char *path, int64_t count, const char *name, int64_t line)
{
    if (count > 0) {
        (void)fprintf(stderr, "%s: %lld rows: %s (first in line %lld)\n", path, (long long)count,
                      name, (long long)line);
    }
}

void cli_csv_report(const char *path, const char *note, const struct csv_report *r)
{
    if (note != NULL && note[0] != '\0') {
        (void)fprintf(stderr, "%s: %s\n", path, note);
    }
    for (int i = 0; i < r->reported_count; i++) {
        (void)fprintf(stderr, "%s:%lld: %s: \"%s\"\n", path, (long long)r->reported[i].line,
                      csv_fault_name(r->reported[i].fault), r->reported[i].text);
    }
    if (r->refused > r->reported_count) {
        (void)fprintf(stderr, "%s: %lld more rows refused\n", path,
                      (long long)(r->refused - r->reported_count));
    }
    for (int f = 0; f < CSV_FAULT_COUNT; f++) {
        print_reason(path, r->faults[f], csv_fault_name((enum csv_fault)f), r->faults_line[f]);
    }
    print_reason(path, r->duplicates, "left out, same time as another row", r->duplicates_line);
    if (r->no_volume > 0) {
        (void)fprintf(stderr, "%s: %lld rows have no volume: 0\n", path, (long long)r->no_volume);
    }
    if (csv_report_missing(r) > 0) {
        (void)fprintf(stderr, "%s: %lld candles are missing between the first and the last\n", path,
                      (long long)csv_report_missing(r));
    }
}

int cli_csv_check(const char *path, const struct csv_limits *limits, struct csv_check *ret,
                  struct err *err)
{
    int rc = csv_check(path, limits, ret, err);
    cli_csv_report(path, ret->note, &ret->report);
    if (limits->exact) {
        print_reason(path, ret->report.unfit, "do not fit steps of 1e-8", ret->report.unfit_line);
    }
    return rc;
}

int cli_csv_timeframe(const char *text, enum timeframe *ret, struct err *err)
{
    if (timeframe_parse(str_c(text), ret)) {
        return 0;
    }
    int64_t length_us;
    size_t len = strlen(text);
    bool is_longer = len >= 2 && strchr("hdwDW", text[len - 1]) != NULL &&
                     str_to_i64(str_n(text, len - 1), &length_us) && length_us > 0;
    return err_set(err, ERR_CLI_USAGE, "--timeframe takes 1m, 5m, 15m or 1h%s",
                   is_longer ? ": decisions are made on bars of at most an hour" : "");
}

int cli_csv_check_timeframe(const char *path, const struct csv_report *report, enum timeframe tf,
                            struct err *err)
{
    if (report->step_us == 0 || timeframe_us(tf) % report->step_us == 0) {
        return 0;
    }
    AUTO_BUF struct buf step = BUF_INIT(64);
    clock_add_duration(&step, report->step_us);
    return err_set(err, ERR_MARKET_TIMEFRAME, "%s: rows are %s apart, %s was requested%s", path,
                   step.data, timeframe_name(tf),
                   report->step_us > timeframe_us(TF_1H)
                       ? "; decisions are made on bars of at most an hour"
                       : "");
}

int cli_csv_code(const struct csv_report *report)
{
    return report->refused > 0 ? CLI_REFUSED : CLI_FINE;
}
