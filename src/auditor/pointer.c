#include "pointer.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

/* Members that were renamed: path of the parent ("*" is any one step), former and present name. */
static const struct {
    const char *parent;
    const char *former;
    const char *present;
} renamed[] = {
    {"/account", "realised", "realised_pnl"},
    {"/account/positions/*", "entry", "entry_price"},
    {"/account/positions/*", "mark", "mark_price"},
    {"/account/positions/*", "unrealised", "unrealised_pnl"},
    {"/system/feed/*", "refused", "refused_candles"},
};

static bool is_parent(struct str path, const char *pattern)
{
    struct str steps = str_c(pattern);
    struct str step, wanted;
    while (str_split(&steps, '/', &wanted)) {
        if (!str_split(&path, '/', &step) ||
            (!str_equal_c(wanted, "*") && !str_equal(step, wanted))) {
            return false;
        }
    }
    return path.len == 0;
}

/* Writes the pointer with the last step renamed; false if it is not in the table. */
static bool rename_last(const char *pointer, bool to_former, char ret[FINDING_POINTER_SIZE])
{
    const char *last = strrchr(pointer, '/');
    for (size_t i = 0; last != NULL && i < COUNT_OF(renamed); i++) {
        const char *from = to_former ? renamed[i].present : renamed[i].former;
        struct str parent = str_n(pointer, (size_t)(last - pointer));
        if (strcmp(last + 1, from) == 0 && is_parent(parent, renamed[i].parent)) {
            int len = snprintf(ret, FINDING_POINTER_SIZE, "%.*s/%s", STR_ARG(parent),
                               to_former ? renamed[i].former : renamed[i].present);
            return len > 0 && len < FINDING_POINTER_SIZE;
        }
    }
    return false;
}

bool pointer_find(struct json_object *report, const char *pointer, struct json_object **ret)
{
    char present[FINDING_POINTER_SIZE];
    return json_pointer(report, str_c(pointer), ret) ||
           (rename_last(pointer, false, present) && json_pointer(report, str_c(present), ret));
}

void pointer_former(const char *pointer, char ret[FINDING_POINTER_SIZE])
{
    if (!rename_last(pointer, true, ret)) {
        (void)str_copy(str_c(pointer), ret, FINDING_POINTER_SIZE);
    }
}
