/*
 * runner_internal.h: shared by the files of the runner: the decision about one invocation. Private
 * to this module.
 *
 *     struct admission a = {0};
 *     rc = runner_confirm_press(runner, in, &a, err);   // in a transaction
 *     commit; send a.reply; run_go(a.start);
 *
 * Invariants: every function that fills an admission writes in the transaction of runner_submit,
 * which the first of them begins with runner_open (or, if a->unrecorded is set, without one), and a
 * rollback undoes everything it does. The exception is
 * runner_act_first, which must not be undone: it sets the kill switch. A negative return value
 * means that nothing could be stored; a refusal is an admission with a reply.
 * Thread: ops.
 */
#pragma once

#include "run.h"
#include "run_reply.h"
#include "store/confirmation_table.h"
#include "store/run_table.h"

/* What becomes of an invocation: a reply (refusal or prompt), or a run to start. The caller acts on
 * it after the commit. */
struct admission {
    struct reply *reply; /* for on_reply; its outbox row is already written if `posted` */
    struct err err;      /* the error that the reply shows */
    bool posted;
    struct run *cancel;           /* a running run to cancel */
    struct run *start;            /* a run whose first step is stored as running */
    struct held_prompt *answered; /* to be marked as used */
    struct step *approval;        /* a step whose approval was given or refused */
    bool approval_yes;
    bool open;                /* the transaction has begun */
    bool reads;               /* a run that changes nothing: it need not be synced */
    bool edit;                /* the reply replaces the message with the pressed button */
    int64_t outbox_id;        /* of the refusal; 0: not posted */
    const struct rate *limit; /* the limit that the first refused message exceeded */
    bool rated;               /* the rate limit has already counted this invocation */
    bool command_rated;       /* and so has the limit of the command */
    struct err unrecorded; /* why ops.db cannot be written. Then no transaction is open, nothing is
                            * stored, and replies go to `deliver`. ERR_NONE: the normal case */
};

/* Refuses the invocation: replies with an error (owned_reply, or one made here) and audits it. */
int runner_refuse(struct runner *runner, const struct invocation *in, const char *audit_action,
                  const struct err *why, struct reply *owned_reply, struct admission *a,
                  struct err *err);
/* Refuses an answer that fits no open prompt of this user. Only a few of these are answered and
 * audited per minute, so that codes cannot be guessed and the audit log cannot be flooded. Answers
 * to an open prompt are not limited. */
int runner_refuse_answer(struct runner *runner, const struct invocation *in,
                         const char *audit_action, const struct err *why, struct reply *owned_reply,
                         struct admission *a, struct err *err);
/* Whether the invocation is, or may be, older than telegram.stale_after. */
bool runner_is_stale(const struct runner *runner, const struct invocation *in,
                     struct stale_age *ret_age);
/* Begins the transaction of this invocation and stores its update id, once. */
int runner_open(struct runner *runner, const struct invocation *in, struct admission *a,
                struct err *err);
int runner_store_run(struct run *run, enum run_state state, struct err *err);
/* The same for the run of an invocation, and tells `asked` about it. */
int runner_store_asked(struct run *run, const struct invocation *in, enum run_state state,
                       struct err *err);
/* What follows once the arguments are bound: limits and locks, then prompts (stage.h), or the run
 * begins. */
int runner_admit(struct run **slot, const struct invocation *in, struct admission *a,
                 struct err *err);
/* Calls the leading steps that only read, stores the run, and moves it from *slot to a->start. */
int runner_begin(struct run **slot, const struct invocation *in, struct admission *a,
                 struct err *err);
/* Calls `first` of the actions of a confirmed command. */
void runner_act_first(const struct run *run);

/* runner_limit.c: limits per person and minute. */
/* Returns true if the invocation exceeds the limit; it is refused then, and *ret_rc is the result.
 */
bool runner_over_limit(struct runner *runner, struct rate *rate, const struct invocation *in,
                       struct admission *a, int *ret_rc, struct err *err);
/* The same for the limit of a command (`rate` of its manifest), if it has one. */
bool runner_over_command_limit(struct runner *runner, const struct manifest *m,
                               const struct invocation *in, struct admission *a, int *ret_rc,
                               struct err *err);
/* The refusal of the first message above a limit is stored: later ones are counted in it. */
void runner_limit_noticed(struct runner *runner, const struct invocation *in,
                          const struct admission *a);
void runner_on_flooded(void *runner);
void runner_limit_release(struct runner *runner);

/* runner_confirm.c: prompts and the answers to them. */
/* A code that no other open prompt has. */
int runner_confirm_code(struct runner *runner, char ret_code[CODE_CHARS + 1], struct err *err);
/* Asks at a stage. open: the prompt before, which was answered and becomes this one; NULL: none. */
int runner_confirm_ask(struct run *run, const struct invocation *in, enum stage_id stage,
                       const struct confirmation *open, struct admission *a, struct err *err);
/* The six digits alone, if this person has an open prompt for them in this chat. */
int runner_confirm_digits(struct runner *runner, const struct invocation *in, const char *digits,
                          struct admission *a, bool *ret_taken, struct err *err);
/* A button press: RUN_REPLY_CONFIRM or RUN_REPLY_CANCEL, and the code. */
int runner_confirm_press(struct runner *runner, const struct invocation *in, struct admission *a,
                         struct err *err);
/* "/confirm <code>" (yes), "/cancel [code]". */
int runner_confirm_type(struct runner *runner, const struct invocation *in, const struct line *line,
                        bool yes, struct admission *a, struct err *err);
/* Answers the prompt of a code. */
int runner_confirm_answer(struct runner *runner, const struct invocation *in, const char *code,
                          bool yes, struct admission *a, struct err *err);
/* Closes a prompt without running its command: ends its run, updates its messages, audits it. why
 * NULL: the user cancelled it. */
int runner_confirm_close(struct runner *runner, const struct confirmation *c,
                         const struct run_row *row, enum run_state state, const char *audit_action,
                         const struct err *why, struct reply **ret_reply, struct err *err);
/* Sets the timer for the prompt that expires next. */
void runner_confirm_schedule(struct runner *runner);
int runner_confirm_expire_due(struct runner *runner, struct err *err);
void runner_confirm_on_expiry(void *runner);

/* runner_prepare.c: steps that run before the confirmation (confirm_after of the manifest). */
/* Whether they run first. */
bool runner_prepares(const struct run *run, const struct invocation *in);
/* Whether a stored run has not asked for its confirmation yet. last_step: the last that was begun.
 */
bool runner_is_preparing(const struct run *run, int64_t last_step);
/* Asks, and stores that and what the steps replied. *ret_refused: the prompt cannot be made, as an
 * action's preview refuses. Negative: nothing was stored. */
int runner_prepare_ask(struct run *run, struct err *ret_refused, struct err *err);
/* Reads into a run that was loaded what these steps replied, if it has asked for its confirmation.
 */
int runner_prepare_read(struct run *run, struct err *err);
/* The same, and restores the steps, for the answer to its prompt. */
int runner_prepare_restore(struct run *run, struct err *err);
/* How long a prompt of the command is open. */
int64_t runner_prompt_us(const struct runner *runner, const struct manifest *m);

/* runner_cancel.c: "/cancel <number of a run>". */
bool runner_cancel_names_run(struct runner *runner, const struct line *line);
int runner_cancel(struct runner *runner, const struct invocation *in, const struct line *line,
                  struct admission *a, struct err *err);

/* runner_held.c: prompts in memory, and runs that are not stored yet. */
/* Keeps the prompt of a safe_side command. run_id 0: the prompt is not in ops.db. */
void runner_held_add(struct runner *runner, const struct run *run, const char *code,
                     int64_t run_id);
struct held_prompt *runner_held_find(struct runner *runner, const char *code);
/* The newest open prompt in memory of this user in this chat; NULL: none. */
const struct held_prompt *runner_held_newest(struct runner *runner, const struct invocation *in);
void runner_held_release(struct runner *runner);
/* Handles the answer to a prompt in memory, without its row. */
int runner_held_answer(struct runner *runner, const struct invocation *in, struct held_prompt *h,
                       bool yes, struct admission *a, struct err *err);
void runner_record_schedule(struct runner *runner);
void runner_on_record(void *runner);

/* runner_recheck.c */
void runner_on_recheck(void *runner);

/* runner_recover.c */
void runner_on_recover(void *runner);
/* Whether the error means inconsistent rows, as opposed to an unusable database. */
bool runner_is_odd(int rc);
/* Marks the rows of a run, and open confirmations without a waiting run, so that they are ignored
 * from now on. */
int runner_set_aside(struct runner *runner, int64_t run_id, const struct err *why, struct err *err);
