#include "telegram_delivery.h"

#include "base/check.h"
#include "base/log.h"
#include "command/manifest.h"
#include "model/telemetry.h"
#include "store/ops.h"
#include "store/run_table.h"

#include <stdlib.h>
#include <string.h>

/* A message that the server fails to take this often, while polls complete, is marked as dead. */
#define ATTEMPTS_MAX         20
#define UNDELIVERED_ALERT_US (10 * USEC_PER_MIN)
#define ALERT_UNDELIVERED    "telegram:undelivered"

void telegram_delivery_free(struct delivery *d)
{
    struct telegram_send *send = d->send;
    for (size_t i = 0; i < TELEGRAM_DELIVERIES_MAX; i++) {
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

/* ---------------------------------------------------------------------- end of a delivery ---- */

/* Nobody misses it: the message itself is there. */
static bool is_minor(const struct delivery *d)
{
    return !telegram_message_has_reply(d) || d->row.kind == OUTBOX_REFRESH;
}

/* An undeliverable alert must not raise the next. */
void telegram_delivery_alert(struct telegram_send *send, int64_t row_id, const struct err *why)
{
    int64_t now = telegram_send_mono(send);
    struct err cause;
    if (send->undelivered_mono_us != 0 && now - send->undelivered_mono_us <= UNDELIVERED_ALERT_US) {
        return;
    }
    send->undelivered_mono_us = now;
    (void)err_set(&cause, (enum err_id)why->id, "outbox %lld: %s", (long long)row_id, why->context);
    telegram_alert(send->t, ALERT_SERVICE, SEVERITY_HIGH, ALERT_UNDELIVERED, &cause);
}

void telegram_delivery_dead(struct delivery *d, const struct err *why)
{
    struct telegram_send *send = d->send;
    struct err err = {0};
    AUTO_BUF struct buf line = BUF_INIT(512);
    err_line(why, &line);
    if (d->row.id != 0) {
        telegram_log_store(outbox_table_dead(send->t->options.store, d->row.id, line.data, &err),
                           &err);
    }
    log_err(LOG_LEVEL_ERROR, why, "telegram: a message cannot be delivered");
    bool raise = why->id != ERR_TELEGRAM_CHAT_DEAD && !is_minor(d);
    int64_t row_id = d->row.id;
    telegram_delivery_free(d);
    if (raise) {
        telegram_delivery_alert(send, row_id, why);
    }
    telegram_send_wake(send);
}

/* The message shows a secret: it is deleted later, also after a restart. Its row holds nothing of
 * it. */
static int delete_later(const struct delivery *d, struct err *err)
{
    struct ops_store *store = d->send->t->options.store;
    int64_t now_us = telegram_send_wall(d->send), id = 0;
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

void telegram_delivery_done(struct delivery *d)
{
    struct telegram_send *send = d->send;
    struct err err = {0};
    if (d->reply != NULL && reply_concealed_us(d->reply) != 0 && d->message_id != 0) {
        telegram_log_store(delete_later(d, &err), &err);
    }
    if (d->row.id != 0) {
        telegram_log_store(
            outbox_table_delivered(send->t->options.store, d->row.id, d->message_id, &err), &err);
        telemetry_reply_delivered(send->t->options.telemetry, d->row.id, send->t->options.clock);
    }
    telegram_delivery_free(d);
    telegram_send_wake(send);
}

/* Returns the row to the outbox; only while no part has been delivered. */
static void end_retry(struct delivery *d, int64_t delay_us, const char *why)
{
    struct telegram_send *send = d->send;
    struct err err = {0};
    AUTO_BUF struct buf text = BUF_INIT(512);
    bool is_marked = strncmp(why, TELEGRAM_LOST_MARK, strlen(TELEGRAM_LOST_MARK)) == 0;
    buf_addf(&text, "%s%s", d->repeated && !is_marked ? TELEGRAM_LOST_MARK : "", why);
    if (d->row.id != 0) {
        telegram_log_store(outbox_table_retry(send->t->options.store, d->row.id,
                                              telegram_send_wall(send) + delay_us, text.data, &err),
                           &err);
    }
    telegram_delivery_free(d);
    telegram_send_wake(send);
}

static void end_uncertain(struct delivery *d, const char *why)
{
    struct telegram_send *send = d->send;
    struct err err = {0};
    telegram_log_store(outbox_table_uncertain(send->t->options.store, d->row.id, why, &err), &err);
    LOG(WARNING, "telegram: message %lld may not have arrived; it is not repeated",
        (long long)d->row.id);
    telegram_delivery_free(d);
    telegram_send_wake(send);
}

static void on_sent(const struct telegram_answer *answer, void *userdata);

static void send_part(struct delivery *d)
{
    struct err err = {0};
    rate_limiter_spend(&d->send->rate_limiter, d->chat_id, telegram_send_mono(d->send));
    if (telegram_message_send(d, on_sent, &err) == 0) {
        return;
    }
    if (err.id == ERR_ATTACHMENT_TOO_LARGE) { /* the chat that waits for it gets the error */
        log_err(LOG_LEVEL_WARNING, &err, "telegram: a file cannot be sent");
        telegram_message_become_error(d, &err);
        (void)telegram_message_send(d, on_sent, &err);
        return;
    }
    telegram_delivery_dead(d, &err);
}

static void resume(void *userdata)
{
    telegram_delivery_send(userdata);
}

static void send_in(struct delivery *d, int64_t delay_us)
{
    if (d->timer == NULL) {
        d->timer = loop_add_timer(d->send->t->options.loop, resume, d);
        loop_source_name(d->timer, "telegram delivery");
    }
    loop_timer_in(d->timer, delay_us);
}

void telegram_delivery_send(struct delivery *d)
{
    int64_t now_us = telegram_send_mono(d->send);
    int64_t ready_us = rate_limiter_ready_mono_us(&d->send->rate_limiter, d->chat_id, now_us);
    if (ready_us > now_us) {
        send_in(d, ready_us - now_us);
    } else {
        send_part(d);
    }
}

/* As long as nothing of it has arrived, a message waits in the outbox. */
static bool waits_here(const struct delivery *d)
{
    return d->part > 0 || d->message_id != 0 || d->row.id == 0;
}

/* Sends the same part again, later. */
static void repeat(struct delivery *d, int64_t delay_us, const char *why)
{
    if (!waits_here(d)) {
        end_retry(d, delay_us, why);
        return;
    }
    d->aside = true;
    send_in(d, delay_us);
    telegram_send_wake(d->send);
}

bool telegram_delivery_is_upload(const struct delivery *d)
{
    return d->row.kind == OUTBOX_PHOTO || d->row.kind == OUTBOX_DOCUMENT ||
           (d->document && d->part == d->parts.count);
}

/* Counts a failure, and returns the delay before this message is sent again. The others wait, too,
 * because the server may be down; unless it is only this message that fails: an upload, or the one
 * that failed last. */
static int64_t note_failure(struct delivery *d, const struct err *err)
{
    struct telegram_send *send = d->send;
    bool alone = telegram_delivery_is_upload(d) || (d->row.id != 0 && d->row.id == send->failed_id);
    int64_t delay_us = telegram_fault(send->t, &send->fault, err, "send");
    send->failed_id = d->row.id;
    d->row.attempts += waits_here(d) ? 1 : 0;
    if (alone) {
        send->fault.failures--; /* it says little about the server */
        return telegram_backoff_us(send->t, (unsigned)d->row.attempts - 1);
    }
    send->held_mono_us = telegram_send_mono(send) + delay_us;
    return delay_us;
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
        telegram_delivery_done(d);
        return;
    }
    d->part++;
    d->form = FORM_HTML;
    d->aside = false;
    if (d->part < d->parts.count || (d->part == d->parts.count && d->document)) {
        telegram_delivery_send(d);
        return;
    }
    telegram_delivery_done(d);
}

void telegram_delivery_plain_times(struct delivery *d)
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
            telegram_delivery_done(d);
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
    telegram_delivery_dead(d, &why);
    return true;
}

/* 400, 403, …: Telegram does not accept the message in this form. */
static void on_refused(struct delivery *d, const struct telegram_answer *answer)
{
    struct telegram_send *send = d->send;
    if (d->row.kind == OUTBOX_DELETE && mentions(answer, "message to delete not found")) {
        telegram_delivery_done(d);
    } else if (end_minor(d, answer)) {
        return;
    } else if (d->row.kind == OUTBOX_PHOTO && !d->plain_file && answer->code == 400 &&
               answer->migrate_to_chat_id == 0 && !chat_is_unreachable(answer) &&
               (d->thread_id == 0 || !topic_is_gone(answer))) {
        d->plain_file = true; /* its pixels do not please Telegram; its bytes can be sent */
        telegram_delivery_send(d);
    } else if (mentions(answer, "message is not modified")) {
        d->message_id = d->message_id == 0 ? d->row.edit_message_id : d->message_id;
        next_part(d);
    } else if (answer->migrate_to_chat_id != 0 && answer->migrate_to_chat_id != d->chat_id &&
               d->migrations++ < TELEGRAM_MIGRATIONS_MAX) {
        telegram_chats_moved(send->t, d->chat_id, answer->migrate_to_chat_id);
        d->chat_id = answer->migrate_to_chat_id;
        d->edit = false; /* neither message ids nor topics are valid in the new chat */
        d->thread_id = 0;
        telegram_delivery_send(d);
    } else if (d->thread_id != 0 && topic_is_gone(answer)) {
        LOG(NOTICE, "telegram: topic %lld of chat %lld takes no message (%s): sending to the chat",
            (long long)d->thread_id, (long long)d->chat_id, answer->description);
        d->thread_id = 0;
        telegram_delivery_send(d);
    } else if (chat_is_unreachable(answer)) {
        struct err why;
        int64_t chat_id = d->chat_id;
        (void)err_set(&why, ERR_TELEGRAM_CHAT_DEAD, "%s", answer->err.context);
        telegram_delivery_dead(d, &why);
        telegram_chats_dead(send->t, chat_id, answer->description);
    } else if (d->edit && d->part == 0 && edit_is_impossible(answer)) {
        d->edit = false;
        telegram_delivery_send(d);
    } else if ((mentions(answer, "message is too long") || mentions(answer, "MESSAGE_TOO_LONG") ||
                mentions(answer, "text is too long")) &&
               !d->document) {
        telegram_message_become_document(d);
        telegram_delivery_send(d);
    } else if (mentions(answer, "tg-time") && !d->plain_times) {
        LOG(NOTICE, "telegram: the server does not know <tg-time>: times are sent in UTC");
        send->t->plain_times = true;
        telegram_delivery_plain_times(d);
        telegram_delivery_send(d);
    } else if (mentions(answer, "style") && !d->plain_buttons) {
        LOG(NOTICE, "telegram: the server does not know the style of a button: they are all alike");
        send->t->plain_buttons = true;
        d->plain_buttons = true;
        telegram_delivery_send(d);
    } else if (knows_no_disabled(answer) && telegram_message_shows_choice(d)) {
        LOG(NOTICE, "telegram: the server does not know a disabled button: used ones disappear");
        send->t->no_disabled = true;
        d->no_disabled = true;
        telegram_delivery_send(d);
    } else if (d->form == FORM_HTML && answer->code == 400 && telegram_message_is_text(d)) {
        /* "can't parse entities", or another error in markup or buttons. */
        log_err(LOG_LEVEL_ERROR, &answer->err,
                "telegram: sending a message again without markup (a rendering bug)");
        d->form = FORM_PLAIN;
        telegram_delivery_send(d);
    } else {
        telegram_delivery_dead(d, &answer->err);
    }
}

bool telegram_delivery_reads(const struct telegram_send *send, const struct outbox_row *row)
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
 * unless it answers a command that only reads. A person has asked again long before
 * TELEGRAM_REPEAT_US; only an alert is worth more. */
static void on_lost(struct delivery *d, const struct telegram_answer *answer)
{
    AUTO_BUF struct buf why = BUF_INIT(512);
    struct telegram_send *send = d->send;
    /* Repeating an edit, a delete or a pin is harmless. */
    bool is_edit = (d->edit && d->part == 0) || is_minor(d);
    bool is_alert = d->row.priority <= OUTBOX_HIGH;
    bool is_plain = is_edit || (!is_alert && telegram_delivery_reads(send, &d->row));
    bool is_late = telegram_send_wall(send) - d->row.created_us > TELEGRAM_REPEAT_US;
    int64_t delay_us = note_failure(d, &answer->err);
    buf_addf(&why, "%s%s", is_plain ? "" : TELEGRAM_LOST_MARK, err_info(answer->err.id)->code);
    if (!is_edit && !is_alert && (is_late || !telegram_message_is_text(d))) {
        end_uncertain(d, why.data);
        return;
    }
    d->repeated = d->repeated || !is_plain;
    repeat(d, delay_us, why.data);
}

void telegram_delivery_drop(struct delivery *d)
{
    struct telegram_answer lost = {.result = TELEGRAM_LOST};
    if (d->call == NULL) {
        return;
    }
    telegram_api_cancel(d->call);
    d->call = NULL;
    (void)err_set(&lost.err, ERR_HTTP_TIMEOUT, "given up for a new connection");
    on_lost(d, &lost);
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
        rate_limiter_block(&send->rate_limiter, d->chat_id, telegram_send_mono(send) + delay_us);
        repeat(d, delay_us, "429");
        return;
    case TELEGRAM_NOT_SENT:
    case TELEGRAM_FAILED:
    case TELEGRAM_CONFLICT:
        delay_us = note_failure(d, &answer->err);
        if (answer->result != TELEGRAM_NOT_SENT && d->row.attempts >= ATTEMPTS_MAX &&
            t->state == TELEGRAM_POLLING) {
            telegram_delivery_dead(d, &answer->err);
        } else {
            repeat(d, delay_us, err_info(answer->err.id)->code);
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
