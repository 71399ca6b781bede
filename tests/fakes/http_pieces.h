/*
 * http_pieces.h: a small HTTP/1.1 server on 127.0.0.1 for fakes whose answers come in pieces, stop
 * in the middle, or never come.
 *
 *     rc = http_pieces_start(on_request, self, &server);
 *     static void on_request(struct http_pieces_request *request, void *self)
 *     {
 *         http_pieces_begin(request, 200, "text/event-stream", NULL);
 *         http_pieces_add(request, str_c("data: {}\n\n"));     // sent at once, as one chunk
 *         http_pieces_end(request);
 *     }
 *
 * Always true: the handler runs on a thread of the connection and may sleep there; a request whose
 * handler returns without an end closes the connection. http_pieces_stop closes all connections and
 * waits for their handlers; http_pieces_hold waits until then.
 * Thread: start and stop: the test's; the rest: the handler's.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct http_pieces;
struct http_pieces_request;

typedef void (*http_pieces_fn)(struct http_pieces_request *request, void *userdata);

int http_pieces_start(http_pieces_fn fn, void *userdata, struct http_pieces **ret);
void http_pieces_stop(struct http_pieces *server); /* accepts NULL */
uint16_t http_pieces_port(const struct http_pieces *server);

struct str http_pieces_method(const struct http_pieces_request *request);
struct str http_pieces_path(const struct http_pieces_request *request);
/* Of a header, name in lower case; the empty view if absent. */
struct str http_pieces_header(const struct http_pieces_request *request, const char *name);
struct str http_pieces_body(const struct http_pieces_request *request); /* NUL-terminated */

/* headers: "Name: value", the last one NULL; or NULL. */
void http_pieces_begin(struct http_pieces_request *request, int status, const char *content_type,
                       const char *const *headers);
/* False if the client has closed the connection. */
bool http_pieces_add(struct http_pieces_request *request, struct str bytes);
void http_pieces_end(struct http_pieces_request *request);
/* Returns when the server stops. */
void http_pieces_hold(struct http_pieces_request *request);
