/*
 * journal.h: sends our log lines to journald and reads the last lines of a unit.
 *
 *     if (journal_is_stderr()) log_set_sink(journal_log_sink, NULL);
 *     AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
 *     journal_read(&(struct journal_query){.unit = "prediction.service", .lines = 50}, &text, err);
 *
 * Always true: logging does not block. A line that journald does not accept (it is down or its
 * queue is full) is written to stderr as text; it is lost if that would block too (log_sink_fd).
 * Reading is limited by the number of lines and by the buffer; the newest lines are kept.
 * Thread: journal_log_sink any; the others one at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>

/* True if stderr is the stream that journald opened for us (JOURNAL_STREAM). */
bool journal_is_stderr(void);

/* A log_sink: MESSAGE, PRIORITY, CODE_FILE, CODE_LINE, SYSLOG_IDENTIFIER and the line's fields. */
void journal_log_sink(const struct log_line *line, void *userdata);

#define JOURNAL_LINES_MAX 20000

struct journal_query {
    const char *unit;     /* NULL: the lines of all units */
    size_t lines;         /* the last of those that fit: 1 to JOURNAL_LINES_MAX */
    int64_t since_us;     /* not older than this; 0: any */
    int least;            /* of this priority or more urgent, 1 (alert) to 7; 0: any */
    const char *contains; /* only lines with this text, in any case; NULL: any */
};
/* Appends lines, oldest first, each "ISO-time message\n". The output is valid UTF-8; control bytes
 * become '?'; messages are cut at 4096 bytes. Looks at 500,000 lines at most. */
int journal_read(const struct journal_query *query, struct buf *out, struct err *err);
