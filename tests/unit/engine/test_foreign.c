/*
 * Unexpected inputs: unknown symbols, symbols that are held but not traded, and rules that change.
 */
#include "../../../src/engine/engine_private.h"
#include "base/check.h"
#include "engine_rig.h"
#include "fakes/instant_venue.h"
#include "rigs/driver_rig.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

static int ask(struct engine_rig *s, struct request r, const char *text)
{
    (void)str_copy(STR_LIT("alice"), r.by, sizeof(r.by));
    assert_true(str_copy(str_c(text), r.text, sizeof(r.text)));
    return engine_rig_ask(s, r);
}

/* ---------------------------------------------------------------- symbols */

static void an_unknown_symbol_changes_nothing(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    const struct symbol unauthorised = {"NEVER-SEEN"};
    const struct dec price = dec_from_int(100);
    struct candle bar = {0, price, price, price, price, price};
    struct source_bar closed[SYMBOLS_LIMIT];
    for (int i = 0; i < 60; i++) {
        struct source_bar strange = {unauthorised, bar};
        assert_int_equal(engine_warm(s->engine, &strange, 1, closed), 0);
        bar.open_us += USEC_PER_MIN;
    }
    engine_history(s->engine, unauthorised, &bar, 1);
    assert_int_equal(engine_price(s->engine, unauthorised).e8, 0);
    for (int i = 0; i < 30; i++) {
        engine_rig_step(s, NULL);
    }
    int64_t candles = engine_state(s->engine)->candles;
    int64_t decisions = engine_state(s->engine)->decisions;
    instant_venue_answer(s->engine, &s->out, &s->in, &s->fill_id);
    s->in.request = NULL;
    s->in.bar_count = 1;
    s->in.bars[0] = (struct source_bar){unauthorised, bar};
    engine_step(s->engine, &s->now, &s->in, &s->out);
    assert_int_equal(engine_state(s->engine)->candles, candles);
    assert_int_equal(engine_state(s->engine)->decisions, decisions);
    assert_int_equal(engine_state(s->engine)->refused_candles, 0);
    assert_false(s->out.market_moved);
    assert_int_equal(s->out.order_count, 0);
    engine_rig_free(s);
}

/* A symbol that is only held gets candles and prices, but no decision. */
static void a_symbol_that_is_only_held_gets_no_decision(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    engine_free(s->engine);
    assert_true(s->settings.symbol_count >= 2);
    const struct symbol held = s->settings.symbols[s->settings.symbol_count - 1];
    int all = s->settings.symbol_count;
    s->settings.symbol_count--;
    s->engine = engine_new(&s->settings, s->settings.symbols, all);
    engine_begin(s->engine, &s->now);
    int decided = 0;
    for (int i = 0; i < 600; i++) {
        engine_rig_step(s, NULL);
        for (int k = 0; k < s->out.decision_count; k++) {
            assert_false(symbol_equal(s->out.decisions[k].symbol, held));
            decided++;
        }
    }
    assert_true(decided > 50);
    assert_true(engine_price(s->engine, held).e8 > 0);
    engine_rig_free(s);
}

/* A series of another step is refused, even if it is valid. */
static void a_series_of_another_step_is_refused(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    static char bytes[64 * 1024];
    struct engine *other = engine_new(&s->settings, s->settings.symbols, s->settings.symbol_count);
    engine_set_step(other, 5 * USEC_PER_MIN);
    size_t size = engine_series_save(other, bytes, sizeof(bytes));
    assert_true(size > 0);
    assert_true(engine_series_load(other, bytes, size));
    assert_false(engine_series_load(s->engine, bytes, size));
    assert_false(engine_series_load(other, bytes, size - 1));
    assert_false(engine_series_load(other, bytes, 3));
    assert_int_equal(engine_series_save(other, bytes, size - 1), 0);
    engine_free(other);
    engine_rig_free(s);
}

/* ---------------------------------------------------------------- rules */

static void a_rule_outlives_an_older_one(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    const struct request add = {.kind = REQUEST_RULE_ADD};
    const struct request set = {.kind = REQUEST_RULE_STATUS, .number = 1};
    assert_int_equal(ask(s, add, "favour\nrsi14 < 10\nfirst"), ERR_NONE);
    assert_int_equal(ask(s, add, "avoid\nrsi14 >= 0\nsecond"), ERR_NONE);
    assert_int_equal(ask(s, add, "favour\nrsi14 < 11\nthird"), ERR_NONE);
    assert_int_equal(ask(s, set, "testing"), ERR_NONE);
    assert_false(s->out.rules_changed); /* it has this status already */
    struct request second = set;
    second.number = 2;
    assert_int_equal(ask(s, second, "active"), ERR_NONE);
    assert_int_equal(ask(s, set, "retired"), ERR_NONE);
    assert_int_equal(ask(s, set, "active"), ERR_RULE_UNKNOWN);
    const struct rule_book *book = engine_rule_book(s->engine);
    assert_int_equal(book->rule_count, 2);
    assert_int_equal(book->rules[0].id, 2);
    assert_int_equal(book->rules[1].id, 3);
    /* The older rule took its program with it: the second rule's own program decides. */
    int avoided = 0;
    for (int i = 0; i < 8000; i++) {
        engine_rig_step(s, NULL);
        assert_int_equal(s->out.send_count, 0);
        for (int k = 0; k < s->out.decision_count; k++) {
            const struct decision *d = &s->out.decisions[k];
            avoided += d->outcome == OUTCOME_VETOED && strstr(d->veto_text, "second") != NULL;
        }
    }
    assert_true(avoided > 0);
    engine_rig_free(s);
}

/* A text of multi-byte characters longer than a veto's text is cut between two of them. */
static void the_text_of_a_veto_is_cut_between_characters(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    struct decision d;
    AUTO_BUF struct buf text = BUF_INIT(1024);
    for (size_t pad = 0; pad < 3; pad++) {
        buf_clear(&text);
        buf_add_c(&text, "avoid\nrsi14 >= 0\n");
        size_t from = text.len;
        for (size_t i = 0; i < pad; i++) {
            buf_add_char(&text, 'x');
        }
        while (text.len - from + 3 < RULE_HELP_SIZE) {
            buf_add_c(&text, "\xe2\x82\xac");
        }
        struct request add = {.kind = REQUEST_RULE_ADD};
        assert_int_equal(ask(s, add, text.data), ERR_NONE);
        const struct rule_book *book = engine_rule_book(s->engine);
        struct request set = {.kind = REQUEST_RULE_STATUS,
                              .number = book->rules[book->rule_count - 1].id};
        assert_int_equal(ask(s, set, "active"), ERR_NONE);
        bool avoided = false;
        for (int i = 0; i < 8000 && !avoided; i++) {
            engine_rig_step(s, NULL);
            for (int k = 0; k < s->out.decision_count && !avoided; k++) {
                d = s->out.decisions[k];
                avoided = strcmp(d.veto_code, "RISK_TRADING_RULE") == 0;
            }
        }
        assert_true(avoided);
        assert_true(str_is_utf8(str_c(d.veto_text)));
        assert_true(strlen(d.veto_text) > sizeof(d.veto_text) - 5);
        assert_int_equal(ask(s, set, "retired"), ERR_NONE);
    }
    engine_rig_free(s);
}

UNIT_GROUP(strange, cmocka_unit_test(an_unknown_symbol_changes_nothing),
           cmocka_unit_test(a_symbol_that_is_only_held_gets_no_decision),
           cmocka_unit_test(a_series_of_another_step_is_refused),
           cmocka_unit_test(a_rule_outlives_an_older_one),
           cmocka_unit_test(the_text_of_a_veto_is_cut_between_characters))
