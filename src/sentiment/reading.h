/*
 * reading.h: what an answer of a source says. Private to this module.
 *
 *     struct sentiment_reading *r = calloc(1, sizeof(*r));
 *     rc = reading_make(&source, config, response, now_us, r, err);
 *
 * Always true: titles are plain text and symbols those of the configuration; a published_us is at
 * most now_us, and 0 if the source gives none or one in the future. Nothing is rated yet, but the
 * numbers of indices.
 * Thread: any (pure).
 */
#pragma once

#include "base/err.h"
#include "config/config.h"
#include "config/sentiment.h"
#include "io/http.h"
#include "store/sentiment_table.h"

#define READING_MAX   100 /* entries of one answer; a feed has its newest first */
#define READING_BYTES ((size_t)1 << 20)

struct sentiment_reading {
    int entries;  /* in the answer, at most READING_MAX */
    int unnamed;  /* entries that name no traded symbol: left out */
    int repeated; /* entries that are in the answer already: left out */
    int future;   /* entries dated in the future: as if they had no date */
    int undated;
    int count;
    struct sentiment_item items[READING_MAX];
};

/* ERR_SENTIMENT_ANSWER, ERR_SENTIMENT_REDIRECT, or an error of the connection, JSON or XML. */
int reading_make(const struct config_sentiment *source, const struct config *config,
                 const struct http_response *response, int64_t now_us,
                 struct sentiment_reading *ret, struct err *err);

/* For feed.c: adds an entry, unless it names no symbol or is there already. */
struct reading_entry {
    struct str id; /* "": the title is used */
    struct str title;
    struct str summary;   /* only looked at for names of symbols */
    int64_t published_us; /* 0: unknown */
};
void reading_add(struct sentiment_reading *reading, const struct config_sentiment *source,
                 const struct config *config, const struct reading_entry *entry, int64_t now_us);
