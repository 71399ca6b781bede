#include "agent_run.h"

#define EVEN 0.5

void predict_run(struct decision_context *context, struct vote *vote)
{
    double up;
    if (!predictor_ask(context->predictor, context->series, &up)) {
        return;
    }
    double confidence = 2 * (up > EVEN ? up - EVEN : EVEN - up);
    agent_reason(vote, "p_up", up, EVEN, confidence);
    vote->direction = up > EVEN ? DIRECTION_LONG : up < EVEN ? DIRECTION_SHORT : DIRECTION_NONE;
}
