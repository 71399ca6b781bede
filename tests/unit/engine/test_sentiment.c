/* Sentiment as an input of the engine: a word of rules, too old, recorded, replayed. */

#include "../../../src/engine/engine_private.h"
#include "base/auto.h"
#include "engine/backtest.h"
#include "engine/engine_buffers.h"
#include "engine/recorder.h"
#include "engine/replay.h"
#include "engine_rig.h"
#include "fakes/stump_model.h"
#include "io/file.h"
#include "market/simulated.h"
#include "recorder_rig.h"
#include "rigs/driver_rig.h"
#include "unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY (24 * 60)

static int add_rule(struct engine_rig *s, const char *text)
{
    struct request r = {.kind = REQUEST_RULE_ADD};
    (void)str_copy(str_c(text), r.text, sizeof(r.text));
    int err = engine_rig_ask(s, r);
    struct request active = {.kind = REQUEST_RULE_STATUS, .number = 1};
    (void)str_copy(STR_LIT("active"), active.text, sizeof(active.text));
    return err != 0 ? err : engine_rig_ask(s, active);
}

/* Passes these values with the next minute. */
static void tell(struct engine_rig *s, double score, int64_t until_us, int count)
{
    s->in.has_sentiment = true;
    s->in.sentiment_count = count;
    for (int i = 0; i < count; i++) {
        s->in.sentiments[i] = (struct sentiment_value){
            .symbol = s->settings.symbols[i], .score = score, .until_us = until_us};
    }
    engine_rig_step(s, NULL);
    s->in.has_sentiment = false;
}

/* A day: how many decisions of the first symbol, and of the others, the rule refused. */
static void watch(struct engine_rig *s, int *ret_first, int *ret_others)
{
    *ret_first = *ret_others = 0;
    for (int m = 0; m < DAY; m++) {
        engine_rig_step(s, NULL);
        for (int i = 0; i < s->out.decision_count; i++) {
            const struct decision *d = &s->out.decisions[i];
            bool refused = strcmp(d->veto_code, "RISK_TRADING_RULE") == 0;
            bool first = symbol_equal(d->symbol, s->settings.symbols[0]);
            *ret_first += refused && first;
            *ret_others += refused && !first;
        }
    }
}

static void a_rule_compares_the_sentiment_of_its_symbol(void **state)
{
    (void)state;
    int first = 0, others = 0;
    struct engine_rig *s = engine_rig_new(7);
    assert_int_equal(add_rule(s, "avoid\nsentiment < -0.5\nbad news"), ERR_NONE);
    watch(s, &first, &others);
    assert_int_equal(first + others, 0); /* unknown: not below */
    tell(s, -0.8, INT64_MAX, 1);
    watch(s, &first, &others);
    assert_true(first > 0);
    assert_int_equal(others, 0);
    tell(s, -0.2, INT64_MAX, s->settings.symbol_count);
    watch(s, &first, &others);
    assert_int_equal(first + others, 0);
    tell(s, -0.8, INT64_MAX, 1);
    tell(s, 0, 0, 0); /* a table that names none: all are unknown again */
    watch(s, &first, &others);
    assert_int_equal(first + others, 0);
    engine_rig_free(s);
}

/* Unknown is neither below nor above, and `not` does not make it known. */
static void unknown_sentiment_holds_nowhere(void **state)
{
    (void)state;
    int first = 0, others = 0;
    struct engine_rig *s = engine_rig_new(7);
    assert_int_equal(add_rule(s, "avoid\nnot sentiment > -1\nx"), ERR_NONE);
    watch(s, &first, &others);
    assert_int_equal(first + others, 0);
    engine_rig_free(s);
}

static void old_sentiment_is_unknown(void **state)
{
    (void)state;
    struct engine_rig *s = engine_rig_new(7);
    int64_t until_us = s->now.wall_us + 10 * USEC_PER_MIN;
    engine_rig_step(s, NULL);
    tell(s, 0.4, until_us, 1);
    struct symbol symbol = s->settings.symbols[0];
    s->engine->now = &s->now;
    for (int64_t wall_us = until_us - 2; wall_us < until_us + 2; wall_us++) {
        s->now.wall_us = wall_us;
        assert_true(isnan(engine_sentiment(s->engine, symbol)) == (wall_us >= until_us));
    }
    struct symbol other = {"XYZ-USD"};
    s->now.wall_us = until_us - 1;
    assert_true(isnan(engine_sentiment(s->engine, other)));
    assert_true(isnan(engine_sentiment(s->engine, s->settings.symbols[1])));
    engine_rig_free(s);
}

/* ---------------------------------------------------------------- driver, journal, replay */

static void publish(struct recorder_rig *f, double score, int64_t lives_us)
{
    struct sentiment_values *draft = mailbox_draft(f->shared.sentiment);
    draft->count = 0;
    for (int i = 0; i < f->settings.symbol_count; i++) {
        draft->values[draft->count++] =
            (struct sentiment_value){.symbol = f->settings.symbols[i],
                                     .score = i % 2 == 0 ? score : -score,
                                     .until_us = clock_wall_us(&f->clock.clock) + lives_us};
    }
    mailbox_publish(f->shared.sentiment);
}

/* Of the first run: 0, or the error of the replay. */
static int replay_first(struct recorder_rig *f, int64_t *ret_decisions, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_REPLAY struct replay *replay = NULL;
    int rc = recorder_find(f->folder, 1, &path, err);
    rc = rc < 0 ? rc : replay_open(path.data, NULL, &replay, err);
    while (rc >= 0 && (rc = replay_step(replay, err)) > 0) {}
    *ret_decisions = rc < 0 ? 0 : replay_count(replay)->decisions;
    return rc;
}

static int64_t vetoes_of_rules(const struct recorder_rig *f)
{
    return engine_state(driver_engine(f->driver))->vetoes;
}

static int64_t run(struct recorder_rig *f, bool tells)
{
    struct request rule = {.kind = REQUEST_RULE_ADD};
    (void)str_copy(STR_LIT("avoid\nsentiment < 0\nbad news"), rule.text, sizeof(rule.text));
    recorder_rig_run(f, 60);
    recorder_rig_ask(f, &rule);
    struct request active = {.kind = REQUEST_RULE_STATUS, .number = 1};
    (void)str_copy(STR_LIT("active"), active.text, sizeof(active.text));
    recorder_rig_ask(f, &active);
    for (int i = 0; i < 6; i++) {
        if (tells) {
            publish(f, i % 2 == 0 ? -0.75 : 0.25, 20 * USEC_PER_MIN);
        }
        recorder_rig_run(f, 120);
    }
    return vetoes_of_rules(f);
}

static void a_run_with_sentiment_replays_identically(void **state)
{
    (void)state;
    struct recorder_rig f;
    struct err err = {0};
    int64_t decisions = 0;
    recorder_rig_open(&f, NULL, 0);
    int64_t with = run(&f, true);
    assert_int_equal(replay_first(&f, &decisions, &err), 0);
    assert_int_equal(decisions, engine_state(driver_engine(f.driver))->decisions);
    recorder_rig_close(&f);
    /* The same market without it decides otherwise, so the replay has used what was recorded. */
    recorder_rig_open(&f, NULL, 0);
    int64_t without = run(&f, false);
    recorder_rig_close(&f);
    assert_true(with > without);
}

/* ---------------------------------------------------------------- back-tests */

#define FROM INT64_C(1735689600000000) /* 2025-01-01 */

/* A file of one value for all symbols, from at_us on; "": no file. */
static void write_history(const struct settings *s, int64_t at_us, const char *path)
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    buf_add_c(&text, "received,symbol,score,until\n");
    for (int i = 0; i < s->symbol_count; i++) {
        clock_add_iso(&text, at_us, true);
        buf_addf(&text, ",%s,0.9,2027-01-01\n", s->symbols[i].name);
    }
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
}

/* Of three days, with a model that reads the sentiment; at_us 0: without a history. */
static struct dec trade(int64_t at_us)
{
    char folder[] = "/var/tmp/nd-mood-XXXXXX";
    char model[64], history[64];
    struct settings settings;
    struct simulated market;
    struct err err = {0};
    AUTO_BUF struct buf text = BUF_INIT(8192);
    AUTO_PREDICTOR struct predictor *predictor = NULL;
    AUTO_SENTIMENT_HISTORY struct sentiment_history *known = NULL;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(model, sizeof(model), "%s/m", folder);
    (void)snprintf(history, sizeof(history), "%s/h", folder);
    driver_rig_settings(&settings);
    stump_model_on(FEATURE_SENTIMENT, 0, -4, 4, &text);
    assert_int_equal(file_write(model, buf_str(&text), 0600, NULL), 0);
    assert_int_equal(predictor_load(model, &predictor, &err), 0);
    if (at_us != 0) {
        write_history(&settings, at_us, history);
        assert_int_equal(sentiment_history_load(history, &known, &err), 0);
    }
    simulated_init(&market, 7, settings.symbols, settings.symbol_count, FROM);
    struct backtest *b = backtest_new(&(struct backtest_options){.settings = &settings,
                                                                 .venue = &driver_rig_venue,
                                                                 .source = &market.source,
                                                                 .predictor = predictor,
                                                                 .sentiment = known,
                                                                 .to_us = FROM + 3 * USEC_PER_DAY});
    assert_int_equal(backtest_run(b, &err), 0);
    struct dec equity = backtest_result(b)->performance.equity;
    backtest_free(b);
    assert_int_equal(file_remove_tree(folder, NULL), 0);
    return equity;
}

/* What was received after the end of a back-test changes nothing in it. */
static void a_backtest_knows_what_was_received(void **state)
{
    (void)state;
    struct dec without = trade(0), with = trade(FROM + USEC_PER_DAY);
    struct dec later = trade(FROM + 3 * USEC_PER_DAY + USEC_PER_MIN);
    assert_int_equal(later.e8, without.e8);
    assert_int_not_equal(with.e8, without.e8);
}

UNIT_GROUP(sentiment, cmocka_unit_test(a_backtest_knows_what_was_received),
           cmocka_unit_test(a_rule_compares_the_sentiment_of_its_symbol),
           cmocka_unit_test(unknown_sentiment_holds_nowhere),
           cmocka_unit_test(old_sentiment_is_unknown),
           cmocka_unit_test(a_run_with_sentiment_replays_identically))
