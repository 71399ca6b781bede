#include "base/histogram.h"
#include "unit/unit.h"

#include <pthread.h>

static void a_bound_belongs_to_its_bucket(void **state)
{
    (void)state;
    struct histogram h = HISTOGRAM_INIT(1000);
    histogram_add(&h, -5);
    histogram_add(&h, 0);
    histogram_add(&h, 1000);
    histogram_add(&h, 1001);
    histogram_add(&h, 2000);
    histogram_add(&h, 2001);
    histogram_add(&h, INT64_C(1000) << (HISTOGRAM_BUCKETS - 2));
    histogram_add(&h, (INT64_C(1000) << (HISTOGRAM_BUCKETS - 2)) + 1);
    struct histogram_view view;
    histogram_read(&h, &view);
    assert_int_equal(view.counts[0], 3);
    assert_int_equal(view.counts[1], 2);
    assert_int_equal(view.counts[2], 1);
    assert_int_equal(view.counts[HISTOGRAM_BUCKETS - 2], 1);
    assert_int_equal(view.counts[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(view.total, 8);
    assert_int_equal(view.sum_ns, 1000 + 1001 + 2000 + 2001 + 2 * (INT64_C(1000) << 23) + 1);
    assert_int_equal(histogram_bound_ns(&h, 0), 1000);
    assert_int_equal(histogram_bound_ns(&h, 3), 8000);
    assert_true(histogram_bound_ns(&h, HISTOGRAM_BUCKETS - 1) == INT64_MAX);
}

/* Each duration is in the first bucket whose bound is not below it. */
static void every_duration_is_in_its_bucket(void **state)
{
    (void)state;
    for (int64_t ns = 1; ns < INT64_C(1) << 40; ns = ns * 3 / 2 + 1) {
        struct histogram h;
        histogram_init(&h, 100);
        histogram_add(&h, ns);
        struct histogram_view view;
        histogram_read(&h, &view);
        int bucket = 0;
        while (histogram_bound_ns(&h, bucket) < ns) {
            bucket++;
        }
        assert_int_equal(view.counts[bucket], 1);
    }
}

static void a_bucket_names_its_newest_trace(void **state)
{
    (void)state;
    struct histogram h = HISTOGRAM_INIT(1000);
    struct histogram_view view;
    histogram_add_traced(&h, 10, (struct trace_id){1, 2}, 100);
    histogram_read(&h, &view); /* none are kept yet */
    assert_int_equal(view.counts[0], 1);
    assert_int_equal(view.exemplars[0].trace.low, 0);
    histogram_keep_exemplars(&h);
    histogram_add_traced(&h, 20, (struct trace_id){3, 4}, 200);
    histogram_add_traced(&h, 30, (struct trace_id){5, 6}, 300);
    histogram_add_traced(&h, 40, (struct trace_id){0, 0}, 400); /* not traced */
    histogram_add(&h, 5000);
    histogram_read(&h, &view);
    assert_int_equal(view.counts[0], 4);
    assert_int_equal(view.exemplars[0].trace.high, 5);
    assert_int_equal(view.exemplars[0].trace.low, 6);
    assert_int_equal(view.exemplars[0].ns, 30);
    assert_int_equal(view.exemplars[0].wall_us, 300);
    assert_int_equal(view.exemplars[3].trace.high, 0);
    histogram_release(&h);
}

enum { ADDED = 200000 };

/* Each exemplar has three equal numbers, so a mixture of two shows. */
static void *add_many(void *histogram)
{
    for (uint64_t i = 1; i <= ADDED; i++) {
        histogram_add_traced(histogram, (int64_t)(i % 1000), (struct trace_id){i, i}, (int64_t)i);
    }
    return NULL;
}

static void a_reader_never_sees_a_mixture(void **state)
{
    (void)state;
    struct histogram h = HISTOGRAM_INIT(1000);
    histogram_keep_exemplars(&h);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, add_many, &h), 0);
    struct histogram_view view;
    uint64_t before = 0;
    do {
        histogram_read(&h, &view);
        const struct histogram_exemplar *e = &view.exemplars[0];
        assert_int_equal(e->trace.high, e->trace.low);
        assert_true(e->trace.high == 0 || (e->wall_us == (int64_t)e->trace.high &&
                                           e->ns == (int64_t)(e->trace.high % 1000)));
        assert_true(view.total >= before);
        before = view.total;
    } while (view.total < ADDED);
    assert_int_equal(pthread_join(writer, NULL), 0);
    histogram_release(&h);
}

UNIT_GROUP(histogram, cmocka_unit_test(a_bound_belongs_to_its_bucket),
           cmocka_unit_test(every_duration_is_in_its_bucket),
           cmocka_unit_test(a_bucket_names_its_newest_trace),
           cmocka_unit_test(a_reader_never_sees_a_mixture))
