/*
 * broken.h: the invariants that a report shows as broken, as findings and as alerts: one for each
 * subject, since two faults of one kind are two.
 *
 *     broken_findings(report, list);
 *     broken_resolve(report, list, store, alerts);           // after the findings were raised
 *
 * Thread: ops.
 */
#pragma once

#include "finding.h"

struct alerts;
struct ops_store;

/* The ids of the invariants in a state, "kept", "broken" or "unknown"; returns the number. */
#define BROKEN_NAMES_MAX 160
int broken_names(struct json_object *report, const char *state, const char *ret[BROKEN_NAMES_MAX]);
/* Adds a finding for each subject of each broken invariant, the most severe invariants first if
 * there is no room for all. */
void broken_findings(struct json_object *report, struct finding_list *list);
/* Resolves the open alerts of invariants that this report has evaluated and that no longer hold. An
 * invariant that could not be evaluated changes nothing. */
void broken_resolve(struct json_object *report, const struct finding_list *list,
                    struct ops_store *store, struct alerts *alerts);
