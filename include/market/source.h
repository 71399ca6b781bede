/*
 * source.h: where candles come from, behind one interface.
 *
 *     if (source_next_us(source) <= market_now_us) n = source_take(source, bars);
 *
 * Invariants: one take is one market minute: at most one one-minute candle a symbol, all of the
 * same minute; minutes come in order. save and load carry the whole state as plain bytes, so
 * that after a restart prices go on where they stood.
 * Thread: the engine's.
 */
#pragma once

#include "model/candle.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_bar {
    struct symbol symbol;
    struct candle candle; /* one minute */
};

struct source {
    const struct source_ops *ops;
};

struct source_ops {
    const char *name;
    int64_t (*next_us)(const struct source *source);
    int (*take)(struct source *source, struct source_bar ret[SYMBOLS_MAX]);
    size_t (*save)(const struct source *source, void *dst, size_t dst_size);
    bool (*load)(struct source *source, const void *bytes, size_t size);
};

/* Market time at which the next minute is complete; INT64_MAX when nothing more will come. */
static inline int64_t source_next_us(const struct source *source)
{
    return source->ops->next_us(source);
}

/* The next minute, whether due or not; returns how many bars. */
static inline int source_take(struct source *source, struct source_bar ret[SYMBOLS_MAX])
{
    return source->ops->take(source, ret);
}

/* Bytes written, 0 when dst is too small. */
static inline size_t source_save(const struct source *source, void *dst, size_t dst_size)
{
    return source->ops->save(source, dst, dst_size);
}

/* False, and nothing changed, when the bytes are not a state of this kind of source. */
static inline bool source_load(struct source *source, const void *bytes, size_t size)
{
    return source->ops->load(source, bytes, size);
}
