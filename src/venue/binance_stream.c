#include "binance_stream.h"

#include "base/clock.h"
#include "io/json_out.h"

#include <string.h>

/* Public streams, combined: {"stream":"btcusdt@depth@100ms","data":{…}}.
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams */

#define NAME          "binance"
#define DEPTH         "/api/v3/depth"
#define FUTURES       "binance_futures"
#define FUTURES_DEPTH "/fapi/v1/depth"
/* Markets of one subscription: its message stays far below the limit of a frame. */
#define MARKETS_AT_ONCE 50

/* ---------------------------------------------------------------- subscriptions */

static void add_stream(struct json_out *out, const char *market, const char *suffix)
{
    char name[EXCHANGE_NAME_SIZE + 16];
    (void)snprintf(name, sizeof(name), "%s%s", market, suffix);
    for (char *c = name; *c != '@'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    json_out_text(out, NULL, name);
}

int binance_add_subscribe(const struct stream_ask *ask, int n, unsigned streams,
                          struct buf *message)
{
    struct json_out out = JSON_OUT(message);
    int from = n * MARKETS_AT_ONCE;
    int until = ask->count - from < MARKETS_AT_ONCE ? ask->count : from + MARKETS_AT_ONCE;
    if (from >= ask->count) {
        return 0;
    }
    json_out_object(&out, NULL);
    json_out_text(&out, "method", "SUBSCRIBE");
    json_out_array(&out, "params");
    for (int i = from; i < until; i++) {
        const char *market = ask->markets[i].name;
        if ((streams & BINANCE_CANDLES) != 0) {
            add_stream(&out, market, "@kline_1m");
        }
        if ((streams & BINANCE_TOPS) != 0) {
            add_stream(&out, market, "@bookTicker");
        }
        if ((streams & BINANCE_BOOKS) != 0 && ask->depth > 0) {
            add_stream(&out, market, "@depth@100ms");
        }
        if ((streams & BINANCE_TRADES) != 0 && ask->trades) {
            add_stream(&out, market, "@trade");
        }
        if ((streams & BINANCE_SUMMED_TRADES) != 0 && ask->trades) {
            add_stream(&out, market, "@aggTrade");
        }
    }
    json_out_end(&out);
    json_out_i64(&out, "id", n + 1);
    json_out_end(&out);
    return 1;
}

/* ---------------------------------------------------------------- events */

static int read_candle(const struct field_place *place, const struct json_object *data,
                       struct stream_event *ret, struct err *err)
{
    const struct json_object *k = json_get(data, "k");
    struct candle *c = &ret->candle;
    const char *interval = NULL;
    int rc = field_text(place, json_get(k, "i"), "i", &interval, err);
    rc = rc < 0 ? rc : field_time(place, json_get(k, "t"), "t", USEC_PER_MSEC, &c->open_us, err);
    rc = rc < 0 ? rc : field_price(place, json_get(k, "o"), "o", &c->open, err);
    rc = rc < 0 ? rc : field_price(place, json_get(k, "h"), "h", &c->high, err);
    rc = rc < 0 ? rc : field_price(place, json_get(k, "l"), "l", &c->low, err);
    rc = rc < 0 ? rc : field_price(place, json_get(k, "c"), "c", &c->close, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(k, "v"), "v", &c->volume, err);
    rc = rc < 0 ? rc : field_flag(place, json_get(k, "x"), "x", &ret->closed, err);
    rc = rc < 0 ? rc : field_time(place, json_get(data, "E"), "E", USEC_PER_MSEC, &ret->at_us, err);
    if (rc < 0) {
        return rc;
    }
    ret->kind = STREAM_CANDLE;
    if (strcmp(interval, "1m") != 0 || c->open_us % USEC_PER_MIN != 0) {
        return field_wrong(place, "t", "is not of a minute", err);
    }
    return candle_is_valid(c)
               ? 0
               : field_wrong(place, NULL, "has a price outside its high and low", err);
}

/* A side of a book without orders has the price 0. */
static int read_top(const struct field_place *place, const struct json_object *data,
                    struct stream_event *ret, struct err *err)
{
    int rc = field_amount(place, json_get(data, "b"), "b", &ret->bid.price, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(data, "B"), "B", &ret->bid.qty, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(data, "a"), "a", &ret->ask.price, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(data, "A"), "A", &ret->ask.qty, err);
    if (rc >= 0 && json_get(data, "E") != NULL) {
        rc = field_time(place, json_get(data, "E"), "E", USEC_PER_MSEC, &ret->at_us, err);
    }
    if (rc < 0 || ret->bid.price.e8 == 0 || ret->ask.price.e8 == 0) {
        return rc;
    }
    ret->kind = STREAM_TOP;
    return dec_cmp(ret->bid.price, ret->ask.price) < 0
               ? 0
               : field_wrong(place, "b", "is not below the best ask", err);
}

static int read_levels(const struct field_place *place, const struct json_object *rows,
                       const char *name, struct stream_message *message, int *ret_from,
                       int *ret_count, struct err *err)
{
    struct field_place at = *place;
    size_t count = 0;
    int rc = field_list(place, rows, name, (size_t)(STREAM_LEVELS_MAX - message->level_count),
                        &count, err);
    *ret_from = message->level_count;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(rows, i);
        struct stream_level *level = &message->levels[message->level_count++];
        at.row = (int64_t)i;
        rc = field_price(&at, json_item(row, 0), name, &level->price, err);
        rc = rc < 0 ? rc : field_amount(&at, json_item(row, 1), name, &level->qty, err);
    }
    *ret_count = (int)count;
    return rc;
}

static int read_change(const struct field_place *place, const struct json_object *data,
                       struct stream_message *message, struct stream_event *ret, struct err *err)
{
    ret->kind = STREAM_BOOK;
    int rc = field_number(place, json_get(data, "U"), "U", &ret->first, err);
    rc = rc < 0 ? rc : field_number(place, json_get(data, "u"), "u", &ret->last, err);
    if (rc >= 0 && json_get(data, "pu") != NULL) {
        rc = field_number(place, json_get(data, "pu"), "pu", &ret->previous, err);
    }
    rc = rc < 0 ? rc : field_time(place, json_get(data, "E"), "E", USEC_PER_MSEC, &ret->at_us, err);
    rc = rc < 0 ? rc
                : read_levels(place, json_get(data, "b"), "b", message, &ret->bid_from,
                              &ret->bid_count, err);
    rc = rc < 0 ? rc
                : read_levels(place, json_get(data, "a"), "a", message, &ret->ask_from,
                              &ret->ask_count, err);
    if (rc >= 0 && ret->first > ret->last) {
        rc = field_wrong(place, "U", "is above u", err);
    }
    return rc;
}

static int read_trade(const struct field_place *place, const struct json_object *data,
                      struct stream_event *ret, struct err *err)
{
    bool buyer_rests = false;
    ret->kind = STREAM_TRADE;
    int rc = field_price(place, json_get(data, "p"), "p", &ret->price, err);
    rc = rc < 0 ? rc : field_price(place, json_get(data, "q"), "q", &ret->qty, err);
    rc = rc < 0 ? rc : field_flag(place, json_get(data, "m"), "m", &buyer_rests, err);
    rc = rc < 0 ? rc : field_time(place, json_get(data, "T"), "T", USEC_PER_MSEC, &ret->at_us, err);
    ret->buyer_takes = !buyer_rests;
    return rc;
}

/* The answer to a subscription: {"result":null,"id":1}, or an error. */
static int read_answer(const char *venue, const struct json_object *root, struct stream_event *ret,
                       struct err *err)
{
    const struct json_object *error = json_get(root, "error");
    /* Futures put the code beside the id. */
    bool refused = error != NULL || json_get(root, "code") != NULL;
    ret->kind = refused ? STREAM_REFUSED : STREAM_READY;
    if (refused) {
        (void)account_judged(venue, ACCOUNT_STREAM, ACCOUNT_REFUSED,
                             json_str(error != NULL ? error : root, "msg"), err);
    }
    return 0;
}

static int read_data(struct field_place *place, const char *stream, const struct json_object *data,
                     struct stream_message *message, struct stream_event *ret, struct err *err)
{
    const char *at = strchr(stream, '@');
    const char *kind = at != NULL ? at + 1 : "";
    place->endpoint = kind[0] != '\0' ? kind : "stream";
    int rc = field_word(place, json_get(data, "s"), "s", ret->market, sizeof(ret->market), err);
    if (rc < 0) {
        return rc;
    }
    return strcmp(kind, "kline_1m") == 0      ? read_candle(place, data, ret, err)
           : strcmp(kind, "bookTicker") == 0  ? read_top(place, data, ret, err)
           : str_starts(str_c(kind), "depth") ? read_change(place, data, message, ret, err)
           : strcmp(kind, "trade") == 0 || strcmp(kind, "aggTrade") == 0
               ? read_trade(place, data, ret, err)
               : 0;
}

int binance_read_message(const char *venue, const struct json_object *root,
                         struct stream_message *ret, struct err *err)
{
    struct field_place place = {.venue = venue, .endpoint = "stream", .row = -1};
    struct stream_event *event = &ret->events[0];
    const struct json_object *data = json_get(root, "data");
    const char *stream = NULL;
    *event = (struct stream_event){.kind = STREAM_NONE};
    ret->count = 1;
    ret->level_count = 0;
    ret->sequence = 0;
    if (json_get(root, "id") != NULL || json_get(root, "error") != NULL) {
        return read_answer(venue, root, event, err);
    }
    if (str_equal_c(json_str(data != NULL ? data : root, "e"), "serverShutdown")) {
        event->kind = STREAM_CLOSING;
        return 0;
    }
    int rc = field_text(&place, json_get(root, "stream"), "stream", &stream, err);
    return rc < 0 ? rc : read_data(&place, stream, data, ret, event, err);
}

/* ---------------------------------------------------------------- whole books */

/* Far more than is wanted, since changes of levels that a short book does not show are lost. */
void binance_add_book_path(const char *endpoint, const struct exchange_market *market, int depth,
                           struct buf *path)
{
    buf_addf(path, "%s?symbol=%s&limit=%d", endpoint, market->name,
             depth <= 10   ? 100
             : depth <= 50 ? 500
                           : 1000);
}

int binance_read_book(const char *venue, const char *endpoint, const struct json_object *root,
                      struct stream_message *ret, struct err *err)
{
    const struct field_place place = {.venue = venue, .endpoint = endpoint, .row = -1};
    struct stream_event *event = &ret->events[0];
    *event = (struct stream_event){.kind = STREAM_BOOK, .whole = true};
    ret->count = 1;
    ret->level_count = 0;
    ret->sequence = 0;
    int rc =
        field_number(&place, json_get(root, "lastUpdateId"), "lastUpdateId", &event->last, err);
    rc = rc < 0 ? rc
                : read_levels(&place, json_get(root, "bids"), "bids", ret, &event->bid_from,
                              &event->bid_count, err);
    return rc < 0 ? rc
                  : read_levels(&place, json_get(root, "asks"), "asks", ret, &event->ask_from,
                                &event->ask_count, err);
}

/* ---------------------------------------------------------------- spot */

static int add_subscribe(const struct stream_ask *ask, int n, struct buf *message)
{
    return binance_add_subscribe(
        ask, n, BINANCE_CANDLES | BINANCE_TOPS | BINANCE_BOOKS | BINANCE_TRADES, message);
}

static int read_message(const struct json_object *root, struct stream_message *ret, struct err *err)
{
    return binance_read_message(NAME, root, ret, err);
}

static void add_book_path(const struct exchange_market *market, int depth, struct buf *path)
{
    binance_add_book_path(DEPTH, market, depth, path);
}

static int read_book(const struct json_object *root, struct stream_message *ret, struct err *err)
{
    return binance_read_book(NAME, DEPTH, root, ret, err);
}

const struct stream_api binance_stream = {
    .name = NAME,
    .url = "wss://stream.binance.com:443/stream",
    .sandbox_url = "wss://stream.testnet.binance.vision/stream",
    .markets_max = 256, /* of 1024 streams, four each */
    .add_subscribe = add_subscribe,
    .message_gap_us = USEC_PER_SEC / 4, /* five a second, with our pongs */
    .silence_us = USEC_PER_MIN,         /* it pings every 20 s */
    .age_us = USEC_PER_DAY,
    .read = read_message,
    .says_closed = true,
    .book_weight = 50,
    .add_book_path = add_book_path,
    .read_book = read_book,
};

/* ---------------------------------------------------------------- futures */

/* Each path has its own streams; at another one they are accepted, and say nothing. */
static int add_market_subscribe(const struct stream_ask *ask, int n, struct buf *message)
{
    return binance_add_subscribe(ask, n, BINANCE_CANDLES | BINANCE_SUMMED_TRADES, message);
}

static int add_public_subscribe(const struct stream_ask *ask, int n, struct buf *message)
{
    return binance_add_subscribe(ask, n, BINANCE_TOPS | BINANCE_BOOKS, message);
}

static int read_futures_message(const struct json_object *root, struct stream_message *ret,
                                struct err *err)
{
    return binance_read_message(FUTURES, root, ret, err);
}

static void add_futures_book_path(const struct exchange_market *market, int depth, struct buf *path)
{
    binance_add_book_path(FUTURES_DEPTH, market, depth, path);
}

static int read_futures_book(const struct json_object *root, struct stream_message *ret,
                             struct err *err)
{
    return binance_read_book(FUTURES, FUTURES_DEPTH, root, ret, err);
}

static const struct stream_api futures_books = {
    .name = FUTURES,
    .url = "wss://fstream.binance.com/public/stream",
    .sandbox_url = "wss://fstream.binancefuture.com/public/stream",
    .markets_max = 256,
    .add_subscribe = add_public_subscribe,
    .message_gap_us = USEC_PER_SEC / 4,
    .silence_us = 4 * USEC_PER_MIN, /* it pings every 3 min */
    .age_us = USEC_PER_DAY,
    .read = read_futures_message,
    .book_weight = 20,
    .add_book_path = add_futures_book_path,
    .read_book = read_futures_book,
};

const struct stream_api binance_futures_stream = {
    .name = FUTURES,
    .url = "wss://fstream.binance.com/market/stream",
    .sandbox_url = "wss://fstream.binancefuture.com/market/stream",
    .also = &futures_books,
    .markets_max = 256,
    .add_subscribe = add_market_subscribe,
    .message_gap_us = USEC_PER_SEC / 4,
    .silence_us = 4 * USEC_PER_MIN,
    .age_us = USEC_PER_DAY,
    .read = read_futures_message,
    .says_closed = true,
};
