/*
 * api_limit.h: how often a token may call, and how long an address that tries wrong tokens is
 * refused.
 *
 *     struct api_quota q = api_limit_take(limits, index, token_id, rate, now_mono_us);
 *     if (q.left < 0) refuse for q.reset_s seconds;
 *     if (api_limit_blocked_s(limits, &from, now_mono_us) > 0) refuse;
 *     blocked_s = api_limit_fail(limits, &from, now_mono_us);
 *
 * Always true: both tables have a fixed size; a new address takes the place of the one that failed
 * longest ago. An address of IPv6 stands for its /64, which is what one customer has.
 * Thread: that of the listener which owns it.
 */
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

#define API_LIMIT_TRIES_FREE  5 /* wrong tokens until an address is refused */
#define API_LIMIT_BLOCK_MAX_S 3600

struct api_limits;

struct api_limits *api_limits_new(void); /* never NULL */
void api_limits_free(struct api_limits *limits);

struct api_quota {
    int64_t left;    /* requests in this minute after this one; -1: this one is too many */
    int64_t reset_s; /* until the minute ends */
};
/* slot: the index of the token in the list; the count begins again when another token has it. */
struct api_quota api_limit_take(struct api_limits *limits, int slot, int64_t token_id, int64_t rate,
                                int64_t now_mono_us);

bool api_limit_any(const struct api_limits *limits); /* a wrong token was tried, ever */
/* For how many seconds the address is refused; 0: it is not. */
int64_t api_limit_blocked_s(const struct api_limits *limits, const struct address *from,
                            int64_t now_mono_us);
/* Notes a wrong token; returns for how many seconds the address is refused from now on. */
int64_t api_limit_fail(struct api_limits *limits, const struct address *from, int64_t now_mono_us);
