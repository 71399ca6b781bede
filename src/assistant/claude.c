#include "assistant/claude.h"

#include "assistant/ledger.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "breaker.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/secret.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The vendor's limit is 32 MB; our requests are far smaller. */
#define CLAUDE_REQUEST_MAX_BYTES ((size_t)1 << 20)
#define CLAUDE_BODY_MAX_BYTES    ((size_t)4 << 20)
#define CLAUDE_KEY_MAX_BYTES     512
#define CLAUDE_BACKOFF_S         0.5
#define CLAUDE_BACKOFF_MAX_S     8.0

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

/* ------------------------------------------------------------------ price */

/*
 * US dollars per million tokens, from the vendor's model pages as of 2026-11-21. An id may have a
 * date at its end; a model that is not here has no price. Writing to the cache (five minutes) costs
 * 1.25 times input, reading 0.1 times.
 */
static const struct price {
    const char *model;
    double input;
    double output;
    int64_t long_above; /* input tokens from which the second price applies; 0: no second price */
    double long_input;
    double long_output;
} prices[] = {
    {"claude-haiku-5-5", 0.10, 0.50, 100000, 0.50, 2.50},
    {"claude-sonnet-5-5", 2, 10, 0, 0, 0},
    {"claude-opus-5-5", 4, 20, 0, 0, 0},
    {"claude-fable-5-1", 10, 50, 0, 0, 0},
    {"claude-fable-5-2", 10, 50, 0, 0, 0},
    {"claude-opus-5", 5, 25, 0, 0, 0},
    {"claude-sonnet-5", 2, 10, 0, 0, 0},
    {"claude-haiku-4-5", 1, 5, 0, 0, 0},
};

/* "claude-opus-5-5" and "claude-opus-5-5-20260922"; but "claude-opus-5-7" is not claude-opus-5. */
static const struct price *price_of(const char *model)
{
    for (size_t i = 0; i < COUNT_OF(prices); i++) {
        size_t len = strlen(prices[i].model);
        const char *rest = model + len;
        if (strncmp(model, prices[i].model, len) == 0 &&
            (rest[0] == '\0' ||
             (rest[0] == '-' && strlen(rest) == 9 && strspn(rest + 1, "0123456789") == 8))) {
            return &prices[i];
        }
    }
    return NULL;
}

struct dec claude_cost(const char *model, int64_t input, int64_t cache_write, int64_t cache_read,
                       int64_t output)
{
    const struct price *price = price_of(model);
    if (price == NULL) {
        return DEC_INVALID;
    }
    bool large = price->long_above > 0 && input + cache_write + cache_read > price->long_above;
    double in = large ? price->long_input : price->input;
    double out = large ? price->long_output : price->output;
    double tokens_in = (double)input + 1.25 * (double)cache_write + 0.1 * (double)cache_read;
    return dec_from_double((tokens_in * in + (double)output * out) / 1e6);
}

/* ------------------------------------------------------------------ retry */

static bool body_has_error_code(const struct http_response *response, const char *part)
{
    AUTO_JSON struct json_object *body = NULL;
    if (json_parse(response->body, &JSON_LIMITS_DEFAULT, &body, NULL) < 0) {
        return false;
    }
    const char *code = json_text(json_get(json_get(body, "error"), "details"), "error_code");
    return strstr(code, part) != NULL;
}

/* The wait that the server asks for, in microseconds; -1: none given. */
static int64_t asked_wait_us(const struct http_response *response, int64_t wall_us)
{
    const char *ms = http_header(response, "retry-after-ms");
    double number = 0;
    if (ms != NULL && str_to_double(str_c(ms), &number) && number >= 0) {
        return number > 1e9 ? INT64_MAX : (int64_t)(number * 1e3);
    }
    const char *after = http_header(response, "retry-after");
    if (after == NULL) {
        return -1;
    }
    if (str_to_double(str_c(after), &number)) {
        return number < 0 ? -1 : number > 1e6 ? INT64_MAX : (int64_t)(number * 1e6);
    }
    int64_t then_us = 0;
    if (!clock_parse_http(str_c(after), &then_us)) {
        return -1;
    }
    int64_t wait_us = then_us - wall_us;
    return wait_us < 0 ? 0 : wait_us;
}

int64_t claude_retry_us(const struct http_response *response, int attempt, double jitter,
                        int64_t wall_us)
{
    if (attempt > CLAUDE_RETRIES) {
        return -1;
    }
    int64_t wait_us = -1;
    if (response->outcome == HTTP_OK) {
        const char *word = http_header(response, "x-should-retry");
        bool should_retry = word != NULL && strcmp(word, "true") == 0;
        bool must_not_retry = word != NULL && strcmp(word, "false") == 0;
        int status = response->status;
        bool transient = status == 408 || status == 409 || status == 429 || status >= 500;
        if (must_not_retry || (!should_retry && !transient) ||
            body_has_error_code(response, "spend_limit")) {
            return -1;
        }
        wait_us = asked_wait_us(response, wall_us);
    } else if (response->outcome == HTTP_TOO_LARGE ||
               err_info(response->err.id)->retry == ERR_RETRY_AFTER_FIX) {
        return -1;
    }
    if (wait_us > CLAUDE_WAIT_MAX_US) {
        return -1;
    }
    if (wait_us < 0) {
        double seconds = fmin(CLAUDE_BACKOFF_S * pow(2, attempt - 1), CLAUDE_BACKOFF_MAX_S);
        wait_us = (int64_t)(seconds * (1 - 0.25 * jitter) * 1e6);
    }
    return wait_us;
}

/* ------------------------------------------------------------------ reading */

static enum err_id status_error(const struct http_response *response)
{
    int status = response->status;
    if (body_has_error_code(response, "spend_limit")) {
        return ERR_CLAUDE_BILLING;
    }
    switch (status) {
    case 400:
    case 409:
    case 422:
        return ERR_CLAUDE_REQUEST;
    case 401:
        return ERR_CLAUDE_KEY;
    case 402:
        return ERR_CLAUDE_BILLING;
    case 403:
        return ERR_CLAUDE_DENIED;
    case 404:
        return ERR_CLAUDE_MODEL;
    case 413:
        return ERR_CLAUDE_TOO_LARGE;
    case 429:
        return ERR_CLAUDE_RATE_LIMITED;
    default:
        return status == 408 || status >= 500 ? ERR_CLAUDE_OVERLOADED : ERR_CLAUDE_GARBLED;
    }
}

/* Sets *err from the status, the API's error type and message, and the request id. The message may
 * echo a secret, so it is redacted. */
static int read_failure(const struct http_response *response, const char *request_id,
                        struct err *err)
{
    AUTO_JSON struct json_object *body = NULL;
    int rc = json_parse(response->body, &JSON_LIMITS_DEFAULT, &body, NULL);
    const struct json_object *error = json_get(body, "error");
    const char *type = json_text(error, "type");
    if (rc < 0 || type[0] == '\0') {
        return err_set(err, status_error(response), "HTTP %d, and the body is not an API error",
                       response->status);
    }
    rc =
        err_set(err, status_error(response), "HTTP %d %.40s: %.120s%s%s", response->status, type,
                json_text(error, "message"), request_id[0] != '\0' ? ", request " : "", request_id);
    if (err != NULL) {
        log_redact(err->context);
    }
    return rc;
}

static void read_usage(const struct json_object *message, struct llm_answer *answer)
{
    const struct json_object *usage = json_get(message, "usage");
    int64_t input = json_i64(usage, "input_tokens", -1);
    int64_t output = json_i64(usage, "output_tokens", -1);
    int64_t written = json_i64(usage, "cache_creation_input_tokens", 0);
    int64_t read = json_i64(usage, "cache_read_input_tokens", 0);
    /* An impossibly large count is ignored, so that sums and prices stay in range. */
    const int64_t limit = INT64_C(100000000);
    if (input < 0 || input > limit || output < 0 || output > limit || written < 0 ||
        written > limit || read < 0 || read > limit) {
        answer->cost_usd = DEC_INVALID;
        return;
    }
    answer->input_tokens = input + written + read;
    answer->output_tokens = output;
    answer->cache_write_tokens = written;
    answer->cache_read_tokens = read;
    answer->cost_usd = claude_cost(answer->model, input, written, read, output);
}

/* Concatenates all blocks of type text; thinking blocks are skipped. */
static int read_text(const struct json_object *message, char **ret_text, struct err *err)
{
    const struct json_object *content = json_get(message, "content");
    AUTO_BUF struct buf text = BUF_INIT(CLAUDE_BODY_MAX_BYTES);
    for (size_t i = 0; i < json_len(content); i++) {
        const struct json_object *block = json_item(content, i);
        if (strcmp(json_text(block, "type"), "text") == 0) {
            buf_add_str(&text, json_str(block, "text"));
        }
    }
    if (buf_failed(&text)) {
        return err_set(err, ERR_CLAUDE_GARBLED, "text of the answer is too long");
    }
    if (strlen(text.data) != text.len) { /* the text after a NUL would be lost silently */
        return err_set(err, ERR_CLAUDE_GARBLED, "text of the answer contains a NUL");
    }
    if (str_trim(buf_str(&text)).len == 0) {
        return err_set(err, ERR_CLAUDE_EMPTY, "no text among %zu blocks", json_len(content));
    }
    *ret_text = buf_detach(&text);
    return 0;
}

static int read_message(const struct json_object *message, struct llm_answer *answer,
                        char **ret_text, struct err *err)
{
    const char *reason = json_text(message, "stop_reason");
    answer->stop_reason = reason;
    if (json_text(message, "model")[0] != '\0') {
        answer->model = json_text(message, "model");
    }
    read_usage(message, answer);
    if (strcmp(reason, "end_turn") == 0 || strcmp(reason, "stop_sequence") == 0) {
        return read_text(message, ret_text, err);
    }
    if (strcmp(reason, "max_tokens") == 0 || strcmp(reason, "model_context_window_exceeded") == 0) {
        return err_set(err, ERR_CLAUDE_TRUNCATED, "stopped at %s after %lld tokens", reason,
                       (long long)answer->output_tokens);
    }
    if (strcmp(reason, "refusal") == 0) {
        const char *category = json_text(json_get(message, "stop_details"), "category");
        return err_set(err, ERR_CLAUDE_REFUSED, "category %.40s",
                       category[0] != '\0' ? category : "not given");
    }
    if (reason[0] == '\0') {
        return err_set(err, ERR_CLAUDE_GARBLED, "the message has no stop_reason");
    }
    /* tool_use or pause_turn, although no tool was offered, or an unknown reason. */
    return err_set(err, ERR_CLAUDE_EMPTY, "stopped for %.40s", reason);
}

int claude_read(const struct http_response *response, struct llm_answer *answer,
                struct json_object **ret_message, char **ret_text, struct err *err)
{
    *ret_message = NULL;
    *ret_text = NULL;
    if (response->outcome != HTTP_OK) {
        /* It may have been answered and billed. */
        answer->cost_usd = response->outcome == HTTP_NOT_SENT ? DEC_ZERO : DEC_INVALID;
        if (err != NULL) {
            *err = response->err;
        }
        return -response->err.id;
    }
    const char *request_id = http_header(response, "request-id");
    answer->request_id = request_id != NULL ? request_id : "";
    if (response->status != 200) {
        return read_failure(response, answer->request_id, err);
    }
    answer->cost_usd = DEC_INVALID;
    struct err why = {0};
    if (json_parse(response->body, &JSON_LIMITS_DEFAULT, ret_message, &why) < 0) {
        return err_set(err, ERR_CLAUDE_GARBLED, "HTTP 200, %.160s", why.context);
    }
    if (strcmp(json_text(*ret_message, "type"), "message") != 0 ||
        !json_is_array(json_get(*ret_message, "content"))) {
        return err_set(err, ERR_CLAUDE_GARBLED, "HTTP 200 with JSON that is not a message");
    }
    return read_message(*ret_message, answer, ret_text, err);
}

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

static void on_response(const struct http_response *response, void *userdata)
{
    struct call *call = userdata;
    call->http = NULL;
    struct llm_answer one = {
        .model = call->model, .request_id = "", .stop_reason = "", .cost_usd = DEC_ZERO};
    AUTO_JSON struct json_object *message = NULL;
    AUTO_FREE char *text = NULL;
    struct err err = {0};
    int rc = claude_read(response, &one, &message, &text, &err);
    add_to_ledger(call, &one, err.id);
    add_to_total(&call->total, &one);
    struct llm_answer answer = call->total;
    answer.model = one.model;
    answer.request_id = one.request_id;
    answer.stop_reason = one.stop_reason;

    int64_t wait_us = -1;
    /* More tokens do not help if the context window is full. */
    if (rc == -ERR_CLAUDE_TRUNCATED && strcmp(one.stop_reason, "max_tokens") == 0 &&
        enlarge(call)) {
        wait_us = 0;
    } else if (rc < 0) {
        wait_us = claude_retry_us(response, call->attempt, rng_double(&call->claude->rng),
                                  clock_wall_us(loop_clock(call->claude->loop)));
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
    call->http =
        http_send(claude->http,
                  &(struct http_request){.url = claude->url,
                                         .headers = headers,
                                         .body = buf_str(&body),
                                         .content_type = "application/json",
                                         .timeout_ms = left_ms < claude->timeout_ms && left_ms > 0
                                                           ? left_ms
                                                           : claude->timeout_ms,
                                         .max_body_bytes = CLAUDE_BODY_MAX_BYTES},
                  on_response, call, err);
    secret_wipe(key, sizeof(key));
    return call->http != NULL ? 0 : -err->id;
}

/* Without sampling parameters: the API refuses them since version 2026-10-21. */
static struct json_object *request_body(const struct llm_request *llm_request, const char *model,
                                        int64_t max_tokens)
{
    struct json_object *body = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(body);
    json_out_text(&out, "model", model);
    json_out_i64(&out, "max_tokens", max_tokens);
    json_out_array(&out, "system");
    json_out_object(&out, NULL);
    json_out_text(&out, "type", "text");
    json_out_text(&out, "text", llm_request->system);
    json_out_object(&out, "cache_control");
    json_out_text(&out, "type", "ephemeral");
    json_out_end(&out);
    json_out_end(&out);
    json_out_end(&out);
    json_out_array(&out, "messages");
    json_out_object(&out, NULL);
    json_out_text(&out, "role", "user");
    json_out_text(&out, "content", llm_request->user);
    json_out_end(&out);
    json_out_end(&out);
    if (llm_request->schema != NULL) {
        json_out_object(&out, "output_config");
        json_out_object(&out, "format");
        json_out_text(&out, "type", "json_schema");
        json_out_value(&out, "schema", llm_request->schema);
        json_out_end(&out);
        json_out_end(&out);
    }
    return body;
}

static void set_hashes(struct call *call, const struct llm_request *llm_request)
{
    AUTO_BUF struct buf prompt = BUF_INIT(CLAUDE_REQUEST_MAX_BYTES);
    buf_addf(&prompt, "%s\n", llm_request->system);
    json_add_text(&prompt, llm_request->schema);
    secret_hash(NULL, buf_str(&prompt), call->prompt_hash);
    secret_hash(NULL, str_c(llm_request->user), call->report_hash);
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
    call->body = request_body(llm_request, model, call->max_tokens);
    call->started_mono_us = now_us(claude);
    call->trial = trial;
    set_hashes(call, llm_request);
    call->timer = loop_add_timer(claude->loop, on_timer, call);
    loop_source_name(call->timer, "claude");
    call->total.cost_usd = DEC_ZERO;
    (void)str_copy(str_c(model), call->model, sizeof(call->model));
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
                add_to_ledger(call,
                              &(struct llm_answer){.model = call->model,
                                                   .request_id = "",
                                                   .stop_reason = "",
                                                   .cost_usd = DEC_INVALID},
                              ERR_COMMAND_CANCELLED);
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
