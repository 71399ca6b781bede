#include "base/check.h"
#include "unit/unit.h"
#include "venue/feed.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* Members run on one thread of their own, in order, and end with it. */

struct member {
    int number;
    struct loop_source *timer;
    struct feed *feed;
};

static struct shared shared;
static char calls[64];
static pthread_t thread;
static bool signals_masked;

static void note(const char *what, const struct member *m)
{
    size_t len = strlen(calls);
    (void)snprintf(calls + len, sizeof(calls) - len, "%s%d ", what, m->number);
}

static void on_timer(void *userdata)
{
    struct member *m = userdata;
    note("tick", m);
    feed_wake_engine(m->feed);
}

static void start(struct feed *feed, void *userdata)
{
    struct member *m = userdata;
    sigset_t masked;
    note("start", m);
    thread = pthread_self();
    signals_masked =
        pthread_sigmask(SIG_SETMASK, NULL, &masked) == 0 && sigismember(&masked, SIGTERM) == 1;
    m->feed = feed;
    m->timer = loop_add_timer(feed_loop(feed), on_timer, m);
    if (m->number == 2) {
        loop_timer_in(m->timer, 0);
    }
}

static void stop(void *userdata)
{
    struct member *m = userdata;
    note("stop", m);
    loop_source_free(m->timer);
}

static void members_live_on_the_thread(void **state)
{
    (void)state;
    struct member a = {.number = 1}, b = {.number = 2};
    shared_init(&shared, 1);
    struct feed *feed = feed_new(&(struct feed_options){.shared = &shared}, NULL);
    feed_add(feed, &(struct feed_member){"a", start, stop, &a});
    feed_add(feed, &(struct feed_member){"b", start, stop, &b});
    assert_int_equal(shared.feed_beat_mono_us, 0);
    assert_int_equal(feed_start(feed, NULL), 0);
    /* The second one wakes the engine from its timer. */
    struct pollfd fd = {.fd = shared.requests_fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 5000), 1);
    assert_true(atomic_load(&shared.feed_beat_mono_us) > 0);
    assert_true(feed_stop(feed));
    assert_string_equal(calls, "start1 start2 tick2 stop2 stop1 ");
    assert_false(pthread_equal(thread, pthread_self()));
    assert_true(signals_masked);
    /* A thread that has ended does not count as one that hangs. */
    assert_int_equal(shared.feed_beat_mono_us, 0);
    feed_free(feed);
    shared_release(&shared);
}

static void one_that_never_started_is_freed(void **state)
{
    (void)state;
    shared_init(&shared, 1);
    struct feed *feed = feed_new(&(struct feed_options){.shared = &shared}, NULL);
    assert_true(feed_stop(feed));
    feed_free(feed);
    assert_true(feed_stop(NULL));
    feed_free(NULL);
    shared_release(&shared);
}

UNIT_GROUP(feed, cmocka_unit_test(members_live_on_the_thread),
           cmocka_unit_test(one_that_never_started_is_freed))
