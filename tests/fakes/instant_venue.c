#include "fakes/instant_venue.h"

#include "base/check.h"

#include <string.h>

static struct venue_report *add(struct engine_inputs *in, enum venue_report_kind kind)
{
    ASSERT(in->report_count < ENGINE_REPORTS_MAX);
    struct venue_report *r = &in->reports[in->report_count++];
    memset(r, 0, sizeof(*r));
    r->kind = kind;
    return r;
}

static void fill(struct engine_inputs *in, const struct order *o, int64_t fill_id)
{
    struct venue_report *r = add(in, VENUE_ORDER);
    memcpy(r->client_id, o->client_id, sizeof(r->client_id));
    r->state = ORDER_FILLED;
    r->filled_qty = o->qty;
    r->fill_count = 1;
    r->fills[0] = (struct fill){.symbol = o->symbol,
                                .kind = o->kind,
                                .side = o->side,
                                .qty = o->qty,
                                .price = o->reference_price};
    memcpy(r->fills[0].client_id, o->client_id, sizeof(r->client_id));
    fill_id_of_number(fill_id, r->fills[0].venue_fill_id);
}

void instant_venue_answer(const struct engine *engine, const struct engine_outputs *outputs,
                          struct engine_inputs *inputs, int64_t *fill_id)
{
    inputs->report_count = 0;
    for (int i = 0; i < outputs->send_count; i++) {
        fill(inputs, &outputs->orders[outputs->sends[i]], (*fill_id)++);
    }
    if (outputs->list) {
        struct venue_report *r = add(inputs, VENUE_LISTING);
        r->last = true;
        r->ask_id = outputs->list_id;
        const struct position *p = engine_positions(engine, &r->holding_count);
        for (int i = 0; i < r->holding_count; i++) {
            r->holdings[i] =
                (struct venue_holding){p[i].symbol, p[i].side, p[i].qty, p[i].entry_price};
        }
    }
}

void instant_venue_quote(struct engine_inputs *inputs)
{
    inputs->quote_count = inputs->bar_count;
    for (int i = 0; i < inputs->bar_count; i++) {
        const struct source_bar *bar = &inputs->bars[i];
        struct dec half = {bar->candle.close.e8 / 10000};
        inputs->quotes[i] = (struct quote){.symbol = bar->symbol,
                                           .bid = dec_sub(bar->candle.close, half),
                                           .ask = dec_add(bar->candle.close, half),
                                           .bid_qty = dec_from_int(1000),
                                           .ask_qty = dec_from_int(1000),
                                           .at_us = bar->candle.open_us + timeframe_us(TF_1M)};
    }
}
