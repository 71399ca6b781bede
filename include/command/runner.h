/*
 * runner.h: takes a command line or a button press from a door, and sees it through: permission,
 * freshness, arguments, confirmation, steps, reply, audit log. All doors come through here.
 *
 *     struct invocation in = {.line = "restart prediction", .who = &who, .sent_us = sent,
 *                             .chat_id = chat, .update_id = id};
 *     runner_submit(runner, &in, err);
 *
 * Promises: each step is on disk before it runs; a run that a crash interrupted is resumed when its
 * step only reads, and otherwise ends as `unknown` or by looking up whether it took effect: never
 * run twice. A confirmation is bound to the exact parameters, the person and the chat, works once,
 * and expires (commands.confirm_expiry). A command that changes something, or a confirmation, that
 * is older than telegram.stale_after is not run but answered with COMMAND_STALE. An update id that
 * was seen before is ignored (stored in the same transaction as its run).
 * While ops.db cannot be written (locked, full, read-only, damaged): what only reads answers; what
 * takes the safe side (action.h) runs, says that it is not recorded yet, and is recorded as soon as
 * that is possible; anything else that changes something is refused. Permission, confirmation and
 * rate limit hold all the same; questions asked meanwhile are kept in memory.
 * Reply path: for CHANNEL_CONSOLE and CHANNEL_TELEGRAM replies go to the outbox (the first message
 * of a run is edited while steps go on), or through `deliver` while there is none; for others
 * on_reply is called, once, with the final reply. Thread: ops.
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
struct runner;

struct runner_options {
    struct loop *loop;
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct access *access;
    const struct action_table *actions;
    const struct manifest_list *manifests;
    /* Adds the footer that must stay in every reply ("⏸ paused …"); may be NULL. */
    void (*decorate)(struct reply *reply, void *userdata);
    void *decorate_userdata;
    /* Called after rows were added to the outbox, so that the doors look; may be NULL. */
    void (*outbox_changed)(void *userdata);
    void *outbox_userdata;
    /* Says a reply past the outbox, while ops.db cannot be written: in place of the channel's own
     * message edit_message_id, or as a new one (0). False: that channel cannot now. May be NULL. */
    bool (*deliver)(enum channel channel, int64_t chat_id, int64_t edit_message_id,
                    const struct reply *reply, void *userdata);
    void *deliver_userdata;
    /* A run has ended, and that is on disk as run_id (0: one that only reads, without a record).
     * `call` is what its actions were called with. May be NULL. */
    void (*ended)(const struct action_call *call, int64_t run_id, void *userdata);
    void *ended_userdata;
    /* A stored run or question could not be understood and was set aside; may be NULL. */
    void (*odd_row)(const struct err *why, void *userdata);
    void *odd_row_userdata;
};

struct invocation {
    const char *line; /* "restart prediction" or "/restart prediction"; or a button's data */
    /* {"service": "prediction"}: the values of the arguments by name, as they are; line is then the
     * command's name alone. NULL: they stand in line. */
    const char *args_json;
    const struct principal *who;
    int64_t chat_id;
    int64_t message_id; /* that the press came from, or that the command stood in; 0 none */
    int64_t update_id;  /* of the door, for once-only; 0 none */
    int64_t sent_us;    /* when the person sent it (wall); 0: now */
    bool undated;       /* the channel does not tell: sent_us is the earliest that it can be */
    bool confirmed;     /* the door asked already (nightdesk do --yes, API "confirm":true) */
    /* Doors that wait for the answer. `reply` is the runner's; copy what you keep. */
    void (*on_reply)(const struct reply *reply, const struct err *err, void *userdata);
    void *userdata;
};

int runner_new(const struct runner_options *options, struct runner **ret, struct err *err);
void runner_free(struct runner *runner);

/* Ends or resumes what the last process left unfinished. Once, before the doors open: the first of
 * them at once, more in slices on the loop. A row that cannot be understood is set aside and fails
 * nothing. */
int runner_recover(struct runner *runner, struct err *err);

/* Takes one command line or button press. Returns 0 when it was taken (also when the answer is a
 * refusal: the person gets it through the reply path); negative only when it could neither be
 * stored nor be answered without that, in which case the door must not confirm the update. */
int runner_submit(struct runner *runner, const struct invocation *in, struct err *err);

/* What became of a run after it had ended: takes the place of its message, and stands in the audit
 * log. Fails when that cannot be stored. */
int runner_late(struct runner *runner, int64_t run_id, struct reply *reply, struct err *err);

/* The waiting client has gone: on_reply of this userdata is not called any more. */
void runner_forget(struct runner *runner, const void *userdata);

/* Runs that have not ended. */
size_t runner_active(const struct runner *runner);
