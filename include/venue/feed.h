/*
 * feed.h: the thread that owns the connections to real venues: one loop, on which market data and
 * account live beside each other.
 *
 *     struct feed *feed = feed_new(&(struct feed_options){.shared = shared}, err);
 *     market_feed_new(feed, ...);                    // members: feed_add(feed, &member)
 *     rc = feed_start(feed, err);
 *     ...
 *     feed_stop(feed), market_feed_free(...), feed_free(feed);
 *
 * Always true: members are added before feed_start and called on the feed's thread only. A member
 * talks to the engine through rings and mailboxes, never waits, and never holds a lock. The
 * thread takes no signals. Its heartbeat is in struct shared: a feed that hangs is noticed like a
 * hanging engine.
 * Thread: new, add, start, stop and free from one; feed_loop from the feed's own.
 */
#pragma once

#include "base/err.h"
#include "io/loop.h"
#include "model/shared.h"

#include <stdbool.h>

struct feed;

struct feed_options {
    struct shared *shared; /* for the heartbeat, and to wake the engine; outlives the feed */
    bool account; /* the thread of the account: beside that of market data, so that frames of prices
                   * delay no order */
};

/* What lives on the thread. Both functions run on it. */
struct feed_member {
    const char *name; /* static */
    /* Once, when the thread starts: makes sources on the loop, and opens connections. */
    void (*start)(struct feed *feed, void *userdata);
    /* Once, when it ends: frees them, without waiting for anybody. */
    void (*stop)(void *userdata);
    void *userdata;
};

#define FEED_MEMBERS_MAX 4
/* A thread that does not end within this time is left alone, and said so in the log. */
#define FEED_STOP_US (3 * USEC_PER_SEC)

/* Makes the loop; the thread begins with feed_start. NULL: ERR_LOOP_SETUP. */
struct feed *feed_new(const struct feed_options *options, struct err *err);
/* Before feed_start. */
void feed_add(struct feed *feed, const struct feed_member *member);
/* ERR_LOOP_SETUP: no thread. Once. */
int feed_start(struct feed *feed, struct err *err);
/* Ends the thread: each member is stopped on it. False: it hangs for too long, and nothing that it
 * uses may be freed. Accepts NULL and one that never started. */
bool feed_stop(struct feed *feed);
/* After feed_stop was true. Accepts NULL. */
void feed_free(struct feed *feed);

struct loop *feed_loop(struct feed *feed);
/* Thread: the feed's. The engine does its next round at once: a ring or mailbox has something. */
void feed_wake_engine(struct feed *feed);
