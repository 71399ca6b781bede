#include "base/check.h"
#include "base/log.h"
#include "chat/render.h"
#include "command/manifest.h"
#include "command/reply_json.h"
#include "rate_limiter.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
#include "telegram_message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DELIVERIES_MAX 8
/* A message that the server rejects this often, while it accepts others, is marked as dead. */
#define ATTEMPTS_MAX         20
#define MIGRATIONS_MAX       4
#define CHAT_DEAD_RETRY_US   USEC_PER_HOUR
#define UNDELIVERED_ALERT_US (10 * USEC_PER_MIN)
#define ALERT_UNDELIVERED    "telegram:undelivered"
#define REPEAT_US            (5 * USEC_PER_MIN)
#define LOST_MARK            "answer lost: " /* prefix of last_error of a row to be repeated */
#define NAME_SIZE            64
#define UNSTORED_MAX         32
#define ACTION_OLD_US        (5 * USEC_PER_SEC) /* Telegram shows it for five seconds */

struct telegram_send {
    struct telegram *t;
    bool open;
    struct loop_source *deferred;
    struct loop_source *timer;
    struct rate_limiter rate_limiter;
    struct delivery *deliveries[DELIVERIES_MAX];
    struct delivery *unstored; /* oldest first; the first is being sent */
    size_t unstored_count;
    struct telegram_fault fault;
    int64_t held_mono_us;        /* no delivery starts before this time: back-off */
    int64_t undelivered_mono_us; /* last alert about an undelivered message; 0: none */
};

static void pump(void *userdata);

static int64_t now_mono(const struct telegram_send *send)
{
    return clock_mono_us(send->t->options.clock);
}

static int64_t now_wall(const struct telegram_send *send)
{
    return clock_wall_us(send->t->options.clock);
}

int telegram_send_new(struct telegram *t, struct err *err)
{
    (void)err;
    struct telegram_send *send = calloc(1, sizeof(*send));
    ASSERT(send != NULL);
    t->send = send;
    send->t = t;
    rate_limiter_init(&send->rate_limiter);
    send->deferred = loop_add_deferred(t->options.loop, pump, send);
    send->timer = loop_add_timer(t->options.loop, pump, send);
    loop_source_name(send->deferred, "telegram outbox");
    loop_source_name(send->timer, "telegram outbox");
    return 0;
}

static void delivery_free(struct delivery *d)
{
    struct telegram_send *send = d->send;
    for (size_t i = 0; i < DELIVERIES_MAX; i++) {
        if (send->deliveries[i] == d) {
            send->deliveries[i] = NULL;
        }
    }
    for (struct delivery **at = &send->unstored; *at != NULL; at = &(*at)->next_unstored) {
        if (*at == d) {
            *at = d->next_unstored;
            send->unstored_count--;
            break;
        }
    }
    telegram_api_cancel(d->call);
    loop_source_free(d->timer);
    render_parts_release(&d->parts);
    reply_free(d->reply);
    outbox_row_release(&d->row);
    free(d);
}

void telegram_send_close(struct telegram_send *send)
{
    send->open = false;
    loop_timer_stop(send->timer);
}

void telegram_send_stop(struct telegram_send *send)
{
    telegram_send_close(send);
    for (size_t i = 0; i < DELIVERIES_MAX; i++) {
        if (send->deliveries[i] != NULL) {
            delivery_free(send->deliveries[i]);
        }
    }
    while (send->unstored != NULL) {
        LOG(WARNING, "telegram: an unstored reply is lost");
        delivery_free(send->unstored);
    }
}

void telegram_send_free(struct telegram_send *send)
{
    if (send == NULL) {
        return;
    }
    telegram_send_stop(send);
    loop_source_free(send->timer);
    loop_source_free(send->deferred);
    free(send);
}

void telegram_send_wake(struct telegram_send *send)
{
    if (send->open) {
        loop_defer(send->deferred);
    }
}

/* Logs a failure to store a row's new state. The row stays `sending`; the next start handles it. */
static void log_store(int rc, const struct err *err)
{
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, err, "telegram: could not store the state of a message");
    }
}

/* -------------------------------------------------------------------- dead and moved chats ---- */

static int64_t chat_mark(struct telegram_send *send, const char *what, int64_t chat_id)
{
    char name[NAME_SIZE];
    int64_t value = 0;
    (void)snprintf(name, sizeof(name), "telegram.%s.%lld", what, (long long)chat_id);
    (void)ops_store_get_i64(send->t->options.store, name, 0, &value, NULL);
    return value;
}

static void set_chat_mark(struct telegram_send *send, const char *what, int64_t chat_id,
                          int64_t value)
{
    char name[NAME_SIZE];
    struct err err;
    (void)snprintf(name, sizeof(name), "telegram.%s.%lld", what, (long long)chat_id);
    log_store(ops_store_write_i64(send->t->options.store, name, value, &err), &err);
}

static int64_t moved_to(struct telegram_send *send, int64_t chat_id)
{
    for (int i = 0; i < MIGRATIONS_MAX; i++) {
        int64_t next = chat_mark(send, "moved", chat_id);
        if (next == 0) {
            break;
        }
        chat_id = next;
    }
    return chat_id;
}

static bool chat_is_dead(struct telegram_send *send, int64_t chat_id)
{
    int64_t since_us = chat_mark(send, "dead", chat_id);
    int64_t age_us = now_wall(send) - since_us;
    return since_us != 0 && age_us >= 0 && age_us < CHAT_DEAD_RETRY_US;
}

static void chat_alert_name(char name[NAME_SIZE], int64_t chat_id)
{
    (void)snprintf(name, NAME_SIZE, "telegram:chat:%lld", (long long)chat_id);
}

void telegram_send_chat_alive(struct telegram_send *send, int64_t chat_id)
{
    if (chat_mark(send, "dead", chat_id) != 0) {
        char name[NAME_SIZE];
        set_chat_mark(send, "dead", chat_id, 0);
        chat_alert_name(name, chat_id);
        telegram_alert_over(send->t, name, "the chat can be reached again");
    }
}

void telegram_send_chat_dead(struct telegram_send *send, int64_t chat_id, const char *why)
{
    bool was_dead = chat_mark(send, "dead", chat_id) != 0;
    set_chat_mark(send, "dead", chat_id, now_wall(send));
    if (was_dead) {
        return; /* the alert is open; another one could be addressed to this chat as well */
    }
    char name[NAME_SIZE];
    struct err err;
    (void)err_set(&err, ERR_TELEGRAM_CHAT_DEAD, "chat %lld: %s", (long long)chat_id, why);
    log_err(LOG_LEVEL_ERROR, &err, "telegram");
    chat_alert_name(name, chat_id);
    telegram_alert(send->t, ALERT_SERVICE, SEVERITY_HIGH, name, &err);
}

/* ---------------------------------------------------------------------- end of a delivery ---- */

/* Nobody misses it: the message itself is there. */
static bool is_minor(const struct delivery *d)
{
    return d->row.kind == OUTBOX_DELETE || d->row.kind == OUTBOX_PIN ||
           d->row.kind == OUTBOX_ACTION || d->row.kind == OUTBOX_REFRESH ||
           d->row.kind == OUTBOX_UNPIN;
}

static bool has_reply(const struct delivery *d)
{
    return !is_minor(d) || d->row.kind == OUTBOX_REFRESH;
}

static void end_dead(struct delivery *d, const struct err *why)
{
    struct telegram_send *send = d->send;
    struct err err = {0};
    AUTO_BUF struct buf line = BUF_INIT(512);
    err_line(why, &line);
    if (d->row.id != 0) {
        log_store(outbox_table_dead(send->t->options.store, d->row.id, line.data, &err), &err);
    }
    log_err(LOG_LEVEL_ERROR, why, "telegram: a message cannot be delivered");
    int64_t now = now_mono(send);
    bool raise =
        why->id != ERR_TELEGRAM_CHAT_DEAD && !is_minor(d) &&
        (send->undelivered_mono_us == 0 || now - send->undelivered_mono_us > UNDELIVERED_ALERT_US);
    int64_t row_id = d->row.id;
    delivery_free(d);
    if (raise) {
        /* At most one alert in UNDELIVERED_ALERT_US: an undeliverable alert must not raise the
         * next. */
        struct err cause;
        send->undelivered_mono_us = now;
        (void)err_set(&cause, (enum err_id)why->id, "outbox %lld: %s", (long long)row_id,
                      why->context);
        telegram_alert(send->t, ALERT_SERVICE, SEVERITY_HIGH, ALERT_UNDELIVERED, &cause);
    }
    telegram_send_wake(send);
}

/* The message shows a secret: it is deleted later, also after a restart. Its row holds nothing of
 * it. */
static int delete_later(const struct delivery *d, struct err *err)
{
    struct ops_store *store = d->send->t->options.store;
    int64_t now_us = now_wall(d->send), id = 0;
    struct outbox_new m = {.channel = TELEGRAM_CHANNEL,
                           .chat_id = d->chat_id,
                           .kind = OUTBOX_SEND,
                           .priority = OUTBOX_NORMAL,
                           .payload = "{}"};
    int rc = ops_store_begin(store, err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = outbox_table_add(store, &m, now_us, &id, err)) == 0 &&
        (rc = outbox_table_sending(store, id, false, err)) == 0 &&
        (rc = outbox_table_delivered(store, id, d->message_id, err)) == 0) {
        m.kind = OUTBOX_DELETE;
        m.edit_of = id;
        m.not_before_us = now_us + reply_concealed_us(d->reply);
        rc = outbox_table_add(store, &m, now_us, &id, err);
    }
    if (rc < 0) {
        ops_store_rollback(store);
        return rc;
    }
    return ops_store_commit(store, err);
}

static void end_delivered(struct delivery *d)
{
    struct telegram_send *send = d->send;
    struct err err = {0};
    if (d->reply != NULL && reply_concealed_us(d->reply) != 0 && d->message_id != 0) {
        log_store(delete_later(d, &err), &err);
    }
    if (d->row.id != 0) {
        log_store(outbox_table_delivered(send->t->options.store, d->row.id, d->message_id, &err),
                  &err);
    }
    delivery_free(d);
    telegram_send_wake(send);
}

/* Returns the row to the outbox; only while no part has been delivered. */
static void end_retry(struct delivery *d, int64_t delay_us, const char *why)
{
    struct telegram_send *send = d->send;
    struct err err = {0};
    AUTO_BUF struct buf text = BUF_INIT(512);
    bool is_marked = strncmp(why, LOST_MARK, strlen(LOST_MARK)) == 0;
    buf_addf(&text, "%s%s", d->repeated && !is_marked ? LOST_MARK : "", why);
    if (d->row.id != 0) {
        log_store(outbox_table_retry(send->t->options.store, d->row.id, now_wall(send) + delay_us,
                                     text.data, &err),
                  &err);
    }
    delivery_free(d);
    telegram_send_wake(send);
}

static void end_uncertain(struct delivery *d, const char *why)
{
    struct telegram_send *send = d->send;
    struct err err = {0};
    log_store(outbox_table_uncertain(send->t->options.store, d->row.id, why, &err), &err);
    LOG(WARNING, "telegram: message %lld may not have arrived; it is not repeated",
        (long long)d->row.id);
    delivery_free(d);
    telegram_send_wake(send);
}

static void on_sent(const struct telegram_answer *answer, void *userdata);

static void send_part(struct delivery *d)
{
    struct err err = {0};
    rate_limiter_spend(&d->send->rate_limiter, d->chat_id, now_mono(d->send));
    if (telegram_message_send(d, on_sent, &err) == 0) {
        return;
    }
    if (err.id == ERR_ATTACHMENT_TOO_LARGE) { /* the chat that waits for it gets the error */
        log_err(LOG_LEVEL_WARNING, &err, "telegram: a file cannot be sent");
        telegram_message_become_error(d, &err);
        (void)telegram_message_send(d, on_sent, &err);
        return;
    }
    end_dead(d, &err);
}

static void resume(void *userdata)
{
    send_part(userdata);
}

/* Sends the same part again, later. */
static void wait_and_repeat(struct delivery *d, int64_t delay_us, const char *why)
{
    if (d->part == 0 && d->message_id == 0 && d->row.id != 0) {
        end_retry(d, delay_us, why);
        return;
    }
    d->row.attempts += d->row.id == 0 ? 1 : 0;
    if (d->timer == NULL) {
        d->timer = loop_add_timer(d->send->t->options.loop, resume, d);
        loop_source_name(d->timer, "telegram delivery");
    }
    loop_timer_in(d->timer, delay_us);
}

/* ------------------------------------------------------------------------------- answers ---- */

static bool mentions(const struct telegram_answer *answer, const char *what)
{
    return strcasestr(answer->description, what) != NULL;
}

static bool chat_is_unreachable(const struct telegram_answer *answer)
{
    static const char *const words[] = {
        "chat not found",
        "bot was blocked",
        "bot was kicked",
        "user is deactivated",
        "group chat was deleted",
        "PEER_ID_INVALID",
        "can't initiate conversation",
        "not enough rights to send",
        "have no rights to send",
        "CHAT_WRITE_FORBIDDEN",
        "bot is not a member",
    };
    if (answer->code == 403) {
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (mentions(answer, words[i])) {
            return true;
        }
    }
    return false;
}

/* Closed or deleted: its chat still takes messages. */
static bool topic_is_gone(const struct telegram_answer *answer)
{
    return mentions(answer, "thread not found") || mentions(answer, "TOPIC_CLOSED") ||
           mentions(answer, "TOPIC_DELETED") || mentions(answer, "TOPIC_ID_INVALID");
}

/* A server older than Bot API 10.3 sees a button without an action. */
static bool knows_no_disabled(const struct telegram_answer *answer)
{
    return mentions(answer, "text buttons are unallowed") || mentions(answer, "disabled");
}

static void next_part(struct delivery *d)
{
    /* Only the first part of a live message is kept up to date. */
    if (!telegram_message_is_text(d) || d->row.kind == OUTBOX_REFRESH) {
        end_delivered(d);
        return;
    }
    d->part++;
    d->form = FORM_HTML;
    if (d->part < d->parts.count || (d->part == d->parts.count && d->document)) {
        int64_t wait_us =
            rate_limiter_ready_mono_us(&d->send->rate_limiter, d->chat_id, now_mono(d->send)) -
            now_mono(d->send);
        if (wait_us > 0) {
            wait_and_repeat(d, wait_us, "rate limit");
        } else {
            send_part(d);
        }
        return;
    }
    end_delivered(d);
}

static void make_times_plain(struct delivery *d)
{
    d->plain_times = true;
    render_html_plain_times(&d->parts);
}

static bool edit_is_impossible(const struct telegram_answer *answer)
{
    return mentions(answer, "message to edit not found") ||
           mentions(answer, "message can't be edited") || mentions(answer, "MESSAGE_ID_INVALID");
}

/* Of a row that nobody misses. A refresh may still be sent in another form. */
static bool end_minor(struct delivery *d, const struct telegram_answer *answer)
{
    struct err why = answer->err;
    if (!is_minor(d) || answer->migrate_to_chat_id != 0 ||
        (d->thread_id != 0 && topic_is_gone(answer) && d->row.kind != OUTBOX_REFRESH)) {
        return false;
    }
    if (d->row.kind == OUTBOX_REFRESH) {
        if (mentions(answer, "message is not modified")) {
            end_delivered(d);
            return true;
        }
        if (edit_is_impossible(answer)) {
            (void)err_set(&why, ERR_TELEGRAM_MESSAGE_GONE, "%s", answer->description);
        } else if (chat_is_unreachable(answer)) {
            (void)err_set(&why, ERR_TELEGRAM_CHAT_DEAD, "%s", answer->description);
        } else if (d->form == FORM_HTML && answer->code == 400) {
            return false;
        }
    } else if (d->row.kind == OUTBOX_PIN && mentions(answer, "not enough rights")) {
        (void)err_set(&why, ERR_TELEGRAM_NO_PIN, "%s", answer->description);
    }
    end_dead(d, &why);
    return true;
}

/* 400, 403, …: Telegram does not accept the message in this form. */
static void on_refused(struct delivery *d, const struct telegram_answer *answer)
{
    struct telegram_send *send = d->send;
    if (d->row.kind == OUTBOX_DELETE && mentions(answer, "message to delete not found")) {
        end_delivered(d);
    } else if (end_minor(d, answer)) {
        return;
    } else if (d->row.kind == OUTBOX_PHOTO && !d->plain_file && answer->code == 400 &&
               answer->migrate_to_chat_id == 0 && !chat_is_unreachable(answer) &&
               (d->thread_id == 0 || !topic_is_gone(answer))) {
        d->plain_file = true; /* its pixels do not please Telegram; its bytes can be sent */
        send_part(d);
    } else if (mentions(answer, "message is not modified")) {
        d->message_id = d->message_id == 0 ? d->row.edit_message_id : d->message_id;
        next_part(d);
    } else if (answer->migrate_to_chat_id != 0 && answer->migrate_to_chat_id != d->chat_id &&
               d->migrations++ < MIGRATIONS_MAX) {
        LOG(NOTICE, "telegram: chat %lld has migrated to %lld", (long long)d->chat_id,
            (long long)answer->migrate_to_chat_id);
        set_chat_mark(send, "moved", d->chat_id, answer->migrate_to_chat_id);
        d->chat_id = answer->migrate_to_chat_id;
        d->edit = false; /* neither message ids nor topics are valid in the new chat */
        d->thread_id = 0;
        send_part(d);
    } else if (d->thread_id != 0 && topic_is_gone(answer)) {
        LOG(NOTICE, "telegram: topic %lld of chat %lld takes no message (%s): sending to the chat",
            (long long)d->thread_id, (long long)d->chat_id, answer->description);
        d->thread_id = 0;
        send_part(d);
    } else if (chat_is_unreachable(answer)) {
        struct err why;
        int64_t chat_id = d->chat_id;
        (void)err_set(&why, ERR_TELEGRAM_CHAT_DEAD, "%s", answer->err.context);
        end_dead(d, &why);
        telegram_send_chat_dead(send, chat_id, answer->description);
    } else if (d->edit && d->part == 0 && edit_is_impossible(answer)) {
        d->edit = false;
        send_part(d);
    } else if ((mentions(answer, "message is too long") || mentions(answer, "MESSAGE_TOO_LONG") ||
                mentions(answer, "text is too long")) &&
               !d->document) {
        telegram_message_become_document(d);
        send_part(d);
    } else if (mentions(answer, "tg-time") && !d->plain_times) {
        LOG(NOTICE, "telegram: the server does not know <tg-time>: times are sent in UTC");
        send->t->plain_times = true;
        make_times_plain(d);
        send_part(d);
    } else if (mentions(answer, "style") && !d->plain_buttons) {
        LOG(NOTICE, "telegram: the server does not know the style of a button: they are all alike");
        send->t->plain_buttons = true;
        d->plain_buttons = true;
        send_part(d);
    } else if (knows_no_disabled(answer) && telegram_message_shows_choice(d)) {
        LOG(NOTICE, "telegram: the server does not know a disabled button: used ones disappear");
        send->t->no_disabled = true;
        d->no_disabled = true;
        send_part(d);
    } else if (d->form == FORM_HTML && answer->code == 400 && telegram_message_is_text(d)) {
        /* "can't parse entities", or another error in markup or buttons. */
        log_err(LOG_LEVEL_ERROR, &answer->err,
                "telegram: sending a message again without markup (a rendering bug)");
        d->form = FORM_PLAIN;
        send_part(d);
    } else {
        end_dead(d, &answer->err);
    }
}

/* Whether the message answers a command that only reads: the same text twice cannot mislead. */
static bool answers_reading(const struct telegram_send *send, const struct outbox_row *row)
{
    const struct telegram_options *o = &send->t->options;
    AUTO_RUN_ROW struct run_row run = {0};
    if (row->run_id == 0 || run_table_get(o->store, row->run_id, &run, NULL) < 0) {
        return false;
    }
    const struct manifest *m = manifest_find(o->manifests, run.command);
    return m != NULL && !m->changes;
}

/* The message may have arrived. Silence is worse than a repetition, which says that it may be one
 * unless it answers a command that only reads. A person has asked again long before REPEAT_US; only
 * an alert is worth more. */
static void on_lost(struct delivery *d, const struct telegram_answer *answer)
{
    AUTO_BUF struct buf why = BUF_INIT(512);
    struct telegram_send *send = d->send;
    /* Repeating an edit, a delete or a pin is harmless. */
    bool is_edit = (d->edit && d->part == 0) || is_minor(d);
    bool is_alert = d->row.priority <= OUTBOX_HIGH;
    bool is_plain = is_edit || (!is_alert && answers_reading(send, &d->row));
    bool is_late = now_wall(send) - d->row.created_us > REPEAT_US;
    int64_t delay_us = telegram_fault(send->t, &send->fault, &answer->err, "send");
    send->held_mono_us = now_mono(send) + delay_us;
    buf_addf(&why, "%s%s", is_plain ? "" : LOST_MARK, err_info(answer->err.id)->code);
    if (!is_edit && !is_alert && (is_late || !telegram_message_is_text(d))) {
        end_uncertain(d, why.data);
        return;
    }
    d->repeated = d->repeated || !is_plain;
    wait_and_repeat(d, delay_us, why.data);
}

static void on_sent(const struct telegram_answer *answer, void *userdata)
{
    struct delivery *d = userdata;
    struct telegram_send *send = d->send;
    struct telegram *t = send->t;
    int64_t delay_us = 0;
    d->call = NULL;
    switch (answer->result) {
    case TELEGRAM_OK:
        t->sent++;
        telegram_fault_over(t, &send->fault, "send");
        if (d->message_id == 0) {
            d->message_id = json_i64(answer->value, "message_id", d->row.edit_message_id);
        }
        next_part(d);
        return;
    case TELEGRAM_WAIT:
        delay_us = answer->retry_after_s * USEC_PER_SEC;
        t->failures++;
        LOG(DEBUG, "telegram: chat %lld waits %lld s", (long long)d->chat_id,
            (long long)answer->retry_after_s);
        rate_limiter_block(&send->rate_limiter, d->chat_id, now_mono(send) + delay_us);
        wait_and_repeat(d, delay_us, "429");
        return;
    case TELEGRAM_NOT_SENT:
    case TELEGRAM_FAILED:
    case TELEGRAM_CONFLICT:
        delay_us = telegram_fault(t, &send->fault, &answer->err, "send");
        send->held_mono_us = now_mono(send) + delay_us;
        if (answer->result != TELEGRAM_NOT_SENT && d->row.attempts >= ATTEMPTS_MAX) {
            end_dead(d, &answer->err);
        } else {
            wait_and_repeat(d, delay_us, err_info(answer->err.id)->code);
        }
        return;
    case TELEGRAM_LOST:
        on_lost(d, answer);
        return;
    case TELEGRAM_NO:
        telegram_fault_over(t, &send->fault, "send");
        on_refused(d, answer);
        return;
    case TELEGRAM_TOKEN_REFUSED:
        if (d->row.id != 0) {
            end_retry(d, 0, "401"); /* an unstored reply stays first in its list */
        }
        telegram_refuse_token(t, &answer->err);
        return;
    }
}

/* ------------------------------------------------------------------------ unstored replies ---- */

static void start_unstored(struct telegram_send *send)
{
    struct delivery *d = send->unstored;
    int64_t now_us = now_mono(send);
    int64_t wait_us =
        d == NULL ? 0
                  : rate_limiter_ready_mono_us(&send->rate_limiter, d->chat_id, now_us) - now_us;
    if (d == NULL || d->call != NULL || d->timer != NULL) {
        return;
    }
    if (wait_us > 0) {
        wait_and_repeat(d, wait_us, "rate limit");
    } else {
        send_part(d);
    }
}

static void post_unstored(struct telegram_send *send, const struct telegram_unstored *unstored,
                          enum outbox_kind kind)
{
    struct delivery *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    d->send = send;
    d->send_api = send->t->api;
    d->attachments = send->t->options.attachments;
    d->row.chat_id = unstored->chat_id;
    d->row.priority = OUTBOX_CRITICAL; /* repeated if its answer is lost */
    d->row.edit_message_id = unstored->edit_message_id;
    d->chat_id = moved_to(send, unstored->chat_id);
    d->thread_id = d->chat_id == unstored->chat_id ? unstored->thread_id : 0;
    d->edit = unstored->edit_message_id != 0 && d->chat_id == unstored->chat_id;
    d->reply = reply_copy(unstored->reply);
    d->row.kind = kind;
    if (telegram_message_is_text(d)) {
        render_html(d->reply, &d->parts);
    }
    if (send->t->plain_times) {
        make_times_plain(d);
    }
    d->plain_buttons = send->t->plain_buttons;
    d->no_disabled = send->t->no_disabled;
    if (d->parts.overflow) {
        telegram_message_become_document(d);
    }
    struct delivery **at = &send->unstored;
    while (*at != NULL) {
        at = &(*at)->next_unstored;
    }
    *at = d;
    send->unstored_count++;
    telegram_send_wake(send);
}

bool telegram_send_post_unstored(struct telegram_send *send,
                                 const struct telegram_unstored *unstored)
{
    if (!send->open || send->unstored_count >= UNSTORED_MAX) {
        return false;
    }
    if (reply_concealed_png(unstored->reply).len > 0) {
        struct telegram_unstored photo = *unstored;
        photo.edit_message_id = 0;
        post_unstored(send, &photo, OUTBOX_PHOTO);
    }
    post_unstored(send, unstored, OUTBOX_SEND);
    return true;
}

/* ------------------------------------------------------------------------------ the outbox ---- */

/* Takes ownership of *row. */
static void start_delivery(struct telegram_send *send, size_t slot, struct outbox_row *row)
{
    struct err err = {0};
    struct delivery *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    d->send = send;
    d->send_api = send->t->api;
    d->attachments = send->t->options.attachments;
    d->row = *row;
    send->deliveries[slot] = d;
    d->chat_id = moved_to(send, row->chat_id);
    d->thread_id = d->chat_id == row->chat_id ? row->thread_id : 0;
    d->edit = (row->kind == OUTBOX_EDIT || row->kind == OUTBOX_REFRESH) &&
              row->edit_message_id != 0 && d->chat_id == row->chat_id;
    d->plain_buttons = send->t->plain_buttons;
    d->no_disabled = send->t->no_disabled;
    d->repeated = strncmp(row->last_error, LOST_MARK, strlen(LOST_MARK)) == 0;
    if (chat_is_dead(send, d->chat_id)) {
        (void)err_set(&err, ERR_TELEGRAM_CHAT_DEAD, "chat %lld", (long long)d->chat_id);
        end_dead(d, &err);
        return;
    }
    if (row->kind == OUTBOX_REFRESH && !d->edit) {
        (void)err_set(&err, ERR_TELEGRAM_MESSAGE_GONE, "message %lld", (long long)row->edit_of);
        end_dead(d, &err);
        return;
    }
    if (row->kind == OUTBOX_ACTION && now_wall(send) - row->created_us > ACTION_OLD_US) {
        end_delivered(d); /* what it announced has happened */
        return;
    }
    if (has_reply(d) && reply_json_read(row->payload, strlen(row->payload), &d->reply, &err) < 0) {
        struct err why;
        (void)err_set(&why, ERR_OUTBOX_PAYLOAD, "outbox %lld: %s", (long long)row->id, err.context);
        end_dead(d, &why);
        return;
    }
    if (outbox_table_sending(send->t->options.store, row->id, answers_reading(send, row), &err) <
        0) {
        /* Not sent: without a stored state it could be sent twice. */
        int64_t delay_us = telegram_fault(send->t, &send->fault, &err, "outbox");
        send->held_mono_us = now_mono(send) + delay_us;
        delivery_free(d);
        return;
    }
    d->row.attempts++;
    if (telegram_message_is_text(d)) {
        render_html(d->reply, &d->parts);
        if (send->t->plain_times) {
            make_times_plain(d);
        }
    }
    if (d->parts.overflow && row->kind != OUTBOX_REFRESH) {
        telegram_message_become_document(d);
    }
    send_part(d);
}

/* Chats to which no message may be sent now: rate-limited, or with a delivery under way, since the
 * order within a chat is kept. */
static size_t busy_chats(struct telegram_send *send, int64_t *ret_chats, size_t max,
                         int64_t *ret_until_mono_us)
{
    size_t count = rate_limiter_waiting(&send->rate_limiter, now_mono(send), ret_chats, max,
                                        ret_until_mono_us);
    for (size_t i = 0; i < DELIVERIES_MAX; i++) {
        if (send->deliveries[i] != NULL && count + 1 < max) {
            ret_chats[count++] = send->deliveries[i]->chat_id;
            if (send->deliveries[i]->row.chat_id != send->deliveries[i]->chat_id) {
                ret_chats[count++] = send->deliveries[i]->row.chat_id;
            }
        }
    }
    return count;
}

static void arm(struct telegram_send *send, int64_t until_mono_us)
{
    struct err err = {0};
    int64_t due_us = INT64_MAX;
    int64_t now_us = now_mono(send);
    if (outbox_table_next_due_us(send->t->options.store, TELEGRAM_CHANNEL, &due_us, &err) < 0) {
        log_store(-1, &err);
        due_us = now_wall(send) + USEC_PER_SEC;
    }
    if (due_us == INT64_MAX) {
        loop_timer_stop(send->timer);
        return;
    }
    int64_t at_us = now_us + (due_us - now_wall(send));
    if (due_us <= now_wall(send)) {
        /* Due but not started: its chat, the bot or the server has to wait. A delivery that ends
         * wakes us anyway. */
        int64_t bot_us = rate_limiter_ready_mono_us(&send->rate_limiter, 0, now_us);
        at_us = until_mono_us < now_us + USEC_PER_SEC ? until_mono_us : now_us + USEC_PER_SEC;
        at_us = bot_us > now_us ? bot_us : at_us; /* the chats' waits are computed again then */
    }
    at_us = at_us > send->held_mono_us ? at_us : send->held_mono_us;
    loop_timer_at(send->timer, at_us > now_us ? at_us : now_us + USEC_PER_MSEC);
}

static void pump(void *userdata)
{
    struct telegram_send *send = userdata;
    int64_t until_us = INT64_MAX;
    if (send->open) {
        start_unstored(send);
    }
    for (size_t slot = 0; send->open && slot < DELIVERIES_MAX; slot++) {
        if (send->deliveries[slot] != NULL) {
            continue;
        }
        int64_t chats[RATE_LIMITER_CHATS + 2 * DELIVERIES_MAX];
        int64_t now = now_mono(send);
        size_t count = busy_chats(send, chats, COUNT_OF(chats), &until_us);
        if (now < send->held_mono_us ||
            rate_limiter_ready_mono_us(&send->rate_limiter, 0, now) > now) {
            break;
        }
        struct outbox_row row = {0};
        struct err err = {0};
        int rc = outbox_table_due_except(send->t->options.store, TELEGRAM_CHANNEL, now_wall(send),
                                         chats, count, &row, &err);
        if (rc == -ERR_STORE_DAMAGED) {
            log_err(LOG_LEVEL_ERROR, &err, "telegram: dropped an unreadable message");
            slot--;
            continue;
        }
        if (rc < 0) {
            send->held_mono_us = now + telegram_fault(send->t, &send->fault, &err, "outbox");
            break;
        }
        if (rc == 0) {
            break;
        }
        int64_t steady_us =
            rate_limiter_steady_mono_us(&send->rate_limiter, moved_to(send, row.chat_id), now);
        /* An alert does not use up a reply's burst. */
        if (row.run_id == 0 && row.kind != OUTBOX_ACTION && steady_us > now) {
            rate_limiter_block(&send->rate_limiter, row.chat_id, steady_us);
            outbox_row_release(&row);
            slot--;
            continue;
        }
        start_delivery(send, slot, &row);
    }
    if (send->open) {
        arm(send, until_us);
    }
}

/* Messages that the last process was sending may have arrived. Urgent ones are sent again with the
 * mark "possibly repeated", fresh answers of commands that only read without; the others stay
 * uncertain, because the user can repeat the command. */
static void repeat_uncertain(struct telegram_send *send)
{
    struct ops_store *store = send->t->options.store;
    int64_t after = 0;
    for (;;) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        struct err err = {0};
        int rc = outbox_table_next_uncertain(store, TELEGRAM_CHANNEL, after, &row, &err);
        log_store(rc, &err);
        if (rc == -ERR_STORE_DAMAGED) {
            continue; /* the table has marked it as dead */
        }
        if (rc <= 0) {
            return;
        }
        after = row.id;
        int64_t now_us = now_wall(send);
        bool harmless = row.kind == OUTBOX_EDIT || row.kind == OUTBOX_REFRESH ||
                        row.kind == OUTBOX_DELETE || row.kind == OUTBOX_PIN ||
                        row.kind == OUTBOX_UNPIN;
        if (harmless || row.priority <= OUTBOX_HIGH) {
            rc = outbox_table_retry(store, row.id, now_us, LOST_MARK "nightdesk was stopped", &err);
        } else if (now_us - row.created_us <= REPEAT_US && answers_reading(send, &row)) {
            rc = outbox_table_retry(store, row.id, now_us, "nightdesk was stopped", &err);
        }
        log_store(rc, &err);
    }
}

void telegram_send_open(struct telegram_send *send)
{
    if (!send->open) {
        send->open = true;
        repeat_uncertain(send);
    }
    telegram_send_wake(send);
}

int telegram_send_error(struct telegram_send *send, int64_t chat_id, int64_t thread_id,
                        const struct err *why, struct err *err)
{
    AUTO_REPLY struct reply *reply = reply_new();
    reply_error(reply, why);
    AUTO_BUF struct buf text = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    reply_json_message(reply, &text);
    int64_t id = 0;
    int rc = outbox_table_add(send->t->options.store,
                              &(struct outbox_new){.channel = TELEGRAM_CHANNEL,
                                                   .chat_id = chat_id,
                                                   .thread_id = thread_id,
                                                   .kind = OUTBOX_SEND,
                                                   .priority = OUTBOX_NORMAL,
                                                   .payload = text.data},
                              now_wall(send), &id, err);
    if (rc == 0) {
        telegram_send_wake(send);
    } else if (telegram_send_post_unstored(send, &(struct telegram_unstored){.chat_id = chat_id,
                                                                             .thread_id = thread_id,
                                                                             .reply = reply})) {
        rc = 0;
    }
    return rc;
}
