/*
 * venue_day.c: a day of trading at the strict fake of a real venue, during which the program is
 * killed with kill -9 at random moments and the venue misbehaves.
 *
 *     venue_day VENUE [MINUTES [KILLS [FAULTS [SEED [SPEED]]]]]     prints TAP
 *
 * Books and log are deleted at the end, unless something failed or NIGHTDESK_KEEP is set.
 *
 * The engine trades on a simulated market through the connector; the fake's prices follow that
 * market. A process of its own runs the engine, so that it can be killed; the fake lives on. At the
 * end trading is paused, everything is answered, and the books are compared with the fake's:
 *   - no client id was accepted twice; each order of ours at the fake is in the books, and each
 *     order that was filled in the books is at the fake, with the same quantity, cost and state;
 *   - positions are what the account holds, up to what the venue's rules forbid to sell;
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

static const struct day_venue cases[] = {
    {"binance", "/ws-api/v3", {"BTC-USDT", "ETH-USDT"}, false, NULL, 10},
    {"binance_futures", "/private", {"BTC-USDT", "ETH-USDT"}, true, NULL, 10},
    {"kraken",
     "/v2",
     {"BTC-USD", "ETH-USD"},
     false,
     "limits 100000 10000 100000 10000\nnonce 0",
     2},
    {"coinbase", "", {"BTC-USD", "ETH-USD"}, false, "limits 90 90", 10},
    {"alpaca", "/stream", {"BTC-USD", "ETH-USD"}, false, "limits 2000\nend-day", 10},
};
/* ---------------------------------------------------------------- TAP */

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
    d->failures++;
    (void)printf("# %s, seed %llu: %s\n", d->venue->name, (unsigned long long)d->seed, text);
    return false;
}

static void print_result(struct day *d, int failures_before, const char *name)
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

static bool begin(struct day *d)
{
    struct err err = {0};
    rng_init(&d->rng, d->seed);
    (void)str_copy(STR_LIT("/var/tmp/nightdesk-day.XXXXXX"), d->folder, sizeof(d->folder));
    d->told =
        mmap(NULL, sizeof(*d->told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (secret_init(&err) < 0 || d->told == MAP_FAILED || mkdtemp(d->folder) == NULL ||
        fake_venue_start(d->venue->name, &d->fake) < 0) {
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
    if (d->failures == 0 && getenv("NIGHTDESK_KEEP") == NULL) {
        (void)snprintf(command, sizeof(command), "rm -rf %s", d->folder);
        (void)!system(command);
    } else {
        (void)printf("# books and log are kept in %s\n", d->folder);
    }
}

int main(int argc, char **argv)
{
    struct day d = {.minutes = MINUTES_DEFAULT, .kills = KILLS_DEFAULT, .speed = SPEED_DEFAULT};
    int64_t seed = SEED_DEFAULT;
    int64_t *const numbers[] = {&d.minutes, &d.kills, &d.faults, &seed, &d.speed};
    bool good = argc > 1 && (d.venue = find_case(argv[1])) != NULL;
    for (int i = 2; good && i < argc; i++) {
        good = (size_t)(i - 2) < COUNT_OF(numbers) && str_to_i64(str_c(argv[i]), numbers[i - 2]) &&
               *numbers[i - 2] >= 0;
    }
    if (!good || d.minutes < d.kills + 1 || d.speed < 1) {
        (void)fprintf(stderr, "usage: venue_day VENUE [MINUTES [KILLS [FAULTS [SEED [SPEED]]]]]\n");
        return 2;
    }
    d.seed = (uint64_t)seed;
    if (!fake_venue_available()) {
        (void)printf("ok 1 - a day at %s # SKIP no python3\n1..1\n", d.venue->name);
        return 0;
    }
    if (!begin(&d)) {
        return 1;
    }
    good = killer_live_through(&d);
    print_result(&d, 0, "a day with kill -9 at random moments");
    int before = d.failures;
    if (good && killer_settle(&d)) {
        print_result(&d, before, "everything is answered");
        before = d.failures;
        judge_compare(&d);
        print_result(&d, before, "the books are the account's to the last unit");
    }
    (void)printf("1..%d\n", d.checks);
    end(&d);
    return d.failures == 0 ? 0 : 1;
}
