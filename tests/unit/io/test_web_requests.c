#include "base/check.h"
#include "base/clock.h"
#include "io/web.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the server accepts and refuses, byte by byte, and how long it waits. */

enum { BODY_MAX = 20000, ANSWER_MAX = 256 * 1024, PATIENCE_MS = 10000 };

struct desk {
    struct web *web;
    struct web_request *_Atomic held;
    atomic_int handled;
    atomic_bool stuck;
    char remote[64];
};

static void on_request(struct web_request *request, void *userdata)
{
    struct desk *d = userdata;
    AUTO_BUF struct buf text = BUF_INIT(1024);
    (void)atomic_fetch_add(&d->handled, 1);
    (void)str_copy(web_remote(request), d->remote, sizeof(d->remote));
    while (atomic_load(&d->stuck)) {
        (void)usleep(1000);
    }
    if (str_equal_c(web_path(request), "/hold")) {
        web_hold(request);
        atomic_store(&d->held, request);
        return;
    }
    buf_addf(&text, "%.*s %.*s %zu.", STR_ARG(web_method(request)), STR_ARG(web_path(request)),
             web_body(request).len);
    web_answer(request, &(struct web_answer){.status = 200, .body = buf_str(&text)});
}

static void problem(const struct err *err, struct buf *body)
{
    buf_addf(body, "{\"error_code\":\"%s\"}", err_info(err->id)->code);
}

static void start(struct desk *d, struct web_options options)
{
    struct err err = {0};
    *d = (struct desk){0};
    options.handler = on_request;
    options.problem = problem;
    options.userdata = d;
    options.limits.max_body_bytes = BODY_MAX;
    if (web_start(&options, &d->web, &err) < 0) {
        fail_msg("%s", err.context);
    }
}

static int dial(const struct desk *d)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(web_port(d->web)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void say(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* refused and closed already */
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static void say_c(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

/* Reads until the text is there or, if it is NULL, until the server closes. */
static const char *hear(int fd, const char *text)
{
    static char answer[ANSWER_MAX];
    size_t len = 0;
    answer[0] = '\0';
    while (text == NULL || strstr(answer, text) == NULL) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, PATIENCE_MS) != 1) {
            fail_msg("no answer but: %s", answer);
        }
        ssize_t n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
        if (n <= 0) {
            if (text != NULL || n < 0) {
                fail_msg("closed (%zd) after: %s", n, answer);
            }
            break;
        }
        len += (size_t)n;
        answer[len] = '\0';
    }
    return answer;
}

#define H                   "Host: localhost\r\n"
#define POST(headers, body) "POST /x HTTP/1.1\r\n" H "Connection: close\r\n" headers "\r\n" body
#define GET(target)         "GET " target " HTTP/1.1\r\n" H "Connection: close\r\n\r\n"
#define HOST(host)          "GET /x HTTP/1.1\r\nConnection: close\r\nHost: " host "\r\n\r\n"

static const struct {
    const char *request;
    int status;
    const char *text; /* in the answer */
} cases[] = {
    {GET("/a%20%C3%A9?b"), 200, "GET /a \xC3\xA9 0."},
    {"\r\n" GET("/x"), 200, "GET /x 0."},
    {"GET /x HTTP/1.0\r\n\r\n", 200, "GET /x 0."},
    {"OPTIONS * HTTP/1.1\r\nConnection: close\r\n" H "\r\n", 200, "OPTIONS * 0."},
    {POST("Content-Length: 5\r\n", "hello"), 200, "POST /x 5."},
    {POST("Transfer-Encoding: Chunked\r\n",
          "3\r\nabc\r\n0a;q=1\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"),
     200, "POST /x 13."},
    {POST("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 200, "POST /x 0."},
    {HOST("LOCALHOST.:8088"), 200, "GET /x"},
    {HOST("[::1]:80"), 200, "GET /x"},
    /* Ambiguous lengths */
    {POST("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, "WEB_FRAMING"},
    {POST("Content-Length: 5, 5\r\n", "hello"), 400, "WEB_FRAMING"},
    {POST("Content-Length: +5\r\n", "hello"), 400, "WEB_FRAMING"},
    {POST("Content-Length: 0x5\r\n", "hello"), 400, "WEB_FRAMING"},
    {POST("Content-Length: \r\n", ""), 400, "WEB_FRAMING"},
    {POST("Content-Length: 99999999999999999999\r\n", ""), 400, "WEB_FRAMING"},
    {POST("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"), 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400,
     "WEB_FRAMING"},
    {"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: chunked\r\n", "3\nabc\n0\n\n"), 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n"), 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: chunked\r\n", "-2\r\nabc\r\n0\r\n\r\n"), 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: chunked\r\n", "2 \r\nab\r\n0\r\n\r\n"), 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: chunked\r\n", "fffffffff\r\n"), 400, "WEB_FRAMING"},
    {POST("Transfer-Encoding: chunked\r\n", "0\r\nT: 1\r\n 2\r\n\r\n"), 400, "WEB_REQUEST"},
    {POST("Transfer-Encoding: chunked\r\n", "ffff\r\n0123"), 413, "WEB_BODY_LONG"},
    {POST("Content-Length: 20001\r\n", ""), 413, "WEB_BODY_LONG"},
    /* Malformed heads */
    {"GET /x HTTP/1.1\n" H "\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n" H "A: b\nC: d\r\n\r\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n" H "A: b\rC: d\r\n\r\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n " H "\r\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n" H "Content-Length : 5\r\n\r\nhello", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n" H "A\r\n\r\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n" H ": b\r\n\r\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n" H "A: \x01\r\n\r\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1\r\n" H "Authorization: a\r\nauthorization: b\r\n\r\n", 400, "WEB_REQUEST"},
    {"GET  /x HTTP/1.1\r\n" H "\r\n", 400, "WEB_REQUEST"},
    {"GET /x  HTTP/1.1\r\n" H "\r\n", 400, "WEB_REQUEST"},
    {"GET /x HTTP/1.1 \r\n" H "\r\n", 400, "WEB_REQUEST"},
    {"GET /x http/1.1\r\n" H "\r\n", 400, "WEB_REQUEST"},
    {"GET /x\r\n", 400, "WEB_REQUEST"},
    {"\x16\x03\x01\x02", 400, "WEB_REQUEST"},
    {"\r\n\r\n" GET("/x"), 400, "WEB_REQUEST"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "WEB_VERSION"},
    {"GET /x HTTP/1.2\r\n" H "\r\n", 505, "WEB_VERSION"},
    {"BREW /x HTTP/1.1\r\n" H "\r\n", 501, "WEB_METHOD"},
    {"get /x HTTP/1.1\r\n" H "\r\n", 501, "WEB_METHOD"},
    {"CONNECT localhost:80 HTTP/1.1\r\n" H "\r\n", 501, "WEB_METHOD"},
    {"TRACE /x HTTP/1.1\r\n" H "\r\n", 501, "WEB_METHOD"},
    {POST("Expect: 200-ok\r\n", ""), 417, "WEB_EXPECT"},
    /* Targets */
    {GET("/%00"), 400, "WEB_TARGET"},
    {GET("/%0a"), 400, "WEB_TARGET"},
    {GET("/%"), 400, "WEB_TARGET"},
    {GET("/%4"), 400, "WEB_TARGET"},
    {GET("/%zz"), 400, "WEB_TARGET"},
    {GET("/%ff"), 400, "WEB_TARGET"},
    {GET("/\xC3\xA9"), 400, "WEB_TARGET"},
    {GET("/a?b=%00"), 400, "WEB_TARGET"},
    {GET("/a?b=%c3%28"), 400, "WEB_TARGET"},
    {GET("/a#b"), 400, "WEB_TARGET"},
    {GET("/a\\b"), 400, "WEB_TARGET"},
    {GET("http://localhost/x"), 400, "WEB_TARGET"},
    {GET("localhost:80"), 400, "WEB_TARGET"},
    {GET("*"), 400, "WEB_TARGET"},
    /* Host and Origin */
    {"GET /x HTTP/1.1\r\n\r\n", 400, "WEB_HOST"},
    {"GET /x HTTP/1.1\r\n" H H "\r\n", 400, "WEB_HOST"},
    {HOST(""), 400, "WEB_HOST"},
    {HOST("user@localhost"), 400, "WEB_HOST"},
    {HOST("localhost:"), 400, "WEB_HOST"},
    {HOST("localhost:0"), 400, "WEB_HOST"},
    {HOST("localhost:65536"), 400, "WEB_HOST"},
    {HOST("localhost:80@evil.example"), 400, "WEB_HOST"},
    {HOST("[::1"), 400, "WEB_HOST"},
    {HOST("[::1]evil"), 400, "WEB_HOST"},
    {HOST("a, b"), 400, "WEB_HOST"},
    {POST("Origin: http://localhost/x\r\n", ""), 400, "WEB_HOST"},
    {POST("Origin: http://a@localhost\r\n", ""), 400, "WEB_HOST"},
    {POST("Origin: localhost\r\n", ""), 400, "WEB_HOST"},
    {POST("Origin: http://localhost\r\nOrigin: http://localhost\r\n", ""), 400, "WEB_HOST"},
    {POST("Origin: null\r\n", ""), 200, "POST /x 0."},
};

static void check_answer(const char *request, const char *answer, int status, const char *text)
{
    char line[16];
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    if (strncmp(answer, line, strlen(line)) != 0 || strstr(answer, text) == NULL ||
        strstr(answer, "Connection: close\r\n") == NULL || strstr(answer + 1, "HTTP/1.1") != NULL) {
        fail_msg("%s\nis not answered with %d %s but with\n%s", request, status, text, answer);
    }
    assert_true(status == 200 ||
                strstr(answer, "Content-Type: application/problem+json\r\n") != NULL);
}

static void each_shape_has_its_answer(void **state)
{
    (void)state;
    struct desk d;
    start(&d, (struct web_options){0});
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *request = cases[i].request;
        for (size_t step = 1; step <= 4096; step *= 64) { /* byte by byte, and at once */
            int fd = dial(&d);
            for (size_t at = 0; at < strlen(request); at += step) {
                size_t left = strlen(request) - at;
                say(fd, request + at, left < step ? left : step);
            }
            check_answer(request, hear(fd, NULL), cases[i].status, cases[i].text);
            (void)close(fd);
        }
    }
    web_stop(d.web);
}

static void long_heads_are_refused(void **state)
{
    (void)state;
    struct desk d;
    AUTO_BUF struct buf text = BUF_INIT(100000);
    start(&d, (struct web_options){0});
    int fd = dial(&d);
    buf_add_c(&text, "GET /");
    while (text.len < 9000) {
        buf_add_c(&text, "aaaaaaaaaa");
    }
    say(fd, text.data, text.len);
    check_answer("a long target", hear(fd, NULL), 414, "WEB_TARGET_LONG");
    (void)close(fd);
    buf_clear(&text);
    buf_add_c(&text, "GET / HTTP/1.1\r\n" H "X: ");
    while (text.len < 70000) {
        buf_add_c(&text, "aaaaaaaaaa");
    }
    fd = dial(&d);
    say(fd, text.data, text.len);
    check_answer("a long header", hear(fd, NULL), 431, "WEB_HEAD_LONG");
    (void)close(fd);
    buf_clear(&text);
    buf_add_c(&text, "GET / HTTP/1.1\r\n" H);
    for (int i = 0; i < 64; i++) {
        buf_addf(&text, "X%d: 1\r\n", i);
    }
    fd = dial(&d);
    say(fd, text.data, text.len);
    check_answer("many headers", hear(fd, NULL), 431, "WEB_HEAD_LONG");
    (void)close(fd);
    assert_int_equal(atomic_load(&d.handled), 0);
    web_stop(d.web);
}

static void a_client_that_still_sends_can_read_the_refusal(void **state)
{
    (void)state;
    struct desk d;
    static char block[1 << 16];
    start(&d, (struct web_options){0});
    int fd = dial(&d);
    say_c(fd, "POST /x HTTP/1.1\r\n" H "Content-Length: 10485760\r\n\r\n");
    for (int i = 0; i < 160; i++) {
        assert_int_equal(send(fd, block, sizeof(block), MSG_NOSIGNAL), sizeof(block));
    }
    check_answer("10 MiB", hear(fd, NULL), 413, "WEB_BODY_LONG");
    (void)close(fd);
    web_stop(d.web);
}

static void requests_of_one_connection_are_answered_in_their_order(void **state)
{
    (void)state;
    struct desk d;
    AUTO_BUF struct buf text = BUF_INIT(100000);
    start(&d, (struct web_options){0});
    int fd = dial(&d);
    for (int i = 0; i < 200; i++) {
        buf_addf(&text, "POST /%d HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab", i);
    }
    say(fd, text.data, text.len);
    const char *at = hear(fd, "POST /199 2.");
    for (int i = 0; i < 200; i++) {
        char wanted[32];
        (void)snprintf(wanted, sizeof(wanted), "POST /%d 2.", i);
        at = strstr(at, wanted);
        assert_non_null(at);
    }
    /* One that is held holds up those behind it. */
    say_c(fd, "GET /hold HTTP/1.1\r\n" H "\r\nGET /next HTTP/1.1\r\n" H "\r\n");
    while (atomic_load(&d.held) == NULL) {
        (void)usleep(1000);
    }
    (void)usleep(20000);
    assert_int_equal(atomic_load(&d.handled), 201);
    web_answer_c(atomic_exchange(&d.held, NULL), 200, "held");
    const char *answer = hear(fd, "GET /next 0.");
    assert_true(strstr(answer, "held") < strstr(answer, "GET /next 0."));
    (void)close(fd);
    web_stop(d.web);
}

static void head_has_no_body_and_100_is_said_when_asked_for(void **state)
{
    (void)state;
    struct desk d;
    start(&d, (struct web_options){0});
    int fd = dial(&d);
    say_c(fd, "HEAD /x HTTP/1.1\r\n" H "\r\nGET /y HTTP/1.1\r\n" H "\r\n");
    const char *answer = hear(fd, "GET /y 0.");
    assert_non_null(strstr(answer, "Content-Length: 10\r\n"));
    assert_null(strstr(answer, "HEAD /x"));
    say_c(fd, "POST /z HTTP/1.1\r\n" H "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_string_equal(hear(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    say_c(fd, "abc");
    (void)hear(fd, "POST /z 3.");
    /* A body that would be refused is not asked for. */
    say_c(fd, "POST /z HTTP/1.1\r\n" H "Content-Length: 30000\r\nExpect: 100-continue\r\n\r\n");
    check_answer("too long", hear(fd, NULL), 413, "WEB_BODY_LONG");
    (void)close(fd);
    web_stop(d.web);
}

#define MS USEC_PER_MSEC

static int64_t now_us(void)
{
    return clock_mono_us(clock_real());
}

static void silent_and_dripping_clients_are_closed(void **state)
{
    (void)state;
    struct desk d;
    start(&d, (struct web_options){.limits = {.head_timeout_us = 200 * MS,
                                              .body_timeout_us = 200 * MS,
                                              .idle_timeout_us = 200 * MS}});
    int64_t start_us = now_us();
    int silent = dial(&d), idle = dial(&d), body = dial(&d), drip = dial(&d);
    say_c(idle, "GET /x HTTP/1.1\r\n" H "\r\n");
    (void)hear(idle, "GET /x 0.");
    say_c(body, "POST /x HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc");
    for (const char *c = "GET /x HTTP/1.1\r\nHost: localhost\r\nX: y"; *c != '\0'; c++) {
        say(drip, c, 1);
        (void)usleep(10000);
    }
    check_answer("drip", hear(drip, NULL), 408, "WEB_SLOW");
    assert_string_equal(hear(silent, NULL), "");
    assert_string_equal(hear(idle, NULL), "");
    check_answer("a part of a body", hear(body, NULL), 408, "WEB_SLOW");
    assert_true(now_us() - start_us < 3000 * MS);
    (void)close(silent);
    (void)close(idle);
    (void)close(body);
    (void)close(drip);
    web_stop(d.web);
}

static void a_client_that_ends_within_a_request_is_answered(void **state)
{
    (void)state;
    struct desk d;
    start(&d, (struct web_options){0});
    int fd = dial(&d);
    say_c(fd, "GET /x HTTP/1.1\r\nHo");
    (void)shutdown(fd, SHUT_WR);
    check_answer("half a head", hear(fd, NULL), 400, "WEB_REQUEST");
    (void)close(fd);
    fd = dial(&d); /* half-closed behind a whole one */
    say_c(fd, "GET /x HTTP/1.1\r\n" H "\r\n");
    (void)shutdown(fd, SHUT_WR);
    assert_non_null(strstr(hear(fd, NULL), "GET /x 0."));
    (void)close(fd);
    web_stop(d.web);
}

/* Clients that hold connections without using them keep nobody out. */
static void connections_in_use_are_kept_and_others_make_room(void **state)
{
    (void)state;
    struct desk d;
    enum { MANY = 40 };
    int silent[MANY];
    start(&d, (struct web_options){.limits = {.max_connections = 8}});
    int used = dial(&d);
    say_c(used, "GET /hold HTTP/1.1\r\n" H "\r\n");
    while (atomic_load(&d.held) == NULL) {
        (void)usleep(1000);
    }
    for (int i = 0; i < MANY; i++) {
        silent[i] = dial(&d);
        say(silent[i], "G", i % 2 == 0 ? 0 : 1);
    }
    int fd = dial(&d);
    say_c(fd, GET("/x"));
    check_answer("a request among silent ones", hear(fd, NULL), 200, "GET /x 0.");
    (void)close(fd);
    web_answer_c(atomic_exchange(&d.held, NULL), 200, "kept");
    (void)hear(used, "kept");
    (void)close(used);
    for (int i = 0; i < MANY; i++) {
        (void)close(silent[i]);
    }
    web_stop(d.web);
}

static void when_all_are_in_use_a_new_one_is_told(void **state)
{
    (void)state;
    struct desk d;
    struct web_request *held[2];
    int fds[2];
    start(&d, (struct web_options){.limits = {.max_connections = 4, .max_connections_each = 2}});
    for (int i = 0; i < 2; i++) {
        fds[i] = dial(&d);
        say_c(fds[i], "GET /hold HTTP/1.1\r\n" H "\r\n");
        while ((held[i] = atomic_exchange(&d.held, NULL)) == NULL) {
            (void)usleep(1000);
        }
    }
    int fd = dial(&d);
    const char *answer = hear(fd, NULL);
    check_answer("", answer, 503, "WEB_CONNECTIONS");
    assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
    (void)close(fd);
    for (int i = 0; i < 2; i++) {
        web_answer_c(held[i], 200, "held");
        (void)hear(fds[i], "held");
        (void)close(fds[i]);
    }
    web_stop(d.web);
}

static void a_proxy_is_believed_only_if_it_is_trusted(void **state)
{
    (void)state;
    static const char *const own[] = {"127.0.0.0/8", "10.0.0.0/8", NULL};
    static const char *const other[] = {"192.0.2.1", NULL};
    static const char request[] =
        "GET /x HTTP/1.1\r\nConnection: close\r\n" H "X-Forwarded-For: 6.6.6.6\r\n"
        "X-Forwarded-For: 203.0.113.9, 10.1.2.3\r\n\r\n";
    struct desk d;
    struct web *none = NULL;
    struct err err = {0};
    for (int trusted = 0; trusted < 2; trusted++) {
        start(&d, (struct web_options){.trusted_proxies = trusted ? own : other});
        int fd = dial(&d);
        say_c(fd, request);
        (void)hear(fd, NULL);
        (void)close(fd);
        assert_true(trusted ? strcmp(d.remote, "203.0.113.9:0") == 0
                            : strncmp(d.remote, "127.0.0.1:", 10) == 0);
        web_stop(d.web);
    }
    static const char *const wrong[] = {"10.0.0.0/33", NULL};
    assert_int_equal(
        web_start(&(struct web_options){.trusted_proxies = wrong, .handler = on_request}, &none,
                  &err),
        -ERR_WEB_ADDRESS);
    assert_int_equal(web_start(&(struct web_options){.address = "localhost", .handler = on_request},
                               &none, &err),
                     -ERR_WEB_ADDRESS);
    assert_int_equal(web_start(&(struct web_options){.tls_cert = "/nonexistent/cert.pem",
                                                     .tls_key = "/nonexistent/key.pem",
                                                     .handler = on_request},
                               &none, &err),
                     -ERR_WEB_TLS);
}

static void a_thread_that_hangs_is_noticed(void **state)
{
    (void)state;
    struct desk d;
    start(&d, (struct web_options){0});
    web_poke(d.web);
    for (int i = 0; i < 5000 && web_silent_us(d.web, now_us()) > 0; i++) {
        (void)usleep(1000);
    }
    assert_int_equal(web_silent_us(d.web, now_us()), 0);
    atomic_store(&d.stuck, true);
    int fd = dial(&d);
    say_c(fd, GET("/x"));
    while (atomic_load(&d.handled) == 0) {
        (void)usleep(1000);
    }
    web_poke(d.web);
    (void)usleep(20000);
    web_poke(d.web); /* the first one counts */
    assert_true(web_silent_us(d.web, now_us()) >= 20 * MS);
    atomic_store(&d.stuck, false);
    (void)hear(fd, NULL);
    for (int i = 0; i < 5000 && web_silent_us(d.web, now_us()) > 0; i++) {
        (void)usleep(1000);
    }
    assert_int_equal(web_silent_us(d.web, now_us()), 0);
    (void)close(fd);
    web_stop(d.web);
}

UNIT_GROUP(web_requests, cmocka_unit_test(each_shape_has_its_answer),
           cmocka_unit_test(long_heads_are_refused),
           cmocka_unit_test(a_client_that_still_sends_can_read_the_refusal),
           cmocka_unit_test(requests_of_one_connection_are_answered_in_their_order),
           cmocka_unit_test(head_has_no_body_and_100_is_said_when_asked_for),
           cmocka_unit_test(silent_and_dripping_clients_are_closed),
           cmocka_unit_test(a_client_that_ends_within_a_request_is_answered),
           cmocka_unit_test(connections_in_use_are_kept_and_others_make_room),
           cmocka_unit_test(when_all_are_in_use_a_new_one_is_told),
           cmocka_unit_test(a_proxy_is_believed_only_if_it_is_trusted),
           cmocka_unit_test(a_thread_that_hangs_is_noticed))
