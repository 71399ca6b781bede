/*
 * histogram.h: how long something takes: durations counted in fixed buckets that double, for
 * monitoring systems.
 *
 *     static struct histogram steps = HISTOGRAM_INIT(1000);    // buckets up to 1 us, 2 us, 4 us …
 *     histogram_add(&steps, ns);                               // the thread that owns it
 *     histogram_read(&steps, &view);                           // any thread
 *
 * The upper bound of bucket i is first_ns << i, inclusive; the last bucket has no bound. With
 * exemplars (histogram_keep_exemplars) each bucket also names the trace of its newest traced
 * duration.
 * Invariants: one thread adds; nobody waits: each number is an atomic that only its owner writes,
 * so a reader sees each count whole, and a sum that may be a duration ahead of the counts. The
 * total of a view is the sum of its counts. An exemplar that is being written while it is read is
 * left out of that view: it is three words, and a reader that repeated its reading could starve.
 * Thread: add: its owner; read: any; init and keep_exemplars: before either.
 */
#pragma once

#include "base/trace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 25 /* with the last, which has no bound */

struct histogram_slot; /* an exemplar */

struct histogram {
    int64_t first_ns;
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
    _Atomic int64_t sum_ns;
    struct histogram_slot *slots; /* HISTOGRAM_BUCKETS; NULL: no exemplars are kept */
};

#define HISTOGRAM_INIT(first) \
    {                         \
        .first_ns = (first)   \
    }

struct histogram_exemplar {
    struct trace_id trace; /* none: this bucket has no exemplar */
    int64_t ns;
    int64_t wall_us; /* when it was added */
};

struct histogram_view {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    int64_t sum_ns;
    struct histogram_exemplar exemplars[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *h, int64_t first_ns);
/* Allocates the exemplars; once. histogram_release frees them. */
void histogram_keep_exemplars(struct histogram *h);
void histogram_release(struct histogram *h);

/* A negative duration counts as 0. */
void histogram_add(struct histogram *h, int64_t ns);
/* The same, of a duration that belongs to a trace. */
void histogram_add_traced(struct histogram *h, int64_t ns, struct trace_id trace, int64_t wall_us);

void histogram_read(const struct histogram *h, struct histogram_view *ret);
/* The upper bound of a bucket; INT64_MAX: it has none. */
int64_t histogram_bound_ns(const struct histogram *h, int bucket);
