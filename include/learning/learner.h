/*
 * learner.h: learns from closed trades: a reflection on each, learnings from many, and proposals of
 * trading rules, which a person may activate.
 *
 *     struct learner *learner = learner_new(&(struct learner_options){.clock = clock,
 *         .config = config, .store = store, .trading = trading, .helpers = helpers, .desk = desk,
 *         .alerts = alerts, .access = access, .state_dir = dir});
 *     learner_actions(learner, table);           // learning.list, learning.show
 *     learner_event(learner, &event);            // each event of the bus
 *     learner_tick(learner);                     // once a second
 *
 * Always true:
 * - Each closed trade is reflected on once, also if nightdesk was down when it closed or is killed
 *   while it does so: a reflection, what it adds to the learnings, and the mark up to where trades
 *   were seen are one transaction.
 * - A study (docs/learning.md) proposes a rule only if the part of the history that had no say in
 *   forming it shows it too. The rule is in testing: it is counted and changes nothing. Nothing
 *   here activates a rule.
 * - A proposal is made once: the engine refuses a second rule with the same condition, and a rule
 *   that is there is taken as the proposed one. What was retired is not proposed again.
 * - Databases are read by a helper, one at a time; the loop only writes ops.db.
 * Ownership: the learner borrows everything in its options. Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "command/action.h"
#include "model/event.h"
#include "model/llm_request.h"

struct access;
struct alerts;
struct config;
struct desk;
struct json_out;
struct learner;
struct learning;
struct ops_store;
struct pool;
struct trading_store;

struct learner_options {
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct trading_store *trading; /* a read-only connection to trading.db */
    struct pool *helpers;          /* read it with connections of their own; NULL: this thread does,
                                    * with trading */
    struct desk *desk;
    struct alerts *alerts;
    struct access *access;
    const char *state_dir;
    const struct llm_client *llm_client; /* NULL: no key is configured. Borrowed */
};

struct learner *learner_new(const struct learner_options *options); /* never NULL */
void learner_free(struct learner *learner);
/* llm_client as in the options. */
void learner_apply(struct learner *learner, const struct config *config,
                   const struct llm_client *llm_client);
void learner_actions(struct learner *learner, struct action_table *table);
void learner_event(struct learner *learner, const struct event *event);
/* Events were missed: looks for closed trades. */
void learner_resync(struct learner *learner);
void learner_tick(struct learner *learner);
/* Writes the members of a learning into the object that is open. Any thread. */
void learner_write(struct json_out *out, const struct learning *learning);
