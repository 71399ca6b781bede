/*
 * shared.h: everything that threads share: the engine, ops and the two API threads share nothing
 * else. Created by main before the threads start, freed after they have ended.
 *
 * Directions: requests go from ops to the engine; events go from the engine to ops; snapshots go
 * from the engine to ops and to each API thread, through one mailbox for each reader; the state of
 * the chat and the delays of the ops loop go from ops to the API threads. The kill switch and the
 * heartbeats are plain atomics, because a kill switch must not wait in a queue.
 * Invariants: there are no locks; the engine never waits for ops. If the request ring is full, the
 * request is refused with ENGINE_BUSY and the reply says so.
 * Thread: the comment of each field says which threads may use it.
 */
#pragma once

#include "base/bus.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/ring.h"
#include "model/event.h"
#include "model/request.h"
#include "model/settings.h"
#include "model/snapshot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The state of the Telegram channel. */
enum chat_state {
    CHAT_OFF, /* not configured */
    CHAT_STARTING,
    CHAT_UP,
    CHAT_SILENT, /* Telegram does not answer */
    CHAT_REFUSED /* Telegram refuses the bot token */
};
const char *chat_state_name(enum chat_state state); /* "off" "starting" "up" "silent" "refused" */

struct shared {
    struct ring *requests;           /* struct request; ops pushes, engine pops */
    int requests_fd;                 /* eventfd: ops writes after a push, engine polls */
    struct mailbox *settings;        /* struct settings; engine reads; nothing publishes them yet */
    struct bus *bus;                 /* struct event; engine publishes, ops reads */
    int events_fd;                   /* eventfd: engine writes after a publish, ops watches */
    struct mailbox *snapshot;        /* struct snapshot; engine publishes, ops reads */
    struct mailbox *snapshot_socket; /* the same for the api thread of the Unix socket */
    struct mailbox *snapshot_http;   /* the same for the api thread of TCP */

    /* The kill switch, used only through shared_halt and the functions after it: how often it was
     * set, and the value of that count when it was last cleared. */
    _Atomic uint64_t halt_set;
    _Atomic uint64_t halt_cleared;

    /* How often the engine has restored trading.db at its path; engine writes. After a change the
     * readers open the file again. */
    _Atomic uint64_t trading_file;
    /* Ops sets it when ops.db was deleted or replaced; the engine pauses trading and clears it. */
    _Atomic bool ops_file_moved;

    _Atomic int telegram;              /* enum chat_state; ops writes, api reads */
    _Atomic int64_t telegram_since_us; /* start of the silent or refused state (wall); 0: neither */
    _Atomic bool stop;                 /* main sets it to end both threads */
    _Atomic int64_t engine_beat_mono_us; /* engine writes in each iteration */
    _Atomic int64_t ops_beat_mono_us;    /* ops writes in each iteration */

    /* The longest delay of the ops loop since the start, the callback that caused it (a static
     * text; NULL: none yet), and how often a callback took too long; ops writes, api reads. */
    _Atomic int64_t ops_away_us;
    _Atomic(const char *) ops_away_source;
    _Atomic uint64_t ops_absences;
};

void shared_init(struct shared *c); /* aborts on failure: start-up only */
void shared_release(struct shared *c);

/* The age of one of the two heartbeats. */
int64_t shared_beat_age_us(const _Atomic int64_t *beat_mono_us, int64_t now_mono_us);
/* How long the engine has been silent: the time since its last heartbeat or since it published s,
 * whichever is longer; 0 before it first published. A fresh heartbeat does not make an old snapshot
 * fresh. */
int64_t shared_silent_us(const struct shared *c, const struct snapshot *s, int64_t now_wall_us,
                         int64_t now_mono_us);
/* From this silence on, every view must mark the snapshot as stale. */
#define SHARED_SILENT_US (5 * USEC_PER_SEC)

/* Sets the kill switch: no more entry orders are sent, and the engine's next step is an emergency
 * stop, even if no request follows. Any thread, at any time; needs no memory, queue or disk. */
void shared_halt(struct shared *c);
/* Any thread. */
bool shared_is_halted(const struct shared *c);
/* How often it has been set; only increases. Read it before a step to know what the step saw. */
uint64_t shared_halt_generation(const struct shared *c);
/* Engine only: clears the kill switch, unless it was set again after `generation`. */
void shared_halt_clear(struct shared *c, uint64_t generation);
