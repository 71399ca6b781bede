#include "agents/execution.h"

#include "agent_run.h"

static struct dec away(struct dec price, double percent, bool up)
{
    struct dec distance = dec_mul_div(price, dec_from_double(percent), dec_from_int(100));
    return up ? dec_add(price, distance) : dec_sub(price, distance);
}

struct bracket execution_bracket(const struct settings *settings, enum side side, struct dec price)
{
    bool is_long = side == SIDE_LONG;
    return (struct bracket){.stop = away(price, settings->stop_pct, !is_long),
                            .target = away(price, settings->target_pct, is_long)};
}

void execution_draft(const struct decision_context *context, struct order *ret)
{
    const struct decision *d = context->decision;
    const struct position *held = context->held;
    *ret = (struct order){.symbol = d->symbol,
                          .kind = held != NULL ? ORDER_CLOSE : ORDER_ENTRY,
                          .reference_price = d->price,
                          .decision_id = d->id};
    if (held != NULL) {
        ret->side = held->side;
        ret->qty = held->qty;
        return;
    }
    ret->side = d->direction == DIRECTION_LONG ? SIDE_LONG : SIDE_SHORT;
    struct bracket bracket = execution_bracket(context->settings, ret->side, d->price);
    ret->stop = bracket.stop;
    ret->target = bracket.target;
    order_round_bracket(ret, context->rules);
}

void execution_run(struct decision_context *context, struct vote *vote)
{
    if (!context->may_send) {
        return;
    }
    struct decision *d = context->decision;
    const struct order *o = &context->order;
    if (!context->port->submit(context->userdata, context)) {
        (void)str_copy(STR_LIT("no room for another order"), d->veto_text, sizeof(d->veto_text));
        return;
    }
    d->outcome = OUTCOME_ORDER;
    memcpy(d->client_id, o->client_id, sizeof(d->client_id));
    double price = dec_to_double(d->price);
    agent_reason(vote, o->kind == ORDER_ENTRY ? "entry" : "close", dec_to_double(o->qty), 0,
                 d->score < 0 ? -d->score : d->score);
    if (o->kind == ORDER_ENTRY) {
        agent_reason(vote, "stop", dec_to_double(o->stop), price, 0);
        agent_reason(vote, "target", dec_to_double(o->target), price, 0);
    }
    vote->direction = d->direction;
}
