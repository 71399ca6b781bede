#include "fakes/fake_telegram_check.h"

#include "base/check.h"

#include <string.h>

enum type { INT, TEXT, BOOL, OBJECT, LIST, CHAT };

struct field {
    const char *name;
    enum type type;
    bool required;
};

#define FIELDS_MAX 10

static const struct method {
    const char *name;
    struct field fields[FIELDS_MAX]; /* terminated by a NULL name */
} methods[] = {
    {"getMe", {{0}}},
    {"getWebhookInfo", {{0}}},
    {"deleteWebhook", {{"drop_pending_updates", BOOL, false}}},
    {"setMyCommands",
     {{"commands", LIST, true}, {"scope", OBJECT, false}, {"language_code", TEXT, false}}},
    {"getUpdates",
     {{"offset", INT, false},
      {"limit", INT, false},
      {"timeout", INT, false},
      {"allowed_updates", LIST, false}}},
    {"sendMessage",
     {{"chat_id", CHAT, true},
      {"text", TEXT, true},
      {"parse_mode", TEXT, false},
      {"link_preview_options", OBJECT, false},
      {"disable_notification", BOOL, false},
      {"protect_content", BOOL, false},
      {"message_thread_id", INT, false},
      {"reply_parameters", OBJECT, false},
      {"reply_markup", OBJECT, false}}},
    {"editMessageText",
     {{"chat_id", CHAT, true},
      {"message_id", INT, true},
      {"text", TEXT, true},
      {"parse_mode", TEXT, false},
      {"link_preview_options", OBJECT, false},
      {"reply_markup", OBJECT, false}}},
    {"editMessageReplyMarkup",
     {{"chat_id", CHAT, true}, {"message_id", INT, true}, {"reply_markup", OBJECT, false}}},
    {"deleteMessage", {{"chat_id", CHAT, true}, {"message_id", INT, true}}},
    {"pinChatMessage",
     {{"chat_id", CHAT, true}, {"message_id", INT, true}, {"disable_notification", BOOL, false}}},
    {"answerCallbackQuery",
     {{"callback_query_id", TEXT, true},
      {"text", TEXT, false},
      {"show_alert", BOOL, false},
      {"cache_time", INT, false}}},
    {"sendChatAction",
     {{"chat_id", CHAT, true}, {"action", TEXT, true}, {"message_thread_id", INT, false}}},
    {"getChat", {{"chat_id", CHAT, true}}},
    /* multipart: every field is a text */
    {"sendDocument",
     {{"chat_id", TEXT, true},
      {"document", TEXT, true},
      {"caption", TEXT, false},
      {"parse_mode", TEXT, false},
      {"disable_notification", TEXT, false},
      {"protect_content", TEXT, false},
      {"message_thread_id", TEXT, false},
      {"reply_markup", TEXT, false}}},
    {"sendPhoto",
     {{"chat_id", TEXT, true},
      {"photo", TEXT, true},
      {"caption", TEXT, false},
      {"parse_mode", TEXT, false},
      {"disable_notification", TEXT, false},
      {"protect_content", TEXT, false},
      {"message_thread_id", TEXT, false},
      {"reply_markup", TEXT, false}}},
};

/* What the Bot API shows while a bot works. */
static const char *const chat_actions[] = {"typing", "upload_photo", "upload_document"};

__attribute__((format(printf, 2, 3))) static void complain(const struct fake_telegram_check *check,
                                                           const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(1024);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    check->complain(text.data, check->userdata);
}

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

bool fake_telegram_check_method(const char *method)
{
    return find_method(method) != NULL;
}

static bool has_type(const struct json_object *value, enum type type)
{
    switch (type) {
    case INT:
        return json_object_is_type(value, json_type_int);
    case TEXT:
        return json_object_is_type(value, json_type_string);
    case BOOL:
        return json_object_is_type(value, json_type_boolean);
    case OBJECT:
        return json_object_is_type(value, json_type_object);
    case LIST:
        return json_object_is_type(value, json_type_array);
    case CHAT:
        return json_object_is_type(value, json_type_int) ||
               (json_object_is_type(value, json_type_string) && json_value_str(value).len > 1 &&
                json_value_str(value).ptr[0] == '@');
    }
    return false;
}

static void check_table(const struct fake_telegram_check *check, const struct method *method,
                        const struct json_object *params)
{
    json_object_object_foreach((struct json_object *)(uintptr_t)params, key, value)
    {
        const struct field *found = NULL;
        for (size_t i = 0; i < FIELDS_MAX && method->fields[i].name != NULL; i++) {
            if (strcmp(method->fields[i].name, key) == 0) {
                found = &method->fields[i];
            }
        }
        if (found == NULL) {
            complain(check, "%s: unknown field %s", method->name, key);
        } else if (!has_type(value, found->type)) {
            complain(check, "%s: field %s has the wrong type", method->name, key);
        }
    }
    for (size_t i = 0; i < FIELDS_MAX && method->fields[i].name != NULL; i++) {
        if (method->fields[i].required && json_get(params, method->fields[i].name) == NULL) {
            complain(check, "%s: field %s is missing", method->name, method->fields[i].name);
        }
    }
}

static bool spec_allows(const struct json_object *value, const struct json_object *types)
{
    for (size_t i = 0; i < json_len(types); i++) {
        struct str type = json_value_str(json_item(types, i));
        if ((str_equal_c(type, "Integer") && has_type(value, INT)) ||
            (str_equal_c(type, "String") && has_type(value, TEXT)) ||
            (str_equal_c(type, "Boolean") && has_type(value, BOOL)) ||
            (str_starts(type, "Array of ") && has_type(value, LIST)) ||
            (str_equal_c(type, "InputFile") && has_type(value, TEXT)) ||
            (type.len > 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", type.ptr[0]) != NULL &&
             has_type(value, OBJECT))) {
            return true;
        }
    }
    return false;
}

/* Checks against the published specification. In a multipart request every value is text. */
static void check_spec(const struct fake_telegram_check *check, const char *method,
                       const struct json_object *params)
{
    const struct json_object *described = json_get(json_get(check->spec, "methods"), method);
    const struct json_object *fields = json_get(described, "fields");
    bool multipart = strcmp(method, "sendDocument") == 0;
    if (described == NULL) {
        complain(check, "%s: not in the specification", method);
        return;
    }
    json_object_object_foreach((struct json_object *)(uintptr_t)params, key, value)
    {
        const struct json_object *found = NULL;
        for (size_t i = 0; i < json_len(fields); i++) {
            if (str_equal_c(json_str(json_item(fields, i), "name"), key)) {
                found = json_item(fields, i);
            }
        }
        if (found == NULL) {
            complain(check, "%s: field %s is not in the specification", method, key);
        } else if (!multipart && !spec_allows(value, json_get(found, "types"))) {
            complain(check, "%s: field %s is of another type in the specification", method, key);
        }
    }
    for (size_t i = 0; i < json_len(fields); i++) {
        const struct json_object *field = json_item(fields, i);
        if (json_truth(field, "required", false) &&
            json_get(params, json_text(field, "name")) == NULL) {
            complain(check, "%s: the specification requires %s", method, json_text(field, "name"));
        }
    }
}

static void check_commands(const struct fake_telegram_check *check,
                           const struct json_object *commands)
{
    if (json_len(commands) == 0 || json_len(commands) > 100) {
        complain(check, "setMyCommands: %zu commands", json_len(commands));
    }
    for (size_t i = 0; i < json_len(commands); i++) {
        struct str name = json_str(json_item(commands, i), "command");
        struct str help = json_str(json_item(commands, i), "description");
        bool good = name.len >= 1 && name.len <= 32 &&
                    strspn(name.ptr, "abcdefghijklmnopqrstuvwxyz0123456789_") == name.len;
        if (!good || help.len == 0 || str_utf16_len(help) > 256) {
            complain(check, "setMyCommands: bad command %.*s", STR_ARG(name));
        }
    }
}

static void check_updates(const struct fake_telegram_check *check, const struct json_object *params)
{
    int64_t limit = json_i64(params, "limit", 100);
    int64_t timeout = json_i64(params, "timeout", 0);
    if (limit < 1 || limit > 100) {
        complain(check, "getUpdates: limit %lld", (long long)limit);
    }
    if (timeout < 1 || timeout > 50) {
        complain(check, "getUpdates: timeout %lld", (long long)timeout);
    }
}

void fake_telegram_check_markup(const struct fake_telegram_check *check,
                                const struct json_object *markup)
{
    static const char *const kinds[] = {"callback_data", "url", "copy_text", "disabled"};
    static const char *const styles[] = {"", "danger", "success", "primary"};
    const struct json_object *rows = json_get(markup, "inline_keyboard");
    if (!json_is_array(rows) || json_len(rows) == 0) {
        complain(check, "reply_markup: no inline_keyboard");
    }
    for (size_t r = 0; r < json_len(rows); r++) {
        const struct json_object *row = json_item(rows, r);
        if (json_len(row) == 0 || json_len(row) > 8) {
            complain(check, "reply_markup: a row of %zu buttons", json_len(row));
        }
        for (size_t i = 0; i < json_len(row); i++) {
            struct json_object *button = json_item(row, i);
            int actions = 0;
            bool style = false;
            for (size_t k = 0; k < COUNT_OF(kinds); k++) {
                actions += json_get(button, kinds[k]) != NULL ? 1 : 0;
            }
            for (size_t k = 0; k < COUNT_OF(styles); k++) {
                style = style || strcmp(json_text(button, "style"), styles[k]) == 0;
            }
            size_t data = json_str(button, "callback_data").len;
            size_t fields = (size_t)json_object_object_length(button);
            size_t known = 1 + (size_t)actions + (json_get(button, "style") != NULL ? 1 : 0);
            if (actions != 1 || !style || data > 64 || json_str(button, "text").len == 0 ||
                fields != known || (json_get(button, "callback_data") != NULL && data == 0)) {
                complain(check, "reply_markup: bad button %s", json_text(button, "text"));
            }
        }
    }
}

void fake_telegram_check_request(const struct fake_telegram_check *check, const char *method,
                                 const struct json_object *params)
{
    const struct method *m = find_method(method);
    ASSERT(m != NULL);
    check_table(check, m, params);
    if (check->spec != NULL) {
        check_spec(check, method, params);
    }
    if (strcmp(method, "setMyCommands") == 0) {
        check_commands(check, json_get(params, "commands"));
    }
    if (strcmp(method, "getUpdates") == 0) {
        check_updates(check, params);
    }
    if (strcmp(method, "sendChatAction") == 0) {
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(chat_actions); i++) {
            known = known || strcmp(json_text(params, "action"), chat_actions[i]) == 0;
        }
        if (!known) {
            complain(check, "sendChatAction: unknown action %s", json_text(params, "action"));
        }
    }
    if (json_is_object(json_get(params, "reply_markup"))) {
        fake_telegram_check_markup(check, json_get(params, "reply_markup"));
    }
}

/* ------------------------------------------------------------------------------- HTML ---- */

static const char *const tags[] = {"b",          "strong", "i",          "em",     "u",    "ins",
                                   "s",          "strike", "del",        "a",      "code", "pre",
                                   "blockquote", "span",   "tg-spoiler", "tg-time"};
#define DEPTH_MAX     16
#define PHONE_COLUMNS 34 /* of a fixed-width font; a wider line is hard to read */

/* Length of an entity such as "&lt;" at the front; 0: none that Telegram knows. */
static size_t entity(struct str s, char *ret)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (str_starts(s, known[i].name)) {
            *ret = known[i].c;
            return strlen(known[i].name);
        }
    }
    return 0;
}

/* Whether a line of a <pre> block is wider than a phone. `text` begins with the block. */
static bool is_too_wide(struct str text)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.len && columns <= PHONE_COLUMNS; i++) {
        bool starts = ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
        columns = text.ptr[i] == '\n' ? 0 : columns + starts;
    }
    return columns > PHONE_COLUMNS;
}

bool fake_telegram_check_html(struct str html, struct buf *out, const char **ret_why)
{
    const char *stack[DEPTH_MAX];
    size_t depth = 0, i = 0, pre_from = 0;
    while (i < html.len) {
        struct str rest = str_n(html.ptr + i, html.len - i);
        char c = html.ptr[i];
        if (c == '&') {
            char plain = 0;
            size_t len = entity(rest, &plain);
            if (len == 0) {
                *ret_why = "unknown entity"; /* stricter than Telegram, which shows it unchanged */
                return false;
            }
            buf_add_char(out, plain);
            i += len;
            continue;
        }
        if (c == '>') {
            *ret_why = "unescaped >";
            return false;
        }
        if (c != '<') {
            buf_add_char(out, c);
            i++;
            continue;
        }
        const char *end = memchr(rest.ptr, '>', rest.len);
        if (end == NULL) {
            *ret_why = "unclosed start tag";
            return false;
        }
        struct str tag = str_n(rest.ptr + 1, (size_t)(end - rest.ptr) - 1);
        i += tag.len + 2;
        if (tag.len > 0 && tag.ptr[0] == '/') {
            tag = str_n(tag.ptr + 1, tag.len - 1);
            if (depth == 0 || !str_equal_c(tag, stack[depth - 1])) {
                *ret_why = "unexpected end tag";
                return false;
            }
            depth--;
            if (strcmp(stack[depth], "pre") == 0 &&
                is_too_wide(str_n(out->data + pre_from, out->len - pre_from))) {
                *ret_why = "a line of <pre> is wider than a phone"; /* Telegram accepts it */
                return false;
            }
            continue;
        }
        struct str name = tag, ignored = tag;
        (void)str_split(&ignored, ' ', &name);
        const char *found = NULL;
        for (size_t t = 0; t < COUNT_OF(tags); t++) {
            found = str_equal_c(name, tags[t]) ? tags[t] : found;
        }
        if (found == NULL || depth == DEPTH_MAX) {
            *ret_why = "unsupported start tag";
            return false;
        }
        bool inside_pre = depth > 0 && (strcmp(stack[depth - 1], "pre") == 0 ||
                                        strcmp(stack[depth - 1], "code") == 0);
        if (inside_pre && !(strcmp(found, "code") == 0 && strcmp(stack[depth - 1], "pre") == 0)) {
            *ret_why = "markup inside pre or code";
            return false;
        }
        pre_from = strcmp(found, "pre") == 0 ? out->len : pre_from;
        stack[depth++] = found;
    }
    *ret_why = depth == 0 ? "" : "can't find end tag";
    return depth == 0;
}
