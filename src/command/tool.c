#include "command/tool.h"

#include "base/auto.h"
#include "io/json_out.h"

#include <string.h>

#define DESCRIPTION_MAX 400

static bool is_tool(const struct manifest *m, const struct principal *who)
{
    bool marked = !m->changes && !m->confirm && m->step_count > 0;
    for (int i = 0; i < manifest_step_total(m); i++) {
        marked = marked && manifest_step_at(m, i)->action->assistant;
    }
    return marked && manifest_is_visible(m, who->channel) &&
           manifest_permit(m, who, NULL, NULL) == 0;
}

const struct manifest *tool_next(const struct manifest_list *manifests, const struct principal *who,
                                 size_t *at)
{
    const struct manifest *m;
    while ((m = manifest_at(manifests, *at)) != NULL) {
        ++*at;
        if (is_tool(m, who)) {
            return m;
        }
    }
    return NULL;
}

const struct manifest *tool_find(const struct manifest_list *manifests, const struct principal *who,
                                 const char *name)
{
    const struct manifest *m = manifest_find(manifests, name);
    return m != NULL && strcmp(m->name, name) == 0 && is_tool(m, who) ? m : NULL;
}

const struct manifest *tool_of_action(const struct manifest_list *manifests,
                                      const struct principal *who, const char *action)
{
    const struct manifest *m;
    size_t at = 0;
    while ((m = tool_next(manifests, who, &at)) != NULL) {
        if (manifest_step_total(m) == 1 && strcmp(m->steps[0].action->name, action) == 0) {
            return m;
        }
    }
    return NULL;
}

void tool_describe(const struct manifest *m, struct buf *out)
{
    buf_addf(out, "%s. For example: /%s", m->summary, m->examples[m->example_count - 1]);
}

/* ------------------------------------------------------------------ schema */

static const char *schema_type(const struct action_param *param)
{
    if (param->otherwise != NULL || (param->prefix != NULL && param->prefix[0] != '\0')) {
        return "string"; /* several forms: all of them can be written as a text */
    }
    return param->type == PARAM_INT ? "integer" : param->type == PARAM_LIST ? "array" : "string";
}

static void add_choices(struct json_out *out, const char *choices)
{
    struct str rest = str_c(choices), choice;
    json_out_array(out, "enum");
    while (str_split(&rest, '|', &choice)) {
        json_out_str(out, NULL, choice);
    }
    json_out_end(out);
}

/* Ranges are part of the description: binding the value enforces them. */
static void add_argument(struct json_out *out, const struct manifest_arg *arg)
{
    AUTO_BUF struct buf text = BUF_INIT(DESCRIPTION_MAX);
    const struct action_param *rule = &arg->rule;
    buf_addf(&text, "%s (", rule->help != NULL ? rule->help : rule->name);
    value_describe(rule, &text);
    buf_add_char(&text, ')');
    json_out_object(out, rule->name);
    json_out_text(out, "type", schema_type(rule));
    json_out_text(out, "description", text.data);
    if (rule->type == PARAM_CHOICE && rule->otherwise == NULL) {
        add_choices(out, rule->choices);
    }
    if (rule->type == PARAM_LIST && rule->otherwise == NULL) {
        json_out_object(out, "items");
        json_out_text(out, "type", rule->element == PARAM_INT ? "integer" : "string");
        json_out_end(out);
    }
    json_out_end(out);
}

void tool_input_schema(const struct manifest *m, struct json_out *out, const char *key)
{
    json_out_object(out, key);
    json_out_text(out, "type", "object");
    json_out_bool(out, "additionalProperties", false);
    json_out_object(out, "properties");
    for (int i = 0; i < m->arg_count; i++) {
        add_argument(out, &m->args[i]);
    }
    json_out_end(out);
    json_out_array(out, "required");
    for (int i = 0; i < m->arg_count; i++) {
        if (m->args[i].rule.required) {
            json_out_text(out, NULL, m->args[i].rule.name);
        }
    }
    json_out_end(out);
    json_out_end(out);
}
