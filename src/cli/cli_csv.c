#include "cli_csv.h"

#include "cli/cli.h"

#include <sys/stat.h>

void cli_csv_report(const char *path, const struct csv_report *r)
{
    for (int i = 0; i < r->reported_count; i++) {
        (void)fprintf(stderr, "%s:%lld: %s: \"%s\"\n", path, (long long)r->reported[i].line,
                      csv_fault_name(r->reported[i].fault), r->reported[i].text);
    }
    if (r->refused > r->reported_count) {
        (void)fprintf(stderr, "%s: %lld more rows refused\n", path,
                      (long long)(r->refused - r->reported_count));
    }
    for (int f = 0; f < CSV_FAULT_COUNT && r->refused > r->reported_count; f++) {
        if (r->faults[f] > 0) {
            (void)fprintf(stderr, "%s: %lld rows: %s\n", path, (long long)r->faults[f],
                          csv_fault_name((enum csv_fault)f));
        }
    }
    if (r->duplicates > 0) {
        (void)fprintf(stderr, "%s: %lld rows left out: same time as the previous row\n", path,
                      (long long)r->duplicates);
    }
    if (csv_report_missing(r) > 0) {
        (void)fprintf(stderr, "%s: %lld candles are missing between the first and the last\n", path,
                      (long long)csv_report_missing(r));
    }
}

int cli_csv_scan(const char *path, struct csv_report *ret, struct err *err)
{
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    struct stat st;
    /* A pipe cannot be read a second time. */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        return err_set(err, ERR_FILE_FAILED, "%s is not a regular file and cannot be read twice",
                       path);
    }
    int rc = csv_open(path, &csv, err);
    if (rc < 0) {
        return rc;
    }
    do {
        rc = csv_next(csv, &row, err);
    } while (rc > 0);
    if (rc < 0) {
        return rc;
    }
    *ret = *csv_report(csv);
    cli_csv_report(path, ret);
    if (ret->accepted == 0) {
        return err_set(err, ERR_MARKET_CSV_EMPTY, "%s: %lld lines, %lld rows refused", path,
                       (long long)ret->lines, (long long)ret->refused);
    }
    return 0;
}

int cli_csv_check_timeframe(const char *path, const struct csv_report *report, enum timeframe tf,
                            struct err *err)
{
    if (report->step_us == 0 || timeframe_us(tf) % report->step_us == 0) {
        return 0;
    }
    AUTO_BUF struct buf step = BUF_INIT(64);
    clock_add_duration(&step, report->step_us);
    return err_set(err, ERR_MARKET_TIMEFRAME, "%s: rows are %s apart, %s was requested", path,
                   step.data, timeframe_name(tf));
}

int cli_csv_code(const struct csv_report *report)
{
    return report->refused > 0 ? CLI_REFUSED : CLI_FINE;
}
