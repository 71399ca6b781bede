#include "base/check.h"
#include "value_internal.h"

#include <string.h>

#define CANDIDATES_MAX 120 /* bytes of candidates in an error */

const struct action_param *value_alternative(const struct action_param *param,
                                             const struct arg_value *value)
{
    const struct action_param *p = param;
    while (p->otherwise != NULL &&
           (p->type != value->type ||
            !str_equal_c(str_c(p->prefix), value->prefix == NULL ? "" : value->prefix))) {
        p = p->otherwise;
    }
    return p;
}

static const struct value_domain *domain_of(const struct value_context *context,
                                            enum param_type type, void **ret_userdata)
{
    return context->domains == NULL ? NULL
                                    : action_table_domain(context->domains, type, ret_userdata);
}

/* Looks for a text among the candidates, and for the one most like it. */
struct search {
    struct str wanted;
    bool found;
    char near[64];
    int near_distance;
    struct buf all;
    bool more; /* not all fitted in */
};

static void on_candidate(const char *candidate, void *userdata)
{
    struct search *s = userdata;
    int distance = str_distance(s->wanted, str_c(candidate));
    s->found = s->found || str_equal_c(s->wanted, candidate);
    if (distance < s->near_distance && str_copy(str_c(candidate), s->near, sizeof(s->near))) {
        s->near_distance = distance;
    }
    if (s->more || s->all.len + strlen(candidate) + 2 > CANDIDATES_MAX) {
        s->more = true;
    } else {
        buf_addf(&s->all, "%s%s", s->all.len == 0 ? "" : ", ", candidate);
    }
}

static void search(const struct value_domain *domain, struct str wanted, void *userdata,
                   struct search *ret)
{
    *ret = (struct search){
        .wanted = wanted, .near_distance = domain->edits + 1, .all = BUF_INIT(CANDIDATES_MAX + 8)};
    domain->list(on_candidate, ret, userdata);
    if (ret->more) {
        buf_add_c(&ret->all, " …");
    }
}

static int refuse(const char *name, const struct value_domain *domain, struct str shown,
                  const struct search *s, struct err *err)
{
    bool near = s->near_distance <= domain->edits;
    if (domain->listed == NULL) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s%.*s%s %s", name, domain->before,
                       STR_ARG(shown), domain->after, s->all.data);
    }
    return near ? err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s%.*s%s; did you mean %s?", name,
                          domain->before, STR_ARG(shown), domain->after, s->near)
                : err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s%.*s%s; %s: %s", name,
                          domain->before, STR_ARG(shown), domain->after, domain->listed,
                          s->all.len == 0 ? "none" : s->all.data);
}

int value_domain_refuse(const struct action_param *param, enum param_type type, struct str shown,
                        const struct value_context *context, struct err *err)
{
    void *userdata = NULL;
    const struct value_domain *domain = domain_of(context, type, &userdata);
    struct search s;
    if (domain == NULL || domain->list == NULL) {
        return 0;
    }
    search(domain, shown, userdata, &s);
    int rc = refuse(param->name, domain, shown, &s, err);
    buf_release(&s.all);
    return rc;
}

/* ------------------------------------------------------------------------- "btc" alone ---- */

/* Looks for the symbols of a base: people type btc for BTC-USD. */
struct base_search {
    const struct symbol *base;
    bool exact; /* the base is itself a candidate */
    int count;
    struct symbol found;
    struct buf all;
};

static void on_symbol(const char *candidate, void *userdata)
{
    struct base_search *b = userdata;
    struct symbol s;
    if (!symbol_parse(str_c(candidate), &s)) {
        return;
    }
    b->exact = b->exact || symbol_equal(s, *b->base);
    if (str_equal(symbol_base(&s), str_c(b->base->name))) {
        b->found = s;
        b->count++;
        buf_addf(&b->all, "%s%s", b->count == 1 ? "" : " or ", s.name);
    }
}

/* Replaces a base by its symbol if exactly one candidate has it. */
static int complete_base(const char *name, const struct value_domain *domain, struct symbol *symbol,
                         void *userdata, struct err *err)
{
    struct base_search b = {.base = symbol, .all = BUF_INIT(CANDIDATES_MAX)};
    int rc = 0;
    if (symbol->name[0] == '\0' || strchr(symbol->name, '-') != NULL) {
        return 0;
    }
    domain->list(on_symbol, &b, userdata);
    if (!b.exact && b.count == 1) {
        *symbol = b.found;
    } else if (!b.exact && b.count > 1) {
        rc = err_set(err, ERR_COMMAND_ARG_INVALID, "%s: %s is not one symbol; did you mean %s?",
                     name, symbol->name, b.all.data);
    }
    buf_release(&b.all);
    return rc;
}

static struct symbol *symbol_in(struct arg_value *value)
{
    switch (value->type) {
    case PARAM_SYMBOL:
    case PARAM_SYMBOL_OR_ALL:
        return &value->symbol;
    case PARAM_POSITION:
        return &value->position.symbol;
    case PARAM_NONE:
    case PARAM_TEXT:
    case PARAM_INT:
    case PARAM_DECIMAL:
    case PARAM_PRICE:
    case PARAM_DURATION:
    case PARAM_TIME:
    case PARAM_SERVICE:
    case PARAM_ORDER:
    case PARAM_USER:
    case PARAM_CHOICE:
    case PARAM_LIST:
        break;
    }
    return NULL;
}

static int check_one(const struct action_param *param, struct arg_value *value,
                     const struct value_context *context, struct err *err)
{
    void *userdata = NULL;
    const struct value_domain *domain = domain_of(context, value->type, &userdata);
    bool is_all = value->type == PARAM_SYMBOL_OR_ALL && value->symbol.name[0] == '\0';
    if (domain == NULL || is_all) {
        return 0;
    }
    struct symbol *symbol = symbol_in(value);
    if (symbol != NULL && domain->list != NULL) {
        int rc = complete_base(param->name, domain, symbol, userdata, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (param->unlisted) {
        return 0;
    }
    if (domain->find != NULL) {
        return domain->find(param->name, value, userdata, err);
    }
    if (domain->list == NULL) {
        return 0;
    }
    AUTO_BUF struct buf text = BUF_INIT(VALUE_TEXT_MAX);
    struct search s;
    value_text(value, &text);
    search(domain, buf_str(&text), userdata, &s);
    struct str shown = buf_str(&text);
    shown.len = shown.len < VALUE_SHOWN_MAX ? shown.len : VALUE_SHOWN_MAX;
    int rc = s.found ? 0 : refuse(param->name, domain, shown, &s, err);
    buf_release(&s.all);
    return rc;
}

int value_domain_check(const struct action_param *param, struct arg_value *value,
                       const struct value_context *context, struct err *err)
{
    int rc = 0;
    if (value->type != PARAM_LIST) {
        return check_one(param, value, context, err);
    }
    for (size_t i = 0; rc == 0 && i < value->list.count; i++) {
        rc = check_one(param, &value->list.items[i], context, err);
    }
    return rc;
}

void value_settle(const struct action_param *param, struct arg_value *value)
{
    if (param->type == PARAM_SYMBOL_OR_ALL && value->type == PARAM_POSITION &&
        value->position.symbol.name[0] != '\0') {
        const struct symbol symbol = value->position.symbol;
        value->type = PARAM_SYMBOL_OR_ALL;
        value->symbol = symbol;
    }
}

int value_look_up(const struct action_param *param, struct arg_value *value,
                  const struct value_context *context, struct err *err)
{
    struct action_param p = *value_alternative(param, value);
    p.name = param->name;
    int rc = value_domain_check(&p, value, context, err);
    if (rc == 0) {
        value_settle(param, value);
    }
    return rc;
}

int value_resolve_price(const struct action_param *param, struct arg_value *value,
                        const struct arg_value *symbol, const struct value_context *context,
                        struct err *err)
{
    void *userdata = NULL;
    if (value->type != PARAM_PRICE || !value->price.relative || context->domains == NULL) {
        return 0;
    }
    const struct value_domain *domain = domain_of(context, PARAM_PRICE, &userdata);
    if (domain == NULL || symbol == NULL || value_symbol(symbol).name[0] == '\0') {
        return err_set(err, ERR_COMMAND_ARG_INVALID,
                       "%s: a price in percent needs a symbol whose price is known", param->name);
    }
    struct dec price;
    int rc = domain->price(value_symbol(symbol), value->price.amount, &price, userdata, err);
    if (rc < 0) {
        return rc;
    }
    ASSERT(dec_is_valid(price) && price.e8 > 0);
    value->price = (struct value_price){.amount = price};
    return 0;
}

/* ------------------------------------------------------------------------------- complete ---- */

struct completion {
    struct str prefix;
    value_emit_fn emit;
    void *userdata;
};

static void complete(const char *candidate, void *userdata)
{
    const struct completion *c = userdata;
    if (strlen(candidate) >= c->prefix.len &&
        strncasecmp(candidate, c->prefix.ptr, c->prefix.len) == 0) {
        c->emit(candidate, c->userdata);
    }
}

static void complete_one(const struct action_param *p, const struct completion *c,
                         const struct value_context *context)
{
    enum param_type type = p->type == PARAM_LIST ? p->element : p->type;
    struct str rest = str_c(p->choices);
    struct str choice;
    char text[64];
    while (str_split(&rest, '|', &choice)) {
        (void)str_copy(choice, text, sizeof(text));
        complete(text, (void *)c);
    }
    void *userdata = NULL;
    const struct value_domain *domain = domain_of(context, type, &userdata);
    if (domain != NULL && domain->list != NULL) {
        domain->list(complete, (void *)c, userdata);
    }
}

void value_complete(const struct action_param *param, struct str prefix,
                    const struct value_context *context, value_emit_fn emit, void *emit_userdata)
{
    const struct completion c = {prefix, emit, emit_userdata};
    for (const struct action_param *p = param; p != NULL; p = p->otherwise) {
        complete_one(p, &c, context);
    }
}
