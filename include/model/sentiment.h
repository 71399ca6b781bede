/*
 * sentiment.h: how news and indices speak of each symbol, one number each, as ops passes it to the
 * engine (mailbox in shared.h) and as the stored history is read.
 *
 *     struct sentiment_values *s = mailbox_draft(shared->sentiment);
 *     s->count = 1;
 *     s->values[0] = (struct sentiment_value){.symbol = btc, .score = -0.4, .until_us = until};
 *     mailbox_publish(shared->sentiment);
 *
 * Invariants: a table holds all that is known; a symbol that it does not name is unknown. A score
 * is -1..1 and never NaN (sentiment_value_is_sane). A value counts from the step that receives it,
 * never from when its source was published, until until_us; then it is unknown again. Thread: any
 * (plain values).
 */
#pragma once

#include "model/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sentiment_value {
    struct symbol symbol;
    double score;     /* -1 bad .. 1 good */
    int64_t until_us; /* wall time; at this time it is unknown again */
};

/* Of variable size: sentiment_values_size(symbols) bytes. */
struct sentiment_values {
    int count;
    struct sentiment_value values[];
};

size_t sentiment_values_size(int symbols);
/* Whether the score is one, and the symbol has a name. */
bool sentiment_value_is_sane(const struct sentiment_value *value);
