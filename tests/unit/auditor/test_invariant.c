#include "../../../src/auditor/ground.h"
#include "../../../src/auditor/invariant.h"
#include "unit/unit.h"

#include <string.h>

/* A report that breaks no rule. */
static const char healthy[] =
    "{\"meta\":{\"gaps\":{}},\"books\":{\"difference\":0},"
    "\"account\":{\"state\":\"active\",\"books_balance\":true},"
    "\"counters\":{"
    "\"trades\":{\"table\":5,\"state\":5,\"table_minus_state\":0,\"snapshot\":5,"
    "\"snapshot_minus_state\":0},"
    "\"fills\":{\"table\":12,\"state\":12,\"table_minus_state\":0,\"snapshot\":11,"
    "\"snapshot_minus_state\":-1},"
    "\"realised_pnl\":{\"state\":3.5,\"trades_less_open_fees_and_funding\":3.5,\"difference\":0."
    "00000002},"
    "\"fees\":{\"state\":1,\"fills\":1,\"difference\":0},"
    "\"funding\":{\"state\":-1,\"payments\":-1,\"difference\":0}},"
    "\"orders\":{\"stuck\":0,\"oldest_stuck_min\":0,\"stuck_orders\":[]},"
    "\"decisions\":{\"since_last_min\":4.0,\"entries_wanted\":20,\"orders\":6,\"vetoes\":{"
    "\"RISK_MAX\":14}},"
    "\"system\":{\"engine\":{\"silent_s\":1.000,\"active_market_min\":500,\"decisions\":90,"
    "\"candles\":100},\"feed\":{\"BTC-USD\":{\"lag_min\":1.0}},"
    "\"clock\":{\"jumped_s\":0.0,\"market_minus_ours_s\":2.0},"
    "\"services\":{\"demo\":{\"changes\":1}},"
    "\"audit_log\":{\"rows\":9,\"bad_row\":0,\"why\":\"intact\"}}}";

static struct json_object *parse(const char *text)
{
    struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    return root;
}

/* Sets one value of the healthy report ("/a/b" to JSON text) and runs the rules. */
static void with(const char *pointer, const char *value, struct finding_list *list,
                 enum invariant_state states[INVARIANT_COUNT])
{
    AUTO_JSON struct json_object *report = parse(healthy);
    if (pointer != NULL) {
        const char *last = strrchr(pointer, '/');
        struct json_object *owner = NULL;
        assert_true(json_pointer(report, str_n(pointer, (size_t)(last - pointer)), &owner));
        json_object_object_add(owner, last + 1, value != NULL ? parse(value) : NULL);
    }
    list->count = 0;
    invariant_run(report, list, states);
    for (int i = 0; i < list->count; i++) {
        struct finding *f = &list->items[i];
        assert_true(f->evidence_count > 0);
        ground_finding(report, f);
        for (int e = 0; e < f->evidence_count; e++) {
            assert_true(f->evidence[e].verified);
        }
        assert_true(f->title[0] != '\0' && f->description[0] != '\0');
        assert_true(f->recommendation[0] != '\0');
    }
}

static void a_healthy_report_has_no_finding(void **state)
{
    (void)state;
    struct finding_list *list = finding_list_new();
    enum invariant_state states[INVARIANT_COUNT];
    with(NULL, NULL, list, states);
    assert_int_equal(list->count, 0);
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        assert_int_equal(states[i], INVARIANT_KEPT);
    }
    finding_list_free(list);
}

static void each_rule_fires(void **state)
{
    (void)state;
    static const struct {
        enum invariant rule;
        enum severity severity;
        const char *pointer;
        const char *value;
    } cases[] = {
        {INVARIANT_BOOKS, SEVERITY_CRITICAL, "/books/difference", "0.00000001"},
        {INVARIANT_BOOKS, SEVERITY_CRITICAL, "/account/books_balance", "false"},
        {INVARIANT_FEED, SEVERITY_HIGH, "/system/engine/silent_s", "5"},
        {INVARIANT_FEED, SEVERITY_HIGH, "/system/feed/BTC-USD/lag_min", "20.1"},
        {INVARIANT_FEED, SEVERITY_HIGH, "/system/clock/jumped_s", "-61"},
        {INVARIANT_FEED, SEVERITY_HIGH, "/system/clock/market_minus_ours_s", "301"},
        {INVARIANT_AUDIT_LOG, SEVERITY_HIGH, "/system/audit_log/bad_row", "7"},
        {INVARIANT_COUNTERS, SEVERITY_HIGH, "/counters/trades/table_minus_state", "-1"},
        {INVARIANT_COUNTERS, SEVERITY_HIGH, "/counters/fills/table_minus_state", "1"},
        {INVARIANT_COUNTERS, SEVERITY_HIGH, "/counters/trades/snapshot_minus_state", "1"},
        {INVARIANT_COUNTERS, SEVERITY_HIGH, "/counters/realised_pnl/difference", "0.02"},
        {INVARIANT_COUNTERS, SEVERITY_HIGH, "/counters/funding/difference", "-0.02"},
        {INVARIANT_COUNTERS, SEVERITY_HIGH, "/counters/fees/difference", "-0.02"},
        {INVARIANT_INTENTS, SEVERITY_HIGH, "/orders/stuck", "1"},
        {INVARIANT_IDLE, SEVERITY_HIGH, "/system/engine/decisions", "0"},
        {INVARIANT_IDLE, SEVERITY_HIGH, "/decisions/since_last_min", "121"},
        {INVARIANT_IDLE, SEVERITY_MEDIUM, "/system/services/demo/changes", "6"},
        {INVARIANT_GAPS, SEVERITY_HIGH, "/meta/gaps/trades", "\"DB_LOCKED\""},
    };
    struct finding_list *list = finding_list_new();
    enum invariant_state states[INVARIANT_COUNT];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        with(cases[i].pointer, cases[i].value, list, states);
        assert_int_equal(list->count, 1);
        assert_string_equal(list->items[0].rule, invariant_name(cases[i].rule));
        assert_int_equal(list->items[0].severity, cases[i].severity);
        assert_int_equal(states[cases[i].rule], INVARIANT_BROKEN);
    }
    finding_list_free(list);
}

static void values_at_the_limit_are_not_findings(void **state)
{
    (void)state;
    static const char *const quiet[][2] = {
        {"/system/engine/silent_s", "4.999"},
        {"/system/feed/BTC-USD/lag_min", "20"},
        {"/counters/fills/snapshot_minus_state", "-3"},
        {"/counters/realised_pnl/difference", "-0.009"},
        {"/system/services/demo/changes", "5"},
        {"/meta/gaps/counters", "\"not started yet\""},
        {"/decisions/entries_wanted", "9"},
    };
    struct finding_list *list = finding_list_new();
    enum invariant_state states[INVARIANT_COUNT];
    for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++) {
        with(quiet[i][0], quiet[i][1], list, states);
        assert_int_equal(list->count, 0);
    }
    finding_list_free(list);
}

static void a_rule_that_vetoes_every_entry_is_found(void **state)
{
    (void)state;
    struct finding_list *list = finding_list_new();
    enum invariant_state states[INVARIANT_COUNT];
    const char *all = "{\"entries_wanted\":14,\"orders\":0,\"vetoes\":{\"RISK_MAX\":14}}";
    with("/decisions", all, list, states);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->items[0].type, ALERT_INEFFICIENCY);
    assert_non_null(strstr(list->items[0].description, "RISK_MAX"));
    with("/decisions",
         "{\"entries_wanted\":14,\"orders\":0,\"vetoes\":{\"RISK_MAX\":13,\"RISK_DAY\":1}}", list,
         states);
    assert_int_equal(list->count, 0);
    with("/decisions", "{\"entries_wanted\":14,\"orders\":0,\"vetoes\":{\"RISK_PAUSED\":14}}", list,
         states);
    assert_int_equal(list->count, 0);
    with("/decisions", "{\"entries_wanted\":14,\"orders\":1,\"vetoes\":{\"RISK_MAX\":13}}", list,
         states);
    assert_int_equal(list->count, 0);
    finding_list_free(list);
}

static void a_paused_engine_is_not_idle(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *report = parse(healthy);
    json_object_object_add(json_at(report, "/account"), "state", json_object_new_string("paused"));
    json_object_object_add(json_at(report, "/system/engine"), "decisions", json_object_new_int(0));
    struct finding_list *list = finding_list_new();
    enum invariant_state states[INVARIANT_COUNT];
    invariant_run(report, list, states);
    assert_int_equal(list->count, 0);
    finding_list_free(list);
}

static void a_rule_without_figures_is_unknown(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *report = parse("{\"meta\":{}}");
    struct finding_list *list = finding_list_new();
    enum invariant_state states[INVARIANT_COUNT];
    invariant_run(report, list, states);
    assert_int_equal(list->count, 0);
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        assert_int_equal(states[i], INVARIANT_UNKNOWN);
    }
    finding_list_free(list);
}

UNIT_GROUP(invariant, cmocka_unit_test(a_healthy_report_has_no_finding),
           cmocka_unit_test(each_rule_fires),
           cmocka_unit_test(values_at_the_limit_are_not_findings),
           cmocka_unit_test(a_rule_that_vetoes_every_entry_is_found),
           cmocka_unit_test(a_paused_engine_is_not_idle),
           cmocka_unit_test(a_rule_without_figures_is_unknown))
