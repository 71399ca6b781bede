#include "account_tables.h"
#include "base/check.h"
#include "base/crc32.h"
#include "io/json_out.h"
#include "kraken_parts.h"

#include <string.h>

/* Kraken's public stream. https://docs.kraken.com/api/docs/websocket-v2/book
 * Prices are JSON numbers with all digits of their market; the checksum is of these digits. */

#define OHLC         "ohlc"
#define TICKER       "ticker"
#define BOOK         "book"
#define TRADE        "trade"
#define CHECKED_ROWS 10

/* ---------------------------------------------------------------- what is asked for */

static int depth_of(int levels)
{
    static const int depths[] = {10, 25, 100, 500, 1000};
    size_t i = 0;
    while (i + 1 < COUNT_OF(depths) && depths[i] < levels) {
        i++;
    }
    return depths[i];
}

static int add_subscribe(const struct stream_ask *ask, int n, struct buf *message)
{
    const char *wanted[4] = {OHLC, TICKER};
    int count = 2;
    struct json_out out = JSON_OUT(message);
    if (ask->depth > 0) {
        wanted[count++] = BOOK;
    }
    if (ask->trades) {
        wanted[count++] = TRADE;
    }
    if (n >= count) {
        return 0;
    }
    json_out_object(&out, NULL);
    json_out_text(&out, "method", "subscribe");
    json_out_object(&out, "params");
    json_out_text(&out, "channel", wanted[n]);
    json_out_array(&out, "symbol");
    for (int i = 0; i < ask->count; i++) {
        AUTO_BUF struct buf name = BUF_INIT(64);
        kraken_add_stream_name(&ask->markets[i], &name);
        json_out_str(&out, NULL, buf_str(&name));
    }
    json_out_end(&out);
    if (n == 0) {
        json_out_i64(&out, "interval", 1);
    } else if (n == 1) {
        json_out_text(&out, "event_trigger", "bbo");
    } else if (strcmp(wanted[n], BOOK) == 0) {
        json_out_i64(&out, "depth", depth_of(ask->depth));
    }
    json_out_end(&out);
    json_out_i64(&out, "req_id", n + 1);
    json_out_end(&out);
    return 1;
}

/* ---------------------------------------------------------------- values */

static int read_price(const struct field_place *place, const struct json_object *row,
                      const char *name, struct dec *ret, struct err *err)
{
    int rc = field_decimal(place, json_get(row, name), name, FIELD_NUMBER, ret, err);
    return rc >= 0 && ret->e8 == 0 ? field_wrong(place, name, "is 0", err) : rc;
}

static int read_qty(const struct field_place *place, const struct json_object *row,
                    const char *name, struct dec *ret, struct err *err)
{
    return field_decimal(place, json_get(row, name), name, FIELD_NUMBER, ret, err);
}

static int read_candle(const struct field_place *place, const struct json_object *row,
                       struct stream_message *message, struct stream_event *ret, struct err *err)
{
    struct candle *c = &ret->candle;
    int64_t minutes = 0;
    (void)message;
    ret->kind = STREAM_CANDLE;
    ret->at_us = 0; /* a row's time is the end of its minute */
    int rc = field_number(place, json_get(row, "interval"), "interval", &minutes, err);
    rc = rc < 0 ? rc
                : field_iso_time(place, json_get(row, "interval_begin"), "interval_begin",
                                 &c->open_us, err);
    rc = rc < 0 ? rc : read_price(place, row, "open", &c->open, err);
    rc = rc < 0 ? rc : read_price(place, row, "high", &c->high, err);
    rc = rc < 0 ? rc : read_price(place, row, "low", &c->low, err);
    rc = rc < 0 ? rc : read_price(place, row, "close", &c->close, err);
    rc = rc < 0 ? rc : read_qty(place, row, "volume", &c->volume, err);
    if (rc >= 0 && (minutes != 1 || c->open_us % USEC_PER_MIN != 0)) {
        rc = field_wrong(place, "interval", "is not the minute that was asked for", err);
    }
    if (rc >= 0 && !candle_is_valid(c)) {
        rc = field_wrong(place, NULL, "has a price outside its high and low", err);
    }
    return rc;
}

static int read_top(const struct field_place *place, const struct json_object *row,
                    struct stream_message *message, struct stream_event *ret, struct err *err)
{
    (void)message;
    ret->kind = STREAM_TOP;
    int rc = read_price(place, row, "bid", &ret->bid.price, err);
    rc = rc < 0 ? rc : read_qty(place, row, "bid_qty", &ret->bid.qty, err);
    rc = rc < 0 ? rc : read_price(place, row, "ask", &ret->ask.price, err);
    rc = rc < 0 ? rc : read_qty(place, row, "ask_qty", &ret->ask.qty, err);
    stream_check_top(ret);
    return rc;
}

static int read_public_trade(const struct field_place *place, const struct json_object *row,
                             struct stream_message *message, struct stream_event *ret,
                             struct err *err)
{
    int buys = 0;
    (void)message;
    ret->kind = STREAM_TRADE;
    int rc = field_choice(place, json_get(row, "side"), "side", kraken_sides, &buys, err);
    rc = rc < 0 ? rc : read_price(place, row, "price", &ret->price, err);
    rc = rc < 0 ? rc : read_price(place, row, "qty", &ret->qty, err);
    ret->buyer_takes = buys != 0;
    return rc;
}

/* ---------------------------------------------------------------- books */

static int digits_after_point(struct json_object *number)
{
    const char *point = strchr(json_object_to_json_string(number), '.');
    return point == NULL ? 0 : (int)strlen(point + 1);
}

static int read_side(const struct field_place *place, const struct json_object *row,
                     const char *name, struct stream_message *message, struct stream_event *event,
                     int *ret_from, int *ret_count, struct err *err)
{
    const struct json_object *levels = json_get(row, name);
    size_t count = 0;
    int rc = field_list(place, levels, name, (size_t)(STREAM_LEVELS_MAX - message->level_count),
                        &count, err);
    *ret_from = message->level_count;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *level = json_item(levels, i);
        struct stream_level *to = &message->levels[message->level_count];
        rc = read_price(place, level, "price", &to->price, err);
        rc = rc < 0 ? rc : read_qty(place, level, "qty", &to->qty, err);
        message->level_count += rc < 0 ? 0 : 1;
        if (rc >= 0 && i == 0) {
            event->price_digits = digits_after_point(json_get(level, "price"));
            event->qty_digits = digits_after_point(json_get(level, "qty"));
        }
    }
    *ret_count = message->level_count - *ret_from;
    return rc;
}

static int read_book(const struct field_place *place, const struct json_object *row,
                     struct stream_message *message, struct stream_event *ret, struct err *err)
{
    int64_t checksum = 0;
    ret->kind = STREAM_BOOK;
    ret->has_checksum = true;
    ret->price_digits = ret->qty_digits = -1;
    int rc = read_side(place, row, "bids", message, ret, &ret->bid_from, &ret->bid_count, err);
    rc = rc < 0 ? rc
                : read_side(place, row, "asks", message, ret, &ret->ask_from, &ret->ask_count, err);
    rc = rc < 0 ? rc : field_number(place, json_get(row, "checksum"), "checksum", &checksum, err);
    if (rc >= 0 && checksum > UINT32_MAX) {
        rc = field_wrong(place, "checksum", "is longer than 32 bits", err);
    }
    ret->checksum = (uint32_t)checksum;
    return rc;
}

/* The digits without the point and without zeros before them. */
static void add_digits(struct buf *out, struct dec value, int digits)
{
    int64_t unit = DEC_ONE;
    for (int i = 0; i < digits && unit > 1; i++) {
        unit /= 10;
    }
    buf_addf(out, "%lld", (long long)(value.e8 / unit));
}

static void add_levels(struct buf *out, const struct stream_level *levels, int count,
                       int price_digits, int qty_digits)
{
    for (int i = 0; i < count && i < CHECKED_ROWS; i++) {
        add_digits(out, levels[i].price, price_digits);
        add_digits(out, levels[i].qty, qty_digits);
    }
}

static uint32_t checksum(const struct stream_level *bids, int bid_count,
                         const struct stream_level *asks, int ask_count, int price_digits,
                         int qty_digits)
{
    AUTO_BUF struct buf text = BUF_INIT(2048);
    add_levels(&text, asks, ask_count, price_digits, qty_digits);
    add_levels(&text, bids, bid_count, price_digits, qty_digits);
    return crc32_of(buf_str(&text));
}

/* ---------------------------------------------------------------- messages */

static const struct {
    const char *name;
    int (*read)(const struct field_place *place, const struct json_object *row,
                struct stream_message *message, struct stream_event *ret, struct err *err);
} channels[] = {
    {OHLC, read_candle}, {TICKER, read_top}, {BOOK, read_book}, {TRADE, read_public_trade}};

static int read_rows(size_t channel, const struct json_object *root, struct stream_message *ret,
                     struct err *err)
{
    struct field_place place = {.venue = KRAKEN, .endpoint = channels[channel].name, .row = -1};
    const struct json_object *rows = json_get(root, "data");
    size_t count = 0;
    int rc = field_list(&place, rows, "data", STREAM_EVENTS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(rows, i);
        const struct json_object *at = json_get(row, "timestamp");
        struct stream_event *event = &ret->events[i];
        *event = (struct stream_event){.whole = str_equal_c(json_str(root, "type"), "snapshot")};
        place.row = (int64_t)i;
        rc = field_word(&place, json_get(row, "symbol"), "symbol", event->market,
                        sizeof(event->market), err);
        if (rc >= 0 && at != NULL) {
            rc = field_iso_time(&place, at, "timestamp", &event->at_us, err);
        }
        rc = rc < 0 ? rc : channels[channel].read(&place, row, ret, event, err);
        ret->count++;
    }
    return rc;
}

/* To a subscription, one for each market. */
static int read_answer(const struct json_object *root, struct stream_message *ret, struct err *err)
{
    struct stream_event *event = &ret->events[ret->count++];
    bool done = json_truth(root, "success", false);
    struct str market = json_str(json_get(root, "result"), "symbol");
    char reason[128];
    *event = (struct stream_event){.kind = done ? STREAM_READY : STREAM_REFUSED};
    (void)str_copy(market.len > 0 ? market : json_str(root, "symbol"), event->market,
                   sizeof(event->market));
    if (!done) {
        str_cut(json_str(root, "error"), reason, sizeof(reason));
        str_make_safe(reason);
        (void)err_set(err, ERR_VENUE_REQUEST, KRAKEN ": %s",
                      reason[0] != '\0' ? reason : "it gives no reason");
    }
    return 0;
}

static int read_message(const struct json_object *root, struct stream_message *ret, struct err *err)
{
    const struct field_place place = {.venue = KRAKEN, .endpoint = "stream", .row = -1};
    struct str channel = json_str(root, "channel");
    ret->count = ret->level_count = 0;
    ret->sequence = 0;
    if (!json_is_object(root)) {
        return field_wrong(&place, NULL, "has a message that is not an object", err);
    }
    if (str_equal_c(json_str(root, "method"), "subscribe")) {
        return read_answer(root, ret, err);
    }
    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        if (str_equal_c(channel, channels[i].name)) {
            return read_rows(i, root, ret, err);
        }
    }
    return 0; /* a heartbeat, the status of the connection */
}

const struct stream_api kraken_stream = {
    .name = KRAKEN,
    .url = "wss://ws.kraken.com/v2",
    .markets_max = 100,
    .add_name = kraken_add_stream_name,
    .add_subscribe = add_subscribe,
    .silence_us = 10 * USEC_PER_SEC, /* heartbeats come every second */
    .read = read_message,
    .checksum = checksum,
};
