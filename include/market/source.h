/*
 * source.h: where candles come from, behind one interface.
 *
 *     if (source_next_us(source) <= market_now_us) n = source_next(source, bars);
 *
 * A source has one step, the length of all its candles: a minute for the simulated market, the
 * distance of the rows for a file. A source that wraps another may have a step of its own.
 * Invariants: one call of next returns one step of the market: at most one candle a symbol, all
 * opening at next_us - step. Steps are in time order; steps without a candle may be left out. save
 * and load carry the whole state as plain bytes, so after a restart the market continues from the
 * same prices.
 * Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "model/candle.h"
#include "model/capacity.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_bar {
    struct symbol symbol;
    struct candle candle; /* one step of the source */
};

struct source {
    const struct source_ops *ops;
    int64_t step_us;
};

struct source_ops {
    const char *name;
    int64_t (*next_us)(const struct source *source);
    int (*next)(struct source *source, struct source_bar *ret);
    /* Why no more candles come although the market goes on, such as a connection that was lost;
     * NULL: they come, or the market is over. Optional. */
    const struct err *(*fault)(const struct source *source);
    /* Closes what it reads from and opens it again, and continues after the last candles returned.
     * A failure changes nothing. NULL: it reads from nothing that can be lost. */
    int (*reconnect)(struct source *source, struct err *err);
    /* The time of a market that goes on without us. NULL: candles come as fast as wanted, and the
     * market's time is the caller's. */
    int64_t (*now_us)(const struct source *source);
    /* For how long the next step has been complete at the market, whether it is here or not. */
    int64_t (*late_us)(const struct source *source); /* with now_us only */
    /* Both NULL: the state cannot be saved; the source always starts at its beginning. */
    size_t (*save)(const struct source *source, void *dst, size_t dst_size);
    bool (*load)(struct source *source, const void *bytes, size_t size);
};

static inline int64_t source_step_us(const struct source *source)
{
    return source->step_us;
}

/* Market time at which the next candle is complete; INT64_MAX at the end of the source. */
static inline int64_t source_next_us(const struct source *source)
{
    return source->ops->next_us(source);
}

/* Returns the number of bars of the next step, whether it is due or not: one per symbol of the
 * source at most, at most SYMBOLS_LIMIT. */
static inline int source_next(struct source *source, struct source_bar *ret)
{
    return source->ops->next(source, ret);
}

static inline const struct err *source_fault(const struct source *source)
{
    return source->ops->fault == NULL ? NULL : source->ops->fault(source);
}

/* Whether the market goes on without us. */
static inline bool source_is_live(const struct source *source)
{
    return source->ops->now_us != NULL;
}

static inline int64_t source_now_us(const struct source *source)
{
    return source->ops->now_us(source); /* of a live one */
}

/* Candles that come so late tell of the past: nothing is decided on them. */
#define SOURCE_LATE_US (90 * USEC_PER_SEC)

static inline bool source_is_late(const struct source *source)
{
    return source->ops->late_us != NULL && source->ops->late_us(source) > SOURCE_LATE_US;
}

static inline bool source_can_reconnect(const struct source *source)
{
    return source->ops->reconnect != NULL;
}

/* ERR_MARKET_NO_FEED: it cannot. ERR_MARKET_NO_NEWER: there are no candles after the last ones. */
static inline int source_reconnect(struct source *source, struct err *err)
{
    return source->ops->reconnect == NULL
               ? err_set(err, ERR_MARKET_NO_FEED, "%s", source->ops->name)
               : source->ops->reconnect(source, err);
}

/* Bytes written; 0 when dst is too small or the source cannot be saved. */
static inline size_t source_save(const struct source *source, void *dst, size_t dst_size)
{
    return source->ops->save == NULL ? 0 : source->ops->save(source, dst, dst_size);
}

/* False, and nothing is changed, when the bytes are not a state of this kind of source. */
static inline bool source_load(struct source *source, const void *bytes, size_t size)
{
    return source->ops->load != NULL && source->ops->load(source, bytes, size);
}
