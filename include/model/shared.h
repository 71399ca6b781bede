/*
 * shared.h: everything that crosses between the engine and the ops thread; there is nothing
 * else. Made by main before the threads start, freed after they ended.
 *
 * Directions: requests and settings go ops -> engine; bus and snapshot go engine -> ops; the kill
 * switch and the heartbeats are plain atomics, because a kill switch must not queue.
 * Invariants: no lock anywhere; the engine never waits for ops. A full request ring is refused
 * with ENGINE_BUSY and the person sees it.
 * Thread: each field says who may use it.
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

/* Whether people can be reached by chat. */
enum chat_state {
    CHAT_OFF, /* none is configured */
    CHAT_STARTING,
    CHAT_UP,
    CHAT_SILENT, /* it does not answer */
    CHAT_REFUSED /* it refuses us: the token */
};
const char *chat_state_name(enum chat_state state); /* "off" "starting" "up" "silent" "refused" */

struct shared {
    struct ring *requests;           /* struct request; ops pushes, engine pops */
    int requests_fd;                 /* eventfd: ops writes after a push, engine polls */
    struct mailbox *settings;        /* struct settings; ops publishes, engine reads */
    struct bus *bus;                 /* struct event; engine publishes, readers in ops and api */
    int events_fd;                   /* eventfd: engine writes after a publish, ops watches */
    struct mailbox *snapshot;        /* struct snapshot; engine publishes, ops reads */
    struct mailbox *snapshot_socket; /* the same for the api thread of the Unix socket */
    struct mailbox *snapshot_http;   /* the same for the api thread of TCP */

    /* The kill switch, through shared_halt and its neighbours only: a number for each time that
     * it was set, and the newest of them that was cleared. */
    _Atomic uint64_t halt_set;
    _Atomic uint64_t halt_cleared;

    /* Engine: one more each time that it has put trading.db back at its path; readers then open it
     * anew. */
    _Atomic uint64_t trading_file;
    /* Ops sets when ops.db was deleted or replaced; the engine pauses and takes it back. */
    _Atomic bool ops_file_moved;

    _Atomic int telegram;                /* enum chat_state; ops writes, api reads */
    _Atomic int64_t telegram_since_us;   /* since when it is silent or refused (wall); 0: neither */
    _Atomic bool stop;                   /* main sets: both threads end */
    _Atomic int64_t engine_beat_mono_us; /* engine writes each loop round */
    _Atomic int64_t ops_beat_mono_us;    /* ops writes each loop round */

    /* The longest time that the ops loop served nobody, since the start, whose callback it was (a
     * static text, NULL: none yet), and how often it took too long; ops writes, api reads. */
    _Atomic int64_t ops_away_us;
    _Atomic(const char *) ops_away_source;
    _Atomic uint64_t ops_absences;
};

void shared_init(struct shared *c); /* aborts when it cannot: start-up only */
void shared_release(struct shared *c);

/* How old one of the two heartbeats is. */
int64_t shared_beat_age_us(const _Atomic int64_t *beat_mono_us, int64_t now_mono_us);
/* For how long the engine has not been heard of, at now: since its last heartbeat or since it
 * published s, whichever is longer ago; 0 before it published for the first time. A heartbeat that
 * is fresh does not make old figures new. */
int64_t shared_silent_us(const struct shared *c, const struct snapshot *s, int64_t now_wall_us,
                         int64_t now_mono_us);
/* From here on nobody may take the figures for today's. */
#define SHARED_SILENT_US (5 * USEC_PER_SEC)

/* Sets the kill switch: nothing more leaves to be opened, and the engine's next step is an
 * emergency stop, whether or not a request follows. Any thread, at any time; needs no memory, queue
 * or disk. */
void shared_halt(struct shared *c);
/* Any thread. */
bool shared_is_halted(const struct shared *c);
/* How often it has been set so far; rises only. What is read before a step is what the step saw. */
uint64_t shared_halt_generation(const struct shared *c);
/* Engine only: the emergency stop is cleared. What was set after `generation` stays set. */
void shared_halt_clear(struct shared *c, uint64_t generation);
