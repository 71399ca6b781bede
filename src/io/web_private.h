/*
 * web_private.h: shared by the files of the HTTP server. Private to io.
 *
 * web.c owns the thread, the listening socket and the list of connections; web_conn.c is the life
 * of a connection; web_request.c what handlers and holders see; web_response.c what is sent.
 * A connection belongs to the server's thread. Thread: the server's, unless it says otherwise.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "io/web.h"
#include "web_head.h"
#include "web_peer.h"
#include "web_tls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

/* ---------------------------------------------------------------- responses */

/* What is sent, made once. Its head lacks Date, Connection and the empty line. Never changes; any
 * thread. */
struct web_response {
    atomic_int references;
    int status;
    bool close;
    struct buf head;
    struct buf body;
};

struct web_response *web_response_new(const struct web_answer *answer);
/* One without a length; the connection does not go on as one of HTTP. */
struct web_response *web_response_endless(int status, const char *const *headers);
struct web_response *web_response_ref(struct web_response *response);
void web_response_unref(struct web_response *response); /* NULL does nothing */

/* ---------------------------------------------------------------- requests */

/* Access: before the handler runs, only the server's thread uses a request; then only the handler
 * or the holder does. The members from `conn` to `next_answered` are used by both sides and are
 * protected by the server's mutex. The connection and the holder have a reference each to the
 * request, and a request has one to its struct web (not to its thread). */
struct web_request {
    struct web *web;
    struct web_conn *conn; /* NULL once it has ended */
    int references;
    bool held;
    bool answered; /* by its handler or holder, or by web_stop */
    struct web_response *response;
    struct web_request *next_answered; /* in web->answered */

    bool unanswered; /* the handler runs, or it is held, and nothing has answered it */
    /* The connection's; from web_hold on, copies. */
    const struct web_head *head;
    const char *text;
    struct web_head *own_head;
    char *own_text;

    bool has_query;
    int query_count;
    struct web_span *query; /* names and values in turns */
    char *query_text;
    bool has_peer;
    int64_t peer_uid;
    char remote[64];
    struct buf body;
    struct buf added;    /* headers of the answer (web_add_header) */
    web_line_fn line_fn; /* takes the connection over once the response is sent; NULL: nobody */
    void *line_userdata;
};

struct web_request *web_request_new(struct web *web);
/* Makes it ready for the next request of its connection; only one that was not held. */
void web_request_reset(struct web_request *request);
void web_request_unref(struct web_request *request); /* NULL does nothing; any thread */
/* Its connection ends: drops the connection's reference. NULL does nothing. */
void web_request_end(struct web_request *request);
/* Runs the handler. Returns true if the request is held and has no answer yet. */
bool web_request_handle(struct web_request *request);

/* The response is sent: hands the connection over to the callee. */
void web_line_begin(struct web_request *request, int fd, struct web_tls_conn *tls,
                    struct str early);
/* Says so if the response could not be sent. */
void web_line_fail(struct web_request *request);

/* ---------------------------------------------------------------- connections */

enum web_phase {
    WEB_HANDSHAKE, /* of TLS */
    WEB_HEAD,      /* waits for a request, or reads its head */
    WEB_BODY,
    WEB_HELD, /* somebody else answers */
    WEB_SEND,
    WEB_DRAIN, /* the answer is sent; what the client still sends is dropped, so that it reads it */
    WEB_CLOSED /* freed at the end of the iteration */
};

struct web_conn {
    struct web *web;
    struct web_conn *next;
    struct web_conn *previous;
    int fd;
    struct web_tls_conn *tls; /* NULL: none */
    enum web_phase phase;
    bool watched;
    uint32_t events;     /* that epoll watches, if watched */
    int64_t deadline_us; /* monotonic; INT64_MAX: none */
    int64_t since_us;    /* the beginning of the phase */
    bool served;         /* at least one request was complete */
    bool closing;        /* after this answer */
    bool ended;          /* the client sends no more */
    bool paused;         /* it is the turn of other connections */
    struct web_peer peer;

    char *in; /* what has arrived; NULL: nothing */
    size_t in_len;
    size_t in_size;
    struct web_head head;
    struct web_chunks chunks;
    struct web_request *request;

    struct web_response *response;
    bool without_body; /* the answer to HEAD */
    size_t sent;
    char tail[96]; /* the end of the response's head */
    size_t tail_len;
    size_t drained;
};

/* Takes over the socket. */
struct web_conn *web_conn_new(struct web *web, int fd, const struct web_peer *peer);
void web_conn_close(struct web_conn *conn); /* moves it to web->closed */
void web_conn_free(struct web_conn *conn);  /* a closed one */
/* Each of these may close the connection. */
void web_conn_ready(struct web_conn *conn);    /* what it watches has happened */
void web_conn_answered(struct web_conn *conn); /* its held request has an answer */
void web_conn_late(struct web_conn *conn);     /* its deadline has passed */
/* Sends the error and closes, instead of whatever else the connection does. */
void web_conn_refuse(struct web_conn *conn, const struct err *err);
/* How little is lost if it is closed for another one; 0: it must not be. */
int web_conn_spare(const struct web_conn *conn);

/* ---------------------------------------------------------------- the server */

struct web {
    pthread_mutex_t mutex;
    int references; /* the owner's and one per request */
    bool stopping;
    struct web_request *answered; /* held requests whose answer is to be sent */
    struct web_tls *tls;          /* for new connections; NULL: none */

    web_handler handler;
    web_problem problem;
    void *userdata;
    struct web_limits limits;
    struct web_trust trust;
    bool only_trusted; /* others than trusted proxies and this machine are refused */
    bool is_unix;

    int listen_fd;
    int epoll_fd;
    int wake_fd;
    pthread_t thread;
    _Atomic int64_t poked_mono_us; /* 0: the thread has answered the last web_poke */

    /* The thread's own. */
    struct web_conn *conns;
    struct web_conn *closed;
    unsigned conn_count;
    int64_t now_us;       /* monotonic, of this iteration */
    int64_t next_us;      /* no deadline is earlier */
    int64_t accept_at_us; /* new connections wait until then; 0: they are accepted */
    int64_t date_s;       /* of date */
    char date[40];

    uint16_t port;
    char unix_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

void web_lock(struct web *web);   /* any thread */
void web_unlock(struct web *web); /* any thread */
void web_ref(struct web *web);    /* any thread */
void web_unref(struct web *web);  /* any thread */
void web_wake(struct web *web);   /* any thread */
/* Sets the deadline of a connection; after_us from now, or INT64_MAX. */
void web_deadline(struct web_conn *conn, int64_t after_us);
void web_watch(struct web_conn *conn, uint32_t events);
/* "Sat, 21 Nov 2026 02:36:58 GMT" */
const char *web_date(struct web *web);
