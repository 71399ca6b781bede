/*
 * breaker.h: stops asking a service that failed several times in a row, and tries it again after a
 * pause with one request.
 *
 *     rc = breaker_enter(&breaker, now_us, &trial, err);    // ERR_CLAUDE_PAUSED
 *     breaker_leave(&breaker, trial, BREAKER_FAILED, now_us);
 *
 * Always true: closed until BREAKER_FAILURES requests in a row have failed; then open for
 * BREAKER_PAUSE_US; then one request may enter, and the others wait for its end. If that one
 * fails, the pause doubles, up to BREAKER_PAUSE_MAX_US; if the service answers it, the breaker is
 * closed. Every request that enters leaves.
 * Thread: that of the owner.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAILURES     3
#define BREAKER_PAUSE_US     (15 * USEC_PER_MIN)
#define BREAKER_PAUSE_MAX_US (2 * USEC_PER_HOUR)

enum breaker_result {
    BREAKER_ANSWERED,
    BREAKER_FAILED,
    BREAKER_NOTHING /* cancelled: says nothing about the service */
};

struct breaker {
    int failures;     /* in a row */
    int64_t until_us; /* monotonic end of the pause; 0: closed */
    int64_t pause_us; /* the last one */
    bool trying;      /* the request after the pause is under way */
};

/* *ret_trial: this is the one request after a pause. */
int breaker_enter(struct breaker *breaker, int64_t now_us, bool *ret_trial, struct err *err);
void breaker_leave(struct breaker *breaker, bool trial, enum breaker_result result, int64_t now_us);
