#include "account_tables.h"
#include "alpaca_parts.h"
#include "base/check.h"
#include "io/json_out.h"

#include <string.h>

/* Alpaca's streams of prices: stocks by IEX or by all exchanges, and coins.
 * https://docs.alpaca.markets/docs/real-time-stock-pricing-data,
 * https://docs.alpaca.markets/docs/real-time-crypto-pricing-data
 * A key may have one connection to each. Messages are arrays of events; a bar comes once its minute
 * has ended, and only if there was a trade. */

#define STREAM "stream of prices"
/* Trades and quotes for which a key without a subscription may ask; bars are not counted. */
#define QUOTES_MAX    30
#define CONNECTED_MAX 300
/* Bars have been seen to come some seconds after their minute. */
#define SETTLE_US    (6 * USEC_PER_SEC)
#define CODE_AUTH    402
#define CODE_SYMBOLS 405 /* too many */
#define CODE_MORE    406 /* there is another connection */
#define CODE_PLAN    409 /* the key's subscription does not have this feed */
#define CODE_CHANNEL 410 /* this feed does not have it */

/* ---------------------------------------------------------------- what is asked for */

static void add_names(const struct stream_ask *ask, const char *channel, int most,
                      struct json_out *out)
{
    json_out_array(out, channel);
    for (int i = 0; i < ask->count && i < most; i++) {
        json_out_text(out, NULL, ask->markets[i].name);
    }
    json_out_end(out);
}

static int subscribe(const struct stream_ask *ask, int n, int quotes, bool stocks,
                     struct buf *message)
{
    struct json_out out = JSON_OUT(message);
    if (n > 0) {
        return 0;
    }
    json_out_object(&out, NULL);
    json_out_text(&out, "action", "subscribe");
    add_names(ask, "bars", ask->count, &out);
    add_names(ask, "quotes", quotes, &out);
    if (stocks) {
        add_names(ask, "statuses", ask->count, &out);
    }
    json_out_end(&out);
    return 1;
}

static int add_iex_subscribe(const struct stream_ask *ask, int n, struct buf *message)
{
    return subscribe(ask, n, QUOTES_MAX, true, message);
}

static int add_sip_subscribe(const struct stream_ask *ask, int n, struct buf *message)
{
    return subscribe(ask, n, ask->count, true, message);
}

static int add_coin_subscribe(const struct stream_ask *ask, int n, struct buf *message)
{
    return subscribe(ask, n, ask->count, false, message);
}

static bool is_stock(const struct exchange_market *market)
{
    return !alpaca_is_coin(&market->symbol);
}

static bool is_coin(const struct exchange_market *market)
{
    return alpaca_is_coin(&market->symbol);
}

/* ---------------------------------------------------------------- events */

static int read_candle(const struct field_place *place, const struct json_object *row,
                       struct stream_event *ret, struct err *err)
{
    ret->kind = STREAM_CANDLE;
    ret->closed = true;
    int rc = alpaca_read_bar(place, row, &ret->candle, err);
    if (rc >= 0 && ret->candle.open_us % USEC_PER_MIN != 0) {
        rc = field_wrong(place, "t", "is no beginning of a minute", err);
    }
    return rc >= 0 && !candle_is_valid(&ret->candle)
               ? field_wrong(place, NULL, "has a price outside its high and low", err)
               : rc;
}

/* A side without orders has the price 0; at several exchanges at once the best bid may be at or
 * above the best ask for a moment. */
static int read_top(const struct field_place *place, const struct json_object *row,
                    struct stream_event *ret, struct err *err)
{
    ret->kind = STREAM_TOP;
    int rc = field_decimal(place, json_get(row, "bp"), "bp", FIELD_NUMBER, &ret->bid.price, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "bs"), "bs", FIELD_NUMBER | FIELD_FINE,
                                &ret->bid.qty, err);
    rc = rc < 0
             ? rc
             : field_decimal(place, json_get(row, "ap"), "ap", FIELD_NUMBER, &ret->ask.price, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "as"), "as", FIELD_NUMBER | FIELD_FINE,
                                &ret->ask.qty, err);
    rc = rc < 0 ? rc : field_iso_time(place, json_get(row, "t"), "t", &ret->at_us, err);
    stream_check_top(ret);
    return rc;
}

/* The codes of the tapes A and B (CTA), and of C (UTP): halts end by 3 and T. Others are about
 * price bands and the like. */
static int read_status(const struct field_place *place, const struct json_object *row,
                       struct stream_event *ret, struct err *err)
{
    static const char *const halts[] = {"2", "4", "H", "P", "Q"}, *const trades[] = {"3", "T"};
    const char *code = NULL;
    int rc = field_text(place, json_get(row, "sc"), "sc", &code, err);
    for (size_t i = 0; i < COUNT_OF(halts) && rc >= 0; i++) {
        if (strcmp(code, halts[i]) == 0) {
            ret->kind = STREAM_STATUS;
            ret->halted = true;
            struct str words =
                json_str(row, "rm").len > 0 ? json_str(row, "rm") : json_str(row, "sm");
            str_cut(words, ret->reason, sizeof(ret->reason));
            str_make_safe(ret->reason);
        }
    }
    for (size_t i = 0; i < COUNT_OF(trades) && rc >= 0; i++) {
        ret->kind = strcmp(code, trades[i]) == 0 ? STREAM_STATUS : ret->kind;
    }
    return rc;
}

static int read_error(const struct field_place *place, const struct json_object *row,
                      struct stream_event *ret, struct err *err)
{
    int64_t code = 0;
    char words[96];
    int rc = field_number(place, json_get(row, "code"), "code", &code, err);
    if (rc < 0) {
        return rc;
    }
    str_cut(json_str(row, "msg"), words, sizeof(words));
    str_make_safe(words);
    ret->kind = code == CODE_SYMBOLS || code == CODE_CHANNEL ? STREAM_REFUSED : STREAM_SHUT;
    (void)err_set(err,
                  code == CODE_AUTH || code == CODE_PLAN ? ERR_VENUE_ACCESS
                  : code == CODE_MORE                    ? ERR_VENUE_LIMITED
                                                         : ERR_VENUE_REQUEST,
                  ALPACA ": %lld %s%s", (long long)code, words,
                  code == CODE_MORE ? " (one connection a key)" : "");
    return 0;
}

static int read_event(const struct field_place *place, const struct json_object *row,
                      struct stream_event *ret, struct err *err)
{
    static const struct {
        const char *name;
        int (*read)(const struct field_place *place, const struct json_object *row,
                    struct stream_event *ret, struct err *err);
    } kinds[] = {{"b", read_candle}, {"q", read_top}, {"s", read_status}};
    const char *type = NULL;
    int rc = json_is_object(row) ? field_text(place, json_get(row, "T"), "T", &type, err)
                                 : field_wrong(place, NULL, "is not an object", err);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(type, "error") == 0) {
        return read_error(place, row, ret, err);
    }
    if (strcmp(type, "subscription") == 0) {
        ret->kind = STREAM_READY;
    } else if (strcmp(type, "success") == 0) {
        ret->kind =
            str_equal_c(json_str(row, "msg"), "authenticated") ? STREAM_LOGGED_IN : STREAM_NONE;
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(type, kinds[i].name) == 0) {
            rc = field_word(place, json_get(row, "S"), "S", ret->market, sizeof(ret->market), err);
            return rc < 0 ? rc : kinds[i].read(place, row, ret, err);
        }
    }
    return 0;
}

static int read_message(const struct json_object *root, struct stream_message *ret, struct err *err)
{
    struct field_place place = {.venue = ALPACA, .endpoint = STREAM, .row = -1};
    size_t count = 0;
    ret->count = ret->level_count = 0;
    ret->sequence = 0;
    int rc = field_list(&place, root, NULL, STREAM_EVENTS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        struct stream_event *event = &ret->events[i];
        *event = (struct stream_event){.kind = STREAM_NONE};
        place.row = (int64_t)i;
        rc = read_event(&place, json_item(root, i), event, err);
        if (rc < 0) {
            memcpy(ret->events[0].market, event->market, sizeof(event->market));
        }
    }
    ret->count = rc < 0 ? 0 : (int)count;
    return rc;
}

/* ---------------------------------------------------------------- the tables */

/* At night and on holidays nothing comes for hours; our pings are answered. */
#define SHARED                                                                                 \
    .markets_max = CONNECTED_MAX, .add_login = alpaca_add_login, .alone = true, .quiet = true, \
    .silence_us = 60 * USEC_PER_SEC, .read = read_message, .says_closed = true,                \
    .settle_us = SETTLE_US

static const struct stream_api coins = {
    .name = ALPACA,
    .url = "wss://stream.data.alpaca.markets/v1beta3/crypto/us",
    SHARED,
    .has = is_coin,
    .add_subscribe = add_coin_subscribe,
};

const struct stream_api alpaca_stream = {
    .name = ALPACA,
    .url = "wss://stream.data.alpaca.markets/v2/iex",
    SHARED,
    .also = &coins,
    .has = is_stock,
    .add_subscribe = add_iex_subscribe,
};

const struct stream_api alpaca_sip_stream = {
    .name = ALPACA_SIP,
    .url = "wss://stream.data.alpaca.markets/v2/sip",
    SHARED,
    .also = &coins,
    .has = is_stock,
    .add_subscribe = add_sip_subscribe,
};
