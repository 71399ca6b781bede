/* nightdesk backtest: over files and a simulated market, as text, JSON and a picture. */
#include "base/check.h"
#include "cli/cli.h"
#include "engine/backtest.h"
#include "fakes/stump_model.h"
#include "io/file.h"
#include "io/json.h"
#include "market/simulated.h"
#include "rig.h"
#include "unit/unit.h"

#include <math.h>
#include <stdio.h>

#define START INT64_C(1640995200000000) /* 2022-01-01T00:00Z */

static char csv_path[RIG_PATH_LEN], csv_other[RIG_PATH_LEN], png_path[RIG_PATH_LEN];

static int make_folder(void **state)
{
    int r = rig_make_folder(state);
    rig_path("f.csv", csv_path);
    rig_path("g.csv", csv_other);
    rig_path("c.png", png_path);
    return r;
}

/* Candles of a simulated market; bad_every: a refused row after every so many rows, 0: none. */
static void write_candles(const char *path, uint64_t seed, int minutes, int bad_every)
{
    struct symbol symbol;
    struct simulated market;
    AUTO_BUF struct buf text = BUF_INIT((size_t)8 << 20);
    assert_true(symbol_parse(STR_LIT("BTC-USD"), &symbol));
    simulated_init(&market, seed, &symbol, 1, START);
    buf_add_c(&text, "time,open,high,low,close,volume\n");
    for (int i = 0; i < minutes; i++) {
        struct source_bar bars[SYMBOLS_LIMIT];
        assert_int_equal(source_next(&market.source, bars), 1);
        const struct candle *c = &bars[0].candle;
        const struct dec cells[] = {c->open, c->high, c->low, c->close, c->volume};
        buf_addf(&text, "%lld", (long long)(c->open_us / USEC_PER_SEC));
        for (size_t k = 0; k < COUNT_OF(cells); k++) {
            buf_add_char(&text, ',');
            dec_add_text(&text, cells[k]);
        }
        buf_add_c(&text, i % 3 == 0 ? "\r\n" : "\n");
        if (bad_every > 0 && i % bad_every == bad_every - 1) {
            buf_add_c(&text, "not,a,row\n");
        }
    }
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
}

static bool has(const struct buf *text, const char *what)
{
    return strstr(text->data, what) != NULL;
}

/* The exact digits of a number. */
static bool amount(const struct json_object *object, const char *key, struct dec *ret)
{
    struct json_object *value = json_get(object, key);
    return json_is_number(value) && dec_parse(str_c(json_object_to_json_string(value)), ret);
}

static struct json_object *json_of(const struct rig_run *r)
{
    struct json_object *ret = NULL;
    struct err err = {0};
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    if (json_parse(str_n(r->out.data, r->out.len - 1), &limits, &ret, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return ret;
}

static void the_text_report_has_every_figure(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_candles(csv_path, 3, 12 * 1440, 0);
    rig_run(&r, WORDS("backtest", "--data", csv_path, "--symbol", "btc-usd"));
    assert_int_equal(r.code, CLI_FINE);
    assert_string_equal(r.err.data, "");
    assert_int_equal(strncmp(r.out.data, "Back-test of BTC-USD\n", 21), 0);
    static const char *const parts[] = {"17280 of 1 min",
                                        "0 missing",
                                        "2022-01-01 00:00 to 2022-01-13 00:00 UTC, 12 d",
                                        "at the next candle's open",
                                        "Equity",
                                        "Sharpe",
                                        "Profit factor",
                                        "By agent",
                                        "By regime at entry",
                                        "By exit",
                                        "By side",
                                        "By hour of entry, UTC"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!has(&r.out, parts[i])) {
            fail_msg("no \"%s\"", parts[i]);
        }
    }
    assert_false(has(&r.out, "nan") || has(&r.out, "inf"));
}

static void json_is_complete_and_trades_add_up(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_candles(csv_path, 3, 12 * 1440, 0);
    rig_run(&r, WORDS("backtest", "--data", csv_path, "--json", "--trades"));
    assert_int_equal(r.code, CLI_FINE);
    AUTO_JSON struct json_object *all = json_of(&r);
    assert_int_equal(json_i64(all, "candles", -1), 12 * 1440);
    struct json_object *list = json_get(all, "trade_list");
    assert_int_equal(json_len(list), json_i64(all, "trades", -1));
    assert_true(json_len(list) > 5);
    struct dec sum = DEC_ZERO;
    for (size_t i = 0; i < json_len(list); i++) {
        struct dec pnl;
        assert_true(amount(json_item(list, i), "pnl", &pnl));
        sum = dec_add(sum, pnl);
    }
    struct dec agents = DEC_ZERO;
    struct json_object *sides = json_get(all, "sides");
    for (size_t i = 0; i < json_len(sides); i++) {
        struct dec pnl;
        assert_true(amount(json_item(sides, i), "pnl", &pnl));
        agents = dec_add(agents, pnl);
    }
    assert_int_equal(sum.e8, agents.e8);
    assert_true(json_truth(all, "books_balance", false));
    assert_true(json_len(json_get(all, "curve")) > 100);
    assert_string_equal(json_text(json_item(json_get(all, "data"), 0), "symbol"), "BTC-USD");
}

static void lists_each_trade(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_candles(csv_path, 3, 6 * 1440, 0);
    rig_run(&r, WORDS("backtest", "--data", csv_path, "--trades"));
    assert_int_equal(r.code, CLI_FINE);
    assert_int_equal(strncmp(r.out.data, "opened ", 7), 0);
    int lines = 0;
    for (const char *p = r.out.data; *p != '\n' || p[1] != '\n'; p++) {
        lines += *p == '\n';
    }
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "Trades        %d,", lines);
    assert_true(lines > 3 && has(&r.out, expected));
}

static void from_and_to_limit_the_trading_period(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_candles(csv_path, 3, 12 * 1440, 0);
    rig_run(&r, WORDS("backtest", "--data", csv_path, "--json", "--from", "2022-01-10",
                      "--to=2022-01-12"));
    AUTO_JSON struct json_object *all = json_of(&r);
    assert_int_equal(json_i64(all, "candles", -1), 2 * 1440);
    assert_int_equal(json_i64(all, "warm_up_candles", -1), BACKTEST_WARM_UP_MIN);
    assert_string_equal(json_text(all, "start_at"), "2022-01-10T00:00:00.000000Z");
    assert_string_equal(json_text(all, "end_at"), "2022-01-12T00:00:00.000000Z");
}

static void timeframe_builds_longer_candles(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_candles(csv_path, 3, 6 * 1440 + 7, 0);
    rig_run(&r, WORDS("backtest", "--data", csv_path, "--json", "--timeframe", "15m"));
    assert_int_equal(r.code, CLI_FINE);
    AUTO_JSON struct json_object *all = json_of(&r);
    assert_int_equal(json_i64(all, "candles", -1), 6 * 96);
    assert_int_equal(json_i64(all, "step_s", -1), 900);
    assert_int_equal(json_i64(all, "decisions", -1), 6 * 96);
    assert_string_equal(json_text(all, "end_at"), "2022-01-07T00:00:00.000000Z");
}

static void several_files_are_one_market(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_candles(csv_path, 3, 4 * 1440, 0);
    write_candles(csv_other, 4, 2 * 1440, 0);
    rig_run(&r, WORDS("backtest", "--data", csv_path, "--symbol", "AAA", "--data", csv_other,
                      "--symbol", "BBB", "--json"));
    assert_int_equal(r.code, CLI_FINE);
    AUTO_JSON struct json_object *all = json_of(&r);
    assert_int_equal(json_i64(all, "candles", -1), 6 * 1440);
    struct json_object *data = json_get(all, "data");
    assert_int_equal(json_len(data), 2);
    assert_string_equal(json_text(json_item(data, 1), "symbol"), "BBB");
    assert_int_equal(json_i64(json_item(data, 1), "accepted", -1), 2 * 1440);
}

/* At most three positions compete for the same money, so the order of the symbols matters. */
static void the_order_of_the_files_does_not_matter(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run a = {0}, b = {0}, unnamed = {0};
    char config[RIG_PATH_LEN];
    rig_path("n.yaml", config);
    assert_int_equal(file_write(config, STR_LIT("risk: {max_positions: 1}\n"), 0600, NULL), 0);
    write_candles(csv_path, 3, 8 * 1440, 0);
    write_candles(csv_other, 4, 8 * 1440, 0);
    rig_run(&a, WORDS("backtest", "--config", config, "--data", csv_path, "--symbol", "ETH-USD",
                      "--data", csv_other, "--symbol", "AAA", "--json", "--trades"));
    rig_run(&b, WORDS("backtest", "--config", config, "--data", csv_other, "--symbol", "AAA",
                      "--data", csv_path, "--symbol", "ETH-USD", "--json", "--trades"));
    AUTO_JSON struct json_object *one = json_of(&a), *two = json_of(&b);
    assert_string_equal(json_text(json_at(one, "/data/0"), "symbol"), "ETH-USD");
    assert_string_equal(json_text(json_at(one, "/data/0"), "source"), csv_path);
    assert_true(json_i64(one, "trades", 0) > 3);
    json_object_object_del(one, "took_s");
    json_object_object_del(two, "took_s");
    assert_true(json_object_equal(one, two));

    rig_run(&unnamed, WORDS("backtest", "--data", csv_path, "--data", csv_other));
    assert_int_equal(unnamed.code, CLI_CRITICAL);
    assert_true(has(&unnamed.err, "2 files: give each --data its --symbol"));
}

static void json_lists_open_positions_at_the_end(void **state)
{
    (void)state;
    size_t open = 0;
    write_candles(csv_path, 3, 4 * 1440, 0);
    /* One of these end times has an open position. */
    for (int hour = 0; hour < 24 && open == 0; hour += 3) {
        char to[40];
        (void)snprintf(to, sizeof(to), "--to=2022-01-04T%02d:00", hour);
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, WORDS("backtest", "--data", csv_path, "--json", to));
        AUTO_JSON struct json_object *all = json_of(&r);
        struct json_object *list = json_get(all, "positions");
        open = json_len(list);
        assert_int_equal(open, json_i64(all, "open_positions", -1));
        for (size_t i = 0; i < open; i++) {
            struct dec qty, entry, stop;
            struct json_object *p = json_item(list, i);
            assert_string_equal(json_text(p, "symbol"), "BTC-USD");
            assert_true(amount(p, "qty", &qty) && qty.e8 > 0);
            assert_true(amount(p, "entry_price", &entry) && entry.e8 > 0);
            assert_true(amount(p, "stop", &stop));
            assert_true((stop.e8 < entry.e8) == (strcmp(json_text(p, "side"), "long") == 0));
            assert_int_equal(strncmp(json_text(p, "opened_at"), "2022-01-0", 9), 0);
        }
    }
    assert_true(open > 0);
}

/* ---------------------------------------------------------------- training data of the model */

#define LEARNED(symbol, market, to, test)                                            \
    "\"nightdesk.symbol\":\"" symbol "\",\"nightdesk.market\":\"" market             \
    "\",\"nightdesk.data\":\"d\",\"nightdesk.train_from\":\"2022-01-01T03:00:00Z\"," \
    "\"nightdesk.train_to\":\"" to "\",\"nightdesk.test_from\":\"" test "\","        \
    "\"nightdesk.test_to\":\"2022-01-20T00:00:00Z\","

/* A configuration with a model whose file records this training data; NULL: none. */
static void write_model(const char *learned, char ret_config[RIG_PATH_LEN])
{
    static const char before[] = "\"attributes\":{";
    AUTO_BUF struct buf stump = BUF_INIT(8192), text = BUF_INIT(8192), yaml = BUF_INIT(512);
    char path[RIG_PATH_LEN];
    stump_model(2, -2, &stump);
    char *at = strstr(stump.data, before) + sizeof(before) - 1;
    buf_add(&text, stump.data, (size_t)(at - stump.data));
    buf_addf(&text, "%s%s", learned != NULL ? learned : "", at);
    rig_path("m.json", path);
    rig_path("m.yaml", ret_config);
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
    buf_addf(&yaml, "trading:\n  model: %s\n", path);
    assert_int_equal(file_write(ret_config, buf_str(&yaml), 0600, NULL), 0);
}

static struct dec money_of(const struct json_object *o, const char *key)
{
    struct dec ret = DEC_ZERO;
    assert_true(amount(o, key, &ret));
    return ret;
}

static void figures_on_training_data_are_no_result(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run text = {0}, json = {0};
    char config[RIG_PATH_LEN];
    write_candles(csv_path, 3, 12 * 1440, 0);
    write_model(LEARNED("BTC-USD", "recorded", "2022-01-06T00:00:00Z", "2022-01-06T00:20:00Z"),
                config);
    rig_run(&text, WORDS("backtest", "--config", config, "--data", csv_path));
    assert_int_equal(text.code, CLI_FINE);
    /* before any figure */
    const char *model = strstr(text.out.data, "\n  Model ");
    const char *seen =
        strstr(text.out.data, "\n  Seen          2022-01-01 00:00 to 2022-01-06 00:15: ");
    const char *unseen =
        strstr(text.out.data, "\n  Unseen        2022-01-06 00:15 to 2022-01-13 00:00: ");
    const char *equity = strstr(text.out.data, "\n  Equity ");
    assert_true(model != NULL && seen > model && unseen > seen && equity > unseen);
    assert_true(strstr(seen, "NO RESULT") < unseen);
    assert_true(has(&text.out, "trained on BTC-USD 5m, 2022-01-01 03:00 to 2022-01-06 00:15"));
    assert_false(has(&text.out, "ANOTHER SYMBOL"));

    rig_run(&json, WORDS("backtest", "--config", config, "--data", csv_path, "--json", "--trades"));
    AUTO_JSON struct json_object *all = json_of(&json);
    struct json_object *before = json_get(all, "seen"), *after = json_get(all, "unseen");
    assert_string_equal(json_text(all, "result_of"), "unseen");
    assert_false(json_truth(before, "is_result", true));
    assert_true(json_truth(after, "is_result", false));
    assert_int_equal(money_of(before, "final_equity").e8, money_of(after, "initial_equity").e8);
    assert_int_equal(money_of(all, "initial_equity").e8, money_of(after, "initial_equity").e8);
    assert_true(fabs(json_double(all, "return_pct", 99) - json_double(after, "return_pct", -99)) <
                1e-6);
    int64_t trades[2] = {0};
    struct json_object *list = json_get(all, "trade_list");
    for (size_t i = 0; i < json_len(list); i++) {
        trades[strcmp(json_text(json_item(list, i), "opened_at"), "2022-01-06T00:15:00.000000Z") >
               0]++;
    }
    assert_true(trades[0] > 3 && trades[1] > 3);
    assert_int_equal(json_i64(before, "trades", -1), trades[0]);
    assert_int_equal(json_i64(after, "trades", -1), trades[1]);
    assert_int_equal(json_i64(all, "trades", -1), trades[1]);
    assert_true(json_truth(json_get(all, "model"), "known", false));
    assert_string_equal(json_text(json_get(all, "model"), "symbol"), "BTC-USD");
}

static void without_unseen_data_there_is_no_result(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run text = {0}, json = {0}, chart = {0};
    char config[RIG_PATH_LEN];
    write_candles(csv_path, 3, 5 * 1440, 0);
    write_model(LEARNED("BTC-USD", "recorded", "2022-01-10T00:00:00Z", "2022-01-11T00:00:00Z"),
                config);
    rig_run(&text, WORDS("backtest", "--config", config, "--data", csv_path));
    assert_int_equal(text.code, CLI_FINE);
    assert_true(has(&text.out, "NO RESULT") && has(&text.out, "  Unseen        nothing"));
    rig_run(&json, WORDS("backtest", "--config", config, "--data", csv_path, "--json"));
    AUTO_JSON struct json_object *all = json_of(&json);
    assert_string_equal(json_text(all, "result_of"), "none");
    static const char *const results[] = {"return_pct", "sharpe", "profit_factor", "win_rate_pct"};
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        struct json_object *value = NULL;
        assert_true(json_object_object_get_ex(all, results[i], &value));
        assert_null(value);
    }
    assert_null(json_get(all, "unseen"));
    assert_true(json_is_number(json_get(json_get(all, "seen"), "return_pct")));
    rig_run(&chart, WORDS("backtest", "--config", config, "--data", csv_path, "--chart", png_path));
    assert_int_equal(chart.code, CLI_FINE);
}

static void a_model_of_another_or_unknown_market_is_flagged(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run symbol = {0}, market = {0}, unknown = {0}, json = {0};
    char config[RIG_PATH_LEN];
    write_candles(csv_path, 3, 4 * 1440, 0);
    write_model(LEARNED("BTC-USD", "recorded", "2022-01-02T00:00:00Z", "2022-01-03T00:00:00Z"),
                config);
    rig_run(&symbol,
            WORDS("backtest", "--config", config, "--data", csv_path, "--symbol", "X-USD"));
    assert_true(has(&symbol.out, "ANOTHER SYMBOL: it was trained on BTC-USD, this is X-USD\n"));
    assert_true(has(&symbol.out, "NO RESULT"));

    write_model(LEARNED("BTC-USD", "simulated:5", "2022-01-02T00:00:00Z", "2022-01-03T00:00:00Z"),
                config);
    rig_run(&market, WORDS("backtest", "--config", config, "--data", csv_path));
    assert_true(
        has(&market.out, "another market than the one that it was trained on (simulated:5)"));
    assert_false(has(&market.out, "NO RESULT"));

    write_model(NULL, config);
    rig_run(&unknown, WORDS("backtest", "--config", config, "--data", csv_path));
    assert_true(has(&unknown.out, "its training data is NOT KNOWN"));
    rig_run(&json, WORDS("backtest", "--config", config, "--data", csv_path, "--json"));
    AUTO_JSON struct json_object *all = json_of(&json);
    assert_string_equal(json_text(all, "result_of"), "not known");
    assert_false(json_truth(json_get(all, "model"), "known", true));
}

/* Like `run`, it continues without the model and reports that. */
static void an_unusable_model_does_not_stop_the_run(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run damaged = {0}, missing = {0}, json = {0};
    char config[RIG_PATH_LEN];
    write_candles(csv_path, 3, 4 * 1440, 0);
    write_model(LEARNED("BTC-USD", "recorded", "someday", "2022-01-03T00:00:00Z"), config);
    rig_run(&damaged, WORDS("backtest", "--config", config, "--data", csv_path));
    assert_int_equal(damaged.code, CLI_REFUSED);
    assert_true(has(&damaged.out, "  Model         NOT USED: MODEL_UNFIT: "));
    assert_true(has(&damaged.out, "  Sharpe "));
    assert_int_equal(file_write(config, STR_LIT("trading:\n  model: /no/model.json\n"), 0600, NULL),
                     0);
    rig_run(&missing, WORDS("backtest", "--config", config, "--data", csv_path));
    assert_int_equal(missing.code, CLI_REFUSED);
    assert_true(has(&missing.out, "NOT USED: FILE_MISSING"));
    rig_run(&json, WORDS("backtest", "--config", config, "--data", csv_path, "--json"));
    AUTO_JSON struct json_object *all = json_of(&json);
    assert_false(json_truth(json_get(all, "model"), "used", true));
    assert_string_equal(json_text(json_get(all, "model"), "error_code"), "FILE_MISSING");
    assert_string_equal(json_text(all, "result_of"), "all");
}

static void the_same_seed_gives_the_same_report(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run a = {0}, b = {0}, c = {0};
    rig_run(&a, WORDS("backtest", "--data", "simulated:5:4", "--json", "--trades"));
    rig_run(&b, WORDS("backtest", "--data", "simulated:5:4", "--json", "--trades"));
    rig_run(&c, WORDS("backtest", "--data", "simulated:6:4", "--json"));
    AUTO_JSON struct json_object *one = json_of(&a), *two = json_of(&b), *three = json_of(&c);
    assert_int_equal(json_i64(one, "candles", -1), 3 * 4 * 1440);
    assert_true(money_of(one, "final_equity").e8 == money_of(two, "final_equity").e8);
    assert_true(money_of(one, "final_equity").e8 != money_of(three, "final_equity").e8);
    json_object_object_del(one, "took_s");
    json_object_object_del(two, "took_s");
    assert_true(json_object_equal(one, two));
}

static void chart_writes_a_png(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    AUTO_BUF struct buf png = BUF_INIT((size_t)4 << 20);
    write_candles(csv_path, 3, 4 * 1440, 0);
    rig_run(&r, WORDS("backtest", "--data", csv_path, "--chart", png_path));
    assert_int_equal(r.code, CLI_FINE);
    assert_int_equal(file_read(png_path, &png, NULL), 0);
    assert_memory_equal(png.data, "\x89PNG\r\n\x1a\n", 8);
    rig_run_release(&r);
    rig_run(&r, WORDS("backtest", "--data", csv_path, "--chart", "/nonexistent/c.png"));
    assert_int_equal(r.code, CLI_CRITICAL);
    assert_true(has(&r.err, "/nonexistent/c.png"));
    assert_true(has(&r.out, "Equity")); /* the report is still printed */
}

static void bad_rows_are_reported_and_left_out(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    write_candles(csv_path, 3, 1440, 100);
    rig_run(&r, WORDS("backtest", "--data", csv_path));
    assert_int_equal(r.code, CLI_REFUSED);
    assert_true(has(&r.out, "1454 rows, 0 missing, 0 duplicate, 14 refused"));
    assert_true(has(&r.err, "f.csv:102: not as many columns as the header: \"not,a,row\""));
    assert_true(has(&r.err, "4 more rows refused"));
}

static void a_million_bad_rows_give_a_short_report(void **state)
{
    (void)state;
    AUTO_RUN struct rig_run r = {0};
    AUTO_BUF struct buf text = BUF_INIT((size_t)16 << 20);
    buf_add_c(&text, "time,open,high,low,close,volume\n");
    for (int i = 0; i < 1000000; i++) {
        buf_add_c(&text, "1,2,nan,0\n");
    }
    assert_int_equal(file_write(csv_path, buf_str(&text), 0600, NULL), 0);
    rig_run(&r, WORDS("backtest", "--data", csv_path));
    assert_int_equal(r.code, CLI_CRITICAL);
    assert_true(has(&r.err, "MARKET_CSV_EMPTY") && has(&r.err, "f.csv:2: ") &&
                has(&r.err, "999990 more rows refused"));
    assert_true(r.err.len < 4096 && r.out.len == 0);
}

static void wrong_usage_is_refused(void **state)
{
    (void)state;
    write_candles(csv_path, 3, 600, 0);
    assert_int_equal(
        file_write(csv_other, STR_LIT("when,open,high,low,close\n1,2,3,4,5\n"), 0600, NULL), 0);
    const struct {
        const char *words[10];
        const char *expected;
    } rows[] = {
        {{"backtest"}, "needs --data"},
        {{"backtest", "--data", "/nonexistent.csv"}, "FILE_MISSING"},
        {{"backtest", "--data", csv_other}, "g.csv:1: no column time"},
        {{"backtest", "--data", csv_path, "--from", "2022-01-20", "--to", "2022-01-10"},
         "is not before"},
        {{"backtest", "--data", csv_path, "--from", "tomorrow"}, "\"tomorrow\""},
        {{"backtest", "--data", csv_path, "--from", "2030-01-01"}, "ENGINE_BACKTEST_EMPTY"},
        {{"backtest", "--data", csv_path, "--to", "2021-01-01"}, "no candle before --to"},
        {{"backtest", "--data", csv_path, "--timeframe", "2m"}, "--timeframe takes"},
        {{"backtest", "--data", csv_path, "--symbol", "no good"}, "--symbol takes"},
        {{"backtest", "--data", csv_path, "--symbol", "A", "--symbol", "B"},
         "2 --symbol for 1 --data"},
        {{"backtest", "--data", csv_path, "--data", csv_path, "--symbol", "A", "--symbol", "A"},
         "twice"},
        {{"backtest", "--data", csv_path, "--data", "simulated"}, "must be the only --data"},
        {{"backtest", "--data", "simulated:one"}, "whole numbers"},
        {{"backtest", "--data", "simulated:1:0"}, "whole numbers"},
        {{"backtest", "--data", csv_path, "--chrat", "x"}, "did you mean --chart?"},
        {{"backtest", "--data", csv_path, "more"}, "does not take \"more\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_RUN struct rig_run r = {0};
        rig_run(&r, rows[i].words);
        if (r.code != CLI_CRITICAL || !has(&r.err, rows[i].expected)) {
            fail_msg("%zu: code %d, %s", i, r.code, r.err.data);
        }
        assert_string_equal(r.out.data, "");
    }
}

#define BACKTEST_TEST(fn) cmocka_unit_test_setup_teardown(fn, make_folder, rig_remove_folder)
UNIT_GROUP(backtest, BACKTEST_TEST(the_text_report_has_every_figure),
           BACKTEST_TEST(json_is_complete_and_trades_add_up), BACKTEST_TEST(lists_each_trade),
           BACKTEST_TEST(from_and_to_limit_the_trading_period),
           BACKTEST_TEST(timeframe_builds_longer_candles),
           BACKTEST_TEST(figures_on_training_data_are_no_result),
           BACKTEST_TEST(without_unseen_data_there_is_no_result),
           BACKTEST_TEST(a_model_of_another_or_unknown_market_is_flagged),
           BACKTEST_TEST(an_unusable_model_does_not_stop_the_run),
           BACKTEST_TEST(the_order_of_the_files_does_not_matter),
           BACKTEST_TEST(json_lists_open_positions_at_the_end),
           BACKTEST_TEST(several_files_are_one_market),
           BACKTEST_TEST(the_same_seed_gives_the_same_report), BACKTEST_TEST(chart_writes_a_png),
           BACKTEST_TEST(bad_rows_are_reported_and_left_out),
           BACKTEST_TEST(a_million_bad_rows_give_a_short_report),
           BACKTEST_TEST(wrong_usage_is_refused))
