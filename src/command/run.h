/*
 * run.h: one run of a command in memory: its arguments, steps, progress and reply. Private to this
 * module.
 *
 *     struct run *run = run_new(runner, manifest, &who, chat_id);
 *     run_args_bind(run, &line, err)         // or run_args_bind_json
 *     run_read(run);                         // leading steps that only read, before anything is
 *                                            // stored
 *     run_write_steps(run, err)              // in the transaction that stores the run
 *     run_go(run);                           // after the commit; the run now owns itself
 *
 * Order: the steps; if one failed, those of on_failure; then, in any case, those of always. A
 * parallel group begins together and ends when all its steps have ended; a failure in it does not
 * stop the others. A run that is cancelled, or that a crash has cut off, skips to always, unless
 * on_failure undoes what was done (`undo` of the manifest).
 *
 * Invariants: the row that a step is running is committed before its action is called, except for
 * run_read and for runs without a row (`unrecorded`). No transaction is open while an action runs.
 * From run_go to its end a run is linked into its runner, and it frees itself at the end.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "base/trace.h"
#include "command/runner.h"
#include "line.h"
#include "lock.h"
#include "rate.h"
#include "step.h"
#include "store/run_table.h"

#define RUNS_MAX      64
#define CODE_CHARS    6 /* of a confirmation code */
#define HELD_MAX      16
#define FLOODS_MAX    32
#define RUN_STEPS_MAX (3 * MANIFEST_STEPS_MAX)

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

/* A person whose messages above a limit were refused; one message says how many. */
struct flood {
    const struct rate *rate; /* NULL: this slot is free */
    struct principal who;
    int64_t chat_id;
    int64_t outbox_id; /* of that message */
    int64_t refused;
    int64_t said;
};

/* How often each person ran a command that has a limit of its own. */
struct command_rate {
    struct command_rate *next;
    char command[MANIFEST_NAME_SIZE];
    struct rate rate;
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
    struct command_rate *command_rates; /* owned; of the commands with a limit of their own */
    struct rate wrong_answers; /* /confirm, /cancel and presses that answer no open prompt */
    struct flood floods[FLOODS_MAX];
    struct loop_source *recheck; /* deferred: roles have changed */
    char rechecked_by[32];       /* who changed them */
    size_t next_flood;           /* the slot to be used next */
    struct loop_source *flooded; /* timer: says how many messages were refused */
};

/* How long ago an update was sent. */
struct stale_age {
    int64_t us;
    bool at_most; /* an upper limit: Telegram sends no time with a button press */
};

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
    bool notified;       /* that it cannot be recorded was reported without the outbox */
    bool noted;          /* the result says that it is recorded now */
    const struct manifest *m; /* a reference */
    bool locked;              /* it holds its locks, which run_free releases */
    struct principal who;
    int64_t chat_id;
    int64_t thread_id;             /* of its first message; 0: none, or it has sent one */
    struct arg_value *args;        /* owned; args[i] is the value of m->args[i] */
    struct manifest_demand demand; /* of `who` for these arguments, once they are bound */
    struct stale_age age;          /* of the message that asked for it, if that was too old */
    char choice[96];               /* how its prompt was answered: "✓ Confirmed"; "": no prompt */
    char changed[600];             /* lines of what is not as its prompt showed it; "": nothing */
    struct trace_work work;        /* its own span, in the trace of what began it */
    uint64_t work_parent;          /* the span that caused it; 0: none */
    int64_t started_mono_us;
    bool prepares;          /* only the steps before its confirmation run (runner_prepare.c) */
    struct reply *prepared; /* owned; what those steps replied; NULL: none has run */

    struct step *steps;    /* owned; run_step_total of them */
    int cursor;            /* the first step that is neither started nor passed over */
    struct err failure;    /* of the first step that failed; ERR_NONE: none failed */
    char cancelled_by[64]; /* "": nobody cancelled it */
    bool over;             /* all steps have ended; `result` is its reply */
    struct reply *result;
    bool stored;   /* its end */
    bool unstored; /* its last change could not be stored; store_timer retries */
    struct loop_source *store_timer;

    struct loop_source *progress_timer;
    struct loop_source *typing_timer; /* tells the chat that an answer is coming */
    int64_t notified_mono_us;         /* when progress was last shown; 0: never */
    bool streams;                     /* the answer was last shown as one that is being written */
    int64_t outbox_id;                /* the message that progress and result edit; 0: none yet */

    void (*on_reply)(const struct reply *reply, const struct err *err, void *userdata);
    void (*on_progress)(const struct reply *reply, void *userdata); /* may be NULL */
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
int run_step_total(const struct run *run);               /* on_failure and always included */
bool run_is_follow_up(const struct run *run, int index); /* a step of on_failure or always */
/* The step with this id; NULL: none. */
const struct step *run_find_step(const struct run *run, struct str id);
/* A crash interrupted a step, and it had no effect or that is unknown: no further step of the
 * command runs, and of on_failure only if it is an undo. */
bool run_is_cut_off(const struct run *run);
/* It was cancelled, and that kept a step from running to its end. */
bool run_is_cancelled(const struct run *run);
/* Why it did not do what the command says: the first failure, or that it was cancelled; NULL. */
const struct err *run_error(const struct run *run, struct err *space);

/* The steps before its confirmation have run: it can be asked for. */
bool run_is_prepared(const struct run *run);

/* Starts the first step, and calls the leading steps that only read, up to the first that has to
 * wait: reading twice does no harm, so they need no row, and a command that only reads costs one
 * commit. Then store the run and call run_go after the commit, or run_free on failure. */
void run_read(struct run *run);
/* After the commit: links the run and continues with its current step. */
void run_go(struct run *run);
/* Continues until the run waits or ends; the run may be freed. */
void run_go_on(struct run *run);
/* Recovers a run whose steps are restored from their rows: a step that only reads runs again; for
 * any other step, the action's recover() reports whether it took effect. */
void run_recover(struct run *run);
/* Stops the steps that can be cancelled, and continues with always. The run may be freed. Returns
 * the number of steps that cannot be cancelled; they run to their end. */
int run_cancel(struct run *run, const char *by);
void run_want_progress(struct run *run);

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
/* What `who` needs for the arguments, after either has changed. */
void run_args_demand(struct run *run);
void run_args_json(const struct run *run, struct buf *out);
/* Adds "restart prediction". Returns false if sending this line again would not give the same
 * arguments (quote.h). */
bool run_args_line(const struct run *run, struct buf *out);
/* Adds " (service: demo)": the values of a step. */
void run_args_add_values(struct buf *out, const struct action *action,
                         const struct arg_value *values);
/* Adds the text of "arg" or "step.output"; false if it has no value. */
bool run_args_value(const struct run *run, struct str name, struct buf *out);
/* The values of the parameters of a step's action; the caller frees them with run_args_free. NULL
 * on failure. */
int run_args_resolve(const struct run *run, const struct manifest_step *step,
                     struct arg_value **ret_values, struct err *err);
void run_args_free(const struct action *action, struct arg_value *values);

/* run_lock.c: the locks of all steps of a run (lock.h). */
void run_lock_list(const struct run *run, struct lock_set *out); /* the caller releases it */
/* COMMAND_LOCKED, with the run that holds one of them. */
int run_lock_check(const struct run *run, struct err *err);
/* Takes them for the id of the run, whether they are free or not. since_us: wall clock. */
void run_lock_take(struct run *run, int64_t since_us);

/* run_write.c: writes rows, always inside the caller's transaction. */
/* Audits command.received, except for commands that are only counted when they end. */
int run_write_received(const struct run *run, struct err *err);
/* Stores what has changed since the last commit: steps that began or ended, and the end of the run
 * with its reply run->result. */
int run_write_steps(struct run *run, struct err *err);
/* Adds the row of a run that began without one. */
int run_write_adopt(struct run *run, struct err *err);
/* After the commit of run_write_steps. */
void run_write_stored(struct run *run);
bool run_write_is_due(const struct run *run); /* something has changed since the last commit */
/* Adds a reply to the outbox, or edits the message *outbox_id if that is not 0; *outbox_id becomes
 * the id of the message. Only decorates the reply if the channel has no outbox. */
/* Adds a chat action to the outbox: an answer is coming. */
int run_write_typing(const struct run *run, struct err *err);
int run_write_post(struct runner *runner, const struct principal *who, int64_t chat_id,
                   int64_t thread_id, struct reply *reply, int64_t run_id, bool urgent,
                   int64_t *outbox_id, struct err *err);
/* Adds a line about the run to the audit log, with the detail "run 12: restart prediction: more".
 */
int run_write_audit(const struct run *run, const char *action, const char *more, const char *result,
                    struct err *err);
bool run_write_is_chat(enum channel channel); /* its replies go through the outbox */
