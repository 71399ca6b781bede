#include "steer_rig.h"

#include "base/check.h"
#include "io/embed.h"
#include "io/pool.h"
#include "rigs/reply_text.h"
#include "store/trade_table.h"
#include "store/trading.h"

#include <string.h>
#include <unistd.h>

static const char *const wanted[] = {
    "risk",         "help",          "status",         "positions",       "trades",
    "why",          "pause",         "resume",         "close",           "whoami",
    "version",      "auditlog",      "emergency_stop", "clear_emergency", "decisions",
    "amend",        "cancel_orders", "rules",          "rule_add",        "rule_activate",
    "rule_test",    "rule_retire",   "balance",        "profit",          "daily",
    "weekly",       "monthly",       "performance",    "limits",          "cooldown",
    "cooldown_set", "cooldown_lift", "chart",          "export",          "live",
    "orders",       "runs",          "maintenance",    "golive",          "capital"};

static int raise_alert(struct action_call *call, struct err *err)
{
    (void)err;
    ((struct steer_rig *)action_userdata(call))->raised++;
    return ACTION_DONE;
}

static int hold_alerts(struct action_call *call, struct err *err)
{
    const struct steer_rig *s = action_userdata(call);
    return s->maintenance_fails ? err_set(err, ERR_MAINTENANCE_MANY, "32") : ACTION_DONE;
}

static const struct action above[] = {
    {.name = "alert.raise",
     .summary = "Raise an alert",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "severity", .type = PARAM_TEXT},
                             {.name = "title", .type = PARAM_TEXT}),
     .run = raise_alert},
    {.name = "alert.maintenance",
     .summary = "Hold alerts back",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS(
         {.name = "what", .type = PARAM_TEXT}, {.name = "for", .type = PARAM_DURATION},
         {.name = "reason", .type = PARAM_TEXT}, {.name = "service", .type = PARAM_SERVICE},
         {.name = "entries", .type = PARAM_TEXT}),
     .run = hold_alerts},
    {0},
};

static bool deliver(const struct runner_unstored *unstored, void *userdata)
{
    struct steer_rig *s = userdata;
    assert_int_equal(unstored->channel, CHANNEL_TELEGRAM);
    assert_int_equal(unstored->chat_id, s->rig.chat_id);
    s->delivered++;
    s->delivered_edit = unstored->edit_message_id;
    reply_text_all(unstored->reply, s->delivered_text, sizeof(s->delivered_text));
    return true;
}

static unsigned report_late(const struct desk_late *late, void *userdata)
{
    struct steer_rig *s = userdata;
    unsigned notified = s->late_no_alert ? 0 : DESK_LATE_ALERT;
    s->late_happened = late->happened;
    s->lates++;
    if ((late->notified & DESK_LATE_MESSAGE) == 0 &&
        runner_late(s->runner, late->run_id, late->reply, NULL) == 0) {
        notified |= DESK_LATE_MESSAGE;
    }
    return notified;
}

static void decorate(struct reply *reply, void *userdata)
{
    struct steer_rig *s = userdata;
    desk_decorate(reply, s->desk);
    reply_text_all(reply, s->full, sizeof(s->full));
}

static void start(struct steer_rig *s)
{
    struct err err = {0};
    shared_init(&s->shared, SYMBOLS_LIMIT);
    struct shared_reader *reader = shared_reader_add(&s->shared, "test", 0);
    shared_seal(&s->shared);
    s->version = 0;
    const struct desk_options options = {.shared = &s->shared,
                                         .reader = reader,
                                         .trading = s->reader,
                                         .store = s->rig.store,
                                         .config = &s->rig.config,
                                         .clock = &s->rig.clock.clock,
                                         .loop = s->rig.loop,
                                         .late = report_late,
                                         .late_userdata = s,
                                         .state_dir = s->rig.folder,
                                         .helpers = s->helpers};
    s->desk = desk_new(&options);
    s->actions = action_table_new();
    s->builtin = (struct builtin){.store = s->rig.store,
                                  .clock = &s->rig.clock.clock,
                                  .access = s->rig.access,
                                  .run_details = desk_add_run_orders,
                                  .run_details_userdata = s->desk};
    builtin_actions(&s->builtin, s->actions);
    desk_actions(s->desk, s->actions);
    action_table_add(s->actions, above, s);

    static const char swap[] = "command: swap\ngroup: services\nsummary: s\nrole: operator\n"
                               "steps:\n  - {run: trading.pause}\n  - {run: trading.resume}\n"
                               "on_failure: [{run: alert.raise, with: {severity: high, title: t}}]"
                               "\nexamples: [swap]\n";
    static const char stand[] =
        "command: stand_still\ngroup: change\nsummary: s\nrole: admin\nconfirm: true\n"
        "steps: [{run: trading.maintenance, timeout: 15s}]\nexamples: [stand_still]\n";
    struct embedded_file files[COUNT_OF(wanted) + 3] = {0};
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
    files[count++] = (struct embedded_file){
        .path = "commands/swap.yaml", .data = swap, .size = sizeof(swap) - 1};
    files[count] = (struct embedded_file){
        .path = "commands/stand_still.yaml", .data = stand, .size = sizeof(stand) - 1};
    assert_int_equal(manifest_list_read(s->actions, files, &s->manifests, &err), 0);
    s->builtin.manifests = s->manifests;
    s->shelf = shelf_new(s->rig.loop);
    const struct runner_options runner = {.loop = s->rig.loop,
                                          .clock = &s->rig.clock.clock,
                                          .config = &s->rig.config,
                                          .store = s->rig.store,
                                          .access = s->rig.access,
                                          .actions = s->actions,
                                          .manifests = s->manifests,
                                          .shelf = s->shelf,
                                          .decorate = decorate,
                                          .decorate_userdata = s,
                                          .deliver = deliver,
                                          .deliver_userdata = s,
                                          .ended = desk_run_ended,
                                          .ended_userdata = s->desk};
    assert_int_equal(runner_new(&runner, &s->runner, &err), 0);
    runner_free(s->rig.runner);
    s->rig.runner = s->runner;
    assert_int_equal(runner_recover(s->runner, &err), 0);
}

static void stop(struct steer_rig *s)
{
    runner_free(s->runner);
    shelf_free(s->shelf);
    s->rig.runner = NULL;
    desk_free(s->desk);
    manifest_list_free(s->manifests);
    action_table_free(s->actions);
    shared_release(&s->shared);
}

int steer_rig_setup(void **state)
{
    static struct steer_rig rig;
    struct steer_rig *s = &rig;
    memset(s, 0, sizeof(*s));
    runner_rig_open(&s->rig);
    assert_int_equal(trading_store_open(s->rig.folder, TRADING_STORE_WRITE, &s->engine_store, NULL),
                     0);
    assert_int_equal(trading_store_open(s->rig.folder, TRADING_STORE_READ, &s->reader, NULL), 0);
    start(s);
    *state = s;
    return 0;
}

int steer_rig_teardown(void **state)
{
    struct steer_rig *s = *state;
    stop(s);
    pool_free(s->helpers);
    trading_store_free(s->reader);
    trading_store_free(s->engine_store);
    free(s->snapshot);
    runner_rig_close(&s->rig);
    return 0;
}

void steer_rig_crash(struct steer_rig *s)
{
    stop(s);
    s->rig.runner = NULL;
    start(s);
}

struct dec steer_rig_dec(const char *text)
{
    struct dec value = DEC_INVALID;
    assert_true(dec_parse(str_c(text), &value));
    return value;
}

struct snapshot *steer_rig_draft(struct steer_rig *s)
{
    free(s->snapshot);
    struct snapshot *n = s->snapshot = snapshot_new(SYMBOLS_LIMIT);
    n->version = ++s->version;
    n->published_wall_us = s->rig.clock.now_wall_us;
    n->published_mono_us = s->rig.clock.now_mono_us;
    n->started_wall_us = s->rig.clock.now_wall_us - 52 * USEC_PER_HOUR;
    n->started_mono_us = s->rig.clock.now_mono_us - 52 * USEC_PER_HOUR;
    n->market_us = RIG_WALL_US + USEC_PER_DAY;
    n->market_speed = 1;
    n->state = TRADING_ACTIVE;
    n->initial_cash = steer_rig_dec("10000");
    n->equity = steer_rig_dec("10412.88");
    n->cash = steer_rig_dec("10000");
    n->day_start_equity = steer_rig_dec("10416.98");
    n->drawdown_pct = 1.84;
    n->max_drawdown_pct = 15;
    n->exposure_pct = 3.9;
    n->max_positions = 3;
    n->books_balance = true;
    (void)str_copy(STR_LIT("paper"), n->venue.name, sizeof(n->venue.name));
    n->venue.state = VENUE_READY;
    n->venue.brackets = true;
    n->market_count = 1;
    n->markets[0].rules.digits = 6;
    (void)symbol_parse(STR_LIT("BTC-USD"), &n->markets[0].symbol);
    return n;
}

void steer_rig_add_position(struct snapshot *n)
{
    struct position *p = &n->positions[n->position_count++];
    (void)symbol_parse(str_c("BTC-USD"), &p->symbol);
    p->side = SIDE_LONG;
    p->qty = steer_rig_dec("0.0031");
    p->entry_price = steer_rig_dec("64120.5");
    p->mark_price = steer_rig_dec("64891.5");
    p->unrealised = steer_rig_dec("2.39");
    p->stop = steer_rig_dec("62838.1");
    p->target = steer_rig_dec("66685.3");
    p->opened_us = n->market_us - 90 * USEC_PER_MIN;
}

void steer_rig_publish(struct steer_rig *s)
{
    shared_publish_snapshot(&s->shared, s->snapshot);
    atomic_store(&s->shared.engine_beat_mono_us, s->rig.clock.now_mono_us);
}

void steer_rig_publish_plain(struct steer_rig *s, int positions)
{
    struct snapshot *n = steer_rig_draft(s);
    if (positions > 0) {
        steer_rig_add_position(n);
    }
    steer_rig_publish(s);
}

struct request steer_rig_next_request(struct steer_rig *s)
{
    struct request r = {0};
    uint64_t woken = 0;
    assert_true(ring_pop(s->shared.requests, &r));
    assert_true(read(s->shared.requests_fd, &woken, sizeof(woken)) == sizeof(woken));
    return r;
}

void steer_rig_answer(struct steer_rig *s, const struct request *r, uint32_t code)
{
    const struct event event = {.topic = TOPIC_REPLY, .code = code, .id = r->id};
    atomic_store(&s->shared.engine_beat_mono_us, s->rig.clock.now_mono_us);
    desk_on_event(s->desk, &event);
    loop_advance(s->rig.loop, 0);
}

void steer_rig_send(struct steer_rig *s, const struct principal *who, const char *line)
{
    assert_int_equal(runner_rig_submit(&s->rig, who, line), 0);
}

void steer_rig_confirm(struct steer_rig *s, const struct principal *who)
{
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(&s->rig));
    steer_rig_send(s, who, press);
}

void steer_rig_add_other_trade(struct steer_rig *s, const struct steer_rig_trade *trade)
{
    struct trade t = {.id = trade->id,
                      .side = SIDE_LONG,
                      .qty = steer_rig_dec("0.0031"),
                      .entry_price = steer_rig_dec("64120.5"),
                      .exit_price = steer_rig_dec("64891.5"),
                      .pnl = steer_rig_dec(trade->pnl),
                      .fees = steer_rig_dec(trade->fees == NULL ? "0.2" : trade->fees),
                      .opened_us = trade->opened_us == 0 ? trade->closed_us - USEC_PER_HOUR
                                                         : trade->opened_us,
                      .closed_us = trade->closed_us,
                      .decision_id = trade->id};
    assert_true(symbol_parse(str_c(trade->symbol == NULL ? "BTC-USD" : trade->symbol), &t.symbol));
    (void)snprintf(t.exit_reason, sizeof(t.exit_reason), "%s",
                   trade->exit == NULL ? "operator" : trade->exit);
    (void)snprintf(t.client_id, sizeof(t.client_id), "nd-1-%lld", (long long)trade->id);
    struct err err = {0};
    assert_int_equal(trade_table_add(s->engine_store, &t, &err), 0);
}

void steer_rig_add_trade(struct steer_rig *s, int64_t id, const char *pnl, int64_t closed_us)
{
    steer_rig_add_other_trade(
        s, &(struct steer_rig_trade){.id = id, .pnl = pnl, .closed_us = closed_us});
}
