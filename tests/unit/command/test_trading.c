#include "base/check.h"
#include "command/builtin.h"
#include "command/trading.h"
#include "io/embed.h"
#include "io/secret.h"
#include "rig.h"
#include "store/decision_table.h"
#include "store/order_table.h"
#include "store/request_table.h"
#include "store/rule_table.h"
#include "store/trade_table.h"
#include "store/trading.h"

#include <string.h>
#include <unistd.h>

/* The desk and its commands; the test plays the engine: it pops requests, writes trading.db,
 * publishes snapshots and events. */
struct scene {
    struct rig rig; /* its runner is replaced by one over commands/ */
    struct crossing crossing;
    struct trading_store *engine_store;
    struct trading_store *reader;
    struct desk *desk;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct runner *runner;
    struct builtin builtin;
    uint64_t version;
    int raised;
};

static const char *const wanted[] = {
    "risk",          "help",          "status",         "positions",       "trades",
    "why",           "pause",         "resume",         "close",           "whoami",
    "version",       "auditlog",      "emergency_stop", "clear_emergency", "decisions",
    "amend",         "cancel_orders", "maintenance",    "rules",           "rule_add",
    "rule_activate", "rule_test",     "rule_retire"};

static int raise_alert(struct action_call *call, struct err *err)
{
    (void)err;
    ((struct scene *)action_userdata(call))->raised++;
    return ACTION_DONE;
}

static const struct action above[] = {
    {.name = "alert.raise",
     .summary = "Raise an alert",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "severity", .type = PARAM_TEXT}, {.name = "title", .type = PARAM_TEXT}},
     .run = raise_alert},
    {0},
};

static void start(struct scene *s)
{
    struct err err = {0};
    crossing_init(&s->crossing);
    s->version = 0;
    const struct desk_options options = {.crossing = &s->crossing,
                                         .trading = s->reader,
                                         .store = s->rig.store,
                                         .config = &s->rig.config,
                                         .clock = &s->rig.clock.clock,
                                         .loop = s->rig.loop};
    s->desk = desk_new(&options);
    s->actions = action_table_new();
    s->builtin = (struct builtin){.store = s->rig.store, .clock = &s->rig.clock.clock};
    builtin_actions(&s->builtin, s->actions);
    trading_actions(s->desk, s->actions);
    action_table_add(s->actions, above, s);

    struct embedded_file files[COUNT_OF(wanted) + 1] = {0};
    size_t count = 0;
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        for (size_t i = 0; i < COUNT_OF(wanted); i++) {
            char path[64];
            (void)snprintf(path, sizeof(path), "commands/%s.yaml", wanted[i]);
            if (strcmp(path, f->path) == 0) {
                files[count++] = *f;
            }
        }
    }
    assert_int_equal(count, COUNT_OF(wanted));
    assert_int_equal(manifest_list_read(s->actions, files, &s->manifests, &err), 0);
    s->builtin.manifests = s->manifests;
    const struct runner_options runner = {.loop = s->rig.loop,
                                          .clock = &s->rig.clock.clock,
                                          .config = &s->rig.config,
                                          .store = s->rig.store,
                                          .access = s->rig.access,
                                          .actions = s->actions,
                                          .manifests = s->manifests,
                                          .decorate = desk_decorate,
                                          .decorate_userdata = s->desk};
    assert_int_equal(runner_new(&runner, &s->runner, &err), 0);
    runner_free(s->rig.runner);
    s->rig.runner = s->runner;
    assert_int_equal(runner_recover(s->runner, &err), 0);
}

static void stop(struct scene *s)
{
    runner_free(s->runner);
    s->rig.runner = NULL;
    desk_free(s->desk);
    manifest_list_free(s->manifests);
    action_table_free(s->actions);
    crossing_release(&s->crossing);
}

static int setup(void **state)
{
    static struct scene scene;
    struct scene *s = &scene;
    memset(s, 0, sizeof(*s));
    rig_open(&s->rig);
    assert_int_equal(trading_store_open(s->rig.folder, TRADING_STORE_WRITE, &s->engine_store, NULL),
                     0);
    assert_int_equal(trading_store_open(s->rig.folder, TRADING_STORE_READ, &s->reader, NULL), 0);
    start(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    stop(s);
    trading_store_free(s->reader);
    trading_store_free(s->engine_store);
    rig_close(&s->rig);
    return 0;
}

/* ---- the engine's side ---- */

static struct dec dec_of(const char *text)
{
    struct dec value = DEC_INVALID;
    assert_true(dec_parse(str_c(text), &value));
    return value;
}

static struct snapshot *draft(struct scene *s)
{
    struct snapshot *n = mailbox_draft(s->crossing.snapshot);
    memset(n, 0, sizeof(*n));
    n->version = ++s->version;
    n->published_wall_us = s->rig.clock.now_wall_us;
    n->started_wall_us = s->rig.clock.now_wall_us - 52 * USEC_PER_HOUR;
    n->market_us = RIG_WALL_US + USEC_PER_DAY;
    n->market_speed = 1;
    n->state = TRADING_ACTIVE;
    n->initial_cash = dec_of("10000");
    n->equity = dec_of("10412.88");
    n->cash = dec_of("10000");
    n->day_start_equity = dec_of("10416.98");
    n->drawdown_pct = 1.84;
    n->max_drawdown_pct = 15;
    n->exposure_pct = 3.9;
    n->max_positions = 3;
    n->books_balance = true;
    return n;
}

static void add_position(struct snapshot *n)
{
    struct position *p = &n->positions[n->position_count++];
    (void)symbol_parse(str_c("BTC-USD"), &p->symbol);
    p->side = SIDE_LONG;
    p->qty = dec_of("0.0031");
    p->entry_price = dec_of("64120.5");
    p->mark_price = dec_of("64891.5");
    p->unrealised = dec_of("2.39");
    p->stop = dec_of("62838.1");
    p->target = dec_of("66685.3");
    p->opened_us = n->market_us - 90 * USEC_PER_MIN;
}

static void publish(struct scene *s)
{
    mailbox_publish(s->crossing.snapshot);
}

static void publish_plain(struct scene *s, int positions)
{
    struct snapshot *n = draft(s);
    if (positions > 0) {
        add_position(n);
    }
    publish(s);
}

static struct request take_request(struct scene *s)
{
    struct request r = {0};
    uint64_t woken = 0;
    assert_true(ring_pop(s->crossing.requests, &r));
    assert_true(read(s->crossing.requests_fd, &woken, sizeof(woken)) == sizeof(woken));
    return r;
}

static void answer(struct scene *s, const struct request *r, uint32_t code)
{
    const struct event event = {.topic = TOPIC_REPLY, .code = code, .id = r->id};
    trading_on_event(s->desk, &event);
    loop_advance(s->rig.loop, 0);
}

static void say(struct scene *s, const struct principal *who, const char *line)
{
    assert_int_equal(rig_submit(&s->rig, who, line), 0);
}

static void confirm(struct scene *s, const struct principal *who)
{
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", rig_code(&s->rig));
    say(s, who, press);
}

/* ---- reading ---- */

static void status_piece(struct buf *out, struct json_object *data, void *userdata)
{
    buf_add_c(out, userdata);
    (void)json_object_object_add(data, "piece", json_object_new_boolean(true));
}

static void status_shows_the_account(void **state)
{
    struct scene *s = *state;
    static char services[] = "Services 4/4 up";
    static char alerts[] = "Alerts 1 high";
    desk_add_status_line(s->desk, status_piece, services);
    desk_add_status_line(s->desk, status_piece, alerts);
    say(s, &s->rig.rita, "/status");
    assert_has(rig_last(&s->rig), "has not reported yet");
    assert_has(rig_last(&s->rig), "Services 4/4 up   Alerts 1 high");
    assert_lacks(rig_last(&s->rig), "\"tone\":\"busy\""); /* a pipe would not show it */

    struct snapshot *early = draft(s);
    early->state = TRADING_STARTING;
    publish(s);
    say(s, &s->rig.rita, "/status");
    assert_has(rig_last(&s->rig), "⏳ nightdesk · paper · starting");
    assert_has(rig_last(&s->rig), "Equity");
    assert_lacks(rig_last(&s->rig), "\"tone\":\"busy\"");

    publish_plain(s, 1);
    say(s, &s->rig.rita, "/status");
    const char *text = rig_last(&s->rig);
    assert_has(text, "nightdesk · paper · up 2 d 4 h");
    assert_has(text, "\"tone\":\"good\"");
    assert_has(text, "Equity  $10,412.88  (+4.1 %)   today  −$4.10 (−0.04 %)");
    assert_has(text, "Drawdown 1.8 % of 15 %   Exposure 3.9 %   Positions 1 of 3");
    assert_has(text, "BTC-USD  long 0.0031 @ 64,120.5   +$2.39 (+1.2 %)  SL 62,838.1 TP 66,685.3");
    assert_has(text, "Services 4/4 up   Alerts 1 high");
    assert_has(text, "\"command\":\"/pause\"");
    assert_has(text, "\"protect\":true");
    assert_lacks(text, "Market time");
}

static void status_tells_of_candles_that_were_refused(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.rita, "/status");
    assert_lacks(rig_last(&s->rig), "refused:");
    assert_has(rig_last(&s->rig), "\"market_ended\":false");

    struct snapshot *n = draft(s);
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
    publish(s);
    say(s, &s->rig.rita, "/status");
    const char *text = rig_last(&s->rig);
    assert_has(text, "BTC-USD candles refused: 1 impossible, 2 not newer than the last, 3 stale, "
                     "4 from the future");
    assert_has(text, "ETH-USD candles refused: 5 stale; nothing opens until a good one comes");
    assert_has(text, "Candles: refused rows 7, duplicates 8, missing 9");
    assert_has(text, "The market has no more candles: nothing new is opened.");
    assert_has(text, "\"market_ended\":true");
}

static void the_market_clock_is_shown_when_it_is_not_ours(void **state)
{
    struct scene *s = *state;
    draft(s)->market_speed = 60;
    publish(s);
    say(s, &s->rig.rita, "/status");
    assert_has(rig_last(&s->rig), "Market time 2026-11-19 11:06 UTC (60× real time)");
}

static void states_stay_in_the_footer(void **state)
{
    struct scene *s = *state;
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
        struct snapshot *n = draft(s);
        n->state = cases[i].state;
        (void)snprintf(n->state_reason, sizeof(n->state_reason), "because");
        publish(s);
        say(s, &s->rig.rita, "/version");
        assert_has(rig_last(&s->rig), cases[i].footer);
        say(s, &s->rig.rita, "/status");
        assert_has(rig_last(&s->rig), cases[i].title);
    }
}

/* A disk that is full stops trading without a state of its own. */
static void what_keeps_the_engine_from_its_disk_is_seen(void **state)
{
    struct scene *s = *state;
    struct snapshot *n = draft(s);
    n->state = TRADING_ACTIVE;
    n->last_err = ERR_ENGINE_JOURNAL;
    (void)snprintf(n->state_reason, sizeof(n->state_reason),
                   "nothing opens or closes: trading.db cannot be written");
    publish(s);
    say(s, &s->rig.rita, "/status");
    assert_has(rig_last(&s->rig), "\"tone\":\"bad\"");
    assert_has(rig_last(&s->rig), "\"footer\":\"🔴 nothing opens or closes");
}

static void positions_have_units(void **state)
{
    struct scene *s = *state;
    say(s, &s->rig.rita, "/positions");
    assert_has(rig_last(&s->rig), "ENGINE_SILENT");
    publish_plain(s, 0);
    say(s, &s->rig.rita, "/positions");
    assert_has(rig_last(&s->rig), "Nothing is open.");
    publish_plain(s, 1);
    say(s, &s->rig.rita, "/positions");
    assert_has(rig_last(&s->rig), "Positions 1 of 3");
    assert_has(rig_last(&s->rig), "+$2.39");
    assert_has(rig_last(&s->rig), "1 h 30 min");
    assert_has(rig_last(&s->rig), "/close BTC-USD");
}

/* Limits of tier 1 and 3, of which BTC-USD uses some; SOL-USD rests. */
static void draft_risk(struct snapshot *n)
{
    n->risk_state = RISK_ACTIVE;
    n->liquidation_distance_pct = 8.04;
    n->daily_loss_pct = -1;
    n->max_daily_loss_pct = 5;
    n->risk = (struct snapshot_risk){
        .exposure_pct = 31.24,
        .max_exposure_pct = 75,
        .max_position_pct = 25,
        .tiers = {{31.24, 50, 30}, {0, 40, 20}, {0, 20, 10}},
        .symbol_count = 2,
        .symbols = {{.symbol = {"BTC-USD"},
                     .exposure_pct = 31.24,
                     .liquidation_distance_pct = 8.04},
                    {.symbol = {"SOL-USD"},
                     .tier = 2,
                     .cooldown_until_us = n->market_us + 12 * USEC_PER_MIN}},
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

static void risk_shows_limits_beside_their_use(void **state)
{
    struct scene *s = *state;
    say(s, &s->rig.rita, "/risk");
    assert_has(rig_last(&s->rig), "ENGINE_SILENT");
    struct snapshot *n = draft(s);
    n->position_count = 1;
    (void)symbol_parse(str_c("BTC-USD"), &n->positions[0].symbol);
    draft_risk(n);
    publish(s);
    say(s, &s->rig.rita, "/risk");
    const char *text = rig_last(&s->rig);
    assert_has(text, "Risk: ACTIVE");
    assert_has(text, "[\"exposure\",\"31.2 %\",\"≤ 75.0 %\"]");
    assert_has(text, "[\"tier 1\",\"31.2 %\",\"≤ 50.0 %\"]");
    assert_has(text, "[\"BTC-USD\",\"31.2 %\",\"≤ 25.0 %\"]");
    assert_has(text, "[\"SOL-USD\",\"0.0 %\",\"≤ 10.0 %\"]");
    assert_has(text, "[\"leverage\",\"0.31×\",\"≤ 3.00×\"]");
    assert_has(text, "[\"liquidation\",\"8.0 %\",\"≥ 5.0 %\"]");
    assert_has(text, "[\"correlation\",\"–\",\"≤ 0.70\"]");
    assert_has(text, "[\"daily loss\",\"0.0 %\",\"≤ 5.0 %\"]");
    assert_has(text, "[\"entries/min\",\"2\",\"≤ 10\"]");
    assert_has(text, "⚠ BTC-USD: liquidation is 8.0 % away");
    assert_has(text, "the paper venue takes no margin");
    assert_has(text, "SOL-USD rests for 12 min");
    assert_has(text, "{\"code\":\"RISK_LEVERAGE\",\"option\":\"risk.max_leverage\"");
    assert_has(text, "\"name\":\"leverage\",\"use\":0.3");
    assert_has(text, "\"name\":\"correlation\",\"use\":null");
    assert_lacks(text, "/resume");
}

static void risk_says_why_nothing_is_opened(void **state)
{
    struct scene *s = *state;
    struct snapshot *n = draft(s);
    draft_risk(n);
    n->risk.symbols[1].cooldown_until_us = 0;
    n->state = TRADING_BREAKER;
    n->risk_state = RISK_REDUCING;
    (void)snprintf(n->state_reason, sizeof(n->state_reason), "daily loss 5.10 %% of 5.00 %%");
    n->foreign_count = 1;
    n->foreign[0] = (struct snapshot_foreign){
        .symbol = {"ETH-USD"}, .side = SIDE_SHORT, .qty = dec_from_int(2)};
    publish(s);
    say(s, &s->rig.rita, "/risk");
    const char *text = rig_last(&s->rig);
    assert_has(text, "Risk: REDUCING");
    assert_has(text, "(breaker: daily loss 5.10 % of 5.00 %)");
    assert_has(text, "The venue holds ETH-USD short 2 that the bot did not open");
    assert_has(text, "No symbol rests; each does for 30 min after a trade.");
    assert_has(text, "[\"liquidation\",\"–\",\"≥ 5.0 %\"]");
    assert_has(text, "\"command\":\"/resume\"");

    n = draft(s);
    draft_risk(n);
    n->risk_state = RISK_HALTED;
    n->books_balance = false;
    publish(s);
    say(s, &s->rig.rita, "/risk");
    assert_has(rig_last(&s->rig), "Risk: HALTED");
    assert_has(rig_last(&s->rig), "the books do not balance");
    assert_has(rig_last(&s->rig), "\"risk_state\":\"halted\"");
}

static void add_trade(struct scene *s, int64_t id, const char *pnl, int64_t closed_us)
{
    struct trade t = {.id = id,
                      .side = SIDE_LONG,
                      .qty = dec_of("0.0031"),
                      .entry_price = dec_of("64120.5"),
                      .exit_price = dec_of("64891.5"),
                      .pnl = dec_of(pnl),
                      .fees = dec_of("0.2"),
                      .opened_us = closed_us - USEC_PER_HOUR,
                      .closed_us = closed_us,
                      .decision_id = id};
    (void)symbol_parse(str_c("BTC-USD"), &t.symbol);
    (void)snprintf(t.exit_reason, sizeof(t.exit_reason), "operator");
    (void)snprintf(t.client_id, sizeof(t.client_id), "nd-1-%lld", (long long)id);
    struct err err = {0};
    assert_int_equal(trade_table_add(s->engine_store, &t, &err), 0);
}

static void trades_add_up(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.rita, "/trades");
    assert_has(rig_last(&s->rig), "No trades yet");
    add_trade(s, 1, "2.5", RIG_WALL_US);
    add_trade(s, 2, "-1", RIG_WALL_US + 1);
    say(s, &s->rig.rita, "/trades");
    assert_has(rig_last(&s->rig), "Last 2 trades");
    assert_has(rig_last(&s->rig), "All 2: 1 won (50 %), result +$1.50, fees $0.40");
    say(s, &s->rig.rita, "/trades 1");
    assert_has(rig_last(&s->rig), "Last trade");
    say(s, &s->rig.rita, "/trades 51");
    assert_has(rig_last(&s->rig), "COMMAND_ARG_INVALID");
    say(s, &s->rig.rita, "/trades many");
    assert_has(rig_last(&s->rig), "many is not a whole number");
}

static struct decision a_decision(int64_t id)
{
    struct decision d = {.id = id,
                         .at_us = RIG_WALL_US + id,
                         .price = dec_of("64120.5"),
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

static void why_tells_votes_reasons_veto_and_order(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    publish_plain(s, 0);
    say(s, &s->rig.rita, "/why");
    assert_has(rig_last(&s->rig), "TRADE_UNKNOWN");

    struct decision d = a_decision(1);
    d.outcome = OUTCOME_ORDER;
    (void)snprintf(d.client_id, sizeof(d.client_id), "nd-1-1");
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    struct order order = {.kind = ORDER_ENTRY,
                          .side = SIDE_LONG,
                          .state = ORDER_FILLED,
                          .qty = dec_of("0.0031"),
                          .filled_qty = dec_of("0.0031"),
                          .average_price = dec_of("64120.5"),
                          .stop = dec_of("62838.1"),
                          .target = dec_of("66685.3"),
                          .decision_id = 1};
    order.symbol = d.symbol;
    (void)snprintf(order.client_id, sizeof(order.client_id), "nd-1-1");
    assert_int_equal(order_table_put(s->engine_store, &order, &err), 0);
    add_trade(s, 1, "2.5", RIG_WALL_US + 10);
    say(s, &s->rig.rita, "/why 1");
    assert_has(rig_last(&s->rig), "Trade 1: BTC-USD long 0.0031, 64,120.5 → 64,891.5, +$2.50");
    assert_has(rig_last(&s->rig), "score +0.41 of 0.35 · order");
    assert_has(rig_last(&s->rig), "Score: (0.41×0.50) / 0.50 = +0.41; ±0.35 is needed");
    assert_has(rig_last(&s->rig),
               "[\"bull\",\"\",\"\",\"\"],[\"· rsi14\",\"28.10\",\"30.00\",\"+0.30\"]");
    assert_has(rig_last(&s->rig), "\"order_state\":\"filled\"");
    assert_has(rig_last(&s->rig), "Order nd-1-1: long 0.0031, filled 0.0031 @ 64,120.5");

    d = a_decision(2);
    d.outcome = OUTCOME_VETOED;
    (void)snprintf(d.veto_code, sizeof(d.veto_code), "RISK_MAX_POSITIONS");
    (void)snprintf(d.veto_text, sizeof(d.veto_text), "3 of 3 positions open");
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    say(s, &s->rig.rita, "/why btc-usd");
    assert_has(rig_last(&s->rig), "Vetoed by RISK_MAX_POSITIONS: 3 of 3 positions open");
    d = a_decision(3);
    (void)snprintf(d.symbol.name, sizeof(d.symbol.name), "ETH-USD");
    d.score = -0.2;
    d.outcome = OUTCOME_HOLD;
    (void)snprintf(d.veto_text, sizeof(d.veto_text), "%s", "");
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    say(s, &s->rig.rita, "/why");
    assert_has(rig_last(&s->rig), "score −0.20 of 0.35 · hold");
    assert_has(rig_last(&s->rig), "BTC-USD +0.41, vetoed: RISK_MAX_POSITIONS");
    assert_has(rig_last(&s->rig), "\"/why BTC-USD\"");
    say(s, &s->rig.rita, "/why 99");
    assert_has(rig_last(&s->rig), "TRADE_UNKNOWN");
    say(s, &s->rig.rita, "/why \"no symbol\"");
    assert_has(rig_last(&s->rig), "neither the number of a trade (12), that of a decision (d12)");
    say(s, &s->rig.rita, "/why d2");
    assert_has(rig_last(&s->rig), "Vetoed by RISK_MAX_POSITIONS");
    say(s, &s->rig.rita, "/why d99");
    assert_has(rig_last(&s->rig), "TRADE_UNKNOWN");
}

static struct vote *speak(struct decision *d, const char *agent, enum direction direction,
                          double confidence, double weight)
{
    struct vote *v = &d->votes[d->vote_count++];
    *v = (struct vote){.direction = direction, .confidence = confidence, .weight = weight};
    (void)snprintf(v->agent, sizeof(v->agent), "%s", agent);
    return v;
}

static void because(struct vote *v, const char *indicator, double value, double threshold,
                    double points)
{
    struct reason *why = &v->reasons[v->reason_count++];
    *why = (struct reason){.value = value, .threshold = threshold, .points = points};
    (void)snprintf(why->indicator, sizeof(why->indicator), "%s", indicator);
}

/* As the engine leaves it: eight votes, a rule that matched, a veto. */
static struct decision a_full_decision(int64_t id)
{
    struct decision d = a_decision(id);
    d.vote_count = 0;
    struct vote *v = speak(&d, "data_sync", DIRECTION_NONE, 1, 0);
    because(v, "bars_5m", 200, 200, .125);
    because(v, "spread_pct", 0.04, 1, .125);
    v = speak(&d, "quant_analyst", DIRECTION_LONG, 1.0 / 3, 0);
    because(v, "width_1h_pct", 5.25, 4, 0);
    v = speak(&d, "predict", DIRECTION_SHORT, .1, .5);
    because(v, "p_up", .45, .5, .1);
    v = speak(&d, "bull", DIRECTION_LONG, .9, .6);
    because(v, "rsi14", 28.1, 30, .4);
    v = speak(&d, "bear", DIRECTION_NONE, .3, .4);
    because(v, "macd", -3.5, 1.25, .3);
    v = speak(&d, "decision_core", DIRECTION_LONG, .92, 0);
    d.score = (.6 * .9 - .5 * .1) / .6 + .1;
    because(v, "score", d.score, .35, d.score);
    because(v, "rules", .1, 0, 0);
    v = speak(&d, "risk_audit", DIRECTION_NONE, 0, 0);
    because(v, "size", .0031, .001, 0);
    (void)speak(&d, "execution", DIRECTION_NONE, 0, 0);
    d.outcome = OUTCOME_VETOED;
    (void)snprintf(d.veto_code, sizeof(d.veto_code), "RISK_POSITION_SIZE");
    (void)snprintf(d.veto_text, sizeof(d.veto_text), "size 0.0031, at most 0.001");
    d.qty = dec_of("0.0031");
    d.stop = dec_of("62838.1");
    d.target = dec_of("66685.3");
    d.veto_max_qty = dec_of("0.001");
    d.rule_count = 2;
    d.rule_ids[0] = 1;
    d.rule_ids[1] = 77;
    return d;
}

static void why_tells_of_all_eight(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    publish_plain(s, 0);
    static struct rule_book book;
    book = (struct rule_book){.rule_count = 1, .last_rule_id = 1};
    book.rules[0] = (struct rule){.id = 1, .status = RULE_ACTIVE, .effect = RULE_FAVOUR};
    (void)snprintf(book.rules[0].condition, sizeof(book.rules[0].condition), "rsi14 < 30");
    (void)snprintf(book.rules[0].help, sizeof(book.rules[0].help), "buy what is sold out");
    assert_int_equal(rule_table_save(s->engine_store, &book, &err), 0);
    struct decision d = a_full_decision(5);
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    say(s, &s->rig.rita, "/why");
    const char *said = rig_last(&s->rig);
    assert_has(said, "[\"data_sync\",\"ok\",\"1.00\",\"–\"]");
    assert_has(said, "[\"quant_analyst\",\"long\",\"0.33\",\"–\"]");
    assert_has(said, "[\"predict\",\"short\",\"0.10\",\"0.50\"]");
    assert_has(said, "[\"bear\",\"–\",\"0.30\",\"0.40\"]");
    assert_has(said, "[\"risk_audit\",\"veto\",\"0.00\",\"–\"]");
    assert_has(said, "[\"execution\",\"–\",\"0.00\",\"–\"]");
    assert_has(said, "Score: (−0.10×0.50 + 0.90×0.60 + 0.00×0.40) / 0.60 + 0.10 by rules = +0.92; "
                     "±0.35 is needed");
    assert_has(said, "Vetoed by RISK_POSITION_SIZE: size 0.0031, at most 0.001");
    assert_has(said, "Wanted: long 0.0031  SL 62,838.1 TP 66,685.3");
    assert_has(said, "Largest quantity that would pass: 0.001");
    assert_has(said, "Rule 1 matched (favour, active): buy what is sold out");
    assert_has(said, "Rule 77 matched");
    assert_has(said, "Data: bars_5m 200, spread_pct 0.0400");
    assert_has(said, "Market: width_1h_pct 5.2500");
    assert_has(said, "\"indicator\":\"size\"");
    assert_has(said, "\"rules\":[1,77]");

    d = a_full_decision(6);
    d.score = 1;
    d.votes[2].direction = DIRECTION_LONG;
    d.votes[5].reason_count = 1;
    d.votes[2].confidence = 1;
    d.outcome = OUTCOME_ORDER;
    (void)snprintf(d.client_id, sizeof(d.client_id), "nd-1-2");
    because(&d.votes[7], "entry", .0031, 0, 1);
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    struct order order = {.kind = ORDER_CLOSE,
                          .side = SIDE_SHORT,
                          .state = ORDER_REJECTED,
                          .symbol = d.symbol,
                          .qty = dec_of("0.0031"),
                          .decision_id = 6};
    (void)snprintf(order.client_id, sizeof(order.client_id), "nd-1-2");
    (void)snprintf(order.reason, sizeof(order.reason), "too small");
    assert_int_equal(order_table_put(s->engine_store, &order, &err), 0);
    say(s, &s->rig.rita, "/why d6");
    said = rig_last(&s->rig);
    assert_has(said, "= +1.00 (cut at 1); ±0.35");
    assert_has(said, "[\"risk_audit\",\"pass\"");
    assert_has(said, "[\"execution\",\"sent\"");
    assert_has(said, "Order nd-1-2: closes short 0.0031, rejected (too small)");
}

static void decisions_are_listed(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    publish_plain(s, 0);
    say(s, &s->rig.rita, "/decisions");
    assert_has(rig_last(&s->rig), "No decisions yet");
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
    say(s, &s->rig.rita, "/decisions");
    const char *said = rig_last(&s->rig);
    assert_has(said, "Last 10 decisions");
    assert_has(said, "[\"11:06\",\"ETH-USD\",\"chop\",\"+0.41\",\"0.35\",\"order\"]");
    assert_has(said, "[\"10:06\",\"BTC-USD\",\"–\",\"−0.20\",\"0.35\",\"hold\"]");
    assert_has(said, "\"/why d12\"");
    assert_null(strstr(said, "\"/why d11\"")); /* it wanted nothing */
    assert_has(said, "\"decision_id\":3");
    assert_null(strstr(said, "\"decision_id\":2,"));
    say(s, &s->rig.rita, "/decisions 12");
    said = rig_last(&s->rig);
    assert_has(said, "Last 12 decisions");
    assert_has(said, "\"/why d2\"");
    assert_has(said, "\"veto\"]");
    assert_has(said, "Vetoes: 2 × RISK_A, 1 × RISK_B");
    say(s, &s->rig.rita, "/decisions eth-usd 3");
    said = rig_last(&s->rig);
    assert_has(said, "Last 3 decisions");
    assert_null(strstr(said, "BTC-USD"));
    say(s, &s->rig.rita, "/decisions eth-usd 1");
    assert_has(rig_last(&s->rig), "Last decision");
    say(s, &s->rig.rita, "/decisions sol-usd");
    assert_has(rig_last(&s->rig), "No decisions yet of SOL-USD");
    static const char *const wrong[] = {"/decisions 0", "/decisions 51", "/decisions eth-usd many",
                                        "/decisions \"no symbol\""};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        say(s, &s->rig.rita, wrong[i]);
        assert_has(rig_last(&s->rig), "COMMAND_ARG_INVALID");
    }
    /* Over midnight a row tells the day. */
    struct decision d = a_decision(13);
    d.at_us = RIG_WALL_US + USEC_PER_DAY;
    assert_int_equal(decision_table_add(s->engine_store, &d, &err), 0);
    say(s, &s->rig.rita, "/decisions 2");
    assert_has(rig_last(&s->rig), "[\"11-18\",\"\",\"\",\"\",\"\",\"\"]");
}

/* ---- changing ---- */

static void pause_waits_for_the_engine(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 1);
    say(s, &s->rig.alice, "/pause");
    struct request r = take_request(s);
    assert_int_equal(r.kind, REQUEST_PAUSE);
    assert_string_equal(r.by, "alice");
    assert_true(r.id > 0);
    assert_int_equal(rig_messages(&s->rig), 0);
    answer(s, &r, ERR_NONE);
    assert_has(rig_last(&s->rig), "Trading is paused");
    assert_has(rig_last(&s->rig), "1 open position keeps its stop and target");
    answer(s, &r, ERR_NONE); /* a repeated event changes nothing */
    assert_int_equal(rig_messages(&s->rig), 1);

    say(s, &s->rig.alice, "/resume");
    struct request again = take_request(s);
    assert_true(again.id > r.id);
    answer(s, &again, ERR_ENGINE_STOPPED);
    assert_has(rig_last(&s->rig), "ENGINE_STOPPED");

    say(s, &s->rig.alice, "/resume");
    again = take_request(s);
    answer(s, &again, ERR_NONE);
    assert_has(rig_last(&s->rig), "Trading goes on");
    say(s, &s->rig.alice, "/resume");
    again = take_request(s);
    struct snapshot *tripped = draft(s);
    tripped->state = TRADING_BREAKER;
    (void)str_copy(STR_LIT("daily loss 5.1 % of 5 %"), tripped->state_reason,
                   sizeof(tripped->state_reason));
    publish(s);
    answer(s, &again, ERR_NONE);
    assert_has(rig_last(&s->rig), "the breaker has tripped");
    assert_has(rig_last(&s->rig), "daily loss 5.1 % of 5 %. /resume once more");

    say(s, &s->rig.rita, "/pause");
    assert_has(rig_last(&s->rig), "ACCESS_DENIED");
}

static void a_lost_event_is_looked_up(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.alice, "/pause");
    struct request r = take_request(s);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, 1, NULL), 0);
    trading_resync(s->desk);
    loop_advance(s->rig.loop, 0);
    assert_has(rig_last(&s->rig), "Trading is paused");
}

static void a_silent_engine_times_out(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.alice, "/pause");
    struct request r = take_request(s);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "STEP_TIMEOUT");
    answer(s, &r, ERR_NONE); /* too late: nobody waits */
    assert_int_equal(rig_state(&s->rig, 1), RUN_FAILED);
}

static void a_full_ring_is_busy(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    const struct request filler = {.id = 1};
    while (ring_push(s->crossing.requests, &filler)) {}
    say(s, &s->rig.alice, "/pause");
    assert_has(rig_last(&s->rig), "ENGINE_BUSY");
    say(s, &s->rig.adam, "/emergency_stop");
    confirm(s, &s->rig.adam);
    assert_has(rig_last(&s->rig), "ENGINE_BUSY");
    assert_true(atomic_load(&s->crossing.halt)); /* the kill switch does not queue */
    assert_int_equal(s->raised, 1);
}

static void close_asks_then_waits_until_it_is_gone(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.alice, "/close BTC-USD");
    assert_has(rig_last(&s->rig), "ENGINE_NOTHING_OPEN");
    say(s, &s->rig.alice, "/close DOGE-USD");
    assert_has(rig_last(&s->rig), "DOGE-USD is none of all, BTC-USD");

    publish_plain(s, 1);
    say(s, &s->rig.alice, "/close btc-usd");
    assert_has(rig_last(&s->rig), "BTC-USD  long 0.0031 @ 64,120.5"); /* what exactly */
    confirm(s, &s->rig.alice);
    struct request r = take_request(s);
    assert_int_equal(r.kind, REQUEST_CLOSE);
    assert_string_equal(r.symbol.name, "BTC-USD");
    answer(s, &r, ERR_NONE);
    publish_plain(s, 1);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1); /* ordered is not closed */
    add_trade(s, 1, "2.5", RIG_WALL_US + USEC_PER_DAY);
    publish_plain(s, 0);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1); /* our books alone do not make it flat */
    draft(s)->venue_agrees = true;
    publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 0);
    assert_has(rig_last(&s->rig), "Closed: BTC-USD");
    assert_has(rig_last(&s->rig), "The venue itself lists nothing of it any more.");
    assert_has(rig_last(&s->rig), "+$2.50  (operator)");
    assert_int_equal(rig_last_kind(&s->rig), OUTBOX_EDIT);
}

static void a_close_that_does_not_fill_is_told(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 1);
    say(s, &s->rig.alice, "/close all");
    confirm(s, &s->rig.alice);
    struct request r = take_request(s);
    assert_string_equal(r.symbol.name, "");
    answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, 21 * USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "CLOSE_UNFINISHED");
    assert_has(rig_last(&s->rig), "BTC-USD  long 0.0031");
}

/* What the venue holds and the bot did not open is seen, named, and closed like the rest. */
static void a_foreign_position_is_shown_and_closed(void **state)
{
    struct scene *s = *state;
    struct snapshot *n = draft(s);
    n->venue_agrees = true;
    n->foreign_count = 1;
    n->foreign[0] = (struct snapshot_foreign){
        .side = SIDE_SHORT, .qty = dec_from_int(3), .entry_price = dec_from_int(150)};
    assert_true(symbol_parse(STR_LIT("SOL-USD"), &n->foreign[0].symbol));
    publish(s);
    say(s, &s->rig.alice, "/positions");
    assert_has(rig_last(&s->rig), "SOL-USD  short 3 @ 150.00   not opened by the bot");
    say(s, &s->rig.alice, "/close sol-usd");
    assert_has(rig_last(&s->rig), "SOL-USD  short 3 @ 150.00");
    confirm(s, &s->rig.alice);
    struct request r = take_request(s);
    assert_string_equal(r.symbol.name, "SOL-USD");
    answer(s, &r, ERR_NONE);
    n = draft(s);
    n->venue_agrees = true;
    n->foreign_count = 1;
    n->foreign[0].qty = dec_from_int(3);
    assert_true(symbol_parse(STR_LIT("SOL-USD"), &n->foreign[0].symbol));
    publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1);
    draft(s)->venue_agrees = true;
    publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "Closed: SOL-USD");
}

static struct request ask_for_stop(struct scene *s)
{
    publish_plain(s, 1);
    say(s, &s->rig.adam, "/emergency_stop");
    assert_has(rig_last(&s->rig), "every position is closed (1 now)");
    assert_false(atomic_load(&s->crossing.halt));
    confirm(s, &s->rig.adam);
    assert_true(atomic_load(&s->crossing.halt));
    struct request r = take_request(s);
    assert_int_equal(r.kind, REQUEST_EMERGENCY_STOP);
    return r;
}

static void an_emergency_stop_is_verified(void **state)
{
    struct scene *s = *state;
    struct request r = ask_for_stop(s);
    answer(s, &r, ERR_NONE);
    struct snapshot *n = draft(s);
    n->state = TRADING_EMERGENCY; /* looks flat, but the venue has not said so */
    publish(s);
    loop_advance(s->rig.loop, 5 * USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1);
    n = draft(s);
    n->state = TRADING_EMERGENCY;
    n->verified_flat = true;
    publish(s);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "Emergency stop: verified flat");
    assert_int_equal(s->raised, 0);

    say(s, &s->rig.alice, "/emergency_stop");
    assert_has(rig_last(&s->rig), "needs the emergency grant");
}

static void an_emergency_stop_that_is_not_flat_says_so(void **state)
{
    struct scene *s = *state;
    struct request r = ask_for_stop(s);
    answer(s, &r, ERR_NONE);
    struct snapshot *n = draft(s);
    n->state = TRADING_EMERGENCY;
    add_position(n);
    publish(s);
    loop_advance(s->rig.loop, 50 * USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "EMERGENCY_NOT_FLAT");
    assert_has(rig_last(&s->rig), "1 positions");
    assert_int_equal(s->raised, 1);
}

/* ---- stop and target, entries, maintenance ---- */

static void publish_bracket(struct scene *s, const char *stop, const char *target)
{
    struct snapshot *n = draft(s);
    add_position(n);
    n->positions[0].stop = dec_of(stop);
    n->positions[0].target = dec_of(target);
    publish(s);
}

static void assert_nothing_asked(struct scene *s)
{
    struct request none;
    assert_false(ring_pop(s->crossing.requests, &none));
}

static void amend_shows_the_change_and_waits_for_it(void **state)
{
    struct scene *s = *state;
    publish_bracket(s, "62838.1", "66685.3");
    say(s, &s->rig.alice, "/amend btc-usd stop=63,500.5");
    assert_has(rig_last(&s->rig), "BTC-USD  long 0.0031 @ 64,120.5"); /* what exactly */
    assert_has(rig_last(&s->rig), "Stop  62,838.1 → 63,500.5 (2.1 % below the price)");
    assert_has(rig_last(&s->rig), "Target stays at 66,685.3");
    assert_nothing_asked(s); /* not before it is confirmed */
    confirm(s, &s->rig.alice);
    struct request r = take_request(s);
    assert_int_equal(r.kind, REQUEST_AMEND);
    assert_string_equal(r.symbol.name, "BTC-USD");
    assert_string_equal(r.by, "alice");
    assert_int_equal(r.stop.e8, dec_of("63500.5").e8);
    assert_int_equal(r.target.e8, 0);
    answer(s, &r, ERR_NONE);
    publish_bracket(s, "62838.1", "66685.3");
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1); /* asked for is not confirmed */
    publish_bracket(s, "63500.5", "66685.3");
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 0);
    assert_has(rig_last(&s->rig), "Stop and target of BTC-USD as you want them");
    assert_has(rig_last(&s->rig), "SL 63,500.5 TP 66,685.3");
}

static void amend_refuses_what_cannot_be(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *line;
        const char *says;
    } cases[] = {
        {"/amend BTC-USD", "stop or target: at least one"},
        {"/amend BTC-USD stop=soon", "stop: soon is not a price"},
        {"/amend BTC-USD stop=-5", "stop: -5 is not a price"},
        {"/amend BTC-USD stop=99999999999999999999999999", "is not a price"},
        {"/amend BTC-USD stop=64,891.5", "the stop of a long lies below the price, which is"},
        {"/amend BTC-USD target=60000", "the target of a long lies above the price, which is"},
        {"/amend DOGE-USD stop=1", "DOGE-USD is not traded here"},
    };
    publish_bracket(s, "62838.1", "66685.3");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        say(s, &s->rig.alice, cases[i].line);
        assert_has(rig_last(&s->rig), cases[i].says);
    }
    publish_plain(s, 0);
    say(s, &s->rig.alice, "/amend BTC-USD stop=60000");
    assert_has(rig_last(&s->rig), "ENGINE_NOTHING_OPEN");
    say(s, &s->rig.rita, "/amend BTC-USD stop=60000");
    assert_has(rig_last(&s->rig), "ACCESS_DENIED");
    assert_nothing_asked(s);
}

static struct request ask_to_amend(struct scene *s)
{
    publish_bracket(s, "62838.1", "66685.3");
    say(s, &s->rig.alice, "/amend BTC-USD target=67000");
    confirm(s, &s->rig.alice);
    struct request r = take_request(s);
    answer(s, &r, ERR_NONE);
    return r;
}

static void an_amendment_that_fails_says_why(void **state)
{
    struct scene *s = *state;
    struct request r = ask_to_amend(s);
    const struct event trouble = {
        .topic = TOPIC_TROUBLE, .code = ERR_VENUE_AMEND, .symbol = r.symbol};
    trading_on_event(s->desk, &trouble);
    loop_advance(s->rig.loop, 0);
    assert_has(rig_last(&s->rig), "VENUE_AMEND");

    (void)ask_to_amend(s);
    publish_plain(s, 0); /* the stop was hit meanwhile */
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "BTC-USD was closed meanwhile");

    (void)ask_to_amend(s);
    publish_bracket(s, "62838.1", "66685.3");
    loop_advance(s->rig.loop, 21 * USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "AMEND_UNFINISHED");
    assert_has(rig_last(&s->rig), "TP 66,685.3"); /* what stands */
}

static void put_entry(struct scene *s, enum order_state order_state)
{
    struct order o = {.kind = ORDER_ENTRY,
                      .side = SIDE_LONG,
                      .state = order_state,
                      .qty = dec_of("0.0031"),
                      .reference_price = dec_of("64120.5"),
                      .stop = dec_of("62838.1"),
                      .target = dec_of("66685.3"),
                      .decision_id = 1,
                      .created_us = RIG_WALL_US + USEC_PER_DAY,
                      .updated_us = RIG_WALL_US + USEC_PER_DAY + (int64_t)order_state};
    (void)symbol_parse(str_c("BTC-USD"), &o.symbol);
    (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-7");
    struct err err = {0};
    assert_int_equal(order_table_put(s->engine_store, &o, &err), 0);
}

static void cancel_orders_waits_until_no_entry_is_alive(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    put_entry(s, ORDER_ACKED);
    say(s, &s->rig.alice, "/cancel_orders BTC-USD");
    struct request r = take_request(s);
    assert_int_equal(r.kind, REQUEST_CANCEL);
    assert_string_equal(r.symbol.name, "BTC-USD");
    answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_int_equal(runner_active(s->runner), 1);
    put_entry(s, ORDER_CANCELLED);
    loop_advance(s->rig.loop, USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "No entry of BTC-USD is on its way any more");
    assert_has(rig_last(&s->rig), "BTC-USD  long 0.0031 @ 64,120.5   cancelled");

    say(s, &s->rig.alice, "/cancel_orders");
    r = take_request(s);
    assert_string_equal(r.symbol.name, "");
    answer(s, &r, ERR_ENGINE_NO_ENTRY);
    assert_has(rig_last(&s->rig), "ENGINE_NO_ENTRY");

    put_entry(s, ORDER_UNKNOWN);
    say(s, &s->rig.alice, "/cancel_orders all");
    r = take_request(s);
    answer(s, &r, ERR_NONE);
    loop_advance(s->rig.loop, 21 * USEC_PER_SEC);
    assert_has(rig_last(&s->rig), "CANCEL_UNFINISHED");
    assert_has(rig_last(&s->rig), "unknown");
    say(s, &s->rig.alice, "/cancel_orders DOGE-USD");
    assert_has(rig_last(&s->rig), "DOGE-USD is none of all, BTC-USD");
    say(s, &s->rig.rita, "/cancel_orders");
    assert_has(rig_last(&s->rig), "ACCESS_DENIED");
}

static void maintenance_is_for_admins_and_asks(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 1);
    say(s, &s->rig.alice, "/maintenance");
    assert_has(rig_last(&s->rig), "ACCESS_DENIED");
    say(s, &s->rig.adam, "/maintenance");
    assert_has(rig_last(&s->rig), "Open positions (1 now) keep stop and target");
    confirm(s, &s->rig.adam);
    struct request r = take_request(s);
    assert_int_equal(r.kind, REQUEST_MAINTENANCE);
    struct snapshot *n = draft(s);
    n->state = TRADING_MAINTENANCE;
    (void)snprintf(n->state_reason, sizeof(n->state_reason), "maintenance by adam");
    publish(s);
    answer(s, &r, ERR_NONE);
    assert_has(rig_last(&s->rig), "Maintenance has begun");
    assert_has(rig_last(&s->rig), "\"footer\":\"🔧 maintenance by adam\"");
    say(s, &s->rig.rita, "/status");
    assert_has(rig_last(&s->rig), "\"command\":\"/resume\"");
}

/* ---- trading rules ---- */

static void save_rule(struct scene *s, const struct request *r, enum rule_status status)
{
    struct rule_book book = {.rule_count = 1};
    struct condition program;
    struct err err = {0};
    assert_int_equal(rule_read(str_c(r->text), &book.rules[0], &program, &err), 0);
    book.rules[0].id = 3;
    book.rules[0].status = status;
    book.rules[0].success_count = 12;
    book.rules[0].failure_count = 3;
    (void)snprintf(book.rules[0].created_by, sizeof(book.rules[0].created_by), "%s", r->by);
    assert_int_equal(rule_table_save(s->engine_store, &book, &err), 0);
}

static void rules_are_added_activated_and_retired(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.rita, "/rules");
    assert_has(rig_last(&s->rig), "No trading rules yet");
    say(s, &s->rig.alice, "/rule_add avoid “RSI14@1h>70 and side==long” \"no chasing\"");
    struct request r = take_request(s);
    assert_int_equal(r.kind, REQUEST_RULE_ADD);
    assert_string_equal(r.text, "avoid\nrsi14@1h > 70 and side == long\nno chasing");
    save_rule(s, &r, RULE_TESTING);
    answer(s, &r, ERR_NONE);
    assert_has(rig_last(&s->rig), "Rule 3 is being tested");
    assert_has(rig_last(&s->rig), "changes nothing until it is activated");
    assert_has(rig_last(&s->rig), "\"command\":\"/rule_activate 3\"");

    say(s, &s->rig.alice, "/rule_activate 3");
    assert_has(rig_last(&s->rig), "when rsi14@1h > 70 and side == long");
    assert_has(rig_last(&s->rig), "entries are refused while it holds");
    confirm(s, &s->rig.alice);
    struct request again = take_request(s);
    assert_int_equal(again.kind, REQUEST_RULE_STATUS);
    assert_int_equal(again.number, 3);
    assert_string_equal(again.text, "active");
    save_rule(s, &r, RULE_ACTIVE);
    answer(s, &again, ERR_NONE);
    assert_has(rig_last(&s->rig), "Rule 3 is active");

    say(s, &s->rig.rita, "/rules");
    assert_has(rig_last(&s->rig), "Trading rules: 1 active of 1");
    assert_has(rig_last(&s->rig), "✅ 3 · active · avoid · right in 12 of 15 (80 %)");
    assert_has(rig_last(&s->rig), "\"success_count\":12");
    say(s, &s->rig.rita, "/rules 3");
    assert_has(rig_last(&s->rig), "Added by alice");
    assert_has(rig_last(&s->rig), "\"command\":\"/rule_test 3\"");

    say(s, &s->rig.alice, "/rule_test 3");
    confirm(s, &s->rig.alice);
    again = take_request(s);
    assert_string_equal(again.text, "testing");
    answer(s, &again, ERR_NONE);
    say(s, &s->rig.alice, "/rule_retire 3");
    assert_has(rig_last(&s->rig), "forgotten by the engine for good");
    confirm(s, &s->rig.alice);
    again = take_request(s);
    assert_string_equal(again.text, "retired");
    save_rule(s, &r, RULE_RETIRED);
    answer(s, &again, ERR_NONE);
    assert_has(rig_last(&s->rig), "Rule 3 is retired");
    say(s, &s->rig.rita, "/rules");
    assert_has(rig_last(&s->rig), "No trading rules yet");
    say(s, &s->rig.rita, "/rules all");
    assert_has(rig_last(&s->rig), "⚪ 3 · retired");
    say(s, &s->rig.alice, "/rule_activate 3");
    assert_has(rig_last(&s->rig), "rule 3 is retired");
}

static void rules_that_cannot_be_never_reach_the_engine(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *line;
        const char *says;
    } cases[] = {
        {"/rule_add avoid \"rsi41 > 70\" \"why\"", "column 1: found rsi41"},
        {"/rule_add avoid \"tier == 1 and rsi14 = 70\" \"why\"", "column 21: found =, but equal"},
        {"/rule_add perhaps \"tier == 1\" \"why\"", "perhaps is none of avoid|favour"},
        {"/rule_add avoid \"tier == 1\"", "COMMAND_ARG_MISSING"},
        {"/rule_add avoid \"tier == 1\" \" \"", "the reason for people is missing"},
        {"/rule_add avoid \"tier == 1\n\" \"why\"", "it holds a line break"},
        {"/rule_add avoid tier == 1 why", "COMMAND_ARG_EXTRA"},
        {"/rule_activate 9", "RULE_UNKNOWN"},
        {"/rule_activate 0", "RULE_UNKNOWN"},
        {"/rules 9", "RULE_UNKNOWN"},
        {"/rules some", "some is none of a number, all, words"},
        {"/rules words", "upper minus lower band"},
    };
    publish_plain(s, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        say(s, &s->rig.alice, cases[i].line);
        assert_has(rig_last(&s->rig), cases[i].says);
    }
    say(s, &s->rig.rita, "/rule_add avoid \"tier == 1\" \"why\"");
    assert_has(rig_last(&s->rig), "ACCESS_DENIED");
    assert_true(rig_audited(&s->rig, "command.denied") > 0);
    assert_nothing_asked(s);

    say(s, &s->rig.alice, "/rule_add avoid \"tier == 1\" \"why\"");
    struct request r = take_request(s);
    answer(s, &r, ERR_RULE_DUPLICATE);
    assert_has(rig_last(&s->rig), "the same trading rule lives already");
}

/* ---- crashes ---- */

static void crash(struct scene *s)
{
    stop(s);
    s->rig.runner = NULL;
    start(s);
}

static void after_a_crash_the_request_is_looked_up(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.alice, "/pause");
    struct request r = take_request(s);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_NONE, 1, NULL), 0);
    crash(s);
    assert_int_equal(rig_state(&s->rig, 1), RUN_DONE);
    assert_has(rig_last(&s->rig), "It took effect before nightdesk was restarted");

    say(s, &s->rig.alice, "/pause");
    crash(s); /* pushed, never taken: the ring died with the process */
    assert_int_equal(rig_state(&s->rig, 2), RUN_FAILED);
    assert_has(rig_last(&s->rig), "COMMAND_NOT_DONE");

    say(s, &s->rig.alice, "/resume");
    r = take_request(s);
    assert_int_equal(request_table_add(s->engine_store, &r, ERR_ENGINE_STOPPED, 1, NULL), 0);
    crash(s);
    assert_int_equal(rig_state(&s->rig, 3), RUN_FAILED);
    assert_has(rig_last(&s->rig), "ENGINE_STOPPED");
    struct request none;
    assert_false(ring_pop(s->crossing.requests, &none)); /* nothing was asked again */
}

/* ---- built in ---- */

static void help_shows_what_one_may_do(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.rita, "/help");
    assert_has(rig_last(&s->rig), "/status  Account");
    assert_lacks(rig_last(&s->rig), "/pause");
    assert_lacks(rig_last(&s->rig), "/emergency_stop");
    say(s, &s->rig.adam, "/help");
    assert_has(rig_last(&s->rig), "/emergency_stop");
    say(s, &s->rig.alice, "/help close");
    assert_has(rig_last(&s->rig), "/close <symbol>");
    assert_has(rig_last(&s->rig), "asks for a confirmation");
    say(s, &s->rig.rita, "/help close");
    assert_has(rig_last(&s->rig), "COMMAND_UNKNOWN");
    say(s, &s->rig.rita, "/whoami");
    assert_has(rig_last(&s->rig), "Role read_only, at the door telegram, id 8");
    say(s, &s->rig.rita, "/version");
    assert_has(rig_last(&s->rig), "nightdesk " NIGHTDESK_VERSION);
}

static void auditlog_is_for_admins(void **state)
{
    struct scene *s = *state;
    publish_plain(s, 0);
    say(s, &s->rig.alice, "/auditlog");
    assert_has(rig_last(&s->rig), "ACCESS_DENIED");
    say(s, &s->rig.adam, "/auditlog 5");
    assert_has(rig_last(&s->rig), "the chain is whole");
    assert_has(rig_last(&s->rig), "command.denied");
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(trading, SCENE_TEST(status_shows_the_account),
           SCENE_TEST(status_tells_of_candles_that_were_refused),
           SCENE_TEST(the_market_clock_is_shown_when_it_is_not_ours),
           SCENE_TEST(states_stay_in_the_footer),
           SCENE_TEST(what_keeps_the_engine_from_its_disk_is_seen),
           SCENE_TEST(positions_have_units), SCENE_TEST(trades_add_up),
           SCENE_TEST(risk_shows_limits_beside_their_use),
           SCENE_TEST(risk_says_why_nothing_is_opened),
           SCENE_TEST(why_tells_votes_reasons_veto_and_order), SCENE_TEST(why_tells_of_all_eight),
           SCENE_TEST(decisions_are_listed), SCENE_TEST(pause_waits_for_the_engine),
           SCENE_TEST(a_lost_event_is_looked_up), SCENE_TEST(a_silent_engine_times_out),
           SCENE_TEST(a_full_ring_is_busy), SCENE_TEST(close_asks_then_waits_until_it_is_gone),
           SCENE_TEST(a_close_that_does_not_fill_is_told),
           SCENE_TEST(a_foreign_position_is_shown_and_closed),
           SCENE_TEST(an_emergency_stop_is_verified),
           SCENE_TEST(an_emergency_stop_that_is_not_flat_says_so),
           SCENE_TEST(amend_shows_the_change_and_waits_for_it),
           SCENE_TEST(amend_refuses_what_cannot_be), SCENE_TEST(an_amendment_that_fails_says_why),
           SCENE_TEST(cancel_orders_waits_until_no_entry_is_alive),
           SCENE_TEST(maintenance_is_for_admins_and_asks),
           SCENE_TEST(rules_are_added_activated_and_retired),
           SCENE_TEST(rules_that_cannot_be_never_reach_the_engine),
           SCENE_TEST(after_a_crash_the_request_is_looked_up),
           SCENE_TEST(help_shows_what_one_may_do), SCENE_TEST(auditlog_is_for_admins))
