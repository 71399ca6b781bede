/*
 * sentiment_history.h: the sentiment of earlier times, from a file of /export sentiment, for
 * back-tests and training.
 *
 *     AUTO_SENTIMENT_HISTORY struct sentiment_history *history = NULL;
 *     rc = sentiment_history_load("sentiment.csv", &history, err);
 *     if (sentiment_history_advance(history, now_us)) use(sentiment_history_values(history));
 *     double score = sentiment_history_score(history, symbol, now_us);    // NaN: unknown
 *
 * CSV with the columns received, symbol, score and until, ordered by received; an empty score:
 * unknown from then on. A value is known from its received on, never before, and until its until.
 * Always true: time only goes forward: an earlier one than that of the last call changes nothing.
 * Ownership: the caller frees it. Thread: one at a time per history.
 */
#pragma once

#include "base/auto.h"
#include "base/err.h"
#include "model/sentiment.h"

#include <stdbool.h>

#define SENTIMENT_HISTORY_MAX ((size_t)64 << 20) /* bytes of a file */

struct sentiment_history;

/* ERR_SENTIMENT_FILE with the line, or an error of the file. */
int sentiment_history_load(const char *path, struct sentiment_history **ret, struct err *err);
void sentiment_history_free(struct sentiment_history *history);

static inline void sentiment_history_cleanup(struct sentiment_history **slot)
{
    sentiment_history_free(*slot);
}
#define AUTO_SENTIMENT_HISTORY AUTO(sentiment_history_cleanup)

/* Whether anything has become known or unknown by a row since the last call. */
bool sentiment_history_advance(struct sentiment_history *history, int64_t at_us);
/* What rows say at the time of the last advance; what is too old by then may still be in it. */
const struct sentiment_values *sentiment_history_values(const struct sentiment_history *history);
/* Advances; NaN: unknown. history NULL: NaN. */
double sentiment_history_score(struct sentiment_history *history, struct symbol symbol,
                               int64_t at_us);
