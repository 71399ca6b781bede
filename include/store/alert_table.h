/*
 * alert_table.h: monitoring_alerts in ops.db, the one table of alerts from all sources.
 *
 *     struct alert_new a = {.type = ALERT_SERVICE, .severity = SEVERITY_HIGH, .title = "demo is
 * down", .fingerprint = "service:demo", .source = "health"}; alert_table_raise(store, &a, now_us,
 * &raised, err); if (raised.how == ALERT_RAISED_NEW) push(raised.id); alert_table_set_status(store,
 * id, ALERT_FIXED, "alice", now_us, err);
 *
 * Always true: at most one row per fingerprint is open, acknowledged or wontfix. Raising it again
 * increments that row's count and updates last_seen, the texts and, if it is higher, the severity;
 * for a wontfix row the caller learns that it is silent. After the row was fixed or rejected, a new
 * row is added, unless the caller reopens the old one. Texts are cut at the sizes below, at a UTF-8
 * boundary; evidence and check are JSON, and are refused (ERR_STORE_TOO_LONG) rather than cut.
 * An unreadable row is left out of lists and counts and is logged; if it has the fingerprint of a
 * new alert, it is set aside (rejected).
 * The table's first eleven columns are, in this order: id, alert_type, severity, title,
 * description, evidence, recommendation, status, created_at, acknowledged_at, fixed_at.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/alert.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alert_new {
    enum alert_type type;
    enum severity severity;
    const char *title;
    const char *description;    /* NULL: "" */
    const char *evidence;       /* JSON array; NULL: "[]" */
    const char *recommendation; /* NULL: "" */
    const char *fingerprint;    /* equal for alerts about the same thing; required */
    const char *source;     /* "auditor" "command" "engine" "health" "ops" "telegram"; required */
    const char *check_json; /* {"pointer":…,"comparison":…,"value":…} or NULL */
    const char *note;       /* NULL: "", or that of before */
    bool rejected;          /* stored with status rejected: never pushed */
    const char *cause;      /* the fingerprint of what caused it; NULL: "" */
    int64_t run_id;         /* of the command that raised it; 0: none */
};

enum alert_raised_how { ALERT_RAISED_NEW, ALERT_RAISED_AGAIN, ALERT_RAISED_SILENTLY };

struct alert_raised {
    int64_t id;
    enum alert_raised_how how;
    int64_t count;
    bool worse; /* ALERT_RAISED_AGAIN with a higher severity than before */
};

/* A member that is zero does not filter. */
struct alert_query {
    uint32_t statuses; /* bits 1u << enum alert_status; 0: all */
    enum severity min_severity;
    const char *source;
    bool with_check_only;
    bool unnotified_only;
    int64_t since_us; /* last seen at or after */
    /* Only what follows this alert in the list; after_id 0: all. */
    enum severity after_severity;
    int64_t after_id;
    size_t offset;
};

int alert_table_raise(struct ops_store *store, const struct alert_new *alert, int64_t now_us,
                      struct alert_raised *ret, struct err *err);
/* ERR_STORE_NOT_FOUND. */
int alert_table_get(struct ops_store *store, int64_t id, struct alert *ret, struct err *err);
/* The newest row of a fingerprint, of any status; ERR_STORE_NOT_FOUND, also if that row is
 * unreadable. */
int alert_table_find(struct ops_store *store, const char *fingerprint, struct alert *ret,
                     struct err *err);
/* Highest severity first, then newest; returns the number or a negative error id. */
int alert_table_list(struct ops_store *store, const struct alert_query *query, struct alert *ret,
                     size_t max, struct err *err);
/* `by` is stored as acked_by for ACKNOWLEDGED and WONTFIX. Setting the current status changes
 * nothing. ERR_STORE_NOT_FOUND. */
int alert_table_set_status(struct ops_store *store, int64_t id, enum alert_status status,
                           const char *by, int64_t now_us, struct err *err);
/* By a person. ERR_STORE_NOT_FOUND. */
struct alert_closing {
    enum alert_status status; /* ALERT_FIXED or ALERT_WONTFIX */
    const char *by;
    const char *note; /* "" or NULL: that of before stays */
};
int alert_table_close(struct ops_store *store, int64_t id, const struct alert_closing *how,
                      int64_t now_us, struct err *err);
/* Findings of the auditor that are fixed or won't be, the last closed first; returns the number. */
int alert_table_closed_findings(struct ops_store *store, size_t offset, struct alert *ret,
                                size_t max, struct err *err);
/* Changes fixed to open, increments reopened and clears notified; the count changes only when it is
 * raised. ERR_STORE_DUPLICATE if a newer row of the fingerprint is not closed. */
int alert_table_reopen(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
int alert_table_set_notified(struct ops_store *store, int64_t id, struct err *err);
/* Alerts of medium severity or higher that were first raised at or after since_us. */
int alert_table_count_since(struct ops_store *store, int64_t since_us, int64_t *ret,
                            struct err *err);
/* What became of the auditor's findings at or after since_us; open: now. */
struct alert_findings {
    int64_t found;
    int64_t fixed;
    int64_t wontfix;
    int64_t reopened;
    int64_t rejected;
    int64_t open;
};
int alert_table_findings(struct ops_store *store, int64_t since_us, struct alert_findings *ret,
                         struct err *err);
/* Open and acknowledged alerts by severity (index: enum severity). */
int alert_table_counts(struct ops_store *store, int64_t ret_by_severity[SEVERITY_CRITICAL + 1],
                       struct err *err);

/* ---- causes ---- */

/* Open and acknowledged alerts that name this cause, the oldest first; returns their number. */
int alert_table_caused_by(struct ops_store *store, const char *fingerprint, int64_t *ret_ids,
                          size_t max, struct err *err);
/* From when on an alert whose cause is over is sent by itself; 0: never. */
int alert_table_set_due(struct ops_store *store, int64_t id, int64_t due_us, struct err *err);
int alert_table_get_due(struct ops_store *store, int64_t id, int64_t *ret_us, struct err *err);
/* Alerts whose time has come, of any status; returns their number. */
int alert_table_due(struct ops_store *store, int64_t now_us, int64_t *ret_ids, size_t max,
                    struct err *err);
int alert_table_set_severity(struct ops_store *store, int64_t id, enum severity severity,
                             struct err *err);
/* Open and acknowledged alerts that an earlier run of the same command with the same arguments
 * raised; returns their number. */
int alert_table_of_command(struct ops_store *store, int64_t run_id, int64_t *ret_ids, size_t max,
                           struct err *err);
/* If more than so many are open or acknowledged: the oldest of the lowest severity, but not this
 * one; else 0. */
int alert_table_least(struct ops_store *store, int64_t beyond, int64_t except_id, int64_t *ret_id,
                      struct err *err);
