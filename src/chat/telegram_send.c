#include "base/check.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "store/outbox_table.h"
#include "telegram_delivery.h"
#include "telegram_stuck.h"

#include <stdlib.h>
#include <string.h>

#define UNSTORED_MAX  32
#define ACTION_OLD_US (5 * USEC_PER_SEC) /* Telegram shows it for five seconds */

static void pump(void *userdata);

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
    send->stuck = telegram_stuck_new(send);
    return 0;
}

void telegram_send_close(struct telegram_send *send)
{
    send->open = false;
    loop_timer_stop(send->timer);
}

void telegram_send_stop(struct telegram_send *send)
{
    telegram_send_close(send);
    for (size_t i = 0; i < TELEGRAM_DELIVERIES_MAX; i++) {
        if (send->deliveries[i] != NULL) {
            telegram_delivery_free(send->deliveries[i]);
        }
    }
    while (send->unstored != NULL) {
        LOG(WARNING, "telegram: an unstored reply is lost");
        telegram_delivery_free(send->unstored);
    }
}

void telegram_send_free(struct telegram_send *send)
{
    if (send == NULL) {
        return;
    }
    telegram_send_stop(send);
    telegram_stuck_free(send->stuck);
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

/* ------------------------------------------------------------------------ unstored replies ---- */

static void start_unstored(struct telegram_send *send)
{
    struct delivery *d = send->unstored;
    bool waits = d != NULL && d->timer != NULL && loop_timer_armed(d->timer);
    if (d != NULL && d->call == NULL && !waits) {
        telegram_delivery_send(d);
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
    d->chat_id = telegram_chats_moved_to(send->t, unstored->chat_id);
    d->thread_id = d->chat_id == unstored->chat_id ? unstored->thread_id : 0;
    d->edit = unstored->edit_message_id != 0 && d->chat_id == unstored->chat_id;
    d->reply = reply_copy(unstored->reply);
    d->row.kind = kind;
    if (telegram_message_is_text(d)) {
        render_html(d->reply, &d->parts);
    }
    if (send->t->plain_times) {
        telegram_delivery_plain_times(d);
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
    d->chat_id = telegram_chats_moved_to(send->t, row->chat_id);
    d->thread_id = d->chat_id == row->chat_id ? row->thread_id : 0;
    d->edit = (row->kind == OUTBOX_EDIT || row->kind == OUTBOX_REFRESH) &&
              row->edit_message_id != 0 && d->chat_id == row->chat_id;
    d->plain_buttons = send->t->plain_buttons;
    d->no_disabled = send->t->no_disabled;
    d->repeated = strncmp(row->last_error, TELEGRAM_LOST_MARK, strlen(TELEGRAM_LOST_MARK)) == 0;
    if (telegram_chats_is_dead(send->t, d->chat_id)) {
        (void)err_set(&err, ERR_TELEGRAM_CHAT_DEAD, "chat %lld", (long long)d->chat_id);
        telegram_delivery_dead(d, &err);
        return;
    }
    if (row->kind == OUTBOX_REFRESH && !d->edit) {
        (void)err_set(&err, ERR_TELEGRAM_MESSAGE_GONE, "message %lld", (long long)row->edit_of);
        telegram_delivery_dead(d, &err);
        return;
    }
    if (row->kind == OUTBOX_ACTION && telegram_send_wall(send) - row->created_us > ACTION_OLD_US) {
        telegram_delivery_done(d); /* what it announced has happened */
        return;
    }
    if (telegram_message_has_reply(d) &&
        reply_json_read(row->payload, strlen(row->payload), &d->reply, &err) < 0) {
        struct err why;
        (void)err_set(&why, ERR_OUTBOX_PAYLOAD, "outbox %lld: %s", (long long)row->id, err.context);
        telegram_delivery_dead(d, &why);
        return;
    }
    if (outbox_table_sending(send->t->options.store, row->id, telegram_delivery_reads(send, row),
                             &err) < 0) {
        /* Not sent: without a stored state it could be sent twice. */
        int64_t delay_us = telegram_fault(send->t, &send->fault, &err, "outbox");
        send->held_mono_us = telegram_send_mono(send) + delay_us;
        telegram_delivery_free(d);
        return;
    }
    d->row.attempts++;
    if (telegram_message_is_text(d)) {
        render_html(d->reply, &d->parts);
        if (send->t->plain_times) {
            telegram_delivery_plain_times(d);
        }
    }
    if (d->parts.overflow && row->kind != OUTBOX_REFRESH) {
        telegram_message_become_document(d);
    }
    d->aside = d->row.attempts > 1 && telegram_delivery_is_upload(d);
    telegram_delivery_send(d);
}

/* Chats to which no message may be sent now: rate-limited, or with a delivery under way, since the
 * order within a chat is kept. A file that has failed keeps nothing behind it waiting. */
static size_t busy_chats(struct telegram_send *send, int64_t *ret_chats, size_t max,
                         int64_t *ret_until_mono_us)
{
    size_t count = rate_limiter_waiting(&send->rate_limiter, telegram_send_mono(send), ret_chats,
                                        max, ret_until_mono_us);
    for (size_t i = 0; i < TELEGRAM_DELIVERIES_MAX; i++) {
        if (send->deliveries[i] != NULL && !send->deliveries[i]->aside && count + 1 < max) {
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
    int64_t now_us = telegram_send_mono(send);
    if (outbox_table_next_due_us(send->t->options.store, TELEGRAM_CHANNEL, &due_us, &err) < 0) {
        telegram_log_store(-1, &err);
        due_us = telegram_send_wall(send) + USEC_PER_SEC;
    }
    if (due_us == INT64_MAX) {
        loop_timer_stop(send->timer);
        return;
    }
    int64_t at_us = now_us + (due_us - telegram_send_wall(send));
    if (due_us <= telegram_send_wall(send)) {
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
    for (size_t slot = 0; send->open && slot < TELEGRAM_DELIVERIES_MAX; slot++) {
        if (send->deliveries[slot] != NULL) {
            continue;
        }
        int64_t chats[RATE_LIMITER_CHATS + 2 * TELEGRAM_DELIVERIES_MAX];
        int64_t now = telegram_send_mono(send);
        size_t count = busy_chats(send, chats, COUNT_OF(chats), &until_us);
        if (now < send->held_mono_us ||
            rate_limiter_ready_mono_us(&send->rate_limiter, 0, now) > now) {
            break;
        }
        struct outbox_row row = {0};
        struct err err = {0};
        int rc = outbox_table_due_except(send->t->options.store, TELEGRAM_CHANNEL,
                                         telegram_send_wall(send), chats, count, &row, &err);
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
        int64_t steady_us = rate_limiter_steady_mono_us(
            &send->rate_limiter, telegram_chats_moved_to(send->t, row.chat_id), now);
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
        telegram_log_store(rc, &err);
        if (rc == -ERR_STORE_DAMAGED) {
            continue; /* the table has marked it as dead */
        }
        if (rc <= 0) {
            return;
        }
        after = row.id;
        int64_t now_us = telegram_send_wall(send);
        bool harmless = row.kind == OUTBOX_EDIT || row.kind == OUTBOX_REFRESH ||
                        row.kind == OUTBOX_DELETE || row.kind == OUTBOX_PIN ||
                        row.kind == OUTBOX_UNPIN;
        if (harmless || row.priority <= OUTBOX_HIGH) {
            rc = outbox_table_retry(store, row.id, now_us,
                                    TELEGRAM_LOST_MARK "nightdesk was stopped", &err);
        } else if (now_us - row.created_us <= TELEGRAM_REPEAT_US &&
                   telegram_delivery_reads(send, &row)) {
            rc = outbox_table_retry(store, row.id, now_us, "nightdesk was stopped", &err);
        }
        telegram_log_store(rc, &err);
    }
}

void telegram_send_open(struct telegram_send *send)
{
    if (!send->open) {
        send->open = true;
        repeat_uncertain(send);
        telegram_stuck_start(send->stuck);
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
                              telegram_send_wall(send), &id, err);
    if (rc == 0) {
        telegram_send_wake(send);
    } else if (telegram_send_post_unstored(send, &(struct telegram_unstored){.chat_id = chat_id,
                                                                             .thread_id = thread_id,
                                                                             .reply = reply})) {
        rc = 0;
    }
    return rc;
}
