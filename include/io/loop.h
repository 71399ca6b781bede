/*
 * loop.h: the event loop of a thread (sd-event): timers, descriptors, signals, children, wake-ups.
 *
 *     struct loop *loop = loop_new(err);
 *     struct loop_source *tick = loop_add_timer(loop, on_tick, self);
 *     loop_timer_every(tick, 5 * USEC_PER_SEC);
 *     int code = loop_run(loop);                  // until somebody calls loop_exit(loop, code)
 *     loop_source_free(tick), loop_free(loop);
 *
 * Always true: every source belongs to the caller, who frees it before the loop; a source may be
 * freed from any callback, its own included; after loop_source_free its callback never runs.
 * A callback runs from loop_run, loop_iterate or loop_advance only, never from inside the call
 * that armed it. Timers that are due at the same time run in the order in which they were armed.
 * Times are monotonic microseconds of loop_clock(). A loop made with loop_new_fake takes its time
 * from a struct clock_fake: only loop_advance moves it, descriptors and signals stay real.
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
/* events: the EPOLL… bits that are ready; EPOLLERR and EPOLLHUP come unasked. */
typedef void (*loop_io_fn)(int fd, uint32_t events, void *userdata);
/* exit_code is 0..255, or -signal when a signal ended the child. It has been reaped already. */
typedef void (*loop_child_fn)(pid_t pid, int exit_code, void *userdata);

struct loop *loop_new(struct err *err);
/* The caller keeps *fake alive as long as the loop. */
struct loop *loop_new_fake(struct clock_fake *fake, struct err *err);
void loop_free(struct loop *loop);

const struct clock *loop_clock(const struct loop *loop);

/* Runs until loop_exit; returns its code. A real loop only. */
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int code);
/* Waits at most timeout_us (0: does not wait) for one thing and dispatches it. True when something
 * ran. In a fake loop no time passes here and no timer runs. */
bool loop_iterate(struct loop *loop, int64_t timeout_us);
/* Fake loops: moves the clock by_us forward, stopping at every timer on the way to run it (and
 * whatever it deferred) at its own time. Then dispatches what is ready without waiting. */
void loop_advance(struct loop *loop, int64_t by_us);

/* Timers. A new one is stopped. Re-arming replaces what was armed. */
struct loop_source *loop_add_timer(struct loop *loop, loop_fn fn, void *userdata);
void loop_timer_in(struct loop_source *timer, int64_t delay_us); /* once; below 0 counts as 0 */
void loop_timer_at(struct loop_source *timer, int64_t mono_us);  /* once */
/* First after one period, then without drift; periods that were missed are skipped, not repeated.
 * period_us > 0. */
void loop_timer_every(struct loop_source *timer, int64_t period_us);
void loop_timer_stop(struct loop_source *timer);
bool loop_timer_armed(const struct loop_source *timer);

/* Level-triggered. The descriptor stays the caller's and must stay open as long as the source.
 * NULL (ERR_LOOP_SOURCE) when it cannot be watched: a regular file, for instance. */
struct loop_source *loop_add_io(struct loop *loop, int fd, uint32_t events, loop_io_fn fn,
                                void *userdata, struct err *err);
void loop_io_set(struct loop_source *io, uint32_t events); /* 0 pauses it */

/* Blocks the signal for this thread and those it starts later: add before starting threads. */
struct loop_source *loop_add_signal(struct loop *loop, int signal, loop_fn fn, void *userdata,
                                    struct err *err);

/* Calls fn once when the child of this process ends. Freeing the source neither kills nor reaps. */
struct loop_source *loop_add_child(struct loop *loop, pid_t pid, loop_child_fn fn, void *userdata,
                                   struct err *err);

/* Runs fn once after the callback that is running now, before the loop waits again, each time
 * loop_defer was called (several calls before it ran count as one). */
struct loop_source *loop_add_deferred(struct loop *loop, loop_fn fn, void *userdata);
void loop_defer(struct loop_source *deferred);

/* For other threads to call in: an eventfd. fn runs once for any number of loop_wake before it. */
struct loop_source *loop_add_wake(struct loop *loop, loop_fn fn, void *userdata, struct err *err);
void loop_wake(const struct loop_source *wake);   /* Thread: any; async-signal-safe */
int loop_wake_fd(const struct loop_source *wake); /* to hand to a writer: 8 bytes, value 1 */

/* Disarms and frees; takes NULL. */
void loop_source_free(struct loop_source *source);
/* A static text for the spin report. */
void loop_source_name(struct loop_source *source, const char *name);

/*
 * A loop that wakes up without end (a descriptor that nobody reads, a timer re-armed at 0) eats a
 * core in silence. fn gets the number of iterations of the last second and the name of the source
 * that ran most (or its kind), at most once a minute, when they passed LOOP_SPIN_PER_S.
 */
#define LOOP_SPIN_PER_S 20000
typedef void (*loop_spin_fn)(uint64_t iterations, const char *busiest, void *userdata);
void loop_on_spin(struct loop *loop, loop_spin_fn fn, void *userdata);

/*
 * A loop is away while it does not wait: from one wake-up to the next time that it asks for events.
 * Meanwhile nobody else is served. Time in which the thread was ready to run and had no processor
 * does not count, because it says nothing about the callbacks: it is taken from
 * /proc/thread-self/schedstat and left out where that exists (since Linux 2.6.23, unless the kernel
 * was built without); elsewhere it counts. loop_run begins anew: start-up is not an absence.
 * fn gets each absence above LOOP_AWAY_US and each that is longer than all before, with the name of
 * the source (or its kind) whose callback took most of it.
 */
#define LOOP_AWAY_US (50 * USEC_PER_MSEC)
typedef void (*loop_absence_fn)(int64_t away_us, const char *source, void *userdata);
void loop_on_absence(struct loop *loop, loop_absence_fn fn, void *userdata);

struct loop_stats {
    uint64_t iterations; /* wake-ups since loop_new */
    uint64_t dispatched; /* callbacks run */
    uint64_t spins;      /* seconds with more than LOOP_SPIN_PER_S iterations */
    uint64_t absences;   /* above LOOP_AWAY_US */
    int64_t longest_us;  /* the longest absence, and whose it was; static */
    const char *longest_source;
};
struct loop_stats loop_stats(const struct loop *loop);
