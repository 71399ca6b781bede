#include "base/ring.h"

#include "base/check.h"

#include <stdatomic.h>
#include <stdint.h>

/* Two cache lines, because processors prefetch lines in pairs. */
#define APART 128

/* Positions only grow: their difference is the length, and position & mask is the slot. Each side
 * caches the other's position and loads it again only when the cached one means full or empty, so a
 * busy ring rarely moves a cache line between processors. */
struct ring {
    _Alignas(APART) atomic_size_t tail; /* next to push; written by the producer */
    size_t seen_head;
    _Alignas(APART) atomic_size_t head; /* next to pop; written by the consumer */
    size_t seen_tail;
    _Alignas(APART) size_t capacity;
    size_t mask;
    size_t value_size;
    _Alignas(APART) unsigned char values[];
};

struct ring *ring_new(size_t capacity, size_t value_size)
{
    ASSERT(capacity >= 2 && capacity <= (1U << 20) && (capacity & (capacity - 1)) == 0);
    ASSERT(value_size > 0 && value_size <= (1U << 20));
    size_t size = sizeof(struct ring) + capacity * value_size;
    struct ring *ring = aligned_alloc(APART, (size + APART - 1) / APART * APART);
    ASSERT(ring != NULL);
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    ring->seen_head = 0;
    ring->seen_tail = 0;
    ring->capacity = capacity;
    ring->mask = capacity - 1;
    ring->value_size = value_size;
    return ring;
}

void ring_free(struct ring *ring)
{
    free(ring);
}

bool ring_push(struct ring *ring, const void *value)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->seen_head == ring->capacity) {
        ring->seen_head = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->seen_head == ring->capacity) {
            return false;
        }
    }
    memcpy(ring->values + (tail & ring->mask) * ring->value_size, value, ring->value_size);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

bool ring_pop(struct ring *ring, void *ret_value)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->seen_tail) {
        ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->seen_tail) {
            return false;
        }
    }
    memcpy(ret_value, ring->values + (head & ring->mask) * ring->value_size, ring->value_size);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

size_t ring_len(const struct ring *ring)
{
    /* Head first: the tail loaded afterwards is at least as new, so the difference is never
     * negative. For a third thread it may exceed the capacity, hence the limit. */
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t len = atomic_load_explicit(&ring->tail, memory_order_acquire) - head;
    return len < ring->capacity ? len : ring->capacity;
}
