#include "transfer.h"

#include "base/check.h"
#include "library.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { CONNECTIONS_MAX = 32 };

/* ------------------------------------------------------------------ the library */

struct transfer_curl curl;

static const struct library_function functions[] = {
#define X(name) {"curl_" #name, &curl.name},
    TRANSFER_FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libcurl.so.4"},
                                 .package = "libcurl4",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

/* One per socket that curl asks us to watch. */
struct socket_watch {
    struct http *http;
    struct loop_source *io;
    struct socket_watch *next;
    struct socket_watch *previous;
};

void transfer_need_memory(CURLcode code)
{
    NEED_MEMORY(code != CURLE_OUT_OF_MEMORY);
}

/* ------------------------------------------------------------------ curl's callbacks */

/* Marks the finished calls; their callbacks run later, from the deferred source. */
static void collect(struct http *http)
{
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl.multi_info_read(http->multi, &left)) != NULL) {
        struct transfer *t = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK) {
            t->done = true;
            t->code = message->data.result;
            loop_defer(http->deferred);
        }
    }
}

/* Out of memory, libcurl stops in the middle and never finishes its transfers. */
static void act(struct http *http, int fd, int bits)
{
    int running = 0;
    if (curl.multi_socket_action(http->multi, fd, bits, &running) != CURLM_OK) {
        for (struct transfer *t = http->transfers; t != NULL; t = t->next) {
            if (t->added && !t->done) {
                t->done = true;
                t->code = CURLE_OUT_OF_MEMORY;
                loop_defer(http->deferred);
            }
        }
    }
    collect(http);
}

static void on_socket(int fd, uint32_t events, void *userdata)
{
    struct socket_watch *watch = userdata;
    struct http *http = watch->http; /* curl may free the watch in socket_action */
    int bits = ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
               ((events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
    act(http, fd, bits);
}

static void on_timer(void *userdata)
{
    act(userdata, CURL_SOCKET_TIMEOUT, 0);
}

void http_flush(struct http *http)
{
    on_timer(http);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *userdata)
{
    (void)multi;
    struct http *http = userdata;
    if (timeout_ms < 0) {
        loop_timer_stop(http->timer);
    } else {
        loop_timer_in(http->timer, timeout_ms * USEC_PER_MSEC);
    }
    return 0;
}

static void watch_free(struct socket_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    *(watch->previous == NULL ? &watch->http->watches : &watch->previous->next) = watch->next;
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    loop_source_free(watch->io);
    free(watch);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata,
                          void *socket_userdata)
{
    struct http *http = userdata;
    struct socket_watch *watch = socket_userdata;
    struct transfer *t = NULL;
    if ((what & CURL_POLL_IN) != 0 && easy != NULL &&
        curl.easy_getinfo(easy, CURLINFO_PRIVATE, &t) == CURLE_OK && t != NULL) {
        t->connected = true;
    }
    if (what == CURL_POLL_REMOVE) {
        (void)curl.multi_assign(http->multi, fd, NULL);
        watch_free(watch);
        return 0;
    }
    uint32_t events = ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
    if (watch != NULL) {
        loop_io_set(watch->io, events);
        return 0;
    }
    watch = calloc(1, sizeof(*watch));
    ASSERT(watch != NULL);
    watch->http = http;
    watch->io = loop_add_io(http->loop, fd, events, on_socket, watch, NULL);
    if (watch->io == NULL) { /* out of descriptors or epoll watches: the transfer fails */
        free(watch);
        return -1;
    }
    loop_source_name(watch->io, "http");
    watch->next = http->watches;
    if (http->watches != NULL) {
        http->watches->previous = watch;
    }
    http->watches = watch;
    (void)curl.multi_assign(http->multi, fd, watch);
    return 0;
}

/* ------------------------------------------------------------------ the client */

static void http_destroy(struct http *http);

static void on_deferred(void *userdata)
{
    struct http *http = userdata;
    http->delivering = true;
    /* Restarts at the head each time: a callback may send, cancel or free the client. */
    for (struct transfer *t = http->transfers; t != NULL && !http->freed_inside;) {
        if (t->done) {
            t->finish(t);
            t = http->transfers;
        } else if (t->news) {
            t->news = false;
            t->report(t);
            t = http->transfers;
        } else {
            t = t->next;
        }
    }
    http->delivering = false;
    if (http->freed_inside) {
        http_destroy(http);
    }
}

struct http *http_new(struct loop *loop, struct err *err)
{
    if (library_load(&library, err) < 0) {
        return NULL;
    }
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(err, ERR_LOOP_SETUP, "libcurl");
        return NULL;
    }
    struct http *http = calloc(1, sizeof(*http));
    ASSERT(http != NULL);
    http->loop = loop;
    http->multi = curl.multi_init();
    ASSERT(http->multi != NULL);
    http->resolver = resolver_new(loop, err);
    if (http->resolver == NULL) {
        (void)curl.multi_cleanup(http->multi);
        free(http);
        return NULL;
    }
    http->timer = loop_add_timer(loop, on_timer, http);
    http->deferred = loop_add_deferred(loop, on_deferred, http);
    loop_source_name(http->timer, "http timer");
    loop_source_name(http->deferred, "http answers");
    (void)curl.multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    (void)curl.multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    (void)curl.multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl.multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    (void)curl.multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
#if LIBCURL_VERSION_NUM >= 0x081400
    (void)curl.multi_setopt(http->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
    return http;
}

static void http_destroy(struct http *http)
{
    while (http->transfers != NULL) {
        http->transfers->discard(http->transfers);
    }
    resolver_free(http->resolver);
    (void)curl.multi_cleanup(http->multi);
    while (http->watches != NULL) {
        watch_free(http->watches);
    }
    loop_source_free(http->timer);
    loop_source_free(http->deferred);
    free(http);
}

void http_free(struct http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->delivering) {
        http->freed_inside = true; /* on_deferred still uses it, and destroys it */
        return;
    }
    http_destroy(http);
}

size_t http_pending(const struct http *http)
{
    return http->pending;
}

/* ------------------------------------------------------------------ one transfer */

void transfer_init(struct transfer *t, struct http *http, transfer_fn finish, transfer_fn discard)
{
    t->http = http;
    t->finish = finish;
    t->discard = discard;
    t->next = http->transfers;
    if (http->transfers != NULL) {
        http->transfers->previous = t;
    }
    http->transfers = t;
    http->pending++;
    t->easy = curl.easy_init();
    ASSERT(t->easy != NULL);
}

void transfer_release(struct transfer *t)
{
    struct http *http = t->http;
    *(t->previous == NULL ? &http->transfers : &t->previous->next) = t->next;
    if (t->next != NULL) {
        t->next->previous = t->previous;
    }
    http->pending--;
    resolver_cancel(t->query);
    loop_source_free(t->lookup_timer);
    if (t->added) {
        (void)curl.multi_remove_handle(http->multi, t->easy);
    }
    curl.easy_cleanup(t->easy);
    curl.slist_free_all(t->addresses);
}

void transfer_set_times(struct transfer *t, int64_t timeout_ms, int64_t connect_ms)
{
    t->timeout_ms = timeout_ms > 0 ? timeout_ms : 30000;
    if (connect_ms <= 0) {
        connect_ms = t->timeout_ms < 10000 ? t->timeout_ms : 10000;
    }
    t->connect_ms = connect_ms < t->timeout_ms ? connect_ms : t->timeout_ms;
    (void)easy_set(t->easy, CURLOPT_PRIVATE, t);
    (void)easy_set(t->easy, CURLOPT_ERRORBUFFER, t->curl_why);
    (void)easy_set(t->easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* For the names that curl resolves itself: without this option its cleanup waits for the thread
     * of a hanging look-up. */
    (void)easy_set(t->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

bool transfer_needs_lookup(const char *host)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    struct in_addr four;
    size_t len = strlen(host);
    return len > 0 && len <= TRANSFER_HOST_MAX && strspn(host, plain) == len &&
           host[len - 1] != '.' && inet_pton(AF_INET, host, &four) != 1 &&
           strcasecmp(host, "localhost") != 0;
}

/* ------------------------------------------------------------------ host names */

/* The proxy that curl takes from the environment for this URL; NULL: none. */
static const char *proxy_of(const char *url)
{
    static const char *const for_http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const for_https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                            NULL};
    bool secure = strncasecmp(url, "https://", 8) == 0;
    for (const char *const *name = secure ? for_https : for_http; *name != NULL; name++) {
        const char *value = getenv(*name);
        if (value != NULL && value[0] != '\0') {
            return value;
        }
    }
    return NULL;
}

/* NULL: it is malformed. */
static CURLU *parse(const char *url, unsigned flags)
{
    CURLU *parts = curl.url();
    NEED_MEMORY(parts != NULL);
    if (curl.url_set(parts, CURLUPART_URL, url, flags) != CURLUE_OK) {
        curl.url_cleanup(parts);
        return NULL;
    }
    return parts;
}

bool transfer_find_host(struct transfer *t, const char *url, bool proxies)
{
    const char *proxy = proxies ? proxy_of(url) : NULL;
    CURLU *parts = parse(url, 0);
    char *host = NULL, *port = NULL;
    if (parts == NULL) {
        return false;
    }
    if (proxy != NULL) {
        curl.url_cleanup(parts);
        parts = parse(proxy, CURLU_GUESS_SCHEME);
    }
    if (parts != NULL && curl.url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        transfer_needs_lookup(host)) {
        (void)str_copy(str_c(host), t->host, sizeof(t->host));
        bool secure = strncasecmp(proxy != NULL ? proxy : url, "https://", 8) == 0;
        int64_t number = secure ? 443 : proxy != NULL ? 1080 : 80;
        if (curl.url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK) {
            (void)str_to_i64(str_c(port), &number);
        }
        t->port = (unsigned)number;
    }
    curl.free(host);
    curl.free(port);
    curl.url_cleanup(parts);
    return true;
}

bool transfer_split_url(const char *url, struct buf *authority, struct buf *target)
{
    char *host = NULL, *port = NULL, *path = NULL, *query = NULL, *user = NULL, *fragment = NULL;
    CURLU *parts = parse(url, 0);
    bool good = parts != NULL && curl.url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl.url_get(parts, CURLUPART_PATH, &path, 0) == CURLUE_OK;
    if (good) {
        buf_add_c(authority, host);
        if (curl.url_get(parts, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) == CURLUE_OK) {
            buf_addf(authority, ":%s", port);
        }
        buf_add_c(target, path);
        if (curl.url_get(parts, CURLUPART_QUERY, &query, 0) == CURLUE_OK) {
            buf_addf(target, "?%s", query);
        }
        good = curl.url_get(parts, CURLUPART_USER, &user, 0) != CURLUE_OK &&
               curl.url_get(parts, CURLUPART_FRAGMENT, &fragment, 0) != CURLUE_OK;
    }
    char *const texts[] = {host, port, path, query, user, fragment};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        curl.free(texts[i]);
    }
    curl.url_cleanup(parts);
    return good && !buf_failed(authority) && !buf_failed(target);
}

void transfer_set_connection(struct transfer *t, const char *url, const char *ca_file,
                             int64_t timeout_us)
{
    int64_t ms = timeout_us / USEC_PER_MSEC;
    transfer_set_times(t, ms, ms);
    transfer_need_memory(easy_set(t->easy, CURLOPT_URL, url));
    transfer_need_memory(easy_set(t->easy, CURLOPT_PROTOCOLS_STR, "http,https"));
    (void)easy_set(t->easy, CURLOPT_CONNECT_ONLY, 1L);
    (void)easy_set(t->easy, CURLOPT_FRESH_CONNECT, 1L);
    (void)easy_set(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)easy_set(t->easy, CURLOPT_TCP_KEEPIDLE, 15L);
    (void)easy_set(t->easy, CURLOPT_TCP_KEEPINTVL, 5L);
    (void)easy_set(t->easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    /* TLS must not agree on HTTP/2. */
    (void)easy_set(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (ca_file != NULL && ca_file[0] != '\0') {
        transfer_need_memory(easy_set(t->easy, CURLOPT_CAINFO, ca_file));
    }
}

/* libcurl (7.88) drops every timeout that is less than a millisecond away when another one is over,
 * and on a connection that is used again the one of the connection is over, too, without an effect:
 * a transfer that hangs would then never end. */
#define APART_MS 50

static void start(struct transfer *t)
{
    int64_t ms = t->lookup_us / USEC_PER_MSEC;
    int64_t timeout_ms = t->timeout_ms - ms, connect_ms = t->connect_ms - ms;
    connect_ms = connect_ms > timeout_ms - APART_MS ? timeout_ms : connect_ms;
    (void)easy_set(t->easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 1 ? timeout_ms : 1));
    (void)easy_set(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ms > 1 ? connect_ms : 1));
    t->added = true;
    CURLMcode code = curl.multi_add_handle(t->http->multi, t->easy);
    ASSERT(code == CURLM_OK);
}

/* The "+" makes curl expire the entry like one that it resolved itself. */
static void start_at(struct transfer *t, const char *addresses)
{
    AUTO_BUF struct buf entry = BUF_INIT(4096);
    buf_addf(&entry, "+%s:%u:%s", t->host, t->port, addresses);
    NEED_MEMORY(!buf_failed(&entry));
    t->addresses = curl.slist_append(NULL, entry.data);
    ASSERT(t->addresses != NULL);
    (void)easy_set(t->easy, CURLOPT_RESOLVE, t->addresses);
    start(t);
}

static void unresolved(struct transfer *t, const char *why)
{
    (void)snprintf(t->why, sizeof(t->why), "%s", why);
    t->code = CURLE_COULDNT_RESOLVE_HOST;
    t->done = true;
    loop_defer(t->http->deferred);
}

static int64_t elapsed_us(const struct transfer *t)
{
    return clock_mono_us(loop_clock(t->http->loop)) - t->began_mono_us;
}

static void on_resolved(const char *addresses, const char *why, void *userdata)
{
    struct transfer *t = userdata;
    t->query = NULL;
    loop_timer_stop(t->lookup_timer);
    t->lookup_us = elapsed_us(t);
    if (addresses == NULL) {
        unresolved(t, why);
    } else {
        start_at(t, addresses);
    }
}

static void on_lookup_timeout(void *userdata)
{
    struct transfer *t = userdata;
    resolver_cancel(TAKE(t->query));
    t->lookup_us = elapsed_us(t);
    unresolved(t, "name servers do not answer");
}

void transfer_begin(struct transfer *t)
{
    struct http *http = t->http;
    if (t->host[0] == '\0') {
        start(t);
        return;
    }
    const char *known = resolver_known(http->resolver, t->host);
    if (known != NULL) {
        start_at(t, known);
        return;
    }
    struct err err = {0};
    t->began_mono_us = clock_mono_us(loop_clock(http->loop));
    t->query = resolver_ask(http->resolver, t->host, on_resolved, t, &err);
    if (t->query == NULL) {
        unresolved(t, err_info(err.id)->message);
        return;
    }
    t->lookup_timer = loop_add_timer(http->loop, on_lookup_timeout, t);
    loop_source_name(t->lookup_timer, "http look-up");
    loop_timer_in(t->lookup_timer, t->connect_ms * USEC_PER_MSEC);
}

bool transfer_has_break(const char *text)
{
    return strpbrk(text, "\r\n") != NULL;
}

void transfer_measure(struct http *http, int64_t elapsed_us, bool failed)
{
    struct http_meter *meter = http->meter;
    if (meter == NULL) {
        return;
    }
    histogram_add(&meter->took, elapsed_us * 1000);
    if (failed) {
        uint64_t before = atomic_load_explicit(&meter->failed, memory_order_relaxed);
        atomic_store_explicit(&meter->failed, before + 1, memory_order_relaxed);
    }
}

/* ------------------------------------------------------------------ errors */

enum err_id transfer_error(CURLcode code)
{
    switch ((int)code) { /* cast, so that -Wswitch-enum does not ask for all of curl's codes */
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
        return ERR_HTTP_NAME;
    case CURLE_COULDNT_CONNECT:
        return ERR_HTTP_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return ERR_HTTP_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_HTTP_TIMEOUT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* "HTTP/0.9 not allowed": there was no status line */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return ERR_HTTP_GARBLED;
    default:
        return ERR_HTTP_LOST;
    }
}

const char *transfer_why(const struct transfer *t, enum err_id id)
{
    bool says = id == ERR_HTTP_TLS && t->curl_why[0] != '\0';
    return t->why[0] != '\0' ? t->why : says ? t->curl_why : curl.easy_strerror(t->code);
}

enum err_id transfer_unsent_error(const struct transfer *t, bool tls)
{
    /* OpenSSL, OpenSSL 3.2, GnuTLS */
    static const char *const plain[] = {"wrong version number", "packet length too long",
                                        "unexpected TLS packet"};
    enum err_id id = transfer_error(t->code);
    for (size_t i = 0; id == ERR_HTTP_TLS && i < COUNT_OF(plain); i++) {
        if (strcasestr(t->curl_why, plain[i]) != NULL) {
            return ERR_HTTP_NOT_TLS;
        }
    }
    if (id == ERR_HTTP_TLS || id == ERR_HTTP_NAME) {
        return id;
    }
    return id == ERR_HTTP_TIMEOUT && tls && t->connected ? ERR_HTTP_HANDSHAKE : ERR_HTTP_CONNECT;
}
