/*
 * http.h: an asynchronous HTTP client (libcurl multi) on a loop.
 *
 *     struct http *http = http_new(loop, err);
 *     struct http_call *call = http_send(http, &(struct http_request){
 *         .url = url, .body = buf_str(&json), .content_type = "application/json",
 *         .timeout_ms = 10000, .max_body_bytes = 1 << 20}, on_answer, self, err);
 *
 * Always true: http and https only; redirects are never followed (the caller gets the 3xx, and
 * http_join_url makes the URL that it names); a
 * response body over max_body_bytes ends the call; every call ends within timeout_ms. The request
 * is copied. The callback runs exactly once, from the loop, never inside http_send; the response
 * is valid until it returns. After http_cancel or http_free it does not run.
 * No error text holds a raw URL, because a Telegram token is part of the path (http_redact_url).
 * Connections are reused.
 * io/resolve.h resolves host names, so neither a timeout nor a cancel waits for name servers that
 * do not answer. Proxies come from the environment variables that curl reads.
 * A request with a body is sent once: libcurl must not resend it on a new connection by itself.
 * Thread: the loop's. The loop must have a real clock.
 */
#pragma once

#include "base/err.h"
#include "base/histogram.h"
#include "base/str.h"
#include "io/loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;
struct http_call;

struct http_part { /* one field of a multipart/form-data body */
    const char *name;
    const char *filename;     /* NULL for a plain field */
    const char *content_type; /* NULL: none for a field, application/octet-stream for a file */
    struct str body;
    const char *path; /* of a file that is read while it is sent, instead of body; or NULL */
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
    const char *ca_file;        /* PEM; NULL or "": the authorities of the system */
    bool certificate;           /* fills expires_us; needs a new connection */
    bool once;                  /* its headers are good for one sending: it fails, with an unknown
                                 * outcome, where libcurl would send it again on a new connection */
    bool connect_only;          /* a TCP connection to the URL's host and port, without a proxy; it
                                 * is closed at once, and the status is 0 */
    /* Called from the loop, before the callback, with the whole body so far each time some of it
     * has arrived; it may cancel the call. NULL: only the callback gets the body. */
    void (*on_body)(struct str body, int status, void *userdata);
    bool unmeasured; /* its time says nothing: the server waits on purpose, or works for minutes */
    int body_fd;     /* > 0: the body is written to this file, and is empty in the
                        response; the caller closes it, after the call */
};

/* Tells the caller whether it may repeat the request. */
enum http_outcome {
    HTTP_OK,       /* a complete response was received, of any status */
    HTTP_NOT_SENT, /* no byte of the request was sent: safe to repeat */
    HTTP_UNKNOWN,  /* sent at least in part, no valid response: it may have taken effect */
    HTTP_TOO_LARGE /* the body exceeded max_body_bytes; status and headers are set */
};

struct http_header {
    const char *name; /* lower case */
    const char *value;
};

struct http_response {
    enum http_outcome outcome;
    int status;                        /* 0 without a response */
    struct str body;                   /* empty unless HTTP_OK */
    struct buf *memory;                /* of the body, for http_take_body */
    const struct http_header *headers; /* of the final response, at most 64 */
    size_t header_count;
    int64_t elapsed_us;
    int64_t expires_us; /* wall: end of the server's certificate; 0: not asked for, or not known */
    struct err err;     /* ERR_NONE with HTTP_OK, else HTTP_… of the catalogue */
};

typedef void (*http_fn)(const struct http_response *response, void *userdata);

struct http *http_new(struct loop *loop, struct err *err);
void http_free(struct http *http); /* cancels all calls */

/* How long calls take, and how many end without a whole response. Written by the loop's thread; any
 * may read it. */
struct http_meter {
    struct histogram took;
    _Atomic uint64_t failed;
};
/* From now on; the meter outlives the client. */
void http_measure(struct http *http, struct http_meter *meter);

/* NULL if the request is malformed (ERR_HTTP_URL). The handle is valid until the callback
 * starts. */
struct http_call *http_send(struct http *http, const struct http_request *request, http_fn fn,
                            void *userdata, struct err *err);
void http_cancel(struct http_call *call);
/* Gives the requests so far to the network at once, where the next turn of the loop would: for what
 * is urgent. Not from a callback of on_body. */
void http_flush(struct http *http);
size_t http_pending(const struct http *http);

/* Moves the memory of the body into ret (buf_release frees it). Only in the callback, once; the
 * response's body stays valid for as long as ret. */
void http_take_body(const struct http_response *response, struct buf *ret);
/* Value of a response header, name in lower case; NULL if absent. */
const char *http_header(const struct http_response *response, const char *name);
/* Retry-After in seconds, 0..86400; -1 if absent, invalid or given as a date. */
int64_t http_retry_after_s(const struct http_response *response);
/* The Date header (wall time, whole seconds); 0 if absent or invalid. */
int64_t http_date_us(const struct http_response *response);

/* Removes user:password@ and the fragment; replaces the token of a "/bot<token>" path segment and
 * the value of each query parameter by ***. */
void http_redact_url(struct str url, struct buf *out);
/* The same for the URLs with a query in a text; false if there is none. */
bool http_redact_text(struct str text, struct buf *out);
/* Appends the URL to which a Location header, which may be relative, leads from url; false if it is
 * malformed. */
bool http_join_url(const char *url, const char *location, struct buf *out);
/* Percent-encodes all but the unreserved characters of RFC 3986. */
void http_add_encoded(struct buf *out, struct str text);
