#include "ops_alerts.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "command/manifest.h"
#include "config/config.h"
#include "heartbeat.h"
#include "store/alert_table.h"

#include <string.h>

#define LOOK_MAX 256

static bool is_scheduled(const struct manifest_list *manifests, const char *name)
{
    const struct manifest *m = manifest_find(manifests, name);
    return m != NULL && (m->schedule.every_us > 0 || m->schedule.at_count > 0);
}

/* What follows the prefix; NULL if the fingerprint does not begin with it. */
static const char *after(const char *fingerprint, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(fingerprint, prefix, len) == 0 ? fingerprint + len : NULL;
}

/* Why the cause is over; NULL if it may last, or if its own module looks at it. */
static const char *why_over(const struct ops_alerts *sweep, const char *fingerprint)
{
    const struct config *config = sweep->config;
    char service[ALERT_SERVICE_SIZE];
    if (alert_service(fingerprint, service)) {
        return config_service(config, str_c(service)) != NULL ? NULL
                                                              : "removed from the configuration";
    }
    const char *name = after(fingerprint, "schedule:");
    if (name != NULL) {
        return is_scheduled(sweep->manifests, name) ? NULL : "the command has no schedule any more";
    }
    if (after(fingerprint, "mail:") != NULL) {
        return config->mail_server[0] != '\0' ? NULL : "mail is off";
    }
    if (after(fingerprint, "webhook:") != NULL) {
        return config->webhook_url[0] != '\0' ? NULL : "the webhook is off";
    }
    if (after(fingerprint, "telegram:") != NULL) {
        return config->telegram_bot_token[0] != '\0' ? NULL : "Telegram is off";
    }
    if (strcmp(fingerprint, HEARTBEAT_ALERT) == 0) {
        return config->monitoring_heartbeat_url[0] != '\0' ? NULL : "heartbeats are off";
    }
    if (strcmp(fingerprint, "ops:DB_MOVED") == 0) {
        return sweep->started ? "this start has opened the files again" : NULL;
    }
    return NULL;
}

void ops_alerts_sweep(const struct ops_alerts *sweep)
{
    struct alert *rows = calloc(LOOK_MAX, sizeof(*rows));
    ASSERT(rows != NULL);
    const struct alert_query open = {.statuses = 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED};
    struct err err = {0};
    int count = alert_table_list(sweep->store, &open, rows, LOOK_MAX, &err);
    int rc = count < 0 ? count : 0;
    for (int i = 0; rc == 0 && i < count; i++) {
        const char *why = why_over(sweep, rows[i].fingerprint);
        rc = why == NULL ? 0 : alerts_resolve(sweep->alerts, rows[i].fingerprint, why, &err);
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not close alerts whose cause is over");
    }
    free(rows);
}
