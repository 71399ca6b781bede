#include "../../../src/auditor/finding.h"
#include "../../../src/auditor/llm_prompt.h"
#include "base/check.h"
#include "io/secret.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD                                                                            \
    "\"type\":\"pattern\",\"severity\":\"high\",\"title\":\"t\",\"description\":\"d\"," \
    "\"recommendation\":\"r\""
#define EVIDENCE "\"evidence\":[{\"pointer\":\"/a\",\"value\":1.50}]"
#define ONE      "{" HEAD "," EVIDENCE "}"

static int parse(const char *findings, struct finding_list *list)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    buf_addf(&text, "{\"findings\":[%s]}", findings);
    return finding_parse(buf_str(&text), list, NULL);
}

static void a_valid_answer_is_parsed(void **state)
{
    (void)state;
    struct finding_list *list = finding_list_new();
    assert_int_equal(parse("", list), 0);
    assert_int_equal(list->count, 0);
    assert_int_equal(parse("{" HEAD ",\"evidence\":[{\"pointer\":\"/a/b\",\"value\":\"text\"},"
                           "{\"pointer\":\"/c\",\"value\":1.50}],"
                           "\"check\":{\"pointer\":\"/c\",\"op\":\">=\",\"value\":1}}",
                           list),
                     0);
    assert_int_equal(list->count, 1);
    const struct finding *f = &list->items[0];
    assert_int_equal(f->type, ALERT_PATTERN);
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_int_equal(f->evidence_count, 2);
    assert_true(f->evidence[0].cited.is_text);
    assert_string_equal(f->evidence[1].cited.text, "1.50");
    assert_true(f->check.present);
    assert_int_equal(f->check.op, FINDING_AT_LEAST);
    AUTO_BUF struct buf out = BUF_INIT(1024);
    finding_check_write(&f->check, &out);
    assert_string_equal(out.data, "{\"pointer\":\"/c\",\"op\":\">=\",\"value\":1}");
    finding_list_free(list);
}

static void an_invalid_answer_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "1",
        "{" HEAD "}",
        "{" HEAD "," EVIDENCE ",\"more\":1}",
        "{\"type\":\"service\",\"severity\":\"high\",\"title\":\"t\",\"description\":\"d\","
        "\"recommendation\":\"r\"," EVIDENCE "}",
        "{\"type\":\"bug\",\"severity\":\"urgent\",\"title\":\"t\",\"description\":\"d\","
        "\"recommendation\":\"r\"," EVIDENCE "}",
        "{\"type\":\"bug\",\"severity\":\"low\",\"title\":\" \",\"description\":\"d\","
        "\"recommendation\":\"r\"," EVIDENCE "}",
        "{\"type\":\"bug\",\"severity\":\"low\",\"title\":\"two\\nlines\",\"description\":\"d\","
        "\"recommendation\":\"r\"," EVIDENCE "}",
        "{" HEAD ",\"evidence\":[{\"pointer\":\"/a\",\"value\":true}]}",
        "{" HEAD ",\"evidence\":[{\"pointer\":\"/a\",\"value\":null}]}",
        "{" HEAD ",\"evidence\":[{\"pointer\":\"/a\"}]}",
        "{" HEAD ",\"evidence\":{}}",
        "{" HEAD "," EVIDENCE ",\"check\":{\"pointer\":\"/a\",\"op\":\"~\",\"value\":1}}",
        "{" HEAD "," EVIDENCE ",\"check\":[]}",
        ONE "," ONE ",{}",
    };
    struct finding_list *list = finding_list_new();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i], list), -ERR_AUDIT_ANSWER);
        assert_int_equal(list->count, 0);
    }
    static const char *const texts[] = {"",
                                        "[]",
                                        "{\"findings\":{}}",
                                        "{\"findings\":[",
                                        "Here you are: {\"findings\":[]}",
                                        "{\"findings\":[],\"note\":\"\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(finding_parse(str_c(texts[i]), list, NULL), -ERR_AUDIT_ANSWER);
    }
    finding_list_free(list);
}

static void limits_beyond_the_schema_are_enforced(void **state)
{
    (void)state;
    struct finding_list *list = finding_list_new();
    AUTO_BUF struct buf many = BUF_INIT((size_t)64 * 1024);
    for (int i = 0; i < FINDING_MODEL_MAX; i++) {
        buf_addf(&many, "%s%s", i > 0 ? "," : "", ONE);
    }
    assert_int_equal(parse(many.data, list), 0);
    assert_int_equal(list->count, FINDING_MODEL_MAX);
    list->count = 0;
    buf_add_c(&many, "," ONE);
    assert_int_equal(parse(many.data, list), -ERR_AUDIT_ANSWER);
    assert_int_equal(list->count, 0);

    AUTO_BUF struct buf figures = BUF_INIT((size_t)64 * 1024);
    buf_add_c(&figures, "{" HEAD ",\"evidence\":[");
    for (int i = 0; i <= FINDING_EVIDENCE_MAX; i++) {
        buf_addf(&figures, "%s{\"pointer\":\"/a\",\"value\":1}", i > 0 ? "," : "");
    }
    buf_add_c(&figures, "]}");
    assert_int_equal(parse(figures.data, list), -ERR_AUDIT_ANSWER);

    char title[FINDING_TITLE_SIZE + 1];
    memset(title, 'x', sizeof(title) - 1);
    title[FINDING_TITLE_SIZE] = '\0';
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 * 1024);
    buf_addf(&text,
             "{\"type\":\"bug\",\"severity\":\"low\",\"title\":\"%s\",\"description\":\"d\","
             "\"recommendation\":\"r\"," EVIDENCE "}",
             title);
    assert_int_equal(parse(text.data, list), -ERR_AUDIT_ANSWER);
    finding_list_free(list);
}

static void the_same_problem_has_the_same_fingerprint(void **state)
{
    (void)state;
    assert_int_equal(secret_init(NULL), 0);
    struct finding_list *list = finding_list_new();
    assert_int_equal(
        parse("{" HEAD ",\"evidence\":[{\"pointer\":\"/a\",\"value\":1},{\"pointer\":\"/b\","
              "\"value\":2}]},"
              "{\"type\":\"pattern\",\"severity\":\"low\",\"title\":\"other words\","
              "\"description\":\"x\",\"recommendation\":\"y\",\"evidence\":[{\"pointer\":\"/b\","
              "\"value\":5},{\"pointer\":\"/a\",\"value\":6},{\"pointer\":\"/a\",\"value\":6}]},"
              "{" HEAD ",\"evidence\":[{\"pointer\":\"/a\",\"value\":1}]},"
              "{" HEAD ",\"evidence\":[]}",
              list),
        0);
    char prints[4][FINDING_FINGERPRINT_SIZE];
    for (int i = 0; i < 4; i++) {
        finding_fingerprint(&list->items[i], prints[i]);
    }
    assert_string_equal(prints[0], prints[1]);
    assert_string_not_equal(prints[0], prints[2]);
    assert_string_not_equal(prints[2], prints[3]);
    list->items[0].rule = "books";
    finding_fingerprint(&list->items[0], prints[0]);
    assert_string_equal(prints[0], "auditor:rule:books");
    finding_list_free(list);
}

static void the_embedded_prompt_is_valid(void **state)
{
    (void)state;
    struct llm_prompt *prompt = NULL;
    struct err err = {0};
    assert_int_equal(llm_prompt_load("auditor", &prompt, &err), 0);
    assert_string_equal(prompt->id, "auditor/1");
    assert_null(prompt->model);
    assert_non_null(json_at(prompt->schema, "/properties/findings/items/properties/evidence"));
    assert_non_null(strstr(prompt->text, "<untrusted_data>"));
    llm_prompt_free(prompt);
}

static void a_broken_prompt_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "text only",
        "---\nid: a\n---\ntext",
        "---\nid: a\nmodel: m\ninputs: [x]\noutput: '{'\n---\ntext",
        "---\nid: a\nmodel: m\ninputs: [x]\noutput: '{}'\n---\n\n",
        "---\nid: [a\n---\ntext",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct llm_prompt *prompt = NULL;
        assert_int_equal(llm_prompt_parse(bad[i], &prompt, NULL), -ERR_AUDIT_PROMPT);
        assert_null(prompt);
    }
    struct llm_prompt *prompt = NULL;
    assert_int_equal(
        llm_prompt_parse("---\nid: a\nmodel: m\ninputs: [x]\noutput: '{}'\n---\ntext\n", &prompt,
                         NULL),
        0);
    assert_string_equal(prompt->model, "m");
    assert_string_equal(prompt->text, "text");
    llm_prompt_free(prompt);
}

/* A report once named these figures otherwise; an alert of that time must be found again. */
static void a_renamed_figure_keeps_its_fingerprint(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"/account/realised", "/account/realised_pnl"},
        {"/account/positions/2/entry", "/account/positions/2/entry_price"},
        {"/account/positions/0/unrealised", "/account/positions/0/unrealised_pnl"},
        {"/system/feed/BTC-USD/refused", "/system/feed/BTC-USD/refused_candles"},
        {"/counters/realised/state", "/counters/realised_pnl/state"},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        char prints[2][FINDING_FINGERPRINT_SIZE];
        for (size_t k = 0; k < 2; k++) {
            struct finding finding = {.type = ALERT_PATTERN, .evidence_count = 1};
            (void)str_copy(str_c(pairs[i][k]), finding.evidence[0].pointer, FINDING_POINTER_SIZE);
            finding_fingerprint(&finding, prints[k]);
        }
        assert_string_equal(prints[0], prints[1]);
    }
}

UNIT_GROUP(finding, cmocka_unit_test(a_renamed_figure_keeps_its_fingerprint),
           cmocka_unit_test(a_valid_answer_is_parsed),
           cmocka_unit_test(an_invalid_answer_is_refused),
           cmocka_unit_test(limits_beyond_the_schema_are_enforced),
           cmocka_unit_test(the_same_problem_has_the_same_fingerprint),
           cmocka_unit_test(the_embedded_prompt_is_valid),
           cmocka_unit_test(a_broken_prompt_is_refused))
