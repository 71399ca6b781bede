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

void killer_start(struct day *d, bool last)
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

void killer_pause(int64_t us)
{
    struct timespec t = {.tv_sec = us / USEC_PER_SEC, .tv_nsec = us % USEC_PER_SEC * 1000};
    (void)nanosleep(&t, NULL);
}

static void misbehave(struct day *d);

bool killer_is_alive(struct day *d)
{
    int status;
    if (d->trader > 0 && waitpid(d->trader, &status, WNOHANG) == d->trader) {
        d->trader = 0;
        return day_check(d, false, "the program ended by itself (status %d), see %s", status,
                         d->log);
    }
    return d->trader > 0;
}

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
        if (!killer_is_alive(d)) {
            return false;
        }
        misbehave(d);
        killer_pause(2000);
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

#define WHOLE_DAY 1000

static void end_mishap(struct day *d)
{
    if (d->mishap != NULL) {
        mishap_end(d, d->mishap);
    }
    d->mishap = NULL;
}

static const struct mishap *choose(struct day *d)
{
    while (true) {
        const struct mishap *m = mishaps_at((int)rng_below(&d->rng, (uint64_t)mishaps_count()));
        if (mishap_is_for(m, d->venue) && !(m->slow && d->minutes < WHOLE_DAY)) {
            return m;
        }
    }
}

static void misbehave(struct day *d)
{
    int64_t now_us = clock_mono_us(clock_real());
    if (d->mishap != NULL && now_us - d->mishap_us > d->mishap->for_us) {
        end_mishap(d);
    }
    int64_t each = d->faults > 0 ? d->minutes / d->faults : 0;
    if (each > 0 && d->mishap == NULL && atomic_load(&d->told->minutes) >= d->next_fault) {
        d->mishap = choose(d);
        d->mishap_us = now_us;
        d->next_fault =
            atomic_load(&d->told->minutes) + 1 + (int64_t)rng_below(&d->rng, (uint64_t)(2 * each));
        mishap_begin(d, d->mishap);
    }
}

bool killer_live_through(struct day *d)
{
    int64_t each = d->minutes / (d->kills + 1);
    bool good = true;
    for (int64_t life = 0; good && life <= d->kills; life++) {
        killer_start(d, false);
        if (life < d->kills && rng_below(&d->rng, 4) == 0) {
            killer_pause((int64_t)rng_below(&d->rng, 600) * USEC_PER_MSEC); /* while it starts */
        } else {
            int64_t until = life == d->kills
                                ? d->minutes
                                : life * each + 1 + (int64_t)rng_below(&d->rng, (uint64_t)each);
            good = wait_minutes(d, until);
            killer_pause((int64_t)rng_below(&d->rng, 20000));
        }
        killer_end(d);
    }
    return good;
}

bool killer_settle(struct day *d)
{
    int status = 0;
    end_mishap(d);
    mishap_tell(d, "forget faults");
    killer_start(d, true);
    (void)waitpid(d->trader, &status, 0);
    d->trader = 0;
    return day_check(d, WIFEXITED(status) && WEXITSTATUS(status) == 0,
                     "it did not settle (status %d), see %s", status, d->log);
}
