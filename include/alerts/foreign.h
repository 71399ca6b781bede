/*
 * foreign.h: alerts that another program raises: the webhook of Alertmanager (version 4).
 *
 *     struct foreign_alert *list;
 *     int n = foreign_read(body, &list, err);                 // any thread; FOREIGN_MAX at most
 *     for (int i = 0; i < n; i++) alerts_foreign(alerts, &list[i], err);   // ops
 *     free(list);
 *
 * An alert becomes one of ours, with the fingerprint "alertmanager:<theirs>", the source
 * "alertmanager" and the severity that its label `severity` means. Repeated it is counted, resolved
 * it is resolved; mutes, quiet hours, storms, escalation and /alerts are those of every alert.
 * Always true for what was read: texts are valid UTF-8 without control characters, cut at the sizes
 * below; at most FOREIGN_LABELS labels are shown; nothing of it is run, linked or looked up.
 * Thread: as said at each function.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "model/alert.h"

#include <stdbool.h>

struct alerts;

#define FOREIGN_MAX    100 /* alerts of one request */
#define FOREIGN_LABELS 12

struct foreign_alert {
    bool resolved;
    enum severity severity;
    char fingerprint[ALERT_FINGERPRINT_SIZE];
    char title[ALERT_TITLE_SIZE];
    char description[ALERT_TEXT_SIZE];
    char recommendation[512]; /* "": none */
};

/* Any thread. Reads all alerts of the body or none; returns their number, and the list, which the
 * caller frees (NULL without any). Members that are not known are ignored. Error: API_ALERTS, or
 * that of json_parse. */
int foreign_read(struct str body, struct foreign_alert **ret, struct err *err);
/* Critical: "critical", "page", "emergency", "fatal"; high: "high", "error", "major"; medium:
 * "warning", "warn", "medium", "minor" and whatever is not known; low: "low", "notice"; info:
 * "info", "none", "debug". In any case. */
enum severity foreign_severity(struct str label);

/* Ops. Raises or resolves it. */
int alerts_foreign(struct alerts *alerts, const struct foreign_alert *alert, struct err *err);
