#include "base/check.h"
#include "base/rng.h"
#include "market/csv.h"
#include "market/indicators.h"
#include "market/resample.h"
#include "unit/unit.h"

#include <errno.h>
#include <math.h>

#define HEADER   "time,open,high,low,close,volume\n"
#define ROWS_MAX 64

/* The result of reading a text: its rows and report, or the error. */
struct reading {
    int rc;
    struct err err;
    struct csv_row rows[ROWS_MAX];
    int count;
    struct csv_report report;
};

static void read_bytes(const char *text, size_t len, struct reading *ret)
{
    AUTO_CSV struct csv *csv = NULL;
    memset(ret, 0, sizeof(*ret));
    FILE *stream = fmemopen((void *)(uintptr_t)text, len, "rb");
    assert_non_null(stream);
    ret->rc = csv_open_stream(stream, "f.csv", NULL, &csv, &ret->err);
    struct csv_row row;
    while (ret->rc >= 0 && (ret->rc = csv_next(csv, &row, &ret->err)) > 0) {
        assert_true(ret->count < ROWS_MAX);
        ret->rows[ret->count++] = row;
    }
    if (csv != NULL) {
        ret->report = *csv_report(csv);
    }
}

static void read_text(const char *text, struct reading *ret)
{
    read_bytes(text, strlen(text), ret);
}

static void assert_refused(const char *rows, enum csv_fault fault, int64_t line)
{
    struct reading r;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_addf(&text, HEADER "100,5,6,4,5,1\n%s", rows);
    read_text(text.data, &r);
    if (r.report.faults[fault] != 1) {
        print_error("%s not refused: %s", csv_fault_name(fault), rows);
    }
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.report.faults[fault], 1);
    assert_int_equal(r.report.refused, 1);
    assert_int_equal(r.report.reported_count, 1);
    assert_int_equal(r.report.reported[0].line, line);
    assert_int_equal(r.report.reported[0].fault, fault);
    assert_int_equal(r.count, 1);
}

static void columns_are_found_by_name_in_any_order(void **state)
{
    (void)state;
    struct reading r;
    read_text("Volume, \"CLOSE\" ,trades,low,High,\"say \"\"hi\"\", you\",TimeStamp,Open\n"
              "7.5,3,12,1,4,\"a, b\",60,2\n",
              &r);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.report.refused, 0);
    const struct bar *b = &r.rows[0].bar;
    assert_int_equal(b->open_us, 60 * USEC_PER_SEC);
    assert_true(b->open == 2 && b->high == 4 && b->low == 1 && b->close == 3 && b->volume == 7.5);
}

static void the_exact_time_wins_over_the_date_beside_it(void **state)
{
    (void)state;
    struct reading r;
    read_text("unix,open,high,low,close,vol,date\n1640991660,1,1,1,1,1,yesterday\n", &r);
    assert_int_equal(r.count, 1);
    assert_int_equal(csv_report_missing(&r.report), 0); /* one row has no step */
    read_text("date,unix,open,high,low,close,vol\nyesterday,1640991660,1,1,1,1,\"1\"\n", &r);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.rows[0].bar.open_us, INT64_C(1640991660000000));
}

static void time_formats_are_distinguished(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } times[] = {
        {"1640991660", INT64_C(1640991660000000)},
        {"1640991660.5", INT64_C(1640991660500000)},
        {"1640991660000", INT64_C(1640991660000000)},
        {"1640991660000.25", INT64_C(1640991660000250)},
        {"1640991660000000", INT64_C(1640991660000000)},
        {"1640991660000000999", INT64_C(1640991660000000)},
        {"7258118399", INT64_C(7258118399000000)},
        {"100000000000", INT64_C(100000000000000)},
        {"0", 0},
        {"2021-12-31 23:01:00.000000", INT64_C(1640991660000000)},
        {"2021-12-31T23:01:00Z", INT64_C(1640991660000000)},
        {"\"2021-12-31 23:01\"", INT64_C(1640991660000000)},
        {"2022-01-01 01:01:00+02:00", INT64_C(1640991660000000)},
        {"2021-12-31T17:31:00.5-05:30", INT64_C(1640991660500000)},
        {"2022-01-01", INT64_C(1640995200000000)},
    };
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        struct reading r;
        AUTO_BUF struct buf text = BUF_INIT(1024);
        buf_addf(&text, HEADER "%s,1,1,1,1,1", times[i].text);
        read_text(text.data, &r);
        if (r.count != 1 || r.rows[0].bar.open_us != times[i].us) {
            print_error("%s\n", times[i].text);
        }
        assert_int_equal(r.count, 1);
        assert_int_equal(r.rows[0].bar.open_us, times[i].us);
    }
}

static void numbers_are_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
        int64_t e8;
    } numbers[] = {
        {"46319.0", 46319.0, INT64_C(4631900000000)},
        {"0.1", 0.1, 10000000},
        {"0.12345678", 0.12345678, 12345678},
        {"123456.123456789", 123456.123456789, INT64_C(12345612345679)},
        {"99999999.12345678", 99999999.12345678, INT64_C(9999999912345678)},
        {"46319.123456789012345", 46319.123456789012345, INT64_C(4631912345679)},
        {"1e-05", 1e-05, 1000},
        {"4.6319E4", 46319, INT64_C(4631900000000)},
        {"1e15", 1e15, INT64_MIN},
        {"9007199254740993", 9007199254740993.0, INT64_MIN},
        {"92233720368.54775807", 92233720368.54775807, INT64_MAX},
        {"\" 12 \"", 12, 1200000000},
        {"\t12", 12, 1200000000},
        {"5.", 5, 500000000},
        {".5", 0.5, 50000000},
        {"99999999999999.1", 99999999999999.1, INT64_MIN},
    };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct reading r;
        AUTO_BUF struct buf text = BUF_INIT(1024);
        buf_addf(&text, "time,volume,open,high,low,close\n1,%s,1,1,1,1", numbers[i].text);
        read_text(text.data, &r);
        assert_int_equal(r.count, 1);
        if (r.rows[0].bar.volume != numbers[i].value ||
            r.rows[0].candle.volume.e8 != numbers[i].e8) {
            print_error("%s: %.17g %lld\n", numbers[i].text, r.rows[0].bar.volume,
                        (long long)r.rows[0].candle.volume.e8);
        }
        assert_true(r.rows[0].bar.volume == numbers[i].value);
        assert_int_equal(r.rows[0].candle.volume.e8, numbers[i].e8);
    }
}

/* Each number of digits before and behind the point gives what strtod and dec_parse give, wherever
 * the field is, and whatever comes behind it. */
static void numbers_of_any_length_are_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *before, *behind;
    } forms[] = {{HEADER "1,1,1,1,1,", "\n"},
                 {HEADER "1,1,1,1,1,", ""},
                 {HEADER "1,1,1,1,1,", "\r\n2,3,4,2,3,7"},
                 {"time,volume,open,high,low,close\n1,", ",1,1,1,1"},
                 {"time;volume;open;high;low;close\n1;", ";1;1;1;1"},
                 {"time|volume|open|high|low|close\n1|", "|1|1|1|1"}};
    struct rng rng;
    rng_init(&rng, 7);
    for (int i = 0; i < 10 * 11 * 30; i++) {
        char number[32];
        char *at = number;
        for (int k = 0; k <= i % 10; k++) {
            *at++ = (char)('0' + rng_below(&rng, 10));
        }
        for (int k = 0; k < i / 10 % 11; k++) {
            *at++ = k == 0 ? '.' : (char)('0' + rng_below(&rng, 10));
        }
        *at = '\0';
        struct reading r;
        struct dec exact;
        AUTO_BUF struct buf text = BUF_INIT(1024);
        size_t form = rng_below(&rng, COUNT_OF(forms));
        buf_addf(&text, "%s%s%s", forms[form].before, number, forms[form].behind);
        read_text(text.data, &r);
        assert_true(r.count >= 1);
        double value = strtod(number, NULL);
        if (!dec_parse(str_c(number), &exact)) {
            exact = dec_from_double(value);
        }
        if (memcmp(&r.rows[0].bar.volume, &value, sizeof(value)) != 0 ||
            r.rows[0].candle.volume.e8 != exact.e8) {
            fail_msg("%s: %.17g %lld", number, r.rows[0].bar.volume,
                     (long long)r.rows[0].candle.volume.e8);
        }
    }
}

static void line_ends_may_be_mixed(void **state)
{
    (void)state;
    struct reading r;
    read_text("\xef\xbb\xbf\n\r\ntime,open,high,low,close,volume\r\n"
              "60,1,1,1,1,1\n120,1,1,1,1,1\r\r\n180,1,1,1,1,1\r240,1,1,1,1,1\n\n   \n300,1,1,1,1,1",
              &r);
    assert_int_equal(r.count, 5);
    assert_int_equal(r.report.refused, 0);
    assert_int_equal(r.report.step_us, 60 * USEC_PER_SEC);
    assert_int_equal(csv_report_missing(&r.report), 0);
}

/* Each length of the text before it moves the CR LF, so that once it is split by the buffer's end.
 */
static void a_line_end_split_by_the_buffer_is_one_line_end(void **state)
{
    (void)state;
    for (size_t pad = 65000; pad < 65600; pad += 1) {
        struct reading r;
        AUTO_BUF struct buf text = BUF_INIT(1 << 20);
        buf_add_c(&text, "time,open,high,low,close,volume\r\n");
        while (text.len + 200 < pad) {
            buf_addf(&text, "%*s\r\n", (int)(pad - text.len > 9000 ? 8000 : pad - text.len - 200),
                     "");
        }
        int64_t before = 0;
        for (size_t i = 0; i < text.len; i++) {
            before += text.data[i] == '\n';
        }
        buf_add_c(&text, "60,1,1,1,1,1\r\n120,1,1,1,1,1\r\nx\r\n180,1,1,1,1,1\r\n");
        for (int i = 4; i < 24; i++) {
            buf_addf(&text, "%d,1,1,1,1,1\r\n", i * 60);
        }
        read_text(text.data, &r);
        assert_int_equal(r.count, 23);
        assert_int_equal(r.report.refused, 1);
        assert_int_equal(r.report.reported[0].line, before + 3);
    }
}

static void each_bad_row_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_refused("160,5,6,4,5\n", CSV_FAULT_COLUMNS, 3);
    assert_refused("160,5,6,4,5,1,9\n", CSV_FAULT_COLUMNS, 3);
    assert_refused("\n160;5;6;4;5;1\n", CSV_FAULT_COLUMNS, 4);
    assert_refused("160,\"5,6,4,5,1\n", CSV_FAULT_QUOTES, 3);
    assert_refused("160,\"5\"x,6,4,5,1\n", CSV_FAULT_QUOTES, 3);
    assert_refused("160,5,6,4,5,\"1\"\"\n", CSV_FAULT_QUOTES, 3);
    assert_refused(",5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("-160,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("now,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-02-30,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("1969-12-31,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-01-01 00:00:00+99:00,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-01-01 00:00:00+0:0:0,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("160.5.5,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused(".5,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("9223372036854775807,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-01-01 00:00:00+xx:00,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-01-01 00:00:00+00:xx,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-01-01 00:00:00+0x:00,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-01-01 00:00:00+00:0x,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-01-01 00:00:00+00:60,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("2022-01-01 00:00:00/00:00,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("7258118400,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("99999999999,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("160,5,6,4,5.5.5,1\n", CSV_FAULT_NUMBER, 3);
    assert_refused("160,5,6,4,\x01\x7f\xff,1\n", CSV_FAULT_NUMBER, 3);
    assert_refused("99999999999999999999,5,6,4,5,1\n", CSV_FAULT_TIME, 3);
    assert_refused("160,5,6,4,nan,1\n", CSV_FAULT_NUMBER, 3);
    assert_refused("160,5,inf,4,5,1\n", CSV_FAULT_NUMBER, 3);
    assert_refused("160,5,6,4,,1\n", CSV_FAULT_NUMBER, 3);
    assert_refused("160,5,6,4,0x5,1\n", CSV_FAULT_NUMBER, 3);
    assert_refused("160,5,1e999,4,5,1\n", CSV_FAULT_NUMBER, 3);
    assert_refused("160,5,4,6,5,1\n", CSV_FAULT_IMPOSSIBLE, 3);
    assert_refused("160,7,6,4,5,1\n", CSV_FAULT_IMPOSSIBLE, 3);
    assert_refused("160,5,6,4,3,1\n", CSV_FAULT_IMPOSSIBLE, 3);
    assert_refused("160,5,6,0,5,1\n", CSV_FAULT_IMPOSSIBLE, 3);
    assert_refused("160,-5,-4,-6,-5,1\n", CSV_FAULT_IMPOSSIBLE, 3);
    assert_refused("160,5,6,4,5,-1\n", CSV_FAULT_IMPOSSIBLE, 3);
    assert_refused("160,5,6,4,5,1e19\n", CSV_FAULT_IMPOSSIBLE, 3);
    assert_refused("160,1e18,1e18,1e18,1e18,1\n", CSV_FAULT_IMPOSSIBLE, 3);
    assert_refused("40,5,6,4,5,1\n", CSV_FAULT_BACK, 3);
}

static void each_fault_has_its_own_text(void **state)
{
    (void)state;
    for (int a = 0; a < CSV_FAULT_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(csv_fault_name((enum csv_fault)a),
                                    csv_fault_name((enum csv_fault)b));
        }
    }
}

static void empty_cells_after_the_last_column_are_ignored(void **state)
{
    (void)state;
    struct reading r;
    read_text(HEADER "60,1,1,1,1,1,,\n", &r);
    assert_int_equal(r.count, 1);
}

static void an_endless_line_is_refused_and_the_next_one_is_read(void **state)
{
    (void)state;
    static const size_t lengths[] = {CSV_LINE_MAX + 1, 70000, 300000};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct reading r;
        AUTO_BUF struct buf text = BUF_INIT(1 << 20);
        buf_add_c(&text, HEADER "60,1,1,1,1,1\n");
        for (size_t n = 0; n < lengths[i]; n++) {
            buf_add_char(&text, n % 100 == 50 ? '\t' : 'z');
        }
        buf_add_c(&text, "\n120,1,1,1,1,1\n");
        read_text(text.data, &r);
        assert_int_equal(r.count, 2);
        assert_int_equal(r.report.faults[CSV_FAULT_LONG], 1);
        assert_int_equal(r.report.reported[0].line, 3);
        assert_memory_equal(r.report.reported[0].text, "zzz", 3);
        /* The same at the end of the file. */
        read_bytes(text.data, text.len - strlen("\n120,1,1,1,1,1\n"), &r);
        assert_int_equal(r.count, 1);
        assert_int_equal(r.report.faults[CSV_FAULT_LONG], 1);
    }
}

static void gaps_and_duplicates_are_counted(void **state)
{
    (void)state;
    struct reading r;
    read_text(HEADER "60,1,1,1,1,1\n120,2,2,2,2,1\n120,3,3,3,3,1\n360,4,4,4,4,1\n300,5,5,5,5,1\n",
              &r);
    assert_int_equal(r.count, 3);
    assert_true(r.rows[1].bar.close == 2); /* the first of two duplicates */
    assert_int_equal(r.report.duplicates, 1);
    assert_int_equal(r.report.faults[CSV_FAULT_BACK], 1);
    assert_int_equal(csv_report_missing(&r.report), 3);
    assert_int_equal(r.report.first_us, 60 * USEC_PER_SEC);
    assert_int_equal(r.report.last_us, 360 * USEC_PER_SEC);
}

static void assert_header(const char *text, const char *wanted)
{
    struct reading r;
    read_text(text, &r);
    assert_int_equal(r.rc, -ERR_MARKET_CSV_HEADER);
    if (strstr(r.err.context, wanted) == NULL) {
        print_error("%s\n", r.err.context);
    }
    assert_non_null(strstr(r.err.context, wanted));
}

static void an_error_in_the_header_names_line_and_column(void **state)
{
    (void)state;
    assert_header("\ntime,open,high,low,clsoe,volume\n1,1,1,1,1,1\n", "f.csv:2: no column close");
    assert_header("60,1,1,1,1,1\n", "f.csv:1: no header, and the first column is not a time");
    assert_header("time.open.high.low.close.volume\n", "no column time");
    assert_header("time,open,high,low,close,volume,CLOSE\n", "column close is there twice");
    assert_header("time,\"open,high\n", "quotation marks");
    assert_header("\xff\xfeti", "no column time");
    assert_header("\n\n", "the file is empty");
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    for (int i = 0; i < 20000; i++) {
        buf_add_c(&text, "a,");
        if (i == 300) {
            struct reading r;
            read_text(text.data, &r);
            assert_int_equal(r.rc, -ERR_MARKET_CSV_HEADER);
        }
    }
    assert_header(text.data, "the header is too long");
}

static ssize_t a_million_bad_rows(void *cookie, char *dst, size_t size)
{
    int64_t *left = cookie;
    static const char row[] = "60,5,4,6,5,1\n";
    size_t n = 0;
    if (*left == 1000000) {
        memcpy(dst, HEADER, strlen(HEADER));
        n = strlen(HEADER);
    }
    while (*left > 0 && n + strlen(row) <= size) {
        memcpy(dst + n, row, strlen(row));
        n += strlen(row);
        (*left)--;
    }
    return (ssize_t)n;
}

static void a_million_bad_rows_are_counted(void **state)
{
    (void)state;
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    int64_t left = 1000000;
    FILE *stream = fopencookie(&left, "rb", (cookie_io_functions_t){.read = a_million_bad_rows});
    assert_non_null(stream);
    assert_int_equal(csv_open_stream(stream, "f.csv", NULL, &csv, NULL), 0);
    assert_int_equal(csv_next(csv, &row, NULL), 0);
    assert_int_equal(csv_report(csv)->refused, 1000000);
    assert_int_equal(csv_report(csv)->reported_count, CSV_REPORTED_MAX);
    assert_int_equal(csv_report(csv)->accepted, 0);
}

static ssize_t broken_disk(void *cookie, char *dst, size_t size)
{
    int *calls = cookie;
    if ((*calls)++ > 0) {
        errno = EIO;
        return -1;
    }
    (void)size;
    memcpy(dst, HEADER "60,1,1,1,1,1\n12", strlen(HEADER) + 15);
    return (ssize_t)strlen(HEADER) + 15;
}

static void a_read_error_is_reported(void **state)
{
    (void)state;
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    struct err err = {0};
    int calls = 0;
    FILE *stream = fopencookie(&calls, "rb", (cookie_io_functions_t){.read = broken_disk});
    assert_non_null(stream);
    assert_int_equal(csv_open_stream(stream, "f.csv", NULL, &csv, &err), 0);
    assert_int_equal(csv_next(csv, &row, &err), 1);
    assert_int_equal(csv_next(csv, &row, &err), -ERR_FILE_FAILED);
    assert_non_null(strstr(err.context, "f.csv"));
    struct csv *none = NULL;
    assert_int_equal(csv_open("/nowhere/f.csv", NULL, &none, &err), -ERR_FILE_MISSING);
    assert_int_equal(csv_open("/", NULL, &none, &err), -ERR_FILE_FAILED);
    assert_null(none);
    csv_free(NULL);
}

static void longer_bars_are_built_and_the_unfinished_one_is_left_out(void **state)
{
    (void)state;
    struct reading r;
    AUTO_BUF struct buf text = BUF_INIT(1 << 16);
    buf_add_c(&text, HEADER);
    for (int minute = 3; minute < 18; minute++) {
        if (minute != 7) {
            buf_addf(&text, "%d,%d,%d.5,%d.25,%d,2\n", minute * 60, minute + 9, minute + 10,
                     minute + 8, minute + 10);
        }
    }
    read_text(text.data, &r);
    assert_int_equal(r.count, 14);
    struct resample five;
    struct csv_row out[8];
    int count = 0;
    resample_init(&five, timeframe_us(TF_5M));
    for (int i = 0; i < r.count; i++) {
        count += resample_push(&five, &r.rows[i], &out[count]);
    }
    assert_int_equal(count, 3);
    assert_false(resample_end(&five, r.report.step_us, &out[3])); /* 15:00 to 17:00 */
    static const int opens[] = {3, 5, 10};
    static const int closes[] = {4, 9, 14};
    static const int volumes[] = {4, 8, 10}; /* one minute of the second is missing */
    for (int i = 0; i < count; i++) {
        assert_int_equal(out[i].bar.open_us, i * timeframe_us(TF_5M));
        assert_true(out[i].bar.open == opens[i] + 9);
        assert_true(out[i].bar.high == closes[i] + 10.5);
        assert_true(out[i].bar.low == opens[i] + 8.25);
        assert_true(out[i].bar.close == closes[i] + 10);
        assert_true(out[i].bar.volume == volumes[i]);
        struct bar same = bar_of(&out[i].candle);
        assert_memory_equal(&same, &out[i].bar, sizeof(same));
    }
    struct csv_row last = r.rows[r.count - 1];
    last.bar.open_us += USEC_PER_MIN;
    assert_false(resample_push(&five, &last, &out[3]));
    last.bar.open_us += USEC_PER_MIN;
    assert_false(resample_push(&five, &last, &out[3]));
    assert_true(resample_end(&five, USEC_PER_MIN, &out[3]));
    assert_int_equal(out[3].bar.open_us, 3 * timeframe_us(TF_5M));
    assert_false(resample_end(&five, USEC_PER_MIN, &out[3]));
}

static void a_value_out_of_range_makes_the_whole_candle_invalid(void **state)
{
    (void)state;
    struct reading r;
    read_text(HEADER "0,1,1,1,1,1e12\n60,1,1,1,1,1\n120,1,1,1,1,9e10\n300,1,1,1,1,9e10\n"
                     "360,1,1,1,1,9e10\n600,1,1,1,1,1\n",
              &r);
    assert_int_equal(r.count, 6);
    struct resample five;
    struct csv_row out;
    resample_init(&five, timeframe_us(TF_5M));
    for (int i = 0; i < r.count; i++) {
        if (resample_push(&five, &r.rows[i], &out)) {
            assert_false(candle_is_valid(&out.candle)); /* 1e12 at first, then the sum */
            assert_true(out.bar.volume > 1.7e11);
        }
    }
}

/* Every indicator over a month of real minutes, and the reader's report. */
static void a_real_month(void **state)
{
    (void)state;
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    struct indicators all;
    double values[INDICATOR_COUNT];
    if (csv_open("../shared/data/btc-perp-1m.csv", NULL, &csv, NULL) < 0) {
        print_message("SKIP: no ../shared/data\n");
        skip();
    }
    indicators_init(&all);
    while (csv_next(csv, &row, NULL) > 0) {
        assert_true(candle_is_valid(&row.candle));
        struct bar same = bar_of(&row.candle);
        assert_memory_equal(&same, &row.bar, offsetof(struct bar, volume));
        assert_true(fabs(same.volume - row.bar.volume) <= 1e-15 * same.volume);
        indicators_push(&all, &row.bar);
    }
    const struct csv_report *r = csv_report(csv);
    assert_int_equal(r->accepted, 45031);
    assert_int_equal(r->refused + r->duplicates + csv_report_missing(r), 0);
    /* TA-Lib 0.4's values for the last minute. */
    static const struct {
        enum indicator id;
        double value;
    } known[] = {
        {INDICATOR_SMA20, 38556.45},
        {INDICATOR_SMA50, 38556.3},
        {INDICATOR_RSI14, 46.6662929696},
        {INDICATOR_MACD, -5.40119417373},
        {INDICATOR_MACD_SIGNAL, -1.69483128139},
        {INDICATOR_ATR14, 17.4998929052},
        {INDICATOR_ADX14, 14.4972149147},
        {INDICATOR_PLUS_DI14, 26.9632830994},
        {INDICATOR_CCI20, -69.0321023413},
        {INDICATOR_WILLR14, -62.962962963},
        {INDICATOR_ROC10, -0.0622277535781},
    };
    indicators_values(&all, values);
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        assert_true(fabs(values[known[i].id] - known[i].value) <= 1e-10 * fabs(known[i].value));
    }
}

UNIT_GROUP(csv, cmocka_unit_test(columns_are_found_by_name_in_any_order),
           cmocka_unit_test(the_exact_time_wins_over_the_date_beside_it),
           cmocka_unit_test(time_formats_are_distinguished),
           cmocka_unit_test(numbers_are_read_exactly),
           cmocka_unit_test(numbers_of_any_length_are_read_exactly),
           cmocka_unit_test(line_ends_may_be_mixed),
           cmocka_unit_test(a_line_end_split_by_the_buffer_is_one_line_end),
           cmocka_unit_test(each_bad_row_is_refused_with_its_line),
           cmocka_unit_test(each_fault_has_its_own_text),
           cmocka_unit_test(empty_cells_after_the_last_column_are_ignored),
           cmocka_unit_test(an_endless_line_is_refused_and_the_next_one_is_read),
           cmocka_unit_test(gaps_and_duplicates_are_counted),
           cmocka_unit_test(an_error_in_the_header_names_line_and_column),
           cmocka_unit_test(a_million_bad_rows_are_counted),
           cmocka_unit_test(a_read_error_is_reported),
           cmocka_unit_test(longer_bars_are_built_and_the_unfinished_one_is_left_out),
           cmocka_unit_test(a_value_out_of_range_makes_the_whole_candle_invalid),
           cmocka_unit_test(a_real_month))
