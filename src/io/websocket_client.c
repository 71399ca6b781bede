#include "io/websocket_client.h"

#include "base/check.h"
#include "io/secret.h"
#include "io/websocket.h"
#include "transfer.h"
#include "websocket_upgrade.h"

#include <string.h>
#include <strings.h>

enum {
    READ_SIZE = 32 * 1024, /* two records of TLS */
    READS_MAX = 8,         /* of one wake-up: other sources of the loop wait meanwhile */
    CODE_REASON_MAX = 128
};

#define MESSAGE_DEFAULT ((size_t)1 << 20)
#define OUTPUT_DEFAULT  ((size_t)1 << 20)
/* What one read may add as pongs: three times its size, see websocket.h. */
#define OUTPUT_EXTRA   ((size_t)4 * READ_SIZE)
#define CLOSE_LIMIT_US (2 * USEC_PER_SEC)

struct websocket_client {
    struct transfer t; /* first: the connection */
    struct websocket_client_options o;
    enum {
        CONNECTING,
        UPGRADING,
        OPEN,
        CLOSING, /* our close was sent: the server should end the connection */
        ENDED    /* on_close is due, or has run */
    } state;
    bool tls;
    bool told;  /* on_close has run */
    bool aging; /* on_aging has run */
    bool more;  /* there may be bytes that epoll does not know of */
    bool freed; /* from a callback: destroyed when that returns */
    bool waits; /* for a pong */
    int inside; /* callbacks that run */
    struct websocket *ws;
    struct websocket_upgrade upgrade;
    struct buf head; /* of the answer */
    /* The request, which may hold a key, then frames. What the kernel has not taken is tried again
     * as it is, at the same address, since TLS wants that; what is new waits in the output of ws.
     */
    struct buf sending;
    size_t sent; /* of sending */
    struct loop_source *io;
    struct loop_source *timer;
    struct loop_source *deferred;
    int64_t until_us; /* for the upgrade, or the end after our close */
    int64_t opened_us;
    int64_t received_us;
    int64_t pinged_us;
    int64_t rtt_us;
    uint64_t ping; /* the payload of the newest one */
    struct err err;
    char redacted[160];
};

static int64_t now_us(const struct websocket_client *c)
{
    return clock_mono_us(loop_clock(c->t.http->loop));
}

/* ---------------------------------------------------------------- the end */

static void destroy(struct websocket_client *c)
{
    loop_source_free(c->io); /* before its socket is closed */
    loop_source_free(c->timer);
    loop_source_free(c->deferred);
    transfer_release(&c->t);
    websocket_free(c->ws);
    secret_wipe(c->sending.data, c->sending.cap);
    buf_release(&c->head);
    buf_release(&c->sending);
    free(c);
}

/* Around everything that may run callbacks: one of them may free the client. */
static void enter(struct websocket_client *c)
{
    c->inside++;
}

static void leave(struct websocket_client *c)
{
    c->inside--;
    if (c->inside == 0 && c->freed) {
        destroy(c);
    }
}

/* The client is done: on_close runs soon, from the loop. */
static void finish(struct websocket_client *c)
{
    c->state = ENDED;
    loop_source_free(TAKE(c->io));
    loop_timer_stop(c->timer);
    loop_defer(c->deferred);
}

__attribute__((format(printf, 3, 4))) static void fail(struct websocket_client *c, enum err_id id,
                                                       const char *format, ...)
{
    char why[CODE_REASON_MAX + 64];
    va_list args;
    if (c->state == ENDED) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    (void)err_set(&c->err, id, "%s: %s", c->redacted, why);
    finish(c);
}

static void lost(struct websocket_client *c, const char *why)
{
    if (c->state == CLOSING) {
        finish(c); /* as it should */
    } else {
        fail(c, ERR_WEBSOCKET_LOST, "%s", why);
    }
}

/* Whether the server has closed it first, with which code, and what it says, safe to show. */
static bool was_closed(const struct websocket_client *c, int *ret_code,
                       char ret_reason[CODE_REASON_MAX])
{
    struct str reason;
    if (c->ws == NULL || !websocket_was_closed(c->ws, ret_code, &reason)) {
        return false;
    }
    str_cut(reason, ret_reason, CODE_REASON_MAX);
    str_make_safe(ret_reason);
    return true;
}

static void tell(struct websocket_client *c)
{
    char reason[CODE_REASON_MAX] = "";
    struct websocket_end end = {.err = &c->err,
                                .status = c->upgrade.status,
                                .retry_after_s = c->upgrade.retry_after_s,
                                .reason = reason};
    (void)was_closed(c, &end.code, reason);
    c->told = true;
    c->o.on_close(c, &end, c->o.userdata);
}

/* ---------------------------------------------------------------- bytes out */

static size_t waiting(struct websocket_client *c)
{
    size_t framed = c->ws == NULL ? 0 : websocket_output(c->ws)->len;
    return c->sending.len - c->sent + framed;
}

/* Has the kernel take what it takes; false: the connection is broken. */
static bool push(struct websocket_client *c)
{
    for (;;) {
        if (c->sent == c->sending.len) {
            secret_wipe(c->sending.data, c->sending.len); /* it may have held a key */
            buf_clear(&c->sending);
            c->sent = 0;
            if (c->ws == NULL || websocket_output(c->ws)->len == 0) {
                return true;
            }
            struct buf framed = *websocket_output(c->ws);
            *websocket_output(c->ws) = c->sending;
            c->sending = framed;
        }
        size_t n = 0;
        CURLcode code =
            curl.easy_send(c->t.easy, c->sending.data + c->sent, c->sending.len - c->sent, &n);
        if (code != CURLE_OK || n == 0) {
            return code == CURLE_OK || code == CURLE_AGAIN;
        }
        c->sent += n;
    }
}

static void flush(struct websocket_client *c)
{
    if (!push(c)) {
        lost(c, "it broke");
        return;
    }
    loop_io_set(c->io, waiting(c) > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (c->state == OPEN && waiting(c) > c->o.max_output) {
        fail(c, ERR_WEBSOCKET_BLOCKED, "%zu bytes wait to be sent", waiting(c));
    }
}

/* Says why to the server, as far as the kernel takes it at once. */
static void say_goodbye(struct websocket_client *c, enum websocket_code code, const char *why)
{
    if (c->state == OPEN) {
        websocket_close(c->ws, code, why);
        (void)push(c);
    }
}

/* ---------------------------------------------------------------- timers */

static void arm(struct websocket_client *c)
{
    int64_t due_us = c->until_us;
    if (c->state == OPEN) {
        int64_t silent_us = c->received_us + c->o.silence_us, ping_us = c->pinged_us + c->o.ping_us;
        due_us = silent_us < ping_us ? silent_us : ping_us;
        int64_t age_us = c->opened_us + c->o.age_us - (c->aging ? 0 : c->o.notice_us);
        due_us = c->o.age_us > 0 && age_us < due_us ? age_us : due_us;
    }
    loop_timer_at(c->timer, due_us);
}

static void ping(struct websocket_client *c, int64_t at_us)
{
    c->pinged_us = at_us;
    c->ping++;
    c->waits = true;
    websocket_ping(c->ws, str_n((const char *)&c->ping, sizeof(c->ping)));
    flush(c);
}

static void on_open_timer(struct websocket_client *c)
{
    int64_t at_us = now_us(c);
    if (at_us >= c->received_us + c->o.silence_us) {
        say_goodbye(c, WEBSOCKET_GOING_AWAY, "silent");
        fail(c, ERR_WEBSOCKET_SILENT, "nothing for %lld ms", (long long)(c->o.silence_us / 1000));
        return;
    }
    if (c->o.age_us > 0 && !c->aging && at_us >= c->opened_us + c->o.age_us - c->o.notice_us) {
        c->aging = true; /* always before the end, which is due at the next run at the earliest */
        if (c->o.on_aging != NULL) {
            c->o.on_aging(c, c->o.userdata);
        }
        return;
    }
    if (c->o.age_us > 0 && at_us >= c->opened_us + c->o.age_us) {
        say_goodbye(c, WEBSOCKET_GOING_AWAY, "age");
        fail(c, ERR_WEBSOCKET_AGED, "%lld s", (long long)(c->o.age_us / USEC_PER_SEC));
        return;
    }
    if (at_us >= c->pinged_us + c->o.ping_us) {
        ping(c, at_us);
    }
}

static void on_timer(void *userdata)
{
    struct websocket_client *c = userdata;
    enter(c);
    if (c->state == OPEN) {
        on_open_timer(c);
    } else if (c->state == CLOSING) {
        finish(c); /* the server does not end it */
    } else {
        fail(c, ERR_WEBSOCKET_TIMEOUT, "%zu bytes of an answer in %lld ms", c->head.len,
             (long long)(c->o.open_timeout_us / 1000));
    }
    if (c->state != ENDED) {
        arm(c);
    }
    leave(c);
}

/* ---------------------------------------------------------------- bytes in */

static void on_message(struct websocket *ws, struct str message, bool binary, void *userdata)
{
    (void)ws;
    struct websocket_client *c = userdata;
    if (c->state == OPEN) { /* a message before may have ended it */
        c->o.on_message(c, message, binary, c->o.userdata);
    }
}

static void on_pong(struct websocket *ws, struct str payload, void *userdata)
{
    (void)ws;
    struct websocket_client *c = userdata;
    if (c->waits && str_equal(payload, str_n((const char *)&c->ping, sizeof(c->ping)))) {
        c->waits = false;
        c->rtt_us = now_us(c) - c->pinged_us;
    }
}

/* The last frame of this end was made while bytes were taken: why? */
static void judge(struct websocket_client *c)
{
    int code = 0;
    char reason[CODE_REASON_MAX];
    (void)push(c); /* our close */
    if (was_closed(c, &code, reason)) {
        if (code == 0) {
            fail(c, ERR_WEBSOCKET_CLOSED, "without a code");
        } else if (reason[0] == '\0') {
            fail(c, ERR_WEBSOCKET_CLOSED, "code %d", code);
        } else {
            fail(c, ERR_WEBSOCKET_CLOSED, "code %d, \"%s\"", code, reason);
        }
    } else if (websocket_code(c->ws) == WEBSOCKET_TOO_LONG) {
        fail(c, ERR_WEBSOCKET_TOO_LONG, "the limit is %zu bytes", c->o.max_message);
    } else {
        fail(c, ERR_WEBSOCKET_PROTOCOL, "%s",
             websocket_code(c->ws) == WEBSOCKET_INVALID ? "text that is not UTF-8"
                                                        : "a frame that is not allowed");
    }
}

static void take_frames(struct websocket_client *c, struct str bytes)
{
    websocket_receive(c->ws, bytes);
    if (c->freed || c->state != OPEN) {
        return;
    }
    if (websocket_is_over(c->ws)) {
        judge(c);
    } else if (websocket_output(c->ws)->len > 0) {
        flush(c); /* pongs */
    }
}

static void take_answer(struct websocket_client *c, struct str bytes)
{
    struct err err = {0};
    buf_add_str(&c->head, bytes); /* at most one read more than the upgrade accepts */
    int rc = websocket_upgrade_read(&c->upgrade, buf_str(&c->head), &err);
    if (rc < 0) {
        fail(c, (enum err_id)err.id, "%s", err.context);
        return;
    }
    if (rc == 0) {
        return;
    }
    c->state = OPEN;
    c->opened_us = c->pinged_us = c->received_us;
    c->ws = websocket_new(&(struct websocket_options){.client = true,
                                                      .max_message = c->o.max_message,
                                                      .max_output = c->o.max_output + OUTPUT_EXTRA,
                                                      .fn = on_message,
                                                      .on_pong = on_pong,
                                                      .userdata = c});
    arm(c);
    if (c->o.on_open != NULL) {
        c->o.on_open(c, c->o.userdata);
    }
    if (!c->freed && c->state == OPEN) {
        take_frames(c, str_n(c->head.data + c->upgrade.used, c->head.len - c->upgrade.used));
    }
    buf_release(&c->head);
}

static void receive(struct websocket_client *c)
{
    AUTO_UNCLEARED char bytes[READ_SIZE];
    c->more = false;
    for (int i = 0; i < READS_MAX; i++) {
        size_t n = 0;
        CURLcode code = curl.easy_recv(c->t.easy, bytes, sizeof(bytes), &n);
        if (code == CURLE_AGAIN) {
            return;
        }
        if (code != CURLE_OK || n == 0) {
            lost(c, n == 0 && code == CURLE_OK ? "it ended without a close" : "it broke");
            return;
        }
        c->received_us = now_us(c);
        if (c->state == UPGRADING) {
            take_answer(c, str_n(bytes, n));
        } else if (c->state == OPEN) {
            take_frames(c, str_n(bytes, n));
        }
        if (c->freed || c->state == ENDED) {
            return;
        }
    }
    c->more = true;
    loop_defer(c->deferred);
}

static void on_ready(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    struct websocket_client *c = userdata;
    enter(c);
    if ((events & EPOLLOUT) != 0) {
        flush(c);
    }
    if (c->state != ENDED && (events & ~(uint32_t)EPOLLOUT) != 0) {
        receive(c);
    }
    leave(c);
}

static void on_deferred(void *userdata)
{
    struct websocket_client *c = userdata;
    enter(c);
    if (c->state != ENDED && c->more) {
        receive(c);
    }
    if (c->state == ENDED && !c->told && !c->freed) {
        tell(c);
    }
    leave(c);
}

/* ---------------------------------------------------------------- the connection */

/* libcurl's part is done: there is a connection, or there will be none. */
static void on_connection(struct transfer *t)
{
    struct websocket_client *c = (struct websocket_client *)t;
    curl_socket_t fd = -1;
    t->done = false;
    if (c->state == ENDED) {
        return;
    }
    if (c->state != CONNECTING) {
        fail(c, ERR_WEBSOCKET_LOST, "out of memory");
        return;
    }
    if (t->code != CURLE_OK) {
        enum err_id id = transfer_unsent_error(t, c->tls);
        fail(c, id, "%s", transfer_why(t, id));
        return;
    }
    if (curl.easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0 ||
        (c->io = loop_add_io(t->http->loop, fd, EPOLLIN, on_ready, c, NULL)) == NULL) {
        fail(c, ERR_WEBSOCKET_LOST, "it broke");
        return;
    }
    loop_source_name(c->io, "websocket");
    c->state = UPGRADING;
    c->received_us = now_us(c);
    arm(c);
    flush(c);
}

static void discard(struct transfer *t)
{
    struct websocket_client *c = (struct websocket_client *)t;
    ASSERT(c->inside == 0);
    destroy(c);
}

/* Adds http:// or https:// and what follows the scheme of a ws:// or wss:// URL. */
static bool add_http_url(const char *url, bool *ret_tls, struct buf *out)
{
    *ret_tls = strncasecmp(url, "wss://", 6) == 0;
    if (!*ret_tls && strncasecmp(url, "ws://", 5) != 0) {
        return false;
    }
    buf_add_c(out, *ret_tls ? "https://" : "http://");
    buf_add_c(out, strchr(url, ':') + 3);
    return !buf_failed(out);
}

/* Adds the request of the upgrade. False if the URL or a header cannot be used. */
static bool add_request(struct websocket_client *c, const char *http_url)
{
    AUTO_BUF struct buf target = BUF_INIT(8192), authority = BUF_INIT(512);
    bool good = transfer_split_url(http_url, &authority, &target);
    for (const char *const *h = c->o.headers; good && h != NULL && *h != NULL; h++) {
        good = !transfer_has_break(*h);
    }
    if (good) {
        websocket_upgrade_begin(&c->upgrade, authority.data, target.data, c->o.headers,
                                &c->sending);
    }
    return good && !buf_failed(&c->sending);
}

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

struct websocket_client *websocket_client_open(struct http *http,
                                               const struct websocket_client_options *options,
                                               struct err *err)
{
    AUTO_BUF struct buf redacted = BUF_INIT(8192), url = BUF_INIT(8192);
    ASSERT(options->on_message != NULL && options->on_close != NULL);
    if (websocket_load(err) < 0) {
        return NULL;
    }
    struct websocket_client *c = calloc(1, sizeof(*c));
    NEED_MEMORY(c != NULL);
    c->o = *options;
    c->o.max_message = c->o.max_message > 0 ? c->o.max_message : MESSAGE_DEFAULT;
    c->o.max_output = c->o.max_output > 0 ? c->o.max_output : OUTPUT_DEFAULT;
    c->o.open_timeout_us = or_default(c->o.open_timeout_us, 10 * USEC_PER_SEC);
    c->o.silence_us = or_default(c->o.silence_us, 60 * USEC_PER_SEC);
    c->o.ping_us = or_default(c->o.ping_us, c->o.silence_us / 3);
    c->rtt_us = -1;
    buf_init(&c->head, WEBSOCKET_ANSWER_MAX + READ_SIZE);
    buf_init(&c->sending, c->o.max_output + OUTPUT_EXTRA);
    transfer_init(&c->t, http, on_connection, discard);
    c->timer = loop_add_timer(http->loop, on_timer, c);
    c->deferred = loop_add_deferred(http->loop, on_deferred, c);
    loop_source_name(c->timer, "websocket timer");
    loop_source_name(c->deferred, "websocket end");
    http_redact_url(str_c(options->url), &redacted);
    (void)str_copy(buf_str(&redacted), c->redacted, sizeof(c->redacted));
    if (!add_http_url(options->url, &c->tls, &url) || !add_request(c, url.data)) {
        err_set(err, ERR_HTTP_URL, "%s", c->redacted);
        destroy(c);
        return NULL;
    }
    transfer_set_connection(&c->t, url.data, c->o.ca_file, c->o.open_timeout_us);
    c->o.url = NULL; /* the caller's */
    c->o.headers = NULL;
    c->o.ca_file = NULL;
    c->until_us = now_us(c) + c->o.open_timeout_us;
    (void)transfer_find_host(&c->t, url.data, true); /* add_request has parsed it */
    transfer_begin(&c->t);
    return c;
}

int websocket_client_send(struct websocket_client *c, struct str text, struct err *err)
{
    if (c->state == OPEN && waiting(c) + text.len > c->o.max_output) {
        fail(c, ERR_WEBSOCKET_BLOCKED, "%zu bytes wait to be sent", waiting(c));
    }
    if (c->state == OPEN) {
        websocket_send(c->ws, text);
        flush(c);
    }
    if (c->state == OPEN) {
        return 0;
    }
    if (c->state != ENDED || c->err.id == ERR_NONE) {
        return err_set(err, ERR_WEBSOCKET_LOST, "%s: it is not open", c->redacted);
    }
    return err_set(err, (enum err_id)c->err.id, "%s", c->err.context);
}

void websocket_client_close(struct websocket_client *c)
{
    if (c->state == OPEN) {
        websocket_close(c->ws, WEBSOCKET_NORMAL, "");
        c->state = CLOSING;
        c->until_us =
            now_us(c) + (c->o.silence_us < CLOSE_LIMIT_US ? c->o.silence_us : CLOSE_LIMIT_US);
        arm(c);
        flush(c);
    } else if (c->state == CONNECTING || c->state == UPGRADING) {
        finish(c);
    }
}

void websocket_client_free(struct websocket_client *c)
{
    if (c == NULL) {
        return;
    }
    say_goodbye(c, WEBSOCKET_GOING_AWAY, "");
    c->freed = true;
    if (c->inside == 0) {
        destroy(c);
    }
}

bool websocket_client_is_open(const struct websocket_client *c)
{
    return c->state == OPEN;
}

int64_t websocket_client_rtt_us(const struct websocket_client *c)
{
    return c->rtt_us;
}
