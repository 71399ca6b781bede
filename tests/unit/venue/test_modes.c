/*
 * venue.mode: what a dry run sends, and addresses that do not belong to the mode.
 */
#include "base/check.h"
#include "base/log.h"
#include "gateway_rig.h"
#include "io/json.h"
#include "unit/unit.h"
#include "venue/venue.h"

#include <string.h>

static char shown[4096];

/* Keeps what is shown of requests, and errors. */
static void note(const struct log_line *line, void *userdata)
{
    (void)userdata;
    if (strstr(line->message, "dry run") != NULL || strstr(line->message, "VENUE_") != NULL ||
        strstr(line->message, ": sending ") != NULL) {
        size_t used = strlen(shown);
        (void)snprintf(&shown[used], sizeof(shown) - used, "%s\n", line->message);
    }
}

static const struct {
    const char *venue;
    struct symbol symbol;
    const char *before;
    const char *foreign;
    const char *shown; /* of the order */
} cases[] = {
    {"binance",
     {.name = "BTC-USDT"},
     NULL,
     "foreign BTC-USDT buy 0.01 59000",
     "symbol=BTCUSDT&side=BUY&type=LIMIT"},
    {"binance_futures",
     {.name = "BTC-USDT"},
     "price BTC-USDT 60000",
     "foreign BTC-USDT buy 0.01 59000",
     "symbol=BTCUSDT&side=BUY&type=LIMIT"},
    {"kraken",
     {.name = "BTC-USD"},
     "limits 1000 1000 1000 1000",
     "foreign BTC-USD buy 0.01 50000",
     "pair=XBTUSD"},
    {"coinbase", {.name = "BTC-USD"}, NULL, "foreign BTC-USD buy 0.01 50000", "BTC-USD"},
    {"alpaca", {.name = "BTC-USD"}, NULL, "foreign BTC-USD buy 0.01 50000", "BTC/USD"},
};

/* All of them where nothing slows them down. */
#define CASES (UNIT_SANITIZED ? 1 : COUNT_OF(cases))

/* The requests that change something. */
static const char *const changing[] = {"place", "cancel", "amend", "guard", "settings"};

/* An order, its cancellation, that of somebody's order, and a leverage. */
static void want_all(struct gateway_rig *rig)
{
    struct gateway_call call = {.kind = GATEWAY_SEND,
                                .order = {.client_id = "nd-1-1",
                                          .kind = ORDER_ENTRY,
                                          .side = SIDE_LONG,
                                          .type = ORDER_TYPE_LIMIT,
                                          .qty = dec_from_double(0.01),
                                          .price = dec_from_int(59000)}};
    call.order.symbol = rig->symbols[0];
    gateway_rig_do(rig, &call);
    gateway_rig_await_orders(rig, 1);
    assert_int_equal(rig->order.state, ORDER_REJECTED);
    assert_string_equal(rig->order.reason, "dry run: nothing is sent");
    call = (struct gateway_call){.kind = GATEWAY_CANCEL};
    (void)str_copy(STR_LIT("nd-1-1"), call.question.client_id, sizeof(call.question.client_id));
    gateway_rig_do(rig, &call);
    call = (struct gateway_call){.kind = GATEWAY_LIST, .ask_id = 1};
    gateway_rig_do(rig, &call);
    for (int i = 0; i < 30 && rig->listings == 0; i++) {
        gateway_rig_pass(rig, 1);
    }
    assert_int_equal(rig->listing.open_count, 1);
    call = (struct gateway_call){.kind = GATEWAY_CANCEL};
    memcpy(call.question.client_id, rig->listing.open[0], CLIENT_ID_SIZE);
    gateway_rig_do(rig, &call);
    call = (struct gateway_call){.kind = GATEWAY_LEVERAGE, .leverage = 2};
    gateway_rig_do(rig, &call);
    gateway_rig_pass(rig, 41);
}

static void a_dry_run_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_fake(&rig, cases[i].foreign);
        rig.options.sandbox = false;
        rig.options.dry_run = true;
        shown[0] = '\0';
        log_set_sink(note, NULL);
        gateway_rig_start(&rig);
        want_all(&rig);
        log_set_sink(NULL, NULL);
        for (size_t k = 0; k < COUNT_OF(changing); k++) {
            if (gateway_rig_requests(&rig, changing[k]) != 0) {
                fail_msg("%s: a dry run has sent a request that changes something: %s",
                         cases[i].venue, changing[k]);
            }
        }
        gateway_rig_await(&rig, "/orders/0/state", "new");
        gateway_rig_await(&rig, "/orders/1", "");
        assert_has(shown, "dry run, not sent order");
        assert_has(shown, cases[i].shown);
        assert_has(shown, "dry run, not sent cancellation");
        assert_null(strstr(shown, secret_text(rig.secret)));
        gateway_rig_close(&rig);
    }
}

/* Once, and without what signs it. */
static void what_is_sent_is_logged(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_start(&rig);
        shown[0] = '\0';
        log_set_sink(note, NULL);
        gateway_rig_rest(&rig, "nd-1-1", "0.01", strrchr(cases[i].foreign, ' ') + 1);
        const struct gateway_call cancel = {.kind = GATEWAY_CANCEL,
                                            .question = {.client_id = "nd-1-1"}};
        gateway_rig_do(&rig, &cancel);
        gateway_rig_await(&rig, "/orders/0/state", "cancelled");
        log_set_sink(NULL, NULL);
        const char *order = strstr(shown, ": sending order /");
        assert_non_null(order);
        assert_null(strstr(order + 1, ": sending order /"));
        assert_has(shown, ": sending cancellation /");
        assert_null(strstr(shown, "ignature="));
        assert_null(strstr(shown, secret_text(rig.secret)));
        gateway_rig_close(&rig);
    }
}

/* True: the connection has carried an order. */
static bool carried_orders(const char *venue, const struct json_object *kinds)
{
    static const char *const theirs[] = {"place", "cancel", "amend"};
    size_t count = json_object_array_length(kinds), found = 0;
    bool order = false, end = false;
    for (size_t i = 0; i < count; i++) {
        const char *kind = json_object_get_string(json_object_array_get_idx(kinds, i));
        for (size_t k = 0; k < COUNT_OF(theirs); k++) {
            found += strcmp(kind, theirs[k]) == 0 ? 1 : 0;
        }
        order |= strcmp(kind, "place") == 0;
        end |= strcmp(kind, "cancel") == 0;
    }
    if (found > 0 && (found < count || (order && !end))) {
        fail_msg("%s: a connection carried %zu kinds, %zu of them of orders", venue, count, found);
    }
    return order;
}

/* And it carries nothing else. */
static void orders_have_a_connection_of_their_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_start(&rig);
        gateway_rig_rest(&rig, "nd-1-1", "0.01", strrchr(cases[i].foreign, ' ') + 1);
        const struct gateway_call cancel = {.kind = GATEWAY_CANCEL,
                                            .question = {.client_id = "nd-1-1"}};
        gateway_rig_do(&rig, &cancel);
        gateway_rig_await(&rig, "/orders/0/state", "cancelled");
        AUTO_JSON struct json_object *found = fake_venue_state(rig.fake);
        const struct json_object *all = json_get(found, "carried");
        int with_orders = 0;
        for (size_t k = 0; k < json_object_array_length(all); k++) {
            with_orders +=
                carried_orders(cases[i].venue, json_object_array_get_idx(all, k)) ? 1 : 0;
        }
        assert_int_equal(with_orders, 1);
        gateway_rig_close(&rig);
    }
}

/* Each on a connection that is open already; a venue with nonces has one after another. What was
 * only expected is not sent. */
static void orders_at_once_need_not_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES && fake_venue_available(); i++) {
        struct gateway_rig rig;
        const char *price = strrchr(cases[i].foreign, ' ') + 1;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_start(&rig);
        const struct gateway_call expect = {.kind = GATEWAY_EXPECT,
                                            .question = {.symbol = cases[i].symbol}};
        gateway_rig_do(&rig, &expect);
        gateway_rig_fake(&rig, "fault place 1 delay-after 0.3");
        gateway_rig_send(&rig, "nd-1-1", "0.01", price);
        gateway_rig_send(&rig, "nd-1-2", "0.01", price);
        gateway_rig_await_orders(&rig, 2);
        assert_int_equal(gateway_rig_requests(&rig, "place"), 2);
        AUTO_JSON struct json_object *found = fake_venue_state(rig.fake);
        const struct json_object *all = json_get(found, "carried");
        int with_orders = 0;
        for (size_t k = 0; k < json_object_array_length(all); k++) {
            const struct json_object *kinds = json_object_array_get_idx(all, k);
            with_orders +=
                json_object_array_length(kinds) > 0 &&
                strcmp(json_object_get_string(json_object_array_get_idx(kinds, 0)), "place") == 0;
        }
        assert_int_equal(with_orders, rig.api.nonce ? 1 : 2);
        gateway_rig_close(&rig);
    }
}

/* The real venue in test mode would trade with real money; the test system does not tell what a key
 * may do. */
static void an_address_of_the_other_kind_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *venue;
        enum venue_mode mode;
        const char *url, *stream_url;
        const char *context; /* NULL: it is accepted */
    } rows[] = {
        {"binance", VENUE_DRY_RUN, "https://testnet.binance.vision", "", "venue.url is the test"},
        {"binance", VENUE_LIVE, "https://testnet.binance.vision/", "", "venue.url is the test"},
        {"binance", VENUE_LIVE, "", "wss://ws-api.testnet.binance.vision/ws-api/v3",
         "venue.stream_url is the test"},
        {"binance", VENUE_SANDBOX, "https://api.binance.com", "", "venue.url is the real"},
        {"binance", VENUE_SANDBOX, "https://testnet.binance.vision", "", NULL},
        {"binance", VENUE_DRY_RUN, "https://api.binance.com:443/", "", NULL},
        {"binance", VENUE_LIVE, "http://127.0.0.1:8080", "ws://127.0.0.1:8080", NULL},
        {"alpaca", VENUE_SANDBOX, "https://api.alpaca.markets", "", "venue.url is the real"},
        {"alpaca", VENUE_LIVE, "", "wss://paper-api.alpaca.markets/stream",
         "venue.stream_url is the test"},
        {"alpaca", VENUE_LIVE, "", "", NULL},
        {"alpaca", VENUE_LIVE, "http://proxy.example", "", "venue.url: the key would be sent"},
        {"alpaca", VENUE_LIVE, "", "ws://127.0.0.1.example/stream",
         "venue.stream_url: the key would be sent without encryption"},
        {"alpaca", VENUE_LIVE, "http://localhost", "ws://[::1]:82", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = {0};
        struct venue_settings settings = {.real = {.mode = rows[i].mode,
                                                   .key_id = "0123456789abcdef",
                                                   .key_secret = "0123456789abcdef",
                                                   .url = rows[i].url,
                                                   .stream_url = rows[i].stream_url,
                                                   .ca_file = ""}};
        (void)str_copy(str_c(rows[i].venue), settings.name, sizeof(settings.name));
        int rc = venue_check_settings(&settings, &err);
        if (rows[i].context == NULL
                ? rc != 0
                : rc != -ERR_VENUE_MODE || strstr(err.context, rows[i].context) == NULL) {
            fail_msg("row %zu: %d, %s", i, rc, err.context);
        }
    }
}

/* One that a process before this one has met. */
static void a_ban_is_waited_for(void **state)
{
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    gateway_rig_prepare(&rig, "binance", &cases[0].symbol, 1, NULL);
    rig.options.banned_us = 90 * USEC_PER_SEC;
    shown[0] = '\0';
    log_set_sink(note, NULL);
    rig.gateway = gateway_new(&rig.options);
    gateway_start(rig.gateway);
    gateway_rig_pass(&rig, 80);
    log_set_sink(NULL, NULL);
    assert_has(shown, "VENUE_BANNED");
    static const char *const kinds[] = {"time", "rules", "check", "coins"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        assert_int_equal(gateway_rig_requests(&rig, kinds[i]), 0);
    }
    gateway_rig_pass(&rig, 8);
    gateway_rig_wait_ready(&rig);
    gateway_rig_close(&rig);
}

UNIT_GROUP(modes, cmocka_unit_test(a_dry_run_changes_nothing),
           cmocka_unit_test(what_is_sent_is_logged),
           cmocka_unit_test(orders_have_a_connection_of_their_own),
           cmocka_unit_test(orders_at_once_need_not_wait), cmocka_unit_test(a_ban_is_waited_for),
           cmocka_unit_test(an_address_of_the_other_kind_is_refused))
