#include "pointer.h"

#include "base/buf.h"
#include "base/check.h"

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
    {"/counters", "realised", "realised_pnl"},
    {"/decisions", "minutes_since_last", "since_last_min"},
    {"/meta", "market_at", "market_time"},
    {"/system/engine", "last_error", "last_error_code"},
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

/* The other name of a step below this path; the step itself if it was not renamed. */
static struct str other_name(struct str parent, struct str step, bool to_former)
{
    for (size_t i = 0; i < COUNT_OF(renamed); i++) {
        const char *from = to_former ? renamed[i].present : renamed[i].former;
        if (str_equal_c(step, from) && is_parent(parent, renamed[i].parent)) {
            return str_c(to_former ? renamed[i].former : renamed[i].present);
        }
    }
    return step;
}

/* Writes the pointer with other names. False: it has none, or is too long with them. */
static bool rename_steps(const char *pointer, bool to_former, char ret[FINDING_POINTER_SIZE])
{
    AUTO_BUF struct buf renaming = BUF_INIT(FINDING_POINTER_SIZE - 1);
    struct str rest = str_c(pointer);
    struct str step;
    for (bool first = true; str_split(&rest, '/', &step); first = false) {
        struct str parent = str_n(pointer, first ? 0 : (size_t)(step.ptr - 1 - pointer));
        buf_add_c(&renaming, first ? "" : "/");
        buf_add_str(&renaming, other_name(parent, step, to_former));
    }
    return !buf_failed(&renaming) && !str_equal_c(buf_str(&renaming), pointer) &&
           str_copy(buf_str(&renaming), ret, FINDING_POINTER_SIZE);
}

bool pointer_find(struct json_object *report, const char *pointer, struct json_object **ret)
{
    char present[FINDING_POINTER_SIZE];
    return json_pointer(report, str_c(pointer), ret) ||
           (rename_steps(pointer, false, present) && json_pointer(report, str_c(present), ret));
}

void pointer_former(const char *pointer, char ret[FINDING_POINTER_SIZE])
{
    if (!rename_steps(pointer, true, ret)) {
        (void)str_copy(str_c(pointer), ret, FINDING_POINTER_SIZE);
    }
}
