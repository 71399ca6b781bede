#include "base/log.h"
#include "gateway_private.h"

#include <string.h>

/* Placing orders, alone and in pairs. */

static bool is_leg(enum order_kind kind)
{
    return kind == ORDER_STOP || kind == ORDER_TARGET;
}

/* A position whose leg is rejected is closed. What may be done later is no such refusal: the leg is
 * over, and the engine places another one. */
static enum order_state not_done(enum order_kind kind, bool lasts)
{
    return is_leg(kind) && !lasts ? ORDER_CANCELLED : ORDER_REJECTED;
}

static void refuse(struct gateway *g, const struct order *order, const char *reason)
{
    struct venue_report r = {.kind = VENUE_ORDER, .state = not_done(order->kind, false)};
    (void)str_copy(str_c(order->client_id), r.client_id, sizeof(r.client_id));
    str_cut(str_c(reason), r.reason, sizeof(r.reason));
    gateway_report(g, &r);
}

static void end_order(struct gateway *g, struct known_order *o, bool lasts, const struct err *why)
{
    o->has_state = true;
    o->state = not_done(o->kind, lasts);
    str_cut(str_c(why->context), o->reason, sizeof(o->reason));
    gateway_report_order(g, o, "", true);
}

/* The answer has no order to read, or could not be read: the order is asked for. */
static void look_for(struct gateway *g, struct known_order *o)
{
    struct ask *ask = gateway_ask_new(g, o->client_id, VENUE_CALL_SEND);
    ask->newest = true;
    gateway_query(g, o, ask);
}

/* What became of an order by the verdict alone. */
static void conclude(struct gateway *g, struct known_order *o, const struct calls_answer *answer)
{
    switch (answer->verdict) {
    case ACCOUNT_FINE:
    case ACCOUNT_DUPLICATE: /* an attempt before this one has arrived */
        look_for(g, o);
        break;
    case ACCOUNT_UNKNOWN:
    case ACCOUNT_NOT_FOUND:
        log_err(LOG_LEVEL_WARNING, answer->err, "it is not known whether an order has arrived");
        gateway_no_answer(g, VENUE_CALL_SEND, o->client_id);
        break;
    case ACCOUNT_REFUSED:
        gateway_refresh_rules(g); /* it may be about a rule that has changed */
        end_order(g, o, true, answer->err);
        break;
    case ACCOUNT_LATER:
    case ACCOUNT_LIMITED:
    case ACCOUNT_BANNED:
    case ACCOUNT_CLOCK:
    case ACCOUNT_KEY:
    case ACCOUNT_CLOSED:
        log_err(LOG_LEVEL_WARNING, answer->err, "an order was not done");
        end_order(g, o, false, answer->err);
        break;
    }
}

static void on_placed(const struct calls_answer *answer, void *userdata)
{
    struct ask *ask = userdata;
    struct gateway *g = ask->g;
    struct known_order *o = order_memory_find(g->orders, ask->client_id);
    struct err err = {0};
    gateway_note_limit(g);
    if (o != NULL && answer->verdict == ACCOUNT_FINE) {
        int rc = gateway_take_order(g, ACCOUNT_PLACE, o, answer->root, &err);
        if (rc > 0) {
            gateway_settle(g, o, ask);
            return;
        }
        if (rc < 0) {
            log_err(LOG_LEVEL_ERROR, &err, "cannot read the answer to an order: asking for it");
        }
    }
    if (o != NULL) {
        conclude(g, o, answer);
    }
    gateway_ask_end(ask);
}

static void on_pair(const struct calls_answer *answer, void *userdata)
{
    struct ask *ask = userdata;
    struct gateway *g = ask->g;
    const char *const ids[] = {ask->client_id, ask->other_id};
    gateway_note_limit(g);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct known_order *o = order_memory_find(g->orders, ids[i]);
        if (o != NULL && !o->has_state) { /* its stream may have been faster */
            conclude(g, o, answer);
        }
    }
    gateway_ask_end(ask);
}

void gateway_log_request(struct gateway *g, const char *what, const struct account_request *request)
{
    const char *body = request->body.len > 0 ? request->body.data : "";
    if (g->options.dry_run) {
        LOG(NOTICE, "%s: dry run, not sent %s %s %s", g->options.api->name, what,
            request->path.data, body);
    } else {
        buf_addf(&g->sent, "%s %s %s\n", what, request->path.data, body);
    }
}

/* False: it is not sent. */
static bool may_send(struct gateway *g, const char *what, const struct account_request *request)
{
    gateway_log_request(g, what, request);
    if (g->options.dry_run) {
        calls_drop(g->calls);
    }
    return !g->options.dry_run;
}

static void remember(struct gateway *g, const struct order *order, const char *theirs, int market)
{
    struct known_order *o =
        order_memory_add(g->orders, order->client_id, theirs, market, gateway_now(g));
    o->type = order->type;
    o->kind = order->kind;
    o->side = order->side;
    gateway_guard_look(g); /* the switch must not cancel a leg */
}

static bool buys(const struct order *order)
{
    return (order->kind == ORDER_ENTRY) == (order->side == SIDE_LONG);
}

static void place_pair(struct gateway *g, int market, const struct order *stop,
                       const struct order *target)
{
    const struct gateway_market *m = &g->markets[market];
    char stop_id[ACCOUNT_ID_SIZE], target_id[ACCOUNT_ID_SIZE];
    gateway_name_theirs(g, stop->client_id, stop_id);
    gateway_name_theirs(g, target->client_id, target_id);
    const struct account_pair_ask what = {.market = &m->market,
                                          .rules = &m->rules,
                                          .stop_id = stop_id,
                                          .target_id = target_id,
                                          .buys = buys(stop),
                                          .qty = stop->qty,
                                          .stop = stop->price,
                                          .target = target->price};
    struct account_request *request = calls_begin(g->calls);
    g->options.api->add_pair(&what, request);
    if (!may_send(g, "stop and target", request)) {
        refuse(g, stop, "dry run: nothing is sent");
        refuse(g, target, "dry run: nothing is sent");
        return;
    }
    remember(g, stop, stop_id, market);
    remember(g, target, target_id, market);
    struct ask *ask = gateway_ask_new(g, stop->client_id, VENUE_CALL_SEND);
    (void)str_copy(str_c(target->client_id), ask->other_id, sizeof(ask->other_id));
    calls_send(g->calls, ACCOUNT_PLACE, gateway_now(g) + GATEWAY_ORDER_US, on_pair, ask);
}

/* A stop waits for its target, which the engine sends next. If it does not come, because a call was
 * lost, neither is placed: the engine asks for them, and they are not found. */
static void place_leg(struct gateway *g, int market, const struct order *order)
{
    struct gateway_market *m = &g->markets[market];
    if (order->kind == ORDER_STOP) {
        m->stop = *order;
        m->has_stop = true;
        return;
    }
    if (!m->has_stop || m->stop.created_us != order->created_us ||
        m->stop.qty.e8 != order->qty.e8 || m->stop.stop.e8 != order->stop.e8) {
        refuse(g, order, "it came without its stop");
        return;
    }
    m->has_stop = false;
    place_pair(g, market, &m->stop, order);
}

/* An order that came when its session had just ended: the engine does not know yet. */
static const char *why_not_now(const struct order *order, enum account_session session)
{
    switch (session) {
    case ACCOUNT_CLOSED_SESSION: /* a close waits there until its exchange opens */
        return order->kind == ORDER_ENTRY ? "its exchange is closed" : NULL;
    case ACCOUNT_EXTENDED_SESSION:
        return order->type == ORDER_TYPE_MARKET ? "limits only outside regular hours" : NULL;
    case ACCOUNT_REGULAR_SESSION:
        break;
    }
    return NULL;
}

static struct account_request *begin_order(struct gateway *g, const struct gateway_market *m,
                                           const struct order *order, const char *theirs,
                                           enum account_session session)
{
    const struct account_order_ask what = {.market = &m->market,
                                           .rules = &m->rules,
                                           .client_id = theirs,
                                           .buys = buys(order),
                                           .type = order->type,
                                           .time_in_force = order->time_in_force,
                                           .post_only = order->post_only,
                                           .reduce_only = order->reduce_only,
                                           .extended = session == ACCOUNT_EXTENDED_SESSION &&
                                                       order->type == ORDER_TYPE_LIMIT,
                                           .qty = order->qty,
                                           .price = order->price,
                                           .until_us = calls_wall_us(g->calls) + GATEWAY_ORDER_US};
    struct account_request *request = calls_begin(g->calls);
    g->options.api->add_order(&what, request);
    return request;
}

static void place_one(struct gateway *g, int market, const struct order *order)
{
    char theirs[ACCOUNT_ID_SIZE];
    gateway_name_theirs(g, order->client_id, theirs);
    const struct gateway_market *m = &g->markets[market];
    int64_t changes_us = 0;
    enum account_session session = gateway_hours_session(g, m, &changes_us);
    const char *why_not = why_not_now(order, session);
    if (why_not != NULL) {
        refuse(g, order, why_not);
        return;
    }
    struct account_request *request = begin_order(g, m, order, theirs, session);
    if (!may_send(g, "order", request)) {
        refuse(g, order, "dry run: nothing is sent");
        return;
    }
    remember(g, order, theirs, market);
    struct ask *ask = gateway_ask_new(g, order->client_id, VENUE_CALL_SEND);
    ask->newest = true;
    calls_send(g->calls, ACCOUNT_PLACE, gateway_now(g) + GATEWAY_ORDER_US, on_placed, ask);
}

void gateway_place(struct gateway *g, const struct order *order)
{
    int market = gateway_find_symbol(g, order->symbol);
    struct known_order *o = order_memory_find(g->orders, order->client_id);
    if (o != NULL && o->has_state) {
        gateway_report_order(g, o, "", true); /* the same id again: the state of the first */
    } else if (o != NULL) {
        look_for(g, o);
    } else if (market < 0 || !g->markets[market].known) {
        refuse(g, order, "the rules of the symbol are not known");
    } else if (is_leg(order->kind) && g->options.api->can.legs == VENUE_LEGS_PAIR) {
        place_leg(g, market, order);
    } else {
        place_one(g, market, order);
    }
}

void gateway_rehearse(struct gateway *g, int market)
{
    const struct gateway_market *m = &g->markets[market];
    const struct order order = {.kind = ORDER_ENTRY,
                                .type = ORDER_TYPE_MARKET,
                                .symbol = m->market.symbol,
                                .client_id = "nd-0-0",
                                .qty = {DEC_ONE},
                                .price = m->price};
    char theirs[ACCOUNT_ID_SIZE];
    if (m->known && !g->options.dry_run) {
        gateway_name_theirs(g, order.client_id, theirs);
        (void)begin_order(g, m, &order, theirs, ACCOUNT_REGULAR_SESSION);
        calls_rehearse(g->calls);
    }
}
