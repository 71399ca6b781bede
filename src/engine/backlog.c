#include "backlog.h"

#include "base/auto.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define FILLS     (4 * ENGINE_FILLS_MAX)
#define PAYMENTS  (8 * ENGINE_REPORTS_MAX)
#define TRANSFERS (2 * (ENGINE_REPORTS_MAX + 1))
#define REQUESTS  64
#define STOPS     8 /* reserved for emergency stops */
#define POINTS    512

/* By the number of symbols. */
#define ORDERS(b)    (4 * capacity_orders((b)->symbols))
#define TRADES(b)    (4 * ENGINE_TRADES(capacity_positions((b)->symbols)))
#define DECISIONS(b) (16 * capacity_symbols((b)->symbols))
#define CANDLES(b)   (256 * capacity_symbols((b)->symbols))

struct backlog {
    int symbols;
    bool write; /* there is something to commit, perhaps only the state */
    bool market_moved;
    bool positions_changed;
    bool rules_changed;
    int order_count;
    struct order *orders;
    bool *fresh; /* not in trading.db yet */
    int fill_count;
    struct fill fills[FILLS];
    int payment_count;
    struct funding payments[PAYMENTS];
    int transfer_count;
    struct transfer transfers[TRANSFERS];
    int trade_count;
    struct trade *trades;
    int decision_count;
    struct decision *decisions;
    int candle_count;
    struct source_bar *candles;
    int point_count;
    struct equity_point points[POINTS];
    int request_count;
    struct journal_request requests[REQUESTS];
};

static void *rows(int count, size_t size)
{
    void *memory = calloc((size_t)count, size);
    ASSERT(memory != NULL);
    return memory;
}

struct backlog *backlog_new(int symbols)
{
    struct backlog *b = rows(1, sizeof(*b));
    b->symbols = symbols;
    b->orders = rows(ORDERS(b), sizeof(*b->orders));
    b->fresh = rows(ORDERS(b), sizeof(*b->fresh));
    b->trades = rows(TRADES(b), sizeof(*b->trades));
    b->decisions = rows(DECISIONS(b), sizeof(*b->decisions));
    b->candles = rows(CANDLES(b), sizeof(*b->candles));
    return b;
}

void backlog_free(struct backlog *backlog)
{
    if (backlog == NULL) {
        return;
    }
    free(backlog->orders);
    free(backlog->fresh);
    free(backlog->trades);
    free(backlog->decisions);
    free(backlog->candles);
    free(backlog);
}

void backlog_clear(struct backlog *b)
{
    b->write = false;
    b->market_moved = false;
    b->positions_changed = false;
    b->rules_changed = false;
    b->order_count = 0;
    b->fill_count = 0;
    b->payment_count = 0;
    b->transfer_count = 0;
    b->trade_count = 0;
    b->decision_count = 0;
    b->candle_count = 0;
    b->point_count = 0;
    b->request_count = 0;
}

bool backlog_is_empty(const struct backlog *backlog)
{
    return !backlog->write;
}

static bool is_droppable(const struct backlog *b, int index)
{
    const struct order *o = &b->orders[index];
    return b->fresh[index] && order_state_is_final(o->state) && o->filled_qty.e8 == 0;
}

bool backlog_has_capacity(const struct backlog *b)
{
    int orders = 0;
    for (int i = 0; i < b->order_count; i++) {
        orders += !is_droppable(b, i);
    }
    return orders + capacity_orders(b->symbols) <= ORDERS(b) &&
           b->fill_count + ENGINE_FILLS_MAX <= FILLS &&
           b->payment_count + ENGINE_REPORTS_MAX <= PAYMENTS &&
           b->transfer_count + ENGINE_REPORTS_MAX + 1 <= TRANSFERS &&
           b->trade_count + TRADES(b) / 4 <= TRADES(b);
}

bool backlog_accepts(const struct backlog *b, enum request_kind kind)
{
    return b->request_count < (kind == REQUEST_EMERGENCY_STOP ? REQUESTS : REQUESTS - STOPS);
}

/* ---------------------------------------------------------------- adding */

static int find_order(const struct backlog *b, const char *client_id)
{
    for (int i = 0; i < b->order_count; i++) {
        if (strcmp(b->orders[i].client_id, client_id) == 0) {
            return i;
        }
    }
    return -1;
}

static void drop_ended_orders(struct backlog *b)
{
    int kept = 0;
    for (int i = 0; i < b->order_count; i++) {
        if (!is_droppable(b, i)) {
            b->orders[kept] = b->orders[i];
            b->fresh[kept++] = b->fresh[i];
        }
    }
    b->order_count = kept;
}

void backlog_add_order(struct backlog *b, const struct order *order)
{
    int i = find_order(b, order->client_id);
    if (i < 0) {
        if (b->order_count == ORDERS(b)) {
            drop_ended_orders(b);
        }
        ASSERT(b->order_count < ORDERS(b));
        i = b->order_count++;
        b->fresh[i] = order->state == ORDER_PREPARED;
    }
    b->orders[i] = *order;
    b->write = true;
}

void backlog_add_state(struct backlog *b)
{
    b->write = true;
}

void backlog_add_positions(struct backlog *b)
{
    b->positions_changed = true;
    b->write = true;
}

void backlog_add_request(struct backlog *b, const struct journal_request *request)
{
    ASSERT(b->request_count < REQUESTS);
    b->requests[b->request_count++] = *request;
    b->write = true;
}

static void add_candle(struct backlog *b, const struct source_bar *bar)
{
    if (b->candle_count == CANDLES(b)) {
        memmove(b->candles, b->candles + 1, (size_t)(CANDLES(b) - 1) * sizeof(b->candles[0]));
        b->candle_count--;
    }
    b->candles[b->candle_count++] = *bar;
}

static void add_point(struct backlog *b, const struct equity_point *point)
{
    if (b->point_count == POINTS) {
        memmove(b->points, b->points + 1, sizeof(b->points) - sizeof(b->points[0]));
        b->point_count--;
    }
    b->points[b->point_count++] = *point;
}

static void add_history(struct backlog *b, const struct engine_outputs *out)
{
    for (int i = 0; i < out->decision_count && b->decision_count < DECISIONS(b); i++) {
        b->decisions[b->decision_count++] = out->decisions[i];
    }
    for (int i = 0; i < out->candle_count; i++) {
        add_candle(b, &out->candles[i]);
    }
    if (out->equity_point) {
        add_point(b, &out->equity);
    }
}

void backlog_add(struct backlog *b, const struct engine_outputs *out)
{
    if (!out->write) {
        return;
    }
    b->write = true;
    b->market_moved = b->market_moved || out->market_moved;
    b->positions_changed = b->positions_changed || out->positions_changed;
    b->rules_changed = b->rules_changed || out->rules_changed;
    for (int i = 0; i < out->order_count; i++) {
        backlog_add_order(b, &out->orders[i]);
    }
    ASSERT(b->fill_count + out->fill_count <= FILLS &&
           b->trade_count + out->trade_count <= TRADES(b) &&
           b->payment_count + out->payment_count <= PAYMENTS &&
           b->transfer_count + out->transfer_count <= TRANSFERS);
    for (int i = 0; i < out->fill_count; i++) {
        b->fills[b->fill_count++] = out->fills[i];
    }
    for (int i = 0; i < out->trade_count; i++) {
        b->trades[b->trade_count++] = out->trades[i];
    }
    for (int i = 0; i < out->payment_count; i++) {
        b->payments[b->payment_count++] = out->payments[i];
    }
    for (int i = 0; i < out->transfer_count; i++) {
        b->transfers[b->transfer_count++] = out->transfers[i];
    }
    if (out->has_request) {
        backlog_add_request(
            b, &(struct journal_request){out->request, out->request_err, out->at_us, false});
    }
    add_history(b, out);
}

/* ---------------------------------------------------------------- reading */

bool backlog_has_order(const struct backlog *backlog, const char *client_id)
{
    return find_order(backlog, client_id) >= 0;
}

struct journal_request *backlog_request(struct backlog *b, int64_t id)
{
    for (int i = 0; i < b->request_count; i++) {
        if (b->requests[i].request.id == id) {
            return &b->requests[i];
        }
    }
    return NULL;
}

struct journal_rows backlog_rows(const struct backlog *b)
{
    return (struct journal_rows){
        .market_moved = b->market_moved,
        .positions_changed = b->positions_changed,
        .rules_changed = b->rules_changed,
        .order_count = b->order_count,
        .orders = b->orders,
        .fill_count = b->fill_count,
        .fills = b->fills,
        .payment_count = b->payment_count,
        .payments = b->payments,
        .transfer_count = b->transfer_count,
        .transfers = b->transfers,
        .trade_count = b->trade_count,
        .trades = b->trades,
        .decision_count = b->decision_count,
        .decisions = b->decisions,
        .candle_count = b->candle_count,
        .candles = b->candles,
        .point_count = b->point_count,
        .points = b->points,
        .request_count = b->request_count,
        .requests = b->requests,
    };
}
