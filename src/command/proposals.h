/*
 * proposals.h: what other files of this module need of proposals. Private to this module.
 *
 * Thread: ops.
 */
#pragma once

#include "command/proposal.h"
#include "runner_internal.h"

struct builtin;
struct json_out;

/* Whether a proposal has this code: 1, 0, or negative. The caller releases *ret. */
int proposal_find(const struct runner *runner, const char *code, struct proposal *ret,
                  struct err *err);
/* The answer of a person: refuses it, declines the proposal, or runs its line. */
int proposal_answer(struct runner *runner, const struct invocation *in, const struct proposal *p,
                    bool yes, struct admission *a, struct err *err);
/* When the next one expires (wall clock); 0: none is open. */
int proposal_next_expiry(const struct runner *runner, int64_t *ret_us, struct err *err);
/* Closes those whose time is over. */
int proposal_expire_due(struct runner *runner, struct err *err);
/* The message about it, with buttons while it is open; without its data. */
void proposal_show(const struct proposal *p, int64_t now_us, struct reply *r);
/* Its members, into the object that is open. run_state: of its run; NULL: it has none. */
void proposal_json(const struct proposal *p, const char *run_state, struct json_out *out);
