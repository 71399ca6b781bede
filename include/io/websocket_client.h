/*
 * websocket_client.h: a client of a WebSocket server on a loop: connection and TLS by libcurl,
 * frames by wslay (websocket.h).
 *
 *     ws = websocket_client_open(http, &(struct websocket_client_options){
 *         .url = "wss://stream.example.com/ws", .max_message = 16 << 20, .silence_us = …,
 *         .on_open = …, .on_message = …, .on_close = on_close, .userdata = self}, err);
 *     if (websocket_client_send(ws, str_c("{\"method\":…}"), err) < 0) …      // after on_open
 *     static void on_close(…) { websocket_client_free(TAKE(self->ws)); loop_timer_in(retry, …); }
 *
 * Always true: on_close runs exactly once, unless the owner frees the client first: for every
 * reason for which it ends, within a bounded time, and nothing else runs after it. Callbacks run
 * from the loop, never inside a call; each may send, close and free. No call waits.
 * - Name, connection, TLS and upgrade together take at most open_timeout_us.
 * - The upgrade is checked strictly; redirects are not followed; no extension is offered.
 * - Pings are answered with their payload. Frames that break the protocol end the connection.
 * - A connection on which nothing arrives for silence_us, pongs included, ends
 *   (ERR_WEBSOCKET_SILENT); so does one whose server does not read: at most max_output bytes wait
 *   to be sent (ERR_WEBSOCKET_BLOCKED).
 * - At age_us it ends (ERR_WEBSOCKET_AGED); notice_us before that, on_aging tells the owner, who
 * may open the next one beside it. No error text has the query of the URL, where keys are
 * (http_redact_url). The owner frees the client, in on_close or any time; before the struct http
 * with which it was opened. Proxies come from the environment variables that curl reads. Thread:
 * the loop's.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "io/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct websocket_client;

/* Why it ended. */
struct websocket_end {
    const struct err *err; /* WEBSOCKET_… or HTTP_…; id ERR_NONE: the owner has closed it */
    int status;            /* HTTP status of the answer to the upgrade; 0: there was none */
    int64_t retry_after_s; /* which that answer asks for, 0..86400; -1: it does not */
    int code;              /* of the server's close; 0: it sent none, or one without a code */
    const char *reason;    /* of it, made safe to show; or "" */
};

struct websocket_client_options {
    const char *url;            /* ws:// or wss:// */
    const char *const *headers; /* "Name: value" for the upgrade, the last one NULL; or NULL */
    const char *ca_file;        /* PEM; NULL or "": the authorities of the system */
    size_t max_message;         /* 0: 1 MiB */
    size_t max_output;          /* 0: 1 MiB */
    int64_t open_timeout_us;    /* 0: 10 s */
    int64_t ping_us;            /* so often we ping; 0: a third of silence_us */
    int64_t silence_us;         /* 0: 60 s */
    int64_t age_us;             /* 0: no limit */
    int64_t notice_us;
    void (*on_open)(struct websocket_client *ws, void *userdata); /* or NULL */
    /* A whole message, valid until it returns; a text is UTF-8. */
    void (*on_message)(struct websocket_client *ws, struct str message, bool binary,
                       void *userdata);
    void (*on_aging)(struct websocket_client *ws, void *userdata); /* or NULL */
    void (*on_close)(struct websocket_client *ws, const struct websocket_end *end, void *userdata);
    void *userdata;
};

/* Copies what it needs. NULL: ERR_HTTP_URL, ERR_LIBRARY. */
struct websocket_client *websocket_client_open(struct http *http,
                                               const struct websocket_client_options *options,
                                               struct err *err);
/* A text message. Errors, after which on_close runs or has run: ERR_WEBSOCKET_BLOCKED, or
 * ERR_WEBSOCKET_LOST if it is not open. Success says that it was handed to the kernel or waits. */
int websocket_client_send(struct websocket_client *ws, struct str text, struct err *err);
/* Says goodbye: on_close runs when the server has ended the connection, at the latest
 * after 2 s, or silence_us if that is less. */
void websocket_client_close(struct websocket_client *ws);
/* Ends it at once, without on_close; takes NULL. */
void websocket_client_free(struct websocket_client *ws);

bool websocket_client_is_open(const struct websocket_client *ws);
/* From the newest ping of ours to its pong; -1: there was none yet. */
int64_t websocket_client_rtt_us(const struct websocket_client *ws);
