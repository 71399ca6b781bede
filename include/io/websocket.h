/*
 * websocket.h: one end of a WebSocket connection (RFC 6455), without its socket: the server's
 * handshake, frames in, frames out (wslay). websocket_client.h is a client with its socket.
 *
 *     websocket_accept(web_header(request, "Sec-WebSocket-Key"), accept);
 *     ws = websocket_new(&(struct websocket_options){.max_message = 4096, .fn = on_message, ...});
 *     websocket_receive(ws, bytes);                    // calls fn for each whole message
 *     send(websocket_output(ws)), buf_clear(...);      // pongs, pings and the close of this end
 *     if (websocket_is_over(ws) && nothing is left to send) close(fd);
 *
 * Always true: a frame that breaks the protocol closes the connection with the code that RFC 6455
 * names: 1002 if it is masked as the other end's must not be, or not masked as it must be, has a
 * reserved bit or opcode, is a fragmented or long control frame or comes in the wrong order, 1007
 * if a text is not UTF-8, 1009 if a message is longer than max_message, and nothing of it is kept
 * before that is known. After a close, of either end, no message arrives any more. A server does
 * not frame its messages one by one for each client: websocket_head makes the head of a frame that
 * any number of them can be sent. A client's are masked (websocket_send).
 * The output grows with what the other end sends: by less than that, at a client by at most three
 * times as much. A caller that waits until it was sent before it receives more bounds it.
 * Thread: one at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct websocket;

/* The reasons for a close that we give (RFC 6455, 7.4.1, and IANA's registry). */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL = 1002,
    WEBSOCKET_UNSUPPORTED = 1003, /* a kind of message that is not accepted */
    WEBSOCKET_INVALID = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_LONG = 1009,
    WEBSOCKET_TRY_LATER = 1013
};

typedef void (*websocket_fn)(struct websocket *ws, struct str message, bool binary, void *userdata);

struct websocket_options {
    bool client; /* this end */
    size_t max_message;
    size_t max_output; /* more is a bug; 0: 256 KiB */
    websocket_fn fn;   /* may close, not free */
    /* A pong with its payload; may close, not free. NULL: nobody wants to know. */
    void (*on_pong)(struct websocket *ws, struct str payload, void *userdata);
    void *userdata;
};

/* Loads the libraries. Error: ERR_LIBRARY. */
int websocket_load(struct err *err);

#define WEBSOCKET_KEY_CHARS   24 /* 16 bytes in base 64 */
#define WEBSOCKET_ACCEPT_SIZE 29
/* The value of Sec-WebSocket-Accept for a Sec-WebSocket-Key; false: it is no key. */
bool websocket_accept(struct str key, char ret[WEBSOCKET_ACCEPT_SIZE]);

/* Never NULL. After websocket_load. */
struct websocket *websocket_new(const struct websocket_options *options);
void websocket_free(struct websocket *ws); /* takes NULL */
void websocket_receive(struct websocket *ws, struct str bytes);
/* Frames to send, in their order, between two frames of others. The caller clears it. */
struct buf *websocket_output(struct websocket *ws);
void websocket_ping(struct websocket *ws, struct str payload); /* at most 125 bytes */
/* A text message of a client. */
void websocket_send(struct websocket *ws, struct str text);
/* Only the first close counts. reason: at most 120 bytes. */
void websocket_close(struct websocket *ws, enum websocket_code code, const char *reason);
/* Its last frame, a close, is in the output or was sent: nothing may follow. */
bool websocket_is_over(const struct websocket *ws);
/* The code of that close, 0 if it has none. */
int websocket_code(const struct websocket *ws);
/* The other end closed first: *ret_code is its code, 0 if it gave none, *ret_reason its text, valid
 * until ws is freed; both are NULL or filled in. False: this end closed. */
bool websocket_was_closed(const struct websocket *ws, int *ret_code, struct str *ret_reason);

#define WEBSOCKET_HEAD_MAX 10
/* Writes the head of an unfragmented text frame with so many bytes; returns its size. */
size_t websocket_head(size_t payload, char ret[WEBSOCKET_HEAD_MAX]);
