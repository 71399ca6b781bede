/* /limits and /cooldown. */
#include "base/check.h"
#include "steer_rig.h"
#include "store/request_table.h"

#include <string.h>

static struct snapshot *draft(struct steer_rig *s)
{
    struct snapshot *n = steer_rig_draft(s);
    struct snapshot_risk *k = &n->risk;
    n->max_daily_loss_pct = 5;
    n->daily_loss_pct = 4.1;
    n->max_drawdown_pct = 15;
    n->drawdown_pct = 1.5;
    k->max_exposure_pct = 10;
    k->exposure_pct = 3.9;
    k->max_position_pct = 2;
    k->risk_per_trade_pct = 2;
    k->max_leverage = 3;
    k->leverage = 0.3;
    k->min_liquidation_distance_pct = 5;
    k->max_correlation = 0.7;
    k->max_consecutive_losses = 10;
    k->losses_in_a_row = 3;
    k->max_orders_per_minute = 10;
    k->cooldown_us = 30 * USEC_PER_MIN;
    k->symbol_count = 2;
    n->market_count = 2;
    assert_true(symbol_parse(STR_LIT("ETH-USD"), &n->markets[1].symbol));
    assert_true(symbol_parse(STR_LIT("BTC-USD"), &k->symbols[0].symbol));
    assert_true(symbol_parse(STR_LIT("ETH-USD"), &k->symbols[1].symbol));
    for (int t = 0; t < TIERS; t++) {
        k->tiers[t].max_position_pct = 2;
        k->tiers[t].max_exposure_pct = 6;
    }
    return n;
}

static void limits_show_their_use_the_closest_first(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_send(s, &s->rig.rita, "/limits");
    assert_has(s->full, "ENGINE_SILENT");
    struct snapshot *n = draft(s);
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/limits");
    /* 4.1 of 5, 3.9 of 10, 3 of 10, 1.5 of 15 and 0.3 of 3. */
    assert_has(s->full, "Limits: daily loss is near its limit");
    assert_has(s->full, "daily loss\t4.1 %\t5 %\t82 %\nexposure\t3.9 %\t10 %\t39 %\n"
                        "loss streak\t3\t10\t30 %\n");
    assert_has(s->full, "drawdown\t1.5 %\t15 %\t10 %\nleverage\t0.30×\t3.00×\t10 %");
    assert_has(s->full, "liquidation\t–\t≥ 5 %\t–");
    assert_has(s->full, "\"name\":\"daily_loss\",\"use\":4.1,\"limit\":5,\"at_least\":false,"
                        "\"used_pct\":82,\"option\":\"risk.max_daily_loss\"");
    assert_lacks(s->full, "ETH-USD\t"); /* not held */

    /* A position of 0.0031 at 64,120.5 with its stop at 62,838.1 loses 3.97544: 0.0382 % of
     * 10,412.88, which is 1.9 % of 2 %. 6 % from liquidation: 5 / 6 = 83 %. */
    n = draft(s);
    steer_rig_add_position(n);
    n->daily_loss_pct = -3; /* a gain */
    n->liquidation_distance_pct = 6;
    n->risk.symbols[1].exposure_pct = 2.5;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/limits");
    assert_has(s->full, "Limits: ETH-USD is at its limit");
    assert_has(s->full, "ETH-USD\t2.5 %\t2 %\t125 %\nliquidation\t6.0 %\t≥ 5 %\t83 %");
    assert_has(s->full, "per trade\t0.0 %\t2 %\t2 %");
    assert_has(s->full, "daily loss\t0.0 %\t5 %\t0 %");
}

static void add_trade(struct steer_rig *s, const char *symbol, const char *pnl, int64_t closed_us)
{
    steer_rig_add_other_trade(
        s,
        &(struct steer_rig_trade){
            .id = closed_us, .symbol = symbol, .pnl = pnl, .closed_us = closed_us, .exit = "stop"});
}

static void a_cooldown_has_a_cause_and_an_end(void **state)
{
    struct steer_rig *s = *state;
    struct snapshot *n = draft(s);
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/cooldown");
    assert_has(s->full, "No symbol is in cooldown");
    assert_has(s->full, "rests for 30 min");
    assert_has(s->full, "\"cooldown_list\":[]");

    n = draft(s);
    int64_t now_us = n->market_us;
    add_trade(s, "BTC-USD", "9", now_us - USEC_PER_HOUR);
    add_trade(s, "BTC-USD", "-4.1", now_us - 10 * USEC_PER_MIN);
    n->risk.symbols[0].cooldown_until_us = now_us + 20 * USEC_PER_MIN;
    struct request set = {.id = 5, .kind = REQUEST_COOLDOWN, .by = "alice"};
    set.symbol = n->risk.symbols[1].symbol;
    add_trade(s, "ETH-USD", "1", now_us - 5 * USEC_PER_MIN);
    assert_int_equal(
        request_table_add(s->engine_store, &set, ERR_NONE, now_us - 7 * USEC_PER_MIN, NULL), 0);
    set.id = 6;
    set.kind = REQUEST_PAUSE;
    (void)snprintf(set.by, sizeof(set.by), "eve");
    assert_int_equal(request_table_add(s->engine_store, &set, ERR_NONE, now_us, NULL), 0);
    set.id = 7;
    set.kind = REQUEST_COOLDOWN;
    assert_int_equal(request_table_add(s->engine_store, &set, ERR_ENGINE_REFUSED, now_us, NULL), 0);
    /* Later than the trade's own: it is alice's. */
    n->risk.symbols[1].cooldown_until_us = now_us + 2 * USEC_PER_HOUR;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/cooldown");
    assert_has(s->full, "2 symbols in cooldown");
    assert_has(s->full, "BTC-USD no entries for 20 min, until 2026-11-19 11:26");
    assert_has(s->full, "after a loss of −$4.10 (stop) at 2026-11-19 10:56");
    assert_has(s->full, "ETH-USD no entries for 2 h");
    assert_has(s->full, "set by alice at 2026-11-19 10:59");
    assert_lacks(s->full, "eve");
    steer_rig_send(s, &s->rig.rita, "/locks btc");
    assert_has(s->full, "1 symbol in cooldown");
    assert_lacks(s->full, "ETH-USD no entries");

    /* As long as the trade's own: then the trade is the cause. */
    n = draft(s);
    n->risk.symbols[1].cooldown_until_us = now_us + 25 * USEC_PER_MIN;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/cooldown");
    assert_has(s->full, "after a win of +$1.00 (stop)");
    n = draft(s);
    n->risk.cooldown_us = 0;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/cooldown BTC-USD");
    assert_has(s->full, "This symbol is not in cooldown");
    assert_has(s->full, "risk.cooldown is 0");
}

static void setting_one_is_a_request_to_the_engine(void **state)
{
    struct steer_rig *s = *state;
    draft(s);
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.rita, "/cooldown_set BTC-USD 2h");
    assert_has(s->full, "ACCESS_DENIED");
    steer_rig_send(s, &s->rig.adam, "/cooldown_set BTC-USD 30s");
    assert_has(s->full, "1m");
    steer_rig_send(s, &s->rig.adam, "/cooldown_set BTC-USD 2h");
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_COOLDOWN);
    assert_string_equal(r.symbol.name, "BTC-USD");
    assert_int_equal(r.number, 2 * USEC_PER_HOUR);
    assert_true(r.deadline_mono_us > 0);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_lacks(s->full, "BTC-USD: no entries"); /* not shown by a snapshot yet */
    struct snapshot *n = draft(s);
    n->risk.symbols[0].cooldown_until_us = n->market_us + 2 * USEC_PER_HOUR;
    steer_rig_publish(s);
    clock_fake_advance(&s->rig.clock, USEC_PER_SEC);
    loop_advance(s->rig.loop, 0);
    assert_has(s->full, "BTC-USD: no entries");
    assert_has(s->full, "BTC-USD no entries for 2 h");
}

static void lifting_one_asks_first(void **state)
{
    struct steer_rig *s = *state;
    struct snapshot *n = draft(s);
    n->risk.symbols[1].cooldown_until_us = n->market_us + 20 * USEC_PER_MIN;
    steer_rig_publish(s);
    steer_rig_send(s, &s->rig.adam, "/unlock BTC-USD");
    assert_has(s->full, "ENGINE_NO_COOLDOWN");
    steer_rig_send(s, &s->rig.adam, "/unlock all");
    assert_has(runner_rig_last(&s->rig), "ETH-USD would rest for 20 min more");
    steer_rig_confirm(s, &s->rig.adam);
    struct request r = steer_rig_next_request(s);
    assert_int_equal(r.kind, REQUEST_COOLDOWN);
    assert_string_equal(r.symbol.name, "");
    assert_int_equal(r.number, 0);
    steer_rig_answer(s, &r, ERR_NONE);
    assert_has(s->full, "All symbols may be entered again");
}

UNIT_GROUP(limits, STEER_RIG_TEST(limits_show_their_use_the_closest_first),
           STEER_RIG_TEST(a_cooldown_has_a_cause_and_an_end),
           STEER_RIG_TEST(setting_one_is_a_request_to_the_engine),
           STEER_RIG_TEST(lifting_one_asks_first))
