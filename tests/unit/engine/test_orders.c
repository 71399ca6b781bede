/*
 * The life of orders as the step sees it: a venue that says whatever the test wants, in any order.
 */
#include "base/check.h"
#include "engine/engine.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define START_US INT64_C(1790002800000000)
#define ID       "nd-1-1"

static const struct symbol btc = {"BTC-USD"};
static const struct symbol eth = {"ETH-USD"};

struct lab {
    struct settings settings;
    struct engine_memory *memory;
    struct engine *engine;
    struct engine_now now;
    struct engine_inputs *in;
    struct engine_outputs *out;
    struct snapshot *snapshot;
    int64_t next_request;
};

static struct dec whole(int64_t n)
{
    return dec_from_int(n);
}

static void step_after(struct lab *l, int64_t passed_us)
{
    l->now.mono_us += passed_us;
    l->now.wall_us += passed_us;
    l->now.market_us += passed_us;
    engine_step(l->engine, &l->now, l->in, l->out);
    l->in->report_count = 0;
    l->in->bar_count = 0;
    l->in->request = NULL;
    engine_snapshot(l->engine, &l->now, l->snapshot);
    assert_true(l->snapshot->books_balance);
}

static void step(struct lab *l)
{
    step_after(l, USEC_PER_MSEC);
}

/* A minute at one price, so that there is a mark. */
static void bar(struct lab *l, int64_t price)
{
    int64_t open_us = (l->now.market_us / USEC_PER_MIN) * USEC_PER_MIN;
    l->in->bars[l->in->bar_count++] = (struct source_bar){
        btc, {open_us, whole(price), whole(price), whole(price), whole(price), whole(1)}};
    step_after(l, open_us + USEC_PER_MIN - l->now.market_us);
}

static struct venue_report *add(struct lab *l, enum venue_report_kind kind, const char *client_id)
{
    ASSERT(l->in->report_count < ENGINE_REPORTS_MAX);
    struct venue_report *r = &l->in->reports[l->in->report_count++];
    *r = (struct venue_report){.kind = kind};
    (void)str_copy(str_c(client_id), r->client_id, sizeof(r->client_id));
    return r;
}

static void add_fill(struct venue_report *r, int64_t id, enum order_kind kind, int64_t qty,
                     int64_t price)
{
    struct fill *f = &r->fills[r->fill_count++];
    *f = (struct fill){.venue_fill_id = id,
                       .symbol = btc,
                       .kind = kind,
                       .side = SIDE_LONG,
                       .qty = whole(qty),
                       .price = whole(price)};
    memcpy(f->client_id, r->client_id, sizeof(f->client_id));
}

static struct venue_report *add_order(struct lab *l, enum order_state state, int64_t filled)
{
    struct venue_report *r = add(l, VENUE_ORDER, ID);
    r->state = state;
    r->filled_qty = whole(filled);
    return r;
}

static struct venue_report *add_listing(struct lab *l)
{
    struct venue_report *r = add(l, VENUE_LISTING, "");
    r->complete = true;
    r->ask_id = l->out->list_id;
    return r;
}

static void hold(struct venue_report *r, struct symbol symbol, int64_t qty, int64_t price)
{
    r->holdings[r->holding_count++] =
        (struct venue_holding){symbol, SIDE_LONG, whole(qty), whole(price)};
}

/* Waits until the engine asks for a listing, and answers what it asks about the entry meanwhile;
 * the listing is heard of in the next step. */
static struct venue_report *await_listing(struct lab *l)
{
    for (int i = 0; i == 0 || !l->out->list; i++) {
        assert_true(i < 100);
        if (l->out->query_count > 0) {
            add_order(l, ORDER_FILLED, 10)->fills_after = 1;
        }
        step_after(l, USEC_PER_SEC);
    }
    return add_listing(l);
}

static void lab_start(struct lab *l)
{
    engine_free(l->engine);
    const struct symbol symbols[] = {btc, eth};
    l->engine = engine_new(&l->settings, symbols, 2);
    engine_restore(l->engine, l->memory);
}

/* After a crash: what the database would give back, when the outputs were committed. */
static void lab_restart(struct lab *l, const struct order *entry)
{
    l->memory->state = *engine_state(l->engine);
    int count;
    const struct position *p = engine_positions(l->engine, &count);
    memcpy(l->memory->positions, p, (size_t)count * sizeof(*p));
    l->memory->position_count = count;
    l->memory->orders[0] = *entry;
    lab_start(l);
}

/* An entry of ten at the venue since before the start, nothing of it filled. */
static void lab_open(struct lab *l)
{
    memset(l, 0, sizeof(*l));
    l->settings = (struct settings){.symbol_count = 2,
                                    .symbols = {btc, eth},
                                    .threshold = 0.25,
                                    .max_positions = 2,
                                    .max_daily_loss_pct = 100,
                                    .max_drawdown_pct = 100,
                                    .max_consecutive_losses = 100,
                                    .max_exposure_pct = 100,
                                    .max_leverage = 3,
                                    .max_correlation = 1,
                                    .max_orders_per_minute = 10,
                                    .stop_pct = 2,
                                    .target_pct = 4,
                                    .initial_cash = whole(10000)};
    for (int t = 0; t < TIERS; t++) {
        l->settings.tiers[t] = (struct tier){.max_position_pct = 100, .max_exposure_pct = 100};
    }
    l->memory = calloc(1, sizeof(*l->memory));
    l->in = calloc(1, sizeof(*l->in));
    l->out = calloc(1, sizeof(*l->out));
    l->snapshot = calloc(1, sizeof(*l->snapshot));
    ASSERT(l->memory != NULL && l->in != NULL && l->out != NULL && l->snapshot != NULL);
    l->now = (struct engine_now){START_US, START_US, USEC_PER_HOUR};
    l->next_request = 1;
    l->memory->state = (struct engine_state){.state = TRADING_ACTIVE,
                                             .market_us = START_US,
                                             .initial_cash = whole(10000),
                                             .cash = whole(10000),
                                             .equity_peak = whole(10000),
                                             .day_start_equity = whole(10000),
                                             .day = START_US / USEC_PER_DAY,
                                             .run = 1,
                                             .next_order = 2,
                                             .next_decision_id = 8,
                                             .next_trade_id = 1};
    l->memory->order_count = 1;
    l->memory->orders[0] = (struct order){.client_id = ID,
                                          .symbol = btc,
                                          .kind = ORDER_ENTRY,
                                          .side = SIDE_LONG,
                                          .state = ORDER_ACKED,
                                          .qty = whole(10),
                                          .reference_price = whole(100),
                                          .stop = whole(90),
                                          .target = whole(120),
                                          .decision_id = 7,
                                          .created_us = START_US};
    lab_start(l);
    step(l);
}

static void lab_close(struct lab *l)
{
    engine_free(l->engine);
    free(l->memory);
    free(l->in);
    free(l->out);
    free(l->snapshot);
}

/* All ten at 100, and the venue's listing says the same. */
static void lab_filled(struct lab *l)
{
    lab_open(l);
    struct venue_report *r = add_order(l, ORDER_FILLED, 10);
    r->stop = whole(90);
    r->target = whole(120);
    add_fill(r, 1, ORDER_ENTRY, 10, 100);
    step(l);
    hold(await_listing(l), btc, 10, 100);
    step(l);
    bar(l, 100);
    assert_int_equal(l->snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l->snapshot->position_count, 1);
}

static int ask(struct lab *l, struct request request)
{
    request.id = l->next_request++;
    l->in->request = &request;
    step(l);
    return l->out->request_err;
}

static bool is_trouble(const struct lab *l, enum err_id id)
{
    for (int i = 0; i < l->out->event_count; i++) {
        if (l->out->events[i].topic == TOPIC_TROUBLE && l->out->events[i].code == (uint32_t)id) {
            return true;
        }
    }
    return false;
}

static const struct order *written(const struct lab *l, const char *client_id)
{
    int i = 0;
    while (i < l->out->order_count && strcmp(l->out->orders[i].client_id, client_id) != 0) {
        i++;
    }
    ASSERT(i < l->out->order_count);
    return &l->out->orders[i];
}

/* ---------------------------------------------------------------- partial fills */

/* Twenty fills, of which a report carries eight: none is lost, none counts twice. */
static void many_fills_are_paged_through(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l);
    l.memory->orders[0].qty = whole(20);
    lab_start(&l);
    step(&l);
    assert_int_equal(l.out->queries[0].after_fill_id, 0);

    /* The newest come of themselves; what is before them is not known here. */
    struct venue_report *r = add_order(&l, ORDER_FILLED, 20);
    r->fills_after = 12;
    for (int id = 13; id <= 20; id++) {
        add_fill(r, id, ORDER_ENTRY, 1, 100);
    }
    struct venue_report newest = *r;
    step_after(&l, 3 * USEC_PER_SEC);
    assert_int_equal(l.out->fill_count, 0);
    assert_int_equal(l.out->query_count, 1);
    assert_string_equal(l.out->queries[0].client_id, ID);
    assert_int_equal(l.out->queries[0].after_fill_id, 0);

    int64_t after = 0;
    for (int page = 0; page < 3; page++) {
        r = add_order(&l, ORDER_FILLED, 20);
        r->fills_after = after;
        r->more = page < 2;
        for (int i = 0; i < (page < 2 ? 8 : 4); i++) {
            add_fill(r, ++after, ORDER_ENTRY, 1, 100);
        }
        struct venue_report again = *r;
        step(&l);
        assert_int_equal(l.out->fill_count, page < 2 ? 8 : 4);
        assert_int_equal(l.out->query_count, page < 2); /* the next page, at once */
        if (page < 2) {
            assert_int_equal(l.out->queries[0].after_fill_id, after);
            assert_int_equal(written(&l, ID)->state, ORDER_ACKED);
        }
        *add(&l, VENUE_ORDER, ID) = again; /* and the same once more */
        step(&l);
        assert_int_equal(l.out->fill_count, 0);
    }
    *add(&l, VENUE_ORDER, ID) = newest;
    step(&l);
    assert_int_equal(l.out->fill_count, 0);
    int count;
    const struct position *p = engine_positions(l.engine, &count);
    assert_int_equal(count, 1);
    assert_int_equal(p->qty.e8, whole(20).e8);
    assert_int_equal(engine_state(l.engine)->fills, 20);
    assert_int_equal(l.snapshot->open_orders, 0);

    /* A restart goes on behind what is booked. */
    l.memory->last_fill_ids[0] = 20;
    struct order entry = l.memory->orders[0];
    entry.state = ORDER_FILLED;
    entry.filled_qty = whole(20);
    lab_restart(&l, &entry);
    step(&l);
    assert_int_equal(l.out->queries[0].after_fill_id, 20);
    *add(&l, VENUE_ORDER, ID) = newest;
    step(&l);
    assert_int_equal(l.out->fill_count, 0);
    lab_close(&l);
}

static void an_order_is_over_when_its_fills_are(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l);
    struct venue_report *r = add_order(&l, ORDER_PARTIAL, 4);
    add_fill(r, 1, ORDER_ENTRY, 4, 100);
    step(&l);
    assert_int_equal(written(&l, ID)->state, ORDER_PARTIAL);
    assert_int_equal(written(&l, ID)->filled_qty.e8, whole(4).e8);
    assert_int_equal(l.snapshot->open_orders, 1);

    r = add_order(&l, ORDER_FILLED, 10); /* its second fill got lost */
    add_fill(r, 1, ORDER_ENTRY, 4, 100);
    step_after(&l, 3 * USEC_PER_SEC);
    assert_int_equal(l.snapshot->open_orders, 1);
    assert_int_equal(l.out->query_count, 1);
    r = add_order(&l, ORDER_FILLED, 10);
    add_fill(r, 1, ORDER_ENTRY, 4, 100);
    add_fill(r, 2, ORDER_ENTRY, 6, 110);
    step(&l);
    assert_int_equal(written(&l, ID)->state, ORDER_FILLED);
    assert_int_equal(written(&l, ID)->average_price.e8, whole(106).e8);
    (void)add_order(&l, ORDER_ACKED, 0); /* an old word changes nothing */
    step(&l);
    assert_int_equal(l.snapshot->open_orders, 0);

    r = add(&l, VENUE_ORDER, ID); /* the bracket's fills come under the entry's id */
    r->state = ORDER_FILLED;
    r->filled_qty = whole(10);
    r->fills_after = 2;
    add_fill(r, 3, ORDER_STOP, 7, 90);
    add_fill(r, 4, ORDER_STOP, 3, 89);
    step(&l);
    assert_int_equal(l.out->trade_count, 2);
    assert_string_equal(l.out->trades[1].exit_reason, "stop");
    assert_int_equal(l.snapshot->position_count, 0);
    lab_close(&l);
}

static void what_cannot_be_is_not_booked(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l);
    static const int64_t sizes[] = {0, -DEC_ONE, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct venue_report *r = add_order(&l, ORDER_PARTIAL, 1);
        add_fill(r, 10 + (int64_t)i, ORDER_ENTRY, 1, 100);
        r->fills[0].qty.e8 = sizes[i];
        step(&l);
        assert_true(is_trouble(&l, ERR_ENGINE_STRAY_FILL));
        assert_int_equal(l.out->fill_count, 0);
        r = add_order(&l, ORDER_PARTIAL, 1);
        add_fill(r, 10 + (int64_t)i, ORDER_ENTRY, 2, 100);
        r->fills[0].price.e8 = sizes[i]; /* the largest one, twice, is out of range */
        r->filled_qty.e8 = sizes[i];
        step(&l);
        assert_int_equal(l.out->fill_count, 0);
    }
    struct venue_report *r = add_order(&l, ORDER_PARTIAL, 1);
    add_fill(r, 20, ORDER_ENTRY, 1, 100);
    (void)symbol_parse(STR_LIT("NEVER-SEEN"), &r->fills[0].symbol);
    step(&l);
    assert_int_equal(l.out->fill_count, 0);
    r = add_order(&l, ORDER_PARTIAL, 1);
    add_fill(r, 20, ORDER_ENTRY, 1, 100);
    r->fills[0].client_id[3]++; /* of another order */
    step(&l);
    assert_int_equal(l.out->fill_count, 0);
    r = add_order(&l, ORDER_PARTIAL, 1);
    r->filled_qty = DEC_INVALID;
    r->stop = whole(80); /* half a bracket is none */
    r = add(&l, VENUE_REFUSED, ID);
    r->stop = whole(90); /* of what was asked for before there was a position */
    r->target = whole(120);
    step(&l);
    assert_false(is_trouble(&l, ERR_VENUE_AMEND));
    r = add_order(&l, ORDER_PARTIAL, 1);
    add_fill(r, 21, ORDER_STOP, 1, 90); /* closes what is not there */
    step(&l);
    assert_int_equal(l.out->fill_count, 0);
    (void)add(&l, VENUE_ORDER, "nd-77-77"); /* an echo of nothing */
    (void)add(&l, VENUE_NOT_KNOWN, "nd-77-77");
    (void)add(&l, VENUE_REFUSED, "nd-77-77");
    step(&l);
    assert_int_equal(engine_state(l.engine)->cash.e8, whole(10000).e8);
    assert_int_equal(l.snapshot->position_count, 0);
    lab_close(&l);
}

/* ---------------------------------------------------------------- silence */

static void silence_is_unknown_until_the_venue_tells(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    assert_int_equal(ask(&l, (struct request){.kind = REQUEST_CLOSE, .symbol = btc}), ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    const struct order sent = l.out->orders[l.out->sends[0]];
    assert_int_equal(sent.state, ORDER_PREPARED);
    assert_int_equal(sent.decision_id, 0);
    assert_int_equal(sent.qty.e8, whole(10).e8);
    step(&l);
    assert_int_equal(written(&l, sent.client_id)->state, ORDER_SENT);
    step_after(&l, ENGINE_ANSWER_US + USEC_PER_SEC);
    assert_int_equal(written(&l, sent.client_id)->state, ORDER_UNKNOWN);
    assert_int_equal(l.snapshot->unknown_orders, 1);
    for (int i = 0; i < 20; i++) {
        step_after(&l, ENGINE_ASK_EVERY_US);
        assert_int_equal(l.out->send_count, 0); /* asked for, never sent again */
        assert_int_equal(l.out->query_count, 1);
    }
    struct venue_report *r = add(&l, VENUE_NOT_KNOWN, sent.client_id);
    step(&l);
    assert_int_equal(written(&l, sent.client_id)->state, ORDER_CANCELLED);
    assert_int_equal(l.snapshot->unknown_orders, 0);
    assert_int_equal(l.out->send_count, 1); /* another, now that this one cannot come any more */
    assert_string_not_equal(l.out->orders[l.out->sends[0]].client_id, sent.client_id);
    (void)add(&l, VENUE_NOT_KNOWN, ID); /* what is over stays over */
    r = add(&l, VENUE_NO_ANSWER, ID);
    r->asked = VENUE_CALL_QUERY;
    r = add(&l, VENUE_NO_ANSWER, "nd-77-77");
    r->asked = VENUE_CALL_CANCEL;
    step(&l);
    assert_int_equal(l.snapshot->open_orders, 1);
    assert_int_equal(l.snapshot->position_count, 1);
    lab_close(&l);
}

/* The venue holds the ten still, and a close that was tried is over, until another is sent. */
static void await_close(struct lab *l)
{
    for (int i = 0; l->out->send_count == 0; i++) {
        assert_true(i < 20);
        if (l->out->list) {
            hold(add_listing(l), btc, 10, 100);
        }
        for (int q = 0; q < l->out->query_count; q++) {
            const char *id = l->out->queries[q].client_id;
            struct venue_report *r = add(l, VENUE_ORDER, id);
            r->state = strcmp(id, ID) == 0 ? ORDER_FILLED : ORDER_CANCELLED;
            r->filled_qty = strcmp(id, ID) == 0 ? whole(10) : DEC_ZERO;
        }
        step_after(l, USEC_PER_SEC);
    }
}

/* A second request to close asks for what the first does not cover. */
static void closes_what_is_not_closed_yet(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    struct request close = {.kind = REQUEST_CLOSE, .symbol = btc};
    assert_int_equal(ask(&l, close), ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    struct order sent = l.out->orders[l.out->sends[0]];
    assert_int_equal(ask(&l, close), ERR_NONE);
    assert_int_equal(l.out->send_count, 0);

    struct venue_report *r = add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_CANCELLED; /* expired half-way */
    r->filled_qty = whole(4);
    add_fill(r, 2, ORDER_CLOSE, 4, 101);
    step(&l);
    assert_int_equal(l.snapshot->positions[0].qty.e8, whole(6).e8);
    assert_int_equal(ask(&l, close), ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    sent = l.out->orders[l.out->sends[0]];
    assert_int_equal(sent.qty.e8, whole(6).e8);

    /* And when it is closed, the venue is asked whether it is. */
    step_after(&l, 3 * USEC_PER_SEC);
    assert_true(l.out->list);
    r = add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_FILLED;
    r->filled_qty = whole(6);
    add_fill(r, 3, ORDER_CLOSE, 6, 101);
    step(&l);
    assert_int_equal(l.snapshot->position_count, 0);
    step_after(&l, 3 * USEC_PER_SEC);
    assert_true(l.out->list);
    lab_close(&l);
}

/* A cancellation can get lost, and an entry can fill before it arrives: closed is closed. */
static void closes_what_fills_while_it_is_cancelled(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l);
    assert_int_equal(ask(&l, (struct request){.kind = REQUEST_CLOSE}), ERR_NONE);
    assert_int_equal(l.out->cancel_count, 1);
    step_after(&l, 3 * USEC_PER_SEC);
    assert_int_equal(l.out->cancel_count, 1);
    assert_string_equal(l.out->cancels[0], ID);
    struct venue_report *r = add_order(&l, ORDER_FILLED, 10);
    r->stop = whole(90);
    r->target = whole(120);
    add_fill(r, 1, ORDER_ENTRY, 10, 100);
    step(&l);
    assert_int_equal(l.out->send_count, 1);
    struct order sent = l.out->orders[l.out->sends[0]];
    assert_int_equal(sent.kind, ORDER_CLOSE);
    assert_int_equal(sent.qty.e8, whole(10).e8);
    assert_int_equal(sent.decision_id, 0);
    assert_string_equal(sent.reason, "operator");

    /* Refused: looked at, and tried again. */
    r = add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_REJECTED;
    step(&l);
    assert_int_equal(l.out->send_count, 0);
    await_close(&l);
    sent = l.out->orders[l.out->sends[0]];
    r = add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_FILLED;
    r->filled_qty = whole(10);
    add_fill(r, 2, ORDER_CLOSE, 10, 101);
    step(&l);
    assert_int_equal(l.snapshot->position_count, 0);
    step_after(&l, 3 * USEC_PER_SEC);
    assert_int_equal(l.out->send_count + l.out->cancel_count, 0);
    lab_close(&l);
}

/* A close that came of a decision rests until the next bar; an emergency does not wait for it. */
static void an_emergency_takes_a_resting_close_back(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    struct order entry = l.memory->orders[0];
    entry.state = ORDER_FILLED;
    entry.filled_qty = whole(10);
    l.memory->last_fill_ids[0] = 1;
    l.memory->order_count = 2;
    l.memory->orders[1] = entry;
    struct order *close = &l.memory->orders[1];
    (void)str_copy(STR_LIT("nd-1-2"), close->client_id, sizeof(close->client_id));
    close->kind = ORDER_CLOSE;
    close->state = ORDER_ACKED;
    close->filled_qty = DEC_ZERO;
    close->decision_id = 9;
    lab_restart(&l, &entry);
    assert_int_equal(ask(&l, (struct request){.kind = REQUEST_CLOSE, .symbol = btc}), ERR_NONE);
    assert_int_equal(l.out->cancel_count, 0); /* it is under way */
    assert_int_equal(l.out->send_count, 0);
    assert_int_equal(ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}), ERR_NONE);
    assert_int_equal(l.out->cancel_count, 1);
    assert_string_equal(l.out->cancels[0], "nd-1-2");
    assert_int_equal(l.out->send_count, 0);
    step(&l);
    assert_int_equal(l.out->cancel_count, 0); /* not at every step */
    add_order(&l, ORDER_FILLED, 10)->fills_after = 1;
    struct venue_report *r = add(&l, VENUE_ORDER, "nd-1-2");
    r->state = ORDER_CANCELLED;
    step(&l);
    await_close(&l);
    assert_int_equal(l.out->orders[l.out->sends[0]].decision_id, 0);
    assert_int_equal(l.out->orders[l.out->sends[0]].qty.e8, whole(10).e8);
    lab_close(&l);
}

/* ---------------------------------------------------------------- amendments */

static struct request amendment(int64_t stop, int64_t target)
{
    return (struct request){
        .kind = REQUEST_AMEND, .symbol = btc, .stop = whole(stop), .target = whole(target)};
}

static void an_amendment_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    static const int64_t wrong[][2] = {{0, 0},  {100, 0},   {105, 0},  {0, 100}, {0, 95},
                                       {-1, 0}, {95, -100}, {101, 99}, {0, -120}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(ask(&l, amendment(wrong[i][0], wrong[i][1])), ERR_ENGINE_AMEND);
        assert_int_equal(l.out->amend_count, 0);
    }
    struct request r = amendment(95, 0);
    r.stop = DEC_INVALID;
    assert_int_equal(ask(&l, r), ERR_ENGINE_AMEND);
    r = amendment(95, 0);
    r.symbol = eth;
    assert_int_equal(ask(&l, r), ERR_ENGINE_NOTHING_OPEN);
    (void)symbol_parse(STR_LIT("NEVER-SEEN"), &r.symbol);
    assert_int_equal(ask(&l, r), ERR_ENGINE_NOTHING_OPEN);
    assert_int_equal(ask(&l, (struct request){.kind = REQUEST_EMERGENCY_STOP}), ERR_NONE);
    assert_int_equal(ask(&l, amendment(95, 0)), ERR_ENGINE_STOPPED);
    assert_int_equal(l.snapshot->positions[0].stop.e8, whole(90).e8);
    lab_close(&l);
}

static struct venue_report *bracket_at(struct lab *l, int64_t stop, int64_t target)
{
    struct venue_report *r = add_order(l, ORDER_FILLED, 10);
    r->fills_after = 1;
    r->stop = whole(stop);
    r->target = whole(target);
    return r;
}

static void an_amendment_stands_when_the_venue_says_so(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    assert_int_equal(ask(&l, amendment(95, 0)), ERR_NONE);
    assert_int_equal(l.out->amend_count, 1);
    assert_string_equal(l.out->amends[0].client_id, ID);
    assert_int_equal(l.out->amends[0].stop.e8, whole(95).e8);
    assert_int_equal(l.out->amends[0].target.e8, whole(120).e8);
    /* It is on disk before it leaves, as what is wanted; what protects us is still the old one. */
    struct order entry = *written(&l, ID);
    assert_int_equal(entry.stop.e8, whole(95).e8);
    assert_int_equal(l.snapshot->positions[0].stop.e8, whole(90).e8);

    /* Lost: it is asked for again, but not at once; also after a crash. */
    step(&l);
    assert_int_equal(l.out->amend_count, 0);
    step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 1);
    struct venue_report *r = add(&l, VENUE_NO_ANSWER, ID);
    r->asked = VENUE_CALL_AMEND;
    step(&l);
    step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 1);
    l.memory->last_fill_ids[0] = 1;
    lab_restart(&l, &entry);
    step(&l);
    assert_int_equal(l.out->amend_count, 1);
    assert_int_equal(l.out->amends[0].stop.e8, whole(95).e8);

    (void)bracket_at(&l, 95, 120);
    step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.snapshot->positions[0].stop.e8, whole(95).e8);
    assert_true(l.out->positions_changed);
    assert_int_equal(l.out->amend_count, 0);

    /* A late word of before says what it says, and is put right. */
    (void)bracket_at(&l, 90, 120);
    step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.snapshot->positions[0].stop.e8, whole(90).e8);
    assert_int_equal(l.out->amend_count, 1);
    assert_int_equal(l.out->amends[0].stop.e8, whole(95).e8);
    (void)bracket_at(&l, 95, 120);
    step(&l);
    step_after(&l, ENGINE_ASK_EVERY_US);
    assert_int_equal(l.out->amend_count, 0);
    lab_close(&l);
}

static void a_refused_amendment_is_given_up(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    assert_int_equal(ask(&l, amendment(95, 130)), ERR_NONE);
    assert_int_equal(ask(&l, amendment(96, 0)), ERR_NONE);
    assert_int_equal(l.out->amends[0].target.e8, whole(130).e8); /* as the first one asked */
    struct venue_report *r = add(&l, VENUE_REFUSED, ID);
    r->stop = whole(95); /* not the one that is wanted now */
    r->target = whole(130);
    step(&l);
    assert_false(is_trouble(&l, ERR_VENUE_AMEND));
    r = add(&l, VENUE_REFUSED, ID);
    r->stop = whole(96);
    r->target = whole(130);
    struct venue_report again = *r;
    step(&l);
    assert_true(is_trouble(&l, ERR_VENUE_AMEND));
    assert_int_equal(written(&l, ID)->stop.e8, whole(90).e8);
    *add(&l, VENUE_REFUSED, ID) = again;
    step_after(&l, 2 * ENGINE_ASK_EVERY_US);
    assert_false(is_trouble(&l, ERR_VENUE_AMEND));
    assert_int_equal(l.out->amend_count, 0);
    assert_int_equal(l.snapshot->positions[0].stop.e8, whole(90).e8);
    lab_close(&l);
}

/* ---------------------------------------------------------------- the bracket follows the fills */

/* An entry of ten that was decided on at 100, with stop and target 10 and 20 away. */
static void lab_following(struct lab *l)
{
    lab_open(l);
    l->memory->orders[0].stop_away = whole(10);
    l->memory->orders[0].target_away = whole(20);
    lab_start(l);
    step(l);
}

/* More of the entry has filled; the venue took prices, and has them where they were asked for. */
static void fill_more(struct lab *l, int64_t id, int64_t qty, int64_t price, int64_t filled,
                      struct dec stop, struct dec target)
{
    struct venue_report *r = add_order(l, filled == 10 ? ORDER_FILLED : ORDER_PARTIAL, filled);
    r->fills_after = id - 1;
    r->stop = stop;
    r->target = target;
    add_fill(r, id, ORDER_ENTRY, qty, price);
    step(l);
}

static void assert_amends(const struct lab *l, double stop, double target)
{
    assert_int_equal(l->out->amend_count, 1);
    assert_int_equal(l->out->amends[0].stop.e8, dec_from_double(stop).e8);
    assert_int_equal(l->out->amends[0].target.e8, dec_from_double(target).e8);
}

static void stop_and_target_are_measured_from_the_fills(void **state)
{
    (void)state;
    struct lab l;
    lab_following(&l);
    fill_more(&l, 1, 4, 101, 4, whole(90), whole(120));
    assert_amends(&l, 91, 121);
    assert_int_equal(written(&l, ID)->stop.e8, whole(91).e8);
    assert_int_equal(l.snapshot->positions[0].stop.e8, whole(90).e8); /* in force until then */
    /* At once with each fill, from what all of them cost. */
    fill_more(&l, 2, 4, 103, 8, whole(91), whole(121));
    assert_amends(&l, 92, 122);
    assert_int_equal(l.snapshot->positions[0].stop.e8, whole(91).e8);
    /* Also after a crash. */
    struct order entry = *written(&l, ID);
    l.memory->last_fill_ids[0] = 2;
    lab_restart(&l, &entry);
    step(&l);
    assert_amends(&l, 92, 122);
    /* A price that a person names stays, the other one goes on following. */
    bar(&l, 103);
    assert_int_equal(ask(&l, amendment(95, 0)), ERR_NONE);
    assert_amends(&l, 95, 122);
    fill_more(&l, 3, 2, 107, 10, whole(95), whole(122));
    assert_amends(&l, 95, 123);
    assert_int_equal(written(&l, ID)->stop_away.e8, 0);
    lab_close(&l);
}

static void refuse(struct lab *l, int64_t stop, int64_t target)
{
    struct venue_report *r = add(l, VENUE_REFUSED, ID);
    r->stop = whole(stop);
    r->target = whole(target);
    step_after(l, ENGINE_ASK_EVERY_US);
}

/* The market was faster than the amendment: what its stop allowed is lost already. */
static void a_stop_that_comes_too_late_closes(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct lab l;
        lab_following(&l);
        fill_more(&l, 1, 10, i == 0 ? 105 : 95, 10, whole(90), whole(120));
        bar(&l, i == 0 ? 94 : 116); /* between the intent's bracket and the measured one */
        refuse(&l, i == 0 ? 95 : 85, i == 0 ? 125 : 115);
        assert_int_equal(l.out->send_count, 1);
        const struct order *o = &l.out->orders[l.out->sends[0]];
        assert_int_equal(o->kind, ORDER_CLOSE);
        assert_int_equal(o->qty.e8, whole(10).e8);
        assert_string_equal(o->reason, "bracket passed");
        lab_close(&l);
    }
}

/* Refused, and by our price it need not be: a few times more, then it stays where the venue has it.
 */
static void a_measured_bracket_is_given_up_in_the_end(void **state)
{
    (void)state;
    struct lab l;
    lab_following(&l);
    fill_more(&l, 1, 10, 105, 10, whole(90), whole(120));
    bar(&l, 105);
    for (int i = 0; i < ENGINE_REFUSALS_MAX; i++) {
        refuse(&l, 95, 125);
        assert_amends(&l, 95, 125);
        assert_false(is_trouble(&l, ERR_VENUE_AMEND));
    }
    refuse(&l, 95, 125);
    assert_true(is_trouble(&l, ERR_VENUE_AMEND));
    assert_int_equal(l.out->amend_count, 0);
    assert_int_equal(written(&l, ID)->stop.e8, whole(90).e8);
    assert_int_equal(l.out->send_count, 0);
    lab_close(&l);
}

/* ---------------------------------------------------------------- limits at the fill */

/* Half of an entry has filled, and the price went up: the other half would be beyond the limit. */
static void nothing_more_fills_beyond_the_exposure_limit(void **state)
{
    (void)state;
    for (int beyond = 0; beyond < 2; beyond++) {
        struct lab l;
        lab_open(&l);
        l.settings.max_exposure_pct = beyond ? 10.9 : 12;
        lab_start(&l);
        step(&l);
        struct venue_report *r = add_order(&l, ORDER_PARTIAL, 5);
        add_fill(r, 1, ORDER_ENTRY, 5, 100);
        step(&l);
        add_listing(&l)->open_count = 1;
        hold(&l.in->reports[0], btc, 5, 100);
        memcpy(l.in->reports[0].open[0], ID, sizeof(ID));
        bar(&l, 100);
        assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
        assert_int_equal(l.out->cancel_count, 0);
        bar(&l, 110); /* 1100 of 10050 */
        assert_int_equal(l.out->cancel_count, beyond);
        assert_int_equal(l.out->send_count, 0); /* what is held stays */
        lab_close(&l);
    }
}

/* ---------------------------------------------------------------- funding */

static void add_payment(struct lab *l, int64_t id, int64_t prev, int64_t payment)
{
    struct venue_report *r = add(l, VENUE_FUNDING, "");
    r->funding_id = id;
    r->prev_funding_id = prev;
    r->symbol = btc;
    r->payment = whole(payment);
}

static void funding_is_booked_once_and_in_order(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    struct dec cash = engine_state(l.engine)->cash;
    struct dec realised = engine_state(l.engine)->realised;
    add_payment(&l, 5, 0, 3);
    add_payment(&l, 5, 0, 3);
    step(&l);
    assert_int_equal(l.out->payment_count, 1);
    assert_true(l.out->write);
    assert_int_equal(engine_state(l.engine)->cash.e8, dec_sub(cash, whole(3)).e8);
    assert_int_equal(engine_state(l.engine)->realised.e8, dec_sub(realised, whole(3)).e8);
    assert_int_equal(l.snapshot->funding.e8, whole(3).e8);

    /* One is missing: nothing out of order, the listing is asked from where we are. */
    add_payment(&l, 9, 7, 1);
    for (int i = 0; i == 0 || !l.out->list; i++) {
        assert_true(i < 100);
        step_after(&l, USEC_PER_SEC);
        assert_int_equal(l.out->payment_count, 0);
    }
    assert_int_equal(l.out->list_after_funding_id, 5);
    struct venue_report *r = add_listing(&l);
    hold(r, btc, 10, 100);
    r->funding_id = 9;
    add_payment(&l, 7, 5, -2); /* we were paid */
    add_payment(&l, 9, 7, 1);
    step(&l);
    assert_int_equal(l.out->payment_count, 2);
    assert_int_equal(engine_state(l.engine)->last_funding_id, 9);
    assert_int_equal(engine_state(l.engine)->funding.e8, whole(2).e8);
    assert_int_equal(l.out->trade_count, 0); /* of no trade's profit */

    add_payment(&l, 10, 9, 0);
    l.in->reports[0].payment = DEC_INVALID;
    add_payment(&l, 10, 9, 0);
    l.in->reports[1].payment.e8 = -INT64_MAX;
    step(&l);
    assert_int_equal(l.out->payment_count, 0);
    assert_int_equal(engine_state(l.engine)->last_funding_id, 9);
    lab_close(&l);
}

/* ---------------------------------------------------------------- what is not ours */

static void foreign_positions_block_their_symbol(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    struct venue_report *r = await_listing(&l);
    hold(r, btc, 10, 100);
    hold(r, eth, 3, 50);
    (void)str_copy(STR_LIT("by-hand"), r->open[r->open_count++], CLIENT_ID_SIZE);
    step(&l);
    assert_true(is_trouble(&l, ERR_ENGINE_FOREIGN));
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l.snapshot->foreign_count, 1);
    assert_string_equal(l.snapshot->foreign[0].symbol.name, "ETH-USD");
    assert_int_equal(l.snapshot->foreign[0].qty.e8, whole(3).e8);
    assert_int_equal(l.snapshot->position_count, 1);
    r = await_listing(&l);
    hold(r, btc, 10, 100);
    hold(r, eth, 4, 50);
    step(&l);
    assert_false(is_trouble(&l, ERR_ENGINE_FOREIGN)); /* said once */
    assert_int_equal(l.snapshot->foreign[0].qty.e8, whole(4).e8);
    hold(await_listing(&l), btc, 10, 100);
    step(&l);
    assert_int_equal(l.snapshot->foreign_count, 0);
    lab_close(&l);
}

static void a_close_takes_foreign_positions_along(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    struct venue_report *r = await_listing(&l);
    hold(r, btc, 10, 100);
    hold(r, eth, 3, 50);
    step(&l);
    struct dec cash = engine_state(l.engine)->cash;
    struct request close = {.kind = REQUEST_CLOSE, .symbol = eth};
    assert_int_equal(ask(&l, close), ERR_NONE);
    assert_int_equal(l.out->send_count, 1);
    struct order sent = l.out->orders[l.out->sends[0]];
    assert_string_equal(sent.symbol.name, "ETH-USD");
    assert_int_equal(sent.qty.e8, whole(3).e8);
    assert_int_equal(l.snapshot->foreign_count, 0);
    assert_int_equal(l.snapshot->position_count, 2);
    assert_int_equal(engine_state(l.engine)->cash.e8, dec_sub(cash, whole(150)).e8);

    /* It was gone by then: it leaves the books as it came, and nothing halts. */
    r = add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_REJECTED;
    (void)str_copy(STR_LIT("nothing to reduce"), r->reason, sizeof(r->reason));
    step(&l);
    hold(await_listing(&l), btc, 10, 100);
    step(&l);
    assert_int_equal(l.snapshot->position_count, 1);
    assert_int_equal(engine_state(l.engine)->cash.e8, cash.e8);
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l.out->trade_count, 0);

    /* This time it is there. */
    r = await_listing(&l);
    hold(r, btc, 10, 100);
    hold(r, eth, 3, 50);
    step(&l);
    assert_int_equal(ask(&l, close), ERR_NONE);
    sent = l.out->orders[l.out->sends[0]];
    r = add(&l, VENUE_ORDER, sent.client_id);
    r->state = ORDER_FILLED;
    r->filled_qty = whole(3);
    add_fill(r, 1, ORDER_CLOSE, 3, 60);
    r->fills[0].symbol = eth;
    step(&l);
    assert_int_equal(l.out->trade_count, 1);
    assert_int_equal(l.out->trades[0].pnl.e8, whole(30).e8);
    assert_int_equal(engine_state(l.engine)->cash.e8, dec_add(cash, whole(30)).e8);
    lab_close(&l);
}

static void a_difference_in_what_is_ours_halts(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
        hold(await_listing(&l), btc, 9, 100);
        step(&l);
    }
    assert_int_equal(l.snapshot->state, TRADING_STARTING);
    assert_non_null(strstr(l.snapshot->state_reason, "we hold 10, the venue 9"));
    assert_true(is_trouble(&l, ERR_ENGINE_RECONCILE));
    hold(await_listing(&l), btc, 10, 100); /* and it goes on when they agree */
    step(&l);
    assert_int_equal(l.snapshot->state, TRADING_ACTIVE);

    /* An order of our name that nobody here has heard of is a difference as well. */
    for (int i = 0; i < 3; i++) {
        struct venue_report *r = await_listing(&l);
        hold(r, btc, 10, 100);
        (void)str_copy(STR_LIT("nd-9-9"), r->open[r->open_count++], CLIENT_ID_SIZE);
        step(&l);
    }
    assert_int_equal(l.snapshot->state, TRADING_STARTING);
    assert_non_null(strstr(l.snapshot->state_reason, "nd-9-9"));
    lab_close(&l);
}

static void an_old_or_cut_listing_proves_nothing(void **state)
{
    (void)state;
    struct lab l;
    lab_filled(&l);
    for (int i = 0; i < 8; i++) {
        struct venue_report *r = await_listing(&l);
        if (i % 2 == 0) {
            r->complete = false;
        } else {
            r->ask_id = 0; /* of a time before the fill */
        }
        hold(r, eth, 5, 50);
        step(&l);
        assert_int_equal(l.snapshot->state, TRADING_ACTIVE);
        assert_int_equal(l.snapshot->foreign_count, 0);
    }
    lab_close(&l);
}

UNIT_GROUP(orders, cmocka_unit_test(many_fills_are_paged_through),
           cmocka_unit_test(an_order_is_over_when_its_fills_are),
           cmocka_unit_test(what_cannot_be_is_not_booked),
           cmocka_unit_test(silence_is_unknown_until_the_venue_tells),
           cmocka_unit_test(closes_what_is_not_closed_yet),
           cmocka_unit_test(closes_what_fills_while_it_is_cancelled),
           cmocka_unit_test(an_emergency_takes_a_resting_close_back),
           cmocka_unit_test(an_amendment_that_does_not_fit_is_refused),
           cmocka_unit_test(an_amendment_stands_when_the_venue_says_so),
           cmocka_unit_test(a_refused_amendment_is_given_up),
           cmocka_unit_test(stop_and_target_are_measured_from_the_fills),
           cmocka_unit_test(a_stop_that_comes_too_late_closes),
           cmocka_unit_test(a_measured_bracket_is_given_up_in_the_end),
           cmocka_unit_test(nothing_more_fills_beyond_the_exposure_limit),
           cmocka_unit_test(funding_is_booked_once_and_in_order),
           cmocka_unit_test(foreign_positions_block_their_symbol),
           cmocka_unit_test(a_close_takes_foreign_positions_along),
           cmocka_unit_test(a_difference_in_what_is_ours_halts),
           cmocka_unit_test(an_old_or_cut_listing_proves_nothing))
