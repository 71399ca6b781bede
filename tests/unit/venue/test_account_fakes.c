#include "account_rig.h"
#include "base/check.h"
#include "base/log.h"
#include "fakes/fake_venue.h"
#include "gateway_rig.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/secret.h"

#include <string.h>

/* Each venue's table at its strict fake: every request is understood and signed as the venue wants
 * it, and every answer is read. The fake remembers what it had to refuse. */

#define DEADLINE_US (10 * USEC_PER_SEC)
#define STEPS_MAX   4

struct visit {
    struct account_api patient; /* the table, but with limits that a test does not reach */
    const struct account_api *api;
    struct fake_venue *fake;
    struct loop *loop;
    struct http *http;
    struct calls *calls;
    struct secret *id, *secret;
    struct exchange_market market;
    struct instrument rules;
    struct account_permissions may;
    struct account_order order; /* as it was read last */
    bool answered;
    enum account_verdict verdict;
    struct json_object *root;
    struct err err;
};

static struct account_order orders[ACCOUNT_ROWS_MAX];
static struct account_fill fills[ACCOUNT_ROWS_MAX];
static struct account_coin coins[ACCOUNT_ROWS_MAX];
static struct account_position positions[ACCOUNT_ROWS_MAX];

static void on_answer(const struct calls_answer *answer, void *userdata)
{
    struct visit *v = userdata;
    json_cleanup(&v->root);
    v->verdict = answer->verdict;
    v->root = json_object_get(answer->root);
    v->err = answer->err != NULL ? *answer->err : (struct err){0};
    v->answered = true;
}

static enum account_verdict ask(struct visit *v, enum account_call call)
{
    calls_send(v->calls, call, clock_mono_us(clock_real()) + DEADLINE_US, on_answer, v);
    v->answered = false;
    while (!v->answered) {
        (void)loop_iterate(v->loop, USEC_PER_SEC);
    }
    return v->verdict;
}

static void need(const struct visit *v, const char *what, int rc)
{
    if (rc < 0 || v->verdict != ACCOUNT_FINE) {
        fail_msg("%s, %s: verdict %d, %d, %s", v->api->name, what, (int)v->verdict, rc,
                 v->err.context);
    }
}

static void arrive(struct visit *v, const char *venue, const char *symbol)
{
    *v = (struct visit){.patient = *account_api_find(venue)};
    v->patient.limit = v->patient.falls_per_s = 1000;
    v->api = &v->patient;
    assert_int_equal(secret_init(&v->err), 0);
    assert_int_equal(fake_venue_start(venue, &v->fake), 0);
    v->loop = loop_new(&v->err);
    v->http = http_new(v->loop, &v->err);
    v->id = secret_new(str_c(fake_venue_key(v->fake)));
    v->secret = secret_new(str_c(fake_venue_secret(v->fake)));
    v->calls = calls_new(&(struct calls_options){.loop = v->loop,
                                                 .http = v->http,
                                                 .api = v->api,
                                                 .exchange = exchange_find(venue),
                                                 .url = fake_venue_url(v->fake),
                                                 .key_id = v->id,
                                                 .key_secret = v->secret});
    assert_true(symbol_parse(str_c(symbol), &v->market.symbol));
    const struct account_key key = {.id = str_c(secret_text(v->id)),
                                    .secret = str_c(secret_text(v->secret))};
    assert_int_equal(v->api->check_key(&key, &v->err), 0);
}

/* Nothing was asked for in a way that the venue would refuse, and nothing was done twice. */
static void leave(struct visit *v)
{
    AUTO_JSON struct json_object *state = fake_venue_state(v->fake);
    if (json_len(json_get(state, "violations")) > 0) {
        fail_msg("%s: %s", v->api->name, json_object_to_json_string(json_get(state, "violations")));
    }
    json_object_object_foreach(json_get(state, "ids"), id, times)
    {
        if (json_object_get_int64(times) != 1) {
            fail_msg("%s: %s was accepted more than once", v->api->name, id);
        }
    }
    json_cleanup(&v->root);
    calls_free(v->calls);
    http_free(v->http);
    loop_free(v->loop);
    secret_free(v->id);
    secret_free(v->secret);
    fake_venue_stop(v->fake);
}

static void read_account(struct visit *v)
{
    char next[ACCOUNT_CURSOR_SIZE];
    int count = 0;
    v->api->add_check(true, calls_begin(v->calls));
    need(v, "check",
         ask(v, ACCOUNT_CHECK) == ACCOUNT_FINE ? v->api->read_check(v->root, &v->may, &v->err)
                                               : -1);
    assert_true(v->may.reads && v->may.trades);
    assert_false(v->may.withdraws);
    v->api->add_rules(&v->market.symbol, 1, calls_begin(v->calls));
    (void)ask(v, ACCOUNT_RULES);
    need(v, "rules",
         v->api->read_rules(v->root, &v->market.symbol, &v->market, &v->rules, &v->err));
    assert_int_equal(v->rules.status, INSTRUMENT_TRADING);
    v->api->add_coins("", calls_begin(v->calls));
    (void)ask(v, ACCOUNT_COINS);
    need(v, "coins", v->api->read_coins(v->root, coins, &count, next, &v->err));
    assert_true(count > 0);
    assert_string_equal(coins[0].currency, "USD");
    assert_dec(coins[0].total, "10000");
    if (v->api->has_hours != NULL) {
        struct account_hours hours;
        v->api->add_hours(calls_begin(v->calls));
        (void)ask(v, ACCOUNT_HOURS);
        need(v, "hours", v->api->read_hours(v->root, &hours, &v->err));
        assert_true(hours.open && hours.changes_us > 0);
    }
}

static enum account_verdict place(struct visit *v, const char *client_id, enum order_type type,
                                  const char *qty, const char *price)
{
    int count = 0;
    const struct account_order_ask order = {.market = &v->market,
                                            .rules = &v->rules,
                                            .client_id = client_id,
                                            .buys = true,
                                            .type = type,
                                            .post_only =
                                                type == ORDER_TYPE_LIMIT && v->api->can.post_only,
                                            .qty = rig_dec(qty),
                                            .price = rig_dec(price)};
    v->api->add_order(&order, calls_begin(v->calls));
    if (ask(v, ACCOUNT_PLACE) == ACCOUNT_FINE) {
        need(v, "placed",
             v->api->read_order(ACCOUNT_PLACE, v->root, &v->order, fills, &count, &v->err));
    }
    return v->verdict;
}

/* By the steps of the table; without any, in the history of orders. */
static bool find(struct visit *v, const char *client_id, const char *id)
{
    const struct account_find what = {.market = &v->market, .client_id = client_id, .id = id};
    struct account_request *request = calls_begin(v->calls);
    int count = 0, step = 0;
    while (step < STEPS_MAX && v->api->add_query(&what, step, request)) {
        if (ask(v, ACCOUNT_QUERY) == ACCOUNT_FINE) {
            need(v, "found",
                 v->api->read_order(ACCOUNT_QUERY, v->root, &v->order, fills, &count, &v->err));
            return true;
        }
        assert_int_equal(v->verdict, ACCOUNT_NOT_FOUND);
        step++;
        request = calls_begin(v->calls);
    }
    char next[ACCOUNT_CURSOR_SIZE];
    const struct account_page page = {.market = &v->market, .order_id = "", .cursor = ""};
    if (step > 0) {
        v->api->add_coins("", request); /* a request that was begun is sent */
        (void)ask(v, ACCOUNT_COINS);
        return false;
    }
    v->api->add_history(&page, request);
    (void)ask(v, ACCOUNT_OPEN);
    need(v, "history", v->api->read_open(&page, v->root, orders, &count, next, &v->err));
    for (int i = 0; i < count; i++) {
        if (strcmp(orders[i].client_id, client_id) == 0) {
            v->order = orders[i];
            return true;
        }
    }
    return false;
}

static void an_order_rests_and_is_cancelled(struct visit *v, const char *qty, const char *price)
{
    char next[ACCOUNT_CURSOR_SIZE], id[ACCOUNT_ID_SIZE];
    const struct account_page page = {.market = &v->market, .order_id = "", .cursor = ""};
    int count = 0;
    need(v, "place", place(v, "nd-1", ORDER_TYPE_LIMIT, qty, price) == ACCOUNT_FINE ? 0 : -1);
    assert_true(find(v, "nd-1", ""));
    assert_int_equal(v->order.state, ORDER_ACKED);
    assert_string_equal(v->order.client_id, "nd-1");
    assert_int_equal(v->order.type, ORDER_TYPE_LIMIT);
    assert_dec(v->order.qty, qty);
    assert_dec(v->order.price, price);
    assert_true(v->api->is_market(&v->market, v->order.market));
    (void)str_copy(str_c(v->order.id), id, sizeof(id));
    struct account_page open = page;
    char cursor[ACCOUNT_CURSOR_SIZE] = "";
    open.cursor = cursor;
    do { /* lists of which the first may be empty */
        v->api->add_open(&open, calls_begin(v->calls));
        (void)ask(v, ACCOUNT_OPEN);
        need(v, "open", v->api->read_open(&open, v->root, orders, &count, next, &v->err));
        memcpy(cursor, next, sizeof(cursor));
    } while (count == 0 && next[0] != '\0');
    assert_int_equal(count, 1);
    assert_string_equal(orders[0].id, id);
    const struct account_find what = {.market = &v->market, .client_id = "nd-1", .id = id};
    v->api->add_cancel(&what, calls_begin(v->calls));
    (void)ask(v, ACCOUNT_CANCEL);
    need(v, "cancel",
         v->api->read_order(ACCOUNT_CANCEL, v->root, &v->order, fills, &count, &v->err));
    assert_true(find(v, "nd-1", id));
    assert_int_equal(v->order.state, ORDER_CANCELLED);
    assert_true(find(v, "nd-1", ""));
    assert_int_equal(v->order.state, ORDER_CANCELLED);
    v->api->add_cancel(&what, calls_begin(v->calls));
    assert_int_equal(ask(v, ACCOUNT_CANCEL), ACCOUNT_NOT_FOUND);
    assert_false(find(v, "nd-7", ""));
}

static void a_market_order_is_filled(struct visit *v, const char *qty)
{
    char next[ACCOUNT_CURSOR_SIZE];
    struct dec sum = DEC_ZERO, fees = DEC_ZERO;
    int count = 0;
    need(v, "buy", place(v, "nd-2", ORDER_TYPE_MARKET, qty, "0") == ACCOUNT_FINE ? 0 : -1);
    assert_true(find(v, "nd-2", ""));
    assert_int_equal(v->order.state, ORDER_FILLED);
    assert_dec(v->order.filled_qty, qty);
    const struct account_page page = {.market = &v->market,
                                      .order_id = v->order.id,
                                      .since_us = v->order.at_us - USEC_PER_MIN,
                                      .until_us = v->order.at_us + USEC_PER_MIN,
                                      .cursor = ""};
    v->api->add_fills(&page, calls_begin(v->calls));
    (void)ask(v, ACCOUNT_FILLS);
    need(v, "fills", v->api->read_fills(&page, v->root, fills, &count, next, &v->err));
    assert_int_equal(count, 2);
    for (int i = 0; i < count; i++) {
        assert_string_equal(fills[i].order_id, v->order.id);
        assert_true(fills[i].buys && fills[i].price.e8 > 0 && fills[i].at_us > 0);
        sum = dec_add(sum, fills[i].qty);
        fees = dec_add(fees, fills[i].fee);
    }
    assert_dec(sum, qty);
    if (v->api->positions) {
        struct account_margin margin;
        v->api->add_positions(calls_begin(v->calls));
        (void)ask(v, ACCOUNT_POSITIONS);
        need(v, "positions", v->api->read_positions(v->root, positions, &count, &margin, &v->err));
        assert_int_equal(count, 1);
        bool takes_coins = v->api->takes_coins != NULL && v->api->takes_coins(&v->market);
        assert_int_equal(positions[0].qty.e8, sum.e8 - (takes_coins ? fees.e8 : 0));
        assert_int_equal(fees.e8 > 0, takes_coins);
        assert_true(v->api->is_market(&v->market, positions[0].market));
    }
}

/* An order whose answer is lost is found, and never sent again. */
static void a_lost_answer_is_found(struct visit *v, const char *qty, const char *price)
{
    static const char *const faults[] = {"fault place 1 lost-after", "fault place 1 unknown-after",
                                         "fault place 1 html 502"};
    static const bool done[] = {true, true, false};
    char id[ACCOUNT_ID_SIZE];
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        (void)snprintf(id, sizeof(id), "nd-1%zu", i);
        assert_null(fake_venue_do(v->fake, faults[i]));
        assert_int_equal(place(v, id, ORDER_TYPE_LIMIT, qty, price), ACCOUNT_UNKNOWN);
        assert_true(find(v, id, "") == done[i]);
    }
    assert_int_equal(place(v, "nd-20", ORDER_TYPE_LIMIT, "100", price), ACCOUNT_REFUSED);
    assert_has(v->err.context, v->api->name);
}

static void trade(const char *venue, const char *symbol, const char *price, const char *qty)
{
    if (!fake_venue_available()) {
        skip();
    }
    struct visit v;
    arrive(&v, venue, symbol);
    if (strcmp(venue, "kraken") == 0) {
        assert_null(fake_venue_do(v.fake, "limits 1000 1000 1000 1000"));
    }
    AUTO_BUF struct buf parts = BUF_INIT(64);
    buf_addf(&parts, "parts %s 2", symbol);
    read_account(&v);
    an_order_rests_and_is_cancelled(&v, qty, price);
    assert_null(fake_venue_do(v.fake, parts.data));
    a_market_order_is_filled(&v, qty);
    a_lost_answer_is_found(&v, qty, price);
    leave(&v);
}

/* ---------------------------------------------------------------- the gateway */

/* Rules come one by one; a symbol that is not there is halted, and stocks outside their hours. */
static void meet_gateway(const char *venue, const char *before, enum instrument_status stocks)
{
    static const struct symbol symbols[] = {
        {.name = "AAPL-USD"}, {.name = "NONE-USD"}, {.name = "BTC-USD"}};
    struct gateway_rig rig;
    gateway_rig_prepare(&rig, venue, symbols, COUNT_OF(symbols), before);
    gateway_rig_start(&rig);
    assert_int_equal(rig.rules[0].status, stocks);
    assert_int_equal(rig.rules[1].status, INSTRUMENT_HALTED);
    assert_int_equal(rig.rules[2].status, INSTRUMENT_TRADING);
    gateway_rig_fake(&rig, "forget violations"); /* to have asked for NONE-USD */
    gateway_rig_close(&rig);
}

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static void symbols_are_halted_apart(void **state)
{
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    log_set_sink(swallow, NULL);
    meet_gateway("alpaca", "session closed", INSTRUMENT_CLOSED);
    meet_gateway("kraken", NULL, INSTRUMENT_HALTED); /* it has no such market */
    log_set_sink(NULL, NULL);
}

static void kraken_trades(void **state)
{
    (void)state;
    trade("kraken", "BTC-USD", "50000.1", "0.01");
}

static void coinbase_trades(void **state)
{
    (void)state;
    trade("coinbase", "BTC-USD", "50000.01", "0.01");
}

static void alpaca_trades_coins(void **state)
{
    (void)state;
    trade("alpaca", "BTC-USD", "50000.01", "0.01");
}

static void alpaca_trades_stocks(void **state)
{
    (void)state;
    trade("alpaca", "AAPL-USD", "150.01", "2");
}

UNIT_GROUP(account_fakes, cmocka_unit_test(kraken_trades), cmocka_unit_test(coinbase_trades),
           cmocka_unit_test(alpaca_trades_coins), cmocka_unit_test(alpaca_trades_stocks),
           cmocka_unit_test(symbols_are_halted_apart))
