#include "telegram_update.h"

#include "access/access.h"
#include "base/log.h"
#include "base/trace.h"
#include "command/runner.h"
#include "io/json_out.h"
#include "model/telemetry.h"
#include "store/live_table.h"
#include "telegram_menu.h"

#include <string.h>

#define TEXT_MAX       ((size_t)64 * 1024) /* Telegram allows 4096 characters */
#define STOPPED        "stopped_message_generation"
#define LINE_MAX_BYTES ((size_t)128 * 1024)

/* One update. */
struct incoming {
    struct json_object *content;
    int64_t update_id;
    const struct telegram_moment *moment;
};

static int submit(struct telegram *t, const struct principal *who, struct str line,
                  struct invocation in, struct err *err)
{
    struct err why = {0};
    if (memchr(line.ptr, '\0', line.len) != NULL) {
        (void)err_set(&why, ERR_CHAT_LINE, "NUL in the message");
        return telegram_send_error(t->send, in.chat_id, in.thread_id, &why, err);
    }
    in.line = line.ptr;
    in.who = who;
    return runner_submit(t->options.runner, &in, err);
}

/* True for "/status@our_bot now", false for "/status@another now". Removes the suffix from *text.
 */
static bool strip_mention(const struct telegram *t, struct str *text, struct buf *buf)
{
    struct str rest = *text, word;
    if (!str_word(&rest, &word) || word.ptr[0] != '/') {
        return true;
    }
    const char *at = memchr(word.ptr, '@', word.len);
    if (at == NULL) {
        return true;
    }
    struct str name = str_n(at + 1, word.len - (size_t)(at + 1 - word.ptr));
    if (!str_equal_nocase(name, t->username)) {
        return false;
    }
    buf_add(buf, word.ptr, (size_t)(at - word.ptr));
    buf_add_char(buf, ' ');
    buf_add_str(buf, rest);
    *text = buf_str(buf);
    return true;
}

/* 0 if the date is missing or out of range. */
static int64_t date_us(const struct json_object *message)
{
    int64_t date_s = json_i64(message, "date", 0);
    return date_s > 0 && date_s < INT64_C(100000000000) ? date_s * USEC_PER_SEC : 0;
}

/* Converts an age to the time of our wall clock that the runner expects. 1 is the oldest; 0 would
 * mean now. */
static int64_t sent_us(const struct fresh *now, int64_t age_us)
{
    return age_us < now->wall_us ? now->wall_us - age_us : 1;
}

/* Members that begin so have marked a forwarded message in every version of the Bot API:
 * forward_origin, before that forward_date, forward_from, forward_from_chat, forward_sender_name.
 */
static bool is_forwarded(struct json_object *message)
{
    json_object_object_foreach(message, key, value)
    {
        if (strncmp(key, "forward_", strlen("forward_")) == 0 && value != NULL) {
            return true;
        }
    }
    return false;
}

/* The topic of a forum; 0: the chat has none, or it is its general one. Without is_topic_message
 * the id is only that of the message that a reply belongs to. */
static int64_t topic_of(const struct json_object *message)
{
    return json_truth(message, "is_topic_message", false)
               ? json_i64(message, "message_thread_id", 0)
               : 0;
}

/* The text of a message, or the caption of its picture or file, which people type the same way. */
static struct str text_of(const struct json_object *message)
{
    struct str text = str_trim(json_str(message, "text"));
    text = text.len > 0 ? text : str_trim(json_str(message, "caption"));
    /* A longer one is refused too, and copying megabytes would delay other people. */
    return str_n(text.ptr, text.len > TEXT_MAX ? TEXT_MAX : text.len);
}

/* Why a command is answered, but not run: it is not the sender's own new text. Another bot chooses
 * the text of a message that is sent through it. */
static enum err_id not_run(struct json_object *message, bool edited)
{
    return is_forwarded(message)                  ? ERR_COMMAND_FORWARDED
           : json_get(message, "via_bot") != NULL ? ERR_COMMAND_VIA_BOT
           : edited                               ? ERR_COMMAND_EDITED
                                                  : ERR_NONE;
}

/* Whether a message answers one of ours. */
static bool answers_us(const struct telegram *t, const struct json_object *message)
{
    const struct json_object *from = json_get(json_get(message, "reply_to_message"), "from");
    return t->username[0] != '\0' && json_truth(from, "is_bot", false) &&
           str_equal_nocase(json_str(from, "username"), t->username);
}

static int accept_text(struct telegram *t, const struct principal *who, struct incoming *in,
                       bool edited, struct err *err)
{
    struct json_object *message = in->content;
    int64_t chat_id = json_i64(json_get(message, "chat"), "id", 0);
    struct str text = text_of(message);
    enum err_id reason = not_run(message, edited);
    bool others = reason != ERR_NONE && reason != ERR_COMMAND_EDITED; /* somebody else's text */
    bool is_private = strcmp(json_text(json_get(message, "chat"), "type"), "private") == 0;
    if (chat_id == 0) {
        return 0;
    }
    telegram_chats_alive(t, chat_id);
    telegram_menu_heard(t->menu, chat_id);
    /* In a group only commands are meant for the bot, and answers to what it has said. */
    bool asks = !is_private && reason == ERR_NONE && text.len > 0 && text.ptr[0] != '/' &&
                answers_us(t, message);
    if (text.len == 0 || (((!is_private && !asks) || others) && text.ptr[0] != '/')) {
        return 0;
    }
    AUTO_BUF struct buf stripped = BUF_INIT(LINE_MAX_BYTES);
    AUTO_BUF struct buf whole = BUF_INIT(LINE_MAX_BYTES);
    if (!strip_mention(t, &text, &stripped)) {
        return 0;
    }
    buf_add_str(&whole, text); /* a NUL-terminated copy of the trimmed view */
    int64_t age_us = fresh_message_age_us(date_us(message), &in->moment->now);
    return submit(t, who, buf_str(&whole),
                  (struct invocation){
                      .chat_id = chat_id,
                      .thread_id = topic_of(message),
                      .message_id = json_i64(message, "message_id", 0),
                      .reply_to = json_i64(json_get(message, "reply_to_message"), "message_id", 0),
                      .update_id = in->update_id,
                      .not_run = reason,
                      .free_text = asks         ? FREE_TEXT_YES
                                   : is_private ? FREE_TEXT_MAYBE
                                                : FREE_TEXT_NO,
                      .sent_us = sent_us(&in->moment->now, age_us)},
                  err);
}

static int accept_message(struct telegram *t, const struct principal *who, struct incoming *in,
                          struct err *err)
{
    return accept_text(t, who, in, false, err);
}

static int accept_edited(struct telegram *t, const struct principal *who, struct incoming *in,
                         struct err *err)
{
    return accept_text(t, who, in, true, err);
}

static int accept_press(struct telegram *t, const struct principal *who, struct incoming *in,
                        struct err *err)
{
    const struct json_object *press = in->content;
    const struct json_object *message = json_get(press, "message");
    struct str data = json_str(press, "data");
    int64_t chat_id = json_i64(json_get(message, "chat"), "id", 0);
    int rc = 0;
    if (chat_id != 0 && data.len > 0) {
        telegram_chats_alive(t, chat_id);
        int64_t age_us = fresh_press_age_us(&in->moment->empty, &in->moment->now, date_us(message));
        rc = submit(t, who, data,
                    (struct invocation){.chat_id = chat_id,
                                        .thread_id = topic_of(message),
                                        .message_id = json_i64(message, "message_id", 0),
                                        .update_id = in->update_id,
                                        .sent_us = sent_us(&in->moment->now, age_us),
                                        .undated = true},
                    err);
    }
    if (rc == 0) {
        telegram_poll_answer(t->poll, json_text(press, "id"));
    }
    return rc;
}

/* A live status ends when the bot has lost the right to pin it, also if an unauthorised user took
 * the right. */
static int check_rights(struct telegram *t, const struct json_object *change, struct err *err)
{
    int64_t chat_id = json_i64(json_get(change, "chat"), "id", 0);
    /* Absent for members, whose rights are those of the group. */
    if (json_truth(json_get(change, "new_chat_member"), "can_pin_messages", true)) {
        return 0;
    }
    return live_table_end(t->options.store, TELEGRAM_CHANNEL, chat_id,
                          "The bot has lost the right to pin messages here.", err);
}

static int accept_membership(struct telegram *t, const struct principal *who, struct incoming *in,
                             struct err *err)
{
    (void)who;
    const struct json_object *change = in->content;
    int64_t chat_id = json_i64(json_get(change, "chat"), "id", 0);
    const char *status = json_text(json_get(change, "new_chat_member"), "status");
    if (chat_id == 0) {
        return 0;
    }
    if (strcmp(status, "kicked") == 0 || strcmp(status, "left") == 0) {
        telegram_chats_dead(t, chat_id, "the bot was removed or blocked");
    } else {
        telegram_chats_alive(t, chat_id);
    }
    return check_rights(t, change, err);
}

/* The Stop button of a draft, which only its person sees; its id is that of the run. */
static int accept_stop(struct telegram *t, const struct principal *who, struct incoming *in,
                       struct err *err)
{
    const struct json_object *stopped = in->content;
    int64_t run_id = json_i64(stopped, "draft_id", 0);
    AUTO_BUF struct buf line = BUF_INIT(64);
    if (run_id <= 0) {
        return 0;
    }
    buf_addf(&line, "/cancel %lld", (long long)run_id);
    int64_t age_us = fresh_press_age_us(&in->moment->empty, &in->moment->now, 0);
    return submit(t, who, buf_str(&line),
                  (struct invocation){.chat_id = who->id,
                                      .update_id = in->update_id,
                                      .sent_us = sent_us(&in->moment->now, age_us),
                                      .undated = true},
                  err);
}

/* Every kind that is asked for. All of them, and any other that arrives, pass the same check of the
 * sender first. */
static const struct {
    const char *name;
    int (*accept)(struct telegram *t, const struct principal *who, struct incoming *in,
                  struct err *err);
} kinds[] = {
    {"message", accept_message},      {"edited_message", accept_edited},
    {"callback_query", accept_press}, {"my_chat_member", accept_membership},
    {STOPPED, accept_stop},
};

const char *telegram_update_kind(size_t index)
{
    return index < COUNT_OF(kinds) ? kinds[index].name : NULL;
}

/* The member that holds the update's content; its key is the kind. One that we know is preferred:
 * members of a later version of the Bot API may come before it. NULL if there is none. */
static struct json_object *update_content(struct json_object *update, const char **ret_kind)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct json_object *content = json_get(update, kinds[i].name);
        if (json_is_object(content)) {
            *ret_kind = kinds[i].name;
            return content;
        }
    }
    json_object_object_foreach(update, key, value)
    {
        if (json_is_object(value)) {
            *ret_kind = key;
            return value;
        }
    }
    *ret_kind = "unknown";
    return NULL;
}

/* The person who sent it; 0: none. With sender_chat it is sent in the name of a chat, by an
 * anonymous admin or a channel: `from` then holds an id that many people share. */
static int64_t sender_of(const char *kind, const struct json_object *content)
{
    const struct json_object *chat = json_get(content, "chat");
    if (strcmp(kind, STOPPED) == 0) { /* it names no person; a private chat has the id of its */
        bool is_private = strcmp(json_text(chat, "type"), "private") == 0;
        return is_private ? json_i64(chat, "id", 0) : 0;
    }
    return json_get(content, "sender_chat") != NULL ? 0
                                                    : json_i64(json_get(content, "from"), "id", 0);
}

/* Somebody who is no user sent a new message in a private chat: it may be the code that makes them
 * an owner. Whatever else it is gets no answer. */
static int try_pairing(struct telegram *t, const char *kind, const struct incoming *in,
                       bool *ret_paired, struct err *err)
{
    const struct json_object *from = json_get(in->content, "from");
    const struct json_object *chat = json_get(in->content, "chat");
    const char *name = json_text(from, "username");
    *ret_paired = false;
    if (strcmp(kind, "message") != 0 || strcmp(json_text(chat, "type"), "private") != 0 ||
        is_forwarded(in->content)) {
        return 0;
    }
    return runner_pair(
        t->options.runner,
        &(struct pairing){.user_id = json_i64(from, "id", 0),
                          .chat_id = json_i64(chat, "id", 0),
                          .update_id = in->update_id,
                          .name = name[0] != '\0' ? name : json_text(from, "first_name"),
                          .text = json_str(in->content, "text")},
        ret_paired, err);
}

/* The root of what an update causes: its own span ends when the update was accepted. */
struct update_work {
    const struct telegram *t;
    int64_t start_us;
    struct trace_work work;
};

static void end_work(const struct update_work *w)
{
    if (trace_is_sampled(w->work)) {
        const struct span span = {.trace = w->work.trace,
                                  .id = w->work.span,
                                  .kind = SPAN_SERVER,
                                  .name = "telegram update",
                                  .start_ns = w->start_us * 1000,
                                  .end_ns = clock_wall_us(w->t->options.clock) * 1000};
        tracer_add(w->t->options.telemetry->tracer, TRACER_OPS, &span);
    }
}

int telegram_update_accept(struct telegram *t, struct json_object *update,
                           const struct telegram_moment *moment, struct err *err)
{
    struct access *access = t->options.access;
    const char *kind = "";
    struct telemetry *telemetry = t->options.telemetry;
    AUTO(end_work)
    struct update_work work = {.t = t,
                               .start_us = clock_wall_us(t->options.clock),
                               .work = tracer_begin(telemetry == NULL ? NULL : telemetry->tracer,
                                                    TRACER_OPS, clock_mono_us(t->options.clock))};
    TRACE_WORK(work.work);
    struct incoming in = {.content = update_content(update, &kind),
                          .update_id = json_i64(update, "update_id", 0),
                          .moment = moment};
    int64_t from_id = sender_of(kind, in.content);
    struct principal who;
    if (in.content == NULL || from_id == 0) {
        LOG(DEBUG, "telegram: skipped an update of kind %.40s", kind);
        return 0;
    }
    if (access_identify(access, CHANNEL_TELEGRAM, from_id, &who) < 0) {
        bool paired = false;
        int rc = try_pairing(t, kind, &in, &paired, err);
        if (rc == 0 && !paired) {
            (void)access_unauthorised(access, CHANNEL_TELEGRAM, from_id, kind);
        }
        /* The admins of a group need not be users. Telegram itself reports what they did. */
        return rc < 0 || strcmp(kind, "my_chat_member") != 0 ? rc
                                                             : check_rights(t, in.content, err);
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kind, kinds[i].name) == 0) {
            return kinds[i].accept(t, &who, &in, err);
        }
    }
    LOG(DEBUG, "telegram: skipped an update of kind %.40s", kind);
    return 0;
}
