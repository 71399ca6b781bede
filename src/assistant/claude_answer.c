#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "claude_internal.h"
#include "io/json.h"

#include <string.h>

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

/* ------------------------------------------------------------------ reading */

static enum err_id status_error(int status)
{
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

int claude_set_error(enum err_id id, int status, const struct json_object *error,
                     const char *request_id, struct err *err)
{
    int rc = err_set(err, id != ERR_NONE ? id : status_error(status), "HTTP %d %.40s: %.120s%s%s",
                     status, json_text(error, "type"), json_text(error, "message"),
                     request_id[0] != '\0' ? ", request " : "", request_id);
    if (err != NULL) {
        log_redact(err->context);
    }
    return rc;
}

static int read_failure(const struct http_response *response, const char *request_id,
                        struct err *err)
{
    AUTO_JSON struct json_object *body = NULL;
    int rc = json_parse(response->body, &JSON_LIMITS_DEFAULT, &body, NULL);
    const struct json_object *error = json_get(body, "error");
    enum err_id id = claude_has_error_code(response, "spend_limit") ? ERR_CLAUDE_BILLING : ERR_NONE;
    if (rc < 0 || json_text(error, "type")[0] == '\0') {
        return err_set(err, id != ERR_NONE ? id : status_error(response->status),
                       "HTTP %d, and the body is not an API error", response->status);
    }
    return claude_set_error(id, response->status, error, request_id, err);
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
static int read_text(const struct json_object *message, bool may_be_empty, char **ret_text,
                     struct err *err)
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
    if (!may_be_empty && str_trim(buf_str(&text)).len == 0) {
        return err_set(err, ERR_CLAUDE_EMPTY, "no text among %zu blocks", json_len(content));
    }
    *ret_text = buf_detach(&text);
    return 0;
}

static int read_message(struct json_object *message, bool tools, struct llm_answer *answer,
                        char **ret_text, struct err *err)
{
    const char *reason = json_text(message, "stop_reason");
    answer->stop_reason = reason;
    answer->content = json_get(message, "content");
    if (json_text(message, "model")[0] != '\0') {
        answer->model = json_text(message, "model");
    }
    read_usage(message, answer);
    if (strcmp(reason, "end_turn") == 0 || strcmp(reason, "stop_sequence") == 0) {
        return read_text(message, false, ret_text, err);
    }
    if (tools && strcmp(reason, "tool_use") == 0) {
        return read_text(message, true, ret_text, err);
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

/* It may have been answered and billed. */
static int read_lost(const struct http_response *response, struct llm_answer *answer,
                     struct err *err)
{
    answer->cost_usd = response->outcome == HTTP_NOT_SENT ? DEC_ZERO : DEC_INVALID;
    if (err != NULL) {
        *err = response->err;
    }
    return -response->err.id;
}

static int read_whole(const struct http_response *response, bool tools, struct llm_answer *answer,
                      struct json_object **ret_message, char **ret_text, struct err *err)
{
    if (response->outcome != HTTP_OK) {
        return read_lost(response, answer, err);
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
    return read_message(*ret_message, tools, answer, ret_text, err);
}

/* A stream that was cut has been billed up to there: what the API counted at its start, and the
 * words that have arrived, of about four bytes each. */
static void count_cut(const struct claude_stream *stream, struct llm_answer *answer)
{
    const struct json_object *usage = json_get(stream->message, "usage");
    int64_t written = json_i64(usage, "cache_creation_input_tokens", 0);
    int64_t read = json_i64(usage, "cache_read_input_tokens", 0);
    int64_t said = (int64_t)(stream->text.len / 4);
    if (json_text(stream->message, "model")[0] != '\0') {
        answer->model = json_text(stream->message, "model");
    }
    read_usage(stream->message, answer);
    if (dec_is_valid(answer->cost_usd) && answer->output_tokens < said) {
        answer->output_tokens = said;
        answer->cost_usd =
            claude_cost(answer->model, answer->input_tokens - written - read, written, read, said);
    }
}

void claude_count_cut(const struct claude_stream *stream, struct llm_answer *answer)
{
    if (stream->message != NULL) {
        count_cut(stream, answer);
    }
}

int claude_read_attempt(const struct http_response *response, struct claude_stream *stream,
                        bool tools, struct llm_answer *answer, struct json_object **ret_message,
                        char **ret_text, struct err *err)
{
    *ret_message = NULL;
    *ret_text = NULL;
    const char *type = http_header(response, "content-type");
    bool events = type != NULL && str_starts(str_c(type), "text/event-stream");
    if (stream == NULL || !events || response->status != 200) {
        return read_whole(response, tools, answer, ret_message, ret_text, err);
    }
    if (response->outcome == HTTP_OK) {
        (void)claude_stream_feed(stream, response->body);
    }
    if (claude_stream_is_whole(stream)) { /* whatever became of the connection after that */
        const char *request_id = http_header(response, "request-id");
        answer->request_id = request_id != NULL ? request_id : "";
        *ret_message = json_object_get(stream->message);
        return read_message(*ret_message, tools, answer, ret_text, err);
    }
    int rc = stream->err.id != ERR_NONE ? -(int)stream->err.id : 0;
    if (rc < 0 && err != NULL) {
        *err = stream->err;
    } else if (response->outcome != HTTP_OK) {
        rc = read_lost(response, answer, err);
    } else if (rc == 0) {
        rc = err_set(err, ERR_CLAUDE_GARBLED, "the stream ended before the message did");
    }
    answer->cost_usd = DEC_INVALID;
    claude_count_cut(stream, answer);
    *ret_message = stream->message != NULL ? json_object_get(stream->message) : NULL;
    return rc;
}

int claude_read(const struct http_response *response, struct llm_answer *answer,
                struct json_object **ret_message, char **ret_text, struct err *err)
{
    return claude_read_attempt(response, NULL, false, answer, ret_message, ret_text, err);
}
