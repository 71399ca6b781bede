#include "websocket_upgrade.h"

#include "base/base64.h"
#include "base/check.h"
#include "io/secret.h"

#include <string.h>

#define VERSION "HTTP/1.1 "

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

static bool has_token(struct str list, const char *token)
{
    struct str part;
    while (str_split(&list, ',', &part)) {
        if (str_equal_nocase(str_trim(part), token)) {
            return true;
        }
    }
    return false;
}

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
        answer->connections += has_token(value, "upgrade") ? 1 : 0;
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

/* Splits "Name: value" into its parts. */
static bool split_field(struct str line, struct str *ret_name, struct str *ret_value)
{
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t at = 0;
    while (at < line.len && line.ptr[at] != '\0' && strchr(token, line.ptr[at]) != NULL) {
        at++;
    }
    if (at == 0 || at == line.len || line.ptr[at] != ':') {
        return false;
    }
    *ret_name = str_n(line.ptr, at);
    *ret_value = str_n(line.ptr + at + 1, line.len - at - 1);
    for (size_t i = 0; i < ret_value->len; i++) {
        unsigned char c = (unsigned char)ret_value->ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            return false;
        }
    }
    *ret_value = str_trim(*ret_value);
    return true;
}

/* Takes the line at the front, without its end; what follows the last one has no line end. */
static struct str take_line(struct str *rest)
{
    const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    struct str line = str_n(rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr));
    size_t used = end == NULL ? rest->len : line.len + 2;
    *rest = str_n(rest->ptr + used, rest->len - used);
    return line;
}

static int broken(struct err *err, const char *why)
{
    return err_set(err, ERR_WEBSOCKET_HANDSHAKE, "%s", why);
}

/* "HTTP/1.1 101 Switching Protocols" */
static bool read_status(struct websocket_upgrade *u, struct str line)
{
    int64_t status = 0;
    size_t at = sizeof(VERSION) - 1;
    if (line.len < at + 3 || (line.len > at + 3 && line.ptr[at + 3] != ' ') ||
        !str_to_i64(str_n(line.ptr + at, 3), &status) || status < 100 || status > 599) {
        return false;
    }
    u->status = (int)status;
    return true;
}

/* head: without the empty line at its end. */
static int read_head(struct websocket_upgrade *u, struct str head, struct err *err)
{
    struct answer answer = {0};
    struct str name, value;
    if (!read_status(u, take_line(&head))) {
        return broken(err, "its status line is malformed");
    }
    const char *why = NULL;
    while (head.len > 0 && why == NULL) {
        struct str line = take_line(&head);
        why = !split_field(line, &name, &value) ? "one of its headers is malformed"
                                                : use_field(u, &answer, name, value);
    }
    if (u->status != 101) {
        return err_set(err, ERR_WEBSOCKET_REFUSED, "status %d", u->status);
    }
    if (why != NULL) {
        return broken(err, why);
    }
    if (answer.upgrades != 1 || answer.connections != 1) {
        return broken(err, "it has no Upgrade or Connection header, or several");
    }
    if (answer.accepts != 1 || !answer.right) {
        return broken(err, answer.accepts == 0 ? "it has no Sec-WebSocket-Accept"
                                               : "its Sec-WebSocket-Accept is wrong");
    }
    return 1;
}

int websocket_upgrade_read(struct websocket_upgrade *u, struct str bytes, struct err *err)
{
    static const char end_of_head[] = "\r\n\r\n";
    size_t version = sizeof(VERSION) - 1;
    if (memcmp(bytes.ptr, VERSION, bytes.len < version ? bytes.len : version) != 0) {
        return broken(err, "it is not HTTP/1.1");
    }
    /* The end may have begun in the bytes before. */
    size_t from = u->searched > 3 ? u->searched - 3 : 0;
    const char *end = memmem(bytes.ptr + from, bytes.len - from, end_of_head, 4);
    u->searched = bytes.len;
    size_t size = end == NULL ? bytes.len : (size_t)(end - bytes.ptr) + 4;
    if (size > WEBSOCKET_ANSWER_MAX) {
        return broken(err, "its headers are too long");
    }
    if (end == NULL) {
        return 0;
    }
    u->used = size;
    return read_head(u, str_n(bytes.ptr, size - 4), err);
}
