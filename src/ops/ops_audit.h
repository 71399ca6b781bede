/*
 * ops_audit.h: keeps the audit log: moves old rows to archives, and seals it once an hour and at
 * stop. Private to this module.
 *
 *     ops_audit_start(ops, now_mono_us);      // once, when the loop starts
 *     ops_audit_tick(ops, now_mono_us);       // every second
 *     ops_audit_seal(ops);                    // at stop, after the channels
 *
 * Always true: the times are of the monotonic clock, so a clock that is set back delays no seal.
 * Thread: ops.
 */
#pragma once

#include "ops_internal.h"

#define OPS_AUDIT_ALERT "audit:seal"

void ops_audit_start(struct ops *ops, int64_t now_mono_us);
void ops_audit_tick(struct ops *ops, int64_t now_mono_us);
/* Logs and raises an alert if the log cannot be sealed. */
void ops_audit_seal(struct ops *ops);
