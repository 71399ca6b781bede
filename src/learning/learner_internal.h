/*
 * learner_internal.h: what the files of the learner share. Private to this module.
 *
 *     learner_take_rows(learner, &look, err);      // learnt.c: reflections and learnings
 *     learner_take_study(learner, ...);            // learnt.c: what a study found
 *     proposals_sync(learner);                     // proposals.c: rules in the engine
 *
 * Thread: ops.
 */
#pragma once

#include "history.h"
#include "learning/learner.h"
#include "store/learning_table.h"
#include "study.h"

struct json_object;
struct json_out;
struct reply;
struct pool_job;

struct learner {
    struct learner_options o;
    struct pool_job *job; /* a helper reads; NULL: none */
    bool look;            /* there may be trades to reflect on */
    bool study_due;
    int64_t look_mono_us; /* not before this time */
    int64_t study_mono_us;
    int64_t sync_mono_us;
    const struct llm_client *llm_client; /* now; NULL: none */
    /* words.c: the request under way. */
    const struct llm_client *words_client;
    void *words_request;            /* NULL: none */
    struct json_object *words_data; /* the reflection that it is about */
    int64_t words_trade;
    int64_t asked_mono_us; /* when the engine was last asked for something about a rule; 0: never */
};

/* learnt.c: writes to ops.db, in one transaction each. */
int learner_take_rows(struct learner *learner, const struct history_look *look, struct err *err);
int learner_take_study(struct learner *learner, const struct study *study,
                       const struct history_cases *cases, struct err *err);
/* What was learnt is of another trading.db. */
int learner_forget(struct learner *learner, struct err *err);
/* Up to where trades were reflected on. */
int learner_mark(struct learner *learner, int64_t *ret_id, int64_t *ret_closed_us, struct err *err);
/* The number of closed trades from which on the next study is made. */
int64_t learner_next_study(const struct learner *learner, const struct learning_review *last);

/* proposals.c: makes the rules in the engine and the learnings agree: proposes, follows, retires.
 * Returns a negative error id if a database failed. */
int proposals_sync(struct learner *learner, struct err *err);

/* learning_show.c */
void learning_add_reflection(struct json_out *out, const struct reflection *reflection);
void learning_show_rule(struct reply *reply, int64_t rule_id, bool full, void *learner);
void learning_show_trade(struct reply *reply, int64_t trade_id, void *learner);
