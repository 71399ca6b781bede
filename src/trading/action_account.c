#include "base/check.h"
#include "desk_internal.h"
#include "figure.h"
#include "model/model_json.h"
#include "store/trade_table.h"

#include <string.h>

#define TRADES_MAX    50
#define LINE_SIZE     1024
#define NO_STATUS_YET "The trading engine has not reported yet."

/* ------------------------------------------------------------------------------ positions ---- */

static int show_positions(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_read(desk, action_reply(call));
    struct reply *r = action_reply(call);
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "positions");
    }
    reply_title(r, TONE_PLAIN, "Positions %d of %d", s->position_count, s->max_positions);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    model_json_positions(&data, "positions", s);
    model_json_foreign(&data, "foreign_positions", s);
    for (int i = 0; i < s->foreign_count; i++) {
        AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
        figure_foreign(&line, &s->foreign[i]);
        reply_line(r, "⚠ %s", line.data);
    }
    if (s->position_count == 0) {
        reply_line(r, s->foreign_count == 0 ? "No position is open."
                                            : "The bot itself has no open position.");
    } else {
        reply_table(r, 7,
                    (const char *const[]){"symbol", "side", "quantity", "entry", "now", "result",
                                          "open for"});
    }
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        char qty[DEC_TEXT_SIZE];
        AUTO_BUF struct buf entry = BUF_INIT(64);
        AUTO_BUF struct buf mark = BUF_INIT(64);
        AUTO_BUF struct buf result = BUF_INIT(64);
        AUTO_BUF struct buf age = BUF_INIT(64);
        figure_price(&entry, p->entry_price);
        figure_price(&mark, p->mark_price);
        figure_money(&result, p->unrealised, true);
        clock_add_duration(&age, s->market_us - p->opened_us);
        reply_row(r,
                  (const char *const[]){p->symbol.name, side_name(p->side), dec_text(p->qty, qty),
                                        entry.data, mark.data, result.data, age.data});
    }
    for (int i = 0; i < s->position_count; i++) {
        AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
        AUTO_BUF struct buf command = BUF_INIT(64);
        const struct position *p = &s->positions[i];
        buf_addf(&line, "%s  SL ", p->symbol.name);
        figure_price(&line, p->stop);
        buf_add_c(&line, " TP ");
        figure_price(&line, p->target);
        reply_line(r, "%s", line.data);
        buf_addf(&command, "/close %s", p->symbol.name);
        reply_button(r, command.data + 1, command.data, BUTTON_PLAIN);
    }
    desk_market_line(r, s);
    reply_protect(r);
    return ACTION_DONE;
}

/* --------------------------------------------------------------------------------- status ---- */

/* TONE_BUSY is reserved for the progress of a run, which a console without a terminal skips. */
static void status_title(struct reply *r, const struct desk *desk, const struct snapshot *s)
{
    AUTO_BUF struct buf up = BUF_INIT(64);
    clock_add_duration(&up, clock_mono_us(desk->o.clock) - s->started_mono_us);
    bool bad = s->disk.state != DISK_OK;
    enum tone tone = bad ? TONE_BAD : TONE_PLAIN;
    switch (s->state) {
    case TRADING_ACTIVE:
        reply_title(r, s->last_err == ERR_NONE && !bad ? TONE_GOOD : TONE_BAD,
                    "nightdesk · paper · up %s", up.data);
        break;
    case TRADING_STARTING:
        reply_title(r, TONE_PLAIN, "⏳ nightdesk · paper · starting: %s", s->state_reason);
        break;
    case TRADING_PAUSED:
    case TRADING_BREAKER:
    case TRADING_MAINTENANCE:
        reply_title(r, tone, "⏸ nightdesk · paper · up %s", up.data);
        break;
    case TRADING_EMERGENCY:
        reply_title(r, tone, "⛔ nightdesk · paper · up %s", up.data);
        break;
    }
}

static void status_account(struct reply *r, const struct snapshot *s)
{
    struct dec today = dec_sub(s->equity, s->day_start_equity);
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    buf_add_c(&line, "Equity  ");
    figure_money(&line, s->equity, false);
    buf_add_c(&line, "  (");
    figure_pct(&line, figure_ratio_pct(dec_sub(s->equity, s->initial_cash), s->initial_cash), 1,
               true);
    buf_add_c(&line, ")   today  ");
    figure_money(&line, today, true);
    buf_add_c(&line, " (");
    figure_pct(&line, figure_ratio_pct(today, s->day_start_equity), 2, true);
    buf_add_c(&line, ")");
    reply_line(r, "%s", line.data);

    buf_clear(&line);
    buf_add_c(&line, "Drawdown ");
    figure_pct(&line, s->drawdown_pct, 1, false);
    buf_add_c(&line, " of ");
    figure_pct(&line, s->max_drawdown_pct, 0, false);
    buf_add_c(&line, "   Exposure ");
    figure_pct(&line, s->exposure_pct, 1, false);
    buf_addf(&line, "   Positions %d of %d", s->position_count, s->max_positions);
    reply_line(r, "%s", line.data);
    for (int i = 0; i < s->position_count; i++) {
        buf_clear(&line);
        figure_position(&line, &s->positions[i]);
        reply_line(r, "%s", line.data);
    }
    if (!s->books_balance) {
        reply_line(r, "⚠ The books do not balance: no new positions are opened.");
    }
}

static void status_disk(struct reply *r, const struct snapshot *s)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    desk_disk_line(&line, s);
    if (s->disk.state == DISK_OK) {
        return;
    }
    buf_add_c(&line, ", since ");
    clock_add_when(&line, s->disk.since_wall_us, s->published_wall_us);
    if (s->disk.state == DISK_FAILED) {
        buf_add_c(&line, s->disk.closes
                             ? ". No new positions; stops, closing and an emergency stop work."
                             : ". No new positions; closing waits, stops stay at the venue.");
    }
    reply_line(r, "⚠ %s", line.data);
}

/* Problems of the candle feed; adds nothing if there are none. */
static void status_feed(struct reply *r, const struct snapshot *s)
{
    if (s->market_ended) {
        reply_line(r, "⚠ The market has no more candles: no new positions are opened.");
    }
    uint64_t gaps = 0;
    for (int i = 0; i < s->market_count; i++) {
        gaps += s->markets[i].gaps;
    }
    if (s->source_refused + s->source_duplicates + gaps > 0) {
        reply_line(r, "Candles: refused rows %llu, duplicates %llu, missing %llu",
                   (unsigned long long)s->source_refused, (unsigned long long)s->source_duplicates,
                   (unsigned long long)gaps);
    }
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *m = &s->markets[i];
        if (m->refused == 0) {
            continue;
        }
        AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
        const struct {
            uint64_t count;
            const char *word;
        } kinds[] = {{m->refused_impossible, "impossible"},
                     {m->refused_backward, "not newer than the last"},
                     {m->refused_stale, "stale"},
                     {m->refused_future, "from the future"}};
        const char *between = "";
        buf_addf(&line, "%s%s candles refused: ", m->suspect ? "⚠ " : "", m->symbol.name);
        for (size_t k = 0; k < COUNT_OF(kinds); k++) {
            if (kinds[k].count > 0) {
                buf_addf(&line, "%s%llu %s", between, (unsigned long long)kinds[k].count,
                         kinds[k].word);
                between = ", ";
            }
        }
        buf_add_c(&line, m->suspect ? "; no new positions until a valid one arrives" : "");
        reply_line(r, "%s", line.data);
    }
}

/* The parts of other modules, in one line. */
static void status_parts(struct desk *desk, struct reply *r)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    for (size_t i = 0; i < desk->line_count; i++) {
        AUTO_BUF struct buf part = BUF_INIT(256);
        desk->lines[i].fn(&part, reply_data(r), desk->lines[i].userdata);
        if (part.len > 0) {
            buf_addf(&line, "%s%s", line.len == 0 ? "" : "   ", part.data);
        }
    }
    if (line.len > 0) {
        reply_line(r, "%s", line.data);
    }
}

static int show_status(struct action_call *call, struct err *err)
{
    (void)err; /* /status always answers */
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_read(desk, action_reply(call));
    struct reply *r = action_reply(call);
    if (s->version == 0) {
        reply_title(r, TONE_PLAIN, "⏳ nightdesk · paper · starting");
        reply_line(r, NO_STATUS_YET);
        struct json_out data = JSON_OUT_TREE(reply_data(r));
        json_out_object(&data, "snapshot");
        json_out_object(&data, "trading");
        json_out_text(&data, "state", trading_state_name(TRADING_STARTING));
        json_out_end(&data);
        json_out_end(&data);
    } else {
        status_title(r, desk, s);
        status_account(r, s);
        status_disk(r, s);
        status_feed(r, s);
        /* Beside its age, which desk_read has added. */
        struct json_out data = JSON_OUT_TREE(json_get(reply_data(r), "snapshot"));
        model_json_snapshot(&data, s);
        desk_market_line(r, s);
    }
    status_parts(desk, r);
    reply_button(r, "Positions", "/positions", BUTTON_PLAIN);
    reply_button(r, "Alerts", "/alerts", BUTTON_PLAIN);
    reply_button(r, "Why", "/why", BUTTON_PLAIN);
    if (s->version > 0 && (s->state == TRADING_PAUSED || s->state == TRADING_BREAKER ||
                           s->state == TRADING_MAINTENANCE)) {
        reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    } else if (s->version > 0 && s->state == TRADING_ACTIVE) {
        reply_button(r, "Pause", "/pause", BUTTON_PLAIN);
    }
    reply_protect(r);
    return ACTION_DONE;
}

/* --------------------------------------------------------------------------------- trades ---- */

static void trade_row(struct reply *r, const struct trade *t)
{
    AUTO_BUF struct buf id = BUF_INIT(32);
    AUTO_BUF struct buf at = BUF_INIT(64);
    AUTO_BUF struct buf pnl = BUF_INIT(64);
    AUTO_BUF struct buf held = BUF_INIT(64);
    buf_addf(&id, "%lld", (long long)t->id);
    clock_add_when(&at, t->closed_us, 0);
    figure_money(&pnl, t->pnl, true);
    clock_add_duration(&held, t->closed_us - t->opened_us);
    reply_row(r, (const char *const[]){id.data, at.data, t->symbol.name, side_name(t->side),
                                       pnl.data, held.data, t->exit_reason});
}

static int show_trades(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t count = action_int(call, "count");
    struct trade trades[TRADES_MAX];
    struct trade_stats stats;
    int rc = desk_need_store(desk, action_reply(call), err);
    if (rc < 0) {
        return rc;
    }
    int n = trade_table_list(desk->o.trading, &(struct trade_query){0}, trades, (size_t)count, err);
    if (n < 0 || (rc = trade_table_stats(desk->o.trading, 0, &stats, err)) < 0) {
        return n < 0 ? n : rc;
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "trades");
    for (int i = 0; i < n; i++) {
        json_out_object(&data, NULL);
        model_json_trade(&data, &trades[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
    reply_title(r, TONE_PLAIN, n == 1 ? "Last trade" : "Last %d trades", n);
    if (n == 0) {
        reply_title(r, TONE_PLAIN, "No trades yet");
        return ACTION_DONE;
    }
    reply_table(
        r, 7,
        (const char *const[]){"#", "closed (UTC)", "symbol", "side", "result", "held", "exit"});
    for (int i = 0; i < n; i++) {
        trade_row(r, &trades[i]);
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    struct dec sum = dec_add(stats.gross_profit, stats.gross_loss);
    buf_addf(&line, "All %lld: %lld won (", (long long)stats.count, (long long)stats.wins);
    figure_pct(&line, stats.count == 0 ? 0 : 100.0 * (double)stats.wins / (double)stats.count, 0,
               false);
    buf_add_c(&line, "), result ");
    figure_money(&line, sum, true);
    buf_add_c(&line, ", fees ");
    figure_money(&line, stats.fees, false);
    reply_line(r, "%s", line.data);
    json_out_i64(&data, "count", stats.count);
    json_out_i64(&data, "wins", stats.wins);
    json_out_dec(&data, "pnl", sum);
    desk_market_line(r, desk_read(desk, r));
    reply_protect(r);
    return ACTION_DONE;
}

static const struct action actions[] = {
    {.name = "trading.status",
     .summary = "Account, positions, services and alerts at a glance",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_status},
    {.name = "trading.positions",
     .summary = "Open positions",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_positions},
    {.name = "trading.trades",
     .summary = "Closed trades, newest first, and their total result",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "count",
                              .type = PARAM_INT,
                              .default_text = "10",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(TRADES_MAX),
                              .help = "how many"}),
     .run = show_trades},
    {0},
};

void desk_actions(struct desk *desk, struct action_table *table)
{
    action_table_add(table, actions, desk);
    action_table_add(table, action_risk_rows, desk);
    action_table_add(table, action_why_rows, desk);
    action_table_add(table, action_decisions_rows, desk);
    action_table_add(table, action_steer_rows, desk);
    action_table_add(table, action_orders_rows, desk);
    action_table_add(table, action_rules_rows, desk);
    if (desk != NULL) { /* else the actions are only described */
        domain_register(desk, table);
    }
}
