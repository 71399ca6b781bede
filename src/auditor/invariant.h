/*
 * invariant.h: what must always be true, checked on the report alone, without a model.
 *
 *     enum invariant_state states[INVARIANT_COUNT];
 *     invariant_run(report, findings, states);
 *
 * Always true: a finding of a rule cites the figures it was made from; a rule whose figures are not
 * in the report is UNKNOWN, neither broken nor kept. Same report, same findings.
 * Thread: any.
 */
#pragma once

#include "finding.h"

enum invariant_state { INVARIANT_UNKNOWN, INVARIANT_KEPT, INVARIANT_BROKEN };

enum invariant {
    INVARIANT_BOOKS,    /* cash, positions and profit do not add up */
    INVARIANT_FEED,     /* the engine or a market is silent, or a clock lies */
    INVARIANT_COUNTERS, /* tables, state and snapshot count differently */
    INVARIANT_INTENTS,  /* orders that nobody answered */
    INVARIANT_IDLE, /* an engine that decides nothing, or may do nothing; a service that flaps */
    INVARIANT_AUDIT_LOG, /* the log of who did what was tampered with */
    INVARIANT_GAPS,      /* a part of the report could not be read */
    INVARIANT_COUNT
};

const char *invariant_name(enum invariant rule); /* "books" … */
void invariant_run(struct json_object *report, struct finding_list *list,
                   enum invariant_state ret_states[INVARIANT_COUNT]);
