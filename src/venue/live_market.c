#include "venue/live_market.h"

#include "base/check.h"
#include "base/log.h"
#include "live_market_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_US USEC_PER_MIN
/* So long the others wait for a venue that is behind. */
#define WAIT_US (30 * USEC_PER_SEC)

static struct live_market *of(struct source *source)
{
    return (struct live_market *)((char *)source - offsetof(struct live_market, source));
}

static const struct live_market *of_const(const struct source *source)
{
    return (const struct live_market *)((const char *)source -
                                        offsetof(struct live_market, source));
}

static const struct live_source *engine_of(const struct live_part *p)
{
    return &p->feed->engine;
}

/* ---------------------------------------------------------------- symbols */

static int route(const struct live_plan *plan, struct symbol symbol)
{
    for (int i = 0; i < plan->route_count; i++) {
        if (symbol_equal(plan->routes[i].symbol, symbol)) {
            return plan->routes[i].venue;
        }
    }
    return 0;
}

static bool same_symbols(const struct live_market *m, const struct symbol *symbols, int count)
{
    return m->symbol_count == count &&
           memcmp(m->symbols, symbols, (size_t)count * sizeof(*symbols)) == 0;
}

static void share_out(struct live_market *m, const struct symbol *symbols, int count)
{
    if (same_symbols(m, symbols, count)) {
        return;
    }
    for (int i = 0; i < m->count; i++) {
        m->parts[i].count = 0;
        market_history_free(TAKE(m->parts[i].history));
    }
    m->symbol_count = count;
    m->find_at = 0;
    memcpy(m->symbols, symbols, (size_t)count * sizeof(*symbols));
    for (int i = 0; i < count; i++) {
        struct live_part *p = &m->parts[route(m->plan, symbols[i])];
        m->owners[i] = (uint8_t)(p - m->parts);
        p->symbols[p->count++] = symbols[i];
    }
}

/* NULL: it is not followed. They are usually asked for in order. */
static struct market_feed *feed_of(struct live_market *m, struct symbol symbol)
{
    if (m->count == 1) {
        return m->parts[0].feed;
    }
    for (int i = 0; i < m->symbol_count; i++) {
        int at = (m->find_at + i) % m->symbol_count;
        if (symbol_equal(m->symbols[at], symbol)) {
            m->find_at = at + 1;
            return m->parts[m->owners[at]].feed;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- steps */

/* The open of the next step; LIVE_NOT_HERE_US: a venue is waited for. */
static int64_t next_open_us(const struct live_market *m)
{
    int64_t open_us = LIVE_NOT_HERE_US;
    for (int i = 0; i < m->count; i++) {
        const struct live_part *p = &m->parts[i];
        const struct live_source *s = engine_of(p);
        if (p->count > 0 && !s->holds && !p->behind) {
            return LIVE_NOT_HERE_US;
        }
        if (p->count > 0 && s->holds && s->held->open_us < open_us) {
            open_us = s->held->open_us;
        }
    }
    return open_us;
}

static int64_t next_us(const struct source *source)
{
    int64_t open_us = next_open_us(of_const(source));
    return open_us == LIVE_NOT_HERE_US ? open_us : open_us + STEP_US;
}

static int next(struct source *source, struct source_bar *ret)
{
    struct live_market *m = of(source);
    int64_t open_us = next_open_us(m);
    int count = 0;
    if (open_us == LIVE_NOT_HERE_US) {
        return 0;
    }
    m->next_us = open_us + STEP_US;
    for (int i = 0; i < m->count; i++) {
        struct live_source *s = &m->parts[i].feed->engine;
        if (m->parts[i].count > 0 && s->holds && s->held->open_us == open_us) {
            count += source_next(&s->source, &ret[count]);
        }
    }
    m->waits_mono_us = 0;
    return count;
}

static const struct live_part *first_part(const struct live_market *m)
{
    int at = 0;
    while (at < m->count - 1 && m->parts[at].count == 0) {
        at++;
    }
    return &m->parts[at];
}

static int64_t now_us(const struct source *source)
{
    return source_now_us(&engine_of(first_part(of_const(source)))->source);
}

static int64_t late_us(const struct source *source)
{
    const struct live_market *m = of_const(source);
    return m->next_us == 0 ? 0 : now_us(source) - (m->next_us + STEP_US);
}

/* While one has a step and another has none, the latter is waited for, but not for long. */
static void wait_for_all(struct live_market *m)
{
    bool some = false, missing = false;
    for (int i = 0; i < m->count; i++) {
        struct live_part *p = &m->parts[i];
        if (p->count > 0 && m->next_us != 0) {
            live_source_skip_to(&p->feed->engine, m->next_us);
        }
        bool holds = p->count > 0 && engine_of(p)->holds;
        if (holds && p->behind) {
            p->behind = false;
            LOG(NOTICE, "%s has caught up", m->plan->venues[i].venue);
        }
        some = some || holds;
        missing = missing || (p->count > 0 && !holds && !p->behind);
    }
    int64_t mono_us = clock_mono_us(m->clock);
    if (!some || !missing) {
        m->waits_mono_us = 0;
    } else if (m->waits_mono_us == 0) {
        m->waits_mono_us = mono_us;
    } else if (mono_us - m->waits_mono_us >= WAIT_US) {
        for (int i = 0; i < m->count; i++) {
            struct live_part *p = &m->parts[i];
            if (p->count > 0 && !engine_of(p)->holds && !p->behind) {
                p->behind = true;
                LOG(WARNING, "%s is behind: minutes are traded without it",
                    m->plan->venues[i].venue);
            }
        }
    }
}

/* ---------------------------------------------------------------- faults and state */

static const struct err *fault(const struct source *source)
{
    const struct live_market *m = of_const(source);
    const struct err *why = NULL;
    for (int i = 0; i < m->count && why == NULL; i++) {
        why = m->parts[i].count > 0 ? source_fault(&engine_of(&m->parts[i])->source) : NULL;
    }
    return why;
}

/* Those that have a fault, or all. */
static int reconnect(struct source *source, struct err *err)
{
    struct live_market *m = of(source);
    bool all = fault(source) == NULL;
    int rc = 0;
    for (int i = 0; i < m->count && rc >= 0; i++) {
        struct source *own = market_feed_source(m->parts[i].feed);
        if (m->parts[i].count > 0 && (all || source_fault(own) != NULL)) {
            rc = source_reconnect(own, err);
        }
    }
    return rc;
}

static size_t save(const struct source *source, void *dst, size_t dst_size)
{
    return live_source_save(of_const(source)->next_us, dst, dst_size);
}

static bool load(struct source *source, const void *bytes, size_t size)
{
    return live_source_load(bytes, size, &of(source)->next_us);
}

static const struct source_ops several_ops = {
    .name = "live",
    .next_us = next_us,
    .next = next,
    .fault = fault,
    .reconnect = reconnect,
    .now_us = now_us,
    .late_us = late_us,
    .save = save,
    .load = load,
};

/* ---------------------------------------------------------------- asking */

/* Of all venues, from the earliest end on: a venue whose history goes on further has no candles
 * before its end. */
static struct market_history *join_histories(struct live_market *m)
{
    struct market_history *joined =
        calloc(1, sizeof(*joined) + (size_t)m->symbol_count * sizeof(joined->rows[0]));
    NEED_MEMORY(joined != NULL);
    joined->until_us = INT64_MAX;
    for (int i = 0; i < m->count; i++) {
        struct market_history *h = TAKE(m->parts[i].history);
        for (int k = 0; h != NULL && k < h->count; k++) {
            joined->rows[joined->count++] = h->rows[k];
            h->rows[k].candles = NULL;
        }
        if (h != NULL && h->until_us < joined->until_us) {
            joined->until_us = h->until_us;
        }
        market_history_free(h);
    }
    return joined;
}

int live_market_warm(struct live_market *m, const struct symbol *symbols, int count,
                     struct market_history **ret, struct err *err)
{
    if (m->count == 1) {
        return market_feed_warm(m->parts[0].feed, symbols, count, ret, err);
    }
    *ret = NULL;
    share_out(m, symbols, count);
    int rc = 0;
    for (int i = 0; i < m->count; i++) { /* each begins at once */
        struct live_part *p = &m->parts[i];
        struct err why = {0};
        if (p->count > 0 && p->history == NULL &&
            market_feed_warm(p->feed, p->symbols, p->count, &p->history, &why) < 0 && rc >= 0) {
            *err = why;
            rc = -why.id;
        }
    }
    if (rc >= 0) {
        *ret = join_histories(m);
        m->next_us = (*ret)->until_us;
    }
    return rc;
}

void live_market_follow(struct live_market *m, const struct symbol *symbols, int count)
{
    if (m->count == 1) {
        market_feed_follow(m->parts[0].feed, symbols, count);
        return;
    }
    share_out(m, symbols, count);
    for (int i = 0; i < m->count; i++) {
        struct live_part *p = &m->parts[i];
        p->behind = false;
        if (p->count > 0) {
            live_source_skip_to(&p->feed->engine, m->next_us);
            market_feed_follow(p->feed, p->symbols, p->count);
        }
    }
}

struct source *live_market_source(struct live_market *m)
{
    return m->count == 1 ? market_feed_source(m->parts[0].feed) : &m->source;
}

bool live_market_quote(struct live_market *m, struct symbol symbol, struct quote *ret)
{
    struct market_feed *feed = feed_of(m, symbol);
    return feed != NULL && market_feed_quote(feed, symbol, ret);
}

bool live_market_depth(struct live_market *m, struct symbol symbol, struct dec *ret_bids,
                       struct dec *ret_asks)
{
    struct market_feed *feed = feed_of(m, symbol);
    return feed != NULL && market_feed_depth(feed, symbol, ret_bids, ret_asks);
}

bool live_market_halted(struct live_market *m, struct symbol symbol)
{
    struct market_feed *feed = feed_of(m, symbol);
    return feed != NULL && market_feed_halted(feed, symbol);
}

static void add_status(struct market_feed_status *sum, const struct market_feed_status *s)
{
    sum->up = sum->up && s->up;
    sum->alive_us = s->alive_us < sum->alive_us ? s->alive_us : sum->alive_us;
    if (sum->err == ERR_NONE) {
        sum->err = s->err;
        memcpy(sum->reason, s->reason, sizeof(sum->reason));
    }
    if (sum->doing[0] == '\0') {
        memcpy(sum->doing, s->doing, sizeof(sum->doing));
    }
    sum->connections += s->connections;
    sum->gaps += s->gaps;
    sum->filled += s->filled;
    sum->late += s->late;
    sum->refused += s->refused;
    sum->books += s->books;
    sum->books_lost += s->books_lost;
}

const struct market_feed_status *live_market_status(struct live_market *m)
{
    if (m->count == 1) {
        return market_feed_status(m->parts[0].feed);
    }
    int used = 0;
    m->status = (struct market_feed_status){.up = true, .alive_us = INT64_MAX};
    for (int i = 0; i < m->count; i++) {
        const struct market_feed_status *s = market_feed_status(m->parts[i].feed);
        if (m->parts[i].count > 0) {
            add_status(&m->status, s);
            used++;
        }
    }
    if (used == 0) {
        m->status.up = false;
        m->status.alive_us = 0;
    }
    (void)snprintf(m->status.venue, sizeof(m->status.venue), "%u venues",
                   (unsigned)m->count % 10); /* LIVE_VENUES_MAX is below 10 */
    wait_for_all(m);
    return &m->status;
}

/* ---------------------------------------------------------------- life */

static int add_feeds(struct live_market *m, const struct live_market_options *options,
                     struct err *err)
{
    for (int i = 0; i < options->plan->count; i++) {
        const struct market_feed_options one = {.settings = &options->plan->venues[i],
                                                .feed = options->feed,
                                                .clock = options->clock,
                                                .symbols = options->symbols};
        struct live_part *p = &m->parts[m->count];
        p->feed = market_feed_new(&one, err);
        if (p->feed == NULL) {
            return -err->id;
        }
        m->count++;
        m->plan->venues[i].key_id = m->plan->venues[i].key_secret = NULL;
        p->symbols = calloc((size_t)options->symbols, sizeof(*p->symbols));
        NEED_MEMORY(p->symbols != NULL);
    }
    return 0;
}

struct live_market *live_market_new(const struct live_market_options *options, struct err *err)
{
    struct live_market *m = calloc(1, sizeof(*m));
    NEED_MEMORY(m != NULL);
    m->source = (struct source){.ops = &several_ops, .step_us = STEP_US};
    m->clock = options->clock;
    m->plan = malloc(sizeof(*m->plan));
    m->symbols = calloc((size_t)options->symbols, sizeof(*m->symbols));
    m->owners = calloc((size_t)options->symbols, sizeof(*m->owners));
    NEED_MEMORY(m->plan != NULL && m->symbols != NULL && m->owners != NULL);
    *m->plan = *options->plan;
    if (add_feeds(m, options, err) < 0) {
        live_market_free(m);
        return NULL;
    }
    return m;
}

void live_market_free(struct live_market *m)
{
    if (m == NULL) {
        return;
    }
    for (int i = 0; i < m->count; i++) {
        market_feed_free(m->parts[i].feed);
        market_history_free(m->parts[i].history);
        free(m->parts[i].symbols);
    }
    free(m->plan);
    free(m->symbols);
    free(m->owners);
    free(m);
}
