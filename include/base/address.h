/*
 * address.h: IP addresses, and networks of them, of either version as one type.
 *
 *     struct address from;
 *     struct network office;
 *     if (address_parse(str_c("10.1.2.3"), &from) && network_parse(str_c("10.0.0.0/8"), &office))
 *         admitted = network_has(&office, &from);
 *
 * Invariants: an IPv4 address is the IPv6 address ::ffff:a.b.c.d, so that a client that arrives at
 * a socket of both versions has one form. The bits of a network behind its prefix are zero.
 * Thread: any; no shared state.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct address {
    uint8_t bytes[16];
};

struct network {
    struct address address;
    uint8_t bits; /* length of the prefix: 0 to 128 */
};

/* "10.1.2.3", "2001:db8::1"; false for any other text, such as one with a port or a zone. */
bool address_parse(struct str s, struct address *ret);
/* "10.1.2.3:8080", "[2001:db8::1]:8080", as web_remote gives it. */
bool address_parse_peer(struct str s, struct address *ret);
bool address_equal(const struct address *a, const struct address *b);
bool address_is_four(const struct address *a); /* of IPv4 */
/* 127.0.0.0/8 and ::1. */
bool address_is_loopback(const struct address *a);
void address_add(struct buf *out, const struct address *a);

/* "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the prefix are set to zero. */
bool network_parse(struct str s, struct network *ret);
/* The network of this address with a prefix of so many of 128 bits. */
struct network network_around(const struct address *a, unsigned bits);
bool network_has(const struct network *n, const struct address *a);
void network_add(struct buf *out, const struct network *n);
