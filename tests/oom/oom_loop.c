/* What runs on the loop: timers, the pool, child processes, names, HTTP in both directions. */
#include "base/clock.h"
#include "fakes/form.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/process.h"
#include "io/resolve.h"
#include "io/secret.h"
#include "io/web.h"
#include "io/websocket.h"
#include "io/websocket_client.h"
#include "oom/oom.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT_US = 5 * 1000000 };

/* Runs the loop until *counter is not zero; false after five seconds. */
static bool run_until(struct loop *loop, const int *counter)
{
    int64_t end_us = clock_mono_us(clock_real()) + LIMIT_US;
    while (*counter == 0 && clock_mono_us(clock_real()) < end_us) {
        (void)loop_iterate(loop, 20000);
    }
    return *counter != 0;
}

static void count(void *userdata)
{
    ++*(int *)userdata;
}

static void count_io(int fd, uint32_t events, void *userdata)
{
    char byte = 0;
    (void)events;
    *(int *)userdata += read(fd, &byte, 1) == 1;
}

/* ---- loop ---- */

static int sources(struct oom *oom, struct err *err)
{
    (void)oom;
    struct loop *loop = loop_new(err);
    if (loop == NULL) {
        return -(int)err->id;
    }
    int timed = 0, deferred = 0, woken = 0, heard = 0, rc = 0;
    int ends[2] = {-1, -1};
    struct loop_source *timer = loop_add_timer(loop, count, &timed);
    struct loop_source *later = loop_add_deferred(loop, count, &deferred);
    struct loop_source *wake = loop_add_wake(loop, count, &woken, err);
    struct loop_source *io = NULL;
    if (wake == NULL) {
        rc = -(int)err->id;
    }
    OOM_CHECK(pipe(ends) == 0);
    if (rc == 0 && (io = loop_add_io(loop, ends[0], EPOLLIN, count_io, &heard, err)) == NULL) {
        rc = -(int)err->id;
    }
    if (rc == 0) {
        loop_timer_in(timer, 1000);
        loop_defer(later);
        loop_wake(wake);
        OOM_CHECK(write(ends[1], "x", 1) == 1);
        OOM_CHECK(run_until(loop, &timed) && run_until(loop, &woken) && run_until(loop, &heard));
        OOM_CHECK(deferred == 1);
    }
    loop_source_free(io);
    loop_source_free(wake);
    loop_source_free(later);
    loop_source_free(timer);
    loop_free(loop);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return rc;
}
OOM_SCENARIO(loop, sources, .run = sources)

/* A loop that is there before, for the scenarios below. */
static int prepare_loop(struct oom *oom, struct err *err)
{
    oom->self = loop_new(err);
    return oom->self == NULL ? -(int)err->id : 0;
}

static void release_loop(struct oom *oom)
{
    loop_free(oom->self);
}

/* ---- pool ---- */

struct sum {
    int a, b, sum;
    int done;
};

static void add(void *data)
{
    struct sum *s = data;
    char *text = NULL; /* a job allocates as well */
    s->sum = asprintf(&text, "%d", s->a + s->b) < 0 ? -1 : s->a + s->b;
    free(text);
}

static void added(void *data, void *userdata)
{
    (void)userdata;
    ((struct sum *)data)->done = 1;
}

static int jobs(struct oom *oom, struct err *err)
{
    struct sum sum = {.a = 2, .b = 3};
    const struct pool_options options = {.name = "oom", .threads_max = 2, .queue_max = 4};
    struct pool *pool = pool_new(oom->self, &options, err);
    if (pool == NULL) {
        return -(int)err->id;
    }
    const struct pool_work work = {.work = add, .done = added, .data = &sum};
    int rc = pool_start(pool, &work, err) == NULL ? -(int)err->id : 0;
    OOM_CHECK(rc < 0 || run_until(oom->self, &sum.done));
    OOM_CHECK(rc < 0 || sum.sum == 5 || sum.sum == -1);
    pool_free(pool);
    return rc < 0 ? rc : sum.sum == -1 ? err_set(err, ERR_POOL_BUSY, "the job had no memory") : 0;
}
OOM_SCENARIO(pool, jobs, .threads = true, .prepare = prepare_loop, .run = jobs,
             .release = release_loop)

/* ---- process ---- */

struct child {
    int ended;
    int code;
};

static void on_exit_code(struct process *process, int code, void *userdata)
{
    (void)process;
    *(struct child *)userdata = (struct child){.ended = 1, .code = code};
}

static int spawn(struct oom *oom, struct err *err)
{
    static const char *const argv[] = {"sh", "-c", "echo out; exit 7", NULL};
    struct child child = {0};
    char log[256];
    (void)snprintf(log, sizeof(log), "%s/child.log", oom->folder);
    struct process *process = NULL;
    const struct process_options options = {
        .argv = argv, .log_path = log, .fn = on_exit_code, .userdata = &child};
    int rc = process_spawn(oom->self, &options, &process, err);
    OOM_CHECK((rc == 0) == (process != NULL));
    if (rc == 0) {
        OOM_CHECK(run_until(oom->self, &child.ended));
        OOM_CHECK(child.code == 7);
    }
    process_free(process);
    return rc;
}
OOM_SCENARIO(process, spawn, .prepare = prepare_loop, .run = spawn, .release = release_loop)

/* ---- resolve ---- */

struct answer {
    int done;
    bool known;
    bool why;
};

static void on_resolved(const char *addresses, const char *why, void *userdata)
{
    *(struct answer *)userdata = (struct answer){
        .done = 1, .known = addresses != NULL, .why = why != NULL && why[0] != '\0'};
}

static int resolve(struct oom *oom, struct err *err)
{
    struct answer answer = {0};
    struct resolver *resolver = resolver_new(oom->self, err);
    if (resolver == NULL) {
        return -(int)err->id;
    }
    int rc =
        resolver_ask(resolver, "localhost", on_resolved, &answer, err) == NULL ? -(int)err->id : 0;
    OOM_CHECK(rc < 0 || run_until(oom->self, &answer.done));
    OOM_CHECK(rc < 0 || answer.known || answer.why);
    OOM_CHECK(rc < 0 || !answer.known || resolver_known(resolver, "localhost") != NULL);
    resolver_free(resolver);
    return rc < 0 ? rc : answer.known ? 0 : err_set(err, ERR_HTTP_CONNECT, "not resolved");
}
OOM_SCENARIO(resolve, localhost, .threads = true, .prepare = prepare_loop, .run = resolve,
             .release = release_loop)

/* ---- http and web ---- */

struct desk {
    struct loop *loop;
    struct web *web;
    struct http *http;
    char url[64];
};

static atomic_int handled;

static void serve(struct web_request *request, void *userdata)
{
    (void)userdata;
    atomic_fetch_add(&handled, 1);
    const char *const headers[] = {"Retry-After: 7", NULL};
    struct str body = web_body(request);
    AUTO_BUF struct buf out = BUF_INIT(4096);
    buf_addf(&out, "%.*s q=%.*s h=%.*s body=%.*s chat=%.*s file=%zu", STR_ARG(web_method(request)),
             STR_ARG(web_query(request, "q")), STR_ARG(web_header(request, "x-test")),
             STR_ARG(body.len < 100 ? body : str_c("")), STR_ARG(form_value(request, "chat")),
             form_value(request, "file").len);
    if (buf_failed(&out)) {
        web_answer_c(request, 500, "out of memory");
        return;
    }
    web_answer(request,
               &(struct web_answer){.status = 200, .headers = headers, .body = buf_str(&out)});
}

static int open_server(struct desk *desk, struct err *err)
{
    int rc = web_start(
        &(struct web_options){.handler = serve, .limits = {.idle_timeout_us = 2 * USEC_PER_SEC}},
        &desk->web, err);
    if (rc == 0) {
        (void)snprintf(desk->url, sizeof(desk->url), "http://127.0.0.1:%u/a?q=x%%20y",
                       web_port(desk->web));
    }
    return rc;
}

static int prepare_desk(struct oom *oom, struct err *err)
{
    static struct desk desk;
    desk = (struct desk){0};
    oom->self = &desk;
    desk.loop = loop_new(err);
    int rc = desk.loop == NULL ? -(int)err->id : open_server(&desk, err);
    if (rc == 0 && (desk.http = http_new(desk.loop, err)) == NULL) {
        rc = -(int)err->id;
    }
    return rc;
}

static void release_desk(struct oom *oom)
{
    struct desk *desk = oom->self;
    http_free(desk->http);
    web_stop(desk->web);
    loop_free(desk->loop);
}

struct response {
    int done;
    int status;
    struct err err;
    char body[256];
    int64_t retry_after_s;
};

static void on_response(const struct http_response *r, void *userdata)
{
    struct response *response = userdata;
    OOM_CHECK((r->outcome == HTTP_OK) == (r->err.id == ERR_NONE));
    *response = (struct response){.done = response->done + 1,
                                  .status = r->status,
                                  .err = r->err,
                                  .retry_after_s = http_retry_after_s(r)};
    (void)str_copy(r->body, response->body, sizeof(response->body));
}

/* Sends a request and waits. A server without memory closes the connection or answers 500. */
static int exchange(struct desk *desk, struct http_request request, const char *wanted,
                    struct err *err)
{
    static const char *const headers[] = {"X-Test: yes", NULL};
    struct response response = {0};
    request.url = desk->url;
    request.headers = headers;
    request.timeout_ms = 3000;
    if (http_send(desk->http, &request, on_response, &response, err) == NULL) {
        return -(int)err->id;
    }
    OOM_CHECK(run_until(desk->loop, &response.done));
    OOM_CHECK(response.done == 1 && http_pending(desk->http) == 0);
    if (response.err.id != ERR_NONE) {
        return err_set(err, response.err.id, "%s", response.err.context);
    }
    if (response.status >= 400) {
        OOM_CHECK(response.status == 500 || response.status == 503 || response.status == 413 ||
                  response.status == 431);
        return err_set(err, ERR_HTTP_GARBLED, "status %d", response.status);
    }
    OOM_CHECK(response.status == 200 && strcmp(response.body, wanted) == 0);
    OOM_CHECK(response.retry_after_s == 7);
    return 0;
}

static int fetch(struct oom *oom, struct err *err)
{
    struct desk *desk = oom->self;
    int rc = exchange(desk, (struct http_request){0}, "GET q=x y h=yes body= chat= file=0", err);
    /* The connection is used again. */
    return rc < 0 ? rc
                  : exchange(desk, (struct http_request){.body = str_c("{\"a\":1}")},
                             "POST q=x y h=yes body={\"a\":1} chat= file=0", err);
}
/* libcurl 7.88 loses the query of a URL when it has no memory for it (curl_url_get is not checked).
 */
OOM_SCENARIO(http, fetch, .libraries = {"libcurl"}, .threads = true, .prepare = prepare_desk,
             .run = fetch, .release = release_desk)

static int upload(struct oom *oom, struct err *err)
{
    static char bytes[5000];
    memset(bytes, 'z', sizeof(bytes));
    const struct http_part parts[] = {
        {.name = "chat", .body = str_c("1001")},
        {.name = "file", .filename = "a.png", .body = str_n(bytes, sizeof(bytes))}};
    return exchange(oom->self, (struct http_request){.parts = parts, .part_count = 2},
                    "POST q=x y h=yes body= chat=1001 file=5000", err);
}
OOM_SCENARIO(http, upload, .libraries = {"libcurl"}, .threads = true, .prepare = prepare_desk,
             .run = upload, .release = release_desk)

/* Client and server from nothing. */
static int start_both(struct oom *oom, struct err *err)
{
    struct desk desk = {.loop = oom->self};
    int rc = open_server(&desk, err);
    OOM_CHECK((rc == 0) == (desk.web != NULL));
    if (rc == 0 && (desk.http = http_new(desk.loop, err)) == NULL) {
        rc = -(int)err->id;
    }
    rc = rc < 0
             ? rc
             : exchange(&desk, (struct http_request){0}, "GET q=x y h=yes body= chat= file=0", err);
    http_free(desk.http);
    web_stop(desk.web);
    return rc;
}
OOM_SCENARIO(web, start, .libraries = {"libcurl"}, .prepare = prepare_loop, .run = start_both,
             .release = release_loop)

static int serve_a_socket(struct oom *oom, struct err *err)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/socket", oom->folder);
    struct desk desk = {.loop = oom->self, .url = "http://localhost/a?q=x%20y"};
    int rc = web_start(&(struct web_options){.unix_path = path, .handler = serve}, &desk.web, err);
    if (rc == 0 && (desk.http = http_new(desk.loop, err)) == NULL) {
        rc = -(int)err->id;
    }
    rc = rc < 0 ? rc
                : exchange(&desk, (struct http_request){.unix_path = path},
                           "GET q=x y h=yes body= chat= file=0", err);
    http_free(desk.http);
    web_stop(desk.web);
    OOM_CHECK(access(path, F_OK) != 0);
    return rc;
}
OOM_SCENARIO(web, socket, .libraries = {"libcurl"}, .prepare = prepare_loop, .run = serve_a_socket,
             .release = release_loop)

/* ---- websocket_client ---- */

struct stream {
    struct loop *loop;
    struct http *http;
    int listen_fd;
    int fd; /* of the server; -1: no connection yet */
    char request[2048];
    size_t len;
    bool answered;
    int messages;
    int closed;
    struct err err;
};

static int prepare_stream(struct oom *oom, struct err *err)
{
    static struct stream s;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s = (struct stream){.fd = -1};
    oom->self = &s;
    s.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    OOM_CHECK(bind(s.listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
              listen(s.listen_fd, 4) == 0);
    if ((s.loop = loop_new(err)) == NULL || (s.http = http_new(s.loop, err)) == NULL ||
        websocket_load(err) < 0 || secret_init(err) < 0) {
        return -(int)err->id;
    }
    return 0;
}

static void release_stream(struct oom *oom)
{
    struct stream *s = oom->self;
    http_free(s->http);
    loop_free(s->loop);
    (void)close(s->listen_fd);
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
}

/* The server, without an allocation: an answer, a message, and a close. */
static void serve_stream(struct stream *s)
{
    char accept_key[WEBSOCKET_ACCEPT_SIZE], answer[512];
    s->fd = s->fd >= 0 ? s->fd : accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ssize_t n = recv(s->fd, s->request + s->len, sizeof(s->request) - 1 - s->len, 0);
    s->len += n > 0 ? (size_t)n : 0;
    s->request[s->len] = '\0';
    const char *key = strstr(s->request, "Sec-WebSocket-Key: ");
    if (key == NULL || strstr(key, "\r\n\r\n") == NULL || s->answered) {
        return;
    }
    s->answered = true;
    OOM_CHECK(websocket_accept(str_n(key + 19, WEBSOCKET_KEY_CHARS), accept_key));
    int size = snprintf(answer, sizeof(answer),
                        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi\x88\x02\x03\xE8",
                        accept_key);
    OOM_CHECK(send(s->fd, answer, (size_t)size, MSG_NOSIGNAL) == size);
}

static void on_stream_message(struct websocket_client *ws, struct str message, bool binary,
                              void *userdata)
{
    struct stream *s = userdata;
    OOM_CHECK(str_equal_c(message, "hi") && !binary);
    s->messages++;
    (void)websocket_client_send(ws, str_c("hello"), NULL);
}

static void on_stream_close(struct websocket_client *ws, const struct websocket_end *end,
                            void *userdata)
{
    struct stream *s = userdata;
    (void)ws;
    s->closed++;
    s->err = *end->err;
}

static int stream(struct oom *oom, struct err *err)
{
    struct stream *s = oom->self;
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    char url[64];
    OOM_CHECK(getsockname(s->listen_fd, (struct sockaddr *)&address, &size) == 0);
    (void)snprintf(url, sizeof(url), "ws://127.0.0.1:%u/a?q=x", ntohs(address.sin_port));
    struct websocket_client *ws =
        websocket_client_open(s->http,
                              &(struct websocket_client_options){.url = url,
                                                                 .open_timeout_us = LIMIT_US / 2,
                                                                 .on_message = on_stream_message,
                                                                 .on_close = on_stream_close,
                                                                 .userdata = s},
                              err);
    if (ws == NULL) {
        return -(int)err->id;
    }
    int64_t end_us = clock_mono_us(clock_real()) + LIMIT_US;
    while (s->closed == 0) {
        OOM_CHECK(clock_mono_us(clock_real()) < end_us);
        (void)loop_iterate(s->loop, USEC_PER_MSEC);
        serve_stream(s);
    }
    websocket_client_free(ws);
    if (s->err.id != ERR_WEBSOCKET_CLOSED) {
        return err_set(err, (enum err_id)s->err.id, "%s", s->err.context);
    }
    OOM_CHECK(s->messages == 1 && s->closed == 1);
    return 0;
}
OOM_SCENARIO(websocket_client, stream, .libraries = {"libcurl"}, .prepare = prepare_stream,
             .run = stream, .release = release_stream)
