/*
 * sentiment_internal.h: what the files of this module share. Private to it.
 *
 *     source_fetch(source);                     // source.c: asks its server
 *     sentiment_changed(sentiment);             // sentiment.c: compute and publish again
 *     rating_next(sentiment);                   // rating.c: rates what waits
 *
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "config/config.h"
#include "config/sentiment.h"
#include "io/http.h"
#include "io/loop.h"
#include "model/sentiment.h"
#include "reading.h"
#include "sentiment/sentiment.h"
#include "store/sentiment_table.h"

#define SOURCE_ITEMS_MAX 200 /* that count, of one source; the oldest go first */
#define SOURCE_TIME_MS   20000

/* One source of sentiment.sources. */
struct sentiment_source {
    struct sentiment *sentiment;
    struct config_sentiment config;
    char text[1024]; /* the item of sentiment.sources */
    struct http_call *call;
    struct err err; /* of the last reading; ERR_NONE: it went well, or there was none */
    int failures;   /* in a row */
    int64_t next_mono_us;
    int64_t tried_us; /* wall; 0: never */
    int64_t read_us;  /* wall; the last time that it went well; 0: never */
    int entries;      /* of that reading */
    int unnamed;
    int undated;
    int count;
    struct sentiment_item *items; /* newest first; of SOURCE_ITEMS_MAX; NULL: none yet */
};

/* A symbol's value, as it was published last. */
struct sentiment_state {
    bool known;
    double score;
    int64_t until_us;
    int64_t newest_us; /* when the newest of what it is made of was received */
    int entries;       /* that it is made of */
    int sources;
};

struct sentiment {
    struct sentiment_options o;
    const struct clock *clock;
    struct loop_source *tick; /* NULL without sources */
    bool started;
    bool changed;
    bool published;  /* since the start */
    int64_t next_us; /* wall: then an entry becomes too old; 0: none */
    int64_t prune_mono_us;
    int count;
    struct sentiment_source *sources[CONFIG_SENTIMENT_SOURCES];
    struct sentiment_state *states; /* of market.symbols; NULL without sources */
    struct rating *rating;          /* the request under way; NULL: none */
    struct sentiment_test *tests;   /* under way */
};

/* A run of sentiment.test that waits for the server. */
struct sentiment_test {
    struct sentiment_test *next;
    struct sentiment *sentiment;
    struct action_call *call;
    struct config_sentiment config;
    struct http_call *request;
};

/* sentiment.c */
static inline int64_t sentiment_now_us(const struct sentiment *sentiment)
{
    return clock_wall_us(sentiment->clock);
}
void sentiment_changed(struct sentiment *sentiment);
/* Computes the values, stores and publishes them if they differ. */
void sentiment_publish(struct sentiment *sentiment);
/* NULL: there is none of this name. */
struct sentiment_source *sentiment_find(const struct sentiment *sentiment, const char *name);

/* source.c */
struct sentiment_source *source_new(struct sentiment *sentiment, const char *text);
void source_free(struct sentiment_source *source);
void source_fetch(struct sentiment_source *source);
/* Sends the request for it; used by its own readings and by tests. NULL as http_send. */
struct http_call *source_ask(const struct sentiment *sentiment,
                             const struct config_sentiment *config, http_fn fn, void *userdata,
                             struct err *err);
/* From when the age of an item counts. */
int64_t source_item_since_us(const struct sentiment_item *item);
/* Whether it has a score and is young enough. */
bool source_item_counts(const struct sentiment_source *source, const struct sentiment_item *item);
/* Whether it is about the symbol. */
bool source_item_names(const struct sentiment_item *item, struct symbol symbol);

/* rating.c */
void rating_next(struct sentiment *sentiment);
void rating_cancel(struct sentiment *sentiment);

/* actions.c */
void sentiment_cancel_tests(struct sentiment *sentiment);
/* Its answer has come: ends the call and frees the test. */
void sentiment_test_answer(const struct http_response *response, void *test);
