/* sentiment_history.h: what was known when, and files that are none. */

#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "market/sentiment_history.h"
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define T(minute) (INT64_C(1767225600000000) + (minute)*USEC_PER_MIN) /* 2026-01-01 */

static int load(const char *text, struct sentiment_history **ret, struct err *err)
{
    char path[] = "/var/tmp/nd-sentiment.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(file_write(path, str_c(text), 0600, NULL), 0);
    int rc = sentiment_history_load(path, ret, err);
    (void)unlink(path);
    return rc;
}

static const char good[] = "received,symbol,score,until\r\n"
                           "2026-01-01T00:10:00Z,\"BTC-USD\",0.5,2026-01-01T00:20:00Z\r\n"
                           "2026-01-01T00:10:00Z,\"ETH-USD\",-1,2026-01-01T01:00:00Z\r\n"
                           "2026-01-01T00:30:00.000000Z,BTC-USD,-0.25,2026-01-01T01:00:00Z\n"
                           "\n"
                           "2026-01-01T00:40:00Z,\"BTC-USD\",,2026-01-01T00:40:00Z";

static bool is(double a, double b)
{
    return a >= b && a <= b;
}

/* Nothing is known before it was received, and no longer than it says. */
static void a_value_is_known_from_when_it_was_received(void **state)
{
    (void)state;
    AUTO_SENTIMENT_HISTORY struct sentiment_history *h = NULL;
    struct err err = {0};
    const struct symbol btc = {"BTC-USD"}, eth = {"ETH-USD"}, sol = {"SOL-USD"};
    assert_int_equal(load(good, &h, &err), 0);
    assert_true(isnan(sentiment_history_score(h, btc, T(10) - 1)));
    assert_true(is(sentiment_history_score(h, btc, T(10)), 0.5));
    assert_true(is(sentiment_history_score(h, eth, T(10)), -1));
    assert_true(isnan(sentiment_history_score(h, sol, T(10))));
    assert_true(is(sentiment_history_score(h, btc, T(20) - 1), 0.5));
    assert_true(isnan(sentiment_history_score(h, btc, T(20))));
    assert_false(sentiment_history_advance(h, T(29)));
    assert_true(sentiment_history_advance(h, T(30)));
    assert_true(is(sentiment_history_score(h, btc, T(30)), -0.25));
    assert_true(is(sentiment_history_score(h, eth, T(59)), -1));
    assert_true(isnan(sentiment_history_score(h, btc, T(59)))); /* said to be unknown at 00:40 */
    assert_int_equal(sentiment_history_values(h)->count, 1);
    assert_true(isnan(sentiment_history_score(NULL, btc, T(10))));
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } wrong[] = {
        {"", "line 1: the columns received, symbol, score and until are expected"},
        {"time,symbol,score,until\n", "line 1: the columns"},
        {"received,symbol,score,until\nx\n", "line 2: 4 columns"},
        {"received,symbol,score,until\n1,2,3,4,5\n", "line 2: 4 columns"},
        {"received,symbol,score,until\nnow,BTC,1,2026-01-01\n", "line 2: received is no time"},
        {"received,symbol,score,until\n2026-01-01,B T,1,2026-01-01\n", "line 2: symbol is"},
        {"received,symbol,score,until\n2026-01-01,BTC,1.01,2026-01-01\n", "line 2: score is"},
        {"received,symbol,score,until\n2026-01-01,BTC,nan,2026-01-01\n", "line 2: score is"},
        {"received,symbol,score,until\n2026-01-01,BTC,1,\n", "line 2: until is no time"},
        {"received,symbol,score,until\n2026-01-02,BTC,1,2026-01-02\n2026-01-01,BTC,1,2026-01-02\n",
         "line 3: received is before that of the line above"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO_SENTIMENT_HISTORY struct sentiment_history *h = NULL;
        struct err err = {0};
        assert_int_equal(load(wrong[i].text, &h, &err), -ERR_SENTIMENT_FILE);
        assert_has(err.context, wrong[i].why);
        assert_null(h);
    }
    struct err err = {0};
    AUTO_SENTIMENT_HISTORY struct sentiment_history *h = NULL;
    assert_int_equal(sentiment_history_load("/var/tmp/nd-no-such-file", &h, &err),
                     -ERR_FILE_MISSING);
}

UNIT_GROUP(sentiment_history, cmocka_unit_test(a_value_is_known_from_when_it_was_received),
           cmocka_unit_test(other_files_are_refused))
