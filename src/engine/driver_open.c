#include "base/check.h"
#include "base/log.h"
#include "driver_private.h"
#include "engine/engine_buffers.h"
#include "engine/state_file.h"
#include "io/file.h"
#include "journal.h"
#include "store/candle_table.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_US USEC_PER_SEC
/* Notes of a step besides those of its orders: a state and a request. */
#define NOTES_MORE 2

/* ---------------------------------------------------------------- the market */

static int find_symbol(const struct symbol *symbols, int count, struct symbol symbol)
{
    for (int i = 0; i < count; i++) {
        if (symbol_equal(symbols[i], symbol)) {
            return i;
        }
    }
    return -1;
}

/* A symbol that is no longer configured is still watched while it has a position or an order alive.
 * If there are too many symbols, the last configured ones without a position are left out of this
 * run: a position without prices would have no stop. */
static void watch_held(struct driver *d, const struct engine_memory *memory)
{
    /* An engine has at most SYMBOLS_LIMIT symbols, so an earlier run cannot leave more. */
    struct symbol held[SYMBOLS_LIMIT];
    int held_count = 0;
    for (int i = 0; i < memory->position_count + memory->order_count; i++) {
        struct symbol symbol = i < memory->position_count
                                   ? memory->positions[i].symbol
                                   : memory->orders[i - memory->position_count].symbol;
        if (held_count < SYMBOLS_LIMIT && find_symbol(held, held_count, symbol) < 0) {
            held[held_count++] = symbol;
        }
    }
    int others = 0;
    for (int i = 0; i < held_count; i++) {
        others += find_symbol(d->symbols, d->symbol_count, held[i]) < 0;
    }
    for (int i = d->symbol_count - 1; i >= 0 && d->symbol_count + others > d->shared->symbols;
         i--) {
        if (find_symbol(held, held_count, d->symbols[i]) < 0) {
            struct err why = {0};
            (void)err_set(&why, ERR_ENGINE_SYMBOLS, "%s", d->symbols[i].name);
            driver_notify(d, ERR_ENGINE_SYMBOLS, &why);
            d->symbol_count--;
            memmove(&d->symbols[i], &d->symbols[i + 1],
                    (size_t)(d->symbol_count - i) * sizeof(d->symbols[0]));
        }
    }
    d->settings.symbol_count = d->symbol_count;
    memcpy(d->settings.symbols, d->symbols, (size_t)d->symbol_count * sizeof(d->symbols[0]));
    for (int i = 0; i < held_count; i++) {
        if (find_symbol(d->symbols, d->symbol_count, held[i]) < 0) {
            d->symbols[d->symbol_count++] = held[i];
        }
    }
}

int driver_open_files(const struct settings *settings, struct csv_source *ret, struct err *err)
{
    struct csv_source_file files[SYMBOLS_LIMIT];
    for (int i = 0; i < settings->market_file_count; i++) {
        files[i] = (struct csv_source_file){.symbol = settings->market_files[i].symbol,
                                            .path = settings->market_files[i].path,
                                            .unit = settings->market_files[i].unit,
                                            .max_dropped_pct = settings->market_max_dropped_pct};
    }
    ASSERT(settings->market_file_count >= 1);
    struct err why = {0};
    if (csv_source_init(ret, files, settings->market_file_count, &why) < 0) {
        return err_set(err, ERR_MARKET_SOURCE, "%s: %s", why.context, err_info(why.id)->message);
    }
    for (int i = 0; i < ret->count; i++) {
        struct csv_source_report r = csv_source_report(ret, i);
        if (r.note[0] != '\0') {
            LOG(NOTICE, "%s: %s", settings->market_files[i].path, r.note);
        }
    }
    return 0;
}

/* Opens a market of d->symbols. The simulated one begins at start_us; a live one is there already.
 */
static int make_market(struct driver *d, int64_t start_us, struct err *err)
{
    uint64_t seed = d->settings.seed;
    int rc = 0;
    d->own = NULL;
    d->ended = false;
    switch (d->settings.market_source) {
    case MARKET_SIMULATED:
        seed = seed != 0 ? seed : (uint64_t)clock_wall_us(d->clock);
        simulated_init(&d->market, seed, d->symbols, d->symbol_count, start_us);
        d->own = &d->market.source;
        break;
    case MARKET_CSV:
        rc = driver_open_files(&d->settings, &d->files, err);
        d->own = rc < 0 ? NULL : &d->files.source;
        break;
    case MARKET_LIVE:
        d->own = live_market_source(d->options.market);
        break;
    }
    if (rc >= 0) {
        d->source = d->options.wrap_source == NULL
                        ? d->own
                        : d->options.wrap_source(d->own, d->options.userdata);
    }
    return rc;
}

static void make_engine(struct driver *d)
{
    d->engine = engine_new(&d->settings, d->symbols, d->symbol_count);
    engine_set_step(d->engine, source_step_us(d->own));
    engine_inputs_init(&d->inputs, d->symbol_count);
    engine_outputs_init(&d->outputs, d->symbol_count);
    d->notes = calloc((size_t)capacity_orders(d->symbol_count) + NOTES_MORE, sizeof(*d->notes));
    ASSERT(d->notes != NULL);
    d->own_venue = venue_new(&(struct venue_setup){.feed = d->feed,
                                                   .market = d->options.market,
                                                   .settings = &d->options.venue,
                                                   .cash = d->settings.initial_cash,
                                                   .leverage = d->settings.max_leverage,
                                                   .step_us = source_step_us(d->own),
                                                   .symbols = d->symbol_count});
    ASSERT(d->own_venue != NULL);
    d->venue = d->options.wrap_venue == NULL
                   ? d->own_venue
                   : d->options.wrap_venue(d->own_venue, d->options.userdata);
    engine_set_venue(d->engine, venue_capabilities(d->venue));
}

/* Opens a market for the first time; *ret_market_us: when trading in it begins. */
static int begin_market(struct driver *d, int64_t *ret_market_us, struct err *err)
{
    int64_t wall_us = clock_wall_us(d->clock);
    int64_t market_us = wall_us - wall_us % timeframe_us(TF_1H);
    int rc = make_market(d, market_us - DRIVER_WARM_UP_MIN * USEC_PER_MIN, err);
    if (rc < 0) {
        return rc;
    }
    if (d->settings.market_source == MARKET_LIVE) {
        rc = live_market_warm(d->options.market, d->symbols, d->symbol_count, &d->history, err);
        *ret_market_us = rc < 0 ? 0 : d->history->until_us;
        return rc;
    }
    /* A file is traded from its first candle on: there are no earlier ones to warm up on. */
    *ret_market_us =
        d->own == &d->market.source ? market_us : source_next_us(d->own) - source_step_us(d->own);
    return 0;
}

/* ---------------------------------------------------------------- starts */

/* With many symbols the warm-up takes seconds. */
static void alive(void *userdata)
{
    driver_beat(userdata);
}

/* What the venue has of the time before the first candle. */
static int warm_live(struct driver *d, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < d->history->count && rc >= 0; i++) {
        const struct market_history_row *r = &d->history->rows[i];
        engine_history(d->engine, r->symbol, r->candles, r->count);
        for (int k = 0; k < r->count && rc >= 0; k++) {
            rc =
                journal_first_add(d->store, &(struct source_bar){r->symbol, r->candles[k]}, 1, err);
        }
        alive(d);
    }
    market_history_free(TAKE(d->history));
    return rc;
}

/* Warms up, and writes history, market and books to the database in one transaction. */
static int begin_trading(struct driver *d, int64_t market_us, struct err *err)
{
    bool simulated = d->own == &d->market.source;
    struct source_bar bars[SYMBOLS_LIMIT], closed[SYMBOLS_LIMIT];
    int rc = journal_first_begin(d->store, err);
    if (rc >= 0 && d->history != NULL) {
        rc = warm_live(d, err);
    }
    for (int minute = 0; rc >= 0 && simulated && minute < DRIVER_WARM_UP_MIN; minute++) {
        int count = source_next(d->own, bars);
        count = engine_warm(d->engine, bars, count, closed);
        rc = journal_first_add(d->store, closed, count, err);
        alive(d);
    }
    d->market_us = market_us;
    return rc < 0 ? rc : journal_first_commit(d->store, d->engine, d->own, err);
}

static int first_start(struct driver *d, int64_t run, struct engine_now *ret_now, struct err *err)
{
    struct engine_now now = {.wall_us = clock_wall_us(d->clock),
                             .mono_us = clock_mono_us(d->clock)};
    int rc = begin_market(d, &now.market_us, err);
    if (rc < 0) {
        return rc;
    }
    make_engine(d);
    engine_begin(d->engine, &now);
    engine_begin_at_run(d->engine, run);
    *ret_now = now;
    return begin_trading(d, now.market_us, err);
}

/* Starts with the books of an imported state file, which contains no market. */
static int start_with_books(struct driver *d, struct engine_memory *memory, struct err *err)
{
    int64_t market_us = 0;
    int rc = begin_market(d, &market_us, err);
    if (rc < 0) {
        return rc;
    }
    memory->state.market_us = market_us;
    memory->state.day = market_us / USEC_PER_DAY;
    make_engine(d);
    engine_restore(d->engine, memory);
    return begin_trading(d, market_us, err);
}

/* Symbols of which an earlier run has kept no candle: they are new in this state folder. */
static int find_added(struct driver *d, struct symbol *ret, int *ret_count, struct err *err)
{
    *ret_count = 0;
    for (int i = 0; i < d->symbol_count; i++) {
        struct candle newest;
        int kept = candle_table_last(d->store, d->symbols[i], &newest, 1, err);
        if (kept < 0) {
            return kept;
        }
        if (kept == 0) {
            ret[(*ret_count)++] = d->symbols[i];
        }
    }
    return 0;
}

/* Keeps what the venue has of them from before market_us; from there on they go on as the others.
 * ERR_MARKET_STARTING: it is not here yet. */
static int warm_added(struct driver *d, int64_t market_us, struct err *err)
{
    struct symbol added[SYMBOLS_LIMIT];
    int count = 0;
    int rc = find_added(d, added, &count, err);
    if (rc < 0 || count == 0) {
        return rc;
    }
    rc = live_market_warm(d->options.market, added, count, &d->history, err);
    rc = rc < 0 ? rc : trading_store_begin(d->store, err);
    if (rc < 0) {
        return rc;
    }
    int64_t last_us = market_us - timeframe_us(TF_5M);
    for (int i = 0; i < d->history->count && rc >= 0; i++) {
        const struct market_history_row *r = &d->history->rows[i];
        for (int k = 0; k < r->count && r->candles[k].open_us <= last_us && rc >= 0; k++) {
            rc = candle_table_add(d->store, r->symbol, &r->candles[k], err);
        }
        LOG(NOTICE, "%s is new here: its history was read", r->symbol.name);
        alive(d);
    }
    market_history_free(TAKE(d->history));
    if (rc < 0) {
        trading_store_rollback(d->store);
        return rc;
    }
    return trading_store_commit(d->store, err);
}

static int later_start(struct driver *d, struct engine_memory *memory, struct err *err)
{
    bool has_market = false;
    int rc = journal_has_market(d->store, &has_market, err);
    if (rc < 0) {
        return rc;
    }
    watch_held(d, memory);
    if (d->settings.symbol_count < 1 || d->symbol_count > d->shared->symbols) {
        return err_set(err, ERR_STORE_DAMAGED,
                       "%d symbols have a position or an order, fewer than %d can be watched",
                       d->symbol_count, d->shared->symbols);
    }
    if (memory->order_count > capacity_orders(d->symbol_count)) {
        return err_set(err, ERR_STORE_DAMAGED,
                       "orders: %d are open in %d symbols, at most %d can be", memory->order_count,
                       d->symbol_count, capacity_orders(d->symbol_count));
    }
    /* The venue's account was opened with this cash, whatever is configured now. */
    d->settings.initial_cash = memory->state.initial_cash;
    if (!has_market) {
        return start_with_books(d, memory, err);
    }
    rc = make_market(d, memory->state.market_us, err);
    if (rc >= 0 && d->settings.market_source == MARKET_LIVE &&
        journal_load_source(d->store, d->own, NULL) >= 0) {
        rc = warm_added(d, memory->state.market_us, err);
    }
    if (rc < 0) {
        return rc;
    }
    make_engine(d);
    engine_restore(d->engine, memory);
    rc = journal_load_market(d->store, d->engine, d->own, d->symbols, d->symbol_count, alive, d,
                             err);
    if (rc == -ERR_MARKET_SAVED && d->settings.market_source == MARKET_LIVE) {
        return err_set(err, ERR_MARKET_OTHER, "live prices of %s do not continue it",
                       d->symbols[0].name);
    }
    if (rc == -ERR_MARKET_SAVED) {
        log_err(LOG_LEVEL_WARNING, err, "cannot use the saved market");
        rc = 0;
    }
    if (d->own == &d->files.source) {
        /* Skip the candles that were complete by then, even if the source's state was not restored.
         */
        csv_source_skip(&d->files, memory->state.market_us - source_step_us(d->own) + 1);
    } else if (d->settings.market_source == MARKET_LIVE) {
        live_market_follow(d->options.market, d->symbols, d->symbol_count);
    }
    d->market_us = memory->state.market_us;
    return rc;
}

/* Tries once. A model that does not fit is reported, and trading continues without predictions. */
static void load_model(struct driver *d)
{
    struct err err = {0};
    if (d->model_tried || d->settings.model[0] == '\0') {
        return;
    }
    d->model_tried = true;
    if (predictor_load(d->settings.model, &d->predictor, &err) < 0 ||
        predictor_check_step(d->predictor, source_step_us(d->source), &err) < 0) {
        predictor_free(TAKE(d->predictor));
        log_err(LOG_LEVEL_WARNING, &err, "the predict agent stays neutral");
        d->model_err = err.id;
        return;
    }
    LOG(NOTICE, "the predict agent uses model %.16s, horizon %d bars of %s",
        predictor_hash(d->predictor), predictor_horizon(d->predictor),
        timeframe_name(predictor_timeframe(d->predictor)));
}

/* ERR_STORE_NOT_FOUND: there is nothing to import. */
static int import_state(struct driver *d, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    buf_addf(&path, "%s/" STATE_FILE_NAME, d->state_dir);
    if (d->state_dir[0] == '\0' || buf_failed(&path) || !file_exists(path.data)) {
        return -ERR_STORE_NOT_FOUND;
    }
    struct state_file file;
    struct state_file_imported done;
    struct state_file_import options = {.settings = &d->settings,
                                        .venue = venue_importer(&d->options.venue),
                                        .wall_us = clock_wall_us(d->clock)};
    int rc = state_file_read(path.data, &file, err);
    rc = rc < 0 ? rc : state_file_import(&file, &options, d->store, &done, err);
    if (rc >= 0) {
        LOG(NOTICE,
            "%s: imported %d positions, %lld trades; stops are %.2f %% from the entry prices",
            path.data, done.positions, (long long)file.total_trades, d->settings.stop_pct);
    }
    return rc;
}

/* An existing file keeps its creation time and last trip reason. One that cannot be read is
 * overwritten, since trading.db is authoritative. */
static void begin_export(struct driver *d, const struct engine_memory *memory)
{
    struct err err = {0};
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    buf_addf(&path, "%s/" STATE_FILE_NAME, d->state_dir);
    d->exported = (struct state_file){0};
    d->export_failed = false;
    if (d->state_dir[0] != '\0' && file_exists(path.data) &&
        state_file_read(path.data, &d->exported, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "overwriting the unreadable state file");
    }
    driver_guard_state_file(d, &d->exported, memory);
    if (d->exported.created_us == 0) {
        d->exported.created_us = clock_wall_us(d->clock);
    }
    d->exported.position_count = -1; /* matches nothing, so the file is written */
}

static int begin_recording(struct driver *d, const struct engine_now *now,
                           const struct engine_memory *memory, struct err *err)
{
    if (d->state_dir[0] == '\0') {
        return 0;
    }
    begin_export(d, memory);
    struct recorder_start start = {.now = *now, .memory = memory};
    return recorder_open(d->state_dir, &start, d->engine, &d->recorder, err);
}

/* ---------------------------------------------------------------- opening */

void driver_open_undo(struct driver *d)
{
    recorder_free(d->recorder);
    d->recorder = NULL;
    engine_free(d->engine);
    d->engine = NULL;
    engine_inputs_release(&d->inputs);
    engine_outputs_release(&d->outputs);
    free(d->notes);
    d->notes = NULL;
    if (d->owns_reserve) {
        reserve_free(d->reserve);
    }
    d->reserve = NULL;
    d->owns_reserve = false;
    d->reserve_mono_us = 0;
    d->behind = false;
    if (d->owns_store) {
        trading_store_free(d->store);
    }
    d->store = NULL;
    csv_source_release(&d->files);
    market_history_free(TAKE(d->history));
    if (feed_stop(d->feed)) {
        venue_free(d->own_venue);
        feed_free(d->feed);
    }
    d->feed = NULL;
    d->own_venue = NULL;
    d->venue = NULL;
    d->own = NULL;
}

static int recover(struct driver *d, struct err *err)
{
    AUTO_FREE struct engine_memory *memory = malloc(sizeof(*memory));
    ASSERT(memory != NULL);
    struct engine_now now = {.wall_us = clock_wall_us(d->clock),
                             .mono_us = clock_mono_us(d->clock)};
    bool first = false;
    /* As configured: an attempt before this one may have left some out. */
    d->symbol_count = d->settings.symbol_count = d->options.settings.symbol_count;
    memcpy(d->symbols, d->options.settings.symbols, sizeof(d->symbols));
    memcpy(d->settings.symbols, d->symbols, sizeof(d->symbols));
    if (venue_is_real(&d->options.venue) && d->feed == NULL &&
        (d->feed = feed_new(&(struct feed_options){.shared = d->shared, .account = true}, err)) ==
            NULL) {
        return -err->id;
    }
    int rc = journal_load(d->store, memory, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        rc = import_state(d, err);
        first = rc == -ERR_STORE_NOT_FOUND;
        rc = rc < 0 ? rc : journal_load(d->store, memory, err);
    }
    int64_t newest_run = 0;
    if (first || rc >= 0) {
        rc = driver_load_reserve(d, first ? NULL : memory, err);
    }
    if (rc >= 0) {
        rc = driver_guard_start(d, memory, first, &newest_run, err);
    }
    if (rc >= 0 && first) {
        rc = first_start(d, newest_run + 1, &now, err);
    } else if (rc >= 0) {
        /* Skip the run numbers of lost runs, so that no client id is reused and no journal
         * overwritten. */
        memory->state.run = newest_run > memory->state.run ? newest_run : memory->state.run;
        rc = later_start(d, memory, err);
        now.market_us = memory->state.market_us;
    }
    if (rc >= 0) {
        rc = venue_open(d->own_venue, d->store, err);
    }
    if (rc < 0) {
        return rc;
    }
    load_model(d);
    engine_use_predictor(d->engine, d->predictor);
    rc = begin_recording(d, &now, first ? NULL : memory, err);
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < d->symbol_count; i++) {
        venue_watch(d->own_venue, d->symbols[i], engine_price(d->engine, d->symbols[i]));
    }
    if (d->feed != NULL && (rc = feed_start(d->feed, err)) < 0) {
        return rc;
    }
    d->anchor_market_us = d->market_us;
    d->anchor_mono_us = clock_mono_us(d->clock);
    d->minute_pending = false;
    d->uncommitted = false;
    driver_remember_state(d);
    d->inputs.bar_count = 0;
    return 0;
}

/* Nothing is wrong: the market's history is on its way. */
static void publish_starting(struct driver *d, const struct err *why)
{
    driver_fault_over(d);
    d->snapshot->state = TRADING_STARTING;
    (void)snprintf(d->snapshot->state_reason, sizeof(d->snapshot->state_reason), "%.90s",
                   why->context[0] == '\0' ? "connecting to the market" : why->context);
    d->snapshot->initial_cash = d->settings.initial_cash;
    driver_publish_snapshot(d);
}

bool driver_open_try(struct driver *d)
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
        driver_open_reserve(d);
        rc = recover(d, &err);
    }
    if (rc >= 0) {
        d->retry_mono_us = 0;
        trading_store_log_work(d->store, "engine started");
        d->failing_mono_us = 0;
        driver_fault_over(d);
        /* Publish what was recovered, even if the first commit has to wait. */
        struct engine_now now = {
            .market_us = d->market_us, .wall_us = clock_wall_us(d->clock), .mono_us = mono_us};
        engine_snapshot(d->engine, &now, d->snapshot);
        return true;
    }
    driver_open_undo(d);
    if (err.id == ERR_MARKET_STARTING) {
        publish_starting(d, &err);
        return false;
    }
    bool no_market = err.id == ERR_MARKET_SOURCE || err.id == ERR_MARKET_OTHER;
    bool has_own_code = no_market || err.id == ERR_STATE_FILE_DAMAGED ||
                        err.id == ERR_ENGINE_RECORD || err.id == ERR_VENUE_BOOKS;
    driver_fault(d, has_own_code ? (enum err_id)err.id : ERR_ENGINE_STORE, &err);
    if (!has_own_code || err.id == ERR_ENGINE_RECORD) {
        driver_disk_failing(d, err.id);
    }
    d->snapshot->state = TRADING_STARTING;
    (void)snprintf(d->snapshot->state_reason, sizeof(d->snapshot->state_reason), "%s%.50s",
                   no_market      ? "market: "
                   : has_own_code ? ""
                                  : "trading.db: ",
                   no_market ? err.context : err_info(err.id)->message);
    d->snapshot->initial_cash = d->settings.initial_cash;
    driver_publish_snapshot(d);
    return false;
}
