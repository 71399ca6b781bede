/* What a WebSocket client sends: however its bytes are cut, the same messages arrive and the
 * connection ends in the same way. The first byte of the input says where the bytes are cut. */
#include "io/websocket.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 512 };

static void on_message(struct websocket *ws, struct str message, bool binary, void *userdata)
{
    (void)binary;
    struct buf *said = userdata;
    if (message.len > MESSAGE_MAX || websocket_is_over(ws)) {
        abort();
    }
    buf_add_str(said, message);
    buf_add_char(said, '\n');
}

static struct websocket *receive(struct str bytes, size_t step, struct buf *said)
{
    struct websocket *ws = websocket_new(&(struct websocket_options){
        .max_message = MESSAGE_MAX, .fn = on_message, .userdata = said});
    for (size_t at = 0; at < bytes.len; at += step) {
        size_t left = bytes.len - at;
        websocket_receive(ws, str_n(bytes.ptr + at, left < step ? left : step));
    }
    return ws;
}

/* The text of a close: wslay finds what is broken in it before it is whole if it comes in one
 * piece, else at its end, after a code that is not allowed; and not that it is right where a
 * character of it is cut. */
static bool same_end(const struct websocket *a, const struct websocket *b)
{
    if (websocket_is_over(a) == websocket_is_over(b)) {
        bool text =
            websocket_code(a) == WEBSOCKET_INVALID || websocket_code(b) == WEBSOCKET_INVALID;
        return websocket_code(a) == websocket_code(b) || (websocket_is_over(a) && text);
    }
    return websocket_code(websocket_is_over(a) ? a : b) == WEBSOCKET_INVALID;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf whole_said = BUF_INIT((size_t)1 << 20);
    AUTO_BUF struct buf parts_said = BUF_INIT((size_t)1 << 20);
    if (size < 1 || websocket_load(NULL) < 0) {
        return 0;
    }
    struct str bytes = str_n((const char *)data + 1, size - 1);
    if (bytes.len > 64 * 1024) {
        return 0;
    }
    struct websocket *whole = receive(bytes, bytes.len + 1, &whole_said);
    struct websocket *parts = receive(bytes, (size_t)data[0] % 16 + 1, &parts_said);
    const struct buf *output = websocket_output(whole);
    if (!str_equal(buf_str(&whole_said), buf_str(&parts_said)) ||
        /* A close goes before the pongs that are not sent yet. */
        (!websocket_is_over(whole) && !websocket_is_over(parts) &&
         !str_equal(buf_str(output), buf_str(websocket_output(parts)))) ||
        !same_end(whole, parts) || output->len > bytes.len + 4) {
        abort();
    }
    websocket_free(whole);
    websocket_free(parts);
    return 0;
}
