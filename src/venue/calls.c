#include "calls.h"

#include "ban_memory.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "clock_reading.h"
#include "io/http_line.h"
#include "io/json.h"
#include "request_headers.h"
#include "venue/budget.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_US     (10 * USEC_PER_SEC)
#define BODY_MAX       ((size_t)8 << 20)
#define FIRST_PAUSE_US (200 * USEC_PER_MSEC)
#define PAUSE_MAX_US   (5 * USEC_PER_SEC)
#define CLOCK_PAUSE_US (2 * USEC_PER_SEC)
/* A venue that refuses this question is asked ever more seldom: it may be its firewall. */
#define CLOCK_PAUSE_MAX_US USEC_PER_MIN
#define HOST_MAX           256
#define NO_LIMIT           INT32_MAX
/* A nonce is a time in microseconds; after a refused one it goes on from so much later, and from
 * ever later after each that is refused in a row: our clock may have been ahead by hours, and a
 * venue locks out those who try too often. */
#define NONCE_JUMP_US     (2 * USEC_PER_SEC)
#define NONCE_JUMP_FACTOR 30
#define NONCE_JUMP_MAX_US USEC_PER_DAY

struct call {
    struct call *next;
    struct calls *owner;
    enum account_call kind;
    struct account_request request;
    int64_t deadline_mono_us;
    int64_t due_mono_us; /* not before it */
    int attempt;
    bool under_way;         /* else it waits */
    bool rehearsal;         /* it is not sent */
    struct http_call *http; /* NULL: it waits, or is on the line */
    calls_fn fn;
    void *userdata;
    struct err last;
};

/* The signature of an order that is yet to come. */
struct ahead {
    struct account_request request; /* no headers: it is yet to be made */
    int64_t mono_us, wall_us;
};

struct calls {
    struct calls_options options;
    int line_count;
    struct http_line *lines[CALLS_LINES]; /* for orders, their changes and their ends */
    bool past_lines;                      /* one was broken for the newest of them */
    struct loop_source *timer;
    struct buf url;
    char host[HOST_MAX];
    struct budget requests;
    struct budget orders;
    int64_t banned_mono_us;
    struct call *first; /* in the order in which they were made */
    int count;
    int under_way;
    struct call *draft;
    /* The venue's clock. */
    struct http_call *clock_call;
    struct clock_reading clock_reading;
    bool has_clock;
    bool clock_wanted;
    int64_t offset_us;     /* to our monotonic clock, since ours may be set while we run */
    int64_t clock_mono_us; /* when it was read, or could not be; 0: never, or not well enough */
    int64_t clock_sent_mono_us;
    int64_t clock_pause_us; /* until it is asked again, if it could not be read */
    struct err clock_err;   /* why it could not be read, the last time */
    uint64_t nonce;
    int64_t nonce_ahead_us;
    int64_t nonce_jump_us; /* the next */
    /* Signatures of the next orders, if they can be made ahead. */
    struct loop_source *signer;
    struct ahead ahead[CALLS_LINES];
};

static void on_due(void *userdata);

static int64_t now_mono(const struct calls *calls)
{
    return clock_mono_us(loop_clock(calls->options.loop));
}

/* ---------------------------------------------------------------- the venue's clock */

bool calls_has_clock(const struct calls *calls)
{
    return calls->has_clock;
}

int64_t calls_wall_us(const struct calls *calls)
{
    return calls->has_clock ? now_mono(calls) + calls->offset_us
                            : clock_wall_us(loop_clock(calls->options.loop));
}

int64_t calls_clock_offset_us(const struct calls *calls)
{
    return calls_wall_us(calls) - clock_wall_us(loop_clock(calls->options.loop));
}

void calls_doubt_clock(struct calls *calls)
{
    if (!calls->clock_wanted) {
        clock_reading_drop(&calls->clock_reading); /* it was another time then */
    }
    calls->clock_wanted = true;
    loop_timer_in(calls->timer, 0);
}

/* A certificate that is wrong will be wrong in a second, too. */
static bool is_tls(const struct err *err)
{
    return err->id == ERR_HTTP_TLS || err->id == ERR_HTTP_NOT_TLS;
}

static void set_unreachable(struct calls *calls, const struct http_response *response,
                            struct err *ret)
{
    enum err_id id = is_tls(&response->err) ? (enum err_id)response->err.id : ERR_VENUE_UNREACHABLE;
    (void)err_set(ret, id, "%s: %s", calls->options.api->name, response->err.context);
}

/* What waits for the clock ends with the next turn if nothing can be asked there. */
static void clock_failed(struct calls *calls, const struct http_response *response)
{
    if (response->outcome != HTTP_OK) {
        set_unreachable(calls, response, &calls->clock_err);
    }
    for (struct call *c = calls->first; is_tls(&calls->clock_err) && c != NULL; c = c->next) {
        c->deadline_mono_us = c->under_way ? c->deadline_mono_us : 0;
    }
}

/* Nothing is sent for as long as the answer says. */
static void close_for_ban(struct calls *calls, const struct http_response *response)
{
    int64_t after_s = http_retry_after_s(response);
    int64_t most_s = BAN_MAX_US / USEC_PER_SEC;
    after_s = after_s < 0 ? 60 : after_s < most_s ? after_s : most_s;
    int64_t until_us = now_mono(calls) + after_s * USEC_PER_SEC;
    calls->banned_mono_us = until_us > calls->banned_mono_us ? until_us : calls->banned_mono_us;
    budget_close(&calls->requests, until_us);
}

/* It may be the first request of a process that does not know of a limit that the one before met:
 * a venue bans those who go on asking. Where the time is known, requests go on without this answer,
 * unless it names a time for all of them. */
static void clock_refused(struct calls *calls, enum exchange_verdict verdict,
                          const struct http_response *response, const struct err *why)
{
    int64_t after_s = http_retry_after_s(response);
    bool routine = calls->has_clock && !calls->clock_wanted;
    int64_t pause_us = routine ? CLOCK_PAUSE_US : 2 * calls->clock_pause_us;
    calls->clock_pause_us = pause_us < CLOCK_PAUSE_MAX_US ? pause_us : CLOCK_PAUSE_MAX_US;
    if (verdict == EXCHANGE_REFUSED) {
        calls->clock_err = *why;
    } else if (verdict == EXCHANGE_BANNED) {
        close_for_ban(calls, response);
    } else {
        (void)err_set(&calls->clock_err, ERR_VENUE_LIMITED, "%s", calls->options.api->name);
        pause_us = after_s >= 0 ? after_s * USEC_PER_SEC : routine ? 0 : calls->clock_pause_us;
        budget_close(&calls->requests, now_mono(calls) + pause_us);
    }
}

static void on_clock(const struct http_response *response, void *userdata)
{
    struct calls *calls = userdata;
    calls->clock_call = NULL;
    AUTO_JSON struct json_object *root = NULL;
    struct err err = {0};
    int64_t theirs_us = 0;
    const struct exchange *x = calls->options.exchange;
    enum exchange_verdict verdict = EXCHANGE_LATER;
    calls->clock_mono_us = now_mono(calls);
    bool client_error = response->status >= 400 && response->status < 500; /* a firewall's page */
    if (response->outcome == HTTP_OK &&
        (json_parse(response->body, &JSON_LIMITS_DEFAULT, &root, &err) >= 0 || client_error)) {
        verdict = x->judge(response->status, root, &err);
    }
    if (verdict == EXCHANGE_FINE || verdict == EXCHANGE_LATER) {
        calls->clock_pause_us = CLOCK_PAUSE_US;
    } else {
        clock_refused(calls, verdict, response, &err);
    }
    if (verdict != EXCHANGE_FINE || x->read_time(root, &theirs_us, &err) < 0) {
        clock_reading_drop(&calls->clock_reading);
        clock_failed(calls, response);
    } else {
        bool over = clock_reading_add(&calls->clock_reading, theirs_us, calls->clock_sent_mono_us,
                                      calls->clock_mono_us);
        /* Orders wait for a clock that was refused: for them a slow answer is better than none. */
        if (over || calls->clock_wanted) {
            calls->offset_us = calls->clock_reading.offset_us;
            calls->has_clock = true;
            calls->clock_wanted = false;
            err_clear(&calls->clock_err);
        }
        calls->clock_mono_us = over ? calls->clock_mono_us : 0; /* again, with the next request */
    }
    loop_timer_in(calls->timer, 0);
}

/* True: requests have to wait for it. Requests of some venues carry no time. */
static bool ask_clock(struct calls *calls)
{
    if (calls->options.api->window_us == 0 && !calls->options.api->nonce) {
        return false;
    }
    int64_t since_us = now_mono(calls) - calls->clock_mono_us;
    bool wanted = !calls->has_clock || calls->clock_wanted;
    if (!wanted && since_us < CALLS_CLOCK_US) {
        return false;
    }
    if (calls->clock_call != NULL ||
        (calls->clock_mono_us != 0 && since_us < calls->clock_pause_us)) {
        return wanted;
    }
    if (budget_wait_us(&calls->requests, 0, now_mono(calls)) > 0) {
        return wanted; /* banned, or told to pause: this question waits like all others */
    }
    struct err err = {0};
    buf_clear(&calls->url);
    buf_addf(&calls->url, "%s%s", calls->options.url, calls->options.exchange->time_path);
    const struct http_request request = {.url = calls->url.data,
                                         .ca_file = calls->options.ca_file,
                                         .timeout_ms = TIMEOUT_US / USEC_PER_MSEC / 2};
    calls->clock_sent_mono_us = now_mono(calls);
    calls->clock_call = http_send(calls->options.http, &request, on_clock, calls, &err);
    calls->clock_mono_us = now_mono(calls);
    return wanted;
}

void calls_moment(struct calls *calls, struct account_moment *ret)
{
    /* By the later clock: the venue's may be read to the second only, so it could go back between
     * two runs, and ours may have been set back. */
    int64_t ours_us = clock_wall_us(loop_clock(calls->options.loop));
    int64_t theirs_us = calls_wall_us(calls);
    uint64_t nonce =
        (uint64_t)((ours_us > theirs_us ? ours_us : theirs_us) + calls->nonce_ahead_us);
    calls->nonce = nonce > calls->nonce ? nonce : calls->nonce + 1;
    *ret =
        (struct account_moment){.wall_us = theirs_us, .nonce = calls->nonce, .host = calls->host};
}

/* ---------------------------------------------------------------- the end of a call */

static void unlink_call(struct calls *calls, const struct call *call)
{
    struct call **link = &calls->first;
    while (*link != call) {
        link = &(*link)->next;
    }
    *link = call->next;
    calls->count--;
}

static void free_call(struct call *call)
{
    account_request_release(&call->request);
    free(call);
}

static void finish(struct call *call, enum account_verdict verdict, struct json_object *root)
{
    struct calls *calls = call->owner;
    unlink_call(calls, call);
    if (verdict != ACCOUNT_FINE && call->last.id == ERR_NONE &&
        now_mono(calls) < calls->banned_mono_us) {
        (void)err_set(&call->last, ERR_VENUE_BANNED, "%s: for another %lld s",
                      calls->options.api->name,
                      (long long)((calls->banned_mono_us - now_mono(calls)) / USEC_PER_SEC));
    } else if (verdict != ACCOUNT_FINE && call->last.id == ERR_NONE &&
               calls->clock_err.id != ERR_NONE) {
        call->last = calls->clock_err;
    } else if (verdict != ACCOUNT_FINE && call->last.id == ERR_NONE) {
        (void)err_set(&call->last, ERR_VENUE_UNREACHABLE, "%s: it did not answer in time",
                      calls->options.api->name);
    }
    call->fn(&(struct calls_answer){.verdict = verdict,
                                    .root = root,
                                    .err = verdict == ACCOUNT_FINE ? NULL : &call->last},
             call->userdata);
    free_call(call);
}

/* What a call that is over without an answer was. */
static enum account_verdict late_verdict(const struct call *call)
{
    return call->last.id == ERR_VENUE_LIMITED ? ACCOUNT_LIMITED : ACCOUNT_LATER;
}

static int64_t growing_pause_us(const struct call *call)
{
    int64_t pause_us = FIRST_PAUSE_US << (call->attempt < 6 ? call->attempt - 1 : 5);
    return pause_us < PAUSE_MAX_US ? pause_us : PAUSE_MAX_US;
}

/* Repeats it after the pause, or ends it if the deadline comes first. */
static void again(struct call *call, int64_t pause_us, enum account_verdict verdict)
{
    int64_t now_us = now_mono(call->owner);
    if (now_us + pause_us >= call->deadline_mono_us) {
        finish(call, verdict, NULL);
        return;
    }
    call->due_mono_us = now_us + pause_us;
}

/* ---------------------------------------------------------------- the answer */

static void limited(struct call *call, const struct http_response *response)
{
    struct calls *calls = call->owner;
    int64_t after_s = http_retry_after_s(response);
    int64_t pause_us = after_s >= 0 ? after_s * USEC_PER_SEC : growing_pause_us(call);
    budget_close(&calls->requests, now_mono(calls) + pause_us);
    again(call, pause_us, ACCOUNT_LIMITED);
}

static void banned(struct call *call, const struct http_response *response)
{
    close_for_ban(call->owner, response);
    finish(call, ACCOUNT_BANNED, NULL);
}

static void jump_nonce(struct calls *calls)
{
    int64_t next_us = calls->nonce_jump_us * NONCE_JUMP_FACTOR;
    calls->nonce_ahead_us += calls->nonce_jump_us;
    calls->nonce_jump_us = next_us < NONCE_JUMP_MAX_US ? next_us : NONCE_JUMP_MAX_US;
    LOG(WARNING,
        "%s has had a later nonce: another program uses this key, or this machine's clock was "
        "ahead; going on with %lld s more",
        calls->options.api->name, (long long)(calls->nonce_ahead_us / USEC_PER_SEC));
}

static void judge(struct call *call, enum account_verdict verdict, struct json_object *root,
                  const struct http_response *response)
{
    struct calls *calls = call->owner;
    switch (verdict) {
    case ACCOUNT_FINE:
        calls->nonce_jump_us = NONCE_JUMP_US;
        finish(call, verdict, root);
        break;
    case ACCOUNT_REFUSED:
    case ACCOUNT_NOT_FOUND:
    case ACCOUNT_DUPLICATE:
    case ACCOUNT_KEY:
    case ACCOUNT_CLOSED:
        finish(call, verdict, root);
        break;
    case ACCOUNT_UNKNOWN:
        /* A switch is set again by the next renewal: repeated here, it might come after a newer
         * one. */
        if (call->kind == ACCOUNT_PLACE || call->kind == ACCOUNT_AMEND ||
            call->kind == ACCOUNT_GUARD) {
            finish(call, verdict, NULL);
        } else {
            again(call, growing_pause_us(call), verdict);
        }
        break;
    case ACCOUNT_LATER:
        again(call, growing_pause_us(call), verdict);
        break;
    case ACCOUNT_CLOCK:
        if (calls->options.api->nonce) {
            jump_nonce(calls);
        } else {
            calls_doubt_clock(calls);
        }
        again(call, growing_pause_us(call), verdict);
        break;
    case ACCOUNT_LIMITED:
        limited(call, response);
        break;
    case ACCOUNT_BANNED:
        banned(call, response);
        break;
    }
}

static void note_used(struct calls *calls, const struct http_response *response)
{
    const char *header = calls->options.api->used_header;
    const char *value = header != NULL ? http_header(response, header) : NULL;
    int64_t used = 0;
    if (value != NULL && str_to_i64(str_c(value), &used) && used >= 0) {
        budget_used(&calls->requests, used, now_mono(calls));
    }
}

static void on_response(const struct http_response *response, void *userdata)
{
    struct call *call = userdata;
    struct calls *calls = call->owner;
    const struct account_api *api = calls->options.api;
    call->http = NULL;
    call->under_way = false;
    calls->under_way--;
    err_clear(&call->last);
    AUTO_JSON struct json_object *root = NULL;
    if (response->outcome != HTTP_OK) {
        set_unreachable(calls, response, &call->last);
        call->deadline_mono_us = is_tls(&response->err) ? 0 : call->deadline_mono_us;
        judge(call, response->outcome == HTTP_NOT_SENT ? ACCOUNT_LATER : ACCOUNT_UNKNOWN, NULL,
              response);
    } else {
        note_used(calls, response);
        struct err why = {0};
        (void)json_parse(response->body, &JSON_LIMITS_DEFAULT, &root, &why);
        const struct account_response answer = {
            .status = response->status, .root = root, .body = response->body};
        enum account_verdict verdict = api->judge(call->kind, &answer, &call->last);
        /* A 2xx whose body was cut or replaced says nothing about what was done. */
        if (verdict == ACCOUNT_FINE && root == NULL && response->body.len > 0) {
            (void)err_set(&call->last, ERR_VENUE_UNREACHABLE, "%s: status %d, %s", api->name,
                          response->status, why.context);
            verdict = ACCOUNT_UNKNOWN;
        }
        judge(call, verdict, root, response);
    }
    loop_timer_in(calls->timer, 0);
}

/* ---------------------------------------------------------------- sending */

static const char *method_name(enum account_method method)
{
    switch (method) {
    case ACCOUNT_GET:
        return "GET";
    case ACCOUNT_POST:
        return "POST";
    case ACCOUNT_PUT:
        return "PUT";
    case ACCOUNT_PATCH:
        return "PATCH";
    case ACCOUNT_DELETE:
        return "DELETE";
    }
    return "GET";
}

static int sign_now(struct calls *calls, struct account_request *request, struct err *err)
{
    struct account_moment moment;
    calls_moment(calls, &moment);
    const struct account_key key = {.id = str_c(secret_text(calls->options.key_id)),
                                    .secret = str_c(secret_text(calls->options.key_secret))};
    return calls->options.api->sign(&key, &moment, request, err);
}

static void forget_ahead(struct ahead *a)
{
    secret_wipe(a->request.headers.data, a->request.headers.len);
    buf_clear(&a->request.headers);
}

static void sign_one_ahead(struct calls *calls, struct ahead *a)
{
    struct err err = {0}; /* the order's own signature will say it */
    forget_ahead(a);
    if (sign_now(calls, &a->request, &err) < 0) {
        forget_ahead(a);
    }
    a->mono_us = now_mono(calls);
    a->wall_us = calls_wall_us(calls);
}

/* Such a signature costs more time than all the rest of an order's way: one in a turn of the loop.
 */
static void sign_ahead(void *userdata)
{
    struct calls *calls = userdata;
    int64_t again_us = calls->options.api->order_signature_us / 2, wait_us = again_us;
    bool signs = true;
    for (size_t i = 0; i < COUNT_OF(calls->ahead); i++) {
        struct ahead *a = &calls->ahead[i];
        int64_t left_us = a->mono_us + again_us - now_mono(calls);
        if (a->request.headers.len == 0 || left_us <= 0) {
            left_us = signs ? again_us : 0;
            if (signs) {
                sign_one_ahead(calls, a);
                signs = false;
            }
        }
        wait_us = left_us < wait_us ? left_us : wait_us;
    }
    loop_timer_in(calls->signer, wait_us);
}

/* NULL: none is for this request, all are too old, or the venue's clock was read again. */
static struct ahead *find_ahead(struct calls *calls, const struct call *call)
{
    int64_t most_us = calls->options.api->order_signature_us;
    for (size_t i = 0; i < COUNT_OF(calls->ahead) && call->kind == ACCOUNT_PLACE; i++) {
        struct ahead *a = &calls->ahead[i];
        int64_t by_wall_us = calls_wall_us(calls) - a->wall_us;
        if (a->request.headers.len > 0 && call->request.method == a->request.method &&
            str_equal(buf_str(&call->request.path), buf_str(&a->request.path)) &&
            now_mono(calls) - a->mono_us < most_us && by_wall_us >= 0 && by_wall_us < most_us) {
            return a;
        }
    }
    return NULL;
}

/* The signature is of a copy, since each attempt has another time. */
static int sign(struct calls *calls, const struct call *call, struct account_request *copy,
                struct err *err)
{
    struct ahead *a = find_ahead(calls, call);
    copy->method = call->request.method;
    copy->content_type = call->request.content_type;
    buf_add_str(&copy->path, buf_str(&call->request.path));
    buf_add_str(&copy->body, buf_str(&call->request.body));
    buf_add_str(&copy->headers, buf_str(&call->request.headers));
    if (call->request.is_public) {
        return 0;
    }
    if (a == NULL) {
        return sign_now(calls, copy, err);
    }
    buf_add_str(&copy->headers, buf_str(&a->request.headers));
    if (!call->rehearsal) {
        forget_ahead(a);
        loop_timer_in(calls->signer, 0);
    }
    return 0;
}

/* The check of a key may be at another URL of the venue; a server that stands in for the venue has
 * everything at its own. */
static const char *url_of(const struct calls *calls, enum account_call kind)
{
    const struct account_api *api = calls->options.api;
    bool apart = kind == ACCOUNT_CHECK && api->check_url != NULL &&
                 strcmp(calls->options.url, api->url) == 0;
    return apart ? api->check_url : calls->options.url;
}

/* Once while it lasts. */
static void note_lines(struct calls *calls)
{
    struct err why = {0};
    bool broken = false;
    for (int i = 0; i < calls->line_count && !broken; i++) {
        broken = http_line_is_broken(calls->lines[i], &why);
    }
    if (broken && !calls->past_lines) {
        LOG(WARNING, "%s: the connection for orders is closed (%s: %s): each opens one of its own",
            calls->options.api->name, err_info((enum err_id)why.id)->message, why.context);
    }
    calls->past_lines = broken;
}

/* To a line if it is for orders, and one is free. False: the request is malformed. */
static bool give(struct call *call, const struct http_request *request)
{
    struct calls *calls = call->owner;
    bool order =
        call->kind == ACCOUNT_PLACE || call->kind == ACCOUNT_AMEND || call->kind == ACCOUNT_CANCEL;
    for (int i = 0; i < calls->line_count && order; i++) {
        if (http_line_send(calls->lines[i], request, on_response, call)) {
            calls->past_lines = false;
            return true;
        }
    }
    call->http = http_send(calls->options.http, request, on_response, call, &call->last);
    if (order) {
        note_lines(calls);
    }
    return call->http != NULL;
}

/* A request as it goes out; its parts are borrowed from copy and calls. */
struct outgoing {
    struct account_request copy;
    const char *headers[REQUEST_HEADERS_MAX + 1];
    struct http_request request;
};

static void release_outgoing(struct outgoing *out)
{
    account_request_release(&out->copy);
}

static int prepare(struct calls *calls, struct call *call, struct outgoing *ret)
{
    struct account_request *copy = &ret->copy;
    account_request_init(copy);
    if (sign(calls, call, copy, &call->last) < 0) {
        return -1;
    }
    int64_t left_us = call->deadline_mono_us - now_mono(calls);
    left_us = left_us < TIMEOUT_US ? left_us : TIMEOUT_US;
    buf_clear(&calls->url);
    buf_addf(&calls->url, "%s%s", url_of(calls, call->kind), copy->path.data);
    request_headers_split(&copy->headers, ret->headers);
    ret->request = (struct http_request){.method = method_name(copy->method),
                                         .url = calls->url.data,
                                         .headers = ret->headers,
                                         .body = buf_str(&copy->body),
                                         .content_type = copy->content_type,
                                         .timeout_ms = 1 + left_us / USEC_PER_MSEC,
                                         .once = !call->request.is_public,
                                         .ca_file = calls->options.ca_file,
                                         .max_body_bytes = BODY_MAX};
    return 0;
}

static void start(struct calls *calls, struct call *call)
{
    struct outgoing out;
    call->attempt++;
    if (prepare(calls, call, &out) < 0) {
        release_outgoing(&out);
        finish(call, ACCOUNT_KEY, NULL);
        return;
    }
    int64_t now_us = now_mono(calls);
    budget_take(&calls->requests, call->request.weight, now_us);
    budget_take(&calls->orders, call->request.order_weight, now_us);
    call->under_way = give(call, &out.request);
    release_outgoing(&out);
    if (!call->under_way) {
        finish(call, ACCOUNT_REFUSED, NULL);
        return;
    }
    calls->under_way++;
}

/* Orders go first: they close positions. */
static int urgency(const struct call *call)
{
    switch (call->kind) {
    case ACCOUNT_PLACE:
    case ACCOUNT_CANCEL:
    case ACCOUNT_AMEND:
    case ACCOUNT_GUARD:
        return 0;
    case ACCOUNT_QUERY:
    case ACCOUNT_STREAM:
        return 1;
    case ACCOUNT_CHECK:
    case ACCOUNT_RULES:
    case ACCOUNT_COINS:
    case ACCOUNT_POSITIONS:
    case ACCOUNT_OPEN:
    case ACCOUNT_FILLS:
    case ACCOUNT_FUNDING:
    case ACCOUNT_SETTINGS:
    case ACCOUNT_HOURS:
        return 2;
    }
    return 2;
}

static struct call *most_urgent(const struct calls *calls, int64_t now_us, int64_t *ret_wait_us)
{
    struct call *best = NULL;
    for (struct call *c = calls->first; c != NULL; c = c->next) {
        if (c->under_way) {
            continue;
        }
        if (c->due_mono_us > now_us) {
            int64_t wait_us = c->due_mono_us - now_us;
            *ret_wait_us = wait_us < *ret_wait_us ? wait_us : *ret_wait_us;
        } else if (best == NULL || urgency(c) < urgency(best)) {
            best = c;
        }
    }
    return best;
}

/* Ends what is too late. A call that is under way ends by its own timeout. */
static void end_late(struct calls *calls, int64_t now_us)
{
    struct call *next = NULL;
    for (struct call *c = calls->first; c != NULL; c = next) {
        next = c->next;
        if (!c->under_way && c->deadline_mono_us <= now_us) {
            finish(c, late_verdict(c), NULL);
            next = calls->first; /* its function may have made or ended others */
        }
    }
}

static void wake_at_deadlines(struct calls *calls, int64_t now_us, int64_t wait_us)
{
    for (const struct call *c = calls->first; c != NULL; c = c->next) {
        int64_t left_us = c->deadline_mono_us - now_us;
        wait_us = !c->under_way && left_us < wait_us ? left_us : wait_us;
    }
    if (wait_us != INT64_MAX) {
        loop_timer_in(calls->timer, wait_us);
    }
}

static void on_due(void *userdata)
{
    struct calls *calls = userdata;
    int64_t now_us = now_mono(calls);
    int64_t wait_us = INT64_MAX;
    int most = calls->options.api->nonce ? 1 : CALLS_AT_ONCE;
    end_late(calls, now_us);
    bool clock_first = (calls->first != NULL || calls->clock_wanted) && ask_clock(calls);
    if (calls->first == NULL && !clock_first) {
        return;
    }
    if (clock_first && calls->clock_call == NULL) {
        wait_us = CLOCK_PAUSE_US;
    }
    while (!clock_first && calls->under_way < most) {
        struct call *call = most_urgent(calls, now_us, &wait_us);
        if (call == NULL) {
            break;
        }
        int64_t blocked_us = budget_wait_us(&calls->requests, call->request.weight, now_us);
        int64_t orders_us = budget_wait_us(&calls->orders, call->request.order_weight, now_us);
        blocked_us = orders_us > blocked_us ? orders_us : blocked_us;
        if (blocked_us > 0) {
            (void)err_set(&call->last, ERR_VENUE_LIMITED, "%s: its limit of requests is used up",
                          calls->options.api->name);
            wait_us = blocked_us < wait_us ? blocked_us : wait_us;
            break;
        }
        start(calls, call);
    }
    wake_at_deadlines(calls, now_us, wait_us);
}

struct account_request *calls_begin(struct calls *calls)
{
    ASSERT(calls->draft == NULL);
    calls->draft = calloc(1, sizeof(*calls->draft));
    NEED_MEMORY(calls->draft != NULL);
    account_request_init(&calls->draft->request);
    return &calls->draft->request;
}

void calls_drop(struct calls *calls)
{
    free_call(TAKE(calls->draft));
}

void calls_send_later(struct calls *calls, enum account_call call, int64_t delay_us,
                      int64_t deadline_mono_us, calls_fn fn, void *userdata)
{
    struct call *c = TAKE(calls->draft);
    ASSERT(c != NULL);
    c->owner = calls;
    c->kind = call;
    c->due_mono_us = now_mono(calls) + delay_us;
    c->deadline_mono_us = deadline_mono_us;
    c->fn = fn;
    c->userdata = userdata;
    struct call **end = &calls->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = c;
    calls->count++;
    if (calls->count > CALLS_MAX) {
        (void)err_set(&c->last, ERR_VENUE_LIMITED, "%s: %d requests wait already",
                      calls->options.api->name, CALLS_MAX);
        c->deadline_mono_us = 0; /* it ends when the loop comes to it */
    }
    loop_timer_in(calls->timer, 0);
}

void calls_send(struct calls *calls, enum account_call call, int64_t deadline_mono_us, calls_fn fn,
                void *userdata)
{
    calls_send_later(calls, call, 0, deadline_mono_us, fn, userdata);
}

void calls_rehearse(struct calls *calls)
{
    struct call *call = TAKE(calls->draft);
    struct outgoing out;
    ASSERT(call != NULL);
    call->kind = ACCOUNT_PLACE;
    call->rehearsal = true;
    if (prepare(calls, call, &out) >= 0) {
        for (int i = 0; i < calls->line_count; i++) {
            http_line_rehearse(calls->lines[i], &out.request);
        }
    }
    release_outgoing(&out);
    free_call(call);
}

void calls_flush(struct calls *calls)
{
    on_due(calls);
    http_flush(calls->options.http);
}

void calls_limit(struct calls *calls, struct venue_limit *ret)
{
    int64_t now_us = now_mono(calls);
    (void)budget_wait_us(&calls->requests, 0, now_us);
    (void)budget_wait_us(&calls->orders, 0, now_us);
    const struct budget *b = &calls->requests;
    if (calls->orders.level * (double)b->limit > b->level * (double)calls->orders.limit) {
        b = &calls->orders;
    }
    int64_t banned_us = calls->banned_mono_us - now_us;
    *ret = (struct venue_limit){
        .used = (int64_t)b->level,
        .most = b->limit,
        .reset_us = (int64_t)(b->level / (double)b->falls_per_s * (double)USEC_PER_SEC),
        .banned_us = banned_us > 0 ? banned_us : 0};
}

/* "api.coinbase.com" of "https://api.coinbase.com/path". */
static void copy_host(const char *url, char ret[HOST_MAX])
{
    const char *from = strstr(url, "://");
    from = from != NULL ? from + strlen("://") : url;
    str_cut((struct str){from, strcspn(from, "/")}, ret, HOST_MAX);
}

struct calls *calls_new(const struct calls_options *options)
{
    struct calls *calls = calloc(1, sizeof(*calls));
    NEED_MEMORY(calls != NULL);
    const struct account_api *api = options->api;
    calls->options = *options;
    calls->nonce_jump_us = NONCE_JUMP_US;
    calls->clock_pause_us = CLOCK_PAUSE_US;
    calls->requests = (struct budget){.limit = api->limit, .falls_per_s = api->falls_per_s};
    calls->orders =
        (struct budget){.limit = api->order_limit > 0 ? api->order_limit : NO_LIMIT,
                        .falls_per_s = api->order_limit > 0 ? api->order_falls_per_s : NO_LIMIT};
    buf_init(&calls->url, (size_t)64 << 10);
    copy_host(options->url, calls->host);
    for (int i = 0; options->lines && i < (api->nonce ? 1 : CALLS_LINES); i++) {
        struct http_line *line = http_line_new(options->http, options->url, options->ca_file);
        if (line != NULL) {
            calls->lines[calls->line_count++] = line;
        }
    }
    calls->timer = loop_add_timer(options->loop, on_due, calls);
    loop_source_name(calls->timer, "venue calls");
    for (size_t i = 0; i < COUNT_OF(calls->ahead); i++) {
        account_request_init(&calls->ahead[i].request);
        calls->ahead[i].request.method = ACCOUNT_POST;
        buf_add_c(&calls->ahead[i].request.path, api->order_path != NULL ? api->order_path : "");
    }
    if (api->order_path != NULL) {
        calls->signer = loop_add_timer(options->loop, sign_ahead, calls);
        loop_source_name(calls->signer, "venue signatures");
        loop_timer_in(calls->signer, 0);
    }
    if (options->banned_us > 0) {
        calls->banned_mono_us = now_mono(calls) + options->banned_us;
        budget_close(&calls->requests, calls->banned_mono_us);
    }
    return calls;
}

void calls_free(struct calls *calls)
{
    if (calls == NULL) {
        return;
    }
    if (calls->clock_call != NULL) {
        http_cancel(calls->clock_call);
    }
    for (int i = 0; i < calls->line_count; i++) {
        http_line_free(calls->lines[i]);
    }
    while (calls->first != NULL) {
        struct call *call = calls->first;
        calls->first = call->next;
        if (call->http != NULL) {
            http_cancel(call->http);
        }
        free_call(call);
    }
    if (calls->draft != NULL) {
        free_call(calls->draft);
    }
    loop_source_free(calls->timer);
    loop_source_free(calls->signer);
    for (size_t i = 0; i < COUNT_OF(calls->ahead); i++) {
        forget_ahead(&calls->ahead[i]);
        account_request_release(&calls->ahead[i].request);
    }
    buf_release(&calls->url);
    free(calls);
}
