/*
 * names.h: the names of enum values, in one table for printing and parsing.
 * Thread: any.
 */
#pragma once

#include "base/check.h"
#include "base/str.h"

/* The name of a value; a value outside the table is a bug. */
static inline const char *names_word(const char *const *words, size_t count, unsigned value)
{
    ASSERT(value < count);
    return words[value];
}

/* The index of a name; -1 if unknown. */
static inline int names_find(const char *const *words, size_t count, struct str word)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal_c(word, words[i])) {
            return (int)i;
        }
    }
    return -1;
}

/* Defines prefix_name(value) for the table words. */
#define NAMES_PRINT(prefix, type, words)                              \
    const char *prefix##_name(type value)                             \
    {                                                                 \
        return names_word((words), COUNT_OF(words), (unsigned)value); \
    }
/* Defines prefix_parse(text, ret) for the table words; if false, *ret is unchanged. */
#define NAMES_PARSE(prefix, type, words)                  \
    bool prefix##_parse(struct str s, type *ret)          \
    {                                                     \
        int at = names_find((words), COUNT_OF(words), s); \
        if (at < 0) {                                     \
            return false;                                 \
        }                                                 \
        *ret = (type)at;                                  \
        return true;                                      \
    }
