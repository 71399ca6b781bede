#include "rate.h"

#include "base/clock.h"

static struct rate_bucket *find(struct rate *rate, const struct principal *who, int64_t now_mono_us)
{
    struct rate_bucket *oldest = &rate->people[0];
    for (size_t i = 0; i < RATE_PEOPLE_MAX; i++) {
        struct rate_bucket *b = &rate->people[i];
        if (b->used && b->channel == who->channel && b->id == who->id) {
            return b;
        }
        if (oldest->used && (!b->used || b->at_mono_us < oldest->at_mono_us)) {
            oldest = b;
        }
    }
    *oldest = (struct rate_bucket){.used = true,
                                   .channel = who->channel,
                                   .id = who->id,
                                   .at_mono_us = now_mono_us,
                                   .credit_us = USEC_PER_MIN};
    return oldest;
}

enum rate_result rate_accept(struct rate *rate, const struct principal *who, int64_t now_mono_us)
{
    if (rate->per_minute == 0) {
        return RATE_PASS;
    }
    int64_t cost_us = USEC_PER_MIN / rate->per_minute;
    struct rate_bucket *b = find(rate, who, now_mono_us);
    b->credit_us += now_mono_us - b->at_mono_us;
    b->credit_us = b->credit_us > USEC_PER_MIN ? USEC_PER_MIN : b->credit_us;
    b->at_mono_us = now_mono_us;
    if (b->credit_us >= cost_us) {
        b->credit_us -= cost_us;
        b->notified =
            b->notified && b->credit_us < USEC_PER_MIN / 2; /* until then it is the same flood */
        return RATE_PASS;
    }
    if (b->notified) {
        return RATE_DROP;
    }
    b->notified = true;
    return RATE_NOTIFY;
}
