#include "base/check.h"
#include "engine/engine_buffers.h"
#include "engine_private.h"
#include "io/secret.h"
#include "record.h"
#include "record_values.h"

static void add_vote(struct pack *p, struct vote *v)
{
    pack_text(p, v->agent, sizeof(v->agent));
    PACK_ENUM(p, v->direction, DIRECTION_SHORT);
    pack_double(p, &v->confidence);
    pack_double(p, &v->weight);
    pack_count(p, &v->reason_count, REASONS_MAX);
    for (int i = 0; i < v->reason_count; i++) {
        struct reason *r = &v->reasons[i];
        pack_text(p, r->indicator, sizeof(r->indicator));
        pack_double(p, &r->value);
        pack_double(p, &r->threshold);
        pack_double(p, &r->points);
    }
}

/* The outcome of a decision determines which fields are set. */
static void add_decision(struct pack *p, struct decision *d)
{
    pack_i64(p, &d->id);
    pack_symbol(p, &d->symbol);
    pack_i64(p, &d->at_us);
    pack_dec(p, &d->price);
    PACK_ENUM(p, d->regime, REGIME_CHOPPY);
    pack_count(p, &d->vote_count, VOTES_MAX);
    for (int i = 0; i < d->vote_count; i++) {
        add_vote(p, &d->votes[i]);
    }
    pack_double(p, &d->score);
    pack_double(p, &d->threshold);
    PACK_ENUM(p, d->direction, DIRECTION_SHORT);
    PACK_ENUM(p, d->outcome, OUTCOME_ORDER);
    switch (d->outcome) {
    case OUTCOME_HOLD:
        pack_text(p, d->veto_text, sizeof(d->veto_text));
        break;
    case OUTCOME_VETOED:
        pack_text(p, d->veto_code, sizeof(d->veto_code));
        pack_text(p, d->veto_text, sizeof(d->veto_text));
        pack_dec(p, &d->veto_max_qty);
        break;
    case OUTCOME_ORDER:
        pack_text(p, d->client_id, sizeof(d->client_id));
        pack_dec(p, &d->qty);
        pack_dec(p, &d->stop);
        pack_dec(p, &d->target);
        break;
    }
    pack_count(p, &d->rule_count, DECISION_RULES_MAX);
    for (int i = 0; i < d->rule_count; i++) {
        pack_i64(p, &d->rule_ids[i]);
    }
}

static void add_orders(struct pack *p, struct engine_outputs *out)
{
    for (int i = 0; i < out->order_count; i++) {
        record_whole_order_pack(p, &out->orders[i]);
    }
    pack_count(p, &out->send_count, ORDERS_LIMIT);
    for (int i = 0; i < out->send_count; i++) {
        pack_count(p, &out->sends[i], ORDERS_LIMIT);
    }
    for (int i = 0; i < out->cancel_count; i++) {
        pack_text(p, out->cancels[i], CLIENT_ID_SIZE);
    }
    for (int i = 0; i < out->amend_count; i++) {
        struct engine_amend *a = &out->amends[i];
        pack_text(p, a->client_id, sizeof(a->client_id));
        pack_dec(p, &a->stop);
        pack_dec(p, &a->target);
    }
    for (int i = 0; i < out->query_count; i++) {
        pack_text(p, out->queries[i].client_id, CLIENT_ID_SIZE);
        record_fill_id_pack(p, out->queries[i].after_fill_id);
    }
    pack_bool(p, &out->list);
    if (out->list) {
        pack_i64(p, &out->list_id);
        pack_i64(p, &out->list_after_funding_id);
    }
}

static void add_books(struct pack *p, struct engine_outputs *out, struct engine *engine)
{
    for (int i = 0; i < out->fill_count; i++) {
        record_fill_pack(p, &out->fills[i]);
    }
    for (int i = 0; i < out->payment_count; i++) {
        pack_i64(p, &out->payments[i].id);
        pack_symbol(p, &out->payments[i].symbol);
        pack_dec(p, &out->payments[i].payment);
        pack_i64(p, &out->payments[i].at_us);
        if (p->version >= 8) {
            pack_bool(p, &out->payments[i].charge);
        }
    }
    for (int i = 0; i < out->trade_count; i++) {
        record_trade_pack(p, &out->trades[i]);
    }
    for (int i = 0; i < engine->position_count; i++) {
        record_position_pack(p, &engine->positions[i]);
    }
    record_state_pack(p, &engine->state);
    if (out->equity_point) {
        pack_i64(p, &out->equity.at_us);
        pack_dec(p, &out->equity.equity);
        pack_dec(p, &out->equity.cash);
        pack_dec(p, &out->equity.realised);
    }
}

/* An error is summed as its code, since its number differs between builds. */
static void add_error(struct pack *p, int id)
{
    char code[64] = {0};
    (void)str_copy(str_c(err_info(id)->code), code, sizeof(code));
    pack_text(p, code, sizeof(code));
}

static bool has_error(const struct event *e)
{
    return e->topic == TOPIC_FAULT || e->topic == TOPIC_REPLY;
}

static void add_event(struct pack *p, struct event *e)
{
    pack_u32(p, &e->topic);
    if (p->version >= 2 && has_error(e)) {
        add_error(p, (int)e->code);
    } else {
        pack_u32(p, &e->code);
    }
    pack_i64(p, &e->id);
    pack_symbol(p, &e->symbol);
    pack_dec(p, &e->qty);
    pack_dec(p, &e->price);
    pack_dec(p, &e->value);
}

static void add_rest(struct pack *p, struct engine_outputs *out, struct engine *engine)
{
    for (int i = 0; i < out->candle_count; i++) {
        pack_symbol(p, &out->candles[i].symbol);
        pack_candle(p, &out->candles[i].candle, 0);
    }
    for (int i = 0; i < out->event_count; i++) {
        add_event(p, &out->events[i]);
    }
    if (out->rules_changed) {
        record_rules_pack(p, &engine->rules.book);
    }
    if (p->version >= 2) {
        add_error(p, out->request_err);
    } else {
        pack_count(p, &out->request_err, ERR_COUNT);
    }
    pack_bool(p, &out->write);
    pack_bool(p, &out->clear_halt);
}

/* Version 1 summed the numbers of errors. */
static bool sums_error_numbers(const struct engine_outputs *out)
{
    bool sums = out->request_err != ERR_NONE;
    for (int i = 0; i < out->event_count; i++) {
        sums = sums || (has_error(&out->events[i]) && out->events[i].code != ERR_NONE);
    }
    return sums;
}

static uint32_t sum_of(const struct pack *p)
{
    ASSERT(!p->failed);
    return (uint32_t)secret_checksum(str_n((const char *)p->bytes, p->at), 0);
}

size_t record_scratch(const struct engine *engine)
{
    return 2 * engine_outputs_size(engine->symbol_count);
}

void record_digest_of(const struct engine *engine, const struct engine_outputs *outputs,
                      int version, uint8_t *scratch, struct record_digest *ret)
{
    /* Packing for writing does not change the values. */
    struct engine *e = (struct engine *)(uintptr_t)engine;
    struct engine_outputs *out = (struct engine_outputs *)(uintptr_t)outputs;
    struct pack p = PACK_WRITE(scratch, record_scratch(engine));
    p.version = version;
    ret->sends = out->send_count;
    ret->decision_count = out->decision_count;
    for (int i = 0; i < out->decision_count; i++) {
        struct decision *d = &out->decisions[i];
        ret->decisions[i] = (struct record_decision){d->symbol, d->direction, d->outcome, d->score};
        add_decision(&p, d);
    }
    ret->sums[RECORD_DECISIONS] = sum_of(&p);
    p.at = 0;
    add_orders(&p, out);
    ret->sums[RECORD_ORDERS] = sum_of(&p);
    p.at = 0;
    add_books(&p, out, e);
    ret->sums[RECORD_BOOKS] = sum_of(&p);
    ret->rest_unknown = version == 1 && sums_error_numbers(out);
    p.at = 0;
    add_rest(&p, out, e);
    ret->sums[RECORD_REST] = sum_of(&p);
}

const char *record_part_name(enum record_part part)
{
    switch (part) {
    case RECORD_DECISIONS:
        return "decisions";
    case RECORD_ORDERS:
        return "orders";
    case RECORD_BOOKS:
        return "books";
    case RECORD_REST:
        return "events";
    case RECORD_PARTS:
        break;
    }
    UNREACHABLE();
}
