#include "paper_memory.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

struct paper_memory *paper_memory_new(int symbols)
{
    int positions = capacity_positions(symbols);
    int records = 16 * positions;
    int payments = 8 * positions;
    struct paper_memory *m = calloc(1, sizeof(*m) + (size_t)records * sizeof(m->records[0]) +
                                           (size_t)payments * sizeof(struct funding) +
                                           (size_t)records * sizeof(m->hashes[0]));
    ASSERT(m != NULL);
    m->record_count = records;
    m->payment_capacity = payments;
    m->payments = (struct funding *)(void *)&m->records[records];
    m->hashes = (uint32_t *)(void *)&m->payments[payments];
    return m;
}

void paper_memory_clear(struct paper_memory *memory)
{
    memory->next = 0;
    memory->payment_count = 0;
    /* The pages of records that were never used stay untouched. */
    for (int i = 0; i < memory->record_count; i++) {
        struct paper_record *r = &memory->records[i];
        if (r->order.client_id[0] != '\0') {
            r->order.client_id[0] = '\0';
            r->has_order = false;
            r->fill_count = 0;
            memory->hashes[i] = 0;
        }
    }
}

static bool is_free(const struct paper_record *record)
{
    return record->order.client_id[0] == '\0';
}

/* FNV-1a; never 0. */
static uint32_t hash_of(const char *client_id)
{
    uint32_t hash = 2166136261U;
    for (; *client_id != '\0'; client_id++) {
        hash = (hash ^ (unsigned char)*client_id) * 16777619U;
    }
    return hash == 0 ? 1 : hash;
}

struct paper_record *paper_memory_find(struct paper_memory *memory, const char *client_id)
{
    uint32_t hash = hash_of(client_id);
    for (int i = 0; i < memory->record_count; i++) {
        struct paper_record *r = &memory->records[i];
        if (memory->hashes[i] == hash && strcmp(r->order.client_id, client_id) == 0) {
            return r;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- adding */

static bool is_needed(const struct paper_book *book, const struct paper_record *record)
{
    if (!is_free(record) && !order_state_is_final(record->order.state)) {
        return true;
    }
    for (int i = 0; i < book->position_count; i++) {
        if (strcmp(book->positions[i].client_id, record->order.client_id) == 0) {
            return true;
        }
    }
    return false;
}

/* The loop ends: there are more records than resting orders and open positions together. */
static struct paper_record *claim_record(struct paper_memory *m, const struct paper_book *book)
{
    for (int i = 0; i < m->record_count; i++) {
        struct paper_record *r = &m->records[(m->next + i) % m->record_count];
        if (is_free(r)) {
            m->next = (m->next + i + 1) % m->record_count;
            return r;
        }
    }
    struct paper_record *r;
    do {
        r = &m->records[m->next];
        m->next = (m->next + 1) % m->record_count;
    } while (is_needed(book, r));
    return r;
}

static struct paper_record *record_of(struct paper_memory *m, const struct paper_book *book,
                                      const char *client_id)
{
    struct paper_record *r = paper_memory_find(m, client_id);
    if (r == NULL) {
        r = claim_record(m, book);
        r->order = (struct order){0};
        (void)str_copy(str_c(client_id), r->order.client_id, sizeof(r->order.client_id));
        m->hashes[r - m->records] = hash_of(client_id);
        r->has_order = false;
        r->fill_count = 0;
    }
    return r;
}

void paper_memory_add(struct paper_memory *memory, const struct paper_book *book,
                      const struct paper_change *change)
{
    for (int i = 0; i < change->order_count; i++) {
        struct paper_record *r = record_of(memory, book, change->orders[i].client_id);
        r->order = change->orders[i];
        r->has_order = true;
    }
    for (int i = 0; i < change->fill_count; i++) {
        struct paper_record *r = record_of(memory, book, change->fills[i].client_id);
        r->fills[r->fill_count++ % PAPER_MEMORY_FILLS] = change->fills[i];
    }
    for (int i = 0; i < change->payment_count; i++) {
        memory->payments[memory->payment_count++ % memory->payment_capacity] = change->payments[i];
    }
}

/* Whether neither the first `orders` orders of the change nor its first `fills` fills have this
 * client_id. */
static bool is_first(const struct paper_change *change, const char *client_id, int orders,
                     int fills)
{
    for (int i = 0; i < orders; i++) {
        if (strcmp(change->orders[i].client_id, client_id) == 0) {
            return false;
        }
    }
    for (int i = 0; i < fills; i++) {
        if (strcmp(change->fills[i].client_id, client_id) == 0) {
            return false;
        }
    }
    return true;
}

static int64_t fills_of(const struct paper_change *change, const char *client_id)
{
    int64_t count = 0;
    for (int i = 0; i < change->fill_count; i++) {
        count += strcmp(change->fills[i].client_id, client_id) == 0;
    }
    return count;
}

bool paper_memory_has_space(struct paper_memory *memory, const struct paper_change *change)
{
    int left = 0;
    for (int i = 0; i < memory->record_count; i++) {
        left += memory->hashes[i] == 0;
    }
    for (int i = 0; i < change->order_count; i++) {
        const char *id = change->orders[i].client_id;
        left -= is_first(change, id, i, 0) && paper_memory_find(memory, id) == NULL;
    }
    for (int i = 0; i < change->fill_count; i++) {
        const char *id = change->fills[i].client_id;
        const struct paper_record *r = paper_memory_find(memory, id);
        left -= r == NULL && is_first(change, id, change->order_count, i);
        if ((r == NULL ? 0 : r->fill_count) + fills_of(change, id) > PAPER_MEMORY_FILLS) {
            return false;
        }
    }
    return left >= 0 && memory->payment_count + change->payment_count <= memory->payment_capacity;
}

/* ---------------------------------------------------------------- reading */

static int64_t oldest_of(int64_t count, int64_t kept)
{
    return count > kept ? count - kept : 0;
}

int paper_memory_fills(const struct paper_record *record, int64_t after, struct fill *ret, int max)
{
    int count = 0;
    int64_t end = record == NULL ? 0 : record->fill_count;
    for (int64_t i = oldest_of(end, PAPER_MEMORY_FILLS); i < end && count < max; i++) {
        const struct fill *f = &record->fills[i % PAPER_MEMORY_FILLS];
        if (fill_id_to_number(f->venue_fill_id) > after) {
            ret[count++] = *f;
        }
    }
    return count;
}

int paper_memory_newest_fills(const struct paper_record *record, struct fill *ret, int max)
{
    int64_t end = record == NULL ? 0 : record->fill_count;
    int64_t first = oldest_of(end, max < PAPER_MEMORY_FILLS ? max : PAPER_MEMORY_FILLS);
    for (int64_t i = first; i < end; i++) {
        ret[i - first] = record->fills[i % PAPER_MEMORY_FILLS];
    }
    return (int)(end - first);
}

int paper_memory_payments(const struct paper_memory *memory, int64_t after, struct funding *ret,
                          int max)
{
    int count = 0;
    int64_t end = memory->payment_count;
    for (int64_t i = oldest_of(end, memory->payment_capacity); i < end && count < max; i++) {
        const struct funding *f = &memory->payments[i % memory->payment_capacity];
        if (f->id > after) {
            ret[count++] = *f;
        }
    }
    return count;
}
