/*
 * approval.h: the step `approve` of a manifest: in the middle of a run, another person has to say
 * yes. Private to this module.
 *
 *     - approve: {role: admin, within: 10m, text: "Move $service to version $version?"}
 *
 * Invariants: the prompt, its code and its expiry are the note of the step's row (run_table.h), so
 * it survives a restart; the answer is stored there, too, before the run goes on. The person who
 * started the run cannot approve, but may refuse. The end of the step and what replaces its
 * prompts are one commit.
 * Ownership: an approval belongs to its step. Thread: ops.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define APPROVAL_ACTION "command.approve"

struct admission;
struct approval;
struct invocation;
struct runner;
struct step;

/* The step that waits for the answer with this code; NULL: none. */
struct step *approval_find(const struct runner *runner, const char *code);
/* Stores the answer in the transaction of the invocation, or refuses it. */
int approval_answer(struct step *s, const struct invocation *in, bool yes, struct admission *a,
                    struct err *err);
/* After the commit: the step ends with this answer. */
void approval_settle(struct step *s, const char *by, bool yes);
/* With the end of a step: replaces its prompts. Does nothing for a step without one. */
int approval_write_end(const struct step *s, struct err *err);
void approval_free(struct approval *approval); /* takes NULL */
