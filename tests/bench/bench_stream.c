/*
 * The stream with 1,000 WebSocket clients at 20 events a second, for five seconds: from the
 * engine's publishing to the arrival at each client, which are all in another process; and what
 * publishing costs the engine without clients and with them.
 */
#include "access/access.h"
#include "api/api.h"
#include "base/check.h"
#include "bench/bench.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/secret.h"
#include "model/shared.h"
#include "store/ops.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
    CLIENTS = 1000,
    EVENTS = 100,
    PERIOD_US = 50000,
    SAMPLES_MAX = CLIENTS * EVENTS,
    BUFFER = 8192
};

#define TOKEN "bench-token-of-32-characters-abcd"
#define REQUEST                                                                       \
    "GET /api/v1/stream?topics=equity HTTP/1.1\r\nHost: localhost\r\nAuthorization: " \
    "Bearer " TOKEN "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"               \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* ---------------------------------------------------------------- clients */

struct client {
    int fd;
    size_t len;
    char bytes[BUFFER];
};

static double samples[SAMPLES_MAX];
static size_t sample_count;
static int64_t since_us; /* what was published before all clients were there does not count */

static int64_t now_us(void)
{
    return bench_now_ns() / 1000;
}

/* The time of publishing is the cash, in units of 1e-8. */
static void take_event(const char *text, const char *end)
{
    const char *at = memmem(text, (size_t)(end - text), "\"cash\":", 7);
    int64_t value = 0;
    int places = -1;
    for (at += 7; (*at >= '0' && *at <= '9') || *at == '.'; at++) {
        places += places >= 0 && *at != '.' ? 1 : 0;
        places = *at == '.' ? 0 : places;
        value = *at == '.' ? value : value * 10 + (*at - '0');
    }
    for (places = places < 0 ? 0 : places; places < 8; places++) {
        value *= 10;
    }
    if (value >= since_us && sample_count < SAMPLES_MAX) {
        samples[sample_count++] = (double)(now_us() - value) / 1e3;
    }
}

static void take(struct client *c)
{
    ssize_t n = recv(c->fd, c->bytes + c->len, sizeof(c->bytes) - c->len, MSG_DONTWAIT);
    ASSERT(n > 0 || errno == EAGAIN);
    c->len += n > 0 ? (size_t)n : 0;
    char *begin = c->bytes, *end = c->bytes + c->len, *at, *stop;
    while ((at = memmem(begin, (size_t)(end - begin), "\"type\":\"event\"", 14)) != NULL &&
           (stop = memmem(at, (size_t)(end - at), "\"sent_at\"", 9)) != NULL) {
        take_event(at, stop);
        begin = stop;
    }
    size_t keep = at != NULL ? (size_t)(end - at) : 13 < end - begin ? 13 : (size_t)(end - begin);
    memmove(c->bytes, end - keep, keep);
    c->len = keep;
}

static void raise_limit(void)
{
    struct rlimit limit;
    ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    ASSERT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

struct result {
    double p50_ms;
    double p99_ms;
    double received; /* of all that were to come */
};

/* Writes to ready_fd when all clients are connected. */
static struct result read_all(uint16_t port, int ready_fd)
{
    static struct client clients[CLIENTS];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    raise_limit();
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&address, sizeof(address)) == 0);
        ASSERT(send(c->fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL) == sizeof(REQUEST) - 1);
        while (memmem(c->bytes, c->len, "\"snapshot\"", 10) == NULL) {
            ssize_t n = recv(c->fd, c->bytes + c->len, sizeof(c->bytes) - c->len, 0);
            ASSERT(n > 0);
            c->len += (size_t)n;
        }
        c->len = 0;
        ASSERT(epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) == 0);
    }
    since_us = now_us();
    ASSERT(write(ready_fd, "r", 1) == 1);
    struct epoll_event ready[256];
    int count;
    while (sample_count < SAMPLES_MAX && (count = epoll_wait(epoll, ready, 256, 3000)) > 0) {
        for (int i = 0; i < count; i++) {
            take(ready[i].data.ptr);
        }
    }
    return (struct result){.p50_ms = bench_percentile(samples, sample_count, 0.5),
                           .p99_ms = bench_percentile(samples, sample_count, 0.99),
                           .received = (double)sample_count / SAMPLES_MAX};
}

/* ---------------------------------------------------------------- the engine */

/* Returns how long it took, in microseconds. */
static double publish(struct shared *shared, struct snapshot *s)
{
    const struct event event = {.topic = TOPIC_STATE};
    s->version++;
    s->published_wall_us = clock_wall_us(clock_real());
    s->cash = (struct dec){.e8 = now_us()};
    int64_t begin_ns = bench_now_ns();
    shared_publish_snapshot(shared, s);
    shared_publish_events(shared, &event, 1);
    return (double)(bench_now_ns() - begin_ns) / 1e3;
}

static void publish_round(struct shared *shared, struct snapshot *s, double ret_us[EVENTS])
{
    int64_t next_us = now_us();
    for (int i = 0; i < EVENTS; i++) {
        ret_us[i] = publish(shared, s);
        next_us += PERIOD_US;
        int64_t left_us = next_us - now_us();
        if (left_us > 0) {
            (void)usleep((useconds_t)left_us);
        }
    }
}

int main(void)
{
    static struct shared shared;
    static double alone_us[EVENTS], with_us[EVENTS];
    struct err err = {0};
    struct api *api = NULL;
    struct config *config = NULL;
    struct ops_store *store = NULL;
    struct access *access = NULL;
    ASSERT(secret_init(&err) == 0);
    shared_init(&shared, 3);
    struct shared_reader *reader = shared_reader_add(&shared, "tcp", 0);
    struct shared_reader *stream = shared_reader_add(&shared, "stream", API_STREAM_TOPICS);
    shared_reader_sleep(stream);
    shared_seal(&shared);
    struct snapshot *s = snapshot_new(3);
    ASSERT(config_parse(STR_LIT("api:\n  rate: 0\n  token: " TOKEN "\n"), "bench", &config, NULL,
                        &err) == 0);
    ASSERT(ops_store_open(":memory:", OPS_STORE_WRITE, &store, &err) == 0);
    ASSERT(access_new(config, store, clock_real(), &access, &err) == 0);
    struct loop *loop = loop_new(&err);
    ASSERT(loop != NULL);
    const struct api_options options = {.loop = loop,
                                        .shared = &shared,
                                        .tcp_reader = reader,
                                        .stream_reader = stream,
                                        .access = access,
                                        .store = store,
                                        .tcp = true,
                                        .config = config,
                                        .state_dir = "/nonexistent"};
    ASSERT(api_start(&options, &api, &err) == 0);
    publish_round(&shared, s, alone_us);

    int ready[2], results[2];
    ASSERT(pipe2(ready, O_CLOEXEC) == 0 && pipe2(results, O_CLOEXEC) == 0);
    pid_t parent = getpid(), pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        bench_die_with_parent(parent);
        (void)close(ready[0]);
        struct result r = read_all(api_port(api), ready[1]);
        _exit(write(results[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
    }
    struct result result;
    char byte;
    (void)close(ready[1]);
    (void)fcntl(ready[0], F_SETFL, O_NONBLOCK);
    ssize_t n;
    while ((n = read(ready[0], &byte, 1)) !=
           1) {                           /* a stream begins with a snapshot of the engine */
        ASSERT(n < 0 && errno == EAGAIN); /* the clients have not failed */
        (void)publish(&shared, s);
        (void)usleep(10000);
    }
    publish_round(&shared, s, with_us);
    ASSERT(read(results[0], &result, sizeof(result)) == sizeof(result));
    ASSERT(waitpid(pid, NULL, 0) == pid);

    char peer[96];
    bench_table_head();
    (void)snprintf(peer, sizeof(peer), "p99 %.1f ms (goal 50), %.2f %% arrived", result.p99_ms,
                   100.0 * result.received);
    bench_table_row("stream, 1,000 clients, 20 events/s", &result.p50_ms, 1, "ms", peer);
    bench_table_row("the engine publishes, no client", alone_us, EVENTS, "us", NULL);
    bench_table_row("the engine publishes, 1,000 clients", with_us, EVENTS, "us", NULL);
    api_stop(api);
    access_free(access);
    ops_store_free(store);
    loop_free(loop);
    shared_release(&shared);
    config_free(config);
    free(s);
    return 0;
}
