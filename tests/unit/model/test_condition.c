#include "base/check.h"
#include "model/condition.h"
#include "model/decision.h"
#include "model/order.h"
#include "model/rule.h"
#include "unit/unit.h"

#include <math.h>
#include <string.h>

#define FRAME(tf) (1 + (tf))

/* A long entry is wanted on a Sunday at 23 UTC; 1h is overbought, 15m still warms up. */
static struct condition_values some_values(void)
{
    struct condition_values v;
    for (int f = 0; f < CONDITION_FRAMES; f++) {
        for (int i = 0; i < CONDITION_FRAMED_COUNT; i++) {
            v.framed[f][i] = 1;
        }
    }
    for (int i = 0; i < CONDITION_FRAMED_COUNT; i++) {
        v.framed[FRAME(TF_15M)][i] = NAN;
    }
    v.framed[0][CONDITION_RSI14] = 55;
    v.framed[FRAME(TF_5M)][CONDITION_RSI14] = 55;
    v.framed[FRAME(TF_1H)][CONDITION_RSI14] = 75;
    v.framed[0][CONDITION_MACD] = -0.5;
    v.framed[0][CONDITION_MACD_SIGNAL] = -0.25;
    v.framed[0][CONDITION_BB_LOWER] = 99;
    v.plain[CONDITION_PRICE] = 100;
    v.plain[CONDITION_CHANGE_24H] = -3.5;
    v.plain[CONDITION_REGIME] = REGIME_TRENDING;
    v.plain[CONDITION_SIDE] = SIDE_LONG;
    v.plain[CONDITION_SYMBOL] = NAN;
    v.plain[CONDITION_TIER] = 1;
    v.plain[CONDITION_HOUR] = 23;
    v.plain[CONDITION_WEEKDAY] = 6;
    v.plain[CONDITION_SCORE] = 0.4;
    v.plain[CONDITION_CONFIDENCE] = 0.4;
    v.plain[CONDITION_DRAWDOWN] = 2;
    v.plain[CONDITION_DAILY_LOSS] = NAN;
    v.plain[CONDITION_LOSSES_IN_A_ROW] = 3;
    v.plain[CONDITION_POSITIONS] = 0;
    v.plain[CONDITION_SENTIMENT] = -0.6;
    memset(&v.symbol, 0, sizeof(v.symbol));
    assert_true(symbol_parse(str_c("BTC-USD"), &v.symbol));
    return v;
}

static bool holds(const char *text)
{
    struct condition_values v = some_values();
    struct condition program;
    struct err err = {0};
    if (condition_compile(str_c(text), &program, &err) < 0) {
        print_error("%s: %s\n", text, err.context);
        fail();
    }
    return condition_holds(&program, &v);
}

static void conditions_hold(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "rsi14 < 70",
        "rsi14 <= 55 and rsi14 >= 55",
        "rsi14 == 55",
        "rsi14 != 54",
        "rsi14@1h > 70 and side == long",
        "rsi14@5m < 70",
        "RSI14@1H > 70 AND Side == LONG",
        "70 > rsi14",
        "75 <= rsi14@1h",
        "macd < macd_signal",
        "price > bb_lower",
        "rsi14 < rsi14@1h",
        "macd < -0.25",
        "change_24h<-3",
        "regime == trending",
        "regime != choppy",
        "symbol == btc-usd",
        "symbol != ETH-USD",
        "tier == 1",
        "hour between 22 and 5",
        "not hour between 6 and 22",
        "weekday between sat and mon",
        "weekday == sun",
        "score > .3 and confidence <= 4e-1",
        "rsi14 between 55 and 60",
        "rsi14 between 50 and 55",
        "positions == 0 and losses_in_a_row >= 3 and drawdown < 5",
        /* not binds closer than and, and closer than or */
        "tier == 1 or tier == 2 and tier == 3",
        "not tier == 2 and tier == 1",
        "not (tier == 2 or tier == 3)",
        "not not tier == 1",
        /* one known side can be enough */
        "rsi14@15m > 1 or tier == 1",
    };
    static const char *const no[] = {
        "rsi14 > 55",
        "rsi14 < 55",
        "rsi14 != 55",
        "side == short",
        "symbol != BTC-USD",
        "hour between 6 and 22",
        "weekday between mon and fri",
        "(tier == 1 or tier == 2) and tier == 3",
        "rsi14 between 56 and 60",
        "not tier == 1",
        /* a comparison with an unknown value is not true, nor is its negation */
        "rsi14@15m > 1",
        "not rsi14@15m > 1",
        "rsi14@15m != 1",
        "rsi14@15m between 0 and 100",
        "not rsi14@15m between 0 and 100",
        "daily_loss < 1 and tier == 1",
        "not (daily_loss < 1 and tier == 1)",
        "rsi14 < rsi14@15m",
    };
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (!holds(yes[i])) {
            print_error("does not hold: %s\n", yes[i]);
            fail();
        }
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        if (holds(no[i])) {
            print_error("holds: %s\n", no[i]);
            fail();
        }
    }
}

static void the_normal_form_is_equivalent(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *normal;
    } cases[] = {
        {" RSI14@1H>70   and Side==LONG ", "rsi14@1h > 70 and side == long"},
        {"30>rsi14", "rsi14 < 30"},
        {"((tier == 1) and ((tier == 2)))", "tier == 1 and tier == 2"},
        {"(tier == 1 or tier == 2) and tier == 3", "(tier == 1 or tier == 2) and tier == 3"},
        {"tier == 1 or (tier == 2 and tier == 3)", "tier == 1 or tier == 2 and tier == 3"},
        {"not (tier == 1)", "not tier == 1"},
        {"not (tier == 1 or hour == 3)", "not (tier == 1 or hour == 3)"},
        {"symbol == btc-usd", "symbol == BTC-USD"},
        {"macd > -0", "macd > 0"},
        {"macd > 1e+2 and macd < 0.1", "macd > 100 and macd < 0.1"},
        {"weekday between SAT and sun", "weekday between sat and sun"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct condition program;
        char printed[CONDITION_TEXT_SIZE];
        struct err err = {0};
        assert_int_equal(condition_compile(str_c(cases[i].text), &program, &err), 0);
        assert_string_equal(condition_print(&program, printed), cases[i].normal);
        assert_int_equal(condition_compile(str_c(printed), &program, &err), 0);
        assert_string_equal(condition_print(&program, printed), cases[i].normal);
    }
}

static void errors_name_the_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"", "column 1: the text ends, but a variable was expected"},
        {"rsi41 < 30", "column 1: found rsi41, but there is no such variable; did you mean rsi14?"},
        {"tier == 1 and rsl14 < 30", "column 15: found rsl14"},
        {"rsi14 30", "column 7: found 30, but a comparison was expected"},
        {"rsi14 <", "column 8: the text ends, but a number was expected"},
        {"rsi14 = 30", "column 7: found =, but equality is written =="},
        {"rsi14 < 30 && tier == 1", "column 12: found &&, but the operator is written and"},
        {"rsi14 < 30 tier == 1",
         "column 12: found tier, but and, or, or the end of the text was expected"},
        {"(rsi14 < 30", "column 12: the text ends, but the parenthesis at column 1 is not closed"},
        {"rsi14 < 30)", "column 11: found )"},
        {"rsi14 < 130", "column 9: found 130, but rsi14 ranges from 0 to 100"},
        {"confidence > 60", "column 14: found 60, but confidence ranges from 0 to 1"},
        {"price < -1", "column 9: found -1, but price is at least 0"},
        {"regime == trendin", "did you mean trending?"},
        {"side == up", "column 9: found up, but side is one of long, short"},
        {"side < long", "column 6: found <, but side has no order"},
        {"symbol > BTC-USD", "column 8: found >, but symbol has no order"},
        {"symbol == \"BTC\"", "column 11: found \", but a condition cannot contain it"},
        {"rsi14@2h > 70", "column 7: found 2h, but the timeframes are 5m, 15m and 1h"},
        {"rsi14@ > 70", "column 7: found rsi14@, but the timeframes are"},
        {"hour@1h > 7", "column 6: found 1h, but hour has no timeframe"},
        {"rsi14 between 70 and 30",
         "column 22: found 30, but the second bound must be the larger one"},
        {"rsi14 between 30 or 70", "column 18: found or, but between needs two bounds"},
        {"regime between choppy and trending", "column 8: found between, but regime has no order"},
        {"side == regime", "column 9: found regime, but side and regime cannot be compared"},
        {"30 < 40", "column 6: found 40, but a number can only be compared with a variable"},
        {"price > 1 and größe > 2", "column 15: found gr"},
        {"€ > 2", "column 1: found €, but a condition cannot contain it"},
        {"tier == 1 and € > 2", "column 15: found €"},
        {"not", "column 4: the text ends"},
        {"rsi14 < nan", "column 9: found nan, but a number was expected"},
        {"rsi14 < 0x10", "column 9: found 0x10, but a number was expected"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct condition program;
        struct err err = {0};
        assert_int_equal(condition_compile(str_c(cases[i].text), &program, &err),
                         -ERR_RULE_CONDITION);
        if (strstr(err.context, cases[i].expected) == NULL) {
            print_error("%s\n gave: %s\n want: %s\n", cases[i].text, err.context,
                        cases[i].expected);
            fail();
        }
    }
}

static void repeat(struct buf *out, const char *text, int times)
{
    for (int i = 0; i < times; i++) {
        buf_add_c(out, text);
    }
}

static void size_is_bounded(void **state)
{
    (void)state;
    struct condition program;
    for (int extra = 0; extra <= 1; extra++) {
        AUTO_BUF struct buf text = BUF_INIT(1000);
        struct err err = {0};
        repeat(&text, "(", CONDITION_DEPTH_MAX + extra);
        buf_add_c(&text, "tier == 1");
        repeat(&text, ")", CONDITION_DEPTH_MAX + extra);
        int rc = condition_compile(buf_str(&text), &program, &err);
        assert_int_equal(rc, extra == 0 ? 0 : -ERR_RULE_CONDITION);
        buf_clear(&text);
        repeat(&text, "not ", CONDITION_DEPTH_MAX + extra);
        buf_add_c(&text, "tier == 1");
        rc = condition_compile(buf_str(&text), &program, &err);
        assert_int_equal(rc, extra == 0 ? 0 : -ERR_RULE_CONDITION);
        assert_true(extra == 0 || strstr(err.context, "nested at most 8 deep") != NULL);
    }
    static const struct {
        const char *part;
        int times;
        const char *expected;
    } cases[] = {
        {"tier == 1 or ", 30, "column 240: the condition is longer than 239 bytes"},
        {"not not not not tier<2 or ", 9, "at most 48 parts"},
        {"1>=tier or ", 21, "the normal form is longer"}, /* "tier <= 1 or " */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1000);
        struct err err = {0};
        repeat(&text, cases[i].part, cases[i].times);
        buf_truncate(&text, text.len - strlen(" or "));
        assert_int_equal(condition_compile(buf_str(&text), &program, &err), -ERR_RULE_CONDITION);
        if (strstr(err.context, cases[i].expected) == NULL) {
            print_error("%s is not in %s\n", cases[i].expected, err.context);
            fail();
        }
    }
}

static void rules_round_trip(void **state)
{
    (void)state;
    struct rule rule;
    struct condition program;
    struct err err = {0};
    assert_int_equal(rule_read(str_c("avoid\nRSI14>70\n  no chasing "), &rule, &program, &err), 0);
    assert_int_equal(rule.effect, RULE_AVOID);
    assert_string_equal(rule.condition, "rsi14 > 70");
    assert_string_equal(rule.help, "no chasing");
    assert_int_equal(rule.status, RULE_TESTING);
    char text[REQUEST_TEXT_SIZE];
    rule_write(&rule, text);
    assert_string_equal(text, "avoid\nrsi14 > 70\nno chasing");
    struct rule again;
    assert_int_equal(rule_read(str_c(text), &again, &program, &err), 0);
    assert_memory_equal(&rule, &again, sizeof(rule));

    static const struct {
        const char *text;
        enum err_id id;
    } bad[] = {
        {"", ERR_RULE_TEXT},
        {"maybe\nrsi14 > 70\nwhy", ERR_RULE_TEXT},
        {"avoid\nrsi14 >\nwhy", ERR_RULE_CONDITION},
        {"avoid", ERR_RULE_CONDITION},
        {"avoid\nrsi14 > 70", ERR_RULE_TEXT},
        {"avoid\nrsi14 > 70\n  ", ERR_RULE_TEXT},
        {"avoid\nrsi14 > 70\ntwo\nlines", ERR_RULE_TEXT},
        {"avoid\nrsi14 > 70\n\xff", ERR_RULE_TEXT},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(rule_read(str_c(bad[i].text), &rule, &program, &err), -(int)bad[i].id);
    }
    char longer[400];
    (void)snprintf(longer, sizeof(longer), "avoid\nrsi14 > 70\n%0200d", 1);
    assert_int_equal(rule_read(str_c(longer), &rule, &program, &err), -ERR_RULE_TEXT);
}

static void every_variable_has_help(void **state)
{
    (void)state;
    /* Each name is part of the language: it compiles where the help expected it is used. */
    for (const struct condition_word *w = condition_words(); w->name != NULL; w++) {
        struct str rest = str_c(w->name);
        struct str name;
        assert_true(w->help[0] != '\0');
        while (str_word(&rest, &name)) {
            char text[64];
            struct condition program;
            struct err err = {0};
            bool frame = name.ptr[0] == '@';
            (void)snprintf(text, sizeof(text), "%s%.*s == 1", frame ? "rsi14" : "", STR_ARG(name));
            int rc = condition_compile(str_c(text), &program, &err);
            assert_true(rc == 0 || strstr(err.context, "is one of") != NULL);
        }
    }
}

UNIT_GROUP(condition, cmocka_unit_test(conditions_hold),
           cmocka_unit_test(the_normal_form_is_equivalent),
           cmocka_unit_test(errors_name_the_column), cmocka_unit_test(size_is_bounded),
           cmocka_unit_test(rules_round_trip), cmocka_unit_test(every_variable_has_help))
