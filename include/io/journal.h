/*
 * journal.h: journald: our log lines into it, the last lines of a unit out of it.
 *
 *     if (journal_is_stderr()) log_set_sink(journal_log_sink, NULL);
 *     AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
 *     journal_tail("prediction.service", 50, &text, err);
 *
 * Always true: logging does not wait; a line that journald does not take (it is away, or does not
 * read) goes to stderr as text instead, and is lost when that would wait, too (log_sink_fd).
 * Reading is bounded by lines and by the buffer; the newest lines win.
 * Thread: journal_log_sink any; the others one at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>

/* Is stderr the stream that journald gave us (JOURNAL_STREAM)? */
bool journal_is_stderr(void);

/* A log_sink: MESSAGE, PRIORITY, CODE_FILE, CODE_LINE, SYSLOG_IDENTIFIER and the line's fields. */
void journal_log_sink(const struct log_line *line, void *userdata);

/* Appends the last `lines` (1..10000) lines of the unit, oldest first, each "ISO-time message\n".
 * UTF-8 is enforced, control bytes become '?', a message is cut at 4096 bytes. unit NULL: all. */
int journal_tail(const char *unit, size_t lines, struct buf *out, struct err *err);
