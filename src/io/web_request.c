#include "base/check.h"
#include "web_private.h"

#include <string.h>

enum { ADDED_MAX = 1024 };

/* ---------------------------------------------------------------- lifetime */

struct web_request *web_request_new(struct web *web)
{
    struct web_request *request = calloc(1, sizeof(*request));
    NEED_MEMORY(request != NULL);
    request->web = web;
    request->references = 1;
    buf_init(&request->body, web->limits.max_body_bytes);
    buf_init(&request->added, ADDED_MAX);
    web_ref(web);
    return request;
}

static void release(struct web_request *request)
{
    web_response_unref(request->response);
    free(request->own_head);
    free(request->own_text);
    free(request->query);
    free(request->query_text);
    buf_release(&request->body);
    buf_release(&request->added);
}

void web_request_reset(struct web_request *request)
{
    struct web *web = request->web;
    ASSERT(request->references == 1 && !request->held);
    release(request);
    *request = (struct web_request){.web = web, .references = 1};
    buf_init(&request->body, web->limits.max_body_bytes);
    buf_init(&request->added, ADDED_MAX);
}

void web_request_unref(struct web_request *request)
{
    if (request == NULL) {
        return;
    }
    struct web *web = request->web;
    web_lock(web);
    bool last = --request->references == 0;
    web_unlock(web);
    if (last) {
        release(request);
        free(request);
        web_unref(web);
    }
}

/* ---------------------------------------------------------------- the server's side */

/* With the mutex held: it is not answered by the server's thread on its own any more. */
static void forget_answer(struct web_request *request)
{
    struct web_request **slot = &request->web->answered;
    while (*slot != NULL && *slot != request) {
        slot = &(*slot)->next_answered;
    }
    if (*slot == request) {
        *slot = request->next_answered;
    }
}

bool web_request_handle(struct web_request *request)
{
    struct web *web = request->web;
    request->unanswered = true;
    web->handler(request, web->userdata);
    if (!request->held) {
        if (request->unanswered) {
            web_answer_c(request, 500, "not handled\n");
        }
        return false;
    }
    web_lock(web);
    bool waits = !request->answered;
    if (!waits) {
        forget_answer(request); /* its connection sends it at once */
    }
    web_unlock(web);
    return waits;
}

void web_request_end(struct web_request *request)
{
    if (request == NULL) {
        return;
    }
    web_line_fail(request);
    web_lock(request->web);
    request->conn = NULL;
    forget_answer(request);
    web_unlock(request->web);
    web_request_unref(request);
}

/* ---------------------------------------------------------------- the holder's side */

/* The functions that copy from the connection run on the server's thread, before the request can be
 * held: the connection exists. */
static void need_query(struct web_request *request)
{
    struct str query = web_head_view(request->text, request->head->query);
    if (request->has_query) {
        return;
    }
    request->has_query = true;
    if (query.len == 0) {
        return;
    }
    int count = 1;
    for (size_t i = 0; i < query.len; i++) {
        count += query.ptr[i] == '&';
    }
    request->query_text = strndup(query.ptr, query.len);
    request->query = calloc((size_t)count * 2, sizeof(*request->query));
    NEED_MEMORY(request->query_text != NULL && request->query != NULL);
    struct str rest = str_n(request->query_text, query.len), pair;
    while (str_split(&rest, '&', &pair)) {
        if (pair.len == 0) { /* its view does not point into the text */
            continue;
        }
        struct web_span *span = &request->query[2 * request->query_count];
        size_t at = (size_t)(pair.ptr - request->query_text);
        char *text = request->query_text + at, *equals = memchr(text, '=', pair.len);
        size_t name = equals == NULL ? pair.len : (size_t)(equals - text);
        size_t value = equals == NULL ? pair.len : name + 1;
        /* The NUL that ends a name or a value is written over its separator. */
        int name_len = web_unescape(text, name, true);
        int value_len = value < pair.len ? web_unescape(text + value, pair.len - value, true) : 0;
        if (name_len > 0 && value_len >= 0) { /* the head was checked */
            span[0] = (struct web_span){.at = (uint16_t)at, .len = (uint16_t)name_len};
            span[1] = (struct web_span){.at = (uint16_t)(at + value), .len = (uint16_t)value_len};
            request->query_count++;
        }
    }
}

static void need_peer(struct web_request *request)
{
    if (request->has_peer) {
        return;
    }
    const struct web *web = request->web;
    const struct web_peer *peer = &request->conn->peer;
    struct address address = peer->address;
    uint16_t port = peer->port;
    request->has_peer = true;
    request->peer_uid = peer->uid;
    if (web->is_unix) {
        (void)str_copy(str_c("unix"), request->remote, sizeof(request->remote));
        return;
    }
    if (web->trust.count > 0 && web_trust_has(&web->trust, &address)) {
        struct str header = web_head_last(request->head, request->text, "X-Forwarded-For");
        port = web_forwarded(&web->trust, header, &address) ? 0 : port;
    }
    AUTO_BUF struct buf host = BUF_INIT(64);
    address_add(&host, &address);
    (void)snprintf(request->remote, sizeof(request->remote),
                   strchr(host.data, ':') != NULL ? "[%s]:%u" : "%s:%u", host.data, (unsigned)port);
}

static void need_own_head(struct web_request *request)
{
    size_t size = request->head->line_at;
    request->own_head = malloc(sizeof(*request->own_head));
    request->own_text = malloc(size);
    NEED_MEMORY(request->own_head != NULL && request->own_text != NULL);
    memcpy(request->own_head, request->head, sizeof(*request->own_head));
    memcpy(request->own_text, request->text, size);
    request->head = request->own_head;
    request->text = request->own_text;
}

void web_add_header(struct web_request *request, const char *header)
{
    ASSERT(request->unanswered && !request->held);
    buf_addf(&request->added, "%s\r\n", header);
    ASSERT(!buf_failed(&request->added));
}

void web_hold(struct web_request *request)
{
    struct web *web = request->web;
    need_query(request);
    need_peer(request);
    need_own_head(request);
    web_lock(web);
    ASSERT(request->unanswered && !request->held);
    request->held = true;
    request->references++;
    web_unlock(web);
}

static void give(struct web_request *request, struct web_response *response)
{
    struct web *web = request->web;
    ASSERT(request->unanswered); /* one answer per request */
    request->unanswered = false;
    if (!request->held) {
        request->answered = true;
        request->response = response;
        return;
    }
    web_lock(web);
    /* Late: the connection has ended, or web_stop has answered. */
    bool late = request->answered || request->conn == NULL;
    if (!late) {
        request->answered = true;
        request->response = response;
        request->next_answered = web->answered;
        web->answered = request;
        web_wake(web);
    }
    web_unlock(web);
    if (late) {
        web_response_unref(response);
    }
    web_request_unref(request);
}

void web_answer(struct web_request *request, const struct web_answer *answer)
{
    give(request, web_response_new(answer));
}

void web_answer_c(struct web_request *request, int status, const char *text)
{
    web_answer(request, &(struct web_answer){.status = status, .body = str_c(text)});
}

void web_answer_json(struct web_request *request, int status, struct str json)
{
    web_answer(request, &(struct web_answer){
                            .status = status, .content_type = "application/json", .body = json});
}

/* ---------------------------------------------------------------- accessors */

struct str web_method(const struct web_request *request)
{
    return web_head_view(request->text, request->head->method);
}

struct str web_path(const struct web_request *request)
{
    return web_head_view(request->text, request->head->path);
}

static const struct web_span *find_query(struct web_request *request, const char *name)
{
    need_query(request);
    for (int i = 0; i < request->query_count; i++) {
        if (strcmp(request->query_text + request->query[2 * i].at, name) == 0) {
            return &request->query[2 * i + 1];
        }
    }
    return NULL;
}

struct str web_query(struct web_request *request, const char *name)
{
    const struct web_span *value = find_query(request, name);
    return value == NULL ? str_c("") : web_head_view(request->query_text, *value);
}

bool web_has_query(struct web_request *request, const char *name)
{
    return find_query(request, name) != NULL;
}

size_t web_query_count(struct web_request *request)
{
    need_query(request);
    return (size_t)request->query_count;
}

struct str web_query_name(struct web_request *request, size_t index)
{
    ASSERT(index < web_query_count(request));
    return web_head_view(request->query_text, request->query[2 * index]);
}

struct str web_header(const struct web_request *request, const char *name)
{
    return web_head_field(request->head, request->text, name);
}

struct str web_body(const struct web_request *request)
{
    return buf_str(&request->body);
}

int64_t web_peer_uid(struct web_request *request)
{
    need_peer(request);
    return request->peer_uid;
}

struct str web_remote(struct web_request *request)
{
    need_peer(request);
    return str_c(request->remote);
}
