#include "../../../src/io/web_tls.h"
#include "base/check.h"
#include "io/http.h"
#include "io/secret.h"
#include "io/websocket.h"
#include "io/websocket_client.h"
#include "scratch.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* The server is the test itself, between two rounds of the client's loop. */

#define PATIENCE_US (20 * USEC_PER_SEC)
#define PATH        "/ws?listenKey=hidden-key"

struct rig {
    struct loop *loop;
    struct http *http;
    int listen_fd;
    int port;
    int fd;                   /* of the server; -1: no connection yet */
    struct web_tls_conn *tls; /* NULL: plain */
    struct buf request;
    struct websocket *server; /* the server's end; NULL: raw bytes */
    struct buf heard;         /* messages of the client, each with a '|' behind it */
    struct websocket_client *ws;
    struct buf said; /* of the server, the same; a binary one with a '#' */
    size_t longest;
    int opens, agings, closes;
    struct err err;
    int status, code;
    int64_t retry_after_s;
    char reason[128];
    enum {
        NOTHING,
        CLOSE_IN_MESSAGE,
        FREE_IN_MESSAGE,
        FREE_IN_OPEN,
        FREE_IN_CLOSE,
        BLOCK_IN_MESSAGE
    } then;
};

static void free_client(struct rig *r)
{
    websocket_client_free(TAKE(r->ws));
}

static void on_open(struct websocket_client *ws, void *userdata)
{
    struct rig *r = userdata;
    assert_true(websocket_client_is_open(ws));
    r->opens++;
    if (r->then == FREE_IN_OPEN) {
        free_client(r);
    }
}

static void on_message(struct websocket_client *ws, struct str message, bool binary, void *userdata)
{
    struct rig *r = userdata;
    assert_ptr_equal(ws, r->ws);
    if (message.len < 100) {
        buf_add_str(&r->said, message);
        buf_add_char(&r->said, binary ? '#' : '|');
    }
    r->longest = message.len > r->longest ? message.len : r->longest;
    if (r->then == CLOSE_IN_MESSAGE) {
        websocket_client_close(ws);
    } else if (r->then == FREE_IN_MESSAGE) {
        free_client(r);
    } else if (r->then == BLOCK_IN_MESSAGE) {
        static char text[2000];
        memset(text, 'x', sizeof(text));
        assert_int_equal(websocket_client_send(ws, str_n(text, sizeof(text)), NULL),
                         -ERR_WEBSOCKET_BLOCKED);
        assert_int_equal(r->closes, 0);
    }
}

static void on_aging(struct websocket_client *ws, void *userdata)
{
    assert_true(websocket_client_is_open(ws));
    ((struct rig *)userdata)->agings++;
}

static void on_close(struct websocket_client *ws, const struct websocket_end *end, void *userdata)
{
    struct rig *r = userdata;
    assert_ptr_equal(ws, r->ws);
    assert_false(websocket_client_is_open(ws));
    r->closes++;
    r->err = *end->err;
    r->status = end->status;
    r->code = end->code;
    r->retry_after_s = end->retry_after_s;
    assert_true(str_copy(str_c(end->reason), r->reason, sizeof(r->reason)));
    assert_lacks(r->err.context, "hidden");
    if (r->then == FREE_IN_CLOSE) {
        free_client(r);
    }
}

static void hear(struct websocket *ws, struct str message, bool binary, void *userdata)
{
    (void)ws;
    assert_false(binary);
    buf_add_str(&((struct rig *)userdata)->heard, message);
    buf_add_char(&((struct rig *)userdata)->heard, '|');
}

static void rig_setup(struct rig *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    *r = (struct rig){.fd = -1};
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(websocket_load(NULL), 0);
    assert_non_null(r->loop = loop_new(NULL));
    assert_non_null(r->http = http_new(r->loop, NULL));
    buf_init(&r->request, 65536);
    buf_init(&r->heard, 65536);
    buf_init(&r->said, 65536);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(r->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(r->listen_fd, 4), 0);
    assert_int_equal(getsockname(r->listen_fd, (struct sockaddr *)&address, &size), 0);
    r->port = ntohs(address.sin_port);
}

static void hang_up(struct rig *r)
{
    web_tls_conn_free(TAKE(r->tls));
    if (r->fd >= 0) {
        (void)close(TAKE_FD(r->fd));
    }
}

static void rig_teardown(struct rig *r)
{
    websocket_client_free(r->ws);
    websocket_free(r->server);
    hang_up(r);
    (void)close(r->listen_fd);
    http_free(r->http);
    loop_free(r->loop);
    buf_release(&r->request);
    buf_release(&r->heard);
    buf_release(&r->said);
}

static int64_t now_us(const struct rig *r)
{
    return clock_mono_us(loop_clock(r->loop));
}

/* One round of the client. Returns true, so that it can stand in a condition. */
static bool turn(struct rig *r)
{
    (void)loop_iterate(r->loop, USEC_PER_MSEC);
    return true;
}

#define SPIN_UNTIL(r, condition)                                                      \
    do {                                                                              \
        for (int64_t until_us_ = now_us(r) + PATIENCE_US; !(condition) && turn(r);) { \
            assert_true(now_us(r) < until_us_);                                       \
        }                                                                             \
    } while (0)

static void client_open(struct rig *r, struct websocket_client_options options)
{
    AUTO_BUF struct buf url = BUF_INIT(256);
    struct err err = {0};
    buf_addf(&url, "%s:%d" PATH, options.url == NULL ? "ws://127.0.0.1" : options.url, r->port);
    options.url = url.data;
    options.on_open = on_open;
    options.on_message = on_message;
    options.on_aging = on_aging;
    options.on_close = on_close;
    options.userdata = r;
    r->ws = websocket_client_open(r->http, &options, &err);
    if (r->ws == NULL) {
        fail_msg("%s", err.context);
    }
}

static ssize_t server_read(struct rig *r, void *to, size_t size)
{
    return r->tls != NULL ? web_tls_read(r->tls, to, size) : recv(r->fd, to, size, MSG_DONTWAIT);
}

static bool accepted(struct rig *r)
{
    r->fd = r->fd >= 0 ? r->fd : accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return r->fd >= 0;
}

static bool request_is_whole(struct rig *r)
{
    char bytes[4096];
    ssize_t n = accepted(r) ? server_read(r, bytes, sizeof(bytes)) : 0;
    buf_add(&r->request, bytes, n > 0 ? (size_t)n : 0);
    return strstr(r->request.data, "\r\n\r\n") != NULL;
}

static void server_send(struct rig *r, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        struct iovec rest = {.iov_base = (char *)bytes + done, .iov_len = size - done};
        ssize_t n = r->tls != NULL ? web_tls_send(r->tls, &rest, 1)
                                   : send(r->fd, rest.iov_base, rest.iov_len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            return; /* the client has gone, which the test sees */
        }
        done += n > 0 ? (size_t)n : 0;
        (void)(n < 0 && turn(r));
    }
}

#define BYTES(s)           \
    {                      \
        (s), sizeof(s) - 1 \
    }
#define SEND(r, s) server_send(r, s, sizeof(s) - 1)

/* The right answer to the request, for the caller to add to. */
static void add_answer(struct rig *r, struct buf *out)
{
    char accept_key[WEBSOCKET_ACCEPT_SIZE];
    const char *key = strstr(r->request.data, "Sec-WebSocket-Key: ");
    assert_non_null(key);
    assert_true(websocket_accept(str_n(key + 19, WEBSOCKET_KEY_CHARS), accept_key));
    buf_addf(out,
             "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
             "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
             accept_key);
}

static void upgrade(struct rig *r)
{
    AUTO_BUF struct buf answer = BUF_INIT(4096);
    SPIN_UNTIL(r, request_is_whole(r));
    add_answer(r, &answer);
    buf_add_c(&answer, "\r\n");
    server_send(r, answer.data, answer.len);
    SPIN_UNTIL(r, r->opens == 1);
}

/* Reads what the client has sent into the server's end, which answers. True: all of it. */
static bool serve(struct rig *r)
{
    char bytes[65536];
    ssize_t n = 0;
    if (r->server == NULL) {
        r->server = websocket_new(
            &(struct websocket_options){.max_message = (size_t)1 << 20, .fn = hear, .userdata = r});
    }
    while ((n = server_read(r, bytes, sizeof(bytes))) > 0) {
        websocket_receive(r->server, str_n(bytes, (size_t)n));
    }
    struct buf *output = websocket_output(r->server);
    server_send(r, output->data, output->len);
    buf_clear(output);
    return true;
}

static void messages_go_both_ways(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    static const char *const headers[] = {"X-One: 1", "X-Two: 2", NULL};
    client_open(&r, (struct websocket_client_options){.headers = headers});
    AUTO_BUF struct buf answer = BUF_INIT(4096);
    SPIN_UNTIL(&r, request_is_whole(&r));
    AUTO_BUF struct buf expected = BUF_INIT(256);
    buf_addf(&expected, "GET " PATH " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n",
             r.port);
    assert_memory_equal(r.request.data, expected.data, expected.len);
    assert_has(r.request.data, "\r\nX-One: 1\r\nX-Two: 2\r\n\r\n");
    assert_int_equal(websocket_client_send(r.ws, str_c("early"), NULL), -ERR_WEBSOCKET_LOST);
    add_answer(&r, &answer);
    buf_add_c(&answer, "\r\n\x81\x05hello\x82\x01"); /* and a half frame */
    server_send(&r, answer.data, answer.len);
    SPIN_UNTIL(&r, r.said.len > 0);
    SEND(&r, "b");
    SEND(&r, "\x01\x02"
             "fr");
    SEND(&r, "\x89\x03"
             "one");
    SEND(&r, "\x80\x01"
             "g");
    SPIN_UNTIL(&r, r.said.len == 12);
    assert_string_equal(r.said.data, "hello|b#frg|");
    assert_int_equal(r.opens, 1);
    assert_int_equal(websocket_client_send(r.ws, str_c("subscribe"), NULL), 0);
    assert_int_equal(websocket_client_send(r.ws, str_c(""), NULL), 0);
    AUTO_BUF struct buf long_text = BUF_INIT(2000);
    for (int i = 0; i < 1500; i++) {
        buf_add_char(&long_text, (char)('a' + i % 26));
    }
    assert_int_equal(websocket_client_send(r.ws, buf_str(&long_text), NULL), 0);
    SPIN_UNTIL(&r, serve(&r) && r.heard.len == 9 + 1 + 1 + 1500 + 1);
    assert_memory_equal(r.heard.data, "subscribe||abc", 14);
    assert_memory_equal(r.heard.data + 11, long_text.data, 1500);
    websocket_client_close(r.ws);
    assert_int_equal(websocket_client_send(r.ws, str_c("late"), NULL), -ERR_WEBSOCKET_LOST);
    SPIN_UNTIL(&r, serve(&r) && websocket_is_over(r.server));
    assert_int_equal(websocket_code(r.server), 1000);
    assert_int_equal(r.closes, 0);
    hang_up(&r);
    SPIN_UNTIL(&r, r.closes > 0);
    assert_int_equal(r.err.id, ERR_NONE);
    rig_teardown(&r);
}

static void a_ping_is_answered_and_measured(void **state)
{
    (void)state;
    struct rig r;
    char bytes[64];
    rig_setup(&r);
    client_open(&r, (struct websocket_client_options){0});
    upgrade(&r);
    SEND(&r, "\x8A\x08\0\0\0\0\0\0\0\0"); /* a pong without a ping */
    SEND(&r, "\x89\x03one");
    SPIN_UNTIL(&r, recv(r.fd, bytes, 9, MSG_DONTWAIT | MSG_PEEK) == 9);
    assert_int_equal(recv(r.fd, bytes, 9, MSG_DONTWAIT), 9);
    assert_memory_equal(bytes, "\x8A\x83", 2); /* masked */
    for (int i = 0; i < 3; i++) {
        bytes[6 + i] = (char)(bytes[6 + i] ^ bytes[2 + i]);
    }
    assert_memory_equal(bytes + 6, "one", 3);
    assert_true(websocket_client_rtt_us(r.ws) == -1);
    websocket_client_free(TAKE(r.ws));
    hang_up(&r);
    r.opens = 0;
    buf_clear(&r.request);
    client_open(&r, (struct websocket_client_options){.ping_us = 5000});
    upgrade(&r);
    SEND(&r, "\x8A\x08unasked!");
    SPIN_UNTIL(&r, serve(&r) && websocket_client_rtt_us(r.ws) >= 0);
    rig_teardown(&r);
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    client_open(&r, (struct websocket_client_options){0});
    AUTO_BUF struct buf answer = BUF_INIT(4096);
    SPIN_UNTIL(&r, request_is_whole(&r));
    add_answer(&r, &answer);
    buf_add_c(&answer, "\r\n\x81\x02hi\x82\x01x");
    for (size_t i = 0; i < answer.len; i++) {
        server_send(&r, answer.data + i, 1);
        (void)turn(&r);
    }
    SPIN_UNTIL(&r, r.said.len == 5);
    assert_string_equal(r.said.data, "hi|x#");
    rig_teardown(&r);
}

static void a_wrong_answer_has_its_reason(void **state)
{
    (void)state;
    static char long_head[20000];
    static const char ok[] = "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
#define OK_HEAD "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    static const struct {
        const char *answer; /* NULL: the right one, and then */
        const char *more;
        enum err_id id;
        const char *why;
        int status;
    } rows[] = {
        {"<html>\r\n", "", ERR_WEBSOCKET_HANDSHAKE, "not HTTP/1.1", 0},
        {"HTTP/1.0 101 OK\r\n\r\n", "", ERR_WEBSOCKET_HANDSHAKE, "not HTTP/1.1", 0},
        {"HTTP/1.1 1", "", ERR_WEBSOCKET_LOST, "without a close", 0},
        {"HTTP/1.1 abc OK\r\n\r\n", "", ERR_WEBSOCKET_HANDSHAKE, "status line", 0},
        {"HTTP/1.1 1011\r\n\r\n", "", ERR_WEBSOCKET_HANDSHAKE, "status line", 0},
        {"HTTP/1.1 302 Found\r\nLocation: wss://h/?listenKey=hidden-key\r\n\r\n", "",
         ERR_WEBSOCKET_REFUSED, "status 302", 302},
        {"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n<html>", "", ERR_WEBSOCKET_REFUSED,
         "status 429", 429},
        {"HTTP/1.1 200\r\nContent-Type: text/html\r\n\r\n<html>", "", ERR_WEBSOCKET_REFUSED,
         "status 200", 200},
        {ok, "\r\n", ERR_WEBSOCKET_HANDSHAKE, "no Sec-WebSocket-Accept", 101},
        {ok, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE,
         "is wrong", 101},
        {NULL, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         ERR_WEBSOCKET_HANDSHAKE, "is wrong", 101},
        {NULL, "again", ERR_WEBSOCKET_HANDSHAKE, "is wrong", 101},
        {NULL, "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE,
         "extension", 101},
        {NULL, "Sec-WebSocket-Protocol: chat\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE, "subprotocol", 101},
        {NULL, "Upgrade: websocket\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE, "Upgrade or Connection", 101},
        {NULL, "Upgrade: h2c\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE, "something else", 101},
        {NULL, " folded\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE, "malformed", 101},
        {NULL, "X : 1\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE, "malformed", 101},
        {NULL, "X: 1\n2\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE, "malformed", 101},
        {NULL, "no colon\r\n\r\n", ERR_WEBSOCKET_HANDSHAKE, "malformed", 101},
        {"HTTP/1.1 101 OK\r\nConnection: Upgrade\r\n\r\n", "", ERR_WEBSOCKET_HANDSHAKE,
         "Upgrade or Connection", 101},
        {"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n", "",
         ERR_WEBSOCKET_HANDSHAKE, "Upgrade or Connection", 101},
        {OK_HEAD, long_head, ERR_WEBSOCKET_HANDSHAKE, "too long", 0},
    };
    memset(long_head, 'x', sizeof(long_head) - 1);
    struct rig r;
    rig_setup(&r);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf answer = BUF_INIT(65536);
        r.closes = 0;
        r.then = FREE_IN_CLOSE;
        buf_clear(&r.request);
        client_open(&r, (struct websocket_client_options){0});
        SPIN_UNTIL(&r, request_is_whole(&r));
        if (rows[i].answer == NULL) {
            add_answer(&r, &answer);
        }
        buf_add_c(&answer, rows[i].answer == NULL ? "" : rows[i].answer);
        if (strcmp(rows[i].more, "again") == 0) { /* the right accept, a second time */
            buf_add_c(&answer, strstr(answer.data, "Sec-WebSocket-Accept"));
            buf_add_c(&answer, "\r\n");
        } else {
            buf_add_c(&answer, rows[i].more);
        }
        server_send(&r, answer.data, answer.len);
        if (rows[i].id == ERR_WEBSOCKET_LOST) {
            hang_up(&r);
        }
        SPIN_UNTIL(&r, r.closes == 1);
        hang_up(&r);
        if (r.err.id != (int)rows[i].id || strstr(r.err.context, rows[i].why) == NULL ||
            r.status != rows[i].status || r.retry_after_s != (r.status == 429 ? 7 : -1)) {
            fail_msg("row %zu: %s, status %d, %lld s", i, r.err.context, r.status,
                     (long long)r.retry_after_s);
        }
        assert_has(r.err.context, "/ws?listenKey=***: ");
    }
    assert_int_equal(r.opens, 0);
    rig_teardown(&r);
}

static void a_wrong_frame_ends_the_connection(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        enum err_id id;
        const char *why;
        int code;
    } rows[] = {
        {BYTES("\x81\x81\0\0\0\0x"), ERR_WEBSOCKET_PROTOCOL, "not allowed", 0}, /* masked */
        {BYTES("\xC1\x01x"), ERR_WEBSOCKET_PROTOCOL, "not allowed", 0},
        {BYTES("\x83\x01x"), ERR_WEBSOCKET_PROTOCOL, "not allowed", 0},
        {BYTES("\x80\x01x"), ERR_WEBSOCKET_PROTOCOL, "not allowed", 0},
        {BYTES("\x89\x7E\0\x7E"), ERR_WEBSOCKET_PROTOCOL, "not allowed", 0},
        {BYTES("\x81\x02\xC3\x28"), ERR_WEBSOCKET_PROTOCOL, "UTF-8", 0},
        {BYTES("\x88\x03\x03\xE8\xFF"), ERR_WEBSOCKET_PROTOCOL, "UTF-8", 0},
        {BYTES("\x88\x02\x03\xED"), ERR_WEBSOCKET_PROTOCOL, "not allowed", 0},
        {BYTES("\x81\x7E\x00\xC9x"), ERR_WEBSOCKET_TOO_LONG, "200 bytes", 0},
        {BYTES("\x88\x06\x03\xE9"
               "away"),
         ERR_WEBSOCKET_CLOSED, "code 1001, \"away\"", 1001},
        {BYTES("\x88\x06\x0F\xA0"
               "a\x1B\nb"),
         ERR_WEBSOCKET_CLOSED, "code 4000, \"a?", 4000},
        {BYTES("\x88\x00"), ERR_WEBSOCKET_CLOSED, "without a code", 0},
        {BYTES(""), ERR_WEBSOCKET_LOST, "without a close", 0},
        {BYTES("\x81"), ERR_WEBSOCKET_LOST, "without a close", 0},
    };
    struct rig r;
    rig_setup(&r);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char bytes[64];
        r.closes = r.opens = 0;
        r.then = FREE_IN_CLOSE;
        buf_clear(&r.request);
        client_open(&r, (struct websocket_client_options){.max_message = 200});
        upgrade(&r);
        server_send(&r, rows[i].bytes.ptr, rows[i].bytes.len);
        if (rows[i].id == ERR_WEBSOCKET_LOST) {
            (void)shutdown(r.fd, SHUT_WR);
        }
        SPIN_UNTIL(&r, r.closes == 1);
        if (r.err.id != (int)rows[i].id || strstr(r.err.context, rows[i].why) == NULL ||
            r.code != rows[i].code) {
            fail_msg("row %zu: %d %s, code %d", i, r.err.id, r.err.context, r.code);
        }
        if (rows[i].id != ERR_WEBSOCKET_LOST) { /* the close of this end, masked */
            assert_true(recv(r.fd, bytes, sizeof(bytes), 0) >= 6);
            assert_int_equal((unsigned char)bytes[0], 0x88);
            assert_int_equal((unsigned char)bytes[1] & 0x80, 0x80);
        }
        hang_up(&r);
    }
    assert_string_equal(r.said.data, "");
    rig_teardown(&r);
}

static void a_reset_connection_is_lost(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    client_open(&r, (struct websocket_client_options){0});
    upgrade(&r);
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    hang_up(&r);
    SPIN_UNTIL(&r, r.closes == 1);
    assert_int_equal(r.err.id, ERR_WEBSOCKET_LOST);
    for (int i = 0; i < 5; i++) {
        (void)turn(&r);
    }
    assert_int_equal(r.closes, 1);
    rig_teardown(&r);
}

static void silence_ends_in_time(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    r.then = FREE_IN_CLOSE;
    /* No answer to the request, then half of one. On a slow machine not even the connection is
     * there in time, so the limit grows. */
    for (int half = 0; half < 2; half++) {
        int64_t limit_us = 20000;
        do {
            r.closes = 0;
            buf_clear(&r.request);
            client_open(&r, (struct websocket_client_options){.open_timeout_us = limit_us});
            SPIN_UNTIL(&r, r.closes == 1 || (half == 1 && request_is_whole(&r)));
            if (r.closes == 0) {
                SEND(&r, "HTTP/1.1 101 Switching Protocols\r\n");
                SPIN_UNTIL(&r, r.closes == 1);
            }
            /* A connection may still wait to be accepted. */
            do {
                hang_up(&r);
            } while (accepted(&r));
            limit_us *= 2;
        } while (r.err.id == ERR_HTTP_CONNECT && limit_us < PATIENCE_US);
        assert_int_equal(r.err.id, ERR_WEBSOCKET_TIMEOUT);
        assert_has(r.err.context, " bytes of an answer in ");
    }
    r.closes = 0;
    buf_clear(&r.request);
    r.opens = 0;
    buf_clear(&r.request);
    client_open(&r, (struct websocket_client_options){.silence_us = 30000, .ping_us = 10000});
    upgrade(&r);
    int64_t began_us = now_us(&r);
    SPIN_UNTIL(&r, r.closes == 1);
    assert_int_equal(r.err.id, ERR_WEBSOCKET_SILENT);
    assert_has(r.err.context, "nothing for 30 ms");
    assert_true(now_us(&r) - began_us < PATIENCE_US / 2);
    (void)serve(&r); /* pings, then a close */
    assert_int_equal(websocket_code(r.server), 1001);
    rig_teardown(&r);
}

static void pongs_keep_a_quiet_connection(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    client_open(&r, (struct websocket_client_options){.silence_us = 300000});
    upgrade(&r);
    int64_t until_us = now_us(&r) + 400000;
    SPIN_UNTIL(&r, (serve(&r) && now_us(&r) > until_us) || r.closes > 0);
    /* On a machine that stood still for longer than the limit it says so. */
    assert_true(r.closes == 0 || r.err.id == ERR_WEBSOCKET_SILENT);
    assert_true(r.closes > 0 || websocket_client_rtt_us(r.ws) >= 0);
    rig_teardown(&r);
}

static void age_is_limited_and_announced(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    client_open(&r, (struct websocket_client_options){.age_us = 60000, .notice_us = 40000});
    upgrade(&r);
    SPIN_UNTIL(&r, r.agings == 1 || r.closes == 1);
    SPIN_UNTIL(&r, r.closes == 1);
    assert_int_equal(r.agings, 1);
    assert_int_equal(r.err.id, ERR_WEBSOCKET_AGED);
    (void)serve(&r);
    assert_int_equal(websocket_code(r.server), 1001);
    rig_teardown(&r);
}

static void a_server_that_does_not_read_is_left(void **state)
{
    (void)state;
    static char text[65536];
    struct rig r;
    struct err err = {0};
    int rc = 0;
    rig_setup(&r);
    memset(text, 'x', sizeof(text));
    client_open(&r, (struct websocket_client_options){.max_output = 200000});
    upgrade(&r);
    for (int i = 0; rc == 0; i++) {
        assert_true(i < 1000); /* what the kernel keeps is limited, too */
        rc = websocket_client_send(r.ws, str_n(text, sizeof(text)), &err);
        assert_int_equal(r.closes, 0);
        (void)(i % 16 == 0 && turn(&r));
    }
    assert_int_equal(rc, -ERR_WEBSOCKET_BLOCKED);
    assert_lacks(err.context, "hidden");
    SPIN_UNTIL(&r, r.closes == 1);
    assert_int_equal(r.err.id, ERR_WEBSOCKET_BLOCKED);
    assert_int_equal(websocket_client_send(r.ws, str_c("x"), NULL), -ERR_WEBSOCKET_BLOCKED);
    rig_teardown(&r);
}

static void pings_that_are_not_read_back_are_limited(void **state)
{
    (void)state;
    struct rig r;
    char pings[100 * 127];
    rig_setup(&r);
    memset(pings, 'x', sizeof(pings));
    for (size_t i = 0; i < sizeof(pings); i += 127) {
        memcpy(pings + i, "\x89\x7D", 2);
    }
    client_open(&r, (struct websocket_client_options){.max_output = 100000});
    upgrade(&r);
    for (int i = 0; r.closes == 0; i++) {
        assert_true(i < 100000);
        server_send(&r, pings, sizeof(pings));
        (void)turn(&r);
    }
    assert_int_equal(r.err.id, ERR_WEBSOCKET_BLOCKED);
    rig_teardown(&r);
}

static void one_message_may_be_too_much(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    r.then = BLOCK_IN_MESSAGE;
    client_open(&r, (struct websocket_client_options){.max_output = 1000});
    upgrade(&r);
    SEND(&r, "\x81\x01"
             "a\x81\x01"
             "b");
    SPIN_UNTIL(&r, r.closes == 1);
    assert_string_equal(r.said.data, "a|"); /* the second one is not delivered */
    assert_int_equal(r.err.id, ERR_WEBSOCKET_BLOCKED);
    rig_teardown(&r);
}

static void an_end_after_many_bytes_is_reported_once(void **state)
{
    (void)state;
    static char messages[4 + 50000];
    struct rig r;
    int sent = 0;
    rig_setup(&r);
    client_open(&r, (struct websocket_client_options){0});
    upgrade(&r);
    memset(messages, 'x', sizeof(messages));
    assert_int_equal(websocket_head(50000, messages), 4);
    /* As much as the kernel takes at once: more than the client reads at once. */
    while (send(r.fd, messages, sizeof(messages), MSG_NOSIGNAL) == (ssize_t)sizeof(messages)) {
        sent++;
    }
    hang_up(&r);
    SPIN_UNTIL(&r, r.closes > 0);
    for (int i = 0; i < 5; i++) {
        (void)turn(&r);
    }
    assert_true(sent > 6);
    assert_int_equal(r.closes, 1);
    assert_int_equal(r.longest, 50000);
    rig_teardown(&r);
}

static void what_the_kernel_does_not_take_is_sent_later(void **state)
{
    (void)state;
    static char text[60000];
    struct rig r;
    rig_setup(&r);
    memset(text, 'x', sizeof(text));
    client_open(&r, (struct websocket_client_options){.max_output = (size_t)16 << 20});
    upgrade(&r);
    buf_release(&r.heard);
    buf_init(&r.heard, (size_t)32 << 20);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(websocket_client_send(r.ws, str_n(text, sizeof(text)), NULL), 0);
    }
    SPIN_UNTIL(&r, serve(&r) && r.heard.len == 200 * (sizeof(text) + 1));
    assert_int_equal(r.closes, 0);
    rig_teardown(&r);
}

static void callbacks_may_close_and_free(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    static const int cases[] = {CLOSE_IN_MESSAGE, FREE_IN_MESSAGE, FREE_IN_OPEN};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        r.then = cases[i] == CLOSE_IN_MESSAGE  ? CLOSE_IN_MESSAGE
                 : cases[i] == FREE_IN_MESSAGE ? FREE_IN_MESSAGE
                                               : FREE_IN_OPEN;
        r.closes = r.opens = 0;
        buf_clear(&r.request);
        buf_clear(&r.said);
        client_open(&r, (struct websocket_client_options){0});
        AUTO_BUF struct buf answer = BUF_INIT(4096);
        SPIN_UNTIL(&r, request_is_whole(&r));
        add_answer(&r, &answer);
        buf_add_c(&answer, "\r\n\x81\x01"
                           "a\x81\x01"
                           "b");
        server_send(&r, answer.data, answer.len);
        SPIN_UNTIL(&r, r.opens == 1 && (r.then == FREE_IN_OPEN || r.said.len > 0));
        SPIN_UNTIL(&r, serve(&r) && websocket_is_over(r.server)); /* each says goodbye */
        assert_int_equal(websocket_code(r.server), r.then == CLOSE_IN_MESSAGE ? 1000 : 1001);
        assert_string_equal(r.said.data, r.then == FREE_IN_OPEN ? "" : "a|");
        websocket_free(TAKE(r.server));
        hang_up(&r);
        SPIN_UNTIL(&r, r.closes == (r.then == CLOSE_IN_MESSAGE ? 1 : 0));
        websocket_client_free(TAKE(r.ws));
    }
    /* The server does not end the connection. On a slow machine it is silent for too long first. */
    int64_t silence_us = 30000;
    do {
        r.then = CLOSE_IN_MESSAGE;
        r.closes = r.opens = 0;
        buf_clear(&r.request);
        client_open(&r, (struct websocket_client_options){.silence_us = silence_us});
        upgrade(&r);
        SEND(&r, "\x81\x01"
                 "a");
        SPIN_UNTIL(&r, r.closes == 1);
        websocket_client_free(TAKE(r.ws));
        hang_up(&r);
        silence_us *= 2;
    } while (r.err.id == ERR_WEBSOCKET_SILENT && silence_us < PATIENCE_US);
    assert_int_equal(r.err.id, ERR_NONE);
    /* Before there is a connection. */
    r.then = NOTHING;
    r.closes = 0;
    client_open(&r, (struct websocket_client_options){0});
    websocket_client_close(r.ws);
    assert_int_equal(r.closes, 0);
    SPIN_UNTIL(&r, r.closes == 1);
    assert_int_equal(r.err.id, ERR_NONE);
    websocket_client_free(TAKE(r.ws));
    client_open(&r, (struct websocket_client_options){0});
    websocket_client_free(TAKE(r.ws));
    rig_teardown(&r);
}

static void urls_and_ports_that_cannot_be_used(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    static const char *const urls[] = {
        "http://h/",    "wss://",        "ws:/h",      "ws://a:b@h/?k=hidden",
        "ws://h/#part", "ws://h:99999/", "ws://h/a b", "ws://h/\r\nX: 1"};
    static const char *const bad_header[] = {"X: 1\r\nY: 2", NULL};
    struct websocket_client_options o = {.on_message = on_message, .on_close = on_close};
    for (size_t i = 0; i < COUNT_OF(urls) + 1; i++) {
        struct err err = {0};
        o.url = i < COUNT_OF(urls) ? urls[i] : "ws://h/";
        o.headers = i < COUNT_OF(urls) ? NULL : bad_header;
        assert_null(websocket_client_open(r.http, &o, &err));
        assert_int_equal(err.id, ERR_HTTP_URL);
        assert_lacks(err.context, "hidden");
    }
    (void)close(r.listen_fd);
    client_open(&r, (struct websocket_client_options){0});
    SPIN_UNTIL(&r, r.closes == 1);
    assert_int_equal(r.err.id, ERR_HTTP_CONNECT);
    r.listen_fd = -1;
    rig_teardown(&r);
}

static void a_port_without_an_answer_is_left_in_time(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    r.then = FREE_IN_CLOSE;
    /* It accepts, and speaks no TLS, or not in time. On a slow machine not even the handshake has
     * begun by then. */
    int64_t limit_us = 30000;
    do {
        r.closes = 0;
        client_open(&r, (struct websocket_client_options){.url = "wss://127.0.0.1",
                                                          .open_timeout_us = limit_us});
        SPIN_UNTIL(&r, r.closes == 1);
        do {
            hang_up(&r);
        } while (accepted(&r));
        limit_us *= 2;
    } while (r.err.id == ERR_HTTP_CONNECT && limit_us < PATIENCE_US);
    assert_int_equal(r.err.id, ERR_HTTP_HANDSHAKE);
    client_open(&r, (struct websocket_client_options){.url = "wss://127.0.0.1"});
    SPIN_UNTIL(&r, accepted(&r));
    SEND(&r, "HTTP/1.1 400 Bad Request\r\n\r\n");
    SPIN_UNTIL(&r, r.closes == 2);
    assert_int_equal(r.err.id, ERR_HTTP_NOT_TLS);
    hang_up(&r);
    /* It does not even accept: its queue is full. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fds[4];
    assert_int_equal(listen(r.listen_fd, 0), 0);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
    }
    client_open(&r, (struct websocket_client_options){.open_timeout_us = 30000});
    SPIN_UNTIL(&r, r.closes == 3);
    assert_int_equal(r.err.id, ERR_HTTP_CONNECT);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        (void)close(fds[i]);
    }
    rig_teardown(&r);
}

static void a_proxy_is_asked_for_a_tunnel(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r);
    AUTO_BUF struct buf proxy = BUF_INIT(64);
    buf_addf(&proxy, "http://127.0.0.1:%d", r.port);
    (void)setenv("http_proxy", proxy.data, 1);
    client_open(&r, (struct websocket_client_options){.url = "ws://venue.example"});
    SPIN_UNTIL(&r, request_is_whole(&r));
    (void)unsetenv("http_proxy");
    assert_int_equal(strncmp(r.request.data, "CONNECT venue.example:", 22), 0);
    buf_clear(&r.request);
    SEND(&r, "HTTP/1.1 200 OK\r\n\r\n");
    upgrade(&r);
    assert_int_equal(strncmp(r.request.data, "GET " PATH " ", 4 + sizeof(PATH)), 0);
    SEND(&r, "\x81\x02hi");
    SPIN_UNTIL(&r, r.said.len == 3);
    rig_teardown(&r);
}

static void a_large_message_arrives_if_it_may(void **state)
{
    (void)state;
    enum { SIZE = 16 << 20 };
    struct rig r;
    rig_setup(&r);
    client_open(&r, (struct websocket_client_options){.max_message = SIZE});
    upgrade(&r);
    char head[WEBSOCKET_HEAD_MAX];
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    server_send(&r, head, websocket_head(SIZE, head));
    server_send(&r, text, SIZE);
    free(text);
    SPIN_UNTIL(&r, r.longest == SIZE || r.closes > 0);
    assert_int_equal(r.longest, SIZE);
    rig_teardown(&r);
}

static void tls_is_checked_and_carries_messages(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    AUTO_SCRATCH struct scratch s = scratch_make();
    AUTO_BUF struct buf command = BUF_INIT(1024);
    struct web_tls *tls = NULL;
    struct rig r;
    buf_addf(
        &command,
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key -out cert "
        "2> /dev/null",
        s.folder);
    if (system(command.data) != 0) {
        skip();
    }
    rig_setup(&r);
    assert_int_equal(web_tls_new(scratch_path(&s, "cert"), scratch_path(&s, "key"), &tls, NULL), 0);
    for (int trusted = 0; trusted < 2; trusted++) {
        r.then = trusted == 0 ? FREE_IN_CLOSE : NOTHING;
        client_open(&r, (struct websocket_client_options){
                            .url = "wss://localhost",
                            .ca_file = trusted == 0 ? NULL : scratch_path(&s, "cert")});
        SPIN_UNTIL(&r, accepted(&r));
        r.tls = web_tls_accept(tls, r.fd);
        SPIN_UNTIL(&r, r.closes > 0 || web_tls_handshake(r.tls) == 1);
        if (trusted == 0) {
            assert_int_equal(r.err.id, ERR_HTTP_TLS);
            r.closes = 0;
            hang_up(&r);
        }
    }
    upgrade(&r);
    char head[WEBSOCKET_HEAD_MAX];
    AUTO_FREE char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    server_send(&r, head, websocket_head(SIZE, head));
    server_send(&r, text, SIZE);
    SPIN_UNTIL(&r, r.longest == SIZE);
    assert_int_equal(websocket_client_send(r.ws, str_n(text, 200000), NULL), 0);
    buf_release(&r.heard);
    buf_init(&r.heard, 300000);
    SPIN_UNTIL(&r, serve(&r) && r.heard.len == 200001);
    hang_up(&r);
    SPIN_UNTIL(&r, r.closes == 1);
    assert_int_equal(r.err.id, ERR_WEBSOCKET_LOST);
    rig_teardown(&r);
    web_tls_free(tls);
}

UNIT_GROUP(websocket_client, cmocka_unit_test(messages_go_both_ways),
           cmocka_unit_test(a_ping_is_answered_and_measured),
           cmocka_unit_test(bytes_may_come_one_by_one),
           cmocka_unit_test(a_wrong_answer_has_its_reason),
           cmocka_unit_test(a_wrong_frame_ends_the_connection),
           cmocka_unit_test(a_reset_connection_is_lost), cmocka_unit_test(silence_ends_in_time),
           cmocka_unit_test(pongs_keep_a_quiet_connection),
           cmocka_unit_test(age_is_limited_and_announced),
           cmocka_unit_test(a_server_that_does_not_read_is_left),
           cmocka_unit_test(pings_that_are_not_read_back_are_limited),
           cmocka_unit_test(one_message_may_be_too_much),
           cmocka_unit_test(an_end_after_many_bytes_is_reported_once),
           cmocka_unit_test(what_the_kernel_does_not_take_is_sent_later),
           cmocka_unit_test(callbacks_may_close_and_free),
           cmocka_unit_test(urls_and_ports_that_cannot_be_used),
           cmocka_unit_test(a_port_without_an_answer_is_left_in_time),
           cmocka_unit_test(a_proxy_is_asked_for_a_tunnel),
           cmocka_unit_test(a_large_message_arrives_if_it_may),
           cmocka_unit_test(tls_is_checked_and_carries_messages))
