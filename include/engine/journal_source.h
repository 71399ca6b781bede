/*
 * journal_source.h: the market of a recorded run (recorder.h) as a source of candles.
 *
 *     if (journal_source_fits(path)) {
 *         rc = journal_source_open(path, &source, err);
 *         while (source_next_us(source) < INT64_MAX) n = source_next(source, bars);
 *         if (journal_source_end(source, err) < 0) ...     // the file is damaged
 *         journal_source_free(source);
 *     }
 *
 * Each source_next returns the bars of one recorded step, without those of a faulty feed
 * (impossible, late, or from the future). A damaged file ends where the damage begins, and
 * journal_source_end reports it. save and load always fail: the file itself is the state.
 * Thread: one at a time per source.
 */
#pragma once

#include "base/err.h"
#include "market/source.h"

/* Whether the file begins like a journal of any version. False also if it cannot be read. */
bool journal_source_fits(const char *path);
int journal_source_open(const char *path, struct source **ret, struct err *err);
void journal_source_free(struct source *source);
/* The symbols that the run traded; returns their number. */
int journal_source_symbols(const struct source *source, struct symbol ret[SYMBOLS_LIMIT]);
/* Call once source_next_us is INT64_MAX: 0, or ERR_ENGINE_RECORD_DAMAGED with the offset. */
int journal_source_end(const struct source *source, struct err *err);
