#include "fakes/http_pieces.h"

#include "base/auto.h"
#include "base/check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define HEAD_MAX        ((size_t)64 * 1024)
#define BODY_MAX        ((size_t)4 << 20)

struct connection {
    struct http_pieces *server;
    pthread_t thread;
    int fd;
    bool used;
};

struct http_pieces {
    http_pieces_fn fn;
    void *userdata;
    int listen_fd;
    uint16_t port;
    pthread_t acceptor;
    atomic_bool stopping;
    pthread_mutex_t lock; /* of the slots */
    struct connection connections[CONNECTIONS_MAX];
};

struct http_pieces_request {
    struct http_pieces *server;
    int fd;
    struct buf head; /* the request line and the headers, their names in lower case */
    struct buf body;
    bool ended;
};

/* ------------------------------------------------------------------ the request */

static struct str word_of(const struct http_pieces_request *request, int index)
{
    struct str rest = buf_str(&request->head), word = {0};
    for (int i = 0; i <= index; i++) {
        (void)str_word(&rest, &word);
    }
    return word;
}

struct str http_pieces_method(const struct http_pieces_request *request)
{
    return word_of(request, 0);
}

struct str http_pieces_path(const struct http_pieces_request *request)
{
    return word_of(request, 1);
}

struct str http_pieces_header(const struct http_pieces_request *request, const char *name)
{
    struct str rest = buf_str(&request->head), line;
    while (str_split(&rest, '\n', &line)) {
        struct str value = line, key;
        if (str_split(&value, ':', &key) && str_equal_c(key, name)) {
            return str_trim(value);
        }
    }
    return str_c("");
}

struct str http_pieces_body(const struct http_pieces_request *request)
{
    return buf_str(&request->body);
}

/* Reads until `in` has this many bytes; false: the connection has ended. */
static bool read_until(int fd, struct buf *in, size_t len)
{
    while (in->len < len) {
        char bytes[16384];
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n <= 0) {
            return false;
        }
        buf_add(in, bytes, (size_t)n);
        if (buf_failed(in)) {
            return false;
        }
    }
    return true;
}

/* `in` begins with the rest of what was read; the next request, if any, is left in it. */
static bool read_request(struct http_pieces_request *request, struct buf *in)
{
    const char *end = NULL;
    while ((end = strstr(in->data, "\r\n\r\n")) == NULL) {
        if (in->len > HEAD_MAX || !read_until(request->fd, in, in->len + 1)) {
            return false;
        }
    }
    size_t head = (size_t)(end - in->data) + 4;
    bool name = false; /* the request line keeps its case */
    for (size_t i = 0; i < head; i++) {
        char c = in->data[i];
        name = c == '\n' ? true : c == ':' ? false : name;
        buf_add_char(&request->head, name ? (char)tolower((unsigned char)c) : c);
    }
    int64_t len = 0;
    (void)str_to_i64(http_pieces_header(request, "content-length"), &len);
    if (len < 0 || (size_t)len > BODY_MAX || !read_until(request->fd, in, head + (size_t)len)) {
        return false;
    }
    buf_add(&request->body, in->data + head, (size_t)len);
    size_t used = head + (size_t)len;
    memmove(in->data, in->data + used, in->len - used);
    buf_truncate(in, in->len - used);
    return true;
}

/* ------------------------------------------------------------------ the answer */

static bool send_all(const struct http_pieces_request *request, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(request->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        bytes = str_n(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return true;
}

void http_pieces_begin(struct http_pieces_request *request, int status, const char *content_type,
                       const char *const *headers)
{
    AUTO_BUF struct buf head = BUF_INIT(HEAD_MAX);
    buf_addf(&head, "HTTP/1.1 %d Fake\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n",
             status, content_type);
    for (; headers != NULL && *headers != NULL; headers++) {
        buf_addf(&head, "%s\r\n", *headers);
    }
    buf_add_c(&head, "\r\n");
    (void)send_all(request, buf_str(&head));
}

bool http_pieces_add(struct http_pieces_request *request, struct str bytes)
{
    AUTO_BUF struct buf chunk = BUF_INIT(bytes.len + 64);
    if (bytes.len == 0) { /* an empty chunk would be the end */
        return true;
    }
    buf_addf(&chunk, "%zx\r\n", bytes.len);
    buf_add_str(&chunk, bytes);
    buf_add_c(&chunk, "\r\n");
    return send_all(request, buf_str(&chunk));
}

void http_pieces_end(struct http_pieces_request *request)
{
    request->ended = send_all(request, str_c("0\r\n\r\n"));
}

void http_pieces_hold(struct http_pieces_request *request)
{
    while (!atomic_load(&request->server->stopping)) {
        (void)usleep(2000);
    }
}

/* ------------------------------------------------------------------ connections */

static void *serve(void *userdata)
{
    struct connection *c = userdata;
    AUTO_BUF struct buf in = BUF_INIT(HEAD_MAX + BODY_MAX);
    bool open = true;
    while (open && !atomic_load(&c->server->stopping)) {
        struct http_pieces_request request = {.server = c->server, .fd = c->fd};
        buf_init(&request.head, HEAD_MAX);
        buf_init(&request.body, BODY_MAX);
        open = read_request(&request, &in);
        if (open) {
            c->server->fn(&request, c->server->userdata);
            open = request.ended;
        }
        buf_release(&request.head);
        buf_release(&request.body);
    }
    (void)shutdown(c->fd, SHUT_RDWR); /* http_pieces_stop closes it */
    return NULL;
}

static void add_connection(struct http_pieces *server, int fd)
{
    (void)pthread_mutex_lock(&server->lock);
    struct connection *free_slot = NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX && free_slot == NULL; i++) {
        free_slot = server->connections[i].used ? NULL : &server->connections[i];
    }
    ASSERT(free_slot != NULL);
    *free_slot = (struct connection){.server = server, .fd = fd, .used = true};
    ASSERT(pthread_create(&free_slot->thread, NULL, serve, free_slot) == 0);
    (void)pthread_mutex_unlock(&server->lock);
}

static void *accept_all(void *userdata)
{
    struct http_pieces *server = userdata;
    while (!atomic_load(&server->stopping)) {
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        const int yes = 1;
        if (fd < 0) {
            continue;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        add_connection(server, fd);
    }
    return NULL;
}

int http_pieces_start(http_pieces_fn fn, void *userdata, struct http_pieces **ret)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
        return -1;
    }
    struct http_pieces *server = calloc(1, sizeof(*server));
    ASSERT(server != NULL);
    server->fn = fn;
    server->userdata = userdata;
    server->listen_fd = TAKE_FD(fd);
    server->port = ntohs(at.sin_port);
    (void)pthread_mutex_init(&server->lock, NULL);
    ASSERT(pthread_create(&server->acceptor, NULL, accept_all, server) == 0);
    *ret = server;
    return 0;
}

void http_pieces_stop(struct http_pieces *server)
{
    if (server == NULL) {
        return;
    }
    atomic_store(&server->stopping, true);
    (void)shutdown(server->listen_fd, SHUT_RDWR); /* ends accept */
    (void)pthread_join(server->acceptor, NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &server->connections[i];
        if (c->used) {
            (void)shutdown(c->fd, SHUT_RDWR); /* ends read */
            (void)pthread_join(c->thread, NULL);
            (void)close(c->fd);
        }
    }
    (void)close(server->listen_fd);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

uint16_t http_pieces_port(const struct http_pieces *server)
{
    return server->port;
}
