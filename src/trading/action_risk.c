#include "desk_internal.h"
#include "model/model_json.h"
#include "model/risk_rule.h"

#include <math.h>
#include <string.h>

#define FAR_PCT 100.0 /* no price falls by more, and few double: no action is needed */

enum unit { UNIT_PERCENT, UNIT_TIMES, UNIT_PLAIN, UNIT_COUNT };

/* One limit and its current use. */
struct gauge {
    const char *key;   /* for programs: must not change */
    const char *label; /* for people */
    double use;
    double limit;
    enum unit unit;
    bool at_least; /* the limit is a minimum; else a maximum */
    bool unused;   /* no use to show, for example because no position is open */
};

static struct cell amount(double value, enum unit unit)
{
    switch (unit) {
    case UNIT_PERCENT:
        return cell_pct(value, 1);
    case UNIT_TIMES:
        return cell_times(value);
    case UNIT_PLAIN:
        return cell_number(value, 2);
    case UNIT_COUNT:
        return cell_count((int64_t)value);
    }
    return cell_none();
}

static void show_gauge(struct reply *r, struct json_out *data, const struct gauge *g)
{
    reply_cells(r, cell_text(g->label), g->unused ? cell_none() : amount(g->use, g->unit),
                cell_limit(amount(g->limit, g->unit), g->at_least));

    json_out_object(data, NULL);
    json_out_text(data, "name", g->key);
    json_out_rounded(data, "use", g->unused ? (double)NAN : g->use, 6);
    json_out_rounded(data, "limit", g->limit, 6);
    json_out_bool(data, "at_least", g->at_least);
    json_out_end(data);
}

static void show_exposures(struct reply *r, struct json_out *data, const struct snapshot_risk *k)
{
    show_gauge(r, data,
               &(struct gauge){.key = "exposure",
                               .label = "exposure",
                               .use = k->exposure_pct,
                               .limit = k->max_exposure_pct});
    for (int t = 0; t < TIERS; t++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "tier %d", t + 1);
        show_gauge(r, data,
                   &(struct gauge){.key = name,
                                   .label = name,
                                   .use = k->tiers[t].exposure_pct,
                                   .limit = k->tiers[t].max_exposure_pct});
    }
    for (int i = 0; i < k->symbol_count; i++) {
        const struct snapshot_symbol *s = &k->symbols[i];
        double of_tier = k->tiers[s->tier].max_position_pct;
        show_gauge(r, data,
                   &(struct gauge){.key = s->symbol.name,
                                   .label = s->symbol.name,
                                   .use = s->exposure_pct,
                                   .limit = of_tier < k->max_position_pct ? of_tier
                                                                          : k->max_position_pct});
    }
}

static void show_limits(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    const struct snapshot_risk *k = &s->risk;
    bool flat = s->position_count == 0;
    const struct gauge gauges[] = {
        {"leverage", "leverage", k->leverage, k->max_leverage, UNIT_TIMES, false, false},
        {"initial_margin", "margin", k->initial_margin_pct, 100, UNIT_PERCENT, false, false},
        {"liquidation_distance", "liquidation", s->liquidation_distance_pct,
         k->min_liquidation_distance_pct, UNIT_PERCENT, true, flat},
        {"correlation", "correlation", k->correlation, k->max_correlation, UNIT_PLAIN, false,
         s->position_count < 2},
        {"drawdown", "drawdown", s->drawdown_pct, s->max_drawdown_pct, UNIT_PERCENT, false, false},
        {"daily_loss", "daily loss", s->daily_loss_pct > 0 ? s->daily_loss_pct : 0,
         s->max_daily_loss_pct, UNIT_PERCENT, false, false},
        {"losses_in_a_row", "losses in row", (double)k->losses_in_a_row,
         (double)k->max_consecutive_losses, UNIT_COUNT, false, false},
        {"positions", "positions", s->position_count, s->max_positions, UNIT_COUNT, false, false},
        {"orders_per_minute", "entries/min", (double)k->orders_lately,
         (double)k->max_orders_per_minute, UNIT_COUNT, false, false},
    };
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        show_gauge(r, data, &gauges[i]);
    }
}

/* The distance of each position to liquidation, and the thresholds of the liquidation guard. */
static void show_distances(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    json_out_object(data, "liquidation_distances_pct");
    for (int i = 0; i < s->risk.symbol_count; i++) {
        const struct snapshot_symbol *symbol = &s->risk.symbols[i];
        bool held = false;
        for (int j = 0; j < s->position_count; j++) {
            held = held || symbol_equal(s->positions[j].symbol, symbol->symbol);
        }
        if (!held) {
            continue;
        }
        double away_pct = symbol->liquidation_distance_pct;
        const char *mark = away_pct < RISK_WARN_PCT ? "⚠ " : "";
        if (away_pct < FAR_PCT) {
            reply_para(r, "{}{}: liquidation is {} away", cell_text(mark),
                       cell_symbol(symbol->symbol.name), cell_pct(away_pct, 1));
        } else {
            reply_para(r, "{}{}: liquidation is out of reach", cell_text(mark),
                       cell_symbol(symbol->symbol.name));
        }
        model_json_pct(data, symbol->symbol.name, symbol->liquidation_distance_pct);
    }
    json_out_end(data);
    if (s->position_count > 0) {
        reply_para(r,
                   "Liquidation guard: warns below {}, halves the position below {}, closes it "
                   "below {}.",
                   cell_pct(RISK_WARN_PCT, 0), cell_pct(RISK_HALVE_PCT, 0),
                   cell_pct(RISK_CLOSE_PCT, 0));
    }
}

static void show_cooldowns(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    json_out_object(data, "cooldowns");
    int count = 0;
    for (int i = 0; i < s->risk.symbol_count; i++) {
        const struct snapshot_symbol *symbol = &s->risk.symbols[i];
        if (symbol->cooldown_until_us == 0) {
            continue;
        }
        reply_para(r, "{}: cooldown, no entries for {}", cell_symbol(symbol->symbol.name),
                   cell_duration(symbol->cooldown_until_us - s->market_us));
        json_out_time(data, symbol->symbol.name, symbol->cooldown_until_us);
        count++;
    }
    json_out_end(data);
    if (count == 0) {
        reply_para(r, "No symbol is in cooldown. A cooldown lasts {} after a trade.",
                   cell_duration(s->risk.cooldown_us));
    }
}

static void show_foreign(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    for (int i = 0; i < s->foreign_count; i++) {
        const struct snapshot_foreign *f = &s->foreign[i];
        reply_para(r,
                   "⚠ The venue holds {} {} {}, not opened by the bot: no entries in this symbol.",
                   cell_symbol(f->symbol.name), cell_text(side_name(f->side)),
                   cell_qty(f->qty, f->symbol.name));
    }
    model_json_foreign(data, "foreign_positions", s);
}

static void write_rules(struct json_out *data)
{
    json_out_array(data, "risk_rules");
    const struct risk_rule_info *info;
    for (int i = 0; (info = risk_rule(i)) != NULL; i++) {
        json_out_object(data, NULL);
        json_out_text(data, "code", info->code);
        json_out_text(data, "option", info->option);
        json_out_text(data, "help", info->help);
        json_out_end(data);
    }
    json_out_end(data);
}

static void show_state(struct reply *r, struct json_out *data, const struct snapshot *s)
{
    const char *why = s->books_balance ? s->state_reason : "the books do not balance";
    switch (s->risk_state) {
    case RISK_ACTIVE:
        reply_title(r, TONE_GOOD, "Risk: ACTIVE");
        reply_line(r, "Entries are allowed within the limits (%s).", why);
        break;
    case RISK_REDUCING:
        reply_title(r, TONE_WARN, "Risk: REDUCING");
        reply_line(r,
                   "No new positions are opened (%s: %s). Closing, reducing and cancelling are "
                   "allowed.",
                   trading_state_name(s->state), why);
        break;
    case RISK_HALTED:
        reply_title(r, TONE_BAD, "Risk: HALTED");
        reply_line(r, "Trading is halted (%s). Closing, reducing and cancelling are allowed.", why);
        break;
    }
    json_out_text(data, "risk_state", risk_state_name(s->risk_state));
    json_out_text(data, "state", trading_state_name(s->state));
    json_out_text(data, "reason", why);
}

static int show_risk(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_read(desk, action_reply(call));
    struct reply *r = action_reply(call);
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "risk");
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    show_state(r, &data, s);
    json_out_array(&data, "limits");
    reply_columns(r, "", "now", "limit");
    show_exposures(r, &data, &s->risk);
    show_limits(r, &data, s);
    json_out_end(&data);
    show_distances(r, &data, s);
    show_cooldowns(r, &data, s);
    show_foreign(r, &data, s);
    write_rules(&data);
    desk_market_line(r, s);
    reply_button(r, "Positions", "/positions", BUTTON_PLAIN);
    if (s->state == TRADING_PAUSED || s->state == TRADING_BREAKER ||
        s->state == TRADING_MAINTENANCE) {
        reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    }
    reply_protect(r);
    return ACTION_DONE;
}

const struct action action_risk_rows[] = {
    {.name = "trading.risk",
     .summary = "Risk limits with their current use, cooldowns, and what is still allowed",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_risk},
    {0},
};
