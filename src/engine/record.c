#include "record.h"

#include "base/check.h"
#include "engine/engine_buffers.h"
#include "engine_private.h"
#include "io/secret.h"

#include <string.h>

/* ---------------------------------------------------------------- values of the model */

static void pack_now(struct pack *p, struct engine_now *now, const struct engine_now *before)
{
    pack_near(p, &now->market_us, before->market_us);
    pack_near(p, &now->wall_us, before->wall_us);
    pack_near(p, &now->mono_us, before->mono_us);
}

static void pack_symbols(struct pack *p, int *count, struct symbol symbols[SYMBOLS_LIMIT])
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
static void pack_settings(struct pack *p, struct settings *s)
{
    pack_symbols(p, &s->symbol_count, s->symbols);
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
        pack_symbols(p, &s->tiers[i].symbol_count, s->tiers[i].symbols);
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

/* Without the deadline: an expired request reaches no step. */
void record_request_pack(struct pack *p, struct request *r)
{
    pack_i64(p, &r->id);
    PACK_ENUM(p, r->kind, REQUEST_RULE_STATUS);
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
static void pack_order(struct pack *p, struct order *o)
{
    record_order_pack(p, o);
    if (p->version >= 3) {
        record_terms_pack(p, o);
    } else if (p->reading) {
        o->reduce_only = o->kind != ORDER_ENTRY;
    }
}

/* Version 1: a number, 0 for none. */
static void pack_fill_id(struct pack *p, char id[FILL_ID_SIZE])
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

static void pack_fill(struct pack *p, struct fill *f)
{
    pack_text(p, f->client_id, sizeof(f->client_id));
    pack_fill_id(p, f->venue_fill_id);
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

static void pack_trade(struct pack *p, struct trade *t)
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
}

static void pack_state(struct pack *p, struct engine_state *s)
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

static void pack_rules(struct pack *p, struct rule_book *book)
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

/* ---------------------------------------------------------------- the start */

/* Version 1 has only the newest booked fill of each order: all before it are booked too. */
static void read_newest_fill(struct pack *p, struct engine_memory *m, int order)
{
    struct engine_booked *b = &m->booked[m->booked_count];
    ASSERT(p->reading);
    pack_fill_id(p, b->venue_fill_id);
    b->order = order;
    m->booked_count += b->venue_fill_id[0] != '\0';
}

static void pack_memory(struct pack *p, struct engine_memory *m)
{
    pack_state(p, &m->state);
    pack_count(p, &m->position_count, POSITIONS_LIMIT);
    for (int i = 0; i < m->position_count; i++) {
        record_position_pack(p, &m->positions[i]);
    }
    pack_count(p, &m->order_count, ORDERS_LIMIT);
    m->booked_count = p->reading ? 0 : m->booked_count;
    for (int i = 0; i < m->order_count; i++) {
        pack_order(p, &m->orders[i]);
        if (p->version == 1) {
            read_newest_fill(p, m, i);
        }
    }
    pack_rules(p, &m->rules);
    pack_count(p, &m->entry_count, ORDERS_LIMIT);
    for (int i = 0; i < m->entry_count; i++) {
        pack_i64(p, &m->entries_us[i]);
    }
    if (p->version >= 2) {
        pack_count(p, &m->booked_count, ENGINE_BOOKED_MAX);
        for (int i = 0; i < m->booked_count; i++) {
            pack_count(p, &m->booked[i].order, ORDERS_LIMIT - 1);
            pack_text(p, m->booked[i].venue_fill_id, FILL_ID_SIZE);
        }
    }
}

/* At the end: journals of an earlier version end before it, and their orders have no distances. */
static void pack_distances(struct pack *p, struct record_start *start)
{
    struct engine_memory *m = &start->memory;
    for (int i = 0; start->restored && i < m->order_count; i++) {
        struct order *o = &m->orders[i];
        if (p->reading && p->at == p->size) {
            o->stop_away = DEC_ZERO;
            o->target_away = DEC_ZERO;
        } else {
            pack_dec(p, &o->stop_away);
            pack_dec(p, &o->target_away);
        }
    }
}

static void pack_window(struct pack *p, struct window *w)
{
    pack_count(p, &w->count, WINDOW_BARS);
    pack_count(p, &w->head, WINDOW_BARS - 1);
    for (int i = 0; i < w->count; i++) {
        struct bar *b = &w->bars[i];
        pack_i64(p, &b->open_us);
        pack_double(p, &b->open);
        pack_double(p, &b->high);
        pack_double(p, &b->low);
        pack_double(p, &b->close);
        pack_double(p, &b->volume);
    }
    /* Until the window is full, its bars begin at 0 and the next bar is appended. */
    if (w->count < WINDOW_BARS && w->head != w->count) {
        p->failed = true;
    }
}

static void write_series(struct pack *p, struct record_start *start, const struct engine *engine)
{
    /* Written first, patched once the size is known. */
    uint32_t size = 0;
    size_t size_at = p->at;
    pack_u32(p, &size);
    if (p->failed) {
        return;
    }
    size_t capacity = p->size - p->at;
    size_t done = engine_series_save(engine, p->bytes + p->at, capacity);
    ASSERT(done > 0);
    struct pack again = PACK_WRITE(p->bytes + size_at, 4);
    size = (uint32_t)done;
    pack_u32(&again, &size);
    p->at += done;
    start->series_size = done;
}

static void read_series(struct pack *p, struct record_start *start)
{
    uint32_t size = 0;
    pack_u32(p, &size);
    if (p->failed || p->size - p->at < size) {
        p->failed = true;
        return;
    }
    start->series_at = p->at;
    start->series_size = size;
    p->at += size;
}

static void pack_windows(struct pack *p, int symbol_count, struct series *series)
{
    for (int i = 0; i < symbol_count; i++) {
        for (int f = 0; f < SERIES_FRAMES; f++) {
            struct window checked = {0};
            pack_window(p, p->reading && series == NULL ? &checked : &series[i].windows[f]);
        }
    }
}

static void pack_set(struct pack *p, unsigned *set, int last)
{
    int value = (int)*set;
    pack_count(p, &value, (1 << (last + 1)) - 1);
    *set = (unsigned)value;
}

static void pack_order_capabilities(struct pack *p, struct venue_capabilities *can)
{
    pack_set(p, &can->order_types, ORDER_TYPE_STOP);
    pack_set(p, &can->times_in_force, TIF_FOK);
    pack_bool(p, &can->post_only);
    pack_bool(p, &can->reduce_only);
    pack_bool(p, &can->amend);
    pack_bool(p, &can->shorts);
    pack_bool(p, &can->leverage);
    pack_bool(p, &can->prices_in_ticks);
}

/* Version 1 knew one venue, which had brackets. Until version 2 no price was rounded,
 * until version 3 no balance compared while a position was open. */
static void pack_capabilities(struct pack *p, struct venue_capabilities *can)
{
    if (p->version < 3 && p->reading) {
        *can = (struct venue_capabilities){VENUE_USUAL, .brackets = true};
    }
    if (p->version == 1) {
        return;
    }
    if (p->version >= 3) {
        pack_order_capabilities(p, can);
    }
    pack_bool(p, &can->brackets);
    pack_bool(p, &can->connection);
    pack_bool(p, &can->instruments);
    pack_i64(p, &can->not_found_us);
    if (p->version >= 4) {
        PACK_ENUM(p, can->balances, VENUE_BALANCES_WALLET);
    }
}

void record_start_pack(struct pack *p, struct record_start *start, const struct engine *engine)
{
    static const struct engine_now zero;
    p->version = start->version;
    pack_i64(p, &start->run);
    pack_now(p, &start->now, &zero);
    pack_settings(p, &start->settings);
    pack_i64(p, &start->step_us);
    pack_symbols(p, &start->symbol_count, start->symbols);
    pack_text(p, start->model_hash, sizeof(start->model_hash));
    pack_capabilities(p, &start->venue);
    pack_bool(p, &start->restored);
    if (start->restored) {
        pack_memory(p, &start->memory);
    }
    if (p->reading) {
        read_series(p, start);
        start->windows_at = p->at;
        pack_windows(p, start->symbol_count, NULL);
        pack_distances(p, start);
        p->failed = p->failed || p->at != p->size;
        return;
    }
    write_series(p, start, engine);
    start->windows_at = p->at;
    /* Packing for writing does not change the values. */
    pack_windows(p, start->symbol_count, (struct series *)(uintptr_t)engine->series);
    pack_distances(p, start);
}

static bool is_name(struct symbol symbol)
{
    struct symbol parsed;
    return symbol_parse(str_c(symbol.name), &parsed) && symbol_equal(parsed, symbol);
}

static bool is_money(struct dec a)
{
    return dec_is_valid(a);
}

static bool is_price(struct dec a)
{
    return dec_is_valid(a) && a.e8 > 0;
}

static bool settings_are_sane(const struct settings *s)
{
    bool sane = s->symbol_count >= 1 && s->market_speed >= 1 && s->threshold > 0 &&
                s->stop_pct > 0 && s->target_pct > 0 && s->max_positions >= 0 &&
                s->max_positions <= POSITIONS_LIMIT && is_money(s->initial_cash) &&
                s->cooldown_us >= 0;
    for (int i = 0; i < s->symbol_count; i++) {
        sane = sane && is_name(s->symbols[i]);
    }
    return sane;
}

static bool memory_is_sane(const struct engine_memory *m)
{
    const struct engine_state *s = &m->state;
    bool sane = is_money(s->initial_cash) && is_money(s->cash) && is_money(s->realised) &&
                is_money(s->fees) && is_money(s->funding) && is_money(s->equity_peak) &&
                is_money(s->day_start_equity) && s->market_us >= 0 && s->run >= 0 &&
                s->run < INT64_MAX && s->next_order >= 0;
    for (int i = 0; i < m->position_count; i++) {
        const struct position *x = &m->positions[i];
        sane = sane && is_name(x->symbol) && is_price(x->qty) && is_price(x->entry_price) &&
               is_money(x->stop) && is_money(x->target) && is_money(x->mark_price) &&
               is_money(x->unrealised) && is_money(x->fees);
    }
    for (int i = 0; i < m->order_count; i++) {
        const struct order *o = &m->orders[i];
        sane = sane && is_name(o->symbol) && is_money(o->qty) && is_money(o->reference_price) &&
               is_money(o->stop) && is_money(o->target) && is_money(o->filled_qty) &&
               is_money(o->average_price) && is_money(o->stop_away) && is_money(o->target_away) &&
               is_money(o->price);
    }
    for (int i = 0; i < m->booked_count; i++) {
        sane = sane && m->booked[i].order < m->order_count;
    }
    for (int i = 0; i < m->rules.rule_count; i++) {
        struct condition program;
        sane = sane && condition_compile(str_c(m->rules.rules[i].condition), &program, NULL) >= 0;
    }
    for (int i = 0; i < m->rules.shadow_count; i++) {
        const struct rule_shadow *x = &m->rules.shadows[i];
        sane = sane && is_money(x->entry) && is_money(x->stop) && is_money(x->target);
    }
    return sane;
}

bool record_start_is_sane(const struct record_start *start)
{
    if (!series_step_is_valid(start->step_us) || !venue_can_close(&start->venue) ||
        start->symbol_count < 1 || start->settings.symbol_count > start->symbol_count ||
        !settings_are_sane(&start->settings) || start->now.market_us < 0) {
        return false;
    }
    for (int i = 0; i < start->symbol_count; i++) {
        if (!is_name(start->symbols[i])) {
            return false;
        }
    }
    const struct engine_memory *memory = &start->memory;
    return !start->restored ||
           (memory->position_count <= capacity_positions(start->symbol_count) &&
            memory->order_count <= capacity_orders(start->symbol_count) && memory_is_sane(memory));
}

struct engine *record_start_engine(const struct record_start *start, struct pack payload)
{
    struct engine *engine = engine_new(&start->settings, start->symbols, start->symbol_count);
    engine_set_step(engine, start->step_us);
    engine_set_venue(engine, &start->venue);
    if (start->restored) {
        engine_restore(engine, &start->memory);
    } else {
        engine_begin(engine, &start->now);
        engine_begin_at_run(engine, start->run);
    }
    if (!engine_series_load(engine, payload.bytes + start->series_at, start->series_size)) {
        engine_free(engine);
        return NULL;
    }
    payload.at = start->windows_at;
    pack_windows(&payload, start->symbol_count, engine->series);
    return engine;
}

/* ---------------------------------------------------------------- a step */

/* Nearly always one of the symbols that the run started with. */
static void pack_known(struct pack *p, struct symbol *symbol, const struct record_start *start)
{
    int place = 0;
    for (int i = 0; !p->reading && i < start->symbol_count && place == 0; i++) {
        place = symbol_equal(start->symbols[i], *symbol) ? i + 1 : 0;
    }
    pack_count(p, &place, start->symbol_count);
    if (place == 0) {
        pack_symbol(p, symbol);
    } else {
        *symbol = start->symbols[place - 1];
    }
}

static void pack_quote(struct pack *p, struct quote *q, int64_t near_us,
                       const struct record_start *start)
{
    pack_known(p, &q->symbol, start);
    pack_dec(p, &q->bid);
    pack_near(p, &q->ask.e8, q->bid.e8);
    pack_dec(p, &q->bid_qty);
    pack_dec(p, &q->ask_qty);
    pack_near(p, &q->at_us, near_us);
}

static void pack_listing(struct pack *p, struct venue_report *r)
{
    pack_i64(p, &r->ask_id);
    if (p->version == 1) {
        r->page = 0; /* the whole listing; it was cut if this is false: */
        pack_bool(p, &r->last);
    } else {
        pack_count(p, &r->page, VENUE_PAGES_MAX - 1);
        pack_bool(p, &r->last);
    }
    pack_count(p, &r->holding_count, VENUE_PAGE_HOLDINGS);
    for (int i = 0; i < r->holding_count; i++) {
        struct venue_holding *h = &r->holdings[i];
        pack_symbol(p, &h->symbol);
        PACK_ENUM(p, h->side, SIDE_SHORT);
        pack_dec(p, &h->qty);
        pack_dec(p, &h->entry_price);
    }
    pack_count(p, &r->open_count, VENUE_PAGE_OPEN);
    for (int i = 0; i < r->open_count; i++) {
        pack_text(p, r->open[i], sizeof(r->open[i]));
    }
}

static void pack_instrument(struct pack *p, struct instrument *x)
{
    pack_symbol(p, &x->symbol);
    PACK_ENUM(p, x->status, INSTRUMENT_HALTED);
    pack_dec(p, &x->tick);
    pack_count(p, &x->digits, 18);
    pack_dec(p, &x->step);
    pack_dec(p, &x->min_qty);
    pack_dec(p, &x->max_qty);
    pack_dec(p, &x->min_notional);
}

static void pack_account(struct pack *p, struct venue_account *a)
{
    pack_count(p, &a->balance_count, VENUE_BALANCES_MAX);
    for (int i = 0; i < a->balance_count; i++) {
        pack_text(p, a->balances[i].currency, sizeof(a->balances[i].currency));
        pack_dec(p, &a->balances[i].total);
        pack_dec(p, &a->balances[i].available);
    }
    pack_dec(p, &a->margin_used);
    if (p->version >= 3) {
        pack_dec(p, &a->margin_maintenance);
    }
    pack_double(p, &a->leverage);
}

/* Version 1 had funding only. */
static void pack_event(struct pack *p, struct venue_report *r)
{
    PACK_ENUM(p, r->event, VENUE_EVENT_FORCED_CLOSE);
    PACK_ENUM(p, r->side, SIDE_SHORT);
    pack_dec(p, &r->qty);
    pack_dec(p, &r->price);
}

/* The fields of version 1, whatever the kind (an unused one costs one byte), then those of the
 * kind.
 */
static void pack_report(struct pack *p, struct venue_report *r)
{
    PACK_ENUM(p, r->kind, VENUE_ACCOUNT);
    PACK_ENUM(p, r->asked, VENUE_CALL_AMEND);
    pack_text(p, r->client_id, sizeof(r->client_id));
    PACK_ENUM(p, r->state, ORDER_UNKNOWN);
    pack_dec(p, &r->filled_qty);
    pack_text(p, r->reason, sizeof(r->reason));
    pack_fill_id(p, r->fills_after);
    pack_bool(p, &r->more);
    pack_count(p, &r->fill_count, VENUE_FILLS_MAX);
    for (int i = 0; i < r->fill_count; i++) {
        pack_fill(p, &r->fills[i]);
    }
    pack_dec(p, &r->stop);
    pack_dec(p, &r->target);
    if (r->kind == VENUE_REFUSED) { /* zero in all other kinds */
        pack_dec(p, &r->current_stop);
        pack_dec(p, &r->current_target);
    }
    pack_i64(p, &r->funding_id);
    pack_i64(p, &r->prev_funding_id);
    pack_symbol(p, &r->symbol);
    pack_dec(p, &r->payment);
    pack_i64(p, &r->at_us);
    pack_listing(p, r);
    switch (r->kind) {
    case VENUE_CONNECTION:
        PACK_ENUM(p, r->venue_state, VENUE_MAINTENANCE);
        break;
    case VENUE_LIMIT:
        pack_i64(p, &r->limit.used);
        pack_i64(p, &r->limit.most);
        pack_i64(p, &r->limit.reset_us);
        pack_i64(p, &r->limit.banned_us);
        break;
    case VENUE_INSTRUMENT:
        pack_instrument(p, &r->instrument);
        break;
    case VENUE_ACCOUNT:
        pack_account(p, &r->account);
        break;
    case VENUE_FUNDING:
        if (p->version >= 2) {
            pack_event(p, r);
        }
        break;
    case VENUE_ORDER:
    case VENUE_NOT_FOUND:
    case VENUE_NO_ANSWER:
    case VENUE_LISTING:
    case VENUE_REFUSED:
        break;
    }
}

static void pack_digest(struct pack *p, struct record_digest *a, const struct record_start *start)
{
    for (int i = 0; i < RECORD_PARTS; i++) {
        pack_u32(p, &a->sums[i]);
    }
    pack_count(p, &a->sends, capacity_orders(start->symbol_count));
    pack_count(p, &a->decision_count, capacity_symbols(start->symbol_count));
    for (int i = 0; i < a->decision_count; i++) {
        struct record_decision *d = &a->decisions[i];
        pack_known(p, &d->symbol, start);
        PACK_ENUM(p, d->direction, DIRECTION_SHORT);
        PACK_ENUM(p, d->outcome, OUTCOME_ORDER);
        pack_double(p, &d->score);
    }
}

/* Everything but settings and request, which the inputs only point to. */
static void pack_market(struct pack *p, struct engine_inputs *in, int64_t market_us,
                        const struct record_start *start)
{
    pack_count(p, &in->bar_count, capacity_symbols(start->symbol_count));
    for (int i = 0; i < in->bar_count; i++) {
        pack_known(p, &in->bars[i].symbol, start);
        pack_candle(p, &in->bars[i].candle, market_us);
    }
    pack_count(p, &in->quote_count, capacity_symbols(start->symbol_count));
    for (int i = 0; i < in->quote_count; i++) {
        pack_quote(p, &in->quotes[i], market_us, start);
    }
    pack_count(p, &in->report_count, ENGINE_REPORTS_MAX);
    for (int i = 0; i < in->report_count; i++) {
        pack_report(p, &in->reports[i]);
    }
}

/* The kill switch in the lowest bit, as in earlier versions; the disk state above it. */
static void pack_flags(struct pack *p, struct engine_inputs *in)
{
    int flags = (in->halt ? 1 : 0) | (int)in->disk << 1;
    pack_count(p, &flags, 1 | ENGINE_DISK_LATE << 1);
    if (p->reading) {
        in->halt = (flags & 1) != 0;
        in->disk = (enum engine_disk)(flags >> 1);
    }
}

void record_step_pack(struct pack *p, struct record_step *step, const struct engine_now *before,
                      const struct record_start *start)
{
    struct engine_inputs *in = step->inputs;
    p->version = start->version;
    bool has_settings = in->settings != NULL;
    bool has_request = in->request != NULL;
    pack_now(p, &step->now, before);
    pack_flags(p, in);
    pack_bool(p, &has_settings);
    if (has_settings) {
        pack_settings(p, step->settings);
    }
    pack_bool(p, &has_request);
    if (has_request) {
        record_request_pack(p, step->request);
    }
    if (p->reading) {
        in->settings = has_settings ? step->settings : NULL;
        in->request = has_request ? step->request : NULL;
    }
    pack_market(p, in, step->now.market_us, start);
    pack_digest(p, &step->digest, start);
    if (p->reading) {
        p->failed = p->failed || p->at != p->size;
    }
}

/* Feed and venue may send any value, which the engine checks itself. Settings and requests come
 * from this program, which checked them before. */
bool record_step_is_sane(const struct record_step *step)
{
    const struct settings *s = step->inputs->settings;
    const struct request *r = step->inputs->request;
    return (s == NULL || settings_are_sane(s)) &&
           (r == NULL || (dec_is_valid(r->stop) && dec_is_valid(r->target))) &&
           step->now.market_us >= 0 && step->now.mono_us >= 0;
}

bool record_is_idle(const struct engine_inputs *inputs, const struct engine_outputs *outputs)
{
    return inputs->settings == NULL && inputs->request == NULL && inputs->bar_count == 0 &&
           inputs->report_count == 0 && !outputs->write && !outputs->list && !outputs->clear_halt &&
           outputs->send_count == 0 && outputs->cancel_count == 0 && outputs->amend_count == 0 &&
           outputs->query_count == 0 && outputs->event_count == 0;
}

/* ---------------------------------------------------------------- the outputs of a step */

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
        pack_order(p, &out->orders[i]);
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
        pack_fill_id(p, out->queries[i].after_fill_id);
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
        pack_fill(p, &out->fills[i]);
    }
    for (int i = 0; i < out->payment_count; i++) {
        pack_i64(p, &out->payments[i].id);
        pack_symbol(p, &out->payments[i].symbol);
        pack_dec(p, &out->payments[i].payment);
        pack_i64(p, &out->payments[i].at_us);
    }
    for (int i = 0; i < out->trade_count; i++) {
        pack_trade(p, &out->trades[i]);
    }
    for (int i = 0; i < engine->position_count; i++) {
        record_position_pack(p, &engine->positions[i]);
    }
    pack_state(p, &engine->state);
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
        pack_rules(p, &engine->rules.book);
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

/* ---------------------------------------------------------------- frames */

uint64_t record_sum(const uint8_t *frame, size_t size, int64_t offset)
{
    return secret_checksum(str_n((const char *)frame + 8, size + 4), (uint64_t)offset);
}

void record_seal(uint8_t *frame, size_t size, int64_t offset)
{
    uint32_t length = (uint32_t)size;
    struct pack p = PACK_WRITE(frame + 8, 4);
    pack_u32(&p, &length);
    uint64_t sum = record_sum(frame, size, offset);
    for (unsigned i = 0; i < 8; i++) {
        frame[i] = (uint8_t)(sum >> (8 * i));
    }
}
