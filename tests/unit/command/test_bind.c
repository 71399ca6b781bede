#include "../../../src/command/bind.h"
#include "base/check.h"
#include "io/embed.h"
#include "unit/unit.h"

#include <string.h>

/* An action with more parameters than six, and manifests that narrow them. */
static int never_run(struct action_call *call, struct err *err)
{
    (void)call;
    return err_set(err, ERR_INTERNAL, "not used here");
}

static const struct action_param or_word = {.type = PARAM_CHOICE, .choices = "all|words"};
static const struct action actions[] = {
    {.name = "test.all",
     .summary = "Take everything",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(
         {.name = "symbol", .type = PARAM_SYMBOL, .required = true},
         {.name = "stop", .type = PARAM_PRICE, .symbol_of = "symbol"},
         {.name = "count",
          .type = PARAM_INT,
          .minimum = "1",
          .maximum = "50",
          .default_text = "10"},
         {.name = "level", .type = PARAM_CHOICE, .choices = "low|medium|high"},
         {.name = "within", .type = PARAM_DURATION, .minimum = "1s", .maximum = "10m"},
         {.name = "scope", .type = PARAM_SYMBOL_OR_ALL, .default_text = "all"},
         {.name = "ids", .type = PARAM_LIST, .element = PARAM_INT, .minimum = "1"},
         {.name = "what", .type = PARAM_INT, .minimum = "1", .otherwise = &or_word},
         {.name = "note", .type = PARAM_TEXT}),
     .run = never_run},
    {0},
};

#define HEAD "command: x\ngroup: see\nsummary: s\nrole: operator\n"

static int read_manifest(const struct action_table *table, const char *text,
                         struct manifest_list **ret, struct err *err)
{
    static struct embedded_file files[2];
    files[0] =
        (struct embedded_file){.path = "commands/x.yaml", .data = text, .size = strlen(text)};
    return manifest_list_read(table, files, ret, err);
}

static void manifests_narrow_and_never_widen(void **state)
{
    (void)state;
    static const struct {
        const char *args; /* the argument that is passed to the parameter named first */
        const char *param;
        const char *words; /* NULL: accepted */
        const char *described;
    } cases[] = {
        {"type: int", "count", NULL, "int 1 to 50, default 10"},
        {"minimum: 5, maximum: 20", "count", NULL, "int 5 to 20, default 10"},
        {"type: text", "count", NULL, "int 1 to 50, default 10"}, /* as older manifests have it */
        {"type: int, default: 7", "count", NULL, "int 1 to 50, default 7"},
        {"type: int, minimum: 0", "count", "5:8: a: minimum 0 is below 1 (count of test.all)",
         NULL},
        {"type: int, maximum: 51", "count", "5:8: a: maximum 51 is above 50 (count of test.all)",
         NULL},
        {"type: int, default: 60", "count", "a: 60 is not in 1 to 50", NULL},
        {"type: int, minimum: 60", "count", "a: minimum 60 is above maximum 50", NULL},
        {"type: int, minimum: many", "count", "5:8: a: many is not a int", NULL},
        {"type: duration, minimum: 1s", "count", "5:8: count takes a int, argument a is a duration",
         NULL},
        {"choices: [low, high], type: choice", "level", NULL, "choice: low, high, optional"},
        {"type: choice, choices: [low, worst]", "level", "a: worst is not one of low|medium|high",
         NULL},
        {"type: text", "level", NULL, "choice: low, medium, high, optional"},
        {"type: symbol", "scope", NULL, "symbol, default all"},
        {"type: list, of: int, maximum: 9", "ids", NULL, "list of int 1 to 9, optional"},
        {"type: int, maximum: 5", "ids", NULL, "int 1 to 5, optional"}, /* one item */
        {"type: list, of: text", "ids", "a: a list of int, not of text", NULL},
        {"type: list", "ids", "type list needs the type of its items", NULL},
        {"required: false", "what", NULL, "int from 1 or choice: all, words, optional"},
        {"type: choice, choices: [all]", "what", NULL, "choice: all, optional"},
        {"type: symbol", "what", "what takes a int or choice, argument a is a symbol", NULL},
        {"type: duration, maximum: 1m", "within", NULL, "duration 1s to 1m, optional"},
        {"type: duration, maximum: 1h", "within", "a: maximum 1h is above 10m", NULL},
        {"type: text, minimum: 1", "note", "a: a text has no range", NULL},
        {"type: price, default: -2%, required: true", "stop", "a required argument has no default",
         NULL},
    };
    struct action_table *table = action_table_new();
    action_table_add(table, actions, NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1000);
        struct manifest_list *list = NULL;
        struct err err = {0};
        buf_addf(&text,
                 HEAD "args: [{name: a, help: h, %s}]\n"
                      "steps: [{run: test.all, with: {%s: $a, symbol: BTC-USD}}]\nexamples: [x]\n",
                 cases[i].args, cases[i].param);
        int rc = read_manifest(table, text.data, &list, &err);
        if ((rc == 0) != (cases[i].words == NULL) ||
            (rc < 0 && strstr(err.context, cases[i].words) == NULL)) {
            fail_msg("%s: %s", cases[i].args, rc == 0 ? "accepted" : err.context);
        }
        if (rc == 0) {
            AUTO_BUF struct buf described = BUF_INIT(200);
            manifest_arg_describe(&manifest_find(list, "x")->args[0], &described);
            assert_string_equal(described.data, cases[i].described);
        }
        manifest_list_free(list);
    }
    action_table_free(table);
}

static void examples_are_bound_when_a_manifest_is_loaded(void **state)
{
    (void)state;
    static const struct {
        const char *examples;
        const char *words; /* NULL: accepted */
    } cases[] = {
        {"['x BTC-USD']", NULL},
        {"['x doge-usd 5 ids=1,2 stop=-2%']", NULL}, /* symbols are not looked up */
        {"[x]", "7:12: an argument is missing: symbol"},
        {"['x BTC-USD', 'x BTC-USD 51']", "7:25: an argument has an invalid value: count: 51"},
        {"['x BTC-USD ids=1,two']", "ids: two is not a whole number"},
        {"['x a b c d e']", "count: b is not a whole number"},
        {"['x BTC-USD 1 \"open']", "quotation mark"},
    };
    struct action_table *table = action_table_new();
    action_table_add(table, actions, NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1000);
        struct manifest_list *list = NULL;
        struct err err = {0};
        buf_addf(&text,
                 HEAD "args: [{name: symbol, type: symbol, required: true, help: h}, {name: count, "
                      "help: h}, {name: ids, help: h}, {name: stop, help: h}]\n"
                      "steps: [{run: test.all, with: {symbol: $symbol, count: $count, ids: $ids, "
                      "stop: $stop}}]\nexamples: %s\n",
                 cases[i].examples);
        int rc = read_manifest(table, text.data, &list, &err);
        if ((rc == 0) != (cases[i].words == NULL) ||
            (rc < 0 && strstr(err.context, cases[i].words) == NULL)) {
            fail_msg("%s: %s", cases[i].examples, rc == 0 ? "accepted" : err.context);
        }
        manifest_list_free(list);
    }
    action_table_free(table);
}

/* ---------------------------------------------------------------------------------- binding ----
 */

static int price_from(struct symbol symbol, struct dec percent, struct dec *ret, void *userdata,
                      struct err *err)
{
    (void)userdata;
    (void)err;
    assert_string_equal(symbol.name, "BTC-USD");
    *ret = dec_add(dec_from_int(1000), percent);
    return 0;
}

static const struct value_domain prices = {.type = PARAM_PRICE, .price = price_from};

#define NINE                                                                                   \
    HEAD "args:\n"                                                                             \
         "  - {name: symbol, required: true, help: h}\n  - {name: stop, help: h}\n"            \
         "  - {name: count, help: h}\n  - {name: level, default: low, help: h}\n"              \
         "  - {name: within, help: h}\n  - {name: scope, help: h}\n  - {name: ids, help: h}\n" \
         "  - {name: what, help: h}\n  - {name: note, help: h}\n"                              \
         "steps:\n  - run: test.all\n    with: {symbol: $symbol, stop: $stop, count: $count, " \
         "level: "                                                                             \
         "$level, within: $within, scope: $scope, ids: $ids, what: $what, note: $note}\n"      \
         "examples: ['x BTC-USD']\n"

struct scene {
    struct action_table *table;
    struct manifest_list *list;
    const struct manifest *m;
    struct value_context context;
};

static int setup(void **state)
{
    static struct scene s;
    struct err err = {0};
    s.table = action_table_new();
    action_table_add(s.table, actions, NULL);
    action_table_add_domain(s.table, &prices, NULL);
    if (read_manifest(s.table, NINE, &s.list, &err) < 0) {
        print_error("%s\n", err.context);
        return -1;
    }
    s.m = manifest_find(s.list, "x");
    s.context = (struct value_context){.domains = s.table};
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    manifest_list_free(s->list);
    action_table_free(s->table);
    return 0;
}

/* Binds a line, or JSON if it begins with { or [, and writes what would be stored. */
static int bind(const struct scene *s, const char *text, struct buf *stored, struct err *err)
{
    static struct line line;
    struct arg_value *values = bind_new(s->m);
    AUTO_JSON struct json_object *json = NULL;
    int rc = 0;
    if (text[0] == '{' || text[0] == '[') {
        assert_int_equal(json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &json, NULL), 0);
        rc = bind_json(s->m, json, &s->context, values, err);
    } else {
        assert_int_equal(line_split(str_c(text), &line, err), 0);
        rc = bind_line(s->m, &line, &s->context, values, err);
    }
    if (rc == 0) {
        bind_stored_json(s->m, values, stored);
    }
    bind_free(s->m, values);
    return rc;
}

static void a_line_and_json_give_the_same_values(void **state)
{
    static const char *const same[][5] = {
        {"{\"symbol\":\"BTC-USD\",\"level\":\"low\"}", "x btc-usd", "{\"symbol\":\"btc-usd\"}",
         "[\"BTC-USD\"]", "{\"symbol\":\"BTC-USD\",\"level\":null}"},
        {"{\"symbol\":\"BTC-USD\",\"stop\":\"998\",\"count\":5,\"level\":\"low\"}",
         "x BTC-USD -2% 5", "x count=5 BTC-USD stop=-2%", "[\"BTC-USD\",\"-2%\",5]",
         "{\"count\":\"5\",\"stop\":\"-2%\",\"symbol\":\"BTC-USD\"}"},
        /* as programs write numbers */
        {"{\"symbol\":\"BTC-USD\",\"stop\":\"0.00001\",\"count\":5,\"level\":\"low\",\"ids\":[20]}",
         "x BTC-USD 0.00001 5 ids=20",
         "{\"symbol\":\"BTC-USD\",\"stop\":1e-05,\"count\":5.0,\"ids\":[2E+1]}",
         "[\"BTC-USD\",0.1e-4,0.5e1,null,null,null,20.00]",
         "{\"symbol\":\"BTC-USD\",\"stop\":\"0.00001\",\"count\":\"5\",\"ids\":\"20\"}"},
        {"{\"symbol\":\"BTC-USD\",\"stop\":\"63500.5\",\"count\":50,\"level\":\"high\",\"within\":"
         "\"90s\",\"scope\":\"all\",\"ids\":[1,2],\"what\":\"words\",\"note\":\"a note\"}",
         "x BTC-USD 63,500.5 50 High 90s ALL 1,2 words \"a note\"",
         "x note='a note' ids=\"1, 2\" symbol=btc-usd 63500.5 50 high 90s all words",
         "[\"BTC-USD\",63500.5,50,\"HIGH\",\"90s\",\"all\",[1,2],\"WORDS\",\"a note\"]",
         "{\"symbol\":\"BTC-USD\",\"stop\":63500.50,\"count\":\"50\",\"level\":\"high\","
         "\"within\":\"90s\",\"scope\":\"all\",\"ids\":\"1,2\",\"what\":\"words\",\"note\":"
         "\"a note\"}"},
    };
    const struct scene *s = *state;
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        for (size_t k = 1; k < COUNT_OF(same[0]); k++) {
            AUTO_BUF struct buf stored = BUF_INIT(2000);
            struct err err = {0};
            if (bind(s, same[i][k], &stored, &err) < 0) {
                fail_msg("%s: %s", same[i][k], err.context);
            }
            assert_string_equal(stored.data, same[i][0]);
        }
    }
}

static void invalid_arguments_are_refused(void **state)
{
    static const struct {
        const char *text;
        enum err_id id;
        const char *context;
    } cases[] = {
        {"x", ERR_COMMAND_ARG_MISSING, "symbol: h"},
        {"x stop=1", ERR_COMMAND_ARG_MISSING, "symbol: h"},
        {"x BTC-USD 1 2 low 3s all 1 2 note more", ERR_COMMAND_ARG_EXTRA,
         "x takes 9, the line gives 10"},
        {"x BTC-USD nonsense=5", ERR_COMMAND_ARG_INVALID, "stop: nonsense=5 is not a number"},
        {"x BTC-USD \"count=5\"", ERR_COMMAND_ARG_INVALID, "stop: count=5 is not a number"},
        {"x BTC-USD count=51", ERR_COMMAND_ARG_INVALID, "count: 51 is not in 1 to 50"},
        {"x BTC-USD stop=63500 stop=64500", ERR_COMMAND_ARG_EXTRA, "stop is given twice"},
        {"x BTC-USD symbol=ETH-USD", ERR_COMMAND_ARG_EXTRA, "symbol is given twice"},
        {"x BTC-USD 63500 5 stop=64500", ERR_COMMAND_ARG_EXTRA, "stop is given twice"},
        {"{}", ERR_COMMAND_ARG_MISSING, "symbol: h"},
        {"{\"symbol\":null}", ERR_COMMAND_ARG_MISSING, "symbol: h"},
        {"{\"symbol\":\"BTC-USD\",\"cuont\":5}", ERR_COMMAND_ARG_EXTRA,
         "x takes no argument cuont"},
        {"{\"symbol\":\"BTC-USD\",\"stop\":\"count=5\"}", ERR_COMMAND_ARG_INVALID,
         "stop: count=5 is not a number"},
        {"[\"BTC-USD\",1,2,\"low\",\"3s\",\"all\",1,2,\"note\",\"more\"]", ERR_COMMAND_ARG_EXTRA,
         "x takes 9, args has 10 items"},
    };
    const struct scene *s = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf stored = BUF_INIT(2000);
        struct err err = {0};
        int rc = bind(s, cases[i].text, &stored, &err);
        if (rc != -(int)cases[i].id || strstr(err.context, cases[i].context) == NULL) {
            fail_msg("%s: %s", cases[i].text, rc == 0 ? "accepted" : err.context);
        }
    }
}

/* Version 0.1.0 stored every value as text. What is stored gets no default, and names that are not
 * declared any more are ignored. */
static void stored_values_of_any_version_are_read(void **state)
{
    static const char *const cases[][2] = {
        {"{\"symbol\":\"BTC-USD\",\"stop\":\"63500\",\"count\":\"5\"}",
         "{\"symbol\":\"BTC-USD\",\"stop\":\"63500\",\"count\":5}"},
        {"{\"symbol\":\"BTC-USD\",\"count\":5,\"gone\":\"x\"}",
         "{\"symbol\":\"BTC-USD\",\"count\":5}"},
        {"{\"symbol\":\"BTC-USD\",\"ids\":[1,2],\"what\":\"words\",\"scope\":\"all\"}",
         "{\"symbol\":\"BTC-USD\",\"scope\":\"all\",\"ids\":[1,2],\"what\":\"words\"}"},
    };
    const struct scene *s = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_JSON struct json_object *json = NULL;
        AUTO_BUF struct buf stored = BUF_INIT(2000);
        struct arg_value *values = bind_new(s->m);
        assert_int_equal(json_parse(str_c(cases[i][0]), &JSON_LIMITS_DEFAULT, &json, NULL), 0);
        assert_int_equal(bind_stored(s->m, json, &s->context, values, NULL), 0);
        bind_stored_json(s->m, values, &stored);
        assert_string_equal(stored.data, cases[i][1]);
        bind_free(s->m, values);
    }
}

UNIT_GROUP(bind, cmocka_unit_test(manifests_narrow_and_never_widen),
           cmocka_unit_test(examples_are_bound_when_a_manifest_is_loaded),
           cmocka_unit_test_setup_teardown(a_line_and_json_give_the_same_values, setup, teardown),
           cmocka_unit_test_setup_teardown(invalid_arguments_are_refused, setup, teardown),
           cmocka_unit_test_setup_teardown(stored_values_of_any_version_are_read, setup, teardown))
