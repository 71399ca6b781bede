#include "alerts/alerts.h"

#include "alert_reply.h"
#include "base/check.h"
#include "command/reply_json.h"
#include "config/config.h"
#include "io/json_out.h"
#include "store/alert_message_table.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"

#include <string.h>

#define TARGETS_MAX (CONFIG_USERS_MAX + 1)

struct target {
    const char *channel;
    int64_t chat_id;
};

struct alerts {
    struct alerts_options o;
    struct target targets[TARGETS_MAX];
    size_t target_count;
};

static void add_target(struct alerts *alerts, const char *channel, int64_t chat_id)
{
    ASSERT(alerts->target_count < TARGETS_MAX);
    alerts->targets[alerts->target_count++] =
        (struct target){.channel = channel, .chat_id = chat_id};
}

void alerts_apply(struct alerts *alerts, const struct config *config)
{
    alerts->o.config = config;
    alerts->target_count = 0;
    if (config->telegram_bot_token[0] != '\0' && config->telegram_chat_id != 0) {
        add_target(alerts, "telegram", config->telegram_chat_id);
    } else if (config->telegram_bot_token[0] != '\0') {
        for (int i = 0; i < config->user_count; i++) { /* the id of a private chat is the user's */
            if (strcmp(config->users[i].role, "admin") == 0) {
                add_target(alerts, "telegram", config->users[i].id);
            }
        }
        struct access_person p;
        for (int i = 0; alerts->o.access != NULL && alerts->target_count < TARGETS_MAX - 1 &&
                        access_person_at(alerts->o.access, i, &p);
             i++) {
            if (p.role == ROLE_ADMIN && !p.is_configured) {
                add_target(alerts, "telegram", p.id);
            }
        }
    }
    if (config->console_enabled && !alerts->o.headless) {
        add_target(alerts, "console", 0);
    }
}

int alerts_new(const struct alerts_options *options, struct alerts **ret, struct err *err)
{
    (void)err; /* cannot fail today: without memory it aborts */
    struct alerts *alerts = calloc(1, sizeof(*alerts));
    ASSERT(alerts != NULL);
    alerts->o = *options;
    alerts_apply(alerts, options->config);
    *ret = alerts;
    return 0;
}

void alerts_free(struct alerts *alerts)
{
    free(alerts);
}

/* ------------------------------------------------------------------------------- messages ---- */

static enum outbox_priority priority_of(enum severity severity)
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

/* edit_of 0: a new message. */
static int post(struct alerts *alerts, const struct target *target, const struct reply *reply,
                enum severity severity, int64_t edit_of, int64_t *ret_outbox_id, struct err *err)
{
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    reply_json_message(reply, &payload);
    if (buf_failed(&payload)) {
        return err_set(err, ERR_BUF_FULL, "alert message");
    }
    const struct outbox_new message = {.channel = target->channel,
                                       .chat_id = target->chat_id,
                                       .kind = edit_of == 0 ? OUTBOX_SEND : OUTBOX_EDIT,
                                       .priority = priority_of(severity),
                                       .payload = payload.data,
                                       .edit_of = edit_of};
    return outbox_table_add(alerts->o.store, &message, clock_wall_us(alerts->o.clock),
                            ret_outbox_id, err);
}

/* Sends a new message to every chat; later edits change this one. */
static int send_messages(struct alerts *alerts, const struct alert *alert, struct err *err)
{
    AUTO_REPLY struct reply *reply = alert_reply(alert, clock_wall_us(alerts->o.clock));
    for (size_t i = 0; i < alerts->target_count; i++) {
        const struct target *target = &alerts->targets[i];
        struct alert_message message = {.alert_id = alert->id, .chat_id = target->chat_id};
        (void)str_copy(str_c(target->channel), message.channel, sizeof(message.channel));
        int rc = post(alerts, target, reply, alert->severity, 0, &message.outbox_id, err);
        if (rc < 0 || (rc = alert_message_table_write(alerts->o.store, &message, err)) < 0) {
            return rc;
        }
    }
    return alerts->target_count == 0 ? 0
                                     : alert_table_set_notified(alerts->o.store, alert->id, err);
}

/* False for a chat that alerts no longer go to, unless it is the private chat of a listed user. */
static bool may_receive(const struct alerts *alerts, const struct alert_message *message)
{
    const struct config *config = alerts->o.config;
    for (size_t i = 0; i < alerts->target_count; i++) {
        if (alerts->targets[i].chat_id == message->chat_id &&
            strcmp(alerts->targets[i].channel, message->channel) == 0) {
            return true;
        }
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

/* Edits the messages already in the chats to show the current state, and sends `notice` to the same
 * chats as a new message unless it is NULL. */
static int edit_messages(struct alerts *alerts, const struct alert *alert,
                         const struct reply *notice, struct err *err)
{
    struct alert_message messages[TARGETS_MAX];
    int n = alert_message_table_list(alerts->o.store, alert->id, messages, TARGETS_MAX, err);
    if (n < 0) {
        return n;
    }
    AUTO_REPLY struct reply *reply = alert_reply(alert, clock_wall_us(alerts->o.clock));
    for (int i = 0; i < n; i++) {
        const struct target target = {.channel = messages[i].channel,
                                      .chat_id = messages[i].chat_id};
        int64_t ignored = 0;
        if (!may_receive(alerts, &messages[i])) {
            continue;
        }
        int rc =
            post(alerts, &target, reply, alert->severity, messages[i].outbox_id, &ignored, err);
        if (rc == 0 && notice != NULL) {
            rc = post(alerts, &target, notice, alert->severity, 0, &ignored, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* A body to run in one transaction; the channels are woken after the commit. */
struct change {
    struct alerts *alerts;
    int (*body)(struct change *change, struct err *err);
    const struct alert_spec *spec;
    const char *fingerprint;
    const char *words;   /* the reason for resolving, or the name of the acknowledging user */
    struct alert *alert; /* scratch on the heap: a row is large */
    const struct reply *report;
};

static int run_change(struct change *change, struct err *err)
{
    struct ops_store *store = change->alerts->o.store;
    struct ops_store_change tx;
    int rc = ops_store_change_begin(store, &tx, err);
    if (rc < 0) {
        return rc;
    }
    rc = change->body(change, err);
    if (rc < 0) {
        ops_store_change_rollback(&tx);
        return rc;
    }
    rc = ops_store_change_commit(&tx, err);
    if (rc == 0 && change->alerts->o.outbox_changed != NULL) {
        change->alerts->o.outbox_changed(change->alerts->o.userdata);
    }
    return rc;
}

static int reopen(struct change *change, struct err *err)
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
    return alert_table_reopen(o->store, change->alert->id, clock_wall_us(o->clock), err);
}

static int raise_body(struct change *change, struct err *err)
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
    bool loud = alert->severity >= SEVERITY_MEDIUM && alert->status != ALERT_REJECTED;
    if (!loud || raised.how == ALERT_RAISED_SILENTLY) {
        return 0;
    }
    if (raised.how == ALERT_RAISED_NEW || raised.worse || !alert->notified) {
        return send_messages(alerts, alert, err);
    }
    return edit_messages(alerts, alert, NULL, err);
}

int alerts_raise(struct alerts *alerts, const struct alert_spec *spec, int64_t *ret_id,
                 struct err *err)
{
    ASSERT(spec->status == ALERT_OPEN || spec->status == ALERT_REJECTED);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    struct change change = {.alerts = alerts, .body = raise_body, .spec = spec, .alert = alert};
    int rc = run_change(&change, err);
    if (rc == 0 && ret_id != NULL) {
        *ret_id = alert->id;
    }
    return rc;
}

static int resolve_body(struct change *change, struct err *err)
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
    AUTO_REPLY struct reply *notice = alert_reply_resolved(alert, change->words);
    return edit_messages(alerts, alert, notice, err);
}

int alerts_resolve(struct alerts *alerts, const char *fingerprint, const char *why, struct err *err)
{
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    struct change change = {.alerts = alerts,
                            .body = resolve_body,
                            .fingerprint = fingerprint,
                            .words = why,
                            .alert = alert};
    return run_change(&change, err);
}

static int send_body(struct change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < alerts->target_count; i++) {
        int64_t ignored = 0;
        rc = post(alerts, &alerts->targets[i], change->report, SEVERITY_INFO, 0, &ignored, err);
    }
    return rc;
}

int alerts_send(struct alerts *alerts, const struct reply *reply, struct err *err)
{
    struct change change = {.alerts = alerts, .body = send_body, .report = reply};
    return run_change(&change, err);
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

/* -------------------------------------------------------------------------------- actions ---- */

static int find_alert(struct alerts *alerts, int64_t id, struct alert *ret, struct err *err)
{
    int rc = alert_table_get(alerts->o.store, id, ret, err);
    return rc == -ERR_STORE_NOT_FOUND ? err_set(err, ERR_ALERT_UNKNOWN, "%lld", (long long)id) : rc;
}

static int show_alert(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    int rc = find_alert(alerts, action_int(call, "id"), alert, err);
    if (rc == 0) {
        alert_reply_full(alert, clock_wall_us(alerts->o.clock), action_reply(call));
    }
    return rc;
}

#define LIST_MAX 20

static int list_alerts(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    if (action_value(call, "id") != NULL) {
        return show_alert(call, err);
    }
    AUTO_FREE struct alert *rows = calloc(LIST_MAX + 1, sizeof(*rows));
    ASSERT(rows != NULL);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED};
    int n = alert_table_list(alerts->o.store, &query, rows, LIST_MAX + 1, err);
    if (n < 0) {
        return n;
    }
    alert_reply_list(rows, n > LIST_MAX ? LIST_MAX : n, n > LIST_MAX,
                     clock_wall_us(alerts->o.clock), action_reply(call));
    return ACTION_DONE;
}

static int ack_body(struct change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    struct alert *alert = change->alert;
    if (alert->status != ALERT_OPEN) {
        return err_set(err, ERR_ALERT_CLOSED, "%lld is %s%s%s", (long long)alert->id,
                       alert_status_name(alert->status), alert->acked_by[0] == '\0' ? "" : " by ",
                       alert->acked_by);
    }
    int rc = alert_table_set_status(alerts->o.store, alert->id, ALERT_ACKNOWLEDGED, change->words,
                                    clock_wall_us(alerts->o.clock), err);
    if (rc < 0 || (rc = alert_table_get(alerts->o.store, alert->id, alert, err)) < 0) {
        return rc;
    }
    return edit_messages(alerts, alert, NULL, err);
}

static int ack_one(struct action_call *call, int64_t id, struct alert *alert, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    int rc = find_alert(alerts, id, alert, err);
    struct change change = {
        .alerts = alerts, .body = ack_body, .words = action_who(call)->name, .alert = alert};
    return rc < 0 ? rc : run_change(&change, err);
}

/* Acknowledges the alerts in turn. The first that cannot be ends it; those before it stay
 * acknowledged, and the reply lists them. */
static int ack_alerts(struct action_call *call, struct err *err)
{
    const struct arg_value *ids = action_value(call, "id");
    struct reply *r = action_reply(call);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    bool single = ids->list.count == 1;
    for (size_t i = 0; i < ids->list.count; i++) {
        int rc = ack_one(call, ids->list.items[i].number, alert, err);
        if (rc < 0) {
            return rc;
        }
        if (single) {
            reply_line(r, "%s", alert->title);
        } else {
            reply_line(r, "%lld: %s", (long long)alert->id, alert->title);
        }
    }
    if (single) {
        reply_title(r, TONE_GOOD, "Alert %lld acknowledged", (long long)alert->id);
    } else {
        reply_title(r, TONE_GOOD, "%zu alerts acknowledged", ids->list.count);
    }
    return ACTION_DONE;
}

static int recover_ack(struct action_call *call, bool *ret_happened, struct err *err)
{
    const struct arg_value *ids = action_value(call, "id");
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    *ret_happened = true;
    for (size_t i = 0; i < ids->list.count; i++) {
        int rc = find_alert(action_userdata(call), ids->list.items[i].number, alert, err);
        *ret_happened = *ret_happened && rc == 0 && alert->status == ALERT_ACKNOWLEDGED;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Alerts that commands raise are the same if their titles are. */
static void fingerprint_of(const struct action_call *call, struct buf *out)
{
    buf_addf(out, "command:%.100s", action_text(call, "title"));
}

static int raise_alert(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    AUTO_BUF struct buf fingerprint = BUF_INIT(ALERT_FINGERPRINT_SIZE - 1);
    AUTO_BUF struct buf description = BUF_INIT(256);
    struct alert_spec spec = {.type = ALERT_SERVICE,
                              .source = "command",
                              .title = action_text(call, "title"),
                              .recommendation = "See /auditlog for the run, and /logs."};
    int64_t id = 0;
    fingerprint_of(call, &fingerprint);
    buf_addf(&description, "Raised by run %lld of %s.", (long long)action_run_id(call),
             action_who(call)->name);
    spec.fingerprint = fingerprint.data;
    spec.description = description.data;
    (void)severity_parse(str_c(action_text(call, "severity")), &spec.severity);
    int rc = alerts_raise(alerts, &spec, &id, err);
    if (rc == 0) {
        reply_para(action_reply(call), "Alert {} ({}): {}", cell_count(id),
                   cell_text(severity_name(spec.severity)), cell_text(spec.title));
    }
    return rc;
}

static int recover_raise(struct action_call *call, bool *ret_happened, struct err *err)
{
    const struct alerts *alerts = action_userdata(call);
    AUTO_BUF struct buf fingerprint = BUF_INIT(ALERT_FINGERPRINT_SIZE - 1);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    fingerprint_of(call, &fingerprint);
    int rc = alert_table_find(alerts->o.store, fingerprint.data, alert, err);
    *ret_happened = rc == 0 && alert->status == ALERT_OPEN;
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    return rc;
}

static const struct action actions[] = {
    {.name = "alert.list",
     .summary = "Open and acknowledged alerts, worst first, or one alert in full",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(
         {.name = "id", .type = PARAM_INT, .minimum = "1", .help = "number of an alert"}),
     .run = list_alerts},
    {.name = "alert.show",
     .summary = "One alert in full, with its evidence",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "id",
                              .type = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "number of the alert"}),
     .run = show_alert},
    {.name = "alert.ack",
     .summary = "Acknowledge alerts",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "id",
                              .type = PARAM_LIST,
                              .element = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "number of the alert, or several"}),
     .run = ack_alerts,
     .recover = recover_ack},
    {.name = "alert.raise",
     .summary = "Raise an alert",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY, /* a read_only command must be able to report its failure */
     .params = ACTION_PARAMS(
         {.name = "severity",
          .type = PARAM_CHOICE,
          .required = true,
          .choices = "info|low|medium|high|critical",
          .help = "how bad it is"},
         {.name = "title", .type = PARAM_TEXT, .required = true, .help = "what happened"}),
     .run = raise_alert,
     .recover = recover_raise},
    {0},
};

void alerts_actions(struct alerts *alerts, struct action_table *table)
{
    action_table_add(table, actions, alerts);
}
