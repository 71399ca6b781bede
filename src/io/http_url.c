#include "io/http.h"

#include <ctype.h>
#include <string.h>

static size_t span_until(struct str s, size_t from, const char *stops)
{
    while (from < s.len && strchr(stops, s.ptr[from]) == NULL) {
        from++;
    }
    return from;
}

/* A path segment "bot<token>" becomes "bot***". So does any other segment that begins with "bot",
 * such as "bots": rather hide too much than leak a token. */
static void redact_path(struct str path, struct buf *out)
{
    size_t at = 0;
    while (at < path.len) {
        size_t end = span_until(path, at + 1, "/");
        struct str segment = str_n(path.ptr + at, end - at);
        if (str_starts(segment, "/bot") && segment.len > 4) {
            buf_add_c(out, "/bot***");
        } else {
            buf_add_str(out, segment);
        }
        at = end;
    }
}

static void redact_query(struct str query, struct buf *out)
{
    struct str part;
    char before = '?';
    while (str_split(&query, '&', &part)) {
        struct str rest = part;
        struct str name;
        buf_add_char(out, before);
        before = '&';
        if (str_split(&rest, '=', &name)) {
            /* Without '=' the whole parameter may be a secret. */
            buf_add_str(out, name.len < part.len ? name : str_c(""));
        }
        buf_add_c(out, name.len < part.len ? "=***" : "***");
    }
}

void http_redact_url(struct str url, struct buf *out)
{
    size_t at = 0;
    const char *scheme = memmem(url.ptr, url.len, "://", 3);
    if (scheme != NULL) {
        at = (size_t)(scheme - url.ptr) + 3;
        buf_add(out, url.ptr, at);
    }
    size_t host_end = span_until(url, at, "/?#");
    for (size_t i = at; i < host_end; i++) {
        if (url.ptr[i] == '@') {
            at = i + 1;
        }
    }
    buf_add(out, url.ptr + at, host_end - at);
    size_t path_end = span_until(url, host_end, "?#");
    redact_path(str_n(url.ptr + host_end, path_end - host_end), out);
    if (path_end < url.len && url.ptr[path_end] == '?') {
        size_t query_end = span_until(url, path_end, "#");
        redact_query(str_n(url.ptr + path_end + 1, query_end - path_end - 1), out);
    }
}

bool http_redact_text(struct str text, struct buf *out)
{
    bool redacted = false;
    for (size_t at = 0; at < text.len;) {
        size_t end = span_until(text, at, " \t\r\n\"'<>");
        struct str word = str_n(text.ptr + at, end - at);
        const char *scheme = memmem(word.ptr, word.len, "://", 3);
        bool has_query = scheme != NULL && memchr(word.ptr, '?', word.len) != NULL;
        if (has_query) {
            http_redact_url(word, out);
        } else {
            buf_add_str(out, word);
        }
        redacted = redacted || has_query;
        if (end < text.len) {
            buf_add_char(out, text.ptr[end++]);
        }
        at = end;
    }
    return redacted;
}

void http_add_encoded(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x80 && (isalnum(c) != 0 || strchr("-._~", c) != NULL) && c != '\0') {
            buf_add_char(out, (char)c);
        } else {
            buf_addf(out, "%%%02X", (unsigned)c);
        }
    }
}
