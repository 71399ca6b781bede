/* The items of sentiment.sources. */

#include "base/check.h"
#include "config/sentiment.h"
#include "rigs/config_rig.h"
#include "unit/unit.h"

static void a_source_is_read(void **state)
{
    (void)state;
    struct config_sentiment s;
    AUTO_BUF struct buf why = BUF_INIT(256);
    assert_true(config_sentiment_parse("mood fear_greed https://api.example.org/fng/", &s, &why));
    assert_string_equal(s.name, "mood");
    assert_int_equal(s.kind, CONFIG_SENTIMENT_FEAR_GREED);
    assert_string_equal(s.value, "/data/0/value");
    assert_true(s.low >= 0 && s.low <= 0 && s.high >= 100 && s.high <= 100);
    assert_true(config_sentiment_parse("c json http://h/x value=/a/0 time=/t low=5 high=-5.5 "
                                       "symbols=btc-usd,ETH-USD header=yes",
                                       &s, &why));
    assert_int_equal(s.symbol_count, 2);
    assert_string_equal(s.symbols[0].name, "BTC-USD");
    assert_true(s.header && s.high < -5.4);
    assert_string_equal(s.time, "/t");
    assert_true(config_sentiment_parse("n-1 feed http://h/x", &s, &why));
    assert_int_equal(s.symbol_count, 0);
    assert_int_equal(why.len, 0);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } wrong[] = {
        {"", "expected NAME KIND URL"},
        {"mood fear_greed", "expected NAME KIND URL"},
        {"Mood fear_greed http://h/", "expected a name of"},
        {"a-name-that-is-much-too-long feed http://h/", "expected a name of"},
        {"mood rss http://h/", "expected the kind feed, json or fear_greed"},
        {"mood feed ftp://h/", "expected a URL"},
        {"mood feed http://u:p@h/", "expected a URL"},
        {"mood feed http://h/ x", "expected words such as symbols=BTC-USD, found \"x\""},
        {"mood feed http://h/ value=/a", "unknown word \"value\" for feed: expected symbols or"},
        {"mood json http://h/ hello=1", "unknown word \"hello\" for json"},
        {"mood json http://h/", "expected value="},
        {"mood json http://h/ value=a", "value: expected a JSON pointer"},
        {"mood json http://h/ value=/a low=x", "low: expected a number"},
        {"mood json http://h/ value=/a low=nan", "low: expected a number"},
        {"mood json http://h/ value=/a high=1e999", "high: expected a number"},
        {"mood json http://h/ value=/a low=1", "expected two different numbers"},
        {"mood feed http://h/ symbols=", "symbols: expected 1 to 16 symbols"},
        {"mood feed http://h/ symbols=A,,B", "symbols: expected 1 to 16 symbols"},
        {"mood feed http://h/ symbols=A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q", "expected 1 to 16"},
        {"mood feed http://h/ header=no", "header: expected yes"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct config_sentiment s;
        AUTO_BUF struct buf why = BUF_INIT(256);
        assert_false(config_sentiment_parse(wrong[i].text, &s, &why));
        assert_has(why.data, wrong[i].why);
    }
}

static void problems_have_their_line(void **state)
{
    (void)state;
    config_rig_problem("sentiment:\n  sources:\n    - \"a feed http://h/\"\n    - \"a feed "
                       "http://h/2\"\n",
                       ERR_CONFIG_DUPLICATE,
                       "t.yaml:4:7: sentiment.sources: the name a is used twice");
    config_rig_problem("sentiment:\n  sources:\n    - \"a feed\"\n", ERR_CONFIG_TYPE,
                       "t.yaml:3:7: sentiment.sources: expected NAME KIND URL, such as \"mood "
                       "fear_greed https://api.alternative.me/fng/\"");
    config_rig_problem("sentiment:\n  sources:\n    - \"a feed http://h/ header=yes\"\n",
                       ERR_CONFIG_MISSING,
                       "t.yaml:3:7: sentiment.header: expected a header, because a has header=yes");
    config_rig_problem("sentiment:\n  header: s3cret\n", ERR_CONFIG_TYPE,
                       "t.yaml:2:11: sentiment.header: expected NAME: VALUE, such as \"X-Api-Key: "
                       "…\"");
}

UNIT_GROUP(sentiment, cmocka_unit_test_setup(a_source_is_read, config_rig_clean),
           cmocka_unit_test_setup(what_is_wrong_is_said, config_rig_clean),
           cmocka_unit_test_setup(problems_have_their_line, config_rig_clean))
