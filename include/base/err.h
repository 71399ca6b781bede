/*
 * err.h: error conditions as values.
 *
 *     int rc = db_open(&db, path, err);
 *     if (rc < 0) return rc;                                   // pass it on
 *     return err_set(err, ERR_CONFIG_TYPE, "%s:%d: ...", ...); // create one
 *
 * A struct err is a fixed-size value (no malloc): an id from the catalogue errors.def and the
 * context of the call site. Functions return 0 or a negative id (-ERR_X) and fill an optional
 * last parameter; every err parameter may be NULL. Lower layers never log above debug: the caller
 * that decides (retry, alert, give up) logs once.
 * Style of texts: message is one line, lower case, no full stop; "could not" may succeed later,
 * "cannot" never will. Cause, impact and remediation are full sentences. The context identifies the
 * object concerned (file:line:column, order id, URL without secrets); it never contains a secret.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>

enum err_id {
    ERR_NONE = 0,
#define ERR(id, http, type, severity, retry, message, cause, impact, remediation) ERR_##id,
#include "base/errors.def"
#undef ERR
    ERR_COUNT
};

enum err_type {
    ERR_TYPE_INPUT,
    ERR_TYPE_ACCESS,
    ERR_TYPE_STATE,
    ERR_TYPE_EXTERNAL,
    ERR_TYPE_RESOURCE,
    ERR_TYPE_DATA
};
enum err_severity {
    ERR_SEVERITY_INFO,
    ERR_SEVERITY_LOW,
    ERR_SEVERITY_MEDIUM,
    ERR_SEVERITY_HIGH,
    ERR_SEVERITY_CRITICAL
};
/* NEVER: the same call fails again. LATER: a retry may succeed. AFTER_FIX: a retry may succeed once
 * a person has done what the remediation says. UNKNOWN: the call may have taken effect; check
 * before repeating it. */
enum err_retry { ERR_RETRY_NEVER, ERR_RETRY_LATER, ERR_RETRY_AFTER_FIX, ERR_RETRY_UNKNOWN };

struct err_info {
    const char *code; /* "CONFIG_UNKNOWN_KEY" */
    int http_status;
    enum err_type type;
    enum err_severity severity;
    enum err_retry retry;
    const char *message;
    const char *cause;
    const char *impact;
    const char *remediation;
};

struct err {
    int id; /* enum err_id; ERR_NONE: no error */
    char context[256];
};

/* Fills *err (if not NULL) and returns -id. A longer context is truncated. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, enum err_id id,
                                                  const char *format, ...);
/* Prepends "text: " to the context; returns -err->id (-ERR_INTERNAL if err holds no error). */
__attribute__((format(printf, 2, 3))) int err_prefix(struct err *err, const char *format, ...);
void err_clear(struct err *err);

/* The catalogue row of a positive or negative id. Never NULL. */
const struct err_info *err_info(int id);
/* The id of a code such as "ACCESS_DENIED", or of its former name; ERR_NONE if unknown. */
enum err_id err_by_code(const char *code);

const char *err_type_name(enum err_type type);
const char *err_severity_name(enum err_severity severity);
const char *err_retry_name(enum err_retry retry);

/* One line for logs: "CODE: message: context". */
void err_line(const struct err *err, struct buf *out);
/* Writes docs/errors.md. */
void err_catalogue_markdown(struct buf *out);
