#include "agents/agent.h"

#include "agents/side_agent.h"
#include "base/check.h"

static const struct agent agents[] = {
    {"bull", AGENT_SPEAKS_LONG, side_agent_bull},
    {"bear", AGENT_SPEAKS_SHORT, side_agent_bear},
};

_Static_assert(COUNT_OF(agents) <= VOTES_MAX, "a decision keeps every vote");

const struct agent *agent_table(int *ret_count)
{
    *ret_count = (int)COUNT_OF(agents);
    return agents;
}

void agent_reason(struct vote *vote, const char *indicator, double value, double threshold,
                  double points)
{
    ASSERT(vote->reason_count < REASONS_MAX);
    struct reason *r = &vote->reasons[vote->reason_count++];
    (void)str_copy(str_c(indicator), r->indicator, sizeof(r->indicator));
    r->value = value;
    r->threshold = threshold;
    r->points = points;
    vote->confidence += points;
}
