#include "base/check.h"
#include "base/log.h"
#include "engine/driver.h"
#include "market/simulated.h"
#include "rigs/driver_rig.h"
#include "venue_day/faster.h"
#include "venue_day/venue_day.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CAPITAL 9000 /* the fakes have 10000, of which the rest is not ours */
/* For the last life, which ends as soon as it can. */
#define SETTLE_US    (300 * USEC_PER_SEC)
#define MOVE_MINUTES 3
/* The fake forgets nothing, and is late by LAG at most, so that a test need not wait as long. */
#define NOT_FOUND_US (3 * USEC_PER_SEC)

struct trader {
    struct day *day;
    struct source source;
    struct source *market;
    struct venue_ops ops; /* those of the connector, with quotes of the simulated market */
    struct venue_capabilities can;
    int count;
    struct source_bar last[DAY_SYMBOLS];
};

static struct trader trader; /* one in its process */

static void do_commands(const char *lines)
{
    const char *why = fake_venue_do(trader.day->fake, lines);
    if (why != NULL) {
        LOG(ERROR, "the fake: %s", why);
    }
}

/* The venue trades at the close of each minute before the engine sees it. */
static int market_next(struct source *source, struct source_bar *ret)
{
    (void)source;
    AUTO_BUF struct buf lines = BUF_INIT(1024);
    int count = source_next(trader.market, ret);
    trader.count = 0;
    for (int i = 0; i < count && i < DAY_SYMBOLS; i++) {
        char price[DEC_TEXT_SIZE];
        trader.last[trader.count++] = ret[i];
        buf_addf(&lines, "price %s %s\n", ret[i].symbol.name, dec_text(ret[i].candle.close, price));
    }
    do_commands(lines.data);
    (void)atomic_fetch_add(&trader.day->told->minutes, 1);
    return count;
}

/* While the books are compared nothing moves. */
static int64_t market_next_us(const struct source *source)
{
    (void)source;
    return source_next_us(trader.market) +
           (atomic_load(&trader.day->told->settled) ? USEC_PER_DAY : 0);
}

static size_t market_save(const struct source *source, void *dst, size_t size)
{
    (void)source;
    return source_save(trader.market, dst, size);
}

static bool market_load(struct source *source, const void *bytes, size_t size)
{
    (void)source;
    return source_load(trader.market, bytes, size);
}

static const struct source_ops market_ops = {.name = "market of the fake",
                                             .next_us = market_next_us,
                                             .next = market_next,
                                             .save = market_save,
                                             .load = market_load};

static struct source *wrap_source(struct source *own, void *userdata)
{
    (void)userdata;
    trader.market = own;
    trader.source = (struct source){.ops = &market_ops, .step_us = own->step_us};
    /* The agents buy what falls, and spot is only bought: so there is a trade every few minutes. */
    simulated_pin((struct simulated *)((char *)own - offsetof(struct simulated, source)),
                  CLIMATE_DOWN);
    return &trader.source;
}

static bool market_quote(const struct venue *venue, struct symbol symbol, struct quote *ret)
{
    (void)venue;
    for (int i = 0; i < trader.count; i++) {
        if (symbol_equal(trader.last[i].symbol, symbol)) {
            const struct candle *c = &trader.last[i].candle;
            *ret = (struct quote){symbol,
                                  c->close,
                                  c->close,
                                  dec_from_int(1000),
                                  dec_from_int(1000),
                                  c->open_us + USEC_PER_MIN};
            return true;
        }
    }
    return false;
}

static const struct venue_capabilities *quick_capabilities(const struct venue *venue)
{
    (void)venue;
    return &trader.can;
}

static struct venue *wrap_venue(struct venue *own, void *userdata)
{
    (void)userdata;
    trader.ops = *own->ops;
    trader.can = *venue_capabilities(own);
    trader.can.not_found_us = NOT_FOUND_US;
    trader.ops.quote = market_quote;
    trader.ops.capabilities = quick_capabilities;
    own->ops = &trader.ops;
    return own;
}

static void set_up(struct day *d, struct settings *s, struct venue_settings *venue)
{
    driver_rig_settings(s);
    *venue = driver_rig_venue;
    s->seed = d->seed;
    s->market_speed = d->speed;
    s->symbol_count = 0;
    for (int i = 0; i < DAY_SYMBOLS; i++) {
        ASSERT(symbol_parse(str_c(d->venue->symbols[i]), &s->symbols[s->symbol_count++]));
    }
    s->threshold = 0.03;
    s->cooldown_us = 0;
    s->stop_pct = 0.15;
    s->target_pct = 0.2;
    s->max_daily_loss_pct = s->max_drawdown_pct = 100;
    s->max_consecutive_losses = 100000;
    s->max_orders_per_minute = 100;
    s->risk_per_trade_pct = 1;
    s->max_position_pct = 20;
    for (int i = 0; i < TIERS; i++) {
        s->tiers[i].max_position_pct = s->tiers[i].max_exposure_pct = 50;
    }
    s->initial_cash = dec_from_int(CAPITAL);
    (void)str_copy(str_c(d->venue->name), venue->name, sizeof(venue->name));
    venue->real = (struct real_venue_settings){.mode = VENUE_SANDBOX,
                                               .key_id = fake_venue_key(d->fake),
                                               .key_secret = fake_venue_secret(d->fake),
                                               .url = fake_venue_url(d->fake),
                                               .stream_url = d->stream_url,
                                               .ca_file = "",
                                               .accept_unknown_withdrawal = true};
}

static void wait_for(const struct shared *shared, int venue_fd, int64_t wait_us)
{
    struct pollfd wake[] = {{.fd = shared->requests_fd, .events = POLLIN},
                            {.fd = venue_fd, .events = POLLIN}};
    wait_us = faster_real_us(wait_us);
    struct timespec timeout = {.tv_sec = wait_us / USEC_PER_SEC,
                               .tv_nsec = wait_us % USEC_PER_SEC * 1000};
    uint64_t count;
    if (wait_us > 0 && ppoll(wake, COUNT_OF(wake), &timeout, NULL) > 0 &&
        (wake[0].revents & POLLIN) != 0) {
        (void)!read(shared->requests_fd, &count, sizeof(count));
    }
}

/* Trading is paused, nothing is under way but stops and targets that rest, and the venue's list
 * agrees with the books. */
static bool is_settled(const struct snapshot *s)
{
    uint64_t legs = 0;
    for (int i = 0; i < s->position_count; i++) {
        legs += (uint64_t)s->legs[i].stop_at_venue + s->legs[i].target_at_venue;
    }
    return s->state == TRADING_PAUSED && s->venue.state == VENUE_READY && s->venue_agrees &&
           s->open_orders == legs && s->unknown_orders == 0 && s->last_err == 0;
}

static void print_unsettled(const struct snapshot *s)
{
    (void)printf("state %s (%s), venue %s, agrees %d, %llu open, %llu unknown, error %d, "
                 "%d foreign\n",
                 trading_state_name(s->state), s->state_reason, venue_state_name(s->venue.state),
                 s->venue_agrees, (unsigned long long)s->open_orders,
                 (unsigned long long)s->unknown_orders, s->last_err, s->foreign_count);
    (void)fflush(stdout);
}

/* ---------------------------------------------------------------- requests of a person */

struct person {
    struct day *day;
    struct shared *shared;
    int64_t count;
    int64_t moved_minute; /* when a stop was moved */
    int64_t asked_us;     /* when trading was paused or resumed */
};

static bool ask(struct person *p, struct request *request)
{
    request->id = (p->day->lives + 1) * INT64_C(100000) + p->count++;
    (void)str_copy(STR_LIT("test"), request->by, sizeof(request->by));
    return ring_push(p->shared->requests, request);
}

/* A stop half the way to the price, every few minutes. */
static void move_stop(struct person *who, const struct snapshot *s)
{
    struct day_told *told = who->day->told;
    int64_t minute = atomic_load(&told->minutes);
    if (s->position_count == 0 || minute - who->moved_minute < MOVE_MINUTES) {
        return;
    }
    who->moved_minute = minute;
    const struct position *p = &s->positions[minute % s->position_count];
    const struct dec tenth = {DEC_ONE / 10}; /* a multiple of each tick */
    struct request move = {
        .kind = REQUEST_AMEND,
        .symbol = p->symbol,
        .stop = dec_floor_to((struct dec){(p->stop.e8 + p->mark_price.e8) / 2}, tenth)};
    if (move.stop.e8 > 0 && ask(who, &move)) {
        (void)atomic_fetch_add(&told->moved, 1);
    }
}

/* Only what a person has paused is resumed: what nightdesk has paused by itself is a finding. */
static void pause_or_resume(struct person *p, const struct snapshot *s, bool pause, int64_t now_us)
{
    bool paused = s->state == TRADING_PAUSED;
    bool by_person = paused && strncmp(s->state_reason, "paused by test", 14) == 0;
    if (paused == pause || (!pause && !by_person) || now_us - p->asked_us < USEC_PER_SEC) {
        return;
    }
    p->asked_us = now_us;
    struct request request = {.kind = pause ? REQUEST_PAUSE : REQUEST_RESUME};
    ASSERT(ask(p, &request));
}

static void set_speed(struct shared *shared, struct settings *settings, int64_t speed)
{
    if (settings->market_speed != speed) {
        settings->market_speed = speed;
        *(struct settings *)mailbox_draft(shared->settings) = *settings;
        mailbox_publish(shared->settings);
    }
}

static void count_refused(struct day *d, struct bus_reader *faults)
{
    struct bus_event raw;
    struct event e;
    while (bus_read(faults, &raw, 1, NULL) == 1) {
        memcpy(&e, &raw, sizeof(e));
        (void)atomic_fetch_add(&d->told->refused, e.code == ERR_VENUE_LEG);
    }
}

static int64_t now_us(void)
{
    return clock_mono_us(clock_real());
}

_Noreturn void trader_trade(struct day *d, bool last)
{
    struct shared shared;
    struct settings settings;
    struct venue_settings venue;
    struct bus_reader faults;
    struct person person = {.day = d, .shared = &shared};
    trader.day = d;
    if (d->times != 1) {
        faster_begin(d->times, d->since_s, d->venue->limits);
    }
    set_up(d, &settings, &venue);
    settings.market_speed = 1; /* until orders can be sent */
    shared_init(&shared, CAPACITY_MIN);
    shared_seal(&shared);
    bus_reader_init(&faults, shared.bus, TOPIC_FAULT);
    struct driver *driver = driver_new(&(struct driver_options){.state_dir = d->folder,
                                                                .settings = settings,
                                                                .venue = venue,
                                                                .wrap_source = wrap_source,
                                                                .wrap_venue = wrap_venue},
                                       &shared);
    int64_t began_us = now_us(), settled_us = 0;
    bool ready = false;
    while (true) {
        wait_for(&shared, driver_fd(driver), driver_round(driver));
        const struct snapshot *s = driver_snapshot(driver);
        bool pause = last || atomic_load(&d->told->pause);
        atomic_store(&d->told->fills, (int64_t)s->fills);
        count_refused(d, &faults);
        if (!ready && s->venue.state == VENUE_READY && s->state != TRADING_STARTING) {
            ready = true;
            (void)atomic_fetch_add(&d->told->ready, 1);
        }
        if (last || ready) {
            pause_or_resume(&person, s, pause, now_us());
        }
        if (ready) {
            set_speed(&shared, &settings, pause ? 1 : d->speed);
        }
        if (ready && !pause) {
            move_stop(&person, s);
        }
        settled_us = !is_settled(s) ? 0 : settled_us == 0 ? now_us() : settled_us;
        bool settled = settled_us != 0 && now_us() - settled_us > USEC_PER_SEC;
        atomic_store(&d->told->settled, pause && settled);
        if (last && settled) {
            driver_finish(driver);
            driver_free(driver);
            _exit(0);
        }
        if (last && now_us() - began_us > SETTLE_US) {
            print_unsettled(s);
            _exit(3);
        }
    }
}
