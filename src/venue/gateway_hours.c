#include "base/check.h"
#include "base/log.h"
#include "gateway_private.h"

#include <stdlib.h>

/* The hours of markets that are not open around the clock: the venue's clock says whether they are
 * open, and knows holidays and days that end early; with extended hours its calendar says when
 * those begin and end. Both are asked for when a session ends, and at least once an hour. */

/* After they could not be read. */
#define AGAIN_US (10 * USEC_PER_SEC)

struct gateway_hours {
    struct gateway *g;
    struct loop_source *timer;
    struct account_hours clock;
    int day_count; /* 0: without extended hours */
    struct account_day days[ACCOUNT_DAYS_MAX];
    enum account_session session; /* closed until it is known */
    int64_t changes_us;
};

bool gateway_has_hours(const struct gateway *g, const struct gateway_market *m)
{
    return g->options.api->has_hours != NULL && g->options.api->has_hours(&m->market);
}

enum account_session gateway_hours_session(const struct gateway *g, const struct gateway_market *m,
                                           int64_t *ret_changes_us)
{
    bool has = gateway_has_hours(g, m);
    *ret_changes_us = has ? g->hours->changes_us : 0;
    return has ? g->hours->session : ACCOUNT_REGULAR_SESSION;
}

static void judge(struct gateway_hours *h)
{
    static const char *const words[] = {
        [ACCOUNT_CLOSED_SESSION] = "not traded now",
        [ACCOUNT_EXTENDED_SESSION] = "traded in extended hours now, by limits",
        [ACCOUNT_REGULAR_SESSION] = "traded now",
    };
    int64_t before_us = h->changes_us;
    enum account_session before = h->session;
    h->session = account_session(&h->clock, h->days, h->day_count, calls_wall_us(h->g->calls),
                                 &h->changes_us);
    if (h->session != before) {
        LOG(NOTICE, "%s: stocks are %s", h->g->options.api->name, words[h->session]);
    }
    if (h->session != before || h->changes_us != before_us) {
        gateway_session_hours(h->g);
    }
}

static void wait(struct gateway_hours *h)
{
    int64_t left_us = h->changes_us - calls_wall_us(h->g->calls);
    left_us = left_us < USEC_PER_SEC ? USEC_PER_SEC : left_us;
    loop_timer_in(h->timer, left_us < USEC_PER_HOUR ? left_us : USEC_PER_HOUR);
}

static void unread(struct gateway_hours *h, const struct err *why)
{
    if (!gateway_session_hours_known(h->g, why)) {
        log_err(LOG_LEVEL_WARNING, why, "cannot read whether the markets are open");
        loop_timer_in(h->timer, AGAIN_US);
    }
}

static void known(struct gateway_hours *h)
{
    judge(h);
    wait(h);
    (void)gateway_session_hours_known(h->g, NULL);
}

static void on_calendar(const struct calls_answer *answer, void *userdata)
{
    struct gateway_hours *h = userdata;
    struct err err = {0};
    struct account_day days[ACCOUNT_DAYS_MAX];
    int count = 0;
    int rc = answer->verdict == ACCOUNT_FINE
                 ? h->g->options.api->read_calendar(answer->root, days, &count, &err)
                 : -answer->err->id;
    if (rc < 0) {
        unread(h, answer->err != NULL ? answer->err : &err);
        return;
    }
    memcpy(h->days, days, sizeof(days[0]) * (size_t)count);
    h->day_count = count;
    known(h);
}

static void on_clock(const struct calls_answer *answer, void *userdata)
{
    struct gateway_hours *h = userdata;
    struct gateway *g = h->g;
    struct account_hours clock = {0};
    struct err err = {0};
    int rc = answer->verdict == ACCOUNT_FINE
                 ? g->options.api->read_hours(answer->root, &clock, &err)
                 : -answer->err->id;
    if (rc < 0) {
        unread(h, answer->err != NULL ? answer->err : &err);
        return;
    }
    h->clock = clock;
    if (!g->options.extended_hours) {
        known(h);
        return;
    }
    g->options.api->add_calendar(calls_wall_us(g->calls), calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_HOURS, gateway_now(g) + GATEWAY_START_US, on_calendar, h);
}

void gateway_hours_ask(struct gateway *g)
{
    g->options.api->add_hours(calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_HOURS, gateway_now(g) + GATEWAY_START_US, on_clock, g->hours);
}

/* A session that should have ended by now has, until the answer says otherwise; that one has begun
 * is not assumed. */
static void on_timer(void *userdata)
{
    struct gateway_hours *h = userdata;
    if (h->clock.open && calls_wall_us(h->g->calls) >= h->clock.changes_us) {
        h->clock.open = false;
        judge(h);
    }
    gateway_hours_ask(h->g);
}

void gateway_hours_start(struct gateway *g)
{
    if (g->options.api->has_hours == NULL) {
        return;
    }
    g->hours = calloc(1, sizeof(*g->hours));
    NEED_MEMORY(g->hours != NULL);
    g->hours->g = g;
    g->hours->timer = loop_add_timer(g->options.loop, on_timer, g->hours);
    loop_source_name(g->hours->timer, "venue hours");
}

void gateway_hours_free(struct gateway *g)
{
    if (g->hours != NULL) {
        loop_source_free(g->hours->timer);
        free(TAKE(g->hours));
    }
}
