#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "lexicon.h"
#include "sentiment_internal.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MAX_US USEC_PER_HOUR

/* ------------------------------------------------------------------ items */

/* The sooner of both: what was published before it was received is that old, and what was received
 * cannot be younger than that. */
int64_t source_item_since_us(const struct sentiment_item *item)
{
    return item->published_us > 0 && item->published_us < item->received_us ? item->published_us
                                                                            : item->received_us;
}

static bool is_young(const struct sentiment_source *source, const struct sentiment_item *item)
{
    const struct sentiment *s = source->sentiment;
    return source_item_since_us(item) + s->o.config->sentiment_max_age_us > sentiment_now_us(s);
}

bool source_item_counts(const struct sentiment_source *source, const struct sentiment_item *item)
{
    return item->scorer >= SENTIMENT_INDEX && is_young(source, item);
}

bool source_item_names(const struct sentiment_item *item, struct symbol symbol)
{
    struct str rest = str_c(item->symbols);
    struct str name;
    bool all = rest.len == 0;
    while (!all && str_split(&rest, ',', &name)) {
        all = str_equal_c(name, symbol.name);
    }
    return all;
}

static struct sentiment_item *find_item(const struct sentiment_source *source, const char *key)
{
    for (int i = 0; i < source->count; i++) {
        if (strcmp(source->items[i].key, key) == 0) {
            return &source->items[i];
        }
    }
    return NULL;
}

/* In front; the oldest makes room. */
static void keep_item(struct sentiment_source *source, const struct sentiment_item *item)
{
    struct sentiment_item *known = find_item(source, item->key);
    if (known != NULL) {
        *known = *item;
        return;
    }
    if (source->count == SOURCE_ITEMS_MAX) {
        source->count--;
    }
    memmove(&source->items[1], &source->items[0], (size_t)source->count * sizeof(source->items[0]));
    source->items[0] = *item;
    source->count++;
}

/* ------------------------------------------------------------------ an answer */

/* Writes what is new, in one transaction. An entry of a feed that is there keeps the time at which
 * it was first received; an index is confirmed by each reading. */
static int store_reading(struct sentiment_source *source, struct sentiment_reading *reading,
                         struct err *err)
{
    struct ops_store *store = source->sentiment->o.store;
    int rc = ops_store_begin_unsynced(store, err);
    int kept = 0;
    for (int i = 0; rc == 0 && i < reading->count; i++) {
        struct sentiment_item *item = &reading->items[i];
        bool known = false;
        if (item->scorer != SENTIMENT_INDEX) {
            rc = sentiment_table_has(store, item->source, item->key, &known, err);
        }
        if (rc < 0 || known || !is_young(source, item)) {
            continue;
        }
        if (item->scorer == SENTIMENT_WAITS &&
            strcmp(source->sentiment->o.config->sentiment_scoring, "claude") != 0) {
            item->scorer = SENTIMENT_LEXICON;
            item->score = lexicon_score(str_c(item->title));
        }
        rc = sentiment_table_write(store, item, err);
        reading->items[kept++] = *item;
    }
    if (rc == 0) {
        rc = ops_store_commit(store, err);
    } else {
        ops_store_rollback(store);
    }
    reading->count = rc < 0 ? 0 : kept;
    return rc;
}

static void note_failure(struct sentiment_source *source, const struct err *err)
{
    int64_t interval_us = source->sentiment->o.config->sentiment_interval_us;
    int64_t wait_us = interval_us;
    if (source->failures == 0 || source->err.id != err->id) {
        LOG(WARNING, "sentiment: %s: %s: %s", source->config.name, err_info(err->id)->code,
            err->context);
    }
    source->err = *err;
    for (int i = 0; i < source->failures && wait_us < RETRY_MAX_US; i++) {
        wait_us *= 2;
    }
    if (wait_us > RETRY_MAX_US) {
        wait_us = interval_us > RETRY_MAX_US ? interval_us : RETRY_MAX_US;
    }
    source->failures++;
    source->next_mono_us = clock_mono_us(source->sentiment->clock) + wait_us;
}

static void on_answer(const struct http_response *response, void *userdata)
{
    struct sentiment_source *source = userdata;
    struct sentiment *s = source->sentiment;
    struct err err = {0};
    AUTO_FREE struct sentiment_reading *reading = calloc(1, sizeof(*reading));
    ASSERT(reading != NULL);
    source->call = NULL;
    int rc =
        reading_make(&source->config, s->o.config, response, sentiment_now_us(s), reading, &err);
    int entries = reading->entries;
    rc = rc < 0 ? rc : store_reading(source, reading, &err);
    if (rc < 0) {
        note_failure(source, &err);
        return;
    }
    if (source->failures > 0) {
        LOG(NOTICE, "sentiment: %s can be read again", source->config.name);
    }
    source->err = (struct err){0};
    source->failures = 0;
    source->read_us = sentiment_now_us(s);
    source->entries = entries;
    source->unnamed = reading->unnamed;
    source->undated = reading->undated + reading->future;
    for (int i = reading->count - 1; i >= 0; i--) { /* the newest is the first of a feed */
        keep_item(source, &reading->items[i]);
    }
    sentiment_changed(s);
}

struct http_call *source_ask(const struct sentiment *sentiment,
                             const struct config_sentiment *config, http_fn fn, void *userdata,
                             struct err *err)
{
    const char *accept = config->kind == CONFIG_SENTIMENT_FEED
                             ? "Accept: application/rss+xml, application/atom+xml, application/xml;"
                               "q=0.9, text/xml;q=0.9, */*;q=0.1"
                             : "Accept: application/json";
    const char *const headers[] = {
        accept, config->header ? sentiment->o.config->sentiment_header : NULL, NULL};
    return http_send(sentiment->o.http,
                     &(struct http_request){.url = config->url,
                                            .headers = headers,
                                            .timeout_ms = SOURCE_TIME_MS,
                                            .max_body_bytes = READING_BYTES},
                     fn, userdata, err);
}

void source_fetch(struct sentiment_source *source)
{
    struct sentiment *s = source->sentiment;
    struct err err = {0};
    if (source->call != NULL) {
        return;
    }
    source->tried_us = sentiment_now_us(s);
    source->next_mono_us = clock_mono_us(s->clock) + s->o.config->sentiment_interval_us;
    source->call = source_ask(s, &source->config, on_answer, source, &err);
    if (source->call == NULL) {
        note_failure(source, &err);
    }
}

/* ------------------------------------------------------------------ life cycle */

struct sentiment_source *source_new(struct sentiment *sentiment, const char *text)
{
    AUTO_BUF struct buf why = BUF_INIT(256);
    struct err err = {0};
    struct sentiment_source *source = calloc(1, sizeof(*source));
    ASSERT(source != NULL);
    bool valid = config_sentiment_parse(text, &source->config, &why);
    ASSERT(valid); /* checked by config_check_sentiment */
    source->sentiment = sentiment;
    (void)str_copy(str_c(text), source->text, sizeof(source->text));
    source->items = calloc(SOURCE_ITEMS_MAX, sizeof(source->items[0]));
    ASSERT(source->items != NULL);
    int64_t since_us = sentiment_now_us(sentiment) - sentiment->o.config->sentiment_max_age_us;
    int n = sentiment_table_load(sentiment->o.store, source->config.name, since_us, source->items,
                                 SOURCE_ITEMS_MAX, &err);
    if (n < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read the stored sentiment");
    }
    source->count = n < 0 ? 0 : n;
    return source;
}

void source_free(struct sentiment_source *source)
{
    if (source == NULL) {
        return;
    }
    http_cancel(TAKE(source->call));
    free(source->items);
    free(source);
}
