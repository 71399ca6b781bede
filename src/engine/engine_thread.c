#include "engine/engine_thread.h"

#include "base/check.h"
#include "base/log.h"
#include "engine/driver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct engine_thread {
    pthread_t thread;
    struct driver *driver;
    struct feed *feed;          /* of real venues; NULL: none is used */
    struct live_market *market; /* NULL: it is not live */
    struct shared *shared;
    _Atomic bool stop; /* beside shared->stop, so that a test can end the engine alone */
};

/* Until something was asked of us, the venue has a report, or the time is over. */
static void wait_for(const struct shared *shared, int venue_fd, int64_t wait_us)
{
    if (wait_us <= 0) {
        return;
    }
    /* poll ignores a descriptor of -1. */
    struct pollfd fds[] = {{.fd = shared->requests_fd, .events = POLLIN},
                           {.fd = venue_fd, .events = POLLIN}};
    struct timespec timeout = {.tv_sec = wait_us / USEC_PER_SEC,
                               .tv_nsec = wait_us % USEC_PER_SEC * 1000};
    if (ppoll(fds, COUNT_OF(fds), &timeout, NULL) > 0 && (fds[0].revents & POLLIN) != 0) {
        uint64_t count;
        /* Only the wake-up matters; the ring holds what was asked. */
        (void)!read(shared->requests_fd, &count, sizeof(count));
    }
}

static void *run(void *userdata)
{
    struct engine_thread *t = userdata;
    while (!atomic_load(&t->stop) && !atomic_load(&t->shared->stop)) {
        int64_t wait_us = driver_round(t->driver);
        wait_for(t->shared, driver_fd(t->driver), wait_us);
    }
    driver_finish(t->driver);
    return NULL;
}

static void free_thread(struct engine_thread *t)
{
    if (!feed_stop(t->feed)) {
        return; /* it may still use all of it */
    }
    live_market_free(t->market);
    feed_free(t->feed);
    driver_free(t->driver);
    free(t);
}

static int start_feed(struct engine_thread *t, const struct engine_options *options,
                      struct clock *clock, struct err *err)
{
    if (options->settings.market_source != MARKET_LIVE) {
        return 0;
    }
    t->feed = feed_new(&(struct feed_options){.shared = t->shared}, err);
    if (t->feed == NULL) {
        return -ERR_LOOP_SETUP;
    }
    const struct live_market_options market = {
        .plan = &options->live, .feed = t->feed, .clock = clock, .symbols = t->shared->symbols};
    t->market = live_market_new(&market, err);
    return t->market == NULL ? -err->id : feed_start(t->feed, err);
}

int engine_thread_start(const struct engine_options *options, struct shared *shared,
                        struct engine_thread **ret, struct err *err)
{
    ASSERT(shared->sealed);
    struct engine_thread *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL);
    t->shared = shared;
    struct clock *clock = options->clock == NULL ? clock_real() : options->clock;
    int rc = start_feed(t, options, clock, err);
    if (rc < 0) {
        free_thread(t);
        return rc;
    }
    t->driver = driver_new(&(struct driver_options){.state_dir = options->state_dir,
                                                    .settings = options->settings,
                                                    .venue = options->venue,
                                                    .market = t->market,
                                                    .clock = clock},
                           shared);
    rc = pthread_create(&t->thread, NULL, run, t);
    if (rc != 0) {
        free_thread(t);
        return err_set(err, ERR_ENGINE_THREAD, "%s", strerror(rc));
    }
    (void)pthread_setname_np(t->thread, "engine");
    *ret = t;
    return 0;
}

void engine_thread_stop(struct engine_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    atomic_store(&thread->stop, true);
    uint64_t one = 1;
    (void)!write(thread->shared->requests_fd, &one, sizeof(one));
    (void)pthread_join(thread->thread, NULL);
    free_thread(thread);
}
