#include "ground.h"

#include "base/check.h"
#include "claim.h"
#include "proof/pointer.h"
#include "proof/proof.h"
#include "proof/prose.h"
#include "proof/quantity.h"
#include "report/rate.h"
#include "subject.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ one figure */

/* A number that is cited as a text, with its unit: "57.14 %", "$1,234.50". */
static bool text_states(double value, struct unit unit, const char *text)
{
    struct prose *prose = prose_new();
    bool states = prose_read(prose, str_c(text)) && prose->figure_count == 1;
    const struct prose_figure *f = &prose->figures[0];
    if (states && f->kind == PROSE_NUMBER && !f->is_word && f->first == 0 &&
        f->last == prose->token_count - 1) {
        struct quantity shown = f->shown;
        shown.value *= f->sign < 0 ? -1 : 1;
        states = quantity_is(value, unit, &shown);
    } else {
        states = false;
    }
    prose_free(prose);
    return states;
}

bool ground_matches(struct json_object *value, struct unit unit, const struct finding_figure *cited)
{
    if (json_is_number(value)) {
        double number = json_object_get_double(value);
        double shown = 0, half = 0;
        if (quantity_read(str_c(cited->text), &shown, &half)) {
            return quantity_rounds(number, shown, half);
        }
        return cited->is_text && text_states(number, unit, cited->text);
    }
    if (!cited->is_text) {
        return false;
    }
    if (json_is_text(value)) {
        return cited->cut ? str_starts(json_value_str(value), cited->text)
                          : str_equal_c(json_value_str(value), cited->text);
    }
    if (json_object_is_type(value, json_type_boolean)) {
        return strcmp(cited->text, json_object_get_boolean(value) ? "true" : "false") == 0;
    }
    return false;
}

/* ------------------------------------------------------------------ few samples */

static struct json_object *owner_of(struct json_object *report, const char *pointer)
{
    const char *last = strrchr(pointer, '/');
    char parent[FINDING_POINTER_SIZE];
    struct json_object *owner = NULL;
    bool found = last != NULL &&
                 str_copy(str_n(pointer, (size_t)(last - pointer)), parent, sizeof(parent)) &&
                 pointer_find(report, parent, &owner);
    return found && json_is_object(owner) ? owner : NULL;
}

static bool is_average(const char *pointer)
{
    static const char *const words[] = {"/average", "/avg", "/mean", "/median", "/p95", "/p99"};
    const char *last = strrchr(pointer, '/');
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_starts(str_c(last), words[i])) {
            return true;
        }
    }
    return false;
}

/* The number of samples of a rate beside the count, or of an average beside its count; at least
 * RATE_FEW_SAMPLES if there is no such thing. */
static int64_t samples_beside(struct json_object *report, const char *pointer)
{
    static const char *const sizes[] = {"n", "count", "samples"};
    struct json_object *owner = owner_of(report, pointer);
    struct json_object *value = NULL;
    int64_t least = RATE_FEW_SAMPLES;
    if (owner == NULL || !pointer_find(report, pointer, &value)) {
        return least;
    }
    for (size_t i = 0; is_average(pointer) && i < COUNT_OF(sizes); i++) {
        int64_t n = json_i64(owner, sizes[i], RATE_FEW_SAMPLES);
        least = n < least ? n : least;
    }
    bool is_count = json_object_is_type(value, json_type_int) &&
                    unit_of_pointer(pointer).dimension == DIMENSION_NONE;
    if (is_count) {
        json_object_object_foreach(owner, key, member)
        {
            (void)key;
            bool is_rate = json_is_object(member) && json_is_number(json_get(member, "k"));
            int64_t n = json_i64(member, "n", RATE_FEW_SAMPLES);
            least = is_rate && n < least ? n : least;
        }
    }
    return least;
}

/* ------------------------------------------------------------------ findings and checks */

static void ground_evidence(struct json_object *report, struct finding_evidence *evidence)
{
    struct json_object *value = NULL;
    evidence->verified = false;
    if (!pointer_find(report, evidence->pointer, &value)) {
        (void)snprintf(evidence->note, sizeof(evidence->note), "not in the report");
    } else if (value == NULL || json_is_object(value) || json_is_array(value)) {
        (void)snprintf(evidence->note, sizeof(evidence->note), "not a single value");
    } else if (ground_matches(value, proof_unit(report, evidence->pointer), &evidence->cited)) {
        evidence->verified = true;
    } else {
        (void)snprintf(evidence->note, sizeof(evidence->note), "the report says %.80s",
                       json_object_get_string(value));
    }
}

static void reject(struct finding *finding, const char *reason)
{
    if (!finding->rejected) {
        finding->rejected = true;
        (void)str_copy(str_c(reason), finding->reason, sizeof(finding->reason));
    }
}

/* What only a model can get wrong: its words, and what it is about. */
static void ground_words(struct json_object *report, const struct proof_names *names,
                         struct finding *finding, bool *ret_few)
{
    struct claim_verdict verdict = {0};
    if (finding->evidence_count == 0) {
        reject(finding, "it cites no figure");
    }
    for (int i = 0; i < finding->evidence_count; i++) {
        const struct finding_evidence *evidence = &finding->evidence[i];
        if (!evidence->verified) {
            char reason[FINDING_REASON_SIZE];
            (void)snprintf(reason, sizeof(reason), "%.70s = %.20s: %.60s", evidence->pointer,
                           evidence->cited.text, evidence->note);
            reject(finding, reason);
        }
    }
    subject_complete(finding);
    if (!finding->rejected && !subject_is_cited(report, finding)) {
        char reason[FINDING_REASON_SIZE];
        (void)snprintf(reason, sizeof(reason), "none of its figures is about %.64s",
                       finding->subject);
        reject(finding, reason);
    }
    if (!finding->rejected && !claim_check(report, names, finding, &verdict)) {
        reject(finding, verdict.reason);
    }
    *ret_few |= verdict.few;
}

/* names: only for a finding of the model. */
static void ground_one(struct json_object *report, const struct proof_names *names,
                       struct finding *finding)
{
    bool any = false;
    bool few = false;
    for (int i = 0; i < finding->evidence_count; i++) {
        struct finding_evidence *evidence = &finding->evidence[i];
        ground_evidence(report, evidence);
        any |= evidence->verified;
        const struct json_object *rate =
            evidence->verified ? proof_rate_at(report, evidence->pointer) : NULL;
        int64_t n = json_i64(rate, "n", RATE_FEW_SAMPLES);
        if (n < RATE_FEW_SAMPLES) {
            few = true;
            (void)snprintf(evidence->note, sizeof(evidence->note),
                           "n = %lld, 95 %% interval %.1f to %.1f %%", (long long)n,
                           json_double(rate, "low_pct", 0), json_double(rate, "high_pct", 100));
        }
        few |= finding->rule == NULL && evidence->verified &&
               samples_beside(report, evidence->pointer) < RATE_FEW_SAMPLES;
    }
    if (finding->rule == NULL) {
        ground_words(report, names, finding, &few);
    } else if (!any) {
        reject(finding, "none of its figures is in the report");
    }
    if (few && finding->severity > SEVERITY_MEDIUM) {
        finding->severity = SEVERITY_MEDIUM;
        finding->capped = true;
    }
}

void ground_findings(struct json_object *report, struct finding_list *list, int first)
{
    struct proof_names names = {.text = BUF_INIT(0)};
    bool ready = false;
    for (int i = first; i < list->count; i++) {
        if (!ready && list->items[i].rule == NULL) {
            proof_names_init(&names, report);
            ready = true;
        }
        ground_one(report, &names, &list->items[i]);
    }
    proof_names_release(&names);
}

void ground_finding(struct json_object *report, struct finding *finding)
{
    struct proof_names names;
    proof_names_init(&names, report);
    ground_one(report, &names, finding);
    proof_names_release(&names);
}

static bool compare(double a, enum finding_op op, double b)
{
    switch (op) {
    case FINDING_EQUAL:
        return a == b;
    case FINDING_DIFFERENT:
        return a != b;
    case FINDING_ABOVE:
        return a > b;
    case FINDING_AT_LEAST:
        return a >= b;
    case FINDING_BELOW:
        return a < b;
    case FINDING_AT_MOST:
        return a <= b;
    }
    return false;
}

enum ground_state ground_check(struct json_object *report, const struct finding_check *check)
{
    struct json_object *value = NULL;
    if (!pointer_find(report, check->pointer, &value) || value == NULL || json_is_object(value) ||
        json_is_array(value)) {
        return GROUND_UNKNOWN;
    }
    bool equal = ground_matches(value, proof_unit(report, check->pointer), &check->value);
    if (check->op == FINDING_EQUAL || check->op == FINDING_DIFFERENT) {
        return equal == (check->op == FINDING_EQUAL) ? GROUND_TRUE : GROUND_FALSE;
    }
    double limit = 0;
    if (!json_is_number(value) || !str_to_double(str_c(check->value.text), &limit)) {
        return GROUND_UNKNOWN;
    }
    return compare(json_object_get_double(value), check->op, limit) ? GROUND_TRUE : GROUND_FALSE;
}
