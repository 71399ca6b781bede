/*
 * alerts.h: the one pipeline for everything that wants attention: raise, dedupe, resolve, notify.
 *
 *     struct alert_spec a = {.type = ALERT_SERVICE, .severity = SEVERITY_HIGH, .source = "health",
 *                            .fingerprint = "service:prediction", .title = "prediction is down"};
 *     alerts_raise(alerts, &a, &id, err);
 *     alerts_resolve(alerts, "service:prediction", "healthy again after 42 s", err);
 *
 * Rules: one open row a fingerprint; a repeat counts up, edits the message that stands in the chat
 * and sends a new one only when the severity rises; resolving edits it once more and tells. An
 * alert of low or info severity is stored but not pushed. The alert row and its outbox row are
 * committed in one transaction: nothing is lost between "noticed" and "delivered or shown as
 * undelivered". Where there is no chat at all it stands in /alerts, unnotified, and is told when it
 * is seen again and there is one.
 * Buttons on an alert: Ack, Explain (the command /alerts <id>).
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "command/action.h"
#include "io/json.h"
#include "model/alert.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct ops_store;
struct alerts;

struct alert_spec {
    enum alert_type type;
    enum severity severity;
    const char *source;      /* "health" "auditor" "engine" "telegram" … */
    const char *fingerprint; /* what makes two of them the same */
    const char *title;
    const char *description;
    const char *evidence_json; /* array; NULL: none */
    const char *recommendation;
    const char *check_json;   /* {"pointer","op","value"} evaluated at each audit; NULL: none */
    enum alert_status status; /* ALERT_OPEN, or ALERT_REJECTED: stored, never pushed */
    /* One that was fixed is opened again, with its count and told anew, instead of a new row. */
    bool reopens;
};

struct alerts_options {
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    bool headless; /* no console is attached: what is queued for one would wait for ever */
    void (*outbox_changed)(void *userdata);
    void *userdata;
};

int alerts_new(const struct alerts_options *options, struct alerts **ret, struct err *err);
void alerts_free(struct alerts *alerts);

int alerts_raise(struct alerts *alerts, const struct alert_spec *spec, int64_t *ret_id,
                 struct err *err);
/* Marks the open alert of this fingerprint fixed; 0 also when there is none. */
int alerts_resolve(struct alerts *alerts, const char *fingerprint, const char *why,
                   struct err *err);
/* A piece of /status ("Alerts 1 high") for desk_add_status_line; userdata is the alerts. */
void alerts_status_line(struct buf *out, struct json_object *data, void *userdata);
/* Registers alert.list, alert.show, alert.ack, alert.raise. */
void alerts_actions(struct alerts *alerts, struct action_table *table);
