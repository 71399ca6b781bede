#include "account_tables.h"
#include "alpaca_parts.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/http.h"
#include "io/json_out.h"

#include <string.h>

/* Requests to Alpaca's trading API, and the table. https://docs.alpaca.markets/reference
 * The paper account is its sandbox, with keys of its own. No call tells what a key may do: any may
 * ask for a transfer of coins to an address that is on the account's list. */

#define JSON  "application/json"
#define ROWS  "500"
#define FILLS "100"
/* Within ACCOUNT_DAYS_MAX. */
#define CALENDAR_US (31 * USEC_PER_DAY)
#define DATE_LEN    10
/* The day of New York, at least: it is still yesterday there in the first hours of ours. */
#define BEHIND_US (6 * USEC_PER_HOUR)

int alpaca_check_key(const struct account_key *key, struct err *err)
{
    int rc = account_check_id(ALPACA, key->id, err);
    if (rc >= 0 && account_check_id(ALPACA, key->secret, NULL) < 0) {
        rc = err_set(err, ERR_VENUE_KEY,
                     ALPACA ": its secret is empty, or has a space or a control character");
    }
    return rc;
}

int alpaca_sign(const struct account_key *key, struct buf *headers, struct err *err)
{
    int rc = alpaca_check_key(key, err);
    if (rc >= 0) {
        buf_addf(headers, "APCA-API-KEY-ID: %.*s\nAPCA-API-SECRET-KEY: %.*s\n", STR_ARG(key->id),
                 STR_ARG(key->secret));
    }
    return rc;
}

static int sign(const struct account_key *key, const struct account_moment *moment,
                struct account_request *request, struct err *err)
{
    (void)moment;
    return alpaca_sign(key, &request->headers, err);
}

int alpaca_add_login(const struct account_key *key, struct buf *message, struct err *err)
{
    struct json_out out = JSON_OUT(message);
    int rc = alpaca_check_key(key, err);
    if (rc < 0) {
        return rc;
    }
    json_out_object(&out, NULL);
    json_out_text(&out, "action", "auth");
    json_out_str(&out, "key", key->id);
    json_out_str(&out, "secret", key->secret);
    json_out_end(&out);
    return 1;
}

/* ---------------------------------------------------------------- requests */

static void begin(struct account_request *request, enum account_method method, const char *path)
{
    request->method = method;
    request->weight = 1;
    request->content_type = method == ACCOUNT_POST || method == ACCOUNT_PATCH ? JSON : NULL;
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
    begin(request, ACCOUNT_GET, ALPACA_WHITELISTS);
}

/* The list of all assets is longer than an answer may be. */
static void add_rules(const struct symbol *symbols, int count, struct account_request *request)
{
    AUTO_BUF struct buf name = BUF_INIT(64);
    ASSERT(count == 1);
    alpaca_add_name(&symbols[0], &name);
    begin(request, ACCOUNT_GET, ALPACA_ASSETS "/");
    http_add_encoded(&request->path, buf_str(&name));
}

static void add_hours(struct account_request *request)
{
    begin(request, ACCOUNT_GET, ALPACA_CLOCK);
}

static void add_calendar(int64_t now_us, struct account_request *request)
{
    AUTO_BUF struct buf from = BUF_INIT(64);
    AUTO_BUF struct buf until = BUF_INIT(64);
    clock_add_iso(&from, now_us - BEHIND_US, false);
    clock_add_iso(&until, now_us + CALENDAR_US, false);
    from.data[DATE_LEN] = until.data[DATE_LEN] = '\0';
    begin(request, ACCOUNT_GET, ALPACA_CALENDAR);
    add(request, "start", from.data);
    add(request, "end", until.data);
}

static void add_coins(const char *cursor, struct account_request *request)
{
    (void)cursor;
    begin(request, ACCOUNT_GET, ALPACA_ACCOUNT);
}

static void add_positions(struct account_request *request)
{
    begin(request, ACCOUNT_GET, ALPACA_POSITIONS);
}

/* A market order in stocks is of the day: it does not wait for days until a halted market opens. So
 * is each order for a part of a share: the venue takes no others. */
static const char *time_in_force(const struct account_order_ask *ask)
{
    if (ask->extended) {
        return "day";
    }
    bool stock = !alpaca_is_coin(&ask->market->symbol);
    bool market = ask->type == ORDER_TYPE_MARKET, part = ask->qty.e8 % DEC_ONE != 0;
    switch (ask->time_in_force) {
    case TIF_GTC:
        return stock && (market || part) ? "day" : "gtc";
    case TIF_DAY:
        return stock ? "day" : "gtc";
    case TIF_IOC:
        return stock && market && part ? "day" : "ioc";
    case TIF_FOK:
        return "fok";
    }
    return "gtc";
}

static void add_order(const struct account_order_ask *ask, struct account_request *request)
{
    struct json_out out = JSON_OUT(&request->body);
    char text[DEC_TEXT_SIZE];
    bool limit = ask->type == ORDER_TYPE_LIMIT, stop = ask->type == ORDER_TYPE_STOP;
    bool coin = alpaca_is_coin(&ask->market->symbol);
    begin(request, ACCOUNT_POST, ALPACA_ORDERS);
    json_out_object(&out, NULL);
    json_out_text(&out, "symbol", ask->market->name);
    json_out_text(&out, "qty", dec_text(ask->qty, text));
    json_out_text(&out, "side", ask->buys ? "buy" : "sell");
    json_out_text(&out, "type",
                  limit          ? "limit"
                  : stop && coin ? "stop_limit"
                  : stop         ? "stop"
                                 : "market");
    json_out_text(&out, "time_in_force", time_in_force(ask));
    if (ask->extended) {
        json_out_bool(&out, "extended_hours", true);
    }
    if (limit) {
        json_out_text(&out, "limit_price", dec_text(ask->price, text));
    } else if (stop) {
        json_out_text(&out, "stop_price", dec_text(ask->price, text));
    }
    if (stop && coin) { /* the only stop that coins have */
        json_out_text(&out, "limit_price", dec_text(account_stop_limit(ask), text));
    }
    json_out_text(&out, "client_order_id", ask->client_id);
    json_out_end(&out);
}

/* The venue makes a new order of it, as large as the old one was. So a stop of coins, which may be
 * filled in part after it has triggered, is not amended.
 * https://docs.alpaca.markets/reference/patchorderbyorderid-1 */
static bool add_amend(const struct account_amend_ask *ask, struct account_request *request)
{
    struct json_out out = JSON_OUT(&request->body);
    char text[DEC_TEXT_SIZE];
    if (ask->id[0] == '\0' || ask->type != ORDER_TYPE_STOP ||
        alpaca_is_coin(&ask->market->symbol)) {
        return false;
    }
    begin(request, ACCOUNT_PATCH, ALPACA_ORDERS "/");
    http_add_encoded(&request->path, str_c(ask->id));
    json_out_object(&out, NULL);
    json_out_text(&out, "stop_price", dec_text(ask->price, text));
    json_out_text(&out, "client_order_id", ask->next_id);
    json_out_end(&out);
    return true;
}

static bool add_query(const struct account_find *find, int step, struct account_request *request)
{
    if (step > 0) {
        return false;
    }
    if (find->id[0] != '\0') {
        begin(request, ACCOUNT_GET, ALPACA_ORDERS "/");
        http_add_encoded(&request->path, str_c(find->id));
    } else {
        begin(request, ACCOUNT_GET, ALPACA_FIND);
        add(request, "client_order_id", find->client_id);
    }
    return true;
}

static void add_cancel(const struct account_find *find, struct account_request *request)
{
    begin(request, ACCOUNT_DELETE, ALPACA_ORDERS "/");
    http_add_encoded(&request->path, str_c(find->id));
}

/* In the order in which they were sent, from the one after the cursor on, which is a time. */
static void add_open(const struct account_page *page, struct account_request *request)
{
    begin(request, ACCOUNT_GET, ALPACA_ORDERS);
    add(request, "status", "open");
    add(request, "limit", ROWS);
    add(request, "direction", "asc");
    if (page->market != NULL) {
        add(request, "symbols", page->market->name);
    }
    add(request, "after", page->cursor);
}

static void add_fills(const struct account_page *page, struct account_request *request)
{
    begin(request, ACCOUNT_GET, ALPACA_FILLS);
    add_time(request, "after", page->since_us);
    add_time(request, "until", page->until_us);
    add(request, "direction", "asc");
    add(request, "page_size", FILLS);
    add(request, "page_token", page->cursor);
}

/* By their day: a part of it would leave out those of its beginning. */
static void add_fees(const struct account_page *page, struct account_request *request)
{
    begin(request, ACCOUNT_GET, ALPACA_FEES);
    add(request, "activity_types", "FEE,CFEE");
    add_time(request, "after", page->since_us);
    add(request, "direction", "asc");
    add(request, "page_size", FILLS);
    add(request, "page_token", page->cursor);
}

/* Of coins that are bought; that of a sale, and those of stocks, come at the end of the day. */
static bool takes_coins(const struct exchange_market *market)
{
    return !alpaca_has_hours(market);
}

static int add_stream_login(int n, const struct account_key *key,
                            const struct account_moment *moment, const char *stream_key,
                            struct buf *message, struct err *err)
{
    struct json_out out = JSON_OUT(message);
    (void)moment;
    (void)stream_key;
    if (n == 0) {
        return alpaca_add_login(key, message, err);
    }
    if (n == 1) {
        json_out_object(&out, NULL);
        json_out_text(&out, "action", "listen");
        json_out_object(&out, "data");
        json_out_array(&out, "streams");
        json_out_text(&out, NULL, "trade_updates");
        json_out_end(&out);
        json_out_end(&out);
        json_out_end(&out);
    }
    return n == 1;
}

const struct account_api alpaca_account = {
    .name = ALPACA,
    .can =
        {
            .order_types = VENUE_SET(ORDER_TYPE_MARKET) | VENUE_SET(ORDER_TYPE_LIMIT) |
                           VENUE_SET(ORDER_TYPE_STOP),
            .amend = true,
            .legs = VENUE_LEGS_STOP,
            .times_in_force = VENUE_SET(TIF_GTC) | VENUE_SET(TIF_IOC),
            .prices_in_ticks = true,
            .connection = true,
            .instruments = true,
            .balances = VENUE_BALANCES_CASH,
            .not_found_us = 60 * USEC_PER_SEC,
        },
    .url = "https://api.alpaca.markets",
    .sandbox_url = "https://paper-api.alpaca.markets",
    .stream_url = "wss://api.alpaca.markets/stream",
    .sandbox_stream_url = "wss://paper-api.alpaca.markets/stream",
    .limit = 60, /* with what falls in a minute, below 200 a minute */
    .falls_per_s = 2,
    .positions = true,
    .takes_coins = takes_coins,
    .late_fees = true,
    .needs_id = true,
    .rules_max = 1,
    .check_key = alpaca_check_key,
    .sign = sign,
    .judge = alpaca_judge,
    .add_check = add_check,
    .read_check = alpaca_read_check,
    .is_market = alpaca_is_market,
    .add_rules = add_rules,
    .read_rules = alpaca_read_rules,
    .has_hours = alpaca_has_hours,
    .add_hours = add_hours,
    .read_hours = alpaca_read_hours,
    .add_calendar = add_calendar,
    .read_calendar = alpaca_read_calendar,
    .add_coins = add_coins,
    .read_coins = alpaca_read_coins,
    .add_positions = add_positions,
    .read_positions = alpaca_read_positions,
    .add_order = add_order,
    .read_order = alpaca_read_order,
    .add_query = add_query,
    .add_cancel = add_cancel,
    .add_amend = add_amend,
    .add_open = add_open,
    .read_open = alpaca_read_open,
    .add_fills = add_fills,
    .read_fills = alpaca_read_fills,
    .add_funding = add_fees,
    .read_funding = alpaca_read_fees,
    .add_stream_login = add_stream_login,
    .stream_silence_us = 60 * USEC_PER_SEC, /* only answers to our pings come */
    .read_stream = alpaca_read_updates,
};
