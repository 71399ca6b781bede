#include "alert_reply.h"
#include "alerts_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "io/json_out.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"

#include <stdio.h>
#include <string.h>

void alerts_apply(struct alerts *alerts, const struct config *config)
{
    alerts->o.config = config;
    alert_gate_apply(alerts, config);
}

int alerts_new(const struct alerts_options *options, struct alerts **ret, struct err *err)
{
    struct alerts *alerts = calloc(1, sizeof(*alerts));
    ASSERT(alerts != NULL);
    alerts->o = *options;
    alerts_apply(alerts, options->config);
    int rc = alert_gate_load(alerts, err);
    if (rc < 0 || (rc = alert_maintenance_load(alerts, err)) < 0) {
        alerts_free(alerts);
        return rc;
    }
    *ret = alerts;
    return 0;
}

void alerts_free(struct alerts *alerts)
{
    if (alerts == NULL) {
        return;
    }
    alert_test_stop(alerts);
    alert_tell_end(alerts, false);
    zone_free(alerts->zone);
    alert_maintenance_release(alerts);
    free(alerts);
}

/* ------------------------------------------------------------------------------- messages ---- */

enum outbox_priority alert_priority(enum severity severity)
{
    switch (severity) {
    case SEVERITY_CRITICAL:
        return OUTBOX_CRITICAL;
    case SEVERITY_HIGH:
        return OUTBOX_HIGH;
    case SEVERITY_MEDIUM:
        return OUTBOX_NORMAL;
    case SEVERITY_LOW:
    case SEVERITY_INFO:
        return OUTBOX_INFO;
    }
    return OUTBOX_NORMAL;
}

int alert_post(struct alerts *alerts, const struct alert_target *target, const struct reply *reply,
               enum outbox_priority priority, int64_t edit_of, int64_t *ret_outbox_id,
               struct err *err)
{
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    reply_json_message(reply, &payload);
    if (buf_failed(&payload)) {
        return err_set(err, ERR_BUF_FULL, "alert message");
    }
    const struct outbox_new message = {.channel = target->channel,
                                       .chat_id = target->chat_id,
                                       .thread_id = target->thread_id,
                                       .kind = edit_of == 0 ? OUTBOX_SEND : OUTBOX_EDIT,
                                       .priority = priority,
                                       .payload = payload.data,
                                       .edit_of = edit_of};
    return outbox_table_add(alerts->o.store, &message, clock_wall_us(alerts->o.clock),
                            ret_outbox_id, err);
}

static enum outbox_priority priority_for(enum severity severity, enum alert_gate gate)
{
    return gate == ALERT_GATE_SILENT ? OUTBOX_INFO : alert_priority(severity);
}

/* Sends a new message to everybody who gets this kind; later edits change this one. */
static int send_messages(struct alerts *alerts, const struct alert *alert, enum alert_gate gate,
                         struct err *err)
{
    AUTO_REPLY struct reply *reply = incident_reply(alerts, alert);
    struct alert_target targets[ALERT_TARGETS_MAX];
    alert_tell(alerts, gate, reply);
    size_t count = alert_targets(alerts, notice_of_severity(alert->severity), targets);
    for (size_t i = 0; i < count; i++) {
        struct alert_message message = {.alert_id = alert->id, .chat_id = targets[i].chat_id};
        (void)str_copy(str_c(targets[i].channel), message.channel, sizeof(message.channel));
        int rc = gate == ALERT_GATE_STORM
                     ? alert_storm_add(alerts, &targets[i], alert, &message, err)
                     : alert_post(alerts, &targets[i], reply, priority_for(alert->severity, gate),
                                  0, &message.outbox_id, err);
        if (rc < 0 || (rc = alert_message_table_write(alerts->o.store, &message, err)) < 0) {
            return rc;
        }
    }
    return count == 0 ? 0 : alert_table_set_notified(alerts->o.store, alert->id, err);
}

static void tell_alert(struct alerts *alerts, const struct alert *alert)
{
    AUTO_REPLY struct reply *reply = incident_reply(alerts, alert);
    alert_tell(alerts, ALERT_GATE_HOLD, reply);
}

int alert_send_new(struct alerts *alerts, const struct alert *alert, struct err *err)
{
    if (alert->cause[0] != '\0' && incident_has(alert)) {
        return 0; /* the message of its cause shows it */
    }
    enum alert_gate gate = alert_gate(alerts, notice_of_severity(alert->severity), alert, NULL);
    switch (gate) {
    case ALERT_GATE_OFF:
    case ALERT_GATE_MUTED:
        return 0;
    case ALERT_GATE_HOLD:
        tell_alert(alerts, alert);
        return alert_hold(alerts, notice_of_severity(alert->severity), alert->title, alert,
                          alert->id, err);
    case ALERT_GATE_SEND:
    case ALERT_GATE_SILENT:
        if (alert_storm_begins(alerts, alert->severity)) {
            gate = ALERT_GATE_STORM;
        }
        return send_messages(alerts, alert, gate, err);
    case ALERT_GATE_STORM:
        break;
    }
    return 0;
}

/* False for a chat that alerts no longer go to, unless it is the private chat of a listed user. */
static bool may_receive(const struct alerts *alerts, enum severity severity,
                        const struct alert_message *message, struct alert_target *ret)
{
    const struct config *config = alerts->o.config;
    struct alert_target targets[ALERT_TARGETS_MAX];
    size_t count = alert_targets(alerts, notice_of_severity(severity), targets);
    *ret = (struct alert_target){.channel = message->channel, .chat_id = message->chat_id};
    for (size_t i = 0; i < count; i++) {
        if (targets[i].chat_id == message->chat_id &&
            strcmp(targets[i].channel, message->channel) == 0) {
            *ret = targets[i];
            return true;
        }
    }
    if (alert_is_second_channel(message->channel)) {
        return alert_channel_on(config, message->channel);
    }
    for (int i = 0; i < config->user_count; i++) {
        if (config->users[i].id == message->chat_id && strcmp(message->channel, "telegram") == 0) {
            return true;
        }
    }
    struct principal who;
    return alerts->o.access != NULL && strcmp(message->channel, "telegram") == 0 &&
           access_identify(alerts->o.access, CHANNEL_TELEGRAM, message->chat_id, &who) == 0;
}

/* What a notice about an alert becomes; in quiet hours it is held, unless the alert itself is. */
static int notice_gate(struct alerts *alerts, const struct alert *alert, const struct reply *notice,
                       enum alert_gate *ret, struct err *err)
{
    enum notice_kind kind = notice_of_severity(alert->severity);
    *ret = notice == NULL ? ALERT_GATE_OFF : alert_gate(alerts, kind, alert, NULL);
    alert_tell(alerts, *ret, notice);
    if (*ret == ALERT_GATE_HOLD && alert->notified) {
        return alert_hold(alerts, kind, reply_get_title(notice), alert, 0, err);
    }
    return 0;
}

/* Edits the messages already in the chats to show the current state, and sends `notice` to the same
 * chats as a new message unless it is NULL. */
static int edit_messages(struct alerts *alerts, const struct alert *alert,
                         const struct reply *notice, struct err *err)
{
    struct alert_message messages[ALERT_TARGETS_MAX];
    enum alert_gate gate;
    int n = alert_message_table_list(alerts->o.store, alert->id, messages, ALERT_TARGETS_MAX, err);
    int rc = n < 0 ? n : notice_gate(alerts, alert, notice, &gate, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_REPLY struct reply *reply = incident_reply(alerts, alert);
    for (int i = 0; i < n && rc == 0; i++) {
        struct alert_target target;
        int64_t ignored = 0;
        if (!may_receive(alerts, alert->severity, &messages[i], &target)) {
            continue;
        }
        if (messages[i].form == ALERT_MESSAGE_STORM) {
            alert_storm_changed(alerts, &target, messages[i].outbox_id);
            continue; /* its list says it; a message for each would be the next storm */
        }
        if (messages[i].form == ALERT_MESSAGE_OWN && !alert_is_second_channel(target.channel)) {
            rc = alert_post(alerts, &target, reply, priority_for(alert->severity, gate),
                            messages[i].outbox_id, &ignored, err);
        }
        if (rc == 0 && (gate == ALERT_GATE_SEND || gate == ALERT_GATE_SILENT)) {
            rc = alert_post(alerts, &target, notice, priority_for(alert->severity, gate), 0,
                            &ignored, err);
        }
    }
    return rc;
}

int alert_changed(struct alerts *alerts, const struct alert *alert, struct err *err)
{
    return edit_messages(alerts, alert, NULL, err);
}

static enum log_level level_of(enum severity severity)
{
    switch (severity) {
    case SEVERITY_CRITICAL:
    case SEVERITY_HIGH:
        return LOG_LEVEL_ERROR;
    case SEVERITY_MEDIUM:
        return LOG_LEVEL_WARNING;
    case SEVERITY_LOW:
        return LOG_LEVEL_NOTICE;
    case SEVERITY_INFO:
        return LOG_LEVEL_INFO;
    }
    return LOG_LEVEL_WARNING;
}

struct alert_log {
    struct alert_log *next;
    enum alert_news news;
    struct alert alert;
    char why[ALERT_TEXT_SIZE];
};

static void log_later(const struct alert_change *change)
{
    struct alert_log **end = &change->alerts->logs;
    const char *why = change->spec != NULL ? change->spec->description : change->words;
    if (change->news == ALERT_NEWS_NONE) {
        return;
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    struct alert_log *log = calloc(1, sizeof(*log));
    ASSERT(log != NULL);
    log->news = change->news;
    log->alert = *change->alert;
    str_cut(str_c(why == NULL ? "" : why), log->why, sizeof(log->why));
    *end = log;
}

/* Without any channel the journal is the only place where an alert is seen. */
static void log_news(const struct alert_log *log)
{
    static const char *const words[] = {[ALERT_NEWS_RAISED] = "raised",
                                        [ALERT_NEWS_WORSE] = "worse",
                                        [ALERT_NEWS_RESOLVED] = "resolved"};
    const struct alert *alert = &log->alert;
    char id[24];
    (void)snprintf(id, sizeof(id), "%lld", (long long)alert->id);
    const struct log_field fields[] = {{"ALERT_ID", id},
                                       {"ALERT_FINGERPRINT", alert->fingerprint},
                                       {"ALERT_SEVERITY", severity_name(alert->severity)},
                                       {"ALERT_SOURCE", alert->source},
                                       {"ALERT_CAUSE", alert->cause}};
    log_write(log->news == ALERT_NEWS_RESOLVED ? LOG_LEVEL_NOTICE : level_of(alert->severity),
              __FILE_NAME__, __LINE__, fields, COUNT_OF(fields), "alert %s %s: %s: %s%s%s", id,
              words[log->news], severity_name(alert->severity), alert->title,
              log->why[0] == '\0' ? "" : ": ", log->why);
}

static void log_end(struct alerts *alerts, bool committed)
{
    struct alert_log *log;
    while ((log = alerts->logs) != NULL) {
        alerts->logs = log->next;
        if (committed) {
            log_news(log);
        }
        free(log);
    }
}

static int run_part(struct alert_change *change, struct err *err)
{
    struct ops_store_change tx;
    int rc = ops_store_change_begin(change->alerts->o.store, &tx, err);
    if (rc < 0) {
        return rc;
    }
    rc = change->body(change, err);
    if (rc < 0) {
        ops_store_change_rollback(&tx);
        return rc;
    }
    return ops_store_change_commit(&tx, err);
}

int alert_run(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    alerts->changes++;
    int rc = run_part(change, err);
    alerts->changes--;
    if (rc == 0) {
        log_later(change);
    }
    if (alerts->changes > 0) {
        return rc; /* nothing is logged or published before the whole is committed */
    }
    alert_tell_end(alerts, rc == 0);
    log_end(alerts, rc == 0);
    if (rc == 0 && alerts->o.outbox_changed != NULL) {
        alerts->o.outbox_changed(alerts->o.userdata);
    }
    return rc;
}

static int reopen(struct alert_change *change, struct err *err)
{
    const struct alerts_options *o = &change->alerts->o;
    int rc = alert_table_find(o->store, change->spec->fingerprint, change->alert, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    if (rc < 0 || change->alert->status != ALERT_FIXED) {
        return rc;
    }
    change->news = ALERT_NEWS_RAISED;
    change->news = ALERT_NEWS_RAISED; /* to people it is a new one */
    return alert_table_reopen(o->store, change->alert->id, clock_wall_us(o->clock), err);
}

/* Closes the oldest other alert of the lowest severity if there are too many, and says so in one
 * alert. */
static int make_room(struct alerts *alerts, int64_t raised_id, struct err *err)
{
    static const struct alert_new row = {
        .type = ALERT_SERVICE,
        .severity = SEVERITY_MEDIUM,
        .source = "alerts",
        .fingerprint = "alerts:full",
        .title = "too many open alerts: old ones of low severity are closed",
        .description = "At most 500 alerts are open at a time. For each new one, the oldest of the "
                       "lowest severity is closed. The count says how many were.",
        .recommendation = "Look at /alerts for what raises so many, then close this one with "
                          "/fixed."};
    struct alert_raised raised;
    int64_t id = 0, now_us = clock_wall_us(alerts->o.clock);
    int rc = alert_table_least(alerts->o.store, ALERT_OPEN_MAX, raised_id, &id, err);
    if (rc < 0 || id == 0) {
        return rc;
    }
    const struct alert_closing how = {
        .status = ALERT_FIXED, .by = "nightdesk", .note = "closed to make room for new alerts"};
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    if ((rc = alert_table_close(alerts->o.store, id, &how, now_us, err)) < 0 ||
        (rc = alert_table_get(alerts->o.store, id, alert, err)) < 0 ||
        (rc = incident_has(alert) ? incident_resolved(alerts, alert, how.note, err) : 0) < 0 ||
        (rc = alert_changed(alerts, alert, err)) < 0 ||
        (rc = alert_table_raise(alerts->o.store, &row, now_us, &raised, err)) < 0 ||
        (rc = alert_table_get(alerts->o.store, raised.id, alert, err)) < 0) {
        return rc;
    }
    return raised.how == ALERT_RAISED_NEW ? alert_send_new(alerts, alert, err) : 0;
}

static int raise_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    const struct alert_spec *spec = change->spec;
    const struct alert_new row = {.type = spec->type,
                                  .severity = spec->severity,
                                  .title = spec->title,
                                  .description = spec->description,
                                  .evidence = spec->evidence_json,
                                  .recommendation = spec->recommendation,
                                  .fingerprint = spec->fingerprint,
                                  .source = spec->source,
                                  .check_json = spec->check_json,
                                  .note = spec->note,
                                  .cause = spec->cause,
                                  .run_id = spec->run_id,
                                  .rejected = spec->status == ALERT_REJECTED};
    struct alert_raised raised;
    struct alert *alert = change->alert;
    int rc = spec->reopens ? reopen(change, err) : 0;
    if (rc < 0 ||
        (rc = alert_table_raise(alerts->o.store, &row, clock_wall_us(alerts->o.clock), &raised,
                                err)) < 0 ||
        (rc = alert_table_get(alerts->o.store, raised.id, alert, err)) < 0) {
        return rc;
    }
    if (alert->status == ALERT_REJECTED || raised.how == ALERT_RAISED_SILENTLY) {
        return 0;
    }
    bool folded = false;
    if (raised.how == ALERT_RAISED_NEW) {
        change->news = ALERT_NEWS_RAISED;
    } else if (raised.worse) {
        change->news = ALERT_NEWS_WORSE;
    }
    rc = raised.how == ALERT_RAISED_NEW ? make_room(alerts, alert->id, err) : 0;
    rc = rc < 0 ? rc : incident_raised(alerts, alert, &raised, &folded, err);
    if (rc < 0 || folded) {
        return rc;
    }
    if (raised.how == ALERT_RAISED_NEW || raised.worse || !alert->notified) {
        return alert_send_new(alerts, alert, err);
    }
    return edit_messages(alerts, alert, NULL, err);
}

int alerts_raise(struct alerts *alerts, const struct alert_spec *spec, int64_t *ret_id,
                 struct err *err)
{
    ASSERT(spec->status == ALERT_OPEN || spec->status == ALERT_REJECTED);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    struct alert_change change = {
        .alerts = alerts, .body = raise_body, .spec = spec, .alert = alert};
    int rc = alert_run(&change, err);
    if (rc == 0 && ret_id != NULL) {
        *ret_id = alert->id;
    }
    return rc;
}

static int resolve_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    struct alert *alert = change->alert;
    int64_t now_us = clock_wall_us(alerts->o.clock);
    int rc = alert_table_find(alerts->o.store, change->fingerprint, alert, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    if (rc < 0 || (alert->status != ALERT_OPEN && alert->status != ALERT_ACKNOWLEDGED)) {
        return rc;
    }
    rc = alert_table_set_status(alerts->o.store, alert->id, ALERT_FIXED, NULL, now_us, err);
    if (rc < 0 || (rc = alert_table_get(alerts->o.store, alert->id, alert, err)) < 0) {
        return rc;
    }
    const char *why = change->words == NULL ? "" : change->words;
    change->news = ALERT_NEWS_RESOLVED;
    if (incident_has(alert) && (rc = incident_resolved(alerts, alert, why, err)) < 0) {
        return rc;
    }
    AUTO_REPLY struct reply *notice = alert_reply_resolved(alert, why);
    incident_add_affected(alerts, alert, notice);
    return edit_messages(alerts, alert, alert->cause[0] != '\0' ? NULL : notice, err);
}

int alerts_resolve(struct alerts *alerts, const char *fingerprint, const char *why, struct err *err)
{
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    struct alert_change change = {.alerts = alerts,
                                  .body = resolve_body,
                                  .fingerprint = fingerprint,
                                  .words = why,
                                  .alert = alert};
    return alert_run(&change, err);
}

void alerts_status_line(struct buf *out, struct json_object *data, void *userdata)
{
    const struct alerts *alerts = userdata;
    int64_t counts[SEVERITY_CRITICAL + 1] = {0};
    struct json_out members = JSON_OUT_TREE(data);
    if (alert_table_counts(alerts->o.store, counts, NULL) < 0) {
        buf_add_c(out, "Alerts unknown");
        return;
    }
    buf_add_c(out, "Alerts");
    json_out_object(&members, "alert_counts");
    bool any = false;
    for (int s = SEVERITY_CRITICAL; s >= SEVERITY_INFO; s--) {
        const char *name = severity_name((enum severity)s);
        json_out_i64(&members, name, counts[s]);
        if (s >= SEVERITY_MEDIUM && counts[s] > 0) {
            buf_addf(out, "%s %lld %s", any ? "," : "", (long long)counts[s], name);
            any = true;
        }
    }
    buf_add_c(out, any ? "" : " none");
    json_out_end(&members);
}
