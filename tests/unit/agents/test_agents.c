#include "agents/agent.h"
#include "agents/decision_core.h"
#include "agents/side_agent.h"
#include "unit/unit.h"

#include <math.h>
#include <string.h>

#define START INT64_C(1790002800000000)

/* Flat minutes at the price that `at` gives. */
static void feed(struct series *s, int minutes, int64_t (*at)(int))
{
    struct symbol symbol = {"BTC-USD"};
    series_init(s, symbol);
    for (int i = 0; i < minutes; i++) {
        struct dec p = dec_from_int(at(i));
        struct candle c = {START + i * USEC_PER_MIN, p, p, p, p, DEC_ZERO};
        unsigned closed;
        assert_int_equal(series_push(s, &c, c.open_us + USEC_PER_MIN, &closed), SERIES_ACCEPTED);
    }
}

static int64_t rising(int i)
{
    return 1000000 + i * 10 - (i / 5 % 4 == 0) * 60; /* with setbacks, so that RSI is not 100 */
}

static int64_t falling(int i)
{
    return 2000000 - rising(i);
}

static int64_t straight_down(int i)
{
    return 1000000 - i * 10;
}

static int64_t wobbling(int i)
{
    return 1000 + (i / 5 % 2);
}

static struct vote vote(void (*agent)(const struct agent_view *, struct vote *), int64_t (*at)(int))
{
    struct series s;
    feed(&s, 1800, at);
    struct agent_view view = {&s};
    struct vote v = {0};
    agent(&view, &v);
    return v;
}

static double points(const struct vote *v)
{
    double sum = 0;
    for (int i = 0; i < v->reason_count; i++) {
        sum += v->reasons[i].points;
    }
    return sum < 1 ? sum : 1;
}

static void bull_likes_a_rise(void **state)
{
    (void)state;
    struct vote v = vote(side_agent_bull, rising);
    assert_int_equal(v.direction, DIRECTION_LONG);
    assert_true(fabs(v.confidence - 0.8) < 1e-9); /* side .2, both averages .3 */
    assert_true(fabs(v.confidence - points(&v)) < 1e-9);
    assert_int_equal(v.reason_count, 4);
    assert_string_equal(v.reasons[0].indicator, "rsi14");
    assert_true(v.reasons[0].threshold == 30);
    assert_true(v.reasons[2].value > v.reasons[2].threshold);
    struct vote bear = vote(side_agent_bear, rising);
    assert_true(bear.confidence < 0.5);
}

static void bear_is_bull_in_the_mirror(void **state)
{
    (void)state;
    struct vote bull = vote(side_agent_bull, rising);
    struct vote bear = vote(side_agent_bear, falling);
    assert_int_equal(bear.direction, DIRECTION_SHORT);
    assert_true(fabs(bull.confidence - bear.confidence) < 1e-9);
    for (int i = 0; i < 4; i++) {
        assert_true(bull.reasons[i].points == bear.reasons[i].points);
    }
}

static void an_extreme_speaks_against_the_move(void **state)
{
    (void)state;
    struct vote bull = vote(side_agent_bull, straight_down);
    assert_int_equal(bull.direction, DIRECTION_LONG); /* sold out: RSI 0 */
    assert_true(fabs(bull.confidence - 0.4) < 1e-9);
    struct vote bear = vote(side_agent_bear, straight_down);
    assert_true(fabs(bear.confidence - 0.8) < 1e-9);
}

static struct decision decide(int minutes, int64_t (*at)(int), double threshold)
{
    struct series s;
    feed(&s, minutes, at);
    struct agent_view view = {&s};
    struct decision d = {0};
    decision_core_decide(&view, threshold, &d);
    return d;
}

static void weighs_by_the_regime(void **state)
{
    (void)state;
    struct decision d = decide(1800, straight_down, 0.25);
    assert_int_equal(d.regime, REGIME_TRENDING);
    assert_int_equal(d.vote_count, 2);
    assert_string_equal(d.votes[0].agent, "bull");
    assert_true(d.votes[0].weight == 0.4 && d.votes[1].weight == 0.6);
    assert_true(fabs(d.score - (0.4 * 0.4 - 0.6 * 0.8) / 0.6) < 1e-9);
    assert_int_equal(d.direction, DIRECTION_SHORT);
    assert_int_equal(d.outcome, OUTCOME_HOLD);

    d = decide(1805, wobbling, 0.25);
    assert_int_equal(d.regime, REGIME_CHOPPY);
    assert_true(d.votes[0].weight + d.votes[1].weight == 1.0);
    assert_true(d.votes[0].weight != 0.6 || d.votes[1].weight == 0.4);
}

static void the_threshold_decides(void **state)
{
    (void)state;
    struct decision d = decide(1800, straight_down, 0.53);
    assert_int_equal(d.direction, DIRECTION_SHORT);
    assert_true(d.threshold == 0.53);
    d = decide(1800, straight_down, 0.54);
    assert_int_equal(d.direction, DIRECTION_NONE);
    assert_true(fabs(d.score) < 0.54 && fabs(d.score) > 0.53);
}

static void says_nothing_before_it_knows(void **state)
{
    (void)state;
    struct decision d = decide(100, rising, 0.01);
    assert_int_equal(d.vote_count, 0);
    assert_int_equal(d.direction, DIRECTION_NONE);
    assert_int_equal(d.regime, REGIME_NEUTRAL);
    int count;
    const struct agent *agents = agent_table(&count);
    assert_int_equal(count, 2);
    assert_non_null(agents[1].vote);
}

UNIT_GROUP(agents, cmocka_unit_test(bull_likes_a_rise),
           cmocka_unit_test(bear_is_bull_in_the_mirror),
           cmocka_unit_test(an_extreme_speaks_against_the_move),
           cmocka_unit_test(weighs_by_the_regime), cmocka_unit_test(the_threshold_decides),
           cmocka_unit_test(says_nothing_before_it_knows))
