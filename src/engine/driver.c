#include "base/check.h"
#include "base/log.h"
#include "base/trace.h"
#include "driver_private.h"
#include "journal.h"
#include "store/request_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT_US USEC_PER_MIN
/* How long a request for other capital waits for a listing: less than its deadline. */
#define CAPITAL_WAIT_US (25 * USEC_PER_SEC)
/* Further behind than this (real time), the market does not catch up: it continues from now. */
#define BEHIND_MAX_US (2 * USEC_PER_SEC)
#define KEEP_DAYS     30 /* market days; decisions without an order are deleted after them */
#define PRUNE_ROWS    500

/* ---------------------------------------------------------------- publishing */

void driver_publish_events(struct driver *d, const struct event *events, int count)
{
    shared_publish_events(d->shared, events, count);
}

void driver_publish_snapshot(struct driver *d)
{
    struct snapshot *s = d->snapshot;
    s->version++;
    s->published_wall_us = clock_wall_us(d->clock);
    s->published_mono_us = clock_mono_us(d->clock);
    s->market_speed = d->settings.market_speed;
    s->last_err = d->fault;
    (void)str_copy(str_c(d->options.venue.name), s->venue.name, sizeof(s->venue.name));
    driver_disk_snapshot(d);
    shared_publish_snapshot(d->shared, s);
}

static void set_stalled_reason(struct driver *d, const char *what)
{
    struct snapshot *s = d->snapshot;
    (void)snprintf(s->state_reason, sizeof(s->state_reason), "%s: %s cannot be written", what,
                   d->fault == ERR_ENGINE_RECORD ? "the journal" : "trading.db");
}

/* The snapshot while no step can be made: the last known account, and why the engine is stalled.
 * The kill switch takes effect at once, since nothing is opened. */
static void publish_stalled(struct driver *d)
{
    struct snapshot *s = d->snapshot;
    bool halted = shared_is_halted(d->shared);
    if (halted) {
        s->state = TRADING_EMERGENCY;
        s->verified_flat = false;
    }
    set_stalled_reason(d, halted ? "halted, closing waits" : "nothing opens or closes");
    driver_publish_snapshot(d);
}

void driver_fault(struct driver *d, enum err_id id, const struct err *cause)
{
    int64_t mono_us = clock_mono_us(d->clock);
    if (d->fault == (int)id && mono_us - d->fault_reported_mono_us < REPEAT_US) {
        return;
    }
    if (d->fault != (int)id) {
        log_err(LOG_LEVEL_ERROR, cause, err_info((int)id)->message);
    }
    d->fault = (int)id;
    d->fault_reported_mono_us = mono_us;
    struct event e = {
        .topic = TOPIC_FAULT, .code = (uint32_t)id, .id = cause->id, .at_us = d->market_us};
    driver_publish_events(d, &e, 1);
}

/* A fault that stops nothing. */
void driver_notify(struct driver *d, enum err_id id, const struct err *cause)
{
    log_err(LOG_LEVEL_WARNING, cause, err_info((int)id)->message);
    struct event e = {
        .topic = TOPIC_FAULT, .code = (uint32_t)id, .id = cause->id, .at_us = d->market_us};
    driver_publish_events(d, &e, 1);
}

void driver_fault_over(struct driver *d)
{
    if (d->fault != 0) {
        LOG(NOTICE, "%s: resolved", err_info(d->fault)->code);
        d->fault = 0;
    }
}

/* ---------------------------------------------------------------- a round */

static int64_t market_now(const struct driver *d)
{
    if (source_is_live(d->own)) {
        return source_now_us(d->own);
    }
    int64_t passed_us = clock_mono_us(d->clock) - d->anchor_mono_us;
    return d->anchor_market_us + passed_us * d->settings.market_speed;
}

static void anchor(struct driver *d, int64_t market_us)
{
    d->anchor_market_us = market_us;
    d->anchor_mono_us = clock_mono_us(d->clock);
}

static void accept_settings(struct driver *d)
{
    bool fresh = false;
    const struct settings *received = mailbox_latest(d->shared->settings, &fresh);
    d->inputs.settings = NULL;
    if (!fresh) {
        return;
    }
    struct settings next = *received;
    ASSERT(next.market_speed >= 1 && next.threshold > 0 && next.stop_pct > 0 &&
           next.max_positions >= 0);
    /* Whatever sizes the engine or its market takes effect at the next start. */
    next.symbol_count = d->settings.symbol_count;
    memcpy(next.symbols, d->settings.symbols, sizeof(next.symbols));
    next.market_source = d->settings.market_source;
    next.market_file_count = d->settings.market_file_count;
    memcpy(next.market_files, d->settings.market_files, sizeof(next.market_files));
    memcpy(next.model, d->settings.model, sizeof(next.model));
    next.initial_cash = d->settings.initial_cash;
    if (d->settings.market_source == MARKET_LIVE) {
        next.market_speed = 1; /* the market's, which goes on without us */
    }
    if (next.market_speed != d->settings.market_speed) {
        anchor(d, market_now(d));
    }
    d->settings = next;
    if (d->venue != NULL) {
        venue_set_leverage(d->venue, next.max_leverage);
    }
    d->inputs.settings = &d->settings;
}

static void accept_sentiment(struct driver *d)
{
    const struct sentiment_values *received =
        mailbox_latest(d->shared->sentiment, &d->inputs.has_sentiment);
    int most = capacity_symbols(d->symbol_count);
    d->inputs.sentiment_count = 0;
    if (d->inputs.has_sentiment) {
        d->inputs.sentiment_count = received->count < most ? received->count : most;
        memcpy(d->inputs.sentiments, received->values,
               (size_t)d->inputs.sentiment_count * sizeof(d->inputs.sentiments[0]));
    }
}

static void answer(struct driver *d, int err, int64_t at_us)
{
    struct event e = {.topic = TOPIC_REPLY,
                      .code = (uint32_t)(err < 0 ? -err : err),
                      .at_us = at_us,
                      .id = d->request.id,
                      .symbol = d->request.symbol};
    driver_publish_events(d, &e, 1);
}

/* While behind, a request whose effect must survive a crash is refused, and an answered one waits
 * in the backlog. When the backlog accepts no more, the market and the kill switch still work. */
static bool is_answered_behind(struct driver *d)
{
    const struct journal_request *done = backlog_request(d->backlog, d->request.id);
    if (done != NULL) {
        if (done->answered) {
            answer(d, done->err, done->at_us);
        }
        return true;
    }
    if ((d->behind && !driver_request_works_behind(d->request.kind)) ||
        !backlog_accepts(d->backlog, d->request.kind)) {
        answer(d, ERR_ENGINE_DISK, d->market_us);
        return true;
    }
    return false;
}

/* Changes the capital at the venue, before the step that books it. While the account's cash is not
 * known, the request waits for a listing, and others go on: 1. */
static int set_capital(struct driver *d, struct err *err)
{
    struct dec surplus = DEC_ZERO;
    const struct dec capital = {d->request.number};
    int why = engine_check_capital(d->engine, capital, &surplus);
    int64_t now_us = clock_mono_us(d->clock);
    if (d->waiting.id != d->request.id && !d->has_waiting) {
        d->waiting = d->request;
        d->waits_until_us = now_us + CAPITAL_WAIT_US;
    }
    if (why == ERR_VENUE_CAPITAL && d->waiting.id == d->request.id && now_us < d->waits_until_us) {
        d->has_waiting = true;
        return 1;
    }
    return why != ERR_NONE ? err_set(err, (enum err_id)why, "%s", d->options.venue.name)
                           : venue_set_capital(d->own_venue, capital, surplus, err);
}

static bool take_request(struct driver *d)
{
    if (d->request_pending || driver_guard_request(d) ||
        ring_pop(d->shared->requests, &d->request)) {
        return true;
    }
    if (d->has_waiting) {
        d->request = d->waiting;
        d->has_waiting = false;
        return true;
    }
    return false;
}

/* One request per round. A request that is on disk was done before: it is answered again, not done
 * again. One that is too old is answered and reaches no step. While the database cannot be read the
 * request waits, so that a brief failure does not lose a stop. */
static void accept_request(struct driver *d)
{
    d->inputs.request = NULL;
    if (!take_request(d) || is_answered_behind(d)) {
        d->request_pending = false;
        return;
    }
    struct request_result result = {0};
    struct err err = {0};
    int waits = 0;
    d->request_pending = request_table_result(d->store, d->request.id, &result, &err) < 0;
    if (d->request_pending) {
        driver_fault(d, ERR_ENGINE_JOURNAL, &err);
    } else if (result.found) {
        answer(d, result.err_id, result.at_us);
    } else if (d->request.deadline_mono_us != 0 &&
               clock_mono_us(d->clock) > d->request.deadline_mono_us) {
        answer(d, ERR_ENGINE_EXPIRED, d->market_us);
    } else if (d->request.kind == REQUEST_RECONNECT && source_reconnect(d->own, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "cannot connect to the market again");
        answer(d, err.id, d->market_us);
    } else if (d->request.kind == REQUEST_GO_LIVE && venue_allow(d->own_venue, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "cannot trade with real money");
        answer(d, err.id, d->market_us);
    } else if (d->request.kind == REQUEST_CAPITAL && (waits = set_capital(d, &err)) != 0) {
        if (waits < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "cannot change the capital");
            answer(d, err.id, d->market_us);
        }
    } else {
        d->inputs.request = &d->request;
    }
}

/* The venue trades on the minute that was due. A bar of any other time comes from a faulty feed;
 * the engine refuses and counts it. */
static int show_venue(struct driver *d, struct err *err)
{
    struct source_bar shown[SYMBOLS_LIMIT];
    int count = 0;
    for (int i = 0; i < d->inputs.bar_count; i++) {
        if (d->inputs.bars[i].candle.open_us == d->minute_us) {
            shown[count++] = d->inputs.bars[i];
        }
    }
    return venue_bars(d->own_venue, shown, count, err);
}

/* Not the driver's clock: durations are only reported, no decision depends on them. */
int64_t driver_nanoseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Reads the minute that is due and shows it to the venue first. False: the venue can buffer no
 * more, so the minute waits. */
static bool load_minute(struct driver *d)
{
    int64_t due_us = source_next_us(d->source);
    if (!d->minute_pending) {
        d->inputs.bar_count = 0;
        d->inputs.late = source_is_late(d->own);
        int64_t now_us = market_now(d);
        if (now_us < due_us) {
            /* Without candles nothing is known of the market; it goes on from where it was. */
            bool lost = d->inputs.late || source_fault(d->own) != NULL;
            d->market_us = now_us > d->market_us && !lost ? now_us : d->market_us;
            return true;
        }
        if (!source_is_live(d->own) && now_us - due_us > BEHIND_MAX_US * d->settings.market_speed) {
            anchor(d, due_us);
        }
        d->minute_read_ns = driver_nanoseconds();
        driver_trace_minute(d);
        d->minute_us = due_us - source_step_us(d->source);
        d->inputs.bar_count = source_next(d->source, d->inputs.bars);
        d->minute_pending = true;
        /* The step gets the time at which the minute is complete, however late it runs: decisions
         * do not depend on the load of this machine. */
        d->market_us = due_us > d->market_us ? due_us : d->market_us;
    }
    struct err err = {0};
    if (show_venue(d, &err) < 0) {
        driver_fault(d, ERR_VENUE_DISK, &err);
        return false;
    }
    return true;
}

/* An entry that the disk delayed for long, or that the kill switch overtook, is not sent: the
 * market has moved since its decision. For the engine it is like an order lost on the way: it asks,
 * the venue does not know the order, and it is cancelled. */
static bool is_outdated(const struct driver *d, const struct order *order)
{
    return order->kind == ORDER_ENTRY &&
           (shared_is_halted(d->shared) ||
            clock_mono_us(d->clock) - d->now.mono_us >= ENGINE_ANSWER_US);
}

/* What became of the orders that a command caused, for the log of its run. */
static void log_orders(const struct engine_outputs *out)
{
    for (int i = 0; i < out->order_count; i++) {
        const struct order *o = &out->orders[i];
        if (o->run_id != 0) {
            TRACE_RUN(o->run_id);
            char qty[DEC_TEXT_SIZE], filled[DEC_TEXT_SIZE];
            LOG_FIELDS(INFO, "an order of a command changed", {"ORDER", o->client_id},
                       {"SYMBOL", o->symbol.name}, {"KIND", order_kind_name(o->kind)},
                       {"STATE", order_state_name(o->state)}, {"QTY", dec_text(o->qty, qty)},
                       {"FILLED", dec_text(o->filled_qty, filled)}, {"REASON", o->reason});
        }
    }
}

/* written: all outputs are in trading.db. Otherwise only those are shipped that need no row there
 * or that are in the reserve. */
static void ship(struct driver *d, bool written)
{
    const struct engine_outputs *out = &d->outputs;
    log_orders(out);
    for (int i = 0; i < out->cancel_count; i++) {
        venue_cancel(d->venue, out->cancels[i]);
    }
    for (int i = 0; i < out->amend_count; i++) {
        const struct engine_amend *a = &out->amends[i];
        /* Without its row in trading.db, a restart would restore the old bracket. */
        if (written || !backlog_has_order(d->backlog, a->client_id)) {
            venue_amend(d->venue, a->client_id, a->stop, a->target);
        }
    }
    for (int i = 0; i < out->send_count; i++) {
        const struct order *order = &out->orders[out->sends[i]];
        if (written ? !is_outdated(d, order) : d->reserved && order->kind != ORDER_ENTRY) {
            venue_send(d->venue, order);
            venue_clock_sent(&d->venue_clock, order->client_id, driver_nanoseconds(), d->work);
        }
    }
    for (int i = 0; i < out->query_count; i++) {
        venue_query(d->venue, &out->queries[i]);
    }
    if (out->list && out->list_doubts) {
        venue_doubt(d->venue);
    }
    if (out->list) {
        venue_list(d->venue, out->list_id, out->list_after_funding_id);
    }
    if (out->clear_halt && (written || d->reserved)) {
        shared_halt_clear(d->shared, d->halt_seen);
    }
}

/* Writes the outputs, then ships them. False: retry with the same outputs. */
static bool settle(struct driver *d)
{
    bool written = false;
    TRACE_WORK(d->work);
    d->uncommitted = true;
    if (d->outputs.send_count > 0) {
        venue_expect(d->venue, d->outputs.orders[d->outputs.sends[0]].symbol);
    }
    if (d->behind || !backlog_is_empty(d->backlog)) {
        driver_defer(d);
    }
    if (!d->behind && driver_may_defer(d)) {
        driver_defer(d);
        written = true; /* nobody waits for these outputs */
    } else if (!d->behind) {
        written = driver_write(d);
    }
    if (!written && !driver_continue(d)) {
        return false;
    }
    d->uncommitted = false;
    ship(d, written);
    driver_trace_shipped(d);
    return true;
}

/* After everything urgent is shipped: the disk may be slow, and a failure stops nothing. */
static void export_state(struct driver *d)
{
    if (d->recorder == NULL || !d->outputs.write || d->behind) {
        return;
    }
    struct state_file next = d->exported;
    struct err err = {0};
    state_file_of(&next, d->engine, d->own_venue->ops->name, clock_wall_us(d->clock));
    if (!d->outputs.equity_point && !state_file_differs(&next, &d->exported)) {
        return;
    }
    if (state_file_write(&next, d->state_dir, &err) >= 0) {
        d->exported = next;
        d->export_failed = false;
        return;
    }
    if (!d->export_failed || d->outputs.equity_point) {
        driver_notify(d, ERR_STATE_FILE_EXPORT, &err);
    }
    d->export_failed = true;
}

static void prune_history(struct driver *d)
{
    if (!d->outputs.equity_point || d->behind) {
        return;
    }
    int64_t deleted = 0;
    struct err err = {0};
    int64_t before_us = d->market_us - KEEP_DAYS * USEC_PER_DAY;
    if (trading_store_prune(d->store, before_us, PRUNE_ROWS, &deleted, &err) < 0) {
        LOG(DEBUG, "cannot delete old history now: %s", err.context); /* retried in the next hour */
    }
}

/* ops raises the alert, and resolves it. */
static void report_feed(struct driver *d)
{
    struct snapshot *s = d->snapshot;
    const struct err *why = source_fault(d->own);
    int before = s->feed_err;
    s->feed_err = why == NULL ? 0 : why->id;
    s->feed_reconnects = source_can_reconnect(d->own);
    (void)snprintf(s->feed_reason, sizeof(s->feed_reason), "%s", why == NULL ? "" : why->context);
    if (why != NULL && before == 0) {
        log_err(LOG_LEVEL_ERROR, why, "candles have stopped");
    } else if (why == NULL && before != 0) {
        LOG(NOTICE, "candles come again");
    }
}

static void report_top(struct driver *d, struct snapshot_market *m)
{
    struct quote quote;
    if (live_market_quote(d->options.market, m->symbol, &quote)) {
        m->bid = quote.bid;
        m->ask = quote.ask;
    }
    if (!live_market_depth(d->options.market, m->symbol, &m->bid_depth, &m->ask_depth)) {
        m->bid_depth = m->ask_depth = DEC_ZERO;
    }
}

static void report_stream(struct driver *d)
{
    if (d->options.market != NULL) {
        const struct market_feed_status *m = live_market_status(d->options.market);
        d->snapshot->stream = (struct snapshot_stream){.up = m->up,
                                                       .late = source_is_late(d->own),
                                                       .connections = m->connections,
                                                       .lost = m->gaps,
                                                       .filled = m->filled,
                                                       .late_candles = m->late,
                                                       .refused = m->refused,
                                                       .books = m->books,
                                                       .books_lost = m->books_lost};
        (void)str_copy(str_c(m->venue), d->snapshot->stream.venue,
                       sizeof(d->snapshot->stream.venue));
        for (int i = 0; i < d->snapshot->market_count; i++) {
            report_top(d, &d->snapshot->markets[i]);
        }
    }
}

/* Updates the source's counters in the snapshot, and logs once that the market has ended. */
static void report_source(struct driver *d)
{
    d->snapshot->source_refused = 0;
    d->snapshot->source_duplicates = 0;
    for (int i = 0; i < d->files.count; i++) {
        struct csv_source_report r = csv_source_report(&d->files, i);
        d->snapshot->source_refused += (uint64_t)(r.rows->refused + r.rows->unfit);
        d->snapshot->source_duplicates += (uint64_t)r.rows->duplicates;
    }
    d->snapshot->market_ended = source_next_us(d->source) == INT64_MAX;
    report_feed(d);
    report_stream(d);
    bool over = d->snapshot->market_ended && d->snapshot->feed_err == 0;
    if (!over || d->ended) {
        d->ended = over;
        return;
    }
    d->ended = true;
    for (int i = 0; i < d->files.count; i++) {
        struct csv_source_report r = csv_source_report(&d->files, i);
        LOG(NOTICE,
            "end of the candles of %s: %lld accepted, %lld missing in between, %lld duplicates, "
            "%lld refused, %lld off the step, %lld that do not fit steps of 1e-8",
            r.symbol.name, (long long)(r.rows->accepted - r.rows->unfit), (long long)r.missing,
            (long long)r.rows->duplicates,
            (long long)(r.rows->refused - r.rows->faults[CSV_FAULT_GRID]),
            (long long)r.rows->faults[CSV_FAULT_GRID], (long long)r.rows->unfit);
    }
    d->reminded_mono_us = 0; /* at once */
}

/* Repeats lasting faults: an alert that is not renewed would resolve. */
static void remind(struct driver *d)
{
    int64_t mono_us = clock_mono_us(d->clock);
    if (d->reminded_mono_us != 0 && mono_us - d->reminded_mono_us < REPEAT_US) {
        return;
    }
    struct event events[3];
    int count = 0;
    if (d->guard_err != 0) {
        events[count++] = (struct event){.topic = TOPIC_FAULT,
                                         .code = (uint32_t)d->guard_err,
                                         .id = d->guard_err,
                                         .at_us = d->market_us};
    }
    if (d->ended) {
        events[count++] =
            (struct event){.topic = TOPIC_FAULT, .code = ERR_MARKET_ENDED, .at_us = d->market_us};
    }
    if (d->model_err != 0) {
        events[count++] = (struct event){.topic = TOPIC_FAULT,
                                         .code = ERR_ENGINE_MODEL,
                                         .id = d->model_err,
                                         .at_us = d->market_us};
    }
    d->reminded_mono_us = count > 0 ? mono_us : 0;
    driver_publish_events(d, events, count);
}

void driver_beat(struct driver *d)
{
    atomic_store(&d->shared->engine_beat_mono_us, clock_mono_us(d->clock));
}

/* Until the market's next minute, or until the venue has a report. */
static int64_t until_next(const struct driver *d)
{
    int64_t left_us = (source_next_us(d->source) - market_now(d)) / d->settings.market_speed;
    int64_t due_us = venue_due_us(d->venue);
    if (due_us != INT64_MAX && due_us - clock_mono_us(d->clock) < left_us) {
        left_us = due_us - clock_mono_us(d->clock);
    }
    return left_us < 0 ? 0 : left_us < DRIVER_ROUND_US ? left_us : DRIVER_ROUND_US;
}

/* Quotes for a step that may decide: of the market itself, if they are known. */
static void load_quotes(struct driver *d)
{
    d->inputs.quote_count = 0;
    for (int i = 0; i < d->symbol_count && d->inputs.bar_count > 0; i++) {
        struct quote *quote = &d->inputs.quotes[d->inputs.quote_count];
        d->inputs.quote_count += (d->options.market != NULL &&
                                  live_market_quote(d->options.market, d->symbols[i], quote)) ||
                                 venue_quote(d->venue, d->symbols[i], quote);
    }
}

/* Runs the engine on the gathered inputs, then writes and ships its outputs. */
static bool step(struct driver *d)
{
    d->now = (struct engine_now){.market_us = d->market_us,
                                 .wall_us = clock_wall_us(d->clock),
                                 .mono_us = clock_mono_us(d->clock)};
    d->halt_seen = shared_halt_generation(d->shared);
    d->inputs.halt = shared_is_halted(d->shared);
    d->inputs.halt_run_id = d->inputs.halt ? atomic_load(&d->shared->halt_run_id) : 0;
    d->inputs.disk = driver_disk(d);
    load_quotes(d);
    int64_t before_ns = driver_nanoseconds();
    engine_step(d->engine, &d->now, &d->inputs, &d->outputs);
    int64_t took_ns = driver_nanoseconds() - before_ns;
    percentile_push(&d->durations, took_ns);
    driver_trace_step(d, before_ns, before_ns + took_ns);
    d->minute_pending = false;
    d->deferred = false;
    driver_record(d);
    return settle(d);
}

/* While behind, an answer is published only once its effect survives a crash; otherwise
 * driver_write publishes it. */
static void publish_outputs(struct driver *d)
{
    struct engine_outputs *out = &d->outputs;
    const struct journal_request *r =
        d->behind && out->has_request ? backlog_request(d->backlog, out->request.id) : NULL;
    int kept = 0;
    for (int i = 0; i < out->event_count; i++) {
        if (r == NULL || r->answered || out->events[i].topic != TOPIC_REPLY) {
            out->events[kept++] = out->events[i];
        }
    }
    driver_publish_events(d, out->events, kept);
}

static void finish(struct driver *d)
{
    if (!d->behind && !d->request_pending) {
        driver_fault_over(d);
    }
    engine_snapshot(d->engine, &d->now, d->snapshot);
    if (d->behind && d->snapshot->state == TRADING_ACTIVE) {
        set_stalled_reason(d, "nothing opens");
    }
    d->snapshot->step_p99_ns = percentile_p99(&d->durations);
    report_source(d);
    driver_publish_snapshot(d);
    /* After the snapshot, so that an event's reader finds the state that the event announces. */
    publish_outputs(d);
    remind(d);
    export_state(d);
    prune_history(d);
}

int64_t driver_round(struct driver *d)
{
    driver_beat(d);
    if (d->engine == NULL && !driver_open_try(d)) {
        return DRIVER_ROUND_US;
    }
    if (d->options.market != NULL) {
        (void)live_market_status(d->options.market); /* takes what the feed has published */
    }
    driver_guard_check(d);
    driver_open_reserve(d);
    if (d->uncommitted) {
        if (!settle(d)) {
            publish_stalled(d);
            return DRIVER_ROUND_US;
        }
        finish(d);
        return until_next(d);
    }
    driver_catch_up(d);
    if (!backlog_has_capacity(d->backlog) || !load_minute(d)) {
        publish_stalled(d);
        return DRIVER_ROUND_US;
    }
    accept_request(d);
    accept_settings(d);
    accept_sentiment(d);
    d->inputs.report_count = 0;
    while (d->inputs.report_count < ENGINE_REPORTS_MAX &&
           venue_poll(d->venue, &d->inputs.reports[d->inputs.report_count])) {
        driver_trace_reported(d, &d->inputs.reports[d->inputs.report_count]);
        d->inputs.report_count++;
    }
    if (!step(d)) {
        publish_stalled(d);
        return DRIVER_ROUND_US;
    }
    finish(d);
    return ring_len(d->shared->requests) > 0 ? 0 : until_next(d);
}

int driver_fd(const struct driver *driver)
{
    return driver->venue == NULL ? -1 : venue_fd(driver->venue);
}

/* ---------------------------------------------------------------- lifecycle */

int driver_check_market(const struct settings *settings, int64_t *ret_step_us, struct err *err)
{
    *ret_step_us = timeframe_us(TF_1M); /* of the simulated market */
    if (settings->market_source != MARKET_CSV) {
        return 0;
    }
    struct csv_source files = {0};
    int rc = driver_open_files(settings, &files, err);
    if (rc >= 0) {
        *ret_step_us = source_step_us(&files.source);
    }
    csv_source_release(&files);
    return rc;
}

/* The configuration may be replaced while the driver runs. */
static void keep_paths(struct driver *d)
{
    for (int i = 0; i < d->settings.market_file_count; i++) {
        d->settings.market_files[i].path = strdup(d->settings.market_files[i].path);
        ASSERT(d->settings.market_files[i].path != NULL);
    }
}

struct driver *driver_new(const struct driver_options *options, struct shared *shared)
{
    ASSERT(options->settings.symbol_count >= 1 &&
           options->settings.symbol_count <= shared->symbols &&
           options->settings.market_speed >= 1);
    struct driver *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    d->options = *options;
    d->settings = options->settings;
    keep_paths(d);
    d->shared = shared;
    d->clock = options->clock == NULL ? clock_real() : options->clock;
    d->state_dir = strdup(options->state_dir == NULL ? "" : options->state_dir);
    ASSERT(d->state_dir != NULL);
    d->backlog = backlog_new(shared->symbols);
    d->snapshot = snapshot_new(shared->symbols);
    d->snapshot->books_balance = true; /* until the first check */
    d->snapshot->started_wall_us = clock_wall_us(d->clock);
    d->snapshot->started_mono_us = clock_mono_us(d->clock);
    return d;
}

void driver_free(struct driver *driver)
{
    if (driver == NULL) {
        return;
    }
    driver_open_undo(driver);
    predictor_free(driver->predictor);
    backlog_free(driver->backlog);
    for (int i = 0; i < driver->settings.market_file_count; i++) {
        free((char *)(uintptr_t)driver->settings.market_files[i].path);
    }
    free(driver->snapshot);
    free(driver->state_dir);
    free(driver);
}

const struct snapshot *driver_snapshot(const struct driver *driver)
{
    return driver->snapshot;
}

const struct engine *driver_engine(const struct driver *driver)
{
    return driver->engine;
}

struct venue *driver_venue(const struct driver *driver)
{
    return driver->own_venue;
}
