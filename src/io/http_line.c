#include "io/http_line.h"

#include "base/check.h"
#include "http_answer.h"
#include "io/secret.h"
#include "transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* A request is one record of TLS at most: of one that went out in part nothing can be read. */
enum { READ_SIZE = 32 * 1024, REQUEST_MAX = 16 * 1024 };

#define BODY_DEFAULT    ((size_t)1 << 20)
#define TIMEOUT_DEFAULT (30 * USEC_PER_SEC)
#define CONNECT_US      (10 * USEC_PER_SEC)
/* Before it is opened again: ever longer, unless it was of use or lasted. */
#define FIRST_PAUSE_US (200 * USEC_PER_MSEC)
#define PAUSE_MAX_US   (60 * USEC_PER_SEC)
#define LASTED_US      (10 * USEC_PER_SEC)
/* A way that is dead without a word: found while nothing is sent, too, since nothing else is. */
enum { UNHEARD_MS = 20000 };

/* One of its connections, in a row. */
struct connection {
    struct transfer t; /* first */
    struct http_line *line;
    struct loop_source *io; /* NULL: it is not open yet */
    int64_t opened_us;
};

struct http_line {
    struct http *http;
    char *url;
    char *ca_file;
    struct buf authority;
    struct buf path;               /* the front of each target */
    struct connection *connection; /* NULL: none now */
    struct err err;                /* why it could not be opened, or was lost while idle */
    struct loop_source *reopen;
    int64_t pause_us;
    /* The request under way. */
    bool busy;
    struct buf request_url; /* it may hold a signature */
    struct buf sending;     /* it may hold a key */
    size_t sent;
    struct http_answer answer;
    http_fn fn;
    void *userdata;
    int64_t began_us;
    struct loop_source *deadline;
};

static int64_t now_us(const struct http_line *line)
{
    return clock_mono_us(loop_clock(line->http->loop));
}

/* ---------------------------------------------------------------- connections */

static void free_connection(struct connection *c)
{
    loop_source_free(c->io); /* before its socket is closed */
    transfer_release(&c->t);
    free(c);
}

/* The connection is of no use any more. at_once: the server has ended it after an answer. */
static void drop(struct http_line *line, bool at_once)
{
    struct connection *c = TAKE(line->connection);
    bool lasted = c->opened_us > 0 && now_us(line) - c->opened_us >= LASTED_US;
    free_connection(c);
    line->pause_us = lasted ? FIRST_PAUSE_US : line->pause_us;
    loop_timer_in(line->reopen, at_once ? 0 : line->pause_us);
    line->pause_us = line->pause_us * 2 < PAUSE_MAX_US ? line->pause_us * 2 : PAUSE_MAX_US;
}

/* Nothing has come, and it has not ended, of which the loop has not told yet. */
static bool is_quiet(const struct connection *c)
{
    char byte;
    size_t n = 0;
    return curl.easy_recv(c->t.easy, &byte, 1, &n) == CURLE_AGAIN;
}

static void on_ready(int fd, uint32_t events, void *userdata);

static bool watch_socket(struct connection *c)
{
    static const unsigned unheard_ms = UNHEARD_MS;
    curl_socket_t fd = -1;
    /* Until it is read from, libcurl takes it for one that is left over, and may close it. */
    if (curl.easy_getinfo(c->t.easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0 ||
        !is_quiet(c)) {
        return false;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard_ms, sizeof(unheard_ms));
    c->io = loop_add_io(c->t.http->loop, fd, EPOLLIN, on_ready, c->line, NULL);
    return c->io != NULL;
}

/* libcurl's part is done: there is a connection, or there will be none. */
static void on_connection(struct transfer *t)
{
    struct connection *c = (struct connection *)t;
    struct http_line *line = c->line;
    t->done = false;
    if (c->io != NULL) {
        return; /* out of memory in a transfer that is over */
    }
    if (t->code != CURLE_OK) {
        enum err_id id = transfer_unsent_error(t, strncasecmp(line->url, "https://", 8) == 0);
        (void)err_set(&line->err, id, "%s", transfer_why(t, id));
        drop(line, false);
    } else if (!watch_socket(c)) {
        (void)err_set(&line->err, ERR_HTTP_CONNECT, "it broke");
        drop(line, false);
    } else {
        loop_source_name(c->io, "http line");
        c->opened_us = now_us(line);
        err_clear(&line->err);
    }
}

/* Its http is freed: the line goes first, so it has none. */
static void discard(struct transfer *t)
{
    struct connection *c = (struct connection *)t;
    c->line->connection = NULL;
    free_connection(c);
}

static void on_reopen(void *userdata)
{
    struct http_line *line = userdata;
    struct connection *c = calloc(1, sizeof(*c));
    NEED_MEMORY(c != NULL);
    c->line = line;
    line->connection = c;
    transfer_init(&c->t, line->http, on_connection, discard);
    transfer_set_connection(&c->t, line->url, line->ca_file, CONNECT_US);
    (void)transfer_find_host(&c->t, line->url, true); /* http_line_new has parsed it */
    transfer_begin(&c->t);
}

/* ---------------------------------------------------------------- the end of a request */

static void forget_sent(struct http_line *line)
{
    secret_wipe(line->sending.data, line->sending.len);
    buf_clear(&line->sending);
    line->sent = 0;
}

static void forget_request(struct http_line *line)
{
    forget_sent(line);
    secret_wipe(line->request_url.data, line->request_url.len);
    buf_clear(&line->request_url);
}

static enum http_outcome outcome_of(const struct err *err)
{
    return err->id == ERR_NONE             ? HTTP_OK
           : err->id == ERR_HTTP_TOO_LARGE ? HTTP_TOO_LARGE
                                           : HTTP_UNKNOWN;
}

/* err: ERR_NONE with an answer. The callback may free the line: nothing follows. */
static void finish(struct http_line *line, const struct err *why)
{
    struct http_header headers[HTTP_ANSWER_FIELDS_MAX];
    struct http_answer answer = line->answer;
    struct http_response response = {.outcome = outcome_of(why),
                                     .status = answer.status,
                                     .body = str_c(""),
                                     .memory = &answer.body,
                                     .headers = headers,
                                     .header_count = http_answer_fields(&answer, headers),
                                     .elapsed_us = now_us(line) - line->began_us};
    bool whole = response.outcome == HTTP_OK;
    if (whole) {
        response.body = buf_str(&answer.body);
    } else {
        AUTO_BUF struct buf url = BUF_INIT(4096);
        char redacted[160];
        http_redact_url(buf_str(&line->request_url), &url);
        str_cut(buf_str(&url), redacted, sizeof(redacted));
        (void)err_set(&response.err, (enum err_id)why->id, "%s: %s", redacted, why->context);
    }
    bool over = !whole || answer.close || answer.extra || line->sending.len > 0;
    line->pause_us = whole ? FIRST_PAUSE_US : line->pause_us;
    line->busy = false;
    loop_timer_stop(line->deadline);
    forget_request(line);
    http_answer_init(&line->answer, 0);
    if (over && line->connection != NULL) {
        drop(line, whole);
    }
    transfer_measure(line->http, response.elapsed_us, !whole);
    line->fn(&response, line->userdata);
    http_answer_release(&answer);
}

static void lost(struct http_line *line)
{
    struct err err = {0};
    (void)err_set(&err, ERR_HTTP_LOST, "it broke");
    finish(line, &err);
}

static void on_deadline(void *userdata)
{
    struct http_line *line = userdata;
    struct err err = {0};
    (void)err_set(&err, ERR_HTTP_TIMEOUT, "%zu bytes of an answer in %lld ms",
                  line->answer.bytes.len + line->answer.body.len,
                  (long long)((now_us(line) - line->began_us) / USEC_PER_MSEC));
    finish(line, &err);
}

/* ---------------------------------------------------------------- bytes */

/* Has the kernel take what it takes; false: the connection is broken. */
static bool push(struct http_line *line)
{
    CURL *easy = line->connection->t.easy;
    while (line->sent < line->sending.len) {
        size_t n = 0;
        CURLcode code = curl.easy_send(easy, line->sending.data + line->sent,
                                       line->sending.len - line->sent, &n);
        if (code != CURLE_OK || n == 0) {
            return code == CURLE_OK || code == CURLE_AGAIN;
        }
        line->sent += n;
    }
    return true;
}

/* After a push: goes on when the kernel takes more. */
static void watch(struct http_line *line)
{
    bool more = line->sent < line->sending.len;
    if (!more) {
        forget_sent(line);
    }
    loop_io_set(line->connection->io, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* False: the connection has ended, or the request, and the callback may have freed the line. */
static bool receive(struct http_line *line)
{
    AUTO_UNCLEARED char bytes[READ_SIZE];
    struct err err = {0};
    for (;;) {
        size_t n = 0;
        CURLcode code = curl.easy_recv(line->connection->t.easy, bytes, sizeof(bytes), &n);
        if (code == CURLE_AGAIN) {
            return true;
        }
        if (!line->busy) { /* it ended while nothing was asked, or says what nobody wants to hear */
            (void)err_set(&line->err, ERR_HTTP_LOST, "it ended");
            drop(line, false);
            return false;
        }
        if (code != CURLE_OK) {
            lost(line);
            return false;
        }
        int rc = n == 0 ? http_answer_end(&line->answer, &err)
                        : http_answer_read(&line->answer, str_n(bytes, n), &err);
        if (rc != 0) {
            finish(line, &err);
            return false;
        }
    }
}

/* An answer first: one that refuses the request may be there though its rest cannot be sent. */
static void on_ready(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    struct http_line *line = userdata;
    if ((events & ~(uint32_t)EPOLLOUT) != 0 && !receive(line)) {
        return;
    }
    if ((events & EPOLLOUT) == 0) {
        return;
    }
    if (push(line)) {
        watch(line);
    } else {
        lost(line);
    }
}

/* ---------------------------------------------------------------- requests */

/* Where the target goes on behind the path of the line; NULL: the request is not one for it. */
static const char *target_of(const struct http_line *line, const struct http_request *request)
{
    size_t len = strlen(line->url);
    if (request->parts != NULL || request->unix_path != NULL || request->certificate ||
        request->connect_only || request->on_body != NULL || request->body_fd > 0 ||
        strncmp(request->url, line->url, len) != 0) {
        return NULL;
    }
    const char *rest = request->url + len;
    for (const char *c = rest; *c != '\0'; c++) {
        if (*c <= ' ' || *c == 0x7F || *c == '#') {
            return NULL;
        }
    }
    return rest[0] == '/' ? rest : NULL;
}

/* False: a header has a line break, or it is too long. */
static bool write_request(struct http_line *line, const struct http_request *request,
                          const char *target)
{
    struct buf *out = &line->sending;
    const char *method = request->method != NULL ? request->method
                         : request->body.len > 0 ? "POST"
                                                 : "GET";
    bool good = !transfer_has_break(method) && strcmp(method, "HEAD") != 0;
    buf_add_c(out, method);
    buf_add_char(out, ' ');
    buf_add_str(out, buf_str(&line->path));
    buf_add_c(out, target);
    buf_add_c(out, " HTTP/1.1\r\nHost: ");
    buf_add_str(out, buf_str(&line->authority));
    buf_add_c(out, "\r\nUser-Agent: nightdesk/" NIGHTDESK_VERSION "\r\nAccept: */*\r\n");
    for (const char *const *h = request->headers; h != NULL && *h != NULL; h++) {
        good = good && !transfer_has_break(*h);
        buf_add_c(out, *h);
        buf_add_c(out, "\r\n");
    }
    if (request->content_type != NULL) {
        good = good && !transfer_has_break(request->content_type);
        buf_addf(out, "Content-Type: %s\r\n", request->content_type);
    }
    if (request->body.len > 0 || strcmp(method, "GET") != 0) {
        buf_addf(out, "Content-Length: %zu\r\n", request->body.len);
    }
    buf_add_c(out, "\r\n");
    buf_add_str(out, request->body);
    return good && !buf_failed(out);
}

static bool is_open(const struct http_line *line)
{
    return line->connection != NULL && line->connection->io != NULL;
}

bool http_line_is_free(const struct http_line *line)
{
    return is_open(line) && !line->busy;
}

void http_line_rehearse(struct http_line *line, const struct http_request *request)
{
    const char *target = target_of(line, request);
    if (target == NULL || !http_line_is_free(line)) {
        return;
    }
    (void)write_request(line, request, target);
    forget_request(line);
    if (!is_quiet(line->connection)) {
        (void)err_set(&line->err, ERR_HTTP_LOST, "it ended");
        drop(line, true);
    }
}

bool http_line_is_broken(const struct http_line *line, struct err *ret_why)
{
    *ret_why = line->err;
    return !is_open(line) && line->err.id != ERR_NONE;
}

bool http_line_send(struct http_line *line, const struct http_request *request, http_fn fn,
                    void *userdata)
{
    const char *target = target_of(line, request);
    if (target == NULL || !http_line_is_free(line)) {
        return false;
    }
    if (!write_request(line, request, target)) {
        forget_request(line);
        return false;
    }
    if (is_quiet(line->connection)) {
        (void)push(line); /* what breaks in the middle the loop finds out */
    }
    if (line->sent == 0) {
        (void)err_set(&line->err, ERR_HTTP_LOST, "it ended, or is stuck");
        forget_request(line);
        drop(line, false);
        return false;
    }
    line->busy = true;
    line->fn = fn;
    line->userdata = userdata;
    line->began_us = now_us(line);
    buf_add_c(&line->request_url, request->url);
    http_answer_init(&line->answer,
                     request->max_body_bytes > 0 ? request->max_body_bytes : BODY_DEFAULT);
    loop_timer_in(line->deadline,
                  request->timeout_ms > 0 ? request->timeout_ms * USEC_PER_MSEC : TIMEOUT_DEFAULT);
    watch(line);
    return true;
}

/* ---------------------------------------------------------------- life */

struct http_line *http_line_new(struct http *http, const char *url, const char *ca_file)
{
    struct http_line *line = calloc(1, sizeof(*line));
    NEED_MEMORY(line != NULL);
    line->http = http;
    line->url = strdup(url);
    line->ca_file = strdup(ca_file != NULL ? ca_file : "");
    NEED_MEMORY(line->url != NULL && line->ca_file != NULL);
    line->pause_us = FIRST_PAUSE_US;
    buf_init(&line->authority, 512);
    buf_init(&line->path, 4096);
    buf_init(&line->request_url, REQUEST_MAX);
    buf_init(&line->sending, REQUEST_MAX);
    buf_reserve(&line->request_url, REQUEST_MAX); /* what moves would leave a copy behind */
    buf_reserve(&line->sending, REQUEST_MAX);
    http_answer_init(&line->answer, 0);
    line->reopen = loop_add_timer(http->loop, on_reopen, line);
    line->deadline = loop_add_timer(http->loop, on_deadline, line);
    loop_source_name(line->reopen, "http line opens");
    loop_source_name(line->deadline, "http line deadline");
    bool known = strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
    if (!known || !transfer_split_url(url, &line->authority, &line->path) ||
        strchr(line->path.data, '?') != NULL) {
        http_line_free(line);
        return NULL;
    }
    if (line->path.len > 0 && line->path.data[line->path.len - 1] == '/') {
        buf_truncate(&line->path, line->path.len - 1);
    }
    loop_timer_in(line->reopen, 0);
    return line;
}

void http_line_free(struct http_line *line)
{
    if (line == NULL) {
        return;
    }
    if (line->connection != NULL) {
        free_connection(line->connection);
    }
    loop_source_free(line->reopen);
    loop_source_free(line->deadline);
    forget_request(line);
    http_answer_release(&line->answer);
    buf_release(&line->authority);
    buf_release(&line->path);
    buf_release(&line->request_url);
    buf_release(&line->sending);
    free(line->url);
    free(line->ca_file);
    free(line);
}
