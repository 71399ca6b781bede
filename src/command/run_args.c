#include "base/check.h"
#include "command/quote.h"
#include "run.h"

#include <string.h>

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    ASSERT(copy != NULL);
    return copy;
}

static int find_arg(const struct manifest *m, struct str name)
{
    for (int i = 0; i < m->arg_count; i++) {
        if (str_equal_c(name, m->args[i].name)) {
            return i;
        }
    }
    return -1;
}

static int set_arg(struct run *run, int index, struct str value, struct err *err)
{
    const struct manifest_arg *arg = &run->m->args[index];
    const struct param_rule rule = {arg->name, arg->type, arg->choices};
    char text[PARAM_VALUE_SIZE];
    int rc = param_check(&rule, run->runner->o.config, value, text, err);
    if (rc < 0) {
        return rc;
    }
    free(run->args[index]);
    run->args[index] = copy_text(text);
    return 0;
}

/* The index of the argument in name=value; -1 if the word does not name one of this command. */
static int named_arg(const struct run *run, const char *word, struct str *ret_value)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL) {
        return -1;
    }
    *ret_value = str_c(equals + 1);
    return find_arg(run->m, str_n(word, (size_t)(equals - word)));
}

static int check_required(const struct run *run, struct err *err)
{
    for (int i = 0; i < run->m->arg_count; i++) {
        if (run->m->args[i].required && run->args[i] == NULL) {
            return err_set(err, ERR_COMMAND_ARG_MISSING, "%s: %s", run->m->args[i].name,
                           run->m->args[i].help);
        }
    }
    return 0;
}

int run_args_bind(struct run *run, const struct line *line, struct err *err)
{
    size_t given = line->count - 1;
    int next = 0;
    for (size_t i = 1; i < line->count && i < LINE_WORDS_MAX; i++) {
        struct str value = str_c(line->words[i]);
        int index = line->quoted[i] ? -1 : named_arg(run, line->words[i], &value);
        if (index < 0) {
            while (next < run->m->arg_count && run->args[next] != NULL) {
                next++;
            }
            index = next;
            value = str_c(line->words[i]);
        }
        if (index >= run->m->arg_count) {
            return err_set(err, ERR_COMMAND_ARG_EXTRA, "%s takes %d, the line gives %zu",
                           run->m->name, run->m->arg_count, given);
        }
        int rc = set_arg(run, index, value, err);
        if (rc < 0) {
            return rc;
        }
    }
    return check_required(run, err);
}

int run_args_bind_json(struct run *run, const char *args_json, struct err *err)
{
    AUTO_JSON struct json_object *args = NULL;
    int rc = json_parse(str_c(args_json), &JSON_LIMITS_DEFAULT, &args, err);
    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < run->m->arg_count; i++) {
        const char *name = run->m->args[i].name;
        if (json_is_text(json_get(args, name)) &&
            (rc = set_arg(run, i, json_str(args, name), err)) < 0) {
            return rc;
        }
    }
    return check_required(run, err);
}

void run_args_json(const struct run *run, struct buf *out)
{
    AUTO_JSON struct json_object *args = json_object_new_object();
    for (int i = 0; i < run->m->arg_count; i++) {
        if (run->args[i] != NULL) {
            (void)json_object_object_add(args, run->m->args[i].name,
                                         json_object_new_string(run->args[i]));
        }
    }
    json_add_text(out, args);
}

bool run_args_line(const struct run *run, struct buf *out)
{
    buf_add_c(out, run->m->name);
    bool skipped = false, exact = true;
    for (int i = 0; i < run->m->arg_count; i++) {
        const char *value = run->args[i];
        if (value == NULL) {
            skipped = true;
            continue;
        }
        buf_add_char(out, ' ');
        exact = (skipped ? quote_add_named(out, run->m->args[i].name, str_c(value))
                         : quote_add(out, str_c(value))) &&
                exact;
    }
    return exact;
}

/* Expands a template: "$arg" alone is the value of the argument, and inside a longer text it is
 * replaced by the value. Returns false for "$arg" alone if the argument was not given. */
static bool substitute(const struct run *run, const char *template, struct buf *out)
{
    struct str rest = str_c(template);
    if (rest.ptr[0] == '$' && find_arg(run->m, str_c(rest.ptr + 1)) >= 0) {
        const char *value = run->args[find_arg(run->m, str_c(rest.ptr + 1))];
        buf_add_c(out, value == NULL ? "" : value);
        return value != NULL;
    }
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] != '$') {
            buf_add_char(out, rest.ptr[i]);
            continue;
        }
        size_t size = 1 + strspn(rest.ptr + i + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
        int index = find_arg(run->m, str_n(rest.ptr + i + 1, size - 1));
        ASSERT(index >= 0); /* checked by manifest.c */
        buf_add_c(out, run->args[index] == NULL ? "" : run->args[index]);
        i += size - 1;
    }
    return true;
}

int run_args_resolve(const struct run *run, const struct manifest_step *step,
                     char *ret_values[ACTION_PARAMS_MAX], struct err *err)
{
    for (int w = 0; w < step->with_count; w++) {
        int p = 0;
        while (strcmp(step->action->params[p].name, step->with[w].param) != 0) {
            p++; /* manifest.c checked that it exists */
        }
        const struct action_param *param = &step->action->params[p];
        AUTO_BUF struct buf value = BUF_INIT(8 * PARAM_VALUE_SIZE);
        if (!substitute(run, step->with[w].value, &value)) {
            continue;
        }
        const struct param_rule rule = {param->name, param->type, param->choices};
        char text[PARAM_VALUE_SIZE];
        int rc = param_check(&rule, run->runner->o.config, buf_str(&value), text, err);
        if (rc < 0) {
            run_args_free(ret_values);
            return rc;
        }
        ret_values[p] = copy_text(text);
    }
    return 0;
}

void run_args_free(char *values[ACTION_PARAMS_MAX])
{
    for (int i = 0; i < ACTION_PARAMS_MAX; i++) {
        free(values[i]);
        values[i] = NULL;
    }
}
