#include "lock.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void lock_set_add(struct lock_set *set, struct str name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (str_equal_c(name, set->names[i])) {
            return;
        }
    }
    set->names = realloc(set->names, (set->count + 1) * sizeof(*set->names));
    ASSERT(set->names != NULL);
    (void)str_copy(name, set->names[set->count++], LOCK_NAME_SIZE);
}

void lock_set_release(struct lock_set *set)
{
    free(set->names);
    *set = (struct lock_set){0};
}

/* Whether `whole` is `part`, or its kind: "service" covers "service:demo". */
static bool covers(const char *whole, const char *part)
{
    size_t size = strlen(whole);
    return strncmp(whole, part, size) == 0 && (part[size] == '\0' || part[size] == ':');
}

const struct lock *lock_find(const struct lock_table *table, const struct lock_set *set)
{
    for (size_t i = 0; i < table->count; i++) {
        for (size_t w = 0; w < set->count; w++) {
            const char *held = table->items[i].name;
            if (covers(held, set->names[w]) || covers(set->names[w], held)) {
                return &table->items[i];
            }
        }
    }
    return NULL;
}

void lock_take(struct lock_table *table, const struct lock_set *set,
               const struct lock_holder *holder)
{
    for (size_t w = 0; w < set->count; w++) {
        if (table->count == table->size) {
            table->size = table->size == 0 ? 16 : 2 * table->size;
            table->items = realloc(table->items, table->size * sizeof(*table->items));
            ASSERT(table->items != NULL);
        }
        struct lock *lock = &table->items[table->count++];
        lock->holder = *holder;
        (void)str_copy(str_c(set->names[w]), lock->name, sizeof(lock->name));
    }
}

void lock_release(struct lock_table *table, int64_t run_id)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i].holder.run_id != run_id) {
            table->items[kept++] = table->items[i];
        }
    }
    table->count = kept;
}

void lock_table_release(struct lock_table *table)
{
    free(table->items);
    *table = (struct lock_table){0};
}
