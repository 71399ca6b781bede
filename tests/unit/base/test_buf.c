#include "base/buf.h"
#include "base/rng.h"
#include "unit/unit.h"

static void grows_to_its_maximum(void **state)
{
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(10);
    assert_string_equal(b.data, "");
    buf_add_c(&b, "12345");
    buf_addf(&b, "%d", 67890);
    assert_false(buf_failed(&b));
    assert_string_equal(b.data, "1234567890");
    buf_add_char(&b, '!');
    assert_true(buf_failed(&b));
    assert_string_equal(b.data, "1234567890");
}

static void failure_is_sticky_and_keeps_the_content(void **state)
{
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(6);
    buf_add_c(&b, "abc");
    buf_addf(&b, "%s", "too long");
    assert_true(buf_failed(&b));
    assert_string_equal(b.data, "abc");
    buf_add_c(&b, "d"); /* would fit, but the buffer has failed */
    assert_string_equal(b.data, "abc");
    buf_clear(&b);
    assert_false(buf_failed(&b));
    buf_add_c(&b, "d");
    assert_string_equal(b.data, "d");
}

static void empty_buffers_share_no_writable_memory(void **state)
{
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(0);
    buf_clear(&b);
    buf_truncate(&b, 0);
    buf_add(&b, "", 0);
    buf_addf(&b, "%s", "");
    assert_false(buf_failed(&b));
    buf_add_char(&b, 'x');
    assert_true(buf_failed(&b));
    assert_string_equal(buf_empty, "");
    assert_int_equal(buf_str(&b).len, 0);
    buf_release(NULL);
}

static void detach_transfers_the_bytes(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100);
    char *text = buf_detach(&b);
    assert_string_equal(text, "");
    free(text);
    buf_add_c(&b, "given");
    text = buf_detach(&b);
    assert_string_equal(text, "given");
    assert_int_equal(b.len, 0);
    assert_int_equal(b.max, 100);
    free(text);
    buf_init(&b, 2);
    buf_add_c(&b, "a");
    buf_add_c(&b, "bcd");
    assert_null(buf_detach(&b));
    assert_false(buf_failed(&b));
}

static void escapes_json(void **state)
{
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(200);
    buf_add_json(&b, str_c("q\" b\\ \n\r\t\x01\x7f é€😀 \xFF\xE2\x82z"));
    assert_string_equal(b.data, "q\\\" b\\\\ \\n\\r\\t\\u0001\\u007f é€😀 "
                                "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
    buf_clear(&b);
    buf_add_json(&b, str_n("a\0b", 3));
    assert_string_equal(b.data, "a\\u0000b");
}

static void escapes_html(void **state)
{
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(200);
    buf_add_html(&b, str_c("<b>\"Tom\" & é</b>"));
    assert_string_equal(b.data, "&lt;b&gt;&quot;Tom&quot; &amp; é&lt;/b&gt;");
}

/* Random appends, compared with one large array. */
static void content_equals_the_bytes_added(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        size_t max = (size_t)rng_below(&rng, 3000);
        AUTO_BUF struct buf b;
        buf_init(&b, max);
        char expected[4096] = "";
        size_t len = 0;
        bool failed = false;
        for (int turn = 0; turn < 60; turn++) {
            char piece[100];
            size_t n = (size_t)rng_below(&rng, sizeof(piece));
            memset(piece, 'a' + turn % 26, n);
            if (rng_chance(&rng, 0.5)) {
                buf_add(&b, piece, n);
            } else {
                buf_addf(&b, "%.*s", (int)n, piece);
            }
            failed = failed || len + n > max;
            if (!failed) {
                memcpy(expected + len, piece, n);
                len += n;
                expected[len] = '\0';
            }
            assert_int_equal(buf_failed(&b), failed);
            assert_int_equal(b.len, len);
            assert_string_equal(b.data, expected);
        }
    }
}

UNIT_GROUP(buf, cmocka_unit_test(grows_to_its_maximum),
           cmocka_unit_test(failure_is_sticky_and_keeps_the_content),
           cmocka_unit_test(empty_buffers_share_no_writable_memory),
           cmocka_unit_test(detach_transfers_the_bytes), cmocka_unit_test(escapes_json),
           cmocka_unit_test(escapes_html), cmocka_unit_test(content_equals_the_bytes_added))
