#include "market/csv_check.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define REASONS_MAX ((size_t)2048)
/* Minutes from 1990 to 2200, taken for seconds. */
#define MINUTES_FROM_US INT64_C(10519200000000)
#define MINUTES_TO_US   INT64_C(120968640000000)
/* The volumes of 60 minutes are added up. */
#define VOLUME_FIT 1.5e9

int64_t csv_dropped(const struct csv_report *r, bool exact)
{
    return r->refused + r->duplicates + (exact ? r->unfit : 0);
}

static void add_reason(struct buf *out, int64_t count, const char *name, int64_t line)
{
    if (count > 0) {
        buf_addf(out, "%s%lld %s (first in line %lld)", out->len > 0 ? ", " : "", (long long)count,
                 name, (long long)line);
    }
}

void csv_add_dropped(struct buf *out, const struct csv_report *r, bool exact)
{
    AUTO_BUF struct buf reasons = BUF_INIT(REASONS_MAX);
    for (int f = 0; f < CSV_FAULT_COUNT; f++) {
        add_reason(&reasons, r->faults[f], csv_fault_name((enum csv_fault)f), r->faults_line[f]);
    }
    add_reason(&reasons, r->duplicates, "same time as another row", r->duplicates_line);
    add_reason(&reasons, exact ? r->unfit : 0, "do not fit steps of 1e-8", r->unfit_line);
    buf_add(out, reasons.data, reasons.len);
}

/* Reads all rows with ret->options. */
static int read_all(const char *path, struct csv_check *ret, struct err *err)
{
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    int rc = csv_open(path, &ret->options, &csv, err);
    if (rc < 0) {
        return rc;
    }
    do {
        rc = csv_next(csv, &row, err);
    } while (rc > 0);
    ret->report = *csv_report(csv);
    (void)str_copy(str_c(csv_note(csv)), ret->note, sizeof(ret->note));
    return rc;
}

/* 0: none, as for rows that are a month or seven minutes apart. */
static int64_t grid_of(int64_t step_us)
{
    if (step_us > USEC_PER_DAY) {
        return step_us % USEC_PER_DAY == 0 ? USEC_PER_DAY : 0;
    }
    return step_us > 0 && USEC_PER_DAY % step_us == 0 ? step_us : 0;
}

static int check_empty(const char *path, const struct csv_check *check, int64_t outside_us,
                       struct err *err)
{
    const struct csv_report *r = &check->report;
    AUTO_BUF struct buf text = BUF_INIT(REASONS_MAX);
    if (r->accepted > 0) {
        return 0;
    }
    if (r->faults[CSV_FAULT_GRID] > 0) {
        return err_set(err, ERR_MARKET_CSV_EMPTY,
                       "%s: no candle opens at a multiple of %lld s: the first is %.6g s behind "
                       "one%s",
                       path, (long long)(check->options.grid_us / USEC_PER_SEC),
                       (double)outside_us / USEC_PER_SEC,
                       outside_us >= check->options.grid_us - USEC_PER_SEC
                           ? ", as the closing times of candles are"
                           : "");
    }
    csv_add_dropped(&text, r, false);
    return err_set(err, ERR_MARKET_CSV_EMPTY, "%s: %lld lines, %lld rows refused%s%s", path,
                   (long long)r->lines, (long long)r->refused, text.len > 0 ? ": " : "", text.data);
}

/* Minutes since 1970 read as seconds are times of 1970 to 1973, a sixtieth as far apart. */
static int check_unit_of_time(const char *path, const struct csv_report *r, struct err *err)
{
    if (r->step_us == 0 || r->step_us >= USEC_PER_DAY || r->first_us < MINUTES_FROM_US ||
        r->first_us > MINUTES_TO_US) {
        return 0;
    }
    AUTO_BUF struct buf text = BUF_INIT(128);
    clock_add_iso(&text, r->first_us, false);
    return err_set(err, ERR_MARKET_CSV_HEADER,
                   "%s: its first time is %s, as if minutes were seconds; times in minutes are not "
                   "read",
                   path, text.data);
}

/* The smallest unit, of those that exchanges use, for which prices and volumes fit; 0: none. */
static int64_t find_unit(const struct csv_report *r, int unit)
{
    for (int64_t more = 1000; more <= 1000000000; more *= 10) {
        if (r->unfit_price * (double)more >= CSV_PRICE_MIN &&
            r->unfit_volume / (double)more <= VOLUME_FIT) {
            return more * unit;
        }
    }
    return 0;
}

static int check_dropped(const char *path, const struct csv_limits *limits,
                         const struct csv_report *r, struct err *err)
{
    int64_t rows = r->accepted + r->duplicates + r->refused;
    int64_t dropped = csv_dropped(r, limits->exact);
    int64_t allowed = (int64_t)((double)rows * limits->max_dropped_pct / 100);
    if (dropped <= allowed) {
        return 0;
    }
    if (limits->exact && r->unfit > allowed) {
        int64_t unit = find_unit(r, limits->unit > 1 ? limits->unit : 1);
        char remedy[64] = "no unit fits both";
        if (unit > 0 && unit <= INT32_MAX) {
            (void)snprintf(remedy, sizeof(remedy), "--unit %lld fits", (long long)unit);
        }
        return err_set(err, ERR_MARKET_PRECISION,
                       "%s: %lld rows from line %lld on, with prices down to %.3g and volumes up "
                       "to %.3g; %s",
                       path, (long long)r->unfit, (long long)r->unfit_line, r->unfit_price,
                       r->unfit_volume, remedy);
    }
    AUTO_BUF struct buf text = BUF_INIT(REASONS_MAX);
    csv_add_dropped(&text, r, limits->exact);
    return err_set(err, ERR_MARKET_DROPPED, "%s: %lld of %lld rows, more than %g %%: %s", path,
                   (long long)dropped, (long long)rows, limits->max_dropped_pct, text.data);
}

int csv_check(const char *path, const struct csv_limits *limits, struct csv_check *ret,
              struct err *err)
{
    struct stat st;
    *ret = (struct csv_check){.options.unit = limits->unit};
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        return err_set(err, ERR_FILE_FAILED, "%s is not a regular file, so it cannot be read twice",
                       path);
    }
    int rc = read_all(path, ret, err);
    if (rc >= 0 && ret->report.faults[CSV_FAULT_BACK] > 0) {
        ret->options.sorts = true;
        rc = read_all(path, ret, err);
    }
    const struct csv_report *r = &ret->report;
    int64_t grid_us = grid_of(r->step_us);
    int64_t outside_us = grid_us > 0 ? r->first_us % grid_us : 0;
    if (rc >= 0 && grid_us > 0) {
        ret->options.grid_us = grid_us;
        if (outside_us != 0 || r->common_us % grid_us != 0) {
            rc = read_all(path, ret, err);
        }
    }
    rc = rc < 0 ? rc : check_unit_of_time(path, &ret->report, err);
    rc = rc < 0 ? rc : check_empty(path, ret, outside_us, err);
    return rc < 0 ? rc : check_dropped(path, limits, &ret->report, err);
}
