/*
 * runner_internal.h: what the runner's files share: one line or press on its way through them.
 * Private to this room.
 *
 *     struct admission v = {0};
 *     rc = runner_confirm_press(runner, in, &v, err);   // in a transaction
 *     commit; tell v.reply; run_go(v.start);
 *
 * Invariants: everything that takes a verdict runs in the transaction of runner_submit and does
 * nothing that a rollback cannot take back, but for act_first, which nothing should take back. A
 * negative result is a failure to store; a refusal is a verdict. Thread: ops.
 */
#pragma once

#include "run.h"
#include "run_reply.h"
#include "store/confirmation_table.h"
#include "store/run_table.h"

/* What there is to do once the transaction is on disk. */
struct admission {
    struct reply *reply; /* for on_reply; doors with an outbox have their row already */
    struct err err;      /* that the reply tells of */
    bool posted;
    struct run *start;            /* a run whose first step is begun */
    struct held_prompt *answered; /* used from now on */
    bool edit;                    /* the reply replaces the message that was pressed */
    bool rated;                   /* the rate limit has counted this line */
    struct err unrecorded; /* why nothing can be stored: nothing is written, no transaction is open,
                            * replies go past the outbox; ERR_NONE: as ever */
};

/* Answers with an error card (made here unless one is given) and notes it in the audit log. */
int runner_refuse(struct runner *runner, const struct invocation *in, const char *audit_action,
                  const struct err *why, struct reply *owned_reply, struct admission *v,
                  struct err *err);
/* The same for an answer that no open question of this person fits: of these only a few a minute
 * are taken and noted, so that codes cannot be tried out nor the audit log be filled. What does
 * answer an open question is never held up by it. */
int runner_refuse_answer(struct runner *runner, const struct invocation *in,
                         const char *audit_action, const struct err *why, struct reply *owned_reply,
                         struct admission *v, struct err *err);
/* Is it older than telegram.stale_after, or may it be? */
bool runner_is_stale(const struct runner *runner, const struct invocation *in,
                     struct stale_age *ret_age);
int runner_store_run(struct run *run, enum run_state state, struct err *err);
/* A run that may begin: stores it, its first step begun, and moves it to the verdict. */
int runner_begin(struct run **slot, const struct invocation *in, struct admission *v,
                 struct err *err);
/* The parts of a confirmed command that wait for no disk. */
void runner_act_first(const struct run *run);

/* Questions: asked, answered, expired. */
int runner_confirm_ask(struct run *run, const struct invocation *in, struct admission *v,
                       struct err *err);
/* A button: RUN_REPLY_CONFIRM or RUN_REPLY_CANCEL and the code. */
int runner_confirm_press(struct runner *runner, const struct invocation *in, struct admission *v,
                         struct err *err);
/* "/confirm <code>" (yes), "/cancel [code]". */
int runner_confirm_type(struct runner *runner, const struct invocation *in, const struct line *line,
                        bool yes, struct admission *v, struct err *err);
/* runner_held.c: questions in memory, and runs that are not on disk yet. */
/* Keeps a question about a command of the safe side; run_id 0: only here. */
void runner_held_add(struct runner *runner, const struct run *run, const char *code,
                     int64_t run_id);
struct held_prompt *runner_held_find(struct runner *runner, const char *code);
/* The newest open one of this person in this chat; NULL: none. */
const struct held_prompt *runner_held_newest(struct runner *runner, const struct invocation *in);
void runner_held_release(struct runner *runner);
/* An answer to one that nothing on disk speaks for. */
int runner_held_answer(struct runner *runner, const struct invocation *in, struct held_prompt *h,
                       bool yes, struct admission *v, struct err *err);
/* runner_recover.c */
void runner_on_recover(void *runner);
/* Is this about the rows, and not about whether the database can be used? */
bool runner_is_odd(int rc);
/* The rows of a run, and any open question without a waiting run, concern nobody from then on. */
int runner_set_aside(struct runner *runner, int64_t run_id, const struct err *why, struct err *err);
void runner_record_schedule(struct runner *runner);
void runner_on_record(void *runner);

/* Arms the timer for the question that expires next. */
void runner_confirm_schedule(struct runner *runner);
int runner_confirm_expire_due(struct runner *runner, struct err *err);
void runner_confirm_on_expiry(void *runner);
