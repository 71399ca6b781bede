#include "base/clock.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/resolve.h"
#include "unit/unit.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_US = 20 * 1000000, AT_ONCE_US = 500 * 1000 };

/*
 * Replaces getaddrinfo in this binary, also for libcurl. Names under .hang wait until the gate
 * opens, as if the name servers did not answer; "known.test" is 127.0.0.1, or fails with the code
 * in `broken`. Other names go to the C library.
 */
static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static atomic_int hanging, asked, broken;

static void gate_set(bool open)
{
    (void)pthread_mutex_lock(&gate_mutex);
    gate_open = open;
    (void)pthread_cond_broadcast(&gate_changed);
    (void)pthread_mutex_unlock(&gate_mutex);
}

static void wait_at_gate(void)
{
    (void)pthread_mutex_lock(&gate_mutex);
    atomic_fetch_add(&hanging, 1);
    while (!gate_open) {
        (void)pthread_cond_wait(&gate_changed, &gate_mutex);
    }
    atomic_fetch_sub(&hanging, 1);
    (void)pthread_mutex_unlock(&gate_mutex);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    size_t len = node == NULL ? 0 : strlen(node);
    if (len > 5 && strcmp(node + len - 5, ".hang") == 0) {
        atomic_fetch_add(&asked, 1);
        wait_at_gate();
        return EAI_AGAIN;
    }
    if (node != NULL && strcmp(node, "known.test") == 0) {
        atomic_fetch_add(&asked, 1);
        int code = atomic_load(&broken);
        return code != 0 ? code : real("127.0.0.1", service, hints, ret);
    }
    return real(node, service, hints, ret);
}

struct seen {
    int runs;
    char addresses[256];
    bool failed;
};

static void on_resolved(const char *addresses, const char *why, void *userdata)
{
    struct seen *seen = userdata;
    seen->runs++;
    seen->failed = addresses == NULL;
    (void)snprintf(seen->addresses, sizeof(seen->addresses), "%s",
                   addresses != NULL ? addresses : why);
}

static void run_until(struct loop *loop, const int *counter, int wanted)
{
    int64_t end_us = clock_mono_us(clock_real()) + LIMIT_US;
    while (*counter < wanted) {
        assert_true(clock_mono_us(clock_real()) < end_us);
        (void)loop_iterate(loop, 20000);
    }
}

static void run_for(struct loop *loop, int64_t us)
{
    int64_t end_us = clock_mono_us(clock_real()) + us;
    while (clock_mono_us(clock_real()) < end_us) {
        (void)loop_iterate(loop, 10000);
    }
}

static void release_hanging(void)
{
    gate_set(true);
    for (int i = 0; i < 1000 && atomic_load(&hanging) > 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(atomic_load(&hanging), 0);
    gate_set(false);
}

static void a_name_is_resolved_once_and_cached(void **state)
{
    (void)state;
    struct clock_fake fake;
    clock_fake_init(&fake, 0);
    struct loop *loop = loop_new_fake(&fake, NULL);
    struct resolver *r = resolver_new(loop, NULL);
    struct seen one = {0}, two = {0};
    atomic_store(&asked, 0);
    atomic_store(&broken, 0);
    assert_null(resolver_known(r, "known.test"));
    assert_non_null(resolver_ask(r, "known.test", on_resolved, &one, NULL));
    assert_non_null(resolver_ask(r, "known.test", on_resolved, &two, NULL));
    run_until(loop, &one.runs, 1);
    run_until(loop, &two.runs, 1);
    assert_string_equal(one.addresses, "127.0.0.1");
    assert_string_equal(two.addresses, "127.0.0.1");
    assert_int_equal(atomic_load(&asked), 1);
    assert_string_equal(resolver_known(r, "known.test"), "127.0.0.1");
    assert_int_equal(atomic_load(&asked), 1);

    /* Stale, and the name servers fail: it is still returned, and a refresh starts. */
    atomic_store(&broken, EAI_AGAIN);
    clock_fake_advance(&fake, RESOLVER_FRESH_US);
    assert_string_equal(resolver_known(r, "known.test"), "127.0.0.1");
    for (int i = 0; i < 100 && atomic_load(&asked) < 2; i++) {
        run_for(loop, 10000);
    }
    assert_int_equal(atomic_load(&asked), 2);
    run_for(loop, 50000);
    assert_string_equal(resolver_known(r, "known.test"), "127.0.0.1");
    clock_fake_advance(&fake, RESOLVER_KEEP_US);
    assert_null(resolver_known(r, "known.test"));

    /* A name that no longer exists is dropped. */
    run_for(loop, 50000);
    atomic_store(&broken, 0);
    assert_non_null(resolver_ask(r, "known.test", on_resolved, &one, NULL));
    run_until(loop, &one.runs, 2);
    assert_non_null(resolver_known(r, "known.test"));
    atomic_store(&broken, EAI_NONAME);
    assert_non_null(resolver_ask(r, "known.test", on_resolved, &one, NULL));
    run_until(loop, &one.runs, 3);
    assert_true(one.failed);
    assert_null(resolver_known(r, "known.test"));
    atomic_store(&broken, 0);
    resolver_free(r);
    loop_free(loop);
}

static void hanging_names_are_limited(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct resolver *r = resolver_new(loop, NULL);
    struct seen seen = {0};
    struct err err = {0};
    struct resolver_query *queries[RESOLVER_NAMES];
    gate_set(false);
    for (int i = 0; i < RESOLVER_NAMES; i++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "n%d.hang", i);
        queries[i] = resolver_ask(r, host, on_resolved, &seen, &err);
        assert_non_null(queries[i]);
        /* A second query joins the hanging one. */
        resolver_cancel(resolver_ask(r, host, on_resolved, &seen, &err));
    }
    assert_null(resolver_ask(r, "more.hang", on_resolved, &seen, &err));
    assert_int_equal(err.id, ERR_POOL_BUSY);
    run_for(loop, 100000);
    assert_true(atomic_load(&hanging) <= RESOLVER_THREADS);
    int64_t from_us = clock_mono_us(clock_real());
    for (int i = 0; i < RESOLVER_NAMES / 2; i++) {
        resolver_cancel(queries[i]);
    }
    resolver_free(r);
    loop_free(loop);
    assert_true(clock_mono_us(clock_real()) - from_us < AT_ONCE_US);
    assert_int_equal(seen.runs, 0);
    release_hanging();
}

struct answer {
    int runs;
    enum http_outcome outcome;
    int err_id;
    char context[256];
};

static void on_answer(const struct http_response *r, void *userdata)
{
    struct answer *a = userdata;
    a->runs++;
    a->outcome = r->outcome;
    a->err_id = r->err.id;
    (void)snprintf(a->context, sizeof(a->context), "%s", r->err.context);
}

/* The name servers do not answer: timeout, cancel and free all return at once, and the loop is
 * never blocked. */
static void a_request_does_not_wait_for_name_servers(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct http *http = http_new(loop, NULL);
    struct answer a = {0};
    gate_set(false);
    atomic_store(&asked, 0);
    int64_t from_us = clock_mono_us(clock_real());
    for (int i = 0; i < 3; i++) {
        struct http_call *cancelled = http_send(
            http, &(struct http_request){.url = "http://api.hang/x"}, on_answer, &a, NULL);
        http_cancel(cancelled);
    }
    assert_non_null(
        http_send(http, &(struct http_request){.url = "https://api.hang/bot1/x", .timeout_ms = 200},
                  on_answer, &a, NULL));
    assert_true(clock_mono_us(clock_real()) - from_us < AT_ONCE_US);
    int64_t longest_us = 0;
    while (a.runs == 0) {
        int64_t before_us = clock_mono_us(clock_real());
        assert_true(before_us - from_us < LIMIT_US);
        (void)loop_iterate(loop, 10000);
        int64_t took_us = clock_mono_us(clock_real()) - before_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
    }
    assert_true(longest_us < AT_ONCE_US);
    assert_true(clock_mono_us(clock_real()) - from_us < 4 * AT_ONCE_US);
    assert_int_equal(a.outcome, HTTP_NOT_SENT);
    assert_int_equal(a.err_id, ERR_HTTP_NAME);
    assert_non_null(strstr(a.context, "name servers do not answer"));
    assert_int_equal(atomic_load(&asked), 1);
    assert_non_null(
        http_send(http, &(struct http_request){.url = "http://two.hang"}, on_answer, &a, NULL));
    from_us = clock_mono_us(clock_real());
    http_free(http);
    loop_free(loop);
    assert_true(clock_mono_us(clock_real()) - from_us < AT_ONCE_US);
    assert_int_equal(a.runs, 1);
    release_hanging();
}

UNIT_GROUP(resolve, cmocka_unit_test(a_name_is_resolved_once_and_cached),
           cmocka_unit_test(hanging_names_are_limited),
           cmocka_unit_test(a_request_does_not_wait_for_name_servers))
