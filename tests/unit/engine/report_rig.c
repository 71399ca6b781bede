#include "report_rig.h"

#include "base/check.h"
#include "engine/engine_buffers.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

const struct symbol report_rig_btc = {"BTC-USD"};
const struct symbol report_rig_eth = {"ETH-USD"};

struct dec report_rig_whole(int64_t n)
{
    return dec_from_int(n);
}

void report_rig_step_after(struct report_rig *l, int64_t passed_us)
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

void report_rig_step(struct report_rig *l)
{
    report_rig_step_after(l, USEC_PER_MSEC);
}

void report_rig_bar(struct report_rig *l, int64_t price)
{
    int64_t open_us = (l->now.market_us / USEC_PER_MIN) * USEC_PER_MIN;
    l->in->bars[l->in->bar_count++] = (struct source_bar){
        report_rig_btc,
        {open_us, report_rig_whole(price), report_rig_whole(price), report_rig_whole(price),
         report_rig_whole(price), report_rig_whole(1)}};
    report_rig_step_after(l, open_us + USEC_PER_MIN - l->now.market_us);
}

struct venue_report *report_rig_add(struct report_rig *l, enum venue_report_kind kind,
                                    const char *client_id)
{
    ASSERT(l->in->report_count < ENGINE_REPORTS_MAX);
    struct venue_report *r = &l->in->reports[l->in->report_count++];
    *r = (struct venue_report){.kind = kind};
    (void)str_copy(str_c(client_id), r->client_id, sizeof(r->client_id));
    return r;
}

void report_rig_add_fill(struct venue_report *r, int64_t id, enum order_kind kind, int64_t qty,
                         int64_t price)
{
    struct fill *f = &r->fills[r->fill_count++];
    *f = (struct fill){.symbol = report_rig_btc,
                       .kind = kind,
                       .side = SIDE_LONG,
                       .qty = report_rig_whole(qty),
                       .price = report_rig_whole(price)};
    memcpy(f->client_id, r->client_id, sizeof(f->client_id));
    fill_id_of_number(id, f->venue_fill_id);
}

struct venue_report *report_rig_add_order(struct report_rig *l, enum order_state state,
                                          int64_t filled)
{
    struct venue_report *r = report_rig_add(l, VENUE_ORDER, REPORT_RIG_ID);
    r->state = state;
    r->filled_qty = report_rig_whole(filled);
    return r;
}

struct venue_report *report_rig_add_listing(struct report_rig *l)
{
    struct venue_report *r = report_rig_add(l, VENUE_LISTING, "");
    r->last = true;
    r->ask_id = l->out->list_id;
    return r;
}

void report_rig_hold(struct venue_report *r, struct symbol symbol, int64_t qty, int64_t price)
{
    r->holdings[r->holding_count++] =
        (struct venue_holding){symbol, SIDE_LONG, report_rig_whole(qty), report_rig_whole(price)};
}

struct venue_report *report_rig_await_listing(struct report_rig *l)
{
    for (int i = 0; i == 0 || !l->out->list; i++) {
        assert_true(i < 100);
        if (l->out->query_count > 0) {
            fill_id_of_number(1, report_rig_add_order(l, ORDER_FILLED, 10)->fills_after);
        }
        report_rig_step_after(l, USEC_PER_SEC);
    }
    return report_rig_add_listing(l);
}

void report_rig_start(struct report_rig *l)
{
    engine_free(l->engine);
    const struct symbol symbols[] = {report_rig_btc, report_rig_eth};
    l->engine = engine_new(&l->settings, symbols, 2);
    engine_restore(l->engine, l->memory);
}

void report_rig_restart(struct report_rig *l, const struct order *entry)
{
    l->memory->state = *engine_state(l->engine);
    int count;
    const struct position *p = engine_positions(l->engine, &count);
    memcpy(l->memory->positions, p, (size_t)count * sizeof(*p));
    l->memory->position_count = count;
    l->memory->orders[0] = *entry;
    report_rig_start(l);
}

void report_rig_booked(struct report_rig *l, int64_t newest)
{
    l->memory->booked_count = (int)newest;
    for (int i = 0; i < newest; i++) {
        l->memory->booked[i].order = 0;
        fill_id_of_number(i + 1, l->memory->booked[i].venue_fill_id);
    }
}

/* An entry of ten that has rested at the venue since before the start, unfilled. */
void report_rig_open(struct report_rig *l)
{
    memset(l, 0, sizeof(*l));
    l->settings = (struct settings){.symbol_count = 2,
                                    .symbols = {report_rig_btc, report_rig_eth},
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
                                    .initial_cash = report_rig_whole(10000)};
    for (int t = 0; t < TIERS; t++) {
        l->settings.tiers[t] = (struct tier){.max_position_pct = 100, .max_exposure_pct = 100};
    }
    l->memory = calloc(1, sizeof(*l->memory));
    l->in = calloc(1, sizeof(*l->in));
    l->out = calloc(1, sizeof(*l->out));
    ASSERT(l->memory != NULL && l->in != NULL && l->out != NULL);
    l->snapshot = snapshot_new(3);
    engine_inputs_init(l->in, 2);
    engine_outputs_init(l->out, 2);
    l->now = (struct engine_now){REPORT_RIG_START_US, REPORT_RIG_START_US, USEC_PER_HOUR};
    l->next_request = 1;
    l->memory->state = (struct engine_state){.state = TRADING_ACTIVE,
                                             .market_us = REPORT_RIG_START_US,
                                             .initial_cash = report_rig_whole(10000),
                                             .cash = report_rig_whole(10000),
                                             .equity_peak = report_rig_whole(10000),
                                             .day_start_equity = report_rig_whole(10000),
                                             .day = REPORT_RIG_START_US / USEC_PER_DAY,
                                             .run = 1,
                                             .next_order = 2,
                                             .next_decision_id = 8,
                                             .next_trade_id = 1};
    l->memory->order_count = 1;
    l->memory->orders[0] = (struct order){.client_id = REPORT_RIG_ID,
                                          .symbol = report_rig_btc,
                                          .kind = ORDER_ENTRY,
                                          .side = SIDE_LONG,
                                          .state = ORDER_ACKED,
                                          .qty = report_rig_whole(10),
                                          .reference_price = report_rig_whole(100),
                                          .stop = report_rig_whole(90),
                                          .target = report_rig_whole(120),
                                          .decision_id = 7,
                                          .created_us = REPORT_RIG_START_US};
    report_rig_start(l);
    report_rig_step(l);
}

void report_rig_close(struct report_rig *l)
{
    engine_free(l->engine);
    free(l->memory);
    engine_inputs_release(l->in);
    free(l->in);
    engine_outputs_release(l->out);
    free(l->out);
    free(l->snapshot);
}

/* All ten filled at 100, and the venue's listing agrees. */
void report_rig_filled(struct report_rig *l)
{
    report_rig_open(l);
    struct venue_report *r = report_rig_add_order(l, ORDER_FILLED, 10);
    r->stop = report_rig_whole(90);
    r->target = report_rig_whole(120);
    report_rig_add_fill(r, 1, ORDER_ENTRY, 10, 100);
    report_rig_step(l);
    report_rig_hold(report_rig_await_listing(l), report_rig_btc, 10, 100);
    report_rig_step(l);
    report_rig_bar(l, 100);
    assert_int_equal(l->snapshot->state, TRADING_ACTIVE);
    assert_int_equal(l->snapshot->position_count, 1);
}

int report_rig_ask(struct report_rig *l, struct request request)
{
    request.id = l->next_request++;
    l->in->request = &request;
    report_rig_step(l);
    return l->out->request_err;
}

bool report_rig_is_fault(const struct report_rig *l, enum err_id id)
{
    for (int i = 0; i < l->out->event_count; i++) {
        if (l->out->events[i].topic == TOPIC_FAULT && l->out->events[i].code == (uint32_t)id) {
            return true;
        }
    }
    return false;
}

const struct order *report_rig_written(const struct report_rig *l, const char *client_id)
{
    int i = 0;
    while (i < l->out->order_count && strcmp(l->out->orders[i].client_id, client_id) != 0) {
        i++;
    }
    ASSERT(i < l->out->order_count);
    return &l->out->orders[i];
}
