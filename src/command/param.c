#include "param.h"

#include "base/check.h"
#include "base/clock.h"
#include "config/config.h"
#include "model/symbol.h"
#include "number.h"

#include <string.h>

#define NEAR_ENOUGH 2 /* edits; for "did you mean" */

static const char *const type_names[] = {
    [PARAM_TEXT] = "text",     [PARAM_INT] = "int",       [PARAM_DURATION] = "duration",
    [PARAM_PRICE] = "price",   [PARAM_SYMBOL] = "symbol", [PARAM_SERVICE] = "service",
    [PARAM_CHOICE] = "choice",
};

const char *param_type_name(enum param_type type)
{
    return type_names[type];
}

bool param_type_parse(struct str s, enum param_type *ret)
{
    for (size_t i = 0; i < COUNT_OF(type_names); i++) {
        if (str_equal_c(s, type_names[i])) {
            *ret = (enum param_type)i;
            return true;
        }
    }
    return false;
}

bool param_parse_duration(struct str s, int64_t *ret_us)
{
    static const struct {
        const char *suffix;
        int64_t unit_us;
    } units[] = {{"ms", USEC_PER_MSEC},
                 {"s", USEC_PER_SEC},
                 {"m", USEC_PER_MIN},
                 {"h", USEC_PER_HOUR},
                 {"d", USEC_PER_DAY}};
    size_t digits = 0;
    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9') {
        digits++;
    }
    int64_t number = 0;
    if (!str_to_i64(str_n(s.ptr, digits), &number) || number <= 0) {
        return false;
    }
    struct str suffix = str_n(s.ptr + digits, s.len - digits);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        int64_t us = 0;
        if (str_equal_c(suffix, units[i].suffix) &&
            !__builtin_mul_overflow(number, units[i].unit_us, &us)) {
            *ret_us = us;
            return true;
        }
    }
    return false;
}

static int check_service(const struct param_rule *rule, const struct config *config,
                         struct str value, struct err *err)
{
    const char *near = NULL;
    int near_distance = NEAR_ENOUGH + 1;
    AUTO_BUF struct buf all = BUF_INIT(512);
    for (int i = 0; i < config->service_count; i++) {
        const char *name = config->services[i].name;
        if (str_equal_c(value, name)) {
            return 0;
        }
        int distance = str_distance(value, str_c(name));
        if (distance < near_distance) {
            near = name;
            near_distance = distance;
        }
        buf_addf(&all, "%s%s", i == 0 ? "" : ", ", name);
    }
    if (near != NULL) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: no service %.*s; did you mean %s?",
                       rule->name, STR_ARG(value), near);
    }
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: no service %.*s; configured: %s", rule->name,
                   STR_ARG(value), all.len == 0 ? "none" : all.data);
}

static int check_symbol(const struct param_rule *rule, const struct config *config,
                        struct str value, char ret_text[PARAM_VALUE_SIZE], struct err *err)
{
    struct symbol symbol;
    AUTO_BUF struct buf all = BUF_INIT(512);
    bool parsed = symbol_parse(value, &symbol);
    for (int i = 0; config != NULL && i < config->market_symbols.count; i++) {
        const struct symbol *known = &config->market_symbols.items[i];
        if (parsed && symbol_equal(symbol, *known)) {
            (void)str_copy(str_c(known->name), ret_text, PARAM_VALUE_SIZE);
            return 0;
        }
        buf_addf(&all, "%s%s", i == 0 ? "" : ", ", known->name);
    }
    if (config == NULL && parsed) {
        (void)str_copy(str_c(symbol.name), ret_text, PARAM_VALUE_SIZE);
        return 0;
    }
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %.*s is not traded; traded symbols: %s",
                   rule->name, STR_ARG(value), all.data);
}

static int check_price(const struct param_rule *rule, struct str value,
                       char ret_text[PARAM_VALUE_SIZE], struct err *err)
{
    struct dec price;
    char text[DEC_TEXT_SIZE];
    int rc = number_read(rule->name, value, &price, err);
    if (rc == 0 && price.e8 <= 0) {
        rc = err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s is not a price: it must be above zero",
                     rule->name, dec_text(price, text));
    }
    if (rc == 0) {
        (void)str_copy(str_c(dec_text(price, text)), ret_text, PARAM_VALUE_SIZE);
    }
    return rc;
}

static int check_choice(const struct param_rule *rule, struct str value, struct err *err)
{
    struct str rest = str_c(rule->choices);
    struct str choice;
    while (str_split(&rest, '|', &choice)) {
        if (str_equal(choice, value)) {
            return 0;
        }
    }
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %.*s is not one of %s", rule->name,
                   STR_ARG(value), rule->choices);
}

/* Invisible and control characters are refused: values are shown in prompts, replies and the audit
 * log, which must not mislead the reader. */
static bool is_clean(struct str value)
{
    while (value.len > 0) {
        size_t size = str_utf8_size(value);
        bool blank = value.ptr[0] == '\n' || value.ptr[0] == '\t';
        if (size == 0 || (!blank && str_is_unsafe(value, size))) {
            return false;
        }
        value = str_n(value.ptr + size, value.len - size);
    }
    return true;
}

int param_check(const struct param_rule *rule, const struct config *config, struct str value,
                char ret_text[PARAM_VALUE_SIZE], struct err *err)
{
    if (!str_copy(value, ret_text, PARAM_VALUE_SIZE)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: longer than %d bytes", rule->name,
                       PARAM_VALUE_SIZE - 1);
    }
    if (!is_clean(value)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID,
                       "%s: contains a control character or an invisible one", rule->name);
    }
    /* Truncated for error messages, so that a long value leaves space for the rest. */
    struct str shown = str_n(value.ptr, value.len < 60 ? value.len : 60);
    int64_t number = 0;
    switch (rule->type) {
    case PARAM_TEXT:
        return 0;
    case PARAM_INT:
        return str_to_i64(value, &number)
                   ? 0
                   : err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %.*s is not a whole number",
                             rule->name, STR_ARG(shown));
    case PARAM_DURATION:
        return param_parse_duration(value, &number)
                   ? 0
                   : err_set(err, ERR_COMMAND_ARG_INVALID,
                             "%s: %.*s is not a duration such as 90s, 15m, 2h, 1d", rule->name,
                             STR_ARG(shown));
    case PARAM_PRICE:
        return check_price(rule, value, ret_text, err);
    case PARAM_SYMBOL:
        return check_symbol(rule, config, value.len < 60 ? value : shown, ret_text, err);
    case PARAM_SERVICE:
        return config == NULL ? 0 : check_service(rule, config, shown, err);
    case PARAM_CHOICE:
        return check_choice(rule, shown, err);
    }
    return 0;
}
