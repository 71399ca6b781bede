#include "config/sentiment.h"

#include "base/check.h"
#include "value.h"

#include <math.h>
#include <string.h>

static const char *const kind_words[] = {[CONFIG_SENTIMENT_FEED] = "feed",
                                         [CONFIG_SENTIMENT_JSON] = "json",
                                         [CONFIG_SENTIMENT_FEAR_GREED] = "fear_greed"};

const char *config_sentiment_kind_name(enum config_sentiment_kind kind)
{
    ASSERT((unsigned)kind < COUNT_OF(kind_words));
    return kind_words[kind];
}

static bool is_name(struct str name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < name.len; i++) {
        if (strchr(plain, name.ptr[i]) == NULL) {
            return false;
        }
    }
    return name.len > 0;
}

static bool read_kind(struct str word, struct config_sentiment *ret)
{
    for (unsigned i = 0; i < COUNT_OF(kind_words); i++) {
        if (str_equal_c(word, kind_words[i])) {
            ret->kind = (enum config_sentiment_kind)i;
            return true;
        }
    }
    return false;
}

static bool read_symbols(struct str list, struct config_sentiment *ret)
{
    struct str part;
    while (str_split(&list, ',', &part)) {
        if (ret->symbol_count == CONFIG_SENTIMENT_SYMBOLS ||
            !symbol_parse(part, &ret->symbols[ret->symbol_count])) {
            return false;
        }
        ret->symbol_count++;
    }
    return ret->symbol_count > 0;
}

static bool read_pointer(struct str text, char *dst, size_t dst_size)
{
    return str_starts(text, "/") && str_copy(text, dst, dst_size);
}

static bool read_number(struct str text, double *ret)
{
    return str_to_double(text, ret) && isfinite(*ret);
}

/* What follows the URL. */
static bool read_word(struct str word, struct config_sentiment *ret, struct buf *why)
{
    struct str value = word, key;
    bool is_json = ret->kind == CONFIG_SENTIMENT_JSON;
    bool has_value = memchr(word.ptr, '=', word.len) != NULL;
    if (!has_value || !str_split(&value, '=', &key)) {
        buf_addf(why, "expected words such as symbols=BTC-USD, found \"%.*s\"",
                 (int)(word.len > 40 ? 40 : word.len), word.ptr);
        return false;
    }
    const char *expected = NULL;
    if (str_equal_c(key, "symbols")) {
        expected = read_symbols(value, ret) ? NULL : "1 to 16 symbols, such as BTC-USD,ETH-USD";
    } else if (str_equal_c(key, "header")) {
        ret->header = str_equal_c(value, "yes");
        expected = ret->header ? NULL : "yes";
    } else if (is_json && str_equal_c(key, "value")) {
        expected = read_pointer(value, ret->value, sizeof(ret->value))
                       ? NULL
                       : "a JSON pointer, such as /data/score";
    } else if (is_json && str_equal_c(key, "time")) {
        expected = read_pointer(value, ret->time, sizeof(ret->time))
                       ? NULL
                       : "a JSON pointer, such as /data/at";
    } else if (is_json && str_equal_c(key, "low")) {
        expected = read_number(value, &ret->low) ? NULL : "a number";
    } else if (is_json && str_equal_c(key, "high")) {
        expected = read_number(value, &ret->high) ? NULL : "a number";
    } else {
        buf_addf(why, "unknown word \"%.*s\" for %s: expected %s",
                 (int)(key.len > 40 ? 40 : key.len), key.ptr, config_sentiment_kind_name(ret->kind),
                 is_json ? "symbols, value, time, low, high or header" : "symbols or header");
        return false;
    }
    if (expected != NULL) {
        buf_addf(why, "%.*s: expected %s", STR_ARG(key), expected);
    }
    return expected == NULL;
}

static bool is_complete(const struct config_sentiment *s, struct buf *why)
{
    if (s->kind == CONFIG_SENTIMENT_JSON && s->value[0] == '\0') {
        buf_add_c(why, "expected value=, the JSON pointer to the number");
        return false;
    }
    if (s->low <= s->high && s->low >= s->high) {
        buf_add_c(why, "expected two different numbers for low and high");
        return false;
    }
    return true;
}

bool config_sentiment_parse(const char *text, struct config_sentiment *ret, struct buf *why)
{
    struct str rest = str_c(text), name, kind, url, word;
    *ret = (struct config_sentiment){.low = -1, .high = 1};
    if (!str_word(&rest, &name) || !str_word(&rest, &kind) || !str_word(&rest, &url)) {
        buf_add_c(why, "expected NAME KIND URL, such as "
                       "\"mood fear_greed https://api.alternative.me/fng/\"");
        return false;
    }
    if (!is_name(name) || !str_copy(name, ret->name, sizeof(ret->name))) {
        buf_add_c(why, "expected a name of 1 to 23 of a-z, 0-9, - and _");
        return false;
    }
    if (!read_kind(kind, ret)) {
        buf_add_c(why, "expected the kind feed, json or fear_greed after the name");
        return false;
    }
    if (!value_is_url(url) || !str_copy(url, ret->url, sizeof(ret->url))) {
        buf_add_c(why, "expected a URL that starts with http:// or https:// and contains no "
                       "password");
        return false;
    }
    if (ret->kind == CONFIG_SENTIMENT_FEAR_GREED) {
        (void)str_copy(STR_LIT("/data/0/value"), ret->value, sizeof(ret->value));
        (void)str_copy(STR_LIT("/data/0/timestamp"), ret->time, sizeof(ret->time));
        (void)str_copy(STR_LIT("/data/0/value_classification"), ret->label, sizeof(ret->label));
        ret->low = 0;
        ret->high = 100;
    }
    while (str_word(&rest, &word)) {
        if (!read_word(word, ret, why)) {
            return false;
        }
    }
    return is_complete(ret, why);
}
