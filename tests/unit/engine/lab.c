#include "lab.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

const struct symbol lab_btc = {"BTC-USD"};
const struct symbol lab_eth = {"ETH-USD"};

struct dec lab_whole(int64_t n)
{
    return dec_from_int(n);
}

void lab_step_after(struct lab *l, int64_t passed_us)
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

void lab_step(struct lab *l)
{
    lab_step_after(l, USEC_PER_MSEC);
}

void lab_bar(struct lab *l, int64_t price)
{
    int64_t open_us = (l->now.market_us / USEC_PER_MIN) * USEC_PER_MIN;
    l->in->bars[l->in->bar_count++] =
        (struct source_bar){lab_btc,
                            {open_us, lab_whole(price), lab_whole(price), lab_whole(price),
                             lab_whole(price), lab_whole(1)}};
    lab_step_after(l, open_us + USEC_PER_MIN - l->now.market_us);
}

struct venue_report *lab_add(struct lab *l, enum venue_report_kind kind, const char *client_id)
{
    ASSERT(l->in->report_count < ENGINE_REPORTS_MAX);
    struct venue_report *r = &l->in->reports[l->in->report_count++];
    *r = (struct venue_report){.kind = kind};
    (void)str_copy(str_c(client_id), r->client_id, sizeof(r->client_id));
    return r;
}

void lab_add_fill(struct venue_report *r, int64_t id, enum order_kind kind, int64_t qty,
                  int64_t price)
{
    struct fill *f = &r->fills[r->fill_count++];
    *f = (struct fill){.venue_fill_id = id,
                       .symbol = lab_btc,
                       .kind = kind,
                       .side = SIDE_LONG,
                       .qty = lab_whole(qty),
                       .price = lab_whole(price)};
    memcpy(f->client_id, r->client_id, sizeof(f->client_id));
}

struct venue_report *lab_add_order(struct lab *l, enum order_state state, int64_t filled)
{
    struct venue_report *r = lab_add(l, VENUE_ORDER, LAB_ID);
    r->state = state;
    r->filled_qty = lab_whole(filled);
    return r;
}

struct venue_report *lab_add_listing(struct lab *l)
{
    struct venue_report *r = lab_add(l, VENUE_LISTING, "");
    r->complete = true;
    r->ask_id = l->out->list_id;
    return r;
}

void lab_hold(struct venue_report *r, struct symbol symbol, int64_t qty, int64_t price)
{
    r->holdings[r->holding_count++] =
        (struct venue_holding){symbol, SIDE_LONG, lab_whole(qty), lab_whole(price)};
}

struct venue_report *lab_await_listing(struct lab *l)
{
    for (int i = 0; i == 0 || !l->out->list; i++) {
        assert_true(i < 100);
        if (l->out->query_count > 0) {
            lab_add_order(l, ORDER_FILLED, 10)->fills_after = 1;
        }
        lab_step_after(l, USEC_PER_SEC);
    }
    return lab_add_listing(l);
}

void lab_start(struct lab *l)
{
    engine_free(l->engine);
    const struct symbol symbols[] = {lab_btc, lab_eth};
    l->engine = engine_new(&l->settings, symbols, 2);
    engine_restore(l->engine, l->memory);
}

void lab_restart(struct lab *l, const struct order *entry)
{
    l->memory->state = *engine_state(l->engine);
    int count;
    const struct position *p = engine_positions(l->engine, &count);
    memcpy(l->memory->positions, p, (size_t)count * sizeof(*p));
    l->memory->position_count = count;
    l->memory->orders[0] = *entry;
    lab_start(l);
}

/* An entry of ten that has rested at the venue since before the start, unfilled. */
void lab_open(struct lab *l)
{
    memset(l, 0, sizeof(*l));
    l->settings = (struct settings){.symbol_count = 2,
                                    .symbols = {lab_btc, lab_eth},
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
                                    .initial_cash = lab_whole(10000)};
    for (int t = 0; t < TIERS; t++) {
        l->settings.tiers[t] = (struct tier){.max_position_pct = 100, .max_exposure_pct = 100};
    }
    l->memory = calloc(1, sizeof(*l->memory));
    l->in = calloc(1, sizeof(*l->in));
    l->out = calloc(1, sizeof(*l->out));
    l->snapshot = calloc(1, sizeof(*l->snapshot));
    ASSERT(l->memory != NULL && l->in != NULL && l->out != NULL && l->snapshot != NULL);
    l->now = (struct engine_now){LAB_START_US, LAB_START_US, USEC_PER_HOUR};
    l->next_request = 1;
    l->memory->state = (struct engine_state){.state = TRADING_ACTIVE,
                                             .market_us = LAB_START_US,
                                             .initial_cash = lab_whole(10000),
                                             .cash = lab_whole(10000),
                                             .equity_peak = lab_whole(10000),
                                             .day_start_equity = lab_whole(10000),
                                             .day = LAB_START_US / USEC_PER_DAY,
                                             .run = 1,
                                             .next_order = 2,
                                             .next_decision_id = 8,
                                             .next_trade_id = 1};
    l->memory->order_count = 1;
    l->memory->orders[0] = (struct order){.client_id = LAB_ID,
                                          .symbol = lab_btc,
                                          .kind = ORDER_ENTRY,
                                          .side = SIDE_LONG,
                                          .state = ORDER_ACKED,
                                          .qty = lab_whole(10),
                                          .reference_price = lab_whole(100),
                                          .stop = lab_whole(90),
                                          .target = lab_whole(120),
                                          .decision_id = 7,
                                          .created_us = LAB_START_US};
    lab_start(l);
    lab_step(l);
}

void lab_close(struct lab *l)
{
    engine_free(l->engine);
    free(l->memory);
    free(l->in);
    free(l->out);
    free(l->snapshot);
}

/* All ten filled at 100, and the venue's listing agrees. */
void lab_filled(struct lab *l)
{
    lab_open(l);
    struct venue_report *r = lab_add_order(l, ORDER_FILLED, 10);
    r->stop = lab_whole(90);
    r->target = lab_whole(120);
    lab_add_fill(r, 1, ORDER_ENTRY, 10, 100);
    lab_step(l);
    lab_hold(lab_await_listing(l), lab_btc, 10, 100);
    lab_step(l);
    lab_bar(l, 100);
    assert_int_equal(l->snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l->snapshot->position_count, 1);
}

int lab_ask(struct lab *l, struct request request)
{
    request.id = l->next_request++;
    l->in->request = &request;
    lab_step(l);
    return l->out->request_err;
}

bool lab_is_fault(const struct lab *l, enum err_id id)
{
    for (int i = 0; i < l->out->event_count; i++) {
        if (l->out->events[i].topic == TOPIC_FAULT && l->out->events[i].code == (uint32_t)id) {
            return true;
        }
    }
    return false;
}

const struct order *lab_written(const struct lab *l, const char *client_id)
{
    int i = 0;
    while (i < l->out->order_count && strcmp(l->out->orders[i].client_id, client_id) != 0) {
        i++;
    }
    ASSERT(i < l->out->order_count);
    return &l->out->orders[i];
}
