#include "account_tables.h"
#include "base/check.h"
#include "base/clock.h"
#include "coinbase_parts.h"
#include "io/http.h"
#include "io/json_out.h"
#include "io/jwt.h"

#include <string.h>

/* Requests to Coinbase Advanced Trade, and the table.
 * https://docs.cdp.coinbase.com/api-reference/advanced-trade-api */

#define JSON     "application/json"
#define ROWS     "250"
#define LIFE_S   120
#define LATE_S   60 /* of it, for clocks that differ and for the way */
#define KID_MAX  512
#define KEY_FORM (SIGNING_KEY_ED25519 | SIGNING_KEY_PEM)

/* ---------------------------------------------------------------- tokens */

static int make_key(const struct account_key *key, struct signing_key **ret, struct err *err)
{
    return signing_key_new(key->secret, KEY_FORM, "secret key of " COINBASE, ret, err);
}

static int check_key(const struct account_key *key, struct err *err)
{
    AUTO_SIGNING_KEY struct signing_key *made = NULL;
    int rc = account_check_id(COINBASE, key->id, err);
    if (rc >= 0 && key->id.len >= KID_MAX) {
        rc = err_set(err, ERR_VENUE_KEY, COINBASE ": its id is too long");
    }
    return rc < 0 ? rc : make_key(key, &made, err);
}

/* uri: of a request; NULL: of a stream. The token begins a little earlier, since clocks differ. */
static int add_token(const struct account_key *key, const struct account_moment *moment,
                     const char *uri, struct buf *out, struct err *err)
{
    AUTO_SIGNING_KEY struct signing_key *made = NULL;
    AUTO_BUF struct buf claims = BUF_INIT(4096);
    char id[KID_MAX];
    int64_t now_s = moment->wall_us / USEC_PER_SEC;
    int rc = make_key(key, &made, err);
    if (rc < 0) {
        return rc;
    }
    str_cut(key->id, id, sizeof(id));
    struct json_out json = JSON_OUT(&claims);
    json_out_object(&json, NULL);
    json_out_text(&json, "sub", id);
    json_out_text(&json, "iss", "cdp");
    json_out_i64(&json, "nbf", now_s);
    json_out_i64(&json, "exp", now_s + LIFE_S);
    if (uri != NULL) {
        json_out_text(&json, "uri", uri);
    }
    json_out_end(&json);
    jwt_add(made, id, buf_str(&claims), out);
    return 0;
}

static int sign(const struct account_key *key, const struct account_moment *moment,
                struct account_request *request, struct err *err)
{
    AUTO_BUF struct buf uri = BUF_INIT(4096);
    buf_addf(&uri, "%s %s%.*s", request->method == ACCOUNT_POST ? "POST" : "GET", moment->host,
             (int)strcspn(request->path.data, "?"), request->path.data);
    buf_add_c(&request->headers, "Authorization: Bearer ");
    int rc = add_token(key, moment, uri.data, &request->headers, err);
    buf_add_char(&request->headers, '\n');
    return rc;
}

/* ---------------------------------------------------------------- requests */

static void get(struct account_request *request, const char *path)
{
    request->method = ACCOUNT_GET;
    request->weight = 1;
    buf_add_c(&request->path, path);
}

static void post(struct account_request *request, const char *path)
{
    request->method = ACCOUNT_POST;
    request->weight = 1;
    request->content_type = JSON;
    buf_add_c(&request->path, path);
}

static void add(struct account_request *request, const char *name, const char *value)
{
    bool first = strchr(request->path.data, '?') == NULL;
    if (value[0] != '\0') {
        buf_addf(&request->path, "%c%s=", first ? '?' : '&', name);
        http_add_encoded(&request->path, str_c(value));
    }
}

static void add_time(struct account_request *request, const char *name, int64_t wall_us)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    if (wall_us > 0) {
        clock_add_iso(&text, wall_us, true);
        add(request, name, text.data);
    }
}

static void add_check(bool sandbox, struct account_request *request)
{
    (void)sandbox;
    get(request, COINBASE_CHECK);
}

static void add_rules(const struct symbol *symbols, int count, struct account_request *request)
{
    get(request, COINBASE_PRODUCTS);
    request->is_public = true;
    for (int i = 0; i < count; i++) {
        add(request, "product_ids", symbols[i].name);
    }
}

static void add_coins(const char *cursor, struct account_request *request)
{
    get(request, COINBASE_ACCOUNTS);
    add(request, "limit", ROWS);
    add(request, "cursor", cursor);
}

static const char *configuration(const struct account_order_ask *ask)
{
    if (ask->type == ORDER_TYPE_MARKET) {
        return "market_market_ioc";
    }
    if (ask->type == ORDER_TYPE_STOP) {
        return "stop_limit_stop_limit_gtc";
    }
    switch (ask->time_in_force) {
    case TIF_GTC:
    case TIF_DAY:
        return "limit_limit_gtc";
    case TIF_IOC:
        return "sor_limit_ioc";
    case TIF_FOK:
        return "limit_limit_fok";
    }
    return "limit_limit_gtc";
}

static void add_order(const struct account_order_ask *ask, struct account_request *request)
{
    struct json_out out = JSON_OUT(&request->body);
    char text[DEC_TEXT_SIZE];
    post(request, COINBASE_ORDERS);
    json_out_object(&out, NULL);
    json_out_text(&out, "client_order_id", ask->client_id);
    json_out_text(&out, "product_id", ask->market->name);
    json_out_text(&out, "side", ask->buys ? "BUY" : "SELL");
    json_out_object(&out, "order_configuration");
    json_out_object(&out, configuration(ask));
    json_out_text(&out, "base_size", dec_text(ask->qty, text));
    if (ask->type == ORDER_TYPE_LIMIT) {
        json_out_text(&out, "limit_price", dec_text(ask->price, text));
    } else if (ask->type == ORDER_TYPE_STOP) {
        json_out_text(&out, "limit_price", dec_text(account_stop_limit(ask), text));
        json_out_text(&out, "stop_price", dec_text(ask->price, text));
        json_out_text(&out, "stop_direction",
                      ask->buys ? "STOP_DIRECTION_STOP_UP" : "STOP_DIRECTION_STOP_DOWN");
    }
    if (ask->post_only) {
        json_out_bool(&out, "post_only", true);
    }
    json_out_end(&out);
    json_out_end(&out);
    json_out_end(&out);
}

static bool add_query(const struct account_find *find, int step, struct account_request *request)
{
    if (step > 0 || find->id[0] == '\0') {
        return false;
    }
    get(request, COINBASE_HISTORY "/");
    http_add_encoded(&request->path, str_c(find->id));
    return true;
}

static void add_cancel(const struct account_find *find, struct account_request *request)
{
    struct json_out out = JSON_OUT(&request->body);
    post(request, COINBASE_CANCEL);
    json_out_object(&out, NULL);
    json_out_array(&out, "order_ids");
    json_out_text(&out, NULL, find->id);
    json_out_end(&out);
    json_out_end(&out);
}

static void add_list(const struct account_page *page, struct account_request *request)
{
    get(request, COINBASE_LIST);
    if (page->market != NULL) {
        add(request, "product_ids", page->market->name);
    }
}

/* Orders that wait to be opened are not among the open ones, and cannot be asked for with them:
 * they are a list of their own. It is read first, so that none is missed that is opened between the
 * two. The first character of a cursor says which list it is of. */
static void add_open(const struct account_page *page, struct account_request *request)
{
    add_list(page, request);
    if (page->cursor[0] == COINBASE_OPEN) {
        add(request, "order_status", "OPEN");
    } else {
        add(request, "order_status", "PENDING");
        add(request, "order_status", "QUEUED");
    }
    add(request, "limit", ROWS);
    add(request, "cursor", page->cursor[0] != '\0' ? page->cursor + 1 : "");
}

static void add_history(const struct account_page *page, struct account_request *request)
{
    add_list(page, request);
    add_time(request, "start_date", page->since_us);
    add(request, "limit", ROWS);
    add(request, "cursor", page->cursor);
}

static void add_fills(const struct account_page *page, struct account_request *request)
{
    get(request, COINBASE_FILLS);
    add(request, "order_ids", page->order_id);
    if (page->market != NULL) {
        add(request, "product_ids", page->market->name);
    }
    add_time(request, "start_sequence_timestamp", page->since_us);
    add_time(request, "end_sequence_timestamp", page->until_us);
    add(request, "limit", ROWS);
    add(request, "cursor", page->cursor);
}

/* Without heartbeats a channel is closed after a minute without events. */
static int add_stream_login(int n, const struct account_key *key,
                            const struct account_moment *moment, const char *stream_key,
                            struct buf *message, struct err *err)
{
    static const char *const channels[] = {"user", "heartbeats"};
    AUTO_BUF struct buf token = BUF_INIT(8192);
    (void)stream_key;
    if (n >= (int)COUNT_OF(channels)) {
        return 0;
    }
    int rc = add_token(key, moment, NULL, &token, err);
    if (rc < 0) {
        return rc;
    }
    struct json_out out = JSON_OUT(message);
    json_out_object(&out, NULL);
    json_out_text(&out, "type", "subscribe");
    json_out_text(&out, "channel", channels[n]);
    json_out_str(&out, "jwt", buf_str(&token));
    json_out_end(&out);
    return 1;
}

const struct account_api coinbase_account = {
    .name = COINBASE,
    .can =
        {
            .order_types = VENUE_SET(ORDER_TYPE_MARKET) | VENUE_SET(ORDER_TYPE_LIMIT) |
                           VENUE_SET(ORDER_TYPE_STOP),
            .legs = VENUE_LEGS_STOP,
            .times_in_force = VENUE_SET(TIF_GTC) | VENUE_SET(TIF_IOC) | VENUE_SET(TIF_FOK),
            .post_only = true,
            .prices_in_ticks = true,
            .connection = true,
            .instruments = true,
            .balances = VENUE_BALANCES_CASH,
            .not_found_us = 60 * USEC_PER_SEC,
        },
    .url = "https://api.coinbase.com",
    .stream_url = "wss://advanced-trade-ws-user.coinbase.com",
    .limit = 15, /* with what falls in a second, below 30 a second */
    .falls_per_s = 14,
    .window_us = LIFE_S * USEC_PER_SEC,
    .needs_id = true,
    .check_key = check_key,
    .sign = sign,
    .order_path = COINBASE_ORDERS,
    .order_signature_us = (LIFE_S - LATE_S) * USEC_PER_SEC,
    .judge = coinbase_judge,
    .add_check = add_check,
    .read_check = coinbase_read_check,
    .is_market = coinbase_is_market,
    .add_rules = add_rules,
    .read_rules = coinbase_read_rules,
    .add_coins = add_coins,
    .read_coins = coinbase_read_coins,
    .add_order = add_order,
    .read_order = coinbase_read_order,
    .add_query = add_query,
    .add_cancel = add_cancel,
    .add_open = add_open,
    .read_open = coinbase_read_open,
    .add_history = add_history,
    .add_fills = add_fills,
    .read_fills = coinbase_read_fills,
    .add_stream_login = add_stream_login,
    .stream_silence_us = 10 * USEC_PER_SEC, /* heartbeats come every second */
    .read_stream = coinbase_read_user,
};
