/*
 * certificate.h: the alert of a check whose server has a certificate that expires soon
 * ("certificate:<service>/<check>"). The service is not down because of it.
 *
 *     struct certificate certificate = CERTIFICATE_INIT;
 *     if (certificate_is_due(&certificate, now_mono_us)) ask;   // every hour, or at every round
 *     certificate_seen(&certificate, check, expires_us);
 *
 * Always true: a later date ends the alert at once. Thread: ops.
 */
#pragma once

#include "check.h"

struct certificate {
    bool open;               /* the alert is, or may be after our start */
    int64_t told_expires_us; /* of the alert; 0: it is not raised */
    int64_t told_days;       /* the days left that it names */
    int64_t seen_mono_us;    /* the last look; 0: never */
};
#define CERTIFICATE_INIT ((struct certificate){.open = true})

bool certificate_is_due(const struct certificate *certificate, int64_t now_mono_us);
/* expires_us: wall, the end of the server's certificate; 0: the server has none. */
void certificate_seen(struct certificate *certificate, const struct check *check,
                      int64_t expires_us);
/* The check is not in the configuration any more. */
void certificate_forget(const struct check *check);
