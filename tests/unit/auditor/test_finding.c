#include "../../../src/auditor/answer.h"
#include "base/check.h"
#include "io/secret.h"
#include "report/llm_prompt.h"
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
    struct answer_counts counts;
    buf_addf(&text, "{\"findings\":[%s]}", findings);
    return answer_read(buf_str(&text), list, &counts, NULL);
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
    list->items[0].rule = "no_stop";
    (void)str_copy(str_c("BTC-USD"), list->items[0].subject, sizeof(list->items[0].subject));
    finding_fingerprint(&list->items[0], prints[0]);
    assert_string_equal(prints[0], "auditor:rule:no_stop:BTC-USD");
    finding_list_free(list);
}

static void the_embedded_prompt_is_valid(void **state)
{
    (void)state;
    struct llm_prompt *prompt = NULL;
    struct err err = {0};
    assert_int_equal(llm_prompt_load("auditor", &prompt, &err), 0);
    assert_string_equal(prompt->id, "auditor/2");
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
        {"/trades/net", "/win_loss/net"},
        {"/trades/win_rate/pct", "/win_loss/win_rate/k"},
        {"/account/cash", "/account/cash_usd"},
        {"/trades/recent/3/pnl", "/trades/recent/7/pnl"},
        {"/system/services/demo/changes", "/services/demo/changes"},
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

/* The key of an hour is no index, and a subject stands for its row. */
static void other_rows_have_other_fingerprints(void **state)
{
    (void)state;
    static const char *const rows[][4] = {
        {"bot", "/trades/by_hour/14/pnl", "bot", "/trades/by_hour/15/pnl"},
        {"trade-17", "/trades/recent/trade-17/pnl", "trade-18", "/trades/recent/trade-18/pnl"},
        {"trade-17", "/trades/recent/0/pnl", "trade-18", "/trades/recent/0/pnl"},
        {"bot", "/account/cash", "bot", "/account/equity"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char prints[2][FINDING_FINGERPRINT_SIZE];
        for (size_t k = 0; k < 2; k++) {
            struct finding finding = {.type = ALERT_PATTERN, .evidence_count = 1};
            (void)str_copy(str_c(rows[i][2 * k]), finding.subject, sizeof(finding.subject));
            (void)str_copy(str_c(rows[i][2 * k + 1]), finding.evidence[0].pointer,
                           FINDING_POINTER_SIZE);
            finding_fingerprint(&finding, prints[k]);
        }
        assert_string_not_equal(prints[0], prints[1]);
    }
    struct finding by_name = {.subject = "trade-17", .evidence_count = 1};
    struct finding by_index = {.subject = "trade-17", .evidence_count = 1};
    char prints[2][FINDING_FINGERPRINT_SIZE];
    (void)str_copy(str_c("/trades/recent/trade-17/pnl"), by_name.evidence[0].pointer, 80);
    (void)str_copy(str_c("/trades/recent/4/pnl"), by_index.evidence[0].pointer, 80);
    finding_fingerprint(&by_name, prints[0]);
    finding_fingerprint(&by_index, prints[1]);
    assert_string_equal(prints[0], prints[1]);
}

UNIT_GROUP(finding, cmocka_unit_test(other_rows_have_other_fingerprints),
           cmocka_unit_test(a_renamed_figure_keeps_its_fingerprint),
           cmocka_unit_test(the_same_problem_has_the_same_fingerprint),
           cmocka_unit_test(the_embedded_prompt_is_valid),
           cmocka_unit_test(a_broken_prompt_is_refused))
