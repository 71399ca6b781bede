#include "base/log.h"
#include "gateway_private.h"

#include <stdio.h>
#include <string.h>

/* Moving a leg to another price, where the venue can do that. */

/* It was certainly not done, and would not be done if it were sent again. */
static void refused(struct gateway *g, const struct known_order *o, struct dec stop,
                    struct dec target, const char *reason)
{
    struct venue_report r = {.kind = VENUE_REFUSED, .stop = stop, .target = target};
    memcpy(r.client_id, o->client_id, sizeof(r.client_id));
    str_cut(str_c(reason), r.reason, sizeof(r.reason));
    r.current_stop = o->kind == ORDER_STOP ? o->price : DEC_ZERO;
    r.current_target = o->kind == ORDER_TARGET ? o->price : DEC_ZERO;
    gateway_report(g, &r);
}

void gateway_amend_look(struct gateway *g, struct known_order *o)
{
    if (!o->moving || o->changing || !o->has_state) {
        return;
    }
    struct dec wanted = o->kind == ORDER_STOP ? o->wanted_stop : o->wanted_target;
    o->moving = false;
    if (o->state == ORDER_ACKED && o->price.e8 != wanted.e8) {
        refused(g, o, o->wanted_stop, o->wanted_target, "the venue took it, and did not do it");
    }
}

/* Takes the ask. */
static void done(struct gateway *g, struct known_order *o, struct ask *ask,
                 const struct json_object *root)
{
    struct err err = {0};
    if (!g->options.api->amends_in_place) {
        o->moving = true;
        o->wanted_stop = ask->stop;
        o->wanted_target = ask->target;
        gateway_query(g, o, ask);
        return;
    }
    if (gateway_take_order(g, ACCOUNT_AMEND, o, root, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "cannot read the answer to an amendment: asking for it");
        gateway_query(g, o, ask);
        return;
    }
    (void)known_order_price(o, o->kind == ORDER_STOP ? ask->stop : ask->target);
    if (o->has_state) {
        gateway_settle(g, o, ask);
    } else {
        gateway_query(g, o, ask);
    }
}

/* Takes the ask. */
static void conclude(struct gateway *g, struct known_order *o, struct ask *ask,
                     const struct calls_answer *answer)
{
    switch (answer->verdict) {
    case ACCOUNT_FINE:
        done(g, o, ask, answer->root);
        return;
    case ACCOUNT_NOT_FOUND: /* it has filled, or was cancelled */
    case ACCOUNT_DUPLICATE:
        gateway_query(g, o, ask);
        return;
    case ACCOUNT_UNKNOWN:
        log_err(LOG_LEVEL_WARNING, answer->err, "it is not known whether an order was amended");
        gateway_no_answer(g, VENUE_CALL_AMEND, o->client_id);
        break;
    case ACCOUNT_REFUSED:
        log_err(LOG_LEVEL_WARNING, answer->err, "an order was not amended: it is replaced");
        refused(g, o, ask->stop, ask->target, answer->err->context);
        break;
    case ACCOUNT_LATER:
    case ACCOUNT_LIMITED:
    case ACCOUNT_BANNED:
    case ACCOUNT_CLOCK:
    case ACCOUNT_KEY:
    case ACCOUNT_CLOSED: /* it rests as before, and the engine asks again */
        log_err(LOG_LEVEL_WARNING, answer->err, "an order was not amended for now");
        break;
    }
    gateway_ask_end(ask);
}

static void on_amended(const struct calls_answer *answer, void *userdata)
{
    struct ask *ask = userdata;
    struct known_order *o = order_memory_find(ask->g->orders, ask->client_id);
    gateway_note_limit(ask->g);
    if (o == NULL) {
        gateway_ask_end(ask);
    } else {
        conclude(ask->g, o, ask, answer);
    }
}

void gateway_amend(struct gateway *g, const char *client_id, struct dec stop, struct dec target)
{
    struct known_order *o = order_memory_find(g->orders, client_id);
    char next_id[64];
    if (gateway_is_asked(g, client_id, VENUE_CALL_AMEND)) {
        return;
    }
    if (o == NULL || g->options.api->add_amend == NULL) {
        gateway_no_answer(g, VENUE_CALL_AMEND, client_id); /* the engine asks for the order */
        return;
    }
    if (o->changing) { /* an earlier one is not over */
        gateway_query(g, o, gateway_ask_new(g, client_id, VENUE_CALL_AMEND));
        return;
    }
    (void)snprintf(next_id, sizeof(next_id), "%.33s.%lld", o->theirs,
                   (long long)(calls_wall_us(g->calls) / USEC_PER_MSEC));
    const struct account_amend_ask what = {.market = &g->markets[o->market].market,
                                           .client_id = o->theirs,
                                           .next_id = next_id,
                                           .id = o->id,
                                           .type = o->type,
                                           .price = o->kind == ORDER_STOP ? stop : target,
                                           .until_us = calls_wall_us(g->calls) + GATEWAY_ORDER_US};
    struct account_request *request = calls_begin(g->calls);
    if (!g->options.api->add_amend(&what, request)) {
        calls_drop(g->calls);
        refused(g, o, stop, target, "the venue does not move it");
        return;
    }
    gateway_log_request(g, "amendment", request);
    if (g->options.dry_run) {
        calls_drop(g->calls);
        gateway_no_answer(g, VENUE_CALL_AMEND, client_id);
        return;
    }
    struct ask *ask = gateway_ask_new(g, client_id, VENUE_CALL_AMEND);
    ask->newest = true;
    ask->stop = stop;
    ask->target = target;
    calls_send(g->calls, ACCOUNT_AMEND, gateway_now(g) + GATEWAY_ORDER_US, on_amended, ask);
}
