/*
 * web_head.h: reads the head of an HTTP/1 request, and chunked bodies, strictly. Private to io.
 *
 *     struct web_head head = {0};
 *     rc = web_head_read(&head, data, len, err);   // again with more bytes while it returns 0
 *     if (rc == 1) handle(web_head_field(&head, data, "Host"));
 *
 * Always true: what two parsers could understand in two ways is refused (RFC 9112, section 11):
 * each line ends with CR LF, no line is folded, no blank stands before a colon, the length of the
 * body is given once, Host exactly once. So are bytes that are no text, targets that are not a
 * path, and escapes that are broken or stand for a control character. Offsets count from the first
 * byte of data; names, values, target and query become C strings in place, the path is decoded in
 * place. Both readers look at each byte once, however small the pieces are in which it comes.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_TARGET_MAX 8192  /* bytes of the request line */
#define WEB_HEAD_MAX   16384 /* bytes of the whole head */
#define WEB_FIELDS_MAX 64

struct web_span {
    uint16_t at;
    uint16_t len;
};

struct web_head {
    size_t lines;       /* read so far */
    size_t line_at;     /* where the next one begins */
    size_t searched_at; /* no line feed before it */
    struct web_span method;
    struct web_span path; /* decoded */
    struct web_span query;
    int minor; /* of HTTP/1.x */
    int field_count;
    struct {
        struct web_span name;
        struct web_span value;
    } fields[WEB_FIELDS_MAX];
    int64_t content_length; /* -1: not given */
    bool chunked;
    bool close; /* the connection ends after this request */
    bool expects_continue;
    bool upgrade; /* Connection: upgrade */
    /* Fields that may be given once only and were given. */
    unsigned seen;
};

/* 1: the head is complete, its size is line_at; 0: the bytes so far are valid, more must follow;
 * negative: the request is refused, and nothing after it can be understood. len grows from call to
 * call; data may move between two calls, but not change. */
int web_head_read(struct web_head *head, char *data, size_t len, struct err *err);
/* The empty view if absent; name in any case. */
struct str web_head_field(const struct web_head *head, const char *data, const char *name);
/* The same of the last field of that name: proxies append theirs. */
struct str web_head_last(const struct web_head *head, const char *data, const char *name);
struct str web_head_view(const char *data, struct web_span span);

/* Decodes %41 in place and, with plus, "+" as a blank. Returns the new length; -1 for a broken
 * escape, for one of a control character, and for what is not UTF-8. */
int web_unescape(char *text, size_t len, bool plus);

/* Reads a chunked body; extensions and trailers are checked and dropped. */
struct web_chunks {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER } state;
    uint64_t left;      /* of the data of this chunk */
    size_t searched_at; /* in the bytes that were not used */
    size_t trailers;    /* bytes */
};
/* Appends to body, and sets *ret_used to the number of bytes that are done with. 1: the body is
 * complete; 0: more must follow; negative: refused (ERR_WEB_BODY_LONG if body is full). */
int web_chunks_read(struct web_chunks *chunks, const char *data, size_t len, struct buf *body,
                    size_t *ret_used, struct err *err);
