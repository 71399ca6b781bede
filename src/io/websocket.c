#include "io/websocket.h"

#include "base/check.h"
#include "io/secret.h"
#include "library.h"

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <string.h>
#include <wslay/wslay.h>

/* clang-format off */
#define WSLAY_FUNCTIONS(X) \
    X(event_config_set_max_recv_msg_length) X(event_context_client_init) X(event_context_free) \
    X(event_context_server_init) \
    X(event_get_close_sent) X(event_get_status_code_sent) \
    X(event_recv) X(event_send) X(event_set_error) X(event_shutdown_read)
#define NETTLE_FUNCTIONS(X) \
    X(base64_encode_raw) X(sha1_digest) X(sha1_init) X(sha1_update)
/* clang-format on */

static struct {
#define X(name) __typeof__(wslay_##name) *name;
    WSLAY_FUNCTIONS(X)
#undef X
} wslay;

static const struct library_function wslay_functions[] = {
#define X(name) {"wslay_" #name, &wslay.name},
    WSLAY_FUNCTIONS(X)
#undef X
};

static struct library wslay_library = {.names = {"libwslay.so.1"},
                                       .package = "libwslay1",
                                       .error = ERR_LIBRARY,
                                       .functions = wslay_functions,
                                       .function_count = COUNT_OF(wslay_functions)};

/* nettle's names are macros for names with a prefix. */
static struct {
#define X(name) __typeof__(nettle_##name) *name##_;
    NETTLE_FUNCTIONS(X)
#undef X
} nettle;

static const struct library_function nettle_functions[] = {
#define X(name) {"nettle_" #name, &nettle.name##_},
    NETTLE_FUNCTIONS(X)
#undef X
};

/* The part of GnuTLS that computes: a machine with TLS has it. */
static struct library nettle_library = {.names = {"libnettle.so.8"},
                                        .package = "libnettle8",
                                        .error = ERR_LIBRARY,
                                        .functions = nettle_functions,
                                        .function_count = COUNT_OF(nettle_functions)};

enum { CONTROL_MAX = 125 };

struct websocket {
    struct websocket_options options;
    wslay_event_context_ptr context;
    struct str input; /* what of the bytes wslay has not taken yet */
    struct buf output;
    bool bad_reason; /* the close of the other end gives one that is not UTF-8 */
    bool over;
    bool closed; /* by the other end, first */
    int code;    /* of our close */
    int peer_code;
    char peer_reason[CONTROL_MAX + 1];
};

enum { OUTPUT_MAX = 256 * 1024, CLOSE_HEAD = 0x88, PING_HEAD = 0x89, TEXT_HEAD = 0x81 };
enum { MASK_BIT = 0x80, MASK_SIZE = 4, REASON_MAX = 120 };

int websocket_load(struct err *err)
{
    int rc = library_load(&wslay_library, err);
    return rc < 0 ? rc : library_load(&nettle_library, err);
}

/* ---------------------------------------------------------------- handshake */

static bool is_key(struct str key)
{
    bool well = key.len == WEBSOCKET_KEY_CHARS && key.ptr[22] == '=' && key.ptr[23] == '=';
    for (size_t i = 0; well && i < 22; i++) {
        char c = key.ptr[i];
        well = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '/';
    }
    return well;
}

bool websocket_accept(struct str key, char ret[WEBSOCKET_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    struct sha1_ctx sha1;
    uint8_t digest[SHA1_DIGEST_SIZE];
    _Static_assert(BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) == WEBSOCKET_ACCEPT_SIZE - 1, "");
    if (!is_key(key)) {
        return false;
    }
    nettle.sha1_init_(&sha1);
    nettle.sha1_update_(&sha1, key.len, (const uint8_t *)key.ptr);
    nettle.sha1_update_(&sha1, sizeof(guid) - 1, (const uint8_t *)guid);
    nettle.sha1_digest_(&sha1, sizeof(digest), digest);
    nettle.base64_encode_raw_(ret, sizeof(digest), digest);
    ret[WEBSOCKET_ACCEPT_SIZE - 1] = '\0';
    return true;
}

/* ---------------------------------------------------------------- frames in */

static ssize_t on_read(wslay_event_context_ptr context, uint8_t *to, size_t size, int flags,
                       void *userdata)
{
    (void)flags;
    struct websocket *ws = userdata;
    if (ws->input.len == 0) {
        wslay.event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = ws->input.len < size ? ws->input.len : size;
    memcpy(to, ws->input.ptr, n);
    ws->input = str_n(ws->input.ptr + n, ws->input.len - n);
    return (ssize_t)n;
}

static ssize_t on_write(wslay_event_context_ptr context, const uint8_t *bytes, size_t size,
                        int flags, void *userdata)
{
    (void)context;
    (void)flags;
    struct websocket *ws = userdata;
    buf_add(&ws->output, bytes, size);
    NEED_MEMORY(!buf_failed(&ws->output));
    return (ssize_t)size;
}

static int on_mask(wslay_event_context_ptr context, uint8_t *mask, size_t size, void *userdata)
{
    (void)context;
    (void)userdata;
    secret_random(mask, size);
    return 0;
}

/* wslay has found a close valid, but for the end of its reason. */
static void on_close(struct websocket *ws, struct str text, int code)
{
    struct str reason = text.len > 2 ? str_n(text.ptr + 2, text.len - 2) : str_c("");
    ws->bad_reason = !str_is_utf8(reason);
    if (!ws->over && !ws->bad_reason) {
        ws->closed = true;
        ws->peer_code = code == WSLAY_CODE_NO_STATUS_RCVD ? 0 : code;
        (void)str_copy(reason, ws->peer_reason, sizeof(ws->peer_reason));
    }
}

static void on_message(wslay_event_context_ptr context,
                       const struct wslay_event_on_msg_recv_arg *message, void *userdata)
{
    (void)context;
    struct websocket *ws = userdata;
    struct str text = str_n((const char *)message->msg, message->msg_length);
    if (message->opcode == WSLAY_CONNECTION_CLOSE) {
        on_close(ws, text, message->status_code);
    } else if (!ws->over && !wslay_is_ctrl_frame(message->opcode)) {
        ws->options.fn(ws, text, message->opcode == WSLAY_BINARY_FRAME, ws->options.userdata);
    } else if (!ws->over && message->opcode == WSLAY_PONG && ws->options.on_pong != NULL) {
        ws->options.on_pong(ws, text, ws->options.userdata);
    }
}

/*
 * Takes what wslay has to send: control frames, of a head of two bytes, a mask if this is the
 * client, and as many bytes as the head says. Its close, which is the last one, is left out: wslay
 * answers a wrong head without a code, and sends a reason back that it has not checked to the end.
 */
static void pump(struct websocket *ws)
{
    size_t at = ws->output.len;
    NEED_MEMORY(wslay.event_send(ws->context) == 0);
    while (at < ws->output.len && (unsigned char)ws->output.data[at] != CLOSE_HEAD) {
        unsigned char size = (unsigned char)ws->output.data[at + 1];
        at += 2 + ((size & MASK_BIT) != 0 ? (size_t)MASK_SIZE : 0) + (size & ~(unsigned)MASK_BIT);
    }
    buf_truncate(&ws->output, at);
}

/* Adds a payload as a client must send it (RFC 6455, 5.3). */
static void add_masked(struct buf *output, struct str payload)
{
    char chunk[512];
    uint8_t mask[MASK_SIZE];
    secret_random(mask, sizeof(mask));
    buf_add(output, mask, sizeof(mask));
    for (size_t at = 0; at < payload.len;) {
        size_t n = payload.len - at < sizeof(chunk) ? payload.len - at : sizeof(chunk);
        for (size_t i = 0; i < n; i++) { /* a chunk begins at a multiple of the mask's size */
            chunk[i] = (char)((uint8_t)payload.ptr[at + i] ^ mask[i % MASK_SIZE]);
        }
        buf_add(output, chunk, n);
        at += n;
    }
}

static void add_frame(struct websocket *ws, int first, struct str payload)
{
    char head[WEBSOCKET_HEAD_MAX];
    size_t size = websocket_head(payload.len, head);
    head[0] = (char)first;
    head[1] = (char)(head[1] | (ws->options.client ? MASK_BIT : 0));
    buf_add(&ws->output, head, size);
    if (ws->options.client) {
        add_masked(&ws->output, payload);
    } else {
        buf_add_str(&ws->output, payload);
    }
    NEED_MEMORY(!buf_failed(&ws->output));
}

static void end(struct websocket *ws, int code, const char *reason)
{
    char payload[CONTROL_MAX];
    struct str text = str_c(reason);
    ASSERT(text.len <= REASON_MAX);
    ws->over = true;
    ws->code = code;
    payload[0] = (char)(code >> 8);
    payload[1] = (char)(code & 0xFF);
    memcpy(payload + 2, text.ptr, text.len);
    add_frame(ws, CLOSE_HEAD, str_n(payload, code == 0 ? 0 : 2 + text.len));
}

/* What wslay has closed for: 0 if the other end has closed without a code. */
static int code_of(const struct websocket *ws)
{
    int code = wslay.event_get_status_code_sent(ws->context);
    return ws->bad_reason ? WEBSOCKET_INVALID : code == WSLAY_CODE_NO_STATUS_RCVD ? 0 : code;
}

void websocket_receive(struct websocket *ws, struct str bytes)
{
    if (ws->over) {
        return;
    }
    ws->input = bytes;
    int rc = wslay.event_recv(ws->context);
    ws->input = str_c("");
    NEED_MEMORY(rc != WSLAY_ERR_NOMEM);
    if (!ws->over) {
        pump(ws);
        if (rc < 0) {
            end(ws, WEBSOCKET_PROTOCOL, "");
        } else if (wslay.event_get_close_sent(ws->context)) {
            end(ws, code_of(ws), "");
        }
    }
}

/* ---------------------------------------------------------------- frames out */

struct buf *websocket_output(struct websocket *ws)
{
    return &ws->output;
}

void websocket_ping(struct websocket *ws, struct str payload)
{
    ASSERT(payload.len <= CONTROL_MAX);
    if (!ws->over) {
        add_frame(ws, PING_HEAD, payload);
    }
}

void websocket_send(struct websocket *ws, struct str text)
{
    ASSERT(ws->options.client);
    if (!ws->over) {
        add_frame(ws, TEXT_HEAD, text);
    }
}

void websocket_close(struct websocket *ws, enum websocket_code code, const char *reason)
{
    if (!ws->over) {
        end(ws, (int)code, reason);
        wslay.event_shutdown_read(ws->context);
    }
}

bool websocket_is_over(const struct websocket *ws)
{
    return ws->over;
}

int websocket_code(const struct websocket *ws)
{
    return ws->code;
}

bool websocket_was_closed(const struct websocket *ws, int *ret_code, struct str *ret_reason)
{
    if (ws->closed && ret_code != NULL) {
        *ret_code = ws->peer_code;
        *ret_reason = str_c(ws->peer_reason);
    }
    return ws->closed;
}

size_t websocket_head(size_t payload, char ret[WEBSOCKET_HEAD_MAX])
{
    size_t more = payload < 126 ? 0 : payload <= UINT16_MAX ? 2 : 8;
    ret[0] = (char)TEXT_HEAD;
    ret[1] = (char)(more == 0 ? payload : more == 2 ? 126 : 127);
    for (size_t i = 0; i < more; i++) {
        ret[2 + i] = (char)(payload >> (8 * (more - 1 - i)));
    }
    return 2 + more;
}

/* ---------------------------------------------------------------- lifetime */

struct websocket *websocket_new(const struct websocket_options *options)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_read,
                                                           .send_callback = on_write,
                                                           .genmask_callback = on_mask,
                                                           .on_msg_recv_callback = on_message};
    struct websocket *ws = calloc(1, sizeof(*ws));
    ASSERT(ws != NULL);
    ws->options = *options;
    buf_init(&ws->output, options->max_output > 0 ? options->max_output : OUTPUT_MAX);
    int rc = options->client ? wslay.event_context_client_init(&ws->context, &callbacks, ws)
                             : wslay.event_context_server_init(&ws->context, &callbacks, ws);
    NEED_MEMORY(rc == 0);
    wslay.event_config_set_max_recv_msg_length(ws->context, options->max_message);
    return ws;
}

void websocket_free(struct websocket *ws)
{
    if (ws != NULL) {
        wslay.event_context_free(ws->context);
        buf_release(&ws->output);
        free(ws);
    }
}
