#include "base/check.h"
#include "base/clock.h"
#include "chat/render.h"
#include "command/reply_json.h"
#include "fakes/fake_telegram_check.h"
#include "io/embed.h"
#include "rigs/golden.h"

#include <glob.h>
#include <string.h>
#include <unistd.h>

static struct reply *markup_reply(void)
{
    struct reply *r = reply_new();
    reply_title(r, TONE_GOOD, "nightdesk · paper · up 2 d 4 h");
    reply_para(r, "Equity  {}  ({})   today  {} ({})", cell_money((struct dec){1041288000000}),
               cell_pct_signed(4.1, 1), cell_money_signed((struct dec){-410000000}),
               cell_pct_signed(-0.04, 2));
    reply_columns(r, "symbol", "side", "qty", "pnl");
    reply_cells(r, cell_symbol("BTC-USD"), cell_text("long"),
                cell_qty((struct dec){310000}, "BTC-USD"),
                cell_money_signed((struct dec){239000000}));
    reply_cells(r, cell_symbol("ETH-USD"), cell_text("short"),
                cell_qty((struct dec){1206600000}, "ETH-USD"),
                cell_money_signed((struct dec){-103000000}));
    reply_gap(r);
    reply_line(r, "Services 4/4 up   Alerts <1> & \"high\"");
    reply_pre(r, str_c("12:05 GET /health 200\n12:06 <script>alert(1)</script>"));
    reply_button(r, "Positions", "/positions", BUTTON_PLAIN);
    reply_button(r, "Pause", "/pause", BUTTON_DANGER);
    reply_button_row(r);
    reply_button(r, "Confirm", "y:4F7KQ2", BUTTON_DANGER);
    reply_footer(r, "⏸ paused by alice");
    return r;
}

/* Fails on HTML that Telegram would refuse. */
static void assert_parses(struct str html)
{
    AUTO_BUF struct buf seen = BUF_INIT((size_t)1 << 20);
    const char *why = "";
    if (!fake_telegram_check_html(html, &seen, &why)) {
        fail_msg("%s in: %.*s", why, STR_ARG(html));
    }
}

static void check_html(const char *name, const struct reply *r)
{
    AUTO_RENDER_PARTS struct render_parts parts = {0};
    AUTO_BUF struct buf all = BUF_INIT((size_t)1 << 20);
    render_html(r, &parts);
    for (size_t i = 0; i < parts.count; i++) {
        assert_parses(buf_str(&parts.part[i]));
        buf_addf(&all, "%s%s\n", i == 0 ? "" : "-------- next part\n", parts.part[i].data);
    }
    golden_check(name, buf_str(&all));
}

static void check_text(const char *name, const struct reply *r)
{
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    render_text(r, &(struct render_text_options){.buttons = true}, &text);
    golden_check(name, buf_str(&text));
}

static void markup_matches_the_golden_files(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = markup_reply();
    check_html("markup.html", r);
    check_text("markup.txt", r);
}

/* Every kind of block, and a cell of every kind. */
static struct reply *blocks_reply(void)
{
    struct reply *r = reply_new();
    const struct dec amount = {6412050000000};
    reply_title(r, TONE_WARN, "Every block <&>");
    reply_heading(r, "Values");
    reply_para(r, "{} {} {} {}", cell_money(amount), cell_price(amount, "BTC-USD"),
               cell_qty((struct dec){310000}, "BTC-USD"), cell_money_signed((struct dec){-1}));
    reply_para(r, "{} {} {} {} {} {}", cell_pct(1.8, 1), cell_pct_signed(-0.04, 2),
               cell_number_signed(0.41, 2), cell_times(1.2), cell_ms(12.3), cell_count(7));
    reply_para(r, "{} {} {} {}", cell_time(INT64_C(1795000000000000), 0),
               cell_clock(INT64_C(1795000000000000)), cell_duration(INT64_C(187200000000)),
               cell_took(4200000));
    reply_para(r, "{} {} {} {} {}", cell_symbol("BTC-USD"), cell_state("up", TONE_GOOD),
               cell_code("/why <d12>"), cell_limit(cell_pct(5, 1), true), cell_none());
    reply_field(r, "Equity", "{} ({})", cell_money(amount), cell_pct_signed(4.1, 1));
    reply_field(r, "Drawdown", "{} of {}", cell_pct(1.8, 1), cell_pct(15, 0));
    reply_item(r, "{} is down", cell_text("prediction"));
    reply_item(r, "{} is slow", cell_text("feed"));
    reply_columns(r, "symbol", "side", "result");
    reply_cells(r, cell_symbol("BTC-USD"), cell_text("long"), cell_money_signed(amount));
    reply_cells(r, cell_symbol("ETH-USD"), cell_text("short"), cell_none());
    reply_columns(r, "#", "closed (UTC)", "symbol", "side", "result", "held", "exit");
    reply_cells(r, cell_count(12), cell_time(INT64_C(1795000000000000), 0), cell_symbol("BTC-USD"),
                cell_text("long"), cell_money_signed((struct dec){239000000}),
                cell_duration(INT64_C(2700000000)), cell_text("stop"));
    reply_pre(r, str_c("12:05 GET /health 200\n12:06 <script>"));
    reply_quote(r, str_c("the feed has gaps\nsince noon"));
    reply_link(r, "Runbook", "https://example.org/?a=1&b=2");
    reply_progress(r, 0.4, "2 of 5 steps");
    reply_image(r, &(struct reply_file){.id = "00112233445566778899aabb.png",
                                        .name = "equity.png",
                                        .media_type = "image/png",
                                        .size_bytes = 48123,
                                        .caption = "Equity"});
    reply_document(r, &(struct reply_file){.id = "00112233445566778899aabb.csv",
                                           .name = "trades.csv",
                                           .media_type = "text/csv",
                                           .size_bytes = 912});
    reply_fold(r, "Details");
    reply_columns(r, "indicator", "value", "limit", "points");
    reply_cells(r, cell_text("· rsi14"), cell_number_auto(28.1, false), cell_number_auto(30, false),
                cell_number_signed(0.3, 2));
    reply_pre(r, str_c("inside <pre>"));
    reply_fold_end(r);
    reply_page(r, "/trades 10", "/trades 10 3");
    reply_button(r, "Positions", "/positions", BUTTON_PRIMARY);
    reply_footer(r, "⏸ paused by alice");
    return r;
}

static void check_json(const char *name, const struct reply *r)
{
    AUTO_JSON struct json_object *tree = reply_json(r);
    const char *text = json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PRETTY |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE);
    AUTO_BUF struct buf all = BUF_INIT((size_t)1 << 20);
    buf_addf(&all, "%s\n", text);
    golden_check(name, buf_str(&all));
}

static void every_block_matches_the_golden_files(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = blocks_reply();
    check_html("blocks.html", r);
    check_text("blocks.txt", r);
    check_json("blocks.json", r);
}

/* Reads each tests/golden/<name>.json, a reply checked by the tests of the module that makes it,
 * and shows it on a phone and a console. */
static void replies_of_commands_match_the_golden_files(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob("tests/golden/*.json", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        AUTO_BUF struct buf json = BUF_INIT((size_t)1 << 20);
        AUTO_BUF struct buf name = BUF_INIT(256);
        AUTO_REPLY struct reply *r = NULL;
        buf_add_c(&name, found.gl_pathv[i] + strlen("tests/golden/"));
        size_t stem = name.len - strlen("json");
        assert_int_equal(file_read(found.gl_pathv[i], &json, NULL), 0);
        assert_int_equal(reply_json_read(json.data, json.len, &r, NULL), 0);
        buf_truncate(&name, stem);
        buf_add_c(&name, "html");
        check_html(name.data, r);
        buf_truncate(&name, stem);
        buf_add_c(&name, "txt");
        check_text(name.data, r);
    }
    globfree(&found);
}

/* A new command is part of this by itself. */
static void every_command_has_golden_files(void **state)
{
    (void)state;
    static const char *const kinds[] = {"json", "html", "txt"};
    static const char folder[] = "commands/";
    int commands = 0, missing = 0;
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        struct str name = str_c(f->path);
        if (!str_starts(name, folder) || strstr(f->data, "\nchannels: []\n") != NULL) {
            continue; /* nobody sees the replies of those that only run by themselves */
        }
        name = str_n(name.ptr + strlen(folder), name.len - strlen(folder) - strlen("yaml"));
        commands++;
        for (size_t i = 0; i < COUNT_OF(kinds); i++) {
            AUTO_BUF struct buf path = BUF_INIT(256);
            buf_addf(&path, "tests/golden/%.*s%s", STR_ARG(name), kinds[i]);
            if (access(path.data, R_OK) != 0) {
                print_error("%s is missing: check a reply of the command in a test of its module\n",
                            path.data);
                missing++;
            }
        }
    }
    assert_true(commands > 50);
    assert_int_equal(missing, 0);
}

/* A line of a log goes on below, indented; a word longer than the phone is cut. */
static void long_fixed_lines_fit_a_phone(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_RENDER_PARTS struct render_parts parts = {0};
    reply_pre(r, str_c("12:05:07 prediction: the feed has not answered for 30 s\nshort\n"
                       "0123456789012345678901234567890123456789"));
    render_html(r, &parts);
    assert_int_equal(parts.count, 1);
    assert_string_equal(parts.part[0].data, "<pre>12:05:07 prediction: the feed has \n"
                                            "  not answered for 30 s\nshort\n"
                                            "0123456789012345678901234567890123\n"
                                            "  456789</pre>");
}

/* A wide table is stacked, a long line wrapped at a space. */
static void a_narrow_terminal_shows_it_too(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = blocks_reply();
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    render_text(r, &(struct render_text_options){.buttons = true, .width = 44}, &text);
    golden_check("blocks_narrow.txt", buf_str(&text));
}

/* Only the header of a fixed table names the zone. */
static void a_time_in_a_stacked_table_is_in_the_readers_zone(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_RENDER_PARTS struct render_parts parts = {0};
    int64_t at_us = INT64_C(1795000000) * USEC_PER_SEC;
    reply_columns(r, "#", "time (UTC)", "what");
    reply_cells(r, cell_count(7), cell_time(at_us, at_us),
                cell_text("a text that is wider than a phone"));
    render_html(r, &parts);
    assert_string_equal(
        parts.part[0].data,
        "<b>#7</b> · <tg-time unix=\"1795000000\" format=\"T\">11:06:40 UTC</tg-time> · "
        "a text that is wider than a phone");
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    render_text(r, &(struct render_text_options){.width = 30}, &text);
    assert_non_null(strstr(text.data, "#7 · 11:06:40 UTC · a text"));
}

static void an_error_shows_cause_impact_and_remediation(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    struct err err;
    (void)err_set(&err, ERR_ACCESS_DENIED, "restart needs operator, bob <b> is read_only");
    reply_error(r, &err);
    check_html("denied.html", r);
    check_text("denied.txt", r);
}

static void an_error_with_a_title_keeps_both(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    struct err err;
    (void)err_set(&err, ERR_STEP_TIMEOUT, "service.wait_healthy, after 60 s");
    reply_title(r, TONE_BAD, "restart demo: failed after 1 min 4 s");
    reply_line(r, "✅ Restart the service  4.2 s");
    reply_error(r, &err);
    check_html("failed.html", r);
    check_text("failed.txt", r);
}

static void columns_align_by_display_width(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    reply_columns(r, "service", "state", "ms");
    reply_cells(r, cell_text("prediction"), cell_state("up", TONE_GOOD), cell_count(12));
    reply_cells(r, cell_text("データ"), cell_text("⚠️ slow"), cell_count(1250));
    reply_cells(r, cell_text("e\xcc\x81tat"), cell_text("❌ down"), cell_none());
    check_text("table.txt", r);
    assert_int_equal(render_width(str_c("データ")), 6);
    assert_int_equal(render_width(str_c("e\xcc\x81")), 1);
    assert_int_equal(render_width(str_c("🟢")), 2);
    assert_int_equal(render_width(str_c("⚠️")), 2);
    assert_int_equal(render_width(str_c("−1.03")), 5);
}

static void control_characters_are_replaced(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = BUF_INIT(1024);
    render_clean(str_c("a\033[2Jb\x07\x7f\xc2\x9b\xe2\x80\xae\tc\r\nd\xff"), true, &out);
    assert_string_equal(out.data, "a\xef\xbf\xbd[2Jb\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                  "\xef\xbf\xbd    c\nd\xef\xbf\xbd");
    buf_clear(&out);
    /* Direction marks and invisible characters are replaced; an emoji's joiner is kept. */
    render_clean(
        str_c("a\xe2\x80\x8f\xd8\x9c\xe2\x80\x8b\xef\xbb\xbf\xf3\xa0\x81\x81z 👩‍💻 ⚠️"),
        true, &out);
    assert_string_equal(
        out.data,
        "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz 👩‍💻 ⚠️");
    buf_clear(&out);
    render_clean(str_c("one\ntwo"), false, &out);
    assert_string_equal(out.data, "one two");
}

static void long_replies_split_between_blocks(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    reply_title(r, TONE_PLAIN, "Logs");
    reply_columns(r, "time", "line & more");
    for (int i = 0; i < 200; i++) {
        char time[32];
        (void)snprintf(time, sizeof(time), "12:%02d:%02d", i / 60, i % 60);
        reply_cells(r, cell_text(time), cell_text("<line again & again> 🟢"));
    }
    reply_footer(r, "⏸ paused");
    AUTO_RENDER_PARTS struct render_parts parts = {0};
    render_html(r, &parts);
    assert_false(parts.overflow);
    assert_true(parts.count >= 2);
    int rows = 0;
    for (size_t i = 0; i < parts.count; i++) {
        struct str part = buf_str(&parts.part[i]);
        assert_true(str_utf16_len(part) <= RENDER_PART_UNITS);
        assert_parses(part);
        assert_non_null(strstr(part.ptr, "line &amp; more")); /* the header, in each part */
        for (const char *at = part.ptr; (at = strstr(at, "again 🟢")) != NULL; at++) {
            rows++;
        }
        for (const char *at = part.ptr; (at = strstr(at, "again&gt; 🟢")) != NULL; at++) {
            rows++;
        }
    }
    assert_int_equal(rows, 200);
    assert_non_null(strstr(parts.part[parts.count - 1].data, "paused"));
}

static void a_line_longer_than_a_part_is_cut_between_characters(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf line = BUF_INIT((size_t)64 * 1024);
    for (int i = 0; i < 5000; i++) {
        buf_add_c(&line, "&🟢");
    }
    reply_pre(r, buf_str(&line));
    AUTO_RENDER_PARTS struct render_parts parts = {0};
    render_html(r, &parts);
    assert_true(parts.overflow || parts.count > 1);
    for (size_t i = 0; i < parts.count; i++) {
        assert_true(str_utf16_len(buf_str(&parts.part[i])) <= RENDER_PART_UNITS);
        assert_true(str_is_utf8(buf_str(&parts.part[i])));
        assert_parses(buf_str(&parts.part[i]));
    }
}

static void more_than_five_parts_overflow(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    for (int i = 0; i < 1000; i++) {
        reply_line(r, "%04d a line of some length, so that many of them fill the parts", i);
    }
    AUTO_RENDER_PARTS struct render_parts parts = {0};
    render_html(r, &parts);
    assert_true(parts.overflow);
    /* The document has the whole text. */
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    render_text(r, &(struct render_text_options){0}, &text);
    assert_non_null(strstr(text.data, "0000 a line"));
    assert_non_null(strstr(text.data, "0900 a line"));
}

static void an_empty_reply_is_still_a_message(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = reply_new();
    reply_gap(r);
    AUTO_RENDER_PARTS struct render_parts parts = {0};
    render_html(r, &parts);
    assert_int_equal(parts.count, 1);
    assert_parses(buf_str(&parts.part[0]));
    assert_true(parts.part[0].len > 0);
}

UNIT_GROUP(chat_render, cmocka_unit_test(markup_matches_the_golden_files),
           cmocka_unit_test(every_block_matches_the_golden_files),
           cmocka_unit_test(replies_of_commands_match_the_golden_files),
           cmocka_unit_test(every_command_has_golden_files),
           cmocka_unit_test(long_fixed_lines_fit_a_phone),
           cmocka_unit_test(a_narrow_terminal_shows_it_too),
           cmocka_unit_test(a_time_in_a_stacked_table_is_in_the_readers_zone),
           cmocka_unit_test(an_error_shows_cause_impact_and_remediation),
           cmocka_unit_test(an_error_with_a_title_keeps_both),
           cmocka_unit_test(columns_align_by_display_width),
           cmocka_unit_test(control_characters_are_replaced),
           cmocka_unit_test(long_replies_split_between_blocks),
           cmocka_unit_test(a_line_longer_than_a_part_is_cut_between_characters),
           cmocka_unit_test(more_than_five_parts_overflow),
           cmocka_unit_test(an_empty_reply_is_still_a_message))
