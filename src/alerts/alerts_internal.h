/*
 * alerts_internal.h: the state of the alerts, and what their parts call of each other: alerts.c
 * (raise, resolve), alert_gate.c (kinds, mutes, quiet hours, recipients), alert_digest.c (storms,
 * quiet hours), alert_copy.c (second channels), alert_mute.c, alert_test.c
 * and alert_findings.c (their commands).
 *
 *     switch (alert_gate(alerts, kind, alert, NULL)) ...
 *     size_t n = alert_targets(alerts, kind, targets);
 *
 * Thread: ops.
 */
#pragma once

#include "alerts/alerts.h"
#include "command/reply.h"
#include "config/config.h"
#include "config/route.h"
#include "config/window.h"
#include "io/zone.h"
#include "store/alert_message_table.h"
#include "store/alert_table.h"
#include "store/incident_table.h"
#include "store/maintenance_table.h"
#include "store/mute_table.h"
#include "store/outbox_table.h"

#define ALERT_ROUTES_MAX  32
#define ALERT_TARGETS_MAX (2 * CONFIG_USERS_MAX + ALERT_ROUTES_MAX + 3)
#define ALERT_STORM_MAX   1000 /* the maximum of alerts.storm */
#define ALERT_OPEN_MAX    500
#define ALERT_DIRTY_MAX   32
#define ALERT_NEWS_MAX    16 /* in one transaction */

struct alert_target {
    const char *channel;
    int64_t chat_id;
    int64_t thread_id;
};

enum alert_gate {
    ALERT_GATE_SEND,
    ALERT_GATE_SILENT, /* without a sound */
    ALERT_GATE_OFF,
    ALERT_GATE_MUTED,
    ALERT_GATE_HOLD, /* until the end of the quiet hours */
    ALERT_GATE_STORM
};

/* The times of the last new messages: of critical alerts, and of the others. */
struct alert_rate {
    int64_t mono_us[ALERT_STORM_MAX];
    uint64_t count;
};

struct alert_dirty {
    char channel[32];
    int64_t chat_id;
    int64_t thread_id;
    int64_t outbox_id;
};

/* A window of maintenance of the configuration. */
struct alert_window {
    struct config_window window;
    struct zone *zone; /* owned; NULL: that of alerts.timezone */
};

struct alert_log;  /* alerts.c */
struct alert_test; /* a /test_alert that waits for its outcome */

struct alerts {
    struct alerts_options o;
    struct config_route routes[ALERT_ROUTES_MAX];
    size_t route_count;
    struct zone *zone;
    int quiet_from; /* minutes of the day; -1: no quiet hours */
    int quiet_to;
    bool was_quiet;
    bool started; /* the first tick has run */
    struct mute mutes[MUTES_MAX];
    size_t mute_count;
    size_t mutes_active;             /* at the last tick */
    struct maintenance *maintenance; /* owned: those that have not ended; NULL: none */
    size_t maintenance_count;
    struct alert_window *windows; /* owned: of alerts.maintenance; NULL: none */
    size_t window_count;
    bool holds_maintained;              /* there may be rows that maintenance held back */
    bool lifts_pauses;                  /* there may be pauses of its runs to lift */
    const struct action_table *actions; /* NULL before alerts_actions */
    struct alert_rate rates[2];
    struct alert_dirty dirty[ALERT_DIRTY_MAX];
    size_t dirty_count;
    int64_t copied_mono_us; /* of the last message to a second channel; 0: none */
    struct alert_test *test;
    struct reply *news[ALERT_NEWS_MAX]; /* owned: for o.told, after the commit */
    size_t news_count;
    struct alert_log *logs; /* owned: what is to be logged after the commit, in this order */
    int changes;            /* calls of alert_run under way, each within the one before */
    int64_t storm_mono_us;  /* when a storm was last passed to o.told; 0: never */
};

/* What is to be logged once the transaction is committed. */
enum alert_news { ALERT_NEWS_NONE, ALERT_NEWS_RAISED, ALERT_NEWS_WORSE, ALERT_NEWS_RESOLVED };

/* A body to run in one transaction; the channels are woken after the commit. A body may run another
 * one, as part of its transaction; it fails if that does. */
struct alert_change {
    struct alerts *alerts;
    int (*body)(struct alert_change *change, struct err *err);
    const struct alert_spec *spec;
    const char *fingerprint;
    const char *words;   /* the reason for resolving, or the name of the acknowledging user */
    struct alert *alert; /* scratch on the heap: a row is large */
    enum alert_news news;
    const struct alert_notice *notice;
    void *userdata;
};

/* ---- alerts.c ---- */
int alert_run(struct alert_change *change, struct err *err);
enum outbox_priority alert_priority(enum severity severity);
/* edit_of 0: a new message. */
int alert_post(struct alerts *alerts, const struct alert_target *target, const struct reply *reply,
               enum outbox_priority priority, int64_t edit_of, int64_t *ret_outbox_id,
               struct err *err);
/* Sends the first message about an alert, unless something holds it back. */
int alert_send_new(struct alerts *alerts, const struct alert *alert, struct err *err);
/* Edits the messages about an alert. */
int alert_changed(struct alerts *alerts, const struct alert *alert, struct err *err);

/* ---- incident.c ---- */
/* 1: *ret is the alert whose incident this one is part of. 0: this one has its own, or none. */
int incident_root(struct alerts *alerts, const struct alert *alert, struct alert *ret,
                  struct err *err);
/* Has the alert an incident? Findings and rejected ones have none. */
bool incident_has(const struct alert *alert);
/* The alert was raised, and how: opens its incident, or folds it into that of its cause, whose
 * message is then edited or sent. *ret_folded: it has no message of its own. */
int incident_raised(struct alerts *alerts, const struct alert *alert,
                    const struct alert_raised *raised, bool *ret_folded, struct err *err);
/* The alert was resolved or closed. */
int incident_resolved(struct alerts *alerts, const struct alert *alert, const char *why,
                      struct err *err);
/* An event of the incident that the alert is part of; nothing if it has none. */
int incident_event(struct alerts *alerts, const struct alert *alert,
                   const struct incident_event *event, struct err *err);
/* Sends the alerts whose cause is over and that are still open. */
void incident_tick(struct alerts *alerts);

/* ---- incident_reply.c ---- */
/* The living message: the alert, what it caused, what was done about it. */
struct reply *incident_reply(struct alerts *alerts, const struct alert *alert);
/* "Affected: …" */
void incident_add_affected(struct alerts *alerts, const struct alert *alert, struct reply *r);
void incident_actions(struct alerts *alerts, struct action_table *table);

/* ---- alert_notify.c ---- */
/* Passes the reply to o.told once the transaction is committed. */
void alert_tell(struct alerts *alerts, enum alert_gate gate, const struct reply *reply);
void alert_tell_end(struct alerts *alerts, bool committed);

/* ---- alert_gate.c ---- */
void alert_gate_apply(struct alerts *alerts, const struct config *config);
int alert_gate_load(struct alerts *alerts, struct err *err); /* the mutes */
/* alert NULL: a notification; symbol NULL: it is about none. */
enum alert_gate alert_gate(struct alerts *alerts, enum notice_kind kind, const struct alert *alert,
                           const struct symbol *symbol);
/* ret has ALERT_TARGETS_MAX places. */
size_t alert_targets(const struct alerts *alerts, enum notice_kind kind, struct alert_target *ret);
/* The same for a step of alerts.escalate; 0: there is no such recipient. */
size_t alert_step_targets(const struct alerts *alerts, const struct config_step *step,
                          struct alert_target *ret);
bool alert_is_quiet(const struct alerts *alerts);
bool alert_is_muted(const struct alerts *alerts, enum notice_kind kind, const struct alert *alert,
                    const struct symbol *symbol);
bool alert_is_second_channel(const char *channel);
bool alert_channel_on(const struct config *config, const char *channel);
/* alert: the alert that it is about; NULL: none. alert_id 0: it is not the alert itself. */
int alert_hold(struct alerts *alerts, enum notice_kind kind, const char *title,
               const struct alert *alert, int64_t alert_id, struct err *err);

/* ---- alert_digest.c ---- */
/* Counts a new message; true if it is one too many. */
bool alert_storm_begins(struct alerts *alerts, enum severity severity);
/* Adds the alert to the list in this chat; fills the rest of *message. */
int alert_storm_add(struct alerts *alerts, const struct alert_target *target,
                    const struct alert *alert, struct alert_message *message, struct err *err);
void alert_storm_changed(struct alerts *alerts, const struct alert_target *target,
                         int64_t outbox_id);
void alert_digest_tick(struct alerts *alerts);

/* ---- alert_escalate.c ---- */
void alert_escalate_tick(struct alerts *alerts);

/* ---- alert_copy.c ---- */
void alert_copy_tick(struct alerts *alerts, bool telegram_refused);

/* ---- alert_mute.c ---- */
void alert_mute_list(const struct alerts *alerts, struct reply *r);
void alert_mute_actions(struct alerts *alerts, struct action_table *table);
/* Sends the open alerts that were muted and are no more. */
void alert_mute_tick(struct alerts *alerts);

/* ---- maintenance.c ---- */
int alert_maintenance_load(struct alerts *alerts, struct err *err);
void alert_maintenance_apply(struct alerts *alerts, const struct config *config);
void alert_maintenance_release(struct alerts *alerts);
/* Maintenance keeps the alert quiet: all alerts of a service, and those of the rest that are not
 * critical. */
bool alert_is_maintained(const struct alerts *alerts, const struct alert *alert);
/* Ends maintenance whose time is over, and sends what it held back. */
void alert_maintenance_tick(struct alerts *alerts);
void alert_maintenance_actions(struct alerts *alerts, struct action_table *table);

/* ---- alert_actions.c ---- */
int alert_find(struct alerts *alerts, int64_t id, struct alert *ret, struct err *err);

/* ---- alert_findings.c ---- */
void alert_findings_actions(struct alerts *alerts, struct action_table *table);

/* ---- alert_test.c ---- */
void alert_test_actions(struct alerts *alerts, struct action_table *table);
void alert_test_stop(struct alerts *alerts);
