#include "base/log.h"
#include "claude_rig.h"
#include "io/json.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#define WALL_US INT64_C(1795000000000000)

/* ------------------------------------------------------------------ without a network */

static struct http_response answer(int status, const char *body, const struct http_header *headers,
                                   size_t count)
{
    return (struct http_response){.outcome = HTTP_OK,
                                  .status = status,
                                  .body = str_c(body),
                                  .headers = headers,
                                  .header_count = count};
}

static int read_as(const struct http_response *response, char *text, size_t size,
                   struct llm_answer *ret)
{
    AUTO_JSON struct json_object *message = NULL;
    AUTO_FREE char *got = NULL;
    struct err err = {0};
    *ret = (struct llm_answer){.model = "claude-sonnet-5-5", .cost_usd = DEC_ZERO};
    int rc = claude_read(response, ret, &message, &got, &err);
    (void)str_copy(str_c(got), text, size);
    ret->model = ret->stop_reason = "";
    return rc;
}

#define MESSAGE(reason, content)                                                         \
    "{\"type\":\"message\",\"model\":\"claude-sonnet-5-5\",\"content\":[" content        \
    "],\"stop_reason\":" reason ",\"stop_details\":{\"category\":\"cyber\"},\"usage\":{" \
    "\"input_tokens\":1000,\"output_tokens\":200,\"cache_creation_input_tokens\":10,"    \
    "\"cache_read_input_tokens\":100}}"
#define THINKING "{\"type\":\"thinking\",\"thinking\":\"hmm\",\"signature\":\"x\"},"
#define TEXT(t)  "{\"type\":\"text\",\"text\":\"" t "\"}"

static void text_blocks_are_selected_by_type(void **state)
{
    (void)state;
    char text[64];
    struct llm_answer got;
    struct http_response r =
        answer(200, MESSAGE("\"end_turn\"", THINKING TEXT("one ") "," TEXT("two")), NULL, 0);
    assert_int_equal(read_as(&r, text, sizeof(text), &got), 0);
    assert_string_equal(text, "one two");
    assert_int_equal(got.input_tokens, 1110);
    assert_int_equal(got.output_tokens, 200);
    /* ((1000 + 1.25 * 10 + 0.1 * 100) * 2 + 200 * 10) / 1e6 dollars */
    assert_int_equal(got.cost_usd.e8, 404500);
}

static void every_stop_reason_has_its_result(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int id;
    } cases[] = {
        {MESSAGE("\"stop_sequence\"", TEXT("x")), ERR_NONE},
        {MESSAGE("\"end_turn\"", THINKING TEXT(" ")), ERR_CLAUDE_EMPTY},
        {MESSAGE("\"end_turn\"", ""), ERR_CLAUDE_EMPTY},
        {MESSAGE("\"end_turn\"", TEXT("{}\\u0000{}")), ERR_CLAUDE_GARBLED},
        {MESSAGE("\"max_tokens\"", TEXT("{")), ERR_CLAUDE_TRUNCATED},
        {MESSAGE("\"model_context_window_exceeded\"", TEXT("{")), ERR_CLAUDE_TRUNCATED},
        {MESSAGE("\"refusal\"", TEXT("no")), ERR_CLAUDE_REFUSED},
        {MESSAGE("\"tool_use\"", TEXT("x")), ERR_CLAUDE_EMPTY},
        {MESSAGE("\"pause_turn\"", TEXT("x")), ERR_CLAUDE_EMPTY},
        {MESSAGE("\"brand_new\"", TEXT("x")), ERR_CLAUDE_EMPTY},
        {MESSAGE("null", TEXT("x")), ERR_CLAUDE_GARBLED},
        {"{\"type\":\"message\",\"content\":[{\"type\":\"te", ERR_CLAUDE_GARBLED},
        {"<html><body>Login</body></html>", ERR_CLAUDE_GARBLED},
        {"{\"type\":\"message\"}", ERR_CLAUDE_GARBLED},
        {"[]", ERR_CLAUDE_GARBLED},
        {"", ERR_CLAUDE_GARBLED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        struct llm_answer got;
        struct http_response r = answer(200, cases[i].body, NULL, 0);
        assert_int_equal(read_as(&r, text, sizeof(text), &got), -cases[i].id);
        if (cases[i].id != ERR_NONE) {
            assert_string_equal(text, "");
        }
    }
}

static void the_cost_of_what_has_no_answer_is_unknown(void **state)
{
    (void)state;
    char text[8];
    struct llm_answer got;
    struct http_response r = {.outcome = HTTP_UNKNOWN, .err = {.id = ERR_HTTP_TIMEOUT}};
    assert_int_equal(read_as(&r, text, sizeof(text), &got), -ERR_HTTP_TIMEOUT);
    assert_false(dec_is_valid(got.cost_usd)); /* it may have been answered */
    r = (struct http_response){.outcome = HTTP_NOT_SENT, .err = {.id = ERR_HTTP_CONNECT}};
    assert_int_equal(read_as(&r, text, sizeof(text), &got), -ERR_HTTP_CONNECT);
    assert_int_equal(got.cost_usd.e8, 0);
    r = answer(200, "{\"type\":\"mess", NULL, 0);
    assert_int_equal(read_as(&r, text, sizeof(text), &got), -ERR_CLAUDE_GARBLED);
    assert_false(dec_is_valid(got.cost_usd));
    r = answer(200,
               "{\"type\":\"message\",\"model\":\"claude-sonnet-5-5\",\"content\":[],"
               "\"stop_reason\":\"end_turn\"}",
               NULL, 0);
    assert_int_equal(read_as(&r, text, sizeof(text), &got), -ERR_CLAUDE_EMPTY);
    assert_false(dec_is_valid(got.cost_usd)); /* without usage */
    r = answer(529, "{}", NULL, 0);
    assert_int_equal(read_as(&r, text, sizeof(text), &got), -ERR_CLAUDE_OVERLOADED);
    assert_int_equal(got.cost_usd.e8, 0);
}

static void every_status_has_its_error(void **state)
{
    (void)state;
    static const struct {
        int status;
        int id;
    } cases[] = {
        {400, ERR_CLAUDE_REQUEST},      {401, ERR_CLAUDE_KEY},        {402, ERR_CLAUDE_BILLING},
        {403, ERR_CLAUDE_DENIED},       {404, ERR_CLAUDE_MODEL},      {413, ERR_CLAUDE_TOO_LARGE},
        {429, ERR_CLAUDE_RATE_LIMITED}, {500, ERR_CLAUDE_OVERLOADED}, {504, ERR_CLAUDE_OVERLOADED},
        {529, ERR_CLAUDE_OVERLOADED},   {302, ERR_CLAUDE_GARBLED},    {204, ERR_CLAUDE_GARBLED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[8];
        struct llm_answer got;
        struct http_response json =
            answer(cases[i].status,
                   "{\"type\":\"error\",\"error\":{\"type\":\"t\",\"message\":\"m\"}}", NULL, 0);
        struct http_response html = answer(cases[i].status, "<html>", NULL, 0);
        assert_int_equal(read_as(&json, text, sizeof(text), &got), -cases[i].id);
        assert_int_equal(read_as(&html, text, sizeof(text), &got), -cases[i].id);
    }
    char text[8];
    struct llm_answer got;
    struct http_response spent =
        answer(429,
               "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\","
               "\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}}}",
               NULL, 0);
    assert_int_equal(read_as(&spent, text, sizeof(text), &got), -ERR_CLAUDE_BILLING);
    assert_int_equal(claude_retry_us(&spent, 1, 0, WALL_US), -1);
    struct http_header insists = {.name = "x-should-retry", .value = "true"};
    spent.headers = &insists;
    spent.header_count = 1;
    assert_int_equal(claude_retry_us(&spent, 1, 0, WALL_US), -1);
    struct http_response ramp =
        answer(429,
               "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\","
               "\"details\":{\"error_code\":\"ramp_limit_exceeded\"}}}",
               NULL, 0);
    assert_int_equal(read_as(&ramp, text, sizeof(text), &got), -ERR_CLAUDE_RATE_LIMITED);
    assert_int_equal(claude_retry_us(&ramp, 1, 0, WALL_US), 500000);
}

static int64_t wait_for(int status, const char *name, const char *value, int attempt)
{
    struct http_header header = {.name = name, .value = value};
    struct http_response r = answer(status, "{}", &header, name != NULL ? 1 : 0);
    return claude_retry_us(&r, attempt, 0, WALL_US);
}

static void the_wait_follows_the_server(void **state)
{
    (void)state;
    assert_int_equal(wait_for(429, NULL, NULL, 1), 500000);
    assert_int_equal(wait_for(429, NULL, NULL, 2), 1000000);
    assert_int_equal(wait_for(429, NULL, NULL, 3), -1);
    assert_int_equal(wait_for(503, "retry-after", "7", 1), 7000000);
    assert_int_equal(wait_for(503, "retry-after", "0.25", 1), 250000);
    assert_int_equal(wait_for(503, "retry-after-ms", "1500", 1), 1500000);
    assert_int_equal(wait_for(503, "retry-after", "4000", 1), -1);
    assert_int_equal(wait_for(503, "retry-after", "soon", 1), 500000);
    assert_int_equal(wait_for(400, NULL, NULL, 1), -1);
    assert_int_equal(wait_for(400, "x-should-retry", "true", 1), 500000);
    assert_int_equal(wait_for(529, "x-should-retry", "false", 1), -1);
    assert_int_equal(wait_for(408, NULL, NULL, 1), 500000);
    assert_int_equal(wait_for(409, NULL, NULL, 1), 500000);
    /* a date in the past */
    assert_int_equal(wait_for(503, "retry-after", "Wed, 18 Feb 2026 09:07:00 GMT", 1), 0);
    char date[64];
    time_t then = (time_t)(WALL_US / USEC_PER_SEC) + 30;
    struct tm tm;
    assert_non_null(gmtime_r(&then, &tm));
    assert_true(strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
    assert_int_equal(wait_for(503, "retry-after", date, 1), 30000000);
    struct http_response r = answer(500, "{}", NULL, 0);
    assert_int_equal(claude_retry_us(&r, 1, 1.0, WALL_US), 375000);
}

static void a_request_that_did_not_arrive_is_retried(void **state)
{
    (void)state;
    struct http_response r = {.outcome = HTTP_NOT_SENT, .err = {.id = ERR_HTTP_CONNECT}};
    assert_int_equal(claude_retry_us(&r, 1, 0, WALL_US), 500000);
    r = (struct http_response){.outcome = HTTP_UNKNOWN, .err = {.id = ERR_HTTP_LOST}};
    assert_int_equal(claude_retry_us(&r, 1, 0, WALL_US), 500000);
    r = (struct http_response){.outcome = HTTP_NOT_SENT, .err = {.id = ERR_HTTP_TLS}};
    assert_int_equal(claude_retry_us(&r, 1, 0, WALL_US), -1);
    r = (struct http_response){.outcome = HTTP_TOO_LARGE, .err = {.id = ERR_HTTP_TOO_LARGE}};
    assert_int_equal(claude_retry_us(&r, 1, 0, WALL_US), -1);
}

static void costs_follow_the_price_table(void **state)
{
    (void)state;
    assert_int_equal(claude_cost("claude-sonnet-5-5", 1000000, 0, 0, 1000000).e8, 1200000000);
    assert_int_equal(claude_cost("claude-opus-5-5-20260922", 1000000, 0, 0, 0).e8, 400000000);
    assert_int_equal(claude_cost("claude-opus-5", 1000000, 0, 0, 0).e8, 500000000);
    assert_int_equal(claude_cost("claude-haiku-5-5", 100000, 0, 0, 0).e8, 1000000);
    assert_int_equal(claude_cost("claude-haiku-5-5", 200000, 0, 0, 0).e8, 10000000);
    assert_int_equal(claude_cost("claude-opus-5-20260101", 1000000, 0, 0, 0).e8, 500000000);
    static const char *const unknown[] = {"somebody-elses",  "",
                                          "claude-opus-5-7", "claude-opus-50",
                                          "claude-opus",     "claude-opus-5-2026"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_false(dec_is_valid(claude_cost(unknown[i], 1, 0, 0, 1)));
    }
}

/* ------------------------------------------------------------------ over loopback */

static int64_t max_tokens_of(struct claude_rig *rig, size_t index)
{
    AUTO_JSON struct json_object *body = NULL;
    const char *text = fake_claude_request(rig->fake, index);
    assert_non_null(text);
    assert_int_equal(json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &body, NULL), 0);
    return json_i64(body, "max_tokens", 0);
}

static void a_request_returns_its_answer(void **state)
{
    struct claude_rig *rig = *state;
    fake_claude_reply_with(rig->fake, "{\"findings\":[]}", NULL);
    claude_rig_ask(rig, "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"a\"],"
                        "\"properties\":{\"a\":{\"type\":\"string\"}}}");
    assert_int_equal(rig->err_id, ERR_NONE);
    assert_string_equal(rig->text, "{\"findings\":[]}");
    assert_string_equal(rig->request_id, "req_fake_0");
    assert_int_equal(rig->attempts, 1);
    assert_string_equal(fake_claude_violations(rig->fake), "");
    assert_null(strstr(fake_claude_request(rig->fake, 0), FAKE_CLAUDE_KEY));
}

static void on_response(const struct http_response *response, void *userdata)
{
    int *status = userdata;
    *status = response->status;
}

/* What the API answers to this body. */
static int status_of(struct claude_rig *rig, const char *body)
{
    static const char *const headers[] = {"x-api-key: " FAKE_CLAUDE_KEY,
                                          "anthropic-version: " FAKE_CLAUDE_VERSION, NULL};
    char url[64];
    int status = 0;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/messages",
                   fake_claude_port(rig->fake));
    assert_non_null(http_send(rig->http,
                              &(struct http_request){.url = url,
                                                     .headers = headers,
                                                     .body = str_c(body),
                                                     .content_type = "application/json",
                                                     .timeout_ms = 5000,
                                                     .max_body_bytes = 10000},
                              on_response, &status, NULL));
    for (int i = 0; i < 200 && status == 0; i++) {
        (void)loop_iterate(rig->loop, 50000);
    }
    return status;
}

#define BODY(more)                                                                         \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"x\"" \
    "}]" more "}"

static void the_fake_refuses_what_the_api_refuses(void **state)
{
    struct claude_rig *rig = *state;
    static const char *const refused[] = {
        BODY(",\"temperature\":1"),
        BODY(",\"top_p\":1"),
        BODY(",\"top_k\":5"),
        BODY(",\"sytem\":\"x\""),
        BODY(",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"cache\":1}]"),
        BODY(",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"e\"}}]"),
        BODY(",\"output_config\":{\"schema\":{}}"),
        "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[]}",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(status_of(rig, refused[i]), 400);
    }
    fake_claude_reply_with(rig->fake, "x", NULL);
    assert_int_equal(status_of(rig, BODY("")), 200);
}

static void the_fake_is_strict(void **state)
{
    struct claude_rig *rig = *state;
    claude_rig_ask(
        rig, "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":3}}}");
    const char *violations = fake_claude_violations(rig->fake);
    assert_non_null(strstr(violations, "additionalProperties"));
    assert_non_null(strstr(violations, "maxLength"));
    assert_int_equal(rig->err_id, ERR_CLAUDE_REQUEST);
}

static void the_rules_are_cached(void **state)
{
    struct claude_rig *rig = *state;
    fake_claude_reply_with(rig->fake, "{}", NULL);
    fake_claude_reply_with(rig->fake, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_has(fake_claude_request(rig->fake, 0),
               "\"system\":[{\"type\":\"text\",\"text\":\"rules\",\"cache_control\":"
               "{\"type\":\"ephemeral\"}}]");
    assert_int_equal(rig->cache_write_tokens, 200);
    assert_int_equal(rig->cache_read_tokens, 0);
    /* ((1000 + 1.25 * 200) * 2 + 340 * 10) / 1e6 dollars */
    assert_int_equal(rig->cost_usd.e8, 590000);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->cache_write_tokens, 0);
    assert_int_equal(rig->cache_read_tokens, 200);
    assert_int_equal(rig->tokens, 1200);
    /* ((1000 + 0.1 * 200) * 2 + 340 * 10) / 1e6 dollars */
    assert_int_equal(rig->cost_usd.e8, 544000);
}

static void a_request_carries_no_secret(void **state)
{
    struct claude_rig *rig = *state;
    assert_true(log_hide("hush-hush-hush"));
    fake_claude_reply_with(rig->fake, "{}", NULL);
    rig->user = "the passphrase is hush-hush-hush, the key " FAKE_CLAUDE_KEY "; end";
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_NONE);
    assert_string_equal(fake_claude_violations(rig->fake), "");
    assert_lacks(fake_claude_request(rig->fake, 0), "hush-hush");
    assert_has(fake_claude_request(rig->fake, 0), "; end");
}

static void repeated_failures_pause_the_requests(void **state)
{
    struct claude_rig *rig = *state;
    for (int i = 0; i < 3; i++) {
        fake_claude_fail(rig->fake, 401, "authentication_error");
        claude_rig_ask(rig, NULL);
        assert_int_equal(rig->err_id, ERR_CLAUDE_KEY);
    }
    struct err err = {0};
    assert_int_equal(claude_rig_try(rig, &err), -ERR_CLAUDE_PAUSED);
    assert_has(err.context, "3 failures in a row, the next try is in 1");
    assert_int_equal(fake_claude_requests(rig->fake), 3);
    /* A new key ends the pause. */
    claude_rig_apply(rig);
    fake_claude_reply_with(rig->fake, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_NONE);
}

/* What the API refuses for itself says that the API works. */
static void refused_requests_pause_nothing(void **state)
{
    struct claude_rig *rig = *state;
    for (int i = 0; i < 3; i++) {
        fake_claude_fail(rig->fake, 400, "invalid_request_error");
        claude_rig_ask(rig, NULL);
        assert_int_equal(rig->err_id, ERR_CLAUDE_REQUEST);
    }
    for (int i = 0; i < 3; i++) {
        fake_claude_reply_with(rig->fake, "no", "refusal");
        claude_rig_ask(rig, NULL);
        assert_int_equal(rig->err_id, ERR_CLAUDE_REFUSED);
    }
    fake_claude_reply_with(rig->fake, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_NONE);
}

static void an_overload_is_retried(void **state)
{
    struct claude_rig *rig = *state;
    const char *soon[] = {"retry-after-ms: 5", NULL};
    struct fake_claude_answer busy = {
        .status = 529,
        .headers = soon,
        .body = "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"\"}}"};
    fake_claude_script(rig->fake, &busy);
    fake_claude_script(rig->fake, &busy);
    fake_claude_reply_with(rig->fake, "ok", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_NONE);
    assert_int_equal(rig->attempts, 3);
    for (int i = 0; i < 3; i++) {
        fake_claude_script(rig->fake, &busy);
    }
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_OVERLOADED);
    assert_int_equal(rig->attempts, 3);
    assert_string_equal(fake_claude_violations(rig->fake), "");
}

static void a_wrong_key_is_not_retried(void **state)
{
    struct claude_rig *rig = *state;
    fake_claude_fail(rig->fake, 401, "authentication_error");
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_KEY);
    assert_int_equal(fake_claude_requests(rig->fake), 1);
    assert_non_null(strstr(rig->context, "authentication_error"));
}

static void a_truncated_answer_is_retried_with_more_tokens(void **state)
{
    struct claude_rig *rig = *state;
    fake_claude_reply_with(rig->fake, "{\"fin", "max_tokens");
    fake_claude_reply_with(rig->fake, "whole", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_NONE);
    assert_string_equal(rig->text, "whole");
    assert_int_equal(max_tokens_of(rig, 0), 1000);
    assert_int_equal(max_tokens_of(rig, 1), 2000);
    assert_int_equal(rig->tokens, 2400);
    fake_claude_reply_with(rig->fake, "{\"fin", "max_tokens");
    fake_claude_reply_with(rig->fake, "{\"find", "max_tokens");
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_TRUNCATED);
    assert_string_equal(rig->text, "");
    assert_int_equal(fake_claude_requests(rig->fake), 4);
    fake_claude_reply_with(rig->fake, "{\"fin", "model_context_window_exceeded");
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_TRUNCATED);
    assert_int_equal(fake_claude_requests(rig->fake), 5); /* more tokens do not help */
}

static void a_refusal_is_an_error(void **state)
{
    struct claude_rig *rig = *state;
    fake_claude_reply_with(rig->fake, "I would rather not", "refusal");
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_REFUSED);
    assert_string_equal(rig->text, "");
    assert_non_null(strstr(rig->context, "cyber"));
}

static void a_cut_body_and_html_are_garbled(void **state)
{
    struct claude_rig *rig = *state;
    fake_claude_script(rig->fake, &(struct fake_claude_answer){
                                      .body = MESSAGE("\"end_turn\"", TEXT("x")), .cut_bytes = 40});
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_GARBLED);
    fake_claude_script(rig->fake, &(struct fake_claude_answer){.content_type = "text/html",
                                                               .body = "<html>proxy</html>"});
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_GARBLED);
}

static void an_echoed_key_is_redacted(void **state)
{
    struct claude_rig *rig = *state;
    fake_claude_script(rig->fake,
                       &(struct fake_claude_answer){
                           .status = 400,
                           .body = "{\"type\":\"error\",\"error\":{\"type\":\"bad\",\"message\":"
                                   "\"saw " FAKE_CLAUDE_KEY "\"}}"});
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_REQUEST);
    assert_null(strstr(rig->context, FAKE_CLAUDE_KEY));
}

static void a_cancelled_request_calls_nothing(void **state)
{
    struct claude_rig *rig = *state;
    fake_claude_script(rig->fake, &(struct fake_claude_answer){.hang = true});
    struct llm_client llm_client = claude_llm_client(rig->claude);
    void *handle = NULL;
    struct llm_request q = {.system = "s", .user = "u"};
    assert_int_equal(llm_client.ask(llm_client.self, &q, claude_rig_on_answer, rig, &handle, NULL),
                     0);
    for (int i = 0; i < 50 && fake_claude_requests(rig->fake) == 0; i++) {
        (void)loop_iterate(rig->loop, 20000);
    }
    llm_client.cancel(llm_client.self, handle);
    for (int i = 0; i < 5; i++) {
        (void)loop_iterate(rig->loop, 1000);
    }
    assert_false(rig->answered);
    assert_int_equal(http_pending(rig->http), 0);
}

static void an_unusable_key_is_refused(void **state)
{
    struct claude_rig *rig = *state;
    static const char *const keys[] = {"", "a b", "x\r\nEvil: 1"};
    for (size_t i = 0; i < 3; i++) {
        struct claude *claude = NULL;
        struct claude_options options = {.loop = rig->loop,
                                         .http = rig->http,
                                         .api_key = keys[i],
                                         .model = "m",
                                         .max_tokens = 1};
        assert_int_equal(claude_new(&options, &claude, NULL), -ERR_CLAUDE_KEY);
        assert_null(claude);
    }
}

static void new_options_apply_to_new_requests(void **state)
{
    struct claude_rig *rig = *state;
    struct fake_claude *other = NULL;
    assert_int_equal(fake_claude_start(&other), 0);
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", fake_claude_port(other));
    struct claude_options options = {.api_url = url,
                                     .api_key = FAKE_CLAUDE_KEY,
                                     .model = "claude-opus-9",
                                     .max_tokens = 2222,
                                     .timeout_ms = 50};
    struct err err = {0};
    assert_int_equal(claude_apply(rig->claude, &options, &err), 0);
    fake_claude_reply_with(other, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_int_equal(fake_claude_requests(rig->fake), 0);
    assert_int_equal(fake_claude_requests(other), 1);
    assert_has(fake_claude_request(other, 0), "claude-opus-9");
    assert_has(fake_claude_request(other, 0), "2222");
    /* A key that cannot be used: the ones before stay. */
    options.api_key = "a b";
    options.model = "m";
    assert_int_equal(claude_apply(rig->claude, &options, &err), -ERR_CLAUDE_KEY);
    fake_claude_reply_with(other, "{}", NULL);
    claude_rig_ask(rig, NULL);
    assert_has(fake_claude_request(other, 1), "claude-opus-9");
    assert_string_equal(fake_claude_violations(other), "");
    /* Another key is sent: the fake does not know it. */
    options.api_key = "sk-ant-an0ther";
    assert_int_equal(claude_apply(rig->claude, &options, &err), 0);
    claude_rig_ask(rig, NULL);
    assert_int_equal(rig->err_id, ERR_CLAUDE_KEY);
    assert_string_not_equal(fake_claude_violations(other), "");
    /* The new time limit: an answer that takes longer is not waited for. */
    options.api_key = FAKE_CLAUDE_KEY;
    assert_int_equal(claude_apply(rig->claude, &options, &err), 0);
    for (int i = 0; i < 1 + CLAUDE_RETRIES; i++) {
        fake_claude_script(other, &(struct fake_claude_answer){.hang = true});
    }
    int64_t begun_us = clock_mono_us(clock_real());
    claude_rig_ask(rig, NULL);
    assert_true(clock_mono_us(clock_real()) - begun_us < 1900 * 3 * USEC_PER_MSEC);
    fake_claude_stop(other);
}

#define OVER_LOOPBACK(f) cmocka_unit_test_setup_teardown(f, claude_rig_set_up, claude_rig_tear_down)

UNIT_GROUP(claude, cmocka_unit_test(text_blocks_are_selected_by_type),
           cmocka_unit_test(every_stop_reason_has_its_result),
           cmocka_unit_test(every_status_has_its_error),
           cmocka_unit_test(the_cost_of_what_has_no_answer_is_unknown),
           cmocka_unit_test(the_wait_follows_the_server),
           cmocka_unit_test(a_request_that_did_not_arrive_is_retried),
           cmocka_unit_test(costs_follow_the_price_table),
           OVER_LOOPBACK(a_request_returns_its_answer), OVER_LOOPBACK(the_fake_is_strict),
           OVER_LOOPBACK(the_fake_refuses_what_the_api_refuses),
           OVER_LOOPBACK(the_rules_are_cached), OVER_LOOPBACK(a_request_carries_no_secret),
           OVER_LOOPBACK(repeated_failures_pause_the_requests),
           OVER_LOOPBACK(refused_requests_pause_nothing), OVER_LOOPBACK(an_overload_is_retried),
           OVER_LOOPBACK(a_wrong_key_is_not_retried),
           OVER_LOOPBACK(a_truncated_answer_is_retried_with_more_tokens),
           OVER_LOOPBACK(a_refusal_is_an_error), OVER_LOOPBACK(a_cut_body_and_html_are_garbled),
           OVER_LOOPBACK(an_echoed_key_is_redacted),
           OVER_LOOPBACK(a_cancelled_request_calls_nothing),
           OVER_LOOPBACK(an_unusable_key_is_refused),
           OVER_LOOPBACK(new_options_apply_to_new_requests))
