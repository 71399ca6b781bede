#include "../../../src/io/web_tls.h"
#include "base/check.h"
#include "io/http_line.h"
#include "io/secret.h"
#include "scratch.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The server is the test itself, between two rounds of the client's loop. */

#define PATIENCE_US (20 * USEC_PER_SEC)

struct rig {
    struct loop *loop;
    struct http *http;
    struct http_meter meter;
    struct http_line *line;
    int listen_fd;
    int port;
    int fd;                   /* of the server; -1: no connection yet */
    struct web_tls_conn *tls; /* NULL: plain */
    struct buf heard;
    char url[128];
    int answers;
    enum http_outcome outcome;
    int status;
    char body[256];
    size_t body_len;
    char kind[64]; /* content-type */
    struct err err;
    bool free_inside, send_inside;
};

static void rig_setup(struct rig *r, const char *scheme_and_host, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    memset(r, 0, sizeof(*r));
    r->fd = -1;
    assert_int_equal(secret_init(NULL), 0);
    assert_non_null(r->loop = loop_new(NULL));
    assert_non_null(r->http = http_new(r->loop, NULL));
    histogram_init(&r->meter.took, 1000);
    http_measure(r->http, &r->meter);
    buf_init(&r->heard, (size_t)1 << 20);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(r->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(r->listen_fd, 4), 0);
    assert_int_equal(getsockname(r->listen_fd, (struct sockaddr *)&address, &size), 0);
    r->port = ntohs(address.sin_port);
    (void)snprintf(r->url, sizeof(r->url), "%s:%d%s", scheme_and_host, r->port, path);
}

static void hang_up(struct rig *r)
{
    web_tls_conn_free(TAKE(r->tls));
    if (r->fd >= 0) {
        (void)close(TAKE_FD(r->fd));
    }
    buf_clear(&r->heard);
}

static void rig_teardown(struct rig *r)
{
    http_line_free(r->line);
    hang_up(r);
    (void)(r->listen_fd >= 0 && close(r->listen_fd));
    http_free(r->http);
    loop_free(r->loop);
    buf_release(&r->heard);
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

static bool accepted(struct rig *r)
{
    r->fd = r->fd >= 0 ? r->fd : accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return r->fd >= 0;
}

static bool hears(struct rig *r, const char *end)
{
    char bytes[65536];
    ssize_t n = r->tls != NULL ? web_tls_read(r->tls, bytes, sizeof(bytes))
                               : recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    buf_add(&r->heard, bytes, n > 0 ? (size_t)n : 0);
    return strstr(r->heard.data, end) != NULL;
}

static void says(const struct rig *r, const char *bytes)
{
    struct iovec all = {.iov_base = (char *)bytes, .iov_len = strlen(bytes)};
    ssize_t n = r->tls != NULL ? web_tls_send(r->tls, &all, 1)
                               : send(r->fd, all.iov_base, all.iov_len, MSG_NOSIGNAL);
    assert_int_equal(n, all.iov_len);
}

static bool ask(struct rig *r, const char *target, struct http_request request);

static void on_answer(const struct http_response *response, void *userdata)
{
    struct rig *r = userdata;
    r->answers++;
    r->outcome = response->outcome;
    r->status = response->status;
    r->err = response->err;
    r->body_len = response->body.len;
    str_cut(response->body, r->body, sizeof(r->body));
    const char *kind = http_header(response, "content-type");
    (void)str_copy(str_c(kind != NULL ? kind : ""), r->kind, sizeof(r->kind));
    assert_int_equal(r->err.id == ERR_NONE, r->outcome == HTTP_OK);
    assert_lacks(r->err.context, "hidden");
    if (r->send_inside) {
        r->send_inside = false;
        assert_true(ask(r, "/again", (struct http_request){.method = "GET"}));
    } else if (r->free_inside) {
        http_line_free(TAKE(r->line));
    }
}

static bool ask(struct rig *r, const char *target, struct http_request request)
{
    char url[512];
    (void)snprintf(url, sizeof(url), "%s%s", r->url, target);
    request.url = url;
    return http_line_send(r->line, &request, on_answer, r);
}

static void rehearse(struct rig *r, const char *target)
{
    char url[512];
    (void)snprintf(url, sizeof(url), "%s%s", r->url, target);
    http_line_rehearse(r->line, &(struct http_request){.method = "POST", .url = url});
}

static void line_open(struct rig *r, const char *ca_file)
{
    assert_non_null(r->line = http_line_new(r->http, r->url, ca_file));
    SPIN_UNTIL(r, accepted(r) && http_line_is_free(r->line));
}

static void an_order_is_one_request_on_an_open_connection(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r, "http://127.0.0.1", "/base");
    assert_non_null(r.line = http_line_new(r.http, r.url, NULL));
    assert_false(ask(&r, "/early", (struct http_request){.method = "GET"}));
    SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    static const char *const headers[] = {"X-Key: hidden", NULL};
    AUTO_BUF struct buf expected = BUF_INIT(512);
    for (int i = 0; i < 3; i++) {
        assert_true(ask(&r, "/order?signature=hidden",
                        (struct http_request){.headers = headers,
                                              .body = STR_LIT("{\"a\":1}"),
                                              .content_type = "application/json"}));
        assert_false(ask(&r, "/second", (struct http_request){.method = "GET"}));
        assert_true(hears(&r, "{\"a\":1}")); /* on the socket, without a turn of the loop */
        buf_clear(&expected);
        buf_addf(&expected,
                 "POST /base/order?signature=hidden HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                 "User-Agent: nightdesk/" NIGHTDESK_VERSION "\r\nAccept: */*\r\nX-Key: hidden\r\n"
                 "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
                 r.port);
        assert_string_equal(r.heard.data, expected.data);
        assert_int_equal(r.answers, i);
        buf_clear(&r.heard);
        says(&r, "HTTP/1.1 200 OK\r\nContent-TYPE:  text/x \r\nContent-Length: 2\r\n\r\nok");
        SPIN_UNTIL(&r, r.answers == i + 1);
        assert_int_equal(r.outcome, HTTP_OK);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "ok");
        assert_string_equal(r.kind, "text/x");
    }
    struct histogram_view view;
    histogram_read(&r.meter.took, &view);
    assert_int_equal(view.total, 3);
    assert_int_equal(atomic_load(&r.meter.failed), 0);
    rig_teardown(&r);
}

/* All that is not for it: not a byte is sent. */
static void other_requests_are_not_taken(void **state)
{
    (void)state;
    static const char *const broken[] = {"X: 1\r\nY: 2", NULL};
    static const struct http_part part = {.name = "a"};
    struct rig r;
    rig_setup(&r, "http://127.0.0.1", "");
    line_open(&r, NULL);
    const struct http_request requests[] = {
        {.method = "HEAD"},       {.method = "GET /\r\nX: "}, {.headers = broken},
        {.content_type = "a\nb"}, {.parts = &part},           {.unix_path = "/run/x"},
        {.certificate = true},    {.connect_only = true},     {.body_fd = r.listen_fd},
    };
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        assert_false(ask(&r, "/x", requests[i]));
    }
    static const char *const targets[] = {"", "x", "/a b", "/a\r\nX: 1", "/a#b", "/a\x7F"};
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        assert_false(ask(&r, targets[i], (struct http_request){.method = "GET"}));
    }
    struct http_request other = {.url = "http://127.0.0.1:1/x"};
    assert_false(http_line_send(r.line, &other, on_answer, &r));
    assert_true(http_line_is_free(r.line));
    assert_true(ask(&r, "/good", (struct http_request){.method = "DELETE"}));
    assert_true(hears(&r, "\r\n\r\n"));
    assert_memory_equal(r.heard.data, "DELETE /good HTTP/1.1\r\n", 23);
    assert_has(r.heard.data, "\r\nContent-Length: 0\r\n");
    static const char *const urls[] = {"ftp://h",    "http://",       "http://u:p@h",
                                       "http://h#f", "https://h?q=1", "h"};
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        assert_null(http_line_new(r.http, urls[i], NULL));
    }
    rig_teardown(&r);
}

static const struct {
    const char *answer;
    enum err_id id; /* ERR_NONE: whole */
    int status;
    const char *text; /* the body, or part of the reason */
    bool ends;        /* the server ends the connection after it */
    bool kept;        /* the connection is used on */
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole", ERR_NONE, 200, "whole", false, true},
    {"HTTP/1.1 429\r\nContent-Length: 0\r\nRetry-After: 3\r\n\r\n", ERR_NONE, 429, "", false, true},
    {"HTTP/1.1 204 No Content\r\n\r\n", ERR_NONE, 204, "", false, true},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
     "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno",
     ERR_NONE, 400, "no", false, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n4;x=1\r\ndefg\r\n0\r\nT: "
     "1\r\n\r\n",
     ERR_NONE, 200, "abcdefg", false, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nok", ERR_NONE, 200, "ok",
     false, true},
    {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok", ERR_NONE, 200, "ok",
     false, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ERR_NONE, 200, "ok", false, false},
    {"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", ERR_NONE, 502, "<html>", true, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", ERR_NONE, 200, "ok",
     false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"orderId\":1", ERR_HTTP_LOST, 200,
     "before the answer was whole", true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ERR_HTTP_LOST, 200,
     "before the answer was whole", true, false},
    {"", ERR_HTTP_LOST, 0, "before the answer was whole", true, false},
    {"HTTP/1.1 200 OK\r\nContent-", ERR_HTTP_LOST, 0, "before the answer was whole", true, false},
    {"SSH-2.0-OpenSSH_9.2\r\n", ERR_HTTP_GARBLED, 0, "not HTTP", false, false},
    {"HTTP/2 200\r\n\r\n", ERR_HTTP_GARBLED, 0, "not HTTP", false, false},
    {"HTTP/1.1 OK\r\n\r\n", ERR_HTTP_GARBLED, 0, "status line", false, false},
    {"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", ERR_HTTP_GARBLED, 0, "status line", false,
     false},
    {"HTTP/1.1 101 Switching\r\n\r\n", ERR_HTTP_GARBLED, 0, "changes the protocol", false, false},
    {"HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n", ERR_HTTP_GARBLED, 200, "malformed", false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", ERR_HTTP_GARBLED, 200,
     "Content-Length", false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ERR_HTTP_GARBLED, 200, "Content-Length",
     false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", ERR_HTTP_GARBLED, 200,
     "Content-Length", false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     ERR_HTTP_GARBLED, 200, "chunks", false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ERR_HTTP_GARBLED, 200,
     "Transfer-Encoding", false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ERR_HTTP_GARBLED, 200, "chunk",
     false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", ERR_HTTP_TOO_LARGE, 200,
     "limit is 100 bytes", false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\na", ERR_HTTP_TOO_LARGE, 200,
     "limit is 100 bytes", false, false},
};

static void check_answer(struct rig *r, size_t i)
{
    static const enum http_outcome outcomes[] = {HTTP_OK, HTTP_UNKNOWN};
    bool whole = answers[i].id == ERR_NONE;
    if (r->err.id != (int)answers[i].id || r->status != answers[i].status) {
        fail_msg("row %zu: %s, status %d", i, r->err.context, r->status);
    }
    assert_int_equal(r->outcome, answers[i].id == ERR_HTTP_TOO_LARGE ? HTTP_TOO_LARGE
                                                                     : outcomes[whole ? 0 : 1]);
    if (whole) {
        assert_string_equal(r->body, answers[i].text);
    } else {
        assert_has(r->err.context, answers[i].text);
        assert_int_equal(r->body_len, 0);
    }
    assert_int_equal(http_line_is_free(r->line), answers[i].kept);
}

/* at_once: in one piece, or else byte by byte. */
static void each_answer(bool at_once)
{
    struct rig r;
    rig_setup(&r, "http://127.0.0.1", "");
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        line_open(&r, NULL);
        assert_true(ask(&r, "/x?key=hidden",
                        (struct http_request){.method = "GET", .max_body_bytes = 100}));
        SPIN_UNTIL(&r, hears(&r, "\r\n\r\n"));
        if (at_once) {
            says(&r, answers[i].answer);
        }
        for (const char *c = answers[i].answer; !at_once && *c != '\0' && r.answers == 0; c++) {
            char one[] = {*c, '\0'};
            says(&r, one);
            (void)turn(&r);
        }
        if (answers[i].ends) {
            hang_up(&r);
        }
        SPIN_UNTIL(&r, r.answers == 1);
        r.answers = 0;
        if (at_once) {
            check_answer(&r, i);
        } else { /* what is too much may not have come yet */
            assert_int_equal(r.err.id, answers[i].id);
        }
        http_line_free(TAKE(r.line));
        hang_up(&r);
    }
    rig_teardown(&r);
}

static void each_answer_is_read_as_it_should(void **state)
{
    (void)state;
    each_answer(true);
    each_answer(false);
}

static void silence_is_an_unknown_outcome(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r, "http://127.0.0.1", "");
    line_open(&r, NULL);
    int64_t from_us = now_us(&r);
    assert_true(
        ask(&r, "/x?key=hidden", (struct http_request){.body = STR_LIT("a"), .timeout_ms = 150}));
    SPIN_UNTIL(&r, r.answers == 1);
    assert_in_range(now_us(&r) - from_us, 150 * USEC_PER_MSEC, PATIENCE_US);
    assert_int_equal(r.outcome, HTTP_UNKNOWN);
    assert_int_equal(r.err.id, ERR_HTTP_TIMEOUT);
    assert_has(r.err.context, "/x?key=***");
    assert_int_equal(atomic_load(&r.meter.failed), 1);
    assert_false(http_line_is_free(r.line)); /* an answer that comes late is nobody's */
    hang_up(&r);
    SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    assert_int_equal(r.answers, 1);
    rig_teardown(&r);
}

/* Without a turn of the loop in between it finds out by itself, before a byte is lost. */
static void nothing_is_sent_on_a_connection_that_has_ended(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r, "http://127.0.0.1", "");
    line_open(&r, NULL);
    hang_up(&r);
    assert_true(http_line_is_free(r.line));
    assert_false(ask(&r, "/x", (struct http_request){.method = "GET"}));
    assert_false(http_line_is_free(r.line));
    SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));             /* it is opened again */
    says(&r, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"); /* to nothing */
    assert_false(ask(&r, "/x", (struct http_request){.method = "GET"}));
    hang_up(&r);
    SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    hang_up(&r); /* and when one is expected */
    rehearse(&r, "/rehearsed");
    assert_false(http_line_is_free(r.line));
    SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    rehearse(&r, "/rehearsed"); /* and is not sent */
    assert_true(http_line_is_free(r.line));
    assert_true(ask(&r, "/y", (struct http_request){.method = "GET"}));
    SPIN_UNTIL(&r, hears(&r, "GET /y "));
    assert_lacks(r.heard.data, "rehearsed");
    says(&r, "HTTP/1.1 204 No Content\r\n\r\n");
    SPIN_UNTIL(&r, r.answers == 1);
    hang_up(&r); /* and the same, when the loop sees it first */
    SPIN_UNTIL(&r, !http_line_is_free(r.line));
    SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    assert_true(ask(&r, "/x", (struct http_request){.method = "GET"}));
    SPIN_UNTIL(&r, hears(&r, "GET /x "));
    assert_int_equal(r.answers, 1);
    rig_teardown(&r);
}

/* A server that ends idle connections at once is not asked again and again. */
static void pauses_grow_while_it_is_of_no_use(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r, "http://127.0.0.1", "");
    line_open(&r, NULL);
    int64_t from_us = now_us(&r);
    for (int i = 0; i < 3; i++) { /* 0.2, 0.4 and 0.8 s */
        hang_up(&r);
        SPIN_UNTIL(&r, !http_line_is_free(r.line));
        SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    }
    assert_in_range(now_us(&r) - from_us, 1400 * USEC_PER_MSEC, PATIENCE_US);
    from_us = now_us(&r);
    for (int i = 0; i < 10; i++) { /* and at once after an answer, since it was of use */
        assert_true(ask(&r, "/x", (struct http_request){.method = "GET"}));
        says(&r, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        SPIN_UNTIL(&r, r.answers == i + 1);
        hang_up(&r);
        SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    }
    assert_in_range(now_us(&r) - from_us, 0, 1500 * USEC_PER_MSEC); /* pauses are 2 s */
    rig_teardown(&r);
}

static void count_other(const struct http_response *response, void *userdata)
{
    *(int *)userdata += response->outcome == HTTP_OK ? 1 : -1;
}

static int listen_apart(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* libcurl looks through its connections when another transfer begins, once a second at most, and
 * closes those that have ended: that of the line must not be among them. */
static void another_transfer_leaves_its_socket_alone(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct rig r;
    char url[64], bytes[1024];
    int others = 0, port = 0, listen_fd = listen_apart(&port);
    rig_setup(&r, "http://127.0.0.1", "");
    line_open(&r, NULL);
    for (int64_t until_us = now_us(&r) + 1200 * USEC_PER_MSEC; now_us(&r) < until_us;) {
        (void)turn(&r);
    }
    hang_up(&r);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/other", port);
    const struct http_request request = {.url = url, .timeout_ms = 5000};
    assert_non_null(http_send(r.http, &request, count_other, &others, NULL));
    http_flush(r.http); /* before the loop hears of the end */
    assert_false(ask(&r, "/order", (struct http_request){.method = "GET"}));
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    SPIN_UNTIL(&r, recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
    SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    assert_int_equal(send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL), sizeof(answer) - 1);
    SPIN_UNTIL(&r, others != 0);
    assert_int_equal(others, 1); /* not its time-out */
    (void)close(fd);
    (void)close(listen_fd);
    rig_teardown(&r);
}

static void it_says_why_it_is_not_open(void **state)
{
    (void)state;
    struct rig r;
    struct err why = {0};
    rig_setup(&r, "http://127.0.0.1", "");
    (void)close(TAKE_FD(r.listen_fd));
    assert_non_null(r.line = http_line_new(r.http, r.url, NULL));
    assert_false(http_line_is_broken(r.line, &why)); /* it is being opened */
    SPIN_UNTIL(&r, http_line_is_broken(r.line, &why));
    assert_int_equal(why.id, ERR_HTTP_CONNECT);
    rig_teardown(&r);
}

/* The kernel takes little of what the client sends. */
static void line_open_narrow(struct rig *r)
{
    static const int small = 4096;
    int found = 0;
    assert_int_equal(setsockopt(r->listen_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    line_open(r, NULL);
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in address = {0};
        socklen_t size = sizeof(address);
        if (getpeername(fd, (struct sockaddr *)&address, &size) == 0 &&
            address.sin_family == AF_INET && ntohs(address.sin_port) == r->port) {
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
            found++;
        }
    }
    assert_int_equal(found, 1);
}

static void what_the_kernel_does_not_take_is_sent_later(void **state)
{
    (void)state;
    enum { SIZE = 16000 };
    AUTO_FREE char *body = malloc(SIZE);
    struct rig r;
    assert_non_null(body);
    memset(body, 'x', SIZE);
    body[SIZE - 1] = '!';
    rig_setup(&r, "http://127.0.0.1", "");
    line_open_narrow(&r);
    assert_true(ask(&r, "/x", (struct http_request){.body = str_n(body, SIZE)}));
    SPIN_UNTIL(&r, hears(&r, "!"));
    assert_int_equal(r.heard.len - (size_t)(strstr(r.heard.data, "\r\n\r\n") + 4 - r.heard.data),
                     SIZE);
    says(&r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    SPIN_UNTIL(&r, r.answers == 1);
    assert_int_equal(r.outcome, HTTP_OK);
    /* An answer before the request is whole: the rest of it is not the next request. */
    assert_true(ask(&r, "/x", (struct http_request){.body = str_n(body, SIZE)}));
    says(&r, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    SPIN_UNTIL(&r, r.answers == 2);
    assert_int_equal(r.status, 413);
    assert_false(http_line_is_free(r.line));
    /* A break in the middle. */
    hang_up(&r);
    SPIN_UNTIL(&r, accepted(&r) && http_line_is_free(r.line));
    assert_true(ask(&r, "/x", (struct http_request){.body = str_n(body, SIZE)}));
    hang_up(&r);
    SPIN_UNTIL(&r, r.answers == 3);
    assert_int_equal(r.outcome, HTTP_UNKNOWN);
    assert_int_equal(r.err.id, ERR_HTTP_LOST);
    rig_teardown(&r);
}

static void callbacks_may_send_and_free(void **state)
{
    (void)state;
    struct rig r;
    rig_setup(&r, "http://127.0.0.1", "");
    line_open(&r, NULL);
    r.send_inside = true;
    assert_true(ask(&r, "/first", (struct http_request){.method = "GET"}));
    says(&r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    SPIN_UNTIL(&r, r.answers == 1);
    SPIN_UNTIL(&r, hears(&r, "GET /again "));
    r.free_inside = true;
    says(&r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    SPIN_UNTIL(&r, r.answers == 2);
    assert_null(r.line);
    hang_up(&r);
    line_open(&r, NULL);
    assert_true(ask(&r, "/last", (struct http_request){.method = "GET"}));
    http_line_free(TAKE(r.line)); /* with a request under way, whose callback does not run */
    for (int i = 0; i < 20; i++) {
        (void)turn(&r);
    }
    assert_int_equal(r.answers, 2);
    assert_int_equal(http_pending(r.http), 0);
    rig_teardown(&r);
}

static void a_certificate_is_checked(void **state)
{
    (void)state;
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
    rig_setup(&r, "https://localhost", "");
    assert_int_equal(web_tls_new(scratch_path(&s, "cert"), scratch_path(&s, "key"), &tls, NULL), 0);
    for (int trusted = 0; trusted < 2; trusted++) {
        assert_non_null(
            r.line = http_line_new(r.http, r.url, trusted == 0 ? NULL : scratch_path(&s, "cert")));
        SPIN_UNTIL(&r, accepted(&r));
        r.tls = web_tls_accept(tls, r.fd);
        int rc = 0;
        SPIN_UNTIL(&r,
                   (rc = web_tls_handshake(r.tls)) != 0 && (rc < 0 || http_line_is_free(r.line)));
        assert_int_equal(rc == 1, trusted);
        if (trusted == 0) {
            assert_false(ask(&r, "/x?key=hidden", (struct http_request){.method = "GET"}));
            http_line_free(TAKE(r.line));
            hang_up(&r);
        }
    }
    assert_true(ask(&r, "/x", (struct http_request){.body = STR_LIT("order")}));
    SPIN_UNTIL(&r, hears(&r, "\r\n\r\norder"));
    says(&r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    SPIN_UNTIL(&r, r.answers == 1);
    assert_string_equal(r.body, "ok");
    assert_true(http_line_is_free(r.line));
    rig_teardown(&r);
    web_tls_free(tls);
}

UNIT_GROUP(http_line, cmocka_unit_test(an_order_is_one_request_on_an_open_connection),
           cmocka_unit_test(other_requests_are_not_taken),
           cmocka_unit_test(each_answer_is_read_as_it_should),
           cmocka_unit_test(silence_is_an_unknown_outcome),
           cmocka_unit_test(nothing_is_sent_on_a_connection_that_has_ended),
           cmocka_unit_test(pauses_grow_while_it_is_of_no_use),
           cmocka_unit_test(another_transfer_leaves_its_socket_alone),
           cmocka_unit_test(it_says_why_it_is_not_open),
           cmocka_unit_test(what_the_kernel_does_not_take_is_sent_later),
           cmocka_unit_test(callbacks_may_send_and_free),
           cmocka_unit_test(a_certificate_is_checked))
