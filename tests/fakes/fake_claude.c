#include "fakes/fake_claude.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/json.h"
#include "io/web.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_MAX    64
#define HEADERS_MAX  8
#define REQUESTS_MAX 64
#define WRONG_KEY    "no key, or a wrong one"

struct scripted {
    int status;
    char *headers[HEADERS_MAX + 1];
    char *content_type;
    char *body;
    char *text; /* instead of body: a text that is expanded and wrapped in a message */
    char *stop_reason;
    int64_t delay_ms;
    size_t cut_bytes;
    bool hang;
};

struct fake_claude {
    struct web *web;
    pthread_mutex_t lock; /* protects everything below (server's and test's thread) */
    struct scripted queue[QUEUE_MAX];
    size_t first, count;
    size_t requests;
    char *bodies[REQUESTS_MAX];
    struct web_request *held[REQUESTS_MAX];
    size_t held_count;
    struct buf violations;
    char *violations_copy;
    char *cached; /* the last rules that were marked for the cache */
};

__attribute__((format(printf, 2, 3))) static void violate(struct fake_claude *fake,
                                                          const char *format, ...)
{
    buf_addf(&fake->violations, "request %zu: ", fake->requests);
    va_list args;
    va_start(args, format);
    buf_addv(&fake->violations, format, args);
    va_end(args);
    buf_add_char(&fake->violations, '\n');
}

/* ------------------------------------------------------------------ request checks */

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* The keywords that structured outputs support; minimum, maxLength, maxItems, pattern … are not. */
static const char *const schema_words[] = {
    "type",   "properties",  "required", "additionalProperties",
    "enum",   "const",       "anyOf",    "allOf",
    "$ref",   "$defs",       "items",    "minItems",
    "format", "description", "title",    NULL};

static void check_schema(struct fake_claude *fake, struct json_object *schema, int depth)
{
    if (!json_is_object(schema) || depth > 12) {
        violate(fake, "schema is not an object, or too deep");
        return;
    }
    bool object = strcmp(json_text(schema, "type"), "object") == 0;
    if (object && json_truth(schema, "additionalProperties", true)) {
        violate(fake, "schema object without additionalProperties:false");
    }
    json_object_object_foreach(schema, key, value)
    {
        if (!is_one_of(key, schema_words)) {
            violate(fake, "schema keyword %s is not supported", key);
        } else if (strcmp(key, "items") == 0) {
            check_schema(fake, value, depth + 1);
        } else if (strcmp(key, "minItems") == 0 && json_object_get_int64(value) > 1) {
            violate(fake, "schema minItems above 1");
        } else if (strcmp(key, "anyOf") == 0 || strcmp(key, "allOf") == 0) {
            for (size_t i = 0; i < json_len(value); i++) {
                check_schema(fake, json_item(value, i), depth + 1);
            }
        } else if (strcmp(key, "properties") == 0 || strcmp(key, "$defs") == 0) {
            json_object_object_foreach(value, name, inner)
            {
                (void)name;
                check_schema(fake, inner, depth + 1);
            }
        }
    }
    const struct json_object *required = json_get(schema, "required");
    for (size_t i = 0; i < json_len(required); i++) {
        const char *name = json_value_str(json_item(required, i)).ptr;
        if (json_get(json_get(schema, "properties"), name) == NULL) {
            violate(fake, "schema requires %s, which is not a property", name);
        }
    }
}

/* Every member of an object must be one of these. */
static void check_members(struct fake_claude *fake, const char *where, struct json_object *object,
                          const char *const *known)
{
    if (!json_is_object(object)) {
        violate(fake, "%s: an object is expected", where);
        return;
    }
    json_object_object_foreach(object, key, value)
    {
        (void)value;
        if (!is_one_of(key, known)) {
            violate(fake, "%s.%s: Extra inputs are not permitted", where, key);
        }
    }
}

/* Text blocks, as in system and in the content of a message. */
static void check_blocks(struct fake_claude *fake, const char *where, struct json_object *blocks)
{
    static const char *const block[] = {"type", "text", "cache_control", "citations", NULL};
    static const char *const control[] = {"type", "ttl", NULL};
    static const char *const ttls[] = {"", "5m", "1h", NULL};
    int marked = 0;
    for (size_t i = 0; i < json_len(blocks); i++) {
        struct json_object *item = json_item(blocks, i);
        struct json_object *cache = json_get(item, "cache_control");
        check_members(fake, where, item, block);
        if (strcmp(json_text(item, "type"), "text") != 0 || json_text(item, "text")[0] == '\0') {
            violate(fake, "%s: block %zu is not a text", where, i);
        }
        if (cache != NULL) {
            marked++;
            check_members(fake, "cache_control", cache, control);
            if (strcmp(json_text(cache, "type"), "ephemeral") != 0 ||
                !is_one_of(json_text(cache, "ttl"), ttls)) {
                violate(fake, "%s: cache_control is not ephemeral for 5m or 1h", where);
            }
        }
    }
    if (marked > 4) {
        violate(fake, "%s: more than 4 cache breakpoints", where);
    }
}

static void check_messages(struct fake_claude *fake, const struct json_object *messages)
{
    if (json_len(messages) == 0) {
        violate(fake, "messages is empty");
    }
    for (size_t i = 0; i < json_len(messages); i++) {
        static const char *const members[] = {"role", "content", NULL};
        struct json_object *message = json_item(messages, i);
        check_members(fake, "messages", message, members);
        const char *expected = i % 2 == 0 ? "user" : "assistant";
        if (strcmp(json_text(message, "role"), expected) != 0) {
            violate(fake, "message %zu is not from %s", i, expected);
        }
        struct json_object *content = json_get(message, "content");
        check_blocks(fake, "content", content);
        if (json_text(message, "content")[0] == '\0' && json_len(content) == 0) {
            violate(fake, "message %zu has no content", i);
        }
    }
    if (json_len(messages) % 2 == 0) {
        violate(fake, "the last message is not from user (prefill)");
    }
}

static void check_body(struct fake_claude *fake, struct json_object *body)
{
    static const char *const known[] = {
        "model",         "max_tokens", "messages",       "system", "tools",         "tool_choice",
        "output_config", "thinking",   "stop_sequences", "stream", "cache_control", "metadata",
        "service_tier",  NULL};
    if (!json_is_object(body)) {
        violate(fake, "body is not a JSON object");
        return;
    }
    check_members(fake, "body", body, known);
    if (json_text(body, "model")[0] == '\0') {
        violate(fake, "model is missing");
    }
    if (json_i64(body, "max_tokens", 0) <= 0) {
        violate(fake, "max_tokens is not above 0");
    }
    check_messages(fake, json_get(body, "messages"));
    check_blocks(fake, "system", json_get(body, "system"));
    static const char *const config_members[] = {"effort", "format", NULL};
    static const char *const format_members[] = {"type", "schema", NULL};
    struct json_object *config = json_get(body, "output_config");
    struct json_object *format = json_get(config, "format");
    if (config != NULL) {
        check_members(fake, "output_config", config, config_members);
    }
    if (format != NULL) {
        check_members(fake, "format", format, format_members);
        if (strcmp(json_text(format, "type"), "json_schema") != 0) {
            violate(fake, "output_config.format.type is not json_schema");
        }
        check_schema(fake, json_get(format, "schema"), 0);
    }
}

static void check_request(struct fake_claude *fake, const struct web_request *request)
{
    if (!str_equal_c(web_method(request), "POST") ||
        !str_equal_c(web_path(request), "/v1/messages")) {
        violate(fake, "%.*s %.*s instead of POST /v1/messages", STR_ARG(web_method(request)),
                STR_ARG(web_path(request)));
    }
    if (!str_starts(web_header(request, "content-type"), "application/json")) {
        violate(fake, "content-type is not application/json");
    }
    if (!str_equal_c(web_header(request, "anthropic-version"), FAKE_CLAUDE_VERSION)) {
        violate(fake, "anthropic-version is not " FAKE_CLAUDE_VERSION);
    }
    if (!str_equal_c(web_header(request, "x-api-key"), FAKE_CLAUDE_KEY) &&
        !str_equal_c(web_header(request, "authorization"), "Bearer " FAKE_CLAUDE_KEY)) {
        violate(fake, WRONG_KEY);
    }
    if (strstr(web_body(request).ptr, FAKE_CLAUDE_KEY) != NULL) {
        violate(fake, "the key is in the body");
    }
    AUTO_JSON struct json_object *body = NULL;
    struct err err = {0};
    if (json_parse(web_body(request), &JSON_LIMITS_DEFAULT, &body, &err) < 0) {
        violate(fake, "body is not JSON: %s", err.context);
        return;
    }
    check_body(fake, body);
}

/* ------------------------------------------------------------------ answers */

/* The report between the marks of the first message; NULL if there is none. */
static struct json_object *report_of(const struct web_request *request)
{
    AUTO_JSON struct json_object *body = NULL;
    if (json_parse(web_body(request), &JSON_LIMITS_DEFAULT, &body, NULL) < 0) {
        return NULL;
    }
    const char *content = json_text(json_at(body, "/messages/0"), "content");
    const char *from = strstr(content, "<untrusted_data>");
    const char *to = from != NULL ? strstr(from, "</untrusted_data>") : NULL;
    if (to == NULL) {
        return NULL;
    }
    from += strlen("<untrusted_data>");
    struct json_object *report = NULL;
    (void)json_parse(str_trim(str_n(from, (size_t)(to - from))), &JSON_LIMITS_DEFAULT, &report,
                     NULL);
    return report;
}

static void expand(const char *text, struct json_object *report, struct buf *out)
{
    for (;;) {
        const char *open = strstr(text, "{{/");
        const char *shut = open != NULL ? strstr(open, "}}") : NULL;
        if (shut == NULL) {
            buf_add_c(out, text);
            return;
        }
        struct json_object *value = NULL;
        struct str pointer = str_n(open + 2, (size_t)(shut - open - 2));
        if (report != NULL && json_pointer(report, pointer, &value)) {
            buf_add(out, text, (size_t)(open - text));
            json_add_text(out, value);
        } else {
            buf_add(out, text, (size_t)(shut + 2 - text));
        }
        text = shut + 2;
    }
}

struct cache_use {
    int written;
    int read;
};

/* The rules cost 200 of the 1200 tokens. Repeated after they were marked, they are read from the
 * cache. */
static struct cache_use cached(struct fake_claude *fake, const struct json_object *body)
{
    const struct json_object *rules = json_item(json_get(body, "system"), 0);
    if (json_get(rules, "cache_control") == NULL) {
        return (struct cache_use){0};
    }
    struct cache_use use = {0};
    (void)pthread_mutex_lock(&fake->lock);
    if (fake->cached != NULL && strcmp(fake->cached, json_text(rules, "text")) == 0) {
        use.read = 200;
    } else {
        free(fake->cached);
        fake->cached = strdup(json_text(rules, "text"));
        use.written = 200;
    }
    (void)pthread_mutex_unlock(&fake->lock);
    return use;
}

static void add_message(struct fake_claude *fake, const struct scripted *answer,
                        const struct web_request *request, struct buf *out)
{
    AUTO_JSON struct json_object *report = report_of(request);
    AUTO_JSON struct json_object *asked = NULL;
    (void)json_parse(web_body(request), &JSON_LIMITS_DEFAULT, &asked, NULL);
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    const struct cache_use cache = cached(fake, asked);
    expand(answer->text, report, &text);
    buf_add_c(out, "{\"id\":\"msg_fake\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"");
    buf_add_json(out, json_str(asked, "model"));
    buf_add_c(out, "\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"\","
                   "\"signature\":\"c2ln\"},{\"type\":\"text\",\"text\":\"");
    buf_add_json(out, buf_str(&text));
    buf_addf(out,
             "\"}],\"stop_reason\":\"%s\",\"stop_sequence\":null,\"stop_details\":%s,"
             "\"usage\":{\"input_tokens\":%d,\"output_tokens\":340,"
             "\"cache_creation_input_tokens\":%d,\"cache_read_input_tokens\":%d}}",
             answer->stop_reason,
             strcmp(answer->stop_reason, "refusal") == 0
                 ? "{\"type\":\"refusal\",\"category\":\"cyber\",\"explanation\":null}"
                 : "null",
             1200 - cache.written - cache.read, cache.written, cache.read);
}

static void scripted_release(struct scripted *answer)
{
    for (size_t i = 0; i < HEADERS_MAX; i++) {
        free(answer->headers[i]);
    }
    free(answer->content_type);
    free(answer->body);
    free(answer->text);
    free(answer->stop_reason);
    *answer = (struct scripted){0};
}

static void send_answer(struct fake_claude *fake, const struct scripted *answer,
                        struct web_request *request, size_t number)
{
    char id[48];
    (void)snprintf(id, sizeof(id), "request-id: req_fake_%zu", number);
    const char *headers[HEADERS_MAX + 2] = {id};
    for (size_t i = 0; i < HEADERS_MAX && answer->headers[i] != NULL; i++) {
        headers[i + 1] = answer->headers[i];
    }
    AUTO_BUF struct buf body = BUF_INIT((size_t)8 << 20);
    if (answer->text != NULL) {
        add_message(fake, answer, request, &body);
    } else {
        buf_add_c(&body, answer->body != NULL ? answer->body : "");
    }
    struct str bytes = buf_str(&body);
    if (answer->cut_bytes > 0 && answer->cut_bytes < bytes.len) {
        bytes.len = answer->cut_bytes;
    }
    if (answer->delay_ms > 0) {
        (void)usleep((useconds_t)(answer->delay_ms * USEC_PER_MSEC));
    }
    web_answer(request, &(struct web_answer){.status = answer->status != 0 ? answer->status : 200,
                                             .content_type = answer->content_type != NULL
                                                                 ? answer->content_type
                                                                 : "application/json",
                                             .headers = headers,
                                             .body = bytes});
}

/* As the API does: a wrong key and an invalid request are refused, and take no scripted answer. */
static struct scripted refusal(const struct fake_claude *fake, size_t from)
{
    const char *why = fake->violations.data + from;
    bool key = strstr(why, WRONG_KEY) != NULL;
    AUTO_BUF struct buf body = BUF_INIT(4096);
    buf_addf(&body, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"",
             key ? "authentication_error" : "invalid_request_error");
    buf_add_json(&body, str_n(why, strcspn(why, "\n")));
    buf_add_c(&body, "\"},\"request_id\":\"req_fake\"}");
    return (struct scripted){.status = key ? 401 : 400, .body = buf_detach(&body)};
}

static void on_request(struct web_request *request, void *userdata)
{
    struct fake_claude *fake = userdata;
    (void)pthread_mutex_lock(&fake->lock);
    size_t number = fake->requests;
    size_t from = fake->violations.len;
    check_request(fake, request);
    if (number < REQUESTS_MAX) {
        fake->bodies[number] = strndup(web_body(request).ptr, web_body(request).len);
    }
    struct scripted answer = {0};
    if (fake->violations.len > from) {
        answer = refusal(fake, from);
    } else if (fake->count > 0) {
        answer = fake->queue[fake->first];
        fake->queue[fake->first] = (struct scripted){0};
        fake->first = (fake->first + 1) % QUEUE_MAX;
        fake->count--;
    } else {
        violate(fake, "the queue of answers is empty");
        answer.status = 500;
        answer.headers[0] = strdup("x-should-retry: false");
        answer.body = strdup("{\"type\":\"error\",\"error\":{\"type\":\"api_error\","
                             "\"message\":\"the queue of answers is empty\"}}");
    }
    fake->requests++;
    if (answer.hang) {
        ASSERT(fake->held_count < REQUESTS_MAX);
        web_hold(request);
        fake->held[fake->held_count++] = request;
    }
    (void)pthread_mutex_unlock(&fake->lock);
    if (!answer.hang) {
        send_answer(fake, &answer, request, number);
    }
    scripted_release(&answer);
}

/* ------------------------------------------------------------------ API for tests */

int fake_claude_start(struct fake_claude **ret)
{
    struct fake_claude *fake = calloc(1, sizeof(*fake));
    ASSERT(fake != NULL);
    (void)pthread_mutex_init(&fake->lock, NULL);
    buf_init(&fake->violations, 64 * 1024);
    int rc = web_start(&(struct web_options){.handler = on_request,
                                             .userdata = fake,
                                             .max_body_bytes = (size_t)2 << 20},
                       &fake->web, NULL);
    if (rc < 0) {
        fake_claude_stop(fake);
        return rc;
    }
    *ret = fake;
    return 0;
}

void fake_claude_stop(struct fake_claude *fake)
{
    if (fake == NULL) {
        return;
    }
    web_stop(fake->web);
    for (size_t i = 0; i < fake->held_count; i++) {
        web_answer_c(fake->held[i], 503, "");
    }
    for (size_t i = 0; i < QUEUE_MAX; i++) {
        scripted_release(&fake->queue[i]);
    }
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        free(fake->bodies[i]);
    }
    buf_release(&fake->violations);
    free(fake->violations_copy);
    free(fake->cached);
    (void)pthread_mutex_destroy(&fake->lock);
    free(fake);
}

uint16_t fake_claude_port(const struct fake_claude *fake)
{
    return web_port(fake->web);
}

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

static void push(struct fake_claude *fake, struct scripted answer)
{
    (void)pthread_mutex_lock(&fake->lock);
    ASSERT(fake->count < QUEUE_MAX);
    fake->queue[(fake->first + fake->count) % QUEUE_MAX] = answer;
    fake->count++;
    (void)pthread_mutex_unlock(&fake->lock);
}

void fake_claude_script(struct fake_claude *fake, const struct fake_claude_answer *answer)
{
    struct scripted s = {.status = answer->status,
                         .content_type = copy(answer->content_type),
                         .body = copy(answer->body),
                         .delay_ms = answer->delay_ms,
                         .cut_bytes = answer->cut_bytes,
                         .hang = answer->hang};
    for (size_t i = 0; answer->headers != NULL && answer->headers[i] != NULL; i++) {
        ASSERT(i < HEADERS_MAX);
        s.headers[i] = strdup(answer->headers[i]);
    }
    push(fake, s);
}

void fake_claude_reply_with(struct fake_claude *fake, const char *text, const char *stop_reason)
{
    push(fake,
         (struct scripted){.text = strdup(text),
                           .stop_reason = strdup(stop_reason != NULL ? stop_reason : "end_turn")});
}

void fake_claude_fail(struct fake_claude *fake, int status, const char *type)
{
    char body[256];
    (void)snprintf(body, sizeof(body),
                   "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"scripted\"},"
                   "\"request_id\":\"req_fake\"}",
                   type);
    fake_claude_script(fake, &(struct fake_claude_answer){.status = status, .body = body});
}

size_t fake_claude_requests(const struct fake_claude *fake)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&fake->lock;
    (void)pthread_mutex_lock(lock);
    size_t requests = fake->requests;
    (void)pthread_mutex_unlock(lock);
    return requests;
}

const char *fake_claude_request(const struct fake_claude *fake, size_t index)
{
    return index < REQUESTS_MAX && index < fake_claude_requests(fake) ? fake->bodies[index] : NULL;
}

const char *fake_claude_violations(struct fake_claude *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    free(fake->violations_copy);
    fake->violations_copy = strdup(fake->violations.data);
    (void)pthread_mutex_unlock(&fake->lock);
    return fake->violations_copy;
}
