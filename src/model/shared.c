#include "model/shared.h"

#include "base/auto.h"
#include "base/check.h"

#include <string.h>
#include <sys/eventfd.h>

enum { REQUESTS_CAPACITY = 64, EVENTS_CAPACITY = 4096 };

void shared_init(struct shared *c)
{
    memset(c, 0, sizeof(*c));
    c->requests = ring_new(REQUESTS_CAPACITY, sizeof(struct request));
    c->settings = mailbox_new(sizeof(struct settings));
    c->bus = bus_new(EVENTS_CAPACITY);
    c->snapshot = mailbox_new(sizeof(struct snapshot));
    c->snapshot_socket = mailbox_new(sizeof(struct snapshot));
    c->snapshot_http = mailbox_new(sizeof(struct snapshot));
    c->requests_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->events_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ASSERT(c->requests_fd >= 0 && c->events_fd >= 0);
}

void shared_release(struct shared *c)
{
    if (c == NULL || c->requests == NULL) {
        return;
    }
    ring_free(c->requests);
    mailbox_free(c->settings);
    bus_free(c->bus);
    mailbox_free(c->snapshot);
    mailbox_free(c->snapshot_socket);
    mailbox_free(c->snapshot_http);
    (void)close(c->requests_fd);
    (void)close(c->events_fd);
    memset(c, 0, sizeof(*c));
    c->requests_fd = -1;
    c->events_fd = -1;
}

void shared_halt(struct shared *c)
{
    (void)atomic_fetch_add(&c->halt_set, 1);
}

uint64_t shared_halt_generation(const struct shared *c)
{
    return atomic_load(&c->halt_set);
}

bool shared_is_halted(const struct shared *c)
{
    /* Cleared first: set is never smaller than cleared. */
    uint64_t cleared = atomic_load(&c->halt_cleared);
    return shared_halt_generation(c) != cleared;
}

void shared_halt_clear(struct shared *c, uint64_t generation)
{
    ASSERT(generation <= shared_halt_generation(c));
    atomic_store(&c->halt_cleared, generation);
}

int64_t shared_beat_age_us(const _Atomic int64_t *beat_mono_us, int64_t now_mono_us)
{
    return now_mono_us - atomic_load_explicit(beat_mono_us, memory_order_relaxed);
}

int64_t shared_silent_us(const struct shared *c, const struct snapshot *s, int64_t now_wall_us,
                         int64_t now_mono_us)
{
    if (s->version == 0) {
        return 0;
    }
    int64_t beat_us = shared_beat_age_us(&c->engine_beat_mono_us, now_mono_us);
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
