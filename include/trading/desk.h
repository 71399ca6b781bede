/*
 * desk.h: the desk, the state shared by the trading.* actions. It reads the engine's snapshot
 * and trading.db, and sends requests to the engine through the request ring.
 *
 *     struct desk_options options = {.shared = &shared, .reader = reader, .trading = trading,
 *                                    .store = store, .config = config, .clock = clock,
 *                                    .loop = loop};
 *     struct desk *desk = desk_new(&options);
 *     desk_actions(desk, table);                      // trading.status, trading.pause, ...
 *     desk_add_status_line(desk, services_status_line, health);
 *     on each bus event: desk_on_event(desk, &event); // ends calls that wait for the engine
 *
 * Invariants: the id of a request is in ops.db before the request is pushed (safe_side actions also
 * send one while ops.db cannot be written). If the ring is full, the call fails with
 * ERR_ENGINE_BUSY.
 * The engine's answer is TOPIC_REPLY with the id of the request, or the row of the id in trading.db
 * (events may be missed). A call ends
 *   - when the answer is a refusal, or when it is an acceptance and nothing has to be waited for;
 *   - after an acceptance, when the snapshot or trading.db shows the effect (close, cancel, amend,
 *     emergency stop), or when the venue refuses an amendment;
 *   - as failed, when the effect is not visible in time (20 s, for an emergency stop 45 s), or when
 *     the step times out.
 * The outcome of a request whose call failed for lack of time, or was interrupted by a crash, is
 * reported through `late` when it becomes known. A request that neither stops nor pauses trading
 * expires (model/request.h).
 * An emergency stop sets the kill switch before anything else and writes the file emergency.stop,
 * so that it is in force after a restart even if neither database could be written. After a crash
 * the id of a request is looked up in trading.db; a request is never sent twice.
 * Ownership: the desk borrows everything in its options, which must outlive it.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "command/action.h"
#include "command/reply.h"
#include "io/json.h"
#include "model/event.h"
#include "model/shared.h"
#include "model/snapshot.h"

struct config;
struct loop;
struct ops_store;
struct pool;
struct trading_store;
struct zone;
struct desk;

/* Where a late outcome is reported, each once. Bits. */
enum desk_late_part {
    DESK_LATE_MESSAGE = 1, /* the message of its run */
    DESK_LATE_ALERT = 2,
    DESK_LATE_ALL = DESK_LATE_MESSAGE | DESK_LATE_ALERT
};

/* The outcome of a request, known only after its call had failed. */
struct desk_late {
    int64_t run_id; /* 0: its run has no row */
    enum request_kind kind;
    bool happened; /* false: the engine refused it, and nothing was done */
    struct reply *reply;
    unsigned notified; /* the parts already reported */
};

struct desk_options {
    struct shared *shared;
    struct shared_reader *reader;  /* of the ops thread */
    struct trading_store *trading; /* a read-only connection to trading.db */
    struct ops_store *store;
    const struct config *config;
    const struct clock *clock;
    struct loop *loop;
    /* Reports a late outcome. Returns the parts that are reported now; it is called again until
     * that is all of them. May be NULL. */
    unsigned (*late)(const struct desk_late *late, void *userdata);
    void *late_userdata;
    /* A message was added to the outbox. May be NULL. */
    void (*outbox_changed)(void *userdata);
    void *outbox_userdata;
    const char *state_dir; /* holds emergency.stop (stop_file.h); NULL: no such file */
    struct pool *helpers;  /* sync that file to disk; NULL: the loop does, and waits */
};

struct desk *desk_new(const struct desk_options *options); /* never NULL */
void desk_free(struct desk *desk);
/* A new configuration, which replaces the one before from now on. */
void desk_apply(struct desk *desk, const struct config *config);

/* The newest snapshot of the engine; valid until the next call on this thread (mailbox.h). Never
 * NULL; its version is 0 until the engine has published one. */
const struct snapshot *desk_snapshot(struct desk *desk);
/* That of alerts.timezone, in which days are counted; NULL: UTC. Valid until a new configuration.
 */
const struct zone *desk_zone(const struct desk *desk);
/* The same, for use in a reply: adds the age of the snapshot to the reply's data ("snapshot"), so
 * that desk_decorate can add a red title if the engine is silent. Every action that shows figures
 * of the engine, or sends it a request, must use this one. */
const struct snapshot *desk_read(struct desk *desk, struct reply *reply);

/* Adds to a reply what the use of a limit is now, and how much of `limit` that is, if the option
 * would be set to it. Adds nothing for an option that no figure is measured against. */
void desk_show_limit_use(struct desk *desk, const char *option, double limit, struct reply *reply);

/* Another module's part of /status: appends a few words to *out ("Services 4/4 up") and members to
 * *data (the machine-readable part). If it appends no words, nothing is shown. */
typedef void (*desk_status_fn)(struct buf *out, struct json_object *data, void *userdata);
/* Explains questions to the assistant for "/why q12"; without it there are none. */
typedef int (*desk_explain_fn)(int64_t question_id, const struct principal *who,
                               struct reply *reply, void *userdata, struct err *err);
void desk_explain_questions(struct desk *desk, desk_explain_fn explain, void *userdata);
/* The parts are shown in the order of registration; at most DESK_STATUS_LINES_MAX (ASSERT). */
#define DESK_STATUS_LINES_MAX 16
void desk_add_status_line(struct desk *desk, desk_status_fn fn, void *userdata);

/* /performance system: a module that knows the machine and the services answers it, as an action
 * with the parameters of trading.performance; action_userdata of its call is the desk. */
typedef int (*desk_system_fn)(struct action_call *call, void *userdata, struct err *err);
void desk_set_system(struct desk *desk, desk_system_fn run, void (*cancel)(struct action_call *),
                     void *userdata);

/* What a module that learns from trades adds to the replies about them. Each may be NULL. */
struct desk_learnt {
    /* About a rule: what it came from, with the figures. full: its prompt, or the rule alone; else
     * a few words in a list. */
    void (*rule)(struct reply *reply, int64_t rule_id, bool full, void *userdata);
    void (*trade)(struct reply *reply, int64_t trade_id, void *userdata);
    void *userdata;
};
void desk_set_learnt(struct desk *desk, const struct desk_learnt *learnt); /* copied */

/* Asks the engine, in the name of nightdesk, to add a rule (text: rule_write) or to set the status
 * in text of the rule. Does not wait: what became of it is in trading.db. ERR_ENGINE_BUSY if it
 * could not be asked. */
int desk_ask_rule(struct desk *desk, enum request_kind kind, int64_t rule, const char *text,
                  struct err *err);

/* Asks the engine to lift the pause that this run began for as long as maintenance lasts; it does
 * nothing if trading is paused for another reason, or not at all. True: the engine has accepted
 * that. False: not yet; call it again, and it asks again when the request has expired. One run at
 * a time. */
bool desk_lift_pause(struct desk *desk, int64_t run_id);

/* The runner's decorate callback; userdata is the desk. Adds a footer while trading is paused,
 * halted by the circuit breaker, in maintenance, stopped or not started ("⏸ paused by alice"),
 * and while the disk is slow or failed. While the engine is silent, the footer of every reply says
 * so, and replies with figures of the engine (desk_read) also get a red title. */
void desk_decorate(struct reply *reply, void *desk);

/* Call it for every event that the ops thread reads from the bus. */
void desk_on_event(struct desk *desk, const struct event *event);
/* The runner's ended callback; userdata is the desk. A late outcome is reported only after the run
 * of its request has ended. */
void desk_run_ended(const struct action_call *call, int64_t run_id, void *desk);
/* Call it after the bus reader missed events: looks up all unanswered requests in trading.db. */
void desk_resync(struct desk *desk);

/* Adds the orders that a run caused to the reply of /runs N; none: adds nothing. userdata is the
 * desk. See struct builtin (command/builtin.h). */
void desk_add_run_orders(int64_t run_id, struct reply *reply, void *desk);

/* Registers all trading.* actions. */
void desk_actions(struct desk *desk, struct action_table *table);
