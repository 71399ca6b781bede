#include "base/check.h"
#include "rigs/golden.h"
#include "steer_rig.h"
#include "store/decision_table.h"

#include <string.h>

/* The replies of the embedded commands as programs get them. The tests of chat render the same
 * files for people. */

static void add_decision(struct steer_rig *s, int64_t id, enum outcome outcome)
{
    struct decision d = {.id = id,
                         .at_us = RIG_WALL_US - id * USEC_PER_HOUR,
                         .price = steer_rig_dec("64120.5"),
                         .regime = REGIME_TRENDING,
                         .direction = DIRECTION_LONG,
                         .score = 0.41,
                         .threshold = 0.35,
                         .outcome = outcome,
                         .qty = steer_rig_dec("0.0031"),
                         .stop = steer_rig_dec("62838.1"),
                         .target = steer_rig_dec("66685.3"),
                         .veto_max_qty = steer_rig_dec("0.002"),
                         .vote_count = 3};
    assert_true(symbol_parse(STR_LIT("BTC-USD"), &d.symbol));
    static const char *const agents[] = {"bull", "bear", "predict"};
    static const enum direction directions[] = {DIRECTION_LONG, DIRECTION_NONE, DIRECTION_SHORT};
    for (int i = 0; i < d.vote_count; i++) {
        struct vote *v = &d.votes[i];
        (void)snprintf(v->agent, sizeof(v->agent), "%s", agents[i]);
        v->direction = directions[i];
        v->confidence = 0.9 - 0.4 * i;
        v->weight = 0.5;
        v->reason_count = 1;
        (void)snprintf(v->reasons[0].indicator, sizeof(v->reasons[0].indicator), "rsi14");
        v->reasons[0].value = 28.1;
        v->reasons[0].threshold = 30;
        v->reasons[0].points = 0.3 - 0.2 * i;
    }
    if (outcome == OUTCOME_VETOED) {
        (void)snprintf(d.veto_code, sizeof(d.veto_code), "RISK_EXPOSURE");
        (void)snprintf(d.veto_text, sizeof(d.veto_text), "exposure would be 80 %%");
    }
    assert_int_equal(decision_table_add(s->engine_store, &d, NULL), 0);
}

static void check(struct steer_rig *s, const char *line, const char *name)
{
    AUTO_BUF struct buf out = BUF_INIT((size_t)1 << 20);
    AUTO_BUF struct buf file = BUF_INIT(64);
    AUTO_JSON struct json_object *json = NULL;
    steer_rig_send(s, &s->rig.adam, line);
    const char *text = s->full;
    assert_int_equal(
        json_parse(str_n(text, strcspn(text, "\n")), &JSON_LIMITS_DEFAULT, &json, NULL), 0);
    buf_addf(&out, "%s\n",
             json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
    buf_addf(&file, "%s.json", name);
    golden_check(file.data, buf_str(&out));
}

static void replies_match_the_golden_files(void **state)
{
    struct steer_rig *s = *state;
    add_decision(s, 1, OUTCOME_HOLD);
    add_decision(s, 2, OUTCOME_VETOED);
    for (int64_t id = 1; id <= 12; id++) {
        steer_rig_add_trade(s, id, id % 3 == 0 ? "-4.1" : "2.39",
                            RIG_WALL_US - (13 - id) * USEC_PER_HOUR);
    }
    steer_rig_publish_plain(s, 1);
    static const struct {
        const char *line;
        const char *name;
    } cases[] = {
        {"/status", "account"},
        {"/positions", "positions"},
        {"/trades", "trades"},
        {"/risk", "risk"},
        {"/why d2", "why"},
        {"/decisions", "decisions"},
        {"/rules words", "rules"},
        {"/whoami", "whoami"},
        {"/version", "version"},
        {"/help why", "help_why"},
        {"/auditlog", "auditlog"},
        {"/balance", "balance"},
        {"/profit", "profit"},
        {"/daily 3", "daily"},
        {"/performance exit", "performance"},
        {"/limits", "limits"},
        {"/cooldown", "cooldown"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check(s, cases[i].line, cases[i].name);
    }
}

/* The pages of /trades meet without a gap and end. */
static void trades_come_in_pages(void **state)
{
    struct steer_rig *s = *state;
    for (int64_t id = 1; id <= 12; id++) {
        steer_rig_add_trade(s, id, "1", RIG_WALL_US + id);
    }
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.adam, "/trades 10");
    assert_has(s->full, "\"next\":\"/trades 10 3\"");
    steer_rig_send(s, &s->rig.adam, "/trades 10 3");
    assert_has(s->full, "2 trades before number 3");
    assert_lacks(s->full, "\"page\"");
    assert_lacks(s->full, "\n3\t");
}

UNIT_GROUP(trading_golden, STEER_RIG_TEST(replies_match_the_golden_files),
           STEER_RIG_TEST(trades_come_in_pages))
