#include "account_tables.h"
#include "base/check.h"
#include "coinbase_parts.h"
#include "io/json_out.h"

#include <string.h>

/* Coinbase's streams, public and of the account.
 * https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
 * Messages of a connection are counted from 0, those of all its channels together; here from 1.
 * Its candles are of five minutes only, so those of a minute are made from its trades. */

#define USER   "user"
#define TICKER "ticker"
#define LEVEL2 "level2"
#define BOOK   "l2_data"
#define TRADES "market_trades"
#define BEATS  "heartbeats"
#define EVENTS 64
/* The levels of a side that are kept of a whole book, which has many that are far away. */
#define SIDE_MAX (STREAM_LEVELS_MAX / 2)

static int read_sequence(const struct json_object *root, int64_t *ret, struct err *err)
{
    const struct field_place place = {.venue = COINBASE, .endpoint = "stream", .row = -1};
    int rc = json_is_object(root)
                 ? field_number(&place, json_get(root, "sequence_num"), "sequence_num", ret, err)
                 : field_wrong(&place, NULL, "has a message that is not an object", err);
    *ret += rc < 0 ? 0 : 1;
    return rc;
}

static void copy_error(const struct json_object *root, enum err_id id, struct err *err)
{
    char reason[128];
    str_cut(json_str(root, "message"), reason, sizeof(reason));
    str_make_safe(reason);
    (void)err_set(err, id, COINBASE ": %s", reason[0] != '\0' ? reason : "it gives no reason");
}

/* ---------------------------------------------------------------- the account */

/* What is left of an order is 0 when it has ended, so its quantity is known only while it is open
 * or when all of it is filled. */
static int read_order(const struct field_place *place, const struct json_object *row,
                      struct account_order *ret, struct err *err)
{
    const struct json_object *client_id = json_get(row, "client_order_id");
    struct str type = json_str(row, "order_type");
    struct dec left = DEC_ZERO;
    int state = 0, buys = 0;
    int rc =
        field_word(place, json_get(row, "order_id"), "order_id", ret->id, sizeof(ret->id), err);
    if (rc >= 0 && json_value_str(client_id).len > 0) {
        rc = field_word(place, client_id, "client_order_id", ret->client_id, sizeof(ret->client_id),
                        err);
    }
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "product_id"), "product_id", ret->market,
                             sizeof(ret->market), err);
    rc = rc < 0 ? rc
                : field_choice(place, json_get(row, "order_side"), "order_side", coinbase_sides,
                               &buys, err);
    rc = rc < 0
             ? rc
             : field_choice(place, json_get(row, "status"), "status", coinbase_states, &state, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(row, "cumulative_quantity"), "cumulative_quantity",
                               &ret->filled_qty, err);
    rc = rc < 0
             ? rc
             : field_amount(place, json_get(row, "leaves_quantity"), "leaves_quantity", &left, err);
    ret->buys = buys != 0;
    ret->state = coinbase_state(state, ret->filled_qty);
    ret->qty =
        state == ORDER_ACKED || state == ORDER_FILLED ? dec_add(ret->filled_qty, left) : DEC_ZERO;
    ret->type = str_equal_nocase(type, "market")  ? ORDER_TYPE_MARKET
                : str_equal_nocase(type, "limit") ? ORDER_TYPE_LIMIT
                                                  : ORDER_TYPE_STOP;
    str_cut(json_str(row, "cancel_reason"), ret->reason, sizeof(ret->reason));
    str_make_safe(ret->reason);
    return rc >= 0 && !dec_is_valid(ret->qty) ? field_wrong(place, "quantity", "is too large", err)
                                              : rc;
}

static int read_user_events(const struct json_object *root, int64_t sequence,
                            struct account_event *ret, int *ret_count, struct err *err)
{
    struct field_place place = {.venue = COINBASE, .endpoint = USER, .row = -1};
    const struct json_object *events = json_get(root, "events");
    size_t count = 0;
    int kept = 0;
    int rc = field_list(&place, events, "events", EVENTS, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *orders = json_get(json_item(events, i), "orders");
        size_t rows = 0;
        rc = field_list(&place, orders, "orders", (size_t)(ACCOUNT_EVENTS_MAX - kept), &rows, err);
        for (size_t j = 0; j < rows && rc >= 0; j++) {
            struct account_event *event = &ret[kept++];
            *event = (struct account_event){
                .kind = ACCOUNT_EVENT_ORDER, .has_order = true, .sequence = sequence};
            place.row = (int64_t)j;
            rc = read_order(&place, json_item(orders, j), &event->order, err);
        }
    }
    *ret_count = rc < 0 ? 0 : kept;
    return rc;
}

int coinbase_read_user(const struct json_object *root, struct account_event *ret, int *ret_count,
                       struct err *err)
{
    struct str channel = json_str(root, "channel");
    int64_t sequence = 0;
    if (str_equal_c(json_str(root, "type"), "error")) {
        *ret_count = 1;
        ret[0] = (struct account_event){.kind = ACCOUNT_EVENT_REFUSED};
        copy_error(root, ERR_VENUE_ACCESS, err);
        return 0;
    }
    int rc = read_sequence(root, &sequence, err);
    if (rc >= 0 && str_equal_c(channel, USER)) {
        rc = read_user_events(root, sequence, ret, ret_count, err);
        if (rc < 0 || *ret_count > 0) {
            return rc;
        }
    }
    *ret_count = 1;
    ret[0] = (struct account_event){.kind = ACCOUNT_EVENT_NONE, .sequence = sequence};
    if (str_equal_c(channel, "subscriptions") &&
        json_get(json_get(json_item(json_get(root, "events"), 0), "subscriptions"), USER) != NULL) {
        ret[0].kind = ACCOUNT_EVENT_READY;
    }
    return rc;
}

/* ---------------------------------------------------------------- the public stream */

static int add_subscribe(const struct stream_ask *ask, int n, struct buf *message)
{
    const char *wanted[4] = {BEATS, TICKER};
    int count = 2;
    struct json_out out = JSON_OUT(message);
    if (ask->depth > 0) {
        wanted[count++] = LEVEL2;
    }
    if (ask->trades) {
        wanted[count++] = TRADES;
    }
    if (n >= count) {
        return 0;
    }
    json_out_object(&out, NULL);
    json_out_text(&out, "type", "subscribe");
    if (n > 0) {
        json_out_array(&out, "product_ids");
        for (int i = 0; i < ask->count; i++) {
            json_out_text(&out, NULL, ask->markets[i].name);
        }
        json_out_end(&out);
    }
    json_out_text(&out, "channel", wanted[n]);
    json_out_end(&out);
    return 1;
}

static struct stream_event *add_event(struct stream_message *message, enum stream_event_kind kind)
{
    struct stream_event *event = &message->events[message->count++];
    *event = (struct stream_event){.kind = kind};
    return event;
}

static int read_top(const struct field_place *place, const struct json_object *row,
                    struct stream_message *message, struct err *err)
{
    struct stream_event *event = add_event(message, STREAM_TOP);
    int rc = field_word(place, json_get(row, "product_id"), "product_id", event->market,
                        sizeof(event->market), err);
    rc = rc < 0 ? rc
                : field_price(place, json_get(row, "best_bid"), "best_bid", &event->bid.price, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(row, "best_bid_quantity"), "best_bid_quantity",
                               &event->bid.qty, err);
    rc = rc < 0 ? rc
                : field_price(place, json_get(row, "best_ask"), "best_ask", &event->ask.price, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(row, "best_ask_quantity"), "best_ask_quantity",
                               &event->ask.qty, err);
    stream_check_top(event);
    return rc;
}

static int read_trade(const struct field_place *place, const struct json_object *row,
                      struct stream_message *message, struct err *err)
{
    struct stream_event *event = add_event(message, STREAM_TRADE);
    int buys = 0;
    int rc = field_word(place, json_get(row, "product_id"), "product_id", event->market,
                        sizeof(event->market), err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "price"), "price", &event->price, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "size"), "size", &event->qty, err);
    rc = rc < 0 ? rc
                : field_choice(place, json_get(row, "side"), "side", coinbase_sides, &buys, err);
    rc = rc < 0 ? rc : field_iso_time(place, json_get(row, "time"), "time", &event->at_us, err);
    event->buyer_takes = buys != 0;
    return rc;
}

/* The levels of one side, in their order. Of a whole book only the best are kept, which come
 * first. */
static int read_side(struct field_place *place, const struct json_object *updates, size_t count,
                     const char *side, struct stream_message *message, int *ret_from,
                     int *ret_count, struct err *err)
{
    static const struct field_choice sides[] = {{"bid", 0}, {"offer", 0}, {NULL, 0}};
    bool bids = strcmp(side, "bid") == 0;
    int rc = 0, unused = 0;
    *ret_from = message->level_count;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(updates, i);
        struct stream_level level;
        place->row = (int64_t)i;
        rc = field_choice(place, json_get(row, "side"), "side", sides, &unused, err);
        if (rc < 0 || !str_equal_c(json_str(row, "side"), side)) {
            continue;
        }
        rc = field_price(place, json_get(row, "price_level"), "price_level", &level.price, err);
        rc = rc < 0 ? rc
                    : field_amount(place, json_get(row, "new_quantity"), "new_quantity", &level.qty,
                                   err);
        if (rc >= 0 && message->level_count - *ret_from < SIDE_MAX &&
            message->level_count < STREAM_LEVELS_MAX) {
            message->levels[message->level_count++] = level;
        } else if (rc >= 0) {
            struct dec last = message->levels[message->level_count - 1].price;
            if (bids ? level.price.e8 >= last.e8 : level.price.e8 <= last.e8) {
                rc = field_wrong(place, "price_level", "is not sorted", err);
            }
        }
    }
    *ret_count = message->level_count - *ret_from;
    return rc;
}

static int read_book(struct field_place *place, const struct json_object *event,
                     struct stream_message *message, struct err *err)
{
    struct stream_event *book = add_event(message, STREAM_BOOK);
    const struct json_object *updates = json_get(event, "updates");
    size_t count = 0;
    int rc = field_word(place, json_get(event, "product_id"), "product_id", book->market,
                        sizeof(book->market), err);
    rc = rc < 0 ? rc : field_list(place, updates, "updates", 1000000, &count, err);
    book->whole = str_equal_c(json_str(event, "type"), "snapshot");
    rc = rc < 0 ? rc
                : read_side(place, updates, count, "bid", message, &book->bid_from,
                            &book->bid_count, err);
    return rc < 0 ? rc
                  : read_side(place, updates, count, "offer", message, &book->ask_from,
                              &book->ask_count, err);
}

/* The rows of an event: trades of the past, which come first, are left out. */
static int read_rows(struct field_place *place, const struct json_object *event,
                     struct stream_message *message, struct err *err)
{
    bool trades = strcmp(place->endpoint, TRADES) == 0;
    const struct json_object *rows = json_get(event, trades ? "trades" : "tickers");
    size_t count = 0;
    int rc = field_list(place, rows, trades ? "trades" : "tickers",
                        (size_t)(STREAM_EVENTS_MAX - message->count), &count, err);
    if (trades && str_equal_c(json_str(event, "type"), "snapshot")) {
        return rc;
    }
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place->row = (int64_t)i;
        rc = (trades ? read_trade : read_top)(place, json_item(rows, i), message, err);
    }
    return rc;
}

static int read_events(const char *channel, const struct json_object *root,
                       struct stream_message *ret, struct err *err)
{
    struct field_place place = {.venue = COINBASE, .endpoint = channel, .row = -1};
    const struct json_object *events = json_get(root, "events");
    size_t count = 0;
    int rc = field_list(&place, events, "events", EVENTS, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = -1;
        rc = strcmp(channel, BOOK) == 0 ? read_book(&place, json_item(events, i), ret, err)
                                        : read_rows(&place, json_item(events, i), ret, err);
    }
    return rc;
}

static int read_message(const struct json_object *root, struct stream_message *ret, struct err *err)
{
    static const char *const channels[] = {TICKER, BOOK, TRADES};
    struct str channel = json_str(root, "channel");
    ret->count = ret->level_count = 0;
    ret->sequence = 0;
    if (str_equal_c(json_str(root, "type"), "error")) {
        (void)add_event(ret, STREAM_REFUSED);
        copy_error(root, ERR_VENUE_REQUEST, err);
        return 0;
    }
    int rc = read_sequence(root, &ret->sequence, err);
    if (rc >= 0 && str_equal_c(channel, "subscriptions")) {
        (void)add_event(ret, STREAM_READY);
    }
    for (size_t i = 0; i < COUNT_OF(channels) && rc >= 0; i++) {
        if (str_equal_c(channel, channels[i])) {
            rc = read_events(channels[i], root, ret, err);
        }
    }
    return rc;
}

const struct stream_api coinbase_stream = {
    .name = COINBASE,
    .url = "wss://advanced-trade-ws.coinbase.com",
    .markets_max = 50,
    .message_max = (size_t)16 << 20, /* a book, whole, of thousands of levels */
    .trades_make_candles = true,
    .add_subscribe = add_subscribe,
    .silence_us = 10 * USEC_PER_SEC, /* heartbeats come every second */
    .read = read_message,
};
