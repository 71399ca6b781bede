#include "io/web.h"

#include "base/check.h"
#include "base/log.h"
#include "web_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BACKLOG = 128,
    EVENTS_MAX = 64,
    ACCEPT_MAX = 16,  /* new connections per iteration */
    REFUSED_MAX = 16, /* connections over the limit that get an error at a time */
};
#define ACCEPT_PAUSE_US (100 * USEC_PER_MSEC) /* while there is no descriptor left */

/* ---------------------------------------------------------------- shared with other threads */

void web_lock(struct web *web)
{
    int rc = pthread_mutex_lock(&web->mutex);
    ASSERT(rc == 0);
}

void web_unlock(struct web *web)
{
    int rc = pthread_mutex_unlock(&web->mutex);
    ASSERT(rc == 0);
}

void web_ref(struct web *web)
{
    web_lock(web);
    web->references++;
    web_unlock(web);
}

void web_unref(struct web *web)
{
    web_lock(web);
    bool last = --web->references == 0;
    web_unlock(web);
    if (last) {
        (void)pthread_mutex_destroy(&web->mutex);
        (void)close(web->wake_fd);
        free(web);
    }
}

void web_wake(struct web *web)
{
    const uint64_t one = 1;
    (void)!write(web->wake_fd, &one, sizeof(one)); /* it is full only if the thread is awake */
}

void web_poke(struct web *web)
{
    int64_t none = 0;
    int64_t now_us = clock_mono_us(clock_real());
    if (atomic_compare_exchange_strong(&web->poked_mono_us, &none, now_us)) {
        web_wake(web);
    }
}

int64_t web_silent_us(const struct web *web, int64_t now_mono_us)
{
    int64_t poked_us = atomic_load_explicit(&web->poked_mono_us, memory_order_relaxed);
    return poked_us == 0 || poked_us > now_mono_us ? 0 : now_mono_us - poked_us;
}

int web_tls_set(struct web *web, const char *cert_path, const char *key_path, struct err *err)
{
    struct web_tls *tls = NULL;
    int rc = web_tls_new(cert_path, key_path, &tls, err);
    if (rc < 0) {
        return rc;
    }
    web_lock(web);
    ASSERT(web->tls != NULL);
    struct web_tls *before = web->tls;
    web->tls = tls;
    web_unlock(web);
    web_tls_free(before);
    return 0;
}

/* ---------------------------------------------------------------- for the connections */

void web_deadline(struct web_conn *conn, int64_t after_us)
{
    struct web *web = conn->web;
    conn->deadline_us = after_us == INT64_MAX ? INT64_MAX : web->now_us + after_us;
    web->next_us = conn->deadline_us < web->next_us ? conn->deadline_us : web->next_us;
}

void web_watch(struct web_conn *conn, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (conn->watched && conn->events == events) {
        return;
    }
    int op = conn->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    NEED_MEMORY(epoll_ctl(conn->web->epoll_fd, op, conn->fd, &event) == 0);
    conn->watched = true;
    conn->events = events;
}

const char *web_date(struct web *web)
{
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(clock_wall_us(clock_real()) / USEC_PER_SEC);
    struct tm t;
    if (now != web->date_s && gmtime_r(&now, &t) != NULL) {
        web->date_s = now;
        (void)snprintf(web->date, sizeof(web->date), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                       days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900,
                       t.tm_hour, t.tm_min, t.tm_sec);
    }
    return web->date;
}

/* ---------------------------------------------------------------- new connections */

/* The connection whose end costs least; of one client, if peer is given. */
static struct web_conn *find_spare(const struct web *web, const struct web_peer *peer)
{
    struct web_conn *best = NULL;
    for (struct web_conn *c = web->conns; c != NULL; c = c->next) {
        int spare = web_conn_spare(c), than = best == NULL ? 0 : web_conn_spare(best);
        bool fits = peer == NULL || web_peer_same(&c->peer, peer);
        if (fits &&
            (spare > than || (spare == than && spare > 0 && c->since_us < best->since_us))) {
            best = c;
        }
    }
    return best;
}

static unsigned count_of(const struct web *web, const struct web_peer *peer)
{
    unsigned count = 0;
    for (const struct web_conn *c = web->conns; c != NULL; c = c->next) {
        count += web_peer_same(&c->peer, peer);
    }
    return count;
}

/* Makes room for one more connection of this client; otherwise *err says why there is none. */
static bool make_place(struct web *web, const struct web_peer *peer, struct err *err)
{
    bool proxy = !web->is_unix && web_trust_has(&web->trust, &peer->address);
    bool all = web->conn_count >= web->limits.max_connections;
    bool each = !proxy && web->limits.max_connections_each < web->limits.max_connections &&
                count_of(web, peer) >= web->limits.max_connections_each;
    struct web_conn *spare = all || each ? find_spare(web, each ? peer : NULL) : NULL;
    if (spare != NULL) {
        web_conn_close(spare);
    } else if (all || each) {
        (void)err_set(err, ERR_WEB_CONNECTIONS, "%u connections%s, all in use",
                      each ? web->limits.max_connections_each : web->limits.max_connections,
                      each ? " of this address" : "");
    }
    return spare != NULL || (!all && !each);
}

static void admit(struct web *web, int fd)
{
    struct web_peer peer;
    struct err err = {0};
    int on = 1;
    web_peer_read(fd, web->is_unix, &peer);
    if (!make_place(web, &peer, &err) &&
        web->conn_count >= web->limits.max_connections + REFUSED_MAX) {
        (void)close(fd);
        return;
    }
    if (!web->is_unix) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (web->only_trusted && !address_is_loopback(&peer.address) &&
            !web_trust_has(&web->trust, &peer.address)) {
            (void)err_set(&err, ERR_WEB_UNTRUSTED, "it comes from another address");
        }
    }
    struct web_conn *conn = web_conn_new(web, fd, &peer);
    if (err.id != ERR_NONE) {
        web_conn_refuse(conn, &err);
    }
}

static void watch_listen(const struct web *web, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = NULL};
    NEED_MEMORY(epoll_ctl(web->epoll_fd, EPOLL_CTL_MOD, web->listen_fd, &event) == 0);
}

static void accept_some(struct web *web)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(web->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(web, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            web->accept_at_us = web->now_us + ACCEPT_PAUSE_US;
            watch_listen(web, false);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

/* ---------------------------------------------------------------- the thread */

static void answer_held(struct web *web)
{
    for (;;) {
        web_lock(web);
        struct web_request *request = web->answered;
        struct web_conn *conn = NULL;
        if (request != NULL) {
            web->answered = request->next_answered;
            conn = request->conn;
        }
        web_unlock(web);
        if (request == NULL) {
            return;
        }
        if (conn != NULL) { /* this thread is the only one that ends it */
            web_conn_answered(conn);
        }
    }
}

static void on_wake(struct web *web)
{
    uint64_t count;
    (void)!read(web->wake_fd, &count, sizeof(count));
    atomic_store_explicit(&web->poked_mono_us, 0, memory_order_relaxed);
    answer_held(web);
}

static void end_late(struct web *web)
{
    if (web->accept_at_us != 0 && web->now_us >= web->accept_at_us) {
        web->accept_at_us = 0;
        watch_listen(web, true);
    }
    if (web->now_us < web->next_us) {
        return;
    }
    struct web_conn *next;
    web->next_us = INT64_MAX;
    for (struct web_conn *c = web->conns; c != NULL; c = next) {
        next = c->next;
        if (c->deadline_us <= web->now_us) {
            web_conn_late(c);
        } else if (c->deadline_us < web->next_us) {
            web->next_us = c->deadline_us;
        }
    }
}

static void free_closed(struct web *web)
{
    while (web->closed != NULL) {
        struct web_conn *conn = web->closed;
        web->closed = conn->next;
        web_conn_free(conn);
    }
}

/* Rounded up, so that the deadline has passed then; -1: none. */
static int wait_ms(const struct web *web)
{
    int64_t next_us = web->next_us;
    if (web->accept_at_us != 0 && web->accept_at_us < next_us) {
        next_us = web->accept_at_us;
    }
    int64_t left_us = next_us - web->now_us;
    return next_us == INT64_MAX ? -1
           : left_us <= 0       ? 0
                                : (int)(left_us / USEC_PER_MSEC % INT32_MAX) + 1;
}

static bool is_stopping(struct web *web)
{
    web_lock(web);
    bool stopping = web->stopping;
    web_unlock(web);
    return stopping;
}

/* Held requests get 503; their holders answer to nobody. */
static void end_all(struct web *web)
{
    struct err err = {0};
    (void)err_set(&err, ERR_WEB_STOPPING, "the request was not answered before");
    while (web->conns != NULL) {
        struct web_conn *conn = web->conns;
        if (conn->phase == WEB_HELD) {
            web_conn_refuse(conn, &err);
        }
        if (conn->phase != WEB_CLOSED) {
            web_conn_close(conn);
        }
    }
    free_closed(web);
}

static void *run(void *userdata)
{
    struct web *web = userdata;
    struct epoll_event events[EVENTS_MAX];
    while (!is_stopping(web)) {
        int count = epoll_wait(web->epoll_fd, events, EVENTS_MAX, wait_ms(web));
        web->now_us = clock_mono_us(clock_real());
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                accept_some(web);
            } else if (events[i].data.ptr == web) {
                on_wake(web);
            } else {
                web_conn_ready(events[i].data.ptr);
            }
        }
        end_late(web);
        free_closed(web);
    }
    end_all(web);
    return NULL;
}

/* ---------------------------------------------------------------- start and stop */

static int listen_error(struct err *err, const char *what)
{
    return err_set(err, ERR_WEB_LISTEN, "%s: %s", what, strerror(errno));
}

static int listen_tcp(struct web *web, const char *text, uint16_t port, struct err *err)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name = {0};
    char what[64];
    const char *host = text == NULL ? "127.0.0.1" : text;
    (void)snprintf(what, sizeof(what), strchr(host, ':') == NULL ? "%.45s:%u" : "[%.45s]:%u", host,
                   (unsigned)port);
    socklen_t size = sizeof(name.v4);
    if (inet_pton(AF_INET, host, &name.v4.sin_addr) == 1) {
        name.v4.sin_family = AF_INET;
        name.v4.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, host, &name.v6.sin6_addr) == 1) {
        name.v6.sin6_family = AF_INET6;
        name.v6.sin6_port = htons(port);
        size = sizeof(name.v6);
    } else {
        return err_set(err, ERR_WEB_ADDRESS, "%.60s", host);
    }
    AUTO_FD int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, &name.any, size) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, &name.any, &size) < 0) {
        return listen_error(err, what);
    }
    web->port = ntohs(name.any.sa_family == AF_INET ? name.v4.sin_port : name.v6.sin6_port);
    web->listen_fd = TAKE_FD(fd);
    return 0;
}

/* True for a socket file without a listener, which a kill -9 leaves behind. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        return false;
    }
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
           errno == ECONNREFUSED;
}

static int listen_unix(struct web *web, const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!str_copy(str_c(path), address.sun_path, sizeof(address.sun_path))) {
        return err_set(err, ERR_WEB_LISTEN, "%s: a socket path holds at most %zu bytes", path,
                       sizeof(address.sun_path) - 1);
    }
    if (is_stale(&address)) {
        (void)unlink(path);
    }
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* fchmod before bind, so that others can never open the file. */
    if (fd < 0 || fchmod(fd, 0660) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0660) < 0 ||
        listen(fd, BACKLOG) < 0) {
        return listen_error(err, path);
    }
    (void)str_copy(str_c(path), web->unix_path, sizeof(web->unix_path));
    web->listen_fd = TAKE_FD(fd);
    return 0;
}

static void set_limits(struct web *web, const struct web_limits *given)
{
    struct web_limits *limits = &web->limits;
    *limits = *given;
    limits->max_body_bytes = given->max_body_bytes == 0 ? (size_t)1 << 20 : given->max_body_bytes;
    limits->max_connections = given->max_connections == 0 ? 64 : given->max_connections;
    limits->max_connections_each =
        given->max_connections_each == 0 ? limits->max_connections : given->max_connections_each;
    limits->head_timeout_us =
        given->head_timeout_us == 0 ? 5 * USEC_PER_SEC : given->head_timeout_us;
    limits->body_timeout_us =
        given->body_timeout_us == 0 ? 30 * USEC_PER_SEC : given->body_timeout_us;
    limits->idle_timeout_us =
        given->idle_timeout_us == 0 ? 30 * USEC_PER_SEC : given->idle_timeout_us;
}

/* Everything but the thread. */
static int open_all(struct web *web, const struct web_options *options, struct err *err)
{
    int rc = web_trust_read(options->trusted_proxies, &web->trust, err);
    if (rc == 0 && options->tls_cert != NULL) {
        rc = web_tls_new(options->tls_cert, options->tls_key, &web->tls, err);
    }
    if (rc == 0) {
        rc = web->is_unix ? listen_unix(web, options->unix_path, err)
                          : listen_tcp(web, options->address, options->port, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};
    struct epoll_event waking = {.events = EPOLLIN, .data.ptr = web};
    web->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    web->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (web->epoll_fd < 0 || web->wake_fd < 0 ||
        epoll_ctl(web->epoll_fd, EPOLL_CTL_ADD, web->listen_fd, &listening) < 0 ||
        epoll_ctl(web->epoll_fd, EPOLL_CTL_ADD, web->wake_fd, &waking) < 0) {
        return listen_error(err, "epoll");
    }
    return 0;
}

static void release(struct web *web)
{
    if (web->unix_path[0] != '\0') {
        (void)unlink(web->unix_path);
    }
    const int fds[] = {web->listen_fd, web->epoll_fd};
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    web_tls_free(web->tls);
    web_unref(web);
}

static int start_thread(struct web *web, struct err *err)
{
    /* The loop handles all signals, so the server's thread starts with all of them blocked. */
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&web->thread, NULL, run, web);
    int rc = errno == 0 ? 0 : listen_error(err, "server thread");
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        (void)pthread_setname_np(web->thread, web->is_unix ? "api socket" : "api tcp");
    }
    return rc;
}

int web_start(const struct web_options *options, struct web **ret, struct err *err)
{
    ASSERT(options->handler != NULL);
    struct web *web = calloc(1, sizeof(*web));
    NEED_MEMORY(web != NULL);
    int rc = pthread_mutex_init(&web->mutex, NULL);
    ASSERT(rc == 0);
    web->references = 1;
    web->handler = options->handler;
    web->problem = options->problem;
    web->userdata = options->userdata;
    web->only_trusted = options->only_trusted;
    web->is_unix = options->unix_path != NULL;
    web->listen_fd = web->epoll_fd = web->wake_fd = -1;
    web->next_us = INT64_MAX;
    web->now_us = clock_mono_us(clock_real());
    set_limits(web, &options->limits);
    rc = open_all(web, options, err);
    if (rc == 0) {
        rc = start_thread(web, err);
    }
    if (rc < 0) {
        release(web);
        return rc;
    }
    *ret = web;
    return 0;
}

uint16_t web_port(const struct web *web)
{
    return web->port;
}

void web_stop(struct web *web)
{
    if (web == NULL) {
        return;
    }
    web_lock(web);
    web->stopping = true;
    web_unlock(web);
    web_wake(web);
    (void)pthread_join(web->thread, NULL);
    release(web);
}
