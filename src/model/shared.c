#include "model/shared.h"

#include "base/auto.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { REQUESTS_CAPACITY = 64, EVENTS_CAPACITY = 4096 };

struct shared_reader {
    const char *name;
    struct mailbox *snapshot;
    struct bus_reader events;
    int fd; /* -1: reads no events, or looks for them itself */
    atomic_bool asleep;
};

void shared_init(struct shared *shared, int symbols)
{
    memset(shared, 0, sizeof(*shared));
    shared->symbols = symbols;
    shared->requests = ring_new(REQUESTS_CAPACITY, sizeof(struct request));
    shared->settings = mailbox_new(sizeof(struct settings));
    shared->sentiment = mailbox_new(sentiment_values_size(symbols));
    shared->bus = bus_new(EVENTS_CAPACITY);
    telemetry_init(&shared->telemetry);
    shared->requests_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ASSERT(shared->requests_fd >= 0);
}

void shared_release(struct shared *shared)
{
    if (shared == NULL || shared->requests == NULL) {
        return;
    }
    for (int i = 0; i < shared->reader_count; i++) {
        struct shared_reader *reader = shared->readers[i];
        mailbox_free(reader->snapshot);
        if (reader->fd >= 0) {
            (void)close(reader->fd);
        }
        free(reader);
    }
    ring_free(shared->requests);
    mailbox_free(shared->settings);
    mailbox_free(shared->sentiment);
    bus_free(shared->bus);
    telemetry_release(&shared->telemetry);
    (void)close(shared->requests_fd);
    memset(shared, 0, sizeof(*shared));
    shared->requests_fd = -1;
}

/* ---------------------------------------------------------------- readers */

struct shared_reader *shared_reader_add(struct shared *shared, const char *name, uint32_t topics)
{
    ASSERT(!shared->sealed && shared->reader_count < SHARED_READERS_MAX);
    struct shared_reader *reader = calloc(1, sizeof(*reader));
    ASSERT(reader != NULL);
    reader->name = name;
    reader->snapshot = mailbox_new(snapshot_size(shared->symbols));
    bus_reader_init(&reader->events, shared->bus, topics);
    reader->fd = topics != 0 ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    ASSERT(topics == 0 || reader->fd >= 0);
    shared->readers[shared->reader_count++] = reader;
    return reader;
}

void shared_reader_sleep(struct shared_reader *reader)
{
    if (reader->fd >= 0) {
        (void)close(reader->fd);
        reader->fd = -1;
    }
    atomic_init(&reader->asleep, true);
}

void shared_reader_wake(struct shared_reader *reader)
{
    bus_reader_init(&reader->events, reader->events.bus, reader->events.topics);
    atomic_store_explicit(&reader->asleep, false, memory_order_release);
}

static bool is_awake(const struct shared_reader *reader)
{
    return !atomic_load_explicit(&reader->asleep, memory_order_acquire);
}

void shared_seal(struct shared *shared)
{
    shared->sealed = true;
}

const struct snapshot *shared_reader_snapshot(struct shared_reader *reader)
{
    return mailbox_latest(reader->snapshot, NULL);
}

size_t shared_reader_events(struct shared_reader *reader, struct event *ret_events, size_t max,
                            uint64_t *ret_missed)
{
    return bus_read(&reader->events, (struct bus_event *)(void *)ret_events, max, ret_missed);
}

int shared_reader_fd(const struct shared_reader *reader)
{
    return reader->fd;
}

const char *shared_reader_name(const struct shared_reader *reader)
{
    return reader->name;
}

void shared_publish_snapshot(struct shared *shared, const struct snapshot *snapshot)
{
    ASSERT(shared->sealed);
    for (int i = 0; i < shared->reader_count; i++) {
        struct mailbox *mailbox = shared->readers[i]->snapshot;
        if (is_awake(shared->readers[i])) {
            snapshot_copy(mailbox_draft(mailbox), shared->symbols, snapshot);
            mailbox_publish(mailbox);
        }
    }
}

void shared_publish_events(struct shared *shared, const struct event *events, int count)
{
    ASSERT(shared->sealed);
    if (count == 0) {
        return;
    }
    bus_publish(shared->bus, (const void *)events, (size_t)count);
    uint32_t topics = 0;
    for (int i = 0; i < count; i++) {
        topics |= events[i].topic;
    }
    const uint64_t one = 1;
    for (int i = 0; i < shared->reader_count; i++) {
        const struct shared_reader *reader = shared->readers[i];
        if (reader->fd >= 0 && (reader->events.topics & topics) != 0) {
            /* A full counter wakes the reader too. */
            (void)!write(reader->fd, &one, sizeof(one));
        }
    }
}

/* ---------------------------------------------------------------- flags and ages */

void shared_halt(struct shared *shared, int64_t run_id)
{
    atomic_store(&shared->halt_run_id, run_id);
    (void)atomic_fetch_add(&shared->halt_set, 1);
}

uint64_t shared_halt_generation(const struct shared *shared)
{
    return atomic_load(&shared->halt_set);
}

bool shared_is_halted(const struct shared *shared)
{
    /* Cleared first: set is never smaller than cleared. */
    uint64_t cleared = atomic_load(&shared->halt_cleared);
    return shared_halt_generation(shared) != cleared;
}

void shared_halt_clear(struct shared *shared, uint64_t generation)
{
    ASSERT(generation <= shared_halt_generation(shared));
    atomic_store(&shared->halt_cleared, generation);
}

int64_t shared_beat_age_us(const _Atomic int64_t *beat_mono_us, int64_t now_mono_us)
{
    return now_mono_us - atomic_load_explicit(beat_mono_us, memory_order_relaxed);
}

int64_t shared_silent_us(const struct shared *shared, const struct snapshot *s, int64_t now_wall_us,
                         int64_t now_mono_us)
{
    if (s->version == 0) {
        return 0;
    }
    int64_t beat_us = shared_beat_age_us(&shared->engine_beat_mono_us, now_mono_us);
    int64_t age_us =
        now_wall_us - s->published_wall_us; /* negative if the wall clock was set back */
    int64_t silent_us = beat_us > age_us ? beat_us : age_us;
    return silent_us < 0 ? 0 : silent_us;
}

const char *chat_state_name(enum chat_state state)
{
    switch (state) {
    case CHAT_OFF:
        return "off";
    case CHAT_STARTING:
        return "starting";
    case CHAT_UP:
        return "up";
    case CHAT_SILENT:
        return "silent";
    case CHAT_REFUSED:
        return "refused";
    }
    return "unknown";
}
