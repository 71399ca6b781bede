/*
 * stage.h: what has to happen between the arguments and the run: whether to run a command that is
 * old, the confirmation, the second factor, the approval of a second person. One table, in this
 * order. Private to this module.
 *
 *     bool passed = false;
 *     rc = stage_walk(run, in, 0, NULL, a, &passed, err);
 *     if (rc == 0 && passed)
 *         runner_begin(&run, in, a, err);       // else a prompt or a refusal is in *a
 *
 * Invariants: each stage that applies is passed once, in order; a prompt is a row of confirmations,
 * bound to the exact arguments, with a code that works once and expires. The confirmation and the
 * code must come from the person and the chat that sent the command, the approval from another
 * person with the role of the command.
 * Thread: ops.
 */
#pragma once

#include "runner_internal.h"

/* As stored with a prompt: "stale" "confirm" "code" "approve". */
const char *stage_name(enum stage_id stage);
bool stage_applies(const struct run *run, enum stage_id stage);
bool stage_parse(const char *name, enum stage_id *ret);

/* Goes through the stages from `from` on, and asks at the first that the invocation does not pass.
 * open: the prompt that was just answered; NULL: none. *ret_passed: none is left. */
int stage_walk(struct run *run, const struct invocation *in, enum stage_id from,
               const struct confirmation *open, struct admission *a, bool *ret_passed,
               struct err *err);
/* Whether the answer yes of this person passes the stage of a prompt; otherwise it is refused. */
int stage_answer(struct run *run, const struct invocation *in, const struct confirmation *open,
                 struct admission *a, bool *ret_passed, struct err *err);
/* An approval comes from another person: another id, and another name, because one person may have
 * an id on each channel. A session at the page is its person; any other token identifies nobody, so
 * the person who asked may hold it.
 * Errors: FOUR_EYES_SELF, FOUR_EYES_TOKEN. */
int stage_check_other(const struct run *run, const struct principal *who, struct err *why);
/* The i-th of telegram.users; *ret_may: another person who may approve, with at least this role.
 * False: no more users. */
bool stage_next_other(const struct run *run, enum role role, int i, struct principal *ret,
                      bool *ret_may);
void stage_name_others(const struct run *run, enum role role, struct buf *out); /* "bob, carol" */
/* Adds who may approve. */
void stage_add_others(const struct run *run, enum role role, struct reply *prompt);
/* Shows the prompt for an approval to the other people who may give it. */
int stage_ask_others(const struct run *run, const struct reply *prompt, struct err *err);
/* Replaces these copies, when the prompt is closed. Does nothing at another stage. */
int stage_close_copies(struct runner *runner, const struct confirmation *c,
                       const struct reply *text, struct err *err);
/* Whether the chat of an invocation shows such a copy. */
int stage_has_copy(struct runner *runner, const struct confirmation *c, const struct invocation *in,
                   bool *ret, struct err *err);
