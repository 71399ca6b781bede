#include "record_values.h"

#include "base/check.h"
#include "engine_private.h"
#include "record.h"

void record_now_pack(struct pack *p, struct engine_now *now, const struct engine_now *before)
{
    pack_near(p, &now->market_us, before->market_us);
    pack_near(p, &now->wall_us, before->wall_us);
    pack_near(p, &now->mono_us, before->mono_us);
}

void record_symbols_pack(struct pack *p, int *count, struct symbol symbols[SYMBOLS_LIMIT])
{
    pack_count(p, count, SYMBOLS_LIMIT);
    for (int i = 0; i < *count; i++) {
        pack_symbol(p, &symbols[i]);
    }
}

/* Version 1 had the paper venue's settings among those of the engine, which did not use them. */
static void skip_venue_settings(struct pack *p)
{
    double number = 0;
    int64_t whole = 0;
    ASSERT(p->reading);
    for (int i = 0; i < 3; i++) {
        pack_double(p, &number); /* spread, two fees */
    }
    pack_i64(p, &whole);     /* depth */
    pack_double(p, &number); /* distance of levels */
    pack_i64(p, &whole);     /* latency */
    pack_double(p, &number); /* rejections */
    pack_i64(p, &whole);     /* smallest order */
    pack_i64(p, &whole);     /* digits of a price */
    pack_double(p, &number); /* funding */
}

/* Without the market's source: a replay gets the candles from the records. */
void record_settings_pack(struct pack *p, struct settings *s)
{
    record_symbols_pack(p, &s->symbol_count, s->symbols);
    pack_u64(p, &s->seed);
    pack_i64(p, &s->market_speed);
    pack_double(p, &s->threshold);
    pack_double(p, &s->risk_per_trade_pct);
    pack_double(p, &s->max_position_pct);
    pack_i64(p, &s->max_positions);
    pack_double(p, &s->stop_pct);
    pack_double(p, &s->target_pct);
    pack_double(p, &s->max_daily_loss_pct);
    pack_double(p, &s->max_drawdown_pct);
    pack_i64(p, &s->max_consecutive_losses);
    pack_i64(p, &s->cooldown_us);
    pack_double(p, &s->max_exposure_pct);
    pack_double(p, &s->max_leverage);
    pack_double(p, &s->max_correlation);
    pack_double(p, &s->maintenance_margin_pct);
    pack_double(p, &s->min_liquidation_distance_pct);
    pack_i64(p, &s->max_orders_per_minute);
    for (int i = 0; i < TIERS; i++) {
        record_symbols_pack(p, &s->tiers[i].symbol_count, s->tiers[i].symbols);
        pack_double(p, &s->tiers[i].max_position_pct);
        pack_double(p, &s->tiers[i].max_exposure_pct);
    }
    pack_dec(p, &s->initial_cash);
    if (p->version == 1) {
        skip_venue_settings(p);
    }
    pack_text(p, s->model, sizeof(s->model));
    if (p->version >= 3) {
        PACK_ENUM(p, s->entry_order, ENTRY_POST_ONLY);
    }
}

/* Without the deadline, since an expired request reaches no step, and without the trace, which no
 * step reads. */
void record_request_pack(struct pack *p, struct request *r)
{
    pack_i64(p, &r->id);
    PACK_ENUM(p, r->kind, REQUEST_KIND_LAST);
    pack_symbol(p, &r->symbol);
    pack_text(p, r->by, sizeof(r->by));
    pack_dec(p, &r->stop);
    pack_dec(p, &r->target);
    pack_i64(p, &r->number);
    pack_text(p, r->text, sizeof(r->text));
}

/* Without the distances of the bracket, see pack_distances: in outputs they are redundant, since
 * stop and target follow from them. */
void record_order_pack(struct pack *p, struct order *o)
{
    pack_text(p, o->client_id, sizeof(o->client_id));
    pack_symbol(p, &o->symbol);
    PACK_ENUM(p, o->kind, ORDER_TARGET);
    PACK_ENUM(p, o->side, SIDE_SHORT);
    PACK_ENUM(p, o->state, ORDER_UNKNOWN);
    pack_dec(p, &o->qty);
    pack_dec(p, &o->reference_price);
    pack_dec(p, &o->stop);
    pack_dec(p, &o->target);
    pack_dec(p, &o->filled_qty);
    pack_dec(p, &o->average_price);
    pack_i64(p, &o->decision_id);
    pack_i64(p, &o->created_us);
    pack_near(p, &o->updated_us, o->created_us);
    pack_text(p, o->reason, sizeof(o->reason));
}

void record_terms_pack(struct pack *p, struct order *o)
{
    PACK_ENUM(p, o->type, ORDER_TYPE_STOP);
    PACK_ENUM(p, o->time_in_force, TIF_FOK);
    pack_bool(p, &o->post_only);
    pack_bool(p, &o->reduce_only);
    pack_dec(p, &o->price);
}

/* Until version 2 an order did not say how it is executed. */
void record_whole_order_pack(struct pack *p, struct order *o)
{
    record_order_pack(p, o);
    if (p->version >= 3) {
        record_terms_pack(p, o);
    } else if (p->reading) {
        o->reduce_only = o->kind != ORDER_ENTRY;
    }
    if (p->version >= 5) {
        pack_i64(p, &o->run_id);
    }
}

/* Version 1: a number, 0 for none. */
void record_fill_id_pack(struct pack *p, char id[FILL_ID_SIZE])
{
    if (p->version != 1) {
        pack_text(p, id, FILL_ID_SIZE);
        return;
    }
    int64_t number = p->reading ? 0 : fill_id_to_number(id);
    pack_i64(p, &number);
    if (p->reading) {
        fill_id_of_number(number, id);
    }
}

void record_fill_pack(struct pack *p, struct fill *f)
{
    pack_text(p, f->client_id, sizeof(f->client_id));
    record_fill_id_pack(p, f->venue_fill_id);
    pack_symbol(p, &f->symbol);
    PACK_ENUM(p, f->kind, ORDER_TARGET);
    PACK_ENUM(p, f->side, SIDE_SHORT);
    pack_dec(p, &f->qty);
    pack_dec(p, &f->price);
    pack_dec(p, &f->fee);
    pack_i64(p, &f->at_us);
    if (p->version >= 2) {
        pack_text(p, f->fee_currency, sizeof(f->fee_currency));
        pack_dec(p, &f->fee_charged);
    }
}

void record_position_pack(struct pack *p, struct position *x)
{
    pack_symbol(p, &x->symbol);
    PACK_ENUM(p, x->side, SIDE_SHORT);
    pack_dec(p, &x->qty);
    pack_dec(p, &x->entry_price);
    pack_dec(p, &x->stop);
    pack_dec(p, &x->target);
    pack_dec(p, &x->mark_price);
    pack_dec(p, &x->unrealised);
    pack_dec(p, &x->fees);
    pack_i64(p, &x->opened_us);
    pack_i64(p, &x->decision_id);
    pack_text(p, x->client_id, sizeof(x->client_id));
}

void record_trade_pack(struct pack *p, struct trade *t)
{
    pack_i64(p, &t->id);
    pack_symbol(p, &t->symbol);
    PACK_ENUM(p, t->side, SIDE_SHORT);
    pack_dec(p, &t->qty);
    pack_dec(p, &t->entry_price);
    pack_dec(p, &t->exit_price);
    pack_dec(p, &t->pnl);
    pack_dec(p, &t->fees);
    pack_i64(p, &t->opened_us);
    pack_near(p, &t->closed_us, t->opened_us);
    pack_i64(p, &t->decision_id);
    pack_text(p, t->exit_reason, sizeof(t->exit_reason));
    pack_text(p, t->client_id, sizeof(t->client_id));
    if (p->version >= 5) {
        pack_i64(p, &t->run_id);
    }
}

void record_state_pack(struct pack *p, struct engine_state *s)
{
    PACK_ENUM(p, s->state, TRADING_MAINTENANCE);
    pack_text(p, s->state_reason, sizeof(s->state_reason));
    pack_i64(p, &s->state_since_wall_us);
    pack_i64(p, &s->market_us);
    pack_dec(p, &s->initial_cash);
    pack_dec(p, &s->cash);
    pack_dec(p, &s->realised);
    pack_dec(p, &s->fees);
    pack_dec(p, &s->funding);
    pack_i64(p, &s->last_funding_id);
    pack_dec(p, &s->equity_peak);
    pack_dec(p, &s->day_start_equity);
    pack_i64(p, &s->day);
    pack_i64(p, &s->consecutive_losses);
    pack_i64(p, &s->run);
    pack_i64(p, &s->next_order);
    pack_i64(p, &s->next_decision_id);
    pack_i64(p, &s->next_trade_id);
    pack_i64(p, &s->candles);
    pack_i64(p, &s->decisions);
    pack_i64(p, &s->orders);
    pack_i64(p, &s->fills);
    pack_i64(p, &s->trades);
    pack_i64(p, &s->wins);
    pack_i64(p, &s->vetoes);
    pack_i64(p, &s->refused_candles);
    pack_count(p, &s->cooldown_count, SYMBOLS_LIMIT);
    for (int i = 0; i < s->cooldown_count; i++) {
        pack_symbol(p, &s->cooldowns[i].symbol);
        pack_i64(p, &s->cooldowns[i].until_us);
    }
}

static void pack_rule(struct pack *p, struct rule *r)
{
    pack_i64(p, &r->id);
    PACK_ENUM(p, r->status, RULE_RETIRED);
    PACK_ENUM(p, r->effect, RULE_FAVOUR);
    pack_text(p, r->condition, sizeof(r->condition));
    pack_text(p, r->help, sizeof(r->help));
    pack_i64(p, &r->success_count);
    pack_i64(p, &r->failure_count);
    pack_i64(p, &r->created_us);
    pack_text(p, r->created_by, sizeof(r->created_by));
    pack_i64(p, &r->updated_us);
}

void record_rules_pack(struct pack *p, struct rule_book *book)
{
    pack_count(p, &book->rule_count, RULES_MAX);
    for (int i = 0; i < book->rule_count; i++) {
        pack_rule(p, &book->rules[i]);
    }
    pack_count(p, &book->shadow_count, SHADOWS_MAX);
    for (int i = 0; i < book->shadow_count; i++) {
        struct rule_shadow *s = &book->shadows[i];
        pack_i64(p, &s->id);
        pack_i64(p, &s->rule_id);
        pack_i64(p, &s->decision_id);
        pack_symbol(p, &s->symbol);
        PACK_ENUM(p, s->side, SIDE_SHORT);
        pack_dec(p, &s->entry);
        pack_dec(p, &s->stop);
        pack_dec(p, &s->target);
        pack_i64(p, &s->at_us);
    }
    pack_i64(p, &book->last_rule_id);
    pack_i64(p, &book->last_shadow_id);
}
