/*
 * http_line.h: one connection to a server that is kept open, for requests whose time counts.
 *
 *     struct http_line *line = http_line_new(http, "https://api.venue.com", NULL);
 *     if (!http_line_send(line, &request, on_answer, self)) {
 *         call = http_send(http, &request, on_answer, self, err);
 *     }
 *
 * A request is one write on an open connection: no name to resolve, no handshake to wait for, and
 * none of what a client for every purpose does for each request. Connection, TLS and proxies are
 * libcurl's; the protocol is HTTP/1.1, read as strictly as in io/web.h. A connection that ends is
 * opened again, sooner if it was of use.
 *
 * Always true: a request is written once, never again. When http_line_send has returned false, no
 * byte of it was sent; when it has returned true, the callback runs exactly once, from the loop,
 * within timeout_ms, and what was lost on the way is HTTP_UNKNOWN. One request at a time. After
 * http_line_free the callback does not run.
 * Thread: the loop's. The line is freed before its http.
 */
#pragma once

#include "io/http.h"

struct http_line;

/* Opens it soon. url: of the server, perhaps with the front of a path, without a slash at its end.
 * ca_file: PEM; NULL or "": the authorities of the system. NULL: the URL is malformed. */
struct http_line *http_line_new(struct http *http, const char *url, const char *ca_file);
void http_line_free(struct http_line *line); /* accepts NULL; may run in the callback */

/* The request, which is copied, has method, url (which begins with that of the line), headers,
 * body, content_type, timeout_ms and max_body_bytes of io/http.h, and nothing else; at most 16 KiB.
 * False: the line is not open or waits for an answer, or the request is not one for it: use
 * http_send. */
bool http_line_send(struct http_line *line, const struct http_request *request, http_fn fn,
                    void *userdata);
bool http_line_is_free(const struct http_line *line); /* open, and waits for no answer */
/* One like this is expected: it is written, but not sent, so that the next finds code and memory in
 * the processor's caches; and if the connection has ended, of which the loop has not told yet, it
 * is opened again now. */
void http_line_rehearse(struct http_line *line, const struct http_request *request);
/* It is not open, and *ret_why says why. False: it is, or is being opened for the first time. */
bool http_line_is_broken(const struct http_line *line, struct err *ret_why);
