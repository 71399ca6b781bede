#include "model/telemetry.h"

#include "base/check.h"
#include "base/clock.h"

#include <string.h>

/* Upper bounds of the first buckets: the last is 2^23 times that, 8 s or 14 min. */
#define STEP_NS  1000
#define OTHER_NS 100000

void telemetry_init(struct telemetry *telemetry)
{
    memset(telemetry, 0, sizeof(*telemetry));
    histogram_init(&telemetry->step, STEP_NS);
    histogram_init(&telemetry->decision, STEP_NS);
    histogram_init(&telemetry->loop, STEP_NS);
    histogram_init(&telemetry->venue, OTHER_NS);
    histogram_init(&telemetry->command, OTHER_NS);
    histogram_init(&telemetry->reply, OTHER_NS);
    histogram_init(&telemetry->model, OTHER_NS);
    histogram_init(&telemetry->telegram.took, OTHER_NS);
    histogram_init(&telemetry->http.took, OTHER_NS);
}

/* All that may be part of a trace. */
static struct histogram *traced(struct telemetry *t, int index)
{
    struct histogram *const all[] = {&t->step, &t->decision, &t->venue, &t->command, &t->reply};
    return index < (int)COUNT_OF(all) ? all[index] : NULL;
}

void telemetry_trace(struct telemetry *telemetry, double share, uint64_t seed)
{
    ASSERT(telemetry->tracer == NULL);
    telemetry->tracer = tracer_new(share, seed);
    struct histogram *h;
    for (int i = 0; (h = traced(telemetry, i)) != NULL; i++) {
        histogram_keep_exemplars(h);
    }
}

void telemetry_release(struct telemetry *telemetry)
{
    struct histogram *h;
    for (int i = 0; (h = traced(telemetry, i)) != NULL; i++) {
        histogram_release(h);
    }
    tracer_free(telemetry->tracer);
    telemetry->tracer = NULL;
}

void telemetry_reply_queued(struct telemetry *t, int64_t outbox_id, int64_t now_wall_us)
{
    const struct trace_work work = trace_work();
    if (t == NULL || work.update_mono_us == 0) {
        return;
    }
    t->replies[t->reply_next++ % TELEMETRY_REPLIES_MAX] = (struct telemetry_reply){
        .outbox_id = outbox_id, .queued_wall_us = now_wall_us, .work = work};
}

/* Two messages are never received at the same microsecond by one loop. */
static void forget(struct telemetry *t, int64_t update_mono_us)
{
    for (size_t i = 0; i < TELEMETRY_REPLIES_MAX; i++) {
        if (t->replies[i].work.update_mono_us == update_mono_us) {
            t->replies[i] = (struct telemetry_reply){.outbox_id = 0};
        }
    }
}

static void trace_reply(struct telemetry *t, const struct telemetry_reply *reply, int64_t wall_us)
{
    const struct span span = {.trace = reply->work.trace,
                              .id = tracer_span(t->tracer, TRACER_OPS),
                              .parent = reply->work.span,
                              .kind = SPAN_CLIENT,
                              .name = "reply",
                              .start_ns = reply->queued_wall_us * 1000,
                              .end_ns = wall_us * 1000};
    tracer_add(t->tracer, TRACER_OPS, &span);
}

void telemetry_reply_delivered(struct telemetry *t, int64_t outbox_id, const struct clock *clock)
{
    for (size_t i = 0; t != NULL && outbox_id != 0 && i < TELEMETRY_REPLIES_MAX; i++) {
        const struct telemetry_reply reply = t->replies[i];
        if (reply.outbox_id == outbox_id) {
            int64_t took_us = clock_mono_us(clock) - reply.work.update_mono_us;
            int64_t wall_us = clock_wall_us(clock);
            histogram_add_traced(&t->reply, took_us * 1000, reply.work.trace, wall_us);
            trace_reply(t, &reply, wall_us);
            forget(t, reply.work.update_mono_us);
            return;
        }
    }
}
