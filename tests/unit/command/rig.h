/*
 * rig.h: a runner with a database file, a fake clock and a few actions whose behaviour the test
 * sets. rig_crash discards everything in memory and starts again with the same file.
 * Thread: main thread of the test binary.
 */
#pragma once

#include "base/clock.h"
#include "command/runner.h"
#include "config/config.h"
#include "io/loop.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
#include "unit/unit.h"

#define RIG_WALL_US INT64_C(1795000000000000)

struct rig {
    char folder[128];
    struct clock_fake clock;
    struct loop *loop;
    struct ops_store *store;
    struct config config;
    struct access *access;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct runner *runner;
    struct principal alice; /* operator, telegram */
    struct principal rita;  /* read_only */
    struct principal adam;  /* admin with emergency */
    int64_t chat_id;

    /* what the actions do, and how they were called */
    int runs;         /* of any changing action */
    int reads;        /* of any reading action */
    int cancels;      /* calls that timed out or were dropped */
    int recovers;     /* calls of recover() */
    bool happened;    /* the result of recover() */
    bool must_ask;    /* recover() waits for rig_finish instead */
    int64_t begun_us; /* as recover() saw it */
    int failures;     /* how many more times test.flaky fails */
    enum err_id fail_with;
    struct action_call *pending; /* the last pending call */
    char seen[256];              /* parameters of the last call */
    char remembered[64];
    int outbox_wakes;

    /* on_reply */
    int replies;
    int reply_err;
    char reply_text[4096];
};

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
/* Simulates a crash: drops all memory without ending anything, opens the same files, and calls
 * runner_recover. */
void rig_crash(struct rig *rig);
void rig_actions(struct rig *rig);

int rig_submit(struct rig *rig, const struct principal *who, const char *line);
int rig_send(struct rig *rig, const char *line); /* as alice */
/* Through a channel that waits: the answer is in rig->reply_text and reply_err. */
int rig_call(struct rig *rig, const struct principal *who, const char *line, bool confirmed);
void rig_finish(struct rig *rig, enum err_id id); /* ends the pending call and runs the loop */

int64_t rig_messages(struct rig *rig); /* rows of the outbox */
/* JSON of outbox row `id`, or of the newest; static memory. */
const char *rig_message(struct rig *rig, int64_t id);
const char *rig_last(struct rig *rig);
enum outbox_kind rig_last_kind(struct rig *rig);
/* The code of the newest prompt. */
const char *rig_code(struct rig *rig);
enum run_state rig_state(struct rig *rig, int64_t run_id);
int rig_audited(struct rig *rig, const char *action); /* how many rows */

#define assert_has(text, part)                                      \
    do {                                                            \
        if (strstr((text), (part)) == NULL) {                       \
            print_error("\"%s\" is not in:\n%s\n", (part), (text)); \
            fail();                                                 \
        }                                                           \
    } while (0)
#define assert_lacks(text, part) assert_null(strstr((text), (part)))
