/*
 * telegram_delivery.h: one message on its way to Telegram: sends its parts one after the other, and
 * decides by each answer what becomes of it. telegram_send.c starts them. Private to this module.
 *
 *     d = ... a row of the outbox, or an unstored reply ...
 *     telegram_delivery_send(d);            // d is freed at its end, and the outbox is woken
 *
 * Always true: a delivery ends as delivered, dead, uncertain or back in the outbox, which is stored
 * before it is freed; nothing is sent beyond the rate limits. Thread: ops.
 */
#pragma once

#include "rate_limiter.h"
#include "telegram_message.h"

#define TELEGRAM_DELIVERIES_MAX 8
#define TELEGRAM_REPEAT_US      (5 * USEC_PER_MIN) /* an older reply is not repeated */
#define TELEGRAM_LOST_MARK      "answer lost: " /* prefix of last_error of a row to be repeated */

struct telegram_send {
    struct telegram *t;
    bool open;
    struct loop_source *deferred;
    struct loop_source *timer;
    struct rate_limiter rate_limiter;
    struct delivery *deliveries[TELEGRAM_DELIVERIES_MAX];
    struct delivery *unstored; /* oldest first; the first is being sent */
    size_t unstored_count;
    struct telegram_fault fault;
    int64_t failed_id;           /* of the row that failed last; 0: none */
    int64_t held_mono_us;        /* no delivery starts before this time: back-off */
    int64_t undelivered_mono_us; /* last alert about an undelivered message; 0: none */
    struct telegram_stuck *stuck;
};

static inline int64_t telegram_send_mono(const struct telegram_send *send)
{
    return clock_mono_us(send->t->options.clock);
}

static inline int64_t telegram_send_wall(const struct telegram_send *send)
{
    return clock_wall_us(send->t->options.clock);
}

/* Without a result; the row stays as it is. */
void telegram_delivery_free(struct delivery *d);
/* Sends the part d->part as soon as the rate limits allow it. */
void telegram_delivery_send(struct delivery *d);
void telegram_delivery_dead(struct delivery *d, const struct err *why);
/* Gives up the call that is under way; the message may have arrived. Nothing if there is none. */
void telegram_delivery_drop(struct delivery *d);
/* Raises the alert about a message that is kept as undelivered; at most one in ten minutes. */
void telegram_delivery_alert(struct telegram_send *send, int64_t row_id, const struct err *why);
void telegram_delivery_done(struct delivery *d);
void telegram_delivery_plain_times(struct delivery *d);
/* Whether the message answers a command that only reads: the same text twice cannot mislead. */
bool telegram_delivery_reads(const struct telegram_send *send, const struct outbox_row *row);
/* Uploading the same bytes again takes long, and says little about the server. */
bool telegram_delivery_is_upload(const struct delivery *d);
