#include "certificate.h"

#include "alerts/alerts.h"
#include "base/buf.h"
#include "base/log.h"
#include "health_internal.h"
#include "io/json_out.h"

#include <stdio.h>

#define LOOK_EVERY_US USEC_PER_HOUR
#define STEADY_US     USEC_PER_DAY /* above the limit, if the date has not changed */

static void fingerprint_of(const struct check *check, char *dst, size_t size)
{
    (void)snprintf(dst, size, "certificate:%s/%s", check->service->config->name,
                   check->config.name);
}

static bool resolve(const struct check *check, const char *why)
{
    char fingerprint[96];
    struct err err = {0};
    fingerprint_of(check, fingerprint, sizeof(fingerprint));
    if (alerts_resolve(check_health(check)->options.alerts, fingerprint, why, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not resolve the alert of a certificate");
        return false;
    }
    return true;
}

static bool raise(const struct check *check, int64_t expires_us, int64_t left_us)
{
    const char *service = check->service->config->name;
    char fingerprint[96], title[96], pointer[128];
    struct err err = {0};
    int64_t id = 0;
    fingerprint_of(check, fingerprint, sizeof(fingerprint));
    AUTO_BUF struct buf left = BUF_INIT(32), date = BUF_INIT(64);
    clock_add_duration(&left, left_us);
    clock_add_iso(&date, expires_us, false);
    (void)snprintf(title, sizeof(title), "certificate of %s ends soon", service);
    AUTO_BUF struct buf text = BUF_INIT(512), evidence = BUF_INIT(512);
    buf_addf(&text, "Check %s: the certificate expires in %s, at %s; the limit is %lld days.",
             check->config.name, left.data, date.data, (long long)check->config.certificate_days);
    (void)snprintf(pointer, sizeof(pointer), "/services/%s/checks/%s/certificate_days", service,
                   check->config.name);
    struct json_out out = JSON_OUT(&evidence);
    json_out_array(&out, NULL);
    json_out_object(&out, NULL);
    json_out_text(&out, "pointer", pointer);
    json_out_i64(&out, "value", left_us / USEC_PER_DAY);
    json_out_i64(&out, "limit", check->config.certificate_days);
    json_out_end(&out);
    json_out_end(&out);
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_MEDIUM,
                                    .source = "health",
                                    .fingerprint = fingerprint,
                                    .title = title,
                                    .description = text.data,
                                    .evidence_json = evidence.data,
                                    .recommendation = "Renew it, and let its server load it.",
                                    .status = ALERT_OPEN};
    if (alerts_raise(check_health(check)->options.alerts, &spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not raise the alert of a certificate");
        return false;
    }
    return true;
}

bool certificate_is_due(const struct certificate *certificate, int64_t now_mono_us)
{
    return certificate->seen_mono_us == 0 || certificate->told_expires_us != 0 ||
           now_mono_us - certificate->seen_mono_us >= LOOK_EVERY_US;
}

void certificate_seen(struct certificate *certificate, const struct check *check,
                      int64_t expires_us)
{
    const struct clock *clock = loop_clock(check_health(check)->options.loop);
    int64_t left_us = expires_us - clock_wall_us(clock);
    int64_t limit_us = check->config.certificate_days * USEC_PER_DAY;
    int64_t days = left_us / USEC_PER_DAY;
    certificate->seen_mono_us = clock_mono_us(clock);
    if (expires_us != 0 && left_us <= limit_us) {
        bool news = certificate->told_expires_us != expires_us || certificate->told_days != days;
        if (news && raise(check, expires_us, left_us > 0 ? left_us : 0)) {
            certificate->open = true;
            certificate->told_expires_us = expires_us;
            certificate->told_days = days;
        }
        return;
    }
    bool renewed = expires_us == 0 || expires_us > certificate->told_expires_us;
    if (certificate->open && (renewed || left_us > limit_us + STEADY_US) &&
        resolve(check, expires_us == 0 ? "it has no certificate any more" : "it was renewed")) {
        certificate->open = false;
        certificate->told_expires_us = 0;
    }
}

void certificate_forget(const struct check *check)
{
    (void)resolve(check, "removed from the configuration");
}
