#include "market_lane.h"

#include "base/check.h"
#include "base/log.h"
#include "io/json.h"
#include "io/secret.h"
#include "io/websocket_client.h"
#include "venue/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX   ((size_t)8 << 20)
#define LOGIN_MAX     ((size_t)8 << 10)
#define NOTICE_US     (5 * USEC_PER_MIN) /* before the venue's limit of age */
#define SUBSCRIBED_US (15 * USEC_PER_SEC)
/* Longer than a minute, at whose end a candle comes. */
#define QUIET_US        (150 * USEC_PER_SEC)
#define FIRST_PAUSE_US  (USEC_PER_SEC / 4)
#define PAUSE_DOUBLINGS 7
#define STEADY_US       USEC_PER_MIN /* up for so long, the next pause is short */
#define CHECK_US        USEC_PER_SEC

struct socket { /* one of two connections: that in use, and its replacement */
    struct market_lane *lane;
    struct websocket_client *ws;
    struct loop_source *send;
    struct loop_source *ping;
    int sent;      /* subscriptions */
    bool all_sent; /* there are no more */
    int ready;     /* of them confirmed */
    uint64_t connection;
    int64_t opened_mono_us;
    int64_t heard_mono_us;
};

struct market_lane {
    struct market_lane_options o;
    struct loop_source *retry;
    struct loop_source *renew;
    struct loop_source *check;
    struct socket *now;
    struct socket *next; /* its replacement, NULL: none is needed */
    bool up;
    int64_t changed_mono_us; /* since when it is up or down */
    int failures;
    uint64_t opened;
    char reason[160];
};

static int64_t mono_us(const struct market_lane *lane)
{
    return clock_mono_us(loop_clock(lane->o.loop));
}

static void free_socket(struct socket *s)
{
    if (s != NULL) {
        websocket_client_free(s->ws);
        loop_source_free(s->send);
        loop_source_free(s->ping);
        free(s);
    }
}

static void open_socket(struct market_lane *lane, struct socket **slot);

/* ---------------------------------------------------------------- up and down */

static void go_up(struct market_lane *lane)
{
    if (!lane->up) {
        lane->up = true;
        lane->changed_mono_us = mono_us(lane);
        lane->reason[0] = '\0';
        lane->o.on_up(lane, lane->o.userdata);
    }
}

static void go_down(struct market_lane *lane, const char *why)
{
    (void)snprintf(lane->reason, sizeof(lane->reason), "%s", why);
    if (lane->up) {
        bool steady = mono_us(lane) - lane->changed_mono_us >= STEADY_US;
        lane->failures = steady ? 0 : lane->failures;
        lane->up = false;
        lane->changed_mono_us = mono_us(lane);
        lane->o.on_down(lane, lane->reason, lane->o.userdata);
    }
}

/* wanted_us: at least so long. */
static void retry_later(struct market_lane *lane, int64_t wanted_us)
{
    int doublings = lane->failures < PAUSE_DOUBLINGS ? lane->failures : PAUSE_DOUBLINGS;
    int64_t pause_us = FIRST_PAUSE_US << doublings;
    pause_us += (int64_t)(secret_random_u64() % (uint64_t)pause_us); /* not all at once */
    lane->failures++;
    loop_timer_in(lane->retry, pause_us > wanted_us ? pause_us : wanted_us);
}

/* The connection is over: its replacement takes its place, or it is opened again. */
static void lose(struct socket *s, const char *why, int64_t wanted_us)
{
    struct market_lane *lane = s->lane;
    bool in_use = s == lane->now;
    if (in_use) {
        lane->now = TAKE(lane->next);
        go_down(lane, why);
    } else {
        lane->next = NULL;
    }
    free_socket(s);
    if (in_use && lane->now != NULL && lane->now->all_sent && lane->now->ready >= lane->now->sent) {
        go_up(lane);
    } else if (lane->now == NULL || !in_use) {
        retry_later(lane, wanted_us);
    }
}

static void on_retry(void *userdata)
{
    struct market_lane *lane = userdata;
    if (lane->now == NULL) {
        open_socket(lane, &lane->now);
    } else if (lane->next == NULL) {
        open_socket(lane, &lane->next);
    }
}

void market_lane_replace(struct market_lane *lane)
{
    if (lane->o.api->alone && lane->now != NULL) {
        loop_timer_in(lane->renew, 0); /* not within a callback of its connection */
    } else if (lane->next == NULL && lane->now != NULL) {
        open_socket(lane, &lane->next);
    }
}

static void on_renew(void *userdata)
{
    market_lane_reopen(userdata, "the connection is renewed");
}

/* All subscriptions are confirmed. */
static void became_ready(struct socket *s)
{
    struct market_lane *lane = s->lane;
    if (s == lane->next) {
        free_socket(lane->now);
        lane->now = TAKE(lane->next);
    }
    go_up(lane);
}

static void look_ready(struct socket *s)
{
    if (s->all_sent && s->ready >= s->sent && (s == s->lane->next || !s->lane->up)) {
        became_ready(s);
    }
}

/* ---------------------------------------------------------------- what is sent */

static void on_send(void *userdata)
{
    struct socket *s = userdata;
    const struct market_lane_options *o = &s->lane->o;
    const struct stream_ask ask = {.markets = o->markets,
                                   .count = o->count,
                                   .depth = o->depth,
                                   .trades = o->api->trades_make_candles};
    AUTO_BUF struct buf message = BUF_INIT(1 << 20);
    int more = o->api->add_subscribe(&ask, s->sent, &message);
    if (more <= 0) {
        s->all_sent = true;
        look_ready(s);
        return;
    }
    s->sent++;
    if (websocket_client_send(s->ws, buf_str(&message), NULL) >= 0) {
        loop_timer_in(s->send, o->api->message_gap_us);
    }
}

static void on_ping(void *userdata)
{
    struct socket *s = userdata;
    (void)websocket_client_send(s->ws, str_c(s->lane->o.api->ping), NULL);
}

/* A failure closes it: on_close runs, or no answer comes. */
static void log_in(struct socket *s)
{
    const struct market_lane_options *o = &s->lane->o;
    const struct account_key key = {.id = str_c(secret_text(o->key_id)),
                                    .secret = str_c(secret_text(o->key_secret))};
    AUTO_BUF struct buf message = BUF_INIT(LOGIN_MAX);
    struct err err = {0};
    if (o->api->add_login(&key, &message, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "cannot log in to the stream of prices");
    } else {
        (void)websocket_client_send(s->ws, buf_str(&message), NULL);
    }
    secret_wipe(message.data, message.len);
}

static void on_open(struct websocket_client *ws, void *userdata)
{
    struct socket *s = userdata;
    const struct stream_api *api = s->lane->o.api;
    (void)ws;
    s->opened_mono_us = s->heard_mono_us = mono_us(s->lane);
    if (api->add_login != NULL) {
        log_in(s);
    } else {
        loop_timer_in(s->send, 0);
    }
    if (api->ping != NULL) {
        loop_timer_every(s->ping, api->ping_us);
    }
}

/* ---------------------------------------------------------------- what comes */

static void take(struct socket *s, const struct stream_message *message, const struct err *err)
{
    struct market_lane *lane = s->lane;
    const struct market_lane_message passed = {message, s->connection, s == lane->now};
    bool closing = false;
    for (int i = 0; i < message->count; i++) {
        enum stream_event_kind kind = message->events[i].kind;
        if (kind == STREAM_SHUT) {
            lose(s, err->context, 0);
            return;
        }
        s->ready += kind == STREAM_READY || kind == STREAM_REFUSED;
        closing = closing || kind == STREAM_CLOSING;
        if (kind == STREAM_LOGGED_IN && !s->all_sent && s->sent == 0) {
            loop_timer_in(s->send, 0);
        }
    }
    lane->o.on_message(lane, &passed, err, lane->o.userdata);
    if (closing && passed.in_use) {
        market_lane_replace(lane);
    }
    look_ready(s);
}

static size_t message_max(const struct stream_api *api)
{
    return api->message_max > 0 ? api->message_max : MESSAGE_MAX;
}

int market_lane_read(const struct stream_api *api, struct str text, struct stream_message *ret,
                     struct err *err)
{
    const struct json_limits limits = {.max_bytes = message_max(api),
                                       .max_depth = JSON_LIMITS_DEFAULT.max_depth};
    AUTO_JSON struct json_object *root = NULL;
    struct err why = {0};
    ret->count = 0;
    ret->events[0] = (struct stream_event){.kind = STREAM_NONE};
    if (json_parse(text, &limits, &root, &why) < 0) {
        return err_set(err, ERR_VENUE_DATA, "%s stream: %.200s", api->name, why.context);
    }
    return api->read(root, ret, err);
}

static void on_message(struct websocket_client *ws, struct str text, bool binary, void *userdata)
{
    struct socket *s = userdata;
    struct market_lane *lane = s->lane;
    struct err err = {0};
    (void)ws;
    (void)binary;
    s->heard_mono_us = mono_us(lane);
    if (market_lane_read(lane->o.api, text, lane->o.message, &err) >= 0) {
        take(s, lane->o.message, &err);
    } else {
        const struct market_lane_message refused = {lane->o.message, s->connection, s == lane->now};
        lane->o.on_refused(lane, &refused, &err, lane->o.userdata);
    }
}

static void on_aging(struct websocket_client *ws, void *userdata)
{
    struct socket *s = userdata;
    (void)ws;
    if (s == s->lane->now) {
        market_lane_replace(s->lane);
    }
}

static void on_close(struct websocket_client *ws, const struct websocket_end *end, void *userdata)
{
    struct socket *s = userdata;
    char why[160];
    (void)ws;
    if (end->code != 0) {
        (void)snprintf(why, sizeof(why), "%s closed the stream (%d %.80s)", s->lane->o.api->name,
                       end->code, end->reason);
    } else {
        (void)snprintf(why, sizeof(why), "%s: %.120s", s->lane->o.api->name, end->err->context);
    }
    lose(s, why, end->retry_after_s > 0 ? end->retry_after_s * USEC_PER_SEC : 0);
}

static void open_socket(struct market_lane *lane, struct socket **slot)
{
    const struct stream_api *api = lane->o.api;
    struct socket *s = calloc(1, sizeof(*s));
    struct err err = {0};
    NEED_MEMORY(s != NULL);
    s->lane = lane;
    s->send = loop_add_timer(lane->o.loop, on_send, s);
    s->ping = loop_add_timer(lane->o.loop, on_ping, s);
    s->opened_mono_us = s->heard_mono_us = mono_us(lane);
    *slot = s;
    s->connection = ++lane->opened;
    const struct websocket_client_options options = {.url = lane->o.url,
                                                     .ca_file = lane->o.ca_file,
                                                     .max_message = message_max(api),
                                                     .silence_us = api->silence_us,
                                                     .age_us = api->age_us,
                                                     .notice_us = NOTICE_US,
                                                     .on_open = on_open,
                                                     .on_message = on_message,
                                                     .on_aging = on_aging,
                                                     .on_close = on_close,
                                                     .userdata = s};
    s->ws = websocket_client_open(lane->o.http, &options, &err);
    if (s->ws == NULL) {
        lose(s, err.context, 0);
    }
}

/* ---------------------------------------------------------------- silence */

static void watch(struct socket *s, int64_t now_us)
{
    bool ready = s->all_sent && s->ready >= s->sent;
    char why[120];
    if (!ready && websocket_client_is_open(s->ws) &&
        now_us - s->opened_mono_us >= SUBSCRIBED_US + s->sent * s->lane->o.api->message_gap_us) {
        (void)snprintf(why, sizeof(why), "%s does not confirm the subscriptions",
                       s->lane->o.api->name);
        lose(s, why, 0);
    } else if (ready && !s->lane->o.api->quiet && now_us - s->heard_mono_us >= QUIET_US) {
        (void)snprintf(why, sizeof(why), "%s sends no data, for %lld s", s->lane->o.api->name,
                       (long long)((now_us - s->heard_mono_us) / USEC_PER_SEC));
        lose(s, why, 0);
    }
}

static void on_check(void *userdata)
{
    struct market_lane *lane = userdata;
    int64_t now_us = mono_us(lane);
    if (lane->next != NULL) {
        watch(lane->next, now_us);
    }
    if (lane->now != NULL) {
        watch(lane->now, now_us);
    }
}

/* ---------------------------------------------------------------- life */

struct market_lane *market_lane_new(const struct market_lane_options *options)
{
    struct market_lane *lane = calloc(1, sizeof(*lane));
    NEED_MEMORY(lane != NULL);
    lane->o = *options;
    lane->retry = loop_add_timer(options->loop, on_retry, lane);
    lane->renew = loop_add_timer(options->loop, on_renew, lane);
    lane->check = loop_add_timer(options->loop, on_check, lane);
    lane->changed_mono_us = mono_us(lane);
    loop_source_name(lane->retry, "market retry");
    loop_source_name(lane->check, "market check");
    loop_timer_every(lane->check, CHECK_US);
    loop_timer_in(lane->retry, 0);
    return lane;
}

void market_lane_free(struct market_lane *lane)
{
    if (lane != NULL) {
        free_socket(lane->now);
        free_socket(lane->next);
        loop_source_free(lane->retry);
        loop_source_free(lane->renew);
        loop_source_free(lane->check);
        free(lane);
    }
}

void market_lane_reopen(struct market_lane *lane, const char *why)
{
    free_socket(TAKE(lane->now));
    free_socket(TAKE(lane->next));
    go_down(lane, why);
    lane->failures = 0;
    loop_timer_in(lane->retry, 0);
}

bool market_lane_is_up(const struct market_lane *lane)
{
    return lane->up;
}

int64_t market_lane_down_us(const struct market_lane *lane)
{
    return lane->up ? 0 : lane->changed_mono_us;
}

const char *market_lane_reason(const struct market_lane *lane)
{
    return lane->reason[0] != '\0' ? lane->reason : "the stream is not connected yet";
}

int64_t market_lane_heard_us(const struct market_lane *lane)
{
    return lane->now == NULL ? 0 : lane->now->heard_mono_us;
}

uint64_t market_lane_opened(const struct market_lane *lane)
{
    return lane->opened;
}
