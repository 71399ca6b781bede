/*
 * journal_source.h: the market of a recorded run (recorder.h) as a source of candles.
 *
 *     if (journal_source_fits(path)) {
 *         rc = journal_source_open(path, &source, err);
 *         while (source_next_us(source) < INT64_MAX) n = source_next(source, bars);
 *         if (journal_source_end(source, err) < 0) ...     // the file was cut
 *         journal_source_free(source);
 *     }
 *
 * One take is what one step of the run was given; bars of a faulty feed (impossible, late, of the
 * future) are left out. A file that is damaged ends where the damage begins, and the end tells.
 * save and load do nothing but fail: the file itself is the state.
 * Thread: one at a time per source.
 */
#pragma once

#include "base/err.h"
#include "market/source.h"

/* By its first bytes: is it a journal, of whatever version? False also when it cannot be read. */
bool journal_source_fits(const char *path);
int journal_source_open(const char *path, struct source **ret, struct err *err);
void journal_source_free(struct source *source);
/* What the run traded; returns how many. */
int journal_source_symbols(const struct source *source, struct symbol ret[SYMBOLS_MAX]);
/* After next_us was INT64_MAX: 0, or ERR_ENGINE_RECORD_DAMAGED with the offset. */
int journal_source_end(const struct source *source, struct err *err);
