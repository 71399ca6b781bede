/*
 * sentiment_table.h: what the sources of sentiment said, and the values that were passed to the
 * engine, in ops.db.
 *
 *     sentiment_table_write(store, &item, err);               // again: of the same source and key
 *     n = sentiment_table_load(store, "news", since_us, items, max, err);
 *     sentiment_table_push(store, &value, now_us, err);       // after the value has changed
 *
 * Always true: one item for a source and key; its first received_us stays unless it is an index,
 * whose only item is replaced. Values form a history of each symbol: a value counts from at_us
 * until until_us or until the next one; the history of what back-tests may know at a time is never
 * changed later, except that until_us of the newest value grows while it is confirmed.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/symbol.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENTIMENT_KEY_SIZE     33
#define SENTIMENT_TITLE_SIZE   200
#define SENTIMENT_SYMBOLS_SIZE 260

enum sentiment_scorer {
    SENTIMENT_WAITS,    /* for Claude: no score yet */
    SENTIMENT_NO_SCORE, /* Claude gave none that can be used */
    SENTIMENT_INDEX,    /* the number of an index */
    SENTIMENT_LEXICON,
    SENTIMENT_CLAUDE
};
const char *sentiment_scorer_name(enum sentiment_scorer scorer); /* "waits" "none" "index" … */

struct sentiment_item {
    char source[24];
    char key[SENTIMENT_KEY_SIZE];
    char title[SENTIMENT_TITLE_SIZE];     /* plain text (model/plain_text.h) */
    char symbols[SENTIMENT_SYMBOLS_SIZE]; /* "BTC-USD,ETH-USD"; "": all */
    int64_t published_us;                 /* as the source says; 0: unknown, or not believable */
    int64_t received_us;
    enum sentiment_scorer scorer;
    double score; /* -1..1; 0 without a score */
};

struct sentiment_point {
    struct symbol symbol;
    bool known;
    double score; /* 0 if it is not known */
    int64_t at_us;
    int64_t until_us; /* 0 if it is not known */
};

/* Whether the source and key have an item. */
int sentiment_table_has(struct ops_store *store, const char *source, const char *key, bool *ret,
                        struct err *err);
int sentiment_table_write(struct ops_store *store, const struct sentiment_item *item,
                          struct err *err);
/* Those received since then, newest first; returns their number. */
int sentiment_table_load(struct ops_store *store, const char *source, int64_t since_us,
                         struct sentiment_item *ret, size_t max, struct err *err);
/* Adds a value to the history of its symbol; one that only says until when the newest holds extends
 * that. */
int sentiment_table_push(struct ops_store *store, const struct sentiment_point *point,
                         struct err *err);
/* Calls fn with each value of the history from since_us on, oldest first, until it fails. */
int sentiment_table_each(struct ops_store *store, int64_t since_us,
                         int (*fn)(const struct sentiment_point *point, void *userdata,
                                   struct err *err),
                         void *userdata, struct err *err);
/* Deletes at most max items received before items_us, and as many values that ended before
 * values_us. */
int sentiment_table_prune(struct ops_store *store, int64_t items_us, int64_t values_us, int64_t max,
                          struct err *err);
