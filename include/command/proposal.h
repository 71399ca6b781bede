/*
 * proposal.h: a program proposes a command line; a person runs it or not.
 *
 *     rc = proposal_make(runner, &(struct proposal_request){.line = "/restart demo", .who = &who,
 *                        .reason = "it has answered nothing for 10 min"}, &reply, err);
 *
 * The line is checked as if the caller had typed it: the command, the caller's role, every
 * argument. Then everybody on Telegram who may run it gets a message with two buttons, and so does
 * the console; /proposals lists them for the other channels. A person who accepts runs the line
 * as if they had typed it: their role, their confirmation, their second factor. Nothing of the
 * caller's goes into that.
 * Always true: accepted or declined once; after PROPOSAL_EXPIRY_US neither. A line that the same
 * caller has proposed and that is still open is not proposed again.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "store/proposal_table.h"

struct action_call;
struct principal;
struct reply;
struct runner;

#define PROPOSAL_EXPIRY_US  USEC_PER_HOUR
#define PROPOSALS_OPEN_MAX  10
#define PROPOSAL_REASON_MAX 500 /* bytes */

struct proposal_request {
    const struct principal *who;
    const char *line;   /* "/restart demo" */
    const char *reason; /* for the people who decide; text of others */
};

/* *ret_reply: the message that was sent, with the data of /proposals; the caller frees it. Errors:
 * PROPOSAL_READS, PROPOSAL_MANY, PROPOSAL_REASON, and those of a line that is refused. */
int proposal_make(struct runner *runner, const struct proposal_request *request,
                  struct reply **ret_reply, struct err *err);
