/*
 * The forms of candle files that people have. Each file in tests/fixtures/candles has the same 24
 * candles as plain.csv, in the public form of its name; its twin in damaged/ has one fault.
 */
#include "base/check.h"
#include "io/file.h"
#include "market/csv_check.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER   "tests/fixtures/candles/"
#define CANDLES  24
#define ROWS_MAX 64

struct reading {
    int rc;
    struct err err;
    struct csv_check check;
    struct csv_row rows[ROWS_MAX];
    int count;
};

/* All of a file, as the subcommands read it. */
static void read_file(const char *path, const struct csv_limits *limits, struct reading *ret)
{
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    memset(ret, 0, sizeof(*ret));
    ret->rc = csv_check(path, limits, &ret->check, &ret->err);
    if (ret->rc < 0) {
        return;
    }
    assert_int_equal(csv_open(path, &ret->check.options, &csv, NULL), 0);
    while (csv_next(csv, &row, NULL) > 0) {
        assert_true(ret->count < ROWS_MAX);
        ret->rows[ret->count++] = row;
    }
    assert_int_equal(ret->count, ret->check.report.accepted);
}

static void path_of(const char *name, char dst[128])
{
    (void)snprintf(dst, 128, FOLDER "%s", name);
}

static const struct form {
    const char *name;
    const char *note;
    bool no_volume;
} forms[] = {
    {"plain.csv", "", false},
    {"binance_ms.csv", "Binance klines without header, times in ms", false},
    {"binance_us.csv", "Binance klines without header, times in µs", false},
    {"kraken.csv", "Kraken OHLCVT without header, times in s", false},
    {"cryptodatadownload.csv",
     "address in the first line, volume from \"Volume BTC\", newest first: sorted", false},
    {"semicolon.csv", "semicolons, decimal comma", false},
    {"tab.tsv", "tabs", false},
    {"utf16le.csv", "UTF-16", false},
    {"utf16be.csv", "UTF-16", false},
    {"utf8bom.csv", "", false},
    {"comments.csv", "", false},
    {"no_volume.csv", "no volume: 0", true},
    {"empty_volume.csv", "", true},
    {"thousands.csv", "thousands separators", false},
    {"german.csv", "semicolons, decimal comma, thousands separators", false},
    {"offset.csv", "", false},
    {"utc.csv", "", false},
    {"date_time.csv", "tabs, date and time in two columns", false},
    {"date_time_bare.csv", "semicolons, columns date, time, open, high, low, close without header",
     false},
    {"exponent.csv", "", false},
    {"unordered.csv", "not in the order of time: sorted", false},
    {"freqtrade.json", "columns time, open, high, low, close, volume in JSON, times in ms", false},
    {"ccxt.json", "columns time, open, high, low, close, volume in JSON, times in ms", false},
    {"binance.json", "Binance klines in JSON, times in ms", false},
};

static void every_form_has_the_same_candles(void **state)
{
    (void)state;
    const struct csv_limits limits = {.exact = true};
    struct reading plain, r;
    read_file(FOLDER "plain.csv", &limits, &plain);
    assert_int_equal(plain.count, CANDLES);
    assert_int_equal(plain.rows[0].bar.open_us, INT64_C(1640995200000000));
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        char path[128];
        path_of(forms[i].name, path);
        read_file(path, &limits, &r);
        if (r.rc < 0 || strcmp(r.check.note, forms[i].note) != 0) {
            print_error("%s: %s %s\n", path, r.err.context, r.check.note);
        }
        assert_int_equal(r.rc, 0);
        assert_string_equal(r.check.note, forms[i].note);
        assert_int_equal(r.count, CANDLES);
        assert_int_equal(r.check.report.step_us, USEC_PER_MIN);
        for (int k = 0; k < CANDLES; k++) {
            struct csv_row want = plain.rows[k];
            if (forms[i].no_volume) {
                want.bar.volume = 0;
                want.candle.volume = DEC_ZERO;
            }
            if (memcmp(&r.rows[k], &want, sizeof(want)) != 0) {
                print_error("%s: candle %d differs\n", path, k);
            }
            assert_memory_equal(&r.rows[k], &want, sizeof(want));
        }
    }
}

#define NO_FAULT CSV_FAULT_COUNT

static const struct twin {
    const char *name;
    enum csv_fault fault; /* of one row; NO_FAULT: none */
    int64_t line;
    int accepted;
    int duplicates;
    enum err_id id; /* of the whole file */
} twins[] = {
    {"plain.csv", CSV_FAULT_NUMBER, 6, 23, 0, 0},                  /* nan */
    {"binance_ms.csv", CSV_FAULT_COLUMNS, 12, 11, 0, 0},           /* cut in a line */
    {"binance_us.csv", CSV_FAULT_TIME, 6, 23, 0, 0},               /* another unit */
    {"kraken.csv", CSV_FAULT_COLUMNS, 6, 23, 0, 0},                /* too few */
    {"cryptodatadownload.csv", CSV_FAULT_IMPOSSIBLE, 8, 23, 0, 0}, /* a negative price */
    {"semicolon.csv", CSV_FAULT_COLUMNS, 6, 23, 0, 0},             /* mixed separators */
    {"tab.tsv", CSV_FAULT_COLUMNS, 6, 23, 0, 0},                   /* too many */
    {"utf16le.csv", CSV_FAULT_COLUMNS, 13, 11, 0, 0},              /* cut in a character */
    {"utf16be.csv", CSV_FAULT_NUMBER, 4, 23, 0, 0},                /* half a pair */
    {"utf8bom.csv", NO_FAULT, 0, 24, 1, 0},                        /* a time twice */
    {"comments.csv", CSV_FAULT_NUMBER, 6, 23, 0, 0},               /* a mark in a cell */
    {"no_volume.csv", CSV_FAULT_NUMBER, 6, 23, 0, 0},              /* an empty price */
    {"empty_volume.csv", CSV_FAULT_IMPOSSIBLE, 6, 23, 0, 0},       /* a negative volume */
    {"thousands.csv", CSV_FAULT_NUMBER, 6, 23, 0, 0},              /* "46,1,319.50" */
    {"german.csv", CSV_FAULT_NUMBER, 6, 23, 0, 0},                 /* a point among commas */
    {"offset.csv", CSV_FAULT_TIME, 6, 23, 0, 0},                   /* +2500 */
    {"utc.csv", CSV_FAULT_TIME, 6, 23, 0, 0},                      /* PST */
    {"date_time.csv", CSV_FAULT_TIME, 6, 23, 0, 0},                /* no date */
    {"date_time_bare.csv", CSV_FAULT_TIME, 6, 23, 0, 0},           /* 31 February */
    {"exponent.csv", CSV_FAULT_TIME, 6, 23, 0, 0},                 /* e+99 */
    {"unordered.csv", CSV_FAULT_NUMBER, 6, 23, 0, 0},              /* inf */
    {"freqtrade.json", NO_FAULT, 0, 0, 0, ERR_MARKET_CSV_CUT},     /* cut */
    {"ccxt.json", CSV_FAULT_JSON, 5, 23, 0, 0},                    /* NaN */
    {"binance.json", NO_FAULT, 0, 0, 0, ERR_MARKET_CSV_CUT},       /* an object among arrays */
};

static void a_damaged_twin_is_refused_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(twins), COUNT_OF(forms));
    for (size_t i = 0; i < COUNT_OF(twins); i++) {
        const struct twin *t = &twins[i];
        const struct csv_limits all = {.max_dropped_pct = 100}, some = {.max_dropped_pct = 1};
        struct reading r;
        char path[128], reason[128];
        assert_string_equal(t->name, forms[i].name);
        (void)snprintf(path, sizeof(path), FOLDER "damaged/%s", t->name);
        read_file(path, &all, &r);
        const struct csv_report *report = &r.check.report;
        if (r.err.id != (int)t->id || (t->id == ERR_NONE && r.count != t->accepted) ||
            (t->fault != NO_FAULT && report->faults_line[t->fault] != t->line)) {
            AUTO_BUF struct buf text = BUF_INIT(2048);
            csv_add_dropped(&text, report, true);
            print_error("%s: %d accepted; %s; %s\n", path, r.count, text.data, r.err.context);
        }
        assert_int_equal(r.err.id, t->id);
        if (t->id != ERR_NONE) {
            continue;
        }
        assert_int_equal(r.count, t->accepted);
        assert_int_equal(report->duplicates, t->duplicates);
        assert_int_equal(report->refused, t->fault != NO_FAULT);
        if (t->fault != NO_FAULT) {
            assert_int_equal(report->faults[t->fault], 1);
            assert_int_equal(report->faults_line[t->fault], t->line);
            (void)snprintf(reason, sizeof(reason), "1 %s (first in line %lld)",
                           csv_fault_name(t->fault), (long long)t->line);
        } else {
            (void)snprintf(reason, sizeof(reason), "1 same time as another row");
        }
        /* One of 24 is more than one per cent. */
        read_file(path, &some, &r);
        assert_int_equal(r.err.id, ERR_MARKET_DROPPED);
        assert_non_null(strstr(r.err.context, reason));
    }
}

/* ---------------------------------------------------------------- texts */

static char text_path[64];

static int make_file(void **state)
{
    (void)state;
    (void)str_copy(str_c("/var/tmp/nd-forms.XXXXXX"), text_path, sizeof(text_path));
    int fd = mkstemp(text_path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(text_path);
}

static void read_text(const char *text, const struct csv_limits *limits, struct reading *ret)
{
    assert_int_equal(file_write(text_path, str_c(text), 0600, NULL), 0);
    read_file(text_path, limits, ret);
}

static void assert_context(const struct reading *r, enum err_id id, const char *wanted)
{
    if (r->err.id != (int)id || strstr(r->err.context, wanted) == NULL) {
        print_error("%s\n", r->err.context);
    }
    assert_int_equal(r->err.id, id);
    assert_non_null(strstr(r->err.context, wanted));
}

static void what_cannot_be_known_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wanted;
    } files[] = {
        {"1640995200,1,5,9,1,3,2\n", "the columns are not time, open, high, low, close"},
        {"1640995200,5,9,1,3,2,7,7,7\n", "9 columns: which of them are meant is unknown"},
        {"27349920,5,9,1,3,2\n", "the first column is not a time after 1990"}, /* minutes */
        {"44562.0,5,9,1,3,2\n", "the first column is not a time after 1990"},  /* days */
        {"time;open;high;low;close\n2022-01-01;1,234;1,234;1,234;1,234\n",
         "numbers such as 1,234 may have a decimal comma or thousands separators"},
        {"time;open;high;low;close\n2022-01-01;1,2;1,3;1.1;1.2\n", "numbers such as 1,234"},
        {"time,open,high,low,close\n14:30,1,1,1,1\n", "the time column has no date"},
        {"{\"data\": []}", "JSON, but not an array of arrays"},
        {"[{\"t\": 1640995200000}]", "JSON, but not an array of arrays"},
        {"[]", "the array is empty"},
        {"https://example.org\n\n# nothing\n", "no column time"},
        {"time,open,high,low,close\n27349920,1,1,1,1\n27349921,1,1,1,1\n",
         "its first time is 1970-11-13T13:12:00Z, as if minutes were seconds"},
        {"PK\x03\x04...", "a zip archive or a spreadsheet: unpack it, or save it as CSV"},
        {"\x1f\x8b\x08", "compressed with gzip: unpack it"},
        {"PAR1", "a Parquet file"},
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct reading r;
        read_text(files[i].text, &(struct csv_limits){.max_dropped_pct = 1}, &r);
        assert_context(&r, ERR_MARKET_CSV_HEADER, files[i].wanted);
    }
}

#define HEADER "time,open,high,low,close,volume\n"

static void a_price_below_the_steps_needs_a_unit(void **state)
{
    (void)state;
    struct csv_limits limits = {.exact = true};
    struct reading r;
    static const char coin[] =
        HEADER "1640995200,0.000009123,0.0000092,0.0000091,0.00000915,1.5e12\n"
               "1640995260,0.00000915,0.0000092,0.0000091,0.00000912,3e9\n";
    read_text(coin, &limits, &r);
    assert_context(&r, ERR_MARKET_PRECISION,
                   "2 rows from line 2 on, with prices down to 9.1e-06 and volumes up to 1.5e+12; "
                   "--unit 1000 fits");
    limits.unit = 1000;
    read_text(coin, &limits, &r);
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.rows[0].candle.open.e8, 912300);
    assert_int_equal(r.rows[0].candle.low.e8, 910000);
    assert_int_equal(r.rows[0].candle.volume.e8, INT64_C(150000000000000000));
    assert_true(r.rows[1].bar.close > 0.0091199 && r.rows[1].bar.close < 0.0091201);
    /* Indicators work on doubles and need no unit. */
    read_text(coin, &(struct csv_limits){.exact = false}, &r);
    assert_int_equal(r.rc, 0);
    assert_true(r.rows[0].bar.open == 0.000009123);
    /* A volume that steps of 1e-8 would round away is not lost silently either. */
    read_text(HEADER "1640995200,1,1,1,1,0.000000014\n", &(struct csv_limits){.exact = true}, &r);
    assert_context(&r, ERR_MARKET_PRECISION, "1 rows from line 2 on");
    read_text(HEADER "1640995200,0.000001,0.000001,0.000001,0.000001,1e17\n",
              &(struct csv_limits){.exact = true}, &r);
    assert_int_equal(r.err.id, ERR_MARKET_PRECISION);
}

static void candles_open_at_multiples_of_their_timeframe(void **state)
{
    (void)state;
    const struct csv_limits all = {.max_dropped_pct = 100}, few = {.max_dropped_pct = 1};
    struct reading r;
    read_text(HEADER "1640995200,1,1,1,1,1\n1640995260,1,1,1,1,1\n1640995267,1,1,1,1,1\n"
                     "1640995320,1,1,1,1,1\n1640995380,1,1,1,1,1\n",
              &all, &r);
    assert_int_equal(r.check.report.step_us, USEC_PER_MIN);
    assert_int_equal(r.check.report.faults[CSV_FAULT_GRID], 1);
    assert_int_equal(r.check.report.faults_line[CSV_FAULT_GRID], 4);
    assert_int_equal(r.count, 4);
    read_text(HEADER "1640995259.999,1,1,1,1,1\n1640995319.999,1,1,1,1,1\n", &few, &r);
    assert_context(
        &r, ERR_MARKET_CSV_EMPTY,
        "no candle opens at a multiple of 60 s: the first is 59.999 s behind one, as the "
        "closing times of candles are");
    read_text(HEADER "1640995207,1,1,1,1,1\n1640995267,1,1,1,1,1\n", &few, &r);
    assert_context(&r, ERR_MARKET_CSV_EMPTY, "the first is 7 s behind one");
    /* Weeks begin on a Monday, months when they like: the grid of both is a day. */
    read_text(HEADER "2022-01-03,1,1,1,1,1\n2022-01-10,1,1,1,1,1\n2022-01-17,1,1,1,1,1\n", &few,
              &r);
    assert_int_equal(r.count, 3);
    read_text(HEADER "2022-01-01,1,1,1,1,1\n2022-02-01,1,1,1,1,1\n2022-03-01,1,1,1,1,1\n", &few,
              &r);
    assert_int_equal(r.count, 3);
}

static void rows_are_sorted_up_to_a_limit(void **state)
{
    (void)state;
    AUTO_CSV struct csv *csv = NULL;
    struct err err = {0};
    const struct csv_options few = {.sorts = true, .rows_max = CANDLES - 1};
    const struct csv_options enough = {.sorts = true, .rows_max = CANDLES};
    assert_int_equal(csv_open(FOLDER "unordered.csv", &few, &csv, &err), -ERR_MARKET_CSV_ORDER);
    assert_non_null(strstr(err.context, "unordered.csv: more than 23 rows"));
    assert_int_equal(csv_open(FOLDER "unordered.csv", &enough, &csv, NULL), 0);
    struct csv_row row;
    while (csv_next(csv, &row, NULL) > 0) {}
    assert_int_equal(csv_report(csv)->accepted, CANDLES);
    assert_int_equal(csv_report(csv)->lines, CANDLES + 1);
}

static void of_two_rows_with_one_time_the_first_is_used(void **state)
{
    (void)state;
    struct reading r;
    read_text(HEADER "1640995260,2,2,2,2,1\n1640995200,1,1,1,1,1\n1640995260,3,3,3,3,1\n",
              &(struct csv_limits){.max_dropped_pct = 34}, &r);
    assert_int_equal(r.count, 2);
    assert_true(r.rows[1].bar.close == 2);
    assert_int_equal(r.check.report.duplicates_line, 4);
    read_text(HEADER "1640995260,2,2,2,2,1\n1640995260,3,3,3,3,1\n1640995200,1,1,1,1,1\n",
              &(struct csv_limits){.max_dropped_pct = 34}, &r);
    assert_string_equal(r.check.note, "newest first: sorted");
    assert_int_equal(r.count, 2);
    assert_true(r.rows[1].bar.close == 2);
}

/* UTF-16 without a byte order mark, with a character of two units in a column that is ignored. */
static void utf16_is_recognised_without_a_mark(void **state)
{
    (void)state;
    static const char text[] = "time,open,high,low,close,note\n1640995200,1,2,1,2,*\n";
    for (int big = 0; big < 2; big++) {
        AUTO_BUF struct buf bytes = BUF_INIT(1024);
        for (const char *p = text; *p != '\0'; p++) {
            const unsigned units[2] = {*p == '*' ? 0xd83d : (unsigned char)*p, 0xde00};
            for (int i = 0; i < (*p == '*' ? 2 : 1); i++) {
                buf_add_char(&bytes, (char)(big ? units[i] >> 8 : units[i] & 0xff));
                buf_add_char(&bytes, (char)(big ? units[i] & 0xff : units[i] >> 8));
            }
        }
        struct reading r;
        assert_int_equal(file_write(text_path, buf_str(&bytes), 0600, NULL), 0);
        read_file(text_path, &(struct csv_limits){.exact = true}, &r);
        assert_int_equal(r.rc, 0);
        assert_string_equal(r.check.note, "no volume: 0, UTF-16");
        assert_true(r.rows[0].bar.close == 2);
    }
}

static void forms_of_times(void **state)
{
    (void)state;
    static const char *const times[] = {
        "2022-01-05 14:30:00+0000",
        "2022-01-05T16:30:00+0200",
        "2022-01-05 16:30:00+02",
        "2022-01-05 14:30:00 UTC",
        "2022-01-05 14:30 utc",
        "2022-01-05 14:30:00 GMT",
        "05.01.2022 14:30:00",
        "05.01.2022 16:30:00.000 GMT+0200",
        "2022/01/05 14:30",
        "2022.01.05 14:30",
        "20220105 143000",
        "20220105T143000",
        "1.641393e9",
        "1.641393E+12",
        "1.641393e15",
    };
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        struct reading r;
        AUTO_BUF struct buf text = BUF_INIT(256);
        buf_addf(&text, HEADER "%s,1,1,1,1,1\n", times[i]);
        read_text(text.data, &(struct csv_limits){.max_dropped_pct = 0}, &r);
        if (r.count != 1 || r.rows[0].bar.open_us != INT64_C(1641393000000000)) {
            print_error("%s: %s\n", times[i], r.err.context);
        }
        assert_int_equal(r.count, 1);
        assert_int_equal(r.rows[0].bar.open_us, INT64_C(1641393000000000));
    }
}

/* The marks of numbers, in a file whose first row shows which are which. */
static void forms_of_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        const char *text;
        double value; /* 0: refused */
    } numbers[] = {
        {"0.5", "1,234.5", 1234.5},
        {"0.5", "1,234", 1234},
        {"1,234.5", "1,234", 1234},
        {"0.5", "1,234,567", 1234567},
        {"0.5", "12,34.5", 0},
        {"0.5", "1 234.5", 1234.5},
        {"0.5", "1'234.5", 1234.5},
        {"0.5",
         "1\xc2\xa0"
         "234",
         1234},
        {"0.5", "1.2.3", 0},
        {"0,5", "1,234", 1.234},
        {"0,5", "1.234,5", 1234.5},
        {"0,5", "1.234", 0},
        {"0,5", "1.5", 0},
        {"1.234,5", "1.234", 1234},
        {"0,5", "1,5e3", 1500},
        {"0.5", "1,23", 0},
        {"0.5", "1,234.56,7", 0},
        {"0.5", "1,234 567", 0},
    };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct reading r;
        AUTO_BUF struct buf text = BUF_INIT(256);
        buf_addf(&text,
                 "time;volume;open;high;low;close\n1640995200;%s;1;1;1;1\n1640995260;%s;1;1;1;1\n",
                 numbers[i].first, numbers[i].text);
        read_text(text.data, &(struct csv_limits){.max_dropped_pct = 100}, &r);
        double value = r.count == 2 ? r.rows[1].bar.volume : 0;
        if (value != numbers[i].value) {
            print_error("%s after %s: %.17g\n", numbers[i].text, numbers[i].first, value);
        }
        assert_true(value == numbers[i].value);
        /* The row is refused, or the file if its two rows contradict each other. */
        assert_int_equal(r.check.report.faults[CSV_FAULT_NUMBER] == 1 ||
                             r.err.id == ERR_MARKET_CSV_HEADER,
                         numbers[i].value == 0);
    }
}

#define FORMS_TEST(fn) cmocka_unit_test_setup_teardown(fn, make_file, remove_file)
UNIT_GROUP(csv_forms, cmocka_unit_test(every_form_has_the_same_candles),
           cmocka_unit_test(a_damaged_twin_is_refused_with_its_reason),
           cmocka_unit_test(rows_are_sorted_up_to_a_limit),
           FORMS_TEST(what_cannot_be_known_is_refused),
           FORMS_TEST(a_price_below_the_steps_needs_a_unit),
           FORMS_TEST(candles_open_at_multiples_of_their_timeframe),
           FORMS_TEST(of_two_rows_with_one_time_the_first_is_used), FORMS_TEST(forms_of_times),
           FORMS_TEST(utf16_is_recognised_without_a_mark), FORMS_TEST(forms_of_numbers))
