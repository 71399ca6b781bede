/*
 * alerts.h: raises, deduplicates, notifies and resolves alerts. All alerts of the program pass
 * here.
 *
 *     struct alert_spec a = {.type = ALERT_SERVICE, .severity = SEVERITY_HIGH, .source = "health",
 *                            .fingerprint = "service:prediction", .title = "prediction is down"};
 *     alerts_raise(alerts, &a, &id, err);
 *     alerts_resolve(alerts, "service:prediction", "healthy again after 42 s", err);
 *
 * Rules: at most one open row for each fingerprint. A repeat increments the count and edits the
 * message already in the chat; a new message is sent only if the severity rises. Resolving edits
 * that message and sends a new one. An alert with an open cause is part of the incident of that
 * alert: it appears in its message and has none of its own. If the cause is resolved and the alert
 * is still open a minute later, it gets its own. The alert row and its outbox row are committed in
 * one transaction, so a raised alert is either delivered or visible as undelivered. Without any
 * chat an alert is only listed by /alerts; it is sent if it is raised again once there is a chat.
 * Before a message about an alert, or a notification (alerts_notify), is sent: its kind may be off
 * or silent (notify.*), muted (/mute), held back by quiet hours, or part of a storm, whose alerts
 * share one message that is edited. Critical alerts pass all of these but a storm of their own.
 * alerts_tick copies important messages to mail and webhook when Telegram does not deliver them, or
 * when nobody acknowledges a critical alert; each message once, across restarts.
 * Buttons on an alert: Ack, Mute 1 h, Explain (the command /alerts <id>); on a finding of the
 * auditor Ack, Explain (/findings <id>), Fixed, Mute 1 h, Won't fix.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "command/action.h"
#include "io/json.h"
#include "model/alert.h"
#include "model/notice.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct access;
struct ops_store;
struct alerts;
struct loop;
struct reply;
struct runner_note;

struct alert_spec {
    enum alert_type type;
    enum severity severity;
    const char *source;      /* "health" "auditor" "engine" "telegram" … */
    const char *fingerprint; /* equal for two reports of the same problem */
    const char *title;
    const char *description;
    const char *evidence_json; /* array; NULL: none */
    const char *recommendation;
    const char *check_json; /* {"pointer","op","value"} evaluated at each audit; NULL: none */
    const char *note;       /* shown with it: why it was rejected; NULL: none */
    /* The fingerprint of what caused it, such as that of a service on which this one depends; NULL:
     * none. While the alert of this fingerprint is open, this one is listed, and shown in the
     * message of the other, but not sent by itself. */
    const char *cause;
    int64_t run_id;           /* of the command that raises it; 0: none */
    enum alert_status status; /* ALERT_OPEN, or ALERT_REJECTED: stored, never sent */
    /* Reopens a fixed alert of this fingerprint, keeps its count and sends a new message, instead
     * of adding a row. */
    bool reopens;
};

struct alerts_options {
    const struct clock *clock;
    const struct config *config;
    const struct access *access; /* people with a role by command; NULL: none */
    struct ops_store *store;
    struct loop *loop; /* for /test_alert; NULL: it does not wait for the outcome */
    bool headless;     /* no console is attached: messages queued for it would wait for ever */
    void (*outbox_changed)(void *userdata);
    /* For consoles that are attached over the API: each new alert, each that is resolved, and each
     * notification, once it is stored, also without any chat; not what is off or muted. May be
     * NULL. */
    void (*told)(const struct reply *reply, void *userdata);
    /* Adds a line about what the alert is about, such as what was measured last; for the time line
     * of a new incident. Must not wait. May be NULL. */
    void (*context)(const char *fingerprint, struct buf *out, void *userdata);
    /* Lifts the pause of new entries that this run began, if it is still on: maintenance is over.
     * True once the engine has answered; false: not yet, so it is called again a second later. May
     * be NULL. */
    bool (*resume)(int64_t run_id, void *userdata);
    void *userdata;
};

int alerts_new(const struct alerts_options *options, struct alerts **ret, struct err *err);
void alerts_free(struct alerts *alerts);
/* The recipients of a new configuration. Messages in a chat that is neither a recipient nor the
 * private chat of a listed user are not edited any more. */
void alerts_apply(struct alerts *alerts, const struct config *config);

int alerts_raise(struct alerts *alerts, const struct alert_spec *spec, int64_t *ret_id,
                 struct err *err);
/* Marks the open or acknowledged alert of this fingerprint as fixed; 0 also if there is none. */
int alerts_resolve(struct alerts *alerts, const char *fingerprint, const char *why,
                   struct err *err);
/* Adds to the time line, and to the message, of the incident that the open alert of this
 * fingerprint is part of what nightdesk did about it: "restarted it, exit code 1". 0 also if there
 * is none. */
int alerts_note(struct alerts *alerts, const char *fingerprint, const char *text, struct err *err);
/* The `noted` of runner.h; userdata is the alerts. Notes the run in the incidents of what it works
 * on. If it succeeded, resolves the alerts that an earlier run of the same command with the same
 * arguments raised. */
void alerts_note_run(const struct runner_note *note, void *alerts);
/* Whether the alerts of this service are quiet now because of maintenance, of the service or of the
 * whole desk; NULL: of the whole desk. Nothing may be repaired automatically then. */
bool alerts_in_maintenance(const struct alerts *alerts, const char *service);
/* A notification that is no alert. */
struct alert_notice {
    enum notice_kind kind;
    const struct reply *reply;
    struct symbol symbol;   /* for mutes; empty: none */
    int64_t except_chat_id; /* the chat of who caused it, and knows; 0: none */
};
/* Sends it to everybody who gets its kind. As part of an open transaction, or as one of its own. */
int alerts_notify(struct alerts *alerts, const struct alert_notice *notice, struct err *err);
/* Once a second: digests, ends of quiet hours and mutes, second channels. telegram_refused: the bot
 * token is refused, so that waiting for a delivery is pointless. */
void alerts_tick(struct alerts *alerts, bool telegram_refused);
/* Parts of /status: "2 messages undelivered", "Muted: exit". */
void alerts_undelivered_line(struct buf *out, struct json_object *data, void *userdata);
void alerts_mutes_line(struct buf *out, struct json_object *data, void *userdata);
/* "🔧 Maintenance of demo until 14:30 UTC: kernel update" */
void alerts_maintenance_line(struct buf *out, struct json_object *data, void *userdata);
/* Adds the same to the footer of a reply; userdata is the alerts. */
void alerts_decorate(struct reply *reply, void *alerts);
/* Part of /status ("Alerts 1 high"), for desk_add_status_line; userdata is the alerts. */
void alerts_status_line(struct buf *out, struct json_object *data, void *userdata);
/* Writes the members of an incident, whose first alert this is, into the object that is open. Any
 * thread. */
struct incident;
struct json_out;
void alerts_write_incident(struct json_out *out, const struct incident *incident,
                           const struct alert *alert);
/* Registers alert.list, alert.show, alert.state, alert.ack, alert.raise, alert.mute, alert.unmute,
 * alert.test, alert.findings, alert.fixed, alert.wontfix, alert.learnings.
 */
void alerts_actions(struct alerts *alerts, struct action_table *table);
