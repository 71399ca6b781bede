#include "engine/backtest.h"

#include "base/check.h"
#include "engine/engine_buffers.h"
#include "engine_private.h"
#include "ledger.h"
#include "venue/venue.h"

#include <stdlib.h>
#include <string.h>

/* Most steps without a candle in a row, while reports and answers are exchanged. */
#define SETTLE_STEPS_MAX 64

struct backtest {
    struct backtest_options options;
    struct settings settings;
    struct engine *engine;
    struct venue *venue;
    int64_t step_us;
    int64_t frame_us;                 /* bar length of the decision frame */
    int64_t newest_us[SYMBOLS_LIMIT]; /* open of each symbol's newest candle */
    int64_t first_mono_us;
    struct engine_now now;
    struct engine_inputs inputs;
    struct engine_outputs outputs;
    int64_t moments; /* source_next calls */

    int64_t point_us; /* market time covered by one point of the curve */
    bool has_point;
    int64_t point_end_us;
    struct backtest_point point; /* the current point */
    int64_t trades;
    int unpriced; /* symbols without a start price */
    struct backtest_result result;
};

/* ---------------------------------------------------------------- what is kept for a chart */

static double *prices_of(struct backtest_result *r, int point)
{
    return &r->point_prices[point * r->symbol_count];
}

static void halve_curve(struct backtest_result *r)
{
    for (int i = 0; i < r->point_count / 2; i++) {
        double deepest = r->points[2 * i].drawdown_pct;
        r->points[i] = r->points[2 * i + 1];
        memcpy(prices_of(r, i), prices_of(r, 2 * i + 1),
               (size_t)r->symbol_count * sizeof(r->point_prices[0]));
        if (deepest > r->points[i].drawdown_pct) {
            r->points[i].drawdown_pct = deepest;
        }
    }
    r->point_count /= 2;
}

static void end_point(struct backtest *b)
{
    struct backtest_result *r = &b->result;
    if (r->point_count == BACKTEST_CURVE_MAX) {
        halve_curve(r);
        b->point_us *= 2;
    }
    double *prices = prices_of(r, r->point_count);
    for (int i = 0; i < r->symbol_count; i++) {
        prices[i] = dec_to_double(engine_price(b->engine, b->settings.symbols[i]));
    }
    r->points[r->point_count++] = b->point;
    b->has_point = false;
}

static void draw_point(struct backtest *b, int64_t at_us, struct dec equity)
{
    double peak = (double)b->result.performance.peak.e8;
    double drawdown_pct = peak > 0 ? 100 * (peak - (double)equity.e8) / peak : 0;
    if (!b->has_point) {
        b->has_point = true;
        b->point.drawdown_pct = drawdown_pct;
        /* Points end on multiples of their duration, so that merged points stay aligned. */
        b->point_end_us = (at_us + b->point_us - 1) / b->point_us * b->point_us;
    } else if (drawdown_pct > b->point.drawdown_pct) {
        b->point.drawdown_pct = drawdown_pct;
    }
    if (at_us >= b->point_end_us) {
        b->point.at_us = at_us;
        b->point.equity = dec_to_double(equity);
        end_point(b);
    }
}

static int symbol_index(const struct backtest *b, struct symbol symbol)
{
    int place = engine_place(b->engine, symbol);
    ASSERT(place >= 0);
    return place;
}

static void mark_trade(struct backtest *b, const struct trade *t)
{
    struct backtest_result *r = &b->result;
    if (b->trades++ % r->mark_every != 0) {
        return;
    }
    if (r->mark_count == BACKTEST_MARKS_MAX) {
        for (int i = 0; i < BACKTEST_MARKS_MAX / 2; i++) {
            r->marks[i] = r->marks[2 * i];
        }
        r->mark_count = BACKTEST_MARKS_MAX / 2;
        r->mark_every *= 2;
    }
    r->marks[r->mark_count++] = (struct backtest_mark){.symbol = symbol_index(b, t->symbol),
                                                       .side = t->side,
                                                       .opened_us = t->opened_us,
                                                       .closed_us = t->closed_us,
                                                       .entry_price = dec_to_double(t->entry_price),
                                                       .exit_price = dec_to_double(t->exit_price),
                                                       .pnl = dec_to_double(t->pnl)};
}

/* ---------------------------------------------------------------- a step and its results */

static void set_time(struct backtest *b, int64_t market_us)
{
    int64_t passed_us = market_us - b->result.start_us;
    b->now = (struct engine_now){.market_us = market_us,
                                 .wall_us = market_us,
                                 .mono_us = b->first_mono_us + passed_us / BACKTEST_SPEED};
}

/* The current part. */
static struct performance *part(struct backtest *b)
{
    struct backtest_result *r = &b->result;
    return !r->has_seen ? NULL : r->has_unseen ? &r->unseen : &r->seen;
}

/* The unseen part begins with the first candle that closes after the training data. */
static void begin_unseen(struct backtest *b)
{
    struct backtest_result *r = &b->result;
    if (!r->has_seen || r->has_unseen || b->now.market_us <= b->options.seen_until_us) {
        return;
    }
    r->has_unseen = true;
    performance_begin_after(&r->unseen, &r->seen);
    for (int i = 0; i < b->settings.symbol_count; i++) {
        r->unseen_prices[i] = dec_to_double(engine_price(b->engine, b->settings.symbols[i]));
    }
}

/* Passes on the decision of an entry, which names the agents that voted for it. */
static void note_entry(struct backtest *b, const struct order *order)
{
    for (int i = 0; i < b->outputs.decision_count; i++) {
        const struct decision *d = &b->outputs.decisions[i];
        if (d->id == order->decision_id) {
            performance_entry(&b->result.performance, d);
            if (part(b) != NULL) {
                performance_entry(part(b), d);
            }
        }
    }
}

static void ship(struct backtest *b)
{
    const struct engine_outputs *out = &b->outputs;
    struct venue *venue = b->venue;
    for (int i = 0; i < out->cancel_count; i++) {
        venue_cancel(venue, out->cancels[i]);
    }
    for (int i = 0; i < out->amend_count; i++) {
        venue_amend(venue, out->amends[i].client_id, out->amends[i].stop, out->amends[i].target);
    }
    for (int i = 0; i < out->send_count; i++) {
        const struct order *order = &out->orders[out->sends[i]];
        if (order->kind == ORDER_ENTRY) {
            note_entry(b, order);
        }
        venue_send(venue, order);
    }
    for (int i = 0; i < out->query_count; i++) {
        venue_query(venue, &out->queries[i]);
    }
    if (out->list) {
        venue_list(venue, out->list_id, out->list_after_funding_id);
    }
}

static void keep_trades(struct backtest *b)
{
    for (int i = 0; i < b->outputs.trade_count; i++) {
        const struct trade *t = &b->outputs.trades[i];
        performance_trade(&b->result.performance, t);
        if (part(b) != NULL) {
            bool seen = !b->result.has_unseen || t->opened_us <= b->options.seen_until_us;
            performance_trade(seen ? &b->result.seen : &b->result.unseen, t);
        }
        mark_trade(b, t);
        if (b->options.on_trade != NULL) {
            b->options.on_trade(t, b->options.userdata);
        }
    }
}

/* One step with the reports of the venue; true: another should follow at once. */
static bool step(struct backtest *b)
{
    struct engine_inputs *in = &b->inputs;
    in->report_count = 0;
    while (in->report_count < ENGINE_REPORTS_MAX &&
           venue_poll(b->venue, &in->reports[in->report_count])) {
        in->report_count++;
    }
    engine_step(b->engine, &b->now, in, &b->outputs);
    in->has_sentiment = false;
    in->bar_count = 0;
    in->quote_count = 0;
    keep_trades(b);
    ship(b);
    return venue_due_us(b->venue) == 0;
}

static void settle(struct backtest *b)
{
    for (int i = 0; i < SETTLE_STEPS_MAX && step(b); i++) {}
}

/* ---------------------------------------------------------------- candles */

static int64_t next_open_us(const struct backtest *b)
{
    int64_t next_us = source_next_us(b->options.source);
    return next_us == INT64_MAX ? INT64_MAX : next_us - b->step_us;
}

static bool is_due(const struct backtest *b, int64_t open_us)
{
    return open_us != INT64_MAX && (b->options.to_us == 0 || open_us < b->options.to_us);
}

static void report(const struct backtest *b, int64_t market_us)
{
    if (b->moments % BACKTEST_REPORT_EVERY == 0 && b->options.on_candles != NULL) {
        b->options.on_candles(market_us, b->result.candles, b->options.userdata);
    }
}

/* Skips candles older than the warm-up needs, and warms up with the rest until from_us. */
static void warm_up(struct backtest *b)
{
    struct backtest_result *r = &b->result;
    struct source_bar bars[SYMBOLS_LIMIT], closed[SYMBOLS_LIMIT];
    int64_t warm_us = b->options.from_us - BACKTEST_WARM_UP_MIN * USEC_PER_MIN;
    int64_t open_us;
    while (is_due(b, open_us = next_open_us(b)) && open_us < b->options.from_us) {
        int count = source_next(b->options.source, bars);
        if (open_us >= warm_us) {
            (void)engine_warm(b->engine, bars, count, closed);
            r->warm_up_candles += count;
        }
        b->moments++;
        report(b, open_us);
    }
}

/* The price of each symbol when trading began, if the warm-up did not provide it. */
static void note_start_prices(struct backtest *b)
{
    for (int i = 0; i < b->inputs.bar_count; i++) {
        int symbol = symbol_index(b, b->inputs.bars[i].symbol);
        if (b->result.start_prices[symbol] == 0) {
            b->result.start_prices[symbol] = dec_to_double(b->inputs.bars[i].candle.open);
            b->unpriced--;
        }
    }
}

/* Quotes are needed only for decisions. A decision is possible only when a candle completes a bar
 * of its symbol, or follows a bar that missing candles left open. */
static bool may_decide(struct backtest *b)
{
    bool may = false;
    for (int i = 0; i < b->inputs.bar_count; i++) {
        int64_t open_us = b->inputs.bars[i].candle.open_us;
        int64_t *newest_us = &b->newest_us[symbol_index(b, b->inputs.bars[i].symbol)];
        may = may || open_us / b->frame_us != *newest_us / b->frame_us ||
              (open_us + b->step_us) % b->frame_us == 0;
        *newest_us = open_us;
    }
    return may;
}

static void show_quotes(struct backtest *b)
{
    for (int i = 0; i < b->settings.symbol_count; i++) {
        if (venue_quote(b->venue, b->settings.symbols[i],
                        &b->inputs.quotes[b->inputs.quote_count])) {
            b->inputs.quote_count++;
        }
    }
}

/* What was received by now; the engine knows only the symbols of the run. */
static void tell_sentiment(struct backtest *b)
{
    struct engine_inputs *in = &b->inputs;
    if (b->options.sentiment == NULL ||
        !sentiment_history_advance(b->options.sentiment, b->now.wall_us)) {
        return;
    }
    const struct sentiment_values *now = sentiment_history_values(b->options.sentiment);
    in->has_sentiment = true;
    in->sentiment_count = 0;
    for (int i = 0; i < now->count; i++) {
        if (engine_place(b->engine, now->values[i].symbol) >= 0) {
            in->sentiments[in->sentiment_count++] = now->values[i];
        }
    }
}

static int trade(struct backtest *b, struct err *err)
{
    struct backtest_result *r = &b->result;
    for (int64_t open_us; is_due(b, open_us = next_open_us(b));) {
        b->inputs.bar_count = source_next(b->options.source, b->inputs.bars);
        if (b->inputs.bar_count == 0) {
            continue; /* shorter than the source's step */
        }
        set_time(b, open_us + b->step_us);
        begin_unseen(b);
        tell_sentiment(b);
        int rc = venue_bars(b->venue, b->inputs.bars, b->inputs.bar_count, err);
        if (rc < 0) {
            return rc;
        }
        r->candles += b->inputs.bar_count;
        r->end_us = b->now.market_us;
        if (b->unpriced > 0) {
            note_start_prices(b);
        }
        if (may_decide(b)) {
            show_quotes(b);
        }
        settle(b);

        int count;
        const struct position *positions = engine_positions(b->engine, &count);
        struct dec equity = ledger_equity(engine_state(b->engine)->cash, positions, count);
        if (dec_is_valid(equity)) {
            performance_mark(&r->performance, r->end_us, equity, count > 0);
            if (part(b) != NULL) {
                performance_mark(part(b), r->end_us, equity, count > 0);
            }
            draw_point(b, r->end_us, equity);
        }
        b->moments++;
        report(b, open_us);
    }
    return 0;
}

/* ---------------------------------------------------------------- lifecycle */

/* As in market/series.h. */
static int64_t decision_frame_us(int64_t step_us)
{
    int tf = TF_5M;
    while (tf < TF_1H && timeframe_us((enum timeframe)tf) % step_us != 0) {
        tf++;
    }
    return timeframe_us((enum timeframe)tf);
}

struct backtest *backtest_new(const struct backtest_options *options)
{
    ASSERT(options->settings->symbol_count >= 1 && options->from_us >= 0 && options->to_us >= 0);
    struct backtest *b = calloc(1, sizeof(*b));
    ASSERT(b != NULL);
    b->options = *options;
    b->settings = *options->settings;
    b->options.settings = &b->settings;
    b->step_us = source_step_us(options->source);
    b->frame_us = decision_frame_us(b->step_us);
    b->point_us = b->step_us;
    b->first_mono_us = USEC_PER_SEC; /* the engine uses zero as "never" */
    b->result.mark_every = 1;
    b->result.symbol_count = b->settings.symbol_count;
    b->result.point_prices =
        calloc(BACKTEST_CURVE_MAX * (size_t)b->settings.symbol_count, sizeof(double));
    ASSERT(b->result.point_prices != NULL);
    b->result.snapshot = snapshot_new(b->settings.symbol_count);
    b->engine = engine_new(&b->settings, b->settings.symbols, b->settings.symbol_count);
    engine_set_step(b->engine, b->step_us);
    engine_use_predictor(b->engine, options->predictor);
    b->venue = venue_new(&(struct venue_setup){.settings = options->venue,
                                               .cash = b->settings.initial_cash,
                                               .leverage = b->settings.max_leverage,
                                               .step_us = b->step_us,
                                               .symbols = b->settings.symbol_count});
    ASSERT(b->venue != NULL && venue_open(b->venue, NULL, NULL) >= 0);
    engine_set_venue(b->engine, venue_capabilities(b->venue));
    engine_inputs_init(&b->inputs, b->settings.symbol_count);
    engine_outputs_init(&b->outputs, b->settings.symbol_count);
    return b;
}

void backtest_free(struct backtest *backtest)
{
    if (backtest == NULL) {
        return;
    }
    engine_free(backtest->engine);
    venue_free(backtest->venue);
    free(backtest->result.snapshot);
    free(backtest->result.point_prices);
    engine_inputs_release(&backtest->inputs);
    engine_outputs_release(&backtest->outputs);
    free(backtest);
}

int backtest_run(struct backtest *b, struct err *err)
{
    struct backtest_result *r = &b->result;
    warm_up(b);
    r->start_us = next_open_us(b);
    if (!is_due(b, r->start_us)) {
        return b->moments == 0
                   ? err_set(err, ERR_ENGINE_BACKTEST_EMPTY, "no candle before --to")
                   : err_set(err, ERR_ENGINE_BACKTEST_EMPTY,
                             "candles at %lld moments, all before --from", (long long)b->moments);
    }
    set_time(b, r->start_us);
    engine_begin(b->engine, &b->now);
    for (int i = 0; i < b->settings.symbol_count; i++) {
        struct dec price = engine_price(b->engine, b->settings.symbols[i]);
        r->start_prices[i] = dec_to_double(price);
        b->unpriced += price.e8 <= 0;
        if (price.e8 > 0) {
            venue_watch(b->venue, b->settings.symbols[i], price);
        }
    }
    performance_init(&r->performance, b->settings.initial_cash, r->start_us);
    r->has_seen = r->start_us < b->options.seen_until_us;
    r->seen = r->performance;
    settle(b); /* the engine asks for the account's holdings before it trades */
    int rc = trade(b, err);
    if (b->has_point) {
        b->point.at_us = r->end_us;
        b->point.equity = dec_to_double(r->performance.equity);
        end_point(b);
    }
    engine_snapshot(b->engine, &b->now, r->snapshot);
    return rc;
}

const struct backtest_result *backtest_result(const struct backtest *backtest)
{
    return &backtest->result;
}
