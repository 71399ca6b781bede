#include "base/rng.h"
#include "base/str.h"
#include "unit/unit.h"

#define assert_str(view, text) assert_true(str_equal_c((view), (text)))

static void views_are_never_null(void **state)
{
    (void)state;
    assert_non_null(str_c(NULL).ptr);
    assert_int_equal(str_c(NULL).len, 0);
    assert_non_null(str_n(NULL, 0).ptr);
    assert_true(str_equal(str_c(""), STR_LIT("")));
}

static void compares(void **state)
{
    (void)state;
    assert_true(str_equal_c(str_n("abcdef", 3), "abc"));
    assert_false(str_equal_c(str_c("abc"), "abcd"));
    assert_true(str_equal_nocase(str_c("BtC-usd"), "btc-USD"));
    assert_false(str_equal_nocase(str_c("btc"), "btd"));
    assert_true(str_starts(str_c("telegram.chat_id"), "telegram."));
    assert_false(str_starts(str_c("tele"), "telegram"));
}

static void trims_and_reads_words(void **state)
{
    (void)state;
    assert_str(str_trim(str_c(" \t a b \r\n")), "a b");
    assert_str(str_trim(str_c(" \n ")), "");
    struct str rest = str_c("  restart\tprediction  "), word;
    assert_true(str_word(&rest, &word));
    assert_str(word, "restart");
    assert_true(str_word(&rest, &word));
    assert_str(word, "prediction");
    assert_false(str_word(&rest, &word));
}

static void splits_with_empty_parts(void **state)
{
    (void)state;
    struct str rest = str_c("a::b"), part;
    assert_true(str_split(&rest, ':', &part));
    assert_str(part, "a");
    assert_true(str_split(&rest, ':', &part));
    assert_str(part, "");
    assert_true(str_split(&rest, ':', &part));
    assert_str(part, "b");
    assert_false(str_split(&rest, ':', &part));
}

static void parses_whole_integers_only(void **state)
{
    (void)state;
    int64_t i = 7;
    assert_true(str_to_i64(str_c("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_true(str_to_i64(str_c("9223372036854775807"), &i));
    assert_true(i == INT64_MAX);
    assert_true(str_to_i64(str_c("+12"), &i));
    assert_int_equal(i, 12);
    const char *const bad[] = {"",
                               "-",
                               "+",
                               " 1",
                               "1 ",
                               "1x",
                               "0x10",
                               "1.0",
                               "--1",
                               "9223372036854775808",
                               "-9223372036854775809"};
    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        assert_false(str_to_i64(str_c(bad[n]), &i));
        assert_int_equal(i, 12);
    }
    assert_true(str_to_i64(str_n("123456", 3), &i)); /* does not read beyond the view */
    assert_int_equal(i, 123);
}

static void parses_plain_doubles_only(void **state)
{
    (void)state;
    double d = 7;
    assert_true(str_to_double(str_c("-1.5e3"), &d));
    assert_true(d == -1500.0);
    const char *const bad[] = {"", " 1", "1 ", "nan", "inf", "0x1p3", "1e999", "1.2.3", "e", "."};
    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        assert_false(str_to_double(str_c(bad[n]), &d));
        assert_true(d == -1500.0);
    }
}

static void copy_reports_truncation(void **state)
{
    (void)state;
    char dst[4];
    assert_true(str_copy(str_c("abc"), dst, sizeof(dst)));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(str_c("abcd"), dst, sizeof(dst)));
    assert_string_equal(dst, "abc");
}

static void validates_utf8(void **state)
{
    (void)state;
    const char *const good[] = {"", "a", "é", "€", "😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"};
    const char *const bad[] = {"\x80",
                               "\xC0\xAF",
                               "\xC1\xBF",
                               "\xE0\x9F\xBF",
                               "\xED\xA0\x80",
                               "\xF0\x8F\xBF\xBF",
                               "\xE2\x82",
                               "\xF4\x90\x80\x80",
                               "\xF5\x80\x80\x80",
                               "\xC3(",
                               "a\xFF"};
    for (size_t n = 0; n < sizeof(good) / sizeof(good[0]); n++) {
        assert_true(str_is_utf8(str_c(good[n])));
    }
    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        assert_false(str_is_utf8(str_c(bad[n])));
    }
    assert_int_equal(str_utf8_size(str_c("€uro")), 3);
    assert_int_equal(str_utf8_size(str_n("€", 2)), 0);
    assert_int_equal(str_utf16_len(str_c("aé€😀")), 5);
}

/* Every code point, encoded by the definition, is valid if and only if it is not a surrogate. */
static void accepts_exactly_the_code_points(void **state)
{
    (void)state;
    for (uint32_t c = 0x800; c <= 0x110FFF; c++) {
        char s[4];
        size_t len = 0;
        if (c >= 0x10000) {
            s[len++] = (char)(0xF0 | c >> 18);
            s[len++] = (char)(0x80 | (c >> 12 & 0x3F));
        } else {
            s[len++] = (char)(0xE0 | c >> 12);
        }
        s[len++] = (char)(0x80 | (c >> 6 & 0x3F));
        s[len++] = (char)(0x80 | (c & 0x3F));
        bool valid = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
        if (str_is_utf8(str_n(s, len)) != valid) {
            fail_msg("U+%04X", c);
        }
    }
}

static int distance(const char *a, const char *b)
{
    return str_distance(str_c(a), str_c(b));
}

static void measures_distance(void **state)
{
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("status", "status"), 0);
    assert_int_equal(distance("status", "sattus"), 1);
    assert_int_equal(distance("bot_tokn", "bot_token"), 1);
    assert_int_equal(distance("kitten", "sitting"), 3);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("abcdefghij", "klmnopqrst"), 8);
    assert_int_equal(distance("a", "abcdefghijkl"), 8);
}

/* Compared with the textbook algorithm, which fills the full table. */
static int plain_distance(const char *a, size_t n, const char *b, size_t m)
{
    int d[17][17];
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (int)(i + j);
                continue;
            }
            int best = d[i - 1][j] + 1;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            int change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = change < best ? change : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = d[i - 2][j - 2] + 1 < best ? d[i - 2][j - 2] + 1 : best;
            }
            d[i][j] = best;
        }
    }
    return d[n][m] < 8 ? d[n][m] : 8;
}

static void distance_equals_the_full_table(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    for (int turn = 0; turn < 20000; turn++) {
        char a[15], b[15];
        size_t n = (size_t)rng_below(&rng, 16), m = (size_t)rng_below(&rng, 16);
        for (size_t i = 0; i < 15; i++) {
            a[i] = (char)('a' + rng_below(&rng, 3));
            b[i] = (char)('a' + rng_below(&rng, 3));
        }
        assert_int_equal(str_distance(str_n(a, n), str_n(b, m)), plain_distance(a, n, b, m));
    }
}

UNIT_GROUP(str, cmocka_unit_test(views_are_never_null), cmocka_unit_test(compares),
           cmocka_unit_test(trims_and_reads_words), cmocka_unit_test(splits_with_empty_parts),
           cmocka_unit_test(parses_whole_integers_only),
           cmocka_unit_test(parses_plain_doubles_only), cmocka_unit_test(copy_reports_truncation),
           cmocka_unit_test(validates_utf8), cmocka_unit_test(accepts_exactly_the_code_points),
           cmocka_unit_test(measures_distance), cmocka_unit_test(distance_equals_the_full_table))
