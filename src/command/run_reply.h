/*
 * run_reply.h: the replies of a run: prompt, progress, result. Private to this module.
 *
 *     struct reply *r = run_reply_prompt(run, "4F7KQ2", 120 * USEC_PER_SEC, err);
 *     struct reply *r = run_reply_progress(run);
 *     struct reply *r = run_reply_result(run);
 *
 * Ownership: the caller frees the returned replies.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "basis.h"
#include "command/reply.h"
#include "run.h"

#define RUN_REPLY_CONFIRM                                                  \
    "y:" /* prefix of the code in a button's data; at most 64 bytes in all \
          */
#define RUN_REPLY_CANCEL "n:"

/* Telegram keeps an update for one day, so an age above two days means that it is unknown. */
#define STALE_AGE_KNOWN_MAX_US (2 * USEC_PER_DAY)

/* What a prompt asks for, in this order (stage.h). */
enum stage_id { STAGE_STALE, STAGE_CONFIRM, STAGE_CODE, STAGE_APPROVE, STAGE_COUNT };

/* NULL and *err if an action's preview refuses. basis: gets what the prompt depends on. */
struct reply *run_reply_prompt(struct run *run, enum stage_id stage, const char *code,
                               int64_t expires_in_us, struct basis *basis, struct err *err);
/* Adds the preview of one step, whose values the caller has resolved; negative if it refuses. */
int run_reply_preview(struct run *run, int index, const struct arg_value *values, struct reply *r,
                      struct err *err);
/* What the prompt would depend on now. Error: an action's preview refuses. */
int run_reply_basis(struct run *run, struct basis *basis, struct err *err);
/* What the steps before the confirmation replied. */
struct reply *run_reply_prepared(const struct run *run);
struct reply *run_reply_progress(const struct run *run);
/* Whether that shows an answer that is being written. */
bool run_reply_is_stream(const struct run *run);
/* Call it once: it may hand over the reply of the only step. */
struct reply *run_reply_result(struct run *run);
/* Protects every message of a run whose manifest demands it: an edit cannot protect one later. */
void run_reply_protect(const struct run *run, struct reply *r);
/* "Not confirmed: pressed up to 14 min ago", with the buttons of the prompt for `line`. */
struct reply *run_reply_stale_answer(const char *line, const char *code,
                                     const struct stale_age *age);
/* While ops.db cannot be written: adds that the run (ended), or its next step, is not recorded. */
void run_reply_add_unrecorded(struct reply *r, const struct err *why, bool ended);
/* While ops.db cannot be written: adds that only some commands are accepted. */
void run_reply_add_unwritable(struct reply *r, const struct err *why);
/* Adds that the run is recorded now. */
void run_reply_add_recorded(struct reply *r, const struct run *run);
/* The final state of a prompt that did not become a run: cancelled (err NULL), expired or refused.
 */
struct reply *run_reply_closed(const char *line, enum stage_id stage, const struct err *err);
/* How the prompt of a stage was answered, for the run that follows: "✓ Confirmed". by: who approved
 * it; "": not known. */
void run_reply_set_choice(struct run *run, enum stage_id stage, const char *by);
