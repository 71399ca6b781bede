#include "ops_late.h"

#include "alerts/alerts.h"
#include "base/log.h"
#include "command/runner.h"
#include "ops_watch.h"

static int report_message(const struct desk_late *late, struct runner *runner, struct err *err)
{
    if (late->run_id == 0 || runner == NULL) {
        return 0;
    }
    int rc = runner_late(runner, late->run_id, late->reply, err);
    return rc == -ERR_STORE_NOT_FOUND ? 0 : rc; /* the run has been pruned */
}

/* An emergency stop has an alert of its own, which ops_watch resolves. It is resolved here too, in
 * case it was raised after that. */
static int report_alert(const struct desk_late *late, struct alerts *alerts, struct err *err)
{
    if (!late->happened) {
        return 0;
    }
    if (late->kind == REQUEST_EMERGENCY_STOP) {
        return alerts_resolve(alerts, OPS_STOP_ALERT, "verified flat, late", err);
    }
    const struct alert_spec spec = {
        .type = ALERT_RISK,
        .severity = SEVERITY_HIGH,
        .source = "ops",
        .fingerprint = "late:request",
        .title = "a command took effect after it was reported as failed",
        .description = reply_get_title(late->reply),
        .recommendation = "Look at /status and /positions, and at /auditlog for the run.",
    };
    int64_t id;
    return alerts_raise(alerts, &spec, &id, err);
}

unsigned ops_late_report(const struct desk_late *late, struct runner *runner, struct alerts *alerts)
{
    unsigned notified = late->notified;
    struct err err = {0};
    if ((notified & DESK_LATE_MESSAGE) == 0) {
        if (report_message(late, runner, &err) == 0) {
            notified |= DESK_LATE_MESSAGE;
        } else {
            log_err(LOG_LEVEL_WARNING, &err, "could not report the outcome of a late request");
        }
    }
    err_clear(&err);
    if ((notified & DESK_LATE_ALERT) == 0) {
        if (report_alert(late, alerts, &err) == 0) {
            notified |= DESK_LATE_ALERT;
        } else {
            log_err(LOG_LEVEL_WARNING, &err, "could not store the alert of a late request");
        }
    }
    return notified;
}
