#include "model/tracer.h"

#include "base/check.h"
#include "base/ring.h"
#include "base/rng.h"
#include "base/str.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SPANS_MAX 512 /* of each side that wait for the exporter */

struct tracer {
    double share;
    struct side {
        struct rng rng;
        struct ring *spans;
        _Atomic uint64_t dropped;
    } sides[TRACER_OPS + 1];
};

struct tracer *tracer_new(double share, uint64_t seed)
{
    struct tracer *tracer = calloc(1, sizeof(*tracer));
    ASSERT(tracer != NULL && isfinite(share) && share >= 0 && share <= 1);
    tracer->share = share;
    for (int i = TRACER_ENGINE; i <= TRACER_OPS; i++) {
        rng_init(&tracer->sides[i].rng, seed + (uint64_t)i);
        tracer->sides[i].spans = ring_new(SPANS_MAX, sizeof(struct span));
    }
    return tracer;
}

void tracer_free(struct tracer *tracer)
{
    for (int i = TRACER_ENGINE; tracer != NULL && i <= TRACER_OPS; i++) {
        ring_free(tracer->sides[i].spans);
    }
    free(tracer);
}

static uint64_t new_id(struct side *side)
{
    uint64_t id = 0;
    while (id == 0) {
        id = rng_u64(&side->rng);
    }
    return id;
}

struct trace_work tracer_begin(struct tracer *tracer, enum tracer_side side, int64_t update_mono_us)
{
    struct trace_work work = {.update_mono_us = update_mono_us};
    if (tracer != NULL && rng_chance(&tracer->sides[side].rng, tracer->share)) {
        work.trace.high = new_id(&tracer->sides[side]);
        work.trace.low = new_id(&tracer->sides[side]);
        work.span = new_id(&tracer->sides[side]);
    }
    return work;
}

uint64_t tracer_span(struct tracer *tracer, enum tracer_side side)
{
    return tracer == NULL ? 0 : new_id(&tracer->sides[side]);
}

void tracer_add(struct tracer *tracer, enum tracer_side side, const struct span *span)
{
    if (tracer == NULL || (span->trace.high == 0 && span->trace.low == 0)) {
        return;
    }
    ASSERT(span->id != 0 && span->name != NULL);
    struct side *s = &tracer->sides[side];
    if (!ring_push(s->spans, span)) {
        (void)atomic_fetch_add_explicit(&s->dropped, 1, memory_order_relaxed);
    }
}

void span_tag(struct span *span, const char *key, const char *value)
{
    for (size_t i = 0; i < SPAN_TAGS; i++) {
        if (span->tags[i].key == NULL) {
            span->tags[i].key = key;
            str_cut(str_c(value), span->tags[i].value, sizeof(span->tags[i].value));
            return;
        }
    }
    ASSERT(false); /* SPAN_TAGS is for all of them */
}

bool tracer_take(struct tracer *tracer, struct span *ret)
{
    return tracer != NULL && (ring_pop(tracer->sides[TRACER_ENGINE].spans, ret) ||
                              ring_pop(tracer->sides[TRACER_OPS].spans, ret));
}

uint64_t tracer_dropped(const struct tracer *tracer)
{
    return tracer == NULL
               ? 0
               : atomic_load_explicit(&tracer->sides[TRACER_ENGINE].dropped, memory_order_relaxed) +
                     atomic_load_explicit(&tracer->sides[TRACER_OPS].dropped, memory_order_relaxed);
}
