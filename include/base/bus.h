/*
 * bus.h: broadcast of 64-byte events from one thread to several, without waiting for any.
 *
 *     struct bus *bus = bus_new(1024);
 *     struct bus_reader reader;
 *     bus_reader_init(&reader, bus, TOPIC_FILL | TOPIC_ORDER);
 *     producer: bus_publish(bus, events, count);
 *     reader:   n = bus_read(&reader, out, 64, &missed);
 *
 * Invariants: the producer never waits and never learns of readers. Each reader has its own cursor
 * and topic mask; it sees the events of its topics in order, each at most once and never torn.
 * The last `capacity` events stay readable. A reader that fell further behind learns exactly how
 * many events (of every topic) it missed and goes on with the oldest of those; it then
 * resynchronises from the snapshot.
 * How: slots are words of release/acquire atomics; the producer announces what it is about to
 * overwrite (claim) before it writes and what is readable (head) after; a reader copies, then
 * checks the claim. There is no lock, no fence and no data race in C11's terms.
 * Thread: publish from one thread; each reader belongs to one thread; new and free while nobody
 * else uses it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUS_EVENT_SIZE 64

/* What the bus knows of an event: its topic. model/event.h lays out the rest. */
struct bus_event {
    uint32_t topic; /* exactly one bit */
    uint8_t body[BUS_EVENT_SIZE - sizeof(uint32_t)];
} __attribute__((aligned(8)));

struct bus;

struct bus_reader {
    const struct bus *bus;
    uint64_t cursor; /* position of the next event to look at */
    uint32_t topics;
};

/* capacity: a power of two, 64..2^20; takes 128 bytes for each. Never NULL (aborts when memory is
 * out: start-up only). */
struct bus *bus_new(size_t capacity);
void bus_free(struct bus *bus);

void bus_publish(struct bus *bus, const struct bus_event *events, size_t count);
/* Events ever published. */
uint64_t bus_head(const struct bus *bus);

/* Starts at the present: the first event it sees is the next one published. */
void bus_reader_init(struct bus_reader *reader, const struct bus *bus, uint32_t topics);
/* Copies up to max events of the reader's topics; returns how many. *ret_missed (may be NULL) is
 * how many events were overwritten before this reader got to them, since the last call. */
size_t bus_read(struct bus_reader *reader, struct bus_event *ret_events, size_t max,
                uint64_t *ret_missed);
