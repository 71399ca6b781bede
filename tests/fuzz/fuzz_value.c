/* Arguments: the first byte chooses the type; the rest is the text. A value that was read has a
 * canonical text and JSON that give the same value, also as a word of a command line. */
#include "../../src/command/line.h"
#include "base/check.h"
#include "command/quote.h"
#include "command/value.h"
#include "io/json_out.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct action_param a_symbol = {.type = PARAM_SYMBOL};
static const struct action_param an_order = {
    .type = PARAM_ORDER, .prefix = "nd-", .otherwise = &a_symbol};
static const struct action_param a_decision = {
    .type = PARAM_INT, .prefix = "d", .otherwise = &an_order};
static const struct action_param params[] = {
    {.name = "text", .type = PARAM_TEXT},
    {.name = "int", .type = PARAM_INT},
    {.name = "range", .type = PARAM_INT, .minimum = "1", .maximum = "50"},
    {.name = "decimal", .type = PARAM_DECIMAL},
    {.name = "price", .type = PARAM_PRICE},
    {.name = "duration", .type = PARAM_DURATION},
    {.name = "time", .type = PARAM_TIME},
    {.name = "symbol", .type = PARAM_SYMBOL},
    {.name = "all", .type = PARAM_SYMBOL_OR_ALL},
    {.name = "service", .type = PARAM_SERVICE},
    {.name = "position", .type = PARAM_POSITION},
    {.name = "order", .type = PARAM_ORDER},
    {.name = "user", .type = PARAM_USER},
    {.name = "choice", .type = PARAM_CHOICE, .choices = "avoid|favour"},
    {.name = "ints", .type = PARAM_LIST, .element = PARAM_INT},
    {.name = "prices", .type = PARAM_LIST, .element = PARAM_PRICE},
    {.name = "texts", .type = PARAM_LIST, .element = PARAM_TEXT},
    {.name = "what", .type = PARAM_INT, .otherwise = &a_decision},
};

static const struct value_context context = {.now_us = INT64_C(1764422400123456)};

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(const struct action_param *param, const struct arg_value *value)
{
    struct arg_value again = {0};
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
    value_text(value, &text);
    must(!buf_failed(&text));
    must(value_from_text(param, buf_str(&text), &context, &again, NULL) == 0);
    must(value_equal(value, &again));
    value_release(&again);
}

static void check_json(const struct action_param *param, const struct arg_value *value)
{
    struct arg_value again = {0};
    AUTO_JSON struct json_object *parsed = NULL;
    AUTO_BUF struct buf stored = BUF_INIT(512 * 1024);
    struct json_out out = JSON_OUT(&stored);
    json_out_object(&out, NULL);
    value_json(value, &out, "value");
    json_out_end(&out);
    must(json_parse(buf_str(&stored), &JSON_LIMITS_DEFAULT, &parsed, NULL) == 0);
    must(value_from_json(param, json_get(parsed, "value"), &context, &again, NULL) == 0);
    must(value_equal(value, &again));
    value_release(&again);
}

static void check_line(const struct arg_value *value)
{
    static struct line line;
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
    AUTO_BUF struct buf typed = BUF_INIT(64 * 1024);
    value_text(value, &text);
    buf_add_c(&typed, "x ");
    if (quote_add(&typed, buf_str(&text)) && typed.len <= LINE_BYTES_MAX) {
        must(line_split(buf_str(&typed), &line, NULL) == 0);
        must(line.count == 2 && str_equal_c(buf_str(&text), line.words[1]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arg_value value = {0};
    if (size == 0) {
        return 0;
    }
    const struct action_param *param = &params[data[0] % COUNT_OF(params)];
    if (value_from_text(param, str_n((const char *)data + 1, size - 1), &context, &value, NULL) <
        0) {
        must(value.type == PARAM_NONE);
        return 0;
    }
    check_text(param, &value);
    check_json(param, &value);
    check_line(&value);
    value_release(&value);
    return 0;
}
