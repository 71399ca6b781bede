#include "agents/agent.h"
#include "agents/execution.h"
#include "base/check.h"
#include "fakes/stump_model.h"
#include "io/file.h"
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START INT64_C(1790002800000000)

enum { DATA_SYNC, QUANT, PREDICT, BULL, BEAR, CORE, RISK, EXECUTION, AGENTS };

/* ---------------------------------------------------------------- a fake desk */

struct scene {
    struct series series;
    struct settings settings;
    struct quote quote;
    struct position held;
    struct decision decision;
    struct decision_context context;
    /* the port's answers, and the calls it received */
    struct dec size;
    bool passes;
    bool has_space;
    double bias;
    const char *rule_veto;
    int rules_asked, sizes_asked, audits_asked, orders_made;
    double confidence;
    struct order sent;
};

static void scene_rules(void *userdata, struct decision_context *context)
{
    struct scene *s = userdata;
    s->rules_asked++;
    context->bias = s->bias;
    context->decision->rule_ids[context->decision->rule_count++] = 7;
    if (s->rule_veto != NULL) {
        (void)str_copy(str_c(s->rule_veto), context->decision->veto_code,
                       sizeof(context->decision->veto_code));
    }
}

static struct dec scene_size(void *userdata, const struct decision_context *context,
                             double confidence)
{
    struct scene *s = userdata;
    assert_int_equal(context->order.kind, ORDER_ENTRY);
    s->sizes_asked++;
    s->confidence = confidence;
    return s->size;
}

static bool scene_audit(void *userdata, struct decision_context *context)
{
    struct scene *s = userdata;
    assert_int_equal(context->order.qty.e8, s->size.e8);
    s->audits_asked++;
    if (!s->passes) {
        struct decision *d = context->decision;
        (void)str_copy(STR_LIT("RISK_TEST"), d->veto_code, sizeof(d->veto_code));
        (void)str_copy(STR_LIT("refused by the test"), d->veto_text, sizeof(d->veto_text));
        d->veto_max_qty = dec_from_int(1);
    }
    return s->passes;
}

static bool scene_submit(void *userdata, struct decision_context *context)
{
    struct scene *s = userdata;
    if (s->has_space) {
        s->orders_made++;
        (void)str_copy(STR_LIT("nd-1-9"), context->order.client_id,
                       sizeof(context->order.client_id));
        s->sent = context->order;
    }
    return s->has_space;
}

static const struct decision_port port = {scene_rules, scene_size, scene_audit, scene_submit};

/* Flat minutes at the prices of `at`, a good order book, and a desk that accepts everything. */
static void scene_init(struct scene *s, int minutes, int64_t (*at)(int))
{
    memset(s, 0, sizeof(*s));
    /* Data of an earlier decision must not appear in the next. */
    memset(&s->decision, 0x5a, sizeof(s->decision));
    struct symbol symbol = {"BTC-USD"};
    series_init(&s->series, symbol, USEC_PER_MIN);
    for (int i = 0; i < minutes; i++) {
        struct dec p = dec_from_int(at(i));
        struct candle c = {START + i * USEC_PER_MIN, p, p, p, p, DEC_ZERO};
        unsigned closed;
        assert_int_equal(series_push(&s->series, &c, c.open_us + USEC_PER_MIN, &closed),
                         SERIES_ACCEPTED);
    }
    s->settings = (struct settings){.threshold = 0.25, .stop_pct = 2, .target_pct = 4};
    s->quote = (struct quote){.symbol = symbol,
                              .bid = dec_from_int(999),
                              .ask = dec_from_int(1000),
                              .bid_qty = dec_from_int(5),
                              .ask_qty = dec_from_int(4),
                              .at_us = s->series.updated_us};
    s->size = dec_from_int(3);
    s->passes = true;
    s->has_space = true;
    s->decision.id = 11;
    s->decision.symbol = symbol;
    s->decision.at_us = s->series.updated_us;
    s->decision.price = s->series.price;
    s->context = (struct decision_context){.series = &s->series,
                                           .settings = &s->settings,
                                           .quote = &s->quote,
                                           .now_us = s->series.updated_us,
                                           .port = &port,
                                           .userdata = s,
                                           .decision = &s->decision};
}

static int64_t flat(int i)
{
    (void)i;
    return 1000;
}

static int64_t rising(int i)
{
    return 1000000 + i * 10 - (i / 5 % 4 == 0) * 60; /* with setbacks, so the RSI is not 100 */
}

static int64_t straight_down(int i)
{
    return 1000000 - i * 100;
}

static int64_t straight_up(int i)
{
    return 1000000 + i * 100;
}

static int64_t wobbling(int i)
{
    return 100000 + (i / 5 % 2) * 10;
}

static void run_one(struct scene *s, int index, struct vote *ret)
{
    int count;
    const struct agent *agents = agent_table(&count);
    assert_int_equal(count, AGENTS);
    memset(ret, 0, sizeof(*ret));
    agents[index].run(&s->context, ret);
}

static void assert_near(double a, double b)
{
    if (fabs(a - b) > 1e-9) {
        fail_msg("%.12g is not %.12g", a, b);
    }
}

static const struct reason *reason_of(const struct vote *v, const char *indicator)
{
    for (int i = 0; i < v->reason_count; i++) {
        if (strcmp(v->reasons[i].indicator, indicator) == 0) {
            return &v->reasons[i];
        }
    }
    static const struct reason none;
    fail_msg("no reason %s", indicator);
    return &none;
}

/* ---------------------------------------------------------------- the table */

static void the_table_has_the_agents_in_order(void **state)
{
    (void)state;
    static const char *const names[AGENTS] = {
        "data_sync", "quant_analyst", "predict",    "bull",
        "bear",      "decision_core", "risk_audit", "execution",
    };
    int count;
    const struct agent *agents = agent_table(&count);
    assert_int_equal(count, AGENTS);
    for (int i = 0; i < AGENTS; i++) {
        assert_string_equal(agents[i].name, names[i]);
        assert_true(strlen(agents[i].help) > 10);
    }
}

static void all_agents_are_silent_without_data(void **state)
{
    (void)state;
    static struct scene s;
    scene_init(&s, 0, flat);
    s.settings.threshold = 1e-9;
    s.context.quote = NULL;
    agent_run_all(&s.context);
    assert_int_equal(s.decision.vote_count, AGENTS);
    for (int i = 0; i < AGENTS; i++) {
        assert_int_equal(s.decision.votes[i].direction, DIRECTION_NONE);
        assert_true(i == DATA_SYNC || !(s.decision.votes[i].confidence > 0));
    }
    assert_int_equal(s.decision.direction, DIRECTION_NONE);
    assert_int_equal(s.decision.outcome, OUTCOME_HOLD);
    assert_int_equal(s.decision.regime, REGIME_NEUTRAL);
    assert_true(s.decision.score >= 0 && s.decision.score <= 0);
    assert_int_equal(s.context.flaw, FLAW_COLD);
    assert_string_equal(s.decision.veto_text, "the indicators are not warm yet");
    assert_int_equal(s.rules_asked + s.sizes_asked + s.audits_asked + s.orders_made, 0);
    /* Nothing of the earlier decision is left. */
    assert_string_equal(s.decision.veto_code, "");
    assert_string_equal(s.decision.client_id, "");
    assert_int_equal(s.decision.qty.e8, 0);
    assert_int_equal(s.decision.rule_count, 0);
}

/* The RSI of a price that never moved is 0, which would mean oversold. */
static void a_price_that_does_not_move_gives_no_signal(void **state)
{
    (void)state;
    static struct scene s;
    scene_init(&s, 3000, flat);
    agent_run_all(&s.context);
    assert_int_equal(s.decision.direction, DIRECTION_NONE);
    assert_int_equal(s.decision.votes[BULL].reason_count, 0);
    assert_string_equal(s.decision.veto_text, "the price does not move");
}

/* ---------------------------------------------------------------- data_sync */

static enum flaw flaw_of(struct scene *s, double *ret_confidence)
{
    struct vote v;
    s->context.flaw = FLAW_NONE;
    run_one(s, DATA_SYNC, &v);
    assert_int_equal(v.direction, DIRECTION_NONE);
    *ret_confidence = v.confidence;
    return s->context.flaw;
}

static void full_data_gives_full_confidence(void **state)
{
    (void)state;
    static struct scene s;
    scene_init(&s, 200 * 60, rising);
    struct vote v;
    run_one(&s, DATA_SYNC, &v);
    assert_int_equal(s.context.flaw, FLAW_NONE);
    assert_near(v.confidence, 1);
    assert_int_equal(v.reason_count, REASONS_MAX);
    assert_near(reason_of(&v, "bars_5m")->value, 200);
    assert_near(reason_of(&v, "bars_15m")->value, 200);
    assert_near(reason_of(&v, "bars_1h")->value, 200);
    assert_near(reason_of(&v, "bars_1h")->threshold, 200);
    assert_near(reason_of(&v, "gaps")->value, 0);
    assert_near(reason_of(&v, "spread_pct")->value, 100.0 / 999);
    assert_near(reason_of(&v, "depth")->value, 4);

    static struct scene day;
    scene_init(&day, 24 * 60, rising);
    run_one(&day, DATA_SYNC, &v);
    assert_int_equal(day.context.flaw, FLAW_NONE);
    assert_near(v.confidence, 6.0 / 8 + (96 + 24) / 200.0 / 8);
}

static void each_data_flaw_is_detected(void **state)
{
    (void)state;
    static struct scene s;
    double confidence;
    scene_init(&s, 1000, rising);
    assert_int_equal(flaw_of(&s, &confidence), FLAW_NONE);

    s.context.now_us = s.series.updated_us + SERIES_STALE_US + 1;
    s.quote.at_us = s.context.now_us;
    assert_int_equal(flaw_of(&s, &confidence), FLAW_STALE);
    s.context.now_us = s.series.updated_us;
    s.quote.at_us = s.context.now_us - DECISION_QUOTE_MAX_AGE_US - 1;
    assert_int_equal(flaw_of(&s, &confidence), FLAW_OLD_QUOTE);
    s.quote.at_us = s.context.now_us - DECISION_QUOTE_MAX_AGE_US;
    assert_int_equal(flaw_of(&s, &confidence), FLAW_NONE);

    s.quote.bid = dec_from_int(1001);
    assert_int_equal(flaw_of(&s, &confidence), FLAW_BAD_QUOTE);
    s.quote.bid = DEC_ZERO;
    assert_int_equal(flaw_of(&s, &confidence), FLAW_BAD_QUOTE);
    s.quote.bid = dec_from_int(999);
    s.quote.ask = DEC_INVALID;
    assert_int_equal(flaw_of(&s, &confidence), FLAW_BAD_QUOTE);
    s.quote.ask = dec_from_int(1009);
    assert_int_equal(flaw_of(&s, &confidence), FLAW_WIDE);
    s.quote.ask = dec_from_int(1000);
    s.quote.bid_qty = DEC_ZERO;
    assert_int_equal(flaw_of(&s, &confidence), FLAW_THIN);
    s.quote.bid_qty = DEC_INVALID;
    assert_int_equal(flaw_of(&s, &confidence), FLAW_THIN);
    s.context.quote = NULL;
    assert_int_equal(flaw_of(&s, &confidence), FLAW_NO_QUOTE);

    scene_init(&s, 1000, rising);
    struct candle wrong = {s.series.updated_us, DEC_ZERO, DEC_ZERO, DEC_ZERO, DEC_ZERO, DEC_ZERO};
    unsigned closed;
    assert_int_equal(series_push(&s.series, &wrong, s.series.updated_us + USEC_PER_MIN, &closed),
                     SERIES_IMPOSSIBLE);
    assert_int_equal(flaw_of(&s, &confidence), FLAW_REFUSED);
    for (int f = FLAW_NONE; f <= FLAW_THIN; f++) {
        assert_true(strlen(flaw_text((enum flaw)f)) > 10);
    }
}

static void a_gap_is_counted_and_no_position_is_opened_after_it(void **state)
{
    (void)state;
    static struct scene s;
    scene_init(&s, 1000, rising);
    int64_t next_us = s.series.updated_us + 3 * timeframe_us(TF_5M); /* three bars are missing */
    double confidence;
    unsigned closed = 0;
    for (int i = 0; i < 10; i++) {
        struct dec p = dec_from_int(rising(1000 + i));
        struct candle c = {next_us + i * USEC_PER_MIN, p, p, p, p, DEC_ZERO};
        assert_int_equal(series_push(&s.series, &c, c.open_us + USEC_PER_MIN, &closed),
                         SERIES_ACCEPTED);
        s.context.now_us = s.quote.at_us = s.series.updated_us;
        if (i == 4 || i == 9) {
            assert_int_equal(flaw_of(&s, &confidence), i == 4 ? FLAW_GAP : FLAW_NONE);
            struct vote v;
            run_one(&s, DATA_SYNC, &v);
            assert_near(reason_of(&v, "gaps")->value, 3);
            assert_near(reason_of(&v, "gaps")->points, 0);
        }
    }
}

/* ---------------------------------------------------------------- quant_analyst */

static void the_analyst_reads_the_market(void **state)
{
    (void)state;
    static struct scene s;
    struct vote v;
    scene_init(&s, 3000, straight_down);
    run_one(&s, QUANT, &v);
    assert_true(s.context.is_warm);
    assert_int_equal(s.context.drift, -1);
    assert_int_equal(s.decision.regime, REGIME_TRENDING);
    assert_near(s.context.reading.rsi, 0);
    assert_near(reason_of(&v, "rsi14")->threshold, 30);
    assert_near(s.context.reading.close, (double)straight_down(2999));
    assert_true(s.context.reading.hour_width_pct > 4);
    assert_near(reason_of(&v, "width_1h_pct")->threshold, 4);
    assert_true(s.context.reading.bands.lower < s.context.reading.bands.upper);
    assert_near(reason_of(&v, "rsi14")->points,
                v.direction == DIRECTION_SHORT ? -1.0 / 3 : 1.0 / 3);

    scene_init(&s, 3000, straight_up);
    run_one(&s, QUANT, &v);
    assert_int_equal(s.context.drift, 1);
    assert_near(s.context.reading.rsi, 100);
    assert_near(reason_of(&v, "rsi14")->threshold, 70);

    scene_init(&s, 3000, wobbling);
    run_one(&s, QUANT, &v);
    assert_int_equal(s.decision.regime, REGIME_CHOPPY);
    assert_true(s.context.reading.hour_width_pct < 1);

    scene_init(&s, 300, rising); /* five hours: hourly bands are undefined */
    run_one(&s, QUANT, &v);
    assert_true(s.context.is_warm);
    assert_int_equal(s.decision.regime, REGIME_NEUTRAL);
    assert_near(s.context.reading.hour_width_pct, 0);
}

/* Hourly candles: the finer frames are never built, and not needed. */
static void hourly_candles_are_enough(void **state)
{
    (void)state;
    static struct scene s;
    scene_init(&s, 0, flat);
    series_init(&s.series, s.decision.symbol, USEC_PER_HOUR);
    for (int i = 0; i < 240; i++) {
        struct dec p = dec_from_int(1000 + i % 7 * (i % 3));
        struct candle c = {START + i * USEC_PER_HOUR, p, p, p, p, DEC_ZERO};
        unsigned closed;
        assert_int_equal(series_push(&s.series, &c, c.open_us + USEC_PER_HOUR, &closed),
                         SERIES_ACCEPTED);
    }
    s.context.now_us = s.quote.at_us = s.series.updated_us;
    struct vote v;
    run_one(&s, DATA_SYNC, &v);
    assert_int_equal(s.context.flaw, FLAW_NONE);
    assert_near(v.confidence, 1);
    assert_near(reason_of(&v, "bars_5m")->threshold, 0);
    assert_near(reason_of(&v, "bars_1h")->value, 200);
    run_one(&s, QUANT, &v);
    assert_true(s.context.is_warm);
    assert_near(s.context.reading.hour_width_pct, s.context.reading.bands.width_pct);
    assert_int_equal(s.decision.regime, REGIME_CHOPPY);
}

static void the_analysts_points_add_up(void **state)
{
    (void)state;
    static struct scene s;
    struct vote v;
    static int64_t (*const shapes[])(int) = {straight_down, straight_up, wobbling, rising};
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        for (int minutes = 1500; minutes < 1560; minutes += 5) {
            scene_init(&s, minutes, shapes[i]);
            run_one(&s, QUANT, &v);
            double sum = 0;
            for (int r = 0; r < v.reason_count; r++) {
                sum += v.reasons[r].points;
            }
            assert_near(sum, v.confidence);
            assert_true((v.direction == DIRECTION_NONE) == (v.confidence < 0.1));
        }
    }
}

/* ---------------------------------------------------------------- predict */

static void predict_is_neutral_without_a_model(void **state)
{
    (void)state;
    static struct scene s;
    struct vote v;
    scene_init(&s, 12000, rising);
    run_one(&s, PREDICT, &v);
    assert_int_equal(v.direction, DIRECTION_NONE);
    assert_near(v.confidence, 0);
    assert_int_equal(v.reason_count, 0);
}

static struct predictor *stump(double under, double over)
{
    char path[] = "/var/tmp/nd-stump.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    AUTO_BUF struct buf text = BUF_INIT(8192);
    stump_model(under, over, &text);
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
    struct predictor *p = NULL;
    struct err err = {0};
    int rc = predictor_load(path, &p, &err);
    (void)unlink(path);
    if (rc < 0) {
        fail_msg("%s", err.context);
    }
    return p;
}

static void predict_asks_its_model(void **state)
{
    (void)state;
    AUTO_PREDICTOR struct predictor *p = stump(1, -2); /* RSI under 50: up */
    static struct scene s;
    struct vote v;
    scene_init(&s, 3000, straight_down);
    s.context.predictor = p;
    run_one(&s, PREDICT, &v);
    double up = 1 / (1 + exp(-1));
    assert_int_equal(v.direction, DIRECTION_LONG);
    assert_true(fabs(v.confidence - 2 * (up - .5)) < 1e-6);
    assert_true(fabs(reason_of(&v, "p_up")->value - up) < 1e-6);
    assert_near(reason_of(&v, "p_up")->threshold, .5);
    assert_near(reason_of(&v, "p_up")->points, v.confidence);

    scene_init(&s, 3000, straight_up);
    s.context.predictor = p;
    run_one(&s, PREDICT, &v);
    up = 1 / (1 + exp(2));
    assert_int_equal(v.direction, DIRECTION_SHORT);
    assert_true(fabs(v.confidence - 2 * (.5 - up)) < 1e-6);

    scene_init(&s, 100, straight_up); /* no features yet */
    s.context.predictor = p;
    run_one(&s, PREDICT, &v);
    assert_int_equal(v.direction, DIRECTION_NONE);
    assert_int_equal(v.reason_count, 0);

    AUTO_PREDICTOR struct predictor *even = stump(0, 0);
    scene_init(&s, 3000, straight_up);
    s.context.predictor = even;
    run_one(&s, PREDICT, &v);
    assert_int_equal(v.direction, DIRECTION_NONE);
    assert_near(v.confidence, 0);

    /* Its vote counts in the score. */
    AUTO_PREDICTOR struct predictor *sure = stump(20, 20);
    scene_init(&s, 3000, wobbling);
    agent_run_all(&s.context);
    double without = s.decision.score;
    s.context.predictor = sure;
    agent_run_all(&s.context);
    assert_true(s.decision.score > without + .5 || s.decision.score > .999);

    /* Also when no other agent votes; an ordered entry has no veto text. */
    scene_init(&s, 3000, flat);
    s.context.predictor = sure;
    agent_run_all(&s.context);
    assert_int_equal(s.decision.direction, DIRECTION_LONG);
    assert_string_equal(s.decision.veto_text, "");
}

/* ---------------------------------------------------------------- bull and bear */

struct case_row {
    double rsi, macd, signal, close; /* bands at 90 and 110 */
    double bull, bear;               /* confidence */
    enum direction bull_says, bear_says;
};

static void bull_and_bear_get_points_for_each_sign(void **state)
{
    (void)state;
    static const struct case_row rows[] = {
        /* no sign */
        {50, 0, 0, 100, 0, 0, DIRECTION_NONE, DIRECTION_NONE},
        /* the side of 50 alone: .2 is no vote */
        {49, 0, 0, 100, .2, 0, DIRECTION_NONE, DIRECTION_NONE},
        {51, 0, 0, 100, 0, .2, DIRECTION_NONE, DIRECTION_NONE},
        /* MACD alone: .3 is no vote */
        {50, 1, 0, 100, .3, 0, DIRECTION_NONE, DIRECTION_NONE},
        {50, 0, 1, 100, 0, .3, DIRECTION_NONE, DIRECTION_NONE},
        /* the band, reached and passed */
        {50, 0, 0, 90, .3, 0, DIRECTION_NONE, DIRECTION_NONE},
        {50, 0, 0, 110, 0, .3, DIRECTION_NONE, DIRECTION_NONE},
        {50, 0, 0, 90.01, 0, 0, DIRECTION_NONE, DIRECTION_NONE},
        /* two signs */
        {49, 1, 0, 100, .5, 0, DIRECTION_LONG, DIRECTION_NONE},
        {51, 0, 1, 100, 0, .5, DIRECTION_NONE, DIRECTION_SHORT},
        /* at and beyond the extreme, which also counts as its side of 50 */
        {30, 0, 0, 100, .6, 0, DIRECTION_LONG, DIRECTION_NONE},
        {30.01, 0, 0, 100, .2, 0, DIRECTION_NONE, DIRECTION_NONE},
        {70, 0, 0, 100, 0, .6, DIRECTION_NONE, DIRECTION_SHORT},
        /* oversold and still falling: one sign for the bear is no vote */
        {20, 0, 1, 85, .9, .3, DIRECTION_LONG, DIRECTION_NONE},
        /* all signs: 1.2 is limited to 1 */
        {20, 1, 0, 85, 1, 0, DIRECTION_LONG, DIRECTION_NONE},
        {80, 0, 1, 115, 0, 1, DIRECTION_NONE, DIRECTION_SHORT},
    };
    static struct scene s;
    scene_init(&s, 0, flat);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct case_row *r = &rows[i];
        s.context.is_warm = true;
        s.context.reading = (struct reading){.close = r->close,
                                             .rsi = r->rsi,
                                             .macd = r->macd,
                                             .macd_signal = r->signal,
                                             .bands = {.lower = 90, .middle = 100, .upper = 110}};
        struct vote bull, bear;
        run_one(&s, BULL, &bull);
        run_one(&s, BEAR, &bear);
        assert_near(bull.confidence, r->bull);
        assert_near(bear.confidence, r->bear);
        assert_int_equal(bull.direction, r->bull_says);
        assert_int_equal(bear.direction, r->bear_says);
        assert_int_equal(bull.reason_count, 4);
        assert_near(reason_of(&bull, "rsi14")->threshold, 30);
        assert_near(reason_of(&bear, "rsi14")->threshold, 70);
        assert_near(reason_of(&bull, "band")->threshold, 90);
        assert_near(reason_of(&bear, "band")->threshold, 110);
        assert_near(reason_of(&bull, "macd")->threshold, r->signal);
        assert_near(reason_of(&bull, "rsi14_side")->threshold, 50);

        /* The mirror image swaps bull and bear. */
        s.context.reading.close = 200 - r->close;
        s.context.reading.rsi = 100 - r->rsi;
        s.context.reading.macd = -r->macd;
        s.context.reading.macd_signal = -r->signal;
        struct vote mirrored;
        run_one(&s, BEAR, &mirrored);
        assert_near(mirrored.confidence, fabs(r->rsi - 30.01) < 1e-6 ? .2 : r->bull);
    }
}

/* ---------------------------------------------------------------- decision_core */

struct weight_row {
    enum regime regime;
    int drift;
    double bull, bear, predict;
};

static void votes_are_weighted_by_the_regime(void **state)
{
    (void)state;
    static const struct weight_row rows[] = {
        {REGIME_TRENDING, 1, .6, .4, .5}, {REGIME_TRENDING, -1, .4, .6, .5},
        {REGIME_CHOPPY, 1, .4, .6, .5},   {REGIME_CHOPPY, -1, .6, .4, .5},
        {REGIME_NEUTRAL, 1, .5, .5, .5},  {REGIME_NEUTRAL, -1, .5, .5, .5},
        {REGIME_TRENDING, 0, .5, .5, .5}, {REGIME_CHOPPY, 0, .5, .5, .5},
    };
    static struct scene s;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct weight_row *r = &rows[i];
        scene_init(&s, 0, flat);
        agent_run_all(&s.context); /* sets names and silent votes */
        struct decision *d = &s.decision;
        s.context.is_warm = true;
        d->vote_count = CORE;
        d->regime = r->regime;
        s.context.drift = r->drift;
        s.context.now_us = 0;
        struct vote core;
        double largest = fmax(.5, fmax(r->bull, r->bear));

        d->votes[BULL].direction = DIRECTION_LONG;
        d->votes[BULL].confidence = .8;
        d->votes[BEAR].direction = DIRECTION_SHORT;
        d->votes[BEAR].confidence = .5;
        d->votes[PREDICT].direction = DIRECTION_SHORT;
        d->votes[PREDICT].confidence = .1;
        run_one(&s, CORE, &core);
        assert_near(d->votes[BULL].weight, r->bull);
        assert_near(d->votes[BEAR].weight, r->bear);
        assert_near(d->votes[PREDICT].weight, r->predict);
        assert_near(d->votes[QUANT].weight, 0);
        assert_near(d->score, (.8 * r->bull - .5 * r->bear - .1 * r->predict) / largest);

        /* One agent with the largest weight and confidence 1 reaches a score of 1. */
        bool bull_favoured = r->bull >= r->bear;
        d->votes[BULL].confidence = bull_favoured;
        d->votes[BEAR].confidence = !bull_favoured;
        d->votes[PREDICT].direction = DIRECTION_NONE;
        run_one(&s, CORE, &core);
        assert_near(fabs(d->score), 1);
        assert_near(core.confidence, 1);

        /* Several together are limited to 1. */
        d->votes[PREDICT].direction = bull_favoured ? DIRECTION_LONG : DIRECTION_SHORT;
        d->votes[PREDICT].confidence = 1;
        run_one(&s, CORE, &core);
        assert_near(fabs(d->score), 1);

        /* A confidence without a direction does not count. */
        d->votes[BULL].direction = d->votes[BEAR].direction = DIRECTION_NONE;
        d->votes[PREDICT].direction = DIRECTION_NONE;
        run_one(&s, CORE, &core);
        assert_near(d->score, 0);
    }
}

/* A scene just before decision_core: bull's confidence in a neutral market. */
static void before_core(struct scene *s, double confidence)
{
    scene_init(s, 1000, rising);
    agent_run_all(&s->context);
    struct decision *d = &s->decision;
    d->vote_count = CORE;
    d->regime = REGIME_NEUTRAL;
    d->direction = DIRECTION_NONE;
    d->outcome = OUTCOME_HOLD;
    d->veto_code[0] = d->veto_text[0] = d->client_id[0] = '\0';
    d->rule_count = 0;
    s->rules_asked = s->sizes_asked = s->audits_asked = s->orders_made = 0;
    s->context.bias = 0;
    s->context.wants_order = s->context.may_send = false;
    for (int i = 0; i < CORE; i++) {
        d->votes[i].direction = DIRECTION_NONE;
    }
    d->votes[BULL].direction = DIRECTION_LONG;
    d->votes[BULL].confidence = confidence;
}

/* Runs the last three agents, as agent_run_all does. */
static void finish(struct scene *s)
{
    for (int i = CORE; i < AGENTS; i++) {
        struct vote *v = &s->decision.votes[i];
        s->decision.vote_count = i;
        run_one(s, i, v);
    }
    s->decision.vote_count = AGENTS;
}

static void the_threshold_decides(void **state)
{
    (void)state;
    static struct scene s;
    before_core(&s, .25);
    finish(&s);
    assert_near(s.decision.score, .25);
    assert_int_equal(s.decision.direction, DIRECTION_LONG);
    assert_int_equal(s.decision.outcome, OUTCOME_ORDER);

    before_core(&s, .2499);
    finish(&s);
    assert_int_equal(s.decision.direction, DIRECTION_NONE);
    assert_int_equal(s.decision.outcome, OUTCOME_HOLD);
    assert_int_equal(s.sizes_asked + s.audits_asked + s.orders_made, 0);
    assert_string_equal(s.decision.veto_text, "");

    before_core(&s, .2499);
    s.decision.votes[BULL].direction = DIRECTION_SHORT; /* from any agent */
    s.settings.threshold = .2;
    s.decision.threshold = .2;
    finish(&s);
    assert_int_equal(s.decision.direction, DIRECTION_SHORT);
    assert_int_equal(s.sent.side, SIDE_SHORT);
}

static void rules_may_change_the_score_and_veto(void **state)
{
    (void)state;
    static struct scene s;
    before_core(&s, .2);
    s.bias = .1;
    finish(&s);
    assert_near(s.decision.score, .3);
    assert_near(s.confidence, .3);
    assert_int_equal(s.decision.outcome, OUTCOME_ORDER);
    assert_int_equal(s.rules_asked, 1);
    assert_int_equal(s.decision.rule_count, 1);
    assert_near(reason_of(&s.decision.votes[CORE], "rules")->value, .1);

    struct decision_port without = port; /* a desk without rules */
    without.rules = NULL;
    before_core(&s, .5);
    s.context.port = &without;
    finish(&s);
    assert_int_equal(s.rules_asked, 0);
    assert_int_equal(s.decision.outcome, OUTCOME_ORDER);

    before_core(&s, .95);
    s.bias = .2;
    finish(&s);
    assert_near(s.decision.score, 1);

    before_core(&s, .5);
    s.bias = 0;
    s.rule_veto = "RISK_TRADING_RULE";
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_VETOED);
    assert_string_equal(s.decision.veto_code, "RISK_TRADING_RULE");
    assert_int_equal(s.audits_asked, 0);
    assert_int_equal(s.orders_made, 0);
    assert_int_equal(s.decision.qty.e8, s.size.e8); /* the size of the refused entry */

    before_core(&s, .5);
    s.context.held = &s.held; /* rules do not stop a close */
    s.held = (struct position){.side = SIDE_SHORT, .qty = dec_from_int(2)};
    finish(&s);
    assert_int_equal(s.rules_asked, 0);
    assert_int_equal(s.decision.outcome, OUTCOME_ORDER);
}

/* ---------------------------------------------------------------- risk_audit and execution */

static void an_entry_has_stop_and_target(void **state)
{
    (void)state;
    static struct scene s;
    before_core(&s, .5);
    s.decision.price = dec_from_int(100);
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_ORDER);
    assert_string_equal(s.decision.client_id, "nd-1-9");
    assert_int_equal(s.sent.kind, ORDER_ENTRY);
    assert_int_equal(s.sent.side, SIDE_LONG);
    assert_int_equal(s.sent.qty.e8, dec_from_int(3).e8);
    assert_int_equal(s.sent.stop.e8, dec_from_int(98).e8);
    assert_int_equal(s.sent.target.e8, dec_from_int(104).e8);
    assert_int_equal(s.sent.decision_id, 11);
    assert_near(s.confidence, .5);
    assert_int_equal(s.decision.qty.e8, s.sent.qty.e8);
    assert_int_equal(s.decision.stop.e8, s.sent.stop.e8);
    assert_int_equal(s.decision.target.e8, s.sent.target.e8);
    const struct vote *v = &s.decision.votes[EXECUTION];
    assert_int_equal(v->direction, DIRECTION_LONG);
    assert_near(reason_of(v, "entry")->value, 3);
    assert_near(reason_of(v, "stop")->value, 98);
    assert_near(reason_of(v, "target")->value, 104);
    assert_near(s.decision.votes[RISK].confidence, 1);

    struct bracket b = execution_bracket(&s.settings, SIDE_SHORT, dec_from_int(100));
    assert_int_equal(b.stop.e8, dec_from_int(102).e8);
    assert_int_equal(b.target.e8, dec_from_int(96).e8);
    assert_false(dec_is_valid(execution_bracket(&s.settings, SIDE_LONG, DEC_INVALID).stop));
}

static void risk_may_veto(void **state)
{
    (void)state;
    static struct scene s;
    before_core(&s, .5);
    s.passes = false;
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_VETOED);
    assert_string_equal(s.decision.veto_code, "RISK_TEST");
    assert_string_equal(s.decision.veto_text, "refused by the test");
    assert_int_equal(s.decision.veto_max_qty.e8, dec_from_int(1).e8);
    assert_int_equal(s.orders_made, 0);
    assert_near(s.decision.votes[RISK].confidence, 0);
    assert_near(reason_of(&s.decision.votes[RISK], "size")->value, 3);
    assert_near(reason_of(&s.decision.votes[RISK], "size")->threshold, 1);
    assert_int_equal(s.decision.votes[EXECUTION].reason_count, 0);
    assert_string_equal(s.decision.client_id, "");
}

static void bad_data_stops_entries_but_not_closes(void **state)
{
    (void)state;
    static struct scene s;
    before_core(&s, .5);
    s.context.flaw = FLAW_NO_QUOTE;
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_VETOED);
    assert_string_equal(s.decision.veto_code, "DATA_INVALID");
    assert_string_equal(s.decision.veto_text, flaw_text(FLAW_NO_QUOTE));
    assert_int_equal(s.audits_asked + s.orders_made, 0);

    before_core(&s, .5);
    s.context.flaw = FLAW_NO_QUOTE;
    s.held = (struct position){.side = SIDE_SHORT, .qty = dec_from_int(2)};
    s.context.held = &s.held;
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_ORDER);
    assert_int_equal(s.sent.kind, ORDER_CLOSE);
}

static void a_position_is_kept_or_closed_by_the_new_score(void **state)
{
    (void)state;
    static struct scene s;
    before_core(&s, .5);
    s.held = (struct position){.side = SIDE_LONG, .qty = dec_from_int(2)};
    s.context.held = &s.held;
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_HOLD);
    assert_string_equal(s.decision.veto_text, "it is held long already, as the score wants");

    s.held.side = SIDE_SHORT;
    s.context.close_blocked = "an order is under way";
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_HOLD);
    assert_string_equal(s.decision.veto_text, "it is held short, and an order is under way");

    s.context.close_blocked = NULL;
    s.passes = false; /* a close is not audited */
    s.decision.veto_text[0] = '\0';
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_ORDER);
    assert_int_equal(s.sent.kind, ORDER_CLOSE);
    assert_int_equal(s.sent.side, SIDE_SHORT);
    assert_int_equal(s.sent.qty.e8, dec_from_int(2).e8);
    assert_int_equal(s.sent.stop.e8, 0);
    assert_int_equal(s.sizes_asked + s.audits_asked, 0);
    assert_string_equal(s.decision.client_id, "nd-1-9");
}

static void nothing_is_sent_when_the_order_table_is_full(void **state)
{
    (void)state;
    static struct scene s;
    before_core(&s, .5);
    s.has_space = false;
    finish(&s);
    assert_int_equal(s.decision.outcome, OUTCOME_HOLD);
    assert_string_equal(s.decision.veto_text, "no room for another order");
    assert_string_equal(s.decision.client_id, "");
}

UNIT_GROUP(
    agents, cmocka_unit_test(the_table_has_the_agents_in_order),
    cmocka_unit_test(all_agents_are_silent_without_data),
    cmocka_unit_test(a_price_that_does_not_move_gives_no_signal),
    cmocka_unit_test(full_data_gives_full_confidence), cmocka_unit_test(each_data_flaw_is_detected),
    cmocka_unit_test(a_gap_is_counted_and_no_position_is_opened_after_it),
    cmocka_unit_test(the_analyst_reads_the_market), cmocka_unit_test(the_analysts_points_add_up),
    cmocka_unit_test(hourly_candles_are_enough),
    cmocka_unit_test(predict_is_neutral_without_a_model), cmocka_unit_test(predict_asks_its_model),
    cmocka_unit_test(bull_and_bear_get_points_for_each_sign),
    cmocka_unit_test(votes_are_weighted_by_the_regime), cmocka_unit_test(the_threshold_decides),
    cmocka_unit_test(rules_may_change_the_score_and_veto),
    cmocka_unit_test(an_entry_has_stop_and_target), cmocka_unit_test(risk_may_veto),
    cmocka_unit_test(bad_data_stops_entries_but_not_closes),
    cmocka_unit_test(a_position_is_kept_or_closed_by_the_new_score),
    cmocka_unit_test(nothing_is_sent_when_the_order_table_is_full))
