#include "agent_run.h"

#include <stdio.h>

/* In a trending market the agent that argues for the direction of the price weighs more; in a
 * choppy one the other does, since the price tends to revert. The model has the same weight in
 * both. */
struct weights {
    double with_drift;
    double against;
    double predict;
};

static const struct weights by_regime[] = {
    [REGIME_NEUTRAL] = {.5, .5, .5},
    [REGIME_TRENDING] = {.6, .4, .5},
    [REGIME_CHOPPY] = {.4, .6, .5},
};
#define EVEN 0.5

static double weight_of(const struct decision_context *context, enum agent_stance stance)
{
    const struct weights *w = &by_regime[context->decision->regime];
    switch (stance) {
    case STANCE_SILENT:
        return 0;
    case STANCE_FREE:
        return w->predict;
    case STANCE_LONG:
        return context->drift == 0 ? EVEN : context->drift > 0 ? w->with_drift : w->against;
    case STANCE_SHORT:
        return context->drift == 0 ? EVEN : context->drift < 0 ? w->with_drift : w->against;
    }
    return 0;
}

/* Sum of weight * confidence (positive for long, negative for short) over the largest weight. A
 * single agent with the largest weight and confidence 1 reaches a score of 1, so every threshold
 * below 1 can be reached. */
static double weigh(const struct decision_context *context)
{
    struct decision *d = context->decision;
    int count;
    const struct agent *agents = agent_table(&count);
    double sum = 0;
    double largest = EVEN;
    for (int i = 0; i < d->vote_count; i++) {
        struct vote *v = &d->votes[i];
        v->weight = weight_of(context, agents[i].stance);
        largest = v->weight > largest ? v->weight : largest;
        if (v->direction == DIRECTION_LONG) {
            sum += v->weight * v->confidence;
        } else if (v->direction == DIRECTION_SHORT) {
            sum -= v->weight * v->confidence;
        }
    }
    return sum / largest;
}

static double clamp(double score)
{
    return score > 1 ? 1 : score < -1 ? -1 : score;
}

static void set_text(struct decision *d, const char *text)
{
    (void)str_copy(str_c(text), d->veto_text, sizeof(d->veto_text));
}

/* Closes a position against the new direction; keeps one with it. */
static void decide_on_position(struct decision_context *context)
{
    struct decision *d = context->decision;
    bool is_long = context->held->side == SIDE_LONG;
    if ((d->direction == DIRECTION_LONG) == is_long) {
        set_text(d, is_long ? "it is held long already, as the score wants"
                            : "it is held short already, as the score wants");
    } else if (context->close_blocked != NULL) {
        (void)snprintf(d->veto_text, sizeof(d->veto_text), "it is held %s, and %s",
                       side_name(context->held->side), context->close_blocked);
    } else {
        execution_draft(context, &context->order);
        context->wants_order = true;
    }
}

/* Rules apply to entries only: a position may always be closed. */
static void apply_rules(struct decision_context *context)
{
    struct decision *d = context->decision;
    bool has_side = d->score > 0 || d->score < 0;
    if (has_side && context->held == NULL && context->port->rules != NULL) {
        context->port->rules(context->userdata, context);
        d->score = clamp(d->score + context->bias);
    }
}

void decision_core_run(struct decision_context *context, struct vote *vote)
{
    struct decision *d = context->decision;
    d->score = clamp(weigh(context));
    apply_rules(context);
    if (d->score >= d->threshold) {
        d->direction = DIRECTION_LONG;
    } else if (d->score <= -d->threshold) {
        d->direction = DIRECTION_SHORT;
    }
    if (d->direction == DIRECTION_NONE) {
        if (!context->is_warm) {
            set_text(d,
                     context->flaw == FLAW_COLD ? flaw_text(FLAW_COLD) : "the price does not move");
        }
    } else if (context->held != NULL) {
        decide_on_position(context);
    } else {
        execution_draft(context, &context->order);
        context->wants_order = true;
    }
    double size = d->score < 0 ? -d->score : d->score;
    agent_reason(vote, "score", d->score, d->score < 0 ? -d->threshold : d->threshold, size);
    if (context->bias > 0 || context->bias < 0) {
        agent_reason(vote, "rules", context->bias, 0, 0); /* already part of the score */
    }
    vote->direction = d->direction;
}
