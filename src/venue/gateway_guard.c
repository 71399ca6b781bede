#include "base/log.h"
#include "gateway_private.h"

/*
 * The dead man's switch: the venue cancels what rests there unless it hears from us again in time.
 * It works while an order of ours rests, and only where no order of somebody else does, since it
 * would cancel that one too. Nor does it work where a stop or target rests: that one is there to
 * act when we do not.
 */

#define GUARD_EVERY_US (20 * USEC_PER_SEC)
#define GUARD_MS       60000

static bool rests(const struct known_order *o)
{
    return o->client_id[0] != '#' && o->has_state && !order_state_is_final(o->state) &&
           o->type != ORDER_TYPE_MARKET;
}

/* One whose state is not known yet may rest. */
static bool is_leg(const struct known_order *o)
{
    return (o->kind == ORDER_STOP || o->kind == ORDER_TARGET) &&
           !(o->has_state && order_state_is_final(o->state));
}

struct here {
    bool rests; /* an order of ours that the switch is for */
    bool leg;
    int foreign;
};

/* market: -1 for the whole account. */
static struct here look_at(const struct gateway *g, int market)
{
    struct here here = {.foreign = market < 0 ? g->foreign_elsewhere : 0};
    for (int i = 0; i < order_memory_count(g->orders); i++) {
        const struct known_order *o = order_memory_at(g->orders, i);
        bool is_here = market < 0 || o->market == market;
        here.rests = here.rests || (rests(o) && is_here);
        here.leg = here.leg || (is_leg(o) && is_here);
    }
    for (int i = 0; i < g->market_count; i++) {
        here.foreign += market < 0 || i == market ? g->markets[i].foreign : 0;
    }
    return here;
}

static void on_guard(const struct calls_answer *answer, void *userdata)
{
    struct gateway *g = userdata;
    if (answer->verdict == ACCOUNT_FINE) {
        return;
    }
    if (!g->guard_logged) {
        log_err(LOG_LEVEL_WARNING, answer->err, "cannot set the venue's dead man's switch");
    }
    g->guard_failed = g->guard_logged = true;
}

/* Renewed: what runs; and all that were ever asked for, if a request has failed, since it is not
 * known which. One that an earlier process has left would cancel what rests now. */
static void set(struct gateway *g, int market, bool renew, bool failed, struct gateway_guard *guard)
{
    const struct here here = look_at(g, market);
    bool wanted = here.rests && !here.leg && here.foreign == 0;
    bool unsure = !guard->asked && (here.rests || here.leg);
    bool again = renew && (wanted || (failed && guard->asked));
    if (wanted == guard->armed && !unsure && !again) {
        return;
    }
    guard->asked = true;
    guard->armed = wanted;
    g->options.api->add_guard(market < 0 ? NULL : &g->markets[market].market, wanted ? GUARD_MS : 0,
                              calls_begin(g->calls));
    calls_send(g->calls, ACCOUNT_GUARD, gateway_now(g) + GATEWAY_ANSWER_US, on_guard, g);
}

static void look(struct gateway *g, bool renew)
{
    if (g->phase != GATEWAY_CONNECTED || g->options.dry_run) {
        return;
    }
    bool failed = renew && g->guard_failed;
    g->guard_logged = g->guard_logged && (failed || !renew);
    g->guard_failed = g->guard_failed && !renew;
    if (!g->options.api->guard_by_market) {
        set(g, -1, renew, failed, &g->all_guard);
        return;
    }
    for (int i = 0; i < g->market_count; i++) {
        if (g->markets[i].known) {
            set(g, i, renew, failed, &g->markets[i].guard);
        }
    }
}

static void on_tick(void *userdata)
{
    struct gateway *g = userdata;
    int64_t now_us = gateway_now(g);
    bool renew = now_us - g->guard_mono_us >= GUARD_EVERY_US;
    g->guard_mono_us = renew ? now_us : g->guard_mono_us;
    loop_timer_in(g->guard, g->guard_mono_us + GUARD_EVERY_US - now_us);
    look(g, renew);
}

/* In the next turn: the caller may be about to send an order. */
void gateway_guard_look(struct gateway *g)
{
    if (g->guard != NULL) {
        loop_timer_in(g->guard, 0);
    }
}

void gateway_guard_start(struct gateway *g)
{
    if (g->options.api->add_guard != NULL) {
        g->guard = loop_add_timer(g->options.loop, on_tick, g);
        loop_source_name(g->guard, "venue guard");
        g->guard_mono_us = gateway_now(g);
        loop_timer_in(g->guard, GUARD_EVERY_US);
    }
}
