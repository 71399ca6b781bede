/*
 * resolve.h: host names to addresses (getaddrinfo) without waiting: on helper threads.
 *
 *     struct resolver *resolver = resolver_new(loop, err);
 *     const char *known = resolver_known(resolver, "api.telegram.org");    // or NULL: ask
 *     struct resolver_query *q = resolver_ask(resolver, "api.telegram.org", on_resolved, self,
 * err); resolver_cancel(q);
 *
 * getaddrinfo cannot be interrupted, and with silent name servers it takes up to a minute. Here
 * nobody waits for it: a query is cancelled without its thread, and the next query for the same
 * name joins the one that hangs. So at most one thread hangs for each name, and RESOLVER_THREADS in
 * all.
 * An answer serves RESOLVER_FRESH_US; for RESOLVER_KEEP_US more it still serves while a new one is
 * asked for in the background, so that silent name servers do not take away what was known. A name
 * that ceased to exist is forgotten at once.
 * Thread: the loop's.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "io/loop.h"

#define RESOLVER_THREADS  4
#define RESOLVER_NAMES    64 /* known ones; the oldest answer makes way */
#define RESOLVER_FRESH_US USEC_PER_MIN
#define RESOLVER_KEEP_US  USEC_PER_HOUR

struct resolver;
struct resolver_query;

/* addresses: "192.0.2.1,[2001:db8::1]", at most 16, as getaddrinfo ordered them; NULL when there
 * are none, and why says so. Both live until the callback returns. */
typedef void (*resolver_fn)(const char *addresses, const char *why, void *userdata);

struct resolver *resolver_new(struct loop *loop, struct err *err);
/* No callback runs any more. Does not wait for what hangs. Not from inside a callback. */
void resolver_free(struct resolver *resolver);

/* Valid until the next call; NULL when the name must be asked for. */
const char *resolver_known(struct resolver *resolver, const char *host);
/* fn runs once, from the loop, never inside this call. The handle is valid until fn starts or it
 * is cancelled. NULL: ERR_POOL_BUSY. */
struct resolver_query *resolver_ask(struct resolver *resolver, const char *host, resolver_fn fn,
                                    void *userdata, struct err *err);
void resolver_cancel(struct resolver_query *query); /* takes NULL */
