/*
 * cli_link.h: requests to a running daemon, over its socket, on a loop.
 *
 *     struct cli_link link;
 *     rc = cli_link_open(&link, args, &err);
 *     rc = cli_link_get(&link, "/api/v1/state", 2000, on_state, self, &err);
 *     loop_run(link.loop);
 *     cli_link_close(&link);
 *
 * Invariants: a callback runs exactly once, from the loop, unless the link is closed before.
 * Thread: main.
 */
#pragma once

#include "cli_internal.h"
#include "io/http.h"

struct cli_link {
    struct loop *loop;
    struct http *http;
    struct buf socket; /* path */
    struct buf state;  /* folder */
};

#define CLI_OPTION_SOCKET                                                         \
    {                                                                             \
        "--socket", "FILE", "socket of the daemon (default: in the state folder)" \
    }

/* Finds the socket (--socket, --state, --config); connects to nothing yet. *link must be closed,
 * also after a failure. */
int cli_link_open(struct cli_link *link, const struct cli_args *args, struct err *err);
void cli_link_close(struct cli_link *link);
int cli_link_get(struct cli_link *link, const char *path, int64_t timeout_ms, http_fn fn,
                 void *userdata, struct err *err);
/* The method, headers, body and timeout are those of `like`. NULL: it was not sent. */
struct http_call *cli_link_send(struct cli_link *link, const struct http_request *like,
                                const char *path, http_fn fn, void *userdata, struct err *err);
/* path may be a whole URL. */
int cli_link_post(struct cli_link *link, const char *path, struct str json, int64_t timeout_ms,
                  http_fn fn, void *userdata, struct err *err);
/* 0 if the response has a body to read; otherwise why there is no answer, in the words of a
 * caller: no daemon, or no access to its socket. */
int cli_link_check(const struct cli_link *link, const struct http_response *response,
                   struct err *err);
