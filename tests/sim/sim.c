/*
 * sim.c: the engine, its driver and the paper venue on a fake clock, under seeded faults.
 *
 *     sim --seeds 500            seeds 1..500, one TAP line
 *     sim --seeds 1 --seed 17    only seed 17
 *     sim --list seeds.txt       first replays the seeds that failed in the past
 *
 * Faults: those of hostile.h on a paper venue with a thin book, random rejections, funding and
 * latency; a disk that fails for a single write or for half a minute, sometimes together with the
 * reserve; a crash before any single write (the open transaction is rolled back, a note of the
 * reserve is torn, and a new process starts from what is on disk); a wall clock that jumps;
 * requests at any moment, including amendments, and one request sent twice. After every round the
 * invariants below are checked. At the end the faults stop, and engine and venue must agree to the
 * last unit. A seed always gives the same run.
 */
#include "base/check.h"
#include "base/log.h"
#include "engine/driver.h"
#include "sim/hostile.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/request_table.h"
#include "store/state_table.h"
#include "store/trade_table.h"
#include "venue/paper.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS           600
#define FAULTLESS_ROUNDS 120
#define START_US         INT64_C(1790000000000000)
#define FLAT_WITHIN_US   (60 * USEC_PER_SEC) /* six timeouts in a row under faults */
#define AGREE_WITHIN_US  (6 * USEC_PER_SEC)
#define TRADES_LIMIT     4096
#define CLEARS_MAX       1024

/* The engine's state that must survive a crash. */
struct sim_memory {
    bool valid; /* and all of it is on disk */
    struct engine_state state;
    int position_count;
    struct position positions[POSITIONS_LIMIT];
};

struct sim {
    uint64_t seed;
    struct rng rng;
    struct clock_fake clock;
    struct shared shared;
    struct trading_store *store;
    struct settings settings;
    struct hostile hostile;
    struct driver *driver;
    struct bus_reader reader;

    struct rng disk_rng;  /* for the disk faults */
    struct rng rule_rng;  /* for limits of requests and rules of symbols */
    struct rng event_rng; /* for events of the account */
    bool has_events;      /* half of the seeds */
    struct reserve *reserve;
    int64_t outage_mono_us;   /* all writes fail until then */
    bool outage_all;          /* and those of the reserve */
    int64_t answered_stop_id; /* the newest answered one */
    int64_t stop_id;          /* the newest requested one */
    int clear_count;
    int64_t clear_ids[CLEARS_MAX];
    bool stop_reported; /* an emergency stop was reported as active */
    double write_fails; /* probability that a write fails; it is retried */
    double write_kills; /* probability that the process dies at a write */
    int64_t next_request;
    struct request last_request;
    struct snapshot *before; /* published before the round */
    struct sim_memory known; /* the engine's state at that time */
    int64_t stopped_mono_us; /* start of an emergency stop that is not verified flat yet */
    int64_t differ_mono_us;  /* since when a bracket differs from the venue's */
    int64_t beyond_mono_us;  /* since when an entry is alive while the exposure exceeds a limit */
    int ignored_halts;       /* consecutive rounds */
    int crashes;
    char what[256];
};

/* Totals over all seeds: a simulation in which nothing happens proves nothing. */
static struct {
    int64_t trades;
    int64_t crashes;
    int64_t outages;
    int64_t outage_crashes;
    int64_t outage_trades;
    int64_t stops;
    int64_t unknown;
    int64_t refused;
    int64_t partials;
    int64_t outdated;
    int64_t payments;
    int64_t amendments;
    int64_t amended; /* brackets changed by the venue */
    int64_t halts;
    int64_t gaps;
    int64_t foreigners;
    int64_t foreign_closed;
    int64_t paged;
    int64_t found_later;
    int64_t bans;
    int64_t holds;
    int64_t closings;
    int64_t bare; /* venues without brackets */
    int64_t transfers;
    int64_t margin_calls;
    int64_t liquidations;
    int64_t closed; /* by the venue for another reason */
} totals;

__attribute__((format(printf, 2, 3))) static bool fail(struct sim *sim, const char *format, ...)
{
    if (sim->what[0] == '\0') {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(sim->what, sizeof(sim->what), format, args);
        va_end(args);
    }
    return false;
}

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

static const struct venue_settings venue = {
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
static const struct paper *paper_now(const struct sim *sim)
{
    static const struct paper none;
    struct venue *own = driver_venue(sim->driver);
    return own == NULL ? &none : paper_of(own);
}

static void start(struct sim *sim)
{
    sim->driver = driver_new(&(struct driver_options){.settings = sim->settings,
                                                      .venue = venue,
                                                      .clock = &sim->clock.clock,
                                                      .store = sim->store,
                                                      .reserve = sim->reserve,
                                                      .wrap_source = hostile_source,
                                                      .wrap_venue = hostile_venue,
                                                      .userdata = &sim->hostile},
                             &sim->shared);
    sim->hostile.driver = sim->driver;
}

/* Whether the bracket is the old one or a requested one, whose answer may have arrived since. The
 * venue may not have processed the latest amendments yet. */
static bool same_bracket(const struct sim *sim, const struct position *now,
                         const struct position *before)
{
    return (now->stop.e8 == before->stop.e8 && now->target.e8 == before->target.e8) ||
           hostile_was_asked(&sim->hostile, now->client_id, now->stop, now->target);
}

static void save_memory(const struct sim *sim, struct sim_memory *ret)
{
    const struct engine *engine = driver_engine(sim->driver);
    ret->valid = engine != NULL && driver_snapshot(sim->driver)->last_err == 0;
    if (engine != NULL) {
        ret->state = *engine_state(engine);
        const struct position *positions = engine_positions(engine, &ret->position_count);
        memcpy(ret->positions, positions, sizeof(ret->positions[0]) * (size_t)ret->position_count);
    }
}

static bool same_cooldowns(const struct engine_state *a, const struct engine_state *b)
{
    bool same = a->cooldown_count == b->cooldown_count;
    for (int i = 0; same && i < a->cooldown_count; i++) {
        same = false;
        for (int j = 0; j < b->cooldown_count; j++) {
            same = same || (symbol_equal(a->cooldowns[i].symbol, b->cooldowns[j].symbol) &&
                            a->cooldowns[i].until_us == b->cooldowns[j].until_us);
        }
    }
    return same;
}

/* All but the clock, which advances without being written. */
static bool same_state(const struct engine_state *a, const struct engine_state *b)
{
    return a->state == b->state && strcmp(a->state_reason, b->state_reason) == 0 &&
           a->state_since_wall_us == b->state_since_wall_us &&
           a->initial_cash.e8 == b->initial_cash.e8 && a->cash.e8 == b->cash.e8 &&
           a->realised.e8 == b->realised.e8 && a->fees.e8 == b->fees.e8 &&
           a->funding.e8 == b->funding.e8 && a->last_funding_id == b->last_funding_id &&
           a->equity_peak.e8 == b->equity_peak.e8 &&
           a->day_start_equity.e8 == b->day_start_equity.e8 && a->day == b->day &&
           a->consecutive_losses == b->consecutive_losses && a->run == b->run &&
           a->next_order == b->next_order && a->next_decision_id == b->next_decision_id &&
           a->next_trade_id == b->next_trade_id && a->candles == b->candles &&
           a->decisions == b->decisions && a->orders == b->orders && a->fills == b->fills &&
           a->trades == b->trades && a->wins == b->wins && a->vetoes == b->vetoes &&
           a->refused_candles == b->refused_candles && same_cooldowns(a, b);
}

static bool same_position(const struct position *a, const struct position *b)
{
    return symbol_equal(a->symbol, b->symbol) && a->side == b->side && a->qty.e8 == b->qty.e8 &&
           a->entry_price.e8 == b->entry_price.e8 && a->mark_price.e8 == b->mark_price.e8 &&
           a->stop.e8 == b->stop.e8 && a->target.e8 == b->target.e8 && a->fees.e8 == b->fees.e8 &&
           a->opened_us == b->opened_us && a->decision_id == b->decision_id &&
           strcmp(a->client_id, b->client_id) == 0;
}

static bool is_on_disk(const struct sim_memory *memory, const struct engine_state *state,
                       const struct position *positions, int count)
{
    bool same = same_state(&memory->state, state) && memory->position_count == count;
    for (int i = 0; same && i < count; i++) {
        same = false;
        for (int j = 0; j < count; j++) {
            same = same || same_position(&memory->positions[i], &positions[j]);
        }
    }
    return same;
}

/* A clear took effect, but the process died before its answer was published. */
static bool was_cleared(struct sim *sim)
{
    for (int i = 0; i < sim->clear_count; i++) {
        struct request_result result;
        struct err err = {0};
        if (sim->clear_ids[i] > sim->answered_stop_id &&
            request_table_result(sim->store, sim->clear_ids[i], &result, &err) >= 0 &&
            result.found && result.err_id == ERR_NONE) {
            sim->stop_reported = false;
        }
    }
    struct reserve *file = reserve_view(sim->reserve);
    for (int i = 0; i < reserve_count(file); i++) {
        struct reserve_note note;
        if (reserve_read(file, i, &note) && note.kind == RESERVE_REQUEST &&
            note.request.kind == REQUEST_CLEAR_EMERGENCY && note.request_err == ERR_NONE &&
            note.request.id > sim->answered_stop_id) {
            sim->stop_reported = false;
        }
    }
    reserve_free(file);
    return !sim->stop_reported;
}

/* The newest trading state in the reserve; TRADING_STARTING: there is none. */
static enum trading_state kept_state(struct sim *sim)
{
    enum trading_state state = TRADING_STARTING;
    struct reserve *file = reserve_view(sim->reserve);
    for (int i = 0; i < reserve_count(file); i++) {
        struct reserve_note note;
        if (reserve_read(file, i, &note) && note.kind == RESERVE_STATE) {
            state = note.state;
        }
    }
    reserve_free(file);
    return state;
}

static bool is_among(const struct position *p, const struct position *list, int count)
{
    for (int i = 0; i < count; i++) {
        if (symbol_equal(list[i].symbol, p->symbol)) {
            return true;
        }
    }
    return false;
}

/* Whether the venue closed a position by itself in the events after `from`. */
static bool has_closed(const struct events *events, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to && i < events->count; i++) {
        if (events_closes(events->list[i].event)) {
            return true;
        }
    }
    return false;
}

/* died: the engine's state when the process ended. The disk must hold either that state or the
 * state before the last round, never a mixture. */
static bool check_restart(struct sim *sim, const struct sim_memory *died)
{
    struct err err = {0};
    struct engine_state before;
    struct position positions[POSITIONS_LIMIT];
    int count = position_table_list(sim->store, positions, POSITIONS_LIMIT, &err);
    int rc = state_table_load(sim->store, &before, &err);
    if (sim->known.valid && rc >= 0 && !is_on_disk(&sim->known, &before, positions, count) &&
        !is_on_disk(died, &before, positions, count)) {
        return fail(sim, "the disk holds neither the state before the crash nor that after it");
    }
    sim->known.valid = false;
    enum trading_state kept = kept_state(sim);
    start(sim);
    for (int i = 0; i < 40 && driver_engine(sim->driver) == NULL; i++) {
        (void)driver_round(sim->driver);
        clock_fake_advance(&sim->clock, USEC_PER_SEC);
        if (sim->hostile.dead) {
            return true; /* it crashed again during the start */
        }
    }
    if (driver_engine(sim->driver) == NULL) {
        return fail(sim, "cannot restart");
    }
    if (rc == -ERR_STORE_NOT_FOUND) {
        return true;
    }
    const struct engine_state *after = engine_state(driver_engine(sim->driver));
    if (rc < 0 || count < 0) {
        return fail(sim, "the database cannot be read: %s", err.context);
    }
    /* The first rounds may already have learnt of new fills, but requests must still be in effect.
     */
    if (after->run <= before.run) {
        return fail(sim, "run %lld follows run %lld", (long long)after->run, (long long)before.run);
    }
    if (sim->stop_reported && after->state != TRADING_EMERGENCY && !was_cleared(sim)) {
        return fail(sim, "an answered emergency stop became %s after a restart",
                    trading_state_name(after->state));
    }
    /* A resume that only the reserve has lasts until the breaker sees the older books again. */
    bool tripped = kept == TRADING_ACTIVE && after->state == TRADING_BREAKER;
    if ((before.state == TRADING_PAUSED || before.state == TRADING_EMERGENCY) &&
        after->state != before.state && after->state != kept && !tripped) {
        return fail(sim, "state %s became %s after a restart", trading_state_name(before.state),
                    trading_state_name(after->state));
    }
    /* The venue may have closed a position without a fill. */
    if (after->fills == before.fills &&
        !has_closed(&sim->hostile.events, before.last_funding_id, after->last_funding_id)) {
        int now_count;
        const struct position *now = engine_positions(driver_engine(sim->driver), &now_count);
        bool paid = after->last_funding_id != before.last_funding_id;
        if (after->trades != before.trades || !same_cooldowns(after, &before)) {
            return fail(sim, "trades or cooldowns differ after a restart");
        }
        /* The reserve may contain foreign positions that were being closed. */
        int adopted = 0;
        for (int i = 0; i < now_count; i++) {
            adopted += now[i].client_id[0] == '\0' && !is_among(&now[i], positions, count);
        }
        if (now_count - adopted != count ||
            (!paid && ((adopted == 0 && dec_cmp(after->cash, before.cash) != 0) ||
                       dec_cmp(after->realised, before.realised) != 0 ||
                       dec_cmp(after->fees, before.fees) != 0))) {
            return fail(sim, "%d positions became %d after a restart", count, now_count);
        }
        for (int i = 0; i < count; i++) {
            bool found = false;
            for (int j = 0; j < now_count; j++) {
                found = found || (symbol_equal(now[j].symbol, positions[i].symbol) &&
                                  now[j].side == positions[i].side &&
                                  dec_cmp(now[j].qty, positions[i].qty) == 0 &&
                                  dec_cmp(now[j].entry_price, positions[i].entry_price) == 0 &&
                                  same_bracket(sim, &now[j], &positions[i]));
            }
            if (!found) {
                return fail(sim, "position %s differs after a restart", positions[i].symbol.name);
            }
        }
    }
    return true;
}

static bool crash(struct sim *sim)
{
    struct sim_memory died;
    save_memory(sim, &died);
    sim->crashes++;
    totals.outage_crashes += sim->clock.now_mono_us < sim->outage_mono_us;
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
    bool ok = check_restart(sim, &died);
    sim->write_kills = kills;
    return ok;
}

/* Those of the paper venue's terms above. */
static const struct instrument price_rules = {.digits = 6};

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
        r->stop = instrument_round(&price_rules, r->stop, false);
        r->target = instrument_round(&price_rules, r->target, false);
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
    const struct paper_book *book = &paper_now(sim)->book;
    if (driver_engine(sim->driver) == NULL || s->state == TRADING_EMERGENCY ||
        !hostile_quiet(&sim->hostile)) {
        return;
    }
    struct symbol symbol = sim->settings.symbols[rng_below(&sim->rng, 3)];
    bool ours = s->open_orders > 0 || book->open_count > 0 || paper_book_find(book, symbol) >= 0;
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

/* ---------------------------------------------------------------- invariants */

static bool check_markets(struct sim *sim, const struct snapshot *s)
{
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *m = &s->markets[i];
        if (!dec_is_valid(m->price) || m->price.e8 <= 0 || m->updated_us > s->market_us) {
            return fail(sim, "%s has an impossible price", m->symbol.name);
        }
    }
    return true;
}

/* Stop and target at the decided distance from the entry price, unless a person moved them. */
static bool is_measured(const struct order *entry)
{
    struct order there = *entry;
    order_measure(&there, &price_rules);
    return there.stop.e8 == entry->stop.e8 && there.target.e8 == entry->target.e8;
}

/* Whether the stops and targets of our positions are the venue's, and the wanted ones. */
static bool brackets_agree(const struct sim *sim)
{
    const struct paper_book *book = &paper_now(sim)->book;
    struct err err = {0};
    int count;
    const struct position *positions = engine_positions(driver_engine(sim->driver), &count);
    for (int i = 0; i < count; i++) {
        const struct position *p = &positions[i];
        int index = paper_book_find(book, p->symbol);
        struct order entry;
        if (p->client_id[0] == '\0' || index < 0 || !sim->hostile.can.brackets) {
            continue; /* foreign, or already closed, as the next listing will show */
        }
        if (dec_cmp(book->positions[index].stop, p->stop) != 0 ||
            dec_cmp(book->positions[index].target, p->target) != 0 ||
            order_table_get(sim->store, p->client_id, &entry, &err) < 0 || !is_measured(&entry) ||
            dec_cmp(entry.stop, p->stop) != 0 || dec_cmp(entry.target, p->target) != 0) {
            return false;
        }
    }
    return true;
}

/* They must agree soon after faults stop losing messages, not at once. */
static bool check_brackets(struct sim *sim)
{
    if (sim->hostile.fault_scale > 0 || driver_engine(sim->driver) == NULL || brackets_agree(sim)) {
        sim->differ_mono_us = sim->clock.now_mono_us;
    }
    return sim->clock.now_mono_us - sim->differ_mono_us <= AGREE_WITHIN_US ||
           fail(sim, "a stop or target differs from the venue's");
}

/* An entry that would exceed the account's limits is cancelled soon, not at once. */
static bool check_exposure(struct sim *sim)
{
    const struct snapshot *s = driver_snapshot(sim->driver);
    bool beyond = s->risk.exposure_pct > s->risk.max_exposure_pct * (1 + 1e-9);
    for (int t = 0; t < TIERS; t++) {
        beyond = beyond ||
                 s->risk.tiers[t].exposure_pct > s->risk.tiers[t].max_exposure_pct * (1 + 1e-9);
    }
    /* At the venue: an unanswered entry may never have reached it. */
    const struct paper_book *book = &paper_now(sim)->book;
    bool entries = false;
    for (int i = 0; i < book->open_count; i++) {
        entries = entries || book->open[i].kind == ORDER_ENTRY;
    }
    if (sim->hostile.fault_scale > 0 || !beyond || !entries) {
        sim->beyond_mono_us = sim->clock.now_mono_us;
    }
    return sim->clock.now_mono_us - sim->beyond_mono_us <= AGREE_WITHIN_US ||
           fail(sim, "entries are waiting to fill at an exposure of %.2f", s->risk.exposure_pct);
}

static bool is_clear(const struct sim *sim, int64_t id)
{
    for (int i = 0; i < sim->clear_count; i++) {
        if (sim->clear_ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void receive_alert(struct sim *sim, const struct event *e)
{
    const struct engine *engine = driver_engine(sim->driver);
    int64_t booked = engine == NULL ? 0 : engine_state(engine)->last_funding_id;
    if (e->code == ERR_VENUE_BALANCE) {
        (void)fail(sim, "an alert says that the venue has another balance");
    }
    events_tell(&sim->hostile.events, (enum err_id)e->code, e->symbol, booked);
}

/* Checks the events that people receive: what they report must survive a crash. */
static void receive(struct sim *sim)
{
    struct bus_event raw;
    while (bus_read(&sim->reader, &raw, 1, NULL) == 1) {
        struct event e;
        memcpy(&e, &raw, sizeof(e));
        if (e.topic == TOPIC_FAULT) {
            receive_alert(sim, &e);
        } else if (e.id == sim->stop_id && e.code == ERR_NONE && e.id != sim->answered_stop_id) {
            sim->answered_stop_id = e.id; /* a repeated answer */
            sim->stop_reported = true;
        } else if (e.code == ERR_NONE && is_clear(sim, e.id)) {
            sim->stop_reported = false;
        }
    }
}

/* A margin call and a liquidation pause trading until a person resumes it. */
static bool check_pauses(struct sim *sim)
{
    const struct engine *engine = driver_engine(sim->driver);
    struct events *events = &sim->hostile.events;
    if (engine == NULL) {
        return true;
    }
    const struct engine_state *s = engine_state(engine);
    /* In the same step, after the event. */
    bool resumed = s->state_since_wall_us == sim->clock.now_wall_us &&
                   strncmp(s->state_reason, "resumed", strlen("resumed")) == 0;
    for (int64_t i = 0; i < events->count && i < s->last_funding_id; i++) {
        struct events_entry *e = &events->list[i];
        if (events_pauses(e->event) && !e->stopped && !resumed &&
            (s->state == TRADING_ACTIVE || s->state == TRADING_BREAKER)) {
            return fail(sim, "trading is %s after event %lld", trading_state_name(s->state),
                        (long long)i + 1);
        }
        e->stopped = true;
    }
    return true;
}

/* halted: the kill switch was set before the round. */
static bool check_round(struct sim *sim, bool halted)
{
    const struct snapshot *s = driver_snapshot(sim->driver);
    const struct paper *paper = paper_now(sim);
    if (sim->hostile.violation[0] != '\0') {
        return fail(sim, "%s", sim->hostile.violation);
    }
    if (sim->what[0] != '\0' || !check_pauses(sim)) {
        return false;
    }
    if (!s->books_balance) {
        return fail(sim, "books do not balance");
    }
    if (!check_markets(sim, s) || !check_brackets(sim) || !check_exposure(sim)) {
        return false;
    }
    const struct settings *limits = &sim->settings;
    if (s->state == TRADING_ACTIVE && s->last_err == 0 &&
        (s->drawdown_pct > limits->max_drawdown_pct * (1 + 1e-9) ||
         s->daily_loss_pct > limits->max_daily_loss_pct * (1 + 1e-9) ||
         s->risk.losses_in_a_row >= limits->max_consecutive_losses)) {
        return fail(sim,
                    "active with a drawdown of %.2f, a daily loss of %.2f, %lld losses in a row",
                    s->drawdown_pct, s->daily_loss_pct, (long long)s->risk.losses_in_a_row);
    }
    /* The first of two rounds may still commit an earlier decision. */
    bool stopping = !halted || !shared_is_halted(&sim->shared) ||
                    driver_engine(sim->driver) == NULL || s->state == TRADING_EMERGENCY;
    sim->ignored_halts = stopping ? 0 : sim->ignored_halts + 1;
    if (sim->ignored_halts > 1) {
        return fail(sim, "the kill switch is set in state %s", trading_state_name(s->state));
    }
    int opened = 0; /* an adopted position was opened by someone else */
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        opened += p->client_id[0] != '\0';
        for (int j = 0; j < sim->before->position_count; j++) {
            const struct position *was = &sim->before->positions[j];
            totals.amended += strcmp(was->client_id, p->client_id) == 0 &&
                              (was->stop.e8 != p->stop.e8 || was->target.e8 != p->target.e8);
        }
        if (p->client_id[0] != '\0' && (p->stop.e8 <= 0 || p->target.e8 <= 0)) {
            return fail(sim, "%s has no stop or no target", p->symbol.name);
        }
    }
    if (opened > s->max_positions) {
        return fail(sim, "%d positions, the limit is %d", opened, s->max_positions);
    }
    if (paper->book.position_count > s->max_positions) {
        return fail(sim, "the venue holds %d positions, the limit is %d",
                    paper->book.position_count, s->max_positions);
    }
    if (s->state != TRADING_EMERGENCY) {
        sim->stopped_mono_us = 0;
    } else {
        if (sim->stopped_mono_us == 0) {
            sim->stopped_mono_us = sim->clock.now_mono_us;
            totals.stops++;
        } else if (hostile_is_halted(&sim->hostile) ||
                   (sim->outage_all && sim->clock.now_mono_us < sim->outage_mono_us)) {
            sim->stopped_mono_us = sim->clock.now_mono_us; /* nothing can be closed */
        }
        bool flat = paper->book.position_count == 0 && paper->book.open_count == 0;
        if (s->verified_flat && !flat) {
            return fail(sim, "verified flat, but the venue is not flat");
        }
        if (s->verified_flat) {
            sim->stopped_mono_us = sim->clock.now_mono_us;
        } else if (sim->clock.now_mono_us - sim->stopped_mono_us > FLAT_WITHIN_US) {
            return fail(sim, "still not flat after an emergency stop: %d positions, %d orders",
                        s->position_count, (int)s->open_orders);
        }
    }
    totals.unknown += s->unknown_orders > 0;
    return true;
}

/* Each event of the account was booked exactly once. */
static bool check_events(struct sim *sim)
{
    const struct engine_state *state = engine_state(driver_engine(sim->driver));
    const struct events *events = &sim->hostile.events;
    int64_t payments = paper_now(sim)->book.next_funding_id - 1;
    if (state->last_funding_id != events->count || events_last_payment(events) != payments) {
        return fail(sim, "%lld of %lld events are booked", (long long)state->last_funding_id,
                    (long long)events->count);
    }
    if (!events_check(events, sim->store, sim->what, sizeof(sim->what))) {
        return false;
    }
    totals.payments += payments;
    for (int64_t i = 0; i < events->count; i++) {
        enum venue_event event = events->list[i].event;
        totals.transfers += event == VENUE_EVENT_TRANSFER;
        totals.margin_calls += event == VENUE_EVENT_MARGIN_CALL;
        totals.liquidations += event == VENUE_EVENT_LIQUIDATION;
        totals.closed += event == VENUE_EVENT_DELEVERAGING || event == VENUE_EVENT_FORCED_CLOSE;
    }
    return true;
}

/* Our positions are those of the venue. */
static bool check_positions(struct sim *sim)
{
    const struct paper_book *book = &paper_now(sim)->book;
    int count;
    const struct position *positions = engine_positions(driver_engine(sim->driver), &count);
    int ours = 0;
    for (int i = 0; i < count; i++) {
        const struct position *p = &positions[i];
        int index = paper_book_find(book, p->symbol);
        ours += p->client_id[0] != '\0';
        if (p->client_id[0] != '\0' && (index < 0 || book->positions[index].side != p->side ||
                                        dec_cmp(book->positions[index].qty, p->qty) != 0)) {
            return fail(sim, "the position %s is not the venue's", p->symbol.name);
        }
    }
    return ours == book->position_count ||
           fail(sim, "we hold %d positions, the venue %d", ours, book->position_count);
}

/* Once faults have stopped and nothing is under way, engine and venue must agree exactly. */
static bool check_end(struct sim *sim)
{
    struct err err = {0};
    const struct engine *engine = driver_engine(sim->driver);
    const struct paper *paper = paper_now(sim);
    const struct snapshot *s = driver_snapshot(sim->driver);
    const struct engine_state *state = engine_state(engine);
    if (s->state == TRADING_STARTING) {
        return fail(sim, "not reconciled at the end: %s", s->state_reason);
    }
    if (s->state == TRADING_EMERGENCY && !s->verified_flat) {
        return fail(sim, "not flat at the end");
    }
    if (s->unknown_orders > 0) {
        return fail(sim, "%llu orders unknown at the end", (unsigned long long)s->unknown_orders);
    }
    /* The profit from closing foreign positions is only in our books: the paper venue has no
     * account for their owner. */
    struct dec cash = dec_sub(dec_add(paper->book.cash, sim->hostile.foreign_profit),
                              events_transferred(&sim->hostile.events));
    if (s->open_orders == 0 && paper->report_count == 0 && hostile_quiet(&sim->hostile) &&
        dec_cmp(state->cash, cash) != 0) {
        char ours[DEC_TEXT_SIZE];
        char theirs[DEC_TEXT_SIZE];
        return fail(sim, "cash is %s, the venue has %s", dec_text(state->cash, ours),
                    dec_text(cash, theirs));
    }
    if (!check_events(sim) || !check_positions(sim)) {
        return false;
    }
    int64_t fills = 0;
    struct dec fees = DEC_ZERO;
    if (fill_table_sum(sim->store, &fills, &fees, &err) < 0 || fills != state->fills ||
        dec_cmp(dec_add(fees, events_fees(&sim->hostile.events)), state->fees) != 0) {
        return fail(sim, "%lld fills on disk, the counter is %lld", (long long)fills,
                    (long long)state->fills);
    }
    /* Profit of closed trades, minus the fees of open positions and funding, equals realised,
     * except for what the average price of several fills cannot represent: less than a unit per
     * coin of each fill. */
    struct dec pnl = dec_neg(state->funding);
    int64_t left_over = 0;
    static struct trade trades[TRADES_LIMIT];
    int count = trade_table_list(sim->store, &(struct trade_query){0}, trades, TRADES_LIMIT, &err);
    for (int i = 0; i < count; i++) {
        pnl = dec_add(pnl, trades[i].pnl);
        left_over += 4 * (trades[i].qty.e8 / DEC_ONE + 1);
    }
    int held;
    const struct position *positions = engine_positions(engine, &held);
    for (int i = 0; i < held; i++) {
        pnl = dec_sub(pnl, positions[i].fees);
        left_over += 4 * (positions[i].qty.e8 / DEC_ONE + 1);
    }
    if (count < 0 || count != state->trades ||
        dec_cmp(dec_abs(dec_sub(pnl, state->realised)), (struct dec){left_over}) > 0) {
        return fail(sim, "%d trades do not add up to the realised profit", count);
    }
    totals.trades += count;
    totals.crashes += sim->crashes;
    totals.refused += state->refused_candles;
    totals.partials += sim->hostile.partials;
    totals.outdated += sim->hostile.outdated;
    totals.amendments += sim->hostile.amendments;
    totals.halts += sim->hostile.halts;
    totals.gaps += sim->hostile.gaps;
    totals.foreigners += sim->hostile.foreigners;
    totals.foreign_closed += sim->hostile.foreign_closed;
    totals.paged += sim->hostile.paged;
    totals.found_later += sim->hostile.found_later;
    totals.bans += sim->hostile.bans;
    totals.holds += sim->hostile.holds;
    totals.closings += sim->hostile.closings;
    totals.bare += !sim->hostile.can.brackets;
    return true;
}

/* ---------------------------------------------------------------- one seed */

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
        save_memory(sim, &sim->known);
        bool full = sim->clock.now_mono_us < sim->outage_mono_us;
        int64_t wait_us = driver_round(sim->driver);
        receive(sim);
        totals.outage_trades += full && s->trades > sim->before->trades;
        if (sim->hostile.dead) {
            return crash(sim);
        }
        if (!check_round(sim, halted)) {
            return false;
        }
        if (wait_us > 0) {
            break;
        }
    }
    return true;
}

static void settings_init(struct settings *s, uint64_t seed)
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
        struct instrument rules = price_rules;
        rules.symbol = sim->settings.symbols[rng_below(&sim->rule_rng, 3)];
        rules.min_notional = venue.paper.min_notional;
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
        (void)hostile_happen(&sim->hostile, events[rng_below(&sim->event_rng, COUNT_OF(events))],
                             &sim->event_rng);
    }
}

static bool run(struct sim *sim)
{
    start(sim);
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
        if (rng_chance(&sim->rng, 0.002)) {
            shared_halt(&sim->shared);
        }
        if (rng_chance(&sim->rng, 0.004)) {
            sim->hostile.dead = true; /* between two rounds */
        }
        if (sim->clock.now_mono_us >= sim->outage_mono_us && rng_chance(&sim->disk_rng, 0.004)) {
            sim->outage_mono_us =
                sim->clock.now_mono_us + (int64_t)rng_below(&sim->disk_rng, 30) * USEC_PER_SEC;
            sim->outage_all = rng_chance(&sim->disk_rng, 0.1);
            totals.outages++;
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
    return check_end(sim);
}

static bool run_seed(uint64_t seed, char *ret_what, size_t what_size)
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
    settings_init(&sim->settings, seed);
    ASSERT(trading_store_open(":memory:", TRADING_STORE_WRITE, &sim->store, &err) >= 0);
    sim->before = snapshot_new(CAPACITY_MIN);
    hostile_init(&sim->hostile, &sim->rng, sim->store, &sim->clock);
    sim->hostile.settings = &sim->settings;
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

static bool passes(int64_t seed)
{
    char what[256];
    bool ok = run_seed((uint64_t)seed, what, sizeof(what));
    if (!ok) {
        printf("not ok - seed %lld: %s\n", (long long)seed, what);
    }
    return ok;
}

/* A line is a seed, and after a space its description; or a comment after #. Returns how many
 * passed; -1: one failed, or the list cannot be read. */
static int64_t replay_list(const char *path)
{
    FILE *list = fopen(path, "re");
    char line[256];
    int64_t count = 0;
    while (list != NULL && count >= 0 && fgets(line, sizeof(line), list) != NULL) {
        int64_t seed;
        struct str digits = {line, strspn(line, "0123456789")};
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        if (!str_to_i64(digits, &seed)) {
            printf("not ok - %s: no seed in %s", path, line);
            count = -1;
        } else {
            count = passes(seed) ? count + 1 : -1;
        }
    }
    if (list == NULL) {
        printf("not ok - %s cannot be read\n", path);
        return -1;
    }
    (void)fclose(list);
    return count;
}

int main(int argc, char **argv)
{
    int64_t seeds = 500;
    int64_t first = 1;
    const char *list = NULL;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        bool known = (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
                      str_to_i64(str_c(argv[i + 1]), &seeds)) ||
                     (strcmp(argv[i], "--seed") == 0 && i + 1 < argc &&
                      str_to_i64(str_c(argv[i + 1]), &first));
        if (known) {
            i++;
        } else if (strcmp(argv[i], "--list") == 0 && i + 1 < argc) {
            list = argv[++i];
        } else if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else {
            (void)fprintf(stderr,
                          "usage: sim [--seeds N] [--seed FIRST] [--list FILE] [--verbose]\n");
            return 2;
        }
    }
    log_set_sink(verbose ? NULL : silent,
                 NULL); /* the faults are intended, so log only on request */
    int64_t listed = list == NULL ? 0 : replay_list(list);
    if (listed < 0) {
        return 1;
    }
    for (int64_t i = 0; i < seeds; i++) {
        if (!passes(first + i)) {
            return 1;
        }
    }
    const struct {
        const char *what;
        int64_t count;
    } happened[] = {{"trades", totals.trades},
                    {"crashes", totals.crashes},
                    {"disk outages", totals.outages},
                    {"crashes during an outage", totals.outage_crashes},
                    {"positions closed during an outage", totals.outage_trades},
                    {"emergency stops", totals.stops},
                    {"rounds with unknown orders", totals.unknown},
                    {"candles refused", totals.refused},
                    {"partial fills", totals.partials},
                    {"outdated reports", totals.outdated},
                    {"funding payments", totals.payments},
                    {"amendments requested", totals.amendments},
                    {"brackets changed", totals.amended},
                    {"halts of the venue", totals.halts},
                    {"price gaps", totals.gaps},
                    {"foreign positions", totals.foreigners},
                    {"foreign positions closed", totals.foreign_closed},
                    {"listings in pages", totals.paged},
                    {"orders found later", totals.found_later},
                    {"bans", totals.bans},
                    {"limits nearly used up", totals.holds},
                    {"symbols that did not trade", totals.closings},
                    {"venues without brackets", totals.bare},
                    {"transfers", totals.transfers},
                    {"margin calls", totals.margin_calls},
                    {"liquidations", totals.liquidations},
                    {"positions closed by the venue", totals.closed}};
    for (size_t i = 0; i < COUNT_OF(happened); i++) {
        printf("# %lld %s\n", (long long)happened[i].count, happened[i].what);
        if (seeds >= 50 && happened[i].count == 0) {
            printf("not ok - a simulation without %s proves nothing\n", happened[i].what);
            return 1;
        }
    }
    printf("ok 1 - sim %lld seeds, %lld of the list\n", (long long)seeds, (long long)listed);
    return 0;
}
