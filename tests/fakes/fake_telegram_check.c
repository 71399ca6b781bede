#include "fakes/fake_telegram_check.h"

#include "base/check.h"
#include "fakes/bot_api.h"

#include <string.h>

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

/* Telegram refuses what its description allows: a name of a chat begins with @, an edit without a
 * text, and a bot's edit without its message. */
static void check_meaning(const struct fake_telegram_check *check, const char *method,
                          const struct json_object *params)
{
    const struct json_object *chat = json_get(params, "chat_id");
    struct str name = json_value_str(chat);
    if (json_object_is_type(chat, json_type_string) && (name.len < 2 || name.ptr[0] != '@') &&
        !check->multipart) {
        complain(check, "%s: chat_id %.*s is no name", method, STR_ARG(name));
    }
    static const char *const of_edits[] = {"chat_id", "message_id"};
    for (size_t i = 0; strncmp(method, "edit", 4) == 0 && i < COUNT_OF(of_edits); i++) {
        if (json_get(params, of_edits[i]) == NULL) {
            complain(check, "%s: field %s is missing", method, of_edits[i]);
        }
    }
    if (strcmp(method, "editMessageText") == 0 && json_get(params, "text") == NULL) {
        complain(check, "%s: field text is missing", method);
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

/* The description does not say which type goes with which fields. Telegram opens only https. */
static void check_button(const struct fake_telegram_check *check, const struct json_object *params)
{
    const struct json_object *button = json_get(params, "menu_button");
    const struct json_object *app = json_get(button, "web_app");
    struct str type = json_str(button, "type");
    bool opens = str_equal_c(type, "web_app");
    if (json_i64(params, "chat_id", 1) <= 0) {
        complain(check, "setChatMenuButton: a group has no button");
    }
    if (!opens && !str_equal_c(type, "default") && !str_equal_c(type, "commands")) {
        complain(check, "setChatMenuButton: unknown type %.*s", STR_ARG(type));
    }
    if (opens != (app != NULL) || (opens && (json_str(button, "text").len == 0 ||
                                             !str_starts(json_str(app, "url"), "https://")))) {
        complain(check, "setChatMenuButton: bad button %.*s", STR_ARG(json_str(app, "url")));
    }
}

void fake_telegram_check_request(const struct fake_telegram_check *check, const char *method,
                                 const struct json_object *params)
{
    char field[BOT_API_FIELD_SIZE];
    const char *fault = bot_api_fault(method, params, check->multipart, field);
    if (fault != NULL) {
        complain(check, "%s: field %s %s", method, field, fault);
    }
    check_meaning(check, method, params);
    if (strcmp(method, "sendMessage") == 0 || strcmp(method, "editMessageText") == 0) {
        const struct json_object *preview = json_get(params, "link_preview_options");
        if (!json_truth(preview, "is_disabled", false)) {
            complain(check, "%s: Telegram would fetch a link for its preview", method);
        }
    }
    if (strcmp(method, "setMyCommands") == 0) {
        check_commands(check, json_get(params, "commands"));
    }
    if (strcmp(method, "setChatMenuButton") == 0) {
        check_button(check, params);
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

/* tg-time unix="1647531900" format="dt" */
static bool is_time(struct str tag)
{
    long long unix_s = 0;
    char format[8] = "", after = 0;
    char text[96];
    return str_copy(tag, text, sizeof(text)) &&
           sscanf(text, "tg-time unix=\"%lld\" format=\"%7[rwdDtT]\"%c", &unix_s, format, &after) ==
               2 &&
           unix_s > 0 && strlen(format) <= 3;
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
        if (strcmp(found, "tg-time") == 0 && !is_time(tag)) {
            *ret_why = "bad attributes of tg-time";
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
