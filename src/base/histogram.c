#include "base/histogram.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* The version is odd while the owner writes. */
struct histogram_slot {
    _Atomic uint64_t version;
    _Atomic uint64_t high, low;
    _Atomic int64_t ns, wall_us;
};

void histogram_init(struct histogram *h, int64_t first_ns)
{
    ASSERT(first_ns > 0);
    memset(h, 0, sizeof(*h));
    h->first_ns = first_ns;
}

void histogram_keep_exemplars(struct histogram *h)
{
    ASSERT(h->slots == NULL);
    h->slots = calloc(HISTOGRAM_BUCKETS, sizeof(*h->slots));
    ASSERT(h->slots != NULL);
}

void histogram_release(struct histogram *h)
{
    free(h->slots);
    h->slots = NULL;
}

/* The smallest i with ns <= first_ns << i. */
static int bucket_of(const struct histogram *h, int64_t ns)
{
    if (ns <= h->first_ns) {
        return 0;
    }
    int bucket = 64 - __builtin_clzll((unsigned long long)((ns - 1) / h->first_ns));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* Only one thread writes, so a load and a store do: no locked instruction. */
static int count(struct histogram *h, int64_t ns)
{
    ns = ns < 0 ? 0 : ns;
    int bucket = bucket_of(h, ns);
    uint64_t before = atomic_load_explicit(&h->counts[bucket], memory_order_relaxed);
    int64_t sum_ns = atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
    atomic_store_explicit(&h->sum_ns, sum_ns + ns, memory_order_relaxed);
    atomic_store_explicit(&h->counts[bucket], before + 1, memory_order_relaxed);
    return bucket;
}

void histogram_add(struct histogram *h, int64_t ns)
{
    (void)count(h, ns);
}

void histogram_add_traced(struct histogram *h, int64_t ns, struct trace_id trace, int64_t wall_us)
{
    int bucket = count(h, ns);
    if (h->slots == NULL || (trace.high == 0 && trace.low == 0)) {
        return;
    }
    struct histogram_slot *slot = &h->slots[bucket];
    uint64_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
    atomic_store_explicit(&slot->version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&slot->high, trace.high, memory_order_relaxed);
    atomic_store_explicit(&slot->low, trace.low, memory_order_relaxed);
    atomic_store_explicit(&slot->ns, ns < 0 ? 0 : ns, memory_order_relaxed);
    atomic_store_explicit(&slot->wall_us, wall_us, memory_order_relaxed);
    atomic_store_explicit(&slot->version, version + 2, memory_order_release);
}

static struct histogram_exemplar read_slot(const struct histogram_slot *slot)
{
    uint64_t before = atomic_load_explicit(&slot->version, memory_order_acquire);
    struct histogram_exemplar e = {
        .trace = {.high = atomic_load_explicit(&slot->high, memory_order_relaxed),
                  .low = atomic_load_explicit(&slot->low, memory_order_relaxed)},
        .ns = atomic_load_explicit(&slot->ns, memory_order_relaxed),
        .wall_us = atomic_load_explicit(&slot->wall_us, memory_order_relaxed),
    };
    atomic_thread_fence(memory_order_acquire);
    uint64_t after = atomic_load_explicit(&slot->version, memory_order_relaxed);
    return before == after && before % 2 == 0 ? e : (struct histogram_exemplar){.ns = 0};
}

void histogram_read(const struct histogram *h, struct histogram_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        ret->counts[i] = atomic_load_explicit(&h->counts[i], memory_order_relaxed);
        ret->total += ret->counts[i];
        if (h->slots != NULL) {
            ret->exemplars[i] = read_slot(&h->slots[i]);
        }
    }
    ret->sum_ns = atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
}

int64_t histogram_bound_ns(const struct histogram *h, int bucket)
{
    ASSERT(bucket >= 0 && bucket < HISTOGRAM_BUCKETS);
    return bucket == HISTOGRAM_BUCKETS - 1 ? INT64_MAX : h->first_ns << bucket;
}
