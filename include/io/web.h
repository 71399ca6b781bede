/*
 * web.h: an HTTP/1.1 server (libmicrohttpd) on 127.0.0.1 or a Unix socket.
 *
 *     static void on_request(struct web_request *request, void *self)
 *     {
 *         if (str_equal_c(web_path(request), "/healthz")) web_answer_c(request, 200, "ok\n");
 *         else web_hold(request), queue_push(self, request);   // another thread answers it later
 *     }
 *     web_start(&(struct web_options){.port = 0, .handler = on_request, .userdata = x}, &web, err);
 *
 * Always true: the handler runs on the server's own thread, once per request, when the whole body
 * has arrived (a body over max_body_bytes gets 413 and no handler). It must answer or hold the
 * request before it returns; if it does neither, the server answers 500. A held request belongs to
 * its holder, who must answer it exactly once. Until then it stays valid, accessors included, even
 * if the client has disconnected or the server was stopped (the answer is then dropped).
 * web_stop ends held requests (503 or a closed connection) and does not wait for their holders.
 * Thread: web_start, web_stop, web_port: the owner's. The rest: the handler's, or the holder's.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct web;
struct web_request;

typedef void (*web_handler)(struct web_request *request, void *userdata);

struct web_options {
    const char *unix_path;    /* socket path, mode 0660, a stale socket is replaced; NULL: TCP */
    uint16_t port;            /* on 127.0.0.1; 0: the kernel chooses, see web_port */
    size_t max_body_bytes;    /* 0: 1 MiB */
    unsigned max_connections; /* 0: 64 */
    unsigned idle_timeout_s;  /* 0: 30; does not apply to held requests */
    web_handler handler;
    void *userdata;
};

/* ERR_WEB_LISTEN if the port or path is in use or not permitted. */
int web_start(const struct web_options *options, struct web **ret, struct err *err);
void web_stop(struct web *web);           /* accepts NULL; removes its Unix socket */
uint16_t web_port(const struct web *web); /* 0 with a Unix socket */

/* The views are NUL-terminated. A view that the handler got before web_hold ends with it; the
 * others are valid as long as the request. */
struct str web_method(const struct web_request *request);
struct str web_path(const struct web_request *request); /* decoded, without the query */
/* The empty view if absent. web_query is decoded; header names are case-insensitive. */
struct str web_query(struct web_request *request, const char *name);
bool web_has_query(struct web_request *request, const char *name);
/* All parameters of the query, in the order of the URL. */
size_t web_query_count(struct web_request *request);
struct str web_query_name(struct web_request *request, size_t index);
struct str web_header(const struct web_request *request, const char *name);
struct str web_body(const struct web_request *request);
/* A field of a multipart/form-data or application/x-www-form-urlencoded body. */
struct str web_form(const struct web_request *request, const char *name);
struct str web_form_filename(const struct web_request *request, const char *name);
/* uid of the process at the other end of a Unix socket; -1 over TCP. */
int64_t web_peer_uid(struct web_request *request);
struct str web_remote(struct web_request *request); /* "127.0.0.1:40112", "unix" */

/* Adds the header "Name: value" to whatever answer the request gets, also to one that is given many
 * times; at most 1 KiB in all. Only inside the handler. */
void web_add_header(struct web_request *request, const char *header);

/* The caller answers later, from any thread. Only inside the handler. */
void web_hold(struct web_request *request);

struct web_answer {
    int status;
    const char *content_type;   /* NULL: text/plain; charset=utf-8 */
    const char *const *headers; /* "Name: value", the last one NULL; or NULL */
    struct str body;
    bool close; /* close the connection afterwards */
};
/* Call exactly one of these, once per request; all arguments are copied. The request is invalid
 * afterwards. */
void web_answer(struct web_request *request, const struct web_answer *answer);
void web_answer_c(struct web_request *request, int status, const char *text);
void web_answer_json(struct web_request *request, int status, struct str json);

/* An answer that is made once and given many times without a copy, such as a state that many
 * clients read. Owned by the caller. */
struct web_content;
struct web_content *web_content_new(const struct web_answer *answer);
/* Takes NULL. Connections that still send it are not disturbed. */
void web_content_free(struct web_content *content);
/* As web_answer, but only inside the handler, for a request that is not held (ASSERT). */
void web_answer_content(struct web_request *request, const struct web_content *content);

/*
 * A connection that its handler takes over behind the head of the answer, to write for as long as
 * it likes: from then on the server has no limits and no deadlines for it.
 *
 *     web_answer_line(request, &(struct web_line_options){.headers = headers, .fn = on_line, ...});
 *     on_line: poll web_line_fd(line), web_line_read, web_line_write; last web_line_free(line)
 */
struct web_line;
/* On the server's thread: line belongs to the callee. early: what the client has sent already,
 * valid until it returns. NULL: there is no connection any more. */
typedef void (*web_line_fn)(struct web_line *line, struct str early, void *userdata);
struct web_line_options {
    bool leaves_http;           /* 101, and the client may write, too; else 200 */
    const char *const *headers; /* "Name: value", the last one NULL */
    web_line_fn fn;             /* called exactly once */
    void *userdata;
};
/* As web_answer, but only inside the handler, for a request that is not held (ASSERT). */
void web_answer_line(struct web_request *request, const struct web_line_options *options);
int web_line_fd(const struct web_line *line); /* for EPOLLIN and EPOLLOUT only */
/* As recv and sendmsg of a socket that does not block. One thread. */
ssize_t web_line_read(struct web_line *line, void *dst, size_t size);
ssize_t web_line_write(struct web_line *line, struct iovec *parts, size_t count);
/* Closes the connection; takes NULL. Before web_stop. */
void web_line_free(struct web_line *line);
