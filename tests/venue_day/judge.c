#include "base/check.h"
#include "base/str.h"
#include "io/db.h"
#include "io/json.h"
#include "model/order.h"
#include "venue_day/venue_day.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An order as the books and the fake have it. */
struct pair {
    char client_id[CLIENT_ID_SIZE];
    char symbol[24];
    bool buys;
    bool in_books, at_venue, final;
    char state[12], venue_state[12];
    struct dec filled, moved; /* by the fills in the books; money: > 0 is received */
    struct dec order_filled;  /* by the row of the order */
    struct dec venue_filled, venue_got, venue_moved;
    bool stops;             /* it is a stop, */
    struct dec stop, rests; /* whose price is this in the books, and this at the venue */
    int fills, venue_fills;
};

struct pairs {
    int count, capacity;
    struct pair *list;
};

static struct pair *pair_of(struct pairs *p, const char *client_id)
{
    for (int i = 0; i < p->count; i++) {
        if (strcmp(p->list[i].client_id, client_id) == 0) {
            return &p->list[i];
        }
    }
    if (p->count == p->capacity) {
        p->capacity = p->capacity == 0 ? 256 : 2 * p->capacity;
        p->list = realloc(p->list, (size_t)p->capacity * sizeof(p->list[0]));
        NEED_MEMORY(p->list != NULL);
    }
    struct pair *pair = &p->list[p->count++];
    *pair = (struct pair){0};
    (void)str_copy(str_c(client_id), pair->client_id, sizeof(pair->client_id));
    return pair;
}

#define PLACES 8

/* Of what a venue counts in finer units than the books the last part is dropped, or counts whole.
 */
static struct dec amount_of(struct day *d, const struct json_object *row, const char *name, bool up)
{
    char text[64];
    struct dec value = DEC_INVALID;
    str_cut(str_c(json_text(row, name)), text, sizeof(text));
    char *point = strchr(text, '.');
    if (point != NULL && strlen(point) > PLACES + 1) {
        up = up && strspn(point + PLACES + 1, "0") < strlen(point + PLACES + 1);
        point[PLACES + 1] = '\0';
    } else {
        up = false;
    }
    (void)day_check(d, dec_parse(str_c(text), &value), "%s of the fake is \"%s\"", name, text);
    return up ? dec_add(value, (struct dec){1}) : value;
}

static struct dec amount(struct day *d, const struct json_object *row, const char *name)
{
    return amount_of(d, row, name, false);
}

static void read_books(struct day *d, struct db *db, struct pairs *p)
{
    struct err err = {0};
    AUTO_DB_ROWS struct db_rows *orders = NULL;
    AUTO_DB_ROWS struct db_rows *fills = NULL;
    int rc = db_query(db,
                      "SELECT client_id, symbol, kind, side, state, filled_qty, price FROM orders"
                      " ORDER BY rowid",
                      DB_NO_VALUES, &orders, &err);
    while (rc >= 0 && (rc = db_next(orders, &err)) > 0) {
        char id[CLIENT_ID_SIZE];
        (void)str_copy(db_text(orders, 0), id, sizeof(id));
        struct pair *pair = pair_of(p, id);
        pair->in_books = true;
        (void)str_copy(db_text(orders, 1), pair->symbol, sizeof(pair->symbol));
        pair->buys =
            str_equal_c(db_text(orders, 2), "entry") == str_equal_c(db_text(orders, 3), "long");
        (void)str_copy(db_text(orders, 4), pair->state, sizeof(pair->state));
        pair->order_filled = (struct dec){db_i64(orders, 5)};
        pair->stops = str_equal_c(db_text(orders, 2), "stop");
        pair->stop = (struct dec){db_i64(orders, 6)};
    }
    rc = rc < 0 ? rc
                : db_query(db, "SELECT client_id, qty, price, fee FROM fills", DB_NO_VALUES, &fills,
                           &err);
    while (rc >= 0 && (rc = db_next(fills, &err)) > 0) {
        char id[CLIENT_ID_SIZE];
        (void)str_copy(db_text(fills, 0), id, sizeof(id));
        struct pair *pair = pair_of(p, id);
        struct dec qty = {db_i64(fills, 1)}, price = {db_i64(fills, 2)}, fee = {db_i64(fills, 3)};
        struct dec worth = dec_mul(qty, price);
        pair->fills++;
        pair->filled = dec_add(pair->filled, qty);
        pair->moved = dec_sub(dec_add(pair->moved, pair->buys ? dec_neg(worth) : worth), fee);
    }
    (void)day_check(d, rc >= 0, "trading.db: %s", err.context);
}

/* The engine's id of an order at the venue: "nd" and the tag of the books come before it. */
static bool is_ours(const char *theirs, const char *tag, char ret[CLIENT_ID_SIZE])
{
    size_t skip = strlen("nd") + strlen(tag);
    if (strncmp(theirs, "nd", 2) != 0 || strncmp(theirs + 2, tag, strlen(tag)) != 0) {
        return false;
    }
    (void)snprintf(ret, CLIENT_ID_SIZE, "nd%.29s", theirs + skip);
    return true;
}

static void read_venue(struct day *d, const struct json_object *state, const char *tag,
                       struct pairs *p)
{
    struct json_object *orders = json_get(state, "orders"), *fills = json_get(state, "fills");
    char id[CLIENT_ID_SIZE];
    for (size_t i = 0; i < json_len(orders); i++) {
        const struct json_object *o = json_item(orders, i);
        const char *theirs = json_text(o, "client_id");
        if (!day_check(d, is_ours(theirs, tag, id), "the fake has an order of somebody else: %s",
                       theirs)) {
            continue;
        }
        struct pair *pair = pair_of(p, id);
        pair->at_venue = true;
        pair->venue_filled = amount(d, o, "filled");
        pair->buys = strcmp(json_text(o, "side"), "buy") == 0;
        struct dec cost = amount(d, o, "cost");
        pair->venue_got = pair->venue_filled;
        pair->venue_moved = pair->buys ? dec_neg(cost) : cost;
        pair->rests = amount(d, o, "stop_price");
        (void)str_copy(str_c(json_text(o, "state")), pair->venue_state, sizeof(pair->venue_state));
    }
    /* Conditional orders that rest, which Binance's futures list apart; one that has triggered is
     * an order like others. */
    struct json_object *algos = json_get(state, "algos");
    for (size_t i = 0; i < json_len(algos); i++) {
        const struct json_object *a = json_item(algos, i);
        if (is_ours(json_text(a, "clientAlgoId"), tag, id) &&
            strcmp(json_text(a, "algoStatus"), "NEW") == 0) {
            struct pair *pair = pair_of(p, id);
            pair->at_venue = true;
            pair->rests = amount(d, a, "triggerPrice");
            (void)str_copy(STR_LIT("new"), pair->venue_state, sizeof(pair->venue_state));
        }
    }
    for (size_t i = 0; i < json_len(fills); i++) {
        const struct json_object *f = json_item(fills, i);
        if (!is_ours(json_text(f, "client_id"), tag, id)) {
            continue;
        }
        struct pair *pair = pair_of(p, id);
        struct dec fee = amount_of(d, f, "fee", true);
        bool in_quote = strncmp(json_text(f, "fee_currency"), "USD", 3) == 0;
        pair->venue_fills++;
        if (in_quote) {
            pair->venue_moved = dec_sub(pair->venue_moved, fee);
        } else {
            pair->venue_got = dec_sub(pair->venue_got, fee);
        }
    }
}

/* A step may be smaller than the smallest amount that the books can hold. */
static struct dec rule(struct day *d, const struct json_object *state, const char *symbol,
                       const char *name)
{
    struct dec value = amount(d, json_get(json_get(state, "rules"), symbol), name);
    return dec_max(value, (struct dec){1});
}

/* Less than a step of each order that buys coins, of which the fee is a part: no order sells it. */
static struct dec left_over(const struct pairs *p, const char *symbol)
{
    struct dec left = DEC_ZERO;
    for (int i = 0; i < p->count; i++) {
        const struct pair *one = &p->list[i];
        if (one->buys && strcmp(one->symbol, symbol) == 0) {
            left = dec_add(left, dec_sub(one->venue_got, one->filled));
        }
    }
    return left;
}

/* Of a pair of orders of which the venue refuses one, it cancels the other. */
static bool same_state(const struct pair *p)
{
    if (strcmp(p->state, "rejected") == 0 && p->venue_filled.e8 == 0) {
        return strcmp(p->venue_state, "rejected") == 0 || strcmp(p->venue_state, "cancelled") == 0;
    }
    if (strcmp(p->state, "acked") == 0) { /* the stop or target of a position that is open */
        return strcmp(p->venue_state, "new") == 0;
    }
    bool ended = strcmp(p->venue_state, "cancelled") == 0 || strcmp(p->venue_state, "expired") == 0;
    return strcmp(p->state, p->venue_state) == 0 || (ended && strcmp(p->state, "cancelled") == 0);
}

/* One order. Money may differ by the rounding of each fill. */
static void check_pair(struct day *d, const struct json_object *state, const struct pair *p)
{
    char a[DEC_TEXT_SIZE], b[DEC_TEXT_SIZE];
    if (!p->at_venue) {
        (void)day_check(d, p->filled.e8 == 0 && p->order_filled.e8 == 0,
                        "%s is filled in the books, and the venue does not have it", p->client_id);
        (void)day_check(d, strcmp(p->state, "cancelled") == 0 || strcmp(p->state, "rejected") == 0,
                        "%s is %s in the books, and the venue does not have it", p->client_id,
                        p->state);
        return;
    }
    if (!day_check(d, p->in_books, "%s is at the venue (%s), and not in the books", p->client_id,
                   p->venue_state)) {
        return;
    }
    (void)day_check(d, same_state(p), "%s is %s in the books and %s at the venue", p->client_id,
                    p->state, p->venue_state);
    (void)day_check(d, p->filled.e8 == p->order_filled.e8, "%s: its fills are %s, and it says %s",
                    p->client_id, dec_text(p->filled, a), dec_text(p->order_filled, b));
    (void)day_check(d, !p->stops || strcmp(p->state, "acked") != 0 || p->stop.e8 == p->rests.e8,
                    "the stop %s rests at %s in the books and %s at the venue", p->client_id,
                    dec_text(p->stop, a), dec_text(p->rests, b));
    int64_t rest = p->venue_got.e8 - p->filled.e8;
    int64_t step = rule(d, state, p->symbol, "step").e8;
    (void)day_check(d, p->buys && !d->venue->margined ? rest >= 0 && rest < step : rest == 0,
                    "%s is filled by %s in the books and %s at the venue", p->client_id,
                    dec_text(p->filled, a), dec_text(p->venue_got, b));
    int64_t off = llabs(p->moved.e8 - p->venue_moved.e8);
    (void)day_check(d, d->venue->margined || off <= p->venue_fills,
                    "%s moved %s in the books and %s at the venue", p->client_id,
                    dec_text(p->moved, a), dec_text(p->venue_moved, b));
}

static int64_t number(struct day *d, struct db *db, const char *sql)
{
    int64_t value = 0;
    struct err err = {0};
    (void)day_check(d, db_get_i64(db, sql, DB_NO_VALUES, 0, &value, &err) == 0, "%s: %s", sql,
                    err.context);
    return value;
}

static void word(struct day *d, struct db *db, const char *sql, char *ret, size_t size)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct err err = {0};
    ret[0] = '\0';
    if (day_check(d, db_query(db, sql, DB_NO_VALUES, &rows, &err) == 0, "%s: %s", sql,
                  err.context) &&
        db_next(rows, &err) > 0) {
        (void)str_copy(db_text(rows, 0), ret, size);
    }
}

static struct dec balance(struct day *d, const struct json_object *state, struct str currency)
{
    char name[16];
    (void)str_copy(currency, name, sizeof(name));
    const struct json_object *row = json_get(json_get(state, "balances"), name);
    return row == NULL ? DEC_ZERO : amount(d, row, "total");
}

static struct dec position(struct day *d, const struct json_object *state, const char *symbol)
{
    struct json_object *rows = json_get(state, "positions");
    for (size_t i = 0; i < json_len(rows); i++) {
        if (strcmp(json_text(json_item(rows, i), "symbol"), symbol) == 0) {
            return amount(d, json_item(rows, i), "qty");
        }
    }
    return DEC_ZERO;
}

/* What the books hold of a symbol, short below zero. */
static struct dec held(struct day *d, struct db *db, const char *symbol)
{
    char sql[192];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT sum(CASE side WHEN 'long' THEN qty ELSE -qty END) FROM positions"
                   " WHERE symbol = '%s'",
                   symbol);
    return (struct dec){number(d, db, sql)};
}

/* A difference stays: it counts once. Each amount may be rounded otherwise by one unit. */
static bool is_same(struct day *d, int what, int64_t off, int64_t most)
{
    bool same = llabs(off - d->off[what]) <= most;
    d->off[what] = same ? d->off[what] : off;
    return same;
}

static void check_account(struct day *d, struct db *db, const struct json_object *state,
                          const struct pairs *pairs, int fills)
{
    char a[DEC_TEXT_SIZE], b[DEC_TEXT_SIZE], outside[24];
    struct symbol symbol;
    for (int i = 0; i < DAY_SYMBOLS; i++) {
        ASSERT(symbol_parse(str_c(d->venue->symbols[i]), &symbol));
        struct dec ours = held(d, db, symbol.name);
        struct dec theirs = d->venue->margined ? position(d, state, symbol.name)
                                               : balance(d, state, symbol_base(&symbol));
        struct dec rest = dec_sub(theirs, ours);
        bool margined = d->venue->margined;
        int64_t off = rest.e8 - (margined ? 0 : left_over(pairs, symbol.name).e8);
        (void)day_check(d, is_same(d, i, off, margined ? 0 : fills),
                        "the books hold %s %s, the account %s", dec_text(ours, a), symbol.name,
                        dec_text(theirs, b));
    }
    word(d, db,
         "SELECT CAST(value - initial_cash AS TEXT) FROM venue_state, engine_state"
         " WHERE name = 'paid_in'",
         outside, sizeof(outside));
    struct dec rest = {0};
    (void)day_check(d, str_to_i64(str_c(outside), &rest.e8), "it is not known what is not ours");
    struct dec cash = {number(d, db,
                              d->venue->margined
                                  ? "SELECT initial_cash + realised FROM engine_state"
                                  : "SELECT cash FROM engine_state")};
    struct dec total = dec_sub(balance(d, state, symbol_quote(&symbol)), rest);
    (void)day_check(d, is_same(d, DAY_SYMBOLS, cash.e8 - total.e8, fills),
                    "the books have %s in cash, the account %s", dec_text(cash, a),
                    dec_text(total, b));
}

static void check_venue(struct day *d, const struct json_object *state)
{
    struct json_object *violations = json_get(state, "violations"), *ids = json_get(state, "ids");
    int64_t limits = d->limits_met, jumps = d->jumps_met;
    for (size_t i = 0; i < json_len(violations); i++) {
        const struct json_object *v = json_item(violations, i);
        const char *why = json_text(v, "why");
        /* One that crossed the answer that asked for a pause, or whose process was killed before it
         * had read it; and those by which the client learns that the venue's clock has jumped. */
        bool pause = strstr(why, "limited") != NULL || strstr(why, "banned") != NULL ||
                     strstr(why, "lockout") != NULL;
        bool crossed = pause && limits-- > 0;
        bool jumped = (strstr(why, "-1021") != NULL || strstr(why, "of its time") != NULL ||
                       strstr(why, "Invalid nonce") != NULL) &&
                      (jumps-- > 0 || d->late_left-- > 0);
        (void)day_check(d, crossed || jumped, "violation: %s: %s", json_text(v, "request"),
                        json_text(v, "why"));
    }
    struct json_object_iterator at = json_object_iter_begin(ids), end = json_object_iter_end(ids);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at);
        (void)day_check(d, json_i64(ids, name, 0) == 1, "%s was accepted %lld times", name,
                        (long long)json_i64(ids, name, 0));
    }
}

static int open_books(const struct day *d, struct db **ret, struct err *err)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/trading.db", d->folder);
    return db_open(&(struct db_options){.path = path, .read_only = true}, ret, err);
}

struct sum {
    int orders, sent, fills;
    int64_t trades;
};

static void compare(struct day *d, struct sum *ret)
{
    char tag[16];
    struct err err = {0};
    struct db *db = NULL;
    struct pairs pairs = {0};
    AUTO_JSON struct json_object *state = fake_venue_state(d->fake);
    int rc = open_books(d, &db, &err);
    if (!day_check(d, rc == 0, "trading.db: %s", err.context) ||
        !day_check(d, state != NULL, "the fake does not tell its state")) {
        db_free(db);
        return;
    }
    (void)day_check(d, db_quick_check(db, &err) == 0, "trading.db: %s", err.context);
    word(d, db, "SELECT value FROM venue_state WHERE name = 'tag'", tag, sizeof(tag));
    read_books(d, db, &pairs);
    read_venue(d, state, tag, &pairs);
    int fills = 0, sent = 0;
    for (int i = 0; i < pairs.count; i++) {
        check_pair(d, state, &pairs.list[i]);
        fills += pairs.list[i].venue_fills;
        sent += pairs.list[i].at_venue;
    }
    check_account(d, db, state, &pairs, fills);
    check_venue(d, state);
    *ret = (struct sum){.orders = pairs.count,
                        .sent = sent,
                        .fills = fills,
                        .trades = number(d, db, "SELECT count(*) FROM trades")};
    free(pairs.list);
    db_free(db);
}

void judge_compare(struct day *d)
{
    struct sum sum = {0};
    compare(d, &sum);
}

void judge_sum_up(struct day *d)
{
    struct sum sum = {0};
    compare(d, &sum);
    (void)printf("# %s: %lld minutes, %d lives of which %lld could trade, %lld faults; %d orders, "
                 "%d of them at the venue, %d fills, %lld trades, %lld stops moved\n",
                 d->venue->name, (long long)atomic_load(&d->told->minutes), d->lives,
                 (long long)atomic_load(&d->told->ready), (long long)d->fault_count, sum.orders,
                 sum.sent, sum.fills, (long long)sum.trades,
                 (long long)atomic_load(&d->told->moved));
    (void)day_check(d, d->only != NULL || sum.fills >= d->venue->fills,
                    "too little happened to prove anything");
}

void judge_refused(struct day *d)
{
    struct err err = {0};
    struct db *db = NULL;
    if (day_check(d, open_books(d, &db, &err) == 0, "%s", err.context)) {
        (void)day_check(d,
                        number(d, db,
                               "SELECT count(*) FROM positions AS p"
                               " JOIN orders AS entry ON entry.client_id = p.client_id"
                               " JOIN orders AS stop ON stop.symbol = p.symbol"
                               " WHERE stop.kind = 'stop' AND stop.state = 'rejected'"
                               " AND stop.rowid > entry.rowid") == 0,
                        "a position is open whose stop was refused");
    }
    db_free(db);
}
