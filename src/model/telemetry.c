#include "model/telemetry.h"

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

void telemetry_release(struct telemetry *telemetry)
{
    histogram_release(&telemetry->step);
    histogram_release(&telemetry->decision);
    histogram_release(&telemetry->loop);
    histogram_release(&telemetry->venue);
    histogram_release(&telemetry->command);
    histogram_release(&telemetry->reply);
    histogram_release(&telemetry->model);
    histogram_release(&telemetry->telegram.took);
    histogram_release(&telemetry->http.took);
}

void telemetry_reply_queued(struct telemetry *t, int64_t outbox_id)
{
    const struct trace_work work = trace_work();
    if (t == NULL || work.update_mono_us == 0) {
        return;
    }
    t->replies[t->reply_next++ % TELEMETRY_REPLIES_MAX] =
        (struct telemetry_reply){.outbox_id = outbox_id, .work = work};
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

void telemetry_reply_delivered(struct telemetry *t, int64_t outbox_id, int64_t now_mono_us)
{
    for (size_t i = 0; t != NULL && outbox_id != 0 && i < TELEMETRY_REPLIES_MAX; i++) {
        const struct telemetry_reply reply = t->replies[i];
        if (reply.outbox_id == outbox_id) {
            histogram_add(&t->reply, (now_mono_us - reply.work.update_mono_us) * 1000);
            forget(t, reply.work.update_mono_us);
            return;
        }
    }
}
