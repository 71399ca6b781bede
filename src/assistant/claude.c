#include "assistant/ledger.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "breaker.h"
#include "claude_internal.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/secret.h"

#include <stdbool.h>
#include <string.h>

#define CLAUDE_KEY_MAX_BYTES 512

struct call {
    struct claude *claude;
    struct json_object *body; /* of the request, max_tokens included */
    int64_t max_tokens;
    bool enlarged; /* max_tokens has been doubled */
    int attempt;   /* with this max_tokens, from 1 */
    int64_t started_mono_us;
    int64_t attempt_mono_us;
    bool trial; /* of the breaker */
    char prompt_hash[SECRET_HASH_HEX_SIZE];
    char report_hash[SECRET_HASH_HEX_SIZE];
    struct http_call *http;
    struct loop_source *timer;
    struct llm_answer total; /* tokens and cost of the answers so far */
    char model[64];
    bool tools;                  /* the model was offered some */
    struct claude_stream stream; /* of the attempt under way, if on_text is set */
    void (*on_text)(struct str text, void *userdata);
    llm_answer_fn fn;
    void *userdata;
};

struct claude {
    struct loop *loop;
    struct http *http;
    char url[512];
    char *model;
    struct secret *key;
    int64_t max_tokens;
    int64_t timeout_ms;
    struct rng rng;
    struct breaker breaker;
    const struct ledger *ledger; /* NULL: none */
    struct call *calls[CLAUDE_REQUESTS_MAX];
};

/* ------------------------------------------------------------------ requests */

static int send_attempt(struct call *call, struct err *err);

/* Must not access the client: the callback may have freed it. */
static void call_free(struct call *call)
{
    if (call->http != NULL) {
        http_cancel(call->http);
    }
    loop_source_free(call->timer);
    (void)json_object_put(call->body);
    claude_stream_release(&call->stream);
    free(call);
}

static void call_detach(const struct call *call)
{
    struct claude *claude = call->claude;
    for (size_t i = 0; i < COUNT_OF(claude->calls); i++) {
        if (claude->calls[i] == call) {
            claude->calls[i] = NULL;
        }
    }
}

static int64_t now_us(const struct claude *claude)
{
    return clock_mono_us(loop_clock(claude->loop));
}

/* Whether the service answered: a request that it refuses for itself says that it works. */
static enum breaker_result result_of(int id)
{
    return id == ERR_NONE || id == ERR_CLAUDE_REQUEST || id == ERR_CLAUDE_TOO_LARGE ||
                   id == ERR_CLAUDE_TRUNCATED || id == ERR_CLAUDE_REFUSED || id == ERR_CLAUDE_EMPTY
               ? BREAKER_ANSWERED
               : BREAKER_FAILED;
}

/* Ends the call. It is removed from the list before the callback, which may send a new request. */
static void call_finish(struct call *call, struct llm_answer *answer, enum breaker_result result)
{
    breaker_leave(&call->claude->breaker, call->trial, result, now_us(call->claude));
    answer->elapsed_us = now_us(call->claude) - call->started_mono_us;
    call_detach(call);
    call->fn(answer, call->userdata);
    call_free(call);
}

/* The next attempt could not be sent. */
static void call_fail(struct call *call, const struct err *err)
{
    struct llm_answer answer = call->total;
    answer.err = *err;
    answer.text = "";
    answer.model = call->model;
    answer.request_id = answer.stop_reason = "";
    call_finish(call, &answer, BREAKER_NOTHING);
}

static void on_timer(void *userdata)
{
    struct call *call = userdata;
    struct err err = {0};
    if (send_attempt(call, &err) < 0) {
        call_fail(call, &err);
    }
}

static int64_t time_left_us(const struct call *call)
{
    return call->started_mono_us + CLAUDE_DEADLINE_US - now_us(call->claude);
}

/* Doubles max_tokens for another attempt. False: already doubled, or at the maximum. */
static bool enlarge(struct call *call)
{
    if (call->enlarged || call->max_tokens >= CLAUDE_TOKENS_MAX) {
        return false;
    }
    call->enlarged = true;
    call->attempt = 0;
    call->max_tokens =
        call->max_tokens * 2 > CLAUDE_TOKENS_MAX ? CLAUDE_TOKENS_MAX : call->max_tokens * 2;
    struct json_out body = JSON_OUT_TREE(call->body);
    json_out_i64(&body, "max_tokens", call->max_tokens);
    return true;
}

/* The row of one attempt. */
static void add_to_ledger(const struct call *call, const struct llm_answer *one, enum err_id id)
{
    const struct ledger *ledger = call->claude->ledger;
    if (ledger == NULL) {
        return;
    }
    struct llm_call_record record = {.input_tokens = one->input_tokens,
                                     .output_tokens = one->output_tokens,
                                     .cache_read_tokens = one->cache_read_tokens,
                                     .cache_write_tokens = one->cache_write_tokens,
                                     .cost_usd = one->cost_usd,
                                     .latency_us = now_us(call->claude) - call->attempt_mono_us};
    str_cut(str_c(one->model), record.model, sizeof(record.model));
    str_cut(str_c(one->stop_reason), record.stop_reason, sizeof(record.stop_reason));
    str_cut(str_c(one->request_id), record.request_id, sizeof(record.request_id));
    str_cut(str_c(id == ERR_NONE ? "" : err_info(id)->code), record.error_code,
            sizeof(record.error_code));
    memcpy(record.prompt_hash, call->prompt_hash, sizeof(record.prompt_hash));
    memcpy(record.report_hash, call->report_hash, sizeof(record.report_hash));
    ledger_add(ledger, &record);
}

static void add_to_total(struct llm_answer *total, const struct llm_answer *one)
{
    total->input_tokens += one->input_tokens;
    total->output_tokens += one->output_tokens;
    total->cache_read_tokens += one->cache_read_tokens;
    total->cache_write_tokens += one->cache_write_tokens;
    total->cost_usd = dec_add(total->cost_usd, one->cost_usd);
}

/* A stream that broke off came with status 200: what it says about itself counts. */
static int64_t retry_us(struct call *call, const struct http_response *response, enum err_id id)
{
    struct http_response as = *response;
    bool broke_off = call->on_text != NULL && call->stream.read > 0 && as.status == 200;
    if (broke_off && call->stream.status != 0) {
        as.status = call->stream.status;
    } else if (broke_off && id == ERR_CLAUDE_GARBLED) {
        as.status = 500;
    }
    return claude_retry_us(&as, call->attempt, rng_double(&call->claude->rng),
                           clock_wall_us(loop_clock(call->claude->loop)));
}

/* More of a streamed answer has arrived. An error has a body of its own, which is read at the end.
 */
static void on_body(struct str body, int status, void *userdata)
{
    struct call *call = userdata;
    if (status == 200 && claude_stream_feed(&call->stream, body)) {
        call->on_text(buf_str(&call->stream.text), call->userdata);
    }
}

static void on_response(const struct http_response *response, void *userdata)
{
    struct call *call = userdata;
    call->http = NULL;
    struct llm_answer one = {
        .model = call->model, .request_id = "", .stop_reason = "", .cost_usd = DEC_ZERO};
    AUTO_JSON struct json_object *message = NULL;
    AUTO_FREE char *text = NULL;
    struct err err = {0};
    int rc = claude_read_attempt(response, call->on_text != NULL ? &call->stream : NULL,
                                 call->tools, &one, &message, &text, &err);
    add_to_ledger(call, &one, err.id);
    add_to_total(&call->total, &one);
    struct llm_answer answer = call->total;
    answer.model = one.model;
    answer.request_id = one.request_id;
    answer.stop_reason = one.stop_reason;
    answer.content = one.content;

    int64_t wait_us = -1;
    /* More tokens do not help if the context window is full. */
    if (rc == -ERR_CLAUDE_TRUNCATED && strcmp(one.stop_reason, "max_tokens") == 0 &&
        enlarge(call)) {
        wait_us = 0;
    } else if (rc < 0) {
        wait_us = retry_us(call, response, err.id);
    }
    if (wait_us >= 0 && wait_us < time_left_us(call)) {
        LOG(DEBUG, "claude: attempt %d failed (%s), retry in %lld ms", answer.attempts,
            err_info(err.id)->code, (long long)(wait_us / USEC_PER_MSEC));
        loop_timer_in(call->timer, wait_us);
        return;
    }
    answer.err = err;
    answer.text = text != NULL ? text : "";
    call_finish(call, &answer, result_of(err.id));
}

static int send_attempt(struct call *call, struct err *err)
{
    struct claude *claude = call->claude;
    int rc = claude->ledger != NULL ? ledger_check(claude->ledger, err) : 0;
    if (rc < 0) {
        return rc;
    }
    AUTO_BUF struct buf body = BUF_INIT(CLAUDE_REQUEST_MAX_BYTES);
    json_add_text(&body, call->body);
    if (buf_failed(&body)) {
        return err_set(err, ERR_CLAUDE_TOO_LARGE, "more than %zu bytes", body.max);
    }
    log_redact(body.data);
    body.len = strlen(body.data);
    char key[CLAUDE_KEY_MAX_BYTES + sizeof("x-api-key: ")];
    (void)snprintf(key, sizeof(key), "x-api-key: %s", secret_text(claude->key));
    const char *headers[] = {key, "anthropic-version: " CLAUDE_VERSION, NULL};
    int64_t left_ms = time_left_us(call) / USEC_PER_MSEC;
    call->attempt++;
    call->total.attempts++;
    call->attempt_mono_us = now_us(claude);
    claude_stream_release(&call->stream);
    claude_stream_init(&call->stream);
    call->http =
        http_send(claude->http,
                  &(struct http_request){.url = claude->url,
                                         .headers = headers,
                                         .body = buf_str(&body),
                                         .content_type = "application/json",
                                         .timeout_ms = left_ms < claude->timeout_ms && left_ms > 0
                                                           ? left_ms
                                                           : claude->timeout_ms,
                                         .on_body = call->on_text != NULL ? on_body : NULL,
                                         .unmeasured = true, /* the ledger measures it */
                                         .max_body_bytes = CLAUDE_BODY_MAX_BYTES},
                  on_response, call, err);
    secret_wipe(key, sizeof(key));
    return call->http != NULL ? 0 : -err->id;
}

static int claude_ask(void *self, const struct llm_request *llm_request, llm_answer_fn fn,
                      void *userdata, void **ret_handle, struct err *err)
{
    struct claude *claude = self;
    struct call **slot = NULL;
    for (size_t i = 0; i < COUNT_OF(claude->calls); i++) {
        if (claude->calls[i] == NULL) {
            slot = &claude->calls[i];
        }
    }
    if (slot == NULL) {
        return err_set(err, ERR_CLAUDE_BUSY, "%d of %d under way", CLAUDE_REQUESTS_MAX,
                       CLAUDE_REQUESTS_MAX);
    }
    bool trial = false;
    int rc = breaker_enter(&claude->breaker, now_us(claude), &trial, err);
    if (rc < 0) {
        return rc;
    }
    struct call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    const char *model = llm_request->model != NULL ? llm_request->model : claude->model;
    call->claude = claude;
    call->max_tokens = llm_request->max_tokens > 0 ? llm_request->max_tokens : claude->max_tokens;
    call->body = claude_request_body(llm_request, model, call->max_tokens);
    call->started_mono_us = now_us(claude);
    call->trial = trial;
    claude_request_hashes(llm_request, call->prompt_hash, call->report_hash);
    claude_stream_init(&call->stream);
    call->timer = loop_add_timer(claude->loop, on_timer, call);
    loop_source_name(call->timer, "claude");
    call->total.cost_usd = DEC_ZERO;
    (void)str_copy(str_c(model), call->model, sizeof(call->model));
    call->tools = llm_request->tools != NULL;
    call->on_text = llm_request->on_text;
    call->fn = fn;
    call->userdata = userdata;
    struct err local = {0};
    rc = send_attempt(call, &local);
    if (rc < 0) {
        breaker_leave(&claude->breaker, trial, BREAKER_NOTHING, now_us(claude));
        call_free(call);
        if (err != NULL) {
            *err = local;
        }
        return rc;
    }
    *slot = call;
    *ret_handle = call;
    return 0;
}

static void claude_cancel(void *self, void *handle)
{
    struct claude *claude = self;
    for (size_t i = 0; i < COUNT_OF(claude->calls); i++) {
        if (claude->calls[i] == handle && handle != NULL) {
            struct call *call = claude->calls[i];
            claude->calls[i] = NULL;
            if (call->http != NULL) { /* it was sent, and may be billed */
                struct llm_answer cut = {.model = call->model,
                                         .request_id = "",
                                         .stop_reason = "",
                                         .cost_usd = DEC_INVALID};
                claude_count_cut(&call->stream, &cut);
                add_to_ledger(call, &cut, ERR_COMMAND_CANCELLED);
            }
            breaker_leave(&claude->breaker, call->trial, BREAKER_NOTHING, now_us(claude));
            call_free(call);
            return;
        }
    }
}

/* ------------------------------------------------------------------ life cycle */

static bool key_is_usable(const char *key)
{
    size_t len = strlen(key);
    if (len == 0 || len > CLAUDE_KEY_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (key[i] <= ' ' || key[i] > '~') {
            return false;
        }
    }
    return true;
}

int claude_apply(struct claude *claude, const struct claude_options *options, struct err *err)
{
    if (options->api_key == NULL || !key_is_usable(options->api_key)) {
        return err_set(err, ERR_CLAUDE_KEY,
                       "claude.api_key is empty, too long, or contains spaces");
    }
    const char *base = options->api_url;
    if (base == NULL || base[0] == '\0') {
        base = CLAUDE_API_URL;
    }
    struct str root = str_c(base);
    while (root.len > 0 && root.ptr[root.len - 1] == '/') {
        root.len--;
    }
    char url[sizeof(claude->url)];
    int size = snprintf(url, sizeof(url), "%.*s/v1/messages", STR_ARG(root));
    if (size < 0 || (size_t)size >= sizeof(url)) {
        return err_set(err, ERR_HTTP_URL, "claude.api_url is longer than 400 bytes");
    }
    if (!log_hide(options->api_key)) {
        return err_set(err, ERR_CONFIG_LIMIT, "too many secrets registered since the start");
    }
    memcpy(claude->url, url, sizeof(url));
    free(claude->model);
    claude->model = strdup(options->model);
    ASSERT(claude->model != NULL);
    secret_free(claude->key);
    claude->key = secret_new(str_c(options->api_key));
    claude->breaker = (struct breaker){0};
    claude->max_tokens = options->max_tokens;
    claude->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : CLAUDE_TIMEOUT_MS;
    return 0;
}

int claude_new(const struct claude_options *options, struct claude **ret, struct err *err)
{
    struct claude *claude = calloc(1, sizeof(*claude));
    ASSERT(claude != NULL);
    claude->loop = options->loop;
    claude->http = options->http;
    claude->ledger = options->ledger;
    rng_init(&claude->rng, secret_random_u64());
    int rc = claude_apply(claude, options, err);
    if (rc < 0) {
        claude_free(claude);
        return rc;
    }
    *ret = claude;
    return 0;
}

void claude_free(struct claude *claude)
{
    if (claude == NULL) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(claude->calls); i++) {
        if (claude->calls[i] != NULL) {
            call_free(claude->calls[i]);
        }
    }
    secret_free(claude->key);
    free(claude->model);
    free(claude);
}

struct llm_client claude_llm_client(struct claude *claude)
{
    return (struct llm_client){.ask = claude_ask, .cancel = claude_cancel, .self = claude};
}
