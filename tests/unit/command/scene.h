/*
 * scene.h: the desk and the commands of commands/ over a rig; the test plays the engine: it pops
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

    /* What was said past the outbox. */
    int delivered;
    int64_t delivered_edit;
    char delivered_text[8192];

    int lates; /* of the desk's */
    bool late_happened;
    bool late_no_alert; /* its alert cannot be stored */
};

int scene_setup(void **state);
int scene_teardown(void **state);
#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

/* Nothing is finished or told; a new process over the same files. */
void scene_crash(struct scene *s);

/* What the engine does. A draft is an active desk without positions; it is seen once published. */
struct dec scene_dec(const char *text);
struct snapshot *scene_draft(struct scene *s);
void scene_add_position(struct snapshot *n); /* BTC-USD, long */
void scene_publish(struct scene *s);
void scene_publish_plain(struct scene *s, int positions); /* 0 or 1 */
struct request scene_next_request(struct scene *s);       /* fails if none was asked */
void scene_answer(struct scene *s, const struct request *r, uint32_t code);
void scene_add_trade(struct scene *s, int64_t id, const char *pnl, int64_t closed_us);

/* What people do. */
void scene_send(struct scene *s, const struct principal *who, const char *line);
void scene_confirm(struct scene *s, const struct principal *who); /* the newest question */
