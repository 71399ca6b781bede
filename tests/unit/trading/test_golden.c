#include "base/check.h"
#include "rigs/golden.h"
#include "steer_rig.h"
#include "store/decision_table.h"
#include "store/order_table.h"
#include "store/rule_table.h"

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

static void add_order(struct steer_rig *s, int number, enum order_kind kind, int64_t run_id)
{
    struct order o = {.kind = kind,
                      .side = SIDE_LONG,
                      .state = ORDER_FILLED,
                      .qty = steer_rig_dec("0.0031"),
                      .reference_price = steer_rig_dec("64119"),
                      .filled_qty = steer_rig_dec("0.0031"),
                      .average_price = steer_rig_dec("64120.5"),
                      .created_us = RIG_WALL_US + number * USEC_PER_MIN,
                      .updated_us = RIG_WALL_US + number * USEC_PER_MIN,
                      .run_id = run_id};
    (void)symbol_parse(str_c("BTC-USD"), &o.symbol);
    (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%d", number);
    (void)snprintf(o.reason, sizeof(o.reason), "%s", run_id == 0 ? "signal" : "operator");
    assert_int_equal(order_table_write(s->engine_store, &o, NULL), 0);
}

static void check(struct steer_rig *s, const char *line, const char *name)
{
    steer_rig_send(s, &s->rig.adam, line);
    golden_check_reply(name, s->full, NULL);
}

/* Sends a line that asks first, and checks its prompt, whose code differs from run to run. */
static void check_prompt(struct steer_rig *s, const char *line, const char *name)
{
    steer_rig_send(s, &s->rig.adam, line);
    golden_check_reply(name, s->full, (const char *const[]){runner_rig_code(&s->rig), NULL});
}

/* The engine accepts the newest request; the test has published what follows. */
static void accept(struct steer_rig *s)
{
    const struct request r = steer_rig_next_request(s);
    steer_rig_answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, USEC_PER_SEC);
}

/* The same for a command whose reply waits for the engine. */
static void check_accepted(struct steer_rig *s, const char *line, const char *name)
{
    steer_rig_send(s, &s->rig.adam, line);
    accept(s);
    golden_check_reply(name, s->full, NULL);
}

static void replies_match_the_golden_files(void **state)
{
    struct steer_rig *s = *state;
    add_decision(s, 1, OUTCOME_HOLD);
    add_decision(s, 2, OUTCOME_VETOED);
    add_order(s, 1, ORDER_ENTRY, 0);
    add_order(s, 2, ORDER_CLOSE, 12);
    for (int64_t id = 1; id <= 12; id++) {
        steer_rig_add_trade(s, id, id % 3 == 0 ? "-4.1" : "2.39",
                            RIG_WALL_US - (13 - id) * USEC_PER_HOUR);
    }
    steer_rig_publish_plain(s, 1);
    static const struct {
        const char *line;
        const char *name;
    } cases[] = {
        {"/status", "status"},   {"/positions", "positions"}, {"/trades", "trades"},
        {"/risk", "risk"},       {"/why d2", "why"},          {"/decisions", "decisions"},
        {"/orders", "orders"},   {"/rules words", "rules"},   {"/whoami", "whoami"},
        {"/version", "version"}, {"/help why", "help_why"},   {"/auditlog", "auditlog"},
        {"/balance", "balance"}, {"/profit", "profit"},       {"/daily 3", "daily"},
        {"/weekly 2", "weekly"}, {"/monthly 2", "monthly"},   {"/performance exit", "performance"},
        {"/stats", "stats"},     {"/limits", "limits"},       {"/cooldown", "cooldown"},
        {"/live", "live"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check(s, cases[i].line, cases[i].name);
    }
}

/* Where the stop of each position is, at a venue at which it can rest. */
static void stops_at_the_venue_match_the_golden_files(void **state)
{
    static const struct {
        const char *name;
        struct snapshot_legs legs;
    } cases[] = {
        {"positions_legs", {.stop_at_venue = true, .target_at_venue = true}},
        {"positions_stop", {.stop_at_venue = true, .reason = "the venue holds one order for it"}},
        {"positions_kept", {.reason = "its entry is still open"}},
    };
    struct steer_rig *s = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct snapshot *n = steer_rig_draft(s);
        steer_rig_add_position(n);
        n->venue.brackets = false;
        n->legs[0] = cases[i].legs;
        steer_rig_publish(s);
        check(s, "/positions", cases[i].name);
        n->venue.brackets = true;
    }
}

static void hours_of_stocks_match_the_golden_files(void **state)
{
    static const struct {
        const char *name;
        enum venue_hours hours;
    } cases[] = {{"status_closed", VENUE_HOURS_CLOSED}, {"status_extended", VENUE_HOURS_EXTENDED}};
    struct steer_rig *s = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct snapshot *n = steer_rig_draft(s);
        n->venue.since_wall_us = RIG_WALL_US - USEC_PER_HOUR;
        n->venue.hours = cases[i].hours;
        n->venue.hours_change_wall_us = RIG_WALL_US + 15 * USEC_PER_HOUR;
        steer_rig_publish(s);
        check(s, "/status", cases[i].name);
        n->venue.hours = VENUE_HOURS_NONE;
    }
}

/* As the engine does with a new rule. */
static void save_rule(struct steer_rig *s, const struct request *r, enum rule_status status)
{
    AUTO_FREE struct rule_book *book = calloc(1, sizeof(*book));
    struct condition program;
    assert_non_null(book);
    book->rule_count = 1;
    assert_int_equal(rule_read(str_c(r->text), &book->rules[0], &program, NULL), 0);
    book->rules[0].id = 3;
    book->rules[0].status = status;
    (void)str_copy(STR_LIT("adam"), book->rules[0].created_by, sizeof(book->rules[0].created_by));
    assert_int_equal(rule_table_save(s->engine_store, book, NULL), 0);
}

static void rules_match_the_golden_files(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.adam, "/rule_add avoid \"rsi14@1h > 70\" \"no chasing\"");
    const struct request r = steer_rig_next_request(s);
    save_rule(s, &r, RULE_TESTING);
    steer_rig_answer(s, &r, ERR_NONE);
    golden_check_reply("rule_add", s->full, NULL);
    check_prompt(s, "/rule_activate 3", "rule_activate");
    check_prompt(s, "/rule_retire 3", "rule_retire");
    save_rule(s, &r, RULE_ACTIVE);
    check_prompt(s, "/rule_test 3", "rule_test");
}

static void cooldowns_match_the_golden_files(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.adam, "/cooldown_set BTC-USD 6h");
    struct snapshot *n = steer_rig_draft(s);
    n->risk.symbol_count = 1;
    n->risk.symbols[0].symbol = n->markets[0].symbol;
    n->risk.symbols[0].cooldown_until_us = n->market_us + 6 * USEC_PER_HOUR;
    steer_rig_publish(s);
    accept(s);
    golden_check_reply("cooldown_set", s->full, NULL);
    check_prompt(s, "/cooldown_lift BTC-USD", "cooldown_lift");
}

static void steering_matches_the_golden_files(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    check_accepted(s, "/pause", "pause");
    check_accepted(s, "/resume", "resume");
    check_prompt(s, "/amend BTC-USD stop=63500 target=67000", "amend");
    check_prompt(s, "/emergency_stop", "emergency_stop");
    steer_rig_send(s, &s->rig.adam, "/golive"); /* who has no second factor */
    golden_check_reply("golive", s->full, NULL);
    steer_rig_send(s, &s->rig.adam, "/capital 250");
    golden_check_reply("capital", s->full, NULL);
    check_prompt(s, "/close 1", "close");
    steer_rig_confirm(s, &s->rig.adam);
    steer_rig_add_trade(s, 1, "2.39", RIG_WALL_US + USEC_PER_DAY);
    steer_rig_draft(s)->venue_agrees = true;
    steer_rig_publish(s);
    accept(s);
    golden_check_reply("close_done", s->full, NULL);
    check_accepted(s, "/cancel_orders", "cancel_orders");

    struct snapshot *n = steer_rig_draft(s);
    n->state = TRADING_EMERGENCY;
    n->verified_flat = true;
    steer_rig_publish(s);
    check_prompt(s, "/clear_emergency", "clear_emergency");
}

/* Rows of the audit log, with filters and buttons to other pages. */
static void the_audit_log_matches_the_golden_files(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.rita, "/pause");
    steer_rig_send(s, &s->rig.alice, "/close BTC-USD");
    steer_rig_confirm(s, &s->rig.alice);
    accept(s);
    loop_advance(s->rig.loop, 40 * USEC_PER_SEC);
    steer_rig_send(s, &s->rig.alice,
                   "/rule_add avoid \"rsi14@1h > 70 and side == long\" \"no chasing\"");
    check(s, "/auditlog", "auditlog_rows");
    check(s, "/auditlog 2 user=alice command=close run=1 before=6", "auditlog_page");
    check(s, "/auditlog result=failed", "auditlog_failed");
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
           STEER_RIG_TEST(stops_at_the_venue_match_the_golden_files),
           STEER_RIG_TEST(hours_of_stocks_match_the_golden_files),
           STEER_RIG_TEST(steering_matches_the_golden_files),
           STEER_RIG_TEST(cooldowns_match_the_golden_files),
           STEER_RIG_TEST(rules_match_the_golden_files),
           STEER_RIG_TEST(the_audit_log_matches_the_golden_files),
           STEER_RIG_TEST(trades_come_in_pages))
