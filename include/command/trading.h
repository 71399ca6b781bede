/*
 * trading.h: the desk: what the operator commands about trading stand on. Reads the engine's
 * snapshot and trading.db, and asks the engine for changes through the request ring.
 *
 *     struct desk_options options = {.shared = &shared, .trading = trading, .store = store,
 *                                    .config = config, .clock = clock, .loop = loop};
 *     struct desk *desk = desk_new(&options);
 *     trading_actions(desk, table);                      // trading.status, trading.pause, ...
 *     desk_add_status_line(desk, services_piece, health);
 *     on each bus event: trading_on_event(desk, &event); // finishes what waits for an answer
 *
 * Promises: a request's id is in ops.db before the request is pushed; a full ring is refused with
 * ERR_ENGINE_BUSY; a call ends when TOPIC_REPLY with its id arrives, or when trading.db shows the
 * id (events may be missed), or when its step times out; what becomes of it after that is told
 * through `late`. A request that does not stop or pause expires (model/request.h). An emergency
 * stop sets the kill switch before anything else, and writes emergency.stop: a stop that neither
 * database could take stands after a restart, too. After a crash the id is looked up in trading.db:
 * it happened, or it did not; it is never asked twice. Ownership: the desk borrows everything in
 * its options; they outlive it. Thread: ops.
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
struct desk;

/* Late news is told in parts, each of them once. Bits. */
enum desk_late_part {
    DESK_LATE_MESSAGE = 1, /* in the message of its run */
    DESK_LATE_ALERT = 2,
    DESK_LATE_ALL = DESK_LATE_MESSAGE | DESK_LATE_ALERT
};

struct desk_late {
    int64_t run_id; /* 0: of a run that is not recorded */
    enum request_kind kind;
    bool happened; /* false: the engine refused it in the end, and nothing was done */
    struct reply *reply;
    unsigned notified; /* the parts that were told before */
};

struct desk_options {
    struct shared *shared;
    struct trading_store *trading; /* a read-only connection to trading.db */
    struct ops_store *store;
    const struct config *config;
    const struct clock *clock;
    struct loop *loop;
    /* What became of a request whose command had ended as failed. Returns the parts that need not
     * be told again; it is called again until that is all of them. May be NULL. */
    unsigned (*late)(const struct desk_late *late, void *userdata);
    void *late_userdata;
    const char *state_dir; /* of the file that remembers a stop (stop_file.h); NULL: none */
    struct pool *helpers;  /* wait for that file's disk; NULL: the loop does */
};

struct desk *desk_new(const struct desk_options *options); /* never NULL */
void desk_free(struct desk *desk);

/* The engine's newest state; valid until the next call on this thread (mailbox.h). Before the
 * engine published for the first time its version is 0. Never NULL. */
const struct snapshot *desk_snapshot(struct desk *desk);
/* The same for a reply: its age stands in the reply's data ("snapshot"), and desk_decorate gives
 * the reply a red title once the engine is silent. Whatever shows figures of the engine, or asks it
 * for something, reads here. */
const struct snapshot *desk_read(struct desk *desk, struct reply *reply);

/* A piece of /status that another room knows: appends a few words to *out ("Services 4/4 up") and
 * members to *data (/status' machine-readable part). Nothing appended: nothing shown. */
typedef void (*desk_status_fn)(struct buf *out, struct json_object *data, void *userdata);
/* Pieces stand in the order of registration; at most DESK_STATUS_LINES_MAX (ASSERT). */
#define DESK_STATUS_LINES_MAX 8
void desk_add_status_line(struct desk *desk, desk_status_fn fn, void *userdata);

/* Runner's decorate callback, userdata is the desk: the footer while trading is paused, halted by
 * the breaker, in emergency or not started ("⏸ paused by alice"); while the engine is silent,
 * that in the footer of every reply, and as a red title above what was read from it (desk_read). */
void desk_decorate(struct reply *reply, void *desk);

/* For every event that the ops thread reads from the bus; TOPIC_REPLY ends the call that waits. */
void trading_on_event(struct desk *desk, const struct event *event);
/* Runner's ended callback, userdata is the desk: what becomes of a request late is told only after
 * the run that asked for it has ended. */
void desk_run_ended(const struct action_call *call, int64_t run_id, void *desk);
/* After the bus reader was lapped: looks up in trading.db everything that waits for an answer. */
void trading_resync(struct desk *desk);

/* Registers the actions trading.*: those of action_trading, _why, _steer, _orders and _rules. */
void trading_actions(struct desk *desk, struct action_table *table);
