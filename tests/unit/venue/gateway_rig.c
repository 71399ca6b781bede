#include "gateway_rig.h"

#include "base/check.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/secret.h"
#include "unit/unit.h"

#include <string.h>

#define PATIENCE_US (60 * USEC_PER_SEC) /* real time, on a busy machine */
#define PASS_STEP   4                   /* seconds */
#define STEP_US     (2 * USEC_PER_MSEC) /* at most, of waiting for an event */

static void on_report(const struct venue_report *report, void *userdata)
{
    struct gateway_rig *rig = userdata;
    switch (report->kind) {
    case VENUE_CONNECTION:
        rig->state = report->venue_state;
        rig->ready = rig->state == VENUE_READY;
        break;
    case VENUE_ORDER:
        rig->order = *report;
        rig->orders++;
        break;
    case VENUE_LISTING:
        rig->listing = *report;
        rig->listings++;
        break;
    case VENUE_NO_ANSWER:
    case VENUE_NOT_FOUND:
        rig->unanswered++;
        break;
    case VENUE_INSTRUMENT:
        for (int i = 0; i < rig->options.symbol_count; i++) {
            if (symbol_equal(rig->symbols[i], report->instrument.symbol)) {
                rig->rules[i] = report->instrument;
            }
        }
        break;
    case VENUE_REFUSED:
        rig->refusal = *report;
        rig->refusals++;
        break;
    case VENUE_FUNDING:
    case VENUE_LIMIT:
    case VENUE_ACCOUNT:
        break;
    }
}

static const char *stream_path(const char *venue)
{
    return strcmp(venue, "binance") == 0           ? "/ws-api/v3"
           : strcmp(venue, "binance_futures") == 0 ? "/private"
           : strcmp(venue, "kraken") == 0          ? "/v2"
           : strcmp(venue, "alpaca") == 0          ? "/stream"
                                                   : "";
}

void gateway_rig_prepare_tls(struct gateway_rig *rig, const char *venue,
                             const struct symbol *symbols, int count, const char *certificate,
                             const char *key)
{
    struct err err = {0};
    *rig = (struct gateway_rig){.api = *account_api_find(venue), .symbols = symbols};
    rig->api.limit = rig->api.falls_per_s = 1000;
    for (int i = 0; i < GATEWAY_RIG_SYMBOLS; i++) {
        rig->rules[i].status = INSTRUMENT_CLOSE_ONLY; /* no venue reports it at a start */
    }
    ASSERT(count <= GATEWAY_RIG_SYMBOLS);
    assert_int_equal(secret_init(&err), 0);
    assert_int_equal(fake_venue_start_tls(venue, certificate, key, &rig->fake), 0);
    clock_fake_init(&rig->clock, clock_wall_us(clock_real()));
    rig->real_us = clock_mono_us(clock_real());
    rig->loop = loop_new_fake(&rig->clock, &err);
    rig->http = http_new(rig->loop, &err);
    rig->id = secret_new(str_c(fake_venue_key(rig->fake)));
    rig->secret = secret_new(str_c(fake_venue_secret(rig->fake)));
    (void)snprintf(rig->stream_url, sizeof(rig->stream_url), "%s%s",
                   fake_venue_stream_url(rig->fake), stream_path(venue));
    rig->options = (struct gateway_options){.loop = rig->loop,
                                            .http = rig->http,
                                            .api = &rig->api,
                                            .exchange = exchange_find(venue),
                                            .url = fake_venue_url(rig->fake),
                                            .stream_url = rig->stream_url,
                                            .key_id = rig->id,
                                            .key_secret = rig->secret,
                                            .sandbox = true,
                                            .policy = {.accept_unknown_withdrawal = true},
                                            .tag = "TEST",
                                            .symbols = symbols,
                                            .symbol_count = count,
                                            .leverage = 1,
                                            .report = on_report,
                                            .userdata = rig};
}

void gateway_rig_prepare(struct gateway_rig *rig, const char *venue, const struct symbol *symbols,
                         int count, const char *lines)
{
    gateway_rig_prepare_tls(rig, venue, symbols, count, NULL, NULL);
    if (lines != NULL) {
        gateway_rig_fake(rig, lines);
    }
}

/* Real time passes here too, so that the clocks of the venue and of the loop stay together. */
static void keep_up(struct gateway_rig *rig)
{
    (void)loop_iterate(rig->loop, STEP_US);
    int64_t now_us = clock_mono_us(clock_real());
    loop_advance(rig->loop, now_us - rig->real_us);
    rig->real_us = now_us;
}

void gateway_rig_turn(struct gateway_rig *rig)
{
    keep_up(rig);
}

/* One turn; false: patience is at its end. */
static bool turn(struct gateway_rig *rig, int64_t since_us)
{
    keep_up(rig);
    return clock_mono_us(clock_real()) - since_us < PATIENCE_US;
}

void gateway_rig_wait_ready(struct gateway_rig *rig)
{
    int64_t since_us = clock_mono_us(clock_real());
    while (!rig->ready) {
        if (!turn(rig, since_us)) {
            fail_msg("%s: not ready", rig->api.name);
        }
    }
}

void gateway_rig_start(struct gateway_rig *rig)
{
    rig->gateway = gateway_new(&rig->options);
    gateway_start(rig->gateway);
    gateway_rig_wait_ready(rig);
}

void gateway_rig_open(struct gateway_rig *rig, const char *venue, const struct symbol *symbols,
                      int count)
{
    gateway_rig_prepare(rig, venue, symbols, count, NULL);
    gateway_rig_start(rig);
}

void gateway_rig_kill(struct gateway_rig *rig)
{
    gateway_free(TAKE(rig->gateway));
    rig->ready = false;
}

void gateway_rig_close(struct gateway_rig *rig)
{
    AUTO_JSON struct json_object *state = fake_venue_state(rig->fake);
    if (json_len(json_get(state, "violations")) > 0) {
        fail_msg("%s: %s", rig->api.name,
                 json_object_to_json_string(json_get(state, "violations")));
    }
    gateway_rig_kill(rig);
    http_free(rig->http);
    loop_free(rig->loop);
    secret_free(rig->id);
    secret_free(rig->secret);
    fake_venue_stop(rig->fake);
}

void gateway_rig_do(struct gateway_rig *rig, const struct gateway_call *call)
{
    gateway_do(rig->gateway, call);
    gateway_flush(rig->gateway);
}

static void send_order(struct gateway_rig *rig, struct gateway_call *call, const char *client_id,
                       const char *qty, const char *price)
{
    call->kind = GATEWAY_SEND;
    call->order.symbol = rig->symbols[0];
    call->order.side = SIDE_LONG;
    call->order.state = ORDER_PREPARED;
    assert_true(dec_parse(str_c(qty), &call->order.qty) &&
                dec_parse(str_c(price), &call->order.price));
    (void)str_copy(str_c(client_id), call->order.client_id, sizeof(call->order.client_id));
    gateway_rig_do(rig, call);
}

void gateway_rig_send(struct gateway_rig *rig, const char *client_id, const char *qty,
                      const char *price)
{
    struct gateway_call call = {.order = {.kind = ORDER_ENTRY, .type = ORDER_TYPE_LIMIT}};
    send_order(rig, &call, client_id, qty, price);
}

/* Sends it, and waits until it rests. */
static void place(struct gateway_rig *rig, struct gateway_call *call, const char *client_id,
                  const char *qty, const char *price)
{
    send_order(rig, call, client_id, qty, price);
    int64_t since_us = clock_mono_us(clock_real());
    /* A late report about another order may come before. */
    while (strcmp(rig->order.client_id, client_id) != 0 && turn(rig, since_us)) {}
    if (strcmp(rig->order.client_id, client_id) != 0 || rig->order.state != ORDER_ACKED) {
        fail_msg("%s: the order is %s, %s", rig->api.name, order_state_name(rig->order.state),
                 rig->order.reason);
    }
}

void gateway_rig_rest(struct gateway_rig *rig, const char *client_id, const char *qty,
                      const char *price)
{
    struct gateway_call call = {.order = {.kind = ORDER_ENTRY,
                                          .type = ORDER_TYPE_LIMIT,
                                          .post_only = rig->api.can.post_only}};
    place(rig, &call, client_id, qty, price);
}

void gateway_rig_protect(struct gateway_rig *rig, const char *client_id, const char *qty,
                         const char *price)
{
    struct gateway_call call = {.order = {.kind = ORDER_STOP, .type = ORDER_TYPE_STOP}};
    place(rig, &call, client_id, qty, price);
}

void gateway_rig_await_count(struct gateway_rig *rig, const int *counter, int count)
{
    int64_t since_us = clock_mono_us(clock_real());
    while (*counter < count) {
        if (!turn(rig, since_us)) {
            fail_msg("%s: %d reports, not %d", rig->api.name, *counter, count);
        }
    }
}

void gateway_rig_await_orders(struct gateway_rig *rig, int count)
{
    gateway_rig_await_count(rig, &rig->orders, count);
}

void gateway_rig_await(struct gateway_rig *rig, const char *path, const char *value)
{
    int64_t since_us = clock_mono_us(clock_real());
    while (true) {
        AUTO_JSON struct json_object *state = fake_venue_state(rig->fake);
        const struct json_object *found = json_at(state, path);
        const char *text = found == NULL ? "" : json_object_get_string((struct json_object *)found);
        if (strcmp(text, value) == 0) {
            return;
        }
        if (!turn(rig, since_us)) {
            fail_msg("%s: %s is \"%s\", not \"%s\": %.2000s", rig->api.name, path, text, value,
                     json_object_to_json_string(json_at(state, "/orders")));
        }
    }
}

int64_t gateway_rig_requests(struct gateway_rig *rig, const char *kind)
{
    AUTO_JSON struct json_object *state = fake_venue_state(rig->fake);
    return json_i64(json_get(state, "requests"), kind, 0);
}

void gateway_rig_fake(struct gateway_rig *rig, const char *lines)
{
    const char *why = fake_venue_do(rig->fake, lines);
    if (why != NULL) {
        fail_msg("%s: %s", lines, why);
    }
}

/* In steps in which every answer arrives. */
void gateway_rig_pass(struct gateway_rig *rig, int seconds)
{
    char lines[32];
    while (seconds > 0) {
        int step = seconds < PASS_STEP ? seconds : PASS_STEP;
        seconds -= step;
        (void)snprintf(lines, sizeof(lines), "advance %d", step);
        gateway_rig_fake(rig, lines);
        loop_advance(rig->loop, step * USEC_PER_SEC);
        for (int k = 0; k < 10; k++) {
            keep_up(rig);
        }
    }
}
