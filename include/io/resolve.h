/*
 * resolve.h: resolves host names (getaddrinfo) on helper threads, so that the loop never waits.
 *
 *     struct resolver *resolver = resolver_new(loop, err);
 *     const char *known = resolver_known(resolver, host);         // NULL: resolver_ask
 *     struct resolver_query *q = resolver_ask(resolver, host, on_resolved, self, err);
 *     resolver_cancel(q);
 *
 * getaddrinfo cannot be interrupted, and takes up to a minute if the name servers do not answer.
 * So cancelling a query leaves its thread running, and the next query for the same name waits for
 * that thread's result. At most one thread hangs per name, and RESOLVER_THREADS in all.
 * A result is cached for RESOLVER_FRESH_US. For RESOLVER_KEEP_US more it is still returned while it
 * is refreshed in the background, so that known hosts stay reachable while the name servers do not
 * answer. If a name no longer exists, it is dropped from the cache at once.
 * Thread: the loop's.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "io/loop.h"

#define RESOLVER_THREADS  4
#define RESOLVER_NAMES    64 /* cached names; the oldest result is evicted */
#define RESOLVER_FRESH_US USEC_PER_MIN
#define RESOLVER_KEEP_US  USEC_PER_HOUR

struct resolver;
struct resolver_query;

/* addresses: "192.0.2.1,[2001:db8::1]", at most 16, in getaddrinfo's order; NULL on failure, and
 * why holds the reason. Both are valid until the callback returns. */
typedef void (*resolver_fn)(const char *addresses, const char *why, void *userdata);

struct resolver *resolver_new(struct loop *loop, struct err *err);
/* No callback runs afterwards. Does not wait for hanging threads. Not from inside a callback. */
void resolver_free(struct resolver *resolver);

/* The cached addresses, valid until the next call; NULL if they are not cached. */
const char *resolver_known(struct resolver *resolver, const char *host);
/* fn runs once, from the loop, never inside this call. The handle is valid until fn starts or the
 * query is cancelled. NULL: ERR_POOL_BUSY. */
struct resolver_query *resolver_ask(struct resolver *resolver, const char *host, resolver_fn fn,
                                    void *userdata, struct err *err);
void resolver_cancel(struct resolver_query *query); /* accepts NULL */
