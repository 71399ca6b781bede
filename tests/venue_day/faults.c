#include "base/str.h"
#include "io/json.h"
#include "venue_day/venue_day.h"

#include <stdio.h>
#include <string.h>

/* Real time in which a fault is met, and in which everything is answered afterwards. */
#define MET_US    (20 * USEC_PER_SEC)
#define SETTLE_US (60 * USEC_PER_SEC)
/* So long after it, by the market, trading goes on. */
#define AFTER_MINUTES 6
/* Of so many faults one is met together with a kill. */
#define KILLED_OF 4
/* One that was chosen by its name. */
#define REPEATED 20
#define POLL_US  (15 * USEC_PER_MSEC)

static int64_t met_count(struct day *d, const char *name)
{
    AUTO_JSON struct json_object *met = fake_venue_met(d->fake);
    return json_i64(met, name, 0);
}

static bool wait_met(struct day *d, const char *name, int64_t before)
{
    int64_t until_us = clock_mono_us(clock_real()) + MET_US;
    while (met_count(d, name) == before && clock_mono_us(clock_real()) < until_us &&
           killer_is_alive(d)) {
        killer_pause(POLL_US);
    }
    return d->trader > 0 && met_count(d, name) > before;
}

static bool go_on(struct day *d, int64_t minutes, int64_t us)
{
    int64_t began_us = clock_mono_us(clock_real());
    int64_t first = atomic_load(&d->told->minutes);
    while (atomic_load(&d->told->minutes) < first + minutes ||
           clock_mono_us(clock_real()) < began_us + us) {
        if (!killer_is_alive(d)) {
            return false;
        }
        if (clock_mono_us(clock_real()) > began_us + MET_US) {
            return day_check(d, false, "the market stands still");
        }
        killer_pause(POLL_US);
    }
    return true;
}

static bool settle(struct day *d)
{
    int64_t until_us = clock_mono_us(clock_real()) + SETTLE_US;
    atomic_store(&d->told->pause, true);
    while (!atomic_load(&d->told->settled)) {
        if (!killer_is_alive(d)) {
            return false;
        }
        if (clock_mono_us(clock_real()) > until_us) {
            return false;
        }
        killer_pause(POLL_US);
    }
    return true;
}

static void resume(struct day *d)
{
    atomic_store(&d->told->settled, false);
    atomic_store(&d->told->pause, false);
}

static void kill_it(struct day *d, const struct mishap *m)
{
    killer_pause((int64_t)rng_below(&d->rng, 4) * USEC_PER_MSEC);
    killer_end(d);
    d->limits_met += m->limits > 0 ? UNDER_WAY_MAX : 0; /* only a ban outlives the process */
    killer_start(d, false);
}

static bool is_traded_again(struct day *d)
{
    char name[40];
    (void)snprintf(name, sizeof(name), "fill %s", d->venue->symbols[0]);
    return wait_met(d, name, met_count(d, name));
}

/* One fault: it is met, and the books are the account's. False: the day cannot go on. */
static bool suffer(struct day *d, const struct mishap *m, bool killed)
{
    int64_t before = met_count(d, m->met), refused = atomic_load(&d->told->refused);
    d->limits_met = d->jumps_met = 0;
    mishap_begin(d, m);
    resume(d);
    bool met = day_check(d, wait_met(d, m->met, before), "it was not met in %d s: %s",
                         (int)(MET_US / USEC_PER_SEC), m->begin);
    if (met && killed) {
        kill_it(d, m);
    }
    (void)(met && go_on(d, 0, m->for_us / d->times));
    mishap_end(d, m);
    (void)(met && go_on(d, AFTER_MINUTES, 0));
    (void)day_check(d, !met || !m->halts || is_traded_again(d), "no more trades after: %s",
                    m->begin);
    mishap_tell(d, "forget faults");
    bool good = killer_is_alive(d) &&
                day_check(d, settle(d), "some of it has no answer after: %s", m->begin);
    if (good) {
        judge_compare(d);
    }
    if (good && m->refuses) {
        judge_refused(d);
        (void)day_check(d, atomic_load(&d->told->refused) > refused, "there was no alert: %s",
                        m->begin);
    }
    mishap_tell(d, "forget violations");
    return good;
}

/* number: of those before it. */
static void suffer_named(struct day *d, const struct mishap *m, int number, bool *good)
{
    int before = d->failures;
    char name[MISHAP_NAME_SIZE], line[MISHAP_NAME_SIZE + 64];
    bool killed = !m->refuses && number % KILLED_OF == (int)(d->seed % KILLED_OF);
    mishap_name(d, m, name);
    if (d->only != NULL && strstr(name, d->only) == NULL) {
        return;
    }
    if (*good) {
        *good = suffer(d, m, killed);
    } else {
        (void)day_check(d, false, "the day could not go on");
    }
    (void)snprintf(line, sizeof(line), "%s%s: the books are the account's", name,
                   killed ? ", and kill -9" : "");
    day_result(d, before, line);
}

void faults_each(struct day *d)
{
    bool good = true;
    int times = d->only != NULL ? REPEATED : 1;
    killer_start(d, false);
    for (int k = 0; k < times; k++) {
        for (int i = 0, number = k; i < mishaps_count(); i++) {
            const struct mishap *m = mishaps_at(i);
            if (mishap_is_for(m, d->venue)) {
                suffer_named(d, m, number, &good);
                number += m->refuses ? 0 : 1;
            }
        }
    }
    killer_end(d);
}
