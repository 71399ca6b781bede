#include "eight.h"

static void veto(struct decision *d, const char *code, const char *text)
{
    d->outcome = OUTCOME_VETOED;
    if (code != NULL) {
        (void)str_copy(str_c(code), d->veto_code, sizeof(d->veto_code));
        (void)str_copy(str_c(text), d->veto_text, sizeof(d->veto_text));
    }
}

static bool audit_entry(struct board *board)
{
    struct decision *d = board->decision;
    struct order *o = &board->order;
    bool by_rule = d->veto_code[0] != '\0';
    o->qty = board->port->size(board->desk, board, d->score < 0 ? -d->score : d->score);
    if (board->flaw != FLAW_NONE) {
        veto(d, "DATA_INVALID", flaw_text(board->flaw));
    } else if (by_rule || !board->port->audit(board->desk, board)) {
        veto(d, NULL, NULL); /* who refused has said why */
    }
    return d->outcome != OUTCOME_VETOED;
}

/* Nothing is refused that reduces. */
void risk_audit_run(struct board *board, struct vote *vote)
{
    if (!board->wants_order) {
        return;
    }
    struct decision *d = board->decision;
    struct order *o = &board->order;
    board->may_send = o->kind == ORDER_CLOSE || audit_entry(board);
    d->qty = o->qty;
    d->stop = o->stop;
    d->target = o->target;
    struct dec most = board->may_send ? o->qty : d->veto_max_qty;
    agent_reason(vote, "size", dec_is_valid(o->qty) ? dec_to_double(o->qty) : 0,
                 dec_is_valid(most) ? dec_to_double(most) : 0, board->may_send ? 1 : 0);
    vote->direction = board->may_send ? d->direction : DIRECTION_NONE;
}
