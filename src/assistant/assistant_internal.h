/*
 * assistant_internal.h: one question and what is known about it so far, shared by assistant.c (life
 * cycle, the action), plain.c (questions that need no model), talk.c (rounds with the model),
 * tool_run.c (one reading), analyze.c (what is behind an alert), session.c (conversations),
 * memory.c (what was said before), proposal.c (command lines), answer.c (the checked reply) and
 * explain.c ("/why q12"). Private to this module.
 *
 *     talk_begin(q);                  // asks the model; each round ends in talk_go_on
 *     tool_run_start(q, m, input);     // runs a tool; q->reading ends with q->deferred
 *     answer_finish(q, text);         // checks, replies, stores and frees q
 *
 * Always true: a question has either a request to the model under way, or a reading, or neither
 * while its deferred source is pending; its call is finished exactly once, unless it is cancelled.
 * Thread: ops.
 */
#pragma once

#include "assistant/assistant.h"
#include "command/action.h"
#include "command/manifest.h"
#include "report/llm_prompt.h"
#include "store/question_table.h"

#include <stdbool.h>

#define ASKS_MAX         16 /* at the same time */
#define PROPOSALS_MAX    3
#define PROPOSAL_SIZE    61           /* a button holds 64 bytes */
#define PROPOSAL_OPEN_US USEC_PER_DAY /* how long it counts as taken if its line is run */
#define READING_LINE     512
#define ASK_AGAIN_US     (10 * USEC_PER_MIN) /* a question that was cut off longer ago is lost */

/* What one tool has brought. */
struct tool_run {
    char line[READING_LINE];      /* as a person would type it */
    struct json_object *document; /* bounded and cleaned: what the model sees */
    struct reply *reply;          /* as the person would see it; NULL if it failed */
    enum err_id error;
    int64_t began_mono_us;
};

/* A cause of an alert that code can tell. */
#define CAUSES_MAX      8
#define CAUSE_TEXT_SIZE 300

struct cause {
    int weight; /* the larger, the more probable */
    int source; /* of the readings */
    char text[CAUSE_TEXT_SIZE];
    char quote[200];
};

enum ask_kind { ASK_QUESTION, ASK_ANALYSIS, ASK_SESSION, ASK_KINDS };

/* What was read for an earlier question of the session, and is still in the memory of the model. */
struct remembered {
    char label[READING_LINE + 32]; /* "/status (q3)" */
    struct json_object *document;
};

struct ask {
    enum ask_kind kind;
    struct assistant *assistant;
    struct ask *next;
    struct action_call *call;
    struct principal who;
    int64_t id;       /* of the question */
    char *text;       /* of the person */
    char subject[64]; /* "alert 12"; "": none */
    const struct llm_prompt *prompt;
    char *understood; /* by the grammar; NULL: a model answers */

    struct llm_client client;
    void *request; /* under way; NULL: none */
    char model[64];
    struct json_object *tools;
    struct json_object *messages;
    struct json_object *content; /* of the last answer */
    size_t next_block;           /* of it, to be looked at */
    struct json_object *results; /* for the next message */
    char *use_id;                /* of the tool that is being run */
    bool last_round;             /* the model has to answer now */
    int calls;
    struct dec cost;
    int64_t tokens;

    int calls_max; /* of this question */
    struct dec cost_max;

    /* of a session */
    int64_t session_id; /* 0: none */
    bool waits;         /* for the question before it in its session */
    bool summarised;    /* or it cannot be: it is not tried again */
    int64_t summary_to; /* the last question of the summary that is being made */
    struct remembered *memory;
    int memory_count;
    struct buf said;     /* by people, in what the model is given: figures may come from it */
    struct buf said_all; /* by people in the session: proposals may take their arguments from it */
    struct err outage;   /* why no model answers; ERR_NONE: one does */

    /* of an analysis, or without a model */
    int64_t alert_id;
    char service[64];                /* of the alert; "": none */
    int gathered;                    /* of what is gathered for it */
    struct cause causes[CAUSES_MAX]; /* the most probable first */
    int cause_count;
    char runbooks[PROPOSALS_MAX][PROPOSAL_SIZE];
    int runbook_count;

    struct pool_job *check; /* of the answer; NULL: none */
    bool is_reading;
    struct tool_run readings[QUESTION_STEPS_MAX];
    int reading_count;
    char proposals[PROPOSALS_MAX][PROPOSAL_SIZE];
    int proposal_count;

    struct loop_source *deadline;
    struct loop_source *deferred; /* begins it, and goes on after a reading */
    bool begun;
};

struct assistant {
    struct assistant_options o;
    struct runner *runner;
    const struct manifest_list *manifests;
    struct llm_client client;
    bool has_client;
    bool closing;
    struct privacy
        *privacy; /* made when it is first needed; NULL again after a new configuration */
    struct llm_prompt *prompts[ASK_KINDS]; /* loaded when they are first needed */
    struct llm_prompt *summary_prompt;
    struct ask *asks;
    struct loop_source *idle;   /* closes sessions; made with the first of them */
    struct handover *handovers; /* transcripts that are being written */
};

/* assistant.c */
/* A question that begins from the loop. Returns ACTION_PENDING. alert_id, session_id: 0: none. */
int ask_begin_call(struct action_call *call, enum ask_kind kind, const char *text, int64_t alert_id,
                   int64_t session_id, struct err *err);
void ask_cancel(struct action_call *call);
void ask_free(struct ask *q); /* unlinks it */
/* The model did not answer: data is shown in its place if the question is one of a session, else
 * the question ends with the error. */
void ask_model_failed(struct ask *q, const struct err *why);
/* Ends the question with an error, which its person sees. */
void ask_fail(struct ask *q, const struct err *why);
/* Stores how it ended; a failure is logged. */
void ask_store(struct ask *q, struct question *end);

/* plain.c */
struct grammar_reading;
/* Answers a question of a known form without a model. False: it has none; the caller frees what is
 * known about it (grammar.h). */
bool plain_begin(struct ask *q, struct grammar_reading **ret_unknown);
/* Ends a question that nobody can answer: what the grammar says about it, and why there is no
 * model. */
void plain_unknown(struct ask *q, const struct grammar_reading *reading, const struct err *why);
void plain_finish(struct ask *q); /* after its reading */

/* talk.c */
/* Adds a message of "user" or "assistant" and gives the list of its blocks. */
struct json_object *talk_add_message(struct ask *q, const char *role);
void talk_add_text(struct json_object *content, struct str text);
void talk_begin(struct ask *q);
void talk_go_on(struct ask *q); /* after a reading */
/* Stops what is under way. */
void talk_stop(struct ask *q);

/* tool_run.c */
/* Runs a command as the person of the question; args: an object (borrowed). A refusal is a reading
 * too. The deferred source of q runs afterwards. */
void tool_run_start(struct ask *q, const struct manifest *m, struct json_object *args);
void tool_run_stop(struct ask *q); /* its end is not waited for any more */
void tool_run_release(struct tool_run *reading);

/* proposal.c */
/* Keeps a line that the person may start; else says why not in *why. */
bool proposal_add(struct ask *q, struct str line, struct buf *why);

/* answer.c */
/* Checks the text, replies, stores and frees q. */
void answer_finish(struct ask *q, const char *text);
