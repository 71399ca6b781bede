#include "ops_audit.h"

#include "alerts/alerts.h"
#include "base/clock.h"
#include "base/log.h"
#include "command/runner.h"
#include "store/audit_chain.h"

#define FIRST_US         USEC_PER_MIN
#define SEAL_US          USEC_PER_HOUR
#define ARCHIVE_ROWS_MIN 1000               /* avoids many small files */
#define ARCHIVE_AGAIN_US (5 * USEC_PER_SEC) /* while there is more to archive */
#define USER             "nightdesk"

/* Moves old rows of the audit log to files, one archive per call. */
static void archive(struct ops *ops, int64_t now_mono_us)
{
    int64_t now_us = clock_wall_us(ops->clock), rows = 0;
    struct err err = {0};
    const struct audit_archive_options options = {
        .before_us = now_us - ops_config(ops)->monitoring_audit_log_archive_us,
        .now_us = now_us,
        .min_rows = ARCHIVE_ROWS_MIN,
        .user = USER,
        .channel = channel_name(CHANNEL_SCHEDULE),
    };
    int rc = audit_chain_archive(ops->store, &options, &rows, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not archive old rows of the audit log");
    }
    ops->archive_next_mono_us = now_mono_us + (rows > 0 ? ARCHIVE_AGAIN_US : USEC_PER_HOUR);
}

static void report_failure(struct ops *ops, const struct err *why)
{
    const struct err_info *info = err_info(why->id);
    const struct alert_spec spec = {
        .type = ALERT_DATA,
        .severity = why->id == ERR_AUDIT_CHAIN ? SEVERITY_CRITICAL : SEVERITY_MEDIUM,
        .source = "ops",
        .fingerprint = OPS_AUDIT_ALERT,
        .title = "audit log could not be sealed",
        .description = why->context,
        .recommendation = info->remediation,
    };
    struct err ignored = {0}; /* the log has it */
    int64_t id;
    log_err(LOG_LEVEL_ERROR, why, "could not seal the audit log");
    (void)alerts_raise(ops->alerts, &spec, &id, &ignored);
}

void ops_audit_seal(struct ops *ops)
{
    struct err err = {0};
    const struct audit_seal_options options = {.now_us = clock_wall_us(ops->clock),
                                               .user = USER,
                                               .channel = channel_name(CHANNEL_SCHEDULE),
                                               .last = &ops->sealed};
    int rc = audit_seal_add(ops->store, &options, &ops->sealed, &err);
    if (rc < 0) {
        report_failure(ops, &err);
        return;
    }
    if (rc > 0) {
        AUTO_BUF struct buf seal = BUF_INIT(128);
        buf_addf(&seal, "%lld:%s", (long long)ops->sealed.rows, ops->sealed.last_hash);
        LOG_FIELDS(NOTICE, "sealed the audit log", {"AUDIT_SEAL", seal.data});
        (void)alerts_resolve(ops->alerts, OPS_AUDIT_ALERT, "the audit log is sealed", &err);
    }
}

void ops_audit_start(struct ops *ops, int64_t now_mono_us)
{
    struct err err = {0};
    ops->archive_next_mono_us = now_mono_us + FIRST_US;
    ops->seal_next_mono_us = now_mono_us + FIRST_US;
    if (audit_seal_create_key(ops->store, &err) < 0) {
        report_failure(ops, &err);
    }
}

void ops_audit_tick(struct ops *ops, int64_t now_mono_us)
{
    if (now_mono_us >= ops->archive_next_mono_us && runner_active(ops->runner) == 0) {
        archive(ops, now_mono_us);
    }
    if (now_mono_us >= ops->seal_next_mono_us) {
        ops->seal_next_mono_us = now_mono_us + SEAL_US;
        ops_audit_seal(ops);
    }
}
