#include "../../../src/auditor/ground.h"
#include "report/rate.h"
#include "unit/unit.h"

#include <math.h>
#include <string.h>

static struct json_object *report(void)
{
    struct json_object *root = NULL;
    static const char text[] =
        "{\"trades\":{\"net\":-12.345678,\"count\":7,\"zero\":0,\"price\":0.5733,\"small\":0.4,"
        "\"half\":64.125,"
        "\"win_rate\":{\"k\":4,\"n\":7,\"pct\":57.14,\"low_pct\":25.05,\"high_pct\":84.18},"
        "\"big_rate\":{\"k\":20,\"n\":40,\"pct\":50.0,\"low_pct\":35.2,\"high_pct\":64.8}},"
        "\"account\":{\"state\":\"active\",\"balanced\":false,\"list\":[10,20,{\"x\":30}],"
        "\"nothing\":null},\"a/b\":{\"m~n\":8,\"\":9}}";
    assert_int_equal(json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    return root;
}

static bool cited(const char *pointer, bool is_text, const char *value)
{
    AUTO_JSON struct json_object *root = report();
    struct finding f = {.evidence_count = 1};
    (void)str_copy(str_c(pointer), f.evidence[0].pointer, sizeof(f.evidence[0].pointer));
    (void)str_copy(str_c(value), f.evidence[0].cited.text, sizeof(f.evidence[0].cited.text));
    f.evidence[0].cited.is_text = is_text;
    ground_finding(root, &f);
    assert_int_equal(f.rejected, !f.evidence[0].verified);
    assert_int_equal(f.evidence[0].verified,
                     f.evidence[0].note[0] == '\0' || strstr(f.evidence[0].note, "n = ") != NULL);
    return f.evidence[0].verified;
}

static void correct_numbers_are_verified(void **state)
{
    (void)state;
    assert_true(cited("/trades/net", false, "-12.345678"));
    assert_true(cited("/trades/net", false, "-12.35"));
    assert_true(cited("/trades/net", false, "-12"));
    assert_true(cited("/trades/net", false, "-12.3456780000001"));
    assert_true(cited("/trades/net", true, "-12.35"));
    assert_true(cited("/trades/count", false, "7"));
    assert_true(cited("/trades/count", false, "7.0"));
    assert_true(cited("/trades/zero", false, "0"));
    assert_true(cited("/trades/half", false, "64.12"));
    assert_true(cited("/trades/half", false, "64.13"));
    assert_true(cited("/trades/count", false, "7e0"));
    assert_true(cited("/trades/price", false, "0.57"));
    assert_true(cited("/trades/price", false, "0.6"));
    assert_true(cited("/trades/win_rate/pct", true, "57.14 %"));
    assert_true(cited("/trades/win_rate/pct", true, "57 percent"));
}

static void wrong_numbers_are_not_verified(void **state)
{
    (void)state;
    assert_false(cited("/trades/net", false, "12.35"));
    assert_false(cited("/trades/net", false, "-12.36"));
    assert_false(cited("/trades/net", false, "-12.34"));
    assert_false(cited("/trades/count", false, "8"));
    assert_false(cited("/trades/small", false, "0"));
    assert_false(cited("/trades/small", false, "0.0"));
    assert_false(cited("/trades/half", false, "64.14"));
    assert_false(cited("/trades/count", true, "seven"));
    assert_false(cited("/trades/count", true, "7 trades"));
    assert_false(cited("/trades/count", false, "7.1e0"));
    assert_false(cited("/trades/price", false, "1"));
    assert_false(cited("/trades/price", false, "0"));
    assert_false(cited("/trades/half", false, "6e1"));
    assert_false(cited("/trades/win_rate/pct", false, "0.5714"));
    assert_false(cited("/trades/win_rate/pct", true, "57.14 s"));
    assert_false(cited("/trades/win_rate/pct", true, "$57.14"));
}

static void texts_match_exactly(void **state)
{
    (void)state;
    assert_true(cited("/account/state", true, "active"));
    assert_false(cited("/account/state", true, "Active"));
    assert_false(cited("/account/state", false, "1"));
    assert_true(cited("/account/balanced", true, "false"));
    assert_false(cited("/account/balanced", true, "true"));
    assert_false(cited("/account/balanced", false, "0"));
}

/* Amounts without a unit in their key are in the account's currency. */
static void an_amount_is_in_the_currency_of_the_account(void **state)
{
    (void)state;
    static const struct {
        const char *currency, *says;
        bool right;
    } rows[] = {{"EUR", "The net is 12.5 EUR.", true}, {"EUR", "The net is $12.5.", false},
                {"USDT", "The net is $12.5.", true},   {"USDT", "The net is 12.5 USDT.", true},
                {"USDT", "The net is €12.5.", false},  {"EUR", "The net is 12.5.", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_JSON struct json_object *root = NULL;
        AUTO_BUF struct buf text = BUF_INIT(500);
        buf_addf(&text, "{\"account\":{\"currency\":\"%s\"},\"win_loss\":{\"net\":12.5}}",
                 rows[i].currency);
        assert_int_equal(json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
        struct finding f = {.evidence_count = 1};
        (void)str_copy(str_c("/win_loss/net"), f.evidence[0].pointer, FINDING_POINTER_SIZE);
        (void)str_copy(str_c("12.5"), f.evidence[0].cited.text, FINDING_VALUE_SIZE);
        (void)str_copy(str_c(rows[i].says), f.description, sizeof(f.description));
        ground_finding(root, &f);
        assert_int_equal(f.rejected, !rows[i].right);
    }
}

static void pointers_are_resolved(void **state)
{
    (void)state;
    assert_true(cited("/account/list/0", false, "10"));
    assert_true(cited("/account/list/2/x", false, "30"));
    assert_true(cited("/a~1b/m~0n", false, "8"));
    assert_true(cited("/a~1b/", false, "9"));
    assert_false(cited("/account/list/00", false, "10"));
    assert_false(cited("/account/list/3", false, "10"));
    assert_false(cited("/account/list/-", false, "10"));
    assert_false(cited("/missing", false, "0"));
    assert_false(cited("/missing/deeper", true, ""));
    assert_false(cited("trades/count", false, "7"));
    assert_false(cited("/a/b/m~n", false, "8"));
    assert_false(cited("/account/list", true, "[10,20]"));
    assert_false(cited("/account/nothing", true, "null"));
    assert_false(cited("", true, "x"));
}

static struct finding about(const char *pointer, const char *value, enum severity severity)
{
    AUTO_JSON struct json_object *root = report();
    struct finding f = {.evidence_count = 1, .severity = severity};
    (void)str_copy(str_c(pointer), f.evidence[0].pointer, sizeof(f.evidence[0].pointer));
    (void)str_copy(str_c(value), f.evidence[0].cited.text, sizeof(f.evidence[0].cited.text));
    ground_finding(root, &f);
    return f;
}

static void few_samples_cap_the_severity_at_medium(void **state)
{
    (void)state;
    struct finding f = about("/trades/win_rate/pct", "57.14", SEVERITY_CRITICAL);
    assert_int_equal(f.severity, SEVERITY_MEDIUM);
    assert_true(f.capped);
    assert_string_equal(f.evidence[0].note, "n = 7, 95 % interval 25.1 to 84.2 %");
    f = about("/trades/win_rate/k", "4", SEVERITY_HIGH);
    assert_int_equal(f.severity, SEVERITY_MEDIUM);
    f = about("/trades/win_rate/pct", "57.14", SEVERITY_LOW);
    assert_int_equal(f.severity, SEVERITY_LOW);
    assert_false(f.capped);
    f = about("/trades/big_rate/pct", "50", SEVERITY_HIGH);
    assert_int_equal(f.severity, SEVERITY_HIGH);
    f = about("/trades/net", "-12.35", SEVERITY_CRITICAL);
    assert_int_equal(f.severity, SEVERITY_CRITICAL);
}

static void cite(struct finding *f, const char *pointer, const char *value)
{
    struct finding_evidence *evidence = &f->evidence[f->evidence_count++];
    (void)str_copy(str_c(pointer), evidence->pointer, FINDING_POINTER_SIZE);
    (void)str_copy(str_c(value), evidence->cited.text, FINDING_VALUE_SIZE);
}

static void every_figure_must_be_verified(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root = report();
    struct finding f = {0};
    cite(&f, "/trades/count", "9");
    cite(&f, "/trades/count", "7");
    ground_finding(root, &f);
    assert_true(f.rejected);
    assert_false(f.evidence[0].verified);
    assert_true(f.evidence[1].verified);
    assert_string_equal(f.evidence[0].note, "the report says 7");
    assert_string_equal(f.reason, "/trades/count = 9: the report says 7");
    f = (struct finding){0};
    cite(&f, "/trades/count", "7");
    ground_finding(root, &f);
    assert_false(f.rejected);
    assert_string_equal(f.subject, "bot");
    f = (struct finding){0};
    ground_finding(root, &f);
    assert_true(f.rejected);
    assert_string_equal(f.reason, "it cites no figure");
    /* a rule cites what it has read itself, which may be less than it looks for */
    f = (struct finding){.rule = "books"};
    cite(&f, "/trades/count", "9");
    cite(&f, "/trades/count", "7");
    ground_finding(root, &f);
    assert_false(f.rejected);
}

static void every_figure_of_the_words_must_be_verified(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root = report();
    static const char *const texts[] = {"7 trades", "8 trades"};
    for (int i = 0; i < 6; i++) {
        struct finding f = {0};
        char *where[] = {f.title, f.description, f.recommendation};
        cite(&f, "/trades/count", "7");
        (void)str_copy(str_c(texts[i % 2]), where[i / 2], FINDING_TITLE_SIZE);
        ground_finding(root, &f);
        assert_int_equal(f.rejected, i % 2);
        assert_true(i % 2 == 0 || strstr(f.reason, "\"8\" in the ") != NULL);
    }
}

static void a_count_of_few_samples_caps_the_severity(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(STR_LIT("{\"few\":{\"wins\":4,\"average_win_usd\":3,\"net_usd\":12,"
                                        "\"win_rate\":{\"k\":4,\"n\":7},\"count\":7},"
                                        "\"many\":{\"wins\":24,\"average_win_usd\":3,"
                                        "\"win_rate\":{\"k\":24,\"n\":47},\"count\":47},"
                                        "\"alone\":{\"stuck\":3,\"of\":12}}"),
                                &JSON_LIMITS_DEFAULT, &root, NULL),
                     0);
    static const struct {
        const char *pointer, *value, *description;
        bool capped;
    } rows[] = {{"/few/wins", "4", "", true},
                {"/few/win_rate/n", "7", "", true},
                {"/few/average_win_usd", "3", "", true},
                {"/few/net_usd", "12", "", false},
                {"/many/wins", "24", "", false},
                {"/many/average_win_usd", "3", "", false},
                {"/alone/stuck", "3", "", false},
                {"/alone/stuck", "3", "Of 12 these are 25 % (3 / 12).", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct finding f = {.severity = SEVERITY_CRITICAL};
        cite(&f, rows[i].pointer, rows[i].value);
        if (rows[i].description[0] != '\0') {
            cite(&f, "/alone/of", "12");
            (void)str_copy(str_c(rows[i].description), f.description, sizeof(f.description));
        }
        ground_finding(root, &f);
        assert_false(f.rejected);
        assert_int_equal(f.capped, rows[i].capped);
    }
}

static enum ground_state check(const char *pointer, enum finding_op op, bool is_text,
                               const char *value)
{
    AUTO_JSON struct json_object *root = report();
    struct finding_check c = {.present = true, .op = op, .value = {.is_text = is_text}};
    (void)str_copy(str_c(pointer), c.pointer, sizeof(c.pointer));
    (void)str_copy(str_c(value), c.value.text, sizeof(c.value.text));
    return ground_check(root, &c);
}

static void checks_are_evaluated(void **state)
{
    (void)state;
    assert_int_equal(check("/trades/net", FINDING_BELOW, false, "0"), GROUND_TRUE);
    assert_int_equal(check("/trades/net", FINDING_AT_LEAST, false, "0"), GROUND_FALSE);
    assert_int_equal(check("/trades/count", FINDING_ABOVE, false, "7"), GROUND_FALSE);
    assert_int_equal(check("/trades/count", FINDING_AT_LEAST, false, "7"), GROUND_TRUE);
    assert_int_equal(check("/trades/count", FINDING_AT_MOST, false, "6.5"), GROUND_FALSE);
    assert_int_equal(check("/trades/count", FINDING_EQUAL, false, "7"), GROUND_TRUE);
    assert_int_equal(check("/trades/count", FINDING_DIFFERENT, false, "7"), GROUND_FALSE);
    assert_int_equal(check("/account/state", FINDING_EQUAL, true, "active"), GROUND_TRUE);
    assert_int_equal(check("/account/state", FINDING_DIFFERENT, true, "active"), GROUND_FALSE);
    assert_int_equal(check("/account/state", FINDING_ABOVE, true, "active"), GROUND_UNKNOWN);
    assert_int_equal(check("/gone", FINDING_ABOVE, false, "1"), GROUND_UNKNOWN);
    assert_int_equal(check("/account", FINDING_EQUAL, false, "1"), GROUND_UNKNOWN);
}

/* Alerts are stored with the pointers of their time. */
static void pointers_of_former_reports_stay_valid(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *report = NULL;
    assert_int_equal(
        json_parse(
            STR_LIT("{\"account\":{\"realised_pnl\":-5,\"positions\":[{\"entry_price\":100,"
                    "\"mark_price\":110,\"unrealised_pnl\":1}]},\"system\":{\"feed\":"
                    "{\"BTC-USD\":{\"refused_candles\":3}},\"engine\":{\"last_error_code\":6}},"
                    "\"counters\":{\"realised_pnl\":{\"difference\":4}},"
                    "\"decisions\":{\"since_last_min\":5}}"),
            &JSON_LIMITS_DEFAULT, &report, NULL),
        0);
    static const struct {
        const char *pointer;
        const char *value;
    } rows[] = {{"/account/realised", "-5"},
                {"/account/realised_pnl", "-5"},
                {"/account/positions/0/entry", "100"},
                {"/account/positions/0/mark", "110"},
                {"/account/positions/0/unrealised", "1"},
                {"/system/feed/BTC-USD/refused", "3"},
                {"/counters/realised/difference", "4"},
                {"/decisions/minutes_since_last", "5"},
                {"/system/engine/last_error", "6"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct finding_check c = {.present = true, .op = FINDING_EQUAL};
        (void)str_copy(str_c(rows[i].pointer), c.pointer, sizeof(c.pointer));
        (void)str_copy(str_c(rows[i].value), c.value.text, sizeof(c.value.text));
        assert_int_equal(ground_check(report, &c), GROUND_TRUE);
    }
    struct finding_check gone = {
        .present = true, .op = FINDING_EQUAL, .pointer = "/account/positions/1/entry"};
    assert_int_equal(ground_check(report, &gone), GROUND_UNKNOWN);
}

/* Compared with published figures for the method: 4 of 7, 0 of 10, 10 of 10. */
static void the_wilson_interval_matches_published_figures(void **state)
{
    (void)state;
    double low = 0;
    double high = 0;
    rate_wilson(4, 7, &low, &high);
    assert_true(fabs(low - 0.2505) < 0.0005 && fabs(high - 0.8418) < 0.0005);
    rate_wilson(0, 10, &low, &high);
    assert_true(low == 0 && fabs(high - 0.2775) < 0.0005);
    rate_wilson(10, 10, &low, &high);
    assert_true(fabs(low - 0.7225) < 0.0005 && high > 0.999999);
}

UNIT_GROUP(ground, cmocka_unit_test(correct_numbers_are_verified),
           cmocka_unit_test(wrong_numbers_are_not_verified), cmocka_unit_test(texts_match_exactly),
           cmocka_unit_test(an_amount_is_in_the_currency_of_the_account),
           cmocka_unit_test(pointers_are_resolved),
           cmocka_unit_test(few_samples_cap_the_severity_at_medium),
           cmocka_unit_test(every_figure_must_be_verified),
           cmocka_unit_test(every_figure_of_the_words_must_be_verified),
           cmocka_unit_test(a_count_of_few_samples_caps_the_severity),
           cmocka_unit_test(checks_are_evaluated),
           cmocka_unit_test(pointers_of_former_reports_stay_valid),
           cmocka_unit_test(the_wilson_interval_matches_published_figures))
