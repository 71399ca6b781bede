/* Answers of sources of sentiment, as a feed and as an index: whatever is accepted has plain
 * titles, traded symbols, dates that are not in the future, and scores from -1 to 1. */
#include "../../src/sentiment/reading.h"
#include "base/check.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>

#define NOW_US INT64_C(1767225600000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct config *config, const char *text, struct str body)
{
    static struct sentiment_reading reading;
    struct config_sentiment source;
    AUTO_BUF struct buf why = BUF_INIT(256);
    struct err err = {0};
    const struct http_response response = {.outcome = HTTP_OK, .status = 200, .body = body};
    ASSERT(config_sentiment_parse(text, &source, &why));
    int rc = reading_make(&source, config, &response, NOW_US, &reading, &err);
    if (rc < 0) {
        ASSERT(rc == -err.id);
        return;
    }
    ASSERT(reading.count <= reading.entries && reading.entries <= READING_MAX);
    for (int i = 0; i < reading.count; i++) {
        const struct sentiment_item *item = &reading.items[i];
        ASSERT(str_is_utf8(str_c(item->title)) && strchr(item->title, '\n') == NULL);
        ASSERT(item->published_us >= 0 && item->published_us <= NOW_US);
        ASSERT(item->score >= -1 && item->score <= 1 && item->key[0] != '\0');
        ASSERT(source.kind != CONFIG_SENTIMENT_FEED || item->symbols[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    static bool is_ready;
    struct str body = str_n((const char *)data, size);
    if (!is_ready) {
        ASSERT(secret_init(NULL) == 0);
        config.market_symbols.count = 1;
        (void)symbol_parse(STR_LIT("BTC-USD"), &config.market_symbols.items[0]);
        is_ready = true;
    }
    look(&config, "a feed http://h/", body);
    look(&config, "a fear_greed http://h/", body);
    return 0;
}
