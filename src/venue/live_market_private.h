/*
 * live_market_private.h: the inside of struct live_market, which its test looks into.
 *
 * Thread: as said in live_market.h.
 */
#pragma once

#include "market_feed_private.h"
#include "venue/live_market.h"

struct live_part { /* a venue */
    struct market_feed *feed;
    int count;
    struct symbol *symbols;
    struct market_history *history; /* until those of all are here */
    bool behind;                    /* it is not waited for */
};

struct live_market {
    struct source source;
    const struct clock *clock;
    struct live_plan *plan;
    int count;
    struct live_part parts[LIVE_VENUES_MAX];
    int symbol_count;
    struct symbol *symbols; /* of the newest ask */
    uint8_t *owners;        /* parts of these symbols */
    int find_at;            /* where a symbol is looked up first */
    int64_t next_us;        /* open of the next step; 0: not known */
    int64_t waits_mono_us;  /* since when a venue has been waited for; 0: none is */
    struct market_feed_status status;
};
