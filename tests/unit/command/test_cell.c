#include "base/clock.h"
#include "command/cell.h"
#include "io/json_out.h"
#include "unit/unit.h"

#include <math.h>

static struct json_object *json_of(struct cell cell)
{
    struct json_object *root = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(root);
    cell_json(&out, "cell", &cell);
    struct json_object *value = json_object_get(json_get(root, "cell"));
    (void)json_object_put(root);
    return value;
}

static void assert_shows(struct cell cell, const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(256);
    cell_add_text(&out, cell);
    assert_string_equal(out.data, text);
    /* What a channel reads back from the outbox shows the same. */
    AUTO_JSON struct json_object *json = json_of(cell);
    struct cell again;
    assert_true(cell_json_read(json, &again));
    buf_clear(&out);
    cell_add_text(&out, again);
    assert_string_equal(out.data, text);
    assert_int_equal(cell_is_figure(&cell), cell_is_figure(&again));
}

static struct dec d(const char *text)
{
    struct dec value;
    assert_true(dec_parse(str_c(text), &value));
    return value;
}

static void a_small_amount_is_not_rounded_to_zero(void **state)
{
    (void)state;
    assert_shows(cell_price(d("0.00000012"), "X-USD"), "0.00000012");
    assert_shows(cell_price(d("0.0000123"), "X-USD"), "0.0000123");
    assert_shows(cell_price(d("0.001234"), "X-USD"), "0.001234");
    assert_shows(cell_price(d("0.5"), "X-USD"), "0.500000");
    assert_shows(cell_price(d("64120.5"), "X-USD"), "64,120.5");
    assert_shows(cell_price(d("0"), "X-USD"), "0.000000");
    assert_shows(cell_money_signed(d("0.00012")), "+$0.00012");
    assert_shows(cell_money_signed(d("-0.0049")), "−$0.0049");
    assert_shows(cell_money_signed(d("-0.00000001")), "−$0.00000001");
    assert_shows(cell_money_signed(d("-4.1")), "−$4.10");
    assert_shows(cell_money_signed(d("0")), "+$0.00");
    assert_shows(cell_money(d("10412.88")), "$10,412.88");
    assert_shows(cell_number_auto(0.00000012, false), "0.00000012");
    assert_shows(cell_number_auto(0.25, false), "0.2500");
}

static void each_kind_has_its_text(void **state)
{
    (void)state;
    int64_t at_us = 0;
    assert_true(clock_parse_iso(STR_LIT("2026-11-21T04:15:21Z"), &at_us));
    assert_shows(cell_none(), "–");
    assert_shows(cell_text(""), "");
    assert_shows(cell_text("{} <b>"), "{} <b>");
    assert_shows(cell_code("/why"), "/why");
    assert_shows(cell_symbol("BTC-USD"), "BTC-USD");
    assert_shows(cell_state("down", TONE_BAD), "🔴 down");
    assert_shows(cell_qty(d("0.0031"), "BTC-USD"), "0.0031");
    assert_shows(cell_exact(cell_price(d("64120.51"), "BTC-USD")), "64120.51");
    assert_shows(cell_exact(cell_money(d("0.00012"))), "0.00012");
    assert_shows(cell_cost(d("0.0058")), "$0.0058");
    assert_shows(cell_limit(cell_pct(5, 1), true), "≥ 5.0 %");
    assert_shows(cell_limit(cell_count(3), false), "≤ 3");
    assert_shows(cell_pct(15, 0), "15 %");
    assert_shows(cell_pct(0.5, CELL_PLACES_SHORT), "0.5 %");
    assert_shows(cell_pct_signed(-0.0004, 2), "−0.00 %");
    assert_shows(cell_pct_signed(4.1, 1), "+4.1 %");
    assert_shows(cell_number_signed(-0.8, 2), "−0.80");
    assert_shows(cell_number_auto(12, true), "12");
    assert_shows(cell_number_auto(1234.56, true), "1,234.6");
    assert_shows(cell_times(1.2), "1.20×");
    assert_shows(cell_ms(12.34), "12.3 ms");
    assert_shows(cell_count(-7), "-7");
    assert_shows(cell_time(at_us, at_us), "04:15:21");
    assert_shows(cell_time(at_us, 0), "2026-11-21 04:15");
    assert_shows(cell_clock(at_us), "04:15");
    assert_shows(cell_day(at_us), "11-21");
    assert_shows(cell_duration(INT64_C(187200) * USEC_PER_SEC), "2 d 4 h");
    assert_shows(cell_duration(INT64_MAX), "106751991 d 4 h");
    assert_shows(cell_took(4200 * USEC_PER_MSEC), "4.2 s");
    assert_shows(cell_took(64 * USEC_PER_SEC), "1 min 4 s");
}

static void a_value_that_is_not_known_is_a_question_mark(void **state)
{
    (void)state;
    assert_shows(cell_money(DEC_INVALID), "?");
    assert_shows(cell_price(DEC_INVALID, "BTC-USD"), "?");
    assert_shows(cell_qty(DEC_INVALID, "BTC-USD"), "?");
    assert_shows(cell_pct((double)NAN, 1), "? %");
    assert_shows(cell_number((double)INFINITY, 2), "?");
    AUTO_JSON struct json_object *json = json_of(cell_money(DEC_INVALID));
    assert_null(json_get(json, "value"));
}

static void amounts_are_exact_in_json(void **state)
{
    (void)state;
    static const char *const amounts[] = {"92233720368.54775807", "-0.00000001", "0.1", "12"};
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
        struct cell cell = cell_money(d(amounts[i]));
        AUTO_JSON struct json_object *json = json_of(cell);
        AUTO_BUF struct buf text = BUF_INIT(256);
        AUTO_BUF struct buf expected = BUF_INIT(256);
        json_add_text(&text, json);
        buf_addf(&expected, "{\"type\":\"money\",\"value\":%s,\"unit\":\"USD\"}", amounts[i]);
        assert_string_equal(text.data, expected.data);
        AUTO_JSON struct json_object *parsed = NULL;
        assert_int_equal(json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &parsed, NULL), 0);
        struct cell again;
        assert_true(cell_json_read(parsed, &again));
        assert_int_equal(again.amount.e8, cell.amount.e8);
    }
}

static void what_cannot_be_read_is_shown_as_text(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"type\":\"money\",\"value\":\"much\"}",
        "{\"type\":\"volume\",\"value\":\"much\"}",
        "{\"type\":\"time\",\"value\":\"much\",\"form\":\"minute\"}",
        "{\"type\":\"percent\",\"value\":\"much\",\"places\":400}",
        "{\"value\":\"much\"}",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_JSON struct json_object *json = NULL;
        struct cell cell;
        assert_int_equal(json_parse(str_c(cases[i]), &JSON_LIMITS_DEFAULT, &json, NULL), 0);
        assert_true(cell_json_read(json, &cell));
        assert_int_equal(cell.kind, CELL_TEXT);
        assert_string_equal(cell.text, "much");
    }
    AUTO_JSON struct json_object *array = json_object_new_array();
    struct cell cell;
    assert_false(cell_json_read(array, &cell));
}

UNIT_GROUP(cell, cmocka_unit_test(a_small_amount_is_not_rounded_to_zero),
           cmocka_unit_test(each_kind_has_its_text),
           cmocka_unit_test(a_value_that_is_not_known_is_a_question_mark),
           cmocka_unit_test(amounts_are_exact_in_json),
           cmocka_unit_test(what_cannot_be_read_is_shown_as_text))
