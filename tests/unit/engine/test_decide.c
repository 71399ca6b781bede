#include "base/auto.h"
#include "engine_rig.h"
#include "fakes/instant_venue.h"
#include "fakes/stump_model.h"
#include "io/file.h"
#include "rigs/driver_rig.h"
#include "risk/risk.h"
#include "store/decision_table.h"
#include "store/trade_table.h"
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REGIMES 3

/* Decisions so far, by regime. */
struct tally {
    int entries[REGIMES];
    int exits[REGIMES];
};

static struct engine_rig *engine_rig_in(uint64_t seed, enum climate climate)
{
    struct engine_rig *s = engine_rig_new(seed);
    simulated_pin(&s->market, climate);
    return s;
}

static const struct order *order_of(const struct engine_rig *s, const struct decision *d)
{
    for (int i = 0; i < s->out.order_count; i++) {
        if (strcmp(s->out.orders[i].client_id, d->client_id) == 0) {
            return &s->out.orders[i];
        }
    }
    static const struct order none;
    fail_msg("decision %d has no order", (int)d->id);
    return &none;
}

/* Size follows confidence, at the defaults too: that share of the largest position, or what the
 * limits leave of it, but at least half of it. */
static void check_size(const struct engine_rig *s, const struct decision *d)
{
    AUTO_FREE struct snapshot *snapshot = snapshot_new(3);
    engine_snapshot(s->engine, &s->now, snapshot);
    double equity = dec_to_double(snapshot->equity);
    double most = fabs(d->score) * equity * s->settings.max_position_pct / 100;
    double notional = dec_to_double(d->price) * dec_to_double(d->qty);
    double lot = dec_to_double(d->price) * dec_to_double(risk_lot(d->price));
    assert_true(notional <= most * (1 + 1e-9));
    assert_true(notional >= most / 2 - lot);
}

/* Invariants of any decision. */
static void check_decision(const struct engine_rig *s, const struct decision *d)
{
    assert_int_equal(d->vote_count, VOTES_MAX);
    assert_true(d->score >= -1 && d->score <= 1);
    for (int i = 0; i < d->vote_count; i++) {
        assert_true(d->votes[i].confidence >= 0 && d->votes[i].confidence <= 1.0005);
        assert_in_range(d->votes[i].reason_count, 0, REASONS_MAX);
    }
    bool wanted = d->score >= d->threshold || d->score <= -d->threshold;
    assert_int_equal(d->direction != DIRECTION_NONE, wanted);
    assert_true(wanted || d->outcome == OUTCOME_HOLD);
    assert_int_equal(d->client_id[0] != '\0', d->outcome == OUTCOME_ORDER);
    assert_int_equal(d->veto_code[0] != '\0', d->outcome == OUTCOME_VETOED);
    if (d->outcome != OUTCOME_ORDER) {
        return;
    }
    const struct order *o = order_of(s, d);
    assert_int_equal(o->decision_id, d->id);
    assert_int_equal(o->qty.e8, d->qty.e8);
    assert_int_equal(o->stop.e8, d->stop.e8);
    assert_int_equal(o->target.e8, d->target.e8);
    if (o->kind == ORDER_ENTRY) {
        assert_int_equal(o->side == SIDE_LONG, d->direction == DIRECTION_LONG);
        assert_true(o->stop.e8 > 0 && o->target.e8 > 0);
        int64_t away = labs(d->price.e8 - o->stop.e8);
        assert_true(labs(away - d->price.e8 / 50) <= 1); /* 2 % */
        check_size(s, d);
    } else {
        assert_int_equal(o->side == SIDE_LONG, d->direction == DIRECTION_SHORT);
    }
}

static void run(struct engine_rig *s, int minutes, struct tally *tally)
{
    for (int i = 0; i < minutes; i++) {
        engine_rig_step(s, NULL);
        for (int k = 0; k < s->out.decision_count; k++) {
            const struct decision *d = &s->out.decisions[k];
            check_decision(s, d);
            if (d->outcome == OUTCOME_ORDER) {
                bool is_entry = order_of(s, d)->kind == ORDER_ENTRY;
                (is_entry ? tally->entries : tally->exits)[d->regime]++;
            }
        }
    }
}

/* ---------------------------------------------------------------- it trades at the defaults */

/* Entries and signal exits occur in each regime, in each climate that has the regime for long
 * enough. */
static void each_regime_has_entries_and_exits(void **state)
{
    (void)state;
    static const enum climate climates[] = {CLIMATE_UP, CLIMATE_DOWN, CLIMATE_CHOP, CLIMATE_CRASH};
    int entries[REGIMES] = {0};
    int exits[REGIMES] = {0};
    for (size_t c = 0; c < 4; c++) {
        int here = 0, gone = 0;
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct engine_rig *s = engine_rig_in(seed, climates[c]);
            struct tally tally = {0};
            run(s, climates[c] == CLIMATE_CRASH ? 2400 : 5 * 1440, &tally);
            for (int r = 0; r < REGIMES; r++) {
                entries[r] += tally.entries[r];
                exits[r] += tally.exits[r];
                here += tally.entries[r];
                gone += tally.exits[r];
            }
            engine_rig_free(s);
        }
        print_message("%s: %d entries, %d exits by signal\n", simulated_climate_name(climates[c]),
                      here, gone);
        assert_true(here > 10);
        assert_true(gone > 5);
    }
    for (int r = 0; r < REGIMES; r++) {
        print_message("%s: %d entries, %d exits by signal\n", regime_name((enum regime)r),
                      entries[r], exits[r]);
        assert_true(entries[r] > 5);
        assert_true(exits[r] > 3);
    }
}

/* ---------------------------------------------------------------- decisions of one step */

/* Counts steps in which one symbol entered and this rule refused another. */
static int refused_beside(const struct engine_rig *s, const char *code)
{
    int entries = 0, refused = 0;
    for (int k = 0; k < s->out.decision_count; k++) {
        const struct decision *d = &s->out.decisions[k];
        entries += d->outcome == OUTCOME_ORDER && order_of(s, d)->kind == ORDER_ENTRY;
        refused += d->outcome == OUTCOME_VETOED && strcmp(d->veto_code, code) == 0;
    }
    if (entries > 0) {
        AUTO_FREE struct snapshot *snapshot = snapshot_new(3);
        engine_snapshot(s->engine, &s->now, snapshot);
        assert_true(snapshot->risk.exposure_pct <= s->settings.max_exposure_pct * (1 + 1e-9));
        assert_true(snapshot->position_count + entries <= s->settings.max_positions);
        assert_true(snapshot->risk.orders_lately <= s->settings.max_orders_per_minute);
    }
    return entries > 0 && refused > 0;
}

/* Three symbols decide in the same step: each decision sees the orders of those before it. */
static void decisions_of_a_step_share_the_limits(void **state)
{
    (void)state;
    static const char *const codes[] = {"RISK_MAX_POSITIONS", "RISK_TOTAL_EXPOSURE",
                                        "RISK_ORDER_RATE"};
    for (int c = 0; c < 3; c++) {
        int found = 0;
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct engine_rig *s = engine_rig_in(seed, CLIMATE_UP);
            s->settings.max_correlation = 1;
            s->settings.max_positions = c == 0 ? 1 : 3;
            s->settings.max_exposure_pct = c == 1 ? 1 : 75;
            s->settings.max_orders_per_minute = c == 2 ? 1 : 10;
            s->in.settings = &s->settings;
            for (int minute = 0; minute < 2 * 1440; minute++) {
                struct tally ignored = {0};
                run(s, 1, &ignored);
                found += refused_beside(s, codes[c]);
            }
            engine_rig_free(s);
        }
        assert_true(found > 0);
    }
}

static int positions_of(const struct engine_rig *s)
{
    AUTO_FREE struct snapshot *snapshot = snapshot_new(3);
    engine_snapshot(s->engine, &s->now, snapshot);
    return snapshot->position_count;
}

/* Settings that arrive while positions are open: nothing is closed for them, and the next entries
 * are held to them. */
static void a_tighter_limit_closes_nothing(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_in(2, CLIMATE_UP);
    struct tally tally = {0};
    s->settings.max_correlation = 1;
    s->in.settings = &s->settings;
    for (int minute = 0; minute < 5 * 1440 && positions_of(s) < 2; minute++) {
        run(s, 1, &tally);
    }
    int before = positions_of(s);
    assert_true(before >= 2);
    s->settings.max_positions = 1;
    s->settings.max_exposure_pct = 0.1;
    s->settings.max_position_pct = 0.1;
    s->settings.stop_pct = 0.1;
    engine_rig_step(s, &(struct request){.kind = REQUEST_RESUME, .id = s->next_request++});
    assert_int_equal(s->out.order_count, 0); /* the step that takes them closes nothing */
    engine_rig_step(s, NULL);
    assert_int_equal(positions_of(s), before);
    int vetoed = 0;
    for (int minute = 0; minute < 1440 && positions_of(s) >= 1; minute++) {
        engine_rig_step(s, NULL);
        for (int k = 0; k < s->out.decision_count; k++) {
            const struct decision *d = &s->out.decisions[k];
            assert_false(d->outcome == OUTCOME_ORDER && order_of(s, d)->kind == ORDER_ENTRY);
            vetoed += d->outcome == OUTCOME_VETOED;
        }
    }
    assert_true(vetoed > 0);
    engine_rig_free(s);
}

static void add_ways(enum climate climate, int64_t minutes, const char *const ways[2],
                     int64_t counts[2])
{
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_pin(&rig, climate);
    driver_rig_run(&rig, minutes);
    struct trade_stats stats;
    struct err err = {0};
    assert_int_equal(trade_table_stats(rig.store, 0, &stats, &err), 0);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < stats.reason_count; k++) {
            counts[i] += strcmp(stats.reasons[k].name, ways[i]) == 0 ? stats.reasons[k].count : 0;
        }
    }
    driver_rig_close(&rig);
}

/* The same over the paper venue: both brackets and signals end trades. */
static void stops_and_signals_end_trades(void **state)
{
    (void)state;
    static const char *const ways[] = {"stop", "signal"};
    int64_t counts[2] = {0};
    add_ways(CLIMATE_UP, 2 * 1440, ways, counts);
    add_ways(CLIMATE_CRASH, 1440, ways, counts);
    for (int i = 0; i < 2; i++) {
        print_message("%s: %d\n", ways[i], (int)counts[i]);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(counts[i] > 0);
    }
}

/* ---------------------------------------------------------------- data */

static void without_an_order_book_nothing_is_opened(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_in(3, CLIMATE_CHOP);
    int vetoes = 0;
    for (int i = 0; i < 1440; i++) {
        instant_venue_answer(s->engine, &s->out, &s->in, &s->fill_id);
        s->in.bar_count = source_next(&s->market.source, s->in.bars);
        s->now.market_us += USEC_PER_MIN;
        engine_step(s->engine, &s->now, &s->in, &s->out);
        assert_int_equal(s->out.send_count, 0);
        for (int k = 0; k < s->out.decision_count; k++) {
            const struct decision *d = &s->out.decisions[k];
            vetoes += d->outcome == OUTCOME_VETOED;
            assert_true(d->outcome != OUTCOME_VETOED || strcmp(d->veto_code, "DATA_INVALID") == 0);
        }
    }
    assert_true(vetoes > 3);
    engine_rig_free(s);
}

/* ---------------------------------------------------------------- the model */

/* How often the unused model was reported. */
static int count_model_faults(struct bus_reader *faults)
{
    int count = 0;
    struct bus_event raw;
    while (bus_read(faults, &raw, 1, NULL) == 1) {
        struct event e;
        memcpy(&e, &raw, sizeof(e));
        count += e.code == ERR_ENGINE_MODEL;
    }
    return count;
}

/* Within ten minutes of real time. */
static int votes_with(const char *model, int *ret_faults)
{
    struct driver_rig rig;
    struct settings settings;
    struct bus_reader faults;
    driver_rig_settings(&settings);
    (void)str_copy(str_c(model), settings.model, sizeof(settings.model));
    driver_rig_open(&rig, &settings);
    bus_reader_init(&faults, rig.shared.bus, TOPIC_FAULT);
    *ret_faults = 0;
    for (int i = 0; i < 10; i++) {
        driver_rig_run(&rig, 60);
        *ret_faults += count_model_faults(&faults);
    }
    static struct decision list[400];
    struct err err = {0};
    int count = decision_table_list(rig.store, &(struct decision_query){0}, list, 400, &err);
    int spoke = 0;
    for (int i = 0; i < count; i++) {
        assert_string_equal(list[i].votes[2].agent, "predict");
        spoke += list[i].votes[2].direction != DIRECTION_NONE;
    }
    assert_true(driver_rig_snapshot(&rig)->orders > 0);
    driver_rig_close(&rig);
    return spoke;
}

static void only_a_model_that_fits_votes(void **state)
{
    (void)state;
    char path[] = "/var/tmp/nd-stump.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    int said;
    AUTO_BUF struct buf text = BUF_INIT(8192);
    stump_model(1, -1, &text);
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
    assert_true(votes_with(path, &said) > 100);
    assert_int_equal(said, 0);
    assert_int_equal(votes_with("", &said), 0);
    assert_int_equal(said, 0);
    /* With a file that is no model, trading continues, and the fault is reported as long as it
     * lasts. */
    assert_int_equal(file_write(path, STR_LIT("{}"), 0600, NULL), 0);
    assert_int_equal(votes_with(path, &said), 0);
    assert_in_range(said, 9, 11);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(votes_with(path, &said), 0);
    assert_in_range(said, 9, 11);
}

/* Candles that were missed, once they are read: they move the indicators. */
static void on_bars_of_the_past_nothing_is_decided(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    engine_rig_step(s, NULL);
    int64_t decisions = engine_state(s->engine)->decisions;
    int64_t candles = engine_state(s->engine)->candles;
    s->in.late = true;
    for (int i = 0; i < 600; i++) {
        engine_rig_step(s, NULL);
        assert_int_equal(s->out.decision_count + s->out.send_count, 0);
    }
    assert_int_equal(engine_state(s->engine)->decisions, decisions);
    assert_true(engine_state(s->engine)->candles > candles + 500);
    s->in.late = false;
    for (int i = 0; i < 6; i++) {
        engine_rig_step(s, NULL);
    }
    assert_true(engine_state(s->engine)->decisions > decisions);
    engine_rig_free(s);
}

UNIT_GROUP(decide, cmocka_unit_test(on_bars_of_the_past_nothing_is_decided),
           cmocka_unit_test(each_regime_has_entries_and_exits),
           cmocka_unit_test(decisions_of_a_step_share_the_limits),
           cmocka_unit_test(a_tighter_limit_closes_nothing),
           cmocka_unit_test(stops_and_signals_end_trades),
           cmocka_unit_test(without_an_order_book_nothing_is_opened),
           cmocka_unit_test(only_a_model_that_fits_votes))
