#include "base/check.h"
#include "bind.h"
#include "manifest_internal.h"
#include "value_internal.h"

#include <string.h>

#define HELP_SIZE    160
#define CHOICES_SIZE 512
#define BOUND_SIZE   64
#define LITERAL_SIZE (VALUE_TEXT_MAX + 1)

const char *manifest_keep(struct manifest *m, const char *text)
{
    m->texts = reallocarray(m->texts, m->text_count + 1, sizeof(m->texts[0]));
    ASSERT(m->texts != NULL);
    char *copy = strdup(text);
    ASSERT(copy != NULL);
    m->texts[m->text_count++] = copy;
    return copy;
}

/* An optional text of the mapping: NULL if it is not there. */
static int read_kept(const struct manifest_reader *r, const struct yaml_node *map, const char *key,
                     size_t size, const char **ret)
{
    char text[CHOICES_SIZE] = "";
    int rc = manifest_read_text(r, map, key, false, text, size);
    *ret = rc < 0 || yaml_is_null(yaml_get(map, key)) ? NULL : manifest_keep(r->m, text);
    return rc;
}

/* ------------------------------------------------------------------------------ arguments ---- */

static int read_choices(const struct manifest_reader *r, const struct yaml_node *item,
                        struct action_param *rule)
{
    const struct yaml_node *choices = yaml_get(item, "choices");
    bool of_choices = rule->type == PARAM_CHOICE || rule->element == PARAM_CHOICE;
    if (choices == NULL) {
        return of_choices ? manifest_complain(r, item, "type choice needs choices: a list") : 0;
    }
    if (!of_choices) {
        return manifest_complain(r, choices, "only type choice has choices");
    }
    AUTO_BUF struct buf text = BUF_INIT(CHOICES_SIZE - 1);
    for (size_t i = 0; i < yaml_len(choices); i++) {
        struct str choice = yaml_text(yaml_at(choices, i));
        if (choice.len == 0 || memchr(choice.ptr, '|', choice.len) != NULL) {
            return manifest_complain(r, choices, "a choice must be text without |");
        }
        buf_addf(&text, "%s%.*s", i == 0 ? "" : "|", STR_ARG(choice));
    }
    if (text.len == 0 || buf_failed(&text)) {
        return manifest_complain(r, item, "type choice needs choices: a list of at most %d bytes",
                                 CHOICES_SIZE - 1);
    }
    rule->choices = manifest_keep(r->m, text.data);
    return 0;
}

static int read_type(const struct manifest_reader *r, const struct yaml_node *item, const char *key,
                     enum param_type *ret)
{
    char name[24] = "";
    AUTO_BUF struct buf all = BUF_INIT(200);
    int rc = manifest_read_text(r, item, key, false, name, sizeof(name));
    if (rc < 0 || name[0] == '\0') {
        return rc;
    }
    if (!param_type_parse(str_c(name), ret)) {
        param_type_list(&all);
        return manifest_complain(r, yaml_get(item, key), "type %s is not one of %s", name,
                                 all.data);
    }
    return 0;
}

static int read_rule(const struct manifest_reader *r, const struct yaml_node *item,
                     struct action_param *rule)
{
    static const char *const keys[] = {"name",    "type",    "required", "help",
                                       "choices", "default", "minimum",  "maximum",
                                       "of",      "secret",  "rest",     NULL};
    char name[24] = "", help[HELP_SIZE] = "";
    int rc = 0;
    if ((rc = manifest_check_keys(r, item, keys)) < 0 ||
        (rc = manifest_read_text(r, item, "name", true, name, sizeof(name))) < 0 ||
        (rc = manifest_read_text(r, item, "help", true, help, sizeof(help))) < 0 ||
        (rc = read_type(r, item, "type", &rule->type)) < 0 ||
        (rc = read_type(r, item, "of", &rule->element)) < 0 ||
        (rc = manifest_read_bool(r, item, "required", &rule->required)) < 0 ||
        (rc = manifest_read_bool(r, item, "secret", &rule->secret)) < 0 ||
        (rc = read_kept(r, item, "default", BOUND_SIZE, &rule->default_text)) < 0 ||
        (rc = read_kept(r, item, "minimum", BOUND_SIZE, &rule->minimum)) < 0 ||
        (rc = read_kept(r, item, "maximum", BOUND_SIZE, &rule->maximum)) < 0) {
        return rc;
    }
    rule->name = manifest_keep(r->m, name);
    rule->help = manifest_keep(r->m, help);
    return read_choices(r, item, rule);
}

static int read_arg(const struct manifest_reader *r, const struct yaml_node *item)
{
    struct manifest *m = r->m;
    struct action_param rule = {0};
    bool rest = false;
    int rc = read_rule(r, item, &rule);
    if (rc < 0 || (rc = manifest_read_bool(r, item, "rest", &rest)) < 0) {
        return rc;
    }
    if (rest && rule.type != PARAM_TEXT) {
        return manifest_complain(r, yaml_get(item, "rest"), "only type text takes the rest");
    }
    if (m->arg_count > 0 && m->args[m->arg_count - 1].rest) {
        return manifest_complain(r, item, "no argument follows one that takes the rest");
    }
    const struct yaml_node *at = yaml_get(item, "name");
    if (!manifest_name_is_valid(rule.name, 23)) {
        return manifest_complain(r, at, "name %s does not match [a-z][a-z0-9_]*", rule.name);
    }
    if (manifest_find_arg(m, str_c(rule.name)) >= 0) {
        return manifest_complain(r, at, "argument %s is declared twice", rule.name);
    }
    if (rule.required && m->arg_count > 0 && !m->args[m->arg_count - 1].rule.required) {
        return manifest_complain(r, item, "a required argument cannot follow an optional one");
    }
    if (rule.required && rule.default_text != NULL) {
        return manifest_complain(r, item, "a required argument has no default");
    }
    struct err why = {0};
    bool open = rule.type == PARAM_NONE || rule.type == PARAM_TEXT; /* the steps decide */
    if (!open && value_check_param(&rule, &why) < 0) {
        return manifest_complain(r, item, "%s", why.context);
    }
    m->args[m->arg_count++] =
        (struct manifest_arg){.rule = rule, .own_default = rule.default_text != NULL, .rest = rest};
    return 0;
}

int manifest_args_read(const struct manifest_reader *r, const struct yaml_node *root)
{
    const struct yaml_node *list = yaml_get(root, "args");
    if (list != NULL && (list->kind != YAML_SEQUENCE || list->len > ACTION_PARAMS_MAX)) {
        return manifest_complain(r, list, "args must be a list of at most %d", ACTION_PARAMS_MAX);
    }
    r->m->args = calloc(yaml_len(list) + 1, sizeof(r->m->args[0]));
    ASSERT(r->m->args != NULL);
    for (size_t i = 0; i < yaml_len(list); i++) {
        int rc = read_arg(r, yaml_at(list, i));
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------------------------- with ---- */

/* Takes the type and the rules of the parameter. */
static int adopt(struct action_param *rule, const struct action_param *param, struct err *err)
{
    const struct action_param own = *rule;
    *rule = *param;
    rule->name = own.name;
    rule->required = own.required;
    rule->help = own.help;
    rule->default_text = own.default_text;
    rule->minimum = own.minimum;
    rule->maximum = own.maximum;
    rule->choices = own.choices;
    return value_narrow(rule, param, err);
}

/* An argument that is passed on as it is accepts what the parameter accepts, or less. Without a
 * type, or as a text, it becomes what the parameter is; a type must be one that the parameter
 * accepts. */
static int match(struct action_param *rule, const struct action_param *param, struct err *err)
{
    if (param->type == PARAM_TEXT) {
        rule->type = rule->type == PARAM_NONE ? PARAM_TEXT : rule->type;
        return 0;
    }
    if (rule->type == PARAM_NONE || rule->type == PARAM_TEXT ||
        (rule->type == PARAM_SYMBOL && param->type == PARAM_POSITION)) {
        return adopt(rule, param, err);
    }
    for (const struct action_param *p = param; p != NULL; p = p->otherwise) {
        if (p->type == rule->type && (rule->otherwise == NULL || rule->otherwise == p->otherwise)) {
            return value_narrow(rule, p, err);
        }
    }
    if (rule->type == PARAM_SYMBOL && param->type == PARAM_SYMBOL_OR_ALL) {
        return 0;
    }
    if (param->type == PARAM_LIST && rule->type == param->element) {
        struct action_param item = *param;
        item.type = param->element;
        item.element = PARAM_NONE;
        return value_narrow(rule, &item, err);
    }
    AUTO_BUF struct buf takes = BUF_INIT(120);
    for (const struct action_param *p = param; p != NULL; p = p->otherwise) {
        buf_addf(&takes, "%s%s", p == param ? "" : " or ", param_type_name(p->type));
    }
    return err_set(err, ERR_COMMAND_ARG_INVALID, "%s takes a %s, argument %s is a %s", param->name,
                   takes.data, rule->name, param_type_name(rule->type));
}

static int pass_on(const struct manifest_reader *r, const struct yaml_node *node,
                   const struct action *action, struct manifest_with *with)
{
    struct manifest_arg *arg = &r->m->args[with->arg];
    struct err why = {0};
    if (with->param->required && !arg->rule.required && !arg->own_default) {
        return manifest_complain(r, node, "%s is required, but argument %s is optional",
                                 with->param->name, arg->rule.name);
    }
    bool secret = arg->rule.secret || with->param->secret;
    int rc = match(&arg->rule, with->param, &why);
    arg->rule.secret = secret;
    if (rc < 0 || value_check_param(&arg->rule, &why) < 0) {
        return manifest_complain(r, yaml_at(yaml_get(r->root, "args"), (size_t)with->arg),
                                 "%s (%s of %s)", why.context, with->param->name, action->name);
    }
    if (arg->rule.default_text == NULL && !arg->rule.required) {
        arg->rule.default_text = with->param->default_text; /* for help; the action's */
    }
    return 0;
}

/* Locks are taken before the first step runs, so they cannot depend on an output. */
static bool is_locked_by(const struct action *action, const struct action_param *param)
{
    AUTO_BUF struct buf name = BUF_INIT(64);
    buf_addf(&name, ":$%s", param->name);
    const char *at = action->locks == NULL ? NULL : strstr(action->locks, name.data);
    return at != NULL && (at[name.len] == '\0' || at[name.len] == ' ');
}

/* Looks for "$arg" and "$step.output" in the value of a step. */
static int find_args(const struct manifest_reader *r, const struct yaml_node *node,
                     const struct manifest_step *step, struct manifest_with *with)
{
    struct str text = node->text;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '$') {
            continue;
        }
        size_t end = i + manifest_name_size(r->m, str_n(text.ptr + i, text.len - i));
        struct str name = str_n(text.ptr + i + 1, end - i - 1);
        struct err why = {0};
        int arg = -1;
        if (manifest_steps_check_name(r->m, step, name, &arg, &why) < 0) {
            return manifest_complain(r, node, "%s", why.context);
        }
        if (arg < 0 && is_locked_by(step->action, with->param)) {
            return manifest_complain(r, node,
                                     "%s decides what the command locks: it cannot come "
                                     "from another step",
                                     with->param->name);
        }
        if (i == 0 && end == text.len) {
            with->arg = arg;
            with->is_output = arg < 0;
            return 0;
        }
        if (with->param->type != PARAM_TEXT) {
            return manifest_complain(r, node, "%s takes a %s: either $%.*s alone or a literal",
                                     with->param->name, param_type_name(with->param->type),
                                     STR_ARG(name));
        }
        with->has_args = true;
        if (arg >= 0 && with->param->secret) {
            r->m->args[arg].rule.secret = true;
        }
        i = end - 1;
    }
    return 0;
}

static int read_literal(const struct manifest_reader *r, const struct yaml_node *node,
                        struct manifest_with *with)
{
    static const struct value_context none = {.now_us = VALUE_CHECK_NOW_US};
    struct err why = {0};
    if (value_from_text(with->param, node->text, &none, &with->literal, &why) < 0) {
        return manifest_complain(r, node, "%s", why.context);
    }
    if (with->literal.type == PARAM_PRICE && with->literal.price.relative) {
        return manifest_complain(r, node, "%s: a price in percent must come from an argument",
                                 with->param->name);
    }
    return 0;
}

static int read_one(const struct manifest_reader *r, const struct yaml_node *key,
                    const struct yaml_node *value, struct manifest_step *step)
{
    char text[LITERAL_SIZE];
    struct manifest_with *with = &step->with[step->with_count];
    *with = (struct manifest_with){.param = action_param_find(step->action, key->text), .arg = -1};
    if (with->param == NULL) {
        return manifest_complain(r, key, "action %s has no parameter %.*s", step->action->name,
                                 STR_ARG(key->text));
    }
    if (value->kind != YAML_SCALAR || yaml_is_null(value)) {
        return manifest_complain(r, value, "%s must be text", with->param->name);
    }
    if (!str_copy(value->text, text, sizeof(text))) {
        return manifest_complain(r, value, "longer than %d bytes", VALUE_TEXT_MAX);
    }
    with->text = manifest_keep(r->m, text);
    step->with_count++;
    int rc = find_args(r, value, step, with);
    if (rc < 0) {
        return rc;
    }
    if (with->arg >= 0) {
        return pass_on(r, value, step->action, with);
    }
    return with->has_args || with->is_output ? 0 : read_literal(r, value, with);
}

static const struct manifest_with *find_with(const struct manifest_step *step, const char *name)
{
    for (int i = 0; i < step->with_count; i++) {
        if (strcmp(step->with[i].param->name, name) == 0) {
            return &step->with[i];
        }
    }
    return NULL;
}

/* The rule of a price names a parameter of the action, whose symbol a price in percent is of;
 * replaces it by the argument that is passed to that parameter. */
static void name_symbols(struct manifest *m, const struct manifest_step *step)
{
    for (int i = 0; i < step->with_count; i++) {
        const struct manifest_with *with = &step->with[i];
        if (with->arg >= 0 && with->param->symbol_of != NULL) {
            const struct manifest_with *of = find_with(step, with->param->symbol_of);
            m->args[with->arg].rule.symbol_of =
                of == NULL || of->arg < 0 ? NULL : m->args[of->arg].rule.name;
        }
    }
}

int manifest_args_read_with(const struct manifest_reader *r, const struct yaml_node *step_node,
                            const char *key, struct manifest_step *step)
{
    const struct yaml_node *map = yaml_get(step_node, key);
    if (map != NULL && map->kind != YAML_MAPPING) {
        return manifest_complain(r, map, "%s must be a mapping", key);
    }
    if (yaml_len(map) > ACTION_PARAMS_MAX) {
        return manifest_complain(r, map, "%s has more than %d entries", key, ACTION_PARAMS_MAX);
    }
    step->with = calloc(yaml_len(map) + 1, sizeof(step->with[0]));
    ASSERT(step->with != NULL);
    for (size_t i = 0; i < yaml_len(map); i++) {
        int rc = read_one(r, yaml_key(map, i), yaml_value(map, i), step);
        if (rc < 0) {
            return rc;
        }
    }
    for (int p = 0; p < action_param_count(step->action); p++) {
        const struct action_param *param = &step->action->params[p];
        if (param->required && find_with(step, param->name) == NULL) {
            return manifest_complain(r, step_node, "action %s needs the parameter %s",
                                     step->action->name, param->name);
        }
    }
    name_symbols(r->m, step);
    return 0;
}

int manifest_args_check(const struct manifest_reader *r, const struct yaml_node *root)
{
    const struct yaml_node *list = yaml_get(root, "args");
    for (int i = 0; i < r->m->arg_count; i++) {
        const struct action_param *rule = &r->m->args[i].rule;
        struct err why = {0};
        if (rule->type == PARAM_NONE) {
            return manifest_complain(r, yaml_at(list, (size_t)i),
                                     "argument %s needs a type, or a step that passes it on",
                                     rule->name);
        }
        if (value_check_param(rule, &why) < 0) {
            return manifest_complain(r, yaml_at(list, (size_t)i), "%s", why.context);
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------- examples ---- */

int manifest_args_check_example(const struct manifest_reader *r, const struct yaml_node *item)
{
    static const struct value_context none = {.now_us = VALUE_CHECK_NOW_US};
    struct line *line = calloc(1, sizeof(*line));
    struct err why = {0};
    ASSERT(line != NULL);
    struct arg_value *values = bind_new(r->m);
    int rc = line_split(item->text, line, &why);
    if (rc == 0) {
        rc = bind_line(r->m, line, &none, values, &why);
    }
    bind_free(r->m, values);
    free(line);
    return rc < 0 ? manifest_complain(r, item, "%s: %s", err_info(rc)->message, why.context) : 0;
}

static void release_steps(struct manifest_step *steps, int count)
{
    for (int s = 0; s < count; s++) {
        for (int w = 0; w < steps[s].with_count; w++) {
            value_release(&steps[s].with[w].literal);
        }
        free(steps[s].with);
    }
    free(steps);
}

void manifest_args_release(struct manifest *m)
{
    release_steps(m->steps, m->step_count);
    release_steps(m->on_failure, m->on_failure_count);
    release_steps(m->always, m->always_count);
    for (size_t i = 0; i < m->text_count; i++) {
        free(m->texts[i]);
    }
    free(m->texts);
    free(m->args);
    free(m->rules);
}
