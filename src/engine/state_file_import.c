#include "base/check.h"
#include "engine/state_file.h"
#include "engine_private.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/state_table.h"

#include <stdio.h>
#include <string.h>

#define ORDERS_MAX 64
static const char replaced[] = "replaced by an import";

struct import {
    const struct state_file *file;
    const struct state_file_import *options;
    struct trading_store *store;
    struct state_file_imported *done;
    struct engine_state state;
    int position_count;
    struct position positions[POSITIONS_LIMIT];
};

/* ---------------------------------------------------------------- the existing account */

static int clear_orders(struct import *im, struct err *err)
{
    struct order orders[ORDERS_MAX];
    int count = order_table_open(im->store, orders, ORDERS_MAX, err);
    for (int i = 0; i < count; i++) {
        orders[i].state = ORDER_CANCELLED;
        (void)str_copy(str_c(replaced), orders[i].reason, sizeof(orders[i].reason));
        int rc = order_table_write(im->store, &orders[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    im->done->cancelled_orders = count < 0 ? 0 : count;
    return count;
}

/* Refuses the import if something is open, or removes it with `replace`. */
static int clear_old(struct import *im, struct err *err)
{
    struct position held[POSITIONS_LIMIT];
    struct order orders[ORDERS_MAX];
    int positions = position_table_list(im->store, held, POSITIONS_LIMIT, err);
    int alive = positions < 0 ? positions : order_table_open(im->store, orders, ORDERS_MAX, err);
    int theirs = alive < 0 ? alive : im->options->venue->held(im->store, err);
    if (theirs < 0) {
        return theirs;
    }
    if ((positions > 0 || alive > 0 || theirs > 0) && !im->options->replace) {
        return err_set(err, ERR_STATE_FILE_OPEN, "%d positions and %d orders",
                       positions > theirs ? positions : theirs, alive);
    }
    im->done->replaced_positions = positions > theirs ? positions : theirs;
    int rc = clear_orders(im, err);
    return rc < 0 ? rc : im->options->venue->clear(im->store, replaced, err);
}

/* ---------------------------------------------------------------- the account */

static struct dec away(struct dec price, double percent, bool up)
{
    struct dec distance = dec_mul_div(price, dec_from_double(percent), dec_from_int(100));
    return up ? dec_add(price, distance) : dec_sub(price, distance);
}

/* Not an id with the engine's prefix: in a new account a later order would get the same one. */
static bool is_id(const char *text)
{
    return text[0] != '\0' && strlen(text) < CLIENT_ID_SIZE &&
           strncmp(text, ENGINE_CLIENT_ID_PREFIX, sizeof(ENGINE_CLIENT_ID_PREFIX) - 1) != 0 &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                             "-_.")] == '\0';
}

/* The id in the file, or a new one if it is taken, invalid, or one that the engine could assign. */
static int choose_id(struct import *im, const char *wanted, char ret[CLIENT_ID_SIZE],
                     struct err *err)
{
    struct order order;
    char id[CLIENT_ID_SIZE];
    (void)str_copy(is_id(wanted) ? str_c(wanted) : STR_LIT("import-1"), id, sizeof(id));
    for (int64_t n = im->state.next_order; n < INT64_MAX; n++) {
        int rc = order_table_get(im->store, id, &order, err);
        if (rc == -ERR_STORE_NOT_FOUND) {
            err_clear(err);
            rc = im->options->venue->knows(im->store, id, err);
            if (rc == 0) {
                memcpy(ret, id, CLIENT_ID_SIZE);
                return 0;
            }
        }
        if (rc < 0) {
            return rc;
        }
        (void)snprintf(id, sizeof(id), "import-%lld", (long long)n);
    }
    UNREACHABLE();
}

/* Writes the order and the fill that opened the position, so that a query to the venue finds them.
 */
static int write_history(struct import *im, const struct position *p, struct err *err)
{
    struct order order = {.symbol = p->symbol,
                          .kind = ORDER_ENTRY,
                          .side = p->side,
                          .state = ORDER_FILLED,
                          .qty = p->qty,
                          .reference_price = p->entry_price,
                          .stop = p->stop,
                          .target = p->target,
                          .filled_qty = p->qty,
                          .average_price = p->entry_price,
                          .created_us = p->opened_us,
                          .updated_us = p->opened_us,
                          .reason = "imported"};
    struct fill fill = {.symbol = p->symbol,
                        .kind = ORDER_ENTRY,
                        .side = p->side,
                        .qty = p->qty,
                        .price = p->entry_price,
                        .at_us = p->opened_us};
    memcpy(order.client_id, p->client_id, sizeof(order.client_id));
    memcpy(fill.client_id, p->client_id, sizeof(fill.client_id));
    bool fresh;
    int rc = im->options->venue->add(im->store, &order, &fill, err);
    rc = rc < 0 ? rc : order_table_write(im->store, &order, err);
    return rc < 0 ? rc : fill_table_add(im->store, &fill, &fresh, err);
}

static int open_position(struct import *im, const struct state_file_position *from, struct err *err)
{
    struct position p = {.symbol = from->symbol,
                         .side = from->side,
                         .qty = from->size,
                         .entry_price = from->entry_price,
                         .mark_price = from->entry_price,
                         .opened_us = im->state.market_us};
    bool is_long = from->side == SIDE_LONG;
    p.stop = away(p.entry_price, im->options->settings->stop_pct, !is_long);
    p.target = away(p.entry_price, im->options->settings->target_pct, is_long);
    int rc = choose_id(im, from->order_id, p.client_id, err);
    if (rc < 0) {
        return rc;
    }
    struct ledger ledger = {&im->state, im->positions, &im->position_count, POSITIONS_LIMIT};
    if (!dec_is_valid(p.stop) || !dec_is_valid(p.target) || !ledger_adopt(&ledger, &p)) {
        return err_set(err, ERR_STATE_FILE_DAMAGED, "%s: the cost is out of range", p.symbol.name);
    }
    im->state.orders++;
    im->state.fills++;
    return write_history(im, &p, err);
}

static void begin_state(struct import *im)
{
    struct dec cash = im->options->settings->initial_cash;
    int64_t market_us = im->options->wall_us - im->options->wall_us % timeframe_us(TF_1H);
    im->state = (struct engine_state){.state = TRADING_ACTIVE,
                                      .state_reason = "imported",
                                      .state_since_wall_us = im->options->wall_us,
                                      .market_us = market_us,
                                      .initial_cash = cash,
                                      .day = market_us / USEC_PER_DAY,
                                      .next_order = 1,
                                      .next_decision_id = 1,
                                      .next_trade_id = 1};
}

/* Sets the cash before the positions are bought. An import does not lift a breaker, pause or
 * emergency stop that is in effect. */
static int import_account(struct import *im, struct err *err)
{
    struct engine_state *s = &im->state;
    const struct state_file *f = im->file;
    s->realised = f->total_pnl;
    s->cash = dec_add(s->initial_cash, f->total_pnl);
    if (!dec_is_valid(s->cash)) {
        return err_set(err, ERR_STATE_FILE_DAMAGED, "total_pnl is out of range");
    }
    s->trades = f->total_trades;
    struct dec wins = dec_mul_div(f->win_rate, dec_from_int(f->total_trades), dec_from_int(100));
    s->wins = dec_is_valid(wins) ? dec_round_to(wins, dec_from_int(1)).e8 / DEC_ONE : 0;
    if (f->breaker_tripped && s->state == TRADING_ACTIVE) {
        s->state = TRADING_BREAKER;
        s->state_since_wall_us = im->options->wall_us;
        (void)str_copy(f->last_trip_reason[0] != '\0' ? str_c(f->last_trip_reason)
                                                      : STR_LIT("tripped before the import"),
                       s->state_reason, sizeof(s->state_reason));
    }
    return 0;
}

static int import_all(struct import *im, struct err *err)
{
    int rc = import_account(im, err);
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < im->file->position_count && rc >= 0; i++) {
        rc = open_position(im, &im->file->positions[i], err);
    }
    if (rc < 0) {
        return rc;
    }
    struct engine_state *s = &im->state;
    struct dec equity = ledger_equity(s->cash, im->positions, im->position_count);
    struct dec day_start = dec_sub(equity, im->file->daily_pnl);
    if (!dec_is_valid(equity) || equity.e8 <= 0 || !dec_is_valid(day_start) || day_start.e8 <= 0) {
        return err_set(err, ERR_STATE_FILE_DAMAGED,
                       "the starting cash and total_pnl leave no equity to trade with");
    }
    s->day_start_equity = day_start;
    s->equity_peak = dec_max(equity, day_start);
    im->done->positions = im->position_count;
    rc = position_table_replace(im->store, im->positions, (size_t)im->position_count, err);
    if (rc >= 0) {
        rc =
            im->options->venue->replace(im->store, im->positions, im->position_count, s->cash, err);
    }
    return rc < 0 ? rc : state_table_save(im->store, s, err);
}

int state_file_import(const struct state_file *file, const struct state_file_import *options,
                      struct trading_store *store, struct state_file_imported *ret, struct err *err)
{
    *ret = (struct state_file_imported){0};
    if (options->venue == NULL) {
        return err_set(err, ERR_STATE_FILE_VENUE, "%d positions", file->position_count);
    }
    struct import im = {.file = file, .options = options, .store = store, .done = ret};
    int rc = trading_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    rc = state_table_load(store, &im.state, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        begin_state(&im);
        ret->fresh = true;
        rc = 0;
    }
    rc = rc < 0 ? rc : clear_old(&im, err);
    rc = rc < 0 ? rc : import_all(&im, err);
    if (rc < 0) {
        trading_store_rollback(store);
        return rc;
    }
    return trading_store_commit(store, err);
}
