/*
 * web.h: an HTTP/1.1 server on a TCP port or a Unix socket, with or without TLS.
 *
 *     static void on_request(struct web_request *request, void *self)
 *     {
 *         if (str_equal_c(web_path(request), "/healthz")) web_answer_c(request, 200, "ok\n");
 *         else web_hold(request), queue_push(self, request);   // another thread answers it later
 *     }
 *     web_start(&(struct web_options){.port = 0, .handler = on_request, .userdata = x}, &web, err);
 *
 * Always true: the handler runs on the server's own thread, once per request, when the whole body
 * has arrived. It must answer or hold the request before it returns; if it does neither, the server
 * answers 500. A held request belongs to its holder, who must answer it exactly once. Until then it
 * stays valid, accessors included, even if the client has disconnected or the server was stopped
 * (the answer is then dropped). web_stop ends held requests with 503 and does not wait for their
 * holders. The answer to HEAD is sent without its body.
 * What is not exactly one well-formed request (src/io/web_head.h) never reaches the handler: the
 * server answers with an error of the catalogue (WEB_...) and closes. So does a head or a body that
 * does not arrive in time, however slowly its bytes drip, a body over max_body_bytes, and a
 * connection over a limit. When all connections are in use, a new one takes the place of one that
 * has not sent a request yet, or of one that is idle. After an error the server goes on reading for
 * a while, so that a client that still sends can read the answer.
 * Thread: web_start, web_stop, web_port, web_poke, web_silent_us, web_tls_set: the owner's. The
 * rest: the handler's, or the holder's.
 */
#pragma once

#include "base/buf.h"
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
/* Writes the body of an error that the server itself answers with, as application/problem+json. */
typedef void (*web_problem)(const struct err *err, struct buf *body);

/* 0: the default. */
struct web_limits {
    size_t max_body_bytes;         /* 1 MiB */
    unsigned max_connections;      /* 64 */
    unsigned max_connections_each; /* of one address or, at a Unix socket, user; max_connections */
    int64_t head_timeout_us;       /* for the first byte and the whole head; 5 s */
    int64_t body_timeout_us;       /* for the whole body; 30 s */
    int64_t idle_timeout_us;       /* between two requests; 30 s */
};

struct web_options {
    const char *unix_path; /* socket path, mode 0660, a stale socket is replaced; NULL: TCP */
    const char *address;   /* of this machine to listen on, IPv4 or IPv6; NULL: 127.0.0.1 */
    uint16_t port;         /* 0: the kernel chooses, see web_port */
    const char *tls_cert;  /* files in PEM; NULL: no TLS */
    const char *tls_key;
    /* Addresses and networks ("10.0.0.0/8") whose X-Forwarded-For is believed; the last one NULL;
     * or NULL. */
    const char *const *trusted_proxies;
    bool only_trusted; /* others than these and this machine are refused */
    struct web_limits limits;
    web_handler handler;
    web_problem problem; /* NULL: errors are plain text */
    void *userdata;
};

/* ERR_WEB_LISTEN if the port or path is in use or not permitted, ERR_WEB_TLS, ERR_WEB_ADDRESS. */
int web_start(const struct web_options *options, struct web **ret, struct err *err);
void web_stop(struct web *web);           /* accepts NULL; removes its Unix socket */
uint16_t web_port(const struct web *web); /* 0 with a Unix socket */
/* Loads the certificate again, for new connections; others keep theirs. Only with TLS. On failure
 * everything stays as it was. */
int web_tls_set(struct web *web, const char *cert_path, const char *key_path, struct err *err);
/* Asks the server's thread for a sign of life, which wakes it. */
void web_poke(struct web *web);
/* How long it has not given one; 0: it has. */
int64_t web_silent_us(const struct web *web, int64_t now_mono_us);

/* "localhost:8088", "[::1]", "Example.com.": false unless it is a name or an address, with a port
 * from 1 to 65535 or none (0), and nothing else. The host comes without a dot at its end. */
bool web_authority(struct str text, struct str *ret_host, int *ret_port);
/* "https://example.com:8443"; false for anything else, such as a path behind it or "null". */
bool web_origin(struct str text, bool *ret_tls, struct str *ret_host, int *ret_port);

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
/* uid of the process at the other end of a Unix socket; -1 over TCP. */
int64_t web_peer_uid(struct web_request *request);
/* "127.0.0.1:40112", "unix"; behind a trusted proxy the client's address as the proxy gives it. */
struct str web_remote(struct web_request *request);

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
 * it likes: from then on the server has no limits and no deadlines for it. An answer with 200 ends
 * with the connection.
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
/* As recv and sendmsg of a socket that does not block. After EPOLLIN, read until there is nothing
 * more (EAGAIN): with TLS, some of it may have left the socket already. One thread. */
ssize_t web_line_read(struct web_line *line, void *dst, size_t size);
ssize_t web_line_write(struct web_line *line, struct iovec *parts, size_t count);
/* Closes the connection; takes NULL. Before web_stop. */
void web_line_free(struct web_line *line);
