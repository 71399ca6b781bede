/*
 * bench_orders.c: an order on its way to a venue: from the engine's push into the ring to the
 * return of the send() that has the whole of its signed request, through the thread of the
 * account and libcurl, on an open connection to the fakes of Binance (HMAC-SHA-256) and Coinbase
 * (JWT, ES256); and how long it takes from a cut of all connections until orders can be sent again
 * and the account has been listed. Without TLS: the fakes speak HTTP.
 *
 * A venue is another machine, so where there are several processors the fakes have the last one,
 * and what is measured the others: else a send() returns when the fake, which it has woken and made
 * room for, has read and checked the order.
 *
 * The peer is the least that a program can do: the same query signed by hand and given to
 * curl_easy_perform on an open connection, in one thread.
 */
#include "base/check.h"
#include "bench/bench.h"
#include "fakes/fake_venue.h"
#include "io/secret.h"
#include "venue/feed.h"
#include "venue/venue.h"

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

/* The venues limit orders: Binance 50 at once and two a second, Coinbase 14 requests a second. */
enum { ORDERS = 100, FAST = 45, SLOW_MS = 520, PEERS = 200, WAKES = 1000, CUTS = 10 };
#define WAIT_MS 20000

struct place {
    const char *name;
    const char *symbol;
    const char *price;  /* of the fake: an order is worth more than its minimum */
    const char *begins; /* of the request of an order */
    int gap_ms;
    bool slow; /* SLOW_MS after the first FAST orders */
};

static const struct place places[] = {
    {"binance", "BTC-USDT", "price BTC-USDT 60000", "POST /api/v3/order", 20, true},
    {"coinbase", "BTC-USD", "price BTC-USD 60000", "POST /api/v3/brokerage/orders", 90, false},
};

static double order_us[COUNT_OF(places)][ORDERS], ready_ms[COUNT_OF(places)][CUTS], bare_us[PEERS],
    wake_us[WAKES];

/* ---------------------------------------------------------------- the socket */

static const char *watched = "";
static _Atomic int64_t sent_ns; /* when the send() of such a request returned; 0: not yet */

/* In place of the C library's, also for libcurl: every byte of ours goes through it. */
ssize_t send(int fd, const void *bytes, size_t count, int flags);
ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
    ssize_t n = syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
    size_t len = strlen(watched);
    if (n > 0 && len > 0 && count >= len && memcmp(bytes, watched, len) == 0) {
        ASSERT((size_t)n == count && memmem(bytes, count, "nd", 2) != NULL); /* with its body */
        atomic_store(&sent_ns, bench_now_ns());
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
    char last[CLIENT_ID_SIZE]; /* the newest order in a final state */
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
            memcpy(d->last, r.client_id, sizeof(d->last));
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
    (void)snprintf(stream, sizeof(stream), "%s%s", fake_venue_stream_url(fake),
                   strcmp(place->name, "binance") == 0 ? "/ws-api/v3" : "");
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

static double one_order_us(struct desk *d, const struct place *place)
{
    struct order order = {
        .kind = ORDER_ENTRY, .qty = {DEC_ONE / 5000}, .reference_price = dec_from_int(60000)};
    ASSERT(symbol_parse(str_c(place->symbol), &order.symbol));
    (void)snprintf(order.client_id, sizeof(order.client_id), "nd-1-%lld", (long long)++d->next);
    atomic_store(&sent_ns, 0);
    int64_t from_ns = bench_now_ns();
    venue_send(d->venue, &order);
    int64_t until_ns = from_ns + WAIT_MS * INT64_C(1000000);
    while (strcmp(d->last, order.client_id) != 0) {
        ASSERT(bench_now_ns() < until_ns);
        (void)poll(NULL, 0, 1);
        take_reports(d);
    }
    ASSERT(atomic_load(&sent_ns) != 0);
    return (double)(atomic_load(&sent_ns) - from_ns) / 1e3;
}

static void measure(const struct place *place, struct fake_venue *fake, double *orders,
                    double *ready)
{
    struct desk *d = malloc(sizeof(*d));
    ASSERT(d != NULL && fake_venue_do(fake, place->price) == NULL);
    watched = place->begins;
    open_desk(d, place, fake);
    for (int i = 0; i < ORDERS; i++) {
        orders[i] = one_order_us(d, place);
        (void)poll(NULL, 0, place->slow && i >= FAST ? SLOW_MS : place->gap_ms);
    }
    for (int i = 0; i < CUTS; i++) {
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
    for (int i = 0; i < PEERS; i++) {
        (void)poll(NULL, 0, places[0].gap_ms);
        int64_t from_ns = bench_now_ns();
        atomic_store(&sent_ns, 0);
        (void)snprintf(query, sizeof(query),
                       "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=nd-%d"
                       "&timestamp=%lld",
                       i, (long long)(from_ns / 1000000));
        secret_hmac_sha256(STR_LIT("0123456789abcdef0123456789abcdef"), str_c(query), signature);
        (void)snprintf(url, sizeof(url), "%s/api/v3/order?%s&signature=%s", fake_venue_url(fake),
                       query, signature);
        (void)curl_easy_setopt(curl, CURLOPT_URL, url);
        ASSERT(curl_easy_perform(curl) == CURLE_OK && atomic_load(&sent_ns) != 0);
        bare_us[i] = (double)(atomic_load(&sent_ns) - from_ns) / 1e3;
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
        measure(&places[i], fakes[i], order_us[i], ready_ms[i]);
        if (i == 0) {
            measure_peer(fakes[i]);
            measure_wakes();
            (void)snprintf(peer, sizeof(peer), "signed by hand, easy libcurl: %.0f, p99 %.0f",
                           bench_percentile(bare_us, PEERS, 0.5),
                           bench_percentile(bare_us, PEERS, 0.99));
        }
        (void)snprintf(name, sizeof(name), "%s, order to socket (limit p99 300)", places[i].name);
        bench_table_row(name, order_us[i], ORDERS, "us", peer);
        (void)snprintf(name, sizeof(name), "%s, cut to ready, listed (limit 2000)", places[i].name);
        bench_table_row(name, ready_ms[i], CUTS, "ms", NULL);
        fake_venue_stop(fakes[i]);
    }
    bench_table_row("the machine's share: a thread wakes", wake_us, WAKES, "us", NULL);
    return 0;
}
