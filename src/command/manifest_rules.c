#include "base/check.h"
#include "manifest_internal.h"
#include "value_internal.h"

#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------- reading ---- */

/* A text, or a list of texts. */
static size_t item_count(const struct yaml_node *node)
{
    return node->kind == YAML_SEQUENCE ? yaml_len(node) : 1;
}

static const struct yaml_node *item_at(const struct yaml_node *node, size_t i)
{
    return node->kind == YAML_SEQUENCE ? yaml_at(node, i) : node;
}

int manifest_read_factor(const struct manifest_reader *r, const struct yaml_node *map,
                         enum manifest_factor *ret)
{
    const struct yaml_node *node = yaml_get(map, "second_factor");
    bool always = false;
    if (str_equal_c(yaml_text(node), "if_set")) {
        *ret = MANIFEST_FACTOR_IF_SET;
        return 0;
    }
    if (manifest_read_bool(r, map, "second_factor", &always) < 0) {
        return manifest_complain(r, node, "second_factor must be true, false or if_set");
    }
    *ret = always ? MANIFEST_FACTOR_ALWAYS : MANIFEST_FACTOR_NO;
    return 0;
}

/* A value as bound arguments are written: "all", "BTC-USD". */
static int read_value(const struct manifest_reader *r, const struct yaml_node *node,
                      const struct action_param *rule, const char **ret)
{
    static const struct value_context none = {.now_us = VALUE_CHECK_NOW_US};
    struct action_param item = *rule;
    struct arg_value value = {0};
    struct err why = {0};
    if (rule->type == PARAM_LIST) {
        item.type = rule->element;
        item.element = PARAM_NONE;
    }
    if (node->kind != YAML_SCALAR || yaml_is_null(node)) {
        return manifest_complain(r, node, "a value of %s must be text", rule->name);
    }
    if (value_from_text(&item, node->text, &none, &value, &why) < 0) {
        return manifest_complain(r, node, "%s", why.context);
    }
    AUTO_BUF struct buf text = BUF_INIT(2 * VALUE_TEXT_MAX);
    bool is_place = value.type == PARAM_POSITION && value.position.number > 0;
    value_text(&value, &text);
    value_release(&value);
    if (is_place) { /* it would never fit: a position is looked up before rules are applied */
        return manifest_complain(r, node, "%s: a rule names a symbol, not the number of a position",
                                 rule->name);
    }
    *ret = manifest_keep(r->m, text.data);
    return 0;
}

static int read_when(const struct manifest_reader *r, const struct yaml_node *item,
                     struct manifest_rule *rule)
{
    const struct yaml_node *map = yaml_get(item, "when");
    if (map == NULL) {
        return 0;
    }
    if (map->kind != YAML_MAPPING || yaml_len(map) == 0 || yaml_len(map) > MANIFEST_WHEN_MAX) {
        return manifest_complain(r, map, "when must name 1 to %d arguments, as {symbol: all}",
                                 MANIFEST_WHEN_MAX);
    }
    for (size_t i = 0; i < yaml_len(map); i++) {
        const struct yaml_node *key = yaml_key(map, i), *value = yaml_value(map, i);
        struct manifest_when *when = &rule->when[rule->when_count++];
        when->arg = manifest_find_arg(r->m, key->text);
        if (when->arg < 0) {
            return manifest_complain(r, key, "the command has no argument %.*s",
                                     STR_ARG(key->text));
        }
        if (item_count(value) == 0 || item_count(value) > MANIFEST_VALUES_MAX) {
            return manifest_complain(r, value, "1 to %d values", MANIFEST_VALUES_MAX);
        }
        for (size_t v = 0; v < item_count(value); v++) {
            int rc = read_value(r, item_at(value, v), &r->m->args[when->arg].rule,
                                &when->values[when->value_count++]);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

static int read_users(const struct manifest_reader *r, const struct yaml_node *item,
                      struct manifest_rule *rule)
{
    const struct yaml_node *list = yaml_get(item, "users");
    if (list == NULL) {
        return 0;
    }
    if (item_count(list) == 0 || item_count(list) > MANIFEST_VALUES_MAX) {
        return manifest_complain(r, list, "users must be a list of 1 to %d names",
                                 MANIFEST_VALUES_MAX);
    }
    for (size_t i = 0; i < item_count(list); i++) {
        const struct yaml_node *name = item_at(list, i);
        if (yaml_text(name).len == 0 || yaml_text(name).len > 31) {
            return manifest_complain(r, name, "a name has 1 to 31 bytes");
        }
        rule->users[rule->user_count++] = manifest_keep(r->m, yaml_text(name).ptr);
    }
    return 0;
}

static bool demands_something(const struct manifest_demand *d)
{
    return d->role != ROLE_NONE || d->emergency || d->confirm ||
           d->second_factor != MANIFEST_FACTOR_NO || d->four_eyes || d->denied_by != NULL;
}

static int read_demand(const struct manifest_reader *r, const struct yaml_node *item,
                       struct manifest_rule *rule)
{
    struct manifest_demand *d = &rule->demand;
    char role[16] = "";
    bool deny = false;
    int rc = 0;
    if ((rc = manifest_read_text(r, item, "role", false, role, sizeof(role))) < 0 ||
        (rc = manifest_read_bool(r, item, "emergency", &d->emergency)) < 0 ||
        (rc = manifest_read_bool(r, item, "confirm", &d->confirm)) < 0 ||
        (rc = manifest_read_factor(r, item, &d->second_factor)) < 0 ||
        (rc = manifest_read_bool(r, item, "four_eyes", &d->four_eyes)) < 0 ||
        (rc = manifest_read_bool(r, item, "deny", &deny)) < 0) {
        return rc;
    }
    if (role[0] != '\0' && (!role_parse(str_c(role), &d->role) || d->role == ROLE_NONE)) {
        return manifest_complain(r, yaml_get(item, "role"),
                                 "role %s is not one of read_only, operator, admin", role);
    }
    d->denied_by = deny ? rule->where : NULL;
    if (!demands_something(d)) {
        return manifest_complain(r, item,
                                 "a rule must demand something: role, emergency, confirm, "
                                 "second_factor, four_eyes or deny");
    }
    bool waits = d->four_eyes || d->second_factor != MANIFEST_FACTOR_NO || d->denied_by != NULL;
    if (r->m->safe_side && waits) {
        return manifest_complain(r, item,
                                 "a command that stops or pauses trading cannot be denied, nor "
                                 "wait for a second factor or a second person");
    }
    return 0;
}

static void raise_demand(struct manifest_demand *d, const struct manifest_demand *by)
{
    d->role = by->role > d->role ? by->role : d->role;
    d->emergency = d->emergency || by->emergency;
    d->confirm = d->confirm || by->confirm;
    d->second_factor = by->second_factor > d->second_factor ? by->second_factor : d->second_factor;
    d->four_eyes = d->four_eyes || by->four_eyes;
    d->denied_by = d->denied_by != NULL ? d->denied_by : by->denied_by;
}

static struct manifest_demand base_demand(const struct manifest *m)
{
    return (struct manifest_demand){.role = m->role,
                                    .emergency = m->emergency,
                                    .confirm = m->confirm,
                                    .second_factor = m->second_factor,
                                    .four_eyes = m->four_eyes};
}

/* For everybody and all arguments: help and menus show it, too. */
static void raise_base(struct manifest *m, const struct manifest_demand *by)
{
    struct manifest_demand d = base_demand(m);
    raise_demand(&d, by);
    m->role = d.role;
    m->emergency = d.emergency;
    m->confirm = d.confirm;
    m->second_factor = d.second_factor;
    m->four_eyes = d.four_eyes;
}

static int read_rule(const struct manifest_reader *r, const struct yaml_node *item)
{
    static const char *const keys[] = {"when",          "users",     "role", "emergency", "confirm",
                                       "second_factor", "four_eyes", "deny", NULL};
    struct manifest *m = r->m;
    struct manifest_rule *rule = &m->rules[m->rule_count++];
    AUTO_BUF struct buf where = BUF_INIT(200);
    int rc = manifest_check_keys(r, item, keys);
    if (rc < 0) {
        return rc;
    }
    buf_addf(&where, "%.150s:%d:%d", r->path, item->line, item->column);
    rule->where = manifest_keep(m, where.data);
    if ((rc = read_when(r, item, rule)) < 0 || (rc = read_users(r, item, rule)) < 0 ||
        (rc = read_demand(r, item, rule)) < 0) {
        return rc;
    }
    if (rule->when_count == 0 && rule->user_count == 0) {
        raise_base(m, &rule->demand);
    }
    return 0;
}

int manifest_rules_read(const struct manifest_reader *r, const struct yaml_node *root)
{
    struct manifest *m = r->m;
    const struct yaml_node *list = yaml_get(root, "rules");
    if (list == NULL) {
        return 0;
    }
    if (list->kind != YAML_SEQUENCE || yaml_len(list) == 0 ||
        yaml_len(list) + (size_t)m->rule_count > MANIFEST_RULES_MAX) {
        return manifest_complain(r, list, "rules must be a list of 1 to %d", MANIFEST_RULES_MAX);
    }
    if (m->schedule.every_us > 0 || m->schedule.at_count > 0) {
        return manifest_complain(r, list, "a command that runs by itself has no rules");
    }
    if (m->rules == NULL) {
        m->rules = calloc(MANIFEST_RULES_MAX, sizeof(m->rules[0]));
        ASSERT(m->rules != NULL);
    }
    for (size_t i = 0; i < yaml_len(list); i++) {
        int rc = read_rule(r, yaml_at(list, i));
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

void manifest_deny_all(struct manifest *m, const char *path)
{
    if (m->safe_side) {
        return; /* stopping is never forbidden */
    }
    if (m->rules == NULL) {
        m->rules = calloc(MANIFEST_RULES_MAX, sizeof(m->rules[0]));
        ASSERT(m->rules != NULL);
    }
    const char *where = manifest_keep(m, path);
    m->rules[0] = (struct manifest_rule){.demand = {.denied_by = where}, .where = where};
    m->rule_count = 1;
}

int manifest_rate_read(const struct manifest_reader *r, const struct yaml_node *root)
{
    const struct yaml_node *node = yaml_get(root, "rate");
    int64_t rate = 0;
    if (yaml_is_null(node)) {
        return 0;
    }
    if (!str_to_i64(yaml_text(node), &rate) || rate < 1 || rate > 1000) {
        return manifest_complain(r, node, "rate must be a whole number from 1 to 1000 a minute");
    }
    if (r->m->emergency || r->m->safe_side) {
        return manifest_complain(r, node,
                                 "a command that stops or pauses trading, or needs the emergency "
                                 "grant, has no limit");
    }
    r->m->rate = r->m->rate == 0 || rate < r->m->rate ? rate : r->m->rate;
    return 0;
}

/* ------------------------------------------------------------------------------ applying ---- */

/* An optional argument that was not given has the value that the action uses. */
static bool value_is(const struct manifest_arg *arg, const struct arg_value *value,
                     const char *wanted)
{
    AUTO_BUF struct buf text = BUF_INIT(2 * VALUE_TEXT_MAX);
    if (value->type == PARAM_LIST) {
        for (size_t i = 0; i < value->list.count; i++) {
            if (value_is(arg, &value->list.items[i], wanted)) {
                return true;
            }
        }
        return false;
    }
    if (value->type != PARAM_NONE) {
        value_text(value, &text);
    } else if (arg->rule.default_text != NULL) {
        buf_add_c(&text, arg->rule.default_text);
    } else if (arg->rule.type == PARAM_SYMBOL_OR_ALL) {
        buf_add_c(&text, "all");
    }
    return strcasecmp(text.data, wanted) == 0;
}

static bool arguments_fit(const struct manifest *m, const struct manifest_rule *rule,
                          const struct arg_value *args)
{
    for (int i = 0; i < rule->when_count; i++) {
        const struct manifest_when *when = &rule->when[i];
        bool fits = false;
        for (int v = 0; args != NULL && !fits && v < when->value_count; v++) {
            fits = value_is(&m->args[when->arg], &args[when->arg], when->values[v]);
        }
        if (!fits) {
            return false;
        }
    }
    return true;
}

static bool person_fits(const struct manifest_rule *rule, const struct principal *who)
{
    bool fits = rule->user_count == 0;
    for (int i = 0; !fits && i < rule->user_count; i++) {
        fits = strcmp(rule->users[i], who->name) == 0;
    }
    return fits;
}

struct manifest_demand manifest_demand(const struct manifest *m, const struct principal *who,
                                       const struct arg_value *args)
{
    struct manifest_demand d = base_demand(m);
    for (int i = 0; i < m->rule_count; i++) {
        if (person_fits(&m->rules[i], who) && arguments_fit(m, &m->rules[i], args)) {
            raise_demand(&d, &m->rules[i].demand);
        }
    }
    return d;
}

int manifest_permit(const struct manifest *m, const struct principal *who,
                    const struct arg_value *args, struct err *err)
{
    const struct manifest_demand d = manifest_demand(m, who, args);
    int rc = access_permit_command(who, m->name, err);
    if (rc < 0) {
        return rc;
    }
    return d.denied_by != NULL ? err_set(err, ERR_ACCESS_DENIED, "a rule forbids it to %s: %s",
                                         who->name, d.denied_by)
                               : access_permit(who, d.role, d.emergency, err);
}

/* ---------------------------------------------------------------------------- describing ---- */

static void add_demand(const struct manifest_demand *d, struct buf *out)
{
    const char *gap = "";
    if (d->denied_by != NULL) {
        buf_add_c(out, "forbidden");
        return;
    }
    if (d->role != ROLE_NONE) {
        buf_addf(out, "role %s", role_name(d->role));
        gap = ", ";
    }
    const struct {
        bool applies;
        const char *text;
    } others[] = {{d->emergency, "the emergency grant"},
                  {d->confirm, "a confirmation"},
                  {d->second_factor == MANIFEST_FACTOR_ALWAYS, "a second factor"},
                  {d->second_factor == MANIFEST_FACTOR_IF_SET, "a second factor, if set up"},
                  {d->four_eyes, "approval of a second person"}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (others[i].applies) {
            buf_addf(out, "%s%s", gap, others[i].text);
            gap = ", ";
        }
    }
}

void manifest_rule_describe(const struct manifest *m, const struct manifest_rule *rule,
                            struct buf *out)
{
    for (int i = 0; i < rule->when_count; i++) {
        const struct manifest_when *when = &rule->when[i];
        buf_addf(out, "%s%s ", i == 0 ? "for " : " and ", m->args[when->arg].rule.name);
        for (int v = 0; v < when->value_count; v++) {
            buf_addf(out, "%s%s", v == 0 ? "" : " or ", when->values[v]);
        }
    }
    for (int i = 0; i < rule->user_count; i++) {
        const char *first = rule->when_count == 0 ? "by " : ", by ";
        buf_addf(out, "%s%s", i == 0 ? first : " or ", rule->users[i]);
    }
    buf_add_c(out, rule->when_count + rule->user_count == 0 ? "" : ": ");
    add_demand(&rule->demand, out);
}
