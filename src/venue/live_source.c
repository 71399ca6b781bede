#include "base/check.h"
#include "market_feed_private.h"

#include <stdlib.h>
#include <string.h>

/* The engine's side of live prices: nothing here waits or sends. */

#define MAGIC   UINT64_C(0x6e642d6c69766501) /* the layout of struct saved */
#define STEP_US USEC_PER_MIN

struct saved {
    uint64_t magic;
    int64_t next_us;
};

static const struct live_source *of_const(const struct source *source)
{
    return (const struct live_source *)((const char *)source -
                                        offsetof(struct live_source, source));
}

static struct live_source *of(struct source *source)
{
    return (struct live_source *)((char *)source - offsetof(struct live_source, source));
}

int64_t market_link_now_us(const struct market_link *link, const struct clock *clock)
{
    int64_t offset_us = atomic_load_explicit(&link->offset_us, memory_order_relaxed);
    return offset_us == 0 ? clock_wall_us(clock) : clock_mono_us(clock) + offset_us;
}

/* ---------------------------------------------------------------- steps */

static int64_t next_us(const struct source *source)
{
    const struct live_source *s = of_const(source);
    return s->holds ? s->held->open_us + STEP_US : LIVE_NOT_HERE_US;
}

/* Steps of an earlier ask, or from before a restored state, are dropped. */
static void look(struct live_source *s)
{
    while (!s->holds && ring_pop(s->link->steps, s->held)) {
        s->holds = s->held->generation == s->generation && s->held->open_us >= s->next_us;
    }
}

static int next(struct source *source, struct source_bar *ret)
{
    struct live_source *s = of(source);
    int count = s->holds ? s->held->count : 0;
    if (s->holds) {
        memcpy(ret, s->held->bars, (size_t)count * sizeof(*ret));
        s->next_us = s->held->open_us + STEP_US;
        s->holds = false;
        look(s);
    }
    return count;
}

static int64_t now_us(const struct source *source)
{
    const struct live_source *s = of_const(source);
    return market_link_now_us(s->link, s->clock);
}

static int64_t late_us(const struct source *source)
{
    const struct live_source *s = of_const(source);
    return s->next_us == 0 ? 0 : now_us(source) - (s->next_us + STEP_US);
}

/* ---------------------------------------------------------------- faults */

static const struct err *fault(const struct source *source)
{
    const struct live_source *s = of_const(source);
    return s->fault.id == 0 ? NULL : &s->fault;
}

static bool ask(struct live_source *s, struct market_ask *wanted)
{
    if (!ring_push(s->link->asks, &wanted)) {
        free(wanted);
        return false;
    }
    loop_wake(s->link->wake);
    return true;
}

static int reconnect(struct source *source, struct err *err)
{
    struct live_source *s = of(source);
    struct market_ask *wanted = calloc(1, sizeof(*wanted));
    NEED_MEMORY(wanted != NULL);
    wanted->generation = s->generation;
    wanted->reconnect = true;
    return ask(s, wanted) ? 0 : err_set(err, ERR_MARKET_STREAM, "it is being connected already");
}

/* ---------------------------------------------------------------- state */

size_t live_source_save(int64_t next_us, void *dst, size_t dst_size)
{
    const struct saved saved = {MAGIC, next_us};
    if (dst_size < sizeof(saved)) {
        return 0;
    }
    memcpy(dst, &saved, sizeof(saved));
    return sizeof(saved);
}

bool live_source_load(const void *bytes, size_t size, int64_t *ret_next_us)
{
    struct saved saved;
    if (size != sizeof(saved)) {
        return false;
    }
    memcpy(&saved, bytes, sizeof(saved));
    if (saved.magic != MAGIC || saved.next_us <= 0 || saved.next_us % STEP_US != 0) {
        return false;
    }
    *ret_next_us = saved.next_us;
    return true;
}

static size_t save(const struct source *source, void *dst, size_t dst_size)
{
    return live_source_save(of_const(source)->next_us, dst, dst_size);
}

static bool load(struct source *source, const void *bytes, size_t size)
{
    struct live_source *s = of(source);
    if (!live_source_load(bytes, size, &s->next_us)) {
        return false;
    }
    s->holds = false;
    return true;
}

void live_source_skip_to(struct live_source *s, int64_t next_us)
{
    s->next_us = next_us;
    s->holds = s->holds && s->held->open_us >= next_us;
    look(s);
}

static const struct source_ops live_source_ops = {
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

static bool same_symbols(const struct live_source *s, const struct symbol *symbols, int count)
{
    return s->generation > 0 && count == s->symbol_count &&
           memcmp(s->symbols, symbols, (size_t)count * sizeof(*symbols)) == 0;
}

static void begin(struct live_source *s, const struct symbol *symbols, int count, int64_t from_us)
{
    struct market_ask *wanted =
        calloc(1, sizeof(*wanted) + (size_t)count * sizeof(wanted->symbols[0]));
    NEED_MEMORY(wanted != NULL);
    wanted->generation = s->generation + 1;
    wanted->from_us = from_us;
    wanted->count = count;
    memcpy(wanted->symbols, symbols, (size_t)count * sizeof(*symbols));
    if (ask(s, wanted)) {
        s->generation++;
        s->symbol_count = count;
        memcpy(s->symbols, symbols, (size_t)count * sizeof(*symbols));
        s->holds = false;
        s->next_us = from_us;
    }
}

int market_feed_warm(struct market_feed *market, const struct symbol *symbols, int count,
                     struct market_history **ret, struct err *err)
{
    struct live_source *s = &market->engine;
    if (!s->warm || !same_symbols(s, symbols, count)) {
        begin(s, symbols, count, 0);
        s->warm = true;
    }
    const struct market_feed_status *status = market_feed_status(market);
    int64_t generation = atomic_load(&s->link->history_generation);
    *ret = generation == s->generation ? atomic_exchange(&s->link->history, NULL) : NULL;
    if (*ret == NULL) {
        return err_set(err, ERR_MARKET_STARTING, "%s",
                       status->reason[0] != '\0' ? status->reason : status->doing);
    }
    s->next_us = (*ret)->until_us;
    s->warm = false; /* another start needs it again */
    look(s);
    return 0;
}

void market_feed_follow(struct market_feed *market, const struct symbol *symbols, int count)
{
    struct live_source *s = &market->engine;
    s->warm = false;
    begin(s, symbols, count, s->next_us);
}

struct source *market_feed_source(struct market_feed *market)
{
    return &market->engine.source;
}

const struct market_feed_status *market_feed_status(struct market_feed *market)
{
    struct live_source *s = &market->engine;
    s->status = mailbox_latest(s->link->status, NULL);
    s->fault.id = s->status->err;
    (void)snprintf(s->fault.context, sizeof(s->fault.context), "%s", s->status->reason);
    look(s);
    return s->status;
}

/* NULL: nothing yet, or of an earlier ask. */
static const struct market_top *find_top(struct live_source *s, struct symbol symbol)
{
    int at = -1;
    for (int i = 0; i < s->symbol_count && at < 0; i++) {
        int place = (s->quote_at + i) % s->symbol_count; /* usually they are asked for in order */
        at = symbol_equal(s->symbols[place], symbol) ? place : -1;
    }
    if (at < 0) {
        return NULL;
    }
    s->quote_at = at + 1;
    const struct market_top *top = mailbox_latest(s->link->tops[at], NULL);
    return symbol_equal(top->quote.symbol, symbol) ? top : NULL;
}

bool market_feed_quote(struct market_feed *market, struct symbol symbol, struct quote *ret)
{
    const struct live_source *s = &market->engine;
    const struct market_top *top = find_top(&market->engine, symbol);
    if (top == NULL || top->quote.bid.e8 == 0) {
        return false;
    }
    *ret = top->quote;
    /* A stream that is alive would have said that they changed. */
    if (s->status->up && s->status->alive_us > ret->at_us) {
        ret->at_us = s->status->alive_us;
    }
    return true;
}

bool market_feed_halted(struct market_feed *market, struct symbol symbol)
{
    const struct market_top *top = find_top(&market->engine, symbol);
    return top != NULL && top->halted;
}

bool market_feed_depth(struct market_feed *market, struct symbol symbol, struct dec *ret_bids,
                       struct dec *ret_asks)
{
    const struct market_top *top = find_top(&market->engine, symbol);
    if (top == NULL || top->bid_depth.e8 == 0 || !market->engine.status->up) {
        return false;
    }
    *ret_bids = top->bid_depth;
    *ret_asks = top->ask_depth;
    return true;
}

/* ---------------------------------------------------------------- life */

void live_source_init(struct live_source *source, struct market_link *link,
                      const struct clock *clock, int symbols)
{
    *source = (struct live_source){
        .source = {.ops = &live_source_ops, .step_us = STEP_US}, .clock = clock, .link = link};
    source->symbols = calloc((size_t)symbols, sizeof(*source->symbols));
    source->held = calloc(1, market_step_size(symbols));
    NEED_MEMORY(source->symbols != NULL && source->held != NULL);
    source->status = mailbox_latest(link->status, NULL);
}

void live_source_release(struct live_source *source)
{
    free(source->symbols);
    free(source->held);
}
