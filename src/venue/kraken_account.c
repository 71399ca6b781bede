#include "account_tables.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/http.h"
#include "io/secret.h"
#include "io/signing_key.h"
#include "kraken_parts.h"

#include <string.h>

/* Requests to Kraken spot, and the table. https://docs.kraken.com/api/docs/guides/spot-rest-auth
 * Kraken has no sandbox. */

#define FORM "application/x-www-form-urlencoded"

/* The counter of requests holds 15 and falls by one in three seconds with the lowest level of an
 * account, so that a third of a request is the unit here. Orders have a counter of their own. */
#define WEIGHT         3
#define WEIGHT_HISTORY 6
/* A cancellation counts more the younger the order is; this is that of one older than 15 s. */
#define WEIGHT_CANCEL 4
/* So does an amendment; this is that of a new one. */
#define WEIGHT_AMEND 4

/* ---------------------------------------------------------------- signature */

static int make_key(const struct account_key *key, struct signing_key **ret, struct err *err)
{
    return signing_key_new(key->secret, SIGNING_KEY_BASE64, "secret key of " KRAKEN, ret, err);
}

static int check_key(const struct account_key *key, struct err *err)
{
    AUTO_SIGNING_KEY struct signing_key *made = NULL;
    int rc = account_check_id(KRAKEN, key->id, err);
    return rc < 0 ? rc : make_key(key, &made, err);
}

/* HMAC-SHA-512 of path and SHA-256(nonce, body); the body has the nonce too. */
static int sign(const struct account_key *key, const struct account_moment *moment,
                struct account_request *request, struct err *err)
{
    AUTO_SIGNING_KEY struct signing_key *made = NULL;
    AUTO_BUF struct buf body = BUF_INIT(request->body.max);
    AUTO_BUF struct buf text = BUF_INIT(request->body.max + 32);
    uint8_t digest[SECRET_SHA256_SIZE];
    int rc = make_key(key, &made, err);
    if (rc < 0) {
        return rc;
    }
    buf_addf(&body, "nonce=%llu%s", (unsigned long long)moment->nonce,
             request->body.len > 0 ? "&" : "");
    buf_add_str(&body, buf_str(&request->body));
    buf_addf(&text, "%llu", (unsigned long long)moment->nonce);
    buf_add_str(&text, buf_str(&body));
    secret_sha256(buf_str(&text), digest);
    buf_clear(&text);
    buf_add_str(&text, buf_str(&request->path));
    buf_add(&text, digest, sizeof(digest));
    buf_clear(&request->body);
    buf_add_str(&request->body, buf_str(&body));
    request->content_type = FORM;
    buf_addf(&request->headers, "API-Key: %.*s\nAPI-Sign: ", STR_ARG(key->id));
    signing_key_add(made, buf_str(&text), SIGNING_BASE64, &request->headers);
    buf_add_char(&request->headers, '\n');
    return 0;
}

/* ---------------------------------------------------------------- requests */

static void begin(struct account_request *request, const char *path, int weight)
{
    request->method = ACCOUNT_POST;
    request->weight = weight;
    request->content_type = FORM;
    buf_add_c(&request->path, path);
}

static void add(struct account_request *request, const char *name, const char *value)
{
    buf_addf(&request->body, "%s%s=", request->body.len > 0 ? "&" : "", name);
    http_add_encoded(&request->body, str_c(value));
}

static void add_dec(struct account_request *request, const char *name, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    add(request, name, dec_text(value, text));
}

static void add_number(struct account_request *request, const char *name, int64_t value)
{
    buf_addf(&request->body, "%s%s=%lld", request->body.len > 0 ? "&" : "", name, (long long)value);
}

static void add_check(bool sandbox, struct account_request *request)
{
    (void)sandbox;
    begin(request, KRAKEN_CHECK, WEIGHT);
}

static void add_rules(const struct symbol *symbols, int count, struct account_request *request)
{
    request->method = ACCOUNT_GET;
    request->weight = WEIGHT;
    request->is_public = true;
    buf_add_c(&request->path, KRAKEN_ASSET_PAIRS "?pair=");
    for (int i = 0; i < count; i++) {
        buf_add_c(&request->path, i > 0 ? "," : "");
        kraken_add_pair(&symbols[i], &request->path);
    }
}

static void add_coins(const char *cursor, struct account_request *request)
{
    (void)cursor;
    begin(request, KRAKEN_BALANCE, WEIGHT);
}

static const char *type_name(enum order_type type)
{
    switch (type) {
    case ORDER_TYPE_MARKET:
        return "market";
    case ORDER_TYPE_LIMIT:
        return "limit";
    case ORDER_TYPE_STOP:
        return "stop-loss";
    }
    return "limit";
}

/* The matching engine refuses the request afterwards. Kraken wants a time that is 2 to 60 s ahead.
 */
static void add_deadline(int64_t until_us, struct account_request *request)
{
    AUTO_BUF struct buf deadline = BUF_INIT(64);
    if (until_us != 0) {
        clock_add_iso(&deadline, until_us, true);
        add(request, "deadline", deadline.data);
    }
}

static void add_order(const struct account_order_ask *ask, struct account_request *request)
{
    AUTO_BUF struct buf pair = BUF_INIT(64);
    bool limit = ask->type == ORDER_TYPE_LIMIT;
    begin(request, KRAKEN_ADD, 0);
    request->order_weight = 1;
    kraken_add_pair(&ask->market->symbol, &pair);
    add(request, "ordertype", type_name(ask->type));
    add(request, "pair", pair.data);
    if (ask->type != ORDER_TYPE_MARKET) {
        add_dec(request, "price", ask->price);
    }
    add(request, "type", ask->buys ? "buy" : "sell");
    add_dec(request, "volume", ask->qty);
    add(request, "cl_ord_id", ask->client_id);
    add(request, "oflags", limit && ask->post_only ? "post,fciq" : "fciq");
    if (limit && ask->time_in_force == TIF_IOC) {
        add(request, "timeinforce", "IOC");
    }
    add_deadline(ask->until_us, request);
}

/* https://docs.kraken.com/api/docs/rest-api/amend-order */
static bool add_amend(const struct account_amend_ask *ask, struct account_request *request)
{
    begin(request, KRAKEN_AMEND, 0);
    request->order_weight = WEIGHT_AMEND;
    add(request, ask->id[0] != '\0' ? "txid" : "cl_ord_id",
        ask->id[0] != '\0' ? ask->id : ask->client_id);
    add_dec(request, ask->type == ORDER_TYPE_STOP ? "trigger_price" : "limit_price", ask->price);
    add_deadline(ask->until_us, request);
    return true;
}

/* By its own id in one step; by ours among the open orders, then the closed ones: so an order that
 * ends in between is found. */
static bool add_query(const struct account_find *find, int step, struct account_request *request)
{
    if (find->id[0] != '\0') {
        if (step == 0) {
            begin(request, KRAKEN_QUERY, WEIGHT);
            add(request, "txid", find->id);
        }
        return step == 0;
    }
    if (step > 1) {
        return false;
    }
    begin(request, step == 0 ? KRAKEN_OPEN : KRAKEN_CLOSED, step == 0 ? WEIGHT : WEIGHT_HISTORY);
    add(request, "cl_ord_id", find->client_id);
    return true;
}

static void add_cancel(const struct account_find *find, struct account_request *request)
{
    begin(request, KRAKEN_CANCEL, 0);
    request->order_weight = WEIGHT_CANCEL;
    add(request, find->id[0] != '\0' ? "txid" : "cl_ord_id",
        find->id[0] != '\0' ? find->id : find->client_id);
}

static void add_open(const struct account_page *page, struct account_request *request)
{
    (void)page;
    begin(request, KRAKEN_OPEN, WEIGHT);
}

/* start is exclusive; both are whole seconds. */
static void add_fills(const struct account_page *page, struct account_request *request)
{
    begin(request, KRAKEN_TRADES, WEIGHT_HISTORY);
    if (page->since_us > 0) {
        add_number(request, "start", page->since_us / USEC_PER_SEC - 1);
    }
    if (page->until_us > 0) {
        add_number(request, "end", page->until_us / USEC_PER_SEC + 1);
    }
    if (page->cursor[0] != '\0') {
        add(request, "ofs", page->cursor);
    }
}

static void add_guard(const struct exchange_market *market, int64_t timeout_ms,
                      struct account_request *request)
{
    (void)market;
    begin(request, KRAKEN_GUARD, WEIGHT);
    add_number(request, "timeout", (timeout_ms + 999) / 1000);
}

static void add_stream_key(const char *keep, struct account_request *request)
{
    (void)keep;
    begin(request, KRAKEN_TOKEN, WEIGHT);
}

static int read_stream_key(const struct json_object *root, struct buf *ret_key, struct err *err)
{
    const struct field_place place = {.venue = KRAKEN, .endpoint = KRAKEN_TOKEN, .row = -1};
    const char *token = NULL;
    int rc = field_text(&place, json_get(json_get(root, "result"), "token"), "token", &token, err);
    if (rc >= 0) {
        buf_add_c(ret_key, token);
    }
    return rc;
}

const struct account_api kraken_account = {
    .name = KRAKEN,
    .can =
        {
            .order_types = VENUE_SET(ORDER_TYPE_MARKET) | VENUE_SET(ORDER_TYPE_LIMIT) |
                           VENUE_SET(ORDER_TYPE_STOP),
            .times_in_force = VENUE_SET(TIF_GTC) | VENUE_SET(TIF_IOC),
            .post_only = true,
            .amend = true,
            .legs = VENUE_LEGS_STOP,
            .prices_in_ticks = true,
            .connection = true,
            .instruments = true,
            .balances = VENUE_BALANCES_CASH,
            .not_found_us = 60 * USEC_PER_SEC, /* its lists have been that late */
        },
    .url = "https://api.kraken.com",
    .stream_url = "wss://ws-auth.kraken.com/v2",
    .limit = 15 * WEIGHT,
    .falls_per_s = 1,
    .order_limit = 60, /* per market; one budget for all is the safe side */
    .order_falls_per_s = 1,
    .nonce = true,
    .check_key = check_key,
    .sign = sign,
    .judge = kraken_judge,
    .add_check = add_check,
    .read_check = kraken_read_check,
    .is_market = kraken_is_market,
    .add_rules = add_rules,
    .read_rules = kraken_read_rules,
    .add_coins = add_coins,
    .read_coins = kraken_read_coins,
    .add_order = add_order,
    .read_order = kraken_read_order,
    .add_query = add_query,
    .add_cancel = add_cancel,
    .add_amend = add_amend,
    .amends_in_place = true,
    .add_open = add_open,
    .read_open = kraken_read_open,
    .add_fills = add_fills,
    .read_fills = kraken_read_fills,
    .add_guard = add_guard,
    .add_stream_key = add_stream_key,
    .read_stream_key = read_stream_key,
    .add_stream_login = kraken_add_stream_login,
    .stream_silence_us = 10 * USEC_PER_SEC, /* heartbeats come every second */
    .read_stream = kraken_read_stream,
};
