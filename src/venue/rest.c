#include "venue/rest.h"

#include "base/check.h"
#include "io/http.h"
#include "request_headers.h"
#include "venue/account.h"
#include "venue/budget.h"

#include <stdlib.h>
#include <string.h>

#define URL_MAX        2048
#define TIMEOUT_MS     10000
#define BODY_MAX       ((size_t)4 << 20)
#define FIRST_PAUSE_US (USEC_PER_SEC / 4)

struct rest {
    struct loop *loop;
    struct http *http;
    struct loop_source *timer;
    const struct exchange *exchange;
    const char *base;
    const char *ca_file;
    const struct secret *key_id, *key_secret;
    struct budget budget;
    int64_t sent;
    /* The call. */
    struct buf url;
    int weight;
    int attempt;
    rest_fn fn; /* NULL: there is none */
    void *userdata;
    struct err last; /* why it is repeated */
};

static void finish(struct rest *rest, struct json_object *root, int64_t elapsed_us,
                   const struct err *err)
{
    rest_fn fn = rest->fn;
    rest->fn = NULL; /* the function may start the next call */
    fn(&(struct rest_answer){.root = root, .elapsed_us = elapsed_us, .err = err}, rest->userdata);
}

/* Repeats the call after a pause, or ends it with rest->last. */
static void again(struct rest *rest, int64_t pause_us)
{
    if (rest->attempt >= REST_ATTEMPTS) {
        (void)err_prefix(&rest->last, "%d attempts, at last", rest->attempt);
        finish(rest, NULL, 0, &rest->last);
        return;
    }
    loop_timer_in(rest->timer, pause_us);
}

static int64_t growing_pause_us(const struct rest *rest)
{
    return FIRST_PAUSE_US << (rest->attempt - 1);
}

static void limited(struct rest *rest, const struct http_response *response)
{
    const char *name = rest->exchange->name;
    int64_t after_s = http_retry_after_s(response);
    int64_t pause_us = after_s >= 0 ? after_s * USEC_PER_SEC : growing_pause_us(rest);
    (void)err_set(&rest->last, ERR_VENUE_LIMITED, "%s: it wants a pause of %lld s", name,
                  (long long)(pause_us / USEC_PER_SEC));
    if (pause_us > REST_PAUSE_MAX_US) {
        finish(rest, NULL, 0, &rest->last);
        return;
    }
    budget_close(&rest->budget, clock_mono_us(loop_clock(rest->loop)) + pause_us);
    again(rest, pause_us);
}

static void banned(struct rest *rest, const struct http_response *response)
{
    int64_t after_s = http_retry_after_s(response);
    if (after_s >= 0) {
        (void)err_set(&rest->last, ERR_VENUE_BANNED, "%s: for %lld s", rest->exchange->name,
                      (long long)after_s);
    } else {
        (void)err_set(&rest->last, ERR_VENUE_BANNED, "%s: it does not say until when",
                      rest->exchange->name);
    }
    finish(rest, NULL, 0, &rest->last);
}

/* An answer that is no JSON text: HTML of a proxy, a part of a body, nothing; why is the parser's
 * reason. */
static void unreadable(struct rest *rest, const struct http_response *response,
                       const struct err *why)
{
    const char *path = rest->url.data + strlen(rest->base);
    if (response->status >= 400 && response->status < 500) { /* a firewall's page */
        enum exchange_verdict verdict = rest->exchange->judge(response->status, NULL, &rest->last);
        if (verdict == EXCHANGE_LIMITED) {
            limited(rest, response);
        } else if (verdict == EXCHANGE_BANNED) {
            banned(rest, response);
        } else {
            finish(rest, NULL, 0, &rest->last);
        }
        return;
    }
    enum err_id id = why->id == ERR_JSON_LIMIT ? ERR_VENUE_DATA : ERR_VENUE_UNREACHABLE;
    (void)err_set(&rest->last, id, "%s %.*s: status %d, %s", rest->exchange->name,
                  (int)strcspn(path, "?"), path, response->status, why->context);
    if (id == ERR_VENUE_DATA) { /* whole, but with a number of too many digits, or too deep */
        finish(rest, NULL, 0, &rest->last);
        return;
    }
    again(rest, growing_pause_us(rest));
}

static void note_used(struct rest *rest, const struct http_response *response)
{
    const char *header = rest->exchange->used_header;
    const char *value = header != NULL ? http_header(response, header) : NULL;
    int64_t used = 0;
    if (value != NULL && str_to_i64(str_c(value), &used) && used >= 0) {
        budget_used(&rest->budget, used, clock_mono_us(loop_clock(rest->loop)));
    }
}

static void on_response(const struct http_response *response, void *userdata)
{
    struct rest *rest = userdata;
    AUTO_JSON struct json_object *root = NULL;
    if (response->outcome != HTTP_OK) {
        (void)err_set(&rest->last, ERR_VENUE_UNREACHABLE, "%s: %s", rest->exchange->name,
                      response->err.context);
        again(rest, growing_pause_us(rest));
        return;
    }
    struct err why = {0};
    note_used(rest, response);
    if (json_parse(response->body, &JSON_LIMITS_DEFAULT, &root, &why) < 0) {
        unreadable(rest, response, &why);
        return;
    }
    switch (rest->exchange->judge(response->status, root, &rest->last)) {
    case EXCHANGE_FINE:
        finish(rest, root, response->elapsed_us, NULL);
        break;
    case EXCHANGE_REFUSED:
        finish(rest, NULL, 0, &rest->last);
        break;
    case EXCHANGE_LATER:
        (void)err_set(&rest->last, ERR_VENUE_UNREACHABLE, "%s: status %d, an error of its own",
                      rest->exchange->name, response->status);
        again(rest, growing_pause_us(rest));
        break;
    case EXCHANGE_LIMITED:
        limited(rest, response);
        break;
    case EXCHANGE_BANNED:
        banned(rest, response);
        break;
    }
}

static int sign(const struct rest *rest, struct buf *headers, struct err *err)
{
    if (rest->exchange->sign == NULL || secret_is_empty(rest->key_id)) {
        return 0;
    }
    const struct account_key key = {.id = str_c(secret_text(rest->key_id)),
                                    .secret = str_c(secret_text(rest->key_secret))};
    return rest->exchange->sign(&key, headers, err);
}

static void on_due(void *userdata)
{
    struct rest *rest = userdata;
    int64_t now_us = clock_mono_us(loop_clock(rest->loop));
    int64_t wait_us = budget_wait_us(&rest->budget, rest->weight, now_us);
    if (wait_us > 0) {
        loop_timer_in(rest->timer, wait_us);
        return;
    }
    AUTO_BUF struct buf lines = BUF_INIT(REQUEST_HEADERS_SIZE);
    if (sign(rest, &lines, &rest->last) < 0) {
        finish(rest, NULL, 0, &rest->last);
        return;
    }
    budget_take(&rest->budget, rest->weight, now_us);
    rest->attempt++;
    rest->sent++;
    const char *headers[REQUEST_HEADERS_MAX + 1];
    request_headers_split(&lines, headers);
    const struct http_request request = {.url = rest->url.data,
                                         .headers = headers,
                                         .timeout_ms = TIMEOUT_MS,
                                         .ca_file = rest->ca_file,
                                         .max_body_bytes = BODY_MAX};
    struct http_call *sent = http_send(rest->http, &request, on_response, rest, &rest->last);
    secret_wipe(lines.data, lines.len);
    if (sent == NULL) {
        finish(rest, NULL, 0, &rest->last);
    }
}

struct rest *rest_new(struct loop *loop, const struct rest_options *options, struct err *err)
{
    struct rest *rest = calloc(1, sizeof(*rest));
    NEED_MEMORY(rest != NULL);
    rest->loop = loop;
    rest->exchange = options->exchange;
    rest->base = options->url != NULL ? options->url : options->exchange->url;
    rest->ca_file = options->ca_file;
    rest->key_id = options->key_id;
    rest->key_secret = options->key_secret;
    rest->budget = (struct budget){.limit = options->exchange->limit,
                                   .falls_per_s = options->exchange->falls_per_s};
    buf_init(&rest->url, URL_MAX);
    rest->timer = loop_add_timer(loop, on_due, rest);
    rest->http = http_new(loop, err);
    if (rest->http == NULL) {
        rest_free(rest);
        return NULL;
    }
    return rest;
}

void rest_free(struct rest *rest)
{
    if (rest == NULL) {
        return;
    }
    http_free(rest->http);
    loop_source_free(rest->timer);
    buf_release(&rest->url);
    free(rest);
}

void rest_get(struct rest *rest, const char *path, int weight, rest_fn fn, void *userdata)
{
    ASSERT(rest->fn == NULL && path[0] == '/');
    buf_clear(&rest->url);
    buf_addf(&rest->url, "%s%s", rest->base, path);
    rest->weight = weight;
    rest->attempt = 0;
    rest->fn = fn;
    rest->userdata = userdata;
    err_clear(&rest->last);
    loop_timer_in(rest->timer, 0);
}

int64_t rest_sent(const struct rest *rest)
{
    return rest->sent;
}
