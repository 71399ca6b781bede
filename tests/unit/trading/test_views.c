/* The actions that only read: none of them sends a request to the engine. */
#include "base/check.h"
#include "steer_rig.h"
#include "store/decision_table.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/rule_table.h"

#include <string.h>

static void status_part(struct buf *out, struct json_object *data, void *userdata)
{
    buf_add_c(out, userdata);
    (void)json_object_object_add(data, "piece", json_object_new_boolean(true));
}

static void status_shows_the_account(void **state)
{
    struct steer_rig *s = *state;
    static char services[] = "Services 4/4 up";
    static char alerts[] = "Alerts 1 high";
    desk_add_status_line(s->desk, status_part, services);
    desk_add_status_line(s->desk, status_part, alerts);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(s->full, "has not reported yet");
    assert_has(s->full, "Services 4/4 up   Alerts 1 high");
    assert_lacks(s->full, "\"tone\":\"busy\""); /* a console that is a pipe would not show it */

    struct snapshot *early = steer_rig_draft(s);
    early->state = TRADING_STARTING;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(s->full, "⏳ nightdesk · paper · starting");
    assert_has(s->full, "Equity");
    assert_lacks(s->full, "\"tone\":\"busy\"");

    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.rita, "/status");
    const char *text = s->full;
    assert_has(text, "nightdesk · paper · up 2 d 4 h");
    assert_has(text, "\"tone\":\"good\"");
    assert_has(text, "Equity\t$10,412.88 (+4.1 %)\nToday\t−$4.10 (−0.04 %)");
    assert_has(text, "Drawdown\t1.8 % of 15 %\nExposure\t3.9 %, positions 1 of 3");
    assert_has(text,
               "BTC-USD long 0.0031 @ 64,120.5\n  +$2.39 (+1.2 %)\n  SL 62,838.1  TP 66,685.3");
    assert_has(text, "Services 4/4 up   Alerts 1 high");
    assert_has(text, "\"command\":\"/pause\"");
    assert_has(text, "\"protect\":true");
    assert_lacks(text, "Market time");
    assert_has(text, "\"day_start_equity\"");
    /* The message has no data: writing and reading it took as long as the rest of a reply. */
    assert_lacks(runner_rig_last(&s->rig), "\"day_start_equity\"");
}

static void setting_the_clock_does_not_change_the_uptime(void **state)
{
    struct steer_rig *s = *state;
    static const int64_t jumps[] = {-60 * USEC_PER_DAY, 200 * USEC_PER_DAY};
    for (size_t i = 0; i < COUNT_OF(jumps); i++) {
        steer_rig_publish_plain(s, 0);
        clock_fake_jump_wall(&s->rig.clock, jumps[i]);
        steer_rig_send(s, &s->rig.rita, "/status");
        assert_has(s->full, "nightdesk · paper · up 2 d 4 h");
    }
}

static void status_shows_refused_candles(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_lacks(s->full, "refused:");
    assert_has(s->full, "\"market_ended\":false");

    struct snapshot *n = steer_rig_draft(s);
    n->market_count = 2;
    (void)symbol_parse(str_c("BTC-USD"), &n->markets[0].symbol);
    (void)symbol_parse(str_c("ETH-USD"), &n->markets[1].symbol);
    n->markets[0].refused = 10;
    n->markets[0].refused_impossible = 1;
    n->markets[0].refused_backward = 2;
    n->markets[0].refused_stale = 3;
    n->markets[0].refused_future = 4;
    n->markets[1].refused = 5;
    n->markets[1].refused_stale = 5;
    n->markets[1].suspect = true;
    n->markets[0].gaps = 4;
    n->markets[1].gaps = 5;
    n->source_refused = 7;
    n->source_duplicates = 8;
    n->market_ended = true;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/status");
    const char *text = s->full;
    assert_has(text, "BTC-USD candles refused: 1 impossible, 2 not newer than the last, 3 stale, "
                     "4 from the future");
    assert_has(text,
               "ETH-USD candles refused: 5 stale; no new positions until a valid one arrives");
    assert_has(text, "Candles: refused rows 7, duplicates 8, missing 9");
    assert_has(text, "The market has no more candles: no new positions are opened.");
    assert_has(text, "\"market_ended\":true");
}

static void the_market_time_is_shown_unless_it_is_real_time(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_draft(s)->market_speed = 60;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(s->full, "Market time 2026-11-19 11:06 (60× real time)");
}

static void the_footer_shows_the_state(void **state)
{
    struct steer_rig *s = *state;
    static const struct {
        enum trading_state state;
        const char *footer;
        const char *title;
    } cases[] = {
        {TRADING_PAUSED, "\"footer\":\"⏸ because\"", "⏸ nightdesk"},
        {TRADING_BREAKER, "\"footer\":\"⏸ breaker: because\"", "⏸ nightdesk"},
        {TRADING_EMERGENCY, "\"footer\":\"⛔ because\"", "⛔ nightdesk"},
        {TRADING_ACTIVE, "\"footer\":\"\"", "\"nightdesk"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct snapshot *n = steer_rig_draft(s);
        n->state = cases[i].state;
        (void)snprintf(n->state_reason, sizeof(n->state_reason), "because");
        steer_rig_publish(s);
        steer_rig_send(s, &s->rig.rita, "/version");
        assert_has(s->full, cases[i].footer);
        steer_rig_send(s, &s->rig.rita, "/status");
        assert_has(s->full, cases[i].title);
    }
}

/* A full disk stops trading, but is not a trading state. */
static void a_disk_failure_is_shown(void **state)
{
    struct steer_rig *s = *state;
    struct snapshot *n = steer_rig_draft(s);
    n->state = TRADING_ACTIVE;
    n->last_err = ERR_ENGINE_JOURNAL;
    (void)snprintf(n->state_reason, sizeof(n->state_reason),
                   "nothing opens or closes: trading.db cannot be written");
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(s->full, "\"tone\":\"bad\"");
    assert_has(s->full, "\"footer\":\"🔴 nothing opens or closes");

    /* The disk error is also shown while trading is paused. */
    n = steer_rig_draft(s);
    n->state = TRADING_PAUSED;
    n->disk = (struct snapshot_disk){.state = DISK_FAILED, .err = ERR_DB_FULL, .closes = true};
    (void)snprintf(n->state_reason, sizeof(n->state_reason),
                   "disk: trading.db could not be written");
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(s->full, "\"tone\":\"bad\"");
    assert_has(s->full, "⚠ disk failed: DB_FULL, since ");
    assert_has(s->full, "No new positions; stops, closing and an emergency stop work.");
    assert_has(s->full, "\"disk\":{\"state\":\"failed\",\"error_code\":\"DB_FULL\"");
    steer_rig_send(s, &s->rig.rita, "/version");
    assert_has(s->full, "\"footer\":\"⏸ disk: trading.db could not be written · 🔴 disk "
                        "failed: DB_FULL\"");
}

/* Figures from before the engine fell silent are marked as old. */
static void a_silent_engine_gives_replies_a_red_title(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_add_trade(s, 1, "2.39", RIG_WALL_US);
    steer_rig_publish_plain(s, 1);
    loop_advance(s->rig.loop, 4 * USEC_PER_SEC);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(s->full, "\"title\":\"nightdesk");
    assert_has(s->full, "\"age_ms\":4000,\"stale\":false");
    assert_has(s->full, "\"footer\":\"\"");

    loop_advance(s->rig.loop, 36 * USEC_PER_SEC);
    static const char *const lines[] = {
        "/status", "/positions",      "/trades",    "/decisions",
        "/risk",   "/emergency_stop", "/close all", "/amend BTC-USD stop=60000"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        steer_rig_send(s, &s->rig.adam, lines[i]);
        assert_has(s->full, "\"title\":\"engine silent for 40 s, numbers from ");
        assert_has(s->full, "\"tone\":\"bad\"");
        assert_has(s->full, "\"stale\":true");
    }
    assert_has(s->full, "[\"Confirm: amend BTC-USD ");
    steer_rig_send(s, &s->rig.adam, "/version"); /* shows no figures, but has the footer */
    assert_lacks(s->full, "\"title\":\"engine");
    assert_has(s->full, "\"footer\":\"🔴 engine silent for 40 s");
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "status", false), 0);
    assert_has(s->rig.reply_text, "\"title\":\"engine silent for 40 s");
    assert_int_equal(runner_rig_call(&s->rig, &s->rig.adam, "pause", false), 0);
    (void)steer_rig_next_request(s);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_int_equal(s->rig.reply_err, ERR_STEP_TIMEOUT);
    assert_has(s->rig.reply_text, "\"title\":\"engine silent for 5");

    /* A heartbeat does not make old figures current. */
    atomic_store(&s->shared.engine_beat_mono_us, s->rig.clock.now_mono_us);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(s->full, "\"title\":\"engine silent for ");
    steer_rig_publish_plain(s, 1);
    clock_fake_jump_wall(&s->rig.clock, -USEC_PER_HOUR);
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(s->full, "\"title\":\"nightdesk");
}

static void positions_have_units(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_send(s, &s->rig.rita, "/positions");
    assert_has(s->full, "ENGINE_SILENT");
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/positions");
    assert_has(s->full, "No position is open.");
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.rita, "/positions");
    assert_has(s->full, "Positions 1 of 3");
    assert_has(s->full, "+$2.39");
    assert_has(s->full, "1 h 30 min");
    assert_has(s->full, "/close BTC-USD");
}

/* BTC-USD is in tier 1 and has exposure; SOL-USD is in tier 3 and in cooldown. */
static void draft_risk(struct snapshot *n)
{
    n->risk_state = RISK_ACTIVE;
    n->liquidation_distance_pct = 8.04;
    n->daily_loss_pct = -1;
    n->max_daily_loss_pct = 5;
    n->risk.symbols[0] = (struct snapshot_symbol){
        .symbol = {"BTC-USD"}, .exposure_pct = 31.24, .liquidation_distance_pct = 8.04};
    n->risk.symbols[1] = (struct snapshot_symbol){
        .symbol = {"SOL-USD"}, .tier = 2, .cooldown_until_us = n->market_us + 12 * USEC_PER_MIN};
    n->risk = (struct snapshot_risk){
        .exposure_pct = 31.24,
        .max_exposure_pct = 75,
        .max_position_pct = 25,
        .tiers = {{31.24, 50, 30}, {0, 40, 20}, {0, 20, 10}},
        .symbol_count = 2,
        .symbols = n->risk.symbols,
        .leverage = 0.3124,
        .max_leverage = 3,
        .initial_margin_pct = 10.4,
        .min_liquidation_distance_pct = 5,
        .max_correlation = 0.7,
        .losses_in_a_row = 1,
        .max_consecutive_losses = 10,
        .orders_lately = 2,
        .max_orders_per_minute = 10,
        .cooldown_us = 30 * USEC_PER_MIN,
    };
}

static void risk_shows_limits_and_their_use(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_send(s, &s->rig.rita, "/risk");
    assert_has(s->full, "ENGINE_SILENT");
    struct snapshot *n = steer_rig_draft(s);
    n->position_count = 1;
    (void)symbol_parse(str_c("BTC-USD"), &n->positions[0].symbol);
    draft_risk(n);
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/risk");
    const char *text = s->full;
    assert_has(text, "Risk: ACTIVE");
    assert_has(text, "exposure\t31.2 %\t≤ 75.0 %");
    assert_has(text, "tier 1\t31.2 %\t≤ 50.0 %");
    assert_has(text, "BTC-USD\t31.2 %\t≤ 25.0 %");
    assert_has(text, "SOL-USD\t0.0 %\t≤ 10.0 %");
    assert_has(text, "leverage\t0.31×\t≤ 3.00×");
    assert_has(text, "liquidation\t8.0 %\t≥ 5.0 %");
    assert_has(text, "correlation\t–\t≤ 0.70");
    assert_has(text, "daily loss\t0.0 %\t≤ 5.0 %");
    assert_has(text, "entries/min\t2\t≤ 10");
    assert_has(text, "⚠ BTC-USD: liquidation is 8.0 % away");
    assert_has(text, "closes it below 3 %");
    assert_has(text, "SOL-USD: cooldown, no entries for 12 min");
    assert_has(text, "{\"code\":\"RISK_LEVERAGE\",\"option\":\"risk.max_leverage\"");
    assert_has(text, "\"name\":\"leverage\",\"use\":0.3");
    assert_has(text, "\"name\":\"correlation\",\"use\":null");
    assert_lacks(text, "/resume");
}

static void risk_shows_why_no_positions_are_opened(void **state)
{
    struct steer_rig *s = *state;
    struct snapshot *n = steer_rig_draft(s);
    draft_risk(n);
    n->risk.symbols[1].cooldown_until_us = 0;
    n->state = TRADING_BREAKER;
    n->risk_state = RISK_REDUCING;
    (void)snprintf(n->state_reason, sizeof(n->state_reason), "daily loss 5.10 %% of 5.00 %%");
    n->foreign_count = 1;
    n->foreign[0] = (struct snapshot_foreign){
        .symbol = {"ETH-USD"}, .side = SIDE_SHORT, .qty = dec_from_int(2)};
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/risk");
    const char *text = s->full;
    assert_has(text, "Risk: REDUCING");
    assert_has(text, "(breaker: daily loss 5.10 % of 5.00 %)");
    assert_has(text, "The venue holds ETH-USD short 2, not opened by the bot");
    assert_has(text, "No symbol is in cooldown. A cooldown lasts 30 min after a trade.");
    assert_has(text, "liquidation\t–\t≥ 5.0 %");
    assert_has(text, "\"command\":\"/resume\"");

    n = steer_rig_draft(s);
    draft_risk(n);
    n->risk_state = RISK_HALTED;
    n->books_balance = false;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/risk");
    assert_has(s->full, "Risk: HALTED");
    assert_has(s->full, "the books do not balance");
    assert_has(s->full, "\"risk_state\":\"halted\"");
}

static void trades_add_up(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/trades");
    assert_has(s->full, "No trades yet");
    steer_rig_add_trade(s, 1, "2.5", RIG_WALL_US);
    steer_rig_add_trade(s, 2, "-1", RIG_WALL_US + 1);
    steer_rig_send(s, &s->rig.rita, "/trades");
    assert_has(s->full, "Last 2 trades");
    assert_has(s->full, "All 2: 1 won (50 %), result +$1.50, fees $0.40");
    steer_rig_send(s, &s->rig.rita, "/trades 1");
    assert_has(s->full, "Last trade");
    steer_rig_send(s, &s->rig.rita, "/trades 51");
    assert_has(s->full, "COMMAND_ARG_INVALID");
    steer_rig_send(s, &s->rig.rita, "/trades many");
    assert_has(s->full, "many is not a whole number");
}

static struct decision a_decision(int64_t id)
{
    struct decision d = {.id = id,
                         .at_us = RIG_WALL_US + id,
                         .price = steer_rig_dec("64120.5"),
                         .regime = REGIME_TRENDING,
                         .vote_count = 1,
                         .score = 0.41,
                         .threshold = 0.35,
                         .direction = DIRECTION_LONG};
    (void)symbol_parse(str_c("BTC-USD"), &d.symbol);
    struct vote *v = &d.votes[0];
    (void)snprintf(v->agent, sizeof(v->agent), "bull");
    v->direction = DIRECTION_LONG;
    v->confidence = 0.41;
    v->weight = 0.5;
    v->reason_count = 1;
    (void)snprintf(v->reasons[0].indicator, sizeof(v->reasons[0].indicator), "rsi14");
    v->reasons[0].value = 28.1;
    v->reasons[0].threshold = 30;
    v->reasons[0].points = 0.3;
    return d;
}

static void why_shows_votes_reasons_veto_and_order(void **state)
{
    struct steer_rig *s = *state;
    struct err err = {0};
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/why");
    assert_has(s->full, "TRADE_UNKNOWN");

    struct decision d = a_decision(1);
    d.outcome = OUTCOME_ORDER;
    (void)snprintf(d.client_id, sizeof(d.client_id), "nd-1-1");
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    struct order order = {.kind = ORDER_ENTRY,
                          .side = SIDE_LONG,
                          .state = ORDER_FILLED,
                          .qty = steer_rig_dec("0.0031"),
                          .filled_qty = steer_rig_dec("0.0031"),
                          .average_price = steer_rig_dec("64120.5"),
                          .stop = steer_rig_dec("62838.1"),
                          .target = steer_rig_dec("66685.3"),
                          .decision_id = 1};
    order.symbol = d.symbol;
    (void)snprintf(order.client_id, sizeof(order.client_id), "nd-1-1");
    assert_int_equal(order_table_write(s->engine_store, &order, &err), 0);
    struct fill fill = {.venue_fill_id = "7",
                        .symbol = d.symbol,
                        .qty = order.qty,
                        .price = order.average_price,
                        .at_us = RIG_WALL_US};
    bool fresh = false;
    (void)snprintf(fill.client_id, sizeof(fill.client_id), "nd-1-1");
    assert_int_equal(fill_table_add(s->engine_store, &fill, &fresh, &err), 0);
    steer_rig_add_trade(s, 1, "2.5", RIG_WALL_US + 10);
    steer_rig_send(s, &s->rig.rita, "/why 1");
    assert_has(s->full, "Trade 1: BTC-USD long 0.0031, 64,120.5 → 64,891.5, +$2.50");
    assert_has(s->full, "score +0.41 of 0.35 · order");
    assert_has(s->full, "Score: (0.41×0.50) / 0.50 = +0.41; ±0.35 is needed");
    assert_has(s->full, "bull\t\t\t\n· rsi14\t28.10\t30.00\t+0.30");
    assert_has(s->full, "\"order\":{\"client_id\":\"nd-1-1\"");
    assert_has(s->full, "\"state\":\"filled\",\"type\":\"market\",\"time_in_force\":\"gtc\","
                        "\"post_only\":false,\"reduce_only\":false,\"price\":0,\"qty\":0.0031,");
    assert_has(s->full, "\"fills\":[{\"fill_id\":\"7\"");
    assert_has(s->full, "\"trade\":{\"id\":1,");
    assert_has(s->full, "Order nd-1-1: long 0.0031, filled 0.0031 @ 64,120.5");

    d = a_decision(2);
    d.outcome = OUTCOME_VETOED;
    (void)snprintf(d.veto_code, sizeof(d.veto_code), "RISK_MAX_POSITIONS");
    (void)snprintf(d.veto_text, sizeof(d.veto_text), "3 of 3 positions open");
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    steer_rig_send(s, &s->rig.rita, "/why btc-usd");
    assert_has(s->full, "Vetoed by RISK_MAX_POSITIONS: 3 of 3 positions open");
    d = a_decision(3);
    (void)snprintf(d.symbol.name, sizeof(d.symbol.name), "ETH-USD");
    d.score = -0.2;
    d.outcome = OUTCOME_HOLD;
    (void)snprintf(d.veto_text, sizeof(d.veto_text), "%s", "");
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    steer_rig_send(s, &s->rig.rita, "/why");
    assert_has(s->full, "score −0.20 of 0.35 · hold");
    assert_has(s->full, "BTC-USD +0.41, vetoed: RISK_MAX_POSITIONS");
    assert_has(s->full, "\"/why BTC-USD\"");
    steer_rig_send(s, &s->rig.rita, "/why 99");
    assert_has(s->full, "TRADE_UNKNOWN");
    steer_rig_send(s, &s->rig.rita, "/why \"no symbol\"");
    assert_has(s->full, "is not the number of a trade (12), of a decision (d12)");
    steer_rig_send(s, &s->rig.rita, "/why d2");
    assert_has(s->full, "Vetoed by RISK_MAX_POSITIONS");
    steer_rig_send(s, &s->rig.rita, "/why ND-1-1");
    assert_has(s->full, "Order nd-1-1: long 0.0031, filled 0.0031 @ 64,120.5");
    steer_rig_send(s, &s->rig.rita, "/why nd-1-99");
    assert_has(s->full, "what: no order nd-1-99");
    steer_rig_send(s, &s->rig.rita, "/why d99");
    assert_has(s->full, "TRADE_UNKNOWN");
}

static struct vote *add_vote(struct decision *d, const char *agent, enum direction direction,
                             double confidence, double weight)
{
    struct vote *v = &d->votes[d->vote_count++];
    *v = (struct vote){.direction = direction, .confidence = confidence, .weight = weight};
    (void)snprintf(v->agent, sizeof(v->agent), "%s", agent);
    return v;
}

static void add_reason(struct vote *v, const char *indicator, double value, double threshold,
                       double points)
{
    struct reason *why = &v->reasons[v->reason_count++];
    *why = (struct reason){.value = value, .threshold = threshold, .points = points};
    (void)snprintf(why->indicator, sizeof(why->indicator), "%s", indicator);
}

/* As stored by the engine: eight votes, a rule that matched, a veto. */
static struct decision a_full_decision(int64_t id)
{
    struct decision d = a_decision(id);
    d.vote_count = 0;
    struct vote *v = add_vote(&d, "data_sync", DIRECTION_NONE, 1, 0);
    add_reason(v, "bars_5m", 200, 200, .125);
    add_reason(v, "spread_pct", 0.04, 1, .125);
    v = add_vote(&d, "quant_analyst", DIRECTION_LONG, 1.0 / 3, 0);
    add_reason(v, "width_1h_pct", 5.25, 4, 0);
    v = add_vote(&d, "predict", DIRECTION_SHORT, .1, .5);
    add_reason(v, "p_up", .45, .5, .1);
    v = add_vote(&d, "bull", DIRECTION_LONG, .9, .6);
    add_reason(v, "rsi14", 28.1, 30, .4);
    v = add_vote(&d, "bear", DIRECTION_NONE, .3, .4);
    add_reason(v, "macd", -3.5, 1.25, .3);
    v = add_vote(&d, "decision_core", DIRECTION_LONG, .92, 0);
    d.score = (.6 * .9 - .5 * .1) / .6 + .1;
    add_reason(v, "score", d.score, .35, d.score);
    add_reason(v, "rules", .1, 0, 0);
    v = add_vote(&d, "risk_audit", DIRECTION_NONE, 0, 0);
    add_reason(v, "size", .0031, .001, 0);
    (void)add_vote(&d, "execution", DIRECTION_NONE, 0, 0);
    d.outcome = OUTCOME_VETOED;
    (void)snprintf(d.veto_code, sizeof(d.veto_code), "RISK_POSITION_SIZE");
    (void)snprintf(d.veto_text, sizeof(d.veto_text), "size 0.0031, at most 0.001");
    d.qty = steer_rig_dec("0.0031");
    d.stop = steer_rig_dec("62838.1");
    d.target = steer_rig_dec("66685.3");
    d.veto_max_qty = steer_rig_dec("0.001");
    d.rule_count = 2;
    d.rule_ids[0] = 1;
    d.rule_ids[1] = 77;
    return d;
}

static void why_shows_all_eight_agents(void **state)
{
    struct steer_rig *s = *state;
    struct err err = {0};
    steer_rig_publish_plain(s, 0);
    static struct rule_book book;
    book = (struct rule_book){.rule_count = 1, .last_rule_id = 1};
    book.rules[0] = (struct rule){.id = 1, .status = RULE_ACTIVE, .effect = RULE_FAVOUR};
    (void)snprintf(book.rules[0].condition, sizeof(book.rules[0].condition), "rsi14 < 30");
    (void)snprintf(book.rules[0].help, sizeof(book.rules[0].help), "buy what is sold out");
    assert_int_equal(rule_table_save(s->engine_store, &book, &err), 0);
    struct decision d = a_full_decision(5);
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    steer_rig_send(s, &s->rig.rita, "/why");
    const char *text = s->full;
    assert_has(text, "data_sync\tok\t1.00\t–");
    assert_has(text, "quant_analyst\tlong\t0.33\t–");
    assert_has(text, "predict\tshort\t0.10\t0.50");
    assert_has(text, "bear\t–\t0.30\t0.40");
    assert_has(text, "risk_audit\tveto\t0.00\t–");
    assert_has(text, "execution\t–\t0.00\t–");
    assert_has(text, "Score: (−0.10×0.50 + 0.90×0.60 + 0.00×0.40) / 0.60 + 0.10 by rules = +0.92; "
                     "±0.35 is needed");
    assert_has(text, "Vetoed by RISK_POSITION_SIZE: size 0.0031, at most 0.001");
    assert_has(text, "Wanted: long 0.0031  SL 62,838.1 TP 66,685.3");
    assert_has(text, "Largest quantity that would pass: 0.001");
    assert_has(text, "Rule 1 matched (favour, active): buy what is sold out");
    assert_has(text, "Rule 77 matched");
    assert_has(text, "Data: bars_5m 200, spread_pct 0.0400");
    assert_has(text, "Market: width_1h_pct 5.2500");
    assert_has(text, "\"indicator\":\"size\"");
    assert_has(text, "\"rule_ids\":[1,77]");

    d = a_full_decision(6);
    d.score = 1;
    d.votes[2].direction = DIRECTION_LONG;
    d.votes[5].reason_count = 1;
    d.votes[2].confidence = 1;
    d.outcome = OUTCOME_ORDER;
    (void)snprintf(d.client_id, sizeof(d.client_id), "nd-1-2");
    add_reason(&d.votes[7], "entry", .0031, 0, 1);
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    struct order order = {.kind = ORDER_CLOSE,
                          .side = SIDE_SHORT,
                          .state = ORDER_REJECTED,
                          .symbol = d.symbol,
                          .qty = steer_rig_dec("0.0031"),
                          .decision_id = 6};
    (void)snprintf(order.client_id, sizeof(order.client_id), "nd-1-2");
    (void)snprintf(order.reason, sizeof(order.reason), "too small");
    assert_int_equal(order_table_write(s->engine_store, &order, &err), 0);
    steer_rig_send(s, &s->rig.rita, "/why d6");
    text = s->full;
    assert_has(text, "= +1.00 (limited to 1); ±0.35");
    assert_has(text, "[\"risk_audit\",\"pass\"");
    assert_has(text, "[\"execution\",\"sent\"");
    assert_has(text, "Order nd-1-2: closes short 0.0031, rejected (too small)");
}

static void decisions_are_listed(void **state)
{
    struct steer_rig *s = *state;
    struct err err = {0};
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/decisions");
    assert_has(s->full, "No decisions yet");
    for (int64_t id = 1; id <= 12; id++) {
        struct decision d = a_decision(id);
        d.at_us = RIG_WALL_US + (id - 12) * USEC_PER_HOUR;
        d.score = id % 2 == 0 ? 0.41 : -0.2;
        d.regime = id % 2 == 0 ? REGIME_CHOPPY : REGIME_NEUTRAL;
        d.outcome = id == 12 ? OUTCOME_ORDER : id <= 3 ? OUTCOME_VETOED : OUTCOME_HOLD;
        if (id <= 3) {
            (void)snprintf(d.veto_code, sizeof(d.veto_code), "%s", id == 2 ? "RISK_B" : "RISK_A");
        }
        if (id % 3 == 0) {
            (void)snprintf(d.symbol.name, sizeof(d.symbol.name), "ETH-USD");
        }
        assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    }
    steer_rig_send(s, &s->rig.rita, "/decisions");
    const char *text = s->full;
    assert_has(text, "Last 10 decisions");
    assert_has(text, "11:06\tETH-USD\tchop\t+0.41\t0.35\torder");
    assert_has(text, "10:06\tBTC-USD\t–\t−0.20\t0.35\thold");
    assert_has(text, "\"/why d12\"");
    assert_null(strstr(text, "\"/why d11\"")); /* a hold has no button */
    assert_has(text, "{\"id\":3,");
    assert_null(strstr(text, "{\"id\":2,"));
    steer_rig_send(s, &s->rig.rita, "/decisions 12");
    text = s->full;
    assert_has(text, "Last 12 decisions");
    assert_has(text, "\"/why d2\"");
    assert_has(text, "\"veto\"]");
    assert_has(text, "Vetoes: 2 × RISK_A, 1 × RISK_B");
    steer_rig_send(s, &s->rig.rita, "/decisions eth-usd 3");
    text = s->full;
    assert_has(text, "Last 3 decisions");
    assert_null(strstr(text, "BTC-USD"));
    steer_rig_send(s, &s->rig.rita, "/decisions eth-usd 1");
    assert_has(s->full, "Last decision");
    steer_rig_send(s, &s->rig.rita, "/decisions sol-usd");
    assert_has(s->full, "No decisions yet for SOL-USD");
    static const char *const wrong[] = {"/decisions 0", "/decisions 51", "/decisions eth-usd many",
                                        "/decisions \"no symbol\""};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        steer_rig_send(s, &s->rig.rita, wrong[i]);
        assert_has(s->full, "COMMAND_ARG_INVALID");
    }
    /* After midnight a row shows the new day. */
    struct decision d = a_decision(13);
    d.at_us = RIG_WALL_US + USEC_PER_DAY;
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    steer_rig_send(s, &s->rig.rita, "/decisions 2");
    assert_has(s->full, "11-18\t\t\t\t\t");
}

static void add_order(struct steer_rig *s, int number, int64_t run_id, enum order_state state)
{
    struct order o = {.kind = run_id == 0 ? ORDER_ENTRY : ORDER_CLOSE,
                      .side = SIDE_LONG,
                      .state = state,
                      .qty = steer_rig_dec("0.0031"),
                      .filled_qty = state == ORDER_FILLED ? steer_rig_dec("0.0031") : DEC_ZERO,
                      .average_price = steer_rig_dec("64120.5"),
                      .run_id = run_id};
    (void)symbol_parse(str_c("BTC-USD"), &o.symbol);
    (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%d", number);
    (void)snprintf(o.reason, sizeof(o.reason), "%s", run_id == 0 ? "signal" : "operator");
    assert_int_equal(order_table_write(s->engine_store, &o, NULL), 0);
}

/* /orders names the run of an order, and /runs N the orders of the run. */
static void orders_and_runs_name_each_other(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.rita, "/orders");
    assert_has(s->full, "No orders yet");
    assert_null(strstr(s->full, "at the venue"));
    struct snapshot *n = steer_rig_draft(s);
    steer_rig_add_position(n);
    n->foreign_orders = 2;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/orders");
    assert_has(s->full, "2 more orders are open at the venue, not placed by nightdesk.");
    assert_has(s->full, "\"foreign_orders\":2");
    steer_rig_send(s, &s->rig.alice, "/close all");
    steer_rig_confirm(s, &s->rig.alice);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_CLOSE);
    assert_int_equal(runner_rig_state(&s->rig, r.run_id), RUN_RUNNING);
    add_order(s, 1, 0, ORDER_FILLED);
    add_order(s, 2, r.run_id, ORDER_FILLED);
    add_order(s, 3, r.run_id, ORDER_ACKED);
    char line[64];
    steer_rig_send(s, &s->rig.rita, "/orders");
    assert_has(s->full, "Last 3 orders");
    assert_has(s->full, "nd-1-1 entry BTC-USD long 0.0031, filled @ 64,120.5 (signal)");
    (void)snprintf(line, sizeof(line), "filled @ 64,120.5 (operator), /runs %lld",
                   (long long)r.run_id);
    assert_has(s->full, line);
    (void)snprintf(line, sizeof(line), "\"run_id\":%lld", (long long)r.run_id);
    assert_has(s->full, line);
    (void)snprintf(line, sizeof(line), "/orders run=%lld", (long long)r.run_id);
    steer_rig_send(s, &s->rig.rita, line);
    assert_has(s->full, "Orders of run");
    assert_has(s->full, "nd-1-3 close BTC-USD long 0.0031, acked (operator)");
    assert_lacks(s->full, "nd-1-1");
    (void)snprintf(line, sizeof(line), "/runs %lld", (long long)r.run_id);
    steer_rig_send(s, &s->rig.rita, line);
    assert_has(s->full, "Orders of this run");
    assert_has(s->full, "nd-1-2 close");
    assert_has(s->full, "nd-1-3 close");
    assert_lacks(s->full, "nd-1-1");
    for (int i = 4; i < 30; i++) {
        add_order(s, i, r.run_id, ORDER_FILLED);
    }
    steer_rig_send(s, &s->rig.rita, line);
    assert_has(s->full, "and more: /orders 50 run=");
    steer_rig_send(s, &s->rig.rita, "/orders run=4711");
    assert_has(s->full, "Run 4711 caused no orders");
    steer_rig_send(s, &s->rig.rita, "/orders 0");
    assert_has(s->full, "COMMAND_ARG");
}

static void help_shows_only_permitted_commands(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/help");
    assert_has(s->full, "/status  Account");
    assert_lacks(s->full, "/pause");
    assert_lacks(s->full, "/emergency_stop");
    steer_rig_send(s, &s->rig.adam, "/help");
    assert_has(s->full, "/emergency_stop");
    steer_rig_send(s, &s->rig.alice, "/help close");
    assert_has(s->full, "/close <symbol>");
    assert_has(s->full, "asks for a confirmation");
    assert_has(s->full, "symbol (symbol_or_all or position): a symbol, the number of a position "
                        "in /positions, or all");
    assert_has(s->full, "now all, BTC-USD"); /* what can be given at this time */
    steer_rig_send(s, &s->rig.rita, "/help trades");
    assert_has(s->full, "count (int 1 to 50, default 10): number of trades");
    assert_has(s->full, "\"default\":\"10\",\"minimum\":\"1\",\"maximum\":\"50\"");
    steer_rig_send(s, &s->rig.rita, "/help close");
    assert_has(s->full, "COMMAND_UNKNOWN");
    steer_rig_send(s, &s->rig.rita, "/whoami");
    assert_has(s->full, "Role read_only, channel telegram");
    steer_rig_send(s, &s->rig.rita, "/version");
    assert_has(s->full, "nightdesk " NIGHTDESK_VERSION);
}

static void auditlog_can_be_narrowed_to_a_user_and_a_time(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/close BTC-USD");
    clock_fake_advance(&s->rig.clock, USEC_PER_HOUR);
    steer_rig_send(s, &s->rig.rita, "/close BTC-USD");
    steer_rig_send(s, &s->rig.adam, "/auditlog user=alice");
    assert_has(s->full, "\"alice\"");
    assert_lacks(s->full, "\"rita\"");
    steer_rig_send(s, &s->rig.adam, "/auditlog 50 8");
    assert_has(s->full, "\"rita\"");
    assert_lacks(s->full, "\"alice\"");
    steer_rig_send(s, &s->rig.adam, "/auditlog since=-10m");
    assert_has(s->full, "\"rita\"");
    assert_lacks(s->full, "\"alice\"");
    steer_rig_send(s, &s->rig.adam, "/auditlog since=+1h");
    assert_has(s->full, "since: +1h is above now");
    steer_rig_send(s, &s->rig.adam, "/auditlog user=alicia");
    assert_has(s->full, "user: no user alicia; configured: alice, rita");
}

static void auditlog_has_pages_in_both_directions(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    for (int i = 0; i < 4; i++) {
        steer_rig_send(s, &s->rig.alice, "/close BTC-USD");
    }
    steer_rig_send(s, &s->rig.adam, "/auditlog 2");
    assert_has(s->full, "\"page\":{\"previous\":null,\"next\":\"/auditlog count=2 before=");
    steer_rig_send(s, &s->rig.adam, "/auditlog count=2 before=5");
    assert_has(s->full, "\"previous\":\"/auditlog count=2 after=4\"");
    assert_has(s->full, "\"next\":\"/auditlog count=2 before=3\"");
    steer_rig_send(s, &s->rig.adam, "/auditlog count=2 after=2");
    assert_has(s->full, "\"previous\":\"/auditlog count=2 after=4\"");
    assert_has(s->full, "\"next\":\"/auditlog count=2 before=3\"");
    steer_rig_send(s, &s->rig.adam, "/auditlog count=2 before=2");
    assert_has(s->full, "\"page\":{\"previous\":\"/auditlog count=2 after=1\",\"next\":null}");
}

static void auditlog_is_for_admins(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.alice, "/auditlog");
    assert_has(s->full, "ACCESS_DENIED");
    steer_rig_send(s, &s->rig.adam, "/auditlog 5");
    assert_has(s->full, "all verified");
    assert_has(s->full, "command.denied");
    assert_has(s->full, "0 read-only commands in the last day");
    assert_int_equal(runner_rig_audited(&s->rig, "command.received"),
                     1); /* reading the audit log is audited */
    steer_rig_send(s, &s->rig.adam, "/version");
    steer_rig_send(s, &s->rig.rita, "/whoami");
    steer_rig_send(s, &s->rig.adam, "/auditlog 5");
    assert_has(s->full, "2 read-only commands in the last day");
    assert_int_equal(runner_rig_audited(&s->rig, "command.received"), 2);
}

static void name_symbol(struct symbol *symbol, int number)
{
    char name[SYMBOL_SIZE];
    (void)snprintf(name, sizeof(name), "S%03d-USD", number);
    assert_true(symbol_parse(str_c(name), symbol));
}

static void a_hundred_positions_are_shown(void **state)
{
    struct steer_rig *s = *state;
    struct snapshot *n = steer_rig_draft(s);
    for (int i = 0; i < POSITIONS_LIMIT; i++) {
        steer_rig_add_position(n);
        name_symbol(&n->positions[i].symbol, i);
    }
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/positions");
    assert_has(runner_rig_last(&s->rig), "Positions 100 of 3");
    assert_has(runner_rig_last(&s->rig), "S099-USD");
    assert_has(runner_rig_last(&s->rig), "\"/close S011-USD\"");
    assert_lacks(runner_rig_last(&s->rig), "\"/close S012-USD\"");
    steer_rig_send(s, &s->rig.rita, "/status");
    assert_has(runner_rig_last(&s->rig), "{\"type\":\"count\",\"value\":100}");
}

static void why_shows_some_of_many_symbols(void **state)
{
    struct steer_rig *s = *state;
    struct config_symbols *symbols = &s->rig.config.market_symbols;
    const struct config_symbols before = *symbols;
    steer_rig_publish_plain(s, 0);
    for (symbols->count = 0; symbols->count < 40; symbols->count++) {
        int i = symbols->count;
        struct decision d = a_decision(i + 1);
        name_symbol(&symbols->items[i], i);
        d.symbol = symbols->items[i];
        assert_int_equal(decision_table_add(s->engine_store, &d, NULL), 0);
    }
    steer_rig_send(s, &s->rig.rita, "/why");
    assert_has(runner_rig_last(&s->rig), "\"/why S011-USD\"");
    assert_lacks(runner_rig_last(&s->rig), "\"/why S012-USD\"");
    assert_has(runner_rig_last(&s->rig), "There are 40 symbols; /why <symbol> shows those of one.");
    *symbols = before;
}

UNIT_GROUP(views, STEER_RIG_TEST(a_hundred_positions_are_shown),
           STEER_RIG_TEST(why_shows_some_of_many_symbols), STEER_RIG_TEST(status_shows_the_account),
           STEER_RIG_TEST(setting_the_clock_does_not_change_the_uptime),
           STEER_RIG_TEST(status_shows_refused_candles),
           STEER_RIG_TEST(the_market_time_is_shown_unless_it_is_real_time),
           STEER_RIG_TEST(the_footer_shows_the_state), STEER_RIG_TEST(a_disk_failure_is_shown),
           STEER_RIG_TEST(positions_have_units),
           STEER_RIG_TEST(a_silent_engine_gives_replies_a_red_title), STEER_RIG_TEST(trades_add_up),
           STEER_RIG_TEST(risk_shows_limits_and_their_use),
           STEER_RIG_TEST(risk_shows_why_no_positions_are_opened),
           STEER_RIG_TEST(why_shows_votes_reasons_veto_and_order),
           STEER_RIG_TEST(why_shows_all_eight_agents), STEER_RIG_TEST(decisions_are_listed),
           STEER_RIG_TEST(orders_and_runs_name_each_other),
           STEER_RIG_TEST(help_shows_only_permitted_commands),
           STEER_RIG_TEST(auditlog_can_be_narrowed_to_a_user_and_a_time),
           STEER_RIG_TEST(auditlog_has_pages_in_both_directions),
           STEER_RIG_TEST(auditlog_is_for_admins))
