#include "agents/agent.h"

#include "agent_run.h"
#include "base/check.h"

static const struct agent agents[] = {
    {"data_sync", STANCE_SILENT, data_sync_run,
     "Checks that 200 bars of 5m, 15m and 1h, ticker and order book are complete, fresh and sane."},
    {"quant_analyst", STANCE_SILENT, quant_analyst_run,
     "Reads RSI 14 at 70/30, MACD 12/26/9, Bollinger bands 20/2, and the regime of the market."},
    {"predict", STANCE_FREE, predict_run,
     "Asks a trained tree model whether the price will be higher; neutral without one."},
    {"bull", STANCE_LONG, side_agent_bull, "Argues for a rising price."},
    {"bear", STANCE_SHORT, side_agent_bear,
     "Argues for a falling price; the mirror image of bull."},
    {"decision_core", STANCE_SILENT, decision_core_run,
     "Weighs the votes by the regime into a score, and compares it with the threshold."},
    {"risk_audit", STANCE_SILENT, risk_audit_run,
     "Sizes the order by risk and confidence, and vetoes it if a limit forbids it."},
    {"execution", STANCE_SILENT, execution_run,
     "Makes the order: a market entry with stop and target, or a close."},
};

_Static_assert(COUNT_OF(agents) <= VOTES_MAX, "a decision has space for every vote");

const struct agent *agent_table(int *ret_count)
{
    *ret_count = (int)COUNT_OF(agents);
    return agents;
}

static void clear_outcome(struct decision *d)
{
    d->regime = REGIME_NEUTRAL;
    d->vote_count = 0;
    d->score = 0;
    d->direction = DIRECTION_NONE;
    d->outcome = OUTCOME_HOLD;
    d->veto_code[0] = '\0';
    d->veto_text[0] = '\0';
    d->veto_max_qty = DEC_ZERO;
    d->qty = DEC_ZERO;
    d->stop = DEC_ZERO;
    d->target = DEC_ZERO;
    d->rule_count = 0;
    d->client_id[0] = '\0';
}

void agent_run_all(struct decision_context *context)
{
    struct decision *d = context->decision;
    clear_outcome(d);
    d->threshold = context->settings->threshold;
    context->flaw = FLAW_NONE;
    context->is_warm = false;
    context->drift = 0;
    context->bias = 0;
    context->wants_order = false;
    context->may_send = false;
    for (size_t i = 0; i < COUNT_OF(agents); i++) {
        struct vote *vote = &d->votes[i];
        memcpy(vote->agent, agents[i].name, sizeof(vote->agent));
        vote->direction = DIRECTION_NONE;
        vote->confidence = 0;
        vote->weight = 0;
        vote->reason_count = 0;
        d->vote_count = (int)i; /* the votes of the agents before it */
        agents[i].run(context, vote);
    }
    d->vote_count = (int)COUNT_OF(agents);
}

static const char *const flaw_texts[] = {
    [FLAW_NONE] = "the data is sound",
    [FLAW_COLD] = "the indicators are not warm yet",
    [FLAW_REFUSED] = "the newest candle was refused",
    [FLAW_GAP] = "a bar is missing before the newest one",
    [FLAW_STALE] = "the newest candle is too old",
    [FLAW_NO_QUOTE] = "the venue has shown no order book",
    [FLAW_BAD_QUOTE] = "the order book is crossed or empty of prices",
    [FLAW_OLD_QUOTE] = "the order book is too old",
    [FLAW_WIDE] = "the spread is too wide",
    [FLAW_THIN] = "the order book has nothing to trade with",
};

const char *flaw_text(enum flaw flaw)
{
    ASSERT((size_t)flaw < COUNT_OF(flaw_texts));
    return flaw_texts[flaw];
}
