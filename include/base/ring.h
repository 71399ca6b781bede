/*
 * ring.h: bounded queue of fixed-size values between exactly two threads (SPSC).
 *
 *     struct ring *r = ring_new(64, sizeof(struct request));
 *     producer: if (!ring_push(r, &request)) refuse();
 *     consumer: while (ring_pop(r, &request)) handle(&request);
 *
 * Invariants: wait-free both ways; values come out whole, in order, once; a full ring refuses and
 * changes nothing. No wake-up inside: whoever pushes signals (an eventfd) afterwards.
 * Ownership: the ring copies values; pointers inside them change hands with the value.
 * Thread: push from one thread, pop from one other; new and free while nobody else uses it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ring;

/* capacity is a power of two, 2..2^20. Never NULL (aborts when memory is out: start-up only). */
struct ring *ring_new(size_t capacity, size_t value_size);
void ring_free(struct ring *ring);

bool ring_push(struct ring *ring, const void *value);
bool ring_pop(struct ring *ring, void *ret_value);
/* How many wait, as seen by the caller: exact for the two owners, a hint for anyone else. */
size_t ring_len(const struct ring *ring);
