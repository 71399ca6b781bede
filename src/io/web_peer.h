/*
 * web_peer.h: who is at the other end of a connection, and which addresses are trusted proxies.
 * Private to io. Thread: any.
 */
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct web_peer {
    int64_t uid; /* of the process at a Unix socket; -1 over TCP */
    struct address address;
    uint16_t port;
};

#define WEB_TRUST_MAX 16

struct web_trust {
    int count;
    struct network networks[WEB_TRUST_MAX];
};

/* texts: the last one NULL; or NULL. */
int web_trust_read(const char *const *texts, struct web_trust *ret, struct err *err);
bool web_trust_has(const struct web_trust *trust, const struct address *address);
/* Of a connected socket. */
void web_peer_read(int fd, bool is_unix, struct web_peer *ret);
/* Whether two connections count as of one client: the same user, address or IPv6 network of /64. */
bool web_peer_same(const struct web_peer *a, const struct web_peer *b);
/* The client's address behind trusted proxies: the last one of X-Forwarded-For that is none of
 * them. False if that is no address. */
bool web_forwarded(const struct web_trust *trust, struct str header, struct address *ret);
