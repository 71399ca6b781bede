/*
 * steer_rig.h: a rig with the desk and the commands of commands/. The test acts as the engine: it
 * pops requests, writes trading.db, publishes snapshots and answers with events.
 *
 *     struct steer_rig *s = *state;
 *     steer_rig_publish_plain(s, 1);
 *     steer_rig_send(s, &s->rig.alice, "/pause");
 *     struct request r = steer_rig_next_request(s);
 *     steer_rig_answer(s, &r, ERR_NONE);
 *     ... UNIT_GROUP(steer, STEER_RIG_TEST(pause_waits_for_the_engine), ...)
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "command/builtin.h"
#include "command/shelf.h"
#include "rigs/runner_rig.h"
#include "trading/desk.h"

struct steer_rig {
    struct runner_rig rig; /* its runner is replaced by one over commands/ */
    struct shared shared;
    struct snapshot *snapshot; /* the draft */
    struct trading_store *engine_store;
    struct trading_store *reader;
    struct pool *helpers; /* of the next start; NULL: none */
    struct desk *desk;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct shelf *shelf;
    struct runner *runner;
    struct builtin builtin;
    uint64_t version;
    int raised;
    bool maintenance_fails; /* the step that holds alerts back */

    /* The newest reply as a program gets it, with its data, which a message in the outbox lacks. */
    char full[131072];

    /* Replies that went to `deliver`. */
    int delivered;
    int64_t delivered_edit;
    char delivered_text[8192];

    int lates; /* calls of the desk's `late` */
    bool late_happened;
    bool late_no_alert; /* its alert cannot be stored */
};

int steer_rig_setup(void **state);
int steer_rig_teardown(void **state);
#define STEER_RIG_TEST(test) \
    cmocka_unit_test_setup_teardown(test, steer_rig_setup, steer_rig_teardown)

/* Simulates a crash: drops all memory without ending anything, and opens the same files. */
void steer_rig_crash(struct steer_rig *s);

/* The engine. A draft is an active snapshot without positions; steer_rig_publish publishes it. */
struct dec steer_rig_dec(const char *text);
struct snapshot *steer_rig_draft(struct steer_rig *s);
void steer_rig_add_position(struct snapshot *n); /* BTC-USD, long */
void steer_rig_publish(struct steer_rig *s);
void steer_rig_publish_plain(struct steer_rig *s, int positions); /* 0 or 1 */
struct request steer_rig_next_request(struct steer_rig *s);       /* fails if there is none */
void steer_rig_answer(struct steer_rig *s, const struct request *r, uint32_t code);
void steer_rig_add_trade(struct steer_rig *s, int64_t id, const char *pnl, int64_t closed_us);
/* The same, in which more differs. */
struct steer_rig_trade {
    int64_t id;
    const char *symbol; /* NULL: BTC-USD */
    const char *pnl;
    const char *fees;  /* NULL: 0.2 */
    int64_t opened_us; /* 0: an hour before it closed */
    int64_t closed_us;
    const char *exit; /* NULL: by the operator */
};
void steer_rig_add_other_trade(struct steer_rig *s, const struct steer_rig_trade *trade);

/* The users. */
void steer_rig_send(struct steer_rig *s, const struct principal *who, const char *line);
void steer_rig_confirm(struct steer_rig *s, const struct principal *who); /* the newest prompt */
