#include "claude_stream.h"

#include "base/check.h"
#include "claude_internal.h"
#include "io/json.h"
#include "io/json_out.h"

#include <string.h>

#define BLOCKS_MAX 256

void claude_stream_init(struct claude_stream *stream)
{
    *stream = (struct claude_stream){0};
    buf_init(&stream->text, CLAUDE_BODY_MAX_BYTES);
    buf_init(&stream->data, CLAUDE_BODY_MAX_BYTES);
    buf_init(&stream->part, CLAUDE_BODY_MAX_BYTES);
    buf_init(&stream->signature, CLAUDE_BODY_MAX_BYTES);
}

void claude_stream_release(struct claude_stream *stream)
{
    (void)json_object_put(stream->message);
    buf_release(&stream->text);
    buf_release(&stream->data);
    buf_release(&stream->part);
    buf_release(&stream->signature);
    stream->message = NULL;
}

bool claude_stream_is_whole(const struct claude_stream *stream)
{
    return stream->stopped && stream->err.id == ERR_NONE;
}

static void fail(struct claude_stream *stream, const char *why)
{
    (void)err_set(&stream->err, ERR_CLAUDE_GARBLED, "stream: %s", why);
}

/* ------------------------------------------------------------------ events */

static void on_message_start(struct claude_stream *stream, const struct json_object *event)
{
    struct json_object *message = json_get(event, "message");
    if (stream->message != NULL || !json_is_object(message)) {
        fail(stream, "message_start without a message, or twice");
        return;
    }
    stream->message = json_object_get(message);
    struct json_out out = JSON_OUT_TREE(stream->message);
    json_out_array(&out, "content");
    json_out_end(&out);
}

static struct json_object *content_of(const struct claude_stream *stream)
{
    return json_get(stream->message, "content");
}

static void on_block_start(struct claude_stream *stream, const struct json_object *event)
{
    struct json_object *block = json_get(event, "content_block");
    size_t count = json_len(content_of(stream));
    if (stream->block_open || !json_is_object(block) || count == BLOCKS_MAX ||
        json_i64(event, "index", -1) != (int64_t)count) {
        fail(stream, "content_block_start out of order");
        return;
    }
    struct json_out out = JSON_OUT_ITEMS(content_of(stream));
    json_out_value(&out, NULL, block);
    stream->block_open = true;
    buf_clear(&stream->part);
    buf_clear(&stream->signature);
    buf_add_str(&stream->part, json_str(block, "text")); /* one of them, and usually empty */
    buf_add_str(&stream->part, json_str(block, "thinking"));
    buf_add_str(&stream->signature, json_str(block, "signature"));
    buf_add_str(&stream->text, json_str(block, "text"));
}

static bool is_of_open_block(const struct claude_stream *stream, const struct json_object *event)
{
    return stream->block_open &&
           json_i64(event, "index", -1) == (int64_t)json_len(content_of(stream)) - 1;
}

static void on_block_delta(struct claude_stream *stream, const struct json_object *event)
{
    const struct json_object *delta = json_get(event, "delta");
    if (!is_of_open_block(stream, event)) {
        fail(stream, "content_block_delta out of order");
        return;
    }
    /* One of them is there, by the type of the delta; another kind (citations) has none. */
    buf_add_str(&stream->part, json_str(delta, "text"));
    buf_add_str(&stream->part, json_str(delta, "partial_json"));
    buf_add_str(&stream->part, json_str(delta, "thinking"));
    buf_add_str(&stream->signature, json_str(delta, "signature"));
    buf_add_str(&stream->text, json_str(delta, "text"));
}

static void end_tool_use(struct claude_stream *stream, struct json_object *block)
{
    AUTO_JSON struct json_object *input = NULL;
    if (stream->part.len == 0) { /* no argument was needed */
        input = json_object_new_object();
    } else if (json_parse(buf_str(&stream->part), &JSON_LIMITS_DEFAULT, &input, NULL) < 0) {
        fail(stream, "the input of a tool is not JSON");
        return;
    }
    struct json_out out = JSON_OUT_TREE(block);
    json_out_value(&out, "input", input);
}

static void on_block_stop(struct claude_stream *stream, const struct json_object *event)
{
    if (!is_of_open_block(stream, event)) {
        fail(stream, "content_block_stop out of order");
        return;
    }
    struct json_object *block = json_item(content_of(stream), json_len(content_of(stream)) - 1);
    struct json_out out = JSON_OUT_TREE(block);
    const char *type = json_text(block, "type");
    stream->block_open = false;
    if (strcmp(type, "tool_use") == 0) {
        end_tool_use(stream, block);
    } else if (strcmp(type, "text") == 0) {
        json_out_str(&out, "text", buf_str(&stream->part));
    } else if (strcmp(type, "thinking") == 0) {
        json_out_str(&out, "thinking", buf_str(&stream->part));
        json_out_str(&out, "signature", buf_str(&stream->signature));
    }
}

/* The counts are those of the whole message so far, and replace the ones before. */
static void on_message_delta(struct claude_stream *stream, const struct json_object *event)
{
    struct json_object *delta = json_get(event, "delta");
    struct json_object *more = json_get(event, "usage");
    struct json_object *usage = json_get(stream->message, "usage");
    struct json_out out = JSON_OUT_TREE(stream->message);
    struct json_out counts = JSON_OUT_TREE(usage);
    if (json_is_object(delta)) {
        json_object_object_foreach(delta, key, value)
        {
            json_out_value(&out, key, value);
        }
    }
    if (json_is_object(more) && json_is_object(usage)) {
        json_object_object_foreach(more, key, value)
        {
            if (value != NULL) {
                json_out_value(&counts, key, value);
            }
        }
    }
}

static void on_error(struct claude_stream *stream, const struct json_object *event)
{
    static const struct {
        const char *type;
        int status;
    } statuses[] = {{"overloaded_error", 529},     {"api_error", 500},
                    {"timeout_error", 504},        {"rate_limit_error", 429},
                    {"authentication_error", 401}, {"billing_error", 402},
                    {"permission_error", 403},     {"not_found_error", 404},
                    {"request_too_large", 413},    {"invalid_request_error", 400}};
    const struct json_object *error = json_get(event, "error");
    const char *type = json_text(error, "type");
    stream->status = 500;
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        if (strcmp(type, statuses[i].type) == 0) {
            stream->status = statuses[i].status;
        }
    }
    (void)claude_set_error(ERR_NONE, stream->status, error, "", &stream->err);
}

static void on_message_stop(struct claude_stream *stream, const struct json_object *event)
{
    (void)event;
    if (stream->block_open) {
        fail(stream, "message_stop inside a block");
        return;
    }
    stream->stopped = true;
}

static const struct {
    const char *type;
    void (*accept)(struct claude_stream *stream, const struct json_object *event);
    bool first; /* may come before message_start */
} kinds[] = {
    {"message_start", on_message_start, true},
    {"content_block_start", on_block_start, false},
    {"content_block_delta", on_block_delta, false},
    {"content_block_stop", on_block_stop, false},
    {"message_delta", on_message_delta, false},
    {"message_stop", on_message_stop, false},
    {"error", on_error, true},
};

static void accept_event(struct claude_stream *stream)
{
    AUTO_JSON struct json_object *event = NULL;
    if (json_parse(buf_str(&stream->data), &JSON_LIMITS_DEFAULT, &event, NULL) < 0) {
        fail(stream, "an event is not JSON");
        return;
    }
    const char *type = json_text(event, "type");
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(type, kinds[i].type) != 0) {
            continue;
        }
        if (stream->message == NULL && !kinds[i].first) {
            fail(stream, "the first event is not message_start");
        } else {
            kinds[i].accept(stream, event);
        }
        return;
    }
}

/* ------------------------------------------------------------------ lines */

/* The type is also in the data, so the field `event` is not needed. */
static void accept_line(struct claude_stream *stream, struct str line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    if (line.len == 0) {
        if (stream->data.len > 0) {
            accept_event(stream);
        }
        buf_clear(&stream->data);
    } else if (str_starts(line, "data:")) {
        buf_add_str(&stream->data, str_trim(str_n(line.ptr + 5, line.len - 5)));
    }
}

bool claude_stream_feed(struct claude_stream *stream, struct str body)
{
    size_t before = stream->text.len;
    while (stream->read < body.len && !stream->stopped && stream->err.id == ERR_NONE) {
        const char *line = body.ptr + stream->read;
        const char *end = memchr(line, '\n', body.len - stream->read);
        if (end == NULL) {
            break;
        }
        stream->read += (size_t)(end - line) + 1;
        accept_line(stream, str_n(line, (size_t)(end - line)));
    }
    return stream->text.len > before;
}
