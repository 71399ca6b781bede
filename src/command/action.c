#include "command/action.h"

#include "base/check.h"
#include "call.h"
#include "command/manifest.h"

#include <stdarg.h>
#include <string.h>

#define ACTIONS_MAX  256
#define PROGRESS_MAX 200

struct action_row {
    const struct action *action;
    void *userdata;
};

struct action_table {
    size_t count;
    struct action_row rows[ACTIONS_MAX];
};

struct action_table *action_table_new(void)
{
    struct action_table *table = calloc(1, sizeof(*table));
    ASSERT(table != NULL);
    return table;
}

void action_table_free(struct action_table *table)
{
    free(table);
}

void action_table_add(struct action_table *table, const struct action *rows, void *userdata)
{
    for (const struct action *a = rows; a->name != NULL; a++) {
        ASSERT(table->count < ACTIONS_MAX);
        ASSERT(action_find(table, a->name) == NULL);
        ASSERT(a->run != NULL && a->summary != NULL && a->lowest != ROLE_NONE);
        ASSERT(a->locks == NULL || a->effect != ACTION_READS);
        table->rows[table->count++] = (struct action_row){.action = a, .userdata = userdata};
    }
}

const struct action *action_find(const struct action_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->rows[i].action->name, name) == 0) {
            return table->rows[i].action;
        }
    }
    return NULL;
}

const struct action *action_at(const struct action_table *table, size_t index)
{
    return index < table->count ? table->rows[index].action : NULL;
}

void *action_table_userdata(const struct action_table *table, const struct action *action)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].action == action) {
            return table->rows[i].userdata;
        }
    }
    return NULL;
}

const char *action_effect_name(enum action_effect effect)
{
    switch (effect) {
    case ACTION_READS:
        return "reads";
    case ACTION_CHANGES:
        return "changes";
    case ACTION_MOVES_MONEY:
        return "moves money";
    }
    return "reads";
}

void action_markdown(const struct action_table *table, struct buf *out)
{
    buf_add_c(out, "# Actions\n\nThe actions that the steps of `commands/*.yaml` run. Printed by "
                   "`nightdesk docs actions`.\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct action *a = table->rows[i].action;
        buf_addf(out, "\n## %s\n\n%s. Effect: %s. Lowest role: %s%s.\n", a->name, a->summary,
                 action_effect_name(a->effect), role_name(a->lowest),
                 a->emergency ? ", with the emergency grant" : "");
        if (a->locks != NULL) {
            buf_addf(out, "Locks: `%s`.\n", a->locks);
        }
        for (int p = 0; p < ACTION_PARAMS_MAX && a->params[p].name != NULL; p++) {
            const struct action_param *param = &a->params[p];
            if (p == 0) {
                buf_add_c(out, "\n| parameter | type | required | meaning |\n|---|---|---|---|\n");
            }
            buf_addf(out, "| %s | %s", param->name, param_type_name(param->type));
            struct str choices = str_c(param->choices);
            struct str choice;
            for (const char *gap = ": "; str_split(&choices, '|', &choice); gap = ", ") {
                buf_addf(out, "%s%.*s", gap, STR_ARG(choice));
            }
            buf_addf(out, " | %s | %s |\n", param->required ? "yes" : "no",
                     param->help == NULL ? "" : param->help);
        }
    }
}

/* ---------------------------------------------------------------------------- inside a call ----
 */

const struct action *action_of(const struct action_call *call)
{
    return call->action;
}

void *action_userdata(const struct action_call *call)
{
    return call->userdata;
}

const struct principal *action_who(const struct action_call *call)
{
    return call->who;
}

struct reply *action_reply(struct action_call *call)
{
    return call->reply;
}

const char *action_arg(const struct action_call *call, const char *name)
{
    const struct action_param *params = call->action->params;
    int p = 0;
    while (p < ACTION_PARAMS_MAX && params[p].name != NULL && strcmp(params[p].name, name) != 0) {
        p++;
    }
    ASSERT(p < ACTION_PARAMS_MAX && params[p].name != NULL); /* the action must declare it */
    return call->args[p];
}

int64_t action_arg_i64(const struct action_call *call, const char *name, int64_t otherwise)
{
    const char *text = action_arg(call, name);
    int64_t value = otherwise;
    if (text != NULL && !str_to_i64(str_c(text), &value)) {
        (void)param_parse_duration(str_c(text), &value);
    }
    return value;
}

int64_t action_run_id(const struct action_call *call)
{
    return call->run_id;
}

bool action_run_has(const struct action_call *call, const char *action)
{
    return call->m != NULL && manifest_has_action(call->m, action);
}

int action_step(const struct action_call *call)
{
    return call->step;
}

int64_t action_begun_us(const struct action_call *call)
{
    return call->begun_us;
}

void action_set_state(struct action_call *call, void *state)
{
    call->state = state;
}

void *action_state(const struct action_call *call)
{
    return call->state;
}

int action_remember(struct action_call *call, const char *text, struct err *err)
{
    ASSERT(call->remember != NULL);
    return call->remember(call, text, err);
}

const char *action_remembered(const struct action_call *call)
{
    return call->remembered;
}

void action_progress(struct action_call *call, const char *format, ...)
{
    if (call->progress == NULL) {
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(PROGRESS_MAX);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    call->progress(call, text.data);
}

void action_finish(struct action_call *call, const struct err *err)
{
    ASSERT(call->finish != NULL);
    call->finish(call, err);
}
