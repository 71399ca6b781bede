/*
 * telemetry.h: what the program measures about itself for monitoring: durations and counts of its
 * work. Part of struct shared; GET /metrics (api) writes it out.
 *
 *     histogram_add(&shared->telemetry.step, ns);            // the engine's thread
 *     telemetry_count(&shared->telemetry.runs_done, 1);      // the ops thread
 *
 * Always true: each member has one thread that writes it, and any may read it; nobody waits. A
 * count only grows, from 0 at the start of the process. Thread: as each member says.
 */
#pragma once

#include "base/histogram.h"
#include "io/http.h"
#include "model/tracer.h"

#include <stdatomic.h>

struct clock;

#define TELEMETRY_REPLIES_MAX 32

struct telemetry {
    struct tracer *tracer; /* NULL: nothing is traced. Set before the threads start; owned */
    _Atomic uint64_t spans_sent, spans_lost; /* by the exporter; the ops thread */

    /* The engine's thread. */
    struct histogram step;     /* one step, without the disk */
    struct histogram decision; /* from a candle that is read to the orders decided on it, sent */
    struct histogram venue;    /* from an order that is sent to the venue's first report about it */

    /* The ops thread. */
    struct histogram loop;    /* from a wake-up of its loop to the next wait */
    struct histogram command; /* a run, from its first step to its end */
    struct histogram reply;   /* from an update of Telegram to the delivered reply */
    struct histogram model;   /* a request to the language model */
    struct http_meter telegram;
    struct http_meter http; /* all other requests */
    _Atomic uint64_t runs_done, runs_failed;
    _Atomic uint64_t model_failed, model_input_tokens, model_output_tokens;
    _Atomic uint64_t model_cost_e8; /* 1e-8 US dollars */

    /* The ops thread alone: replies to updates that are not delivered yet, by the row of the
     * outbox. */
    struct telemetry_reply {
        int64_t outbox_id;
        int64_t queued_wall_us;
        struct trace_work work;
    } replies[TELEMETRY_REPLIES_MAX];
    unsigned reply_next;
};

void telemetry_init(struct telemetry *telemetry);
/* Before the threads start: traces this share (0 to 1), and keeps exemplars. */
void telemetry_trace(struct telemetry *telemetry, double share, uint64_t seed);
void telemetry_release(struct telemetry *telemetry);

/* The thread that owns the count. */
static inline void telemetry_count(_Atomic uint64_t *count, uint64_t more)
{
    uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + more, memory_order_relaxed);
}

/* The reply to the message that this thread works for is a row of the outbox now; nothing happens
 * if it works for none. Of more than TELEMETRY_REPLIES_MAX at once, the oldest are not measured. */
void telemetry_reply_queued(struct telemetry *telemetry, int64_t outbox_id, int64_t now_wall_us);
/* It was delivered. The first reply to a message counts. */
void telemetry_reply_delivered(struct telemetry *telemetry, int64_t outbox_id,
                               const struct clock *clock);
