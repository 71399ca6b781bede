#include "base/check.h"
#include "io/file.h"
#include "market/csv_source.h"
#include "market/simulated.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER "time,open,high,low,close,volume\n"
#define START  INT64_C(1790002800) /* a full hour, seconds */

static const struct symbol btc = {"BTC-USD"}, eth = {"ETH-USD"};
static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)str_copy(str_c("/var/tmp/nd-source.XXXXXX"), folder, sizeof(folder));
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* Returns one of four static buffers, so that one expression can use several paths. */
static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_csv(const char *name, const char *text)
{
    assert_int_equal(file_write(path_of(name), str_c(text), 0600, NULL), 0);
}

static void add_row(struct buf *text, int64_t seconds, int price, const char *end)
{
    buf_addf(text, "%lld,%d,%d,%d,%d,2%s", (long long)seconds, price, price + 1, price - 1, price,
             end);
}

static int open_one(struct csv_source *s, const char *name, struct err *err)
{
    const struct csv_source_file file = {
        .symbol = btc, .path = path_of(name), .max_dropped_pct = 100};
    return csv_source_init(s, &file, 1, err);
}

/* Candles at these minutes after START; the price is 100 + the minute. */
static void write_minutes(const char *name, const int *minutes, int count)
{
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_add_c(&text, HEADER);
    for (int i = 0; i < count; i++) {
        add_row(&text, START + minutes[i] * 60, 100 + minutes[i], "\n");
    }
    write_csv(name, text.data);
}

static void assert_minute(const struct source_bar *bar, struct symbol symbol, int minute)
{
    assert_true(symbol_equal(bar->symbol, symbol));
    assert_int_equal(bar->candle.open_us, (START + minute * 60) * USEC_PER_SEC);
    assert_int_equal(bar->candle.close.e8, dec_from_int(100 + minute).e8);
    assert_int_equal(bar->candle.high.e8, dec_from_int(101 + minute).e8);
    assert_int_equal(bar->candle.volume.e8, dec_from_int(2).e8);
}

static void replays_files_in_time_order(void **state)
{
    (void)state;
    static const int of_btc[] = {0, 1, 2, 5, 6}, of_eth[] = {1, 2, 3, 6, 9, 10};
    write_minutes("btc.csv", of_btc, COUNT_OF(of_btc));
    write_minutes("eth.csv", of_eth, COUNT_OF(of_eth));
    const struct csv_source_file files[] = {{.symbol = btc, .path = path_of("btc.csv")},
                                            {.symbol = eth, .path = path_of("eth.csv")}};
    struct csv_source s;
    assert_int_equal(csv_source_init(&s, files, 2, NULL), 0);
    assert_int_equal(source_step_us(&s.source), USEC_PER_MIN);

    static const struct {
        int minute;
        bool btc, eth;
    } want[] = {{0, true, false}, {1, true, true}, {2, true, true},  {3, false, true},
                {5, true, false}, {6, true, true}, {9, false, true}, {10, false, true}};
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        struct source_bar bars[SYMBOLS_LIMIT];
        int64_t open_us = (START + want[i].minute * 60) * USEC_PER_SEC;
        assert_int_equal(csv_source_open_us(&s), open_us);
        assert_int_equal(source_next_us(&s.source), open_us + USEC_PER_MIN);
        int count = source_next(&s.source, bars);
        assert_int_equal(count, want[i].btc + want[i].eth);
        if (want[i].btc) {
            assert_minute(&bars[0], btc, want[i].minute);
        }
        if (want[i].eth) {
            assert_minute(&bars[count - 1], eth, want[i].minute);
        }
    }
    struct source_bar bars[SYMBOLS_LIMIT];
    assert_int_equal(source_next_us(&s.source), INT64_MAX);
    assert_int_equal(source_next(&s.source, bars), 0);
    assert_int_equal(source_next_us(&s.source), INT64_MAX);
    assert_null(csv_source_error(&s));
    struct csv_source_report r = csv_source_report(&s, 0);
    assert_true(symbol_equal(r.symbol, btc));
    assert_int_equal(r.rows->accepted, 5);
    assert_int_equal(r.missing, 2);
    assert_int_equal(csv_source_report(&s, 1).missing, 4);
    csv_source_release(&s);
    csv_source_release(&s);
    csv_source_release(NULL);
}

/* Three kinds of line ends in one file; duplicates, rows back in time, invalid rows, candles off
 * the step and candles that struct dec cannot hold are counted and skipped. */
static void counts_the_rows_that_it_skips(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 16);
    buf_add_c(&text, "\xef\xbb\xbf"
                     "Volume,Close,Low,High,Open,Timestamp\r\n");
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    for (int i = 0; i < 300; i++) {
        const char *end = ends[i % 3];
        if (i == 50) {
            continue; /* a gap */
        }
        buf_addf(&text, "2,%d,%d,%d,%d,%lld%s", 100 + i, 99 + i, 101 + i, 100 + i,
                 (long long)(START + i * 60), end);
        if (i == 100) {
            buf_addf(&text, "2,7,7,7,7,%lld%s", (long long)(START + i * 60), end); /* again */
            buf_addf(&text, "2,7,7,7,7,%lld%s", (long long)START, end);            /* back */
            buf_addf(&text, "2,7,9,8,7,%lld%s", (long long)(START + 6001), end);   /* high < low */
            buf_addf(&text, "2,7,0,8,7,%lld%s", (long long)(START + 6002), end);
            buf_addf(&text, "2,nan,7,7,7,%lld%s", (long long)(START + 6003), end);
            buf_addf(&text, "-1,7,7,7,7,%lld%s", (long long)(START + 6004), end);
            buf_addf(&text, "nonsense%s%s", end, end);
        }
    }
    /* Off the step, then too small for struct dec: valid for the reader, unusable for a source. */
    buf_addf(&text, "2,7,7,7,7,%lld\n", (long long)(START + 300 * 60 + 60));
    buf_addf(&text, "2,7,7,7,7,%lld\n", (long long)(START + 301 * 60 + 90));
    buf_addf(&text, "2,1e-9,1e-9,1e-9,1e-9,%lld\n", (long long)(START + 303 * 60));
    write_csv("messy.csv", text.data);

    struct csv_source s;
    assert_int_equal(open_one(&s, "messy.csv", NULL), 0);
    assert_int_equal(source_step_us(&s.source), USEC_PER_MIN);
    int taken = 0;
    int64_t last_us = -1;
    while (source_next_us(&s.source) != INT64_MAX) {
        struct source_bar bars[SYMBOLS_LIMIT];
        assert_int_equal(source_next(&s.source, bars), 1);
        assert_true(bars[0].candle.open_us > last_us && candle_is_valid(&bars[0].candle));
        last_us = bars[0].candle.open_us;
        if (taken < 50) {
            assert_minute(&bars[0], btc, taken);
        }
        taken++;
    }
    assert_int_equal(taken, 300);
    struct csv_source_report r = csv_source_report(&s, 0);
    assert_int_equal(r.rows->duplicates, 2); /* sorted, the row back in time is one, too */
    assert_int_equal(r.rows->refused, 6);
    assert_int_equal(r.rows->faults[CSV_FAULT_IMPOSSIBLE], 3);
    assert_int_equal(r.rows->faults[CSV_FAULT_GRID], 1);
    assert_string_equal(r.note, "not in the order of time: sorted");
    assert_int_equal(r.rows->unfit, 1);
    assert_int_equal(r.missing, 2); /* minutes 50 and 300 */
    csv_source_release(&s);
}

/* The step is found from the rows: 15 minutes, an hour, ten seconds. */
static void the_step_is_found_from_the_rows(void **state)
{
    (void)state;
    static const int steps_s[] = {1, 10, 60, 120, 300, 900, 3600};
    for (size_t i = 0; i < COUNT_OF(steps_s); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1 << 16);
        buf_add_c(&text, HEADER);
        for (int k = 0; k < 20; k += k == 4 ? 3 : 1) { /* with a hole */
            add_row(&text, START + (int64_t)k * steps_s[i], 100, "\n");
        }
        write_csv("step.csv", text.data);
        struct csv_source s;
        assert_int_equal(open_one(&s, "step.csv", NULL), 0);
        assert_int_equal(source_step_us(&s.source), steps_s[i] * USEC_PER_SEC);
        assert_int_equal(source_next_us(&s.source), (START + steps_s[i]) * USEC_PER_SEC);
        csv_source_release(&s);
    }
}

static void refuse_file(const char *name, const char *text, enum err_id id, const char *reason)
{
    struct csv_source s;
    struct err err = {0};
    write_csv(name, text);
    assert_int_equal(open_one(&s, name, &err), -(int)id);
    assert_int_equal(err.id, id);
    assert_non_null(strstr(err.context, name));
    assert_non_null(strstr(err.context, reason));
}

static void refuses_files_without_usable_candles(void **state)
{
    (void)state;
    struct csv_source s;
    struct err err = {0};
    assert_int_equal(open_one(&s, "none.csv", &err), -ERR_FILE_MISSING);
    refuse_file("empty.csv", "", ERR_MARKET_CSV_HEADER, "empty");
    refuse_file("wrong.csv", "a,b,c\n1,2,3\n", ERR_MARKET_CSV_HEADER, "no column");
    refuse_file("no.csv", HEADER, ERR_MARKET_CSV_EMPTY, "1 lines");
    refuse_file("bad.csv", HEADER "x,1,1,1,1,1\n", ERR_MARKET_CSV_EMPTY, "2 lines");
    refuse_file("single.csv", HEADER "1790002800,1,1,1,1,1\n", ERR_MARKET_TIMEFRAME, "0 s apart");
    refuse_file("seven.csv", HEADER "1790002800,1,1,1,1,1\n1790003220,1,1,1,1,1\n",
                ERR_MARKET_TIMEFRAME, "420 s apart");
    refuse_file("late.csv", HEADER "1790002807,1,1,1,1,1\n1790002867,1,1,1,1,1\n",
                ERR_MARKET_CSV_EMPTY, "multiple of 60 s");
    refuse_file("day.csv", HEADER "1790035200,1,1,1,1,1\n1790121600,1,1,1,1,1\n",
                ERR_MARKET_TIMEFRAME, "1 d apart; decisions are made on bars of 5 min to 1 h");
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_int_equal(open_one(&s, "pipe", &err), -ERR_FILE_FAILED); /* and does not block on it */

    write_csv("one.csv", HEADER "1790002800,1,1,1,1,1\n1790002860,1,1,1,1,1\n");
    write_csv("five.csv", HEADER "1790002800,1,1,1,1,1\n1790003100,1,1,1,1,1\n");
    const struct csv_source_file both[] = {{.symbol = btc, .path = path_of("five.csv")},
                                           {.symbol = eth, .path = path_of("one.csv")}};
    assert_int_equal(csv_source_init(&s, both, 2, &err), -ERR_MARKET_TIMEFRAME);
    const struct csv_source_file turned[] = {both[1], both[0]};
    assert_int_equal(csv_source_init(&s, turned, 2, &err), -ERR_MARKET_TIMEFRAME);
    const struct csv_source_file missing[] = {both[0],
                                              {.symbol = eth, .path = path_of("none.csv")}};
    assert_int_equal(csv_source_init(&s, missing, 2, &err), -ERR_FILE_MISSING);
}

static void continues_after_a_restart(void **state)
{
    (void)state;
    int minutes[200];
    for (int i = 0; i < 200; i++) {
        minutes[i] = i + i / 50 * 10; /* gaps at 50, 100 and 150 */
    }
    write_minutes("long.csv", minutes, 200);
    for (int stop = 0; stop <= 200; stop += 25) {
        struct csv_source s, again;
        struct source_bar bars[SYMBOLS_LIMIT], same[SYMBOLS_LIMIT];
        char bytes[64];
        assert_int_equal(open_one(&s, "long.csv", NULL), 0);
        for (int i = 0; i < stop; i++) {
            assert_int_equal(source_next(&s.source, bars), 1);
        }
        size_t size = source_save(&s.source, bytes, sizeof(bytes));
        assert_true(size > 0);
        assert_int_equal(source_save(&s.source, bytes, size - 1), 0);
        assert_int_equal(open_one(&again, "long.csv", NULL), 0);
        assert_true(source_load(&again.source, bytes, size));
        for (;;) {
            assert_int_equal(source_next_us(&again.source), source_next_us(&s.source));
            int count = source_next(&s.source, bars);
            assert_int_equal(source_next(&again.source, same), count);
            if (count == 0) {
                break;
            }
            assert_memory_equal(&bars[0].candle, &same[0].candle, sizeof(bars[0].candle));
        }
        csv_source_release(&s);
        csv_source_release(&again);
    }
}

static void refuses_foreign_bytes(void **state)
{
    (void)state;
    static const int minutes[] = {0, 1, 2, 3};
    write_minutes("short.csv", minutes, 4);
    struct csv_source s;
    struct simulated other;
    int64_t bytes[3];
    static char large[4096];
    assert_int_equal(open_one(&s, "short.csv", NULL), 0);
    size_t size = source_save(&s.source, bytes, sizeof(bytes));
    assert_int_equal(size, sizeof(bytes));
    int64_t next_us = source_next_us(&s.source);
    simulated_init(&other, 1, &btc, 1, 0);
    assert_false(source_load(&s.source, large, source_save(&other.source, large, sizeof(large))));
    assert_false(source_load(&other.source, bytes, sizeof(bytes)));
    for (size_t i = 0; i < 3; i++) {
        int64_t bad[3] = {bytes[0], bytes[1], bytes[2]};
        bad[i] = INT64_MAX - 1;
        assert_false(source_load(&s.source, bad, sizeof(bad)));
        bad[i] = -2;
        assert_false(source_load(&s.source, bad, sizeof(bad)));
    }
    assert_int_equal(source_next_us(&s.source), next_us);
    csv_source_skip(&s, (START + 120) * USEC_PER_SEC);
    assert_int_equal(csv_source_open_us(&s), (START + 120) * USEC_PER_SEC);
    csv_source_skip(&s, 0);
    assert_int_equal(csv_source_open_us(&s), (START + 120) * USEC_PER_SEC);
    csv_source_skip(&s, INT64_MAX);
    assert_int_equal(source_next_us(&s.source), INT64_MAX);
    csv_source_release(&s);
}

/* A stream that returns one text and then fails. */
static ssize_t fail_after(void *cookie, char *dst, size_t size)
{
    const char **text = cookie;
    size_t len = strlen(*text);
    if (len == 0) {
        errno = EIO;
        return -1;
    }
    len = len < size ? len : size;
    memcpy(dst, *text, len);
    *text += len;
    return (ssize_t)len;
}

/* A read error is reported and ends the source: otherwise one symbol would have a gap. */
static void a_read_error_ends_the_source(void **state)
{
    (void)state;
    static const int minutes[] = {0, 1, 2, 3};
    write_minutes("btc.csv", minutes, 4);
    write_minutes("eth.csv", minutes, 4);
    const struct csv_source_file files[] = {{.symbol = btc, .path = path_of("btc.csv")},
                                            {.symbol = eth, .path = path_of("eth.csv")}};
    struct csv_source s;
    struct source_bar bars[SYMBOLS_LIMIT];
    assert_int_equal(csv_source_init(&s, files, 2, NULL), 0);
    csv_free(s.parts[0].csv);
    const char *text = HEADER "1790002860,1,1,1,1,1\n1790002920,1,1,1,1,1\n";
    FILE *f = fopencookie(&text, "r", (cookie_io_functions_t){.read = fail_after});
    assert_non_null(f);
    assert_int_equal(csv_open_stream(f, "failing.csv", NULL, &s.parts[0].csv, NULL), 0);
    assert_int_equal(source_next(&s.source, bars), 2);
    assert_int_equal(source_next(&s.source, bars), 2);
    assert_null(csv_source_error(&s));
    assert_int_equal(source_next(&s.source, bars), 2);
    assert_int_equal(source_next_us(&s.source), INT64_MAX);
    assert_int_equal(source_next(&s.source, bars), 0);
    const struct err *why = csv_source_error(&s);
    assert_non_null(why);
    assert_int_equal(why->id, ERR_FILE_FAILED);
    assert_non_null(strstr(why->context, "failing.csv"));
    csv_source_release(&s);
}

static long resident_kb(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* Each kind of fault, over and over, between two good rows. */
static void a_million_bad_rows_take_no_memory(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "not a time,1,1,1,1,1\n",
        "1790002860,1,1\n",
        "1790002860,,1,1,1,1\r\n",
        "1790002860,1,1,2,1,1\r",
        "1790002860,0,0,0,0,0\n",
        "1790002860,nan,1,1,1,1\n",
        "\"1790002860,1,1,1,1\n",
        "5,1,1,1,1\n",
        ",,,,,\n",
        "1790002920,1,1,1,1,1\n",
    };
    FILE *f = fopen(path_of("million.csv"), "we");
    assert_non_null(f);
    (void)fputs(HEADER "1790002800,1,1,1,1,1\n1790002860,1,1,1,1,1\n1790002920,1,1,1,1,1\n", f);
    for (int i = 0; i < 1000000; i++) {
        (void)fputs(bad[i % (int)COUNT_OF(bad)], f);
    }
    (void)fputs("1790002980,1,1,1,1,1\n", f);
    assert_int_equal(fclose(f), 0);

    long before_kb = resident_kb();
    struct csv_source s;
    struct source_bar bars[SYMBOLS_LIMIT];
    int taken = 0;
    assert_int_equal(open_one(&s, "million.csv", NULL), 0);
    while (source_next_us(&s.source) != INT64_MAX) {
        taken += source_next(&s.source, bars);
    }
    assert_int_equal(taken, 4);
    assert_int_equal(bars[0].candle.open_us, INT64_C(1790002980) * USEC_PER_SEC);
    const struct csv_report *r = csv_source_report(&s, 0).rows;
    assert_int_equal(r->refused + r->duplicates, 1000000);
    assert_int_equal(r->reported_count, CSV_REPORTED_MAX);
    assert_int_equal(r->reported[0].line, 5);
    csv_source_release(&s);
    assert_true(resident_kb() - before_kb < 4096);
}

/* Something else writes the file again while it is read. */
static void a_file_that_became_shorter_is_a_fault_until_it_is_opened_again(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    struct csv_source s;
    struct source_bar bar;
    struct err err = {0};
    const int rows = 4000, cut = 2500;
    buf_add_c(&text, HEADER);
    size_t cut_at = 0;
    for (int i = 0; i < rows; i++) {
        cut_at = i == cut ? text.len : cut_at;
        add_row(&text, START + i * 60, 100 + i, "\n");
    }
    write_csv("shrinks.csv", text.data);
    assert_int_equal(open_one(&s, "shrinks.csv", &err), 0);
    assert_int_equal(source_next(&s.source, &bar), 1);
    assert_null(source_fault(&s.source));
    assert_int_equal(truncate(path_of("shrinks.csv"), (off_t)cut_at), 0);
    int minute = 0;
    while (source_next(&s.source, &bar) == 1) {
        minute++;
    }
    assert_int_equal(minute, cut - 1);
    assert_int_equal(source_next_us(&s.source), INT64_MAX);
    assert_non_null(source_fault(&s.source));
    assert_int_equal(source_fault(&s.source)->id, ERR_MARKET_LOST);

    /* Opened again it is still short: it stays as it was. */
    assert_int_equal(source_reconnect(&s.source, &err), -ERR_MARKET_NO_NEWER);
    assert_int_equal(source_fault(&s.source)->id, ERR_MARKET_LOST);
    assert_int_equal(unlink(path_of("shrinks.csv")), 0);
    assert_int_equal(source_reconnect(&s.source, &err), -ERR_FILE_MISSING);
    assert_int_equal(source_fault(&s.source)->id, ERR_MARKET_LOST);

    write_csv("shrinks.csv", text.data);
    assert_int_equal(source_reconnect(&s.source, &err), 0);
    assert_null(source_fault(&s.source));
    for (int i = cut; i < rows; i++) {
        assert_int_equal(source_next(&s.source, &bar), 1);
        assert_minute(&bar, btc, i);
    }
    assert_int_equal(source_next(&s.source, &bar), 0);
    assert_null(source_fault(&s.source)); /* its real end */
    csv_source_release(&s);
}

/* A restart has skipped what was traded, without a saved state: nothing of it comes again. */
static void what_was_skipped_stays_skipped(void **state)
{
    (void)state;
    static const int minutes[] = {0, 1, 2, 3};
    struct csv_source s;
    struct source_bar bar;
    write_minutes("skipped.csv", minutes, COUNT_OF(minutes));
    assert_int_equal(open_one(&s, "skipped.csv", NULL), 0);
    csv_source_skip(&s, (START + 2 * 60) * USEC_PER_SEC);
    assert_int_equal(source_reconnect(&s.source, NULL), 0);
    assert_int_equal(source_next(&s.source, &bar), 1);
    assert_minute(&bar, btc, 2);
    csv_source_release(&s);
}

static void a_market_that_is_made_here_has_no_connection(void **state)
{
    (void)state;
    struct simulated market;
    simulated_init(&market, 1, &btc, 1, 0);
    assert_false(source_can_reconnect(&market.source));
    assert_int_equal(source_reconnect(&market.source, NULL), -ERR_MARKET_NO_FEED);
}

UNIT_GROUP(
    csv_source,
    cmocka_unit_test_setup_teardown(replays_files_in_time_order, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(counts_the_rows_that_it_skips, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(the_step_is_found_from_the_rows, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(refuses_files_without_usable_candles, make_folder,
                                    remove_folder),
    cmocka_unit_test_setup_teardown(continues_after_a_restart, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(refuses_foreign_bytes, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(a_read_error_ends_the_source, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(a_million_bad_rows_take_no_memory, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(a_file_that_became_shorter_is_a_fault_until_it_is_opened_again,
                                    make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(what_was_skipped_stays_skipped, make_folder, remove_folder),
    cmocka_unit_test(a_market_that_is_made_here_has_no_connection))
