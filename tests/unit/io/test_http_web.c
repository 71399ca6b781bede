#include "fakes/form.h"
#include "io/http.h"
#include "io/web.h"
#include "scratch.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The client against our own server, and against servers that misbehave. */

enum { CASE_LIMIT_US = 20 * 1000000 };

struct desk {
    struct loop *loop;
    struct http *http;
    struct web *web;
    char url[128];

    /* The last response. */
    int answers;
    enum http_outcome outcome;
    int status;
    int err_id;
    char context[256];
    char body[256];
    size_t body_len;
    int64_t retry_after_s;
    char type[64];
};

static void on_answer(const struct http_response *r, void *userdata)
{
    struct desk *d = userdata;
    d->answers++;
    d->outcome = r->outcome;
    d->status = r->status;
    d->err_id = r->err.id;
    (void)str_copy(str_c(r->err.context), d->context, sizeof(d->context));
    (void)str_copy(r->body, d->body, sizeof(d->body));
    d->body_len = r->body.len;
    d->retry_after_s = http_retry_after_s(r);
    (void)str_copy(str_c(http_header(r, "content-type")), d->type, sizeof(d->type));
}

/* State of the test server. */
struct server {
    pthread_mutex_t mutex;
    struct web_request *held;
    int requests;
};

static struct server server = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void echo(struct web_request *r)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    buf_addf(&out, "%.*s %.*s q=%.*s%s h=%.*s body=%.*s", STR_ARG(web_method(r)),
             STR_ARG(web_path(r)), STR_ARG(web_query(r, "q")), web_has_query(r, "none") ? "!" : "",
             STR_ARG(web_header(r, "x-test")), STR_ARG(web_body(r)));
    const char *const headers[] = {"Retry-After: 7", "X-Other:  spaced ", NULL};
    web_answer(r, &(struct web_answer){.status = 200,
                                       .content_type = "text/x-echo",
                                       .headers = headers,
                                       .body = buf_str(&out)});
}

static void form(struct web_request *r)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    struct str file = form_value(r, "document");
    buf_addf(&out, "chat=%.*s file=%.*s size=%zu last=%c", STR_ARG(form_value(r, "chat_id")),
             STR_ARG(form_filename(r, "document")), file.len,
             file.len > 0 ? file.ptr[file.len - 1] : '-');
    web_answer(r, &(struct web_answer){.status = 200, .body = buf_str(&out)});
}

static void whoami(struct web_request *r)
{
    AUTO_BUF struct buf out = BUF_INIT(256);
    buf_addf(&out, "uid=%lld remote=%.*s", (long long)web_peer_uid(r), STR_ARG(web_remote(r)));
    web_answer_json(r, 200, buf_str(&out));
}

static void large(struct web_request *r)
{
    AUTO_BUF struct buf out = BUF_INIT((size_t)11 << 20);
    while (out.len < (size_t)10 << 20) {
        buf_add_c(&out, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n");
    }
    web_answer(r, &(struct web_answer){.status = 200, .body = buf_str(&out)});
}

static void hold(struct web_request *r)
{
    web_hold(r);
    (void)pthread_mutex_lock(&server.mutex);
    assert_null(server.held);
    server.held = r;
    (void)pthread_mutex_unlock(&server.mutex);
}

static struct web_request *take_held(void)
{
    (void)pthread_mutex_lock(&server.mutex);
    struct web_request *r = TAKE(server.held);
    (void)pthread_mutex_unlock(&server.mutex);
    return r;
}

static void hold_and_answer_at_once(struct web_request *r)
{
    web_hold(r);
    web_answer_c(r, 200, "quick");
}

static struct web_content *kept;

static void add_a_header(struct web_request *r)
{
    web_add_header(r, "Retry-After: 9");
    if (str_equal_c(web_query(r, "as"), "kept")) {
        web_answer_content(r, kept);
    } else if (str_equal_c(web_query(r, "as"), "held")) {
        hold_and_answer_at_once(r);
    } else {
        web_answer_c(r, 200, "own");
    }
}

static void give_kept(struct web_request *r)
{
    web_answer_content(r, kept);
}

static void serve(struct web_request *r, void *userdata)
{
    (void)userdata;
    (void)__atomic_fetch_add(&server.requests, 1, __ATOMIC_RELAXED);
    static const struct {
        const char *path;
        void (*fn)(struct web_request *);
    } routes[] = {{"/echo", echo},          {"/form", form},
                  {"/whoami", whoami},      {"/large", large},
                  {"/hold", hold},          {"/quick", hold_and_answer_at_once},
                  {"/added", add_a_header}, {"/kept", give_kept}};
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (str_equal_c(web_path(r), routes[i].path)) {
            routes[i].fn(r);
            return;
        }
    }
    /* "/nothing": a handler that neither answers nor holds. */
    if (!str_equal_c(web_path(r), "/nothing")) {
        const char *const headers[] = {"Location: /echo", NULL};
        web_answer(r, &(struct web_answer){.status = 302, .headers = headers, .body = str_c("x")});
    }
}

static void desk_open(struct desk *d, const struct web_options *options)
{
    *d = (struct desk){0};
    struct err err = {0};
    (void)unsetenv("http_proxy");
    (void)unsetenv("HTTP_PROXY");
    (void)unsetenv("ALL_PROXY");
    (void)unsetenv("all_proxy");
    __atomic_store_n(&server.requests, 0, __ATOMIC_RELAXED);
    d->loop = loop_new(&err);
    d->http = http_new(d->loop, &err);
    assert_non_null(d->http);
    if (options != NULL && web_start(options, &d->web, &err) < 0) {
        fail_msg("%s", err.context);
    }
    if (d->web != NULL) {
        (void)snprintf(d->url, sizeof(d->url), "http://127.0.0.1:%u", (unsigned)web_port(d->web));
    }
}

static void desk_close(struct desk *d)
{
    http_free(d->http);
    web_stop(d->web);
    loop_free(d->loop);
}

/* Runs the loop until the next response. */
static void wait_answer(struct desk *d)
{
    int before = d->answers;
    int64_t start_us = clock_mono_us(clock_real());
    while (d->answers == before) {
        (void)loop_iterate(d->loop, 100 * USEC_PER_MSEC);
        if (clock_mono_us(clock_real()) - start_us > CASE_LIMIT_US) {
            fail_msg("no answer");
        }
    }
}

/* Runs the loop until the server holds a request, and returns it. */
static struct web_request *wait_held(struct desk *d)
{
    struct web_request *r = NULL;
    int64_t start_us = clock_mono_us(clock_real());
    while ((r = take_held()) == NULL) {
        (void)loop_iterate(d->loop, 2 * USEC_PER_MSEC);
        if (clock_mono_us(clock_real()) - start_us > CASE_LIMIT_US) {
            fail_msg("no request");
        }
    }
    return r;
}

static struct http_call *send_to(struct desk *d, const char *path, struct http_request request)
{
    AUTO_BUF struct buf url = BUF_INIT(512);
    buf_addf(&url, "%s%s", d->url, path);
    request.url = url.data;
    struct err err = {0};
    struct http_call *call = http_send(d->http, &request, on_answer, d, &err);
    if (call == NULL) {
        fail_msg("%s", err.context);
    }
    return call;
}

static void send_and_wait(struct desk *d, const char *path, struct http_request request)
{
    (void)send_to(d, path, request);
    wait_answer(d);
}

static const struct web_options plain = {.handler = serve, .limits = {.max_body_bytes = 100000}};

static void requests_and_responses_are_complete(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    const char *const headers[] = {"X-Test: yes", NULL};
    (void)send_to(&d, "/echo?&q=a%20b%26&&x&", /* empty parts count for nothing */
                  (struct http_request){.headers = headers,
                                        .body = STR_LIT("{}"),
                                        .content_type = "application/json"});
    assert_int_equal(d.answers, 0); /* never inside http_send */
    assert_int_equal(http_pending(d.http), 1);
    wait_answer(&d);
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.err_id, ERR_NONE);
    assert_int_equal(d.status, 200);
    assert_string_equal(d.body, "POST /echo q=a b& h=yes body={}");
    assert_string_equal(d.type, "text/x-echo");
    assert_int_equal(d.retry_after_s, 7);
    assert_int_equal(http_pending(d.http), 0);
    send_and_wait(&d, "/echo", (struct http_request){.method = "DELETE"});
    assert_string_equal(d.body, "DELETE /echo q= h= body=");
    send_and_wait(&d, "/echo", (struct http_request){.method = "HEAD"});
    assert_int_equal(d.status, 200);
    assert_string_equal(d.body, "");
    send_and_wait(&d, "/nothing", (struct http_request){0});
    assert_int_equal(d.status, 500);
    desk_close(&d);
}

static void a_multipart_form_arrives_whole(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    AUTO_BUF struct buf file = BUF_INIT(60000);
    for (int i = 0; i < 59999; i++) {
        buf_add_char(&file, (char)(i % 256));
    }
    buf_add_char(&file, 'Z');
    const struct http_part parts[] = {
        {.name = "chat_id", .body = STR_LIT("42")},
        {.name = "document", .filename = "log.txt", .body = buf_str(&file)}};
    send_and_wait(&d, "/form", (struct http_request){.parts = parts, .part_count = 2});
    assert_string_equal(d.body, "chat=42 file=log.txt size=60000 last=Z");
    desk_close(&d);
}

static void redirect_is_not_followed(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    send_and_wait(&d, "/moved", (struct http_request){0});
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.status, 302);
    assert_int_equal(__atomic_load_n(&server.requests, __ATOMIC_RELAXED), 1);
    desk_close(&d);
}

static void large_answer_is_cut_off(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    send_and_wait(&d, "/large", (struct http_request){.max_body_bytes = 1 << 20});
    assert_int_equal(d.outcome, HTTP_TOO_LARGE);
    assert_int_equal(d.err_id, ERR_HTTP_TOO_LARGE);
    assert_int_equal(d.status, 200);
    assert_int_equal(d.body_len, 0);
    send_and_wait(&d, "/large", (struct http_request){.max_body_bytes = (size_t)11 << 20});
    assert_int_equal(d.outcome, HTTP_OK);
    assert_true(d.body_len >= (size_t)10 << 20);
    desk_close(&d);
}

static void an_answer_can_go_to_a_file(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    AUTO_FD int fd = open(scratch_path(&s, "body"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct desk d;
    struct stat st;
    desk_open(&d, &plain);
    send_and_wait(&d, "/large",
                  (struct http_request){.max_body_bytes = (size_t)11 << 20, .body_fd = fd});
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.body_len, 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_size >= 10 << 20);
    assert_int_equal(ftruncate(fd, 0), 0);
    send_and_wait(&d, "/large", (struct http_request){.max_body_bytes = 1 << 20, .body_fd = fd});
    assert_int_equal(d.outcome, HTTP_TOO_LARGE);
    send_and_wait(&d, "/large",
                  (struct http_request){.max_body_bytes = (size_t)11 << 20, .body_fd = full});
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    assert_int_equal(d.err_id, ERR_FILE_NO_SPACE);
    desk_close(&d);
}

static void large_request_is_refused_without_the_handler(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    AUTO_BUF struct buf body = BUF_INIT(200000);
    for (int i = 0; i < 150000; i++) {
        buf_add_char(&body, 'x');
    }
    send_and_wait(&d, "/echo", (struct http_request){.body = buf_str(&body)});
    assert_int_equal(d.outcome, HTTP_OK);
    assert_int_equal(d.status, 413);
    assert_int_equal(__atomic_load_n(&server.requests, __ATOMIC_RELAXED), 0);
    desk_close(&d);
}

static void a_unix_socket_has_the_uid_of_its_peer(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "api.sock");
    struct web_options options = plain;
    options.unix_path = path;
    struct desk d;
    desk_open(&d, &options);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(web_port(d.web), 0);
    (void)str_copy(str_c("http://localhost"), d.url, sizeof(d.url));
    send_and_wait(&d, "/whoami", (struct http_request){.unix_path = path});
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "uid=%u remote=unix", (unsigned)geteuid());
    assert_string_equal(d.body, expected);
    assert_string_equal(d.type, "application/json");
    /* A second server cannot take the path of a running one. */
    struct web *second = NULL;
    struct err err = {0};
    assert_int_equal(web_start(&options, &second, &err), -ERR_WEB_LISTEN);
    desk_close(&d);
    assert_int_equal(stat(path, &st), -1);
    /* It replaces the socket of a killed one. */
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct {
        sa_family_t family;
        char path[108];
    } address = {.family = AF_UNIX};
    (void)str_copy(str_c(path), address.path, sizeof(address.path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
    assert_int_equal(web_start(&options, &second, &err), 0);
    web_stop(second);
}

static void tcp_has_no_peer_uid_and_excludes_a_second_server(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    send_and_wait(&d, "/whoami", (struct http_request){0});
    assert_non_null(strstr(d.body, "uid=-1 remote=127.0.0.1:"));
    struct web *second = NULL;
    struct err err = {0};
    struct web_options taken = plain;
    taken.port = web_port(d.web);
    assert_int_equal(web_start(&taken, &second, &err), -ERR_WEB_LISTEN);
    desk_close(&d);
}

static void held_request_is_answered_later(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    (void)send_to(&d, "/hold?q=kept", (struct http_request){0});
    struct web_request *r = wait_held(&d);
    assert_int_equal(d.answers, 0);
    assert_true(str_equal_c(web_query(r, "q"), "kept"));
    web_answer_c(r, 201, "late");
    wait_answer(&d);
    assert_int_equal(d.status, 201);
    assert_string_equal(d.body, "late");
    for (int i = 0; i < 50; i++) { /* answered before the handler returns */
        send_and_wait(&d, "/quick", (struct http_request){0});
        assert_string_equal(d.body, "quick");
    }
    desk_close(&d);
}

static void an_added_header_is_in_every_kind_of_answer(void **state)
{
    (void)state;
    struct desk d;
    static const char *const kinds[][2] = {{"own", "own"}, {"kept", "same"}, {"held", "quick"}};
    desk_open(&d, &plain);
    kept = web_content_new(&(struct web_answer){
        .status = 200, .content_type = "text/x-kept", .body = STR_LIT("same")});
    for (size_t i = 0; i < 3; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/added?as=%s", kinds[i][0]);
        send_and_wait(&d, path, (struct http_request){0});
        assert_string_equal(d.body, kinds[i][1]);
        assert_int_equal(d.retry_after_s, 9);
    }
    send_and_wait(&d, "/kept", (struct http_request){0});
    assert_string_equal(d.body, "same");
    assert_string_equal(d.type, "text/x-kept");
    assert_int_not_equal(d.retry_after_s, 9);
    desk_close(&d);
    web_content_free(kept);
}

static void a_held_request_stays_valid_without_client_and_server(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    struct http_call *call = send_to(&d, "/hold?q=1", (struct http_request){0});
    struct web_request *abandoned = wait_held(&d);
    http_cancel(call);
    http_free(d.http); /* closes the connection */
    d.http = http_new(d.loop, NULL);
    web_answer_c(abandoned, 200, "to nobody");

    (void)send_to(&d, "/hold?q=2", (struct http_request){0});
    struct web_request *orphan = wait_held(&d);
    web_stop(TAKE(d.web));
    wait_answer(&d); /* 503 or a closed connection */
    assert_true(d.outcome == HTTP_UNKNOWN || d.status == 503);
    assert_true(str_equal_c(web_query(orphan, "q"), "2"));
    web_answer_c(orphan, 200, "to nobody");
    desk_close(&d);
}

static void cancelled_call_never_answers(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    struct http_call *call = send_to(&d, "/echo", (struct http_request){0});
    http_cancel(call);
    assert_int_equal(http_pending(d.http), 0);
    for (int i = 0; i < 10; i++) {
        (void)loop_iterate(d.loop, 2 * USEC_PER_MSEC);
    }
    assert_int_equal(d.answers, 0);
    desk_close(&d);
}

struct chain {
    struct desk *desk;
    int left;
};

static void send_next(const struct http_response *response, void *userdata)
{
    struct chain *chain = userdata;
    assert_int_equal(response->outcome, HTTP_OK);
    if (--chain->left > 0) {
        AUTO_BUF struct buf url = BUF_INIT(256);
        buf_addf(&url, "%s/echo", chain->desk->url);
        (void)http_send(chain->desk->http, &(struct http_request){.url = url.data}, send_next,
                        chain, NULL);
    } else {
        http_free(TAKE(chain->desk->http)); /* from inside its own callback */
        chain->desk->answers++;
    }
}

static void callback_may_send_again_and_free_the_client(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    struct chain chain = {.desk = &d, .left = 20};
    AUTO_BUF struct buf url = BUF_INIT(256);
    buf_addf(&url, "%s/echo", d.url);
    (void)http_send(d.http, &(struct http_request){.url = url.data}, send_next, &chain, NULL);
    wait_answer(&d);
    assert_int_equal(chain.left, 0);
    assert_int_equal(__atomic_load_n(&server.requests, __ATOMIC_RELAXED), 20);
    desk_close(&d);
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
static int listen_on_loopback(struct desk *d)
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

static void rogue_open(struct rogue *r, struct desk *d)
{
    r->listen_fd = listen_on_loopback(d);
    assert_int_equal(pthread_create(&r->thread, NULL, rogue_run, r), 0);
}

static void rogue_case(struct desk *d, struct rogue r, int64_t timeout_ms)
{
    desk_open(d, NULL);
    r.answer_len = r.answer == NULL ? 0 : strlen(r.answer);
    rogue_open(&r, d);
    send_and_wait(d, "/bot123456:SECRET/getMe?offset=SECRET",
                  (struct http_request){.timeout_ms = timeout_ms, .body = STR_LIT("x=1")});
    desk_close(d);
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
    struct desk d;
    desk_open(&d, NULL);
    struct closing_server f = {.listen_fd = listen_on_loopback(&d)};
    assert_int_equal(pthread_create(&f.thread, NULL, closing_server_run, &f), 0);
    send_and_wait(&d, "/send",
                  (struct http_request){.timeout_ms = 5000, .body = STR_LIT("order=1")});
    assert_int_equal(d.outcome, HTTP_OK);
    send_and_wait(&d, "/send",
                  (struct http_request){.timeout_ms = 5000, .body = STR_LIT("order=1")});
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    desk_close(&d);
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
        struct desk d;
        desk_open(&d, NULL);
        struct closing_server f = {.listen_fd = listen_on_loopback(&d)};
        assert_int_equal(pthread_create(&f.thread, NULL, closing_server_run, &f), 0);
        struct http_request request = {
            .timeout_ms = 5000, .once = cases[i].once, .body = str_c(cases[i].body)};
        send_and_wait(&d, "/read", request);
        assert_int_equal(d.outcome, HTTP_OK);
        send_and_wait(&d, "/read", request);
        assert_int_equal(d.outcome, HTTP_UNKNOWN);
        desk_close(&d);
        (void)shutdown(f.listen_fd, SHUT_RDWR);
        (void)pthread_join(f.thread, NULL);
        (void)close(f.listen_fd);
        assert_int_equal(f.repeated > 0, !cases[i].once);
    }
}

static void the_error_page_of_a_proxy_is_a_response(void **state)
{
    (void)state;
    struct desk d;
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
    struct desk d;
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
    struct desk d;
    rogue_case(&d, (struct rogue){.read_first = true}, 5000);
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    assert_int_equal(d.err_id, ERR_HTTP_LOST);
    assert_int_equal(d.status, 0);
}

static void a_server_that_does_not_speak_http(void **state)
{
    (void)state;
    struct desk d;
    rogue_case(&d, (struct rogue){.read_first = true, .answer = "SSH-2.0-OpenSSH_9.2\r\n"}, 5000);
    assert_int_equal(d.outcome, HTTP_UNKNOWN);
    assert_int_equal(d.err_id, ERR_HTTP_GARBLED);
}

static void deadline_ends_a_silent_server(void **state)
{
    (void)state;
    struct desk d;
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
    struct desk d;
    desk_open(&d, &plain);
    web_stop(TAKE(d.web)); /* the port is free again */
    send_and_wait(&d, "/echo", (struct http_request){.body = STR_LIT("x")});
    assert_int_equal(d.outcome, HTTP_NOT_SENT);
    assert_int_equal(d.err_id, ERR_HTTP_CONNECT);
    desk_close(&d);
}

static void tls_to_a_plain_server_is_not_sent(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    (void)snprintf(d.url, sizeof(d.url), "https://127.0.0.1:%u", (unsigned)web_port(d.web));
    send_and_wait(&d, "/echo", (struct http_request){.body = STR_LIT("x")});
    assert_int_equal(d.outcome, HTTP_NOT_SENT);
    assert_true(d.err_id == ERR_HTTP_NOT_TLS || d.err_id == ERR_HTTP_TLS); /* or it hangs up */
    desk_close(&d);
    struct rogue r = {.read_first = true, .answer = "HTTP/1.1 400 Bad Request\r\n\r\n"};
    r.answer_len = strlen(r.answer);
    desk_open(&d, NULL);
    rogue_open(&r, &d);
    memmove(d.url + 5, d.url + 4, strlen(d.url + 4) + 1); /* http: becomes https: */
    d.url[4] = 's';
    send_and_wait(&d, "/", (struct http_request){.timeout_ms = 5000});
    assert_int_equal(d.outcome, HTTP_NOT_SENT);
    assert_int_equal(d.err_id, ERR_HTTP_NOT_TLS);
    desk_close(&d);
    (void)pthread_join(r.thread, NULL);
    (void)close(r.listen_fd);
}

/* A listening socket that nobody serves: the kernel accepts the connection. */
static void a_handshake_that_hangs_has_its_own_words(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, NULL);
    int fd = listen_on_loopback(&d);
    memmove(d.url + 5, d.url + 4, strlen(d.url + 4) + 1); /* http: becomes https: */
    d.url[4] = 's';
    send_and_wait(&d, "/", (struct http_request){.timeout_ms = 200});
    assert_int_equal(d.outcome, HTTP_NOT_SENT);
    assert_int_equal(d.err_id, ERR_HTTP_HANDSHAKE);
    (void)close(fd);
    desk_close(&d);
}

/* On a connection that is used again, libcurl forgets one of two timeouts that are less than a
 * millisecond apart in nearly each case, and would wait for ever. */
static void two_deadlines_close_together_are_kept(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d, &plain);
    for (int i = 0; i < 5; i++) {
        send_and_wait(&d, "/echo", (struct http_request){0});
        assert_int_equal(d.outcome, HTTP_OK);
        send_and_wait(&d, "/hold",
                      (struct http_request){.timeout_ms = 101, .connect_timeout_ms = 100});
        assert_int_equal(d.outcome, HTTP_UNKNOWN);
        assert_int_equal(d.err_id, ERR_HTTP_TIMEOUT);
        web_answer_c(take_held(), 200, "late");
    }
    desk_close(&d);
}

static void headers_that_are_too_large_have_their_own_words(void **state)
{
    (void)state;
    static const size_t header_sizes[] = {1000, 200000}; /* many, or one */
    for (size_t i = 0; i < COUNT_OF(header_sizes); i++) {
        struct desk d;
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
    struct desk d;
    desk_open(&d, NULL);
    const char *const bad[] = {"file:///etc/passwd",   "ftp://host/",   "http://",
                               "http://ho st/",        "example.com/",  "",
                               "http://host/\r\nX: y", "gopher://host/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        assert_null(http_send(d.http, &(struct http_request){.url = bad[i]}, on_answer, &d, &err));
        assert_int_equal(err.id, ERR_HTTP_URL);
    }
    const char *const headers[] = {"X-Test: a\r\nX-Forged: b", NULL};
    struct err err = {0};
    assert_null(http_send(d.http,
                          &(struct http_request){.url = "http://127.0.0.1/", .headers = headers},
                          on_answer, &d, &err));
    assert_int_equal(err.id, ERR_HTTP_URL);
    assert_int_equal(http_pending(d.http), 0);
    desk_close(&d);
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

UNIT_GROUP(http_web, cmocka_unit_test(an_added_header_is_in_every_kind_of_answer),
           cmocka_unit_test(requests_and_responses_are_complete),
           cmocka_unit_test(a_multipart_form_arrives_whole),
           cmocka_unit_test(redirect_is_not_followed), cmocka_unit_test(large_answer_is_cut_off),
           cmocka_unit_test(an_answer_can_go_to_a_file),
           cmocka_unit_test(large_request_is_refused_without_the_handler),
           cmocka_unit_test(a_unix_socket_has_the_uid_of_its_peer),
           cmocka_unit_test(tcp_has_no_peer_uid_and_excludes_a_second_server),
           cmocka_unit_test(held_request_is_answered_later),
           cmocka_unit_test(a_held_request_stays_valid_without_client_and_server),
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
