#include "command/reply_json.h"
#include "rigs/reply_text.h"
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
    reply_columns(r, "x", "y");
    reply_cells(r, cell_count(1), cell_text("zwei"));
    reply_cells(r, cell_none(), cell_text("…"));
    reply_pre(r, str_c("line 1\n\tline 2"));
    reply_button(r, "Go", "/go", BUTTON_PRIMARY);
    reply_button_row(r);
    reply_button(r, "Stop", "n:ABC", BUTTON_DANGER);
    reply_button(r, "Help", "/help", BUTTON_PLAIN);
    reply_footer(r, "⏸ paused");
    reply_choice(r, "✓ %s", "Confirmed");
    reply_protect(r);
    (void)err_set(&err, ERR_COMMAND_STALE, "restart demo");
    reply_error(r, &err);
    (void)json_object_object_add(reply_data(r), "n", json_object_new_int(7));

    AUTO_JSON struct json_object *first = reply_json(r);
    const char *text = text_of(first);
    AUTO_REPLY struct reply *copy = NULL;
    assert_int_equal(reply_json_read(text, strlen(text), &copy, &err), 0);
    AUTO_JSON struct json_object *second = reply_json(copy);
    assert_string_equal(text_of(second), text);
    assert_string_equal(reply_get_title(copy), "title 1");
    assert_int_equal(reply_get_tone(copy), TONE_WARN);
    assert_int_equal(reply_get_error(copy)->id, ERR_COMMAND_STALE);
    assert_string_equal(reply_get_error(copy)->context, "restart demo");
    assert_string_equal(reply_text_cell(copy, 2, 0, 1), "zwei");
    struct reply_block table = reply_get_block(copy, 2);
    assert_string_equal(reply_block_header(&table).cell[0].text, "x");
    assert_int_equal(reply_button_rows(copy), 2);
    assert_int_equal(reply_get_button(copy, 1, 0).style, BUTTON_DANGER);
    assert_true(reply_is_protected(copy));
    assert_string_equal(reply_get_footer(copy), "⏸ paused");
    assert_string_equal(reply_get_choice(copy), "✓ Confirmed");
}

static void add_every_block(struct reply *r)
{
    const struct dec pnl = {239000000};
    reply_title(r, TONE_GOOD, "All");
    reply_heading(r, "Account");
    reply_para(r, "Equity {} ({})", cell_money(pnl), cell_pct_signed(-0.04, 2));
    reply_more(r, ", {} trades", cell_count(3));
    reply_field(r, "Drawdown", "{} of {}", cell_pct(1.8, 1), cell_pct(15, 0));
    reply_field(r, "Up", "{}", cell_duration(INT64_C(187500000)));
    reply_item(r, "{}: {}", cell_code("/why"), cell_state("up", TONE_GOOD));
    reply_item(r, "{}", cell_text("{}"));
    reply_columns(r, "at", "symbol", "price", "quantity");
    reply_cells(r, cell_clock(INT64_C(86400000000)), cell_symbol("BTC-USD"),
                cell_price(pnl, "BTC-USD"), cell_qty(pnl, "BTC-USD"));
    reply_pre(r, str_c("line 1\nline 2"));
    reply_quote(r, str_c("said"));
    reply_link(r, "Docs", "https://example.org/?a=1&b=2");
    reply_progress(r, 0.4, "step %d of 5", 2);
    reply_image(r, &(struct reply_file){.id = "a1.png",
                                        .name = "chart.png",
                                        .media_type = "image/png",
                                        .size_bytes = 12345,
                                        .caption = "Equity"});
    reply_document(
        r, &(struct reply_file){
               .id = "b2.csv", .name = "trades.csv", .media_type = "text/csv", .size_bytes = 9});
    reply_fold(r, "Details");
    reply_line(r, "inside");
    reply_fold_end(r);
    reply_line(r, "behind");
    reply_page(r, NULL, "/trades before=12");
}

static void every_block_round_trips(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    add_every_block(r);
    AUTO_REPLY struct reply *copy = reply_copy(r);
    AUTO_JSON struct json_object *first = reply_json(r);
    AUTO_JSON struct json_object *second = reply_json(copy);
    char *text = strdup(text_of(first));
    assert_string_equal(text_of(second), text);
    assert_string_equal(reply_text(copy, 1), "Equity $2.39 (−0.04 %), 3 trades");
    assert_string_equal(reply_text(copy, 2), "Drawdown\t1.8 % of 15 %\nUp\t3 min 7 s");
    assert_string_equal(reply_text(copy, 3), "/why: 🟢 up\n{}");
    assert_string_equal(reply_get_page(copy, true), "/trades before=12");
    free(text);
}

static void programs_read_values_with_units(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    add_every_block(r);
    AUTO_JSON struct json_object *json = reply_json(r);
    static const struct {
        const char *pointer;
        const char *value;
    } cases[] = {
        {"/schema", "\"nightdesk.reply/2\""},
        {"/blocks/1/spans/1", "{\"type\":\"money\",\"value\":2.39,\"unit\":\"USD\"}"},
        {"/blocks/1/spans/3/value", "-0.04"},
        {"/blocks/2/fields/1/spans/0", "{\"type\":\"duration\",\"value\":187.5,\"unit\":\"s\"}"},
        {"/blocks/4/rows/0/0/value", "\"1970-01-02T00:00:00.000000Z\""},
        {"/blocks/4/rows/0/2", "{\"type\":\"price\",\"value\":2.39,\"unit\":\"USD\"}"},
        {"/blocks/4/rows/0/3", "{\"type\":\"quantity\",\"value\":2.39,\"unit\":\"BTC\"}"},
        {"/blocks/8/fraction", "0.4"},
        {"/blocks/9/id", "\"a1.png\""},
        {"/blocks/11/blocks/0/spans/0", "\"inside\""},
        {"/page/next", "\"/trades before=12\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1024);
        json_add_text(&text, json_at(json, cases[i].pointer));
        assert_string_equal(text.data, cases[i].value);
    }
}

/* As nightdesk 0.1.0 wrote it into the outbox. */
static void version_1_can_still_be_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"title\":\"nightdesk\",\"tone\":\"good\",\"blocks\":[{\"line\":\"Equity $1\"},"
        "{\"table\":{\"headers\":[\"a\",\"b\"],\"rows\":[[\"1\",\"2\"]]}},{\"pre\":\"log\"}],"
        "\"buttons\":[],\"footer\":\"\",\"protect\":true,\"data\":{}}";
    AUTO_REPLY struct reply *r = NULL;
    assert_int_equal(reply_json_read(text, strlen(text), &r, NULL), 0);
    assert_string_equal(reply_text(r, 0), "Equity $1");
    assert_string_equal(reply_text_cell(r, 1, 0, 1), "2");
    assert_string_equal(reply_text(r, 2), "log");
}

static void values_are_limited_too(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    reply_columns(r, "n");
    for (int i = 0; i < 4000; i++) {
        reply_cells(r, cell_count(1));
    }
    assert_int_equal(reply_get_block(r, 0).lines, 3000);
    assert_string_equal(reply_text(r, 1), "… 2000 bytes left out (limit 64 KiB)");
}

static void a_fold_is_closed_where_space_ends(void **state)
{
    (void)state;
    static char large[70000];
    memset(large, 'x', sizeof(large));
    AUTO_REPLY struct reply *r = reply_new();
    reply_fold(r, "Details");
    reply_pre(r, str_n(large, sizeof(large)));
    reply_fold_end(r);
    assert_int_equal(reply_get_block(r, 2).kind, BLOCK_FOLD_END);
    AUTO_REPLY struct reply *copy = reply_copy(r);
    assert_int_equal(reply_get_block(copy, 2).kind, BLOCK_FOLD_END);
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
    assert_string_equal(reply_text(r, 0),
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
    assert_int_equal(strlen(reply_text(r, 0)), 65536);
    assert_string_equal(reply_text(r, 1), "… 14469 bytes left out (limit 64 KiB)");

    AUTO_REPLY struct reply *lines = reply_new();
    reply_columns(lines, "h");
    for (int i = 0; i < 100000; i++) {
        reply_cells(lines, cell_text("row"));
    }
    assert_int_equal(reply_block_count(lines), 2);
    assert_true(reply_get_block(lines, 0).lines < 65536 / 4 + 1);
    assert_non_null(strstr(reply_text(lines, 1), "left out"));
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
    assert_true(str_is_utf8(str_c(reply_text(r, 0))));
    assert_int_equal(strlen(reply_text(r, 0)), 65535);
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
        "{\"tone\":\"good\",\"schema\":\"nightdesk.reply/3\"}",
        "{\"tone\":\"good\",\"blocks\":[{\"type\":\"para\"}]}",
        "{\"tone\":\"good\",\"blocks\":[{\"type\":\"link\",\"url\":\"file:///etc/passwd\"}]}",
        "{\"tone\":\"good\",\"blocks\":[{\"type\":\"fold\",\"blocks\":[{\"type\":\"fold\"}]}]}",
        "{\"tone\":\"good\",\"buttons\":[[{},{},{},{},{},{},{},{},{}]]}"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply *r = NULL;
        struct err err = {0};
        assert_true(reply_json_read(cases[i], strlen(cases[i]), &r, &err) < 0);
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
    reply_columns(from, "h");
    reply_cells(from, cell_text("c"));
    reply_button(from, "B", "/b", BUTTON_PLAIN);
    reply_protect(from);
    (void)json_object_object_add(reply_data(from), "k", json_object_new_string("v"));
    reply_append(r, from);
    assert_int_equal(reply_block_count(r), 3);
    assert_string_equal(reply_text(r, 1), "two");
    assert_string_equal(reply_text_cell(r, 2, 0, 0), "c");
    assert_int_equal(reply_button_rows(r), 1);
    assert_true(reply_is_protected(r));
    assert_string_equal(json_text(reply_data(r), "k"), "v");
}

static void buttons_fill_rows_until_none_is_left(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    for (int i = 0; i < 200; i++) {
        reply_button(r, "B", "/b", BUTTON_PLAIN);
    }
    size_t rows = reply_button_rows(r);
    assert_true(rows > 1);
    for (size_t i = 0; i < rows; i++) {
        assert_int_equal(reply_button_count(r, i), REPLY_BUTTONS_IN_ROW);
    }
    reply_button_row(r);
    reply_button(r, "B", "/b", BUTTON_PLAIN);
    assert_int_equal(reply_button_rows(r), rows);
}

UNIT_GROUP(reply, cmocka_unit_test(json_round_trips),
           cmocka_unit_test(buttons_fill_rows_until_none_is_left),
           cmocka_unit_test(every_block_round_trips),
           cmocka_unit_test(programs_read_values_with_units),
           cmocka_unit_test(version_1_can_still_be_read), cmocka_unit_test(values_are_limited_too),
           cmocka_unit_test(a_fold_is_closed_where_space_ends),
           cmocka_unit_test(a_plain_reply_has_no_error),
           cmocka_unit_test(control_bytes_and_bad_utf8_are_replaced),
           cmocka_unit_test(bytes_beyond_the_limit_are_counted),
           cmocka_unit_test(truncation_keeps_utf8_valid), cmocka_unit_test(broken_json_is_refused),
           cmocka_unit_test(appending_keeps_order_and_data))
