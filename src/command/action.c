#include "command/action.h"

#include "base/check.h"
#include "basis.h"
#include "call.h"
#include "command/manifest.h"
#include "value_internal.h"

#include <stdarg.h>
#include <string.h>

#define ACTIONS_MAX  256
#define DOMAINS_MAX  (PARAM_LIST + 1) /* one for each type */
#define PROGRESS_MAX 200

struct action_row {
    const struct action *action;
    void *userdata;
};

struct domain_row {
    const struct value_domain *domain;
    void *userdata;
};

struct action_table {
    struct domain_row domains[DOMAINS_MAX]; /* by type; domain NULL: none */
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

static void check_params(const struct action *a)
{
    struct err err = {0};
    ASSERT(action_param_count(a) <= ACTION_PARAMS_MAX);
    for (const struct action_param *p = a->params; p != NULL && p->name != NULL; p++) {
        ASSERT(value_check_param(p, &err) == 0);
        ASSERT(p->type != PARAM_PRICE || p->default_text == NULL); /* it could be relative */
        ASSERT(p->symbol_of == NULL || action_param_find(a, str_c(p->symbol_of)) != NULL);
    }
}

void action_table_add(struct action_table *table, const struct action *rows, void *userdata)
{
    for (const struct action *a = rows; a->name != NULL; a++) {
        ASSERT(table->count < ACTIONS_MAX);
        ASSERT(action_find(table, a->name) == NULL);
        ASSERT(!a->assistant || a->effect == ACTION_READS);
        ASSERT(a->run != NULL && a->summary != NULL && a->lowest != ROLE_NONE);
        ASSERT(a->locks == NULL || a->effect != ACTION_READS);
        check_params(a);
        table->rows[table->count++] = (struct action_row){.action = a, .userdata = userdata};
    }
}

int action_param_count(const struct action *action)
{
    int count = 0;
    while (action->params != NULL && action->params[count].name != NULL) {
        count++;
    }
    return count;
}

const struct action_param *action_param_find(const struct action *action, struct str name)
{
    for (const struct action_param *p = action->params; p != NULL && p->name != NULL; p++) {
        if (str_equal_c(name, p->name)) {
            return p;
        }
    }
    return NULL;
}

void action_table_add_domain(struct action_table *table, const struct value_domain *domain,
                             void *userdata)
{
    struct domain_row *row = &table->domains[domain->type];
    ASSERT(row->domain == NULL);
    *row = (struct domain_row){.domain = domain, .userdata = userdata};
}

const struct value_domain *action_table_domain(const struct action_table *table,
                                               enum param_type type, void **ret_userdata)
{
    *ret_userdata = table->domains[type].userdata;
    return table->domains[type].domain;
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
        buf_addf(out, "\n## %s\n\n%s. Effect: %s. Lowest role: %s%s.%s\n", a->name, a->summary,
                 action_effect_name(a->effect), role_name(a->lowest),
                 a->emergency ? ", with the emergency grant" : "",
                 a->assistant ? " The assistant may read it for a person." : "");
        if (a->locks != NULL) {
            buf_addf(out, "Locks: `%s`.\n", a->locks);
        }
        if (a->outputs != NULL) {
            buf_addf(out, "Outputs: `%s`.\n", a->outputs);
        }
        if (a->data != NULL) {
            buf_addf(out, "Data: `%s`.\n", a->data);
        }
        for (const struct action_param *p = a->params; p != NULL && p->name != NULL; p++) {
            if (p == a->params) {
                buf_add_c(out, "\n| parameter | type | required | default | meaning |\n"
                               "|---|---|---|---|---|\n");
            }
            buf_addf(out, "| %s | ", p->name);
            value_describe(p, out);
            buf_addf(out, " | %s | %s | %s |\n", p->required ? "yes" : "no",
                     p->default_text == NULL ? "" : p->default_text,
                     p->help == NULL ? "" : p->help);
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

const struct arg_value *action_value(const struct action_call *call, const char *name)
{
    const struct action_param *param = action_param_find(call->action, str_c(name));
    ASSERT(param != NULL); /* the action must declare it */
    const struct arg_value *value = &call->args[param - call->action->params];
    return value->type == PARAM_NONE ? NULL : value;
}

static const struct arg_value *typed_value(const struct action_call *call, const char *name,
                                           enum param_type type)
{
    const struct arg_value *value = action_value(call, name);
    ASSERT(value != NULL && value->type == type);
    return value;
}

const char *action_text(const struct action_call *call, const char *name)
{
    const struct arg_value *value = action_value(call, name);
    if (value == NULL) {
        return NULL;
    }
    ASSERT(value->type == PARAM_TEXT || value->type == PARAM_CHOICE ||
           value->type == PARAM_SERVICE || value->type == PARAM_ORDER);
    return value->text;
}

int64_t action_int(const struct action_call *call, const char *name)
{
    return typed_value(call, name, PARAM_INT)->number;
}

int64_t action_duration_us(const struct action_call *call, const char *name)
{
    return typed_value(call, name, PARAM_DURATION)->duration_us;
}

int64_t action_time_us(const struct action_call *call, const char *name)
{
    return typed_value(call, name, PARAM_TIME)->time_us;
}

struct symbol action_symbol(const struct action_call *call, const char *name)
{
    const struct arg_value *value = action_value(call, name);
    if (value == NULL) {
        return (struct symbol){0};
    }
    ASSERT(value->type == PARAM_SYMBOL || value->type == PARAM_SYMBOL_OR_ALL ||
           value->type == PARAM_POSITION);
    return value_symbol(value);
}

struct dec action_price(const struct action_call *call, const char *name)
{
    const struct arg_value *value = action_value(call, name);
    if (value == NULL) {
        return DEC_ZERO;
    }
    ASSERT(value->type == PARAM_PRICE && !value->price.relative);
    return value->price.amount;
}

int64_t action_run_id(const struct action_call *call)
{
    return call->run_id;
}

int64_t action_chat_id(const struct action_call *call)
{
    return call->chat_id;
}

int64_t action_thread_id(const struct action_call *call)
{
    return call->thread_id;
}

void action_depends_price(struct action_call *call, const char *what, struct dec price)
{
    if (call->basis != NULL) {
        basis_add_price(call->basis, what, price);
    }
}

void action_depends(struct action_call *call, const char *what, const char *format, ...)
{
    if (call->basis == NULL) {
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(1000);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    basis_add_fact(call->basis, what, text.data);
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

bool action_has_output(const struct action *action, struct str name)
{
    struct str rest = str_c(action->outputs);
    struct str word;
    while (str_word(&rest, &word)) {
        if (str_equal(word, name)) {
            return true;
        }
    }
    return false;
}

void action_output(struct action_call *call, const char *name, const char *format, ...)
{
    ASSERT(action_has_output(call->action, str_c(name)));
    if (call->output == NULL) {
        return; /* a preview */
    }
    char value[ACTION_OUTPUT_MAX + 1];
    AUTO_BUF struct buf text = BUF_INIT(4096);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    str_cut(buf_str(&text), value, sizeof(value));
    call->output(call, name, value);
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

void action_stream(struct action_call *call, struct str text)
{
    if (call->stream != NULL) {
        call->stream(call, text);
    }
}

void action_finish(struct action_call *call, const struct err *err)
{
    ASSERT(call->finish != NULL);
    call->finish(call, err);
}
