#include "agents/decision_core.h"

#define STRONG 0.6
#define WEAK   0.4
#define EVEN   0.5

static double weight_of(enum regime regime, int drift, enum agent_stance stance)
{
    int speaks = stance == AGENT_SPEAKS_LONG ? 1 : -1;
    switch (regime) {
    case REGIME_NEUTRAL:
        return EVEN;
    case REGIME_TRENDING:
        return speaks == drift ? STRONG : WEAK;
    case REGIME_CHOPPY:
        return drift == 0 ? EVEN : speaks == drift ? WEAK : STRONG;
    }
    return EVEN;
}

void decision_core_decide(const struct agent_view *view, double threshold, struct decision *ret)
{
    ret->regime = series_regime(view->series);
    ret->threshold = threshold;
    ret->score = 0;
    ret->vote_count = 0;
    ret->direction = DIRECTION_NONE;
    ret->outcome = OUTCOME_HOLD;
    if (!series_ready(view->series)) {
        return;
    }

    int count;
    const struct agent *agents = agent_table(&count);
    int drift = series_drift(view->series);
    double largest = 0;
    for (int i = 0; i < count; i++) {
        struct vote *v = &ret->votes[ret->vote_count++];
        *v = (struct vote){.weight = weight_of(ret->regime, drift, agents[i].stance)};
        (void)str_copy(str_c(agents[i].name), v->agent, sizeof(v->agent));
        agents[i].vote(view, v);
        largest = v->weight > largest ? v->weight : largest;
        if (v->direction == DIRECTION_LONG) {
            ret->score += v->weight * v->confidence;
        } else if (v->direction == DIRECTION_SHORT) {
            ret->score -= v->weight * v->confidence;
        }
    }
    ret->score /= largest;
    ret->score = ret->score > 1 ? 1 : ret->score < -1 ? -1 : ret->score;
    if (ret->score >= threshold) {
        ret->direction = DIRECTION_LONG;
    } else if (ret->score <= -threshold) {
        ret->direction = DIRECTION_SHORT;
    }
}
