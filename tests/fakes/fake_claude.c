#include "fakes/fake_claude.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "fake_claude_internal.h"
#include "io/json.h"
#include "io/json_out.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ answers */

/* What is between the marks of a text; NULL if there is nothing. */
static struct json_object *data_of(struct str text)
{
    const char *from = strstr(text.ptr, "<untrusted_data>");
    const char *to = from != NULL ? strstr(from, "</untrusted_data>") : NULL;
    if (to == NULL) {
        return NULL;
    }
    from += strlen("<untrusted_data>");
    struct json_object *data = NULL;
    (void)json_parse(str_trim(str_n(from, (size_t)(to - from))), &JSON_LIMITS_DEFAULT, &data, NULL);
    return data;
}

/* Adds the JSON text of the value that a pointer names in one text of the request. */
static bool add_value_of(struct str text, struct str pointer, struct buf *out)
{
    AUTO_JSON struct json_object *data = data_of(text);
    struct json_object *value = NULL;
    bool found = data != NULL && json_pointer(data, pointer, &value);
    if (found) {
        json_add_text(out, value);
    }
    return found;
}

/* The last text that has it first. */
static bool add_value(const struct json_object *asked, struct str pointer, struct buf *out)
{
    const struct json_object *messages = json_get(asked, "messages");
    for (size_t m = json_len(messages); m-- > 0;) {
        const struct json_object *content = json_get(json_item(messages, m), "content");
        if (add_value_of(json_value_str(content), pointer, out)) {
            return true;
        }
        for (size_t i = json_len(content); i-- > 0;) {
            const struct json_object *block = json_item(content, i);
            if (add_value_of(json_str(block, "content"), pointer, out) ||
                add_value_of(json_str(block, "text"), pointer, out)) {
                return true;
            }
        }
    }
    return false;
}

static void expand(const char *text, const struct json_object *asked, struct buf *out)
{
    for (;;) {
        const char *open = strstr(text, "{{/");
        const char *shut = open != NULL ? strstr(open, "}}") : NULL;
        if (shut == NULL) {
            buf_add_c(out, text);
            return;
        }
        AUTO_BUF struct buf value = BUF_INIT(4096);
        if (add_value(asked, str_n(open + 2, (size_t)(shut - open - 2)), &value)) {
            buf_add(out, text, (size_t)(open - text));
            buf_add_str(out, buf_str(&value));
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

static void add_blocks(struct fake_claude *fake, const struct scripted *answer,
                       const struct json_object *asked, struct json_out *out)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    expand(answer->text, asked, &text);
    json_out_object(out, NULL);
    json_out_text(out, "type", "thinking");
    json_out_text(out, "thinking", THOUGHT);
    json_out_text(out, "signature", SIGNATURE);
    json_out_end(out);
    if (text.len > 0) {
        json_out_object(out, NULL);
        json_out_text(out, "type", "text");
        json_out_str(out, "text", buf_str(&text));
        json_out_end(out);
    }
    for (size_t i = 0; i < FAKE_CLAUDE_TOOLS_MAX && answer->tools[i][0] != NULL; i++) {
        char id[32];
        AUTO_JSON struct json_object *input = NULL;
        AUTO_BUF struct buf expanded = BUF_INIT(64 * 1024);
        expand(answer->tools[i][1], asked, &expanded);
        ASSERT(json_parse(buf_str(&expanded), &JSON_LIMITS_DEFAULT, &input, NULL) == 0);
        (void)pthread_mutex_lock(&fake->lock);
        (void)snprintf(id, sizeof(id), "toolu_fake_%zu", ++fake->used_id);
        (void)pthread_mutex_unlock(&fake->lock);
        json_out_object(out, NULL);
        json_out_text(out, "type", "tool_use");
        json_out_text(out, "id", id);
        json_out_text(out, "name", answer->tools[i][0]);
        json_out_value(out, "input", input);
        json_out_end(out);
    }
}

static void add_usage(struct json_out *out, const struct cache_use *cache, int64_t output)
{
    json_out_object(out, "usage");
    json_out_i64(out, "input_tokens", 1200 - cache->written - cache->read);
    json_out_i64(out, "output_tokens", output);
    json_out_i64(out, "cache_creation_input_tokens", cache->written);
    json_out_i64(out, "cache_read_input_tokens", cache->read);
    json_out_end(out);
}

static struct json_object *make_message(struct fake_claude *fake, const struct scripted *answer,
                                        const struct json_object *asked)
{
    struct json_object *message = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(message);
    const struct cache_use cache = cached(fake, asked);
    json_out_text(&out, "id", "msg_fake");
    json_out_text(&out, "type", "message");
    json_out_text(&out, "role", "assistant");
    json_out_text(&out, "model", json_text(asked, "model"));
    json_out_array(&out, "content");
    add_blocks(fake, answer, asked, &out);
    json_out_end(&out);
    json_out_text(&out, "stop_reason", answer->stop_reason);
    json_out_null(&out, "stop_sequence");
    if (strcmp(answer->stop_reason, "refusal") == 0) {
        json_out_object(&out, "stop_details");
        json_out_text(&out, "type", "refusal");
        json_out_text(&out, "category", "cyber");
        json_out_null(&out, "explanation");
        json_out_end(&out);
    } else {
        json_out_null(&out, "stop_details");
    }
    add_usage(&out, &cache, 340);
    return message;
}

/* ------------------------------------------------------------------ events */

/* An answer on its way. */
struct sending {
    struct http_pieces_request *request;
    const struct scripted *answer;
    struct buf events; /* not sent yet */
    size_t count;
    size_t break_at; /* the event that is the last one */
    bool broken;
};

static void flush(struct sending *s, bool all)
{
    size_t piece = s->answer->piece_bytes > 0 ? s->answer->piece_bytes : s->events.len;
    size_t done = 0;
    while (done < s->events.len && (all || s->events.len - done >= piece)) {
        size_t len = s->events.len - done < piece ? s->events.len - done : piece;
        if (!http_pieces_add(s->request, str_n(s->events.data + done, len))) {
            s->broken = true;
            break;
        }
        done += len;
        if (s->answer->piece_ms > 0) {
            (void)usleep((useconds_t)(s->answer->piece_ms * USEC_PER_MSEC));
        }
    }
    memmove(s->events.data, s->events.data + done, s->events.len - done);
    buf_truncate(&s->events, s->events.len - done);
}

__attribute__((format(printf, 3, 4))) static void send_event(struct sending *s, const char *type,
                                                             const char *format, ...)
{
    if (s->broken) {
        return;
    }
    va_list args;
    buf_addf(&s->events, "event: %s\ndata: {\"type\":\"%s\"", type, type);
    va_start(args, format);
    buf_addv(&s->events, format, args);
    va_end(args);
    buf_add_c(&s->events, "}\n\n");
    s->count++;
    s->broken = s->answer->breaks != FAKE_CLAUDE_WHOLE && s->count >= s->break_at;
    flush(s, false);
}

/* In deltas of about eight bytes, each of whole characters. */
static void send_deltas(struct sending *s, size_t index, const char *type, const char *member,
                        struct str text)
{
    while (text.len > 0) {
        size_t len = text.len < 8 ? text.len : 8;
        while (len < text.len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) {
            len++;
        }
        AUTO_BUF struct buf escaped = BUF_INIT(256);
        buf_add_json(&escaped, str_n(text.ptr, len));
        send_event(s, "content_block_delta",
                   ",\"index\":%zu,\"delta\":{\"type\":\"%s\",\"%s\":\"%s\"}", index, type, member,
                   escaped.data);
        text = str_n(text.ptr + len, text.len - len);
    }
}

static void send_block(struct sending *s, size_t index, struct json_object *block)
{
    const char *type = json_text(block, "type");
    AUTO_BUF struct buf input = BUF_INIT(64 * 1024);
    if (strcmp(type, "tool_use") == 0) {
        json_add_text(&input, json_get(block, "input"));
        send_event(s, "content_block_start",
                   ",\"index\":%zu,\"content_block\":{\"type\":\"tool_use\",\"id\":\"%s\","
                   "\"name\":\"%s\",\"input\":{}}",
                   index, json_text(block, "id"), json_text(block, "name"));
        send_deltas(s, index, "input_json_delta", "partial_json", buf_str(&input));
    } else if (strcmp(type, "thinking") == 0) {
        send_event(s, "content_block_start",
                   ",\"index\":%zu,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\","
                   "\"signature\":\"\"}",
                   index);
        send_deltas(s, index, "thinking_delta", "thinking", json_str(block, "thinking"));
        send_deltas(s, index, "signature_delta", "signature", json_str(block, "signature"));
    } else {
        send_event(s, "content_block_start",
                   ",\"index\":%zu,\"content_block\":{\"type\":\"text\",\"text\":\"\"}", index);
        send_deltas(s, index, "text_delta", "text", json_str(block, "text"));
    }
    send_event(s, "content_block_stop", ",\"index\":%zu", index);
}

static void send_events(struct sending *s, struct json_object *message)
{
    AUTO_BUF struct buf usage = BUF_INIT(4096);
    AUTO_BUF struct buf details = BUF_INIT(4096);
    const struct json_object *content = json_get(message, "content");
    json_add_text(&usage, json_get(message, "usage"));
    json_add_text(&details, json_get(message, "stop_details"));
    send_event(s, "message_start",
               ",\"message\":{\"id\":\"msg_fake\",\"type\":\"message\",\"role\":\"assistant\","
               "\"model\":\"%s\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
               "\"usage\":%s}",
               json_text(message, "model"), usage.data);
    send_event(s, "ping", "%s", "");
    send_event(s, "something_new", "%s", ",\"index\":0");
    for (size_t i = 0; i < json_len(content); i++) {
        send_block(s, i, json_item(content, i));
    }
    send_event(s, "message_delta",
               ",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null,\"stop_details\":%s},"
               "\"usage\":{\"output_tokens\":340}",
               json_text(message, "stop_reason"), details.data);
    send_event(s, "message_stop", "%s", "");
}

static void send_stream(struct fake_claude *fake, const struct scripted *answer,
                        struct http_pieces_request *request, const struct json_object *asked,
                        const char *const *headers)
{
    AUTO_JSON struct json_object *message = make_message(fake, answer, asked);
    struct sending s = {.request = request, .answer = answer};
    buf_init(&s.events, (size_t)4 << 20);
    s.break_at = 6 + strlen(answer->text) / 16; /* in the middle of the text */
    http_pieces_begin(request, 200, "text/event-stream; charset=utf-8", headers);
    send_events(&s, message);
    if (answer->breaks == FAKE_CLAUDE_ERROR) {
        buf_add_c(&s.events, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                             "\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
    }
    flush(&s, true);
    buf_release(&s.events);
    if (answer->breaks != FAKE_CLAUDE_CLOSES) {
        http_pieces_end(request);
    }
}

/* ------------------------------------------------------------------ sending */

static void scripted_release(struct scripted *answer)
{
    for (size_t i = 0; i < HEADERS_MAX; i++) {
        free(answer->headers[i]);
    }
    free(answer->content_type);
    free(answer->body);
    free(answer->text);
    free(answer->stop_reason);
    for (size_t i = 0; i < FAKE_CLAUDE_TOOLS_MAX; i++) {
        free(answer->tools[i][0]);
        free(answer->tools[i][1]);
    }
    *answer = (struct scripted){0};
}

static void send_answer(struct fake_claude *fake, const struct scripted *answer,
                        struct http_pieces_request *request, size_t number)
{
    char id[48];
    (void)snprintf(id, sizeof(id), "request-id: req_fake_%zu", number);
    const char *headers[HEADERS_MAX + 2] = {id};
    for (size_t i = 0; i < HEADERS_MAX && answer->headers[i] != NULL; i++) {
        headers[i + 1] = answer->headers[i];
    }
    AUTO_BUF struct buf body = BUF_INIT((size_t)8 << 20);
    AUTO_JSON struct json_object *asked = NULL;
    (void)json_parse(http_pieces_body(request), &JSON_LIMITS_DEFAULT, &asked, NULL);
    if (answer->delay_ms > 0) {
        (void)usleep((useconds_t)(answer->delay_ms * USEC_PER_MSEC));
    }
    if (answer->text != NULL && json_truth(asked, "stream", false)) {
        send_stream(fake, answer, request, asked, headers);
        return;
    }
    if (answer->text != NULL) {
        AUTO_JSON struct json_object *message = make_message(fake, answer, asked);
        json_add_text(&body, message);
    } else {
        buf_add_c(&body, answer->body != NULL ? answer->body : "");
    }
    struct str bytes = buf_str(&body);
    if (answer->cut_bytes > 0 && answer->cut_bytes < bytes.len) {
        bytes.len = answer->cut_bytes;
    }
    http_pieces_begin(request, answer->status != 0 ? answer->status : 200,
                      answer->content_type != NULL ? answer->content_type : "application/json",
                      headers);
    (void)http_pieces_add(request, bytes);
    http_pieces_end(request);
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

static void on_request(struct http_pieces_request *request, void *userdata)
{
    struct fake_claude *fake = userdata;
    (void)pthread_mutex_lock(&fake->lock);
    size_t number = fake->requests;
    size_t from = fake->violations.len;
    fake_claude_check(fake, request);
    if (number < REQUESTS_MAX) {
        fake->bodies[number] =
            strndup(http_pieces_body(request).ptr, http_pieces_body(request).len);
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
        fake_claude_violate(fake, "the queue of answers is empty");
        answer.status = 500;
        answer.headers[0] = strdup("x-should-retry: false");
        answer.body = strdup("{\"type\":\"error\",\"error\":{\"type\":\"api_error\","
                             "\"message\":\"the queue of answers is empty\"}}");
    }
    fake->requests++;
    (void)pthread_mutex_unlock(&fake->lock);
    if (answer.hang) {
        http_pieces_hold(request);
    } else {
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
    int rc = http_pieces_start(on_request, fake, &fake->server);
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
    http_pieces_stop(fake->server);
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
    return http_pieces_port(fake->server);
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

void fake_claude_say(struct fake_claude *fake, const struct fake_claude_message *message)
{
    bool tools = message->tools[0].name != NULL;
    const char *reason = message->stop_reason;
    struct scripted s = {.text = strdup(message->text != NULL ? message->text : ""),
                         .stop_reason = strdup(reason != NULL ? reason
                                               : tools        ? "tool_use"
                                                              : "end_turn"),
                         .piece_ms = message->piece_ms,
                         .piece_bytes = message->piece_bytes,
                         .breaks = message->breaks};
    for (size_t i = 0; i < FAKE_CLAUDE_TOOLS_MAX && message->tools[i].name != NULL; i++) {
        s.tools[i][0] = strdup(message->tools[i].name);
        s.tools[i][1] = strdup(message->tools[i].input);
    }
    push(fake, s);
}

void fake_claude_reply_with(struct fake_claude *fake, const char *text, const char *stop_reason)
{
    fake_claude_say(fake, &(struct fake_claude_message){.text = text, .stop_reason = stop_reason});
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
