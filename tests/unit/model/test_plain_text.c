#include "model/plain_text.h"
#include "unit/unit.h"

#include <string.h>

static void what_cannot_be_seen_is_removed(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"plain text, 12.5 %", "plain text, 12.5 %"},
        {"a\u202eb\u2066c\u200fd\u061c", "abcd"},
        {"a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg", "abcdefg"},
        {"bell\a escape\x1b[2J c1\xc2\x85", "bell escape[2J c1"},
        {"tab\there\nnext", "tab here next"},
        {"z\u0335\u0335\u0335\u0335\u0335", "z\u0335\u0335"},
        {"\xf3\xa0\x81\xa1tag", "tag"},
        {"broken\xff utf\xc3", "broken utf"},
        {"größe 12 µs – “quote” 📉", "größe 12 µs – “quote” 📉"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];
        plain_strip(str_c(rows[i][0]), PLAIN_LINE, text, sizeof(text));
        assert_string_equal(text, rows[i][1]);
        plain_text(str_c(rows[i][0]), PLAIN_LINE, text, sizeof(text));
        assert_string_equal(text, rows[i][1]);
    }
    char text[20];
    plain_text(str_c("a\n\tb"), PLAIN_LINES, text, sizeof(text));
    assert_string_equal(text, "a\n b");
}

static void what_a_phone_makes_tappable_is_defused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"send /stop now", "send / stop now"},
        {"/restart@bot", "/ restart@bot"},
        {"(/close)", "(/ close)"},
        {"see /trades/recent/trade-17/pnl", "see /trades/recent/trade-17/pnl"},
        {"win/loss and 1/2", "win/loss and 1/2"},
        {"ask @admin or a@b.com", "ask @ admin or a@b[.]com"},
        {"#pump and #17", "# pump and #17"},
        {"buy $DOGE for $12", "buy $ DOGE for $12"},
        {"https://evil.com/x", "https: //evil[.]com/x"},
        {"tg://resolve?domain=x", "tg: //resolve?domain=x"},
        {"t.me/joinchat", "t[.]me/joinchat"},
        {"It ended. Then 12.5 % e.g. this", "It ended. Then 12.5 % e.g. this"},
        {"call +1 555 123 4567", "call + 1 555 123 4567"},
        {"+12 % and +5", "+12 % and +5"},
        {"risk.max_positions", "risk.max_positions"},
        {"аррӏе.рф", "аррӏе[.]рф"},
        {"/st\u200bop", "/ stop"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char once[200];
        char twice[200];
        plain_text(str_c(rows[i][0]), PLAIN_LINE, once, sizeof(once));
        assert_string_equal(once, rows[i][1]);
        plain_text(str_c(once), PLAIN_LINE, twice, sizeof(twice));
        assert_string_equal(twice, once);
    }
}

static void a_text_is_cut_at_a_character(void **state)
{
    (void)state;
    char text[6];
    plain_text(str_c("abcdä"), PLAIN_LINE, text, sizeof(text));
    assert_string_equal(text, "abcd");
    plain_text(str_c(""), PLAIN_LINE, text, sizeof(text));
    assert_string_equal(text, "");
}

UNIT_GROUP(plain_text, cmocka_unit_test(what_cannot_be_seen_is_removed),
           cmocka_unit_test(what_a_phone_makes_tappable_is_defused),
           cmocka_unit_test(a_text_is_cut_at_a_character))
