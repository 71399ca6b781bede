#include "command/reply.h"
#include "unit/unit.h"

#include <string.h>

static const char *text_of(struct json_object *value)
{
    return json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void json_round_trips(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    struct err err = {0};
    reply_title(r, TONE_WARN, "title %d", 1);
    reply_line(r, "a <b> & \"c\"");
    reply_gap(r);
    reply_table(r, 2, (const char *const[]){"x", "y"});
    reply_row(r, (const char *const[]){"1", "zwei"});
    reply_row(r, (const char *const[]){"", "…"});
    reply_pre(r, str_c("line 1\n\tline 2"));
    reply_button(r, "Go", "/go", BUTTON_PRIMARY);
    reply_button_row(r);
    reply_button(r, "Stop", "n:ABC", BUTTON_DANGER);
    reply_button(r, "Help", "/help", BUTTON_PLAIN);
    reply_footer(r, "⏸ paused");
    reply_protect(r);
    (void)err_set(&err, ERR_COMMAND_STALE, "restart demo");
    reply_error(r, &err);
    (void)json_object_object_add(reply_data(r), "n", json_object_new_int(7));

    AUTO_JSON struct json_object *first = reply_json(r);
    const char *text = text_of(first);
    AUTO_REPLY struct reply *copy = NULL;
    assert_int_equal(reply_from_json(text, strlen(text), &copy, &err), 0);
    AUTO_JSON struct json_object *second = reply_json(copy);
    assert_string_equal(text_of(second), text);
    assert_string_equal(reply_get_title(copy), "title 1");
    assert_int_equal(reply_get_tone(copy), TONE_WARN);
    assert_int_equal(reply_get_error(copy)->id, ERR_COMMAND_STALE);
    assert_string_equal(reply_get_error(copy)->context, "restart demo");
    assert_string_equal(reply_cell(copy, 2, 0, 1), "zwei");
    assert_string_equal(reply_cell(copy, 2, -1, 0), "x");
    assert_int_equal(reply_button_rows(copy), 2);
    assert_int_equal(reply_get_button(copy, 1, 0).style, BUTTON_DANGER);
    assert_true(reply_is_protected(copy));
    assert_string_equal(reply_get_footer(copy), "⏸ paused");
}

static void a_plain_reply_has_no_error(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_JSON struct json_object *value = reply_json(r);
    assert_null(reply_get_error(r));
    assert_null(json_get(value, "error"));
}

static void control_bytes_and_bad_utf8_are_replaced(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    reply_line(r, "a\x1b[31mb\x7f%s", "\xff\xc2\x9b!");
    assert_string_equal(reply_get_block(r, 0).text,
                        "a\xef\xbf\xbd[31mb\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!");
}

static void bytes_beyond_the_limit_are_counted(void **state)
{
    (void)state;
    static char large[80000];
    memset(large, 'x', sizeof(large));
    AUTO_REPLY struct reply *r = reply_new();
    reply_pre(r, str_n(large, sizeof(large)));
    reply_line(r, "later");
    assert_int_equal(reply_block_count(r), 2);
    assert_int_equal(strlen(reply_get_block(r, 0).text), 65536);
    assert_string_equal(reply_get_block(r, 1).text, "… 14469 bytes left out (limit 64 KiB)");

    AUTO_REPLY struct reply *lines = reply_new();
    reply_table(lines, 1, (const char *const[]){"h"});
    for (int i = 0; i < 100000; i++) {
        reply_row(lines, (const char *const[]){"row"});
    }
    assert_int_equal(reply_block_count(lines), 2);
    assert_true(reply_get_block(lines, 0).rows < 65536 / 4 + 1);
    assert_non_null(strstr(reply_get_block(lines, 1).text, "left out"));
}

static void truncation_keeps_utf8_valid(void **state)
{
    (void)state;
    static char large[66000];
    for (size_t i = 0; i + 2 < sizeof(large); i += 3) {
        memcpy(&large[i], "€", 3);
    }
    AUTO_REPLY struct reply *r = reply_new();
    reply_pre(r, str_n(large, sizeof(large)));
    assert_true(str_is_utf8(str_c(reply_get_block(r, 0).text)));
    assert_int_equal(strlen(reply_get_block(r, 0).text), 65535);
}

static void broken_json_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "[]",
        "{",
        "{\"tone\":\"loud\"}",
        "{\"tone\":\"good\",\"blocks\":[{\"x\":1}]}",
        "{\"tone\":\"good\",\"blocks\":[{\"table\":{\"headers\":[\"a\"],\"rows\":[[]]}}]}",
        "{\"tone\":\"good\",\"blocks\":[{\"table\":{\"headers\":[]}}]}",
        "{\"tone\":\"good\",\"buttons\":[[{},{},{},{},{},{},{},{},{}]]}"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply *r = NULL;
        struct err err = {0};
        assert_true(reply_from_json(cases[i], strlen(cases[i]), &r, &err) < 0);
        assert_null(r);
    }
}

static void appending_keeps_order_and_data(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_REPLY struct reply *from = reply_new();
    reply_line(r, "one");
    reply_line(from, "two");
    reply_table(from, 1, (const char *const[]){"h"});
    reply_row(from, (const char *const[]){"c"});
    reply_button(from, "B", "/b", BUTTON_PLAIN);
    reply_protect(from);
    (void)json_object_object_add(reply_data(from), "k", json_object_new_string("v"));
    reply_append(r, from);
    assert_int_equal(reply_block_count(r), 3);
    assert_string_equal(reply_get_block(r, 1).text, "two");
    assert_string_equal(reply_cell(r, 2, 0, 0), "c");
    assert_int_equal(reply_button_rows(r), 1);
    assert_true(reply_is_protected(r));
    assert_string_equal(json_text(reply_data(r), "k"), "v");
}

UNIT_GROUP(reply, cmocka_unit_test(json_round_trips), cmocka_unit_test(a_plain_reply_has_no_error),
           cmocka_unit_test(control_bytes_and_bad_utf8_are_replaced),
           cmocka_unit_test(bytes_beyond_the_limit_are_counted),
           cmocka_unit_test(truncation_keeps_utf8_valid), cmocka_unit_test(broken_json_is_refused),
           cmocka_unit_test(appending_keeps_order_and_data))
