/*
 * mention.h: which traded symbols a headline names. Private to this module.
 *
 *     mention_symbols(title, summary, &config->market_symbols, &out);     // "BTC-USD,ETH-USD"
 *
 * A symbol is named by its base as a word in capitals (BTC, or $BTC; one or two letters only as
 * $OP), or by the usual name of its coin in any case (Bitcoin). The title decides; the summary is
 * read only if the title names none. Thread: any (pure).
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"

/* Appends the symbols, in the order of `symbols`, as many as fit. */
void mention_symbols(struct str title, struct str summary, const struct config_symbols *symbols,
                     struct buf *out);
