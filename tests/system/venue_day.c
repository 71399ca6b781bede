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
 *   - positions are what the account holds, up to what is too small to be sold;
 *   - cash is the account's, to the last unit;
 *   - the fake saw no request that a client should never send.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"
#include "engine/driver.h"
#include "fakes/fake_venue.h"
#include "io/db.h"
#include "io/json.h"
#include "io/secret.h"
#include "market/simulated.h"
#include "rigs/driver_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTES_DEFAULT 90
#define KILLS_DEFAULT   3
#define SEED_DEFAULT    20261130
#define SPEED_DEFAULT   3600
#define CAPITAL         9000 /* the fakes have 10000, of which the rest is not ours */
#define STUCK_MS        120000
#define END_MS          40000
#define SYMBOLS         2
/* The fake forgets nothing, and is late by LAG at most, so that a test need not wait as long. */
#define NOT_FOUND_US (3 * USEC_PER_SEC)

struct venue_case {
    const char *name;        /* also of the fake */
    const char *stream_path; /* after the address of the fake's streams */
    const char *symbols[SYMBOLS];
    int64_t steps_e8[SYMBOLS];    /* of quantities */
    int64_t smallest_e8[SYMBOLS]; /* what is held beyond a position is less: it cannot be sold */
    bool margined;                /* positions instead of coins */
    /* Told to the fake before each life: a day passes in seconds here, so its limits are far too
     * low, and a clock that is read again is behind the last nonce. NULL: nothing. */
    const char *before_life;
    int fills; /* fewer prove nothing */
};

static const struct venue_case cases[] = {
    {"binance",
     "/ws-api/v3",
     {"BTC-USDT", "ETH-USDT"},
     {1000, 10000},
     {13000, 260000},
     false,
     NULL,
     10},
    {"binance_futures",
     "/private",
     {"BTC-USDT", "ETH-USDT"},
     {100000, 100000},
     {1, 1},
     true,
     NULL,
     10},
    {"kraken",
     "/v2",
     {"BTC-USD", "ETH-USD"},
     {1, 1},
     {8000, 310000},
     false,
     "limits 100000 10000 100000 10000\nnonce 0",
     2},
    {"coinbase", "", {"BTC-USD", "ETH-USD"}, {1, 1}, {2600, 52000}, false, "limits 90 90", 10},
    {"alpaca", "/stream", {"BTC-USD", "ETH-USD"}, {1, 1}, {2600, 52000}, false, "limits 2000", 10},
};

struct mishap;

/* What the process that trades tells the one that kills it. */
struct told {
    _Atomic int64_t minutes; /* since the day began */
    _Atomic int64_t ready;   /* lives that could trade */
    _Atomic int64_t fills;   /* in the books */
};

struct day {
    const struct venue_case *venue;
    uint64_t seed;
    struct rng rng;
    int64_t minutes, kills, faults, speed;
    char folder[64];
    char log[96];
    char stream_url[96];
    struct fake_venue *fake;
    struct told *told;
    pid_t trader;
    int lives;
    int64_t fault_count, next_fault;
    int64_t jumps_met;           /* requests that may have a wrong time */
    int64_t limits_met;          /* mishaps after which no request may be sent for a while */
    const struct mishap *mishap; /* NULL: none is under way */
    int64_t mishap_us;           /* since when */
    int failures;
    int checks;
};

/* ---------------------------------------------------------------- TAP */

__attribute__((format(printf, 3, 4))) static bool check(struct day *d, bool good,
                                                        const char *format, ...)
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

/* ---------------------------------------------------------------- the process that trades */

struct trader {
    struct day *day;
    struct source source;
    struct source *market;
    struct venue_ops ops; /* those of the connector, with quotes of the simulated market */
    struct venue_capabilities can;
    int count;
    struct source_bar last[SYMBOLS];
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
    for (int i = 0; i < count && i < SYMBOLS; i++) {
        char price[DEC_TEXT_SIZE];
        trader.last[trader.count++] = ret[i];
        buf_addf(&lines, "price %s %s\n", ret[i].symbol.name, dec_text(ret[i].candle.close, price));
    }
    do_commands(lines.data);
    (void)atomic_fetch_add(&trader.day->told->minutes, 1);
    return count;
}

static int64_t market_next_us(const struct source *source)
{
    (void)source;
    return source_next_us(trader.market);
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
    for (int i = 0; i < SYMBOLS; i++) {
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

static void wait_for(const struct shared *shared, int64_t wait_us)
{
    struct pollfd wake = {.fd = shared->requests_fd, .events = POLLIN};
    struct timespec timeout = {.tv_sec = wait_us / USEC_PER_SEC,
                               .tv_nsec = wait_us % USEC_PER_SEC * 1000};
    uint64_t count;
    if (wait_us > 0 && ppoll(&wake, 1, &timeout, NULL) > 0) {
        (void)!read(shared->requests_fd, &count, sizeof(count));
    }
}

/* Trading is paused, nothing is under way, and the venue's list agrees with the books. */
static bool is_settled(const struct snapshot *s)
{
    return s->state == TRADING_PAUSED && s->venue.state == VENUE_READY && s->venue_agrees &&
           s->open_orders == 0 && s->unknown_orders == 0 && s->last_err == 0;
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

static void ask_pause(struct day *d, struct shared *shared)
{
    struct request pause = {.id = d->lives + 1, .kind = REQUEST_PAUSE};
    (void)str_copy(STR_LIT("test"), pause.by, sizeof(pause.by));
    ASSERT(ring_push(shared->requests, &pause));
}

/* Ends by a kill, or, the last time, when everything is settled. */
_Noreturn static void trade(struct day *d, bool last)
{
    struct shared shared;
    struct settings settings;
    struct venue_settings venue;
    trader.day = d;
    set_up(d, &settings, &venue);
    settings.market_speed = 1; /* until orders can be sent */
    shared_init(&shared, CAPACITY_MIN);
    shared_seal(&shared);
    struct driver *driver = driver_new(&(struct driver_options){.state_dir = d->folder,
                                                                .settings = settings,
                                                                .venue = venue,
                                                                .wrap_source = wrap_source,
                                                                .wrap_venue = wrap_venue},
                                       &shared);
    int64_t began_us = clock_mono_us(clock_real()), settled_us = 0;
    bool ready = false;
    if (last) {
        ask_pause(d, &shared);
    }
    while (true) {
        wait_for(&shared, driver_round(driver));
        const struct snapshot *s = driver_snapshot(driver);
        int64_t now_us = clock_mono_us(clock_real());
        atomic_store(&d->told->fills, (int64_t)s->fills);
        if (!ready && s->venue.state == VENUE_READY && s->state != TRADING_STARTING) {
            ready = true;
            settings.market_speed = last ? 1 : d->speed;
            *(struct settings *)mailbox_draft(shared.settings) = settings;
            mailbox_publish(shared.settings);
            (void)atomic_fetch_add(&d->told->ready, 1);
        }
        settled_us = !is_settled(s) ? 0 : settled_us == 0 ? now_us : settled_us;
        if (last && settled_us != 0 && now_us - settled_us > USEC_PER_SEC) {
            driver_finish(driver);
            driver_free(driver);
            _exit(0);
        }
        if (last && now_us - began_us > END_MS * USEC_PER_MSEC) {
            print_unsettled(s);
            _exit(3);
        }
    }
}

static void start(struct day *d, bool last)
{
    (void)fflush(stdout);
    d->lives++;
    const char *told = d->venue->before_life;
    const char *why = told == NULL ? NULL : fake_venue_do(d->fake, told);
    (void)check(d, why == NULL, "%s: %s", told, why);
    d->trader = fork();
    if (d->trader == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)printf("---- life %d%s\n", d->lives, last ? ", the last" : "");
        trade(d, last);
    }
}

/* ---------------------------------------------------------------- the one that kills it */

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
    int64_t seen = 0, waited_us = 0;
    while (!is_over(d, minutes)) {
        int status;
        if (waitpid(d->trader, &status, WNOHANG) == d->trader) {
            d->trader = 0;
            return check(d, false, "the program ended by itself (status %d), see %s", status,
                         d->log);
        }
        misbehave(d);
        pause_us(2000);
        int64_t now = atomic_load(&d->told->minutes);
        waited_us = now == seen ? waited_us + 2000 : 0;
        seen = now;
        if (waited_us > STUCK_MS * USEC_PER_MSEC) {
            return check(d, false, "the market stands still, see %s", d->log);
        }
    }
    return true;
}

static void kill_trader(struct day *d)
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
    (void)check(d, why == NULL, "%s: %s", lines, why);
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

static bool live_through(struct day *d)
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
        kill_trader(d);
    }
    return good;
}

/* Everything is answered. */
static bool settle(struct day *d)
{
    int status = 0;
    end_mishap(d);
    tell_fake(d, "forget faults");
    start(d, true);
    (void)waitpid(d->trader, &status, 0);
    d->trader = 0;
    return check(d, WIFEXITED(status) && WEXITSTATUS(status) == 0,
                 "it did not settle (status %d), see %s", status, d->log);
}

/* ---------------------------------------------------------------- the books */

/* An order as the books and the fake have it. */
struct pair {
    char client_id[CLIENT_ID_SIZE];
    char symbol[24];
    bool buys;
    bool in_books, at_venue, final;
    char state[12], venue_state[12];
    struct dec filled, moved; /* by the fills in the books; money: > 0 is received */
    struct dec order_filled;  /* by the row of the order */
    struct dec venue_filled, venue_got, venue_moved;
    int fills, venue_fills;
};

struct pairs {
    int count, capacity;
    struct pair *list;
};

static struct pair *pair_of(struct pairs *p, const char *client_id)
{
    for (int i = 0; i < p->count; i++) {
        if (strcmp(p->list[i].client_id, client_id) == 0) {
            return &p->list[i];
        }
    }
    if (p->count == p->capacity) {
        p->capacity = p->capacity == 0 ? 256 : 2 * p->capacity;
        p->list = realloc(p->list, (size_t)p->capacity * sizeof(p->list[0]));
        NEED_MEMORY(p->list != NULL);
    }
    struct pair *pair = &p->list[p->count++];
    *pair = (struct pair){0};
    (void)str_copy(str_c(client_id), pair->client_id, sizeof(pair->client_id));
    return pair;
}

static struct dec amount(struct day *d, const struct json_object *row, const char *name)
{
    struct dec value = DEC_INVALID;
    struct str text = str_c(json_text(row, name));
    while (text.len > 1 && strchr(text.ptr, '.') != NULL && text.ptr[text.len - 1] == '0') {
        text.len--; /* some count in smaller units, and fill with zeros */
    }
    text.len -= text.len > 1 && text.ptr[text.len - 1] == '.';
    (void)check(d, dec_parse(text, &value), "%s of the fake is \"%s\"", name, json_text(row, name));
    return value;
}

static void read_books(struct day *d, struct db *db, struct pairs *p)
{
    struct err err = {0};
    AUTO_DB_ROWS struct db_rows *orders = NULL;
    AUTO_DB_ROWS struct db_rows *fills = NULL;
    int rc = db_query(db,
                      "SELECT client_id, symbol, kind, side, state, filled_qty FROM orders"
                      " ORDER BY rowid",
                      DB_NO_VALUES, &orders, &err);
    while (rc >= 0 && (rc = db_next(orders, &err)) > 0) {
        char id[CLIENT_ID_SIZE];
        (void)str_copy(db_text(orders, 0), id, sizeof(id));
        struct pair *pair = pair_of(p, id);
        pair->in_books = true;
        (void)str_copy(db_text(orders, 1), pair->symbol, sizeof(pair->symbol));
        pair->buys =
            str_equal_c(db_text(orders, 2), "entry") == str_equal_c(db_text(orders, 3), "long");
        (void)str_copy(db_text(orders, 4), pair->state, sizeof(pair->state));
        pair->order_filled = (struct dec){db_i64(orders, 5)};
    }
    rc = rc < 0 ? rc
                : db_query(db, "SELECT client_id, qty, price, fee FROM fills", DB_NO_VALUES, &fills,
                           &err);
    while (rc >= 0 && (rc = db_next(fills, &err)) > 0) {
        char id[CLIENT_ID_SIZE];
        (void)str_copy(db_text(fills, 0), id, sizeof(id));
        struct pair *pair = pair_of(p, id);
        struct dec qty = {db_i64(fills, 1)}, price = {db_i64(fills, 2)}, fee = {db_i64(fills, 3)};
        struct dec worth = dec_mul(qty, price);
        pair->fills++;
        pair->filled = dec_add(pair->filled, qty);
        pair->moved = dec_sub(dec_add(pair->moved, pair->buys ? dec_neg(worth) : worth), fee);
    }
    (void)check(d, rc >= 0, "trading.db: %s", err.context);
}

/* The engine's id of an order at the venue: "nd" and the tag of the books come before it. */
static bool is_ours(const char *theirs, const char *tag, char ret[CLIENT_ID_SIZE])
{
    size_t skip = strlen("nd") + strlen(tag);
    if (strncmp(theirs, "nd", 2) != 0 || strncmp(theirs + 2, tag, strlen(tag)) != 0) {
        return false;
    }
    (void)snprintf(ret, CLIENT_ID_SIZE, "nd%.29s", theirs + skip);
    return true;
}

static void read_venue(struct day *d, const struct json_object *state, const char *tag,
                       struct pairs *p)
{
    struct json_object *orders = json_get(state, "orders"), *fills = json_get(state, "fills");
    char id[CLIENT_ID_SIZE];
    for (size_t i = 0; i < json_len(orders); i++) {
        const struct json_object *o = json_item(orders, i);
        const char *theirs = json_text(o, "client_id");
        if (!check(d, is_ours(theirs, tag, id), "the fake has an order of somebody else: %s",
                   theirs)) {
            continue;
        }
        struct pair *pair = pair_of(p, id);
        pair->at_venue = true;
        pair->venue_filled = amount(d, o, "filled");
        pair->buys = strcmp(json_text(o, "side"), "buy") == 0;
        struct dec cost = amount(d, o, "cost");
        pair->venue_got = pair->venue_filled;
        pair->venue_moved = pair->buys ? dec_neg(cost) : cost;
        (void)str_copy(str_c(json_text(o, "state")), pair->venue_state, sizeof(pair->venue_state));
    }
    for (size_t i = 0; i < json_len(fills); i++) {
        const struct json_object *f = json_item(fills, i);
        if (!is_ours(json_text(f, "client_id"), tag, id)) {
            continue;
        }
        struct pair *pair = pair_of(p, id);
        struct dec fee = amount(d, f, "fee");
        bool in_quote = strncmp(json_text(f, "fee_currency"), "USD", 3) == 0;
        pair->venue_fills++;
        if (in_quote) {
            pair->venue_moved = dec_sub(pair->venue_moved, fee);
        } else {
            pair->venue_got = dec_sub(pair->venue_got, fee);
        }
    }
}

static int symbol_place(const struct day *d, const char *symbol)
{
    int place = 0;
    while (place + 1 < SYMBOLS && strcmp(d->venue->symbols[place], symbol) != 0) {
        place++;
    }
    return place;
}

static bool same_state(const struct pair *p)
{
    bool ended = strcmp(p->venue_state, "cancelled") == 0 || strcmp(p->venue_state, "expired") == 0;
    return strcmp(p->state, p->venue_state) == 0 || (ended && strcmp(p->state, "cancelled") == 0);
}

/* One order. Money may differ by the rounding of each fill. */
static void check_pair(struct day *d, const struct pair *p)
{
    char a[DEC_TEXT_SIZE], b[DEC_TEXT_SIZE];
    if (!p->at_venue) {
        (void)check(d, p->filled.e8 == 0 && p->order_filled.e8 == 0,
                    "%s is filled in the books, and the venue does not have it", p->client_id);
        (void)check(d, strcmp(p->state, "cancelled") == 0 || strcmp(p->state, "rejected") == 0,
                    "%s is %s in the books, and the venue does not have it", p->client_id,
                    p->state);
        return;
    }
    if (!check(d, p->in_books, "%s is at the venue (%s), and not in the books", p->client_id,
               p->venue_state)) {
        return;
    }
    (void)check(d, same_state(p), "%s is %s in the books and %s at the venue", p->client_id,
                p->state, p->venue_state);
    (void)check(d, p->filled.e8 == p->order_filled.e8, "%s: its fills are %s, and it says %s",
                p->client_id, dec_text(p->filled, a), dec_text(p->order_filled, b));
    int64_t rest = p->venue_got.e8 - p->filled.e8;
    int64_t step = d->venue->steps_e8[symbol_place(d, p->symbol)];
    (void)check(d, p->buys && !d->venue->margined ? rest >= 0 && rest < step : rest == 0,
                "%s is filled by %s in the books and %s at the venue", p->client_id,
                dec_text(p->filled, a), dec_text(p->venue_got, b));
    int64_t off = llabs(p->moved.e8 - p->venue_moved.e8);
    (void)check(d, d->venue->margined || off <= p->venue_fills,
                "%s moved %s in the books and %s at the venue", p->client_id, dec_text(p->moved, a),
                dec_text(p->venue_moved, b));
}

static int64_t number(struct day *d, struct db *db, const char *sql)
{
    int64_t value = 0;
    struct err err = {0};
    (void)check(d, db_get_i64(db, sql, DB_NO_VALUES, 0, &value, &err) == 0, "%s: %s", sql,
                err.context);
    return value;
}

static void word(struct day *d, struct db *db, const char *sql, char *ret, size_t size)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct err err = {0};
    ret[0] = '\0';
    if (check(d, db_query(db, sql, DB_NO_VALUES, &rows, &err) == 0, "%s: %s", sql, err.context) &&
        db_next(rows, &err) > 0) {
        (void)str_copy(db_text(rows, 0), ret, size);
    }
}

static struct dec balance(struct day *d, const struct json_object *state, struct str currency)
{
    char name[16];
    (void)str_copy(currency, name, sizeof(name));
    const struct json_object *row = json_get(json_get(state, "balances"), name);
    return row == NULL ? DEC_ZERO : amount(d, row, "total");
}

static struct dec position(struct day *d, const struct json_object *state, const char *symbol)
{
    struct json_object *rows = json_get(state, "positions");
    for (size_t i = 0; i < json_len(rows); i++) {
        if (strcmp(json_text(json_item(rows, i), "symbol"), symbol) == 0) {
            return amount(d, json_item(rows, i), "qty");
        }
    }
    return DEC_ZERO;
}

/* What the books hold of a symbol, short below zero. */
static struct dec held(struct day *d, struct db *db, const char *symbol)
{
    char sql[192];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT sum(CASE side WHEN 'long' THEN qty ELSE -qty END) FROM positions"
                   " WHERE symbol = '%s'",
                   symbol);
    return (struct dec){number(d, db, sql)};
}

static void check_account(struct day *d, struct db *db, const struct json_object *state, int fills)
{
    char a[DEC_TEXT_SIZE], b[DEC_TEXT_SIZE], outside[24];
    struct symbol symbol;
    for (int i = 0; i < SYMBOLS; i++) {
        ASSERT(symbol_parse(str_c(d->venue->symbols[i]), &symbol));
        struct dec ours = held(d, db, symbol.name);
        struct dec theirs = d->venue->margined ? position(d, state, symbol.name)
                                               : balance(d, state, symbol_base(&symbol));
        int64_t rest = theirs.e8 - ours.e8;
        (void)check(d, rest >= 0 && rest < d->venue->smallest_e8[i],
                    "the books hold %s %s, the account %s", dec_text(ours, a), symbol.name,
                    dec_text(theirs, b));
    }
    word(d, db, "SELECT value FROM venue_state WHERE name = 'outside'", outside, sizeof(outside));
    struct dec rest = {0};
    (void)check(d, str_to_i64(str_c(outside), &rest.e8), "it is not known what is not ours");
    struct dec cash = {number(d, db,
                              d->venue->margined
                                  ? "SELECT initial_cash + realised FROM engine_state"
                                  : "SELECT cash FROM engine_state")};
    struct dec total = dec_sub(balance(d, state, symbol_quote(&symbol)), rest);
    (void)check(d, llabs(cash.e8 - total.e8) <= fills, "the books have %s in cash, the account %s",
                dec_text(cash, a), dec_text(total, b));
}

static void check_venue(struct day *d, const struct json_object *state)
{
    struct json_object *violations = json_get(state, "violations"), *ids = json_get(state, "ids");
    for (size_t i = 0; i < json_len(violations); i++) {
        const struct json_object *v = json_item(violations, i);
        const char *why = json_text(v, "why");
        /* One that crossed the answer that asked for a pause; and those by which the client
         * learns that the venue's clock has jumped. */
        bool crossed = strstr(why, "limited") != NULL && d->limits_met-- > 0;
        bool jumped = (strstr(why, "-1021") != NULL || strstr(why, "of its time") != NULL) &&
                      d->jumps_met-- > 0;
        (void)check(d, crossed || jumped, "violation: %s: %s", json_text(v, "request"),
                    json_text(v, "why"));
    }
    struct json_object_iterator at = json_object_iter_begin(ids), end = json_object_iter_end(ids);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at);
        (void)check(d, json_i64(ids, name, 0) == 1, "%s was accepted %lld times", name,
                    (long long)json_i64(ids, name, 0));
    }
}

static void compare_books(struct day *d)
{
    char path[128], tag[16];
    struct err err = {0};
    struct db *db = NULL;
    struct pairs pairs = {0};
    AUTO_JSON struct json_object *state = fake_venue_state(d->fake);
    (void)snprintf(path, sizeof(path), "%s/trading.db", d->folder);
    int rc = db_open(&(struct db_options){.path = path, .read_only = true}, &db, &err);
    if (!check(d, rc == 0, "trading.db: %s", err.context) ||
        !check(d, state != NULL, "the fake does not tell its state")) {
        db_free(db);
        return;
    }
    (void)check(d, db_quick_check(db, &err) == 0, "trading.db: %s", err.context);
    word(d, db, "SELECT value FROM venue_state WHERE name = 'tag'", tag, sizeof(tag));
    read_books(d, db, &pairs);
    read_venue(d, state, tag, &pairs);
    int fills = 0, sent = 0;
    for (int i = 0; i < pairs.count; i++) {
        check_pair(d, &pairs.list[i]);
        fills += pairs.list[i].venue_fills;
        sent += pairs.list[i].at_venue;
    }
    check_account(d, db, state, fills);
    check_venue(d, state);
    (void)printf("# %s: %lld minutes, %d lives of which %lld could trade, %lld faults; %d orders, "
                 "%d of them at the venue, %d fills, %lld trades\n",
                 d->venue->name, (long long)atomic_load(&d->told->minutes), d->lives,
                 (long long)atomic_load(&d->told->ready), (long long)d->fault_count, pairs.count,
                 sent, fills, (long long)number(d, db, "SELECT count(*) FROM trades"));
    (void)check(d, fills >= d->venue->fills, "too little happened to prove anything");
    free(pairs.list);
    db_free(db);
}

/* ---------------------------------------------------------------- the day */

static const struct venue_case *find_case(const char *name)
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
    kill_trader(d);
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
    good = live_through(&d);
    print_result(&d, 0, "a day with kill -9 at random moments");
    int before = d.failures;
    if (good && settle(&d)) {
        print_result(&d, before, "everything is answered");
        before = d.failures;
        compare_books(&d);
        print_result(&d, before, "the books are the account's to the last unit");
    }
    (void)printf("1..%d\n", d.checks);
    end(&d);
    return d.failures == 0 ? 0 : 1;
}
