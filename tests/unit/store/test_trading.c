#include "base/check.h"
#include "base/rng.h"
#include "folder.h"
#include "io/db.h"
#include "same.h"
#include "store/candle_table.h"
#include "store/decision_table.h"
#include "store/equity_table.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/paper.h"
#include "store/position_table.h"
#include "store/request_table.h"
#include "store/state_table.h"
#include "store/trade_table.h"
#include "store/transfer_table.h"
#include "unit/unit.h"

#include <math.h>
#include <string.h>

static const struct same_field order_fields[] = {
    SAME(struct order, client_id),
    SAME(struct order, symbol),
    SAME(struct order, kind),
    SAME(struct order, side),
    SAME(struct order, state),
    SAME(struct order, qty),
    SAME(struct order, reference_price),
    SAME(struct order, stop),
    SAME(struct order, target),
    SAME(struct order, filled_qty),
    SAME(struct order, average_price),
    SAME(struct order, type),
    SAME(struct order, time_in_force),
    SAME(struct order, post_only),
    SAME(struct order, reduce_only),
    SAME(struct order, price),
    SAME(struct order, stop_away),
    SAME(struct order, target_away),
    SAME(struct order, decision_id),
    SAME(struct order, created_us),
    SAME(struct order, updated_us),
    SAME(struct order, reason),
};
static const struct same_field fill_fields[] = {
    SAME(struct fill, client_id),    SAME(struct fill, venue_fill_id), SAME(struct fill, symbol),
    SAME(struct fill, kind),         SAME(struct fill, side),          SAME(struct fill, qty),
    SAME(struct fill, price),        SAME(struct fill, fee),           SAME(struct fill, at_us),
    SAME(struct fill, fee_currency), SAME(struct fill, fee_charged),
};
static const struct same_field position_fields[] = {
    SAME(struct position, symbol),      SAME(struct position, side),
    SAME(struct position, qty),         SAME(struct position, entry_price),
    SAME(struct position, stop),        SAME(struct position, target),
    SAME(struct position, mark_price),  SAME(struct position, unrealised),
    SAME(struct position, fees),        SAME(struct position, opened_us),
    SAME(struct position, decision_id), SAME(struct position, client_id),
};
static const struct same_field trade_fields[] = {
    SAME(struct trade, id),        SAME(struct trade, symbol),      SAME(struct trade, side),
    SAME(struct trade, qty),       SAME(struct trade, entry_price), SAME(struct trade, exit_price),
    SAME(struct trade, pnl),       SAME(struct trade, fees),        SAME(struct trade, opened_us),
    SAME(struct trade, closed_us), SAME(struct trade, decision_id), SAME(struct trade, exit_reason),
    SAME(struct trade, client_id),
};
static const struct same_field engine_state_fields[] = {
    SAME(struct engine_state, state),
    SAME(struct engine_state, state_reason),
    SAME(struct engine_state, state_since_wall_us),
    SAME(struct engine_state, market_us),
    SAME(struct engine_state, initial_cash),
    SAME(struct engine_state, cash),
    SAME(struct engine_state, realised),
    SAME(struct engine_state, fees),
    SAME(struct engine_state, equity_peak),
    SAME(struct engine_state, day_start_equity),
    SAME(struct engine_state, day),
    SAME(struct engine_state, consecutive_losses),
    SAME(struct engine_state, run),
    SAME(struct engine_state, next_order),
    SAME(struct engine_state, next_decision_id),
    SAME(struct engine_state, next_trade_id),
    SAME(struct engine_state, candles),
    SAME(struct engine_state, decisions),
    SAME(struct engine_state, orders),
    SAME(struct engine_state, fills),
    SAME(struct engine_state, trades),
    SAME(struct engine_state, wins),
    SAME(struct engine_state, vetoes),
    SAME(struct engine_state, refused_candles),
    SAME(struct engine_state, cooldown_count),
    SAME(struct engine_state, cooldowns),
};
static const struct same_field vote_fields[] = {
    SAME(struct vote, agent),  SAME(struct vote, direction),    SAME(struct vote, confidence),
    SAME(struct vote, weight), SAME(struct vote, reason_count), SAME(struct vote, reasons),
};
static const struct same_field decision_fields[] = {
    SAME(struct decision, id),           SAME(struct decision, symbol),
    SAME(struct decision, at_us),        SAME(struct decision, price),
    SAME(struct decision, regime),       SAME(struct decision, vote_count),
    SAME(struct decision, score),        SAME(struct decision, threshold),
    SAME(struct decision, direction),    SAME(struct decision, outcome),
    SAME(struct decision, veto_code),    SAME(struct decision, veto_text),
    SAME(struct decision, veto_max_qty), SAME(struct decision, client_id),
    SAME(struct decision, qty),          SAME(struct decision, stop),
    SAME(struct decision, target),       SAME(struct decision, rule_count),
    SAME(struct decision, rule_ids),
};

#define ASSERT_SAME(a, b, fields) assert_same((a), (b), (fields), COUNT_OF(fields))

static void assert_same_decision(const struct decision *a, const struct decision *b)
{
    ASSERT_SAME(a, b, decision_fields);
    for (int v = 0; v < a->vote_count; v++) {
        ASSERT_SAME(&a->votes[v], &b->votes[v], vote_fields);
    }
}

static struct symbol symbol_of(const char *text)
{
    struct symbol s = {{0}};
    assert_true(symbol_parse(str_c(text), &s));
    return s;
}

static struct trading_store *open_store(const char *folder)
{
    struct err err = {0};
    struct trading_store *store = NULL;
    if (trading_store_open(folder, TRADING_STORE_WRITE, &store, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return store;
}

/* Changes a database without the store. */
static void tamper(const char *folder, const char *sql)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/trading.db", folder);
    struct db *db = NULL;
    assert_int_equal(db_open(&(struct db_options){.path = path.data}, &db, NULL), 0);
    assert_int_equal(db_exec(db, sql, NULL), 0);
    db_free(db);
}

static struct order an_order(const char *client_id)
{
    struct order o = {.symbol = symbol_of("BTC-USD"),
                      .kind = ORDER_ENTRY,
                      .side = SIDE_SHORT,
                      .state = ORDER_PREPARED,
                      .qty = {12345},
                      .reference_price = {6412050000001},
                      .stop = {3},
                      .target = {4},
                      .filled_qty = DEC_ZERO,
                      .average_price = DEC_ZERO,
                      .type = ORDER_TYPE_LIMIT,
                      .time_in_force = TIF_DAY,
                      .post_only = true,
                      .reduce_only = true,
                      .price = dec_from_int(61000),
                      .stop_away = dec_from_int(1200),
                      .target_away = dec_from_int(2400),
                      .decision_id = 77,
                      .created_us = 1000001,
                      .updated_us = 1000002,
                      .reason = "signal"};
    (void)str_copy(str_c(client_id), o.client_id, sizeof(o.client_id));
    return o;
}

static void orders_round_trip_and_update(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct order a = an_order("nd-1-1");
    struct order b = an_order("nd-1-2");
    assert_int_equal(order_table_write(store, &a, NULL), 0);
    assert_int_equal(order_table_write(store, &b, NULL), 0);
    struct order back = {0};
    assert_int_equal(order_table_get(store, "nd-1-1", &back, NULL), 0);
    ASSERT_SAME(&back, &a, order_fields);

    a.state = ORDER_FILLED;
    a.filled_qty = a.qty;
    a.updated_us = 5;
    assert_int_equal(order_table_write(store, &a, NULL), 0);
    assert_int_equal(order_table_get(store, "nd-1-1", &back, NULL), 0);
    ASSERT_SAME(&back, &a, order_fields);

    struct order list[4];
    assert_int_equal(order_table_open(store, list, 4, NULL), 1);
    assert_string_equal(list[0].client_id, "nd-1-2");
    assert_int_equal(order_table_list(store, &(struct order_query){0}, list, 4, NULL), 2);
    assert_string_equal(list[0].client_id, "nd-1-2"); /* newest first */
    const struct order_query older = {.before = "nd-1-2"}, filled = {.state = "filled"};
    assert_int_equal(order_table_list(store, &older, list, 4, NULL), 1);
    assert_string_equal(list[0].client_id, "nd-1-1");
    assert_int_equal(order_table_list(store, &filled, list, 4, NULL), 1);
    assert_string_equal(list[0].client_id, "nd-1-1");
    b.state = ORDER_UNKNOWN;
    assert_int_equal(order_table_write(store, &b, NULL), 0);
    int64_t all = 0;
    int64_t open = 0;
    int64_t unknown = 0;
    assert_int_equal(order_table_count(store, &all, &open, &unknown, NULL), 0);
    assert_int_equal(all, 2);
    assert_int_equal(open, 1);
    assert_int_equal(unknown, 1);
    struct err err = {0};
    assert_int_equal(order_table_get(store, "nd-9-9", &back, &err), -ERR_STORE_NOT_FOUND);
    assert_string_equal(err.context, "order nd-9-9");
}

static void a_fill_is_stored_once(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct fill fill = {.client_id = "nd-1-1",
                        .venue_fill_id = "T5-a",
                        .symbol = symbol_of("ETH-USD"),
                        .kind = ORDER_STOP,
                        .side = SIDE_LONG,
                        .qty = {100},
                        .price = {200},
                        .fee = {3},
                        .fee_currency = "BNB",
                        .fee_charged = {1},
                        .at_us = 9};
    bool fresh = false;
    assert_int_equal(fill_table_add(store, &fill, &fresh, NULL), 0);
    assert_true(fresh);
    assert_int_equal(fill_table_add(store, &fill, &fresh, NULL), 0);
    assert_false(fresh);
    struct fill other = fill;
    (void)str_copy(STR_LIT("T4-b"), other.venue_fill_id, sizeof(other.venue_fill_id));
    assert_int_equal(fill_table_add(store, &other, &fresh, NULL), 0);
    assert_true(fresh);
    struct fill list[4];
    assert_int_equal(fill_table_of_order(store, "nd-1-1", list, 4, NULL), 2);
    ASSERT_SAME(&list[0], &fill, fill_fields);
    assert_string_equal(list[1].venue_fill_id, "T4-b");
    char ids[4][FILL_ID_SIZE];
    assert_int_equal(fill_table_newest_ids(store, "nd-1-1", ids, 4, NULL), 2);
    assert_string_equal(ids[0], "T5-a");
    assert_int_equal(fill_table_newest_ids(store, "nd-1-1", ids, 1, NULL), 1);
    assert_string_equal(ids[0], "T4-b");
    int64_t count = 0;
    struct dec fees = DEC_ZERO;
    assert_int_equal(fill_table_sum(store, &count, &fees, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(fees.e8, 6);
}

static void positions_are_those_of_the_last_replace(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct position two[2] = {{.symbol = symbol_of("BTC-USD"),
                               .side = SIDE_SHORT,
                               .qty = {1},
                               .entry_price = {2},
                               .stop = {3},
                               .target = {4},
                               .mark_price = {5},
                               .unrealised = {-6},
                               .fees = {7},
                               .opened_us = 8,
                               .decision_id = 9,
                               .client_id = "nd-1-1"},
                              {.symbol = symbol_of("ETH-USD"), .side = SIDE_LONG, .qty = {1}}};
    struct position back[SYMBOLS_LIMIT];
    assert_int_equal(position_table_replace(store, two, 2, NULL), 0);
    assert_int_equal(position_table_list(store, back, SYMBOLS_LIMIT, NULL), 2);
    ASSERT_SAME(&back[0], &two[0], position_fields);
    ASSERT_SAME(&back[1], &two[1], position_fields);
    assert_int_equal(position_table_replace(store, &two[1], 1, NULL), 0);
    assert_int_equal(position_table_list(store, back, SYMBOLS_LIMIT, NULL), 1);
    assert_string_equal(back[0].symbol.name, "ETH-USD");
    assert_int_equal(position_table_replace(store, NULL, 0, NULL), 0);
    assert_int_equal(position_table_list(store, back, SYMBOLS_LIMIT, NULL), 0);
}

static void add_trade(struct trading_store *store, int64_t id, const char *symbol, int64_t pnl,
                      const char *exit_reason, int64_t closed_us)
{
    struct trade t = {.id = id,
                      .symbol = symbol_of(symbol),
                      .side = SIDE_LONG,
                      .qty = {1},
                      .entry_price = {2},
                      .exit_price = {3},
                      .pnl = {pnl},
                      .fees = {10},
                      .opened_us = closed_us - 100,
                      .closed_us = closed_us,
                      .decision_id = 4,
                      .client_id = "nd-1-1"};
    (void)str_copy(str_c(exit_reason), t.exit_reason, sizeof(t.exit_reason));
    assert_int_equal(trade_table_add(store, &t, NULL), 0);
    struct trade back;
    assert_int_equal(trade_table_get(store, id, &back, NULL), 0);
    ASSERT_SAME(&back, &t, trade_fields);
}

static void trades_are_listed_and_summed(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct trade_stats stats;
    assert_int_equal(trade_table_stats(store, 0, &stats, NULL), 0);
    assert_int_equal(stats.count, 0);
    assert_int_equal(stats.reason_count, 0);
    add_trade(store, 1, "BTC-USD", 500, "target", 1000);
    add_trade(store, 2, "ETH-USD", -200, "stop", 2000);
    add_trade(store, 3, "BTC-USD", -50, "stop", 3000);
    add_trade(store, 4, "BTC-USD", 0, "operator", 4000);

    assert_int_equal(trade_table_stats(store, 0, &stats, NULL), 0);
    assert_int_equal(stats.count, 4);
    assert_int_equal(stats.wins, 1);
    assert_int_equal(stats.losses, 2);
    assert_int_equal(stats.gross_profit.e8, 500);
    assert_int_equal(stats.gross_loss.e8, -250);
    assert_int_equal(stats.fees.e8, 40);
    assert_int_equal(stats.average_hold_us, 100);
    assert_int_equal(stats.longest_hold_us, 100);
    assert_int_equal(stats.reason_count, 3);
    assert_string_equal(stats.reasons[0].name, "stop");
    assert_int_equal(stats.reasons[0].count, 2);
    assert_int_equal(stats.reasons[0].pnl.e8, -250);
    assert_int_equal(stats.symbol_count, 2);
    assert_string_equal(stats.symbols[0].name, "BTC-USD");
    assert_int_equal(stats.symbols[0].wins, 1);
    assert_int_equal(trade_table_stats(store, 3000, &stats, NULL), 0);
    assert_int_equal(stats.count, 2); /* since_us itself is included */

    struct trade list[8];
    assert_int_equal(trade_table_list(store, &(struct trade_query){0}, list, 8, NULL), 4);
    assert_int_equal(list[0].id, 4);
    assert_int_equal(trade_table_list(store, &(struct trade_query){.offset = 1}, list, 2, NULL), 2);
    assert_int_equal(list[0].id, 3);
    struct trade_query eth = {.symbol = symbol_of("ETH-USD"), .since_us = 1};
    assert_int_equal(trade_table_list(store, &eth, list, 8, NULL), 1);
    assert_int_equal(list[0].id, 2);
    struct trade again = list[0];
    assert_int_equal(trade_table_add(store, &again, NULL), -ERR_DB_CONSTRAINT);
}

static struct decision a_decision(int64_t id, enum outcome outcome)
{
    struct decision d = {
        .id = id,
        .symbol = symbol_of("SOL-USD"),
        .at_us = 1000 * id,
        .price = {123456789},
        .regime = REGIME_CHOPPY,
        .vote_count = 2,
        .votes = {{.agent = "bull",
                   .direction = DIRECTION_LONG,
                   .confidence = 0.1,
                   .weight = 1.0 / 3,
                   .reason_count = 2,
                   .reasons = {{"rsi14", 28.700000000000003, 30, 0.4}, {"ema\"\n", -0.0, 1, 2}}},
                  {.agent = "bear", .direction = DIRECTION_NONE, .confidence = 1e-300}},
        .score = 0.1 + 0.2,
        .threshold = 0.25,
        .direction = DIRECTION_LONG,
        .outcome = outcome,
        .veto_max_qty = {55}};
    if (outcome == OUTCOME_VETOED) {
        (void)str_copy(str_c("RISK_POSITIONS"), d.veto_code, sizeof(d.veto_code));
        (void)str_copy(str_c("3 of 3 positions open"), d.veto_text, sizeof(d.veto_text));
    }
    if (outcome == OUTCOME_ORDER) {
        (void)str_copy(str_c("nd-1-7"), d.client_id, sizeof(d.client_id));
    }
    return d;
}

static void decisions_round_trip(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct decision in[3] = {a_decision(1, OUTCOME_HOLD), a_decision(2, OUTCOME_ORDER),
                             a_decision(3, OUTCOME_VETOED)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(decision_table_add(store, &in[i], NULL), 0);
    }
    struct decision out;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(decision_table_get(store, i + 1, &out, NULL), 0);
        assert_same_decision(&out, &in[i]);
    }
    assert_int_equal(decision_table_last(store, symbol_of("SOL-USD"), &out, NULL), 0);
    assert_int_equal(out.id, 3);
    assert_int_equal(decision_table_last(store, (struct symbol){{0}}, &out, NULL), 0);
    assert_int_equal(out.id, 3);
    assert_int_equal(decision_table_of_order(store, "nd-1-7", &out, NULL), 0);
    assert_int_equal(out.id, 2);
    assert_int_equal(decision_table_of_order(store, "", &out, NULL), -ERR_STORE_NOT_FOUND);
    assert_int_equal(decision_table_last(store, symbol_of("XRP-USD"), &out, NULL),
                     -ERR_STORE_NOT_FOUND);
    assert_int_equal(decision_table_get(store, 9, &out, NULL), -ERR_STORE_NOT_FOUND);

    struct decision list[4];
    assert_int_equal(decision_table_list(store, &(struct decision_query){0}, list, 4, NULL), 3);
    assert_int_equal(list[0].id, 3);
    struct decision_query wanted = {.skip_holds = true, .offset = 1};
    assert_int_equal(decision_table_list(store, &wanted, list, 4, NULL), 1);
    assert_int_equal(list[0].id, 2);

    struct decision_counts counts;
    assert_int_equal(decision_table_counts(store, 2000, &counts, NULL), 0);
    assert_int_equal(counts.holds, 0);
    assert_int_equal(counts.vetoed, 1);
    assert_int_equal(counts.orders, 1);
    assert_int_equal(counts.code_count, 1);
    assert_string_equal(counts.codes[0].code, "RISK_POSITIONS");
    assert_int_equal(counts.codes[0].count, 1);
}

/* The largest possible one: eight votes with eight reasons, eight rules, numbers with all digits.
 */
static void the_largest_decision_round_trips(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct decision in = a_decision(1, OUTCOME_ORDER);
    in.qty = (struct dec){1};
    in.stop = (struct dec){INT64_MAX};
    in.target = (struct dec){-2};
    in.rule_count = DECISION_RULES_MAX;
    in.vote_count = VOTES_MAX;
    for (int v = 0; v < VOTES_MAX; v++) {
        in.rule_ids[v] = INT64_MAX - v;
        struct vote *vote = &in.votes[v];
        *vote = (struct vote){.direction = DIRECTION_SHORT, .reason_count = REASONS_MAX};
        memset(vote->agent, '\a', sizeof(vote->agent) - 1); /* six bytes each in JSON */
        for (int r = 0; r < REASONS_MAX; r++) {
            struct reason *reason = &vote->reasons[r];
            memset(reason->indicator, 'a' + r, sizeof(reason->indicator) - 1);
            reason->value = -1.2345678901234567e-300 * (v + 1);
            reason->threshold = -M_PI * 1e300;
            reason->points = -1.0 / (r + 3);
        }
    }
    assert_int_equal(decision_table_add(store, &in, NULL), 0);
    struct decision out;
    assert_int_equal(decision_table_get(store, 1, &out, NULL), 0);
    assert_same_decision(&out, &in);
}

/* One number for each way of formatting: few decimals, many, huge, tiny, next to a power of ten. */
static double any_number(struct rng *rng)
{
    double value = rng_double(rng);
    switch (rng_below(rng, 6)) {
    case 0:
        return (double)rng_below(rng, 2000000) / 1e4 - 100;
    case 1:
        return -100 * value;
    case 2:
        return ldexp(value - 0.5, (int)rng_below(rng, 120) - 60);
    case 3:
        return nextafter(pow(10, (double)rng_below(rng, 18) - 4), value * 1e18);
    case 4:
        return (1 + value) * 1e-3;
    default:
        return (1 + value) * 60000;
    }
}

static void numbers_round_trip_bit_for_bit(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct rng rng;
    rng_init(&rng, 5);
    for (int id = 1; id <= 200; id++) {
        struct decision in = a_decision(id, OUTCOME_ORDER);
        in.vote_count = VOTES_MAX;
        for (int v = 0; v < VOTES_MAX; v++) {
            struct vote *vote = &in.votes[v];
            *vote = (struct vote){.agent = "bull",
                                  .confidence = any_number(&rng),
                                  .weight = any_number(&rng),
                                  .reason_count = REASONS_MAX};
            for (int r = 0; r < REASONS_MAX; r++) {
                vote->reasons[r] =
                    (struct reason){"rsi14", any_number(&rng), any_number(&rng), any_number(&rng)};
            }
        }
        assert_int_equal(decision_table_add(store, &in, NULL), 0);
        struct decision out;
        assert_int_equal(decision_table_get(store, id, &out, NULL), 0);
        assert_same_decision(&out, &in);
    }
}

static void a_number_that_json_cannot_hold_reads_back_as_nan(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct decision d = a_decision(1, OUTCOME_HOLD);
    d.votes[0].reasons[0].value = INFINITY;
    assert_int_equal(decision_table_add(store, &d, NULL), 0);
    struct decision out;
    assert_int_equal(decision_table_get(store, 1, &out, NULL), 0);
    assert_true(isnan(out.votes[0].reasons[0].value));
    assert_true(out.votes[0].reasons[0].points == 0.4);
}

static void damaged_rows_are_errors(void **state)
{
    struct trading_store *store = open_store(*state);
    struct decision d = a_decision(4, OUTCOME_HOLD);
    struct order o = an_order("nd-1-1");
    assert_int_equal(decision_table_add(store, &d, NULL), 0);
    assert_int_equal(order_table_write(store, &o, NULL), 0);
    trading_store_free(store);
    tamper(*state, "UPDATE decisions SET votes = '[{\"agent\":\"bull\"}]';"
                   "UPDATE orders SET state = 'eaten'");
    store = open_store(*state);
    struct err err = {0};
    assert_int_equal(decision_table_get(store, 4, &d, &err), -ERR_STORE_DAMAGED);
    assert_string_equal(err.context, "decisions, row 4");
    assert_int_equal(order_table_get(store, "nd-1-1", &o, &err), -ERR_STORE_DAMAGED);
    assert_string_equal(err.context, "order nd-1-1");
    trading_store_free(store);
    tamper(*state, "UPDATE decisions SET votes = '[]', rules = '1 2x'");
    store = open_store(*state);
    assert_int_equal(decision_table_get(store, 4, &d, &err), -ERR_STORE_DAMAGED);
    trading_store_free(store);
    tamper(*state, "UPDATE decisions SET rules = '1 2 3 4 5 6 7 8 9'");
    store = open_store(*state);
    assert_int_equal(decision_table_get(store, 4, &d, &err), -ERR_STORE_DAMAGED);
    trading_store_free(store);
}

static void equity_points_and_candles_are_limited(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    for (int64_t h = 1; h <= 5; h++) {
        struct equity_point p = {h * 100, {h}, {h + 1}, {h + 2}};
        assert_int_equal(equity_table_add(store, &p, NULL), 0);
        assert_int_equal(equity_table_add(store, &p, NULL), 0); /* the same hour again */
    }
    struct equity_point points[8];
    assert_int_equal(equity_table_list(store, 0, 0, points, 3, NULL), 3);
    assert_int_equal(points[0].at_us, 300); /* the newest three, oldest first */
    assert_int_equal(points[2].at_us, 500);
    assert_int_equal(points[2].realised.e8, 7);
    assert_int_equal(equity_table_list(store, 400, 0, points, 8, NULL), 2);
    /* Points before a transfer are read as if it had been made before them. */
    assert_int_equal(transfer_table_add(store, &(struct transfer){7, {1000}, 400}, NULL), 0);
    assert_int_equal(transfer_table_add(store, &(struct transfer){8, {-10}, 401}, NULL), 0);
    assert_int_equal(equity_table_list(store, 300, 0, points, 8, NULL), 3);
    assert_int_equal(points[0].equity.e8, 3 + 1000 - 10);
    assert_int_equal(points[1].equity.e8, 4 - 10);
    assert_int_equal(points[2].equity.e8, 5);
    assert_int_equal(points[0].cash.e8, 4 + 1000 - 10);
    assert_int_equal(points[0].realised.e8, 5);

    struct symbol btc = symbol_of("BTC-USD");
    struct symbol eth = symbol_of("ETH-USD");
    struct candle c = {.open = {1}, .high = {4}, .low = {1}, .close = {2}, .volume = {9}};
    assert_int_equal(trading_store_begin(store, NULL), 0);
    assert_int_equal(candle_table_add(store, eth, &c, NULL), 0);
    for (int64_t i = 0; i < CANDLE_TABLE_KEEP + 10; i++) {
        c.open_us = i * timeframe_us(TF_5M);
        assert_int_equal(candle_table_add(store, btc, &c, NULL), 0);
    }
    assert_int_equal(trading_store_commit(store, NULL), 0);
    AUTO_FREE struct candle *list = calloc(CANDLE_TABLE_KEEP + 100, sizeof(*list));
    assert_int_equal(candle_table_last(store, btc, list, CANDLE_TABLE_KEEP + 100, NULL),
                     CANDLE_TABLE_KEEP);
    assert_int_equal(list[0].open_us, 10 * timeframe_us(TF_5M));
    assert_memory_equal(&list[CANDLE_TABLE_KEEP - 1], &c, sizeof(c));
    assert_int_equal(candle_table_last(store, btc, list, 2, NULL), 2);
    assert_int_equal(list[1].open_us, c.open_us);
    assert_int_equal(candle_table_last(store, eth, list, 2, NULL), 1); /* of another symbol */
}

static struct engine_state a_state(void)
{
    struct engine_state s = {.state = TRADING_BREAKER,
                             .state_reason = "daily loss 5.1 % of 5 %",
                             .state_since_wall_us = 1,
                             .market_us = 2,
                             .initial_cash = {3},
                             .cash = {4},
                             .realised = {-5},
                             .fees = {6},
                             .equity_peak = {7},
                             .day_start_equity = {8},
                             .day = 9,
                             .consecutive_losses = 10,
                             .run = 11,
                             .next_order = 12,
                             .next_decision_id = 13,
                             .next_trade_id = 14,
                             .candles = 15,
                             .decisions = 16,
                             .orders = 17,
                             .fills = 18,
                             .trades = 19,
                             .wins = 20,
                             .vetoes = 21,
                             .refused_candles = 22,
                             .cooldown_count = 2};
    s.cooldowns[0] = (struct engine_cooldown){symbol_of("BTC-USD"), 23};
    s.cooldowns[1] = (struct engine_cooldown){symbol_of("ETH-USD"), 24};
    return s;
}

static void the_state_round_trips(void **state)
{
    struct trading_store *store = open_store(*state);
    struct engine_state out;
    assert_int_equal(state_table_load(store, &out, NULL), -ERR_STORE_NOT_FOUND);
    struct engine_state in = a_state();
    assert_int_equal(state_table_save(store, &in, NULL), 0);
    char blob[300];
    memset(blob, 0, sizeof(blob));
    blob[299] = 'x';
    assert_int_equal(state_table_write_blob(store, "market", "old", 3, NULL), 0);
    assert_int_equal(state_table_write_blob(store, "market", blob, sizeof(blob), NULL), 0);
    trading_store_free(store);

    store = open_store(*state);
    assert_int_equal(state_table_load(store, &out, NULL), 0);
    ASSERT_SAME(&out, &in, engine_state_fields);
    in.cooldown_count = 1;
    in.cooldowns[1] = (struct engine_cooldown){0};
    in.state = TRADING_ACTIVE;
    assert_int_equal(state_table_save(store, &in, NULL), 0);
    assert_int_equal(state_table_load(store, &out, NULL), 0);
    ASSERT_SAME(&out, &in, engine_state_fields);
    char back[300];
    size_t size = 0;
    assert_int_equal(state_table_get_blob(store, "market", back, sizeof(back), &size, NULL), 0);
    assert_int_equal(size, sizeof(blob));
    assert_memory_equal(back, blob, sizeof(blob));
    assert_int_equal(state_table_get_blob(store, "market", back, 10, &size, NULL),
                     -ERR_STORE_DAMAGED);
    assert_int_equal(state_table_get_blob(store, "none", back, 10, &size, NULL),
                     -ERR_STORE_NOT_FOUND);
    trading_store_free(store);
}

static void a_request_is_stored_once(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct request r = {
        .id = 42, .kind = REQUEST_CLOSE, .symbol = symbol_of("BTC-USD"), .by = "alice"};
    struct request_result result;
    assert_int_equal(request_table_result(store, 42, &result, NULL), 0);
    assert_false(result.found);
    assert_int_equal(request_table_add(store, &r, -ERR_STORE_CONFLICT, 9, NULL), 0);
    assert_int_equal(request_table_result(store, 42, &result, NULL), 0);
    assert_true(result.found);
    assert_int_equal(result.err_id, ERR_STORE_CONFLICT);
    assert_int_equal(result.at_us, 9);
    assert_int_equal(request_table_add(store, &r, ERR_NONE, 10, NULL), -ERR_STORE_DUPLICATE);
    r.id = 43;
    assert_int_equal(request_table_add(store, &r, ERR_NONE, 10, NULL), 0);
    assert_int_equal(request_table_result(store, 43, &result, NULL), 0);
    assert_true(result.found);
    assert_int_equal(result.err_id, ERR_NONE);
}

static void the_paper_venue_has_its_own_tables(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    struct order o = an_order("nd-1-1");
    o.state = ORDER_ACKED;
    struct order back;
    assert_int_equal(paper_store_write_order(store, &o, NULL), 0);
    assert_int_equal(order_table_get(store, "nd-1-1", &back, NULL), -ERR_STORE_NOT_FOUND);
    assert_int_equal(paper_store_get_order(store, "nd-1-1", &back, NULL), 0);
    ASSERT_SAME(&back, &o, order_fields);
    assert_int_equal(paper_store_open_orders(store, &back, 1, NULL), 1);
    o.state = ORDER_FILLED;
    assert_int_equal(paper_store_write_order(store, &o, NULL), 0);
    assert_int_equal(paper_store_open_orders(store, &back, 1, NULL), 0);

    int64_t last = -1;
    assert_int_equal(paper_store_last_fill_id(store, &last, NULL), 0);
    assert_int_equal(last, 0);
    bool fresh = false;
    for (int64_t id = 1; id <= 3; id++) {
        struct fill f = {.client_id = "nd-1-1", .symbol = o.symbol};
        fill_id_of_number(id, f.venue_fill_id);
        assert_int_equal(paper_store_add_fill(store, &f, &fresh, NULL), 0);
        assert_true(fresh);
        assert_int_equal(paper_store_add_fill(store, &f, &fresh, NULL), 0);
        assert_false(fresh);
    }
    struct fill fills[4];
    assert_int_equal(paper_store_fills_after(store, 1, fills, 4, NULL), 2);
    assert_string_equal(fills[0].venue_fill_id, "2");
    assert_int_equal(paper_store_fills_of(store, "nd-1-1", 0, fills, 4, NULL), 3);
    assert_int_equal(paper_store_last_fill_id(store, &last, NULL), 0);
    assert_int_equal(last, 3);
    assert_int_equal(fill_table_of_order(store, "nd-1-1", fills, 4, NULL), 0);

    struct position p = {.symbol = o.symbol, .qty = {5}};
    struct position out;
    assert_int_equal(paper_store_replace_positions(store, &p, 1, NULL), 0);
    assert_int_equal(paper_store_positions(store, &out, 1, NULL), 1);
    ASSERT_SAME(&out, &p, position_fields);
    assert_int_equal(position_table_list(store, &out, 1, NULL), 0);
    int64_t value = 0;
    assert_int_equal(paper_store_get_i64(store, "cash", 7, &value, NULL), 0);
    assert_int_equal(value, 7);
    assert_int_equal(paper_store_write_i64(store, "cash", -8, NULL), 0);
    assert_int_equal(paper_store_get_i64(store, "cash", 7, &value, NULL), 0);
    assert_int_equal(value, -8);
}

static void a_reader_sees_what_was_committed_and_cannot_write(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    AUTO_TRADING_STORE struct trading_store *reader = NULL;
    assert_int_equal(trading_store_open(*state, TRADING_STORE_READ, &reader, NULL), 0);
    struct order o = an_order("nd-1-1");
    struct order back;
    assert_int_equal(trading_store_begin(store, NULL), 0);
    assert_int_equal(order_table_write(store, &o, NULL), 0);
    assert_int_equal(order_table_get(reader, "nd-1-1", &back, NULL), -ERR_STORE_NOT_FOUND);
    assert_int_equal(trading_store_commit(store, NULL), 0);
    assert_int_equal(order_table_get(reader, "nd-1-1", &back, NULL), 0);
    assert_int_equal(order_table_write(reader, &o, NULL), -ERR_DB_READONLY);
    assert_int_equal(trading_store_check(store, NULL), 0);
}

static void missing_newer_and_foreign_files_are_refused(void **state)
{
    struct trading_store *store = NULL;
    assert_true(trading_store_open(*state, TRADING_STORE_READ, &store, NULL) < 0);
    assert_null(store); /* a reader does not create the file */
    trading_store_free(open_store(*state));
    tamper(*state, "PRAGMA user_version = 99");
    struct err err = {0};
    assert_int_equal(trading_store_open(*state, TRADING_STORE_WRITE, &store, &err), -ERR_DB_FUTURE);
    assert_non_null(strstr(err.context, "trading.db"));
    tamper(*state, "PRAGMA user_version = 0; PRAGMA application_id = 1");
    assert_int_equal(trading_store_open(*state, TRADING_STORE_WRITE, &store, NULL),
                     -ERR_DB_FOREIGN);
}

static void old_holds_are_pruned_and_orders_kept(void **state)
{
    AUTO_TRADING_STORE struct trading_store *store = open_store(*state);
    for (int64_t id = 1; id <= 9; id++) {
        struct decision d = a_decision(id, id % 3 == 0 ? OUTCOME_ORDER : OUTCOME_HOLD);
        assert_int_equal(decision_table_add(store, &d, NULL), 0);
        struct equity_point p = {.at_us = id * 1000};
        assert_int_equal(equity_table_add(store, &p, NULL), 0);
    }
    int64_t deleted = 0;
    assert_int_equal(trading_store_prune(store, 8000, 3, &deleted, NULL), 0);
    assert_int_equal(deleted, 6); /* a batch of three decisions and three points */
    while (deleted >= 3) {
        assert_int_equal(trading_store_prune(store, 8000, 3, &deleted, NULL), 0);
    }
    struct decision list[9];
    assert_int_equal(decision_table_list(store, &(struct decision_query){0}, list, 9, NULL), 4);
    assert_int_equal(list[0].id, 9);
    assert_int_equal(list[1].id, 8);
    assert_int_equal(list[2].id, 6);
    assert_int_equal(list[3].id, 3);
    struct equity_point points[9];
    assert_int_equal(equity_table_list(store, 0, 0, points, 9, NULL), 2);
}

/* ------------------------------------------------------------------ a crash at each write */

struct crash {
    int countdown;
};

static int crash_at(const char *what, void *userdata)
{
    struct crash *crash = userdata;
    (void)what;
    return crash->countdown-- == 0 ? -ERR_DB_FAILED : 0;
}

/* The writes of one engine step; 0 if it was committed. */
static int one_step(struct trading_store *store, int64_t n)
{
    struct engine_state s = a_state();
    struct order o = an_order("nd-1-1");
    struct fill f = {.client_id = "nd-1-1", .symbol = o.symbol};
    fill_id_of_number(n, f.venue_fill_id);
    struct position p = {.symbol = o.symbol, .qty = {n}};
    bool fresh = false;
    s.market_us = n;
    o.filled_qty = (struct dec){n};
    int rc = trading_store_begin(store, NULL);
    if (rc < 0 || (rc = order_table_write(store, &o, NULL)) < 0 ||
        (rc = fill_table_add(store, &f, &fresh, NULL)) < 0 ||
        (rc = position_table_replace(store, &p, 1, NULL)) < 0 ||
        (rc = state_table_save(store, &s, NULL)) < 0) {
        trading_store_rollback(store);
        return rc;
    }
    return trading_store_commit(store, NULL);
}

/* All tables must be of the same step n. */
static int64_t consistent_step(struct trading_store *store)
{
    struct engine_state s;
    struct order o;
    struct position p;
    struct fill fills[8];
    assert_int_equal(state_table_load(store, &s, NULL), 0);
    assert_int_equal(order_table_get(store, "nd-1-1", &o, NULL), 0);
    assert_int_equal(position_table_list(store, &p, 1, NULL), 1);
    int n = fill_table_of_order(store, "nd-1-1", fills, 8, NULL);
    assert_int_equal(s.market_us, n);
    assert_int_equal(o.filled_qty.e8, n);
    assert_int_equal(p.qty.e8, n);
    return n;
}

static void a_crash_at_any_write_leaves_whole_steps(void **state)
{
    struct trading_store *store = open_store(*state);
    assert_int_equal(one_step(store, 1), 0);
    bool committed = false;
    int at = 0;
    for (; !committed; at++) {
        struct crash crash = {.countdown = at};
        assert_in_range(at, 0, 30);
        trading_store_set_fault(store, crash_at, &crash);
        committed = one_step(store, 2) == 0;
        trading_store_free(store); /* reopen, as after a crash */
        store = open_store(*state);
        assert_int_equal(consistent_step(store), committed ? 2 : 1);
    }
    /* order, fill, 2 positions, state, cooldowns (1 + 2), commit; then a run without a fault */
    assert_int_equal(at, 10);
    trading_store_free(store);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, folder_make, folder_remove)
UNIT_GROUP(trading_store, TEST(orders_round_trip_and_update), TEST(a_fill_is_stored_once),
           TEST(positions_are_those_of_the_last_replace), TEST(trades_are_listed_and_summed),
           TEST(decisions_round_trip), TEST(the_largest_decision_round_trips),
           TEST(numbers_round_trip_bit_for_bit),
           TEST(a_number_that_json_cannot_hold_reads_back_as_nan), TEST(damaged_rows_are_errors),
           TEST(equity_points_and_candles_are_limited), TEST(the_state_round_trips),
           TEST(a_request_is_stored_once), TEST(the_paper_venue_has_its_own_tables),
           TEST(a_reader_sees_what_was_committed_and_cannot_write),
           TEST(missing_newer_and_foreign_files_are_refused),
           TEST(old_holds_are_pruned_and_orders_kept),
           TEST(a_crash_at_any_write_leaves_whole_steps))
