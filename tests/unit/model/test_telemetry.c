#include "base/trace.h"
#include "model/telemetry.h"
#include "unit/unit.h"

static uint64_t replies(const struct telemetry *t)
{
    struct histogram_view view;
    histogram_read(&t->reply, &view);
    return view.total;
}

static void the_first_reply_to_a_message_counts(void **state)
{
    (void)state;
    struct telemetry t;
    telemetry_init(&t);
    telemetry_reply_queued(&t, 1); /* it answers no message */
    {
        TRACE_WORK((struct trace_work){.update_mono_us = 1000});
        telemetry_reply_queued(&t, 2);
        telemetry_reply_queued(&t, 3); /* the result, as an edit of the first */
    }
    {
        TRACE_WORK((struct trace_work){.update_mono_us = 2000});
        telemetry_reply_queued(&t, 4);
        telemetry_reply_queued(NULL, 5);
    }
    telemetry_reply_delivered(&t, 1, 9000);
    telemetry_reply_delivered(&t, 0, 9000);
    telemetry_reply_delivered(NULL, 2, 9000);
    assert_int_equal(replies(&t), 0);
    telemetry_reply_delivered(&t, 2, 41000);
    telemetry_reply_delivered(&t, 3, 99000);
    assert_int_equal(replies(&t), 1);
    telemetry_reply_delivered(&t, 4, 12000);
    telemetry_reply_delivered(&t, 4, 13000);
    assert_int_equal(replies(&t), 2);
    struct histogram_view view;
    histogram_read(&t.reply, &view);
    assert_int_equal(view.sum_ns, 40000000 + 10000000);
    telemetry_release(&t);
}

UNIT_GROUP(telemetry, cmocka_unit_test(the_first_reply_to_a_message_counts))
