/*
 * crossing.h: everything that crosses between the engine and the ops thread; there is nothing
 * else. Made by main before the threads start, freed after they ended.
 *
 * Directions: requests and settings go ops -> engine; bus and snapshot go engine -> ops; halt and
 * the heartbeats are plain atomics, because a kill switch must not queue.
 * Invariants: no lock anywhere; the engine never waits for ops. A full request ring is refused
 * with ENGINE_BUSY and the person sees it.
 * Thread: each field says who may use it.
 */
#pragma once

#include "base/bus.h"
#include "base/mailbox.h"
#include "base/ring.h"
#include "model/event.h"
#include "model/request.h"
#include "model/settings.h"
#include "model/snapshot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct crossing {
    struct ring *requests;           /* struct request; ops pushes, engine pops */
    int requests_fd;                 /* eventfd: ops writes after a push, engine polls */
    struct mailbox *settings;        /* struct settings; ops publishes, engine reads */
    struct bus *bus;                 /* struct event; engine publishes, readers in ops and api */
    int events_fd;                   /* eventfd: engine writes after a publish, ops watches */
    struct mailbox *snapshot;        /* struct snapshot; engine publishes, ops reads */
    struct mailbox *snapshot_socket; /* the same for the api thread of the Unix socket */
    struct mailbox *snapshot_http;   /* the same for the api thread of TCP */

    _Atomic bool halt; /* anyone may set: nothing more leaves to be opened, and the engine's next
                        * step is an emergency stop; the engine clears it when that is cleared */
    _Atomic bool stop; /* main sets: both threads end */
    _Atomic int64_t engine_beat_mono_us; /* engine writes each loop round */
    _Atomic int64_t ops_beat_mono_us;    /* ops writes each loop round */
};

void crossing_init(struct crossing *c); /* aborts when it cannot: start-up only */
void crossing_release(struct crossing *c);
