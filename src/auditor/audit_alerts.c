#include "audit_alerts.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "ground.h"
#include "proof/pointer.h"
#include "store/alert_table.h"
#include "store/audit_table.h"

#include <stdlib.h>
#include <string.h>

#define KNOWN_MAX  128
#define REMEMBERED (30 * USEC_PER_DAY) /* alerts fixed longer ago are not reopened */
#define REJECTED   ":rejected"

struct update {
    const struct audit_alerts *in;
    struct alert *known; /* KNOWN_MAX, worst first */
    int known_count;
    struct json_object *report_before; /* of the audit before; NULL: none */
    /* For each finding, the fingerprint to raise it under. */
    char (*fingerprints)[FINDING_FINGERPRINT_SIZE];
};

void audit_alerts_raise(struct alerts *alerts, const struct alert_spec *spec)
{
    struct err err = {0};
    int64_t id = 0;
    if (alerts_raise(alerts, spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not raise an audit alert");
    }
}

void audit_alerts_resolve(struct alerts *alerts, const char *fingerprint, const char *why)
{
    struct err err = {0};
    if (alerts_resolve(alerts, fingerprint, why, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not resolve an audit alert");
    }
}

/* ------------------------------------------------------------------ known findings */

/* Whether an alert is a finding of the model, and not of a rule or about the audit itself. */
static bool is_of_model(const char *fingerprint)
{
    static const char *const others[] = {"auditor:rule:", "auditor:no-verdict", "auditor:unproven",
                                         "auditor:overdue"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (str_starts(str_c(fingerprint), others[i])) {
            return false;
        }
    }
    return true;
}

/* The pointers of a stored alert, as a finding, in the report's general form. */
static void read_pointers(const struct alert *alert, struct finding *ret)
{
    AUTO_JSON struct json_object *evidence = NULL;
    ret->evidence_count = 0;
    if (json_parse(str_c(alert->evidence), &JSON_LIMITS_DEFAULT, &evidence, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < json_len(evidence) && i < FINDING_EVIDENCE_MAX; i++) {
        struct finding_evidence *to = &ret->evidence[ret->evidence_count++];
        (void)str_copy(json_str(json_item(evidence, i), "pointer"), to->pointer,
                       sizeof(to->pointer));
    }
}

/* How much of the pointers two findings share: 1 all, 0 none. */
static double overlap(const struct finding *a, const struct finding *b)
{
    struct finding_pointers x, y;
    finding_pointers(a, &x);
    finding_pointers(b, &y);
    int shared = 0;
    for (int i = 0; i < x.count; i++) {
        for (int k = 0; k < y.count; k++) {
            shared += strcmp(x.pointers[i], y.pointers[k]) == 0 ? 1 : 0;
        }
    }
    int all = x.count + y.count - shared;
    return all == 0 ? 0 : (double)shared / all;
}

/* Whether the fingerprint is of the former form, "auditor:<type>:<hash>", which had no subject. */
static bool is_former(const char *fingerprint)
{
    struct str rest = str_c(fingerprint), part;
    enum alert_type type;
    return str_split(&rest, ':', &part) && str_split(&rest, ':', &part) &&
           alert_type_parse(part, &type) && rest.len == 16 && memchr(rest.ptr, ':', 16) == NULL;
}

/* Whether the first three parts, "auditor:<subject>:<problem>", are the same. */
static bool same_problem(const char *a, const char *b)
{
    const char *end = strrchr(a, ':');
    size_t len = end == NULL ? 0 : (size_t)(end + 1 - a);
    return len > 0 && strncmp(a, b, len) == 0 && strrchr(b, ':') == b + len - 1;
}

/* Writes the fingerprint to raise the finding under: its own, or that of the alert that is known.
 */
static void known_fingerprint(const struct update *u, const struct finding *finding,
                              char ret[FINDING_FINGERPRINT_SIZE])
{
    finding_fingerprint(finding, ret);
    if (finding->rule != NULL) {
        return;
    }
    AUTO_FREE struct finding *stored = calloc(1, sizeof(*stored));
    NEED_MEMORY(stored != NULL);
    const char *found = NULL;
    for (int i = 0; i < u->known_count; i++) {
        const struct alert *alert = &u->known[i];
        if (strcmp(alert->fingerprint, ret) == 0) {
            return;
        }
        bool former = is_former(alert->fingerprint);
        if (found != NULL || !is_of_model(alert->fingerprint) ||
            (!former && !same_problem(ret, alert->fingerprint))) {
            continue;
        }
        read_pointers(alert, stored);
        (void)str_copy(str_c(finding->subject), stored->subject, sizeof(stored->subject));
        double share = overlap(finding, stored);
        found = share >= (former ? 1 : 0.5) ? alert->fingerprint : NULL;
    }
    if (found != NULL) {
        (void)str_copy(str_c(found), ret, FINDING_FINGERPRINT_SIZE);
    }
}

/* ------------------------------------------------------------------ raised */

static void raise_finding(const struct audit_alerts *in, const struct finding *finding,
                          const char *under)
{
    char fingerprint[FINDING_FINGERPRINT_SIZE + sizeof(REJECTED)];
    (void)str_copy(str_c(under), fingerprint, sizeof(fingerprint));
    if (finding->rejected) {
        /* Keeps it separate from a verified finding of the same problem, which may be open. */
        (void)str_copy(STR_LIT(REJECTED), fingerprint + strlen(fingerprint), sizeof(REJECTED));
    }
    AUTO_BUF struct buf evidence = BUF_INIT(ALERT_EVIDENCE_SIZE - 1);
    AUTO_BUF struct buf check = BUF_INIT(ALERT_CHECK_SIZE - 1);
    finding_evidence_write(finding, &evidence);
    /* A check that is not true now would resolve the alert at once, so it is wrong and dropped. */
    bool keep = finding->check.present && ground_check(in->report, &finding->check) == GROUND_TRUE;
    if (keep) {
        finding_check_write(&finding->check, &check);
    }
    audit_alerts_raise(
        in->alerts,
        &(struct alert_spec){.type = finding->type,
                             .severity = finding->severity,
                             .source = "auditor",
                             .fingerprint = fingerprint,
                             .title = finding->title,
                             .description = finding->description,
                             .evidence_json = buf_failed(&evidence) ? NULL : evidence.data,
                             .recommendation = finding->recommendation,
                             .check_json = keep && !buf_failed(&check) ? check.data : NULL,
                             .note = finding->rejected ? finding->reason : NULL,
                             .status = finding->rejected ? ALERT_REJECTED : ALERT_OPEN,
                             .reopens = !finding->rejected});
}

/* This audit found it too, and raises it itself. */
static bool is_found(const struct update *u, const char *fingerprint)
{
    for (int i = 0; i < u->in->findings->count; i++) {
        if (!u->in->findings->items[i].rejected && strcmp(u->fingerprints[i], fingerprint) == 0) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ closed */

/* Whether the check could be evaluated. */
static bool evaluate_check(const struct update *u, const struct alert *alert)
{
    AUTO_JSON struct json_object *object = NULL;
    struct finding_check check = {0};
    if (json_parse(str_c(alert->check_json), &JSON_LIMITS_DEFAULT, &object, NULL) < 0 ||
        !finding_check_read(object, &check)) {
        return false;
    }
    enum ground_state state = ground_check(u->in->report, &check);
    if (state == GROUND_FALSE && alert->status != ALERT_FIXED) {
        audit_alerts_resolve(u->in->alerts, alert->fingerprint, "its check is no longer true");
    } else if (state == GROUND_TRUE && alert->status == ALERT_FIXED &&
               !is_found(u, alert->fingerprint)) {
        audit_alerts_raise(u->in->alerts,
                           &(struct alert_spec){.type = alert->type,
                                                .severity = alert->severity,
                                                .source = "auditor",
                                                .fingerprint = alert->fingerprint,
                                                .title = alert->title,
                                                .description = alert->description,
                                                .evidence_json = alert->evidence,
                                                .recommendation = alert->recommendation,
                                                .check_json = alert->check_json,
                                                .status = ALERT_OPEN,
                                                .reopens = true});
    }
    return state != GROUND_UNKNOWN;
}

/* Whether none of the alert's figures is in the report. */
static bool is_gone(struct json_object *report, const struct finding *stored)
{
    for (int i = 0; i < stored->evidence_count; i++) {
        struct json_object *value = NULL;
        if (pointer_find(report, stored->evidence[i].pointer, &value)) {
            return false;
        }
    }
    return report != NULL && stored->evidence_count > 0;
}

static void close_without_check(const struct update *u, const struct alert *alert)
{
    AUTO_FREE struct finding *stored = calloc(1, sizeof(*stored));
    NEED_MEMORY(stored != NULL);
    struct err err = {0};
    int64_t answered = 0;
    if (is_found(u, alert->fingerprint)) {
        return;
    }
    read_pointers(alert, stored);
    if (is_gone(u->in->report, stored) && is_gone(u->report_before, stored)) {
        audit_alerts_resolve(u->in->alerts, alert->fingerprint,
                             "its figures are no longer in the report");
        return;
    }
    if (audit_table_answered_since(u->in->store, alert->last_seen_us, &answered, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not count the audits since a finding");
        return;
    }
    answered += u->in->answered ? 1 : 0;
    if (u->in->answered && answered >= AUDIT_ALERTS_REPEATS) {
        char why[80];
        (void)snprintf(why, sizeof(why), "the model did not find it again in %lld audits",
                       (long long)answered);
        audit_alerts_resolve(u->in->alerts, alert->fingerprint, why);
    }
}

/* ------------------------------------------------------------------ */

static void load_known(struct update *u)
{
    struct alert_query query = {.statuses = 1u << ALERT_OPEN | 1u << ALERT_ACKNOWLEDGED |
                                            1u << ALERT_FIXED | 1u << ALERT_WONTFIX,
                                .source = "auditor",
                                .since_us = u->in->started_us - REMEMBERED};
    struct err err = {0};
    u->known = calloc(KNOWN_MAX, sizeof(*u->known));
    NEED_MEMORY(u->known != NULL);
    /* Alerts of rules may be many, and are not looked at. */
    for (int read = 1; read > 0 && u->known_count < KNOWN_MAX; query.offset += (size_t)read) {
        struct alert *page = &u->known[u->known_count];
        size_t room = (size_t)(KNOWN_MAX - u->known_count);
        read = alert_table_list(u->in->store, &query, page, room, &err);
        if (read < 0) {
            log_err(LOG_LEVEL_ERROR, &err, "could not read the alerts of former audits");
        }
        for (int i = 0, kept = 0; i < read; i++) {
            if (is_of_model(page[i].fingerprint)) {
                page[kept++] = page[i];
                u->known_count++;
            }
        }
    }
    AUTO_AUDIT_RECORD struct audit_record last = {0};
    if (audit_table_last(u->in->store, &last, NULL) == 0) {
        (void)json_parse(str_c(last.report_json), &JSON_LIMITS_DEFAULT, &u->report_before, NULL);
    }
}

void audit_alerts_of_rules(const struct audit_alerts *in)
{
    for (int i = 0; i < in->findings->count; i++) {
        char fingerprint[FINDING_FINGERPRINT_SIZE];
        if (in->findings->items[i].rule != NULL) {
            finding_fingerprint(&in->findings->items[i], fingerprint);
            raise_finding(in, &in->findings->items[i], fingerprint);
        }
    }
}

void audit_alerts_update(const struct audit_alerts *in)
{
    struct update u = {.in = in};
    load_known(&u);
    u.fingerprints = calloc((size_t)in->findings->count + 1, sizeof(*u.fingerprints));
    NEED_MEMORY(u.fingerprints != NULL);
    for (int i = 0; i < in->findings->count; i++) {
        known_fingerprint(&u, &in->findings->items[i], u.fingerprints[i]);
    }
    for (int i = 0; i < u.known_count; i++) {
        const struct alert *alert = &u.known[i];
        bool live = alert->status == ALERT_OPEN || alert->status == ALERT_ACKNOWLEDGED;
        bool evaluated = alert->check_json[0] != '\0' && alert->status != ALERT_WONTFIX &&
                         evaluate_check(&u, alert);
        if (!evaluated && live && is_of_model(alert->fingerprint)) {
            close_without_check(&u, alert);
        }
    }
    for (int i = 0; i < in->findings->count; i++) {
        if (in->findings->items[i].rule == NULL) {
            raise_finding(in, &in->findings->items[i], u.fingerprints[i]);
        }
    }
    (void)json_object_put(u.report_before);
    free(u.known);
    free(u.fingerprints);
}
