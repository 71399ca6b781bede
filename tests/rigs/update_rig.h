/*
 * update_rig.h: all embedded commands behind the Telegram channel, from the JSON of an update to
 * what becomes of it, without a network: every action is replaced by one that only counts its
 * calls. The clock stands still.
 *
 *     update_rig_open(&rig, "telegram:\n  users: …");
 *     update_rig_push(&rig, update);
 *     seen = update_rig_look(&rig);      // since the look before
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "base/clock.h"
#include "command/builtin.h"
#include "command/runner.h"
#include "config/config.h"
#include "io/json.h"
#include "io/loop.h"
#include "store/ops.h"

#define UPDATE_RIG_WALL_US INT64_C(1795000000000000)
#define UPDATE_RIG_BOT     "nightdesk_fake_bot"

struct alerts;
struct telegram;

struct update_rig {
    struct clock_fake clock;
    struct loop *loop;
    struct config *config;
    struct ops_store *store;
    struct access *access;
    struct builtin builtin;
    struct action_table *described; /* the actions as they are */
    struct action *rows;            /* the same, with the counting one */
    struct action_table *actions;
    struct manifest_list *manifests;
    struct alerts *alerts;
    struct runner *runner;
    struct telegram *telegram;
    /* May be NULL: before an action counts its call; for each message that update_rig_look sees. */
    void (*on_call)(struct action_call *call, void *userdata);
    void (*on_message)(int64_t chat_id, const char *payload, void *userdata);
    void *userdata;
    int calls;        /* of actions */
    int64_t last_id;  /* of the outbox */
    int64_t last_run; /* of command_runs */
};

/* What became of one update. */
struct update_seen {
    int calls;       /* of actions */
    int messages;    /* to anybody */
    int runs;        /* with a row: running, ended or waiting for a confirmation */
    int waiting;     /* of these: for a confirmation */
    int64_t chat_id; /* of the newest message */
    char error[32];  /* the code that a refusal shows; "" */
};

/* extra: more of the configuration; it holds telegram.users. */
void update_rig_open(struct update_rig *rig, const char *config);
void update_rig_close(struct update_rig *rig);
/* Negative: the update could not be stored. */
int update_rig_push(struct update_rig *rig, struct json_object *update);
struct update_seen update_rig_look(struct update_rig *rig);
/* Closes what the update opened, so that nothing of it is left for the next one. */
void update_rig_settle(struct update_rig *rig);
