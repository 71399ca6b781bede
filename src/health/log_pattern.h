/*
 * log_pattern.h: groups log lines that differ only in numbers, ids, times and quoted texts. Private
 * to this module.
 *
 *     struct log_patterns *p = log_patterns_new(an_hour_ago);
 *     log_patterns_add(p, line, at_us);                 // for each line, oldest first
 *     log_patterns_sort(p, true);                       // the new ones, most frequent first
 *     const struct log_pattern *first = log_patterns_at(p, 0);
 *
 * Invariants: at most LOG_PATTERNS_MAX patterns are kept; lines of further ones are counted. A
 * pattern is new if all its lines are from the recent time.
 * Thread: any, one at a time.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_PATTERNS_MAX 1024
#define LOG_PATTERN_SIZE 161

struct log_pattern {
    char text[LOG_PATTERN_SIZE];    /* "order <id> rejected after # ms" */
    char example[LOG_PATTERN_SIZE]; /* its last line, possibly cut */
    int64_t count;
    int64_t recent; /* of these in the recent time */
    int64_t first_us, last_us;
};

struct log_patterns;

/* Lines from recent_us on are recent. */
struct log_patterns *log_patterns_new(int64_t recent_us);
void log_patterns_free(struct log_patterns *p); /* takes NULL */
void log_patterns_add(struct log_patterns *p, struct str line, int64_t at_us);
/* The most frequent first. only_new: the others are left out from now on. */
void log_patterns_sort(struct log_patterns *p, bool only_new);
size_t log_patterns_count(const struct log_patterns *p);
const struct log_pattern *log_patterns_at(const struct log_patterns *p, size_t index);
int64_t log_patterns_other(const struct log_patterns *p); /* lines of patterns that are not kept */

/* The pattern of a line without its time. */
void log_pattern_mask(struct str line, char ret[LOG_PATTERN_SIZE]);
