/*
 * pointer.h: JSON Pointers of audit reports, across the versions of the report. Private to this
 * module.
 *
 *     if (!pointer_find(report, "/account/realised", &value)) …;  // finds /account/realised_pnl
 *     pointer_former("/account/realised_pnl", text);              // "/account/realised"
 *
 * Findings are stored with their pointers, so the pointers of former reports stay valid; and they
 * are part of a finding's fingerprint, so a fingerprint is made of the former names.
 * Thread: any.
 */
#pragma once

#include "finding.h"
#include "io/json.h"

/* As json_pointer, for a pointer of this or a former version. */
bool pointer_find(struct json_object *report, const char *pointer, struct json_object **ret);
/* The pointer as version 1 of the report named it. */
void pointer_former(const char *pointer, char ret[FINDING_POINTER_SIZE]);
