#include "engine/engine.h"

#include "base/auto.h"
#include "base/check.h"
#include "engine_private.h"
#include "risk/risk.h"

#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- shared by the step's files */

struct ledger engine_ledger(struct engine *engine)
{
    return (struct ledger){&engine->state, engine->positions, &engine->position_count,
                           engine->position_capacity};
}

static unsigned hash_of(struct symbol symbol)
{
    uint64_t words[2];
    _Static_assert(sizeof(words) == sizeof(symbol), "all bytes count");
    memcpy(words, &symbol, sizeof(words));
    uint64_t mixed =
        (words[0] ^ words[1] * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    return (unsigned)(mixed >> 40);
}

/* Comparing a few names takes less time than a hash. */
#define COMPARED_MAX 4

int engine_place(const struct engine *engine, struct symbol symbol)
{
    if (engine->symbol_count <= COMPARED_MAX) {
        for (int i = 0; i < engine->symbol_count; i++) {
            if (symbol_equal(engine->names[i], symbol)) {
                return i;
            }
        }
        return -1;
    }
    for (unsigned at = hash_of(symbol);; at++) {
        int place = engine->places[at & engine->place_mask];
        if (place == 0 || symbol_equal(engine->names[place - 1], symbol)) {
            return place - 1;
        }
    }
}

int engine_tier(const struct engine *engine, struct symbol symbol)
{
    int place = engine_place(engine, symbol);
    return place >= 0 ? engine->tiers[place] : risk_tier(&engine->settings, symbol);
}

struct series *engine_series(struct engine *engine, struct symbol symbol)
{
    int place = engine_place(engine, symbol);
    return place >= 0 ? &engine->series[place] : NULL;
}

const struct quote *engine_quote(const struct engine *engine, struct symbol symbol)
{
    int place = engine_place(engine, symbol);
    if (engine->in == NULL) {
        return NULL;
    }
    /* Usually the quotes are those of all symbols, in their order. */
    if (place >= 0 && place < engine->in->quote_count &&
        symbol_equal(engine->in->quotes[place].symbol, symbol)) {
        return &engine->in->quotes[place];
    }
    for (int i = 0; i < engine->in->quote_count; i++) {
        if (symbol_equal(engine->in->quotes[i].symbol, symbol)) {
            return &engine->in->quotes[i];
        }
    }
    return NULL;
}

struct dec engine_equity(const struct engine *engine)
{
    return ledger_equity(engine->state.cash, engine->positions, engine->position_count);
}

enum trading_state engine_shown_state(const struct engine *engine)
{
    return engine->reconciled || engine->state.state == TRADING_EMERGENCY ? engine->state.state
                                                                          : TRADING_STARTING;
}

struct event *engine_event(struct engine *engine, enum topic topic, int64_t code)
{
    struct engine_outputs *out = engine->out;
    /* More events than fit into a step: the last one is overwritten. Readers resynchronise from the
     * snapshot as after any loss, and no decision depends on events. */
    if (out->event_count == ENGINE_EVENTS(capacity_symbols(out->symbols))) {
        out->event_count--;
    }
    struct event *e = &out->events[out->event_count++];
    *e = (struct event){
        .topic = (uint32_t)topic, .code = (uint32_t)code, .at_us = engine->now->market_us};
    return e;
}

void engine_fault(struct engine *engine, enum err_id id, struct symbol symbol)
{
    struct event *e = engine_event(engine, TOPIC_FAULT, (int64_t)id);
    e->symbol = symbol;
}

/* ---------------------------------------------------------------- lifecycle */

static void *rows(int count, size_t size)
{
    void *memory = calloc((size_t)count, size);
    ASSERT(memory != NULL);
    return memory;
}

static void make_room(struct engine *engine)
{
    struct engine_exposure *x = &engine->exposure;
    int symbols = engine->symbol_count;
    int positions = capacity_positions(symbols);
    int orders = capacity_orders(symbols);
    engine->series = rows(symbols, sizeof(*engine->series));
    engine->names = rows(symbols, sizeof(*engine->names));
    engine->tiers = rows(symbols, sizeof(*engine->tiers));
    engine->sentiments = rows(symbols, sizeof(*engine->sentiments));
    returns_init(&engine->returns, capacity_symbols(symbols));
    engine->position_capacity = positions;
    engine->positions = rows(positions, sizeof(*engine->positions));
    engine->order_capacity = orders;
    engine->slots = rows(orders, sizeof(*engine->slots));
    x->entries_us = rows(orders, sizeof(*x->entries_us));
    x->foreign = rows(positions, sizeof(*x->foreign));
    x->foreign_seen = rows(positions, sizeof(*x->foreign_seen));
    x->unsaved_capacity = 2 * positions;
    x->unsaved = rows(x->unsaved_capacity, sizeof(*x->unsaved));
    x->liquidation_guards = rows(symbols, sizeof(*x->liquidation_guards));
    engine->venue.known = rows(symbols, sizeof(*engine->venue.known));
    engine->venue.instruments = rows(symbols, sizeof(*engine->venue.instruments));
}

/* At most half of the places are taken. */
static void make_places(struct engine *engine)
{
    unsigned places = 16;
    while (places < 2 * (unsigned)engine->symbol_count) {
        places *= 2;
    }
    engine->place_mask = places - 1;
    engine->places = rows((int)places, sizeof(*engine->places));
    for (int i = 0; i < engine->symbol_count; i++) {
        unsigned at = hash_of(engine->names[i]);
        while (engine->places[at & engine->place_mask] != 0) {
            at++;
        }
        engine->places[at & engine->place_mask] = (uint16_t)(i + 1);
    }
}

static void use_settings(struct engine *engine, const struct settings *settings)
{
    engine->settings = *settings;
    for (int i = 0; i < engine->symbol_count; i++) {
        engine->tiers[i] = risk_tier(settings, engine->series[i].symbol);
    }
}

struct engine *engine_new(const struct settings *settings, const struct symbol *symbols, int count)
{
    ASSERT(count >= 1 && count <= SYMBOLS_LIMIT && settings->symbol_count <= count);
    struct engine *engine = rows(1, sizeof(*engine));
    engine->traded_count = settings->symbol_count;
    engine->venue.can = (struct venue_capabilities){VENUE_USUAL, .brackets = true};
    engine->venue.state = VENUE_READY;
    engine->symbol_count = count;
    engine->books_balance = true;
    make_room(engine);
    for (int i = 0; i < count; i++) {
        series_init(&engine->series[i], symbols[i], timeframe_us(TF_1M));
        engine->names[i] = symbols[i];
    }
    make_places(engine);
    use_settings(engine, settings);
    return engine;
}

void engine_set_step(struct engine *engine, int64_t step_us)
{
    for (int i = 0; i < engine->symbol_count; i++) {
        ASSERT(engine->series[i].updated_us == 0);
        series_init(&engine->series[i], engine->series[i].symbol, step_us);
    }
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    struct engine_exposure *x = &engine->exposure;
    free(engine->series);
    free(engine->names);
    free(engine->tiers);
    free(engine->sentiments);
    free(engine->places);
    returns_release(&engine->returns);
    free(engine->positions);
    free(engine->slots);
    free(x->entries_us);
    free(x->foreign);
    free(x->foreign_seen);
    free(x->unsaved);
    free(x->liquidation_guards);
    free(engine->venue.known);
    free(engine->venue.instruments);
    free(engine);
}

void engine_use_predictor(struct engine *engine, const struct predictor *predictor)
{
    engine->predictor = predictor;
}

void engine_begin(struct engine *engine, const struct engine_now *now)
{
    struct dec cash = engine->settings.initial_cash;
    engine->state = (struct engine_state){
        .state = TRADING_ACTIVE,
        .state_since_wall_us = now->wall_us,
        .market_us = now->market_us,
        .initial_cash = cash,
        .cash = cash,
        .equity_peak = cash,
        .day_start_equity = cash,
        .day = now->market_us / USEC_PER_DAY,
        .run = 1,
        .next_order = 1,
        .next_decision_id = 1,
        .next_trade_id = 1,
    };
    (void)str_copy(STR_LIT("first start"), engine->state.state_reason,
                   sizeof(engine->state.state_reason));
    engine->market_us = now->market_us;
}

void engine_begin_at_run(struct engine *engine, int64_t run)
{
    ASSERT(run >= 1);
    engine->state.run = run;
}

void engine_restore(struct engine *engine, const struct engine_memory *memory)
{
    ASSERT(memory->position_count >= 0 && memory->position_count <= engine->position_capacity &&
           memory->order_count >= 0 && memory->order_count <= engine->order_capacity);
    engine->state = memory->state;
    engine->state.run++;
    engine->market_us = memory->state.market_us;
    for (int i = 0; i < memory->entry_count; i++) {
        engine_account_entry(engine, memory->entries_us[i]);
    }
    engine->position_count = memory->position_count;
    memcpy(engine->positions, memory->positions,
           (size_t)memory->position_count * sizeof(engine->positions[0]));
    engine_orders_restore(engine, memory);
    engine_rules_restore(engine, &memory->rules);
}

static enum series_result push_bar(struct engine *engine, struct series *series,
                                   const struct candle *candle, int64_t now_us,
                                   unsigned *ret_closed)
{
    enum series_result result = series_push(series, candle, now_us, ret_closed);
    if ((*ret_closed & 1u << TF_1H) != 0) {
        const struct candle *hour = &series_frame(series, TF_1H)->closed;
        returns_push(&engine->returns, series->symbol, hour->open_us / USEC_PER_HOUR, hour->close);
    }
    return result;
}

void engine_history(struct engine *engine, struct symbol symbol, const struct candle *bars,
                    int count)
{
    struct series *series = engine_series(engine, symbol);
    if (series == NULL) {
        return;
    }
    series_history(series, bars, count);
    const struct window *hours = series_window(series, TF_1H);
    const struct bar *hour;
    for (int back = window_count(hours) - 1; (hour = window_at(hours, back)) != NULL; back--) {
        returns_push(&engine->returns, symbol, hour->open_us / USEC_PER_HOUR,
                     dec_from_double(hour->close));
    }
}

int engine_warm(struct engine *engine, const struct source_bar *bars, int count,
                struct source_bar *ret_closed)
{
    int done = 0;
    for (int i = 0; i < count; i++) {
        struct series *series = engine_series(engine, bars[i].symbol);
        unsigned closed = 0;
        if (series != NULL) {
            (void)push_bar(engine, series, &bars[i].candle,
                           bars[i].candle.open_us + series->step_us, &closed);
            if ((closed & 1u << series_decision_tf(series)) != 0 &&
                done < capacity_symbols(engine->symbol_count)) {
                ret_closed[done++] =
                    (struct source_bar){series->symbol, series_decision_frame(series)->closed};
            }
        }
    }
    return done;
}

/* ---------------------------------------------------------------- the step */

static void mark(struct engine *engine, const struct series *series)
{
    for (int i = 0; i < engine->position_count; i++) {
        if (symbol_equal(engine->positions[i].symbol, series->symbol)) {
            engine->positions[i].mark_price = series->price;
            engine->out->positions_changed = true;
        }
    }
}

/* Returns the series if this bar completed a bar of the decision frame. */
static struct series *accept_bar(struct engine *engine, const struct source_bar *bar)
{
    struct series *series = engine_series(engine, bar->symbol);
    if (series == NULL) {
        return NULL;
    }
    unsigned closed;
    engine->out->write = true;
    engine->out->market_moved = true;
    enum series_result result =
        push_bar(engine, series, &bar->candle, engine->now->market_us, &closed);
    if (result != SERIES_ACCEPTED) {
        engine->state.refused_candles++;
        struct event *e = engine_event(engine, TOPIC_FAULT, ERR_MARKET_CANDLE);
        e->symbol = bar->symbol;
        e->id = (int64_t)result;
        return NULL;
    }
    engine->state.candles++;
    mark(engine, series);
    engine_rules_bar(engine, series->symbol, &bar->candle);
    if ((closed & 1u << series_decision_tf(series)) == 0) {
        return NULL;
    }
    engine->out->candles[engine->out->candle_count++] =
        (struct source_bar){series->symbol, series_decision_frame(series)->closed};
    return series;
}

static void point_equity(struct engine *engine)
{
    int64_t hour = engine->now->market_us / USEC_PER_HOUR;
    if (engine->out->candle_count == 0 || hour <= engine->equity_hour) {
        return;
    }
    engine->equity_hour = hour;
    engine->out->equity_point = true;
    engine->out->equity = (struct equity_point){.at_us = hour * USEC_PER_HOUR,
                                                .equity = engine_equity(engine),
                                                .cash = engine->state.cash,
                                                .realised = engine->state.realised};
    for (int i = 0; i < engine->out->transfer_count; i++) {
        engine->out->transfers[i].at_us = engine->out->equity.at_us; /* the point contains them */
    }
}

static void clear_outputs(struct engine_outputs *out, int64_t at_us)
{
    out->write = false;
    out->market_moved = false;
    out->positions_changed = false;
    out->rules_changed = false;
    out->order_count = 0;
    out->fill_count = 0;
    out->trade_count = 0;
    out->decision_count = 0;
    out->candle_count = 0;
    out->equity_point = false;
    out->transfer_count = 0;
    out->has_request = false;
    out->request_err = ERR_NONE;
    out->at_us = at_us;
    out->clear_halt = false;
    out->list = false;
    out->send_count = 0;
    out->payment_count = 0;
    out->cancel_count = 0;
    out->amend_count = 0;
    out->query_count = 0;
    out->event_count = 0;
}

static void accept_request(struct engine *engine, const struct request *request)
{
    engine->out->has_request = true;
    engine->out->request = *request;
    engine->out->request_err = engine_control_request(engine, request);
    engine->out->write = true;
    struct event *e = engine_event(engine, TOPIC_REPLY, engine->out->request_err);
    e->id = request->id;
    e->symbol = request->symbol;
}

static void check_books(struct engine *engine)
{
    struct ledger ledger = engine_ledger(engine);
    bool balances = ledger_balances(&ledger);
    if (!balances && engine->books_balance) {
        engine_fault(engine, ERR_ENGINE_BOOKS, (struct symbol){0});
    }
    engine->books_balance = balances;
    ledger_mark(&ledger);
}

void engine_step(struct engine *engine, const struct engine_now *now,
                 const struct engine_inputs *inputs, struct engine_outputs *ret)
{
    ASSERT(ret->symbols == engine->symbol_count);
    engine->now = now;
    engine->in = inputs;
    engine->out = ret;
    clear_outputs(ret, now->market_us);
    if (engine->steps++ == 0) {
        engine->started_wall_us = now->wall_us;
        engine->equity_hour = engine->state.market_us / USEC_PER_HOUR;
        ret->write = true; /* to store the number of this run */
    }
    if (now->market_us > engine->market_us) {
        engine->market_us = now->market_us;
    }
    engine->state.market_us = engine->market_us;
    if (inputs->settings != NULL) {
        use_settings(engine, inputs->settings);
    }

    if (inputs->has_sentiment) {
        engine_sentiment_accept(engine, inputs);
    }
    engine_orders_begin(engine);
    engine_rules_begin(engine);
    if (inputs->disk == ENGINE_DISK_OK) {
        engine->exposure.unsaved_count = 0; /* all steps before this one are in trading.db */
    }
    for (int i = 0; i < inputs->report_count; i++) {
        engine_reports_accept(engine, &inputs->reports[i]);
    }
    AUTO_UNCLEARED struct series *due[SYMBOLS_LIMIT];
    int due_count = 0;
    for (int i = 0; i < inputs->bar_count; i++) {
        struct series *series = accept_bar(engine, &inputs->bars[i]);
        if (series != NULL && due_count < SYMBOLS_LIMIT) {
            due[due_count++] = series;
        }
    }
    engine->late = inputs->late;
    engine->behind = inputs->disk == ENGINE_DISK_BEHIND || inputs->disk == ENGINE_DISK_LOST;
    if (inputs->disk == ENGINE_DISK_LOST) {
        engine_control_lost(engine);
    }
    if (inputs->halt) {
        engine_control_halt(engine);
    }
    if (inputs->request != NULL) {
        accept_request(engine, inputs->request);
    }
    engine_venue_tick(engine);
    engine_control_tick(engine);
    for (int i = 0; i < due_count; i++) {
        if (due[i] - engine->series < engine->traded_count && !engine->late) {
            engine_decide(engine, due[i]);
        }
    }
    if (!engine->late) {
        engine_orders_guard(engine);
    }
    engine_legs_tick(engine);
    engine_orders_tick(engine);
    engine_reconcile_tick(engine);
    engine_reconcile_finish(engine, engine_orders_finish(engine));
    check_books(engine);
    point_equity(engine);
    engine->now = NULL;
    engine->in = NULL;
    engine->out = NULL;
}

/* ---------------------------------------------------------------- snapshot */

static void fill_market(const struct engine *engine, const struct series *series,
                        struct snapshot_market *m)
{
    const struct instrument *rules = engine_venue_instrument(engine, series->symbol);
    const struct frame *frame = series_decision_frame(series);
    *m = (struct snapshot_market){
        .symbol = series->symbol,
        .price = series->price,
        .change_24h_pct = series_change_24h_pct(series),
        .updated_us = series->updated_us,
        .regime = series_regime(series),
        .rsi = rsi_value(&frame->rsi),
        .ema_fast = ema_value(&frame->macd.fast),
        .ema_slow = ema_value(&frame->macd.slow),
        .refused = (uint64_t)series_refused(series),
        .refused_impossible = (uint64_t)series->refused[SERIES_IMPOSSIBLE],
        .refused_backward = (uint64_t)series->refused[SERIES_BACK],
        .refused_stale = (uint64_t)series->refused[SERIES_STALE],
        .refused_future = (uint64_t)series->refused[SERIES_FUTURE],
        .gaps = (uint64_t)series->gaps,
        .suspect = series_suspect(series),
    };
    if (rules != NULL) {
        m->rules = *rules;
    }
}

static void fill_account(const struct engine *engine, struct snapshot *ret)
{
    const struct engine_state *s = &engine->state;
    ret->initial_cash = s->initial_cash;
    ret->cash = s->cash;
    ret->equity = engine_equity(engine);
    ret->equity_peak = s->equity_peak;
    ret->day_start_equity = s->day_start_equity;
    ret->realised = s->realised;
    ret->fees = s->fees;
    ret->funding = s->funding;
    struct risk_account account = {.equity = ret->equity,
                                   .equity_peak = s->equity_peak,
                                   .day_start_equity = s->day_start_equity};
    ret->drawdown_pct = risk_drawdown_pct(&account);
    ret->daily_loss_pct = risk_daily_loss_pct(&account);
    double equity = dec_to_double(ret->equity);
    struct dec exposure = ledger_exposure(engine->positions, engine->position_count);
    ret->exposure_pct = equity > 0 ? 100 * dec_to_double(exposure) / equity : 0;
    ret->max_drawdown_pct = engine->settings.max_drawdown_pct;
    ret->max_daily_loss_pct = engine->settings.max_daily_loss_pct;
}

static void fill_state(const struct engine *engine, struct snapshot *ret)
{
    const struct engine_state *s = &engine->state;
    ret->state = engine_shown_state(engine);
    ret->state_since_us = s->state_since_wall_us;
    ret->verified_flat = engine->verified_flat && s->state == TRADING_EMERGENCY;
    if (ret->state == TRADING_STARTING) {
        /* Confirms that a state set by a person survived the restart. */
        bool trades = s->state == TRADING_ACTIVE;
        (void)snprintf(ret->state_reason, sizeof(ret->state_reason), "%.*s%s%s", trades ? 63 : 44,
                       engine->reconcile_reason[0] != '\0' ? engine->reconcile_reason
                                                           : "asking the venue",
                       trades ? "" : ", then ", trades ? "" : trading_state_name(s->state));
    } else if (ret->state == TRADING_EMERGENCY) {
        (void)snprintf(ret->state_reason, sizeof(ret->state_reason), "%s, %s", s->state_reason,
                       engine->verified_flat ? "verified flat" : "not yet flat");
    } else {
        (void)str_copy(str_c(s->state_reason), ret->state_reason, sizeof(ret->state_reason));
    }
}

void engine_snapshot(const struct engine *engine, const struct engine_now *now,
                     struct snapshot *ret)
{
    const struct engine_state *s = &engine->state;
    ret->published_wall_us = now->wall_us;
    ret->market_us = engine->market_us;
    ret->started_wall_us = engine->steps == 0 ? now->wall_us : engine->started_wall_us;
    fill_state(engine, ret);
    fill_account(engine, ret);
    engine_account_snapshot(engine, ret);
    ret->market_count = engine->symbol_count;
    for (int i = 0; i < engine->symbol_count; i++) {
        fill_market(engine, &engine->series[i], &ret->markets[i]);
    }
    ret->position_count = engine->position_count;
    engine_venue_snapshot(engine, now, &ret->venue);
    ret->venue_agrees = engine->agreed_list_id > engine->moved_list_id;
    ret->max_positions = (int)engine->settings.max_positions;
    memcpy(ret->positions, engine->positions,
           (size_t)engine->position_count * sizeof(engine->positions[0]));
    engine_legs_snapshot(engine, ret);
    ret->candles = (uint64_t)s->candles;
    ret->decisions = (uint64_t)s->decisions;
    ret->orders = (uint64_t)s->orders;
    ret->fills = (uint64_t)s->fills;
    ret->trades = (uint64_t)s->trades;
    ret->wins = (uint64_t)s->wins;
    ret->vetoes = (uint64_t)s->vetoes;
    ret->open_orders = (uint64_t)engine_orders_alive(engine);
    ret->unknown_orders = 0;
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *slot = &engine->slots[i];
        ret->unknown_orders += slot->used && slot->order.state == ORDER_UNKNOWN;
    }
    ret->steps = engine->steps;
    ret->books_balance = engine->books_balance;
}

int engine_symbol_count(const struct engine *engine)
{
    return engine->symbol_count;
}

const struct engine_state *engine_state(const struct engine *engine)
{
    return &engine->state;
}

const struct position *engine_positions(const struct engine *engine, int *ret_count)
{
    *ret_count = engine->position_count;
    return engine->positions;
}

struct dec engine_price(const struct engine *engine, struct symbol symbol)
{
    int place = engine_place(engine, symbol);
    return place >= 0 ? engine->series[place].price : DEC_ZERO;
}
