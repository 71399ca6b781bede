#include "base/check.h"
#include "base/log.h"
#include "gateway_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the requests of one turn in the log; what is beyond is not logged. */
#define SENT_BYTES ((size_t)64 * 1024)
/* Between two questions for fills that the venue has counted and does not list yet. */
#define FILLS_PAUSE_US (500 * USEC_PER_MSEC)
#define FETCHES_MAX    8
#define LIMIT_EVERY_US USEC_PER_SEC
/* How far back an order is looked for: the engine asks about younger ones only. */
#define HISTORY_US (7 * USEC_PER_DAY)

int64_t gateway_now(const struct gateway *g)
{
    return clock_mono_us(loop_clock(g->options.loop));
}

int gateway_find_symbol(const struct gateway *g, struct symbol symbol)
{
    for (int i = 0; i < g->market_count; i++) {
        if (symbol_equal(g->markets[i].market.symbol, symbol)) {
            return i;
        }
    }
    return -1;
}

int gateway_find_market(const struct gateway *g, const char *name)
{
    for (int i = 0; i < g->market_count; i++) {
        const struct exchange_market *m = &g->markets[i].market;
        bool same = g->options.api->is_market != NULL ? g->options.api->is_market(m, name)
                                                      : strcmp(m->name, name) == 0;
        if (g->markets[i].known && same) {
            return i;
        }
    }
    return -1;
}

void gateway_report(struct gateway *g, const struct venue_report *report)
{
    g->options.report(report, g->options.userdata);
}

void gateway_note_limit(struct gateway *g)
{
    struct venue_report r = {.kind = VENUE_LIMIT};
    calls_limit(g->calls, &r.limit);
    int64_t now_us = gateway_now(g);
    bool moved = llabs(r.limit.used - g->limit_used) * 20 > r.limit.most;
    if (r.limit.banned_us > 0 || (moved && now_us - g->limit_mono_us >= LIMIT_EVERY_US)) {
        g->limit_mono_us = now_us;
        g->limit_used = r.limit.used;
        gateway_report(g, &r);
    }
}

/* ---------------------------------------------------------------- names of orders */

#define OURS "nd-" /* the engine's ids */

void gateway_name_theirs(const struct gateway *g, const char *client_id, char ret[ACCOUNT_ID_SIZE])
{
    (void)snprintf(ret, ACCOUNT_ID_SIZE, "nd%s%s", g->options.tag, client_id + strlen("nd"));
}

/* Where an amendment makes a new order, its client id is that of the first with a point and a
 * number after it. */
static void first_id(const char *theirs, char ret[ACCOUNT_ID_SIZE])
{
    (void)str_copy(str_c(theirs), ret, ACCOUNT_ID_SIZE);
    if (strncmp(ret, "nd", 2) == 0) {
        ret[strcspn(ret, ".")] = '\0';
    }
}

/* Two characters, a tag, and the engine's two numbers. */
static bool is_of_a_nightdesk(const char *theirs)
{
    size_t tag = strlen("nd") + GATEWAY_TAG_SIZE - 1;
    if (strncmp(theirs, "nd", 2) != 0 || strlen(theirs) < tag || theirs[tag] != '-' ||
        strcspn(theirs, "-") != tag) {
        return false;
    }
    const char *run = theirs + tag + 1;
    size_t run_len = strspn(run, "0123456789");
    const char *number = run + run_len + 1;
    return run_len > 0 && run[run_len] == '-' && number[0] != '\0' &&
           number[strspn(number, "0123456789")] == '\0';
}

void gateway_name_order(const struct gateway *g, const struct account_order *order,
                        char ret[CLIENT_ID_SIZE])
{
    char prefix[16], first[ACCOUNT_ID_SIZE];
    first_id(order->client_id, first);
    const struct known_order *o = order_memory_find_theirs(g->orders, first);
    (void)snprintf(prefix, sizeof(prefix), "nd%s-", g->options.tag);
    if (o != NULL) {
        memcpy(ret, o->client_id, CLIENT_ID_SIZE);
    } else if (strncmp(first, prefix, strlen(prefix)) == 0) {
        (void)snprintf(ret, CLIENT_ID_SIZE, OURS "%.24s", first + strlen(prefix));
    } else {
        bool other = is_of_a_nightdesk(first);
        (void)snprintf(ret, CLIENT_ID_SIZE, "%s%.29s", other ? "##" : "#", order->id);
    }
}

bool gateway_takes_coins(const struct gateway *g, const struct gateway_market *m)
{
    const struct account_api *api = g->options.api;
    return !api->positions || (api->takes_coins != NULL && api->takes_coins(&m->market));
}

static void terms_of(const struct gateway *g, const struct known_order *o, struct order_terms *ret)
{
    const struct gateway_market *m = &g->markets[o->market];
    *ret = (struct order_terms){.symbol = m->market.symbol,
                                .step = m->rules.step,
                                .takes_coins = gateway_takes_coins(g, m)};
}

/* ---------------------------------------------------------------- answers */

void gateway_no_answer(struct gateway *g, enum venue_call asked, const char *client_id)
{
    struct venue_report r = {.kind = VENUE_NO_ANSWER, .asked = asked};
    (void)str_copy(str_c(client_id), r.client_id, sizeof(r.client_id));
    gateway_report(g, &r);
}

void gateway_report_order(struct gateway *g, const struct known_order *o, const char *after_fill_id,
                          bool newest)
{
    struct order_terms terms;
    struct venue_report r;
    terms_of(g, o, &terms);
    known_order_report(o, &terms, after_fill_id, newest, &r);
    gateway_report(g, &r);
}

struct ask *gateway_ask_new(struct gateway *g, const char *client_id, enum venue_call asked)
{
    struct ask *ask = calloc(1, sizeof(*ask));
    NEED_MEMORY(ask != NULL);
    ask->g = g;
    ask->asked = asked;
    (void)str_copy(str_c(client_id), ask->client_id, sizeof(ask->client_id));
    ask->next = g->asks;
    g->asks = ask;
    return ask;
}

bool gateway_is_asked(const struct gateway *g, const char *client_id, enum venue_call asked)
{
    const struct ask *ask = g->asks;
    while (ask != NULL && (ask->asked != asked || strcmp(ask->client_id, client_id) != 0)) {
        ask = ask->next;
    }
    return ask != NULL;
}

/* Accepts NULL. */
void gateway_ask_end(struct ask *ask)
{
    if (ask == NULL) {
        return;
    }
    struct ask **link = &ask->g->asks;
    while (*link != ask) {
        link = &(*link)->next;
    }
    *link = ask->next;
    free(ask);
}

static void fetch_fills(struct gateway *g, struct known_order *o, struct ask *ask);

/* Reports the order, once its fills are whole. Takes the ask; NULL: nobody asked. */
void gateway_settle(struct gateway *g, struct known_order *o, struct ask *ask)
{
    if (known_order_is_whole(o) || o->fetches >= FETCHES_MAX) {
        o->fetches = known_order_is_whole(o) ? 0 : FETCHES_MAX / 2;
        if (o->has_state && o->state == ORDER_ACKED && !o->seen_resting) {
            o->seen_resting = true;
            gateway_guard_look(g);
        }
        gateway_report_order(g, o, ask != NULL ? ask->after_fill_id : "",
                             ask == NULL || ask->newest);
        gateway_amend_look(g, o);
        gateway_ask_end(ask);
        return;
    }
    if (o->fetching) {
        gateway_ask_end(ask); /* reported when they have come */
        return;
    }
    if (ask == NULL) {
        ask = gateway_ask_new(g, o->client_id, VENUE_CALL_QUERY);
        ask->newest = true;
    }
    fetch_fills(g, o, ask);
}

/* ---------------------------------------------------------------- fills by REST */

static int read_fills(struct gateway *g, struct known_order *o, const struct json_object *root,
                      const struct account_page *page, char next[ACCOUNT_CURSOR_SIZE],
                      struct err *err)
{
    struct account_fill *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    int count = 0;
    int rc = g->options.api->read_fills(page, root, rows, &count, next, err);
    for (int i = 0; rc >= 0 && i < count; i++) {
        if (strcmp(rows[i].order_id, o->id) == 0) {
            (void)known_order_fill(o, &rows[i]);
        }
    }
    free(rows);
    return rc;
}

static void page_of(const struct gateway *g, const struct known_order *o, const char *cursor,
                    struct account_page *ret)
{
    *ret = (struct account_page){.market = &g->markets[o->market].market,
                                 .order_id = o->id,
                                 .until_us = calls_wall_us(g->calls),
                                 .cursor = cursor};
}

static void on_fills(const struct calls_answer *answer, void *userdata)
{
    struct ask *ask = userdata;
    struct gateway *g = ask->g;
    struct known_order *o = order_memory_find(g->orders, ask->client_id);
    struct err err = {0};
    char next[ACCOUNT_CURSOR_SIZE] = "";
    if (o == NULL) {
        gateway_ask_end(ask);
        return;
    }
    o->fetching = false;
    struct account_page page;
    page_of(g, o, ask->cursor, &page);
    int rc = answer->verdict == ACCOUNT_FINE ? read_fills(g, o, answer->root, &page, next, &err)
                                             : -answer->err->id;
    if (rc >= 0 && next[0] != '\0') {
        memcpy(ask->cursor, next, sizeof(ask->cursor));
        fetch_fills(g, o, ask);
        return;
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, answer->err != NULL ? answer->err : &err,
                "cannot read the fills of an order");
        gateway_no_answer(g, ask->asked, ask->client_id);
        gateway_ask_end(ask);
        return;
    }
    ask->cursor[0] = '\0';
    o->fetches++;
    gateway_settle(g, o, ask);
}

static void fetch_fills(struct gateway *g, struct known_order *o, struct ask *ask)
{
    struct account_page page;
    page_of(g, o, ask->cursor, &page);
    o->fetching = true;
    g->options.api->add_fills(&page, calls_begin(g->calls));
    /* A venue lists a fill a little later than it counts it. */
    int64_t deadline_us = gateway_now(g) + GATEWAY_ANSWER_US;
    if (o->fetches > 0 && ask->cursor[0] == '\0') {
        calls_send_later(g->calls, ACCOUNT_FILLS, FILLS_PAUSE_US * o->fetches, deadline_us,
                         on_fills, ask);
        return;
    }
    calls_send(g->calls, ACCOUNT_FILLS, deadline_us, on_fills, ask);
}

/* ---------------------------------------------------------------- asking, cancelling */

/* Takes what an answer says about an order into the memory. 0: it only acknowledges. */
int gateway_take_order(struct gateway *g, enum account_call call, struct known_order *o,
                       const struct json_object *root, struct err *err)
{
    struct account_order state = {0};
    struct account_fill *fills = calloc(ACCOUNT_ROWS_MAX, sizeof(*fills));
    NEED_MEMORY(fills != NULL);
    int count = 0;
    int rc = g->options.api->read_order(call, root, &state, fills, &count, err);
    for (int i = 0; rc >= 0 && i < count; i++) {
        (void)known_order_fill(o, &fills[i]);
    }
    free(fills);
    if (rc < 0) {
        return rc;
    }
    if (state.qty.e8 == 0) {
        known_order_name(o, &state);
        return 0;
    }
    (void)known_order_update(o, &state);
    return 1;
}

static void add_find(const struct gateway *g, const struct known_order *o, struct account_find *ret)
{
    *ret = (struct account_find){.market = &g->markets[o->market].market,
                                 .client_id = o->theirs,
                                 .id = o->id,
                                 .type = o->type};
}

static void no_such_order(struct gateway *g, const struct known_order *o, struct ask *ask)
{
    struct venue_report r = {.kind = VENUE_NOT_FOUND};
    memcpy(r.client_id, o->client_id, sizeof(r.client_id));
    if (o->has_state) { /* it was there before: an answer from an older copy of the venue's data */
        gateway_no_answer(g, ask->asked, ask->client_id);
    } else {
        gateway_report(g, &r);
    }
    gateway_ask_end(ask);
}

static void not_read(struct gateway *g, struct ask *ask, const struct err *why)
{
    log_err(LOG_LEVEL_WARNING, why, "cannot read the state of an order");
    gateway_no_answer(g, ask->asked, ask->client_id);
    gateway_ask_end(ask);
}

static void on_query(const struct calls_answer *answer, void *userdata)
{
    struct ask *ask = userdata;
    struct gateway *g = ask->g;
    struct known_order *o = order_memory_find(g->orders, ask->client_id);
    struct err err = {0};
    gateway_note_limit(g);
    if (o == NULL) {
        gateway_ask_end(ask);
        return;
    }
    if (answer->verdict == ACCOUNT_NOT_FOUND) {
        ask->step++;
        gateway_query(g, o, ask);
        return;
    }
    if (answer->verdict != ACCOUNT_FINE) {
        not_read(g, ask, answer->err);
        return;
    }
    int rc = gateway_take_order(g, ACCOUNT_QUERY, o, answer->root, &err);
    if (rc < 0) {
        not_read(g, ask, &err);
    } else if (rc > 0) {
        gateway_settle(g, o, ask);
    } else if (strcmp(ask->id, o->id) != 0) { /* it is another order now */
        ask->step = 0;
        gateway_query(g, o, ask);
    } else {
        gateway_no_answer(g, ask->asked, ask->client_id);
        gateway_ask_end(ask);
    }
}

/* ---- a venue that finds no client ids: its newest orders are looked through */

static void history(struct gateway *g, struct ask *ask);

static void history_page(const struct gateway *g, const struct ask *ask, struct account_page *ret)
{
    *ret = (struct account_page){.since_us = calls_wall_us(g->calls) - HISTORY_US,
                                 .until_us = calls_wall_us(g->calls),
                                 .cursor = ask->cursor,
                                 .order_id = ""};
}

static int look_through(struct gateway *g, struct known_order *o, const struct ask *ask,
                        const struct json_object *root, char next[ACCOUNT_CURSOR_SIZE],
                        struct err *err)
{
    struct account_order *rows = calloc(ACCOUNT_ROWS_MAX, sizeof(*rows));
    NEED_MEMORY(rows != NULL);
    struct account_page page;
    history_page(g, ask, &page);
    int count = 0;
    int rc = g->options.api->read_open(&page, root, rows, &count, next, err);
    for (int i = 0; rc >= 0 && i < count; i++) {
        if (strcmp(rows[i].client_id, o->theirs) == 0) {
            (void)known_order_update(o, &rows[i]);
            next[0] = '\0';
        }
    }
    free(rows);
    return rc;
}

static void on_history(const struct calls_answer *answer, void *userdata)
{
    struct ask *ask = userdata;
    struct gateway *g = ask->g;
    struct known_order *o = order_memory_find(g->orders, ask->client_id);
    struct err err = {0};
    char next[ACCOUNT_CURSOR_SIZE] = "";
    if (o == NULL) {
        gateway_ask_end(ask);
    } else if (answer->verdict != ACCOUNT_FINE) {
        not_read(g, ask, answer->err);
    } else if (look_through(g, o, ask, answer->root, next, &err) < 0) {
        not_read(g, ask, &err);
    } else if (next[0] != '\0') {
        memcpy(ask->cursor, next, sizeof(ask->cursor));
        history(g, ask);
    } else if (o->has_state) {
        ask->cursor[0] = '\0';
        gateway_settle(g, o, ask);
    } else {
        no_such_order(g, o, ask);
    }
}

static void history(struct gateway *g, struct ask *ask)
{
    struct account_page page;
    history_page(g, ask, &page);
    g->options.api->add_history(&page, calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_OPEN, gateway_now(g) + GATEWAY_ANSWER_US, on_history, ask);
}

void gateway_query(struct gateway *g, struct known_order *o, struct ask *ask)
{
    struct account_find find;
    add_find(g, o, &find);
    memcpy(ask->id, o->id, sizeof(ask->id));
    if (g->options.api->add_query(&find, ask->step, calls_begin(g->calls))) {
        calls_send(g->calls, ACCOUNT_QUERY, gateway_now(g) + GATEWAY_ANSWER_US, on_query, ask);
        return;
    }
    calls_drop(g->calls);
    if (ask->step == 0 && g->options.api->add_history != NULL) {
        history(g, ask);
        return;
    }
    no_such_order(g, o, ask);
}

static void ask_about(struct gateway *g, const struct venue_question *question)
{
    if (gateway_is_asked(g, question->client_id, VENUE_CALL_QUERY)) {
        return;
    }
    struct known_order *o = order_memory_find(g->orders, question->client_id);
    if (o == NULL) {
        int market = gateway_find_symbol(g, question->symbol);
        if (market < 0 || !g->markets[market].known) {
            gateway_no_answer(g, VENUE_CALL_QUERY, question->client_id);
            return;
        }
        char theirs[ACCOUNT_ID_SIZE];
        gateway_name_theirs(g, question->client_id, theirs);
        o = order_memory_add(g->orders, question->client_id, theirs, market, gateway_now(g));
        o->kind = question->kind;
        o->side = question->side;
        /* Of an earlier process: it may rest. */
        o->type = question->kind == ORDER_STOP ? ORDER_TYPE_STOP : ORDER_TYPE_LIMIT;
    }
    o->used_mono_us = gateway_now(g);
    struct ask *ask = gateway_ask_new(g, question->client_id, VENUE_CALL_QUERY);
    memcpy(ask->after_fill_id, question->after_fill_id, sizeof(ask->after_fill_id));
    gateway_query(g, o, ask);
}

/* A venue acknowledges a cancellation before its matching engine has decided: the order is asked
 * for afterwards, also if it was not found, since it may be filled. */
static void on_cancelled(const struct calls_answer *answer, void *userdata)
{
    struct ask *ask = userdata;
    struct gateway *g = ask->g;
    struct known_order *o = order_memory_find(g->orders, ask->client_id);
    gateway_note_limit(g);
    if (o == NULL) {
        gateway_ask_end(ask);
    } else if (answer->verdict == ACCOUNT_FINE || answer->verdict == ACCOUNT_NOT_FOUND ||
               answer->verdict == ACCOUNT_REFUSED) {
        gateway_query(g, o, ask);
    } else {
        gateway_no_answer(g, VENUE_CALL_CANCEL, ask->client_id);
        gateway_ask_end(ask);
    }
}

static void cancel(struct gateway *g, const char *client_id)
{
    const struct known_order *o = order_memory_find(g->orders, client_id);
    if (gateway_is_asked(g, client_id, VENUE_CALL_CANCEL)) {
        return;
    }
    if (o == NULL) {
        gateway_no_answer(g, VENUE_CALL_CANCEL,
                          client_id); /* the next listing or answer names it */
        return;
    }
    struct account_find find;
    add_find(g, o, &find);
    if (g->options.api->needs_id && find.id[0] == '\0') { /* its answer was lost: ask for its id */
        gateway_no_answer(g, VENUE_CALL_CANCEL, client_id);
        gateway_query(g, order_memory_find(g->orders, client_id),
                      gateway_ask_new(g, client_id, VENUE_CALL_QUERY));
        return;
    }
    struct account_request *request = calls_begin(g->calls);
    g->options.api->add_cancel(&find, request);
    gateway_log_request(g, "cancellation", request);
    if (g->options.dry_run) {
        calls_drop(g->calls);
        gateway_no_answer(g, VENUE_CALL_CANCEL, client_id);
        return;
    }
    struct ask *ask = gateway_ask_new(g, client_id, VENUE_CALL_CANCEL);
    ask->newest = true;
    calls_send(g->calls, ACCOUNT_CANCEL, gateway_now(g) + GATEWAY_ANSWER_US, on_cancelled, ask);
}

/* ---------------------------------------------------------------- the stream */

/* Unless it is over, or asked about already. */
static void ask_newest(struct gateway *g, struct known_order *o)
{
    if (!(o->has_state && order_state_is_final(o->state)) &&
        !gateway_is_asked(g, o->client_id, VENUE_CALL_QUERY)) {
        struct ask *ask = gateway_ask_new(g, o->client_id, VENUE_CALL_QUERY);
        ask->newest = true;
        gateway_query(g, o, ask);
    }
}

/* What the account's venue did by itself. The engine numbers it (payment_memory.h); the id tells
 * whether it was heard before. */
static void report_margin_call(struct gateway *g, const struct account_event *event)
{
    int market = gateway_find_market(g, event->market);
    struct venue_report r = {
        .kind = VENUE_FUNDING, .event = VENUE_EVENT_MARGIN_CALL, .at_us = event->at_us};
    (void)snprintf(r.fills_after, sizeof(r.fills_after), "call-%lld", (long long)event->at_us);
    if (market >= 0) {
        r.symbol = g->markets[market].market.symbol;
    }
    gateway_report(g, &r);
}

void gateway_report_forced(struct gateway *g, enum account_forced forced,
                           const struct account_fill *fill, int64_t ask_id)
{
    int market = gateway_find_market(g, fill->market);
    if (market < 0) {
        return; /* of a position that is not ours */
    }
    struct venue_report r = {.kind = VENUE_FUNDING,
                             .ask_id = ask_id,
                             .event = forced == ACCOUNT_FORCED_MARGIN ? VENUE_EVENT_LIQUIDATION
                                      : forced == ACCOUNT_FORCED_DELEVERAGING
                                          ? VENUE_EVENT_DELEVERAGING
                                          : VENUE_EVENT_FORCED_CLOSE,
                             .symbol = g->markets[market].market.symbol,
                             .side = fill->buys ? SIDE_SHORT : SIDE_LONG,
                             .qty = fill->qty,
                             .price = fill->price,
                             .payment = fill->fee,
                             .at_us = fill->at_us};
    memcpy(r.fee_currency, fill->fee_currency, sizeof(r.fee_currency));
    (void)snprintf(r.fills_after, sizeof(r.fills_after), "%.18s-%.20s", fill->market, fill->id);
    gateway_report(g, &r);
}

void gateway_take_event(struct gateway *g, const struct account_event *event)
{
    if (event->kind == ACCOUNT_EVENT_CHANGED) {
        return; /* balances are judged by the next listing */
    }
    if (event->kind == ACCOUNT_EVENT_MARGIN) {
        report_margin_call(g, event);
        return;
    }
    if (event->has_order && event->order.forced != ACCOUNT_FORCED_NOT) {
        if (event->kind == ACCOUNT_EVENT_FILL) {
            gateway_report_forced(g, event->order.forced, &event->fill, 0);
        }
        return;
    }
    const char *id = event->has_order ? event->order.id : event->fill.order_id;
    const char *theirs = event->has_order ? event->order.client_id : event->fill.client_id;
    char first[ACCOUNT_ID_SIZE];
    first_id(theirs, first);
    struct known_order *o = order_memory_find_theirs(g->orders, first);
    o = o != NULL ? o : order_memory_find_id(g->orders, id);
    if (o == NULL || o->client_id[0] == '#') {
        return; /* somebody else's: the listings show it */
    }
    if (event->has_order && event->order.qty.e8 == 0) {
        known_order_name(o, &event->order);
        ask_newest(g, o);
        return;
    }
    if ((o->replaced || strcmp(theirs, first) != 0) && strcmp(o->id, id) != 0) {
        ask_newest(g, o); /* of the order before, or of one that may take its place */
        return;
    }
    bool fresh = event->kind == ACCOUNT_EVENT_FILL && known_order_fill(o, &event->fill);
    if (event->has_order) {
        fresh = known_order_update(o, &event->order) || fresh;
    }
    if (fresh && o->has_state) {
        gateway_settle(g, o, NULL);
    }
}

void gateway_ask_all(struct gateway *g)
{
    for (int i = 0; i < order_memory_count(g->orders); i++) {
        struct known_order *o = order_memory_at(g->orders, i);
        if (o->client_id[0] != '#') {
            ask_newest(g, o);
        }
    }
}

/* ---------------------------------------------------------------- life */

void gateway_do(struct gateway *g, const struct gateway_call *call)
{
    int place_of = 0;
    switch (call->kind) {
    case GATEWAY_SEND:
        gateway_place(g, &call->order);
        break;
    case GATEWAY_CANCEL:
        cancel(g, call->question.client_id);
        break;
    case GATEWAY_AMEND:
        gateway_amend(g, call->question.client_id, call->stop, call->target);
        break;
    case GATEWAY_QUERY:
        ask_about(g, &call->question);
        break;
    case GATEWAY_LIST:
        gateway_list(g, call);
        break;
    case GATEWAY_LEVERAGE:
        gateway_session_leverage(g, call->leverage);
        break;
    case GATEWAY_PRICE:
        place_of = gateway_find_symbol(g, call->question.symbol);
        if (place_of >= 0) {
            g->markets[place_of].price = call->price;
        }
        break;
    case GATEWAY_EXPECT:
        place_of = gateway_find_symbol(g, call->question.symbol);
        if (place_of >= 0) {
            gateway_rehearse(g, place_of);
        }
        break;
    case GATEWAY_HALT:
        gateway_session_halt(g, gateway_find_symbol(g, call->question.symbol), call->halted);
        break;
    }
}

void gateway_flush(struct gateway *g)
{
    calls_flush(g->calls);
    struct str left = buf_str(&g->sent);
    struct str line;
    while (str_split(&left, '\n', &line)) {
        LOG(NOTICE, "%s: sending %.*s", g->options.api->name, (int)line.len, line.ptr);
    }
    buf_clear(&g->sent);
}

struct gateway *gateway_new(const struct gateway_options *options)
{
    struct gateway *g = calloc(1, sizeof(*g));
    NEED_MEMORY(g != NULL);
    g->options = *options;
    g->orders = order_memory_new();
    buf_init(&g->sent, SENT_BYTES);
    g->market_count = options->symbol_count;
    g->markets = calloc((size_t)options->symbol_count, sizeof(*g->markets));
    NEED_MEMORY(g->markets != NULL);
    for (int i = 0; i < g->market_count; i++) {
        g->markets[i].market.symbol = options->symbols[i];
    }
    g->options.symbols = NULL;
    g->state = VENUE_CONNECTING;
    g->forced_due = true;
    g->calls = calls_new(&(struct calls_options){.loop = options->loop,
                                                 .http = options->http,
                                                 .api = options->api,
                                                 .exchange = options->exchange,
                                                 .url = options->url,
                                                 .ca_file = options->ca_file,
                                                 .key_id = options->key_id,
                                                 .key_secret = options->key_secret,
                                                 .lines = !options->dry_run,
                                                 .banned_us = options->banned_us});
    return g;
}

void gateway_start(struct gateway *g)
{
    gateway_session_start(g);
}

void gateway_free(struct gateway *g)
{
    if (g == NULL) {
        return;
    }
    gateway_session_free(g);
    gateway_list_free(g);
    calls_free(g->calls);
    while (g->asks != NULL) {
        gateway_ask_end(g->asks);
    }
    order_memory_free(g->orders);
    buf_release(&g->sent);
    free(g->markets);
    free(g);
}
