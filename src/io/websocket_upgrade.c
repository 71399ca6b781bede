#include "websocket_upgrade.h"

#include "base/base64.h"
#include "base/check.h"
#include "io/secret.h"

#include <string.h>

enum { KEY_BYTES = 16 };

void websocket_upgrade_begin(struct websocket_upgrade *u, const char *host, const char *target,
                             const char *const *headers, struct buf *request)
{
    uint8_t nonce[KEY_BYTES];
    AUTO_BUF struct buf key = BUF_INIT(WEBSOCKET_KEY_CHARS);
    secret_random(nonce, sizeof(nonce));
    base64_add(&key, str_n((const char *)nonce, sizeof(nonce)));
    *u = (struct websocket_upgrade){.retry_after_s = -1};
    ASSERT(websocket_accept(buf_str(&key), u->accept));
    buf_addf(request,
             "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n"
             "User-Agent: nightdesk/" NIGHTDESK_VERSION "\r\n",
             target, host, key.data);
    for (const char *const *h = headers; h != NULL && *h != NULL; h++) {
        buf_addf(request, "%s\r\n", *h);
    }
    buf_add_c(request, "\r\n");
}

/* ---------------------------------------------------------------- the answer */

struct answer {
    int upgrades;
    int connections;
    int accepts;
    bool right; /* the accept */
};

/* Returns what is wrong, or NULL. */
static const char *use_field(struct websocket_upgrade *u, struct answer *answer, struct str name,
                             struct str value)
{
    int64_t seconds = 0;
    if (str_equal_nocase(name, "upgrade")) {
        answer->upgrades++;
        return str_equal_nocase(value, "websocket") ? NULL : "it upgrades to something else";
    }
    if (str_equal_nocase(name, "connection")) {
        answer->connections += answer_head_lists(value, "upgrade") ? 1 : 0;
    } else if (str_equal_nocase(name, "sec-websocket-accept")) {
        answer->accepts++;
        answer->right = str_equal_c(value, u->accept);
    } else if (str_equal_nocase(name, "sec-websocket-extensions")) {
        return "it chooses an extension, and none was offered";
    } else if (str_equal_nocase(name, "sec-websocket-protocol")) {
        return "it chooses a subprotocol, and none was offered";
    } else if (str_equal_nocase(name, "retry-after") && str_to_i64(value, &seconds) &&
               seconds >= 0) {
        u->retry_after_s = seconds < 86400 ? seconds : 86400;
    }
    return NULL;
}

static int broken(struct err *err, const char *why)
{
    return err_set(err, ERR_WEBSOCKET_HANDSHAKE, "%s", why);
}

static int judge(const struct websocket_upgrade *u, const struct answer *answer, const char *why,
                 struct err *err)
{
    if (u->status != 101) {
        return err_set(err, ERR_WEBSOCKET_REFUSED, "status %d", u->status);
    }
    if (why != NULL) {
        return broken(err, why);
    }
    if (answer->upgrades != 1 || answer->connections != 1) {
        return broken(err, "it has no Upgrade or Connection header, or several");
    }
    if (answer->accepts != 1 || !answer->right) {
        return broken(err, answer->accepts == 0 ? "it has no Sec-WebSocket-Accept"
                                                : "its Sec-WebSocket-Accept is wrong");
    }
    return 1;
}

int websocket_upgrade_read(struct websocket_upgrade *u, struct str bytes, struct err *err)
{
    struct answer answer = {0};
    struct str name, value;
    const char *why = NULL;
    int rc = answer_head_find(&u->head, bytes, WEBSOCKET_ANSWER_MAX, &why);
    if (rc == 0) {
        return 0;
    }
    if (rc < 0 || u->head.minor != 1) {
        return broken(err, rc < 0 ? why : "it is not HTTP/1.1");
    }
    u->status = u->head.status;
    u->used = u->head.size;
    while (why == NULL && (rc = answer_head_next(&u->head.fields, &name, &value)) > 0) {
        why = use_field(u, &answer, name, value);
    }
    return judge(u, &answer, rc < 0 ? "one of its headers is malformed" : why, err);
}
