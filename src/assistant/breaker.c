#include "breaker.h"

#include "base/auto.h"
#include "base/buf.h"

int breaker_enter(struct breaker *breaker, int64_t now_us, bool *ret_trial, struct err *err)
{
    *ret_trial = false;
    if (breaker->until_us == 0) {
        return 0;
    }
    if (breaker->trying) {
        return err_set(err, ERR_CLAUDE_PAUSED, "%d failures in a row, one request is tried now",
                       breaker->failures);
    }
    if (now_us < breaker->until_us) {
        AUTO_BUF struct buf left = BUF_INIT(64);
        clock_add_duration(&left, breaker->until_us - now_us);
        return err_set(err, ERR_CLAUDE_PAUSED, "%d failures in a row, the next try is in %s",
                       breaker->failures, left.data);
    }
    breaker->trying = *ret_trial = true;
    return 0;
}

void breaker_leave(struct breaker *breaker, bool trial, enum breaker_result result, int64_t now_us)
{
    breaker->trying = breaker->trying && !trial;
    switch (result) {
    case BREAKER_ANSWERED:
        *breaker = (struct breaker){0};
        return;
    case BREAKER_NOTHING:
        return;
    case BREAKER_FAILED:
        break;
    }
    breaker->failures++;
    /* A request that entered before the pause does not lengthen it. */
    if (breaker->failures < BREAKER_FAILURES || (breaker->until_us != 0 && !trial)) {
        return;
    }
    breaker->pause_us = trial ? 2 * breaker->pause_us : BREAKER_PAUSE_US;
    if (breaker->pause_us > BREAKER_PAUSE_MAX_US) {
        breaker->pause_us = BREAKER_PAUSE_MAX_US;
    }
    breaker->until_us = now_us + breaker->pause_us;
}
