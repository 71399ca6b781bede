#include "base/check.h"
#include "base/clock.h"
#include "number.h"
#include "value_internal.h"

#include <string.h>

#define ORDER_ID_MAX 64 /* bytes */

/* Whether a text has the form of a type, and whether it can be accepted. A text that has the form
 * but is out of range is not tried as another alternative: 51 is a number that is too large, not a
 * symbol. */
enum fit { FIT_NO, FIT_BAD, FIT_YES };

/* One text being read for one alternative of a parameter. */
struct reading {
    const char *name;
    const struct action_param *param;
    const struct value_context *context;
    struct str text;
    struct str shown; /* the text as errors show it */
    struct arg_value *value;
    struct err *err;
};

static enum fit read_value(const struct reading *r);

static char *copy_of(struct str text)
{
    char *copy = calloc(1, text.len + 1);
    ASSERT(copy != NULL);
    memcpy(copy, text.ptr, text.len);
    return copy;
}

__attribute__((format(printf, 2, 3))) static void complain(const struct reading *r,
                                                           const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(250);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    (void)err_set(r->err, ERR_COMMAND_ARG_INVALID, "%s: %.*s %s", r->name, STR_ARG(r->shown),
                  text.data);
}

static bool has_prefix(const struct reading *r, struct str *ret_rest)
{
    size_t size = r->param->prefix == NULL ? 0 : strlen(r->param->prefix);
    *ret_rest = r->text;
    if (size == 0) {
        return true;
    }
    if (r->text.len <= size || strncasecmp(r->text.ptr, r->param->prefix, size) != 0) {
        return false;
    }
    *ret_rest = str_n(r->text.ptr + size, r->text.len - size);
    return true;
}

static enum fit read_int(const struct reading *r)
{
    struct str digits;
    if (!has_prefix(r, &digits) || !str_to_i64(digits, &r->value->number)) {
        complain(r, "is not a whole number");
        return FIT_NO;
    }
    return FIT_YES;
}

/* A text that begins as a number is one, even if it cannot be read: its two readings or its fault
 * are named. */
static enum fit fit_of_number(int rc, struct str text)
{
    bool begins = text.len > 0 && (strchr("+-.,", text.ptr[0]) != NULL ||
                                   (text.ptr[0] >= '0' && text.ptr[0] <= '9'));
    return rc == 0 ? FIT_YES : begins ? FIT_BAD : FIT_NO;
}

static enum fit read_decimal(const struct reading *r)
{
    return fit_of_number(number_read(r->name, r->text, &r->value->decimal, r->err), r->text);
}

/* "-2%", "+1.5 %"; a phone may write a true minus sign. */
static enum fit read_percent(const struct reading *r)
{
    struct str text = str_trim(str_n(r->text.ptr, r->text.len - 1));
    struct value_price *price = &r->value->price;
    bool minus = str_starts(text, "-") || str_starts(text, "−");
    size_t sign = str_starts(text, "−") ? strlen("−") : 1;
    if (!minus && !str_starts(text, "+")) {
        complain(r, "needs a sign: +1.5%% above the current price, or -1.5%% below it");
        return FIT_BAD;
    }
    text = str_n(text.ptr + sign, text.len - sign);
    if (str_starts(text, "-") || number_read(r->name, text, &price->amount, NULL) < 0) {
        complain(r, "is not a number of percent such as -2%% or +1.5%%");
        return FIT_BAD;
    }
    price->relative = true;
    price->amount = minus ? dec_neg(price->amount) : price->amount;
    if (dec_cmp(price->amount, dec_from_int(-100)) <= 0) {
        complain(r, "leaves no price: it must be above -100%%");
        return FIT_BAD;
    }
    return FIT_YES;
}

static enum fit read_price(const struct reading *r)
{
    struct value_price *price = &r->value->price;
    *price = (struct value_price){0};
    if (r->text.len > 1 && r->text.ptr[r->text.len - 1] == '%') {
        return read_percent(r);
    }
    int rc = number_read(r->name, r->text, &price->amount, r->err);
    if (rc == 0 && price->amount.e8 <= 0) {
        char text[DEC_TEXT_SIZE];
        (void)err_set(r->err, ERR_COMMAND_ARG_INVALID,
                      "%s: %s is not a price: it must be above zero", r->name,
                      dec_text(price->amount, text));
        return FIT_BAD;
    }
    return fit_of_number(rc, r->text);
}

bool value_parse_duration(struct str s, int64_t *ret_us)
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

static enum fit read_duration(const struct reading *r)
{
    if (!value_parse_duration(r->text, &r->value->duration_us)) {
        complain(r, "is not a duration such as 90s, 15m, 2h, 1d");
        return FIT_NO;
    }
    return FIT_YES;
}

/* "14:30", "14:30:05": of today. */
static bool parse_time_of_day(struct str text, int64_t now_us, int64_t *ret)
{
    AUTO_BUF struct buf iso = BUF_INIT(64);
    bool short_form = text.len == 5 || text.len == 8;
    if (!short_form || text.ptr[2] != ':') {
        return false;
    }
    clock_add_iso(&iso, now_us, false);
    buf_truncate(&iso, strlen("2026-11-29T"));
    buf_add_str(&iso, text);
    return clock_parse_iso(buf_str(&iso), ret);
}

static bool parse_time(struct str text, int64_t now_us, int64_t *ret)
{
    int64_t midnight_us = now_us - now_us % USEC_PER_DAY;
    bool before = str_starts(text, "-");
    int64_t by_us;
    if (str_equal_nocase(text, "now")) {
        *ret = now_us;
        return true;
    }
    if (str_equal_nocase(text, "today") || str_equal_nocase(text, "yesterday")) {
        *ret = text.len == strlen("today") ? midnight_us : midnight_us - USEC_PER_DAY;
        return true;
    }
    if (before || str_starts(text, "+")) {
        return value_parse_duration(str_n(text.ptr + 1, text.len - 1), &by_us) &&
               !__builtin_add_overflow(now_us, before ? -by_us : by_us, ret);
    }
    return parse_time_of_day(text, now_us, ret) || clock_parse_iso(text, ret);
}

static enum fit read_time(const struct reading *r)
{
    int64_t last_us = 0;
    (void)clock_parse_iso(STR_LIT("9999-12-31T23:59:59"), &last_us);
    if (!parse_time(r->text, r->context->now_us, &r->value->time_us) || r->value->time_us < 0 ||
        r->value->time_us > last_us) {
        complain(r, "is not a time (UTC) such as 14:30, today, -2h or 2026-11-29T14:30");
        return FIT_NO;
    }
    return FIT_YES;
}

static bool is_number(struct str text, int64_t *ret)
{
    return str_to_i64(text, ret) && text.ptr[0] != '-';
}

static enum fit read_symbol(const struct reading *r)
{
    int64_t number;
    if (r->param->type == PARAM_SYMBOL_OR_ALL && str_equal_nocase(r->text, "all")) {
        r->value->symbol = (struct symbol){0};
        return FIT_YES;
    }
    if (r->param->otherwise != NULL && is_number(r->text, &number)) {
        return FIT_NO; /* for the alternative that takes numbers */
    }
    if (symbol_parse(r->text, &r->value->symbol)) {
        return FIT_YES;
    }
    if (r->context->domains != NULL && !r->param->unlisted &&
        value_domain_refuse(r->param, r->param->type, r->shown, r->context, r->err) < 0) {
        return FIT_NO;
    }
    complain(r, "is not a symbol such as BTC-USD");
    return FIT_NO;
}

static enum fit read_position(const struct reading *r)
{
    struct value_position *position = &r->value->position;
    *position = (struct value_position){0};
    if (is_number(r->text, &position->number)) {
        if (position->number > 0) {
            return FIT_YES;
        }
        complain(r, "is not the number of a position: they begin with 1");
        return FIT_BAD;
    }
    position->number = 0;
    if (symbol_parse(r->text, &position->symbol)) {
        return FIT_YES;
    }
    if (r->context->domains != NULL &&
        value_domain_refuse(r->param, PARAM_POSITION, r->shown, r->context, r->err) < 0) {
        return FIT_NO;
    }
    complain(r, "is not a position: send its symbol or its number");
    return FIT_NO;
}

static enum fit read_order(const struct reading *r)
{
    struct str rest;
    bool valid = has_prefix(r, &rest) && r->text.len <= ORDER_ID_MAX && rest.len > 0;
    for (size_t i = 0; valid && i < r->text.len; i++) {
        char c = r->text.ptr[i];
        valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                (c != '\0' && strchr("-_.:", c) != NULL);
    }
    if (!valid) {
        complain(r, "is not the id of an order");
        return FIT_NO;
    }
    r->value->text = copy_of(r->text);
    if (r->param->prefix != NULL) { /* in the table's case, so that ids can be compared */
        memcpy(r->value->text, r->param->prefix, strlen(r->param->prefix));
    }
    return FIT_YES;
}

static enum fit read_user(const struct reading *r)
{
    r->value->user = (struct value_user){0};
    if (is_number(r->text, &r->value->user.id)) {
        if (r->value->user.id > 0) {
            return FIT_YES;
        }
    } else if (r->text.len > 0) {
        r->value->user.id = 0;
        r->value->user.name = copy_of(r->text);
        return FIT_YES;
    }
    complain(r, "is not the name or the numeric id of a user");
    return FIT_NO;
}

static enum fit read_choice(const struct reading *r)
{
    struct str rest = str_c(r->param->choices);
    struct str choice;
    while (str_split(&rest, '|', &choice)) {
        if (choice.len == r->text.len && strncasecmp(choice.ptr, r->text.ptr, choice.len) == 0) {
            r->value->text = copy_of(choice);
            return FIT_YES;
        }
    }
    complain(r, "is not one of %s", r->param->choices);
    return FIT_NO;
}

/* Reads one item of a list, or the bound of a range, with the rules of r->param for the type. */
static enum fit read_as(const struct reading *r, enum param_type type, struct str text, bool range,
                        struct arg_value *value)
{
    struct action_param param = *r->param;
    param.type = type;
    param.otherwise = NULL;
    if (!range) {
        param.minimum = NULL;
        param.maximum = NULL;
    }
    struct reading item = *r;
    item.param = &param;
    item.text = text;
    item.shown = str_n(text.ptr, text.len < VALUE_SHOWN_MAX ? text.len : VALUE_SHOWN_MAX);
    item.value = value;
    return read_value(&item);
}

static struct arg_value *add_item(struct arg_value *list)
{
    list->list.items =
        reallocarray(list->list.items, list->list.count + 1, sizeof(list->list.items[0]));
    ASSERT(list->list.items != NULL);
    list->list.items[list->list.count] = (struct arg_value){0};
    return &list->list.items[list->list.count++];
}

static bool add_text_item(const struct reading *r, struct str text)
{
    struct str item = str_trim(text);
    if (r->value->list.count == VALUE_LIST_MAX) {
        complain(r, "has more than %d items", VALUE_LIST_MAX);
        return false;
    }
    if (item.len == 0) {
        complain(r, "has an empty item");
        return false;
    }
    return read_as(r, r->param->element, item, true, add_item(r->value)) == FIT_YES;
}

static enum fit read_list(const struct reading *r)
{
    struct str rest = r->text;
    struct str item;
    bool more = true;
    bool good = true;
    while (good && more) {
        more = memchr(rest.ptr, ',', rest.len) != NULL;
        item = rest;
        if (more) {
            (void)str_split(&rest, ',', &item);
        }
        good = add_text_item(r, item);
    }
    return good ? FIT_YES : FIT_BAD;
}

static enum fit read_form(const struct reading *r)
{
    switch (r->param->type) {
    case PARAM_TEXT:
    case PARAM_SERVICE:
        r->value->text = copy_of(r->text);
        return FIT_YES;
    case PARAM_INT:
        return read_int(r);
    case PARAM_DECIMAL:
        return read_decimal(r);
    case PARAM_PRICE:
        return read_price(r);
    case PARAM_DURATION:
        return read_duration(r);
    case PARAM_TIME:
        return read_time(r);
    case PARAM_SYMBOL:
    case PARAM_SYMBOL_OR_ALL:
        return read_symbol(r);
    case PARAM_POSITION:
        return read_position(r);
    case PARAM_ORDER:
        return read_order(r);
    case PARAM_USER:
        return read_user(r);
    case PARAM_CHOICE:
        return read_choice(r);
    case PARAM_LIST:
        return read_list(r);
    case PARAM_NONE:
        break;
    }
    return FIT_NO;
}

/* -------------------------------------------------------------------------------- ranges ---- */

static bool has_range(enum param_type type)
{
    return type == PARAM_INT || type == PARAM_DECIMAL || type == PARAM_DURATION ||
           type == PARAM_TIME;
}

/* The number by which values of a type are compared. */
static int64_t rank(const struct arg_value *value)
{
    return value->type == PARAM_DECIMAL    ? value->decimal.e8
           : value->type == PARAM_DURATION ? value->duration_us
           : value->type == PARAM_TIME     ? value->time_us
                                           : value->number;
}

/* The rank of a bound; false: there is none. Tables are checked when they are registered, so it can
 * be read. A bound has no prefix. */
static bool read_bound(const struct action_param *param, enum param_type type, const char *bound,
                       const struct value_context *context, int64_t *ret)
{
    if (bound == NULL) {
        return false;
    }
    const struct action_param plain = {.name = param->name, .type = type};
    struct arg_value value = {0};
    const struct reading r = {.name = param->name,
                              .param = &plain,
                              .context = context,
                              .text = str_c(bound),
                              .shown = str_c(bound),
                              .value = &value};
    if (read_form(&r) != FIT_YES) {
        return false;
    }
    value.type = type;
    *ret = rank(&value);
    return true;
}

static bool is_in_range(const struct reading *r)
{
    const struct action_param *p = r->param;
    int64_t low, high;
    if (!has_range(p->type)) {
        return true;
    }
    bool has_low = read_bound(p, p->type, p->minimum, r->context, &low);
    bool has_high = read_bound(p, p->type, p->maximum, r->context, &high);
    int64_t at = rank(r->value);
    if ((!has_low || at >= low) && (!has_high || at <= high)) {
        return true;
    }
    if (has_low && has_high) {
        complain(r, "is not in %s to %s", p->minimum, p->maximum);
    } else {
        complain(r, has_low ? "is below %s" : "is above %s", has_low ? p->minimum : p->maximum);
    }
    return false;
}

static enum fit read_value(const struct reading *r)
{
    r->value->prefix = r->param->prefix == NULL ? "" : r->param->prefix;
    enum fit fit = read_form(r);
    r->value->type = r->param->type;
    if (fit == FIT_YES && !is_in_range(r)) {
        fit = FIT_BAD;
    }
    return fit;
}

/* ------------------------------------------------------------------------------ from text ---- */

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

static int check_text(const struct action_param *param, struct str text, struct err *err)
{
    if (text.len > VALUE_TEXT_MAX) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: longer than %d bytes", param->name,
                       VALUE_TEXT_MAX);
    }
    if (!is_clean(text)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID,
                       "%s: contains a control character or an invisible one", param->name);
    }
    return 0;
}

/* The first 60 bytes, cut between characters. */
static struct str shown_of(struct str text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t size = str_utf8_size(str_n(text.ptr + at, text.len - at));
        if (size == 0 || at + size > VALUE_SHOWN_MAX) {
            break;
        }
        at += size;
    }
    return str_n(text.ptr, at);
}

/* "what: many is not the number of a rule, all or words". */
static int refuse_all(const struct action_param *param, struct str shown, struct err *err)
{
    AUTO_BUF struct buf types = BUF_INIT(180);
    value_describe(param, &types);
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %.*s is not %s", param->name, STR_ARG(shown),
                   param->noun != NULL ? param->noun : types.data);
}

int value_from_text(const struct action_param *param, struct str text,
                    const struct value_context *context, struct arg_value *ret, struct err *err)
{
    int rc = check_text(param, text, err);
    if (rc < 0) {
        return rc;
    }
    enum fit fit = FIT_NO;
    struct arg_value value = {0};
    struct str shown = shown_of(text);
    for (const struct action_param *p = param; p != NULL && fit == FIT_NO; p = p->otherwise) {
        struct action_param named = *p;
        named.name = param->name;
        const struct reading r = {param->name, &named, context, text, shown, &value, err};
        fit = read_value(&r);
        rc = fit == FIT_YES ? value_domain_check(&named, &value, context, err)
                            : -ERR_COMMAND_ARG_INVALID;
        if (rc < 0) {
            value_release(&value);
        }
    }
    if (fit == FIT_NO && param->otherwise != NULL) {
        return refuse_all(param, shown, err);
    }
    if (rc == 0) {
        value_settle(param, &value);
        *ret = value;
    }
    return rc;
}

/* ------------------------------------------------------------------------------ from JSON ---- */

/* The text of a scalar: what a person would type for it. A text parameter gets a number as it was
 * written. `space` holds the text if it is not that of the JSON value. */
static bool scalar_text(const struct action_param *param, struct json_object *json,
                        struct buf *space, struct str *ret)
{
    if (json_is_text(json)) {
        *ret = json_value_str(json);
        return true;
    }
    *ret = str_c(json_is_number(json) ? json_object_to_json_string(json) : "");
    if (param->type != PARAM_TEXT && json_object_is_type(json, json_type_double)) {
        buf_clear(space);
        number_add_plain(*ret, space);
        *ret = buf_str(space);
    }
    return json_is_number(json);
}

static int list_from_json(const struct action_param *param, struct json_object *json,
                          const struct value_context *context, struct arg_value *ret,
                          struct err *err)
{
    struct arg_value list = {.type = PARAM_LIST, .prefix = ""};
    AUTO_BUF struct buf space = BUF_INIT(NUMBER_PLAIN_MAX);
    size_t count = json_len(json);
    int rc = count == 0 || count > VALUE_LIST_MAX
                 ? err_set(err, ERR_COMMAND_ARG_INVALID, "%s: has %zu items, not 1 to %d",
                           param->name, count, VALUE_LIST_MAX)
                 : 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct str text;
        if (!scalar_text(param, json_item(json, i), &space, &text)) {
            rc = err_set(err, ERR_COMMAND_ARG_INVALID, "%s: item %zu is neither text nor a number",
                         param->name, i + 1);
        } else {
            rc = check_text(param, text, err);
        }
        /* An item with a comma could not be written as the text of the list. */
        if (rc == 0 && memchr(text.ptr, ',', text.len) != NULL) {
            rc = err_set(err, ERR_COMMAND_ARG_INVALID, "%s: item %zu contains a comma", param->name,
                         i + 1);
        }
        const struct reading r = {.name = param->name,
                                  .param = param,
                                  .context = context,
                                  .text = text,
                                  .shown = shown_of(text),
                                  .value = &list,
                                  .err = err};
        if (rc == 0 && !add_text_item(&r, text)) {
            rc = -ERR_COMMAND_ARG_INVALID;
        }
    }
    rc = rc < 0 ? rc : value_domain_check(param, &list, context, err);
    if (rc < 0) {
        value_release(&list);
        return rc;
    }
    *ret = list;
    return 0;
}

int value_from_json(const struct action_param *param, struct json_object *json,
                    const struct value_context *context, struct arg_value *ret, struct err *err)
{
    struct str text;
    AUTO_BUF struct buf space = BUF_INIT(NUMBER_PLAIN_MAX);
    if (json == NULL) {
        return 0;
    }
    if (json_is_array(json)) {
        for (const struct action_param *p = param; p != NULL; p = p->otherwise) {
            if (p->type == PARAM_LIST) {
                return list_from_json(p, json, context, ret, err);
            }
        }
    }
    if (!scalar_text(param, json, &space, &text)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: must be text or a number%s", param->name,
                       param->type == PARAM_LIST ? ", or an array of them" : "");
    }
    return value_from_text(param, text, context, ret, err);
}

/* -------------------------------------------------------------------------- the parameter ---- */

static bool has_choice(const char *choices, struct str wanted)
{
    struct str rest = str_c(choices);
    struct str choice;
    while (str_split(&rest, '|', &choice)) {
        if (str_equal(choice, wanted)) {
            return true;
        }
    }
    return false;
}

static int check_range(const struct action_param *p, struct err *err)
{
    static const struct value_context none = {.now_us = VALUE_CHECK_NOW_US};
    enum param_type type = p->type == PARAM_LIST ? p->element : p->type;
    int64_t low = 0, high = 0;
    if (p->minimum == NULL && p->maximum == NULL) {
        return 0;
    }
    if (!has_range(type)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: a %s has no range", p->name,
                       param_type_name(type));
    }
    bool has_low = read_bound(p, type, p->minimum, &none, &low);
    bool has_high = read_bound(p, type, p->maximum, &none, &high);
    if ((p->minimum != NULL && !has_low) || (p->maximum != NULL && !has_high)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s is not a %s", p->name,
                       p->minimum != NULL && !has_low ? p->minimum : p->maximum,
                       param_type_name(type));
    }
    return has_low && has_high && low > high
               ? err_set(err, ERR_COMMAND_ARG_INVALID, "%s: minimum %s is above maximum %s",
                         p->name, p->minimum, p->maximum)
               : 0;
}

static int check_alternative(const struct action_param *p, struct err *err)
{
    bool of_choices =
        p->type == PARAM_CHOICE || (p->type == PARAM_LIST && p->element == PARAM_CHOICE);
    if (of_choices != (p->choices != NULL && p->choices[0] != '\0')) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s", p->name,
                       of_choices ? "type choice needs choices" : "only type choice has choices");
    }
    bool is_list = p->type == PARAM_LIST;
    if (is_list != (p->element != PARAM_NONE) || p->element == PARAM_LIST) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s", p->name,
                       is_list ? "type list needs the type of its items, which is not list"
                               : "only type list has items");
    }
    return check_range(p, err);
}

int value_check_param(const struct action_param *param, struct err *err)
{
    for (const struct action_param *p = param; p != NULL; p = p->otherwise) {
        struct action_param named = *p;
        named.name = param->name;
        int rc = check_alternative(&named, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (param->default_text == NULL) {
        return 0;
    }
    static const struct value_context none = {.now_us = VALUE_CHECK_NOW_US};
    struct arg_value value = {0};
    int rc = value_from_text(param, str_c(param->default_text), &none, &value, err);
    value_release(&value);
    return rc;
}

static int narrow_range(struct action_param *inner, const struct action_param *outer,
                        struct err *err)
{
    static const struct value_context none = {.now_us = VALUE_CHECK_NOW_US};
    enum param_type type = inner->type == PARAM_LIST ? inner->element : inner->type;
    int64_t in, out;
    inner->minimum = inner->minimum == NULL ? outer->minimum : inner->minimum;
    inner->maximum = inner->maximum == NULL ? outer->maximum : inner->maximum;
    if (read_bound(outer, type, outer->minimum, &none, &out) &&
        read_bound(inner, type, inner->minimum, &none, &in) && in < out) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: minimum %s is below %s", inner->name,
                       inner->minimum, outer->minimum);
    }
    if (read_bound(outer, type, outer->maximum, &none, &out) &&
        read_bound(inner, type, inner->maximum, &none, &in) && in > out) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: maximum %s is above %s", inner->name,
                       inner->maximum, outer->maximum);
    }
    return check_range(inner, err);
}

int value_narrow(struct action_param *inner, const struct action_param *outer, struct err *err)
{
    ASSERT(inner->type == outer->type);
    if (inner->element != outer->element) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: a list of %s, not of %s", inner->name,
                       param_type_name(outer->element), param_type_name(inner->element));
    }
    struct str rest = str_c(inner->choices);
    struct str choice;
    while (outer->choices != NULL && str_split(&rest, '|', &choice)) {
        if (!has_choice(outer->choices, choice)) {
            return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %.*s is not one of %s", inner->name,
                           STR_ARG(choice), outer->choices);
        }
    }
    inner->choices = inner->choices == NULL ? outer->choices : inner->choices;
    inner->prefix = outer->prefix;
    inner->unlisted = outer->unlisted;
    inner->symbol_of = outer->symbol_of;
    return narrow_range(inner, outer, err);
}
