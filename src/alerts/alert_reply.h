/*
 * alert_reply.h: alerts as replies. Private to this module.
 *
 *     AUTO_REPLY struct reply *reply = alert_reply(&alert, NULL, now_us);
 *
 * Invariants: only alert_report_load reads the database, and nothing here writes it.
 * Ownership: the caller frees the returned reply.
 * Thread: ops.
 */
#pragma once

#include "command/reply.h"
#include "io/json.h"
#include "store/alert_table.h"

/* The chat message of an alert in its current state; later states edit the same message.
 * service: it is about this one, which can be restarted; NULL: none. */
struct reply *alert_reply(const struct alert *alert, const char *service, int64_t now_us);
/* The short extra message that it is resolved. */
struct reply *alert_reply_resolved(const struct alert *alert, const char *why);
/* Whether the auditor found it: an audit without a verdict is an alert of the auditor as well. */
bool alert_is_finding(const struct alert *alert);

/* The report of the newest audit. */
struct alert_report {
    struct json_object *document; /* NULL: no audit yet, or it cannot be read */
    int64_t at_us;
};
int alert_report_load(struct ops_store *store, struct alert_report *ret, struct err *err);
void alert_report_release(struct alert_report *report);
#define AUTO_ALERT_REPORT __attribute__((cleanup(alert_report_release)))

/* Adds one alert with its evidence to r; of a finding also what its figures mean, its check, and
 * what the report says now. */
void alert_reply_full(const struct alert *alert, const struct alert_report *report, int64_t now_us,
                      struct reply *r);
/* The part of alert_reply_full behind its words. */
void alert_reply_explain(const struct alert *alert, const struct alert_report *report,
                         int64_t now_us, struct reply *r);
/* The buttons that end it, or its messages: Fixed, Mute, Won't fix; those that apply. */
void alert_reply_close_buttons(const struct alert *alert, struct reply *r);
/* Adds a table of alerts to r. more: there are others that are not shown. */
void alert_reply_list(const struct alert *alerts, int count, bool more, int64_t now_us,
                      struct reply *r);
