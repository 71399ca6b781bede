#include "agents/agent.h"
#include "engine_private.h"

/* ---------------------------------------------------------------- the port of the agents */

static struct dec size(void *userdata, const struct decision_context *context, double confidence)
{
    struct engine *engine = userdata;
    engine_account_fill(engine, context->order.symbol, context->order.side, &engine->account);
    engine->account.fill_price = context->quote == NULL ? DEC_ZERO : context->quote->ask;
    return risk_size(&engine->account, &context->order, confidence);
}

/* Call after size: it checks against the same account. */
static bool audit(void *userdata, struct decision_context *context)
{
    struct engine *engine = userdata;
    struct decision *d = context->decision;
    struct risk_result result;
    if (risk_check(&engine->account, &context->order, &result)) {
        return true;
    }
    (void)str_copy(str_c(result.code), d->veto_code, sizeof(d->veto_code));
    (void)str_copy(str_c(result.text), d->veto_text, sizeof(d->veto_text));
    d->veto_max_qty = result.max_qty;
    return false;
}

static bool submit(void *userdata, struct decision_context *context)
{
    struct engine *engine = userdata;
    struct order *o = &context->order;
    struct position want = {
        .symbol = o->symbol,
        .side = o->side,
        .qty = o->qty,
        .stop = o->stop,
        .target = o->target,
        .mark_price = o->reference_price,
        .decision_id = o->decision_id,
    };
    const struct order *order = engine_orders_prepare(engine, o->kind, &want, "signal");
    if (order == NULL) {
        return false;
    }
    if (o->kind == ORDER_ENTRY) {
        engine_account_entry(engine, engine->now->market_us);
    }
    memcpy(o->client_id, order->client_id, sizeof(o->client_id));
    return true;
}

static const struct decision_port port = {engine_rules_judge, size, audit, submit};

/* ---------------------------------------------------------------- a decision */

/* Only one part of the program closes a position at a time. A signal does not touch a position that
 * an emergency stop is closing, or that the venue has reported as not held: its orders would be
 * refused one after another, and each would make the listing that settles this older than our last
 * order. */
static const char *why_wait(const struct engine *engine, struct symbol symbol)
{
    if (engine->state.state == TRADING_EMERGENCY) {
        return "the emergency stop closes it";
    }
    if (engine->list_before_close) {
        return "the venue refused a close: its listing is awaited";
    }
    return engine_orders_acting(engine, symbol) ? "an order is under way" : NULL;
}

void engine_decide(struct engine *engine, const struct series *series)
{
    struct decision *d = &engine->out->decisions[engine->out->decision_count++];
    d->id = engine->state.next_decision_id++;
    d->symbol = series->symbol;
    d->at_us = series->updated_us;
    d->price = series->price;
    struct ledger ledger = engine_ledger(engine);
    int held = ledger_find(&ledger, d->symbol);
    struct decision_context *context = &engine->context;
    context->series = series;
    context->settings = &engine->settings;
    context->quote = engine_quote(engine, d->symbol);
    context->rules = engine_terms_rules(engine, d->symbol);
    context->held = held >= 0 ? &engine->positions[held] : NULL;
    context->predictor = engine->predictor;
    context->sentiment = engine_sentiment(engine, d->symbol);
    context->close_blocked = why_wait(engine, d->symbol);
    context->now_us = engine->now->market_us;
    context->port = &port;
    context->userdata = engine;
    context->decision = d;
    agent_run_all(context);
    engine->state.decisions++;
    engine->state.vetoes += d->outcome == OUTCOME_VETOED;
    struct event *e = engine_event(engine, TOPIC_DECISION, (int64_t)d->outcome);
    e->id = d->id;
    e->symbol = d->symbol;
    e->price = d->price;
}
