/*
 * run_reply.h: what a person sees of a run: the question, the progress, the result. Private to this
 * room.
 *
 *     struct reply *r = run_reply_prompt(run, "4F7KQ2", 120 * USEC_PER_SEC, err);
 *     struct reply *r = run_reply_progress(run);
 *     struct reply *r = run_reply_result(run);
 *
 * Ownership: the caller frees what it gets. Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "command/reply.h"
#include "run.h"

#define RUN_REPLY_CONFIRM "y:" /* a button's data: this and the code, at most 64 bytes */
#define RUN_REPLY_CANCEL  "n:"

/* Telegram keeps an update for a day: what seems older than two has no age that is known. */
#define STALE_AGE_KNOWN_MAX_US (2 * USEC_PER_DAY)

struct stale_age {
    int64_t us;
    bool at_most; /* a press, which nobody dates */
};

/* NULL and *err when an action's preview refuses. */
struct reply *run_reply_prompt(struct run *run, const char *code, int64_t expires_in_us,
                               struct err *err);
struct reply *run_reply_progress(const struct run *run);
/* May hand out the only step's own reply: once. */
struct reply *run_reply_result(struct run *run);
/* "Not run: sent 14 min ago", and how to send it again. */
struct reply *run_reply_stale(const struct run *run, const struct stale_age *age);
/* "Not confirmed: pressed up to 14 min ago", with the buttons of the question about `line`. */
struct reply *run_reply_stale_answer(const char *line, const char *code,
                                     const struct stale_age *age);
/* What is said while ops.db cannot be written: about a run that is done (or failed) or whose next
 * step waits; about one that only read; and, later, that the run is recorded. */
void run_reply_add_unrecorded(struct reply *r, const struct err *why, bool ended);
void run_reply_add_unwritable(struct reply *r, const struct err *why);
void run_reply_add_recorded(struct reply *r, const struct run *run);
/* How a question ended without being run. */
struct reply *run_reply_closed(const char *line, const struct err *err);
