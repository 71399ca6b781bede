/* The report over small databases: what it counts, what it cuts and what it does not know. */
#include "config/config.h"
#include "io/db.h"
#include "io/secret.h"
#include "report/invariant.h"
#include "report/rate.h"
#include "report/report.h"
#include "store/llm_call_table.h"
#include "store/ops.h"
#include "store/state_table.h"
#include "store/trade_table.h"
#include "store/trading.h"
#include "unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW_US (INT64_C(1795000000) * USEC_PER_SEC)

struct rig {
    struct clock_fake clock;
    struct config *config;
    struct trading_store *trading;
    struct ops_store *ops;
    struct report *report;
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct engine_state *row = calloc(1, sizeof(*row));
    struct err err = {0};
    assert_int_equal(secret_init(&err), 0);
    clock_fake_init(&rig->clock, NOW_US);
    assert_int_equal(
        config_load(&(struct config_options){.no_file = true}, &rig->config, NULL, &err), 0);
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &rig->trading, &err), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->ops, &err), 0);
    row->market_us = NOW_US;
    row->day = NOW_US / USEC_PER_DAY;
    assert_int_equal(state_table_save(rig->trading, row, &err), 0);
    free(row);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    report_free(rig->report);
    trading_store_free(rig->trading);
    ops_store_free(rig->ops);
    config_free(rig->config);
    free(rig);
    return 0;
}

static struct json_object *read_report(struct rig *rig, int64_t hours)
{
    struct err err = {0};
    const struct report_sources sources = {.clock = &rig->clock.clock, .config = rig->config};
    report_free(rig->report);
    rig->report = report_new(&sources, hours);
    assert_int_equal(report_read(rig->report, rig->trading, rig->ops, &err), 0);
    return report_document(rig->report);
}

/* A trade closed so many minutes ago. */
static void add_trade(struct rig *rig, int64_t id, const char *symbol, int64_t pnl, int64_t minutes)
{
    struct trade trade = {.id = id,
                          .qty = dec_from_int(2),
                          .entry_price = dec_from_int(50),
                          .exit_price = dec_from_int(51),
                          .pnl = dec_from_int(pnl),
                          .fees = dec_from_int(1),
                          .opened_us = NOW_US - (minutes + 30) * USEC_PER_MIN,
                          .closed_us = NOW_US - minutes * USEC_PER_MIN,
                          .exit_reason = "stop"};
    assert_true(str_copy(str_c(symbol), trade.symbol.name, sizeof(trade.symbol.name)));
    assert_int_equal(trade_table_add(rig->trading, &trade, NULL), 0);
}

static int64_t count_at(struct json_object *report, const char *pointer)
{
    struct json_object *value = json_at(report, pointer);
    assert_non_null(value);
    return json_object_get_int64(value);
}

static double number_at(struct json_object *report, const char *pointer)
{
    struct json_object *value = json_at(report, pointer);
    assert_non_null(value);
    return json_object_get_double(value);
}

static void trades_are_counted_by_window_and_streak(void **state)
{
    struct rig *rig = *state;
    add_trade(rig, 1, "BTC-USD", 5, 40 * 60); /* of the period before */
    add_trade(rig, 2, "BTC-USD", 3, 300);
    add_trade(rig, 3, "BTC-USD", 4, 200);
    add_trade(rig, 4, "ETH-USD", -2, 100);
    add_trade(rig, 5, "BTC-USD", -2, 50);
    add_trade(rig, 6, "BTC-USD", -1, 10);
    struct json_object *report = read_report(rig, 24);
    assert_int_equal(count_at(report, "/trades/count"), 5);
    assert_int_equal(count_at(report, "/earlier/trades"), 1);
    assert_int_equal(count_at(report, "/win_loss/win_rate/k"), 2);
    assert_int_equal(count_at(report, "/win_loss/win_rate/n"), 5);
    assert_true(number_at(report, "/win_loss/net") == 2);
    assert_true(number_at(report, "/win_loss/average_win") == 3.5);
    assert_int_equal(count_at(report, "/win_loss/streak/losses_now"), 3);
    assert_int_equal(count_at(report, "/win_loss/streak/longest_wins"), 2);
    assert_int_equal(count_at(report, "/win_loss/streak/wins_now"), 0);
    assert_true(number_at(report, "/trades/average_size") == 100);
    assert_true(number_at(report, "/trades/average_hold_min") == 30);
    assert_int_equal(count_at(report, "/trades/by_symbol/ETH-USD/count"), 1);
    assert_int_equal(count_at(report, "/trades/by_size/below_1000/count"), 5);
    assert_true(number_at(report, "/trades/recent/trade-4/pnl") == -2);
    assert_null(json_at(report, "/trades/recent/trade-1"));
}

static void many_symbols_are_summed_as_the_rest(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < SYMBOLS_LIMIT + 20; i++) {
        char symbol[24];
        (void)snprintf(symbol, sizeof(symbol), "S%03d-USD", i);
        add_trade(rig, i + 1, symbol, 1, 100 + i % 50);
    }
    struct json_object *report = read_report(rig, 24);
    struct json_object *groups = json_at(report, "/trades/by_symbol");
    int64_t sum = 0;
    json_object_object_foreach(groups, name, group)
    {
        (void)name;
        sum += json_i64(group, "count", 0);
    }
    assert_int_equal(json_object_object_length(groups), 21);
    assert_int_equal(sum, SYMBOLS_LIMIT + 20);
    assert_int_equal(count_at(report, "/trades/count"), SYMBOLS_LIMIT + 20);
}

/* An invariant without its figures or with too few samples is unknown, and says why. */
static void add_call(struct rig *rig, int64_t minutes, int64_t latency_s, const char *error,
                     struct dec cost)
{
    struct llm_call_record record = {.at_us = NOW_US - minutes * USEC_PER_MIN,
                                     .model = "m",
                                     .input_tokens = 100,
                                     .output_tokens = 10,
                                     .cache_read_tokens = 40,
                                     .cost_usd = cost,
                                     .latency_us = latency_s * USEC_PER_SEC};
    (void)str_copy(str_c(error), record.error_code, sizeof(record.error_code));
    (void)str_copy(str_c(error[0] == '\0' ? "end_turn" : ""), record.stop_reason,
                   sizeof(record.stop_reason));
    assert_int_equal(llm_call_table_add(rig->ops, &record, NULL), 0);
}

static void requests_to_the_model_are_summed(void **state)
{
    struct rig *rig = *state;
    struct json_object *report = read_report(rig, 24);
    assert_int_equal(count_at(report, "/model/calls"), 0);
    assert_null(json_at(report, "/model/average_s"));
    for (int i = 1; i <= 40; i++) {
        add_call(rig, 10, i, "", (struct dec){DEC_ONE / 100});
    }
    add_call(rig, 20, 500, "CLAUDE_OVERLOADED", DEC_ZERO);
    add_call(rig, 30, 500, "HTTP_TIMEOUT", DEC_INVALID);
    add_call(rig, 26 * 60, 999, "", dec_from_int(9)); /* before the period */
    report = read_report(rig, 24);
    assert_int_equal(count_at(report, "/model/calls"), 42);
    assert_int_equal(count_at(report, "/model/error_rate/k"), 2);
    assert_int_equal(count_at(report, "/model/error_rate/n"), 42);
    assert_true(number_at(report, "/model/average_s") == 20.5);
    assert_true(number_at(report, "/model/max_s") == 40);
    assert_true(number_at(report, "/model/p95_s") == 38);
    assert_true(number_at(report, "/model/cost_usd") == 0.4);
    assert_int_equal(count_at(report, "/model/unpriced"), 1);
    assert_int_equal(count_at(report, "/model/input_tokens"), 4200);
    assert_int_equal(count_at(report, "/model/cache_read_tokens"), 1680);
    assert_int_equal(count_at(report, "/model/errors/HTTP_TIMEOUT/count"), 1);
    assert_int_equal(count_at(report, "/model/stop_reasons/end_turn/count"), 40);
}

static void what_could_not_be_evaluated_says_why(void **state)
{
    struct rig *rig = *state;
    struct json_object *report = read_report(rig, 24);
    struct json_object *outcomes = json_at(report, "/invariants");
    assert_int_equal(json_object_object_length(outcomes), invariant_count());
    struct json_object *silent = json_get(outcomes, "engine_silent");
    assert_string_equal(json_text(silent, "state"), "unknown");
    assert_string_equal(json_text(silent, "why"), "/system/engine/silent_s is not known");
    struct json_object *exits = json_get(outcomes, "one_exit");
    assert_string_equal(json_text(exits, "why"), "/trades/count is below 40");
    assert_string_equal(json_text(json_get(outcomes, "no_stop"), "state"), "kept");
}

/* A part that cannot be read is named, and its invariants are not kept. */
static void a_damaged_table_is_a_gap(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(db_exec(trading_store_db(rig->trading), "DROP TABLE fills", NULL), 0);
    assert_int_equal(db_exec(ops_store_db(rig->ops), "DROP TABLE outbox", NULL), 0);
    struct json_object *report = read_report(rig, 24);
    assert_string_equal(json_text(json_at(report, "/meta/gaps"), "outbox"), "DB_FAILED");
    struct json_object *outcomes = json_at(report, "/invariants");
    assert_string_equal(json_text(json_get(outcomes, "fill_orphan"), "state"), "unknown");
    assert_string_equal(json_text(json_get(outcomes, "fill_orphan"), "why"), "DB_FAILED");
    assert_string_equal(json_text(json_get(outcomes, "gaps"), "state"), "broken");
    assert_int_equal(count_at(report, "/trades/count"), 0);
}

static void without_a_database_it_says_so(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    const struct report_sources sources = {.clock = &rig->clock.clock, .config = rig->config};
    rig->report = report_new(&sources, 24);
    assert_int_equal(report_read(rig->report, NULL, rig->ops, &err), 0);
    struct json_object *report = report_document(rig->report);
    assert_string_equal(json_text(json_at(report, "/meta/gaps"), "trading"), "no database yet");
    assert_string_equal(json_text(json_at(report, "/invariants/no_stop"), "state"), "unknown");
}

/* More than five subjects: five are shown, all are counted. */
static void subjects_are_cut_and_counted(void **state)
{
    struct rig *rig = *state;
    for (int i = 1; i <= 8; i++) {
        add_trade(rig, i, "BTC-USD", 7, 100 + i); /* prices, fees give another profit */
    }
    struct json_object *report = read_report(rig, 24);
    struct json_object *outcome = json_at(report, "/invariants/trade_pnl");
    assert_string_equal(json_text(outcome, "state"), "broken");
    assert_int_equal(json_i64(outcome, "count", 0), 8);
    struct json_object *subjects = json_get(outcome, "subjects");
    assert_int_equal(json_object_object_length(subjects), INVARIANT_SUBJECTS);
    struct json_object *newest = json_get(subjects, "trade-8");
    assert_true(json_double(newest, "expected", 0) == 1);
    assert_string_equal(json_text(newest, "says"),
                        "The profit is 7, but prices, quantity and fees give 1.");
}

/* Figures of a table of the normal distribution and of Wilson's paper. */
static void rates_have_their_interval_and_test(void **state)
{
    double low = 0, high = 0;
    (void)state;
    rate_wilson(81, 263, &low, &high); /* Newcombe 1998, table I: 0.2553 to 0.3662 */
    assert_true(fabs(low - 0.2553) < 5e-5 && fabs(high - 0.3662) < 5e-5);
    rate_wilson(0, 20, &low, &high); /* 0.0000 to 0.1611 */
    assert_true(low == 0 && fabs(high - 0.1611) < 5e-5);
    /* 60 of 100 against 40 of 100: z = (0.2 - 0.01) / sqrt(0.5 * 0.5 * 0.02) = 2.687 */
    assert_true(fabs(rate_p(60, 100, 40, 100) - 0.00721) < 5e-5);
    assert_true(rate_p(50, 100, 50, 100) == 1);
    assert_true(rate_p(29, 29, 0, 100) == 1); /* few samples prove nothing */
    assert_true(rate_p(100, 100, 100, 100) == 1);
}

static void the_report_is_an_hour_long_or_a_month(void **state)
{
    struct rig *rig = *state;
    add_trade(rig, 1, "BTC-USD", 1, 59);
    add_trade(rig, 2, "BTC-USD", 1, 61);
    assert_int_equal(count_at(read_report(rig, 1), "/trades/count"), 1);
    assert_int_equal(count_at(read_report(rig, REPORT_HOURS_MAX), "/trades/count"), 2);
}

/* Of 30,000 trades one is in another order than its time, and one has a text as its profit. */
static const char many_trades[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
    " INSERT INTO trades(id, symbol, side, qty, entry_price, exit_price, pnl, fees, opened_us,"
    " closed_us, decision_id, exit_reason, client_id) SELECT i, 'SYM' || (i % 50) || '-USD',"
    " iif(i % 2, 'short', 'long'), 100000000, 10000000000, 10000000000,"
    " iif(i = 25000, 'much', iif(i * 7919 % 100 < 55, 90000000, -110000000)), 10000000,"
    " 1795000000000000 - (30000 - i) * 10000000 - 60000000,"
    " 1795000000000000 - iif(i = 29000, 100, 30000 - i) * 10000000, i,"
    " CASE i % 3 WHEN 0 THEN 'stop' WHEN 1 THEN 'target' ELSE 'signal' END, 'nd-1-' || i FROM n;"
    "INSERT INTO fills(id, client_id, venue_fill_id, symbol, kind, side, qty, price, fee, at_us)"
    " SELECT id, client_id, id, symbol, 'entry', 'buy', qty, entry_price, 1000 + id % 7, opened_us"
    " FROM trades;";

/* By a thread with a connection of its own, or, in a transaction of the caller, by this one. */
static void many_trades_are_read_by_a_thread_of_their_own(void **state)
{
    struct rig *rig = *state;
    char folder[] = "/tmp/nightdesk-report-XXXXXX";
    static const char *const parts[] = {"trades", "win_loss", "outliers", "earlier", "invariants"};
    AUTO_BUF struct buf beside = BUF_INIT(1 << 20);
    AUTO_BUF struct buf inside = BUF_INIT(1 << 20);
    AUTO_BUF struct buf path = BUF_INIT(128);
    struct engine_state *row = calloc(1, sizeof(*row));
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    trading_store_free(rig->trading);
    rig->trading = NULL;
    assert_int_equal(trading_store_open(folder, TRADING_STORE_WRITE, &rig->trading, &err), 0);
    row->market_us = NOW_US;
    row->day = NOW_US / USEC_PER_DAY;
    row->trades = row->fills = 30000;
    row->fees = (struct dec){.e8 = 30090000};
    assert_int_equal(state_table_save(rig->trading, row, &err), 0);
    free(row);
    assert_int_equal(db_exec(trading_store_db(rig->trading), many_trades, &err), 0);
    struct json_object *report = read_report(rig, 24);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        json_add_text(&beside, json_get(report, parts[i]));
    }
    assert_int_equal(trading_store_begin(rig->trading, &err), 0);
    report = read_report(rig, 24);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        json_add_text(&inside, json_get(report, parts[i]));
    }
    assert_string_equal(beside.data, inside.data);
    assert_int_equal(count_at(report, "/trades/count"), 8641);
    assert_int_equal(count_at(report, "/earlier/trades"), 8640);
    struct json_object *invariants = json_at(report, "/invariants");
    assert_string_equal(json_text(json_get(invariants, "trade_count"), "state"), "kept");
    assert_string_equal(json_text(json_get(invariants, "fill_count"), "state"), "kept");
    assert_string_equal(json_text(json_get(invariants, "fees"), "state"), "kept");
    assert_string_equal(json_text(json_get(invariants, "realised"), "state"), "broken");
    trading_store_free(rig->trading);
    rig->trading = NULL;
    static const char *const files[] = {"trading.db", "trading.db-wal", "trading.db-shm"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        buf_clear(&path);
        buf_addf(&path, "%s/%s", folder, files[i]);
        (void)unlink(path.data);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* The cost of an entry of which fees have left nothing is in no trade. */
static void an_entry_may_be_only_a_cost(void **state)
{
    struct rig *rig = *state;
    struct engine_state *row = calloc(1, sizeof(*row));
    struct err err = {0};
    row->market_us = NOW_US;
    row->day = NOW_US / USEC_PER_DAY;
    row->fills = 1;
    row->fees = dec_from_int(2);
    row->realised = row->cash = dec_from_int(-2);
    assert_int_equal(state_table_save(rig->trading, row, &err), 0);
    free(row);
    assert_int_equal(
        db_exec(trading_store_db(rig->trading),
                "INSERT INTO orders(client_id, symbol, kind, side, state, qty, filled_qty,"
                " average_price, decision_id, created_us, updated_us, reason) VALUES('nd-1-1',"
                " 'BTC-USD', 'entry', 'long', 'cancelled', 1000, 0, 6000000000000, 1, 1, 1, '');"
                "INSERT INTO fills(client_id, venue_fill_id, symbol, kind, side, qty, price, fee,"
                " at_us) VALUES('nd-1-1', '7', 'BTC-USD', 'entry', 'long', 0, 6000000000000,"
                " 200000000, 1);",
                &err),
        0);
    struct json_object *invariants = json_get(read_report(rig, 24), "invariants");
    assert_string_equal(json_text(json_get(invariants, "realised"), "state"), "kept");
    assert_string_equal(json_text(json_get(invariants, "fees"), "state"), "kept");
    assert_string_equal(json_text(json_get(invariants, "fill_count"), "state"), "kept");
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

UNIT_GROUP(report, RIGGED(requests_to_the_model_are_summed), RIGGED(an_entry_may_be_only_a_cost),
           RIGGED(trades_are_counted_by_window_and_streak),
           RIGGED(many_symbols_are_summed_as_the_rest),
           RIGGED(what_could_not_be_evaluated_says_why), RIGGED(a_damaged_table_is_a_gap),
           RIGGED(without_a_database_it_says_so), RIGGED(subjects_are_cut_and_counted),
           RIGGED(the_report_is_an_hour_long_or_a_month),
           RIGGED(many_trades_are_read_by_a_thread_of_their_own),
           cmocka_unit_test(rates_have_their_interval_and_test))
