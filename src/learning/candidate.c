#include "candidate.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>

#define HOURS       24
#define BLOCK_HOURS 4

static const char *const sides[] = {"long", "short"};
static const char *const regimes[] = {"neutral", "trending", "choppy"};
static const char *const weekdays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
/* With the words' ends as the agents use them: oversold and overbought. */
static const char *const zones[] = {"rsi14 < 30", "rsi14 >= 30 and rsi14 < 50",
                                    "rsi14 >= 50 and rsi14 < 70", "rsi14 >= 70"};
static const char *const others[] = {
    "weekday between sat and sun",
    "confidence < 0.4",
    "confidence >= 0.4 and confidence < 0.7",
    "confidence >= 0.7",
    "bb_width@1h < 1",
    "bb_width@1h >= 1 and bb_width@1h < 3",
    "bb_width@1h >= 3",
};

struct list {
    struct candidate *items;
    int count;
};

__attribute__((format(printf, 2, 3))) static void add(struct list *list, const char *format, ...)
{
    char text[CONDITION_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ASSERT(size > 0 && (size_t)size < sizeof(text) && list->count < CANDIDATES_MAX);
    struct candidate *c = &list->items[list->count++];
    int rc = condition_compile(str_c(text), &c->program, NULL);
    ASSERT(rc == 0);
    (void)condition_print(&c->program, c->text);
}

int candidate_make(const struct symbol *symbols, int symbol_count,
                   struct candidate ret[CANDIDATES_MAX])
{
    ASSERT(symbol_count <= CANDIDATE_SYMBOLS_MAX);
    struct list list = {.items = ret};
    for (int i = 0; i < symbol_count; i++) {
        add(&list, "symbol == %s", symbols[i].name);
    }
    for (int hour = 0; hour < HOURS; hour++) {
        add(&list, "hour == %d", hour);
    }
    for (size_t i = 0; i < COUNT_OF(weekdays); i++) {
        add(&list, "weekday == %s", weekdays[i]);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        add(&list, "%s", others[i]);
    }
    /* Alone, then with a side. */
    for (size_t s = 0; s <= COUNT_OF(sides); s++) {
        const char *with = s == 0 ? "" : " and side == ";
        const char *side = s == 0 ? "" : sides[s - 1];
        if (s > 0) {
            add(&list, "side == %s", side);
        }
        for (int i = 0; s > 0 && i < symbol_count; i++) {
            add(&list, "symbol == %s%s%s", symbols[i].name, with, side);
        }
        for (int hour = 0; hour < HOURS; hour += BLOCK_HOURS) {
            add(&list, "hour between %d and %d%s%s", hour, hour + BLOCK_HOURS - 1, with, side);
        }
        for (size_t i = 0; i < COUNT_OF(regimes); i++) {
            add(&list, "regime == %s%s%s", regimes[i], with, side);
        }
        for (size_t i = 0; i < COUNT_OF(zones); i++) {
            add(&list, "%s%s%s", zones[i], with, side);
        }
    }
    return list.count;
}
