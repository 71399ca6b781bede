#include "telegram_api.h"

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"

#include <string.h>

#define URL_MAX        ((size_t)2048) /* fits the longest telegram.api_url and token */
#define BODY_MAX_BYTES ((size_t)256 * 1024)
/* Rich messages nest deeply, and an answer that cannot be read would be sent again and again. */
#define DEPTH_MAX      512
#define RETRY_MAX_S    86400
#define PARSE_HERE_MAX ((size_t)256 * 1024) /* about 2 ms; a helper parses larger answers */

struct telegram_api {
    struct loop *loop;
    struct http *http;
    struct http_meter *meter; /* NULL: not measured */
    struct http *old;         /* before a reconnect, until its calls have ended; NULL: none */
    struct pool *helpers;     /* NULL: everything is parsed on the loop */
    struct buf base;          /* "https://api.telegram.org/bot<token>/" */
    unsigned tokens;          /* how many it has had */
    struct telegram_call *calls;
};

struct telegram_call {
    struct telegram_api *api;
    unsigned token;               /* the number of its token */
    struct http_call *http_call;  /* NULL if the request could not be made */
    struct loop_source *deferred; /* in that case: reports the failure from the loop */
    struct pool_job *parsing;     /* of a large answer; the fields below hold its HTTP part */
    int status;
    int64_t http_retry_after_s;
    int64_t elapsed_us;
    int64_t date_us;
    struct err err;
    char method[32];
    size_t max_body_bytes;
    telegram_api_fn fn;
    void *userdata;
    struct telegram_call *next;
};

int telegram_api_set_token(struct telegram_api *api, const char *url, const char *token,
                           struct err *err)
{
    struct str base = str_trim(str_c(url));
    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    if (!str_starts(base, "http://") && !str_starts(base, "https://")) {
        return err_set(err, ERR_HTTP_URL, "telegram.api_url");
    }
    buf_clear(&api->base);
    buf_addf(&api->base, "%.*s/bot%s/", STR_ARG(base), token);
    api->tokens++;
    return buf_failed(&api->base) ? err_set(err, ERR_HTTP_URL, "telegram.api_url") : 0;
}

int telegram_api_new(struct loop *loop, struct pool *helpers, const char *url, const char *token,
                     struct telegram_api **ret, struct err *err)
{
    struct telegram_api *api = calloc(1, sizeof(*api));
    ASSERT(api != NULL);
    api->loop = loop;
    api->helpers = helpers;
    buf_init(&api->base, URL_MAX);
    int rc = telegram_api_set_token(api, url, token, err);
    if (rc == 0 && (api->http = http_new(loop, err)) == NULL) {
        rc = -err->id;
    }
    if (rc < 0) {
        telegram_api_free(api);
        return rc;
    }
    *ret = api;
    return 0;
}

void telegram_api_measure(struct telegram_api *api, struct http_meter *meter)
{
    api->meter = meter;
    http_measure(api->http, meter);
}

int telegram_api_reconnect(struct telegram_api *api, struct err *err)
{
    if (api->old != NULL && http_pending(api->old) > 0) {
        return 0; /* its calls have not ended since the last time, which was a moment ago */
    }
    struct http *fresh = http_new(api->loop, err);
    if (fresh == NULL) {
        return -err->id;
    }
    http_measure(fresh, api->meter);
    http_free(api->old);
    api->old = api->http;
    api->http = fresh;
    return 0;
}

static void unlink_call(struct telegram_call *call)
{
    struct telegram_call **slot = &call->api->calls;
    while (*slot != call) {
        slot = &(*slot)->next;
    }
    *slot = call->next;
}

static void free_call(struct telegram_call *call)
{
    unlink_call(call);
    loop_source_free(call->deferred);
    free(call);
}

void telegram_api_cancel(struct telegram_call *call)
{
    if (call == NULL) {
        return;
    }
    if (call->http_call != NULL) {
        http_cancel(call->http_call);
    }
    pool_cancel(call->parsing);
    free_call(call);
}

void telegram_api_free(struct telegram_api *api)
{
    if (api == NULL) {
        return;
    }
    while (api->calls != NULL) {
        telegram_api_cancel(api->calls);
    }
    http_free(api->old);
    http_free(api->http);
    buf_release(&api->base);
    free(api);
}

static int64_t clamp_retry(int64_t seconds)
{
    return seconds < 1 ? 1 : seconds > RETRY_MAX_S ? RETRY_MAX_S : seconds;
}

/* "Bad Request: chat not found" -> "chat not found": the prefix only repeats the code. */
static void set_description(struct telegram_answer *answer, const char *text)
{
    static const char *const prefixes[] = {"Bad Request: ", "Forbidden: "};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0) {
            text += strlen(prefixes[i]);
            break;
        }
    }
    (void)str_copy(str_c(text), answer->description, sizeof(answer->description));
}

static enum telegram_result classify(int code)
{
    switch (code) {
    case 401:
        return TELEGRAM_TOKEN_REFUSED;
    case 421: /* "Misdirected Request": this server does not serve this bot */
        return TELEGRAM_FAILED;
    case 409:
        return TELEGRAM_CONFLICT;
    case 429:
        return TELEGRAM_WAIT;
    case 504: /* a gateway timed out: the server behind it may have carried out the call */
        return TELEGRAM_LOST;
    default:
        return code >= 500 ? TELEGRAM_FAILED : TELEGRAM_NO;
    }
}

static void explain(struct telegram_answer *answer, const char *method)
{
    enum err_id id = ERR_TELEGRAM_REFUSED;
    switch (answer->result) {
    case TELEGRAM_OK:
        return;
    case TELEGRAM_NOT_SENT:
        id = ERR_TELEGRAM_UNREACHABLE;
        break;
    case TELEGRAM_FAILED:
    case TELEGRAM_LOST:
        id = ERR_TELEGRAM_FAILED;
        break;
    case TELEGRAM_WAIT:
        id = ERR_TELEGRAM_FLOOD;
        break;
    case TELEGRAM_NO:
        break;
    case TELEGRAM_TOKEN_REFUSED:
        id = ERR_TELEGRAM_TOKEN_REFUSED;
        break;
    case TELEGRAM_CONFLICT:
        id = ERR_TELEGRAM_CONFLICT;
        break;
    }
    (void)err_set(&answer->err, id, "%s: %d %s", method, answer->code, answer->description);
}

/* The HTTP exchange itself failed. */
static void explain_http(struct telegram_answer *answer, const struct http_response *response,
                         const char *method)
{
    switch (response->outcome) {
    case HTTP_OK:
        return;
    case HTTP_NOT_SENT:
        answer->result = TELEGRAM_NOT_SENT;
        break;
    case HTTP_TOO_LARGE:
        answer->too_large = true;
        answer->result = TELEGRAM_LOST;
        break;
    case HTTP_UNKNOWN:
        answer->result = TELEGRAM_LOST;
        break;
    }
    AUTO_BUF struct buf line = BUF_INIT(sizeof(response->err.context) * 2);
    err_line(&response->err, &line);
    (void)err_set(&answer->err, ERR_TELEGRAM_UNREACHABLE, "%s: %s", method, line.data);
}

/* A body to parse; the only data that a helper thread touches. */
struct parsing {
    struct str text;
    struct buf memory; /* of text, if a helper parses it; empty: text is borrowed */
    struct json_limits limits;
    struct json_object *body;
    struct err why;
    int rc;
};

static void parse(void *data)
{
    struct parsing *p = data;
    p->rc = json_parse(p->text, &p->limits, &p->body, &p->why);
}

static void parsing_release(struct parsing *p)
{
    (void)json_object_put(p->body);
    buf_release(&p->memory);
}

static void parsing_free(void *data)
{
    parsing_release(data);
    free(data);
}

static void read_answer(struct telegram_answer *answer, const struct parsing *parsed,
                        const struct telegram_call *call)
{
    const struct json_object *body = parsed->body;
    int rc = parsed->rc;
    const struct json_object *ok = json_get(body, "ok");
    bool is_answer = rc == 0 && json_object_is_type(ok, json_type_boolean);
    answer->code = call->status;
    if (is_answer && json_truth(body, "ok", false) && call->status / 100 == 2) {
        answer->result = TELEGRAM_OK;
        answer->value = json_get(body, "result");
        return;
    }
    if (is_answer && !json_truth(body, "ok", false)) {
        const struct json_object *parameters = json_get(body, "parameters");
        int64_t code = json_i64(body, "error_code", call->status);
        answer->code = code >= 300 && code < 1000 ? (int)code : call->status;
        answer->result = classify(answer->code);
        answer->retry_after_s = json_i64(parameters, "retry_after", -1);
        answer->migrate_to_chat_id = json_i64(parameters, "migrate_to_chat_id", 0);
        set_description(answer, json_text(body, "description"));
        if (answer->code == 404 && strcmp(answer->description, "Not Found") == 0) {
            answer->result = TELEGRAM_TOKEN_REFUSED; /* "/bot<token>" itself is unknown */
        }
    } else if (call->status == 429 || call->status >= 500) {
        /* These statuses mean the same from any server on the way. 401 and 409 do not: a proxy that
         * asks for a password has not revoked the token, and its conflict is no second poller. */
        answer->result = classify(call->status);
        answer->retry_after_s = -1;
        (void)snprintf(answer->description, sizeof(answer->description), "no Bot API answer");
    } else {
        bool stopped_before = call->status == 401 || call->status == 407;
        answer->result = stopped_before ? TELEGRAM_NOT_SENT : TELEGRAM_LOST;
        (void)err_set(&answer->err, ERR_TELEGRAM_GARBLED, "%s: HTTP %d, %zu bytes, %s",
                      call->method, call->status, parsed->text.len,
                      rc < 0 ? parsed->why.context : "no member ok");
        return;
    }
    if (answer->retry_after_s < 0) {
        answer->retry_after_s = call->http_retry_after_s;
    }
    answer->retry_after_s = clamp_retry(answer->retry_after_s);
    if (answer->result == TELEGRAM_TOKEN_REFUSED && call->token != call->api->tokens) {
        answer->result = TELEGRAM_NOT_SENT;
    }
    explain(answer, call->method);
}

static void finish(struct telegram_call *call, const struct telegram_answer *answer)
{
    telegram_api_fn fn = call->fn;
    void *fn_userdata = call->userdata;
    free_call(call);
    fn(answer, fn_userdata);
}

static void on_parsed(void *data, void *userdata)
{
    struct telegram_call *call = userdata;
    struct telegram_answer answer = {.elapsed_us = call->elapsed_us, .date_us = call->date_us};
    call->parsing = NULL;
    read_answer(&answer, data, call);
    finish(call, &answer);
}

/* False if no helper is available: the caller parses it and blocks the loop. */
static bool parse_elsewhere(struct telegram_call *call, const struct parsing *parsing,
                            const struct http_response *response)
{
    struct parsing *own = malloc(sizeof(*own));
    ASSERT(own != NULL);
    *own = *parsing;
    call->parsing = pool_start(
        call->api->helpers,
        &(struct pool_work){
            .data = own, .work = parse, .done = on_parsed, .drop = parsing_free, .userdata = call},
        NULL);
    if (call->parsing == NULL) {
        parsing_free(own);
        return false;
    }
    http_take_body(response, &own->memory); /* copying megabytes would block the loop */
    return true;
}

static void on_response(const struct http_response *response, void *userdata)
{
    struct telegram_call *call = userdata;
    struct telegram_answer answer = {.elapsed_us = response->elapsed_us,
                                     .date_us = http_date_us(response)};
    struct parsing parsing = {
        .text = response->body,
        .limits = {.max_bytes = call->max_body_bytes, .max_depth = DEPTH_MAX}};
    call->date_us = answer.date_us;
    call->http_call = NULL;
    call->status = response->status;
    call->elapsed_us = response->elapsed_us;
    call->http_retry_after_s = http_retry_after_s(response);
    if (response->outcome != HTTP_OK) {
        explain_http(&answer, response, call->method);
    } else if (response->body.len > PARSE_HERE_MAX && call->api->helpers != NULL &&
               parse_elsewhere(call, &parsing, response)) {
        return;
    } else {
        parse(&parsing);
        read_answer(&answer, &parsing, call);
    }
    finish(call, &answer);
    parsing_release(&parsing);
}

static void on_not_made(void *userdata)
{
    struct telegram_call *call = userdata;
    struct telegram_answer answer = {.result = TELEGRAM_NOT_SENT, .err = call->err};
    telegram_api_fn fn = call->fn;
    void *fn_userdata = call->userdata;
    free_call(call);
    fn(&answer, fn_userdata);
}

struct telegram_call *telegram_api_call(struct telegram_api *api,
                                        const struct telegram_request *request, telegram_api_fn fn,
                                        void *userdata)
{
    struct telegram_call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    *call = (struct telegram_call){
        .api = api, .token = api->tokens, .fn = fn, .userdata = userdata, .next = api->calls};
    call->max_body_bytes = request->max_body_bytes == 0 ? (size_t)1 << 20 : request->max_body_bytes;
    (void)str_copy(str_c(request->method), call->method, sizeof(call->method));
    api->calls = call;

    AUTO_BUF struct buf url = BUF_INIT(URL_MAX + sizeof(call->method));
    AUTO_BUF struct buf body = BUF_INIT(BODY_MAX_BYTES);
    buf_add_str(&url, buf_str(&api->base));
    buf_add_c(&url, call->method);
    if (request->parts == NULL) {
        if (request->params != NULL) {
            json_add_text(&body, request->params);
            (void)json_object_put(request->params);
        } else {
            buf_add_c(&body, "{}");
        }
    }
    if (buf_failed(&body)) {
        (void)err_set(&call->err, ERR_BUF_FULL, "%s", call->method);
    } else {
        call->http_call =
            http_send(api->http,
                      &(struct http_request){
                          .url = url.data,
                          .body = buf_str(&body),
                          .content_type = request->parts == NULL ? "application/json" : NULL,
                          .parts = request->parts,
                          .part_count = request->part_count,
                          .timeout_ms = request->timeout_ms,
                          .max_body_bytes = call->max_body_bytes,
                          .unmeasured = request->held,
                      },
                      on_response, call, &call->err);
    }
    if (call->http_call == NULL) {
        call->deferred = loop_add_deferred(api->loop, on_not_made, call);
        loop_defer(call->deferred);
    }
    return call;
}
