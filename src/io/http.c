#include "io/http.h"

#include "base/check.h"
#include "io/file.h"
#include "transfer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { HEADERS_MAX = 64, HEADER_BYTES_MAX = 64 * 1024, HEADERS_READ_MAX = 256 * 1024 };

struct http_call {
    struct transfer t; /* first */
    curl_mime *mime;
    struct curl_slist *headers;
    char *body_copy;
    size_t body_len;
    size_t body_sent;
    http_fn fn;
    void (*on_body)(struct str body, int status, void *userdata);
    void *userdata;
    struct buf body;
    struct buf header_text; /* "name\0value\0…" of the final response */
    size_t header_count;
    size_t header_bytes; /* received */
    int fd;              /* > 0: where the body goes, instead of to memory */
    size_t written;      /* to it */
    int fd_error;        /* errno of a write that failed */
    bool unmeasured;
    int begun; /* sendings of a request that may be sent once */
    bool tls;
    bool certificate; /* the caller asks for its end */
    bool too_large;
    char *url; /* as it is: it may hold a token */
};

/* ------------------------------------------------------------------ curl's callbacks */

/* 0 aborts the transfer. */
static size_t write_body(struct http_call *call, const char *bytes, size_t size)
{
    call->too_large = size > call->body.max - call->written;
    for (size_t done = 0; !call->too_large && done < size;) {
        ssize_t n = write(call->fd, bytes + done, size - done);
        if (n < 0 && errno != EINTR) {
            call->fd_error = errno;
            return 0;
        }
        done += n < 0 ? 0 : (size_t)n;
    }
    call->written += size;
    return call->too_large ? 0 : size;
}

static size_t on_curl_body(char *bytes, size_t size, size_t count, void *userdata)
{
    struct http_call *call = userdata;
    if (call->fd > 0) {
        return write_body(call, bytes, size * count);
    }
    buf_add(&call->body, bytes, size * count);
    if (buf_failed(&call->body)) {
        call->too_large = true;
        return 0; /* aborts the transfer */
    }
    if (call->on_body != NULL) {
        call->t.news = true;
        loop_defer(call->t.http->deferred);
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

/* ------------------------------------------------------------------ results */

/* Whether the headers of the answer were too much: for us, or one of them for curl, which then says
 * that memory ran out. */
static bool headers_too_large(const struct http_call *call)
{
    return call->header_bytes > HEADERS_READ_MAX ||
           (call->t.code == CURLE_OUT_OF_MEMORY && call->header_bytes > 0) ||
           strstr(call->t.curl_why, "Too large response headers") != NULL;
}

/* Sets outcome and err of a failed call. */
static void classify(const struct http_call *call, struct http_response *response)
{
    AUTO_BUF struct buf url = BUF_INIT(4096);
    char redacted[160];
    http_redact_url(str_c(call->url), &url);
    str_cut(buf_str(&url), redacted, sizeof(redacted));
    if (call->too_large || call->t.code == CURLE_FILESIZE_EXCEEDED) {
        response->outcome = HTTP_TOO_LARGE;
        err_set(&response->err, ERR_HTTP_TOO_LARGE, "%s: the limit is %zu bytes", redacted,
                call->body.max);
        return;
    }
    if (call->fd_error != 0) {
        response->outcome = HTTP_UNKNOWN;
        (void)file_error(&response->err, call->fd_error, "write the body of", redacted);
        return;
    }
    long sent_bytes = 0;
    (void)curl.easy_getinfo(call->t.easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    enum err_id id = transfer_error(call->t.code);
    /* curl rewinds a body, and begins again, only to resend it. */
    bool sent = sent_bytes > 0 || call->t.code == CURLE_SEND_FAIL_REWIND || call->begun > 1;
    response->outcome = sent ? HTTP_UNKNOWN : HTTP_NOT_SENT;
    if (!sent) {
        id = transfer_unsent_error(&call->t, call->tls);
    } else if (headers_too_large(call)) {
        (void)err_set(&response->err, ERR_HTTP_HEADERS, "%s", redacted);
        return;
    }
    err_set(&response->err, id, "%s: %s", redacted, transfer_why(&call->t, id));
}

/* When the certificate of the server, the first of its chain, ends; 0: not known. */
static int64_t expiry_of(const struct http_call *call)
{
    static const char label[] = "Expire date:";
    struct curl_certinfo *info = NULL;
    if (curl.easy_getinfo(call->t.easy, CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL ||
        info->num_of_certs < 1) {
        return 0;
    }
    for (const struct curl_slist *item = info->certinfo[0]; item != NULL; item = item->next) {
        if (strncmp(item->data, label, sizeof(label) - 1) == 0) {
            time_t at = curl.getdate(item->data + sizeof(label) - 1, NULL);
            return at > 0 ? (int64_t)at * USEC_PER_SEC : 0;
        }
    }
    return 0;
}

static void call_free(struct http_call *call)
{
    transfer_release(&call->t);
    curl.mime_free(call->mime);
    curl.slist_free_all(call->headers);
    free(call->url);
    free(call->body_copy);
    buf_release(&call->body);
    buf_release(&call->header_text);
    free(call);
}

static void discard(struct transfer *t)
{
    call_free((struct http_call *)t);
}

/* Some of the body has arrived. The callback may cancel the call, which frees the body. */
static void report(struct transfer *t)
{
    const struct http_call *call = (const struct http_call *)t;
    long status = 0;
    (void)curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    call->on_body(buf_str(&call->body), (int)status, call->userdata);
}

static void deliver(struct transfer *t)
{
    struct http_call *call = (struct http_call *)t;
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
    (void)curl.easy_getinfo(call->t.easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl.easy_getinfo(call->t.easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    response.status = (int)status;
    response.elapsed_us = elapsed_us + call->t.lookup_us;
    response.expires_us = call->certificate ? expiry_of(call) : 0;
    if (call->t.code == CURLE_OK && !call->too_large) {
        response.body = buf_str(&call->body);
    } else {
        classify(call, &response);
    }
    if (!call->unmeasured) {
        transfer_measure(call->t.http, response.elapsed_us, response.outcome != HTTP_OK);
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

void http_measure(struct http *http, struct http_meter *meter)
{
    http->meter = meter;
}

void http_take_body(const struct http_response *response, struct buf *ret)
{
    *ret = *response->memory;
    buf_init(response->memory, 0);
}

/* ------------------------------------------------------------------ client */

/* False if a header contains a line break. */
static bool set_headers(struct http_call *call, const struct http_request *request)
{
    AUTO_BUF struct buf type = BUF_INIT(512);
    struct curl_slist *list = NULL;
    bool good = true;
    if (request->content_type != NULL) {
        buf_addf(&type, "Content-Type: %s", request->content_type);
        good = !transfer_has_break(type.data) && !buf_failed(&type);
        list = curl.slist_append(NULL, type.data);
        ASSERT(list != NULL);
    }
    for (const char *const *h = request->headers; good && h != NULL && *h != NULL; h++) {
        good = !transfer_has_break(*h);
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

/* The same for a request that may be sent once, whose body libcurl could rewind, or which has none:
 * this is called before each sending. */
static int on_curl_begin(void *userdata, char *theirs, char *ours, int their_port, int our_port)
{
    struct http_call *call = userdata;
    (void)theirs;
    (void)ours;
    (void)their_port;
    (void)our_port;
    call->begun++;
    return call->begun == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static void set_parts(struct http_call *call, const struct http_request *request)
{
    call->mime = curl.mime_init(call->t.easy);
    ASSERT(call->mime != NULL);
    for (size_t i = 0; i < request->part_count; i++) {
        const struct http_part *from = &request->parts[i];
        curl_mimepart *part = curl.mime_addpart(call->mime);
        ASSERT(part != NULL);
        transfer_need_memory(curl.mime_name(part, from->name));
        if (from->path != NULL) {
            /* A file that cannot be read fails the transfer before a byte of it is sent. */
            (void)curl.mime_filedata(part, from->path);
        } else {
            transfer_need_memory(curl.mime_data(part, from->body.ptr, from->body.len));
        }
        if (from->filename != NULL) {
            transfer_need_memory(curl.mime_filename(part, from->filename));
        }
        if (from->content_type != NULL || from->filename != NULL) {
            transfer_need_memory(curl.mime_type(part, from->content_type == NULL
                                                          ? "application/octet-stream"
                                                          : from->content_type));
        }
    }
    transfer_need_memory(easy_set(call->t.easy, CURLOPT_MIMEPOST, call->mime));
    /* libcurl can rewind these parts by itself (see on_curl_seek), so it must use a new connection,
     * on which it does not resend. */
    (void)easy_set(call->t.easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void set_body(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->t.easy;
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
        if (request->once) { /* in one piece with the headers; on_curl_begin guards it */
            (void)easy_set(easy, CURLOPT_POSTFIELDS, call->body_copy);
        } else {
            (void)easy_set(easy, CURLOPT_READFUNCTION, on_curl_read);
            (void)easy_set(easy, CURLOPT_READDATA, call);
            (void)easy_set(easy, CURLOPT_SEEKFUNCTION, on_curl_seek);
            (void)easy_set(easy, CURLOPT_SEEKDATA, call);
        }
    } else if (method != NULL && strcmp(method, "HEAD") == 0) {
        (void)easy_set(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (method != NULL && strcmp(method, "POST") != 0 && strcmp(method, "GET") != 0) {
        transfer_need_memory(easy_set(easy, CURLOPT_CUSTOMREQUEST, method));
    }
}

static void set_options(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->t.easy;
    transfer_set_times(&call->t, request->timeout_ms, request->connect_timeout_ms);
    transfer_need_memory(easy_set(easy, CURLOPT_URL, request->url));
    transfer_need_memory(easy_set(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
    (void)easy_set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    transfer_need_memory(easy_set(easy, CURLOPT_USERAGENT, "nightdesk/" NIGHTDESK_VERSION));
    (void)easy_set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)easy_set(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->body.max);
    (void)easy_set(easy, CURLOPT_WRITEFUNCTION, on_curl_body);
    (void)easy_set(easy, CURLOPT_WRITEDATA, call);
    (void)easy_set(easy, CURLOPT_HEADERFUNCTION, on_curl_header);
    (void)easy_set(easy, CURLOPT_HEADERDATA, call);
    (void)easy_set(easy, CURLOPT_HTTPHEADER, call->headers);
    if (request->unix_path != NULL) {
        transfer_need_memory(easy_set(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_path));
    }
    if (request->ca_file != NULL && request->ca_file[0] != '\0') {
        transfer_need_memory(easy_set(easy, CURLOPT_CAINFO, request->ca_file));
    }
    if (request->once) {
        (void)easy_set(easy, CURLOPT_PREREQFUNCTION, on_curl_begin);
        (void)easy_set(easy, CURLOPT_PREREQDATA, call);
    }
    if (request->connect_only) {
        (void)easy_set(easy, CURLOPT_CONNECT_ONLY, 1L);
        transfer_need_memory(easy_set(easy, CURLOPT_NOPROXY, "*"));
    }
    if (request->certificate) { /* it is known after a handshake only */
        call->certificate = true;
        (void)easy_set(easy, CURLOPT_CERTINFO, 1L);
        (void)easy_set(easy, CURLOPT_FRESH_CONNECT, 1L);
    }
}

bool http_join_url(const char *url, const char *location, struct buf *out)
{
    CURLU *parts = curl.url();
    char *joined = NULL;
    ASSERT(parts != NULL);
    bool good = curl.url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl.url_set(parts, CURLUPART_URL, location, 0) == CURLUE_OK &&
                curl.url_get(parts, CURLUPART_URL, &joined, 0) == CURLUE_OK;
    buf_add_c(out, good ? joined : "");
    curl.free(joined);
    curl.url_cleanup(parts);
    return good && !buf_failed(out);
}

/* ------------------------------------------------------------------ calls */

/* False: the URL or the method is malformed. */
static bool find_host(struct http_call *call, const struct http_request *request)
{
    bool plain = call->tls || strncasecmp(request->url, "http://", 7) == 0;
    bool good = plain && !transfer_has_break(request->url) &&
                (request->method == NULL || !transfer_has_break(request->method)) &&
                transfer_find_host(&call->t, request->url, !request->connect_only);
    if (request->unix_path != NULL) {
        call->t.host[0] = '\0'; /* of no host */
    }
    return good;
}

static struct http_call *refuse(struct http_call *call, const char *why, struct err *err)
{
    AUTO_BUF struct buf url = BUF_INIT(4096);
    http_redact_url(str_c(call->url), &url);
    (void)err_set(err, ERR_HTTP_URL, "%s%s", url.data, why);
    call_free(call);
    return NULL;
}

struct http_call *http_send(struct http *http, const struct http_request *request, http_fn fn,
                            void *userdata, struct err *err)
{
    ASSERT(request->url != NULL && fn != NULL && !http->freed_inside);
    struct http_call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    transfer_init(&call->t, http, deliver, discard);
    call->t.report = report;
    call->fn = fn;
    call->on_body = request->on_body;
    call->userdata = userdata;
    call->fd = request->body_fd;
    call->unmeasured = request->unmeasured;
    call->tls = strncasecmp(request->url, "https://", 8) == 0;
    call->url = strdup(request->url);
    NEED_MEMORY(call->url != NULL);
    buf_init(&call->body, request->max_body_bytes > 0 ? request->max_body_bytes : (size_t)1 << 20);
    buf_init(&call->header_text, HEADER_BYTES_MAX);
    if (!find_host(call, request)) {
        return refuse(call, "", err);
    }
    if (!set_headers(call, request)) {
        return refuse(call, ": header with a line break", err);
    }
    set_options(call, request);
    set_body(call, request);
    transfer_begin(&call->t);
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
