/*
 * bench_orders.c: an order on its way to a venue: from the engine's push into the ring, through the
 * thread of the account, until the whole of its signed request is on the socket, on an open
 * connection to the fakes of Binance (HMAC-SHA-256), Coinbase (JWT, ES256, made ahead of its order
 * since it needs nothing of it) and Kraken (SHA-256, HMAC-SHA-512); the second of two that come at
 * once; and how long it takes from a cut of all connections until orders can be sent again and the
 * account has been listed. Without TLS: the fakes speak HTTP.
 *
 * On the socket: the kernel has given the segment to the driver of the network, at a time which it
 * tells itself (SOF_TIMESTAMPING_TX_SOFTWARE). On a loopback, send() goes on from there as the
 * receiver's interrupt, and wakes the venue, which is another machine elsewhere: its return has a
 * row of its own. So do the shares of this machine: a thread that wakes, and the same bytes from a
 * bare send(). Where there are several processors the fakes have the last one, and what is measured
 * the others.
 *
 * The peer is the least that a program can do with a library: the same query signed by hand and
 * given to curl_easy_perform on an open connection, in one thread.
 */
#include "base/check.h"
#include "bench/bench.h"
#include "fakes/fake_venue.h"
#include "io/json.h"
#include "io/secret.h"
#include "venue/feed.h"
#include "venue/venue.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* The venues limit orders: Binance 50 at once and two a second, Coinbase 14 requests a second,
 * Kraken 60 at once and one a second. */
enum {
    ORDERS = 200,
    FAST = 45,
    AT_ONCE = 2,
    PAIRS = 100,
    PAIR_MS = 100, /* after their fills, of which about half a second passes */
    SLOW_MS = 520,
    COMMIT_MS = 1,
    PEERS = 200,
    WAKES = 1000,
    CUTS = 10
};
#define WAIT_MS 20000

struct place {
    const char *name;
    const char *symbol;
    const char *price;  /* of the fake: an order is worth more than its minimum */
    const char *begins; /* of the request of an order */
    const char *stream; /* its path */
    int orders;
    int gap_ms;
    bool slow;  /* SLOW_MS after the first FAST orders */
    bool pairs; /* also two at once */
    int cuts;   /* a listing costs more requests than Kraken's lowest level has for many of them */
};

static const struct place places[] = {
    {"binance", "BTC-USDT", "price BTC-USDT 60000", "POST /api/v3/order", "/ws-api/v3", ORDERS, 20,
     true, false, CUTS},
    {"coinbase", "BTC-USD", "price BTC-USD 60000", "POST /api/v3/brokerage/orders", "", ORDERS, 90,
     false, true, CUTS},
    {"kraken", "BTC-USD", "price BTC-USD 60000\nlimits 100000 10000 100000 10000",
     "POST /0/private/AddOrder", "/v2", FAST, 90, false, false, 0},
};

static double order_us[COUNT_OF(places)][ORDERS], return_us[COUNT_OF(places)][ORDERS],
    second_us[PAIRS], ready_ms[COUNT_OF(places)][CUTS], peer_us[PEERS], bare_us[PEERS],
    wake_us[WAKES];

/* ---------------------------------------------------------------- the socket */

static const char *watched = "", *within = ""; /* how such a request begins, and what it holds */
/* When such a request was on the socket, by the number that follows in it; 0: not yet. */
static _Atomic int64_t sent_ns[AT_ONCE];
static _Atomic int64_t gave_ns[AT_ONCE]; /* when its send() returned */

static int64_t wall_ns(void)
{
    struct timespec at;
    ASSERT(clock_gettime(CLOCK_REALTIME, &at) == 0);
    return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

/* The time at which the kernel gave what was sent last to the network's driver, which is when a
 * loopback's has it, too; on the clock of bench_now_ns. */
static int64_t driver_ns(int fd)
{
    union {
        struct cmsghdr align;
        char bytes[512];
    } control;
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control)};
    int64_t apart_ns = 0, spread_ns = INT64_MAX;
    while (spread_ns > 2000) { /* else something came in between */
        int64_t before_ns = bench_now_ns(), at_ns = wall_ns(), after_ns = bench_now_ns();
        spread_ns = after_ns - before_ns;
        apart_ns = after_ns - at_ns; /* so an order is rather too late than too early */
    }
    ASSERT(recvmsg(fd, &message, MSG_ERRQUEUE) >= 0);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
            struct timespec at;
            memcpy(&at, CMSG_DATA(c), sizeof(at));
            return at.tv_sec * INT64_C(1000000000) + at.tv_nsec + apart_ns;
        }
    }
    ASSERT(false);
    return 0;
}

/* In place of the C library's, also for libcurl: every byte of ours goes through it. */
ssize_t send(int fd, const void *bytes, size_t count, int flags);
ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
    static const int stamps =
        SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
    static const int none = 0;
    size_t len = strlen(watched);
    bool order = len > 0 && count >= len && memcmp(bytes, watched, len) == 0;
    if (order) {
        ASSERT(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)) == 0);
    }
    ssize_t n = syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
    if (order) {
        int64_t now_ns = bench_now_ns();
        const char *found = memmem(bytes, count, within, strlen(within));
        ASSERT((size_t)n == count && found != NULL);
        int64_t number = strtoll(found + strlen(within), NULL, 10);
        atomic_store(&gave_ns[number % AT_ONCE], now_ns);
        atomic_store(&sent_ns[number % AT_ONCE], driver_ns(fd));
        ASSERT(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &none, sizeof(none)) == 0);
    }
    return n;
}

/* ---------------------------------------------------------------- processors */

/* Of this process and of those it starts from now on. */
static void take_processors(const cpu_set_t *all, bool last)
{
    cpu_set_t set = *all;
    size_t newest = CPU_SETSIZE - 1;
    while (newest > 0 && !CPU_ISSET(newest, all)) {
        newest--;
    }
    if (last) {
        CPU_ZERO(&set);
        CPU_SET(newest, &set);
    } else if (CPU_COUNT(all) > 1) {
        CPU_CLR(newest, &set);
    }
    ASSERT(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* ---------------------------------------------------------------- the venue */

struct desk {
    struct shared shared;
    struct feed *feed;
    struct venue *venue;
    bool ready;
    int64_t list_id;
    int64_t listed_id;
    int64_t next;
    int filled;
};

static void take_reports(struct desk *d)
{
    struct venue_report r;
    while (venue_poll(d->venue, &r)) {
        if (r.kind == VENUE_CONNECTION) {
            d->ready = r.venue_state == VENUE_READY;
            d->listed_id = d->ready ? d->listed_id : 0;
        } else if (r.kind == VENUE_ACCOUNT) {
            d->listed_id = r.ask_id;
        } else if (r.kind == VENUE_ORDER && order_state_is_final(r.state)) {
            ASSERT(r.state == ORDER_FILLED);
            d->filled++;
        }
    }
}

static void await_trading(struct desk *d)
{
    int64_t until_ns = bench_now_ns() + WAIT_MS * INT64_C(1000000);
    int64_t asked_ns = 0;
    while (!d->ready || d->listed_id == 0) {
        ASSERT(bench_now_ns() < until_ns);
        if (bench_now_ns() - asked_ns > INT64_C(2000000000)) {
            asked_ns = bench_now_ns();
            venue_list(d->venue, ++d->list_id, 0);
        }
        (void)poll(NULL, 0, 1);
        take_reports(d);
    }
}

static void open_desk(struct desk *d, const struct place *place, const struct fake_venue *fake)
{
    struct venue_settings settings = {.real = {.mode = VENUE_SANDBOX,
                                               .key_id = fake_venue_key(fake),
                                               .key_secret = fake_venue_secret(fake),
                                               .url = fake_venue_url(fake),
                                               .ca_file = "",
                                               .accept_unknown_withdrawal = true}};
    char stream[256];
    struct symbol symbol;
    (void)snprintf(stream, sizeof(stream), "%s%s", fake_venue_stream_url(fake), place->stream);
    settings.real.stream_url = stream;
    (void)snprintf(settings.name, sizeof(settings.name), "%s", place->name);
    ASSERT(symbol_parse(str_c(place->symbol), &symbol));
    memset(d, 0, sizeof(*d));
    shared_init(&d->shared, 1);
    d->feed = feed_new(&(struct feed_options){.shared = &d->shared, .account = true}, NULL);
    d->venue = venue_new(&(struct venue_setup){.feed = d->feed,
                                               .settings = &settings,
                                               .cash = dec_from_int(1000),
                                               .leverage = 1,
                                               .step_us = USEC_PER_MIN,
                                               .symbols = 1});
    ASSERT(d->venue != NULL && venue_open(d->venue, NULL, NULL) >= 0);
    venue_watch(d->venue, symbol, dec_from_int(60000));
    ASSERT(feed_start(d->feed, NULL) >= 0);
    await_trading(d);
}

static void close_desk(struct desk *d)
{
    ASSERT(feed_stop(d->feed));
    venue_free(d->venue);
    feed_free(d->feed);
    shared_release(&d->shared);
}

/* As in the engine: while the intents are committed, the venue knows that orders will follow. */
static void send_orders(struct desk *d, const struct place *place, int count, double *ret_us,
                        double *ret_return_us)
{
    struct order order = {
        .kind = ORDER_ENTRY, .qty = {DEC_ONE / 5000}, .reference_price = dec_from_int(60000)};
    ASSERT(symbol_parse(str_c(place->symbol), &order.symbol));
    venue_expect(d->venue, order.symbol);
    (void)poll(NULL, 0, COMMIT_MS);
    d->filled = 0;
    d->next += AT_ONCE;
    for (int i = 0; i < count; i++) {
        atomic_store(&sent_ns[i], 0);
    }
    int64_t from_ns = bench_now_ns();
    for (int i = 0; i < count; i++) {
        (void)snprintf(order.client_id, sizeof(order.client_id), "nd-77777-%lld",
                       (long long)d->next + i);
        venue_send(d->venue, &order);
    }
    int64_t until_ns = from_ns + WAIT_MS * INT64_C(1000000);
    while (d->filled < count) {
        ASSERT(bench_now_ns() < until_ns);
        (void)poll(NULL, 0, 1);
        take_reports(d);
    }
    ASSERT(atomic_load(&sent_ns[count - 1]) != 0);
    *ret_return_us = (double)(atomic_load(&gave_ns[count - 1]) - from_ns) / 1e3;
    *ret_us = (double)(atomic_load(&sent_ns[count - 1]) - from_ns) / 1e3;
}

/* All of them have gone over one connection, which has carried nothing else (http_line.h). */
static void check_way(struct fake_venue *fake)
{
    AUTO_JSON struct json_object *state = fake_venue_state(fake);
    const struct json_object *carried = json_get(state, "carried");
    int with_orders = 0;
    for (size_t i = 0; i < json_object_array_length(carried); i++) {
        const struct json_object *kinds = json_object_array_get_idx(carried, i);
        for (size_t k = 0; k < json_object_array_length(kinds); k++) {
            if (strcmp(json_object_get_string(json_object_array_get_idx(kinds, k)), "place") == 0) {
                ASSERT(json_object_array_length(kinds) == 1);
                with_orders++;
            }
        }
    }
    ASSERT(with_orders == 1);
}

static void measure(const struct place *place, struct fake_venue *fake, double *orders,
                    double *returns, double *ready)
{
    struct desk *d = malloc(sizeof(*d));
    ASSERT(d != NULL && fake_venue_do(fake, place->price) == NULL);
    watched = place->begins;
    within = "-77777-"; /* its client id: it is whole, with its body */
    open_desk(d, place, fake);
    for (int i = 0; i < place->orders; i++) {
        send_orders(d, place, 1, &orders[i], &returns[i]);
        (void)poll(NULL, 0, place->slow && i >= FAST ? SLOW_MS : place->gap_ms);
    }
    check_way(fake);
    for (int i = 0; place->pairs && i < PAIRS; i++) {
        double returned;
        send_orders(d, place, AT_ONCE, &second_us[i], &returned);
        (void)poll(NULL, 0, PAIR_MS);
    }
    for (int i = 0; i < place->cuts; i++) {
        int64_t from_ns = bench_now_ns();
        ASSERT(fake_venue_do(fake, "cut all") == NULL);
        while (d->ready) {
            ASSERT(bench_now_ns() - from_ns < WAIT_MS * INT64_C(1000000));
            (void)poll(NULL, 0, 1);
            take_reports(d);
        }
        await_trading(d);
        ready[i] = (double)(bench_now_ns() - from_ns) / 1e6;
    }
    close_desk(d);
    free(d);
}

/* ---------------------------------------------------------------- the machine's share */

static int wake_fd;
static _Atomic int64_t woken_ns;

static void *wait_for_wakes(void *userdata)
{
    (void)userdata;
    uint64_t count = 0;
    for (int i = 0; i < WAKES; i++) {
        ASSERT(read(wake_fd, &count, sizeof(count)) == sizeof(count));
        atomic_store(&woken_ns, bench_now_ns());
    }
    return NULL;
}

/* An order wakes the thread of the account: how long that alone takes here. */
static void measure_wakes(void)
{
    pthread_t thread;
    wake_fd = eventfd(0, EFD_CLOEXEC);
    ASSERT(wake_fd >= 0 && pthread_create(&thread, NULL, wait_for_wakes, NULL) == 0);
    for (int i = 0; i < WAKES; i++) {
        const uint64_t one = 1;
        (void)poll(NULL, 0, 2);
        atomic_store(&woken_ns, 0);
        int64_t from_ns = bench_now_ns();
        ASSERT(write(wake_fd, &one, sizeof(one)) == sizeof(one));
        while (atomic_load(&woken_ns) == 0) {
            (void)poll(NULL, 0, 1);
        }
        wake_us[i] = (double)(atomic_load(&woken_ns) - from_ns) / 1e3;
    }
    ASSERT(pthread_join(thread, NULL) == 0);
    (void)close(wake_fd);
}

/* An order's bytes go to the socket: how long that alone takes here, after as long a pause. */
static void measure_bare(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    char bytes[512];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0 &&
           getsockname(listener, (struct sockaddr *)&address, &size) == 0 &&
           connect(fd, (struct sockaddr *)&address, size) == 0);
    int other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ASSERT(other >= 0);
    watched = within = "order";
    (void)snprintf(bytes, sizeof(bytes), "%-511s", watched);
    for (int i = 0; i < PEERS; i++) {
        (void)poll(NULL, 0, places[0].gap_ms);
        int64_t from_ns = bench_now_ns();
        ASSERT(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) == sizeof(bytes));
        bare_us[i] = (double)(atomic_load(&sent_ns[0]) - from_ns) / 1e3;
        ASSERT(recv(other, bytes, sizeof(bytes), MSG_WAITALL) == sizeof(bytes));
    }
    (void)close(other);
    (void)close(fd);
    (void)close(listener);
}

/* ---------------------------------------------------------------- the peer */

static size_t ignore(char *bytes, size_t size, size_t count, void *userdata)
{
    (void)bytes;
    (void)userdata;
    return size * count;
}

/* The venue refuses the order, which it has read whole: it is signed with a key that it lacks. */
static void measure_peer(const struct fake_venue *fake)
{
    char url[512], query[256], header[64], signature[SECRET_HASH_HEX_SIZE];
    CURL *curl = curl_easy_init();
    ASSERT(curl != NULL);
    (void)snprintf(header, sizeof(header), "X-MBX-APIKEY: %s", "bench");
    struct curl_slist *headers = curl_slist_append(NULL, header);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    watched = "POST /api/v3/order";
    within = "=nd-";
    for (int i = 0; i < PEERS; i++) {
        (void)poll(NULL, 0, places[0].gap_ms);
        int64_t from_ns = bench_now_ns();
        atomic_store(&sent_ns[0], 0);
        (void)snprintf(query, sizeof(query),
                       "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=nd-%d"
                       "&timestamp=%lld",
                       AT_ONCE * i, (long long)(from_ns / 1000000));
        secret_hmac_sha256(STR_LIT("0123456789abcdef0123456789abcdef"), str_c(query), signature);
        (void)snprintf(url, sizeof(url), "%s/api/v3/order?%s&signature=%s", fake_venue_url(fake),
                       query, signature);
        (void)curl_easy_setopt(curl, CURLOPT_URL, url);
        ASSERT(curl_easy_perform(curl) == CURLE_OK && atomic_load(&sent_ns[0]) != 0);
        peer_us[i] = (double)(atomic_load(&sent_ns[0]) - from_ns) / 1e3;
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
}

int main(void)
{
    struct fake_venue *fakes[COUNT_OF(places)];
    cpu_set_t all;
    ASSERT(sched_getaffinity(0, sizeof(all), &all) == 0);
    take_processors(&all, true);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        ASSERT(fake_venue_start(places[i].name, &fakes[i]) == 0);
    }
    take_processors(&all, false);
    ASSERT(secret_init(NULL) == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    bench_table_head();
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        char name[64], peer[96] = "";
        measure(&places[i], fakes[i], order_us[i], return_us[i], ready_ms[i]);
        if (i == 0) {
            measure_peer(fakes[i]);
            measure_bare();
            measure_wakes();
            (void)snprintf(peer, sizeof(peer), "signed by hand, easy libcurl: %.0f, p99 %.0f",
                           bench_percentile(peer_us, PEERS, 0.5),
                           bench_percentile(peer_us, PEERS, 0.99));
        }
        (void)snprintf(name, sizeof(name), "%s, order to socket (limit p99 300)", places[i].name);
        bench_table_row(name, order_us[i], (size_t)places[i].orders, "us", peer);
        (void)snprintf(name, sizeof(name), "%s, until send() has returned", places[i].name);
        bench_table_row(name, return_us[i], (size_t)places[i].orders, "us", NULL);
        if (places[i].pairs) {
            (void)snprintf(name, sizeof(name), "%s, the second of two at once", places[i].name);
            bench_table_row(name, second_us, PAIRS, "us", NULL);
        }
        if (places[i].cuts > 0) {
            (void)snprintf(name, sizeof(name), "%s, cut to ready, listed (limit 2000)",
                           places[i].name);
            bench_table_row(name, ready_ms[i], (size_t)places[i].cuts, "ms", NULL);
        }
        fake_venue_stop(fakes[i]);
    }
    bench_table_row("the machine's share: a thread wakes", wake_us, WAKES, "us", NULL);
    bench_table_row("the machine's share: a send() to the socket", bare_us, PEERS, "us", NULL);
    return 0;
}
