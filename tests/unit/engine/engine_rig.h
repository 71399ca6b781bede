/*
 * engine_rig.h: a bare engine over a simulated market, with a venue that fills at once: no driver,
 * no database, no thread.
 *
 *     struct engine_rig *s = engine_rig_new(7);
 *     engine_rig_step(s, NULL);                             // a market minute
 *     assert_int_equal(engine_rig_ask(s, request), ERR_NONE);
 *     engine_rig_free(s);
 *
 * The outputs of the last step are in s->out. The breaker is disabled: no daily loss, drawdown or
 * losses in a row stop trading.
 * Thread: the test's.
 */
#pragma once

#include "engine/engine.h"
#include "market/simulated.h"

struct engine_rig {
    struct settings settings;
    struct simulated market;
    struct engine *engine;
    struct engine_now now;
    struct engine_inputs in;
    struct engine_outputs out;
    int64_t fill_id;
    int64_t next_request;
    bool refuses_stops; /* the venue rejects stops */
};

struct engine_rig *engine_rig_new(uint64_t seed);
void engine_rig_free(struct engine_rig *s);
/* Steps one market minute, or passes a request without advancing the market. */
void engine_rig_step(struct engine_rig *s, const struct request *request);
/* Numbers the request and passes it; returns the engine's answer. */
int engine_rig_ask(struct engine_rig *s, struct request request);
