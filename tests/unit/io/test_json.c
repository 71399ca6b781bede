#include "io/json.h"
#include "unit/unit.h"

#include <string.h>

static struct json_object *good(const char *text)
{
    struct json_object *value = NULL;
    struct err err = {0};
    if (json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &value, &err) < 0) {
        fail_msg("%s: %s", text, err.context);
    }
    return value;
}

static void refused(struct str text, enum err_id id)
{
    AUTO_JSON struct json_object *value = NULL;
    struct err err = {0};
    int rc = json_parse(text, &JSON_LIMITS_DEFAULT, &value, &err);
    if (rc != -(int)id) {
        fail_msg("%.*s: got %d (%s)", STR_ARG(text), rc, err.context);
    }
}

static void getters_return_the_value_or_the_fallback(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *o =
        good(" {\"text\": \"h\\u00e9\", \"n\": -5, \"d\": 2.5, \"t\": true, \"z\": null,"
             " \"a\": [1, {\"x\": \"y\"}]} ");
    assert_string_equal(json_text(o, "text"), "h\xc3\xa9");
    assert_int_equal(json_i64(o, "n", 1), -5);
    assert_true(json_double(o, "d", 0) == 2.5);
    assert_true(json_double(o, "n", 0) == -5);
    assert_true(json_truth(o, "t", false));
    assert_null(json_get(o, "z"));
    assert_int_equal(json_len(json_get(o, "a")), 2);
    assert_string_equal(json_text(json_item(json_get(o, "a"), 1), "x"), "y");
    /* The wrong type, or absent. */
    assert_string_equal(json_text(o, "n"), "");
    AUTO_JSON struct json_object *cut = NULL;
    assert_int_equal(json_parse(STR_LIT("{\"symbol\":\"BTC-USD\\u0000 or not\"}"),
                                &JSON_LIMITS_DEFAULT, &cut, NULL),
                     0);
    assert_string_equal(json_text(cut, "symbol"), ""); /* not the part before the NUL */
    assert_int_equal(json_str(cut, "symbol").len, 15);
    assert_int_equal(json_i64(o, "text", 9), 9);
    assert_int_equal(json_i64(o, "d", 9), 9);
    assert_false(json_truth(o, "n", false));
    assert_string_equal(json_text(json_get(json_get(o, "no"), "no"), "no"), "");
    assert_null(json_item(o, 0));
    assert_null(json_item(json_get(o, "a"), 2));
    assert_int_equal(json_len(NULL), 0);
}

static void any_value_can_be_the_root(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *number = good("12");
    assert_int_equal(json_object_get_int64(number), 12);
    AUTO_JSON struct json_object *text = good("\"a\\u0000b\"");
    assert_true(str_equal(json_value_str(text), str_n("a\0b", 3)));
    assert_null(good("null"));
    AUTO_JSON struct json_object *empty = good("[]");
    assert_true(json_is_array(empty));
}

static void invalid_json_is_refused(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "[-Infinity]",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "0x10",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "[1]x",
        "{}{}",
        "// c\n1",
        "/* c */ 1",
        "{\"a\" 1}",
        "[1",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,\"a\":2}",
        "{\"\\u0000\":1}",
        "<html><body>502 Bad Gateway</body></html>",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refused(str_c(bad[i]), ERR_JSON_SYNTAX);
    }
    refused(str_n("[1\0]", 4), ERR_JSON_SYNTAX);
    refused(str_c("\"\xff\""), ERR_BAD_UTF8);
    refused(str_c("[1e999]"), ERR_JSON_LIMIT);
    refused(str_c("99999999999999999999"), ERR_JSON_LIMIT);
    refused(str_c("-9223372036854775809"), ERR_JSON_LIMIT);
}

static void limits_are_enforced(void **state)
{
    (void)state;
    const struct json_limits limits = {.max_bytes = 20, .max_depth = 3};
    AUTO_JSON struct json_object *value = NULL;
    struct err err = {0};
    assert_int_equal(json_parse(str_c("[[[1]]]"), &limits, &value, &err), 0);
    struct json_object *none = NULL;
    assert_int_equal(json_parse(str_c("[[[[1]]]]"), &limits, &none, &err), -ERR_JSON_LIMIT);
    assert_int_equal(json_parse(str_c("[[[[]]]]"), &limits, &none, &err), -ERR_JSON_LIMIT);
    assert_string_equal(err.context, "offset 4: nested too deep");
    assert_int_equal(json_parse(str_c("\"aaaaaaaaaaaaaaaaaaaaaa\""), &limits, &none, &err),
                     -ERR_JSON_LIMIT);
    assert_null(none);
}

static void pointers_follow_the_examples_of_rfc_6901(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *o =
        good("{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3,"
             " \"g|h\": 4, \"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7, \"m~n\": 8, \"z\": null}");
    assert_ptr_equal(json_at(o, ""), o);
    assert_int_equal(json_len(json_at(o, "/foo")), 2);
    assert_string_equal(json_object_get_string(json_at(o, "/foo/0")), "bar");
    const struct {
        const char *pointer;
        int value;
    } numbers[] = {{"/", 0},     {"/a~1b", 1}, {"/c%d", 2}, {"/e^f", 3}, {"/g|h", 4},
                   {"/i\\j", 5}, {"/k\"l", 6}, {"/ ", 7},   {"/m~0n", 8}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct json_object *value = json_at(o, numbers[i].pointer);
        assert_non_null(value);
        assert_int_equal(json_object_get_int(value), numbers[i].value);
    }
    struct json_object *value = o;
    assert_true(json_pointer(o, str_c("/z"), &value)); /* null is a value */
    assert_null(value);
    const char *const bad[] = {"foo",
                               "/foo/2",
                               "/foo/-",
                               "/foo/01",
                               "/foo/+1",
                               "/foo/ 1",
                               "/foo/0/",
                               "/none",
                               "/m~2n",
                               "/m~",
                               "/z/x",
                               "/foo/",
                               "/foo/18446744073709551616"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (json_pointer(o, str_c(bad[i]), &value)) {
            fail_msg("%s names something", bad[i]);
        }
    }
}

static void canonical_text_does_not_depend_on_the_input_format(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *a =
        good("{\"b\": [1.0, 2.50, 0.1, 1e3], \"a\": {\"y\": null, \"x\": \"\\u0041/\"}}");
    AUTO_JSON struct json_object *b =
        good("{ \"a\":{\"x\":\"A\\/\",\"y\":null}, \"b\":[1,2.5,0.10,1000] }");
    AUTO_BUF struct buf text_a = BUF_INIT(500);
    AUTO_BUF struct buf text_b = BUF_INIT(500);
    json_add_canonical(&text_a, a);
    json_add_canonical(&text_b, b);
    assert_string_equal(text_a.data, "{\"a\":{\"x\":\"A/\",\"y\":null},\"b\":[1,2.5,0.1,1000]}");
    assert_string_equal(text_a.data, text_b.data);
    buf_clear(&text_a);
    json_add_text(&text_a, b);
    assert_non_null(strstr(text_a.data, "\"A/\""));
}

UNIT_GROUP(json, cmocka_unit_test(getters_return_the_value_or_the_fallback),
           cmocka_unit_test(any_value_can_be_the_root), cmocka_unit_test(invalid_json_is_refused),
           cmocka_unit_test(limits_are_enforced),
           cmocka_unit_test(pointers_follow_the_examples_of_rfc_6901),
           cmocka_unit_test(canonical_text_does_not_depend_on_the_input_format))
