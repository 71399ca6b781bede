/*
 * journal.h: a step's outputs to trading.db in one transaction, and all of it back at a start.
 *
 *     rc = journal_commit(store, engine, source, &outputs, err);   // all of them, or nothing
 *     rc = journal_load(store, &memory, err);                      // ERR_STORE_NOT_FOUND: first
 *
 * Always true: a commit that failed can be repeated with the same outputs. Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "market/source.h"
#include "store/trading.h"

int journal_commit(struct trading_store *store, const struct engine *engine,
                   const struct source *source, const struct engine_outputs *outputs,
                   struct err *err);

/* A first start in one transaction: the books as they open, and the history that warmed us. */
int journal_begin(struct trading_store *store, const struct engine *engine,
                  const struct source *source, const struct source_bar *history, int count,
                  struct err *err);

int journal_load(struct trading_store *store, struct engine_memory *ret, struct err *err);
/* Imported books have no market yet. */
int journal_has_market(struct trading_store *store, bool *ret, struct err *err);
/* Source and market history, as saved, with the windows out of candle_table. ERR_MARKET_SAVED when
 * the source's state does not fit: then nothing is changed, for the history is of another market;
 * when only the series do not fit, they are warm from candle_table instead. */
int journal_load_market(struct trading_store *store, struct engine *engine, struct source *source,
                        const struct symbol *symbols, int count, struct err *err);
