/*
 * The backtest compared with the live driver, and with different future candles.
 */
#include "base/check.h"
#include "base/log.h"
#include "engine/backtest.h"
#include "io/file.h"
#include "market/coarse.h"
#include "market/csv_source.h"
#include "rigs/driver_rig.h"
#include "store/trade_table.h"
#include "unit/unit.h"

#include <stdlib.h>

#define TRADES_MAX 4096

/* Minutes of a run, and the trades it must have: less under a sanitizer, which looks at memory. */
#define DAYS(n)     ((n)*24 * 60 / (UNIT_SANITIZED ? 4 : 1))
#define AT_LEAST(n) ((n) / (UNIT_SANITIZED ? 5 : 1))

static struct trade paper_trades[TRADES_MAX], test_trades[TRADES_MAX];
static int test_count;

static void keep_trade(const struct trade *trade, void *userdata)
{
    (void)userdata;
    assert_true(test_count < TRADES_MAX);
    test_trades[test_count++] = *trade;
}

/* The caller frees it. */
static struct backtest *run(const struct settings *settings, struct source *source, int64_t from_us,
                            int64_t to_us)
{
    struct err err = {0};
    test_count = 0;
    struct backtest *b = backtest_new(&(struct backtest_options){.settings = settings,
                                                                 .venue = &driver_rig_venue,
                                                                 .source = source,
                                                                 .from_us = from_us,
                                                                 .to_us = to_us,
                                                                 .on_trade = keep_trade});
    if (backtest_run(b, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return b;
}

static void same_dec(struct dec a, struct dec b)
{
    assert_int_equal(a.e8, b.e8);
}

/* Oldest first, all of them. */
static int read_paper_trades(struct driver_rig *rig)
{
    struct err err = {0};
    int count = 0;
    for (int got = 1; got > 0; count += got) {
        got = trade_table_list(rig->store, &(struct trade_query){.offset = (size_t)count},
                               &paper_trades[count], (size_t)(TRADES_MAX - count), &err);
        assert_true(got >= 0 && count < TRADES_MAX);
    }
    for (int i = 0; i < count / 2; i++) {
        struct trade t = paper_trades[i];
        paper_trades[i] = paper_trades[count - 1 - i];
        paper_trades[count - 1 - i] = t;
    }
    return count;
}

static void same_trade(const struct trade *a, const struct trade *b)
{
    assert_int_equal(a->id, b->id);
    assert_string_equal(a->symbol.name, b->symbol.name);
    assert_int_equal(a->side, b->side);
    same_dec(a->qty, b->qty);
    same_dec(a->entry_price, b->entry_price);
    same_dec(a->exit_price, b->exit_price);
    same_dec(a->pnl, b->pnl);
    same_dec(a->fees, b->fees);
    assert_int_equal(a->opened_us, b->opened_us);
    assert_int_equal(a->closed_us, b->closed_us);
    assert_int_equal(a->decision_id, b->decision_id);
    assert_string_equal(a->exit_reason, b->exit_reason);
    assert_string_equal(a->client_id, b->client_id);
}

static void same_account(struct driver_rig *rig, const struct backtest *b, int least)
{
    const struct snapshot *paper = driver_rig_snapshot(rig);
    const struct snapshot *test = backtest_result(b)->snapshot;
    int count = read_paper_trades(rig);
    assert_int_equal(count, test_count);
    assert_true(count >= least);
    for (int i = 0; i < count; i++) {
        same_trade(&paper_trades[i], &test_trades[i]);
    }
    same_dec(paper->equity, test->equity);
    same_dec(paper->equity, backtest_result(b)->performance.equity);
    same_dec(paper->cash, test->cash);
    same_dec(paper->fees, test->fees);
    same_dec(paper->funding, test->funding);
    same_dec(paper->equity_peak, test->equity_peak);
    assert_int_equal(paper->state, test->state);
    assert_int_equal(paper->candles, test->candles);
    assert_int_equal(paper->decisions, test->decisions);
    assert_int_equal(paper->orders, test->orders);
    assert_int_equal(paper->fills, test->fills);
    assert_int_equal(paper->vetoes, test->vetoes);
    assert_int_equal(paper->position_count, test->position_count);
    assert_true(paper->books_balance && test->books_balance);
}

/* Compares paper trading, with its database, with a backtest of the same candles. */
static void compare(const struct settings *settings, int64_t minutes, int least)
{
    struct driver_rig rig;
    driver_rig_open(&rig, settings);
    int64_t from_us = rig.clock.now_wall_us - rig.clock.now_wall_us % USEC_PER_HOUR;
    driver_rig_run(&rig, minutes);
    struct simulated market;
    simulated_init(&market, rig.settings.seed, rig.settings.symbols, rig.settings.symbol_count,
                   from_us - DRIVER_WARM_UP_MIN * USEC_PER_MIN);
    int64_t to_us = driver_rig_snapshot(&rig)->markets[0].updated_us;
    struct backtest *b = run(&rig.settings, &market.source, from_us, to_us);
    same_account(&rig, b, least);
    assert_int_equal(backtest_result(b)->warm_up_candles,
                     DRIVER_WARM_UP_MIN * rig.settings.symbol_count);
    backtest_free(b);
    driver_rig_close(&rig);
}

static void a_backtest_matches_paper_trading(void **state)
{
    (void)state;
    struct settings settings;
    driver_rig_settings(&settings);
    compare(&settings, DAYS(21), AT_LEAST(20));
}

/* A thin book, delayed orders, rejected entries, limits that trip: everything that can happen
 * between a decision and its fill. */
static void a_backtest_matches_paper_trading_in_a_hard_market(void **state)
{
    (void)state;
    struct settings settings;
    driver_rig_settings(&settings);
    driver_rig_venue.paper.depth = dec_from_int(150);
    driver_rig_venue.paper.latency_us = 90 * USEC_PER_SEC;
    driver_rig_venue.paper.reject_pct = 20;
    driver_rig_venue.paper.spread_bps = 20;
    settings.max_daily_loss_pct = 0.5;
    settings.cooldown_us = 0;
    compare(&settings, DAYS(10), AT_LEAST(20));
    /* Delayed so long that the venue is asked about orders and entries are cancelled before they
     * arrive. */
    driver_rig_venue.paper.latency_us = 45 * USEC_PER_MIN;
    driver_rig_venue.paper.reject_pct = 0;
    driver_rig_venue.paper.depth = dec_from_int(5000);
    compare(&settings, DAYS(20), AT_LEAST(10));
}

#define CSV_MINUTES 20000

static void write_csv(const char *path)
{
    struct symbol symbol;
    struct simulated market;
    AUTO_BUF struct buf text = BUF_INIT((size_t)8 << 20);
    assert_true(symbol_parse(STR_LIT("BTC-USD"), &symbol));
    simulated_init(&market, 11, &symbol, 1, INT64_C(1640995200000000));
    buf_add_c(&text, "timestamp,open,high,low,close,volume\n");
    for (int i = 0; i < CSV_MINUTES; i++) {
        struct source_bar bars[SYMBOLS_LIMIT];
        int64_t open_us = source_next_us(&market.source) - USEC_PER_MIN;
        assert_int_equal(source_next(&market.source, bars), 1);
        if (i % 997 == 500) {
            continue; /* a missing candle */
        }
        const struct candle *c = &bars[0].candle;
        const struct dec cells[] = {c->open, c->high, c->low, c->close, c->volume};
        buf_addf(&text, "%lld", (long long)(open_us / USEC_PER_SEC));
        for (size_t k = 0; k < COUNT_OF(cells); k++) {
            buf_add_char(&text, ',');
            dec_add_text(&text, cells[k]);
        }
        buf_add_char(&text, '\n');
    }
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
}

/* The same with CSV files: the daemon on a recorded market, which has no warm-up. */
static void a_backtest_matches_a_recorded_market(void **state)
{
    (void)state;
    char folder[] = "/var/tmp/nd-backtest.XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/candles.csv", folder);
    write_csv(path);
    struct driver_rig rig;
    struct settings settings;
    driver_rig_settings(&settings);
    settings.symbol_count = 1;
    settings.market_source = MARKET_CSV;
    settings.market_file_count = 1;
    settings.market_files[0].symbol = settings.symbols[0];
    settings.market_files[0].path = path;
    driver_rig_open(&rig, &settings);
    driver_rig_run(&rig, CSV_MINUTES + 10);

    struct csv_source files;
    struct csv_source_file file = {.symbol = settings.symbols[0], .path = path};
    struct err err = {0};
    assert_int_equal(csv_source_init(&files, &file, 1, &err), 0);
    struct backtest *b = run(&settings, &files.source, 0, 0);
    same_account(&rig, b, 5);
    assert_int_equal(backtest_result(b)->candles, CSV_MINUTES - CSV_MINUTES / 997);
    assert_int_equal(csv_source_report(&files, 0).missing, CSV_MINUTES / 997);
    backtest_free(b);
    csv_source_release(&files);
    driver_rig_close(&rig);
    (void)remove(path);
    (void)remove(folder);
}

/* One market up to a moment, and a different one after it. */
struct forked {
    struct source source;
    struct simulated one;
    struct simulated other;
    int64_t fork_us;
};

static int64_t forked_next(const struct source *source)
{
    return source_next_us(&((const struct forked *)(const void *)source)->one.source);
}

static int forked_bars(struct source *source, struct source_bar ret[SYMBOLS_LIMIT])
{
    struct forked *f = (struct forked *)(void *)source;
    struct source_bar others[SYMBOLS_LIMIT];
    int count = source_next(&f->one.source, ret);
    (void)source_next(&f->other.source, others);
    if (ret[0].candle.open_us >= f->fork_us) {
        memcpy(ret, others, (size_t)count * sizeof(others[0]));
    }
    return count;
}

static const struct source_ops forked_ops = {
    .name = "forked", .next_us = forked_next, .next = forked_bars};

static void forked_init(struct forked *f, const struct settings *s, uint64_t other, int64_t fork_us)
{
    *f = (struct forked){.source = {.ops = &forked_ops, .step_us = USEC_PER_MIN},
                         .fork_us = fork_us};
    simulated_init(&f->one, 7, s->symbols, s->symbol_count, 0);
    simulated_init(&f->other, other, s->symbols, s->symbol_count, 0);
}

/* No trade closed before a moment depends on the candles after it. */
static void no_trade_depends_on_later_candles(void **state)
{
    (void)state;
    struct settings settings;
    driver_rig_settings(&settings);
    int64_t to_us = 16 * USEC_PER_DAY;
    static struct trade before[TRADES_MAX];
    for (int64_t fork_us = 6 * USEC_PER_DAY; fork_us < to_us;
         fork_us += (UNIT_SANITIZED ? 5 : 1) * 5 * USEC_PER_DAY / 2 + 1) {
        struct forked market;
        forked_init(&market, &settings, 7, fork_us);
        backtest_free(run(&settings, &market.source, 3 * USEC_PER_DAY, to_us));
        int whole = test_count;
        int count = 0;
        while (count < whole && test_trades[count].closed_us <= fork_us) {
            before[count] = test_trades[count];
            count++;
        }
        assert_true(count > 0);

        forked_init(&market, &settings, 8, fork_us);
        backtest_free(run(&settings, &market.source, 3 * USEC_PER_DAY, to_us));
        assert_true(test_count >= count);
        for (int i = 0; i < count; i++) {
            same_trade(&before[i], &test_trades[i]);
        }
        assert_true(test_count == count || test_trades[count].closed_us > fork_us);
    }
}

/* Without spread and depth, the entry price is the open of the bar after the decision. */
static void entries_fill_at_the_next_open(void **state)
{
    (void)state;
    struct settings settings;
    struct simulated market;
    struct source_bar bars[SYMBOLS_LIMIT];
    driver_rig_settings(&settings);
    driver_rig_venue.paper.spread_bps = 0;
    driver_rig_venue.paper.level_bps = 0;
    driver_rig_venue.paper.depth = DEC_ZERO;
    driver_rig_venue.paper.tick_digits = 0;
    simulated_init(&market, 7, settings.symbols, settings.symbol_count, 0);
    backtest_free(run(&settings, &market.source, 3 * USEC_PER_DAY, 10 * USEC_PER_DAY));
    assert_true(test_count > 10);
    int found = 0;
    simulated_init(&market, 7, settings.symbols, settings.symbol_count, 0);
    while (source_next_us(&market.source) <= 10 * USEC_PER_DAY) {
        int count = source_next(&market.source, bars);
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < test_count; j++) {
                if (symbol_equal(test_trades[j].symbol, bars[i].symbol) &&
                    test_trades[j].opened_us == bars[i].candle.open_us) {
                    same_dec(test_trades[j].entry_price, bars[i].candle.open);
                    /* Decisions are made at the end of each five-minute bar. */
                    assert_int_equal(test_trades[j].opened_us % (5 * USEC_PER_MIN), 0);
                    found++;
                }
            }
        }
    }
    assert_int_equal(found, test_count);
}

static void a_long_run_keeps_a_bounded_curve(void **state)
{
    (void)state;
    struct settings settings;
    struct simulated market;
    driver_rig_settings(&settings);
    settings.max_drawdown_pct = 100; /* never trips */
    simulated_init(&market, 3, settings.symbols, settings.symbol_count, 0);
    struct backtest *b = run(&settings, &market.source, 3 * USEC_PER_DAY, 60 * USEC_PER_DAY);
    const struct backtest_result *r = backtest_result(b);
    assert_true(r->point_count > BACKTEST_CURVE_MAX / 2 - 1 &&
                r->point_count <= BACKTEST_CURVE_MAX);
    double deepest = 0;
    for (int i = 0; i < r->point_count; i++) {
        assert_true(i == 0 || r->points[i].at_us > r->points[i - 1].at_us);
        deepest = r->points[i].drawdown_pct > deepest ? r->points[i].drawdown_pct : deepest;
    }
    /* Merged points keep the deepest drawdown. */
    double expected =
        100 * r->performance.drawdown; /* divided in another order, so the last bit may differ */
    assert_true(deepest > expected * (1 - 1e-12) && deepest < expected * (1 + 1e-12));
    assert_int_equal(r->points[r->point_count - 1].at_us, r->end_us);
    assert_int_equal(r->end_us, 60 * USEC_PER_DAY);
    assert_int_equal(r->candles, 57 * 24 * 60 * settings.symbol_count);
    assert_int_equal(r->performance.all.trades, test_count);
    assert_true(r->mark_count <= BACKTEST_MARKS_MAX);
    int64_t marked = (test_count + r->mark_every - 1) / r->mark_every;
    assert_int_equal(r->mark_count, marked);
    for (int i = 0; i < r->mark_count; i++) {
        assert_int_equal(r->marks[i].closed_us, test_trades[i * r->mark_every].closed_us);
    }
    backtest_free(b);
}

/* Each breakdown contains every trade, and its parts sum to the whole. */
static void breakdowns_add_up(void **state)
{
    (void)state;
    struct settings settings;
    struct simulated market;
    driver_rig_settings(&settings);
    simulated_init(&market, 5, settings.symbols, settings.symbol_count, 0);
    struct backtest *b = run(&settings, &market.source, 3 * USEC_PER_DAY, 40 * USEC_PER_DAY);
    const struct performance *p = &backtest_result(b)->performance;
    const struct {
        const struct performance_group *groups;
        int count;
    } sets[] = {{p->sides, 2},
                {p->symbols, SYMBOLS_LIMIT},
                {p->regimes, 3},
                {p->hours_of_entry, 24},
                {p->reasons, PERFORMANCE_REASONS_MAX}};
    assert_true(p->all.trades > 20 && p->all.wins > 0 && p->all.wins < p->all.trades);
    for (size_t s = 0; s < COUNT_OF(sets); s++) {
        struct performance_group sum = {0};
        for (int i = 0; i < sets[s].count; i++) {
            sum.trades += sets[s].groups[i].trades;
            sum.wins += sets[s].groups[i].wins;
            sum.pnl = dec_add(sum.pnl, sets[s].groups[i].pnl);
        }
        assert_int_equal(sum.trades, p->all.trades);
        assert_int_equal(sum.wins, p->all.wins);
        same_dec(sum.pnl, p->all.pnl);
    }
    /* At least one agent voted for each entry. */
    int64_t most = 0;
    for (int i = 0; i < VOTES_MAX; i++) {
        most = p->agents[i].trades > most ? p->agents[i].trades : most;
    }
    assert_true(most > 0 && most <= p->all.trades);
    backtest_free(b);
}

static int progress_calls;

static void count_progress(int64_t market_us, int64_t candles, void *userdata)
{
    assert_ptr_equal(userdata, &progress_calls);
    assert_true(market_us > 0 && candles >= 0);
    progress_calls++;
}

/* Longer candles with their own decision frame; candles older than the warm-up are skipped. */
static void longer_candles_are_traded_too(void **state)
{
    (void)state;
    struct settings settings;
    struct simulated market;
    struct coarse coarse;
    driver_rig_settings(&settings);
    simulated_init(&market, 9, settings.symbols, settings.symbol_count, 0);
    coarse_init(&coarse, &market.source, 15 * USEC_PER_MIN);
    progress_calls = 0;
    struct backtest *b = backtest_new(&(struct backtest_options){.settings = &settings,
                                                                 .venue = &driver_rig_venue,
                                                                 .source = &coarse.source,
                                                                 .from_us = 180 * USEC_PER_DAY,
                                                                 .to_us = 200 * USEC_PER_DAY,
                                                                 .on_candles = count_progress,
                                                                 .userdata = &progress_calls});
    assert_int_equal(backtest_run(b, NULL), 0);
    const struct backtest_result *r = backtest_result(b);
    assert_int_equal(r->candles, 20 * 96 * settings.symbol_count);
    assert_int_equal(r->snapshot->decisions, r->candles);
    assert_int_equal(r->warm_up_candles, DRIVER_WARM_UP_MIN / 15 * settings.symbol_count);
    assert_true(r->performance.all.trades > 10);
    assert_true(progress_calls == 200 * 96 / BACKTEST_REPORT_EVERY);
    backtest_free(b);
}

static void a_backtest_without_candles_fails(void **state)
{
    (void)state;
    struct settings settings;
    struct err err = {0};
    struct forked market;
    driver_rig_settings(&settings);
    const struct {
        int64_t from_us, to_us;
        const char *says;
    } rows[] = {{0, 1, "no candle before --to"},
                {USEC_PER_DAY, USEC_PER_DAY, "candles at 1440 moments, all before --from"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        forked_init(&market, &settings, 7, 0);
        struct backtest *b = backtest_new(&(struct backtest_options){.settings = &settings,
                                                                     .venue = &driver_rig_venue,
                                                                     .source = &market.source,
                                                                     .from_us = rows[i].from_us,
                                                                     .to_us = rows[i].to_us});
        if (i == 0) {
            struct source_bar bars[SYMBOLS_LIMIT];
            (void)source_next(&market.source, bars); /* drops the candle of minute 0 */
        }
        assert_int_equal(backtest_run(b, &err), -ERR_ENGINE_BACKTEST_EMPTY);
        assert_string_equal(err.context, rows[i].says);
        backtest_free(b);
    }
    backtest_free(NULL);
}

UNIT_GROUP(backtest, cmocka_unit_test(a_backtest_matches_paper_trading),
           cmocka_unit_test(a_backtest_matches_paper_trading_in_a_hard_market),
           cmocka_unit_test(a_backtest_matches_a_recorded_market),
           cmocka_unit_test(longer_candles_are_traded_too),
           cmocka_unit_test(no_trade_depends_on_later_candles),
           cmocka_unit_test(entries_fill_at_the_next_open),
           cmocka_unit_test(a_long_run_keeps_a_bounded_curve), cmocka_unit_test(breakdowns_add_up),
           cmocka_unit_test(a_backtest_without_candles_fails))
