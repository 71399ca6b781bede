/*
 * invariant.h: deterministic rules that must always be true, checked on the report without a model.
 *
 *     enum invariant_state states[INVARIANT_COUNT];
 *     invariant_run(report, findings, states);
 *
 * Always true: a finding cites the figures that it is based on; a rule whose figures are not in the
 * report is UNKNOWN, neither broken nor kept; the same report gives the same findings.
 * Thread: any.
 */
#pragma once

#include "finding.h"

enum invariant_state { INVARIANT_UNKNOWN, INVARIANT_KEPT, INVARIANT_BROKEN };

enum invariant {
    INVARIANT_BOOKS,    /* cash, positions and profit do not add up */
    INVARIANT_FEED,     /* the engine or a market is stale, or a clock is wrong */
    INVARIANT_COUNTERS, /* tables, state row and snapshot disagree */
    INVARIANT_INTENTS,  /* orders without an answer of the venue */
    INVARIANT_IDLE, /* the engine decides nothing, or every entry is vetoed; a flapping service */
    INVARIANT_AUDIT_LOG, /* the audit log was tampered with */
    INVARIANT_GAPS,      /* a part of the report could not be read */
    INVARIANT_COUNT
};

const char *invariant_name(enum invariant rule); /* "books" … */
void invariant_run(struct json_object *report, struct finding_list *list,
                   enum invariant_state ret_states[INVARIANT_COUNT]);
