#include "sim/hostile.h"

#include "base/check.h"
#include "store/order_table.h"

#include <stdio.h>

static struct hostile *of(struct venue *venue)
{
    return (struct hostile *)((char *)venue - offsetof(struct hostile, venue));
}

__attribute__((format(printf, 2, 3))) static void complain(struct hostile *h, const char *format,
                                                           ...)
{
    if (h->complaint[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(h->complaint, sizeof(h->complaint), format, args);
    va_end(args);
}

static bool chance(struct hostile *h, double probability)
{
    return rng_chance(h->rng, probability * h->evil);
}

static int64_t delay(struct hostile *h, int64_t most_us)
{
    return h->evil > 0 && rng_chance(h->rng, 0.4) ? (int64_t)rng_below(h->rng, (uint64_t)most_us)
                                                  : 0;
}

/* ---------------------------------------------------------------- reports */

static void queue(struct hostile *h, const struct venue_report *report, int64_t delay_us)
{
    if (h->report_count < HOSTILE_REPORTS_MAX) {
        h->reports[h->report_count++] =
            (struct hostile_report){h->clock->now_mono_us + delay_us, *report};
    }
}

static void answer(struct hostile *h, enum venue_report_kind kind, enum venue_call asked,
                   const char *client_id)
{
    struct venue_report r = {.kind = kind, .asked = asked};
    (void)str_copy(str_c(client_id), r.client_id, sizeof(r.client_id));
    queue(h, &r, delay(h, 3 * USEC_PER_SEC));
}

static void pull(struct hostile *h)
{
    struct venue_report r;
    while (venue_poll(h->inner, &r)) {
        if (chance(h, 0.15)) {
            continue; /* lost on the way back */
        }
        queue(h, &r, delay(h, 5 * USEC_PER_SEC));
        if (chance(h, 0.15)) {
            queue(h, &r, delay(h, 20 * USEC_PER_SEC));
        }
    }
}

static bool hostile_poll(struct venue *venue, struct venue_report *ret)
{
    struct hostile *h = of(venue);
    if (h->dead) {
        return false;
    }
    for (int i = 0; i < h->call_count; i++) {
        if (h->calls[i].due_us <= h->clock->now_mono_us) {
            struct order order = h->calls[i].order;
            h->calls[i] = h->calls[--h->call_count];
            venue_send(h->inner, &order);
            i--;
        }
    }
    pull(h);
    for (int i = 0; i < h->report_count; i++) {
        if (h->reports[i].due_us <= h->clock->now_mono_us) {
            *ret = h->reports[i].report;
            h->report_count--;
            memmove(&h->reports[i], &h->reports[i + 1],
                    (size_t)(h->report_count - i) * sizeof(h->reports[0]));
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- calls */

/* An order that is still on its way is lost for good or arrives now: so that an answer about it
 * stays true. */
static void settle_call(struct hostile *h, const char *client_id)
{
    for (int i = 0; i < h->call_count; i++) {
        if (strcmp(h->calls[i].order.client_id, client_id) == 0) {
            struct order order = h->calls[i].order;
            h->calls[i] = h->calls[--h->call_count];
            if (rng_chance(h->rng, 0.5)) {
                venue_send(h->inner, &order);
            }
            return;
        }
    }
}

static void watch_entry(struct hostile *h, const struct order *o)
{
    if (h->entries_forbidden) {
        complain(h, "%s opens while nothing may be opened", o->client_id);
    }
    double notional = dec_to_double(o->qty) * dec_to_double(o->reference_price);
    /* The equity published before this step may be a minute older. */
    if (notional > h->equity * h->max_notional / 100 * 1.05) {
        complain(h, "%s has a notional of %.2f of %.2f", o->client_id, notional, h->equity);
    }
    const struct dec low = o->side == SIDE_LONG ? o->stop : o->target;
    const struct dec high = o->side == SIDE_LONG ? o->target : o->stop;
    if (low.e8 <= 0 || low.e8 >= o->reference_price.e8 || high.e8 <= o->reference_price.e8) {
        complain(h, "%s has no stop and target around its price", o->client_id);
    }
    for (int i = 0; i < h->cooldown_count; i++) {
        if (symbol_equal(h->cooldowns[i].symbol, o->symbol) &&
            h->cooldowns[i].until_us > o->created_us) {
            complain(h, "%s opens while %s cools down", o->client_id, o->symbol.name);
        }
    }
}

static void watch_send(struct hostile *h, const struct order *order)
{
    struct order row;
    struct err err = {0};
    if (order_table_get(h->store, order->client_id, &row, &err) < 0) {
        complain(h, "%s left without an intent on disk", order->client_id);
    } else if (row.state != ORDER_PREPARED) {
        complain(h, "%s left in state %s", order->client_id, order_state_name(row.state));
    }
    for (int i = 0; i < h->sent_count; i++) {
        if (strcmp(h->sent[i], order->client_id) == 0) {
            complain(h, "%s was sent twice", order->client_id);
        }
    }
    ASSERT(h->sent_count < HOSTILE_SENT_MAX);
    memcpy(h->sent[h->sent_count++], order->client_id, CLIENT_ID_SIZE);
    if (order->kind == ORDER_ENTRY) {
        watch_entry(h, order);
    }
}

static void hostile_send(struct venue *venue, const struct order *order)
{
    struct hostile *h = of(venue);
    if (h->dead) {
        return;
    }
    watch_send(h, order);
    if (chance(h, 0.05)) {
        if (rng_chance(h->rng, 0.5)) {
            answer(h, VENUE_NO_ANSWER, VENUE_CALL_SEND, order->client_id);
        }
        return; /* never arrives */
    }
    if (chance(h, 0.05)) {
        struct venue_report r = {.kind = VENUE_ORDER, .state = ORDER_REJECTED};
        memcpy(r.client_id, order->client_id, sizeof(r.client_id));
        (void)str_copy(STR_LIT("rate limit"), r.reason, sizeof(r.reason));
        queue(h, &r, delay(h, USEC_PER_SEC));
        return;
    }
    if (chance(h, 0.1)) {
        answer(h, VENUE_NO_ANSWER, VENUE_CALL_SEND, order->client_id); /* and arrives */
    }
    int64_t delay_us = delay(h, 4 * USEC_PER_SEC);
    if (delay_us > 0 && h->call_count < HOSTILE_CALLS_MAX) {
        h->calls[h->call_count++] = (struct hostile_call){h->clock->now_mono_us + delay_us, *order};
        return;
    }
    venue_send(h->inner, order);
}

static void hostile_cancel(struct venue *venue, const char *client_id)
{
    struct hostile *h = of(venue);
    if (h->dead) {
        return;
    }
    settle_call(h, client_id);
    if (chance(h, 0.1)) {
        answer(h, VENUE_NO_ANSWER, VENUE_CALL_CANCEL, client_id);
        return;
    }
    venue_cancel(h->inner, client_id);
}

static void hostile_query(struct venue *venue, const char *client_id)
{
    struct hostile *h = of(venue);
    if (h->dead) {
        return;
    }
    settle_call(h, client_id);
    if (chance(h, 0.15)) {
        answer(h, VENUE_NO_ANSWER, VENUE_CALL_QUERY, client_id);
        return;
    }
    venue_query(h->inner, client_id);
}

static void hostile_list(struct venue *venue, int64_t ask_id)
{
    struct hostile *h = of(venue);
    if (h->dead) {
        return;
    }
    if (chance(h, 0.15)) {
        answer(h, VENUE_NO_ANSWER, VENUE_CALL_LIST, "");
        return;
    }
    venue_list(h->inner, ask_id);
}

static const struct venue_ops hostile_ops = {
    .name = "hostile",
    .send = hostile_send,
    .cancel = hostile_cancel,
    .query = hostile_query,
    .list = hostile_list,
    .poll = hostile_poll,
};

/* ---------------------------------------------------------------- the feed */

static struct hostile *of_source(const struct source *source)
{
    return (struct hostile *)((uintptr_t)source - offsetof(struct hostile, source));
}

static void spoil(struct hostile *h, struct source_bar *bar)
{
    struct candle *c = &bar->candle;
    switch (rng_below(h->rng, 6)) {
    case 0:
        c->high = dec_sub(c->low, (struct dec){1});
        break;
    case 1:
        c->low = DEC_ZERO;
        break;
    case 2:
        c->close = DEC_INVALID; /* what NaN becomes */
        break;
    case 3:
        c->open_us -= 10 * USEC_PER_MIN;
        break;
    case 4:
        c->open_us += USEC_PER_DAY;
        break;
    default:
        c->volume = dec_neg(dec_from_int(1));
        break;
    }
}

static int hostile_take(struct source *source, struct source_bar ret[SYMBOLS_MAX])
{
    struct hostile *h = of_source(source);
    int count = source_take(h->inner_source, ret);
    int kept = 0;
    for (int i = 0; i < count; i++) {
        ret[kept] = ret[i];
        if (chance(h, 0.02)) {
            continue; /* this minute never comes */
        }
        if (chance(h, 0.02)) {
            spoil(h, &ret[kept]);
        }
        kept++;
    }
    return kept;
}

static int64_t hostile_next_us(const struct source *source)
{
    return source_next_us(of_source(source)->inner_source);
}

static size_t hostile_save(const struct source *source, void *dst, size_t dst_size)
{
    return source_save(of_source(source)->inner_source, dst, dst_size);
}

static bool hostile_load(struct source *source, const void *bytes, size_t size)
{
    return source_load(of_source(source)->inner_source, bytes, size);
}

static const struct source_ops hostile_source_ops = {
    .name = "hostile",
    .next_us = hostile_next_us,
    .take = hostile_take,
    .save = hostile_save,
    .load = hostile_load,
};

/* ---------------------------------------------------------------- life */

void hostile_init(struct hostile *h, struct rng *rng, struct trading_store *store,
                  const struct clock_fake *clock)
{
    memset(h, 0, sizeof(*h));
    h->venue.ops = &hostile_ops;
    h->source.ops = &hostile_source_ops;
    h->rng = rng;
    h->store = store;
    h->clock = clock;
    h->evil = 1;
}

void hostile_crash(struct hostile *h)
{
    h->report_count = 0;
    h->dead = false;
    for (int i = 0; i < h->call_count; i++) {
        if (rng_chance(h->rng, 0.5)) {
            h->calls[i--] = h->calls[--h->call_count];
        }
    }
}

bool hostile_quiet(const struct hostile *h)
{
    return h->report_count == 0 && h->call_count == 0;
}

struct venue *hostile_venue(struct venue *inner, void *hostile)
{
    struct hostile *h = hostile;
    h->inner = inner;
    return &h->venue;
}

struct source *hostile_source(struct source *inner, void *hostile)
{
    struct hostile *h = hostile;
    h->inner_source = inner;
    h->source.step_us = source_step_us(inner);
    return &h->source;
}
