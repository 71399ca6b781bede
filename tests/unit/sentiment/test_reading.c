/* What an answer of a source says: feeds, indices, and all that is neither. */

#include "../../../src/sentiment/feed_date.h"
#include "../../../src/sentiment/lexicon.h"
#include "../../../src/sentiment/mention.h"
#include "../../../src/sentiment/reading.h"
#include "base/check.h"
#include "base/clock.h"
#include "unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

struct scene {
    struct config config;
    struct sentiment_reading reading;
    struct err err;
};

static int open_scene(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    static const char *const symbols[] = {"BTC-USD", "ETH-USD", "SOL-USD", "OP-USD"};
    for (size_t i = 0; i < COUNT_OF(symbols); i++) {
        (void)symbol_parse(str_c(symbols[i]), &s->config.market_symbols.items[i]);
    }
    s->config.market_symbols.count = COUNT_OF(symbols);
    *state = s;
    return 0;
}

static int close_scene(void **state)
{
    free(*state);
    return 0;
}

static struct config_sentiment source_of(const char *text)
{
    struct config_sentiment source;
    AUTO_BUF struct buf why = BUF_INIT(256);
    if (!config_sentiment_parse(text, &source, &why)) {
        print_error("%s\n", why.data);
        fail();
    }
    return source;
}

static int read_answer(struct scene *s, const char *source, struct str body)
{
    const struct config_sentiment config = source_of(source);
    const struct http_response response = {.outcome = HTTP_OK, .status = 200, .body = body};
    err_clear(&s->err);
    return reading_make(&config, &s->config, &response, NOW_US, &s->reading, &s->err);
}

static void refused(struct scene *s, const char *source, const char *body, enum err_id id,
                    const char *context)
{
    int rc = read_answer(s, source, str_c(body));
    if (rc != -(int)id) {
        print_error("%s\n-> %d %s\n", body, rc, s->err.context);
    }
    assert_int_equal(rc, -(int)id);
    assert_has(s->err.context, context);
}

/* ------------------------------------------------------------------ indices */

#define FNG  "mood fear_greed http://127.0.0.1/fng"
#define JSON "chain json http://127.0.0.1/x value=/a/b time=/a/at low=10 high=-10 symbols=BTC-USD"

static void the_fear_and_greed_index_is_a_score(void **state)
{
    struct scene *s = *state;
    assert_int_equal(
        read_answer(s, FNG,
                    STR_LIT("{\"name\":\"Fear and Greed Index\",\"data\":[{\"value\":\"25\","
                            "\"value_classification\":\"Extreme Fear\",\"timestamp\":"
                            "\"1767139200\",\"time_until_update\":\"60\"}],\"metadata\":"
                            "{\"error\":null}}")),
        0);
    assert_int_equal(s->reading.count, 1);
    const struct sentiment_item *item = &s->reading.items[0];
    assert_true(item->score >= -0.5 && item->score <= -0.5);
    assert_int_equal(item->scorer, SENTIMENT_INDEX);
    assert_string_equal(item->symbols, "");
    assert_string_equal(item->title, "25 of 0 to 100, Extreme Fear");
    assert_int_equal(item->published_us, INT64_C(1767139200000000));
    assert_int_equal(item->received_us, NOW_US);
    static const char *const values[] = {"0", "100", "50"};
    static const double scores[] = {-1, 1, 0};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char body[64];
        (void)snprintf(body, sizeof(body), "{\"data\":[{\"value\":%s}]}", values[i]);
        assert_int_equal(read_answer(s, FNG, str_c(body)), 0);
        assert_true(fabs(s->reading.items[0].score - scores[i]) < 1e-12);
        assert_int_equal(s->reading.items[0].published_us, 0);
        assert_int_equal(s->reading.undated, 1);
    }
}

static void an_index_that_says_nothing_usable_is_refused(void **state)
{
    struct scene *s = *state;
    const enum err_id answer = ERR_SENTIMENT_ANSWER;
    refused(s, FNG, "{\"data\":[],\"metadata\":{\"error\":null}}", answer,
            "there is nothing at /data/0/value");
    refused(s, FNG, "{\"data\":[],\"metadata\":{\"error\":\"down\"}}", answer, "says: down");
    refused(s, FNG, "{\"data\":[{\"value\":\"101\"}]}", answer, "101 at /data/0/value is not");
    refused(s, FNG, "{\"data\":[{\"value\":-0.001}]}", answer, "is not between 0 and 100");
    refused(s, FNG, "{\"data\":[{\"value\":\"nan\"}]}", answer, "no number at");
    refused(s, FNG, "{\"data\":[{\"value\":\"40 \\u0000\"}]}", answer, "no number at");
    refused(s, FNG, "{\"data\":[{\"value\":\"1e999\"}]}", answer, "no number at");
    refused(s, FNG, "{\"data\":[{\"value\":true}]}", answer, "no number at");
    refused(s, FNG, "{\"data\":[{\"value\":null}]}", answer, "there is nothing at");
    refused(s, FNG, "{\"data\":[{\"value\":[40]}]}", answer, "no number at");
    refused(s, FNG, "{\"data\":{\"value\":40}}", answer, "there is nothing at");
    refused(s, FNG, "{\"data\":[{\"value\":40,\"timestamp\":\"soon\"}]}", answer, "no time at");
    refused(s, FNG, "{\"data\":[{\"value\":40,\"timestamp\":-3}]}", answer, "no time at");
    refused(s, FNG, "{\"data\":[{\"value\":NaN}]}", ERR_JSON_SYNTAX, "");
    refused(s, FNG, "<html>busy</html>", ERR_JSON_SYNTAX, "");
    refused(s, FNG, "", ERR_JSON_SYNTAX, "");
}

static void a_number_of_any_document_is_a_score(void **state)
{
    struct scene *s = *state;
    static const char *const times[] = {"1767139200",       "1767139200000",
                                        "1767139200000000", "1767139200000000000",
                                        "\"1767139200\"",   "\"2025-12-31T01:00:00+01:00\"",
                                        "\"2025-12-31\""};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        char body[96];
        (void)snprintf(body, sizeof(body), "{\"a\":{\"b\":\"5.0\",\"at\":%s}}", times[i]);
        assert_int_equal(read_answer(s, JSON, str_c(body)), 0);
        const struct sentiment_item *item = &s->reading.items[0];
        assert_true(fabs(item->score + 0.5) < 1e-12); /* low is the higher number */
        assert_int_equal(item->published_us, INT64_C(1767139200000000));
        assert_string_equal(item->symbols, "BTC-USD");
        assert_string_equal(item->title, "5 of 10 to -10");
    }
    refused(s, JSON, "{\"a\":{\"b\":11}}", ERR_SENTIMENT_ANSWER, "11 at /a/b is not between");
    refused(s, JSON, "[]", ERR_SENTIMENT_ANSWER, "there is nothing at /a/b");
    refused(s, JSON, "7", ERR_SENTIMENT_ANSWER, "there is nothing at /a/b");
    refused(s, JSON, "null", ERR_SENTIMENT_ANSWER, "there is nothing at /a/b");
}

/* A date in the future is not believed: the age counts from when it was received. */
static void a_date_in_the_future_is_ignored(void **state)
{
    struct scene *s = *state;
    assert_int_equal(
        read_answer(s, FNG, STR_LIT("{\"data\":[{\"value\":40,\"timestamp\":1867139200}]}")), 0);
    assert_int_equal(s->reading.items[0].published_us, 0);
    assert_int_equal(s->reading.future, 1);
    assert_int_equal(
        read_answer(s, FNG, STR_LIT("{\"data\":[{\"value\":40,\"timestamp\":1767225660}]}")), 0);
    assert_int_equal(s->reading.items[0].published_us, NOW_US); /* a clock differs a little */
    assert_int_equal(s->reading.future, 0);
}

/* ------------------------------------------------------------------ feeds */

#define NEWS "news feed http://127.0.0.1/rss"

#define RSS(items)                                                                    \
    "<?xml version=\"1.0\"?><rss version=\"2.0\" xmlns:media=\"http://m/\"><channel>" \
    "<title>Bitcoin news</title>" items "</channel></rss>"

static void an_rss_feed_is_read(void **state)
{
    struct scene *s = *state;
    assert_int_equal(
        read_answer(
            s, NEWS,
            STR_LIT(RSS(
                "<item><media:title>no</media:title><title>Bitcoin &amp;amp; "
                "&lt;b&gt;ETH&lt;/b&gt; "
                "up</title><guid>1</guid><pubDate>Wed, 31 Dec 2025 23:00:00 +0100</pubDate></item>"
                "<item><title><![CDATA[$OP 5 < 6]]></title><link>http://x/2</link></item>"
                "<item><title>Weather</title><description>About Solana.</description></item>"
                "<item><title>Weather again</title></item>"
                "<item><title>Bitcoin, the same</title><guid>1</guid></item>"
                "<item><guid>9</guid></item>"))),
        0);
    const struct sentiment_reading *r = &s->reading;
    assert_int_equal(r->entries, 5);
    assert_int_equal(r->count, 3);
    assert_int_equal(r->unnamed, 1);
    assert_int_equal(r->repeated, 1);
    assert_int_equal(r->undated, 2);
    assert_string_equal(r->items[0].title, "Bitcoin & ETH up");
    assert_string_equal(r->items[0].symbols, "BTC-USD,ETH-USD");
    assert_int_equal(r->items[0].published_us, NOW_US - 2 * USEC_PER_HOUR);
    assert_int_equal(r->items[0].scorer, SENTIMENT_WAITS);
    assert_string_equal(r->items[1].title, "$ OP 5 < 6");
    assert_string_equal(r->items[1].symbols, "OP-USD");
    assert_string_equal(r->items[2].symbols, "SOL-USD");
    assert_int_equal(read_answer(s, NEWS " symbols=ETH-USD",
                                 STR_LIT(RSS("<item><title>Rates rise</title></item>"))),
                     0);
    assert_string_equal(s->reading.items[0].symbols, "ETH-USD");
}

static void an_atom_feed_and_rss_1_are_read(void **state)
{
    struct scene *s = *state;
    assert_int_equal(
        read_answer(s, NEWS,
                    STR_LIT("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>n</title><entry>"
                            "<title type=\"xhtml\"><div>BTC <b>falls</b></div></title><id>u</id>"
                            "<updated>2025-12-31T23:59:00Z</updated>"
                            "<published>2025-12-31T23:00:00.5Z</published></entry></feed>")),
        0);
    assert_int_equal(s->reading.count, 1);
    assert_string_equal(s->reading.items[0].title, "BTC falls");
    assert_int_equal(s->reading.items[0].published_us, NOW_US - USEC_PER_HOUR + USEC_PER_SEC / 2);
    assert_int_equal(
        read_answer(s, NEWS,
                    STR_LIT("<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" "
                            "xmlns=\"http://purl.org/rss/1.0/\" "
                            "xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel/><item>"
                            "<title>ETH</title><dc:date>2025-12-31T23:00+00:00</dc:date></item>"
                            "</rdf:RDF>")),
        0);
    assert_int_equal(s->reading.count, 1);
    assert_int_equal(s->reading.items[0].published_us, NOW_US - USEC_PER_HOUR);
}

static void what_is_no_feed_is_refused(void **state)
{
    struct scene *s = *state;
    refused(s, NEWS, "<!DOCTYPE html><html><head><meta charset=utf-8><title>x</title>",
            ERR_SENTIMENT_ANSWER, "its root is <html>");
    refused(s, NEWS, "<html><body/></html>", ERR_SENTIMENT_ANSWER, "its root is <html>");
    refused(s, NEWS, "{\"a\":1}", ERR_XML_SYNTAX, "line 1: ");
    refused(s, NEWS, "", ERR_XML_SYNTAX, "line 1: ");
    refused(s, NEWS, RSS("<item><title>BTC</title>"), ERR_XML_SYNTAX, "mismatched tag");
    refused(s, NEWS, RSS("<item><title>BTC&nbsp;</title></item>"), ERR_XML_SYNTAX, "entity");
    refused(s, NEWS, RSS("<item><title>BTC \xff\xfe</title></item>"), ERR_XML_SYNTAX, "");
    refused(s, NEWS, "<?xml version=\"1.0\" encoding=\"koi8-r\"?><rss/>", ERR_XML_SYNTAX,
            "encoding");
    refused(s, NEWS,
            "<!DOCTYPE rss [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><rss><channel>"
            "<item><title>BTC &b;</title></item></channel></rss>",
            ERR_XML_SYNTAX, "it declares entities");
    refused(s, NEWS, "<!DOCTYPE rss [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><rss>&a;</rss>",
            ERR_XML_SYNTAX, "it declares entities");
    AUTO_BUF struct buf deep = BUF_INIT(4096);
    buf_add_c(&deep, "<rss>");
    for (int i = 0; i < 100; i++) {
        buf_add_c(&deep, "<a>");
    }
    refused(s, NEWS, deep.data, ERR_XML_SYNTAX, "nested too deeply");
}

static void other_encodings_are_read(void **state)
{
    struct scene *s = *state;
    assert_int_equal(
        read_answer(s, NEWS,
                    STR_LIT("<?xml version=\"1.0\" encoding=\"windows-1252\"?><rss><channel><item>"
                            "<title>BTC \x80 \x93na\xefve\x94</title></item></channel></rss>")),
        0);
    assert_string_equal(s->reading.items[0].title, "BTC € “naïve”");
    static const char text[] = "\xfe\xff<rss><item><title>BTC \xe9</title></item></rss>";
    char wide[2 * sizeof(text)];
    size_t n = 0;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        if (i >= 2) {
            wide[n++] = '\0';
        }
        wide[n++] = text[i];
    }
    assert_int_equal(read_answer(s, NEWS, str_n(wide, n)), 0);
    assert_string_equal(s->reading.items[0].title, "BTC é");
}

/* The limits hold, and the rest of the document is not looked at. */
static void a_long_feed_is_cut(void **state)
{
    struct scene *s = *state;
    AUTO_BUF struct buf body = BUF_INIT((size_t)1 << 20);
    AUTO_BUF struct buf title = BUF_INIT(8192);
    for (int i = 0; i < 4000; i++) {
        buf_add_c(&title, "é");
    }
    buf_add_c(&body, "<rss><channel>");
    for (int i = 0; i < 150; i++) {
        buf_addf(&body, "<item><title>BTC %d %s</title></item>", i, i == 0 ? title.data : "");
    }
    buf_add_c(&body, "<never closed");
    assert_int_equal(read_answer(s, NEWS, buf_str(&body)), 0);
    assert_int_equal(s->reading.entries, READING_MAX);
    assert_int_equal(s->reading.count, READING_MAX);
    assert_true(strlen(s->reading.items[0].title) < SENTIMENT_TITLE_SIZE);
    assert_true(str_is_utf8(str_c(s->reading.items[0].title)));
}

/* A headline is data: nothing in it can be tapped, and no mark of an order is left. */
static void a_headline_is_plain_text(void **state)
{
    struct scene *s = *state;
    assert_int_equal(read_answer(s, NEWS,
                                 STR_LIT(RSS("<item><title>BTC\n/emergency_stop now "
                                             "\xe2\x80\xae@bob evil.com</title></item>"))),
                     0);
    assert_string_equal(s->reading.items[0].title, "BTC / emergency_stop now @ bob evil[.]com");
}

/* ------------------------------------------------------------------ the answer as a whole */

static void other_answers_are_refused(void **state)
{
    struct scene *s = *state;
    const struct config_sentiment source = source_of(NEWS);
    const struct http_header to = {"location", "https://user:pw@other.example/x?key=abc#f"};
    struct http_response response = {
        .outcome = HTTP_OK, .status = 301, .headers = &to, .header_count = 1};
    assert_int_equal(reading_make(&source, &s->config, &response, NOW_US, &s->reading, &s->err),
                     -ERR_SENTIMENT_REDIRECT);
    assert_string_equal(s->err.context, "HTTP 301 to https://other.example/x?key=***");
    response = (struct http_response){.outcome = HTTP_OK, .status = 404};
    assert_int_equal(reading_make(&source, &s->config, &response, NOW_US, &s->reading, &s->err),
                     -ERR_SENTIMENT_ANSWER);
    assert_string_equal(s->err.context, "HTTP 404");
    response = (struct http_response){.outcome = HTTP_TOO_LARGE, .status = 200};
    assert_int_equal(reading_make(&source, &s->config, &response, NOW_US, &s->reading, &s->err),
                     -ERR_HTTP_TOO_LARGE);
    response = (struct http_response){.outcome = HTTP_UNKNOWN, .err = {.id = ERR_HTTP_TIMEOUT}};
    assert_int_equal(reading_make(&source, &s->config, &response, NOW_US, &s->reading, &s->err),
                     -ERR_HTTP_TIMEOUT);
}

/* ------------------------------------------------------------------ parts */

static void dates_of_feeds_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } dates[] = {
        {"Tue, 10 Jun 2003 04:00:00 GMT", 1055217600},
        {"10 Jun 2003 04:00 GMT", 1055217600},
        {"Tue, 10 Jun 2003 00:00:00 EDT", 1055217600},
        {"Tue, 10 June 03 06:00:00 +0200", 1055217600},
        {" 10 Jun 2003 04:00:00\n", 1055217600},
        {"Tuesday, 10 JUN 2003 4:00:00 UT", 1055217600},
        {"2003-06-10T04:00:00Z", 1055217600},
        {"2003-06-10T06:00:00+02:00", 1055217600},
        {"2003-06-09T23:30:00.25-0430", 1055217600},
        {"2003-06-10", 1055203200},
    };
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        int64_t at_us = 0;
        if (!feed_date_parse(str_c(dates[i].text), &at_us) ||
            at_us / USEC_PER_SEC != dates[i].seconds) {
            print_error("%s: %lld\n", dates[i].text, (long long)at_us);
            fail();
        }
    }
    static const char *const wrong[] = {"",
                                        "yesterday",
                                        "Tue, 32 Jun 2003 04:00:00 GMT",
                                        "Tue, 10 Jux 2003 04:00:00 GMT",
                                        "Tue, 10 Jun 2003 04:00:00 XYZ",
                                        "Tue, 10 Jun 2003 04:00:00 +9900",
                                        "Tue, 10 Jun -003 04:00:00 GMT",
                                        "Tue, 10 Jun 2003 25:00:00 GMT",
                                        "Tue, 10 Jun 99999999999999999999 04:00:00 GMT",
                                        "2003-06-10T04:00:00+2",
                                        "2003-13-10T04:00:00Z",
                                        "1960-01-01T00:00:00Z"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        int64_t at_us = 0;
        if (feed_date_parse(str_c(wrong[i]), &at_us)) {
            print_error("%s: %lld\n", wrong[i], (long long)at_us);
            fail();
        }
    }
}

static void words_rate_a_headline(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double low;
        double high;
    } cases[] = {
        {"", 0, 0},
        {"Fed meets on Tuesday", 0, 0},
        {"Bitcoin surges to a record high", 0.7, 0.75},
        {"BITCOIN CRASHES", -0.5, -0.5},
        {"Bitcoin did not crash", 0.5, 0.5},
        {"No ban on Bitcoin", 0.5, 0.5},
        {"It isn’t a scam", 0.5, 0.5},
        {"Exchange hacked: funds stolen in exploit", -0.76, -0.74},
        {"fallback of the crashing-plungers", -0.5, -0.5},
        {"gains and losses", 0, 0},
        {"hack hack hack hack hack hack hack hack hack hack hack hack", -1, -0.9},
        {"\xff\xfe '", 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double score = lexicon_score(str_c(cases[i].text));
        if (!(score >= cases[i].low && score <= cases[i].high)) {
            print_error("%s: %g\n", cases[i].text, score);
            fail();
        }
    }
}

static void symbols_are_named_as_words(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *title;
        const char *summary;
        const char *symbols;
    } cases[] = {
        {"BTC and $ETH", "", "BTC-USD,ETH-USD"},
        {"bitcoin", "Solana", "BTC-USD"}, /* the title decides */
        {"Solar power", "the Solana chain", "SOL-USD"},
        {"ABTC BTCX sol eth", "", ""},
        {"OP ed", "", ""},
        {"$OP", "", "OP-USD"},
        {"Ethereum's ether", "", "ETH-USD"},
        {"whether", "together", ""},
        {"xéBTC BTCé", "", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf out = BUF_INIT(SENTIMENT_SYMBOLS_SIZE - 1);
        mention_symbols(str_c(cases[i].title), str_c(cases[i].summary), &s->config.market_symbols,
                        &out);
        assert_string_equal(out.data, cases[i].symbols);
    }
    AUTO_BUF struct buf small = BUF_INIT(10);
    mention_symbols(STR_LIT("BTC ETH"), STR_LIT(""), &s->config.market_symbols, &small);
    assert_string_equal(small.data, "BTC-USD"); /* as many as fit */
}

#define READING_TEST(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)
UNIT_GROUP(reading, READING_TEST(the_fear_and_greed_index_is_a_score),
           READING_TEST(an_index_that_says_nothing_usable_is_refused),
           READING_TEST(a_number_of_any_document_is_a_score),
           READING_TEST(a_date_in_the_future_is_ignored), READING_TEST(an_rss_feed_is_read),
           READING_TEST(an_atom_feed_and_rss_1_are_read), READING_TEST(what_is_no_feed_is_refused),
           READING_TEST(other_encodings_are_read), READING_TEST(a_long_feed_is_cut),
           READING_TEST(a_headline_is_plain_text), READING_TEST(other_answers_are_refused),
           READING_TEST(dates_of_feeds_are_read), READING_TEST(words_rate_a_headline),
           READING_TEST(symbols_are_named_as_words))
