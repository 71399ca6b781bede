/*
 * heartbeat.h: checks of kind heartbeat: a job calls nightdesk, which misses the call if it does
 * not come.
 *
 *     if (secret_equal(key, str_c(heartbeat_key(check)))) heartbeat_called(check,
 * HEARTBEAT_SUCCESS);
 *
 * Thread: ops.
 */
#pragma once

#include "check.h"
#include "health/health.h"

#define HEARTBEAT_KEY_SIZE 33 /* 128 bits as hex and a NUL */

/* "" for a check of another kind. */
const char *heartbeat_key(struct check *check);
/* Stores the call and checks the service at once. */
void heartbeat_called(struct check *check, enum heartbeat_call call);
