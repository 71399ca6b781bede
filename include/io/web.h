/*
 * web.h: an HTTP/1.1 server (libmicrohttpd) on 127.0.0.1 or a Unix socket.
 *
 *     static void on_request(struct web_request *request, void *self)
 *     {
 *         if (str_equal_c(web_path(request), "/healthz")) web_answer_c(request, 200, "ok\n");
 *         else web_hold(request), queue_push(self, request);   // answered later by another thread
 *     }
 *     web_start(&(struct web_options){.port = 0, .handler = on_request, .userdata = x}, &web, err);
 *
 * Always true: the handler runs on the server's own thread, once per request, after the whole body
 * (at most max_body_bytes, else 413 without the handler) has arrived. It must answer or hold the
 * request before it returns; one that does neither is answered with 500. A held request belongs to
 * its holder and stays valid, accessors included, until exactly one web_answer…, also when the
 * client went away or the server was stopped meanwhile (the answer is then dropped).
 * web_stop ends what is held (503 or a closed connection) and does not wait for the holders.
 * Thread: web_start, web_stop, web_port: the owner's. The rest: the handler's, or the holder's.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct web;
struct web_request;

typedef void (*web_handler)(struct web_request *request, void *userdata);

struct web_options {
    const char *unix_path;    /* a socket there, mode 0660, replacing a stale one; or NULL: TCP */
    uint16_t port;            /* on 127.0.0.1; 0: the kernel chooses, see web_port */
    size_t max_body_bytes;    /* 0: 1 MiB */
    unsigned max_connections; /* 0: 64 */
    unsigned idle_timeout_s;  /* for a client that says nothing; 0: 30. Does not end a hold */
    web_handler handler;
    void *userdata;
};

/* ERR_WEB_LISTEN when the port or path is taken or not allowed. */
int web_start(const struct web_options *options, struct web **ret, struct err *err);
void web_stop(struct web *web);           /* takes NULL; removes its Unix socket */
uint16_t web_port(const struct web *web); /* 0 with a Unix socket */

/* The views are NUL-terminated and live as long as the request. */
struct str web_method(const struct web_request *request);
struct str web_path(const struct web_request *request); /* decoded, without the query */
/* The empty view when absent; web_query is decoded, header names ignore case. */
struct str web_query(const struct web_request *request, const char *name);
bool web_has_query(const struct web_request *request, const char *name);
struct str web_header(const struct web_request *request, const char *name);
struct str web_body(const struct web_request *request);
/* A field of a multipart/form-data or application/x-www-form-urlencoded body. */
struct str web_form(const struct web_request *request, const char *name);
struct str web_form_filename(const struct web_request *request, const char *name);
/* uid of the process at the other end of a Unix socket; -1 over TCP. */
int64_t web_peer_uid(const struct web_request *request);
struct str web_remote(const struct web_request *request); /* "127.0.0.1:40112", "unix" */

/* The caller will answer later, from any thread. Only inside the handler. */
void web_hold(struct web_request *request);

struct web_answer {
    int status;
    const char *content_type;   /* NULL: text/plain; charset=utf-8 */
    const char *const *headers; /* "Name: value", the last one NULL; or NULL */
    struct str body;
    bool close; /* end the connection afterwards */
};
/* Exactly once per request; everything is copied. The request is gone afterwards. */
void web_answer(struct web_request *request, const struct web_answer *answer);
void web_answer_c(struct web_request *request, int status, const char *text);
void web_answer_json(struct web_request *request, int status, struct str json);
