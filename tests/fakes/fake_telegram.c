#include "fakes/fake_telegram.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "fakes/bot_api.h"
#include "fakes/fake_telegram_check.h"
#include "fakes/fake_telegram_menu.h"
#include "io/file.h"
#include "io/json.h"
#include "io/web.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UPDATES_MAX   2048
#define SENT_MAX      4096
#define FAILURES_MAX  64
#define TOPICS_MAX    8
#define WAITS_MAX     64
#define BODY_MAX      ((size_t)32 << 20)
#define LARGE_BYTES   ((size_t)20 << 20)
#define FIRST_UPDATE  INT64_C(880000001)
#define FIRST_MESSAGE INT64_C(101)
#define OLD_DATE_S    INT64_C(1700000000) /* of message 1 */
#define SPIN_POLLS    12                  /* empty polls of one second that were not held */

struct sent {
    struct fake_telegram_sent public;
    char *text;
    char *buttons;
    struct json_object *markup; /* current keyboard of the message; NULL: none */
    char *seen;                 /* text as a person reads it */
    bool replaced;              /* a later edit has the current text */
    int64_t date_s;
};

struct wait { /* no call of this method for this chat is allowed before this time */
    char method[32];
    int64_t chat;
    int64_t until_us;
};

/* A topic of a forum. */
struct topic {
    int64_t chat;
    int64_t thread;
    const char *refusal; /* NULL: it is open */
};

struct fake_telegram {
    struct topic topics[TOPICS_MAX];
    size_t topic_count;
    struct web *web;
    pthread_t ticker; /* ends long polls and slow answers */
    pthread_cond_t wake;
    pthread_mutex_t lock; /* protects everything below */
    bool stopping;

    struct json_object *updates[UPDATES_MAX];
    size_t update_count;
    int64_t next_update;
    int64_t next_message;
    int64_t next_press;

    struct web_request *poll; /* the open long poll */
    int64_t poll_until_us;
    int64_t poll_limit;
    int64_t second_us; /* start of the second in which empty polls are counted */
    int quick;

    struct web_request *slow; /* one slow answer at a time */
    char *slow_body;
    int slow_status;
    int64_t slow_until_us;

    struct sent *sent;
    size_t sent_count;
    struct fake_telegram_failure failures[FAILURES_MAX];
    size_t failure_count;
    struct wait waits[WAITS_MAX];
    size_t wait_count;
    struct {
        char method[32];
        size_t calls;
    } calls[32];
    char *webhook;
    struct fake_menus menus;
    struct buf violations;
    char *violations_copy;
};

static int64_t now_us(void)
{
    return clock_mono_us(clock_real());
}

__attribute__((format(printf, 2, 3))) static void violate(struct fake_telegram *fake,
                                                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_addv(&fake->violations, format, args);
    va_end(args);
    buf_add_char(&fake->violations, '\n');
}

static void complain(const char *text, void *userdata)
{
    violate(userdata, "%s", text);
}

static char *copy(const char *text)
{
    char *bytes = strdup(text == NULL ? "" : text);
    ASSERT(bytes != NULL);
    return bytes;
}

static void add(struct json_object *object, const char *key, struct json_object *value)
{
    ASSERT(json_object_object_add(object, key, value) == 0);
}

/* ------------------------------------------------------------------------------- answers ---- */

struct answer {
    int status;
    char *body;
    int64_t retry_after_s;
};

static char *text_of(struct json_object *consumed)
{
    AUTO_BUF struct buf text = BUF_INIT(BODY_MAX);
    json_add_text(&text, consumed);
    (void)json_object_put(consumed);
    return buf_detach(&text);
}

static struct answer success(struct json_object *result)
{
    struct json_object *o = json_object_new_object();
    add(o, "ok", json_object_new_boolean(true));
    add(o, "result", result);
    return (struct answer){.status = 200, .body = text_of(o)};
}

static struct answer failure(int code, const char *description, int64_t retry_after_s,
                             int64_t migrate_to)
{
    struct json_object *o = json_object_new_object();
    add(o, "ok", json_object_new_boolean(false));
    add(o, "error_code", json_object_new_int(code));
    add(o, "description", json_object_new_string(description));
    if (retry_after_s > 0 || migrate_to != 0) {
        struct json_object *parameters = json_object_new_object();
        if (retry_after_s > 0) {
            add(parameters, "retry_after", json_object_new_int64(retry_after_s));
        }
        if (migrate_to != 0) {
            add(parameters, "migrate_to_chat_id", json_object_new_int64(migrate_to));
        }
        add(o, "parameters", parameters);
    }
    return (struct answer){.status = code, .body = text_of(o), .retry_after_s = retry_after_s};
}

static void send_answer(struct web_request *request, const struct answer *answer, const char *type)
{
    char retry[64];
    const char *headers[] = {NULL, NULL};
    if (answer->retry_after_s > 0) {
        (void)snprintf(retry, sizeof(retry), "Retry-After: %lld", (long long)answer->retry_after_s);
        headers[0] = retry;
    }
    web_answer(request, &(struct web_answer){.status = answer->status,
                                             .content_type = type,
                                             .headers = headers,
                                             .body = str_c(answer->body)});
}

static void send_json(struct web_request *request, struct answer answer)
{
    send_answer(request, &answer, "application/json");
    free(answer.body);
}

/* Closes the connection of this request, as a crash of the server would. */
static void cut_connection(struct fake_telegram *fake, struct web_request *request)
{
    const char *colon = strrchr(web_remote(request).ptr, ':');
    int64_t port = 0;
    if (colon == NULL || !str_to_i64(str_c(colon + 1), &port)) {
        return;
    }
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in peer = {0}, own = {0};
        socklen_t peer_len = sizeof(peer), own_len = sizeof(own);
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port && ntohs(own.sin_port) == web_port(fake->web)) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
}

/* ------------------------------------------------------------------------------- updates ---- */

static struct json_object *updates_list(const struct fake_telegram *fake, int64_t limit)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < fake->update_count && i < (size_t)limit; i++) {
        (void)json_object_array_add(list, json_object_get(fake->updates[i]));
    }
    return list;
}

static void end_poll(struct fake_telegram *fake)
{
    if (fake->poll != NULL) {
        struct web_request *request = fake->poll;
        fake->poll = NULL;
        send_json(request, success(updates_list(fake, fake->poll_limit)));
    }
}

static void confirm(struct fake_telegram *fake, int64_t offset)
{
    size_t kept = 0;
    for (size_t i = 0; i < fake->update_count; i++) {
        if (json_i64(fake->updates[i], "update_id", 0) < offset) {
            (void)json_object_put(fake->updates[i]);
        } else {
            fake->updates[kept++] = fake->updates[i];
        }
    }
    fake->update_count = kept;
}

/* Detects a poller that polls again at once although there was no update. */
static void check_spin(struct fake_telegram *fake)
{
    int64_t now = now_us();
    if (now - fake->second_us > USEC_PER_SEC) {
        fake->second_us = now;
        fake->quick = 0;
    }
    if (++fake->quick == SPIN_POLLS) {
        violate(fake, "getUpdates: %d empty polls within a second", SPIN_POLLS);
    }
}

static void get_updates(struct fake_telegram *fake, struct web_request *request,
                        const struct json_object *params, bool at_once)
{
    if (fake->poll != NULL) {
        struct web_request *older = fake->poll;
        fake->poll = NULL;
        send_json(older, failure(409,
                                 "Conflict: terminated by other getUpdates request; make sure that "
                                 "only one bot instance is running",
                                 0, 0));
    }
    confirm(fake, json_i64(params, "offset", 0));
    fake->poll_limit = json_i64(params, "limit", 100);
    if (fake->update_count > 0 && !at_once) {
        send_json(request, success(updates_list(fake, fake->poll_limit)));
    } else if (at_once) {
        check_spin(fake);
        send_json(request, success(json_object_new_array()));
    } else {
        fake->poll = request;
        fake->poll_until_us = now_us() + json_i64(params, "timeout", 0) * USEC_PER_SEC;
        (void)pthread_cond_signal(&fake->wake);
    }
}

/* ------------------------------------------------------------------------------ messages ---- */

static struct json_object *message_json(int64_t chat, int64_t message_id, const char *text)
{
    struct json_object *message = json_object_new_object();
    struct json_object *where = json_object_new_object();
    add(where, "id", json_object_new_int64(chat));
    add(where, "type", json_object_new_string(chat < 0 ? "supergroup" : "private"));
    add(message, "message_id", json_object_new_int64(message_id));
    add(message, "date", json_object_new_int64(clock_wall_us(clock_real()) / USEC_PER_SEC));
    add(message, "chat", where);
    add(message, "text", json_object_new_string(text));
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
    return copy(out.data);
}

static struct sent *record(struct fake_telegram *fake, const char *method, int64_t chat,
                           const char *text, const struct json_object *markup)
{
    ASSERT(fake->sent_count < SENT_MAX);
    struct sent *s = &fake->sent[fake->sent_count++];
    *s = (struct sent){.public = {.chat = chat},
                       .date_s = clock_wall_us(clock_real()) / USEC_PER_SEC};
    (void)str_copy(str_c(method), s->public.method, sizeof(s->public.method));
    s->text = copy(text);
    s->buttons = buttons_text(markup);
    s->seen = copy("");
    s->public.text = s->text;
    s->public.buttons = s->buttons;
    return s;
}

static struct topic *find_topic(struct fake_telegram *fake, int64_t chat, int64_t thread)
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
    const struct topic *topic = find_topic(fake, chat, thread);
    return thread == 0     ? NULL
           : topic == NULL ? "Bad Request: message thread not found"
                           : topic->refusal;
}

/* The entry with the current text of a message. */
static struct sent *find_message(struct fake_telegram *fake, int64_t chat, int64_t message_id)
{
    for (size_t i = fake->sent_count; i-- > 0;) {
        struct sent *s = &fake->sent[i];
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
        violate(fake, "parse_mode %s", mode);
    }
    if (memchr(text.ptr, '\0', text.len) != NULL) {
        violate(fake, "NUL in a text");
    }
    if (strcmp(mode, "HTML") != 0) {
        buf_add_str(seen, text);
    } else if (!fake_telegram_check_html(text, seen, &why)) {
        violate(fake, "HTML: %s in: %.*s", why, (int)(text.len > 200 ? 200 : text.len), text.ptr);
        return "Bad Request: can't parse entities: see the violation";
    }
    size_t units = str_utf16_len(buf_str(seen));
    if (str_trim(buf_str(seen)).len == 0) {
        violate(fake, "empty text");
        return "Bad Request: message text is empty";
    }
    if (units > 4096) {
        violate(fake, "text of %zu units", units);
        return "Bad Request: message is too long";
    }
    return NULL;
}

static struct answer accept_text(struct fake_telegram *fake, const char *method,
                                 const struct json_object *params)
{
    bool edit = strcmp(method, "editMessageText") == 0;
    int64_t chat = json_i64(params, "chat_id", 0);
    int64_t message_id = json_i64(params, "message_id", 0);
    const struct json_object *markup = json_get(params, "reply_markup");
    AUTO_BUF struct buf seen = BUF_INIT((size_t)1 << 20);
    struct sent *old = edit ? find_message(fake, chat, message_id) : NULL;
    struct sent *s = record(fake, method, chat, json_text(params, "text"), markup);
    const char *refused = refuse_text(fake, params, &seen);
    s->public.html = strcmp(json_text(params, "parse_mode"), "HTML") == 0;
    s->public.is_protected = json_truth(params, "protect_content", false);
    s->public.thread = json_i64(params, "message_thread_id", 0);
    refused = refused != NULL ? refused : refuse_topic(fake, chat, s->public.thread);
    if (refused != NULL) {
        return failure(400, refused, 0, 0);
    }
    if (edit && old == NULL) {
        return failure(400, "Bad Request: message to edit not found", 0, 0);
    }
    if (edit && strcmp(old->seen, seen.data) == 0 && strcmp(old->buttons, s->buttons) == 0) {
        return failure(
            400,
            "Bad Request: message is not modified: specified new message content and reply "
            "markup are exactly the same as a current content and reply markup of the "
            "message",
            0, 0);
    }
    free(s->seen);
    s->seen = copy(seen.data);
    s->public.accepted = true;
    s->public.message_id = edit ? message_id : fake->next_message++;
    s->markup = json_object_get((struct json_object *)(uintptr_t)markup);
    if (old != NULL) {
        old->replaced = true;
    }
    return success(message_json(chat, s->public.message_id, seen.data));
}

static bool is_png(struct str bytes)
{
    return str_starts(bytes, "\x89PNG\r\n");
}

/* sendDocument and sendPhoto; field: of the file. */
static struct answer accept_file(struct fake_telegram *fake, const char *method, const char *field,
                                 const struct web_request *request,
                                 const struct json_object *params)
{
    int64_t chat = 0;
    AUTO_JSON struct json_object *markup = NULL;
    struct str keyboard = json_str(params, "reply_markup");
    struct str bytes = json_str(params, field);
    const struct fake_telegram_check check = {.complain = complain, .userdata = fake};
    static const char *const truths[] = {"protect_content", "disable_notification"};
    if (!str_to_i64(json_str(params, "chat_id"), &chat)) {
        violate(fake, "%s: chat_id", method);
    }
    if (web_form_filename(request, field).len == 0) {
        violate(fake, "%s: no file name", method);
    }
    if (str_utf16_len(json_str(params, "caption")) > 1024) {
        violate(fake, "%s: caption too long", method);
    }
    for (size_t i = 0; i < COUNT_OF(truths); i++) {
        struct str value = json_str(params, truths[i]);
        if (value.len > 0 && !str_equal_c(value, "true") && !str_equal_c(value, "false")) {
            violate(fake, "%s: %s is no boolean", method, truths[i]);
        }
    }
    if (keyboard.len > 0) {
        if (json_parse(keyboard, &JSON_LIMITS_DEFAULT, &markup, NULL) < 0) {
            violate(fake, "%s: reply_markup is not JSON", method);
        }
        fake_telegram_check_markup(&check, markup);
    }
    bool photo = strcmp(method, "sendPhoto") == 0;
    struct sent *s =
        record(fake, method, chat, photo ? json_text(params, "caption") : bytes.ptr, markup);
    (void)str_to_i64(json_str(params, "message_thread_id"), &s->public.thread);
    const char *refused = refuse_topic(fake, chat, s->public.thread);
    if (refused != NULL) {
        return failure(400, refused, 0, 0);
    }
    if (photo && !is_png(bytes)) {
        return failure(400, "Bad Request: IMAGE_PROCESS_FAILED", 0, 0);
    }
    s->public.accepted = true;
    s->public.is_protected = str_equal_c(json_str(params, "protect_content"), "true");
    s->public.message_id = fake->next_message++;
    s->markup = json_object_get(markup);
    return success(message_json(chat, s->public.message_id, json_text(params, "caption")));
}

/* deleteMessage, pinChatMessage and unpinChatMessage: of a message of the bot that exists. */
static struct answer accept_about(struct fake_telegram *fake, const char *method,
                                  const struct json_object *params)
{
    int64_t chat = json_i64(params, "chat_id", 0);
    int64_t id = json_i64(params, "message_id", 0);
    struct sent *about = find_message(fake, chat, id);
    bool deletes = strcmp(method, "deleteMessage") == 0;
    struct sent *s = record(fake, method, chat, about == NULL ? "" : about->public.text, NULL);
    if (about == NULL) {
        return failure(400,
                       deletes ? "Bad Request: message to delete not found"
                               : "Bad Request: message to pin not found",
                       0, 0);
    }
    s->public.accepted = true;
    about->replaced = about->replaced || deletes;
    return success(json_object_new_boolean(true));
}

/* --------------------------------------------------------------------------- one request ---- */

static struct answer accept_send(struct fake_telegram *fake, const char *method,
                                 const struct web_request *request,
                                 const struct json_object *params)
{
    if (strcmp(method, "getMe") == 0) {
        struct json_object *me = json_object_new_object();
        add(me, "id", json_object_new_int64(123456789));
        add(me, "is_bot", json_object_new_boolean(true));
        add(me, "first_name", json_object_new_string("nightdesk"));
        add(me, "username", json_object_new_string(FAKE_TELEGRAM_USERNAME));
        return success(me);
    }
    if (strcmp(method, "getUpdates") ==
        0) { /* delayed or truncated: answer without waiting for an update */
        confirm(fake, json_i64(params, "offset", 0));
        return success(updates_list(fake, json_i64(params, "limit", 100)));
    }
    if (strcmp(method, "getWebhookInfo") == 0) {
        struct json_object *info = json_object_new_object();
        add(info, "url", json_object_new_string(fake->webhook));
        add(info, "has_custom_certificate", json_object_new_boolean(false));
        add(info, "pending_update_count", json_object_new_int64((int64_t)fake->update_count));
        return success(info);
    }
    if (strcmp(method, "sendMessage") == 0 || strcmp(method, "editMessageText") == 0) {
        return accept_text(fake, method, params);
    }
    if (strcmp(method, "sendDocument") == 0 || strcmp(method, "sendPhoto") == 0) {
        const char *field = method[4] == 'D' ? "document" : "photo";
        return accept_file(fake, method, field, request, params);
    }
    if (strcmp(method, "deleteMessage") == 0 || strcmp(method, "pinChatMessage") == 0 ||
        strcmp(method, "unpinChatMessage") == 0) {
        return accept_about(fake, method, params);
    }
    if (strcmp(method, "setMyCommands") == 0 || strcmp(method, "deleteMyCommands") == 0) {
        fake_menu_take(&fake->menus, method, params);
    }
    if (strcmp(method, "answerCallbackQuery") == 0 &&
        json_text(params, "callback_query_id")[0] == '\0') {
        violate(fake, "answerCallbackQuery: empty id");
    }
    return success(json_object_new_boolean(true));
}

/* The fault that applies to this call; NULL: none. Uses up one of its times. */
static struct fake_telegram_failure *next_failure(struct fake_telegram *fake, const char *method,
                                                  int64_t chat)
{
    for (size_t i = 0; i < fake->failure_count; i++) {
        struct fake_telegram_failure *f = &fake->failures[i];
        if (f->times == 0 || strcmp(f->method, method) != 0 || (f->chat != 0 && f->chat != chat)) {
            continue;
        }
        if (f->skip > 0) {
            f->skip--;
            return NULL;
        }
        f->times--;
        return f;
    }
    return NULL;
}

static void set_wait(struct fake_telegram *fake, const char *method, int64_t chat, int64_t seconds)
{
    ASSERT(fake->wait_count < WAITS_MAX);
    struct wait *w = &fake->waits[fake->wait_count++];
    *w = (struct wait){.chat = chat, .until_us = now_us() + seconds * USEC_PER_SEC};
    (void)str_copy(str_c(method), w->method, sizeof(w->method));
}

/* Sends and edits in a chat share its rate limit. */
static bool same_budget(const char *a, const char *b)
{
    bool a_sends = strncmp(a, "send", 4) == 0 || strncmp(a, "edit", 4) == 0;
    bool b_sends = strncmp(b, "send", 4) == 0 || strncmp(b, "edit", 4) == 0;
    return strcmp(a, b) == 0 || (a_sends && b_sends);
}

static void check_waits(struct fake_telegram *fake, const char *method, int64_t chat)
{
    /* A tolerance of a tenth of a second between the two clocks. */
    for (size_t i = 0; i < fake->wait_count; i++) {
        if (same_budget(fake->waits[i].method, method) && fake->waits[i].chat == chat &&
            now_us() < fake->waits[i].until_us - 100 * USEC_PER_MSEC) {
            violate(fake, "%s: called before retry_after had passed", method);
        }
    }
}

static void send_later(struct fake_telegram *fake, struct web_request *request,
                       struct answer answer, int64_t delay_ms)
{
    ASSERT(fake->slow == NULL);
    fake->slow = request;
    fake->slow_body = answer.body;
    fake->slow_status = answer.status;
    fake->slow_until_us = now_us() + delay_ms * USEC_PER_MSEC;
    (void)pthread_cond_signal(&fake->wake);
}

static void run_failure(struct fake_telegram *fake, const struct fake_telegram_failure *f,
                        struct web_request *request, const struct json_object *params, int64_t chat)
{
    struct answer answer = {0};
    switch (f->fault) {
    case FAKE_TELEGRAM_ERROR:
        if (f->retry_after_s > 0) {
            set_wait(fake, f->method, chat, f->retry_after_s);
        }
        send_json(request, failure(f->status, f->description, f->retry_after_s, f->migrate_to));
        return;
    case FAKE_TELEGRAM_BODY:
        answer = (struct answer){.status = f->status, .body = copy(f->body)};
        send_answer(request, &answer, "text/html");
        break;
    case FAKE_TELEGRAM_CUT:
        answer = accept_send(fake, f->method, request, params);
        answer.body[strlen(answer.body) / 2] = '\0';
        send_answer(request, &answer, "application/json");
        break;
    case FAKE_TELEGRAM_CLOSE:
        answer = accept_send(fake, f->method, request, params);
        cut_connection(fake, request);
        send_answer(request, &answer, "application/json");
        break;
    case FAKE_TELEGRAM_AT_ONCE:
        get_updates(fake, request, params, true);
        return;
    case FAKE_TELEGRAM_LARGE:
        answer = (struct answer){.status = 200, .body = malloc(LARGE_BYTES + 1)};
        ASSERT(answer.body != NULL);
        memset(answer.body, ' ', LARGE_BYTES);
        answer.body[LARGE_BYTES] = '\0';
        send_answer(request, &answer, "application/json");
        break;
    case FAKE_TELEGRAM_SLOW:
        send_later(fake, request, accept_send(fake, f->method, request, params), f->delay_ms);
        return;
    }
    free(answer.body);
}

static void count_call(struct fake_telegram *fake, const char *method)
{
    for (size_t i = 0; i < COUNT_OF(fake->calls); i++) {
        if (fake->calls[i].method[0] == '\0') {
            (void)str_copy(str_c(method), fake->calls[i].method, sizeof(fake->calls[i].method));
        }
        if (strcmp(fake->calls[i].method, method) == 0) {
            fake->calls[i].calls++;
            return;
        }
    }
}

static bool is_multipart(const char *method)
{
    return strcmp(method, "sendDocument") == 0 || strcmp(method, "sendPhoto") == 0;
}

/* The fields of a request as an object; multipart fields are texts. NULL: a violation. */
static struct json_object *read_params(struct fake_telegram *fake, const char *method,
                                       const struct web_request *request)
{
    static const char *const form[] = {
        "chat_id",          "document",        "photo",        "caption",
        "parse_mode",       "protect_content", "reply_markup", "disable_notification",
        "message_thread_id"};
    struct json_object *params = NULL;
    struct err err = {0};
    const struct json_limits limits = {.max_bytes = BODY_MAX, .max_depth = 32};
    if (!str_equal_c(web_method(request), "POST")) {
        violate(fake, "%s: method %.*s", method, STR_ARG(web_method(request)));
    }
    if (is_multipart(method)) {
        params = json_object_new_object();
        for (size_t i = 0; i < COUNT_OF(form); i++) {
            struct str value = web_form(request, form[i]);
            if (value.len > 0) {
                add(params, form[i], json_object_new_string_len(value.ptr, (int)value.len));
            }
        }
        return params;
    }
    if (!str_starts(web_header(request, "content-type"), "application/json")) {
        violate(fake, "%s: content type %.*s", method,
                STR_ARG(web_header(request, "content-type")));
    }
    if (json_parse(web_body(request), &limits, &params, &err) < 0 || !json_is_object(params)) {
        violate(fake, "%s: body is no JSON object: %s", method, err.context);
        (void)json_object_put(params);
        return NULL;
    }
    return params;
}

static int64_t chat_of(const struct json_object *params)
{
    int64_t chat = json_i64(params, "chat_id", 0);
    if (chat == 0) {
        (void)str_to_i64(json_str(params, "chat_id"), &chat);
    }
    return chat;
}

static void serve(struct fake_telegram *fake, const char *method, struct web_request *request)
{
    const struct fake_telegram_check check = {
        .multipart = is_multipart(method), .complain = complain, .userdata = fake};
    count_call(fake, method);
    AUTO_JSON struct json_object *params = read_params(fake, method, request);
    if (params == NULL) {
        send_json(request, failure(400, "Bad Request: can't parse request", 0, 0));
        return;
    }
    if (!bot_api_has(method)) {
        violate(fake, "unknown method %s", method);
        send_json(request, failure(404, "Not Found: method not found", 0, 0));
        return;
    }
    fake_telegram_check_request(&check, method, params);
    int64_t chat = chat_of(params);
    check_waits(fake, method, chat);
    const struct fake_telegram_failure *failure = next_failure(fake, method, chat);
    if (failure != NULL) {
        run_failure(fake, failure, request, params, chat);
    } else if (strcmp(method, "getUpdates") == 0) {
        get_updates(fake, request, params, false);
    } else {
        send_json(request, accept_send(fake, method, request, params));
    }
}

static void on_request(struct web_request *request, void *userdata)
{
    static const char start[] = "/bot" FAKE_TELEGRAM_TOKEN "/";
    struct fake_telegram *fake = userdata;
    char method[32] = "";
    web_hold(request);
    (void)pthread_mutex_lock(&fake->lock);
    struct str path = web_path(request);
    if (fake->stopping) {
        web_answer_c(request, 503, "stopping");
    } else if (!str_starts(path, start)) {
        violate(fake, "wrong path or token");
        send_json(request, failure(401, "Unauthorized", 0, 0));
    } else {
        (void)str_copy(str_n(path.ptr + sizeof(start) - 1, path.len - (sizeof(start) - 1)), method,
                       sizeof(method));
        serve(fake, method, request);
    }
    (void)pthread_mutex_unlock(&fake->lock);
}

/* ------------------------------------------------------------------------- life of the fake ----
 */

static void *tick(void *userdata)
{
    struct fake_telegram *fake = userdata;
    (void)pthread_mutex_lock(&fake->lock);
    while (!fake->stopping) {
        int64_t now = now_us();
        if (fake->poll != NULL && now >= fake->poll_until_us) {
            end_poll(fake);
        }
        if (fake->slow != NULL && now >= fake->slow_until_us) {
            struct web_request *request = fake->slow;
            fake->slow = NULL;
            send_json(request,
                      (struct answer){.status = fake->slow_status, .body = fake->slow_body});
        }
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 20 * 1000 * 1000;
        if (until.tv_nsec >= 1000 * 1000 * 1000) {
            until.tv_nsec -= 1000 * 1000 * 1000;
            until.tv_sec++;
        }
        (void)pthread_cond_timedwait(&fake->wake, &fake->lock, &until);
    }
    (void)pthread_mutex_unlock(&fake->lock);
    return NULL;
}

int fake_telegram_start(struct fake_telegram **ret)
{
    struct fake_telegram *fake = calloc(1, sizeof(*fake));
    ASSERT(fake != NULL);
    fake->sent = calloc(SENT_MAX, sizeof(*fake->sent));
    ASSERT(fake->sent != NULL);
    buf_init(&fake->violations, (size_t)256 * 1024);
    fake->next_update = FIRST_UPDATE;
    fake->next_message = FIRST_MESSAGE;
    fake->next_press = 1;
    fake->webhook = copy("");
    fake->violations_copy = copy("");
    ASSERT(pthread_mutex_init(&fake->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&fake->wake, NULL) == 0);
    struct err err = {0};
    int rc = web_start(&(struct web_options){.max_body_bytes = BODY_MAX,
                                             .idle_timeout_s = 120,
                                             .handler = on_request,
                                             .userdata = fake},
                       &fake->web, &err);
    if (rc < 0) {
        fake_telegram_stop(fake);
        return rc;
    }
    ASSERT(pthread_create(&fake->ticker, NULL, tick, fake) == 0);
    *ret = fake;
    return 0;
}

void fake_telegram_stop(struct fake_telegram *fake)
{
    if (fake == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&fake->lock);
    fake->stopping = true;
    if (fake->poll != NULL) {
        end_poll(fake);
    }
    if (fake->slow != NULL) {
        send_json(fake->slow,
                  (struct answer){.status = fake->slow_status, .body = fake->slow_body});
        fake->slow = NULL;
    }
    (void)pthread_cond_signal(&fake->wake);
    (void)pthread_mutex_unlock(&fake->lock);
    if (fake->web != NULL) {
        (void)pthread_join(fake->ticker, NULL);
        web_stop(fake->web);
    }
    for (size_t i = 0; i < fake->update_count; i++) {
        (void)json_object_put(fake->updates[i]);
    }
    for (size_t i = 0; i < fake->sent_count; i++) {
        free(fake->sent[i].text);
        free(fake->sent[i].buttons);
        free(fake->sent[i].seen);
        (void)json_object_put(fake->sent[i].markup);
    }
    for (size_t i = 0; i < fake->failure_count; i++) {
        free((char *)(uintptr_t)fake->failures[i].method);
        free((char *)(uintptr_t)fake->failures[i].description);
        free((char *)(uintptr_t)fake->failures[i].body);
    }
    free(fake->sent);
    free(fake->webhook);
    free(fake->violations_copy);
    buf_release(&fake->violations);
    (void)pthread_mutex_destroy(&fake->lock);
    (void)pthread_cond_destroy(&fake->wake);
    free(fake);
}

uint16_t fake_telegram_port(const struct fake_telegram *fake)
{
    return web_port(fake->web);
}

/* ------------------------------------------------------------------------ people's actions ---- */

static int64_t add_update(struct fake_telegram *fake, struct json_object *update)
{
    ASSERT(fake->update_count < UPDATES_MAX);
    int64_t id = fake->next_update++;
    add(update, "update_id", json_object_new_int64(id));
    fake->updates[fake->update_count++] = update;
    end_poll(fake);
    return id;
}

static struct json_object *user_json(int64_t id)
{
    struct json_object *user = json_object_new_object();
    add(user, "id", json_object_new_int64(id));
    add(user, "is_bot", json_object_new_boolean(false));
    add(user, "first_name", json_object_new_string("Somebody"));
    return user;
}

static void add_topic(struct json_object *message, int64_t thread)
{
    if (thread != 0) {
        add(message, "is_topic_message", json_object_new_boolean(true));
        add(message, "message_thread_id", json_object_new_int64(thread));
    }
}

void fake_telegram_end_topic(struct fake_telegram *fake, int64_t chat, int64_t thread, bool deleted)
{
    (void)pthread_mutex_lock(&fake->lock);
    struct topic *topic = find_topic(fake, chat, thread);
    ASSERT(topic != NULL);
    topic->refusal =
        deleted ? "Bad Request: message thread not found" : "Bad Request: TOPIC_CLOSED";
    (void)pthread_mutex_unlock(&fake->lock);
}

int64_t fake_telegram_user_sends(struct fake_telegram *fake, const struct fake_telegram_message *m)
{
    (void)pthread_mutex_lock(&fake->lock);
    int64_t id = fake->next_message++;
    struct json_object *message = message_json(m->chat == 0 ? m->from : m->chat, id, m->text);
    struct json_object *update = json_object_new_object();
    if (m->thread != 0) {
        add_topic(message, m->thread);
        if (find_topic(fake, m->chat, m->thread) == NULL) {
            ASSERT(fake->topic_count < TOPICS_MAX);
            fake->topics[fake->topic_count++] =
                (struct topic){.chat = m->chat, .thread = m->thread};
        }
    }
    add(message, "from", user_json(m->from));
    add(message, "date",
        json_object_new_int64(clock_wall_us(clock_real()) / USEC_PER_SEC - m->age_s));
    add(update, "message", message);
    (void)add_update(fake, update);
    (void)pthread_mutex_unlock(&fake->lock);
    return id;
}

static void press(struct fake_telegram *fake, int64_t from, struct json_object *message,
                  const char *data)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "press-%lld", (long long)fake->next_press++);
    struct json_object *query = json_object_new_object();
    struct json_object *update = json_object_new_object();
    add(query, "id", json_object_new_string(id));
    add(query, "from", user_json(from));
    add(query, "message", message);
    add(query, "chat_instance", json_object_new_string("1"));
    add(query, "data", json_object_new_string(data));
    add(update, "callback_query", query);
    (void)add_update(fake, update);
}

bool fake_telegram_press(struct fake_telegram *fake, int64_t from, int64_t chat, const char *label)
{
    bool found = false;
    (void)pthread_mutex_lock(&fake->lock);
    for (size_t i = fake->sent_count; i-- > 0 && !found;) {
        const struct sent *s = &fake->sent[i];
        const struct json_object *rows = json_get(s->markup, "inline_keyboard");
        if (!s->public.accepted || s->replaced || s->public.chat != chat) {
            continue;
        }
        for (size_t r = 0; r < json_len(rows) && !found; r++) {
            for (size_t b = 0; b < json_len(json_item(rows, r)) && !found; b++) {
                const struct json_object *button = json_item(json_item(rows, r), b);
                if (strcmp(json_text(button, "text"), label) == 0 &&
                    json_get(button, "disabled") == NULL) {
                    struct json_object *message = message_json(chat, s->public.message_id, s->seen);
                    add(message, "date", json_object_new_int64(s->date_s));
                    add_topic(message, s->public.thread);
                    press(fake, from, message, json_text(button, "callback_data"));
                    found = true;
                }
            }
        }
    }
    (void)pthread_mutex_unlock(&fake->lock);
    return found;
}

void fake_telegram_age_messages(struct fake_telegram *fake, int64_t seconds)
{
    (void)pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->sent_count; i++) {
        fake->sent[i].date_s -= seconds;
    }
    (void)pthread_mutex_unlock(&fake->lock);
}

void fake_telegram_press_data(struct fake_telegram *fake, int64_t from, int64_t chat,
                              const char *data)
{
    (void)pthread_mutex_lock(&fake->lock);
    struct json_object *message = message_json(chat, 1, "an old message");
    add(message, "date", json_object_new_int64(OLD_DATE_S));
    press(fake, from, message, data);
    (void)pthread_mutex_unlock(&fake->lock);
}

int64_t fake_telegram_push(struct fake_telegram *fake, const char *update_json)
{
    struct json_object *update = NULL;
    const struct json_limits limits = {.max_bytes = BODY_MAX, .max_depth = 512};
    ASSERT(json_parse(str_c(update_json), &limits, &update, NULL) == 0);
    (void)pthread_mutex_lock(&fake->lock);
    int64_t id = add_update(fake, update);
    (void)pthread_mutex_unlock(&fake->lock);
    return id;
}

size_t fake_telegram_pending(struct fake_telegram *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    size_t count = fake->update_count;
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}

void fake_telegram_fail(struct fake_telegram *fake, const struct fake_telegram_failure *failure)
{
    (void)pthread_mutex_lock(&fake->lock);
    ASSERT(fake->failure_count < FAILURES_MAX);
    struct fake_telegram_failure *f = &fake->failures[fake->failure_count++];
    *f = *failure;
    f->times = failure->times == 0 ? 1 : failure->times;
    f->method = copy(failure->method);
    f->description = copy(failure->description);
    f->body = copy(failure->body);
    (void)pthread_mutex_unlock(&fake->lock);
}

void fake_telegram_set_webhook(struct fake_telegram *fake, const char *url)
{
    (void)pthread_mutex_lock(&fake->lock);
    free(fake->webhook);
    fake->webhook = copy(url);
    (void)pthread_mutex_unlock(&fake->lock);
}

/* -------------------------------------------------------------------------- received calls ---- */

size_t fake_telegram_sent_count(struct fake_telegram *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    size_t count = fake->sent_count;
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}

void fake_telegram_get_sent(struct fake_telegram *fake, size_t index,
                            struct fake_telegram_sent *ret)
{
    (void)pthread_mutex_lock(&fake->lock);
    ASSERT(index < fake->sent_count);
    *ret = fake->sent[index].public;
    (void)pthread_mutex_unlock(&fake->lock);
}

void fake_telegram_menu(struct fake_telegram *fake, int64_t chat, int64_t user, struct buf *out)
{
    (void)pthread_mutex_lock(&fake->lock);
    fake_menu_seen(&fake->menus, chat, user, out);
    (void)pthread_mutex_unlock(&fake->lock);
}

size_t fake_telegram_calls(struct fake_telegram *fake, const char *method)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < COUNT_OF(fake->calls); i++) {
        if (strcmp(fake->calls[i].method, method) == 0) {
            count = fake->calls[i].calls;
        }
    }
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}

const char *fake_telegram_text(struct fake_telegram *fake, int64_t chat, int64_t message_id)
{
    (void)pthread_mutex_lock(&fake->lock);
    const struct sent *s = find_message(fake, chat, message_id);
    const char *text = s == NULL ? NULL : s->seen;
    (void)pthread_mutex_unlock(&fake->lock);
    return text;
}

const char *fake_telegram_violations(struct fake_telegram *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    free(fake->violations_copy);
    fake->violations_copy = copy(fake->violations.data);
    (void)pthread_mutex_unlock(&fake->lock);
    return fake->violations_copy;
}
