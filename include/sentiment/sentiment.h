/*
 * sentiment.h: reads the sources of sentiment.sources and passes one number for each symbol, or
 * none, to the engine.
 *
 *     struct sentiment *sentiment = sentiment_new(&(struct sentiment_options){.loop = loop,
 *         .config = config, .store = store, .http = http, .shared = shared});
 *     sentiment_actions(sentiment, table);         // sentiment.show, sentiment.test
 *     sentiment_start(sentiment);                  // publishes what is stored, reads within 1 s
 *
 * Always true:
 * - It is an input: a trading rule or a model may use it, nothing here makes an order.
 * - A value is published after it was received and stored, and never dated back. What was published
 *   or received longer ago than sentiment.max_age counts no more.
 * - What a source says is data: text from it is made plain, given to a model only as untrusted
 *   data, and never interpreted.
 * - A source that fails changes nothing but its state; its entries count until they are too old.
 * Without sources there is no timer and nothing is published. Thread: ops.
 */
#pragma once

#include "command/action.h"
#include "model/llm_request.h"

struct config;
struct http;
struct loop;
struct ops_store;
struct sentiment;
struct shared;

struct sentiment_options {
    struct loop *loop;
    const struct config *config;
    struct ops_store *store;
    struct http *http;
    struct shared *shared;               /* its mailbox of sentiment is written */
    const struct llm_client *llm_client; /* NULL: no key is configured. Borrowed */
};

struct sentiment *sentiment_new(const struct sentiment_options *options); /* never NULL */
void sentiment_free(struct sentiment *sentiment);
void sentiment_start(struct sentiment *sentiment);
/* Sources are matched by name: one whose text stays keeps its state. llm_client as in the options.
 */
void sentiment_apply(struct sentiment *sentiment, const struct config *config,
                     const struct llm_client *llm_client);
void sentiment_actions(struct sentiment *sentiment, struct action_table *table);
