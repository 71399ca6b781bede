#include "io/http.h"

#include "base/check.h"
#include "io/resolve.h"
#include "library.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <limits.h>
#include <string.h>

enum {
    HEADERS_MAX = 64,
    HEADER_BYTES_MAX = 64 * 1024,
    HEADERS_READ_MAX = 256 * 1024,
    CONNECTIONS_MAX = 32,
    HOST_MAX = 253
};

/* ------------------------------------------------------------------ the library */

/* clang-format off */
#define FUNCTIONS(X) \
    X(easy_cleanup) X(easy_getinfo) X(easy_init) X(easy_setopt) \
    X(easy_strerror) X(free) X(global_init) X(mime_addpart) \
    X(mime_data) X(mime_filedata) X(mime_filename) X(mime_free) \
    X(mime_init) X(mime_name) X(mime_type) X(multi_add_handle) \
    X(multi_assign) X(multi_cleanup) X(multi_info_read) X(multi_init) \
    X(multi_remove_handle) X(multi_setopt) X(multi_socket_action) X(slist_append) \
    X(slist_free_all) X(url) X(url_cleanup) X(url_get) \
    X(url_set)
/* clang-format on */

static struct {
#define X(name) __typeof__(curl_##name) *name;
    FUNCTIONS(X)
#undef X
} curl;

static const struct library_function functions[] = {
#define X(name) {"curl_" #name, &curl.name},
    FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libcurl.so.4"},
                                 .package = "libcurl4",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

/* Sets an option of a transfer. curl takes the value as a variable argument, so its type must be
 * exact; the check in curl.h is for calls of curl_easy_setopt only. */
#define VALUE_TYPE(value) __typeof__(1 ? (value) : (value)) /* an array's is a pointer */
#define VALUE_FITS(option, value)                                                                  \
    ((option) < CURLOPTTYPE_OBJECTPOINT ? __builtin_types_compatible_p(VALUE_TYPE(value), long)    \
     : (option) >= CURLOPTTYPE_OFF_T ? __builtin_types_compatible_p(VALUE_TYPE(value), curl_off_t) \
                                     : sizeof(VALUE_TYPE(value)) == sizeof(void *))
#define easy_set(easy, option, value)                                                \
    __extension__({                                                                  \
        _Static_assert(VALUE_FITS(option, value), "type of the value for " #option); \
        curl.easy_setopt(easy, option, value);                                       \
    })

struct http {
    struct loop *loop;
    CURLM *multi;
    struct resolver *resolver;
    struct loop_source *timer;    /* curl's timer */
    struct loop_source *deferred; /* runs the callbacks of finished calls */
    struct socket_watch *watches;
    struct http_call *calls; /* all calls whose callback has not run */
    size_t pending;
    bool freed_inside; /* http_free was called from a call's callback */
    bool delivering;
};

/* One per socket that curl asks us to watch. */
struct socket_watch {
    struct http *http;
    struct loop_source *io;
    struct socket_watch *next;
    struct socket_watch *previous;
};

struct http_call {
    struct http *http;
    struct http_call *next;
    struct http_call *previous;
    CURL *easy;
    curl_mime *mime;
    struct curl_slist *headers;
    bool added;                       /* to the multi handle */
    struct resolver_query *query;     /* while the host is being resolved */
    struct loop_source *lookup_timer; /* limits the time for that */
    struct curl_slist *addresses;     /* of the host, for CURLOPT_RESOLVE */
    char host[HOST_MAX + 1];
    unsigned port;
    int64_t began_mono_us;
    int64_t lookup_us; /* duration of the name look-up */
    int64_t timeout_ms;
    int64_t connect_ms;
    char *body_copy;
    size_t body_len;
    size_t body_sent;
    http_fn fn;
    void *userdata;
    struct buf body;
    struct buf header_text; /* "name\0value\0…" of the final response */
    size_t header_count;
    size_t header_bytes; /* received */
    bool tls;
    bool connected; /* curl waits for bytes, not for the connection */
    bool too_large;
    char redacted[160];
    bool done;
    CURLcode code;
    char curl_why[CURL_ERROR_SIZE]; /* may quote the URL: looked at, never shown */
    char why[96];                   /* replaces curl's text for code; or "" */
};

/* ------------------------------------------------------------------ curl's callbacks */

static size_t on_curl_body(char *bytes, size_t size, size_t count, void *userdata)
{
    struct http_call *call = userdata;
    buf_add(&call->body, bytes, size * count);
    if (buf_failed(&call->body)) {
        call->too_large = true;
        return 0; /* aborts the transfer */
    }
    return size * count;
}

/* Gets one header line. A status line drops the headers so far, which were of a 1xx response. */
static size_t on_curl_header(char *bytes, size_t size, size_t count, void *userdata)
{
    struct http_call *call = userdata;
    struct str line = str_n(bytes, size * count);
    call->header_bytes += line.len;
    if (call->header_bytes > HEADERS_READ_MAX) {
        return 0; /* aborts the transfer */
    }
    if (str_starts(line, "HTTP/")) {
        buf_clear(&call->header_text);
        call->header_count = 0;
        return line.len;
    }
    struct str value = str_trim(line);
    struct str name;
    bool good = memchr(value.ptr, ':', value.len) != NULL && str_split(&value, ':', &name) &&
                memchr(line.ptr, '\0', line.len) == NULL && call->header_count < HEADERS_MAX;
    if (!good) {
        return line.len;
    }
    size_t before = call->header_text.len;
    for (size_t i = 0; i < name.len; i++) {
        buf_add_char(&call->header_text, (char)tolower((unsigned char)name.ptr[i]));
    }
    buf_add(&call->header_text, "", 1);
    buf_add_str(&call->header_text, str_trim(value));
    buf_add(&call->header_text, "", 1);
    if (buf_failed(&call->header_text)) {
        if (before + line.len + 2 < call->header_text.max) {
            return 0; /* not too long, but out of memory: aborts the transfer */
        }
        buf_truncate(&call->header_text, before);
    } else {
        call->header_count++;
    }
    return line.len;
}

/* Marks the finished calls; their callbacks run later, from the deferred source. */
static void collect(struct http *http)
{
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl.multi_info_read(http->multi, &left)) != NULL) {
        struct http_call *call = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) == CURLE_OK) {
            call->done = true;
            call->code = message->data.result;
            loop_defer(http->deferred);
        }
    }
}

/* Out of memory, libcurl stops in the middle and never finishes its transfers. */
static void act(struct http *http, int fd, int bits)
{
    int running = 0;
    if (curl.multi_socket_action(http->multi, fd, bits, &running) != CURLM_OK) {
        for (struct http_call *call = http->calls; call != NULL; call = call->next) {
            if (call->added && !call->done) {
                call->done = true;
                call->code = CURLE_OUT_OF_MEMORY;
                loop_defer(http->deferred);
            }
        }
    }
    collect(http);
}

static void on_socket(int fd, uint32_t events, void *userdata)
{
    struct socket_watch *watch = userdata;
    struct http *http = watch->http; /* curl may free the watch in socket_action */
    int bits = ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
               ((events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
    act(http, fd, bits);
}

static void on_timer(void *userdata)
{
    act(userdata, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *userdata)
{
    (void)multi;
    struct http *http = userdata;
    if (timeout_ms < 0) {
        loop_timer_stop(http->timer);
    } else {
        loop_timer_in(http->timer, timeout_ms * USEC_PER_MSEC);
    }
    return 0;
}

static void watch_free(struct socket_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    *(watch->previous == NULL ? &watch->http->watches : &watch->previous->next) = watch->next;
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    loop_source_free(watch->io);
    free(watch);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata,
                          void *socket_userdata)
{
    struct http *http = userdata;
    struct socket_watch *watch = socket_userdata;
    struct http_call *call = NULL;
    if ((what & CURL_POLL_IN) != 0 && easy != NULL &&
        curl.easy_getinfo(easy, CURLINFO_PRIVATE, &call) == CURLE_OK && call != NULL) {
        call->connected = true;
    }
    if (what == CURL_POLL_REMOVE) {
        (void)curl.multi_assign(http->multi, fd, NULL);
        watch_free(watch);
        return 0;
    }
    uint32_t events = ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
    if (watch != NULL) {
        loop_io_set(watch->io, events);
        return 0;
    }
    watch = calloc(1, sizeof(*watch));
    ASSERT(watch != NULL);
    watch->http = http;
    watch->io = loop_add_io(http->loop, fd, events, on_socket, watch, NULL);
    if (watch->io == NULL) { /* out of descriptors or epoll watches: the transfer fails */
        free(watch);
        return -1;
    }
    loop_source_name(watch->io, "http");
    watch->next = http->watches;
    if (http->watches != NULL) {
        http->watches->previous = watch;
    }
    http->watches = watch;
    (void)curl.multi_assign(http->multi, fd, watch);
    return 0;
}

/* ------------------------------------------------------------------ results */

static enum err_id error_of(CURLcode code)
{
    switch ((int)code) { /* cast, so that -Wswitch-enum does not ask for all of curl's codes */
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
        return ERR_HTTP_NAME;
    case CURLE_COULDNT_CONNECT:
        return ERR_HTTP_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return ERR_HTTP_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_HTTP_TIMEOUT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* "HTTP/0.9 not allowed": there was no status line */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return ERR_HTTP_GARBLED;
    default:
        return ERR_HTTP_LOST;
    }
}

/* Why nothing was sent; id is what curl's code says. */
static enum err_id unsent_error(const struct http_call *call, enum err_id id)
{
    /* OpenSSL, OpenSSL 3.2, GnuTLS */
    static const char *const plain[] = {"wrong version number", "packet length too long",
                                        "unexpected TLS packet"};
    for (size_t i = 0; id == ERR_HTTP_TLS && i < COUNT_OF(plain); i++) {
        if (strcasestr(call->curl_why, plain[i]) != NULL) {
            return ERR_HTTP_NOT_TLS;
        }
    }
    if (id == ERR_HTTP_TLS || id == ERR_HTTP_NAME) {
        return id;
    }
    return id == ERR_HTTP_TIMEOUT && call->tls && call->connected ? ERR_HTTP_HANDSHAKE
                                                                  : ERR_HTTP_CONNECT;
}

/* Whether the headers of the answer were too much: for us, or one of them for curl, which then says
 * that memory ran out. */
static bool headers_too_large(const struct http_call *call)
{
    return call->header_bytes > HEADERS_READ_MAX ||
           (call->code == CURLE_OUT_OF_MEMORY && call->header_bytes > 0) ||
           strstr(call->curl_why, "Too large response headers") != NULL;
}

/* Sets outcome and err of a failed call. */
static void classify(const struct http_call *call, struct http_response *response)
{
    if (call->too_large || call->code == CURLE_FILESIZE_EXCEEDED) {
        response->outcome = HTTP_TOO_LARGE;
        err_set(&response->err, ERR_HTTP_TOO_LARGE, "%s: the limit is %zu bytes", call->redacted,
                call->body.max);
        return;
    }
    long sent_bytes = 0;
    (void)curl.easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    enum err_id id = error_of(call->code);
    /* curl rewinds a body only to resend it. */
    bool sent = sent_bytes > 0 || call->code == CURLE_SEND_FAIL_REWIND;
    response->outcome = sent ? HTTP_UNKNOWN : HTTP_NOT_SENT;
    if (!sent) {
        id = unsent_error(call, id);
    } else if (headers_too_large(call)) {
        (void)err_set(&response->err, ERR_HTTP_HEADERS, "%s", call->redacted);
        return;
    }
    /* CURLOPT_ERRORBUFFER may quote the URL, so it is not shown. */
    err_set(&response->err, id, "%s: %s", call->redacted,
            call->why[0] != '\0' ? call->why : curl.easy_strerror(call->code));
}

static void call_free(struct http_call *call)
{
    struct http *http = call->http;
    *(call->previous == NULL ? &http->calls : &call->previous->next) = call->next;
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    http->pending--;
    resolver_cancel(call->query);
    loop_source_free(call->lookup_timer);
    if (call->added) {
        (void)curl.multi_remove_handle(http->multi, call->easy);
    }
    curl.easy_cleanup(call->easy);
    curl.mime_free(call->mime);
    curl.slist_free_all(call->headers);
    curl.slist_free_all(call->addresses);
    free(call->body_copy);
    buf_release(&call->body);
    buf_release(&call->header_text);
    free(call);
}

static void deliver(struct http_call *call)
{
    struct http_header headers[HEADERS_MAX];
    struct http_response response = {.outcome = HTTP_OK, .body = str_c(""), .headers = headers};
    const char *text = call->header_text.data;
    for (; response.header_count < call->header_count; response.header_count++) {
        struct http_header *header = &headers[response.header_count];
        header->name = text;
        header->value = header->name + strlen(header->name) + 1;
        text = header->value + strlen(header->value) + 1;
    }
    long status = 0;
    curl_off_t elapsed_us = 0;
    (void)curl.easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl.easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    response.status = (int)status;
    response.elapsed_us = elapsed_us + call->lookup_us;
    if (call->code == CURLE_OK && !call->too_large) {
        response.body = buf_str(&call->body);
    } else {
        classify(call, &response);
    }
    /* The handle becomes invalid here; body and headers stay valid until the callback returns. */
    struct buf body = call->body;
    response.memory = &body;
    struct buf header_text = call->header_text;
    http_fn fn = call->fn;
    void *userdata = call->userdata;
    buf_init(&call->body, 0);
    buf_init(&call->header_text, 0);
    call_free(call);
    fn(&response, userdata);
    buf_release(&body);
    buf_release(&header_text);
}

void http_take_body(const struct http_response *response, struct buf *ret)
{
    *ret = *response->memory;
    buf_init(response->memory, 0);
}

static void http_destroy(struct http *http);

static void on_deferred(void *userdata)
{
    struct http *http = userdata;
    http->delivering = true;
    /* Restarts at the head each time: a callback may send, cancel or free the client. */
    for (struct http_call *call = http->calls; call != NULL && !http->freed_inside;) {
        if (call->done) {
            deliver(call);
            call = http->calls;
        } else {
            call = call->next;
        }
    }
    http->delivering = false;
    if (http->freed_inside) {
        http_destroy(http);
    }
}

/* ------------------------------------------------------------------ client */

struct http *http_new(struct loop *loop, struct err *err)
{
    if (library_load(&library, err) < 0) {
        return NULL;
    }
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(err, ERR_LOOP_SETUP, "libcurl");
        return NULL;
    }
    struct http *http = calloc(1, sizeof(*http));
    ASSERT(http != NULL);
    http->loop = loop;
    http->multi = curl.multi_init();
    ASSERT(http->multi != NULL);
    http->resolver = resolver_new(loop, err);
    if (http->resolver == NULL) {
        (void)curl.multi_cleanup(http->multi);
        free(http);
        return NULL;
    }
    http->timer = loop_add_timer(loop, on_timer, http);
    http->deferred = loop_add_deferred(loop, on_deferred, http);
    loop_source_name(http->timer, "http timer");
    loop_source_name(http->deferred, "http answers");
    (void)curl.multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    (void)curl.multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    (void)curl.multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl.multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    (void)curl.multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
#if LIBCURL_VERSION_NUM >= 0x081400
    (void)curl.multi_setopt(http->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
    return http;
}

static void http_destroy(struct http *http)
{
    while (http->calls != NULL) {
        call_free(http->calls);
    }
    resolver_free(http->resolver);
    (void)curl.multi_cleanup(http->multi);
    while (http->watches != NULL) {
        watch_free(http->watches);
    }
    loop_source_free(http->timer);
    loop_source_free(http->deferred);
    free(http);
}

void http_free(struct http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->delivering) {
        http->freed_inside = true; /* on_deferred still uses it, and destroys it */
        return;
    }
    http_destroy(http);
}

size_t http_pending(const struct http *http)
{
    return http->pending;
}

static bool url_is_plain(const char *url)
{
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
        return false;
    }
    CURLU *parts = curl.url();
    ASSERT(parts != NULL);
    bool good = curl.url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;
    curl.url_cleanup(parts);
    return good;
}

/* Without memory libcurl leaves an option out; the request would then be another one. */
static void need_memory(CURLcode code)
{
    NEED_MEMORY(code != CURLE_OUT_OF_MEMORY);
}

static bool has_break(const char *text)
{
    return strpbrk(text, "\r\n") != NULL;
}

/* False if a header contains a line break. */
static bool set_headers(struct http_call *call, const struct http_request *request)
{
    AUTO_BUF struct buf type = BUF_INIT(512);
    struct curl_slist *list = NULL;
    bool good = true;
    if (request->content_type != NULL) {
        buf_addf(&type, "Content-Type: %s", request->content_type);
        good = !has_break(type.data) && !buf_failed(&type);
        list = curl.slist_append(NULL, type.data);
        ASSERT(list != NULL);
    }
    for (const char *const *h = request->headers; good && h != NULL && *h != NULL; h++) {
        good = !has_break(*h);
        struct curl_slist *longer = curl.slist_append(list, *h);
        ASSERT(longer != NULL);
        list = longer;
    }
    /* Disables "Expect: 100-continue": it costs a round trip and some servers never answer it. */
    call->headers = curl.slist_append(list, "Expect:");
    ASSERT(call->headers != NULL);
    return good;
}

static size_t on_curl_read(char *to, size_t size, size_t count, void *userdata)
{
    struct http_call *call = userdata;
    size_t left = call->body_len - call->body_sent;
    size_t n = size * count < left ? size * count : left;
    memcpy(to, call->body_copy + call->body_sent, n);
    call->body_sent += n;
    return n;
}

/* If a reused connection is closed before a response arrives, libcurl resends the request on a new
 * one. Only the caller may decide that, since the first request may have taken effect. Refusing to
 * rewind the body prevents it. */
static int on_curl_seek(void *userdata, curl_off_t offset, int origin)
{
    (void)userdata;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

static void set_parts(struct http_call *call, const struct http_request *request)
{
    call->mime = curl.mime_init(call->easy);
    ASSERT(call->mime != NULL);
    for (size_t i = 0; i < request->part_count; i++) {
        const struct http_part *from = &request->parts[i];
        curl_mimepart *part = curl.mime_addpart(call->mime);
        ASSERT(part != NULL);
        need_memory(curl.mime_name(part, from->name));
        if (from->path != NULL) {
            /* A file that cannot be read fails the transfer before a byte of it is sent. */
            (void)curl.mime_filedata(part, from->path);
        } else {
            need_memory(curl.mime_data(part, from->body.ptr, from->body.len));
        }
        if (from->filename != NULL) {
            need_memory(curl.mime_filename(part, from->filename));
        }
        if (from->content_type != NULL || from->filename != NULL) {
            need_memory(curl.mime_type(part, from->content_type == NULL ? "application/octet-stream"
                                                                        : from->content_type));
        }
    }
    need_memory(easy_set(call->easy, CURLOPT_MIMEPOST, call->mime));
    /* libcurl can rewind these parts by itself (see on_curl_seek), so it must use a new connection,
     * on which it does not resend. */
    (void)easy_set(call->easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void set_body(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->easy;
    const char *method = request->method;
    if (request->part_count > 0) {
        set_parts(call, request);
    } else if (request->body.len > 0 || (method != NULL && strcmp(method, "POST") == 0)) {
        call->body_copy = malloc(request->body.len + 1);
        ASSERT(call->body_copy != NULL);
        memcpy(call->body_copy, request->body.len > 0 ? request->body.ptr : "", request->body.len);
        (void)easy_set(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        call->body_len = request->body.len;
        (void)easy_set(easy, CURLOPT_POST, 1L);
        (void)easy_set(easy, CURLOPT_READFUNCTION, on_curl_read);
        (void)easy_set(easy, CURLOPT_READDATA, call);
        (void)easy_set(easy, CURLOPT_SEEKFUNCTION, on_curl_seek);
        (void)easy_set(easy, CURLOPT_SEEKDATA, call);
    } else if (method != NULL && strcmp(method, "HEAD") == 0) {
        (void)easy_set(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (method != NULL && strcmp(method, "POST") != 0 && strcmp(method, "GET") != 0) {
        need_memory(easy_set(easy, CURLOPT_CUSTOMREQUEST, method));
    }
}

static void set_options(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->easy;
    int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : 30000;
    int64_t connect_ms = request->connect_timeout_ms;
    if (connect_ms <= 0) {
        connect_ms = timeout_ms < 10000 ? timeout_ms : 10000;
    }
    (void)easy_set(easy, CURLOPT_PRIVATE, call);
    (void)easy_set(easy, CURLOPT_ERRORBUFFER, call->curl_why);
    need_memory(easy_set(easy, CURLOPT_URL, request->url));
    need_memory(easy_set(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
    (void)easy_set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)easy_set(easy, CURLOPT_NOSIGNAL, 1L);
    call->timeout_ms = timeout_ms;
    call->connect_ms = connect_ms < timeout_ms ? connect_ms : timeout_ms;
#if LIBCURL_VERSION_NUM >= 0x075700
    /* For the names that curl resolves itself (see find_host): without this option its cleanup
     * waits for the thread of a hanging look-up. */
    (void)easy_set(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    need_memory(easy_set(easy, CURLOPT_USERAGENT, "nightdesk/" NIGHTDESK_VERSION));
    (void)easy_set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)easy_set(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->body.max);
    (void)easy_set(easy, CURLOPT_WRITEFUNCTION, on_curl_body);
    (void)easy_set(easy, CURLOPT_WRITEDATA, call);
    (void)easy_set(easy, CURLOPT_HEADERFUNCTION, on_curl_header);
    (void)easy_set(easy, CURLOPT_HEADERDATA, call);
    (void)easy_set(easy, CURLOPT_HTTPHEADER, call->headers);
    if (request->unix_path != NULL) {
        need_memory(easy_set(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_path));
    }
}

/* ------------------------------------------------------------------ host names */

/* The proxy that curl takes from the environment for this URL; NULL: none. */
static const char *proxy_of(const char *url)
{
    static const char *const for_http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const for_https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                            NULL};
    bool secure = strncasecmp(url, "https://", 8) == 0;
    for (const char *const *name = secure ? for_https : for_http; *name != NULL; name++) {
        const char *value = getenv(*name);
        if (value != NULL && value[0] != '\0') {
            return value;
        }
    }
    return NULL;
}

/* True if the name needs a look-up and can be used unchanged in CURLOPT_RESOLVE. */
static bool needs_lookup(const char *host)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    struct in_addr four;
    size_t len = strlen(host);
    return len > 0 && len <= HOST_MAX && strspn(host, plain) == len && host[len - 1] != '.' &&
           inet_pton(AF_INET, host, &four) != 1 && strcasecmp(host, "localhost") != 0;
}

/* Sets call->host if we resolve the host before curl starts, because curl's own look-up cannot be
 * cancelled without waiting for it. Left to curl: addresses, "localhost", names that are not plain
 * ASCII, and hosts that NO_PROXY exempts from a proxy. */
static void find_host(struct http_call *call, const struct http_request *request)
{
    const char *proxy = proxy_of(request->url);
    CURLU *parts = curl.url();
    char *host = NULL, *port = NULL;
    ASSERT(parts != NULL);
    if (request->unix_path == NULL &&
        curl.url_set(parts, CURLUPART_URL, proxy != NULL ? proxy : request->url,
                     proxy != NULL ? CURLU_GUESS_SCHEME : 0) == CURLUE_OK &&
        curl.url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && needs_lookup(host)) {
        (void)str_copy(str_c(host), call->host, sizeof(call->host));
        bool secure = strncasecmp(proxy != NULL ? proxy : request->url, "https://", 8) == 0;
        int64_t number = secure ? 443 : proxy != NULL ? 1080 : 80;
        if (curl.url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK) {
            (void)str_to_i64(str_c(port), &number);
        }
        call->port = (unsigned)number;
    }
    curl.free(host);
    curl.free(port);
    curl.url_cleanup(parts);
}

static void call_start(struct http_call *call)
{
    int64_t ms = call->lookup_us / USEC_PER_MSEC;
    int64_t timeout_ms = call->timeout_ms - ms, connect_ms = call->connect_ms - ms;
    (void)easy_set(call->easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 1 ? timeout_ms : 1));
    (void)easy_set(call->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ms > 1 ? connect_ms : 1));
    call->added = true;
    CURLMcode code = curl.multi_add_handle(call->http->multi, call->easy);
    ASSERT(code == CURLM_OK);
}

/* The "+" makes curl expire the entry like one that it resolved itself. */
static void call_start_at(struct http_call *call, const char *addresses)
{
    AUTO_BUF struct buf entry = BUF_INIT(4096);
    buf_addf(&entry, "+%s:%u:%s", call->host, call->port, addresses);
    NEED_MEMORY(!buf_failed(&entry));
    call->addresses = curl.slist_append(NULL, entry.data);
    ASSERT(call->addresses != NULL);
    (void)easy_set(call->easy, CURLOPT_RESOLVE, call->addresses);
    call_start(call);
}

static void call_unresolved(struct http_call *call, const char *why)
{
    (void)snprintf(call->why, sizeof(call->why), "%s", why);
    call->code = CURLE_COULDNT_RESOLVE_HOST;
    call->done = true;
    loop_defer(call->http->deferred);
}

static int64_t elapsed_us(const struct http_call *call)
{
    return clock_mono_us(loop_clock(call->http->loop)) - call->began_mono_us;
}

static void on_resolved(const char *addresses, const char *why, void *userdata)
{
    struct http_call *call = userdata;
    call->query = NULL;
    loop_timer_stop(call->lookup_timer);
    call->lookup_us = elapsed_us(call);
    if (addresses == NULL) {
        call_unresolved(call, why);
    } else {
        call_start_at(call, addresses);
    }
}

static void on_lookup_timeout(void *userdata)
{
    struct http_call *call = userdata;
    resolver_cancel(TAKE(call->query));
    call->lookup_us = elapsed_us(call);
    call_unresolved(call, "name servers do not answer");
}

static void call_begin(struct http_call *call)
{
    struct http *http = call->http;
    if (call->host[0] == '\0') {
        call_start(call);
        return;
    }
    const char *known = resolver_known(http->resolver, call->host);
    if (known != NULL) {
        call_start_at(call, known);
        return;
    }
    struct err err = {0};
    call->began_mono_us = clock_mono_us(loop_clock(http->loop));
    call->query = resolver_ask(http->resolver, call->host, on_resolved, call, &err);
    if (call->query == NULL) {
        call_unresolved(call, err_info(err.id)->message);
        return;
    }
    call->lookup_timer = loop_add_timer(http->loop, on_lookup_timeout, call);
    loop_source_name(call->lookup_timer, "http look-up");
    loop_timer_in(call->lookup_timer, call->connect_ms * USEC_PER_MSEC);
}

struct http_call *http_send(struct http *http, const struct http_request *request, http_fn fn,
                            void *userdata, struct err *err)
{
    ASSERT(request->url != NULL && fn != NULL && !http->freed_inside);
    AUTO_BUF struct buf redacted = BUF_INIT(4096);
    http_redact_url(str_c(request->url), &redacted);
    if (!url_is_plain(request->url) || has_break(request->url) ||
        (request->method != NULL && has_break(request->method))) {
        err_set(err, ERR_HTTP_URL, "%s", redacted.data);
        return NULL;
    }
    struct http_call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    call->http = http;
    call->fn = fn;
    call->userdata = userdata;
    call->tls = strncasecmp(request->url, "https://", 8) == 0;
    call->next = http->calls;
    if (http->calls != NULL) {
        http->calls->previous = call;
    }
    http->calls = call;
    http->pending++;
    (void)str_copy(buf_str(&redacted), call->redacted, sizeof(call->redacted));
    buf_init(&call->body, request->max_body_bytes > 0 ? request->max_body_bytes : (size_t)1 << 20);
    buf_init(&call->header_text, HEADER_BYTES_MAX);
    call->easy = curl.easy_init();
    ASSERT(call->easy != NULL);
    if (!set_headers(call, request)) {
        call_free(call);
        err_set(err, ERR_HTTP_URL, "%s: header with a line break", redacted.data);
        return NULL;
    }
    set_options(call, request);
    set_body(call, request);
    find_host(call, request);
    call_begin(call);
    return call;
}

void http_cancel(struct http_call *call)
{
    if (call != NULL) {
        call_free(call);
    }
}

const char *http_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        if (strcmp(response->headers[i].name, name) == 0) {
            return response->headers[i].value;
        }
    }
    return NULL;
}

int64_t http_retry_after_s(const struct http_response *response)
{
    int64_t seconds = 0;
    if (!str_to_i64(str_c(http_header(response, "retry-after")), &seconds) || seconds < 0) {
        return -1;
    }
    return seconds < 86400 ? seconds : 86400;
}

int64_t http_date_us(const struct http_response *response)
{
    int64_t at_us = 0;
    return clock_parse_http(str_c(http_header(response, "date")), &at_us) ? at_us : 0;
}
