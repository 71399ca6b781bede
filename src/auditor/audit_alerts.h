/*
 * audit_alerts.h: what an audit changes in monitoring_alerts: findings are raised, and alerts of
 * findings that are over are closed. Private to this module.
 *
 *     audit_alerts_update(&(struct audit_alerts){.alerts = alerts, .report = report,
 *                                                .findings = list, .answered = true, …});
 *
 * Rules:
 * - A finding of the model that is known already, by its fingerprint, by its subject, problem and
 *   at least half of its pointers, or by the pointers of an alert of a former version, is raised
 *   under the known fingerprint: it is counted, not raised twice.
 * - An alert with a check is closed when the check is false, and reopened when it is true again.
 * - An alert without one, or with one whose figure is not in the report, is closed when the model
 * did not find it again in AUDIT_ALERTS_REPEATS audits that it answered, or when none of its
 * figures was in the report of this audit and of the one before. It is reopened when it is found
 * again.
 * - A rejected finding is stored with the reason, counted, and never sent.
 * A failure is logged only: the audit goes on, and /status shows its findings.
 * Thread: the auditor's.
 */
#pragma once

#include "alerts/alerts.h"
#include "finding.h"

#define AUDIT_ALERTS_REPEATS 6

struct audit_alerts {
    struct alerts *alerts;
    struct ops_store *store;
    struct json_object *report;
    const struct finding_list *findings;
    int64_t started_us;
    bool answered; /* the model gave a verdict */
};

/* Raises the findings of rules: as soon as the report is read, so that they do not wait for the
 * model. */
void audit_alerts_of_rules(const struct audit_alerts *in);
/* Raises the findings of the model and closes what is over. Before the record of this audit is
 * stored: the last one is the audit before. */
void audit_alerts_update(const struct audit_alerts *in);

void audit_alerts_raise(struct alerts *alerts, const struct alert_spec *spec);
void audit_alerts_resolve(struct alerts *alerts, const char *fingerprint, const char *why);
