#include "web_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int web_trust_read(const char *const *texts, struct web_trust *ret, struct err *err)
{
    *ret = (struct web_trust){0};
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        if (ret->count == WEB_TRUST_MAX ||
            !network_parse(str_c(texts[i]), &ret->networks[ret->count])) {
            return err_set(err, ERR_WEB_ADDRESS, "%.60s", texts[i]);
        }
        ret->count++;
    }
    return 0;
}

bool web_trust_has(const struct web_trust *trust, const struct address *address)
{
    for (int i = 0; i < trust->count; i++) {
        if (network_has(&trust->networks[i], address)) {
            return true;
        }
    }
    return false;
}

void web_peer_read(int fd, bool is_unix, struct web_peer *ret)
{
    *ret = (struct web_peer){.uid = -1};
    if (is_unix) {
        struct ucred peer;
        socklen_t size = sizeof(peer);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
            ret->uid = (int64_t)peer.uid;
        }
        return;
    }
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name = {0};
    socklen_t size = sizeof(name);
    char text[INET6_ADDRSTRLEN] = "";
    if (getpeername(fd, &name.any, &size) < 0) {
        return;
    }
    if (name.any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &name.v6.sin6_addr, text, sizeof(text));
        ret->port = ntohs(name.v6.sin6_port);
    } else {
        (void)inet_ntop(AF_INET, &name.v4.sin_addr, text, sizeof(text));
        ret->port = ntohs(name.v4.sin_port);
    }
    (void)address_parse(str_c(text), &ret->address);
}

bool web_peer_same(const struct web_peer *a, const struct web_peer *b)
{
    static const uint8_t four[12] = {[10] = 0xFF, [11] = 0xFF};
    bool is_four = memcmp(a->address.bytes, four, sizeof(four)) == 0;
    return a->uid == b->uid && memcmp(a->address.bytes, b->address.bytes, is_four ? 16 : 8) == 0;
}

bool web_forwarded(const struct web_trust *trust, struct str header, struct address *ret)
{
    while (header.len > 0) {
        size_t at = header.len;
        while (at > 0 && header.ptr[at - 1] != ',') {
            at--;
        }
        struct str last = str_trim(str_n(header.ptr + at, header.len - at));
        if (!address_parse(last, ret)) {
            return false;
        }
        if (!web_trust_has(trust, ret) || at == 0) {
            return true;
        }
        header.len = at - 1;
    }
    return false;
}
