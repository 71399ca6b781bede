#include "proof/pointer.h"

#include "base/buf.h"
#include "base/check.h"

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

/* ------------------------------------------------------------------ units */

static const char *const unit_ends[] = {"_usd", "_pct", "_min", "_s",   "_ms",    "_us",
                                        "_h",   "_bps", "_mib", "_kib", "_bytes", "_days"};

/* The member of an object by its key, or by its key with a unit at the end. */
static bool member_with_unit(struct json_object *object, struct str key, struct json_object **ret)
{
    char name[FINDING_POINTER_SIZE];
    for (size_t i = 0; json_is_object(object) && i <= COUNT_OF(unit_ends); i++) {
        (void)snprintf(name, sizeof(name), "%.*s%s", STR_ARG(key), i == 0 ? "" : unit_ends[i - 1]);
        if (json_object_object_get_ex(object, name, ret)) {
            return true;
        }
    }
    return false;
}

/* As json_pointer for a pointer without escapes, with keys that have got a unit since. */
static bool find_with_units(struct json_object *report, const char *pointer,
                            struct json_object **ret)
{
    struct str rest = str_c(pointer), step;
    struct json_object *at = report;
    if (!str_split(&rest, '/', &step) || step.len > 0 || rest.len == 0) {
        return false;
    }
    while (str_split(&rest, '/', &step)) {
        int64_t index = 0;
        bool digits = step.len > 0 && (step.ptr[0] != '0' || step.len == 1);
        if (json_is_array(at) && digits && str_to_i64(step, &index) && index >= 0 &&
            (size_t)index < json_len(at)) {
            at = json_item(at, (size_t)index);
        } else if (!member_with_unit(at, step, &at)) {
            return false;
        }
    }
    *ret = at;
    return true;
}

/* ------------------------------------------------------------------ parts that moved */

static const struct {
    const char *former;
    const char *present;
} moved[] = {
    {"/trades/", "/win_loss/"}, /* only some of its members, so the former place is tried first */
    {"/system/services/", "/services/"},
};

/* Writes the pointer with the other beginning. False: it has none of them. */
static bool move(const char *pointer, bool to_former, char ret[FINDING_POINTER_SIZE])
{
    for (size_t i = 0; i < COUNT_OF(moved); i++) {
        const char *from = to_former ? moved[i].present : moved[i].former;
        const char *to = to_former ? moved[i].former : moved[i].present;
        if (str_starts(str_c(pointer), from)) {
            int len = snprintf(ret, FINDING_POINTER_SIZE, "%s%s", to, pointer + strlen(from));
            return len > 0 && len < FINDING_POINTER_SIZE;
        }
    }
    return false;
}

bool pointer_find(struct json_object *report, const char *pointer, struct json_object **ret)
{
    char present[FINDING_POINTER_SIZE];
    if (json_pointer(report, str_c(pointer), ret)) {
        return true;
    }
    bool renamed_steps = rename_steps(pointer, false, present);
    if ((renamed_steps && json_pointer(report, str_c(present), ret)) ||
        find_with_units(report, renamed_steps ? present : pointer, ret)) {
        return true;
    }
    char elsewhere[FINDING_POINTER_SIZE];
    return move(pointer, false, elsewhere) && find_with_units(report, elsewhere, ret);
}

/* ------------------------------------------------------------------ the general form */

static struct str without_unit(struct str step)
{
    for (size_t i = 0; i < COUNT_OF(unit_ends); i++) {
        size_t len = strlen(unit_ends[i]);
        if (step.len > len && memcmp(step.ptr + step.len - len, unit_ends[i], len) == 0) {
            return str_n(step.ptr, step.len - len);
        }
    }
    return step;
}

static bool is_index(struct str step, struct str parent)
{
    int64_t index = 0;
    return str_to_i64(step, &index) && !str_starts(parent, "by_") &&
           !str_equal_c(parent, "hours") && !str_equal_c(parent, "days");
}

void pointer_general(const char *pointer, struct str subject, char ret[FINDING_POINTER_SIZE])
{
    static const char *const parts[] = {"k", "n", "pct", "low_pct", "high_pct"};
    char place[FINDING_POINTER_SIZE], former[FINDING_POINTER_SIZE];
    if (!move(pointer, true, place)) {
        (void)str_copy(str_c(pointer), place, sizeof(place));
    }
    if (!rename_steps(place, true, former)) {
        (void)str_copy(str_c(place), former, sizeof(former));
    }
    AUTO_BUF struct buf general = BUF_INIT(FINDING_POINTER_SIZE - 1);
    struct str rest = str_c(former), parent = STR_LIT(""), step;
    for (bool first = true; str_split(&rest, '/', &step); first = false) {
        bool part = rest.len == 0 && general.len > 1;
        bool is_part = false;
        for (size_t i = 0; part && i < COUNT_OF(parts); i++) {
            is_part |= str_equal_c(step, parts[i]);
        }
        if (is_part) {
            break;
        }
        bool any = is_index(step, parent) || (subject.len > 0 && str_equal(step, subject));
        buf_add_c(&general, first ? "" : "/");
        buf_add_str(&general, any ? STR_LIT("*") : without_unit(step));
        parent = step;
    }
    (void)str_copy(buf_str(&general), ret, FINDING_POINTER_SIZE);
}
