/*
 * stand.h: a bare engine over a simulated market, with a venue that fills at once: no driver, no
 * database, no thread.
 *
 *     struct stand *s = stand_new(7);
 *     stand_step(s, NULL);                             // a market minute
 *     assert_int_equal(stand_ask(s, request), ERR_NONE);
 *     stand_free(s);
 *
 * The outputs of the last step are in s->out. The breaker is disabled: no daily loss, drawdown or
 * losses in a row stop trading.
 * Thread: the test's.
 */
#pragma once

#include "engine/engine.h"
#include "market/simulated.h"

struct stand {
    struct settings settings;
    struct simulated market;
    struct engine *engine;
    struct engine_now now;
    struct engine_inputs in;
    struct engine_outputs out;
    int64_t fill_id;
    int64_t next_request;
};

struct stand *stand_new(uint64_t seed);
void stand_free(struct stand *s);
/* Steps one market minute, or passes a request without advancing the market. */
void stand_step(struct stand *s, const struct request *request);
/* Numbers the request and passes it; returns the engine's answer. */
int stand_ask(struct stand *s, struct request request);
