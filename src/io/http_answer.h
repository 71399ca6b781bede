/*
 * http_answer.h: reads an HTTP/1 response strictly, without its socket. Private to io.
 *
 *     http_answer_init(&answer, max_body);
 *     rc = http_answer_read(&answer, bytes, err);   // again with the next bytes while it returns 0
 *     if (rc == 1) use(answer.status, answer.body);
 *     http_answer_release(&answer);
 *
 * Always true: what two parsers could understand in two ways is refused (RFC 9112, 6.3): a length
 * that is given twice with different numbers, a length beside chunks, a coding other than
 * "chunked". Interim responses (1xx) are dropped, but 101, which nobody has asked for, is refused.
 * Without a length and chunks the body ends with the connection.
 * Thread: any, one at a time.
 */
#pragma once

#include "answer_head.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/http.h"
#include "web_head.h"

enum { HTTP_ANSWER_FIELDS_MAX = 64 };

struct http_answer {
    enum {
        HTTP_ANSWER_HEAD,
        HTTP_ANSWER_SIZED,
        HTTP_ANSWER_CHUNKED,
        HTTP_ANSWER_TO_END,
        HTTP_ANSWER_WHOLE
    } state;
    int status; /* 0: there was no whole head */
    bool close; /* the connection ends after it */
    bool extra; /* more bytes have come than the response has */
    struct buf body;
    struct buf text; /* "name\0value\0…", names in lower case */
    size_t field_count;
    struct buf bytes; /* that are not used yet */
    struct answer_head head;
    struct web_chunks chunks;
    int64_t length; /* of the body; -1: not given */
    bool chunked;
};

void http_answer_init(struct http_answer *a, size_t max_body);
void http_answer_release(struct http_answer *a);
/* 1: it is whole; 0: more must follow; negative: ERR_HTTP_GARBLED, ERR_HTTP_HEADERS or
 * ERR_HTTP_TOO_LARGE, and nothing after it can be understood. */
int http_answer_read(struct http_answer *a, struct str bytes, struct err *err);
/* The connection has ended: 1 if the answer is whole with that; else ERR_HTTP_LOST. */
int http_answer_end(struct http_answer *a, struct err *err);
/* The fields as io/http.h gives them; views into the answer. Returns their number. */
size_t http_answer_fields(const struct http_answer *a,
                          struct http_header ret[HTTP_ANSWER_FIELDS_MAX]);
