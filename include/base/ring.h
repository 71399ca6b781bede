/*
 * ring.h: a bounded queue of fixed-size values from one thread to one other (SPSC).
 *
 *     struct ring *r = ring_new(64, sizeof(struct request));
 *     producer: if (!ring_push(r, &request)) refuse();
 *     consumer: while (ring_pop(r, &request)) handle(&request);
 *
 * Invariants: push and pop are wait-free; values are popped whole, in order, once. A push to a full
 * ring returns false and changes nothing. The ring wakes no one: the producer signals an eventfd
 * after a push.
 * Ownership: the ring copies values; ownership of pointers inside them moves with the value.
 * Thread: push from one thread, pop from one other; ring_new and ring_free only while no other
 * thread uses the ring.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ring;

/* capacity is a power of two, 2..2^20. Never NULL: aborts when out of memory (start-up only). */
struct ring *ring_new(size_t capacity, size_t value_size);
void ring_free(struct ring *ring);

bool ring_push(struct ring *ring, const void *value);
bool ring_pop(struct ring *ring, void *ret_value);
/* The number of queued values: exact for the two owning threads at the moment of the call, an
 * estimate for any other. */
size_t ring_len(const struct ring *ring);
