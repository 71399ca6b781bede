#include "base/check.h"
#include "base/clock.h"
#include "command/action.h"
#include "command/value.h"
#include "unit/unit.h"

#include <string.h>

#define NOW_US INT64_C(1764422400123456) /* 2025-11-29T13:20:00.123456Z */

/* ---------------------------------------------------------------- what other modules know ---- */

static void list_services(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    (void)userdata;
    emit("demo", emit_userdata);
    emit("prediction", emit_userdata);
}

static void list_symbols(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    (void)userdata;
    emit("BTC-USD", emit_userdata);
    emit("ETH-USD", emit_userdata);
}

static void list_all(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    emit("all", emit_userdata);
    list_symbols(emit, emit_userdata, userdata);
}

static void list_held(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    (void)userdata;
    emit("ETH-USD", emit_userdata);
}

static void list_two_quotes(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    list_symbols(emit, emit_userdata, userdata);
    emit("BTC-EUR", emit_userdata);
    emit("ETH", emit_userdata);
}

static int find_position(const char *name, struct arg_value *value, void *userdata, struct err *err)
{
    (void)userdata;
    if (value->position.number == 1) {
        value->position = (struct value_position){.symbol = {"ETH-USD"}};
    }
    return strcmp(value->position.symbol.name, "ETH-USD") == 0
               ? 0
               : err_set(err, ERR_ENGINE_NOTHING_OPEN, "%s: nothing", name);
}

static int find_user(const char *name, struct arg_value *value, void *userdata, struct err *err)
{
    (void)userdata;
    struct value_user *user = &value->user;
    if (user->id == 7 || (user->name != NULL && strcmp(user->name, "alice") == 0)) {
        free(user->name);
        *user = (struct value_user){.id = 7, .name = strdup("alice")};
        return 0;
    }
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: no such user", name);
}

static int price_from(struct symbol symbol, struct dec percent, struct dec *ret, void *userdata,
                      struct err *err)
{
    (void)userdata;
    if (strcmp(symbol.name, "ETH-USD") != 0) {
        return err_set(err, ERR_ENGINE_SILENT, "%s", symbol.name);
    }
    *ret = dec_add(dec_from_int(100), percent);
    return 0;
}

static const struct value_domain domains[] = {
    {.type = PARAM_SERVICE,
     .before = "no service ",
     .after = "",
     .listed = "configured",
     .edits = 2,
     .list = list_services},
    {.type = PARAM_SYMBOL,
     .before = "",
     .after = " is not traded",
     .listed = "traded symbols",
     .edits = 1,
     .list = list_symbols},
    {.type = PARAM_SYMBOL_OR_ALL, .before = "", .after = " is not one of", .list = list_all},
    {.type = PARAM_POSITION,
     .before = "",
     .after = " is not a position",
     .listed = "open",
     .edits = 1,
     .list = list_held,
     .find = find_position},
    {.type = PARAM_USER, .find = find_user},
    {.type = PARAM_PRICE, .price = price_from},
};

static struct action_table *make_table(void)
{
    struct action_table *table = action_table_new();
    for (size_t i = 0; i < COUNT_OF(domains); i++) {
        action_table_add_domain(table, &domains[i], NULL);
    }
    return table;
}

/* ------------------------------------------------------------------------------ parameters ---- */

static const struct action_param any_symbol = {.type = PARAM_SYMBOL, .unlisted = true};
static const struct action_param no_choices = {.type = PARAM_CHOICE};
static const struct action_param an_order = {
    .type = PARAM_ORDER, .prefix = "nd-", .otherwise = &any_symbol};
static const struct action_param a_decision = {
    .type = PARAM_INT, .prefix = "d", .otherwise = &an_order};

static const struct action_param text = {.name = "a", .type = PARAM_TEXT};
static const struct action_param integer = {.name = "a", .type = PARAM_INT};
static const struct action_param count = {
    .name = "a", .type = PARAM_INT, .minimum = "1", .maximum = "50"};
static const struct action_param at_least = {.name = "a", .type = PARAM_INT, .minimum = "1"};
static const struct action_param decimal = {.name = "a", .type = PARAM_DECIMAL};
static const struct action_param ratio = {
    .name = "a", .type = PARAM_DECIMAL, .minimum = "-0.5", .maximum = "0.5"};
static const struct action_param price = {.name = "a", .type = PARAM_PRICE};
static const struct action_param duration = {.name = "a", .type = PARAM_DURATION};
static const struct action_param within = {
    .name = "a", .type = PARAM_DURATION, .minimum = "1s", .maximum = "10m"};
static const struct action_param when = {.name = "a", .type = PARAM_TIME};
static const struct action_param past = {.name = "a", .type = PARAM_TIME, .maximum = "now"};
static const struct action_param symbol = {.name = "a", .type = PARAM_SYMBOL};
static const struct action_param or_all = {.name = "a", .type = PARAM_SYMBOL_OR_ALL};
static const struct action_param service = {.name = "a", .type = PARAM_SERVICE};
static const struct action_param position = {.name = "a", .type = PARAM_POSITION};
static const struct action_param closable = {.name = "a",
                                             .type = PARAM_SYMBOL_OR_ALL,
                                             .otherwise = &position,
                                             .noun = "a symbol, a number or all"};
static const struct action_param order = {.name = "a", .type = PARAM_ORDER, .prefix = "nd-"};
static const struct action_param user = {.name = "a", .type = PARAM_USER};
static const struct action_param choice = {
    .name = "a", .type = PARAM_CHOICE, .choices = "avoid|favour"};
static const struct action_param numbers = {
    .name = "a", .type = PARAM_LIST, .element = PARAM_INT, .minimum = "1", .maximum = "9"};
static const struct action_param services = {
    .name = "a", .type = PARAM_LIST, .element = PARAM_SERVICE};
static const struct action_param what = {.name = "a",
                                         .type = PARAM_INT,
                                         .maximum = "50",
                                         .otherwise = &a_decision,
                                         .noun = "a trade, a decision, an order or a symbol"};

/* ---------------------------------------------------------------------------------- corpora ----
 */

/* Accepted by all producers; canonical NULL: the text itself. */
static const struct {
    const struct action_param *param;
    const char *text;
    const char *canonical;
} accepted[] = {
    {&text, "two words", NULL},
    {&text, "", NULL},
    {&text, "side == \"long\"\n\t1", NULL},
    {&text, "ünï – 🙂", NULL},
    {&integer, "0", NULL},
    {&integer, "-12", NULL},
    {&integer, "9223372036854775807", NULL},
    {&integer, "-9223372036854775808", NULL},
    {&integer, "007", "7"},
    {&count, "1", NULL},
    {&count, "50", NULL},
    {&decimal, "64,120.50", "64120.5"},
    {&decimal, "-0.00000001", NULL},
    {&decimal, "0", NULL},
    {&ratio, "-0.5", NULL},
    {&ratio, "0.5", NULL},
    {&price, "63500", NULL},
    {&price, "63,500.5", "63500.5"},
    {&price, "0.00000001", NULL},
    {&price, "-2%", NULL},
    {&price, "+1.5 %", "+1.5%"},
    {&price, "−2 %", "-2%"},
    {&price, "+0%", NULL},
    {&price, "-0%", "+0%"},
    {&price, "+1,000%", "+1000%"},
    {&duration, "90s", NULL},
    {&duration, "60s", "1m"},
    {&duration, "15m", NULL},
    {&duration, "36h", NULL},
    {&duration, "48h", "2d"},
    {&duration, "500ms", NULL},
    {&within, "1s", NULL},
    {&within, "600s", "10m"},
    {&when, "2026-11-29", "2026-11-29T00:00:00Z"},
    {&when, "2026-11-29 14:30", "2026-11-29T14:30:00Z"},
    {&when, "2026-11-29T14:30:05.25Z", "2026-11-29T14:30:05.250000Z"},
    {&when, "now", "2025-11-29T13:20:00.123456Z"},
    {&when, "Today", "2025-11-29T00:00:00Z"},
    {&when, "yesterday", "2025-11-28T00:00:00Z"},
    {&when, "14:30", "2025-11-29T14:30:00Z"},
    {&when, "00:00:01", "2025-11-29T00:00:01Z"},
    {&when, "-2h", "2025-11-29T11:20:00.123456Z"},
    {&when, "+1d", "2025-11-30T13:20:00.123456Z"},
    {&past, "-1s", "2025-11-29T13:19:59.123456Z"},
    {&past, "now", "2025-11-29T13:20:00.123456Z"},
    {&symbol, "btc-usd", "BTC-USD"},
    {&symbol, "ETH-USD", NULL},
    {&symbol, "btc", "BTC-USD"},
    {&or_all, "Eth", "ETH-USD"},
    {&position, "eth", "ETH-USD"},
    {&what, "btc", "BTC-USD"},
    {&or_all, "ALL", "all"},
    {&or_all, "Eth-Usd", "ETH-USD"},
    {&service, "demo", NULL},
    {&position, "1", "ETH-USD"},
    {&position, "eth-usd", "ETH-USD"},
    {&closable, "1", "ETH-USD"}, /* from there on as if the symbol had been typed */
    {&closable, "All", "all"},
    {&closable, "btc", "BTC-USD"},
    {&closable, "ETH-USD", NULL},
    {&order, "nd-1-25", NULL},
    {&order, "ND-1-25", "nd-1-25"},
    {&order, "nd-a_B.9:x", NULL},
    {&user, "7", "alice"},
    {&user, "alice", NULL},
    {&choice, "avoid", NULL},
    {&choice, "Favour", "favour"},
    {&numbers, "3", NULL},
    {&numbers, "1, 2 ,9", "1,2,9"},
    {&services, "prediction,demo", NULL},
    {&what, "12", NULL},
    {&what, "D345", "d345"},
    {&what, "nd-1-2", NULL},
    {&what, "doge-usd", "DOGE-USD"},
};

static const struct {
    const struct action_param *param;
    const char *text;
    enum err_id id;
    const char *context;
} refused[] = {
    {&text, "a\rb", ERR_COMMAND_ARG_INVALID, "a: contains a control character or an invisible one"},
    {&text, "a\x7f", ERR_COMMAND_ARG_INVALID, "a: contains a control character"},
    {&text, "rm \xE2\x80\xAE", ERR_COMMAND_ARG_INVALID, "a: contains a control character"},
    {&text, "\xff", ERR_COMMAND_ARG_INVALID, "a: contains a control character"},
    {&integer, "", ERR_COMMAND_ARG_INVALID, "a:  is not a whole number"},
    {&integer, "1.5", ERR_COMMAND_ARG_INVALID, "a: 1.5 is not a whole number"},
    {&integer, "9223372036854775808", ERR_COMMAND_ARG_INVALID, "is not a whole number"},
    {&integer, "0x10", ERR_COMMAND_ARG_INVALID, "a: 0x10 is not a whole number"},
    {&integer, " 1", ERR_COMMAND_ARG_INVALID, "is not a whole number"},
    {&count, "0", ERR_COMMAND_ARG_INVALID, "a: 0 is not in 1 to 50"},
    {&count, "51", ERR_COMMAND_ARG_INVALID, "a: 51 is not in 1 to 50"},
    {&at_least, "0", ERR_COMMAND_ARG_INVALID, "a: 0 is below 1"},
    {&decimal, "65000,50", ERR_COMMAND_ARG_INVALID,
     "a: 65000,50 is ambiguous: send 65000.50 or 6500050"},
    {&decimal, "1e5", ERR_COMMAND_ARG_INVALID, "a: 1e5 is not a number such as 64120.5"},
    {&decimal, "0.000000001", ERR_COMMAND_ARG_INVALID, "is not a number"},
    {&ratio, "0.50000001", ERR_COMMAND_ARG_INVALID, "a: 0.50000001 is not in -0.5 to 0.5"},
    {&price, "0", ERR_COMMAND_ARG_INVALID, "a: 0 is not a price: it must be above zero"},
    {&price, "-5", ERR_COMMAND_ARG_INVALID, "a: -5 is not a price: it must be above zero"},
    {&price, "soon", ERR_COMMAND_ARG_INVALID, "a: soon is not a number such as 64120.5"},
    {&price, "1.234,56", ERR_COMMAND_ARG_INVALID, "a: 1.234,56 is ambiguous"},
    {&price, "2%", ERR_COMMAND_ARG_INVALID, "a: 2% needs a sign"},
    {&price, "%", ERR_COMMAND_ARG_INVALID, "a: % is not a number"},
    {&price, "-%", ERR_COMMAND_ARG_INVALID, "a: -% is not a number of percent"},
    {&price, "--2%", ERR_COMMAND_ARG_INVALID, "a: --2% is not a number of percent"},
    {&price, "+two%", ERR_COMMAND_ARG_INVALID, "a: +two% is not a number of percent"},
    {&price, "-100%", ERR_COMMAND_ARG_INVALID, "a: -100% leaves no price"},
    {&duration, "90", ERR_COMMAND_ARG_INVALID, "a: 90 is not a duration such as 90s, 15m, 2h, 1d"},
    {&duration, "0s", ERR_COMMAND_ARG_INVALID, "is not a duration"},
    {&duration, "-1s", ERR_COMMAND_ARG_INVALID, "is not a duration"},
    {&duration, "1.5h", ERR_COMMAND_ARG_INVALID, "is not a duration"},
    {&duration, "9999999999999999d", ERR_COMMAND_ARG_INVALID, "is not a duration"},
    {&within, "999ms", ERR_COMMAND_ARG_INVALID, "a: 999ms is not in 1s to 10m"},
    {&within, "11m", ERR_COMMAND_ARG_INVALID, "a: 11m is not in 1s to 10m"},
    {&when, "soon", ERR_COMMAND_ARG_INVALID, "a: soon is not a time (UTC) such as 14:30, today"},
    {&when, "25:00", ERR_COMMAND_ARG_INVALID, "is not a time"},
    {&when, "2:30", ERR_COMMAND_ARG_INVALID, "is not a time"},
    {&when, "2026-02-30", ERR_COMMAND_ARG_INVALID, "is not a time"},
    {&when, "2026-11-29T14:30+02:00", ERR_COMMAND_ARG_INVALID, "is not a time (UTC)"},
    {&when, "-99999999d", ERR_COMMAND_ARG_INVALID, "is not a time"},
    {&when, "1969-12-31", ERR_COMMAND_ARG_INVALID, "is not a time"},
    {&past, "+1s", ERR_COMMAND_ARG_INVALID, "a: +1s is above now"},
    {&symbol, "DOGE-USD", ERR_COMMAND_ARG_INVALID,
     "a: DOGE-USD is not traded; traded symbols: BTC-USD, ETH-USD"},
    {&symbol, "btc-use", ERR_COMMAND_ARG_INVALID,
     "a: BTC-USE is not traded; did you mean BTC-USD?"},
    {&symbol, "no symbol", ERR_COMMAND_ARG_INVALID, "a: no symbol is not traded; traded symbols"},
    {&symbol, "", ERR_COMMAND_ARG_INVALID, "a:  is not traded"},
    {&symbol, "all", ERR_COMMAND_ARG_INVALID, "a: ALL is not traded"},
    {&or_all, "DOGE-USD", ERR_COMMAND_ARG_INVALID,
     "a: DOGE-USD is not one of all, BTC-USD, ETH-USD"},
    {&or_all, "al l", ERR_COMMAND_ARG_INVALID, "a: al l is not one of all, BTC-USD"},
    {&service, "demmo", ERR_COMMAND_ARG_INVALID, "a: no service demmo; did you mean demo?"},
    {&service, "nothing", ERR_COMMAND_ARG_INVALID,
     "a: no service nothing; configured: demo, prediction"},
    {&service, "Demo", ERR_COMMAND_ARG_INVALID, "a: no service Demo; did you mean demo?"},
    {&position, "0", ERR_COMMAND_ARG_INVALID, "a: 0 is not the number of a position"},
    {&position, "2", ERR_ENGINE_NOTHING_OPEN, "a: nothing"},
    {&position, "BTC-USD", ERR_ENGINE_NOTHING_OPEN, "a: nothing"},
    {&position, "my position", ERR_COMMAND_ARG_INVALID, "a: my position is not a position"},
    {&closable, "2", ERR_ENGINE_NOTHING_OPEN, "a: nothing"},
    {&closable, "0", ERR_COMMAND_ARG_INVALID, "a: 0 is not the number of a position"},
    {&closable, "-1", ERR_COMMAND_ARG_INVALID, "a: -1 is not one of all, BTC-USD"},
    {&closable, "DOGE-USD", ERR_COMMAND_ARG_INVALID, "a: DOGE-USD is not one of all"},
    {&closable, "1 2", ERR_COMMAND_ARG_INVALID, "a: 1 2 is not a symbol, a number or all"},
    {&order, "12", ERR_COMMAND_ARG_INVALID, "a: 12 is not the id of an order"},
    {&order, "nd-", ERR_COMMAND_ARG_INVALID, "is not the id of an order"},
    {&order, "nd-1 2", ERR_COMMAND_ARG_INVALID, "is not the id of an order"},
    {&user, "bob", ERR_COMMAND_ARG_INVALID, "a: no such user"},
    {&user, "0", ERR_COMMAND_ARG_INVALID, "a: 0 is not the name or the numeric id of a user"},
    {&choice, "perhaps", ERR_COMMAND_ARG_INVALID, "a: perhaps is not one of avoid|favour"},
    {&choice, "avoid|favour", ERR_COMMAND_ARG_INVALID, "is not one of avoid|favour"},
    {&numbers, "", ERR_COMMAND_ARG_INVALID, "a:  has an empty item"},
    {&numbers, "1,,2", ERR_COMMAND_ARG_INVALID, "a: 1,,2 has an empty item"},
    {&numbers, "1,2,", ERR_COMMAND_ARG_INVALID, "a: 1,2, has an empty item"},
    {&numbers, "1,ten", ERR_COMMAND_ARG_INVALID, "a: ten is not a whole number"},
    {&numbers, "1,10", ERR_COMMAND_ARG_INVALID, "a: 10 is not in 1 to 9"},
    {&services, "demo,demmo", ERR_COMMAND_ARG_INVALID, "a: no service demmo; did you mean demo?"},
    {&what, "51", ERR_COMMAND_ARG_INVALID, "a: 51 is above 50"}, /* not the symbol 51 */
    {&what, "no symbol", ERR_COMMAND_ARG_INVALID,
     "a: no symbol is not a trade, a decision, an order or a symbol"},
};

static struct json_object *parse(const char *json)
{
    struct json_object *ret = NULL;
    assert_int_equal(json_parse(str_c(json), &JSON_LIMITS_DEFAULT, &ret, NULL), 0);
    return ret;
}

/* The value, read again from its canonical text and JSON (as text), is the same. */
static void assert_round_trips(const struct action_param *param, const struct arg_value *value,
                               const struct value_context *context)
{
    AUTO_BUF struct buf canonical = BUF_INIT(4096);
    AUTO_BUF struct buf stored = BUF_INIT(8192);
    struct json_out json = JSON_OUT(&stored);
    struct arg_value from_text = {0}, from_json = {0}, copy = {0};
    value_text(value, &canonical);
    value_json(value, &json, NULL);
    AUTO_JSON struct json_object *again = parse(stored.data);
    assert_int_equal(value_from_text(param, buf_str(&canonical), context, &from_text, NULL), 0);
    assert_int_equal(value_from_json(param, again, context, &from_json, NULL), 0);
    value_copy(value, &copy);
    if (!value_equal(value, &from_text) || !value_equal(value, &from_json) ||
        !value_equal(value, &copy)) {
        fail_msg("%s, stored as %s", canonical.data, stored.data);
    }
    value_release(&from_text);
    value_release(&from_json);
    value_release(&copy);
}

static void all_types_read_their_corpus(void **state)
{
    (void)state;
    struct action_table *table = make_table();
    const struct value_context context = {.domains = table, .now_us = NOW_US};
    for (size_t i = 0; i < COUNT_OF(accepted); i++) {
        const struct action_param *param = accepted[i].param;
        const char *wanted =
            accepted[i].canonical == NULL ? accepted[i].text : accepted[i].canonical;
        AUTO_BUF struct buf canonical = BUF_INIT(4096);
        AUTO_JSON struct json_object *json = json_object_new_string(accepted[i].text);
        struct arg_value value = {0}, from_json = {0};
        struct err err = {0};
        if (value_from_text(param, str_c(accepted[i].text), &context, &value, &err) < 0) {
            fail_msg("%s: %s", accepted[i].text, err.context);
        }
        value_text(&value, &canonical);
        assert_string_equal(canonical.data, wanted);
        assert_int_equal(value_from_json(param, json, &context, &from_json, NULL), 0);
        assert_true(value_equal(&value, &from_json));
        assert_round_trips(param, &value, &context);
        value_release(&value);
        value_release(&from_json);
        assert_int_equal(value.type, PARAM_NONE);
    }
    action_table_free(table);
}

static void all_types_refuse_their_corpus(void **state)
{
    (void)state;
    struct action_table *table = make_table();
    const struct value_context context = {.domains = table, .now_us = NOW_US};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct arg_value value = {0};
        struct err err = {0};
        struct str bytes = str_c(refused[i].text);
        int rc = value_from_text(refused[i].param, bytes, &context, &value, &err);
        if (rc != -(int)refused[i].id || strstr(err.context, refused[i].context) == NULL) {
            fail_msg("%s: %s", refused[i].text, rc == 0 ? "accepted" : err.context);
        }
        assert_int_equal(value.type, PARAM_NONE);
        if (str_is_utf8(bytes)) {
            AUTO_JSON struct json_object *json =
                json_object_new_string_len(bytes.ptr, (int)bytes.len);
            struct err again = {0};
            assert_int_equal(value_from_json(refused[i].param, json, &context, &value, &again), rc);
            assert_string_equal(again.context, err.context);
        }
    }
    action_table_free(table);
}

static void json_numbers_and_arrays_are_read(void **state)
{
    (void)state;
    struct action_table *table = make_table();
    const struct value_context context = {.domains = table, .now_us = NOW_US};
    static const struct {
        const struct action_param *param;
        const char *json;
        const char *canonical; /* NULL: refused */
        const char *stored;
    } cases[] = {
        {&integer, "12", "12", "12"},
        {&integer, "\"12\"", "12", "12"}, /* as version 0.1.0 stored it */
        {&integer, "1.5", NULL, NULL},
        {&integer, "true", NULL, NULL},
        {&integer, "{}", NULL, NULL},
        {&integer, "[1]", NULL, NULL},
        {&decimal, "0.1", "0.1", "\"0.1\""}, /* the digits, not a double */
        {&price, "63500.5", "63500.5", "\"63500.5\""},
        {&price, "6.35e4", "63500", "\"63500\""}, /* as programs write numbers */
        {&price, "\"6.35e4\"", NULL, NULL},
        {&decimal, "1e-05", "0.00001", "\"0.00001\""},
        {&decimal, "1e-09", NULL, NULL}, /* nine decimals */
        {&integer, "12.0", "12", "12"},
        {&text, "12.0", "12.0", "\"12.0\""},
        {&position, "1", "ETH-USD", "\"ETH-USD\""},
        {&user, "7", "alice", "7"},
        {&user, "\"alice\"", "alice", "7"},
        {&duration, "\"90s\"", "90s", "\"90s\""},
        {&or_all, "\"ALL\"", "all", "\"all\""},
        {&numbers, "[1,\"2\",9]", "1,2,9", "[1,2,9]"},
        {&numbers, "\"1,2\"", "1,2", "[1,2]"},
        {&numbers, "3", "3", "[3]"},
        {&numbers, "[]", NULL, NULL},
        {&numbers, "[10]", NULL, NULL},
        {&numbers, "[[1]]", NULL, NULL},
        {&numbers, "[null]", NULL, NULL},
        {&services, "[\"demo\",\"prediction\"]", "demo,prediction", "[\"demo\",\"prediction\"]"},
        {&services, "[\"demo,prediction\"]", NULL, NULL},
        {&what, "\"d12\"", "d12", "\"d12\""},
        {&what, "12", "12", "12"},
        {&text, "12", "12", "\"12\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_JSON struct json_object *json = parse(cases[i].json);
        AUTO_BUF struct buf canonical = BUF_INIT(256);
        AUTO_BUF struct buf stored = BUF_INIT(256);
        struct arg_value value = {0};
        struct err err = {0};
        int rc = value_from_json(cases[i].param, json, &context, &value, &err);
        if ((rc == 0) != (cases[i].canonical != NULL)) {
            fail_msg("%s: %s", cases[i].json, rc == 0 ? "accepted" : err.context);
        }
        if (rc < 0) {
            assert_int_equal(rc, -ERR_COMMAND_ARG_INVALID);
            continue;
        }
        struct json_out out = JSON_OUT(&stored);
        value_text(&value, &canonical);
        value_json(&value, &out, NULL);
        assert_string_equal(canonical.data, cases[i].canonical);
        assert_string_equal(stored.data, cases[i].stored);
        value_release(&value);
    }
    struct arg_value none = {0};
    assert_int_equal(value_from_json(&integer, NULL, &context, &none, NULL), 0);
    assert_int_equal(none.type, PARAM_NONE);
    action_table_free(table);
}

/* Without domains nothing is looked up, and a value can be looked up later. */
static void values_can_be_looked_up_later(void **state)
{
    (void)state;
    struct action_table *table = make_table();
    const struct value_context none = {.now_us = NOW_US};
    const struct value_context context = {.domains = table, .now_us = NOW_US};
    struct arg_value value = {0};
    struct err err = {0};
    assert_int_equal(value_from_text(&symbol, STR_LIT("doge-usd"), &none, &value, &err), 0);
    assert_round_trips(&symbol, &value, &none);
    assert_int_equal(value_look_up(&symbol, &value, &context, &err), -ERR_COMMAND_ARG_INVALID);
    value_release(&value);
    assert_int_equal(value_from_text(&position, STR_LIT("1"), &none, &value, &err), 0);
    assert_int_equal(value.position.number, 1);
    assert_int_equal(value_look_up(&position, &value, &context, &err), 0);
    assert_string_equal(value_symbol(&value).name, "ETH-USD");
    value_release(&value);
    assert_int_equal(value_from_text(&closable, STR_LIT("1"), &none, &value, &err), 0);
    assert_round_trips(&closable, &value, &none);
    assert_int_equal(value_look_up(&closable, &value, &context, &err), 0);
    assert_int_equal(value.type, PARAM_SYMBOL_OR_ALL);
    assert_string_equal(value_symbol(&value).name, "ETH-USD");
    assert_round_trips(&closable, &value, &context);
    value_release(&value);
    assert_int_equal(value_from_text(&user, STR_LIT("alice"), &none, &value, &err), 0);
    assert_int_equal(value.user.id, 0);
    assert_round_trips(&user, &value, &none);
    assert_int_equal(value_look_up(&user, &value, &context, &err), 0);
    assert_int_equal(value.user.id, 7);
    value_release(&value);
    action_table_free(table);
}

static void a_price_in_percent_becomes_absolute(void **state)
{
    (void)state;
    struct action_table *table = make_table();
    const struct value_context none = {.now_us = NOW_US};
    const struct value_context context = {.domains = table, .now_us = NOW_US};
    const struct arg_value eth = {.type = PARAM_SYMBOL, .prefix = "", .symbol = {"ETH-USD"}};
    const struct arg_value btc = {.type = PARAM_SYMBOL, .prefix = "", .symbol = {"BTC-USD"}};
    struct arg_value value = {0};
    struct err err = {0};
    assert_int_equal(value_from_text(&price, STR_LIT("-2.5%"), &context, &value, &err), 0);
    assert_true(value.price.relative);
    assert_int_equal(value_resolve_price(&price, &value, &eth, &none, &err), 0);
    assert_true(value.price.relative); /* without domains it stays as it is */
    assert_int_equal(value_resolve_price(&price, &value, NULL, &context, &err),
                     -ERR_COMMAND_ARG_INVALID);
    assert_int_equal(value_resolve_price(&price, &value, &btc, &context, &err), -ERR_ENGINE_SILENT);
    assert_int_equal(value_resolve_price(&price, &value, &eth, &context, &err), 0);
    assert_false(value.price.relative);
    assert_int_equal(value.price.amount.e8, INT64_C(9750000000));
    action_table_free(table);
}

static void add_candidate(const char *candidate, void *userdata)
{
    buf_addf(userdata, "%s ", candidate);
}

static void candidates_are_completed(void **state)
{
    (void)state;
    struct action_table *table = make_table();
    const struct value_context context = {.domains = table, .now_us = NOW_US};
    static const struct action_param rule_or_symbol = {
        .name = "a", .type = PARAM_CHOICE, .choices = "all|words|eth", .otherwise = &any_symbol};
    static const struct {
        const struct action_param *param;
        const char *prefix;
        const char *candidates;
    } cases[] = {
        {&service, "", "demo prediction "},
        {&service, "PRE", "prediction "},
        {&service, "x", ""},
        {&symbol, "e", "ETH-USD "},
        {&or_all, "", "all BTC-USD ETH-USD "},
        {&services, "d", "demo "},
        {&choice, "f", "favour "},
        {&rule_or_symbol, "et", "eth ETH-USD "},
        {&integer, "", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf out = BUF_INIT(256);
        value_complete(cases[i].param, str_c(cases[i].prefix), &context, add_candidate, &out);
        assert_string_equal(out.data, cases[i].candidates);
    }
    action_table_free(table);
}

static void values_are_converted_only_to_what_accepts_more(void **state)
{
    (void)state;
    const struct arg_value btc = {.type = PARAM_SYMBOL, .prefix = "", .symbol = {"BTC-USD"}};
    const struct arg_value twelve = {.type = PARAM_INT, .prefix = "", .number = 12};
    struct arg_value value = {0};
    assert_true(value_convert(&btc, &or_all, &value));
    assert_int_equal(value.type, PARAM_SYMBOL_OR_ALL);
    assert_true(value_convert(&btc, &what, &value));
    assert_int_equal(value.type, PARAM_SYMBOL);
    assert_true(value_convert(&twelve, &text, &value));
    assert_string_equal(value.text, "12");
    value_release(&value);
    assert_true(value_convert(&twelve, &numbers, &value));
    assert_int_equal(value.list.items[0].number, 12);
    value_release(&value);
    assert_false(value_convert(&twelve, &symbol, &value));
    assert_false(value_convert(&btc, &integer, &value));
}

static void invalid_rows_of_tables_are_found(void **state)
{
    (void)state;
    static const struct {
        struct action_param param;
        const char *context;
    } cases[] = {
        {{.type = PARAM_CHOICE}, "type choice needs choices"},
        {{.type = PARAM_INT, .choices = "a|b"}, "only type choice has choices"},
        {{.type = PARAM_LIST}, "type list needs the type of its items"},
        {{.type = PARAM_LIST, .element = PARAM_LIST}, "type list needs the type of its items"},
        {{.type = PARAM_INT, .element = PARAM_INT}, "only type list has items"},
        {{.type = PARAM_LIST, .element = PARAM_CHOICE}, "type choice needs choices"},
        {{.type = PARAM_TEXT, .minimum = "1"}, "a text has no range"},
        {{.type = PARAM_INT, .minimum = "one"}, "one is not a int"},
        {{.type = PARAM_DURATION, .minimum = "1s", .maximum = "60"}, "60 is not a duration"},
        {{.type = PARAM_INT, .minimum = "2", .maximum = "1"}, "minimum 2 is above maximum 1"},
        {{.type = PARAM_INT, .maximum = "5", .default_text = "6"}, "6 is above 5"},
        {{.type = PARAM_INT, .otherwise = &no_choices}, "type choice needs choices"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct action_param param = cases[i].param;
        struct err err = {0};
        param.name = "a";
        assert_int_equal(value_check_param(&param, &err), -ERR_COMMAND_ARG_INVALID);
        assert_has(err.context, cases[i].context);
    }
}

static void a_base_is_its_only_symbol(void **state)
{
    (void)state;
    static const struct value_domain two = {.type = PARAM_SYMBOL,
                                            .before = "",
                                            .after = " is not traded",
                                            .listed = "traded symbols",
                                            .edits = 1,
                                            .list = list_two_quotes};
    struct action_table *table = action_table_new();
    const struct value_context context = {.domains = table, .now_us = NOW_US};
    struct arg_value value = {0};
    struct err err = {0};
    action_table_add_domain(table, &two, NULL);
    assert_int_equal(value_from_text(&symbol, str_c("btc"), &context, &value, &err),
                     -ERR_COMMAND_ARG_INVALID);
    assert_has(err.context, "a: BTC is not one symbol; did you mean BTC-USD or BTC-EUR?");
    assert_int_equal(value_from_text(&symbol, str_c("eth"), &context, &value, &err), 0);
    assert_string_equal(value.symbol.name, "ETH"); /* a symbol itself */
    value_release(&value);
    action_table_free(table);
}

UNIT_GROUP(value, cmocka_unit_test(a_base_is_its_only_symbol),
           cmocka_unit_test(all_types_read_their_corpus),
           cmocka_unit_test(all_types_refuse_their_corpus),
           cmocka_unit_test(json_numbers_and_arrays_are_read),
           cmocka_unit_test(values_can_be_looked_up_later),
           cmocka_unit_test(a_price_in_percent_becomes_absolute),
           cmocka_unit_test(candidates_are_completed),
           cmocka_unit_test(values_are_converted_only_to_what_accepts_more),
           cmocka_unit_test(invalid_rows_of_tables_are_found))
