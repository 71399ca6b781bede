#include "base/base64.h"
#include "unit/unit.h"

static void bytes_come_back(void **state)
{
    (void)state;
    for (size_t len = 0; len < 40; len++) {
        char bytes[40];
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)(i * 37 + len * 11);
        }
        AUTO_BUF struct buf text = BUF_INIT(100);
        AUTO_BUF struct buf back = BUF_INIT(100);
        base64_add(&text, str_n(bytes, len));
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_true(base64_decode(buf_str(&text), &back));
        assert_int_equal(back.len, len);
        assert_memory_equal(back.data, bytes, len);
    }
}

static void the_examples_of_the_rfc(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        AUTO_BUF struct buf text = BUF_INIT(100);
        base64_add(&text, str_c(pairs[i][0]));
        assert_string_equal(text.data, pairs[i][1]);
    }
}

static void the_alphabet_for_urls_has_no_padding(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"\xFB\xFF\xBE", "-_--"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        AUTO_BUF struct buf text = BUF_INIT(64);
        base64url_add(&text, str_c(pairs[i][0]));
        assert_string_equal(text.data, pairs[i][1]);
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    (void)state;
    const struct str texts[] = {
        STR_LIT("Z"),     STR_LIT("Zg"),    STR_LIT("Zg="),  STR_LIT("Zg==Zg=="), STR_LIT("Z==="),
        STR_LIT("===="),  STR_LIT("Zm9=v"), STR_LIT("Zm 9"), STR_LIT("Zm9\n"),    STR_LIT("Zm9v\0"),
        STR_LIT("Zm\0v"), STR_LIT("Zm-_"),  STR_LIT("Zh=="), STR_LIT("Zm9="),     STR_LIT("Zg=g"),
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        AUTO_BUF struct buf back = BUF_INIT(100);
        assert_false(base64_decode(texts[i], &back));
    }
}

UNIT_GROUP(base64, cmocka_unit_test(bytes_come_back), cmocka_unit_test(the_examples_of_the_rfc),
           cmocka_unit_test(the_alphabet_for_urls_has_no_padding),
           cmocka_unit_test(what_is_not_base64_is_refused))
