#include "api_limit.h"

#include "api_auth.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define QUOTA_US      USEC_PER_MIN
#define OFFENDERS_MAX 64
#define FORGET_US     USEC_PER_HOUR /* after the last wrong token, and after its block */

struct api_limits {
    struct {
        int64_t token_id;
        int64_t began_mono_us; /* 0: never */
        int64_t used;
    } quotas[API_TOKENS_MAX];
    struct offender {
        struct network from;
        int failures; /* 0: free */
        int64_t last_mono_us;
        int64_t until_mono_us; /* refused until then */
    } offenders[OFFENDERS_MAX];
};

struct api_limits *api_limits_new(void)
{
    struct api_limits *limits = calloc(1, sizeof(*limits));
    ASSERT(limits != NULL);
    return limits;
}

void api_limits_free(struct api_limits *limits)
{
    free(limits);
}

/* ---------------------------------------------------------------------------------- rate ---- */

struct api_quota api_limit_take(struct api_limits *limits, int slot, int64_t token_id, int64_t rate,
                                int64_t now_mono_us)
{
    ASSERT(slot >= 0 && slot < API_TOKENS_MAX);
    __typeof__(&limits->quotas[0]) q = &limits->quotas[slot];
    if (q->token_id != token_id || q->began_mono_us == 0 ||
        now_mono_us - q->began_mono_us >= QUOTA_US) {
        q->token_id = token_id;
        q->began_mono_us = now_mono_us;
        q->used = 0;
    }
    q->used += q->used <= rate ? 1 : 0;
    int64_t wait_us = q->began_mono_us + QUOTA_US - now_mono_us;
    return (struct api_quota){.left = rate - q->used,
                              .reset_s = (wait_us + USEC_PER_SEC - 1) / USEC_PER_SEC};
}

/* ----------------------------------------------------------------------------- brute force ---- */

static struct network customer_of(const struct address *from)
{
    return network_around(from, address_is_four(from) ? 128 : 64);
}

bool api_limit_any(const struct api_limits *limits)
{
    return limits->offenders[0].failures > 0; /* the first row is taken first, and never freed */
}

static const struct offender *find(const struct api_limits *limits, const struct address *from)
{
    for (size_t i = 0; i < OFFENDERS_MAX; i++) {
        const struct offender *o = &limits->offenders[i];
        if (o->failures > 0 && network_has(&o->from, from)) {
            return o;
        }
    }
    return NULL;
}

static struct offender *oldest(struct api_limits *limits)
{
    struct offender *found = &limits->offenders[0];
    for (size_t i = 0; i < OFFENDERS_MAX && found->failures > 0; i++) {
        struct offender *o = &limits->offenders[i];
        found = o->failures == 0 || o->last_mono_us < found->last_mono_us ? o : found;
    }
    return found;
}

int64_t api_limit_blocked_s(const struct api_limits *limits, const struct address *from,
                            int64_t now_mono_us)
{
    const struct offender *o = find(limits, from);
    return o == NULL || now_mono_us >= o->until_mono_us
               ? 0
               : (o->until_mono_us - now_mono_us + USEC_PER_SEC - 1) / USEC_PER_SEC;
}

int64_t api_limit_fail(struct api_limits *limits, const struct address *from, int64_t now_mono_us)
{
    const struct offender *known = find(limits, from);
    struct offender *o =
        known != NULL ? &limits->offenders[known - limits->offenders] : oldest(limits);
    int64_t quiet_from_us = o->until_mono_us > o->last_mono_us ? o->until_mono_us : o->last_mono_us;
    if (known == NULL || now_mono_us - quiet_from_us >= FORGET_US) {
        *o = (struct offender){.from = customer_of(from)};
    }
    int64_t block_s = 0;
    o->last_mono_us = now_mono_us;
    o->failures += o->failures < 1000 ? 1 : 0;
    if (o->failures > API_LIMIT_TRIES_FREE) {
        int doublings = o->failures - API_LIMIT_TRIES_FREE - 1;
        block_s = doublings < 12 ? INT64_C(1) << doublings : API_LIMIT_BLOCK_MAX_S;
        block_s = block_s < API_LIMIT_BLOCK_MAX_S ? block_s : API_LIMIT_BLOCK_MAX_S;
        o->until_mono_us = now_mono_us + block_s * USEC_PER_SEC;
    }
    return block_s;
}
