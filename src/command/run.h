/*
 * run.h: one run of a command in memory: its steps, their timing, what the person sees meanwhile.
 * Private to this room.
 *
 *     struct run *run = run_new(runner, manifest, &who, chat_id);
 *     run_args_bind(run, &line, err)         // or run_args_bind_json, from a stored run
 *     run_write_start(run, err)              // inside the transaction that stores the run
 *     run_read(run, err)                     // and there, too: what only reads
 *     run_go(run);                           // after its commit; the run owns itself now
 *
 * Invariants: rows are written before what they announce happens; a run is linked into its runner
 * from run_go to its end and frees itself there. No transaction is open while an action runs that
 * changes anything.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "call.h"
#include "command/runner.h"
#include "io/loop.h"
#include "line.h"
#include "param.h"
#include "rate.h"
#include "store/run_table.h"

#define RUNS_MAX      64
#define RUN_NOTE_SIZE 201 /* action_remember() */
#define CODE_CHARS    6   /* of a question */
#define HELD_MAX      16
#define RUN_STEPS_MAX (2 * MANIFEST_STEPS_MAX)

/* A question that can be answered without ops.db: one about a command of the safe side. */
struct held_prompt {
    char code[CODE_CHARS + 1]; /* "": a free place */
    const struct manifest *m;
    char *args_json; /* owned */
    enum channel channel;
    int64_t user_id;
    int64_t chat_id;
    int64_t expires_mono_us;
    int64_t run_id; /* of its row; 0: it could not be stored */
    bool used;
};

struct runner {
    struct runner_options o;
    struct run *runs;
    size_t run_count;
    struct loop_source *settle;  /* deferred: looks for calls that have finished */
    struct loop_source *expiry;  /* timer: the next confirmation to expire */
    struct loop_source *recover; /* timer: the next slice of what the last process left */
    int64_t recover_after_id;
    int64_t recover_upto_id;
    struct loop_source *record; /* timer: stores runs that were begun without a row */
    struct held_prompt held[HELD_MAX];
    struct rate rate;
    struct rate wrong_answers; /* /confirm, /cancel and presses that answer no open question */
};

enum run_mark_state { MARK_WAITING, MARK_RUNNING, MARK_DONE, MARK_FAILED };

struct run_mark {
    enum run_mark_state state;
    int64_t took_us;
};

enum run_timer { RUN_TIMER_STEP, RUN_TIMER_RETRY, RUN_TIMER_STORE };

struct run {
    struct runner *runner;
    struct run *next;
    int64_t id;            /* 0 until it is stored */
    struct err unrecorded; /* why it could not be stored when it was begun; ERR_NONE: it was */
    int64_t asked_wall_us;
    char asked_code[CODE_CHARS + 1]; /* the question that it answers, stored as run asked_run_id; */
    int64_t asked_run_id;            /* 0: none */
    int64_t edit_message_id; /* of the channel: what is said past the outbox replaces it; 0: none */
    char note[RUN_NOTE_SIZE]; /* what the current step remembers while it has no row */
    bool notified;            /* how it ended was said past the outbox */
    bool noted;               /* and the result says that it is recorded now */
    const struct manifest *m;
    struct principal who;
    int64_t chat_id;
    char *args[ACTION_PARAMS_MAX]; /* as m->args, canonical; NULL: not given */
    int64_t started_mono_us;

    int step; /* index over steps, then on_failure */
    int attempt;
    struct err failure; /* of the first step that failed; ERR_NONE: none did */
    struct run_mark marks[RUN_STEPS_MAX];
    struct reply *replies[RUN_STEPS_MAX]; /* what each ended step answered */
    int64_t step_mono_us;                 /* when the current step was begun (first attempt) */

    struct action_call call;
    char *values[ACTION_PARAMS_MAX]; /* behind call.args */
    bool in_action;                  /* run() has not returned yet */
    bool pending;                    /* it answered ACTION_PENDING and has not finished */
    bool finished;                   /* action_finish was called; call_err says how */
    bool ended;                      /* the step has ended, which is not on disk yet; end_err */
    struct err end_err;              /* why it failed; ERR_NONE: it did not */
    struct reply *result;            /* of the whole run, while that is not on disk yet */
    struct err call_err;
    bool recovered; /* the current step was begun by a process that died in it */
    enum run_timer timer_kind;
    struct loop_source *timer;

    char progress[200];
    struct loop_source *progress_timer;
    int64_t notified_mono_us; /* of the last progress message; 0: none */
    int64_t outbox_id;        /* the message that is edited as the run goes on; 0: none yet */

    void (*on_reply)(const struct reply *reply, const struct err *err, void *userdata);
    void *userdata;
};

struct run *run_new(struct runner *runner, const struct manifest *m, const struct principal *who,
                    int64_t chat_id);
/* A run as it was stored, ready to go on. NULL when its command is gone or does not take these
 * arguments any more (another version, another configuration); why says so. */
struct run *run_load(struct runner *runner, const struct run_row *row, struct err *why);
void run_free(struct run *run); /* abandons a call under way; not linked any more */
static inline void run_free_slot(struct run **slot)
{
    run_free(*slot);
}
#define AUTO_RUN AUTO(run_free_slot)

const struct manifest_step *run_step(const struct run *run, int index);
int run_step_total(const struct run *run);  /* on_failure included */
bool run_is_reading(const struct run *run); /* its current step */
/* The step that just ended was cut off by a crash, and either nobody knows whether it took effect
 * or it did not: the run ends here, without on_failure steps. */
bool run_is_cut_off(const struct run *run);

/* In the transaction that stores the run, its first step begun: runs the reading steps at its
 * front, as far as they do not wait. Reading twice does no harm, so they need not be on disk
 * first, and a command that only reads costs one commit. After it run_go, or on failure run_free.
 */
int run_read(struct run *run, struct err *err);
/* After the commit: links the run and goes on from where it stands. */
void run_go(struct run *run);
/* After a crash that fell into the current step, whose row is `last`: a reading step is run again;
 * of another one the action is asked whether it took effect. */
void run_recover(struct run *run, const struct run_step *last);

/* Stores a run that was begun without a row, if that is possible now. */
void run_record(struct run *run);

/* Runner's deferred source: takes up the runs whose calls have finished. */
void run_settle_finished(void *runner);

/* run_args.c: arguments and what becomes of them. */
/* Takes the arguments from a line whose first word is the command; COMMAND_ARG_…. */
int run_args_bind(struct run *run, const struct line *line, struct err *err);
int run_args_bind_json(struct run *run, const char *args_json, struct err *err);
void run_args_json(const struct run *run, struct buf *out);
/* "restart prediction", in a form that can be sent again; false when there is none. */
bool run_args_line(const struct run *run, struct buf *out);
/* The values of a step's parameters, checked; run_args_free frees them. */
int run_args_resolve(const struct run *run, const struct manifest_step *step,
                     char *ret_values[ACTION_PARAMS_MAX], struct err *err);
void run_args_free(char *values[ACTION_PARAMS_MAX]);

/* run_write.c: rows, all of them in the transaction that is open. */
/* That the command came, in the audit log, unless it is one that is counted when it ends. */
int run_write_received(const struct run *run, struct err *err);
/* The current step is begun. */
int run_write_start(struct run *run, struct err *err);
/* The current step has ended (marks, replies, failure and end_err say how); the next one is begun,
 * or the run has ended and run->result is what it answers. */
int run_write_advance(struct run *run, struct err *err);
/* A run that was begun without rows gets them, its current step begun. */
int run_write_adopt(struct run *run, struct err *err);
/* The index after the current step, or -1: the run ends. */
int run_write_next(const struct run *run);
/* A reply on its way to a chat door; edits *outbox_id unless 0, and leaves the id of the message
 * there. Does nothing for other doors. */
int run_write_post(struct runner *runner, const struct principal *who, int64_t chat_id,
                   struct reply *reply, int64_t run_id, bool urgent, int64_t *outbox_id,
                   struct err *err);
/* "run 12: restart prediction" */
int run_write_audit(const struct run *run, const char *action, const char *more, const char *result,
                    struct err *err);
bool run_write_is_chat(enum channel channel); /* its replies go through the outbox */
