/*
 * runner_internal.h: what the runner's files share: one line or press on its way through them.
 * Private to this room.
 *
 *     struct verdict v = {0};
 *     rc = runner_confirm_press(runner, in, &v, err);   // in a transaction
 *     commit; tell v.reply; run_go(v.start);
 *
 * Invariants: everything that takes a verdict runs in the transaction of runner_submit and does
 * nothing that a rollback cannot take back. A negative result is a failure to store; a refusal is
 * a verdict.
 * Thread: ops.
 */
#pragma once

#include "run.h"
#include "store/confirmation_table.h"
#include "store/run_table.h"

/* What there is to do once the transaction is on disk. */
struct verdict {
    struct reply *reply; /* for on_reply; doors with an outbox have their row already */
    struct err err;      /* that the reply tells of */
    bool posted;
    struct run *start; /* a run whose first step is begun */
};

/* Answers with an error card (made here unless one is given) and notes it in the audit log. */
int runner_refuse(struct runner *runner, const struct invocation *in, const char *audit_action,
                  const struct err *why, struct reply *owned_card, struct verdict *v,
                  struct err *err);
int runner_store_run(struct run *run, enum run_state state, struct err *err);

/* Questions: asked, answered, expired. */
int runner_confirm_ask(struct run *run, const struct invocation *in, struct verdict *v,
                       struct err *err);
/* A button: CARD_CONFIRM or CARD_CANCEL and the code. */
int runner_confirm_press(struct runner *runner, const struct invocation *in, struct verdict *v,
                         struct err *err);
/* "/confirm <code>" (yes), "/cancel [code]". */
int runner_confirm_type(struct runner *runner, const struct invocation *in, const struct line *line,
                        bool yes, struct verdict *v, struct err *err);
/* Arms the timer for the question that expires next. */
void runner_confirm_schedule(struct runner *runner);
int runner_confirm_expire_due(struct runner *runner, struct err *err);
void runner_confirm_on_expiry(void *runner);
