/* The client: against our own server, and against servers that misbehave. */
#include "base/check.h"
#include "http_rig.h"
#include "scratch.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void requests_and_responses_are_complete(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    const char *const headers[] = {"X-Test: yes", NULL};
    (void)http_rig_send(&d, "/echo?&q=a%20b%26&&x&", /* empty parts count for nothing */
                        (struct http_request){.headers = headers,
                                              .body = STR_LIT("{}"),
                                              .content_type = "application/json"});
    assert_int_equal(d.answers, 0); /* never inside http_send */
    assert_int_equal(http_pending(d.http), 1);
    http_rig_wait(&d);
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.err_id, ERR_NONE);
    assert_int_equal(d.status, 200);
    assert_string_equal(d.body, "POST /echo q=a b& h=yes body={}");
    assert_string_equal(d.type, "text/x-echo");
    assert_int_equal(d.retry_after_s, 7);
    assert_int_equal(http_pending(d.http), 0);
    http_rig_call(&d, "/echo", (struct http_request){.method = "DELETE"});
    assert_string_equal(d.body, "DELETE /echo q= h= body=");
    http_rig_call(&d, "/echo", (struct http_request){.method = "HEAD"});
    assert_int_equal(d.status, 200);
    assert_string_equal(d.body, "");
    http_rig_call(&d, "/nothing", (struct http_request){0});
    assert_int_equal(d.status, 500);
    http_rig_close(&d);
}

static void a_multipart_form_arrives_whole(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    AUTO_BUF struct buf file = BUF_INIT(60000);
    for (int i = 0; i < 59999; i++) {
        buf_add_char(&file, (char)(i % 256));
    }
    buf_add_char(&file, 'Z');
    const struct http_part parts[] = {
        {.name = "chat_id", .body = STR_LIT("42")},
        {.name = "document", .filename = "log.txt", .body = buf_str(&file)}};
    http_rig_call(&d, "/form", (struct http_request){.parts = parts, .part_count = 2});
    assert_string_equal(d.body, "chat=42 file=log.txt size=60000 last=Z");
    http_rig_close(&d);
}

static void redirect_is_not_followed(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    http_rig_call(&d, "/moved", (struct http_request){0});
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.status, 302);
    assert_int_equal(http_rig_requests(), 1);
    http_rig_close(&d);
}

static void large_answer_is_cut_off(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    http_rig_call(&d, "/large", (struct http_request){.max_body_bytes = 1 << 20});
    assert_int_equal(d.outcome, HTTP_TOO_LARGE);
    assert_int_equal(d.err_id, ERR_HTTP_TOO_LARGE);
    assert_int_equal(d.status, 200);
    assert_int_equal(d.body_len, 0);
    http_rig_call(&d, "/large", (struct http_request){.max_body_bytes = (size_t)11 << 20});
    assert_int_equal(d.outcome, HTTP_OK);
    assert_true(d.body_len >= (size_t)10 << 20);
    http_rig_close(&d);
}

static void an_answer_can_go_to_a_file(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    AUTO_FD int fd = open(scratch_path(&s, "body"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct http_rig d;
    struct stat st;
    http_rig_open(&d, &http_rig_plain);
    http_rig_call(&d, "/large",
                  (struct http_request){.max_body_bytes = (size_t)11 << 20, .body_fd = fd});
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.body_len, 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_size >= 10 << 20);
    assert_int_equal(ftruncate(fd, 0), 0);
    http_rig_call(&d, "/large", (struct http_request){.max_body_bytes = 1 << 20, .body_fd = fd});
    assert_int_equal(d.outcome, HTTP_TOO_LARGE);
    http_rig_call(&d, "/large",
                  (struct http_request){.max_body_bytes = (size_t)11 << 20, .body_fd = full});
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    assert_int_equal(d.err_id, ERR_FILE_NO_SPACE);
    http_rig_close(&d);
}

static void cancelled_call_never_answers(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    struct http_call *call = http_rig_send(&d, "/echo", (struct http_request){0});
    http_cancel(call);
    assert_int_equal(http_pending(d.http), 0);
    for (int i = 0; i < 10; i++) {
        (void)loop_iterate(d.loop, 2 * USEC_PER_MSEC);
    }
    assert_int_equal(d.answers, 0);
    http_rig_close(&d);
}

struct chain {
    struct http_rig *rig;
    int left;
};

static void send_next(const struct http_response *response, void *userdata)
{
    struct chain *chain = userdata;
    assert_int_equal(response->outcome, HTTP_OK);
    if (--chain->left > 0) {
        AUTO_BUF struct buf url = BUF_INIT(256);
        buf_addf(&url, "%s/echo", chain->rig->url);
        (void)http_send(chain->rig->http, &(struct http_request){.url = url.data}, send_next, chain,
                        NULL);
    } else {
        http_free(TAKE(chain->rig->http)); /* from inside its own callback */
        chain->rig->answers++;
    }
}

static void callback_may_send_again_and_free_the_client(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    struct chain chain = {.rig = &d, .left = 20};
    AUTO_BUF struct buf url = BUF_INIT(256);
    buf_addf(&url, "%s/echo", d.url);
    (void)http_send(d.http, &(struct http_request){.url = url.data}, send_next, &chain, NULL);
    http_rig_wait(&d);
    assert_int_equal(chain.left, 0);
    assert_int_equal(http_rig_requests(), 20);
    http_rig_close(&d);
}

/* ------------------------------------------------------------------ servers that misbehave */

struct rogue {
    int listen_fd;
    const char *answer; /* NULL: sends nothing */
    size_t answer_len;
    bool read_first; /* the request, before answering */
    bool linger;     /* keeps the connection open until the client closes it */
    pthread_t thread;
};

static void *rogue_run(void *userdata)
{
    struct rogue *r = userdata;
    int fd = accept(r->listen_fd, NULL, NULL);
    char request[4096];
    if (fd < 0) {
        return NULL;
    }
    if (r->read_first) {
        (void)!read(fd, request, sizeof(request));
    }
    if (r->answer != NULL) {
        (void)!send(fd, r->answer, r->answer_len, MSG_NOSIGNAL);
    }
    while (r->linger && read(fd, request, sizeof(request)) > 0) {}
    (void)close(fd);
    return NULL;
}

/* Opens a listening socket and sets d->url to it. */
static int listen_on_loopback(struct http_rig *d)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(d->url, sizeof(d->url), "http://127.0.0.1:%u",
                   (unsigned)ntohs(address.sin_port));
    return fd;
}

static void rogue_open(struct rogue *r, struct http_rig *d)
{
    r->listen_fd = listen_on_loopback(d);
    assert_int_equal(pthread_create(&r->thread, NULL, rogue_run, r), 0);
}

static void rogue_case(struct http_rig *d, struct rogue r, int64_t timeout_ms)
{
    http_rig_open(d, NULL);
    r.answer_len = r.answer == NULL ? 0 : strlen(r.answer);
    rogue_open(&r, d);
    http_rig_call(d, "/bot123456:SECRET/getMe?offset=SECRET",
                  (struct http_request){.timeout_ms = timeout_ms, .body = STR_LIT("x=1")});
    http_rig_close(d);
    (void)shutdown(r.listen_fd, SHUT_RDWR);
    (void)pthread_join(r.thread, NULL);
    (void)close(r.listen_fd);
    assert_null(strstr(d->context, "SECRET"));
    if (d->err_id != ERR_NONE) {
        assert_non_null(strstr(d->context, "/bot***/getMe?offset=***"));
    }
}

/* Answers one request on a keep-alive connection, reads the next one and closes without a response,
 * as a restarting proxy does. Counts the requests on later connections. */
struct closing_server {
    int listen_fd;
    int repeated; /* requests on further connections */
    pthread_t thread;
};

static void *closing_server_run(void *userdata)
{
    struct closing_server *f = userdata;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    char request[4096];
    int fd = accept(f->listen_fd, NULL, NULL);
    /* The body may come after the headers, so each request is read up to its known end. */
    for (int i = 0; i < 2; i++) {
        size_t got = 0;
        do {
            ssize_t n = read(fd, request + got, sizeof(request) - 1 - got);
            got += n > 0 ? (size_t)n : 0;
            request[got] = '\0';
            if (n <= 0) {
                break;
            }
        } while (strstr(request, "order=1") == NULL && strncmp(request, "GET", 3) != 0);
        if (i == 0) {
            (void)!write(fd, answer, sizeof(answer) - 1);
        }
    }
    (void)close(fd);
    while ((fd = accept(f->listen_fd, NULL, NULL)) >= 0) {
        f->repeated += read(fd, request, sizeof(request)) > 0;
        (void)close(fd);
    }
    return NULL;
}

static void libcurl_does_not_resend_a_post(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, NULL);
    struct closing_server f = {.listen_fd = listen_on_loopback(&d)};
    assert_int_equal(pthread_create(&f.thread, NULL, closing_server_run, &f), 0);
    http_rig_call(&d, "/send",
                  (struct http_request){.timeout_ms = 5000, .body = STR_LIT("order=1")});
    assert_int_equal(d.outcome, HTTP_OK);
    http_rig_call(&d, "/send",
                  (struct http_request){.timeout_ms = 5000, .body = STR_LIT("order=1")});
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    http_rig_close(&d);
    (void)shutdown(f.listen_fd, SHUT_RDWR);
    (void)pthread_join(f.thread, NULL);
    (void)close(f.listen_fd);
    assert_int_equal(f.repeated, 0);
}

/* What has no body it resends, unless the request may be sent once; a body that goes in one piece
 * with its headers it could rewind. */
static void a_signed_request_is_sent_once(void **state)
{
    (void)state;
    static const struct {
        bool once;
        const char *body;
    } cases[] = {{false, ""}, {true, ""}, {true, "order=1"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_rig d;
        http_rig_open(&d, NULL);
        struct closing_server f = {.listen_fd = listen_on_loopback(&d)};
        assert_int_equal(pthread_create(&f.thread, NULL, closing_server_run, &f), 0);
        struct http_request request = {
            .timeout_ms = 5000, .once = cases[i].once, .body = str_c(cases[i].body)};
        http_rig_call(&d, "/read", request);
        assert_int_equal(d.outcome, HTTP_OK);
        http_rig_call(&d, "/read", request);
        assert_int_equal(d.outcome, HTTP_UNKNOWN);
        http_rig_close(&d);
        (void)shutdown(f.listen_fd, SHUT_RDWR);
        (void)pthread_join(f.thread, NULL);
        (void)close(f.listen_fd);
        assert_int_equal(f.repeated > 0, !cases[i].once);
    }
}

static void the_error_page_of_a_proxy_is_a_response(void **state)
{
    (void)state;
    struct http_rig d;
    rogue_case(&d,
               (struct rogue){.read_first = true,
                              .answer = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"
                                        "Content-Length: 13\r\n\r\n<html></html>"},
               5000);
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.status, 502);
    assert_string_equal(d.type, "text/html");
    assert_string_equal(d.body, "<html></html>");
}

static void truncated_body_is_unknown(void **state)
{
    (void)state;
    struct http_rig d;
    rogue_case(&d,
               (struct rogue){.read_first = true,
                              .answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":"},
               5000);
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    assert_int_equal(d.err_id, ERR_HTTP_LOST);
    assert_int_equal(d.body_len, 0);
    rogue_case(&d,
               (struct rogue){.read_first = true,
                              .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                        "5\r\n{\"ok\""},
               5000);
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
}

static void closed_connection_is_unknown(void **state)
{
    (void)state;
    struct http_rig d;
    rogue_case(&d, (struct rogue){.read_first = true}, 5000);
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    assert_int_equal(d.err_id, ERR_HTTP_LOST);
    assert_int_equal(d.status, 0);
}

static void a_server_that_does_not_speak_http(void **state)
{
    (void)state;
    struct http_rig d;
    rogue_case(&d, (struct rogue){.read_first = true, .answer = "SSH-2.0-OpenSSH_9.2\r\n"}, 5000);
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    assert_int_equal(d.err_id, ERR_HTTP_GARBLED);
}

static void deadline_ends_a_silent_server(void **state)
{
    (void)state;
    struct http_rig d;
    int64_t start_us = clock_mono_us(clock_real());
    rogue_case(&d, (struct rogue){.read_first = true, .linger = true}, 150);
    int64_t took_us = clock_mono_us(clock_real()) - start_us;
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    assert_int_equal(d.err_id, ERR_HTTP_TIMEOUT);
    assert_true(took_us >= 140 * USEC_PER_MSEC);
    /* So does one that sends slowly. */
    rogue_case(&d,
               (struct rogue){.read_first = true,
                              .linger = true,
                              .answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"},
               150);
    assert_int_equal(d.err_id, ERR_HTTP_TIMEOUT);
}

static void a_refused_connection_is_not_sent(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    web_stop(TAKE(d.web)); /* the port is free again */
    http_rig_call(&d, "/echo", (struct http_request){.body = STR_LIT("x")});
    assert_int_equal(d.outcome, HTTP_NOT_SENT);
    assert_int_equal(d.err_id, ERR_HTTP_CONNECT);
    http_rig_close(&d);
}

static void tls_to_a_plain_server_is_not_sent(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    (void)snprintf(d.url, sizeof(d.url), "https://127.0.0.1:%u", (unsigned)web_port(d.web));
    http_rig_call(&d, "/echo", (struct http_request){.body = STR_LIT("x")});
    assert_int_equal(d.outcome, HTTP_NOT_SENT);
    assert_true(d.err_id == ERR_HTTP_NOT_TLS || d.err_id == ERR_HTTP_TLS); /* or it hangs up */
    http_rig_close(&d);
    struct rogue r = {.read_first = true, .answer = "HTTP/1.1 400 Bad Request\r\n\r\n"};
    r.answer_len = strlen(r.answer);
    http_rig_open(&d, NULL);
    rogue_open(&r, &d);
    memmove(d.url + 5, d.url + 4, strlen(d.url + 4) + 1); /* http: becomes https: */
    d.url[4] = 's';
    http_rig_call(&d, "/", (struct http_request){.timeout_ms = 5000});
    assert_int_equal(d.outcome, HTTP_NOT_SENT);
    assert_int_equal(d.err_id, ERR_HTTP_NOT_TLS);
    http_rig_close(&d);
    (void)pthread_join(r.thread, NULL);
    (void)close(r.listen_fd);
}

/* A listening socket that nobody serves: the kernel accepts the connection. */
static void a_handshake_that_hangs_has_its_own_words(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, NULL);
    int fd = listen_on_loopback(&d);
    memmove(d.url + 5, d.url + 4, strlen(d.url + 4) + 1); /* http: becomes https: */
    d.url[4] = 's';
    http_rig_call(&d, "/", (struct http_request){.timeout_ms = 200});
    assert_int_equal(d.outcome, HTTP_NOT_SENT);
    assert_int_equal(d.err_id, ERR_HTTP_HANDSHAKE);
    (void)close(fd);
    http_rig_close(&d);
}

/* On a connection that is used again, libcurl forgets one of two timeouts that are less than a
 * millisecond apart in nearly each case, and would wait for ever. */
static void two_deadlines_close_together_are_kept(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, &http_rig_plain);
    for (int i = 0; i < 5; i++) {
        http_rig_call(&d, "/echo", (struct http_request){0});
        assert_int_equal(d.outcome, HTTP_OK);
        http_rig_call(&d, "/hold",
                      (struct http_request){.timeout_ms = 101, .connect_timeout_ms = 100});
        assert_int_equal(d.outcome, HTTP_UNKNOWN);
        assert_int_equal(d.err_id, ERR_HTTP_TIMEOUT);
        web_answer_c(http_rig_take_held(), 200, "late");
    }
    http_rig_close(&d);
}

static void headers_that_are_too_large_have_their_own_words(void **state)
{
    (void)state;
    static const size_t header_sizes[] = {1000, 200000}; /* many, or one */
    for (size_t i = 0; i < COUNT_OF(header_sizes); i++) {
        struct http_rig d;
        AUTO_BUF struct buf answer = BUF_INIT((size_t)1 << 20);
        buf_add_c(&answer, "HTTP/1.1 200 OK\r\n");
        while (answer.len < 400000) {
            buf_add_c(&answer, "Set-Cookie: ");
            for (size_t n = 0; n < header_sizes[i]; n++) {
                buf_add_char(&answer, 'x');
            }
            buf_add_c(&answer, "\r\n");
        }
        buf_add_c(&answer, "Content-Length: 0\r\n\r\n");
        rogue_case(&d, (struct rogue){.read_first = true, .linger = true, .answer = answer.data},
                   5000);
        assert_int_equal(d.outcome, HTTP_UNKNOWN);
        assert_int_equal(d.err_id, ERR_HTTP_HEADERS);
    }
}

static void ill_formed_requests_are_refused(void **state)
{
    (void)state;
    struct http_rig d;
    http_rig_open(&d, NULL);
    const char *const bad[] = {"file:///etc/passwd",   "ftp://host/",   "http://",
                               "http://ho st/",        "example.com/",  "",
                               "http://host/\r\nX: y", "gopher://host/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        assert_null(
            http_send(d.http, &(struct http_request){.url = bad[i]}, http_rig_on_answer, &d, &err));
        assert_int_equal(err.id, ERR_HTTP_URL);
    }
    const char *const headers[] = {"X-Test: a\r\nX-Forged: b", NULL};
    struct err err = {0};
    assert_null(http_send(d.http,
                          &(struct http_request){.url = "http://127.0.0.1/", .headers = headers},
                          http_rig_on_answer, &d, &err));
    assert_int_equal(err.id, ERR_HTTP_URL);
    assert_int_equal(http_pending(d.http), 0);
    http_rig_close(&d);
}

static void urls_are_redacted(void **state)
{
    (void)state;
    const struct {
        const char *url;
        const char *expected;
    } cases[] = {
        {"https://api.telegram.org/bot12:AA-b/getMe", "https://api.telegram.org/bot***/getMe"},
        {"https://u:p@host:8443/x", "https://host:8443/x"},
        {"https://u:p@q@host/x", "https://host/x"},
        {"http://host/file/bot1:A/doc?x=1&y=2#frag", "http://host/file/bot***/doc?x=***&y=***"},
        {"http://host/x?secret", "http://host/x?***"},
        {"http://host?k=v", "http://host?k=***"},
        {"http://host/robots/bot", "http://host/robots/bot"},
        {"u:p@host/bot1/x", "host/bot***/x"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_BUF struct buf out = BUF_INIT(256);
        http_redact_url(str_c(cases[i].url), &out);
        assert_string_equal(out.data, cases[i].expected);
    }
    AUTO_BUF struct buf text = BUF_INIT(256);
    assert_true(http_redact_text(
        str_c("{\"a\":\"https://h/p?sig=x\",\"b\":\"why?\"} http://h/q http://u@h/r?t=1"), &text));
    assert_string_equal(text.data, "{\"a\":\"https://h/p?sig=***\",\"b\":\"why?\"} http://h/q "
                                   "http://h/r?t=***");
    buf_clear(&text);
    assert_false(http_redact_text(str_c("why? http://h/q"), &text));
    assert_string_equal(text.data, "why? http://h/q");
    AUTO_BUF struct buf out = BUF_INIT(64);
    http_add_encoded(&out, str_c("a b&c/\xc3\xa9~"));
    assert_string_equal(out.data, "a%20b%26c%2F%C3%A9~");
}

UNIT_GROUP(http, cmocka_unit_test(requests_and_responses_are_complete),
           cmocka_unit_test(a_multipart_form_arrives_whole),
           cmocka_unit_test(redirect_is_not_followed), cmocka_unit_test(large_answer_is_cut_off),
           cmocka_unit_test(an_answer_can_go_to_a_file),
           cmocka_unit_test(cancelled_call_never_answers),
           cmocka_unit_test(callback_may_send_again_and_free_the_client),
           cmocka_unit_test(libcurl_does_not_resend_a_post),
           cmocka_unit_test(a_signed_request_is_sent_once),
           cmocka_unit_test(the_error_page_of_a_proxy_is_a_response),
           cmocka_unit_test(truncated_body_is_unknown),
           cmocka_unit_test(closed_connection_is_unknown),
           cmocka_unit_test(a_server_that_does_not_speak_http),
           cmocka_unit_test(deadline_ends_a_silent_server),
           cmocka_unit_test(a_refused_connection_is_not_sent),
           cmocka_unit_test(tls_to_a_plain_server_is_not_sent),
           cmocka_unit_test(a_handshake_that_hangs_has_its_own_words),
           cmocka_unit_test(two_deadlines_close_together_are_kept),
           cmocka_unit_test(headers_that_are_too_large_have_their_own_words),
           cmocka_unit_test(ill_formed_requests_are_refused), cmocka_unit_test(urls_are_redacted))
