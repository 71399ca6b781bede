/*
 * bench_io.c: the client of WebSocket servers: frames a second that arrive from a process at the
 * other end of a loopback connection, beside bare wslay with the same bytes; and sending one.
 */
#include "base/check.h"
#include "bench/bench.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/secret.h"
#include "io/signing_key.h"
#include "io/websocket.h"
#include "io/websocket_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <wslay/wslay.h>

enum { RUNS = 25, FRAMES = 20000, PAYLOAD = 220, SENDS = 2000, READ_SIZE = 32 * 1024 };

/* A change of a book's best prices is about so long. */
static char frames[FRAMES * (4 + PAYLOAD)];
static double client_rates[RUNS], bare_rates[RUNS], socket_rates[RUNS], send_us[RUNS];

static void make_frames(void)
{
    char *at = frames;
    for (int i = 0; i < FRAMES; i++) {
        char head[WEBSOCKET_HEAD_MAX];
        size_t size = websocket_head(PAYLOAD, head);
        memcpy(at, head, size);
        memset(at + size, 'a' + i % 26, PAYLOAD);
        at += size + PAYLOAD;
    }
    ASSERT(at == frames + sizeof(frames));
}

/* ---------------------------------------------------------------- the other end */

static void send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n <= 0) {
            _exit(0); /* the benchmark is over */
        }
        bytes += n;
        size -= (size_t)n;
    }
}

static int peer_fd;

static void on_peer_message(struct websocket *ws, struct str message, bool binary, void *userdata)
{
    (void)ws;
    (void)binary;
    (void)userdata;
    if (str_equal_c(message, "g")) {
        send_all(peer_fd, frames, sizeof(frames));
    }
}

static void answer_upgrade(const char *key)
{
    char accept_key[WEBSOCKET_ACCEPT_SIZE], answer[512];
    ASSERT(websocket_accept(str_n(key, WEBSOCKET_KEY_CHARS), accept_key));
    int size = snprintf(answer, sizeof(answer),
                        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accept_key);
    send_all(peer_fd, answer, (size_t)size);
}

/* Sends all frames whenever a message "g" arrives, or a byte if there was no upgrade. */
_Noreturn static void serve(int listen_fd)
{
    static const char field[] = "Sec-WebSocket-Key: ";
    char bytes[4096];
    struct websocket *ws =
        websocket_new(&(struct websocket_options){.max_message = 4096, .fn = on_peer_message});
    peer_fd = accept(listen_fd, NULL, NULL);
    ssize_t n = peer_fd < 0 ? -1 : recv(peer_fd, bytes, sizeof(bytes) - 1, 0);
    ASSERT(n > 0);
    bytes[n] = '\0';
    const char *key = strstr(bytes, field);
    if (key != NULL) {
        answer_upgrade(key + sizeof(field) - 1);
    }
    while ((n = recv(peer_fd, bytes, sizeof(bytes), 0)) > 0) {
        if (key != NULL) {
            websocket_receive(ws, str_n(bytes, (size_t)n));
            buf_clear(websocket_output(ws));
        } else {
            send_all(peer_fd, frames, sizeof(frames));
        }
    }
    _exit(0);
}

/* ---------------------------------------------------------------- bare wslay */

struct bare {
    int fd; /* -1: from memory */
    size_t at;
    const char *next;
    size_t left;
    int messages;
    char bytes[READ_SIZE];
};

static ssize_t on_read(wslay_event_context_ptr context, uint8_t *to, size_t size, int flags,
                       void *userdata)
{
    (void)flags;
    struct bare *b = userdata;
    if (b->left == 0) {
        if (b->fd >= 0 && b->messages < FRAMES) {
            ssize_t n = recv(b->fd, b->bytes, sizeof(b->bytes), 0);
            ASSERT(n > 0);
            b->next = b->bytes;
            b->left = (size_t)n;
        } else if (b->at < sizeof(frames)) {
            b->next = frames + b->at;
            b->left = sizeof(frames) - b->at < READ_SIZE ? sizeof(frames) - b->at : READ_SIZE;
            b->at += b->left;
        } else {
            wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
            return -1;
        }
    }
    size_t n = b->left < size ? b->left : size;
    memcpy(to, b->next, n);
    b->next += n;
    b->left -= n;
    return (ssize_t)n;
}

static void on_bare_message(wslay_event_context_ptr context,
                            const struct wslay_event_on_msg_recv_arg *message, void *userdata)
{
    (void)message;
    struct bare *b = userdata;
    b->at = b->fd >= 0 ? sizeof(frames) : b->at;
    if (++b->messages == FRAMES && b->fd >= 0) {
        wslay_event_shutdown_read(context);
    }
}

static double bare_rate(int fd)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_read,
                                                           .on_msg_recv_callback = on_bare_message};
    static struct bare b;
    wslay_event_context_ptr context = NULL;
    b = (struct bare){.fd = fd};
    ASSERT(wslay_event_context_client_init(&context, &callbacks, &b) == 0);
    int64_t start = bench_now_ns();
    if (fd >= 0) {
        send_all(fd, "g", 1);
    }
    ASSERT(wslay_event_recv(context) == 0 && b.messages == FRAMES);
    double took_ns = (double)(bench_now_ns() - start);
    wslay_event_context_free(context);
    return FRAMES * 1e9 / took_ns;
}

/* ---------------------------------------------------------------- the client */

static bool is_open;
static int messages;

static void on_open(struct websocket_client *ws, void *userdata)
{
    (void)ws;
    (void)userdata;
    is_open = true;
}

static void on_message(struct websocket_client *ws, struct str message, bool binary, void *userdata)
{
    (void)ws;
    (void)binary;
    (void)userdata;
    bench_use(message.ptr);
    messages++;
}

static void on_close(struct websocket_client *ws, const struct websocket_end *end, void *userdata)
{
    (void)ws;
    (void)userdata;
    (void)fprintf(stderr, "%s\n", end->err->context);
    ASSERT(false);
}

static double client_rate(struct loop *loop, struct websocket_client *ws)
{
    messages = 0;
    int64_t start = bench_now_ns();
    ASSERT(websocket_client_send(ws, str_c("g"), NULL) == 0);
    while (messages < FRAMES) {
        (void)loop_iterate(loop, USEC_PER_SEC);
    }
    return FRAMES * 1e9 / (double)(bench_now_ns() - start);
}

/* An order by WebSocket is about as long. */
static double one_send_us(struct websocket_client *ws, const struct signing_key *key)
{
    AUTO_BUF struct buf text = BUF_INIT(1024);
    char body[300];
    memset(body, 'x', sizeof(body));
    int64_t start = bench_now_ns();
    for (int i = 0; i < SENDS; i++) {
        buf_clear(&text);
        buf_add(&text, body, sizeof(body));
        signing_key_add(key, buf_str(&text), SIGNING_HEX, &text);
        ASSERT(websocket_client_send(ws, buf_str(&text), NULL) == 0);
    }
    return (double)(bench_now_ns() - start) / SENDS / 1e3;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    char url[64], peer[128];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(bind(listen_fd, (struct sockaddr *)&address, size) == 0 && listen(listen_fd, 4) == 0);
    ASSERT(getsockname(listen_fd, (struct sockaddr *)&address, &size) == 0);
    ASSERT(secret_init(NULL) == 0 && websocket_load(NULL) == 0);
    make_frames();
    pid_t self = getpid(), children[2];
    for (int i = 0; i < 2; i++) { /* one for each connection */
        children[i] = fork();
        ASSERT(children[i] >= 0);
        if (children[i] == 0) {
            bench_die_with_parent(self);
            serve(listen_fd);
        }
    }
    (void)close(listen_fd);
    struct loop *loop = loop_new(NULL);
    struct http *http = http_new(loop, NULL);
    struct signing_key *key = NULL;
    ASSERT(loop != NULL && http != NULL &&
           signing_key_new(str_c("0123456789abcdef0123456789abcdef"), SIGNING_KEY_TEXT, "bench",
                           &key, NULL) == 0);
    (void)snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", ntohs(address.sin_port));
    struct websocket_client *ws = websocket_client_open(
        http,
        &(struct websocket_client_options){
            .url = url, .on_open = on_open, .on_message = on_message, .on_close = on_close},
        NULL);
    ASSERT(ws != NULL);
    while (!is_open) {
        (void)loop_iterate(loop, USEC_PER_SEC);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    send_all(fd, "begin", 5);
    for (int i = 0; i < RUNS; i++) {
        client_rates[i] = client_rate(loop, ws);
        bare_rates[i] = bare_rate(-1);
        socket_rates[i] = bare_rate(fd);
        send_us[i] = one_send_us(ws, key);
    }
    double bare = bench_percentile(bare_rates, RUNS, 0.5);
    double socket_rate = bench_percentile(socket_rates, RUNS, 0.5);
    (void)snprintf(peer, sizeof(peer),
                   "bare wslay: %.0f/s from memory, %.0f/s from a blocking socket", bare,
                   socket_rate);
    bench_table_head();
    bench_table_row("websocket client, frames of 220 bytes in", client_rates, RUNS, "frames/s",
                    peer);
    bench_table_row("websocket client, 364 bytes signed, to the kernel", send_us, RUNS, "us", NULL);
    websocket_client_free(ws);
    signing_key_free(key);
    http_free(http);
    loop_free(loop);
    (void)close(fd);
    for (int i = 0; i < 2; i++) {
        (void)kill(children[i], SIGKILL);
        (void)waitpid(children[i], NULL, 0);
    }
    return 0;
}
