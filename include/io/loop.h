/*
 * loop.h: a thread's event loop (sd-event): timers, descriptors, signals, children, wake-ups.
 *
 *     struct loop *loop = loop_new(err);
 *     struct loop_source *tick = loop_add_timer(loop, on_tick, self);
 *     loop_timer_every(tick, 5 * USEC_PER_SEC);
 *     int code = loop_run(loop);                  // until a callback calls loop_exit(loop, code)
 *     loop_source_free(tick), loop_free(loop);
 *
 * Always true: the caller owns every source and frees it before the loop; a source may be freed
 * from any callback, its own included; after loop_source_free its callback never runs.
 * Callbacks run from loop_run, loop_iterate or loop_advance only, never inside the call that armed
 * them. Timers that are due at the same time run in the order in which they were armed.
 * Times are monotonic microseconds of loop_clock(). A loop from loop_new_fake takes its time from
 * a struct clock_fake, which only loop_advance moves; its descriptors and signals are real.
 * Thread: the one that runs the loop, for everything but loop_wake.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h> /* EPOLLIN, EPOLLOUT */
#include <sys/types.h>

struct loop;
struct loop_source;

typedef void (*loop_fn)(void *userdata);
/* events: the EPOLL… bits that are ready; EPOLLERR and EPOLLHUP are always watched. */
typedef void (*loop_io_fn)(int fd, uint32_t events, void *userdata);
/* exit_code is 0..255, or -signal if a signal ended the child. It has been reaped already. */
typedef void (*loop_child_fn)(pid_t pid, int exit_code, void *userdata);

struct loop *loop_new(struct err *err);
/* The caller keeps *fake alive as long as the loop. */
struct loop *loop_new_fake(struct clock_fake *fake, struct err *err);
void loop_free(struct loop *loop);

const struct clock *loop_clock(const struct loop *loop);

/* Runs until loop_exit; returns its code. A real loop only. */
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int code);
/* Waits at most timeout_us (0: does not wait) for one event and dispatches it. True if a callback
 * ran. On a fake loop no time passes here and no timer runs. */
bool loop_iterate(struct loop *loop, int64_t timeout_us);
/* Fake loops: moves the clock forward by by_us; each timer due on the way runs, with the calls that
 * it defers, at its own time. Then dispatches all events that are ready, without waiting. */
void loop_advance(struct loop *loop, int64_t by_us);

/* A new timer is stopped. Arming it again replaces its due time. */
struct loop_source *loop_add_timer(struct loop *loop, loop_fn fn, void *userdata);
void loop_timer_in(struct loop_source *timer, int64_t delay_us); /* once; below 0 counts as 0 */
void loop_timer_at(struct loop_source *timer, int64_t mono_us);  /* once */
/* Fires after one period, then without drift; missed periods are skipped. period_us > 0. */
void loop_timer_every(struct loop_source *timer, int64_t period_us);
void loop_timer_stop(struct loop_source *timer);
bool loop_timer_armed(const struct loop_source *timer);

/* Level-triggered. The caller keeps the descriptor, and keeps it open until the source is freed.
 * NULL (ERR_LOOP_SOURCE) if it cannot be watched: a regular file, for example. */
struct loop_source *loop_add_io(struct loop *loop, int fd, uint32_t events, loop_io_fn fn,
                                void *userdata, struct err *err);
void loop_io_set(struct loop_source *io, uint32_t events); /* 0 pauses it */

/* Blocks the signal in this thread and in those it starts later: add it before starting threads. */
struct loop_source *loop_add_signal(struct loop *loop, int signal, loop_fn fn, void *userdata,
                                    struct err *err);

/* Calls fn once when the child process ends. Freeing the source neither kills nor reaps it. */
struct loop_source *loop_add_child(struct loop *loop, pid_t pid, loop_child_fn fn, void *userdata,
                                   struct err *err);

/* After loop_defer, fn runs once when the current callback has returned, before the loop waits
 * again. Several calls of loop_defer before fn runs count as one. */
struct loop_source *loop_add_deferred(struct loop *loop, loop_fn fn, void *userdata);
void loop_defer(struct loop_source *deferred);

/* An eventfd with which other threads wake the loop. fn runs once for any number of loop_wake. */
struct loop_source *loop_add_wake(struct loop *loop, loop_fn fn, void *userdata, struct err *err);
void loop_wake(const struct loop_source *wake);   /* Thread: any; async-signal-safe */
int loop_wake_fd(const struct loop_source *wake); /* for writers: 8 bytes, value 1 */

/* Disarms and frees; accepts NULL. */
void loop_source_free(struct loop_source *source);
/* Names the source for the spin and absence reports. name is static. */
void loop_source_name(struct loop_source *source, const char *name);

/*
 * A loop that wakes up continuously (a ready descriptor that is never read, a timer re-armed at 0)
 * uses a whole core without any other sign. When a second has more than LOOP_SPIN_PER_S iterations,
 * fn gets their number and the name (or kind) of the source that ran most; at most once a minute.
 */
#define LOOP_SPIN_PER_S 20000
typedef void (*loop_spin_fn)(uint64_t iterations, const char *busiest, void *userdata);
void loop_on_spin(struct loop *loop, loop_spin_fn fn, void *userdata);

/*
 * A loop is absent from a wake-up until it polls for events again; meanwhile no other source is
 * served. Time in which the thread was runnable but had no CPU is subtracted, since the callbacks
 * did not cause it. It comes from /proc/thread-self/schedstat; on a kernel built without schedstat
 * nothing is subtracted. loop_run resets the measurement, so start-up does not count.
 * fn gets each absence above LOOP_AWAY_US and each new maximum, with the name (or kind) of the
 * source whose callback took the largest part of it.
 */
#define LOOP_AWAY_US (50 * USEC_PER_MSEC)
typedef void (*loop_absence_fn)(int64_t away_us, const char *source, void *userdata);
void loop_on_absence(struct loop *loop, loop_absence_fn fn, void *userdata);

/* Adds each absence to a histogram, which outlives the loop: without the subtraction, since a
 * person who waits does not care whose fault it is. */
struct histogram;
void loop_measure(struct loop *loop, struct histogram *absences);

struct loop_stats {
    uint64_t iterations;        /* wake-ups since loop_new */
    uint64_t dispatched;        /* callbacks run */
    uint64_t spins;             /* seconds with more than LOOP_SPIN_PER_S iterations */
    uint64_t absences;          /* above LOOP_AWAY_US */
    int64_t longest_us;         /* the longest absence */
    const char *longest_source; /* the source that caused it; static */
};
struct loop_stats loop_stats(const struct loop *loop);
