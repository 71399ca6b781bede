#include "command/value.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/http.h"
#include "value_internal.h"

#include <string.h>

static const char *const type_names[] = {
    [PARAM_NONE] = NULL,
    [PARAM_TEXT] = "text",
    [PARAM_INT] = "int",
    [PARAM_DECIMAL] = "decimal",
    [PARAM_PRICE] = "price",
    [PARAM_DURATION] = "duration",
    [PARAM_TIME] = "time",
    [PARAM_SYMBOL] = "symbol",
    [PARAM_SYMBOL_OR_ALL] = "symbol_or_all",
    [PARAM_SERVICE] = "service",
    [PARAM_POSITION] = "position",
    [PARAM_ORDER] = "order",
    [PARAM_USER] = "user",
    [PARAM_CHOICE] = "choice",
    [PARAM_LIST] = "list",
};

const char *param_type_name(enum param_type type)
{
    return type == PARAM_NONE ? "nothing" : type_names[type];
}

bool param_type_parse(struct str s, enum param_type *ret)
{
    for (size_t i = PARAM_TEXT; i < COUNT_OF(type_names); i++) {
        if (str_equal_c(s, type_names[i])) {
            *ret = (enum param_type)i;
            return true;
        }
    }
    return false;
}

void param_type_list(struct buf *out)
{
    for (size_t i = PARAM_TEXT; i < COUNT_OF(type_names); i++) {
        buf_addf(out, "%s%s", i == PARAM_TEXT ? "" : ", ", type_names[i]);
    }
}

static char *copy_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    ASSERT(copy != NULL || text == NULL);
    return copy;
}

void value_release(struct arg_value *value)
{
    switch (value->type) {
    case PARAM_TEXT:
    case PARAM_SERVICE:
    case PARAM_CHOICE:
    case PARAM_ORDER:
        free(value->text);
        break;
    case PARAM_USER:
        free(value->user.name);
        break;
    case PARAM_LIST:
        for (size_t i = 0; i < value->list.count; i++) {
            value_release(&value->list.items[i]);
        }
        free(value->list.items);
        break;
    case PARAM_NONE:
    case PARAM_INT:
    case PARAM_DECIMAL:
    case PARAM_PRICE:
    case PARAM_DURATION:
    case PARAM_TIME:
    case PARAM_SYMBOL:
    case PARAM_SYMBOL_OR_ALL:
    case PARAM_POSITION:
        break;
    }
    *value = (struct arg_value){0};
}

void value_copy(const struct arg_value *value, struct arg_value *ret)
{
    *ret = *value;
    switch (value->type) {
    case PARAM_TEXT:
    case PARAM_SERVICE:
    case PARAM_CHOICE:
    case PARAM_ORDER:
        ret->text = copy_text(value->text);
        break;
    case PARAM_USER:
        ret->user.name = copy_text(value->user.name);
        break;
    case PARAM_LIST:
        ret->list.items = calloc(value->list.count, sizeof(ret->list.items[0]));
        ASSERT(ret->list.items != NULL);
        for (size_t i = 0; i < value->list.count; i++) {
            value_copy(&value->list.items[i], &ret->list.items[i]);
        }
        break;
    case PARAM_NONE:
    case PARAM_INT:
    case PARAM_DECIMAL:
    case PARAM_PRICE:
    case PARAM_DURATION:
    case PARAM_TIME:
    case PARAM_SYMBOL:
    case PARAM_SYMBOL_OR_ALL:
    case PARAM_POSITION:
        break;
    }
}

static bool same_text(const char *a, const char *b)
{
    return str_equal(str_c(a), str_c(b));
}

static bool same_users(const struct value_user *a, const struct value_user *b)
{
    return a->id != 0 || b->id != 0 ? a->id == b->id : same_text(a->name, b->name);
}

static bool same_items(const struct arg_value *a, const struct arg_value *b)
{
    bool same = a->list.count == b->list.count;
    for (size_t i = 0; same && i < a->list.count; i++) {
        same = value_equal(&a->list.items[i], &b->list.items[i]);
    }
    return same;
}

bool value_equal(const struct arg_value *a, const struct arg_value *b)
{
    if (a->type != b->type || !same_text(a->prefix, b->prefix)) {
        return false;
    }
    switch (a->type) {
    case PARAM_NONE:
        return true;
    case PARAM_TEXT:
    case PARAM_SERVICE:
    case PARAM_CHOICE:
    case PARAM_ORDER:
        return same_text(a->text, b->text);
    case PARAM_INT:
        return a->number == b->number;
    case PARAM_DECIMAL:
        return a->decimal.e8 == b->decimal.e8;
    case PARAM_PRICE:
        return a->price.relative == b->price.relative && a->price.amount.e8 == b->price.amount.e8;
    case PARAM_DURATION:
        return a->duration_us == b->duration_us;
    case PARAM_TIME:
        return a->time_us == b->time_us;
    case PARAM_SYMBOL:
    case PARAM_SYMBOL_OR_ALL:
        return symbol_equal(a->symbol, b->symbol);
    case PARAM_POSITION:
        return symbol_equal(a->position.symbol, b->position.symbol) &&
               a->position.number == b->position.number;
    case PARAM_USER:
        return same_users(&a->user, &b->user);
    case PARAM_LIST:
        return same_items(a, b);
    }
    return false;
}

struct symbol value_symbol(const struct arg_value *value)
{
    return value->type == PARAM_POSITION ? value->position.symbol : value->symbol;
}

bool value_convert(const struct arg_value *value, const struct action_param *to,
                   struct arg_value *ret)
{
    if (to->type == PARAM_TEXT && value->type != PARAM_TEXT) {
        AUTO_BUF struct buf text = BUF_INIT(VALUE_TEXT_MAX);
        value_text(value, &text);
        *ret = (struct arg_value){.type = PARAM_TEXT, .prefix = "", .text = copy_text(text.data)};
        return !buf_failed(&text);
    }
    if (value->type == PARAM_SYMBOL && to->type == PARAM_SYMBOL_OR_ALL) {
        *ret = *value;
        ret->type = to->type;
        return true;
    }
    if (to->type == PARAM_LIST && to->element == value->type) {
        *ret = (struct arg_value){.type = PARAM_LIST, .prefix = ""};
        ret->list.items = calloc(1, sizeof(ret->list.items[0]));
        ASSERT(ret->list.items != NULL);
        ret->list.count = 1;
        value_copy(value, ret->list.items);
        return true;
    }
    for (const struct action_param *p = to; p != NULL; p = p->otherwise) {
        if (p->type == value->type) {
            value_copy(value, ret);
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------ canonical ---- */

/* "90s": the largest unit of which the duration is a whole number. */
static void add_duration(struct buf *out, int64_t us)
{
    static const struct {
        int64_t us;
        const char *suffix;
    } units[] = {{USEC_PER_DAY, "d"},
                 {USEC_PER_HOUR, "h"},
                 {USEC_PER_MIN, "m"},
                 {USEC_PER_SEC, "s"},
                 {USEC_PER_MSEC, "ms"}};
    size_t i = 0;
    while (i + 1 < COUNT_OF(units) && us % units[i].us != 0) {
        i++;
    }
    buf_addf(out, "%lld%s", (long long)(us / units[i].us), units[i].suffix);
}

static void add_price(struct buf *out, const struct value_price *price)
{
    if (price->relative && price->amount.e8 >= 0) {
        buf_add_char(out, '+');
    }
    dec_add_text(out, price->amount);
    if (price->relative) {
        buf_add_char(out, '%');
    }
}

void value_text(const struct arg_value *value, struct buf *out)
{
    switch (value->type) {
    case PARAM_NONE:
        break;
    case PARAM_TEXT:
    case PARAM_SERVICE:
    case PARAM_CHOICE:
    case PARAM_ORDER:
        buf_add_c(out, value->text);
        break;
    case PARAM_INT:
        buf_addf(out, "%s%lld", value->prefix, (long long)value->number);
        break;
    case PARAM_DECIMAL:
        dec_add_text(out, value->decimal);
        break;
    case PARAM_PRICE:
        add_price(out, &value->price);
        break;
    case PARAM_DURATION:
        add_duration(out, value->duration_us);
        break;
    case PARAM_TIME:
        clock_add_iso(out, value->time_us, value->time_us % USEC_PER_SEC != 0);
        break;
    case PARAM_SYMBOL_OR_ALL:
    case PARAM_SYMBOL:
        buf_add_c(out, value->symbol.name[0] == '\0' ? "all" : value->symbol.name);
        break;
    case PARAM_POSITION:
        if (value->position.symbol.name[0] != '\0') {
            buf_add_c(out, value->position.symbol.name);
        } else {
            buf_addf(out, "%lld", (long long)value->position.number);
        }
        break;
    case PARAM_USER:
        if (value->user.name != NULL) {
            buf_add_c(out, value->user.name);
        } else {
            buf_addf(out, "%lld", (long long)value->user.id);
        }
        break;
    case PARAM_LIST:
        for (size_t i = 0; i < value->list.count; i++) {
            buf_add_c(out, i == 0 ? "" : ",");
            value_text(&value->list.items[i], out);
        }
        break;
    }
}

bool value_shown(const struct arg_value *value, struct buf *out)
{
    if (value->type == PARAM_TEXT) {
        return !http_redact_text(str_c(value->text), out);
    }
    value_text(value, out);
    return true;
}

static void text_json(const struct arg_value *value, struct json_out *out, const char *key)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)VALUE_LIST_MAX * VALUE_TEXT_MAX);
    value_text(value, &text);
    json_out_str(out, key, buf_str(&text));
}

void value_json(const struct arg_value *value, struct json_out *out, const char *key)
{
    switch (value->type) {
    case PARAM_NONE:
        json_out_null(out, key);
        return;
    case PARAM_INT:
        if (value->prefix[0] == '\0') {
            json_out_i64(out, key, value->number);
            return;
        }
        break;
    case PARAM_USER:
        if (value->user.id != 0) {
            json_out_i64(out, key, value->user.id);
            return;
        }
        break;
    case PARAM_LIST:
        json_out_array(out, key);
        for (size_t i = 0; i < value->list.count; i++) {
            value_json(&value->list.items[i], out, NULL);
        }
        json_out_end(out);
        return;
    case PARAM_TEXT:
    case PARAM_DECIMAL:
    case PARAM_PRICE:
    case PARAM_DURATION:
    case PARAM_TIME:
    case PARAM_SYMBOL:
    case PARAM_SYMBOL_OR_ALL:
    case PARAM_SERVICE:
    case PARAM_POSITION:
    case PARAM_ORDER:
    case PARAM_CHOICE:
        break;
    }
    text_json(value, out, key);
}

/* ----------------------------------------------------------------------------- parameters ---- */

static void describe_one(const struct action_param *p, struct buf *out)
{
    if (p->type == PARAM_LIST) {
        buf_addf(out, "list of %s", param_type_name(p->element));
    } else if (p->prefix != NULL && p->type == PARAM_INT) {
        buf_addf(out, "%s and an int", p->prefix);
    } else {
        buf_add_c(out, param_type_name(p->type));
    }
    if (p->choices != NULL) {
        struct str choices = str_c(p->choices);
        struct str choice;
        for (const char *gap = ": "; str_split(&choices, '|', &choice); gap = ", ") {
            buf_addf(out, "%s%.*s", gap, STR_ARG(choice));
        }
    }
    if (p->minimum != NULL && p->maximum != NULL) {
        buf_addf(out, " %s to %s", p->minimum, p->maximum);
    } else if (p->minimum != NULL) {
        buf_addf(out, " from %s", p->minimum);
    } else if (p->maximum != NULL) {
        buf_addf(out, " up to %s", p->maximum);
    }
}

void value_describe(const struct action_param *param, struct buf *out)
{
    for (const struct action_param *p = param; p != NULL; p = p->otherwise) {
        buf_add_c(out, p == param ? "" : p->otherwise == NULL ? " or " : ", ");
        describe_one(p, out);
    }
}
