/* Spans of the engine's thread: a candle with its step, decisions and orders; a request of ops. */
#include "driver_private.h"

#include <stdio.h>

static struct tracer *tracer_of(const struct driver *d)
{
    return d->shared->telemetry.tracer;
}

/* Spans have wall time, durations are monotonic. */
static int64_t wall_ns(const struct driver *d, int64_t mono_ns)
{
    return clock_wall_us(d->clock) * 1000 - (driver_nanoseconds() - mono_ns);
}

static struct span span_of(struct driver *d, const char *name, int64_t from_ns, int64_t to_ns)
{
    return (struct span){.trace = d->work.trace,
                         .id = tracer_span(tracer_of(d), TRACER_ENGINE),
                         .parent = d->work.span,
                         .kind = SPAN_INTERNAL,
                         .name = name,
                         .start_ns = wall_ns(d, from_ns),
                         .end_ns = wall_ns(d, to_ns)};
}

void driver_trace_minute(struct driver *d)
{
    d->minute_work = tracer_begin(tracer_of(d), TRACER_ENGINE, 0);
}

void driver_trace_step(struct driver *d, int64_t from_ns, int64_t to_ns)
{
    const struct request *r = d->inputs.request;
    d->work_is_request = r != NULL && trace_is_sampled(r->work);
    d->work = d->work_is_request        ? r->work
              : d->inputs.bar_count > 0 ? d->minute_work
                                        : (struct trace_work){.span = 0};
    d->step_ns = from_ns;
    if (trace_is_sampled(d->work)) {
        const struct span span = span_of(d, "engine step", from_ns, to_ns);
        tracer_add(tracer_of(d), TRACER_ENGINE, &span);
    }
    histogram_add_traced(&d->shared->telemetry.step, to_ns - from_ns, d->work.trace,
                         trace_is_sampled(d->work) ? clock_wall_us(d->clock) : 0);
}

static void add_decisions(struct driver *d, int64_t now_ns)
{
    for (int i = 0; i < d->outputs.decision_count; i++) {
        const struct decision *decision = &d->outputs.decisions[i];
        struct span span = span_of(d, "decision", d->step_ns, now_ns);
        char score[24];
        (void)snprintf(score, sizeof(score), "%.3f", decision->score);
        span_tag(&span, "symbol", decision->symbol.name);
        span_tag(&span, "outcome", outcome_name(decision->outcome));
        span_tag(&span, "score", score);
        tracer_add(tracer_of(d), TRACER_ENGINE, &span);
    }
}

void driver_trace_shipped(struct driver *d)
{
    int64_t now_ns = driver_nanoseconds();
    if (d->outputs.decision_count > 0) {
        histogram_add_traced(&d->shared->telemetry.decision, now_ns - d->minute_read_ns,
                             d->minute_work.trace,
                             trace_is_sampled(d->minute_work) ? clock_wall_us(d->clock) : 0);
    }
    if (!trace_is_sampled(d->work)) {
        return;
    }
    add_decisions(d, now_ns);
    struct span span = span_of(d, "engine request", d->step_ns, now_ns);
    if (!d->work_is_request) { /* the root */
        span.name = "candle";
        span.id = d->work.span;
        span.parent = 0;
        span.start_ns = wall_ns(d, d->minute_read_ns);
    }
    tracer_add(tracer_of(d), TRACER_ENGINE, &span);
    d->work = (struct trace_work){.span = 0};
}

void driver_trace_reported(struct driver *d, const struct venue_report *report)
{
    struct venue_clock_order order;
    int64_t now_ns = driver_nanoseconds();
    if (!venue_clock_reported(&d->venue_clock, report->client_id, &order)) {
        return;
    }
    bool sampled = trace_is_sampled(order.work);
    histogram_add_traced(&d->shared->telemetry.venue, now_ns - order.sent_ns, order.work.trace,
                         sampled ? clock_wall_us(d->clock) : 0);
    if (!sampled) {
        return;
    }
    struct span span = {.trace = order.work.trace,
                        .id = tracer_span(tracer_of(d), TRACER_ENGINE),
                        .parent = order.work.span,
                        .kind = SPAN_CLIENT,
                        .name = "venue order",
                        .failed = report->kind == VENUE_ORDER && report->state == ORDER_REJECTED,
                        .start_ns = wall_ns(d, order.sent_ns),
                        .end_ns = wall_ns(d, now_ns)};
    span_tag(&span, "order", order.client_id);
    span_tag(&span, "venue", d->options.venue.name);
    if (report->kind == VENUE_ORDER) {
        span_tag(&span, "state", order_state_name(report->state));
    }
    tracer_add(tracer_of(d), TRACER_ENGINE, &span);
}
