#include "base/check.h"
#include "base/clock.h"
#include "recommend_internal.h"
#include "report/exact.h"

#include <stdlib.h>

const char *advice_area_name(enum advice_area area)
{
    static const char *const names[ADVICE_AREAS] = {
        "risk", "rules", "symbols", "hours", "exits", "costs", "services", "alerts", "model"};
    return names[area];
}

struct advisor *advisor_new(const struct advice_settings *settings)
{
    struct advisor *a = calloc(1, sizeof(*a));
    NEED_MEMORY(a != NULL);
    a->settings = *settings;
    return a;
}

void advisor_free(struct advisor *a)
{
    if (a != NULL) {
        free(a->trades);
        free(a->values);
        free(a);
    }
}

double advisor_weeks(const struct advisor *a)
{
    int64_t first_us = a->trade_count > 0 ? a->trades[0].opened_us : 0;
    int64_t last_us = a->trade_count > 0 ? a->trades[a->trade_count - 1].closed_us : 0;
    int64_t span_us = last_us - first_us;
    return (double)(span_us > USEC_PER_DAY ? span_us : USEC_PER_DAY) / (7.0 * (double)USEC_PER_DAY);
}

int64_t advisor_days(const struct advisor *a)
{
    int64_t days = 0, last = -1;
    for (int i = 0; i < a->trade_count; i++) {
        int64_t day = a->trades[i].closed_us / USEC_PER_DAY;
        days += day != last;
        last = day;
    }
    return days;
}

void advise_add(struct advisor *a, const struct advice *advice)
{
    if (a->count < ADVICES_MAX && advice->cases > 0) {
        a->items[a->count++] = *advice;
    }
}

/* Those that were tested first, the least probable to be chance before the others. */
static int compare_chance(const void *x, const void *y)
{
    const struct advice *a = x, *b = y;
    bool few_a = a->state == ADVICE_FEW, few_b = b->state == ADVICE_FEW;
    return few_a != few_b ? few_a - few_b : (a->p > b->p) - (a->p < b->p);
}

static int compare_effect(const void *x, const void *y)
{
    const struct advice *a = x, *b = y;
    if (a->state != b->state) {
        return (int)a->state - (int)b->state;
    }
    if (a->unit != b->unit) {
        return (int)a->unit - (int)b->unit;
    }
    return (a->effect < b->effect) - (a->effect > b->effect);
}

/* Whether it says only what the advice that is kept already says: it does not stand without their
 * trades. */
static bool is_repeated(struct advisor *a, const struct advice *advice, uint64_t kept)
{
    bool certain = advice->state == ADVICE_CERTAIN;
    double level = certain ? ADVICE_LEVEL / a->tested : ADVICE_LEVEL;
    return advice->group >= 0 && kept != 0 && advise_rest_p(a, advice->group, kept) > level;
}

/* One change of a limit at a time: the most certain of the closer stops, of the closer targets. */
static bool is_same_limit(const struct advice *a, const struct advice *b)
{
    size_t name = strcspn(a->command, " ");
    bool limit = str_starts(str_c(a->command), "/update_targets");
    name = limit ? name + 1 + strcspn(a->command + name + 1, " ") : name;
    return limit && strncmp(a->command, b->command, name) == 0;
}

void advise_decide(struct advisor *a)
{
    double p[ADVICES_MAX];
    uint64_t kept = 0;
    int count = 0;
    qsort(a->items, (size_t)a->count, sizeof(a->items[0]), compare_chance);
    for (int i = 0; i < a->count && a->items[i].state != ADVICE_FEW; i++) {
        p[a->tested++] = a->items[i].p;
    }
    exact_holm(p, a->tested, a->tested);
    for (int i = 0; i < a->count; i++) {
        struct advice advice = a->items[i];
        bool hopeful = advice.p <= ADVICE_LEVEL; /* alone; what is not even that is no advice */
        if (i < a->tested) {
            advice.p = p[i];
            advice.state = p[i] <= ADVICE_LEVEL ? ADVICE_CERTAIN : ADVICE_CHANCE;
        }
        bool again = hopeful && is_repeated(a, &advice, kept);
        for (int k = 0; k < count; k++) {
            again = again || is_same_limit(&advice, &a->items[k]);
        }
        if (hopeful && !again) {
            kept |= advice.group >= 0 ? 1ULL << advice.group : 0;
            a->items[count++] = advice;
        }
    }
    a->count = count;
    qsort(a->items, (size_t)a->count, sizeof(a->items[0]), compare_effect);
}
