/*
 * sim.c: the engine, its driver and the paper venue on a fake clock, under seeded faults.
 *
 *     sim --seeds 500            seeds 1..500, one TAP line
 *     sim --seeds 1 --seed 17    only seed 17
 *     sim --seeds 1 --seed 17 --trace    with each order and report
 *     sim --list seeds.txt       first replays the seeds that failed in the past
 *     sim --personality kraken   at a venue with what that one can do; all: at each
 *
 * Faults: those of hostile.h on a paper venue with a thin book, random rejections, funding and
 * latency; a disk that fails for a single write or for half a minute, sometimes together with the
 * reserve; a crash before any single write (the open transaction is rolled back, a note of the
 * reserve is torn, and a new process starts from what is on disk); a wall clock that jumps;
 * requests at any moment, including amendments, and one request sent twice. After every round the
 * invariants of sim_check.c are checked. At the end the faults stop, and engine and venue must
 * agree to the last unit. A seed always gives the same run.
 */
#include "sim/sim.h"

#include "base/check.h"
#include "base/log.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/request_table.h"
#include "store/state_table.h"
#include "store/trade_table.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS           600
#define FAULTLESS_ROUNDS 120
#define START_US         INT64_C(1790000000000000)

struct sim_totals sim_totals;

/* ---------------------------------------------------------------- faults */

static int fault(const char *what, void *userdata)
{
    struct sim *sim = userdata;
    if (sim->hostile.dead) {
        return -ERR_DB_FAILED;
    }
    /* A first start writes thousands of candles in one transaction. */
    bool candles = strstr(what, "INTO candles") != NULL || strstr(what, "FROM candles") != NULL;
    double rarely = candles ? 0.01 : 1;
    if (sim->clock.now_mono_us < sim->outage_mono_us) {
        sim->hostile.dead = rng_chance(&sim->disk_rng, 0.002);
        return -ERR_DB_FULL;
    }
    if (rng_chance(&sim->rng, sim->write_kills * rarely)) {
        sim->hostile.dead = true;
        return -ERR_DB_FAILED;
    }
    return rng_chance(&sim->rng, sim->write_fails * rarely) ? -ERR_DB_FULL : 0;
}

static int reserve_fault(size_t size, size_t *ret_written, void *userdata)
{
    struct sim *sim = userdata;
    if (sim->hostile.dead) {
        *ret_written = 0;
        return -ERR_ENGINE_RESERVE;
    }
    bool fails = sim->clock.now_mono_us < sim->outage_mono_us && sim->outage_all;
    sim->hostile.dead = rng_chance(&sim->disk_rng, 0.05);
    *ret_written = fails ? 0 : rng_below(&sim->disk_rng, size + 1);
    return fails || sim->hostile.dead || rng_chance(&sim->disk_rng, 0.05) ? -ERR_ENGINE_RESERVE : 0;
}

static const struct venue_settings paper_venue = {
    .name = "paper",
    .paper =
        {
            .spread_bps = 4,
            .fee_bps = 5,
            .maker_fee_bps = 2,
            .depth = {70 * DEC_ONE},
            .level_bps = 1,
            .latency_us = 200 * USEC_PER_MSEC,
            .reject_pct = 3,
            .min_notional = {5 * DEC_ONE},
            .tick_digits = 6,
            .funding_bps = 10,
        },
};

/* The paper venue itself; an empty one while the driver is not open. */
const struct paper *sim_paper(const struct sim *sim)
{
    static const struct paper none;
    struct venue *own = driver_venue(sim->driver);
    return own == NULL ? &none : paper_of(own);
}

void sim_start(struct sim *sim)
{
    sim->driver = driver_new(&(struct driver_options){.settings = sim->settings,
                                                      .venue = sim->venue,
                                                      .clock = &sim->clock.clock,
                                                      .store = sim->store,
                                                      .reserve = sim->reserve,
                                                      .wrap_source = hostile_source,
                                                      .wrap_venue = hostile_venue,
                                                      .userdata = &sim->hostile},
                             &sim->shared);
    sim->hostile.driver = sim->driver;
}

static bool crash(struct sim *sim)
{
    struct sim_memory died;
    sim_save_memory(sim, &died);
    sim->crashes++;
    sim_totals.outage_crashes += sim->clock.now_mono_us < sim->outage_mono_us;
    driver_free(sim->driver);
    sim->driver = NULL;
    trading_store_rollback(sim->store);
    hostile_crash(&sim->hostile);
    struct engine_state booked = {0};
    struct err err = {0};
    (void)state_table_load(sim->store, &booked, &err);
    events_roll_back(&sim->hostile.events, sim->store, booked.last_funding_id);
    /* Lost with the process, since it was only in memory: the kill switch, and requests in the
     * ring. */
    shared_halt_clear(&sim->shared, shared_halt_generation(&sim->shared));
    struct request lost;
    while (ring_pop(sim->shared.requests, &lost)) {}
    sim->stopped_mono_us = 0; /* verification starts again */
    double kills = sim->write_kills;
    sim->write_kills = rng_chance(&sim->rng, 0.2) ? 0.02 : 0;
    bool ok = sim_check_restart(sim, &died);
    sim->write_kills = kills;
    return ok;
}

/* A bracket around the price, sometimes on the wrong side, or for a symbol without a position. */
static void want_bracket(struct sim *sim, struct request *r)
{
    const struct snapshot *s = driver_snapshot(sim->driver);
    if (s->position_count == 0) {
        r->symbol = sim->settings.symbols[0];
        return;
    }
    const struct position *p = &s->positions[rng_below(&sim->rng, (uint64_t)s->position_count)];
    double mark = dec_to_double(p->mark_price);
    double side = (p->side == SIDE_LONG ? 1 : -1) * (rng_chance(&sim->rng, 0.1) ? -1 : 1);
    r->symbol = p->symbol;
    if (rng_chance(&sim->rng, 0.8)) {
        r->stop = dec_from_double(mark * (1 - side * rng_double(&sim->rng) * 0.01));
    }
    if (rng_chance(&sim->rng, 0.6)) {
        r->target = dec_from_double(mark * (1 + side * rng_double(&sim->rng) * 0.015));
    }
    if (r->id % 8 != 0) { /* the others are refused, since they are not multiples of the tick */
        r->stop = instrument_round(&sim->price_rules, r->stop, false);
        r->target = instrument_round(&sim->price_rules, r->target, false);
    }
}

static void ask_amendment(struct sim *sim)
{
    struct request amend = {.id = sim->next_request++, .kind = REQUEST_AMEND};
    want_bracket(sim, &amend);
    (void)ring_push(sim->shared.requests, &amend);
}

/* Someone else trades on the account, in a symbol in which nothing of ours is open or under way. */
static void trade_foreign(struct sim *sim)
{
    const struct snapshot *s = driver_snapshot(sim->driver);
    const struct paper_book *book = &sim_paper(sim)->book;
    if (driver_engine(sim->driver) == NULL || s->state == TRADING_EMERGENCY ||
        !hostile_quiet(&sim->hostile)) {
        return;
    }
    struct symbol symbol = sim->settings.symbols[rng_below(&sim->rng, 3)];
    /* What is not on disk a crash takes back: a position of ours would be there again. */
    bool ours = s->open_orders > 0 || book->open_count > 0 || paper_book_find(book, symbol) >= 0 ||
                sim_paper(sim)->behind;
    for (int i = 0; i < s->position_count; i++) {
        ours = ours || symbol_equal(s->positions[i].symbol, symbol);
    }
    hostile_trade_foreign(&sim->hostile, symbol, engine_price(driver_engine(sim->driver), symbol),
                          ours);
}

static void ask(struct sim *sim)
{
    static const enum request_kind kinds[] = {
        REQUEST_PAUSE,           REQUEST_MAINTENANCE,     REQUEST_EMERGENCY_STOP,
        REQUEST_RESUME,          REQUEST_RESUME,          REQUEST_RESUME,
        REQUEST_RESUME,          REQUEST_CLEAR_EMERGENCY, REQUEST_CLEAR_EMERGENCY,
        REQUEST_CLEAR_EMERGENCY, REQUEST_CLOSE,           REQUEST_CLOSE,
        REQUEST_CANCEL,          REQUEST_AMEND,           REQUEST_AMEND,
        REQUEST_AMEND,           REQUEST_AMEND,           REQUEST_AMEND,
        REQUEST_AMEND,           REQUEST_AMEND,           REQUEST_AMEND,
    };
    struct request r = sim->last_request;
    if (r.id == 0 || !rng_chance(&sim->rng, 0.2)) {
        r = (struct request){.id = sim->next_request++,
                             .kind = kinds[rng_below(&sim->rng, COUNT_OF(kinds))]};
        (void)str_copy(STR_LIT("sim"), r.by, sizeof(r.by));
        if (r.kind == REQUEST_CLOSE && rng_chance(&sim->rng, 0.5)) {
            r.symbol = sim->settings.symbols[rng_below(&sim->rng, 3)];
        }
        if (r.kind == REQUEST_AMEND) {
            want_bracket(sim, &r);
        }
        sim->last_request = r;
        sim->stop_id = r.kind == REQUEST_EMERGENCY_STOP ? r.id : sim->stop_id;
        if (r.kind == REQUEST_CLEAR_EMERGENCY && sim->clear_count < CLEARS_MAX) {
            sim->clear_ids[sim->clear_count++] = r.id;
        }
    }
    (void)ring_push(sim->shared.requests, &r);
}

/* ---------------------------------------------------------------- one seed */

/* --trace: what passes between engine and venue is printed. */
static bool is_traced;

static bool turn(struct sim *sim)
{
    for (int i = 0; i < 64; i++) {
        const struct snapshot *s = driver_snapshot(sim->driver);
        const struct engine *engine = driver_engine(sim->driver);
        bool active = engine != NULL && engine_state(engine)->state == TRADING_ACTIVE;
        bool halted = shared_is_halted(&sim->shared);
        /* A request in the ring may change the state within the round, and midnight may end the
         * breaker's: then check in the next round. */
        bool midnight = engine != NULL && engine_state(engine)->state == TRADING_BREAKER &&
                        (s->market_us + USEC_PER_HOUR) / USEC_PER_DAY > engine_state(engine)->day;
        sim->hostile.entries_forbidden =
            halted || (!active && ring_len(sim->shared.requests) == 0 && !midnight);
        snapshot_copy(sim->before, CAPACITY_MIN, s);
        sim_save_memory(sim, &sim->known);
        bool full = sim->clock.now_mono_us < sim->outage_mono_us;
        int64_t wait_us = driver_round(sim->driver);
        sim_receive(sim);
        sim_totals.outage_trades += full && s->trades > sim->before->trades;
        if (sim->hostile.dead) {
            return crash(sim);
        }
        if (!sim_check_round(sim, halted)) {
            return false;
        }
        if (wait_us > 0) {
            break;
        }
    }
    return true;
}

static void settings_init(struct settings *s, const struct personality *who, uint64_t seed)
{
    *s = (struct settings){
        .symbol_count = 3,
        .seed = seed,
        .market_speed = 600,
        .threshold = 0.25,
        .risk_per_trade_pct = 2,
        .max_position_pct = 60,
        .max_positions = 2,
        .stop_pct = 0.6,
        .target_pct = 1.0,
        .max_daily_loss_pct = 5,
        .max_drawdown_pct = 15,
        .max_consecutive_losses = 4,
        .cooldown_us = 10 * USEC_PER_MIN,
        .max_exposure_pct = 45,
        .max_leverage = 2,
        .max_correlation = 1,
        .maintenance_margin_pct = 0.5,
        .min_liquidation_distance_pct = 5,
        .max_orders_per_minute = 2,
        .initial_cash = dec_from_int(10000),
    };
    for (int i = 0; i < TIERS; i++) {
        s->tiers[i] = (struct tier){.max_position_pct = 60, .max_exposure_pct = 40};
    }
    ASSERT(symbol_parse(STR_LIT("BTC-USD"), &s->symbols[0]) &&
           symbol_parse(STR_LIT("ETH-USD"), &s->symbols[1]) &&
           symbol_parse(STR_LIT("SOL-USD"), &s->symbols[2]));
    if (who != NULL) {
        personality_symbols(who, s);
    }
    /* One symbol is subject to the limit of all, two to that of their tier. */
    s->tiers[0].symbols[s->tiers[0].symbol_count++] = s->symbols[0];
}

/* Its own random numbers, so that the other faults of a seed stay as they were. */
static void press_rules(struct sim *sim)
{
    int64_t for_us = (int64_t)rng_below(&sim->rule_rng, 20) * USEC_PER_SEC;
    if (rng_chance(&sim->rule_rng, 0.002)) {
        hostile_hold(&sim->hostile, for_us);
    }
    if (rng_chance(&sim->rule_rng, 0.002)) {
        struct instrument rules = sim->price_rules;
        rules.symbol = sim->settings.symbols[rng_below(&sim->rule_rng, 3)];
        rules.min_notional = sim->venue.paper.min_notional;
        rules.step = sim->venue.paper.lot;
        hostile_close_symbol(&sim->hostile, &rules, for_us);
    }
}

/* What the venue does to the account by itself. */
static void press_account(struct sim *sim)
{
    static const enum venue_event events[] = {VENUE_EVENT_TRANSFER,     VENUE_EVENT_MARGIN_CALL,
                                              VENUE_EVENT_LIQUIDATION,  VENUE_EVENT_DELEVERAGING,
                                              VENUE_EVENT_DELEVERAGING, VENUE_EVENT_FORCED_CLOSE};
    if (sim->has_events && driver_engine(sim->driver) != NULL && !sim->hostile.dead &&
        rng_chance(&sim->event_rng, 0.03)) {
        enum venue_event event = events[rng_below(&sim->event_rng, COUNT_OF(events))];
        bool margin = event != VENUE_EVENT_TRANSFER && event != VENUE_EVENT_FORCED_CLOSE;
        if (!margin || sim->hostile.can.leverage) {
            (void)hostile_happen(&sim->hostile, event, &sim->event_rng);
        }
    }
}

/* What a venue with a personality does beside it. */
static void press_traits(struct sim *sim)
{
    struct rng *rng = &sim->hostile.trait_rng;
    if (sim->hostile.who == NULL || driver_engine(sim->driver) == NULL || sim->hostile.dead) {
        return;
    }
    if (rng_chance(rng, 0.002)) {
        hostile_maintain(&sim->hostile, (int64_t)rng_below(rng, 20) * USEC_PER_SEC);
    }
    if (rng_chance(rng, 0.001)) {
        hostile_delist(&sim->hostile, sim->settings.symbols[rng_below(rng, 3)],
                       (int64_t)rng_below(rng, 30) * USEC_PER_SEC);
    }
    if (rng_chance(rng, 0.02)) {
        (void)hostile_end_order(&sim->hostile);
    }
    if (rng_chance(rng, 0.002)) {
        (void)hostile_take(&sim->hostile);
    }
}

static void ask_kind(struct sim *sim, enum request_kind kind)
{
    struct request r = {.id = sim->next_request++, .kind = kind};
    sim->stop_id = kind == REQUEST_EMERGENCY_STOP ? r.id : sim->stop_id;
    if (kind == REQUEST_CLEAR_EMERGENCY && sim->clear_count < CLEARS_MAX) {
        sim->clear_ids[sim->clear_count++] = r.id;
    }
    (void)ring_push(sim->shared.requests, &r);
}

static bool run(struct sim *sim)
{
    sim_start(sim);
    for (int round = 0; round < ROUNDS; round++) {
        clock_fake_advance(&sim->clock, (int64_t)rng_below(&sim->rng, 400 * USEC_PER_MSEC) + 1);
        if (rng_chance(&sim->rng, 0.01)) {
            clock_fake_jump_wall(&sim->clock,
                                 ((int64_t)rng_below(&sim->rng, 48) - 24) * USEC_PER_HOUR);
        }
        if (rng_chance(&sim->rng, 0.04)) {
            ask(sim);
        }
        if (round >= ROUNDS - 12 && round % 3 == 0) {
            ask_amendment(sim); /* so that some are still pending when the faults stop */
        }
        bool moves = sim->hostile.can.amend && sim->hostile.can.legs != VENUE_LEGS_NONE;
        if (moves && rng_chance(&sim->hostile.trait_rng, 0.03)) {
            ask_amendment(sim);
        }
        if (rng_chance(&sim->rng, 0.01)) {
            trade_foreign(sim);
        }
        if (rng_chance(&sim->rng, 0.001)) {
            hostile_halt(&sim->hostile, (int64_t)rng_below(&sim->rng, 20) * USEC_PER_SEC);
        }
        if (rng_chance(&sim->rng, 0.001)) {
            hostile_ban(&sim->hostile, (int64_t)rng_below(&sim->rng, 10) * USEC_PER_SEC);
        }
        press_rules(sim);
        press_account(sim);
        press_traits(sim);
        if (rng_chance(&sim->rng, 0.002)) {
            shared_halt(&sim->shared, 0);
        }
        if (rng_chance(&sim->rng, 0.004)) {
            sim->hostile.dead = true; /* between two rounds */
        }
        if (sim->clock.now_mono_us >= sim->outage_mono_us && rng_chance(&sim->disk_rng, 0.004)) {
            sim->outage_mono_us =
                sim->clock.now_mono_us + (int64_t)rng_below(&sim->disk_rng, 30) * USEC_PER_SEC;
            sim->outage_all = rng_chance(&sim->disk_rng, 0.1);
            sim_totals.outages++;
        }
        if (!turn(sim)) {
            return false;
        }
    }
    sim->write_fails = 0;
    sim->write_kills = 0;
    sim->outage_mono_us = 0;
    reserve_set_fault(sim->reserve, NULL, NULL);
    sim->hostile.fault_scale = 0;
    sim->hostile.halted_mono_us = 0;
    for (int round = 0; round < FAULTLESS_ROUNDS; round++) {
        clock_fake_advance(&sim->clock, DRIVER_ROUND_US);
        if (round % 30 == 10) {
            ask_amendment(sim);
        }
        /* Where coins are missing the books and the account differ until a person has closed all.
         */
        if (sim->hostile.shortages > 0 && (round == 0 || round == FAULTLESS_ROUNDS / 2)) {
            ask_kind(sim, round == 0 ? REQUEST_EMERGENCY_STOP : REQUEST_CLEAR_EMERGENCY);
        }
        if (!turn(sim)) {
            return false;
        }
    }
    /* No new entry may be under way at the very end. */
    struct request pause = {.id = sim->next_request++, .kind = REQUEST_PAUSE};
    (void)ring_push(sim->shared.requests, &pause);
    for (int round = 0; round < FAULTLESS_ROUNDS; round++) {
        clock_fake_advance(&sim->clock, DRIVER_ROUND_US);
        if (!turn(sim)) {
            return false;
        }
    }
    return sim_check_end(sim);
}

static bool run_seed(const struct personality *who, uint64_t seed, char *ret_what, size_t what_size)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    ASSERT(sim != NULL);
    struct err err = {0};
    sim->seed = seed;
    sim->next_request = 1;
    sim->write_fails = 0.002;
    sim->write_kills = 0.0006;
    rng_init(&sim->rng, seed);
    clock_fake_init(&sim->clock, START_US);
    shared_init(&sim->shared, CAPACITY_MIN);
    shared_seal(&sim->shared);
    settings_init(&sim->settings, who, seed);
    sim->venue = paper_venue;
    if (who != NULL) {
        sim->venue.paper = who->terms;
    }
    sim->price_rules.digits = (int)sim->venue.paper.tick_digits;
    ASSERT(trading_store_open(":memory:", TRADING_STORE_WRITE, &sim->store, &err) >= 0);
    sim->before = snapshot_new(CAPACITY_MIN);
    hostile_init(&sim->hostile, who, &sim->rng, sim->store, &sim->clock);
    sim->hostile.settings = &sim->settings;
    sim->hostile.trace = is_traced;
    trading_store_set_fault(sim->store, fault, sim);
    rng_init(&sim->disk_rng, ~seed);
    rng_init(&sim->rule_rng, seed ^ UINT64_C(0x72756c6573));
    rng_init(&sim->event_rng, seed ^ UINT64_C(0x6576656e7473));
    sim->has_events = rng_chance(&sim->event_rng, 0.5);
    ASSERT(reserve_open(":memory:", &sim->reserve, &err) >= 0);
    reserve_set_fault(sim->reserve, reserve_fault, sim);
    sim->hostile.reserve = sim->reserve;
    bus_reader_init(&sim->reader, sim->shared.bus, TOPIC_REPLY | TOPIC_FAULT);

    bool ok = run(sim);
    (void)snprintf(ret_what, what_size, "%s", sim->what);
    driver_free(sim->driver);
    trading_store_set_fault(sim->store, NULL, NULL);
    trading_store_free(sim->store);
    reserve_free(sim->reserve);
    shared_release(&sim->shared);
    free(sim->before);
    free(sim->hostile.snapshot);
    free(sim);
    return ok;
}

static void silent(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static bool passes(const struct personality *who, int64_t seed)
{
    char what[256];
    bool ok = run_seed(who, (uint64_t)seed, what, sizeof(what));
    if (!ok) {
        printf("not ok - %s%sseed %lld: %s\n", who == NULL ? "" : who->name,
               who == NULL ? "" : ", ", (long long)seed, what);
    }
    return ok;
}

/* The personality that a line begins with, and the text after it; NULL: it begins with a seed. */
static const struct personality *read_personality(char **line)
{
    char name[32];
    size_t len = strcspn(*line, " ");
    if (len >= sizeof(name)) {
        return NULL;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)len, *line);
    const struct personality *who = personality_find(name);
    *line += who == NULL ? 0 : len + 1;
    return who;
}

/* A line is a seed, before it and a space its personality if it has one, and after a space its
 * description; or a comment after #. Returns how many passed; -1: one failed, or the list cannot be
 * read. */
static int64_t replay_list(const char *path)
{
    FILE *list = fopen(path, "re");
    char line[256];
    int64_t count = 0;
    while (list != NULL && count >= 0 && fgets(line, sizeof(line), list) != NULL) {
        int64_t seed;
        char *text = line;
        const struct personality *who = read_personality(&text);
        struct str digits = {text, strspn(text, "0123456789")};
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        if (!str_to_i64(digits, &seed)) {
            printf("not ok - %s: no seed in %s", path, line);
            count = -1;
        } else {
            count = passes(who, seed) ? count + 1 : -1;
        }
    }
    if (list == NULL) {
        printf("not ok - %s cannot be read\n", path);
        return -1;
    }
    (void)fclose(list);
    return count;
}

struct happened {
    const char *what;
    int64_t count;
    bool needed; /* without it the simulation proves nothing */
};

/* False: something never happened. */
static bool print_totals(const struct personality *who, int64_t seeds)
{
    const struct venue_capabilities can =
        who == NULL ? (struct venue_capabilities){.brackets = true, .leverage = true}
                    : personality_can(who);
    const struct sim_totals *t = &sim_totals;
    const struct happened happened[] = {
        {"trades", t->trades, true},
        {"crashes", t->crashes, true},
        {"disk outages", t->outages, true},
        {"crashes during an outage", t->outage_crashes, true},
        {"positions closed during an outage", t->outage_trades, can.brackets},
        {"emergency stops", t->stops, true},
        {"rounds with unknown orders", t->unknown, true},
        {"candles refused", t->refused, true},
        {"partial fills", t->partials, true},
        {"outdated reports", t->outdated, true},
        {"funding payments", t->payments, who == NULL || who->terms.funding_bps > 0},
        {"amendments requested", t->amendments, can.brackets},
        {"brackets changed", t->amended, can.brackets},
        {"halts of the venue", t->halts, true},
        {"price gaps", t->gaps, true},
        {"foreign positions", t->foreigners, true},
        {"foreign positions closed", t->foreign_closed, true},
        {"listings in pages", t->paged, true},
        {"orders found later", t->found_later, true},
        {"bans", t->bans, true},
        {"limits nearly used up", t->holds, true},
        {"symbols that did not trade", t->closings, true},
        {"venues without brackets", t->bare, who == NULL || !can.brackets},
        {"transfers", t->transfers, true},
        {"margin calls", t->margin_calls, can.leverage},
        {"liquidations", t->liquidations, can.leverage},
        {"positions closed by the venue", t->closed, true},
        {"orders refused by a personality", t->refusals, who != NULL && !can.reduce_only},
        {"orders that the venue ended", t->ended, who != NULL},
        {"fees that nobody reported", t->shortages, who != NULL && can.dust},
        {"stops and targets at the venue", t->legs_placed, can.legs != VENUE_LEGS_NONE},
        {"of which were moved", t->legs_moved, can.amend && can.legs == VENUE_LEGS_STOP},
        {"of which the price reached", t->legs_fired, can.legs != VENUE_LEGS_NONE},
        {"of which the venue refused", t->legs_refused, can.legs != VENUE_LEGS_NONE},
        {"delistings", t->delistings, who != NULL},
        {"positions too small to be sold", t->left, false},
        {"maintenances", t->maintenances, who != NULL}};
    for (size_t i = 0; i < COUNT_OF(happened); i++) {
        printf("# %lld %s\n", (long long)happened[i].count, happened[i].what);
        if (seeds >= 50 && happened[i].needed && happened[i].count == 0) {
            printf("not ok - a simulation without %s proves nothing\n", happened[i].what);
            return false;
        }
    }
    return true;
}

/* listed: how many of the list passed before. */
static bool run_seeds(const struct personality *who, int64_t first, int64_t seeds, int64_t listed)
{
    for (int64_t i = 0; i < seeds; i++) {
        if (!passes(who, first + i)) {
            return false;
        }
    }
    if (!print_totals(who, seeds)) {
        return false;
    }
    printf("ok 1 - sim %s%s%lld seeds, %lld of the list\n", who == NULL ? "" : who->name,
           who == NULL ? "" : ", ", (long long)seeds, (long long)listed);
    (void)fflush(stdout);
    sim_totals = (struct sim_totals){0};
    return true;
}

static int usage(void)
{
    char names[128];
    personality_names(names, sizeof(names));
    (void)fprintf(stderr,
                  "usage: sim [--seeds N] [--seed FIRST] [--list FILE] [--verbose] [--trace]"
                  " [--personality NAME]\nNAME: %s, all\n",
                  names);
    return 2;
}

int main(int argc, char **argv)
{
    int64_t seeds = 500;
    int64_t first = 1;
    const char *list = NULL;
    const struct personality *who = NULL;
    bool each = false;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        bool known =
            (strcmp(argv[i], "--seeds") == 0 && more && str_to_i64(str_c(argv[i + 1]), &seeds)) ||
            (strcmp(argv[i], "--seed") == 0 && more && str_to_i64(str_c(argv[i + 1]), &first));
        if (known) {
            i++;
        } else if (strcmp(argv[i], "--list") == 0 && more) {
            list = argv[++i];
        } else if (strcmp(argv[i], "--personality") == 0 && more) {
            each = strcmp(argv[++i], "all") == 0;
            who = personality_find(argv[i]);
            if (!each && who == NULL) {
                return usage();
            }
        } else if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--trace") == 0) {
            is_traced = true;
        } else {
            return usage();
        }
    }
    log_set_sink(verbose ? NULL : silent,
                 NULL); /* the faults are intended, so log only on request */
    int64_t listed = list == NULL ? 0 : replay_list(list);
    bool good = listed >= 0;
    for (int i = 0; each && good && personality_at(i) != NULL; i++) {
        good = run_seeds(personality_at(i), first, seeds, listed);
    }
    return (each || run_seeds(who, first, seeds, listed)) && good ? 0 : 1;
}
