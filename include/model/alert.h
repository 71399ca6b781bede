/*
 * alert.h: types, severities and statuses of alerts, as stored in the table monitoring_alerts.
 *
 * Thread: any (plain values).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

enum alert_type {
    ALERT_BUG,
    ALERT_INEFFICIENCY,
    ALERT_PATTERN,
    ALERT_PERFORMANCE,
    ALERT_MISSING_FEATURE,
    ALERT_SERVICE,
    ALERT_RISK,
    ALERT_SECURITY,
    ALERT_DATA
};
enum severity { SEVERITY_INFO, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };
enum alert_status {
    ALERT_OPEN,
    ALERT_ACKNOWLEDGED,
    ALERT_FIXED,
    ALERT_WONTFIX,
    ALERT_REJECTED /* an auditor finding without any verified figure: never sent */
};

const char *alert_type_name(enum alert_type t); /* "bug" … */
const char *severity_name(enum severity s);     /* "info" … "critical" */
const char *alert_status_name(enum alert_status s);
bool alert_type_parse(struct str s, enum alert_type *ret);
bool severity_parse(struct str s, enum severity *ret);
bool alert_status_parse(struct str s, enum alert_status *ret);
