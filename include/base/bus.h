/*
 * bus.h: broadcasts 64-byte events from one thread to several readers, without waiting for them.
 *
 *     struct bus *bus = bus_new(1024);
 *     struct bus_reader reader;
 *     bus_reader_init(&reader, bus, TOPIC_FILL | TOPIC_ORDER);
 *     producer: bus_publish(bus, events, count);
 *     reader:   n = bus_read(&reader, out, 64, &missed);
 *
 * Invariants: the producer never waits and does not know its readers. Each reader has its own
 * cursor and topic mask; it receives the events of its topics in order, each at most once and
 * never torn. The last `capacity` events stay readable. A reader that falls further behind
 * learns exactly how many events (of all topics) it missed and continues with the oldest
 * readable one; it then resynchronises from the snapshot.
 * Method: slots consist of atomic words with release/acquire order; the producer announces the
 * positions it is about to overwrite (claim) before it writes them, and the readable ones (head)
 * afterwards; a reader copies an event, then checks the claim. There is no lock, no fence and no
 * data race by the C11 memory model.
 * Thread: publish from one thread; each reader belongs to one thread; bus_new and bus_free only
 * while no other thread uses the bus.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUS_EVENT_SIZE 64

/* The bus reads only the topic of an event; model/event.h defines the rest. */
struct bus_event {
    uint32_t topic; /* exactly one bit */
    uint8_t body[BUS_EVENT_SIZE - sizeof(uint32_t)];
} __attribute__((aligned(8)));

struct bus;

struct bus_reader {
    const struct bus *bus;
    uint64_t cursor; /* position of the next event to read */
    uint32_t topics;
};

/* capacity: a power of two, 64..2^20; uses 128 bytes of memory for each event. Never NULL: aborts
 * when out of memory, so call it at start-up only. */
struct bus *bus_new(size_t capacity);
void bus_free(struct bus *bus);

void bus_publish(struct bus *bus, const struct bus_event *events, size_t count);
/* The number of events published so far. */
uint64_t bus_head(const struct bus *bus);

/* Starts at the current position: the first event read is the next one published. */
void bus_reader_init(struct bus_reader *reader, const struct bus *bus, uint32_t topics);
/* Copies up to max events of the reader's topics and returns their number. *ret_missed (may be
 * NULL) is the number of events overwritten since the last call before this reader could copy
 * them. */
size_t bus_read(struct bus_reader *reader, struct bus_event *ret_events, size_t max,
                uint64_t *ret_missed);
