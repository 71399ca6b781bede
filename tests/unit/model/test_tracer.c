#include "model/tracer.h"
#include "unit/unit.h"

static struct span span_of(struct trace_work work)
{
    return (struct span){
        .trace = work.trace, .id = work.span, .kind = SPAN_INTERNAL, .name = "x", .end_ns = 1};
}

static void a_share_is_sampled(void **state)
{
    (void)state;
    struct tracer *all = tracer_new(1, 7), *none = tracer_new(0, 7), *some = tracer_new(0.25, 7);
    int sampled = 0;
    for (int i = 0; i < 4000; i++) {
        struct trace_work work = tracer_begin(all, TRACER_OPS, 5);
        assert_true(trace_is_sampled(work) && work.span != 0 && work.update_mono_us == 5);
        assert_false(trace_is_sampled(tracer_begin(none, TRACER_OPS, 0)));
        assert_false(trace_is_sampled(tracer_begin(NULL, TRACER_ENGINE, 0)));
        sampled += trace_is_sampled(tracer_begin(some, TRACER_ENGINE, 0)) ? 1 : 0;
    }
    assert_in_range(sampled, 850, 1150);
    assert_true(tracer_begin(all, TRACER_OPS, 0).trace.low !=
                tracer_begin(all, TRACER_ENGINE, 0).trace.low);
    tracer_free(all);
    tracer_free(none);
    tracer_free(some);
    tracer_free(NULL);
}

static void a_full_queue_drops_and_counts(void **state)
{
    (void)state;
    struct tracer *tracer = tracer_new(1, 7);
    struct trace_work work = tracer_begin(tracer, TRACER_ENGINE, 0);
    struct span span = span_of(work), taken;
    span_tag(&span, "symbol", "BTC-USD");
    for (int i = 0; i < 600; i++) {
        tracer_add(tracer, TRACER_ENGINE, &span);
    }
    assert_int_equal(tracer_dropped(tracer), 600 - 512);
    tracer_add(tracer, TRACER_OPS, &span); /* a queue of its own */
    struct span none = span_of((struct trace_work){.span = 3});
    tracer_add(tracer, TRACER_OPS, &none); /* not sampled */
    tracer_add(NULL, TRACER_OPS, &span);
    int count = 0;
    while (tracer_take(tracer, &taken)) {
        assert_int_equal(taken.trace.low, work.trace.low);
        assert_string_equal(taken.tags[0].value, "BTC-USD");
        count++;
    }
    assert_int_equal(count, 513);
    assert_false(tracer_take(NULL, &taken));
    tracer_free(tracer);
}

UNIT_GROUP(tracer, cmocka_unit_test(a_share_is_sampled),
           cmocka_unit_test(a_full_queue_drops_and_counts))
