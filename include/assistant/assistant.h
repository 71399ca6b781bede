/*
 * assistant.h: answers questions in a person's own words from what that person may read.
 *
 *     rc = assistant_new(&(struct assistant_options){.loop = loop, .clock = clock, .config =
 * config, .store = store, .access = access, .llm_client = client}, &assistant, err);
 *     assistant_actions(assistant, actions);                    // assistant.ask
 *     assistant_connect(assistant, runner, manifests);          // once they exist
 *     desk_explain_questions(desk, assistant_explain, assistant);    // "/why q12"
 *
 * A model gets tools: the commands of the person that only read and whose actions are marked for it
 * (action.h). It has no other hands. A tool runs as that person, through the runner, with the
 * channel "assistant", and leaves a line in the audit log; its result is bounded, redacted and
 * marked as data of others. What would change something can only be proposed: a command line of the
 * person's own words, behind a button, which starts it as if it had been typed.
 *
 * Always true: at most assistant.max_calls tools, assistant.max_time and about assistant.max_cost
 * for a question, and never more than the day's budget; the figures of an answer are looked up in
 * the results (proof/text_proof.h), what is not found there is marked, and an answer with more such
 * figures than others is withheld: the data is shown in its place. Every question is a row with
 * what was read for it (store/question_table.h). A question that a crash or a stop has cut off is
 * asked again at the next start, or said to be lost.
 * Conversations: /troubleshoot opens a session; what its people write then goes on in it
 * (assistant_converse), with what was said and read before; it closes itself when nobody says
 * anything (assistant.session_idle), and hands its transcript over. Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "model/llm_request.h"

#include <stdbool.h>
#include <stdint.h>

struct access;
struct buf;
struct action_table;
struct assistant;
struct clock;
struct config;
struct desk;
struct invocation;
struct loop;
struct manifest_list;
struct pool;
struct ops_store;
struct principal;
struct reply;
struct runner;
struct runner_note;

struct assistant_options {
    struct loop *loop;
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct access *access;
    const char *state_dir;               /* of transcripts and what they are written from */
    struct pool *helpers;                /* check answers off the loop; NULL: on it */
    struct desk *desk;                   /* market time, time zone; NULL: wall time, UTC */
    const struct llm_client *llm_client; /* NULL: there is no key */
};

int assistant_new(const struct assistant_options *options, struct assistant **ret, struct err *err);
void assistant_free(struct assistant *assistant);
void assistant_actions(struct assistant *assistant, struct action_table *table);
void assistant_connect(struct assistant *assistant, struct runner *runner,
                       const struct manifest_list *manifests);
/* A new configuration and client, for questions that begin from now on. */
void assistant_apply(struct assistant *assistant, const struct config *config,
                     const struct llm_client *llm_client);
/* For runner_options.asked: a run whose line an answer has proposed belongs to that proposal. */
void assistant_note_run(const struct invocation *in, int64_t run_id, void *assistant);
/* The process ends: questions that are cancelled from now on are asked again at the next start. */
void assistant_close(struct assistant *assistant);
/* Explains a question to somebody who asked it, or to an admin: what was read, the results as they
 * were, and where each figure was found. ERR_ASK_UNKNOWN. */
int assistant_explain(int64_t question_id, const struct principal *who, struct reply *reply,
                      void *assistant, struct err *err);
/* `converse` of the runner: free text of somebody who is in an open session of this private chat or
 * terminal, or that answers a message of a session, goes on in it. */
bool assistant_converse(const struct invocation *in, const char **ret_command, struct buf *ret_text,
                        void *assistant);
/* What people in a session run is part of it; for `noted` of the runner. */
void assistant_note_end(const struct runner_note *note, void *assistant);
