/*
 * runner.h: executes operator commands for all channels: checks permission, binds the arguments,
 * checks the age of the message, asks for a confirmation, runs the steps, replies, and writes the
 * audit log.
 *
 *     struct invocation in = {.line = "restart prediction", .who = &who, .sent_us = sent,
 *                             .chat_id = chat, .update_id = id};
 *     runner_submit(runner, &in, err);
 *
 * Words, each with one meaning:
 *   invocation  one message from a channel: a command line, a command name with JSON arguments, or
 *               a button press (struct invocation). It is refused, answers a prompt, or becomes a
 *               run.
 *   run         one execution of a command with its arguments bound; it first waits for its
 *               confirmation if the command asks for one (struct run; rows in command_runs and
 *               run_steps).
 *   call        one execution of the action of one step of a run; a retry is a new call
 *               (struct action_call).
 *   request     a message from a call to the engine, at most one for each call (struct request;
 *               rows in engine_requests).
 *
 * Invariants: a step that changes something is stored as running before its action is called. There
 * is one exception: a safe_side command (action.h) also runs while ops.db cannot be written. Steps
 * at the front of a run that only read run inside the transaction that stores the run. After a
 * crash, a step that only reads runs again; any other step is never repeated if it may have taken
 * effect: the action looks up whether it did, or the run ends as `unknown`.
 * A confirmation is bound to the exact arguments, the user, the channel and the chat; it works once
 * and expires (commands.confirm_expiry). A confirmation, or a command that changes something, that
 * is older than telegram.stale_after is refused with COMMAND_STALE. A repeated update id has no
 * effect; the id is stored in the same transaction as the run.
 * While ops.db cannot be written (locked, full, read-only, damaged), commands that only read are
 * answered; safe_side commands run, reply that they are not recorded yet, and are recorded as soon
 * as possible; all other commands are refused. Permission, confirmation and rate limits still
 * apply; new prompts are kept in memory.
 * Replies: for CHANNEL_CONSOLE and CHANNEL_TELEGRAM, replies are rows of the outbox (progress edits
 * the first message of the run), or go to `deliver` while the outbox cannot be written. If the
 * invocation has an on_reply, it is called once, with the refusal, the prompt or the result.
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "base/clock.h"
#include "base/err.h"
#include "command/action.h"
#include "command/manifest.h"
#include "command/reply.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct loop;
struct ops_store;
struct invocation;
struct runner;
struct shelf;
struct telemetry;

struct runner_unstored {
    enum channel channel;
    int64_t chat_id;
    int64_t thread_id;       /* the topic of a forum; 0: none */
    int64_t edit_message_id; /* of the channel: the reply replaces this message; 0: a new one */
    const struct reply *reply;
};

/* An answer that is being written. */
struct runner_stream {
    enum channel channel;
    int64_t chat_id;
    int64_t thread_id;
    int64_t run_id;
    const struct reply *reply; /* all of it so far */
};

/* A run that changes something: it begins, or its end is stored. */
struct runner_note {
    int64_t run_id;
    const char *line; /* "restart demo" */
    const char *who;
    bool begins;
    const struct err *failure; /* of its end; NULL: it succeeded */
    int64_t took_us;
    const char *const *locks; /* what it works on: "service:demo" */
    size_t lock_count;
};

struct runner_options {
    struct loop *loop;
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct access *access;
    const struct action_table *actions;
    const struct manifest_list *manifests;
    struct shelf *shelf; /* for programs that fetch pictures; NULL: pictures are files only */
    /* Adds the footer of every reply ("⏸ paused …"); may be NULL. */
    void (*decorate)(struct reply *reply, void *userdata);
    void *decorate_userdata;
    /* Called after rows were added to the outbox, to wake the channels; may be NULL. */
    void (*outbox_changed)(void *userdata);
    void *outbox_userdata;
    /* Sends a reply without the outbox while ops.db cannot be written. Returns false if the channel
     * cannot send now. May be NULL. */
    bool (*deliver)(const struct runner_unstored *unstored, void *userdata);
    void *deliver_userdata;
    /* Shows an answer that is being written, which is not a message yet. False: the channel cannot,
     * and a message is edited instead. May be NULL. */
    bool (*stream)(const struct runner_stream *stream, void *userdata);
    void *stream_userdata;
    /* A run has ended and its end is stored as run_id (0: a run that only reads, without a row).
     * `call` identifies the run: it is the call that its actions were given. May be NULL. */
    void (*ended)(const struct action_call *call, int64_t run_id, void *userdata);
    void *ended_userdata;
    /* May be NULL. */
    void (*noted)(const struct runner_note *note, void *userdata);
    void *noted_userdata;
    /* A run that changes something was asked for; called in the transaction that stores it, also if
     * it waits for a confirmation. May be NULL. */
    void (*asked)(const struct invocation *in, int64_t run_id, void *userdata);
    void *asked_userdata;
    /* A run of the schedule has ended; called in the transaction that stores its end. A negative
     * result stops that transaction, which is then repeated. failure: ERR_NONE if it succeeded,
     * COMMAND_CANCELLED if somebody cancelled it. result NULL: the command was refused, and there
     * was no run. May be NULL. */
    int (*scheduled)(const struct manifest *m, const struct reply *result,
                     const struct err *failure, void *userdata, struct err *err);
    void *scheduled_userdata;
    /* Free text that goes on in a conversation: true, with the command that takes it in place of
     * `ask` (a literal) and what its first argument is. False: it is a question of its own. May be
     * NULL. */
    bool (*converse)(const struct invocation *in, const char **ret_command, struct buf *ret_text,
                     void *userdata);
    void *converse_userdata;
    struct telemetry *telemetry; /* NULL: nothing is measured */
    bool has_console;            /* it shows when an owner was paired */
    /* The people who have a role have changed; may be NULL. */
    void (*people_changed)(void *userdata);
    void *people_userdata;
    /* A stored run or confirmation is inconsistent and was set aside; may be NULL. */
    void (*odd_row)(const struct err *why, void *userdata);
    void *odd_row_userdata;
};

/* Whether a line may be a question in a person's own words, for the command `ask`, or part of a
 * conversation. */
enum free_text {
    FREE_TEXT_NO,
    /* If it begins with no slash and is no command; a question has several words. */
    FREE_TEXT_MAYBE,
    FREE_TEXT_YES /* whatever it begins with */
};

/* What a channel received from one user. The runner copies what it needs after runner_submit. */
struct invocation {
    const char *line; /* "restart prediction", "/restart prediction", or the data of a button */
    /* The arguments by name, {"service": "prediction"}; line is then only the command's name. NULL:
     * the arguments are in line. */
    const char *args_json;
    const struct principal *who;
    int64_t chat_id;
    int64_t thread_id;  /* the topic of a forum, to which replies go; 0: none */
    int64_t message_id; /* with the pressed button, or of the command itself; 0: none */
    int64_t reply_to;   /* the message that this one answers; 0: none */
    int64_t update_id;  /* the channel's, so that a repeated one has no effect; 0: none */
    int64_t sent_us;    /* when the user sent it (wall clock); 0: now */
    enum free_text free_text;
    bool undated;        /* the channel does not know when; sent_us is the earliest possible time */
    enum err_id not_run; /* COMMAND_EDITED, COMMAND_FORWARDED: the answer, instead of running the
                            line; ERR_NONE: it is run */
    bool confirmed;      /* confirmed together with the command (nightdesk do --yes, "confirm":true
                            in the API) */
    const char *otp;     /* the code of the second factor, sent with the command; NULL: none */
    /* For channels that wait for the answer. The runner owns `reply`: copy it to keep it. */
    void (*on_reply)(const struct reply *reply, const struct err *err, void *userdata);
    /* The run is stored, as running or as waiting for its confirmation, or it begins because this
     * confirms it; called in the transaction that stores that, which a negative result undoes: the
     * command is then not run. May be NULL. */
    int (*stored)(int64_t run_id, void *userdata, struct err *err);
    /* What a slow command is doing, as a chat edits it into one message. May be NULL. */
    void (*on_progress)(const struct reply *reply, void *userdata);
    void *userdata;
};

int runner_new(const struct runner_options *options, struct runner **ret, struct err *err);
void runner_free(struct runner *runner);
/* A new configuration, which replaces the one before from now on. Prompts that are open keep the
 * time at which they expire. */
void runner_apply(struct runner *runner, const struct config *config);

/* Resumes or ends the runs that the previous process left unfinished. Call it once, before the
 * channels start. It recovers up to 64 runs at once and the rest in slices on the loop. An
 * inconsistent row is set aside and does not make it fail. */
int runner_recover(struct runner *runner, struct err *err);

/* Processes one invocation. Returns 0 once it was processed, including when it was refused: the
 * user gets the refusal as a reply. Returns a negative err id only if it could neither be stored
 * nor answered without the database; the channel must then not confirm the update to its server. */
int runner_submit(struct runner *runner, const struct invocation *in, struct err *err);
/* Cancels what waits for an answer of this caller outside of chats, such as a session that ends.
 * What already runs goes on. */
int runner_cancel_prompts(struct runner *runner, const struct principal *who, struct err *err);

/* A message of somebody who is no user, which may hold the code of access_pair_open. */
struct pairing {
    int64_t user_id;
    int64_t chat_id; /* the private chat of this user */
    int64_t update_id;
    const char *name; /* as the channel shows it */
    struct str text;
};
/* If the text is the open code, makes the sender an owner, greets them, tells the other owners and
 * the console, and sets *ret_paired. A wrong code, and any other text, has no visible effect.
 * Negative if that could not be stored: the update must not be confirmed then. */
int runner_pair(struct runner *runner, const struct pairing *pairing, bool *ret_paired,
                struct err *err);
/* Call after roles have changed: closes the prompts and cancels the runs of people who may not run
 * their command any more. by: who changed it. */
void runner_recheck(struct runner *runner, const char *by);

/* Reports the late outcome of a run that has ended: replaces the message of the run, and adds a
 * line to the audit log. Fails if they cannot be stored. */
int runner_late(struct runner *runner, int64_t run_id, struct reply *reply, struct err *err);

/* Posts a message that belongs to no run, with its files. Does nothing for a channel without chats.
 */
struct runner_place {
    enum channel channel;
    int64_t chat_id;
    int64_t thread_id; /* the topic of a forum; 0: none */
};
int runner_post(struct runner *runner, const struct runner_place *place, struct reply *reply,
                struct err *err);

/* The client disconnected: on_reply is not called for this userdata any more. */
void runner_forget(struct runner *runner, const void *userdata);

/* The number of runs that have not ended, without those that wait for a confirmation. */
size_t runner_active(const struct runner *runner);
