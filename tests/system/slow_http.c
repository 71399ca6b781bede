/* An HTTP server whose answers take a while, as a release of a service: it has many requests open
 * at once, and a switch to another release must not lose one of them.
 *
 *     slow_http DELAY_MS [unix:PATH | tcp:PORT]...
 *
 * It listens on the sockets that systemd passes and on those named, answers GET /health at once and
 * everything else after DELAY_MS with the text of the file `version` beside the program. A version
 * that begins with "bad" answers /health with 500, one that begins with "broken" ends at once.
 * SIGTERM: it accepts no more, answers what it has accepted, and ends. */
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX       65536
#define LISTENERS_MAX 8
#define REQUEST_MAX   512
#define BACKLOG       16384

enum kind { KIND_NONE, KIND_LISTENER, KIND_CLIENT, KIND_SIGNAL };

static struct {
    enum kind kind;
    bool waits; /* for its answer */
    size_t len;
    char request[REQUEST_MAX];
} * fds;

static struct {
    int fd;
    int64_t due_us;
} * queue; /* in the order of their time, a ring */
static size_t queue_first, queue_count, open_count;
static int poller, listeners[LISTENERS_MAX], listener_count;
static int64_t delay_us;
static char version[64];

static int64_t now_us(void)
{
    return clock_mono_us(clock_real());
}

static void watch(int fd, enum kind kind)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    ASSERT(fd < FDS_MAX && epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0);
    fds[fd].kind = kind;
    fds[fd].len = 0;
    fds[fd].waits = false;
}

static void add_listener(int fd)
{
    ASSERT(listener_count < LISTENERS_MAX && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    watch(fd, KIND_LISTENER);
    listeners[listener_count++] = fd;
}

static void listen_at(const char *where)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_path = strncmp(where, "unix:", 5) == 0;
    int on = 1;
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0);
    if (is_path) {
        (void)str_copy(str_c(where + 5), path.sun_path, sizeof(path.sun_path));
        (void)unlink(path.sun_path);
        ASSERT(bind(fd, (const struct sockaddr *)&path, sizeof(path)) == 0);
        ASSERT(chmod(path.sun_path, 0666) == 0);
    } else {
        port.sin_port = htons((uint16_t)strtoul(where + 4, NULL, 10));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        ASSERT(bind(fd, (const struct sockaddr *)&port, sizeof(port)) == 0);
    }
    ASSERT(listen(fd, BACKLOG) == 0);
    add_listener(fd);
}

static void drop(int fd)
{
    fds[fd].kind = KIND_NONE;
    open_count--;
    (void)close(fd);
}

static void answer(int fd, int status)
{
    char text[256];
    int len = snprintf(text, sizeof(text),
                       "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                       status, status == 200 ? "OK" : "Unhealthy", strlen(version), version);
    (void)!write(fd, text, (size_t)len);
    (void)shutdown(fd, SHUT_WR);
    drop(fd);
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        open_count++;
        watch(fd, KIND_CLIENT);
    }
}

static void read_request(int fd)
{
    ssize_t n = read(fd, fds[fd].request + fds[fd].len, REQUEST_MAX - 1 - fds[fd].len);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            drop(fd);
        }
        return;
    }
    fds[fd].len += (size_t)n;
    fds[fd].request[fds[fd].len] = '\0';
    if (strstr(fds[fd].request, "\r\n\r\n") == NULL) {
        return;
    }
    if (strncmp(fds[fd].request, "GET /health", 11) == 0) {
        answer(fd, strncmp(version, "bad", 3) == 0 ? 500 : 200);
        return;
    }
    struct epoll_event none = {.events = 0, .data.fd = fd};
    ASSERT(epoll_ctl(poller, EPOLL_CTL_MOD, fd, &none) == 0 && queue_count < FDS_MAX);
    fds[fd].waits = true;
    queue[(queue_first + queue_count) % FDS_MAX].fd = fd;
    queue[(queue_first + queue_count++) % FDS_MAX].due_us = now_us() + delay_us;
}

static void answer_due(void)
{
    while (queue_count > 0 && queue[queue_first].due_us <= now_us()) {
        int fd = queue[queue_first].fd;
        queue_first = (queue_first + 1) % FDS_MAX;
        queue_count--;
        if (fds[fd].kind == KIND_CLIENT && fds[fd].waits) {
            answer(fd, 200);
        }
    }
}

static void handle(const struct epoll_event *event, bool *stop)
{
    int fd = event->data.fd;
    switch (fds[fd].kind) {
    case KIND_NONE:
        break;
    case KIND_LISTENER:
        accept_all(fd);
        break;
    case KIND_CLIENT:
        if (fds[fd].waits) { /* it has gone; its answer will show that */
            struct epoll_event none = {.events = 0, .data.fd = fd};
            (void)epoll_ctl(poller, EPOLL_CTL_DEL, fd, &none);
        } else {
            read_request(fd);
        }
        break;
    case KIND_SIGNAL:
        *stop = true;
        for (int i = 0; i < listener_count; i++) {
            fds[listeners[i]].kind = KIND_NONE;
            (void)epoll_ctl(poller, EPOLL_CTL_DEL, listeners[i], NULL);
            (void)close(listeners[i]);
        }
        listener_count = 0;
        break;
    }
}

static void read_version(void)
{
    char exe[PATH_MAX], path[PATH_MAX + 16];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[n < 0 ? 0 : n] = '\0';
    (void)snprintf(path, sizeof(path), "%s/version", dirname(exe));
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(version, sizeof(version), file) == NULL) {
        (void)str_copy(str_c("unknown"), version, sizeof(version));
    }
    version[strcspn(version, "\n")] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    bool stop = false;
    sigset_t term;
    (void)signal(SIGPIPE, SIG_IGN);
    read_version();
    if (argc < 2 || strncmp(version, "broken", 6) == 0) {
        (void)fprintf(stderr, "cannot start: no model in release %s\n", version);
        return 3;
    }
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    delay_us = strtol(argv[1], NULL, 10) * USEC_PER_MSEC;
    fds = calloc(FDS_MAX, sizeof(*fds));
    queue = calloc(FDS_MAX, sizeof(*queue));
    poller = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(fds != NULL && queue != NULL && poller >= 0);
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &term, NULL);
    watch(signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK), KIND_SIGNAL);
    const char *passed = getenv("LISTEN_FDS");
    for (int i = 0; passed != NULL && i < (int)strtol(passed, NULL, 10); i++) {
        add_listener(3 + i);
    }
    for (int i = 2; i < argc; i++) {
        listen_at(argv[i]);
    }
    while (!stop || open_count > 0) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, COUNT_OF(events), 5);
        for (int i = 0; i < n; i++) {
            handle(&events[i], &stop);
        }
        answer_due();
    }
    return 0;
}
