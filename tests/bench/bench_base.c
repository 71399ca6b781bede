/*
 * bench_base.c: the cost of passing values between threads and of decimal arithmetic.
 *
 * Two threads: the producer publishes events of 64 bytes as fast as the consumer reads them, and
 * none may be lost. ck_ring refuses a push when it is full; the bus never does, so its producer
 * stays within the bus's length of a counter that the consumer publishes once per batch (the only
 * addition that makes a broadcast comparable with a queue). Same capacity, same event, same check
 * of every event by the consumer, runs A B A B.
 */
#include "base/bus.h"
#include "base/check.h"
#include "base/dec.h"
#include "base/err.h"
#include "base/mailbox.h"
#include "base/ring.h"
#include "base/rng.h"
#include "bench/bench.h"

#include <ck_ring.h>
#include <pthread.h>
#include <stdatomic.h>

#define BATCH    64
#define CAPACITY 1024
#define SAMPLES  1000
#define RUNS     15
#define EVENTS   UINT64_C(2000000) /* per run of two threads; a multiple of BATCH */

CK_RING_PROTOTYPE(event, bus_event)

static struct bus_event numbered(uint64_t number)
{
    struct bus_event event = {.topic = 1};
    memcpy(event.body + 4, &number, sizeof(number));
    return event;
}

static uint64_t number_of(const struct bus_event *event)
{
    uint64_t number;
    memcpy(&number, event->body + 4, sizeof(number));
    return number;
}

static void bench_bus_one_thread(void)
{
    struct bus *bus = bus_new(CAPACITY);
    struct bus_reader reader;
    bus_reader_init(&reader, bus, 1);
    struct bus_event in[BATCH], out[BATCH];
    for (uint64_t i = 0; i < BATCH; i++) {
        in[i] = numbered(i);
    }
    static double ns[SAMPLES];
    for (size_t s = 0; s < SAMPLES; s++) {
        const int turns = 100;
        int64_t start = bench_now_ns();
        for (int t = 0; t < turns; t++) {
            bus_publish(bus, in, BATCH);
            size_t n = bus_read(&reader, out, BATCH, NULL);
            ASSERT(n == BATCH);
            bench_use(out);
        }
        ns[s] = (double)(bench_now_ns() - start) / (turns * BATCH);
    }
    bench_table_row("bus, publish + consume, 1 thread, batch 64", ns, SAMPLES, "ns", "target 15");
    bus_free(bus);
}

/* The state that both threads of a run share. */
struct shared {
    struct bus *bus;
    struct bus_reader reader;
    uint64_t batch;                          /* events per bus_publish: 1..BATCH */
    _Alignas(128) _Atomic uint64_t consumed; /* written by the bus's consumer, once per batch */
    _Alignas(128) ck_ring_t ck;
    struct bus_event ck_slots[CAPACITY];
    struct ring *ring;
};

static void pause_spin(void)
{
    ck_pr_stall();
}

static void *bus_producer(void *userdata)
{
    struct shared *c = userdata;
    struct bus_event batch[BATCH];
    uint64_t sent = 0, consumed = 0;
    while (sent < EVENTS) {
        while (sent + c->batch - consumed > CAPACITY) {
            consumed = atomic_load_explicit(&c->consumed, memory_order_acquire);
            if (sent + c->batch - consumed > CAPACITY) {
                pause_spin();
            }
        }
        for (uint64_t i = 0; i < c->batch; i++) {
            batch[i] = numbered(sent + i);
        }
        bus_publish(c->bus, batch, c->batch);
        sent += c->batch;
    }
    return NULL;
}

static void bus_consumer(struct shared *c)
{
    struct bus_event batch[BATCH];
    uint64_t got = 0;
    while (got < EVENTS) {
        uint64_t missed;
        size_t n = bus_read(&c->reader, batch, BATCH, &missed);
        ASSERT(missed == 0);
        if (n == 0) {
            pause_spin();
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            ASSERT(number_of(&batch[i]) == got + i);
        }
        got += n;
        atomic_store_explicit(&c->consumed, got, memory_order_release);
    }
}

static void *ck_producer(void *userdata)
{
    struct shared *c = userdata;
    for (uint64_t sent = 0; sent < EVENTS; sent++) {
        struct bus_event event = numbered(sent);
        while (!CK_RING_ENQUEUE_SPSC(event, &c->ck, c->ck_slots, &event)) {
            pause_spin();
        }
    }
    return NULL;
}

static void ck_consumer(struct shared *c)
{
    for (uint64_t got = 0; got < EVENTS; got++) {
        struct bus_event event;
        while (!CK_RING_DEQUEUE_SPSC(event, &c->ck, c->ck_slots, &event)) {
            pause_spin();
        }
        ASSERT(number_of(&event) == got);
    }
}

static void *ring_producer(void *userdata)
{
    struct shared *c = userdata;
    for (uint64_t sent = 0; sent < EVENTS; sent++) {
        struct bus_event event = numbered(sent);
        while (!ring_push(c->ring, &event)) {
            pause_spin();
        }
    }
    return NULL;
}

static void ring_consumer(struct shared *c)
{
    for (uint64_t got = 0; got < EVENTS; got++) {
        struct bus_event event;
        while (!ring_pop(c->ring, &event)) {
            pause_spin();
        }
        ASSERT(number_of(&event) == got);
    }
}

/* Returns events per second. */
static double run_two_threads(struct shared *c, void *(*producer)(void *),
                              void (*consumer)(struct shared *))
{
    pthread_t thread;
    int64_t start = bench_now_ns();
    int rc = pthread_create(&thread, NULL, producer, c);
    ASSERT(rc == 0);
    consumer(c);
    rc = pthread_join(thread, NULL);
    ASSERT(rc == 0);
    return (double)EVENTS * 1e9 / (double)(bench_now_ns() - start);
}

static double run_bus(struct shared *c, uint64_t batch)
{
    c->batch = batch;
    atomic_store(&c->consumed, 0);
    bus_reader_init(&c->reader, c->bus, 1);
    return run_two_threads(c, bus_producer, bus_consumer);
}

static void bench_two_threads(void)
{
    _Static_assert(EVENTS % BATCH == 0, "whole batches");
    static struct shared c;
    c.bus = bus_new(CAPACITY);
    c.ring = ring_new(CAPACITY, sizeof(struct bus_event));
    ck_ring_init(&c.ck, CAPACITY);
    double bus[RUNS], bus_single[RUNS], ck[RUNS], ring[RUNS];
    for (size_t run = 0; run < RUNS; run++) {
        bus[run] = run_bus(&c, BATCH);
        bus_single[run] = run_bus(&c, 1);
        ck[run] = run_two_threads(&c, ck_producer, ck_consumer);
        ring[run] = run_two_threads(&c, ring_producer, ring_consumer);
    }
    char peer[64];
    double ck_median = bench_percentile(ck, RUNS, 0.5);
    (void)snprintf(peer, sizeof(peer), "%.2f x ck_ring",
                   bench_percentile(bus, RUNS, 0.5) / ck_median);
    bench_table_row("bus, 2 threads, batch 64", bus, RUNS, "events/s", peer);
    (void)snprintf(peer, sizeof(peer), "%.2f x ck_ring",
                   bench_percentile(bus_single, RUNS, 0.5) / ck_median);
    bench_table_row("bus, 2 threads, one by one", bus_single, RUNS, "events/s", peer);
    (void)snprintf(peer, sizeof(peer), "%.2f x ck_ring",
                   bench_percentile(ring, RUNS, 0.5) / ck_median);
    bench_table_row("ring, 2 threads", ring, RUNS, "events/s", peer);
    bench_table_row("ck_ring SPSC, 2 threads", ck, RUNS, "events/s", "peer");
    bus_free(c.bus);
    ring_free(c.ring);
}

static void bench_mailbox(void)
{
    struct value {
        unsigned char bytes[8192];
    };
    static struct value value;
    struct mailbox *mailbox = mailbox_new(sizeof(value));
    static double ns[SAMPLES];
    for (size_t s = 0; s < SAMPLES; s++) {
        const int turns = 100;
        int64_t start = bench_now_ns();
        for (int t = 0; t < turns; t++) {
            value.bytes[t]++;
            memcpy(mailbox_draft(mailbox), &value, sizeof(value));
            mailbox_publish(mailbox);
        }
        ns[s] = (double)(bench_now_ns() - start) / turns;
        bench_use(mailbox_latest(mailbox, NULL));
    }
    bench_table_row("mailbox, copy in and publish 8 KiB", ns, SAMPLES, "ns", "target 2000");
    mailbox_free(mailbox);
}

static void bench_dec(void)
{
    struct rng rng;
    rng_init(&rng, 1);
    static struct dec prices[1024], quantities[1024];
    for (size_t i = 0; i < 1024; i++) {
        prices[i].e8 = (int64_t)rng_below(&rng, 100000 * (uint64_t)DEC_ONE);
        quantities[i].e8 = (int64_t)rng_below(&rng, 10 * (uint64_t)DEC_ONE);
    }
    static double ns[SAMPLES];
    for (size_t s = 0; s < SAMPLES; s++) {
        struct dec sum = DEC_ZERO;
        int64_t start = bench_now_ns();
        for (size_t i = 0; i < 1024; i++) {
            sum = dec_add(sum, dec_mul(prices[i], quantities[i]));
        }
        ns[s] = (double)(bench_now_ns() - start) / 1024;
        bench_use(&sum);
    }
    bench_table_row("dec_mul + dec_add, price x quantity", ns, SAMPLES, "ns", NULL);
}

static void bench_err(void)
{
    static double ns[SAMPLES];
    struct err err;
    for (size_t s = 0; s < SAMPLES; s++) {
        const int turns = 100;
        int64_t start = bench_now_ns();
        for (int t = 0; t < turns; t++) {
            (void)err_set(&err, ERR_DEC_OVERFLOW, "fill %s of order %d", "BTC-USD", t);
            bench_use(&err);
        }
        ns[s] = (double)(bench_now_ns() - start) / turns;
    }
    bench_table_row("err_set with a formatted context", ns, SAMPLES, "ns", NULL);
}

int main(void)
{
    bench_table_head();
    bench_bus_one_thread();
    bench_two_threads();
    bench_mailbox();
    bench_dec();
    bench_err();
    return 0;
}
