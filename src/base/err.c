#include "base/err.h"

#include "base/check.h"
#include "base/log.h"

/* Positional initialisers, in the order of the columns of errors.def. */
static const struct err_info rows[ERR_COUNT] = {
    [ERR_NONE] = {"NONE", 200, ERR_TYPE_STATE, ERR_SEVERITY_INFO, ERR_RETRY_NEVER, "no error",
                  "There was no error.", "None.", "Nothing to do."},
#define ERR(id, http, type, severity, retry, message, cause, impact, remediation)            \
    [ERR_##id] = {                                                                           \
        #id,   http,   ERR_TYPE_##type, ERR_SEVERITY_##severity, ERR_RETRY_##retry, message, \
        cause, impact, remediation},
#include "base/errors.def"
#undef ERR
};

/* Formats into a local array first, because the arguments may point into the old context. */
__attribute__((format(printf, 2, 0))) static void set_context(struct err *err, const char *format,
                                                              va_list args)
{
    char context[sizeof(err->context)];
    int size = vsnprintf(context, sizeof(context), format, args);
    if (size < 0) {
        context[0] = '\0';
    }
    /* Here, because everything that leaves the program takes an error's text from here: replies,
     * alerts, the outbox, the audit log, stored runs, the API, the log. A server may have sent a
     * URL back in its error message, with the token in it. */
    (size < (int)sizeof(context) ? log_redact : log_redact_cut)(context);
    /* Truncation inside a UTF-8 sequence would make the JSON and HTML invalid: drop its start. */
    size_t len = strlen(context);
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)context[len - back];
        if (c >= 0xC0) {
            if (str_utf8_size(str_n(context + len - back, back)) == 0) {
                context[len - back] = '\0';
            }
            break;
        }
    }
    memcpy(err->context, context, sizeof(context));
}

int err_set(struct err *err, enum err_id id, const char *format, ...)
{
    ASSERT(id > ERR_NONE && id < ERR_COUNT);
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        set_context(err, format, args);
        va_end(args);
        err->id = (int)id;
    }
    return -(int)id;
}

__attribute__((format(printf, 2, 3))) static void set_context_f(struct err *err, const char *format,
                                                                ...)
{
    va_list args;
    va_start(args, format);
    set_context(err, format, args);
    va_end(args);
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (err == NULL || err->id == ERR_NONE) {
        return -ERR_INTERNAL;
    }
    struct err prefix = {0};
    va_list args;
    va_start(args, format);
    set_context(&prefix, format, args);
    va_end(args);
    set_context_f(err, "%s: %s", prefix.context, err->context);
    return -err->id;
}

void err_clear(struct err *err)
{
    if (err != NULL) {
        err->id = ERR_NONE;
        err->context[0] = '\0';
    }
}

const struct err_info *err_info(int id)
{
    if (id < 0 && id > -(int)ERR_COUNT) {
        id = -id;
    }
    return &rows[id >= 0 && id < (int)ERR_COUNT ? id : (int)ERR_INTERNAL];
}

/* Names of codes in 0.1.0, which stored runs, requests and alerts still contain. */
static const struct {
    const char *code;
    enum err_id id;
} former_codes[] = {
    {"ACCESS_STRANGER", ERR_ACCESS_UNAUTHORISED},  {"TELEGRAM_DEAF", ERR_TELEGRAM_POLL_STALLED},
    {"STATEFILE_DAMAGED", ERR_STATE_FILE_DAMAGED}, {"STATEFILE_OPEN", ERR_STATE_FILE_OPEN},
    {"STATEFILE_EXPORT", ERR_STATE_FILE_EXPORT},
};

enum err_id err_by_code(const char *code)
{
    for (size_t i = 0; i < COUNT_OF(former_codes); i++) {
        if (strcmp(former_codes[i].code, code) == 0) {
            return former_codes[i].id;
        }
    }
    for (int id = ERR_NONE + 1; id < (int)ERR_COUNT; id++) {
        if (strcmp(rows[id].code, code) == 0) {
            return (enum err_id)id;
        }
    }
    return ERR_NONE;
}

const char *err_type_name(enum err_type type)
{
    switch (type) {
    case ERR_TYPE_INPUT:
        return "input";
    case ERR_TYPE_ACCESS:
        return "access";
    case ERR_TYPE_STATE:
        return "state";
    case ERR_TYPE_EXTERNAL:
        return "external";
    case ERR_TYPE_RESOURCE:
        return "resource";
    case ERR_TYPE_DATA:
        return "data";
    }
    UNREACHABLE();
}

const char *err_severity_name(enum err_severity severity)
{
    switch (severity) {
    case ERR_SEVERITY_INFO:
        return "info";
    case ERR_SEVERITY_LOW:
        return "low";
    case ERR_SEVERITY_MEDIUM:
        return "medium";
    case ERR_SEVERITY_HIGH:
        return "high";
    case ERR_SEVERITY_CRITICAL:
        return "critical";
    }
    UNREACHABLE();
}

const char *err_retry_name(enum err_retry retry)
{
    switch (retry) {
    case ERR_RETRY_NEVER:
        return "never";
    case ERR_RETRY_LATER:
        return "later";
    case ERR_RETRY_AFTER_FIX:
        return "after_fix";
    case ERR_RETRY_UNKNOWN:
        return "unknown";
    }
    UNREACHABLE();
}

void err_line(const struct err *err, struct buf *out)
{
    const struct err_info *info = err_info(err == NULL ? ERR_NONE : err->id);
    buf_addf(out, "%s: %s", info->code, info->message);
    if (err != NULL && err->context[0] != '\0') {
        buf_addf(out, ": %s", err->context);
    }
}

/* Markdown would read <name> as a tag and *x* as emphasis. */
static void add_markdown(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<' || *text == '*') {
            buf_add_char(out, '\\');
        }
        buf_add_char(out, *text);
    }
}

void err_catalogue_markdown(struct buf *out)
{
    buf_add_c(out, "# Errors\n\n"
                   "Every error condition that nightdesk reports, generated from "
                   "`include/base/errors.def`. API\n"
                   "answers, chat replies and the log use the same texts. *Retry* says whether a "
                   "repeated call may succeed:\n"
                   "`never`, `later` (without any action), `after_fix` (once the remediation is "
                   "done), `unknown` (the call\nmay have taken effect: check before repeating "
                   "it).\n");
    for (int id = ERR_NONE + 1; id < (int)ERR_COUNT; id++) {
        const struct err_info *info = &rows[id];
        buf_addf(out, "\n## %s\n\n", info->code);
        add_markdown(out, info->message);
        buf_addf(out, "\n\nHTTP %d · %s · severity %s · retry `%s`\n", info->http_status,
                 err_type_name(info->type), err_severity_name(info->severity),
                 err_retry_name(info->retry));
        buf_add_c(out, "\n- **Cause.** ");
        add_markdown(out, info->cause);
        buf_add_c(out, "\n- **Impact.** ");
        add_markdown(out, info->impact);
        buf_add_c(out, "\n- **Remediation.** ");
        add_markdown(out, info->remediation);
        buf_add_char(out, '\n');
    }
}
