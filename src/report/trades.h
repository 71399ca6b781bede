/*
 * trades.h: the parts of the report that come from one pass over the closed trades: patterns, wins
 * and losses, and which symbols and hours differ from the rest.
 *
 * Thread: that of the source.
 */
#pragma once

#include "model/settings.h"
#include "source.h"

/* Adds "trades" and "win_loss" to the report, of the trades closed since fact since_us, and
 * "earlier" of those since earlier_us. */
int trades_add(struct source *source, const struct settings *settings, struct json_out *out,
               struct err *err);
