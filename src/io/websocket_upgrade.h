/*
 * websocket_upgrade.h: the client's half of the WebSocket handshake (RFC 6455, 4.1), without its
 * socket. Private to io.
 *
 *     websocket_upgrade_begin(&upgrade, host, target, headers, &request);      // send it
 *     rc = websocket_upgrade_read(&upgrade, bytes, err);   // again with more while it returns 0
 *     if (rc == 1) frames begin at bytes.ptr + upgrade.used
 *
 * Always true: an answer is accepted only if it has status 101 and exactly one Upgrade: websocket,
 * Connection: upgrade and the one right Sec-WebSocket-Accept, and chooses no extension and no
 * subprotocol, since none is offered. Each line ends with CR LF, and none is folded.
 * Thread: any, after websocket_load.
 */
#pragma once

#include "answer_head.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "io/websocket.h"

#include <stddef.h>
#include <stdint.h>

#define WEBSOCKET_ANSWER_MAX 16384 /* bytes of the head of the answer */

struct websocket_upgrade {
    char accept[WEBSOCKET_ACCEPT_SIZE]; /* what the server must answer */
    struct answer_head head;            /* of the answer so far */
    size_t used;                        /* size of the head */
    int status;                         /* of the answer; 0: not read yet */
    int64_t retry_after_s;              /* -1: not given */
};

/* Appends the request. host: as in a URL, with a port unless it is the scheme's; target: path and
 * query; headers: "Name: value", the last one NULL, or NULL. None of them may have a line break. */
void websocket_upgrade_begin(struct websocket_upgrade *u, const char *host, const char *target,
                             const char *const *headers, struct buf *request);
/* 1: upgraded; 0: the bytes so far are valid, more must follow; negative: ERR_WEBSOCKET_HANDSHAKE,
 * or ERR_WEBSOCKET_REFUSED with another status. bytes: all so far. */
int websocket_upgrade_read(struct websocket_upgrade *u, struct str bytes, struct err *err);
