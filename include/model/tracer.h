/*
 * tracer.h: traces: what a candle or a message caused, as spans with a beginning and an end.
 *
 *     struct trace_work work = tracer_begin(tracer, TRACER_OPS, received_mono_us);
 *     TRACE_WORK(work);                                  // what happens now belongs to it
 *     tracer_add(tracer, TRACER_OPS, &(struct span){.trace = work.trace, .id = work.span, …});
 *     exporter: while (tracer_take(tracer, &span)) send(span);
 *
 * Invariants: of all traces a share is sampled, decided once at the beginning; spans of the others
 * are not made. Adding neither waits nor allocates: a full queue drops the span and counts it. Ids
 * are random and never 0. NULL is a tracer that samples nothing.
 * Thread: each side is one thread; tracer_take is that of TRACER_OPS.
 */
#pragma once

#include "base/trace.h"

#include <stdbool.h>
#include <stdint.h>

enum tracer_side { TRACER_ENGINE, TRACER_OPS };

enum span_kind { /* the numbers are those of OTLP */
                 SPAN_INTERNAL = 1,
                 SPAN_SERVER = 2,
                 SPAN_CLIENT = 3
};

#define SPAN_TAGS 4

struct span {
    struct trace_id trace;
    uint64_t id;
    uint64_t parent; /* 0: none */
    enum span_kind kind;
    bool failed;
    const char *name; /* static */
    int64_t start_ns; /* wall, since 1970 */
    int64_t end_ns;
    struct span_tag {
        const char *key; /* static; NULL: no more */
        char value[40];
    } tags[SPAN_TAGS];
};

struct tracer;

/* share: of the traces, 0 to 1. Never NULL. */
struct tracer *tracer_new(double share, uint64_t seed);
void tracer_free(struct tracer *tracer); /* takes NULL */

static inline bool trace_is_sampled(struct trace_work work)
{
    return work.trace.high != 0 || work.trace.low != 0;
}

/* The work of a new trace; without a trace id if it is not sampled. */
struct trace_work tracer_begin(struct tracer *tracer, enum tracer_side side,
                               int64_t update_mono_us);
/* A new span id. */
uint64_t tracer_span(struct tracer *tracer, enum tracer_side side);
/* Does nothing if the span has no trace. Its value is copied. */
void tracer_add(struct tracer *tracer, enum tracer_side side, const struct span *span);
void span_tag(struct span *span, const char *key, const char *value); /* cut to its size */

bool tracer_take(struct tracer *tracer, struct span *ret);
uint64_t tracer_dropped(const struct tracer *tracer); /* thread: any */
