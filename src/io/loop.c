#include "io/loop.h"

#include "base/check.h"
#include "base/histogram.h"
#include "loop_sd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

/*
 * Timers and deferred calls are kept in our own lists; one sd-event timer is armed for the earliest
 * timer. So a real and a fake loop run the same code, and only loop_arm and loop_advance differ.
 */
enum kind { TIMER, IO, SIGNAL, CHILD, DEFERRED, WAKE };

struct loop_source {
    struct loop *loop;
    enum kind kind;
    const char *name;
    union {
        loop_fn plain;
        loop_io_fn io;
        loop_child_fn child;
    } fn;
    void *userdata;
    sd_event_source *sd; /* NULL for TIMER and DEFERRED */
    int fd;              /* IO: the caller's; CHILD, WAKE: ours */
    pid_t pid;
    bool armed; /* in loop->timers or loop->deferred */
    struct loop_source *next;
    struct loop_source *previous;
    int64_t due_us;
    int64_t period_us; /* 0: one-shot */
    uint64_t runs;     /* in the window `second` */
    uint64_t second;
};

struct list {
    struct loop_source *first;
    struct loop_source *last;
};

struct loop {
    sd_event *event;
    const struct clock *clock;
    struct clock_fake *fake; /* NULL: real */
    sd_event_source *timer;  /* armed for the earliest timer */
    sd_event_source *soon;   /* enabled while there are deferred calls */
    struct list timers;      /* by due time, then in order of arming */
    struct list deferred;
    size_t sources;

    struct loop_stats stats;
    uint64_t second; /* number of the current one-second window */
    int64_t window_start_us;
    uint64_t window_iterations;
    const char *busiest;
    uint64_t busiest_runs;
    int64_t spin_reported_us;
    loop_spin_fn spin_fn;
    void *spin_userdata;

    /* The current iteration. */
    const char *running; /* source whose callback runs, or NULL */
    int64_t running_since_us;
    const char *slowest; /* source whose callback took longest */
    int64_t slowest_us;
    int schedstat_fd;           /* -1: not available */
    struct histogram *absences; /* NULL: not measured */
    loop_absence_fn absence_fn;
    void *absence_userdata;
};

static void list_insert_before(struct list *list, struct loop_source *at, struct loop_source *new)
{
    new->next = at;
    new->previous = at == NULL ? list->last : at->previous;
    *(new->previous == NULL ? &list->first : &new->previous->next) = new;
    *(at == NULL ? &list->last : &at->previous) = new;
    new->armed = true;
}

static void list_remove(struct list *list, struct loop_source *source)
{
    *(source->previous == NULL ? &list->first : &source->previous->next) = source->next;
    *(source->next == NULL ? &list->last : &source->next->previous) = source->previous;
    source->next = NULL;
    source->previous = NULL;
    source->armed = false;
}

/* ------------------------------------------------------------------ running */

static const char *kind_name(enum kind kind)
{
    switch (kind) {
    case TIMER:
        return "timer";
    case IO:
        return "descriptor";
    case SIGNAL:
        return "signal";
    case CHILD:
        return "child";
    case DEFERRED:
        return "deferred";
    case WAKE:
        return "wake";
    }
    return "";
}

static int64_t real_now_us(void)
{
    return clock_mono_us(clock_real());
}

/* Stops timing the current callback and starts timing the next one (NULL: none). */
static void measure_callback(struct loop *loop, const char *next)
{
    int64_t now_us = real_now_us();
    if (loop->running != NULL && now_us - loop->running_since_us >= loop->slowest_us) {
        loop->slowest_us = now_us - loop->running_since_us;
        loop->slowest = loop->running;
    }
    loop->running = next;
    loop->running_since_us = now_us;
}

/* Counts a callback for the spin report. Called before the callback, which may free the source. */
static void count_run(struct loop_source *source)
{
    struct loop *loop = source->loop;
    measure_callback(loop, source->name != NULL ? source->name : kind_name(source->kind));
    loop->stats.dispatched++;
    if (source->second != loop->second) {
        source->second = loop->second;
        source->runs = 0;
    }
    if (++source->runs > loop->busiest_runs) {
        loop->busiest_runs = source->runs;
        loop->busiest = source->name != NULL ? source->name : kind_name(source->kind);
    }
}

static void count_iteration(struct loop *loop)
{
    loop->stats.iterations++;
    loop->window_iterations++;
    int64_t now_us = real_now_us();
    int64_t window_us = now_us - loop->window_start_us;
    if (window_us < USEC_PER_SEC) {
        return;
    }
    uint64_t per_s = loop->window_iterations * (uint64_t)USEC_PER_SEC / (uint64_t)window_us;
    if (per_s > LOOP_SPIN_PER_S) {
        loop->stats.spins++;
        bool quiet = loop->spin_reported_us != 0 && now_us - loop->spin_reported_us < USEC_PER_MIN;
        if (loop->spin_fn != NULL && !quiet) {
            loop->spin_reported_us = now_us;
            loop->spin_fn(per_s, loop->busiest, loop->spin_userdata);
        }
    }
    loop->window_start_us = now_us;
    loop->window_iterations = 0;
    loop->busiest = "";
    loop->busiest_runs = 0;
    loop->second++;
}

static void must(int code)
{
    NEED_MEMORY(code != -ENOMEM);
    ASSERT(code >= 0);
}

/* Arms the sd-event sources for the heads of the lists. */
static void loop_arm(struct loop *loop)
{
    /* After loop_exit no callback runs, and sd-event refuses to arm a source. */
    if (sd_event_get_state(loop->event) == SD_EVENT_FINISHED) {
        return;
    }
    must(sd_event_source_set_enabled(loop->soon,
                                     loop->deferred.first == NULL ? SD_EVENT_OFF : SD_EVENT_ON));
    if (loop->timers.first == NULL || loop->fake != NULL) {
        must(sd_event_source_set_enabled(loop->timer, SD_EVENT_OFF));
        return;
    }
    int64_t due_us = loop->timers.first->due_us;
    must(sd_event_source_set_time(loop->timer, due_us < 0 ? 0 : (uint64_t)due_us));
    must(sd_event_source_set_enabled(loop->timer, SD_EVENT_ONESHOT));
}

/* Runs only the calls deferred so far: one that defers itself again runs in the next iteration. */
static void run_deferred(struct loop *loop)
{
    size_t count = 0;
    for (const struct loop_source *s = loop->deferred.first; s != NULL; s = s->next) {
        count++;
    }
    for (; count > 0 && loop->deferred.first != NULL; count--) {
        struct loop_source *source = loop->deferred.first;
        list_remove(&loop->deferred, source);
        count_run(source);
        source->fn.plain(source->userdata);
    }
    loop_arm(loop);
}

static void run_timer(struct loop_source *timer)
{
    struct loop *loop = timer->loop;
    list_remove(&loop->timers, timer);
    if (timer->period_us > 0) {
        int64_t period_us = timer->period_us;
        int64_t late_us = clock_mono_us(loop->clock) - timer->due_us;
        int64_t skipped = late_us > 0 ? late_us / period_us : 0;
        loop_timer_at(timer, timer->due_us + (skipped + 1) * period_us);
        timer->period_us = period_us;
    }
    count_run(timer);
    timer->fn.plain(timer->userdata);
}

/* Runs one timer, so that the calls that it defers run before the next timer. */
static int on_sd_timer(sd_event_source *sd, uint64_t usec, void *userdata)
{
    (void)sd;
    (void)usec;
    struct loop *loop = userdata;
    struct loop_source *first = loop->timers.first;
    if (first != NULL && first->due_us <= clock_mono_us(loop->clock)) {
        run_timer(first);
    }
    loop_arm(loop);
    return 0;
}

static int on_sd_soon(sd_event_source *sd, void *userdata)
{
    (void)sd;
    run_deferred(userdata);
    return 0;
}

struct sd_event *loop_sd_event(struct loop *loop)
{
    return loop->event;
}

static struct loop *loop_make(struct clock_fake *fake, struct err *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    ASSERT(loop != NULL);
    loop->fake = fake;
    loop->clock = fake == NULL ? clock_real() : &fake->clock;
    loop->busiest = "";
    loop->window_start_us = clock_mono_us(clock_real());
    loop->second = 1;
    loop->slowest = "";
    loop->stats.longest_source = "";
    loop->schedstat_fd = -1;
    int code = sd_event_new(&loop->event);
    if (code >= 0) {
        code =
            sd_event_add_time(loop->event, &loop->timer, CLOCK_MONOTONIC, 0, 1, on_sd_timer, loop);
    }
    if (code >= 0) {
        code = sd_event_add_defer(loop->event, &loop->soon, on_sd_soon, loop);
    }
    if (code < 0) {
        loop_free(loop);
        err_set(err, ERR_LOOP_SETUP, "%s", strerror(-code));
        return NULL;
    }
    must(sd_event_source_set_priority(loop->soon, SD_EVENT_PRIORITY_IMPORTANT));
    loop_arm(loop);
    return loop;
}

struct loop *loop_new(struct err *err)
{
    return loop_make(NULL, err);
}

struct loop *loop_new_fake(struct clock_fake *fake, struct err *err)
{
    ASSERT(fake != NULL);
    return loop_make(fake, err);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    ASSERT(loop->sources == 0); /* else a source was not freed */
    (void)sd_event_source_unref(loop->timer);
    (void)sd_event_source_unref(loop->soon);
    (void)sd_event_unref(loop->event);
    if (loop->schedstat_fd >= 0) {
        (void)close(loop->schedstat_fd);
    }
    free(loop);
}

const struct clock *loop_clock(const struct loop *loop)
{
    return loop->clock;
}

/* How long this thread has been runnable without a CPU since it started; 0: unknown. */
static int64_t queued_us(const struct loop *loop)
{
    char text[96];
    ssize_t n = loop->schedstat_fd < 0 ? -1 : pread(loop->schedstat_fd, text, sizeof(text) - 1, 0);
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    struct str rest = str_c(text), ran, queued;
    int64_t ns = 0;
    (void)(str_split(&rest, ' ', &ran) && str_split(&rest, ' ', &queued) &&
           str_to_i64(queued, &ns));
    return ns / 1000;
}

static void record_absence(struct loop *loop, int64_t away_us)
{
    struct loop_stats *stats = &loop->stats;
    bool longest = away_us > stats->longest_us, over = away_us > LOOP_AWAY_US;
    if (longest) {
        stats->longest_us = away_us;
        stats->longest_source = loop->slowest;
    }
    stats->absences += over ? 1 : 0;
    if ((longest || over) && loop->absence_fn != NULL) {
        loop->absence_fn(away_us, loop->slowest, loop->absence_userdata);
    }
}

/* The three steps of sd_event_run; the time between two waits is an absence. */
static int run_once(struct loop *loop, uint64_t timeout_us)
{
    int code = sd_event_prepare(loop->event);
    must(code);
    if (code == 0) {
        code = sd_event_wait(loop->event, timeout_us);
        must(code);
    }
    if (code > 0) {
        int64_t from_us = real_now_us(), queued_before_us = queued_us(loop);
        loop->slowest_us = 0;
        loop->slowest = "";
        code = sd_event_dispatch(loop->event);
        must(code);
        measure_callback(loop, NULL);
        int64_t away_us = real_now_us() - from_us;
        if (loop->absences != NULL) {
            histogram_add(loop->absences, away_us * 1000);
        }
        /* Reads schedstat only if the result can matter. */
        if (away_us > loop->stats.longest_us || away_us > LOOP_AWAY_US) {
            away_us -= queued_us(loop) - queued_before_us;
            record_absence(loop, away_us);
        }
        code = 1;
    }
    count_iteration(loop);
    return code;
}

int loop_run(struct loop *loop)
{
    ASSERT(loop->fake == NULL);
    loop->schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    loop->stats.longest_us = 0; /* start-up does not count */
    while (sd_event_get_state(loop->event) != SD_EVENT_FINISHED) {
        (void)run_once(loop, UINT64_MAX);
    }
    int code = 0;
    must(sd_event_get_exit_code(loop->event, &code));
    return code;
}

void loop_exit(struct loop *loop, int code)
{
    must(sd_event_exit(loop->event, code));
}

bool loop_iterate(struct loop *loop, int64_t timeout_us)
{
    if (sd_event_get_state(loop->event) == SD_EVENT_FINISHED) {
        return false;
    }
    return run_once(loop, timeout_us < 0 ? 0 : (uint64_t)timeout_us) > 0;
}

void loop_advance(struct loop *loop, int64_t by_us)
{
    ASSERT(loop->fake != NULL && by_us >= 0);
    int64_t end_us = clock_mono_us(loop->clock) + by_us;
    for (int steps = 0;; steps++) {
        ASSERT(steps < 1000000); /* else a timer re-arms itself with a delay of 0 */
        while (loop->deferred.first != NULL) {
            run_deferred(loop);
        }
        struct loop_source *first = loop->timers.first;
        if (first == NULL || first->due_us > end_us) {
            clock_fake_advance(loop->fake, end_us - clock_mono_us(loop->clock));
            for (int ready = 0; ready < 1000 && loop_iterate(loop, 0);) {
                ready++;
            }
            return;
        }
        int64_t ahead_us = first->due_us - clock_mono_us(loop->clock);
        clock_fake_advance(loop->fake, ahead_us > 0 ? ahead_us : 0);
        run_timer(first);
    }
}

/* ------------------------------------------------------------------ sources */

static struct loop_source *source_new(struct loop *loop, enum kind kind, void *userdata)
{
    struct loop_source *source = calloc(1, sizeof(*source));
    ASSERT(source != NULL);
    source->loop = loop;
    source->kind = kind;
    source->userdata = userdata;
    source->fd = -1;
    loop->sources++;
    return source;
}

void loop_source_free(struct loop_source *source)
{
    if (source == NULL) {
        return;
    }
    struct loop *loop = source->loop;
    if (source->armed) {
        list_remove(source->kind == TIMER ? &loop->timers : &loop->deferred, source);
        loop_arm(loop);
    }
    if (source->sd != NULL) {
        (void)sd_event_source_disable_unref(source->sd);
    }
    if (source->kind != IO && source->fd >= 0) {
        (void)close(source->fd);
    }
    loop->sources--;
    free(source);
}

static struct loop_source *source_failed(struct loop_source *source, int code, struct err *err)
{
    const char *kind = kind_name(source->kind);
    loop_source_free(source);
    err_set(err, ERR_LOOP_SOURCE, "%s: %s", kind, strerror(-code));
    return NULL;
}

void loop_source_name(struct loop_source *source, const char *name)
{
    source->name = name;
}

struct loop_source *loop_add_timer(struct loop *loop, loop_fn fn, void *userdata)
{
    struct loop_source *timer = source_new(loop, TIMER, userdata);
    timer->fn.plain = fn;
    return timer;
}

void loop_timer_at(struct loop_source *timer, int64_t mono_us)
{
    struct loop *loop = timer->loop;
    loop_timer_stop(timer);
    timer->due_us = mono_us;
    /* Searches from the end: most timers are due later than the armed ones. */
    struct loop_source *after = loop->timers.last;
    while (after != NULL && after->due_us > mono_us) {
        after = after->previous;
    }
    list_insert_before(&loop->timers, after == NULL ? loop->timers.first : after->next, timer);
    loop_arm(loop);
}

void loop_timer_in(struct loop_source *timer, int64_t delay_us)
{
    loop_timer_at(timer, clock_mono_us(timer->loop->clock) + (delay_us < 0 ? 0 : delay_us));
}

void loop_timer_every(struct loop_source *timer, int64_t period_us)
{
    ASSERT(period_us > 0);
    loop_timer_in(timer, period_us);
    timer->period_us = period_us;
}

void loop_timer_stop(struct loop_source *timer)
{
    ASSERT(timer->kind == TIMER);
    timer->period_us = 0;
    if (timer->armed) {
        list_remove(&timer->loop->timers, timer);
        loop_arm(timer->loop);
    }
}

bool loop_timer_armed(const struct loop_source *timer)
{
    return timer->armed;
}

static int on_sd_io(sd_event_source *sd, int fd, uint32_t events, void *userdata)
{
    (void)sd;
    struct loop_source *source = userdata;
    count_run(source);
    source->fn.io(fd, events, source->userdata);
    return 0;
}

struct loop_source *loop_add_io(struct loop *loop, int fd, uint32_t events, loop_io_fn fn,
                                void *userdata, struct err *err)
{
    struct loop_source *source = source_new(loop, IO, userdata);
    source->fn.io = fn;
    source->fd = fd;
    int code = sd_event_add_io(loop->event, &source->sd, fd, events, on_sd_io, source);
    return code < 0 ? source_failed(source, code, err) : source;
}

void loop_io_set(struct loop_source *io, uint32_t events)
{
    ASSERT(io->kind == IO);
    if (events != 0) {
        must(sd_event_source_set_io_events(io->sd, events));
    }
    must(sd_event_source_set_enabled(io->sd, events == 0 ? SD_EVENT_OFF : SD_EVENT_ON));
}

static int on_sd_signal(sd_event_source *sd, const struct signalfd_siginfo *info, void *userdata)
{
    (void)sd;
    (void)info;
    struct loop_source *source = userdata;
    count_run(source);
    source->fn.plain(source->userdata);
    return 0;
}

struct loop_source *loop_add_signal(struct loop *loop, int signal, loop_fn fn, void *userdata,
                                    struct err *err)
{
    struct loop_source *source = source_new(loop, SIGNAL, userdata);
    source->fn.plain = fn;
    sigset_t set;
    (void)sigemptyset(&set);
    int code = sigaddset(&set, signal) < 0 ? -errno : -pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (code >= 0) {
        code = sd_event_add_signal(loop->event, &source->sd, signal, on_sd_signal, source);
    }
    return code < 0 ? source_failed(source, code, err) : source;
}

/* A pidfd, because sd_event_add_child requires SIGCHLD to be blocked in every thread. */
static int on_sd_child(sd_event_source *sd, int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    struct loop_source *source = userdata;
    siginfo_t info = {0};
    int rc = waitid(P_PIDFD, (id_t)source->fd, &info, WEXITED | WNOHANG);
    ASSERT(rc == 0); /* ECHILD: other code reaped our child */
    if (info.si_pid == 0) {
        return 0; /* spurious wake-up */
    }
    must(sd_event_source_set_enabled(sd, SD_EVENT_OFF));
    int exit_code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    count_run(source);
    source->fn.child(source->pid, exit_code, source->userdata);
    return 0;
}

struct loop_source *loop_add_child(struct loop *loop, pid_t pid, loop_child_fn fn, void *userdata,
                                   struct err *err)
{
    struct loop_source *source = source_new(loop, CHILD, userdata);
    source->fn.child = fn;
    source->pid = pid;
    source->fd = pidfd_open(pid, 0);
    int code = source->fd < 0 ? -errno
                              : sd_event_add_io(loop->event, &source->sd, source->fd, EPOLLIN,
                                                on_sd_child, source);
    return code < 0 ? source_failed(source, code, err) : source;
}

struct loop_source *loop_add_deferred(struct loop *loop, loop_fn fn, void *userdata)
{
    struct loop_source *source = source_new(loop, DEFERRED, userdata);
    source->fn.plain = fn;
    return source;
}

void loop_defer(struct loop_source *deferred)
{
    ASSERT(deferred->kind == DEFERRED);
    if (!deferred->armed) {
        list_insert_before(&deferred->loop->deferred, NULL, deferred);
        loop_arm(deferred->loop);
    }
}

static int on_sd_wake(sd_event_source *sd, int fd, uint32_t events, void *userdata)
{
    (void)sd;
    (void)events;
    struct loop_source *source = userdata;
    uint64_t count = 0;
    if (read(fd, &count, sizeof(count)) != (ssize_t)sizeof(count)) {
        return 0;
    }
    count_run(source);
    source->fn.plain(source->userdata);
    return 0;
}

struct loop_source *loop_add_wake(struct loop *loop, loop_fn fn, void *userdata, struct err *err)
{
    struct loop_source *source = source_new(loop, WAKE, userdata);
    source->fn.plain = fn;
    source->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = source->fd < 0 ? -errno
                              : sd_event_add_io(loop->event, &source->sd, source->fd, EPOLLIN,
                                                on_sd_wake, source);
    return code < 0 ? source_failed(source, code, err) : source;
}

void loop_wake(const struct loop_source *wake)
{
    ASSERT(wake->kind == WAKE);
    const uint64_t one = 1;
    /* Fails only if the counter is full; then a wake-up is pending already. */
    (void)!write(wake->fd, &one, sizeof(one));
}

int loop_wake_fd(const struct loop_source *wake)
{
    ASSERT(wake->kind == WAKE);
    return wake->fd;
}

/* ------------------------------------------------------------------ reports */

void loop_on_spin(struct loop *loop, loop_spin_fn fn, void *userdata)
{
    loop->spin_fn = fn;
    loop->spin_userdata = userdata;
}

void loop_measure(struct loop *loop, struct histogram *absences)
{
    loop->absences = absences;
}

void loop_on_absence(struct loop *loop, loop_absence_fn fn, void *userdata)
{
    loop->absence_fn = fn;
    loop->absence_userdata = userdata;
}

struct loop_stats loop_stats(const struct loop *loop)
{
    return loop->stats;
}
