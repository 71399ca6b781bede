#include "http_rig.h"

#include "fakes/form.h"
#include "unit/unit.h"

#include <pthread.h>
#include <string.h>

#define CASE_LIMIT_US (20 * USEC_PER_SEC)

void http_rig_on_answer(const struct http_response *r, void *userdata)
{
    struct http_rig *d = userdata;
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
static struct {
    pthread_mutex_t mutex;
    struct web_request *held;
    int requests;
} server = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct web_content *http_rig_kept;

int http_rig_requests(void)
{
    return __atomic_load_n(&server.requests, __ATOMIC_RELAXED);
}

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

struct web_request *http_rig_take_held(void)
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

static void add_a_header(struct web_request *r)
{
    web_add_header(r, "Retry-After: 9");
    if (str_equal_c(web_query(r, "as"), "kept")) {
        web_answer_content(r, http_rig_kept);
    } else if (str_equal_c(web_query(r, "as"), "held")) {
        hold_and_answer_at_once(r);
    } else {
        web_answer_c(r, 200, "own");
    }
}

static void give_kept(struct web_request *r)
{
    web_answer_content(r, http_rig_kept);
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

const struct web_options http_rig_plain = {.handler = serve, .limits = {.max_body_bytes = 100000}};

void http_rig_open(struct http_rig *d, const struct web_options *options)
{
    *d = (struct http_rig){0};
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

void http_rig_close(struct http_rig *d)
{
    http_free(d->http);
    web_stop(d->web);
    loop_free(d->loop);
}

void http_rig_wait(struct http_rig *d)
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

struct web_request *http_rig_wait_held(struct http_rig *d)
{
    struct web_request *r = NULL;
    int64_t start_us = clock_mono_us(clock_real());
    while ((r = http_rig_take_held()) == NULL) {
        (void)loop_iterate(d->loop, 2 * USEC_PER_MSEC);
        if (clock_mono_us(clock_real()) - start_us > CASE_LIMIT_US) {
            fail_msg("no request");
        }
    }
    return r;
}

struct http_call *http_rig_send(struct http_rig *d, const char *path, struct http_request request)
{
    AUTO_BUF struct buf url = BUF_INIT(512);
    buf_addf(&url, "%s%s", d->url, path);
    request.url = url.data;
    struct err err = {0};
    struct http_call *call = http_send(d->http, &request, http_rig_on_answer, d, &err);
    if (call == NULL) {
        fail_msg("%s", err.context);
    }
    return call;
}

void http_rig_call(struct http_rig *d, const char *path, struct http_request request)
{
    (void)http_rig_send(d, path, request);
    http_rig_wait(d);
}
