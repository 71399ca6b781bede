/*
 * exchange.h: the public market data of a real venue, as tables: which requests give it, and how
 * the answers are read.
 *
 *     const struct exchange *exchange = exchange_find("binance");
 *     exchange->add_candles_path(&ask, &path);                     // then rest_get
 *     rc = exchange->read_candles(root, &ask, candles, &count, err);
 *
 * Always true: a function that reads accepts the whole answer or refuses it (ERR_VENUE_DATA, see
 * field.h); nothing here sends. Adding a venue is adding a file with such a table.
 * Thread: any (constant tables, plain values).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "model/candle.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

#define EXCHANGE_NAME_SIZE   24
#define EXCHANGE_CANDLES_MAX 1000

struct account_key; /* account.h */

/* What an answer that is a whole JSON text means for the request. */
enum exchange_verdict {
    EXCHANGE_FINE,
    EXCHANGE_REFUSED, /* the same request is refused again; *err says why */
    EXCHANGE_LATER,   /* not done: repeat it */
    EXCHANGE_LIMITED, /* too many requests: repeat it after a pause */
    EXCHANGE_BANNED   /* too many requests: send none */
};

struct exchange_market {
    struct symbol symbol;
    char name[EXCHANGE_NAME_SIZE]; /* the venue's: "BTCUSDT", "XXBTZUSD" */
    bool whole_extended;           /* outside regular hours no parts of a share are traded */
};

struct exchange_ask { /* for candles that open in [from_us, until_us) */
    const struct exchange_market *market;
    enum timeframe tf;
    int64_t from_us;
    int64_t until_us;
};

struct exchange {
    const char *name;
    const char *url;            /* of the real venue */
    int64_t limit, falls_per_s; /* of its budget (budget.h) */
    const char *used_header;    /* in which it reports the used budget, lower case; NULL: none */
    int candles_kept;           /* it gives only so many newest ones; 0: all */
    int candles_max; /* an ask may be for at most so many; 0: the answer is cut where it is full */

    enum exchange_verdict (*judge)(int status, const struct json_object *root, struct err *err);

    /* The venue (account.h) whose key opens its prices; NULL: they are public. */
    const char *key_of;
    /* Whether those of this symbol are for keys only; NULL: none are. */
    bool (*needs_key)(const struct symbol *symbol);
    /* Adds the headers of a request, lines "Name: value\n". ERR_VENUE_KEY. */
    int (*sign)(const struct account_key *key, struct buf *headers, struct err *err);
    /* Whether it trades at some hours only: its history has so many fewer candles; NULL: never. */
    bool (*has_hours)(const struct symbol *symbol);

    const char *time_path;
    int time_weight;
    int (*read_time)(const struct json_object *root, int64_t *ret_wall_us, struct err *err);

    int market_weight;
    void (*add_market_path)(const struct symbol *symbol, struct buf *path);
    /* ERR_VENUE_SYMBOL if the market is another one. */
    int (*read_market)(const struct json_object *root, const struct symbol *symbol,
                       struct exchange_market *ret, struct err *err);

    int candles_weight;
    void (*add_candles_path)(const struct exchange_ask *ask, struct buf *path);
    /* In ascending order, without repetitions, each of them valid and within the ask; the last one
     * may still be open. ret has room for EXCHANGE_CANDLES_MAX. */
    int (*read_candles)(const struct json_object *root, const struct exchange_ask *ask,
                        struct candle *ret, int *ret_count, struct err *err);
};

/* Where an ask from from_us on has to end. */
int64_t exchange_ask_until_us(const struct exchange *exchange, enum timeframe tf, int64_t from_us,
                              int64_t until_us);
const struct exchange *exchange_find(const char *name); /* NULL: there is none */
/* Whether these prices are those at which this venue (account.h) trades. */
bool exchange_is_of(const char *name, const char *account);
/* ERR_VENUE_MODE: a key would go to this address without encryption; option is where it was found.
 * Servers on this machine may have one without. "": the venue's own. */
int exchange_check_url(const char *option, const char *url, struct err *err);
static inline bool exchange_needs_key(const struct exchange *exchange, const struct symbol *symbol)
{
    return exchange->needs_key != NULL && exchange->needs_key(symbol);
}
void exchange_add_names(struct buf *out); /* "binance, kraken" */
