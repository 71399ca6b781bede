/*
 * HTTP requests: the first byte says in how many pieces the rest is sent to a server in this
 * process. Whatever they are, the server answers with whole responses and closes the connection;
 * each request that reaches its handler is well-formed; each error is one of the catalogue.
 */
#include "base/check.h"
#include "io/web.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 3000, PIECES_MAX = 8, ANSWER_MAX = 1 << 20, PATIENCE_MS = 20000 };

static struct web *web;
static char path[108];
static atomic_int handled;

static void check_text(struct str text)
{
    ASSERT(strlen(text.ptr) == text.len && str_is_utf8(text));
    for (size_t i = 0; i < text.len; i++) {
        ASSERT((unsigned char)text.ptr[i] >= 0x20);
    }
}

static void on_request(struct web_request *request, void *userdata)
{
    (void)userdata;
    struct str host = web_header(request, "host"), name;
    int port;
    ASSERT(host.len == 0 || web_authority(host, &name, &port));
    ASSERT(web_body(request).len <= BODY_MAX && web_path(request).len > 0);
    check_text(web_path(request));
    for (size_t i = 0; i < web_query_count(request); i++) {
        check_text(web_query_name(request, i));
        check_text(web_query(request, web_query_name(request, i).ptr));
    }
    (void)atomic_fetch_add(&handled, 1);
    if (str_equal_c(web_path(request), "/held")) {
        web_hold(request);
    }
    web_answer_c(request, 200, "fine");
}

static void problem(const struct err *err, struct buf *body)
{
    ASSERT(err->id > ERR_NONE && err->id < ERR_COUNT);
    buf_addf(body, "{\"error_code\": \"%s\"}", err_info(err->id)->code);
}

static void stop(void)
{
    web_stop(web);
}

static void start(void)
{
    const char *folder = getenv("TMPDIR");
    struct err err = {0};
    const struct web_options options = {.unix_path = path,
                                        .limits = {.max_body_bytes = BODY_MAX},
                                        .handler = on_request,
                                        .problem = problem};
    (void)snprintf(path, sizeof(path), "%.60s/fuzz-http-%d.sock", folder == NULL ? "/tmp" : folder,
                   (int)getpid());
    ASSERT(web_start(&options, &web, &err) == 0);
    (void)atexit(stop);
}

static int dial(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0 && str_copy(str_c(path), to.sun_path, sizeof(to.sun_path)));
    ASSERT(connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

/* Returns the number of bytes of the answer. */
static size_t exchange(const uint8_t *data, size_t size, int pieces, char *answer)
{
    int fd = dial();
    size_t sent = 0, len = 0;
    for (int left = pieces; left > 0; left--) {
        size_t part = left == 1 ? size - sent : (size - sent) / (size_t)left;
        /* It may have been refused already. */
        (void)!send(fd, data + sent, part, MSG_NOSIGNAL);
        sent += part;
    }
    (void)shutdown(fd, SHUT_WR);
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int rc = poll(&ready, 1, PATIENCE_MS);
        if (rc < 0 && errno == EINTR) { /* by the clock of libFuzzer */
            continue;
        }
        ASSERT(rc == 1); /* nothing hangs */
        ssize_t n = recv(fd, answer + len, ANSWER_MAX - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        ASSERT(len < ANSWER_MAX);
    }
    (void)close(fd);
    return len;
}

/* The number of answers of the handler among whole responses. */
static int count_answers(const char *answer, size_t len)
{
    int fine = 0;
    while (len > 0) {
        const char *end = memmem(answer, len, "\r\n\r\n", 4);
        ASSERT(end != NULL && strncmp(answer, "HTTP/1.1 ", 9) == 0);
        long status = strtol(answer + 9, NULL, 10);
        size_t size = (size_t)(end - answer) + 4, body = 0;
        const char *length = memmem(answer, size, "Content-Length: ", 16);
        if (status != 100) {
            ASSERT(length != NULL && status >= 200 && status <= 505);
            ASSERT(status == 200 || memmem(answer, size, "application/problem+json", 24) != NULL);
            ASSERT(status == 200 || memmem(answer, size, "Connection: close", 17) != NULL);
            body = strtoul(length + 16, NULL, 10);
            fine += status == 200;
        }
        /* The answer to HEAD, which may be followed by another one, has no body. */
        bool without = len - size < body || (len > size && answer[size] == 'H');
        size += without ? 0 : body;
        answer += size;
        len -= size;
    }
    return fine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[ANSWER_MAX];
    if (web == NULL) {
        start();
    }
    if (size < 1) {
        return 0;
    }
    atomic_store(&handled, 0);
    size_t len = exchange(data + 1, size - 1, data[0] % PIECES_MAX + 1, answer);
    ASSERT(count_answers(answer, len) == atomic_load(&handled));
    return 0;
}
