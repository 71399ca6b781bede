#include "io/resolve.h"

#include "base/buf.h"
#include "base/check.h"
#include "io/pool.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

enum { HOST_SIZE = 256, ADDRESSES_MAX = 16, ADDRESSES_SIZE = 1024 };

struct name {
    char host[HOST_SIZE];
    char addresses[ADDRESSES_SIZE]; /* "": unknown */
    int64_t at_mono_us;             /* when they were resolved */
    struct pool_job *job;           /* the look-up under way, or NULL */
    struct resolver_query *queries;
    bool notifying;
    struct name *next;
    struct resolver *resolver;
};

struct resolver_query {
    struct name *name;
    struct resolver_query *next;
    bool due; /* its callback runs in this notify */
    resolver_fn fn;
    void *userdata;
};

struct resolver {
    struct loop *loop;
    struct pool *pool;
    struct name *names;
    size_t count;
};

/* The data of a pool job. */
struct lookup {
    char host[HOST_SIZE];
    char addresses[ADDRESSES_SIZE];
    int code; /* of getaddrinfo */
};

static int64_t now_us(const struct resolver *resolver)
{
    return clock_mono_us(loop_clock(resolver->loop));
}

/* ---------------------------------------------------------------- on a helper */

static void add_address(struct buf *out, const struct addrinfo *info)
{
    char text[INET6_ADDRSTRLEN];
    bool six = info->ai_family == AF_INET6;
    const void *bytes =
        six ? (const void *)&((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr;
    if ((six || info->ai_family == AF_INET) &&
        inet_ntop(info->ai_family, bytes, text, sizeof(text)) != NULL) {
        buf_addf(out, six ? "%s[%s]" : "%s%s", out->len > 0 ? "," : "", text);
    }
}

static void look_up(void *data)
{
    struct lookup *lookup = data;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    lookup->code = getaddrinfo(lookup->host, NULL, &hints, &list);
    if (lookup->code != 0) {
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(ADDRESSES_SIZE - 1);
    int count = 0;
    for (const struct addrinfo *i = list; i != NULL && count < ADDRESSES_MAX; i = i->ai_next) {
        add_address(&text, i);
        count++;
    }
    freeaddrinfo(list);
    (void)str_copy(buf_str(&text), lookup->addresses, sizeof(lookup->addresses));
}

/* ---------------------------------------------------------------- on the loop */

/* Runs the callbacks. One may start a new query for the name, or cancel another one. */
static void notify(struct name *name, const char *why)
{
    char addresses[ADDRESSES_SIZE];
    memcpy(addresses, name->addresses, sizeof(addresses));
    for (struct resolver_query *q = name->queries; q != NULL; q = q->next) {
        q->due = true;
    }
    name->notifying = true;
    for (struct resolver_query **slot = &name->queries; *slot != NULL;) {
        struct resolver_query *query = *slot;
        if (!query->due) {
            slot = &query->next;
            continue;
        }
        *slot = query->next;
        resolver_fn fn = query->fn;
        void *userdata = query->userdata;
        free(query);
        fn(addresses[0] == '\0' ? NULL : addresses, why, userdata);
        slot = &name->queries;
    }
    name->notifying = false;
}

static void on_looked_up(void *data, void *userdata)
{
    const struct lookup *lookup = data;
    struct name *name = userdata;
    name->job = NULL;
    bool good = lookup->code == 0 && lookup->addresses[0] != '\0';
    if (good) {
        memcpy(name->addresses, lookup->addresses, sizeof(name->addresses));
        name->at_mono_us = now_us(name->resolver);
    } else if (lookup->code == 0 || lookup->code == EAI_NONAME) {
        name->addresses[0] = '\0'; /* the name has no addresses any more */
    }
    notify(name, good ? "" : lookup->code == 0 ? "no address" : gai_strerror(lookup->code));
}

static int name_look_up(struct name *name, struct err *err)
{
    if (name->job != NULL) {
        return 0;
    }
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    ASSERT(lookup != NULL);
    memcpy(lookup->host, name->host, sizeof(lookup->host));
    name->job = pool_start(
        name->resolver->pool,
        &(struct pool_work){
            .data = lookup, .work = look_up, .done = on_looked_up, .drop = free, .userdata = name},
        err);
    if (name->job == NULL) {
        free(lookup);
        return -ERR_POOL_BUSY;
    }
    return 0;
}

static void name_free(struct name *name)
{
    struct name **slot = &name->resolver->names;
    while (*slot != name) {
        slot = &(*slot)->next;
    }
    *slot = name->next;
    name->resolver->count--;
    pool_cancel(name->job);
    while (name->queries != NULL) {
        resolver_cancel(name->queries);
    }
    free(name);
}

/* The unused name with the oldest result; NULL if all are in use. */
static struct name *name_to_evict(const struct resolver *resolver)
{
    struct name *oldest = NULL;
    for (struct name *n = resolver->names; n != NULL; n = n->next) {
        bool unused = n->job == NULL && n->queries == NULL && !n->notifying;
        if (unused && (oldest == NULL || n->at_mono_us < oldest->at_mono_us)) {
            oldest = n;
        }
    }
    return oldest;
}

static struct name *name_find(const struct resolver *resolver, const char *host)
{
    struct name *name = resolver->names;
    while (name != NULL && strcmp(name->host, host) != 0) {
        name = name->next;
    }
    return name;
}

const char *resolver_known(struct resolver *resolver, const char *host)
{
    struct name *name = name_find(resolver, host);
    if (name == NULL || name->addresses[0] == '\0') {
        return NULL;
    }
    int64_t age_us = now_us(resolver) - name->at_mono_us;
    if (age_us >= RESOLVER_FRESH_US + RESOLVER_KEEP_US) {
        return NULL;
    }
    if (age_us >= RESOLVER_FRESH_US) {
        (void)name_look_up(name, NULL);
    }
    return name->addresses;
}

struct resolver_query *resolver_ask(struct resolver *resolver, const char *host, resolver_fn fn,
                                    void *userdata, struct err *err)
{
    struct name *name = name_find(resolver, host);
    if (name == NULL && resolver->count >= RESOLVER_NAMES) {
        struct name *unused = name_to_evict(resolver);
        if (unused == NULL) {
            (void)err_set(err, ERR_POOL_BUSY, "%d names are being looked up", RESOLVER_NAMES);
            return NULL;
        }
        name_free(unused);
    }
    if (name == NULL) {
        name = calloc(1, sizeof(*name));
        ASSERT(name != NULL && str_copy(str_c(host), name->host, sizeof(name->host)));
        name->resolver = resolver;
        name->next = resolver->names;
        resolver->names = name;
        resolver->count++;
    }
    if (name_look_up(name, err) < 0) {
        return NULL;
    }
    struct resolver_query *query = calloc(1, sizeof(*query));
    ASSERT(query != NULL);
    *query = (struct resolver_query){
        .name = name, .next = name->queries, .fn = fn, .userdata = userdata};
    name->queries = query;
    return query;
}

void resolver_cancel(struct resolver_query *query)
{
    if (query == NULL) {
        return;
    }
    struct resolver_query **slot = &query->name->queries;
    while (*slot != query) {
        slot = &(*slot)->next;
    }
    *slot = query->next;
    free(query);
}

struct resolver *resolver_new(struct loop *loop, struct err *err)
{
    struct pool *pool = pool_new(loop,
                                 &(struct pool_options){.name = "resolver",
                                                        .threads_max = RESOLVER_THREADS,
                                                        .queue_max = RESOLVER_NAMES},
                                 err);
    if (pool == NULL) {
        return NULL;
    }
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    ASSERT(resolver != NULL);
    resolver->loop = loop;
    resolver->pool = pool;
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    while (resolver->names != NULL) {
        name_free(resolver->names);
    }
    pool_free(resolver->pool);
    free(resolver);
}
