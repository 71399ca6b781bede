#include "base/check.h"
#include "desk_internal.h"
#include "live.h"
#include "model/model_json.h"
#include "store/trade_table.h"
#include "view.h"

#include <string.h>

#define TRADES_MAX    50
#define BUTTONS_MAX   12 /* of positions */
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
        view_foreign(r, &s->foreign[i]);
    }
    if (s->position_count == 0) {
        reply_line(r, s->foreign_count == 0 ? "No position is open."
                                            : "The bot itself has no open position.");
    } else {
        reply_columns(r, "#", "symbol", "side", "quantity", "entry", "now", "result", "open for");
    }
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        const char *symbol = p->symbol.name;
        reply_cells(r, cell_count(i + 1), cell_symbol(symbol), cell_text(side_name(p->side)),
                    cell_qty(p->qty, symbol), cell_price(p->entry_price, symbol),
                    cell_price(p->mark_price, symbol), cell_money_signed(p->unrealised),
                    cell_duration(s->market_us - p->opened_us));
    }
    bool stop_kept = false, target_kept = false;
    for (int i = 0; i < s->position_count; i++) {
        AUTO_BUF struct buf command = BUF_INIT(64);
        const struct position *p = &s->positions[i];
        reply_para(r, "{}", cell_symbol(p->symbol.name));
        view_bracket(r, &p->symbol, p->stop, p->target);
        if (!s->venue.brackets) {
            view_legs(r, &s->legs[i]);
        }
        stop_kept = stop_kept || !(s->venue.brackets || s->legs[i].stop_at_venue);
        target_kept = target_kept || !(s->venue.brackets || s->legs[i].target_at_venue);
        buf_addf(&command, "/close %s", p->symbol.name);
        if (i < BUTTONS_MAX) {
            view_button(r, i, command.data + 1, command.data);
        }
    }
    if (stop_kept || target_kept) {
        reply_line(r, "A %s kept by nightdesk does not act while nightdesk is down.",
                   !target_kept ? "stop"
                   : !stop_kept ? "target"
                                : "stop or target");
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
                    "nightdesk · %s · up %s", s->venue.name, up.data);
        break;
    case TRADING_STARTING:
        reply_title(r, TONE_PLAIN, "⏳ nightdesk · %s · starting: %s", s->venue.name,
                    s->state_reason);
        break;
    case TRADING_PAUSED:
    case TRADING_BREAKER:
    case TRADING_MAINTENANCE:
        reply_title(r, tone, "⏸ nightdesk · %s · up %s", s->venue.name, up.data);
        break;
    case TRADING_EMERGENCY:
        reply_title(r, tone, "⛔ nightdesk · %s · up %s", s->venue.name, up.data);
        break;
    }
}

static void status_account(struct reply *r, const struct snapshot *s, int positions_max)
{
    struct dec today = dec_sub(s->equity, s->day_start_equity);
    if (s->initial_cash.e8 > 0) {
        double change_pct = cell_ratio_pct(dec_sub(s->equity, s->initial_cash), s->initial_cash);
        reply_field(r, "Equity", "{} ({})", cell_money(s->equity), cell_pct_signed(change_pct, 1));
    } else { /* more was withdrawn than there was at the start */
        reply_field(r, "Equity", "{}", cell_money(s->equity));
    }
    reply_field(r, "Today", "{} ({})", cell_money_signed(today),
                cell_pct_signed(cell_ratio_pct(today, s->day_start_equity), 2));
    reply_field(r, "Drawdown", "{} of {}", cell_pct(s->drawdown_pct, 1),
                cell_pct(s->max_drawdown_pct, 0));
    reply_field(r, "Exposure", "{}, positions {} of {}", cell_pct(s->exposure_pct, 1),
                cell_count(s->position_count), cell_count(s->max_positions));
    int shown =
        positions_max > 0 && s->position_count > positions_max ? positions_max : s->position_count;
    for (int i = 0; i < shown; i++) {
        view_position(r, &s->positions[i]);
        if (!s->venue.brackets) {
            view_legs(r, &s->legs[i]);
        }
    }
    if (shown < s->position_count) {
        reply_para(r, "and {} more: {}", cell_count(s->position_count - shown),
                   cell_code("/positions"));
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
    reply_para(r, "⚠ {}, since {}", cell_text(line.data),
               cell_time(s->disk.since_wall_us, s->published_wall_us));
    if (s->disk.state == DISK_FAILED) {
        reply_more(r, "{}",
                   cell_text(s->disk.closes
                                 ? ". No new positions; stops, closing and an emergency stop work."
                                 : ". No new positions; closing waits, stops stay at the venue."));
    }
}

/* Adds nothing while the venue is ready and does not limit us, or before the engine knows. */
static void status_venue(struct reply *r, const struct snapshot *s)
{
    const struct snapshot_venue *v = &s->venue;
    if (v->since_wall_us == 0) {
        return;
    }
    if (v->state != VENUE_READY) {
        reply_para(r, "⚠ Venue {} is {}, since {}", cell_text(v->name),
                   cell_text(venue_state_name(v->state)),
                   cell_time(v->since_wall_us, s->published_wall_us));
        reply_more(r, "{}{}. No new positions; closing is tried.",
                   cell_text(v->reason[0] == '\0' ? "" : ": "), cell_text(v->reason));
    } else if (v->catching_up) {
        reply_para(r, "⚠ Venue {} is back: no new positions until its orders are compared.",
                   cell_text(v->name));
    } else if (v->limited_us > 0) {
        reply_para(r, "⚠ Venue {} limits requests: no new positions for {}.", cell_text(v->name),
                   cell_duration(v->limited_us));
    }
    switch (v->hours) {
    case VENUE_HOURS_NONE:
    case VENUE_HOURS_REGULAR:
        break;
    case VENUE_HOURS_CLOSED:
        reply_para(r, "Stocks at {} are closed until {}.", cell_text(v->name),
                   cell_time(v->hours_change_wall_us, s->published_wall_us));
        break;
    case VENUE_HOURS_EXTENDED:
        reply_para(r, "Stocks at {}: extended hours, by limit orders, until {}.",
                   cell_text(v->name), cell_time(v->hours_change_wall_us, s->published_wall_us));
        break;
    }
}

/* Problems of the candle feed; adds nothing if there are none. */
static void status_feed(struct reply *r, const struct snapshot *s)
{
    const struct snapshot_stream *live = &s->stream;
    if (live->venue[0] != '\0' && !live->up) {
        reply_para(r, "⚠ Prices of {} are not connected{}{}: no new positions.",
                   cell_text(live->venue), cell_text(s->feed_reason[0] == '\0' ? "" : ": "),
                   cell_text(s->feed_reason));
    } else if (s->feed_err != 0) {
        reply_para(r, "⚠ Candles have stopped ({}): no new positions are opened.",
                   cell_text(err_info(s->feed_err)->code));
    } else if (s->market_ended) {
        reply_line(r, "⚠ The market has no more candles: no new positions are opened.");
    } else if (live->venue[0] != '\0' && live->late) {
        reply_para(r, "⚠ Candles of {} that were missed are being read: no new positions yet.",
                   cell_text(live->venue));
    }
    if (live->lost + live->filled + live->late_candles + live->refused > 0) {
        reply_para(r, "Stream: lost {}, candles from history {}, late {}, refused {}",
                   cell_count((int64_t)live->lost), cell_count((int64_t)live->filled),
                   cell_count((int64_t)live->late_candles), cell_count((int64_t)live->refused));
    }
    uint64_t gaps = 0;
    for (int i = 0; i < s->market_count; i++) {
        gaps += s->markets[i].gaps;
    }
    if (s->source_refused + s->source_duplicates + gaps > 0) {
        reply_para(r, "Candles: refused rows {}, duplicates {}, missing {}",
                   cell_count((int64_t)s->source_refused),
                   cell_count((int64_t)s->source_duplicates), cell_count((int64_t)gaps));
    }
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *m = &s->markets[i];
        if (m->refused == 0) {
            continue;
        }
        const struct {
            uint64_t count;
            const char *word;
        } kinds[] = {{m->refused_impossible, "impossible"},
                     {m->refused_backward, "not newer than the last"},
                     {m->refused_stale, "stale"},
                     {m->refused_future, "from the future"}};
        const char *between = "";
        reply_para(r, "{}{} candles refused: ", cell_text(m->suspect ? "⚠ " : ""),
                   cell_symbol(m->symbol.name));
        for (size_t k = 0; k < COUNT_OF(kinds); k++) {
            if (kinds[k].count > 0) {
                reply_more(r, "{}{} {}", cell_text(between), cell_count((int64_t)kinds[k].count),
                           cell_text(kinds[k].word));
                between = ", ";
            }
        }
        if (m->suspect) {
            reply_more(r, "{}", cell_text("; no new positions until a valid one arrives"));
        }
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

void view_status(struct desk *desk, struct reply *r, int positions_max)
{
    const struct snapshot *s = desk_read(desk, r);
    if (s->version == 0) {
        reply_title(r, TONE_PLAIN, "⏳ nightdesk · starting");
        reply_line(r, NO_STATUS_YET);
        struct json_out data = JSON_OUT_TREE(reply_data(r));
        json_out_object(&data, "snapshot");
        json_out_object(&data, "trading");
        json_out_text(&data, "state", trading_state_name(TRADING_STARTING));
        json_out_end(&data);
        json_out_end(&data);
    } else {
        status_title(r, desk, s);
        status_account(r, s, positions_max);
        status_disk(r, s);
        status_venue(r, s);
        if (positions_max == 0) {
            status_feed(r, s);
        }
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
}

static int show_status(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_read(desk, action_reply(call));
    action_output(call, "state", "%s",
                  trading_state_name(s->version == 0 ? TRADING_STARTING : s->state));
    action_output(call, "positions", "%d", s->position_count);
    if (action_text(call, "view") != NULL) {
        return live_switch(desk, call, strcmp(action_text(call, "switch"), "on") == 0, err);
    }
    view_status(desk, action_reply(call), 0); /* always answers */
    return ACTION_DONE;
}

/* --------------------------------------------------------------------------------- trades ---- */

static void trade_row(struct reply *r, const struct trade *t)
{
    reply_cells(r, cell_count(t->id), cell_time(t->closed_us, 0), cell_symbol(t->symbol.name),
                cell_text(side_name(t->side)), cell_money_signed(t->pnl),
                cell_duration(t->closed_us - t->opened_us), cell_text(t->exit_reason));
}

static int show_trades(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t count = action_int(call, "count");
    const struct trade_query query = {.before_id = action_int(call, "before")};
    struct trade trades[TRADES_MAX + 1]; /* one more shows whether there is a next page */
    struct trade_stats stats;
    int rc = desk_need_store(desk, action_reply(call), err);
    if (rc < 0) {
        return rc;
    }
    int n = trade_table_list(desk->o.trading, &query, trades, (size_t)count + 1, err);
    bool more = n > count;
    n = more ? (int)count : n;
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
    if (n == 0) {
        reply_title(r, TONE_PLAIN, query.before_id == 0 ? "No trades yet" : "No older trades");
        return ACTION_DONE;
    }
    if (query.before_id != 0) {
        reply_title(r, TONE_PLAIN, "%d trades before number %lld", n, (long long)query.before_id);
    } else {
        reply_title(r, TONE_PLAIN, n == 1 ? "Last trade" : "Last %d trades", n);
    }
    if (more) {
        AUTO_BUF struct buf next = BUF_INIT(64);
        buf_addf(&next, "/trades %lld %lld", (long long)count, (long long)trades[n - 1].id);
        reply_page(r, NULL, next.data);
    }
    reply_columns(r, "#", "closed (UTC)", "symbol", "side", "result", "held", "exit");
    for (int i = 0; i < n; i++) {
        trade_row(r, &trades[i]);
    }
    struct dec sum = dec_add(stats.gross_profit, stats.gross_loss);
    double won = stats.count == 0 ? 0 : 100.0 * (double)stats.wins / (double)stats.count;
    reply_para(r, "All {}: {} won ({}), result {}, fees {}", cell_count(stats.count),
               cell_count(stats.wins), cell_pct(won, 0), cell_money_signed(sum),
               cell_money(stats.fees));
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
     .data = "snapshot service_counts alert_counts mutes maintenance undelivered audit model "
             "heartbeat config telegram",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .outputs = "state positions",
     .params = ACTION_PARAMS({.name = "view",
                              .type = PARAM_CHOICE,
                              .choices = "live",
                              .help = "live: pin a message and keep it up to date"},
                             {.name = "switch",
                              .type = PARAM_CHOICE,
                              .choices = "on|off",
                              .default_text = "on",
                              .help = "off: end the live message"}),
     .run = show_status},
    {.name = "trading.positions",
     .summary = "Open positions",
     .data = DESK_AGE " positions foreign_positions",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .run = show_positions},
    {.name = "trading.trades",
     .summary = "Closed trades, newest first, and their total result",
     .data = DESK_AGE " trades count wins pnl",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "count",
                              .type = PARAM_INT,
                              .default_text = "10",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(TRADES_MAX),
                              .help = "how many"},
                             {.name = "before",
                              .type = PARAM_INT,
                              .default_text = "0",
                              .minimum = "0",
                              .help = "only older ones than this number"}),
     .run = show_trades},
    {0},
};

void desk_actions(struct desk *desk, struct action_table *table)
{
    action_table_add(table, actions, desk);
    action_table_add(table, action_profit_rows, desk);
    action_table_add(table, action_performance_rows, desk);
    action_table_add(table, action_cooldown_rows, desk);
    action_table_add(table, action_feed_rows, desk);
    action_table_add(table, action_risk_rows, desk);
    action_table_add(table, action_why_rows, desk);
    action_table_add(table, action_decisions_rows, desk);
    action_table_add(table, action_steer_rows, desk);
    action_table_add(table, action_orders_rows, desk);
    action_table_add(table, action_order_list_rows, desk);
    action_table_add(table, action_rules_rows, desk);
    action_table_add(table, action_chart_rows, desk);
    action_table_add(table, action_export_rows, desk);
    if (desk != NULL) { /* else the actions are only described */
        domain_register(desk, table);
    }
}
