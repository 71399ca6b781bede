#include "tools.h"

#include "base/auto.h"
#include "base/buf.h"
#include "io/json.h"
#include "io/json_out.h"

#include <string.h>

#define DESCRIPTION_MAX 400

/* ------------------------------------------------------------------ which */

static bool is_tool(const struct manifest *m, const struct principal *who)
{
    bool marked = !m->changes && !m->confirm && m->step_count > 0;
    for (int i = 0; i < manifest_step_total(m); i++) {
        marked = marked && manifest_step_at(m, i)->action->assistant;
    }
    return marked && manifest_is_visible(m, who->channel) &&
           manifest_permit(m, who, NULL, NULL) == 0;
}

const struct manifest *tools_find(const struct manifest_list *manifests,
                                  const struct principal *who, const char *name)
{
    const struct manifest *m = manifest_find(manifests, name);
    return m != NULL && strcmp(m->name, name) == 0 && is_tool(m, who) ? m : NULL;
}

const struct manifest *tools_of_action(const struct manifest_list *manifests,
                                       const struct principal *who, const char *action)
{
    const struct manifest *m = NULL;
    for (size_t i = 0; (m = manifest_at(manifests, i)) != NULL; i++) {
        if (manifest_step_total(m) == 1 && is_tool(m, who) &&
            strcmp(m->steps[0].action->name, action) == 0) {
            return m;
        }
    }
    return NULL;
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

/* Ranges are part of the description: the API does not enforce them, binding the value does. */
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

static void begin_tool(struct json_out *out, const char *name, const char *description)
{
    json_out_object(out, NULL);
    json_out_text(out, "name", name);
    json_out_text(out, "description", description);
    json_out_object(out, "input_schema");
    json_out_text(out, "type", "object");
    json_out_bool(out, "additionalProperties", false);
}

static void add_tool(struct json_out *out, const struct manifest *m)
{
    AUTO_BUF struct buf text = BUF_INIT(DESCRIPTION_MAX);
    buf_addf(&text, "%s. For example: /%s", m->summary, m->examples[m->example_count - 1]);
    begin_tool(out, m->name, text.data);
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
    json_out_end(out);
}

static void add_proposing(struct json_out *out)
{
    begin_tool(out, TOOL_PROPOSE,
               "Proposes one command line to the person, who sees it as a button and decides. "
               "Nothing is run by this. Only for what the person has asked for in the question.");
    json_out_object(out, "properties");
    json_out_object(out, "command");
    json_out_text(out, "type", "string");
    json_out_text(out, "description", "the whole line, such as /restart prediction");
    json_out_end(out);
    json_out_end(out);
    json_out_array(out, "required");
    json_out_text(out, NULL, "command");
    json_out_end(out);
    json_out_end(out);
    json_out_end(out);
}

struct json_object *tools_json(const struct manifest_list *manifests, const struct principal *who,
                               bool propose)
{
    AUTO_JSON struct json_object *root = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(root);
    const struct manifest *m = NULL;
    int count = 0;
    json_out_array(&out, "tools");
    for (size_t i = 0; (m = manifest_at(manifests, i)) != NULL && count < TOOLS_MAX; i++) {
        if (is_tool(m, who)) {
            add_tool(&out, m);
            count++;
        }
    }
    if (propose) {
        add_proposing(&out);
    }
    json_out_end(&out);
    return json_object_get(json_get(root, "tools"));
}
