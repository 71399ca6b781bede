#include "alert_reply.h"
#include "alerts_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "store/alert_table.h"
#include "store/ops.h"

#include <string.h>

#define BATCH      50
#define ALONE_MAX  3                   /* more messages at once become one list */
#define LIST_SHOWN 20                  /* of that list */
#define GAP_US     (30 * USEC_PER_SEC) /* between two batches */
#define OLD_US     USEC_PER_DAY        /* older messages are not copied any more */
#define AFTER_US   USEC_PER_MIN        /* of a configuration without one */

static const char *const channels[] = {"mail", "webhook"};

struct copy {
    struct alert *alert; /* NULL: the message is about none */
    struct reply *reply; /* owned */
    int64_t outbox_id;   /* of the message that was not delivered; 0: an unacknowledged alert */
    enum outbox_priority priority;
};

struct batch {
    struct copy items[BATCH];
    size_t count;
};

static void batch_release(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->items[i].alert);
        reply_free(batch->items[i].reply);
    }
    batch->count = 0;
}

static bool holds(const struct batch *batch, int64_t alert_id)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].alert != NULL && batch->items[i].alert->id == alert_id) {
            return true;
        }
    }
    return false;
}

/* The alert that the message is about; NULL: none. The caller frees it. */
static struct alert *alert_of(struct alerts *alerts, int64_t outbox_id)
{
    int64_t id = 0, total = 0, open = 0;
    if (alert_message_table_alerts(alerts->o.store, outbox_id, &id, 1, &total, &open, NULL) <= 0) {
        return NULL;
    }
    struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    if (alert_table_get(alerts->o.store, id, alert, NULL) < 0) {
        free(alert);
        return NULL;
    }
    return alert;
}

static void add_why(struct reply *r, const struct outbox_row *row)
{
    bool dead = row->state == OUTBOX_DEAD;
    reply_line(r, "Telegram %s this message%s%s", dead ? "did not deliver" : "has not delivered",
               row->last_error[0] == '\0' ? "." : ": ", row->last_error);
}

/* ---------------------------------------------------------------- what is to be copied */

static int collect_undelivered(struct alerts *alerts, bool refused, struct batch *batch,
                               struct err *err)
{
    struct outbox_row rows[BATCH];
    const struct config *config = alerts->o.config;
    int64_t now_us = clock_wall_us(alerts->o.clock);
    int64_t after_us = config->alerts_second_channel_after_us;
    after_us = refused ? 0 : after_us > 0 ? after_us : AFTER_US;
    int n = outbox_table_uncopied(alerts->o.store, "telegram", now_us - after_us, now_us - OLD_US,
                                  rows, BATCH, err);
    for (int i = 0; i < n; i++) {
        struct copy *item = &batch->items[batch->count];
        struct reply *reply = NULL;
        struct alert *alert = alert_of(alerts, rows[i].id);
        if (reply_json_read(rows[i].payload, strlen(rows[i].payload), &reply, NULL) < 0) {
            reply = reply_new();
            reply_title(reply, TONE_BAD, "a message that cannot be read");
        }
        add_why(reply, &rows[i]);
        *item = (struct copy){
            .alert = alert, .reply = reply, .outbox_id = rows[i].id, .priority = rows[i].priority};
        batch->count++;
        outbox_row_release(&rows[i]);
    }
    return n < 0 ? n : 0;
}

static bool was_copied(struct alerts *alerts, int64_t alert_id)
{
    struct alert_message messages[ALERT_TARGETS_MAX];
    int n = alert_message_table_list(alerts->o.store, alert_id, messages, ALERT_TARGETS_MAX, NULL);
    for (int i = 0; i < n; i++) {
        if (alert_is_second_channel(messages[i].channel)) {
            return true;
        }
    }
    return n < 0;
}

/* Critical alerts that nobody has acknowledged. */
static int collect_unacknowledged(struct alerts *alerts, struct batch *batch, struct err *err)
{
    int64_t after_us = alerts->o.config->alerts_unacknowledged_after_us;
    int64_t now_us = clock_wall_us(alerts->o.clock);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN,
                                      .min_severity = SEVERITY_CRITICAL};
    AUTO_FREE struct alert *rows = after_us > 0 ? calloc(BATCH, sizeof(*rows)) : NULL;
    if (rows == NULL) {
        return 0;
    }
    int n = alert_table_list(alerts->o.store, &query, rows, BATCH, err);
    for (int i = 0; i < n && batch->count < BATCH; i++) {
        if (now_us - rows[i].created_us < after_us || holds(batch, rows[i].id) ||
            rows[i].cause[0] != '\0' || alert_is_maintained(alerts, &rows[i]) ||
            alert_is_muted(alerts, NOTICE_CRITICAL, &rows[i], NULL) ||
            was_copied(alerts, rows[i].id)) {
            continue;
        }
        struct copy *item = &batch->items[batch->count++];
        *item = (struct copy){.alert = calloc(1, sizeof(*item->alert)),
                              .reply = incident_reply(alerts, &rows[i]),
                              .priority = OUTBOX_CRITICAL};
        ASSERT(item->alert != NULL);
        *item->alert = rows[i];
        reply_para(item->reply, "Nobody has acknowledged it for {}.",
                   cell_duration(now_us - rows[i].created_us));
    }
    return n < 0 ? n : 0;
}

/* ---------------------------------------------------------------- copying */

/* A channel does not carry the alert about its own failure. */
static bool carries(const struct copy *item, const char *channel)
{
    size_t len = strlen(channel);
    return item->alert == NULL || strncmp(item->alert->fingerprint, channel, len) != 0 ||
           item->alert->fingerprint[len] != ':';
}

/* The same alert may wait in several chats. */
static bool is_repeated(const struct batch *batch, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (batch->items[at].alert != NULL && batch->items[i].alert != NULL &&
            batch->items[i].alert->id == batch->items[at].alert->id) {
            return true;
        }
    }
    return false;
}

static int note(struct alerts *alerts, const struct copy *item, const char *channel,
                int64_t outbox_id, struct err *err)
{
    if (item->alert == NULL) {
        return 0;
    }
    struct alert_message message = {
        .alert_id = item->alert->id, .outbox_id = outbox_id, .form = ALERT_MESSAGE_PART};
    (void)str_copy(str_c(channel), message.channel, sizeof(message.channel));
    return alert_message_table_write(alerts->o.store, &message, err);
}

static struct reply *list_reply(const struct batch *batch, const char *channel)
{
    struct reply *r = reply_new();
    int64_t total = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct copy *item = &batch->items[i];
        if (!carries(item, channel) || is_repeated(batch, i)) {
            continue;
        }
        if (++total <= LIST_SHOWN) {
            reply_item(r, "{}", cell_text(reply_get_title(item->reply)));
        }
    }
    reply_title(r, TONE_BAD, "%lld messages need attention", (long long)total);
    reply_line(r, "Telegram has not delivered them, or nobody has acknowledged them.");
    return r;
}

static int copy_to(struct alerts *alerts, const struct batch *batch, const char *channel,
                   struct err *err)
{
    const struct alert_target target = {.channel = channel};
    size_t own = 0;
    int64_t outbox_id = 0;
    int rc = 0;
    for (size_t i = 0; i < batch->count; i++) {
        own += carries(&batch->items[i], channel) && !is_repeated(batch, i) ? 1 : 0;
    }
    if (own == 0) {
        return 0;
    }
    bool listed = own > ALONE_MAX;
    if (listed) {
        AUTO_REPLY struct reply *list = list_reply(batch, channel);
        rc = alert_post(alerts, &target, list, OUTBOX_CRITICAL, 0, &outbox_id, err);
    }
    for (size_t i = 0; i < batch->count && rc >= 0; i++) {
        const struct copy *item = &batch->items[i];
        if (!carries(item, channel) || is_repeated(batch, i)) {
            continue;
        }
        if (!listed) {
            rc = alert_post(alerts, &target, item->reply, item->priority, 0, &outbox_id, err);
        }
        rc = rc < 0 ? rc : note(alerts, item, channel, outbox_id, err);
    }
    return rc;
}

static int copy_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    const struct batch *batch = change->userdata;
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(channels) && rc >= 0; i++) {
        if (alert_channel_on(alerts->o.config, channels[i])) {
            rc = copy_to(alerts, batch, channels[i], err);
        }
    }
    for (size_t i = 0; i < batch->count && rc >= 0; i++) {
        if (batch->items[i].outbox_id != 0) {
            rc = outbox_table_copied(alerts->o.store, batch->items[i].outbox_id,
                                     clock_wall_us(alerts->o.clock), err);
        }
    }
    return rc < 0 ? rc : 0;
}

void alert_copy_tick(struct alerts *alerts, bool telegram_refused)
{
    const struct config *config = alerts->o.config;
    int64_t now_us = clock_mono_us(alerts->o.clock);
    if ((!alert_channel_on(config, "mail") && !alert_channel_on(config, "webhook")) ||
        !alert_channel_on(config, "telegram") ||
        (alerts->copied_mono_us != 0 && now_us - alerts->copied_mono_us < GAP_US)) {
        return;
    }
    struct batch *batch = calloc(1, sizeof(*batch));
    ASSERT(batch != NULL);
    struct err err = {0};
    struct alert_change change = {.alerts = alerts, .body = copy_body, .userdata = batch};
    int rc = collect_undelivered(alerts, telegram_refused, batch, &err);
    if (rc >= 0) {
        rc = collect_unacknowledged(alerts, batch, &err);
    }
    if (rc >= 0 && batch->count > 0) {
        rc = alert_run(&change, &err);
        alerts->copied_mono_us = rc < 0 ? alerts->copied_mono_us : now_us;
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not copy alerts to the second channels");
    }
    batch_release(batch);
    free(batch);
}
