/*
 * index_number.h: one number in a JSON document, as a score. Private to this module.
 *
 *     struct index_number number;
 *     rc = index_number_read(&source, body, &number, err);
 *
 * The number, or a text that holds one, is at source->value; source->low is the score -1,
 * source->high 1. A number beyond them is refused, since it means something else than was
 * configured. The time is ISO 8601, or a count of seconds, milliseconds, microseconds or
 * nanoseconds since 1970, told apart by their size. Thread: any (pure).
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "config/sentiment.h"

#include <stdint.h>

struct index_number {
    double score;         /* -1..1 */
    int64_t published_us; /* 0: unknown */
    char text[96];        /* "40 of 0 to 100, Fear" */
};

int index_number_read(const struct config_sentiment *source, struct str body,
                      struct index_number *ret, struct err *err);
