/*
 * venue_day.c: a day of trading at the strict fake of a real venue, during which the program is
 * killed with kill -9 at random moments and the venue misbehaves.
 *
 *     venue_day VENUE [MINUTES [KILLS [FAULTS [SEED [SPEED]]]]]     prints TAP
 *     venue_day VENUE faults [SEED [TIMES [SPEED]]]
 *
 * The second lets each fault of the table happen once, and judges after each; all clocks pass TIMES
 * as fast, since much of it is waiting.
 *
 * Books and log are deleted at the end, unless something failed or NIGHTDESK_KEEP is set.
 *
 * The engine trades on a simulated market through the connector; the fake's prices follow that
 * market. A process of its own runs the engine, so that it can be killed; the fake lives on. At the
 * end trading is paused, everything is answered, and the books are compared with the fake's:
 *   - no client id was accepted twice; each order of ours at the fake is in the books, and each
 *     order that was filled in the books is at the fake, with the same quantity, cost and state;
 *   - positions are what the account holds, but for less than a step of each order that bought;
 *   - cash is the account's, to the last unit;
 *   - the fake saw no request that a client should never send.
 */
#include "venue_day/venue_day.h"

#include "base/check.h"
#include "base/str.h"
#include "io/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MINUTES_DEFAULT 90
#define KILLS_DEFAULT   3
#define SEED_DEFAULT    20261130
#define SPEED_DEFAULT   3600
/* With each fault: by a clock that is so many times as fast. */
#define TIMES_DEFAULT 14
/* A third of a second in which the machine is busy elsewhere is five seconds there. */
#define LATE_MAX             12
#define FAULTS_SPEED_DEFAULT 430

static const struct day_venue cases[] = {
    {BINANCE, "binance", "/ws-api/v3", {"BTC-USDT", "ETH-USDT"}, false, NULL, 10, 1},
    {BINANCE_FUTURES, "binance_futures", "/private", {"BTC-USDT", "ETH-USDT"}, true, NULL, 10, 1},
    {KRAKEN,
     "kraken",
     "/v2",
     {"BTC-USD", "ETH-USD"},
     false,
     "limits 100000 10000 100000 10000\nnonce 0",
     2,
     50},
    {COINBASE, "coinbase", "", {"BTC-USD", "ETH-USD"}, false, "limits 90 90", 10, 3},
    {ALPACA, "alpaca", "/stream", {"BTC-USD", "ETH-USD"}, false, "limits 2000\nend-day", 10, 10},
};
/* ---------------------------------------------------------------- TAP */

/* What has gone wrong once is found by each comparison after it. */
static bool is_told(struct day *d, const char *text)
{
    for (int i = 0; i < d->told_count; i++) {
        if (strcmp(d->told_texts[i], text) == 0) {
            return true;
        }
    }
    if (d->told_count < (int)COUNT_OF(d->told_texts)) {
        d->told_texts[d->told_count] = strdup(text);
        NEED_MEMORY(d->told_texts[d->told_count] != NULL);
        d->told_count++;
    }
    return false;
}

bool day_check(struct day *d, bool good, const char *format, ...)
{
    if (good) {
        return true;
    }
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (is_told(d, text)) {
        return false;
    }
    d->failures++;
    (void)printf("# %s, seed %llu: %s\n", d->venue->name, (unsigned long long)d->seed, text);
    return false;
}

void day_result(struct day *d, int failures_before, const char *name)
{
    d->checks++;
    (void)printf("%s %d - %s: %s\n", d->failures == failures_before ? "ok" : "not ok", d->checks,
                 d->venue->name, name);
    (void)fflush(stdout);
}
/* ---------------------------------------------------------------- the day */

static const struct day_venue *find_case(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (strcmp(cases[i].name, name) == 0) {
            return &cases[i];
        }
    }
    return NULL;
}

static int start_fake(struct day *d)
{
    return d->times == 1 ? fake_venue_start(d->venue->name, &d->fake)
                         : fake_venue_start_fast(d->venue->name, d->times, d->since_s, &d->fake);
}

static bool begin(struct day *d)
{
    struct err err = {0};
    rng_init(&d->rng, d->seed);
    (void)str_copy(STR_LIT("/var/tmp/nightdesk-day.XXXXXX"), d->folder, sizeof(d->folder));
    d->told =
        mmap(NULL, sizeof(*d->told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (secret_init(&err) < 0 || d->told == MAP_FAILED || mkdtemp(d->folder) == NULL ||
        start_fake(d) < 0) {
        (void)printf("Bail out! no work folder, or the fake does not start\n");
        return false;
    }
    (void)snprintf(d->log, sizeof(d->log), "%s/day.log", d->folder);
    (void)snprintf(d->stream_url, sizeof(d->stream_url), "%s%s", fake_venue_stream_url(d->fake),
                   d->venue->stream_path);
    return true;
}

static void end(struct day *d)
{
    char command[96];
    killer_end(d);
    fake_venue_stop(d->fake);
    for (int i = 0; i < d->told_count; i++) {
        free(d->told_texts[i]);
    }
    if (d->failures == 0 && getenv("NIGHTDESK_KEEP") == NULL) {
        (void)snprintf(command, sizeof(command), "rm -rf %s", d->folder);
        (void)!system(command);
    } else {
        (void)printf("# books and log are kept in %s\n", d->folder);
    }
}

static int read_numbers(int argc, char **argv, int64_t *const numbers[], size_t most)
{
    int i = 0;
    for (; i < argc && (size_t)i < most; i++) {
        if (!str_to_i64(str_c(argv[i]), numbers[i]) || *numbers[i] < 0) {
            return -1;
        }
    }
    return i == argc ? 0 : -1;
}

static int read_arguments(struct day *d, int argc, char **argv)
{
    int64_t seed = SEED_DEFAULT;
    int rc = -1;
    d->venue = argc > 1 ? find_case(argv[1]) : NULL;
    if (d->venue == NULL) {
        return -1;
    }
    d->each = argc > 2 && strcmp(argv[2], "faults") == 0;
    if (d->each) {
        int64_t *const numbers[] = {&seed, &d->times, &d->speed};
        d->times = TIMES_DEFAULT;
        d->late_left = LATE_MAX;
        d->speed = FAULTS_SPEED_DEFAULT;
        d->kills = 0;
        d->only = getenv("NIGHTDESK_FAULT");
        rc = read_numbers(argc - 3, argv + 3, numbers, COUNT_OF(numbers));
    } else {
        int64_t *const numbers[] = {&d->minutes, &d->kills, &d->faults, &seed, &d->speed};
        rc = read_numbers(argc - 2, argv + 2, numbers, COUNT_OF(numbers));
    }
    d->seed = (uint64_t)seed;
    d->since_s = clock_wall_us(clock_real()) / USEC_PER_SEC;
    return rc < 0 || d->minutes < d->kills + 1 || d->speed < 1 || d->times < 1 ? -1 : 0;
}

static bool live(struct day *d)
{
    if (d->each) {
        faults_each(d);
        return true;
    }
    bool good = killer_live_through(d);
    day_result(d, 0, "a day with kill -9 at random moments");
    return good;
}

int main(int argc, char **argv)
{
    struct day d = {
        .minutes = MINUTES_DEFAULT, .kills = KILLS_DEFAULT, .speed = SPEED_DEFAULT, .times = 1};
    if (read_arguments(&d, argc, argv) < 0) {
        (void)fprintf(stderr, "usage: venue_day VENUE [MINUTES [KILLS [FAULTS [SEED [SPEED]]]]]\n"
                              "       venue_day VENUE faults [SEED [TIMES [SPEED]]]\n");
        return 2;
    }
    if (!fake_venue_available()) {
        (void)printf("ok 1 - a day at %s # SKIP no python3\n1..1\n", d.venue->name);
        return 0;
    }
    if (!begin(&d)) {
        return 1;
    }
    bool good = live(&d);
    int before = d.failures;
    if (good && killer_settle(&d)) {
        day_result(&d, before, "everything is answered");
        before = d.failures;
        judge_sum_up(&d);
        day_result(&d, before, "the books are the account's to the last unit");
    }
    (void)printf("1..%d\n", d.checks);
    end(&d);
    return d.failures == 0 ? 0 : 1;
}
