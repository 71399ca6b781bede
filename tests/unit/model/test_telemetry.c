#include "base/clock.h"
#include "base/trace.h"
#include "model/telemetry.h"
#include "unit/unit.h"

static uint64_t replies(const struct telemetry *t)
{
    struct histogram_view view;
    histogram_read(&t->reply, &view);
    return view.total;
}

static const struct clock *at(struct clock_fake *fake, int64_t mono_us)
{
    fake->now_mono_us = mono_us;
    return &fake->clock;
}

static void the_first_reply_to_a_message_counts(void **state)
{
    (void)state;
    struct telemetry t;
    struct clock_fake fake;
    clock_fake_init(&fake, 5000);
    telemetry_init(&t);
    telemetry_reply_queued(&t, 1, 7000); /* it answers no message */
    {
        TRACE_WORK((struct trace_work){.update_mono_us = 1000});
        telemetry_reply_queued(&t, 2, 7000);
        telemetry_reply_queued(&t, 3, 7000); /* the result, as an edit of the first */
    }
    {
        TRACE_WORK((struct trace_work){.update_mono_us = 2000});
        telemetry_reply_queued(&t, 4, 7000);
        telemetry_reply_queued(NULL, 5, 7000);
    }
    telemetry_reply_delivered(&t, 1, at(&fake, 9000));
    telemetry_reply_delivered(&t, 0, at(&fake, 9000));
    telemetry_reply_delivered(NULL, 2, at(&fake, 9000));
    assert_int_equal(replies(&t), 0);
    telemetry_reply_delivered(&t, 2, at(&fake, 41000));
    telemetry_reply_delivered(&t, 3, at(&fake, 99000));
    assert_int_equal(replies(&t), 1);
    telemetry_reply_delivered(&t, 4, at(&fake, 12000));
    telemetry_reply_delivered(&t, 4, at(&fake, 13000));
    assert_int_equal(replies(&t), 2);
    struct histogram_view view;
    histogram_read(&t.reply, &view);
    assert_int_equal(view.sum_ns, 40000000 + 10000000);
    telemetry_release(&t);
}

UNIT_GROUP(telemetry, cmocka_unit_test(the_first_reply_to_a_message_counts))
