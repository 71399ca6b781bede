#include "base/auto.h"
#include "base/check.h"
#include "fake_claude_internal.h"
#include "io/json.h"

#include <stdarg.h>
#include <string.h>

void fake_claude_violate(struct fake_claude *fake, const char *format, ...)
{
    buf_addf(&fake->violations, "request %zu: ", fake->requests);
    va_list args;
    va_start(args, format);
    buf_addv(&fake->violations, format, args);
    va_end(args);
    buf_add_char(&fake->violations, '\n');
}

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
        fake_claude_violate(fake, "schema is not an object, or too deep");
        return;
    }
    bool object = strcmp(json_text(schema, "type"), "object") == 0;
    if (object && json_truth(schema, "additionalProperties", true)) {
        fake_claude_violate(fake, "schema object without additionalProperties:false");
    }
    json_object_object_foreach(schema, key, value)
    {
        if (!is_one_of(key, schema_words)) {
            fake_claude_violate(fake, "schema keyword %s is not supported", key);
        } else if (strcmp(key, "items") == 0) {
            check_schema(fake, value, depth + 1);
        } else if (strcmp(key, "minItems") == 0 && json_object_get_int64(value) > 1) {
            fake_claude_violate(fake, "schema minItems above 1");
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
            fake_claude_violate(fake, "schema requires %s, which is not a property", name);
        }
    }
}

/* Every member of an object must be one of these. */
static void check_members(struct fake_claude *fake, const char *where, struct json_object *object,
                          const char *const *known)
{
    if (!json_is_object(object)) {
        fake_claude_violate(fake, "%s: an object is expected", where);
        return;
    }
    json_object_object_foreach(object, key, value)
    {
        (void)value;
        if (!is_one_of(key, known)) {
            fake_claude_violate(fake, "%s.%s: Extra inputs are not permitted", where, key);
        }
    }
}

static void check_cache_control(struct fake_claude *fake, const char *where,
                                struct json_object *cache)
{
    static const char *const control[] = {"type", "ttl", NULL};
    static const char *const ttls[] = {"", "5m", "1h", NULL};
    check_members(fake, "cache_control", cache, control);
    if (strcmp(json_text(cache, "type"), "ephemeral") != 0 ||
        !is_one_of(json_text(cache, "ttl"), ttls)) {
        fake_claude_violate(fake, "%s: cache_control is not ephemeral for 5m or 1h", where);
    }
}

/* The kinds of blocks, who may send them and what they have. */
static const struct block_kind {
    const char *type;
    const char *role; /* NULL: both, and system */
    const char *members[8];
} block_kinds[] = {
    {"text", NULL, {"type", "text", "cache_control", "citations", NULL}},
    {"thinking", "assistant", {"type", "thinking", "signature", NULL}},
    {"tool_use", "assistant", {"type", "id", "name", "input", "cache_control", "caller", NULL}},
    {"tool_result", "user", {"type", "tool_use_id", "content", "is_error", "cache_control", NULL}},
};

static const struct block_kind *block_kind(const char *type)
{
    for (size_t i = 0; i < COUNT_OF(block_kinds); i++) {
        if (strcmp(type, block_kinds[i].type) == 0) {
            return &block_kinds[i];
        }
    }
    return NULL;
}

static void check_block(struct fake_claude *fake, const char *where, const char *role,
                        struct json_object *item)
{
    const char *type = json_text(item, "type");
    const struct block_kind *kind = block_kind(type);
    if (kind == NULL || (kind->role != NULL && strcmp(kind->role, role) != 0)) {
        fake_claude_violate(fake, "%s: a block of type %s is not allowed from %s", where, type,
                            role);
        return;
    }
    check_members(fake, where, item, kind->members);
    if (strcmp(type, "text") == 0 && str_trim(json_str(item, "text")).len == 0) {
        fake_claude_violate(fake, "%s: text content blocks must be non-empty", where);
    }
    if (strcmp(type, "thinking") == 0 && (strcmp(json_text(item, "signature"), SIGNATURE) != 0 ||
                                          strcmp(json_text(item, "thinking"), THOUGHT) != 0)) {
        fake_claude_violate(fake, "%s: a thinking block was changed", where);
    }
    if (strcmp(type, "tool_use") == 0 && !json_is_object(json_get(item, "input"))) {
        fake_claude_violate(fake, "%s: the input of a tool_use is not an object", where);
    }
}

/* The blocks of system and of the content of a message. */
static void check_blocks(struct fake_claude *fake, const char *where, const char *role,
                         struct json_object *blocks)
{
    int marked = 0;
    for (size_t i = 0; i < json_len(blocks); i++) {
        struct json_object *item = json_item(blocks, i);
        struct json_object *cache = json_get(item, "cache_control");
        check_block(fake, where, role, item);
        if (cache != NULL) {
            marked++;
            check_cache_control(fake, where, cache);
        }
    }
    if (marked > 4) {
        fake_claude_violate(fake, "%s: more than 4 cache breakpoints", where);
    }
}

static bool is_block(const struct json_object *block, const char *type)
{
    return strcmp(json_text(block, "type"), type) == 0;
}

static size_t count_results(const struct json_object *content, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < json_len(content); i++) {
        const struct json_object *block = json_item(content, i);
        count += is_block(block, "tool_result") &&
                         (id == NULL || strcmp(json_text(block, "tool_use_id"), id) == 0)
                     ? 1
                     : 0;
    }
    return count;
}

/* Each tool_use of `asked` is answered once in `answered` (NULL: there is no next message), and
 * nothing else is; the results come first. */
static void check_results(struct fake_claude *fake, const struct json_object *asked,
                          const struct json_object *answered)
{
    size_t uses = 0;
    for (size_t i = 0; i < json_len(asked); i++) {
        const struct json_object *block = json_item(asked, i);
        if (!is_block(block, "tool_use")) {
            continue;
        }
        uses++;
        if (count_results(answered, json_text(block, "id")) != 1) {
            fake_claude_violate(fake, "tool_use %s is not answered by exactly one tool_result",
                                json_text(block, "id"));
        }
        if (!is_block(json_item(asked, 0), "thinking")) {
            fake_claude_violate(fake, "the thinking before a tool_use was left out");
        }
    }
    if (count_results(answered, NULL) != uses) {
        fake_claude_violate(fake, "%zu tool_result blocks for %zu tool_use",
                            count_results(answered, NULL), uses);
    }
    for (size_t i = 0; i < uses; i++) {
        if (!is_block(json_item(answered, i), "tool_result")) {
            fake_claude_violate(fake, "tool_result blocks do not come first");
        }
    }
}

static void check_messages(struct fake_claude *fake, const struct json_object *messages)
{
    const struct json_object *before = NULL;
    if (json_len(messages) == 0) {
        fake_claude_violate(fake, "messages is empty");
    }
    for (size_t i = 0; i < json_len(messages); i++) {
        static const char *const members[] = {"role", "content", NULL};
        struct json_object *message = json_item(messages, i);
        check_members(fake, "messages", message, members);
        const char *expected = i % 2 == 0 ? "user" : "assistant";
        if (strcmp(json_text(message, "role"), expected) != 0) {
            fake_claude_violate(fake, "message %zu is not from %s", i, expected);
        }
        struct json_object *content = json_get(message, "content");
        check_blocks(fake, "content", expected, content);
        if (json_text(message, "content")[0] == '\0' && json_len(content) == 0) {
            fake_claude_violate(fake, "message %zu has no content", i);
        }
        if (i % 2 == 0) {
            check_results(fake, before, content);
        }
        before = content;
    }
    if (json_len(messages) % 2 == 0) {
        fake_claude_violate(fake, "the last message is not from user (prefill)");
    }
}

static void check_tool(struct fake_claude *fake, const struct json_object *tools, size_t index)
{
    static const char *const members[] = {
        "name", "description", "input_schema", "strict", "cache_control", "input_examples", NULL};
    struct json_object *tool = json_item(tools, index);
    struct str name = json_str(tool, "name");
    check_members(fake, "tools", tool, members);
    if (name.len == 0 || name.len > 64 ||
        strspn(name.ptr, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
            name.len) {
        fake_claude_violate(fake, "tool %zu: its name is not [a-zA-Z0-9_-]{1,64}", index);
    }
    if (json_text(tool, "description")[0] == '\0') {
        fake_claude_violate(fake, "tool %s has no description", name.ptr);
    }
    check_schema(fake, json_get(tool, "input_schema"), 0);
    if (strcmp(json_text(json_get(tool, "input_schema"), "type"), "object") != 0) {
        fake_claude_violate(fake, "tool %s: input_schema is not an object", name.ptr);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(json_text(json_item(tools, i), "name"), name.ptr) == 0) {
            fake_claude_violate(fake, "tool names must be unique: %s", name.ptr);
        }
    }
}

static void check_tools(struct fake_claude *fake, const struct json_object *body)
{
    static const char *const members[] = {"type", "disable_parallel_tool_use", NULL};
    static const char *const types[] = {"auto", "none", NULL};
    const struct json_object *tools = json_get(body, "tools");
    struct json_object *choice = json_get(body, "tool_choice");
    for (size_t i = 0; i < json_len(tools); i++) {
        check_tool(fake, tools, i);
    }
    if (tools != NULL && json_len(tools) == 0) {
        fake_claude_violate(fake, "tools is empty");
    }
    if (choice != NULL) {
        check_members(fake, "tool_choice", choice, members);
        if (tools == NULL || !is_one_of(json_text(choice, "type"), types)) {
            fake_claude_violate(fake, "tool_choice is not auto or none, or without tools");
        }
    }
}

static void check_body(struct fake_claude *fake, struct json_object *body)
{
    static const char *const known[] = {
        "model",         "max_tokens", "messages",       "system", "tools",         "tool_choice",
        "output_config", "thinking",   "stop_sequences", "stream", "cache_control", "metadata",
        "service_tier",  NULL};
    if (!json_is_object(body)) {
        fake_claude_violate(fake, "body is not a JSON object");
        return;
    }
    check_members(fake, "body", body, known);
    if (json_text(body, "model")[0] == '\0') {
        fake_claude_violate(fake, "model is missing");
    }
    if (json_i64(body, "max_tokens", 0) <= 0) {
        fake_claude_violate(fake, "max_tokens is not above 0");
    }
    check_messages(fake, json_get(body, "messages"));
    check_tools(fake, body);
    check_blocks(fake, "system", "system", json_get(body, "system"));
    if (json_get(body, "cache_control") != NULL) {
        check_cache_control(fake, "body", json_get(body, "cache_control"));
    }
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
            fake_claude_violate(fake, "output_config.format.type is not json_schema");
        }
        check_schema(fake, json_get(format, "schema"), 0);
    }
}

void fake_claude_check(struct fake_claude *fake, const struct http_pieces_request *request)
{
    if (!str_equal_c(http_pieces_method(request), "POST") ||
        !str_equal_c(http_pieces_path(request), "/v1/messages")) {
        fake_claude_violate(fake, "%.*s %.*s instead of POST /v1/messages",
                            STR_ARG(http_pieces_method(request)),
                            STR_ARG(http_pieces_path(request)));
    }
    if (!str_starts(http_pieces_header(request, "content-type"), "application/json")) {
        fake_claude_violate(fake, "content-type is not application/json");
    }
    if (!str_equal_c(http_pieces_header(request, "anthropic-version"), FAKE_CLAUDE_VERSION)) {
        fake_claude_violate(fake, "anthropic-version is not " FAKE_CLAUDE_VERSION);
    }
    if (!str_equal_c(http_pieces_header(request, "x-api-key"), FAKE_CLAUDE_KEY) &&
        !str_equal_c(http_pieces_header(request, "authorization"), "Bearer " FAKE_CLAUDE_KEY)) {
        fake_claude_violate(fake, WRONG_KEY);
    }
    if (strstr(http_pieces_body(request).ptr, FAKE_CLAUDE_KEY) != NULL) {
        fake_claude_violate(fake, "the key is in the body");
    }
    AUTO_JSON struct json_object *body = NULL;
    struct err err = {0};
    if (json_parse(http_pieces_body(request), &JSON_LIMITS_DEFAULT, &body, &err) < 0) {
        fake_claude_violate(fake, "body is not JSON: %s", err.context);
        return;
    }
    check_body(fake, body);
}
