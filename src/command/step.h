/*
 * step.h: one step of a run in memory: its call, retries, time limit, outcome and outputs. Private
 * to this module.
 *
 *     step_start(step);                 // running, not called yet
 *     ... its row is committed as running ...
 *     step_call(step);                  // now it has ended, or waits
 *     if (step->state == STEP_RUNNING)  // step_settle ends it once its call has finished
 *
 * Invariants: a step ends once: as done, failed, cancelled or skipped. While it waits it calls
 * run_go_on from the loop, never from inside step_call.
 * Ownership: a step belongs to its run; the call of its action lives as long as the run.
 * Thread: ops.
 */
#pragma once

#include "call.h"
#include "io/loop.h"
#include "store/run_table.h"

#define STEP_NOTE_SIZE   201 /* action_remember() */
#define STEP_OUTPUTS_MAX 8
#define STEP_STREAM_MAX  3500 /* bytes of an answer that are shown while it is written */

enum step_state {
    STEP_WAITING,
    STEP_RUNNING,
    STEP_SKIPPED, /* its condition did not hold */
    STEP_DONE,
    STEP_FAILED,
    STEP_CANCELLED
};

/* What the row of a step says. */
enum step_row { STEP_ROW_NONE, STEP_ROW_RUNNING, STEP_ROW_ENDED };

enum step_timer { STEP_TIMER_LIMIT, STEP_TIMER_AGAIN };

struct step_output {
    char name[24];
    char *value; /* owned */
};

struct approval;
struct run;

struct step {
    struct run *run;
    int index; /* over the steps, then over on_failure, then over always */
    enum step_state state;
    enum step_row row;
    bool called;     /* since it was started, or since its last retry was due */
    bool unrecorded; /* may be called without a row: ops.db cannot be written */
    bool recovering; /* a crash interrupted it, and its outcome is being looked up */
    bool lost;       /* a crash interrupted it, and it had no effect or that is unknown */
    int attempt;
    struct err err;             /* of a failed step */
    int64_t began_us, ended_us; /* wall clock */
    int64_t began_mono_us, took_us;
    int64_t shown_mono_us; /* when `progress` last said what it waits for */
    char label[160];       /* "Restart a service (service: demo)", once it was called */

    struct action_call call;  /* call.reply is the step's reply once it has ended */
    struct arg_value *values; /* owns call.args */
    bool in_action;           /* the action's function has not returned yet */
    bool pending;             /* it returned ACTION_PENDING */
    bool finished;            /* action_finish was called; call_err is its error */
    struct err call_err;
    struct step_output outputs[STEP_OUTPUTS_MAX];
    int output_count;
    char note[STEP_NOTE_SIZE]; /* what the call remembers */
    char progress[200];
    char *stream;              /* owned: the answer that is being written; NULL: none */
    struct approval *approval; /* owned; of a step `approve` (approval.h) */
    enum step_timer timer_kind;
    struct loop_source *timer; /* made when it is first needed */
};

void step_start(struct step *s);
void step_skip(struct step *s);
/* Ends it without a call. */
void step_fail(struct step *s, const struct err *why);
/* Calls the action. */
void step_call(struct step *s);
/* Restores an ended or running step from its row. False if the row contradicts the manifest. */
bool step_restore(struct step *s, const struct run_step *row);
/* Asks the action of a running step whether the interrupted call took effect. It may then be
 * running and not called: it runs again. */
void step_recover(struct step *s);
/* If the call has finished, ends the step or prepares its retry; returns true then. */
bool step_settle(struct step *s);
bool step_can_cancel(const struct step *s);
/* Cancels a running step. Returns false if its action cannot be cancelled; then it continues. */
bool step_cancel(struct step *s);
/* The timeout; an argument may make the action wait longer than the manifest could know. values may
 * be NULL. */
struct manifest_step;
int64_t step_timeout_us(const struct manifest_step *m, const struct arg_value *values);
/* Cancels a pending call, and frees everything. */
void step_release(struct step *s);

bool step_is_reading(const struct step *s);
bool step_has_ended(const struct step *s); /* skipped steps included */
/* The value of an output; NULL if the step did not give it. */
const char *step_output(const struct step *s, struct str name);
/* {"state":"active"}; nothing if it gave none. */
void step_outputs_json(const struct step *s, struct buf *out);
