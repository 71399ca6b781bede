#include "check.h"
#include "health_internal.h"

#define STABLE_US (5 * USEC_PER_SEC)

/* A process that has ended is down until its successor has run for a while: one that ends every
 * five seconds is not healthy in between. */
static void begin(struct check *check)
{
    const struct child *child = &check->service->child;
    int64_t since_us = check->begun_mono_us - child->died_mono_us;
    check->fault = CHECK_CRASHED;
    if (child->process == NULL && child->spawn_err.id != ERR_NONE) {
        check_fail(check, "%s: %s", err_info(child->spawn_err.id)->message,
                   child->spawn_err.context);
    } else if (child->process == NULL && child->died_mono_us == 0) {
        check_fail(check, "the process was not started yet");
    } else if (child->process == NULL) {
        check_fail(check, "the process has ended (%s)", child_end_text(child));
    } else if (child->died_mono_us != 0 && since_us < STABLE_US) {
        check_fail(check, "the process ended %lld s ago (%s) and was started again",
                   (long long)(since_us / USEC_PER_SEC), child_end_text(child));
    } else {
        check_pass(check);
    }
}

static void cancel(struct check *check)
{
    (void)check; /* a run ends at once */
}

const struct check_kind check_child = {.name = "child", .begin = begin, .cancel = cancel};
