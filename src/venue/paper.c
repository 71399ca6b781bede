#include "venue/paper.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "paper_memory.h"
#include "store/paper.h"

#include <stdio.h>
#include <stdlib.h>

/* The most payments reported after one listing. */
#define PAYMENTS_PER_LISTING 8

static struct paper *of(struct venue *venue)
{
    return (struct paper *)((char *)venue - offsetof(struct paper, venue));
}

static const struct paper *of_const(const struct venue *venue)
{
    return (const struct paper *)((const char *)venue - offsetof(struct paper, venue));
}

/* ---------------------------------------------------------------- reading, memory and store */

/* ERR_STORE_NOT_FOUND: the order was never received. */
static int look_up_order(struct paper *paper, const char *client_id, struct order *ret,
                         struct err *err)
{
    const struct paper_record *r =
        paper->memory == NULL ? NULL : paper_memory_find(paper->memory, client_id);
    if (r != NULL && r->has_order) {
        *ret = r->order;
        return 0;
    }
    *ret = (struct order){0};
    if (paper->store != NULL) {
        return paper_store_get_order(paper->store, client_id, ret, err);
    }
    return paper->memory == NULL ? -ERR_VENUE_DISK : -ERR_STORE_NOT_FOUND;
}

/* One more than fits in a report, to find out whether there are more. */
#define FILLS_LOOKED_UP (VENUE_FILLS_MAX + 1)

/* The fills in the store are older than those in memory. */
static int oldest_fills(struct paper *paper, const char *client_id, int64_t after, struct fill *ret,
                        struct err *err)
{
    int count = paper->store == NULL ? 0
                                     : paper_store_fills_of(paper->store, client_id, after, ret,
                                                            FILLS_LOOKED_UP, err);
    return count < 0 ? count
                     : count + paper_memory_fills(paper_memory_find(paper->memory, client_id),
                                                  after, &ret[count], FILLS_LOOKED_UP - count);
}

static int newest_fills(struct paper *paper, const char *client_id, struct fill *ret,
                        struct err *err)
{
    AUTO_UNCLEARED struct fill late[FILLS_LOOKED_UP];
    int late_count = paper_memory_newest_fills(paper_memory_find(paper->memory, client_id), late,
                                               FILLS_LOOKED_UP);
    int count = 0;
    if (paper->store != NULL && late_count < FILLS_LOOKED_UP) {
        count = paper_store_newest_fills(paper->store, client_id, ret,
                                         (size_t)(FILLS_LOOKED_UP - late_count), err);
    }
    if (count < 0) {
        return count;
    }
    memcpy(&ret[count], late, (size_t)late_count * sizeof(late[0]));
    return count + late_count;
}

/* ---------------------------------------------------------------- reports */

/* Queues an empty report. NULL when the queue is full: the report is lost, as on a network, and the
 * engine queries again. */
static struct venue_report *new_report(struct paper *paper, enum venue_report_kind kind,
                                       const char *client_id)
{
    if (paper->report_count == paper->report_capacity) {
        return NULL;
    }
    struct venue_report *r =
        &paper->reports[(paper->report_head + paper->report_count++) % paper->report_capacity];
    memset(r, 0, sizeof(*r));
    r->kind = kind;
    (void)str_copy(str_c(client_id), r->client_id, sizeof(r->client_id));
    return r;
}

static void no_answer(struct paper *paper, enum venue_call asked, const char *client_id)
{
    struct venue_report *r = new_report(paper, VENUE_NO_ANSWER, client_id);
    if (r != NULL) {
        r->asked = asked;
    }
}

/* The bracket of the entry's position, or of the resting entry without one. */
static void report_bracket(const struct paper *paper, const struct order *order,
                           struct venue_report *r)
{
    if (order->kind != ORDER_ENTRY) {
        return;
    }
    if (!order_state_is_final(order->state)) {
        r->stop = order->stop;
        r->target = order->target;
    }
    for (int i = 0; i < paper->book.position_count; i++) {
        const struct position *p = &paper->book.positions[i];
        if (strcmp(p->client_id, order->client_id) == 0) {
            r->stop = p->stop;
            r->target = p->target;
        }
    }
}

/* Reports the state of an order as it is stored, so that a report agrees with the state after a
 * crash. With after < 0 it has the newest fills, otherwise the oldest after that id. */
static void report_order(struct paper *paper, const char *client_id, enum venue_call asked,
                         int64_t after)
{
    struct err err = {0};
    struct order order;
    int rc = look_up_order(paper, client_id, &order, &err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        (void)new_report(paper, VENUE_NOT_FOUND, client_id);
        return;
    }
    AUTO_UNCLEARED struct fill fills[FILLS_LOOKED_UP];
    int count = rc < 0      ? rc
                : after < 0 ? newest_fills(paper, client_id, fills, &err)
                            : oldest_fills(paper, client_id, after, fills, &err);
    if (count < 0) {
        no_answer(paper, asked, client_id);
        return;
    }
    struct venue_report *r = new_report(paper, VENUE_ORDER, client_id);
    if (r == NULL) {
        return;
    }
    (void)str_copy(str_c(order.reason), r->reason, sizeof(r->reason));
    r->state = order.state;
    r->filled_qty = order.filled_qty;
    report_bracket(paper, &order, r);
    bool cut = count > VENUE_FILLS_MAX;
    r->fill_count = cut ? VENUE_FILLS_MAX : count;
    const struct fill *first = fills;
    if (after >= 0) {
        fill_id_of_number(after, r->fills_after);
        r->more = cut;
    } else if (cut) {
        memcpy(r->fills_after, fills[0].venue_fill_id, sizeof(r->fills_after));
        first = &fills[1];
    }
    memcpy(r->fills, first, (size_t)r->fill_count * sizeof(fills[0]));
}

static void report_payment(struct paper *paper, const struct funding *payment)
{
    struct venue_report *r = new_report(paper, VENUE_FUNDING, "");
    if (r != NULL) {
        r->funding_id = payment->id;
        r->prev_funding_id = payment->id - 1;
        r->symbol = payment->symbol;
        r->payment = payment->payment;
        r->at_us = payment->at_us;
    }
}

static bool is_among(const struct paper_change *change, const char *client_id, int fills)
{
    for (int i = 0; i < change->order_count; i++) {
        if (strcmp(change->orders[i].client_id, client_id) == 0) {
            return true;
        }
    }
    for (int i = 0; i < fills; i++) {
        if (strcmp(change->fills[i].client_id, client_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Reports each order once, including an entry whose bracket has filled. */
static void report_change(struct paper *paper, const struct paper_change *change)
{
    for (int i = 0; i < change->order_count; i++) {
        report_order(paper, change->orders[i].client_id, VENUE_CALL_QUERY, -1);
    }
    for (int i = 0; i < change->fill_count; i++) {
        if (!is_among(change, change->fills[i].client_id, i)) {
            report_order(paper, change->fills[i].client_id, VENUE_CALL_QUERY, -1);
        }
    }
    for (int i = 0; i < change->payment_count; i++) {
        report_payment(paper, &change->payments[i]);
    }
}

/* ---------------------------------------------------------------- writing */

/* "stopped_us BTC-USD": when the stop of a position was hit but only partly filled. */
static void name_stopped(struct symbol symbol, char ret[48])
{
    (void)snprintf(ret, 48, "stopped_us %.15s", symbol.name);
}

static int64_t stopped_of(const struct paper_book *book, struct symbol symbol)
{
    int index = paper_book_find(book, symbol);
    return index < 0 ? 0 : book->stopped_us[index];
}

static int write_stopped(struct paper *paper, const struct paper_book *positions_of,
                         struct err *err)
{
    int rc = 0;
    for (int i = 0; i < positions_of->position_count && rc >= 0; i++) {
        struct symbol symbol = positions_of->positions[i].symbol;
        int64_t now_us = stopped_of(&paper->book, symbol);
        if (now_us != stopped_of(&paper->written, symbol)) {
            char name[48];
            name_stopped(symbol, name);
            rc = paper_store_write_i64(paper->store, name, now_us, err);
        }
    }
    return rc;
}

static int write_book(struct paper *paper, struct err *err)
{
    const struct paper_book *book = &paper->book;
    int rc = paper_store_replace_positions(paper->store, book->positions,
                                           (size_t)book->position_count, err);
    if (rc >= 0) {
        rc = paper_store_write_i64(paper->store, "cash_e8", book->cash.e8, err);
    }
    if (rc >= 0) {
        rc = paper_store_write_i64(paper->store, "minute_us", book->bar_us, err);
    }
    if (rc >= 0) {
        rc = paper_store_write_i64(paper->store, "funding_period", book->funding_period, err);
    }
    if (rc >= 0) {
        rc = write_stopped(paper, book, err);
    }
    return rc < 0 ? rc : write_stopped(paper, &paper->written, err);
}

static int write_record(struct paper *paper, const struct paper_record *record, struct err *err)
{
    int rc = record->has_order ? paper_store_write_order(paper->store, &record->order, err) : 0;
    for (int64_t i = 0; i < record->fill_count && rc >= 0; i++) {
        bool fresh = false;
        rc = paper_store_add_fill(paper->store, &record->fills[i], &fresh, err);
    }
    return rc;
}

static int write_all(struct paper *paper, struct err *err)
{
    const struct paper_memory *m = paper->memory;
    int rc = 0;
    for (int i = 0; i < m->record_count && rc >= 0; i++) {
        if (m->records[i].order.client_id[0] != '\0') {
            rc = write_record(paper, &m->records[i], err);
        }
    }
    for (int64_t i = 0; i < m->payment_count && rc >= 0; i++) {
        rc = paper_store_add_payment(paper->store, &m->payments[i], err);
    }
    return rc < 0 ? rc : write_book(paper, err);
}

int paper_flush(struct paper *paper, struct err *err)
{
    if (!paper->behind) {
        return 0;
    }
    int rc = trading_store_begin(paper->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = write_all(paper, err);
    if (rc < 0) {
        trading_store_rollback(paper->store);
        return rc;
    }
    rc = trading_store_commit(paper->store, err);
    if (rc < 0) {
        return rc;
    }
    paper_memory_clear(paper->memory);
    paper_book_copy(&paper->written, &paper->book);
    paper->behind = false;
    return 0;
}

/* Returns the book that a call changes. With a store it is a draft, dropped if commit fails. */
static struct paper_book *begin(struct paper *paper)
{
    paper->change.order_count = 0;
    paper->change.fill_count = 0;
    paper->change.payment_count = 0;
    if (paper->store == NULL && paper->memory != NULL) {
        return &paper->book;
    }
    paper_book_copy(&paper->draft, &paper->book);
    return &paper->draft;
}

/* Makes the draft the book, writes it if the disk can be written, and queues the reports. After a
 * failure nothing has changed. */
static int commit(struct paper *paper, const struct paper_book *book, struct err *err)
{
    if (paper->memory == NULL) {
        return err_set(err, ERR_VENUE_DISK, "the paper venue has no open database");
    }
    if (paper->store == NULL) {
        paper_memory_add(paper->memory, &paper->book, &paper->change);
        report_change(paper, &paper->change);
        return 0;
    }
    if (!paper_memory_has_space(paper->memory, &paper->change)) {
        return err_set(err, ERR_VENUE_DISK, "the memory for records that are not on disk is full");
    }
    paper_book_copy(&paper->book, book);
    paper_memory_add(paper->memory, &paper->book, &paper->change);
    struct err why = {0};
    bool was_behind = paper->behind;
    paper->behind = true;
    /* After a failure only paper_flush tries the disk again, not every call. */
    if (!was_behind && paper_flush(paper, &why) < 0) {
        LOG(DEBUG, "the paper venue keeps its book in memory: %s", why.context);
    }
    report_change(paper, &paper->change);
    return 0;
}

/* ---------------------------------------------------------------- the venue's calls */

static void paper_send(struct venue *venue, const struct order *order)
{
    struct paper *paper = of(venue);
    struct err err = {0};
    struct order known;
    if (look_up_order(paper, order->client_id, &known, &err) != -ERR_STORE_NOT_FOUND) {
        /* Sent before: report the state of the first. */
        report_order(paper, order->client_id, VENUE_CALL_SEND, -1);
        return;
    }
    struct paper_book *book = begin(paper);
    paper_book_send(book, &paper->terms, order, &paper->change);
    if (commit(paper, book, &err) < 0) {
        LOG(DEBUG, "the paper venue could not accept %s: %s", order->client_id, err.context);
        no_answer(paper, VENUE_CALL_SEND, order->client_id);
    }
}

static void paper_cancel(struct venue *venue, const char *client_id)
{
    struct paper *paper = of(venue);
    struct paper_book *book = begin(paper);
    struct err err = {0};
    if (!paper_book_cancel(book, client_id, &paper->change)) {
        report_order(paper, client_id, VENUE_CALL_CANCEL, -1);
    } else if (commit(paper, book, &err) < 0) {
        no_answer(paper, VENUE_CALL_CANCEL, client_id);
    }
}

/* A refusal reports the current bracket too: an earlier amendment may have been accepted, and its
 * report lost. */
static void report_current(struct paper *paper, const char *client_id, struct venue_report *r)
{
    struct err err = {0};
    struct order order;
    if (look_up_order(paper, client_id, &order, &err) >= 0) {
        report_bracket(paper, &order, r);
        r->current_stop = r->stop;
        r->current_target = r->target;
    }
}

static void paper_amend(struct venue *venue, const char *client_id, struct dec stop,
                        struct dec target)
{
    struct paper *paper = of(venue);
    struct paper_book *book = begin(paper);
    struct err err = {0};
    struct venue_report *r;
    switch (paper_book_amend(book, client_id, stop, target, &paper->change)) {
    case PAPER_AMENDED:
        if (commit(paper, book, &err) < 0) {
            no_answer(paper, VENUE_CALL_AMEND, client_id);
        } else if (!is_among(&paper->change, client_id, 0)) {
            report_order(paper, client_id, VENUE_CALL_AMEND, -1);
        }
        break;
    case PAPER_NO_BRACKET:
        report_order(paper, client_id, VENUE_CALL_AMEND, -1);
        break;
    case PAPER_AMEND_REFUSED:
        r = new_report(paper, VENUE_REFUSED, client_id);
        if (r != NULL) {
            r->asked = VENUE_CALL_AMEND;
            report_current(paper, client_id, r);
            r->stop = stop;
            r->target = target;
            (void)str_copy(STR_LIT("the market has passed it"), r->reason, sizeof(r->reason));
        }
        break;
    }
}

static void paper_query(struct venue *venue, const struct venue_question *question)
{
    report_order(of(venue), question->client_id, VENUE_CALL_QUERY,
                 fill_id_to_number(question->after_fill_id));
}

static void list_payments(struct paper *paper, int64_t after_id)
{
    struct funding payments[PAYMENTS_PER_LISTING];
    struct err err = {0};
    int count = paper->store == NULL ? 0
                                     : paper_store_payments_after(paper->store, after_id, payments,
                                                                  PAYMENTS_PER_LISTING, &err);
    if (count >= 0) {
        count += paper_memory_payments(paper->memory, after_id, &payments[count],
                                       PAYMENTS_PER_LISTING - count);
    }
    for (int i = 0; i < count; i++) {
        report_payment(paper, &payments[i]);
    }
}

static void report_account(struct paper *paper, int64_t ask_id)
{
    const struct paper_book *book = &paper->book;
    struct venue_report *r = new_report(paper, VENUE_ACCOUNT, "");
    if (r == NULL || book->price_count == 0) {
        return;
    }
    struct dec exposure;
    struct dec equity = paper_book_equity(book, &exposure);
    struct dec used = dec_div(exposure, paper->terms.leverage);
    struct venue_balance *b = &r->account.balances[r->account.balance_count++];
    (void)str_copy(symbol_quote(&book->prices[0].symbol), b->currency, sizeof(b->currency));
    b->total = book->cash;
    b->available = dec_max(dec_sub(equity, used), DEC_ZERO);
    r->account.margin_used = used;
    r->account.leverage = dec_to_double(paper->terms.leverage);
    r->ask_id = ask_id;
    r->funding_id = book->next_funding_id - 1;
}

/* Reports one page of the account. False: it was the last, or the queue is full. */
static bool list_page(struct paper *paper, int64_t ask_id, int page)
{
    const struct paper_book *book = &paper->book;
    struct venue_report *r = new_report(paper, VENUE_LISTING, "");
    if (r == NULL) {
        return false;
    }
    r->ask_id = ask_id;
    r->page = page;
    r->funding_id = book->next_funding_id - 1;
    int first = page * VENUE_PAGE_HOLDINGS;
    for (int i = first; i < book->position_count && r->holding_count < VENUE_PAGE_HOLDINGS; i++) {
        const struct position *p = &book->positions[i];
        r->holdings[r->holding_count++] =
            (struct venue_holding){p->symbol, p->side, p->qty, p->entry_price};
    }
    int first_open = page * VENUE_PAGE_OPEN;
    for (int i = first_open; i < book->open_count && r->open_count < VENUE_PAGE_OPEN; i++) {
        memcpy(r->open[r->open_count++], book->open[i].client_id, CLIENT_ID_SIZE);
    }
    r->last = first + VENUE_PAGE_HOLDINGS >= book->position_count &&
              first_open + VENUE_PAGE_OPEN >= book->open_count;
    return !r->last;
}

static void paper_list(struct venue *venue, int64_t ask_id, int64_t after_funding_id)
{
    struct paper *paper = of(venue);
    if (paper->memory == NULL) {
        no_answer(paper, VENUE_CALL_LIST, "");
        return;
    }
    for (int page = 0; list_page(paper, ask_id, page); page++) {}
    report_account(paper, ask_id);
    if (after_funding_id < paper->book.next_funding_id - 1) {
        list_payments(paper, after_funding_id);
    }
}

static bool paper_get_quote(const struct venue *venue, struct symbol symbol, struct quote *ret)
{
    const struct paper *paper = of_const(venue);
    return paper_book_quote(&paper->book, &paper->terms, symbol, ret);
}

static bool has_terms_to_report(const struct paper *paper)
{
    return paper->memory != NULL &&
           (!paper->ready_reported || paper->rules_reported < paper->book.price_count);
}

/* Its state, and the rules of each symbol, once; and the rules again when they change. Not in the
 * queue, which may be too small. */
static bool report_terms(struct paper *paper, struct venue_report *ret)
{
    if (!has_terms_to_report(paper)) {
        return false;
    }
    *ret = (struct venue_report){.kind = VENUE_CONNECTION, .venue_state = VENUE_READY};
    if (paper->ready_reported) {
        ret->kind = VENUE_INSTRUMENT;
        ret->instrument = (struct instrument){
            .symbol = paper->book.prices[paper->rules_reported++].symbol,
            .digits = paper->terms.tick_digits,
            .step = paper->terms.lot,
            .min_notional = paper->terms.min_notional,
        };
    }
    paper->ready_reported = true;
    return true;
}

static bool paper_poll(struct venue *venue, struct venue_report *ret)
{
    struct paper *paper = of(venue);
    if (paper->report_count == 0) {
        return report_terms(paper, ret);
    }
    *ret = paper->reports[paper->report_head];
    paper->report_head = (paper->report_head + 1) % paper->report_capacity;
    paper->report_count--;
    return true;
}

static int paper_fd(const struct venue *venue)
{
    (void)venue;
    return -1;
}

static int64_t paper_due_us(const struct venue *venue)
{
    const struct paper *paper = of_const(venue);
    return paper->report_count > 0 || has_terms_to_report(paper) ? 0 : INT64_MAX;
}

static const struct venue_capabilities *paper_capabilities(const struct venue *venue)
{
    /* It is in this process, so its answers are final. */
    static const struct venue_capabilities can = {
        VENUE_USUAL,        .brackets = true,    .prices_in_ticks = true,
        .connection = true, .instruments = true, .balances = VENUE_BALANCES_CASH};
    (void)venue;
    return &can;
}

static const struct venue_ops paper_ops;

/* ---------------------------------------------------------------- life cycle */

void paper_init(struct paper *paper, const struct paper_settings *settings, int64_t step_us,
                int symbols)
{
    memset(paper, 0, sizeof(*paper));
    paper->venue.ops = &paper_ops;
    paper->initial_cash = settings->initial_cash;
    paper_book_terms(&paper->terms, settings, step_us);
    paper_book_init(&paper->book, settings->initial_cash, symbols);
    paper_book_init(&paper->written, settings->initial_cash, symbols);
    paper_book_init(&paper->draft, settings->initial_cash, symbols);
    paper_change_init(&paper->change, symbols);
    paper->report_capacity = 4 * capacity_positions(symbols);
    paper->reports = calloc((size_t)paper->report_capacity, sizeof(*paper->reports));
    ASSERT(paper->reports != NULL);
}

void paper_close(struct paper *paper)
{
    free(paper->memory);
    paper->memory = NULL;
    paper->store = NULL;
    paper->behind = false;
}

void paper_release(struct paper *paper)
{
    if (paper == NULL) {
        return;
    }
    paper_close(paper);
    paper_book_release(&paper->book);
    paper_book_release(&paper->written);
    paper_book_release(&paper->draft);
    paper_change_release(&paper->change);
    free(paper->reports);
    paper->reports = NULL;
    paper->report_count = 0;
    paper->report_capacity = 0;
}

static int read_stopped(struct trading_store *store, struct paper_book *book, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < book->position_count && rc >= 0; i++) {
        char name[48];
        name_stopped(book->positions[i].symbol, name);
        rc = paper_store_get_i64(store, name, 0, &book->stopped_us[i], err);
    }
    return rc;
}

static int read_book(struct trading_store *store, struct dec cash, struct paper_book *book,
                     struct err *err)
{
    int symbols = book->symbols;
    paper_book_release(book);
    paper_book_init(book, cash, symbols);
    int rc = paper_store_get_i64(store, "cash_e8", cash.e8, &book->cash.e8, err);
    if (rc >= 0) {
        rc = paper_store_get_i64(store, "minute_us", 0, &book->bar_us, err);
    }
    if (rc >= 0) {
        rc = paper_store_get_i64(store, "funding_period", 0, &book->funding_period, err);
    }
    int64_t last = 0;
    if (rc >= 0) {
        rc = paper_store_last_fill_id(store, &last, err);
        book->next_fill_id = last + 1;
    }
    if (rc >= 0) {
        rc = paper_store_last_payment_id(store, &last, err);
        book->next_funding_id = last + 1;
    }
    if (rc >= 0) {
        rc = paper_store_open_orders(store, book->open, (size_t)paper_book_open_max(book), err);
        book->open_count = rc < 0 ? 0 : rc;
    }
    if (rc >= 0) {
        rc = paper_store_positions(store, book->positions,
                                   (size_t)capacity_positions(book->symbols), err);
        book->position_count = rc < 0 ? 0 : rc;
    }
    return rc < 0 ? rc : read_stopped(store, book, err);
}

int paper_open(struct paper *paper, struct trading_store *store, struct err *err)
{
    ASSERT(paper->memory == NULL || paper->store != NULL);
    paper_close(paper);
    paper->report_count = 0;
    paper->ready_reported = false;
    paper->rules_reported = 0;
    int rc = read_book(store, paper->initial_cash, &paper->book, err);
    if (rc < 0) {
        return rc;
    }
    paper_book_copy(&paper->written, &paper->book);
    paper->store = store;
    paper->memory = paper_memory_new(paper->book.symbols);
    return 0;
}

void paper_open_memory(struct paper *paper)
{
    ASSERT(paper->store == NULL && paper->memory == NULL);
    paper->memory = paper_memory_new(paper->book.symbols);
}

void paper_quote(struct paper *paper, struct symbol symbol, struct dec price)
{
    paper_book_price(&paper->book, symbol, price, paper->book.bar_us + paper->terms.step_us);
}

int paper_bars(struct paper *paper, const struct source_bar *bars, int count, struct err *err)
{
    if (!paper_book_is_affected(&paper->book, bars, count)) {
        /* Only prices and the clock change: losing them in a crash is safe, nothing is reported. */
        paper_book_bars(&paper->book, &paper->terms, bars, count, &paper->change);
        return 0;
    }
    struct paper_book *book = begin(paper);
    paper_book_bars(book, &paper->terms, bars, count, &paper->change);
    const struct paper_change *change = &paper->change;
    if (change->order_count == 0 && change->fill_count == 0 && change->payment_count == 0 &&
        paper->store != NULL &&
        memcmp(book->stopped_us, paper->book.stopped_us,
               (size_t)book->position_count * sizeof(*book->stopped_us)) == 0) {
        paper_book_copy(&paper->book, book);
        return 0;
    }
    return commit(paper, book, err);
}

/* ---------------------------------------------------------------- behind the interface */

struct paper *paper_of(struct venue *venue)
{
    ASSERT(venue->ops == &paper_ops);
    return of(venue);
}

static void paper_set_leverage(struct venue *venue, double leverage)
{
    paper_book_set_leverage(&of(venue)->terms, leverage);
}

static int open_account(struct venue *venue, struct trading_store *store, struct err *err)
{
    if (store == NULL) {
        paper_open_memory(of(venue));
        return 0;
    }
    return paper_open(of(venue), store, err);
}

static void watch(struct venue *venue, struct symbol symbol, struct dec price)
{
    paper_quote(of(venue), symbol, price);
}

static int trade_bars(struct venue *venue, const struct source_bar *bars, int count,
                      struct err *err)
{
    return paper_bars(of(venue), bars, count, err);
}

static int flush(struct venue *venue, struct err *err)
{
    return paper_flush(of(venue), err);
}

static bool is_behind(const struct venue *venue)
{
    return of_const(venue)->behind;
}

static void free_paper(struct venue *venue)
{
    paper_release(of(venue));
    free(of(venue));
}

static const struct venue_ops paper_ops = {
    .name = "paper",
    .import = &paper_import,
    .capabilities = paper_capabilities,
    .send = paper_send,
    .cancel = paper_cancel,
    .query = paper_query,
    .list = paper_list,
    .amend = paper_amend,
    .quote = paper_get_quote,
    .poll = paper_poll,
    .fd = paper_fd,
    .due_us = paper_due_us,
    .set_leverage = paper_set_leverage,
    .open = open_account,
    .watch = watch,
    .bars = trade_bars,
    .flush = flush,
    .is_behind = is_behind,
    .free = free_paper,
};
