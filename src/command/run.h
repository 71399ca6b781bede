/*
 * run.h: one run of a command in memory: its arguments, steps, timers and progress. Private to this
 * module.
 *
 *     struct run *run = run_new(runner, manifest, &who, chat_id);
 *     run_args_bind(run, &line, err)         // or run_args_bind_json
 *     run_write_start(run, err)              // in the transaction that stores the run
 *     run_read(run, err)                     // in the same transaction: leading reading steps
 *     run_go(run);                           // after the commit; the run now owns itself
 *
 * Invariants: the row that a step is running is committed before its action is called, except for
 * run_read and for runs without a row (`unrecorded`). From run_go to its end a run is linked into
 * its runner, and it frees itself at the end. No transaction is open while an action that changes
 * something runs.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "call.h"
#include "command/runner.h"
#include "io/loop.h"
#include "line.h"
#include "lock.h"
#include "rate.h"
#include "store/run_table.h"

#define RUNS_MAX      64
#define RUN_NOTE_SIZE 201 /* action_remember() */
#define CODE_CHARS    6   /* of a confirmation code */
#define HELD_MAX      16
#define RUN_STEPS_MAX (2 * MANIFEST_STEPS_MAX)

/* A prompt that can be answered while ops.db cannot be written: for a safe_side command. */
struct held_prompt {
    char code[CODE_CHARS + 1]; /* "": this slot is free */
    const struct manifest *m;  /* a reference */
    char *args_json;           /* owned */
    enum channel channel;
    int64_t user_id;
    int64_t chat_id;
    int64_t expires_mono_us;
    int64_t run_id; /* of its run's row; 0: it could not be stored */
    bool used;      /* it was answered */
};

struct runner {
    struct runner_options o;
    struct run *runs;
    size_t run_count;
    struct loop_source *settle;  /* deferred: continues the runs whose calls have finished */
    struct loop_source *expiry;  /* timer: the next confirmation to expire */
    struct loop_source *recover; /* timer: the next slice of runs to recover */
    int64_t recover_after_id;    /* runs up to this id are recovered */
    int64_t recover_upto_id;     /* the last run of the previous process */
    struct loop_source *record;  /* timer: stores runs that began without a row */
    struct held_prompt held[HELD_MAX];
    struct lock_table locks;
    struct rate rate;
    struct rate wrong_answers; /* /confirm, /cancel and presses that answer no open prompt */
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
    int64_t id;            /* of its row; 0: not stored yet */
    struct err unrecorded; /* why it could not be stored when it began; ERR_NONE: it was stored */
    int64_t asked_wall_us; /* when this object was made */
    char asked_code[CODE_CHARS + 1]; /* of the prompt in memory that was confirmed */
    int64_t asked_run_id;            /* the run that was stored for that prompt; 0: none */
    int64_t
        edit_message_id; /* of the channel: `deliver` replaces this message; 0: sends new ones */
    char note[RUN_NOTE_SIZE]; /* what the current call remembers while its step has no row */
    bool notified;            /* that it cannot be recorded was reported without the outbox */
    bool noted;               /* the result says that it is recorded now */
    const struct manifest *m; /* a reference */
    bool locked;              /* it holds its locks, which run_free releases */
    struct principal who;
    int64_t chat_id;
    struct arg_value *args; /* owned; args[i] is the value of m->args[i] */
    int64_t started_mono_us;

    int step; /* index over the steps, then over on_failure */
    int attempt;
    struct err failure; /* of the first step that failed; ERR_NONE: none failed */
    struct run_mark marks[RUN_STEPS_MAX];
    struct reply *replies[RUN_STEPS_MAX]; /* of each step that has ended */
    int64_t step_mono_us;                 /* when the current step began (first attempt) */

    struct action_call call;  /* of the current step */
    struct arg_value *values; /* owns call.args */
    bool in_action;           /* the action's function has not returned yet */
    bool pending;             /* it returned ACTION_PENDING and has not finished */
    bool finished;            /* action_finish was called; call_err is its error */
    bool ended;               /* the step has ended, but that is not stored yet */
    struct err end_err;       /* why the step failed; ERR_NONE: it did not */
    struct reply *result;     /* of the whole run, set when the last step has ended */
    struct err call_err;
    bool recovered; /* a crash interrupted the current step; its outcome is being looked up */
    enum run_timer timer_kind;
    struct loop_source *timer;

    char progress[200];
    struct loop_source *progress_timer;
    int64_t notified_mono_us; /* when progress was last shown; 0: never */
    int64_t outbox_id;        /* the message that progress and result edit; 0: none yet */

    void (*on_reply)(const struct reply *reply, const struct err *err, void *userdata);
    void *userdata;
};

struct run *run_new(struct runner *runner, const struct manifest *m, const struct principal *who,
                    int64_t chat_id);
/* Restores a run from its row. NULL and *why if the command does not exist any more, or no longer
 * accepts these arguments (another version). With look_up they must also be known now: the service
 * is configured, the position still open. */
struct run *run_load(struct runner *runner, const struct run_row *row, bool look_up,
                     struct err *why);
void run_free(struct run *run); /* cancels its pending call; the run must not be linked */
static inline void run_free_slot(struct run **slot)
{
    run_free(*slot);
}
#define AUTO_RUN AUTO(run_free_slot)

const struct manifest_step *run_step(const struct run *run, int index);
int run_step_total(const struct run *run);  /* on_failure included */
bool run_is_reading(const struct run *run); /* its current step */
/* A crash interrupted the step that just ended, and it did not take effect or that is unknown: the
 * run ends here, without on_failure steps. */
bool run_is_cut_off(const struct run *run);

/* Runs the reading steps at the front of the run, up to the first that has to wait. Called inside
 * the transaction that stores the run with its first step as running: reading twice does no harm,
 * so these steps need no commit of their own, and a command that only reads costs one commit. Then
 * call run_go after the commit, or run_free on failure. */
int run_read(struct run *run, struct err *err);
/* After the commit: links the run and continues with its current step. */
void run_go(struct run *run);
/* Recovers a run after a crash in its current step, whose row is `last`: a step that only reads
 * runs again; for any other step, the action's recover() reports whether it took effect. */
void run_recover(struct run *run, const struct run_step *last);

/* Stores a run that began without a row, if that is possible now. */
void run_record(struct run *run);

/* The runner's deferred source: continues the runs whose calls have finished. */
void run_settle_finished(void *runner);

/* run_args.c: the arguments of a run, and the parameters of its steps. */
struct value_context run_args_context(const struct runner *runner);
/* Binds the arguments of a line whose first word is the command. Errors: COMMAND_ARG_…. */
int run_args_bind(struct run *run, const struct line *line, struct err *err);
/* The same from an object by name, or an array. */
int run_args_bind_json(struct run *run, const char *args_json, struct err *err);
/* The same from what run_args_json wrote, in this or an earlier version. */
int run_args_restore(struct run *run, const char *args_json, bool look_up, struct err *err);
void run_args_json(const struct run *run, struct buf *out);
/* Adds "restart prediction". Returns false if sending this line again would not give the same
 * arguments (quote.h). */
bool run_args_line(const struct run *run, struct buf *out);
/* The values of the parameters of a step's action; the caller frees them with run_args_free. NULL
 * on failure. */
int run_args_resolve(const struct run *run, const struct manifest_step *step,
                     struct arg_value **ret_values, struct err *err);
void run_args_free(const struct action *action, struct arg_value *values);

/* run_lock.c: the locks of all steps of a run (lock.h). */
/* COMMAND_LOCKED, with the run that holds one of them. */
int run_lock_check(const struct run *run, struct err *err);
/* Takes them for the id of the run, whether they are free or not. since_us: wall clock. */
void run_lock_take(struct run *run, int64_t since_us);

/* run_write.c: writes rows, always inside the caller's transaction. */
/* Audits command.received, except for commands that are only counted when they end. */
int run_write_received(const struct run *run, struct err *err);
/* Stores the current step as running. */
int run_write_start(struct run *run, struct err *err);
/* Stores the end of the current step (its outcome is in marks, replies, failure and end_err), and
 * either the next step as running, or the end of the run with its reply run->result. */
int run_write_advance(struct run *run, struct err *err);
/* Adds the rows of a run that began without them, with its current step as running. */
int run_write_adopt(struct run *run, struct err *err);
/* The index of the step after the current one; -1: the run ends. */
int run_write_next(const struct run *run);
/* Adds a reply to the outbox, or edits the message *outbox_id if that is not 0; *outbox_id becomes
 * the id of the message. Only decorates the reply if the channel has no outbox. */
int run_write_post(struct runner *runner, const struct principal *who, int64_t chat_id,
                   struct reply *reply, int64_t run_id, bool urgent, int64_t *outbox_id,
                   struct err *err);
/* Adds a line about the run to the audit log, with the detail "run 12: restart prediction: more".
 */
int run_write_audit(const struct run *run, const char *action, const char *more, const char *result,
                    struct err *err);
bool run_write_is_chat(enum channel channel); /* its replies go through the outbox */
