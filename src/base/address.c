#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

#define MAPPED_BITS 96 /* of ::ffff:0:0/96, before an IPv4 address */

static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool address_is_four(const struct address *a)
{
    return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

bool address_parse(struct str s, struct address *ret)
{
    char text[INET6_ADDRSTRLEN];
    struct address a = {{0}};
    if (!str_copy(s, text, sizeof(text)) || strlen(text) != s.len) {
        return false;
    }
    if (inet_pton(AF_INET6, text, a.bytes) != 1) {
        memcpy(a.bytes, mapped, sizeof(mapped));
        if (inet_pton(AF_INET, text, a.bytes + sizeof(mapped)) != 1) {
            return false;
        }
    }
    *ret = a;
    return true;
}

bool address_parse_peer(struct str s, struct address *ret)
{
    size_t colon = s.len;
    while (colon > 0 && s.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2) {
        return false;
    }
    bool six = s.ptr[0] == '[' && s.ptr[colon - 2] == ']';
    return six ? colon > 3 && address_parse(str_n(s.ptr + 1, colon - 3), ret)
               : address_parse(str_n(s.ptr, colon - 1), ret);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool address_is_loopback(const struct address *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return address_is_four(a) ? a->bytes[sizeof(mapped)] == 127
                              : memcmp(a->bytes, one, sizeof(one)) == 0;
}

void address_add(struct buf *out, const struct address *a)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool four = address_is_four(a);
    (void)inet_ntop(four ? AF_INET : AF_INET6, a->bytes + (four ? sizeof(mapped) : 0), text,
                    sizeof(text));
    buf_add_c(out, text);
}

static void clear_rest(struct network *n)
{
    for (unsigned bit = n->bits; bit < 128; bit++) {
        n->address.bytes[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
    }
}

bool network_parse(struct str s, struct network *ret)
{
    struct network n = {.bits = 128};
    struct str rest = s, address;
    bool has_prefix = false;
    int64_t bits = 0;
    for (size_t i = 0; i < s.len; i++) {
        has_prefix = has_prefix || s.ptr[i] == '/';
    }
    if (!str_split(&rest, '/', &address) || !address_parse(address, &n.address)) {
        return false;
    }
    if (has_prefix) {
        bool four = address_is_four(&n.address);
        if (str_starts(rest, "+") || !str_to_i64(rest, &bits) || bits < 0 ||
            bits > (four ? 32 : 128)) {
            return false;
        }
        n.bits = (uint8_t)(bits + (four ? MAPPED_BITS : 0));
    }
    clear_rest(&n);
    *ret = n;
    return true;
}

struct network network_around(const struct address *a, unsigned bits)
{
    struct network n = {.address = *a, .bits = (uint8_t)(bits < 128 ? bits : 128)};
    clear_rest(&n);
    return n;
}

bool network_has(const struct network *n, const struct address *a)
{
    const struct network of = network_around(a, n->bits);
    return address_equal(&of.address, &n->address);
}

void network_add(struct buf *out, const struct network *n)
{
    address_add(out, &n->address);
    if (n->bits < 128) {
        buf_addf(out, "/%d", n->bits - (address_is_four(&n->address) ? MAPPED_BITS : 0));
    }
}
