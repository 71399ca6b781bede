#include "base/bus.h"

#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>

#define APART 128
#define WORDS (BUS_EVENT_SIZE / sizeof(uint64_t))
/* Positions processed between two accesses to the shared counters, on either side: the number of
 * bits in the set of bus_read. claim also advances by this much, so it is the smallest capacity. */
#define BATCH 64

_Static_assert(sizeof(struct bus_event) == BUS_EVENT_SIZE, "an event is one cache line");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics need no lock here");

struct slot {
    _Alignas(BUS_EVENT_SIZE) _Atomic uint64_t words[WORDS];
};

/* Event p is stored in slot p & mask. There are twice as many slots as the capacity: the last
 * `capacity` events are never claimed (claim - head <= BATCH <= capacity), and a lapped reader,
 * which continues at head - capacity, is lapped again only after about `capacity` further events.
 * With only `capacity` slots it would be lapped again at once.
 *
 * Why a reader never keeps a torn event: the producer stores claim before it stores a word
 * (release). A reader that loads such a word (acquire) and loads claim after its copy therefore
 * sees that claim, or a later one, and so knows that the slot was being reused.
 *
 * claim advances in steps of BATCH: its cache line stays shared while single events are published,
 * which makes publishing them more than twice as fast with two threads. */
struct bus {
    _Alignas(APART) _Atomic uint64_t claim; /* upper bound of the events written or being written */
    _Alignas(APART) _Atomic uint64_t head;  /* events completely written */
    _Alignas(APART) uint64_t capacity;
    uint64_t slot_count;
    _Alignas(APART) struct slot slots[];
};

struct bus *bus_new(size_t capacity)
{
    ASSERT(capacity >= BATCH && capacity <= (1U << 20) && (capacity & (capacity - 1)) == 0);
    size_t slot_count = 2 * capacity;
    struct bus *bus = aligned_alloc(APART, sizeof(struct bus) + slot_count * sizeof(struct slot));
    ASSERT(bus != NULL);
    atomic_init(&bus->claim, 0);
    atomic_init(&bus->head, 0);
    bus->capacity = capacity;
    bus->slot_count = slot_count;
    /* Initialised now, so that the engine's steps cause no page faults. */
    for (size_t i = 0; i < slot_count; i++) {
        for (size_t w = 0; w < WORDS; w++) {
            atomic_init(&bus->slots[i].words[w], 0);
        }
    }
    return bus;
}

void bus_free(struct bus *bus)
{
    free(bus);
}

/* Word by word from event to slot, unrolled: going through an array on the stack takes twice as
 * long. */
static void write_event(struct slot *slot, const struct bus_event *event)
{
    const unsigned char *bytes = (const unsigned char *)event;
#pragma GCC unroll 8
    for (size_t w = 0; w < WORDS; w++) {
        uint64_t word;
        memcpy(&word, bytes + w * sizeof(word), sizeof(word));
        atomic_store_explicit(&slot->words[w], word, memory_order_release);
    }
}

void bus_publish(struct bus *bus, const struct bus_event *events, size_t count)
{
    uint64_t at = atomic_load_explicit(&bus->head, memory_order_relaxed);
    const uint64_t mask = bus->slot_count - 1;
    while (count > 0) {
        /* At most up to the next multiple of BATCH; the first event of a batch claims all of it. */
        size_t batch = BATCH - (size_t)(at % BATCH);
        if (batch == BATCH) {
            /* Release: a reader that sees this claim also sees a head of at least `at`, so a
             * reader's cursor never passes the head that it loads next. */
            atomic_store_explicit(&bus->claim, at + BATCH, memory_order_release);
        }
        batch = count < batch ? count : batch;
        for (size_t i = 0; i < batch; i++) {
            write_event(&bus->slots[(at + i) & mask], &events[i]);
        }
        at += batch;
        atomic_store_explicit(&bus->head, at, memory_order_release);
        events += batch;
        count -= batch;
    }
}

uint64_t bus_head(const struct bus *bus)
{
    return atomic_load_explicit(&bus->head, memory_order_acquire);
}

void bus_reader_init(struct bus_reader *reader, const struct bus *bus, uint32_t topics)
{
    *reader = (struct bus_reader){.bus = bus, .cursor = bus_head(bus), .topics = topics};
}

/* Copies the event if it has one of the topics. The slot may be torn; the caller then drops the
 * copy. */
static bool copy_event(const struct slot *slot, uint32_t topics, struct bus_event *ret_event)
{
    unsigned char *bytes = (unsigned char *)ret_event;
    uint64_t word = atomic_load_explicit(&slot->words[0], memory_order_acquire);
    uint32_t topic;
    memcpy(&topic, &word, sizeof(topic));
    if ((topic & topics) == 0) {
        return false;
    }
    memcpy(bytes, &word, sizeof(word));
#pragma GCC unroll 8
    for (size_t w = 1; w < WORDS; w++) {
        word = atomic_load_explicit(&slot->words[w], memory_order_acquire);
        memcpy(bytes + w * sizeof(word), &word, sizeof(word));
    }
    return true;
}

size_t bus_read(struct bus_reader *reader, struct bus_event *ret_events, size_t max,
                uint64_t *ret_missed)
{
    const struct bus *bus = reader->bus;
    const uint64_t mask = bus->slot_count - 1;
    uint64_t head = bus_head(bus);
    uint64_t missed = 0;
    size_t count = 0;
    if (head - reader->cursor > bus->capacity) {
        missed = head - bus->capacity - reader->cursor;
        reader->cursor = head - bus->capacity;
    }
    /* Each iteration advances the cursor, and none starts beyond the head loaded above. */
    while (reader->cursor < head && count < max) {
        uint64_t start = reader->cursor, at = start;
        uint64_t end = head - start < BATCH ? head : start + BATCH;
        uint64_t kept = 0; /* bit i: event start + i was copied */
        size_t copied = 0;
        for (; at < end && count + copied < max; at++) {
            if (copy_event(&bus->slots[at & mask], reader->topics, &ret_events[count + copied])) {
                kept |= UINT64_C(1) << (at - start);
                copied++;
            }
        }
        uint64_t claim = atomic_load_explicit(&bus->claim, memory_order_acquire);
        uint64_t whole_from = claim < bus->slot_count ? 0 : claim - bus->slot_count;
        if (__builtin_expect(whole_from > start, 0)) {
            /* Lapped while copying: drop the events that may be torn, possibly all of them. */
            uint64_t torn_bits =
                whole_from - start < BATCH ? (UINT64_C(1) << (whole_from - start)) - 1 : UINT64_MAX;
            size_t torn = (size_t)__builtin_popcountll(kept & torn_bits);
            copied -= torn;
            memmove(&ret_events[count], &ret_events[count + torn], copied * sizeof(*ret_events));
            missed += whole_from - start;
            at = at > whole_from ? at : whole_from;
        }
        count += copied;
        reader->cursor = at;
    }
    if (ret_missed != NULL) {
        *ret_missed = missed;
    }
    return count;
}
