/*
 * runner_rig.h: a runner with a database file, a fake clock and a few actions whose behaviour the
 * test sets. runner_rig_crash discards everything in memory and starts again with the same file.
 * Thread: main thread of the test binary.
 */
#pragma once

#include "base/clock.h"
#include "command/builtin.h"
#include "command/runner.h"
#include "config/config.h"
#include "io/loop.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
#include "unit/unit.h"

#define RIG_ADDED_MAX 12
#define RIG_WALL_US   INT64_C(1795000000000000)

struct runner_rig {
    char folder[128];
    struct clock_fake clock;
    struct loop *loop;
    struct ops_store *store;
    struct config config;
    struct config_service services[2]; /* of the configuration */
    struct access *access;
    struct action_table *actions;
    struct builtin builtin;
    struct manifest_list *manifests;
    struct runner *runner;
    struct principal alice; /* operator, telegram */
    struct principal rita;  /* read_only */
    struct principal adam;  /* admin with emergency */
    int64_t chat_id;
    char added[RIG_ADDED_MAX][2048]; /* the files of runner_rig_add */
    int added_count;

    /* what the actions do, and how they were called */
    int runs;  /* of any changing action */
    int reads; /* of any reading action */
    int reads_in_transaction;
    int cancels;      /* calls that timed out or were dropped */
    int recovers;     /* calls of recover() */
    bool happened;    /* the result of recover() */
    bool must_ask;    /* recover() waits for runner_rig_finish instead */
    int64_t begun_us; /* as recover() saw it */
    int failures;     /* how many more times test.flaky fails */
    enum err_id fail_with;
    struct action_call *pending;  /* the last pending call */
    struct action_call *calls[8]; /* the last pending calls, newest first */
    char seen[256];               /* parameters of the last call */
    char remembered[64];
    const char *note; /* what a hanging change remembers */
    char notes[512];  /* of test.note: "[text number]" for each call */
    int count;        /* the output of test.read */
    int outbox_wakes;

    /* the hook `scheduled` */
    int scheduled;     /* calls */
    int scheduled_err; /* of the last call */
    bool scheduled_ran;

    /* on_reply */
    int replies;
    int reply_err;
    char reply_text[16384];
};

void runner_rig_open(struct runner_rig *rig);
/* The same with the files of a folder that another rig has left, as the next start of the program
 * does. happened: the result of recover(), which may be called at once. */
void runner_rig_open_in(struct runner_rig *rig, const char *folder, bool happened);
void runner_rig_close(struct runner_rig *rig);
/* Simulates a crash: drops all memory without ending anything, opens the same files, and calls
 * runner_recover. */
void runner_rig_crash(struct runner_rig *rig);
void runner_rig_actions(struct runner_rig *rig);
/* Adds a command and starts again. The text is that of commands/<name>.yaml from `role` on. */
void runner_rig_add(struct runner_rig *rig, const char *name, const char *text);

int runner_rig_submit(struct runner_rig *rig, const struct principal *who, const char *line);
int runner_rig_send(struct runner_rig *rig, const char *line); /* as alice */
/* As the schedule does. */
int runner_rig_schedule(struct runner_rig *rig, const char *line, int64_t update_id);
/* Through a channel that waits: the answer is in rig->reply_text and reply_err. */
int runner_rig_call(struct runner_rig *rig, const struct principal *who, const char *line,
                    bool confirmed);
void runner_rig_finish(struct runner_rig *rig,
                       enum err_id id); /* ends the pending call and runs the loop */

/* The same for calls[i]. */
void runner_rig_finish_call(struct runner_rig *rig, int i, enum err_id id);

int64_t runner_rig_messages(struct runner_rig *rig); /* rows of the outbox */
/* JSON of outbox row `id`, or of the newest; static memory. */
const char *runner_rig_message(struct runner_rig *rig, int64_t id);
const char *runner_rig_last(struct runner_rig *rig);
bool runner_rig_sent(struct runner_rig *rig, const char *words); /* in any message */
enum outbox_kind runner_rig_last_kind(struct runner_rig *rig);
/* The code of the newest prompt. */
const char *runner_rig_code(struct runner_rig *rig);
enum run_state runner_rig_state(struct runner_rig *rig, int64_t run_id);
int runner_rig_audited(struct runner_rig *rig, const char *action); /* how many rows */
/* The detail of the newest row of an action; static memory. */
const char *runner_rig_audit_detail(struct runner_rig *rig, const char *action);
