#include "broken.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "model/plain_text.h"
#include "report/invariant.h"
#include "store/alert_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX     "auditor:rule:"
#define PAGE       32
#define ALERTS_MAX 256

static struct json_object *outcome_of(struct json_object *report, const char *id)
{
    return json_get(json_at(report, "/invariants"), id);
}

int broken_names(struct json_object *report, const char *state, const char *ret[BROKEN_NAMES_MAX])
{
    int count = 0;
    for (int i = 0; i < invariant_count() && count < BROKEN_NAMES_MAX; i++) {
        const char *id = invariant_at(i)->id;
        if (strcmp(json_text(outcome_of(report, id), "state"), state) == 0) {
            ret[count++] = id;
        }
    }
    return count;
}

/* ------------------------------------------------------------------ findings */

/* RFC 6901: ~ and / of a name are written ~0 and ~1. */
static void add_step(struct buf *pointer, const char *name)
{
    buf_add_char(pointer, '/');
    for (; *name != '\0'; name++) {
        if (*name == '~' || *name == '/') {
            buf_add_c(pointer, *name == '~' ? "~0" : "~1");
        } else {
            buf_add_char(pointer, *name);
        }
    }
}

/* Cites each figure of the subject as it is in the report; its name too, if it has none. */
static void cite(struct finding *finding, struct json_object *figures, const char *subject)
{
    json_object_object_foreach(figures, name, value)
    {
        struct finding_evidence *evidence = &finding->evidence[finding->evidence_count];
        AUTO_BUF struct buf pointer = BUF_INIT(FINDING_POINTER_SIZE - 1);
        if (strcmp(name, "says") == 0 || value == NULL ||
            finding->evidence_count == FINDING_EVIDENCE_MAX) {
            continue;
        }
        buf_addf(&pointer, "/invariants/%s/subjects", finding->rule);
        add_step(&pointer, subject);
        add_step(&pointer, name);
        evidence->cited.is_text = !json_is_number(value);
        const char *text = evidence->cited.is_text
                               ? json_object_get_string(value)
                               : json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
        if (!buf_failed(&pointer) &&
            str_copy(buf_str(&pointer), evidence->pointer, sizeof(evidence->pointer)) &&
            str_copy(str_c(text), evidence->cited.text, sizeof(evidence->cited.text))) {
            finding->evidence_count++;
        }
    }
}

static void add_subjects(const struct invariant *invariant, struct json_object *outcome,
                         struct finding_list *list)
{
    struct json_object *subjects = json_get(outcome, "subjects");
    int64_t more = json_i64(outcome, "count", 0) - json_object_object_length(subjects);
    json_object_object_foreach(subjects, subject, figures)
    {
        struct finding *finding =
            finding_add(list, invariant->id, invariant->type, invariant->severity);
        if (finding == NULL) {
            return;
        }
        str_cut(str_c(subject), finding->subject, sizeof(finding->subject));
        str_cut(str_c(invariant->title), finding->title, sizeof(finding->title));
        AUTO_BUF struct buf says = BUF_INIT(FINDING_TEXT_SIZE);
        buf_addf(&says, "%s: %s", subject, json_text(figures, "says"));
        plain_text(buf_str(&says), PLAIN_LINES, finding->description, FINDING_TEXT_SIZE);
        if (more > 0) {
            size_t len = strlen(finding->description);
            (void)snprintf(finding->description + len, sizeof(finding->description) - len,
                           " (%lld more are like it.)", (long long)more);
        }
        str_cut(str_c(invariant->advice), finding->recommendation, sizeof(finding->recommendation));
        cite(finding, figures, subject);
    }
}

void broken_findings(struct json_object *report, struct finding_list *list)
{
    for (int severity = SEVERITY_CRITICAL; severity >= SEVERITY_INFO; severity--) {
        for (int i = 0; i < invariant_count(); i++) {
            const struct invariant *invariant = invariant_at(i);
            struct json_object *outcome = outcome_of(report, invariant->id);
            if ((int)invariant->severity == severity &&
                strcmp(json_text(outcome, "state"), "broken") == 0) {
                add_subjects(invariant, outcome, list);
            }
        }
    }
}

/* ------------------------------------------------------------------ alerts */

static bool is_found(const struct finding_list *list, const char *fingerprint)
{
    for (int i = 0; i < list->count; i++) {
        char found[FINDING_FINGERPRINT_SIZE];
        finding_fingerprint(&list->items[i], found);
        if (strcmp(found, fingerprint) == 0) {
            return true;
        }
    }
    return false;
}

/* Why the alert is over; NULL: it is not, or nobody knows. */
static const char *why_over(struct json_object *report, const struct finding_list *list,
                            const char *fingerprint)
{
    struct str rest = str_c(fingerprint + strlen(PREFIX)), id;
    char name[64];
    if (!str_split(&rest, ':', &id) || !str_copy(id, name, sizeof(name)) ||
        invariant_find(name) == NULL) {
        return "what it checked is now checked by other invariants";
    }
    struct json_object *outcome = outcome_of(report, name);
    const char *state = json_text(outcome, "state");
    if (strcmp(state, "kept") == 0) {
        return "the invariant is kept again";
    }
    bool all_shown = json_i64(outcome, "count", 0) <= INVARIANT_SUBJECTS;
    return strcmp(state, "broken") == 0 && all_shown && !is_found(list, fingerprint)
               ? "it no longer breaks the invariant"
               : NULL;
}

/* Fills in the fingerprints of all open alerts of invariants; the caller frees each. */
static int list_open(struct ops_store *store, char *fingerprints[ALERTS_MAX], struct err *err)
{
    struct alert *page = calloc(PAGE, sizeof(*page));
    NEED_MEMORY(page != NULL);
    struct alert_query query = {.statuses = 1u << ALERT_OPEN | 1u << ALERT_ACKNOWLEDGED,
                                .source = "auditor"};
    int found = 0;
    int count = 0;
    do {
        count = alert_table_list(store, &query, page, PAGE, err);
        for (int i = 0; i < count && found < ALERTS_MAX; i++) {
            if (str_starts(str_c(page[i].fingerprint), PREFIX)) {
                fingerprints[found] = strdup(page[i].fingerprint);
                NEED_MEMORY(fingerprints[found] != NULL);
                found++;
            }
        }
        query.offset += PAGE;
    } while (count == PAGE && found < ALERTS_MAX);
    free(page);
    return count < 0 ? count : found;
}

void broken_resolve(struct json_object *report, const struct finding_list *list,
                    struct ops_store *store, struct alerts *alerts)
{
    struct err err = {0};
    char *fingerprints[ALERTS_MAX];
    int count = list_open(store, fingerprints, &err);
    for (int i = 0; i < count; i++) {
        const char *why = why_over(report, list, fingerprints[i]);
        if (why != NULL && alerts_resolve(alerts, fingerprints[i], why, &err) < 0) {
            log_err(LOG_LEVEL_ERROR, &err, "could not resolve an audit alert");
        }
        free(fingerprints[i]);
    }
    if (count < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not list the alerts of invariants");
    }
}
