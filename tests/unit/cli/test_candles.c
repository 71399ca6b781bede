/* nightdesk indicators and nightdesk import candles. */
#include "base/check.h"
#include "cli/cli.h"
#include "io/file.h"
#include "io/json.h"
#include "ops/ops.h"
#include "rig.h"
#include "store/candle_table.h"
#include "unit/unit.h"

#define HEADER "time,open,high,low,close,volume\n"

static char csv_path[RIG_PATH_LEN];

static int make_folder(void **state)
{
    int r = rig_make_folder(state);
    rig_path("f.csv", csv_path);
    return r;
}

static void write_csv(const char *text)
{
    assert_int_equal(file_write(csv_path, str_c(text), 0600, NULL), 0);
}

/* Minute candles 1.5, 2.5, … from 00:00 on. */
static void write_minutes(int count)
{
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_add_c(&text, HEADER);
    for (int i = 0; i < count; i++) {
        buf_addf(&text, "%d,%d.5,%d,%d,%d.5,2\n", i * 60, i + 1, i + 3, i + 1, i + 2);
    }
    write_csv(text.data);
}

static int count_lines(const struct buf *text)
{
    int lines = 0;
    for (size_t i = 0; i < text->len; i++) {
        lines += text->data[i] == '\n';
    }
    return lines;
}

static void one_row_per_candle_with_empty_cells_until_defined(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_minutes(60);
    rig_run(&r, WORDS("indicators", "--data", csv_path));
    assert_int_equal(r.code, CLI_FINE);
    assert_string_equal(r.err.data, "");
    assert_int_equal(count_lines(&r.out), 61);
    static const char beginning[] =
        "t,open,high,low,close,volume,sma20,sma50,ema12,ema20,rsi14,rsi7,macd,macd_signal,"
        "macd_hist,bb_upper,bb_middle,bb_lower,atr14,adx14,plus_di14,minus_di14,stoch_k,stoch_d,"
        "cci20,obv,willr14,roc10,stddev20,vwap20,donchian_high20,donchian_low20\n"
        "1970-01-01T00:00:00Z,1.5,3,1,2.5,2,,,,,,,,,,,,,,,,,,,,2,,,,,,\n"
        "1970-01-01T00:01:00Z,2.5,4,2,3.5,2,,,,,,,,,,,,,,,,,,,,4,,,,,,\n";
    assert_int_equal(strncmp(r.out.data, beginning, strlen(beginning)), 0);
    /* Prices that rise by one per candle: averages lag by half a window, oscillators are at their
     * maximum, and the deviation of 20 consecutive numbers is the root of 399 / 12. */
    static const char last[] = "\n1970-01-01T00:59:00Z,60.5,62,60,61.5,2,52,37,56,52,100,100,7,7,0,"
                               "63.5325625947,52,40.4674374053,2,100,50,0,91.6666666667,91."
                               "6666666667,126.666666667,120,-3.33333333333,"
                               "19.4174757282,5.76628129734,51.6666666667,62,41\n";
    struct str end = str_n(r.out.data + r.out.len - strlen(last), strlen(last));
    if (!str_equal_c(end, last)) {
        print_error("%.*s", STR_ARG(end));
    }
    assert_true(str_equal_c(end, last));
}

static void longer_bars_leave_out_the_incomplete_one(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run whole = {0}, part = {0};
    write_minutes(60);
    rig_run(&whole, WORDS("indicators", "--data", csv_path, "--timeframe", "15m"));
    assert_int_equal(whole.code, CLI_FINE);
    assert_int_equal(count_lines(&whole.out), 5);
    assert_non_null(strstr(whole.out.data, "\n1970-01-01T00:15:00Z,16.5,32,16,31.5,30,"));
    write_minutes(59);
    rig_run(&part, WORDS("indicators", "--data", csv_path, "--timeframe", "15m"));
    assert_int_equal(count_lines(&part.out), 4);
}

static void assert_fails(const char *const *words, const char *code, const char *context)
{
    AUTO_RUN struct rig_run r = {0};
    rig_run(&r, words);
    assert_int_equal(r.code, CLI_CRITICAL);
    assert_int_equal(r.out.len, 0);
    if (strstr(r.err.data, code) == NULL || strstr(r.err.data, context) == NULL) {
        print_error("%s", r.err.data);
    }
    assert_non_null(strstr(r.err.data, code));
    assert_non_null(strstr(r.err.data, context));
}

static void errors_in_a_file_are_printed_to_stderr(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    AUTO_BUF struct buf text = BUF_INIT(4096);
    buf_add_c(&text, HEADER "0,1,1,1,1,1\n60,1,1,1,1,1\n60,2,2,2,2,1\n240,1,1,1,1,1\n");
    for (int i = 0; i < 12; i++) {
        buf_add_c(&text, i == 0 ? "x\n" : "300,1,1,2,1,1\n");
    }
    write_csv(text.data);
    assert_fails(WORDS("indicators", "--data", csv_path), "MARKET_DROPPED",
                 "13 of 16 rows, more than 1 %: 1 not as many columns as the header (first in line "
                 "6), 11 impossible prices or volume (first in line 7)");
    rig_run(&r, WORDS("indicators", "--data", csv_path, "--max-dropped", "100"));
    assert_int_equal(r.code, CLI_REFUSED);
    assert_int_equal(count_lines(&r.out), 4);
    assert_non_null(strstr(r.err.data, "f.csv:6: not as many columns as the header: \"x\""));
    assert_non_null(strstr(r.err.data, "f.csv:7: impossible prices or volume: \"300,1,1,2,1,1\""));
    assert_non_null(strstr(r.err.data, "2 more rows refused"));
    assert_non_null(strstr(r.err.data, "11 rows: impossible prices or volume (first in line 7)"));
    assert_non_null(
        strstr(r.err.data, "1 rows: left out, same time as another row (first in line 4)"));
    assert_non_null(strstr(r.err.data, "2 candles are missing"));
}

static void a_file_that_cannot_be_used_prints_nothing(void **state)
{
    (void)state;
    assert_fails(WORDS("indicators"), "CLI_USAGE", "needs --data");
    assert_fails(WORDS("indicators", "--data", csv_path), "FILE_MISSING", "f.csv");
    assert_fails(WORDS("indicators", "--data", rig_folder), "FILE_FAILED", "not a regular file");
    write_csv("a,b\n1,2\n");
    assert_fails(WORDS("indicators", "--data", csv_path), "MARKET_CSV_HEADER",
                 "f.csv:1: no column time");
    write_csv(HEADER "x,1,1,1,1,1\n");
    assert_fails(WORDS("indicators", "--data", csv_path), "MARKET_CSV_EMPTY", "1 rows refused");
    write_csv(HEADER "0,1,1,1,1,1\n900,1,1,1,1,1\n");
    assert_fails(WORDS("indicators", "--data", csv_path, "--timeframe", "5m"), "MARKET_TIMEFRAME",
                 "rows are 15 min apart, 5m was requested");
    assert_fails(WORDS("indicators", "--data", csv_path, "--timeframe", "2h"), "CLI_USAGE",
                 "--timeframe takes");
}

static int stored(const char *symbol, enum timeframe tf, struct candle *ret, size_t max)
{
    AUTO_TRADING_STORE struct trading_store *store = NULL;
    struct symbol s;
    assert_true(symbol_parse(str_c(symbol), &s));
    assert_int_equal(trading_store_open(rig_folder, TRADING_STORE_READ, &store, NULL), 0);
    return candle_table_imported(store, s, tf, 60 * USEC_PER_SEC, ret, max, NULL);
}

static void import_stores_each_candle_once(void **state)
{
    (void)state;
    struct candle candles[100];
    AUTO_RUN struct rig_run first = {0}, again = {0}, json = {0};
    write_minutes(60);
    rig_run(&first,
            WORDS("import", "candles", csv_path, "--symbol", "eth-usd", "--state", rig_folder));
    assert_int_equal(first.code, CLI_FINE);
    assert_non_null(strstr(first.out.data, "ETH-USD 1m: 60 candles stored, 1970-01-01T00:00:00Z to "
                                           "1970-01-01T00:59:00Z"));
    rig_run(&again,
            WORDS("import", "candles", csv_path, "--symbol", "eth-usd", "--state", rig_folder));
    assert_int_equal(again.code, CLI_FINE);
    assert_int_equal(stored("ETH-USD", TF_1M, candles, COUNT_OF(candles)), 59); /* all but 00:00 */
    assert_int_equal(candles[0].open_us, 60 * USEC_PER_SEC);
    assert_int_equal(candles[0].close.e8, 350000000);
    assert_int_equal(stored("ETH-USD", TF_1M, candles, 7), 7);
    assert_int_equal(stored("ETH-USD", TF_5M, candles, COUNT_OF(candles)), 0);

    /* Rows of half a minute fill minutes; the symbol is the first one configured. */
    write_csv(HEADER "0,1,1,1,1,1\n30,2,2,2,2,1e11\n60,3,3,3,3,1\n90,4,5,3,4,2\n120,1,1,1,1,1\n");
    rig_run(&json, WORDS("import", "candles", csv_path, "--max-dropped", "20", "--json", "--state",
                         rig_folder));
    assert_int_equal(json.code, CLI_REFUSED); /* 1e11 does not fit an amount */
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "symbol"), "BTC-USD");
    assert_string_equal(json_text(root, "timeframe"), "1m");
    assert_non_null(strstr(json.out.data, "\"stored\":1,"));
    assert_non_null(strstr(json.out.data, "\"unfit\":1,"));
    assert_int_equal(stored("BTC-USD", TF_1M, candles, COUNT_OF(candles)), 1);
    assert_int_equal(candles[0].high.e8, 500000000);
    assert_int_equal(candles[0].volume.e8, 300000000);
}

static void import_uses_the_timeframe_that_the_rows_fill(void **state)
{
    (void)state;
    struct candle candles[4];
    AUTO_RUN struct rig_run half = {0}, one = {0};
    write_csv(HEADER "0,1,1,1,1,1\n1800,2,2,2,2,1\n3600,3,3,3,3,1\n5400,4,4,4,4,1\n");
    rig_run(&half, WORDS("import", "candles", csv_path, "--state", rig_folder));
    assert_non_null(strstr(half.out.data, "BTC-USD 1h: 2 candles stored"));
    assert_int_equal(stored("BTC-USD", TF_1H, candles, COUNT_OF(candles)), 1);
    write_csv(HEADER "600,1,1,1,1,1\n");
    rig_run(&one, WORDS("import", "candles", csv_path, "--state", rig_folder));
    assert_non_null(strstr(one.out.data, "BTC-USD 1m: 1 candles stored"));
    write_csv(HEADER "0,1,1,1,1,1\n14400,2,2,2,2,1\n");
    assert_fails(WORDS("import", "candles", csv_path, "--state", rig_folder), "MARKET_TIMEFRAME",
                 "rows are 4 h apart");
    write_csv(HEADER "0,1,1,1,1,1\n60,1,1,1,1,1e12\n120,1,1,1,1,1e12\n");
    AUTO_RUN struct rig_run part = {0};
    rig_run(&part,
            WORDS("import", "candles", csv_path, "--max-dropped", "70", "--state", rig_folder));
    assert_int_equal(part.code, CLI_REFUSED);
    write_csv(HEADER "60,1,1,1,1,1e12\n120,1,1,1,1,1e12\n");
    assert_fails(
        WORDS("import", "candles", csv_path, "--state", rig_folder), "MARKET_PRECISION",
        "2 rows from line 2 on, with prices down to 1 and volumes up to 1e+12; --unit 1000 "
        "fits");
    assert_fails(
        WORDS("import", "candles", csv_path, "--max-dropped", "100", "--state", rig_folder),
        "MARKET_CSV_EMPTY", "no complete 1m bar");
}

static void import_takes_the_symbol_from_the_name_of_the_file(void **state)
{
    (void)state;
    static const struct {
        const char *name, *symbol;
    } files[] = {
        {"BTCUSDT-1m-2022-01.csv", "BTC-USDT"},
        {"eth_usdt-5m.csv", "ETH-USDT"},
        {"Binance_SOLUSDC_1h.csv", "SOL-USDC"},
        {"XBTUSD_1.csv", "XBT-USD"},
        {"BTC-EUR.csv", "BTC-EUR"},
        {"ETHBTC.csv", "ETH-BTC"},
        {"1000PEPEUSDT.csv", "1000PEPE-USDT"},
        {"SHIBUSD.csv", "SHIB-USD"},
        {"BTC_BUSD.csv", "BTC-BUSD"},
        {"minutes.csv", "BTC-USD"},
        {"2022-01-USD.csv", "BTC-USD"},
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTO_RUN struct rig_run r = {0};
        char path[RIG_PATH_LEN], wanted[64];
        rig_path(files[i].name, path);
        assert_int_equal(file_write(path, STR_LIT(HEADER "600,1,1,1,1,1\n"), 0600, NULL), 0);
        rig_run(&r, WORDS("import", "candles", path, "--state", rig_folder));
        (void)snprintf(wanted, sizeof(wanted), "%s 1m: 1 candles stored", files[i].symbol);
        if (strstr(r.out.data, wanted) == NULL) {
            print_error("%s: %s%s\n", files[i].name, r.out.data, r.err.data);
        }
        assert_non_null(strstr(r.out.data, wanted));
    }
}

static void a_unit_multiplies_prices_and_names_the_symbol(void **state)
{
    (void)state;
    struct candle candles[4];
    write_csv(HEADER "600,0.000009123,0.0000092,0.0000091,0.00000915,3e9\n");
    assert_fails(
        WORDS("import", "candles", csv_path, "--symbol", "BONK-USD", "--state", rig_folder),
        "MARKET_PRECISION", "prices down to 9.1e-06 and volumes up to 3e+09; --unit 1000");
    AUTO_RUN struct rig_run r = {0};
    rig_run(&r, WORDS("import", "candles", csv_path, "--symbol", "BONK-USD", "--unit", "1000",
                      "--state", rig_folder));
    assert_int_equal(r.code, CLI_FINE);
    assert_non_null(strstr(r.out.data, "1000BONK-USD 1m: 1 candles stored"));
    assert_int_equal(stored("1000BONK-USD", TF_1M, candles, COUNT_OF(candles)), 1);
    assert_int_equal(candles[0].open.e8, 912300);
    assert_int_equal(candles[0].volume.e8, INT64_C(300000000000000));
    static const char *const wrong[] = {"0", "7", "-10", "1001", "1e3", "", "10000000000"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_fails(
            WORDS("import", "candles", csv_path, "--unit", wrong[i], "--state", rig_folder),
            "CLI_USAGE", "--unit takes 1, 10, 100");
    }
    assert_fails(WORDS("import", "candles", csv_path, "--symbol", "LONGCOIN-USDT", "--unit", "1000",
                       "--state", rig_folder),
                 "CLI_USAGE", "the symbol is 1000LONGCOIN-USDT, which is too long");
    assert_fails(WORDS("import", "candles", csv_path, "--max-dropped", "101"), "CLI_USAGE",
                 "--max-dropped");
}

static void longer_timeframes_are_refused_with_the_reason(void **state)
{
    (void)state;
    write_minutes(3);
    assert_fails(WORDS("indicators", "--data", csv_path, "--timeframe", "4h"), "CLI_USAGE",
                 "decisions are made on bars of at most an hour");
    assert_fails(WORDS("backtest", "--data", csv_path, "--timeframe", "1d"), "CLI_USAGE",
                 "decisions are made on bars of at most an hour");
    write_csv(HEADER "2022-01-01,1,1,1,1,1\n2022-01-02,2,2,2,2,1\n");
    assert_fails(WORDS("backtest", "--data", csv_path), "MARKET_TIMEFRAME",
                 "rows are 1 d apart; decisions are made on bars of 5 min to 1 h");
    assert_fails(WORDS("import", "candles", csv_path, "--state", rig_folder), "MARKET_TIMEFRAME",
                 "rows are 1 d apart");
    AUTO_RUN struct rig_run r = {0};
    rig_run(&r, WORDS("indicators", "--data", csv_path));
    assert_int_equal(r.code, CLI_FINE);
    assert_int_equal(count_lines(&r.out), 3);
}

static void import_refuses_wrong_usage_and_a_running_daemon(void **state)
{
    (void)state;
    int fd = -1;
    char lock[RIG_PATH_LEN];
    write_minutes(3);
    assert_fails(WORDS("import", "trades", csv_path), "CLI_USAGE", "import takes candles FILE");
    assert_fails(WORDS("import", "candles"), "CLI_USAGE", "import takes candles FILE");
    assert_fails(WORDS("import", "candles", csv_path, "--symbol", "B/U"), "CLI_USAGE", "--symbol");
    rig_path(OPS_LOCK_NAME, lock);
    assert_int_equal(file_lock(lock, &fd, NULL), 0); /* as a daemon does */
    assert_fails(WORDS("import", "candles", csv_path, "--state", rig_folder), "FILE_LOCKED",
                 "held by");
    (void)close(fd);
    char database[RIG_PATH_LEN];
    rig_path("trading.db", database);
    assert_false(file_exists(database));
}

#define CANDLES_TEST(fn) cmocka_unit_test_setup_teardown(fn, make_folder, rig_remove_folder)
UNIT_GROUP(candles, CANDLES_TEST(one_row_per_candle_with_empty_cells_until_defined),
           CANDLES_TEST(longer_bars_leave_out_the_incomplete_one),
           CANDLES_TEST(errors_in_a_file_are_printed_to_stderr),
           CANDLES_TEST(a_file_that_cannot_be_used_prints_nothing),
           CANDLES_TEST(import_stores_each_candle_once),
           CANDLES_TEST(import_uses_the_timeframe_that_the_rows_fill),
           CANDLES_TEST(import_takes_the_symbol_from_the_name_of_the_file),
           CANDLES_TEST(a_unit_multiplies_prices_and_names_the_symbol),
           CANDLES_TEST(longer_timeframes_are_refused_with_the_reason),
           CANDLES_TEST(import_refuses_wrong_usage_and_a_running_daemon))
