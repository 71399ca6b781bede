#include "venue/market_feed.h"

#include "base/check.h"
#include "base/log.h"
#include "io/secret.h"
#include "market_feed_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASKS_MAX      4
#define STEPS_MAX     8
#define TICK_US       USEC_PER_SEC
#define FULL_US       (5 * USEC_PER_MSEC) /* the engine takes a step about so fast */
#define CLOCK_US      (10 * USEC_PER_MIN)
#define CLOCK_SURE_US (10 * USEC_PER_SEC)
#define CLOCK_JUMP_US USEC_PER_SEC
#define PAUSE_US      USEC_PER_SEC
#define PAUSE_MAX     6 /* doublings */
#define GIVE_UP       4 /* failures in a row: then history is left out while the stream is up */
#define STOPPED_US    (30 * USEC_PER_SEC)
/* Candles that wait, of all markets. */
#define HELD_MAX (80 * 1024)
/* The history of the indicators: 200 bars of an hour, in bars of five minutes. */
#define WARM_BARS     2400
#define WARM_HELD_MAX (160 * 1024)
/* A market with hours trades a fifth of the time or more, so its history reaches further back, and
 * is asked for in longer parts; an answer that is full ends earlier. */
#define HOURS_TIMES 5
/* Of a longer gap the beginning is not read: it stays missing. */
#define GAP_MAX_US (12000 * USEC_PER_MIN)

static int64_t mono_us(const struct market_feed *m)
{
    return clock_mono_us(m->clock);
}

static int64_t venue_us(const struct market_feed *m)
{
    return market_link_now_us(&m->link, m->clock);
}

static int64_t floor_to(int64_t us, enum timeframe tf)
{
    return us - us % timeframe_us(tf);
}

/* ---------------------------------------------------------------- status */

void market_feed_changed(struct market_feed *m)
{
    loop_defer(m->publish);
}

/* Why prices have stopped, or are about to: the connection that has been down the longest, or
 * requests that fail. */
static void judge(struct market_feed *m)
{
    int64_t since_us = m->failing_mono_us;
    const char *why = m->failing;
    int64_t heard_us = m->seat_count > 0 ? INT64_MAX : 0;
    m->status.up = m->follows && m->seat_count > 0;
    m->status.connections = 0;
    for (int i = 0; i < m->seat_count; i++) {
        int64_t down_us = market_lane_down_us(m->seats[i].lane);
        int64_t lane_us = market_lane_heard_us(m->seats[i].lane);
        if (down_us != 0 && (since_us == 0 || down_us < since_us)) {
            since_us = down_us;
            why = market_lane_reason(m->seats[i].lane);
        }
        m->status.up = m->status.up && down_us == 0;
        m->status.connections += market_lane_opened(m->seats[i].lane);
        heard_us = lane_us < heard_us ? lane_us : heard_us;
    }
    int64_t ago_us = mono_us(m) - heard_us;
    m->status.alive_us = m->status.up ? venue_us(m) - ago_us : m->status.alive_us;
    bool stopped = since_us != 0 && mono_us(m) - since_us >= STOPPED_US;
    m->status.err = stopped ? ERR_MARKET_STREAM : ERR_NONE;
    (void)snprintf(m->status.reason, sizeof(m->status.reason), "%s", since_us == 0 ? "" : why);
}

static void publish(void *userdata)
{
    struct market_feed *m = userdata;
    struct market_feed_status *s = mailbox_draft(m->link.status);
    judge(m);
    (void)str_copy(str_c(m->exchange->name), m->status.venue, sizeof(m->status.venue));
    m->status.filled = m->minutes.filled;
    m->status.late = m->minutes.late;
    *s = m->status;
    mailbox_publish(m->link.status);
}

__attribute__((format(printf, 2, 3))) static void doing(struct market_feed *m, const char *format,
                                                        ...)
{
    char text[sizeof(m->status.doing)];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (strcmp(text, m->status.doing) != 0) {
        memcpy(m->status.doing, text, sizeof(text));
        market_feed_changed(m);
    }
}

/* ---------------------------------------------------------------- steps */

static void arm(struct market_feed *m)
{
    int64_t wait_us = TICK_US;
    if (m->follows) {
        int64_t due_us = minutes_due_us(&m->minutes) - venue_us(m);
        bool full = ring_len(m->link.steps) == STEPS_MAX;
        wait_us = full ? FULL_US : due_us > 0 && due_us < TICK_US ? due_us : TICK_US;
    }
    loop_timer_in(m->tick, wait_us);
}

static void deliver(struct market_feed *m)
{
    bool any = false;
    struct market_step *step = m->draft;
    while (m->follows && ring_len(m->link.steps) < STEPS_MAX &&
           minutes_next(&m->minutes, venue_us(m), &step->open_us, step->bars, &step->count)) {
        step->generation = m->ask->generation;
        ASSERT(ring_push(m->link.steps, step));
        any = true;
    }
    if (any) {
        feed_wake_engine(m->feed);
        market_feed_changed(m);
    }
    arm(m);
}

/* ---------------------------------------------------------------- what is wanted */

static void free_rows(struct market_feed *m)
{
    for (int i = 0; i < m->row_count; i++) {
        free(m->rows[i].history);
        book_release(m->rows[i].book);
        free(m->rows[i].book);
    }
    free(m->rows);
    free(m->markets);
    m->rows = NULL;
    m->markets = NULL;
    m->row_count = 0;
}

static void follow(struct market_feed *m, int64_t from_us)
{
    struct symbol symbols[SYMBOLS_LIMIT];
    int64_t oldest_us = floor_to(venue_us(m), TF_1M) - GAP_MAX_US;
    if (m->exchange->candles_kept > 0) {
        int64_t kept_us =
            floor_to(venue_us(m), TF_1M) - (m->exchange->candles_kept - 1) * USEC_PER_MIN;
        oldest_us = kept_us > oldest_us ? kept_us : oldest_us;
    }
    if (from_us < oldest_us) {
        LOG(WARNING, "%s: %lld minutes of candles are too old to be read, and left out",
            m->exchange->name, (long long)((oldest_us - from_us) / USEC_PER_MIN));
        from_us = oldest_us;
    }
    for (int i = 0; i < m->row_count; i++) {
        symbols[i] = m->rows[i].symbol;
    }
    minutes_begin(&m->minutes, symbols, m->row_count, from_us);
    int window = HELD_MAX / m->row_count;
    m->minutes.window = window < EXCHANGE_CANDLES_MAX ? window : EXCHANGE_CANDLES_MAX;
    m->minutes.says_closed = false;
    m->minutes.settle_us = m->stream->settle_us;
    for (const struct stream_api *api = m->stream; api != NULL; api = api->also) {
        m->minutes.says_closed = m->minutes.says_closed || api->says_closed; /* of its candles */
    }
    m->follows = true;
    market_stream_follow(m);
}

static void begin(struct market_feed *m, struct market_ask *ask)
{
    free(m->ask);
    m->ask = ask;
    m->follows = false;
    m->history_until_us = 0;
    clock_reading_drop(&m->clock_reading);
    m->failures = 0;
    m->retry_mono_us = 0;
    market_stream_close(m);
    free_rows(m);
    m->rows = calloc((size_t)ask->count, sizeof(*m->rows));
    m->markets = calloc((size_t)ask->count, sizeof(*m->markets));
    NEED_MEMORY(m->rows != NULL && m->markets != NULL);
    m->row_count = ask->count;
    for (int i = 0; i < ask->count; i++) {
        m->rows[i].symbol = ask->symbols[i];
    }
}

static void next_job(struct market_feed *m);

static void on_wake(void *userdata)
{
    struct market_feed *m = userdata;
    struct market_ask *ask;
    while (ring_pop(m->link.asks, &ask)) {
        if (ask->reconnect) {
            m->retry_mono_us = 0;
            market_stream_reopen(m);
            free(ask);
        } else {
            begin(m, ask);
        }
    }
    next_job(m);
    arm(m);
}

/* ---------------------------------------------------------------- the history of the indicators */

static bool has_hours(const struct market_feed *m, int row)
{
    return m->exchange->has_hours != NULL && m->exchange->has_hours(&m->rows[row].symbol);
}

static void begin_history(struct market_feed *m)
{
    int bars = WARM_HELD_MAX / m->row_count;
    bars = bars < WARM_BARS ? bars : WARM_BARS;
    if (m->exchange->candles_kept > 0 && bars > m->exchange->candles_kept - 1) {
        bars = m->exchange->candles_kept - 1;
    }
    m->history_until_us = floor_to(venue_us(m) - MINUTES_SETTLED_US, TF_5M);
    for (int i = 0; i < m->row_count; i++) {
        struct market_row *r = &m->rows[i];
        int span = has_hours(m, i) ? HOURS_TIMES * bars : bars;
        free(r->history);
        r->history = calloc((size_t)span, sizeof(*r->history));
        NEED_MEMORY(r->history != NULL);
        r->history_count = 0;
        r->history_us = m->history_until_us - span * timeframe_us(TF_5M);
    }
}

static void end_history(struct market_feed *m)
{
    struct market_history *h = calloc(1, sizeof(*h) + (size_t)m->row_count * sizeof(h->rows[0]));
    NEED_MEMORY(h != NULL);
    h->until_us = m->history_until_us;
    h->count = m->row_count;
    for (int i = 0; i < m->row_count; i++) {
        h->rows[i] = (struct market_history_row){.symbol = m->rows[i].symbol,
                                                 .count = m->rows[i].history_count,
                                                 .candles = TAKE(m->rows[i].history)};
    }
    market_history_free(atomic_exchange(&m->link.history, NULL)); /* of an ask before it */
    atomic_store(&m->link.history_generation, m->ask->generation);
    market_history_free(atomic_exchange(&m->link.history, h));
    follow(m, m->history_until_us);
}

void market_history_free(struct market_history *history)
{
    for (int i = 0; history != NULL && i < history->count; i++) {
        free(history->rows[i].candles);
    }
    free(history);
}

/* ---------------------------------------------------------------- jobs: one request at a time */

static void fail(struct market_feed *m, const struct err *err)
{
    int64_t pause_us = PAUSE_US << (m->failures < PAUSE_MAX ? m->failures : PAUSE_MAX);
    pause_us += (int64_t)(secret_random_u64() % (uint64_t)(pause_us / 2)); /* not all at once */
    m->failures++;
    m->retry_mono_us = mono_us(m) + pause_us;
    if (err->id == ERR_VENUE_DATA) {
        m->status.refused++;
    }
    AUTO_BUF struct buf line = BUF_INIT(512);
    err_line(err, &line);
    if (m->failing_mono_us == 0) {
        m->failing_mono_us = mono_us(m);
        LOG(WARNING, "%s: %s", m->exchange->name, line.data);
    }
    (void)snprintf(m->failing, sizeof(m->failing), "%s", line.data);
    market_feed_changed(m);
}

static void done(struct market_feed *m)
{
    m->failures = 0;
    m->retry_mono_us = 0;
    m->failing_mono_us = 0;
    market_feed_changed(m);
}

/* While the stream is up, what the history cannot tell for long is left out: a gap. */
static void give_up_fill(struct market_feed *m)
{
    if (m->failures >= GIVE_UP && market_stream_is_up(m, m->job_row)) {
        LOG(WARNING, "%s: candles of %s are left out: the history cannot be read",
            m->exchange->name, m->rows[m->job_row].symbol.name);
        minutes_give_up(&m->minutes, m->job_row, m->asked.until_us);
    }
}

static void set_clock(struct market_feed *m, int64_t offset_us)
{
    int64_t before_us = atomic_load(&m->link.offset_us);
    atomic_store(&m->link.offset_us, offset_us);
    m->timed_mono_us = mono_us(m);
    if (before_us != 0 && llabs(offset_us - before_us) > CLOCK_JUMP_US) {
        LOG(WARNING, "%s: its clock moved by %.1f s against ours", m->exchange->name,
            (double)(offset_us - before_us) / USEC_PER_SEC);
        market_stream_follow(m); /* what the stream said meanwhile was of another time */
    } else if (m->doubts_clock) {
        m->sure_mono_us = mono_us(m);
    }
    m->doubts_clock = false;
}

static int read_time(struct market_feed *m, const struct rest_answer *answer, struct err *err)
{
    int64_t wall_us = 0;
    int rc = m->exchange->read_time(answer->root, &wall_us, err);
    if (rc < 0) {
        return rc;
    }
    if (clock_reading_add(&m->clock_reading, wall_us, mono_us(m) - answer->elapsed_us,
                          mono_us(m))) {
        set_clock(m, m->clock_reading.offset_us);
    }
    return 0;
}

bool market_feed_doubt_clock(struct market_feed *m)
{
    if (m->doubts_clock) {
        return true;
    }
    if (m->sure_mono_us != 0 && mono_us(m) - m->sure_mono_us < CLOCK_SURE_US) {
        return false;
    }
    m->doubts_clock = true;
    clock_reading_drop(&m->clock_reading);
    m->timed_mono_us = 0;
    next_job(m);
    return true;
}

static int read_name(struct market_feed *m, const struct rest_answer *answer, struct err *err)
{
    struct market_row *r = &m->rows[m->job_row];
    int rc = m->exchange->read_market(answer->root, &r->symbol, &m->markets[m->job_row], err);
    r->named = rc >= 0;
    return rc;
}

static int read_history(struct market_feed *m, const struct rest_answer *answer, struct err *err)
{
    struct market_row *r = &m->rows[m->job_row];
    int count = 0;
    int rc = m->exchange->read_candles(answer->root, &m->asked, m->page, &count, err);
    if (rc < 0) {
        return rc;
    }
    memcpy(&r->history[r->history_count], m->page, (size_t)count * sizeof(m->page[0]));
    r->history_count += count;
    r->history_us =
        count > 0 ? m->page[count - 1].open_us + timeframe_us(TF_5M) : m->asked.until_us;
    return 0;
}

static int read_fill(struct market_feed *m, const struct rest_answer *answer, struct err *err)
{
    int count = 0;
    int rc = m->exchange->read_candles(answer->root, &m->asked, m->page, &count, err);
    if (rc >= 0) {
        /* Up to its last candle: an answer may be a part of what was asked for. */
        minutes_fill(&m->minutes, m->job_row, m->page, count,
                     count > 0 ? m->page[count - 1].open_us + USEC_PER_MIN : m->asked.until_us);
    }
    return rc;
}

static void on_answer(const struct rest_answer *answer, void *userdata)
{
    struct market_feed *m = userdata;
    enum market_job job = m->job;
    struct err err = {0};
    int rc = 0;
    m->job = JOB_NONE;
    if (m->job_generation != m->ask->generation) {
        next_job(m); /* of an ask before this one */
        return;
    }
    if (answer->err != NULL) {
        fail(m, answer->err);
        if (job == JOB_TIME) {
            clock_reading_drop(&m->clock_reading);
        } else if (job == JOB_FILL) {
            give_up_fill(m);
        } else if (job == JOB_BOOK) {
            m->rows[m->job_row].wants_book = true;
        }
        next_job(m);
        return;
    }
    switch (job) {
    case JOB_NONE:
        break;
    case JOB_TIME:
        rc = read_time(m, answer, &err);
        break;
    case JOB_NAME:
        rc = read_name(m, answer, &err);
        break;
    case JOB_HISTORY:
        rc = read_history(m, answer, &err);
        break;
    case JOB_BOOK:
        rc = m->books->read_book(answer->root, &m->message, &err);
        if (rc >= 0) {
            market_stream_book(m, m->job_row);
        }
        break;
    case JOB_FILL:
        rc = read_fill(m, answer, &err);
        break;
    }
    if (rc < 0) {
        fail(m, &err);
    } else {
        done(m);
    }
    next_job(m);
    deliver(m);
}

static void get(struct market_feed *m, enum market_job job, int row, const char *path, int weight)
{
    m->job = job;
    m->job_row = row;
    m->job_generation = m->ask->generation;
    rest_get(m->rest, path, weight, on_answer, m);
}

static void get_candles(struct market_feed *m, enum market_job job, int row, enum timeframe tf,
                        int64_t from_us, int64_t until_us)
{
    AUTO_BUF struct buf path = BUF_INIT(1024);
    int times = has_hours(m, row) ? HOURS_TIMES : 1;
    int64_t most_us = from_us + times * EXCHANGE_CANDLES_MAX * timeframe_us(tf);
    most_us = exchange_ask_until_us(m->exchange, tf, from_us, most_us);
    m->asked = (struct exchange_ask){.market = &m->markets[row],
                                     .tf = tf,
                                     .from_us = from_us,
                                     .until_us = until_us < most_us ? until_us : most_us};
    m->exchange->add_candles_path(&m->asked, &path);
    get(m, job, row, path.data, m->exchange->candles_weight);
}

/* The one that is the furthest behind. */
static bool fill_next(struct market_feed *m)
{
    int64_t from_us = 0, until_us = 0, oldest_us = INT64_MAX;
    int row = -1;
    for (int i = 0; i < m->row_count; i++) {
        int64_t from, until;
        if (minutes_missing(&m->minutes, i, venue_us(m), &from, &until) && from < oldest_us) {
            row = i;
            oldest_us = from_us = from;
            until_us = until;
        }
    }
    if (row >= 0) {
        get_candles(m, JOB_FILL, row, TF_1M, from_us, until_us);
    }
    return row >= 0;
}

static bool book_next(struct market_feed *m)
{
    for (int i = 0; i < m->row_count; i++) {
        struct market_row *r = &m->rows[i];
        if (r->wants_book && market_stream_is_up(m, i)) {
            AUTO_BUF struct buf path = BUF_INIT(1024);
            r->wants_book = false;
            m->books->add_book_path(&m->markets[i], r->book->depth, &path);
            get(m, JOB_BOOK, i, path.data, m->books->book_weight);
            return true;
        }
    }
    return false;
}

static int unnamed_row(const struct market_feed *m)
{
    int row = 0;
    while (row < m->row_count && m->rows[row].named) {
        row++;
    }
    return row;
}

static int cold_row(const struct market_feed *m)
{
    int row = 0;
    while (row < m->row_count && m->rows[row].history_us >= m->history_until_us) {
        row++;
    }
    return row;
}

static void prepare(struct market_feed *m, int unnamed)
{
    if (unnamed < m->row_count) {
        AUTO_BUF struct buf path = BUF_INIT(1024);
        doing(m, "%s: asking about market %d of %d", m->exchange->name, unnamed + 1, m->row_count);
        m->exchange->add_market_path(&m->rows[unnamed].symbol, &path);
        get(m, JOB_NAME, unnamed, path.data, m->exchange->market_weight);
        return;
    }
    if (m->seat_count == 0) {
        market_stream_open(m); /* beside the history */
    }
    if (m->ask->from_us > 0) {
        follow(m, m->ask->from_us);
        return;
    }
    if (m->history_until_us == 0) {
        begin_history(m);
    }
    int cold = cold_row(m);
    if (cold == m->row_count) {
        end_history(m);
        return;
    }
    doing(m, "%s: reading the history of market %d of %d", m->exchange->name, cold + 1,
          m->row_count);
    get_candles(m, JOB_HISTORY, cold, TF_5M, m->rows[cold].history_us, m->history_until_us);
}

static void next_job(struct market_feed *m)
{
    int64_t now_us = mono_us(m);
    if (m->job != JOB_NONE || m->ask == NULL || now_us < m->retry_mono_us) {
        return;
    }
    if (m->timed_mono_us == 0 || now_us - m->timed_mono_us >= CLOCK_US) {
        doing(m, "%s: asking the time", m->exchange->name);
        get(m, JOB_TIME, 0, m->exchange->time_path, m->exchange->time_weight);
        return;
    }
    if (!m->follows) {
        prepare(m, unnamed_row(m));
    }
    if (m->follows && m->job == JOB_NONE) {
        m->status.doing[0] = '\0';
        if (!fill_next(m)) {
            (void)book_next(m);
        }
    }
}

static void on_tick(void *userdata)
{
    struct market_feed *m = userdata;
    next_job(m);
    deliver(m);
    market_stream_depths(m);
    market_feed_changed(m); /* the stream's age */
}

static void on_steps(void *userdata)
{
    deliver(userdata);
}

/* ---------------------------------------------------------------- life */

static void start(struct feed *feed, void *userdata)
{
    struct market_feed *m = userdata;
    (void)feed;
    arm(m);
}

/* What was made before the thread is freed after it. */
static void stop(void *userdata)
{
    struct market_feed *m = userdata;
    rest_free(TAKE(m->rest));
    market_stream_close(m);
    http_free(TAKE(m->http));
}

static int check_key(const struct live_settings *settings, struct err *err)
{
    if (settings->key_id == NULL || settings->key_id[0] == '\0' ||
        settings->key_secret[0] == '\0') {
        return err_set(err, ERR_MARKET_KEY, "%s: market.key and market.secret are empty",
                       settings->venue);
    }
    int rc = exchange_check_url("market.url", settings->url, err);
    return rc < 0 ? rc : exchange_check_url("market.stream_url", settings->stream_url, err);
}

int market_feed_check(const struct live_settings *settings, struct err *err)
{
    const struct stream_api *stream = stream_api_find(settings->venue);
    if (exchange_find(settings->venue) != NULL && stream != NULL) {
        return stream->add_login != NULL ? check_key(settings, err) : 0;
    }
    AUTO_BUF struct buf names = BUF_INIT(256);
    stream_add_names(&names);
    return err_set(err, ERR_MARKET_VENUE, "%s: expected one of %s", settings->venue, names.data);
}

static struct market_feed *make(const struct market_feed_options *options, struct err *err)
{
    struct market_feed *m = calloc(1, sizeof(*m));
    NEED_MEMORY(m != NULL);
    m->settings = *options->settings;
    m->settings.key_id = m->settings.key_secret = NULL;
    m->feed = options->feed;
    m->clock = options->clock;
    m->symbols = options->symbols;
    m->exchange = exchange_find(m->settings.venue);
    m->stream = stream_api_find(m->settings.venue);
    if (m->exchange->sign != NULL && options->settings->key_id != NULL) {
        m->key_id = secret_new(str_c(options->settings->key_id));
        m->key_secret = secret_new(str_c(options->settings->key_secret));
    }
    m->books = m->stream;
    while (m->books->read_book == NULL && m->books->also != NULL) {
        m->books = m->books->also;
    }
    struct market_link *link = &m->link;
    link->asks = ring_new(ASKS_MAX, sizeof(struct market_ask *));
    link->steps = ring_new(STEPS_MAX, market_step_size(m->symbols));
    link->status = mailbox_new(sizeof(struct market_feed_status));
    link->tops = calloc((size_t)m->symbols, sizeof(struct mailbox *));
    m->draft = calloc(1, market_step_size(m->symbols));
    NEED_MEMORY(link->tops != NULL && m->draft != NULL);
    for (int i = 0; i < m->symbols; i++) {
        link->tops[i] = mailbox_new(sizeof(struct market_top));
    }
    live_source_init(&m->engine, link, m->clock, m->symbols);
    struct loop *loop = feed_loop(m->feed);
    m->tick = loop_add_timer(loop, on_tick, m);
    m->publish = loop_add_deferred(loop, publish, m);
    m->steps = loop_add_deferred(loop, on_steps, m);
    market_stream_init(m, loop);
    m->http = http_new(loop, err);
    link->wake = loop_add_wake(loop, on_wake, m, err);
    m->rest = link->wake == NULL
                  ? NULL
                  : rest_new(loop,
                             &(struct rest_options){
                                 .exchange = m->exchange,
                                 .url = m->settings.url[0] == '\0' ? NULL : m->settings.url,
                                 .ca_file = m->settings.ca_file,
                                 .key_id = m->key_id,
                                 .key_secret = m->key_secret},
                             err);
    loop_source_name(m->tick, "market tick");
    return m;
}

struct market_feed *market_feed_new(const struct market_feed_options *options, struct err *err)
{
    if (market_feed_check(options->settings, err) < 0) {
        return NULL;
    }
    struct market_feed *m = make(options, err);
    if (m->rest == NULL) {
        market_feed_free(m);
        return NULL;
    }
    feed_add(m->feed, &(struct feed_member){"market", start, stop, m});
    return m;
}

void market_feed_free(struct market_feed *m)
{
    if (m == NULL) {
        return;
    }
    struct market_link *link = &m->link;
    struct market_ask *ask;
    rest_free(m->rest);
    loop_source_free(link->wake);
    loop_source_free(m->publish);
    loop_source_free(m->steps);
    market_stream_release(m);
    http_free(m->http);
    loop_source_free(m->tick);
    while (ring_pop(link->asks, &ask)) {
        free(ask);
    }
    ring_free(link->asks);
    ring_free(link->steps);
    mailbox_free(link->status);
    for (int i = 0; i < m->symbols; i++) {
        mailbox_free(link->tops[i]);
    }
    free(link->tops);
    market_history_free(atomic_load(&link->history));
    live_source_release(&m->engine);
    minutes_release(&m->minutes);
    free_rows(m);
    secret_free(m->key_id);
    secret_free(m->key_secret);
    free(m->ask);
    free(m->draft);
    free(m);
}
