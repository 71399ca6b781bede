/* Keeps many HTTP requests in flight, each on a connection of its own, and counts what becomes of
 * them: to see that a switch to another release refuses and loses none.
 *
 *     http_load PORT IN_FLIGHT STOP_FILE
 *
 * A request is in flight from the moment it is sent until its answer is there; for each that ends,
 * another one begins, until STOP_FILE exists; then it waits for the last ones. It prints a line:
 *     sent 51000 refused 0 reset 0 failed 0 local 0 in-flight 9995 of 10000 slowest 3100
 * ms 1.0=… 1.1=… in-flight: the median over the run. failed: no whole answer of status 200 within
 * 60 s. local: it could not make the connection, for want of ports or descriptors. Only to
 * 127.0.0.1. */
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX      65536
#define ANSWER_MAX   256
#define TIMEOUT_US   (60 * USEC_PER_SEC)
#define VERSIONS_MAX 8
#define SAMPLE_US    (10 * USEC_PER_MSEC)
#define SAMPLES_MAX  100000
#define BEGIN_MAX    200 /* connections begun between two looks at the answers */
#define RUN_US       (10 * USEC_PER_MIN)

struct request {
    bool open, sent;
    int64_t begun_us;
    size_t len;
    char answer[ANSWER_MAX];
};

static struct request *requests; /* by descriptor */
static int poller;
static struct sockaddr_in server;
static long sent, answered, refused, reset, failed, local_errors, in_flight, open_count;
static int64_t slowest_us;
static long samples[SAMPLES_MAX];
static size_t sample_count;
static struct {
    char name[64];
    long count;
} versions[VERSIONS_MAX];

static int64_t now_us(void)
{
    return clock_mono_us(clock_real());
}

static void end(int fd)
{
    struct request *r = &requests[fd];
    in_flight -= r->sent ? 1 : 0;
    open_count--;
    *r = (struct request){.open = false};
    (void)close(fd);
}

static void count_error(int fd, int error)
{
    refused += error == ECONNREFUSED ? 1 : 0;
    reset += error == ECONNRESET || error == EPIPE ? 1 : 0;
    failed += error != ECONNREFUSED && error != ECONNRESET && error != EPIPE ? 1 : 0;
    end(fd);
}

static void count_version(const char *name)
{
    size_t i = 0;
    while (i + 1 < VERSIONS_MAX && versions[i].count > 0 && strcmp(versions[i].name, name) != 0) {
        i++;
    }
    (void)str_copy(str_c(name), versions[i].name, sizeof(versions[i].name));
    versions[i].count++;
}

static void begin(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || fd >= FDS_MAX) {
        local_errors++;
        (void)(fd >= 0 && close(fd));
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    if (connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS) {
        bool none = errno == EADDRNOTAVAIL;
        local_errors += none ? 1 : 0;
        refused += none ? 0 : 1;
        (void)close(fd);
        return;
    }
    ASSERT(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0);
    requests[fd] = (struct request){.open = true, .begun_us = now_us()};
    open_count++;
}

static void send_request(int fd)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: load\r\n\r\n";
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int error = 0;
    socklen_t size = sizeof(error);
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 || write(fd, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1) {
        count_error(fd, error != 0 ? error : errno);
        return;
    }
    requests[fd].sent = true;
    sent++;
    in_flight++;
    ASSERT(epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event) == 0);
}

static void judge(int fd)
{
    struct request *r = &requests[fd];
    r->answer[r->len] = '\0';
    char *body = strstr(r->answer, "\r\n\r\n");
    const char *length = strstr(r->answer, "Content-Length: ");
    if (body == NULL || length == NULL || strncmp(r->answer, "HTTP/1.1 200 ", 13) != 0 ||
        strlen(body + 4) != strtoul(length + 16, NULL, 10)) {
        failed++;
    } else {
        int64_t took_us = now_us() - r->begun_us;
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
        answered++;
        count_version(body + 4);
    }
    end(fd);
}

static void read_answer(int fd)
{
    struct request *r = &requests[fd];
    ssize_t n = read(fd, r->answer + r->len, ANSWER_MAX - 1 - r->len);
    if (n < 0 && errno != EAGAIN) {
        count_error(fd, errno);
    } else if (n > 0) {
        r->len += (size_t)n;
    } else if (n == 0) {
        judge(fd);
    }
}

static void give_up_late(void)
{
    static int64_t looked_us;
    if (now_us() - looked_us < USEC_PER_SEC) {
        return;
    }
    looked_us = now_us();
    for (int fd = 0; fd < FDS_MAX; fd++) {
        if (requests[fd].open && now_us() - requests[fd].begun_us > TIMEOUT_US) {
            failed++;
            end(fd);
        }
    }
}

static int by_size(const void *a, const void *b)
{
    const long *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void report(long wanted)
{
    qsort(samples, sample_count, sizeof(samples[0]), by_size);
    (void)printf("sent %ld refused %ld reset %ld failed %ld local %ld in-flight %ld of %ld "
                 "slowest %lld ms",
                 sent, refused, reset, failed, local_errors,
                 sample_count == 0 ? 0 : samples[sample_count / 2], wanted,
                 (long long)(slowest_us / USEC_PER_MSEC));
    for (size_t i = 0; i < VERSIONS_MAX && versions[i].count > 0; i++) {
        (void)printf(" %s=%ld", versions[i].name, versions[i].count);
    }
    (void)printf("\n");
}

int main(int argc, char **argv)
{
    ASSERT(argc == 4);
    long wanted = strtol(argv[2], NULL, 10);
    rlim_t files = (rlim_t)wanted + 64;
    server = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10))};
    struct rlimit limit;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = files > limit.rlim_cur ? files : limit.rlim_cur;
    limit.rlim_max = files > limit.rlim_max ? files : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        perror("descriptors");
        return 1;
    }
    requests = calloc(FDS_MAX, sizeof(*requests));
    poller = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(requests != NULL && poller >= 0 && wanted > 0 && wanted < FDS_MAX - 64);
    bool stop = false;
    int64_t began_us = now_us(), sampled_us = began_us;
    while (!stop || open_count > 0) {
        struct epoll_event events[512];
        for (int i = 0; !stop && open_count < wanted && i < BEGIN_MAX; i++) {
            begin();
        }
        int n = epoll_wait(poller, events, COUNT_OF(events), open_count < wanted && !stop ? 1 : 5);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (requests[fd].open && !requests[fd].sent) {
                send_request(fd);
            } else if (requests[fd].open) {
                read_answer(fd);
            }
        }
        if (now_us() - sampled_us >= SAMPLE_US) {
            sampled_us = now_us();
            if (!stop && sample_count < SAMPLES_MAX) {
                samples[sample_count++] = in_flight;
            }
            give_up_late();
            stop = access(argv[3], F_OK) == 0 || now_us() - began_us > RUN_US;
        }
    }
    report(wanted);
    return 0;
}
