#include "base/check.h"
#include "engine_private.h"
#include "record.h"
#include "record_values.h"

/* Version 1 has only the newest booked fill of each order: all before it are booked too. */
static void read_newest_fill(struct pack *p, struct engine_memory *m, int order)
{
    struct engine_booked *b = &m->booked[m->booked_count];
    ASSERT(p->reading);
    record_fill_id_pack(p, b->venue_fill_id);
    b->order = order;
    m->booked_count += b->venue_fill_id[0] != '\0';
}

static void pack_memory(struct pack *p, struct engine_memory *m)
{
    record_state_pack(p, &m->state);
    pack_count(p, &m->position_count, POSITIONS_LIMIT);
    for (int i = 0; i < m->position_count; i++) {
        record_position_pack(p, &m->positions[i]);
    }
    pack_count(p, &m->order_count, ORDERS_LIMIT);
    m->booked_count = p->reading ? 0 : m->booked_count;
    for (int i = 0; i < m->order_count; i++) {
        record_whole_order_pack(p, &m->orders[i]);
        if (p->version == 1) {
            read_newest_fill(p, m, i);
        }
    }
    record_rules_pack(p, &m->rules);
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
 * until version 3 no balance compared while a position was open, until version 6 no stop rested at
 * a venue as an order of its own. */
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
    if (p->version >= 7) {
        PACK_ENUM(p, can->legs, VENUE_LEGS_PAIR);
        pack_bool(p, &can->dust);
    }
}

/* The magic has no sum: without this a version 9 whose digit has changed could be read as an 8. */
static void pack_version(struct pack *p)
{
    int64_t version = p->version;
    if (version >= 9) {
        pack_i64(p, &version);
        p->failed = p->failed || version != p->version;
    }
}

void record_start_pack(struct pack *p, struct record_start *start, const struct engine *engine)
{
    static const struct engine_now zero;
    p->version = start->version;
    pack_version(p);
    pack_i64(p, &start->run);
    record_now_pack(p, &start->now, &zero);
    record_settings_pack(p, &start->settings);
    pack_i64(p, &start->step_us);
    record_symbols_pack(p, &start->symbol_count, start->symbols);
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

bool record_settings_are_sane(const struct settings *s)
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
        !record_settings_are_sane(&start->settings) || start->now.market_us < 0) {
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
