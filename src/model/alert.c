#include "model/alert.h"

#include "names.h"

#include <string.h>

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

/* What follows the prefix; NULL: it does not begin with it. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool alert_service(const char *fingerprint, char ret[ALERT_SERVICE_SIZE])
{
    const char *name = after(fingerprint, "service:");
    const char *subject = after(fingerprint, "metric:");
    if (subject != NULL) {
        const char *marked = after(subject, "service:");
        bool is_marked = marked != NULL && strchr(marked, ':') != NULL;
        bool is_other = after(subject, "host:") != NULL || after(subject, "nightdesk:") != NULL;
        name = is_marked ? marked : is_other ? NULL : subject;
    }
    size_t length = name == NULL ? 0 : strcspn(name, ":/");
    return length > 0 && str_copy(str_n(name, length), ret, ALERT_SERVICE_SIZE);
}
