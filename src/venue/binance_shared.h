/*
 * binance_shared.h: what Binance's spot and futures sides have in common: requests and signatures,
 * verdicts, and the words of orders. Private to this module.
 *
 *     binance_begin(request, ACCOUNT_POST, "/api/v3/order", 1);
 *     binance_add(request, "symbol", market->name);          // into the body or the query
 *     rc = binance_sign(key, moment, request, err);
 *
 * Thread: any.
 */
#pragma once

#include "account_tables.h"
#include "venue/field.h"

/* The most rows that a list of trades or payments may ask for. */
#define BINANCE_ROWS    1000
#define BINANCE_ROWS_AS "1000"

/* Begins a request; parameters of POST and PUT are its body, those of others its query. */
void binance_begin(struct account_request *request, enum account_method method, const char *path,
                   int weight);
/* Adds a parameter; the value is encoded, and left out if it is "". */
void binance_add(struct account_request *request, const char *name, const char *value);
void binance_add_number(struct account_request *request, const char *name, int64_t value);
void binance_add_dec(struct account_request *request, const char *name, struct dec value);
/* Which order is meant, by names of the parameters for its id and its client id. */
void binance_add_find(struct account_request *request, const struct account_find *find,
                      const char *id_name, const char *client_id_name);

/* The form of a key; ERR_VENUE_KEY. */
int binance_check_key(const struct account_key *key, struct err *err);
/* Adds the key, the time and the signature. */
int binance_sign(const struct account_key *key, const struct account_moment *moment,
                 struct account_request *request, struct err *err);
/* Adds the key only, for what is not signed. */
int binance_add_key(const struct account_key *key, struct account_request *request,
                    struct err *err);
/* The signature of a text, as it is sent before it is encoded. */
int binance_add_signature(const struct account_key *key, struct str payload, struct buf *out,
                          struct err *err);

enum account_verdict binance_spot_judge(enum account_call call,
                                        const struct account_response *response, struct err *err);
enum account_verdict binance_futures_judge(enum account_call call,
                                           const struct account_response *response,
                                           struct err *err);

/* Values of orders, in answers and streams. */
int binance_read_side(const struct field_place *place, const struct json_object *value,
                      const char *name, bool *ret_buys, struct err *err);
/* Also sets the reason of one that was ended or refused. */
int binance_read_state(const struct field_place *place, const struct json_object *value,
                       const char *name, struct account_order *ret, struct err *err);
enum order_type binance_order_type(const char *word);
/* A client id of anybody: it may be empty. */
int binance_read_client_id(const struct field_place *place, const struct json_object *value,
                           const char *name, char ret[ACCOUNT_ID_SIZE], struct err *err);
/* When all of an order is read: what was filled is a part of it, and its state says so. */
int binance_finish_order(const struct field_place *place, struct account_order *order,
                         struct err *err);
/* The answer about an order, of all calls. id_name: where its client id is; an answer to a
 * cancellation may have one of its own as well. Without a status it only acknowledges. */
int binance_read_order(const struct field_place *place, const struct json_object *root,
                       const char *id_name, struct account_order *ret, struct err *err);
const char *binance_time_in_force(enum time_in_force tif);
/* A fee and its currency, which may be missing where the fee is zero. */
int binance_read_fee(const struct field_place *place, const struct json_object *fee,
                     const struct json_object *currency, struct account_fill *ret, struct err *err);

/* The rules of a market of exchangeInfo, without its status; notional: the name of the smallest
 * notional value in the filter MIN_NOTIONAL. */
int binance_read_filters(const struct field_place *place, const struct json_object *market,
                         const char *notional, struct instrument *ret, struct err *err);
/* The market of this symbol among exchangeInfo's, and its place in *place; of contracts the one
 * without an end, whose name is that of the coins alone. ERR_VENUE_SYMBOL: there is none. */
int binance_find_market(struct field_place *place, const struct json_object *root,
                        const struct symbol *symbol, const struct json_object **ret,
                        struct err *err);

/*
 * Lists by time that limit the range of a request: windows of window_us from since_us on until the
 * first one with rows; from there on by the id of the row, as many as there are.
 */
void binance_add_page(struct account_request *request, const struct account_page *page,
                      int64_t window_us);
/* count rows were read, last_id is the highest of their ids. */
void binance_next_page(const struct account_page *page, int64_t window_us, int count,
                       int64_t last_id, char ret_next[ACCOUNT_CURSOR_SIZE]);

/* The trades of an account, in binance_fills.c: spot and futures have the same rows, but for who
 * bought. */
struct binance_fills {
    const char *venue;
    const char *endpoint;
    const char *buyer; /* a flag; NULL: the side of the order says it */
    int64_t window_us; /* of one page */
};
int binance_read_fills(const struct binance_fills *format, const struct account_page *page,
                       const struct json_object *root, struct account_fill *ret, int *ret_count,
                       char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
