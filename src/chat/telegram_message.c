#include "telegram_message.h"

#include "base/check.h"
#include "io/json_out.h"
#include "store/attachment.h"

#include <string.h>

#define SEND_TIMEOUT_MS   INT64_C(20000)
#define UPLOAD_TIMEOUT_MS INT64_C(120000)
#define CALLBACK_DATA_MAX 64
#define COPY_TEXT_MAX     256
#define BUTTON_TEXT_MAX   64
#define CAPTION_MAX_BYTES 1000

/* Length of the longest prefix of at most max bytes that ends between characters. */
static size_t cut_utf8(struct str text, size_t max)
{
    size_t i = 0;
    while (i < text.len) {
        size_t size = str_utf8_size(str_n(text.ptr + i, text.len - i));
        if (size == 0 || i + size > max) {
            break;
        }
        i += size;
    }
    return i;
}

/* Opens a button. */
static void add_label(struct json_out *out, const char *label)
{
    AUTO_BUF struct buf text = BUF_INIT(BUTTON_TEXT_MAX * 3);
    render_clean(str_n(label, cut_utf8(str_c(label), BUTTON_TEXT_MAX)), false, &text);
    json_out_object(out, NULL);
    json_out_text(out, "text", text.len > 0 ? text.data : "…");
}

static void add_button(struct json_out *out, const struct reply_button *button, bool plain)
{
    add_label(out, button->text);
    if (strlen(button->command) <= CALLBACK_DATA_MAX) {
        json_out_text(out, "callback_data", button->command);
    } else {
        /* Too long for callback data: the user copies and pastes it. */
        json_out_object(out, "copy_text");
        json_out_text(out, "text", button->command);
        json_out_end(out);
    }
    switch (plain ? BUTTON_PLAIN : button->style) {
    case BUTTON_PLAIN:
        break;
    case BUTTON_PRIMARY:
        json_out_text(out, "style", "primary");
        break;
    case BUTTON_DANGER:
        json_out_text(out, "style", "danger");
        break;
    }
    json_out_end(out);
}

struct keys {
    struct json_out *out;
    const char *key;  /* of the keyboard */
    bool has_rows;    /* the keyboard is open */
    bool has_buttons; /* the row is open */
    bool plain;       /* without styles */
};

/* Opens keyboard and row with the first button, so that neither is ever empty. */
static void open_row(struct keys *keys)
{
    if (!keys->has_rows) {
        json_out_object(keys->out, keys->key);
        json_out_array(keys->out, "inline_keyboard");
    }
    if (!keys->has_buttons) {
        json_out_array(keys->out, NULL);
    }
    keys->has_rows = true;
    keys->has_buttons = true;
}

static void add_key(struct keys *keys, const struct reply_button *button)
{
    size_t len = strlen(button->command);
    if (len > 0 && len <= COPY_TEXT_MAX) {
        open_row(keys);
        add_button(keys->out, button, keys->plain);
    }
}

static void end_row(struct keys *keys)
{
    if (keys->has_buttons) {
        json_out_end(keys->out);
    }
    keys->has_buttons = false;
}

/* The choice that was made takes the place of the buttons at which it was made. */
static void add_choice(struct keys *keys, const char *choice)
{
    open_row(keys);
    add_label(keys->out, choice);
    json_out_object(keys->out, "disabled"); /* Bot API 10.3 */
    json_out_end(keys->out);
    json_out_end(keys->out);
    end_row(keys);
}

/* The last row has the buttons for the pages before and after. Adds nothing if there are none. */
static void add_keyboard(struct json_out *out, const char *key, const struct delivery *d)
{
    const struct reply *reply = d->reply;
    static const char *const names[] = {"◀ Previous", "Next ▶"};
    struct keys keys = {.out = out, .key = key, .plain = d->plain_buttons};
    if (telegram_message_shows_choice(d)) {
        add_choice(&keys, reply_get_choice(reply));
    }
    for (size_t row = 0; row < reply_button_rows(reply); row++) {
        for (size_t i = 0; i < reply_button_count(reply, row); i++) {
            struct reply_button button = reply_get_button(reply, row, i);
            add_key(&keys, &button);
        }
        end_row(&keys);
    }
    for (int next = 0; next <= 1; next++) {
        add_key(&keys, &(struct reply_button){.text = names[next],
                                              .command = reply_get_page(reply, next == 1)});
    }
    end_row(&keys);
    if (keys.has_rows) {
        json_out_end(out);
        json_out_end(out);
    }
}

bool telegram_message_shows_choice(const struct delivery *d)
{
    return !d->no_disabled && reply_get_choice(d->reply)[0] != '\0';
}

/* Removes our own markup: drops tags, decodes the four entities. */
static void strip_markup(struct str html, struct buf *out)
{
    static const struct {
        const char *entity;
        char c;
    } entities[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&amp;", '&'}};
    bool in_tag = false;
    for (size_t i = 0; i < html.len; i++) {
        char c = html.ptr[i];
        if (c == '<' || in_tag) {
            in_tag = c != '>';
            continue;
        }
        for (size_t e = 0; c == '&' && e < COUNT_OF(entities); e++) {
            if (str_starts(str_n(html.ptr + i, html.len - i), entities[e].entity)) {
                c = entities[e].c;
                i += strlen(entities[e].entity) - 1;
                break;
            }
        }
        buf_add_char(out, c);
    }
}

static void add_topic(struct json_out *out, const struct delivery *d)
{
    if (d->thread_id != 0) {
        json_out_i64(out, "message_thread_id", d->thread_id);
    }
}

static void send_text(struct delivery *d, bool last, telegram_api_fn on_sent)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 * 1024);
    struct str html = buf_str(&d->parts.part[d->part]);
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    bool edit = d->edit && d->part == 0;
    if (d->form == FORM_HTML) {
        buf_add_c(&text, d->repeated && d->part == 0 ? TELEGRAM_REPEATED_HTML : "");
        buf_add_str(&text, html);
        json_out_text(&out, "parse_mode", "HTML");
    } else {
        buf_add_c(&text, d->repeated && d->part == 0 ? TELEGRAM_REPEATED_TEXT : "");
        strip_markup(html, &text);
    }
    json_out_i64(&out, "chat_id", d->chat_id);
    json_out_text(&out, "text", text.data);
    json_out_object(&out, "link_preview_options");
    json_out_bool(&out, "is_disabled", true);
    json_out_end(&out);
    if (last && d->form == FORM_HTML) {
        add_keyboard(&out, "reply_markup", d);
    }
    if (edit) {
        json_out_i64(&out, "message_id", d->row.edit_message_id);
    } else {
        add_topic(&out, d);
        if (reply_is_protected(d->reply)) {
            json_out_bool(&out, "protect_content", true);
        }
        if (d->row.priority == OUTBOX_INFO) {
            json_out_bool(&out, "disable_notification", true);
        }
    }
    d->call = telegram_api_call(
        d->send_api,
        &(struct telegram_request){.method = edit ? "editMessageText" : "sendMessage",
                                   .params = params,
                                   .timeout_ms = SEND_TIMEOUT_MS},
        on_sent, d);
}

/* A multipart form; the buffers live until it is sent. */
struct form_data {
    struct http_part parts[9];
    size_t count;
    struct buf chat;
    struct buf topic;
    struct buf caption;
    struct buf markup;
    struct buf path;
};

static void form_init(struct form_data *form, const struct delivery *d)
{
    *form = (struct form_data){.chat = BUF_INIT(32),
                               .topic = BUF_INIT(32),
                               .caption = BUF_INIT(CAPTION_MAX_BYTES * 4),
                               .markup = BUF_INIT((size_t)64 * 1024),
                               .path = BUF_INIT(8192)};
    buf_addf(&form->chat, "%lld", (long long)d->chat_id);
    form->parts[form->count++] =
        (struct http_part){.name = "chat_id", .body = buf_str(&form->chat)};
    if (d->thread_id != 0) {
        buf_addf(&form->topic, "%lld", (long long)d->thread_id);
        form->parts[form->count++] =
            (struct http_part){.name = "message_thread_id", .body = buf_str(&form->topic)};
    }
    if (reply_is_protected(d->reply)) {
        form->parts[form->count++] =
            (struct http_part){.name = "protect_content", .body = STR_LIT("true")};
    }
    if (d->row.priority == OUTBOX_INFO) {
        form->parts[form->count++] =
            (struct http_part){.name = "disable_notification", .body = STR_LIT("true")};
    }
}

static void form_caption(struct form_data *form, const struct delivery *d, const char *text)
{
    struct str words = str_c(text);
    buf_add_c(&form->caption, d->repeated ? TELEGRAM_REPEATED_TEXT : "");
    render_clean(str_n(words.ptr, cut_utf8(words, CAPTION_MAX_BYTES / 4)), true, &form->caption);
    if (form->caption.len > 0) {
        form->parts[form->count++] =
            (struct http_part){.name = "caption", .body = buf_str(&form->caption)};
    }
}

static void form_send(struct form_data *form, struct delivery *d, const char *method,
                      telegram_api_fn on_sent)
{
    ASSERT(form->count <= COUNT_OF(form->parts));
    d->call = telegram_api_call(d->send_api,
                                &(struct telegram_request){.method = method,
                                                           .parts = form->parts,
                                                           .part_count = form->count,
                                                           .timeout_ms = UPLOAD_TIMEOUT_MS},
                                on_sent, d);
    buf_release(&form->chat);
    buf_release(&form->topic);
    buf_release(&form->caption);
    buf_release(&form->markup);
    buf_release(&form->path);
}

static void send_document(struct delivery *d, telegram_api_fn on_sent)
{
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    struct form_data form;
    render_text(d->reply, &(struct render_text_options){0}, &text);
    form_init(&form, d);
    form.parts[form.count++] = (struct http_part){.name = "document",
                                                  .filename = "reply.txt",
                                                  .content_type = "text/plain; charset=utf-8",
                                                  .body = buf_str(&text)};
    form_caption(&form, d, reply_get_title(d->reply));
    struct json_out markup = JSON_OUT(&form.markup);
    if (d->form == FORM_HTML) {
        add_keyboard(&markup, NULL, d);
    }
    if (form.markup.len > 0) {
        form.parts[form.count++] =
            (struct http_part){.name = "reply_markup", .body = buf_str(&form.markup)};
    }
    form_send(&form, d, "sendDocument", on_sent);
}

/* ----------------------------------------------------------------- files, pins, chat actions ----
 */

/* The only attachment of the reply; NULL if it has none. */
static const struct reply_file *file_of(const struct reply *reply)
{
    for (size_t i = 0; i < reply_block_count(reply); i++) {
        struct reply_block block = reply_get_block(reply, i);
        if (block.file != NULL) {
            return block.file;
        }
    }
    return NULL;
}

/* From memory: no file holds the picture. */
static void send_concealed(struct delivery *d, telegram_api_fn on_sent)
{
    struct form_data form;
    form_init(&form, d);
    form.parts[form.count++] = (struct http_part){.name = d->plain_file ? "document" : "photo",
                                                  .filename = "code.png",
                                                  .content_type = "image/png",
                                                  .body = reply_concealed_png(d->reply)};
    form_send(&form, d, d->plain_file ? "sendDocument" : "sendPhoto", on_sent);
}

static int send_file(struct delivery *d, telegram_api_fn on_sent, struct err *err)
{
    const struct reply_file *file = file_of(d->reply);
    bool photo = d->row.kind == OUTBOX_PHOTO && !d->plain_file;
    struct form_data form;
    int64_t size = 0;
    if (reply_concealed_png(d->reply).len > 0) {
        send_concealed(d, on_sent);
        return 0;
    }
    if (file == NULL) {
        return err_set(err, ERR_OUTBOX_PAYLOAD, "outbox %lld: no attachment", (long long)d->row.id);
    }
    form_init(&form, d);
    int rc = attachment_path(d->attachments, file->id, &form.path, &size, err);
    if (rc == 0 && size > (photo ? ATTACHMENT_IMAGE_MAX : ATTACHMENT_DOCUMENT_MAX)) {
        rc = err_set(err, ERR_ATTACHMENT_TOO_LARGE, "%s: %lld bytes", file->name, (long long)size);
    }
    if (rc < 0) {
        buf_release(&form.chat);
        buf_release(&form.topic);
        buf_release(&form.path);
        return rc;
    }
    form.parts[form.count++] = (struct http_part){.name = photo ? "photo" : "document",
                                                  .filename = file->name,
                                                  .content_type = file->media_type,
                                                  .path = form.path.data};
    form_caption(&form, d, file->caption);
    form_send(&form, d, photo ? "sendPhoto" : "sendDocument", on_sent);
    return 0;
}

static void call_json(struct delivery *d, const char *method, struct json_object *params,
                      telegram_api_fn on_sent)
{
    struct json_out out = JSON_OUT_TREE(params);
    json_out_i64(&out, "chat_id", d->chat_id);
    d->call =
        telegram_api_call(d->send_api,
                          &(struct telegram_request){
                              .method = method, .params = params, .timeout_ms = SEND_TIMEOUT_MS},
                          on_sent, d);
}

static int send_about(struct delivery *d, const char *method, telegram_api_fn on_sent,
                      struct err *err)
{
    if (d->row.edit_message_id == 0 || d->chat_id != d->row.chat_id) {
        return err_set(err, ERR_TELEGRAM_REFUSED, "%s: message %lld was not delivered", method,
                       (long long)d->row.edit_of);
    }
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    json_out_i64(&out, "message_id", d->row.edit_message_id);
    if (d->row.kind == OUTBOX_PIN) {
        json_out_bool(&out, "disable_notification", true);
    }
    call_json(d, method, params, on_sent);
    return 0;
}

static void send_action(struct delivery *d, telegram_api_fn on_sent)
{
    struct json_object *params = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(params);
    json_out_text(&out, "action", "typing");
    add_topic(&out, d);
    call_json(d, "sendChatAction", params, on_sent);
}

bool telegram_message_is_text(const struct delivery *d)
{
    return d->row.kind == OUTBOX_SEND || d->row.kind == OUTBOX_EDIT ||
           d->row.kind == OUTBOX_ANSWER || d->row.kind == OUTBOX_REFRESH;
}

bool telegram_message_has_reply(const struct delivery *d)
{
    return telegram_message_is_text(d) || d->row.kind == OUTBOX_PHOTO ||
           d->row.kind == OUTBOX_DOCUMENT;
}

int telegram_message_send(struct delivery *d, telegram_api_fn on_sent, struct err *err)
{
    switch (d->row.kind) {
    case OUTBOX_SEND:
    case OUTBOX_EDIT:
    case OUTBOX_REFRESH:
    case OUTBOX_ANSWER:
        if (d->part < d->parts.count) {
            bool last = d->part + 1 == d->parts.count || d->row.kind == OUTBOX_REFRESH;
            send_text(d, last && !d->document, on_sent);
        } else {
            send_document(d, on_sent);
        }
        return 0;
    case OUTBOX_PHOTO:
    case OUTBOX_DOCUMENT:
        return send_file(d, on_sent, err);
    case OUTBOX_DELETE:
        return send_about(d, "deleteMessage", on_sent, err);
    case OUTBOX_PIN:
        return send_about(d, "pinChatMessage", on_sent, err);
    case OUTBOX_UNPIN:
        return send_about(d, "unpinChatMessage", on_sent, err);
    case OUTBOX_ACTION:
        send_action(d, on_sent);
        return 0;
    }
    return 0;
}

void telegram_message_become_error(struct delivery *d, const struct err *why)
{
    struct reply *reply = reply_new();
    reply_error(reply, why);
    if (reply_is_protected(d->reply)) {
        reply_protect(reply);
    }
    reply_free(d->reply);
    d->reply = reply;
    d->row.kind = OUTBOX_SEND;
    render_html(d->reply, &d->parts);
}

void telegram_message_become_document(struct delivery *d)
{
    render_parts_release(&d->parts);
    d->document = true;
    d->part = 0;
    if (d->edit) {
        /* A text message cannot be edited into a file, so it points to the file that follows. */
        struct reply *notice = reply_new();
        const char *title = reply_get_title(d->reply);
        if (title[0] != '\0') {
            reply_title(notice, reply_get_tone(d->reply), "%.*s", (int)cut_utf8(str_c(title), 256),
                        title);
        }
        reply_line(notice, "The full text follows as a file.");
        render_html(notice, &d->parts);
        reply_free(notice);
    }
}
