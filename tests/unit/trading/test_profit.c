/* Balance, profit, periods and performance: figures worked out by hand. */
#include "base/check.h"
#include "io/db.h"
#include "io/pool.h"
#include "steer_rig.h"
#include "store/decision_table.h"
#include "store/funding_table.h"

#include <string.h>
#include <unistd.h>

struct row {
    int64_t id;
    const char *symbol;
    const char *pnl;
    const char *fees;
    const char *opened;
    const char *closed;
    const char *exit;
};

static int64_t at(const char *iso)
{
    int64_t us = 0;
    assert_true(clock_parse_iso(str_c(iso), &us));
    return us;
}

static void add_row(struct steer_rig *s, const struct row *row)
{
    steer_rig_add_other_trade(s, &(struct steer_rig_trade){.id = row->id,
                                                           .symbol = row->symbol,
                                                           .pnl = row->pnl,
                                                           .fees = row->fees,
                                                           .opened_us = at(row->opened),
                                                           .closed_us = at(row->closed),
                                                           .exit = row->exit});
}

static void add_rows(struct steer_rig *s, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_row(s, &rows[i]);
    }
}

static void add_funding(struct steer_rig *s, int64_t id, const char *payment, const char *paid)
{
    struct funding f = {.id = id, .payment = steer_rig_dec(payment), .at_us = at(paid)};
    assert_true(symbol_parse(STR_LIT("BTC-USD"), &f.symbol));
    assert_int_equal(funding_table_add(s->engine_store, &f, NULL), 0);
}

static void market_time(struct steer_rig *s, const char *now)
{
    steer_rig_draft(s)->market_us = at(now);
    steer_rig_publish(s);
}

static void zone_is(struct steer_rig *s, const char *name)
{
    static char kept[64];
    (void)snprintf(kept, sizeof(kept), "%s", name);
    s->rig.config.alerts_timezone = kept;
    desk_apply(s->desk, &s->rig.config);
}

/* Capital 10,000, realised −1.20 after fees 0.87 and received funding 0.02: −0.35 before both.
 * One position, 0.0031 at 64,120.5 and now at 64,891.5: unrealised 0.0031 * 771 = 2.3901. Cash
 * 10,000 − 1.20 − 198.77355; equity is cash + 201.16365 = 10,001.1901. */
static void ledger_draft(struct steer_rig *s)
{
    struct snapshot *n = steer_rig_draft(s);
    steer_rig_add_position(n);
    n->positions[0].unrealised = steer_rig_dec("2.3901");
    n->positions[0].fees = steer_rig_dec("0.08");
    n->cash = steer_rig_dec("9800.02645");
    n->equity = steer_rig_dec("10001.1901");
    n->realised = steer_rig_dec("-1.2");
    n->fees = steer_rig_dec("0.87");
    n->funding = steer_rig_dec("-0.02");
    n->risk.initial_margin_pct = 2.01;
    steer_rig_publish(s);
}

static void the_balance_tells_fees_funding_and_unrealised_apart(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_send(s, &s->rig.rita, "/balance");
    assert_has(s->full, "ENGINE_SILENT");
    ledger_draft(s);
    steer_rig_send(s, &s->rig.rita, "/balance");
    assert_has(s->full, "Balance · paper");
    assert_has(s->full, "Equity\t$10,001.19\nCash\t$9,800.03\nIn positions\t$201.16");
    assert_has(s->full, "Margin used\t2.0 % of equity");
    assert_has(s->full, "Profit\t+$1.19 (+0.01 % of $10,000.00)");
    assert_has(s->full, "Unrealised\t+$2.39 in 1 position\nRealised\t−$1.20");
    assert_has(s->full, "Before fees\t−$0.35\nFees\t−$0.87\nFunding\t+$0.02");
    assert_has(s->full, "Fees of open\t−$0.08, in fees already");
    assert_has(s->full, "BTC-USD\t$201.16\t+$2.39");
    assert_has(s->full, "\"total\":1.1901,");
    assert_has(s->full, "\"before_fees\":-0.35,");
    assert_has(s->full, "\"protect\":true");

    s->snapshot->books_balance = false;
    s->snapshot->version = ++s->version;
    s->snapshot->initial_cash = steer_rig_dec("-5"); /* more was withdrawn than there was */
    s->snapshot->positions[0].side = SIDE_SHORT;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/balance");
    assert_has(s->full, "The books do not balance");
    assert_has(s->full, "Profit\t+$1.19\n");
    assert_has(s->full, "BTC-USD\t−$201.16\t");
}

/* Trades: +3.00, −1.50 and +0.50 after fees 0.30, 0.30 and 0.10; paid funding 0.25.
 * After fees 2.00, before fees 2.70, net 1.75; 2 of 3 won; profit factor 3.50 / 1.50 = 2.33;
 * held 60, 30 and 30 minutes, 40 on average; 2.00 / 3 = 0.67 a trade. */
static const struct row three[] = {
    {1, "BTC-USD", "3", "0.3", "2026-11-10T10:00:00Z", "2026-11-10T11:00:00Z", "target"},
    {2, "ETH-USD", "-1.5", "0.3", "2026-11-18T23:00:00Z", "2026-11-18T23:30:00Z", "stop"},
    {3, "BTC-USD", "0.5", "0.1", "2026-11-19T01:00:00Z", "2026-11-19T01:30:00Z", "signal"},
};

static void profit_of_all_time_and_of_days(void **state)
{
    struct steer_rig *s = *state;
    add_rows(s, three, COUNT_OF(three));
    add_funding(s, 1, "0.2", "2026-11-10T12:00:00Z");
    add_funding(s, 2, "0.05", "2026-11-19T00:00:00Z");
    ledger_draft(s);
    s->snapshot->version = ++s->version;
    s->snapshot->market_us = at("2026-11-19T12:00:00Z");
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/profit");
    assert_has(s->full, "Profit, all time");
    assert_has(s->full, "Profit\t+$1.19 (+0.01 % of $10,000.00)"); /* the ledger's */
    assert_has(s->full, "Trades\t3: 2 won (67 %), 1 lost\nProfit factor\t2.33");
    assert_has(s->full, "Average trade\t+$0.67, held 40 min\nBest\t+$3.00\nWorst\t−$1.50");
    assert_has(s->full, "First closed\t2026-11-10 11:00");
    assert_has(s->full, "Last closed\t2026-11-19 01:30");
    assert_has(s->full, "\"before_fees\":2.7,\"fees\":0.7,\"funding\":0.25,\"net\":1.75,");

    /* In UTC today has the third trade, and funding at its first moment. */
    steer_rig_send(s, &s->rig.rita, "/profit 1");
    assert_has(s->full, "Profit, today");
    assert_has(s->full, "Realised\t+$0.45\nBefore fees\t+$0.60\nFees\t−$0.10\nFunding\t−$0.05");
    assert_has(s->full, "Trades\t1: 1 won (100 %), 0 lost\nAverage trade");
    assert_lacks(s->full, "Profit factor");
    assert_has(s->full, "\"profit_factor\":null");
    assert_has(s->full, "Time zone: UTC");

    /* In Berlin the second trade closed at 00:30 of today. */
    zone_is(s, "Europe/Berlin");
    steer_rig_send(s, &s->rig.rita, "/profit 1");
    assert_has(s->full, "Realised\t−$1.05\nBefore fees\t−$0.60\nFees\t−$0.40\nFunding\t−$0.05");
    assert_has(s->full, "Time zone: Europe/Berlin (UTC+1)");
    assert_has(s->full, "\"timezone\":\"Europe/Berlin\",\"utc_offset_s\":3600");
}

/* 2026-10-25 had 25 hours in Berlin: from 22:00 UTC of the day before to 23:00 UTC. */
static void a_day_has_the_hours_of_its_time_zone(void **state)
{
    struct steer_rig *s = *state;
    static const struct row rows[] = {
        {1, "BTC-USD", "1", "0", "2026-10-24T20:00:00Z", "2026-10-24T21:59:59Z", "stop"},
        {2, "BTC-USD", "2", "0", "2026-10-24T20:00:00Z", "2026-10-24T22:00:00Z", "stop"},
        {3, "BTC-USD", "4", "0", "2026-10-24T20:00:00Z", "2026-10-25T22:59:59Z", "stop"},
        {4, "BTC-USD", "8", "0", "2026-10-24T20:00:00Z", "2026-10-25T23:00:00Z", "stop"}};
    add_rows(s, rows, COUNT_OF(rows));
    zone_is(s, "Europe/Berlin");
    market_time(s, "2026-10-26T12:00:00Z");
    steer_rig_send(s, &s->rig.rita, "/daily 4");
    assert_has(s->full, "2026-10-26\t1\t+$8.00\n"
                        "2026-10-25\t2\t+$6.00\n2026-10-24\t1\t+$1.00\n2026-10-23\t0\t$0.00");
    assert_has(s->full, "\"from\":\"2026-10-24T22:00:00.000000Z\","
                        "\"to\":\"2026-10-25T23:00:00.000000Z\"");
    assert_has(s->full, "Sum\t+$15.00");
}

static void weeks_begin_on_monday_and_months_on_the_first(void **state)
{
    struct steer_rig *s = *state;
    static const struct row rows[] = {
        {1, "BTC-USD", "1", "0.5", "2026-02-28T20:00:00Z", "2026-02-28T23:59:59Z", "stop"},
        {2, "BTC-USD", "2", "0.5", "2026-02-28T20:00:00Z", "2026-03-01T00:00:00Z", "stop"},
        {3, "BTC-USD", "-4", "0.5", "2026-02-28T20:00:00Z", "2026-03-02T00:00:00Z", "stop"}};
    add_rows(s, rows, COUNT_OF(rows));
    add_funding(s, 1, "0.25", "2026-03-01T00:00:00Z");
    market_time(s, "2026-03-31T23:59:00Z");
    steer_rig_send(s, &s->rig.rita, "/monthly 3");
    assert_has(s->full, "2026-03\t2\t−$2.25\n2026-02\t1\t+$1.00\n"
                        "2026-01\t0\t$0.00");
    assert_has(s->full, "Sum\t−$1.25\nBefore fees\t+$0.50\nFees\t−$1.50\nFunding\t−$0.25");
    market_time(s, "2026-03-08T23:59:00Z"); /* a Sunday */
    steer_rig_send(s, &s->rig.rita, "/weekly 2");
    assert_has(s->full, "2026-03-02\t1\t−$4.00\n"
                        "2026-02-23\t2\t+$2.75");
    market_time(s, "2024-02-29T12:00:00Z");
    steer_rig_send(s, &s->rig.rita, "/monthly 1");
    assert_has(s->full, "2024-02\t0\t$0.00");
    assert_has(s->full, "Trades\tnone closed");
    assert_has(s->full, "\"to\":\"2024-03-01T00:00:00.000000Z\"");
    steer_rig_send(s, &s->rig.rita, "/daily 91");
    assert_has(s->full, "COMMAND_");
}

static void add_votes(struct steer_rig *s, int64_t id, enum regime regime, const char *agree)
{
    struct decision d = {.id = id,
                         .at_us = 1,
                         .price = steer_rig_dec("100"),
                         .regime = regime,
                         .direction = DIRECTION_LONG,
                         .outcome = OUTCOME_ORDER,
                         .vote_count = 2};
    assert_true(symbol_parse(STR_LIT("BTC-USD"), &d.symbol));
    static const char *const agents[] = {"bull", "bear"};
    for (int i = 0; i < 2; i++) {
        (void)snprintf(d.votes[i].agent, sizeof(d.votes[i].agent), "%s", agents[i]);
        d.votes[i].direction = strstr(agree, agents[i]) != NULL ? DIRECTION_LONG : DIRECTION_SHORT;
    }
    (void)snprintf(d.client_id, sizeof(d.client_id), "nd-1-%lld", (long long)id);
    assert_int_equal(decision_table_add(s->engine_store, &d, NULL), 0);
}

static void performance_by_each_group(void **state)
{
    struct steer_rig *s = *state;
    add_rows(s, three, COUNT_OF(three));
    add_votes(s, 1, REGIME_TRENDING, "bull bear");
    add_votes(s, 2, REGIME_CHOPPY, "bull"); /* the third has no decision */
    market_time(s, "2026-11-19T12:00:00Z");
    steer_rig_send(s, &s->rig.rita, "/performance");
    assert_has(s->full, "BTC-USD\t2\t100 %\t+$3.50\nETH-USD\t1\t0 %\t−$1.50");
    assert_has(s->full, "All 3 trades: 2 won, +$2.00");
    steer_rig_send(s, &s->rig.rita, "/performance agent");
    assert_has(s->full, "bear\t1\t100 %\t+$3.00\nbull\t2\t50 %\t+$1.50");
    steer_rig_send(s, &s->rig.rita, "/performance regime");
    assert_has(s->full, "trending\t1\t100 %\t+$3.00\nunknown\t1\t100 %\t+$0.50\n"
                        "choppy\t1\t0 %\t−$1.50");
    steer_rig_send(s, &s->rig.rita, "/performance exit 1");
    assert_has(s->full, "signal\t1\t100 %\t+$0.50");
    assert_has(s->full, "All 1 trade: 1 won, +$0.50");
    assert_lacks(s->full, "target");
    /* Entries at 10:00, 23:00 and 01:00 UTC; Kolkata is 5 h 30 min ahead. */
    steer_rig_send(s, &s->rig.rita, "/performance hour");
    assert_has(s->full, "01:00\t1\t100 %\t+$0.50\n10:00\t1\t100 %\t+$3.00\n23:00\t1\t0 %\t−$1.50");
    zone_is(s, "Asia/Kolkata");
    steer_rig_send(s, &s->rig.rita, "/performance hour");
    assert_has(s->full, "04:00\t1\t0 %\t−$1.50\n06:00\t1\t100 %\t+$0.50\n15:00\t1\t100 %\t+$3.00");
    assert_has(s->full, "Time zone: Asia/Kolkata (UTC+5:30)");
}

static void votes_that_cannot_be_read_count_as_none(void **state)
{
    struct steer_rig *s = *state;
    add_rows(s, three, COUNT_OF(three));
    add_votes(s, 1, REGIME_TRENDING, "bear");
    add_votes(s, 2, REGIME_CHOPPY, "bull");
    AUTO_BUF struct buf path = BUF_INIT(256);
    struct db *db = NULL;
    buf_addf(&path, "%s/trading.db", s->rig.folder);
    assert_int_equal(db_open(&(struct db_options){.path = path.data}, &db, NULL), 0);
    assert_int_equal(
        db_run(db, "UPDATE decisions SET votes = '[{' WHERE id = 2", DB_NO_VALUES, NULL), 0);
    db_free(db);
    market_time(s, "2026-11-19T12:00:00Z");
    steer_rig_send(s, &s->rig.rita, "/performance agent");
    assert_has(s->full, "bear\t1\t100 %\t+$3.00");
    assert_lacks(s->full, "bull\t");
}

static void without_trades_the_answer_is_whole(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/profit");
    assert_has(s->full, "Trades\tnone closed");
    assert_lacks(s->full, "First closed");
    assert_has(s->full, "\"first_closed_at\":null");
    steer_rig_send(s, &s->rig.rita, "/daily");
    assert_has(s->full, "Result of 7 days");
    assert_has(s->full, "Sum\t$0.00");
    static const char *const by[] = {"symbol", "agent", "regime", "hour", "exit"};
    for (size_t i = 0; i < COUNT_OF(by); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "/performance %s", by[i]);
        steer_rig_send(s, &s->rig.rita, line);
        assert_has(s->full, "No trades yet");
        assert_has(s->full, "\"performance\":[]");
    }
}

static void wait_full(struct steer_rig *s, const char *part)
{
    for (int i = 0; i < 2000 && strstr(s->full, part) == NULL; i++) {
        (void)usleep(5000);
        loop_advance(s->rig.loop, 0);
    }
    assert_has(s->full, part);
}

/* On a helper thread; pages meet without a gap. */
static void ten_thousand_trades_are_read_beside_the_loop(void **state)
{
    struct steer_rig *s = *state;
    const struct pool_options options = {.name = "helper", .threads_max = 1, .queue_max = 4};
    s->helpers = pool_new(s->rig.loop, &options, NULL);
    assert_non_null(s->helpers);
    steer_rig_crash(s);
    assert_int_equal(trading_store_begin(s->engine_store, NULL), 0);
    for (int64_t id = 1; id <= 10000; id++) {
        char symbol[16];
        (void)snprintf(symbol, sizeof(symbol), "S%02d-USD", (int)(id % 40));
        const struct row row = {id,
                                symbol,
                                id % 2 == 0 ? "2" : "-1",
                                "0.1",
                                "2026-11-18T10:00:00Z",
                                "2026-11-18T11:00:00Z",
                                "stop"};
        add_row(s, &row);
    }
    assert_int_equal(trading_store_commit(s->engine_store, NULL), 0);
    market_time(s, "2026-11-19T12:00:00Z");
    steer_rig_send(s, &s->rig.rita, "/performance");
    wait_full(s, "All 10000 trades: 5000 won, +$5,000.00");
    assert_has(s->full, "S38-USD\t250\t100 %\t+$500.00");
    assert_has(s->full, "\"next\":\"/performance symbol page=2\"");
    steer_rig_send(s, &s->rig.rita, "/performance symbol page=2");
    wait_full(s, "\"previous\":\"/performance symbol\"");
    assert_has(s->full, "S39-USD\t250\t0 %\t−$250.00");
    assert_lacks(s->full, "page=3");
    steer_rig_send(s, &s->rig.rita, "/daily 2");
    wait_full(s, "2026-11-18\t10000\t+$5,000.00");
}

UNIT_GROUP(profit, STEER_RIG_TEST(the_balance_tells_fees_funding_and_unrealised_apart),
           STEER_RIG_TEST(profit_of_all_time_and_of_days),
           STEER_RIG_TEST(a_day_has_the_hours_of_its_time_zone),
           STEER_RIG_TEST(weeks_begin_on_monday_and_months_on_the_first),
           STEER_RIG_TEST(performance_by_each_group),
           STEER_RIG_TEST(votes_that_cannot_be_read_count_as_none),
           STEER_RIG_TEST(without_trades_the_answer_is_whole),
           STEER_RIG_TEST(ten_thousand_trades_are_read_beside_the_loop))
