#include "model/alert.h"

#include "names.h"

static const char *const type_words[] = {
    [ALERT_BUG] = "bug",
    [ALERT_INEFFICIENCY] = "inefficiency",
    [ALERT_PATTERN] = "pattern",
    [ALERT_PERFORMANCE] = "performance",
    [ALERT_MISSING_FEATURE] = "missing_feature",
    [ALERT_SERVICE] = "service",
    [ALERT_RISK] = "risk",
    [ALERT_SECURITY] = "security",
    [ALERT_DATA] = "data",
};
static const char *const severity_words[] = {
    [SEVERITY_INFO] = "info", [SEVERITY_LOW] = "low",           [SEVERITY_MEDIUM] = "medium",
    [SEVERITY_HIGH] = "high", [SEVERITY_CRITICAL] = "critical",
};
static const char *const status_words[] = {
    [ALERT_OPEN] = "open",       [ALERT_ACKNOWLEDGED] = "acknowledged", [ALERT_FIXED] = "fixed",
    [ALERT_WONTFIX] = "wontfix", [ALERT_REJECTED] = "rejected",
};

NAMES_PRINT(alert_type, enum alert_type, type_words)
NAMES_PARSE(alert_type, enum alert_type, type_words)
NAMES_PRINT(severity, enum severity, severity_words)
NAMES_PARSE(severity, enum severity, severity_words)
NAMES_PRINT(alert_status, enum alert_status, status_words)
NAMES_PARSE(alert_status, enum alert_status, status_words)
