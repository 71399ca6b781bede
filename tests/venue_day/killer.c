#include "base/check.h"
#include "base/str.h"
#include "venue_day/venue_day.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Real time in which the market gets on by so few minutes only. While orders cannot be sent, for
 * example during a ban, it passes at the speed of real time. */
#define STUCK_US      (300 * USEC_PER_SEC)
#define STUCK_MINUTES 10

static void start(struct day *d, bool last)
{
    (void)fflush(stdout);
    d->lives++;
    const char *told = d->venue->before_life;
    const char *why = told == NULL ? NULL : fake_venue_do(d->fake, told);
    (void)day_check(d, why == NULL, "%s: %s", told, why);
    d->trader = fork();
    if (d->trader == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)printf("---- life %d%s\n", d->lives, last ? ", the last" : "");
        trader_trade(d, last);
    }
}

static void pause_us(int64_t us)
{
    struct timespec t = {.tv_sec = us / USEC_PER_SEC, .tv_nsec = us % USEC_PER_SEC * 1000};
    (void)nanosleep(&t, NULL);
}

static void misbehave(struct day *d);

/* The day is longer where little has happened: on a slow machine more of it passes while the venue
 * answers. */
static bool is_over(const struct day *d, int64_t minutes)
{
    int64_t now = atomic_load(&d->told->minutes);
    bool enough = atomic_load(&d->told->fills) >= d->venue->fills || now >= 10 * d->minutes;
    return now >= minutes && (enough || minutes < d->minutes);
}

/* Waits until the day has so many minutes. False: it does not get there. */
static bool wait_minutes(struct day *d, int64_t minutes)
{
    int64_t seen = 0, seen_us = clock_mono_us(clock_real());
    while (!is_over(d, minutes)) {
        int status;
        if (waitpid(d->trader, &status, WNOHANG) == d->trader) {
            d->trader = 0;
            return day_check(d, false, "the program ended by itself (status %d), see %s", status,
                             d->log);
        }
        misbehave(d);
        pause_us(2000);
        int64_t now = atomic_load(&d->told->minutes);
        int64_t now_us = clock_mono_us(clock_real());
        if (now - seen >= STUCK_MINUTES) {
            seen = now;
            seen_us = now_us;
        }
        if (now_us - seen_us > STUCK_US) {
            return day_check(d, false, "the market stands still, see %s", d->log);
        }
    }
    return true;
}

void killer_end(struct day *d)
{
    int status;
    if (d->trader > 0) {
        (void)kill(d->trader, SIGKILL);
        (void)waitpid(d->trader, &status, 0);
        d->trader = 0;
    }
}

/* What goes wrong at the venue: a command, and, so much later, the one that ends it. */
struct mishap {
    const char *begin, *end;
    int64_t for_us;
};

/* Each for a moment. */
static const struct mishap mishaps[] = {
    {"fault place 1 lost-before", NULL, 0},
    {"fault place 1 lost-after", NULL, 0},
    {"fault place 1 unknown-before", NULL, 0},
    {"fault place 1 unknown-after", NULL, 0},
    {"fault place 1 truncated", NULL, 0},
    {"fault place 1 html 502", NULL, 0},
    {"fault place 1 status 503", NULL, 0},
    {"fault place 1 overloaded", NULL, 0},
    {"fault place 1 limited 1", NULL, 0},
    {"fault place 1 delay-after 0.3", NULL, 0},
    {"fault place 1 event-before-ack 0.1", NULL, 0},
    {"fault place 1 dup-fill", NULL, 0},
    {"fault place 1 no-event", NULL, 0},
    {"fault place 1 late-fill 0.5", NULL, 0},
    {"fault place 1 partial-cancel 0.4", NULL, 0},
    {"fault place 1 silent", "silent off", 500 * USEC_PER_MSEC},
    {"fault place 1 extra", NULL, 0},
    {"fault amend 1 lost-before", NULL, 0},
    {"fault amend 1 lost-after", NULL, 0},
    {"fault amend 1 unknown-after", NULL, 0},
    {"fault amend 1 delay-after 0.3", NULL, 0},
    {"fault amend 1 fill-first", NULL, 0},
    {"fault query 1 html", NULL, 0},
    {"fault query 1 truncated", NULL, 0},
    {"fault fills 1 lost-after", NULL, 0},
    {"fault coins 1 status 500", NULL, 0},
    {"fault open 1 truncated", NULL, 0},
    {"fault connect 1 html 503", NULL, 0},
    {"lag 0.5", "lag 0", USEC_PER_SEC},
    {"cut user", NULL, 0},
    {"cut all", NULL, 0},
    {"gap user 2", "cut user", 300 * USEC_PER_MSEC},
    {"replay\ncut user", NULL, 0},
    {"silent on", "silent off\ncut user", 500 * USEC_PER_MSEC},
    {"clock 2", "clock 0", USEC_PER_SEC},
    {"clock -30", "clock 0", USEC_PER_SEC},
    {"maintenance on", "maintenance off", 400 * USEC_PER_MSEC},
    {"market %s halted", "market %s trading", 300 * USEC_PER_MSEC},
    {"parts %s 4 1", "parts %s 1", USEC_PER_SEC},
    {"parts %s 3 1\nfault place 1 reorder", "parts %s 1", 500 * USEC_PER_MSEC},
    {"parts %s 3 1\nfault place 1 dup-fill", "parts %s 1", 500 * USEC_PER_MSEC},
    {"liquidity %s 0.01", "liquidity %s all", 500 * USEC_PER_MSEC},
    /* From here on each takes seconds, in which nothing else happens: for a whole day. */
    {"fault place 1 hang", NULL, 0},
    {"fault query 1 hang", NULL, 0},
    {"fault any 1 banned 2", NULL, 0},
    {"freeze user", "cut user", 2 * USEC_PER_SEC},
};
#define SLOW_MISHAPS 4
#define WHOLE_DAY    1000
/* So many requests may be under way when the venue's clock jumps. */
#define JUMPED_MAX 4

static void tell_fake(struct day *d, const char *format)
{
    char lines[160];
    const char *symbol = d->venue->symbols[0];
    const char *at = strstr(format, "%s");
    if (at == NULL) {
        (void)str_copy(str_c(format), lines, sizeof(lines));
    } else {
        (void)snprintf(lines, sizeof(lines), "%.*s%s%s", (int)(at - format), format, symbol,
                       at + 2);
    }
    const char *why = fake_venue_do(d->fake, lines);
    (void)day_check(d, why == NULL, "%s: %s", lines, why);
    FILE *log = fopen(d->log, "ae");
    if (log != NULL) {
        (void)fprintf(log, "---- the venue: %s\n", lines);
        (void)fclose(log);
    }
}

static void end_mishap(struct day *d)
{
    if (d->mishap != NULL && d->mishap->end != NULL) {
        tell_fake(d, d->mishap->end);
    }
    d->mishap = NULL;
}

static void misbehave(struct day *d)
{
    int64_t now_us = clock_mono_us(clock_real());
    if (d->mishap != NULL && now_us - d->mishap_us > d->mishap->for_us) {
        end_mishap(d);
    }
    int64_t each = d->faults > 0 ? d->minutes / d->faults : 0;
    if (each > 0 && d->mishap == NULL && atomic_load(&d->told->minutes) >= d->next_fault) {
        size_t most = COUNT_OF(mishaps) - (d->minutes < WHOLE_DAY ? SLOW_MISHAPS : 0);
        d->mishap = &mishaps[rng_below(&d->rng, most)];
        d->limits_met += strstr(d->mishap->begin, "limited") != NULL;
        d->limits_met += strstr(d->mishap->begin, "banned") != NULL;
        d->jumps_met += strncmp(d->mishap->begin, "clock", 5) == 0 ? 2 * JUMPED_MAX : 0;
        d->mishap_us = now_us;
        d->next_fault =
            atomic_load(&d->told->minutes) + 1 + (int64_t)rng_below(&d->rng, (uint64_t)(2 * each));
        tell_fake(d, d->mishap->begin);
        d->fault_count++;
    }
}

bool killer_live_through(struct day *d)
{
    int64_t each = d->minutes / (d->kills + 1);
    bool good = true;
    for (int64_t life = 0; good && life <= d->kills; life++) {
        start(d, false);
        if (life < d->kills && rng_below(&d->rng, 4) == 0) {
            pause_us((int64_t)rng_below(&d->rng, 600) * USEC_PER_MSEC); /* while it starts */
        } else {
            int64_t until = life == d->kills
                                ? d->minutes
                                : life * each + 1 + (int64_t)rng_below(&d->rng, (uint64_t)each);
            good = wait_minutes(d, until);
            pause_us((int64_t)rng_below(&d->rng, 20000));
        }
        killer_end(d);
    }
    return good;
}

bool killer_settle(struct day *d)
{
    int status = 0;
    end_mishap(d);
    tell_fake(d, "forget faults");
    start(d, true);
    (void)waitpid(d->trader, &status, 0);
    d->trader = 0;
    return day_check(d, WIFEXITED(status) && WEXITSTATUS(status) == 0,
                     "it did not settle (status %d), see %s", status, d->log);
}
