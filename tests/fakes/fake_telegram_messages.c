#include "base/check.h"
#include "fakes/fake_telegram_internal.h"
#include "form.h"

#include <stdlib.h>
#include <string.h>

struct json_object *fake_telegram_message_json(int64_t chat, int64_t message_id, const char *text)
{
    struct json_object *message = json_object_new_object();
    struct json_object *where = json_object_new_object();
    fake_telegram_add(where, "id", json_object_new_int64(chat));
    fake_telegram_add(where, "type", json_object_new_string(chat < 0 ? "supergroup" : "private"));
    fake_telegram_add(message, "message_id", json_object_new_int64(message_id));
    fake_telegram_add(message, "date",
                      json_object_new_int64(clock_wall_us(clock_real()) / USEC_PER_SEC));
    fake_telegram_add(message, "chat", where);
    fake_telegram_add(message, "text", json_object_new_string(text));
    return message;
}

static char *buttons_text(const struct json_object *markup)
{
    AUTO_BUF struct buf out = BUF_INIT((size_t)64 * 1024);
    const struct json_object *rows = json_get(markup, "inline_keyboard");
    for (size_t r = 0; r < json_len(rows); r++) {
        for (size_t i = 0; i < json_len(json_item(rows, r)); i++) {
            const struct json_object *b = json_item(json_item(rows, r), i);
            const char *data = json_get(b, "copy_text") != NULL
                                   ? json_text(json_get(b, "copy_text"), "text")
                               : json_get(b, "disabled") != NULL ? "(disabled)"
                                                                 : json_text(b, "callback_data");
            buf_addf(&out, "%s[%s|%s|%s]", out.len > 0 ? " " : "", json_text(b, "text"),
                     json_text(b, "style"), data);
        }
    }
    return fake_telegram_copy(out.data);
}

static struct fake_telegram_entry *record(struct fake_telegram *fake, const char *method,
                                          int64_t chat, const char *text,
                                          const struct json_object *markup)
{
    ASSERT(fake->sent_count < FAKE_TELEGRAM_SENT_MAX);
    struct fake_telegram_entry *s = &fake->sent[fake->sent_count++];
    (void)pthread_cond_broadcast(&fake->sent_more);
    *s = (struct fake_telegram_entry){.public = {.chat = chat},
                                      .date_s = clock_wall_us(clock_real()) / USEC_PER_SEC};
    (void)str_copy(str_c(method), s->public.method, sizeof(s->public.method));
    s->text = fake_telegram_copy(text);
    s->buttons = buttons_text(markup);
    s->seen = fake_telegram_copy("");
    s->public.text = s->text;
    s->public.buttons = s->buttons;
    return s;
}

struct fake_telegram_topic *fake_telegram_find_topic(struct fake_telegram *fake, int64_t chat,
                                                     int64_t thread)
{
    for (size_t i = 0; i < fake->topic_count; i++) {
        if (fake->topics[i].chat == chat && fake->topics[i].thread == thread) {
            return &fake->topics[i];
        }
    }
    return NULL;
}

/* NULL: a message to this topic is accepted. */
static const char *refuse_topic(struct fake_telegram *fake, int64_t chat, int64_t thread)
{
    const struct fake_telegram_topic *topic = fake_telegram_find_topic(fake, chat, thread);
    return thread == 0     ? NULL
           : topic == NULL ? "Bad Request: message thread not found"
                           : topic->refusal;
}

/* The entry with the current text of a message. */
struct fake_telegram_entry *fake_telegram_find_message(struct fake_telegram *fake, int64_t chat,
                                                       int64_t message_id)
{
    for (size_t i = fake->sent_count; i-- > 0;) {
        struct fake_telegram_entry *s = &fake->sent[i];
        if (s->public.accepted && s->public.chat == chat && s->public.message_id == message_id &&
            !s->replaced) {
            return s;
        }
    }
    return NULL;
}

/* Checks text and parse_mode; *seen gets the text that a person reads. NULL if it is valid. */
static const char *refuse_text(struct fake_telegram *fake, const struct json_object *params,
                               struct buf *seen)
{
    const char *mode = json_text(params, "parse_mode");
    struct str text = json_str(params, "text");
    const char *why = "";
    if (mode[0] != '\0' && strcmp(mode, "HTML") != 0) {
        fake_telegram_violate(fake, "parse_mode %s", mode);
    }
    if (memchr(text.ptr, '\0', text.len) != NULL) {
        fake_telegram_violate(fake, "NUL in a text");
    }
    if (strcmp(mode, "HTML") != 0) {
        buf_add_str(seen, text);
    } else if (!fake_telegram_check_html(text, seen, &why)) {
        fake_telegram_violate(fake, "HTML: %s in: %.*s", why,
                              (int)(text.len > 200 ? 200 : text.len), text.ptr);
        return "Bad Request: can't parse entities: see the violation";
    }
    size_t units = str_utf16_len(buf_str(seen));
    if (str_trim(buf_str(seen)).len == 0) {
        fake_telegram_violate(fake, "empty text");
        return "Bad Request: message text is empty";
    }
    if (units > 4096) {
        fake_telegram_violate(fake, "text of %zu units", units);
        return "Bad Request: message is too long";
    }
    return NULL;
}

struct fake_telegram_reply fake_telegram_accept_text(struct fake_telegram *fake, const char *method,
                                                     const struct json_object *params)
{
    bool edit = strcmp(method, "editMessageText") == 0;
    int64_t chat = json_i64(params, "chat_id", 0);
    int64_t message_id = json_i64(params, "message_id", 0);
    const struct json_object *markup = json_get(params, "reply_markup");
    AUTO_BUF struct buf seen = BUF_INIT((size_t)1 << 20);
    struct fake_telegram_entry *old =
        edit ? fake_telegram_find_message(fake, chat, message_id) : NULL;
    struct fake_telegram_entry *s = record(fake, method, chat, json_text(params, "text"), markup);
    const char *refused = refuse_text(fake, params, &seen);
    s->public.html = strcmp(json_text(params, "parse_mode"), "HTML") == 0;
    s->public.is_protected = json_truth(params, "protect_content", false);
    s->public.thread = json_i64(params, "message_thread_id", 0);
    refused = refused != NULL ? refused : refuse_topic(fake, chat, s->public.thread);
    if (refused != NULL) {
        return fake_telegram_failed(400, refused, 0, 0);
    }
    if (edit && old == NULL) {
        return fake_telegram_failed(400, "Bad Request: message to edit not found", 0, 0);
    }
    if (edit && strcmp(old->seen, seen.data) == 0 && strcmp(old->buttons, s->buttons) == 0) {
        return fake_telegram_failed(
            400,
            "Bad Request: message is not modified: specified new message content and reply "
            "markup are exactly the same as a current content and reply markup of the "
            "message",
            0, 0);
    }
    free(s->seen);
    s->seen = fake_telegram_copy(seen.data);
    s->public.accepted = true;
    s->public.message_id = edit ? message_id : fake->next_message++;
    s->markup = json_object_get((struct json_object *)(uintptr_t)markup);
    if (old != NULL) {
        old->replaced = true;
    }
    return fake_telegram_success(fake_telegram_message_json(chat, s->public.message_id, seen.data));
}

struct fake_telegram_reply fake_telegram_accept_draft(struct fake_telegram *fake,
                                                      const char *method,
                                                      const struct json_object *params)
{
    int64_t chat = json_i64(params, "chat_id", 0);
    struct str text = json_str(params, "text");
    struct fake_telegram_entry *s = record(fake, method, chat, text.ptr, NULL);
    if (chat <= 0) {
        return fake_telegram_failed(400, "Bad Request: TEXTDRAFT_PEER_INVALID", 0, 0);
    }
    if (json_i64(params, "draft_id", 0) == 0) {
        fake_telegram_violate(fake, "sendMessageDraft: draft_id is 0");
    }
    if (str_utf16_len(text) > 4096) {
        fake_telegram_violate(fake, "sendMessageDraft: the text is too long");
    }
    s->public.accepted = true;
    return fake_telegram_success(json_object_new_boolean(true));
}

static bool is_png(struct str bytes)
{
    return str_starts(bytes, "\x89PNG\r\n");
}

/* sendDocument and sendPhoto; field: of the file. */
struct fake_telegram_reply fake_telegram_accept_file(struct fake_telegram *fake, const char *method,
                                                     const char *field,
                                                     const struct web_request *request,
                                                     const struct json_object *params)
{
    int64_t chat = 0;
    AUTO_JSON struct json_object *markup = NULL;
    struct str keyboard = json_str(params, "reply_markup");
    struct str bytes = json_str(params, field);
    const struct fake_telegram_check check = {.complain = fake_telegram_complain, .userdata = fake};
    static const char *const truths[] = {"protect_content", "disable_notification"};
    if (!str_to_i64(json_str(params, "chat_id"), &chat)) {
        fake_telegram_violate(fake, "%s: chat_id", method);
    }
    if (form_filename(request, field).len == 0) {
        fake_telegram_violate(fake, "%s: no file name", method);
    }
    if (str_utf16_len(json_str(params, "caption")) > 1024) {
        fake_telegram_violate(fake, "%s: caption too long", method);
    }
    for (size_t i = 0; i < COUNT_OF(truths); i++) {
        struct str value = json_str(params, truths[i]);
        if (value.len > 0 && !str_equal_c(value, "true") && !str_equal_c(value, "false")) {
            fake_telegram_violate(fake, "%s: %s is no boolean", method, truths[i]);
        }
    }
    if (keyboard.len > 0) {
        if (json_parse(keyboard, &JSON_LIMITS_DEFAULT, &markup, NULL) < 0) {
            fake_telegram_violate(fake, "%s: reply_markup is not JSON", method);
        }
        fake_telegram_check_markup(&check, markup);
    }
    bool photo = strcmp(method, "sendPhoto") == 0;
    struct fake_telegram_entry *s =
        record(fake, method, chat, photo ? json_text(params, "caption") : bytes.ptr, markup);
    (void)str_to_i64(json_str(params, "message_thread_id"), &s->public.thread);
    const char *refused = refuse_topic(fake, chat, s->public.thread);
    if (refused != NULL) {
        return fake_telegram_failed(400, refused, 0, 0);
    }
    if (photo && !is_png(bytes)) {
        return fake_telegram_failed(400, "Bad Request: IMAGE_PROCESS_FAILED", 0, 0);
    }
    s->public.accepted = true;
    s->public.is_protected = str_equal_c(json_str(params, "protect_content"), "true");
    s->public.message_id = fake->next_message++;
    s->markup = json_object_get(markup);
    return fake_telegram_success(
        fake_telegram_message_json(chat, s->public.message_id, json_text(params, "caption")));
}

/* deleteMessage, pinChatMessage and unpinChatMessage: of a message of the bot that exists. */
struct fake_telegram_reply fake_telegram_accept_about(struct fake_telegram *fake,
                                                      const char *method,
                                                      const struct json_object *params)
{
    int64_t chat = json_i64(params, "chat_id", 0);
    int64_t id = json_i64(params, "message_id", 0);
    struct fake_telegram_entry *about = fake_telegram_find_message(fake, chat, id);
    bool deletes = strcmp(method, "deleteMessage") == 0;
    struct fake_telegram_entry *s =
        record(fake, method, chat, about == NULL ? "" : about->public.text, NULL);
    if (about == NULL) {
        return fake_telegram_failed(400,
                                    deletes ? "Bad Request: message to delete not found"
                                            : "Bad Request: message to pin not found",
                                    0, 0);
    }
    s->public.accepted = true;
    about->replaced = about->replaced || deletes;
    return fake_telegram_success(json_object_new_boolean(true));
}
