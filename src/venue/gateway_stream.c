#include "gateway_stream.h"

#include "base/check.h"
#include "base/log.h"
#include "io/websocket_client.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX ((size_t)1 << 20)
#define URL_MAX     2048
#define LOGIN_US    (10 * USEC_PER_SEC) /* from the first step to the first event */
#define KEY_US      (15 * USEC_PER_SEC)
/* The connection is replaced so long before the venue ends it. */
#define BEFORE_END_US (5 * USEC_PER_MIN)

struct gateway_stream {
    struct gateway_stream_options o;
    struct websocket_client *ws;
    struct buf key; /* of the stream */
    struct loop_source *login;
    struct loop_source *ping;
    struct loop_source *keep;
    bool asking_key;
    bool wanted; /* it is open, or on the way to it */
    bool open;
    int64_t sequence;
};

bool gateway_stream_exists(const struct account_api *api)
{
    return api->read_stream != NULL;
}

/* Ends the connection, if there is one, and says so once. */
static void lost(struct gateway_stream *s, const struct err *why)
{
    if (!s->wanted) {
        return;
    }
    s->wanted = false;
    s->open = false;
    websocket_client_free(TAKE(s->ws));
    loop_timer_stop(s->login);
    loop_timer_stop(s->ping);
    loop_timer_stop(s->keep);
    s->o.on_state(false, why, s->o.userdata);
}

static void lost_for(struct gateway_stream *s, const char *reason)
{
    struct err err = {0};
    (void)err_set(&err, ERR_VENUE_STREAM, "%s: %s", s->o.api->name, reason);
    lost(s, &err);
}

static void on_login_late(void *userdata)
{
    lost_for(userdata, "no event came after logging in");
}

/* ---------------------------------------------------------------- messages */

/* False: a message is missing. */
static bool is_next(struct gateway_stream *s, int64_t sequence)
{
    bool next =
        sequence == 0 || s->sequence == 0 || sequence == s->sequence || sequence == s->sequence + 1;
    s->sequence = sequence != 0 ? sequence : s->sequence;
    return next;
}

static void ready(struct gateway_stream *s)
{
    if (!s->open) {
        s->open = true;
        loop_timer_stop(s->login);
        s->o.on_state(true, NULL, s->o.userdata);
    }
}

/* False: the stream is over. */
static bool take(struct gateway_stream *s, const struct account_event *event, const struct err *why)
{
    if (!is_next(s, event->sequence)) {
        lost_for(s, "a message is missing");
        return false;
    }
    switch (event->kind) {
    case ACCOUNT_EVENT_NONE:
        break;
    case ACCOUNT_EVENT_READY:
        ready(s);
        break;
    case ACCOUNT_EVENT_ORDER:
    case ACCOUNT_EVENT_FILL:
    case ACCOUNT_EVENT_CHANGED:
    case ACCOUNT_EVENT_MARGIN:
        s->o.on_event(event, s->o.userdata);
        break;
    case ACCOUNT_EVENT_OVER:
        lost_for(s, "the venue ended it");
        break;
    case ACCOUNT_EVENT_REFUSED:
        calls_doubt_clock(s->o.calls); /* not every venue says that it was the time */
        if (why->id != ERR_NONE) {
            lost(s, why);
        } else {
            lost_for(s, "the log-in was refused");
        }
        break;
    }
    return s->wanted;
}

static void on_message(struct websocket_client *ws, struct str message, bool binary, void *userdata)
{
    (void)ws;
    (void)binary; /* one venue sends JSON in binary frames */
    struct gateway_stream *s = userdata;
    struct err err = {0};
    AUTO_JSON struct json_object *root = NULL;
    const struct json_limits limits = {.max_bytes = MESSAGE_MAX, .max_depth = 32};
    int count = 0;
    struct account_event *events = calloc(ACCOUNT_EVENTS_MAX, sizeof(*events));
    NEED_MEMORY(events != NULL);
    int rc = json_parse(message, &limits, &root, &err);
    rc = rc < 0 ? rc : s->o.api->read_stream(root, events, &count, &err);
    if (rc < 0) {
        lost(s, &err);
    }
    for (int i = 0; rc >= 0 && i < count && take(s, &events[i], &err); i++) {}
    free(events);
}

/* ---------------------------------------------------------------- opening */

static void on_open(struct websocket_client *ws, void *userdata)
{
    struct gateway_stream *s = userdata;
    struct err err = {0};
    int rc = 1;
    AUTO_BUF struct buf message = BUF_INIT(64 << 10);
    for (int n = 0; rc > 0 && s->o.api->add_stream_login != NULL; n++) {
        struct account_moment moment;
        calls_moment(s->o.calls, &moment);
        const struct account_key key = {.id = str_c(secret_text(s->o.key_id)),
                                        .secret = str_c(secret_text(s->o.key_secret))};
        buf_clear(&message);
        rc = s->o.api->add_stream_login(n, &key, &moment, s->key.len > 0 ? s->key.data : "",
                                        &message, &err);
        if (rc > 0) {
            rc = websocket_client_send(ws, buf_str(&message), &err) < 0 ? 0 : rc;
        }
    }
    secret_wipe(message.data, message.len);
    if (rc < 0) {
        lost(s, &err);
        return;
    }
    if (s->o.api->stream_ping_us > 0) {
        loop_timer_every(s->ping, s->o.api->stream_ping_us);
    }
    if (s->o.api->stream_key_us > 0) {
        loop_timer_every(s->keep, s->o.api->stream_key_us / 2);
    }
    if (s->o.api->add_stream_login == NULL) { /* its key has opened it */
        ready(s);
    }
}

static void on_close(struct websocket_client *ws, const struct websocket_end *end, void *userdata)
{
    (void)ws;
    struct gateway_stream *s = userdata;
    struct err err = {0};
    (void)err_set(&err, ERR_VENUE_STREAM, "%s: %s", s->o.api->name,
                  end->err->id != ERR_NONE ? end->err->context : "it was closed");
    lost(s, &err);
}

static void connect_to(struct gateway_stream *s)
{
    struct err err = {0};
    AUTO_BUF struct buf url = BUF_INIT(URL_MAX);
    buf_add_c(&url, s->o.url);
    if (s->o.api->add_stream_path != NULL) {
        s->o.api->add_stream_path(s->key.len > 0 ? s->key.data : "", &url);
    }
    s->sequence = 0;
    int64_t age_us = s->o.api->stream_age_us;
    s->ws = websocket_client_open(
        s->o.http,
        &(struct websocket_client_options){
            .url = url.data,
            .ca_file = s->o.ca_file,
            .max_message = MESSAGE_MAX,
            .silence_us = s->o.api->stream_silence_us,
            .age_us = age_us > 2 * BEFORE_END_US ? age_us - BEFORE_END_US : age_us,
            .on_open = on_open,
            .on_message = on_message,
            .on_close = on_close,
            .userdata = s},
        &err);
    if (s->ws == NULL) {
        lost(s, &err);
    }
}

static void on_key(const struct calls_answer *answer, void *userdata)
{
    struct gateway_stream *s = userdata;
    struct err err = {0};
    s->asking_key = false;
    buf_clear(&s->key);
    int rc = answer->verdict == ACCOUNT_FINE
                 ? s->o.api->read_stream_key(answer->root, &s->key, &err)
                 : -answer->err->id;
    if (rc < 0) {
        lost(s, answer->err != NULL ? answer->err : &err);
    } else if (s->wanted && s->ws == NULL) {
        connect_to(s);
    }
}

/* keep: the key that is in use. */
static void ask_key(struct gateway_stream *s, const char *keep)
{
    if (!s->asking_key) {
        s->asking_key = true;
        s->o.api->add_stream_key(keep, calls_begin(s->o.calls));
        calls_send(s->o.calls, ACCOUNT_STREAM, clock_mono_us(loop_clock(s->o.loop)) + KEY_US,
                   on_key, s);
    }
}

static void on_ping(void *userdata)
{
    struct gateway_stream *s = userdata;
    if (s->ws != NULL && s->o.api->stream_ping != NULL) {
        (void)websocket_client_send(s->ws, str_c(s->o.api->stream_ping), NULL); /* on_close tells */
    }
}

static void on_keep(void *userdata)
{
    struct gateway_stream *s = userdata;
    ask_key(s, s->key.data);
}

void gateway_stream_open(struct gateway_stream *s)
{
    if (s->wanted) {
        return;
    }
    s->wanted = true;
    loop_timer_in(s->login, KEY_US + LOGIN_US);
    if (s->o.api->add_stream_key != NULL) {
        ask_key(s, NULL);
    } else {
        connect_to(s);
    }
}

struct gateway_stream *gateway_stream_new(const struct gateway_stream_options *options)
{
    struct gateway_stream *s = calloc(1, sizeof(*s));
    NEED_MEMORY(s != NULL);
    s->o = *options;
    buf_init(&s->key, URL_MAX);
    s->login = loop_add_timer(options->loop, on_login_late, s);
    s->ping = loop_add_timer(options->loop, on_ping, s);
    s->keep = loop_add_timer(options->loop, on_keep, s);
    loop_source_name(s->login, "venue stream");
    return s;
}

void gateway_stream_free(struct gateway_stream *s)
{
    if (s == NULL) {
        return;
    }
    websocket_client_free(s->ws);
    secret_wipe(s->key.data, s->key.len);
    buf_release(&s->key);
    loop_source_free(s->login);
    loop_source_free(s->ping);
    loop_source_free(s->keep);
    free(s);
}
