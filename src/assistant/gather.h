/*
 * gather.h: what code can tell without a model about an alert, or about whatever is wrong: what a
 * person may read about it, the causes by how much they explain, and the commands that fit. Private
 * to this module.
 *
 *     q->alert_id = 12;                        // 0: about no alert
 *     while (gather_next(q)) …;                // each reading ends with q->deferred
 *     gather_causes(q);                        // q->causes, q->runbooks
 *     gather_show(q, reply, &data, &answer);
 *
 * Always true: a cause names the reading that it comes from and a quote of it; a runbook is one of
 * /restart, /force_restart and /rollback of q->service that the person may run.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "io/json_out.h"

#include <stdbool.h>

struct ask;
struct reply;

/* Begins the next reading. False: there is none left. */
bool gather_next(struct ask *q);
/* Takes the service from the alert that was read first. */
void gather_note_service(struct ask *q);
/* The reading whose document has this member; -1: none. */
int gather_find(const struct ask *q, const char *pointer, struct json_object **ret);
void gather_causes(struct ask *q);
/* The causes as items and as "hypotheses", and in *answer. */
void gather_show(const struct ask *q, struct reply *r, struct json_out *data, struct buf *answer);
/* A fold with the numbers of the readings. */
void gather_add_sources(struct reply *r, const struct ask *q);
