#include "judge.h"

#include "base/check.h"
#include "ground.h"

#include <stdlib.h>
#include <string.h>

struct judgement *judgement_new(struct report *report, struct finding_list *findings,
                                const char *answer)
{
    struct judgement *j = calloc(1, sizeof(*j));
    NEED_MEMORY(j != NULL);
    *j = (struct judgement){.report = report, .findings = findings, .answer = strdup(answer)};
    NEED_MEMORY(j->answer != NULL);
    return j;
}

void judgement_make(struct judgement *j)
{
    int before = j->findings->count;
    if (answer_read(str_c(j->answer), j->findings, &j->counts, &j->no_verdict) == 0) {
        err_clear(&j->no_verdict);
    }
    ground_findings(report_document(j->report), j->findings, before);
    j->counts.dropped += finding_list_merge(j->findings, before);
    for (int i = before; i < j->findings->count; i++) {
        finding_defuse(&j->findings->items[i]);
    }
}

void judgement_free(struct judgement *j)
{
    if (j == NULL) {
        return;
    }
    report_free(j->report);
    finding_list_free(j->findings);
    free(j->answer);
    free(j);
}
