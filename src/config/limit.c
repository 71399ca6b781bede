#include "config/limit.h"

#include "base/check.h"
#include "config_read.h"
#include "config_value.h"
#include "io/yaml_edit.h"
#include "value.h"

#include <string.h>

static bool is_limit(const struct option *o)
{
    return (o->flags & (CONFIG_MORE_ABOVE | CONFIG_MORE_BELOW)) != 0;
}

static bool is_named(const struct option *o, struct str name)
{
    return str_equal_c(name, o->path) || str_equal_c(name, o->name);
}

static const struct option *find(struct str name)
{
    for (size_t i = 0; i < option_count; i++) {
        if (is_limit(&option_table[i]) && is_named(&option_table[i], name)) {
            return &option_table[i];
        }
    }
    return NULL;
}

bool config_limit_is(struct str name)
{
    return find(name) != NULL;
}

static int unknown(struct str name, struct err *err)
{
    const struct option *nearest = NULL;
    int least = (int)(name.len < 21 ? name.len : 21) / 3 + 1; /* more is no typing error */
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        int by_path = str_distance(name, str_c(o->path));
        int by_name = str_distance(name, str_c(o->name));
        int distance = by_path < by_name ? by_path : by_name;
        if (is_limit(o) && distance < least) {
            least = distance;
            nearest = o;
        }
    }
    int len = name.len > 60 ? 60 : (int)name.len;
    return nearest != NULL ? err_set(err, ERR_CONFIG_UNKNOWN_KEY, "%.*s: did you mean %s?", len,
                                     name.ptr, nearest->path)
                           : err_set(err, ERR_CONFIG_UNKNOWN_KEY,
                                     "%.*s is no limit of risk; /limits and docs/config.md (risk, "
                                     "tiers) list them",
                                     len, name.ptr);
}

/* ------------------------------------------------------------------ numbers */

/* A limit is a number of some type. */
static double number_of(const struct option *o, const union value *value)
{
    return o->type == OPTION_INT || o->type == OPTION_DURATION ? (double)value->i64 : value->number;
}

static double number_in(const struct option *o, const struct config *config)
{
    const void *slot = (const char *)config + o->offset;
    return o->type == OPTION_INT || o->type == OPTION_DURATION ? (double)*(const int64_t *)slot
                                                               : *(const double *)slot;
}

static void add_value(struct buf *out, const struct option *o, const union value *value)
{
    if (o->type == OPTION_INT) {
        buf_addf(out, "%lld", (long long)value->i64);
    } else if (o->type == OPTION_DURATION) {
        value_add_duration(out, value->i64);
    } else {
        ASSERT(o->type == OPTION_FLOAT || o->type == OPTION_PERCENT);
        value_add_number(out, value->number);
        buf_add_c(out, o->type == OPTION_PERCENT ? "%" : "");
    }
}

static enum config_limit_effect effect_of(const struct option *o, double before, double after)
{
    if (!(after < before) && !(after > before)) {
        return CONFIG_LIMIT_SAME;
    }
    int more = after > before ? CONFIG_MORE_ABOVE : CONFIG_MORE_BELOW;
    return (o->flags & more) != 0 ? CONFIG_LIMIT_LOOSER : CONFIG_LIMIT_TIGHTER;
}

const char *config_limit_word(enum config_limit_effect effect)
{
    return effect == CONFIG_LIMIT_TIGHTER  ? "tighter"
           : effect == CONFIG_LIMIT_LOOSER ? "looser"
                                           : "unchanged";
}

bool config_limits_loosen(const struct config *before, const struct config *after)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        if (is_limit(o) &&
            effect_of(o, number_in(o, before), number_in(o, after)) == CONFIG_LIMIT_LOOSER) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ hard limits */

/* An item of risk.hard_limits. */
struct hard {
    const struct option *option;
    bool most; /* <=; else >= */
    double bound;
    struct str text; /* of the bound */
};

/* False if it is malformed; *expected then says what was expected. */
static bool read_hard(const char *item, struct hard *ret, struct buf *expected)
{
    struct str rest = str_c(item), name, sign;
    union value value;
    bool good = str_word(&rest, &name) && str_word(&rest, &sign) &&
                (str_equal_c(sign, "<=") || str_equal_c(sign, ">="));
    *ret = (struct hard){.option = good ? find(name) : NULL, .text = str_trim(rest)};
    if (ret->option == NULL || !str_equal_c(name, ret->option->path)) {
        buf_add_c(expected, "expected a limit, <= or >=, and a value, such as "
                            "\"risk.max_drawdown <= 20%\"");
        return false;
    }
    buf_add_c(expected, "expected ");
    if (value_parse(ret->option, ret->text, &value, expected) != VALUE_GOOD) {
        return false;
    }
    ret->most = sign.ptr[0] == '<';
    ret->bound = number_of(ret->option, &value);
    return true;
}

static bool is_beyond(const struct hard *hard, double number)
{
    return hard->most ? number > hard->bound : number < hard->bound;
}

static int check_hard(const struct config *config, const struct option *o, double number,
                      const char *shown, struct err *err)
{
    for (int i = 0; i < config->risk_hard_limits.count; i++) {
        AUTO_BUF struct buf ignored = BUF_INIT(256);
        struct hard hard;
        if (read_hard(config->risk_hard_limits.items[i], &hard, &ignored) && hard.option == o &&
            is_beyond(&hard, number)) {
            return err_set(err, ERR_CONFIG_RANGE,
                           "%s: %s is %s %.*s, its hard limit (risk.hard_limits)", o->path, shown,
                           hard.most ? "above" : "below", STR_ARG(hard.text));
        }
    }
    return 0;
}

void config_check_limits(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct yaml_node *list = yaml_get(yaml_get(root, "risk"), "hard_limits");
    for (int i = 0; i < config->risk_hard_limits.count; i++) {
        AUTO_BUF struct buf expected = BUF_INIT(256);
        struct hard hard;
        if (!read_hard(config->risk_hard_limits.items[i], &hard, &expected)) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(list, (size_t)i),
                           "risk.hard_limits: %.60s: %s", config->risk_hard_limits.items[i],
                           expected.data);
        }
    }
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        AUTO_BUF struct buf shown = BUF_INIT(64);
        struct err why = {0};
        if (!is_limit(o)) {
            continue;
        }
        config_add_value(&shown, o, config);
        if (check_hard(config, o, number_in(o, config), shown.data, &why) < 0) {
            detail_problem(load, ERR_CONFIG_RANGE, yaml_get(yaml_get(root, o->group), o->name),
                           "%s", why.context);
        }
    }
}

/* ------------------------------------------------------------------ one change */

int config_limit_read(const struct config *config, struct str name, struct str value,
                      struct config_limit *ret, struct err *err)
{
    AUTO_BUF struct buf expected = BUF_INIT(256), before = BUF_INIT(sizeof(ret->before) - 1),
                        after = BUF_INIT(sizeof(ret->after) - 1);
    const struct option *o = find(name);
    int len = value.len > 40 ? 40 : (int)value.len;
    union value typed;
    if (o == NULL) {
        return unknown(name, err);
    }
    switch (value_parse(o, value, &typed, &expected)) {
    case VALUE_WRONG_TYPE:
        return err_set(err, ERR_CONFIG_TYPE, "%s: expected %s, got \"%.*s\"", o->path,
                       expected.data, len, value.ptr);
    case VALUE_OUT_OF_RANGE:
        return err_set(err, ERR_CONFIG_RANGE, "%s: %.*s is outside %s, the range of this option",
                       o->path, len, value.ptr, expected.data);
    case VALUE_GOOD:
        break;
    }
    config_add_value(&before, o, config);
    add_value(&after, o, &typed);
    *ret =
        (struct config_limit){.path = o->path,
                              .help = o->help,
                              .number = number_of(o, &typed),
                              .effect = effect_of(o, number_in(o, config), number_of(o, &typed))};
    (void)str_copy(buf_str(&before), ret->before, sizeof(ret->before));
    (void)str_copy(buf_str(&after), ret->after, sizeof(ret->after));
    return check_hard(config, o, ret->number, ret->after, err);
}

int config_limit_edit(struct str text, const char *file, const struct config_limit *limit,
                      struct buf *out, struct err *err)
{
    const struct option *o = find(str_c(limit->path));
    ASSERT(o != NULL);
    const struct yaml_edit edit = {.group = o->group, .name = o->name, .value = limit->after};
    return yaml_edit(text, file, &edit, out, err);
}
