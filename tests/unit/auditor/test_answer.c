#include "../../../src/auditor/answer.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#define MEMBERS(severity, title)                                                  \
    "\"type\":\"pattern\",\"severity\":\"" severity "\",\"title\":\"" title "\"," \
    "\"description\":\"d\",\"recommendation\":\"r\""
#define EVIDENCE "\"evidence\":[{\"pointer\":\"/a\",\"value\":1.50}]"
#define ONE      "{" MEMBERS("high", "t") "," EVIDENCE "}"

struct read {
    struct finding_list *list;
    struct answer_counts counts;
    struct err err;
};

static int set_up(void **state)
{
    struct read *r = calloc(1, sizeof(*r));
    r->list = finding_list_new();
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct read *r = *state;
    finding_list_free(r->list);
    free(r);
    return 0;
}

static int read_findings(struct read *r, const char *findings)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)4 << 20);
    buf_addf(&text, "{\"findings\":[%s]}", findings);
    r->list->count = 0;
    r->err = (struct err){0};
    return answer_read(buf_str(&text), r->list, &r->counts, &r->err);
}

static void a_valid_answer_is_read(void **state)
{
    struct read *r = *state;
    assert_int_equal(read_findings(r, ""), 0);
    assert_int_equal(r->list->count, 0);
    assert_int_equal(
        read_findings(
            r,
            "{" MEMBERS("high", "t") ",\"subject\":\"trade-17\","
                                     "\"problem\":\"too_low\","
                                     "\"evidence\":[{\"pointer\":\"/a/b\",\"value\":\"text\"},"
                                     "{\"pointer\":\"/c\",\"value\":1.50},"
                                     "{\"pointer\":\"/d\",\"value\":true}],"
                                     "\"check\":{\"pointer\":\"/c\",\"op\":\">=\",\"value\":1}}"),
        0);
    assert_int_equal(r->list->count, 1);
    assert_int_equal(r->counts.claimed, 1);
    assert_int_equal(r->counts.dropped + r->counts.cut, 0);
    const struct finding *f = &r->list->items[0];
    assert_int_equal(f->type, ALERT_PATTERN);
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_string_equal(f->subject, "trade-17");
    assert_string_equal(f->problem, "too_low");
    assert_int_equal(f->evidence_count, 3);
    assert_true(f->evidence[0].cited.is_text);
    assert_string_equal(f->evidence[1].cited.text, "1.50");
    assert_string_equal(f->evidence[2].cited.text, "true");
    assert_true(f->check.present);
    assert_int_equal(f->check.op, FINDING_AT_LEAST);
    AUTO_BUF struct buf out = BUF_INIT(1024);
    finding_check_write(&f->check, &out);
    assert_string_equal(out.data, "{\"pointer\":\"/c\",\"op\":\">=\",\"value\":1}");
}

static void an_invalid_finding_is_dropped_alone(void **state)
{
    struct read *r = *state;
    static const char *const bad[] = {
        "{}",
        "1",
        "null",
        "{" MEMBERS("high", "t") "}",
        "{\"type\":\"service\",\"severity\":\"high\",\"title\":\"t\"," EVIDENCE "}",
        "{" MEMBERS("urgent", "t") "," EVIDENCE "}",
        "{" MEMBERS("low", " \\u200b ") "," EVIDENCE "}",
        "{" MEMBERS("low", "t") ",\"evidence\":[{\"pointer\":\"/a\",\"value\":null}]}",
        "{" MEMBERS("low", "t") ",\"evidence\":[{\"pointer\":\"/a\",\"value\":[1]}]}",
        "{" MEMBERS("low", "t") ",\"evidence\":[{\"pointer\":\"/a\"}]}",
        "{" MEMBERS("low", "t") ",\"evidence\":[{\"pointer\":7,\"value\":1}]}",
        "{" MEMBERS("low", "t") ",\"evidence\":{}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTO_BUF struct buf text = BUF_INIT(4096);
        buf_addf(&text, ONE ",%s," ONE, bad[i]);
        assert_int_equal(read_findings(r, text.data), 0);
        assert_int_equal(r->list->count, 2);
        assert_int_equal(r->counts.claimed, 3);
        assert_int_equal(r->counts.dropped, 1);
        assert_true(r->counts.reason[0] != '\0');
        assert_int_equal(read_findings(r, bad[i]), -ERR_AUDIT_ANSWER);
        assert_int_equal(r->list->count, 0);
        assert_non_null(strstr(r->err.context, r->counts.reason));
    }
}

static void what_is_too_long_is_cut(void **state)
{
    struct read *r = *state;
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 * 1024);
    AUTO_BUF struct buf words = BUF_INIT(8192);
    while (words.len < 2000) {
        buf_add_c(&words, "ä1234567 ");
    }
    buf_addf(&text,
             "{\"type\":\"bug\",\"severity\":\"low\",\"title\":\"%s\",\"description\":\"%s\","
             "\"recommendation\":\"r\"," EVIDENCE "}",
             words.data, words.data);
    assert_int_equal(read_findings(r, text.data), 0);
    const struct finding *f = &r->list->items[0];
    assert_int_equal(r->counts.cut, 1);
    assert_int_equal(r->counts.dropped, 0);
    assert_true(f->cut);
    assert_true(strlen(f->title) < FINDING_TITLE_SIZE && strlen(f->title) > 120);
    assert_true(str_is_utf8(str_c(f->title)));
    /* no figure loses a digit */
    assert_string_equal(f->title + strlen(f->title) - strlen("1234567 …"), "1234567 …");
    assert_string_equal(f->description + strlen(f->description) - strlen("1234567 …"), "1234567 …");

    buf_clear(&text);
    buf_add_c(&text, "{" MEMBERS("low", "t") ",\"evidence\":[");
    for (int i = 0; i < 9; i++) {
        buf_addf(&text, "%s{\"pointer\":\"/a\",\"value\":%d}", i > 0 ? "," : "", i);
    }
    buf_add_c(&text, "]}");
    assert_int_equal(read_findings(r, text.data), 0);
    assert_int_equal(r->list->items[0].evidence_count, FINDING_EVIDENCE_MAX);
    assert_int_equal(r->counts.cut, 1);

    buf_clear(&text);
    buf_addf(&text,
             "{" MEMBERS("low", "t") ",\"evidence\":[{\"pointer\":\"/a\",\"value\":\"%s\"}]}",
             words.data);
    assert_int_equal(read_findings(r, text.data), 0);
    assert_true(r->list->items[0].evidence[0].cited.cut);
    assert_int_equal(r->counts.cut, 1);

    static const char *const more[] = {",\"confidence\":1}", ",\"check\":[]}",
                                       ",\"check\":{\"pointer\":\"/a\",\"op\":\"~\",\"value\":1}}"};
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        buf_clear(&text);
        buf_addf(&text, "{" MEMBERS("low", "t") "," EVIDENCE "%s", more[i]);
        assert_int_equal(read_findings(r, text.data), 0);
        assert_int_equal(r->list->count, 1);
        assert_int_equal(r->counts.cut, 1);
        assert_false(r->list->items[0].check.present);
    }
}

/* The rules are kept, the model's are bounded: the worst ones stay, in their order. */
static void the_worst_of_too_many_are_kept(void **state)
{
    struct read *r = *state;
    AUTO_BUF struct buf text = BUF_INIT((size_t)4 << 20);
    buf_add_c(&text, "{\"findings\":[");
    for (int i = 0; i < 1000; i++) {
        const char *severity = i % 100 == 99 ? "critical" : i % 100 == 98 ? "high" : "low";
        buf_addf(&text,
                 "%s{\"type\":\"bug\",\"severity\":\"%s\",\"title\":\"no. %d\"," EVIDENCE "}",
                 i > 0 ? "," : "", severity, i);
    }
    buf_add_c(&text, "]}");
    assert_non_null(finding_add(r->list, "books", ALERT_BUG, SEVERITY_INFO));
    assert_int_equal(answer_read(buf_str(&text), r->list, &r->counts, NULL), 0);
    assert_int_equal(r->list->count, 1 + FINDING_MODEL_MAX);
    assert_string_equal(r->list->items[0].rule, "books");
    assert_int_equal(r->counts.claimed, 1000);
    assert_int_equal(r->counts.dropped, 1000 - FINDING_MODEL_MAX);
    for (int i = 1; i <= FINDING_MODEL_MAX; i++) {
        assert_true(r->list->items[i].severity >= SEVERITY_HIGH);
    }
    assert_string_equal(r->list->items[1].title, "no. 98");
    assert_string_equal(r->list->items[20].title, "no. 999");
}

static void json_may_be_inside_other_text(void **state)
{
    struct read *r = *state;
    static const struct {
        const char *text;
        bool read;
        bool wrapped;
    } rows[] = {
        {"{\"findings\":[" ONE "]}", true, false},
        {"[" ONE "]", true, false},
        {"```json\n{\"findings\":[" ONE "]}\n```", true, true},
        {"I found (see below) this: {\"findings\":[" ONE "]}. Done.", true, true},
        {"{\"findings\":[" ONE "]} {\"findings\":[]}", false, false},
        {"{\"findings\":[" ONE "]", false, false},
        {"Nothing to report.", false, false},
        {"", false, false},
        {"{\"findings\":{}}", false, false},
        {"{\"findings\":[],\"findings\":[]}", false, false},
        {"\"findings\"", false, false},
        {"{\"a\":\"}\",\"findings\":[" ONE "]} and so on", true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        r->list->count = 0;
        int rc = answer_read(str_c(rows[i].text), r->list, &r->counts, &r->err);
        assert_int_equal(rc, rows[i].read ? 0 : -ERR_AUDIT_ANSWER);
        assert_int_equal(r->list->count, rows[i].read ? 1 : 0);
        assert_int_equal(rc == 0 && r->counts.wrapped, rows[i].wrapped);
    }
}

static void megabytes_are_no_verdict(void **state)
{
    struct read *r = *state;
    AUTO_BUF struct buf text = BUF_INIT((size_t)8 << 20);
    buf_add_c(&text, ONE);
    while (text.len < (size_t)2 << 20) {
        buf_add_c(&text, "," ONE);
    }
    AUTO_BUF struct buf whole = BUF_INIT((size_t)8 << 20);
    buf_addf(&whole, "[%s]", text.data);
    assert_int_equal(answer_read(buf_str(&whole), r->list, &r->counts, &r->err), -ERR_AUDIT_ANSWER);
    assert_non_null(strstr(r->err.context, "bytes"));
}

static void texts_are_plain(void **state)
{
    struct read *r = *state;
    assert_int_equal(read_findings(r,
                                   "{\"type\":\"bug\",\"severity\":\"low\","
                                   "\"title\":\"two\\nlines \\u202e6\\u200b5 %\",\"description\":"
                                   "\"a\\nb\\u0007\"," EVIDENCE "}"),
                     0);
    assert_string_equal(r->list->items[0].title, "two lines 65 %");
    assert_string_equal(r->list->items[0].description, "a\nb");
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

UNIT_GROUP(answer, RIGGED(a_valid_answer_is_read), RIGGED(an_invalid_finding_is_dropped_alone),
           RIGGED(what_is_too_long_is_cut), RIGGED(the_worst_of_too_many_are_kept),
           RIGGED(json_may_be_inside_other_text), RIGGED(megabytes_are_no_verdict),
           RIGGED(texts_are_plain))
