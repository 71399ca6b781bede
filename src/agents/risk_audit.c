#include "agent_run.h"

static void veto(struct decision *d, const char *code, const char *text)
{
    d->outcome = OUTCOME_VETOED;
    if (code != NULL) {
        (void)str_copy(str_c(code), d->veto_code, sizeof(d->veto_code));
        (void)str_copy(str_c(text), d->veto_text, sizeof(d->veto_text));
    }
}

static bool audit_entry(struct decision_context *context)
{
    struct decision *d = context->decision;
    struct order *o = &context->order;
    bool by_rule = d->veto_code[0] != '\0';
    o->qty = context->port->size(context->userdata, context, d->score < 0 ? -d->score : d->score);
    if (context->flaw != FLAW_NONE) {
        veto(d, "DATA_INVALID", flaw_text(context->flaw));
    } else if (by_rule || !context->port->audit(context->userdata, context)) {
        veto(d, NULL, NULL); /* code and text are set already */
    }
    return d->outcome != OUTCOME_VETOED;
}

/* A close is never refused. */
void risk_audit_run(struct decision_context *context, struct vote *vote)
{
    if (!context->wants_order) {
        return;
    }
    struct decision *d = context->decision;
    struct order *o = &context->order;
    context->may_send = o->kind == ORDER_CLOSE || audit_entry(context);
    d->qty = o->qty;
    d->stop = o->stop;
    d->target = o->target;
    struct dec most = context->may_send ? o->qty : d->veto_max_qty;
    agent_reason(vote, "size", dec_is_valid(o->qty) ? dec_to_double(o->qty) : 0,
                 dec_is_valid(most) ? dec_to_double(most) : 0, context->may_send ? 1 : 0);
    vote->direction = context->may_send ? d->direction : DIRECTION_NONE;
}
