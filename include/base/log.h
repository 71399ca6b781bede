/*
 * log.h: all logging, with structured fields and with secrets hidden.
 *
 *     LOG(INFO, "ready in %d ms", ms);
 *     LOG_FIELDS(WARNING, "order rejected", {"ORDER_ID", id}, {"ERROR_CODE", code});
 *     log_err(LOG_LEVEL_ERROR, &err, "could not reach telegram");
 *
 * Invariants: a line is written whole or not at all; every registered secret (log_hide) is replaced
 * by *** in message and fields before a sink receives it; control bytes are escaped, so the content
 * of a line cannot forge another line. Lower layers log at debug only; the caller that decides logs
 * once. The sink is text on stderr until io/journal.h installs journald.
 * Limits: a message is truncated at 2 KiB, a field's value at 512 bytes, a text line at 4 KiB; 16
 * fields.
 * Thread: any, once the sink is set (main thread, at start).
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Values are syslog priorities, as journald expects. */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

struct log_field {
    const char *key; /* [A-Z][A-Z0-9_]*, at most 32 bytes */
    const char *value;
};

struct log_line {
    enum log_level level;
    const char *file; /* base name of the source file */
    int line;
    const char *message; /* secrets already hidden */
    const struct log_field *fields;
    size_t field_count;
};

typedef void (*log_sink)(const struct log_line *line, void *userdata);

void log_set_level(enum log_level level);
enum log_level log_level(void);
bool log_level_parse(struct str s, enum log_level *ret); /* "error" … "debug" */
/* NULL restores stderr. Main thread, before other threads start. */
void log_set_sink(log_sink sink, void *userdata);
/* Writes text to a file descriptor that the caller keeps open. It never blocks: a line that a pipe,
 * a socket or a terminal cannot accept now is lost, and the next line written reports how many were
 * lost. */
void log_sink_fd(const struct log_line *line, void *fd_as_intptr);
/* The same as one JSON object a line, for programs that ship logs: time, level, thread, source,
 * message, and the fields by their name in lower case ("error_code", "run", "trace_id"). A line
 * that would be too long has a shorter message, or lacks its last fields. */
void log_sink_json_fd(const struct log_line *line, void *fd_as_intptr);

/* Registers a secret (4 bytes or longer; shorter ones are ignored), which then never appears in a
 * line. False if 256 different secrets are registered: this one is not hidden, and the caller must
 * refuse to use it. Main thread before other threads start, afterwards the ops thread only. */
__attribute__((warn_unused_result)) bool log_hide(const char *secret);
/* Hides the same secrets in text, in place; for text that leaves the program in other ways. */
void log_redact(char *text);
/* The same in text that was cut at its end, where the beginning of a secret is hidden too. */
void log_redact_cut(char *text);

__attribute__((format(printf, 6, 7))) void log_write(enum log_level level, const char *file,
                                                     int line, const struct log_field *fields,
                                                     size_t field_count, const char *format, ...);

#define LOG(level, ...) log_write(LOG_LEVEL_##level, __FILE_NAME__, __LINE__, NULL, 0, __VA_ARGS__)
#define LOG_FIELDS(level, message, ...)                                           \
    do {                                                                          \
        const struct log_field log_fields_[] = {__VA_ARGS__};                     \
        log_write(LOG_LEVEL_##level, __FILE_NAME__, __LINE__, log_fields_,        \
                  sizeof(log_fields_) / sizeof(log_fields_[0]), "%s", (message)); \
    } while (0)

/* "what: CODE: message: context" with the field ERROR_CODE. */
#define log_err(level, err, what) log_err_at(level, __FILE_NAME__, __LINE__, err, what)
void log_err_at(enum log_level level, const char *file, int line, const struct err *err,
                const char *what);

#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif
