#include "channels.h"
#include "chat/choices.h"
#include "chat/render.h"
#include "command/complete.h"
#include "command/reply.h"
#include "unit/unit.h"

#include <string.h>

static int setup(void **state)
{
    struct channels *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    channels_open(d, "", "");
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    channels_close(*state);
    free(*state);
    return 0;
}

/* The candidates of a line, each followed by a blank. */
static const char *candidates(struct channels *d, int64_t user, const char *line)
{
    static char all[2048];
    static struct completions c, copy;
    struct principal who;
    assert_int_equal(access_identify(d->access, CHANNEL_TELEGRAM, user, &who), 0);
    complete_line(d->runner, &who, str_c(line), &c);
    AUTO_BUF struct buf json = BUF_INIT((size_t)1 << 20);
    struct json_out out = JSON_OUT(&json);
    json_out_object(&out, NULL);
    completions_write(&c, &out);
    json_out_end(&out);
    assert_int_equal(completions_read(buf_str(&json), &copy, NULL), 0);
    assert_memory_equal(&c, &copy, sizeof(c)); /* another process sees the same */
    all[0] = '\0';
    for (size_t i = 0; i < c.count; i++) {
        size_t len = strlen(all);
        (void)snprintf(all + len, sizeof(all) - len, "%s ", c.items[i].text);
    }
    return all;
}

static enum line_keep keep(struct channels *d, const char *line)
{
    static struct completions c;
    struct principal who;
    assert_int_equal(access_identify(d->access, CHANNEL_TELEGRAM, ALICE, &who), 0);
    complete_line(d->runner, &who, str_c(line), &c);
    return c.keep;
}

static void commands_are_completed_for_the_role_of_the_person(void **state)
{
    struct channels *d = *state;
    assert_string_equal(candidates(d, ALICE, "/to"), "touch ");
    assert_string_equal(candidates(d, BOB, "/to"), "");
    assert_string_equal(candidates(d, BOB, "li"), "lines ");
    assert_string_equal(candidates(d, BOB, "LI"), "lines ");
    assert_string_equal(candidates(d, BOB, "canc"), "cancel ");
    assert_non_null(strstr(candidates(d, ALICE, ""), "touch "));
    assert_string_equal(candidates(d, BOB, "touch x"), "");
    assert_string_equal(candidates(d, ALICE, "lines co"), "count= ");
    assert_string_equal(candidates(d, ALICE, "lines \"open co"), "");
    assert_string_equal(candidates(d, ALICE, "nothing x"), "");
}

static void lines_with_codes_are_not_kept(void **state)
{
    static const struct {
        const char *line;
        enum line_keep keep;
    } rows[] = {{"/ping", LINE_KEEP_ALWAYS},        {"lines 900", LINE_KEEP_ALWAYS},
                {"lines many", LINE_KEEP_HERE},     {"png", LINE_KEEP_HERE},
                {"123456", LINE_KEEP_NOT},          {"/confirm ABCDEF 123456", LINE_KEEP_NOT},
                {"cancel ABCDEF", LINE_KEEP_NOT},   {"png 123456", LINE_KEEP_NOT},
                {"ABCD-EFGH-1234", LINE_KEEP_NOT},  {"", LINE_KEEP_NOT},
                {"lines 900 123456", LINE_KEEP_NOT}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (keep(*state, rows[i].line) != rows[i].keep) {
            fail_msg("%s: %d", rows[i].line, (int)keep(*state, rows[i].line));
        }
    }
}

static struct reply *with_buttons(int count)
{
    struct reply *r = reply_new();
    reply_title(r, TONE_GOOD, "a title");
    for (int i = 0; i < count; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "Button %d", i);
        reply_button(r, text, "/ping", BUTTON_PLAIN);
    }
    return r;
}

static void a_number_means_one_button(void **state)
{
    (void)state;
    struct choices choices = {0};
    AUTO_BUF struct buf out = BUF_INIT(RENDER_TEXT_MAX);
    AUTO_REPLY struct reply *first = reply_new();
    reply_title(first, TONE_WARN, "sure?");
    reply_button(first, "Confirm", "y:ABCDEF", BUTTON_DANGER);
    reply_button(first, "Cancel", "n:ABCDEF", BUTTON_PLAIN);
    AUTO_REPLY struct reply *second = with_buttons(3);
    const struct render_text_options options = {.buttons = true, .width = 24, .choices = &choices};
    render_text(first, &options, &out);
    render_text(second, &options, &out);
    assert_string_equal(out.data, "🟡 sure?\n[1] Confirm   [2] Cancel\n🟢 a title\n"
                                  "[3] Button 0\n[4] Button 1\n[5] Button 2\n");
    assert_string_equal(choices_find(&choices, str_c("1")), "y:ABCDEF");
    assert_string_equal(choices_find(&choices, str_c("5")), "/ping");
    const char *const others[] = {"0", "6", "-1", "x", "", "100", "001", "123456"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_null(choices_find(&choices, str_c(others[i])));
    }
    for (int i = 0; i < 40; i++) { /* the numbers begin again */
        render_text(second, &options, &out);
    }
    assert_non_null(choices_find(&choices, str_c("99")));
    assert_string_equal(choices_find(&choices, str_c("1")), "/ping");
    choices_release(&choices);
}

static void colours_change_no_character(void **state)
{
    (void)state;
    AUTO_REPLY struct reply *r = with_buttons(0);
    AUTO_BUF struct buf plain = BUF_INIT(RENDER_TEXT_MAX);
    AUTO_BUF struct buf coloured = BUF_INIT(RENDER_TEXT_MAX);
    AUTO_BUF struct buf stripped = BUF_INIT(RENDER_TEXT_MAX);
    reply_para(r, "see {} in a paragraph that is wrapped at some place", cell_code("/a code"));
    reply_heading(r, "heading");
    reply_columns(r, "name", "value");
    reply_cells(r, cell_text("one"), cell_count(12));
    reply_quote(r, str_c("quoted"));
    reply_footer(r, "footer");
    render_text(r, &(struct render_text_options){.width = 30}, &plain);
    render_text(r, &(struct render_text_options){.width = 30, .colour = true}, &coloured);
    assert_null(strchr(plain.data, '\033'));
    assert_non_null(strstr(coloured.data, "\033[0;1;32m🟢 a title\033[0m\n"));
    assert_non_null(strstr(coloured.data, "\033[0;36m/a code\033[0m"));
    for (const char *c = coloured.data; *c != '\0'; c++) {
        if (*c == '\033') {
            c += strcspn(c, "m");
        } else {
            buf_add_char(&stripped, *c);
        }
    }
    assert_string_equal(stripped.data, plain.data);
}

#define PROMPT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
UNIT_GROUP(chat_prompt, PROMPT_TEST(commands_are_completed_for_the_role_of_the_person),
           PROMPT_TEST(lines_with_codes_are_not_kept), cmocka_unit_test(a_number_means_one_button),
           cmocka_unit_test(colours_change_no_character))
