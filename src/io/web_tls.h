/*
 * web_tls.h: the server's side of TLS (OpenSSL, loaded at the first use). Private to io.
 *
 *     rc = web_tls_new("cert.pem", "key.pem", &tls, err);
 *     struct web_tls_conn *conn = web_tls_accept(tls, fd);
 *
 * Always true: TLS 1.2 or later; no compression, no renegotiation. A connection keeps the
 * certificate that it began with, however early its struct web_tls is freed.
 * Ownership: the socket stays the caller's. Thread: any, one at a time per object.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct web_tls;
struct web_tls_conn;

/* ERR_WEB_TLS if a file cannot be used, or the key does not belong to the certificate. */
int web_tls_new(const char *cert_path, const char *key_path, struct web_tls **ret, struct err *err);
void web_tls_free(struct web_tls *tls);                           /* takes NULL */
struct web_tls_conn *web_tls_accept(struct web_tls *tls, int fd); /* never NULL */
void web_tls_conn_free(struct web_tls_conn *conn);                /* takes NULL */

/* What a call waits for when it returns -1 and errno is EAGAIN. */
bool web_tls_wants_write(const struct web_tls_conn *conn);
/* 1: it is done; 0: try again when the socket is ready; -1: it failed. */
int web_tls_handshake(struct web_tls_conn *conn);
/* As recv and send. */
ssize_t web_tls_read(struct web_tls_conn *conn, void *dst, size_t size);
ssize_t web_tls_send(struct web_tls_conn *conn, const struct iovec *parts, size_t count);
bool web_tls_pending(const struct web_tls_conn *conn); /* a read returns something at once */
void web_tls_end(struct web_tls_conn *conn);           /* says that no more is sent */
