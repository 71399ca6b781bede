#include "venue/feed.h"

#include "base/check.h"
#include "base/log.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BEAT_US     USEC_PER_SEC
#define STACK_BYTES ((size_t)512 * 1024)

struct feed {
    struct feed_options o;
    struct loop *loop;
    struct loop_source *stop;
    struct loop_source *beat;
    int member_count;
    struct feed_member members[FEED_MEMBERS_MAX];
    pthread_t thread;
    bool started;
};

static void on_stop(void *userdata)
{
    loop_exit(((struct feed *)userdata)->loop, 0);
}

static _Atomic int64_t *beat_of(const struct feed *feed)
{
    return feed->o.account ? &feed->o.shared->account_beat_mono_us
                           : &feed->o.shared->feed_beat_mono_us;
}

static void on_beat(void *userdata)
{
    struct feed *feed = userdata;
    atomic_store_explicit(beat_of(feed), clock_mono_us(loop_clock(feed->loop)),
                          memory_order_relaxed);
}

static void *run(void *userdata)
{
    struct feed *feed = userdata;
    on_beat(feed);
    loop_timer_every(feed->beat, BEAT_US);
    for (int i = 0; i < feed->member_count; i++) {
        feed->members[i].start(feed, feed->members[i].userdata);
    }
    (void)loop_run(feed->loop);
    for (int i = feed->member_count - 1; i >= 0; i--) {
        feed->members[i].stop(feed->members[i].userdata);
    }
    atomic_store(beat_of(feed), 0);
    return NULL;
}

struct feed *feed_new(const struct feed_options *options, struct err *err)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    NEED_MEMORY(feed != NULL);
    feed->o = *options;
    if ((feed->loop = loop_new(err)) == NULL ||
        (feed->stop = loop_add_wake(feed->loop, on_stop, feed, err)) == NULL) {
        feed_free(feed);
        return NULL;
    }
    feed->beat = loop_add_timer(feed->loop, on_beat, feed);
    loop_source_name(feed->stop, "feed stop");
    loop_source_name(feed->beat, "feed beat");
    return feed;
}

void feed_add(struct feed *feed, const struct feed_member *member)
{
    ASSERT(!feed->started && feed->member_count < FEED_MEMBERS_MAX);
    feed->members[feed->member_count++] = *member;
}

int feed_start(struct feed *feed, struct err *err)
{
    ASSERT(!feed->started);
    sigset_t all, before;
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* a new thread inherits the mask */
    int rc = pthread_create(&feed->thread, &attributes, run, feed);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (rc != 0) {
        return err_set(err, ERR_LOOP_SETUP, "feed thread: %s", strerror(rc));
    }
    (void)pthread_setname_np(feed->thread, feed->o.account ? "account" : "feed");
    feed->started = true;
    return 0;
}

bool feed_stop(struct feed *feed)
{
    if (feed == NULL || !feed->started) {
        return true;
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FEED_STOP_US / USEC_PER_SEC;
    loop_wake(feed->stop);
    int rc = pthread_clockjoin_np(feed->thread, NULL, CLOCK_MONOTONIC, &until);
    if (rc != 0) {
        LOG(ERROR, "the feed thread does not end: it is left behind");
        return false;
    }
    feed->started = false;
    return true;
}

void feed_free(struct feed *feed)
{
    if (feed == NULL) {
        return;
    }
    ASSERT(!feed->started);
    loop_source_free(feed->beat);
    loop_source_free(feed->stop);
    loop_free(feed->loop);
    free(feed);
}

struct loop *feed_loop(struct feed *feed)
{
    return feed->loop;
}

void feed_wake_engine(struct feed *feed)
{
    uint64_t one = 1;
    /* Full only if the engine has been woken already. */
    (void)!write(feed->o.shared->requests_fd, &one, sizeof(one));
}
