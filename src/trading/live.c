#include "live.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "desk_internal.h"
#include "io/loop.h"
#include "store/live_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

#define PERIOD_US (15 * USEC_PER_SEC)
#define CHANNEL   "telegram"

struct live {
    struct desk *desk;
    struct loop_source *timer;
    struct shown { /* in memory only: after a start the first edit is made anyway */
        int64_t outbox_id;
        uint64_t digest;
    } shown[LIVE_MESSAGES_MAX];
};

static void on_timer(void *userdata);

static int64_t now_us(const struct live *live)
{
    return clock_wall_us(live->desk->o.clock);
}

struct live *live_new(struct desk *desk)
{
    struct live_message first;
    struct live *live = calloc(1, sizeof(*live));
    ASSERT(live != NULL);
    live->desk = desk;
    live->timer = loop_add_timer(desk->o.loop, on_timer, live);
    loop_source_name(live->timer, "live status");
    if (live_table_list(desk->o.store, &first, 1, NULL) != 0) {
        loop_timer_in(live->timer, PERIOD_US);
    }
    return live;
}

void live_free(struct live *live)
{
    if (live != NULL) {
        loop_source_free(live->timer);
        free(live);
    }
}

/* Only compared with that of the text before. */
static uint64_t digest_of(struct str text)
{
    return hash_add(HASH_BEGIN, text.ptr, text.len);
}

static struct shown *shown_of(struct live *live, int64_t outbox_id)
{
    struct shown *free_one = &live->shown[0];
    for (size_t i = 0; i < LIVE_MESSAGES_MAX; i++) {
        if (live->shown[i].outbox_id == outbox_id) {
            return &live->shown[i];
        }
        free_one = live->shown[i].outbox_id == 0 ? &live->shown[i] : free_one;
    }
    *free_one = (struct shown){.outbox_id = outbox_id};
    return free_one;
}

/* The message, and the digest of all of it but the time of the change. */
static uint64_t compose(struct live *live, struct buf *ret)
{
    AUTO_BUF struct buf text = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    AUTO_REPLY struct reply *reply = reply_new();
    view_status(live->desk, reply, VIEW_LIVE_POSITIONS);
    desk_decorate(reply, live->desk);
    reply_json_message(reply, &text);
    reply_para(reply, "📌 live, changed {}", cell_clock(now_us(live)));
    reply_json_message(reply, ret);
    return digest_of(buf_str(&text));
}

static void changed(const struct live *live)
{
    if (live->desk->o.outbox_changed != NULL) {
        live->desk->o.outbox_changed(live->desk->o.outbox_userdata);
    }
}

static int add(const struct live *live, const struct live_message *m, enum outbox_kind kind,
               const char *payload, int64_t *ret_id, struct err *err)
{
    bool refers = kind != OUTBOX_SEND;
    return outbox_table_add(live->desk->o.store,
                            &(struct outbox_new){.channel = m->channel,
                                                 .chat_id = m->chat_id,
                                                 .thread_id = m->thread_id,
                                                 .kind = kind,
                                                 .priority = OUTBOX_NORMAL,
                                                 .payload = payload,
                                                 .edit_of = refers ? m->outbox_id : 0},
                            now_us(live), ret_id, err);
}

/* Sends a message with the status and pins it, in one transaction with its row. */
static int begin(struct live *live, struct live_message *m, struct err *err)
{
    struct ops_store_change change;
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    uint64_t digest = compose(live, &payload);
    int64_t id = 0;
    int rc = ops_store_change_begin(live->desk->o.store, &change, err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = add(live, m, OUTBOX_SEND, payload.data, &m->outbox_id, err)) < 0 ||
        (rc = add(live, m, OUTBOX_PIN, "{}", &id, err)) < 0 ||
        (rc = live_table_set(live->desk->o.store, m, err)) < 0) {
        ops_store_change_rollback(&change);
        return rc;
    }
    if ((rc = ops_store_change_commit(&change, err)) == 0) {
        shown_of(live, m->outbox_id)->digest = digest;
        changed(live);
    }
    return rc;
}

/* The last edit of the message says that it ended. */
static void last_words(const struct live *live, const struct live_message *m, const char *why,
                       struct buf *payload)
{
    AUTO_REPLY struct reply *reply = reply_new();
    reply_title(reply, TONE_PLAIN, "Live status ended");
    reply_line(reply, "%s", why);
    reply_para(reply, "It was shown from {} to {}.", cell_time(m->since_us, now_us(live)),
               cell_time(now_us(live), now_us(live)));
    reply_button(reply, "Status", "/status", BUTTON_PLAIN);
    reply_button(reply, "Live again", "/status live", BUTTON_PLAIN);
    reply_json_message(reply, payload);
}

enum tell { TELL_NOBODY, TELL_EDIT, TELL_MESSAGE };

static int end(struct live *live, const struct live_message *m, const char *why, enum tell tell,
               struct err *err)
{
    struct ops_store *store = live->desk->o.store;
    struct ops_store_change change;
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    int64_t id = 0;
    last_words(live, m, why, &payload);
    int rc = ops_store_change_begin(store, &change, err);
    if (rc < 0) {
        return rc;
    }
    rc = live_table_remove(store, m->channel, m->chat_id, err);
    if (rc == 0 && tell == TELL_EDIT) {
        rc = add(live, m, OUTBOX_REFRESH, payload.data, &id, err);
        rc = rc < 0 ? rc : add(live, m, OUTBOX_UNPIN, "{}", &id, err);
    } else if (rc == 0 && tell == TELL_MESSAGE) {
        rc = add(live, m, OUTBOX_SEND, payload.data, &id, err);
    }
    if (rc < 0) {
        ops_store_change_rollback(&change);
        return rc;
    }
    rc = ops_store_change_commit(&change, err);
    if (rc == 0) {
        LOG(NOTICE, "live status in chat %lld ended: %s", (long long)m->chat_id, why);
        changed(live);
    }
    return rc;
}

static bool failed_as(const struct outbox_row *row, enum err_id id)
{
    const char *code = err_info(id)->code;
    return row->state == OUTBOX_DEAD && strncmp(row->last_error, code, strlen(code)) == 0;
}

/* Why the message cannot be edited any more; NULL: it can. */
static const char *find_end(const struct live *live, const struct live_message *m,
                            enum tell *ret_tell, struct err *err)
{
    struct ops_store *store = live->desk->o.store;
    AUTO_OUTBOX_ROW struct outbox_row pin = {0};
    AUTO_OUTBOX_ROW struct outbox_row edit = {0};
    *ret_tell = TELL_MESSAGE;
    if (m->ended[0] != '\0') {
        return m->ended;
    }
    if (outbox_table_newest_about(store, m->outbox_id, OUTBOX_PIN, &pin, err) > 0) {
        if (failed_as(&pin, ERR_TELEGRAM_NO_PIN)) {
            *ret_tell = TELL_EDIT;
            return "The bot has no right to pin messages here. Allow it, and start it again.";
        }
        if (failed_as(&pin, ERR_TELEGRAM_CHAT_DEAD)) {
            *ret_tell = TELL_NOBODY;
            return "the chat cannot be reached";
        }
    }
    if (outbox_table_newest_about(store, m->outbox_id, OUTBOX_REFRESH, &edit, err) > 0) {
        if (failed_as(&edit, ERR_TELEGRAM_MESSAGE_GONE)) {
            return "Its message was deleted, or cannot be edited any more.";
        }
        if (failed_as(&edit, ERR_TELEGRAM_CHAT_DEAD)) {
            *ret_tell = TELL_NOBODY;
            return "the chat cannot be reached";
        }
    }
    return NULL;
}

static int refresh(struct live *live, struct live_message *m, struct err *err)
{
    struct ops_store *store = live->desk->o.store;
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    enum tell tell;
    int64_t id = 0;
    const char *why = find_end(live, m, &tell, err);
    if (why != NULL) {
        return end(live, m, why, tell, err);
    }
    int rc = outbox_table_get(store, m->outbox_id, &row, err);
    if (rc == -ERR_STORE_NOT_FOUND || (rc == 0 && row.state == OUTBOX_DEAD)) {
        return end(live, m, "the message could not be sent", TELL_NOBODY, err);
    }
    if (rc < 0 || row.state == OUTBOX_QUEUED || row.state == OUTBOX_SENDING) {
        return rc;
    }
    if (row.state == OUTBOX_UNCERTAIN) { /* nobody knows its number: it cannot be edited */
        return begin(live, m, err);
    }
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    struct shown *shown = shown_of(live, m->outbox_id);
    uint64_t digest = compose(live, &payload);
    if (digest == shown->digest) {
        return 0;
    }
    rc = outbox_table_drop_about(store, m->outbox_id, OUTBOX_REFRESH, err);
    rc = rc < 0 ? rc : add(live, m, OUTBOX_REFRESH, payload.data, &id, err);
    if (rc == 0) {
        shown->digest = digest;
        changed(live);
    }
    return rc;
}

static void on_timer(void *userdata)
{
    struct live *live = userdata;
    struct live_message messages[LIVE_MESSAGES_MAX];
    struct err err = {0};
    int n = live_table_list(live->desk->o.store, messages, LIVE_MESSAGES_MAX, &err);
    for (int i = 0; i < n; i++) {
        if (refresh(live, &messages[i], &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "live status: will retry");
        }
    }
    if (n != 0) {
        loop_timer_in(live->timer, PERIOD_US);
    }
}

/* 1: *ret is that of the chat. */
static int find(struct live *live, int64_t chat_id, struct live_message *ret, int *ret_count,
                struct err *err)
{
    struct live_message messages[LIVE_MESSAGES_MAX];
    int n = live_table_list(live->desk->o.store, messages, LIVE_MESSAGES_MAX, err);
    *ret_count = n;
    for (int i = 0; i < n; i++) {
        if (messages[i].chat_id == chat_id && strcmp(messages[i].channel, CHANNEL) == 0) {
            *ret = messages[i];
            return 1;
        }
    }
    return n < 0 ? n : 0;
}

int live_switch(struct desk *desk, struct action_call *call, bool on, struct err *err)
{
    struct live *live = desk->live;
    struct reply *r = action_reply(call);
    struct live_message m = {.chat_id = action_chat_id(call),
                             .thread_id = action_thread_id(call),
                             .since_us = now_us(live)};
    int count = 0;
    if (action_who(call)->channel != CHANNEL_TELEGRAM) {
        reply_title(r, TONE_WARN, "Live status is for Telegram");
        reply_line(r, "It pins a message there and edits it. Nothing was done.");
        return ACTION_DONE;
    }
    (void)str_copy(str_c(CHANNEL), m.channel, sizeof(m.channel));
    (void)str_copy(str_c(action_who(call)->name), m.by, sizeof(m.by));
    int rc = find(live, m.chat_id, &m, &count, err);
    if (rc < 0) {
        return rc;
    }
    if (!on) {
        AUTO_BUF struct buf why = BUF_INIT(128);
        buf_addf(&why, "Ended by %s.", action_who(call)->name);
        reply_title(r, TONE_PLAIN, rc > 0 ? "Live status ended" : "Live status is off");
        return rc > 0 ? end(live, &m, why.data, TELL_EDIT, err) : 0;
    }
    if (rc > 0) {
        reply_title(r, TONE_PLAIN, "Live status is on");
        reply_para(r, "Since {}, by {}. It is the pinned message.",
                   cell_time(m.since_us, now_us(live)), cell_text(m.by));
    } else if (count >= LIVE_MESSAGES_MAX) {
        reply_title(r, TONE_WARN, "Too many live messages");
        reply_para(r, "{} chats have one; end one of them first.", cell_count(count));
        return ACTION_DONE;
    } else {
        rc = begin(live, &m, err);
        if (rc < 0) {
            return rc;
        }
        loop_timer_in(live->timer, PERIOD_US);
        reply_title(r, TONE_GOOD, "Live status is on");
        reply_line(r, "The pinned message changes at most every 15 s.");
    }
    reply_button(r, "End", "/status live off", BUTTON_PLAIN);
    return ACTION_DONE;
}
