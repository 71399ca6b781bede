#include "base/check.h"
#include "web_private.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    IN_FIRST = 2048,          /* bytes of the first buffer of a request */
    DRAIN_MAX = 64 << 20,     /* bytes that are dropped after an error */
    SEND_BYTES_PER_S = 10000, /* a client that reads more slowly is given up */
    PARTS = 4,                /* of a response: head, added headers, end of the head, body */
    PIPELINE_MAX = 32         /* requests of one connection before it is another one's turn */
};
#define DRAIN_US      (20 * USEC_PER_SEC)
#define SEND_LEAST_US (30 * USEC_PER_SEC)

/* ---------------------------------------------------------------- the socket */

static ssize_t receive(struct web_conn *conn, void *dst, size_t size)
{
    return conn->tls != NULL ? web_tls_read(conn->tls, dst, size) : recv(conn->fd, dst, size, 0);
}

static ssize_t transmit(struct web_conn *conn, struct iovec *parts, size_t count)
{
    if (conn->tls != NULL) {
        return web_tls_send(conn->tls, parts, count);
    }
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    return sendmsg(conn->fd, &message, MSG_NOSIGNAL);
}

static bool blocked(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void set_phase(struct web_conn *conn, enum web_phase phase, int64_t deadline_us)
{
    conn->phase = phase;
    conn->since_us = conn->web->now_us;
    web_deadline(conn, deadline_us);
}

/* ---------------------------------------------------------------- life */

struct web_conn *web_conn_new(struct web *web, int fd, const struct web_peer *peer)
{
    struct web_conn *conn = calloc(1, sizeof(*conn));
    NEED_MEMORY(conn != NULL);
    conn->web = web;
    conn->fd = fd;
    conn->peer = *peer;
    conn->next = web->conns;
    if (web->conns != NULL) {
        web->conns->previous = conn;
    }
    web->conns = conn;
    web->conn_count++;
    web_lock(web); /* web_tls_set */
    conn->tls = web->tls == NULL ? NULL : web_tls_accept(web->tls, fd);
    web_unlock(web);
    set_phase(conn, conn->tls != NULL ? WEB_HANDSHAKE : WEB_HEAD, web->limits.head_timeout_us);
    web_watch(conn, EPOLLIN);
    return conn;
}

void web_conn_close(struct web_conn *conn)
{
    struct web *web = conn->web;
    *(conn->previous == NULL ? &web->conns : &conn->previous->next) = conn->next;
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    web->conn_count--;
    web_request_end(TAKE(conn->request));
    web_response_unref(TAKE(conn->response));
    web_tls_conn_free(TAKE(conn->tls));
    if (conn->fd >= 0) {
        (void)close(TAKE_FD(conn->fd)); /* epoll forgets it */
    }
    conn->phase = WEB_CLOSED;
    conn->next = web->closed;
    web->closed = conn;
}

void web_conn_free(struct web_conn *conn)
{
    free(conn->in);
    free(conn);
}

int web_conn_spare(const struct web_conn *conn)
{
    switch (conn->phase) {
    case WEB_DRAIN:
        return 4;
    case WEB_HANDSHAKE:
        return 3;
    case WEB_HEAD:
        return conn->served && conn->in_len == 0 ? 2 : 3;
    case WEB_BODY:
        return 1;
    case WEB_HELD:
    case WEB_SEND:
    case WEB_CLOSED:
        return 0;
    }
    UNREACHABLE();
}

/* ---------------------------------------------------------------- sending */

/* What the client has sent so far must be read before the socket is closed, or it would lose the
 * answer that it has not read yet. */
static bool drain(struct web_conn *conn)
{
    char bytes[16384];
    for (int i = 0; i < 16; i++) {
        ssize_t n = recv(conn->fd, bytes, sizeof(bytes), 0); /* TLS records, too */
        if (n <= 0) {
            return n < 0 && blocked();
        }
        conn->drained += (size_t)n;
        if (conn->drained > DRAIN_MAX) {
            return false;
        }
    }
    return true;
}

/* Everything is sent, and the connection is to end. */
static void end(struct web_conn *conn)
{
    if (conn->tls != NULL) {
        web_tls_end(conn->tls);
    }
    if (conn->ended || shutdown(conn->fd, SHUT_WR) < 0 || !drain(conn)) {
        web_conn_close(conn);
        return;
    }
    web_request_end(TAKE(conn->request));
    set_phase(conn, WEB_DRAIN, DRAIN_US);
    web_watch(conn, EPOLLIN);
}

/* The parts of the response from the byte conn->sent on. */
static size_t parts_of(const struct web_conn *conn, struct iovec parts[PARTS])
{
    const struct web_response *r = conn->response;
    const struct str all[PARTS] = {
        buf_str(&r->head), conn->request != NULL ? buf_str(&conn->request->added) : str_c(""),
        str_n(conn->tail, conn->tail_len), conn->without_body ? str_c("") : buf_str(&r->body)};
    size_t skip = conn->sent, count = 0;
    for (size_t i = 0; i < PARTS; i++) {
        size_t skipped = skip < all[i].len ? skip : all[i].len;
        skip -= skipped;
        if (skipped < all[i].len) {
            parts[count].iov_base = (void *)(uintptr_t)(all[i].ptr + skipped);
            parts[count++].iov_len = all[i].len - skipped;
        }
    }
    return count;
}

/* 1: all of it is sent; 0: the socket is full; -1: the client is gone. */
static int send_more(struct web_conn *conn)
{
    struct iovec parts[PARTS];
    size_t count;
    while ((count = parts_of(conn, parts)) > 0) {
        ssize_t n = transmit(conn, parts, count);
        if (n <= 0) {
            return n < 0 && blocked() ? 0 : -1;
        }
        conn->sent += (size_t)n;
    }
    return 1;
}

/* Takes over the response. */
static void begin_send(struct web_conn *conn, struct web_response *response)
{
    conn->response = response;
    conn->sent = 0;
    conn->closing |= response->close || conn->ended;
    conn->tail_len =
        (size_t)snprintf(conn->tail, sizeof(conn->tail), "Date: %s\r\n%s\r\n", web_date(conn->web),
                         conn->closing ? "Connection: close\r\n" : "");
    int64_t s = (int64_t)(response->body.len / SEND_BYTES_PER_S);
    set_phase(conn, WEB_SEND, SEND_LEAST_US + s * USEC_PER_SEC);
}

/* The handler of its request takes the connection over. */
static void hand_over(struct web_conn *conn)
{
    size_t used = conn->head.line_at;
    (void)epoll_ctl(conn->web->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
    web_line_begin(conn->request, TAKE_FD(conn->fd), TAKE(conn->tls),
                   str_n(conn->in + used, conn->in_len - used));
    web_conn_close(conn);
}

/* Continues to send. True if the connection is free for its next request. */
static bool go_on_sending(struct web_conn *conn)
{
    int rc = send_more(conn);
    if (rc < 0) {
        web_conn_close(conn);
        return false;
    }
    if (rc == 0) {
        web_watch(conn, conn->tls == NULL || web_tls_wants_write(conn->tls) ? EPOLLOUT : EPOLLIN);
        return false;
    }
    web_response_unref(TAKE(conn->response));
    if (conn->request != NULL && conn->request->line_fn != NULL) {
        hand_over(conn);
        return false;
    }
    if (conn->closing) {
        end(conn);
        return false;
    }
    return true;
}

static struct web_response *make_problem(const struct web *web, const struct err *err)
{
    AUTO_BUF struct buf body = BUF_INIT(8192);
    const struct err_info *info = err_info(err->id);
    static const char *const later[] = {"Retry-After: 1", NULL};
    if (web->problem != NULL) {
        web->problem(err, &body);
    } else {
        buf_addf(&body, "%s: %s\n", info->message, err->context);
    }
    return web_response_new(&(struct web_answer){
        .status = info->http_status,
        .content_type = web->problem != NULL ? "application/problem+json" : NULL,
        .headers = info->http_status == 503 ? later : NULL,
        .body = buf_str(&body),
        .close = true});
}

void web_conn_refuse(struct web_conn *conn, const struct err *err)
{
    struct str method = web_head_view(conn->in, conn->head.method);
    web_response_unref(TAKE(conn->response));
    conn->without_body = str_equal_c(method, "HEAD");
    begin_send(conn, make_problem(conn->web, err));
    (void)go_on_sending(conn); /* it closes in any case */
}

/* ---------------------------------------------------------------- requests */

static void drop_front(struct web_conn *conn, size_t size)
{
    conn->in_len -= size;
    memmove(conn->in, conn->in + size, conn->in_len);
    if (conn->in_len == 0) {
        free(TAKE(conn->in));
        conn->in_size = 0;
    }
}

/* The answer is sent: makes room for the next request. */
static void renew(struct web_conn *conn)
{
    size_t used = conn->head.line_at;
    conn->served = true;
    conn->without_body = false;
    if (conn->request->held) {
        web_request_end(TAKE(conn->request));
    } else {
        web_request_reset(conn->request);
    }
    drop_front(conn, used);
    conn->head = (struct web_head){0};
    conn->chunks = (struct web_chunks){0};
    set_phase(conn, WEB_HEAD,
              conn->in_len > 0 ? conn->web->limits.head_timeout_us
                               : conn->web->limits.idle_timeout_us);
    web_watch(conn, EPOLLIN);
}

/* The request is complete. True if it is answered and another one may follow. */
static bool handle(struct web_conn *conn)
{
    struct web_request *request = conn->request;
    conn->closing |= conn->head.close;
    conn->without_body = str_equal_c(web_head_view(conn->in, conn->head.method), "HEAD");
    request->head = &conn->head;
    request->text = conn->in;
    if (web_request_handle(request)) {
        set_phase(conn, WEB_HELD, INT64_MAX);
        web_watch(conn, 0);
        return false;
    }
    begin_send(conn, web_response_ref(request->response));
    if (!go_on_sending(conn)) {
        return false;
    }
    renew(conn);
    return true;
}

static void send_continue(struct web_conn *conn)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = sizeof(text) - 1};
    /* The socket is empty; if it takes it only in part the client is lost anyway. */
    (void)transmit(conn, &part, 1);
}

/* 1: the body is complete; 0: more must follow; negative. What is used is dropped. */
static int read_body(struct web_conn *conn, struct err *err)
{
    struct buf *body = &conn->request->body;
    char *data = conn->in + conn->head.line_at;
    size_t len = conn->in_len - conn->head.line_at, used = 0;
    int rc;
    if (conn->head.chunked) {
        rc = web_chunks_read(&conn->chunks, data, len, body, &used, err);
    } else {
        size_t left = (size_t)conn->head.content_length - body->len;
        used = left < len ? left : len;
        buf_add(body, data, used);
        rc = used == left ? 1 : 0;
    }
    memmove(data, data + used, len - used);
    conn->in_len -= used;
    return rc;
}

/* The head is complete. 1: so is the request; 0: its body must follow; negative. */
static int begin_request(struct web_conn *conn, struct err *err)
{
    const struct web *web = conn->web;
    if (conn->head.content_length > (int64_t)web->limits.max_body_bytes) {
        return err_set(err, ERR_WEB_BODY_LONG, "%lld bytes, at most %zu",
                       (long long)conn->head.content_length, web->limits.max_body_bytes);
    }
    if (conn->request == NULL) {
        conn->request = web_request_new(conn->web);
    }
    conn->request->conn = conn;
    if (conn->head.content_length <= 0 && !conn->head.chunked) {
        return 1;
    }
    set_phase(conn, WEB_BODY, web->limits.body_timeout_us);
    int rc = read_body(conn, err);
    if (rc == 0 && conn->head.expects_continue && conn->request->body.len == 0) {
        send_continue(conn);
    }
    return rc;
}

/* Reads what has arrived. True if a request was answered and another one may follow. */
static bool step(struct web_conn *conn)
{
    struct err err = {0};
    int rc;
    if (conn->phase == WEB_HEAD) {
        rc = conn->in_len == 0 ? 0 : web_head_read(&conn->head, conn->in, conn->in_len, &err);
        if (rc == 1) {
            rc = begin_request(conn, &err);
        }
    } else {
        rc = read_body(conn, &err);
    }
    if (rc < 0) {
        web_conn_refuse(conn, &err);
        return false;
    }
    return rc == 1 && handle(conn);
}

/* ---------------------------------------------------------------- what epoll and the clock say */

static bool is_reading(const struct web_conn *conn)
{
    return conn->phase == WEB_HEAD || conn->phase == WEB_BODY;
}

static void go_on_reading(struct web_conn *conn)
{
    for (int count = 0; step(conn) && conn->in_len > 0; count++) {
        if (count == PIPELINE_MAX) {
            conn->paused = true;
            web_watch(conn, EPOLLOUT); /* comes at once, after the others */
            return;
        }
    }
}

static void make_room(struct web_conn *conn)
{
    /* The longest head and, behind it, several lines of a chunked body. */
    size_t max = WEB_HEAD_MAX + 2048, size = conn->in_size;
    if (conn->in == NULL) {
        size = IN_FIRST;
    } else if (conn->phase == WEB_BODY) {
        size = max;
    } else if (size - conn->in_len < IN_FIRST / 2) {
        size = size * 2 < max ? size * 2 : max;
    }
    if (size != conn->in_size) {
        conn->in_size = size;
        conn->in = realloc(conn->in, size);
        NEED_MEMORY(conn->in != NULL);
    }
}

/* The client has closed its side. */
static void on_end(struct web_conn *conn)
{
    struct err err = {0};
    conn->ended = true;
    if (conn->phase == WEB_HEAD && conn->in_len == 0) {
        web_conn_close(conn);
        return;
    }
    (void)err_set(&err, ERR_WEB_REQUEST, "the client closed the connection within a request");
    web_conn_refuse(conn, &err);
}

static void on_input(struct web_conn *conn)
{
    make_room(conn);
    size_t room = conn->in_size - conn->in_len;
    ssize_t n = receive(conn, conn->in + conn->in_len, room);
    if (n > 0) {
        if (conn->phase == WEB_HEAD && conn->in_len == 0 && conn->served) {
            set_phase(conn, WEB_HEAD, conn->web->limits.head_timeout_us);
        }
        conn->in_len += (size_t)n;
        go_on_reading(conn);
    } else if (n == 0) {
        on_end(conn);
    } else if (!blocked()) {
        web_conn_close(conn);
    } else {
        drop_front(conn, 0);
        web_watch(conn, conn->tls != NULL && web_tls_wants_write(conn->tls) ? EPOLLOUT : EPOLLIN);
    }
}

static void shake_hands(struct web_conn *conn)
{
    char first;
    struct err err = {0};
    /* The first byte of TLS is 0x16. A letter is a client that speaks HTTP without it. */
    if (recv(conn->fd, &first, 1, MSG_PEEK) == 1 && first >= 'A' && first <= 'Z') {
        web_tls_conn_free(TAKE(conn->tls));
        (void)err_set(&err, ERR_WEB_REQUEST, "this port speaks HTTPS only");
        web_conn_refuse(conn, &err);
        return;
    }
    int rc = web_tls_handshake(conn->tls);
    if (rc < 0) {
        web_conn_close(conn);
    } else if (rc == 0) {
        web_watch(conn, web_tls_wants_write(conn->tls) ? EPOLLOUT : EPOLLIN);
    } else {
        conn->phase = WEB_HEAD; /* within the same deadline */
        web_watch(conn, EPOLLIN);
    }
}

static void on_output(struct web_conn *conn)
{
    if (go_on_sending(conn)) {
        renew(conn);
        if (conn->in_len > 0) {
            go_on_reading(conn);
        }
    }
}

/* What OpenSSL has read already, epoll does not know of. */
static void settle(struct web_conn *conn)
{
    while (conn->tls != NULL && is_reading(conn) && !conn->paused && web_tls_pending(conn->tls)) {
        on_input(conn);
    }
}

void web_conn_ready(struct web_conn *conn)
{
    switch (conn->phase) {
    case WEB_HANDSHAKE:
        shake_hands(conn);
        break;
    case WEB_HEAD:
    case WEB_BODY:
        if (conn->paused) {
            conn->paused = false;
            web_watch(conn, EPOLLIN);
            go_on_reading(conn);
        } else {
            on_input(conn);
        }
        break;
    case WEB_SEND:
        on_output(conn);
        break;
    case WEB_DRAIN:
        if (!drain(conn)) {
            web_conn_close(conn);
        }
        break;
    case WEB_HELD: /* nothing is watched: both sides are closed */
        web_conn_close(conn);
        break;
    case WEB_CLOSED:
        break;
    }
    settle(conn);
}

void web_conn_answered(struct web_conn *conn)
{
    begin_send(conn, web_response_ref(conn->request->response));
    on_output(conn);
    settle(conn);
}

void web_conn_late(struct web_conn *conn)
{
    struct err err = {0};
    if (!is_reading(conn) || conn->in_len == 0) {
        web_conn_close(conn);
        return;
    }
    (void)err_set(&err, ERR_WEB_SLOW, "the %s did not arrive in %lld ms",
                  conn->phase == WEB_HEAD ? "headers" : "body",
                  (long long)(conn->web->now_us - conn->since_us) / USEC_PER_MSEC);
    web_conn_refuse(conn, &err);
}
