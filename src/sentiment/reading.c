#include "reading.h"

#include "feed.h"
#include "index_number.h"
#include "io/secret.h"
#include "mention.h"
#include "model/plain_text.h"

#include <string.h>

#define FUTURE_US (5 * USEC_PER_MIN) /* a clock may differ by so much */

static void add_symbols(const struct config_sentiment *source, struct buf *out)
{
    for (int i = 0; i < source->symbol_count; i++) {
        buf_addf(out, "%s%s", i > 0 ? "," : "", source->symbols[i].name);
    }
}

static bool has_key(const struct sentiment_reading *reading, const char *key)
{
    for (int i = 0; i < reading->count; i++) {
        if (strcmp(reading->items[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

void reading_add(struct sentiment_reading *reading, const struct config_sentiment *source,
                 const struct config *config, const struct reading_entry *entry, int64_t now_us)
{
    AUTO_BUF struct buf symbols = BUF_INIT(SENTIMENT_SYMBOLS_SIZE - 1);
    char hash[SECRET_HASH_HEX_SIZE];
    struct sentiment_item item = {.received_us = now_us, .scorer = SENTIMENT_WAITS};
    reading->entries++;
    add_symbols(source, &symbols);
    if (source->symbol_count == 0) {
        mention_symbols(entry->title, entry->summary, &config->market_symbols, &symbols);
        if (symbols.len == 0) {
            reading->unnamed++;
            return;
        }
    }
    secret_hash(NULL, entry->id.len > 0 ? entry->id : entry->title, hash);
    (void)str_copy(str_n(hash, SENTIMENT_KEY_SIZE - 1), item.key, sizeof(item.key));
    if (has_key(reading, item.key)) {
        reading->repeated++;
        return;
    }
    (void)str_copy(str_c(source->name), item.source, sizeof(item.source));
    (void)str_copy(buf_str(&symbols), item.symbols, sizeof(item.symbols));
    plain_text(entry->title, PLAIN_LINE, item.title, sizeof(item.title));
    reading->undated += entry->published_us == 0;
    reading->future += entry->published_us > now_us + FUTURE_US;
    if (entry->published_us <= now_us + FUTURE_US) {
        item.published_us = entry->published_us < now_us ? entry->published_us : now_us;
    }
    reading->items[reading->count++] = item;
}

/* ------------------------------------------------------------------ an index */

static int read_number(const struct config_sentiment *source, struct str body, int64_t now_us,
                       struct sentiment_reading *ret, struct err *err)
{
    AUTO_BUF struct buf symbols = BUF_INIT(SENTIMENT_SYMBOLS_SIZE - 1);
    struct index_number number;
    int rc = index_number_read(source, body, &number, err);
    if (rc < 0) {
        return rc;
    }
    struct sentiment_item *item = &ret->items[0];
    *item = (struct sentiment_item){
        .key = "index", .received_us = now_us, .scorer = SENTIMENT_INDEX, .score = number.score};
    add_symbols(source, &symbols);
    (void)str_copy(str_c(source->name), item->source, sizeof(item->source));
    (void)str_copy(buf_str(&symbols), item->symbols, sizeof(item->symbols));
    plain_text(str_c(number.text), PLAIN_LINE, item->title, sizeof(item->title));
    ret->entries = ret->count = 1;
    ret->undated = number.published_us == 0;
    ret->future = number.published_us > now_us + FUTURE_US;
    if (ret->future == 0) {
        item->published_us = number.published_us < now_us ? number.published_us : now_us;
    }
    return 0;
}

/* ------------------------------------------------------------------ the answer */

static int redirected(const struct http_response *response, struct err *err)
{
    AUTO_BUF struct buf where = BUF_INIT(256);
    const char *location = http_header(response, "location");
    http_redact_url(str_c(location), &where);
    return err_set(err, ERR_SENTIMENT_REDIRECT, "HTTP %d to %s", response->status,
                   where.len > 0 ? where.data : "another URL");
}

int reading_make(const struct config_sentiment *source, const struct config *config,
                 const struct http_response *response, int64_t now_us,
                 struct sentiment_reading *ret, struct err *err)
{
    *ret = (struct sentiment_reading){0};
    if (response->outcome == HTTP_TOO_LARGE) {
        return err_set(err, ERR_HTTP_TOO_LARGE, "more than %zu KiB", READING_BYTES / 1024);
    }
    if (response->outcome != HTTP_OK) {
        return err_set(err, (enum err_id)response->err.id, "%s", response->err.context);
    }
    if (response->status >= 300 && response->status <= 399) {
        return redirected(response, err);
    }
    if (response->status != 200) {
        return err_set(err, ERR_SENTIMENT_ANSWER, "HTTP %d", response->status);
    }
    return source->kind == CONFIG_SENTIMENT_FEED
               ? feed_read(source, config, response->body, now_us, ret, err)
               : read_number(source, response->body, now_us, ret, err);
}
