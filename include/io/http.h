/*
 * http.h: an asynchronous HTTP client (libcurl multi) on a loop.
 *
 *     struct http *http = http_new(loop, err);
 *     struct http_call *call = http_send(http, &(struct http_request){
 *         .url = url, .body = buf_str(&json), .content_type = "application/json",
 *         .timeout_ms = 10000, .max_body_bytes = 1 << 20}, on_answer, self, err);
 *
 * Always true: http and https only, redirects are never followed (a 3xx arrives as what it is),
 * an answer over max_body_bytes is cut off, every call ends within timeout_ms. Everything in the
 * request is copied. The callback runs exactly once, from the loop, never inside http_send; the
 * response lives until it returns. After http_cancel or http_free it does not run.
 * No error text holds a raw URL: a Telegram token sits in the path (http_redact_url). Connections
 * are reused.
 * Host names are looked up by io/resolve.h, so that neither a time-out nor a cancel waits for name
 * servers that do not answer. A proxy is taken from the environment, as curl does.
 * A request with a body is sent once: libcurl may not repeat it on a fresh connection by itself.
 * Thread: the loop's. The loop must have a real clock.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#include <stddef.h>
#include <stdint.h>

struct http;
struct http_call;

struct http_part { /* one field of a multipart/form-data body */
    const char *name;
    const char *filename;     /* NULL for a plain field */
    const char *content_type; /* NULL: none for a field, application/octet-stream for a file */
    struct str body;
};

struct http_request {
    const char *method; /* NULL: POST when there is a body or parts, else GET */
    const char *url;
    const char *const *headers; /* "Name: value", the last one NULL; or NULL */
    struct str body;
    const char *content_type;
    const struct http_part *parts; /* instead of body */
    size_t part_count;
    const char *unix_path;      /* connect to this socket instead of the URL's host; or NULL */
    int64_t timeout_ms;         /* for the whole call; 0: 30 s */
    int64_t connect_timeout_ms; /* 0: the smaller of 10 s and timeout_ms */
    size_t max_body_bytes;      /* 0: 1 MiB */
};

/* What may be done next: repeat, ask first, or give up. */
enum http_outcome {
    HTTP_OK,       /* a whole answer came, whatever its status */
    HTTP_NOT_SENT, /* not a byte of the request left: surely not delivered, safe to repeat */
    HTTP_UNKNOWN,  /* (partly) sent, answer lost or unreadable: it may have taken effect */
    HTTP_TOO_LARGE /* the answer passed max_body_bytes; status and headers are there */
};

struct http_header {
    const char *name; /* lower case */
    const char *value;
};

struct http_response {
    enum http_outcome outcome;
    int status;                        /* 0 when no answer came */
    struct str body;                   /* empty unless HTTP_OK */
    const struct http_header *headers; /* of the final answer, at most 64 */
    size_t header_count;
    int64_t elapsed_us;
    struct err err; /* ERR_NONE with HTTP_OK, else HTTP_… of the catalogue */
};

typedef void (*http_fn)(const struct http_response *response, void *userdata);

struct http *http_new(struct loop *loop, struct err *err);
void http_free(struct http *http); /* cancels what is under way */

/* NULL when the request is not even well-formed (ERR_HTTP_URL). The handle is valid until the
 * callback starts. */
struct http_call *http_send(struct http *http, const struct http_request *request, http_fn fn,
                            void *userdata, struct err *err);
void http_cancel(struct http_call *call);
size_t http_pending(const struct http *http);

/* Value of a header of the response, name in lower case; NULL when absent. */
const char *http_header(const struct http_response *response, const char *name);
/* Seconds of a Retry-After header given in seconds, 0..86400; -1 when absent or unreadable. */
int64_t http_retry_after_s(const struct http_response *response);
/* When the server says that it answered (wall, whole seconds); 0 when absent or unreadable. */
int64_t http_date_us(const struct http_response *response);

/* Hides what may be secret: user:password@, the token in a "/bot<token>" path segment (three
 * asterisks stand for it), the value of each query parameter, and the fragment. */
void http_redact_url(struct str url, struct buf *out);
/* Percent-encodes everything but RFC 3986 unreserved characters. */
void http_add_encoded(struct buf *out, struct str text);
