#include "engine_rig.h"

#include "engine/engine_buffers.h"
#include "fakes/instant_venue.h"
#include "rigs/driver_rig.h"
#include "unit/unit.h"

#include <stdlib.h>

struct engine_rig *engine_rig_new(uint64_t seed)
{
    struct engine_rig *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    driver_rig_settings(&s->settings);
    s->settings.max_daily_loss_pct = 100;
    s->settings.max_drawdown_pct = 100;
    s->settings.max_consecutive_losses = 100;
    simulated_init(&s->market, seed, s->settings.symbols, s->settings.symbol_count, 0);
    s->engine = engine_new(&s->settings, s->settings.symbols, s->settings.symbol_count);
    engine_inputs_init(&s->in, s->settings.symbol_count);
    engine_outputs_init(&s->out, s->settings.symbol_count);
    engine_begin(s->engine, &s->now);
    s->fill_id = 1;
    s->next_request = 1;
    return s;
}

void engine_rig_free(struct engine_rig *s)
{
    engine_free(s->engine);
    engine_inputs_release(&s->in);
    engine_outputs_release(&s->out);
    free(s);
}

static void refuse_stops(struct engine_rig *s)
{
    for (int i = 0; i < s->in.report_count; i++) {
        struct venue_report *r = &s->in.reports[i];
        if (r->kind == VENUE_ORDER && r->fills[0].kind == ORDER_STOP) {
            r->state = ORDER_REJECTED;
            r->filled_qty = DEC_ZERO;
            r->fill_count = 0;
        }
    }
}

void engine_rig_step(struct engine_rig *s, const struct request *request)
{
    instant_venue_answer(s->engine, &s->out, &s->in, &s->fill_id);
    if (s->refuses_stops) {
        refuse_stops(s);
    }
    s->in.bar_count = 0;
    if (request == NULL) {
        s->now.market_us = source_next_us(&s->market.source);
        s->in.bar_count = source_next(&s->market.source, s->in.bars);
    }
    instant_venue_quote(&s->in);
    s->now.mono_us += USEC_PER_SEC;
    s->in.request = request;
    engine_step(s->engine, &s->now, &s->in, &s->out);
    s->in.request = NULL;
}

int engine_rig_ask(struct engine_rig *s, struct request request)
{
    request.id = s->next_request++;
    engine_rig_step(s, &request);
    assert_true(s->out.has_request);
    return s->out.request_err;
}
