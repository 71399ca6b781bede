/*
 * scene.h: a rig with the desk and the commands of commands/. The test acts as the engine: it pops
 * requests, writes trading.db, publishes snapshots and answers with events.
 *
 *     struct scene *s = *state;
 *     scene_publish_plain(s, 1);
 *     scene_send(s, &s->rig.alice, "/pause");
 *     struct request r = scene_next_request(s);
 *     scene_answer(s, &r, ERR_NONE);
 *     ... UNIT_GROUP(steer, SCENE_TEST(pause_waits_for_the_engine), ...)
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "command/builtin.h"
#include "command/trading.h"
#include "rig.h"

struct scene {
    struct rig rig; /* its runner is replaced by one over commands/ */
    struct shared shared;
    struct trading_store *engine_store;
    struct trading_store *reader;
    struct pool *helpers; /* of the next start; NULL: none */
    struct desk *desk;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct runner *runner;
    struct builtin builtin;
    uint64_t version;
    int raised;

    /* Replies that went to `deliver`. */
    int delivered;
    int64_t delivered_edit;
    char delivered_text[8192];

    int lates; /* calls of the desk's `late` */
    bool late_happened;
    bool late_no_alert; /* its alert cannot be stored */
};

int scene_setup(void **state);
int scene_teardown(void **state);
#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

/* Simulates a crash: drops all memory without ending anything, and opens the same files. */
void scene_crash(struct scene *s);

/* The engine. A draft is an active snapshot without positions; scene_publish publishes it. */
struct dec scene_dec(const char *text);
struct snapshot *scene_draft(struct scene *s);
void scene_add_position(struct snapshot *n); /* BTC-USD, long */
void scene_publish(struct scene *s);
void scene_publish_plain(struct scene *s, int positions); /* 0 or 1 */
struct request scene_next_request(struct scene *s);       /* fails if there is none */
void scene_answer(struct scene *s, const struct request *r, uint32_t code);
void scene_add_trade(struct scene *s, int64_t id, const char *pnl, int64_t closed_us);

/* The users. */
void scene_send(struct scene *s, const struct principal *who, const char *line);
void scene_confirm(struct scene *s, const struct principal *who); /* the newest prompt */
