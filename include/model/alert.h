/*
 * alert.h: an alert, as stored in the table monitoring_alerts: type, severity, status and texts.
 *
 * Thread: any (plain values).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

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
    ALERT_REJECTED /* an auditor finding with a figure that is not verified: never sent */
};

const char *alert_type_name(enum alert_type t); /* "bug" … */
const char *severity_name(enum severity s);     /* "info" … "critical" */
const char *alert_status_name(enum alert_status s);
bool alert_type_parse(struct str s, enum alert_type *ret);
bool severity_parse(struct str s, enum severity *ret);
bool alert_status_parse(struct str s, enum alert_status *ret);

#define ALERT_TITLE_SIZE       160
#define ALERT_TEXT_SIZE        2048
#define ALERT_EVIDENCE_SIZE    6144
#define ALERT_CHECK_SIZE       512
#define ALERT_NOTE_SIZE        256
#define ALERT_FINGERPRINT_SIZE 128

struct alert {
    int64_t id;
    enum alert_type type;
    enum severity severity;
    char title[ALERT_TITLE_SIZE];
    char description[ALERT_TEXT_SIZE];
    char evidence[ALERT_EVIDENCE_SIZE]; /* a JSON array */
    char recommendation[ALERT_TEXT_SIZE];
    enum alert_status status;
    int64_t created_us;
    int64_t acknowledged_us; /* 0: never */
    int64_t fixed_us;        /* 0: never */
    char fingerprint[ALERT_FINGERPRINT_SIZE];
    char source[32];
    int64_t count;
    int64_t last_seen_us;
    char acked_by[64];
    char check_json[ALERT_CHECK_SIZE];  /* "": none */
    int64_t reopened;                   /* how many times */
    bool notified;                      /* a message about it was added to the outbox */
    char note[ALERT_NOTE_SIZE];         /* what the person wrote who closed it last; "": nothing */
    char closed_by[64];                 /* who marked it as fixed or won't fix last; "": nobody */
    char cause[ALERT_FINGERPRINT_SIZE]; /* the fingerprint of the open alert that caused it; "":
                                           none is open */
    int64_t run_id;                     /* of the command that raised it; 0: none */
};

#define ALERT_SERVICE_SIZE 64

/* The service that alerts of this fingerprint are about: "demo" of "service:demo",
 * "metric:demo:memory" and "metric:demo/api:latency". False: of none, such as "metric:host:disk",
 * the machine's; a service of that name is "metric:service:host:memory". */
bool alert_service(const char *fingerprint, char ret[ALERT_SERVICE_SIZE]);
