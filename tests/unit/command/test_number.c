#include "../../../src/command/line.h"
#include "../../../src/command/number.h"
#include "base/check.h"
#include "command/quote.h"
#include "unit/unit.h"

#include <string.h>

static void assert_reads(const char *text, const char *plain)
{
    struct dec value = DEC_INVALID;
    struct err err = {0};
    char got[DEC_TEXT_SIZE];
    if (number_read("stop", str_c(text), &value, &err) < 0) {
        fail_msg("%s: %s", text, err.context);
    }
    assert_string_equal(dec_text(value, got), plain);
}

static void valid_numbers_are_parsed(void **state)
{
    (void)state;
    assert_reads("65000", "65000");
    assert_reads("65000.50", "65000.5");
    assert_reads("65,000", "65000");
    assert_reads("1,234,567.89", "1234567.89");
    assert_reads("64,120.5", "64120.5");
    assert_reads("999", "999");
    assert_reads("0.00000012", "0.00000012");
    assert_reads("-5", "-5");
}

static void an_ambiguous_number_is_refused_with_both_readings(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"65000,50", "65000.50", "6500050"}, {"65000,5", "65000.5", "650005"},
        {"0,652", "0.652", "0652"},          {"65,00", "65.00", "6500"},
        {"1.234,56", "1234.56", "1.23456"},  {"1234,567", "1234.567", "1234567"},
        {"65,0000", "65.0000", "650000"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dec value = DEC_ZERO;
        struct err err = {0};
        assert_int_equal(number_read("stop", str_c(cases[i][0]), &value, &err),
                         -ERR_COMMAND_ARG_INVALID);
        if (strstr(err.context, cases[i][1]) == NULL || strstr(err.context, cases[i][2]) == NULL) {
            fail_msg("%s: %s", cases[i][0], err.context);
        }
        assert_int_equal(value.e8, 0);
    }
}

static void numbers_of_programs_are_written_plainly(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"0", "0"},
        {"-0.0", "0"},
        {"0e5", "0"},
        {"12", "12"},
        {"12.0", "12"},
        {"120.50", "120.5"},
        {"1e3", "1000"},
        {"1.5E+2", "150"},
        {"-1e-05", "-0.00001"},
        {"6.35005e4", "63500.5"},
        {"0.0010", "0.001"},
        {"100e-2", "1"},
        {"123456789012345678", "123456789012345678"},
        {"1e999", "1e999"},
        {"1e-999", "1e-999"},
        {"1e99999999999999999999", "1e99999999999999999999"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf out = BUF_INIT(NUMBER_PLAIN_MAX);
        number_add_plain(str_c(cases[i][0]), &out);
        assert_string_equal(out.data, cases[i][1]);
    }
    AUTO_BUF struct buf longest = BUF_INIT(NUMBER_PLAIN_MAX);
    number_add_plain(STR_LIT("-1.23456789012345678901234567890123456789012345678901e-63"),
                     &longest);
    assert_false(buf_failed(&longest));
}

static void invalid_numbers_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",          "soon",  ",",         ".",       "1,,000",      "1,000,00",
        "12,34,567", "1 000", "1_000",     "1e5",     "+5",          "$65000",
        "65000.",    ".5",    "١٢٣",       "0x10",    "65'000",      "1.2.3",
        "--5",       "5-",    "1,000.5,0", "6,5,000", "1.000.000,5", "99999999999999999999999999",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dec value = DEC_ZERO;
        struct err err = {0};
        if (number_read("stop", str_c(cases[i]), &value, &err) != -ERR_COMMAND_ARG_INVALID) {
            fail_msg("%s was accepted", cases[i]);
        }
    }
    struct dec value;
    assert_int_equal(number_read("stop", str_n("65\0000", 6), &value, NULL),
                     -ERR_COMMAND_ARG_INVALID);
}

/* Parsing a line made of quoted values gives the same values and names. */
static void quoted_words_round_trip(void **state)
{
    (void)state;
    static const char *const values[] = {
        "plain",         "",           "two words", "target=70000",
        "it's",          "say \"so\"", "\"",        "'",
        "“typographic”", "a=b c",      "=",         "Name=x",
        "side == short", "tab\there",  "«x»",       "ü",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        AUTO_BUF struct buf out = BUF_INIT(512);
        AUTO_BUF struct buf named = BUF_INIT(512);
        struct err err = {0};
        static struct line line;
        buf_add_c(&out, "amend ");
        assert_true(quote_add(&out, str_c(values[i])));
        buf_add_char(&out, ' ');
        assert_true(quote_add_named(&out, "reason", str_c(values[i])));
        assert_int_equal(line_split(buf_str(&out), &line, &err), 0);
        assert_int_equal(line.count, 3);
        assert_string_equal(line.words[1], values[i]);
        assert_true(line.quoted[1] || quote_name_size(str_c(line.words[1])) == 0);
        buf_addf(&named, "reason=%s", values[i]);
        assert_string_equal(line.words[2], named.data);
        assert_false(line.quoted[2]);
    }
    AUTO_BUF struct buf out = BUF_INIT(64);
    assert_false(quote_add(&out, str_c("every \" ' ” » “ kind")));
}

UNIT_GROUP(number, cmocka_unit_test(valid_numbers_are_parsed),
           cmocka_unit_test(an_ambiguous_number_is_refused_with_both_readings),
           cmocka_unit_test(invalid_numbers_are_refused),
           cmocka_unit_test(numbers_of_programs_are_written_plainly),
           cmocka_unit_test(quoted_words_round_trip))
