#include "subject.h"

#include "base/check.h"
#include "proof/pointer.h"
#include "proof/proof.h"

#include <string.h>

#define BOT "bot"

struct str subject_name(const struct finding *finding)
{
    static const char *const kinds[] = {
        "service:", "symbol:", "rule:", "trade:", "order:", "agent:"};
    struct str subject = str_c(finding->subject);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        size_t len = strlen(kinds[i]);
        if (str_starts(subject, kinds[i]) && subject.len > len) {
            return str_n(subject.ptr + len, subject.len - len);
        }
    }
    return subject;
}

/* ------------------------------------------------------------------ from the pointers */

static bool has_step(const char *pointer, struct str wanted)
{
    struct str rest = str_c(pointer), step;
    while (str_split(&rest, '/', &step)) {
        if (str_equal(step, wanted)) {
            return true;
        }
    }
    return false;
}

void subject_complete(struct finding *finding)
{
    if (finding->subject[0] != '\0') {
        return;
    }
    (void)str_copy(STR_LIT(BOT), finding->subject, sizeof(finding->subject));
    struct str rest = str_c(finding->evidence_count > 0 ? finding->evidence[0].pointer : ""), step;
    while (str_split(&rest, '/', &step)) {
        bool common = proof_is_row(step) && step.len < sizeof(finding->subject);
        for (int i = 1; i < finding->evidence_count && common; i++) {
            common = has_step(finding->evidence[i].pointer, step);
        }
        if (common) {
            (void)str_copy(step, finding->subject, sizeof(finding->subject));
            return;
        }
    }
}

/* ------------------------------------------------------------------ verification */

/* Whether one of the object's texts is the subject. */
static bool names(struct json_object *owner, struct str subject)
{
    if (!json_is_object(owner)) {
        return false;
    }
    json_object_object_foreach(owner, key, value)
    {
        (void)key;
        if (json_is_text(value) && str_equal(json_value_str(value), subject)) {
            return true;
        }
    }
    return false;
}

static bool is_about(struct json_object *report, const struct finding_evidence *evidence,
                     struct str subject)
{
    if (str_starts(str_c(evidence->pointer), "/untrusted")) {
        return false;
    }
    if (has_step(evidence->pointer, subject) ||
        (evidence->cited.is_text && str_equal_c(subject, evidence->cited.text))) {
        return true;
    }
    /* A text beside the figure: "symbol":"BTC-USD". */
    char owner[FINDING_POINTER_SIZE];
    const char *last = strrchr(evidence->pointer, '/');
    struct json_object *object = NULL;
    return last != NULL &&
           str_copy(str_n(evidence->pointer, (size_t)(last - evidence->pointer)), owner,
                    sizeof(owner)) &&
           pointer_find(report, owner, &object) && names(object, subject);
}

bool subject_is_cited(struct json_object *report, const struct finding *finding)
{
    struct str subject = subject_name(finding);
    if (str_equal_c(subject, BOT)) {
        return true;
    }
    for (int i = 0; i < finding->evidence_count; i++) {
        if (finding->evidence[i].verified && is_about(report, &finding->evidence[i], subject)) {
            return true;
        }
    }
    return false;
}
