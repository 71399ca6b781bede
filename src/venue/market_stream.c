#include "base/check.h"
#include "base/log.h"
#include "market_feed_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the stream brings, and its connections. */

#define LOG_GAP_US USEC_PER_MIN

/* ---------------------------------------------------------------- names */

static unsigned hash_of(const char *name)
{
    unsigned hash = 2166136261U; /* FNV-1a */
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    }
    return hash;
}

static void make_places(struct market_feed *m)
{
    unsigned places = 16;
    while (places < 2 * (unsigned)m->row_count) {
        places *= 2;
    }
    free(m->places);
    m->place_mask = places - 1;
    m->places = calloc(places, sizeof(*m->places));
    NEED_MEMORY(m->places != NULL);
    for (int i = 0; i < m->row_count; i++) {
        struct market_row *r = &m->rows[i];
        AUTO_BUF struct buf name = BUF_INIT(sizeof(r->stream_name));
        if (m->stream->add_name != NULL) {
            m->stream->add_name(&m->markets[i], &name);
        } else {
            buf_add_c(&name, m->markets[i].name);
        }
        (void)str_copy(buf_str(&name), r->stream_name, sizeof(r->stream_name));
        unsigned at = hash_of(r->stream_name);
        while (m->places[at & m->place_mask] != 0) {
            at++;
        }
        m->places[at & m->place_mask] = (uint16_t)(i + 1);
    }
}

/* -1: it is none of ours. */
static int row_of(const struct market_feed *m, const char *name)
{
    for (unsigned at = hash_of(name); m->places[at & m->place_mask] != 0; at++) {
        int row = m->places[at & m->place_mask] - 1;
        if (strcmp(m->rows[row].stream_name, name) == 0) {
            return row;
        }
    }
    return -1;
}

/* ---------------------------------------------------------------- quotes */

static void publish_quotes(void *userdata)
{
    struct market_feed *m = userdata;
    for (int i = 0; i < m->dirty_count; i++) {
        struct market_row *r = &m->rows[m->dirty[i]];
        struct market_top *top = mailbox_draft(m->link.tops[m->dirty[i]]);
        *top = r->top;
        mailbox_publish(m->link.tops[m->dirty[i]]);
        r->dirty = false;
    }
    m->dirty_count = 0;
}

static void set_dirty(struct market_feed *m, int row)
{
    struct market_row *r = &m->rows[row];
    if (!r->dirty) {
        r->dirty = true;
        m->dirty[m->dirty_count++] = row;
        loop_defer(m->quotes);
    }
}

/* It has no candles, so nothing is opened in it; connector.c passes it on. */
static void set_status(struct market_feed *m, int row, const struct stream_event *e)
{
    struct market_top *top = &m->rows[row].top;
    if (top->halted != e->halted) {
        LOG(NOTICE, "%s: %s is %s%s%s", m->exchange->name, m->rows[row].symbol.name,
            e->halted ? "halted" : "traded again", e->reason[0] != '\0' ? ": " : "", e->reason);
    }
    top->halted = e->halted;
    top->quote.symbol = m->rows[row].symbol; /* it may be the first that is known of it */
    set_dirty(m, row);
}

static void set_quote(struct market_feed *m, int row, const struct stream_event *e)
{
    struct market_row *r = &m->rows[row];
    r->top.quote =
        (struct quote){.symbol = r->symbol,
                       .bid = e->bid.price,
                       .ask = e->ask.price,
                       .bid_qty = e->bid.qty,
                       .ask_qty = e->ask.qty,
                       .at_us = e->at_us != 0 ? e->at_us : market_link_now_us(&m->link, m->clock)};
    set_dirty(m, row);
}

/* ---------------------------------------------------------------- books */

static void judge_book(struct market_feed *m, int row, struct market_lane *lane,
                       enum book_result result)
{
    struct market_row *r = &m->rows[row];
    if (result != BOOK_LOST) {
        return;
    }
    if (r->book->lost > r->books_lost) {
        r->books_lost = r->book->lost;
        m->status.books_lost++;
        LOG(NOTICE, "%s: the book of %s is read again: %s", m->exchange->name, r->symbol.name,
            r->book->why);
    }
    if (m->books->read_book != NULL) {
        r->wants_book = true;
    } else if (lane != NULL) {
        market_lane_replace(lane); /* a new subscription begins with the whole */
    }
}

static void take_book(struct market_feed *m, struct market_lane *lane, int row,
                      const struct market_lane_message *passed, const struct stream_event *e)
{
    struct market_row *r = &m->rows[row];
    if (r->book != NULL) {
        judge_book(m, row, lane,
                   book_apply(r->book, m->books, e, passed->message->levels, passed->connection));
    }
}

void market_stream_book(struct market_feed *m, int row)
{
    judge_book(
        m, row, NULL,
        book_apply(m->rows[row].book, m->books, &m->message.events[0], m->message.levels, 0));
}

/* Sum of what is offered not further than one per cent from the best price. */
static struct dec measure(const struct book_side *side)
{
    struct dec sum = DEC_ZERO;
    int64_t best_e8 = side->count > 0 ? side->levels[0].price.e8 : 0;
    for (int i = 0; i < side->count; i++) {
        const struct stream_level *l = &side->levels[i];
        if (llabs(l->price.e8 - best_e8) > best_e8 / 100) {
            break;
        }
        sum = dec_add(sum, dec_mul(l->price, l->qty));
    }
    return dec_is_valid(sum) ? sum : DEC_ZERO;
}

void market_stream_depths(struct market_feed *m)
{
    m->status.books = 0;
    for (int i = 0; i < m->row_count; i++) {
        struct market_row *r = &m->rows[i];
        if (r->book != NULL) {
            struct market_top before = r->top;
            m->status.books += r->book->whole;
            r->top.bid_depth = r->book->whole ? measure(&r->book->bids) : DEC_ZERO;
            r->top.ask_depth = r->book->whole ? measure(&r->book->asks) : DEC_ZERO;
            if (before.bid_depth.e8 != r->top.bid_depth.e8 ||
                before.ask_depth.e8 != r->top.ask_depth.e8) {
                set_dirty(m, i);
            }
        }
    }
}

static void make_books(struct market_feed *m)
{
    /* Those that venues give. */
    static const int depths[] = {10, 25, 100, 500, 1000};
    int at = 0;
    while (at < (int)COUNT_OF(depths) - 1 && depths[at] < m->settings.depth) {
        at++;
    }
    m->depth = m->settings.depth == 0 ? 0 : depths[at];
    for (int i = 0; i < m->row_count && m->depth > 0; i++) {
        m->rows[i].book = calloc(1, sizeof(*m->rows[i].book));
        NEED_MEMORY(m->rows[i].book != NULL);
        book_init(m->rows[i].book, m->depth);
    }
}

/* ---------------------------------------------------------------- what cannot be trusted */

static void distrust(struct market_feed *m, int row, const char *why)
{
    struct market_row *r = &m->rows[row];
    int64_t now_us = clock_mono_us(m->clock);
    m->status.refused++;
    minutes_distrust(&m->minutes, row);
    if (r->logged_mono_us == 0 || now_us - r->logged_mono_us >= LOG_GAP_US) {
        r->logged_mono_us = now_us;
        LOG(WARNING, "%s: nothing is opened in %s until its next good candle: %s",
            m->exchange->name, r->symbol.name, why);
    }
}

/* A message names a market, or it may be of any of its connection. */
static void on_refused(struct market_lane *lane, const struct market_lane_message *message,
                       const struct err *err, void *userdata)
{
    const struct market_seat *seat = userdata;
    struct market_feed *m = seat->feed;
    AUTO_BUF struct buf line = BUF_INIT(512);
    int row = row_of(m, message->message->events[0].market);
    (void)lane;
    if (!message->in_use || !m->follows) {
        return;
    }
    err_line(err, &line);
    if (row >= 0) {
        distrust(m, row, line.data);
        return;
    }
    for (int i = 0; i < seat->count; i++) {
        distrust(m, seat->rows[i], line.data);
    }
}

/* ---------------------------------------------------------------- events */

static void take_candle(struct market_feed *m, int row, const struct candle *candle, bool closed)
{
    struct market_row *r = &m->rows[row];
    int64_t now_us = market_link_now_us(&m->link, m->clock);
    if (!m->follows) {
        return;
    }
    enum minutes_result result = closed ? minutes_close(&m->minutes, row, now_us, candle)
                                        : minutes_live(&m->minutes, row, now_us, candle);
    switch (result) {
    case MINUTES_TAKEN:
        if (closed || !m->minutes.says_closed) {
            loop_defer(m->steps);
        }
        break;
    case MINUTES_REPEATED:
        break;
    case MINUTES_LATE:
        LOG(NOTICE, "%s: a candle of %s came after its minute was traded, and is left out",
            m->exchange->name, r->symbol.name);
        break;
    case MINUTES_BACK:
        distrust(m, row, "a candle is older than those before it");
        break;
    case MINUTES_AHEAD:
        if (!market_feed_doubt_clock(m)) {
            distrust(m, row, "a candle is of a minute that has not begun");
        }
        break;
    }
}

/* The candle of a trade's minute, which it ends if it is of the next one. */
static void take_trade(struct market_feed *m, int row, const struct stream_event *e)
{
    struct candle *c = &m->rows[row].made;
    int64_t open_us = e->at_us - e->at_us % USEC_PER_MIN;
    if (open_us < c->open_us) {
        return; /* of a minute that is over: trades of one moment may come in any order */
    }
    if (open_us > c->open_us) {
        *c = (struct candle){
            .open_us = open_us, .open = e->price, .high = e->price, .low = e->price};
    }
    c->close = e->price;
    c->high = dec_max(c->high, e->price);
    c->low = dec_min(c->low, e->price);
    c->volume = dec_add(c->volume, e->qty);
    if (dec_is_valid(c->volume)) {
        take_candle(m, row, c, false);
    } else {
        distrust(m, row, "the volume of its trades is too large");
        *c = (struct candle){0};
    }
}

void market_stream_take(struct market_feed *m, struct market_lane *lane,
                        const struct market_lane_message *passed, const struct err *err)
{
    for (int i = 0; i < passed->message->count; i++) {
        const struct stream_event *e = &passed->message->events[i];
        int row = -1;
        switch (e->kind) {
        case STREAM_CANDLE:
            row = passed->in_use ? row_of(m, e->market) : -1;
            if (row >= 0) {
                take_candle(m, row, &e->candle, e->closed);
            }
            break;
        case STREAM_TOP:
            row = passed->in_use ? row_of(m, e->market) : -1;
            if (row >= 0) {
                set_quote(m, row, e);
            }
            break;
        case STREAM_REFUSED:
            m->status.refused++;
            log_err(LOG_LEVEL_WARNING, err, "the venue refuses a subscription of prices");
            break;
        case STREAM_BOOK:
            row = row_of(m, e->market);
            if (row >= 0) {
                take_book(m, lane, row, passed, e);
            }
            break;
        case STREAM_TRADE:
            row = passed->in_use && m->stream->trades_make_candles ? row_of(m, e->market) : -1;
            if (row >= 0) {
                take_trade(m, row, e);
            }
            break;
        case STREAM_STATUS:
            row = row_of(m, e->market);
            if (row >= 0) {
                set_status(m, row, e);
            }
            break;
        case STREAM_NONE:
        case STREAM_LOGGED_IN:
        case STREAM_SHUT:
        case STREAM_READY:
        case STREAM_CLOSING:
            break;
        }
    }
}

static void on_message(struct market_lane *lane, const struct market_lane_message *passed,
                       const struct err *err, void *userdata)
{
    market_stream_take(((const struct market_seat *)userdata)->feed, lane, passed, err);
}

/* ---------------------------------------------------------------- connections */

static bool has_row(const struct market_seat *seat, int row)
{
    for (int i = 0; i < seat->count; i++) {
        if (seat->rows[i] == row) {
            return true;
        }
    }
    return false;
}

bool market_stream_is_up(const struct market_feed *m, int row)
{
    bool up = m->seat_count > 0;
    for (int i = 0; i < m->seat_count; i++) {
        const struct market_seat *seat = &m->seats[i];
        up = up && (market_lane_is_up(seat->lane) || !has_row(seat, row));
    }
    return up;
}

static void on_up(struct market_lane *lane, void *userdata)
{
    const struct market_seat *seat = userdata;
    struct market_feed *m = seat->feed;
    (void)lane;
    for (int i = 0; i < seat->count && m->follows; i++) {
        if (market_stream_is_up(m, seat->rows[i])) {
            minutes_up(&m->minutes, seat->rows[i], market_link_now_us(&m->link, m->clock));
        }
    }
    LOG(NOTICE, "%s: a stream of %d markets is open", m->exchange->name, seat->count);
    market_feed_changed(m);
}

static void on_down(struct market_lane *lane, const char *why, void *userdata)
{
    const struct market_seat *seat = userdata;
    struct market_feed *m = seat->feed;
    (void)lane;
    for (int i = 0; i < seat->count; i++) {
        struct market_row *r = &m->rows[seat->rows[i]];
        if (m->follows) {
            minutes_down(&m->minutes, seat->rows[i]);
        }
        if (r->book != NULL) {
            book_forget(r->book);
        }
        r->made = (struct candle){0};
    }
    m->status.gaps++;
    LOG(WARNING, "the stream of prices is lost: %s", why);
    market_feed_changed(m);
}

/* A URL of the configuration without a path gets that of the venue's. */
static void choose_url(const struct market_feed *m, const struct stream_api *api,
                       struct market_seat *seat)
{
    const char *wanted = m->settings.stream_url;
    const char *host = strstr(wanted, "://");
    bool bare = host != NULL && strchr(host + 3, '/') == NULL;
    const char *path = strchr(strstr(api->url, "://") + 3, '/');
    (void)snprintf(seat->url, sizeof(seat->url), "%s%s", wanted[0] == '\0' ? api->url : wanted,
                   bare && path != NULL ? path : "");
}

/* The rows from *at on that are of this table's connections, as many as one has room for. */
static void choose_rows(const struct market_feed *m, const struct stream_api *api, int *at,
                        struct market_seat *seat)
{
    seat->rows = calloc((size_t)m->row_count, sizeof(*seat->rows));
    seat->markets = calloc((size_t)m->row_count, sizeof(*seat->markets));
    NEED_MEMORY(seat->rows != NULL && seat->markets != NULL);
    for (; *at < m->row_count && seat->count < api->markets_max; ++*at) {
        if (api->has == NULL || api->has(&m->markets[*at])) {
            seat->rows[seat->count] = *at;
            seat->markets[seat->count++] = m->markets[*at];
        }
    }
}

static void free_seat(struct market_seat *seat)
{
    market_lane_free(seat->lane);
    free(seat->rows);
    free(seat->markets);
}

static void open_seats(struct market_feed *m, const struct stream_api *api)
{
    for (int at = 0; at < m->row_count;) {
        struct market_seat *seat = &m->seats[m->seat_count];
        *seat = (struct market_seat){.feed = m};
        choose_rows(m, api, &at, seat);
        if (seat->count == 0) {
            free_seat(seat);
            return;
        }
        m->seat_count++;
        choose_url(m, api, seat);
        const struct market_lane_options options = {.loop = feed_loop(m->feed),
                                                    .http = m->http,
                                                    .api = api,
                                                    .url = seat->url,
                                                    .markets = seat->markets,
                                                    .count = seat->count,
                                                    .depth = m->depth,
                                                    .ca_file = m->settings.ca_file,
                                                    .key_id = m->key_id,
                                                    .key_secret = m->key_secret,
                                                    .message = &m->message,
                                                    .on_up = on_up,
                                                    .on_down = on_down,
                                                    .on_message = on_message,
                                                    .on_refused = on_refused,
                                                    .userdata = seat};
        seat->lane = market_lane_new(&options);
    }
}

void market_stream_open(struct market_feed *m)
{
    int seats = 0;
    market_stream_close(m);
    make_places(m);
    make_books(m);
    for (const struct stream_api *api = m->stream; api != NULL; api = api->also) {
        seats += (m->row_count + api->markets_max - 1) / api->markets_max;
    }
    m->seats = calloc((size_t)seats, sizeof(*m->seats));
    NEED_MEMORY(m->seats != NULL);
    for (const struct stream_api *api = m->stream; api != NULL; api = api->also) {
        open_seats(m, api);
    }
}

void market_stream_close(struct market_feed *m)
{
    for (int i = 0; i < m->seat_count; i++) {
        free_seat(&m->seats[i]);
    }
    free(m->seats);
    m->seats = NULL;
    m->seat_count = 0;
    m->dirty_count = 0;
}

void market_stream_follow(struct market_feed *m)
{
    for (int i = 0; i < m->row_count && m->follows; i++) {
        minutes_down(&m->minutes, i);
        if (market_stream_is_up(m, i)) {
            minutes_up(&m->minutes, i, market_link_now_us(&m->link, m->clock));
        }
    }
}

void market_stream_reopen(struct market_feed *m)
{
    for (int i = 0; i < m->seat_count; i++) {
        market_lane_reopen(m->seats[i].lane, "a new connection was asked for");
    }
}

void market_stream_init(struct market_feed *m, struct loop *loop)
{
    m->quotes = loop_add_deferred(loop, publish_quotes, m);
    m->message.levels = calloc(STREAM_LEVELS_MAX, sizeof(*m->message.levels));
    m->dirty = calloc((size_t)m->symbols, sizeof(*m->dirty));
    NEED_MEMORY(m->message.levels != NULL && m->dirty != NULL);
    loop_source_name(m->quotes, "market quotes");
}

void market_stream_release(struct market_feed *m)
{
    market_stream_close(m);
    loop_source_free(m->quotes);
    free(m->message.levels);
    free(m->places);
    free(m->dirty);
}
