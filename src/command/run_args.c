#include "base/check.h"
#include "bind.h"
#include "run.h"

#include <string.h>

struct value_context run_args_context(const struct runner *runner)
{
    return (struct value_context){.domains = runner->o.actions,
                                  .now_us = clock_wall_us(runner->o.clock)};
}

static bool step_needs_factor(const struct run *run, const struct manifest_step *step)
{
    const struct action *action = step->action;
    struct arg_value *values = NULL;
    if (action->needs_factor == NULL || run_args_resolve(run, step, &values, NULL) < 0) {
        return false;
    }
    const struct action_call call = {.action = action,
                                     .m = run->m,
                                     .userdata =
                                         action_table_userdata(run->runner->o.actions, action),
                                     .who = &run->who,
                                     .args = values};
    bool needs = action->needs_factor(&call);
    run_args_free(action, values);
    return needs;
}

void run_args_demand(struct run *run)
{
    run->demand = manifest_demand(run->m, &run->who, run->args);
    for (int i = 0; i < run->m->step_count; i++) {
        if (run->demand.second_factor == MANIFEST_FACTOR_NO &&
            step_needs_factor(run, &run->m->steps[i])) {
            run->demand.second_factor = MANIFEST_FACTOR_IF_SET;
        }
    }
}

int run_args_bind(struct run *run, const struct line *line, struct err *err)
{
    const struct value_context context = run_args_context(run->runner);
    int rc = bind_line(run->m, line, &context, run->args, err);
    run_args_demand(run);
    return rc;
}

int run_args_bind_json(struct run *run, const char *args_json, struct err *err)
{
    const struct value_context context = run_args_context(run->runner);
    AUTO_JSON struct json_object *args = NULL;
    int rc = json_parse(str_c(args_json), &JSON_LIMITS_DEFAULT, &args, err);
    rc = rc < 0 ? rc : bind_json(run->m, args, &context, run->args, err);
    run_args_demand(run);
    return rc;
}

int run_args_restore(struct run *run, const char *args_json, bool look_up, struct err *err)
{
    struct value_context context = run_args_context(run->runner);
    AUTO_JSON struct json_object *args = NULL;
    context.domains = look_up ? context.domains : NULL;
    int rc = json_parse(str_c(args_json), &JSON_LIMITS_DEFAULT, &args, err);
    rc = rc < 0 ? rc : bind_stored(run->m, args, &context, run->args, err);
    run_args_demand(run);
    return rc;
}

void run_args_json(const struct run *run, struct buf *out)
{
    bind_stored_json(run->m, run->args, out);
}

bool run_args_line(const struct run *run, struct buf *out)
{
    return bind_add_line(run->m, run->args, out);
}

bool run_args_value(const struct run *run, struct str name, struct buf *out)
{
    struct str output = name;
    struct str id;
    int arg = manifest_find_arg(run->m, name);
    if (arg >= 0) {
        value_text(&run->args[arg], out);
        return run->args[arg].type != PARAM_NONE;
    }
    (void)str_split(&output, '.', &id);
    const struct step *s = run_find_step(run, id);
    const char *value = s == NULL ? NULL : step_output(s, output);
    buf_add_c(out, value == NULL ? "" : value);
    return value != NULL;
}

/* Replaces each $arg and $step.output in a text by the canonical text of its value, or nothing. */
static void substitute(const struct run *run, const char *text, struct buf *out)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] != '$') {
            buf_add_char(out, text[i]);
            continue;
        }
        size_t size = manifest_name_size(run->m, str_c(text + i));
        (void)run_args_value(run, str_n(text + i + 1, size - 1), out);
        i += size - 1;
    }
}

static int resolve(const struct run *run, const struct manifest_with *with,
                   const struct value_context *context, struct arg_value *ret, struct err *err)
{
    if (with->arg >= 0) {
        const struct arg_value *arg = &run->args[with->arg];
        return arg->type == PARAM_NONE || value_convert(arg, with->param, ret)
                   ? 0
                   : err_set(err, ERR_COMMAND_ARG_INVALID, "%s: cannot take a %s",
                             with->param->name, param_type_name(arg->type));
    }
    if (with->is_output) {
        AUTO_BUF struct buf output = BUF_INIT(VALUE_TEXT_MAX);
        return run_args_value(run, str_c(with->text + 1), &output)
                   ? value_from_text(with->param, buf_str(&output), context, ret, err)
                   : 0;
    }
    if (!with->has_args) {
        value_copy(&with->literal, ret);
        return value_look_up(with->param, ret, context, err);
    }
    AUTO_BUF struct buf text = BUF_INIT(8 * VALUE_TEXT_MAX);
    substitute(run, with->text, &text);
    if (buf_failed(&text)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: longer than %zu bytes", with->param->name,
                       text.max);
    }
    return value_from_text(with->param, buf_str(&text), context, ret, err);
}

int run_args_resolve(const struct run *run, const struct manifest_step *step,
                     struct arg_value **ret_values, struct err *err)
{
    const struct value_context context = run_args_context(run->runner);
    const struct action_param *params = step->action->params;
    int count = action_param_count(step->action);
    struct arg_value *values = calloc((size_t)count + 1, sizeof(*values));
    ASSERT(values != NULL);
    int rc = 0;
    for (int w = 0; rc == 0 && w < step->with_count; w++) {
        rc = resolve(run, &step->with[w], &context, &values[step->with[w].param - params], err);
    }
    for (int p = 0; rc == 0 && p < count; p++) {
        if (values[p].type == PARAM_NONE && params[p].default_text != NULL) {
            rc = value_from_text(&params[p], str_c(params[p].default_text), &context, &values[p],
                                 err);
        }
    }
    for (int p = 0; rc == 0 && p < count; p++) {
        if (params[p].required && values[p].type == PARAM_NONE) { /* from the output of a step */
            rc = err_set(err, ERR_COMMAND_ARG_MISSING, "%s of %s: no step gave it", params[p].name,
                         step->action->name);
        }
    }
    if (rc < 0) {
        run_args_free(step->action, values);
        values = NULL;
    }
    *ret_values = values;
    return rc;
}

void run_args_add_values(struct buf *out, const struct action *action,
                         const struct arg_value *values)
{
    const char *gap = " (";
    for (int p = 0; values != NULL && p < action_param_count(action); p++) {
        if (values[p].type != PARAM_NONE) {
            buf_addf(out, "%s%s: ", gap, action->params[p].name);
            (void)value_shown(&values[p], out);
            gap = ", ";
        }
    }
    buf_add_c(out, gap[0] == ',' ? ")" : "");
}

void run_args_free(const struct action *action, struct arg_value *values)
{
    for (int p = 0; values != NULL && p < action_param_count(action); p++) {
        value_release(&values[p]);
    }
    free(values);
}
