/*
 * Reads of the API's state over 16 keep-alive connections, beside a libmicrohttpd server that
 * answers with a constant body of the same size; and of its summary, one after the other, with rows
 * in the databases. Server and client are two processes; rounds of the servers alternate.
 */
#include "access/access.h"
#include "api/api.h"
#include "base/check.h"
#include "bench/bench.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/secret.h"
#include "model/shared.h"
#include "store/alert_table.h"
#include "store/decision_table.h"
#include "store/trade_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
    CONNECTIONS = 16,
    ROUNDS = 10,
    ROUND_MS = 300,
    ANSWER_MAX = 512 * 1024,
    SAMPLES_MAX = 1 << 16,
    ROWS = 5000,
    ALERTS = 40
};

#define TOKEN "bench-token-of-32-characters-abcd"
#define REQUEST(path)                                                          \
    "GET " path " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN \
    "\r\nAccept: */*\r\n\r\n"

static const struct reading {
    const char *request;
    int connections;
} state = {REQUEST("/api/v1/state"), CONNECTIONS}, summary = {REQUEST("/api/v1/summary"), 1};

/* ---------------------------------------------------------------- client */

struct connection {
    int fd;
    size_t have; /* bytes of the answer */
    size_t want; /* its whole size; 0: its header is not complete */
    int64_t asked_ns;
};

struct result {
    double rate; /* answers a second */
    double median_us;
    double p99_us; /* of the time from a request to its whole answer */
    size_t size;   /* of an answer */
};

static char answer[ANSWER_MAX];

static int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void ask(struct connection *c, const char *request)
{
    c->asked_ns = bench_now_ns();
    ssize_t n = send(c->fd, request, strlen(request), MSG_NOSIGNAL);
    ASSERT(n == (ssize_t)strlen(request));
}

/* The size of the whole answer, from its header; 0 if the header is not complete. */
static size_t size_of(const char *text, size_t len)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    const char *length = memmem(text, len, "Content-Length: ", 16);
    if (end == NULL || length == NULL) {
        return 0;
    }
    ASSERT(strncmp(text, "HTTP/1.1 200", 12) == 0);
    return (size_t)(end - text) + 4 + strtoul(length + 16, NULL, 10);
}

/* Returns true when a whole answer has arrived. */
static bool take(struct connection *c)
{
    ssize_t n = recv(c->fd, answer, sizeof(answer), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
        return false;
    }
    ASSERT(n > 0);
    if (c->want == 0) {
        ASSERT(c->have == 0); /* the header arrives at once over loopback */
        c->want = size_of(answer, (size_t)n);
        ASSERT(c->want > 0);
    }
    c->have += (size_t)n;
    ASSERT(c->have <= c->want);
    if (c->have < c->want) {
        return false;
    }
    c->have = c->want = 0;
    return true;
}

/* One round. */
static struct result measure(uint16_t port, const struct reading *what)
{
    static double took_us[SAMPLES_MAX];
    struct connection connections[CONNECTIONS] = {{0}};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(epoll >= 0);
    for (int i = 0; i < what->connections; i++) {
        connections[i].fd = dial(port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        ASSERT(epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) == 0);
        ask(&connections[i], what->request);
    }
    int64_t begin_ns = bench_now_ns(), now_ns = begin_ns, answers = 0;
    while (now_ns - begin_ns < (int64_t)ROUND_MS * 1000000) {
        struct epoll_event events[CONNECTIONS];
        int count = epoll_wait(epoll, events, CONNECTIONS, 1000);
        ASSERT(count > 0);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (take(c)) {
                took_us[answers++ % SAMPLES_MAX] = (double)(bench_now_ns() - c->asked_ns) / 1000;
                ask(c, what->request);
            }
        }
        now_ns = bench_now_ns();
    }
    for (int i = 0; i < what->connections; i++) {
        (void)close(connections[i].fd);
    }
    (void)close(epoll);
    size_t samples = answers < SAMPLES_MAX ? (size_t)answers : SAMPLES_MAX;
    return (struct result){.rate = (double)answers * 1e9 / (double)(now_ns - begin_ns),
                           .median_us = bench_percentile(took_us, samples, 0.5),
                           .p99_us = bench_percentile(took_us, samples, 0.99),
                           .size = size_of(answer, sizeof(answer))};
}

/* In a process of its own, so that client and server share nothing but the socket. */
static struct result measure_apart(uint16_t port, const struct reading *what)
{
    struct result result = {0};
    int pipe_fd[2];
    ASSERT(pipe2(pipe_fd, O_CLOEXEC) == 0);
    pid_t parent = getpid(), pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        bench_die_with_parent(parent);
        result = measure(port, what);
        _exit(write(pipe_fd[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
    }
    (void)close(pipe_fd[1]);
    ASSERT(read(pipe_fd[0], &result, sizeof(result)) == sizeof(result));
    (void)close(pipe_fd[0]);
    ASSERT(waitpid(pid, NULL, 0) == pid);
    return result;
}

/* ---------------------------------------------------------------- the bare server */

static enum MHD_Result bare_answer(void *response, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_size, void **slot)
{
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (*slot == NULL) {
        *slot = response;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

static struct MHD_Daemon *bare_start(size_t body_size, uint16_t *ret_port)
{
    char *body = calloc(1, body_size + 1);
    ASSERT(body != NULL);
    memset(body, 'x', body_size);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body_size, body, MHD_RESPMEM_MUST_FREE);
    ASSERT(response != NULL);
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, bare_answer, response,
                         MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
    ASSERT(daemon != NULL);
    *ret_port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return daemon; /* the response lives as long as the process */
}

/* ---------------------------------------------------------------- */

static void publish(struct shared *shared)
{
    struct snapshot *s = snapshot_new(3);
    static const char *const names[] = {"BTC-USD", "ETH-USD", "SOL-USD"};
    s->version = 1;
    s->published_wall_us = clock_wall_us(clock_real());
    s->published_mono_us = clock_mono_us(clock_real());
    s->state = TRADING_ACTIVE;
    s->market_count = 3;
    for (int i = 0; i < 3; i++) {
        ASSERT(symbol_parse(str_c(names[i]), &s->markets[i].symbol));
        s->markets[i].price = dec_from_double(64120.5 / (i + 1));
    }
    shared_publish_snapshot(shared, s);
    free(s);
}

/* More rows than the summary shows, of each kind that it shows. */
static void fill(const char *folder)
{
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    AUTO_OPS_STORE struct ops_store *ops = NULL;
    struct symbol symbol;
    ASSERT(trading_store_open(folder, TRADING_STORE_WRITE, &trading, NULL) == 0);
    ASSERT(ops_store_open(folder, OPS_STORE_WRITE, &ops, NULL) == 0);
    ASSERT(symbol_parse(STR_LIT("BTC-USD"), &symbol));
    ASSERT(trading_store_begin(trading, NULL) == 0);
    for (int i = 1; i <= ROWS; i++) {
        struct trade t = {.id = i, .symbol = symbol, .side = SIDE_LONG, .exit_reason = "stop"};
        struct decision d = {.id = i,
                             .symbol = symbol,
                             .price = dec_from_int(64000),
                             .direction = DIRECTION_LONG,
                             .outcome = i % 10 == 0 ? OUTCOME_VETOED : OUTCOME_HOLD};
        t.closed_us = d.at_us = i * USEC_PER_MIN;
        (void)snprintf(t.client_id, sizeof(t.client_id), "nd-1-%d", i);
        ASSERT(trade_table_add(trading, &t, NULL) == 0);
        ASSERT(decision_table_add(trading, &d, NULL) == 0);
    }
    ASSERT(trading_store_commit(trading, NULL) == 0);
    for (int i = 1; i <= ALERTS; i++) {
        char name[32];
        struct alert_raised raised;
        (void)snprintf(name, sizeof(name), "service:%d", i);
        const struct alert_new alert = {.type = ALERT_SERVICE,
                                        .severity = SEVERITY_HIGH,
                                        .title = "a service is down",
                                        .description = "it was asked three times",
                                        .fingerprint = name,
                                        .source = "health"};
        ASSERT(alert_table_raise(ops, &alert, i * USEC_PER_MIN, &raised, NULL) == 0);
    }
}

int main(void)
{
    static struct shared shared;
    struct err err = {0};
    struct api *api = NULL;
    char folder[] = "/tmp/nightdesk-bench-XXXXXX";
    ASSERT(secret_init(&err) == 0 && mkdtemp(folder) != NULL);
    fill(folder);
    shared_init(&shared, 3);
    struct shared_reader *reader = shared_reader_add(&shared, "tcp", 0);
    struct shared_reader *stream_reader = shared_reader_add(&shared, "stream", API_STREAM_TOPICS);
    shared_reader_sleep(stream_reader);
    shared_seal(&shared);
    publish(&shared);
    struct config *config = NULL;
    int rc = config_parse(STR_LIT("api:\n  token: " TOKEN "\n  rate: 0\n"), "bench", &config, NULL,
                          &err);
    ASSERT(rc == 0);
    struct ops_store *ops = NULL;
    struct access *access = NULL;
    ASSERT(ops_store_open(folder, OPS_STORE_WRITE, &ops, &err) == 0);
    ASSERT(access_new(config, ops, clock_real(), &access, &err) == 0);
    struct loop *loop = loop_new(&err);
    ASSERT(loop != NULL);
    const struct api_options options = {.loop = loop,
                                        .shared = &shared,
                                        .tcp_reader = reader,
                                        .stream_reader = stream_reader,
                                        .tcp = true,
                                        .access = access,
                                        .store = ops,
                                        .config = config,
                                        .state_dir = folder};
    rc = api_start(&options, &api, &err);
    ASSERT(rc == 0);

    static double ours[ROUNDS], bare[ROUNDS], ours_us[ROUNDS], bare_us[ROUNDS];
    static double summary_us[ROUNDS], summary_p99_us[ROUNDS];
    uint16_t bare_port = 0;
    /* Warms up, and finds the size of an answer. */
    struct MHD_Daemon *daemon = bare_start(measure_apart(api_port(api), &state).size, &bare_port);
    (void)measure_apart(bare_port, &state);
    (void)measure_apart(api_port(api), &summary);
    for (int i = 0; i < ROUNDS; i++) {
        struct result result = measure_apart(api_port(api), &state);
        ours[i] = result.rate;
        ours_us[i] = result.p99_us;
        result = measure_apart(bare_port, &state);
        bare[i] = result.rate;
        bare_us[i] = result.p99_us;
        result = measure_apart(api_port(api), &summary);
        summary_us[i] = result.median_us;
        summary_p99_us[i] = result.p99_us;
    }
    char peer[96];
    double ratio = bench_percentile(ours, ROUNDS, 0.5) / bench_percentile(bare, ROUNDS, 0.5);
    (void)snprintf(peer, sizeof(peer), "%.2f x libmicrohttpd alone (goal 0.8)", ratio);
    bench_table_head();
    bench_table_row("GET /api/v1/state, 16 connections", ours, ROUNDS, "answers/s", peer);
    bench_table_row("libmicrohttpd alone, same size", bare, ROUNDS, "answers/s", NULL);
    bench_table_row("GET /api/v1/state: p99 of each round", ours_us, ROUNDS, "us",
                    "goal 1000 us at the median");
    bench_table_row("libmicrohttpd alone: p99 of each round", bare_us, ROUNDS, "us", NULL);
    bench_table_row("GET /api/v1/summary: median of each round", summary_us, ROUNDS, "us",
                    "goal 2000 us");
    bench_table_row("GET /api/v1/summary: p99 of each round", summary_p99_us, ROUNDS, "us",
                    "goal 2000 us at the median");
    MHD_stop_daemon(daemon);
    api_stop(api);
    loop_free(loop);
    access_free(access);
    ops_store_free(ops);
    shared_release(&shared);
    config_free(config);
    (void)snprintf(peer, sizeof(peer), "rm -rf %s", folder);
    return system(peer);
}
