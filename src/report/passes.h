/*
 * passes.h: what is read of all rows: one pass over the trades and one over the fills. If there are
 * many, another thread reads the trades while the caller reads the rest; the one with time left
 * reads the next part of the fills.
 *
 *     struct passes *passes = passes_begin(&settings, since_us, earlier_us, &source);
 *     read_the_rest(&source);
 *     rc = passes_end(passes, &source, &out, err);          // as trades_add
 *
 * Thread: that of the source.
 */
#pragma once

#include "model/settings.h"
#include "source.h"

struct passes;

/* Settings and source must outlive it. Nobody else may use source->trades until the end. */
struct passes *passes_begin(const struct settings *settings, int64_t since_us, int64_t earlier_us,
                            const struct source *source);
/* Waits for it, frees it, and adds what trades_add adds, and the facts fills_count and fills_fee_e8
 * of all fills; not these if the fees overflow or cannot be read. */
int passes_end(struct passes *passes, struct source *source, struct json_out *out, struct err *err);
