/*
 * pointer.h: JSON Pointers of audit reports, across the versions of the report.
 *
 *     if (!pointer_find(report, "/account/realised", &value)) …;  // finds /account/realised_pnl
 *     pointer_general("/trades/recent/trade-17/pnl_usd", subject, text);  //
 * /trades/recent/(any)/pnl
 *
 * Findings are stored with their pointers, so the pointers of former reports stay valid: a renamed
 * key, and a key that has got its unit as an ending since ("net", "net_usd").
 * Thread: any.
 */
#pragma once

#include "io/json.h"
#include "model/finding.h"

/* As json_pointer, for a pointer of this or a former version. */
bool pointer_find(struct json_object *report, const char *pointer, struct json_object **ret);
/* The pointer in the form that is the same for a finding that is made again, and in each version of
 * the report: former names, without units, a rate for its parts, and * for the subject and for an
 * index. The key of an hour or a day (below by_hour, …) is no index. */
void pointer_general(const char *pointer, struct str subject, char ret[FINDING_POINTER_SIZE]);
