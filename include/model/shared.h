/*
 * shared.h: everything that threads share: the engine, ops and the two API threads share nothing
 * else. Created by main before the threads start, freed after they have ended.
 *
 *     struct shared shared;
 *     shared_init(&shared, symbol_count);
 *     struct shared_reader *reader = shared_reader_add(&shared, "ops", TOPIC_ALL);
 *     shared_seal(&shared);                     // then the threads start
 *     engine: shared_publish_snapshot(&shared, &snapshot);
 *             shared_publish_events(&shared, events, count);
 *     reader: snapshot = shared_reader_snapshot(reader);
 *             count = shared_reader_events(reader, events, 64, &missed);
 *
 * Directions: requests go from ops to the engine; snapshots and events go from the engine to each
 * registered reader; the state of the chat and the delays of the ops loop go from ops to the API
 * threads. The kill switch and the heartbeats are plain atomics, because a kill switch must not
 * wait in a queue.
 * Invariants: there are no locks; the engine never waits for a reader. If the request ring is full,
 * the request is refused with ENGINE_BUSY and the reply says so. Readers are registered before
 * shared_seal, and the engine publishes after it (ASSERT).
 * Thread: the comment of each field says which threads may use it.
 */
#pragma once

#include "base/bus.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/ring.h"
#include "model/event.h"
#include "model/request.h"
#include "model/sentiment.h"
#include "model/settings.h"
#include "model/snapshot.h"
#include "model/telemetry.h"

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

#define SHARED_READERS_MAX 16

/* Opaque: one thread's view of what the engine publishes. */
struct shared_reader;

struct shared {
    struct ring *requests;    /* struct request; ops pushes, engine pops */
    int requests_fd;          /* eventfd: ops writes after a push or new settings */
    struct mailbox *settings; /* struct settings; ops publishes, engine reads */
    struct mailbox
        *sentiment;  /* struct sentiment_values of `symbols`; ops publishes, engine reads */
    struct bus *bus; /* struct event; engine publishes, readers read */
    int symbols;     /* the most that a snapshot has */
    bool sealed;     /* all readers are registered */
    int reader_count;
    struct shared_reader *readers[SHARED_READERS_MAX]; /* main adds them; then only their own */

    /* The kill switch, used only through shared_halt and the functions after it: how often it was
     * set, and the value of that count when it was last cleared. */
    _Atomic uint64_t halt_set;
    _Atomic uint64_t halt_cleared;
    _Atomic int64_t halt_run_id; /* of the command that set it last; 0: none, or not stored yet */

    /* How often the engine has restored trading.db at its path; engine writes. After a change the
     * readers open the file again. */
    _Atomic uint64_t trading_file;
    /* The same for ops.db; ops writes. */
    _Atomic uint64_t ops_file;
    /* Ops sets it when ops.db was deleted or replaced; the engine pauses trading and clears it. */
    _Atomic bool ops_file_moved;

    _Atomic int telegram;              /* enum chat_state; ops writes, api reads */
    _Atomic int64_t telegram_since_us; /* start of the silent or refused state (wall); 0: neither */
    _Atomic int64_t check_interval_us; /* of the services; ops writes, api reads */
    _Atomic bool stop;                 /* main sets it to end both threads */
    _Atomic int64_t engine_beat_mono_us; /* engine writes in each iteration */
    _Atomic int64_t ops_beat_mono_us;    /* ops writes in each iteration */
    _Atomic int64_t stream_beat_mono_us; /* the stream's thread, every second; 0: it does not run */
    _Atomic int64_t feed_beat_mono_us;   /* the thread of live prices, the same */
    _Atomic int64_t account_beat_mono_us; /* the thread of the account at a real venue, the same */

    /* The longest delay of the ops loop since the start, the callback that caused it (a static
     * text; NULL: none yet), and how often a callback took too long; ops writes, api reads. */
    _Atomic int64_t ops_away_us;
    _Atomic(const char *) ops_away_source;
    _Atomic uint64_t ops_absences;

    struct telemetry telemetry; /* durations and counts; as its header says */
};

/* symbols: the most that a snapshot will have; at most SYMBOLS_LIMIT. Aborts on failure: start-up
 * only. */
void shared_init(struct shared *shared, int symbols);
void shared_release(struct shared *shared);

/* Registers a reader, before shared_seal (ASSERT). It has a mailbox of its own for snapshots and,
 * unless topics is 0, a cursor of its own into the events of these topics, from now on. name is
 * a static text for logs. Owned by shared. Never NULL; at most SHARED_READERS_MAX. */
struct shared_reader *shared_reader_add(struct shared *shared, const char *name, uint32_t topics);
/* Lets a reader sleep that is not needed from the start, before shared_seal: it costs the
 * engine nothing and gets nothing. Once awake, it looks for events itself: it has no eventfd, so
 * that the engine makes no system call for it. */
void shared_reader_sleep(struct shared_reader *reader);
/* Ends the registration: call it before the threads start. */
void shared_seal(struct shared *shared);

/* The functions of a reader. Thread: the one thread that the reader belongs to. */
/* Wakes a reader that sleeps: it gets the events from now on, and the snapshots from the next one
 * on. */
void shared_reader_wake(struct shared_reader *reader);
/* The newest snapshot; valid until the next call. Never NULL; version 0: none published yet. */
const struct snapshot *shared_reader_snapshot(struct shared_reader *reader);
/* Copies up to max events of the reader's topics and returns their number. *ret_missed: how many
 * events (of all topics) were overwritten before this reader could copy them; resynchronise from
 * the snapshot. */
size_t shared_reader_events(struct shared_reader *reader, struct event *ret_events, size_t max,
                            uint64_t *ret_missed);
/* An eventfd that becomes readable when events of the reader's topics were published; -1 if it has
 * no topics or has slept. Owned by the reader. */
int shared_reader_fd(const struct shared_reader *reader);
const char *shared_reader_name(const struct shared_reader *reader);

/* Engine only. Copies the snapshot to each reader. */
void shared_publish_snapshot(struct shared *shared, const struct snapshot *snapshot);
/* Engine only. Publishes the events, then wakes the readers of their topics. */
void shared_publish_events(struct shared *shared, const struct event *events, int count);

/* The age of one of the two heartbeats. */
int64_t shared_beat_age_us(const _Atomic int64_t *beat_mono_us, int64_t now_mono_us);
/* How long the engine has been silent: the time since its last heartbeat or since it published s,
 * whichever is longer; 0 before it first published. A fresh heartbeat does not make an old snapshot
 * fresh. */
int64_t shared_silent_us(const struct shared *shared, const struct snapshot *s, int64_t now_wall_us,
                         int64_t now_mono_us);
/* From this silence on, every view must mark the snapshot as stale. */
#define SHARED_SILENT_US (5 * USEC_PER_SEC)

/* Sets the kill switch: no more entry orders are sent, and the engine's next step is an emergency
 * stop, even if no request follows. Any thread, at any time; needs no memory, queue or disk.
 * run_id: of the command, 0 if it has none yet. */
void shared_halt(struct shared *shared, int64_t run_id);
/* Any thread. */
bool shared_is_halted(const struct shared *shared);
/* How often it has been set; only increases. Read it before a step to know what the step saw. */
uint64_t shared_halt_generation(const struct shared *shared);
/* Engine only: clears the kill switch, unless it was set again after `generation`. */
void shared_halt_clear(struct shared *shared, uint64_t generation);
