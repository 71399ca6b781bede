/* What a WebSocket server sends, from its answer to the upgrade on: however its bytes are cut, the
 * same messages arrive and the connection ends in the same way. The first byte of the input says
 * where the bytes are cut. */
#include "../../src/io/websocket_upgrade.h"
#include "io/secret.h"
#include "io/websocket.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 512 };

struct end {
    struct websocket_upgrade upgrade;
    struct websocket *ws; /* NULL: not upgraded */
    int refused;          /* an error */
    struct buf head;
    struct buf said;
};

static void on_message(struct websocket *ws, struct str message, bool binary, void *userdata)
{
    struct end *end = userdata;
    if (message.len > MESSAGE_MAX || websocket_is_over(ws) || (!binary && !str_is_utf8(message))) {
        abort();
    }
    buf_add_str(&end->said, message);
    buf_add_char(&end->said, binary ? '#' : '\n');
}

static void on_pong(struct websocket *ws, struct str payload, void *userdata)
{
    (void)ws;
    buf_add_str(&((struct end *)userdata)->said, payload);
    buf_add_char(&((struct end *)userdata)->said, '!');
}

static void take(struct end *end, struct str bytes)
{
    struct err err = {0};
    if (end->ws != NULL) {
        websocket_receive(end->ws, bytes);
        return;
    }
    if (end->refused != 0) {
        return;
    }
    buf_add_str(&end->head, bytes);
    int rc = websocket_upgrade_read(&end->upgrade, buf_str(&end->head), &err);
    end->refused = rc < 0 ? rc : 0;
    if (rc == 1) {
        size_t used = end->upgrade.used;
        if (end->upgrade.status != 101 || used > end->head.len || used > WEBSOCKET_ANSWER_MAX) {
            abort();
        }
        end->ws = websocket_new(&(struct websocket_options){.client = true,
                                                            .max_message = MESSAGE_MAX,
                                                            .fn = on_message,
                                                            .on_pong = on_pong,
                                                            .userdata = end});
        websocket_receive(end->ws, str_n(end->head.data + used, end->head.len - used));
    }
}

static void receive(struct end *end, struct str bytes, size_t step)
{
    AUTO_BUF struct buf request = BUF_INIT(1024);
    *end = (struct end){.head = BUF_INIT((size_t)1 << 20), .said = BUF_INIT((size_t)1 << 20)};
    websocket_upgrade_begin(&end->upgrade, "h", "/", NULL, &request);
    /* The example of RFC 6455, 1.3: the corpus cannot know the key. */
    (void)str_copy(str_c("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), end->upgrade.accept,
                   sizeof(end->upgrade.accept));
    for (size_t at = 0; at < bytes.len; at += step) {
        size_t left = bytes.len - at;
        take(end, str_n(bytes.ptr + at, left < step ? left : step));
    }
}

static void release(struct end *end)
{
    websocket_free(end->ws);
    buf_release(&end->head);
    buf_release(&end->said);
}

/* Whether both have come to the same. The output is masked at random. */
static bool agree(struct end *a, struct end *b)
{
    int code_a = 0, code_b = 0;
    struct str reason_a = str_c(""), reason_b = str_c("");
    if ((a->ws == NULL) != (b->ws == NULL) || a->refused != b->refused ||
        a->upgrade.retry_after_s != b->upgrade.retry_after_s ||
        !str_equal(buf_str(&a->said), buf_str(&b->said))) {
        return false;
    }
    if (a->ws == NULL) {
        return true;
    }
    /* wslay finds broken text in a close before it is whole if it comes in one piece, else at its
     * end, after a code that is not allowed. */
    const struct websocket *early = websocket_is_over(a->ws) ? a->ws : b->ws;
    const struct websocket *late = early == a->ws ? b->ws : a->ws;
    if (websocket_code(early) == WEBSOCKET_INVALID &&
        (!websocket_is_over(late) || websocket_code(late) == WEBSOCKET_PROTOCOL)) {
        return true;
    }
    /* Nor does it find that the text of a close is right where a character of it is cut. */
    if (websocket_is_over(early) && websocket_is_over(late) &&
        (websocket_code(early) == WEBSOCKET_INVALID || websocket_code(late) == WEBSOCKET_INVALID)) {
        return true;
    }
    return websocket_is_over(a->ws) == websocket_is_over(b->ws) &&
           websocket_code(a->ws) == websocket_code(b->ws) &&
           websocket_was_closed(a->ws, &code_a, &reason_a) ==
               websocket_was_closed(b->ws, &code_b, &reason_b) &&
           code_a == code_b && str_equal(reason_a, reason_b) &&
           /* A close goes before the pongs that are not sent yet. */
           (websocket_is_over(a->ws) ||
            websocket_output(a->ws)->len == websocket_output(b->ws)->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct end whole, parts;
    if (size < 1 || size > 64 * 1024 || websocket_load(NULL) < 0 || secret_init(NULL) < 0) {
        return 0;
    }
    struct str bytes = str_n((const char *)data + 1, size - 1);
    receive(&whole, bytes, bytes.len + 1);
    receive(&parts, bytes, (size_t)data[0] % 16 + 1);
    if (!agree(&whole, &parts) ||
        (whole.ws != NULL && websocket_output(whole.ws)->len > 3 * bytes.len + 8)) {
        abort();
    }
    release(&whole);
    release(&parts);
    return 0;
}
