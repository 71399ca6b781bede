/*
 * learner_rig.h: a learner on a fake clock with databases in memory, over a made-up market, and an
 * engine that only keeps rules.
 *
 *     struct learner_rig rig;
 *     learner_rig_open(&rig, &(struct market){.seed = 7});
 *     learner_rig_trade(&rig, 600);          // until so many trades are closed
 *     int proposed = learner_rig_rules(&rig, RULE_TESTING);
 *     learner_rig_close(&rig);
 *
 * Thread: the test's.
 */
#pragma once

#include "base/clock.h"
#include "config/config.h"
#include "learning/learner.h"
#include "model/shared.h"
#include "rigs/market_rig.h"
#include "store/learning_table.h"
#include "store/ops.h"
#include "store/rule_table.h"

struct learner_rig {
    struct market market;
    struct clock_fake clock;
    struct config config;
    struct loop *loop;
    struct shared shared;
    struct shared_reader *reader;
    struct ops_store *store;
    struct trading_store *trading;
    struct access *access;
    struct alerts *alerts;
    struct desk *desk;
    struct learner *learner;
    const struct llm_client *llm_client; /* used from the next restart on; NULL: none */
    struct rule_book book;               /* of the engine */
    bool silent;                         /* the engine does not answer */
    size_t closed;                       /* trades */
    size_t step;                         /* trades between two looks of the learner; at most 40 */
};

void learner_rig_open(struct learner_rig *rig, const struct market *market);
void learner_rig_close(struct learner_rig *rig);
/* The learner ends, as by kill -9, and another one starts. */
void learner_rig_restart(struct learner_rig *rig);
/* Closes trades until there are so many, and lets the learner look and study after each step. */
void learner_rig_trade(struct learner_rig *rig, size_t closed);
/* Lets some seconds pass: the learner works, the engine answers. */
void learner_rig_settle(struct learner_rig *rig);
/* The number of rules with this status. */
int learner_rig_rules(const struct learner_rig *rig, enum rule_status status);
/* Stores the rules, as the engine does after each change. */
void learner_rig_save_rules(struct learner_rig *rig);
