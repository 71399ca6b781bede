#include "venue/paper.h"

#include "base/check.h"
#include "base/log.h"
#include "store/paper.h"

#include <stdio.h>

/* What one call changes: the new book, and what has to be written with it. */
struct change {
    struct paper_book book;
    int order_count;
    struct order orders[PAPER_OPEN_MAX + 1];
    int fill_count;
    struct fill fills[PAPER_OPEN_MAX + 2 * POSITIONS_MAX];
    int told_count; /* orders to report about, by client_id */
    char told[PAPER_OPEN_MAX + 2 * POSITIONS_MAX][CLIENT_ID_SIZE];
};

static struct paper *of(struct venue *venue)
{
    return (struct paper *)((char *)venue - offsetof(struct paper, venue));
}

/* ---------------------------------------------------------------- reports */

/* A slot for a report; NULL when the queue is full: then the report is lost, as on a network, and
 * the engine asks again. */
static struct venue_report *new_report(struct paper *paper, enum venue_report_kind kind)
{
    if (paper->report_count == PAPER_REPORTS_MAX) {
        return NULL;
    }
    struct venue_report *r =
        &paper->reports[(paper->report_head + paper->report_count++) % PAPER_REPORTS_MAX];
    memset(r, 0, sizeof(*r));
    r->kind = kind;
    return r;
}

static void no_answer(struct paper *paper, enum venue_call asked, const char *client_id)
{
    struct venue_report *r = new_report(paper, VENUE_NO_ANSWER);
    if (r != NULL) {
        r->asked = asked;
        (void)str_copy(str_c(client_id), r->client_id, sizeof(r->client_id));
    }
}

/* Tells the state of an order from the disk: what is told is what would be found after a crash. */
static void tell_order(struct paper *paper, const char *client_id, enum venue_call asked)
{
    struct err err = {0};
    struct order order;
    int rc = paper->store == NULL ? -ERR_VENUE_DISK
                                  : paper_store_get_order(paper->store, client_id, &order, &err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        struct venue_report *r = new_report(paper, VENUE_NOT_KNOWN);
        if (r != NULL) {
            (void)str_copy(str_c(client_id), r->client_id, sizeof(r->client_id));
        }
        return;
    }
    struct fill fills[VENUE_FILLS_MAX];
    int count =
        rc < 0 ? rc : paper_store_fills_of(paper->store, client_id, fills, VENUE_FILLS_MAX, &err);
    if (count < 0) {
        no_answer(paper, asked, client_id);
        return;
    }
    struct venue_report *r = new_report(paper, VENUE_ORDER);
    if (r == NULL) {
        return;
    }
    (void)str_copy(str_c(client_id), r->client_id, sizeof(r->client_id));
    (void)str_copy(str_c(order.reason), r->reason, sizeof(r->reason));
    r->state = order.state;
    r->filled_qty = order.filled_qty;
    r->fill_count = count;
    memcpy(r->fills, fills, (size_t)count * sizeof(fills[0]));
}

/* ---------------------------------------------------------------- the book */

static int find_position(const struct paper_book *book, struct symbol symbol)
{
    for (int i = 0; i < book->position_count; i++) {
        if (symbol_equal(book->positions[i].symbol, symbol)) {
            return i;
        }
    }
    return -1;
}

static struct dec quote_of(const struct paper *paper, struct symbol symbol)
{
    for (int i = 0; i < paper->quote_count; i++) {
        if (symbol_equal(paper->quotes[i].symbol, symbol)) {
            return paper->quotes[i].price;
        }
    }
    return DEC_ZERO;
}

/* Half a spread worse: a buyer pays more, a seller gets less. */
static struct dec worse(const struct paper *paper, struct dec price, bool buys)
{
    struct dec half = dec_mul(price, paper->half_spread);
    return buys ? dec_add(price, half) : dec_sub(price, half);
}

static void tell_later(struct change *change, const char *client_id)
{
    for (int i = 0; i < change->told_count; i++) {
        if (strcmp(change->told[i], client_id) == 0) {
            return;
        }
    }
    ASSERT(change->told_count < (int)COUNT_OF(change->told));
    (void)str_copy(str_c(client_id), change->told[change->told_count++], CLIENT_ID_SIZE);
}

static void keep_order(struct change *change, const struct order *order)
{
    ASSERT(change->order_count < (int)COUNT_OF(change->orders));
    change->orders[change->order_count++] = *order;
    tell_later(change, order->client_id);
}

static bool add_fill(const struct paper *paper, struct change *change, const struct fill *what)
{
    struct fill f = *what;
    struct dec amount = dec_mul(f.price, f.qty);
    f.fee = dec_mul(amount, paper->fee);
    f.venue_fill_id = change->book.next_fill_id;
    bool buys = (f.kind == ORDER_ENTRY) == (f.side == SIDE_LONG);
    struct dec cash =
        buys ? dec_sub(change->book.cash, amount) : dec_add(change->book.cash, amount);
    cash = dec_sub(cash, f.fee);
    if (!dec_is_valid(cash) || f.price.e8 <= 0) {
        return false;
    }
    ASSERT(change->fill_count < (int)COUNT_OF(change->fills));
    change->fills[change->fill_count++] = f;
    change->book.cash = cash;
    change->book.next_fill_id++;
    tell_later(change, f.client_id);
    return true;
}

/* Cash plus what the positions are worth: what one may open with. */
static struct dec equity_of(const struct paper *paper, const struct paper_book *book)
{
    struct dec equity = book->cash;
    for (int i = 0; i < book->position_count; i++) {
        const struct position *p = &book->positions[i];
        struct dec price = quote_of(paper, p->symbol);
        struct dec worth = dec_mul(price.e8 > 0 ? price : p->entry_price, p->qty);
        equity = p->side == SIDE_LONG ? dec_add(equity, worth) : dec_sub(equity, worth);
    }
    return equity;
}

static void fill_entry(const struct paper *paper, struct change *change, struct order *order,
                       struct dec price, int64_t at_us)
{
    struct fill f = {.symbol = order->symbol,
                     .kind = ORDER_ENTRY,
                     .side = order->side,
                     .qty = order->qty,
                     .price = worse(paper, price, order->side == SIDE_LONG),
                     .at_us = at_us};
    (void)str_copy(str_c(order->client_id), f.client_id, sizeof(f.client_id));
    order->updated_us = at_us;
    struct dec equity = equity_of(paper, &change->book);
    struct dec notional = dec_mul(f.price, f.qty);
    bool affordable =
        dec_is_valid(equity) && dec_is_valid(notional) && dec_cmp(notional, equity) <= 0;
    if (!affordable || change->book.position_count == POSITIONS_MAX ||
        !add_fill(paper, change, &f)) {
        order->state = ORDER_REJECTED;
        (void)str_copy(STR_LIT("insufficient funds"), order->reason, sizeof(order->reason));
        keep_order(change, order);
        return;
    }
    order->state = ORDER_FILLED;
    order->filled_qty = f.qty;
    order->average_price = f.price;
    struct position *p = &change->book.positions[change->book.position_count++];
    *p = (struct position){.symbol = f.symbol,
                           .side = f.side,
                           .qty = f.qty,
                           .entry_price = f.price,
                           .stop = order->stop,
                           .target = order->target,
                           .mark_price = f.price,
                           .fees = change->fills[change->fill_count - 1].fee,
                           .opened_us = at_us,
                           .decision_id = order->decision_id};
    (void)str_copy(str_c(order->client_id), p->client_id, sizeof(p->client_id));
    keep_order(change, order);
}

static void drop_position(struct paper_book *book, int index)
{
    book->position_count--;
    for (int i = index; i < book->position_count; i++) {
        book->positions[i] = book->positions[i + 1];
    }
}

/* The bracket of one position against one minute; true when it went. */
static bool watch_bracket(const struct paper *paper, struct change *change, int index,
                          const struct candle *c)
{
    struct position p = change->book.positions[index];
    bool is_long = p.side == SIDE_LONG;
    bool stopped = is_long ? dec_cmp(c->low, p.stop) <= 0 : dec_cmp(c->high, p.stop) >= 0;
    bool won = is_long ? dec_cmp(c->high, p.target) >= 0 : dec_cmp(c->low, p.target) <= 0;
    if (!stopped && !won) {
        return false;
    }
    struct fill f = {.symbol = p.symbol,
                     .kind = stopped ? ORDER_STOP : ORDER_TARGET,
                     .side = p.side,
                     .qty = p.qty,
                     .price = p.target,
                     .at_us = c->open_us + timeframe_us(TF_1M)};
    if (stopped) {
        struct dec at = is_long ? dec_min(p.stop, c->open) : dec_max(p.stop, c->open);
        f.price = worse(paper, at, !is_long);
    }
    (void)str_copy(str_c(p.client_id), f.client_id, sizeof(f.client_id));
    if (!add_fill(paper, change, &f)) {
        return false;
    }
    drop_position(&change->book, index);
    return true;
}

/* ---------------------------------------------------------------- its disk */

static int write_change(struct paper *paper, const struct change *change, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < change->order_count && rc >= 0; i++) {
        rc = paper_store_put_order(paper->store, &change->orders[i], err);
    }
    for (int i = 0; i < change->fill_count && rc >= 0; i++) {
        bool fresh = false;
        rc = paper_store_add_fill(paper->store, &change->fills[i], &fresh, err);
    }
    if (rc >= 0) {
        rc = paper_store_replace_positions(paper->store, change->book.positions,
                                           (size_t)change->book.position_count, err);
    }
    if (rc >= 0) {
        rc = paper_store_put_i64(paper->store, "cash_e8", change->book.cash.e8, err);
    }
    if (rc >= 0) {
        rc = paper_store_put_i64(paper->store, "minute_us", change->book.minute_us, err);
    }
    return rc;
}

/* All of it on disk, then in the book, then told; or nothing. */
static int commit_change(struct paper *paper, const struct change *change, struct err *err)
{
    if (paper->store == NULL) {
        return err_set(err, ERR_VENUE_DISK, "the paper venue has no database");
    }
    int rc = trading_store_begin(paper->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = write_change(paper, change, err);
    if (rc < 0) {
        trading_store_rollback(paper->store);
        return rc;
    }
    rc = trading_store_commit(paper->store, err);
    if (rc < 0) {
        return rc;
    }
    paper->book = change->book;
    for (int i = 0; i < change->told_count; i++) {
        tell_order(paper, change->told[i], VENUE_CALL_QUERY);
    }
    return 0;
}

static void change_init(const struct paper *paper, struct change *change)
{
    change->book = paper->book;
    change->order_count = 0;
    change->fill_count = 0;
    change->told_count = 0;
}

/* ---------------------------------------------------------------- the venue's calls */

static const char *refusal(const struct paper *paper, const struct order *order)
{
    bool has_position = find_position(&paper->book, order->symbol) >= 0;
    if (!dec_is_valid(order->qty) || order->qty.e8 <= 0) {
        return "size is not above zero";
    }
    if (quote_of(paper, order->symbol).e8 <= 0) {
        return "no price for this symbol";
    }
    if (order->kind != ORDER_ENTRY) {
        return order->kind == ORDER_CLOSE && has_position ? NULL : "nothing to reduce";
    }
    if (order->stop.e8 <= 0 || order->target.e8 <= 0) {
        return "entry without stop or target";
    }
    if (has_position) {
        return "symbol has a position";
    }
    return paper->book.open_count == PAPER_OPEN_MAX ? "too many open orders" : NULL;
}

static void accept_close(const struct paper *paper, struct change *change, struct order *order)
{
    int index = find_position(&change->book, order->symbol);
    struct position *p = &change->book.positions[index];
    struct fill f = {.symbol = p->symbol,
                     .kind = ORDER_CLOSE,
                     .side = p->side,
                     .qty = dec_min(order->qty, p->qty), /* reduces, never turns around */
                     .price = worse(paper, quote_of(paper, p->symbol), p->side == SIDE_SHORT),
                     .at_us = order->created_us};
    (void)str_copy(str_c(order->client_id), f.client_id, sizeof(f.client_id));
    if (p->side != order->side || !add_fill(paper, change, &f)) {
        order->state = ORDER_REJECTED;
        (void)str_copy(STR_LIT("nothing to reduce"), order->reason, sizeof(order->reason));
        return;
    }
    order->state = ORDER_FILLED;
    order->filled_qty = f.qty;
    order->average_price = f.price;
    p->qty = dec_sub(p->qty, f.qty);
    if (p->qty.e8 == 0) {
        drop_position(&change->book, index);
    }
}

static void paper_send(struct venue *venue, const struct order *sent)
{
    struct paper *paper = of(venue);
    struct err err = {0};
    struct order order;
    int rc = paper->store == NULL
                 ? -ERR_VENUE_DISK
                 : paper_store_get_order(paper->store, sent->client_id, &order, &err);
    if (rc != -ERR_STORE_NOT_FOUND) {
        /* Sent before: the first one stands, and this answers with its state. */
        tell_order(paper, sent->client_id, VENUE_CALL_SEND);
        return;
    }

    struct change change;
    change_init(paper, &change);
    order = *sent;
    order.filled_qty = DEC_ZERO;
    order.average_price = DEC_ZERO;
    const char *why_not = refusal(paper, &order);
    if (why_not != NULL) {
        order.state = ORDER_REJECTED;
        (void)str_copy(str_c(why_not), order.reason, sizeof(order.reason));
    } else if (order.kind == ORDER_CLOSE) {
        accept_close(paper, &change, &order);
    } else {
        order.state = ORDER_ACKED;
        change.book.open[change.book.open_count++] = order;
    }
    keep_order(&change, &order);
    if (commit_change(paper, &change, &err) < 0) {
        LOG(DEBUG, "paper venue could not take %s: %s", sent->client_id, err.context);
        no_answer(paper, VENUE_CALL_SEND, sent->client_id);
    }
}

static void paper_cancel(struct venue *venue, const char *client_id)
{
    struct paper *paper = of(venue);
    struct change change;
    change_init(paper, &change);
    for (int i = 0; i < change.book.open_count; i++) {
        struct order order = change.book.open[i];
        if (strcmp(order.client_id, client_id) != 0) {
            continue;
        }
        change.book.open_count--;
        for (int j = i; j < change.book.open_count; j++) {
            change.book.open[j] = change.book.open[j + 1];
        }
        order.state = ORDER_CANCELLED;
        (void)str_copy(STR_LIT("cancelled"), order.reason, sizeof(order.reason));
        keep_order(&change, &order);
        struct err err = {0};
        if (commit_change(paper, &change, &err) < 0) {
            no_answer(paper, VENUE_CALL_CANCEL, client_id);
        }
        return;
    }
    tell_order(paper, client_id, VENUE_CALL_CANCEL);
}

static void paper_query(struct venue *venue, const char *client_id)
{
    tell_order(of(venue), client_id, VENUE_CALL_QUERY);
}

static void paper_list(struct venue *venue, int64_t ask_id)
{
    struct paper *paper = of(venue);
    if (paper->store == NULL) {
        no_answer(paper, VENUE_CALL_LIST, "");
        return;
    }
    struct venue_report *r = new_report(paper, VENUE_LISTING);
    if (r == NULL) {
        return;
    }
    r->ask_id = ask_id;
    r->complete = true;
    for (int i = 0; i < paper->book.position_count; i++) {
        const struct position *p = &paper->book.positions[i];
        r->holdings[r->holding_count++] =
            (struct venue_holding){p->symbol, p->side, p->qty, p->entry_price};
    }
    for (int i = 0; i < paper->book.open_count; i++) {
        (void)str_copy(str_c(paper->book.open[i].client_id), r->open[r->open_count++],
                       CLIENT_ID_SIZE);
    }
}

static bool paper_poll(struct venue *venue, struct venue_report *ret)
{
    struct paper *paper = of(venue);
    if (paper->report_count == 0) {
        return false;
    }
    *ret = paper->reports[paper->report_head];
    paper->report_head = (paper->report_head + 1) % PAPER_REPORTS_MAX;
    paper->report_count--;
    return true;
}

static const struct venue_ops paper_ops = {
    .name = "paper",
    .send = paper_send,
    .cancel = paper_cancel,
    .query = paper_query,
    .list = paper_list,
    .poll = paper_poll,
};

/* ---------------------------------------------------------------- life */

void paper_set_costs(struct paper *paper, const struct settings *settings)
{
    paper->half_spread = dec_from_double(settings->spread_bps / 2e4);
    paper->fee = dec_from_double(settings->fee_bps / 1e4);
}

void paper_init(struct paper *paper, const struct settings *settings)
{
    memset(paper, 0, sizeof(*paper));
    paper->venue.ops = &paper_ops;
    paper->initial_cash = settings->initial_cash;
    paper_set_costs(paper, settings);
}

int paper_open(struct paper *paper, struct trading_store *store, struct err *err)
{
    paper->store = NULL;
    paper->report_count = 0;
    struct paper_book *book = &paper->book;
    memset(book, 0, sizeof(*book));
    int rc = paper_store_get_i64(store, "cash_e8", paper->initial_cash.e8, &book->cash.e8, err);
    if (rc >= 0) {
        rc = paper_store_get_i64(store, "minute_us", 0, &book->minute_us, err);
    }
    int64_t last_fill_id = 0;
    if (rc >= 0) {
        rc = paper_store_last_fill_id(store, &last_fill_id, err);
        book->next_fill_id = last_fill_id + 1;
    }
    if (rc >= 0) {
        rc = paper_store_open_orders(store, book->open, PAPER_OPEN_MAX, err);
        book->open_count = rc < 0 ? 0 : rc;
    }
    if (rc >= 0) {
        rc = paper_store_positions(store, book->positions, POSITIONS_MAX, err);
        book->position_count = rc < 0 ? 0 : rc;
    }
    if (rc < 0) {
        return rc;
    }
    paper->store = store;
    return 0;
}

void paper_quote(struct paper *paper, struct symbol symbol, struct dec price)
{
    for (int i = 0; i < paper->quote_count; i++) {
        if (symbol_equal(paper->quotes[i].symbol, symbol)) {
            paper->quotes[i].price = price;
            return;
        }
    }
    if (paper->quote_count < SYMBOLS_MAX) {
        paper->quotes[paper->quote_count++] = (struct paper_quote){symbol, price};
    }
}

static void trade_bar(const struct paper *paper, struct change *change,
                      const struct source_bar *bar)
{
    const struct candle *c = &bar->candle;
    int kept = 0;
    for (int i = 0; i < change->book.open_count; i++) {
        struct order order = change->book.open[i];
        if (symbol_equal(order.symbol, bar->symbol) && order.created_us <= c->open_us) {
            fill_entry(paper, change, &order, c->open, c->open_us);
        } else {
            change->book.open[kept++] = order;
        }
    }
    change->book.open_count = kept;
    int index = find_position(&change->book, bar->symbol);
    if (index >= 0) {
        (void)watch_bracket(paper, change, index, c);
    }
}

int paper_minute(struct paper *paper, const struct source_bar *bars, int count, struct err *err)
{
    struct change change;
    change_init(paper, &change);
    int64_t minute_us = count > 0 ? bars[0].candle.open_us : 0;
    if (minute_us > paper->book.minute_us) {
        change.book.minute_us = minute_us;
        for (int i = 0; i < count; i++) {
            if (candle_is_valid(&bars[i].candle)) {
                trade_bar(paper, &change, &bars[i]);
            }
        }
        if (change.order_count > 0 || change.fill_count > 0) {
            int rc = commit_change(paper, &change, err);
            if (rc < 0) {
                return rc;
            }
        }
        paper->book.minute_us = minute_us;
    }
    for (int i = 0; i < count; i++) {
        if (candle_is_valid(&bars[i].candle)) {
            paper_quote(paper, bars[i].symbol, bars[i].candle.close);
        }
    }
    return 0;
}
