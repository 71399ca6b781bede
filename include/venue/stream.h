/*
 * stream.h: the public stream of a real venue, as tables: what is sent to get candles, best prices
 * and books, and how the messages are read.
 *
 *     n = 0; while ((rc = api->add_subscribe(&ask, n++, &message, err)) > 0) send(message);
 *     rc = api->read(root, events, &count, err);
 *
 * Always true: nothing here sends, waits or keeps state. A message is accepted whole or refused
 * (ERR_VENUE_DATA, see field.h).
 * Thread: any (constant tables, plain values).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "model/candle.h"
#include "venue/exchange.h"

#include <stdint.h>

/* Levels of one message; longer ones are refused. */
#define STREAM_LEVELS_MAX 10000
#define STREAM_EVENTS_MAX 512

enum stream_event_kind {
    STREAM_NONE,      /* a heartbeat, or nothing that was asked for */
    STREAM_LOGGED_IN, /* the key is accepted: subscriptions may be sent */
    STREAM_SHUT,      /* the venue refuses this connection, or its key; err says why */
    STREAM_READY,     /* a subscription is confirmed */
    STREAM_REFUSED,   /* a subscription is refused; err says why */
    STREAM_CLOSING,   /* the venue closes this connection soon */
    STREAM_CANDLE,
    STREAM_TOP,  /* best bid and ask; all zero: there are none now */
    STREAM_BOOK, /* levels of a book: the whole of it, or changes */
    STREAM_TRADE,
    STREAM_STATUS /* whether the market trades */
};

struct stream_level {
    struct dec price;
    struct dec qty; /* zero: the level is gone */
};

struct stream_event {
    enum stream_event_kind kind;
    char market[EXCHANGE_NAME_SIZE]; /* as in struct exchange_market; the stream's own name of a
                                        market is `stream_name` of the table */
    int64_t at_us;                   /* 0: not reported */

    struct candle candle; /* CANDLE, of one minute */
    bool closed;          /* CANDLE: it does not change any more */

    struct stream_level bid, ask; /* TOP */

    bool whole;              /* BOOK: it replaces the book */
    int64_t first, last;     /* BOOK: sequence numbers that it covers; 0: the venue has none */
    int64_t previous;        /* BOOK: last of the message before it; 0: not reported */
    bool has_checksum;       /* BOOK */
    uint32_t checksum;       /* BOOK: of the book after it */
    int price_digits;        /* BOOK with a checksum: after the point, as they were sent; */
    int qty_digits;          /* < 0: it has no level to tell, so they are as before */
    int bid_from, bid_count; /* BOOK: in struct stream_message.levels */
    int ask_from, ask_count;

    struct dec price, qty; /* TRADE */
    bool buyer_takes;      /* TRADE */

    bool halted;     /* STATUS */
    char reason[48]; /* STATUS: of the halt, in the venue's words; or "" */
};

struct stream_message {
    int count;
    struct stream_event events[STREAM_EVENTS_MAX];
    int level_count;
    struct stream_level *levels; /* of STREAM_LEVELS_MAX; the caller's */
    int64_t sequence;            /* of the message in its connection; 0: the venue has none */
};

struct stream_ask {
    const struct exchange_market *markets;
    int count;
    int depth; /* levels of the book; 0: best prices only */
    bool trades;
};

struct stream_api {
    const char *name; /* of the venue, as in exchange.h */
    const char *url;  /* wss, of the real venue, with its path */
    const char *sandbox_url;
    /* What other connections bring: the rest of its streams, by a table like this one. NULL: there
     * is no rest. */
    const struct stream_api *also;
    int markets_max; /* of one connection */
    /* Whether a market is of this table's connections, where markets of a venue have streams apart.
     * NULL: all are. */
    bool (*has)(const struct exchange_market *market);
    /* What logs in, before the first subscription; LOGGED_IN or SHUT answers. NULL: the stream is
     * public. */
    int (*add_login)(const struct account_key *key, struct buf *message, struct err *err);
    bool alone;         /* the venue keeps one connection a key: none is opened beside it */
    bool quiet;         /* its markets have hours: no data for long is no fault */
    size_t message_max; /* bytes of a message; 0: 8 MiB */
    /* Another name of a market in the stream ("BTC/USD" for "XXBTZUSD"); NULL: the same. */
    void (*add_name)(const struct exchange_market *market, struct buf *out);
    /* The n-th message, n = 0, 1, …: 1: it was added, 0: there is no n-th. */
    int (*add_subscribe)(const struct stream_ask *ask, int n, struct buf *message);
    int64_t message_gap_us; /* between two messages of ours */
    const char *ping;       /* sent so often; NULL: only frames of WebSocket */
    int64_t ping_us;
    int64_t silence_us;
    int64_t age_us; /* the venue ends it at this age; 0: it does not say */
    int (*read)(const struct json_object *root, struct stream_message *ret, struct err *err);
    /* Whether the stream says that a candle is closed; if not, the next one says it. */
    bool says_closed;
    /* So long after its minute a closed candle may come; 0: three seconds. */
    int64_t settle_us;
    /* It has no candles: they are made from its trades, each of which it sends. */
    bool trades_make_candles;
    /* The checksum of a book's best levels, best first; NULL: it has none. It is of the texts that
     * the venue sends, which have the same digits for a whole market (see struct stream_event). */
    uint32_t (*checksum)(const struct stream_level *bids, int bid_count,
                         const struct stream_level *asks, int ask_count, int price_digits,
                         int qty_digits);
    /* The whole book by REST, for streams that only send changes; NULL: the stream sends it. */
    int book_weight;
    void (*add_book_path)(const struct exchange_market *market, int depth, struct buf *path);
    int (*read_book)(const struct json_object *root, struct stream_message *ret, struct err *err);
};

const struct stream_api *stream_api_find(const char *name); /* NULL: there is none */
void stream_add_names(struct buf *out);                     /* "binance, kraken" */
/* For the tables: of a bid at or above the ask, as in an auction, or without orders on a side,
 * there is no best price: both become zero. */
void stream_check_top(struct stream_event *top);
