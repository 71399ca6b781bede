#include "base/log_tap.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 256 };

/* turn == n: free for the line with the number n; turn == n + 1: filled with it. After it was read
 * the turn is n + SLOTS. */
struct slot {
    _Atomic uint64_t turn;
    struct log_copy copy;
};

struct tap {
    _Atomic uint64_t next; /* number of the next line */
    _Atomic uint64_t lost;
    uint64_t read; /* the reader's */
    struct slot slots[SLOTS];
};

static struct tap *_Atomic tap_now;

void log_tap_open(void)
{
    if (atomic_load_explicit(&tap_now, memory_order_acquire) != NULL) {
        return;
    }
    struct tap *tap = calloc(1, sizeof(*tap)), *none = NULL;
    ASSERT(tap != NULL);
    for (uint64_t i = 0; i < SLOTS; i++) {
        atomic_init(&tap->slots[i].turn, i);
    }
    if (!atomic_compare_exchange_strong(&tap_now, &none, tap)) {
        free(tap);
    }
}

static void fill(struct log_copy *copy, const struct log_line *line)
{
    copy->at_us = clock_wall_us(clock_real());
    copy->level = line->level;
    copy->line = line->line;
    (void)str_copy(str_c(line->file), copy->file, sizeof(copy->file));
    str_cut(str_c(line->message), copy->message, sizeof(copy->message));
    copy->error_code[0] = copy->run[0] = '\0';
    for (size_t i = 0; i < line->field_count; i++) {
        const struct log_field *field = &line->fields[i];
        if (strcmp(field->key, "ERROR_CODE") == 0) {
            (void)str_copy(str_c(field->value), copy->error_code, sizeof(copy->error_code));
        } else if (strcmp(field->key, "RUN") == 0) {
            (void)str_copy(str_c(field->value), copy->run, sizeof(copy->run));
        }
    }
}

void log_tap_write(const struct log_line *line)
{
    struct tap *tap = atomic_load_explicit(&tap_now, memory_order_acquire);
    if (tap == NULL) {
        return;
    }
    uint64_t number = atomic_load_explicit(&tap->next, memory_order_relaxed);
    struct slot *slot;
    for (;;) { /* another writer may take the number first: then this one tries the next */
        slot = &tap->slots[number % SLOTS];
        uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        if (turn < number) { /* not read yet since the last time round */
            (void)atomic_fetch_add_explicit(&tap->lost, 1, memory_order_relaxed);
            return;
        }
        if (turn > number) {
            number = atomic_load_explicit(&tap->next, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&tap->next, &number, number + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            break;
        }
    }
    fill(&slot->copy, line);
    atomic_store_explicit(&slot->turn, number + 1, memory_order_release);
}

size_t log_tap_read(struct log_copy *ret, size_t max, uint64_t *ret_lost)
{
    struct tap *tap = atomic_load_explicit(&tap_now, memory_order_acquire);
    size_t count = 0;
    *ret_lost = 0;
    if (tap == NULL) {
        return 0;
    }
    while (count < max) {
        struct slot *slot = &tap->slots[tap->read % SLOTS];
        if (atomic_load_explicit(&slot->turn, memory_order_acquire) != tap->read + 1) {
            break;
        }
        ret[count++] = slot->copy;
        atomic_store_explicit(&slot->turn, tap->read + SLOTS, memory_order_release);
        tap->read++;
    }
    *ret_lost = atomic_exchange_explicit(&tap->lost, 0, memory_order_relaxed);
    return count;
}
