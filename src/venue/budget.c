#include "venue/budget.h"

#include "base/check.h"
#include "base/clock.h"

static void fall(struct budget *budget, int64_t now_mono_us)
{
    double passed_s = (double)(now_mono_us - budget->at_mono_us) / (double)USEC_PER_SEC;
    budget->level -= passed_s * (double)budget->falls_per_s;
    budget->level = budget->level < 0 ? 0 : budget->level;
    budget->at_mono_us = now_mono_us;
}

int64_t budget_wait_us(struct budget *budget, int64_t weight, int64_t now_mono_us)
{
    ASSERT(weight >= 0 && weight <= budget->limit && budget->falls_per_s > 0);
    fall(budget, now_mono_us);
    double over = budget->level + (double)weight - (double)budget->limit;
    int64_t wait_us =
        over <= 0 ? 0 : 1 + (int64_t)(over / (double)budget->falls_per_s * (double)USEC_PER_SEC);
    int64_t closed_us = budget->closed_mono_us - now_mono_us;
    return wait_us > closed_us ? wait_us : closed_us;
}

void budget_take(struct budget *budget, int64_t weight, int64_t now_mono_us)
{
    fall(budget, now_mono_us);
    budget->level += (double)weight;
}

void budget_used(struct budget *budget, int64_t used, int64_t now_mono_us)
{
    fall(budget, now_mono_us);
    if ((double)used > budget->level) {
        budget->level = (double)used;
    }
}

void budget_close(struct budget *budget, int64_t until_mono_us)
{
    if (until_mono_us > budget->closed_mono_us) {
        budget->closed_mono_us = until_mono_us;
    }
}
