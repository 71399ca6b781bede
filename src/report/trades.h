/*
 * trades.h: the parts of the report that come from one pass over the closed trades: patterns, wins
 * and losses, and which symbols and hours differ from the rest.
 *
 *     struct trades *trades = trades_new(&settings, since_us, earlier_us);
 *     rc = trades_read(trades, db, err);                      // about 0.3 s for a million
 *     rc = trades_add(trades, source, &out, err);
 *
 * Thread: that of the source, except for trades_read.
 */
#pragma once

#include "model/settings.h"
#include "source.h"

struct trades;

/* The settings must outlive it. Times of closing, in market time. */
struct trades *trades_new(const struct settings *settings, int64_t since_us, int64_t earlier_us);
void trades_free(struct trades *trades);
/* The pass, over the trades that closed at earlier_us or later; of all others only their sum. On
 * any thread, with a connection that no other thread uses meanwhile. */
int trades_read(struct trades *trades, struct db *db, struct err *err);
/* Adds "trades" and "win_loss", of the trades since since_us, "earlier", of those before, and the
 * facts trades_count and trades_pnl_e8 of all trades ever; the latter not if it overflows. */
int trades_add(struct trades *trades, struct source *source, struct json_out *out, struct err *err);
