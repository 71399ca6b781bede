#include "agent_run.h"

#include <math.h>

#define EVEN 0.5

void predict_run(struct decision_context *context, struct vote *vote)
{
    double up;
    if (!predictor_ask(context->predictor, context->series, context->sentiment, &up)) {
        return;
    }
    double confidence = 2 * (up > EVEN ? up - EVEN : EVEN - up);
    agent_reason(vote, "p_up", up, EVEN, confidence);
    if (predictor_reads_sentiment(context->predictor) && !isnan(context->sentiment)) {
        agent_reason(vote, "sentiment", context->sentiment, 0, 0);
    }
    vote->direction = up > EVEN ? DIRECTION_LONG : up < EVEN ? DIRECTION_SHORT : DIRECTION_NONE;
}
