/*
 * question_table.h: the questions that people have asked the assistant, in ops.db: what was read to
 * answer each, the answer, and where each of its figures was found.
 *
 *     struct question q = {.run_id = run, .user = "alice", .question = text, .state =
 * QUESTION_RUNNING}; rc = question_table_begin(store, &q, &id, err); rc =
 * question_table_step(store, id, &(struct question_step){.index = 0, .line = "/trades"}, err); rc =
 * question_table_end(store, &q, err);
 *
 *      rc = question_table_propose(store, id, 0, "/restart demo", err);  // before its end
 *
 * Always true: one question of a run; if a crash has cut the run off, it is asked again under the
 * same number, and the steps of the first attempt are deleted. At most QUESTIONS_KEPT are kept, for
 * as long as other history is (monitoring.log_retention); those of a session as long as it is
 * (session_table.h). Texts have been redacted by the caller. Ownership:
 * question_release and question_step_release free the texts of rows that were read.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/auto.h"
#include "base/dec.h"
#include "base/err.h"
#include "base/str.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUESTIONS_KEPT      300
#define QUESTION_TEXT_MAX   2000 /* bytes of a question */
#define QUESTION_ANSWER_MAX ((size_t)16 * 1024)
#define QUESTION_RESULT_MAX ((size_t)32 * 1024)
#define QUESTION_STEPS_MAX  32

enum question_state {
    QUESTION_RUNNING,
    QUESTION_ANSWERED,
    QUESTION_WITHHELD, /* more figures unverified than verified: the data was shown instead */
    QUESTION_PROPOSED, /* a command was proposed */
    QUESTION_STOPPED,  /* by a person */
    QUESTION_FAILED,
    QUESTION_LOST /* a crash or a stop cut it off, and it was too old to be asked again */
};
const char *question_state_name(enum question_state state);
bool question_state_parse(struct str text, enum question_state *ret);

struct question {
    int64_t id;
    int64_t run_id;
    char kind[24];      /* the command: "ask", "analyze", "troubleshoot" */
    int64_t session_id; /* 0: it is not part of one */
    char subject[64];   /* "alert 12"; "": none */
    char user[64];
    int64_t user_id;
    char channel[16];
    int64_t asked_us;
    int64_t ended_us; /* 0: not ended */
    char *question;
    enum question_state state;
    char source[16]; /* "model", "grammar"; "" until it is known */
    char *answer;    /* with its marks; NULL or "" if there is none */
    char model[64];
    int64_t tokens;
    struct dec cost_usd; /* DEC_INVALID: unknown */
    int64_t found;
    int64_t derived;
    int64_t unverified;
    char *figures; /* JSON: [{"text", "standing", "where"}] */
    char error_code[40];
};
void question_release(struct question *question);
#define AUTO_QUESTION AUTO(question_release)

struct question_step {
    int64_t index;
    char *line;   /* the command line that reads the same */
    char *result; /* JSON */
    char error_code[40];
    int64_t took_us;
};
void question_step_release(struct question_step *step);

/* Finds the question of a run that was begun before and deletes its steps, or adds a new one.
 * *ret_again: it was begun before. */
int question_table_begin(struct ops_store *store, const struct question *question, int64_t *ret_id,
                         bool *ret_again, struct err *err);
int question_table_step(struct ops_store *store, int64_t id, const struct question_step *step,
                        struct err *err);
/* Stores state, source, answer, model, tokens, cost, figures and error of question->id. */
int question_table_end(struct ops_store *store, const struct question *question, struct err *err);
/* STORE_NOT_FOUND. */
int question_table_get(struct ops_store *store, int64_t id, struct question *ret, struct err *err);
/* The ids of the questions of a session after one, oldest first; returns the number. */
int question_table_of_session(struct ops_store *store, int64_t session_id, int64_t after_id,
                              int64_t *ret_ids, size_t max, struct err *err);
/* In order; returns the number. */
int question_table_steps(struct ops_store *store, int64_t id, struct question_step *ret, size_t max,
                         struct err *err);

/* A command line that the answer proposes. */
int question_table_propose(struct ops_store *store, int64_t id, int64_t index, const char *line,
                           struct err *err);

/* Somebody begins a run with this line. It belongs to the newest question of the same chat that
 * proposes the line, or to that whose message has the pressed button; a proposal whose run never
 * began to work may be taken again. */
struct question_taken {
    const char *line; /* "/restart demo" */
    const char *channel;
    int64_t chat_id;
    const char *user;   /* a channel without chats (chat_id 0) tells people apart by it */
    int64_t message_id; /* of the pressed button; 0: none */
    int64_t since_us;   /* proposed at or after this */
    int64_t run_id;
};
int question_table_take(struct ops_store *store, const struct question_taken *taken,
                        struct err *err);

/* What became of a proposal: what became of its run. */
enum proposal_outcome {
    PROPOSAL_OPEN,      /* nobody has begun it */
    PROPOSAL_ASKED,     /* its confirmation is open */
    PROPOSAL_CONFIRMED, /* it runs or has run, and has not failed */
    PROPOSAL_FAILED,    /* it was confirmed, and failed, or its end is unknown */
    PROPOSAL_CANCELLED,
    PROPOSAL_EXPIRED, /* nobody confirmed it in time */
    PROPOSAL_REFUSED, /* it could not be run any more */
    PROPOSAL_OUTCOMES
};
const char *proposal_outcome_name(enum proposal_outcome outcome);

struct question_proposal {
    char line[128];
    enum proposal_outcome outcome;
    int64_t run_id; /* 0: nobody has begun it */
};
/* In order; returns the number. */
int question_table_proposals(struct ops_store *store, int64_t id, struct question_proposal *ret,
                             size_t max, struct err *err);

/* Proposals of the questions that were asked from since_us on, by model, most first; returns the
 * number of models. */
struct question_proposals {
    char model[64]; /* "": answered without one */
    int64_t count;
    int64_t outcomes[PROPOSAL_OUTCOMES];
};
int question_table_proposals_by_model(struct ops_store *store, int64_t since_us,
                                      struct question_proposals *ret, size_t max, struct err *err);

/* What a person says of an answer, once; a second time replaces the first. STORE_NOT_FOUND: there
 * is no such question. */
struct question_rating {
    int64_t question_id;
    const char *channel;
    const char *user;
    bool good;
    int64_t at_us;
};
int question_table_rate(struct ops_store *store, const struct question_rating *rating,
                        struct err *err);
/* Of the questions that were asked from since_us on, of those that are kept. */
struct question_sums {
    int64_t asked;
    int64_t by_model, by_grammar;
    int64_t answered, withheld, proposed, failed; /* failed: stopped and lost as well */
    int64_t verified, unverified;                 /* figures */
    int64_t good, bad;                            /* ratings */
};
int question_table_sums(struct ops_store *store, int64_t since_us, struct question_sums *ret,
                        struct err *err);
