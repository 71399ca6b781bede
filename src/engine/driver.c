#include "engine/driver.h"

#include "base/check.h"
#include "base/log.h"
#include "journal.h"
#include "market/simulated.h"
#include "percentile.h"
#include "store/request_table.h"

#include <stdio.h>
#include <stdlib.h>

#define RETRY_US     USEC_PER_SEC
#define SAY_AGAIN_US USEC_PER_MIN
/* Further behind than this (real time), the market does not run after us: it goes on from now. */
#define BEHIND_MAX_US (2 * USEC_PER_SEC)
#define KEEP_DAYS     30 /* market days of decisions that led to nothing */
#define PRUNE_ROWS    500
/* Five-minute bars of the warm-up that are kept for charts. */
#define HISTORY_MAX (DRIVER_WARM_UP_MIN / 5 * SYMBOLS_MAX)

struct driver {
    struct driver_options options;
    char *state_dir;
    struct settings settings;
    struct crossing *crossing;
    struct clock *clock;

    struct trading_store *store; /* NULL: not open */
    bool owns_store;
    struct engine *engine; /* NULL: not recovered yet */
    struct simulated market;
    struct source *source;
    struct paper paper;
    struct venue *venue;

    /* The market's clock against ours. */
    int64_t anchor_mono_us;
    int64_t anchor_market_us;
    int64_t market_us;

    bool holds_request; /* in request: taken from the ring, not stepped yet */
    bool holds_minute;  /* in inputs.bars: taken from the source, not stepped yet */
    int64_t minute_us;  /* its open, as the source promised it */
    bool uncommitted;   /* outputs wait for the disk */
    struct engine_now now;
    struct engine_inputs inputs;
    struct request request;
    struct engine_outputs outputs;

    int trouble; /* err id that stands; 0 none */
    int64_t trouble_said_mono_us;
    int64_t retry_mono_us;
    struct percentile durations;
    struct snapshot snapshot;
};

/* ---------------------------------------------------------------- telling */

static void publish_events(struct driver *d, const struct event *events, int count)
{
    if (count == 0) {
        return;
    }
    bus_publish(d->crossing->bus, (const void *)events, (size_t)count);
    uint64_t one = 1;
    /* A counter that is full wakes the reader just as well. */
    (void)!write(d->crossing->events_fd, &one, sizeof(one));
}

static void publish_snapshot(struct driver *d)
{
    struct snapshot *s = &d->snapshot;
    s->version++;
    s->published_wall_us = clock_wall_us(d->clock);
    s->market_speed = d->settings.market_speed;
    s->last_err = d->trouble;
    struct mailbox *const readers[] = {d->crossing->snapshot, d->crossing->snapshot_socket,
                                       d->crossing->snapshot_http};
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        memcpy(mailbox_draft(readers[i]), s, sizeof(*s));
        mailbox_publish(readers[i]);
    }
}

/* What people see while nothing can be written, and so nothing can be sent: the account as it was,
 * and why it stands. The kill switch works at once even so: nothing is opened. */
static void publish_stalled(struct driver *d)
{
    struct snapshot *s = &d->snapshot;
    bool halted = atomic_load(&d->crossing->halt);
    if (halted) {
        s->state = TRADING_EMERGENCY;
        s->verified_flat = false;
    }
    (void)snprintf(s->state_reason, sizeof(s->state_reason), "%s: trading.db cannot be written",
                   halted ? "halted, closing waits" : "nothing opens or closes");
    publish_snapshot(d);
}

/* Something that lasts: said when it begins and each minute, logged when it begins. */
static void trouble(struct driver *d, enum err_id id, const struct err *cause)
{
    int64_t mono_us = clock_mono_us(d->clock);
    if (d->trouble == (int)id && mono_us - d->trouble_said_mono_us < SAY_AGAIN_US) {
        return;
    }
    if (d->trouble != (int)id) {
        log_err(LOG_LEVEL_ERROR, cause, err_info((int)id)->message);
    }
    d->trouble = (int)id;
    d->trouble_said_mono_us = mono_us;
    struct event e = {
        .topic = TOPIC_TROUBLE, .code = (uint32_t)id, .id = cause->id, .at_us = d->market_us};
    publish_events(d, &e, 1);
}

static void trouble_over(struct driver *d)
{
    if (d->trouble != 0) {
        LOG(NOTICE, "%s: over", err_info(d->trouble)->code);
        d->trouble = 0;
    }
}

/* ---------------------------------------------------------------- opening */

static void close_all(struct driver *d)
{
    engine_free(d->engine);
    d->engine = NULL;
    if (d->owns_store) {
        trading_store_free(d->store);
    }
    d->store = NULL;
}

static void add_symbol(struct symbol *symbols, int *count, struct symbol symbol)
{
    for (int i = 0; i < *count; i++) {
        if (symbol_equal(symbols[i], symbol)) {
            return;
        }
    }
    if (*count < SYMBOLS_MAX) {
        symbols[(*count)++] = symbol;
    }
}

static void make_market(struct driver *d, const struct symbol *symbols, int count, int64_t start_us)
{
    uint64_t seed = d->settings.seed != 0 ? d->settings.seed : (uint64_t)clock_wall_us(d->clock);
    simulated_init(&d->market, seed, symbols, count, start_us);
    d->source = d->options.wrap_source == NULL
                    ? &d->market.source
                    : d->options.wrap_source(&d->market.source, d->options.userdata);
}

static int first_start(struct driver *d, struct err *err)
{
    struct engine_now now = {.wall_us = clock_wall_us(d->clock),
                             .mono_us = clock_mono_us(d->clock)};
    now.market_us = now.wall_us - now.wall_us % timeframe_us(TF_1H);
    make_market(d, d->settings.symbols, d->settings.symbol_count,
                now.market_us - DRIVER_WARM_UP_MIN * USEC_PER_MIN);
    d->engine = engine_new(&d->settings, d->settings.symbols, d->settings.symbol_count);
    engine_begin(d->engine, &now);

    AUTO_FREE struct source_bar *history = calloc(HISTORY_MAX, sizeof(*history));
    ASSERT(history != NULL);
    int kept = 0;
    for (int minute = 0; minute < DRIVER_WARM_UP_MIN; minute++) {
        struct source_bar bars[SYMBOLS_MAX];
        int count = source_take(&d->market.source, bars);
        kept += engine_warm(d->engine, bars, count, &history[kept]);
    }
    d->market_us = now.market_us;
    return journal_begin(d->store, d->engine, &d->market.source, history, kept, err);
}

static int later_start(struct driver *d, const struct engine_memory *memory, struct err *err)
{
    struct symbol symbols[SYMBOLS_MAX];
    int count = 0;
    for (int i = 0; i < d->settings.symbol_count; i++) {
        add_symbol(symbols, &count, d->settings.symbols[i]);
    }
    /* What is no longer traded is still watched while it is held. */
    for (int i = 0; i < memory->position_count; i++) {
        add_symbol(symbols, &count, memory->positions[i].symbol);
    }
    for (int i = 0; i < memory->order_count; i++) {
        add_symbol(symbols, &count, memory->orders[i].symbol);
    }
    /* The venue's account was opened with what the books were, whatever is configured by now. */
    d->settings.initial_cash = memory->state.initial_cash;
    paper_init(&d->paper, &d->settings);
    make_market(d, symbols, count, memory->state.market_us);
    d->engine = engine_new(&d->settings, symbols, count);
    engine_restore(d->engine, memory);
    int rc = journal_load_market(d->store, d->engine, &d->market.source, err);
    if (rc == -ERR_MARKET_SAVED || rc == -ERR_STORE_NOT_FOUND) {
        log_err(LOG_LEVEL_WARNING, err, "the market starts afresh");
        rc = 0;
    }
    d->market_us = memory->state.market_us;
    return rc;
}

static int recover(struct driver *d, struct err *err)
{
    AUTO_FREE struct engine_memory *memory = malloc(sizeof(*memory));
    ASSERT(memory != NULL);
    int rc = journal_load(d->store, memory, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        rc = first_start(d, err);
    } else if (rc >= 0) {
        rc = later_start(d, memory, err);
    }
    if (rc >= 0) {
        rc = paper_open(&d->paper, d->store, err);
    }
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < d->market.state.symbol_count; i++) {
        struct symbol symbol = d->market.state.symbols[i].symbol;
        paper_quote(&d->paper, symbol, engine_price(d->engine, symbol));
    }
    d->anchor_market_us = d->market_us;
    d->anchor_mono_us = clock_mono_us(d->clock);
    d->holds_minute = false;
    d->uncommitted = false;
    d->inputs.bar_count = 0;
    return 0;
}

static bool try_open(struct driver *d)
{
    int64_t mono_us = clock_mono_us(d->clock);
    if (d->retry_mono_us != 0 && mono_us < d->retry_mono_us) {
        return false;
    }
    d->retry_mono_us = mono_us + RETRY_US;
    struct err err = {0};
    int rc = 0;
    if (d->options.store != NULL) {
        d->store = d->options.store;
    } else {
        rc = trading_store_open(d->state_dir, TRADING_STORE_WRITE, &d->store, &err);
        d->owns_store = rc >= 0;
    }
    if (rc >= 0) {
        rc = recover(d, &err);
    }
    if (rc >= 0) {
        d->retry_mono_us = 0;
        trouble_over(d);
        /* What was recovered can be seen even when the first commit has to wait. */
        struct engine_now now = {
            .market_us = d->market_us, .wall_us = clock_wall_us(d->clock), .mono_us = mono_us};
        engine_snapshot(d->engine, &now, &d->snapshot);
        return true;
    }
    close_all(d);
    trouble(d, ERR_ENGINE_STORE, &err);
    d->snapshot.state = TRADING_STARTING;
    (void)snprintf(d->snapshot.state_reason, sizeof(d->snapshot.state_reason), "trading.db: %.50s",
                   err_info(err.id)->message);
    d->snapshot.initial_cash = d->settings.initial_cash;
    publish_snapshot(d);
    return false;
}

/* ---------------------------------------------------------------- a round */

static int64_t market_now(const struct driver *d)
{
    int64_t passed_us = clock_mono_us(d->clock) - d->anchor_mono_us;
    return d->anchor_market_us + passed_us * d->settings.market_speed;
}

static void anchor(struct driver *d, int64_t market_us)
{
    d->anchor_market_us = market_us;
    d->anchor_mono_us = clock_mono_us(d->clock);
}

static void take_settings(struct driver *d)
{
    bool fresh = false;
    const struct settings *told = mailbox_latest(d->crossing->settings, &fresh);
    d->inputs.settings = NULL;
    if (!fresh) {
        return;
    }
    struct settings next = *told;
    ASSERT(next.market_speed >= 1 && next.threshold > 0 && next.stop_pct > 0 &&
           next.max_positions >= 0);
    /* What is traded is sized at the start; a change of it waits for the next one. */
    next.symbol_count = d->settings.symbol_count;
    memcpy(next.symbols, d->settings.symbols, sizeof(next.symbols));
    next.initial_cash = d->settings.initial_cash;
    if (next.market_speed != d->settings.market_speed) {
        anchor(d, market_now(d));
    }
    d->settings = next;
    paper_set_costs(&d->paper, &next);
    d->inputs.settings = &d->settings;
}

/* One request a round. One that is on disk was done before: it is answered again, not done again.
 * False: the database could not tell. */
static bool take_request(struct driver *d)
{
    d->inputs.request = NULL;
    if (!d->holds_request && !ring_pop(d->crossing->requests, &d->request)) {
        return true;
    }
    struct request_result result = {0};
    struct err err = {0};
    int rc = request_table_result(d->store, d->request.id, &result, &err);
    d->holds_request = rc < 0; /* a stop must not get lost for a moment's trouble */
    if (rc < 0) {
        trouble(d, ERR_ENGINE_JOURNAL, &err);
        return false;
    }
    if (!result.found) {
        d->inputs.request = &d->request;
        return true;
    }
    struct event e = {.topic = TOPIC_REPLY,
                      .code = (uint32_t)(result.err_id < 0 ? -result.err_id : result.err_id),
                      .at_us = result.at_us,
                      .id = d->request.id,
                      .symbol = d->request.symbol};
    publish_events(d, &e, 1);
    return true;
}

/* The venue trades on the minute that was due; a bar of any other time is a faulty feed, which the
 * engine refuses and counts. */
static int show_venue(struct driver *d, struct err *err)
{
    struct source_bar shown[SYMBOLS_MAX];
    int count = 0;
    for (int i = 0; i < d->inputs.bar_count; i++) {
        if (d->inputs.bars[i].candle.open_us == d->minute_us) {
            shown[count++] = d->inputs.bars[i];
        }
    }
    return paper_minute(&d->paper, shown, count, err);
}

/* The minute that is due, shown to the venue first. False: the venue could not write its book, so
 * the minute waits. */
static bool take_minute(struct driver *d)
{
    int64_t due_us = source_next_us(d->source);
    if (!d->holds_minute) {
        int64_t now_us = market_now(d);
        if (now_us < due_us) {
            d->market_us = now_us > d->market_us ? now_us : d->market_us;
            return true;
        }
        if (now_us - due_us > BEHIND_MAX_US * d->settings.market_speed) {
            anchor(d, due_us);
        }
        d->minute_us = due_us - timeframe_us(TF_1M);
        d->inputs.bar_count = source_take(d->source, d->inputs.bars);
        d->holds_minute = true;
        /* The step sees the minute at the moment it is complete, however late we are: what is
         * decided does not depend on how busy this machine is. */
        d->market_us = due_us > d->market_us ? due_us : d->market_us;
    }
    struct err err = {0};
    if (show_venue(d, &err) < 0) {
        trouble(d, ERR_VENUE_DISK, &err);
        return false;
    }
    return true;
}

/* Not the driver's clock: how long a step takes is told, and nothing is decided on it. */
static int64_t nanoseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static bool commit(struct driver *d)
{
    struct err err = {0};
    if (!d->outputs.write) {
        d->uncommitted = false;
        return true;
    }
    d->uncommitted = journal_commit(d->store, d->engine, d->source, &d->outputs, &err) < 0;
    if (d->uncommitted) {
        trouble(d, ERR_ENGINE_JOURNAL, &err);
    }
    return !d->uncommitted;
}

/* An entry that the disk held up for long, or that a kill switch has overtaken, stays here: what it
 * was decided on is over. The engine learns as after any loss on the way: it asks, the venue has
 * never heard of it, and it is cancelled. */
static bool is_outdated(const struct driver *d, const struct order *order)
{
    return order->kind == ORDER_ENTRY &&
           (atomic_load(&d->crossing->halt) ||
            clock_mono_us(d->clock) - d->now.mono_us >= ENGINE_ANSWER_US);
}

/* Returns whether the venue was told anything: then its answer may be there already. */
static bool ship(struct driver *d)
{
    const struct engine_outputs *out = &d->outputs;
    for (int i = 0; i < out->cancel_count; i++) {
        venue_cancel(d->venue, out->cancels[i]);
    }
    for (int i = 0; i < out->send_count; i++) {
        const struct order *order = &out->orders[out->sends[i]];
        if (!is_outdated(d, order)) {
            venue_send(d->venue, order);
        }
    }
    for (int i = 0; i < out->query_count; i++) {
        venue_query(d->venue, out->queries[i]);
    }
    if (out->list) {
        venue_list(d->venue, out->list_id);
    }
    if (out->clear_halt) {
        atomic_store(&d->crossing->halt, false);
    }
    return out->cancel_count > 0 || out->send_count > 0 || out->query_count > 0 || out->list;
}

static void tidy_history(struct driver *d)
{
    if (!d->outputs.equity_point) {
        return;
    }
    int64_t deleted = 0;
    struct err err = {0};
    int64_t before_us = d->market_us - KEEP_DAYS * USEC_PER_DAY;
    if (trading_store_prune(d->store, before_us, PRUNE_ROWS, &deleted, &err) < 0) {
        LOG(DEBUG, "history is not shortened now: %s", err.context); /* the next hour tries */
    }
}

static void beat(struct driver *d)
{
    atomic_store(&d->crossing->engine_beat_mono_us, clock_mono_us(d->clock));
}

static int64_t until_next(const struct driver *d)
{
    int64_t left_us = (source_next_us(d->source) - market_now(d)) / d->settings.market_speed;
    return left_us < 0 ? 0 : left_us < DRIVER_ROUND_US ? left_us : DRIVER_ROUND_US;
}

/* The engine with what was gathered, its outputs on disk, then told. */
static bool step(struct driver *d)
{
    d->now = (struct engine_now){.market_us = d->market_us,
                                 .wall_us = clock_wall_us(d->clock),
                                 .mono_us = clock_mono_us(d->clock)};
    d->inputs.halt = atomic_load(&d->crossing->halt);
    int64_t before_ns = nanoseconds();
    engine_step(d->engine, &d->now, &d->inputs, &d->outputs);
    percentile_push(&d->durations, nanoseconds() - before_ns);
    d->holds_minute = false;
    d->inputs.bar_count = 0;
    return commit(d);
}

/* What follows a commit; returns whether another round should follow at once. */
static bool finish(struct driver *d)
{
    trouble_over(d);
    bool told = ship(d);
    engine_snapshot(d->engine, &d->now, &d->snapshot);
    d->snapshot.step_p99_ns = percentile_p99(&d->durations);
    publish_snapshot(d);
    /* After the snapshot: whoever an event wakes finds the state that it announces. */
    publish_events(d, d->outputs.events, d->outputs.event_count);
    tidy_history(d);
    return told;
}

int64_t driver_round(struct driver *d)
{
    beat(d);
    if (d->engine == NULL && !try_open(d)) {
        return DRIVER_ROUND_US;
    }
    if (d->uncommitted) {
        if (!commit(d)) {
            publish_stalled(d);
            return DRIVER_ROUND_US;
        }
        return finish(d) ? 0 : until_next(d);
    }
    if (!take_minute(d) || !take_request(d)) {
        publish_stalled(d);
        return DRIVER_ROUND_US;
    }
    take_settings(d);
    d->inputs.report_count = 0;
    while (d->inputs.report_count < ENGINE_REPORTS_MAX &&
           venue_poll(d->venue, &d->inputs.reports[d->inputs.report_count])) {
        d->inputs.report_count++;
    }
    bool full = d->inputs.report_count == ENGINE_REPORTS_MAX;
    if (!step(d)) {
        publish_stalled(d);
        return DRIVER_ROUND_US;
    }
    bool told = finish(d);
    return told || full || ring_len(d->crossing->requests) > 0 ? 0 : until_next(d);
}

/* ---------------------------------------------------------------- life */

struct driver *driver_new(const struct driver_options *options, struct crossing *crossing)
{
    ASSERT(options->settings.symbol_count >= 1 && options->settings.symbol_count <= SYMBOLS_MAX &&
           options->settings.market_speed >= 1);
    struct driver *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    d->options = *options;
    d->settings = options->settings;
    d->crossing = crossing;
    d->clock = options->clock == NULL ? clock_real() : options->clock;
    d->state_dir = strdup(options->state_dir == NULL ? "" : options->state_dir);
    ASSERT(d->state_dir != NULL);
    d->snapshot.books_balance = true; /* until somebody has looked */
    d->snapshot.started_wall_us = clock_wall_us(d->clock);
    paper_init(&d->paper, &d->settings);
    d->venue = options->wrap_venue == NULL
                   ? &d->paper.venue
                   : options->wrap_venue(&d->paper.venue, options->userdata);
    return d;
}

void driver_free(struct driver *driver)
{
    if (driver == NULL) {
        return;
    }
    close_all(driver);
    free(driver->state_dir);
    free(driver);
}

const struct snapshot *driver_snapshot(const struct driver *driver)
{
    return &driver->snapshot;
}

const struct engine *driver_engine(const struct driver *driver)
{
    return driver->engine;
}

const struct paper *driver_paper(const struct driver *driver)
{
    return &driver->paper;
}
