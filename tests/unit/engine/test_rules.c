/*
 * Trading rules in the engine: their effect on entries, their counts, and that rules, counts and
 * shadows survive a crash.
 */
#include "../../../src/engine/engine_private.h"
#include "engine_rig.h"
#include "rigs/driver_rig.h"
#include "store/decision_table.h"
#include "store/rule_table.h"
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct request add_request(int64_t id, const char *text)
{
    struct request r = {.id = id, .kind = REQUEST_RULE_ADD};
    (void)str_copy(STR_LIT("alice"), r.by, sizeof(r.by));
    assert_true(str_copy(str_c(text), r.text, sizeof(r.text)));
    return r;
}

static struct request status_request(int64_t id, int64_t rule, const char *status)
{
    struct request r = {.id = id, .kind = REQUEST_RULE_STATUS, .number = rule};
    assert_true(str_copy(str_c(status), r.text, sizeof(r.text)));
    return r;
}

static int engine_rig_add(struct engine_rig *s, const char *text)
{
    return engine_rig_ask(s, add_request(0, text));
}

static int engine_rig_set(struct engine_rig *s, int64_t rule, const char *status)
{
    return engine_rig_ask(s, status_request(0, rule, status));
}

static const struct rule_book *book_of(const struct engine_rig *s)
{
    return engine_rule_book(s->engine);
}

static bool names(const struct decision *d, int64_t rule_id)
{
    for (int i = 0; i < d->rule_count; i++) {
        if (d->rule_ids[i] == rule_id) {
            return true;
        }
    }
    return false;
}

/* Counts the outcomes of the wanted entries over a run. */
struct tally {
    int orders;
    int by_rule;
    int noted; /* decisions that list the rule */
};

static struct tally watch(struct engine_rig *s, int minutes, int64_t rule_id)
{
    struct tally t = {0};
    for (int m = 0; m < minutes; m++) {
        engine_rig_step(s, NULL);
        for (int i = 0; i < s->out.decision_count; i++) {
            const struct decision *d = &s->out.decisions[i];
            t.orders += d->outcome == OUTCOME_ORDER && d->stop.e8 != 0;
            t.by_rule += strcmp(d->veto_code, "RISK_TRADING_RULE") == 0;
            t.noted += names(d, rule_id);
            assert_true(!names(d, rule_id) || d->direction != DIRECTION_NONE);
        }
    }
    return t;
}

#define DAYS 8000

static void only_active_rules_avoid(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    assert_int_equal(engine_rig_add(s, "avoid\nconfidence >= 0\nnever"), ERR_NONE);
    assert_true(s->out.rules_changed);
    struct tally t = watch(s, DAYS, 1);
    assert_true(t.orders > 0); /* status: testing */
    assert_int_equal(t.by_rule, 0);
    assert_true(t.noted >= t.orders);

    assert_int_equal(engine_rig_set(s, 1, "active"), ERR_NONE);
    t = watch(s, DAYS, 1);
    assert_int_equal(t.orders, 0);
    assert_true(t.by_rule > 0);
    assert_int_equal(t.noted, t.by_rule);

    assert_int_equal(engine_rig_set(s, 1, "retired"), ERR_NONE);
    assert_int_equal(book_of(s)->rules[0].status, RULE_RETIRED); /* its row is written */
    t = watch(s, DAYS, 1);
    assert_int_equal(book_of(s)->rule_count, 0);
    assert_true(t.orders > 0);
    assert_int_equal(t.noted, 0);
    engine_rig_free(s);
}

static void a_veto_contains_its_rule(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    assert_int_equal(engine_rig_add(s, "favour\ntier == 3\nnobody is in it"), ERR_NONE);
    assert_int_equal(engine_rig_add(s, "avoid\nsymbol == BTC-USD\nnot while we move house"),
                     ERR_NONE);
    assert_int_equal(engine_rig_set(s, 2, "active"), ERR_NONE);
    bool seen = false;
    bool others = false;
    for (int m = 0; m < DAYS; m++) {
        engine_rig_step(s, NULL);
        for (int i = 0; i < s->out.decision_count; i++) {
            const struct decision *d = &s->out.decisions[i];
            bool btc = strcmp(d->symbol.name, "BTC-USD") == 0;
            others = others || (!btc && d->outcome == OUTCOME_ORDER);
            assert_false(btc && d->outcome == OUTCOME_ORDER);
            assert_false(names(d, 1));
            if (names(d, 2)) {
                seen = true;
                assert_int_equal(d->outcome, OUTCOME_VETOED);
                assert_string_equal(d->veto_code, "RISK_TRADING_RULE");
                assert_string_equal(d->veto_text, "rule 2: not while we move house");
            }
        }
    }
    assert_true(seen && others);
    engine_rig_free(s);
}

/* The decision context as the core passes it to the rules. */
static void judge(struct engine_rig *s, double score, struct decision_context *context,
                  struct decision *d)
{
    memset(context, 0, sizeof(*context));
    memset(d, 0, sizeof(*d));
    d->id = 9;
    d->symbol = s->settings.symbols[0];
    d->price = dec_from_int(100);
    d->threshold = 0.25;
    d->score = score;
    context->series = engine_series(s->engine, d->symbol);
    context->settings = &s->settings;
    context->decision = d;
    context->now_us = s->now.market_us;
    s->engine->out = &s->out;
    s->engine->now = &s->now;
    engine_rules_judge(s->engine, context);
}

static bool is_about(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

static void favours_add_up_to_their_limit(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    struct decision_context context;
    struct decision d;
    static const char *const texts[] = {"favour\nside == long\na", "favour\nscore > 0\nb",
                                        "favour\nconfidence < 1\nc"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(engine_rig_add(s, texts[i]), ERR_NONE);
    }
    judge(s, 0.3, &context, &d);
    assert_int_equal(d.rule_count, 3);
    assert_true(is_about(context.bias, 0)); /* both are in testing */
    assert_int_equal(engine_rig_set(s, 3, "active"), ERR_NONE);
    judge(s, -0.3, &context, &d);
    assert_int_equal(d.rule_count, 1);
    assert_true(is_about(context.bias, -RULE_FAVOUR_BONUS)); /* towards the wanted side */
    /* It may lift a score over the threshold, and does nothing if the score is too low. */
    judge(s, 0.16, &context, &d);
    assert_true(is_about(context.bias, RULE_FAVOUR_BONUS));
    judge(s, 0.14, &context, &d);
    assert_true(is_about(context.bias, 0));
    assert_int_equal(d.rule_count, 0);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(engine_rig_set(s, i, "active"), ERR_NONE);
    }
    judge(s, 0.3, &context, &d);
    assert_true(is_about(context.bias, RULE_FAVOUR_MAX)); /* three of them */
    assert_string_equal(d.veto_code, "");
    engine_rig_free(s);
}

static void bad_data_matches_nothing(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    struct decision d = {.score = 0.9, .threshold = 0.25};
    struct decision_context context = {.decision = &d, .flaw = FLAW_REFUSED};
    assert_int_equal(engine_rig_add(s, "avoid\nconfidence >= 0\nnever"), ERR_NONE);
    engine_rules_judge(s->engine, &context);
    assert_int_equal(d.rule_count, 0);
    assert_int_equal(book_of(s)->shadow_count, 0);
    engine_rig_free(s);
}

static void requests_are_checked(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    assert_int_equal(engine_rig_add(s, "avoid\nrsi41 > 3\nx"), ERR_RULE_CONDITION);
    assert_int_equal(engine_rig_add(s, "stop\nrsi14 > 3\nx"), ERR_RULE_TEXT);
    assert_false(s->out.rules_changed);
    assert_int_equal(engine_rig_add(s, "avoid\nRSI14>3\nx"), ERR_NONE);
    assert_int_equal(engine_rig_add(s, "avoid\nrsi14 > 3\nwith another reason"),
                     ERR_RULE_DUPLICATE);
    assert_int_equal(engine_rig_add(s, "favour\nrsi14 > 3\nx"), ERR_NONE);
    assert_string_equal(book_of(s)->rules[0].created_by, "alice");
    assert_int_equal(book_of(s)->rules[0].status, RULE_TESTING);
    assert_int_equal(engine_rig_set(s, 3, "active"), ERR_RULE_UNKNOWN);
    assert_int_equal(engine_rig_set(s, 2, "sleeping"), ERR_RULE_TEXT);
    assert_int_equal(engine_rig_set(s, 2, "retired"), ERR_NONE);
    assert_int_equal(engine_rig_set(s, 2, "testing"), ERR_RULE_UNKNOWN); /* retired is final */
    assert_int_equal(engine_rig_add(s, "favour\nrsi14 > 3\nx"), ERR_NONE);
    assert_int_equal(book_of(s)->rules[1].id, 3); /* ids are not reused */
    for (int i = book_of(s)->rule_count; i < RULES_MAX; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "avoid\nprice > %d\nx", i);
        assert_int_equal(engine_rig_add(s, text), ERR_NONE);
    }
    assert_int_equal(engine_rig_add(s, "avoid\nprice > 1000\nx"), ERR_RULE_TABLE_FULL);
    engine_rig_free(s);
}

/* ---------------------------------------------------------------- shadows, by hand */

static struct candle reaching(int open, int low, int high)
{
    return (struct candle){.open = dec_from_int(open),
                           .high = dec_from_int(high),
                           .low = dec_from_int(low),
                           .close = dec_from_int(high)};
}

static void shadows_end_where_the_entry_would_have(void **state)
{
    (void)state;
    static const struct {
        enum rule_effect effect;
        enum side side;
        int open, low, high;
        int success, failure; /* for a shadow with stop and target at 90 and 120, or 110 and 80 */
    } cases[] = {
        {RULE_AVOID, SIDE_LONG, 100, 91, 119, 0, 0},
        {RULE_AVOID, SIDE_LONG, 100, 90, 119, 1, 0},
        {RULE_AVOID, SIDE_LONG, 100, 91, 120, 0, 1},
        {RULE_AVOID, SIDE_LONG, 100, 90, 120, 1, 0},
        {RULE_FAVOUR, SIDE_LONG, 100, 91, 120, 1, 0},
        {RULE_FAVOUR, SIDE_LONG, 100, 90, 120, 0, 1},
        {RULE_FAVOUR, SIDE_LONG, 121, 90, 121, 1, 0}, /* opens beyond the target */
        {RULE_AVOID, SIDE_SHORT, 100, 81, 109, 0, 0},
        {RULE_AVOID, SIDE_SHORT, 100, 81, 110, 1, 0},
        {RULE_AVOID, SIDE_SHORT, 100, 80, 109, 0, 1},
        {RULE_FAVOUR, SIDE_SHORT, 100, 80, 109, 1, 0},
        {RULE_FAVOUR, SIDE_SHORT, 100, 80, 110, 0, 1},
        {RULE_FAVOUR, SIDE_SHORT, 80, 79, 110, 1, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct engine_rig *s = engine_rig_new(7);
        bool is_long = cases[i].side == SIDE_LONG;
        struct rule_book book = {.rule_count = 1, .shadow_count = 2};
        book.rules[0] = (struct rule){.id = 4, .effect = cases[i].effect};
        (void)str_copy(STR_LIT("tier == 1"), book.rules[0].condition,
                       sizeof(book.rules[0].condition));
        book.shadows[0] = (struct rule_shadow){.id = 1,
                                               .rule_id = 4,
                                               .symbol = s->settings.symbols[0],
                                               .side = cases[i].side,
                                               .stop = dec_from_int(is_long ? 90 : 110),
                                               .target = dec_from_int(is_long ? 120 : 80)};
        book.shadows[1] = book.shadows[0];
        book.shadows[1].id = 2;
        book.shadows[1].symbol = s->settings.symbols[1]; /* another market: unchanged */
        engine_rules_restore(s->engine, &book);
        s->engine->out = &s->out;
        struct candle bar = reaching(cases[i].open, cases[i].low, cases[i].high);
        engine_rules_bar(s->engine, s->settings.symbols[0], &bar);
        const struct rule_book *after = book_of(s);
        bool ended = cases[i].success + cases[i].failure > 0;
        assert_int_equal(after->rules[0].success_count, cases[i].success);
        assert_int_equal(after->rules[0].failure_count, cases[i].failure);
        assert_int_equal(after->shadow_count, ended ? 1 : 2);
        assert_int_equal(after->shadows[0].id, ended ? 2 : 1);
        assert_int_equal(s->out.rules_changed, ended);
        engine_rig_free(s);
    }
}

static void shadows_are_unique_and_bounded(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    struct decision_context context;
    struct decision d;
    assert_int_equal(engine_rig_add(s, "avoid\nconfidence >= 0\nnever"), ERR_NONE);
    judge(s, 0.5, &context, &d);
    judge(s, 0.6, &context, &d); /* the same case */
    assert_int_equal(book_of(s)->shadow_count, 1);
    judge(s, -0.5, &context, &d);
    assert_int_equal(book_of(s)->shadow_count, 2);
    const struct rule_shadow *x = &book_of(s)->shadows[0];
    assert_int_equal(x->decision_id, 9);
    assert_int_equal(x->stop.e8, dec_from_int(98).e8);    /* 2 % */
    assert_int_equal(x->target.e8, dec_from_int(104).e8); /* 4 % */
    assert_int_equal(book_of(s)->shadows[1].stop.e8, dec_from_int(102).e8);

    for (int i = 1; i < RULES_MAX; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "avoid\nconfidence >= -0 and price > 0.%02d\nx", i);
        assert_int_equal(engine_rig_add(s, text), ERR_NONE);
    }
    judge(s, 0.5, &context, &d);
    judge(s, -0.5, &context, &d);
    assert_int_equal(book_of(s)->shadow_count, SHADOWS_MAX);
    int64_t oldest = book_of(s)->shadows[0].id;
    struct symbol other = s->settings.symbols[1];
    s->settings.symbols[0] = other; /* as judge() reads it */
    judge(s, 0.5, &context, &d);
    assert_int_equal(book_of(s)->shadow_count, SHADOWS_MAX);
    assert_int_equal(book_of(s)->shadows[0].id, oldest + RULES_MAX); /* the oldest was dropped */
    assert_int_equal(book_of(s)->rules[0].success_count + book_of(s)->rules[0].failure_count, 0);
    assert_int_equal(d.rule_count, DECISION_RULES_MAX);

    assert_int_equal(engine_rig_set(s, 2, "retired"),
                     ERR_NONE); /* its shadows are dropped with it */
    for (int i = 0; i < book_of(s)->shadow_count; i++) {
        assert_int_not_equal(book_of(s)->shadows[i].rule_id, 2);
    }
    engine_rig_free(s);
}

/* ---------------------------------------------------------------- over a database */

static void rules_and_shadows_survive_a_crash(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    struct request add =
        add_request(rig.next_request++, "avoid\nconfidence >= 0\nit is counted always");
    assert_int_equal(driver_rig_ask_again(&rig, &add), ERR_NONE);
    struct request gone = add_request(rig.next_request++, "favour\ntier == 3\nx");
    assert_int_equal(driver_rig_ask_again(&rig, &gone), ERR_NONE);
    struct request retire = status_request(rig.next_request++, 2, "retired");
    assert_int_equal(driver_rig_ask_again(&rig, &retire), ERR_NONE);
    const struct rule_book *book = engine_rule_book(driver_engine(rig.driver));
    for (int i = 0; i < 40 && book->rules[0].success_count + book->rules[0].failure_count == 0;
         i++) {
        driver_rig_run(&rig, 60);
    }
    assert_true(book->rules[0].success_count + book->rules[0].failure_count > 0);
    for (int i = 0; i < 40 && book->shadow_count == 0; i++) {
        driver_rig_run(&rig, 30);
    }
    assert_true(book->shadow_count > 0);
    static struct rule_book before;
    before = *book;
    driver_rig_restart(&rig);
    driver_rig_run(&rig, 0);
    driver_rig_round(&rig, USEC_PER_MSEC);
    const struct rule_book *after = engine_rule_book(driver_engine(rig.driver));
    assert_int_equal(after->rule_count, 1);
    assert_memory_equal(&after->rules[0], &before.rules[0], sizeof(before.rules[0]));
    assert_int_equal(after->shadow_count, before.shadow_count);
    assert_memory_equal(after->shadows, before.shadows,
                        (size_t)before.shadow_count * sizeof(before.shadows[0]));
    assert_int_equal(after->last_rule_id, 2);

    struct rule rules[4];
    struct err err = {0};
    assert_int_equal(
        rule_table_list(rig.store, &(struct rule_query){.retired = true}, rules, 4, &err), 2);
    assert_int_equal(rules[0].status, RULE_RETIRED);
    struct decision decisions[50];
    int n = decision_table_list(rig.store, &(struct decision_query){.skip_holds = true}, decisions,
                                50, &err);
    bool kept = false;
    for (int i = 0; i < n; i++) {
        kept = kept || names(&decisions[i], 1);
    }
    assert_true(kept); /* the decision keeps the matching rules */
    driver_rig_close(&rig);
}

static void maintenance_survives_a_crash_and_resume_ends_it(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_round(&rig, USEC_PER_MSEC);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_MAINTENANCE, NULL), ERR_NONE);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_MAINTENANCE);
    driver_rig_restart(&rig);
    driver_rig_run(&rig, 600);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_MAINTENANCE);
    assert_int_equal(driver_rig_snapshot(&rig)->risk_state, RISK_REDUCING);
    assert_int_equal(driver_rig_snapshot(&rig)->orders, 0);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RESUME, NULL), ERR_NONE);
    driver_rig_run_until_open(&rig);
    driver_rig_close(&rig);
}

UNIT_GROUP(rules, cmocka_unit_test(only_active_rules_avoid),
           cmocka_unit_test(a_veto_contains_its_rule),
           cmocka_unit_test(favours_add_up_to_their_limit),
           cmocka_unit_test(bad_data_matches_nothing), cmocka_unit_test(requests_are_checked),
           cmocka_unit_test(shadows_end_where_the_entry_would_have),
           cmocka_unit_test(shadows_are_unique_and_bounded),
           cmocka_unit_test(rules_and_shadows_survive_a_crash),
           cmocka_unit_test(maintenance_survives_a_crash_and_resume_ends_it))
