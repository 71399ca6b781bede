/*
 * The order path with TLS: fakes with certificates that are right and wrong.
 */
#include "../io/scratch.h"
#include "base/buf.h"
#include "base/log.h"
#include "gateway_rig.h"
#include "unit/unit.h"
#include "venue/market_feed.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *venue;
    struct symbol symbol;
    const char *price; /* far below the market */
    const char *before;
} cases[] = {
    {"binance", {.name = "BTC-USDT"}, "59000", NULL},
    {"kraken", {.name = "BTC-USD"}, "50000", "limits 1000 1000 1000 1000"},
    {"alpaca", {.name = "BTC-USD"}, "50000", NULL},
};

/* What a person reads about it. */
static char complaint[512];

static void note(const struct log_line *line, void *userdata)
{
    (void)userdata;
    if (strstr(line->message, "cannot trade at the venue") != NULL) {
        (void)snprintf(complaint, sizeof(complaint), "%s", line->message);
    }
}

/* An authority, and certificates of it: for 127.0.0.1, for another host, and one that is over; and
 * one that is signed by itself. False: no openssl. */
static bool make_certificates(const struct scratch *s)
{
    AUTO_BUF struct buf command = BUF_INIT(4096);
    buf_addf(&command,
             "cd %s && exec 2> /dev/null && ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'"
             " && openssl req -x509 $ec -days 2 -subj /CN=authority -keyout ca.key -out ca"
             " && sign() { openssl req $ec -subj /CN=venue -keyout $1.key -out $1.csr"
             " && echo subjectAltName=$2 > $1.ext && openssl x509 -req -in $1.csr -CA ca"
             " -CAkey ca.key -CAcreateserial -days $3 -extfile $1.ext -out $1; }"
             " && sign right IP:127.0.0.1 2 && sign other DNS:venue.example 2"
             " && sign over IP:127.0.0.1 -1"
             " && openssl req -x509 $ec -days 2 -subj /CN=venue -addext subjectAltName=IP:127.0.0.1"
             " -keyout own.key -out own",
             s->folder);
    return system(command.data) == 0;
}

static void prepare(struct gateway_rig *rig, struct scratch *s, size_t i, const char *certificate)
{
    char key[16];
    (void)snprintf(key, sizeof(key), "%s.key", certificate);
    gateway_rig_prepare_tls(rig, cases[i].venue, &cases[i].symbol, 1, scratch_path(s, certificate),
                            scratch_path(s, key));
    rig->options.ca_file = scratch_path(s, "ca");
}

static void cancel_there(struct gateway_rig *rig)
{
    char line[128];
    AUTO_JSON struct json_object *seen = fake_venue_state(rig->fake);
    (void)snprintf(line, sizeof(line), "cancel %s",
                   json_text(json_at(seen, "/orders/0"), "client_id"));
    gateway_rig_fake(rig, line);
}

static void orders_and_their_stream_go_through_it(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    if (!fake_venue_available() || !make_certificates(&s)) {
        skip();
    }
    for (size_t i = 0; i < (UNIT_SANITIZED ? 1 : COUNT_OF(cases)); i++) {
        struct gateway_rig rig;
        prepare(&rig, &s, i, "right");
        assert_non_null(strstr(rig.options.url, "https://"));
        assert_non_null(strstr(rig.options.stream_url, "wss://"));
        if (cases[i].before != NULL) {
            gateway_rig_fake(&rig, cases[i].before);
        }
        gateway_rig_start(&rig);
        gateway_rig_rest(&rig, "nd-1-1", "0.01", cases[i].price);
        gateway_rig_await(&rig, "/orders/0/state", "new");
        /* Only the stream of the account tells of it: nobody asks. */
        cancel_there(&rig);
        for (int turns = 0; rig.order.state != ORDER_CANCELLED && turns < 10000; turns++) {
            gateway_rig_turn(&rig);
        }
        assert_int_equal(rig.order.state, ORDER_CANCELLED);
        gateway_rig_close(&rig);
    }
}

static void a_wrong_certificate_gets_no_order(void **state)
{
    (void)state;
    static const struct {
        const char *certificate, *why;
    } wrong[] = {
        {"own", "self-signed certificate"},
        {"other", "127.0.0.1"},
        {"over", "certificate has expired"},
    };
    AUTO_SCRATCH struct scratch s = scratch_make();
    if (!fake_venue_available() || !make_certificates(&s)) {
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct gateway_rig rig;
        const char *why = wrong[i].why;
        prepare(&rig, &s, i, wrong[i].certificate); /* the first request of each is another one */
        complaint[0] = '\0';
        log_set_sink(note, NULL);
        rig.gateway = gateway_new(&rig.options);
        gateway_start(rig.gateway);
        for (int turns = 0; rig.state != VENUE_DOWN && turns < 10000; turns++) {
            gateway_rig_turn(&rig);
        }
        assert_int_equal(rig.state, VENUE_DOWN);
        struct gateway_call call = {.kind = GATEWAY_SEND,
                                    .order = {.client_id = "nd-1-1",
                                              .symbol = cases[0].symbol,
                                              .type = ORDER_TYPE_MARKET,
                                              .qty = dec_from_double(0.01)}};
        call.order.symbol = rig.symbols[0];
        gateway_rig_do(&rig, &call);
        gateway_rig_await_orders(&rig, 1);
        assert_int_equal(rig.order.state, ORDER_REJECTED);
        log_set_sink(NULL, NULL);
        assert_has(complaint, "TLS connection refused");
        assert_has(complaint, why);
        /* Not one request has arrived. */
        AUTO_JSON struct json_object *seen = fake_venue_state(rig.fake);
        assert_int_equal(json_object_object_length(json_get(seen, "requests")), 0);
        assert_int_equal(json_len(json_get(seen, "log")), 0);
        gateway_rig_close(&rig);
    }
}

/* Real time passes on the thread of the feed. */
static bool is_up(struct market_feed *market, const struct symbol *symbol)
{
    struct market_history *history = NULL;
    for (int i = 0; i < 6000 && !market_feed_status(market)->up; i++) {
        if (history == NULL) {
            (void)market_feed_warm(market, symbol, 1, &history, NULL);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    market_history_free(history);
    return market_feed_status(market)->up;
}

static void prices_come_through_it(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    struct fake_venue *fake = NULL;
    struct shared shared;
    struct err err = {0};
    struct live_settings settings = {.venue = "binance"};
    if (!fake_venue_available() || !make_certificates(&s)) {
        skip();
    }
    assert_int_equal(fake_venue_start_tls("binance", scratch_path(&s, "right"),
                                          scratch_path(&s, "right.key"), &fake),
                     0);
    (void)str_copy(str_c(fake_venue_url(fake)), settings.url, sizeof(settings.url));
    (void)str_copy(str_c(fake_venue_stream_url(fake)), settings.stream_url,
                   sizeof(settings.stream_url));
    (void)str_copy(str_c(scratch_path(&s, "ca")), settings.ca_file, sizeof(settings.ca_file));
    shared_init(&shared, 1);
    struct feed *feed = feed_new(&(struct feed_options){.shared = &shared}, &err);
    struct market_feed *market = market_feed_new(
        &(struct market_feed_options){
            .settings = &settings, .feed = feed, .clock = clock_real(), .symbols = 1},
        &err);
    assert_non_null(market);
    assert_int_equal(feed_start(feed, &err), 0);
    if (!is_up(market, &cases[0].symbol)) {
        fail_msg("no prices: %s, %s", market_feed_status(market)->reason,
                 market_feed_status(market)->doing);
    }
    assert_true(feed_stop(feed));
    market_feed_free(market);
    feed_free(feed);
    shared_release(&shared);
    fake_venue_stop(fake);
}

UNIT_GROUP(tls, cmocka_unit_test(orders_and_their_stream_go_through_it),
           cmocka_unit_test(a_wrong_certificate_gets_no_order),
           cmocka_unit_test(prices_come_through_it))
