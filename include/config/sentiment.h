/*
 * sentiment.h: one item of sentiment.sources as a value.
 *
 *     struct config_sentiment source;
 *     AUTO_BUF struct buf why = BUF_INIT(256);
 *     if (!config_sentiment_parse("mood fear_greed https://api.example.org/fng/", &source, &why))
 *         complain(why.data);                 // "unknown word kind: expected …"
 *
 * NAME KIND URL, then words: symbols=BTC-USD,ETH-USD, value=/data/score, time=/data/at, low=0,
 * high=100, header=yes. Which words a kind has is in docs/sentiment.md.
 * Thread: any (plain values).
 */
#pragma once

#include "base/buf.h"
#include "model/symbol.h"

#include <stdbool.h>

#define CONFIG_SENTIMENT_SYMBOLS 16
#define CONFIG_SENTIMENT_SOURCES 16 /* of sentiment.sources */

enum config_sentiment_kind {
    CONFIG_SENTIMENT_FEED,       /* RSS or Atom */
    CONFIG_SENTIMENT_JSON,       /* one number in a JSON document */
    CONFIG_SENTIMENT_FEAR_GREED, /* the same, in the form of the Fear & Greed index */
};

struct config_sentiment {
    char name[24]; /* [a-z0-9_-] */
    enum config_sentiment_kind kind;
    char url[512];
    char value[128];  /* JSON pointer to the number; empty for a feed */
    char time[128];   /* JSON pointer to when it was published; empty: unknown */
    char label[128];  /* JSON pointer to what the publisher calls it; empty: none */
    double low;       /* the number that is the score -1 */
    double high;      /* the number that is the score 1; it may be below low */
    bool header;      /* sentiment.header is sent to it */
    int symbol_count; /* 0: an index is about all symbols, an entry of a feed about those it names
                       */
    struct symbol symbols[CONFIG_SENTIMENT_SYMBOLS];
};

const char *config_sentiment_kind_name(enum config_sentiment_kind kind); /* "feed" "json" … */
/* False: *why says what was expected. */
bool config_sentiment_parse(const char *text, struct config_sentiment *ret, struct buf *why);
