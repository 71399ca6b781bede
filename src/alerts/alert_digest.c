#include "alerts_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "store/alert_table.h"
#include "store/held_table.h"
#include "store/ops.h"

#include <string.h>

#define STORM_US    USEC_PER_MIN        /* the window of alerts.storm */
#define LIST_US     (10 * USEC_PER_MIN) /* a storm that lasts longer begins another message */
#define LIST_SHOWN  12
#define HELD_SHOWN  30
#define STORM_LIMIT 10 /* of a configuration without one */

/* ---------------------------------------------------------------- storms */

bool alert_storm_begins(struct alerts *alerts, enum severity severity)
{
    struct alert_rate *rate = &alerts->rates[severity == SEVERITY_CRITICAL ? 0 : 1];
    int64_t limit =
        alerts->o.config->alerts_storm > 0 ? alerts->o.config->alerts_storm : STORM_LIMIT;
    int64_t now_us = clock_mono_us(alerts->o.clock);
    uint64_t back = (uint64_t)limit;
    if (rate->count >= back &&
        now_us - rate->mono_us[(rate->count - back) % ALERT_STORM_MAX] < STORM_US) {
        return true;
    }
    rate->mono_us[rate->count++ % ALERT_STORM_MAX] = now_us;
    return false;
}

static enum tone tone_of(enum severity severity)
{
    return severity >= SEVERITY_HIGH ? TONE_BAD : TONE_WARN;
}

static void add_alert(struct reply *r, const struct alert *alert)
{
    bool over = alert->status == ALERT_FIXED;
    reply_item(r, "{} · {}", cell_text(severity_name(alert->severity)), cell_text(alert->title));
    if (alert->count > 1) {
        reply_more(r, " ({} times)", cell_count(alert->count));
    }
    if (over || alert->status != ALERT_OPEN) {
        reply_more(r, " ({})", cell_text(over ? "resolved" : alert_status_name(alert->status)));
    }
}

/* The list of a storm; *ret_worst: of the alerts that it shows. */
static int storm_reply(struct alerts *alerts, int64_t outbox_id, const struct alert *newest,
                       struct reply **ret, enum severity *ret_worst, struct err *err)
{
    int64_t ids[LIST_SHOWN], total = 0, open = 0;
    int n = outbox_id == 0 ? 0
                           : alert_message_table_alerts(alerts->o.store, outbox_id, ids, LIST_SHOWN,
                                                        &total, &open, err);
    if (n < 0) {
        return n;
    }
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    *ret_worst = newest == NULL ? SEVERITY_MEDIUM : newest->severity;
    int64_t shown = n;
    if (newest != NULL) {
        total = open = shown = 1;
        add_alert(r, newest);
    }
    for (int i = 0; i < n; i++) {
        if (alert_table_get(alerts->o.store, ids[i], alert, NULL) < 0) {
            continue;
        }
        add_alert(r, alert);
        *ret_worst = alert->severity > *ret_worst ? alert->severity : *ret_worst;
    }
    reply_title(r, open == 0 ? TONE_GOOD : tone_of(*ret_worst), "many alerts at once");
    reply_para(r, "{} new alerts, {} of them open.", cell_count(total), cell_count(open));
    if (total > shown) {
        reply_para(r, "The list shows the newest {}.", cell_count(shown));
    }
    reply_button(r, "Alerts", "/alerts", BUTTON_PLAIN);
    *ret = TAKE(r);
    return 0;
}

int alert_storm_add(struct alerts *alerts, const struct alert_target *target,
                    const struct alert *alert, struct alert_message *message, struct err *err)
{
    int64_t since_us = clock_wall_us(alerts->o.clock) - LIST_US;
    message->form = ALERT_MESSAGE_STORM;
    int rc = alert_message_table_storm(alerts->o.store, target->channel, target->chat_id, since_us,
                                       &message->outbox_id, err);
    if (rc < 0 || message->outbox_id != 0) {
        if (rc == 0) {
            alert_storm_changed(alerts, target, message->outbox_id);
        }
        return rc;
    }
    AUTO_REPLY struct reply *reply = NULL;
    enum severity worst;
    rc = storm_reply(alerts, 0, alert, &reply, &worst, err);
    return rc < 0 ? rc
                  : alert_post(alerts, target, reply, alert_priority(worst), 0, &message->outbox_id,
                               err);
}

void alert_storm_changed(struct alerts *alerts, const struct alert_target *target,
                         int64_t outbox_id)
{
    for (size_t i = 0; i < alerts->dirty_count; i++) {
        if (alerts->dirty[i].outbox_id == outbox_id) {
            return;
        }
    }
    if (alerts->dirty_count == ALERT_DIRTY_MAX) {
        return; /* the next change shows it */
    }
    struct alert_dirty *dirty = &alerts->dirty[alerts->dirty_count++];
    *dirty = (struct alert_dirty){
        .chat_id = target->chat_id, .thread_id = target->thread_id, .outbox_id = outbox_id};
    (void)str_copy(str_c(target->channel), dirty->channel, sizeof(dirty->channel));
}

static int flush_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    const struct alert_dirty *dirty = change->userdata;
    const struct alert_target target = {
        .channel = dirty->channel, .chat_id = dirty->chat_id, .thread_id = dirty->thread_id};
    AUTO_REPLY struct reply *reply = NULL;
    enum severity worst;
    int64_t ignored = 0;
    int rc = storm_reply(alerts, dirty->outbox_id, NULL, &reply, &worst, err);
    if (rc < 0 || alert_is_second_channel(target.channel)) {
        return rc;
    }
    return alert_post(alerts, &target, reply, alert_priority(worst), dirty->outbox_id, &ignored,
                      err);
}

static void flush_storms(struct alerts *alerts)
{
    while (alerts->dirty_count > 0) {
        struct err err = {0};
        struct alert_change change = {.alerts = alerts,
                                      .body = flush_body,
                                      .userdata = &alerts->dirty[alerts->dirty_count - 1]};
        if (alert_run(&change, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "could not edit the list of a storm");
            return; /* at the next tick */
        }
        alerts->dirty_count--;
    }
}

/* The last process may have added alerts to a list and not edited its message. */
static void resume_storms(struct alerts *alerts)
{
    struct alert_target targets[ALERT_TARGETS_MAX];
    int64_t since_us = clock_wall_us(alerts->o.clock) - LIST_US;
    for (int kind = NOTICE_MEDIUM; kind <= NOTICE_CRITICAL; kind++) {
        size_t count = alert_targets(alerts, (enum notice_kind)kind, targets);
        for (size_t i = 0; i < count; i++) {
            int64_t id = 0;
            if (alert_message_table_storm(alerts->o.store, targets[i].channel, targets[i].chat_id,
                                          since_us, &id, NULL) == 0 &&
                id != 0) {
                alert_storm_changed(alerts, &targets[i], id);
            }
        }
    }
}

/* ---------------------------------------------------------------- quiet hours */

/* A recipient, and the kinds that go there. */
struct release {
    struct alert_target target;
    uint32_t kinds;
};

static size_t find_releases(const struct alerts *alerts, struct release *ret)
{
    struct alert_target targets[ALERT_TARGETS_MAX];
    size_t count = 0;
    for (int kind = 0; kind < NOTICE_KIND_COUNT; kind++) {
        size_t n = alert_targets(alerts, (enum notice_kind)kind, targets);
        for (size_t i = 0; i < n; i++) {
            size_t at = 0;
            while (at < count && (ret[at].target.chat_id != targets[i].chat_id ||
                                  ret[at].target.thread_id != targets[i].thread_id ||
                                  strcmp(ret[at].target.channel, targets[i].channel) != 0)) {
                at++;
            }
            if (at == count && count < ALERT_TARGETS_MAX) {
                ret[count++] = (struct release){.target = targets[i]};
            }
            if (at < count) {
                ret[at].kinds |= UINT32_C(1) << kind;
            }
        }
    }
    return count;
}

/* An alert that was held gets its later messages like one that was sent. */
static int adopt(struct alerts *alerts, const struct alert_target *target,
                 const struct alert *alert, int64_t outbox_id, struct err *err)
{
    struct alert_message message = {.alert_id = alert->id,
                                    .chat_id = target->chat_id,
                                    .outbox_id = outbox_id,
                                    .form = ALERT_MESSAGE_PART};
    (void)str_copy(str_c(target->channel), message.channel, sizeof(message.channel));
    return alert_message_table_write(alerts->o.store, &message, err);
}

static void add_held(struct alerts *alerts, struct reply *r, const struct held_notice *held,
                     struct alert *alert)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    if (held->alert_id == 0 || alert_table_get(alerts->o.store, held->alert_id, alert, NULL) < 0) {
        reply_item(r, "{} {}", cell_time(held->at_us, now_us), cell_text(held->title));
        return;
    }
    reply_item(r, "{} {} · {}", cell_time(held->at_us, now_us),
               cell_text(severity_name(alert->severity)), cell_text(alert->title));
    if (alert->status != ALERT_OPEN) {
        reply_more(r, " ({})",
                   cell_text(alert->status == ALERT_FIXED ? "resolved"
                                                          : alert_status_name(alert->status)));
    }
}

static int release_to(struct alerts *alerts, const struct release *release, struct err *err)
{
    struct held_notice *held = calloc(HELD_SHOWN, sizeof(*held));
    AUTO_FREE struct held_notice *memory = held;
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(held != NULL && alert != NULL);
    int64_t total = 0, outbox_id = 0;
    int n = held_table_list(alerts->o.store, "", release->kinds, held, HELD_SHOWN, &total, err);
    if (n <= 0) {
        return n;
    }
    AUTO_REPLY struct reply *r = reply_new();
    reply_title(r, TONE_PLAIN, "held back in the quiet hours");
    for (int i = 0; i < n; i++) {
        add_held(alerts, r, &held[i], alert);
    }
    if (total > n) {
        reply_para(r, "{} in all; these are the newest.", cell_count(total));
    }
    reply_button(r, "Alerts", "/alerts", BUTTON_PLAIN);
    int rc = alert_post(alerts, &release->target, r, OUTBOX_NORMAL, 0, &outbox_id, err);
    for (int i = 0; i < n && rc >= 0; i++) {
        if (held[i].alert_id != 0 &&
            alert_table_get(alerts->o.store, held[i].alert_id, alert, NULL) == 0) {
            rc = adopt(alerts, &release->target, alert, outbox_id, err);
        }
    }
    return rc;
}

static int mark_told(struct alerts *alerts, struct err *err)
{
    struct held_notice *held = calloc(HELD_SHOWN, sizeof(*held));
    AUTO_FREE struct held_notice *memory = held;
    ASSERT(held != NULL);
    int64_t total = 0;
    int n = held_table_list(alerts->o.store, "", UINT32_MAX, held, HELD_SHOWN, &total, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; i < n && rc >= 0; i++) {
        if (held[i].alert_id != 0) {
            rc = alert_table_set_notified(alerts->o.store, held[i].alert_id, err);
        }
        rc = rc == -ERR_STORE_NOT_FOUND ? 0 : rc;
    }
    return rc;
}

static int release_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    struct release *releases = calloc(ALERT_TARGETS_MAX, sizeof(*releases));
    AUTO_FREE struct release *memory = releases;
    ASSERT(releases != NULL);
    size_t count = find_releases(alerts, releases);
    int rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        rc = release_to(alerts, &releases[i], err);
    }
    if (rc >= 0) {
        rc = mark_told(alerts, err);
    }
    return rc < 0 ? rc : held_table_clear(alerts->o.store, "", err);
}

void alert_digest_tick(struct alerts *alerts)
{
    if (!alerts->started) {
        resume_storms(alerts);
    }
    flush_storms(alerts);
    bool quiet = alert_is_quiet(alerts), any = false;
    if (!quiet && (alerts->was_quiet || !alerts->started) &&
        held_table_any(alerts->o.store, "", &any, NULL) == 0 && !any) {
        alerts->was_quiet = false; /* without a transaction, which may have to wait for a lock */
        alerts->started = true;
    }
    if (!quiet && (alerts->was_quiet || !alerts->started)) {
        struct err err = {0};
        struct alert_change change = {.alerts = alerts, .body = release_body};
        if (alert_run(&change, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "could not tell what quiet hours held back");
            return; /* again at the next tick */
        }
    }
    alerts->was_quiet = quiet;
    alerts->started = true;
}
